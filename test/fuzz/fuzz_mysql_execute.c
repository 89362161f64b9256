/* fuzz_mysql_execute.c - COM_STMT_EXECUTE and COM_STMT_BULK_EXECUTE, as far as the types of their parameters: bitmaps
 * of NULLs, types, names and lengths. The input: a byte of capabilities, how many parameters the statement has in two,
 * and the payload, of which every front is tried as what has come so far. */
#include "fuzz.h"

#include "mysql/prepared.h"

#include <string.h>

static bool is_same(const struct mysql_execute *a, const struct mysql_execute *b)
{
	return a->cursor == b->cursor && a->has_params == b->has_params && a->has_types == b->has_types &&
	       a->flag_at == b->flag_at && a->flag == b->flag && a->types_at == b->types_at &&
	       a->types_len == b->types_len;
}

/* What was read is where it says, in n bytes. */
static void check_read(const struct mysql_execute *x, size_t n, unsigned nparams)
{
	if (!x->has_params) {
		fuzz_check("no types without parameters", !x->has_types && !x->types_len);
		return;
	}
	fuzz_check("the flag is there", x->flag_at < n);
	fuzz_check("what follows it belongs behind it", x->types_at > x->flag_at && x->types_at <= n);
	if (x->has_types)
		fuzz_check("types are there, two bytes at least of each",
			   x->types_len <= n - x->types_at && x->types_len >= 2u * nparams);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 4)
		return 0;
	uint64_t caps = data[0] & 1 ? MYSQL_CAP_QUERY_ATTRIBUTES : 0;
	uint16_t nparams = (uint16_t)(data[1] | data[2] << 8);
	size_t n = size - 3;
	struct mysql_execute whole, x;
	uint8_t *copy = fuzz_exact(data + 3, n);
	enum frame all = mysql_read_execute(rd_of(copy, n), nparams, caps, &whole);
	fuzz_free(copy);
	if (all == FRAME_OK)
		check_read(&whole, n, nparams);
	for (size_t i = n > 64 ? n - 64 : 0; i < n; i++) {
		copy = fuzz_exact(data + 3, i);
		enum frame is = mysql_read_execute(rd_of(copy, i), nparams, caps, &x);
		fuzz_free(copy);
		fuzz_check("what is read of a front stands",
			   is != FRAME_OK || (all == FRAME_OK && is_same(&x, &whole)));
		fuzz_check("what a front cannot be, the whole cannot", is != FRAME_BAD || all == FRAME_BAD);
		if (is == FRAME_OK)
			check_read(&x, i, nparams);
	}
	return 0;
}
