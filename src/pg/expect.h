/* expect.h - what a server still owes: a queue of what was sent to it that matters for when it is ready again.
 * PostgreSQL docs, Message Flow: "Extended Query" (after an error the server skips to the next Sync), "COPY Operations"
 * (while copying in, Sync is ignored; data that comes after an error is dropped). Pure, and small: a run of
 * extended-protocol messages is one entry. */
#ifndef SLUICE_PG_EXPECT_H
#define SLUICE_PG_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

enum expect_kind {
	EXPECT_BATCH = 1, /* Parse, Bind, Describe, Execute, Close, Flush: answers, but no ReadyForQuery of their own */
	EXPECT_QUERY,     /* Query, FunctionCall: one ReadyForQuery */
	EXPECT_SYNC,      /* one ReadyForQuery; ends the skipping after an error */
	EXPECT_COPY_END   /* CopyDone, CopyFail: a Sync before it was ignored if the server was copying in */
};

#define EXPECT_INLINE 8u
#define EXPECT_MAX    4096u /* entries: whoever fills it is not read from until it is half empty */

struct expect {
	uint8_t *ring; /* owned when larger than `few` */
	uint16_t cap, head, count;
	bool copying_in; /* the server waits for CopyData */
	bool skipping;   /* a batch failed and its Sync has not been sent yet: the server drops all that comes before it
			  */
	uint8_t few[EXPECT_INLINE];
};

void expect_init(struct expect *e);
void expect_free(struct expect *e);
/* Something was sent. False when out of memory. */
bool expect_sent(struct expect *e, enum expect_kind kind);
static inline bool expect_is_full(const struct expect *e)
{
	return e->count >= EXPECT_MAX;
}
/* Everything that was sent has been answered. */
static inline bool expect_is_empty(const struct expect *e)
{
	return e->count == 0;
}
/* The server said ReadyForQuery. False: nothing of ours can have caused it. */
bool expect_ready(struct expect *e);
/* The server said ErrorResponse: what it will skip is forgotten. */
void expect_error(struct expect *e);
/* The server said CopyInResponse or CopyBothResponse. */
void expect_copy_in(struct expect *e);

#endif
