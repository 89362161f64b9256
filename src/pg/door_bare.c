/* door_bare.c - statements that a server has under the name that its client gives them, as SQL by the extended protocol
 * is not said in other words. Only a client that keeps its server has such; what others find there is somebody else's.
 * PostgreSQL docs: PREPARE, EXECUTE, DEALLOCATE; Message Flow: Extended Query. */
#include "pg/door_prepared_int.h"

#include "core/assert.h"

/* May the server have some that are this client's, and not known here? */
bool pg_may_have_its_own(const struct pg_said *m)
{
	return m->c->s.pins || m->p->moves;
}

bool pg_name_is_there(const struct pg_client *c, const struct pg_name *n)
{
	return n->is_pinned && c->s.pins & PIN_PREPARED;
}

/* What the server may have under this name is gone. */
static bool close_bare(struct pg_said *m, const char *name)
{
	if (!pg_expect_one(m, &(struct expect_entry){ .kind = EXPECT_CLOSE, .flags = EXPECT_OWN }))
		return false;
	pg_put_named(m->p, PG_CLOSE, name);
	return true;
}

/* The server has what this name means under just that, and it is the client's from then on. */
static bool prepare_bare(struct pg_said *m, struct pg_name *n)
{
	const bool is_script = pg_is_script(n->text->said);
	const struct expect_entry x = { .kind = is_script ? EXPECT_EXECUTE : EXPECT_PARSE,
					.flags = EXPECT_OWN | EXPECT_USES,
					.name = n };
	if (!close_bare(m, n->name))
		return false;
	n->is_pinned = true;
	n->uses++;
	if (is_script)
		return pg_run_prepare(m, n->name, n->text->said, &x);
	return pg_expect_one(m, &x) && pg_put_parse(m->p, n->name, n->text->said);
}

/* Likewise, under the settings that it was parsed under, where they can be had. */
static bool prepare_bare_as_meant(struct pg_said *m, struct pg_name *n)
{
	struct sb there = { .max = PG_LOOK_BYTES }, back = { .max = PG_LOOK_BYTES };
	bool ok;
	if (m->p->txn != 'E' && !pg_text_is_meant(m->c, n->text) && pg_text_settings(m->c, n->text, false, &there) &&
	    pg_text_settings(m->c, n->text, true, &back))
		ok = pg_run_settings(m, &there) && prepare_bare(m, n) && pg_run_settings(m, &back);
	else
		ok = prepare_bare(m, n);
	sb_free(&there);
	sb_free(&back);
	return ok;
}

/* The one statement that a Parse's text is, if it speaks of a prepared statement; name: of which. SQL_EXECUTE: it
 * executes it, in whatever way. SQL_EMPTY: none. */
static enum sql_kind speaks_of(struct pg_client *c, const struct istr *text, char name[SQL_IDENT_MAX + 1])
{
	struct sql_reader r;
	struct sql_stmt st;
	unsigned mode = pg_sql_mode(c);
	sql_read_init(&r, text->s, strnlen(text->s, text->len), mode, NULL, 0);
	if (!sql_read(&r, &st))
		return SQL_EMPTY;
	bool speaks = st.kind == SQL_PREPARE || st.flags & SQL_EXECUTES ||
		      (st.kind == SQL_DEALLOCATE && !(st.flags & SQL_ALL));
	if (!speaks || sql_ident_decode(text->s + st.name.at, st.name.len, mode, name) < 0)
		return SQL_EMPTY;
	return st.flags & SQL_EXECUTES ? SQL_EXECUTE : st.kind;
}

/* The server has an empty statement of this name, for DEALLOCATE to find; and none that was left there before. */
static bool provide_empty(struct pg_said *m, const char *name)
{
	uint8_t bytes[PG_HEADER + SQL_IDENT_MAX + 1 + 1 + 2];
	struct pg_out o = pg_out(bytes, sizeof bytes);
	pg_begin(&o, PG_PARSE);
	pg_put_cstr(&o, name);
	pg_put_cstr(&o, "");
	pg_put_u16(&o, 0);
	pg_end(&o);
	ASSERT(!o.bad);
	if (!close_bare(m, name) ||
	    !pg_expect_one(m, &(struct expect_entry){ .kind = EXPECT_PARSE, .flags = EXPECT_OWN }))
		return false;
	stream_put_copy(&m->p->sv.stream, o.p, o.len);
	return true;
}

