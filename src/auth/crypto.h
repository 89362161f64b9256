/* crypto.h - the few cryptographic functions that logins need; the only file of this folder that knows the library.
 * Each returns false, its output zeroed, when the library cannot (out of memory, an algorithm that its policy forbids).
 */
#ifndef SLUICE_AUTH_CRYPTO_H
#define SLUICE_AUTH_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRYPTO_SHA256_LEN 32u
#define CRYPTO_SHA1_LEN   20u
#define CRYPTO_SHA512_LEN 64u
#define CRYPTO_ED_KEY_LEN 32u
#define CRYPTO_ED_SIG_LEN 64u
#define CRYPTO_RSA_MAX    512u /* bytes of what is encrypted: keys of 4096 bits */
#define CRYPTO_MD5_HEX    33u  /* with its NUL */

/* Bytes that nobody can guess. */
bool crypto_random(void *out, size_t n);
/* Another source of them, for tests; NULL puts the library's back. */
void crypto_set_random(bool (*source)(void *out, size_t n));

bool crypto_sha256(const void *p, size_t n, uint8_t out[CRYPTO_SHA256_LEN]);
/* Of a and b, one behind the other. */
bool crypto_sha256_two(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[CRYPTO_SHA256_LEN]);
bool crypto_sha1_two(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[CRYPTO_SHA1_LEN]);
bool crypto_sha512_two(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[CRYPTO_SHA512_LEN]);
bool crypto_hmac_sha256(const void *key, size_t key_len, const void *p, size_t n, uint8_t out[CRYPTO_SHA256_LEN]);
/* The slow one: milliseconds for a few thousand iterations, so once for a user and never once for a login. */
bool crypto_pbkdf2_sha256(const void *password, size_t password_len, const uint8_t *salt, size_t salt_len,
			  uint32_t iterations, uint8_t out[CRYPTO_SHA256_LEN]);
bool crypto_pbkdf2_sha512(const void *password, size_t password_len, const uint8_t *salt, size_t salt_len,
			  uint32_t iterations, uint8_t *out, size_t out_len);
/* How often these ran, which is what tests of "once" and "never" ask; and all the others of these functions together.
 */
uint64_t crypto_pbkdf2_runs(void);
uint64_t crypto_runs(void);
/* MD5 of a and b, one behind the other, as 32 lower-case hex digits. */
bool crypto_md5_hex(const void *a, size_t a_len, const void *b, size_t b_len, char out[CRYPTO_MD5_HEX]);

/* Ed25519, RFC 8032. A key's public half; a signature; is it one? */
bool crypto_ed25519_public(const uint8_t seed[CRYPTO_ED_KEY_LEN], uint8_t out[CRYPTO_ED_KEY_LEN]);
bool crypto_ed25519_sign(const uint8_t seed[CRYPTO_ED_KEY_LEN], const void *p, size_t n,
			 uint8_t out[CRYPTO_ED_SIG_LEN]);
bool crypto_ed25519_verify(const uint8_t key[CRYPTO_ED_KEY_LEN], const void *p, size_t n,
			   const uint8_t sig[CRYPTO_ED_SIG_LEN]);

/* This process's RSA key, of 2048 bits, for passwords that come to us over plain connections: drawn at the first call,
 * which takes a tenth of a second or two. Call it at the start where it will be needed. */
bool crypto_rsa_init(void);
/* Its public half, as PEM. NULL: there is no key. */
const char *crypto_rsa_public(void);
/* Decrypts (OAEP with SHA-1) what was encrypted for it; at most cap bytes. False when it is no such thing. */
bool crypto_rsa_open(const uint8_t *in, size_t n, uint8_t *out, size_t cap, size_t *len);
/* Encrypts for the key in this PEM text, which is a peer's. False when it is none, or not RSA of 1024 to 4096 bits, or
 * too small for so much. */
bool crypto_rsa_seal(const uint8_t *pem, size_t pem_len, const uint8_t *in, size_t n, uint8_t out[CRYPTO_RSA_MAX],
		     size_t *len);

#endif
