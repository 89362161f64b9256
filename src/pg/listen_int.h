/* listen_int.h - what a listener (listener.c) and its clients (listen.c) know of each other. */
#ifndef SLUICE_PG_LISTEN_INT_H
#define SLUICE_PG_LISTEN_INT_H

#include "core/deadline.h"
#include "core/loop.h"
#include "pg/listen.h"
#include "pg/pg_int.h"

/* A channel that somebody wants, or the server still listens to. */
struct channel {
	struct map_node node;
	struct pg_listener *listener;
	struct list in_work; /* of those to be told to the server, or being told; alone mostly */
	struct list subs;
	bool is_listened; /* by the server, for sure */
	bool is_asked;    /* it is being told */
	uint8_t len;
	char name[SQL_IDENT_MAX + 1];
};

/* A client's interest in a channel. */
struct sub {
	struct map_node node; /* listener->subs */
	struct list in_channel, in_client;
	struct channel *channel;
	struct pg_listens *client;
	bool on; /* its LISTEN is committed */
};

/* Somebody waits for the listener to be brought up to date. */
struct wait {
	struct list in_line; /* alone: it does not wait */
	struct deadline deadline;
	uint64_t ticket;
	void (*over)(struct wait *w, bool ok); /* it waits no more */
};

/* One for a database: db->listener. Owner: itself; it goes when it has neither clients nor a server. */
struct pg_listener {
	struct database *db;
	struct server *server; /* apart; NULL: it is to be opened, when due */
	bool is_up;            /* logged in */
	bool is_busy;          /* what it was asked is not answered, */
	bool is_last;          /* and was all that there was to tell */
	bool is_encoded;       /* its client_encoding is ours */
	struct map channels, subs;
	struct list dirty, asked;    /* channels: to be told; being told */
	struct list clients, linked; /* pg_listens: all; those that are certified */
	struct list waiting;
	uint32_t nclients;
	const struct istr *encoding; /* counted: its clients' */
	/* What is asked is numbered. `wanted` is the last number that somebody waits for; what has number n tells the
	 * server all that was to be told before. */
	uint64_t wanted, sent, done;
	uint64_t retry_ms, backoff_ms, tried_ms, sent_ms, heard_ms, unused_ms;
	/* Wall clock: last heard; found to be lost (0: it is not), and last heard before. */
	uint64_t heard_us, lost_us, lost_heard_us;
	struct deadline deadline;
	struct task pump_task;
};

/* A message that waits for several clients. Counted. */
struct note {
	uint32_t refs, len;
	uint8_t bytes[];
};

struct held {
	struct held *next;
	struct note *note;
	bool is_own;   /* the client's own: it goes with its own process id */
	bool is_early; /* it came before the client's LISTEN was known to be committed */
};

/* Something said in the transaction under way. */
struct action {
	struct sub *sub; /* NULL: all */
	bool on;
};

struct pg_listens {
	struct pg_client *client;
	struct pg_listener *listener;
	struct list in_listener, in_linked;
	struct list subs;
	struct action *actions; /* owned */
	uint32_t nsubs, noff;   /* all; and those that are not on */
	uint32_t nactions, cap;
	struct held *first, **last; /* owned */
	size_t held_bytes;
	struct wait ahead, ready; /* its message; its server's ReadyForQuery */
	bool gave_up;             /* the listener could not be had for the message that waits */
	bool has_notified;        /* in this transaction, */
	bool must_wait;           /* which is committed: the listener has to tell of it first */
};

/* Notified of: a message, and what is known of it. */
struct notified {
	const uint8_t *at;
	size_t n;
	bool is_ascii;
	const struct pg_listens *own; /* whose it is, if that is known */
	struct note *note;            /* made when it is needed */
};

/* --- listener.c */
/* That of the client's database, made where there is none; NULL: it cannot be had for this client. */
struct pg_listener *pg_listener_for(struct pg_client *c);
void pg_listener_join(struct pg_listener *l, struct pg_listens *k);
void pg_listener_part(struct pg_listens *k); /* may free the listener */
/* Found or made; NULL: out of memory. Without any sub it goes at the end of the turn. */
struct channel *pg_channel_get(struct pg_listener *l, const char *name);
struct channel *pg_channel_find(const struct pg_listener *l, const char *name, size_t len);
void pg_channel_changed(struct channel *ch); /* it got its first sub, or lost its last */
/* w waits for the next time that it is up to date with all that is wanted now, at most ms. */
void pg_listener_wait(struct pg_listener *l, struct wait *w, uint64_t ms);
void wait_init(struct wait *w, void (*over)(struct wait *w, bool ok));
void wait_cancel(struct wait *w);

/* --- listen.c */
struct sub *pg_sub_find(const struct pg_listener *l, const struct channel *ch, const struct pg_listens *k);
void pg_sub_notify(struct sub *sub, struct notified *n); /* may close its client */

#endif
