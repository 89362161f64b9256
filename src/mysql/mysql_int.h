/* mysql_int.h - what door and engine of this folder know of each other: they share the relay. */
#ifndef SLUICE_MYSQL_MYSQL_INT_H
#define SLUICE_MYSQL_MYSQL_INT_H

#include "mysql/expect.h"
#include "mysql/prepared.h"
#include "mysql/track.h"
#include "mysql/wire.h"
#include "session/session.h"

struct mysql_login; /* of a client that is logging in: door_login.c */
struct mysql_sink;  /* of a client of the console: ask.c */

/* A client that speaks MySQL. */
struct mysql_client {
	struct session s;
	struct mysql_login *login;     /* owned; NULL once it is in */
	struct mysql_sink *sink;       /* owned; the console's clients only */
	const struct istr *program;    /* counted; what it calls itself; NULL: nothing */
	const struct istr *attrs;      /* counted; its connection attributes, as they came, for a server; NULL: none */
	uint64_t caps;                 /* that were agreed on with it */
	uint32_t in_left;              /* bytes of the packet that is passing from the client */
	uint32_t in_before;            /* bytes of the packets before it that are of the same command */
	uint32_t out_left;             /* bytes of the packet that is passing to it */
	uint16_t status;               /* that it was told last */
	uint8_t seq;                   /* of the next packet to it, if it is ours */
	uint8_t in_seq;                /* of the next from it, if that goes on */
	uint8_t due_lost;              /* how many servers were lost as a statement was prepared there */
	uint8_t nonce[MYSQL_SCRAMBLE]; /* the last that it answered: who wants to be another user may answer it again */
	uint8_t zstd_level;            /* that it asks for */
	bool in_skip;                  /* what passes from it is dropped */
	bool in_more;                  /* the packet that passes from it goes on in the next one */
	bool in_file;                  /* and is a part of a file that the server asked for */
	bool is_partway;               /* a part of an answer has passed to it, and not its end */
	bool asking;                   /* the console has not yet answered */
	bool full;                     /* not read from: the server owes too many answers */
	bool waits;                    /* not read from: what it says next is done when all is answered */
	bool refusing;                 /* its next command, and what it has sent ahead, is answered with `why` */
	bool has_failed;               /* its transaction is gone: its next command hears why */
	uint32_t refused_ahead;        /* bytes in its input that are refused, for `why` */
	struct fault *why;             /* owned; NULL mostly */
	bool is_old;                   /* of before MySQL 4.1: an error that it understands has no SQLSTATE */
	bool is_fresh;                 /* its server has run nothing of it since it was linked */
	bool has_count;                /* it has its ROW_COUNT(), which an OK to the house takes away */
	bool has_run;                  /* has it, but for what the house has asked */
	bool has_id, has_found;        /* nor has it a LAST_INSERT_ID() of it, and FOUND_ROWS() */
	struct my_pieces *pieces;      /* owned; of a text that is passing, too long to be looked at; NULL mostly */
	uint8_t long_may;              /* enum my_may: what was in such texts that are not answered yet */
	bool at_head;                  /* what passes next of it is the header of a packet */
	struct mysql_track track;
	struct mysql_statements statements;
	uint32_t last_prepared;  /* which of them; 0: that failed, or there is none */
	bool is_due;             /* a statement is prepared for the command at the cursor: the server stays */
	struct fault *due_fault; /* owned; what that failed with */
};

/* A server that speaks MySQL. */
struct mysql_server {
	struct server sv;
	struct mysql_expect expect;
	struct mysql_engine_state *login; /* owned; while it logs in */
	uint64_t caps;                    /* that were agreed on with it */
	uint32_t left;                    /* bytes of the packet that is passing from the server */
	bool skip;                        /* what passes is dropped */
	bool continues;                   /* the packet that passes goes on in the next one */
	bool is_mariadb;
	uint32_t number;         /* its version, as one: 90704 */
	uint8_t ends;            /* enum ends, of engine.c */
	uint8_t seq;             /* of the next packet of whoever's turn it is, within an answer */
	uint8_t own;             /* enum mysql_own: what the house itself asked of it */
	uint16_t status;         /* that it told last */
	const struct istr *role; /* counted; as it is to be set again; NULL: it has no roles */
	struct mysql_cache cache;
	bool is_untold, told_settings, told_changed, told_xact, had_rows,
		any_rows;                            /* by the answer that is coming: mysql/track.h */
	bool has_no_lock;                            /* likewise */
	uint32_t results, odd_pins;                  /* likewise; without its last result */
	uint64_t rows;                               /* of the last result */
	uint64_t found, insert_id;                   /* of the last that had rows; of the last that told one */
	struct fault *own_fault;                     /* owned; what that failed with */
	const struct varset *syncing, *syncing_said; /* counted: what is being set */
	const struct varset *followed; /* counted: by which its kind says whether there is a default schema */
	bool sets_up;                  /* what is asked ends in the settings with which a server begins */
	bool has_own_collation;        /* it did not have the one that was asked for by its number */
};

