/* engine_relay.c - what servers that speak PostgreSQL answer, and passing it on. PostgreSQL docs, Frontend/Backend
 * Protocol, Message Flow. */
#include "pg/engine_int.h"

#include <stdlib.h>

/* Bytes of a message that must be understood whole; those of errors and parameters are far smaller. */
#define HELD_MAX         30000u
/* A channel's name, and a payload of less than 8,000 bytes, of which another encoding may make more. */
#define NOTIFICATION_MAX 40000u
#define BODY_MAX         0x7ffffff0u
/* Bytes that are swallowed for a client that has left, until its cancel request counts. */
#define DRAIN_MAX        (64u << 20)

/* --- Messages that must be understood */

/* Of what comes next, nothing is complete. */
static void begin_anew(struct pg_server *p)
{
	p->failed = false;
	p->done = 0;
	p->walk = (struct sql_walk){ .next = 0 };
}

/* ReadyForQuery answers the next end that is expected. False: none is. */
static bool expect_end(struct pg_server *p)
{
	if (p->discards)
		p->discards = p->expect.ends > 1 ? (uint16_t)(p->discards - 1) : 0;
	return expect_ready(&p->expect);
}

/* Who waits to say something else than data would wait for ever: now it passes, and the server says what it thinks. */
static void copies_in(struct pg_server *p)
{
	expect_copy_in(&p->expect);
	if (p->expect.copying_in)
		pg_hold_look(p, PG_SEEN_COPY);
}

/* ReadyForQuery. False: the server is not there any more, or is nobody's. */
static bool ready(struct pg_server *p, uint8_t txn)
{
	struct server *sv = &p->sv;
	struct session *s = sv->session;

	if (txn != 'I' && txn != 'T' && txn != 'E') {
		pg_server_broken(sv, "ReadyForQuery with an unknown status");
		return false;
	}
	p->txn = txn;
	bool ours = expect_end(p);
	if (p->moves)
		p->moves = expect_has(&p->expect, EXPECT_CHANGES);
	if (p->own) {
		if (expect_is_empty(&p->expect))
			pg_own_done(p);
		return true;
	}
	if (!s && sv->state == SERVER_DRAIN) {
		if (txn == 'I')
			pg_track_abandoned(p);
		if (expect_is_empty(&p->expect))
			server_drained(sv);
		else
			server_drains_on(sv);
		return true;
	}
	if (!s) {
		pg_server_broken(sv, "ReadyForQuery that nobody asked for");
		return false;
	}
	if (ours)
		session_request_ends(s, txn != 'I');
	pg_hold_look(p, PG_SEEN_END);
	/* What was sent late may still be on its way: the door looks again when it has left. */
	if (expect_is_empty(&p->expect) && pg_client_of(s)->in_left == 0 && !stream_is_stalled(&sv->stream)) {
		if (txn == 'I' && pg_client_of(s)->listens)
			pg_listen_rest(pg_client_of(s));
		session_boundary(s, txn != 'I');
	}
	return true;
}

/* The connection ends behind it. */
static bool is_last_word(const struct pg_error *e)
{
	return strcmp(e->severity, "FATAL") == 0 || strcmp(e->severity, "PANIC") == 0;
}

/* For a client that stays it is an error as others. */
static void last_word(struct server *sv, const struct pg_error *e)
{
	struct fault f;
	fault_set(&f, FAULT_IO, "%s", e->message);
	fault_sqlstate(&f, e->sqlstate);
	fault_hint(&f, "%s", e->hint);
	server_fail(sv, &f);
}

/* A statement that a timeout has cancelled fails for that, not at anybody's request. */
static bool is_late(const struct session *s, const struct pg_error *e, struct fault *f)
{
	return strcmp(e->sqlstate, "57014") == 0 && session_is_late(s, f);
}

static bool tell_late(struct session *s, const struct pg_error *e)
{
	struct fault f;
	if (!is_late(s, e, &f))
		return false;
	pg_tell(s, &f, false);
	return true;
}

