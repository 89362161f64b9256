/* expect.c - what a server still owes. PostgreSQL docs, Message Flow. */
#include "pg/expect.h"

#include <stdlib.h>
#include <string.h>

void expect_init(struct expect *e)
{
	*e = (struct expect){ .cap = EXPECT_INLINE };
	e->ring = e->few;
}

static struct expect_entry *entry(struct expect *e, unsigned i)
{
	return &e->ring[(e->head + i) & (e->cap - 1u)];
}

static bool is_batch(const struct expect_entry *x)
{
	return x->kind <= EXPECT_CLOSE;
}

static bool is_end(const struct expect_entry *x)
{
	return x->kind == EXPECT_QUERY || x->kind == EXPECT_SYNC;
}

static void tell_gone(struct expect *e, const struct expect_entry *x, enum expect_end how)
{
	if (e->gone && (x->name || x->prepared || x->text || x->flags & EXPECT_UNNAMED))
		e->gone(e, x, how);
}

static void drop_first(struct expect *e)
{
	struct expect_entry *x = entry(e, 0);
	e->invented = (uint16_t)(e->invented - ((x->flags & EXPECT_INVENTED) != 0));
	e->ends = (uint16_t)(e->ends - is_end(x));
	e->head = (uint16_t)((e->head + 1u) & (e->cap - 1u));
	e->count--;
}

static void end_first(struct expect *e, enum expect_end how)
{
	struct expect_entry x = *entry(e, 0);
	drop_first(e);
	tell_gone(e, &x, how);
}

/* What the server skips is undone from its end. */
static void skip_first(struct expect *e, unsigned n, enum expect_end first)
{
	for (unsigned i = n; i-- > 0;) {
		struct expect_entry x = *entry(e, i);
		tell_gone(e, &x, i == 0 ? first : EXPECT_SKIPPED);
	}
	while (n-- > 0)
		drop_first(e);
}

void expect_free(struct expect *e)
{
	void (*gone)(struct expect *, const struct expect_entry *, enum expect_end) = e->gone;
	skip_first(e, e->count, EXPECT_SKIPPED);
	if (e->ring != e->few)
		free(e->ring);
	expect_init(e);
	e->gone = gone;
}

static bool grow(struct expect *e)
{
	uint16_t cap = (uint16_t)(e->cap * 2u); /* 0: it cannot be counted any more */
	struct expect_entry *ring = cap ? malloc(cap * sizeof *ring) : NULL;
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

bool expect_sent(struct expect *e, const struct expect_entry *x)
{
	bool is_sync = x->kind == EXPECT_SYNC;
	if (e->skipping && !is_sync)
		return true;
	if (x->kind == EXPECT_COPY_END && e->count == 0) {
		e->copying_in = false;
		return true; /* nothing copies */
	}
	if (is_sync && e->copying_in && !e->skipping) {
		e->copy_sync = true;
		return true;
	}
	if (e->count == e->cap && !grow(e))
		return false;
	if (x->kind == EXPECT_COPY_END)
		e->copying_in = false; /* of what is sent from here on */
	else
		e->is_open = is_batch(x);
	e->skipping = false;
	e->invented = (uint16_t)(e->invented + ((x->flags & EXPECT_INVENTED) != 0));
	e->ends = (uint16_t)(e->ends + is_end(x));
	e->count++;
	*entry(e, e->count - 1u) = *x;
	return true;
}

/* Markers that nothing follows from any more. */
static void drop_markers(struct expect *e)
{
	while (e->count && entry(e, 0)->kind == EXPECT_COPY_END) {
		drop_first(e);
		e->end_is_due = false;
	}
}

static void copy_is_over(struct expect *e)
{
	e->copying_in = e->copy_sync = false;
}

bool expect_has(struct expect *e, unsigned flag)
{
	for (unsigned i = 0; i < e->count; i++)
		if (entry(e, i)->flags & flag)
			return true;
	return false;
}

bool expect_runs(struct expect *e)
{
	for (unsigned i = 0; i < e->count; i++)
		if (entry(e, i)->kind == EXPECT_EXECUTE || entry(e, i)->kind == EXPECT_QUERY)
			return true;
	return false;
}

void expect_told(struct expect *e)
{
	end_first(e, EXPECT_ANSWERED);
	drop_markers(e); /* nothing answers them: who waits until all is answered would wait for ever */
}

void expect_reply(struct expect *e)
{
	if (e->count && is_batch(entry(e, 0)))
		expect_told(e);
}

bool expect_ready(struct expect *e)
{
	copy_is_over(e);
	e->has_copied = e->end_is_due = false;
	e->skipping = false;
	while (e->count) {
		bool ended = is_end(entry(e, 0));
		end_first(e, ended ? EXPECT_ANSWERED : EXPECT_SKIPPED);
		if (ended) {
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
		if (is_batch(entry(e, i)) || entry(e, i)->kind == EXPECT_QUERY)
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
	/* Replies come in order: what is next has failed. An error behind a batch that was answered is that of a simple
	 * query, or of the Sync itself (a commit that fails), which answer with ReadyForQuery all the same. */
	if (e->count == 0 || !is_batch(entry(e, 0)))
		return;
	/* The batch failed: all up to its Sync is skipped, simple queries too. */
	unsigned n = 0;
	while (n < e->count && entry(e, n)->kind != EXPECT_SYNC)
		n++;
	e->skipping = n == e->count;
	skip_first(e, n, EXPECT_FAILED);
}

void expect_copy_in(struct expect *e)
{
	unsigned keep = 0;
	bool ended = false, dropped = false, is_within = true, is_second;

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
			e->copy_sync = dropped = true;
			e->ends--;
			continue;
		}
		is_within &= !is_end(&at);
		*entry(e, keep++) = at;
	}
	e->count = (uint16_t)keep;
	e->copying_in = !ended;
	if (dropped && is_within)
		e->is_open = true; /* its batch did not end by that one, nor by another */
}

unsigned expect_owed(struct expect *e)
{
	unsigned n = 0;
	for (unsigned i = 0; i < e->count; i++)
		n += is_end(entry(e, i)) && !(entry(e, i)->flags & EXPECT_OWN);
	return n;
}
