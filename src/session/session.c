/* session.c - clients: their states, their places in line, their links to servers. */
#include "session/session.h"

#include "core/assert.h"
#include "core/loop.h"
#include "core/str.h"
#include "route/route.h"

#include <inttypes.h>
#include <unistd.h>

#define BEFORE_LOGIN_MAX 64u /* connections beyond max_client_conn that may at least say who they are */

#define TO(s)             (1u << SESSION_##s)
#define X(s, shown, next) [SESSION_##s] = { shown, next },
static const struct {
	const char *shown;
	unsigned next;
} states[] = { SESSION_STATES(X) };
#undef X

static struct list sessions = { &sessions, &sessions };
static struct list graveyard = { &graveyard, &graveyard };
static struct list resuming = { &resuming, &resuming };
static struct task bury_task, resume_task;
static uint32_t count;
static uint64_t last_id;
static bool refusing;
static void (*on_change)(void);

static void granted(struct pool_wait *w, struct server *sv);
static void refused(struct pool_wait *w, const struct fault *f);

struct list *sessions_all(void)
{
	return &sessions;
}

uint32_t sessions_count(void)
{
	return count;
}

const char *session_state_name(const struct session *s)
{
	return states[s->state].shown;
}

void session_move(struct session *s, enum session_state to)
{
	ASSERT(states[s->state].next & 1u << to);
	s->state = (uint8_t)to;
}

void sessions_refuse(void)
{
	refusing = true;
}

bool sessions_is_refusing(void)
{
	return refusing;
}

void sessions_on_change(void (*changed)(void))
{
	on_change = changed;
}

static void describe(const struct log_ctx *ctx, char *out, size_t cap)
{
	const struct session *s = (const void *)((const char *)ctx - offsetof(struct session, log));
	char at[ADDR_TEXT_MAX];
	addr_text(&s->addr, at);
	str_fmt(out, cap, "C-0x%" PRIx64 ": %s/%s@%s", s->id, s->db ? s->db->name->s : "(nodb)",
		s->user ? s->user->name->s : "(nouser)", at);
}

/* --- The end */

static void bury(struct task *t)
{
	(void)t;
	while (!list_empty(&graveyard)) {
		struct session *s = list_owner(graveyard.next, struct session, in_all);
		list_del(&s->in_all);
		varset_put(s->vars);
		s->door->free(s);
	}
	if (on_change)
		on_change();
}

static bool stands_in_line(const struct session *s)
{
	return s->state == SESSION_WAITING || s->state == SESSION_WELCOME;
}

static void end_session(struct session *s, bool drain)
{
	struct server *sv = s->server;
	if (stands_in_line(s))
		pool_leave(s->pool, &s->wait);
	list_del(&s->in_resume);
	session_move(s, SESSION_DEAD);
	deadline_clear(&s->deadline);
	stream_close(&s->stream, drain);
	s->server = NULL;
	if (sv) {
		stream_unhold(&sv->stream, HOLD_PEER);
		pool_give(sv);
	}
	if (s->talk)
		s->db->exchange->close(s);
	if (s->is_in) {
		s->user->clients--;
		if (s->pool && --s->pool->nclients == 0)
			pool_serve(s->pool);
	}
	if (s->db) {
		s->db->clients--;
		database_check_unused(s->db);
	}
	user_put(s->user);
	s->db = NULL;
	s->user = NULL;
	s->pool = NULL;
	count--;
	list_del(&s->in_all);
	list_add(&graveyard, &s->in_all);
	loop_defer(&bury_task);
}

void session_close(struct session *s, const char *why)
{
	if (s->state == SESSION_DEAD)
		return;
	if (config_num(config_now(), SET_log_disconnections, NULL, NULL))
		log_info(&s->log, "closing because: %s (age=%" PRIu64 "s)", why, (loop_now() - s->connect_ms) / 1000);
	end_session(s, false);
}

void session_fail(struct session *s, const struct fault *f)
{
	if (s->state == SESSION_DEAD)
		return;
	s->door->tell(s, f, true);
	if (config_num(config_now(), SET_log_pooler_errors, NULL, NULL))
		log_warn(&s->log, "pooler error: %s", f->text);
	if (config_num(config_now(), SET_log_disconnections, NULL, NULL))
		log_info(&s->log, "closing because: %s (age=%" PRIu64 "s)", f->text,
			 (loop_now() - s->connect_ms) / 1000);
	end_session(s, true);
}

