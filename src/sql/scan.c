/* scan.c - what a statement's head leaves to be found, word by word: calls, WITH, temporary things, its end. PostgreSQL
 * docs, SQL Commands. */
#include "sql/parse_int.h"

#include <string.h>

#define ARGUMENT_TOKENS_MAX 64 /* how far a call's third argument is looked for */

enum said { SAID_NOT, SAID_TRUE, SAID_FALSE, SAID_OTHER };

/* The token at c, a literal that is a whole argument. */
static enum said boolean_at(struct cur *c)
{
	char text[8];
	enum said said = c->w == W_TRUE ? SAID_TRUE : c->w == W_FALSE ? SAID_FALSE : SAID_OTHER;
	if (c->t.kind == SQL_TOK_STRING && c->t.span.len < sizeof text &&
	    sql_string_decode(c->lex.s + c->t.span.at, c->t.span.len, c->lex.mode, text, sizeof text) > 0) {
		if (strcmp(text, "t") == 0 || strcmp(text, "true") == 0)
			said = SAID_TRUE;
		else if (strcmp(text, "f") == 0 || strcmp(text, "false") == 0)
			said = SAID_FALSE;
	}
	step(c);
	return c->t.c == ')' || c->t.c == ',' ? said : SAID_OTHER;
}

/* The third argument of the call whose parenthesis was just taken: is_local of set_config(), temporary of slots. Those
 * that are said by their names are SAID_OTHER. */
static enum said third_argument(const struct sql_lexer *lex)
{
	struct cur c = { .lex = *lex };
	unsigned depth = 0, commas = 0;
	for (int i = 0; i < ARGUMENT_TOKENS_MAX; i++) {
		step(&c);
		if (c.t.kind == SQL_TOK_END || c.t.kind == SQL_TOK_BAD)
			return SAID_OTHER;
		if (c.t.kind == SQL_TOK_OP && c.t.span.len == 2 && depth == 0 &&
		    (memcmp(c.lex.s + c.t.span.at, "=>", 2) == 0 || memcmp(c.lex.s + c.t.span.at, ":=", 2) == 0))
			return SAID_OTHER;
		if (c.t.c == '(') {
			depth++;
		} else if (c.t.c == ')') {
			if (depth-- == 0)
				return SAID_NOT;
		} else if (c.t.c == ',' && depth == 0 && ++commas == 2) {
			step(&c);
			return boolean_at(&c);
		}
	}
	return SAID_OTHER;
}

/* A name and, before it, its schema; or neither. Reads of their tokens, so that an operator may call for them late. */
struct named {
	struct sql_token name, schema; /* END: none */
	enum sql_word before;          /* the keyword that stands before both */
};

static void note_call(struct scan *sc, const struct sql_lexer *lex, const struct named *n)
{
	char name[SQL_IDENT_MAX + 1], schema[SQL_IDENT_MAX + 1];
	const uint8_t *s = lex->s + n->name.span.at;
	size_t len = n->name.span.len;
	bool fold = n->name.kind == SQL_TOK_WORD && len <= SQL_IDENT_MAX;

	switch (n->before) { /* not called, but told of */
	case W_INTO:
	case W_TABLE:
	case W_FUNCTION:
	case W_PROCEDURE:
		return;
	default:
		break;
	}
	if (!fold) {
		int told = sql_ident_decode(s, len, lex->mode, name);
		if (told < 0) {
			if (len > 2) /* "" is no name at all */
				sc->st->flags |= SQL_HIDDEN;
			return;
		}
		s = (const uint8_t *)name;
		len = (size_t)told;
	}
	if (!sql_funcs_find(sc->funcs, s, len, fold, NULL))
		return;
	bool whose = n->schema.kind != SQL_TOK_END &&
		     sql_ident_decode(lex->s + n->schema.span.at, n->schema.span.len, lex->mode, schema) >= 0;
	uint32_t calls = sql_funcs_find(sc->funcs, s, len, fold, whose ? schema : NULL);
	if ((calls & SQL_CALL_SET_CONFIG) && third_argument(lex) != SAID_TRUE)
		calls |= SQL_CALL_SET_CONFIG_SESSION;
	if (calls & SQL_CALL_SLOT) {
		enum said temporary = third_argument(lex);
		calls &= ~(uint32_t)SQL_CALL_SLOT;
		calls |= temporary == SAID_TRUE || temporary == SAID_OTHER ? SQL_CALL_KEEPS : 0u;
	}
	sc->st->calls |= calls;
}

