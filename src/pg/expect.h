/* expect.h - what a server still owes: a queue of what was sent to it that matters for when it is ready again.
 * PostgreSQL docs, Message Flow: "Extended Query" (after an error the server skips to the next Sync), "COPY Operations"
 * (while copying in, Sync is ignored; data that comes after an error is dropped). Pure. It must never think a server at
 * rest that is not: another client's answers would begin with this one's. Where what the server did cannot be known, it
 * is `unsure`, and the server stays with its client for good. */
#ifndef SLUICE_PG_EXPECT_H
#define SLUICE_PG_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

enum expect_kind {
	EXPECT_BATCH = 1, /* Parse, Bind, Describe, Execute, Close: one reply each, but no ReadyForQuery */
	EXPECT_QUERY,     /* Query, FunctionCall: one ReadyForQuery */
	EXPECT_SYNC,      /* one ReadyForQuery; ends the skipping after an error */
	EXPECT_COPY_END   /* CopyDone, CopyFail: a Sync before it was ignored if the server was copying in */
};

#define EXPECT_INLINE 8u
#define EXPECT_MAX    4096u /* entries: whoever fills it is not read from until it is half empty */

struct expect_entry {
	uint32_t kind : 8;
	uint32_t unanswered : 24; /* of a batch: replies that are still due; a long run is never fully answered */
};

struct expect {
	struct expect_entry *ring; /* owned when larger than `few` */
	uint16_t cap, head, count;
	bool has_copied; /* since the last ReadyForQuery: one Query may hold several COPYs */
	bool end_is_due; /* and the CopyDone of the last one is still in the queue, or to come */
	bool copying_in; /* the server waits for CopyData */
	bool copy_sync;  /* a Sync was sent meanwhile: swallowed, unless the copy failed before */
	bool skipping;   /* a batch failed and its Sync has not been sent yet: the server drops all that comes before it
			  */
	bool unsure;     /* how many ReadyForQuery will come is not known any more */
	struct expect_entry few[EXPECT_INLINE];
};

void expect_init(struct expect *e);
void expect_free(struct expect *e);
/* Something was sent. False when out of memory. */
bool expect_sent(struct expect *e, enum expect_kind kind);
static inline bool expect_is_full(const struct expect *e)
{
	return e->count >= EXPECT_MAX;
}
/* Everything that was sent has been answered, for sure. */
static inline bool expect_is_empty(const struct expect *e)
{
	return e->count == 0 && !e->unsure;
}
/* The server answered a message of a batch: ParseComplete, BindComplete, CloseComplete, RowDescription or NoData, and
 * CommandComplete, EmptyQueryResponse or PortalSuspended. Those of a simple query may be told as well. */
void expect_reply(struct expect *e);
/* The server said ReadyForQuery. False: nothing that is known of can have caused it. */
bool expect_ready(struct expect *e);
/* The server said ErrorResponse: what it will skip is forgotten. */
void expect_error(struct expect *e);
/* The server said CopyInResponse or CopyBothResponse. */
void expect_copy_in(struct expect *e);

#endif
