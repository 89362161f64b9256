/* door_prepared.c - what clients say about prepared statements, made true on whatever server they are linked to.
 * PostgreSQL docs, Message Flow: Extended Query; Message Formats: Parse, Bind, Describe, Close. */
#include "pg/pg_int.h"

#include "core/assert.h"
#include "core/str.h"

#include <stdlib.h>

/* A message being handled: the rest of what its client said is not looked at. */
struct said {
	struct pg_client *c;
	struct pg_server *p;
	uint8_t type;
	uint32_t total;
	bool changes;             /* what it is about changes its session, */
	const struct istr *about; /* borrowed: which is this */
	const uint8_t *behind;    /* the type of the message after it; NULL: not there yet */
};

static enum pg_pass no_memory(struct said *m)
{
	struct fault f;
	fault_set(&f, FAULT_NOMEM, "no memory for a prepared statement");
	session_fail(&m->c->s, &f);
	return PG_PASS_FAILED;
}

/* --- Sending */

/* An entry takes the references in x over, also when it fails. */
static bool expect_one(struct said *m, const struct expect_entry *x)
{
	if (expect_sent(&m->p->expect, x))
		return true;
	m->p->expect.gone(&m->p->expect, x, EXPECT_SKIPPED);
	return false;
}

/* Parse under the server's name ("" for the unnamed one). */
static bool put_parse(struct pg_server *p, const char *name, const struct istr *text)
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

static void put_named(struct pg_server *p, uint8_t type, const char *name)
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

#define CLOSES_MAX                                                                                                     \
	64 /* before one message: what is more, once the setting was lowered, waits for those that follow              \
	    */

/* Closes what the server has too many of. */
static bool make_room(struct said *m)
{
	uint32_t most = (uint32_t)config_num(config_now(), SET_max_prepared_statements, NULL, NULL);
	struct pg_prepared *s;
	for (int n = 0; n < CLOSES_MAX && (s = pg_prepared_evict(&m->p->cache, most ? most : 1)); n++) {
		char name[PG_SERVER_NAME_MAX];
		pg_prepared_name(s, name);
		if (!expect_one(m, &(struct expect_entry){ .kind = EXPECT_CLOSE, .flags = EXPECT_OWN, .prepared = s }))
			return false;
		put_named(m->p, PG_CLOSE, name);
	}
	return true;
}

