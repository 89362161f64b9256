/* ask.c - clients of an engine on the exchange: their queries, prepared statements and portals. PostgreSQL docs,
 * Frontend/Backend Protocol, Message Flow: Simple Query, Extended Query.
 *
 * What differs from PostgreSQL: statements have no parameters, no transaction is ever open, and so portals whose rows
 * are not all sent live on behind a Sync. */
#include "pg/ask.h"

#include "pg/batch.h"

#include <stdlib.h>

#define PORTALS_MAX 64u
#define BYTES_MAX   (256u << 10) /* of one client's prepared statements */

/* --- Prepared statements and portals */

static struct stmt *stmt_new(const struct pg_parse *m)
{
	size_t name = strlen(m->name) + 1, bytes = sizeof(struct stmt) + name + m->text_len + 1;
	struct stmt *st = calloc(1, bytes);
	if (!st)
		return NULL;
	list_init(&st->in_client);
	st->refs = 1;
	st->bytes = bytes;
	st->name = (char *)(st + 1);
	st->text = st->name + name;
	st->len = m->text_len;
	memcpy(st->name, m->name, name);
	memcpy(st->text, m->text, m->text_len);
	return st;
}

static void stmt_put(struct stmt *st)
{
	if (st && --st->refs == 0)
		free(st);
}

static struct stmt *stmt_find(const struct pg_sink *k, const char *name)
{
	for (struct list *at = k->stmts.next; at != &k->stmts; at = at->next)
		if (strcmp(list_owner(at, struct stmt, in_client)->name, name) == 0)
			return list_owner(at, struct stmt, in_client);
	return NULL;
}

/* Its name means nothing any more; portals that it has go on. */
static void stmt_close(struct pg_sink *k, struct stmt *st)
{
	if (!st)
		return;
	list_del(&st->in_client);
	k->bytes -= st->bytes;
	stmt_put(st);
}

static struct portal *portal_find(const struct pg_sink *k, const char *name)
{
	for (struct list *at = k->portals.next; at != &k->portals; at = at->next)
		if (strcmp(list_owner(at, struct portal, in_client)->name, name) == 0)
			return list_owner(at, struct portal, in_client);
	return NULL;
}

static void portal_free(struct pg_sink *k, struct portal *p)
{
	list_del(&p->in_client);
	k->nportals--;
	stmt_put(p->stmt);
	free(p->name);
	free(p);
}

static void portal_close(struct pg_sink *k, struct portal *p)
{
	struct session *s = &k->client->s;
	if (!p)
		return;
	if (p->at)
		s->db->exchange->drop(s, p->at);
	portal_free(k, p);
}

/* The end of what is a transaction elsewhere. */
static void close_portals(struct pg_sink *k)
{
	LIST_EACH (&k->portals, it) {
		struct portal *p = list_owner(it, struct portal, in_client);
		if (!p->at || !*p->name)
			portal_close(k, p);
	}
}

struct pg_sink *pg_sink_new(struct pg_client *c)
{
	struct pg_sink *k = calloc(1, sizeof *k);
	if (!k)
		return NULL;
	k->sink.ops = &pg_sink_ops;
	k->client = c;
	list_init(&k->stmts);
	list_init(&k->portals);
	return k;
}

/* The exchange is closed, and the cursors are gone. */
void pg_sink_free(struct pg_sink *k)
{
	if (!k)
		return;
	while (!list_empty(&k->portals))
		portal_free(k, list_owner(k->portals.next, struct portal, in_client));
	while (!list_empty(&k->stmts))
		stmt_close(k, list_owner(k->stmts.next, struct stmt, in_client));
	if (k->step == STEP_PARSE)
		stmt_put(k->stmt);
	free(k);
}

/* --- Answers that need no engine */

static void put_bare(struct pg_sink *k, uint8_t type)
{
	struct pg_out o;
	if (!pg_sink_room(k, PG_HEADER, &o))
		return;
	pg_begin(&o, type);
	pg_end(&o);
}

