/* tls.c - one TLS connection: ciphertext in, plaintext out, and the other way round. RFC 8446, RFC 5246; RFC 5929 for
 * channel binding.
 * OpenSSL reads and writes through a BIO of ours that never blocks and never keeps anything: what it reads is the
 * stream's one read of the socket, what it writes goes to the stream, which sends all records of a turn at once. */
#include "net/tls_int.h"

#include "core/assert.h"
#include "core/str.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdlib.h>
#include <string.h>

#define GIVE_BACK_MIN 256u       /* connections */
#define GIVE_BACK_PAD (1u << 20) /* bytes that the heap's end keeps */

struct tls {
	SSL *ssl;                  /* owned */
	struct tls_ctx *ctx;       /* counted */
	struct tls_ticket *ticket; /* borrowed */
	tls_put_cb *put;
	void *arg;
	char *host; /* owned; until the handshake is through */
	bool up, needs_alpn, dead;
	bool owes_ticket; /* to a client; it leaves with the first data, which saves a system call */
};

/* Connections that there are, and the most since the allocator gave memory back. */
static size_t live, peak;

/* What the connection that is at work was fed. Nothing of it outlives the call, so there is one for all. */
static struct {
	const uint8_t *p;
	size_t n;
	bool starved; /* the library asked for more than there was: this, and not an error, is why it gave up */
} feed;

/* --- The BIO */

static int bio_write(BIO *b, const char *p, int n)
{
	struct tls *t = BIO_get_data(b);
	if (n > 0 && !t->put(t->arg, (const uint8_t *)p, (size_t)n))
		return -1;
	return n;
}

static int bio_read(BIO *b, char *out, int cap)
{
	size_t n = cap < 0 ? 0 : (size_t)cap;
	BIO_clear_retry_flags(b);
	if (feed.n == 0) {
		feed.starved = true;
		BIO_set_retry_read(b);
		return -1;
	}
	if (n > feed.n)
		n = feed.n;
	memcpy(out, feed.p, n);
	feed.p += n;
	feed.n -= n;
	return (int)n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b, (void)num, (void)ptr;
	return cmd == BIO_CTRL_FLUSH; /* there is nothing to flush, which is a success */
}

static BIO *make_bio(struct tls *t)
{
	static BIO_METHOD *method; /* for as long as the process lives */
	if (!method) {
		BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
		if (!m || !BIO_meth_set_write(m, bio_write) || !BIO_meth_set_read(m, bio_read) ||
		    !BIO_meth_set_ctrl(m, bio_ctrl)) {
			BIO_meth_free(m);
			return NULL;
		}
		method = m;
	}
	BIO *b = BIO_new(method);
	if (b) {
		BIO_set_data(b, t);
		BIO_set_init(b, 1);
	}
	return b;
}

/* --- Beginning and end */

static bool is_address(const char *host)
{
	ASN1_OCTET_STRING *a = a2i_IPADDRESS(host);
	ASN1_OCTET_STRING_free(a);
	if (!a)
		ERR_clear_error();
	return a != NULL;
}

static bool set_host(struct tls *t, const char *host)
{
	t->host = str_dup(host);
	return t->host && (is_address(host) || SSL_set_tlsext_host_name(t->ssl, host) == 1);
}

struct tls *tls_new(const struct tls_start *how, tls_put_cb *put, void *arg)
{
	struct tls *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	live++;
	if (peak < live)
		peak = live;
	t->ctx = tls_ctx_ref(how->ctx);
	t->put = put;
	t->arg = arg;
	t->ticket = how->ticket;
	t->needs_alpn = how->needs_alpn;
	t->ssl = SSL_new(t->ctx->ssl_ctx);
	BIO *b = t->ssl ? make_bio(t) : NULL;
	if (!b || (how->host && !set_host(t, how->host))) {
		BIO_free(b);
		tls_free(t);
		ERR_clear_error();
		return NULL;
	}
	SSL_set_bio(t->ssl, b, b);
	SSL_set_app_data(t->ssl, t);
	if (t->ctx->side == TLS_CLIENTS) {
		SSL_set_accept_state(t->ssl);
		return t;
	}
	SSL_set_connect_state(t->ssl);
	if (t->ticket && t->ticket->session) {
		if (t->ticket->ctx_id != t->ctx->id)
			tls_ticket_drop(t->ticket);
		else if (SSL_set_session(t->ssl, t->ticket->session) != 1)
			ERR_clear_error();
	}
	return t;
}

