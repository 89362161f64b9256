/* expect.c - what a server still owes. PostgreSQL docs, Message Flow. */
#include "pg/expect.h"

#include <stdlib.h>
#include <string.h>

#define UNANSWERED_MAX 0xffffffu

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

static struct expect_entry *entry(struct expect *e, unsigned i)
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
	struct expect_entry *ring = malloc(cap * sizeof *ring);
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

/* What need not be queued: the server will drop it, or it adds nothing to the entry before it. */
static bool is_absorbed(struct expect *e, enum expect_kind kind)
{
	struct expect_entry *last = e->count ? entry(e, e->count - 1u) : NULL;
	switch (kind) {
	case EXPECT_BATCH:
		if (!last || last->kind != EXPECT_BATCH)
			return false;
		if (last->unanswered < UNANSWERED_MAX)
			last->unanswered++;
		return true;
	case EXPECT_COPY_END:
		e->copying_in = false; /* of what is sent from here on */
		return !last;
	case EXPECT_SYNC:
		if (!e->copying_in)
			return false;
		e->copy_sync = true;
		return true;
	case EXPECT_QUERY:
		return false;
	}
	return false;
}

bool expect_sent(struct expect *e, enum expect_kind kind)
{
	if (e->skipping && kind != EXPECT_SYNC)
		return true;
	e->skipping = false;
	if (is_absorbed(e, kind))
		return true;
	if (e->count == e->cap && !grow(e))
		return false;
	e->count++;
	*entry(e, e->count - 1u) = (struct expect_entry){ kind & 0xffu, kind == EXPECT_BATCH };
	return true;
}

static bool is_answered(const struct expect_entry *at)
{
	return at->kind == EXPECT_BATCH && at->unanswered == 0;
}

/* Markers that nothing follows from any more; and a batch that was answered goes on in the one behind it. */
static void drop_markers(struct expect *e)
{
	while (e->count && entry(e, 0)->kind == EXPECT_COPY_END) {
		drop_first(e, 1);
		e->end_is_due = false;
	}
	while (e->count > 1 && is_answered(entry(e, 0)) &&
	       (entry(e, 1)->kind == EXPECT_COPY_END || entry(e, 1)->kind == EXPECT_BATCH)) {
		if (entry(e, 1)->kind == EXPECT_COPY_END) {
			*entry(e, 1) = *entry(e, 0);
			e->end_is_due = false;
		}
		drop_first(e, 1);
	}
}

static void copy_is_over(struct expect *e)
{
	e->copying_in = e->copy_sync = false;
}

void expect_reply(struct expect *e)
{
	drop_markers(e);
	if (e->count && entry(e, 0)->kind == EXPECT_BATCH && entry(e, 0)->unanswered > 0 &&
	    entry(e, 0)->unanswered < UNANSWERED_MAX)
		entry(e, 0)->unanswered--;
}

bool expect_ready(struct expect *e)
{
	copy_is_over(e);
	e->has_copied = e->end_is_due = false;
	e->skipping = false;
	while (e->count) {
		unsigned kind = entry(e, 0)->kind;
		drop_first(e, 1);
		if (kind == EXPECT_QUERY || kind == EXPECT_SYNC) {
			drop_markers(e);
			return true;
		}
	}
	return false;
}

/* Was anything but data and Syncs sent behind what copies? Nobody does who means to copy. */
static bool has_strays(struct expect *e)
{
	for (unsigned i = 1; i < e->count; i++)
		if (entry(e, i)->kind == EXPECT_BATCH || entry(e, i)->kind == EXPECT_QUERY)
			return true;
	return false;
}

void expect_error(struct expect *e)
{
	/* A Sync among the data may have been swallowed, or will be answered; any other message there was the error,
	 * and so eaten, or came behind it. */
	e->unsure |= e->copy_sync || (e->has_copied && has_strays(e));
	copy_is_over(e);
	drop_markers(e);
	/* Replies come in order: only a batch that is not fully answered can have failed. An error behind it is that of
	 * a simple query, or of the Sync itself (a commit that fails), which answer with ReadyForQuery all the same. */
	if (e->count == 0 || entry(e, 0)->kind != EXPECT_BATCH || entry(e, 0)->unanswered == 0)
		return;
	/* The batch failed: all up to its Sync is skipped, simple queries too. Where that was not sent yet an entry
	 * stays, as the server is not at rest before it. */
	unsigned n = 0;
	while (n < e->count && entry(e, n)->kind != EXPECT_SYNC)
		n++;
	e->skipping = n == e->count;
	drop_first(e, e->skipping ? n - 1 : n);
	if (e->skipping)
		*entry(e, 0) = (struct expect_entry){ EXPECT_BATCH, 1 };
}

void expect_copy_in(struct expect *e)
{
	unsigned keep = 0;
	bool ended = false, is_second;

	/* Syncs between what started the copy and its end were, or will be, ignored. */
	copy_is_over(e);
	drop_markers(e);
	is_second = e->end_is_due;
	e->has_copied = e->end_is_due = true;
	for (unsigned i = 0; i < e->count; i++) {
		struct expect_entry at = *entry(e, i);
		if (at.kind == EXPECT_COPY_END && is_second) { /* the end of the copy before */
			is_second = false;
			continue;
		}
		ended |= at.kind == EXPECT_COPY_END;
		if (at.kind == EXPECT_SYNC && !ended) {
			e->copy_sync = true;
			continue;
		}
		*entry(e, keep++) = at;
	}
	e->count = (uint16_t)keep;
	e->copying_in = !ended;
}
