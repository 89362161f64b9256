/* fuzz_kdf.c - stands before crypto_pbkdf2_sha256() by the linker's --wrap: an input may ask for a million iterations,
 * and the fuzzer has no time for that. */
#include "fuzz.h"

#include "auth/crypto.h"

bool __wrap_crypto_pbkdf2_sha256(const void *password, size_t password_len, const uint8_t *salt, size_t salt_len,
				 uint32_t iterations, uint8_t out[CRYPTO_SHA256_LEN]);
bool __real_crypto_pbkdf2_sha256(const void *password, size_t password_len, const uint8_t *salt, size_t salt_len,
				 uint32_t iterations, uint8_t out[CRYPTO_SHA256_LEN]);

bool __wrap_crypto_pbkdf2_sha256(const void *password, size_t password_len, const uint8_t *salt, size_t salt_len,
				 uint32_t iterations, uint8_t out[CRYPTO_SHA256_LEN])
{
	return __real_crypto_pbkdf2_sha256(password, password_len, salt, salt_len,
					   iterations < FUZZ_ITER_MAX ? iterations : FUZZ_ITER_MAX, out);
}
