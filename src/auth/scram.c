/* scram.c - SCRAM-SHA-256, both roles: RFC 5802 (messages, section 7; keys, section 3), RFC 7677. */
#include "auth/scram.h"

#include "auth/b64.h"
#include "auth/crypto.h"
#include "auth/secret_int.h"
#include "core/assert.h"
#include "core/rd.h"
#include "core/str.h"

#include <string.h>

#define NONCE_BYTES 18u /* of ours, before base64: 24 characters */
#define NONCE_CHARS (B64_SIZE(NONCE_BYTES) - 1)

#define BINDING_TYPE  "tls-server-end-point"
#define BINDING_BYTES (32u + sizeof((struct scram_binding *)0)->data) /* with the gs2 header */
#define BINDING_CHARS B64_SIZE(BINDING_BYTES)

/* Of either role: which message is due. */
enum { START, FIRST_DONE, FINAL_DONE, OVER };

/* client-first-message-bare "," server-first-message "," client-final-message-without-proof */
#define AUTH_MESSAGE_MAX (3 * (SCRAM_MSG_MAX + 1))

/* One "x=value". */
struct attr {
	char name; /* '\0': there was none, or none that is well formed */
	const char *v;
	size_t len;
};

static bool bad_message(struct fault *f, const char *what)
{
	return fault_set(f, FAULT_PROTO, "malformed SCRAM message (%s)", what);
}

static bool bad_crypto(struct fault *f)
{
	return fault_set(f, FAULT_INTERNAL, "the cryptographic library failed");
}

static bool is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Takes an attribute and the comma behind it. A comma that nothing follows makes it malformed. */
static struct attr attr_next(struct rd *r)
{
	uint8_t name = rd_u8(r);
	if (rd_u8(r) != '=' || !is_letter(name))
		return (struct attr){ '\0', "", 0 };
	const uint8_t *comma = memchr(r->p, ',', rd_left(r));
	struct attr a = { (char)name, (const char *)r->p, comma ? (size_t)(comma - r->p) : rd_left(r) };
	rd_take(r, a.len);
	if (comma) {
		rd_take(r, 1);
		if (rd_left(r) == 0)
			a.name = '\0';
	}
	return a;
}

/* Takes what may follow where extensions are allowed, up to an attribute of the name `stop` ('\0': to the end), which
 * is left in *last. An attribute that RFC 5802 gives a meaning is none: it would be doubled, out of its place, or "m",
 * which asks for more than we can. */
static bool extensions(struct rd *r, char stop, struct attr *last)
{
	while (rd_left(r) > 0) {
		struct attr a = attr_next(r);
		if (a.name == '\0')
			return false;
		if (a.name == stop) {
			*last = a;
			return true;
		}
		if (strchr("anmrcspiev", a.name))
			return false;
	}
	return stop == '\0';
}

static bool starts(const struct attr *a, const char *prefix)
{
	return a->len >= strlen(prefix) && memcmp(a->v, prefix, strlen(prefix)) == 0;
}

/* RFC 5802's printable: a nonce is not empty, and ASCII without blanks and commas. */
static bool is_nonce(const struct attr *a)
{
	for (size_t i = 0; i < a->len; i++)
		if (a->v[i] < 0x21 || a->v[i] > 0x7e)
			return false;
	return a->len > 0;
}

/* A user name escapes "," as =2C and "=" as =3D, and has no other "=". */
static bool is_saslname(const struct attr *a)
{
	for (size_t i = 0; i < a->len; i++)
		if (a->v[i] == '=' && (a->len - i < 3 || (memcmp(a->v + i, "=2C", 3) && memcmp(a->v + i, "=3D", 3))))
			return false;
	return true;
}

static bool decode_key(const struct attr *a, uint8_t key[SCRAM_KEY_LEN])
{
	size_t len;
	return b64_decode(a->v, a->len, key, SCRAM_KEY_LEN, &len) && len == SCRAM_KEY_LEN;
}

