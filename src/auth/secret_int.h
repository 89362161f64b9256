/* secret_int.h - what SCRAM needs of secrets and nobody else does. */
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
/* A client has shown the client key that belongs to the door keys. */
void secret_recovered(struct secret *s, const uint8_t client_key[SCRAM_KEY_LEN]);

#endif
