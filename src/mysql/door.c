/* door.c - clients that speak MySQL, once they are in: passing on what they say, and telling them. MySQL Source Code
 * Documentation, Client/Server Protocol: Command Phase. */
#include "mysql/mysql_int.h"

#include "core/slab.h"
#include "core/str.h"
#include "mysql/errors.h"
#include "mysql/mysql.h"
#include "mysql/pack.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LOOK_BYTES    8192u /* of a command that is too long to be kept */
#define EXECUTE_FRONT 6u    /* bytes of a COM_STMT_EXECUTE: the last of them says whether it wants a cursor */

static struct slab slab;

/* --- Making and ending */

static struct session *make(void)
{
	if (!slab.size)
		slab_init(&slab, "mysql_client", sizeof(struct mysql_client));
	struct mysql_client *c = slab_get(&slab);
	return c ? &c->s : NULL;
}

static void free_client(struct session *s)
{
	struct mysql_client *c = mysql_client_of(s);
	mysql_login_free(c);
	mysql_sink_free(c->sink);
	mysql_track_free(&c->track);
	mysql_statements_free(&c->statements);
	istr_put(c->program);
	istr_put(c->attrs);
	free(c->due_fault);
	free(c->why);
	free(c->pieces);
	slab_put(&slab, c);
}

/* --- Telling */

void mysql_tell(struct session *s, const struct fault *f, bool is_fatal)
{
	struct mysql_client *c = mysql_client_of(s);
	uint8_t bytes[MYSQL_ERR_MAX];
	struct mysql_out o = mysql_out(bytes, sizeof bytes);
	struct fault told = *f;
	(void)is_fatal; /* it sees for itself that the connection ends */
	if (c->out_left)
		return; /* within a packet: an error would be taken for a part of it */
	if (f->mysql_errno == ER_QUERY_TIMEOUT && mysql_known_of(s->db)->is_mariadb)
		fault_mysql(&told, ER_STATEMENT_TIMEOUT, "70100");
	if (f->mysql_errno == ER_CLIENT_INTERACTION && mysql_known_of(s->db)->is_mariadb)
		fault_mysql(&told, ER_READ_INTERRUPTED, "08S01");
	if (c->is_old)
		told.mysql_state[0] = '\0';
	mysql_put_err(&o, c->seq++, &told);
	if (!o.bad)
		stream_put_copy(&s->stream, o.p, o.len);
}

void mysql_status_begins(struct mysql_client *c)
{
	const struct mysql_known *known = mysql_known_of(c->s.db);
	c->status = known->has_status ? known->status : MYSQL_STATUS_AUTOCOMMIT;
}

uint16_t mysql_status(const struct mysql_client *c)
{
	uint16_t status = c->status & MYSQL_STATUS_SESSION;
	if (c->s.server)
		status |= mysql_server_of(c->s.server)->status & MYSQL_STATUS_XACT;
	return status;
}

void mysql_tell_ok(struct mysql_client *c)
{
	uint8_t bytes[MYSQL_OK_MAX];
	struct mysql_out o = mysql_out(bytes, sizeof bytes);
	mysql_put_ok(&o, c->seq++, MYSQL_OK, &(struct mysql_ok){ .status = mysql_status(c) });
	stream_put_copy(&c->s.stream, o.p, o.len);
}

/* The protocol has no message that answers nothing. */
static void notice(struct session *s, const char *text)
{
	(void)s;
	(void)text;
}

static void on_vars(struct session *s, const struct varset *was)
{
	(void)s;
	(void)was;
}

void mysql_protocol_fault(struct session *s, const char *what)
{
	struct fault f;
	fault_set(&f, FAULT_PROTO, "%s", what);
	session_fail(s, &f);
}

static void no_memory(struct session *s)
{
	struct fault f;
	fault_set(&f, FAULT_NOMEM, "no memory for a statement");
	session_fail(s, &f);
}

/* --- Commands that are answered here, or not at all */

/* Begins to drop the packet at the cursor. */
void mysql_skip(struct mysql_client *c, uint32_t len)
{
	c->in_left = MYSQL_HEADER + len;
	c->in_more = len == MYSQL_PAYLOAD_MAX;
	c->in_skip = true;
}

static bool keep_why(struct mysql_client *c, const struct fault *f)
{
	if (!c->why)
		c->why = malloc(sizeof *c->why);
	if (c->why)
		*c->why = *f;
	return c->why != NULL;
}

