/* classify.c - what a statement is: its head is parsed, the rest looked over. PostgreSQL docs, SQL Commands. */
#include "sql/parse_int.h"

#include <string.h>

const char *sql_kind_name(enum sql_kind kind)
{
	static const char *const names[] = {
#define X(name, shown) [SQL_##name] = shown,
		SQL_KINDS(X)
#undef X
	};
	return (unsigned)kind < SQL_NKINDS ? names[kind] : "?";
}

const char *sql_isolation_name(enum sql_isolation isolation)
{
	static const char *const names[] = { "", "read uncommitted", "read committed", "repeatable read",
					     "serializable" };
	return (unsigned)isolation < sizeof names / sizeof names[0] ? names[isolation] : "";
}

/* --- Transactions. Each parser takes its statement up to the end; false: that is not how it is written. */

static bool take_isolation(struct cur *c, struct sql_modes *m)
{
	if (!take(c, W_LEVEL))
		return false;
	if (take(c, W_SERIALIZABLE))
		m->isolation = SQL_ISO_SERIALIZABLE;
	else if (take(c, W_REPEATABLE) && take(c, W_READ))
		m->isolation = SQL_ISO_REPEATABLE_READ;
	else if (!take(c, W_READ))
		return false;
	else if (take(c, W_COMMITTED))
		m->isolation = SQL_ISO_READ_COMMITTED;
	else if (take(c, W_UNCOMMITTED))
		m->isolation = SQL_ISO_READ_UNCOMMITTED;
	else
		return false;
	return true;
}

bool sql_take_modes(struct cur *c, struct sql_modes *m)
{
	while (!at_end(c)) {
		if (take(c, W_ISOLATION)) {
			if (!take_isolation(c, m))
				return false;
		} else if (take(c, W_READ)) {
			if (take(c, W_ONLY))
				m->read_only = SQL_YES;
			else if (take(c, W_WRITE))
				m->read_only = SQL_NO;
			else
				return false;
		} else if (take(c, W_DEFERRABLE)) {
			m->deferrable = SQL_YES;
		} else if (take(c, W_NOT) && take(c, W_DEFERRABLE)) {
			m->deferrable = SQL_NO;
		} else {
			return false;
		}
		if (c->t.c == ',') {
			step(c);
			if (at_end(c))
				return false;
		}
	}
	return true;
}

/* [AND [NO] CHAIN] */
static bool take_chain(struct cur *c, struct sql_stmt *st)
{
	if (!take(c, W_AND))
		return true;
	if (!take(c, W_NO))
		st->flags |= SQL_CHAIN;
	return take(c, W_CHAIN);
}

static void take_work(struct cur *c)
{
	if (!take(c, W_WORK))
		(void)take(c, W_TRANSACTION);
}

static bool parse_commit(struct cur *c, struct sql_stmt *st, bool prepared)
{
	st->kind = SQL_COMMIT;
	if (prepared && take(c, W_PREPARED)) {
		st->kind = SQL_COMMIT_PREPARED;
		st->flags |= SQL_NO_BLOCK;
		return take_string(c);
	}
	take_work(c);
	return take_chain(c, st);
}

/* [SAVEPOINT] name; it may be called savepoint. */
static bool take_savepoint(struct cur *c, struct sql_stmt *st)
{
	st->name = c->t.span;
	return (take(c, W_SAVEPOINT) && at_end(c)) || take_name(c, &st->name);
}

static bool parse_rollback(struct cur *c, struct sql_stmt *st, bool abort)
{
	st->kind = SQL_ROLLBACK;
	if (!abort && take(c, W_PREPARED)) {
		st->kind = SQL_ROLLBACK_PREPARED;
		st->flags |= SQL_NO_BLOCK;
		return take_string(c);
	}
	take_work(c);
	if (!abort && take(c, W_TO)) {
		st->kind = SQL_ROLLBACK_TO;
		return take_savepoint(c, st);
	}
	return take_chain(c, st);
}

