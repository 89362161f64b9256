/* pg_int.h - what door and engine of this folder know of each other: they share the relay. */
#ifndef SLUICE_PG_PG_INT_H
#define SLUICE_PG_PG_INT_H

#include "pg/expect.h"
#include "pg/heal.h"
#include "pg/hold.h"
#include "pg/listen.h"
#include "pg/prepared.h"
#include "pg/replay.h"
#include "pg/track.h"
#include "pg/wire.h"
#include "session/session.h"

#include <string.h>

struct pg_login; /* of a client that is logging in: door.c */
struct pg_sink;  /* of a client of the console: ask.c */

/* An unnamed statement. */
struct pg_unnamed {
	const struct istr *text; /* counted; NULL: none, or one that is_kept */
	bool changes;            /* it changes its session */
	bool is_long;            /* too long to be remembered: only the server that parsed it has it */
};

/* A client that speaks PostgreSQL. */
struct pg_client {
	struct session s;
	struct map_node by_key;     /* in the directory of cancel keys */
	uint64_t key;               /* process id and secret, as in BackendKeyData; 0: not given out: key.h */
	struct pg_login *login;     /* owned; NULL once it is in */
	struct pg_sink *sink;       /* owned; the console's clients only */
	uint32_t in_left;           /* bytes of the message that is passing from the client */
	uint32_t out_left;          /* bytes of the message that is passing to it */
	bool has_long_key;          /* it speaks 3.2 */
	bool in_skip;               /* what passes is dropped */
	bool asking;                /* the console has not yet answered */
	uint8_t held;               /* enum pg_held: not read from, and why */
	uint8_t healed;             /* enum pg_healed */
	bool refusing;              /* up to the next Sync everything is dropped */
	bool refusal_told;          /* and has been answered with an error already */
	bool refused_batch;         /* and what is refused is a batch: only a Sync ends it */
	bool ending;                /* in a batch that ends a failed transaction */
	bool is_ahead;              /* what its Query needs was prepared, and it is to be looked at again */
	uint8_t failed;             /* enum pg_failed */
	uint8_t refused_kind;       /* enum fault_kind: why */
	uint32_t refused_ahead;     /* bytes that were sent behind what was refused, and are refused with it */
	uint32_t gathered;          /* bytes in gather */
	struct fault *why;          /* owned: of a transaction that has failed, which the client has not heard yet */
	struct pg_names *names;     /* owned: its prepared statements; NULL mostly */
	uint32_t clears_due;        /* unanswered Executes that forget them all */
	uint32_t clears_batch;      /* of the server, when the last one was sent */
	struct pg_unnamed unnamed;  /* its unnamed statement, as it said */
	struct pg_unnamed answered; /* and as its server answered: the same unless `unnamed_due` */
	struct sql_pieces *pieces;  /* owned: of a text that passes and is too long to be read at once; NULL mostly */
	uint8_t *gather;            /* owned: a Parse too long for the stream, as far as it has come; NULL mostly */
	uint16_t unnamed_due;       /* changes of the unnamed statement that are not answered */
	bool describes_portals;     /* it was told what rows of a portal look like, once */
	struct pg_track *track;     /* owned; NULL mostly */
	struct pg_listens *listens; /* owned; NULL mostly */
	struct pg_portals *portals; /* owned: those that change the session when they run; NULL mostly */
	struct pg_portals *noted;   /* owned: its statements that pg_note() has found to count; NULL mostly */

	const struct istr *ahead_failed; /* counted: what its Query needs could not be prepared: this is the error */
};

#define PG_PARSE_MAX  (16u << 20) /* bytes of a Parse that is remembered */
#define PG_LOOK_BYTES 8192u       /* of a Query, or an unnamed Parse, that is too long to be kept */

/* Is its transaction over, without any server that would know of it? */
enum pg_failed { PG_NOT_FAILED, PG_FAILED_UNTOLD, PG_FAILED_TOLD };