bool pg_run_within(struct pg_client *c, const char *sql, const struct expect_entry *execute)
{
	static const char own[] = PG_SERVER_NAME "OWN";
	static const uint8_t kinds[] = { EXPECT_PARSE, EXPECT_BIND, EXPECT_EXECUTE, EXPECT_CLOSE, EXPECT_CLOSE };
	struct said m = { .c = c, .p = pg_server_of(c->s.server) };
	size_t len = strlen(sql) + 1, n = 5 * PG_HEADER + 6 * sizeof own + len + 14;
	for (size_t i = 0; i < sizeof kinds; i++) {
		const struct expect_entry x = { .kind = kinds[i], .flags = EXPECT_OWN };
		bool ok = expect_one(&m, kinds[i] == EXPECT_EXECUTE ? execute : &x);
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
static bool run_settings(struct said *m, const struct sb *sql)
{
	return !sql->len ||
	       pg_run_within(m->c, sb_str(sql), &(struct expect_entry){ .kind = EXPECT_EXECUTE, .flags = EXPECT_OWN });
}

/* SQL's PREPARE, of a text as door_script.c remembers it. x: what is expected of it, as pg_run_within() has it. */
static bool run_prepare(struct said *m, const char *name, const struct istr *text, const struct expect_entry *x)
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
static struct pg_prepared *prepare(struct said *m, struct pg_text *text, unsigned flags, struct pg_name *n)
{
	char name[PG_SERVER_NAME_MAX];
	if (!make_room(m))
		return NULL;
	struct pg_prepared *s = pg_prepared_add(&m->p->cache, text, pg_prepared_number(&m->p->cache));
	if (!s)
		return NULL;
	pg_prepared_name(s, name);
	if (pg_is_script(text->said)) {
		ASSERT(!n); /* no Parse of a client's has such a body */
		return run_prepare(m, name, text->said,
				   &(struct expect_entry){ .kind = EXPECT_EXECUTE, .flags = EXPECT_OWN, .prepared = s })
			       ? s
			       : NULL;
	}
	if (n) {
		n->refs++;
		n->batch = m->p->cache.batch;
	}
	if (!expect_one(m, &(struct expect_entry){
				   .kind = EXPECT_PARSE, .flags = (uint16_t)flags, .prepared = s, .name = n }))
		return NULL;
	put_parse(m->p, name, text->said);
	return s;
}

/* Prepares what the client's name means, on a server that does not have it: under the settings that it was parsed
 * under, or, where they cannot be had any more, those that hold now; then it is not the others' any more. */
static struct pg_prepared *prepare_as_meant(struct said *m, struct pg_name *n)
{
	struct sb there = { .max = PG_LOOK_BYTES }, back = { .max = PG_LOOK_BYTES };
	struct pg_prepared *s = NULL;
	if (pg_text_is_meant(m->c, n->text))
		return prepare(m, n->text, EXPECT_OWN, NULL);
	if (m->p->txn != 'E' && pg_text_settings(m->c, n->text, false, &there) &&
	    pg_text_settings(m->c, n->text, true, &back)) {
		if (run_settings(m, &there) && (s = prepare(m, n->text, EXPECT_OWN, NULL)) && !run_settings(m, &back))
			s = NULL;
	} else {
		struct pg_text *own = pg_text_new(n->text->said);
		if (own) {
			pg_name_set(n, own);
			n->edition = 0;
			s = prepare(m, own, EXPECT_OWN, NULL);
		}
	}
	sb_free(&there);
	sb_free(&back);
	return s;
}

/* Sends what is sure to fail, and has the client hear this instead. The server sees an error where there has to be one:
 * it aborts the transaction, and skips to the Sync. */
static enum pg_pass fail_with(struct said *m, const struct fault *f)
{
	uint8_t bytes[PG_ERROR_MAX];
	struct pg_out o = pg_out(bytes, sizeof bytes);
	pg_put_error(&o, "ERROR", f);
	const struct istr *text = o.bad ? NULL : istr_get((const char *)o.p, o.len);
	if (!text ||
	    !expect_one(m, &(struct expect_entry){ .kind = EXPECT_DESCRIBE, .flags = EXPECT_REPLACED, .text = text }))
		return no_memory(m);
	put_named(m->p, PG_DESCRIBE, PG_SERVER_NAME "0");
	return PG_PASS_DROP;
}

enum pg_pass pg_statement_fails(struct pg_client *c, const struct fault *f)
{
	return fail_with(&(struct said){ .c = c, .p = pg_server_of(c->s.server) }, f);
}

enum pg_pass pg_statement_no_memory(struct pg_client *c)
{
	return no_memory(&(struct said){ .c = c });
}

/* --- Waiting */

static enum pg_pass wait_for_answers(struct said *m)
{
	return pg_wait_for_answers(m->c);
}

/* It was changed in a batch before this one, or all were, and how that ends is not known yet. */
static bool name_is_unclear(const struct said *m, const struct pg_name *n)
{
	return (n && n->refs > 0 && n->batch != m->p->cache.batch) ||
	       (m->c->clears_due && m->c->clears_batch != m->p->cache.batch);
}

static bool text_is_unclear(const struct said *m, const struct pg_prepared *s)
{
	return s && s->pending && s->batch != m->p->cache.batch;
}

static bool unnamed_is_unclear(const struct said *m)
{
	const struct pg_cache *k = &m->p->cache;
	return k->unnamed_pending > 0 && k->unnamed_batch != k->batch;
}

/* In a transaction that has failed, nothing but its end is parsed: only the server itself can tell. Whether it will
 * have failed is not known before all batches and queries sent before this one are answered. */
static bool must_see_it(const struct said *m)
{
	return m->p->txn == 'E' || m->p->expect.ends > 0;
}

/* Settings are being changed by what was sent before, and will be known when that is answered, which does not wait for
 * this batch's Sync. */
static bool must_wait_for_settings(const struct said *m)
{
	return m->p->expect.ends > 0 && pg_track_is_unclear(m->c);
}

/* What the server refuses, as it was prepared before a table has changed, cannot be healed once its transaction, or
 * what was said before in its batch, fails with it: heal.h. */
static bool cannot_heal(const struct said *m)
{
	return m->p->txn != 'I' || m->p->expect.count != m->p->expect.invented || pg_heal_has_run(m->p);
}

void pg_too_many_names(struct fault *f)
{
	fault_set(f, FAULT_PROTO, "too many prepared statements: this client has %u", PG_NAMES_MAX);
	fault_sqlstate(f, "53400");
	fault_hint(f, "Deallocate those that are not used any more.");
}

bool pg_statements_make_room(struct pg_client *c)
{
	struct said m = { .c = c, .p = pg_server_of(c->s.server) };
	if (make_room(&m))
		return true;
	(void)no_memory(&m);
	return false;
}

uint32_t pg_statement_ahead(struct pg_client *c, struct pg_name *n)
{
	struct said m = { .c = c, .p = pg_server_of(c->s.server) };
	const struct pg_prepared *s = prepare_as_meant(&m, n);
	return s ? s->number : 0;
}

/* --- Statements that a server has under the name that its client gives them, as SQL by the extended protocol is not
 * said in other words. Only a client that keeps its server has such; what others find there is somebody else's. */

/* May the server have some that are this client's, and not known here? */
static bool may_have_its_own(const struct said *m)
{
	return m->c->s.pins || m->p->moves;
}

bool pg_name_is_there(const struct pg_client *c, const struct pg_name *n)
{
	return n->is_pinned && c->s.pins & PIN_PREPARED;
}

/* What the server may have under this name is gone. */
static bool close_bare(struct said *m, const char *name)
{
	if (!expect_one(m, &(struct expect_entry){ .kind = EXPECT_CLOSE, .flags = EXPECT_OWN }))
		return false;
	put_named(m->p, PG_CLOSE, name);
	return true;
}

/* The server has what this name means under just that, and it is the client's from then on. */
static bool prepare_bare(struct said *m, struct pg_name *n)
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
		return run_prepare(m, n->name, n->text->said, &x);
	return expect_one(m, &x) && put_parse(m->p, n->name, n->text->said);
}

/* Likewise, under the settings that it was parsed under, where they can be had. */
static bool prepare_bare_as_meant(struct said *m, struct pg_name *n)
{
	struct sb there = { .max = PG_LOOK_BYTES }, back = { .max = PG_LOOK_BYTES };
	bool ok;
	if (m->p->txn != 'E' && !pg_text_is_meant(m->c, n->text) && pg_text_settings(m->c, n->text, false, &there) &&
	    pg_text_settings(m->c, n->text, true, &back))
		ok = run_settings(m, &there) && prepare_bare(m, n) && run_settings(m, &back);
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
static bool provide_empty(struct said *m, const char *name)
{
	uint8_t bytes[PG_HEADER + SQL_IDENT_MAX + 1 + 1 + 2];
	struct pg_out o = pg_out(bytes, sizeof bytes);
	pg_begin(&o, PG_PARSE);
	pg_put_cstr(&o, name);
	pg_put_cstr(&o, "");
	pg_put_u16(&o, 0);
	pg_end(&o);
	ASSERT(!o.bad);
	if (!close_bare(m, name) || !expect_one(m, &(struct expect_entry){ .kind = EXPECT_PARSE, .flags = EXPECT_OWN }))
		return false;
	stream_put_copy(&m->p->sv.stream, o.p, o.len);
	return true;
}

static enum pg_pass executes_deallocate(struct said *m, struct pg_name *n, const char *name,
					struct expect_entry *behind)
{
	if (!pg_name_is_there(m->c, n) && !provide_empty(m, name))
		return no_memory(m);
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
	struct said m = { .c = c, .p = pg_server_of(c->s.server) };
	struct pg_cache *k = &m.p->cache;
	struct fault f;
	char name[SQL_IDENT_MAX + 1];
	if (pg_track_clears(c, x->text->s, strnlen(x->text->s, x->text->len))) {
		if (!pg_names_begin(&c->names))
			return no_memory(&m);
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
	if (name_is_unclear(&m, n))
		return wait_for_answers(&m);
	if (n && n->text && kind == SQL_DEALLOCATE)
		return executes_deallocate(&m, n, name, behind);
	if (n && n->text && !pg_name_is_there(c, n)) {
		fault_set(&f, FAULT_PROTO, "prepared statement \"%s\" already exists", name);
		fault_sqlstate(&f, "42P05");
		return fail_with(&m, &f);
	}
	if (!may_have_its_own(&m) && !close_bare(&m, name))
		return no_memory(&m);
	return PG_PASS_AS_IT_IS; /* the server says whether there is one */
}

/* --- Parse */

static enum pg_pass parse_unnamed(struct said *m, const struct istr *text, unsigned flags)
{
	struct expect_entry x = { .kind = EXPECT_PARSE,
				  .flags = (uint16_t)(flags | (m->changes ? EXPECT_SETS : 0)),
				  .text = text ? istr_ref(text) : NULL };
	pg_unnamed_will_be(m->c, m->p, &x);
	return expect_one(m, &x) ? PG_PASS_AS_IT_IS : no_memory(m);
}

/* text: its body, as this client means it now. */
static enum pg_pass parse_named(struct said *m, const char *name, size_t len, struct pg_text *text)
{
	struct pg_client *c = m->c;
	struct fault f;
	struct pg_name *n = pg_name_find(c->names, name, len);
	struct pg_prepared *s = pg_prepared_find(&m->p->cache, text);

	if (name_is_unclear(m, n) || text_is_unclear(m, s))
		return wait_for_answers(m);
	if (n && n->text) {
		/* What is wrong with the text itself is found first. */
		if ((!s || must_see_it(m)) && !prepare(m, text, EXPECT_OWN, NULL))
			return no_memory(m);
		fault_set(&f, FAULT_PROTO, "prepared statement \"%s\" already exists", name);
		fault_sqlstate(&f, "42P05");
		return fail_with(m, &f);
	}
	if (!n && pg_names_count(c->names) >= PG_NAMES_MAX) {
		pg_too_many_names(&f);
		return fail_with(m, &f);
	}
	n = pg_name_get(&c->names, name, len);
	if (!n)
		return no_memory(m);
	pg_name_means(n, text, m->changes);
	if (!s || must_see_it(m) || cannot_heal(m))
		return prepare(m, text, 0, n) ? PG_PASS_DROP : no_memory(m);
	pg_prepared_touch(&m->p->cache, s);
	n->refs++;
	n->batch = m->p->cache.batch;
	if (!expect_one(m, &(struct expect_entry){ .kind = EXPECT_PARSE, .flags = EXPECT_INVENTED, .name = n }))
		return no_memory(m);
	return PG_PASS_DROP;
}

/* A Parse of EXECUTE: the server is to have what the client means by the name under just that. */
static enum pg_pass speaks_of_statement(struct said *m, const struct istr *text)
{
	char name[SQL_IDENT_MAX + 1];
	struct session *s = &m->c->s;
	struct fault f;
	if (speaks_of(m->c, text, name) != SQL_EXECUTE)
		return PG_PASS_AS_IT_IS;
	struct pg_name *n = pg_name_find(m->c->names, name, strlen(name));
	if (name_is_unclear(m, n))
		return wait_for_answers(m);
	if (!n || !n->text)
		return may_have_its_own(m) || close_bare(m, name) ? PG_PASS_AS_IT_IS : no_memory(m);
	if (pg_name_is_there(m->c, n))
		return PG_PASS_AS_IT_IS;
	if (must_wait_for_settings(m))
		return wait_for_answers(m);
	if (session_pins_are_refused(s, PIN_PREPARED, &f))
		return fail_with(m, &f);
	session_pin(s, PIN_PREPARED);
	return prepare_bare_as_meant(m, n) ? PG_PASS_AS_IT_IS : no_memory(m);
}

/* A query, and the number of its types and they. */
static bool is_parse_body(struct rd body)
{
	size_t len;
	(void)rd_cstr(&body, &len);
	uint16_t types = rd_u16be(&body);
	return !body.bad && rd_left(&body) == types * 4u;
}

/* body: of the whole message. */
static enum pg_pass parse(struct said *m, struct rd body)
{
	size_t len;
	const char *name = rd_cstr(&body, &len);
	if (body.bad || len > PG_PREPARED_NAMES_MAX) {
		pg_protocol_fault(&m->c->s, "invalid string in Parse");
		return PG_PASS_FAILED;
	}
	const struct istr *text, *last = m->c->unnamed.text;
	struct fault f;
	if (pg_track_must_wait(m->c))
		return wait_for_answers(m);
	if (!is_parse_body(body)) { /* the server would say so, and what it never parsed is not to be remembered */
		fault_set(&f, FAULT_PROTO, "invalid message format in Parse");
		return fail_with(m, &f);
	}
	if (len == 0 && last && last->len == rd_left(&body) && memcmp(last->s, body.p, last->len) == 0)
		text = istr_ref(last); /* most say the same again and again */
	else
		text = istr_get((const char *)body.p, rd_left(&body));
	if (!text)
		return no_memory(m);
	struct pg_look look = { .changes = m->c->unnamed.changes };
	if (len || text != last)
		look = pg_track_look(m->c, text->s, strnlen(text->s, text->len));
	if (look.prepares)
		look.pins |= PIN_PREPARED;
	m->changes = look.changes || look.pins || look.drops;
	if (look.pins & PIN_LISTEN && pg_listen_may(m->c))
		look.pins &= ~(uint32_t)PIN_LISTEN;
	if (look.pins && session_pins_are_refused(&m->c->s, look.pins, &f)) {
		istr_put(text);
		return fail_with(m, &f);
	}
	enum pg_pass how = look.speaks ? speaks_of_statement(m, text) : PG_PASS_AS_IT_IS;
	if (how != PG_PASS_AS_IT_IS) {
		istr_put(text);
		return how;
	}
	if (!len) {
		how = parse_unnamed(m, text, 0);
	} else if (must_wait_for_settings(m)) {
		how = wait_for_answers(m);
	} else {
		struct pg_text *meant = pg_text_get(m->c, text);
		how = meant ? parse_named(m, name, len, meant) : no_memory(m);
		pg_text_put(meant);
	}
	istr_put(text);
	return how;
}

/* --- Bind, Describe, Close */

/* Is what comes behind this message a Describe of its portal? */
static bool describes_next(const struct said *m)
{
	return m->behind && *m->behind == PG_DESCRIBE;
}

/* A client's statement, and what it is on the server. */
struct meant {
	struct pg_name *name;
	struct pg_prepared *there; /* NULL: it is none of the client's */
};

/* Sees to it that the server has what the client means by this name. PG_PASS_AS_IT_IS: go on; what is none of the
 * client's the server may refuse itself. */
static enum pg_pass provide(struct said *m, const char *name, size_t len, struct meant *out)
{
	struct pg_name *n = pg_name_find(m->c->names, name, len);
	*out = (struct meant){ 0 };
	if (name_is_unclear(m, n))
		return wait_for_answers(m);
	if (!n || !n->text) {
		if (may_have_its_own(m) && !pg_is_ours(name))
			return PG_PASS_AS_IT_IS;
		struct fault f;
		fault_set(&f, FAULT_PROTO, "prepared statement \"%s\" does not exist", name);
		fault_sqlstate(&f, "26000");
		return fail_with(m, &f);
	}
	m->changes = n->changes;
	m->about = n->text->said;
	struct pg_prepared *s = pg_prepared_find(&m->p->cache, n->text);
	if (text_is_unclear(m, s))
		return wait_for_answers(m);
	uint32_t edition = n->text->edition;
	bool is_told = n->is_told || (n->is_bound && m->c->describes_portals);
	m->p->heal.is_told |= is_told;
	if (s && (s->edition < edition || (pg_is_older(s, n) && cannot_heal(m)))) {
		(void)pg_prepared_doubt(&m->p->cache, s->number);
		s = NULL;
	}
	if (m->type == PG_BIND && n->edition < edition && is_told && !describes_next(m) && !m->c->healed) {
		struct fault f;
		fault_set(&f, FAULT_UNSUP, "cached plan must not change result type");
		fault_sqlstate(&f, "0A000");
		return fail_with(m, &f);
	}
	n->edition = edition;
	n->is_told |= m->type == PG_DESCRIBE;
	n->is_bound |= m->type == PG_BIND;
	if (!s && m->p->expect.ends > 0 && !pg_text_is_meant(m->c, n->text)) /* can settings be changed then? */
		return wait_for_answers(m);
	if (s)
		pg_prepared_touch(&m->p->cache, s);
	else if (!(s = prepare_as_meant(m, n)))
		return no_memory(m);
	s->proven = pg_parses();
	*out = (struct meant){ n, s };
	return PG_PASS_AS_IT_IS;
}

/* The same for the unnamed statement: what this client parsed last, whenever that was. */
static enum pg_pass provide_unnamed(struct said *m)
{
	struct pg_client *c = m->c;
	struct pg_cache *k = &m->p->cache;
	if (unnamed_is_unclear(m))
		return wait_for_answers(m);
	const struct istr *text = c->unnamed.text;
	m->changes = c->unnamed.changes;
	m->about = text;
	if (c->unnamed.is_long ? k->unnamed_of == c->s.id : !k->unnamed_lost && k->unnamed == text)
		return PG_PASS_AS_IT_IS; /* or neither has one: the server says so */
	k->unnamed_pending++;
	k->unnamed_batch = k->batch;
	if (!expect_one(m, &(struct expect_entry){ .kind = text ? EXPECT_PARSE : EXPECT_CLOSE,
						   .flags = EXPECT_OWN | EXPECT_UNNAMED }))
		return no_memory(m);
	if (text)
		put_parse(m->p, "", text);
	else
		put_named(m->p, PG_CLOSE, ""); /* another client's */
	pg_cache_unnamed(k, text);
	return PG_PASS_AS_IT_IS;
}

static bool sent(struct said *m, enum expect_kind kind)
{
	return expect_one(m, &(struct expect_entry){ .kind = (uint8_t)kind });
}

/* The same, of a message about this statement: its errors are told with the client's name for it. */
static bool sent_about(struct said *m, enum expect_kind kind, const struct meant *what)
{
	if (!what->name)
		return sent(m, kind);
	what->name->uses++;
	return expect_one(m, &(struct expect_entry){ .kind = (uint8_t)kind,
						     .flags = EXPECT_USES,
						     .number = what->there->number,
						     .name = what->name });
}

/* Its names are at the front; the rest passes. */
static enum pg_pass bind_statement(struct said *m, struct rd *in)
{
	m->behind = rd_left(in) > m->total ? in->p + m->total : NULL;
	struct rd at = *in, names;
	size_t portal_len, len, there = rd_left(in) < m->total ? rd_left(in) : m->total;
	(void)rd_take(&at, PG_HEADER);
	names = rd_sub(&at, there - PG_HEADER);
	const char *portal = rd_cstr(&names, &portal_len), *name = rd_cstr(&names, &len);
	struct meant meant = { 0 };
	struct fault f;

	if (names.bad && there < m->total && there < STREAM_KEEP_MAX)
		return PG_PASS_WAIT; /* for more of it */
	if (names.bad) {
		pg_protocol_fault(&m->c->s, "invalid string in Bind");
		return PG_PASS_FAILED;
	}
	enum pg_pass how = len ? provide(m, name, len, &meant) : provide_unnamed(m);
	if (how != PG_PASS_AS_IT_IS)
		return how;
	if (m->c->portals || m->changes)
		switch (pg_portals_note(&m->c->portals, portal, portal_len, m->changes ? m->about : NULL)) {
		case PG_PORTAL_NOTED:
			break;
		case PG_PORTAL_IS_ONE_TOO_MANY: /* what it runs will not be known */
			if (session_pins_are_refused(&m->c->s, PIN_SETTING, &f))
				return fail_with(m, &f);
			session_pin(&m->c->s, PIN_SETTING);
			break;
		case PG_PORTAL_NO_MEMORY:
			return no_memory(m);
		}
	if (!sent_about(m, EXPECT_BIND, &meant))
		return no_memory(m);
	if (!meant.there)
		return PG_PASS_AS_IT_IS;

	char there_it_is[PG_SERVER_NAME_MAX];
	pg_prepared_name(meant.there, there_it_is);
	uint32_t rest = m->total - PG_HEADER - (uint32_t)(portal_len + 1 + len + 1);
	size_t n = PG_HEADER + portal_len + 1 + strlen(there_it_is) + 1;
	uint8_t *room = stream_put_room(&m->p->sv.stream, n); /* NULL: the stream tells of it */
	if (room) {
		struct pg_out o = pg_out(room, n);
		pg_put_u8(&o, PG_BIND);
		pg_put_u32(&o, (uint32_t)n - 1 + rest);
		pg_put(&o, portal, portal_len + 1);
		pg_put_cstr(&o, there_it_is);
		ASSERT(!o.bad);
	}
	(void)rd_take(in, m->total - rest);
	m->c->in_left = rest;
	m->c->in_skip = false;
	return PG_PASS_DONE;
}

static enum pg_pass describe(struct said *m, struct rd body)
{
	size_t len;
	uint8_t what = rd_u8(&body);
	const char *name = rd_cstr(&body, &len);
	struct meant meant = { 0 };
	m->c->describes_portals |= what == 'P';
	if (!rd_done(&body) || what != 'S') /* a portal's; or the server tells what is wrong with it */
		return sent(m, EXPECT_DESCRIBE) ? PG_PASS_AS_IT_IS : no_memory(m);
	enum pg_pass how = len ? provide(m, name, len, &meant) : provide_unnamed(m);
	if (how != PG_PASS_AS_IT_IS)
		return how;
	if (!sent_about(m, EXPECT_DESCRIBE, &meant))
		return no_memory(m);
	if (!meant.there)
		return PG_PASS_AS_IT_IS;
	char there[PG_SERVER_NAME_MAX];
	pg_prepared_name(meant.there, there);
	put_named(m->p, PG_DESCRIBE, there);
	return PG_PASS_DROP;
}

static enum pg_pass close_statement(struct said *m, struct rd body)
{
	size_t len;
	uint8_t what = rd_u8(&body);
	const char *name = rd_cstr(&body, &len);
	struct pg_client *c = m->c;
	struct pg_cache *k = &m->p->cache;
	if (!rd_done(&body) || what != 'S')
		return sent(m, EXPECT_CLOSE) ? PG_PASS_AS_IT_IS : no_memory(m);
	struct expect_entry x = { .kind = EXPECT_CLOSE, .flags = EXPECT_INVENTED };
	if (len == 0) {
		x.flags = 0;
		pg_unnamed_will_be(c, m->p, &x);
		return expect_one(m, &x) ? PG_PASS_AS_IT_IS : no_memory(m);
	}
	struct pg_name *n = pg_name_find(c->names, name, len);
	if (name_is_unclear(m, n))
		return wait_for_answers(m);
	/* Under this very name, or maybe. */
	bool is_there = n && n->text ? pg_name_is_there(c, n) : may_have_its_own(m) && !pg_is_ours(name);
	if (n && n->text) {
		x.closed = pg_text_ref(n->text);
		x.name = n;
		if (n->changes)
			x.flags |= EXPECT_SETS;
		n->refs++;
		n->batch = k->batch;
		pg_name_set(n, NULL);
	}
	if (is_there)
		x.flags &= (uint16_t)~EXPECT_INVENTED;
	if (!expect_one(m, &x))
		return no_memory(m);
	return is_there ? PG_PASS_AS_IT_IS : PG_PASS_DROP;
}

/* --- The door's side */

/* An unnamed one passes. Its client finds it again as long as nobody else has used its server, and no other's ever:
 * who says as much says it once. at: behind the name, as much as is there. */
static enum pg_pass pass_long(struct said *m, struct rd at)
{
	struct session *s = &m->c->s;
	struct fault f;
	if (m->total > PG_LOOK_BYTES && rd_left(&at) < PG_LOOK_BYTES - PG_HEADER - 1)
		return PG_PASS_WAIT;
	if (pg_track_must_wait(m->c))
		return wait_for_answers(m);
	struct pg_look look = pg_track_look(m->c, (const char *)at.p, strnlen((const char *)at.p, rd_left(&at)));
	uint32_t pins = look.pins | (look.prepares ? PIN_PREPARED : 0u);
	m->changes = look.changes || pins;
	if (m->changes && !pins) /* it cannot be told what, later */
		pins = PIN_SETTING;
	if (pins && session_pins_are_refused(&m->c->s, pins, &f))
		return fail_with(m, &f);
	enum pg_pass how = parse_unnamed(m, NULL, EXPECT_LONG);
	if (how == PG_PASS_AS_IT_IS) {
		session_pin(s, pins ? pins | PIN_SETTING : 0);
		pg_track_long(m->c);
	}
	m->p->cache.unnamed_lost = true;
	m->p->cache.unnamed_of = s->id;
	return how;
}

/* A Parse that is longer than what a stream keeps is gathered here. */
static enum pg_pass begin_gather(struct said *m, struct rd *in)
{
	struct pg_client *c = m->c;
	struct fault f;
	size_t len;
	struct rd at = *in;
	(void)rd_take(&at, PG_HEADER);
	const char *name = rd_cstr(&at, &len);
	if (at.bad && rd_left(in) < PG_PREPARED_NAMES_MAX)
		return PG_PASS_WAIT;
	if (at.bad) {
		pg_protocol_fault(&c->s, "invalid string in Parse");
		return PG_PASS_FAILED;
	}
	if (!*name)
		return pass_long(m, at);
	if (m->total > PG_PARSE_MAX) {
		fault_set(&f, FAULT_PROTO, "prepared statement \"%.100s\" is longer than %u bytes", name, PG_PARSE_MAX);
		fault_sqlstate(&f, "54000");
		return fail_with(m, &f);
	}
	c->gather = malloc(m->total);
	if (!c->gather)
		return no_memory(m);
	c->gathered = 0;
	c->in_left = m->total;
	return PG_PASS_DONE;
}

void pg_gather(struct pg_client *c, struct rd *in)
{
	size_t n = rd_left(in) < c->in_left ? rd_left(in) : c->in_left;
	memcpy(c->gather + c->gathered, rd_take(in, n), n);
	c->gathered += (uint32_t)n;
	c->in_left -= (uint32_t)n;
}

enum pg_pass pg_statement_gathered(struct pg_client *c)
{
	struct said m = { c, pg_server_of(c->s.server), PG_PARSE, c->gathered, false, NULL, NULL };
	struct rd body = rd_of(c->gather + PG_HEADER, c->gathered - PG_HEADER);
	enum pg_pass how = PG_PASS_DROP;
	if (m.p->expect.copying_in) { /* which takes nothing but data */
		how = sent(&m, EXPECT_PARSE) ? PG_PASS_DROP : no_memory(&m);
		stream_put_copy(&m.p->sv.stream, c->gather, c->gathered);
	} else if (!m.p->expect.skipping) { /* else the batch has failed meanwhile: the server would drop it */
		how = parse(&m, body);
	}
	if (how != PG_PASS_WAIT) {
		free(c->gather);
		c->gather = NULL;
	}
	return how;
}

enum pg_pass pg_statement(struct pg_client *c, uint8_t type, uint32_t total, struct rd *in)
{
	struct said m = { c, pg_server_of(c->s.server), type, total, false, NULL, NULL };
	struct pg_msg whole;
	struct rd at = *in;

	if (m.p->script)
		return wait_for_answers(&m);
	if (type == PG_BIND)
		return bind_statement(&m, in);
	if (type == PG_PARSE && total > STREAM_KEEP_MAX)
		return begin_gather(&m, in);
	switch (pg_frame(&at, type == PG_PARSE ? STREAM_KEEP_MAX : PG_PREPARED_NAMES_MAX, &whole)) {
	case FRAME_SHORT:
		return PG_PASS_WAIT;
	case FRAME_BAD: /* such a name there is not */
		return sent(&m, type == PG_CLOSE ? EXPECT_CLOSE : EXPECT_DESCRIBE) ? PG_PASS_AS_IT_IS : no_memory(&m);
	case FRAME_OK:
		break;
	}
	switch (type) {
	case PG_PARSE:
		return parse(&m, whole.body);
	case PG_DESCRIBE:
		return describe(&m, whole.body);
	default:
		return close_statement(&m, whole.body);
	}
}

/* Has any server of its pool this text? */
static bool is_known(const struct pool *pool, const struct pg_text *text)
{
	static const enum server_state states[] = { SERVER_IDLE, SERVER_ACTIVE };
	for (size_t i = 0; i < 2; i++)
		LIST_EACH (&pool->by_state[states[i]], it) {
			struct server *sv = list_owner(it, struct server, in_state);
			const struct pg_prepared *s = pg_prepared_find(&pg_server_of(sv)->cache, text);
			if (s && !s->pending)
				return true;
		}
	return false;
}

/* Programs with many connections in one thread, pgbench for one, wait for the answer to a Parse while others of their
 * connections hold all servers in transactions: they would wait for themselves. */
bool pg_parse_without_server(struct pg_client *c, struct rd in)
{
	static const uint8_t complete[] = { PG_PARSE_COMPLETE, 0, 0, 0, 4 };
	struct pg_msg m;
	size_t len;
	bool ok = false;

	/* An idle server is for who is first in line. */
	bool is_free = list_empty(&c->s.pool->waiting) && !list_empty(&c->s.pool->by_state[SERVER_IDLE]);
	if (is_free || pg_frame(&in, STREAM_KEEP_MAX, &m) != FRAME_OK)
		return false;
	const char *name = rd_cstr(&m.body, &len);
	if (m.body.bad || len == 0 || len > PG_PREPARED_NAMES_MAX || pg_names_count(c->names) >= PG_NAMES_MAX)
		return false;
	struct pg_name *n = pg_name_find(c->names, name, len);
	const struct istr *text = n ? NULL : istr_get((const char *)m.body.p, rd_left(&m.body));
	struct pg_look look = { 0 };
	if (text)
		look = pg_track_look(c, text->s, strnlen(text->s, text->len));
	struct pg_text *meant = text && !look.pins && !look.speaks ? pg_text_get(c, text) : NULL;
	if (meant && is_known(c->s.pool, meant) && (n = pg_name_get(&c->names, name, len))) {
		pg_name_means(n, meant, look.changes);
		stream_put_span(&c->s.stream, complete, sizeof complete);
		c->s.pool->stats.v[STAT_client_parse_count]++;
		ok = true;
	}
	pg_text_put(meant);
	istr_put(text);
	return ok;
}

void pg_statement_query(struct pg_client *c, struct expect_entry *x)
{
	struct pg_server *p = pg_server_of(c->s.server);
	if (p->expect.is_open || c->unnamed_due) { /* it may be skipped, or comes behind what is */
		pg_unnamed_will_be(c, p, x);
		return;
	}
	if (c->unnamed.text || c->unnamed.is_long)
		pg_unnamed_is(c, NULL);
	pg_cache_unnamed(&p->cache, NULL);
}
