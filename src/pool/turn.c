/* turn.c - whose turn it is: users who share a line by deficit round robin, pools that share a limit by what each has
 * had of it. What is shared is fair between users; of one user first come is first served. Where nobody shares
 * anything it costs a comparison. */
#include "pool/pool_int.h"

#include "core/assert.h"
#include "core/loop.h"

#include <stdlib.h>

#define PASS_SCALE (1u << 20)

/* Counts whatever is given to anybody: who has stood back since then need not do so again. */
static uint64_t gifts;
static uint32_t nlacking; /* pools that lack a connection */

/* --- Users who share the line of a pool, as one is forced upon them all */

/* Those of one user in line. */
struct flow {
	struct map_node node; /* pool->by_user; not for the first one */
	struct list in_pool;  /* pool->flows: in the order of their turns; alone: nobody is in it */
	const struct user *user;
	struct list waiting;
	uint32_t n;
	uint32_t weight, credit; /* credit: how many of it are served yet before the next user's turn */
	struct codel codel;
};

static bool same_user(const struct map_node *n, const void *key, size_t len)
{
	const struct user *const *u = key;
	(void)len;
	return list_owner(n, struct flow, node)->user == *u;
}

bool pool_line_init(struct pool *p)
{
	p->flow = calloc(1, sizeof *p->flow);
	list_init(&p->flows);
	list_init(&p->delayed);
	if (!p->flow)
		return false;
	list_init(&p->flow->in_pool);
	list_init(&p->flow->waiting);
	return true;
}

void pool_line_free(struct pool *p)
{
	ASSERT(list_empty(&p->flows) && list_empty(&p->delayed));
	free(p->flow);
	map_free(&p->by_user);
}

/* Where this user's stand. Whoever comes first when nobody is in line has the pool's own, so that only a second user
 * takes memory. When there is none the second one stands with the first. */
static struct flow *flow_of(struct pool *p, const struct user *u)
{
	struct flow *f = p->flow;
	if (f->user != u && f->n == 0 && p->by_user.count == 0) {
		f->user = u;
		f->codel = (struct codel){ 0 };
	}
	if (f->user == u)
		return f;
	struct map_node *node = map_find(&p->by_user, &u, sizeof u, same_user);
	if (node)
		return list_owner(node, struct flow, node);
	struct flow *own = calloc(1, sizeof *own);
	if (!own)
		return f;
	own->user = u;
	list_init(&own->in_pool);
	list_init(&own->waiting);
	if (!map_add(&p->by_user, &own->node, &u, sizeof u)) {
		free(own);
		return f;
	}
	return own;
}

void pool_line_add(struct pool *p, struct pool_wait *w)
{
	const struct user *u = w->user ? w->user : p->user;
	struct flow *f = flow_of(p, u);
	if (f->n++ == 0) {
		/* Only upon whom one is forced share it with others. */
		f->weight = p->user->is_forced ? (uint32_t)config_num(p->config, SET_weight, NULL, u->conf) : 1;
		f->credit = f->weight;
		list_add(&p->flows, &f->in_pool);
	}
	w->flow = f;
	list_add(&f->waiting, &w->in_flow);
}

void pool_line_del(struct pool *p, struct pool_wait *w)
{
	struct flow *f = w->flow;
	list_del(&w->in_flow);
	w->flow = NULL;
	if (!f || --f->n > 0)
		return;
	list_del(&f->in_pool);
	if (f != p->flow) {
		map_del(&p->by_user, &f->node);
		free(f);
	}
}

static struct pool_wait *wait_at(struct list *m)
{
	return list_owner(m, struct pool_wait, in_flow);
}

struct pool_wait *pool_line_first(const struct pool *p)
{
	if (list_empty(&p->flows))
		return NULL;
	return wait_at(list_owner(p->flows.next, struct flow, in_pool)->waiting.next);
}

struct pool_wait *pool_line_next(const struct pool *p, const struct pool_wait *w)
{
	struct flow *f = w->flow;
	if (w->in_flow.next != &f->waiting)
		return wait_at(w->in_flow.next);
	if (f->in_pool.next == &p->flows)
		return NULL;
	return wait_at(list_owner(f->in_pool.next, struct flow, in_pool)->waiting.next);
}

struct pool_wait *pool_line_next_user(const struct pool *p, const struct pool_wait *w)
{
	const struct flow *f = w->flow;
	if (f->in_pool.next == &p->flows)
		return NULL;
	return wait_at(list_owner(f->in_pool.next, struct flow, in_pool)->waiting.next);
}

struct pool_wait *pool_line_longest(const struct pool *p)
{
	const struct flow *longest = NULL;
	for (const struct list *at = p->flows.next; at != &p->flows; at = at->next) {
		const struct flow *f = list_owner(at, struct flow, in_pool);
		if (!longest || (uint64_t)f->n * longest->weight > (uint64_t)longest->n * f->weight)
			longest = f;
	}
	return longest ? wait_at(longest->waiting.prev) : NULL;
}

struct codel *pool_line_codel(const struct pool_wait *w)
{
	return &w->flow->codel;
}

void pool_line_serves(struct pool *p, const struct pool_wait *w)
{
	struct flow *f = w->flow;
	gifts++;
	if (f->credit > 1) {
		f->credit--;
	} else {
		f->credit = f->weight;
		list_del(&f->in_pool);
		list_add(&p->flows, &f->in_pool);
	}
	if (p->lim.is_gated) {
		if (p->pass < p->db->pass) /* what it did not want meanwhile is not kept for it */
			p->pass = p->db->pass;
		p->db->pass = p->pass;
		p->pass += PASS_SCALE / p->lim.weight;
	}
}