/* What every message must be before it is looked into. */
static bool is_message(const void *in, size_t len, struct fault *f)
{
	if (len == 0 || len > SCRAM_MSG_MAX)
		return bad_message(f, len ? "too long" : "empty");
	if (memchr(in, 0, len))
		return bad_message(f, "a NUL in it");
	return true;
}

static bool add_nonce(char *out)
{
	uint8_t raw[NONCE_BYTES];
	if (!crypto_random(raw, sizeof raw))
		return false;
	b64_encode(raw, sizeof raw, out);
	return true;
}

/* Texts of a login, put together without printf's family: it would be most of their cost. What fits is known. */
static char *put(char *p, const char *s)
{
	size_t n = strlen(s);
	memcpy(p, s, n + 1);
	return p + n;
}

static char *put_number(char *p, uint32_t n)
{
	char digits[10];
	size_t k = 0;
	do
		digits[k++] = (char)('0' + n % 10);
	while (n /= 10);
	while (k)
		*p++ = digits[--k];
	*p = '\0';
	return p;
}

/* ClientSignature and ServerSignature of one exchange. */
static bool sign(const struct scram_keys *k, const char *client_first_bare, const char *server_first,
		 const void *without_proof, size_t without_proof_len, uint8_t client_sig[SCRAM_KEY_LEN],
		 uint8_t server_sig[SCRAM_KEY_LEN])
{
	char m[AUTH_MESSAGE_MAX];
	size_t n = (size_t)(put(put(put(put(m, client_first_bare), ","), server_first), ",") - m);
	ASSERT(without_proof_len <= sizeof m - n);
	memcpy(m + n, without_proof, without_proof_len);
	n += without_proof_len;
	return crypto_hmac_sha256(k->stored_key, SCRAM_KEY_LEN, m, n, client_sig) &&
	       crypto_hmac_sha256(k->server_key, SCRAM_KEY_LEN, m, n, server_sig);
}

static void xor_keys(uint8_t out[SCRAM_KEY_LEN], const uint8_t a[SCRAM_KEY_LEN], const uint8_t b[SCRAM_KEY_LEN])
{
	for (size_t i = 0; i < SCRAM_KEY_LEN; i++)
		out[i] = a[i] ^ b[i];
}

/* --- We are the server. */

bool scram_server_init(struct scram_server *s, struct secret *secret, const char *user)
{
	/* The texts are written before they are read. */
	s->secret = secret;
	s->is_plus = false;
	s->binding = NULL;
	s->state = START;
	s->nkeys = 0;
	/* Also for who is there: the same work. */
	if (!secret_mock(user, &s->keys[0]))
		return false;
	s->keys[1] = s->keys[0];
	s->is_mock = !secret || !secret_has_scram(secret);
	if (s->is_mock)
		return true;
	if (!secret_derive_door(secret, user))
		return false;
	struct secret *beside;
	s->keys[s->nkeys++] = secret_door_keys(secret, &beside)->door;
	if (beside)
		s->keys[s->nkeys++] = beside->door;
	return true;
}

void scram_server_mock(struct scram_server *s, uint32_t iterations)
{
	ASSERT(s->state == START);
	if (s->is_mock && iterations)
		s->keys[0].iterations = s->keys[1].iterations = iterations;
}

void scram_server_bind(struct scram_server *s, const struct scram_binding *binding, bool is_plus)
{
	ASSERT(s->state == START && (binding || !is_plus));
	s->binding = binding;
	s->is_plus = is_plus;
}

/* "c=": the gs2 header, and what is bound to. */
static size_t encode_binding(const char *gs2, const struct scram_binding *binding, char out[BINDING_CHARS])
{
	uint8_t raw[BINDING_BYTES];
	size_t n = strlen(gs2), more = binding ? binding->len : 0;
	ASSERT(n + more <= sizeof raw);
	memcpy(raw, gs2, n);
	if (binding)
		memcpy(raw + n, binding->data, more);
	return b64_encode(raw, n + more, out);
}

static bool take_binding_type(struct rd *r)
{
	static const char type[] = "=" BINDING_TYPE;
	size_t n = sizeof type - 1;
	if (rd_left(r) < n || memcmp(r->p, type, n) != 0)
		return false;
	rd_take(r, n);
	return true;
}

