/* door_prepared.c - what clients say about prepared statements, made true on whatever server they are linked to, and
 * what servers answer to that. MySQL Source Code Documentation: Prepared Statements; MariaDB Knowledge Base:
 * COM_STMT_PREPARE, COM_STMT_EXECUTE, COM_STMT_BULK_EXECUTE. */
#include "mysql/mysql_int.h"

#include "core/assert.h"
#include "core/str.h"
#include "mysql/charset.h"
#include "mysql/errors.h"

#include <inttypes.h>
#include <stdlib.h>

#define ID_END   (MYSQL_HEADER + 5u) /* where the number of a statement ends, in a command and in the answer */
#define LOOK_MAX (32u << 10)         /* bytes in which the types of an EXECUTE have to be */
#define COPY_MAX 512u                /* bytes of a command that is cheaper to copy than to send in two pieces */
#define MINE     (PIN_HOLD | PIN_LONG_DATA | PIN_PREPARED)

/* A command being handled. */
struct said {
	struct mysql_client *c;
	struct rd *in; /* at its header */
	uint32_t len;
	uint8_t seq, com;
};

static struct mysql_server *server_of(const struct said *m)
{
	return m->c->s.server ? mysql_server_of(m->c->s.server) : NULL;
}

static bool no_memory(struct said *m)
{
	struct fault f;
	fault_set(&f, FAULT_NOMEM, "no memory for a prepared statement");
	session_fail(&m->c->s, &f);
	return false;
}

/* The server owes something. */
static bool is_owed(const struct said *m)
{
	return m->c->s.server && !mysql_expect_is_empty(&server_of(m)->expect);
}

/* It stays at the cursor until all is answered. */
static bool wait(struct said *m)
{
	m->c->waits = true;
	session_hold(&m->c->s, HOLD_OWNER);
	return false;
}

/* --- Answers of the house */

/* Answers of the house must not overtake the server's. */
static bool answer(struct said *m, const struct fault *f)
{
	struct mysql_client *c = m->c;
	if (is_owed(m))
		return wait(m);
	mysql_skip(c, m->len);
	if (c->is_due && c->s.server) /* preparing it was all that ran */
		session_request_ends(&c->s, server_of(m)->status & MYSQL_STATUS_IN_TRANS);
	c->is_due = false;
	c->due_lost = 0;
	if (mysql_expect_of(m->com) == MYSQL_EXPECT_NOTHING)
		return true;
	c->seq = (uint8_t)(m->seq + 1);
	if (f) {
		mysql_tell(&c->s, f, false);
		return true;
	}
	mysql_tell_ok(c);
	return true;
}

static bool answer_unknown(struct said *m, uint32_t id)
{
	struct fault f;
	const char *to = m->com == MYSQL_COM_STMT_FETCH   ? "mysqld_stmt_fetch"
			 : m->com == MYSQL_COM_STMT_RESET ? "mysqld_stmt_reset"
							  : "mysqld_stmt_execute";
	if (!mysql_known_of(m->c->s.db)->is_mariadb)
		to = "mysql_stmt_precheck";
	fault_set(&f, FAULT_PROTO, "Unknown prepared statement handler (%" PRIu32 ") given to %s", id, to);
	fault_mysql(&f, ER_UNKNOWN_HANDLER, "HY000");
	return answer(m, &f);
}

static bool answer_wrong(struct said *m)
{
	struct fault f;
	fault_set(&f, FAULT_PROTO, "Incorrect arguments to mysqld_stmt_execute");
	fault_mysql(&f, ER_WRONG_ARGUMENTS, "HY000");
	return answer(m, &f);
}

static bool answer_malformed(struct said *m)
{
	struct fault f;
	fault_set(&f, FAULT_PROTO, "Malformed communication packet.");
	fault_mysql(&f, ER_MALFORMED, "HY000");
	return answer(m, &f);
}

/* --- What is held */

/* The pins that follow from it. A server that is kept for a while only need not be cleaned for that. */
static void check_pins(struct mysql_client *c)
{
	struct session *s = &c->s;
	uint32_t want = (c->statements.cursors ? (uint32_t)PIN_HOLD : 0u) |
			(c->statements.longs ? (uint32_t)PIN_LONG_DATA : 0u) |
			(c->statements.kept ? (uint32_t)PIN_PREPARED : 0u) | (c->track.pins & PIN_PREPARED);
	if (want & ~s->pins) {
		bool was = s->server->was_session;
		session_keep(s, want & ~s->pins);
		s->server->was_session = was;
	}
	s->pins &= ~(uint32_t)MINE | want;
}

