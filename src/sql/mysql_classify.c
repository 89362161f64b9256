/* mysql_classify.c - what a statement of MySQL's or MariaDB's is: its head is parsed, the rest looked over. MySQL
 * Reference Manual, SQL Statements. */
#include "sql/mysql_int.h"

#include <string.h>

const char *my_kind_name(enum my_kind kind)
{
	static const char *const names[] = {
#define X(name, shown) [MY_##name] = shown,
		MY_KINDS(X)
#undef X
	};
	return (unsigned)kind < MY_NKINDS ? names[kind] : "?";
}

/* Each parser takes what follows the verb; false: that is not how it is written. What it leaves is looked over. */

/* --- Transactions */

static bool take_isolation(struct my_cur *c, struct sql_modes *m)
{
	if (!my_take(c, M_LEVEL))
		return false;
	if (my_take(c, M_SERIALIZABLE))
		m->isolation = SQL_ISO_SERIALIZABLE;
	else if (my_take(c, M_REPEATABLE) && my_take(c, M_READ))
		m->isolation = SQL_ISO_REPEATABLE_READ;
	else if (!my_take(c, M_READ))
		return false;
	else if (my_take(c, M_COMMITTED))
		m->isolation = SQL_ISO_READ_COMMITTED;
	else if (my_take(c, M_UNCOMMITTED))
		m->isolation = SQL_ISO_READ_UNCOMMITTED;
	else
		return false;
	return true;
}

/* Of SET TRANSACTION and of START TRANSACTION. */
static bool take_modes(struct my_cur *c, struct sql_modes *m)
{
	while (!my_at_end(c)) {
		if (my_take(c, M_ISOLATION)) {
			if (!take_isolation(c, m))
				return false;
		} else if (my_take(c, M_READ)) {
			if (my_take(c, M_ONLY))
				m->read_only = SQL_YES;
			else if (my_take(c, M_WRITE))
				m->read_only = SQL_NO;
			else
				return false;
		} else if (!my_take(c, M_WITH) || !my_take(c, M_CONSISTENT) || !my_take(c, M_SNAPSHOT)) {
			return false;
		}
		if (c->t.c != ',')
			return my_at_end(c);
		my_step(c);
	}
	return true;
}

/* [WORK] [AND [NO] CHAIN] [[NO] RELEASE] */
static bool take_completion(struct my_cur *c, struct my_stmt *st)
{
	(void)my_take(c, M_WORK);
	if (my_take(c, M_AND)) {
		if (!my_take(c, M_NO))
			st->flags |= MY_CHAIN;
		if (!my_take(c, M_CHAIN))
			return false;
	}
	if (my_take(c, M_NO))
		return my_take(c, M_RELEASE);
	if (my_take(c, M_RELEASE))
		st->flags |= MY_RELEASE;
	return true;
}

static bool parse_rollback(struct my_cur *c, struct my_stmt *st)
{
	struct my_cur from = *c;
	st->kind = MY_ROLLBACK;
	(void)my_take(c, M_WORK);
	if (my_take(c, M_TO)) {
		st->kind = MY_ROLLBACK_TO;
		struct my_cur name = *c;
		if (my_take(c, M_SAVEPOINT) && my_at_end(c))
			*c = name; /* one of that name */
		return my_take_name(c, &st->name);
	}
	*c = from;
	return take_completion(c, st);
}

static bool parse_begin(struct my_scan *sc, struct my_cur *c)
{
	struct my_stmt *st = sc->st;
	if (my_take(c, M_NOT)) {
		st->kind = MY_COMPOUND;
		sc->compound = true;
		return c->w == M_ATOMIC;
	}
	st->kind = MY_BEGIN;
	(void)my_take(c, M_WORK);
	return my_at_end(c);
}

static bool parse_start(struct my_cur *c, struct my_stmt *st)
{
	if (!my_take(c, M_TRANSACTION)) {
		st->kind = MY_ADMIN;
		return true;
	}
	st->kind = MY_BEGIN;
	return take_modes(c, &st->modes);
}

static bool parse_xa(struct my_cur *c, struct my_stmt *st)
{
	st->kind = MY_XA;
	if (c->w == M_START || c->w == M_BEGIN)
		st->flags |= MY_OPENS;
	else if (c->w == M_COMMIT || c->w == M_ROLLBACK)
		st->flags |= MY_ENDS;
	return true;
}

/* --- Settings */

static bool head(struct my_scan *sc, struct my_cur *c);