/* pg_temp, or one of those that it stands for */
static bool is_temp_schema(const struct sql_lexer *lex, const struct sql_token *t)
{
	char name[SQL_IDENT_MAX + 1];
	if (t->kind != SQL_TOK_WORD && t->kind != SQL_TOK_QUOTED && t->kind != SQL_TOK_UQUOTED)
		return false;
	if (t->kind != SQL_TOK_UQUOTED && (t->span.len < 7 || t->span.len > 24))
		return false;
	int n = sql_ident_decode(lex->s + t->span.at, t->span.len, lex->mode, name);
	if (n < 0)
		return t->kind == SQL_TOK_UQUOTED; /* may be; of the others only what is not ASCII is not told */
	return strcmp(name, "pg_temp") == 0 || strncmp(name, "pg_temp_", 8) == 0;
}

/* A name's last part is this one; U&"..." may be any. */
static bool is_called(const struct cur *c, const char *what)
{
	char name[SQL_IDENT_MAX + 1];
	if (!is_name(c))
		return false;
	if (sql_ident_decode(c->lex.s + c->t.span.at, c->t.span.len, c->lex.mode, name) < 0)
		return c->t.kind == SQL_TOK_UQUOTED;
	return strcmp(name, what) == 0;
}

bool sql_updates_settings(const struct cur *at)
{
	struct cur c = *at, schema;
	step(&c);
	(void)take(&c, W_ONLY);
	if (c.t.c == '(')
		step(&c);
	bool is_theirs = true, is_it = is_called(&c, "pg_settings");
	for (schema = c; is_name(&c); schema = c) {
		step(&c);
		if (c.t.c != '.')
			break;
		step(&c);
		is_theirs = is_called(&schema, "pg_catalog");
		is_it = is_called(&c, "pg_settings");
	}
	return is_it && is_theirs;
}

enum sql_kind sql_query_kind(enum sql_word w)
{
	switch (w) {
	case W_SELECT:
		return SQL_SELECT;
	case W_VALUES:
		return SQL_VALUES;
	case W_TABLE:
		return SQL_TABLE;
	case W_INSERT:
		return SQL_INSERT;
	case W_UPDATE:
		return SQL_UPDATE;
	case W_DELETE:
		return SQL_DELETE;
	case W_MERGE:
		return SQL_MERGE;
	default:
		return SQL_UNKNOWN;
	}
}

/* Behind these a WITH has a name of the user's, whatever keyword it looks like. */
static bool is_before_name(const struct sql_token *t, enum sql_word w)
{
	switch (w) {
	case W_WITH:
	case W_RECURSIVE:
	case W_BY:
	case W_SET:
	case W_USING:
	case W_CYCLE:
	case W_TO:
	case W_DEFAULT:
		return true;
	default:
		return t->c == ',';
	}
}

static void scan_copy(struct scan *sc, struct cur *c, enum sql_word prev)
{
	if (prev != W_FROM && prev != W_TO)
		return;
	sc->copy = false;
	if (c->w == W_STDIN || c->w == W_STDOUT) /* either word in either direction */
		sc->st->flags |= prev == W_FROM ? SQL_COPY_IN : SQL_COPY_OUT;
}