static void hold(struct mysql_server *p, struct mysql_statement *st, struct mysql_prepared *ps)
{
	if (!st->held)
		mysql_prepared_hold(&p->cache, ps);
	st->held = ps;
}

/* It has a cursor, or long data, or no more. */
static void set_state(struct mysql_client *c, struct mysql_server *p, struct mysql_statement *st, bool has_cursor,
		      bool has_long)
{
	bool had_cursor = st->has_cursor;
	mysql_statement_set(&c->statements, st, has_cursor, has_long);
	if (st->held && !has_cursor && !has_long && !st->is_kept) {
		/* MySQL 9 gives no rows any more to whoever asks for no cursor, once there was one. */
		if (had_cursor && !p->is_mariadb)
			mysql_prepared_doubt(&p->cache, st->held);
		else
			mysql_prepared_share(&p->cache, st->held);
		st->held = NULL;
	}
	check_pins(c);
}

/* This server has it for this client, until one of them goes. */
static void keep(struct mysql_client *c, struct mysql_server *p, struct mysql_statement *st, struct mysql_prepared *ps)
{
	hold(p, st, ps);
	mysql_statement_keep(&c->statements, st);
	check_pins(c);
}

/* --- Sending */

static void put_close(struct mysql_server *p, uint32_t id)
{
	uint8_t bytes[ID_END];
	struct mysql_out o = mysql_out(bytes, sizeof bytes);
	mysql_begin(&o, 0);
	mysql_put_u8(&o, MYSQL_COM_STMT_CLOSE);
	mysql_put_u32(&o, id);
	mysql_end(&o);
	ASSERT(!o.bad);
	stream_put_copy(&p->sv.stream, o.p, o.len);
}

/* Closes what the server has too many of. */
static void make_room(struct mysql_server *p)
{
	uint32_t most = (uint32_t)config_num(config_now(), SET_max_prepared_statements, NULL, NULL), id;
	mysql_cache_make_room(&p->cache, most ? most : 1);
	while (mysql_cache_next_stale(&p->cache, &id))
		put_close(p, id);
}

static const char *value_of(const struct varset *vars, const char *name)
{
	const struct istr *v = varset_find(vars, name);
	return v ? v->s : "";
}

/* room: for a value that is none of the settings'. */
static void meaning_now(const struct session *s, const char *values[MYSQL_MEANINGS], char room[64])
{
	for (int i = 0; i < MYSQL_MEANINGS; i++)
		values[i] = value_of(s->vars, mysql_meaning_names[i]);
	const char *set = value_of(s->vars, MYSQL_SET_CONNECTION);
	if (!*values[MYSQL_MEANING_COLLATION] && *set) {
		str_fmt(room, 64, "%c%s", MYSQL_MEANING_DEFAULT_OF, set);
		values[MYSQL_MEANING_COLLATION] = room;
	}
}

/* The command has to wait until its statement is on this server: it is prepared there, under the settings that it was
 * prepared under first. */
static bool provide(struct said *m, const struct istr *text)
{
	struct mysql_client *c = m->c;
	struct mysql_server *p = server_of(m);
	const char *then[MYSQL_MEANINGS], *now[MYSQL_MEANINGS];
	char room[64];
	struct fault f;
	if (is_owed(m)) /* what is to be answered may change the settings */
		return wait(m);
	if (c->due_fault) { /* that was tried already */
		if (!session_is_late(&c->s, &f))
			f = *c->due_fault;
		free(c->due_fault);
		c->due_fault = NULL;
		return answer(m, &f);
	}
	if (c->is_due) { /* it was prepared, and is gone again */
		fault_set(&f, FAULT_INTERNAL, "the statement could not be prepared on its server");
		return answer(m, &f);
	}
	struct rd sql = mysql_meaning_read(text, then);
	meaning_now(&c->s, now, room);
	if (*then[MYSQL_MEANING_SCHEMA] && !*now[MYSQL_MEANING_SCHEMA]) { /* it was dropped, and is no way back */
		fault_set(&f, FAULT_PROTO, "No database selected");
		fault_mysql(&f, ER_NO_SCHEMA, "3D000");
		return answer(m, &f);
	}
	make_room(p);
	session_request_begins(&c->s);
	c->is_due = true;
	c->is_fresh = true; /* as the statement before is not the client's any more */
	if (!mysql_own_prepare(p, text, sql, now, then))
		return no_memory(m);
	c->s.pool->stats.v[STAT_server_parse_count]++;
	return wait(m);
}

