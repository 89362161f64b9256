/* sha2.c - caching_sha2_password. MySQL source documentation, Authentication: caching_sha2_password; U. Drepper, Unix
 * crypt using SHA-256 and SHA-512. */
#include "auth/sha2.h"

#include "auth/crypto.h"
#include "auth/secret_int.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

static bool derive(const char *password, struct sha2_keys *k)
{
	k->has = crypto_sha256(password, strlen(password), k->key) && crypto_sha256(k->key, SHA2_LEN, k->hash);
	return k->has;
}

/* NULL: there are none, and there is no password to make them of. */
static const struct sha2_keys *keys_of(struct secret *s)
{
	const char *password = secret_password(s);
	if (!s->sha2.has && password && !derive(password, &s->sha2))
		return NULL;
	return s->sha2.has ? &s->sha2 : NULL;
}

/* a XOR SHA256(hash nonce), which makes a proof of a key, and of the proof the key. */
static bool mask(const uint8_t a[SHA2_LEN], const uint8_t hash[SHA2_LEN], const uint8_t nonce[SHA2_NONCE_LEN],
		 uint8_t out[SHA2_LEN])
{
	uint8_t over[SHA2_LEN];
	if (!crypto_sha256_two(hash, SHA2_LEN, nonce, SHA2_NONCE_LEN, over))
		return false;
	for (size_t i = 0; i < SHA2_LEN; i++)
		out[i] = a[i] ^ over[i];
	str_wipe(over, sizeof over);
	return true;
}

bool sha2_answer(struct secret *s, const uint8_t nonce[SHA2_NONCE_LEN], uint8_t out[SHA2_LEN])
{
	const struct sha2_keys *k = keys_of(s);
	return k && mask(k->key, k->hash, nonce, out);
}

/* *asks: there is a verifier that only the password itself can be held against. */
static bool check(struct secret *s, enum secret_kind nobody_as, const uint8_t nonce[SHA2_NONCE_LEN],
		  const uint8_t proof[SHA2_LEN], bool *asks)
{
	static const struct sha2_keys none;
	const struct sha2_keys *k;
	uint8_t key[SHA2_LEN], hash[SHA2_LEN];
	if (!s || (!keys_of(s) && s->kind != SECRET_SHA2))
		s = secret_nobody(nobody_as == SECRET_SHA2 ? SECRET_SHA2 : SECRET_PLAIN);
	k = keys_of(s);
	*asks = *asks || s->kind == SECRET_SHA2;
	bool fits = mask(proof, k ? k->hash : none.hash, nonce, key) && crypto_sha256(key, sizeof key, hash) &&
		    str_same_secret(hash, k ? k->hash : none.hash, sizeof hash) && k && !secret_is_nobody(s);
	str_wipe(key, sizeof key);
	return fits;
}

enum sha2_fit sha2_check(struct secret *s, enum secret_kind nobody_as, const uint8_t nonce[SHA2_NONCE_LEN],
			 const uint8_t *proof, size_t n)
{
	uint8_t whole[SHA2_LEN] = { 0 };
	bool asks = false;
	if (n == sizeof whole)
		memcpy(whole, proof, sizeof whole);
	bool fits = check(s, nobody_as, nonce, whole, &asks);
	if (!fits && secret_is_any_double())
		fits = check(s && s->other ? s->other : NULL, s && !s->other ? s->kind : nobody_as, nonce, whole,
			     &asks);
	return fits && n == sizeof whole ? SHA2_FITS : asks ? SHA2_ASK : SHA2_WRONG;
}

/* --- SHA-crypt: the steps are numbered as in Drepper's text. */

/* Base64 of its own, least significant bits first. */
static void put64(char **out, unsigned b2, unsigned b1, unsigned b0, int n)
{
	static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	unsigned w = b2 << 16 | b1 << 8 | b0;
	for (; n > 0; n--, w >>= 6)
		*(*out)++ = digits[w & 63];
}

