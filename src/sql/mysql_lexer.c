/* mysql_lexer.c - the words of an SQL text of MySQL's. MySQL Reference Manual, Language Structure. */
#include "sql/mysql_lexer.h"

#include "sql/bytes_int.h"

#include <string.h>

/* The byte at i, or 0 behind the end, which is of no class. */
static uint8_t byte_at(const struct my_lexer *l, uint32_t i)
{
	return i < l->end ? l->s[i] : 0;
}

void my_lex_init(struct my_lexer *l, const void *text, size_t len, unsigned mode)
{
	*l = (struct my_lexer){ text, 0, len < UINT32_MAX ? (uint32_t)len : UINT32_MAX, mode, false };
}

/* --- Between words */

/* Behind the end of the comment in which i is, or 0. One within it, of those that are not executed, is skipped with it.
 */
static uint32_t skip_comment(const struct my_lexer *l, uint32_t i, bool nests)
{
	while (l->end - i >= 2) {
		if (l->s[i] == '*' && l->s[i + 1] == '/')
			return i + 2;
		if (nests && l->s[i] == '/' && l->s[i + 1] == '*') {
			i = skip_comment(l, i + 2, false);
			if (!i)
				return 0;
		} else {
			i++;
		}
	}
	return 0;
}

/* A comment is at l->at. False: it does not end, or what it is cannot be told. */
static bool take_comment(struct my_lexer *l)
{
	uint32_t i = l->at + 2, version = 0, digits = 0;
	bool maria = byte_at(l, i) == 'M' && byte_at(l, i + 1) == '!';
	if (byte_at(l, i) == '!' || (maria && l->mode & MY_MARIADB)) {
		i += maria ? 2 : 1;
		while (digits < 6 && is_of(byte_at(l, i + digits), C_DIGIT))
			version = version * 10 + (l->s[i + digits++] - (uint32_t)'0');
		uint32_t server = l->mode >> MY_VERSION_SHIFT;
		bool runs = digits < 5 || version <= server;
		/* MariaDB's own versions are none of these, which are MySQL's with what it does not have. */
		if (l->mode & MY_MARIADB && !maria && digits >= 5 && version >= 50700 && version <= 99999)
			runs = false;
		if (digits >= 5 && !server)
			return false;
		if (runs) {
			if (l->inside)
				return false; /* where that one ends is told in more than one way */
			l->inside = true;
			l->at = i + (digits >= 5 ? digits : 0);
			return true;
		}
		l->at = skip_comment(l, i, true);
		return l->at != 0;
	}
	if (byte_at(l, i) == '+') { /* hints, which have words of their own, in which a comment's end may stand */
		uint32_t to = skip_comment(l, i, false);
		for (; i < to; i++)
			if (l->s[i] == '\'' || l->s[i] == '"' || l->s[i] == '`')
				return false;
		l->at = to;
		return to != 0;
	}
	l->at = skip_comment(l, i, false);
	return l->at != 0;
}

static uint32_t skip_line(const struct my_lexer *l, uint32_t i)
{
	const uint8_t *n = i < l->end ? memchr(l->s + i, '\n', l->end - i) : NULL;
	return n ? (uint32_t)(n - l->s) : l->end;
}

/* Blanks and comments. False: a comment does not end. */
static bool skip_blanks(struct my_lexer *l)
{
	for (;;) {
		while (l->at < l->end && is_of(l->s[l->at], C_BLANK))
			l->at++;
		uint8_t c = byte_at(l, l->at), next = byte_at(l, l->at + 1);
		if (c == '#') {
			l->at = skip_line(l, l->at + 1);
		} else if (c == '-' && next == '-') {
			uint8_t third = byte_at(l, l->at + 2);
			if (third > ' ' && third != 127)
				return true;
			l->at = skip_line(l, l->at + 2);
		} else if (c == '/' && next == '*') {
			uint32_t from = l->at;
			if (!take_comment(l)) {
				l->at = from;
				return false;
			}
		} else if (c == '*' && next == '/' && l->inside) {
			l->inside = false;
			l->at += 2;
		} else {
			return l->at < l->end || !l->inside;
		}
	}
}

/* --- Strings and names */

/* Behind the quote that ends what begins at i. 0: it does not end, or cannot be told. */
static uint32_t skip_quoted(const struct my_lexer *l, uint32_t i, uint8_t quote, bool escapes)
{
	bool trails = l->mode & MY_ASCII_TRAILS;
	while (i < l->end) {
		uint8_t c = l->s[i++];
		if (c == '\\' && escapes) {
			if ((trails && i >= 2 && l->s[i - 2] >= 128) || i == l->end)
				return 0; /* half a character? */
			i++;
		} else if (c == quote) {
			if (trails && quote == '`' && l->s[i - 2] >= 128)
				return 0;
			if (byte_at(l, i) != quote)
				return i;
			i++;
		}
	}
	return 0;
}

