/* crypto.c - random bytes, digests, key derivation, signatures and RSA over OpenSSL 3's libcrypto. */
#include "auth/crypto.h"

#include "auth/sha.h"
#include "core/str.h"

#include <openssl/core_names.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

static bool (*random_source)(void *out, size_t n);
static uint64_t pbkdf2_runs, runs;

/* The kernel's generator is one system call, which is a fraction of what OpenSSL's costs for a few bytes. It is asked
 * for those of some logins at once; what is handed out is wiped, and a child of ours has none of them. */
static struct {
	uint8_t bytes[256]; /* as many as the kernel gives whole, or not at all */
	size_t left;        /* the first of them */
} drawn;

static void forget_drawn(void)
{
	str_wipe(&drawn, sizeof drawn);
}

static bool draw_some(void)
{
	static bool is_watched;
	if (!is_watched)
		is_watched = pthread_atfork(NULL, NULL, forget_drawn) == 0;
	if (!is_watched || getrandom(drawn.bytes, sizeof drawn.bytes, GRND_NONBLOCK) != (ssize_t)sizeof drawn.bytes)
		return false;
	drawn.left = sizeof drawn.bytes;
	return true;
}

/* OpenSSL's is asked where the kernel has none, or none yet. */
static bool draw(void *out, size_t n)
{
	if (n <= sizeof drawn.bytes && (n <= drawn.left || draw_some())) {
		drawn.left -= n;
		memcpy(out, drawn.bytes + drawn.left, n);
		str_wipe(drawn.bytes + drawn.left, n);
		return true;
	}
	return n <= INT_MAX && RAND_bytes(out, (int)n) == 1;
}

bool crypto_random(void *out, size_t n)
{
	if (random_source ? random_source(out, n) : draw(out, n))
		return true;
	memset(out, 0, n);
	return false;
}

void crypto_set_random(bool (*source)(void *out, size_t n))
{
	random_source = source;
}

/* What OpenSSL has to look up for a digest or a MAC by its name costs more than the digest of a short message: it is
 * done once, and the contexts are used again. NULL: no memory. */
enum digest { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };
static EVP_MD_CTX *digest_begin(enum digest which)
{
	static const char *const names[] = { "MD5", "SHA1", "SHA256", "SHA512" };
	static EVP_MD *mds[sizeof names / sizeof names[0]];
	static EVP_MD_CTX *ctx;
	if (!mds[which])
		mds[which] = EVP_MD_fetch(NULL, names[which], NULL);
	if (!ctx)
		ctx = EVP_MD_CTX_new();
	return mds[which] && ctx && EVP_DigestInit_ex2(ctx, mds[which], NULL) == 1 ? ctx : NULL;
}

/* What each login needs goes the short way, where there is one. */
static bool goes_short(enum digest which)
{
	return (which == DIGEST_SHA1 || which == DIGEST_SHA256) && sha_is_there();
}

static bool digest_two(enum digest which, const void *a, size_t a_len, const void *b, size_t b_len, uint8_t *out,
		       size_t out_len)
{
	runs++;
	if (goes_short(which) && (which == DIGEST_SHA1 ? sha_1 : sha_256)(a, a_len, b, b_len, out))
		return true;
	EVP_MD_CTX *ctx = digest_begin(which);
	if (ctx && EVP_DigestUpdate(ctx, a, a_len) == 1 && EVP_DigestUpdate(ctx, b, b_len) == 1 &&
	    EVP_DigestFinal_ex(ctx, out, NULL) == 1)
		return true;
	memset(out, 0, out_len);
	return false;
}

bool crypto_sha256(const void *p, size_t n, uint8_t out[CRYPTO_SHA256_LEN])
{
	return digest_two(DIGEST_SHA256, p, n, "", 0, out, CRYPTO_SHA256_LEN);
}

bool crypto_sha256_two(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[CRYPTO_SHA256_LEN])
{
	return digest_two(DIGEST_SHA256, a, a_len, b, b_len, out, CRYPTO_SHA256_LEN);
}

bool crypto_sha1_two(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[CRYPTO_SHA1_LEN])
{
	return digest_two(DIGEST_SHA1, a, a_len, b, b_len, out, CRYPTO_SHA1_LEN);
}

