/* hba.h - reads an HBA file and an ident file into values: who may come from where and how, and which system user may
 * be which database user. PostgreSQL docs, The pg_hba.conf File; User Name Maps. What cannot be known here (roles,
 * names of hosts) or is not served (gss, sspi, radius, ...) is a fault: a rule that was left out could let somebody in
 * whom it kept out. Who comes in by these rules: auth/hba.h. */
#ifndef SLUICE_CONFIG_HBA_H
#define SLUICE_CONFIG_HBA_H

#include "core/fault.h"

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HBA_DEPTH 10  /* files that include each other */
#define HBA_FILES 256 /* files read for one HBA file */

enum hba_conn { HBA_LOCAL, HBA_HOST, HBA_HOSTSSL, HBA_HOSTNOSSL, HBA_NEVER /* hostgssenc */ };
enum hba_method { HBA_TRUST, HBA_REJECT, HBA_PLAIN, HBA_MD5, HBA_SCRAM, HBA_PEER, HBA_CERT, HBA_PAM, HBA_LDAP };
enum hba_where { HBA_ANYWHERE, HBA_SAMEHOST, HBA_SAMENET, HBA_NET };

/* The options of a rule that there are, by name. ldapscope is what an ldapurl holds and no option is called. */
#define HBA_OPTIONS(X)                                                                                                 \
	X(map)                                                                                                         \
	X(clientcert)                                                                                                  \
	X(pamservice)                                                                                                  \
	X(pam_use_hostname)                                                                                            \
	X(ldapserver)                                                                                                  \
	X(ldapport)                                                                                                    \
	X(ldapscheme)                                                                                                  \
	X(ldaptls)                                                                                                     \
	X(ldapprefix)                                                                                                  \
	X(ldapsuffix)                                                                                                  \
	X(ldapbasedn)                                                                                                  \
	X(ldapbinddn)                                                                                                  \
	X(ldapbindpasswd)                                                                                              \
	X(ldapsearchattribute)                                                                                         \
	X(ldapsearchfilter)                                                                                            \
	X(ldapscope)
#define X(name) HBA_##name,
enum hba_option { HBA_OPTIONS(X) HBA_NOPTIONS };
#undef X

struct hba_options {
	char *at[HBA_NOPTIONS]; /* owned; NULL: not given */
};

enum hba_word { HBA_NAME, HBA_ALL, HBA_SAMEUSER, HBA_REPLICATION, HBA_REGEX };
struct hba_name {
	enum hba_word is;
	char *text; /* owned */
	regex_t regex;
};
struct hba_names {
	struct hba_name *at; /* owned */
	size_t n;
};

struct hba_rule {
	int line;
	enum hba_conn conn;
	struct hba_names dbs, users;
	enum hba_where where;
	uint8_t ip[16], mask[16]; /* HBA_NET; network order, IPv4 in the first four */
	bool is_ipv6;
	enum hba_method method;
	bool wants_cert; /* clientcert=: a verified certificate besides, */
	bool wants_cn;   /* and its name is the user's */
	struct hba_options opt;
};
struct hba {
	struct hba_rule *at; /* owned */
	size_t n, cap;
};

/* One line: map, system user, database user. */
struct ident_line {
	char *map;
	bool is_regex;
	char *system; /* owned; without the slash of a regular expression */
	regex_t regex;
	struct hba_name user; /* HBA_NAME (in which \1 is what the system user's expression caught), ALL, REGEX */
};
struct ident {
	struct ident_line *at; /* owned */
	size_t n, cap;
};

/* A fault of a line of a file; line 0: of the file as a whole. A fault's text holds no password. */
struct hba_sink {
	void (*fault)(void *arg, const char *file, int line, const char *text);
	void *arg;
};

/* Reads a file, and those that it names, to the end; faults go to the sink. False, with whatever was read, when there
 * was any fault; *nomem when it was for want of memory. */
bool hba_read(struct hba *h, const char *path, const struct hba_sink *sink, bool *nomem);
bool ident_read(struct ident *i, const char *path, const struct hba_sink *sink, bool *nomem);
bool ident_has_map(const struct ident *i, const char *map);
void hba_free(struct hba *h);
void ident_free(struct ident *i);

/* auth_ldap_options: the options of an ldap rule by themselves. FAULT_CONFIG, FAULT_NOMEM. */
bool hba_ldap_read(struct hba_options *o, const char *text, struct fault *f);
void hba_options_free(struct hba_options *o);

#endif
