/* door_within.c - what the house says itself within a client's batch: statements that its server lacks, and the
 * settings that they were parsed under; what is sure to fail. PostgreSQL docs, Message Flow: Extended Query. */
#include "pg/door_prepared_int.h"

#include "core/assert.h"
#include "core/str.h"

enum pg_pass pg_said_no_memory(struct pg_said *m)
{
	struct fault f;
	fault_set(&f, FAULT_NOMEM, "no memory for a prepared statement");
	session_fail(&m->c->s, &f);
	return PG_PASS_FAILED;
}

/* An entry takes the references in x over, also when it fails. */
bool pg_expect_one(struct pg_said *m, const struct expect_entry *x)
{
	if (expect_sent(&m->p->expect, x))
		return true;
	m->p->expect.gone(&m->p->expect, x, EXPECT_SKIPPED);
	return false;
}

/* Parse under the server's name ("" for the unnamed one). */
bool pg_put_parse(struct pg_server *p, const char *name, const struct istr *text)
{
	size_t named = strlen(name) + 1, n = PG_HEADER + named + text->len;
	uint8_t *room = stream_put_room(&p->sv.stream, n);
	if (!room)
		return true; /* the stream tells of it */
	struct pg_out o = pg_out(room, n);
	pg_begin(&o, PG_PARSE);
	pg_put(&o, name, named);
	pg_put(&o, text->s, text->len);
	pg_end(&o);
	p->sv.session->pool->stats.v[STAT_server_parse_count]++;
	return true;
}

void pg_put_named(struct pg_server *p, uint8_t type, const char *name)
{
	uint8_t bytes[PG_HEADER + 1 + SQL_IDENT_MAX + 1];
	struct pg_out o = pg_out(bytes, sizeof bytes);
	pg_begin(&o, type);
	pg_put_u8(&o, 'S');
	pg_put_cstr(&o, name);
	pg_end(&o);
	ASSERT(!o.bad);
	stream_put_copy(&p->sv.stream, o.p, o.len);
}

/* Before one message: what is more, once the setting was lowered, waits for those that follow. */
#define CLOSES_MAX 64

/* Closes what the server has too many of. */
bool pg_make_room(struct pg_said *m)
{
	uint32_t most = (uint32_t)config_num(config_now(), SET_max_prepared_statements, NULL, NULL);
	struct pg_prepared *s;
	for (int n = 0; n < CLOSES_MAX && (s = pg_prepared_evict(&m->p->cache, most ? most : 1)); n++) {
		char name[PG_SERVER_NAME_MAX];
		pg_prepared_name(s, name);
		if (!pg_expect_one(m,
				   &(struct expect_entry){ .kind = EXPECT_CLOSE, .flags = EXPECT_OWN, .prepared = s }))
			return false;
		pg_put_named(m->p, PG_CLOSE, name);
	}
	return true;
}

bool pg_run_within(struct pg_client *c, const char *sql, const struct expect_entry *execute)
{
	static const char own[] = PG_SERVER_NAME "OWN";
	static const uint8_t kinds[] = { EXPECT_PARSE, EXPECT_BIND, EXPECT_EXECUTE, EXPECT_CLOSE, EXPECT_CLOSE };
	struct pg_said m = { .c = c, .p = pg_server_of(c->s.server) };
	size_t len = strlen(sql) + 1, n = 5 * PG_HEADER + 6 * sizeof own + len + 14;
	for (size_t i = 0; i < sizeof kinds; i++) {
		const struct expect_entry x = { .kind = kinds[i], .flags = EXPECT_OWN };
		bool ok = pg_expect_one(&m, kinds[i] == EXPECT_EXECUTE ? execute : &x);
		if (!ok && kinds[i] < EXPECT_EXECUTE)
			m.p->expect.gone(&m.p->expect, execute, EXPECT_SKIPPED);
		if (!ok)
			return false;
	}
	uint8_t *room = stream_put_room(&m.p->sv.stream, n);
	if (!room)
		return true; /* the stream tells of it */
	struct pg_out o = pg_out(room, n);
	pg_begin(&o, PG_PARSE);
	pg_put(&o, own, sizeof own);
	pg_put(&o, sql, len);
	pg_put_u16(&o, 0);
	pg_end(&o);
	pg_begin(&o, PG_BIND);
	pg_put(&o, own, sizeof own);
	pg_put(&o, own, sizeof own);
	pg_put_u16(&o, 0);
	pg_put_u16(&o, 0);
	pg_put_u16(&o, 0);
	pg_end(&o);
	pg_begin(&o, PG_EXECUTE);
	pg_put(&o, own, sizeof own);
	pg_put_u32(&o, 0);
	pg_end(&o);
	pg_begin(&o, PG_CLOSE);
	pg_put_u8(&o, 'P');
	pg_put(&o, own, sizeof own);
	pg_end(&o);
	pg_begin(&o, PG_CLOSE);
	pg_put_u8(&o, 'S');
	pg_put(&o, own, sizeof own);
	pg_end(&o);
	ASSERT(!o.bad && o.len == n);
	return true;
}