/* About a statement that the server has under another name than the client. */
static bool tell_renamed(const struct pg_error *e, const struct expect_entry *x, struct rd body, struct stream *to)
{
	if (!x || !(x->flags & EXPECT_USES))
		return false;
	const struct pg_renamed r = { .number = x->number, .name = x->name->name, .len = x->name->len };
	return pg_tell_renamed(e, body, &r, to);
}

/* Its table has changed since it was parsed ("cached plan must not change result type", or a name or a type that does
 * not fit any more), or it is not there any more. Its client may parse it anew, and must not be told that this was done
 * long ago; and a later client did nothing wrong. */
static bool casts_doubt(const struct pg_error *e)
{
	return strncmp(e->sqlstate, "42", 2) == 0 || strcmp(e->sqlstate, "0A000") == 0 ||
	       strcmp(e->sqlstate, "26000") == 0;
}

/* What was sent so that it fails has failed so, and not by a timeout or a cancel request. */
static bool is_the_failure(const struct expect_entry *x, const struct pg_error *e)
{
	return strcmp(e->sqlstate, x->kind == EXPECT_QUERY ? "42601" : "26000") == 0;
}

/* A batch will be said again, whose client has not said its Sync yet. */
static bool send_sync(struct pg_server *p)
{
	static const uint8_t sync[] = { PG_SYNC, 0, 0, 0, 4 };
	stream_put_span(&p->sv.stream, sync, sizeof sync);
	p->cache.batch++;
	return expect_sent(&p->expect, &(struct expect_entry){ .kind = EXPECT_SYNC, .flags = EXPECT_OWN });
}

/* What was sent ahead of a Query has failed: its client hears it as that Query's answer. Of a Parse the text is the
 * client's, and so is the position. */
static void ahead_failed(struct pg_client *c, const struct expect_entry *x, const struct pg_error *e, struct rd body)
{
	const struct pg_renamed r = { .hides_position = x->kind != EXPECT_PARSE || !x->prepared };
	uint8_t bytes[PG_ERROR_MAX];
	struct pg_out o = pg_out(bytes, sizeof bytes);
	struct fault f;
	if (c->ahead_failed)
		return;
	if (!is_late(&c->s, e, &f)) {
		c->ahead_failed = pg_renamed_error(e, body, &r); /* or it hears that there is no such statement */
		return;
	}
	pg_put_error(&o, "ERROR", &f);
	if (!o.bad)
		c->ahead_failed = istr_get((const char *)o.p, o.len);
}

/* Is the ReadyForQuery that comes next the end of what no client hears of: what was sent ahead of its Query, which is
 * looked at again then, or what it will say again? */
static bool is_hidden_end(const struct pg_server *p)
{
	const struct expect_entry *ends = expect_next(&p->expect);
	return p->sv.session && !p->own && (p->heal.state == PG_HEAL_REFUSED || (ends && ends->flags & EXPECT_AHEAD));
}

static bool hidden_end(struct pg_server *p, uint8_t txn)
{
	struct pg_client *c = pg_client_of(p->sv.session);
	p->txn = txn;
	p->moves = false;
	begin_anew(p);
	(void)expect_end(p);
	pg_script_free(p);
	if (p->heal.state != PG_HEAL_REFUSED) {
		c->is_ahead = true;
	} else if (!pg_heal_end(c, p)) {
		(void)pg_statement_no_memory(c);
		return false;
	}
	pg_hold_look(p, PG_SEEN_END);
	return stream_is_open(&p->sv.stream);
}

