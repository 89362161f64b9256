/* mysql_scan.c - what a statement's head leaves to be found, word by word: calls, variables, its end. MySQL Reference
 * Manual, SQL Statements; MariaDB Knowledge Base, Programmatic & Compound Statements. */
#include "sql/mysql_int.h"

#include <string.h>

void my_funcs_init(struct sql_funcs *f)
{
	static const struct {
		const char *name;
		uint32_t calls;
	} known[] = {
		{ "get_lock", MY_CALL_GET_LOCK },
		{ "release_lock", MY_CALL_RELEASE_LOCK },
		{ "release_all_locks", MY_CALL_RELEASE_ALL_LOCKS },
		{ "found_rows", MY_CALL_FOUND_ROWS },
		{ "row_count", MY_CALL_ROW_COUNT },
		{ "last_insert_id", MY_CALL_LAST_INSERT_ID },
		{ "connection_id", MY_CALL_CONNECTION_ID },
		{ "lastval", MY_CALL_LAST_VALUE },
		{ "nextval", MY_CALL_NEXT_VALUE },
		/* Of MySQL's own components: locks that last as long as the session, a log that is read on. */
		{ "service_get_read_locks", MY_CALL_USER },
		{ "service_get_write_locks", MY_CALL_USER },
		{ "version_tokens_lock_shared", MY_CALL_USER },
		{ "version_tokens_lock_exclusive", MY_CALL_USER },
		{ "audit_log_read", MY_CALL_USER },
	};
	memset(f, 0, sizeof *f);
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		(void)sql_funcs_add(f, known[i].name, known[i].calls);
}

enum my_kind my_query_kind(enum my_word w)
{
	switch (w) {
	case M_SELECT:
		return MY_SELECT;
	case M_VALUES:
		return MY_VALUES;
	case M_TABLE:
		return MY_TABLE;
	case M_INSERT:
		return MY_INSERT;
	case M_REPLACE:
		return MY_REPLACE;
	case M_UPDATE:
		return MY_UPDATE;
	case M_DELETE:
		return MY_DELETE;
	default:
		return MY_UNKNOWN;
	}
}

/* A word, and which keyword it is. */
struct word {
	struct sql_token t;
	enum my_word w;
};

/* c: the parenthesis behind the name; before: what is before the name; schema: what is before that. */
static void note_call(struct my_scan *sc, const struct my_cur *c, const struct word *name, const struct word *before,
		      const struct word *schema, unsigned depth)
{
	char text[MY_IDENT_MAX + 1], whose[MY_IDENT_MAX + 1];
	struct my_stmt *st = sc->st;
	const uint8_t *s = c->lex.s + name->t.span.at;
	size_t len = name->t.span.len;
	if (name->t.kind == SQL_TOK_QUOTED) {
		int told = my_ident_decode(s, len, c->lex.mode, text);
		if (told < 0)
			return;
		s = (const uint8_t *)text;
		len = (size_t)told;
	}
	bool own = before->t.c == '.'; /* one of a schema's */
	if (own && my_ident_decode(c->lex.s + schema->t.span.at, schema->t.span.len, c->lex.mode, whose) < 0)
		own = false;
	uint32_t calls = sql_funcs_find(sc->funcs, s, len, true, own ? whose : NULL);
	if (before->t.c == '.')
		calls &= ~(uint32_t)(MY_CALL_USER - 1);
	if (!(c->lex.mode & MY_MARIADB))
		calls &= ~(uint32_t)(MY_CALL_LAST_VALUE | MY_CALL_NEXT_VALUE);
	if (!calls)
		return;
	struct my_cur inside = *c;
	my_step(&inside);
	if (calls & MY_CALL_LAST_INSERT_ID && inside.t.c != ')')
		calls = (calls & ~(uint32_t)MY_CALL_LAST_INSERT_ID) | MY_CALL_SET_INSERT_ID;
	st->calls |= calls;
	if (calls & (MY_CALL_CONNECTION_ID | MY_CALL_FOUND_ROWS | MY_CALL_ROW_COUNT | MY_CALL_LAST_INSERT_ID) &&
	    inside.t.c == ')') {
		struct sql_span span = { name->t.span.at, inside.t.span.at + 1 - name->t.span.at };
		my_step(&inside);
		bool column = depth == 0 && (before->w == M_SELECT || before->t.c == ',') && *sc->kind == MY_SELECT &&
			      (my_at_end(&inside) || inside.t.c == ',' || inside.w == M_FROM);
		if (st->ncalls < MY_CALLS_MAX)
			st->at_call[st->ncalls] = (struct my_at_call){ calls, span, column };
		if (st->ncalls <= MY_CALLS_MAX)
			st->ncalls++;
	}
}

