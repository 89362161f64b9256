/* line.c - who waits for a server: who may have one at all (max_active), and how often (rate_limit), and who has waited
 * in vain (max_waiting, queue_target). */
#include "pool/pool_int.h"

#include "core/loop.h"

#include <inttypes.h>

void pool_left_line(struct pool *p, struct pool_wait *w)
{
	list_del(&w->in_line);
	p->ndelayed -= !w->flow && !w->is_own;
	pool_line_del(p, w);
	p->nwaiting--;
	p->db->nwaiting--;
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

/* What of max_active keeps one more from being lent? Those that are being opened for one session alone count, too: it
 * has them already. */
static unsigned lacking_places(const struct pool *p)
{
	uint32_t of_db = 0, of_user = 0;
	if (!(p->lim.active_db | p->lim.active_user))
		return 0;
	LIST_EACH (pools_all(), it) {
		const struct pool *o = list_owner(it, struct pool, in_all);
		uint32_t n = o->count[SERVER_ACTIVE] + o->own_opening;
		of_db += o->db == p->db ? n : 0;
		of_user += pool_is_same_user(o, p) ? n : 0;
	}
	return (p->lim.active_db && of_db >= p->lim.active_db ? LACK_DB_PLACE : 0u) |
	       (p->lim.active_user && of_user >= p->lim.active_user ? LACK_USER_PLACE : 0u);
}

/* --- rate_limit. A database's tokens are for those whose turn it is, when there is one; with rate_action = reject, and
 * of what is one user's own, they are for who comes, and he waits for his. */

#define DELAY_MAX_US 60000000u /* whoever comes later than that is not to wait for it */

static bool takes_turns(const struct pool *p)
{
	return p->lim.rate_db.rate && !p->lim.rate_rejects;
}

/* How long until all who wait in the database have had theirs, and w has. */
static uint64_t wait_of_db(const struct pool *p, uint64_t now)
{
	struct bucket b = p->db->rate;
	if (takes_turns(p))
		bucket_take_many(&b, &p->lim.rate_db, now, p->db->nwaiting);
	return bucket_wait_us(&b, &p->lim.rate_db, now);
}

/* Sets its not_before_us and is_over. */
static void rate(struct pool *p, struct pool_wait *w)
{
	const struct pool_limits *lim = &p->lim;
	uint64_t now = loop_now_us();
	uint64_t of_db = wait_of_db(p, now), of_user = bucket_wait_us(&p->user->rate, &lim->rate_user, now);
	uint64_t wait = of_db > of_user ? of_db : of_user;

	if (w->is_login)
		return;
	w->is_over = wait > (lim->rate_rejects ? 0 : DELAY_MAX_US);
	p->stats.v[STAT_rate_limited_count] += wait > 0;
	if (w->is_over)
		return;
	w->not_before_us = of_user ? now + of_user : 0;
	if (!takes_turns(p))
		bucket_take(&p->db->rate, &lim->rate_db, now);
	bucket_take(&p->user->rate, &lim->rate_user, now);
}

/* Mostly it is the last, and who is refused the first. */
static void delay(struct pool *p, struct pool_wait *w)
{
	struct list *before = w->is_over ? &p->delayed : p->delayed.prev;
	while (before != &p->delayed && list_owner(before, struct pool_wait, in_flow)->not_before_us > w->not_before_us)
		before = before->prev;
	list_push(before, &w->in_flow);
	p->ndelayed += !w->is_own;
}

void pool_enter_line(struct pool *p, struct pool_wait *w)
{
	w->not_before_us = 0;
	w->is_over = false;
	w->flow = NULL;
	w->since_us = loop_now_us();
	if (p->lim.is_gated)
		rate(p, w);
	list_add(&p->waiting, &w->in_line);
	p->nwaiting++;
	p->db->nwaiting++;
	p->nwaiting_own += w->is_own;
	if (w->not_before_us || w->is_over)
		delay(p, w);
	else
		pool_line_add(p, w);
}

void pool_end_delays(struct pool *p)
{
	while (!list_empty(&p->delayed)) {
		struct pool_wait *w = list_owner(p->delayed.next, struct pool_wait, in_flow);
		if (w->not_before_us > loop_now_us()) {
			pool_wake_at(p, w->not_before_us / 1000 + 1);
			break;
		}
		if (w->is_over) {
			pool_shed(p, w, "it would be more than rate_limit");
			continue;
		}
		list_del(&w->in_flow);
		p->ndelayed -= !w->is_own;
		pool_line_add(p, w);
	}
}

bool pool_may_be_lent(struct pool *p, const struct pool_wait *w)
{
	if (!p->lim.is_gated)
		return true;
	unsigned lacks = lacking_places(p);
	uint64_t wait =
		w->is_login || !takes_turns(p) ? 0 : bucket_wait_us(&p->db->rate, &p->lim.rate_db, loop_now_us());
	if (wait) {
		lacks |= LACK_DB_TOKEN;
		pool_wake_at(p, (loop_now_us() + wait) / 1000 + 1);
	}
	if (lacks) {
		pool_lacks(p, lacks);
		return false;
	}
	return w->is_login || !pool_is_others_turn(p);
}

void pool_is_lent(struct pool *p, struct pool_wait *w)
{
	if (p->lim.is_gated && !w->is_login && takes_turns(p))
		bucket_take(&p->db->rate, &p->lim.rate_db, loop_now_us());
	pool_line_serves(p, w);
	pool_left_line(p, w);
}

/* --- Too many in line */

bool pool_is_late(struct pool *p, const struct pool_wait *w)
{
	uint64_t now = loop_now_us(), since = w->not_before_us > w->since_us ? w->not_before_us : w->since_us;
	return codel_is_late(pool_line_codel(w), &p->lim.queue, now > since ? now - since : 0, now);
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
	struct pool_wait *next;
	for (struct pool_wait *w = p->lim.queue.target_us ? pool_line_first(p) : NULL; w; w = next) {
		next = pool_line_next(p, w);
		if (pool_is_late(p, w)) {
			pool_shed(p, w, "its pool is overloaded");
			continue;
		}
		pool_wake_at(p, loop_now() + p->lim.queue.target_us / 1000 + 1);
		next = pool_line_next_user(p, w);
	}
	while (p->lim.max_waiting && p->nwaiting > p->lim.max_waiting + pool_opening(p)) {
		struct pool_wait *w = pool_line_longest(p);
		pool_shed(p, w ? w : list_owner(p->waiting.prev, struct pool_wait, in_line), "max_waiting others wait");
	}
}