/* ReadyForQuery, whole. to, at, n and what it gives: as below. */
static bool on_ready(struct pg_server *p, const struct pg_msg *m, struct stream *to, const uint8_t *at, size_t n)
{
	struct server *sv = &p->sv;
	struct session *s = sv->session;
	struct rd body = m->body;

	uint8_t txn = rd_u8(&body);
	if (!rd_done(&body)) {
		pg_server_broken(sv, "malformed ReadyForQuery");
		return false;
	}
	if (to && txn != 'I' && s->mode == POOL_STATEMENT) { /* instead of the ReadyForQuery */
		struct fault f;
		fault_set(&f, FAULT_PROTO, "transaction blocks not allowed in statement pooling mode");
		server_fail(sv, &f);
		return false;
	}
	if (is_hidden_end(p))
		return hidden_end(p, txn);
	const struct expect_entry *ends = expect_next(&p->expect);
	p->heal.state = PG_HEAL_NOTHING;
	if (to) {
		pg_client_of(s)->healed = PG_NOT_HEALED;
		if (pg_client_of(s)->track)
			pg_track_ready(pg_client_of(s), p, txn, p->failed);
		if (txn == 'I' && pg_client_of(s)->listens)
			pg_listen_flush(pg_client_of(s));
		stream_put_span(to, at, n);
	}
	begin_anew(p);
	if (p->script && ends && ends->flags & EXPECT_SCRIPT)
		pg_script_free(p);
	return ready(p, txn);
}

static bool on_parameter(struct pg_server *p, const struct pg_msg *m, struct stream *to, const uint8_t *at, size_t n)
{
	struct server *sv = &p->sv;
	struct session *s = sv->session;
	struct rd body = m->body;
	const struct istr *encoding = varset_find(sv->vars, "client_encoding");

	if (!pg_server_note_parameter(p, body))
		return false;
	if (to) {
		stream_put_span(to, at, n);
		if (varset_find(sv->vars, "client_encoding") != encoding)
			pg_track_encoding(pg_client_of(s), p);
		if (s->vars != sv->vars) {
			varset_put(s->vars);
			s->vars = varset_ref(sv->vars);
		}
	}
	return true;
}

static bool on_error(struct pg_server *p, const struct pg_msg *m, struct stream *to, const uint8_t *at, size_t n)
{
	struct server *sv = &p->sv;
	struct session *s = sv->session;
	struct rd body = m->body;
	struct pg_error e;

	if (!pg_parse_error(body, &e)) {
		pg_server_broken(sv, "malformed error message");
		return false;
	}
	if (p->own) {
		pg_own_error(p, body);
	} else if (!s && sv->state == SERVER_DRAIN && !is_last_word(&e)) {
		/* what was cancelled */
	} else if (!s) {
		struct fault f;
		fault_set(&f, FAULT_IO, "server sent while idle: %s", e.message);
		fault_sqlstate(&f, e.sqlstate);
		server_fail(sv, &f);
		return false;
	}
	const struct expect_entry *x = expect_next(&p->expect);
	if (to && x && x->flags & EXPECT_OWN && expect_has(&p->expect, EXPECT_AHEAD) && !is_last_word(&e)) {
		ahead_failed(pg_client_of(s), x, &e, body);
		to = NULL;
	}
	bool heals = to && !is_last_word(&e) && pg_heal_begin(p, &e);
	if (heals)
		to = NULL;
	if (to) {
		s->pool->stats.v[STAT_error_count]++;
		sv->told = is_last_word(&e);
		if (sv->told && session_is_kept(s)) {
			last_word(sv, &e);
			return false;
		}
		if (x && x->flags & EXPECT_REPLACED && is_the_failure(x, &e))
			stream_put_copy(to, x->text->s, x->text->len);
		else if (!tell_late(s, &e) && !tell_renamed(&e, x, body, to) &&
			 !(x && x->flags & EXPECT_SCRIPT && pg_script_tell(p, &e, body, to)))
			stream_put_span(to, at, n);
	}
	if (to && x && x->flags & EXPECT_CHANGES && x->text)
		pg_track_failed(pg_client_of(s), x->text->s, strnlen(x->text->s, x->text->len),
				x->kind == EXPECT_QUERY ? p->done : 0);
	if (x && x->number && !heals && casts_doubt(&e))
		(void)pg_prepared_doubt(&p->cache, x->number);
	if (!heals)
		pg_heal_heard(&p->heal);
	expect_error(&p->expect);
	if (heals && p->expect.skipping && !send_sync(p)) {
		pg_server_no_memory(sv);
		return false;
	}
	p->failed = true;
	if (to)
		pg_hold_look(p, PG_SEEN_END);
	if (sv->state == SERVER_DRAIN && !p->own) /* it may skip what follows now, up to a Sync */
		return pg_server_drain_on(sv);
	return true;
}

