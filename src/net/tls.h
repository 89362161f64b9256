/* tls.h - TLS by OpenSSL: contexts made from settings, and the connections that use them.
 * A connection here is pure: it is fed ciphertext and gives plaintext, it takes plaintext and hands out ciphertext; the
 * socket is net/stream.c's, which is also the only caller of the second half of this file. No renegotiation, no
 * compression, no early data. All on the loop's thread; OpenSSL's types stay in tls.c and tls_ctx.c. */
#ifndef SLUICE_NET_TLS_H
#define SLUICE_NET_TLS_H

#include "core/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the library gets its memory: without it an idle client costs up to twice as much. Before anything else of the
 * library's is used, auth/crypto.h too: later it does nothing. */
void tls_mem_begin(void);

/* --- Contexts */

/* In the order of the words of client_tls_sslmode and server_tls_sslmode. */
enum tls_mode { TLS_DISABLE, TLS_ALLOW, TLS_PREFER, TLS_REQUIRE, TLS_VERIFY_CA, TLS_VERIFY_FULL };
/* Clients connect to us; we connect to servers. */
enum tls_side { TLS_CLIENTS, TLS_SERVERS };

/* Values of the settings client_tls_*, or server_tls_*; texts are never NULL. */
struct tls_conf {
	enum tls_mode mode;
	const char *key_file, *cert_file, *ca_file;
	const char *protocols, *ciphers, *ciphers13, *dheparams, *ecdhcurve;
};

struct tls_ctx; /* counted */

/* Makes the contexts for both sides and keeps them aside; a context that would be the same, files' contents included,
 * is the one that is in use. FAULT_CONFIG says which setting is at fault; FAULT_NOMEM. */
bool tls_prepare(const struct tls_conf *clients, const struct tls_conf *servers, struct fault *f);
/* What was prepared last holds for new connections from now on; those there are keep what they have. True: the server
 * side is not what it was. Nothing prepared: nothing happens. */
bool tls_commit(void);
/* Gives back all that this module holds; connections' own references apart. */
void tls_forget(void);
/* The context in use, borrowed; NULL when that side's mode is disable. */
struct tls_ctx *tls_now(enum tls_side side);
enum tls_mode tls_mode_now(enum tls_side side);

struct tls_ctx *tls_ctx_ref(struct tls_ctx *c);
void tls_ctx_put(struct tls_ctx *c); /* NULL is fine */

/* "secure", "all", "tlsv1.2,tlsv1.3", ...: a bit for each version, 1 << 0 being TLS 1.0. False: unknown word, or none.
 */
bool tls_parse_protocols(const char *text, unsigned *bits);

/* The session that a server gave us last, with which the next handshake is shorter. Zeroed: none. */
struct tls_ticket {
	void *session;
	uint64_t ctx_id; /* of the context that it belongs to */
};
void tls_ticket_drop(struct tls_ticket *t);

/* --- What may be asked about a connection; t may be NULL (not encrypted) or in its handshake in all of them. */
struct tls;

bool tls_is_up(const struct tls *t); /* the handshake is through */
#define TLS_TEXT_MAX 96
/* "TLSv1.3/TLS_AES_256_GCM_SHA384", or "". */
const char *tls_text(const struct tls *t, char out[TLS_TEXT_MAX]);
/* The common name of the peer's certificate. False when there is no certificate, none that a CA of ours vouches for, or
 * no name in it that could be told. */
bool tls_peer_cn(const struct tls *t, char *out, size_t cap);
/* Channel binding data of the type tls-server-end-point (RFC 5929): a hash of the certificate of whoever is the TLS
 * server. False when there is none, or its signature algorithm defines no hash. */
#define TLS_END_POINT_MAX 64u
bool tls_server_end_point(const struct tls *t, uint8_t out[TLS_END_POINT_MAX], size_t *n);
/* Was the handshake a short one, thanks to a ticket? */
bool tls_is_resumed(const struct tls *t);
struct tls_ctx *tls_ctx_of(const struct tls *t); /* borrowed */

/* --- For net/stream.c */

/* Takes ciphertext that is to leave; false when out of memory. */
typedef bool tls_put_cb(void *arg, const uint8_t *p, size_t n);

struct tls_start {
	struct tls_ctx *ctx;
	const char *host;          /* servers: the name that we connected to, for SNI and verify-full; or an address */
	struct tls_ticket *ticket; /* servers: where sessions are kept, or NULL; outlives the connection */
	bool needs_alpn;           /* clients: one that does not ask for "postgresql" is refused */
};

/* NULL when out of memory. */
struct tls *tls_new(const struct tls_start *how, tls_put_cb *put, void *arg);
void tls_free(struct tls *t); /* NULL is fine */
/* n bytes of ciphertext, consumed by the calls that follow; borrowed until one of them says that it wants more. 0: what
 * is left is forgotten. */
void tls_feed(struct tls *t, const void *p, size_t n);
enum tls_got { TLS_MORE /* wants more ciphertext */, TLS_OK, TLS_END /* the peer said goodbye */, TLS_FAILED };
/* Goes on with the handshake; TLS_OK: it is through. TLS_FAILED: f says why, and an alert may have been put. */
enum tls_got tls_handshake(struct tls *t, struct fault *f);
/* Decrypts what was fed. Room: at least what was fed and TLS_RECORD_MAX. *n is set whatever comes back, but never
 * TLS_OK. */
enum tls_got tls_read(struct tls *t, uint8_t *out, size_t cap, size_t *n, struct fault *f);
#define TLS_RECORD_MAX (17u << 10) /* bytes of a record, all told */
#define TLS_PLAIN_MAX  (16u << 10) /* plaintext in it */
/* Encrypts; false when it cannot, and the connection is of no use any more. */
bool tls_write(struct tls *t, const void *p, size_t n);
/* Puts our goodbye, unless the peer has said its own. */
void tls_bye(struct tls *t);

#endif