enum mysql_own { MYSQL_OWN_NOTHING, MYSQL_OWN_SETUP, MYSQL_OWN_RUN, MYSQL_OWN_SYNC, MYSQL_OWN_ASK };

static inline struct mysql_client *mysql_client_of(struct session *s)
{
	return list_owner(s, struct mysql_client, s);
}
static inline struct mysql_server *mysql_server_of(struct server *sv)
{
	return list_owner(sv, struct mysql_server, sv);
}

extern const struct door_ops mysql_door;
extern const struct engine_ops mysql_engine;

#define MYSQL_ATTRS_MAX                                                                                                \
	1024u /* bytes of connection attributes of a client that go to a server; servers keep 512 mostly */
#define MYSQL_HELD_MAX 30000u /* bytes of a packet that must be understood whole */

/* --- Kinds of servers: what a client and its server must have in common, as it changes what bytes mean. */

#define MYSQL_KIND_IS        (UINT64_C(1) << 63) /* set in all */
#define MYSQL_KIND_NO_SCHEMA (UINT64_C(1) << 62) /* no default schema: one that was chosen cannot be taken back */
#define MYSQL_KIND_CAPS                                                                                                \
	(MYSQL_CAP_FOUND_ROWS | MYSQL_CAP_LOCAL_FILES | MYSQL_CAP_IGNORE_SPACE | MYSQL_CAP_MULTI_STATEMENTS |          \
	 MYSQL_CAP_MULTI_RESULTS | MYSQL_CAP_PS_MULTI_RESULTS | MYSQL_CAP_DEPRECATE_EOF | MYSQL_CAP_QUERY_ATTRIBUTES | \
	 MYSQL_CAP_OPTIONAL_METADATA | MARIADB_CAP_PROGRESS | MARIADB_CAP_EXTENDED_TYPES | MARIADB_CAP_BULK_RESULTS)

/* --- known.c: what is known of a database's servers, as they, or the configuration, have told. */
struct mysql_known {
	uint64_t caps;    /* that each of them has; 0: none was connected to yet */
	char version[96]; /* "" likewise */
	bool is_mariadb, has_status;
	uint16_t status; /* has_status: that of a session which has just begun */
	uint32_t number; /* the version as one */
};
/* db may be NULL. Valid until the loop's turn ends. */
const struct mysql_known *mysql_known_of(const struct database *db);
/* A server of its own has greeted us. False: out of memory. */
bool mysql_known_learn(struct database *db, const struct mysql_greeting *g);
/* One of its own has let us in, with this status of a session's. */
void mysql_known_status(struct database *db, uint16_t status);
/* With which clients are greeted, before it can be known which database they want: nothing that one of them lacks. */
const struct mysql_known *mysql_known_to_all(void);

/* What is kept of a database, in its `notes`; made when it is not there. NULL: out of memory. */
#define MYSQL_COLLATIONS_MAX 8u /* that are remembered of a database; more are set by number each time */
struct mysql_collation {
	uint16_t id;
	bool is_own; /* the server does not have it, and has this instead */
	char set[32], name[64];
};
struct mysql_notes {
	struct mysql_known known;
	uint32_t generation; /* of the database, when that was learned */
	unsigned n;
	struct mysql_collation at[MYSQL_COLLATIONS_MAX];
};
struct mysql_notes *mysql_notes(struct database *db);

/* --- state.c: clients in transaction pooling. */

/* How its texts are read now: sql/mysql_lexer.h. */
unsigned mysql_mode(const struct session *s);
/* In session pooling, too: a text that asks for CONNECTION_ID() means the number that its client was greeted with.
 * *out: what it is to say instead; free() it; NULL: nothing else. False: out of memory. */
bool mysql_say_id(const struct mysql_client *c, struct rd text, uint8_t **out, size_t *len);
/* One that is to be prepared: is it about its session, so that it is looked at each time that it is executed? has_id:
 * its CONNECTION_ID() is not. */
