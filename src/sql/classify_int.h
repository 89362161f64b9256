/* classify_int.h - what the classifier's files share. */
#ifndef SLUICE_SQL_CLASSIFY_INT_H
#define SLUICE_SQL_CLASSIFY_INT_H

#include "sql/classify.h"
#include "sql/words_int.h"

/* What a call of this function may be, or 0. fold: letters of name are not yet lower case. schema: NULL, or in which it
 * is looked for. */
uint32_t sql_funcs_find(const struct sql_funcs *f, const uint8_t *name, size_t len, bool fold, const char *schema);

enum {
	HINT_KNOWN = 1, /* the text was looked at */
	HINT_SEMI = 2,  /* a semicolon before its end */
	HINT_PAREN = 4,
	HINT_TEMP = 8,   /* "temp", in either case */
	HINT_INTO = 16,  /* "nto" */
	HINT_FOR = 32,   /* "for" */
	HINT_UNAME = 64, /* &" */
	HINT_CALL = 128, /* what may be a call of a function that is looked for */
};

/* Which of them occur anywhere in n bytes, in names or not. One that is not told does not occur. */
unsigned sql_hints(const uint8_t *s, size_t n, const struct sql_funcs *funcs);

/* tail.c: the same for one piece alone. */
bool sql_piece_may_change(const void *text, size_t n, const struct sql_funcs *funcs);
/* What `look` says of a piece, and of where it meets the one before. */
typedef unsigned sql_look_fn(const void *text, size_t n, const struct sql_funcs *funcs);
unsigned sql_pieces_look(struct sql_pieces *t, const void *piece, size_t n, const struct sql_funcs *funcs,
			 sql_look_fn *look);

#endif
