/* door.c - clients that speak PostgreSQL, once they are in: passing on what they say, and telling them. PostgreSQL
 * docs, Frontend/Backend Protocol, Message Flow. */
#include "pg/pg_int.h"

#include "core/assert.h"
#include "core/slab.h"
#include "core/str.h"
#include "pg/kept.h"
#include "pg/pg.h"

#include <stdlib.h>

static struct slab slab;

/* --- Making and ending */

static struct session *make(void)
{
	if (!slab.size)
		slab_init(&slab, "pg_client", sizeof(struct pg_client));
	struct pg_client *c = slab_get(&slab);
	if (!c)
		return NULL;
	if (!pg_login_new(c)) {
		slab_put(&slab, c);
		return NULL;
	}
	return &c->s;
}

static void free_client(struct session *s)
{
	struct pg_client *c = pg_client_of(s);
	pg_login_free(c);
	pg_statements_forget(c);
	pg_track_free(c);
	pg_sink_free(c->sink);
	pg_kept_free(c);
	pg_ahead_forget(c);
	free(c->pieces);
	slab_put(&slab, c);
}

/* --- Telling */

void pg_tell(struct session *s, const struct fault *f, bool is_fatal)
{
	struct pg_client *c = pg_client_of(s);
	uint8_t bytes[PG_ERROR_MAX];
	struct pg_out o = pg_out(bytes, sizeof bytes);
	if (c->out_left)
		return; /* within a message: an error would be taken for a part of it */
	pg_put_error(&o, is_fatal ? "FATAL" : "ERROR", f);
	if (!o.bad)
		stream_put_copy(&s->stream, o.p, o.len);
}

static void notice(struct session *s, const char *text)
{
	uint8_t bytes[PG_ERROR_MAX];
	struct pg_out o = pg_out(bytes, sizeof bytes);
	if (pg_client_of(s)->out_left)
		return;
	pg_put_notice(&o, text);
	if (!o.bad)
		stream_put_copy(&s->stream, o.p, o.len);
}

void pg_protocol_fault(struct session *s, const char *what)
{
	struct fault f;
	fault_set(&f, FAULT_PROTO, "%s", what);
	session_fail(s, &f);
}

static void on_vars(struct session *s, const struct varset *was)
{
	for (uint32_t i = 0; i < s->vars->count; i++) {
		const struct var *v = &s->vars->at[i];
		if (varset_find(was, v->name->s) == v->value)
			continue;
		size_t n = PG_HEADER + v->name->len + 1 + v->value->len + 1;
		uint8_t *p = stream_put_room(&s->stream, n);
		if (!p)
			return;
		struct pg_out o = pg_out(p, n);
		pg_put_parameter(&o, v->name->s, v->value->s);
	}
}

/* --- The relay */

/* Begins to drop the message at the cursor. */
static void skip(struct pg_client *c, uint32_t total)
{
	c->in_left = total;
	c->in_skip = true;
}

static enum expect_kind expected_of(uint8_t type)
{
	switch (type) {
	case PG_QUERY:
	case PG_FUNCTION_CALL:
		return EXPECT_QUERY;
	case PG_SYNC:
		return EXPECT_SYNC;
	case PG_COPY_DONE:
	case PG_COPY_FAIL:
		return EXPECT_COPY_END;
	case PG_PARSE:
		return EXPECT_PARSE;
	case PG_BIND:
		return EXPECT_BIND;
	case PG_DESCRIBE:
		return EXPECT_DESCRIBE;
	case PG_CLOSE:
		return EXPECT_CLOSE;
	default:
		return EXPECT_EXECUTE;
	}
}

/* Are its prepared statements made its own, whatever server it has? In session pooling they are anyhow. */
static bool shares_statements(const struct session *s)
{
	return s->mode != POOL_SESSION && (config_num(config_now(), SET_max_prepared_statements, NULL, NULL) ||
					   pg_client_of((struct session *)(uintptr_t)s)->names);
}

static void no_memory(struct session *s)
{
	struct fault f;
	fault_set(&f, FAULT_NOMEM, "no memory for a statement");
	session_fail(s, &f);
}

/* A message is about to be sent: x says what more there is to know of it, and its references are taken over. False: the
 * session is closed. */
static bool expect_it(struct session *s, uint8_t type, struct expect_entry *x)
{
	struct pg_server *p = pg_server_of(s->server);
	x->kind = (uint8_t)expected_of(type);
	if (type == PG_QUERY)
		pg_statement_query(pg_client_of(s), x);
	p->moves |= (x->flags & EXPECT_CHANGES) != 0;
	if (expect_sent(&p->expect, x))
		return true;
	p->expect.gone(&p->expect, x, EXPECT_SKIPPED);
	no_memory(s);
	return false;
}

