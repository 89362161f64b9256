/* ask.c - clients of an engine on the exchange: their queries, and the answers to them. MySQL Source Code
 * Documentation, Client/Server Protocol: COM_QUERY Response, Text Resultset, Column Definition. */
#include "mysql/mysql_int.h"

#include "core/str.h"
#include "mysql/asked.h"

#include <stdlib.h>

#define UTF8MB4 45u

enum type { TYPE_LONG = 0x03, TYPE_LONGLONG = 0x08, TYPE_NEWDECIMAL = 0xf6, TYPE_VAR_STRING = 0xfd };

struct mysql_sink {
	struct result_sink sink;
	struct mysql_client *client;
	size_t ncols;
	bool has_rows; /* columns() was called for the statement under way */
	bool has_failed;
	/* The answer to a statement is held back until it is known whether another follows it. */
	uint8_t held;
};

enum { HELD_NOTHING, HELD_OK, HELD_ROWS };

static struct mysql_sink *sink_of(struct result_sink *k)
{
	return list_owner(k, struct mysql_sink, sink);
}

static const struct sink_ops sink_ops;

struct mysql_sink *mysql_sink_new(struct mysql_client *c)
{
	struct mysql_sink *k = calloc(1, sizeof *k);
	if (!k)
		return NULL;
	k->sink.ops = &sink_ops;
	k->client = c;
	return k;
}

void mysql_sink_free(struct mysql_sink *k)
{
	free(k);
}

static bool has_room(const struct mysql_sink *k)
{
	return !stream_is_stalled(&k->client->s.stream);
}

static bool room(struct mysql_sink *k, size_t n, struct mysql_out *o)
{
	uint8_t *p = stream_put_room(&k->client->s.stream, n);
	if (p)
		*o = mysql_out(p, n);
	return p != NULL;
}

static bool deprecates_eof(const struct mysql_sink *k)
{
	return k->client->caps & MYSQL_CAP_DEPRECATE_EOF;
}

static void put_eof(struct mysql_sink *k, uint16_t status)
{
	uint8_t bytes[MYSQL_OK_MAX];
	struct mysql_out o = mysql_out(bytes, sizeof bytes);
	mysql_put_eof(&o, k->client->seq++, status, 0);
	stream_put_copy(&k->client->s.stream, o.p, o.len);
}

static void put_ok(struct mysql_sink *k, uint8_t first, uint16_t status)
{
	uint8_t bytes[MYSQL_OK_MAX];
	struct mysql_out o = mysql_out(bytes, sizeof bytes);
	mysql_put_ok(&o, k->client->seq++, first, &(struct mysql_ok){ .status = status });
	stream_put_copy(&k->client->s.stream, o.p, o.len);
}

/* What was held back. more: another answer follows. */
static void tell_held(struct mysql_sink *k, bool more)
{
	uint16_t status = (uint16_t)(MYSQL_STATUS_AUTOCOMMIT | (more ? MYSQL_STATUS_MORE_RESULTS : 0));
	if (k->held == HELD_OK)
		put_ok(k, MYSQL_OK, status);
	else if (k->held == HELD_ROWS && deprecates_eof(k))
		put_ok(k, MYSQL_EOF, status);
	else if (k->held == HELD_ROWS)
		put_eof(k, status);
	k->held = HELD_NOTHING;
}

static uint8_t type_of(enum column_type t)
{
	switch (t) {
	case COL_INT4:
		return TYPE_LONG;
	case COL_INT8:
		return TYPE_LONGLONG;
	case COL_NUMERIC:
		return TYPE_NEWDECIMAL;
	case COL_TEXT:
	case COL_BOOL:
		break;
	}
	return TYPE_VAR_STRING;
}

static void put_column(struct mysql_sink *k, const struct column *col)
{
	size_t name = strlen(col->name), has_types = k->client->caps & MARIADB_CAP_EXTENDED_TYPES ? 1 : 0;
	struct mysql_out o;
	if (!room(k, MYSQL_HEADER + 4 + 3 + 2 * (mysql_lenenc_size(name) + name) + has_types + 13, &o))
		return;
	mysql_begin(&o, k->client->seq++);
	mysql_put_text(&o, "def", 3);
	mysql_put_text(&o, "", 0); /* of no schema, and no table */
	mysql_put_text(&o, "", 0);
	mysql_put_text(&o, "", 0);
	mysql_put_text(&o, col->name, name);
	mysql_put_text(&o, col->name, name);
	if (has_types)
		mysql_put_text(&o, "", 0);
	mysql_put_lenenc(&o, 12);
	mysql_put_u16(&o, UTF8MB4);
	mysql_put_u32(&o, 1024);
	mysql_put_u8(&o, type_of(col->type));
	mysql_put_u16(&o, 0);
	mysql_put_u8(&o, 0);
	mysql_put_u16(&o, 0);
	mysql_end(&o);
}

