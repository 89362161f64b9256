/* tls_ctx.c - TLS contexts from settings and files: which hold now, and all that can be wrong with them. */
#include "net/tls_int.h"

#include "core/str.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX         (16u << 20)
#define CLIENT_CHAIN_MAX (32u << 10) /* bytes of certificates that a client may show before it is known */

static const char *const side_name[] = { "client", "server" };
static const unsigned char alpn[] = "\012postgresql";

/* What holds, and what was prepared. NULL: disabled. */
static struct tls_ctx *now[2], *next[2];
static enum tls_mode mode_now[2], mode_next[2];
static bool has_next;
static uint64_t last_id;

struct tls_ctx *tls_ctx_ref(struct tls_ctx *c)
{
	c->refs++;
	return c;
}

void tls_ctx_put(struct tls_ctx *c)
{
	if (!c || --c->refs)
		return;
	SSL_CTX_free(c->ssl_ctx);
	free(c);
}

const char *tls_lib_error(char *out, size_t cap)
{
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	if (reason)
		str_fmt(out, cap, "%s", reason);
	else if (code && ERR_SYSTEM_ERROR(code))
		str_fmt(out, cap, "%s", strerror(ERR_GET_REASON(code)));
	else if (code)
		str_fmt(out, cap, "error %lX of the TLS library", code);
	else
		str_fmt(out, cap, "%s", "");
	ERR_clear_error();
	return out;
}

/* --- Words */

bool tls_parse_protocols(const char *text, unsigned *bits)
{
	static const struct {
		const char *word;
		unsigned bits;
	} words[] = {
		{ "all", 15 },    { "legacy", 15 }, { "default", 12 }, { "secure", 12 }, { "tlsv1", 15 },
		{ "tlsv1.0", 1 }, { "tlsv1.1", 2 }, { "tlsv1.2", 4 },  { "tlsv1.3", 8 },
	};
	static const char between[] = ",: \t";
	unsigned got = 0;
	bool first = true;
	for (const char *at = text + strspn(text, between); *at; at += strspn(at, between)) {
		size_t len = strcspn(at, between);
		bool minus = *at == '!';
		char word[16];
		unsigned these = 0;
		if (str_copy_n(word, sizeof word, at + minus, len - minus))
			for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
				if (str_eq_nocase(word, words[i].word))
					these = words[i].bits;
		if (!these)
			return false;
		if (minus && first)
			got = 15;
		got = minus ? got & ~these : got | these;
		first = false;
		at += len;
	}
	*bits = got;
	return got != 0;
}

