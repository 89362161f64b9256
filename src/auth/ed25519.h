/* ed25519.h - MariaDB's plugin ed25519 (client_ed25519), both sides, pure. It is Ed25519 (RFC 8032) but for one thing:
 * the private key is the SHA-512 of a password of any length, where Ed25519 has that of 32 bytes. A signature is
 * checked by anybody; to make one, or a public key out of a password, takes arithmetic on the curve that libcrypto does
 * not offer: libsodium's. Without it (ed25519_is_whole() says no) Sluice checks clients against stored keys, and no
 * more. MariaDB Knowledge Base, Authentication Plugin - ed25519. */
#ifndef SLUICE_AUTH_ED25519_H
#define SLUICE_AUTH_ED25519_H

#include "auth/secret.h"

#define ED25519_NONCE_LEN 32u
#define ED25519_SIG_LEN   64u

bool ed25519_is_whole(void);
/* What proves us to a server. False when the secret cannot. */
bool ed25519_answer(struct secret *s, const uint8_t nonce[ED25519_NONCE_LEN], uint8_t out[ED25519_SIG_LEN]);
/* Does a client's answer of n bytes fit? The same work for whatever does not; NULL is an unknown user. */
bool ed25519_check(struct secret *s, const uint8_t nonce[ED25519_NONCE_LEN], const uint8_t *sig, size_t n);
/* Is it the password of this public key? */
bool ed25519_check_password(struct secret *s, const char *password);

#endif
