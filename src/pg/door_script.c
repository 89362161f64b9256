/* door_script.c - what a Query says of prepared statements and of defaults, said again so that this server understands
 * it as the client means it. PostgreSQL docs: PREPARE, EXECUTE, DEALLOCATE, RESET; Message Flow: Simple Query. A
 * client's statements have one name space, whether a Parse or a PREPARE made them (prepared.h). What a PREPARE makes is
 * remembered as SCRIPT_MARK and what stood behind its name. The text of a Query that says one of the three is sent
 * changed, with statements of the house's own in it; steps say what becomes of each CommandComplete.
 * RESET goes back to what the client asked for in its first packet, which this server was not started with: it is set
 * behind it. */
#include "pg/pg_int.h"

#include "core/assert.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX                                                                                                      \
	16384u /* more than what a text of STREAM_KEEP_MAX bytes can say, but for RESET ALL of many settings */
#define SCRIPT_MAX (16u << 20) /* bytes of the text that is sent */

enum what {
	STEP_OTHER,       /* a statement as the client said it */
	STEP_RESET,       /* another, behind which what the client asked for is set again */
	STEP_OWN,         /* nobody hears of it */
	STEP_OWN_PREPARE, /* and the server has `text` then */
	STEP_PREPARE,     /* the client's `name` is `text`, and the server has it */
	STEP_DEALLOCATE,  /* the client's `name` is gone */
	STEP_CLEAR,       /* all are */
	STEP_FAIL         /* the client hears `told` instead of what the server says */
};

struct step {
	uint8_t what;
	unsigned nth;            /* the client's statement */
	uint32_t number;         /* of the server's statement; 0: none */
	const struct istr *does; /* counted: of EXECUTE, the Parse's body when it changes the session; NULL mostly */
	const struct istr *name, *told; /* counted; told: STEP_FAIL's */
	struct pg_text *text;           /* counted */
	long moved;      /* characters by which what follows the name stands further on than in the client's text */
	unsigned before; /* the last step before it that says what a name means, counted from 1; 0: none */
};

struct pg_script {
	const struct istr *said; /* counted: the client's text */
	bool has_names;          /* prepared statements are said with the server's */
	unsigned n, at, cap;
	unsigned last;      /* step that says what a name means, counted from 1; 0: none */
	struct step *steps; /* owned */
};

/* Counts characters: of what is read from its beginning to its end, each byte once. */
struct count {
	size_t at; /* bytes */
	long n;
};

struct builder {
	struct pg_client *c;
	struct pg_server *p;
	struct pg_script *script;
	struct sb sql;
	const char *text;         /* the client's */
	size_t done;              /* bytes of it that are in sql */
	struct count built, read; /* characters of sql, and of text */
	unsigned nth;
	bool has_names; /* prepared statements are the client's own, on whatever server */
	bool changes;   /* settings may be other ones than now when a statement runs */
	bool no_memory;
	bool discards; /* DISCARD ALL is among it */
	bool is_ahead; /* something is being prepared, before it is sent */
	bool is_again; /* and was */
};

void pg_script_free(struct pg_server *p)
{
	struct pg_script *s = p->script;
	if (!s)
		return;
	for (unsigned i = 0; i < s->n; i++) {
		istr_put(s->steps[i].name);
		istr_put(s->steps[i].told);
		pg_text_put(s->steps[i].text);
		istr_put(s->steps[i].does);
	}
	istr_put(s->said);
	free(s->steps);
	free(s);
	p->script = NULL;
}

/* --- Building */

