/* release.c - a server between sessions: it rests, is checked, cleaned, or cancelled and rolled back; and is lent
 * again. */
#include "pool/server_int.h"

#include "core/assert.h"
#include "session/varset.h"

#include <string.h>

/* How long it may be idle, and live. */
void server_arm_idle(struct server *sv)
{
	uint64_t due = sv->expires_ms;
	if (sv->pool->lim.idle_ms && sv->released_ms + sv->pool->lim.idle_ms < due)
		due = sv->released_ms + sv->pool->lim.idle_ms;
	/* A deadline that is armed for earlier looks again when it fires: no work here for each query. */
	if (due != UINT64_MAX && !(deadline_is_set(&sv->deadline) && sv->deadline.due_ms <= due))
		(void)deadline_set(&sv->deadline, due);
}

static bool is_outdated(const struct server *sv)
{
	return sv->close_needed || sv->is_doubtful || sv->generation != sv->pool->db->generation;
}

void server_become_idle(struct server *sv)
{
	if (sv->errand) {
		server_run_errand(sv);
		return;
	}
	deadline_clear(&sv->deadline);
	sv->released_ms = loop_now();
	if (sv->is_apart && is_outdated(sv)) {
		server_close(sv, "close_needed", NULL);
		return;
	}
	if (sv->is_apart) {
		server_move(sv, SERVER_LISTEN);
		pool_server_ready(sv);
		sv->ops->apart(sv, NULL);
		return;
	}
	server_move(sv, SERVER_IDLE);
	server_arm_idle(sv);
	pool_server_ready(sv);
}

void server_done_own(struct server *sv, const struct fault *f)
{
	if (sv->errand) {
		server_errand_answered(sv, f);
		return;
	}
	if (f) {
		if (sv->state == SERVER_SETUP) {
			struct fault told = *f;
			fault_add(&told, "connect_query");
			server_fail(sv, &told);
		} else {
			log_warn(&sv->log, "the server failed the house's own query: %s", f->text);
			server_close(sv,
				     sv->state == SERVER_CHECK      ? "server check failed"
				     : sv->state == SERVER_ROLLBACK ? "rollback failed"
								    : "reset query failed",
				     NULL);
		}
		return;
	}
	switch ((enum server_state)sv->state) {
	case SERVER_SETUP:
	case SERVER_CHECK:
		server_become_idle(sv);
		break;
	case SERVER_RESET:
		if (sv->tidy) {
			sv->tidy = NULL;
			server_release(sv);
			break;
		}
		sv->used = sv->was_session = false;
		server_become_idle(sv);
		break;
	case SERVER_ROLLBACK:
		sv->pool->stats.v[STAT_rollback_count]++;
		server_release(sv);
		break;
	case SERVER_CONNECT:
	case SERVER_LOGIN:
	case SERVER_IDLE:
	case SERVER_ACTIVE:
	case SERVER_DRAIN:
	case SERVER_CANCEL:
	case SERVER_LISTEN:
	case SERVER_DEAD:
	case SERVER_NSTATES:
		ASSERT(false);
	}
}

/* --- Between sessions */

bool server_is_used(const struct server *sv, uint64_t check_delay_ms)
{
	return loop_now() - sv->released_ms >= check_delay_ms && sv->state == SERVER_IDLE &&
	       (check_delay_ms > 0 || sv->used);
}

static void allow(struct server *sv, uint64_t ms)
{
	deadline_clear(&sv->deadline); /* an idle one may still be armed */
	if (ms)
		(void)deadline_set(&sv->deadline, loop_now() + ms);
}

/* A statement of the house's own has as long as a connect; but a client waits for a check. */
static void run_own(struct server *sv, const char *sql)
{
	const struct pool_limits *lim = &sv->pool->lim;
	allow(sv, sv->state == SERVER_CHECK ? lim->validation_ms : lim->connect_ms);
	sv->ops->run(sv, sql);
}

