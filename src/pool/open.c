/* open.c - when another server connection is opened: for those in line, to fill min_pool_size, as the limits allow. */
#include "pool/pool_int.h"

#include "core/loop.h"

/* A server of another pool of this database that nobody needs, closed to make room. */
static bool make_room(struct pool *p, bool same_user)
{
	struct server *oldest = NULL;
	LIST_EACH (pools_all(), it) {
		struct pool *o = list_owner(it, struct pool, in_all);
		if (o == p || o->nwaiting || (same_user ? !pool_is_same_user(o, p) : o->db != p->db))
			continue;
		struct list *idle = &o->by_state[SERVER_IDLE];
		if (list_empty(idle) || (oldest && server_at(idle->prev)->released_ms >= oldest->released_ms))
			continue;
		/* Who has fewer, and is between two statements, would want it back at once. */
		uint64_t kept_until = server_at(idle->prev)->released_ms + POOL_SHARE_MS;
		if (pool_has_fewer(o, p) && loop_now() < kept_until)
			pool_wake_at(p, kept_until);
		else
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

uint32_t pool_live(const struct pool *p)
{
	return p->count[SERVER_IDLE] + p->count[SERVER_ACTIVE] + p->count[SERVER_CHECK] + p->count[SERVER_RESET] +
	       p->count[SERVER_CANCEL] + p->count[SERVER_DRAIN] + p->count[SERVER_ROLLBACK] - p->own_active;
}

bool pool_is_opening(const struct pool *p)
{
	return pool_opening(p) && !pool_live(p);
}

/* Those that are lent, or will be. */
static uint32_t for_clients(const struct pool *p)
{
	return pool_servers(p) - p->napart;
}

/* Is there room under the limit of its database, or its user? */
static bool limit_allows(struct pool *p, bool of_user)
{
	uint32_t most = of_user ? p->lim.max_user : p->lim.max_db;
	if (!most || (of_user ? pool_user_servers(p->user->name->s) : p->db->servers) < most || make_room(p, of_user))
		return true;
	pool_lacks(p, of_user ? LACK_USER_SLOT : LACK_DB_SLOT);
	return false;
}

static bool limits_allow(struct pool *p)
{
	return limit_allows(p, false) && limit_allows(p, true);
}

/* The same, and it is not another's turn. */
static bool limits_allow_now(struct pool *p)
{
	return limits_allow(p) && !(p->lim.max_db && pool_is_others_slot(p, false)) &&
	       !(p->lim.max_user && pool_is_others_slot(p, true));
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

/* Do the limits leave room for one more, which is for w (NULL: for nobody who waits)? Wakes itself later where time
 * will tell. */
static bool has_room(struct pool *p, const struct pool_wait *w)
{
	uint64_t now = loop_now();
	uint32_t total = for_clients(p);

	if (now < p->starved_until_ms) { /* descriptors are short: not one more try before there may be some */
		pool_wake_at(p, p->starved_until_ms);
		return false;
	}
	if (p->lim.size && total >= p->lim.size) {
		if (!p->lim.reserve_size || !p->lim.reserve_ms || total >= p->lim.size + p->lim.reserve_size || !w)
			return false;
		uint64_t since_ms = w->since_us / 1000;
		if (now < since_ms + p->lim.reserve_ms) {
			pool_wake_at(p, since_ms + p->lim.reserve_ms);
			return false;
		}
	}
	return limits_allow_now(p);
}

static const struct pool_wait *first_in_line(const struct pool *p)
{
	return list_owner(p->waiting.next, struct pool_wait, in_line);
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
	if ((p->failed_ms || p->nretrying) &&
	    p->count[SERVER_CONNECT] + p->count[SERVER_LOGIN] + p->count[SERVER_SETUP] > p->own_opening)
		return false;
	if (!has_room(p, list_empty(&p->waiting) ? NULL : first_in_line(p)))
		return false;
	if (is_new_round)
		p->failed_hosts = 0;
	return true;
}

struct server *pool_open_own(struct pool *p, const struct pool_wait *w)
{
	struct list *idle = &p->by_state[SERVER_IDLE];
	uint64_t wait;
	if (pool_gate(p, &wait) != GATE_GO) {
		pool_wake_at(p, loop_now() + wait);
		return NULL;
	}
	while (!has_room(p, w)) {
		if (loop_now() < p->starved_until_ms || list_empty(idle))
			return NULL;
		server_close(server_at(idle->prev), "evicted: a client needs a server of its own", NULL);
	}
	return server_open(p, true, w->kind);
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

void pool_grow(struct pool *p)
{
	uint32_t under_way = pool_opening(p), total = for_clients(p);
	uint32_t in_line = p->nwaiting - p->nwaiting_own - p->ndelayed,
		 want = in_line > under_way ? in_line - under_way : 0;

	if (p->is_mixed && p->nwaiting) {
		grow_mixed(p);
		return;
	}
	if (p->lacks) /* none of them would get it */
		want = 0;

	if (p->lim.min_size > total && (p->nclients > 0 || p->user->is_forced) && !p->db->dropped &&
	    want < p->lim.min_size - total)
		want = p->lim.min_size - total;
	while (want-- > 0 && may_open(p))
		if (!server_open(p, false, p->kind))
			break;
}

/* A limit was lowered: what is idle beyond it goes, the longest unused first. */
void pool_shrink(struct pool *p)
{
	struct list *idle = &p->by_state[SERVER_IDLE];
	while (p->lim.size && for_clients(p) > p->lim.size + p->lim.reserve_size && !list_empty(idle))
		server_close(server_at(idle->prev), "evicted: its pool is over pool_size", NULL);
}

void pool_swap_idle(struct pool *p, const struct pool_wait *w)
{
	struct list *idle = &p->by_state[SERVER_IDLE];
	if (coming(p, w->kind) == 0 && !has_room(p, w) && !list_empty(idle))
		server_close(server_at(idle->prev), "evicted: a client needs a server of another kind", NULL);
}
