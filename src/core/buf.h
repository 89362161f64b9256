/* buf.h - byte buffers borrowed from the worker's pool.
 * Capacities are powers of two, 1 KiB to 16 MiB; free ones are kept for reuse up to a bound for each size. An idle
 * client holds none. */
#ifndef SLUICE_CORE_BUF_H
#define SLUICE_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUF_MIN 1024u
#define BUF_MAX (16u << 20)

struct buf {
	uint32_t cap;   /* bytes in data */
	uint32_t start; /* what is held is data[start .. start + len) */
	uint32_t len;
	struct buf *next; /* for the borrower's own chain */
	uint8_t data[];
};

/* A buffer with room for at least n bytes, empty; NULL when out of memory or n > BUF_MAX. */
struct buf *buf_get(size_t n);
/* Gives it back; NULL is fine. */
void buf_put(struct buf *b);
/* Makes room for n more bytes behind what *b holds (moving within, or into a larger one); *b may be NULL. False, and *b
 * is untouched, when out of memory or beyond BUF_MAX. */
bool buf_reserve(struct buf **b, size_t n);
/* Appends n bytes, reserving as needed. */
bool buf_append(struct buf **b, const void *p, size_t n);
static inline uint8_t *buf_tail(struct buf *b)
{
	return b->data + b->start + b->len;
}
static inline size_t buf_room(const struct buf *b)
{
	return (size_t)b->cap - b->start - b->len;
}
/* Drops n bytes at the front. */
void buf_drop(struct buf *b, size_t n);
/* Bytes lent out and bytes kept free, for SHOW MEM. */
void buf_usage(size_t *lent, size_t *kept);
/* Frees what is kept free; at exit and under memory pressure. */
void buf_trim(void);

#endif