/* A fault of one setting: "client_tls_key_file: ...". */
static bool at_fault(struct fault *f, enum tls_side side, const char *setting, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static bool at_fault(struct fault *f, enum tls_side side, const char *setting, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	str_vfmt(text, sizeof text, fmt, ap);
	va_end(ap);
	ERR_clear_error();
	return fault_set(f, FAULT_CONFIG, "%s_%s: %s", side_name[side], setting, text);
}

static bool no_memory(struct fault *f)
{
	return fault_set(f, FAULT_NOMEM, "out of memory");
}

static bool set_protocols(SSL_CTX *ctx, enum tls_side side, const char *text, struct fault *f)
{
	static const struct {
		int version;
		uint64_t off;
	} versions[] = { { TLS1_VERSION, SSL_OP_NO_TLSv1 },
			 { TLS1_1_VERSION, SSL_OP_NO_TLSv1_1 },
			 { TLS1_2_VERSION, SSL_OP_NO_TLSv1_2 },
			 { TLS1_3_VERSION, SSL_OP_NO_TLSv1_3 } };
	unsigned bits;
	int least = 0, most = 0;
	if (!tls_parse_protocols(text, &bits))
		return at_fault(f, side, "tls_protocols",
				"\"%.60s\" is not a list of tlsv1.0, tlsv1.1, tlsv1.2, tlsv1.3, or one of all, secure, "
				"legacy",
				text);
	for (size_t i = 0; i < 4; i++) {
		if (!(bits & 1u << i)) {
			SSL_CTX_set_options(ctx, versions[i].off);
			continue;
		}
		least = least ? least : versions[i].version;
		most = versions[i].version;
	}
	return (SSL_CTX_set_min_proto_version(ctx, least) && SSL_CTX_set_max_proto_version(ctx, most)) ||
	       at_fault(f, side, "tls_protocols", "the TLS library does not support \"%.60s\"", text);
}

static bool is_word(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (str_eq_nocase(text, *words))
			return true;
	return false;
}

static bool set_ciphers(SSL_CTX *ctx, enum tls_side side, const struct tls_conf *c, struct fault *f)
{
	static const char *const library[] = { "", "default", "secure", "fast", "normal", NULL };
	static const char *const compat[] = { "compat", "legacy", NULL };
	static const char *const all[] = { "all", "insecure", NULL };
	const char *list = is_word(c->ciphers, library)  ? NULL
			   : is_word(c->ciphers, compat) ? "HIGH:+3DES:!aNULL"
			   : is_word(c->ciphers, all)    ? "ALL:!aNULL:!eNULL"
							 : c->ciphers;
	bool no_ecdh = str_eq_nocase(c->ecdhcurve, "none"), no_dh = str_eq_nocase(c->dheparams, "none");
	struct sb full = { .max = 100000 };
	sb_add(&full, list ? list : OSSL_default_cipher_list());
	if (no_ecdh)
		sb_add(&full, ":!kECDHE");
	if (no_dh)
		sb_add(&full, ":!kDHE");
	bool ok = full.bad ? no_memory(f)
			   : (!list && !no_ecdh && !no_dh) || SSL_CTX_set_cipher_list(ctx, sb_str(&full)) ||
				     at_fault(f, side, "tls_ciphers",
					      "no cipher of \"%.100s\" is known to the TLS library", c->ciphers);
	sb_free(&full);
	if (ok && *c->ciphers13 && !SSL_CTX_set_ciphersuites(ctx, c->ciphers13))
		ok = at_fault(f, side, "tls13_ciphers", "no cipher of \"%.100s\" is known to the TLS library",
			      c->ciphers13);
	return ok;
}

static bool set_key_exchange(SSL_CTX *ctx, enum tls_side side, const struct tls_conf *c, struct fault *f)
{
	if (str_eq_nocase(c->dheparams, "auto"))
		SSL_CTX_set_dh_auto(ctx, 1);
	else if (str_eq_nocase(c->dheparams, "legacy"))
		SSL_CTX_set_dh_auto(ctx, 2); /* 1024 bits */
	else if (!str_eq_nocase(c->dheparams, "none"))
		return at_fault(f, side, "tls_dheparams", "\"%.40s\" is not one of auto, none, legacy", c->dheparams);
	if (str_eq_nocase(c->ecdhcurve, "auto") || str_eq_nocase(c->ecdhcurve, "none"))
		return true;
	return SSL_CTX_set1_groups_list(ctx, c->ecdhcurve) ||
	       at_fault(f, side, "tls_ecdhcurve", "\"%.100s\" is not a curve that the TLS library knows, auto or none",
			c->ecdhcurve);
}

/* --- Files */

/* Mixes a file into the digest; what it is read for is also to say early, and in the kernel's words, that it cannot be.
 */
static bool digest_file(EVP_MD_CTX *md, enum tls_side side, const char *setting, const char *path, struct fault *f)
{
	char bytes[4096];
	size_t total = 0;
	ssize_t n;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return at_fault(f, side, setting, "\"%.200s\": %s", path, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return at_fault(f, side, setting, "\"%.200s\" is not a file", path);
	}
	bool ok = true;
	while (ok && (n = read(fd, bytes, sizeof bytes)) > 0) {
		total += (size_t)n;
		ok = EVP_DigestUpdate(md, bytes, (size_t)n) == 1 && total <= FILE_MAX;
	}
	str_wipe(bytes, sizeof bytes);
	int err = errno;
	close(fd);
	if (n < 0)
		return at_fault(f, side, setting, "\"%.200s\": %s", path, strerror(err));
	return ok || at_fault(f, side, setting, "\"%.200s\" is too long", path);
}

static bool digest(const struct tls_conf *c, enum tls_side side, uint8_t out[TLS_DIGEST_LEN], struct fault *f)
{
	const char *const texts[] = { c->key_file, c->cert_file, c->ca_file,   c->protocols,
				      c->ciphers,  c->ciphers13, c->dheparams, c->ecdhcurve };
	static const char *const files[] = { "tls_key_file", "tls_cert_file", "tls_ca_file" };
	uint8_t mode = (uint8_t)c->mode;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(md, &mode, 1) == 1;
	for (size_t i = 0; ok && i < sizeof texts / sizeof texts[0]; i++)
		ok = EVP_DigestUpdate(md, texts[i], strlen(texts[i]) + 1) == 1;
	if (!ok) {
		EVP_MD_CTX_free(md);
		return no_memory(f);
	}
	for (size_t i = 0; ok && i < sizeof files / sizeof files[0]; i++)
		ok = !*texts[i] || digest_file(md, side, files[i], texts[i], f);
	if (ok && EVP_DigestFinal_ex(md, out, NULL) != 1)
		ok = no_memory(f);
	EVP_MD_CTX_free(md);
	return ok;
}

/* Nobody is there to type a passphrase, and the loop does not wait for one. */
static int no_passphrase(char *buf, int size, int for_writing, void *arg)
{
	(void)buf, (void)size, (void)for_writing, (void)arg;
	return 0;
}

static bool set_key(SSL_CTX *ctx, enum tls_side side, const struct tls_conf *c, struct fault *f)
{
	char why[120];
	if (!*c->key_file && !*c->cert_file)
		return side == TLS_SERVERS || at_fault(f, side, "tls_sslmode",
						       "to allow TLS connections from clients, client_tls_key_file and "
						       "client_tls_cert_file must be set");
	if (!*c->key_file || !*c->cert_file)
		return at_fault(f, side, *c->key_file ? "tls_cert_file" : "tls_key_file",
				"not set, but the %s is: it takes both", *c->key_file ? "key" : "certificate");
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, c->cert_file) != 1)
		return at_fault(f, side, "tls_cert_file", "\"%.200s\" cannot be used: %s", c->cert_file,
				tls_lib_error(why, sizeof why));
	const X509 *cert = SSL_CTX_get0_certificate(ctx);
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		return at_fault(f, side, "tls_cert_file", "the certificate in \"%.200s\" has expired", c->cert_file);
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
		return at_fault(f, side, "tls_cert_file", "the certificate in \"%.200s\" is not valid yet",
				c->cert_file);
	if (SSL_CTX_use_PrivateKey_file(ctx, c->key_file, SSL_FILETYPE_PEM) != 1) {
		unsigned long code = ERR_peek_error(), last = ERR_peek_last_error();
		if (ERR_GET_REASON(last) == X509_R_KEY_VALUES_MISMATCH ||
		    ERR_GET_REASON(last) == X509_R_KEY_TYPE_MISMATCH)
			return at_fault(f, side, "tls_key_file",
					"\"%.200s\" is not the key of the certificate in \"%.150s\"", c->key_file,
					c->cert_file);
		if (ERR_GET_REASON(code) == PEM_R_BAD_PASSWORD_READ || ERR_GET_REASON(last) == PEM_R_BAD_PASSWORD_READ)
			return at_fault(f, side, "tls_key_file",
					"\"%.200s\" is locked by a passphrase, which nobody could be asked for",
					c->key_file);
		return at_fault(f, side, "tls_key_file", "\"%.200s\" cannot be used: %s", c->key_file,
				tls_lib_error(why, sizeof why));
	}
	if (SSL_CTX_check_private_key(ctx) != 1)
		return at_fault(f, side, "tls_key_file", "\"%.200s\" is not the key of the certificate in \"%.150s\"",
				c->key_file, c->cert_file);
	return true;
}

