/* ldap_names.h - what an LDAP server is asked with: addresses, filters and names, made of a rule's options and a user's
 * name, in which nothing of the latter has a meaning of its own. Pure. PostgreSQL docs, LDAP Authentication; RFC 4514
 * (names), RFC 4515 (filters). */
#ifndef SLUICE_AUTH_LDAP_NAMES_H
#define SLUICE_AUTH_LDAP_NAMES_H

#include "config/hba.h"

/* Each returns a text to free(), or NULL when out of memory. `o` has HBA_NOPTIONS entries. */
/* "ldap://a:389 ldap://b:389" */
char *ldap_uris(const char *const *o);
/* Does the server have to be searched for the user's name? Else ldap_simple_dn() is it. */
bool ldap_is_search(const char *const *o);
/* ldapprefix, the user, ldapsuffix; where they make it a distinguished name, special characters are escaped. */
char *ldap_simple_dn(const char *const *o, const char *user);
/* ldapsearchfilter with the user in place of each $username, or (ldapsearchattribute=user), or (uid=user). */
char *ldap_filter(const char *const *o, const char *user);
/* The name of nobody below ldapbasedn. */
char *ldap_nobody_dn(const char *const *o);

#endif
