/* sink.c - the exchange in PostgreSQL's terms: questions and answers. PostgreSQL docs, Message Formats: RowDescription,
 * DataRow, CommandComplete. Text format only, as the simple query protocol has it. */
#include "pg/pg_int.h"

#include <stdlib.h>

struct pg_sink {
	struct result_sink sink;
	struct pg_client *client;
};

static struct pg_sink *sink_of(struct result_sink *k)
{
	return list_owner(k, struct pg_sink, sink);
}

/* oid and length of each type, as pg_type has them. */
static void type_of(enum column_type t, uint32_t *oid, uint16_t *len)
{
	switch (t) {
	case COL_TEXT:
		*oid = 25, *len = UINT16_MAX;
		return;
	case COL_INT4:
		*oid = 23, *len = 4;
		return;
	case COL_INT8:
		*oid = 20, *len = 8;
		return;
	case COL_NUMERIC:
		*oid = 1700, *len = UINT16_MAX;
		return;
	case COL_BOOL:
		*oid = 16, *len = 1;
		return;
	}
}

/* Room for a message of n bytes; false: the client's stream is broken, and tells of it itself. */
static bool room(struct pg_sink *k, size_t n, struct pg_out *o)
{
	uint8_t *p = stream_put_room(&k->client->s.stream, n);
	if (p)
		*o = pg_out(p, n);
	return p != NULL;
}

static bool has_room(const struct pg_sink *k)
{
	return !stream_is_stalled(&k->client->s.stream);
}

static bool columns(struct result_sink *sink, const struct column *cols, size_t n)
{
	struct pg_sink *k = sink_of(sink);
	size_t bytes = PG_HEADER + 2;
	struct pg_out o;
	for (size_t i = 0; i < n; i++)
		bytes += strlen(cols[i].name) + 1 + 18;
	if (!room(k, bytes, &o))
		return true;
	pg_begin(&o, PG_ROW_DESCRIPTION);
	pg_put_u16(&o, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		uint32_t oid = 25;
		uint16_t len = UINT16_MAX;
		type_of(cols[i].type, &oid, &len);
		pg_put_cstr(&o, cols[i].name);
		pg_put_u32(&o, 0); /* of no table */
		pg_put_u16(&o, 0);
		pg_put_u32(&o, oid);
		pg_put_u16(&o, len);
		pg_put_u32(&o, UINT32_MAX); /* no modifier */
		pg_put_u16(&o, 0);          /* text */
	}
	pg_end(&o);
	return has_room(k);
}

static bool row(struct result_sink *sink, const struct cell *cells, size_t n)
{
	struct pg_sink *k = sink_of(sink);
	size_t bytes = PG_HEADER + 2;
	struct pg_out o;
	for (size_t i = 0; i < n; i++)
		bytes += 4 + (cells[i].is_null ? 0 : cells[i].text.len);
	if (!room(k, bytes, &o))
		return true;
	pg_begin(&o, PG_DATA_ROW);
	pg_put_u16(&o, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		if (cells[i].is_null) {
			pg_put_u32(&o, UINT32_MAX);
			continue;
		}
		pg_put_u32(&o, (uint32_t)cells[i].text.len);
		pg_put(&o, cells[i].text.s, cells[i].text.len);
	}
	pg_end(&o);
	return has_room(k);
}

/* tag "": the statement was empty. */
static bool done(struct result_sink *sink, const char *tag, uint64_t rows)
{
	struct pg_sink *k = sink_of(sink);
	size_t bytes = PG_HEADER + (*tag ? strlen(tag) + 1 : 0);
	struct pg_out o;
	(void)rows; /* PostgreSQL's own SHOW has no count in its tag either */
	if (!room(k, bytes, &o))
		return true;
	pg_begin(&o, *tag ? PG_COMMAND_COMPLETE : PG_EMPTY_QUERY);
	if (*tag)
		pg_put_cstr(&o, tag);
	pg_end(&o);
	return has_room(k);
}

static bool notice(struct result_sink *sink, const char *text)
{
	struct pg_sink *k = sink_of(sink);
	struct pg_out o;
	if (!room(k, PG_HEADER + sizeof "SNOTICE" + sizeof "VNOTICE" + sizeof "C00000" + 1 + strlen(text) + 1 + 1, &o))
		return true;
	pg_begin(&o, PG_NOTICE);
	pg_put_cstr(&o, "SNOTICE");
	pg_put_cstr(&o, "VNOTICE");
	pg_put_cstr(&o, "C00000");
	pg_put_u8(&o, 'M');
	pg_put_cstr(&o, text);
	pg_put_u8(&o, 0);
	pg_end(&o);
	return has_room(k);
}

static void fault(struct result_sink *sink, const struct fault *f)
{
	sink_of(sink)->client->s.door->tell(&sink_of(sink)->client->s, f, false);
}

static void end(struct result_sink *sink)
{
	pg_client_answered(sink_of(sink)->client);
}

static const struct sink_ops ops = { columns, row, done, notice, fault, end };

struct pg_sink *pg_sink_new(struct pg_client *c)
{
	struct pg_sink *k = calloc(1, sizeof *k);
	if (k) {
		k->sink.ops = &ops;
		k->client = c;
	}
	return k;
}

void pg_sink_free(struct pg_sink *k)
{
	free(k);
}

struct result_sink *pg_sink_of(struct pg_sink *k)
{
	return &k->sink;
}

/* --- Asking */

void pg_client_answered(struct pg_client *c)
{
	c->asking = false;
	if (c->s.state == SESSION_DEAD)
		return;
	session_move(&c->s, SESSION_IDLE);
	pg_tell_ready(&c->s);
	if (stream_kept(&c->s.stream))
		session_resume_input(&c->s);
}

void pg_ask_console(struct session *s, struct rd body)
{
	struct pg_client *c = pg_client_of(s);
	struct request r = { .max_rows = 0 };
	r.text.s = rd_cstr(&body, &r.text.len);
	if (!rd_done(&body)) {
		pg_protocol_fault(s, "invalid string in Query");
		return;
	}
	session_move(s, SESSION_ACTIVE);
	c->asking = true;
	s->request_us = loop_now_us();
	s->db->exchange->ask(s, &r, pg_sink_of(c->sink));
}
