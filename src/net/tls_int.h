/* tls_int.h - between tls.c and tls_ctx.c. */
#ifndef SLUICE_NET_TLS_INT_H
#define SLUICE_NET_TLS_INT_H

#include "net/tls.h"

#define TLS_DIGEST_LEN 32u

struct tls_ctx {
	uint32_t refs;
	enum tls_side side;
	enum tls_mode mode;
	uint64_t id;                          /* counts up, never reused */
	void *ssl_ctx;                        /* owned: SSL_CTX */
	uint8_t made_of[TLS_DIGEST_LEN];      /* SHA-256 of settings and files */
	bool tickets;                         /* clients get one */
	uint8_t end_point[TLS_END_POINT_MAX]; /* clients: of our own certificate, see tls_server_end_point() */
	size_t end_point_len;                 /* 0: there is none */
};

/* What the library says last went wrong, and forgets; "" when nothing. */
const char *tls_lib_error(char *out, size_t cap);
/* tls_mem.c, as the library calls them. */
void *tls_mem_get(size_t n, const char *file, int line);
void *tls_mem_resize(void *p, size_t n, const char *file, int line);
void tls_mem_put(void *p, const char *file, int line);

/* RFC 5929, 4.1. 0: the certificate's signature algorithm defines no hash. */
struct x509_st;
size_t tls_end_point_of(const struct x509_st *cert, uint8_t out[TLS_END_POINT_MAX]);
/* A server gave us a session. SSL_CTX's callback; tls.c. */
struct ssl_st;
struct ssl_session_st;
int tls_on_session(struct ssl_st *ssl, struct ssl_session_st *session);

#endif
