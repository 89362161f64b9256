/* serve.c - who gets which server connection: lending, and the end of a turn in which something changed. */
#include "pool/pool_int.h"

#include "core/assert.h"
#include "core/loop.h"

#define STARVED_MS 1000u /* between two attempts to open a server when it was we who had no descriptor left */

static void (*on_change)(void);

void pool_on_change(void (*changed)(void))
{
	on_change = changed;
}

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
	p->is_mixed |= p->kind && p->kind != w->kind;
	p->kind = w->kind;
	pool_enter_line(p, w);
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

/* One that need not be asked first whether it lives. */
static struct server *pick_checked(struct pool *p, uint64_t kind)
{
	struct server *sv;
	while ((sv = pick_idle(p, kind)) && needs_check(p, sv))
		server_check(sv);
	return sv;
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

static void lend_to_those_in_line(struct pool *p)
{
	struct pool_wait *w, *next;
	pool_lacks_nothing(p);
	pool_end_delays(p);
	for (w = pool_line_first(p); w; w = next) {
		next = pool_line_next(p, w);
		if (pool_is_late(p, w)) {
			pool_shed(p, w, "its pool is overloaded");
			next = pool_line_first(p);
			continue;
		}
		if (!pool_may_be_lent(p, w)) {
			if (p->welcome)
				break;
			continue; /* some may be there only to hear what servers report */
		}
		struct server *sv = w->is_own ? pool_open_own(p, w) : pick_checked(p, w->kind);
		if (!sv && (w->is_own || list_empty(&p->by_state[SERVER_IDLE])))
			break;
		if (!sv) { /* what is idle is of another kind */
			pool_swap_idle(p, w);
			continue;
		}
		pool_is_lent(p, w);
		if (!w->is_own)
			lend(p, sv);
		w->granted(w, sv);
		next = pool_line_first(p); /* it may have changed */
	}
}

/* The end of a turn in which something changed: idle servers to those who wait, then more servers. */
void pool_run_serve(struct task *t)
{
	struct pool *p = list_owner(t, struct pool, serve_task);

	if (pool_is_paused(p)) {
		while (!list_empty(&p->by_state[SERVER_IDLE]))
			server_close(server_at(p->by_state[SERVER_IDLE].next), "paused", NULL);
		while (!list_empty(&p->by_state[SERVER_LISTEN]))
			server_close(server_at(p->by_state[SERVER_LISTEN].next), "paused", NULL);
	} else {
		lend_to_those_in_line(p);
		if (p->nwaiting && pool_opening(p) == 0)
			refuse_at_gate(p);
		/* Nobody is there, and it is not yet time to try again: those who wait would wait in vain. */
		if (p->nwaiting && pool_all_failed(p) && !pool_live(p) && pool_opening(p) == 0 &&
		    loop_now() < pool_retry_at(p)) {
			struct fault f = p->failure;
			fault_set(&f, p->failure.kind,
				  "server login has been failing, cached error: %.400s (server_login_retry)",
				  p->failure.text);
			fault_sqlstate(&f, p->failure.sqlstate);
			pool_refuse_all(p, &f);
		}
		pool_grow(p);
		pool_shrink(p);
		pool_shed_more(p);
	}
	if (on_change)
		on_change();
	pool_check_unused(p);
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
	LIST_EACH (pools_all(), it) {
		struct pool *o = list_owner(it, struct pool, in_all);
		if (o != p && o->nwaiting && (o->db == p->db || pool_is_same_user(o, p)))
			pool_serve(o);
	}
}

void pool_server_ready(struct server *sv)
{
	struct pool *p = sv->pool;
	if (p->nwaiting && p->lim.is_shared && sv->state == SERVER_IDLE && pool_owes_slot(p)) {
		server_close(sv, "its database or user is at its limit of connections, and another has fewer", NULL);
		p->lacks_since_ms = loop_now(); /* from here on it is the one who has gone without */
		return;
	}
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
	if (p->nwaiting && !pool_live(p) && pool_opening(p) == 0 && f->kind != FAULT_BUSY && pool_all_failed(p))
		pool_refuse_all(p, f); /* those who come later, and before the retry is due, hear of it in serve() */
	pool_serve(p);
}

void pool_server_gone(struct pool *p)
{
	pool_serve(p);
	serve_others(p);
}