static void forget_why(struct mysql_client *c)
{
	free(c->why);
	c->why = NULL;
	c->has_failed = c->refusing = false;
}

/* What the client has sent ahead, without knowing that the statement at its front fails, fails with it: a transaction
 * whose BEGIN was refused must not run without it. */
static void refuse(struct session *s, const struct fault *f)
{
	struct mysql_client *c = mysql_client_of(s);
	if (!keep_why(c, f)) {
		session_fail(s, f);
		return;
	}
	c->refusing = true;
	c->refused_ahead = (uint32_t)stream_kept(&s->stream);
	session_resume_input(s);
}

/* The command at the cursor is answered with `why`. */
static void answer_refused(struct mysql_client *c, uint32_t len, uint8_t seq, uint8_t com)
{
	uint32_t total = MYSQL_HEADER + len;
	mysql_skip(c, len);
	c->seq = (uint8_t)(seq + 1);
	if (mysql_expect_of(com) != MYSQL_EXPECT_NOTHING)
		mysql_tell(&c->s, c->why, false);
	c->refused_ahead -= total < c->refused_ahead ? total : c->refused_ahead;
	if (!c->refused_ahead && !stream_coded(&c->s.stream))
		forget_why(c);
}

/* What it waits for, or says next, is answered with f, and with it that its transaction is gone: as after a deadlock,
 * it begins another. False: out of memory. */
static bool fail_transaction_as(struct mysql_client *c, bool in_xact, const struct fault *f, bool owed)
{
	struct fault why = *f;
	c->track.in_xact = false;
	c->track.pins &= ~SESSION_PINS_SOFT;
	c->s.pins &= ~SESSION_PINS_SOFT;
	if (in_xact)
		fault_set(&why, FAULT_IO, "%s: the transaction is gone with its server", f->text);
	if (owed)
		mysql_tell(&c->s, &why, false);
	else if (in_xact) {
		if (!keep_why(c, &why))
			return false;
		c->has_failed = true;
	}
	return true;
}

/* All that is owed by a server that is gone is answered with f. */
static bool lost(struct session *s, const struct server *sv, const struct fault *f)
{
	struct mysql_client *c = mysql_client_of(s);
	struct mysql_server *p = mysql_server_of((struct server *)(uintptr_t)sv);
	unsigned owed = 0;

	bool was_due = c->is_due;
	c->full = c->waits = false;
	mysql_statement_given_up(c);
	stream_unhold(&s->stream, HOLD_OWNER);
	if (s->pins & ~SESSION_PINS_SOFT) /* what it had there is gone, and it would not know */
		return false;
	if (c->out_left || c->is_partway || c->in_file)
		return false;
	for (unsigned i = 0; i < p->expect.count; i++)
		owed += !(mysql_expect_at(&p->expect, i)->flags & MYSQL_EXPECT_OWN);
	if (owed > 1) /* nobody can know which have been run */
		return false;
	if (!fail_transaction_as(c, p->status & MYSQL_STATUS_IN_TRANS, f, owed))
		return false;
	if (was_due && ++c->due_lost > 1 &&
	    !c->has_failed) { /* one that takes each server with it is not tried for ever */
		if (!keep_why(c, f))
			return false;
		c->has_failed = true;
		c->due_lost = 0;
	}
	c->in_skip = c->in_left || c->in_more; /* the rest of it is nobody's */
	c->seq = 1;
	session_resume_input(s);
	return true;
}

static bool fail_transaction(struct session *s, const struct fault *f)
{
	struct mysql_client *c = mysql_client_of(s);
	mysql_statement_given_up(c);
	if (s->pins & ~SESSION_PINS_SOFT || !keep_why(c, f))
		return false;
	c->track.pins &= ~SESSION_PINS_SOFT;
	s->pins &= ~SESSION_PINS_SOFT;
	c->has_failed = true;
	return true;
}

/* --- The relay */

bool mysql_link(struct session *s, const struct rd *in, uint32_t total)
{
	struct mysql_client *c = mysql_client_of(s);
	/* Half a command takes no server: who sends slowly waits by itself. */
	if (!s->server && rd_left(in) < (total <= STREAM_KEEP_MAX ? total : LOOK_BYTES))
		return false;
	if (!s->server)
		mysql_client_fresh(c);
	if (!session_want_server(s))
		return false;
	const struct mysql_server *p = mysql_server_of(s->server);
	if (mysql_expect_is_full(&p->expect)) {
		c->full = true;
		session_hold(s, HOLD_OWNER);
		return false;
	}
	return true;
}

