/* value.c - values in PostgreSQL's binary format. PostgreSQL docs, Formats and Format Codes. */
#include "pg/value.h"

static const struct {
	uint32_t oid;
	uint16_t len;
} types[] = {
	[COL_TEXT] = { 25, UINT16_MAX },      [COL_INT4] = { 23, 4 }, [COL_INT8] = { 20, 8 },
	[COL_NUMERIC] = { 1700, UINT16_MAX }, [COL_BOOL] = { 16, 1 },
};

uint32_t pg_type_oid(enum column_type t)
{
	return types[t].oid;
}

uint16_t pg_type_len(enum column_type t)
{
	return types[t].len;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_text(struct text_span t, const char *word)
{
	return t.len == strlen(word) && memcmp(t.s, word, t.len) == 0;
}

/* --- Whole numbers */

/* Takes a sign off the front. */
static bool take_sign(struct text_span *t)
{
	bool is_negative = t->len > 0 && t->s[0] == '-';
	if (is_negative || (t->len > 0 && t->s[0] == '+')) {
		t->s++;
		t->len--;
	}
	return is_negative;
}

/* most: what the type holds above zero; it holds one more below. */
static bool read_int(struct text_span t, uint64_t most, uint64_t *bits)
{
	bool is_negative = take_sign(&t);
	uint64_t n = 0;
	most += is_negative;
	for (size_t i = 0; i < t.len; i++) {
		uint64_t digit = (uint64_t)(t.s[i] - '0');
		if (!is_digit(t.s[i]) || n > (most - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*bits = is_negative ? ~n + 1 : n;
	return t.len > 0;
}

/* --- numeric: groups of four digits; the point is between two of them */

#define SIGN_PLUS    0x0000
#define SIGN_MINUS   0x4000
#define SIGN_NAN     0xc000
#define SIGN_INF     0xd000
#define SIGN_NEG_INF 0xf000
#define INT_DIGITS   131072u /* before the point, as PostgreSQL allows */
#define SCALE_MAX    16383u  /* behind it */

struct numeric {
	struct text_span whole, part; /* before the point and behind it */
	size_t lead;                  /* digits that the first group lacks */
	size_t first, end;            /* groups that are sent: those around them are zero */
	size_t point;                 /* groups before the point */
	uint16_t sign;
};

static size_t count_digits(struct text_span t)
{
	size_t n = 0;
	while (n < t.len && is_digit(t.s[n]))
		n++;
	return n;
}

static unsigned digit_at(const struct numeric *n, size_t i)
{
	size_t before = n->lead + n->whole.len;
	if (i < n->lead)
		return 0;
	if (i < before)
		return (unsigned)(n->whole.s[i - n->lead] - '0');
	return i - before < n->part.len ? (unsigned)(n->part.s[i - before] - '0') : 0;
}

static uint16_t group_at(const struct numeric *n, size_t g)
{
	unsigned v = 0;
	for (size_t i = 4 * g; i < 4 * g + 4; i++)
		v = v * 10 + digit_at(n, i);
	return (uint16_t)v;
}

static bool read_numeric(struct text_span t, struct numeric *n)
{
	*n = (struct numeric){ .sign = SIGN_NAN };
	if (is_text(t, "NaN"))
		return true;
	n->sign = take_sign(&t) ? SIGN_MINUS : SIGN_PLUS;
	if (is_text(t, "Infinity")) {
		n->sign = n->sign == SIGN_MINUS ? SIGN_NEG_INF : SIGN_INF;
		return true;
	}
	n->whole = (struct text_span){ t.s, count_digits(t) };
	t.s += n->whole.len;
	t.len -= n->whole.len;
	if (t.len > 0) {
		if (*t.s != '.')
			return false;
		n->part = (struct text_span){ t.s + 1, t.len - 1 };
		if (count_digits(n->part) != n->part.len)
			return false;
	}
	if (n->whole.len + n->part.len == 0 || n->whole.len > INT_DIGITS || n->part.len > SCALE_MAX)
		return false;
	n->point = (n->whole.len + 3) / 4;
	n->lead = 4 * n->point - n->whole.len;
	n->end = n->point + (n->part.len + 3) / 4;
	while (n->end > 0 && group_at(n, n->end - 1) == 0)
		n->end--;
	while (n->first < n->end && group_at(n, n->first) == 0)
		n->first++;
	if (n->end == 0)
		n->sign = SIGN_PLUS; /* of zero */
	return true;
}

static void put_numeric(struct pg_out *o, const struct numeric *n)
{
	size_t groups = n->end - n->first;
	pg_put_u16(o, (uint16_t)groups);
	/* The power of 10000 of the first: below zero, it is sent as two's complement. */
	pg_put_u16(o, groups ? (uint16_t)(n->point - n->first - 1) : 0);
	pg_put_u16(o, n->sign);
	pg_put_u16(o, (uint16_t)n->part.len);
	for (size_t g = n->first; g < n->end; g++)
		pg_put_u16(o, group_at(n, g));
}

/* --- All of them */

bool pg_put_binary(struct pg_out *o, enum column_type t, struct text_span text, size_t *size)
{
	struct numeric n;
	uint64_t bits;
	bool is_true;

	switch (t) {
	case COL_TEXT:
		*size = text.len;
		if (o)
			pg_put(o, text.s, text.len);
		return true;
	case COL_INT4:
		if (!read_int(text, INT32_MAX, &bits))
			return false;
		*size = 4;
		if (o)
			pg_put_u32(o, (uint32_t)bits);
		return true;
	case COL_INT8:
		if (!read_int(text, INT64_MAX, &bits))
			return false;
		*size = 8;
		if (o) {
			pg_put_u32(o, (uint32_t)(bits >> 32));
			pg_put_u32(o, (uint32_t)bits);
		}
		return true;
	case COL_BOOL:
		is_true = is_text(text, "t") || is_text(text, "true");
		if (!is_true && !is_text(text, "f") && !is_text(text, "false"))
			return false;
		*size = 1;
		if (o)
			pg_put_u8(o, is_true);
		return true;
	case COL_NUMERIC:
		if (!read_numeric(text, &n))
			return false;
		*size = 8 + 2 * (n.end - n.first);
		if (o)
			put_numeric(o, &n);
		return true;
	}
	return false;
}