/* The word behind @@, or behind its scope. */
static void note_system(struct my_stmt *st, const struct my_cur *c)
{
	if (my_is_word(c, "warning_count") || my_is_word(c, "error_count"))
		st->calls |= MY_CALL_WARNING_COUNT;
	else if (my_is_word(c, "last_insert_id") || my_is_word(c, "identity"))
		st->calls |= MY_CALL_LAST_INSERT_ID;
	else if (my_is_word(c, "pseudo_thread_id"))
		st->calls |= MY_CALL_CONNECTION_ID;
}

/* VALUE FOR, behind NEXT or PREVIOUS. */
static void note_value(struct my_stmt *st, const struct my_cur *c, const struct word *prev)
{
	struct my_cur before = *c, behind = *c;
	before.t = prev->t;
	my_step(&behind);
	if (behind.w != M_FOR || !(c->lex.mode & MY_MARIADB))
		return;
	if (my_is_word(&before, "previous"))
		st->calls |= MY_CALL_LAST_VALUE;
	else if (my_is_word(&before, "next"))
		st->calls |= MY_CALL_NEXT_VALUE;
}

static bool is_assign(const struct my_lexer *lex, const struct sql_token *t)
{
	return t->kind == SQL_TOK_OP && t->span.len == 2 && lex->s[t->span.at] == ':';
}

/* A statement of a body may begin behind these. */
static bool begins_statement(const struct word *prev, bool in_body)
{
	switch (prev->w) {
	case M_BEGIN:
	case M_ATOMIC:
	case M_THEN:
	case M_ELSE:
	case M_DO:
	case M_LOOP:
	case M_REPEAT:
	case M_ROW:
		return true;
	default:
		return prev->t.c == ';' || prev->t.c == ':' || (prev->t.c == ')' && !in_body);
	}
}

/* How many more blocks are open behind this word of a body; *end: it is behind END. */
static int opens(const struct my_cur *c, const struct word *prev, bool in_body)
{
	if (prev->w == M_END)
		return 0; /* END IF, END LOOP */
	switch (c->w) {
	case M_BEGIN:
	case M_CASE:
		return 1;
	case M_IF:
	case M_LOOP:
	case M_WHILE:
	case M_REPEAT:
		return begins_statement(prev, in_body);
	case M_FOR:
		return prev->t.kind != SQL_TOK_END && begins_statement(prev, in_body) && in_body;
	case M_END:
		return -1;
	default:
		return 0;
	}
}

void my_scan(struct my_scan *sc, struct my_cur *c)
{
	struct my_stmt *st = sc->st;
	struct word prev = { { .kind = SQL_TOK_END }, M_NONE }, before = prev, third = prev;
	unsigned depth = 0, blocks = sc->compound;
	bool body = sc->routine || sc->compound, into = false, in_body = sc->compound;

	for (;; third = before, before = prev, prev = (struct word){ c->t, c->w }, my_step(c)) {
		if (c->t.kind == SQL_TOK_END || c->t.kind == SQL_TOK_BAD)
			return;
		if (c->t.c == ';' && blocks == 0)
			return;
		if (body && c->t.kind == SQL_TOK_WORD && prev.t.c != '.') {
			int more = opens(c, &prev, in_body);
			if (more > 0 || blocks > 0)
				blocks = more < 0 ? blocks - 1 : blocks + (unsigned)more;
			in_body |= blocks > 0;
		}
		if (sc->routine)
			continue;
		if (c->t.kind == SQL_TOK_USER) {
			bool account = (prev.t.kind == SQL_TOK_STRING || prev.t.kind == SQL_TOK_QUOTED ||
					(prev.t.kind == SQL_TOK_WORD && prev.w == M_NONE)) &&
				       prev.t.span.at + prev.t.span.len == c->t.span.at;
			if (!account && (into || sc->assigns || prev.w == M_INTO))
				st->flags |= MY_WRITES_VAR;
			into = prev.w == M_INTO || (into && prev.t.c == ',');
		} else if (is_assign(&c->lex, &c->t)) {
			if (prev.t.kind == SQL_TOK_USER)
				st->flags |= MY_WRITES_VAR;
		} else if (c->t.c != ',') {
			into = false;
		}
		if (c->t.kind == SQL_TOK_WORD) {
			if (prev.t.kind == SQL_TOK_SYS ||
			    (prev.t.c == '.' && (before.w == M_SESSION || before.w == M_LOCAL)))
				note_system(st, c);
			if (my_is_word(c, "sql_calc_found_rows"))
				st->flags |= MY_CALC_FOUND;
			if (my_is_word(c, "value"))
				note_value(st, c, &prev);
			if (sc->with && depth == 0 && prev.t.c == ')' && my_query_kind(c->w) != MY_UNKNOWN) {
				*sc->kind = my_query_kind(c->w);
				sc->with = false;
			}
		} else if (c->t.c == '(') {
			if (sc->funcs && (prev.t.kind == SQL_TOK_WORD || prev.t.kind == SQL_TOK_QUOTED))
				note_call(sc, c, &prev, &before, &third, depth);
			depth++;
		} else if (c->t.c == ')') {
			depth -= depth > 0;
		}
	}
}