static bool columns(struct result_sink *sink, const struct column *cols, size_t n)
{
	struct mysql_sink *k = sink_of(sink);
	struct mysql_out o;
	tell_held(k, true);
	k->ncols = n;
	k->has_rows = true;
	if (!room(k, MYSQL_HEADER + mysql_lenenc_size(n), &o))
		return true;
	mysql_begin(&o, k->client->seq++);
	mysql_put_lenenc(&o, n);
	mysql_end(&o);
	for (size_t i = 0; i < n; i++)
		put_column(k, &cols[i]);
	if (!deprecates_eof(k))
		put_eof(k, MYSQL_STATUS_AUTOCOMMIT);
	return has_room(k);
}

static bool row(struct result_sink *sink, const struct cell *cells, size_t n)
{
	struct mysql_sink *k = sink_of(sink);
	size_t bytes = MYSQL_HEADER;
	struct mysql_out o;
	for (size_t i = 0; i < n; i++)
		bytes += cells[i].is_null ? 1 : mysql_lenenc_size(cells[i].text.len) + cells[i].text.len;
	if (!room(k, bytes, &o))
		return true;
	mysql_begin(&o, k->client->seq++);
	for (size_t i = 0; i < n; i++) {
		if (cells[i].is_null)
			mysql_put_u8(&o, 0xfb);
		else
			mysql_put_text(&o, cells[i].text.s, cells[i].text.len);
	}
	mysql_end(&o);
	return has_room(k);
}

static bool done(struct result_sink *sink, const char *tag, uint64_t rows)
{
	struct mysql_sink *k = sink_of(sink);
	(void)tag;
	(void)rows;
	tell_held(k, true); /* nothing, when this one had rows */
	k->held = k->has_rows ? HELD_ROWS : HELD_OK;
	k->has_rows = false;
	return has_room(k);
}

/* Nobody here asks for a part. */
static bool suspended(struct result_sink *sink, struct cursor *at)
{
	struct session *s = &sink_of(sink)->client->s;
	s->db->exchange->drop(s, at);
	return done(sink, "", 0);
}

/* There is no message for it; what is said so stands in the log too. */
static bool notice(struct result_sink *sink, const char *text)
{
	(void)text;
	return has_room(sink_of(sink));
}

static void fault(struct result_sink *sink, const struct fault *f)
{
	struct mysql_sink *k = sink_of(sink);
	tell_held(k, true);
	k->has_failed = true;
	mysql_tell(&k->client->s, f, false);
}

static void end(struct result_sink *sink)
{
	struct mysql_sink *k = sink_of(sink);
	struct mysql_client *c = k->client;
	if (!k->has_failed && k->held == HELD_NOTHING)
		k->held = HELD_OK; /* an empty query */
	tell_held(k, false);
	c->asking = false;
	if (c->s.state == SESSION_DEAD)
		return;
	session_move(&c->s, SESSION_IDLE);
	if (stream_kept(&c->s.stream) || stream_coded(&c->s.stream))
		session_resume_input(&c->s);
}

static const struct sink_ops sink_ops = {
	.columns = columns,
	.row = row,
	.done = done,
	.suspended = suspended,
	.notice = notice,
	.fault = fault,
	.end = end,
};

/* --- Commands */

static void query(struct mysql_client *c, struct rd body)
{
	struct session *s = &c->s;
	struct mysql_sink *k = c->sink;
	struct rd text;
	if (!mysql_read_query(body, c->caps, &text)) {
		mysql_protocol_fault(s, "malformed query");
		return;
	}
	struct request r = { .text = { (const char *)text.p, rd_left(&text) } };
	if (mysql_asked_to_set(r.text)) {
		mysql_tell_ok(c);
		return;
	}
	char host[ADDR_TEXT_MAX] = "localhost";
	if (s->addr.family != ADDR_UNIX)
		addr_host_text(&s->addr, host);
	const struct mysql_asked is = { .version = mysql_greeted_as(),
					.user = s->user->name->s,
					.host = host,
					.database = s->db->name->s,
					.id = mysql_number(s) };
	k->has_rows = k->has_failed = false;
	k->held = HELD_NOTHING;
	c->asking = true;
	session_move(s, SESSION_ACTIVE);
	s->request_us = loop_now_us();
	if (mysql_asked(&is, r.text, &k->sink))
		end(&k->sink);
	else
		s->db->exchange->ask(s, &r, &k->sink);
}

void mysql_ask_command(struct mysql_client *c, struct rd body)
{
	uint8_t com = rd_u8(&body);
	struct fault f;
	switch (com) {
	case MYSQL_COM_QUERY:
		query(c, body);
		return;
	case MYSQL_COM_PING:
	case MYSQL_COM_INIT_DB:
	case MYSQL_COM_RESET_CONNECTION:
	case MYSQL_COM_SET_OPTION:
		mysql_tell_ok(c);
		return;
	default:
		if (mysql_expect_of(com) == MYSQL_EXPECT_NOTHING)
			return;
		fault_set(&f, FAULT_UNSUP, "the console takes queries only");
		mysql_tell(&c->s, &f, false);
	}
}
