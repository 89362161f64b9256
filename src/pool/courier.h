/* courier.h - a few bytes that are brought on a connection of their own, to whoever closes it when they are taken: a
 * cancel request, to a server or to a peer.
 * All on the loop's thread. The callback fires once, from the loop, never inside courier_start(). */
#ifndef SLUICE_POOL_COURIER_H
#define SLUICE_POOL_COURIER_H

#include "core/deadline.h"
#include "net/stream.h"
#include "net/tls.h"
#include "pool/engine.h"

enum courier_end {
	COURIER_THROUGH,  /* they were taken: what they do is done */
	COURIER_NOT_SENT, /* not one of them has left */
	COURIER_UNKNOWN   /* they have left, and may have an effect yet */
};

/* The caller's memory, which stays put until the turn after the callback, or after courier_stop(). */
struct courier {
	struct stream stream;
	struct deadline deadline;
	void (*done)(struct courier *c, enum courier_end how, const struct fault *why); /* why: NULL when THROUGH */
	const struct engine_ops *ops;                                                   /* how TLS is asked for */
	struct addr *addrs; /* owned: those that are still to be tried; NULL mostly */
	uint32_t naddrs;
	uint64_t due_ms;     /* when it is to be through; 0: whenever */
	struct tls_ctx *ctx; /* counted; NULL: plain */
	char *host;          /* owned, with ctx */
	bool must_encrypt;   /* and never in plain */
	bool asked;          /* for TLS; the answer has not come */
	bool is_there;       /* it is connected */
	bool sent;
	size_t len;
	uint8_t bytes[ENGINE_BYTES_MAX];
};

/* Where to: the first of some addresses, from this one on in a circle, that takes a connection, or the socket file
 * `path`. ctx: encrypted, as `host`; with must_encrypt or not at all. */
struct courier_to {
	const struct addr *addrs;
	uint32_t naddrs, first;
	const char *path;
	const struct engine_ops *ops;
	struct tls_ctx *ctx;
	const char *host;
	bool must_encrypt;
};

/* ms: how long it may take, of which each address that does not answer has its share; 0: as long as it does. False: f
 * says why, and there will be no callback. */
bool courier_start(struct courier *c, const struct courier_to *to, const uint8_t *bytes, size_t n, uint64_t ms,
		   struct fault *f);
/* No callback fires any more. Harmless when it has fired. */
void courier_stop(struct courier *c);

#endif