static void put_no_parameters(struct pg_sink *k)
{
	struct pg_out o;
	if (!pg_sink_room(k, PG_HEADER + 2, &o))
		return;
	pg_begin(&o, PG_PARAMETER_DESCRIPTION);
	pg_put_u16(&o, 0);
	pg_end(&o);
}

/* The batch has failed: the rest of it is dropped. */
static void refuse(struct pg_sink *k, const struct fault *f)
{
	k->client->s.door->tell(&k->client->s, f, false);
	k->is_skipping = true;
}

static void refuse_as(struct pg_sink *k, enum fault_kind kind, const char *sqlstate, const char *text, const char *name)
{
	struct fault f;
	fault_set(&f, kind, text, name);
	fault_sqlstate(&f, sqlstate);
	refuse(k, &f);
}

static void refuse_parameters(struct pg_sink *k)
{
	struct fault f;
	fault_set(&f, FAULT_UNSUP, "statements of the console take no parameters");
	fault_hint(&f, "Write the value into the statement's text.");
	refuse(k, &f);
}

static void refuse_nomem(struct pg_sink *k)
{
	struct fault f;
	fault_set(&f, FAULT_NOMEM, "no memory for a statement");
	refuse(k, &f);
}

static bool no_statement(struct pg_sink *k, const struct stmt *st, const char *name)
{
	if (st)
		return false;
	refuse_as(k, FAULT_SYNTAX, "26000",
		  *name ? "prepared statement \"%s\" does not exist" : "unnamed prepared statement does not exist%s",
		  name);
	return true;
}

static bool no_portal(struct pg_sink *k, const struct portal *p, const char *name)
{
	if (!p)
		refuse_as(k, FAULT_SYNTAX, "34000", "portal \"%s\" does not exist", name);
	return !p;
}

/* --- Steps: what the engine answers */

static void begin_step(struct pg_sink *k, enum step step, struct stmt *st, struct portal *p)
{
	struct session *s = &k->client->s;
	k->step = step;
	k->stmt = st;
	k->portal = p;
	k->has_cols = k->has_failed = false;
	k->bad_col = 0;
	k->cols = NULL;
	k->ncols = 0;
	k->client->asking = true;
	session_move(s, SESSION_ACTIVE);
	s->request_us = loop_now_us();
}

static void describe(struct pg_sink *k, const struct stmt *st)
{
	struct session *s = &k->client->s;
	struct request r = { .text = { st->text, st->len } };
	s->db->exchange->describe(s, &r, &k->sink);
}

static void parse_ended(struct pg_sink *k)
{
	struct stmt *st = k->stmt;
	k->stmt = NULL;
	if (k->has_failed) {
		stmt_put(st);
		return;
	}
	list_add(&k->stmts, &st->in_client);
	k->bytes += st->bytes;
	put_bare(k, PG_PARSE_COMPLETE);
}

void pg_step_ended(struct pg_sink *k)
{
	struct pg_client *c = k->client;
	c->asking = false;
	if (c->s.state == SESSION_DEAD)
		return;
	session_move(&c->s, SESSION_IDLE);
	switch (k->step) {
	case STEP_QUERY:
		pg_tell_ready(&c->s);
		break;
	case STEP_PARSE:
		parse_ended(k);
		break;
	case STEP_DESCRIBE:
		if (!k->has_failed && !k->has_cols)
			put_bare(k, PG_NO_DATA);
		break;
	case STEP_EXECUTE:
		break;
	}
	k->is_skipping = k->has_failed && k->step != STEP_QUERY;
	if (stream_kept(&c->s.stream))
		session_resume_input(&c->s);
}

/* --- Messages */

static void on_query(struct pg_sink *k, struct rd body)
{
	struct session *s = &k->client->s;
	struct request r = { .max_rows = 0 };
	r.text.s = rd_cstr(&body, &r.text.len);
	if (!rd_done(&body)) {
		pg_protocol_fault(s, "invalid string in Query");
		return;
	}
	close_portals(k);
	stmt_close(k, stmt_find(k, ""));
	begin_step(k, STEP_QUERY, NULL, NULL);
	s->db->exchange->ask(s, &r, &k->sink);
}

