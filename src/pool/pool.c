/* pool.c - pools: making and configuring them, and what the console does to all of them. */
#include "pool/pool_int.h"

#include "core/assert.h"
#include "core/loop.h"
#include "session/varset.h"

#include <stdlib.h>
#include <string.h>

static struct list pools = { &pools, &pools };
static struct map by_key;
static bool all_paused;

struct pool_key {
	const struct database *db;
	const struct user *user;
};

static bool same_key(const struct map_node *n, const void *key, size_t len)
{
	const struct pool *p = list_owner(n, struct pool, node);
	const struct pool_key *k = key;
	(void)len;
	return p->db == k->db && p->user == k->user;
}

struct list *pools_all(void)
{
	return &pools;
}

uint32_t pool_servers(const struct pool *p)
{
	uint32_t n = 0;
	for (int i = 0; i < SERVER_DEAD; i++)
		n += p->count[i];
	return n;
}

uint32_t pool_user_servers(const char *name)
{
	uint32_t n = 0;
	LIST_EACH (&pools, it) {
		const struct pool *p = list_owner(it, struct pool, in_all);
		if (strcmp(p->user->name->s, name) == 0)
			n += pool_servers(p);
	}
	return n;
}

bool pool_is_paused(const struct pool *p)
{
	return all_paused || p->db->paused;
}

/* --- Making and configuring */

static uint64_t limit_ms(const struct pool *p, enum setting_id id)
{
	return (uint64_t)config_num(p->config, id, p->db->conf, p->user->conf);
}

/* Servers of an older target, or all of them, are closed as they come free; idle ones now, and with server_fast_close
 * also those that a client of session pooling holds between transactions, together with that client. */
static void retire(struct pool *p, bool all)
{
	bool fast = p->lim.mode == POOL_SESSION && config_num(p->config, SET_server_fast_close, NULL, NULL);
	for (int st = 0; st < SERVER_DEAD; st++) {
		LIST_EACH (&p->by_state[st], it) {
			struct server *sv = server_at(it);
			if (!all && sv->generation == p->db->generation)
				continue;
			sv->close_needed = true;
			if (st == SERVER_IDLE || st == SERVER_LISTEN ||
			    (fast && st == SERVER_ACTIVE && sv->ops->at_rest(sv)))
				server_close(sv, "database configuration changed", NULL);
		}
	}
}

