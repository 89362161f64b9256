/* buf.c - borrowed buffers: a free list for each power of two. */
#include "core/buf.h"

#include "core/assert.h"
#include "core/poison.h"

#include <stdlib.h>
#include <string.h>

#define CLASSES    15 /* 1 KiB to 16 MiB */
#define SMALL      5  /* classes below this one, to 16 KiB, keep up to KEEP_SMALL each */
#define KEEP_SMALL 64
#define KEEP_LARGE (1u << 20) /* bytes that the others keep, all together */

_Static_assert(BUF_MIN << (CLASSES - 1) == BUF_MAX, "a class for each power of two");

static struct {
	struct buf *first;
	unsigned n;
} kept[CLASSES];
static size_t large_kept, all_kept, all_lent; /* bytes */

/* The smallest class with room for n bytes, n <= BUF_MAX. */
static unsigned class_of(size_t n)
{
	return n <= BUF_MIN ? 0 : (unsigned)(64 - __builtin_clzll((n - 1) / BUF_MIN));
}

struct buf *buf_get(size_t n)
{
	if (n > BUF_MAX)
		return NULL;
	unsigned c = class_of(n);
	uint32_t cap = BUF_MIN << c;
	struct buf *b = kept[c].first;
	if (b) {
		kept[c].first = b->next;
		kept[c].n--;
		all_kept -= cap;
		if (c >= SMALL)
			large_kept -= cap;
		unpoison(b->data, cap);
	} else {
		b = malloc(sizeof *b + cap);
		if (!b)
			return NULL;
		b->cap = cap;
	}
	b->start = b->len = 0;
	b->next = NULL;
	all_lent += cap;
	return b;
}

void buf_put(struct buf *b)
{
	if (!b)
		return;
	ASSERT(all_lent >= b->cap);
	all_lent -= b->cap;
	unsigned c = class_of(b->cap);
	if (c < SMALL ? kept[c].n >= KEEP_SMALL : b->cap > KEEP_LARGE - large_kept) {
		free(b);
		return;
	}
	if (c >= SMALL)
		large_kept += b->cap;
	all_kept += b->cap;
	b->next = kept[c].first;
	kept[c].first = b;
	kept[c].n++;
	poison(b->data, b->cap);
}

bool buf_reserve(struct buf **b, size_t n)
{
	struct buf *old = *b;
	if (!old)
		return (*b = buf_get(n)) != NULL;
	if (buf_room(old) >= n)
		return true;
	if (old->cap - old->len >= n) {
		memmove(old->data, old->data + old->start, old->len);
		old->start = 0;
		return true;
	}
	if (n > BUF_MAX - old->len)
		return false;
	struct buf *larger = buf_get(old->len + n);
	if (!larger)
		return false;
	memcpy(larger->data, old->data + old->start, old->len);
	larger->len = old->len;
	larger->next = old->next;
	*b = larger;
	buf_put(old);
	return true;
}

bool buf_append(struct buf **b, const void *p, size_t n)
{
	if (n == 0)
		return true;
	if (!buf_reserve(b, n))
		return false;
	memcpy(buf_tail(*b), p, n);
	(*b)->len += (uint32_t)n;
	return true;
}

void buf_drop(struct buf *b, size_t n)
{
	ASSERT(n <= b->len);
	b->start += (uint32_t)n;
	b->len -= (uint32_t)n;
	if (b->len == 0)
		b->start = 0;
}

void buf_usage(size_t *lent, size_t *free_bytes)
{
	*lent = all_lent;
	*free_bytes = all_kept;
}

void buf_trim(void)
{
	for (unsigned c = 0; c < CLASSES; c++) {
		while (kept[c].first) {
			struct buf *b = kept[c].first;
			kept[c].first = b->next;
			free(b);
		}
		kept[c].n = 0;
	}
	all_kept = large_kept = 0;
}