static void refuse_command(struct mysql_client *c, uint32_t len, const struct fault *f)
{
	mysql_skip(c, len);
	mysql_tell(&c->s, f, false);
}

/* A COM_QUERY is at the cursor, all that is looked at of it. False: it is refused, and answered, or the session is
 * closed. */
static bool look_at(struct mysql_client *c, const struct rd *in, uint32_t len, struct mysql_query *q)
{
	size_t there = rd_left(in) - MYSQL_HEADER;
	bool is_whole = there >= len && len < MYSQL_PAYLOAD_MAX;
	struct rd body = rd_of(in->p + MYSQL_HEADER + 1, (is_whole ? len : there) - 1), text;
	struct fault f;
	if (!mysql_read_query(body, c->caps, &text)) {
		if (is_whole) {
			mysql_protocol_fault(&c->s, "malformed COM_QUERY");
			return false;
		}
		text = rd_of(body.end, 0); /* it begins behind what is there: so many are its attributes */
	}
	if (mysql_query_look(c, text, is_whole, q, &f))
		return true;
	if (c->s.server && !mysql_expect_is_empty(&mysql_server_of(c->s.server)->expect)) {
		session_fail(&c->s, &f); /* answers come in their order */
		return false;
	}
	c->seq = 1;
	refuse_command(c, len, &f);
	return false;
}

void mysql_send_as(struct mysql_client *c, const struct rd *in, uint32_t len, size_t front, const uint8_t *text,
		   size_t n)
{
	uint8_t *room = stream_put_room(&c->s.server->stream, MYSQL_HEADER + front + n);
	if (room) { /* else the stream tells of it */
		struct mysql_out o = mysql_out(room, MYSQL_HEADER + front + n);
		mysql_begin(&o, 0);
		mysql_put(&o, in->p + MYSQL_HEADER, front);
		mysql_put(&o, text, n);
		mysql_end(&o);
	}
	mysql_skip(c, len);
}

/* The COM_QUERY at the cursor goes to the server in other words. */
static bool send_rewritten(struct mysql_client *c, const struct rd *in, uint32_t len, const struct mysql_query *q)
{
	size_t n = 0;
	uint8_t *text = mysql_query_rewrite(c, q, &n);
	if (!text) {
		no_memory(&c->s);
		return false;
	}
	mysql_send_as(c, in, len, (size_t)(q->text.p - in->p) - MYSQL_HEADER, text, n);
	free(text);
	return true;
}

/* A text that is not looked at for anything else, and all of which is there, if it is at all short. *done: it has gone,
 * as it had to say the client's number. False: the session is closed. */
static bool send_named(struct mysql_client *c, const struct rd *in, uint32_t len, uint8_t com, bool *done)
{
	struct rd body = rd_of(in->p + MYSQL_HEADER + 1, len - 1), text = body;
	uint8_t *said;
	size_t n;
	if (com == MYSQL_COM_QUERY && !mysql_read_query(body, c->caps, &text))
		return true; /* the server says what is wrong with it */
	if (!mysql_say_id(c, text, &said, &n)) {
		no_memory(&c->s);
		return false;
	}
	*done = said != NULL;
	if (said)
		mysql_send_as(c, in, len, (size_t)(text.p - in->p) - MYSQL_HEADER, said, n);
	free(said);
	return true;
}

/* The command at the cursor, of a client that is linked or may be: passes it on. False: it has to wait, or the session
 * is closed. */
