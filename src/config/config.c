/* config.c - a configuration as an object: what it holds, how it is asked, copied and given back; and the running one.
 */
#include "config/config_int.h"

#include <stdlib.h>
#include <string.h>

static struct config *now; /* counted */
static config_checker *checker;

/* The texts of a [databases] entry by their keys. target: servers with another value are another target. */
static const struct {
	const char *key;
	size_t at;
	bool target;
} db_texts[] = {
	{ "host", offsetof(struct db_conf, host), true },
	{ "dbname", offsetof(struct db_conf, dbname), true },
	{ "user", offsetof(struct db_conf, user), true },
	{ "password", offsetof(struct db_conf, password), true },
	{ "connect_query", offsetof(struct db_conf, connect_query), false },
	{ "client_encoding", offsetof(struct db_conf, client_encoding), true },
	{ "datestyle", offsetof(struct db_conf, datestyle), true },
	{ "timezone", offsetof(struct db_conf, timezone), true },
	{ "application_name", offsetof(struct db_conf, application_name), true },
};
#define DB_TEXTS (sizeof db_texts / sizeof db_texts[0])

static char **text_at(struct db_conf *d, size_t i)
{
	return (char **)(void *)((char *)d + db_texts[i].at);
}

static const char *text_of(const struct db_conf *d, size_t i)
{
	return *(const char *const *)(const void *)((const char *)d + db_texts[i].at);
}

static void text_free(char **at)
{
	if (*at)
		str_wipe(*at, strlen(*at)); /* it may be a secret */
	free(*at);
	*at = NULL;
}

bool config_replace_text(char **at, const char *text)
{
	char *copy = str_dup(text);
	if (!copy)
		return false;
	text_free(at);
	*at = copy;
	return true;
}

/* Overrides. */

bool overrides_put(struct overrides *o, enum setting_id id, struct setting_value *v)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->at[i].id == id) {
			setting_value_free(id, &o->at[i].value);
			o->at[i].value = *v;
			return true;
		}
	/* An entry has a handful at most, so the array grows one by one. */
	struct override *at = realloc(o->at, (o->count + 1) * sizeof *at);
	if (!at)
		return false;
	at[o->count++] = (struct override){ id, *v };
	o->at = at;
	return true;
}

const struct setting_value *overrides_find(const struct overrides *o, enum setting_id id)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->at[i].id == id)
			return &o->at[i].value;
	return NULL;
}

void overrides_free(struct overrides *o)
{
	for (size_t i = 0; i < o->count; i++)
		setting_value_free(o->at[i].id, &o->at[i].value);
	free(o->at);
	*o = (struct overrides){ NULL, 0 };
}

static bool overrides_copy(struct overrides *to, const struct overrides *from)
{
	for (size_t i = 0; i < from->count; i++) {
		struct setting_value v;
		if (!setting_value_copy(from->at[i].id, &v, &from->at[i].value))
			return false;
		if (!overrides_put(to, from->at[i].id, &v)) {
			setting_value_free(from->at[i].id, &v);
			return false;
		}
	}
	return true;
}

/* Databases and users. */

struct db_conf *db_conf_new(const char *name)
{
	struct db_conf *d = calloc(1, sizeof *d);
	if (!d)
		return NULL;
	list_init(&d->in_all);
	d->kind = DB_POSTGRES;
	d->port = 5432;
	bool ok = config_replace_text(&d->name, name);
	for (size_t i = 0; ok && i < DB_TEXTS; i++)
		ok = config_replace_text(text_at(d, i), "");
	if (!ok) {
		db_conf_free(d);
		return NULL;
	}
	return d;
}

void db_conf_free(struct db_conf *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < DB_TEXTS; i++)
		text_free(text_at(d, i));
	overrides_free(&d->set);
	free(d->name);
	free(d);
}

char **db_conf_text(struct db_conf *d, const char *key)
{
	for (size_t i = 0; i < DB_TEXTS; i++)
		if (str_eq_nocase(db_texts[i].key, key))
			return text_at(d, i);
	return NULL;
}

static struct db_conf *db_conf_copy(const struct db_conf *from)
{
	struct db_conf *d = db_conf_new(from->name);
	if (!d)
		return NULL;
	d->kind = from->kind;
	d->port = from->port;
	d->line = from->line;
	bool ok = overrides_copy(&d->set, &from->set);
	for (size_t i = 0; ok && i < DB_TEXTS; i++)
		ok = config_replace_text(text_at(d, i), text_of(from, i));
	if (!ok) {
		db_conf_free(d);
		return NULL;
	}
	return d;
}