void server_check(struct server *sv)
{
	server_move(sv, SERVER_CHECK);
	sv->used = false;
	/* The word <empty> stands for an empty query: nothing at all would switch checks off. */
	run_own(sv, strcmp(sv->pool->lim.check_query, "<empty>") == 0 ? "" : sv->pool->lim.check_query);
}

/* They have a deadline of their own. */
static void wait_for_cancels(struct server *sv)
{
	deadline_clear(&sv->deadline);
	server_move(sv, SERVER_CANCEL);
}

#define CANCEL_AGAIN_MS 1000u

void server_arm_drain(struct server *sv)
{
	uint64_t now = loop_now(), left = sv->drains_until > now ? sv->drains_until - now : 0;
	allow(sv, left < CANCEL_AGAIN_MS ? left + 1 : CANCEL_AGAIN_MS);
}

/* Its session left in the middle of something: that is cancelled, and rolled back. */
static void clean_up(struct server *sv)
{
	struct pool *p = sv->pool;
	enum engine_left left = ENGINE_BROKEN;

	if (sv->state == SERVER_ACTIVE)
		p->stats.v[STAT_abandoned_count]++;
	if (!sv->is_cut && p->lim.rollback_ms && !is_outdated(sv))
		left = sv->ops->abandon(sv);
	if (sv->state == SERVER_DEAD)
		return;
	switch (left) {
	case ENGINE_REST:
	case ENGINE_BROKEN:
		server_close(sv, "client disconnect while server was not ready", NULL);
		break;
	case ENGINE_OWES:
		if (sv->state == SERVER_DRAIN)
			break;
		if (sv->state != SERVER_ACTIVE) { /* its client left before: half a notification, by chance */
			server_close(sv, "client disconnect while server was not ready", NULL);
			break;
		}
		server_move(sv, SERVER_DRAIN);
		sv->drained = 0;
		sv->cancels_again = false;
		sv->drains_until = loop_now() + p->lim.rollback_ms;
		server_arm_drain(sv);
		if (!sv->finishes)
			(void)server_cancel(sv, NULL);
		break;
	case ENGINE_OPEN:
		if (sv->cancels) {
			wait_for_cancels(sv);
			break;
		}
		server_move(sv, SERVER_ROLLBACK);
		allow(sv, p->lim.rollback_ms);
		sv->ops->run(sv, "ROLLBACK");
		break;
	}
}

void server_drains_on(struct server *sv)
{
	if (sv->state != SERVER_DRAIN)
		return;
	if (sv->finishes)
		return;
	sv->cancels_again = sv->cancels > 0; /* that one may have been for what is answered now */
	if (!sv->cancels)
		(void)server_cancel(sv, NULL);
}

void server_drained(struct server *sv)
{
	sv->finishes = false;
	if (sv->state == SERVER_DRAIN)
		server_release(sv);
}

void server_release(struct server *sv)
{
	struct pool *p = sv->pool;

	if (sv->is_cut || !sv->ops->at_rest(sv)) {
		clean_up(sv);
		return;
	}
	if (is_outdated(sv)) {
		server_close(sv, "close_needed", NULL);
		return;
	}
	if (sv->cancels) {
		wait_for_cancels(sv);
		return;
	}
	if (loop_now() >= sv->expires_ms) {
		server_close(sv, "server lifetime over", NULL);
		return;
	}
	if (sv->tidy) {
		server_move(sv, SERVER_RESET);
		run_own(sv, sv->tidy);
		return;
	}
	if (p->lim.reset_query[0] && sv->used && (sv->was_session || p->lim.reset_always)) {
		server_move(sv, SERVER_RESET);
		if (sv->ops->reset) {
			allow(sv, p->lim.connect_ms);
			sv->ops->reset(sv);
		} else {
			run_own(sv, p->lim.reset_query);
		}
		return;
	}
	if (sv->state != SERVER_ACTIVE) {
		server_become_idle(sv);
		return;
	}
	/* As server_become_idle(), but for the deadline, which looks for itself when it fires: this is every
	 * transaction's end. */
	sv->released_ms = loop_now();
	server_move(sv, SERVER_IDLE);
	server_arm_idle(sv);
	pool_server_ready(sv);
}