/* Takes the references over. */
static void step(struct builder *b, const struct step *x)
{
	struct pg_script *s = b->script;
	if (s->n == s->cap) {
		unsigned cap = s->cap ? s->cap * 2 : 4;
		struct step *more = realloc(s->steps, cap * sizeof *more);
		if (!more) {
			istr_put(x->name);
			istr_put(x->told);
			pg_text_put(x->text);
			istr_put(x->does);
			b->no_memory = true;
			return;
		}
		s->steps = more;
		s->cap = cap;
	}
	s->steps[s->n] = *x;
	s->steps[s->n].before = s->last;
	s->steps[s->n++].nth = b->nth;
	if (x->what == STEP_OWN_PREPARE || x->what == STEP_PREPARE || x->what == STEP_DEALLOCATE ||
	    x->what == STEP_CLEAR)
		s->last = s->n;
}

/* Characters of the first `to` bytes. What is taken away again is counted down before it is. */
static long count_to(struct count *c, const char *s, size_t to)
{
	for (; c->at < to; c->at++)
		c->n += ((uint8_t)s[c->at] & 0xc0) != 0x80;
	for (; c->at > to; c->at--)
		c->n -= ((uint8_t)s[c->at - 1] & 0xc0) != 0x80;
	return c->n;
}

static void copy_to(struct builder *b, size_t end)
{
	sb_add_n(&b->sql, b->text + b->done, end - b->done);
	b->done = end;
}

static void copy_part(struct builder *b, const struct sql_stmt *st)
{
	copy_to(b, st->part.at + st->part.len);
}

/* By how much what is added next, and stands there in the client's text, is moved. */
static long moved_from(struct builder *b, size_t there)
{
	return b->sql.bad ? 0 : count_to(&b->built, b->sql.s, b->sql.len) - count_to(&b->read, b->text, there);
}

static long moved(struct builder *b)
{
	return moved_from(b, b->done);
}

static void put_name(struct builder *b, const struct sql_stmt *st, uint32_t number)
{
	copy_to(b, st->name.at);
	sb_addf(&b->sql, "\"" PG_SERVER_NAME "%u\"", number);
	b->done = st->name.at + st->name.len;
}

/* --- What was prepared, as SQL */

struct type {
	uint32_t oid;
	const char *name;
};

/* PostgreSQL's pg_type.dat: these never change. */
static const struct type types[] = {
	{ 0, "unknown" },     { 16, "bool" },          { 17, "bytea" },          { 18, "\"char\"" },
	{ 19, "name" },       { 20, "int8" },          { 21, "int2" },           { 23, "int4" },
	{ 25, "text" },       { 26, "oid" },           { 114, "json" },          { 142, "xml" },
	{ 600, "point" },     { 700, "float4" },       { 701, "float8" },        { 705, "unknown" },
	{ 790, "money" },     { 829, "macaddr" },      { 869, "inet" },          { 650, "cidr" },
	{ 1000, "_bool" },    { 1001, "_bytea" },      { 1005, "_int2" },        { 1007, "_int4" },
	{ 1009, "_text" },    { 1015, "_varchar" },    { 1016, "_int8" },        { 1021, "_float4" },
	{ 1022, "_float8" },  { 1028, "_oid" },        { 1042, "bpchar" },       { 1043, "varchar" },
	{ 1082, "date" },     { 1083, "time" },        { 1114, "timestamp" },    { 1115, "_timestamp" },
	{ 1182, "_date" },    { 1184, "timestamptz" }, { 1185, "_timestamptz" }, { 1186, "interval" },
	{ 1231, "_numeric" }, { 1266, "timetz" },      { 1560, "\"bit\"" },      { 1562, "varbit" },
	{ 1700, "numeric" },  { 2205, "regclass" },    { 2249, "record" },       { 2950, "uuid" },
	{ 2951, "_uuid" },    { 3802, "jsonb" },       { 3807, "_jsonb" },
};

static const char *type_name(uint32_t oid)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i].oid == oid)
			return types[i].name;
	return NULL;
}

static bool may_be_prepared(enum sql_kind kind)
{
	switch (kind) {
	case SQL_SELECT:
	case SQL_VALUES:
	case SQL_TABLE:
	case SQL_INSERT:
	case SQL_UPDATE:
	case SQL_DELETE:
	case SQL_MERGE:
		return true;
	default:
		return false;
	}
}