/* A connection is some 14 KB of the library's, in a dozen and a half pieces between those of others: the allocator
 * keeps them all. When half of many have gone it is asked to give whole pages back. That is a look at all that is free,
 * so it is done once for many. */
static void give_back(void)
{
	if (peak - live < GIVE_BACK_MIN || live > peak / 2)
		return;
	peak = live;
#ifdef __GLIBC__
	(void)malloc_trim(GIVE_BACK_PAD);
#endif
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	tls_ctx_put(t->ctx);
	free(t->host);
	free(t);
	live--;
	give_back();
}

void tls_ticket_drop(struct tls_ticket *k)
{
	SSL_SESSION_free(k->session);
	*k = (struct tls_ticket){ NULL, 0 };
}

int tls_on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *t = SSL_get_app_data(ssl);
	if (!t || !t->ticket || !SSL_SESSION_is_resumable(session))
		return 0;
	tls_ticket_drop(t->ticket);
	*t->ticket = (struct tls_ticket){ session, t->ctx->id };
	return 1; /* the reference is ours now */
}

/* --- The handshake */

static X509 *peer_cert(const struct tls *t)
{
	return SSL_get0_peer_certificate(t->ssl);
}

static bool cn_of(const X509 *cert, char *out, size_t cap)
{
	const X509_NAME *name = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char *utf8 = NULL;
	/* Of several the last is the most specific, but who has several has none that could be relied on. */
	if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
		return false;
	int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	/* A NUL inside would make two names of one. */
	bool ok = n > 0 && !memchr(utf8, 0, (size_t)n) && str_copy_n(out, cap, utf8, (size_t)n);
	OPENSSL_free(utf8);
	ERR_clear_error();
	return ok;
}

static bool has_alt_names(const X509 *cert)
{
	return X509_get_ext_by_NID(cert, NID_subject_alt_name, -1) >= 0;
}

/* As libpq: alternative names of the fitting kind; the common name only when there are no alternative names. */
static bool host_fits(X509 *cert, const char *host)
{
	char cn[256];
	if (!is_address(host))
		return X509_check_host(cert, host, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
	return X509_check_ip_asc(cert, host, 0) == 1 ||
	       (!has_alt_names(cert) && cn_of(cert, cn, sizeof cn) && strcmp(cn, host) == 0);
}

static enum tls_got refuse(struct tls *t, struct fault *f, const char *why)
{
	t->dead = true;
	fault_set(f, FAULT_IO, "TLS handshake failed: %s", why);
	return TLS_FAILED;
}

static enum tls_got handshake_error(struct tls *t, struct fault *f)
{
	char why[200], text[120];
	long verdict = SSL_get_verify_result(t->ssl);
	unsigned long code = ERR_peek_error();
	if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED &&
	    verdict != X509_V_OK) {
		str_fmt(why, sizeof why, "the certificate is not accepted: %s", X509_verify_cert_error_string(verdict));
		ERR_clear_error();
	} else {
		str_fmt(why, sizeof why, "%s", tls_lib_error(text, sizeof text));
		if (!why[0])
			str_fmt(why, sizeof why, "no reason known");
	}
	return refuse(t, f, why);
}

static enum tls_got handshake_done(struct tls *t, struct fault *f)
{
	const unsigned char *proto = NULL;
	unsigned len = 0;
	char why[400];
	if (t->needs_alpn) {
		SSL_get0_alpn_selected(t->ssl, &proto, &len);
		if (len == 0)
			return refuse(t, f, "direct TLS without the application protocol \"postgresql\" (ALPN)");
	}
	if (t->ctx->side == TLS_SERVERS && t->ctx->mode == TLS_VERIFY_FULL) {
		X509 *cert = peer_cert(t);
		if (!cert || !t->host || !host_fits(cert, t->host)) {
			str_fmt(why, sizeof why, "the server's certificate is not for the host \"%.200s\"",
				t->host ? t->host : "");
			ERR_clear_error();
			return refuse(t, f, why);
		}
	}
	free(t->host);
	t->host = NULL;
	t->up = true;
	t->owes_ticket = t->ctx->tickets;
	return TLS_OK;
}

void tls_feed(struct tls *t, const void *p, size_t n)
{
	(void)t;
	ASSERT(n == 0 || feed.n == 0);
	feed.p = p;
	feed.n = n;
}