bool pg_send_failure(struct session *s, const struct fault *f)
{
	uint8_t bytes[PG_ERROR_MAX];
	struct pg_out o = pg_out(bytes, sizeof bytes);
	pg_put_error(&o, "ERROR", f);
	return pg_send_told(s, istr_get((const char *)o.p, o.bad ? 0 : o.len));
}

bool pg_send_told(struct session *s, const struct istr *told)
{
	static const uint8_t query[] = { PG_QUERY, 0, 0, 0, 12, 'S', 'L', 'U', 'I', 'C', 'E', '_', 0 };
	struct pg_server *p = pg_server_of(s->server);
	struct expect_entry x = { .flags = EXPECT_REPLACED, .text = told };
	if (!told) {
		no_memory(s);
		return false;
	}
	if (!expect_it(s, PG_QUERY, &x))
		return false;
	stream_put_copy(&p->sv.stream, query, sizeof query);
	return true;
}

/* A Query, in transaction or statement pooling: does it change its session? */
static enum pg_pass look_at_query(struct session *s, const struct rd *in, uint32_t total, struct expect_entry *x)
{
	struct pg_client *c = pg_client_of(s);
	struct rd at = *in;
	struct pg_msg m = { .type = PG_QUERY };
	struct fault f;
	bool is_scripted = false, is_whole = total <= STREAM_KEEP_MAX;

	if (is_whole && pg_frame(&at, total, &m) != FRAME_OK)
		return PG_PASS_WAIT;
	if (pg_track_must_wait(c))
		return pg_wait_for_answers(c);
	if (!is_whole) {
		if (rd_left(in) < PG_LOOK_BYTES)
			return PG_PASS_WAIT;
		(void)rd_take(&at, PG_HEADER);
		m.body = at;
	}
	const char *text = (const char *)m.body.p;
	size_t len = strnlen(text, rd_left(&m.body));
	struct pg_look look = pg_track_look(c, text, len);
	if (!look.changes && !look.speaks)
		return PG_PASS_AS_IT_IS;
	bool shares = shares_statements(s);
	if (is_whole && (look.pins & PIN_LISTEN || (look.changes && c->listens)))
		switch (pg_listen_ahead(c, text, len)) {
		case PG_LISTEN_WAIT:
			return PG_PASS_WAIT;
		case PG_LISTEN_SERVED:
			look.pins &= ~(uint32_t)PIN_LISTEN;
			break;
		case PG_LISTEN_ALONE:
			break;
		}
	if (((look.speaks && shares) || look.resets) && is_whole && len + 1 == rd_left(&m.body))
		is_scripted = !session_pins_are_refused(&c->s, look.pins, &f);
	if (look.prepares && !(is_scripted && shares))
		look.pins |= PIN_PREPARED;
	if (is_scripted)
		return pg_script_query(c, text, len, look.changes || look.pins, shares);
	if (!is_whole && look.changes && !look.pins) /* too long to be remembered, and too odd to be understood */
		look.pins = PIN_SETTING;
	if (look.pins && session_pins_are_refused(&c->s, look.pins, &f))
		return pg_send_failure(s, &f) ? PG_PASS_DROP : PG_PASS_FAILED;
	if (!look.changes && !look.pins)
		return PG_PASS_AS_IT_IS;
	if (!is_whole) {
		session_pin(s, look.pins | PIN_SETTING);
		return PG_PASS_AS_IT_IS;
	}
	x->flags = EXPECT_CHANGES;
	x->text = istr_get(text, len);
	if (x->text)
		return PG_PASS_AS_IT_IS;
	no_memory(s);
	return PG_PASS_FAILED;
}

/* A Query in session pooling: RESET goes back to what its client asked for, not to what the server was started with. */
static enum pg_pass look_for_reset(struct session *s, const struct rd *in, uint32_t total)
{
	struct pg_client *c = pg_client_of(s);
	struct rd at = *in;
	struct pg_msg m;
	if (total > STREAM_KEEP_MAX)
		return PG_PASS_AS_IT_IS;
	if (pg_frame(&at, total, &m) != FRAME_OK)
		return PG_PASS_WAIT;
	size_t len = strnlen((const char *)m.body.p, rd_left(&m.body));
	if (len + 1 == rd_left(&m.body) && pg_reset_discards(c, (const char *)m.body.p, len))
		return pg_reset_query(c, (const char *)m.body.p, len);
	if (len + 1 != rd_left(&m.body) || !pg_track_look(c, (const char *)m.body.p, len).resets)
		return PG_PASS_AS_IT_IS;
	return pg_script_query(c, (const char *)m.body.p, len, false, false);
}