void mysql_statement_given_up(struct mysql_client *c)
{
	free(c->due_fault);
	c->due_fault = NULL;
	c->is_due = false;
}

/* Passes the command with the server's number in the place of the client's. A short one is copied whole: a system call
 * with one piece is cheaper than one with two. */
static void pass_as(struct said *m, uint32_t id)
{
	struct mysql_client *c = m->c;
	size_t total = MYSQL_HEADER + m->len, n = total <= COPY_MAX && rd_left(m->in) >= total ? total : ID_END;
	const uint8_t *from = rd_take(m->in, n);
	uint8_t *room = stream_put_room(&c->s.server->stream, n);
	if (room) { /* else the stream tells of it */
		struct mysql_out o = mysql_out(room, n);
		mysql_put(&o, from, ID_END - 4);
		mysql_put_u32(&o, id);
		mysql_put(&o, from + ID_END, n - ID_END);
		ASSERT(!o.bad);
	}
	c->in_left = (uint32_t)(total - n);
	c->in_more = m->len == MYSQL_PAYLOAD_MAX;
	c->in_skip = false;
	c->is_due = false;
	c->due_lost = 0;
}

/* The same of an EXECUTE, with types that it does not bring. */
static void pass_with_types(struct said *m, uint32_t id, const struct mysql_execute *x, const struct istr *types)
{
	struct mysql_client *c = m->c;
	const uint8_t *from = rd_take(m->in, MYSQL_HEADER + x->types_at);
	size_t n = MYSQL_HEADER + x->types_at + types->len;
	uint8_t *room = stream_put_room(&c->s.server->stream, n);
	if (room) { /* else the stream tells of it */
		struct mysql_out o = mysql_out(room, n);
		mysql_put_u24(&o, m->len + types->len);
		mysql_put(&o, from + 3, 2);
		mysql_put_u32(&o, id);
		mysql_put(&o, from + ID_END, MYSQL_HEADER + x->types_at - ID_END);
		mysql_put(&o, types->s, types->len);
		ASSERT(!o.bad);
		room[MYSQL_HEADER + x->flag_at] = x->flag;
	}
	c->in_left = m->len - x->types_at;
	c->in_more = false;
	c->in_skip = false;
	c->is_due = false;
	c->due_lost = 0;
}

/* --- Commands */

/* Statements are not shared: each is its client's. */
static bool keeps_all(void)
{
	return !config_num(config_now(), SET_max_prepared_statements, NULL, NULL);
}

/* says_id: sql is not what the client said, but has its number in it. q: of one that is not whole. */
static bool prepare_as(struct said *m, struct rd sql, const struct mysql_query *q, bool says_id)
{
	bool is_whole = !q->is_long;
	struct mysql_client *c = m->c;
	struct session *s = &c->s;
	uint32_t total = MYSQL_HEADER + m->len;
	const struct istr *text = NULL;
	if (!mysql_link(s, m->in, total))
		return false;
	struct mysql_server *p = server_of(m);
	unsigned flags = MYSQL_EXPECT_MAPS;
	if (!is_whole || keeps_all())
		flags |= MYSQL_EXPECT_KEPT;
	if (is_whole) {
		const char *now[MYSQL_MEANINGS];
		char room[64];
		flags |= mysql_statement_is_about(c, sql, says_id) ? (unsigned)MYSQL_EXPECT_ABOUT : 0;
		meaning_now(s, now, room);
		text = mysql_meaning(now, sql);
		if (!text)
			return no_memory(m);
	}
	make_room(p);
	session_request_begins(s);
	struct mysql_expect_entry x = {
		.kind = MYSQL_EXPECT_PREPARED, .com = m->com, .flags = (uint16_t)flags, .text = text
	};
	if (!mysql_query_prepare(c, p, q) || !mysql_expect_sent(&p->expect, &x)) {
		istr_put(text);
		return no_memory(m);
	}
	if (s->keeps_heard)
		mysql_says(c, sql, is_whole ? rd_left(&sql) : m->len - 1);
	s->pool->stats.v[STAT_client_parse_count]++;
	s->pool->stats.v[STAT_server_parse_count]++;
	if (says_id) {
		mysql_send_as(c, m->in, m->len, 1, sql.p, rd_left(&sql));
		return true;
	}
	c->in_left = total;
	c->in_more = m->len == MYSQL_PAYLOAD_MAX;
	c->in_skip = false;
	return true;
}