static bool parse_set(struct my_scan *sc, struct my_cur *c)
{
	struct my_stmt *st = sc->st;
	struct my_cur word = *c;
	st->kind = MY_SET;
	my_step(c);
	bool assigned = c->t.c == '=' || (c->t.kind == SQL_TOK_OP && c->lex.s[c->t.span.at] == ':');
	switch (assigned ? M_NONE : word.w) {
	case M_PASSWORD:
		st->kind = MY_SET_PASSWORD;
		return true;
	case M_ROLE:
		st->kind = MY_SET_ROLE;
		return true;
	case M_DEFAULT:
		st->kind = MY_GRANT;
		return c->w == M_ROLE;
	case M_RESOURCE:
		st->kind = MY_SET_RESOURCE;
		return c->w == M_GROUP;
	case M_TRANSACTION:
		st->kind = MY_SET_TRANSACTION;
		return !my_at_end(c) && take_modes(c, &st->modes);
	case M_GLOBAL:
	case M_SESSION:
	case M_LOCAL:
		if (!my_take(c, M_TRANSACTION))
			break;
		st->kind = MY_SET_TRANSACTION;
		st->flags |= word.w == M_GLOBAL ? MY_GLOBAL : MY_SESSION;
		return !my_at_end(c) && take_modes(c, &st->modes);
	case M_STATEMENT: {
		unsigned depth = 0;
		st->kind = MY_SET_STATEMENT;
		for (; !my_at_end(c) && (depth || c->w != M_FOR); my_step(c)) {
			if (c->t.kind == SQL_TOK_BAD)
				return false;
			depth += c->t.c == '(';
			depth -= c->t.c == ')' && depth > 0;
		}
		if (!my_take(c, M_FOR))
			return false;
		sc->kind = &st->inner;
		st->body.at = c->t.span.at;
		return head(sc, c);
	}
	default:
		break;
	}
	*c = word;
	return true;
}

/* --- Locks, prepared statements, cursors of tables */

static bool parse_lock(struct my_cur *c, struct my_stmt *st, bool ends)
{
	if (c->w == M_INSTANCE) {
		st->kind = MY_BACKUP;
		st->flags |= MY_INSTANCE | (ends ? MY_ENDS : MY_OPENS);
		return true;
	}
	st->kind = ends ? MY_UNLOCK : MY_LOCK;
	if (ends)
		st->flags |= MY_ENDS;
	return c->w == M_TABLE || c->w == M_TABLES;
}

/* STAGE START | ... | END; LOCK table; UNLOCK */
static bool parse_backup(struct my_cur *c, struct my_stmt *st)
{
	st->kind = MY_BACKUP;
	if (my_is_word(c, "stage")) {
		my_step(c);
		st->flags |= MY_STAGE | (c->w == M_END ? MY_ENDS : MY_OPENS);
		return true;
	}
	st->flags |= c->w == M_UNLOCK ? MY_ENDS : MY_OPENS;
	return c->w == M_LOCK || c->w == M_UNLOCK;
}

static bool parse_flush(struct my_cur *c, struct my_stmt *st)
{
	st->kind = MY_FLUSH;
	for (; !my_at_end(c) && c->t.kind != SQL_TOK_BAD; my_step(c)) {
		enum my_word before = c->w;
		if (before != M_WITH && before != M_FOR)
			continue;
		struct my_cur next = *c;
		my_step(&next);
		if (next.w == M_READ || next.w == M_EXPORT)
			st->flags |= MY_READ_LOCK;
	}
	return true;
}

static bool parse_prepare(struct my_cur *c, struct my_stmt *st)
{
	st->kind = MY_PREPARE;
	if (!my_take_name(c, &st->name) || !my_take(c, M_FROM))
		return false;
	struct my_cur text = *c;
	my_step(c);
	if (text.t.kind == SQL_TOK_STRING && my_at_end(c))
		st->body = text.t.span;
	else
		st->flags |= MY_HIDDEN;
	return true;
}

static bool parse_execute(struct my_cur *c, struct my_stmt *st)
{
	struct my_cur word = *c;
	st->kind = MY_EXECUTE;
	st->flags |= MY_HIDDEN;
	if (my_take(c, M_IMMEDIATE) && !my_at_end(c) && c->w != M_USING) {
		struct my_cur text = *c;
		my_step(c);
		if (text.t.kind == SQL_TOK_STRING && (my_at_end(c) || c->w == M_USING))
			st->body = text.t.span;
		return true;
	}
	*c = word;
	return my_take_name(c, &st->name);
}