static bool send_as_it_is(struct session *s, uint8_t type, struct expect_entry *x)
{
	if (type == PG_FLUSH || type == PG_COPY_DATA)
		return true;
	if (type == PG_PARSE) {
		s->pool->stats.v[STAT_server_parse_count]++;
		pg_server_of(s->server)->cache.unnamed_lost = true; /* maybe */
	}
	return expect_it(s, type, x);
}

/* A message about prepared statements. False: it has to wait, or the session is closed. */
static bool pass_statement(struct session *s, struct rd *in, uint8_t type, uint32_t total)
{
	struct pg_client *c = pg_client_of(s);
	switch (pg_statement(c, type, total, in)) {
	case PG_PASS_AS_IT_IS:
		s->pool->stats.v[STAT_server_parse_count] += type == PG_PARSE;
		c->in_left = total;
		c->in_skip = false;
		break;
	case PG_PASS_DROP:
		skip(c, total);
		break;
	case PG_PASS_DONE:
		break;
	case PG_PASS_WAIT:
	case PG_PASS_FAILED:
		return false;
	}
	s->pool->stats.v[STAT_client_parse_count] += type == PG_PARSE;
	s->pool->stats.v[STAT_bind_count] += type == PG_BIND;
	return true;
}

/* What a FunctionCall may leave behind, as the same function would that SQL calls. WAIT: more of it has to come. */
static enum pg_pass look_at_call(struct session *s, const struct rd *in)
{
	struct rd at = *in;
	struct fault f;
	if (rd_left(in) < PG_HEADER + 4)
		return PG_PASS_WAIT;
	(void)rd_take(&at, PG_HEADER);
	bool keeps;
	uint32_t pins = pg_track_call(rd_u32be(&at), &keeps);
	if (session_pins_are_refused(s, pins, &f))
		return pg_send_failure(s, &f) ? PG_PASS_DROP : PG_PASS_FAILED;
	session_pin(s, pins);
	s->server->is_doubtful |= keeps; /* no reset takes it away */
	return PG_PASS_AS_IT_IS;
}

/* A Query or a FunctionCall within a batch: PostgreSQL 18 loses its way by what comes behind it ("unexpected state
 * STARTED"), maybe only for who comes next. */
static void check_batch(struct pg_server *p)
{
	p->sv.is_doubtful |= p->expect.is_open;
}

/* Passes on the Execute at the cursor, of a portal that changes the session when it runs. text: what it runs, a
 * reference that is taken over. False: it has to wait, or the session is closed. */
static bool pass_change(struct session *s, struct rd *in, uint32_t total, const struct istr *text)
{
	struct pg_client *c = pg_client_of(s);
	struct pg_server *p = pg_server_of(s->server);
	struct expect_entry x = { .flags = EXPECT_CHANGES, .text = text }, behind = { 0 };
	size_t len = strnlen(text->s, text->len);

	enum pg_pass how = pg_listen_ahead(c, text->s, len) == PG_LISTEN_WAIT ? PG_PASS_WAIT : PG_PASS_AS_IT_IS;
	if (how == PG_PASS_AS_IT_IS && shares_statements(s))
		how = pg_statement_executes(c, &x, &behind);
	if (how != PG_PASS_AS_IT_IS) {
		istr_put(text);
		if (how == PG_PASS_DROP)
			skip(c, total);
		return how == PG_PASS_DROP;
	}
	bool resets = pg_track_goes_back(c, text->s, len);
	(void)istr_ref(text);
	if (s->mode == POOL_SESSION) { /* what it does is not followed */
		istr_put(x.text);
		x = (struct expect_entry){ 0 };
	} else if (resets) {
		x.flags |= EXPECT_AGAIN;
		if (pg_track_clears(c, text->s, len))
			p->discards = (uint16_t)(p->expect.ends + 1u);
	}
	bool ok = expect_it(s, PG_EXECUTE, &x) && (!behind.kind || expect_it(s, PG_CLOSE, &behind));
	if (ok && resets) {
		ok = pg_reset_behind(c, in, total, text);
		if (!ok)
			no_memory(s);
	} else if (ok) {
		c->in_left = total;
		c->in_skip = false;
	}
	istr_put(text);
	return ok;
}