/* --- Prepared statements, cursors, channels */

static bool parse_deallocate(struct cur *c, struct sql_stmt *st)
{
	struct sql_span first = c->t.span;
	if (take(c, W_PREPARE) && at_end(c)) { /* one that is called prepare */
		st->name = first;
		return true;
	}
	if (take(c, W_ALL)) {
		st->flags |= SQL_ALL;
		return true;
	}
	return take_name(c, &st->name);
}

static bool parse_discard(struct cur *c, struct sql_stmt *st)
{
	if (take(c, W_ALL))
		st->flags |= SQL_ALL | SQL_NO_BLOCK;
	else if (take(c, W_PLANS))
		st->flags |= SQL_PLANS;
	else if (take(c, W_SEQUENCES))
		st->flags |= SQL_SEQUENCES;
	else if (take(c, W_TEMP) || take(c, W_TEMPORARY))
		st->flags |= SQL_TEMP;
	else
		return false;
	return true;
}

static bool parse_unlisten(struct cur *c, struct sql_stmt *st)
{
	if (c->t.c != '*')
		return take_name(c, &st->name);
	st->flags |= SQL_ALL;
	step(c);
	return true;
}

static bool parse_notify(struct cur *c, struct sql_stmt *st)
{
	if (!take_name(c, &st->name))
		return false;
	if (c->t.c != ',')
		return true;
	step(c);
	st->value = c->t.span;
	return take_string(c);
}

static bool parse_close(struct cur *c, struct sql_stmt *st)
{
	if (take(c, W_ALL)) {
		st->flags |= SQL_ALL;
		return true;
	}
	return take_name(c, &st->name);
}

/* FETCH and MOVE: the cursor is what stands last. */
static bool parse_fetch(struct cur *c, struct sql_stmt *st)
{
	bool named = false;
	for (; !at_end(c) && c->t.kind != SQL_TOK_BAD; step(c)) {
		named = is_name(c);
		st->name = c->t.span;
	}
	return named;
}

/* --- Heads */

/* Behind the parenthesis that closes the one at c. */
static bool skip_parens(struct cur *c)
{
	unsigned depth = 0;
	for (; !at_end(c) && c->t.kind != SQL_TOK_BAD; step(c)) {
		depth += c->t.c == '(';
		if (c->t.c == ')' && --depth == 0) {
			step(c);
			return true;
		}
	}
	return false;
}

static bool head(struct scan *sc, struct cur *c, bool within);

static bool head_body(struct scan *sc, struct cur *c)
{
	sc->st->body = (struct sql_span){ c->t.span.at, 0 }; /* its length is known at the end */
	sc->kind = &sc->st->inner;
	return head(sc, c, true);
}

static bool head_prepare(struct scan *sc, struct cur *c)
{
	struct cur word = *c;
	struct sql_stmt *st = sc->st;
	if (take(c, W_TRANSACTION) && is_string(c)) {
		st->kind = SQL_PREPARE_TRANSACTION;
		step(c);
		return at_end(c);
	}
	*c = word;
	st->kind = SQL_PREPARE;
	if (!take_name(c, &st->name) || (c->t.c == '(' && !skip_parens(c)) || !take(c, W_AS))
		return false;
	return head_body(sc, c);
}

