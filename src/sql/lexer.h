/* lexer.h - the words of an SQL text, one at a time; how a name or a string is spelled, and what it means.
 * sql/ is what Sluice understands of statements: it reads them where they lie, and never holds one. All of it is pure:
 * no allocation, no I/O, no state but the caller's; text in, spans of it out. A text ends at its length or at its first
 * NUL, whichever comes first, and nothing behind that is read.
 *
 * The dialect is PostgreSQL's, to the letter of its scanner where a statement's end depends on it: PostgreSQL docs, SQL
 * Syntax, "Lexical Structure". Letters fold as ASCII's; every byte above 127 is a letter. */
#ifndef SLUICE_SQL_LEXER_H
#define SLUICE_SQL_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a text is to be read. The session knows: the first two follow from settings that the server reports. */
enum {
	SQL_POSTGRES = 0,
	SQL_BACKSLASH = 1,    /* standard_conforming_strings is off: '\'' is a string */
	SQL_ASCII_TRAILS = 2, /* client_encoding is one whose later bytes may look like ASCII (BIG5, GB18030, GBK,
				 JOHAB, SHIFT_JIS_2004, SJIS, UHC) */
	SQL_KANA = 4,         /* and one of SJIS's, in which the bytes A1 to DF are characters of their own */
};

/* Bytes [at, at + len) of the text. */
struct sql_span {
	uint32_t at, len;
};

enum sql_tok {
	SQL_TOK_END,
	SQL_TOK_BAD,     /* does not end, or cannot be told: nothing behind it can be either */
	SQL_TOK_WORD,    /* a keyword or a name without quotes */
	SQL_TOK_QUOTED,  /* "a name" */
	SQL_TOK_UQUOTED, /* U&"a name"; a UESCAPE may follow as words of its own */
	SQL_TOK_STRING,  /* 'x', with what continues it on later lines, here and in the next five */
	SQL_TOK_ESTRING, /* E'x' */
	SQL_TOK_USTRING, /* U&'x' */
	SQL_TOK_NSTRING, /* N'x' */
	SQL_TOK_BITS,    /* B'01' or X'1f' */
	SQL_TOK_DOLLAR,  /* $tag$x$tag$ */
	SQL_TOK_NUMBER,  /* without its sign */
	SQL_TOK_PARAM,   /* $1 */
	SQL_TOK_OP,      /* an operator, or one of ( ) [ ] , ; . : */
	SQL_TOK_USER,    /* these two are MySQL's alone: mysql_lexer.h */
	SQL_TOK_SYS,
};

struct sql_token {
	enum sql_tok kind;
	char c; /* of a SQL_TOK_OP of one byte, that byte; otherwise NUL */
	struct sql_span span;
};

/* Borrows the text. */
struct sql_lexer {
	const uint8_t *s;
	uint32_t at, end;
	unsigned mode;
};

/* A text of 4 GiB or more is one SQL_TOK_BAD. */
void sql_lex_init(struct sql_lexer *l, const void *text, size_t len, unsigned mode);
/* The next token, behind blanks and comments; its kind is returned too. The END is empty and repeats itself; so does a
 * BAD, and it holds what is left of the text. */
enum sql_tok sql_lex(struct sql_lexer *l, struct sql_token *t);

/* --- Names and strings. The first argument is a token as written, len bytes; out ends in NUL. */

enum {
	SQL_IDENT_MAX = 63,                /* bytes of a name; PostgreSQL drops those that follow */
	SQL_IDENT_QUOTED = 2 * 63 + 2 + 1, /* room for any name in quotes, with its NUL */
	SQL_NOT_TOLD = -1,
};

/* The name that a WORD, QUOTED or UQUOTED means: folded or unquoted, cut to SQL_IDENT_MAX bytes (not within a character
 * of UTF-8). Its length; SQL_NOT_TOLD when it is no name, or which it is depends on what is not known here. A UESCAPE
 * behind a UQUOTED is the caller's to look for: then it is not told. */
int sql_ident_decode(const void *token, size_t len, unsigned mode, char out[SQL_IDENT_MAX + 1]);

/* The text that a STRING, ESTRING, USTRING or DOLLAR means. Its length; SQL_NOT_TOLD when it is none of these, does not
 * fit in cap bytes with its NUL, or holds an escape that PostgreSQL would refuse. */
int sql_string_decode(const void *token, size_t len, unsigned mode, char *out, size_t cap);

/* A name as it can stand in a statement: in quotes where it needs them, as quote_ident() would. Its length;
 * SQL_NOT_TOLD when it does not fit. */
int sql_quote_ident(const void *name, size_t len, char *out, size_t cap);
/* A text as a string that reads the same in every mode, as quote_literal() would. Its length, or SQL_NOT_TOLD. */
int sql_quote_literal(const void *text, size_t len, char *out, size_t cap);

/* Is it a keyword that cannot stand as a name everywhere (PostgreSQL 18's and 15's taken together)? In lower case. */
bool sql_is_reserved(const void *word, size_t len);

#endif
