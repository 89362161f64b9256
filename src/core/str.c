/* str.c - the text builder, bounded copies and formatting, numbers, comparisons. */
#include "core/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SB_FIRST 64

/* Room for n more bytes and the NUL; false, and b is bad, when there is none. */
static bool sb_room(struct sb *b, size_t n)
{
	if (b->bad)
		return false;
	size_t most = b->max ? b->max : SIZE_MAX / 2;
	if (n > most || b->len > most - n)
		goto bad;
	size_t need = b->len + n + 1;
	if (need <= b->cap)
		return true;
	size_t cap = b->cap ? b->cap : SB_FIRST;
	while (cap < need)
		cap *= 2;
	char *s = realloc(b->s, cap);
	if (!s)
		goto bad;
	b->s = s;
	b->cap = cap;
	return true;
bad:
	b->bad = true;
	return false;
}

void sb_add(struct sb *b, const char *s)
{
	sb_add_n(b, s, strlen(s));
}

void sb_add_n(struct sb *b, const void *p, size_t n)
{
	if (!sb_room(b, n))
		return;
	if (n)
		memcpy(b->s + b->len, p, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void sb_addf(struct sb *b, const char *fmt, ...)
{
	if (!sb_room(b, 0))
		return;
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	size_t room = b->cap - b->len;
	int n = vsnprintf(b->s + b->len, room, fmt, ap);
	if (n < 0) {
		b->bad = true;
	} else if (sb_room(b, (size_t)n)) {
		if ((size_t)n >= room)
			vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
	va_end(ap);
}

const char *sb_str(const struct sb *b)
{
	return b->s && !b->bad ? b->s : "";
}

char *sb_take(struct sb *b)
{
	char *s = NULL;
	if (sb_room(b, 0)) {
		s = b->s;
		s[b->len] = '\0';
		b->s = NULL;
	}
	sb_free(b);
	return s;
}

void sb_free(struct sb *b)
{
	free(b->s);
	*b = (struct sb){ .max = b->max };
}

bool str_copy(char *dst, size_t cap, const char *src)
{
	return str_copy_n(dst, cap, src, strlen(src));
}

bool str_copy_n(char *dst, size_t cap, const void *src, size_t n)
{
	if (cap == 0)
		return false;
	bool fits = n < cap;
	if (fits && n)
		memmove(dst, src, n);
	dst[fits ? n : 0] = '\0';
	return fits;
}

/* The length of s without a UTF-8 character that its end cuts off. Bytes that are no UTF-8 are left as they are. */
static size_t utf8_whole(const char *s, size_t len)
{
	for (size_t back = 1; back <= 3 && back <= len; back++) {
		uint8_t c = (uint8_t)s[len - back];
		if (c >= 0xC0) { /* the lead byte says how many belong to it */
			size_t need = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
			return need > back ? len - back : len;
		}
		if (c < 0x80)
			break;
	}
	return len;
}

void str_fmt(char *dst, size_t cap, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	str_vfmt(dst, cap, fmt, ap);
	va_end(ap);
}

void str_vfmt(char *dst, size_t cap, const char *fmt, va_list ap)
{
	if (cap == 0)
		return;
	int n = vsnprintf(dst, cap, fmt, ap);
	if (n < 0)
		dst[0] = '\0';
	else if ((size_t)n >= cap)
		dst[utf8_whole(dst, cap - 1)] = '\0';
}

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool str_eq_nocase(const char *a, const char *b)
{
	while (*a && lower(*a) == lower(*b))
		a++, b++;
	return lower(*a) == lower(*b);
}

bool str_starts_nocase(const char *s, const char *prefix)
{
	while (*prefix && lower(*s) == lower(*prefix))
		s++, prefix++;
	return !*prefix;
}

bool str_to_u64(const char *s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		uint64_t digit = (uint64_t)(*s - '0');
		if (v > UINT64_MAX / 10 || v * 10 > UINT64_MAX - digit)
			return false;
		v = v * 10 + digit;
		if (v > max)
			return false; /* here already, so that a long row of digits ends early */
	}
	*out = v;
	return true;
}

#define DIST_MAX 64 /* words longer than this are not misspellings of each other */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned str_distance(const char *a, const char *b, unsigned most)
{
	if (most > DIST_MAX)
		most = DIST_MAX;
	while (*a && *a == *b) /* what they begin and end with costs nothing */
		a++, b++;
	size_t na = strlen(a), nb = strlen(b);
	while (na && nb && a[na - 1] == b[nb - 1])
		na--, nb--;
	if ((na > nb ? na - nb : nb - na) > most || na > DIST_MAX || nb > DIST_MAX)
		return most + 1;

	/* Optimal string alignment: three rows of the matrix, this one and the two above, are all that is looked at. */
	unsigned rows[3][DIST_MAX + 1];
	unsigned *two = rows[0], *one = rows[1], *cur = rows[2];
	for (size_t j = 0; j <= nb; j++)
		one[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		cur[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned d = least(one[j], cur[j - 1]) + 1;
			d = least(d, one[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = least(d, two[j - 2] + 1);
			cur[j] = d;
		}
		unsigned *spare = two;
		two = one;
		one = cur;
		cur = spare;
	}
	return least(one[nb], most + 1);
}

char *str_dup(const char *s)
{
	return str_dup_n(s, strlen(s));
}

char *str_dup_n(const void *p, size_t n)
{
	char *s = n < SIZE_MAX ? malloc(n + 1) : NULL;
	if (!s)
		return NULL;
	if (n)
		memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

bool str_same_secret(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t differ = 0;
	for (size_t i = 0; i < n; i++)
		differ |= x[i] ^ y[i];
	return differ == 0;
}

void str_wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}
