/* prepared.h - prepared statements that many clients share on many servers. PostgreSQL docs, Message Flow: Extended
 * Query.
 * What a client prepared is a name for a text: the body of its Parse behind the name, query and parameter types, and
 * the settings that it was parsed under (text.h), which is interned, so that it is kept once however many clients
 * prepare it. A server has texts under numbers of its own, never used twice, and forgets the one that was used longest
 * ago (max_prepared_statements). Both change when a message is sent, before it is answered, so that what follows in the
 * same batch finds it; what the server then refuses or skips is undone by the entry of struct expect that stands for
 * the message (pg_prepared_gone). What was changed in a batch whose Sync is sent but not answered is `pending`: whether
 * it holds is not known, and who needs it waits. */
#ifndef SLUICE_PG_PREPARED_H
#define SLUICE_PG_PREPARED_H

#include "core/intern.h"
#include "core/list.h"
#include "core/map.h"
#include "pg/expect.h"
#include "pg/text.h"

#include <string.h>

#define PG_NAMES_MAX       10000u /* statements that one client may name */
#define PG_SERVER_NAME     "SLUICE_"
#define PG_SERVER_NAME_MAX 24u

/* A client's name. */
struct pg_name {
	struct map_node node;
	struct pg_names *names; /* NULL: its client has left */
	struct pg_text *text;   /* counted; NULL: there is no such statement, or no more */
	uint32_t refs;          /* entries of struct expect that change it; while there are any it is pending */
	uint32_t uses;          /* others */
	uint32_t batch;         /* of the server, when it was last changed */
	uint32_t len;
	uint32_t since;   /* pg_parses() when the client gave it its text */
	uint32_t edition; /* of the text, when the client was told of it: heal.h */
	bool is_told;     /* what its rows look like */
	bool is_bound;    /* once, since then */
	bool changes;     /* it changes its session: track.h */
	bool is_pinned;   /* the server has it under this very name, and is the client's */
	char name[];
};

/* All names of a client. */
struct pg_names {
	struct map map;
	struct pg_names *before; /* owned: what they were before an Execute that forgets all and is not answered yet */
};

/* A text that a server has. */
struct pg_prepared {
	struct map_node node;
	struct list in_lru;
	struct pg_text *text; /* counted */
	uint32_t number;
	uint32_t edition; /* of the text, when it was prepared: heal.h */
	uint32_t proven;  /* pg_parses() when it was prepared, or used last */
	uint32_t batch;
	uint32_t clears; /* of the server, when it was prepared */
	bool pending;    /* its ParseComplete is still to come */
	bool is_stale;   /* not in the map any more: another one has its text, or it is to be closed */
};

/* What a server has. */
struct pg_cache {
	struct map map;
	struct list lru;            /* those in the map, the one used last first */
	struct list stale;          /* to be closed at the next occasion */
	const struct istr *unnamed; /* counted; NULL: none, or not known */
	uint32_t last_number;       /* that was given to one */
	uint32_t batch;             /* counts the Syncs that were sent */
	uint32_t clears;            /* and what was sent that forgets all: what is older is not found */
	uint32_t unnamed_batch;     /* when an unnamed Parse was last sent */
	uint32_t unnamed_pending;
	bool unnamed_lost;   /* it is not known */
	uint64_t unnamed_of; /* the session whose it is, when it is too long to be remembered; 0: it is not */
};

void pg_cache_init(struct pg_cache *c);
void pg_cache_free(struct pg_cache *c);
/* Somebody said DEALLOCATE ALL or DISCARD ALL. */
void pg_cache_clear(struct pg_cache *c);
uint32_t pg_cache_count(const struct pg_cache *c);
struct pg_prepared *pg_prepared_find(struct pg_cache *c, const struct pg_text *text);
/* For a text that is to be prepared. */
static inline uint32_t pg_prepared_number(struct pg_cache *c)
{
	return ++c->last_number;
}
/* Under this number, pending; one of the same text becomes stale. NULL when out of memory. */
struct pg_prepared *pg_prepared_add(struct pg_cache *c, struct pg_text *text, uint32_t number);
/* It is used now. */
static inline void pg_prepared_touch(struct pg_cache *c, struct pg_prepared *s)
{
	if (c->lru.next != &s->in_lru) {
		list_del(&s->in_lru);
		list_push(&c->lru, &s->in_lru);
	}
}
/* One that is to be closed, so that at most `most` - 1 are left; taken out, and the caller's to send a Close for. NULL:
 * none. Pending ones stay. */
struct pg_prepared *pg_prepared_evict(struct pg_cache *c, uint32_t most);
/* It was evicted, and is not closed after all. */
void pg_prepared_keep(struct pg_cache *c, struct pg_prepared *s);
/* It failed in a way that the same text, parsed now, may not: it is closed, and parsed anew when it is wanted again. */
struct pg_prepared *pg_prepared_doubt(struct pg_cache *c, uint32_t number); /* NULL: it is gone already */
/* The server does not have it (any more). */
void pg_prepared_drop(struct pg_cache *c, struct pg_prepared *s);
/* Is it a name of the house's? */
static inline bool pg_is_ours(const char *name)
{
	return strncmp(name, PG_SERVER_NAME, sizeof PG_SERVER_NAME - 1) == 0;
}
/* Its name on the server. */
void pg_prepared_name(const struct pg_prepared *s, char out[PG_SERVER_NAME_MAX]);
/* The unnamed statement of the server is this text now; NULL: there is none. */
void pg_cache_unnamed(struct pg_cache *c, const struct istr *text);

/* NULL: there is none, nor one that is pending. */
struct pg_name *pg_name_find(struct pg_names *n, const char *name, size_t len);
/* Found or made; NULL when out of memory. */
struct pg_name *pg_name_get(struct pg_names **n, const char *name, size_t len);
/* It has no text and nothing is pending: forgets it. */
void pg_name_check(struct pg_name *n);
void pg_name_set(struct pg_name *n, struct pg_text *text); /* takes the reference over */
/* Counts what clients prepare: what was proven on a server before a client prepared it may be older than a change of
 * its table, and the client is not to hear of that. */
uint32_t pg_parses(void);
bool pg_is_older(const struct pg_prepared *s, const struct pg_name *n);
/* Its client has given it to this text just now. */
void pg_name_means(struct pg_name *n, struct pg_text *text, bool changes);
uint32_t pg_names_count(const struct pg_names *n); /* NULL is fine */
void pg_names_clear(struct pg_names *n);           /* but for pending ones */
void pg_names_free(struct pg_names *n);
/* Something that forgets all is sent: there are none, but those before are kept. False: out of memory. */
bool pg_names_begin(struct pg_names **n);
/* The oldest of what was sent so has been answered: those before it are forgotten. */
void pg_names_settle(struct pg_names *n);
/* The newest has failed, or was skipped: they are what they were before it. */
void pg_names_back(struct pg_names **n);

#endif
