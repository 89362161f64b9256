/* fuzz_pg_value.c - values in PostgreSQL's binary format. The input is the text of one. */
#include "fuzz.h"

#include "pg/value.h"

#include <stdlib.h>
#include <string.h>

/* The digits of a binary numeric, from its first group's to the last: with `lead` and `scale` they are the number. */
static void check_numeric(struct rd in, const char *text, size_t len)
{
	unsigned groups = rd_u16be(&in);
	int weight = (int16_t)rd_u16be(&in);
	unsigned sign = rd_u16be(&in), scale = rd_u16be(&in);
	if (sign & 0x8000) {
		fuzz_check("nothing but that", groups == 0 && rd_done(&in));
		return;
	}
	const char *end = text + len, *point = memchr(text, '.', len);
	bool is_negative = *text == '-';
	if (*text == '-' || *text == '+')
		text++;
	fuzz_check("scale", scale == (point ? (size_t)(end - point) - 1 : 0));
	fuzz_check("sign", groups == 0 ? sign == 0 : sign == (is_negative ? 0x4000u : 0));
	long whole = (point ? point : end) - text; /* digits before the point */
	for (unsigned g = 0; g < groups; g++) {
		unsigned v = rd_u16be(&in);
		fuzz_check("a group", v < 10000);
		fuzz_check("no zeros around it", v || (g > 0 && g + 1 < groups));
		for (int d = 3; d >= 0; d--, v /= 10) {
			long power = ((long)weight - (long)g) * 4 + 3 - d; /* of ten, of this digit */
			long at = power >= 0 ? whole - 1 - power : whole - power;
			bool is_there = at >= 0 && text + at < end;
			fuzz_check("the digit", v % 10 == (is_there ? (unsigned)(text[at] - '0') : 0));
		}
	}
	size_t nonzero = 0;
	for (const char *p = text; p < end; p++)
		nonzero += *p >= '1' && *p <= '9';
	fuzz_check("zero is no groups", (nonzero == 0) == (groups == 0));
	fuzz_check("all of it", rd_done(&in));
}

static bool check_type(enum column_type t, struct text_span text, int64_t *n)
{
	size_t size = 0, again = 0;
	if (!pg_put_binary(NULL, t, text, &size))
		return false;
	uint8_t *room = fuzz_exact(NULL, size);
	struct pg_out o = pg_out(room, size);
	fuzz_check("twice the same", pg_put_binary(&o, t, text, &again) && again == size && !o.bad && o.len == size);
	struct rd in = rd_of(room, size);
	if (t == COL_NUMERIC) {
		check_numeric(in, text.s, text.len);
	} else if (t == COL_INT4) {
		*n = (int32_t)rd_u32be(&in);
	} else if (t == COL_INT8) {
		uint64_t high = rd_u32be(&in);
		*n = (int64_t)(high << 32 | rd_u32be(&in));
	}
	fuzz_free(room);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_exact(data, size), *z = fuzz_text(data, size);
	struct text_span text = { copy, size };
	int64_t n4 = 0, n8 = 0, none = 0;
	bool is4 = check_type(COL_INT4, text, &n4), is8 = check_type(COL_INT8, text, &n8);
	fuzz_check("what fits in less fits in more", !is4 || (is8 && n4 == n8));
	fuzz_check("as the C library has it", !is8 || strtoll(z, NULL, 10) == n8);
	fuzz_check("a whole number is a number", check_type(COL_NUMERIC, text, &none) || !is8);
	fuzz_check("any text is a text", check_type(COL_TEXT, text, &none));
	(void)check_type(COL_BOOL, text, &none);
	fuzz_free(z);
	fuzz_free(copy);
	return 0;
}