/* What stands behind the name, of a Parse's query and types. False: PREPARE cannot say it. */
static bool add_parsed(struct builder *b, const struct istr *text)
{
	struct rd body = rd_of(text->s, text->len);
	size_t len;
	struct sql_reader r;
	struct sql_stmt st, more;
	const char *query = rd_cstr(&body, &len);
	uint16_t n = rd_u16be(&body);

	if (body.bad)
		return false;
	sql_read_init(&r, query, len, pg_sql_mode(b->c), NULL, 0);
	if (!sql_read(&r, &st) || !may_be_prepared(st.kind) || sql_read(&r, &more))
		return false;
	for (uint16_t i = 0; i < n; i++) {
		const char *name = type_name(rd_u32be(&body));
		if (!name || body.bad)
			return false;
		sb_addf(&b->sql, "%spg_catalog.%s", i ? "," : "(", name);
	}
	sb_add(&b->sql, n ? ") AS " : " AS ");
	sb_add_n(&b->sql, query + st.text.at, st.text.len);
	return true;
}

/* Makes the server say an error, and the client hear this one. */
static void fail(struct builder *b, const struct sql_stmt *st, const struct fault *f)
{
	uint8_t bytes[PG_ERROR_MAX];
	struct pg_out o = pg_out(bytes, sizeof bytes);
	pg_put_error(&o, "ERROR", f);
	const struct istr *text = o.bad ? NULL : istr_get((const char *)o.p, o.len);
	b->no_memory |= !text;
	sb_add(&b->sql, "EXECUTE \"" PG_SERVER_NAME "0\";");
	b->done = st->part.at + st->part.len;
	step(b, &(struct step){ .what = STEP_FAIL, .told = text });
}

/* Prepares a text on the server. said: where the client says it now, or NULL. 0: PREPARE cannot say it. */
static uint32_t own_prepare(struct builder *b, struct pg_text *text, const struct sql_stmt *said)
{
	size_t was = b->sql.len;
	uint32_t number = pg_prepared_number(&b->p->cache);
	bool ok = true;
	sb_addf(&b->sql, "PREPARE \"" PG_SERVER_NAME "%u\"", number);
	long by = said ? moved_from(b, said->name.at + said->name.len) : 0;
	if (pg_is_script(text->said))
		sb_add_n(&b->sql, text->said->s + 1, text->said->len - 1);
	else
		ok = add_parsed(b, text->said);
	if (!ok) {
		if (!b->sql.bad)
			(void)count_to(&b->built, b->sql.s, was);
		b->sql.len = was;
		return 0;
	}
	sb_add(&b->sql, "\n;"); /* a comment may be its end */
	step(b, &(struct step){ .what = STEP_OWN_PREPARE, .number = number, .text = pg_text_ref(text), .moved = by });
	return number;
}

/* --- The client's names */

static bool same(const struct istr *name, const char *with)
{
	return name && strcmp(name->s, with) == 0;
}

/* What this name will mean when the script has come here: the text, or NULL; *number: what the script itself made it on
 * the server, or 0. */
static struct pg_text *meaning(const struct builder *b, const char *name, uint32_t *number)
{
	const struct pg_script *s = b->script;
	*number = 0;
	for (unsigned i = s->last; i > 0; i = s->steps[i - 1].before) {
		const struct step *x = &s->steps[i - 1];
		if (x->what == STEP_CLEAR || (x->what == STEP_DEALLOCATE && same(x->name, name)))
			return NULL;
		if (x->what == STEP_PREPARE && same(x->name, name)) {
			*number = x->number;
			return x->text;
		}
	}
	const struct pg_name *n = pg_name_find(b->c->names, name, strlen(name));
	return n ? n->text : NULL;
}

/* Has it prepared before the Query is said. What is made here is thrown away, and the Query looked at once more then.
 * 0: it cannot be had. */