static bool head_explain(struct scan *sc, struct cur *c)
{
	struct sql_stmt *st = sc->st;
	if (c->t.c == '(') {
		struct cur options = *c;
		step(c);
		if (c->t.c == '(' || c->w == W_WITH || sql_query_kind(c->w) != SQL_UNKNOWN) {
			*c = options;
			return head_body(sc, c);
		}
		for (; !at_end(c) && c->t.kind != SQL_TOK_BAD && c->t.c != ')';) {
			bool analyze = c->w == W_ANALYZE || c->w == W_ANALYSE;
			step(c);
			if (!analyze)
				continue;
			bool zero = c->t.kind == SQL_TOK_NUMBER && c->t.span.len == 1 && c->lex.s[c->t.span.at] == '0';
			if (c->w != W_FALSE && c->w != W_OFF && !zero)
				st->flags |= SQL_ANALYZE; /* or so it may be */
		}
		if (c->t.c != ')')
			return false;
		step(c);
		return head_body(sc, c);
	}
	if (take(c, W_ANALYZE) || take(c, W_ANALYSE))
		st->flags |= SQL_ANALYZE;
	(void)take(c, W_VERBOSE);
	return head_body(sc, c);
}

static bool head_declare(struct scan *sc, struct cur *c)
{
	struct sql_stmt *st = sc->st;
	if (!take_name(c, &st->name))
		return false;
	while (c->t.kind == SQL_TOK_WORD && c->w != W_CURSOR && c->w != W_FOR)
		step(c);
	if (!take(c, W_CURSOR))
		return false;
	if (take(c, W_WITH)) {
		st->flags |= SQL_HOLD;
		if (!take(c, W_HOLD))
			return false;
	} else if (take(c, W_WITHOUT) && !take(c, W_HOLD)) {
		return false;
	}
	return take(c, W_FOR) && head_body(sc, c);
}

static uint8_t object_of(enum sql_word w)
{
	switch (w) {
	case W_TABLE:
		return SQL_OBJECT_TABLE;
	case W_VIEW:
		return SQL_OBJECT_VIEW;
	case W_SEQUENCE:
		return SQL_OBJECT_SEQUENCE;
	default:
		return SQL_OBJECT_OTHER;
	}
}

static void head_define(struct scan *sc, struct cur *c, enum sql_word verb)
{
	struct sql_stmt *st = sc->st;
	if (verb == W_CREATE) {
		if (take(c, W_OR))
			(void)take(c, W_REPLACE);
		if (!take(c, W_LOCAL))
			(void)take(c, W_GLOBAL);
		if (take(c, W_TEMP) || take(c, W_TEMPORARY))
			st->flags |= SQL_TEMP;
		else
			(void)take(c, W_UNLOGGED);
		(void)take(c, W_RECURSIVE);
		sc->routine = c->w == W_FUNCTION || c->w == W_PROCEDURE;
	}
	st->object = object_of(c->w);
	sc->alone = true;
	sc->database = verb == W_ALTER && c->w == W_DATABASE;
	if (c->w == W_SYSTEM || c->w == W_TABLESPACE || c->w == W_SUBSCRIPTION || c->w == W_DATABASE)
		if (verb != W_ALTER || c->w == W_SYSTEM)
			st->flags |= SQL_NO_BLOCK;
}

static void head_maintain(struct scan *sc, struct cur *c, enum sql_word verb)
{
	if (verb == W_REINDEX) {
		if (c->t.c == '(')
			(void)skip_parens(c);
		sc->alone = true;
		if (c->w == W_DATABASE || c->w == W_SYSTEM || c->w == W_SCHEMA)
			sc->st->flags |= SQL_NO_BLOCK;
	} else if (verb == W_CLUSTER || verb == W_REPACK) {
		if (c->t.c == '(')
			(void)skip_parens(c);
		(void)take(c, W_VERBOSE);
		sc->alone = true;
		if (at_end(c))
			sc->st->flags |= SQL_NO_BLOCK;
	} else if (verb == W_VACUUM) {
		sc->st->flags |= SQL_NO_BLOCK;
	}
}