/* A server that speaks PostgreSQL. */
struct pg_server {
	struct server sv;
	struct expect expect;
	struct pg_cache cache;
	struct pg_engine_state *login;    /* owned; while it logs in */
	const struct varset *said_before; /* counted: sv.said before the transaction that changed it; NULL mostly */
	const struct varset *syncing;     /* counted: what is being set, of that which is not reported */
	uint32_t synced;                  /* statements of that which are complete */
	struct pg_heal heal;
	struct pg_script *script; /* owned: of the Query under way; NULL mostly */
	uint16_t discards;        /* ReadyForQuery that come until the last DISCARD ALL that was sent is over; its own
				     Sync, which may not be sent yet, has the last one */
	bool sets_again;          /* behind what is complete, the client's defaults are set again */
	uint32_t done;            /* statements of the Query under way that are complete */
	struct sql_walk walk;     /* and how far it was looked at for them; borrows its text */
	bool failed;              /* an error was answered since the last ReadyForQuery */
	bool moves;               /* the session may be changed by what is not answered up to its ReadyForQuery */
	uint32_t left;            /* bytes of the message that is passing from the server */
	bool skip;                /* what passes is dropped */
	uint8_t txn;              /* ReadyForQuery's: 'I', 'T', 'E' */
	uint8_t own;              /* enum own: what the house itself asked of it */
	struct fault *own_fault;  /* owned; what that failed with */

	uint32_t version;        /* of the protocol: what was asked for, and then what is spoken */
	bool is_old;             /* it refused what it should have negotiated: it is asked for 3.0 */
	uint16_t key_len;        /* bytes of its cancel key; 0: it told none */
	uint8_t key[PG_KEY_MAX]; /* BackendKeyData's, with the process id of sv.pid */

	struct pg_listener *listener; /* whose server it is; NULL mostly */
	struct task resume_task;      /* its ReadyForQuery was held, and may go on */
};

enum own { OWN_NOTHING, OWN_RUN, OWN_SYNC, OWN_ASK, OWN_LISTEN };

static inline struct pg_client *pg_client_of(struct session *s)
{
	return list_owner(s, struct pg_client, s);
}
static inline struct pg_server *pg_server_of(struct server *sv)
{
	return list_owner(sv, struct pg_server, sv);
}

extern const struct door_ops pg_door;
extern const struct engine_ops pg_engine;

/* What SCRAM on this stream can be bound to, in *out; NULL: nothing, it is not encrypted. */
struct scram_binding;
const struct scram_binding *pg_binding(const struct stream *st, struct scram_binding *out);

/* text.c: does a text mean something else when this setting is another? */
bool pg_gives_meaning(const char *name);
/* Is this parameter followed for each client, and set again on the servers it is linked to? */
bool pg_is_tracked(const char *name);
/* Is it reported, and not to be set? */
bool pg_is_fixed(const char *name);

/* Sends what is sure to fail, and has the client hear this instead: the server aborts the transaction, if there is one.
 * False: the session is closed. */
bool pg_send_failure(struct session *s, const struct fault *f);
/* The same; told: the ErrorResponse that it hears, a reference that is taken over, or NULL: there was no memory. */
bool pg_send_told(struct session *s, const struct istr *told);
/* engine.c: a server that was not read from, HOLD_OWNER, is again from the end of the turn on. */
void pg_server_resume(struct pg_server *p);
#define PG_UNLISTEN "UNLISTEN *" /* what ends a LISTEN that the listener serves */

/* door.c: what the client said and had to wait is looked at again, at the end of the turn. */
void pg_client_goes_on(struct pg_client *c);
void pg_tell(struct session *s, const struct fault *f, bool is_fatal);
void pg_tell_ready(struct session *s); /* of a client without a server: kept.c */
/* The client broke the protocol: it is told, and closed. */
void pg_protocol_fault(struct session *s, const char *what);

/* door_login.c: from the first packet to ReadyForQuery. */
bool pg_login_new(struct pg_client *c);  /* false: out of memory */
void pg_login_free(struct pg_client *c); /* also takes it out of the directory of cancel keys */
void pg_login_bytes(struct session *s, struct rd *in);
void pg_welcome(struct session *s, const struct varset *reported);

/* What becomes of a message; its header is at the cursor. */
enum pg_pass {
	PG_PASS_AS_IT_IS, /* it is to be passed on, and stands in the queue of what is expected */
	PG_PASS_DROP,     /* it is dropped: all is said */
	PG_PASS_DONE,     /* its header, and maybe more, is consumed */
	PG_PASS_WAIT,     /* it has to wait */
	PG_PASS_FAILED    /* the session is closed */
};