/* One that is too long to be understood. */
static bool on_long_error(struct pg_server *p)
{
	struct server *sv = &p->sv;
	if (p->own)
		pg_own_error(p, rd_of("", 0));
	else if (sv->session)
		sv->session->pool->stats.v[STAT_error_count]++;
	pg_heal_heard(&p->heal);
	expect_error(&p->expect);
	p->failed = true;
	return sv->state != SERVER_DRAIN || p->own || pg_server_drain_on(sv);
}

/* A message of the types that are looked at, whole. to: where it is passed on, or NULL; at, n: its bytes. False: stop
 * here. */
static bool understood(struct pg_server *p, const struct pg_msg *m, struct stream *to, const uint8_t *at, size_t n)
{
	switch (m->type) {
	case PG_READY:
		return on_ready(p, m, to, at, n);
	case PG_PARAMETER_STATUS:
		return on_parameter(p, m, to, at, n);
	case PG_ERROR:
		return on_error(p, m, to, at, n);
	default:
		return true;
	}
}

static bool must_be_held(uint8_t type)
{
	return type == PG_READY || type == PG_PARAMETER_STATUS || type == PG_ERROR;
}

/* The nth statement of the Query under way, or what was executed, changes its session. */
static bool note_change(struct pg_server *p, const struct expect_entry *x, const char *tag)
{
	const struct istr *text = istr_ref(x->text);
	bool is_query = x->kind == EXPECT_QUERY;
	size_t len = is_query ? text->len : strnlen(text->s, text->len);
	struct sql_walk one = { .next = 0 };
	p->sets_again = x->flags & EXPECT_AGAIN;
	bool ok = pg_track_done(pg_client_of(p->sv.session), p, is_query ? &p->walk : &one, text->s, len,
				is_query ? p->done : 0, tag);
	p->sets_again = false;
	istr_put(text);
	return ok;
}

/* A prepared statement was executed by SQL; text: the Parse's body. */
static bool note_executed(struct pg_server *p, const struct istr *text, const char *tag)
{
	struct sql_walk one = { .next = 0 };
	(void)istr_ref(text);
	bool ok = pg_track_done(pg_client_of(p->sv.session), p, &one, text->s, strnlen(text->s, text->len), 0, tag);
	istr_put(text);
	return ok;
}

/* Looks at a CommandComplete where it may matter. False: more has to come first, or the session is closed. */
static bool look_at_tag(struct pg_server *p, const struct rd *in, uint32_t total, struct stream **to)
{
	struct session *s = p->own ? NULL : p->sv.session;
	const struct expect_entry *x = s ? expect_next(&p->expect) : NULL;
	bool is_scripted = p->script && !p->own && (!s || (x && x->flags & EXPECT_SCRIPT));
	bool changes = x && x->flags & EXPECT_CHANGES, in_xact = s && pg_client_of(s)->track;
	struct rd at = *in;
	struct pg_msg m;

	if (!changes && !in_xact && !is_scripted && total != PG_HEADER + sizeof "DEALLOCATE ALL" &&
	    total != PG_HEADER + sizeof "DISCARD ALL")
		return true;
	if (pg_frame(&at, total, &m) != FRAME_OK)
		return false;
	const char *tag = rd_cstr(&m.body, NULL);
	const struct istr *does = NULL;
	bool discarded = strcmp(tag, "DISCARD ALL") == 0;
	if (discarded || strcmp(tag, "DEALLOCATE ALL") == 0) {
		pg_cache_clear(&p->cache);
		if (s)
			pg_names_clear(pg_client_of(s)->names);
	}
	if (discarded && p->own == OWN_RUN) { /* a reset: nothing is set any more */
		const struct varset *none = varset_empty();
		if (!none) {
			pg_server_no_memory(&p->sv);
			return false;
		}
		varset_put(p->sv.said);
		p->sv.said = none;
	}
	if (is_scripted) {
		unsigned nth = 0;
		switch (pg_script_step(p, &nth, &does)) {
		case PG_STEP_TOLD:
			p->done = nth;
			break;
		case PG_STEP_OWN:
			*to = NULL;
			return true;
		case PG_STEP_WRONG:
			pg_server_broken(&p->sv, "more statements are complete than were sent");
			return false;
		case PG_STEP_NO_MEMORY:
			pg_server_no_memory(&p->sv);
			return false;
		}
	}
	bool is_query = x && x->kind == EXPECT_QUERY;
	if (does && s && !note_executed(p, does, tag))
		return false;
	if (!does && changes && !note_change(p, x, tag))
		return false;
	if (!does && !changes && in_xact)
		pg_track_tag(pg_client_of(s), p, tag);
	p->done += is_query;
	return true;
}

