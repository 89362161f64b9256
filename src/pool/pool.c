/* pool.c - who gets which server connection, and when another is opened. */
#include "pool/pool_int.h"

#include "core/assert.h"
#include "core/loop.h"
#include "session/varset.h"

#include <stdlib.h>
#include <string.h>

#define STARVED_MS 1000u /* between two attempts to open a server when it was we who had no descriptor left */

static struct list pools = { &pools, &pools };
static struct map by_key;
static bool all_paused;
static void (*on_change)(void);

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

static struct server *server_at(struct list *m)
{
	return list_owner(m, struct server, in_state);
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
		.active_user = own_active ? (uint32_t)own_active->num : 0,
		.queue = { 1000 * (uint64_t)config_num(c, SET_queue_target, dc, uc),
			   1000 * (uint64_t)config_num(c, SET_queue_interval, dc, uc) },
		.validation_ms = limit_ms(p, SET_validation_timeout),
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

static void serve(struct task *t);

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
	if (!map_add(&by_key, &p->node, &key, sizeof key)) {
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
	p->serve_task.run = serve;
	pool_configure(p);
	return p;
}

static void pool_free(struct pool *p)
{
	struct database *db = p->db;
	ASSERT(p->nclients == 0 && p->nwaiting == 0 && pool_servers(p) == 0);
	stats_add(&db->gone_stats, &p->stats);
	loop_undefer(&p->serve_task);
	deadline_clear(&p->deadline);
	map_del(&by_key, &p->node);
	list_del(&p->in_all);
	list_del(&p->in_db);
	varset_put(p->welcome);
	varset_put(p->vars);
	secret_clear(&p->secret);
	user_put(p->user);
	config_put(p->config);
	free(p);
	database_check_unused(db);
}

/* --- Lending */

/* Of several kinds the first that fits is taken; mostly there is but one. */
static struct server *pick_idle(struct pool *p, uint64_t kind)
{
	struct list *idle = &p->by_state[SERVER_IDLE];
	bool last = p->lim.round_robin;
	for (struct list *at = last ? idle->prev : idle->next; at != idle; at = last ? at->prev : at->next)
		if (server_at(at)->kind == kind)
			return server_at(at);
	return NULL;
}

static bool needs_check(const struct pool *p, const struct server *sv)
{
	return p->lim.check_query[0] && server_is_used(sv, p->lim.check_ms);
}

static void lend(struct pool *p, struct server *sv)
{
	server_move(sv, SERVER_ACTIVE);
	sv->used = true;
	sv->request_ms = loop_now();
	p->stats.v[STAT_server_assignment_count]++;
}

struct server *pool_take(struct pool *p, struct pool_wait *w)
{
	/* Where a limit holds serve() lends, at the turn's end. */
	if (list_empty(&p->waiting) && !pool_is_paused(p) && !w->is_own && !p->lim.is_gated) {
		struct server *sv = pick_idle(p, w->kind);
		if (sv && !needs_check(p, sv)) {
			lend(p, sv);
			return sv;
		}
	}
	w->not_before_us = 0;
	w->is_over = false;
	if (p->lim.is_gated)
		pool_rate(p, w);
	p->is_mixed |= p->kind && p->kind != w->kind;
	p->kind = w->kind;
	w->since_us = loop_now_us();
	list_add(&p->waiting, &w->in_line);
	p->nwaiting++;
	p->nwaiting_own += w->is_own;
	pool_serve(p);
	return NULL;
}

void pool_leave(struct pool *p, struct pool_wait *w)
{
	pool_left_line(p, w);
	pool_serve(p);
}

void pool_give(struct server *sv)
{
	sv->session = NULL;
	if (sv->is_own) {
		server_close(sv, "replication client was closed", NULL);
		return;
	}
	ASSERT(sv->state == SERVER_ACTIVE);
	server_release(sv);
}

/* --- Opening more */

/* A server of another pool of this database that nobody needs, closed to make room. */
static bool make_room(struct pool *p, bool same_user)
{
	struct server *oldest = NULL;
	LIST_EACH (&pools, it) {
		struct pool *o = list_owner(it, struct pool, in_all);
		if (o == p || o->nwaiting || (same_user ? !pool_is_same_user(o, p) : o->db != p->db))
			continue;
		struct list *idle = &o->by_state[SERVER_IDLE];
		if (!list_empty(idle) && (!oldest || server_at(idle->prev)->released_ms < oldest->released_ms))
			oldest = server_at(idle->prev);
	}
	if (oldest)
		server_close(oldest, "evicted: its database or user is at its limit of connections", NULL);
	return oldest != NULL;
}

/* Both without those that are for one session alone: nobody in line has anything of them. */
uint32_t pool_opening(const struct pool *p)
{
	uint32_t apart = p->napart - p->count[SERVER_LISTEN];
	return p->count[SERVER_CONNECT] + p->count[SERVER_LOGIN] + p->count[SERVER_SETUP] + p->count[SERVER_CHECK] +
	       p->count[SERVER_RESET] + p->count[SERVER_CANCEL] + p->count[SERVER_ROLLBACK] - p->own_opening - apart;
}

static uint32_t live(const struct pool *p)
{
	return p->count[SERVER_IDLE] + p->count[SERVER_ACTIVE] + p->count[SERVER_CHECK] + p->count[SERVER_RESET] +
	       p->count[SERVER_CANCEL] + p->count[SERVER_DRAIN] + p->count[SERVER_ROLLBACK] - p->own_active;
}

bool pool_is_opening(const struct pool *p)
{
	return pool_opening(p) && !live(p);
}

/* Those that are lent, or will be. */
static uint32_t for_clients(const struct pool *p)
{
	return pool_servers(p) - p->napart;
}

/* Do its database and its user allow one more? */
static bool limits_allow(struct pool *p)
{
	if (p->lim.max_db && p->db->servers >= p->lim.max_db && !make_room(p, false))
		return false;
	return !p->lim.max_user || pool_user_servers(p->user->name->s) < p->lim.max_user || make_room(p, true);
}

struct server *pool_open_apart(struct pool *p)
{
	const struct list *idle = &p->by_state[SERVER_IDLE];
	if (!limits_allow(p) && !list_empty(idle)) /* one of its own that nobody needs now */
		server_close(server_at(idle->prev), "evicted: its database or user is at its limit of connections",
			     NULL);
	uint64_t wait;
	struct server *sv = pool_gate(p, &wait) == GATE_GO && limits_allow(p) ? server_open(p, false, p->kind) : NULL;
	if (sv) {
		sv->is_apart = true;
		p->napart++;
	}
	return sv;
}

/* Do the limits leave room for one more? Wakes itself later where time will tell. */
static bool has_room(struct pool *p)
{
	uint64_t now = loop_now();
	uint32_t total = for_clients(p);

	if (now < p->starved_until_ms) { /* descriptors are short: not one more try before there may be some */
		pool_wake_at(p, p->starved_until_ms);
		return false;
	}
	if (p->lim.size && total >= p->lim.size) {
		if (!p->lim.reserve_size || !p->lim.reserve_ms || total >= p->lim.size + p->lim.reserve_size ||
		    list_empty(&p->waiting))
			return false;
		uint64_t since = list_owner(p->waiting.next, struct pool_wait, in_line)->since_us / 1000;
		if (now < since + p->lim.reserve_ms) {
			pool_wake_at(p, since + p->lim.reserve_ms);
			return false;
		}
	}
	return limits_allow(p);
}

static bool may_open(struct pool *p)
{
	uint64_t wait;
	if (pool_gate(p, &wait) != GATE_GO) {
		pool_wake_at(p, loop_now() + wait);
		return false;
	}
	bool is_new_round = pool_all_failed(p);
	if (is_new_round && loop_now() < pool_retry_at(p)) {
		pool_wake_at(p, pool_retry_at(p));
		return false;
	}
	/* After a failure one at a time. */
	if (p->failed_ms && p->count[SERVER_CONNECT] + p->count[SERVER_LOGIN] + p->count[SERVER_SETUP] > p->own_opening)
		return false;
	if (!has_room(p))
		return false;
	if (is_new_round)
		p->failed_hosts = 0;
	return true;
}

/* A server for the first in line alone; it counts as any other, and an idle one makes room for it. NULL: not now. What
 * becomes of it says nothing about others: one that cannot be opened is told to its client, and not waited for. */
static struct server *open_own(struct pool *p)
{
	struct list *idle = &p->by_state[SERVER_IDLE];
	uint64_t wait;
	if (pool_gate(p, &wait) != GATE_GO) {
		pool_wake_at(p, loop_now() + wait);
		return NULL;
	}
	while (!has_room(p)) {
		if (loop_now() < p->starved_until_ms || list_empty(idle))
			return NULL;
		server_close(server_at(idle->prev), "evicted: a client needs a server of its own", NULL);
	}
	return server_open(p, true, list_owner(p->waiting.next, struct pool_wait, in_line)->kind);
}

static bool is_underway(const struct server *sv)
{
	switch ((enum server_state)sv->state) {
	case SERVER_CONNECT:
	case SERVER_LOGIN:
	case SERVER_SETUP:
	case SERVER_CHECK:
	case SERVER_RESET:
	case SERVER_CANCEL:
	case SERVER_ROLLBACK:
		return !sv->is_own && !sv->is_apart;
	default:
		return false;
	}
}

/* Servers of this kind that will be to be had soon. */
static uint32_t coming(struct pool *p, uint64_t kind)
{
	uint32_t n = 0;
	for (int st = 0; st < SERVER_DEAD; st++)
		LIST_EACH (&p->by_state[st], it)
			n += is_underway(server_at(it)) && server_at(it)->kind == kind;
	return n;
}

#define KINDS_MAX 16u /* that are told apart at once; more wait for the next time */

/* The kind of server that is too rare among those that are coming, and that the first in line wants. False: none. */
static bool lacks_kind(struct pool *p, uint64_t *kind)
{
	struct {
		uint64_t kind;
		uint32_t wanted;
	} kinds[KINDS_MAX];
	size_t n = 0, i;
	LIST_EACH (&p->waiting, it) {
		const struct pool_wait *w = list_owner(it, struct pool_wait, in_line);
		for (i = 0; i < n && kinds[i].kind != w->kind; i++)
			;
		if (w->is_own || i == KINDS_MAX)
			continue;
		if (i == n) {
			kinds[n].kind = w->kind;
			kinds[n++].wanted = 0;
		}
		kinds[i].wanted++;
	}
	for (i = 0; i < n; i++)
		if (kinds[i].wanted > coming(p, kinds[i].kind)) {
			*kind = kinds[i].kind;
			return true;
		}
	return false;
}

/* Those in line want servers of several kinds: one after another gets his. */
static void grow_mixed(struct pool *p)
{
	uint64_t kind;
	if (p->lim.size && for_clients(p) >= p->lim.size + p->lim.reserve_size)
		return;
	while (lacks_kind(p, &kind) && may_open(p))
		if (!server_open(p, false, kind))
			break;
}

static void grow(struct pool *p)
{
	uint32_t under_way = pool_opening(p), total = for_clients(p);
	uint32_t in_line = p->nwaiting - p->nwaiting_own - pool_delayed(p),
		 want = in_line > under_way ? in_line - under_way : 0;

	if (p->is_mixed && p->nwaiting) {
		grow_mixed(p);
		return;
	}
	if (want && !pool_may_be_active(p)) /* none of them would get it */
		want = 0;

	if (p->lim.min_size > total && (p->nclients > 0 || p->user->is_forced) && !p->db->dropped &&
	    want < p->lim.min_size - total)
		want = p->lim.min_size - total;
	while (want-- > 0 && may_open(p))
		if (!server_open(p, false, p->kind))
			break;
}

/* A limit was lowered: what is idle beyond it goes, the longest unused first. */
static void shrink(struct pool *p)
{
	struct list *idle = &p->by_state[SERVER_IDLE];
	while (p->lim.size && for_clients(p) > p->lim.size + p->lim.reserve_size && !list_empty(idle))
		server_close(server_at(idle->prev), "evicted: its pool is over pool_size", NULL);
}

static void check_unused(struct pool *p)
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

/* One that need not be asked first whether it lives. */
static struct server *pick_checked(struct pool *p, uint64_t kind)
{
	struct server *sv;
	while ((sv = pick_idle(p, kind)) && needs_check(p, sv))
		server_check(sv);
	return sv;
}

/* Idle servers are of no use to the first in line, who wants another kind, and the pool is full: one of them goes, and
 * makes room for it. */
static void swap_idle(struct pool *p, uint64_t kind)
{
	struct list *idle = &p->by_state[SERVER_IDLE];
	if (coming(p, kind) == 0 && !has_room(p) && !list_empty(idle))
		server_close(server_at(idle->prev), "evicted: a client needs a server of another kind", NULL);
}

/* No host is to be tried now: nobody waits for those that are in use either, which may never come back. */
static void refuse_at_gate(struct pool *p)
{
	uint64_t wait;
	struct fault f;
	if (pool_gate(p, &wait) != GATE_OPEN)
		return;
	p->stats.v[STAT_breaker_refused_count] += p->nwaiting;
	pool_gate_fault(p, &f);
	pool_refuse_all(p, &f);
}

/* The end of a turn in which something changed: idle servers to those who wait, then more servers. */
static void serve(struct task *t)
{
	struct pool *p = list_owner(t, struct pool, serve_task);

	if (pool_is_paused(p)) {
		while (!list_empty(&p->by_state[SERVER_IDLE]))
			server_close(server_at(p->by_state[SERVER_IDLE].next), "paused", NULL);
		while (!list_empty(&p->by_state[SERVER_LISTEN]))
			server_close(server_at(p->by_state[SERVER_LISTEN].next), "paused", NULL);
	} else {
		for (struct list *it = p->waiting.next; it != &p->waiting;) {
			struct pool_wait *w = list_owner(it, struct pool_wait, in_line);
			it = it->next;
			if (w->is_over) {
				pool_shed(p, w, "it would be more than rate_limit");
				it = p->waiting.next;
				continue;
			}
			if (w->not_before_us > loop_now_us()) {
				pool_wake_at(p, w->not_before_us / 1000 + 1);
				continue;
			}
			if (pool_is_late(p, w)) {
				pool_shed(p, w, "its pool is overloaded");
				it = p->waiting.next;
				continue;
			}
			if (!pool_may_be_active(p))
				break;
			struct server *sv = w->is_own ? open_own(p) : pick_checked(p, w->kind);
			if (!sv && (w->is_own || list_empty(&p->by_state[SERVER_IDLE])))
				break;
			if (!sv) { /* what is idle is of another kind */
				swap_idle(p, w->kind);
				continue;
			}
			pool_left_line(p, w);
			if (!w->is_own)
				lend(p, sv);
			w->granted(w, sv);
			it = p->waiting.next; /* it may have changed */
		}
		if (p->nwaiting && pool_opening(p) == 0)
			refuse_at_gate(p);
		/* Nobody is there, and it is not yet time to try again: those who wait would wait in vain. */
		if (p->nwaiting && pool_all_failed(p) && !live(p) && pool_opening(p) == 0 &&
		    loop_now() < pool_retry_at(p)) {
			struct fault f = p->failure;
			fault_set(&f, p->failure.kind,
				  "server login has been failing, cached error: %.400s (server_login_retry)",
				  p->failure.text);
			fault_sqlstate(&f, p->failure.sqlstate);
			pool_refuse_all(p, &f);
		}
		grow(p);
		shrink(p);
		pool_shed_more(p);
	}
	if (on_change)
		on_change();
	check_unused(p);
}

void pool_serve(struct pool *p)
{
	loop_defer(&p->serve_task);
}

/* Others that wait only because their database or user is at its limit. */
static void serve_others(struct pool *p)
{
	if (!p->lim.is_shared)
		return;
	LIST_EACH (&pools, it) {
		struct pool *o = list_owner(it, struct pool, in_all);
		if (o != p && o->nwaiting && (o->db == p->db || pool_is_same_user(o, p)))
			pool_serve(o);
	}
}

void pool_server_ready(struct server *sv)
{
	struct pool *p = sv->pool;
	if (p->lim.is_gated)
		pool_serve_oldest(p);
	if (p->nwaiting || pool_is_paused(p) || on_change)
		pool_serve(p);
	if (p->lim.is_shared && (!p->nwaiting || p->lim.is_gated))
		serve_others(p);
}

void pool_server_failed(struct pool *p, const struct fault *f)
{
	if (f->kind != FAULT_BUSY) { /* out of descriptors says nothing about the server */
		p->failed_ms = loop_now() ? loop_now() : 1;
		p->failure = *f;
	} else {
		p->starved_until_ms = loop_now() + STARVED_MS;
	}
	if (p->nwaiting && !live(p) && pool_opening(p) == 0 && f->kind != FAULT_BUSY && pool_all_failed(p))
		pool_refuse_all(p, f); /* those who come later, and before the retry is due, hear of it in serve() */
	pool_serve(p);
}

void pool_server_gone(struct pool *p)
{
	pool_serve(p);
	serve_others(p);
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

void pool_on_change(void (*changed)(void))
{
	on_change = changed;
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
