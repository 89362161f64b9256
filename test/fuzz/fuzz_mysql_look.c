/* fuzz_mysql_look.c - what is made of a text of MySQL's before it runs: what it does to its session, and what is put
 * into it. The input: two bytes of how it is read, and the text. */
#include "fuzz.h"

#include "mysql/track.h"
#include "session/session.h"
#include "sql/mysql_classify.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t versions[] = { 0, 50651, 80030, 90704, 101119 };
	if (size < 2)
		return 0;
	unsigned mode = MY_MODE(data[0] & 15u, versions[data[1] % (sizeof versions / sizeof *versions)]);
	size_t n = size - 2, cap = n + MYSQL_REWRITE_ROOM;
	char *text = fuzz_exact(data + 2, n), *out = malloc(cap);
	struct mysql_track t = { .insert_id = UINT64_MAX, .row_count = INT64_MIN, .found = UINT64_MAX };
	if (!out)
		abort();
	struct mysql_look look = mysql_track_look(text, n, mode);
	fuzz_check("pins that there are", look.pins < UINT32_C(1) << PIN_COUNT);
	uint32_t known = MY_CALL_FOUND_ROWS | MY_CALL_ROW_COUNT | MY_CALL_LAST_INSERT_ID;
	int to = mysql_track_rewrite(&t, text, n, mode, UINT32_MAX, known, out, cap);
	fuzz_check("it fits", to <= (int)cap);
	if (to >= 0 && !look.wants_id && !(look.asks_any & known))
		fuzz_check("what asks for nothing is as it was", (size_t)to == n && memcmp(out, text, n) == 0);
	/* In less room it is not begun, or not at all. */
	if (to > 0)
		fuzz_check("nor in less room",
			   mysql_track_rewrite(&t, text, n, mode, UINT32_MAX, known, out, (size_t)to - 1) == -1);
	free(out);
	fuzz_free(text);
	return 0;
}
