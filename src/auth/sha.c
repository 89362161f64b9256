/* sha.c - SHA-1, SHA-256 and HMAC-SHA-256 by those functions of libcrypto that OpenSSL 3 calls deprecated, for the
 * reason that they go past its providers. FIPS 180-4, RFC 2104. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "auth/sha.h"

#include "core/assert.h"
#include "core/str.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <string.h>

#ifdef OPENSSL_NO_DEPRECATED_3_0

bool sha_is_there(void)
{
	return false;
}

bool sha_1(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[20])
{
	(void)a, (void)a_len, (void)b, (void)b_len, (void)out;
	return false;
}

bool sha_256(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[32])
{
	(void)a, (void)a_len, (void)b, (void)b_len, (void)out;
	return false;
}

bool sha_256_hmac(const void *key, size_t key_len, const void *p, size_t n, uint8_t out[32])
{
	(void)key, (void)key_len, (void)p, (void)n, (void)out;
	return false;
}

#else

bool sha_is_there(void)
{
	static enum { UNKNOWN, YES, NO } is;
	if (is == UNKNOWN)
		is = EVP_default_properties_is_fips_enabled(NULL) ? NO : YES;
	return is == YES;
}

bool sha_1(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[20])
{
	SHA_CTX c;
	bool ok = SHA1_Init(&c) == 1 && SHA1_Update(&c, a, a_len) == 1 && SHA1_Update(&c, b, b_len) == 1 &&
		  SHA1_Final(out, &c) == 1;
	str_wipe(&c, sizeof c);
	return ok;
}

bool sha_256(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[32])
{
	SHA256_CTX c;
	bool ok = SHA256_Init(&c) == 1 && SHA256_Update(&c, a, a_len) == 1 && SHA256_Update(&c, b, b_len) == 1 &&
		  SHA256_Final(out, &c) == 1;
	str_wipe(&c, sizeof c);
	return ok;
}

bool sha_256_hmac(const void *key, size_t key_len, const void *p, size_t n, uint8_t out[32])
{
	uint8_t inner[SHA256_CBLOCK], outer[SHA256_CBLOCK], digest[SHA256_DIGEST_LENGTH];
	ASSERT(key_len <= sizeof inner);
	memset(inner, 0x36, sizeof inner);
	memset(outer, 0x5c, sizeof outer);
	for (size_t i = 0; i < key_len; i++) {
		inner[i] ^= ((const uint8_t *)key)[i];
		outer[i] ^= ((const uint8_t *)key)[i];
	}
	bool ok =
		sha_256(inner, sizeof inner, p, n, digest) && sha_256(outer, sizeof outer, digest, sizeof digest, out);
	str_wipe(inner, sizeof inner);
	str_wipe(outer, sizeof outer);
	str_wipe(digest, sizeof digest);
	return ok;
}

#endif