/* Does it complete the answer to one message of the extended protocol? */
static bool is_reply(uint8_t type)
{
	switch (type) {
	case PG_PARSE_COMPLETE:
	case PG_BIND_COMPLETE:
	case PG_CLOSE_COMPLETE:
	case PG_ROW_DESCRIPTION:
	case PG_NO_DATA:
	case PG_COMMAND_COMPLETE:
	case PG_EMPTY_QUERY:
	case PG_PORTAL_SUSPENDED:
		return true;
	default:
		return false;
	}
}

/* The ReadyForQuery at the cursor, of a client that listens: must it wait until that has heard what its transaction
 * said? */
static bool is_early(struct pg_server *p, const struct rd *in)
{
	struct pg_client *c = pg_client_of(p->sv.session);
	if (rd_left(in) <= PG_HEADER || in->p[PG_HEADER] != 'I' || !c->track || is_hidden_end(p))
		return false;
	pg_track_ready(c, p, 'I', p->failed); /* a second time it does nothing */
	return pg_listen_holds(c, p);
}

/* A notification for the listener, or one that a client need not hear from its own server. False: more of it has to
 * come first, or the server is gone. */
static bool take_notification(struct pg_server *p, struct rd *in, uint32_t total, bool *hidden)
{
	struct rd at = *in;
	struct pg_msg m;
	if (total > NOTIFICATION_MAX) {
		pg_server_broken(&p->sv, "a notification that is too long");
		return false;
	}
	if (pg_frame(&at, NOTIFICATION_MAX, &m) != FRAME_OK)
		return false;
	if (p->listener)
		pg_listener_note(p, in->p, total);
	*hidden = p->listener || pg_listen_hides(pg_client_of(p->sv.session), m.body);
	return stream_is_open(&p->sv.stream);
}

/* Passes n bytes that stand at the cursor. */
static void pass(struct rd *in, struct stream *to, size_t n)
{
	const uint8_t *at = rd_take(in, n);
	if (to)
		stream_put_span(to, at, n);
}

static struct stream *client_of(const struct pg_server *p)
{
	return p->sv.session && !p->own ? &p->sv.session->stream : NULL;
}

/* The rest of a message whose header has passed; false when more of it has to come. */
static bool pass_rest(struct pg_server *p, struct rd *in)
{
	size_t n = rd_left(in) < p->left ? rd_left(in) : p->left;
	struct stream *to = p->skip ? NULL : client_of(p);
	pass(in, to, n);
	p->left -= (uint32_t)n;
	if (to)
		pg_client_of(p->sv.session)->out_left = p->left;
	return p->left == 0;
}

