/* heal.h - prepared statements that do not fit their tables any more. PostgreSQL docs, PREPARE; Message Flow: Extended
 * Query.
 * After a table has changed, a server refuses a statement that was prepared before ("cached plan must not change result
 * type"), as the client may know what its rows looked like. One that was prepared for other clients is no reason to
 * refuse, though: it is prepared anew, and the batch is said again, if its client has heard nothing of it yet, nothing
 * ran before it in the batch, and the client will be told what the rows look like, or never was. For that the batch is
 * kept until its first answer. Likewise a Query that begins with EXECUTE, and when the server has lost the statement.
 * What could not be healed, in a transaction for one, is not left to chance: who prepares a statement there has it
 * prepared, and who prepared it later than any use on a server that is known of has it prepared anew there. A text that
 * was once refused so has an edition: servers that prepared it before prepare it anew when it is used, and clients that
 * were told of its rows before hear the error, as on a connection of their own. */
#ifndef SLUICE_PG_HEAL_H
#define SLUICE_PG_HEAL_H

#include "core/rd.h"

#include <stdbool.h>
#include <stdint.h>

struct pg_client;
struct pg_error;
struct pg_server;

#define PG_HEAL_MAX 8192u /* bytes of a batch that is kept */

/* Of a server: the batch under way. */
struct pg_heal {
	uint8_t *bytes; /* owned */
	uint32_t len, cap;
	uint32_t ran;      /* 1 + the batch (struct pg_cache) in which something was bound or run last */
	bool is_whole;     /* its Sync is there, and nothing came behind it */
	bool describes;    /* the client will be told what the rows look like */
	bool is_told;      /* or was, long ago */
	bool is_under_way; /* its error was swallowed, and ReadyForQuery is to come */
	bool has_types;    /* the client has heard the types of the parameters, which come before the refusal */
	bool is_again;     /* it is being said for the second time */
};

/* Has something run in the batch that would be undone with it, or is bound, and was answered? Then it cannot be said
 * again from here on. */
bool pg_heal_has_run(const struct pg_server *p);
/* The message at the cursor is about to be passed on. */
void pg_heal_note(struct pg_server *p, const struct rd *in, uint8_t type, uint32_t total);
/* The client hears something of it. */
static inline void pg_heal_heard(struct pg_heal *h)
{
	h->len = 0;
}
/* The types of a statement's parameters came, which are told before it may be refused. False: the client has heard
 * them. */
static inline bool pg_heal_types(struct pg_heal *h)
{
	bool has_heard = h->is_again && h->has_types;
	h->has_types = h->len > 0;
	return !has_heard;
}
/* The server refuses what uses its statement of this number. True: it will be healed, and nobody is told. */
bool pg_heal_begin(struct pg_server *p, const struct pg_error *e);
/* ReadyForQuery came: says the batch again. */
void pg_heal_say_again(struct pg_client *c, struct pg_server *p);
void pg_heal_free(struct pg_heal *h);

#endif
