/* fuzz_helper_wire.c - messages between the daemon and its helper processes. The first byte: q, a question; r, a reply;
 * the rest is the message. What is understood is put together again and is the same. */
#include "fuzz.h"

#include "auth/helper_wire.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[HELPER_ASK_MAX], reply[HELPER_REPLY_MAX];
	struct helper_question q;
	enum helper_verdict v;
	const char *why = NULL;
	if (size == 0)
		return 0;
	size_t n = size - 1;
	uint8_t *in = fuzz_exact(data + 1, n);
	if (data[0] == 'q') {
		if (helper_get_question(in, n, &q, &why))
			fuzz_check("the same question",
				   n > sizeof out || (helper_put_question(out, &q) == n && memcmp(out, in, n) == 0));
		else
			fuzz_check("a reason", why && *why);
	} else if (helper_get_reply(in, n, &v, &why)) {
		fuzz_check("a verdict", v <= HELPER_UNABLE);
		size_t len = helper_put_reply(reply, v, why);
		fuzz_check("no longer", len <= n);
		fuzz_check("the same beginning", memcmp(reply, in, 2) == 0);
	}
	fuzz_free(in);
	return 0;
}
