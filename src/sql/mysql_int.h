/* mysql_int.h - what the files share that read MySQL's statements. */
#ifndef SLUICE_SQL_MYSQL_INT_H
#define SLUICE_SQL_MYSQL_INT_H

#include "sql/classify_int.h"
#include "sql/mysql_classify.h"

#include <string.h>
#include <strings.h>

/* A cursor: the word that was not yet taken, and which keyword it is. */
struct my_cur {
	struct my_lexer lex;
	struct sql_token t;
	enum my_word w;
};

static inline void my_step(struct my_cur *c)
{
	c->w = my_lex(&c->lex, &c->t) == SQL_TOK_WORD ? my_word_of(c->lex.s + c->t.span.at, c->t.span.len) : M_NONE;
}

static inline bool my_at_end(const struct my_cur *c)
{
	return c->t.kind == SQL_TOK_END || c->t.c == ';';
}

static inline bool my_take(struct my_cur *c, enum my_word w)
{
	if (c->w != w)
		return false;
	my_step(c);
	return true;
}

static inline bool my_is_name(const struct my_cur *c)
{
	return c->t.kind == SQL_TOK_WORD || c->t.kind == SQL_TOK_QUOTED;
}

static inline bool my_take_name(struct my_cur *c, struct sql_span *name)
{
	if (!my_is_name(c))
		return false;
	*name = c->t.span;
	my_step(c);
	return true;
}

/* Is it this word, which is none of mysql_words.def as it has underscores? In lower case. */
static inline bool my_is_word(const struct my_cur *c, const char *word)
{
	return c->t.kind == SQL_TOK_WORD && c->t.span.len == strlen(word) &&
	       strncasecmp((const char *)c->lex.s + c->t.span.at, word, c->t.span.len) == 0;
}

/* --- mysql_scan.c */

/* What a statement's head leaves to be found. */
struct my_scan {
	struct my_stmt *st;
	enum my_kind *kind; /* of the statement, or of what it explains or is for */
	const struct sql_funcs *funcs;
	bool with;     /* which statement it is stands behind the WITH's parts */
	bool assigns;  /* every variable of the user's that is named may be given a value */
	bool routine;  /* has a body, with semicolons; its calls are not done now */
	bool compound; /* so has this one, and it runs */
};
/* Goes on from c to the statement's end. */
void my_scan(struct my_scan *sc, struct my_cur *c);
/* The query that begins with this word, or MY_UNKNOWN. */
enum my_kind my_query_kind(enum my_word w);

/* --- mysql_hints.c: sql_hints() for this dialect; HINT_SEMI, HINT_CALL and these. */
enum {
	HINT_AT = 256,      /* @ */
	HINT_COMMENT = 512, /* one that may be executed */
};
unsigned my_hints(const uint8_t *s, size_t n, const struct sql_funcs *funcs);

#endif