static enum sql_tok lex_quoted(struct my_lexer *l, uint32_t from, enum sql_tok kind)
{
	uint8_t quote = l->s[from];
	if (quote == '`' || (quote == '"' && l->mode & MY_ANSI_QUOTES)) {
		l->at = skip_quoted(l, from + 1, quote, false);
		kind = SQL_TOK_QUOTED;
	} else {
		l->at = skip_quoted(l, from + 1, quote, !(l->mode & MY_NO_BACKSLASH));
	}
	return l->at ? kind : SQL_TOK_BAD;
}

/* The bytes of a name. False: half a character may be at its end. */
static bool skip_word(struct my_lexer *l)
{
	bool high = false;
	while (l->at < l->end && is_of(l->s[l->at], C_WORD))
		high |= l->s[l->at++] >= 128;
	return !high || !(l->mode & MY_ASCII_TRAILS);
}

static enum sql_tok lex_word(struct my_lexer *l)
{
	uint8_t c = l->s[l->at], next = byte_at(l, l->at + 1);
	if (next == '\'') {
		switch (c | 0x20) {
		case 'n':
			return lex_quoted(l, l->at + 1, SQL_TOK_NSTRING);
		case 'b':
		case 'x': {
			uint32_t i = l->at + 2;
			while (is_of(byte_at(l, i), C_HEX))
				i++;
			l->at = i + 1;
			return byte_at(l, i) == '\'' ? SQL_TOK_BITS : SQL_TOK_BAD;
		}
		default:
			break;
		}
	}
	uint32_t from = l->at;
	if (!skip_word(l))
		return SQL_TOK_BAD;
	/* $a$ may begin a text that ends in $a$ */
	if (c == '$' && memchr(l->s + from + 1, '$', l->at - from - 1))
		return SQL_TOK_BAD;
	return SQL_TOK_WORD;
}

/* What begins with a digit, or with a point that a digit follows: a number, or a name such as 1st. */
static enum sql_tok lex_number(struct my_lexer *l)
{
	uint32_t i = l->at;
	uint8_t base = byte_at(l, i + 1);
	if (l->s[i] == '0' && (base == 'x' || base == 'b')) {
		unsigned digits = base == 'x' ? C_HEX : C_DIGIT;
		for (i += 2; is_of(byte_at(l, i), digits);)
			i++;
		if (i > l->at + 2 && !is_of(byte_at(l, i), C_WORD)) {
			l->at = i;
			return SQL_TOK_BITS;
		}
		return skip_word(l) ? SQL_TOK_WORD : SQL_TOK_BAD;
	}
	while (is_of(byte_at(l, i), C_DIGIT))
		i++;
	bool point = byte_at(l, i) == '.';
	if (point)
		for (i++; is_of(byte_at(l, i), C_DIGIT);)
			i++;
	if ((byte_at(l, i) | 0x20) == 'e') {
		uint32_t power = i + 1;
		if (byte_at(l, power) == '+' || byte_at(l, power) == '-')
			power++;
		if (is_of(byte_at(l, power), C_DIGIT)) { /* whatever follows: 1e5x is two words, and 1ex is one */
			while (is_of(byte_at(l, power), C_DIGIT))
				power++;
			l->at = power;
			return SQL_TOK_NUMBER;
		}
	}
	if (!point && is_of(byte_at(l, i), C_WORD))
		return skip_word(l) ? SQL_TOK_WORD : SQL_TOK_BAD;
	l->at = i;
	return SQL_TOK_NUMBER;
}

/* @x, @'x', @@ */
static enum sql_tok lex_at(struct my_lexer *l)
{
	uint32_t from = l->at;
	uint8_t next = byte_at(l, from + 1);
	if (next == '@') {
		l->at += 2;
		return SQL_TOK_SYS;
	}
	if (next == '\'' || next == '"' || next == '`')
		return lex_quoted(l, from + 1, SQL_TOK_USER) == SQL_TOK_BAD ? SQL_TOK_BAD : SQL_TOK_USER;
	for (l->at++; l->at < l->end;) {
		if (!skip_word(l))
			return SQL_TOK_BAD;
		if (byte_at(l, l->at) != '.')
			break;
		l->at++;
	}
	return SQL_TOK_USER;
}

static enum sql_tok lex_op(struct my_lexer *l)
{
	uint8_t c = l->s[l->at++], next = byte_at(l, l->at), third = byte_at(l, l->at + 1);
	switch (c) {
	case ':':
	case '!':
		l->at += next == '=';
		break;
	case '<':
		l->at += next == '=' && third == '>' ? 2 : next == '=' || next == '<' || next == '>';
		break;
	case '>':
		l->at += next == '=' || next == '>';
		break;
	case '&':
	case '|':
		l->at += next == c;
		break;
	case '-':
		l->at += next == '>' && third == '>' ? 2 : next == '>';
		break;
	case 0:
		return SQL_TOK_BAD;
	default:
		break;
	}
	return SQL_TOK_OP;
}