bool crypto_sha512_two(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[CRYPTO_SHA512_LEN])
{
	return digest_two(DIGEST_SHA512, a, a_len, b, b_len, out, CRYPTO_SHA512_LEN);
}

#define HMAC_KEY_MAX 64u /* longer ones are digested first */

static EVP_MAC_CTX *hmac_begin(const void *key, size_t key_len)
{
	static EVP_MAC_CTX *ctx;
	if (!ctx) {
		char name[] = "SHA256";
		const OSSL_PARAM digest[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
					      OSSL_PARAM_construct_end() };
		EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
		ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
		EVP_MAC_free(mac); /* the context holds it */
		if (ctx && EVP_MAC_CTX_set_params(ctx, digest) != 1) {
			EVP_MAC_CTX_free(ctx);
			ctx = NULL;
		}
	}
	return ctx && EVP_MAC_init(ctx, key, key_len, NULL) == 1 ? ctx : NULL;
}

bool crypto_hmac_sha256(const void *key, size_t key_len, const void *p, size_t n, uint8_t out[CRYPTO_SHA256_LEN])
{
	size_t len;
	runs++;
	if (key_len <= HMAC_KEY_MAX && sha_is_there() && sha_256_hmac(key, key_len, p, n, out))
		return true;
	EVP_MAC_CTX *ctx = hmac_begin(key, key_len);
	if (ctx && EVP_MAC_update(ctx, p, n) == 1 && EVP_MAC_final(ctx, out, &len, CRYPTO_SHA256_LEN) == 1)
		return true;
	memset(out, 0, CRYPTO_SHA256_LEN);
	return false;
}

static bool pbkdf2(const EVP_MD *md, const void *password, size_t password_len, const uint8_t *salt, size_t salt_len,
		   uint32_t iterations, uint8_t *out, size_t out_len)
{
	pbkdf2_runs++;
	if (password_len <= INT_MAX && salt_len <= INT_MAX && iterations > 0 && iterations <= INT_MAX &&
	    PKCS5_PBKDF2_HMAC(password, (int)password_len, salt, (int)salt_len, (int)iterations, md, (int)out_len,
			      out) == 1)
		return true;
	str_wipe(out, out_len);
	return false;
}

bool crypto_pbkdf2_sha256(const void *password, size_t password_len, const uint8_t *salt, size_t salt_len,
			  uint32_t iterations, uint8_t out[CRYPTO_SHA256_LEN])
{
	return pbkdf2(EVP_sha256(), password, password_len, salt, salt_len, iterations, out, CRYPTO_SHA256_LEN);
}

bool crypto_pbkdf2_sha512(const void *password, size_t password_len, const uint8_t *salt, size_t salt_len,
			  uint32_t iterations, uint8_t *out, size_t out_len)
{
	return pbkdf2(EVP_sha512(), password, password_len, salt, salt_len, iterations, out, out_len);
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
	bool ok = digest_two(DIGEST_MD5, a, a_len, b, b_len, md, sizeof md);
	memset(out, 0, CRYPTO_MD5_HEX);
	for (size_t i = 0; ok && i < sizeof md; i++) {
		out[2 * i] = hex[md[i] >> 4];
		out[2 * i + 1] = hex[md[i] & 15];
	}
	str_wipe(md, sizeof md);
	return ok;
}

/* --- Ed25519 */

bool crypto_ed25519_public(const uint8_t seed[CRYPTO_ED_KEY_LEN], uint8_t out[CRYPTO_ED_KEY_LEN])
{
	size_t n = CRYPTO_ED_KEY_LEN;
	runs++;
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, CRYPTO_ED_KEY_LEN);
	bool ok = key && EVP_PKEY_get_raw_public_key(key, out, &n) == 1 && n == CRYPTO_ED_KEY_LEN;
	EVP_PKEY_free(key);
	if (!ok)
		memset(out, 0, CRYPTO_ED_KEY_LEN);
	return ok;
}