static void on_parse(struct pg_sink *k, struct rd body)
{
	struct pg_parse m;
	if (!pg_read_parse(body, &m)) {
		pg_protocol_fault(&k->client->s, "invalid Parse message");
		return;
	}
	if (m.ntypes) {
		refuse_parameters(k);
		return;
	}
	if (*m.name && stmt_find(k, m.name)) {
		refuse_as(k, FAULT_SYNTAX, "42P05", "prepared statement \"%s\" already exists", m.name);
		return;
	}
	if (!*m.name)
		stmt_close(k, stmt_find(k, ""));
	struct stmt *st = stmt_new(&m);
	if (!st) {
		refuse_nomem(k);
		return;
	}
	if (st->bytes > BYTES_MAX - k->bytes) {
		stmt_put(st);
		refuse_as(k, FAULT_BUSY, "53400", "too many prepared statements on the console%s", "");
		return;
	}
	begin_step(k, STEP_PARSE, st, NULL);
	describe(k, st);
}

/* The formats that a Bind asks for, a byte each. False: the client is told. */
static bool read_formats(struct pg_sink *k, const struct pg_bind *m, const struct stmt *st, uint8_t *out)
{
	struct rd at = m->formats;
	struct fault f;
	if (m->nformats > 1 && m->nformats != st->ncols) {
		fault_set(&f, FAULT_PROTO, "bind message has %u result formats but query has %zu columns", m->nformats,
			  st->ncols);
		refuse(k, &f);
		return false;
	}
	for (unsigned i = 0; i < m->nformats; i++) {
		uint16_t format = rd_u16be(&at);
		if (format > 1) {
			fault_set(&f, FAULT_PROTO, "unsupported format code: %u", (unsigned)format);
			fault_sqlstate(&f, "22023");
			refuse(k, &f);
			return false;
		}
		out[i] = (uint8_t)format;
	}
	return true;
}

static void on_bind(struct pg_sink *k, struct rd body)
{
	struct pg_bind m;
	if (!pg_read_bind(body, &m)) {
		pg_protocol_fault(&k->client->s, "invalid Bind message");
		return;
	}
	struct stmt *st = stmt_find(k, m.name);
	if (no_statement(k, st, m.name))
		return;
	if (m.nparams || m.nparam_formats > 1) {
		refuse_parameters(k);
		return;
	}
	struct portal *old = portal_find(k, m.portal);
	if (old && *m.portal) {
		refuse_as(k, FAULT_SYNTAX, "42P03", "portal \"%s\" already exists", m.portal);
		return;
	}
	portal_close(k, old);
	if (k->nportals >= PORTALS_MAX) {
		refuse_as(k, FAULT_BUSY, "53400", "too many open portals on the console%s", "");
		return;
	}
	struct portal *p = calloc(1, sizeof *p + m.nformats);
	if (p)
		p->name = strdup(m.portal);
	if (!p || !p->name) {
		free(p);
		refuse_nomem(k);
		return;
	}
	p->stmt = st;
	st->refs++;
	p->nformats = m.nformats;
	list_add(&k->portals, &p->in_client);
	k->nportals++;
	if (read_formats(k, &m, st, p->formats))
		put_bare(k, PG_BIND_COMPLETE);
	else
		portal_close(k, p);
}

static void on_describe(struct pg_sink *k, struct rd body)
{
	struct pg_target m;
	if (!pg_read_target(body, &m)) {
		pg_protocol_fault(&k->client->s, "invalid Describe message");
		return;
	}
	struct stmt *st = NULL;
	struct portal *p = NULL;
	if (m.kind == 'S') {
		st = stmt_find(k, m.name);
		if (no_statement(k, st, m.name))
			return;
		put_no_parameters(k);
	} else {
		p = portal_find(k, m.name);
		if (no_portal(k, p, m.name))
			return;
		st = p->stmt;
	}
	begin_step(k, STEP_DESCRIBE, st, p);
	describe(k, st);
}

