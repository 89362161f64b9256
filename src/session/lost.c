/* lost.c - what a client's server brings about: it is lost, stalls, has taken its settings or has not, was reached by a
 * cancel request. Who stays then, and what it hears. */
#include "session/session_int.h"

#include "core/assert.h"
#include "pool/peer.h"

/* --- Clients that stay, although something failed */

/* May it lose its server and go on? In session pooling the server has what belongs to the client: temporary tables,
 * prepared statements, settings. */
bool session_is_kept(const struct session *s)
{
	return !sessions_compat_disconnect && s->mode != POOL_SESSION;
}

/* Its statement is answered with an error, before any server has seen it. */
void session_turn_away(struct session *s, const struct fault *f)
{
	struct fault told = *f;
	if (sessions_compat_disconnect) {
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

/* --- What happens to the server */

/* Its statement was cancelled before the server had seen it. */
static void refuse_cancelled(struct session *s)
{
	struct fault f;
	fault_set(&f, FAULT_TIMEOUT, "canceling statement due to user request");
	fault_mysql(&f, 1317, "70100");
	s->door->refuse(s, &f);
}

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
	if ((was_sync ? sessions_compat_disconnect : !session_is_kept(s)) || s->db->dropped) {
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
		(void)session_arm(s);
	if (was_sync) { /* its statement is here yet: it tries another server, once */
		bool again = !s->has_retried || sv->is_spoilt; /* of those there are no more than servers */
		s->has_retried |= !sv->is_spoilt;
		if (is_cancelled)
			refuse_cancelled(s);
		else if (again)
			session_resume_input(s);
		else
			session_turn_away(s, f);
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
		session_hold(s, HOLD_PEER);
		return;
	}
	stream_unhold(&s->stream, HOLD_PEER);
	/* The door looks once more: the end of what was sent late may have been all that the link waited for. */
	struct rd nothing = rd_of("", 0);
	s->door->on_bytes(s, &nothing);
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
		session_let_go(s);
		if (name && !sessions_compat_disconnect)
			session_forget_setting(s, name);
		session_turn_away(s, f);
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
		session_let_go(s);
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

const struct borrower_ops session_borrower = {
	.lost = server_lost,
	.opened = session_opened,
	.stalled = server_stalled,
	.synced = synced,
	.cancelled = cancelled,
};

/* --- Cancel requests */

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
