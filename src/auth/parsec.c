/* parsec.c - MariaDB's plugin parsec. MariaDB Knowledge Base, Authentication Plugin - PARSEC. */
#include "auth/parsec.h"

#include "auth/crypto.h"
#include "auth/secret_int.h"
#include "core/str.h"

#include <string.h>

static bool derive(const char *password, uint8_t factor, const uint8_t salt[PARSEC_SALT_LEN], struct parsec_keys *k)
{
	memcpy(k->salt, salt, PARSEC_SALT_LEN);
	k->factor = factor;
	k->has_private = k->has_public = crypto_pbkdf2_sha512(password, strlen(password), salt, PARSEC_SALT_LEN,
							      1024u << factor, k->private_key, ED25519_LEN) &&
					 crypto_ed25519_public(k->private_key, k->public_key);
	return k->has_private;
}

bool parsec_is_ext(const uint8_t *p, size_t n)
{
	return n == PARSEC_EXT_LEN && p[0] == 'P' && p[1] <= PARSEC_FACTOR_MAX;
}

/* What nobody's salt is, and that of keys of plain passwords. */
static bool user_salt(const char *user, uint8_t salt[PARSEC_SALT_LEN])
{
	uint8_t first[SECRET_SALT_LEN];
	if (!secret_user_salt(user, first))
		return false;
	memset(salt, 'S', PARSEC_SALT_LEN);
	memcpy(salt, first, sizeof first);
	return true;
}

static struct parsec_keys *keys_of(struct secret *s)
{
	return s && s->parsec.has_public ? &s->parsec : NULL;
}

bool parsec_ext(struct secret *s, const char *user, uint8_t out[PARSEC_EXT_LEN])
{
	uint8_t salt[PARSEC_SALT_LEN];
	if (!user_salt(user, salt))
		return false;
	struct secret *of = s && s->kind != SECRET_PARSEC && s->other && s->other->kind == SECRET_PARSEC ? s->other : s;
	const struct parsec_keys *k = keys_of(of);
	if (!k && of && of->kind == SECRET_PLAIN) {
		if (!derive(of->text, 0, salt, &of->parsec))
			return false;
		k = &of->parsec;
	}
	out[0] = 'P';
	out[1] = k ? k->factor : 0;
	memcpy(out + 2, k ? k->salt : salt, PARSEC_SALT_LEN);
	/* The one beside it can be met with the same salt when its password is known. */
	struct secret *second = !s ? NULL : of == s ? s->other : s;
	if (k && second && second->kind == SECRET_PLAIN &&
	    !(second->parsec.has_public && second->parsec.factor == k->factor &&
	      memcmp(second->parsec.salt, k->salt, PARSEC_SALT_LEN) == 0))
		return derive(second->text, k->factor, k->salt, &second->parsec);
	return true;
}

/* answer: the client's nonce, the signature of the server's and it. */
static bool check(struct secret *s, const uint8_t nonce[PARSEC_NONCE_LEN], const uint8_t answer[PARSEC_ANSWER_LEN])
{
	/* RFC 8032's first test vector: somebody's key. */
	static const struct parsec_keys none = {
		.public_key = { 0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe,
				0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6,
				0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a },
	};
	const struct parsec_keys *k = keys_of(s);
	uint8_t both[2 * PARSEC_NONCE_LEN];
	memcpy(both, nonce, PARSEC_NONCE_LEN);
	memcpy(both + PARSEC_NONCE_LEN, answer, PARSEC_NONCE_LEN);
	return crypto_ed25519_verify((k ? k : &none)->public_key, both, sizeof both, answer + PARSEC_NONCE_LEN) && k;
}

bool parsec_check(struct secret *s, const uint8_t nonce[PARSEC_NONCE_LEN], const uint8_t *answer, size_t n)
{
	uint8_t whole[PARSEC_ANSWER_LEN] = { 0 };
	if (n == sizeof whole)
		memcpy(whole, answer, sizeof whole);
	bool fits = check(s, nonce, whole);
	if (!fits && secret_is_any_double())
		fits = check(s ? s->other : NULL, nonce, whole);
	return fits && n == sizeof whole;
}

bool parsec_check_password(struct secret *s, const char *password)
{
	struct parsec_keys k = { 0 };
	if (secret_was_seen(s, password))
		return true;
	bool fits = derive(password, s->parsec.factor, s->parsec.salt, &k) &&
		    str_same_secret(k.public_key, s->parsec.public_key, ED25519_LEN) && !secret_is_nobody(s);
	if (fits)
		secret_keep_shown(s, password);
	str_wipe(&k, sizeof k);
	return fits;
}

/* Ours for a server's salt: made once, as long as it stays. */
static const struct parsec_keys *engine_keys(struct secret *s, const uint8_t ext[PARSEC_EXT_LEN])
{
	const char *password = secret_password(s);
	struct parsec_keys *k = &s->parsec_engine;
	if (k->has_private && k->factor == ext[1] && memcmp(k->salt, ext + 2, PARSEC_SALT_LEN) == 0)
		return k;
	return password && derive(password, ext[1], ext + 2, k) ? k : NULL;
}

bool parsec_answer(struct secret *s, const uint8_t ext[PARSEC_EXT_LEN], const uint8_t nonce[PARSEC_NONCE_LEN],
		   uint8_t out[PARSEC_ANSWER_LEN])
{
	const struct parsec_keys *k = parsec_is_ext(ext, PARSEC_EXT_LEN) ? engine_keys(s, ext) : NULL;
	uint8_t both[2 * PARSEC_NONCE_LEN];
	if (!k || !crypto_random(out, PARSEC_NONCE_LEN))
		return false;
	memcpy(both, nonce, PARSEC_NONCE_LEN);
	memcpy(both + PARSEC_NONCE_LEN, out, PARSEC_NONCE_LEN);
	return crypto_ed25519_sign(k->private_key, both, sizeof both, out + PARSEC_NONCE_LEN);
}