static uint32_t prepare_ahead(struct builder *b, const char *name)
{
	struct pg_name *n = pg_name_find(b->c->names, name, strlen(name));
	ASSERT(n); /* or the script has prepared it itself */
	if (b->p->txn == 'E' || b->is_again)
		return 0;
	uint32_t number = pg_statement_ahead(b->c, n);
	b->is_ahead = true;
	b->no_memory |= !number;
	return number;
}

/* Prepares what the client's name means: here, if it is said here as it is meant, which is when no other settings hold
 * and it does not have to be parsed; the whole text is read before the first statement of it runs. */
static uint32_t prepare_as_meant(struct builder *b, const char *name, struct pg_text *text)
{
	uint32_t number = b->changes || !pg_text_is_meant(b->c, text) ? 0 : own_prepare(b, text, NULL);
	return number ? number : prepare_ahead(b, name);
}

/* The number that the server has, or will have, this text of the client's name under. 0: it cannot have it. */
static uint32_t number_of(struct builder *b, const char *name, struct pg_text *text)
{
	const struct pg_script *s = b->script;
	for (unsigned i = s->last; i > 0; i = s->steps[i - 1].before) {
		const struct step *x = &s->steps[i - 1];
		if ((x->what == STEP_OWN_PREPARE || x->what == STEP_PREPARE) && x->text == text)
			return x->number;
	}
	struct pg_prepared *there = pg_prepared_find(&b->p->cache, text);
	const struct pg_name *n = pg_name_find(b->c->names, name, strlen(name));
	bool cannot_heal = b->p->txn != 'I' || b->nth > 0;
	if (there && (there->edition < text->edition || (n && cannot_heal && pg_is_older(there, n)))) {
		(void)pg_prepared_doubt(&b->p->cache, there->number);
		there = NULL;
	}
	if (!there)
		return prepare_as_meant(b, name, text);
	pg_prepared_touch(&b->p->cache, there);
	there->proven = pg_parses();
	return there->number;
}

/* --- The statements */

static void as_it_is(struct builder *b, const struct sql_stmt *st, enum what what)
{
	copy_part(b, st);
	step(b, &(struct step){ .what = (uint8_t)what, .moved = moved(b) });
}

static const struct istr *interned(struct builder *b, const char *s)
{
	const struct istr *i = istr_get(s, strlen(s));
	b->no_memory |= !i;
	return i;
}

/* "\1(int) AS SELECT $1" */
static struct pg_text *body_of(struct builder *b, const struct sql_stmt *st)
{
	size_t from = st->name.at + st->name.len, len = st->text.at + st->text.len - from;
	char *s = malloc(len + 1);
	const struct istr *body = NULL;
	struct pg_text *text = NULL;
	if (s) {
		s[0] = SCRIPT_MARK;
		memcpy(s + 1, b->text + from, len);
		body = istr_get(s, len + 1);
	}
	if (body)
		text = b->changes ? pg_text_new(body) : pg_text_get(b->c, body);
	istr_put(body);
	free(s);
	b->no_memory |= !text;
	return text;
}

static void prepare(struct builder *b, const struct sql_stmt *st, const char *name)
{
	struct fault f;
	uint32_t number;
	bool is_there = meaning(b, name, &number) != NULL;
	struct pg_text *text = body_of(b, st);
	if (!text)
		return;
	if (is_there) {
		(void)own_prepare(b, text, st); /* what is wrong with it is found first */
		fault_set(&f, FAULT_PROTO, "prepared statement \"%s\" already exists", name);
		fault_sqlstate(&f, "42P05");
		fail(b, st, &f);
		pg_text_put(text);
		return;
	}
	if (pg_names_count(b->c->names) + b->script->n >= PG_NAMES_MAX) {
		pg_too_many_names(&f);
		fail(b, st, &f);
		pg_text_put(text);
		return;
	}
	number = pg_prepared_number(&b->p->cache);
	put_name(b, st, number);
	long by = moved(b);
	copy_part(b, st);
	step(b, &(struct step){
			.what = STEP_PREPARE, .number = number, .name = interned(b, name), .text = text, .moved = by });
}