void pool_configure(struct pool *p)
{
	struct config *was = p->config;
	struct config *c = p->config = config_ref(config_now());
	const struct db_conf *dc = p->db->conf;
	/* A forced user's own limits are those of [users], as for any other. */
	const struct user_conf *uc = p->user->is_forced ? config_find_user(c, p->user->name->s) : p->user->conf;
	const struct setting_value *own_active = uc ? overrides_find(&uc->set, SET_max_active) : NULL;
	const struct setting_value *own_rate = uc ? overrides_find(&uc->set, SET_rate_limit) : NULL;
	p->lim = (struct pool_limits){
		.size = (uint32_t)config_num(c, SET_default_pool_size, dc, uc),
		.min_size = (uint32_t)config_num(c, SET_min_pool_size, dc, uc),
		.reserve_size = (uint32_t)config_num(c, SET_reserve_pool_size, dc, uc),
		.reserve_ms = limit_ms(p, SET_reserve_pool_timeout),
		.max_db = (uint32_t)config_num(c, SET_max_db_connections, dc, NULL),
		.max_user = (uint32_t)config_num(c, SET_max_user_connections, NULL, uc),
		.mode = (enum pool_mode)config_num(c, SET_pool_mode, dc, uc),
		.round_robin = config_num(c, SET_server_round_robin, dc, uc) != 0,
		.lifetime_ms = limit_ms(p, SET_server_lifetime),
		.idle_ms = limit_ms(p, SET_server_idle_timeout),
		.connect_ms = limit_ms(p, SET_server_connect_timeout),
		.retry_ms = limit_ms(p, SET_server_login_retry),
		.check_ms = limit_ms(p, SET_server_check_delay),
		.max_waiting = config_num(c, SET_backpressure, dc, uc) == BACKPRESSURE_REJECT
				       ? (uint32_t)config_num(c, SET_max_waiting, dc, uc)
				       : 0,
		.rate_db = { p->user->is_house ? 0 : (uint32_t)config_num(c, SET_rate_limit, dc, NULL),
			     (uint32_t)config_num(c, SET_rate_burst, dc, NULL) },
		.rate_rejects = config_num(c, SET_rate_action, dc, uc) == RATE_REJECT,
		.active_db = (uint32_t)config_num(c, SET_max_active, dc, NULL),
		.weight = (uint32_t)config_num(c, SET_weight, dc, uc),
		.active_user = own_active ? (uint32_t)own_active->num : 0,
		.queue = { 1000 * (uint64_t)config_num(c, SET_queue_target, dc, uc),
			   1000 * (uint64_t)config_num(c, SET_queue_interval, dc, uc) },
		.validation_ms = limit_ms(p, SET_validation_timeout),
		.retries = (uint32_t)config_num(c, SET_validation_retries, dc, NULL),
		.opening = { (uint32_t)config_num(c, SET_connect_rate, dc, NULL),
			     (uint32_t)config_num(c, SET_connect_burst, dc, NULL) },
		.rollback_ms = limit_ms(p, SET_server_rollback_timeout),
		.check_query = config_text(c, SET_server_check_query, dc, uc),
		.reset_query = config_text(c, SET_server_reset_query, dc, uc),
		.reset_always = config_num(c, SET_server_reset_query_always, dc, uc) != 0,
	};
	if (p->user->is_house)
		p->lim.min_size = 0;
	if (p->lim.size && p->lim.min_size > p->lim.size)
		p->lim.min_size = p->lim.size;
	if (own_rate && !p->user->is_house) {
		const struct setting_value *burst = overrides_find(&uc->set, SET_rate_burst);
		p->lim.rate_user = (struct bucket_limits){ (uint32_t)own_rate->num, burst ? (uint32_t)burst->num : 1 };
	}
	p->lim.is_gated = p->lim.active_db || p->lim.active_user || p->lim.rate_db.rate || p->lim.rate_user.rate;
	p->lim.is_shared = p->lim.is_gated || p->lim.max_db || p->lim.max_user;
	config_put(was);
	retire(p, false);
	pool_forget_failures(p);
	pool_serve(p);
}

static void due(struct deadline *d)
{
	pool_serve(list_owner(d, struct pool, deadline));
}

/* At or before ms. */
void pool_wake_at(struct pool *p, uint64_t ms)
{
	if (!deadline_is_set(&p->deadline) || ms < p->deadline.due_ms)
		(void)deadline_set(&p->deadline, ms); /* no memory: the next event serves */
}

struct pool *pool_peek(struct database *db, struct user *u)
{
	struct pool_key key = { db, u };
	struct map_node *n = map_find(&by_key, &key, sizeof key, same_key);
	return n ? list_owner(n, struct pool, node) : NULL;
}

struct secret *pool_secret(struct pool *p)
{
	return p->has_secret ? &p->secret : &p->user->secret;
}

void pool_learn(struct pool *p, struct secret *s)
{
	if (s)
		secret_learn(&p->secret, s);
	else
		secret_clear(&p->secret);
	p->has_secret = s != NULL;
}

