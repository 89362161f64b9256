/* expect.c - what a server still owes. PostgreSQL docs, Message Flow. */
#include "pg/expect.h"

#include <stdlib.h>
#include <string.h>

void expect_init(struct expect *e)
{
	*e = (struct expect){ .cap = EXPECT_INLINE };
	e->ring = e->few;
}

void expect_free(struct expect *e)
{
	if (e->ring != e->few)
		free(e->ring);
	expect_init(e);
}

static uint8_t *entry(struct expect *e, unsigned i)
{
	return &e->ring[(e->head + i) % e->cap];
}

static void drop_first(struct expect *e, unsigned n)
{
	e->head = (uint16_t)((e->head + n) % e->cap);
	e->count = (uint16_t)(e->count - n);
}

static bool grow(struct expect *e)
{
	uint16_t cap = (uint16_t)(e->cap * 2);
	uint8_t *ring = malloc(cap);
	if (!ring)
		return false;
	for (unsigned i = 0; i < e->count; i++)
		ring[i] = *entry(e, i);
	if (e->ring != e->few)
		free(e->ring);
	e->ring = ring;
	e->cap = cap;
	e->head = 0;
	return true;
}

bool expect_sent(struct expect *e, enum expect_kind kind)
{
	if (e->copying_in && kind == EXPECT_SYNC)
		return true; /* ignored while copying */
	if (e->skipping) {
		if (kind != EXPECT_SYNC)
			return true;
		e->skipping = false;
	}
	if (kind == EXPECT_COPY_END) {
		e->copying_in = false; /* of what is sent from here on */
		if (e->count == 0)
			return true; /* late, after an error: the server drops it */
	}
	if (kind == EXPECT_BATCH && e->count && *entry(e, e->count - 1u) == EXPECT_BATCH)
		return true;
	if (e->count == e->cap && !grow(e))
		return false;
	e->count++;
	*entry(e, e->count - 1u) = (uint8_t)kind;
	return true;
}

/* Markers that nothing follows from any more. */
static void drop_markers(struct expect *e)
{
	while (e->count && *entry(e, 0) == EXPECT_COPY_END)
		drop_first(e, 1);
}

bool expect_ready(struct expect *e)
{
	e->copying_in = false;
	e->skipping = false;
	while (e->count) {
		uint8_t kind = *entry(e, 0);
		drop_first(e, 1);
		if (kind == EXPECT_QUERY || kind == EXPECT_SYNC) {
			drop_markers(e);
			return true;
		}
	}
	return false;
}

void expect_error(struct expect *e)
{
	e->copying_in = false;
	drop_markers(e);
	if (e->count == 0 || *entry(e, 0) != EXPECT_BATCH)
		return;
	/* The batch failed: all up to its Sync is skipped, simple queries too. Where that was not sent yet an entry
	 * stays, as the server is not at rest before it. */
	unsigned n = 0;
	while (n < e->count && *entry(e, n) != EXPECT_SYNC)
		n++;
	e->skipping = n == e->count;
	drop_first(e, e->skipping ? n - 1 : n);
	if (e->skipping)
		*entry(e, 0) = EXPECT_BATCH;
}

void expect_copy_in(struct expect *e)
{
	unsigned keep = 0, i = 0;
	bool ended = false;

	/* Syncs between what started the copy and its end were, or will be, ignored. */
	for (; i < e->count; i++) {
		uint8_t kind = *entry(e, i);
		if (kind == EXPECT_COPY_END)
			ended = true;
		if (kind == EXPECT_SYNC && !ended)
			continue;
		*entry(e, keep++) = kind;
	}
	e->count = (uint16_t)keep;
	e->copying_in = !ended;
}