bool mysql_statement_is_about(const struct mysql_client *c, struct rd text, bool has_id);
/* A COM_QUERY, before it is passed on. */
struct mysql_query {
	struct rd text;
	unsigned mode;
	struct mysql_look look;
	bool is_whole;
	bool is_long;   /* it is too long to be looked at: text is its beginning */
	bool clears;    /* it asks for warnings, of which there are none, and the server may have some of others */
	uint32_t known; /* enum my_call: what is asked for and known here, and not on its server */
	bool rewrites;  /* mysql_query_rewrite() says what goes to the server */
};
/* False: it is refused, f says why. A text that is not whole is looked at as it passes. */
bool mysql_query_look(struct mysql_client *c, struct rd text, bool is_whole, struct mysql_query *q, struct fault *f);
/* The same of a COM_STMT_PREPARE that is not whole. */
bool mysql_prepare_look(struct mysql_client *c, struct rd front, struct mysql_query *q, struct fault *f);
/* The same of an EXECUTE of such a text, which has its settings before it. */
bool mysql_statement_look(struct mysql_client *c, const struct istr *text, struct mysql_query *q, struct fault *f);
/* The text that goes to the server, counted, where q rewrites. NULL: out of memory. */
const struct istr *mysql_statement_rewrite(struct mysql_client *c, const struct istr *text,
					   const struct mysql_query *q);
/* It has no server, and what the next one knows of the statement before is another client's. */
void mysql_client_fresh(struct mysql_client *c);
/* free() it; NULL: out of memory. */
uint8_t *mysql_query_rewrite(struct mysql_client *c, const struct mysql_query *q, size_t *len);
/* Bytes of a text that is too long to be looked at, as they pass; done: with its end. */
void mysql_long_piece(struct mysql_client *c, const uint8_t *piece, size_t n, bool done);
/* A statement of the client's has been answered; x: the first in the queue. False: out of memory. */
bool mysql_state_answered(struct mysql_server *p, const struct mysql_expect_entry *x, const struct mysql_seen *seen);
/* What must be on the server before the statement is. False: out of memory. */
bool mysql_query_prepare(struct mysql_client *c, struct mysql_server *p, const struct mysql_query *q);
/* Before its client gives the server back: is something asked for first? False: out of memory. */
bool mysql_state_fetch(struct mysql_server *p, bool *asked);
void mysql_state_fetched(struct mysql_server *p, struct rd row);
/* The row of an entry with MYSQL_EXPECT_LOCK. */
void mysql_state_tried(struct mysql_server *p, struct rd row);
/* Behind that the house has asked for what the answer could not tell, and it is told. */
void mysql_state_told(struct mysql_server *p);

/* --- said.c: what is passed on to its server is kept with that. A text. */
void mysql_says(struct mysql_client *c, struct rd text, size_t total);
/* The COM_QUERY or COM_STMT_PREPARE at the cursor, as far as it is there; or another command, of which no text is
 * known. */
void mysql_says_command(struct mysql_client *c, const struct rd *in, uint32_t len, uint8_t com);
/* A prepared statement: a text with its settings; NULL: not known. */
void mysql_says_prepared(struct mysql_client *c, const struct istr *text);
size_t mysql_fingerprint(const struct session *s, const struct server_heard *said, char *out, size_t cap);

/* --- door.c */
void mysql_tell(struct session *s, const struct fault *f, bool is_fatal);
void mysql_protocol_fault(struct session *s, const char *what);
/* The status that its server would tell it: drivers escape texts by it. */
uint16_t mysql_status(const struct mysql_client *c);
/* It begins, or begins again. */
void mysql_status_begins(struct mysql_client *c);
/* OK to what the client has just asked. */
void mysql_tell_ok(struct mysql_client *c);
/* The client may be read from again. */
void mysql_client_unfull(struct mysql_client *c);
/* From here on both sides compress, if that was agreed on. False: the session is closed. */
bool mysql_client_pack(struct mysql_client *c);

/* --- door_command.c: a command about the session itself, whose header and first byte are at the cursor. */
enum mysql_command {
	MYSQL_COMMAND_PASS, /* it is none, or the server's too */
	MYSQL_COMMAND_DONE, /* it is answered, and being dropped; or the session is closed */
	MYSQL_COMMAND_WAIT  /* it has to wait; likewise */
};
/* By which its client knows a session: of the greeting, CONNECTION_ID() and KILL. */
uint32_t mysql_number(const struct session *s);
enum mysql_command mysql_own_command(struct mysql_client *c, const struct rd *in, uint32_t len, uint8_t seq);

/* All that was sent has been answered. False: it is not read from until it is. */
bool mysql_is_quiet(struct mysql_client *c);
void mysql_forget_state(struct mysql_client *c);

/* COM_CHANGE_USER, without its first byte: the session logs in again. */
void mysql_change_user(struct session *s, struct rd body);
/* The command at the cursor goes to the server with another text, which begins behind `front` bytes of it. */
void mysql_send_as(struct mysql_client *c, const struct rd *in, uint32_t len, size_t front, const uint8_t *text,
		   size_t n);
/* Begins to drop the command at the cursor. */
void mysql_skip(struct mysql_client *c, uint32_t len);
/* The command at the cursor, header included total bytes, is to be passed on. False: it has to wait. */
bool mysql_link(struct session *s, const struct rd *in, uint32_t total);

