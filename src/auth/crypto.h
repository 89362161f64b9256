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
#define CRYPTO_MD5_HEX    33u /* with its NUL */

/* Bytes that nobody can guess. */
bool crypto_random(void *out, size_t n);
/* Another source of them, for tests; NULL puts the library's back. */
void crypto_set_random(bool (*source)(void *out, size_t n));

bool crypto_sha256(const void *p, size_t n, uint8_t out[CRYPTO_SHA256_LEN]);
/* Of a and b, one behind the other. */
bool crypto_sha256_two(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[CRYPTO_SHA256_LEN]);
bool crypto_sha1_two(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[CRYPTO_SHA1_LEN]);
bool crypto_hmac_sha256(const void *key, size_t key_len, const void *p, size_t n, uint8_t out[CRYPTO_SHA256_LEN]);
/* The slow one: milliseconds for a few thousand iterations, so once for a user and never once for a login. */
bool crypto_pbkdf2_sha256(const void *password, size_t password_len, const uint8_t *salt, size_t salt_len,
			  uint32_t iterations, uint8_t out[CRYPTO_SHA256_LEN]);
/* How often that ran, which is what tests of "once" and "never" ask; and all the others of these functions together. */
uint64_t crypto_pbkdf2_runs(void);
uint64_t crypto_runs(void);
/* MD5 of a and b, one behind the other, as 32 lower-case hex digits. */
bool crypto_md5_hex(const void *a, size_t a_len, const void *b, size_t b_len, char out[CRYPTO_MD5_HEX]);

#endif