static bool parse_handler(struct my_cur *c, struct my_stmt *st)
{
	st->kind = MY_HANDLER;
	if (!my_take_name(c, &st->name))
		return false;
	if (c->t.c == '.') {
		my_step(c);
		if (!my_take_name(c, &st->name))
			return false;
	}
	if (my_take(c, M_OPEN)) {
		st->flags |= MY_OPENS;
		(void)my_take(c, M_AS);
		if (!my_at_end(c))
			return my_take_name(c, &st->name);
	} else if (my_take(c, M_CLOSE)) {
		st->flags |= MY_ENDS;
	}
	return true;
}

/* --- Definitions */

/* name or schema.name */
static bool take_table(struct my_cur *c, struct sql_span *name)
{
	struct sql_span part;
	if (!my_take_name(c, name))
		return false;
	if (c->t.c != '.')
		return true;
	my_step(c);
	if (!my_take_name(c, &part))
		return false;
	name->len = part.at + part.len - name->at;
	return true;
}

static bool parse_create(struct my_scan *sc, struct my_cur *c)
{
	struct my_stmt *st = sc->st;
	st->kind = MY_CREATE;
	if (my_take(c, M_OR))
		(void)my_take(c, M_REPLACE);
	if (my_take(c, M_TEMPORARY))
		st->flags |= MY_TEMPORARY;
	if (my_take(c, M_TABLE)) {
		st->flags |= MY_TABLES;
		if (my_take(c, M_IF) && (!my_take(c, M_NOT) || !my_take(c, M_EXISTS)))
			return false;
		return take_table(c, &st->name);
	}
	/* DEFINER = x@y stands before what it is. */
	for (; !my_at_end(c) && c->t.kind != SQL_TOK_BAD; my_step(c)) {
		switch (c->w) {
		case M_PROCEDURE:
		case M_FUNCTION:
		case M_TRIGGER:
		case M_EVENT:
		case M_PACKAGE:
			sc->routine = true;
			return true;
		case M_USER:
		case M_ROLE:
			st->kind = MY_GRANT;
			return true;
		case M_VIEW:
			sc->funcs = NULL; /* what it calls is called when it is read */
			return true;
		case M_DEFINER:
			my_step(c); /* = */
			my_step(c); /* who; a word of the user's */
			break;
		default:
			break;
		}
	}
	return c->t.kind != SQL_TOK_BAD;
}

static bool parse_drop(struct my_cur *c, struct my_stmt *st)
{
	st->kind = MY_DROP;
	if (my_take(c, M_PREPARE)) {
		st->kind = MY_DEALLOCATE;
		return my_take_name(c, &st->name);
	}
	if (c->w == M_USER || c->w == M_ROLE) {
		st->kind = MY_GRANT;
		return true;
	}
	if (my_take(c, M_TEMPORARY))
		st->flags |= MY_TEMPORARY;
	if (!my_take(c, M_TABLE) && !my_take(c, M_TABLES))
		return true;
	st->flags |= MY_TABLES;
	if (my_take(c, M_IF) && !my_take(c, M_EXISTS))
		return false;
	struct sql_span one;
	if (!take_table(c, &one))
		return false;
	st->name = one;
	while (c->t.c == ',') {
		my_step(c);
		if (!take_table(c, &one))
			return false;
		st->name.len = one.at + one.len - st->name.at;
	}
	return true;
}

static bool parse_alter(struct my_scan *sc, struct my_cur *c)
{
	sc->st->kind = MY_ALTER;
	for (struct my_cur ahead = *c; !my_at_end(&ahead) && ahead.t.kind != SQL_TOK_BAD; my_step(&ahead)) {
		if (ahead.w == M_USER || ahead.w == M_ROLE) {
			sc->st->kind = MY_GRANT;
			return true;
		}
		if (ahead.w == M_EVENT) {
			sc->routine = true;
			return true;
		}
		if (ahead.w == M_TABLE)
			return true;
	}
	return true;
}

/* --- What asks */

static bool parse_show(struct my_cur *c, struct my_stmt *st)
{
	st->kind = MY_SHOW;
	(void)my_take(c, M_FULL);
	if (c->w == M_PROCESSLIST) {
		st->flags |= MY_PROCESSES;
	} else if (my_take(c, M_COUNT)) {
		while (c->t.c == '(' || c->t.c == '*' || c->t.c == ')')
			my_step(c);
		if (c->w == M_WARNINGS || c->w == M_ERRORS)
			st->flags |= MY_DIAGNOSTICS;
	} else if (c->w == M_WARNINGS || c->w == M_ERRORS) {
		st->flags |= MY_DIAGNOSTICS;
	}
	return true;
}