/* What speaks of a statement that is none of the client's. The server says so, unless it may have one of that name for
 * this client alone; what another has left there is not found. */
static void unknown(struct builder *b, const struct sql_stmt *st, const char *name)
{
	if (!pg_is_ours(name) && (b->c->s.pins || b->changes)) {
		as_it_is(b, st, STEP_OTHER);
		return;
	}
	put_name(b, st, 0);
	long by = moved(b);
	copy_part(b, st);
	step(b, &(struct step){ .what = STEP_OTHER, .name = interned(b, name), .moved = by });
}

/* What a Parse made is itself a PREPARE: the server has what that makes under the client's own name. False: it cannot
 * be run. */
static bool may_prepare(struct builder *b, const struct sql_stmt *st, const struct istr *said)
{
	char name[SQL_IDENT_MAX + 1];
	struct session *s = &b->c->s;
	struct sql_reader r;
	struct sql_stmt does;
	struct fault f;
	uint32_t number;
	unsigned mode = pg_sql_mode(b->c);

	sql_read_init(&r, said->s, strnlen(said->s, said->len), mode, NULL, 0);
	if (pg_is_script(said) || !sql_read(&r, &does) || does.kind != SQL_PREPARE ||
	    sql_ident_decode(said->s + does.name.at, does.name.len, mode, name) < 0)
		return true;
	bool is_there = meaning(b, name, &number) != NULL;
	if (is_there) {
		fault_set(&f, FAULT_PROTO, "prepared statement \"%s\" already exists", name);
		fault_sqlstate(&f, "42P05");
	}
	if (is_there || session_pins_are_refused(s, PIN_PREPARED, &f)) {
		fail(b, st, &f);
		return false;
	}
	session_pin(s, PIN_PREPARED);
	return true;
}

/* EXECUTE, also within EXPLAIN and CREATE TABLE AS. */
static void execute(struct builder *b, const struct sql_stmt *st, const char *name)
{
	uint32_t number;
	struct fault f;
	struct pg_text *text = meaning(b, name, &number);
	if (!text) {
		unknown(b, st, name);
		return;
	}
	if (!may_prepare(b, st, text->said))
		return;
	if (!number) {
		uint32_t made;
		number = number_of(b, name, text);
		text = meaning(b, name, &made); /* it may be the client's own now */
	}
	if (!number) {
		fault_set(&f, FAULT_UNSUP,
			  "prepared statement \"%s\" is not known to this server connection, and cannot be prepared "
			  "within this query",
			  name);
		fault_hint(&f, "Execute it when the transaction has ended, in a query of its own.");
		fail(b, st, &f);
		return;
	}
	put_name(b, st, number);
	long by = moved(b);
	copy_part(b, st);
	const struct pg_name *n = pg_name_find(b->c->names, name, strlen(name));
	bool changes = n && n->text == text && n->changes;
	b->changes |= changes;
	step(b, &(struct step){ .what = STEP_OTHER,
				.number = number,
				.name = interned(b, name),
				.does = changes ? istr_ref(text->said) : NULL,
				.moved = by });
}

/* Others may use the same text: what is deallocated is one made for it. */
static void deallocate(struct builder *b, const struct sql_stmt *st, const char *name)
{
	uint32_t number;
	if (!meaning(b, name, &number)) {
		unknown(b, st, name);
		return;
	}
	const struct pg_name *n = number ? NULL : pg_name_find(b->c->names, name, strlen(name));
	if (n && pg_name_is_there(b->c, n)) {
		copy_part(b, st);
		step(b, &(struct step){ .what = STEP_DEALLOCATE, .name = interned(b, name), .moved = moved(b) });
		return;
	}
	number = pg_prepared_number(&b->p->cache);
	sb_addf(&b->sql, "PREPARE \"" PG_SERVER_NAME "%u\" AS VALUES (1);", number);
	step(b, &(struct step){ .what = STEP_OWN });
	put_name(b, st, number);
	long by = moved(b);
	copy_part(b, st);
	step(b, &(struct step){ .what = STEP_DEALLOCATE, .name = interned(b, name), .moved = by });
}

