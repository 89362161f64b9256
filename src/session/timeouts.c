/* timeouts.c - what takes a client too long, and what becomes of it then.
 * What is due follows from the state of the session alone: due_at(). Nothing is cleared when what was waited for comes
 * in time; a deadline that fires too early is set again. So a statement costs a comparison or two, and none where
 * nothing is configured. */
#include "session/session_int.h"

#include "core/assert.h"
#include "core/loop.h"

#define NEVER UINT64_MAX

bool sessions_compat_disconnect;
uint32_t sessions_max_packet;
static uint64_t login_ms, notify_ms;

static void set_fault(struct fault *f, const char *sqlstate, const char *text, const char *setting)
{
	fault_set(f, sessions_compat_disconnect ? FAULT_PROTO : FAULT_TIMEOUT, "%s", text);
	if (!sessions_compat_disconnect)
		fault_sqlstate(f, sqlstate);
	fault_hint(f, "The limit is the setting %s.", setting);
}

static void set_late_fault(const struct session *s, struct fault *f)
{
	if (s->late == LATE_XACT)
		set_fault(f, "25P04", "transaction timeout", "transaction_timeout");
	else
		set_fault(f, "57014", "query timeout", "query_timeout");
}

static uint64_t after(uint64_t since_us, uint32_t ms)
{
	return ms ? since_us / 1000 + ms : NEVER;
}

static uint64_t first_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t idle_since_us(const struct session *s)
{
	return s->request_us ? s->request_us : s->connect_ms * 1000;
}

static uint64_t notify_at(const struct session *s)
{
	return notify_ms && !s->was_noticed ? s->wait.since_us / 1000 + notify_ms : NEVER;
}

static uint64_t due_active(const struct session *s)
{
	const struct session_limits *l = &s->limits;
	if (s->talk)
		return NEVER;
	if (s->late)
		return s->give_up_ms;
	if (s->is_running)
		return first_of(after(s->request_us, l->query), after(s->xact_us, l->xact));
	if (s->xact_us)
		return first_of(after(s->request_us, l->idle_xact), after(s->xact_us, l->xact));
	if (session_is_soft(s))
		return s->give_up_ms;
	return after(idle_since_us(s), l->idle);
}

/* Of bringing its settings to a server: that is a part of its statement. */
static uint64_t due_sync(const struct session *s)
{
	uint64_t most = s->pool->lim.connect_ms;
	return first_of(after(s->request_us, s->limits.query), most ? s->request_us / 1000 + most : NEVER);
}

static uint64_t due_at(const struct session *s)
{
	switch ((enum session_state)s->state) {
	case SESSION_LOGIN:
		return login_ms ? s->connect_ms + login_ms : NEVER;
	case SESSION_WELCOME:
	case SESSION_OPENING:
		return after(s->wait.since_us, s->limits.wait);
	case SESSION_WAITING:
		return first_of(after(s->wait.since_us, s->limits.wait), notify_at(s));
	case SESSION_IDLE:
		return s->talk ? NEVER : after(idle_since_us(s), s->limits.idle);
	case SESSION_ACTIVE:
		return due_active(s);
	case SESSION_SYNC:
		return due_sync(s);
	case SESSION_DEAD:
		return NEVER;
	case SESSION_NSTATES:
		ASSERT(false);
	}
	return NEVER;
}

bool session_arm(struct session *s)
{
	uint64_t due = due_at(s);
	if (due == NEVER || (deadline_is_set(&s->deadline) && s->deadline.due_ms <= due))
		return true;
	return deadline_set(&s->deadline, due);
}