static bool parse_explain(struct my_scan *sc, struct my_cur *c, bool runs)
{
	struct my_stmt *st = sc->st;
	st->kind = MY_EXPLAIN;
	if (runs)
		st->flags |= MY_ANALYZE;
	for (; !my_at_end(c) && c->t.kind != SQL_TOK_BAD; my_step(c)) {
		if (c->w == M_ANALYZE)
			st->flags |= MY_ANALYZE;
		if (my_query_kind(c->w) != MY_UNKNOWN || c->w == M_WITH || c->t.c == '(') {
			sc->kind = &st->inner;
			st->body.at = c->t.span.at;
			return head(sc, c);
		}
	}
	return c->t.kind != SQL_TOK_BAD;
}

static bool parse_kill(struct my_cur *c, struct my_stmt *st)
{
	st->kind = MY_KILL;
	if (c->w == M_HARD || c->w == M_SOFT)
		my_step(c);
	if (my_take(c, M_QUERY))
		st->flags |= MY_QUERY;
	else
		(void)my_take(c, M_CONNECTION);
	if (c->t.kind == SQL_TOK_NUMBER) {
		struct my_cur number = *c;
		my_step(c);
		if (my_at_end(c))
			st->name = number.t.span;
	}
	return true;
}

static bool is_select_word(const struct my_cur *c)
{
	switch (c->w) {
	case M_ALL:
	case M_DISTINCT:
	case M_DISTINCTROW:
		return true;
	default:
		return c->t.kind == SQL_TOK_WORD &&
		       (my_is_word(c, "high_priority") || my_is_word(c, "straight_join") ||
			my_is_word(c, "sql_small_result") || my_is_word(c, "sql_big_result") ||
			my_is_word(c, "sql_buffer_result") || my_is_word(c, "sql_no_cache") ||
			my_is_word(c, "sql_cache") || my_is_word(c, "sql_calc_found_rows"));
	}
}

/* --- Heads */

/* The first words of a statement, or of what a statement explains or is for; c is left where the rest has to be looked
 * over. False: it is none. */