static bool prepare(struct said *m)
{
	struct mysql_client *c = m->c;
	uint32_t total = MYSQL_HEADER + m->len;
	struct fault f;
	uint8_t *said = NULL;
	size_t n = 0;
	if (is_owed(m)) /* settings may be changing */
		return wait(m);
	if (c->statements.map.count >= MYSQL_STATEMENTS_MAX || c->statements.bytes >= MYSQL_STATEMENTS_BYTES) {
		fault_set(&f, FAULT_PROTO,
			  "Can't create more than max_prepared_stmt_count statements (current value: %zu)",
			  c->statements.map.count);
		fault_hint(&f, "A client may have %u, with texts of %u MB together.", MYSQL_STATEMENTS_MAX,
			   MYSQL_STATEMENTS_BYTES >> 20);
		fault_mysql(&f, ER_TOO_MANY_STATEMENTS, "42000");
		return answer(m, &f);
	}
	bool is_whole = total <= STREAM_KEEP_MAX;
	if (rd_left(m->in) < (is_whole ? total : LOOK_MAX))
		return false;
	if ((!is_whole || keeps_all()) && session_pins_are_refused(&c->s, PIN_PREPARED, &f))
		return answer(m, &f);
	struct rd sql = rd_of(m->in->p + ID_END - 4, is_whole ? m->len - 1 : 0);
	struct mysql_query q = { .is_long = false };
	if (!is_whole && !mysql_prepare_look(c, rd_of(sql.p, LOOK_MAX - ID_END), &q, &f))
		return answer(m, &f);
	if (!mysql_say_id(c, sql, &said, &n))
		return no_memory(m);
	bool ok = prepare_as(m, said ? rd_of(said, n) : sql, &q, said != NULL);
	free(said);
	return ok;
}

static bool expect(struct said *m, const struct mysql_statement *st, unsigned flags)
{
	struct mysql_server *p = server_of(m);
	m->c->is_fresh = false;
	if (mysql_expect_is_empty(&p->expect))
		session_request_begins(&m->c->s);
	struct mysql_expect_entry x = { .kind = (uint8_t)mysql_expect_of(m->com),
					.com = m->com,
					.flags = (uint16_t)(flags | MYSQL_EXPECT_MAPS),
					.number = st->id };
	if (flags & MYSQL_EXPECT_CHANGES)
		x.text = istr_ref(st->text);
	if (mysql_expect_sent(&p->expect, &x))
		return true;
	istr_put(x.text);
	return false;
}

/* The client has said which types its parameters have. False: out of memory. */
static bool take_types(struct mysql_statement *st, const uint8_t *types, size_t len)
{
	if (st->types && st->types->len == len && memcmp(st->types->s, types, len) == 0)
		return true;
	const struct istr *now = istr_get((const char *)types, len);
	if (now)
		mysql_statement_types(st, now);
	return now != NULL;
}

/* What is there of the command says of the parameters. False: not now; *how is what to return. */
static bool read_types(struct said *m, struct mysql_statement *st, struct mysql_execute *x, bool *how)
{
	bool is_whole = rd_left(m->in) - MYSQL_HEADER >= m->len;
	struct rd body = rd_of(m->in->p + MYSQL_HEADER, is_whole ? m->len : rd_left(m->in) - MYSQL_HEADER);
	switch (mysql_read_execute(body, st->nparams, m->c->caps, x)) {
	case FRAME_OK:
		break;
	case FRAME_SHORT:
		if (!is_whole) {
			*how = false;
			x->is_cut = rd_left(&body) >= LOOK_MAX;
			return x->is_cut;
		}
		/* fall through */
	case FRAME_BAD:
		*how = mysql_known_of(m->c->s.db)->is_mariadb ? answer_wrong(m) : answer_malformed(m);
		return false;
	}
	if (x->has_types && !take_types(st, body.p + x->types_at, x->types_len)) {
		*how = no_memory(m);
		return false;
	}
	if (x->has_params && !st->types) {
		*how = answer_wrong(m);
		return false;
	}
	return true;
}

