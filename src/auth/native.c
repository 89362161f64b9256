/* native.c - mysql_native_password. MySQL internals manual, Authentication Method: Native41. */
#include "auth/native.h"

#include "auth/crypto.h"
#include "auth/secret_int.h"
#include "core/str.h"

#include <string.h>

static bool derive(const char *password, struct native_keys *k)
{
	k->has_key = k->has_hash = crypto_sha1_two(password, strlen(password), "", 0, k->key) &&
				   crypto_sha1_two(k->key, NATIVE_LEN, "", 0, k->hash);
	return k->has_key;
}

/* The keys, made of the password where there is one. NULL: the secret is none that this can be done with. */
static struct native_keys *keys_of(struct secret *s)
{
	const char *password = secret_password(s);
	if (!s->native.has_key && password && !derive(password, &s->native))
		return NULL;
	return s->native.has_hash ? &s->native : NULL;
}

/* a XOR SHA1(nonce hash), which makes a proof of a key, and of the proof the key. */
static bool mask(const uint8_t a[NATIVE_LEN], const uint8_t nonce[NATIVE_NONCE_LEN], const uint8_t hash[NATIVE_LEN],
		 uint8_t out[NATIVE_LEN])
{
	uint8_t over[NATIVE_LEN];
	if (!crypto_sha1_two(nonce, NATIVE_NONCE_LEN, hash, NATIVE_LEN, over))
		return false;
	for (size_t i = 0; i < NATIVE_LEN; i++)
		out[i] = a[i] ^ over[i];
	str_wipe(over, sizeof over);
	return true;
}

bool native_answer(struct secret *s, const uint8_t nonce[NATIVE_NONCE_LEN], uint8_t out[NATIVE_LEN])
{
	const struct native_keys *k = keys_of(s);
	return k && k->has_key && mask(k->key, nonce, k->hash, out);
}

static void learn(struct native_keys *k, const uint8_t key[NATIVE_LEN])
{
	memcpy(k->key, key, NATIVE_LEN);
	k->has_key = true;
}

static bool check(struct secret *s, const uint8_t nonce[NATIVE_NONCE_LEN], const uint8_t proof[NATIVE_LEN])
{
	struct native_keys *k = s ? keys_of(s) : NULL;
	uint8_t key[NATIVE_LEN], hash[NATIVE_LEN];
	if (!k) {
		s = secret_nobody(SECRET_PLAIN);
		k = keys_of(s);
	}
	bool fits = k && mask(proof, nonce, k->hash, key) && crypto_sha1_two(key, sizeof key, "", 0, hash) &&
		    str_same_secret(hash, k->hash, sizeof hash) && !secret_is_nobody(s);
	if (fits)
		learn(k, key);
	str_wipe(key, sizeof key);
	return fits;
}

bool native_check(struct secret *s, const uint8_t nonce[NATIVE_NONCE_LEN], const uint8_t *proof, size_t n)
{
	uint8_t whole[NATIVE_LEN] = { 0 };
	if (n == sizeof whole)
		memcpy(whole, proof, sizeof whole);
	bool fits = check(s, nonce, whole);
	if (!fits && secret_is_any_double())
		fits = check(s ? s->other : NULL, nonce, whole);
	return fits && n == sizeof whole;
}

bool native_check_password(struct secret *s, const char *password)
{
	uint8_t key[NATIVE_LEN], hash[NATIVE_LEN];
	bool fits = crypto_sha1_two(password, strlen(password), "", 0, key) &&
		    crypto_sha1_two(key, sizeof key, "", 0, hash) &&
		    str_same_secret(hash, s->native.hash, sizeof hash) && s->kind == SECRET_NATIVE;
	if (fits)
		learn(&s->native, key);
	str_wipe(key, sizeof key);
	return fits;
}
