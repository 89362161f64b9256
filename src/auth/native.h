/* native.h - mysql_native_password, both sides, pure. The server sends a nonce, the client SHA1(password) XOR
 * SHA1(nonce SHA1(SHA1(password))). MySQL internals manual, Authentication Method: Native41. */
#ifndef SLUICE_AUTH_NATIVE_H
#define SLUICE_AUTH_NATIVE_H

#include "auth/secret.h"

#define NATIVE_NONCE_LEN 20u

/* What proves us to a server. False when the secret cannot: a hash whose password no client has proved yet, or a secret
 * of another kind. */
bool native_answer(struct secret *s, const uint8_t nonce[NATIVE_NONCE_LEN], uint8_t out[NATIVE_LEN]);
/* Does a client's answer of n bytes fit? The secret, or the one beside it; it learns the key then, with which servers
 * that have the same password are logged in to. The same work for whatever does not fit; NULL is an unknown user. */
bool native_check(struct secret *s, const uint8_t nonce[NATIVE_NONCE_LEN], const uint8_t *proof, size_t n);
/* Is it the password of this hash? Then the key is learned. False for secrets of other kinds, after the same work. */
bool native_check_password(struct secret *s, const char *password);

#endif