static bool head(struct my_scan *sc, struct my_cur *c)
{
	struct my_stmt *st = sc->st;
	enum my_word verb = c->w;
	if (c->t.c == '(') {
		struct my_cur inside = *c;
		while (inside.t.c == '(')
			my_step(&inside);
		*sc->kind = inside.w == M_WITH ? MY_SELECT : my_query_kind(inside.w);
		return *sc->kind == MY_SELECT || *sc->kind == MY_VALUES || *sc->kind == MY_TABLE;
	}
	if (my_query_kind(verb) != MY_UNKNOWN) {
		*sc->kind = my_query_kind(verb);
		return true;
	}
	if (verb == M_WITH) {
		sc->with = true;
		return true;
	}
	if (sc->kind != &st->kind) { /* SET STATEMENT ... FOR CALL */
		struct my_stmt inner = { .text = st->text };
		struct my_scan in = { .st = &inner, .kind = &inner.kind, .funcs = sc->funcs };
		if (verb == M_SET || !head(&in, c))
			return false;
		*sc->kind = inner.kind;
		st->flags |= inner.flags;
		st->name = inner.name;
		sc->assigns = in.assigns;
		sc->compound = in.compound;
		sc->routine = in.routine;
		sc->with = in.with;
		return true;
	}
	my_step(c);
	switch (verb) {
	case M_BEGIN:
		return parse_begin(sc, c);
	case M_START:
		return parse_start(c, st);
	case M_COMMIT:
		st->kind = MY_COMMIT;
		return take_completion(c, st);
	case M_ROLLBACK:
		return parse_rollback(c, st);
	case M_SAVEPOINT:
		st->kind = MY_SAVEPOINT;
		return my_take_name(c, &st->name);
	case M_RELEASE:
		st->kind = MY_RELEASE_SAVEPOINT;
		return my_take(c, M_SAVEPOINT) && my_take_name(c, &st->name);
	case M_XA:
		return parse_xa(c, st);
	case M_SET:
		return parse_set(sc, c);
	case M_USE:
		st->kind = MY_USE;
		return my_take_name(c, &st->name);
	case M_LOAD:
		st->kind = MY_LOAD;
		sc->assigns = true;
		for (struct my_cur ahead = *c; ahead.t.kind == SQL_TOK_WORD && ahead.w != M_INTO; my_step(&ahead))
			if (ahead.w == M_LOCAL)
				st->flags |= MY_LOCAL;
		return true;
	case M_DO:
		st->kind = MY_DO;
		return true;
	case M_CALL:
		st->kind = MY_CALL;
		sc->assigns = true;
		return true;
	case M_HANDLER:
		return parse_handler(c, st);
	case M_SHOW:
		return parse_show(c, st);
	case M_EXPLAIN:
	case M_DESC:
	case M_DESCRIBE:
		return parse_explain(sc, c, false);
	case M_GET:
		st->kind = MY_GET_DIAGNOSTICS;
		st->flags |= MY_DIAGNOSTICS | MY_WRITES_VAR;
		return true;
	case M_IF:
	case M_CASE:
	case M_LOOP:
	case M_WHILE:
	case M_REPEAT:
	case M_FOR:
		st->kind = MY_COMPOUND;
		sc->compound = true;
		return false; /* where it ends is not looked for */
	case M_BACKUP:
		return parse_backup(c, st);
	case M_LOCK:
		return parse_lock(c, st, false);
	case M_UNLOCK:
		return parse_lock(c, st, true);
	case M_FLUSH:
		return parse_flush(c, st);
	case M_PREPARE:
		return parse_prepare(c, st);
	case M_EXECUTE:
		return parse_execute(c, st);
	case M_DEALLOCATE:
		st->kind = MY_DEALLOCATE;
		return my_take(c, M_PREPARE) && my_take_name(c, &st->name);
	case M_CREATE:
		return parse_create(sc, c);
	case M_ALTER:
		return parse_alter(sc, c);
	case M_RENAME:
		st->kind = c->w == M_USER ? MY_GRANT : MY_ALTER;
		return true;
	case M_DROP:
		return parse_drop(c, st);
	case M_TRUNCATE:
		st->kind = MY_TRUNCATE;
		return true;
	case M_GRANT:
	case M_REVOKE:
		st->kind = MY_GRANT;
		return true;
	case M_KILL:
		return parse_kill(c, st);
	case M_SIGNAL:
	case M_RESIGNAL:
		st->kind = MY_SIGNAL;
		return true;
	case M_ANALYZE:
		if (my_query_kind(c->w) != MY_UNKNOWN && c->w != M_TABLE)
			return parse_explain(sc, c, true);
		if (c->w == M_FORMAT || c->w == M_WITH || c->t.c == '(')
			return parse_explain(sc, c, true);
		/* fall through */
	case M_BINLOG:
	case M_CACHE:
	case M_CHANGE:
	case M_CHECK:
	case M_CHECKSUM:
	case M_CLONE:
	case M_HELP:
	case M_IMPORT:
	case M_INSTALL:
	case M_OPTIMIZE:
	case M_PURGE:
	case M_REPAIR:
	case M_RESET:
	case M_RESTART:
	case M_SHUTDOWN:
	case M_STOP:
	case M_UNINSTALL:
		st->kind = MY_ADMIN;
		return true;
	default:
		return false;
	}
}

/* --- Reading */