/* The same, of a statement of the house's that takes it to other settings; an empty one is none. */
bool pg_run_settings(struct pg_said *m, const struct sb *sql)
{
	return !sql->len ||
	       pg_run_within(m->c, sb_str(sql), &(struct expect_entry){ .kind = EXPECT_EXECUTE, .flags = EXPECT_OWN });
}

/* SQL's PREPARE, of a text as door_script.c remembers it. x: what is expected of it, as pg_run_within() has it. */
bool pg_run_prepare(struct pg_said *m, const char *name, const struct istr *text, const struct expect_entry *x)
{
	struct sb sql = { .max = PG_PARSE_MAX };
	char quoted[SQL_IDENT_QUOTED];
	int len = sql_quote_ident(name, strlen(name), quoted, sizeof quoted);
	ASSERT(len > 0);
	sb_add(&sql, "PREPARE ");
	sb_add_n(&sql, quoted, (size_t)len);
	sb_add(&sql, " "); /* a word may follow the name's quotes at once, and now there may be none */
	sb_add_n(&sql, text->s + 1, text->len - 1);
	bool ok = !sql.bad;
	if (ok)
		ok = pg_run_within(m->c, sb_str(&sql), x);
	else
		m->p->expect.gone(&m->p->expect, x, EXPECT_SKIPPED);
	sb_free(&sql);
	return ok;
}

/* Sends a Parse of this text under a new number; whose: the entry's flags, and the client's name for it or NULL. */
struct pg_prepared *pg_prepare(struct pg_said *m, struct pg_text *text, unsigned flags, struct pg_name *n)
{
	char name[PG_SERVER_NAME_MAX];
	if (!pg_make_room(m))
		return NULL;
	struct pg_prepared *s = pg_prepared_add(&m->p->cache, text, pg_prepared_number(&m->p->cache));
	if (!s)
		return NULL;
	pg_prepared_name(s, name);
	if (pg_is_script(text->said)) {
		ASSERT(!n); /* no Parse of a client's has such a body */
		return pg_run_prepare(m, name, text->said,
				      &(struct expect_entry){
					      .kind = EXPECT_EXECUTE, .flags = EXPECT_OWN, .prepared = s })
			       ? s
			       : NULL;
	}
	if (n) {
		n->refs++;
		n->batch = m->p->cache.batch;
	}
	if (!pg_expect_one(m, &(struct expect_entry){
				      .kind = EXPECT_PARSE, .flags = (uint16_t)flags, .prepared = s, .name = n }))
		return NULL;
	pg_put_parse(m->p, name, text->said);
	return s;
}

/* Prepares what the client's name means, on a server that does not have it: under the settings that it was parsed
 * under, or, where they cannot be had any more, those that hold now; then it is not the others' any more. */
struct pg_prepared *pg_prepare_as_meant(struct pg_said *m, struct pg_name *n)
{
	struct sb there = { .max = PG_LOOK_BYTES }, back = { .max = PG_LOOK_BYTES };
	struct pg_prepared *s = NULL;
	if (pg_text_is_meant(m->c, n->text))
		return pg_prepare(m, n->text, EXPECT_OWN, NULL);
	if (m->p->txn != 'E' && pg_text_settings(m->c, n->text, false, &there) &&
	    pg_text_settings(m->c, n->text, true, &back)) {
		if (pg_run_settings(m, &there) && (s = pg_prepare(m, n->text, EXPECT_OWN, NULL)) &&
		    !pg_run_settings(m, &back))
			s = NULL;
	} else {
		struct pg_text *own = pg_text_new(n->text->said);
		if (own) {
			pg_name_set(n, own);
			n->edition = 0;
			s = pg_prepare(m, own, EXPECT_OWN, NULL);
		}
	}
	sb_free(&there);
	sb_free(&back);
	return s;
}

/* Sends what is sure to fail, and has the client hear this instead. The server sees an error where there has to be one:
 * it aborts the transaction, and skips to the Sync. */
enum pg_pass pg_fail_with(struct pg_said *m, const struct fault *f)
{
	uint8_t bytes[PG_ERROR_MAX];
	struct pg_out o = pg_out(bytes, sizeof bytes);
	pg_put_error(&o, "ERROR", f);
	const struct istr *text = o.bad ? NULL : istr_get((const char *)o.p, o.len);
	if (!text || !pg_expect_one(m, &(struct expect_entry){
					       .kind = EXPECT_DESCRIBE, .flags = EXPECT_REPLACED, .text = text }))
		return pg_said_no_memory(m);
	pg_put_named(m->p, PG_DESCRIBE, PG_SERVER_NAME "0");
	return PG_PASS_DROP;
}

enum pg_pass pg_statement_fails(struct pg_client *c, const struct fault *f)
{
	return pg_fail_with(&(struct pg_said){ .c = c, .p = pg_server_of(c->s.server) }, f);
}

enum pg_pass pg_statement_no_memory(struct pg_client *c)
{
	return pg_said_no_memory(&(struct pg_said){ .c = c });
}
