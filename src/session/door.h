/* door.h - what a protocol's door offers to the session: the client's side of a protocol. */
#ifndef SLUICE_SESSION_DOOR_H
#define SLUICE_SESSION_DOOR_H

#include "core/fault.h"
#include "core/rd.h"

#include <stdbool.h>
#include <stdint.h>

struct session;
struct server;
struct server_heard;
struct varset;

struct door_ops {
	const char *name; /* "postgres": also of the engine whose databases its clients may use, and of no other */
	struct session *(*make)(void);   /* zeroed; NULL when out of memory */
	void (*free)(struct session *s); /* also whatever the door keeps for it */
	/* It is there. NULL: nothing is said before the client speaks. */
	void (*greet)(struct session *s);
	/* The client said something. Consumes what it can; what has to wait (for a server) is left in `in`. */
	void (*on_bytes)(struct session *s, struct rd *in);
	/* Login is complete, and s->vars is set: tell the client that it is in. reported: what its servers told at
	 * their own login; NULL where there are none. */
	void (*on_welcome)(struct session *s, const struct varset *reported);
	/* Tell the client; after a fatal one the session is closed by the caller. */
	void (*tell)(struct session *s, const struct fault *f, bool is_fatal);
	/* A message that is no error, at any time between two others. */
	void (*notice)(struct session *s, const char *text);
	/* The statement that waits in the kept input is answered with this error, and so is what was sent behind it
	 * without waiting; the client stays, in step. */
	void (*refuse)(struct session *s, const struct fault *f);
	/* sv, which it was linked to, is gone (and still readable): all that it owed is answered with this error, and a
	 * transaction that was open has failed. False: the client cannot be kept in step, and is to be closed. */
	bool (*lost)(struct session *s, const struct server *sv, const struct fault *f);
	/* The open transaction, in which no answer is owed, was rolled back: the next statement hears why. False: out
	 * of memory. */
	bool (*fail_transaction)(struct session *s, const struct fault *f);
	/* A message of the client's has been passed on in part. */
	bool (*is_halfway)(const struct session *s);
	/* s->vars is what a server made of the client's settings; `was`: what the client believes. */
	void (*on_vars)(struct session *s, const struct varset *was);
	/* How many prepared statements the client has, as far as they are not its server's own. */
	uint32_t (*prepared)(const struct session *s);
	/* What the client calls itself; "": nothing. NULL: the setting application_name, if it has that. */
	const char *(*program)(const struct session *s);
	/* What it said, without its literals: sql/fingerprint.h. */
	size_t (*fingerprint)(const struct session *s, const struct server_heard *said, char *out, size_t cap);
	/* The client's stream has room again; the exchange goes on. */
	void (*on_drained)(struct session *s);
	/* Nothing is owed, no transaction is open, and what has kept its server is over: session_boundary(), now or
	 * when what has to be asked first is answered. NULL: nothing keeps its servers so (SESSION_PINS_SOFT). */
	void (*boundary)(struct session *s);
	/* It ends: the server that it may have is given back after this. */
	void (*leaves)(struct session *s);
};

#endif