bool db_conf_same_target(const struct db_conf *a, const struct db_conf *b)
{
	if (a->kind != b->kind || a->port != b->port)
		return false;
	for (size_t i = 0; i < DB_TEXTS; i++)
		if (db_texts[i].target && strcmp(text_of(a, i), text_of(b, i)) != 0)
			return false;
	return true;
}

static struct db_conf *db_of_node(const struct map_node *n)
{
	return n ? list_owner(n, struct db_conf, node) : NULL;
}

static struct user_conf *user_of_node(const struct map_node *n)
{
	return n ? list_owner(n, struct user_conf, node) : NULL;
}

static bool is_key(const char *name, const void *key, size_t len)
{
	return strlen(name) == len && memcmp(name, key, len) == 0;
}

static bool db_match(const struct map_node *n, const void *key, size_t len)
{
	return is_key(db_of_node(n)->name, key, len);
}

static bool user_match(const struct map_node *n, const void *key, size_t len)
{
	return is_key(user_of_node(n)->name, key, len);
}

static bool is_fallback(const char *name)
{
	return strcmp(name, "*") == 0;
}

static struct db_conf *find_any_db(const struct config *c, const char *name)
{
	if (!is_fallback(name))
		return db_of_node(map_find(&c->db_by_name, name, strlen(name), db_match));
	LIST_EACH (&c->databases, it)
		if (list_owner(it, struct db_conf, in_all) == c->fallback)
			return list_owner(it, struct db_conf, in_all);
	return NULL;
}

static void drop_db(struct config *c, struct db_conf *d)
{
	if (d == c->fallback)
		c->fallback = NULL;
	else
		map_del(&c->db_by_name, &d->node);
	list_del(&d->in_all);
	db_conf_free(d);
}

bool config_add_db(struct config *c, struct db_conf *d, bool *replaced)
{
	struct db_conf *old = find_any_db(c, d->name);
	*replaced = old != NULL;
	if (old)
		drop_db(c, old);
	if (is_fallback(d->name))
		c->fallback = d; /* in no map: nobody may ask for it by that name */
	else if (!map_add(&c->db_by_name, &d->node, d->name, strlen(d->name)))
		return false;
	list_add(&c->databases, &d->in_all);
	return true;
}

static void user_free(struct user_conf *u)
{
	overrides_free(&u->set);
	text_free(&u->secret);
	text_free(&u->other);
	free(u->name);
	free(u);
}

struct user_conf *config_user(struct config *c, const char *name)
{
	struct user_conf *u = user_of_node(map_find(&c->user_by_name, name, strlen(name), user_match));
	if (u)
		return u;
	u = calloc(1, sizeof *u);
	if (!u)
		return NULL;
	list_init(&u->in_all);
	u->name = str_dup(name);
	u->secret = str_dup("");
	u->other = str_dup("");
	if (!u->name || !u->secret || !u->other || !map_add(&c->user_by_name, &u->node, u->name, strlen(u->name))) {
		user_free(u);
		return NULL;
	}
	list_add(&c->users, &u->in_all);
	return u;
}

/* Rules. */

static struct access *access_new(void)
{
	struct access *a = calloc(1, sizeof *a);
	if (a)
		a->refs = 1;
	return a;
}

static void access_put(struct access *a)
{
	if (!a || --a->refs)
		return;
	hba_free(&a->hba);
	ident_free(&a->ident);
	hba_options_free(&a->ldap);
	free(a);
}

/* The whole. */

struct config *config_new(const char *path)
{
	struct config *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->refs = 1;
	c->db_by_name = c->user_by_name = MAP_INIT;
	list_init(&c->databases);
	list_init(&c->users);
	list_init(&c->peers);
	c->path = str_dup(path);
	c->access = access_new();
	if (!c->path || !c->access || !settings_init(&c->set)) {
		config_put(c);
		return NULL;
	}
	return c;
}

