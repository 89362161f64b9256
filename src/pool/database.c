/* database.c - databases, hosts and users as they live, and how a reload changes them. */
#include "pool/database.h"

#include "core/assert.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/slab.h"
#include "core/str.h"
#include "pool/engine.h"
#include "pool/pool.h"

#include <stdlib.h>
#include <string.h>

static struct list databases = { &databases, &databases };
static struct list users = { &users, &users };
static struct map db_by_name, user_by_name;

static bool same_db_name(const struct map_node *n, const void *key, size_t len)
{
	const struct database *db = list_owner(n, struct database, node);
	return db->name->len == len && memcmp(db->name->s, key, len) == 0;
}

static bool same_user_name(const struct map_node *n, const void *key, size_t len)
{
	const struct user *u = list_owner(n, struct user, node);
	return u->name->len == len && memcmp(u->name->s, key, len) == 0;
}

void databases_init(void)
{
	list_init(&databases);
	list_init(&users);
}

struct list *databases_all(void)
{
	return &databases;
}

struct list *users_all(void)
{
	return &users;
}

/* --- Hosts */

static void host_free(struct host *h)
{
	tls_ticket_drop(&h->ticket);
	free(h->name);
	free(h);
}

void host_put(struct host *h)
{
	ASSERT(h->servers > 0);
	if (--h->servers == 0 && h->dropped)
		host_free(h);
}

static void drop_hosts(struct database *db)
{
	for (uint32_t i = 0; i < db->nhosts; i++) {
		struct host *h = db->hosts[i];
		h->dropped = true;
		if (h->servers == 0)
			host_free(h);
	}
	free(db->hosts);
	db->hosts = NULL;
	db->nhosts = db->next_host = 0;
}

static bool add_host(struct database *db, const char *name, size_t len)
{
	struct host **grown = realloc(db->hosts, (db->nhosts + 1) * sizeof(struct host *));
	if (!grown)
		return false;
	db->hosts = grown;
	struct host *h = calloc(1, sizeof *h);
	if (!h)
		return false;
	h->name = str_dup_n(name, len);
	if (!h->name) {
		free(h);
		return false;
	}
	h->db = db;
	h->port = db->conf->port;
	db->hosts[db->nhosts++] = h;
	return true;
}

/* The hosts of conf->host: names between commas; none: the socket directory. */
static bool make_hosts(struct database *db)
{
	const char *at = db->conf->host;
	if (!*at)
		at = db->engine && db->engine->no_host ? db->engine->no_host
						       : config_text(db->config, SET_unix_socket_dir, NULL, NULL);
	for (;;) {
		size_t skip = strspn(at, " \t"), len = strcspn(at + skip, ",");
		const char *name = at + skip;
		at = name + len;
		while (len > 0 && (name[len - 1] == ' ' || name[len - 1] == '\t'))
			len--;
		if (len > 0 && !add_host(db, name, len))
			return false;
		if (*at != ',')
			break;
		at++;
	}
	return db->nhosts > 0 || add_host(db, "/tmp", 4);
}

struct host *database_next_host(struct database *db, bool (*may)(void *arg, uint32_t place), void *arg)
{
	bool in_turn = config_num(db->config, SET_load_balance_hosts, db->conf, NULL) == 0;
	uint32_t first = db->next_host % db->nhosts, at = first;
	if (!in_turn && db->hosts[first]->failed_ms)
		db->next_host = first = at = (first + 1) % db->nhosts;
	for (uint32_t i = 0; i < db->nhosts; i++, at = (at + 1) % db->nhosts) {
		if (!may(arg, at))
			continue;
		if (in_turn)
			db->next_host = at + 1;
		return db->hosts[at];
	}
	return NULL;
}

const char *database_remote_name(const struct database *db)
{
	return db->conf && db->conf->dbname[0] ? db->conf->dbname : db->name->s;
}

/* --- Users */

static void user_free(struct user *u)
{
	list_del(&u->in_all);
	if (!u->is_forced)
		map_del(&user_by_name, &u->node);
	secret_clear(&u->secret);
	istr_put(u->name);
	config_put(u->config);
	free(u);
}

struct user *user_ref(struct user *u)
{
	u->refs++;
	return u;
}

void user_put(struct user *u)
{
	if (!u)
		return;
	ASSERT(u->refs > 0);
	if (--u->refs == 0)
		user_free(u);
}

/* other: "" mostly. */
static struct user *user_make(const char *name, const char *secret, const char *other, bool is_forced)
{
	struct user *u = calloc(1, sizeof *u);
	if (!u)
		return NULL;
	u->refs = 1;
	u->is_forced = is_forced;
	list_init(&u->in_all);
	u->name = istr_get(name, strlen(name));
	if (!u->name || !secret_parse_both(&u->secret, secret, other))
		goto fail;
	if (!is_forced) {
		if (!map_add(&user_by_name, &u->node, u->name->s, u->name->len))
			goto fail;
		list_add(&users, &u->in_all);
	}
	return u;
fail:
	secret_clear(&u->secret);
	istr_put(u->name);
	free(u);
	return NULL;
}