static void ask_again(struct builder *b, const struct var *v)
{
	sb_add(&b->sql, "\n;");
	pg_add_set(&b->sql, v->name->s, v->value->s);
	step(b, &(struct step){ .what = STEP_OWN });
}

static void reset(struct builder *b, const struct sql_stmt *st)
{
	const struct varset *asked = b->c->s.asked;
	as_it_is(b, st, STEP_RESET);
	for (uint32_t i = 0; i < asked->count; i++)
		if (pg_track_takes_back(b->c, b->text, st, asked->at[i].name->s))
			ask_again(b, &asked->at[i]);
}

static void add_statement(struct builder *b, const struct sql_stmt *st)
{
	char name[SQL_IDENT_MAX + 1];
	bool speaks =
		b->has_names && (st->kind == SQL_PREPARE || st->kind == SQL_DEALLOCATE || st->flags & SQL_EXECUTES);
	bool clears = (st->kind == SQL_DEALLOCATE || st->kind == SQL_DISCARD) && st->flags & SQL_ALL;

	b->discards |= clears && st->kind == SQL_DISCARD;
	if (pg_track_resets(st))
		reset(b, st);
	else if (clears)
		as_it_is(b, st, STEP_CLEAR);
	else if (!speaks || sql_ident_decode(b->text + st->name.at, st->name.len, pg_sql_mode(b->c), name) < 0)
		as_it_is(b, st, STEP_OTHER);
	else if (st->kind == SQL_PREPARE)
		prepare(b, st, name);
	else if (st->kind == SQL_DEALLOCATE)
		deallocate(b, st, name);
	else
		execute(b, st, name);
}

/* --- Sending */

static void no_memory(struct builder *b)
{
	struct fault f;
	fault_set(&f, FAULT_NOMEM, "no memory for a statement");
	session_fail(&b->c->s, &f);
}

void pg_ahead_forget(struct pg_client *c)
{
	istr_put(c->ahead_failed);
	c->ahead_failed = NULL;
	c->is_ahead = false;
}

static bool send_script(struct builder *b, const struct istr *said, bool changes)
{
	size_t n = PG_HEADER + b->sql.len + 1;
	uint16_t flags = (uint16_t)(EXPECT_SCRIPT | (changes ? EXPECT_CHANGES : 0));
	struct expect_entry x = { .kind = EXPECT_QUERY, .flags = flags };
	uint8_t *room = stream_put_room(&b->p->sv.stream, n);
	if (!room)
		return true; /* the stream tells of it */
	struct pg_out o = pg_out(room, n);
	pg_begin(&o, PG_QUERY);
	pg_put(&o, sb_str(&b->sql), b->sql.len + 1);
	pg_end(&o);
	pg_heal_note_query(b->p);
	pg_statement_query(b->c, &x);
	x.text = istr_ref(said);
	b->p->moves |= changes;
	if (expect_sent(&b->p->expect, &x)) {
		if (b->discards)
			b->p->discards = b->p->expect.ends;
		return true;
	}
	b->p->expect.gone(&b->p->expect, &x, EXPECT_SKIPPED);
	return false;
}

