/* sha2.h - caching_sha2_password, both sides, pure. The fast path: the server sends a nonce, the client
 * SHA256(password) XOR SHA256(SHA256(SHA256(password)) nonce), which whoever has seen the password before can check.
 * Otherwise the client is asked for the password itself, which is checked against the stored verifier: SHA-crypt with
 * thousands of rounds. MySQL source documentation, Authentication: caching_sha2_password; U. Drepper, Unix crypt using
 * SHA-256. */
#ifndef SLUICE_AUTH_SHA2_H
#define SLUICE_AUTH_SHA2_H

#include "auth/secret.h"

#define SHA2_NONCE_LEN    20u
#define SHA2_PASSWORD_MAX 256u /* bytes, as MySQL has it */

enum sha2_fit { SHA2_FITS, SHA2_WRONG, SHA2_ASK };

/* What proves us to a server by the fast path. False when the secret cannot. */
bool sha2_answer(struct secret *s, const uint8_t nonce[SHA2_NONCE_LEN], uint8_t out[SHA2_LEN]);
/* Does a client's answer of n bytes fit? ASK: only the password itself can tell: secret_check_plain(). The same work
 * for whatever does not fit; NULL is an unknown user, with a secret of the kind nobody_as. */
enum sha2_fit sha2_check(struct secret *s, enum secret_kind nobody_as, const uint8_t nonce[SHA2_NONCE_LEN],
			 const uint8_t *proof, size_t n);
/* Against a SHA2 secret; what fits is kept. */
bool sha2_check_password(struct secret *s, const char *password);

#endif
