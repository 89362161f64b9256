/* session.c - clients: their life, their places in line, and the lending of servers to them. */
#include "session/session_int.h"

#include "core/assert.h"
#include "core/loop.h"
#include "core/str.h"
#include "net/tls.h"
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
void session_let_go(struct session *s)
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
		session_let_go(s);
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
	if (why && why->kind == FAULT_PROTO)
		session_fail(s, why); /* it can still be told */
	else
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

struct session *session_alone_in_line(const struct pool *p)
{
	struct pool_wait *w = p->nwaiting == 1 ? list_owner(p->waiting.next, struct pool_wait, in_line) : NULL;
	return w && w->granted == granted ? list_owner(w, struct session, wait) : NULL;
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
	deadline_init(&s->deadline, session_on_deadline);
	stream_open(&s->stream, fd, &stream_ops);
	s->vars = varset_empty();
	s->said = varset_empty();
	if (!s->vars || !s->said || !session_arm(s)) {
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
	const struct varset *vars, *said;
	struct fault f;
	if (!varset_part_by(&s->pool->parted, s->pool->vars, s->vars, &vars, &said)) {
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
		(void)session_arm(s);
	s->door->on_welcome(s, s->pool->welcome);
}

/* Its own server is there. What it asked for went with the server's login: nothing is left to be set. */
void session_opened(struct session *s, const struct varset *reported)
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
	s->wait.user = s->user;
	s->wait.is_own = s->replication != REPLICATION_NONE;
	if (s->wait.is_own)
		s->mode = POOL_SESSION; /* whatever others have here */
	session_read_limits(s);
	count_client(s);
	if (s->pool->welcome && !s->wait.is_own) {
		welcome(s);
		return;
	}
	/* What servers report at login is not known yet: wait for a first one, or for its own. */
	session_move(s, SESSION_WELCOME);
	deadline_clear(&s->deadline);
	s->wait.is_login = !s->wait.is_own;
	struct server *sv = pool_take(s->pool, &s->wait);
	if (sv) {
		s->wait.is_login = false;
		pool_give(sv);
		welcome(s);
	} else {
		(void)session_arm(s);
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
	(void)session_arm(s);
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
		s->wait.is_login = false;
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
		session_turn_away(s, f);
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
	(void)session_arm(s);
	return false;
}

void session_request_begins(struct session *s)
{
	s->request_us = loop_now_us();
	if (!s->xact_us)
		s->xact_us = s->request_us;
	s->is_running = true;
	s->has_retried = false;
	s->server->heard.len = s->server->heard.sent = 0; /* it may be another client's */
	if (s->has_limits)
		(void)session_arm(s);
}

void session_request_ends(struct session *s, bool in_transaction)
{
	struct stats *st = &s->pool->stats;
	uint64_t now = loop_now_us();

	if (!s->xact_us) /* sent ahead: it began when the one before had ended */
		s->xact_us = s->request_us;
	st->v[STAT_query_count]++;
	st->v[STAT_query_time] += now - s->request_us;
	if (now - s->request_us >= s->slow_us)
		session_was_slow(s, now - s->request_us);
	s->request_us = now; /* of the next one, if it is under way already */
	if (in_transaction)
		return;
	st->v[STAT_xact_count]++;
	st->v[STAT_xact_time] += now - s->xact_us;
	s->xact_us = 0;
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
	session_let_go(s);
}

bool session_reset(struct session *s)
{
	const struct varset *vars, *said;
	if (!varset_part_by(&s->pool->parted, s->pool->vars, s->asked, &vars, &said))
		return false;
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
	s->replication = REPLICATION_NONE;
	s->pins = 0;
	s->wait.kind = 0;
	s->has_limits = false;
	session_move(s, SESSION_LOGIN);
	s->connect_ms = loop_now(); /* it has as long as any other to log in */
	(void)session_arm(s);
	return true;
}

bool session_keeps_server(const struct session *s)
{
	return s->mode == POOL_SESSION || (s->pins && !(session_is_soft(s) && s->pool->nwaiting));
}

bool session_boundary(struct session *s, bool in_transaction)
{
	struct server *sv = s->server;
	s->is_running = false;
	if (s->late && in_transaction && s->late == LATE_XACT) {
		struct fault f;
		(void)session_is_late(s, &f);
		session_take_away(s, &f);
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
		(void)session_arm(s);
	if (in_transaction)
		return false;
	if (session_is_soft(s) && s->pool->nwaiting) {
		s->pins = 0;
	} else if (session_is_soft(s)) {
		s->give_up_ms = loop_now() + SESSION_SOFT_MS;
		(void)session_arm(s);
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
	session_gone_init();
	session_watch_init();
	server_set_borrower(&session_borrower);
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
	session_gone_free();
	session_watch_free();
	loop_undefer(&bury_task);
	loop_undefer(&resume_task);
	on_change = NULL;
	bury(&bury_task);
}