#define PG_PREPARED_NAMES_MAX 4096u /* bytes of a portal's and a statement's name together */

/* The message has to wait for what is under way. */
static inline enum pg_pass pg_wait_for_answers(struct pg_client *c)
{
	pg_hold(c, PG_HELD_ANSWERS);
	return PG_PASS_WAIT;
}
/* door_prepared.c: closes what the server has too many of. False: the session is closed. */
bool pg_statements_make_room(struct pg_client *c);
void pg_too_many_names(struct fault *f);

/* Parse, Bind, Describe and Close of a client that is linked. */
enum pg_pass pg_statement(struct pg_client *c, uint8_t type, uint32_t total, struct rd *in);
/* door_within.c. Instead of a message of a batch: sends what is sure to fail, and has the client hear this. DROP, or FAILED. */
enum pg_pass pg_statement_fails(struct pg_client *c, const struct fault *f);
enum pg_pass pg_statement_no_memory(struct pg_client *c); /* the session is closed */
/* Has the server run a statement of the house's own, within the batch. execute: what is expected of that; what is in it
 * is taken over, and undone if this fails. False: out of memory. */
bool pg_run_within(struct pg_client *c, const char *sql, const struct expect_entry *execute);

/* door_notes.c: notes what a Parse or a Bind says that passes as it is. AS_IT_IS: it does; or it is refused. */
enum pg_pass pg_note(struct pg_client *c, const struct rd *in, uint8_t type, uint32_t total);
/* said.c: what the message at the cursor, a Query, Parse or Bind that has been passed on, says is kept with the server.
 */
void pg_says(struct pg_client *c, struct rd in, uint8_t type, uint32_t total);
size_t pg_fingerprint(const struct session *s, const struct server_heard *said, char *out, size_t cap);

/* door_reset.c. Sends the Execute at the cursor, of this text, and what sets the client's defaults again behind it.
 * False: out of memory. */
bool pg_reset_behind(struct pg_client *c, struct rd *in, uint32_t total, const struct istr *text);
/* Is it DISCARD ALL, alone? Then this sends it, with the same behind it. */
bool pg_reset_discards(struct pg_client *c, const char *text, size_t len);
enum pg_pass pg_reset_query(struct pg_client *c, const char *text, size_t len);

/* door_bare.c. It is about to execute x->text, which may make or forget prepared statements. PG_PASS_AS_IT_IS: go on, and expect x,
 * and then *behind if its kind is set; PG_PASS_DROP: it fails, and that is all; or PG_PASS_WAIT, PG_PASS_FAILED. */
enum pg_pass pg_statement_executes(struct pg_client *c, struct expect_entry *x, struct expect_entry *behind);
/* Has the client's server what this name means under just that name? */
bool pg_name_is_there(const struct pg_client *c, const struct pg_name *n);
/* door_prepared.c: has the server parse what this name means, ahead of a Query. 0: out of memory; else the statement's number. */
uint32_t pg_statement_ahead(struct pg_client *c, struct pg_name *n);
/* The rest of a Parse that is gathered; when c->in_left is 0 it is complete, and what becomes of it is asked. */
void pg_gather(struct pg_client *c, struct rd *in);
enum pg_pass pg_statement_gathered(struct pg_client *c);
/* The Parse at the cursor, of a client that is not linked while no server is free: true when it is answered here, as a
 * server of the pool knows it. */
bool pg_parse_without_server(struct pg_client *c, struct rd in);
/* A Query is passed on, and is about to be expected: the unnamed statement ends. */
void pg_statement_query(struct pg_client *c, struct expect_entry *x);
/* statement.c: this will change the client's unnamed statement, and that of its server. */
void pg_unnamed_will_be(struct pg_client *c, struct pg_server *p, struct expect_entry *x);
/* A portal is bound to this text, which changes the session when it runs; NULL: to one that does not. */
enum pg_portal_noted { PG_PORTAL_NOTED, PG_PORTAL_IS_ONE_TOO_MANY, PG_PORTAL_NO_MEMORY };
enum pg_portal_noted pg_portals_note(struct pg_portals **portals, const char *name, size_t len,
				     const struct istr *text);