struct config *config_copy(const struct config *from)
{
	struct config *c = config_new(from->path);
	if (!c)
		return NULL;
	settings_free(&c->set);
	access_put(c->access);
	c->access = from->access;
	c->access->refs++;
	bool ok = settings_copy(&c->set, &from->set);
	LIST_EACH (&from->databases, it) {
		struct db_conf *d = ok ? db_conf_copy(list_owner(it, struct db_conf, in_all)) : NULL;
		bool replaced;
		ok = d && config_add_db(c, d, &replaced);
		if (!ok)
			db_conf_free(d);
	}
	LIST_EACH (&from->users, it) {
		const struct user_conf *old = list_owner(it, struct user_conf, in_all);
		struct user_conf *u = ok ? config_user(c, old->name) : NULL;
		ok = u && config_replace_text(&u->secret, old->secret) && config_replace_text(&u->other, old->other) &&
		     overrides_copy(&u->set, &old->set);
		if (u)
			u->has_secret = old->has_secret;
	}
	ok = ok && config_copy_peers(c, from);
	if (!ok) {
		config_put(c);
		return NULL;
	}
	config_mark_users(c);
	return c;
}

struct config *config_ref(struct config *c)
{
	c->refs++;
	return c;
}

void config_put(struct config *c)
{
	if (!c || --c->refs)
		return;
	LIST_EACH (&c->databases, it)
		db_conf_free(list_owner(it, struct db_conf, in_all));
	LIST_EACH (&c->users, it)
		user_free(list_owner(it, struct user_conf, in_all));
	LIST_EACH (&c->peers, it)
		peer_conf_free(list_owner(it, struct peer_conf, in_all));
	map_free(&c->db_by_name);
	map_free(&c->user_by_name);
	settings_free(&c->set);
	access_put(c->access);
	free(c->path);
	free(c);
}

struct config *config_now(void)
{
	return now;
}

void config_set_checker(config_checker *may)
{
	checker = may;
}

bool config_check(const struct config *c, struct fault *f)
{
	return !checker || checker(c, f);
}

void config_set(struct config *c)
{
	struct config *old = now;
	now = c;
	config_put(old);
}

/* Questions. */

const struct db_conf *config_find_db(const struct config *c, const char *name)
{
	return db_of_node(map_find(&c->db_by_name, name, strlen(name), db_match));
}

const struct user_conf *config_find_user(const struct config *c, const char *name)
{
	return user_of_node(map_find(&c->user_by_name, name, strlen(name), user_match));
}

static const struct setting_value *value_for(const struct config *c, enum setting_id id, const struct db_conf *db,
					     const struct user_conf *u)
{
	const struct setting_value *v = u ? overrides_find(&u->set, id) : NULL;
	if (!v && db)
		v = overrides_find(&db->set, id);
	return v ? v : &c->set.v[id];
}

int64_t config_num(const struct config *c, enum setting_id id, const struct db_conf *db, const struct user_conf *u)
{
	return value_for(c, id, db, u)->num;
}

const char *config_text(const struct config *c, enum setting_id id, const struct db_conf *db, const struct user_conf *u)
{
	return value_for(c, id, db, u)->text;
}

static bool is_blank(char ch)
{
	return ch == ' ' || ch == '\t';
}

bool config_list_has(const struct config *c, enum setting_id id, const char *word)
{
	size_t want = strlen(word);
	const char *p = c->set.v[id].text;
	while (p) {
		const char *comma = strchr(p, ',');
		while (is_blank(*p))
			p++;
		size_t len = comma ? (comma > p ? (size_t)(comma - p) : 0) : strlen(p);
		while (len && is_blank(p[len - 1]))
			len--;
		if (len && len == want && memcmp(p, word, len) == 0)
			return true;
		p = comma ? comma + 1 : NULL;
	}
	return false;
}

/* How often a number of iterations occurs. Nobody has more than a few different ones. */
struct count {
	uint32_t iterations, users;
};

static void count_iterations(struct count *counts, size_t n, uint32_t iterations)
{
	for (size_t i = 0; i < n; i++)
		if (counts[i].iterations == iterations || counts[i].users == 0) {
			counts[i].iterations = iterations;
			counts[i].users++;
			return;
		}
}