static void waited_too_long(struct session *s)
{
	bool paused = pool_is_paused(s->pool), stays = s->state == SESSION_WAITING && !sessions_compat_disconnect;
	struct fault f;
	fault_set(&f, !stays ? FAULT_PROTO : paused ? FAULT_NOT_NOW : FAULT_BUSY, "query_wait_timeout");
	fault_hint(&f, paused ? "The database is paused, by PAUSE or KILL on the console; RESUME ends that."
		       : pool_is_opening(s->pool)
			       ? "No server connection was to be had in that time: does the server answer?"
			       : "All server connections of the pool were in use for that long: see SHOW POOLS.");
	s->pool->stats.v[STAT_wait_timeout_count]++;
	if (!stays) {
		session_fail(s, &f);
		return;
	}
	pool_leave(s->pool, &s->wait);
	session_move(s, SESSION_IDLE);
	session_turn_away(s, &f);
}

static void idle_too_long(struct session *s)
{
	struct fault f;
	set_fault(&f, "57P05", "client_idle_timeout", "client_idle_timeout");
	fault_mysql(&f, 4031, "HY000"); /* by which MySQL's clients know that the connection is gone */
	s->pool->stats.v[STAT_client_idle_timeout_count]++;
	session_fail(s, &f);
}

/* Its transaction is over, whatever it thinks: the server rolls back and is somebody else's. */
void session_take_away(struct session *s, const struct fault *f)
{
	s->pool->stats.v[STAT_transaction_timeout_count]++;
	if (!session_is_kept(s)) {
		session_fail(s, f);
		return;
	}
	log_warn(&s->log, "%s: the transaction is rolled back", f->text);
	s->late = LATE_NOT;
	s->xact_us = 0;
	session_move(s, SESSION_IDLE);
	bool ok = s->door->fail_transaction(s, f);
	session_let_go(s);
	session_resume_input(s);
	if (!ok) {
		struct fault none;
		fault_set(&none, FAULT_NOMEM, "no memory for the session");
		session_fail(s, s->pins ? f : &none); /* what it was pinned for is gone */
	}
}

/* The cancel did not help, or cannot be sent. */
static void give_up(struct session *s)
{
	struct fault f;
	set_late_fault(s, &f);
	server_close(s->server, f.text, &f);
}

static void runs_too_long(struct session *s, uint64_t now)
{
	struct fault f;
	bool query = now >= after(s->request_us, s->limits.query);

	s->late = query ? LATE_QUERY : LATE_XACT;
	if (query) {
		s->pool->stats.v[STAT_query_timeout_count]++;
		pool_host_late(s->server);
	}
	set_late_fault(s, &f);
	if (sessions_compat_disconnect) {
		session_fail(s, &f);
		return;
	}
	log_warn(&s->log, "%s: the statement is cancelled", f.text);
	s->give_up_ms = now + s->pool->lim.rollback_ms;
	/* Its next statement waits until the request is through: it must not be hit. */
	struct list *who = list_empty(&s->in_resume) ? &s->in_resume : NULL;
	if (!s->pool->lim.rollback_ms || !server_cancel(s->server, who))
		give_up(s);
}

static void active_too_long(struct session *s, uint64_t now)
{
	struct fault f;
	if (s->late) {
		give_up(s);
	} else if (s->is_running) {
		runs_too_long(s, now);
	} else if (!s->xact_us) {
		idle_too_long(s);
	} else {
		if (now >= after(s->xact_us, s->limits.xact))
			set_fault(&f, "25P04", "transaction timeout", "transaction_timeout");
		else
			set_fault(&f, "25P03", "idle transaction timeout", "idle_transaction_timeout");
		session_take_away(s, &f);
	}
}

static void unpin(struct session *s)
{
	if (s->door->is_halfway(s)) {
		s->give_up_ms = loop_now() + SESSION_SOFT_MS;
		return;
	}
	s->pins = 0;
	s->door->boundary(s);
}

/* The server does not take its settings. */
static void sync_too_long(struct session *s, uint64_t now)
{
	struct fault f;
	if (now >= after(s->request_us, s->limits.query)) {
		s->pool->stats.v[STAT_query_timeout_count]++;
		pool_host_late(s->server);
		set_fault(&f, "57014", "query timeout", "query_timeout");
	} else {
		fault_set(&f, sessions_compat_disconnect ? FAULT_PROTO : FAULT_IO,
			  "the server did not take this client's settings in time");
		fault_hint(&f, "The limit is the setting server_connect_timeout.");
	}
	s->has_retried = true;
	server_close(s->server, "it did not take a client's settings in time", &f);
}

