/* track.h - what statements do to their session, so that the next server can be brought to the same state, or the
 * session keeps its server (a pin). PostgreSQL docs: SET, RESET, DISCARD, SAVEPOINT; Configuration: Setting Parameters.
 * Settings that the server reports are followed by its ParameterStatus. The others are known from the statements
 * (sql/classify.h): s->said is what they set, sv->said what is set on the server. A transaction that is rolled back
 * takes back what was said in it. */
#ifndef SLUICE_PG_TRACK_H
#define SLUICE_PG_TRACK_H

#include "core/fault.h"
#include "core/rd.h"
#include "sql/classify.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pg_client;
struct pg_server;
struct pg_track; /* of a client: the transaction it is in, and what RESET goes back to */

/* What a text does. */
struct pg_look {
	bool changes;  /* a statement of it changes what the session is */
	bool prepares; /* PREPARE */
	bool resets;   /* RESET, or SET to the default, of what the client asked for when it came, maybe */
	bool speaks;   /* of prepared statements: PREPARE, EXECUTE, DEALLOCATE, DISCARD ALL */
	bool drops;    /* DEALLOCATE of one */
	uint32_t pins; /* those that the session would get by it; none for PREPARE; PIN_LISTEN also when it may be
			  served */
};
struct pg_look pg_track_look(struct pg_client *c, const char *text, size_t len);
/* The pins that a session would get by a FunctionCall of this number. *keeps: its server has something then that no
 * reset takes away. */
uint32_t pg_track_call(uint32_t oid, bool *keeps);
/* Is it one statement, that forgets all prepared ones? */
bool pg_track_clears(struct pg_client *c, const char *text, size_t len);
/* Does this statement of the text take this setting back to the default, as the client understands it? */
bool pg_track_takes_back(const struct pg_client *c, const char *text, const struct sql_stmt *st, const char *name);
/* Does the text, one statement, take any back that the client asked for when it came? */
bool pg_track_goes_back(const struct pg_client *c, const char *text, size_t len);
/* Does it go back to the default of the session? */
bool pg_track_resets(const struct sql_stmt *st);
/* The settings that servers do not report, as they are now: s->said, and what SET LOCAL has set over it. Borrowed until
 * the next call; NULL when out of memory. */
const struct varset *pg_track_said(struct pg_client *c);
/* Is it not known for sure what its settings will be, or which tables it sees, when what it says next is parsed? */
bool pg_track_is_unclear(const struct pg_client *c);
/* Will what was sent before change how a text is read? Then it is read when that is answered. */
bool pg_track_must_wait(const struct pg_client *c);
/* A client whose settings were refused says this: when it goes back to who it was when it came, that is not asked for
 * once more. */
void pg_track_way_out(struct pg_client *c, const char *text, size_t len);
/* How this client's texts are read: sql/lexer.h. */
unsigned pg_sql_mode(const struct pg_client *c);
/* The nth statement (0: the first) of a text that pg_track_look() said changes of is complete. w: how far the text was
 * looked at, zeroed for the first of its statements. False: the session is closed. */
bool pg_track_done(struct pg_client *c, struct pg_server *p, struct sql_walk *w, const char *text, size_t len,
		   unsigned nth, const char *tag);
/* The client_encoding is another one now: values that were reported in the one before stand for something else. */
void pg_track_encoding(struct pg_client *c, const struct pg_server *p);
/* Another statement is complete while c->track is there: COMMIT or ROLLBACK end what was said. */
void pg_track_tag(struct pg_client *c, struct pg_server *p, const char *tag);
/* ReadyForQuery is about to be passed on. failed: an error was answered since the one before. */
void pg_track_ready(struct pg_client *c, struct pg_server *p, uint8_t txn, bool failed);
void pg_track_free(struct pg_client *c);
/* The client's transaction is gone, with its server: what was said in it was not. */
void pg_track_lost(struct pg_client *c);
/* The server has rolled back what a client left that is gone. */
void pg_track_abandoned(struct pg_server *p);

/* The nth statement of this text has failed. What it may have left behind all the same pins: locks outlive an error. */
void pg_track_failed(struct pg_client *c, const char *text, size_t len, unsigned nth);
/* A text that is too long to be read at once begins to pass. */
void pg_track_long(struct pg_client *c);
/* A piece of it passes; done: its last one. A session in which it may have done anything is pinned. */
void pg_track_piece(struct pg_client *c, const void *piece, size_t n, bool done);

#endif
