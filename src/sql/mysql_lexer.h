/* mysql_lexer.h - the words of an SQL text, as MySQL and MariaDB read it: what lexer.h is for PostgreSQL, beside it
 * because the two share hardly a rule. Pure, and a NUL is a byte as any other here; between words nothing may be behind
 * it.
 *
 * Comments that are executed, such as those of mysqldump, are part of the text: what is within them comes as words.
 * Which are is a matter of the server's version. MySQL Reference Manual, Language Structure; MariaDB Knowledge Base,
 * SQL Language Structure. */
#ifndef SLUICE_SQL_MYSQL_LEXER_H
#define SLUICE_SQL_MYSQL_LEXER_H

#include "sql/lexer.h"

/* How a text is to be read. The session and its server know: two follow from sql_mode, one from character_set_client.
 */
enum {
	MY_ANSI_QUOTES = 1,  /* "x" is a name, not a string */
	MY_NO_BACKSLASH = 2, /* NO_BACKSLASH_ESCAPES */
	MY_ASCII_TRAILS = 4, /* big5, cp932, gb18030, gbk, sjis: what depends on a byte that may be half of a character
				is SQL_TOK_BAD */
	MY_MARIADB = 8,
	MY_VERSION_SHIFT = 8, /* the rest is the server's version: 50651, 90704, 101119 */
};
#define MY_MODE(flags, version) ((unsigned)(flags) | (unsigned)(version) << MY_VERSION_SHIFT)

/* Borrows the text. */
struct my_lexer {
	const uint8_t *s;
	uint32_t at, end;
	unsigned mode;
	bool inside; /* a comment that is executed */
};

/* A text of 4 GiB or more is one SQL_TOK_BAD. */
void my_lex_init(struct my_lexer *l, const void *text, size_t len, unsigned mode);
/* As sql_lex(). Of the kinds these occur: END, BAD, WORD, QUOTED, STRING, NSTRING, BITS, NUMBER, PARAM, OP, and
 *   SQL_TOK_USER  @x, with its name in quotes or without
 *   SQL_TOK_SYS   @@, what it is of follows as words: session . sql_mode
 * A word that is followed at once by a string is its character set when it begins with an underscore. */
enum sql_tok my_lex(struct my_lexer *l, struct sql_token *t);

enum {
	MY_IDENT_MAX = 255,                     /* bytes of a name: 64 characters of three, less than four */
	MY_IDENT_QUOTED = 2 * MY_IDENT_MAX + 3, /* room for any name in quotes, with its NUL */
};

/* The name that a WORD, QUOTED or USER means, as it is written there (nothing is folded). Its length; SQL_NOT_TOLD when
 * it is no name, or does not fit. */
int my_ident_decode(const void *token, size_t len, unsigned mode, char out[MY_IDENT_MAX + 1]);
/* The text that a STRING means. Its length, SQL_NOT_TOLD when it does not fit in cap bytes with its NUL. */
int my_string_decode(const void *token, size_t len, unsigned mode, char *out, size_t cap);
/* A name in backticks; a text as a string that reads the same in every mode, if that can be: one with a backslash is
 * not told. Lengths, or SQL_NOT_TOLD. */
int my_quote_ident(const void *name, size_t len, char *out, size_t cap);
int my_quote_literal(const void *text, size_t len, char *out, size_t cap);

#endif