static enum pg_pass executes_deallocate(struct pg_said *m, struct pg_name *n, const char *name,
					struct expect_entry *behind)
{
	if (!pg_name_is_there(m->c, n) && !provide_empty(m, name))
		return pg_said_no_memory(m);
	*behind = (struct expect_entry){ .kind = EXPECT_CLOSE,
					 .flags = EXPECT_OWN | EXPECT_INVENTED | (n->changes ? EXPECT_SETS : 0u),
					 .name = n,
					 .closed = pg_text_ref(n->text) };
	n->refs++;
	n->batch = m->p->cache.batch;
	pg_name_set(n, NULL);
	return PG_PASS_AS_IT_IS;
}

enum pg_pass pg_statement_executes(struct pg_client *c, struct expect_entry *x, struct expect_entry *behind)
{
	struct pg_said m = { .c = c, .p = pg_server_of(c->s.server) };
	struct pg_cache *k = &m.p->cache;
	struct fault f;
	char name[SQL_IDENT_MAX + 1];
	if (pg_track_clears(c, x->text->s, strnlen(x->text->s, x->text->len))) {
		if (!pg_names_begin(&c->names))
			return pg_said_no_memory(&m);
		x->flags |= EXPECT_CLEARS;
		c->clears_due++;
		c->clears_batch = k->batch;
		k->clears++; /* what the server has so far it may not have any more */
		return PG_PASS_AS_IT_IS;
	}
	enum sql_kind kind = speaks_of(c, x->text, name);
	if (kind != SQL_DEALLOCATE && kind != SQL_PREPARE)
		return PG_PASS_AS_IT_IS;
	struct pg_name *n = pg_name_find(c->names, name, strlen(name));
	if (pg_name_is_unclear(&m, n))
		return pg_wait_for_answers(c);
	if (n && n->text && kind == SQL_DEALLOCATE)
		return executes_deallocate(&m, n, name, behind);
	if (n && n->text && !pg_name_is_there(c, n)) {
		fault_set(&f, FAULT_PROTO, "prepared statement \"%s\" already exists", name);
		fault_sqlstate(&f, "42P05");
		return pg_fail_with(&m, &f);
	}
	if (!pg_may_have_its_own(&m) && !close_bare(&m, name))
		return pg_said_no_memory(&m);
	return PG_PASS_AS_IT_IS; /* the server says whether there is one */
}

/* A Parse of EXECUTE: the server is to have what the client means by the name under just that. */
enum pg_pass pg_speaks_of_statement(struct pg_said *m, const struct istr *text)
{
	char name[SQL_IDENT_MAX + 1];
	struct session *s = &m->c->s;
	struct fault f;
	if (speaks_of(m->c, text, name) != SQL_EXECUTE)
		return PG_PASS_AS_IT_IS;
	struct pg_name *n = pg_name_find(m->c->names, name, strlen(name));
	if (pg_name_is_unclear(m, n))
		return pg_wait_for_answers(m->c);
	if (!n || !n->text)
		return pg_may_have_its_own(m) || close_bare(m, name) ? PG_PASS_AS_IT_IS : pg_said_no_memory(m);
	if (pg_name_is_there(m->c, n))
		return PG_PASS_AS_IT_IS;
	if (pg_must_wait_for_settings(m))
		return pg_wait_for_answers(m->c);
	if (session_pins_are_refused(s, PIN_PREPARED, &f))
		return pg_fail_with(m, &f);
	session_pin(s, PIN_PREPARED);
	return prepare_bare_as_meant(m, n) ? PG_PASS_AS_IT_IS : pg_said_no_memory(m);
}