/* --- door_prepared.c: prepared statements where servers are shared. */
bool mysql_statement_is(const struct mysql_client *c, uint8_t com); /* is the command one of theirs? */
/* The command at the cursor: false: leave it there. */
bool mysql_statement_command(struct mysql_client *c, struct rd *in, uint32_t len, uint8_t seq, uint8_t com);
/* The session begins anew. */
void mysql_statements_forget(struct mysql_client *c);
/* The client goes. */
void mysql_statements_leave(struct mysql_client *c);
/* What was being prepared for it is not waited for any more. */
void mysql_statement_given_up(struct mysql_client *c);
/* Answers to entries with MYSQL_EXPECT_MAPS: a statement is prepared, which the client knows by *id (0: it is
 * nobody's). False: out of memory. */
bool mysql_statement_prepared(struct mysql_server *p, const struct mysql_expect_entry *x, const struct mysql_seen *seen,
			      uint32_t *id);
void mysql_statement_failed(struct mysql_server *p, const struct mysql_expect_entry *x, const struct mysql_err *e);
/* It has been executed, or fetched from, with this status. */
void mysql_statement_ran(struct mysql_server *p, const struct mysql_expect_entry *x, uint16_t status, bool has_rows);

/* --- door_login.c: from the greeting until it is in. */
void mysql_greet(struct session *s);
const char *mysql_greeted_as(void); /* the version that clients are told */
void mysql_login_free(struct mysql_client *c);
void mysql_login_bytes(struct session *s, struct rd *in);
/* As if it had greeted with this collation (0: its server's own) and this default schema (NULL: that stays). False: out
 * of memory. */
bool mysql_set_collation(struct session *s, uint16_t id, const char *schema);
void mysql_welcome(struct session *s, const struct varset *reported);

/* --- engine_login.c: a packet of a server that logs in. */
void mysql_engine_login_free(struct mysql_server *p);
int mysql_server_zip_level(const struct server *sv);
void mysql_engine_start(struct server *sv);
/* False: more has to come, the server is closed, or it is logged in. */
bool mysql_engine_login_packet(struct server *sv, struct rd *in);
/* The settings that it begins with are known. */
void mysql_engine_set_up(struct mysql_server *p, const struct fault *f);

/* --- own.c: collations by the numbers that clients say, as servers of a database have told what they are called; NULL:
 * not yet known. */
const struct mysql_collation *mysql_collation_find(const struct database *db, uint16_t id);

/* --- engine.c */
/* Its server may be at rest, and go back. */
void mysql_boundary(struct mysql_server *p);
void mysql_broken(struct server *sv, const char *what);
void mysql_no_memory(struct server *sv);
/* What an answer says of the session's state becomes that of the server, and is noted there. False: the server is
 * closed. */
bool mysql_take_state(struct mysql_server *p, const struct mysql_seen *seen);
/* From here on both sides compress, if that was agreed on. False: the server is closed. */
bool mysql_server_pack(struct mysql_server *p);
void mysql_forget_told(struct mysql_server *p);

/* --- own.c: the house's own statements. */
void mysql_own_run(struct server *sv, const char *sql);
void mysql_own_reset(struct server *sv);
void mysql_own_sync(struct server *sv, const struct varset *want, const struct varset *said);
void mysql_own_ask(struct server *sv);
/* A row of its answer. False: the server is closed. */
bool mysql_own_row(struct mysql_server *p, struct rd body);
/* The row that says which role a session begins with. Likewise. */
bool mysql_own_role(struct mysql_server *p, struct rd body);
/* Has the server tell what it does to its session from now on, and how it begins. */
void mysql_own_set_up(struct mysql_server *p);
/* An answer to one of them: an error; the last of all. */
void mysql_own_error(struct mysql_server *p, const struct mysql_err *e);
void mysql_own_done(struct mysql_server *p);
/* Prepares a text under settings that may not be those of now, which are restored. False: out of memory. */
bool mysql_own_prepare(struct mysql_server *p, const struct istr *text, struct rd sql,
		       const char *const now[MYSQL_MEANINGS], const char *const then[MYSQL_MEANINGS]);
/* Asks for the status, which no error tells. False: out of memory. */
bool mysql_own_ping(struct mysql_server *p);
/* LAST_INSERT_ID() is set, and asked for: the row goes to mysql_state_fetched(). Likewise. */
bool mysql_own_bring_id(struct mysql_server *p, uint64_t id);
bool mysql_own_fetch_id(struct mysql_server *p);
/* There are no warnings of a statement before. Likewise. */
bool mysql_own_clear(struct mysql_server *p);

/* --- ask.c: the exchange in this protocol, for clients that have a sink. A whole command: what becomes of it. */
void mysql_ask_command(struct mysql_client *c, struct rd body);
struct mysql_sink *mysql_sink_new(struct mysql_client *c);
void mysql_sink_free(struct mysql_sink *k);

#endif
