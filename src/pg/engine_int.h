/* engine_int.h - what the files of the engine know of each other. A bool is false when the server is gone. */
#ifndef SLUICE_PG_ENGINE_INT_H
#define SLUICE_PG_ENGINE_INT_H

#include "pg/pg_int.h"

/* engine.c */
void pg_server_no_memory(struct server *sv);
void pg_server_broken(struct server *sv, const char *what); /* the protocol */
bool pg_server_at_rest(const struct server *sv);
/* What it says needs an answer from the client that has left. */
bool pg_server_drain_on(struct server *sv);

/* engine_login.c */
void pg_server_start(struct server *sv);
bool pg_server_start_otherwise(struct server *sv, const struct fault *f);
/* One message of the login; false also when it has logged in. */
bool pg_server_login_message(struct server *sv, const struct pg_msg *m);
void pg_server_end_login(struct pg_server *p);                      /* what it needs for that is freed */
bool pg_server_note_parameter(struct pg_server *p, struct rd body); /* of a ParameterStatus */

/* engine_own.c: engine_ops' sync, run and ask; and what the server says to them. */
void pg_own_sync(struct server *sv, const struct varset *want, const struct varset *said);
void pg_own_run(struct server *sv, const char *sql);
void pg_own_ask(struct server *sv);
bool pg_own_row(struct pg_server *p, struct rd body); /* of a DataRow */
void pg_own_error(struct pg_server *p, struct rd body);
void pg_own_done(struct pg_server *p); /* it is ready again */

/* engine_relay.c: engine_ops' on_bytes. */
void pg_server_bytes(struct server *sv, struct rd *in);

#endif
