/* test_pg_value.c - values in PostgreSQL's binary format. The bytes of numeric are what PostgreSQL 15 sends. */
#include "unit.h"

#include "pg/value.h"

#include <stdlib.h>
#include <string.h>

#define BAD NULL, 0

static const struct {
	enum column_type type;
	const char *text, *want;
	size_t len;
} cases[] = {
	{ COL_TEXT, "h\303\244", BYTES("h\303\244") },
	{ COL_TEXT, "", BYTES("") },
	{ COL_INT4, "0", BYTES("\0\0\0\0") },
	{ COL_INT4, "-0", BYTES("\0\0\0\0") },
	{ COL_INT4, "258", BYTES("\0\0\1\2") },
	{ COL_INT4, "-1", BYTES("\377\377\377\377") },
	{ COL_INT4, "2147483647", BYTES("\177\377\377\377") },
	{ COL_INT4, "-2147483648", BYTES("\200\0\0\0") },
	{ COL_INT4, "2147483648", BAD },
	{ COL_INT4, "-2147483649", BAD },
	{ COL_INT4, "99999999999999999999999", BAD },
	{ COL_INT4, "", BAD },
	{ COL_INT4, "-", BAD },
	{ COL_INT4, "1 ", BAD },
	{ COL_INT4, "1.0", BAD },
	{ COL_INT4, ":", BAD },
	{ COL_INT8, "72623859790382856", BYTES("\1\2\3\4\5\6\7\10") },
	{ COL_INT8, "9223372036854775807", BYTES("\177\377\377\377\377\377\377\377") },
	{ COL_INT8, "-9223372036854775808", BYTES("\200\0\0\0\0\0\0\0") },
	{ COL_INT8, "9223372036854775808", BAD },
	{ COL_INT8, "-9223372036854775809", BAD },
	{ COL_INT8, "18446744073709551617", BAD },
	{ COL_BOOL, "t", BYTES("\1") },
	{ COL_BOOL, "false", BYTES("\0") },
	{ COL_BOOL, "1", BAD },
	{ COL_NUMERIC, "0", BYTES("\0\0\0\0\0\0\0\0") },
	{ COL_NUMERIC, "-0.00", BYTES("\0\0\0\0\0\0\0\2") },
	{ COL_NUMERIC, "7", BYTES("\0\1\0\0\0\0\0\0\0\7") },
	{ COL_NUMERIC, "0007", BYTES("\0\1\0\0\0\0\0\0\0\7") },
	{ COL_NUMERIC, "00000007", BYTES("\0\1\0\0\0\0\0\0\0\7") },
	{ COL_NUMERIC, "10000", BYTES("\0\1\0\1\0\0\0\0\0\1") },
	{ COL_NUMERIC, "100020003", BYTES("\0\3\0\2\0\0\0\0\0\1\0\2\0\3") },
	{ COL_NUMERIC, "-12.5", BYTES("\0\2\0\0\100\0\0\1\0\14\23\210") },
	{ COL_NUMERIC, "0.0001", BYTES("\0\1\377\377\0\0\0\4\0\1") },
	{ COL_NUMERIC, ".00000001", BYTES("\0\1\377\376\0\0\0\10\0\1") },
	{ COL_NUMERIC, "1.", BYTES("\0\1\0\0\0\0\0\0\0\1") },
	{ COL_NUMERIC, "18446744073709551615", BYTES("\0\5\0\4\0\0\0\0\7\64\32\130\2\341\3\273\6\117") },
	{ COL_NUMERIC, "NaN", BYTES("\0\0\0\0\300\0\0\0") },
	{ COL_NUMERIC, "Infinity", BYTES("\0\0\0\0\320\0\0\0") },
	{ COL_NUMERIC, "-Infinity", BYTES("\0\0\0\0\360\0\0\0") },
	{ COL_NUMERIC, "", BAD },
	{ COL_NUMERIC, ".", BAD },
	{ COL_NUMERIC, "-", BAD },
	{ COL_NUMERIC, "1e5", BAD },
	{ COL_NUMERIC, "1.2.3", BAD },
	{ COL_NUMERIC, "1,2", BAD },
};

static void test_values(void)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t n = strlen(cases[i].text), size = 77;
		char *copy = (char *)copy_exact(cases[i].text, n);
		struct text_span text = { copy, n };
		bool ok = pg_put_binary(NULL, cases[i].type, text, &size);
		check_eq(cases[i].text, ok, cases[i].want != NULL);
		check_eq(cases[i].text, size, ok ? cases[i].len : 77);
		uint8_t *room = copy_exact("................................................", cases[i].len);
		struct pg_out o = pg_out(room, cases[i].len);
		if (ok) {
			check(cases[i].text, pg_put_binary(&o, cases[i].type, text, &size) && !o.bad);
			check_eq(cases[i].text, o.len, cases[i].len);
			check_mem(cases[i].text, room, cases[i].want, cases[i].len);
		}
		free(room);
		free(copy);
	}
}

/* No more digits than PostgreSQL takes. */
static void test_long(void)
{
	static char digits[131073 + 2 + 16384];
	size_t size;
	memset(digits, '1', sizeof digits);
	check("the most", pg_put_binary(NULL, COL_NUMERIC, (struct text_span){ digits, 131072 }, &size));
	check_eq("its size", size, 8 + 131072 / 2);
	check("more", !pg_put_binary(NULL, COL_NUMERIC, (struct text_span){ digits, 131073 }, &size));
	digits[0] = '.';
	check("the finest", pg_put_binary(NULL, COL_NUMERIC, (struct text_span){ digits, 1 + 16383 }, &size));
	check("finer", !pg_put_binary(NULL, COL_NUMERIC, (struct text_span){ digits, 1 + 16384 }, &size));
}

void suite_pg_value(void)
{
	static const struct unit_test tests[] = {
		{ "values", test_values },
		{ "numbers of many digits", test_long },
		{ NULL, NULL },
	};
	unit_add("pg_value", tests);
}
