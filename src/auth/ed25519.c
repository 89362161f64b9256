/* ed25519.c - MariaDB's plugin ed25519. RFC 8032, section 5.1; MariaDB Knowledge Base, Authentication Plugin - ed25519.
 */
#include "auth/ed25519.h"

#include "auth/crypto.h"
#include "auth/secret_int.h"
#include "core/str.h"

#include <string.h>

#ifdef HAVE_LIBSODIUM
#include <sodium.h>

bool ed25519_is_whole(void)
{
	return true;
}

/* RFC 8032, 5.1.5, from step 2: the scalar, what nonces are made with behind it, and the public key. */
static bool derive(const char *password, struct ed25519_keys *k)
{
	k->has_private = k->has_public =
		crypto_sha512_two(password, strlen(password), "", 0, k->private_key) &&
		crypto_scalarmult_ed25519_base(k->public_key, k->private_key) == 0; /* which prunes the scalar */
	return k->has_private;
}

static void clamp(uint8_t scalar[ED25519_LEN], const uint8_t half[ED25519_LEN])
{
	memcpy(scalar, half, ED25519_LEN);
	scalar[0] &= 248;
	scalar[31] = (uint8_t)((scalar[31] & 127) | 64);
}

/* SHA-512 of a and b, as a number modulo the group's order. */
static bool hash_to_scalar(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[ED25519_LEN])
{
	uint8_t hash[CRYPTO_SHA512_LEN];
	if (!crypto_sha512_two(a, a_len, b, b_len, hash))
		return false;
	crypto_core_ed25519_scalar_reduce(out, hash);
	str_wipe(hash, sizeof hash);
	return true;
}

/* RFC 8032, 5.1.6. */
static bool sign(const struct ed25519_keys *k, const uint8_t nonce[ED25519_NONCE_LEN], uint8_t out[ED25519_SIG_LEN])
{
	uint8_t a[ED25519_LEN], r[ED25519_LEN], h[ED25519_LEN], both[2 * ED25519_LEN];
	bool ok = hash_to_scalar(k->private_key + ED25519_LEN, ED25519_LEN, nonce, ED25519_NONCE_LEN, r) &&
		  crypto_scalarmult_ed25519_base_noclamp(out, r) == 0;
	if (ok) {
		memcpy(both, out, ED25519_LEN);
		memcpy(both + ED25519_LEN, k->public_key, ED25519_LEN);
		ok = hash_to_scalar(both, sizeof both, nonce, ED25519_NONCE_LEN, h);
	}
	if (ok) {
		clamp(a, k->private_key);
		crypto_core_ed25519_scalar_mul(h, h, a);
		crypto_core_ed25519_scalar_add(out + ED25519_LEN, h, r);
	}
	str_wipe(a, sizeof a);
	str_wipe(r, sizeof r);
	str_wipe(h, sizeof h);
	return ok;
}
#else
bool ed25519_is_whole(void)
{
	return false;
}

static bool derive(const char *password, struct ed25519_keys *k)
{
	(void)password;
	(void)k;
	return false;
}

static bool sign(const struct ed25519_keys *k, const uint8_t nonce[ED25519_NONCE_LEN], uint8_t out[ED25519_SIG_LEN])
{
	(void)k;
	(void)nonce;
	(void)out;
	return false;
}
#endif

/* NULL: there is no key, and no password to make it of. */
static const struct ed25519_keys *keys_of(struct secret *s)
{
	const char *password = secret_password(s);
	if (!s->ed25519.has_private && password)
		(void)derive(password, &s->ed25519);
	return s->ed25519.has_public ? &s->ed25519 : NULL;
}

bool ed25519_answer(struct secret *s, const uint8_t nonce[ED25519_NONCE_LEN], uint8_t out[ED25519_SIG_LEN])
{
	const struct ed25519_keys *k = keys_of(s);
	return k && k->has_private && sign(k, nonce, out);
}

static bool check(struct secret *s, const uint8_t nonce[ED25519_NONCE_LEN], const uint8_t sig[ED25519_SIG_LEN])
{
	/* Somebody's public key: RFC 8032's first test vector. Nobody's is it here. */
	static const struct ed25519_keys none = {
		.public_key = { 0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe,
				0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6,
				0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a },
	};
	const struct ed25519_keys *k = s ? keys_of(s) : NULL;
	return crypto_ed25519_verify((k ? k : &none)->public_key, nonce, ED25519_NONCE_LEN, sig) && k;
}

bool ed25519_check(struct secret *s, const uint8_t nonce[ED25519_NONCE_LEN], const uint8_t *sig, size_t n)
{
	uint8_t whole[ED25519_SIG_LEN] = { 0 };
	if (n == sizeof whole)
		memcpy(whole, sig, sizeof whole);
	bool fits = check(s, nonce, whole);
	if (!fits && secret_is_any_double())
		fits = check(s ? s->other : NULL, nonce, whole);
	return fits && n == sizeof whole;
}

bool ed25519_check_password(struct secret *s, const char *password)
{
	struct ed25519_keys k = { 0 };
	bool fits = derive(password, &k) && str_same_secret(k.public_key, s->ed25519.public_key, ED25519_LEN) &&
		    !secret_is_nobody(s);
	if (fits) {
		s->ed25519 = k;
		secret_keep_shown(s, password);
	}
	str_wipe(&k, sizeof k);
	return fits;
}