/* --- The stream's side */

static void on_bytes(struct stream *st, struct rd *in)
{
	struct session *s = list_owner(st, struct session, stream);
	s->door->on_bytes(s, in);
}

static void on_end(struct stream *st, const struct fault *why)
{
	struct session *s = list_owner(st, struct session, stream);
	session_close(s, why ? why->text : "client unexpected eof");
}

static void on_stall(struct stream *st, bool stalled)
{
	struct session *s = list_owner(st, struct session, stream);
	/* Who takes no answers is not asked for more questions, whoever answers them. */
	if (stalled) {
		stream_hold(&s->stream, HOLD_SELF);
		if (s->server)
			stream_hold(&s->server->stream, HOLD_PEER);
		return;
	}
	stream_unhold(&s->stream, HOLD_SELF);
	if (s->server)
		stream_unhold(&s->server->stream, HOLD_PEER);
	s->door->on_drained(s);
}

static const struct stream_ops stream_ops = { on_bytes, on_end, NULL, on_stall };

static void on_deadline(struct deadline *d)
{
	struct session *s = list_owner(d, struct session, deadline);
	struct fault f;

	switch ((enum session_state)s->state) {
	case SESSION_LOGIN:
		fault_set(&f, FAULT_PROTO, "client_login_timeout");
		session_fail(s, &f);
		break;
	case SESSION_WELCOME:
	case SESSION_WAITING:
		fault_set(&f, FAULT_PROTO, "query_wait_timeout");
		fault_hint(&f, "All server connections of the pool were in use for that long: see SHOW POOLS.");
		session_fail(s, &f);
		break;
	case SESSION_IDLE:
	case SESSION_SYNC:
	case SESSION_ACTIVE:
	case SESSION_DEAD:
		break;
	case SESSION_NSTATES:
		ASSERT(false);
	}
}

void session_accept(const struct door_ops *door, int fd, const struct addr *a, bool has_data)
{
	uint32_t most = (uint32_t)config_num(config_now(), SET_max_client_conn, NULL, NULL);
	struct session *s = door->make();

	if (!s || count >= most + BEFORE_LOGIN_MAX) {
		static struct log_seldom turned_away;
		log_seldom(&turned_away, LOG_LV_WARN, NULL, "a connection was closed at once: %s",
			   s ? "too many are open" : "no memory");
		if (s)
			door->free(s);
		close(fd);
		return;
	}
	s->log.describe = describe;
	s->door = door;
	s->addr = *a;
	s->id = ++last_id;
	s->connect_ms = loop_now();
	list_init(&s->in_resume);
	list_add(&sessions, &s->in_all);
	count++;
	s->wait.granted = granted;
	s->wait.refused = refused;
	deadline_init(&s->deadline, on_deadline);
	stream_open(&s->stream, fd, &stream_ops);
	s->vars = varset_empty();
	uint64_t within = (uint64_t)config_num(config_now(), SET_client_login_timeout, NULL, NULL);
	if (!s->vars || (within && !deadline_set(&s->deadline, loop_now() + within))) {
		session_close(s, "no memory");
		return;
	}
	if (has_data)
		stream_read_now(&s->stream);
}

/* --- Login */

static void welcome(struct session *s)
{
	const struct varset *vars = varset_over_known(s->pool->vars, s->vars);
	struct fault f;
	if (!vars) {
		fault_set(&f, FAULT_NOMEM, "no memory for the session");
		session_fail(s, &f);
		return;
	}
	varset_put(s->vars);
	s->vars = vars;
	deadline_clear(&s->deadline);
	session_move(s, SESSION_IDLE);
	s->door->on_welcome(s);
}

static void count_client(struct session *s)
{
	s->is_in = true;
	s->user->clients++;
	if (s->pool) {
		s->pool->nclients++;
		s->pool->stats.v[STAT_client_login_count]++;
		s->pool->unused_since = 0;
	}
}

void session_identify(struct session *s, struct database *db, struct user *u)
{
	ASSERT(!s->db);
	if (u && !s->user)
		s->user = user_ref(u);
	s->db = db;
	if (db) {
		db->clients++;
		db->unused_since = 0;
	}
}

