/* expect.h - what a server still owes: a queue of what was sent to it, and what becomes of each answer.
 * PostgreSQL docs, Message Flow: "Extended Query" (after an error the server skips to the next Sync), "COPY Operations"
 * (while copying in, Sync is ignored; data that comes after an error is dropped). Pure. It must never think a server at
 * rest that is not: another client's answers would begin with this one's. Where what the server did cannot be known, it
 * is `unsure`, and the server stays with its client for good. */
#ifndef SLUICE_PG_EXPECT_H
#define SLUICE_PG_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

struct istr;
struct pg_name;
struct pg_prepared;
struct pg_text;

enum expect_kind {
	EXPECT_PARSE = 1, /* these up to Close: one reply each, but no ReadyForQuery */
	EXPECT_BIND,
	EXPECT_DESCRIBE,
	EXPECT_EXECUTE,
	EXPECT_CLOSE,
	EXPECT_QUERY,   /* Query, FunctionCall: one ReadyForQuery */
	EXPECT_SYNC,    /* one ReadyForQuery; ends the skipping after an error */
	EXPECT_COPY_END /* CopyDone, CopyFail: a Sync before it was ignored if the server was copying in */
};

/* Who hears the answer; bits. */
enum {
	EXPECT_OWN = 1,      /* nobody: the house itself asked */
	EXPECT_INVENTED = 2, /* the client, but the server was not asked: it is made up here when its turn comes; with
				OWN it only marks that place */
	EXPECT_REPLACED = 4, /* sent so that it fails: the client hears `text` instead */
	EXPECT_UNNAMED = 8,  /* the unnamed statement is what a Parse has as `text`, and none otherwise */
	EXPECT_CHANGES = 16, /* it changes the session; text: the statement, or the Parse's body */
	EXPECT_LONG = 32,    /* a Parse that is too long to be remembered: `text` is NULL */
	EXPECT_USES = 64,    /* `name` is not changed: it is what the client calls the statement */
	EXPECT_SETS = 128,   /* what it parses changes the session when it is executed */
	EXPECT_SCRIPT = 256, /* a Query that was sent changed: door_script.c; text: as the client said it */
	EXPECT_CLEARS = 512, /* an Execute that forgets all prepared statements */
	EXPECT_AHEAD = 1024, /* an OWN Sync: what comes up to it was sent ahead of a Query that waits for it */
	EXPECT_AGAIN =
		2048 /* an Execute that goes back to defaults: what its client asked for is set again behind it */
};

enum expect_end { EXPECT_ANSWERED, EXPECT_FAILED, EXPECT_SKIPPED };

#define EXPECT_INLINE 8u
#define EXPECT_MAX                                                                                                     \
	4096u /* entries: whoever fills it is not read from until it is half empty. A server holds back as             \
	       * many replies as fit in its buffer of 8 KB, which are fewer. */

struct expect_entry {
	uint8_t kind;
	uint16_t flags;
	uint32_t number; /* of the server's statement that it uses, or 0 */
	/* What it changes, for `gone` to keep or to undo: prepared.h. */
	struct pg_name *name;         /* counted: the client's */
	struct pg_prepared *prepared; /* the server's */
	union {
		const struct istr *text; /* counted: what the client hears, or see the flags */
		struct pg_text *closed;  /* of EXPECT_CLOSE; counted: what `name` was before it */
	};
};

struct expect {
	struct expect_entry *ring; /* owned when larger than `few` */
	uint16_t cap, head, count; /* cap is a power of two */
	uint16_t invented;         /* entries that are */
	uint16_t ends;             /* entries that ReadyForQuery answers */
	bool is_open;              /* a batch has begun and its Sync was not sent */
	bool has_copied;           /* since the last ReadyForQuery: one Query may hold several COPYs */
	bool end_is_due;           /* and the CopyDone of the last one is still in the queue, or to come */
	bool copying_in;           /* the server waits for CopyData */
	bool copy_sync;            /* a Sync was sent meanwhile: swallowed, unless the copy failed before */
	bool skipping; /* a batch failed and its Sync was not sent: the server drops all that comes before it */
	bool unsure;   /* how many ReadyForQuery will come is not known any more */
	/* An entry that changes something has left the queue; of those that are skipped the last one comes first. */
	void (*gone)(struct expect *e, const struct expect_entry *x, enum expect_end how);
	struct expect_entry few[EXPECT_INLINE];
};

void expect_init(struct expect *e); /* gone is NULL: nobody is told */
void expect_free(struct expect *e); /* what is left is skipped */
/* Something was sent, or is to be invented. False when out of memory: nothing has changed. */
bool expect_sent(struct expect *e, const struct expect_entry *x);
static inline bool expect_is_full(const struct expect *e)
{
	return e->count >= EXPECT_MAX;
}
/* Everything that was sent has been answered, for sure. */
static inline bool expect_is_empty(const struct expect *e)
{
	return e->count == 0 && !e->is_open && !e->skipping && !e->unsure;
}
/* What the next reply answers; NULL: nothing. */
static inline const struct expect_entry *expect_next(const struct expect *e)
{
	return e->count ? &e->ring[e->head] : (const struct expect_entry *)0;
}
/* How many ReadyForQuery are to come, for the client. */
unsigned expect_owed(struct expect *e);
/* Does a batch that was begun wait for its Sync? Without one the server will not be ready. */
static inline bool expect_needs_sync(const struct expect *e)
{
	return e->is_open || e->skipping;
}
/* Does a statement run, or will it? */
bool expect_runs(struct expect *e);
/* Is there an entry with this flag? */
bool expect_has(struct expect *e, unsigned flag);
/* Its turn has come: the answer to the next entry, which is invented. */
void expect_told(struct expect *e);
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
