/* show_house.c - SHOW DATABASES, USERS, CONFIG, LISTS, STATE, MEM, VERSION: what Sluice is made of and set to. */
#include "admin/show.h"

#include "core/assert.h"
#include "core/buf.h"
#include "core/slab.h"
#include "net/dns.h"
#include "session/session.h"

#include <string.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0.0.0"
#endif

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const char *const pool_modes[] = { "session", "transaction", "statement" };

/* --- SHOW DATABASES */

static const struct column databases_cols[] = {
	{ "name", COL_TEXT },
	{ "host", COL_TEXT },
	{ "port", COL_INT4 },
	{ "database", COL_TEXT },
	{ "force_user", COL_TEXT },
	{ "pool_size", COL_INT4 },
	{ "min_pool_size", COL_INT4 },
	{ "reserve_pool_size", COL_INT4 },
	{ "server_lifetime", COL_INT4 },
	{ "pool_mode", COL_TEXT },
	{ "load_balance_hosts", COL_TEXT },
	{ "max_connections", COL_INT4 },
	{ "current_connections", COL_INT4 },
	{ "max_client_connections", COL_INT4 },
	{ "current_client_connections", COL_INT4 },
	{ "paused", COL_INT4 },
	{ "disabled", COL_INT4 },
};

static uint64_t num(enum setting_id id, const struct db_conf *db, const struct user_conf *u)
{
	int64_t n = config_num(config_now(), id, db, u);
	return n > 0 ? (uint64_t)n : 0;
}

const char *show_load_balance(const struct database *db)
{
	if (db->nhosts < 2)
		return NULL;
	return num(SET_load_balance_hosts, db->conf, NULL) == LOAD_BALANCE_DISABLE ? "disable" : "round-robin";
}

static const char *own_mode(const struct overrides *o)
{
	const struct setting_value *v = overrides_find(o, SET_pool_mode);
	return v ? pool_modes[v->num] : NULL;
}

static void databases_gather(struct batch *b)
{
	LIST_EACH (databases_all(), it) {
		const struct database *db = list_owner(it, struct database, in_all);
		batch_offer(b, (struct item){ .a = db->name->s, .b = "", .obj = db });
	}
}

static void databases_row(struct row *r, const struct item *it)
{
	const struct database *db = it->obj;
	const struct db_conf *conf = db->conf; /* NULL: the console */

	row_text(r, db->name->s);
	row_text(r, conf && *conf->host ? conf->host : NULL); /* NULL: the unix socket */
	row_int(r, conf ? conf->port : num(SET_listen_port, NULL, NULL));
	row_text(r, database_remote_name(db));
	if (conf)
		row_text(r, *conf->user ? conf->user : NULL);
	else
		row_text(r, db->name->s);
	row_int(r, conf ? num(SET_default_pool_size, conf, NULL) : 0);
	row_int(r, conf ? num(SET_min_pool_size, conf, NULL) : 0);
	row_int(r, conf ? num(SET_reserve_pool_size, conf, NULL) : 0);
	row_int(r, num(SET_server_lifetime, conf, NULL) / 1000);
	row_text(r, conf ? own_mode(&conf->set) : "statement");
	row_text(r, show_load_balance(db));
	row_int(r, conf ? num(SET_max_db_connections, conf, NULL) : 0);
	row_int(r, db->servers);
	row_int(r, conf ? num(SET_max_db_client_connections, conf, NULL) : 0);
	row_int(r, db->clients);
	row_int(r, db->paused);
	row_int(r, db->disabled);
}

const struct show_def show_databases = { databases_cols, LEN(databases_cols), databases_gather, databases_row };

/* --- SHOW USERS: those that have been here, and those of the configuration */

static const struct column users_cols[] = {
	{ "name", COL_TEXT },
	{ "pool_size", COL_TEXT },
	{ "reserve_pool_size", COL_TEXT },
	{ "pool_mode", COL_TEXT },
	{ "max_user_connections", COL_INT4 },
	{ "current_connections", COL_INT4 },
	{ "max_user_client_connections", COL_INT4 },
	{ "current_client_connections", COL_INT4 },
};

/* One name is one row; the one that lives, if there is one. */
static void users_gather(struct batch *b)
{
	LIST_EACH (users_all(), it) {
		const struct user *u = list_owner(it, struct user, in_all);
		batch_offer(b, (struct item){ .a = u->name->s, .b = "", .obj = u });
	}
	LIST_EACH (&config_now()->users, it)
		batch_offer(b, (struct item){ .a = list_owner(it, struct user_conf, in_all)->name, .b = "" });
}

