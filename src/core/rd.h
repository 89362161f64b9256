/* rd.h - a bounded cursor over bytes that we do not own.
 * Sticky: after the first short read every getter gives 0 or "", so a decoder reads straight down and asks rd_done()
 * once. A loop whose count came off the wire also asks !r->bad each turn. */
#ifndef SLUICE_CORE_RD_H
#define SLUICE_CORE_RD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rd {
	const uint8_t *p, *end;
	bool bad;
};

enum frame { FRAME_OK, FRAME_SHORT, FRAME_BAD }; /* of a message that begins at a cursor: use it, read more, close */

static inline struct rd rd_of(const void *p, size_t n)
{
	return (struct rd){ p, (const uint8_t *)p + n, false };
}

static inline size_t rd_left(const struct rd *r)
{
	return (size_t)(r->end - r->p);
}

static inline bool rd_done(const struct rd *r)
{
	return !r->bad && r->p == r->end;
}

/* Every getter passes here. NULL, and the cursor is bad, when fewer than n bytes are left. */
static inline const uint8_t *rd_take(struct rd *r, size_t n)
{
	if (r->bad || n > rd_left(r)) { /* n > left; never p + n > end, a sum that can wrap */
		r->bad = true;
		return NULL;
	}
	r->p += n;
	return r->p - n;
}

static inline uint8_t rd_u8(struct rd *r)
{
	const uint8_t *b = rd_take(r, 1);
	return b ? *b : 0;
}

static inline uint16_t rd_u16be(struct rd *r)
{
	const uint8_t *b = rd_take(r, 2);
	return (uint16_t)(b ? b[0] << 8 | b[1] : 0);
}

static inline uint32_t rd_u32be(struct rd *r)
{
	const uint8_t *b = rd_take(r, 4);
	return b ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}

static inline uint16_t rd_u16le(struct rd *r)
{
	const uint8_t *b = rd_take(r, 2);
	return (uint16_t)(b ? b[1] << 8 | b[0] : 0);
}

static inline uint32_t rd_u24le(struct rd *r)
{
	const uint8_t *b = rd_take(r, 3);
	return b ? (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0] : 0;
}

static inline uint32_t rd_u32le(struct rd *r)
{
	const uint8_t *b = rd_take(r, 4);
	return b ? (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0] : 0;
}

static inline uint64_t rd_u64le(struct rd *r)
{
	uint64_t low = rd_u32le(r), high = rd_u32le(r);
	return r->bad ? 0 : high << 32 | low;
}

/* A string that ends in NUL; "" and a bad cursor when no NUL is left. *len, unless NULL, is its length. */
static inline const char *rd_cstr(struct rd *r, size_t *len)
{
	const uint8_t *nul = r->bad ? NULL : memchr(r->p, 0, rd_left(r));
	if (len)
		*len = nul ? (size_t)(nul - r->p) : 0;
	if (!nul) {
		r->bad = true;
		return "";
	}
	return (const char *)rd_take(r, (size_t)(nul - r->p) + 1);
}

/* A part of n bytes as a cursor with its own end. */
static inline struct rd rd_sub(struct rd *r, size_t n)
{
	const uint8_t *b = rd_take(r, n);
	return b ? (struct rd){ b, b + n, false } : (struct rd){ r->end, r->end, true };
}

#endif