/* gs2-header: "n,,", "y,," or "p=tls-server-end-point,,"; authorization identities are not PostgreSQL's. */
static bool gs2_header(struct scram_server *s, struct rd *r, struct fault *f)
{
	uint8_t flag = rd_u8(r);
	if (flag != 'n' && flag != 'y' && flag != 'p')
		return bad_message(f, "no channel binding flag");
	if (flag == 'p' && !s->is_plus)
		return fault_set(f, FAULT_PROTO, "the client asks for SCRAM channel binding, which was not %s",
				 s->binding ? "chosen" : "offered");
	if (flag != 'p' && s->is_plus)
		return bad_message(f, "no channel binding with a mechanism that is nothing without");
	if (flag == 'y' && s->binding)
		return fault_set(
			f, FAULT_PROTO,
			"SCRAM channel binding negotiation error: the client has not seen that it was offered");
	if (flag == 'p' && !take_binding_type(r))
		return fault_set(f, FAULT_PROTO, "the client asks for an unsupported SCRAM channel binding type");
	if (rd_u8(r) != ',')
		return bad_message(f, "no channel binding flag");
	if (rd_left(r) > 0 && *r->p == 'a')
		return fault_set(f, FAULT_PROTO,
				 "the client asks for an authorization identity, which is not supported");
	if (rd_u8(r) != ',')
		return bad_message(f, "no end of the GS2 header");
	s->gs2[0] = (char)flag;
	put(put(s->gs2 + 1, flag == 'p' ? "=" BINDING_TYPE : ""), ",,");
	return true;
}

bool scram_server_first(struct scram_server *s, const void *in, size_t len, char *out, struct fault *f)
{
	ASSERT(s->state == START);
	s->state = OVER;
	if (!is_message(in, len, f))
		return false;
	struct rd r = rd_of(in, len);
	if (!gs2_header(s, &r, f) || !str_copy_n(s->first_bare, sizeof s->first_bare, r.p, rd_left(&r)))
		return false;
	/* Whom the startup packet named is who logs in, so the name is only checked: libpq sends none. */
	struct attr name = attr_next(&r);
	if (name.name != 'n' || !is_saslname(&name))
		return bad_message(f, name.name == 'm' ? "a mandatory extension" : "user name");
	struct attr nonce = attr_next(&r);
	if (nonce.name != 'r' || !is_nonce(&nonce) || nonce.len > SCRAM_NONCE_MAX - NONCE_CHARS)
		return bad_message(f, "nonce");
	if (!extensions(&r, '\0', NULL))
		return bad_message(f, "extensions");
	memcpy(s->nonce, nonce.v, nonce.len);
	if (!add_nonce(s->nonce + nonce.len))
		return bad_crypto(f);
	const struct scram_keys *k = &s->keys[0];
	char salt[B64_SIZE(SCRAM_SALT_MAX)];
	b64_encode(k->salt, k->salt_len, salt);
	put_number(put(put(put(put(put(s->server_first, "r="), s->nonce), ",s="), salt), ",i="), k->iterations);
	put(out, s->server_first);
	s->state = FIRST_DONE;
	return true;
}

/* *fits: the client has shown that it knows this password, and out is our answer. False: the library gives up. */
static bool check_proof(const struct scram_server *s, uint8_t nth, const uint8_t shown[SCRAM_KEY_LEN], const void *in,
			size_t without_proof, char *out, bool *fits)
{
	const struct scram_keys *k = &s->keys[nth];
	uint8_t client_sig[SCRAM_KEY_LEN], server_sig[SCRAM_KEY_LEN], client_key[SCRAM_KEY_LEN], stored[SCRAM_KEY_LEN];
	bool ok = sign(k, s->first_bare, s->server_first, in, without_proof, client_sig, server_sig);
	xor_keys(client_key, shown, client_sig);
	ok = crypto_sha256(client_key, sizeof client_key, stored) && ok;
	*fits = str_same_secret(stored, k->stored_key, sizeof stored) && ok && nth < s->nkeys;
	if (*fits) {
		b64_encode(server_sig, sizeof server_sig, put(out, "v="));
		secret_proven(s->secret, k, client_key);
	}
	str_wipe(client_sig, sizeof client_sig);
	str_wipe(client_key, sizeof client_key);
	return ok;
}

