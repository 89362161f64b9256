/* parse_int.h - a statement's words one after the other, as its parsers take them, and what the parsers share. */
#ifndef SLUICE_SQL_PARSE_INT_H
#define SLUICE_SQL_PARSE_INT_H

#include "sql/classify_int.h"

/* The token that was not yet taken, and which keyword it is. */
struct cur {
	struct sql_lexer lex;
	struct sql_token t;
	enum sql_word w;
};

static inline void step(struct cur *c)
{
	c->w = sql_lex(&c->lex, &c->t) == SQL_TOK_WORD ? sql_word_of(c->lex.s + c->t.span.at, c->t.span.len) : W_NONE;
}

static inline bool at_end(const struct cur *c)
{
	return c->t.kind == SQL_TOK_END || c->t.c == ';';
}

static inline bool take(struct cur *c, enum sql_word w)
{
	if (c->w != w)
		return false;
	step(c);
	return true;
}

static inline bool is_name(const struct cur *c)
{
	return c->t.kind == SQL_TOK_WORD || c->t.kind == SQL_TOK_QUOTED || c->t.kind == SQL_TOK_UQUOTED;
}

static inline bool is_string(const struct cur *c)
{
	switch (c->t.kind) {
	case SQL_TOK_STRING:
	case SQL_TOK_ESTRING:
	case SQL_TOK_USTRING:
	case SQL_TOK_DOLLAR:
		return true;
	default:
		return false;
	}
}

static inline bool take_name(struct cur *c, struct sql_span *name)
{
	if (!is_name(c))
		return false;
	*name = c->t.span;
	step(c);
	return true;
}

static inline bool take_string(struct cur *c)
{
	if (!is_string(c))
		return false;
	step(c);
	return true;
}

/* The span from the one's first byte to behind the other's last. */
static inline struct sql_span span_to(struct sql_span a, struct sql_span b)
{
	return (struct sql_span){ a.at, b.at + b.len - a.at };
}

/* --- What several files' statements have. Each takes what it is named for; false: that is not how it is written. */

/* Transaction modes, up to the end. */
bool sql_take_modes(struct cur *c, struct sql_modes *m);
/* SET and RESET, SHOW: what follows the verb. */
bool sql_parse_set(struct cur *c, struct sql_stmt *st);
bool sql_parse_reset(struct cur *c, struct sql_stmt *st);

/* --- The rest of a statement, looked over word by word */

/* What a statement's head leaves to be found. */
struct scan {
	struct sql_stmt *st;
	enum sql_kind *kind; /* of the statement or of its body */
	const struct sql_funcs *funcs;
	bool with;     /* which statement it is stands behind the WITH's parts */
	bool routine;  /* CREATE FUNCTION: a body may hold semicolons */
	bool copy;     /* COPY: which way, and from whom */
	bool alone;    /* CONCURRENTLY means that it cannot run in a transaction block */
	bool database; /* ALTER DATABASE */
	bool locks, makes;
};

/* The query that begins with this word, or SQL_UNKNOWN. */
enum sql_kind sql_query_kind(enum sql_word w);
/* Does the UPDATE at c change pg_settings, which sets what is updated there? */
bool sql_updates_settings(const struct cur *at);
/* Goes on from the token at c to the statement's end. */
void sql_scan(struct scan *sc, struct cur *c);

#endif