enum tls_got tls_handshake(struct tls *t, struct fault *f)
{
	if (t->dead)
		return refuse(t, f, "it has failed already");
	ERR_clear_error(); /* of others, that our own is told */
	feed.starved = false;
	int rc = SSL_do_handshake(t->ssl);
	if (rc == 1)
		return handshake_done(t, f);
	if (feed.starved)
		return TLS_MORE;
	feed.n = 0;
	return handshake_error(t, f);
}

/* --- Data */

enum tls_got tls_read(struct tls *t, uint8_t *out, size_t cap, size_t *n, struct fault *f)
{
	char why[120];
	*n = 0;
	/* A call that would only find nothing more is saved; half a record stays with the library. */
	while (feed.n > 0 || SSL_pending(t->ssl) > 0) {
		size_t got = 0;
		feed.starved = false;
		if (cap == *n) {
			feed.n = 0;
			t->dead = true;
			fault_set(f, FAULT_INTERNAL, "TLS: more plaintext than there was ciphertext");
			return TLS_FAILED;
		}
		if (SSL_read_ex(t->ssl, out + *n, cap - *n, &got) == 1) {
			*n += got;
			continue;
		}
		feed.n = 0;
		if (feed.starved)
			break;
		if (SSL_get_error(t->ssl, 0) == SSL_ERROR_ZERO_RETURN)
			return TLS_END;
		t->dead = true;
		tls_lib_error(why, sizeof why);
		fault_set(f, FAULT_IO, "TLS: %s", why[0] ? why : "the connection broke");
		return TLS_FAILED;
	}
	return TLS_MORE;
}

bool tls_write(struct tls *t, const void *p, size_t n)
{
	const uint8_t *at = p;
	if (t->owes_ticket) { /* of TLS 1.3; before, they are part of the handshake */
		t->owes_ticket = false;
		(void)SSL_new_session_ticket(t->ssl);
	}
	while (n > 0) {
		size_t done = 0;
		if (t->dead || SSL_write_ex(t->ssl, at, n, &done) != 1) {
			t->dead = true;
			ERR_clear_error();
			return false;
		}
		at += done;
		n -= done;
	}
	return true;
}

void tls_bye(struct tls *t)
{
	/* A peer that has said its own mostly has closed already, and would answer with a reset. */
	if (t->dead || !t->up || SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN)
		return;
	if (SSL_shutdown(t->ssl) < 0)
		ERR_clear_error();
}

/* --- Questions */

bool tls_is_up(const struct tls *t)
{
	return t && t->up;
}

const char *tls_text(const struct tls *t, char out[TLS_TEXT_MAX])
{
	if (tls_is_up(t))
		str_fmt(out, TLS_TEXT_MAX, "%s/%s", SSL_get_version(t->ssl), SSL_get_cipher_name(t->ssl));
	else
		out[0] = 0;
	return out;
}

bool tls_peer_cn(const struct tls *t, char *out, size_t cap)
{
	const X509 *cert = tls_is_up(t) && t->ctx->mode >= TLS_VERIFY_CA ? peer_cert(t) : NULL;
	return cert && SSL_get_verify_result(t->ssl) == X509_V_OK && cn_of(cert, out, cap);
}

/* The hash of the certificate's own signature, but SHA-256 in place of MD5 and SHA-1. */
size_t tls_end_point_of(const X509 *cert, uint8_t out[TLS_END_POINT_MAX])
{
	unsigned len = 0;
	int hash = NID_undef;
	const EVP_MD *md = NULL;
	if (X509_get_signature_info((X509 *)(uintptr_t)cert, &hash, NULL, NULL, NULL) == 1 && hash != NID_undef)
		md = hash == NID_md5 || hash == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(hash);
	if (!md || (size_t)EVP_MD_get_size(md) > TLS_END_POINT_MAX || X509_digest(cert, md, out, &len) != 1)
		len = 0;
	ERR_clear_error();
	return len;
}

bool tls_server_end_point(const struct tls *t, uint8_t out[TLS_END_POINT_MAX], size_t *n)
{
	*n = 0;
	if (!tls_is_up(t))
		return false;
	if (t->ctx->side == TLS_CLIENTS) { /* the same for all of them: it takes the library 10 microseconds */
		*n = t->ctx->end_point_len;
		memcpy(out, t->ctx->end_point, *n);
	} else if (peer_cert(t)) {
		*n = tls_end_point_of(peer_cert(t), out);
	}
	return *n > 0;
}

bool tls_is_resumed(const struct tls *t)
{
	return tls_is_up(t) && SSL_session_reused(t->ssl);
}

struct tls_ctx *tls_ctx_of(const struct tls *t)
{
	return t ? t->ctx : NULL;
}
