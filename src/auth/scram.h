/* scram.h - SCRAM-SHA-256 in both roles, pure: bytes in, bytes out, a verdict. RFC 5802, RFC 7677; PostgreSQL's use of
 * it: "SASL Authentication" in the Frontend/Backend Protocol chapter. Channel binding is tls-server-end-point (RFC
 * 5929), with the mechanism SCRAM-SHA-256-PLUS. All lengths are bounded: a message over SCRAM_MSG_MAX is an error, and
 * so is a server that asks for more than SCRAM_ITER_MAX iterations of a password. The calls of a role come in the order
 * given here, each once, and none after one that failed (an assertion); FAULT_INTERNAL from any of them when the
 * cryptographic library gives up. */
#ifndef SLUICE_AUTH_SCRAM_H
#define SLUICE_AUTH_SCRAM_H

#include "auth/secret.h"
#include "core/fault.h"

#define SCRAM_MSG_MAX   1024u
#define SCRAM_NONCE_MAX 256u

/* What both ends of a TLS connection know and nobody in between can make theirs: a hash of the server's certificate. */
struct scram_binding {
	size_t len;
	uint8_t data[64];
};

/* --- We are the server: a client proves itself. */
struct scram_server {
	struct secret *secret;               /* borrowed until the exchange ends: what is recovered goes there */
	bool is_mock;                        /* unknown user: goes through the motions, then fails */
	bool is_plus;                        /* the client chose SCRAM-SHA-256-PLUS */
	const struct scram_binding *binding; /* borrowed; NULL: PLUS was not offered */
	uint8_t state;
	char nonce[SCRAM_NONCE_MAX + 1];    /* client's + ours */
	char first_bare[SCRAM_MSG_MAX + 1]; /* client-first-message-bare */
	char server_first[SCRAM_MSG_MAX + 1];
	char gs2[32];
	uint8_t nkeys;             /* whose; 0 for a mock */
	struct scram_keys keys[2]; /* as they were when it began; the rest: keys that nobody has */
};

/* secret NULL, or one without usable keys: a mock exchange, with a salt that is always the same for this user name, so
 * that nobody learns who exists. False: out of memory. */
bool scram_server_init(struct scram_server *s, struct secret *secret, const char *user);
/* Before the first message, when it may be a mock: with how many iterations, else as many as keys are made with here.
 */
void scram_server_mock(struct scram_server *s, uint32_t iterations);
/* Before the first message: what PLUS was offered with (NULL: it was not), and whether the client chose it. */
void scram_server_bind(struct scram_server *s, const struct scram_binding *binding, bool is_plus);
/* client-first-message -> server-first-message (NUL-terminated, out of SCRAM_MSG_MAX + 1 bytes). FAULT_PROTO when
 * malformed, and when a client that could bind says that we could not, though PLUS was offered: somebody in between
 * took it out of the offer. */
bool scram_server_first(struct scram_server *s, const void *in, size_t len, char *out, struct fault *f);
/* client-final-message -> server-final-message. FAULT_PROTO when malformed, FAULT_AUTH when the proof is wrong (no more
 * is said). On success the client key is recovered into the secret's door keys, and into its engine keys, unless the
 * secret has become another one since: who knows one that was valid when the exchange began is let in. */
bool scram_server_final(struct scram_server *s, const void *in, size_t len, char *out, struct fault *f);

/* --- We are the client: we prove ourselves to a server. */
struct scram_client {
	struct secret *secret; /* borrowed; its engine keys are derived and kept */
	uint8_t state;
	char nonce[64];
	bool is_plus;
	const struct scram_binding *binding; /* borrowed; NULL: there is nothing to bind to */
	char first_bare[128];
	uint8_t server_signature[SCRAM_KEY_LEN];
};

/* is_plus: the server offers PLUS, which binding must not be NULL for, and it was chosen. */
bool scram_client_first(struct scram_client *c, struct secret *secret, const struct scram_binding *binding,
			bool is_plus, char *out, struct fault *f);
/* server-first-message -> client-final-message. FAULT_PROTO; FAULT_AUTH when the secret cannot do it. */
bool scram_client_final(struct scram_client *c, const void *in, size_t len, char *out, struct fault *f);
/* server-final-message: is it the server that knows our verifier? FAULT_AUTH when not. */
bool scram_client_verify(struct scram_client *c, const void *in, size_t len, struct fault *f);

#endif
