/* secret_int.h - what the ways of proving need of secrets and nobody else does. */
#ifndef SLUICE_AUTH_SECRET_INT_H
#define SLUICE_AUTH_SECRET_INT_H

#include "auth/secret.h"

#define SECRET_SALT_LEN 16u

/* The salt that this process shows for a user name whose verifier is not stored. */
bool secret_user_salt(const char *user, uint8_t salt[SECRET_SALT_LEN]);
/* Keys for a mock exchange with whoever calls itself so: that salt, and keys that nobody has. What they are does not
 * matter otherwise, as a mock exchange fails whatever comes of them: they are the same for all. */
bool secret_mock(const char *user, struct scram_keys *k);
/* Is there a password in it, or beside it, that SCRAM can be done with? */
bool secret_has_scram(struct secret *s);
/* Does any secret have another beside it? */
bool secret_is_any_double(void);
/* Who stands in for a user that there is not, or whose secret cannot be used: of that kind, where
 * it matters for the work; else PLAIN. Nothing fits it. */
struct secret *secret_nobody(enum secret_kind as);
bool secret_is_nobody(const struct secret *s);
/* The password fitted: its digest is kept, and the next time it fits at once. */
bool secret_was_seen(const struct secret *s, const char *password);
void secret_is_seen(struct secret *s, const char *password);
/* Likewise, and it is kept itself: secret_password() from now on. */
void secret_keep_shown(struct secret *s, const char *password);

/* --- Hashes of other schemes than PostgreSQL's, as they are stored (auth/stored.c). */
enum stored { STORED_NOT, STORED_OK, STORED_BAD, STORED_NOMEM };
/* OK: kind, text and keys of *s are set. NOT: the text is none; BAD: it begins as one. */
enum stored stored_parse(struct secret *s, const char *text);
/* Does this text stand for the hash that is in s->text? */
bool stored_is(const struct secret *s, const char *text);
/* Of SHA2's text: how many rounds, where the salt and the hash stand. */
#define SHA2_SALT_LEN 20u
#define SHA2_TEXT_LEN 43u
uint32_t stored_sha2_rounds(const char *text);
const char *stored_sha2_salt(const char *text);
const char *stored_sha2_hash(const char *text);

/* A client has shown the client key that belongs to the door keys. */
void secret_recovered(struct secret *s, const uint8_t client_key[SCRAM_KEY_LEN]);
/* The client key that belongs to these keys, which were the door keys of the secret, or of the
 * other one beside it: taken there, if they still are. */
void secret_proven(struct secret *s, const struct scram_keys *keys, const uint8_t client_key[SCRAM_KEY_LEN]);

#endif
