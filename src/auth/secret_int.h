/* secret_int.h - what SCRAM needs of secrets and nobody else does. */
#ifndef SLUICE_AUTH_SECRET_INT_H
#define SLUICE_AUTH_SECRET_INT_H

#include "auth/secret.h"

#define SECRET_SALT_LEN 16u

/* The salt that this process shows for a user name whose verifier is not stored. */
bool secret_user_salt(const char *user, uint8_t salt[SECRET_SALT_LEN]);
/* Is there a password in it, or beside it, that SCRAM can be done with? */
bool secret_has_scram(struct secret *s);
/* Does any secret have another beside it? */
bool secret_is_any_double(void);
/* A client has shown the client key that belongs to the door keys. */
void secret_recovered(struct secret *s, const uint8_t client_key[SCRAM_KEY_LEN]);

#endif