void my_read_init(struct my_reader *r, const void *text, size_t len, unsigned mode, const struct sql_funcs *funcs)
{
	*r = (struct my_reader){ .funcs = funcs };
	my_lex_init(&r->lex, text, len, mode);
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Is the query that begins at c the last statement, and nothing in it worth a look? Then *end is where it ends. */
static bool is_ordinary(struct my_reader *r, const struct my_cur *c, enum my_kind kind, uint32_t *end)
{
	const uint8_t *s = r->lex.s;
	uint32_t from = c->t.span.at, to = r->lex.end;
	if (c->lex.inside)
		return false;
	while (to > from && is_blank(s[to - 1]))
		to--;
	if (to > from && s[to - 1] == ';')
		to--;
	if (!r->hints) /* for the first statement; those behind it have no more */
		r->hints = my_hints(s + from, to - from, r->funcs);
	if (r->hints & (HINT_SEMI | HINT_CALL | HINT_AT | HINT_COMMENT))
		return false;
	if (kind == MY_SELECT) {
		struct my_cur ahead = *c;
		for (my_step(&ahead); is_select_word(&ahead); my_step(&ahead))
			if (my_is_word(&ahead, "sql_calc_found_rows"))
				return false;
		if (my_is_word(&ahead, "previous"))
			return false;
	}
	while (to > from && is_blank(s[to - 1]))
		to--;
	*end = to;
	return true;
}

/* The statement ends at c: its spans, and where the next one begins. */
static void end_at(struct my_reader *r, struct my_cur *c, uint32_t from, struct my_stmt *st)
{
	uint32_t to = c->t.span.at;
	r->lex.inside = false;
	if (c->t.c == ';') {
		/* Blanks behind the last one are no statement. */
		r->lex.at = to + 1;
		struct my_lexer ahead = r->lex;
		struct sql_token t;
		if (my_lex(&ahead, &t) == SQL_TOK_END)
			r->lex.at = r->lex.end;
	} else {
		to = r->lex.end;
		r->lex.at = to;
	}
	st->part = (struct sql_span){ from, r->lex.at - from };
	if (st->kind == MY_EMPTY)
		return;
	while (to > st->text.at && is_blank(r->lex.s[to - 1]))
		to--;
	st->text.len = to - st->text.at;
	if (st->body.at && !st->body.len)
		st->body.len = to > st->body.at ? to - st->body.at : 0;
}

/* SELECT GET_LOCK('x', 1) and no more, or the like. */
static void note_lock(const struct my_reader *r, struct my_stmt *st)
{
	struct my_cur c = { .lex = r->lex };
	struct sql_span name = { 0, 0 };
	c.lex.at = st->text.at;
	c.lex.end = st->text.at + st->text.len;
	c.lex.inside = false;
	my_step(&c); /* SELECT, DO */
	my_step(&c); /* the function */
	if (c.t.kind != SQL_TOK_WORD)
		return;
	my_step(&c);
	if (c.t.c != '(')
		return;
	my_step(&c);
	if (c.t.kind == SQL_TOK_STRING) {
		name = c.t.span;
		my_step(&c);
	}
	if (c.t.c == ',') {
		my_step(&c);
		if (c.t.c == '-')
			my_step(&c);
		if (c.t.kind != SQL_TOK_NUMBER)
			return;
		my_step(&c);
	}
	if (c.t.c != ')')
		return;
	my_step(&c);
	if (my_take(&c, M_AS) || my_is_name(&c) || c.t.kind == SQL_TOK_STRING)
		my_step(&c);
	if (!my_at_end(&c) || (name.len == 0 && st->calls != MY_CALL_RELEASE_ALL_LOCKS))
		return;
	st->flags |= MY_LOCK_ALONE;
	st->name = name;
}

bool my_read(struct my_reader *r, struct my_stmt *st)
{
	struct my_cur c = { .lex = r->lex };
	uint32_t from = r->lex.at, end;

	if (from >= r->lex.end)
		return false;
	my_step(&c);
	*st = (struct my_stmt){ .text = { c.t.span.at, 0 } };
	struct my_scan sc = { .st = st, .kind = &st->kind, .funcs = r->funcs };
	if (my_at_end(&c)) {
		st->kind = MY_EMPTY;
		end_at(r, &c, from, st);
		return true;
	}
	enum my_kind query = my_query_kind(c.w);
	if (query != MY_UNKNOWN && is_ordinary(r, &c, query, &end)) {
		st->kind = query;
		st->text.len = end - st->text.at;
		st->part = (struct sql_span){ from, r->lex.end - from };
		r->lex.at = r->lex.end;
		return true;
	}
	bool ok = c.t.kind != SQL_TOK_BAD && head(&sc, &c);
	if (!my_at_end(&c))
		my_scan(&sc, &c);
	if (!ok || c.t.kind == SQL_TOK_BAD || sc.with) {
		/* Where it ends is not known either. */
		enum my_kind kind = st->kind == MY_COMPOUND ? MY_COMPOUND : MY_UNKNOWN;
		*st = (struct my_stmt){ .text = st->text, .kind = kind, .calls = st->calls, .flags = MY_HIDDEN };
		c.t = (struct sql_token){ SQL_TOK_END, 0, { r->lex.end, 0 } };
	}
	if (st->kind == MY_COMPOUND)
		st->flags |= MY_HIDDEN;
	end_at(r, &c, from, st);
	if ((st->kind == MY_SELECT || st->kind == MY_DO) &&
	    (st->calls == MY_CALL_GET_LOCK || st->calls == MY_CALL_RELEASE_LOCK ||
	     st->calls == MY_CALL_RELEASE_ALL_LOCKS))
		note_lock(r, st);
	return true;
}
