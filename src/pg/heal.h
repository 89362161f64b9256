/* heal.h - prepared statements that do not fit their tables any more. PostgreSQL docs, PREPARE; Message Flow: Extended
 * Query.
 * After a table has changed, a server refuses a statement that was prepared before ("cached plan must not change result
 * type"), as the client may know what its rows looked like. One that was prepared for other clients is no reason to
 * refuse, though: it is prepared anew, and what its client said is said again, if it has heard nothing of it yet,
 * nothing ran before it in the batch, and it will be told what the rows look like, or never was. Likewise when the
 * server has lost the statement. Of a Query, its first statement may be such an EXECUTE.
 *
 * What one server is told is in one of three states:
 *
 *   NOTHING -> KEPT      a batch begins with a Bind or a Describe, or a Query with an EXECUTE: while its client hears
 *                        nothing of it, it can be said again
 *   KEPT    -> NOTHING   the client heard something of it, or said something behind it; or it ended
 *   KEPT    -> REFUSED   the server's error was swallowed: a ReadyForQuery is to come, which the client asked for or,
 *                        when its Sync was not there yet, the house (EXPECT_OWN). Nothing passes until then: who says
 *                        something is held, PG_HELD_ANSWERS
 *   REFUSED -> NOTHING   it came, and was swallowed: what was kept is put back in front of the client's input
 *                        (stream_unread()), as if it had not been said yet. From there all goes as with any other: it
 *                        may have to wait, for what is prepared ahead of a Query for one, its server may be lost or
 *                        given back; and whoever resumes the client resumes this.
 *
 * The client is `healed` from then on, until a ReadyForQuery is told: what fails a second time, it hears.
 * What could not be healed, in a transaction for one, is not left to chance: who prepares a statement there has it
 * prepared, and who prepared it later than any use on a server that is known of has it prepared anew there. A text that
 * was once refused so has an edition: servers that prepared it before prepare it anew when it is used, and clients that
 * were told of its rows before hear the error, as on a connection of their own. */
#ifndef SLUICE_PG_HEAL_H
#define SLUICE_PG_HEAL_H

#include "core/rd.h"

#include <stdbool.h>
#include <stdint.h>

struct istr;
struct pg_client;
struct pg_error;
struct pg_server;

#define PG_HEAL_MAX 8192u /* bytes of a batch that is kept */

enum pg_heal_state { PG_HEAL_NOTHING, PG_HEAL_KEPT, PG_HEAL_REFUSED };

/* Of a server: what is under way. */
struct pg_heal {
	uint8_t state;
	bool is_whole;  /* of a batch: its Sync is there, and nothing came behind it */
	bool is_query;  /* it is a Query: pg_server.script has it, and `query` once it is REFUSED */
	bool describes; /* the client will be told what the rows look like */
	bool is_told;   /* or was, long ago: door_prepared.c knows */
	bool has_types; /* the client has heard the types of the parameters, which come before the refusal */
	uint8_t *bytes; /* owned: the batch */
	uint32_t len, cap;
	uint32_t ran;             /* 1 + the batch (struct pg_cache) in which something was bound or run last */
	const struct istr *query; /* counted */
};

/* Of a client: what it says now. */
enum pg_healed {
	PG_NOT_HEALED,
	PG_HEALED,      /* it was refused once, and is said again */
	PG_HEALED_TYPED /* and the client was told the types of its parameters then */
};

/* Has something run in the batch that would be undone with it, or is bound, and was answered? Then it cannot be said
 * again from here on. */
bool pg_heal_has_run(const struct pg_server *p);
/* The message at the cursor is about to be passed on. */
void pg_heal_note(struct pg_server *p, const struct rd *in, uint8_t type, uint32_t total);
/* It has to wait, and was not passed on: `was` is what was kept before it. */
void pg_heal_not_yet(struct pg_heal *h, const struct pg_heal *was);
/* Its script is about to be sent, behind nothing that is not answered. */
void pg_heal_note_query(struct pg_server *p);
/* The client hears something of it, or it has ended. */
static inline void pg_heal_heard(struct pg_heal *h)
{
	if (h->state == PG_HEAL_KEPT)
		h->state = PG_HEAL_NOTHING;
}
/* The types of a statement's parameters came, which are told before it may be refused. False: the client has heard
 * them. */
bool pg_heal_types(struct pg_server *p);
/* The server refuses what uses its statement of this number. True: it will be healed, and nobody is told. */
bool pg_heal_begin(struct pg_server *p, const struct pg_error *e);
/* REFUSED, and ReadyForQuery came: its client says it again, at the end of the turn. False: out of memory. */
bool pg_heal_end(struct pg_client *c, struct pg_server *p);
/* The Sync of what is healed is still the client's to say. */
static inline bool pg_heal_needs_sync(const struct pg_heal *h)
{
	return h->state == PG_HEAL_REFUSED && !h->is_query && !h->is_whole;
}
void pg_heal_free(struct pg_heal *h);

#endif
