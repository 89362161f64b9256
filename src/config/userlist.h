/* userlist.h - reads an auth_file: a line for each user, "name" "secret", both in double quotes, in which two of them
 * are one. What follows on the line is ignored; so are empty lines and those that begin with ; or #. Neither name nor
 * secret ever stands in a fault. */
#ifndef SLUICE_CONFIG_USERLIST_H
#define SLUICE_CONFIG_USERLIST_H

#include "core/fault.h"

#include <stdbool.h>
#include <stdint.h>

#define USER_NAME_BYTES   255
#define USER_SECRET_BYTES 65535 /* as long as libpq sends them */

struct userlist_sink {
	/* A user; the texts are borrowed for the call. False ends the reading. */
	bool (*user)(void *arg, int line, const char *name, const char *secret);
	/* A fault of a line; reading goes on with the next. False ends the reading. */
	bool (*fault)(void *arg, int line, const char *text);
	void *arg;
};

/* Reads it to its end or to the first false. False, with a fault, when the file cannot be read (FAULT_CONFIG) or memory
 * is out (FAULT_NOMEM); faults of lines go to the sink. */
bool userlist_read(const char *path, const struct userlist_sink *sink, struct fault *f);

/* What a secret is, by how it begins; PLAIN is md5 hashes, too. */
enum user_form {
	USER_FORM_PLAIN,
	USER_FORM_SCRAM,
	USER_FORM_NATIVE,
	USER_FORM_SHA2,
	USER_FORM_ED25519,
	USER_FORM_PARSEC,
	USER_NFORMS
};
enum user_form userlist_form(const char *secret);
/* Of a SCRAM verifier; 0: it is none. */
uint32_t userlist_iterations(const char *secret);
/* Begins as a SCRAM verifier, but is none ("SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>")? Or as one of
 * caching_sha2_password ("$A$005$<salt><hash>", or all of it in hex behind "0x"), or as an ed25519 key ("ed25519:<43
 * characters>")? */
bool userlist_is_bad_verifier(const char *secret);

#endif