static void on_execute(struct pg_sink *k, struct rd body)
{
	struct session *s = &k->client->s;
	struct pg_execute m;
	if (!pg_read_execute(body, &m)) {
		pg_protocol_fault(s, "invalid Execute message");
		return;
	}
	struct portal *p = portal_find(k, m.portal);
	if (no_portal(k, p, m.portal))
		return;
	if (p->is_done && !p->stmt->ncols) { /* it does something, and not twice */
		refuse_as(k, FAULT_SYNTAX, "55000", "portal \"%s\" cannot be run", p->name);
		return;
	}
	begin_step(k, STEP_EXECUTE, NULL, p);
	if (p->is_done) { /* there are no more rows */
		k->sink.ops->done(&k->sink, "SHOW", 0);
		pg_step_ended(k);
		return;
	}
	struct request r = { { p->stmt->text, p->stmt->len }, m.max_rows, p->at };
	p->at = NULL;
	s->db->exchange->ask(s, &r, &k->sink);
}

static void on_close(struct pg_sink *k, struct rd body)
{
	struct pg_target m;
	if (!pg_read_target(body, &m)) {
		pg_protocol_fault(&k->client->s, "invalid Close message");
		return;
	}
	if (m.kind == 'S')
		stmt_close(k, stmt_find(k, m.name));
	else
		portal_close(k, portal_find(k, m.name));
	put_bare(k, PG_CLOSE_COMPLETE);
}

static void on_sync(struct pg_sink *k)
{
	k->is_skipping = false;
	close_portals(k);
	pg_tell_ready(&k->client->s);
}

static void on_message(struct pg_sink *k, uint8_t type, struct rd body)
{
	struct fault f;
	switch (type) {
	case PG_QUERY:
		on_query(k, body);
		return;
	case PG_PARSE:
		on_parse(k, body);
		return;
	case PG_BIND:
		on_bind(k, body);
		return;
	case PG_DESCRIBE:
		on_describe(k, body);
		return;
	case PG_EXECUTE:
		on_execute(k, body);
		return;
	case PG_CLOSE:
		on_close(k, body);
		return;
	case PG_SYNC:
		on_sync(k);
		return;
	default: /* FunctionCall, which is answered like a Query */
		fault_set(&f, FAULT_UNSUP, "there are no functions on the console");
		k->client->s.door->tell(&k->client->s, &f, false);
		pg_tell_ready(&k->client->s);
	}
}

bool pg_ask_message(struct session *s, struct rd *in, uint8_t type, uint32_t total)
{
	struct pg_client *c = pg_client_of(s);
	struct pg_sink *k = c->sink;
	struct pg_msg m;

	if (c->asking)
		return false;
	switch (type) {
	case PG_QUERY:
	case PG_PARSE:
	case PG_BIND:
	case PG_DESCRIBE:
	case PG_EXECUTE:
	case PG_CLOSE:
	case PG_FUNCTION_CALL:
		if (k->is_skipping)
			break;
		/* fall through */
	case PG_SYNC:
		switch (pg_frame(in, STREAM_KEEP_MAX / 2, &m)) {
		case FRAME_OK:
			on_message(k, type, m.body);
			return true;
		case FRAME_BAD:
			pg_protocol_fault(s, "message too long for the console");
			return false;
		case FRAME_SHORT:
			return false;
		}
		break;
	case PG_FLUSH: /* all is under way */
	case PG_COPY_DATA:
	case PG_COPY_DONE:
	case PG_COPY_FAIL: /* of no copy: dropped, as a server does */
		break;
	default:
		pg_protocol_fault(s, "unknown message type");
		return false;
	}
	c->in_left = total;
	c->in_skip = true;
	return true;
}
