/* fuzz.c - what every fuzz target uses. */
#include "fuzz.h"

#include "core/poison.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD 16u /* bytes that may not be touched, before each copy */

_Noreturn void fuzz_failed(const char *file, int line, const char *what, const char *cond)
{
	fprintf(stderr, "%s:%d: %s: not so: %s\n", file, line, what, cond);
	abort();
}

/* The guard makes room for nothing be something: of malloc(0) a sanitizer lets one byte be read. */
void *fuzz_exact(const void *p, size_t n)
{
	uint8_t *base = malloc(GUARD + n);
	if (!base)
		abort();
	if (n && p)
		memcpy(base + GUARD, p, n);
	poison(base, GUARD);
	return base + GUARD;
}

char *fuzz_text(const void *p, size_t n)
{
	const uint8_t *nul = n ? memchr(p, 0, n) : NULL;
	size_t len = nul ? (size_t)(nul - (const uint8_t *)p) : n;
	uint8_t *base = malloc(GUARD + len + 1);
	if (!base)
		abort();
	if (len)
		memcpy(base + GUARD, p, len);
	base[GUARD + len] = '\0';
	poison(base, GUARD);
	return (char *)base + GUARD;
}

void fuzz_free(void *p)
{
	if (!p)
		return;
	uint8_t *base = (uint8_t *)p - GUARD;
	unpoison(base, GUARD);
	free(base);
}

const uint8_t *fuzz_part(const uint8_t **p, size_t *left, uint8_t sep, size_t *len)
{
	const uint8_t *part = *p, *end = part && *left ? memchr(part, sep, *left) : NULL;
	*len = end ? (size_t)(end - part) : part ? *left : 0;
	*left -= part ? *len + (end != NULL) : 0;
	*p = end ? end + 1 : NULL;
	return part ? part : (const uint8_t *)"";
}

bool fuzz_is_utf8(const void *p, size_t n)
{
	const uint8_t *s = p;
	for (size_t i = 0; i < n;) {
		uint8_t c = s[i++];
		size_t more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : (c & 0xf0) == 0xe0 ? 2 : 3;
		if (c >= 0x80 && (c < 0xc2 || c > 0xf4 || more > n - i))
			return false;
		uint32_t point = more == 0 ? c : c & (0x3fu >> more);
		for (size_t k = 0; k < more; k++, i++) {
			if ((s[i] & 0xc0) != 0x80)
				return false;
			point = point << 6 | (s[i] & 0x3fu);
		}
		if ((more == 2 && (point < 0x800 || (point >= 0xd800 && point < 0xe000))) ||
		    (more == 3 && (point < 0x10000 || point > 0x10ffff)))
			return false;
	}
	return true;
}

static uint32_t random_at;

bool fuzz_random(void *out, size_t n)
{
	uint8_t *to = out;
	for (size_t i = 0; i < n; i++) {
		random_at = random_at * 1664525u + 1013904223u;
		to[i] = (uint8_t)(random_at >> 24);
	}
	return true;
}

void fuzz_random_restart(void)
{
	random_at = 1;
}