void config_mark_users(struct config *c)
{
	size_t forms[USER_NFORMS] = { 0 };
	struct count counts[16] = { { 0, 0 } }, most = { 0, 0 };
	LIST_EACH (&c->users, it) {
		struct user_conf *u = list_owner(it, struct user_conf, in_all);
		u->is_admin = config_list_has(c, SET_admin_users, u->name);
		u->is_stats = config_list_has(c, SET_stats_users, u->name);
		if (u->has_secret)
			forms[userlist_form(u->secret)]++;
		if (u->has_secret && userlist_form(u->other) == USER_FORM_SHA2)
			c->has_sha2 = true;
		if (u->has_secret && userlist_iterations(u->secret))
			count_iterations(counts, sizeof counts / sizeof counts[0], userlist_iterations(u->secret));
	}
	c->has_sha2 = c->has_sha2 || forms[USER_FORM_SHA2] > 0;
	c->mostly = USER_FORM_PLAIN;
	for (enum user_form i = USER_FORM_PLAIN; i < USER_NFORMS; i++)
		if (forms[i] > forms[c->mostly])
			c->mostly = i;
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
		if (counts[i].users > most.users)
			most = counts[i];
	c->mostly_iterations = most.iterations;
}

bool config_asks_outside(const struct config *c)
{
	int64_t type = c->set.v[SET_auth_type].num;
	const struct hba *h = &c->access->hba;
	for (size_t i = 0; type == AUTH_TYPE_HBA && i < h->n; i++)
		if (h->at[i].method == HBA_PAM || h->at[i].method == HBA_LDAP)
			return true;
	return type == AUTH_TYPE_PAM || type == AUTH_TYPE_LDAP;
}

bool config_can_ask(const struct config *c, struct fault *f)
{
	int64_t type = c->set.v[SET_auth_type].num;
	if (type == AUTH_TYPE_HBA && !*c->set.v[SET_auth_hba_file].text)
		return fault_set(f, FAULT_CONFIG, "auth_type = hba needs auth_hba_file");
	if (type == AUTH_TYPE_LDAP && !c->access->ldap.at[HBA_ldapserver])
		return fault_set(f, FAULT_CONFIG, "auth_type = ldap needs auth_ldap_options");
#ifndef HAVE_LDAP
	if (type == AUTH_TYPE_LDAP)
		return fault_set(f, FAULT_CONFIG, "auth_type = ldap: this build is without LDAP");
#endif
#ifndef HAVE_PAM
	if (type == AUTH_TYPE_PAM)
		return fault_set(f, FAULT_CONFIG, "auth_type = pam: this build is without PAM");
#endif
#ifndef HAVE_PAM_START_CONFDIR
	if (*c->set.v[SET_auth_pam_dir].text)
		return fault_set(f, FAULT_CONFIG, "auth_pam_dir: this system's PAM knows one directory only");
#endif
	return true;
}

bool config_set_value(const char *key, const char *value, struct fault *f)
{
	char shown[80];
	str_fmt(shown, sizeof shown, "%s", key);
	int found = setting_find(key);
	enum setting_id id = (enum setting_id)found;

	if (found < 0 && *setting_moot_why(key))
		return fault_set(f, FAULT_CONFIG, "%s has no effect: %s", shown, setting_moot_why(key));
	if (found < 0 && setting_later(key, value, SCOPE_GLOBAL) != LATER_UNKNOWN)
		return fault_set(f, FAULT_CONFIG, "%s is known to PgBouncer but not served by this version", shown);
	if (found < 0) {
		const char *near = setting_nearest(key);
		fault_set(f, FAULT_CONFIG, "unknown setting \"%s\"", shown);
		if (near)
			fault_hint(f, "Did you mean %s?", near);
		return false;
	}
	if (!(settings_table[id].scope & SCOPE_GLOBAL))
		return fault_set(f, FAULT_CONFIG, "%s is a setting of single databases", settings_table[id].name);
	if (settings_table[id].when & WHEN_RESTART)
		return fault_set(f, FAULT_CONFIG, "%s cannot be changed without a restart", settings_table[id].name);
	if (id == SET_auth_hba_file || id == SET_auth_ident_file || id == SET_auth_ldap_options)
		return fault_set(f, FAULT_CONFIG, "%s is read with the configuration: change it there, then RELOAD",
				 settings_table[id].name);

	struct setting_value v;
	if (!setting_parse(id, value, &v, f))
		return false;
	struct config *c = now ? config_copy(now) : NULL;
	if (!c) {
		setting_value_free(id, &v);
		return now ? fault_set(f, FAULT_NOMEM, "out of memory")
			   : fault_set(f, FAULT_INTERNAL, "no configuration is loaded");
	}
	setting_value_free(id, &c->set.v[id]);
	c->set.v[id] = v;
	if (!config_can_ask(c, f) || !config_check(c, f)) {
		config_put(c);
		return false;
	}
	config_mark_users(c);
	config_set(c);
	return true;
}