/* What is prepared ahead of the script's Query is on its way: the Query waits for it. */
static enum pg_pass wait_for_ahead(struct builder *b)
{
	static const uint8_t sync[] = { PG_SYNC, 0, 0, 0, 4 };
	const struct expect_entry x = { .kind = EXPECT_SYNC, .flags = EXPECT_OWN | EXPECT_AHEAD };
	if (!expect_sent(&b->p->expect, &x)) {
		no_memory(b);
		return PG_PASS_FAILED;
	}
	stream_put_span(&b->p->sv.stream, sync, sizeof sync);
	b->p->cache.batch++;
	return pg_wait_for_answers(b->c);
}

enum pg_pass pg_script_query(struct pg_client *c, const char *text, size_t len, bool changes, bool has_names)
{
	struct pg_server *p = pg_server_of(c->s.server);
	struct builder b = {
		.c = c, .p = p, .text = text, .changes = changes, .has_names = has_names, .sql = { .max = SCRIPT_MAX }
	};
	struct sql_reader r;
	struct sql_stmt st;
	struct fault f;
	enum pg_pass how = PG_PASS_DROP;

	(void)pg_tell_if_all_invented(p);
	if (p->expect.count || p->script)
		return pg_wait_for_answers(c);
	if (p->expect.unsure)
		return PG_PASS_AS_IT_IS;
	if (c->ahead_failed) {
		const struct istr *told = istr_ref(c->ahead_failed);
		pg_ahead_forget(c);
		return pg_send_told(&c->s, told) ? PG_PASS_DROP : PG_PASS_FAILED;
	}
	b.is_again = c->is_ahead;
	pg_ahead_forget(c);
	if (b.has_names && !b.is_again && !pg_statements_make_room(c))
		return PG_PASS_FAILED;
	p->script = calloc(1, sizeof *p->script);
	b.script = p->script;
	b.no_memory = !p->script || !(p->script->said = istr_get(text, len));
	if (!b.no_memory) {
		p->script->has_names = has_names;
		sql_read_init(&r, text, len, pg_sql_mode(c), NULL, 0);
		while (sql_read(&r, &st) && b.script->n < STEPS_MAX && !b.no_memory) {
			if (st.kind == SQL_EMPTY) {
				copy_part(&b, &st);
				continue;
			}
			add_statement(&b, &st);
			b.nth++;
		}
		copy_to(&b, len);
	}
	if (b.is_ahead && !b.no_memory && !b.sql.bad) {
		pg_script_free(p);
		how = wait_for_ahead(&b);
	} else if (b.script && b.script->n >= STEPS_MAX) {
		fault_set(&f, FAULT_UNSUP,
			  "more than %u statements in one text, with PREPARE, EXECUTE, DEALLOCATE or RESET among "
			  "them",
			  STEPS_MAX - 1);
		fault_sqlstate(&f, "54000");
		pg_script_free(p);
		how = pg_send_failure(&c->s, &f) ? PG_PASS_DROP : PG_PASS_FAILED;
	} else if (b.no_memory || b.sql.bad || !send_script(&b, p->script->said, changes || b.changes)) {
		no_memory(&b);
		how = PG_PASS_FAILED;
	}
	sb_free(&b.sql);
	return how;
}

bool pg_deallocate_without_server(struct pg_client *c, struct rd in)
{
	static const char tag[] = "DEALLOCATE";
	uint8_t bytes[PG_HEADER + sizeof tag + PG_HEADER + 1];
	struct pg_out o = pg_out(bytes, sizeof bytes);
	char name[SQL_IDENT_MAX + 1];
	struct sql_reader r;
	struct sql_stmt st, more;
	struct pg_msg m;

	if (pg_frame(&in, STREAM_KEEP_MAX, &m) != FRAME_OK)
		return false;
	size_t len;
	const char *text = rd_cstr(&m.body, &len);
	if (!rd_done(&m.body))
		return false;
	sql_read_init(&r, text, len, pg_sql_mode(c), NULL, 0);
	if (!sql_read(&r, &st) || st.kind != SQL_DEALLOCATE || st.flags & SQL_ALL || sql_read(&r, &more) ||
	    sql_ident_decode(text + st.name.at, st.name.len, pg_sql_mode(c), name) < 0)
		return false;
	struct pg_name *n = pg_name_find(c->names, name, strlen(name));
	if (!n || !n->text)
		return false;
	pg_name_set(n, NULL);
	pg_name_check(n);
	pg_unnamed_is(c, NULL); /* as any Query */
	pg_begin(&o, PG_COMMAND_COMPLETE);
	pg_put(&o, tag, sizeof tag);
	pg_end(&o);
	pg_put_ready(&o, 'I');
	stream_put_copy(&c->s.stream, o.p, o.len);
	return true;
}