/* One message, or the part of it that is there. False: read more, or the server is gone. */
static bool relay_message(struct pg_server *p, struct rd *in)
{
	struct server *sv = &p->sv;
	struct stream *to = client_of(p);
	const uint8_t *at = in->p;
	uint8_t type = 0;
	uint32_t total = 0;

	if (p->expect.invented)
		pg_tell_invented(p);
	switch (pg_head(in, BODY_MAX, &type, &total)) {
	case FRAME_SHORT:
		return false;
	case FRAME_BAD:
		pg_server_broken(sv, "message with an impossible length");
		return false;
	case FRAME_OK:
		break;
	}
	if (p->own == OWN_ASK && type == PG_DATA_ROW) {
		struct pg_msg m;
		if (total > HELD_MAX) {
			pg_server_broken(sv, "a row that is too long for the question");
			return false;
		}
		return pg_frame(in, HELD_MAX, &m) == FRAME_OK && pg_own_row(p, m.body);
	}
	if (type == PG_READY && to && pg_client_of(sv->session)->listens && is_early(p, in))
		return false;
	if (type == PG_NOTIFICATION && (p->listener || (to && pg_client_of(sv->session)->listens))) {
		bool hidden;
		if (!take_notification(p, in, total, &hidden))
			return false;
		if (hidden)
			to = NULL;
	}
	if (must_be_held(type) && total <= HELD_MAX) {
		struct pg_msg m;
		if (pg_frame(in, HELD_MAX, &m) != FRAME_OK)
			return false;
		return understood(p, &m, to, at, total) && stream_is_open(&sv->stream);
	}
	if (must_be_held(type) && type != PG_ERROR) {
		pg_server_broken(sv, "message that is too long for its kind");
		return false;
	}
	if (type == PG_ERROR && !on_long_error(p))
		return false;
	if (type == PG_COMMAND_COMPLETE && !look_at_tag(p, in, total, &to))
		return false;
	p->synced += type == PG_COMMAND_COMPLETE && p->own == OWN_SYNC;
	if (is_reply(type)) {
		const struct expect_entry *x = expect_next(&p->expect);
		if (x && x->flags & EXPECT_OWN)
			to = NULL;
		/* As far as it was executed it has changed what it changes. */
		if (type == PG_PORTAL_SUSPENDED && x && x->flags & EXPECT_CHANGES && sv->session && !p->own &&
		    !note_change(p, x, ""))
			return false;
		expect_reply(&p->expect);
	}
	if (p->script && (type == PG_ROW_DESCRIPTION || type == PG_DATA_ROW) && pg_script_is_own(p))
		to = NULL;
	if (type == PG_PARAMETER_DESCRIPTION && !pg_heal_types(p))
		to = NULL;
	if (to && is_reply(type))
		pg_heal_heard(&p->heal);
	if (type == PG_COPY_IN || type == PG_COPY_BOTH)
		copies_in(p);
	if (!sv->session && sv->state == SERVER_DRAIN) {
		if (type == PG_COPY_IN && !pg_server_drain_on(sv))
			return false;
	} else if (!sv->session && !p->own && type != PG_NOTICE && type != PG_NOTIFICATION) {
		pg_server_broken(sv, "data that nobody asked for");
		return false;
	}
	p->skip = to == NULL;
	p->left = total;
	return pass_rest(p, in);
}

/* A cancelled statement says little more. */
static void count_drained(struct server *sv, uint32_t n)
{
	sv->drained += n;
	if (sv->drained > DRAIN_MAX)
		server_close(sv, "too much was still to come when its client left", NULL);
}

void pg_server_bytes(struct server *sv, struct rd *in)
{
	struct pg_server *p = pg_server_of(sv);
	const uint8_t *from = in->p;
	struct pool *pool = sv->pool;
	struct session *s = sv->session;

	while (p->login) {
		struct pg_msg m;
		switch (pg_frame(in, HELD_MAX, &m)) {
		case FRAME_SHORT:
			return;
		case FRAME_BAD:
			pg_server_broken(sv, "message with an impossible length during login");
			return;
		case FRAME_OK:
			break;
		}
		if (!pg_server_login_message(sv, &m))
			break;
	}
	if (!stream_is_open(&sv->stream))
		return;
	if (p->left == 0 || pass_rest(p, in))
		while (rd_left(in) > 0 && relay_message(p, in))
			;
	if (p->expect.invented && p->left == 0 && stream_is_open(&sv->stream))
		pg_tell_invented(p);
	if (s && s->server == sv)
		pg_hold_look(p, PG_SEEN_ANSWERS);
	if (s)
		pool->stats.v[STAT_sent] += (uint64_t)(in->p - from);
	else if (sv->state == SERVER_DRAIN)
		count_drained(sv, (uint32_t)(in->p - from));
}
