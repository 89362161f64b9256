/* sha.h - SHA-1, SHA-256 and HMAC-SHA-256 for crypto.c, which is who asks. They are libcrypto's own, without the layers
 * of EVP: of a message as short as those of a login these cost several times what the digest does, and most of it as
 * code that is not in the caches, for logins come with other work in between. FIPS 180-4, RFC 2104. */
#ifndef SLUICE_AUTH_SHA_H
#define SLUICE_AUTH_SHA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False: the library was built without them, or a policy (FIPS) wants its own ways to be gone: ask EVP. */
bool sha_is_there(void);
/* Of a and b, one behind the other. False: as above. */
bool sha_1(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[20]);
bool sha_256(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[32]);
/* The key has 64 bytes at most. */
bool sha_256_hmac(const void *key, size_t key_len, const void *p, size_t n, uint8_t out[32]);

#endif