/* The type of a Query that disable_pqexec refuses, here only: no message has it. */
#define QUERY_REFUSED 1

static void query_fault(struct fault *f)
{
	fault_set(f, FAULT_PROTO, "PQexec disallowed");
	fault_hint(f, "disable_pqexec is on: use the extended query protocol, as PQexecParams() does.");
}

/* Passes on the message at the cursor, of a client that is linked. shares: it is one about prepared statements, which
 * are shared. False: it has to wait, or the session is closed. */
static bool pass_message(struct session *s, struct rd *in, uint8_t type, uint32_t total, bool shares)
{
	struct pg_client *c = pg_client_of(s);
	struct pg_server *p = pg_server_of(s->server);
	struct expect_entry x = { 0 };
	const struct istr *text = NULL;
	enum pg_pass how = PG_PASS_AS_IT_IS;
	struct fault f;

	switch (p->expect.copying_in ? '\0' : type) { /* what is not data is an error there, whatever it is */
	case PG_PARSE:
	case PG_BIND:
	case PG_DESCRIBE:
	case PG_CLOSE:
		if (shares)
			return pass_statement(s, in, type, total);
		if (s->mode != POOL_SESSION || s->asked->count)
			how = pg_note(c, in, type, total);
		if (how != PG_PASS_AS_IT_IS)
			break;
		s->pool->stats.v[STAT_client_parse_count] += type == PG_PARSE;
		s->pool->stats.v[STAT_bind_count] += type == PG_BIND;
		break;
	case PG_QUERY:
		check_batch(p);
		if (s->mode != POOL_SESSION)
			how = look_at_query(s, in, total, &x);
		else if (s->asked->count)
			how = look_for_reset(s, in, total);
		if (how == PG_PASS_AS_IT_IS && total > STREAM_KEEP_MAX && s->mode != POOL_SESSION)
			pg_track_long(c);
		break;
	case QUERY_REFUSED:
		query_fault(&f);
		how = pg_send_failure(s, &f) ? PG_PASS_DROP : PG_PASS_FAILED;
		break;
	case PG_EXECUTE:
		if (c->portals && !pg_portal_text(c, in, total, &text))
			return false;
		if (text)
			return pass_change(s, in, total, text);
		break;
	case PG_FUNCTION_CALL:
		check_batch(p);
		if (s->mode != POOL_SESSION && total >= PG_HEADER + 4)
			how = look_at_call(s, in);
		break;
	case PG_SYNC:
		p->cache.batch++;
		break;
	case PG_FLUSH:
		if (pg_tell_if_all_invented(p))
			how = PG_PASS_DROP;
		break;
	default:
		break;
	}
	if (how == PG_PASS_DROP) {
		skip(c, total);
		return true;
	}
	if (how != PG_PASS_AS_IT_IS)
		return false;
	if (!send_as_it_is(s, type, &x))
		return false;
	c->in_left = total;
	c->in_skip = false;
	return true;
}

/* A DISCARD ALL is under way, and its batch has ended: what the client asked for when it came is set again before it
 * says more; not before a COPY in front of it has its data. */
static bool discards(const struct pg_server *p)
{
	return p->discards && p->discards <= p->expect.ends && !p->expect.copying_in;
}

/* A message for a server: its header is at the cursor. False: it has to wait, or the session is closed. */
static bool begin_pass(struct session *s, struct rd *in, uint8_t type, uint32_t total)
{
	struct pg_client *c = pg_client_of(s);
	/* Half a message takes no server: who sends slowly waits by itself. */
	if (!s->server && rd_left(in) < (total <= STREAM_KEEP_MAX ? total : PG_LOOK_BYTES))
		return false;
	if (!session_want_server(s))
		return false;
	struct pg_server *p = pg_server_of(s->server);
	if (p->expect.skipping && type != PG_SYNC) { /* the server would drop it */
		skip(c, total);
		return true;
	}
	if (p->heal.state == PG_HEAL_REFUSED || (discards(p) && s->asked->count)) {
		pg_hold(c, PG_HELD_ANSWERS);
		return false;
	}
	if (expect_is_full(&p->expect))
		(void)pg_tell_if_all_invented(p);
	if (expect_is_full(&p->expect)) {
		pg_hold(c, PG_HELD_FULL);
		return false;
	}
	if (expect_is_empty(&p->expect)) {
		if (!c->healed || !s->is_running) /* it began when it was said first */
			session_request_begins(s);
		if (c->portals && p->txn == 'I')
			pg_portals_free(&c->portals);
	}
	bool is_statement = type == PG_PARSE || type == PG_BIND || type == PG_DESCRIBE || type == PG_CLOSE;
	bool shares = is_statement && shares_statements(s);
	const struct pg_heal kept = p->heal;
	if (kept.state == PG_HEAL_KEPT || (shares && (type == PG_BIND || type == PG_DESCRIBE)))
		pg_heal_note(p, in, type, total);
	const struct rd at = *in;
	if (pass_message(s, in, type, total, shares)) {
		if (s->keeps_heard && s->server == &p->sv && (type == PG_QUERY || type == PG_PARSE || type == PG_BIND))
			pg_says(c, at, type, total);
		if (s->server == &p->sv && (type == PG_BIND || type == PG_EXECUTE))
			p->heal.ran = p->cache.batch + 1;
		return true;
	}
	if (s->server == &p->sv) /* it waits, and is noted when it passes */
		pg_heal_not_yet(&p->heal, &kept);
	return false;
}

