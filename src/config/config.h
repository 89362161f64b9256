/* config.h - a whole configuration, read from files and environment: global settings, databases, users, secrets.
 * A struct config is built aside, checked whole, and only then becomes the current one; a bad file leaves the old one
 * running. Everything in it is read-only once built. It is counted: what came from it stays valid while one holds it.
 */
#ifndef SLUICE_CONFIG_CONFIG_H
#define SLUICE_CONFIG_CONFIG_H

#include "config/hba.h"
#include "config/settings.h"
#include "config/userlist.h"
#include "core/list.h"
#include "core/map.h"

/* Settings that a [databases] or [users] entry overrides; sparse. */
struct override {
	enum setting_id id;
	struct setting_value value;
};
struct overrides {
	struct override *at; /* owned */
	size_t count;
};

enum db_kind { DB_POSTGRES, DB_MYSQL, DB_ORACLE, DB_CONSOLE };

/* One [databases] entry. Texts are "" when not given. */
struct db_conf {
	struct map_node node; /* config->db_by_name */
	struct list in_all;   /* config->databases, in the file's order */
	char *name;           /* "*" is the fallback entry */
	enum db_kind kind;    /* `kind=`, default postgres; oracle is not served yet, and refused by --check */
	char *host; /* as given: comma-separated names, addresses or socket directories; "" is the default socket dir */
	char *dbname;                                                    /* "" : the name that the client asked for */
	uint16_t port;                                                   /* default 5432, or 3306 */
	char *user, *password;                                           /* forced; "" : the client's own */
	char *connect_query;                                             /* run on each new server connection */
	char *client_encoding, *datestyle, *timezone, *application_name; /* startup parameters forced on servers */
	struct overrides set; /* pool_size etc. under their settings' names (pool_size is SET_default_pool_size here) */
	int line;
};

/* One user: from [users], from auth_file, or both. */
struct user_conf {
	struct map_node node; /* config->user_by_name */
	struct list in_all;   /* config->users */
	char *name;
	char *secret;    /* auth_file's text: plain, "md5...", "SCRAM-SHA-256$..."; "" when it has an empty one */
	char *other;     /* a second one, as good as the first; "" mostly */
	bool has_secret; /* is in auth_file */
	unsigned lines;  /* there, so many times */
	bool is_admin, is_stats; /* named in admin_users / stats_users */
	struct overrides set;
};

/* One [peers] entry. */
struct peer_conf {
	struct list in_all; /* config->peers, in the file's order */
	uint32_t id;        /* its peer_id */
	char *host;         /* name, address or socket directory; "" is the default socket dir */
	uint16_t port;      /* default 6432 */
	int64_t pool_size;  /* requests that are on their way to it at once; -1: not given */
	int line;
};

/* What the files of rules say. Counted: copies of a configuration share it. */
struct access {
	uint32_t refs;
	struct hba hba;
	struct ident ident;
	struct hba_options ldap; /* auth_ldap_options */
};

struct config {
	uint32_t refs;
	char *path; /* absolute */
	struct settings set;
	struct list databases, users, peers;
	struct map db_by_name, user_by_name;
	const struct db_conf *fallback; /* the "*" entry, or NULL */
	struct access *access;          /* counted, never NULL */
	enum user_form mostly;          /* what the secrets of auth_file are, more of them than anything else */
	bool has_sha2;                  /* one of them is caching_sha2_password's */
	uint32_t mostly_iterations;     /* SCRAM: those of most of these verifiers */
};

/* Where faults of a file are told: one call for each, with its place. line 0: the file as a whole. */
typedef void config_report(void *arg, bool is_error, const char *file, int line, const char *text);

/* Reads path with its %includes, the auth_file it names, and SLUICE_* of the environment. Reports every fault and
 * warning. strict (--check): an unknown key, or settings that contradict each other, are errors, else warnings. NULL
 * when anything was an error. When a configuration of that path is running and it is not strict, rows that take effect
 * at a restart keep the running value, with a warning. */
struct config *config_load(const char *path, bool strict, config_report *report, void *arg);
struct config *config_ref(struct config *c);
void config_put(struct config *c); /* NULL is fine */

/* Asked last about every configuration that could become the running one: may it? What it was told of last is what
 * config_set() is called with, if anything is. FAULT_CONFIG says why not. */
typedef bool config_checker(const struct config *c, struct fault *f);
void config_set_checker(config_checker *may);

/* The running one. config_set() takes over the caller's reference and drops the old one's. */
struct config *config_now(void);
void config_set(struct config *c);

const struct db_conf *config_find_db(const struct config *c, const char *name); /* exact; not the fallback */
const struct user_conf *config_find_user(const struct config *c, const char *name);
const struct peer_conf *config_find_peer(const struct config *c, uint32_t id);
uint32_t config_peer_size(const struct config *c, const struct peer_conf *p); /* 0: no limit */
const char *config_peer_host(const struct config *c, const struct peer_conf *p);

/* A setting as it holds for a user in a database: the user's override, else the database's, else the global one. db and
 * u may be NULL. */
int64_t config_num(const struct config *c, enum setting_id id, const struct db_conf *db, const struct user_conf *u);
const char *config_text(const struct config *c, enum setting_id id, const struct db_conf *db,
			const struct user_conf *u);
/* Does it name PAM or LDAP, for anybody? */
bool config_asks_outside(const struct config *c);
/* Is this override given there at all? NULL if not. */
const struct setting_value *overrides_find(const struct overrides *o, enum setting_id id);
/* Does a comma-separated list setting hold this word? */
bool config_list_has(const struct config *c, enum setting_id id, const char *word);
/* SET key = value at the console: a changed copy of the current configuration, checked, which then becomes current.
 * FAULT_CONFIG for an unknown key, a bad value, a RESTART row. */
bool config_set_value(const char *key, const char *value, struct fault *f);

/* Same server-side target? (host, port, dbname, user, password, startup parameters: when these change on a reload, the
 * old servers of that database are closed as they come free.) */
bool db_conf_same_target(const struct db_conf *a, const struct db_conf *b);

#endif
