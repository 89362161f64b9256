/* parsec.h - MariaDB's plugin parsec, both sides, pure: the password's PBKDF2 (SHA-512) is the seed of an Ed25519 key,
 * with which the client signs the server's nonce and one of its own. The server has the public key, and tells the salt
 * and how many rounds ("ext-salt"). MariaDB Knowledge Base, Authentication Plugin - PARSEC. */
#ifndef SLUICE_AUTH_PARSEC_H
#define SLUICE_AUTH_PARSEC_H

#include "auth/secret.h"

#define PARSEC_NONCE_LEN  32u
#define PARSEC_EXT_LEN    (2u + PARSEC_SALT_LEN)   /* 'P', the factor, the salt */
#define PARSEC_ANSWER_LEN (PARSEC_NONCE_LEN + 64u) /* its own nonce, the signature */
#define PARSEC_FACTOR_MAX 6u                       /* 65536 rounds: SCRAM_ITER_MAX */

/* The salt that a client of this user is to be told; for one that nobody knows, or whose secret cannot be used (NULL),
 * one that is always the same for this name. The first time it costs a plain password its PBKDF2. False: no memory. */
bool parsec_ext(struct secret *s, const char *user, uint8_t out[PARSEC_EXT_LEN]);
/* Does a client's answer of n bytes fit, to that salt? The same work for whatever does not. */
bool parsec_check(struct secret *s, const uint8_t nonce[PARSEC_NONCE_LEN], const uint8_t *answer, size_t n);
/* Is it the password of this public key? */
bool parsec_check_password(struct secret *s, const char *password);

/* Is this an ext-salt, of no more rounds than we would do? */
bool parsec_is_ext(const uint8_t *p, size_t n);
/* What proves us to a server that told this one. False when the secret cannot. */
bool parsec_answer(struct secret *s, const uint8_t ext[PARSEC_EXT_LEN], const uint8_t nonce[PARSEC_NONCE_LEN],
		   uint8_t out[PARSEC_ANSWER_LEN]);

#endif