bool scram_server_final(struct scram_server *s, const void *in, size_t len, char *out, struct fault *f)
{
	ASSERT(s->state == FIRST_DONE);
	s->state = OVER;
	if (!is_message(in, len, f))
		return false;
	struct rd r = rd_of(in, len);
	char binding[BINDING_CHARS];
	size_t binding_len = encode_binding(s->gs2, s->is_plus ? s->binding : NULL, binding);
	struct attr a = attr_next(&r);
	if (a.name != 'c' || a.len != binding_len || memcmp(a.v, binding, binding_len) != 0)
		return bad_message(f, "channel binding");
	a = attr_next(&r);
	if (a.name != 'r' || a.len != strlen(s->nonce) || memcmp(a.v, s->nonce, a.len) != 0)
		return bad_message(f, "nonce");
	struct attr proof;
	uint8_t shown[SCRAM_KEY_LEN];
	if (!extensions(&r, 'p', &proof) || rd_left(&r) > 0 || !decode_key(&proof, shown))
		return bad_message(f, "proof");
	size_t without_proof = len - proof.len - strlen(",p=");

	/* The same work whoever it is; the verdict comes last. */
	bool ok = true, fits = false;
	for (uint8_t i = 0; i < 2 && ok && !fits && (i == 0 || i < s->nkeys || secret_is_any_double()); i++)
		ok = check_proof(s, i, shown, in, without_proof, out, &fits);
	if (!ok)
		return bad_crypto(f);
	if (!fits)
		return fault_set(f, FAULT_AUTH, "password authentication failed");
	s->state = FINAL_DONE;
	return true;
}

/* --- We are the client. */

static const char *client_gs2(const struct scram_client *c)
{
	return c->is_plus ? "p=" BINDING_TYPE ",," : c->binding ? "y,," : "n,,";
}

bool scram_client_first(struct scram_client *c, struct secret *secret, const struct scram_binding *binding,
			bool is_plus, char *out, struct fault *f)
{
	ASSERT(binding || !is_plus);
	*c = (struct scram_client){ .secret = secret, .binding = binding, .is_plus = is_plus, .state = START };
	if (!add_nonce(c->nonce))
		return bad_crypto(f);
	str_fmt(c->first_bare, sizeof c->first_bare, "n=,r=%s", c->nonce);
	str_fmt(out, SCRAM_MSG_MAX + 1, "%s%s", client_gs2(c), c->first_bare);
	c->state = FIRST_DONE;
	return true;
}

/* Can this secret answer, now that the server's salt is known? */
static bool client_keys(struct secret *s, const uint8_t *salt, size_t salt_len, uint32_t iterations, struct fault *f)
{
	switch (s->kind) {
	case SECRET_NONE:
		return fault_set(f, FAULT_AUTH, "the server asks for a password, and none is known");
	case SECRET_MD5:
		return fault_set(f, FAULT_AUTH, "the server asks for SCRAM, and only an md5 hash is known");
	case SECRET_NATIVE:
	case SECRET_SHA2:
	case SECRET_ED25519:
	case SECRET_PARSEC:
	case SECRET_NKINDS:
		return fault_set(f, FAULT_AUTH, "the server asks for SCRAM, and only a hash of MySQL's is known");
	case SECRET_PLAIN:
		if (secret_derive_engine(s, salt, salt_len, iterations))
			return true;
		if (iterations <= SCRAM_ITER_MAX)
			return bad_crypto(f);
		fault_set(f, FAULT_PROTO, "the server asks for %u SCRAM iterations, more than the %u allowed",
			  iterations, SCRAM_ITER_MAX);
		fault_hint(f, "Lower scram_iterations on the server and set this user's password anew.");
		return false;
	case SECRET_SCRAM:
		if (secret_derive_engine(s, salt, salt_len, iterations))
			return true;
		if (!s->door.has_client_key)
			return fault_set(
				f, FAULT_AUTH,
				"only a SCRAM verifier is known, and no client has proved itself against it yet");
		return fault_set(f, FAULT_AUTH, "the SCRAM verifier that is known is not the server's own");
	}
	return false;
}