static void too_late(struct session *s, uint64_t now)
{
	struct fault f;

	switch ((enum session_state)s->state) {
	case SESSION_LOGIN:
		fault_set(&f, FAULT_PROTO, "client_login_timeout");
		session_fail(s, &f);
		break;
	case SESSION_WELCOME:
	case SESSION_OPENING:
		waited_too_long(s);
		break;
	case SESSION_WAITING:
		if (now >= after(s->wait.since_us, s->limits.wait)) {
			waited_too_long(s);
			break;
		}
		s->was_noticed = true;
		if (!pool_is_paused(s->pool))
			s->door->notice(s, "No server connection is free for the query yet: it waits in line.");
		break;
	case SESSION_IDLE:
		idle_too_long(s);
		break;
	case SESSION_ACTIVE:
		if (session_is_soft(s) && !s->late && !s->is_running && !s->xact_us)
			unpin(s);
		else
			active_too_long(s, now);
		break;
	case SESSION_SYNC:
		sync_too_long(s, now);
		break;
	case SESSION_DEAD:
		break;
	case SESSION_NSTATES:
		ASSERT(false);
	}
}

void session_on_deadline(struct deadline *d)
{
	struct session *s = list_owner(d, struct session, deadline);
	uint64_t now = loop_now();
	if (now >= due_at(s))
		too_late(s, now);
	(void)session_arm(s);
}

bool session_is_late(const struct session *s, struct fault *f)
{
	if (!s->late)
		return false;
	set_late_fault(s, f);
	return true;
}

static uint32_t limit(const struct session *s, enum setting_id id)
{
	int64_t ms = config_num(config_now(), id, s->db->conf, s->user->conf);
	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

void session_read_limits(struct session *s)
{
	/* A stream of changes is a statement that does not end. */
	bool none = s->replication != REPLICATION_NONE;
	s->limits = (struct session_limits){
		.wait = limit(s, SET_backpressure) == BACKPRESSURE_BLOCK ? 0 : limit(s, SET_query_wait_timeout),
		.query = none ? 0 : limit(s, SET_query_timeout),
		.xact = none ? 0 : limit(s, SET_transaction_timeout),
		.idle_xact = none ? 0 : limit(s, SET_idle_transaction_timeout),
		.idle = none ? 0 : limit(s, SET_client_idle_timeout),
		.slow = none ? 0 : limit(s, SET_slow_query_threshold),
		.leak = none ? 0 : limit(s, SET_leak_threshold),
	};
	s->slow_us = s->limits.slow ? (uint64_t)s->limits.slow * 1000 : UINT64_MAX;
	s->keeps_heard = s->limits.slow || s->limits.leak;
	s->has_limits = s->limits.query || s->limits.xact || s->limits.idle_xact || s->limits.idle;
}

void session_replicates(struct session *s, bool does)
{
	s->replication = does ? REPLICATION_PHYSICAL : REPLICATION_NONE;
	session_read_limits(s);
}

void sessions_configure(void)
{
	const struct config *c = config_now();
	login_ms = (uint64_t)config_num(c, SET_client_login_timeout, NULL, NULL);
	notify_ms = (uint64_t)config_num(c, SET_query_wait_notify, NULL, NULL);
	sessions_compat_disconnect = config_num(c, SET_compat_disconnect, NULL, NULL) != 0;
	session_watch_configure();
	sessions_max_packet = (uint32_t)config_num(c, SET_max_packet_size, NULL, NULL);
	LIST_EACH (sessions_all(), it) {
		struct session *s = list_owner(it, struct session, in_all);
		if (s->pool) {
			session_read_limits(s);
			(void)session_arm(s);
		}
	}
}