bool crypto_ed25519_sign(const uint8_t seed[CRYPTO_ED_KEY_LEN], const void *p, size_t n, uint8_t out[CRYPTO_ED_SIG_LEN])
{
	size_t len = CRYPTO_ED_SIG_LEN;
	runs++;
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, CRYPTO_ED_KEY_LEN);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = key && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
		  EVP_DigestSign(ctx, out, &len, p, n) == 1 && len == CRYPTO_ED_SIG_LEN;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	if (!ok)
		memset(out, 0, CRYPTO_ED_SIG_LEN);
	return ok;
}

bool crypto_ed25519_verify(const uint8_t key_bytes[CRYPTO_ED_KEY_LEN], const void *p, size_t n,
			   const uint8_t sig[CRYPTO_ED_SIG_LEN])
{
	runs++;
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key_bytes, CRYPTO_ED_KEY_LEN);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = key && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
		  EVP_DigestVerify(ctx, sig, CRYPTO_ED_SIG_LEN, p, n) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	ERR_clear_error(); /* a wrong one leaves a word, which TLS would take for its own */
	return ok;
}

/* --- RSA */

static struct {
	EVP_PKEY *key;
	char pem[1024];
} rsa;

static bool write_pem(EVP_PKEY *key, char *out, size_t cap)
{
	BIO *mem = BIO_new(BIO_s_mem());
	char *text;
	long n = mem && PEM_write_bio_PUBKEY(mem, key) == 1 ? BIO_get_mem_data(mem, &text) : 0;
	bool ok = n > 0 && str_copy_n(out, cap, text, (size_t)n);
	BIO_free(mem);
	return ok;
}

bool crypto_rsa_init(void)
{
	if (rsa.key)
		return true;
	EVP_PKEY *key = EVP_RSA_gen(2048);
	if (!key || !write_pem(key, rsa.pem, sizeof rsa.pem)) {
		EVP_PKEY_free(key);
		ERR_clear_error();
		return false;
	}
	rsa.key = key;
	return true;
}

const char *crypto_rsa_public(void)
{
	return crypto_rsa_init() ? rsa.pem : NULL;
}

static bool set_oaep(EVP_PKEY_CTX *ctx)
{
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1;
}

bool crypto_rsa_open(const uint8_t *in, size_t n, uint8_t *out, size_t cap, size_t *len)
{
	uint8_t text[CRYPTO_RSA_MAX];
	size_t text_len = sizeof text;
	runs++;
	EVP_PKEY_CTX *ctx = crypto_rsa_init() ? EVP_PKEY_CTX_new(rsa.key, NULL) : NULL;
	bool ok = ctx && EVP_PKEY_decrypt_init(ctx) == 1 && set_oaep(ctx) &&
		  EVP_PKEY_decrypt(ctx, text, &text_len, in, n) == 1 && text_len <= cap;
	if (ok) {
		memcpy(out, text, text_len);
		*len = text_len;
	}
	EVP_PKEY_CTX_free(ctx);
	str_wipe(text, sizeof text);
	ERR_clear_error();
	return ok;
}

static EVP_PKEY *read_pem(const uint8_t *pem, size_t n)
{
	BIO *mem = n <= INT_MAX ? BIO_new_mem_buf(pem, (int)n) : NULL;
	EVP_PKEY *key = mem ? PEM_read_bio_PUBKEY(mem, NULL, NULL, NULL) : NULL;
	BIO_free(mem);
	return key;
}

bool crypto_rsa_seal(const uint8_t *pem, size_t pem_len, const uint8_t *in, size_t n, uint8_t out[CRYPTO_RSA_MAX],
		     size_t *len)
{
	size_t out_len = CRYPTO_RSA_MAX;
	runs++;
	EVP_PKEY *key = read_pem(pem, pem_len);
	bool fits = key && EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= 1024 &&
		    EVP_PKEY_get_bits(key) <= (int)CRYPTO_RSA_MAX * 8;
	EVP_PKEY_CTX *ctx = fits ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	bool ok = ctx && EVP_PKEY_encrypt_init(ctx) == 1 && set_oaep(ctx) &&
		  EVP_PKEY_encrypt(ctx, out, &out_len, in, n) == 1;
	if (ok)
		*len = out_len;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return ok;
}