static bool begin_pass(struct session *s, const struct rd *in, uint32_t len, uint8_t com)
{
	struct mysql_client *c = mysql_client_of(s);
	uint32_t total = MYSQL_HEADER + len;
	/* Half a command takes no server: who sends slowly waits by itself. */
	bool looks = com == MYSQL_COM_QUERY && s->mode != POOL_SESSION, is_option = com == MYSQL_COM_SET_OPTION;
	bool is_execute = com == MYSQL_COM_STMT_EXECUTE, done = false;
	bool is_text = (com == MYSQL_COM_QUERY && !looks) || com == MYSQL_COM_STMT_PREPARE;
	bool is_schema = com == MYSQL_COM_INIT_DB && len <= MYSQL_NAME_MAX;
	if ((!s->server || looks || is_option) && rd_left(in) < (total <= STREAM_KEEP_MAX ? total : LOOK_BYTES))
		return false;
	if (((is_text && total <= LOOK_BYTES) || is_schema) && rd_left(in) < total)
		return false;
	if (is_execute && rd_left(in) < (len < EXECUTE_FRONT ? len : EXECUTE_FRONT) + MYSQL_HEADER)
		return false;
	if (looks && s->server && mysql_expect_has(&mysql_server_of(s->server)->expect, MYSQL_EXPECT_CHANGES)) {
		c->waits = true; /* it may change how this is read */
		session_hold(s, HOLD_OWNER);
		return false;
	}
	struct mysql_query q = { .rewrites = false };
	if (looks && !look_at(c, in, len, &q))
		return s->state != SESSION_DEAD; /* it is answered */
	if (!s->server)
		mysql_client_fresh(c);
	if (!mysql_link(s, in, total))
		return false;
	struct mysql_server *p = mysql_server_of(s->server);
	enum mysql_expect_kind kind = mysql_expect_of(com);
	if (kind != MYSQL_EXPECT_NOTHING) {
		if (mysql_expect_is_empty(&p->expect))
			session_request_begins(s);
		struct mysql_expect_entry x = { .kind = (uint8_t)kind, .com = com };
		bool needs_text = false;
		if (is_option && len == 3)
			x.number = 1u + in->p[MYSQL_HEADER + 1];
		if (is_execute && len >= EXECUTE_FRONT && in->p[MYSQL_HEADER + EXECUTE_FRONT - 1])
			x.flags = MYSQL_EXPECT_CURSOR;
		if (q.look.changes) {
			x.flags = (uint16_t)(MYSQL_EXPECT_CHANGES | (q.look.tries_lock ? MYSQL_EXPECT_LOCK : 0));
			needs_text = true;
			x.text = istr_get((const char *)q.text.p, rd_left(&q.text));
		} else if (looks && !q.is_whole) {
			x.flags = MYSQL_EXPECT_PARTIAL;
		} else if (is_schema && !(p->caps & MYSQL_CAP_SESSION_TRACK)) { /* nobody will tell of it */
			x.text = istr_get((const char *)in->p + MYSQL_HEADER + 1, len - 1);
			needs_text = true;
		}
		if ((needs_text && !x.text) || !mysql_query_prepare(c, p, &q) || !mysql_expect_sent(&p->expect, &x)) {
			istr_put(x.text);
			no_memory(s);
			return false;
		}
	}
	if (s->keeps_heard && kind != MYSQL_EXPECT_NOTHING)
		mysql_says_command(c, in, len, com);
	c->is_fresh = c->is_fresh && kind == MYSQL_EXPECT_NOTHING;
	if (q.rewrites)
		return send_rewritten(c, in, len, &q);
	if (is_text && rd_left(in) >= total && !send_named(c, in, len, com, &done))
		return false;
	if (done)
		return true;
	c->in_left = total;
	c->in_more = len == MYSQL_PAYLOAD_MAX;
	c->in_skip = false;
	return true;
}

/* The header of a command is at the cursor: what becomes of it. False: leave it there. */
static bool begin_command(struct session *s, struct rd *in, uint32_t len, uint8_t seq)
{
	struct mysql_client *c = mysql_client_of(s);
	uint8_t com = in->p[MYSQL_HEADER];

	if (com == MYSQL_COM_QUIT) {
		if (!mysql_is_quiet(c)) { /* what it has sent before is done first, whether it hears of it or not */
			s->server->finishes = true;
			return false;
		}
		session_close(s, "client close request");
		return false;
	}
	if (c->sink) {
		struct mysql_packet m;
		if (c->asking)
			return false;
		switch (mysql_frame(in, STREAM_KEEP_MAX / 2, &m)) {
		case FRAME_OK:
			c->seq = (uint8_t)(seq + 1);
			mysql_ask_command(c, m.body);
			return true;
		case FRAME_BAD:
			mysql_protocol_fault(s, "command too long for the console");
			return false;
		case FRAME_SHORT:
			return false;
		}
	}
	if (c->refusing) {
		answer_refused(c, len, seq, com);
		return true;
	}
	if (c->has_failed && com != MYSQL_COM_STMT_CLOSE) {
		if (mysql_expect_of(com) == MYSQL_EXPECT_NOTHING) { /* it hears so with the next that has an answer */
			mysql_skip(c, len);
			return true;
		}
		answer_refused(c, len, seq, com);
		forget_why(c);
		return true;
	}
	bool is_idle = s->state == SESSION_IDLE;
	if (is_idle)
		c->seq = (uint8_t)(seq + 1);
	switch (mysql_own_command(c, in, len, seq)) {
	case MYSQL_COMMAND_DONE:
		return s->state != SESSION_DEAD;
	case MYSQL_COMMAND_WAIT:
		return false;
	case MYSQL_COMMAND_PASS:
		break;
	}
	if (mysql_statement_is(c, com))
		return mysql_statement_command(c, in, len, seq, com);
	return begin_pass(s, in, len, com);
}

