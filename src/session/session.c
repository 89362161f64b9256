/* session.c - clients: their states, their places in line, their links to servers. */
#include "session/session.h"

#include "core/assert.h"
#include "core/loop.h"
#include "core/str.h"
#include "net/tls.h"
#include "pool/peer.h"
#include "route/route.h"

#include <inttypes.h>
#include <string.h>
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
static bool refusing, ending;
static void (*on_change)(void);

/* Settings that hold for all, read once. */
static uint64_t login_ms, notify_ms;
static bool compat_disconnect;

static void refuse_cancelled(struct session *s);
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
		varset_put(s->said);
		varset_put(s->asked);
		s->door->free(s);
	}
	if (on_change)
		on_change();
}

static bool stands_in_line(const struct session *s)
{
	return s->state == SESSION_WAITING || s->state == SESSION_WELCOME;
}

/* Gives its server back in whatever condition it is. */
static void let_go(struct session *s)
{
	struct server *sv = s->server;
	s->server = NULL;
	list_del(&s->in_resume); /* it may wait for a cancel request of ours to be through */
	sv->is_cut = ending || s->door->is_halfway(s);
	stream_unhold(&sv->stream, HOLD_PEER);
	stream_unhold(&s->stream, HOLD_PEER);
	pool_give(sv);
}

/* It is no client of its pool, database and user any more. */
static void depart(struct session *s)
{
	if (s->is_in) {
		s->user->clients--;
		s->db->clients_in--;
		if (s->pool && --s->pool->nclients == 0)
			pool_serve(s->pool);
	}
	s->is_in = false;
	if (s->db) {
		s->db->clients--;
		database_check_unused(s->db);
	}
	user_put(s->user);
	s->db = NULL;
	s->user = NULL;
	s->pool = NULL;
}