static void encode(const uint8_t d[SHA2_LEN], char out[SHA2_TEXT_LEN])
{
	char *p = out;
	unsigned a = 0, b = 10, c = 20;
	for (int i = 0; i < 10; i++) {
		put64(&p, d[a], d[b], d[c], 4);
		unsigned was = a;
		a = c + 1;
		c = b + 1;
		b = was + 1;
	}
	put64(&p, 0, d[31], d[30], 3);
}

static void repeat(uint8_t *out, size_t n, const uint8_t d[SHA2_LEN])
{
	for (; n > SHA2_LEN; n -= SHA2_LEN, out += SHA2_LEN)
		memcpy(out, d, SHA2_LEN);
	memcpy(out, d, n);
}

struct text {
	size_t n;
	uint8_t at[(SHA2_PASSWORD_MAX + SHA2_SALT_LEN) * 2 + SHA2_LEN * 2 + 9 * SHA2_PASSWORD_MAX];
};

static void put(struct text *t, const void *p, size_t n)
{
	memcpy(t->at + t->n, p, n);
	t->n += n;
}

static bool digest_of(const struct text *t, uint8_t out[SHA2_LEN])
{
	return crypto_sha256(t->at, t->n, out);
}

/* Any number of the same bytes, which need not fit anywhere. */
static bool digest_many(const void *p, size_t n, size_t times, uint8_t out[SHA2_LEN])
{
	uint8_t *all = malloc(n * times + 1);
	if (!all)
		return false;
	for (size_t i = 0; i < times; i++)
		memcpy(all + i * n, p, n);
	bool ok = crypto_sha256(all, n * times, out);
	str_wipe(all, n * times);
	free(all);
	return ok;
}

static bool sha_crypt(const char *password, const char *salt, uint32_t rounds, char out[SHA2_TEXT_LEN])
{
	size_t n = strlen(password);
	uint8_t a[SHA2_LEN], b[SHA2_LEN], p[SHA2_PASSWORD_MAX], s[SHA2_SALT_LEN];
	struct text t = { 0 };
	if (n > sizeof p)
		return false;

	put(&t, password, n); /* 4 to 8 */
	put(&t, salt, SHA2_SALT_LEN);
	put(&t, password, n);
	bool ok = digest_of(&t, b);
	t.n = n + SHA2_SALT_LEN;  /* 1 to 3 */
	repeat(t.at + t.n, n, b); /* 9, 10 */
	t.n += n;
	for (size_t bits = n; bits; bits >>= 1) /* 11 */
		put(&t, bits & 1 ? (const void *)b : password, bits & 1 ? sizeof b : n);
	ok = ok && digest_of(&t, a); /* 12 */

	ok = ok && digest_many(password, n, n, b); /* 13 to 15 */
	repeat(p, n, b);
	ok = ok && digest_many(salt, SHA2_SALT_LEN, 16u + a[0], b); /* 17 to 19 */
	repeat(s, sizeof s, b);

	for (uint32_t i = 0; ok && i < rounds; i++) { /* 21 */
		t.n = 0;
		put(&t, i & 1 ? p : a, i & 1 ? n : sizeof a);
		if (i % 3)
			put(&t, s, sizeof s);
		if (i % 7)
			put(&t, p, n);
		put(&t, i & 1 ? a : p, i & 1 ? sizeof a : n);
		ok = digest_of(&t, a);
	}
	encode(a, out);
	str_wipe(&t, sizeof t);
	str_wipe(a, sizeof a);
	str_wipe(b, sizeof b);
	str_wipe(p, sizeof p);
	return ok;
}

bool sha2_check_password(struct secret *s, const char *password)
{
	char hash[SHA2_TEXT_LEN];
	if (secret_was_seen(s, password))
		return true;
	bool ok = sha_crypt(password, stored_sha2_salt(s->text), stored_sha2_rounds(s->text), hash);
	bool fits = ok && str_same_secret(hash, stored_sha2_hash(s->text), sizeof hash) && !secret_is_nobody(s);
	str_wipe(hash, sizeof hash);
	if (fits && derive(password, &s->sha2))
		secret_keep_shown(s, password);
	return fits;
}