/* --- Pools that share a limit */

void pool_lacks(struct pool *p, unsigned what)
{
	if ((what & ~p->lacks) & (LACK_DB_SLOT | LACK_USER_SLOT)) {
		nlacking += !(p->lacks & (LACK_DB_SLOT | LACK_USER_SLOT));
		if (!(p->lacked & (LACK_DB_SLOT | LACK_USER_SLOT)))
			p->lacks_since_ms = loop_now();
	}
	p->lacks |= (uint8_t)what;
}

void pool_lacks_nothing(struct pool *p)
{
	nlacking -= (p->lacks & (LACK_DB_SLOT | LACK_USER_SLOT)) != 0;
	p->lacked = p->nwaiting ? p->lacks : 0;
	p->lacks = 0;
}

void pool_turn_opened(struct pool *p)
{
	gifts++;
	pool_lacks_nothing(p);
	p->lacked = 0;
}

/* p stands back for o, and tries again behind it; but only once for each thing that is given to anybody, as o may be
 * standing back for others, or be unable to use it. */
static bool stands_back(struct pool *p, struct pool *o, unsigned lacks)
{
	if (!o || p->stood_back == gifts + 1)
		return false;
	p->stood_back = gifts + 1;
	pool_lacks(p, lacks);
	pool_serve(o);
	pool_serve(p);
	return true;
}

static uint64_t first_since(const struct pool *p)
{
	const struct pool_wait *w = pool_line_first(p);
	return w ? w->since_us : UINT64_MAX;
}

bool pool_is_others_turn(struct pool *p)
{
	unsigned of_db = LACK_DB_PLACE | LACK_DB_TOKEN;
	uint64_t pass = p->pass > p->db->pass ? p->pass : p->db->pass, least = pass, oldest = first_since(p);
	struct pool *by_pass = NULL, *by_age = NULL;
	if (p->lim.active_db || p->lim.rate_db.rate)
		LIST_EACH (&p->db->pools, it) {
			struct pool *o = list_owner(it, struct pool, in_db);
			if (o != p && o->nwaiting && o->lacks & of_db && o->pass < least) {
				least = o->pass;
				by_pass = o;
			}
		}
	if (stands_back(p, by_pass, of_db))
		return true;
	if (p->lim.active_user)
		LIST_EACH (pools_all(), it) {
			struct pool *o = list_owner(it, struct pool, in_all);
			if (o != p && o->lacks & LACK_USER_PLACE && pool_is_same_user(o, p) &&
			    first_since(o) < oldest) {
				oldest = first_since(o);
				by_age = o;
			}
		}
	return stands_back(p, by_age, LACK_USER_PLACE);
}

/* Would o, with one connection more, have less than p with one more (or, p_has -1, one less)? Both for their weights.
 */
static bool has_less(const struct pool *o, const struct pool *p, int p_has, bool or_same)
{
	uint64_t of_o = ((uint64_t)pool_servers(o) + 1) * p->lim.weight;
	uint64_t of_p = (uint64_t)((int64_t)pool_servers(p) + p_has) * o->lim.weight;
	return of_o < of_p || (or_same && of_o == of_p);
}

/* Each pool that shares this limit with p and waits for it. */
static bool is_rival(const struct pool *o, const struct pool *p, bool of_user)
{
	return o != p && o->nwaiting && o->lacks & (of_user ? LACK_USER_SLOT : LACK_DB_SLOT) &&
	       (of_user ? pool_is_same_user(o, p) : o->db == p->db);
}

bool pool_is_others_slot(struct pool *p, bool of_user)
{
	unsigned bit = of_user ? LACK_USER_SLOT : LACK_DB_SLOT;
	uint64_t since = p->lacks & bit || p->lacked & bit ? p->lacks_since_ms : UINT64_MAX;
	struct pool *best = NULL;
	if (!nlacking)
		return false;
	LIST_EACH (pools_all(), it) {
		struct pool *o = list_owner(it, struct pool, in_all);
		if (is_rival(o, p, of_user) && has_less(o, p, 1, o->lacks_since_ms < since) &&
		    (!best || has_less(o, best, 1, o->lacks_since_ms < best->lacks_since_ms)))
			best = o;
	}
	return stands_back(p, best, bit);
}

bool pool_has_fewer(const struct pool *o, const struct pool *p)
{
	return (uint64_t)pool_servers(o) * p->lim.weight < (uint64_t)pool_servers(p) * o->lim.weight;
}

/* Has none of those that share the limit more than p, for its weight? */
static bool has_most(const struct pool *p, bool of_user)
{
	LIST_EACH (pools_all(), it) {
		const struct pool *o = list_owner(it, struct pool, in_all);
		if (o != p && (of_user ? pool_is_same_user(o, p) : o->db == p->db) && pool_has_fewer(p, o))
			return false;
	}
	return true;
}

static bool is_due(const struct pool *p, bool of_user)
{
	LIST_EACH (pools_all(), it) {
		const struct pool *o = list_owner(it, struct pool, in_all);
		if (!is_rival(o, p, of_user))
			continue;
		if (has_less(o, p, -1, true))
			return true;
		if (pool_servers(o) == 0 && loop_now() - o->lacks_since_ms >= POOL_SHARE_MS && has_most(p, of_user))
			return true;
	}
	return false;
}

bool pool_owes_slot(const struct pool *p)
{
	return nlacking && ((p->lim.max_db && is_due(p, false)) || (p->lim.max_user && is_due(p, true)));
}