/* True when it was parsed to its end; then it has to be there. */
static bool parse_exactly(struct cur *c, struct sql_stmt *st, enum sql_word verb, bool *ok)
{
	struct cur from = *c;
	step(c);
	switch (verb) {
	case W_BEGIN:
		st->kind = SQL_BEGIN;
		take_work(c);
		*ok = sql_take_modes(c, &st->modes);
		break;
	case W_START:
		st->kind = SQL_BEGIN;
		*ok = take(c, W_TRANSACTION) && sql_take_modes(c, &st->modes);
		break;
	case W_COMMIT:
	case W_END:
		*ok = parse_commit(c, st, verb == W_COMMIT);
		break;
	case W_ROLLBACK:
	case W_ABORT:
		*ok = parse_rollback(c, st, verb == W_ABORT);
		break;
	case W_SAVEPOINT:
		st->kind = SQL_SAVEPOINT;
		*ok = take_name(c, &st->name);
		break;
	case W_RELEASE:
		st->kind = SQL_RELEASE;
		*ok = take_savepoint(c, st);
		break;
	case W_SET:
		*ok = sql_parse_set(c, st);
		break;
	case W_RESET:
		st->kind = SQL_RESET;
		*ok = sql_parse_reset(c, st);
		break;
	case W_SHOW:
		st->kind = SQL_SHOW;
		*ok = sql_parse_reset(c, st);
		break;
	case W_DEALLOCATE:
		st->kind = SQL_DEALLOCATE;
		*ok = parse_deallocate(c, st);
		break;
	case W_DISCARD:
		st->kind = SQL_DISCARD;
		*ok = parse_discard(c, st);
		break;
	case W_LISTEN:
		st->kind = SQL_LISTEN;
		*ok = take_name(c, &st->name);
		break;
	case W_UNLISTEN:
		st->kind = SQL_UNLISTEN;
		*ok = parse_unlisten(c, st);
		break;
	case W_NOTIFY:
		st->kind = SQL_NOTIFY;
		*ok = parse_notify(c, st);
		break;
	case W_LOAD:
		st->kind = SQL_LOAD;
		*ok = take_string(c);
		break;
	case W_CLOSE:
		st->kind = SQL_CLOSE;
		*ok = parse_close(c, st);
		break;
	case W_FETCH:
		st->kind = SQL_FETCH;
		*ok = parse_fetch(c, st);
		break;
	case W_MOVE:
		st->kind = SQL_MOVE;
		*ok = parse_fetch(c, st);
		break;
	default:
		*c = from;
		return false;
	}
	return true;
}

/* The first words of a statement, or of a body; c is left where the rest has to be looked over. False: it is none. */
static bool head(struct scan *sc, struct cur *c, bool within)
{
	struct sql_stmt *st = sc->st;
	enum sql_word verb = c->w;

	if (c->t.c == '(') { /* (SELECT ...) UNION ... */
		struct cur inside = *c;
		while (inside.t.c == '(')
			step(&inside);
		*sc->kind = inside.w == W_WITH ? SQL_SELECT : sql_query_kind(inside.w);
		if (inside.w == W_WITH)
			st->flags |= SQL_WITH_CTE;
		return *sc->kind == SQL_SELECT || *sc->kind == SQL_VALUES || *sc->kind == SQL_TABLE;
	}
	if (sql_query_kind(verb) != SQL_UNKNOWN) {
		*sc->kind = sql_query_kind(verb);
		return true; /* the verb is looked at with the rest: INSERT INTO */
	}
	switch (verb) {
	case W_WITH:
		st->flags |= SQL_WITH_CTE;
		sc->with = true;
		return true;
	case W_EXECUTE:
		*sc->kind = SQL_EXECUTE;
		st->flags |= SQL_EXECUTES;
		step(c);
		return take_name(c, &st->name);
	case W_CREATE:
		*sc->kind = SQL_CREATE;
		step(c);
		head_define(sc, c, verb);
		return true;
	case W_DECLARE:
		*sc->kind = SQL_DECLARE;
		step(c);
		if (!within)
			return head_declare(sc, c);
		return true;
	default:
		if (within) /* EXPLAIN REFRESH MATERIALIZED VIEW, and what comes yet */
			return true;
	}
	step(c);
	switch (verb) {
	case W_PREPARE:
		return head_prepare(sc, c);
	case W_EXPLAIN:
		st->kind = SQL_EXPLAIN;
		return head_explain(sc, c);
	case W_COPY:
		st->kind = SQL_COPY;
		sc->copy = true;
		return true;
	case W_DO:
		st->kind = SQL_DO;
		return true;
	case W_CALL:
		st->kind = SQL_CALL;
		return true;
	case W_LOCK:
		st->kind = SQL_LOCK;
		return true;
	case W_ALTER:
		st->kind = SQL_ALTER;
		head_define(sc, c, verb);
		return true;
	case W_DROP:
		st->kind = SQL_DROP;
		head_define(sc, c, verb);
		return true;
	case W_TRUNCATE:
		st->kind = SQL_TRUNCATE;
		return true;
	case W_GRANT:
	case W_REVOKE:
		st->kind = SQL_GRANT;
		return true;
	case W_COMMENT:
	case W_SECURITY:
	case W_REASSIGN:
	case W_REFRESH:
	case W_IMPORT:
		st->kind = SQL_DEFINE;
		return true;
	case W_ANALYZE:
	case W_ANALYSE:
	case W_VACUUM:
	case W_CLUSTER:
	case W_REINDEX:
	case W_REPACK:
	case W_CHECKPOINT:
		st->kind = SQL_MAINTAIN;
		head_maintain(sc, c, verb);
		return true;
	default:
		return false;
	}
}