bool session_may_enter(const struct session *s, struct fault *f)
{
	bool full = count > (uint32_t)config_num(config_now(), SET_max_client_conn, NULL, NULL);
	bool console = s->db && s->db->exchange;

	/* Whoever looks after Sluice gets to the console, above all when it is full or ends. */
	if (console && s->user && (s->user->is_admin || s->user->is_stats || s->is_own_user))
		return true;
	if (refusing)
		return fault_set(f, FAULT_SHUTDOWN, "pooler is shutting down");
	if (full)
		return fault_set(f, FAULT_PROTO, "no more connections allowed (max_client_conn)");
	if (s->db && s->db->disabled)
		return fault_set(f, FAULT_NOT_NOW, "database \"%s\" is disabled", s->db->name->s);
	return true;
}

void session_login_done(struct session *s)
{
	struct database *db = s->db;
	struct user *u = s->user;
	struct fault f;

	if (config_num(config_now(), SET_log_connections, NULL, NULL))
		log_info(&s->log, "login attempt: db=%s user=%s", db->name->s, u->name->s);
	if (db->exchange) {
		if (!db->exchange->open(s, &f)) {
			session_fail(s, &f);
			return;
		}
		count_client(s);
		deadline_clear(&s->deadline);
		session_move(s, SESSION_IDLE);
		s->door->on_welcome(s);
		return;
	}
	s->pool = route_pool(db, u);
	if (!s->pool) {
		fault_set(&f, FAULT_NOMEM, "no memory for a pool");
		session_fail(s, &f);
		return;
	}
	s->mode = (uint8_t)config_num(config_now(), SET_pool_mode, db->conf, u->conf);
	count_client(s);
	if (s->pool->welcome) {
		welcome(s);
		return;
	}
	/* What servers report at login is not known yet: wait for a first one. */
	session_move(s, SESSION_WELCOME);
	deadline_clear(&s->deadline);
	if (s->pool->lim.wait_ms)
		(void)deadline_set(&s->deadline, loop_now() + s->pool->lim.wait_ms);
	struct server *sv = pool_take(s->pool, &s->wait);
	if (sv) {
		pool_give(sv);
		welcome(s);
	}
}

/* --- Linking */

static void run_resume(struct task *t)
{
	(void)t;
	while (!list_empty(&resuming)) {
		struct session *s = list_owner(resuming.next, struct session, in_resume);
		list_del(&s->in_resume);
		stream_redeliver(&s->stream);
	}
}

void session_resume_input(struct session *s)
{
	if (list_empty(&s->in_resume))
		list_add(&resuming, &s->in_resume);
	loop_defer(&resume_task);
}

static void link_to(struct session *s, struct server *sv)
{
	s->server = sv;
	sv->session = s;
	sv->was_session |= s->mode == POOL_SESSION;
	if (stream_is_stalled(&s->stream))
		stream_hold(&sv->stream, HOLD_PEER);
	if (s->vars == sv->vars) {
		session_move(s, SESSION_ACTIVE);
		return;
	}
	session_move(s, SESSION_SYNC);
	server_sync(sv, s->vars);
}

static void granted(struct pool_wait *w, struct server *sv)
{
	struct session *s = list_owner(w, struct session, wait);
	deadline_clear(&s->deadline);
	if (s->state == SESSION_WELCOME) {
		pool_give(sv);
		welcome(s);
		return;
	}
	link_to(s, sv);
	if (s->state == SESSION_ACTIVE)
		session_resume_input(s);
}

static void refused(struct pool_wait *w, const struct fault *f)
{
	struct session *s = list_owner(w, struct session, wait);
	/* The line has let it go already. */
	s->state = s->state == SESSION_WELCOME ? SESSION_LOGIN : SESSION_IDLE;
	session_fail(s, f);
}

bool session_want_server(struct session *s)
{
	if (s->state == SESSION_ACTIVE)
		return true;
	if (s->state != SESSION_IDLE)
		return false;
	struct server *sv = pool_take(s->pool, &s->wait);
	if (sv) {
		link_to(s, sv);
		return s->state == SESSION_ACTIVE;
	}
	session_move(s, SESSION_WAITING);
	if (s->pool->lim.wait_ms)
		(void)deadline_set(&s->deadline, loop_now() + s->pool->lim.wait_ms);
	return false;
}

void session_request_begins(struct session *s)
{
	s->request_us = loop_now_us();
	if (!s->xact_us)
		s->xact_us = s->request_us;
}

