/* glance.h - sixteen bytes of a text at once, and what a byte of it is: for hints.c, mysql_hints.c and tail.c. */
#ifndef SLUICE_SQL_GLANCE_H
#define SLUICE_SQL_GLANCE_H

#include "sql/bytes_int.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define STEP 16

/* As gcc and clang know it: sixteen bytes at once, on machines that can. */
typedef uint8_t bytes __attribute__((vector_size(STEP)));

static inline bytes load(const uint8_t *s)
{
	bytes b;
	memcpy(&b, s, sizeof b);
	return b;
}

static inline bool any(bytes b)
{
	uint64_t half[2];
	memcpy(half, &b, sizeof half);
	return (half[0] | half[1]) != 0;
}

/* Where the word begins that ends before i, blanks of the same line between; *i: where it ends. The same: there is
 * none. */
static inline size_t word_before(const uint8_t *s, size_t *i)
{
	while (*i > 0 && (s[*i - 1] == ' ' || s[*i - 1] == '\t'))
		--*i;
	size_t from = *i;
	while (from > 0 && is_of(s[from - 1], C_WORD))
		from--;
	return from;
}

#endif