/* One word; prev, pw: the token before it, and which keyword that was. */
static void scan_word(struct scan *sc, struct cur *c, const struct sql_token *prev, enum sql_word pw, unsigned depth,
		      unsigned *atomic)
{
	struct sql_stmt *st = sc->st;
	switch (c->w) {
	case W_ATOMIC:
		if (sc->routine && pw == W_BEGIN && depth == 0 && *atomic == 0) {
			*atomic = 1;
			sc->routine = false;
		}
		break;
	case W_CASE:
		if (*atomic && prev->c != '.' && pw != W_AS)
			++*atomic;
		break;
	case W_END:
		if (*atomic && prev->c != '.' && pw != W_AS)
			--*atomic;
		break;
	case W_INTO:
		sc->makes |= *sc->kind == SQL_SELECT && pw != W_INSERT && pw != W_MERGE;
		break;
	case W_TEMP:
	case W_TEMPORARY:
		if (sc->makes && (pw == W_INTO || pw == W_LOCAL || pw == W_GLOBAL))
			st->flags |= SQL_TEMP;
		break;
	case W_SHARE:
	case W_NO:
	case W_KEY:
		sc->locks |= pw == W_FOR;
		break;
	case W_UPDATE:
		sc->locks |= pw == W_FOR;
		if (sc->funcs && sql_updates_settings(c))
			st->calls |= SQL_CALL_SET_CONFIG | SQL_CALL_SET_CONFIG_SESSION;
		/* fall through */
	case W_INSERT:
	case W_DELETE:
	case W_MERGE:
		if (prev->c == '(' || (prev->c == ')' && depth > 0))
			st->flags |= SQL_MODIFIES;
		break;
	case W_CONCURRENTLY:
		if (sc->alone)
			st->flags |= SQL_NO_BLOCK;
		break;
	case W_TABLESPACE:
		if (sc->database && pw == W_SET)
			st->flags |= SQL_NO_BLOCK;
		break;
	default:
		break;
	}
	if (sc->with && depth == 0 && !is_before_name(prev, pw)) {
		enum sql_kind kind = sql_query_kind(c->w);
		if (kind != SQL_UNKNOWN) {
			*sc->kind = kind;
			sc->with = false;
		}
	}
}

void sql_scan(struct scan *sc, struct cur *c)
{
	struct sql_stmt *st = sc->st;
	struct sql_token prev = { .kind = SQL_TOK_END };
	enum sql_word pw = W_NONE, pw2 = W_NONE;
	struct named named = { prev, prev, W_NONE };
	unsigned depth = 0, atomic = 0;

	for (;; step(c)) {
		if (c->t.kind == SQL_TOK_END || c->t.kind == SQL_TOK_BAD)
			return;
		if (sc->copy && depth == 0)
			scan_copy(sc, c, pw);
		bool names = is_name(c);
		if (names) {
			if (prev.c == '.' && named.name.kind != SQL_TOK_END) {
				named.schema = named.name;
				named.name = c->t;
			} else {
				named = (struct named){ c->t, { .kind = SQL_TOK_END }, pw };
			}
			if (pw == W_EXECUTE && pw2 == W_AS && *sc->kind == SQL_CREATE && depth == 0) {
				st->flags |= SQL_EXECUTES;
				st->name = c->t.span;
				if (sc->kind == &st->kind)
					st->inner = SQL_EXECUTE;
				named.name.kind = SQL_TOK_END; /* of a statement, not of a function */
			}
			if (c->t.kind == SQL_TOK_WORD)
				scan_word(sc, c, &prev, pw, depth, &atomic);
		} else if (c->t.c == '(') {
			if (sc->funcs && named.name.kind != SQL_TOK_END && prev.c != '.')
				note_call(sc, &c->lex, &named);
			depth++;
		} else if (c->t.c == ')') {
			depth -= depth > 0;
		} else if (c->t.c == '.') {
			if ((*sc->kind == SQL_CREATE || sc->makes) && is_temp_schema(&c->lex, &prev))
				st->flags |= SQL_TEMP;
		} else if (c->t.c == ';' && depth == 0 && atomic == 0) {
			return;
		}
		if (c->w == W_UESCAPE && prev.kind == SQL_TOK_UQUOTED && sc->funcs)
			st->flags |= SQL_HIDDEN;
		if (!names && c->t.c != '.')
			named.name.kind = SQL_TOK_END;
		pw2 = pw;
		prev = c->t;
		pw = c->w;
	}
}