/* --- Reading */

void sql_read_init(struct sql_reader *r, const void *text, size_t len, unsigned mode, const struct sql_funcs *funcs,
		   unsigned ask)
{
	*r = (struct sql_reader){ .funcs = funcs, .ask = ask };
	sql_lex_init(&r->lex, text, len, mode);
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Is the query that begins at c the last statement, and nothing in it worth a look? Then *end is where it ends. */
static bool is_ordinary(struct sql_reader *r, const struct cur *c, enum sql_kind kind, uint32_t *end)
{
	const uint8_t *s = r->lex.s;
	uint32_t from = c->t.span.at, to = r->lex.end;
	while (to > from && is_blank(s[to - 1]))
		to--;
	if (to > from && s[to - 1] == ';')
		to--;
	if (!r->hints) /* for the first statement; those behind it have no more */
		r->hints = sql_hints(s + from, to - from, r->funcs);
	unsigned h = r->hints;
	if (h & (HINT_SEMI | HINT_CALL | HINT_UNAME))
		return false;
	if (kind == SQL_UPDATE && r->funcs && sql_updates_settings(c))
		return false;
	if (kind == SQL_SELECT && (h & HINT_INTO) && (h & HINT_TEMP))
		return false;
	if (kind == SQL_SELECT && (r->ask & SQL_ASK_PLAIN) && (h & (HINT_INTO | HINT_FOR)))
		return false;
	while (to > from && is_blank(s[to - 1]))
		to--;
	*end = to;
	return true;
}

/* The statement ends at c: its spans, and where the next one begins. */
static void end_at(struct sql_reader *r, struct cur *c, uint32_t from, struct sql_stmt *st)
{
	uint32_t to = c->t.span.at;
	if (c->t.c == ';') {
		/* Blanks behind the last one are no statement. */
		r->lex.at = to + 1;
		struct sql_lexer ahead = r->lex;
		struct sql_token t;
		if (sql_lex(&ahead, &t) == SQL_TOK_END)
			r->lex.at = r->lex.end;
	} else {
		to = r->lex.end;
		r->lex.at = to;
	}
	st->part = (struct sql_span){ from, r->lex.at - from };
	if (st->kind == SQL_EMPTY)
		return;
	while (to > st->text.at && is_blank(r->lex.s[to - 1]))
		to--;
	st->text.len = to - st->text.at;
	if (st->body.at)
		st->body.len = to > st->body.at ? to - st->body.at : 0;
}

static bool is_plain(const struct scan *sc)
{
	const struct sql_stmt *st = sc->st;
	return (st->kind == SQL_SELECT || st->kind == SQL_VALUES || st->kind == SQL_TABLE) && !sc->locks &&
	       !sc->makes && !st->calls && !(st->flags & (SQL_TEMP | SQL_MODIFIES | SQL_HIDDEN));
}

/* SELECT [pg_catalog.]set_config('a', 'b', true) and no more. */
static void note_config(const struct sql_reader *r, struct sql_stmt *st)
{
	struct cur c = { .lex = r->lex };
	struct sql_span name, value;
	c.lex.at = st->text.at;
	c.lex.end = st->text.at + st->text.len;
	step(&c);
	step(&c);
	struct cur word = c;
	step(&c);
	if (c.t.c == '.') {
		step(&c);
		word = c;
		step(&c);
	}
	if (word.t.kind != SQL_TOK_WORD || c.t.c != '(')
		return;
	step(&c);
	name = c.t.span;
	if (!take_string(&c) || c.t.c != ',')
		return;
	step(&c);
	value = c.t.span;
	if (!take_string(&c) || c.t.c != ',')
		return;
	step(&c);
	bool local = c.w == W_TRUE;
	if (!local && c.w != W_FALSE)
		return;
	step(&c);
	if (c.t.c != ')')
		return;
	step(&c);
	if (c.t.kind != SQL_TOK_END)
		return;
	st->flags |= SQL_CONFIG | (local ? SQL_LOCAL : 0);
	st->name = name;
	st->value = value;
}

bool sql_read(struct sql_reader *r, struct sql_stmt *st)
{
	struct cur c = { .lex = r->lex };
	uint32_t from = r->lex.at, end;

	if (from >= r->lex.end)
		return false;
	step(&c);
	*st = (struct sql_stmt){ .text = { c.t.span.at, 0 } };
	struct scan sc = { .st = st, .kind = &st->kind, .funcs = r->funcs };
	if (at_end(&c)) {
		st->kind = SQL_EMPTY;
		end_at(r, &c, from, st);
		return true;
	}
	enum sql_kind query = sql_query_kind(c.w);
	if (query != SQL_UNKNOWN && is_ordinary(r, &c, query, &end)) {
		st->kind = query;
		if (r->ask & SQL_ASK_PLAIN && is_plain(&sc))
			st->flags |= SQL_PLAIN;
		st->text.len = end - st->text.at;
		st->part = (struct sql_span){ from, r->lex.end - from };
		r->lex.at = r->lex.end;
		return true;
	}
	bool ok = true;
	if (c.t.kind == SQL_TOK_BAD) {
		ok = false;
	} else if (parse_exactly(&c, st, c.w, &ok)) {
		ok = ok && at_end(&c);
	} else {
		ok = head(&sc, &c, false);
	}
	if (!at_end(&c))
		sql_scan(&sc, &c);
	if (!ok || c.t.kind == SQL_TOK_BAD || sc.with) {
		uint32_t calls = st->calls, flags = st->flags & SQL_HIDDEN;
		*st = (struct sql_stmt){ .text = st->text, .calls = calls, .flags = flags };
	}
	if (!(st->flags & SQL_WITH_CTE))
		st->flags &= ~(uint32_t)SQL_MODIFIES; /* a column of that name, or a syntax error */
	end_at(r, &c, from, st);
	if (r->ask & SQL_ASK_PLAIN && is_plain(&sc))
		st->flags |= SQL_PLAIN;
	if (st->kind == SQL_SELECT && (st->calls & SQL_CALL_SET_CONFIG))
		note_config(r, st);
	return true;
}

bool sql_walk_to(struct sql_walk *w, unsigned nth, struct sql_stmt *st)
{
	while (nth >= w->next && sql_read(&w->r, st))
		if (st->kind != SQL_EMPTY && w->next++ == nth)
			return true;
	return false;
}
