/* saslprep.h - SASLprep (RFC 4013) as PostgreSQL applies it to passwords before SCRAM derives keys from them. */
#ifndef SLUICE_AUTH_SASLPREP_H
#define SLUICE_AUTH_SASLPREP_H

#include <stdbool.h>

/* The password to derive from, malloc'ed; the caller wipes it. What SASLprep cannot take (not UTF-8, prohibited or
 * unassigned characters, nothing left) is the password as it stands, and ASCII always is.
 * NULL: out of memory. */
char *saslprep(const char *password);
/* Is this build able to prepare more than ASCII? Without libidn every password is taken as it stands, which is the
 * same for those that are normalised (NFKC) already: most that a keyboard makes. */
bool saslprep_is_complete(void);

#endif