static bool set_authorities(SSL_CTX *ctx, enum tls_side side, const struct tls_conf *c, struct fault *f)
{
	bool verifies = c->mode >= TLS_VERIFY_CA;
	char why[120];
	if (*c->ca_file) {
		if (SSL_CTX_load_verify_file(ctx, c->ca_file) != 1)
			return at_fault(f, side, "tls_ca_file", "\"%.200s\" cannot be used: %s", c->ca_file,
					tls_lib_error(why, sizeof why));
	} else if (verifies && SSL_CTX_set_default_verify_paths(ctx) != 1) {
		return at_fault(f, side, "tls_ca_file", "not set, and the system's own authorities cannot be used: %s",
				tls_lib_error(why, sizeof why));
	}
	if (!verifies)
		return true;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (side == TLS_CLIENTS) {
		SSL_CTX_set_max_cert_list(ctx, CLIENT_CHAIN_MAX);
		if (*c->ca_file) {
			STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(c->ca_file);
			if (names)
				SSL_CTX_set_client_CA_list(ctx, names);
			ERR_clear_error();
		}
	}
	return true;
}

/* --- Contexts */

/* A client that asks for protocols by name must ask for ours: else what it says is meant for somebody else. */
static int pick_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
			 unsigned in_len, void *arg)
{
	(void)ssl, (void)arg;
	unsigned char *picked = NULL;
	if (SSL_select_next_proto(&picked, out_len, alpn, sizeof alpn - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = picked;
	return SSL_TLSEXT_ERR_OK;
}

static bool set_sessions(SSL_CTX *ctx, enum tls_side side, const struct tls_conf *c, struct tls_ctx *x)
{
	if (side == TLS_SERVERS) {
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, tls_on_session);
		return true;
	}
	/* Tickets only, which the client keeps for us. None where the certificate is who the client is: that is looked
	 * at anew each time. */
	static const unsigned char name[] = "sluice";
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	x->tickets = c->mode < TLS_VERIFY_CA;
	if (!x->tickets)
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	return SSL_CTX_set_num_tickets(ctx, 0) == 1 && /* tls_write() has it made */
	       SSL_CTX_set_session_id_context(ctx, name, sizeof name - 1) == 1;
}

static bool set_all(struct tls_ctx *x, enum tls_side side, const struct tls_conf *c, struct fault *f)
{
	SSL_CTX *ctx = x->ssl_ctx;
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (side == TLS_CLIENTS)
		SSL_CTX_set_alpn_select_cb(ctx, pick_protocol, NULL);
	else if (SSL_CTX_set_alpn_protos(ctx, alpn, sizeof alpn - 1) != 0) /* 0 is success here */
		return no_memory(f);
	if (!set_sessions(ctx, side, c, x))
		return no_memory(f);
	return set_protocols(ctx, side, c->protocols, f) && set_ciphers(ctx, side, c, f) &&
	       set_key_exchange(ctx, side, c, f) && set_key(ctx, side, c, f) && set_authorities(ctx, side, c, f);
}

/* The context for this configuration, with a reference; *out NULL when it is disabled. */
static bool make(enum tls_side side, const struct tls_conf *c, struct tls_ctx **out, struct fault *f)
{
	uint8_t made_of[TLS_DIGEST_LEN];
	*out = NULL;
	if (c->mode == TLS_DISABLE)
		return true;
	if (!digest(c, side, made_of, f))
		return false;
	if (now[side] && memcmp(now[side]->made_of, made_of, sizeof made_of) == 0) {
		*out = tls_ctx_ref(now[side]);
		return true;
	}
	struct tls_ctx *x = calloc(1, sizeof *x);
	if (!x)
		return no_memory(f);
	x->refs = 1;
	x->side = side;
	x->mode = c->mode;
	x->id = ++last_id;
	memcpy(x->made_of, made_of, sizeof made_of);
	x->ssl_ctx = SSL_CTX_new(side == TLS_CLIENTS ? TLS_server_method() : TLS_client_method());
	if (!x->ssl_ctx)
		(void)no_memory(f);
	if (!x->ssl_ctx || !set_all(x, side, c, f)) {
		tls_ctx_put(x);
		ERR_clear_error();
		return false;
	}
	if (side == TLS_CLIENTS)
		x->end_point_len = tls_end_point_of(SSL_CTX_get0_certificate(x->ssl_ctx), x->end_point);
	ERR_clear_error(); /* what was tried and did not matter */
	*out = x;
	return true;
}

static void drop_next(void)
{
	for (int i = 0; i < 2; i++) {
		tls_ctx_put(next[i]);
		next[i] = NULL;
	}
	has_next = false;
}

bool tls_prepare(const struct tls_conf *clients, const struct tls_conf *servers, struct fault *f)
{
	drop_next();
	if (!make(TLS_CLIENTS, clients, &next[TLS_CLIENTS], f) || !make(TLS_SERVERS, servers, &next[TLS_SERVERS], f)) {
		drop_next();
		return false;
	}
	mode_next[TLS_CLIENTS] = clients->mode;
	mode_next[TLS_SERVERS] = servers->mode;
	has_next = true;
	return true;
}

bool tls_commit(void)
{
	if (!has_next)
		return false;
	bool changed = next[TLS_SERVERS] != now[TLS_SERVERS];
	for (int i = 0; i < 2; i++) {
		tls_ctx_put(now[i]);
		now[i] = next[i];
		next[i] = NULL;
		mode_now[i] = mode_next[i];
	}
	has_next = false;
	return changed;
}

void tls_forget(void)
{
	drop_next();
	for (int i = 0; i < 2; i++) {
		tls_ctx_put(now[i]);
		now[i] = NULL;
		mode_now[i] = TLS_DISABLE;
	}
}

struct tls_ctx *tls_now(enum tls_side side)
{
	return now[side];
}

enum tls_mode tls_mode_now(enum tls_side side)
{
	return mode_now[side];
}