static void user_configure(struct user *u, const struct user_conf *conf)
{
	struct config *was = u->config;
	const char *secret = conf ? conf->secret : "";
	u->config = config_ref(config_now());
	u->conf = conf;
	u->is_admin = conf ? conf->is_admin : config_list_has(u->config, SET_admin_users, u->name->s);
	u->is_stats = conf ? conf->is_stats : config_list_has(u->config, SET_stats_users, u->name->s);
	if (!secret_renew(&u->secret, secret, conf ? conf->other : ""))
		log_error(NULL, "user \"%s\": the stored secret cannot be used; logins will fail", u->name->s);
	config_put(was);
}

struct user *user_peek(const char *name)
{
	struct map_node *n = map_find(&user_by_name, name, strlen(name), same_user_name);
	return n ? list_owner(n, struct user, node) : NULL;
}

struct user *user_find(const char *name, bool unknown_ok)
{
	struct user *u = user_peek(name);
	const struct user_conf *conf = config_find_user(config_now(), name);

	/* A [users] line alone only sets limits; who may come in stands in auth_file. */
	if (!conf || !conf->has_secret) {
		if (!unknown_ok)
			return NULL;
	}
	if (!u) {
		u = user_make(name, conf ? conf->secret : "", conf ? conf->other : "", false);
		if (u)
			user_configure(u, conf);
		if (u && !conf) { /* a guest: there while somebody holds it, or any name would be kept for ever */
			u->dropped = true;
			u->refs = 0;
		}
	} else if (u->dropped && conf) {
		u->dropped = false;
		user_configure(user_ref(u), conf);
	}
	return u;
}

/* --- Databases */

static void database_free(struct database *db)
{
	ASSERT(list_empty(&db->pools));
	deadline_clear(&db->deadline);
	list_del(&db->in_all);
	while (!list_empty(&db->house))
		user_put(list_owner(db->house.next, struct user, in_all));
	map_del(&db_by_name, &db->node);
	drop_hosts(db);
	user_put(db->forced);
	istr_put(db->name);
	config_put(db->config);
	free(db->notes);
	free(db);
}

void database_check_unused(struct database *db)
{
	if (db->clients || !list_empty(&db->pools)) {
		db->unused_since = 0;
		return;
	}
	if (db->dropped || (db->is_auto && !db->is_entered)) {
		database_free(db);
		return;
	}
	if (!db->unused_since)
		db->unused_since = loop_now();
	if (db->is_auto) {
		uint64_t keep = (uint64_t)config_num(db->config, SET_autodb_idle_timeout, db->conf, NULL);
		(void)deadline_set(&db->deadline, db->unused_since + keep);
	}
}

void database_keep(struct database *db)
{
	db->is_entered = true;
	database_check_unused(db);
}

static void unused_for_long(struct deadline *d)
{
	struct database *db = list_owner(d, struct database, deadline);
	if (db->clients || !list_empty(&db->pools))
		return;
	if (db->paused || db->disabled) { /* that is not to be forgotten */
		db->unused_since = 0;
		database_check_unused(db);
		return;
	}
	log_info(NULL, "database \"%s\", made from the * entry, was unused for autodb_idle_timeout: dropped",
		 db->name->s);
	db->dropped = true;
	database_free(db);
}

static struct database *database_make(const char *name)
{
	struct database *db = calloc(1, sizeof *db);
	if (!db)
		return NULL;
	list_init(&db->pools);
	list_init(&db->house);
	deadline_init(&db->deadline, unused_for_long);
	db->name = istr_get(name, strlen(name));
	if (!db->name || !map_add(&db_by_name, &db->node, db->name->s, db->name->len)) {
		istr_put(db->name);
		free(db);
		return NULL;
	}
	list_add(&databases, &db->in_all);
	return db;
}

/* Which engine serves a kind: floor 4 registers itself. */
static const struct engine_ops *engines[DB_CONSOLE + 1];

void database_set_engine(enum db_kind kind, const struct engine_ops *ops)
{
	engines[kind] = ops;
}

static bool set_forced(struct database *db)
{
	const struct db_conf *c = db->conf;
	if (!c->user[0]) {
		user_put(db->forced);
		db->forced = NULL;
		return true;
	}
	/* No password here: the one that auth_file has for that user. */
	const struct user_conf *uc = c->password[0] ? NULL : config_find_user(db->config, c->user);
	const char *secret = uc ? uc->secret : c->password, *other = uc ? uc->other : "";
	if (db->forced && strcmp(db->forced->name->s, c->user) == 0) { /* the same one, so that its pool goes on */
		return secret_renew(&db->forced->secret, secret, other);
	}
	struct user *u = user_make(c->user, secret, other, true);
	if (!u)
		return false;
	u->config = config_ref(db->config);
	user_put(db->forced);
	db->forced = u;
	return true;
}

/* The text of a stored secret, and of the one beside it. */
static const char *stored_secret(const struct config *c, const char *name, const char **other)
{
	const struct user_conf *conf = config_find_user(c, name);
	*other = conf ? conf->other : "";
	return conf ? conf->secret : "";
}