/* As PgBouncer: an empty text, not NULL, where there is none. */
static void put_own_size(struct row *r, const struct user_conf *conf, enum setting_id id)
{
	const struct setting_value *v = conf ? overrides_find(&conf->set, id) : NULL;
	if (v)
		row_int(r, v->num > 0 ? (uint64_t)v->num : 0);
	else
		row_text(r, "");
}

static void users_row(struct row *r, const struct item *it)
{
	const struct user_conf *conf = config_find_user(config_now(), it->a);
	const struct user *u = it->obj;

	row_text(r, it->a);
	put_own_size(r, conf, SET_default_pool_size);
	put_own_size(r, conf, SET_reserve_pool_size);
	row_text(r, conf ? own_mode(&conf->set) : NULL);
	row_int(r, num(SET_max_user_connections, NULL, conf));
	row_int(r, pool_user_servers(it->a));
	row_int(r, num(SET_max_user_client_connections, NULL, conf));
	row_int(r, u ? u->clients : 0);
}

const struct show_def show_users = { users_cols, LEN(users_cols), users_gather, users_row };

/* --- SHOW CONFIG */

static const struct column config_cols[] = {
	{ "key", COL_TEXT }, { "value", COL_TEXT }, { "default", COL_TEXT }, { "changeable", COL_TEXT }
};

static void config_gather(struct batch *b)
{
	batch_offer(b, (struct item){ .a = "conffile", .b = "" });
	for (const struct later *l = settings_later; l->name; l++)
		if (l->row)
			batch_offer(b, (struct item){ .a = l->name, .b = "" });
	for (int i = 0; i < SET_COUNT; i++)
		if (settings_table[i].scope & SCOPE_GLOBAL)
			batch_offer(b,
				    (struct item){ .a = settings_table[i].name, .b = "", .obj = &settings_table[i] });
}

/* What has no effect here has the value that it has. */
static bool later_row(struct row *r, const char *name)
{
	for (const struct later *l = settings_later; l->name; l++)
		if (l->row && strcmp(l->name, name) == 0) {
			row_text(r, l->name);
			row_text(r, l->def);
			row_text(r, l->def);
			row_text(r, l->row);
			return true;
		}
	return false;
}

static void config_row(struct row *r, const struct item *it)
{
	const struct setting *s = it->obj;
	if (!s && later_row(r, it->a))
		return;
	if (!s) {
		row_text(r, it->a);
		row_text(r, config_now()->path);
		row_text(r, NULL);
		row_text(r, "yes");
		return;
	}
	enum setting_id id = (enum setting_id)(s - settings_table);
	setting_show(id, &config_now()->set.v[id], &r->sb);
	row_text(r, s->name);
	row_text(r, sb_str(&r->sb));
	row_text(r, s->def);
	row_text(r, s->when & WHEN_RESTART ? "no" : "yes");
}

const struct show_def show_config = { config_cols, LEN(config_cols), config_gather, config_row };

/* --- SHOW LISTS */

static const struct column lists_cols[] = { { "list", COL_TEXT }, { "items", COL_INT4 } };

static size_t length(struct list *head)
{
	size_t n = 0;
	LIST_EACH (head, it)
		n++;
	return n;
}

static size_t count_databases(void)
{
	return length(databases_all());
}

static size_t count_users(void)
{
	size_t n = length(&config_now()->users);
	LIST_EACH (users_all(), it)
		n += !config_find_user(config_now(), list_owner(it, struct user, in_all)->name->s);
	return n;
}

static size_t count_pools(void)
{
	return length(pools_all());
}

static size_t count_clients(void)
{
	return sessions_count();
}

static size_t count_logins(void)
{
	size_t n = 0;
	LIST_EACH (sessions_all(), it)
		n += list_owner(it, struct session, in_all)->state == SESSION_LOGIN;
	return n;
}

static size_t count_servers(void)
{
	size_t n = 0;
	LIST_EACH (pools_all(), it)
		n += pool_servers(list_owner(it, struct pool, in_all));
	return n;
}

static size_t count_dns_names(void)
{
	size_t names, pending;
	dns_usage(&names, &pending);
	return names;
}

static size_t count_dns_queries(void)
{
	size_t names, pending;
	dns_usage(&names, &pending);
	return pending;
}

static size_t count_peers(void)
{
	return length(&config_now()->peers);
}