bool scram_client_final(struct scram_client *c, const void *in, size_t len, char *out, struct fault *f)
{
	ASSERT(c->state == FIRST_DONE);
	c->state = OVER;
	if (!is_message(in, len, f))
		return false;
	struct rd r = rd_of(in, len);
	struct attr nonce = attr_next(&r), salt = attr_next(&r), iterations = attr_next(&r);
	if (nonce.name == 'm')
		return bad_message(f, "a mandatory extension");
	if (nonce.name != 'r' || !is_nonce(&nonce) || nonce.len > SCRAM_NONCE_MAX)
		return bad_message(f, "nonce");
	if (!starts(&nonce, c->nonce) || nonce.len == strlen(c->nonce))
		return bad_message(f, "a nonce that does not go on from ours");
	uint8_t salt_bytes[SCRAM_SALT_MAX];
	size_t salt_len = 0;
	if (salt.name != 's' || !b64_decode(salt.v, salt.len, salt_bytes, sizeof salt_bytes, &salt_len) ||
	    salt_len == 0)
		return bad_message(f, "salt");
	char number[12];
	uint64_t n = 0;
	if (iterations.name != 'i' || !str_copy_n(number, sizeof number, iterations.v, iterations.len) ||
	    !str_to_u64(number, UINT32_MAX, &n) || n == 0)
		return bad_message(f, "iteration count");
	if (!extensions(&r, '\0', NULL))
		return bad_message(f, "extensions");
	if (!client_keys(c->secret, salt_bytes, salt_len, (uint32_t)n, f))
		return false;

	const struct scram_keys *k = &c->secret->engine;
	char binding[BINDING_CHARS];
	char server_first[SCRAM_MSG_MAX + 1], final[SCRAM_MSG_MAX + 1], proof_text[B64_SIZE(SCRAM_KEY_LEN)];
	uint8_t client_sig[SCRAM_KEY_LEN], proof[SCRAM_KEY_LEN];
	str_copy_n(server_first, sizeof server_first, in, len);
	encode_binding(client_gs2(c), c->is_plus ? c->binding : NULL, binding);
	str_fmt(final, sizeof final, "c=%s,r=%.*s", binding, (int)nonce.len, nonce.v);
	bool ok = sign(k, c->first_bare, server_first, final, strlen(final), client_sig, c->server_signature);
	if (ok) {
		xor_keys(proof, k->client_key, client_sig);
		b64_encode(proof, sizeof proof, proof_text);
		str_fmt(out, SCRAM_MSG_MAX + 1, "%s,p=%s", final, proof_text);
		c->state = FINAL_DONE;
	} else {
		bad_crypto(f);
	}
	str_wipe(client_sig, sizeof client_sig);
	return ok;
}

bool scram_client_verify(struct scram_client *c, const void *in, size_t len, struct fault *f)
{
	ASSERT(c->state == FINAL_DONE);
	c->state = OVER;
	if (!is_message(in, len, f))
		return false;
	struct rd r = rd_of(in, len);
	struct attr a = attr_next(&r);
	uint8_t shown[SCRAM_KEY_LEN];
	if (a.name == 'e' && is_nonce(&a)) /* a word, so nothing odd gets into a log */
		return fault_set(f, FAULT_AUTH, "the server refused SCRAM: %.*s", (int)a.len, a.v);
	if (a.name != 'v' || !decode_key(&a, shown) || !extensions(&r, '\0', NULL))
		return bad_message(f, "verifier");
	if (!str_same_secret(shown, c->server_signature, sizeof shown))
		return fault_set(f, FAULT_AUTH, "the server does not know our password: its SCRAM signature is wrong");
	return true;
}