struct pool *pool_find(struct database *db, struct user *u)
{
	struct pool_key key = { db, u };
	struct pool *p = pool_peek(db, u);
	if (p)
		return p;
	p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	db->is_entered |= !u->is_house;
	p->db = db;
	p->user = u;
	if (!pool_line_init(p) || !map_add(&by_key, &p->node, &key, sizeof key)) {
		pool_line_free(p);
		free(p);
		return NULL;
	}
	user_ref(u);
	for (int i = 0; i < SERVER_NSTATES; i++)
		list_init(&p->by_state[i]);
	list_init(&p->waiting);
	list_add(&pools, &p->in_all);
	list_add(&db->pools, &p->in_db);
	deadline_init(&p->deadline, due);
	p->serve_task.run = pool_run_serve;
	pool_configure(p);
	return p;
}

static void pool_free(struct pool *p)
{
	struct database *db = p->db;
	ASSERT(p->nclients == 0 && p->nwaiting == 0 && pool_servers(p) == 0);
	stats_add(&db->gone_stats, &p->stats);
	loop_undefer(&p->serve_task);
	pool_lacks_nothing(p);
	pool_line_free(p);
	deadline_clear(&p->deadline);
	map_del(&by_key, &p->node);
	list_del(&p->in_all);
	list_del(&p->in_db);
	varset_put(p->welcome);
	varset_put(p->vars);
	varset_parted_end(&p->parted);
	secret_clear(&p->secret);
	user_put(p->user);
	config_put(p->config);
	free(p);
	database_check_unused(db);
}

void pool_check_unused(struct pool *p)
{
	uint64_t keep = limit_ms(p, p->db->is_auto ? SET_autodb_idle_timeout : SET_pool_idle_timeout);
	if (p->nclients || p->nwaiting || pool_servers(p)) {
		p->unused_since = 0;
		return;
	}
	if (!p->unused_since)
		p->unused_since = loop_now();
	/* Any name makes a database where there is a * entry: what was never of use does not stay. */
	bool was_vain = p->user->is_house && p->db->is_auto && !p->welcome;
	if (p->db->dropped || was_vain || (keep && loop_now() >= p->unused_since + keep))
		pool_free(p);
	else if (keep)
		pool_wake_at(p, p->unused_since + keep);
}

/* --- The console */

/* Each pool of db, or of all. */
#define POOLS_OF(database, p)                                                                                          \
	LIST_EACH (&pools, p##_at)                                                                                     \
		for (struct pool *p = list_owner(p##_at, struct pool, in_all);                                         \
		     p && (!(database) || p->db == (database)); p = NULL)

void pool_pause(struct database *db)
{
	if (db)
		db->paused = true;
	else
		all_paused = true;
	POOLS_OF(db, p)
	pool_serve(p);
}

void pool_resume(struct database *db)
{
	if (db)
		db->paused = false;
	else
		all_paused = false;
	POOLS_OF(db, p)
	pool_serve(p);
}

bool pool_is_all_paused(void)
{
	return all_paused;
}

bool pool_is_quiet(const struct database *db)
{
	POOLS_OF(db, p)
	if (pool_servers(p) > 0)
		return false;
	return true;
}

void pool_reconnect(struct database *db)
{
	POOLS_OF(db, p)
	retire(p, true);
}

void pool_kill(struct database *db)
{
	struct fault f;
	fault_set(&f, FAULT_SHUTDOWN, "connection closed by the administrator");
	/* Those that are being opened last: some are a cancel request of another's, which would send one more when that
	 * one fails. */
	POOLS_OF(db, p)
	for (int st = SERVER_DEAD - 1; st >= 0; st--)
		while (!list_empty(&p->by_state[st]))
			server_close(server_at(p->by_state[st].next), "killed", &f);
}

void pool_stats_tick(void)
{
	LIST_EACH (&pools, it) {
		struct pool *p = list_owner(it, struct pool, in_all);
		for (int i = 0; i < STAT_COUNT; i++)
			p->stats_last.v[i] = p->stats.v[i] - p->stats_before.v[i];
		p->stats_before = p->stats;
	}
}

void pools_free(void)
{
	pool_kill(NULL);
	LIST_EACH (&pools, it)
		pool_free(list_owner(it, struct pool, in_all));
	map_free(&by_key);
}