/* What the server has of it; *ps is NULL when it has nothing yet: then *how is what to return. */
static void find_there(struct said *m, const struct mysql_statement *st, const struct istr *types,
		       const struct mysql_query *q, struct mysql_prepared **ps, bool *how)
{
	const struct istr *text = st->text, *other = NULL;
	*ps = st->held;
	if (*ps)
		return;
	if (q->rewrites && !(text = other = mysql_statement_rewrite(m->c, text, q))) {
		*how = no_memory(m);
		return;
	}
	*ps = mysql_prepared_find(&server_of(m)->cache, text, types);
	if (!*ps)
		*how = provide(m, text);
	istr_put(other);
}

static bool execute(struct said *m, struct mysql_statement *st, const struct mysql_query *q)
{
	struct mysql_client *c = m->c;
	struct mysql_server *p = server_of(m);
	struct mysql_prepared *ps;
	struct mysql_execute x;
	struct fault f;
	bool how;
	if (!read_types(m, st, &x, &how))
		return how;
	if ((x.cursor && session_pins_are_refused(&c->s, PIN_HOLD, &f)) ||
	    (st->is_refused && session_pins_are_refused(&c->s, PIN_LONG_DATA, &f))) {
		st->is_refused = false;
		return answer(m, &f);
	}
	find_there(m, st, x.is_cut || !x.has_params ? NULL : st->types, q, &ps, &how);
	if (!ps)
		return how;
	if (ps->nparams != st->nparams) { /* the same text has another meaning now */
		fault_set(&f, FAULT_PROTO, "Prepared statement needs to be re-prepared");
		fault_mysql(&f, ER_NEEDS_REPREPARE, "HY000");
		return answer(m, &f);
	}
	bool lacks_types = x.has_params && !x.is_cut && !x.has_types && st->types != ps->types;
	if (lacks_types && m->len >= MYSQL_PAYLOAD_MAX - st->types->len) {
		fault_set(&f, FAULT_UNSUP, "an EXECUTE of 16 MB needs the types of its parameters with it");
		return answer(m, &f);
	}
	if (mysql_expect_is_empty(&p->expect))
		session_request_begins(&c->s);
	if (!mysql_query_prepare(c, p, q) || !expect(m, st,
						     (x.cursor ? (unsigned)MYSQL_EXPECT_CURSOR : 0) |
							     (q->look.changes ? (unsigned)MYSQL_EXPECT_CHANGES : 0)))
		return no_memory(m);
	if (c->s.keeps_heard)
		mysql_says_prepared(c, st->text);
	if (x.has_params && !x.is_cut)
		mysql_prepared_types(&p->cache, ps, st->types);
	mysql_prepared_touch(&p->cache, ps);
	/* Of so many, or with so long names, nobody knows what it told the server; and the next one of such a length
	 * may come without types, for which there would be no room. */
	if (x.is_cut || (x.has_types && m->len > MYSQL_PAYLOAD_MAX - x.types_len - 1))
		keep(c, p, st, ps);
	if (x.cursor)
		hold(p, st, ps);
	uint32_t id = ps->id;
	if (x.cursor || st->has_cursor || st->has_long)
		set_state(c, p, st, x.cursor != 0, false);
	if (lacks_types)
		pass_with_types(m, id, &x, st->types);
	else
		pass_as(m, id);
	return true;
}

static bool send_long_data(struct said *m, struct mysql_statement *st)
{
	struct mysql_client *c = m->c;
	struct mysql_server *p = server_of(m);
	struct fault f;
	if (session_pins_are_refused(&c->s, PIN_LONG_DATA, &f)) { /* which its EXECUTE hears */
		st->is_refused = true;
		return answer(m, &f);
	}
	struct mysql_prepared *ps = st->held ? st->held : mysql_prepared_find(&p->cache, st->text, st->types);
	if (!ps)
		return provide(m, st->text);
	hold(p, st, ps);
	if (!st->has_long)
		set_state(c, p, st, st->has_cursor, true);
	pass_as(m, ps->id);
	return true;
}

