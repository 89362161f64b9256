/* listen.h - LISTEN in transaction and statement pooling: one server connection of a database, the listener, listens
 * for all clients there, and what it is notified of is passed on to them. PostgreSQL docs: LISTEN, UNLISTEN, NOTIFY;
 * Message Flow, Asynchronous Operations.
 *
 * A client's LISTEN runs on its own server as it is: errors, tags and transactions are that server's. Before it is sent
 * the listener LISTENs (the client's message waits for that), so that nothing is missed that is committed after the
 * client's LISTEN; when the client's transaction commits the channel is its own (track.c: rolled back, it never was);
 * and before the server is another session's it is told UNLISTEN *. What cannot be had from the listener (it cannot
 * connect within LISTEN_WAIT_MS, the database has several hosts, the client's client_encoding is not the listener's, a
 * name is not ASCII) pins the client to its server, as LISTEN did before; that is no less right, only dearer.
 *
 * A client hears of notifications as from PostgreSQL: never within a transaction, never between the messages of an
 * answer; at once when it is idle, else right before the ReadyForQuery that ends its transaction. What waits for it is
 * kept once for all clients, at most listener_queue bytes of it; a client for which there is more is closed.
 *
 * A client that listens and runs NOTIFY as a statement hears of it, as from PostgreSQL, before the ReadyForQuery, and
 * with the process id that it was given at login. For that the listener is brought up to date before (whatever comes
 * from that server later is this client's) and after it. What is sent otherwise (pg_notify(), triggers) comes a moment
 * later, and with the server's process id, as other clients' notifications do.
 *
 * The listener logs in to the pool of a client that listens: whoever cannot connect never listens, and PostgreSQL
 * allows whoever can to listen to all. It is opened with the first LISTEN and closed when nobody has listened for
 * server_idle_timeout. Lost, it is opened again (at once, then ever later, at least each server_login_retry) and
 * listens to all as before; the log tells between when and when notifications may have been lost. It is asked for a
 * sign of life when it was silent for server_check_delay. */
#ifndef SLUICE_PG_LISTEN_H
#define SLUICE_PG_LISTEN_H

#include "core/rd.h"
#include "core/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LISTEN_WAIT_MS      5000u
#define LISTEN_CHANNELS_MAX 10000u /* of one client */

struct server;
struct pg_client;
struct pg_server;
struct pg_listens;  /* of a client that listens, or is about to */
struct pg_listener; /* of a database */

enum pg_listening {
	PG_LISTEN_SERVED, /* go on: the listener listens to all that the text does */
	PG_LISTEN_WAIT,   /* the message has to wait, and is shown again */
	PG_LISTEN_ALONE   /* go on: some of it is the client's own server's */
};
/* A text with LISTEN, or any of a client with c->listens, is about to be sent to its server. */
enum pg_listening pg_listen_ahead(struct pg_client *c, const char *text, size_t len);

/* May it be served? If the listener can be had then. */
bool pg_listen_may(const struct pg_client *c);

/* --- What statements that are complete have said. */
/* LISTEN. *served: by the listener. False: out of memory. */
bool pg_listen_said(struct pg_client *c, struct pg_server *p, const char *name, bool *served);
/* UNLISTEN; NULL: *. */
bool pg_listen_unsaid(struct pg_client *c, const char *name);
void pg_listen_notified(struct pg_client *c); /* NOTIFY */
/* How much was said in this transaction; and it is taken back to that. */
uint32_t pg_listen_mark(const struct pg_client *c);
void pg_listen_back_to(struct pg_client *c, uint32_t mark);
void pg_listen_commit(struct pg_client *c);

/* --- The client's course; all but the last for one with c->listens. */
/* ReadyForQuery outside a transaction is about to be passed on: must it wait? The server's stream is held then. */
bool pg_listen_holds(struct pg_client *c, struct pg_server *p);
/* It is: what waits for the client goes first. */
void pg_listen_flush(struct pg_client *c);
/* Nothing is under way between the client and its server, or they part. */
void pg_listen_rest(struct pg_client *c);
/* A notification of its own server's: is it one that the listener tells? */
bool pg_listen_hides(const struct pg_client *c, struct rd body);
void pg_listen_drained(struct pg_client *c); /* its stream takes bytes again */
void pg_listen_leave(struct pg_client *c);

/* --- The listener's server, from the engine. */
void pg_listener_done(struct pg_server *p, const struct fault *f); /* what was asked is answered; f: with an error */
void pg_listener_note(struct pg_server *p, const uint8_t *at, size_t n); /* a whole NotificationResponse */
void pg_listener_apart(struct server *sv, const struct fault *f);
/* engine_own.c: asks it; then pg_listener_done(), unless it is lost, which may be within the call. */
void pg_listener_run(struct pg_server *p, const char *sql);

#endif
