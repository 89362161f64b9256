/* tls_int.h - between tls.c and tls_ctx.c. */
#ifndef SLUICE_NET_TLS_INT_H
#define SLUICE_NET_TLS_INT_H

#include "net/tls.h"

#define TLS_DIGEST_LEN 32u

struct tls_ctx {
	uint32_t refs;
	enum tls_side side;
	enum tls_mode mode;
	uint64_t id;                     /* counts up, never reused */
	void *ssl_ctx;                   /* owned: SSL_CTX */
	uint8_t made_of[TLS_DIGEST_LEN]; /* SHA-256 of settings and files */
};

/* What the library says last went wrong, and forgets; "" when nothing. */
const char *tls_lib_error(char *out, size_t cap);
/* A server gave us a session. SSL_CTX's callback; tls.c. */
struct ssl_st;
struct ssl_session_st;
int tls_on_session(struct ssl_st *ssl, struct ssl_session_st *session);

#endif