static void look_for_way_out(struct pg_client *c, struct rd in, uint8_t type)
{
	struct pg_msg m;
	size_t len;
	if ((type != PG_QUERY && type != PG_PARSE) || pg_frame(&in, STREAM_KEEP_MAX, &m) != FRAME_OK)
		return;
	if (type == PG_PARSE)
		(void)rd_cstr(&m.body, NULL);
	const char *text = rd_cstr(&m.body, &len);
	if (!m.body.bad)
		pg_track_way_out(c, text, len);
}

/* A Query is at the cursor, and disable_pqexec is on. At a server it fails in its turn, and so does its transaction;
 * what comes within a COPY is refused there. False: leave it there. */
static bool refuse_query(struct session *s, struct rd *in, uint32_t total)
{
	struct fault f;
	query_fault(&f);
	if (config_num(config_now(), SET_compat_disconnect, NULL, NULL)) {
		session_fail(s, &f);
		return false;
	}
	if (s->state != SESSION_IDLE) {
		bool copies = s->server && pg_server_of(s->server)->expect.copying_in;
		return begin_pass(s, in, copies ? PG_QUERY : QUERY_REFUSED, total);
	}
	skip(pg_client_of(s), total);
	pg_tell(s, &f, false);
	pg_tell_ready(s);
	return true;
}

/* The header of a message is at the cursor: what becomes of it. False: leave it there. */
static bool begin_message(struct session *s, struct rd *in, uint8_t type, uint32_t total)
{
	struct pg_client *c = pg_client_of(s);

	if (type == PG_TERMINATE) {
		session_close(s, "client close request");
		return false;
	}
	if (c->sink)
		return pg_ask_message(s, in, type, total);
	if (c->refusing) {
		pg_skip_refused(c, type, total);
		return true;
	}
	if (c->failed || (c->ending && pg_is_ending(c, type)))
		return pg_failed_message(s, in, type, total);
	if (s->is_refused && s->state == SESSION_IDLE)
		look_for_way_out(c, *in, type);
	switch (type) {
	case PG_QUERY:
		if (config_num(config_now(), SET_disable_pqexec, NULL, NULL))
			return refuse_query(s, in, total);
		if (c->names && s->state == SESSION_IDLE && pg_deallocate_without_server(c, *in)) {
			skip(c, total);
			return true;
		}
		return begin_pass(s, in, type, total);
	case PG_SYNC:
		if (s->state == SESSION_IDLE) { /* nothing is under way: answered here */
			skip(c, total);
			pg_tell_ready(s);
			return true;
		}
		return begin_pass(s, in, type, total);
	case PG_FLUSH:
		if (total != PG_HEADER) { /* a server would say so and skip what follows: nothing here waits for that */
			pg_protocol_fault(s, "invalid message format in Flush");
			return false;
		}
		if (s->state == SESSION_IDLE) {
			skip(c, total);
			return true;
		}
		return begin_pass(s, in, type, total);
	case PG_PARSE:
	case PG_BIND:
	case PG_DESCRIBE:
	case PG_EXECUTE:
	case PG_CLOSE:
	case PG_FUNCTION_CALL:
		if (type == PG_PARSE && s->state == SESSION_IDLE && shares_statements(s) &&
		    pg_parse_without_server(c, *in)) {
			skip(c, total);
			return true;
		}
		return begin_pass(s, in, type, total);
	case PG_COPY_DATA:
	case PG_COPY_DONE:
	case PG_COPY_FAIL:
		if (s->state == SESSION_IDLE) { /* late, after an error: dropped, as a server does */
			skip(c, total);
			return true;
		}
		return begin_pass(s, in, type, total);
	default:
		pg_protocol_fault(s, "unknown message type");
		return false;
	}
}