/* --- Answers */

static bool have(struct pg_server *p, const struct step *x)
{
	struct pg_prepared *s = pg_prepared_add(&p->cache, x->text, x->number);
	if (!s)
		return false;
	s->pending = false;
	return true;
}

static bool name_is(struct pg_client *c, const struct step *x)
{
	struct pg_name *n = pg_name_get(&c->names, x->name->s, x->name->len);
	if (!n)
		return false;
	pg_name_means(n, x->text, false); /* what it may change pins its client already */
	return true;
}

enum pg_step pg_script_step(struct pg_server *p, unsigned *nth, const struct istr **does)
{
	struct pg_script *s = p->script;
	struct pg_client *c = p->sv.session ? pg_client_of(p->sv.session) : NULL;
	struct pg_name *n;
	if (!s || s->at >= s->n)
		return PG_STEP_WRONG;
	const struct step *x = &s->steps[s->at++];
	*nth = x->nth;
	*does = x->does;
	switch (x->what) {
	case STEP_OWN:
		return PG_STEP_OWN;
	case STEP_OWN_PREPARE:
		return have(p, x) ? PG_STEP_OWN : PG_STEP_NO_MEMORY;
	case STEP_PREPARE:
		return (!c || name_is(c, x)) && have(p, x) ? PG_STEP_TOLD : PG_STEP_NO_MEMORY;
	case STEP_DEALLOCATE:
		n = c ? pg_name_find(c->names, x->name->s, x->name->len) : NULL;
		if (n) {
			pg_name_set(n, NULL);
			pg_name_check(n);
		}
		return PG_STEP_TOLD;
	default:
		return PG_STEP_TOLD;
	}
}

bool pg_script_has_names(const struct pg_server *p)
{
	return p->script && p->script->has_names;
}

bool pg_script_has_reset(const struct pg_server *p)
{
	const struct pg_script *s = p->script;
	return s && s->at > 0 && s->steps[s->at - 1].what == STEP_RESET;
}

uint32_t pg_script_number(const struct pg_server *p, bool *is_first)
{
	const struct pg_script *s = p->script;
	if (!s || s->at >= s->n)
		return 0;
	*is_first = s->steps[s->at].nth == 0;
	return s->steps[s->at].number;
}

bool pg_script_is_own(const struct pg_server *p)
{
	const struct pg_script *s = p->script;
	return s->at < s->n && (s->steps[s->at].what == STEP_OWN || s->steps[s->at].what == STEP_OWN_PREPARE);
}

bool pg_script_tell(struct pg_server *p, const struct pg_error *e, struct rd body, struct stream *to)
{
	const struct pg_script *s = p->script;
	if (!s || s->at >= s->n)
		return false;
	const struct step *x = &s->steps[s->at];
	if (x->what == STEP_FAIL && strcmp(e->sqlstate, "26000") == 0) {
		stream_put_copy(to, x->told->s, x->told->len);
		return true;
	}
	const struct pg_renamed r = { .number = x->number,
				      .name = x->name ? x->name->s : NULL,
				      .len = x->name ? x->name->len : 0,
				      .moved = x->moved,
				      .hides_position =
					      x->what == STEP_OWN || (x->what == STEP_OWN_PREPARE && !x->moved) };
	return pg_tell_renamed(e, body, &r, to);
}
