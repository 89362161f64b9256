/* load.c - builds a configuration from its files and the environment, and says all that is wrong with it. */
#include "config/config_int.h"
#include "config/connstr.h"
#include "config/ini.h"
#include "config/userlist.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define DB_NAME_BYTES 255

struct loading {
	const char *path;
	bool strict;
	config_report *report;
	void *arg;
	struct config *c; /* owned until it is handed out */
	bool failed;      /* an error was told */
	bool nomem;       /* and it was that one */
	bool unread;      /* there is no file to speak of */
	bool garbled;     /* there are lines that could not be understood */
	bool has_users;   /* auth_file was read, and all of it understood */
	bool seen[SET_COUNT];
	char odd_section[INI_SECTION_BYTES + 1]; /* told already */
	char *auth_path;                         /* owned */
};

/* Telling. */

static void tell(struct loading *l, bool is_error, const struct ini_place *at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void tell(struct loading *l, bool is_error, const struct ini_place *at, const char *fmt, ...)
{
	char text[5000]; /* a path has 4,095 bytes at most */
	va_list ap;
	va_start(ap, fmt);
	str_vfmt(text, sizeof text, fmt, ap);
	va_end(ap);
	l->failed |= is_error;
	l->report(l->arg, is_error, at->file, at->line, text);
}

#define error(l, at, ...)   tell((l), true, (at), __VA_ARGS__)
#define warning(l, at, ...) tell((l), false, (at), __VA_ARGS__)
/* What --check refuses and a running Sluice can live with. */
#define doubt(l, at, ...)   tell((l), (l)->strict, (at), __VA_ARGS__)

/* Told once; nothing is read any more after it. */
static void out_of_memory(struct loading *l)
{
	if (!l->nomem)
		l->report(l->arg, true, l->path, 0, "out of memory");
	l->nomem = l->failed = true;
}

static void tell_fault(struct loading *l, const struct ini_place *at, const char *whose, const struct fault *f)
{
	if (f->kind == FAULT_NOMEM)
		out_of_memory(l);
	else
		error(l, at, "%s%s", whose, f->text);
}

/* A name that is no setting of this scope: PgBouncer's, or nobody's. */
static void tell_unknown(struct loading *l, const struct ini_place *at, const char *whose, const char *key,
			 const char *value, unsigned scope)
{
	switch (setting_later(key, value, scope)) {
	case LATER_OFF:
		return;
	case LATER_DEFAULT:
		warning(l, at, "%s%s is known to PgBouncer but not served by this version", whose, key);
		return;
	case LATER_WANTED:
		doubt(l, at, "%s%s is known to PgBouncer but not served by this version", whose, key);
		return;
	case LATER_MOOT:
		warning(l, at, "%s%s has no effect: %s", whose, key, setting_moot_why(key));
		return;
	case LATER_UNKNOWN:
		break;
	}
	const char *near = scope == SCOPE_GLOBAL ? setting_nearest(key) : NULL;
	doubt(l, at, near ? "%sunknown setting \"%.80s\"; did you mean %s?" : "%sunknown setting \"%.80s\"%s", whose,
	      key, near ? near : "");
}

/* Global settings. */

static void put_global(struct loading *l, const struct ini_place *at, enum setting_id id, const char *whose,
		       const char *value)
{
	struct setting_value v;
	struct fault f;
	if (!setting_parse(id, value, &v, &f)) {
		tell_fault(l, at, whose, &f);
		return;
	}
	setting_value_free(id, &l->c->set.v[id]);
	l->c->set.v[id] = v;
}

static bool is_global(int id)
{
	return id >= 0 && settings_table[id].scope & SCOPE_GLOBAL;
}

static void on_setting(struct loading *l, const struct ini_place *at, const char *key, const char *value)
{
	int id = setting_find(key);
	if (id < 0) {
		tell_unknown(l, at, "", key, value, SCOPE_GLOBAL);
		return;
	}
	if (!is_global(id)) {
		doubt(l, at, "%s is a setting of single databases, for [databases]", settings_table[id].name);
		return;
	}
	if (l->seen[id])
		warning(l, at, "%s is given again; this value counts", settings_table[id].name);
	l->seen[id] = true;
	put_global(l, at, (enum setting_id)id, "", value);
}

/* SLUICE_<KEY>, after the files. */
static void read_environment(struct loading *l)
{
	static const char prefix[] = "SLUICE_";
	const struct ini_place at = { "environment", 0 };
	for (char **e = environ; e && *e && !l->nomem; e++) {
		char key[64], whose[80];
		const char *name = *e + sizeof prefix - 1, *equals;
		if (strncmp(*e, prefix, sizeof prefix - 1) != 0 || !(equals = strchr(name, '=')))
			continue;
		if (!str_copy_n(key, sizeof key, name, (size_t)(equals - name))) {
			warning(l, &at, "a variable whose name begins with SLUICE_ has too long a name");
			continue;
		}
		int id = setting_find(key);
		if (is_global(id)) {
			str_fmt(whose, sizeof whose, "%s%s: ", prefix, key);
			put_global(l, &at, (enum setting_id)id, whose, equals + 1);
			continue;
		}
		const char *near = setting_nearest(key);
		if (setting_later(key, equals + 1, SCOPE_GLOBAL) != LATER_UNKNOWN)
			tell_unknown(l, &at, prefix, key, equals + 1, SCOPE_GLOBAL);
		else if (near)
			warning(l, &at, "%s%s: unknown setting; did you mean %s?", prefix, key, near);
		else
			warning(l, &at, "%s%s: unknown setting", prefix, key);
	}
}

/* Settings of a database or a user. */

/* By the name that an entry knows it by; -1: no setting of that scope. */
static int override_find(const char *key, unsigned scope)
{
	if (str_eq_nocase(key, "pool_size"))
		return SET_default_pool_size;
	if (scope == SCOPE_DATABASE && str_eq_nocase(key, "reserve_pool"))
		return SET_reserve_pool_size;
	int id = setting_find(key);
	return id >= 0 && id != SET_default_pool_size && settings_table[id].scope & scope ? id : -1;
}

static void put_override(struct loading *l, const struct ini_place *at, const char *whose, struct overrides *o,
			 enum setting_id id, const char *key, const char *value)
{
	struct setting_value v;
	struct fault f;
	if (strcmp(value, "-1") == 0)
		return; /* PgBouncer's word for "not set" */
	if (overrides_find(o, id))
		warning(l, at, "%s%s is given again; this value counts", whose, key);
	if (!setting_parse(id, value, &v, &f)) {
		/* Such faults begin with the row's name, for which an entry may have another word. */
		if (f.kind == FAULT_NOMEM)
			out_of_memory(l);
		else
			error(l, at, "%s%s%s", whose, key, f.text + strlen(settings_table[id].name));
	} else if (!overrides_put(o, id, &v)) {
		setting_value_free(id, &v);
		out_of_memory(l);
	}
}

/* Any entry's pairs, one by one. each() is told a pair; `hidden`: the key may be a piece of a password that should have
 * been quoted, and must not be shown. */
struct entry {
	const struct ini_place *at;
	char whose[300]; /* "database \"shop\": " */
	struct db_conf *db;
	struct user_conf *user;
	struct peer_conf *peer;
	bool hidden;
	bool has_port;
	size_t byte;
};

static void unknown_pair(struct loading *l, struct entry *e, const char *key, const char *value, unsigned scope)
{
	if (e->hidden && setting_later(key, value, scope) == LATER_UNKNOWN)
		doubt(l, e->at, "%sunknown setting at byte %zu, behind a password without quotes", e->whose,
		      e->byte + 1);
	else
		tell_unknown(l, e->at, e->whose, key, value, scope);
}

static void on_db_kind(struct loading *l, struct entry *e, const char *value)
{
	static const struct {
		const char *word;
		enum db_kind kind;
	} kinds[] = { { "postgres", DB_POSTGRES }, { "mysql", DB_MYSQL }, { "oracle", DB_ORACLE } };
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (str_eq_nocase(value, kinds[i].word)) {
			e->db->kind = kinds[i].kind;
			if (kinds[i].kind == DB_ORACLE)
				error(l, e->at, "%skind=%s is not served by this version", e->whose, kinds[i].word);
			return;
		}
	error(l, e->at, "%skind: \"%.40s\" is not one of postgres, mysql, oracle", e->whose, value);
}

/* "a,,b" would be a host without a name. */
static bool is_host_list(const char *hosts)
{
	for (const char *p = hosts;;) {
		size_t len = strcspn(p, ",");
		if (strspn(p, " \t") >= len)
			return false;
		if (!p[len])
			return true;
		p += len + 1;
	}
}

static void on_db_pair(struct loading *l, struct entry *e, const char *key, const char *value)
{
	char **text = db_conf_text(e->db, key);
	int id = override_find(key, SCOPE_DATABASE);
	uint64_t port;

	if (text) {
		if (**text)
			warning(l, e->at, "%s%s is given again; this value counts", e->whose, key);
		if (str_eq_nocase(key, "host") && *value && !is_host_list(value))
			error(l, e->at, "%shost: a name in the list is empty", e->whose);
		if (!config_replace_text(text, value))
			out_of_memory(l);
		else if (setting_later(key, value, SCOPE_DATABASE) != LATER_UNKNOWN)
			tell_unknown(l, e->at, e->whose, key, value, SCOPE_DATABASE);
	} else if (str_eq_nocase(key, "port")) {
		if (str_to_u64(value, 65535, &port) && port > 0)
			e->db->port = (uint16_t)port, e->has_port = true;
		else
			error(l, e->at, "%sport: \"%.20s\" is not a number from 1 to 65535", e->whose, value);
	} else if (str_eq_nocase(key, "kind")) {
		on_db_kind(l, e, value);
	} else if (id >= 0) {
		put_override(l, e->at, e->whose, &e->db->set, (enum setting_id)id, key, value);
	} else {
		unknown_pair(l, e, key, value, SCOPE_DATABASE);
	}
}

static void on_user_pair(struct loading *l, struct entry *e, const char *key, const char *value)
{
	int id = override_find(key, SCOPE_USER);
	if (id >= 0)
		put_override(l, e->at, e->whose, &e->user->set, (enum setting_id)id, key, value);
	else
		unknown_pair(l, e, key, value, SCOPE_USER);
}

static void each_pair(struct loading *l, struct entry *e, const char *text,
		      void (*each)(struct loading *l, struct entry *e, const char *key, const char *value))
{
	char *copy = str_dup(text), *key, *value;
	if (!copy) {
		out_of_memory(l);
		return;
	}
	struct connstr c;
	enum connstr_got got;
	connstr_init(&c, copy);
	while (!l->nomem && (got = connstr_next(&c, &key, &value)) != CONNSTR_END) {
		if (got != CONNSTR_PAIR) {
			error(l, e->at, "%s%s, at byte %zu of the value", e->whose, connstr_why(got), c.pair + 1);
			break;
		}
		e->byte = c.pair;
		each(l, e, key, value);
		e->hidden = str_eq_nocase(key, "password") && !c.quoted;
	}
	str_wipe(copy, strlen(text));
	free(copy);
}

/* The name on the left, without its quotes; NULL, and told, when it is none. free() it. */
static char *entry_name(struct loading *l, const struct ini_place *at, const char *key, size_t max)
{
	char *name = str_dup(key);
	if (!name) {
		out_of_memory(l);
	} else if (!connstr_name(name)) {
		error(l, at, "a name is expected before the =, in quotes if it holds blanks or quotes");
	} else if (strlen(name) > max) {
		error(l, at, "the name is longer than %zu bytes", max);
	} else {
		return name;
	}
	free(name);
	return NULL;
}

static void on_database(struct loading *l, const struct ini_place *at, const char *key, const char *value)
{
	struct entry e = { .at = at };
	bool replaced = false;
	char *name = entry_name(l, at, key, DB_NAME_BYTES);
	if (!name)
		return;
	str_fmt(e.whose, sizeof e.whose, "database \"%s\": ", name);
	if (strcmp(name, "sluice") == 0 || strcmp(name, "pgbouncer") == 0) {
		error(l, at, "%sthe name is reserved for the console", e.whose);
		free(name);
		return;
	}
	e.db = db_conf_new(name);
	free(name);
	if (!e.db) {
		out_of_memory(l);
		return;
	}
	e.db->line = at->line;
	each_pair(l, &e, value, on_db_pair);
	if (e.db->kind == DB_MYSQL && !e.has_port)
		e.db->port = 3306;
	if (l->nomem || !config_add_db(l->c, e.db, &replaced)) {
		db_conf_free(e.db);
		out_of_memory(l);
		return;
	}
	if (replaced)
		warning(l, at, "%sis given again; this entry counts", e.whose);
}

static void on_user(struct loading *l, const struct ini_place *at, const char *key, const char *value)
{
	struct entry e = { .at = at };
	char *name = entry_name(l, at, key, USER_NAME_BYTES);
	if (!name)
		return;
	str_fmt(e.whose, sizeof e.whose, "user \"%s\": ", name);
	if (config_find_user(l->c, name))
		warning(l, at, "%sis given again; both entries count", e.whose);
	e.user = config_user(l->c, name);
	free(name);
	if (e.user)
		each_pair(l, &e, value, on_user_pair);
	else
		out_of_memory(l);
}

static void on_peer_pair(struct loading *l, struct entry *e, const char *key, const char *value)
{
	struct peer_conf *p = e->peer;
	uint64_t n;

	if (str_eq_nocase(key, "host")) {
		if (!config_replace_text(&p->host, value))
			out_of_memory(l);
	} else if (str_eq_nocase(key, "port")) {
		if (str_to_u64(value, 65535, &n) && n > 0)
			p->port = (uint16_t)n;
		else
			error(l, e->at, "%sport: \"%.20s\" is not a number from 1 to 65535", e->whose, value);
	} else if (str_eq_nocase(key, "pool_size")) {
		if (strcmp(value, "-1") == 0)
			p->pool_size = -1;
		else if (str_to_u64(value, 1000000, &n))
			p->pool_size = (int64_t)n;
		else
			error(l, e->at, "%spool_size: \"%.20s\" is not a number from 0 to 1000000", e->whose, value);
	} else {
		doubt(l, e->at, "%sunknown setting \"%.80s\"; a peer has host, port and pool_size", e->whose, key);
	}
}

static void on_peer(struct loading *l, const struct ini_place *at, const char *key, const char *value)
{
	struct entry e = { .at = at };
	uint64_t id;

	if (!str_to_u64(key, PEER_ID_MAX, &id) || id == 0) {
		error(l, at, "the name of a peer is its peer_id, a number from 1 to %d", PEER_ID_MAX);
		return;
	}
	str_fmt(e.whose, sizeof e.whose, "peer %u: ", (unsigned)id);
	e.peer = peer_conf_new((uint32_t)id);
	if (!e.peer) {
		out_of_memory(l);
		return;
	}
	e.peer->line = at->line;
	if (config_add_peer(l->c, e.peer))
		warning(l, at, "%sis given again; this entry counts", e.whose);
	each_pair(l, &e, value, on_peer_pair);
}

/* The files. */

static bool on_entry(void *arg, const struct ini_place *at, const char *section, const char *key, const char *value)
{
	struct loading *l = arg;
	if (str_eq_nocase(section, "sluice") || str_eq_nocase(section, "pgbouncer")) {
		on_setting(l, at, key, value);
	} else if (str_eq_nocase(section, "databases")) {
		on_database(l, at, key, value);
	} else if (str_eq_nocase(section, "users")) {
		on_user(l, at, key, value);
	} else if (str_eq_nocase(section, "peers")) {
		on_peer(l, at, key, value);
	} else if (!*section) {
		error(l, at, "a setting before the first [section]");
	} else if (strcmp(l->odd_section, section) != 0) {
		(void)str_copy(l->odd_section, sizeof l->odd_section, section);
		doubt(l, at, "unknown section [%s]; there are [sluice], [databases], [users] and [peers]", section);
	}
	return !l->nomem;
}

static bool on_file_fault(void *arg, const struct ini_place *at, const char *text)
{
	struct loading *l = arg;
	l->unread |= at->line == 0;
	l->garbled = true;
	error(l, at, "%s", text);
	return true;
}

/* Nobody's password, by its length, and no hash either. */
static bool looks_like_md5(const char *secret)
{
	size_t len = strlen(secret);
	return strncmp(secret, "md5", 3) == 0 && len >= 24 &&
	       (len != 35 || strspn(secret + 3, "0123456789abcdef") != 32);
}

static bool on_secret(void *arg, int line, const char *name, const char *secret)
{
	struct loading *l = arg;
	const struct ini_place at = { l->auth_path, line };
	struct user_conf *u = config_user(l->c, name);
	if (!u || (u->has_secret && !config_replace_text(&u->other, u->secret)) ||
	    !config_replace_text(&u->secret, secret)) {
		out_of_memory(l);
		return false;
	}
	if (u->has_secret) {
		unsigned n = ++u->lines;
		warning(l, &at,
			n == 2 ? "a user of this name stands further up: both passwords are valid"
			       : "users of this name stand further up: the last two passwords are valid");
	} else {
		u->lines = 1;
	}
	if (userlist_is_bad_verifier(secret))
		doubt(l, &at,
		      "the secret begins as a SCRAM verifier, but is none "
		      "(SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>), or as one of caching_sha2_password "
		      "($A$005$<20 bytes of salt><43 of hash>, or that in hex behind 0x), or as an ed25519 key "
		      "(ed25519:<43 characters>)");
	else if (looks_like_md5(secret))
		warning(l, &at,
			"the secret begins as an md5 hash, but is none (md5 and 32 digits from 0 to 9 and a to f): it "
			"counts as a plain password");
	u->has_secret = true;
	return true;
}

static bool on_secret_fault(void *arg, int line, const char *text)
{
	struct loading *l = arg;
	const struct ini_place at = { l->auth_path, line };
	l->has_users = false;
	error(l, &at, "%s", text);
	return true;
}

/* Are users looked up, in whatever database? */
static bool asks_for_users(const struct loading *l)
{
	if (*l->c->set.v[SET_auth_user].text)
		return true;
	LIST_EACH (&l->c->databases, it)
		if (*config_text(l->c, SET_auth_user, list_owner(it, struct db_conf, in_all), NULL))
			return true;
	return false;
}

/* By others than auth_file. */
static bool is_vouched_for(int64_t auth_type)
{
	return auth_type == AUTH_TYPE_ANY || auth_type == AUTH_TYPE_PAM || auth_type == AUTH_TYPE_LDAP;
}

/* Is the configuration that this one is to replace one with users? A file that cannot be read tells of none, and all
 * would be shut out: nothing is changed then, as with any other mistake. */
static bool loses_users(const struct loading *l)
{
	const struct config *run = config_now();
	if (!run || strcmp(run->path, l->c->path) != 0)
		return false;
	LIST_EACH (&run->users, it)
		if (list_owner(it, struct user_conf, in_all)->has_secret)
			return true;
	return false;
}

static void read_auth_file(struct loading *l)
{
	const struct ini_place whole = { l->path, 0 };
	const struct userlist_sink sink = { on_secret, on_secret_fault, l };
	const char *name = l->c->set.v[SET_auth_file].text;
	int64_t type = l->c->set.v[SET_auth_type].num;
	struct fault f;

	if (!*name) {
		if (!is_vouched_for(type) && !asks_for_users(l))
			doubt(l, &whole, "auth_file is not set, so nobody can log in");
		return;
	}
	l->auth_path = ini_resolve(name, l->path);
	if (!l->auth_path) {
		out_of_memory(l);
		return;
	}
	l->has_users = true;
	if (!userlist_read(l->auth_path, &sink, &f)) {
		l->has_users = false;
		const struct ini_place at = { l->auth_path, 0 };
		if (f.kind == FAULT_NOMEM)
			out_of_memory(l);
		else
			tell(l, l->strict || loses_users(l) || (type != AUTH_TYPE_TRUST && !is_vouched_for(type)), &at,
			     "auth_file %s", f.text);
	}
	size_t md5 = 0;
	LIST_EACH (&l->c->users, it) {
		const char *secret = list_owner(it, struct user_conf, in_all)->secret;
		md5 += strncmp(secret, "md5", 3) == 0 && strlen(secret) == 35;
	}
	if (!l->nomem && type == AUTH_TYPE_SCRAM && md5)
		warning(l, &whole,
			"%zu users of auth_file have md5 secrets, with which nobody can log in by scram-sha-256", md5);
}

/* The files of rules. What is wrong with one that is not asked is no reason not to run. */

static void on_rule_fault(void *arg, const char *file, int line, const char *text)
{
	struct loading *l = arg;
	const struct ini_place at = { file, line };
	tell(l, l->strict || l->c->set.v[SET_auth_type].num == AUTH_TYPE_HBA, &at, "%s", text);
}

static void read_rules(struct loading *l, enum setting_id id)
{
	const char *name = l->c->set.v[id].text;
	const struct hba_sink sink = { on_rule_fault, l };
	bool nomem = false;
	if (!*name)
		return;
	char *path = ini_resolve(name, l->path);
	if (!path)
		nomem = true;
	else if (id == SET_auth_hba_file)
		(void)hba_read(&l->c->access->hba, path, &sink, &nomem);
	else
		(void)ident_read(&l->c->access->ident, path, &sink, &nomem);
	free(path);
	if (nomem)
		out_of_memory(l);
}

static void check_maps(struct loading *l)
{
	const struct access *a = l->c->access;
	for (size_t i = 0; i < a->hba.n; i++) {
		const char *map = a->hba.at[i].opt.at[HBA_map];
		char text[200];
		if (!map || ident_has_map(&a->ident, map))
			continue;
		str_fmt(text, sizeof text, "map=%.100s: auth_ident_file has no map of that name", map);
		on_rule_fault(l, l->c->set.v[SET_auth_hba_file].text, a->hba.at[i].line, text);
	}
}

static void read_access(struct loading *l)
{
	const struct ini_place whole = { l->path, 0 };
	read_rules(l, SET_auth_ident_file);
	if (!l->nomem)
		read_rules(l, SET_auth_hba_file);
	const char *ldap = l->c->set.v[SET_auth_ldap_options].text;
	bool ok = true;
	struct fault f;
	if (*ldap && !hba_ldap_read(&l->c->access->ldap, ldap, &f)) {
		fault_add(&f, "auth_ldap_options");
		if (f.kind == FAULT_NOMEM)
			out_of_memory(l);
		else
			tell(l, l->strict || l->c->set.v[SET_auth_type].num == AUTH_TYPE_LDAP, &whole, "%s", f.text);
		ok = false;
	}
	if (ok && !config_can_ask(l->c, &f))
		error(l, &whole, "%s", f.text);
	check_maps(l);
}

/* What must hold between settings. */

static void check_listeners(struct loading *l, const struct ini_place *whole)
{
	const struct settings *s = &l->c->set;
	const char *dir = s->v[SET_unix_socket_dir].text;
	if (!*dir && !*s->v[SET_listen_addr].text)
		doubt(l, whole, "listen_addr and unix_socket_dir are both empty: there is nowhere to listen");
	if (strlen(dir) + sizeof "/.s.PGSQL.65535" > sizeof((struct sockaddr_un *)0)->sun_path)
		doubt(l, whole, "unix_socket_dir is too long for the address of a socket");
	if (*dir && *dir != '@' && access(dir, F_OK) != 0)
		doubt(l, whole, "unix_socket_dir \"%s\" cannot be used: %s", dir, strerror(errno));
	if (*dir && *dir != '/' && *dir != '@')
		warning(l, whole, "unix_socket_dir is relative: it depends on where Sluice is started");
	if (s->v[SET_pkt_buf].num != 4096 /* PgBouncer's default */)
		warning(l, whole, "pkt_buf has no effect: all connections are read through one buffer");
	if (s->v[SET_max_client_conn].num == 0)
		doubt(l, whole, "max_client_conn is 0: nobody can connect");
}

/* Of client_tls_sslmode's words the first with which clients are asked for a certificate. */
enum { SSLMODE_VERIFY_CA = 4 };

static void check_certificates(struct loading *l, const struct ini_place *whole)
{
	const struct settings *s = &l->c->set;
	const struct hba *h = &l->c->access->hba;
	if (s->v[SET_client_tls_sslmode].num >= SSLMODE_VERIFY_CA)
		return;
	if (s->v[SET_auth_type].num == AUTH_TYPE_CERT)
		error(l, whole,
		      "auth_type = cert needs client_tls_sslmode = verify-ca or verify-full: no certificate is asked for else");
	for (size_t i = 0; s->v[SET_auth_type].num == AUTH_TYPE_HBA && i < h->n; i++) {
		const struct ini_place at = { s->v[SET_auth_hba_file].text, h->at[i].line };
		if (h->at[i].wants_cert)
			doubt(l, &at,
			      "the rule wants a certificate, and client_tls_sslmode asks for none: nobody gets in by it");
	}
}

static void check_sizes(struct loading *l, const struct ini_place *at, const char *whose, const struct db_conf *db)
{
	int64_t size = config_num(l->c, SET_default_pool_size, db, NULL);
	int64_t least = config_num(l->c, SET_min_pool_size, db, NULL);
	int64_t all = config_num(l->c, SET_max_db_connections, db, NULL);
	if (size && least > size)
		doubt(l, at, "%smin_pool_size is %lld, and only %lld servers fit in the pool", whose, (long long)least,
		      (long long)size);
	/* This is how a database is meant to be shared by several users; but one pool cannot have its size then. */
	if (all && size > all)
		warning(l, at, "%sthe pool size is %lld, but max_db_connections allows %lld", whose, (long long)size,
			(long long)all);
}

static void check_any(struct loading *l, const struct ini_place *whole)
{
	if (l->c->set.v[SET_auth_type].num != AUTH_TYPE_ANY)
		return;
	LIST_EACH (&l->c->databases, it) {
		const struct db_conf *db = list_owner(it, struct db_conf, in_all);
		if (!*db->user)
			doubt(l, whole,
			      "database \"%s\" (line %d): auth_type = any needs user= here, or nobody gets in",
			      db->name, db->line);
	}
}

static void check_asked(struct loading *l, const struct ini_place *whole)
{
	const struct db_conf *db = NULL;
	struct list *it = &l->c->databases;
	do { /* the global one, then those of databases */
		const char *name = config_text(l->c, SET_auth_dbname, db, NULL);
		if (*name && (!db || overrides_find(&db->set, SET_auth_dbname)) && !config_find_db(l->c, name) &&
		    !l->c->fallback)
			doubt(l, whole, "auth_dbname = %.80s: there is no such entry in [databases]", name);
		it = it->next;
		db = it == &l->c->databases ? NULL : list_owner(it, struct db_conf, in_all);
	} while (db);
}

/* Users of the console who cannot log in: with trust and the like it is enough to stand in auth_file. */
static void check_console_users(struct loading *l, const struct ini_place *whole, enum setting_id id)
{
	static const char blank[] = " \t";
	if (!l->has_users || l->c->set.v[SET_auth_type].num == AUTH_TYPE_ANY || asks_for_users(l) ||
	    config_asks_outside(l->c))
		return;
	for (const char *p = l->c->set.v[id].text; *p;) {
		p += strspn(p, ", \t");
		size_t len = strcspn(p, ",");
		const char *next = p + len;
		while (len && strchr(blank, p[len - 1]))
			len--;
		char name[USER_NAME_BYTES + 1];
		const struct user_conf *u = str_copy_n(name, sizeof name, p, len) ? config_find_user(l->c, name) : NULL;
		if (len && (!u || !u->has_secret))
			warning(l, whole, "%s names \"%.*s\", who is not in auth_file and so cannot log in",
				settings_table[id].name, (int)len, p);
		p = next;
	}
}

static void check_relations(struct loading *l)
{
	const struct ini_place whole = { l->path, 0 };
	check_asked(l, &whole);
	check_any(l, &whole);
	check_console_users(l, &whole, SET_admin_users);
	check_console_users(l, &whole, SET_stats_users);
	check_listeners(l, &whole);
	check_certificates(l, &whole);
	check_sizes(l, &whole, "", NULL);
	if (!list_empty(&l->c->peers) && !l->c->set.v[SET_peer_id].num)
		warning(l, &whole, "peer_id is not set, so [peers] has no effect");
	LIST_EACH (&l->c->databases, it) {
		const struct db_conf *db = list_owner(it, struct db_conf, in_all);
		char whose[300];
		str_fmt(whose, sizeof whose, "database \"%s\" (line %d): ", db->name, db->line);
		if (db->set.count) /* else it is the global ones' fault, which was told */
			check_sizes(l, &whole, whose, db);
	}
	if (list_empty(&l->c->databases) && !l->garbled) /* else they may be there */
		warning(l, &whole, "there are no [databases], so there is only the console");
}

/* A reload cannot change what only a start can: the running value stays, and SHOW CONFIG tells the truth. */
static void keep_started(struct loading *l)
{
	const struct ini_place whole = { l->path, 0 };
	const struct config *run = config_now();
	if (!run || l->strict || strcmp(run->path, l->c->path) != 0)
		return;
	for (int i = 0; i < SET_COUNT && !l->nomem; i++) {
		enum setting_id id = (enum setting_id)i;
		struct setting_value v;
		if (!(settings_table[i].when & WHEN_RESTART) || setting_value_same(id, &run->set.v[i], &l->c->set.v[i]))
			continue;
		if (!setting_value_copy(id, &v, &run->set.v[i])) {
			out_of_memory(l);
			return;
		}
		warning(l, &whole, "%s has changed, which takes effect at a restart", settings_table[i].name);
		setting_value_free(id, &l->c->set.v[i]);
		l->c->set.v[i] = v;
	}
}

struct config *config_load(const char *path, bool strict, config_report *report, void *arg)
{
	struct loading l = { .path = path, .strict = strict, .report = report, .arg = arg };
	const struct ini_sink sink = { on_entry, on_file_fault, &l };
	char *absolute = realpath(path, NULL); /* NULL too when there is no such file, which ini_read() says */

	l.c = config_new(absolute ? absolute : path);
	free(absolute);
	if (!l.c) {
		out_of_memory(&l);
		return NULL;
	}
	if (!ini_read(path, &sink))
		out_of_memory(&l);
	/* Also after an error, so that all are told in one go. */
	if (!l.nomem && !l.unread)
		read_environment(&l);
	if (!l.nomem && !l.unread)
		read_auth_file(&l);
	if (!l.nomem && !l.unread)
		read_access(&l);
	if (!l.nomem && !l.unread)
		check_relations(&l);
	if (!l.failed)
		keep_started(&l);
	if (!l.failed) {
		const struct ini_place whole = { path, 0 };
		struct fault f;
		if (!config_check(l.c, &f))
			tell_fault(&l, &whole, "", &f);
	}
	free(l.auth_path);
	if (l.failed) {
		config_put(l.c);
		return NULL;
	}
	config_mark_users(l.c);
	return l.c;
}