/* As servers do it: whoever says so much is not asked for the rest. */
static void too_long(struct session *s)
{
	struct fault f;
	fault_set(&f, FAULT_PROTO, "Got a packet bigger than 'max_packet_size' bytes");
	fault_mysql(&f, ER_PACKET_TOO_LARGE, "08S01");
	session_fail(s, &f);
}

static void out_of_order(struct session *s)
{
	struct fault f;
	fault_set(&f, FAULT_PROTO, "Got packets out of order");
	fault_mysql(&f, ER_OUT_OF_ORDER, "08S01");
	session_fail(s, &f);
}

/* A packet is at the cursor: what becomes of it. False: leave it there. */
static bool begin_packet(struct session *s, struct rd *in)
{
	struct mysql_client *c = mysql_client_of(s);
	uint32_t len;
	uint8_t seq;

	if (!mysql_head(in, &len, &seq))
		return false;
	c->in_before = c->in_more && !c->in_file ? c->in_before + MYSQL_PAYLOAD_MAX : 0;
	if (len > sessions_max_packet || c->in_before > sessions_max_packet - len) {
		too_long(s);
		return false;
	}
	if (c->in_more && seq != c->in_seq && !s->stream.codec) { /* as is seen there by who compresses */
		out_of_order(s);
		return false;
	}
	c->in_seq = (uint8_t)(seq + 1);
	if (c->in_more) { /* of the one before */
		if (c->in_file && s->server)
			mysql_server_of(s->server)->seq = c->in_seq;
		c->in_left = MYSQL_HEADER + len;
		c->in_more = len == MYSQL_PAYLOAD_MAX;
		c->at_head = true;
		return true;
	}
	struct mysql_server *p = s->server && s->state == SESSION_ACTIVE ? mysql_server_of(s->server) : NULL;
	if (p && p->expect.wants_file) { /* a part of the file; the empty one ends it */
		if (seq != p->seq && !s->stream.codec) {
			out_of_order(s);
			return false;
		}
		p->seq = (uint8_t)(seq + 1);
		c->in_left = MYSQL_HEADER + len;
		c->in_more = len == MYSQL_PAYLOAD_MAX;
		c->in_skip = false;
		c->in_file = len > 0;
		if (!len)
			mysql_expect_file_sent(&p->expect);
		return true;
	}
	if (len && seq) {
		out_of_order(s);
		return false;
	}
	if (!len) {
		struct fault f;
		fault_set(&f, FAULT_PROTO, "a command without a command");
		fault_mysql(&f, ER_MALFORMED, "08S01");
		session_fail(s, &f);
		return false;
	}
	if (rd_left(in) <= MYSQL_HEADER)
		return false;
	return begin_command(s, in, len, seq);
}

/* Passes, or drops, what is there of the packet under way. */
static void pass_rest(struct mysql_client *c, struct rd *in)
{
	size_t n = rd_left(in) < c->in_left ? rd_left(in) : c->in_left;
	const uint8_t *at = rd_take(in, n);
	c->in_left -= (uint32_t)n;
	if (c->pieces)
		mysql_long_piece(c, at, n, !c->in_left && !c->in_more);
	if (!c->in_skip && c->s.server)
		stream_put_span(&c->s.server->stream, at, n);
}

static void relay_bytes(struct session *s, struct rd *in)
{
	struct mysql_client *c = mysql_client_of(s);
	const uint8_t *from = in->p;
	struct pool *pool = s->pool;

	while (rd_left(in) > 0 && s->state != SESSION_DEAD) {
		if (c->in_left) {
			pass_rest(c, in);
		} else if (s->state == SESSION_LOGIN) { /* it wants to be somebody else */
			mysql_login_bytes(s, in);
			return;
		} else if (!begin_packet(s, in)) {
			break;
		}
	}
	if (s->state == SESSION_DEAD)
		return;
	if (pool)
		pool->stats.v[STAT_received] += (uint64_t)(in->p - from);
	/* What nothing answers was all that it said, or its end was sent late: nothing will come that would end the
	 * link. */
	if (s->state == SESSION_ACTIVE && s->server && !c->in_left && !c->in_more && !c->waits && !c->is_due &&
	    mysql_engine.at_rest(s->server))
		mysql_boundary(mysql_server_of(s->server));
}

