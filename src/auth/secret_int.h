/* secret_int.h - what SCRAM needs of secrets and nobody else does. */
#ifndef SLUICE_AUTH_SECRET_INT_H
#define SLUICE_AUTH_SECRET_INT_H

#include "auth/secret.h"

#define SECRET_SALT_LEN 16u

/* The salt that this process shows for a user name whose verifier is not stored. */
bool secret_user_salt(const char *user, uint8_t salt[SECRET_SALT_LEN]);
/* A client has shown the client key that belongs to the door keys. */
void secret_recovered(struct secret *s, const uint8_t client_key[SCRAM_KEY_LEN]);

#endif