static bool fetch(struct said *m, const struct mysql_statement *st)
{
	struct fault f;
	if (!st->has_cursor && is_owed(m))
		return wait(m);
	if (!st->has_cursor) {
		fault_set(&f, FAULT_PROTO, "The statement (%" PRIu32 ") has no open cursor", st->id);
		fault_mysql(&f, ER_NO_CURSOR, "HY000");
		return answer(m, &f);
	}
	if (!mysql_link(&m->c->s, m->in, MYSQL_HEADER + m->len))
		return false;
	if (!expect(m, st, 0))
		return no_memory(m);
	pass_as(m, st->held->id);
	return true;
}

/* What has no state there needs no server for this. */
static bool reset(struct said *m, struct mysql_statement *st)
{
	st->is_refused = false;
	if (!st->held)
		return answer(m, NULL);
	if (!mysql_link(&m->c->s, m->in, MYSQL_HEADER + m->len))
		return false;
	if (!expect(m, st, 0))
		return no_memory(m);
	uint32_t id = st->held->id;
	set_state(m->c, server_of(m), st, false, false);
	pass_as(m, id);
	return true;
}

/* What others may use stays there. */
static bool close_statement(struct said *m, struct mysql_statement *st)
{
	struct mysql_client *c = m->c;
	struct mysql_prepared *held = st->held;
	if (held) {
		struct mysql_server *p = server_of(m);
		pass_as(m, held->id);
		mysql_prepared_drop(&p->cache, held);
	} else {
		mysql_skip(c, m->len);
	}
	mysql_statement_drop(&c->statements, st);
	if (held)
		check_pins(c);
	return true;
}

bool mysql_statement_is(const struct mysql_client *c, uint8_t com)
{
	switch (com) {
	case MYSQL_COM_STMT_PREPARE:
	case MYSQL_COM_STMT_EXECUTE:
	case MARIADB_COM_STMT_BULK_EXECUTE:
	case MYSQL_COM_STMT_SEND_LONG_DATA:
	case MYSQL_COM_STMT_FETCH:
	case MYSQL_COM_STMT_RESET:
	case MYSQL_COM_STMT_CLOSE:
		return c->s.mode != POOL_SESSION;
	default:
		return false;
	}
}

bool mysql_statement_command(struct mysql_client *c, struct rd *in, uint32_t len, uint8_t seq, uint8_t com)
{
	struct said m = { c, in, len, seq, com };
	if (com == MYSQL_COM_STMT_PREPARE)
		return prepare(&m);
	if (len < ID_END - MYSQL_HEADER)
		return answer_malformed(&m);
	if (rd_left(in) < ID_END)
		return false;
	struct rd at = rd_of(in->p + ID_END - 4, 4);
	uint32_t id = rd_u32le(&at);
	if (id == MYSQL_STATEMENT_LAST) {
		if (is_owed(&m)) /* whether there is one is not known before */
			return wait(&m);
		id = c->last_prepared;
	}
	struct mysql_statement *st = mysql_statement_find(&c->statements, id);
	if (!st)
		return answer_unknown(&m, id);
	switch (com) {
	case MYSQL_COM_STMT_RESET:
		return reset(&m, st);
	case MYSQL_COM_STMT_CLOSE:
		return close_statement(&m, st);
	case MYSQL_COM_STMT_FETCH:
		return fetch(&m, st);
	default:
		break;
	}
	struct mysql_query q = { .rewrites = false };
	struct fault f;
	if (st->is_about && com != MYSQL_COM_STMT_SEND_LONG_DATA && !mysql_statement_look(c, st->text, &q, &f))
		return answer(&m, &f);
	if (!mysql_link(&c->s, in, MYSQL_HEADER + len))
		return false;
	return com == MYSQL_COM_STMT_SEND_LONG_DATA ? send_long_data(&m, st) : execute(&m, st, &q);
}