/* --- Compression */

/* It compresses each command by itself, and waits for the answer; one that does not wait is read no further meanwhile.
 */
static enum mysql_turn turn(void *arg, bool zero, unsigned *behind)
{
	struct mysql_client *c = arg;
	const struct session *s = &c->s;
	const struct mysql_server *p = s->server ? mysql_server_of(s->server) : NULL;
	(void)behind;
	if (!zero || (p && s->state == SESSION_ACTIVE && p->expect.wants_file))
		return MYSQL_TURN_GOES_ON;
	if (p && !mysql_expect_is_empty(&p->expect)) {
		c->waits = true; /* the end of the answer has it read again */
		return MYSQL_TURN_WAIT;
	}
	bool is_quiet = s->state == SESSION_IDLE || s->state == SESSION_ACTIVE;
	return is_quiet && !c->asking ? MYSQL_TURN_BEGINS : MYSQL_TURN_WAIT;
}

bool mysql_client_pack(struct mysql_client *c)
{
	enum mysql_zip kind = c->caps & MYSQL_CAP_COMPRESS ? MYSQL_ZIP_ZLIB
			      : c->caps & MYSQL_CAP_ZSTD   ? MYSQL_ZIP_ZSTD
							   : MYSQL_ZIP_NONE;
	if (kind == MYSQL_ZIP_NONE || c->s.stream.codec)
		return true;
	int level = (int)config_num(config_now(), SET_mysql_client_compression_level, NULL, NULL);
	if (kind == MYSQL_ZIP_ZSTD && c->zstd_level && c->zstd_level < level)
		level = c->zstd_level;
	struct codec *codec = mysql_pack_new(MYSQL_PEER_CLIENT, kind, level, turn, c);
	if (!codec) {
		no_memory(&c->s);
		return false;
	}
	stream_start_codec(&c->s.stream, codec, NULL);
	return true;
}

static void on_bytes(struct session *s, struct rd *in)
{
	if (s->state == SESSION_LOGIN) {
		bool was = s->stream.codec != NULL;
		mysql_login_bytes(s, in);
		if (s->stream.codec && !was) {
			stream_to_codec(&s->stream, in); /* what is behind its login */
			return;
		}
	}
	if (s->state == SESSION_IDLE || s->state == SESSION_ACTIVE)
		relay_bytes(s, in);
}

static bool is_halfway(const struct session *s)
{
	const struct mysql_client *c = mysql_client_of((struct session *)(uintptr_t)s);
	return !c->in_skip && (c->in_left || c->in_more);
}

void mysql_client_unfull(struct mysql_client *c)
{
	c->full = c->waits = false;
	if (c->s.server)
		c->s.server->finishes = false;
	stream_unhold(&c->s.stream, HOLD_OWNER);
	session_resume_input(&c->s);
}

static uint32_t prepared(const struct session *s)
{
	return (uint32_t)mysql_client_of((struct session *)(uintptr_t)s)->statements.map.count;
}

static const char *program(const struct session *s)
{
	const struct mysql_client *c = mysql_client_of((struct session *)(uintptr_t)s);
	return c->program ? c->program->s : "";
}

static void leaves(struct session *s)
{
	mysql_statements_leave(mysql_client_of(s));
}

static void boundary(struct session *s)
{
	mysql_boundary(mysql_server_of(s->server));
}

static void on_drained(struct session *s)
{
	if (s->talk && mysql_client_of(s)->asking)
		s->db->exchange->resume(s);
}

const struct door_ops mysql_door = {
	.name = "mysql",
	.make = make,
	.free = free_client,
	.greet = mysql_greet,
	.on_bytes = on_bytes,
	.on_welcome = mysql_welcome,
	.tell = mysql_tell,
	.notice = notice,
	.refuse = refuse,
	.lost = lost,
	.fail_transaction = fail_transaction,
	.is_halfway = is_halfway,
	.on_vars = on_vars,
	.prepared = prepared,
	.fingerprint = mysql_fingerprint,
	.program = program,
	.on_drained = on_drained,
	.boundary = boundary,
	.leaves = leaves,
};

const struct door_ops *mysql_door_ops(void)
{
	return &mysql_door;
}