static size_t count_peer_pools(void)
{
	const struct config *c = config_now();
	uint32_t own = (uint32_t)config_num(c, SET_peer_id, NULL, NULL);
	return own ? count_peers() - (config_find_peer(c, own) != NULL) : 0;
}

static size_t count_none(void)
{
	return 0;
}

/* free_*: memory kept for the next; it is shown by SHOW MEM. */
static const struct {
	const char *name;
	size_t (*count)(void);
} lists[] = {
	{ "databases", count_databases },
	{ "users", count_users },
	{ "peers", count_peers },
	{ "pools", count_pools },
	{ "peer_pools", count_peer_pools },
	{ "free_clients", count_none },
	{ "used_clients", count_clients },
	{ "login_clients", count_logins },
	{ "free_servers", count_none },
	{ "used_servers", count_servers },
	{ "dns_names", count_dns_names },
	{ "dns_zones", count_none },
	{ "dns_queries", count_dns_queries },
	{ "dns_pending", count_none },
	{ "varsets", varset_count },
	{ "strings", istr_count },
	{ "deadlines", deadlines_armed },
	{ "leaking_clients", sessions_leaking },
};

static void lists_gather(struct batch *b)
{
	for (size_t i = 0; i < LEN(lists); i++)
		batch_offer(b, (struct item){ .a = "", .b = "", .id = i });
}

static void lists_row(struct row *r, const struct item *it)
{
	row_text(r, lists[it->id].name);
	row_int(r, lists[it->id].count());
}

const struct show_def show_lists = { lists_cols, LEN(lists_cols), lists_gather, lists_row };

/* --- SHOW STATE */

static const struct column state_cols[] = { { "key", COL_TEXT }, { "value", COL_TEXT } };

static void state_gather(struct batch *b)
{
	batch_offer(b, (struct item){ .a = "active", .b = "" });
	batch_offer(b, (struct item){ .a = "paused", .b = "", .id = 1 });
}

static void state_row(struct row *r, const struct item *it)
{
	bool is_paused_row = it->id == 1;
	row_text(r, it->a);
	row_text(r, is_paused_row == pool_is_all_paused() ? "yes" : "no");
}

const struct show_def show_state = { state_cols, LEN(state_cols), state_gather, state_row };

/* --- SHOW MEM */

static const struct column mem_cols[] = {
	{ "name", COL_TEXT }, { "size", COL_INT4 }, { "used", COL_INT4 }, { "free", COL_INT4 }, { "memtotal", COL_INT4 }
};

/* The rows that are no slab's: all of them behind. */
static const char *const mem_others[] = { "buffers", "strings" };

static void mem_gather(struct batch *b)
{
	size_t i = 0;
	LIST_EACH (slab_all(), it)
		batch_offer(b,
			    (struct item){ .a = "", .b = "", .id = i++, .obj = list_owner(it, struct slab, in_all) });
	for (size_t k = 0; k < LEN(mem_others); k++)
		batch_offer(b, (struct item){ .a = "~", .b = mem_others[k], .id = k });
}

static void mem_row(struct row *r, const struct item *it)
{
	const struct slab *s = it->obj;
	size_t lent, kept;
	if (s) {
		row_text(r, s->name);
		row_int(r, s->size);
		row_int(r, s->used);
		row_int(r, s->free);
		row_int(r, s->size * (s->used + s->free));
	} else if (it->id == 0) { /* of any size: counted by the smallest */
		buf_usage(&lent, &kept);
		row_text(r, it->b);
		row_int(r, BUF_MIN);
		row_int(r, lent / BUF_MIN);
		row_int(r, kept / BUF_MIN);
		row_int(r, lent + kept);
	} else { /* as long as their text is: only their number is known */
		row_text(r, it->b);
		row_int(r, 0);
		row_int(r, istr_count());
		row_int(r, 0);
		row_int(r, 0);
	}
}

const struct show_def show_mem = { mem_cols, LEN(mem_cols), mem_gather, mem_row };

/* --- SHOW VERSION; SHOW HELP has no rows, console.c answers it */

static const struct column version_cols[] = { { "version", COL_TEXT } };

static void version_gather(struct batch *b)
{
	batch_offer(b, (struct item){ .a = "", .b = "" });
}

static void version_row(struct row *r, const struct item *it)
{
	(void)it;
	row_text(r, "Sluice " PACKAGE_VERSION);
}

const struct show_def show_version = { version_cols, LEN(version_cols), version_gather, version_row };
const struct show_def show_help = { version_cols, LEN(version_cols), version_gather, version_row };
