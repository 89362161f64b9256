/* line.c - who waits for a server: who may have one at all (max_active), and how often (rate_limit), and who has waited
 * in vain (max_waiting, queue_target). */
#include "pool/pool_int.h"

#include "core/loop.h"

#include <inttypes.h>

void pool_left_line(struct pool *p, struct pool_wait *w)
{
	list_del(&w->in_line);
	p->nwaiting--;
	p->nwaiting_own -= w->is_own;
	p->stats.v[STAT_wait_time] += loop_now_us() - w->since_us;
}

void pool_refuse_all(struct pool *p, const struct fault *f)
{
	while (!list_empty(&p->waiting)) {
		struct pool_wait *w = list_owner(p->waiting.next, struct pool_wait, in_line);
		pool_left_line(p, w);
		w->refused(w, f);
	}
}

static struct pool_wait *first_of_kind(const struct pool *p, uint64_t kind)
{
	LIST_EACH (&p->waiting, it) {
		struct pool_wait *w = list_owner(it, struct pool_wait, in_line);
		if (w->kind == kind)
			return w;
	}
	return NULL;
}

void pool_refuse_kind(struct pool *p, uint64_t kind, uint64_t instead, const struct fault *f)
{
	struct pool_wait *w;
	if (p->kind == kind)
		p->kind = instead;
	while ((w = first_of_kind(p, kind))) {
		pool_left_line(p, w);
		w->refused(w, f);
	}
}

/* --- max_active */

/* By name: whom a database forces is the same user as who comes himself. */
bool pool_is_same_user(const struct pool *a, const struct pool *b)
{
	return a->user->name == b->user->name;
}

/* Does max_active allow one more? Those that are being opened for one session alone count, too: it has them already. */
bool pool_may_be_active(const struct pool *p)
{
	uint32_t of_db = 0, of_user = 0;
	if (!(p->lim.active_db | p->lim.active_user))
		return true;
	LIST_EACH (pools_all(), it) {
		const struct pool *o = list_owner(it, struct pool, in_all);
		uint32_t n = o->count[SERVER_ACTIVE] + o->own_opening;
		of_db += o->db == p->db ? n : 0;
		of_user += pool_is_same_user(o, p) ? n : 0;
	}
	return (!p->lim.active_db || of_db < p->lim.active_db) && (!p->lim.active_user || of_user < p->lim.active_user);
}

/* max_active leaves one place for several pools: it is theirs whose first in line has waited longest. */
void pool_serve_oldest(struct pool *p)
{
	struct pool *oldest = NULL;
	uint64_t since = UINT64_MAX;
	LIST_EACH (pools_all(), it) {
		struct pool *o = list_owner(it, struct pool, in_all);
		if (!o->nwaiting || (o->db != p->db && !pool_is_same_user(o, p)))
			continue;
		uint64_t at = list_owner(o->waiting.next, struct pool_wait, in_line)->since_us;
		if (at < since) {
			since = at;
			oldest = o;
		}
	}
	if (oldest)
		pool_serve(oldest);
}

/* --- rate_limit */

#define DELAY_MAX_US 60000000u /* whoever comes later than that is not to wait for it */

void pool_rate(struct pool *p, struct pool_wait *w)
{
	const struct pool_limits *lim = &p->lim;
	uint64_t now = loop_now_us();
	uint64_t of_db = bucket_wait_us(&p->db->rate, &lim->rate_db, now);
	uint64_t of_user = bucket_wait_us(&p->user->rate, &lim->rate_user, now);
	uint64_t wait = of_db > of_user ? of_db : of_user;

	w->not_before_us = 0;
	w->is_over = false;
	if (w->is_login)
		return;
	w->is_over = wait > (lim->rate_rejects ? 0 : DELAY_MAX_US);
	p->stats.v[STAT_rate_limited_count] += wait > 0;
	if (w->is_over)
		return;
	w->not_before_us = wait ? now + wait : 0;
	bucket_take(&p->db->rate, &lim->rate_db, now);
	bucket_take(&p->user->rate, &lim->rate_user, now);
}

/* Those in line whose time, by rate_limit, has not come. */
uint32_t pool_delayed(const struct pool *p)
{
	uint32_t n = 0;
	if (p->lim.is_gated)
		for (const struct list *at = p->waiting.next; at != &p->waiting; at = at->next) {
			const struct pool_wait *w = list_owner(at, struct pool_wait, in_line);
			n += !w->is_own && w->not_before_us > loop_now_us();
		}
	return n;
}

/* --- Too many in line */

bool pool_is_late(struct pool *p, const struct pool_wait *w)
{
	uint64_t now = loop_now_us(), since = w->not_before_us > w->since_us ? w->not_before_us : w->since_us;
	return codel_is_late(&p->codel, &p->lim.queue, now > since ? now - since : 0, now);
}

void pool_shed(struct pool *p, struct pool_wait *w, const char *why)
{
	struct fault f;
	fault_set(&f, FAULT_BUSY, "no server connection was free, and %s: waited for %" PRIu64 " ms, %u are in line",
		  why, (loop_now_us() - w->since_us) / 1000, p->nwaiting);
	fault_hint(
		&f,
		"The limits are the settings max_waiting, queue_target and rate_limit. Whoever tries again should wait first, "
		"ever longer.");
	p->stats.v[STAT_shed_count]++;
	pool_left_line(p, w);
	w->refused(w, &f);
}

/* Those who are late although nobody is served, and those who came last, when too many wait. */
void pool_shed_more(struct pool *p)
{
	while (p->lim.queue.target_us && p->nwaiting) {
		struct pool_wait *w = list_owner(p->waiting.next, struct pool_wait, in_line);
		if (!pool_is_late(p, w)) {
			pool_wake_at(p, loop_now() + p->lim.queue.target_us / 1000 + 1);
			break;
		}
		pool_shed(p, w, "its pool is overloaded");
	}
	while (p->lim.max_waiting && p->nwaiting > p->lim.max_waiting + pool_opening(p))
		pool_shed(p, list_owner(p->waiting.prev, struct pool_wait, in_line), "max_waiting others wait");
}