/* Passes, or drops, what is there of the message under way. */
static void pass_rest(struct pg_client *c, struct rd *in)
{
	if (c->gather) {
		pg_gather(c, in);
		return;
	}
	size_t n = rd_left(in) < c->in_left ? rd_left(in) : c->in_left;
	const uint8_t *at = rd_take(in, n);
	c->in_left -= (uint32_t)n;
	if (c->pieces)
		pg_track_piece(c, at, n, c->in_left == 0);
	if (!c->in_skip && c->s.server)
		stream_put_span(&c->s.server->stream, at, n);
}

/* A Parse has been gathered. False: it has to wait, or the session is closed. */
static bool end_gather(struct pg_client *c)
{
	enum pg_pass how = pg_statement_gathered(c);
	return how != PG_PASS_WAIT && how != PG_PASS_FAILED;
}

static void client_says(struct pg_client *c, struct rd *in)
{
	struct session *s = &c->s;

	while (rd_left(in) > 0 && s->state != SESSION_DEAD) {
		uint8_t type = 0;
		uint32_t total = 0;
		if (c->in_left) {
			pass_rest(c, in);
			if (c->in_left == 0 && c->gather && !end_gather(c))
				break;
			continue;
		}
		enum frame is = pg_head(in, sessions_max_packet, &type, &total);
		if (is == FRAME_SHORT)
			break;
		if (is == FRAME_BAD) {
			pg_protocol_fault(s, "message with an impossible length, or over max_packet_size");
			return;
		}
		if (!begin_message(s, in, type, total))
			break;
	}
}

static void relay_bytes(struct session *s, struct rd *in)
{
	struct pg_client *c = pg_client_of(s);
	const uint8_t *from = in->p;
	struct pool *pool = s->pool;

	if (c->gather && c->in_left == 0 && !end_gather(c))
		return;
	client_says(c, in);
	if (s->state == SESSION_DEAD)
		return;
	if (pool)
		pool->stats.v[STAT_received] += (uint64_t)(in->p - from);
	/* Data of a copy that had failed already went through: nothing will come back that would end the link. */
	if (s->state == SESSION_ACTIVE && s->server && c->in_left == 0 && !c->held && pg_engine.at_rest(s->server)) {
		if (c->listens)
			pg_listen_rest(c);
		session_boundary(s, false);
	}
}

static void on_bytes(struct session *s, struct rd *in)
{
	if (s->state == SESSION_LOGIN)
		pg_login_bytes(s, in);
	if (s->state == SESSION_IDLE || s->state == SESSION_ACTIVE)
		relay_bytes(s, in);
}

static bool is_halfway(const struct session *s)
{
	const struct pg_client *c = pg_client_of((struct session *)(uintptr_t)s);
	return c->in_left && !c->in_skip && !c->gather;
}

void pg_client_goes_on(struct pg_client *c)
{
	session_resume_input(&c->s);
	if (c->gather && c->in_left == 0) { /* nothing may be kept that could be shown again */
		struct rd nothing = rd_of("", 0);
		on_bytes(&c->s, &nothing);
	}
}

static uint32_t prepared(const struct session *s)
{
	return pg_names_count(pg_client_of((struct session *)(uintptr_t)s)->names);
}

static void leaves(struct session *s)
{
	if (pg_client_of(s)->listens)
		pg_listen_leave(pg_client_of(s));
}

static void on_drained(struct session *s)
{
	struct pg_client *c = pg_client_of(s);
	if (c->listens)
		pg_listen_drained(c);
	if (s->talk && pg_client_of(s)->asking)
		s->db->exchange->resume(s);
}

const struct door_ops pg_door = {
	.name = "postgres",
	.make = make,
	.free = free_client,
	.on_bytes = on_bytes,
	.on_welcome = pg_welcome,
	.tell = pg_tell,
	.notice = notice,
	.refuse = pg_refuse,
	.lost = pg_lost,
	.fail_transaction = pg_fail_transaction,
	.is_halfway = is_halfway,
	.on_vars = on_vars,
	.prepared = prepared,
	.fingerprint = pg_fingerprint,
	.on_drained = on_drained,
	.leaves = leaves,
};

const struct door_ops *pg_door_ops(void)
{
	return &pg_door;
}