void session_request_ends(struct session *s, bool in_transaction)
{
	struct stats *st = &s->pool->stats;
	uint64_t now = loop_now_us();

	if (!s->xact_us) /* sent ahead: it began when the one before had ended */
		s->xact_us = s->request_us;
	st->v[STAT_query_count]++;
	st->v[STAT_query_time] += now - s->request_us;
	s->request_us = now; /* of the next one, if it is under way already */
	if (in_transaction)
		return;
	st->v[STAT_xact_count]++;
	st->v[STAT_xact_time] += now - s->xact_us;
	s->xact_us = 0;
}

bool session_boundary(struct session *s, bool in_transaction)
{
	struct server *sv = s->server;
	if (in_transaction)
		return false;
	if (s->mode == POOL_SESSION) {
		if (sv->close_needed && config_num(config_now(), SET_server_fast_close, NULL, NULL))
			server_close(sv, "server_fast_close", NULL);
		return false;
	}
	s->server = NULL;
	session_move(s, SESSION_IDLE);
	stream_unhold(&sv->stream, HOLD_PEER);
	stream_unhold(&s->stream, HOLD_PEER);
	pool_give(sv);
	return true;
}

/* --- What happens to the server */

static void server_lost(struct session *s, struct server *sv, const struct fault *f)
{
	s->server = NULL;
	if (s->state == SESSION_DEAD)
		return;
	if (sv->told)
		session_close(s, f->text);
	else
		session_fail(s, f);
}

static void server_stalled(struct session *s, bool stalled)
{
	if (stalled) {
		stream_hold(&s->stream, HOLD_PEER);
		return;
	}
	stream_unhold(&s->stream, HOLD_PEER);
	/* The door looks once more: the end of what was sent late may have been all that the link waited for. */
	struct rd nothing = rd_of("", 0);
	s->door->on_bytes(s, &nothing);
}

/* Its statement was cancelled before the server had seen it. */
static void refuse_cancelled(struct session *s)
{
	struct fault f;
	fault_set(&f, FAULT_TIMEOUT, "canceling statement due to user request");
	s->door->refuse(s, &f);
}

static void synced(struct session *s, const struct fault *f)
{
	bool is_cancelled = s->is_cancelled;
	s->is_cancelled = false;
	if (f) {
		session_fail(s, f);
		return;
	}
	/* What the server made of them is what they are: "ISO" is "ISO, MDY" there. */
	const struct varset *was = s->vars;
	s->vars = varset_ref(s->server->vars);
	session_move(s, SESSION_ACTIVE);
	if (was != s->vars)
		s->door->on_vars(s, was);
	varset_put(was);
	if (is_cancelled) {
		struct server *sv = s->server;
		s->server = NULL;
		session_move(s, SESSION_IDLE);
		pool_give(sv);
		refuse_cancelled(s);
		return;
	}
	session_resume_input(s);
}

static void cancelled(struct list *who)
{
	session_close(list_owner(who, struct session, in_resume), "cancel request");
}

static const struct borrower_ops borrower = { server_lost, server_stalled, synced, cancelled };

bool session_cancel(struct session *s, struct session *who)
{
	switch ((enum session_state)s->state) {
	case SESSION_WAITING:
		pool_leave(s->pool, &s->wait);
		deadline_clear(&s->deadline);
		session_move(s, SESSION_IDLE);
		refuse_cancelled(s);
		return false;
	case SESSION_SYNC:
		s->is_cancelled = true;
		return false;
	case SESSION_ACTIVE:
		if (s->talk)
			s->db->exchange->cancel(s);
		return s->server && server_cancel(s->server, &who->in_resume);
	case SESSION_LOGIN:
	case SESSION_WELCOME:
	case SESSION_IDLE:
	case SESSION_DEAD:
		return false;
	case SESSION_NSTATES:
		ASSERT(false);
	}
	return false;
}

void sessions_check_dropped(void)
{
	struct fault f;
	fault_set(&f, FAULT_SHUTDOWN, "database removed");
	LIST_EACH (&sessions, it) {
		struct session *s = list_owner(it, struct session, in_all);
		if (s->db && s->db->dropped)
			session_fail(s, &f);
	}
}

void sessions_init(void)
{
	bury_task.run = bury;
	resume_task.run = run_resume;
	server_set_borrower(&borrower);
}

void sessions_free(void)
{
	struct fault f;
	fault_set(&f, FAULT_SHUTDOWN, "pooler is shutting down");
	LIST_EACH (&sessions, it)
		session_fail(list_owner(it, struct session, in_all), &f);
	loop_undefer(&bury_task);
	loop_undefer(&resume_task);
	on_change = NULL;
	bury(&bury_task);
}