enum sql_tok my_lex(struct my_lexer *l, struct sql_token *t)
{
	uint32_t from;
	t->c = '\0';
	if (l->end == UINT32_MAX || !skip_blanks(l)) {
		t->kind = SQL_TOK_BAD;
		from = l->at;
	} else if (l->at == l->end) {
		t->kind = SQL_TOK_END;
		from = l->at;
	} else {
		uint8_t c = l->s[from = l->at];
		if (is_of(c, C_DIGIT) || (c == '.' && is_of(byte_at(l, from + 1), C_DIGIT))) {
			t->kind = lex_number(l);
		} else if (is_of(c, C_WORD)) {
			t->kind = lex_word(l);
		} else if (c == '\'' || c == '"' || c == '`') {
			t->kind = lex_quoted(l, from, SQL_TOK_STRING);
		} else if (c == '@') {
			t->kind = lex_at(l);
		} else if (c == '?') {
			l->at++;
			t->kind = SQL_TOK_PARAM;
		} else {
			t->kind = lex_op(l);
			if (t->kind == SQL_TOK_OP && l->at - from == 1)
				t->c = (char)c;
		}
	}
	if (t->kind == SQL_TOK_BAD) {
		l->at = from; /* and so again the next time */
		t->span = (struct sql_span){ from, l->end - from };
	} else {
		t->span = (struct sql_span){ from, l->at - from };
	}
	return t->kind;
}

/* --- What a name and a string mean, and how they are written */

/* The one word that the bytes are. */
static bool lex_alone(struct sql_token *t, const void *token, size_t len, unsigned mode)
{
	struct my_lexer l;
	my_lex_init(&l, token, len, mode);
	return my_lex(&l, t) != SQL_TOK_BAD && t->span.at == 0 && t->span.len == len && len > 0;
}

/* What is between the quotes, without those that are doubled. Its length, or SQL_NOT_TOLD. */
static int unquote(const uint8_t *s, size_t len, bool escapes, char *out, size_t cap)
{
	uint8_t quote = s[0];
	size_t n = 0;
	for (size_t i = 1; i + 1 < len; i++) {
		uint8_t c = s[i];
		if (c == '\\' && escapes) {
			static const char from[] = "0bnrtZ", to[] = "\0\b\n\r\t\032";
			c = s[++i];
			if (c == '%' || c == '_') { /* which keep their backslash */
				if (n + 1 >= cap)
					return SQL_NOT_TOLD;
				out[n++] = '\\';
			}
			const char *known = c ? strchr(from, c) : NULL;
			if (known)
				c = (uint8_t)to[known - from];
		} else if (c == quote) {
			i++;
		}
		if (n + 1 >= cap)
			return SQL_NOT_TOLD;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return (int)n;
}

int my_ident_decode(const void *token, size_t len, unsigned mode, char out[MY_IDENT_MAX + 1])
{
	struct sql_token t;
	const uint8_t *s = token;
	out[0] = '\0';
	if (!lex_alone(&t, token, len, mode))
		return SQL_NOT_TOLD;
	bool user = t.kind == SQL_TOK_USER;
	s += user;
	len -= user;
	if (t.kind == SQL_TOK_QUOTED || (user && len && (*s == '\'' || *s == '"' || *s == '`')))
		return unquote(s, len, user && *s != '`' && !(mode & MY_NO_BACKSLASH), out, MY_IDENT_MAX + 1);
	if ((t.kind != SQL_TOK_WORD && !user) || len > MY_IDENT_MAX)
		return SQL_NOT_TOLD;
	memcpy(out, s, len);
	out[len] = '\0';
	return (int)len;
}

int my_string_decode(const void *token, size_t len, unsigned mode, char *out, size_t cap)
{
	struct sql_token t;
	if (cap)
		out[0] = '\0';
	if (!lex_alone(&t, token, len, mode) || t.kind != SQL_TOK_STRING || cap == 0 || cap > INT32_MAX)
		return SQL_NOT_TOLD;
	int n = unquote(token, len, !(mode & MY_NO_BACKSLASH), out, cap);
	if (n < 0)
		out[0] = '\0';
	return n;
}

static int quote(const uint8_t *s, size_t len, char with, char *out, size_t cap)
{
	size_t n = 0;
	if (cap < 3 || cap > INT32_MAX)
		return SQL_NOT_TOLD;
	out[n++] = with;
	for (size_t i = 0; i < len; i++) {
		bool twice = s[i] == (uint8_t)with;
		if (cap - n < (twice ? 4u : 3u)) {
			out[0] = '\0';
			return SQL_NOT_TOLD;
		}
		if (twice)
			out[n++] = with;
		out[n++] = (char)s[i];
	}
	out[n++] = with;
	out[n] = '\0';
	return (int)n;
}

int my_quote_ident(const void *name, size_t len, char *out, size_t cap)
{
	return quote(name, len, '`', out, cap);
}

int my_quote_literal(const void *text, size_t len, char *out, size_t cap)
{
	if (len && memchr(text, '\\', len))
		return SQL_NOT_TOLD;
	return quote(text, len, '\'', out, cap);
}
