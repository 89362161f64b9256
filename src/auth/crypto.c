/* crypto.c - random bytes, digests and key derivation over OpenSSL 3's libcrypto. */
#include "auth/crypto.h"

#include "core/str.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <limits.h>
#include <string.h>

static bool (*random_source)(void *out, size_t n);
static uint64_t pbkdf2_runs, runs;

bool crypto_random(void *out, size_t n)
{
	if (n <= INT_MAX && (random_source ? random_source(out, n) : RAND_bytes(out, (int)n) == 1))
		return true;
	memset(out, 0, n);
	return false;
}

void crypto_set_random(bool (*source)(void *out, size_t n))
{
	random_source = source;
}

bool crypto_sha256(const void *p, size_t n, uint8_t out[CRYPTO_SHA256_LEN])
{
	runs++;
	if (EVP_Digest(p, n, out, NULL, EVP_sha256(), NULL) == 1)
		return true;
	memset(out, 0, CRYPTO_SHA256_LEN);
	return false;
}

bool crypto_hmac_sha256(const void *key, size_t key_len, const void *p, size_t n, uint8_t out[CRYPTO_SHA256_LEN])
{
	runs++;
	if (key_len <= INT_MAX && HMAC(EVP_sha256(), key, (int)key_len, p, n, out, NULL))
		return true;
	memset(out, 0, CRYPTO_SHA256_LEN);
	return false;
}

bool crypto_pbkdf2_sha256(const void *password, size_t password_len, const uint8_t *salt, size_t salt_len,
			  uint32_t iterations, uint8_t out[CRYPTO_SHA256_LEN])
{
	pbkdf2_runs++;
	if (password_len <= INT_MAX && salt_len <= INT_MAX && iterations > 0 && iterations <= INT_MAX &&
	    PKCS5_PBKDF2_HMAC(password, (int)password_len, salt, (int)salt_len, (int)iterations, EVP_sha256(),
			      (int)CRYPTO_SHA256_LEN, out) == 1)
		return true;
	str_wipe(out, CRYPTO_SHA256_LEN);
	return false;
}

uint64_t crypto_runs(void)
{
	return runs;
}

uint64_t crypto_pbkdf2_runs(void)
{
	return pbkdf2_runs;
}

bool crypto_md5_hex(const void *a, size_t a_len, const void *b, size_t b_len, char out[CRYPTO_MD5_HEX])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t md[16];
	runs++;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1 && EVP_DigestUpdate(ctx, a, a_len) == 1 &&
		  EVP_DigestUpdate(ctx, b, b_len) == 1 && EVP_DigestFinal_ex(ctx, md, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	memset(out, 0, CRYPTO_MD5_HEX);
	for (size_t i = 0; ok && i < sizeof md; i++) {
		out[2 * i] = hex[md[i] >> 4];
		out[2 * i + 1] = hex[md[i] & 15];
	}
	str_wipe(md, sizeof md);
	return ok;
}