void mysql_statements_forget(struct mysql_client *c)
{
	mysql_statements_leave(c);
	mysql_statements_clear(&c->statements);
	mysql_statement_given_up(c);
	c->last_prepared = 0;
	c->s.pins &= ~(uint32_t)MINE;
}

void mysql_statements_leave(struct mysql_client *c)
{
	struct server *sv = c->s.server;
	struct mysql_server *p = sv ? mysql_server_of(sv) : NULL;
	while (p && !list_empty(&p->cache.held)) {
		mysql_prepared_doubt(&p->cache, list_owner(p->cache.held.next, struct mysql_prepared, in_list));
		sv->was_session = true;
	}
}

/* --- Answers of servers */

static struct mysql_client *client_of(struct mysql_server *p)
{
	return p->sv.session ? mysql_client_of(p->sv.session) : NULL;
}

bool mysql_statement_prepared(struct mysql_server *p, const struct mysql_expect_entry *x, const struct mysql_seen *seen,
			      uint32_t *id)
{
	struct mysql_client *c = client_of(p);
	bool is_own = x->flags & MYSQL_EXPECT_OWN;
	*id = 0;
	if (!c) /* which has left: it is cleaned */
		return true;
	bool is_kept = x->flags & MYSQL_EXPECT_KEPT;
	struct mysql_prepared *ps =
		mysql_prepared_add(&p->cache, is_kept ? NULL : x->text, seen->statement, seen->nparams);
	if (!ps)
		return false;
	if (is_own) {
		if (c->due_fault)
			mysql_prepared_doubt(&p->cache, ps);
		return true;
	}
	struct mysql_statement *st = mysql_statement_add(&c->statements, x->text, seen->nparams);
	if (!st)
		return false;
	st->is_about = x->flags & MYSQL_EXPECT_ABOUT;
	if (is_kept) {
		c->long_may = c->pieces ? c->long_may : 0; /* what it leaves behind stays where it is */
		st->held = ps;
		mysql_statement_keep(&c->statements, st);
		check_pins(c);
	}
	*id = c->last_prepared = st->id;
	return true;
}

void mysql_statement_failed(struct mysql_server *p, const struct mysql_expect_entry *x, const struct mysql_err *e)
{
	struct mysql_client *c = client_of(p);
	if (!c)
		return;
	if (x->flags & MYSQL_EXPECT_OWN) {
		if (!c->due_fault)
			c->due_fault = malloc(sizeof *c->due_fault);
		if (!c->due_fault) {
			mysql_no_memory(&p->sv);
			return;
		}
		fault_set(c->due_fault, FAULT_PROTO, "%.*s", (int)rd_left(&e->text), (const char *)e->text.p);
		fault_mysql(c->due_fault, e->code, e->state);
		return;
	}
	if (x->com == MYSQL_COM_STMT_PREPARE) {
		c->last_prepared = 0;
		return;
	}
	struct mysql_statement *st = mysql_statement_find(&c->statements, x->number);
	if (!st)
		return;
	if (x->flags & MYSQL_EXPECT_CURSOR && st->has_cursor)
		set_state(c, p, st, false, st->has_long);
	struct mysql_prepared *ps = st->held || !st->text ? NULL : mysql_prepared_find(&p->cache, st->text, st->types);
	if (ps && (e->code == ER_UNKNOWN_HANDLER || e->code == ER_NEEDS_REPREPARE || e->code == ER_WRONG_ARGUMENTS ||
		   e->code == ER_MALFORMED)) /* the server knows it no more, or which types it knows is not known */
		mysql_prepared_doubt(&p->cache, ps);
}

void mysql_statement_ran(struct mysql_server *p, const struct mysql_expect_entry *x, uint16_t status, bool has_rows)
{
	struct mysql_client *c = client_of(p);
	bool has_none;
	if (x->com == MYSQL_COM_STMT_FETCH)
		has_none = status & MYSQL_STATUS_LAST_ROW_SENT;
	else /* MySQL 9 tells of the cursor of the statement before when this one has no rows */
		has_none = x->flags & MYSQL_EXPECT_CURSOR && !(has_rows && status & MYSQL_STATUS_CURSOR_EXISTS);
	struct mysql_statement *st = c && has_none ? mysql_statement_find(&c->statements, x->number) : NULL;
	if (st && st->has_cursor)
		set_state(c, p, st, false, st->has_long);
}