struct user *user_house(struct database *db, const char *name)
{
	LIST_EACH (&db->house, it) {
		struct user *u = list_owner(it, struct user, in_all);
		if (strcmp(u->name->s, name) == 0)
			return u;
	}
	const char *other, *secret = stored_secret(config_now(), name, &other);
	struct user *u = user_make(name, secret, other, true);
	if (!u)
		return NULL;
	u->is_house = true;
	u->config = config_ref(config_now());
	list_add(&db->house, &u->in_all);
	return u;
}

static bool renew_house(struct database *db)
{
	bool ok = true;
	LIST_EACH (&db->house, it) {
		struct user *u = list_owner(it, struct user, in_all);
		const char *other, *secret = stored_secret(db->config, u->name->s, &other);
		ok = secret_renew(&u->secret, secret, other) && ok;
	}
	return ok;
}

/* Gives db a (new) entry. False when out of memory; db is as it was but for its hosts. */
static bool database_configure(struct database *db, const struct db_conf *conf)
{
	struct config *was = db->config;
	bool retarget = !db->conf || !db_conf_same_target(db->conf, conf);
	db->config = config_ref(config_now());
	db->conf = conf;
	db->kind = conf->kind;
	db->engine = engines[conf->kind];
	db->is_auto = conf->name[0] == '*' && !conf->name[1];
	if (retarget) {
		drop_hosts(db);
		db->generation++;
	}
	bool ok = (!retarget || make_hosts(db)) && set_forced(db) && renew_house(db);
	config_put(was);
	return ok;
}

struct database *database_peek(const char *name)
{
	struct map_node *n = map_find(&db_by_name, name, strlen(name), same_db_name);
	return n ? list_owner(n, struct database, node) : NULL;
}

bool database_is_known(const char *name)
{
	const struct database *db = database_peek(name);
	return (db && !db->dropped) || config_find_db(config_now(), name) || config_now()->fallback;
}

struct database *database_find(const char *name, struct fault *f)
{
	struct database *db = database_peek(name);
	if (db && !db->dropped)
		return db;
	const struct db_conf *conf = config_find_db(config_now(), name);
	if (!conf)
		conf = config_now()->fallback;
	if (!conf) {
		fault_set(f, FAULT_NO_DB, "no such database: %s", name);
		return NULL;
	}
	if (!db)
		db = database_make(name);
	if (db && database_configure(db, conf)) {
		db->dropped = false;
		return db;
	}
	fault_set(f, FAULT_NOMEM, "no memory for database \"%s\"", name);
	if (db) {
		db->dropped = true;
		database_check_unused(db);
	}
	return NULL;
}

void databases_retarget(void)
{
	LIST_EACH (&databases, it)
		list_owner(it, struct database, in_all)->generation++;
}

struct database *database_add_console(const char *name, const struct exchange_ops *ops)
{
	struct database *db = database_make(name);
	if (db) {
		db->kind = DB_CONSOLE;
		db->exchange = ops;
		db->is_console = true;
	}
	return db;
}

void databases_reload(void)
{
	const struct config *c = config_now();

	LIST_EACH (&users, it) {
		struct user *u = list_owner(it, struct user, in_all);
		const struct user_conf *conf = config_find_user(c, u->name->s);
		user_configure(u, conf);
		if (!conf && !u->dropped) {
			u->dropped = true;
			user_put(u); /* the reference that being configured held */
		}
	}
	LIST_EACH (&databases, it) {
		struct database *db = list_owner(it, struct database, in_all);
		if (db->is_console)
			continue;
		const struct db_conf *conf = config_find_db(c, db->name->s);
		if (!conf)
			conf = c->fallback;
		db->dropped = !conf || !database_configure(db, conf);
		if (db->dropped)
			log_warn(NULL, "database \"%s\" is no longer configured: its clients are disconnected",
				 db->name->s);
		LIST_EACH (&db->pools, at)
			pool_configure(list_owner(at, struct pool, in_db));
		if (db->dropped) {
			pool_kill(db);
			database_check_unused(db);
		}
	}
	/* The others come into being now, not with their first client: SHOW DATABASES shows them, min_pool_size fills.
	 */
	LIST_EACH ((struct list *)(uintptr_t)&c->databases, it) {
		const struct db_conf *conf = list_owner(it, struct db_conf, in_all);
		struct fault f;
		struct database *db;
		if (strcmp(conf->name, "*") == 0)
			continue;
		db = database_find(conf->name, &f);
		if (!db) {
			log_error(NULL, "%s", f.text);
			continue;
		}
		if (db->forced && config_num(c, SET_min_pool_size, conf, NULL) > 0) {
			struct pool *p = pool_find(db, db->forced);
			if (p)
				pool_serve(p);
		}
	}
}

void databases_free(void)
{
	LIST_EACH (&databases, it) {
		struct database *db = list_owner(it, struct database, in_all);
		database_free(db);
	}
	LIST_EACH (&users, it) {
		struct user *u = list_owner(it, struct user, in_all);
		user_free(u);
	}
	map_free(&db_by_name);
	map_free(&user_by_name);
}
