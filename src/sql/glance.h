/* glance.h - sixteen bytes of a text at once, and what a byte of it is: for hints.c, mysql_hints.c and tail.c. */
#ifndef SLUICE_SQL_GLANCE_H
#define SLUICE_SQL_GLANCE_H

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

static inline bool is_word(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
	       c >= 128;
}

#endif