const struct istr *pg_portals_find(const struct pg_portals *portals, const char *name, size_t len); /* borrowed */
/* What the portal at the cursor, in an Execute, runs: false when more of the message has to come. *text: NULL when that
 * does not change the session, or else a reference. */
bool pg_portal_text(const struct pg_client *c, const struct rd *in, uint32_t total, const struct istr **text);
void pg_portals_free(struct pg_portals **portals); /* they have ended, with their transaction */
void pg_statement_gone(struct expect *e, const struct expect_entry *x, enum expect_end how);
void pg_statements_forget(struct pg_client *c); /* it leaves */
/* Without a server: its unnamed statement is this text; NULL: none. */
void pg_unnamed_is(struct pg_client *c, const struct istr *text);
/* An error about a statement that was sent in other words than the client's. */
struct pg_renamed {
	uint32_t number;     /* of the server's statement, */
	const char *name;    /* which its client calls so; NULL: none is named */
	size_t len;          /* of the name */
	long moved;          /* characters by which the position stands further on than in the client's text */
	bool hides_position; /* it is in what the client has not said */
};
/* Tells it in the client's words; body: of the ErrorResponse. False: it can be told as it is. */
bool pg_tell_renamed(const struct pg_error *e, struct rd body, const struct pg_renamed *r, struct stream *to);
/* What that tells: the message. NULL: out of memory. */
const struct istr *pg_renamed_error(const struct pg_error *e, struct rd body, const struct pg_renamed *r);
/* Answers that are made up, and whose turn it is. */
void pg_tell_invented(struct pg_server *p);
/* Nothing that was sent is unanswered, but what is made up here: it is told, or will be without more. */
bool pg_tell_if_all_invented(struct pg_server *p);
/* Its client is not read from before some of what is owed has come. A server may keep replies back as long as a batch
 * has no Sync. */
void pg_ask_for_replies(struct pg_server *p);

/* door_script.c: a Query that says PREPARE, EXECUTE, DEALLOCATE or RESET, of a client that is linked; changes: its
 * session; has_names: its prepared statements are its own on every server. */
enum pg_pass pg_script_query(struct pg_client *c, const char *text, size_t len, bool changes, bool has_names);
/* Its Query, for which something was prepared, is none any more. */
void pg_ahead_forget(struct pg_client *c);
/* The Query at the cursor, of a client that is not linked: true when it is answered here, as it only deallocates one of
 * its statements. */
bool pg_deallocate_without_server(struct pg_client *c, struct rd in);
/* A statement of it is complete; *nth: which one of the client's it was; *does: borrowed, the body of the Parse that it
 * executed, when that changes its session, or NULL. */
enum pg_step { PG_STEP_TOLD, PG_STEP_OWN, PG_STEP_WRONG, PG_STEP_NO_MEMORY };
enum pg_step pg_script_step(struct pg_server *p, unsigned *nth, const struct istr **does);
/* Are its prepared statements said with the server's names? False also when there is none. */
bool pg_script_has_names(const struct pg_server *p);
/* Is the statement that is complete one of its RESETs, behind which it sets what the client asked for? */
bool pg_script_has_reset(const struct pg_server *p);
/* The server's statement that what runs now is about, or 0; *is_first: the client has heard nothing before it. */
uint32_t pg_script_number(const struct pg_server *p, bool *is_first);
/* Are the rows that come now nobody's? */
bool pg_script_is_own(const struct pg_server *p);
/* It has failed; body: of the ErrorResponse. True when the client has been told. */
bool pg_script_tell(struct pg_server *p, const struct pg_error *e, struct rd body, struct stream *to);
void pg_script_free(struct pg_server *p); /* it has been answered */
/* What a PREPARE made begins with this, where a Parse's has its query. */
#define SCRIPT_MARK '\1'
/* Did a PREPARE make it? A Parse may begin with the mark, but has a NUL in it. */
static inline bool pg_is_script(const struct istr *text)
{
	return text->s[0] == SCRIPT_MARK && strlen(text->s) == text->len;
}

/* ask.c: the exchange in this protocol, for clients that have a sink. The header of a message is at the cursor: what
 * becomes of it. False: leave it there. */
bool pg_ask_message(struct session *s, struct rd *in, uint8_t type, uint32_t total);
struct pg_sink *pg_sink_new(struct pg_client *c);
void pg_sink_free(struct pg_sink *k);

#endif