static void end_session(struct session *s, bool drain)
{
	if (stands_in_line(s))
		pool_leave(s->pool, &s->wait);
	s->door->leaves(s);
	list_del(&s->in_resume);
	session_move(s, SESSION_DEAD);
	deadline_clear(&s->deadline);
	stream_close(&s->stream, drain);
	if (s->server)
		let_go(s);
	if (s->talk)
		s->db->exchange->close(s);
	depart(s);
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

static const struct stream_ops stream_ops = { .on_bytes = on_bytes, .on_end = on_end, .on_stall = on_stall };

/* --- Clients that stay, although something failed */

/* May it lose its server and go on? In session pooling the server has what belongs to the client: temporary tables,
 * prepared statements, settings. */
bool session_is_kept(const struct session *s)
{
	return !compat_disconnect && s->mode != POOL_SESSION;
}

/* Its statement is answered with an error, before any server has seen it. */
static void turn_away(struct session *s, const struct fault *f)
{
	struct fault told = *f;
	if (compat_disconnect) {
		session_fail(s, f);
		return;
	}
	if (config_num(config_now(), SET_log_pooler_errors, NULL, NULL))
		log_warn(&s->log, "pooler error: %s", f->text);
	if (!told.hint[0])
		fault_hint(&told, "The statement was not run, and the connection goes on.");
	s->pool->stats.v[STAT_refused_count]++;
	s->request_us = loop_now_us();
	s->has_retried = false;
	s->door->refuse(s, &told);
}

/* --- Deadlines
 * What is due follows from the state of the session alone: due_at(). Nothing is cleared when what was waited for comes
 * in time; a deadline that fires too early is set again. So a statement costs a comparison or two, and none where
 * nothing is configured. */

#define NEVER   UINT64_MAX
#define SOFT_MS 1000u /* how long SESSION_PINS_SOFT keep a server */

static void set_fault(struct fault *f, const char *sqlstate, const char *text, const char *setting)
{
	fault_set(f, compat_disconnect ? FAULT_PROTO : FAULT_TIMEOUT, "%s", text);
	if (!compat_disconnect)
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

/* It keeps its server for a moment only: while nobody else waits for one. */
static bool is_soft(const struct session *s)
{
	return s->pins && !(s->pins & ~SESSION_PINS_SOFT) && s->mode != POOL_SESSION;
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
	if (is_soft(s))
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

static bool arm(struct session *s)
{
	uint64_t due = due_at(s);
	if (due == NEVER || (deadline_is_set(&s->deadline) && s->deadline.due_ms <= due))
		return true;
	return deadline_set(&s->deadline, due);
}

static void waited_too_long(struct session *s)
{
	bool paused = pool_is_paused(s->pool), stays = s->state == SESSION_WAITING && !compat_disconnect;
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
	turn_away(s, &f);
}

static void idle_too_long(struct session *s)
{
	struct fault f;
	set_fault(&f, "57P05", "client_idle_timeout", "client_idle_timeout");
	s->pool->stats.v[STAT_client_idle_timeout_count]++;
	session_fail(s, &f);
}

/* Its transaction is over, whatever it thinks: the server rolls back and is somebody else's. */
static void take_away(struct session *s, const struct fault *f)
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
	let_go(s);
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
	if (query)
		s->pool->stats.v[STAT_query_timeout_count]++;
	set_late_fault(s, &f);
	if (compat_disconnect) {
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
		take_away(s, &f);
	}
}

static void unpin(struct session *s)
{
	if (s->door->is_halfway(s)) {
		s->give_up_ms = loop_now() + SOFT_MS;
		return;
	}
	s->pins = 0;
	(void)session_boundary(s, false);
}

/* The server does not take its settings. */
static void sync_too_long(struct session *s, uint64_t now)
{
	struct fault f;
	if (now >= after(s->request_us, s->limits.query)) {
		s->pool->stats.v[STAT_query_timeout_count]++;
		set_fault(&f, "57014", "query timeout", "query_timeout");
	} else {
		fault_set(&f, compat_disconnect ? FAULT_PROTO : FAULT_IO,
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
		if (is_soft(s) && !s->late && !s->is_running && !s->xact_us)
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

static void on_deadline(struct deadline *d)
{
	struct session *s = list_owner(d, struct session, deadline);
	uint64_t now = loop_now();
	if (now >= due_at(s))
		too_late(s, now);
	(void)arm(s);
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

static void read_limits(struct session *s)
{
	/* A stream of changes is a statement that does not end. */
	bool none = s->replication != REPLICATION_NONE;
	s->limits = (struct session_limits){
		.wait = limit(s, SET_query_wait_timeout),
		.query = none ? 0 : limit(s, SET_query_timeout),
		.xact = none ? 0 : limit(s, SET_transaction_timeout),
		.idle_xact = none ? 0 : limit(s, SET_idle_transaction_timeout),
		.idle = none ? 0 : limit(s, SET_client_idle_timeout),
	};
	s->has_limits = s->limits.query || s->limits.xact || s->limits.idle_xact || s->limits.idle;
}

void sessions_configure(void)
{
	const struct config *c = config_now();
	login_ms = (uint64_t)config_num(c, SET_client_login_timeout, NULL, NULL);
	notify_ms = (uint64_t)config_num(c, SET_query_wait_notify, NULL, NULL);
	compat_disconnect = config_num(c, SET_compat_disconnect, NULL, NULL) != 0;
	LIST_EACH (&sessions, it) {
		struct session *s = list_owner(it, struct session, in_all);
		if (s->pool) {
			read_limits(s);
			(void)arm(s);
		}
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
	s->said = varset_empty();
	if (!s->vars || !s->said || !arm(s)) {
		session_close(s, "no memory");
		return;
	}
	if (door->greet)
		door->greet(s);
	if (has_data && s->state != SESSION_DEAD)
		stream_read_now(&s->stream);
}

/* --- Login */

static void welcome(struct session *s)
{
	const struct varset *vars = varset_over_known(s->pool->vars, s->vars);
	const struct varset *said = varset_unknown(s->pool->vars, s->vars);
	struct fault f;
	if (!vars || !said) {
		varset_put(vars);
		varset_put(said);
		fault_set(&f, FAULT_NOMEM, "no memory for the session");
		session_fail(s, &f);
		return;
	}
	s->asked = s->vars;
	s->vars = vars;
	varset_put(s->said);
	s->said = said;
	deadline_clear(&s->deadline);
	session_move(s, SESSION_IDLE);
	if (s->has_limits)
		(void)arm(s);
	s->door->on_welcome(s, s->pool->welcome);
}

/* Its own server is there. What it asked for went with the server's login: nothing is left to be set. */
static void opened(struct session *s, const struct varset *reported)
{
	s->asked = s->vars;
	s->vars = varset_ref(s->server->vars);
	deadline_clear(&s->deadline);
	session_move(s, SESSION_ACTIVE);
	s->door->on_welcome(s, reported);
}

static void count_client(struct session *s)
{
	s->is_in = true;
	s->user->clients++;
	s->db->clients_in++;
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

/* PgBouncer says this with the SQLSTATE of a protocol violation; MySQL has numbers for it. */
static bool too_many(struct fault *f, const char *text, bool of_user)
{
	fault_set(f, FAULT_PROTO, "%s", text);
	fault_mysql(f, of_user ? 1203 : 1040, of_user ? "42000" : "08004");
	return false;
}

/* The limits of its own database and user, which only those fill that are in. */
static bool is_one_too_many(const struct session *s, struct fault *f)
{
	const struct config *c = config_now();
	int64_t most = s->db && s->db->conf ? config_num(c, SET_max_db_client_connections, s->db->conf, NULL) : 0;
	if (most && s->db->clients_in >= most)
		return !too_many(f, "client connections exceeded (max_db_client_connections)", false);
	most = s->user ? config_num(c, SET_max_user_client_connections, NULL, s->user->conf) : 0;
	if (most && s->user->clients >= most)
		return !too_many(f, "client connections exceeded (max_user_client_connections)", true);
	return false;
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
		return too_many(f, "no more connections allowed (max_client_conn)", false);
	if (s->db && s->db->engine && strcmp(s->db->engine->name, s->door->name) != 0) {
		fault_set(f, FAULT_NO_DB, "database \"%s\" is of the kind %s", s->db->name->s, s->db->engine->name);
		fault_hint(f, "Clients of each kind have a port of their own; this is the one for %s.", s->door->name);
		return false;
	}
	if (s->db && s->db->disabled)
		return fault_set(f, FAULT_NOT_NOW, "database \"%s\" is disabled", s->db->name->s);
	return !is_one_too_many(s, f);
}

void session_login_done(struct session *s)
{
	struct database *db = s->db;
	struct user *u = s->user;
	static const char *const replications[] = { "no", "database", "yes" };
	char tls[TLS_TEXT_MAX];
	struct fault f;

	if (config_num(config_now(), SET_log_connections, NULL, NULL))
		log_info(&s->log, "login attempt: db=%s user=%s tls=%s replication=%s", db->name->s, u->name->s,
			 s->stream.tls ? tls_text(s->stream.tls, tls) : "no", replications[s->replication]);
	if (db->exchange) {
		if (!db->exchange->open(s, &f)) {
			session_fail(s, &f);
			return;
		}
		count_client(s);
		deadline_clear(&s->deadline);
		session_move(s, SESSION_IDLE);
		s->door->on_welcome(s, NULL);
		return;
	}
	if (is_one_too_many(s, &f)) { /* others have come in while this one proved who it is */
		session_fail(s, &f);
		return;
	}
	s->pool = route_pool(db, u);
	if (!s->pool) {
		fault_set(&f, FAULT_NOMEM, "no memory for a pool");
		session_fail(s, &f);
		return;
	}
	s->mode = (uint8_t)config_num(config_now(), SET_pool_mode, db->conf, u->conf);
	s->wait.is_own = s->replication != REPLICATION_NONE;
	if (s->wait.is_own)
		s->mode = POOL_SESSION; /* whatever others have here */
	read_limits(s);
	count_client(s);
	if (s->pool->welcome && !s->wait.is_own) {
		welcome(s);
		return;
	}
	/* What servers report at login is not known yet: wait for a first one, or for its own. */
	session_move(s, SESSION_WELCOME);
	deadline_clear(&s->deadline);
	struct server *sv = pool_take(s->pool, &s->wait);
	if (sv) {
		pool_give(sv);
		welcome(s);
	} else {
		(void)arm(s);
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
	if (s->vars == sv->vars && s->said == sv->said) {
		session_move(s, SESSION_ACTIVE);
		return;
	}
	session_move(s, SESSION_SYNC);
	s->request_us = loop_now_us();
	(void)arm(s);
	server_sync(sv, s->vars, s->said);
}

static void granted(struct pool_wait *w, struct server *sv)
{
	struct session *s = list_owner(w, struct session, wait);
	if (w->is_own) {
		s->server = sv;
		sv->session = s;
		if (stream_is_stalled(&s->stream))
			stream_hold(&sv->stream, HOLD_PEER);
		session_move(s, SESSION_OPENING);
		return;
	}
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
	bool at_login = s->state == SESSION_WELCOME;
	s->state = at_login ? SESSION_LOGIN : SESSION_IDLE;
	if (at_login)
		session_fail(s, f);
	else
		turn_away(s, f);
}

bool session_want_server(struct session *s)
{
	if (s->state == SESSION_ACTIVE) /* a cancel request of ours is not to hit what comes behind it */
		return !s->server->cancels || list_empty(&s->in_resume);
	if (s->state != SESSION_IDLE)
		return false;
	struct server *sv = pool_take(s->pool, &s->wait);
	if (sv) {
		link_to(s, sv);
		return s->state == SESSION_ACTIVE;
	}
	session_move(s, SESSION_WAITING);
	s->was_noticed = false;
	(void)arm(s);
	return false;
}

void session_request_begins(struct session *s)
{
	s->request_us = loop_now_us();
	if (!s->xact_us)
		s->xact_us = s->request_us;
	s->is_running = true;
	s->has_retried = false;
	if (s->has_limits)
		(void)arm(s);
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

static const char *const pin_names[] = {
#define PIN(name, shown) [PIN_BIT_##name] = shown,
#include "session/pins.def"
#undef PIN
};

void session_pins_text(uint32_t pins, char *out, size_t cap)
{
	size_t n = 0;
	*out = 0;
	for (unsigned i = 0; i < PIN_COUNT; i++)
		if (pins & 1u << i && n < cap) {
			str_fmt(out + n, cap - n, "%s%s", n ? "," : "", pin_names[i]);
			n += strlen(out + n);
		}
}

void session_pin(struct session *s, uint32_t pins)
{
	char text[160];
	session_pins_text(pins, text, sizeof text);
	log_debug(&s->log, "keeps its server: %s", text);
	s->pins |= pins;
	s->server->was_session = true; /* it is cleaned when it comes back */
	for (; pins; pins &= pins - 1)
		s->pool->stats.v[STAT_pin_count]++;
}

static int64_t pin_policy(const struct session *s)
{
	return config_num(config_now(), SET_pin_policy, s->db->conf, s->user->conf);
}

bool session_ignores_pins(const struct session *s)
{
	return pin_policy(s) == PIN_POLICY_IGNORE;
}

bool session_pins_are_refused(const struct session *s, uint32_t pins, struct fault *f)
{
	char text[160];
	if (pin_policy(s) != PIN_POLICY_ERROR)
		return false;
	session_pins_text(pins, text, sizeof text);
	fault_set(f, FAULT_UNSUP, "this statement needs a server connection of its own (%s), which pin_policy refuses",
		  text);
	fault_hint(f, "Use a database with pool_mode=session, or ask for pin_policy=pin.");
	return true;
}

/* Its server is nobody's business of it any more, and is cleaned whatever the pool mode is. */
static void give_up_server(struct session *s)
{
	if (!s->server)
		return;
	s->server->was_session = true;
	s->is_running = false;
	s->late = LATE_NOT;
	s->xact_us = 0;
	session_move(s, SESSION_IDLE);
	let_go(s);
}

bool session_reset(struct session *s)
{
	const struct varset *vars = varset_over_known(s->pool->vars, s->asked);
	const struct varset *said = varset_unknown(s->pool->vars, s->asked);
	if (!vars || !said) {
		varset_put(vars);
		varset_put(said);
		return false;
	}
	give_up_server(s);
	varset_put(s->vars);
	varset_put(s->said);
	s->vars = vars;
	s->said = said;
	s->pins = 0;
	return true;
}

bool session_begin_again(struct session *s)
{
	const struct varset *vars = varset_empty(), *said = varset_empty();
	if (!vars || !said) {
		varset_put(vars);
		varset_put(said);
		return false;
	}
	give_up_server(s);
	depart(s);
	varset_put(s->vars);
	varset_put(s->said);
	varset_put(s->asked);
	s->vars = vars;
	s->said = said;
	s->asked = NULL;
	s->pins = 0;
	s->wait.kind = 0;
	s->has_limits = false;
	session_move(s, SESSION_LOGIN);
	s->connect_ms = loop_now(); /* it has as long as any other to log in */
	(void)arm(s);
	return true;
}

bool session_boundary(struct session *s, bool in_transaction)
{
	struct server *sv = s->server;
	s->is_running = false;
	if (s->late && in_transaction && s->late == LATE_XACT) {
		struct fault f;
		set_late_fault(s, &f);
		take_away(s, &f);
		return true;
	}
	if (s->late) {
		s->late = LATE_NOT;
		if (!in_transaction && s->mode != POOL_SESSION) { /* what waits may go to another server at once */
			list_del(&s->in_resume);
			session_resume_input(s);
		}
	}
	if (s->has_limits && (in_transaction || s->limits.idle))
		(void)arm(s);
	if (in_transaction)
		return false;
	if (is_soft(s) && s->pool->nwaiting) {
		s->pins = 0;
	} else if (is_soft(s)) {
		s->give_up_ms = loop_now() + SOFT_MS;
		(void)arm(s);
		return false;
	}
	if (s->mode == POOL_SESSION || s->pins) {
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
	bool was_sync = s->state == SESSION_SYNC, is_cancelled = s->is_cancelled;

	s->server = NULL;
	list_del(&s->in_resume);
	s->is_running = s->is_cancelled = false;
	s->late = LATE_NOT;
	if (s->state == SESSION_DEAD)
		return;
	/* Before its statement was there it has nothing on the server. */
	if ((was_sync ? compat_disconnect : !session_is_kept(s)) || s->db->dropped) {
		if (sv->told)
			session_close(s, f->text);
		else
			session_fail(s, f);
		return;
	}
	stream_unhold(&s->stream, HOLD_PEER);
	s->xact_us = 0;
	s->request_us = loop_now_us();
	session_move(s, SESSION_IDLE);
	if (s->limits.idle)
		(void)arm(s);
	if (was_sync) { /* its statement is here yet: it tries another server, once */
		bool again = !s->has_retried || sv->is_spoilt; /* of those there are no more than servers */
		s->has_retried |= !sv->is_spoilt;
		if (is_cancelled)
			refuse_cancelled(s);
		else if (again)
			session_resume_input(s);
		else
			turn_away(s, f);
		return;
	}
	if (!s->door->lost(s, sv, f))
		session_fail(s, f);
	else if (config_num(config_now(), SET_log_pooler_errors, NULL, NULL))
		log_warn(&s->log, "pooler error: %s", f->text);
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

/* What it came with is now what the server made of it: a reset goes back to that. Out of memory it stays as it was. */
static void learn_asked(struct session *s, const struct varset *was)
{
	const struct varset *asked = varset_ref(s->asked);
	for (uint32_t i = 0; i < asked->count; i++) {
		const struct var *v = &asked->at[i];
		const struct istr *now = varset_find(s->vars, v->name->s);
		if (now && now != v->value && varset_find(was, v->name->s) == v->value)
			(void)varset_set(&s->asked, v->name->s, now->s, now->len);
	}
	varset_put(asked);
}

void session_forget_setting(struct session *s, const char *name)
{
	const struct istr *otherwise = varset_find(s->pool->vars, name);
	const struct varset *was = varset_ref(s->vars);
	/* Out of memory it stays what it is, and is refused once more. */
	(void)varset_unset(&s->asked, name);
	(void)varset_unset(&s->said, name);
	if (otherwise && varset_set(&s->vars, name, otherwise->s, otherwise->len))
		s->door->on_vars(s, was);
	varset_put(was);
}

static void synced(struct session *s, const struct fault *f, const char *name)
{
	bool is_cancelled = s->is_cancelled;
	s->is_cancelled = false;
	s->is_refused = f != NULL;
	if (f) {
		session_move(s, SESSION_IDLE);
		let_go(s);
		if (name && !compat_disconnect)
			session_forget_setting(s, name);
		turn_away(s, f);
		return;
	}
	/* What the server made of them is what they are: "ISO" is "ISO, MDY" there. */
	const struct varset *was = s->vars;
	s->vars = varset_ref(s->server->vars);
	session_move(s, SESSION_ACTIVE);
	if (was != s->vars) {
		learn_asked(s, was);
		s->door->on_vars(s, was);
	}
	varset_put(was);
	if (is_cancelled) {
		session_move(s, SESSION_IDLE);
		let_go(s);
		refuse_cancelled(s);
		return;
	}
	session_resume_input(s);
}

static void cancelled(struct list *who)
{
	struct session *s = list_owner(who, struct session, in_resume);
	if (s->state == SESSION_LOGIN)
		session_close(s, "cancel request");
	else
		session_resume_input(s);
}

static const struct borrower_ops borrower = {
	.lost = server_lost, .opened = opened, .stalled = server_stalled, .synced = synced, .cancelled = cancelled
};

bool session_cancel(struct session *s, struct session *who)
{
	switch ((enum session_state)s->state) {
	case SESSION_WAITING:
		pool_leave(s->pool, &s->wait);
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
	case SESSION_OPENING:
	case SESSION_IDLE:
	case SESSION_DEAD:
		return false;
	case SESSION_NSTATES:
		ASSERT(false);
	}
	return false;
}

void session_kill_query(struct session *s)
{
	if (s->state == SESSION_ACTIVE && s->server)
		(void)server_cancel(s->server, NULL);
	else
		(void)session_cancel(s, NULL);
}

bool session_forward_cancel(struct session *who, uint32_t peer, const struct engine_ops *ops, const uint8_t *bytes,
			    size_t n)
{
	return peer_forward(peer, ops, bytes, n, &who->in_resume, cancelled);
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
	ending = true; /* servers are closed as they are, with nothing more asked of them */
	LIST_EACH (&sessions, it) {
		struct session *s = list_owner(it, struct session, in_all);
		/* At the console this is what was asked for, and the answer is on its way. */
		if (s->talk && s->state == SESSION_IDLE)
			end_session(s, true);
		else
			session_fail(s, &f);
	}
	loop_undefer(&bury_task);
	loop_undefer(&resume_task);
	on_change = NULL;
	bury(&bury_task);
}
