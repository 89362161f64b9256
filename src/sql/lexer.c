/* lexer.c - the words of an SQL text. PostgreSQL docs, SQL Syntax, "Lexical Structure". */
#include "sql/lexer.h"

#include "sql/bytes_int.h"

#include <string.h>

/* More operator characters in a row than any operator has. Which of them are one cannot be told without looking at
 * those behind, so there is an end to it. */
#define OP_RUN_MAX 128

#define LETTER (C_START | C_WORD)
#define HEX    (C_START | C_WORD | C_HEX)
#define DIGIT  (C_WORD | C_DIGIT | C_HEX)
#define WEAK   (C_OP)
#define STRONG (C_OP | C_STRONG)
#define LETTERS_16                                                                                                     \
	LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER,        \
		LETTER, LETTER, LETTER

/* clang-format off */
const uint8_t sql_class_of[256] = {
	['\t'] = C_BLANK, ['\n'] = C_BLANK, ['\v'] = C_BLANK, ['\f'] = C_BLANK, ['\r'] = C_BLANK, [' '] = C_BLANK,
	['!'] = STRONG, ['#'] = STRONG, ['$'] = C_WORD, ['%'] = STRONG, ['&'] = STRONG, ['('] = C_SELF, [')'] = C_SELF,
	['*'] = WEAK, ['+'] = WEAK, [','] = C_SELF, ['-'] = WEAK, ['.'] = C_SELF, ['/'] = WEAK,
	['0'] = DIGIT, ['1'] = DIGIT, ['2'] = DIGIT, ['3'] = DIGIT, ['4'] = DIGIT,
	['5'] = DIGIT, ['6'] = DIGIT, ['7'] = DIGIT, ['8'] = DIGIT, ['9'] = DIGIT,
	[':'] = C_SELF, [';'] = C_SELF, ['<'] = WEAK, ['='] = WEAK, ['>'] = WEAK, ['?'] = STRONG, ['@'] = STRONG,
	['A'] = HEX, ['B'] = HEX, ['C'] = HEX, ['D'] = HEX, ['E'] = HEX, ['F'] = HEX, ['G'] = LETTER, ['H'] = LETTER,
	['I'] = LETTER, ['J'] = LETTER, ['K'] = LETTER, ['L'] = LETTER, ['M'] = LETTER, ['N'] = LETTER, ['O'] = LETTER,
	['P'] = LETTER, ['Q'] = LETTER, ['R'] = LETTER, ['S'] = LETTER, ['T'] = LETTER, ['U'] = LETTER, ['V'] = LETTER,
	['W'] = LETTER, ['X'] = LETTER, ['Y'] = LETTER, ['Z'] = LETTER,
	['['] = C_SELF, [']'] = C_SELF, ['^'] = STRONG, ['_'] = LETTER, ['`'] = STRONG,
	['a'] = HEX, ['b'] = HEX, ['c'] = HEX, ['d'] = HEX, ['e'] = HEX, ['f'] = HEX, ['g'] = LETTER, ['h'] = LETTER,
	['i'] = LETTER, ['j'] = LETTER, ['k'] = LETTER, ['l'] = LETTER, ['m'] = LETTER, ['n'] = LETTER, ['o'] = LETTER,
	['p'] = LETTER, ['q'] = LETTER, ['r'] = LETTER, ['s'] = LETTER, ['t'] = LETTER, ['u'] = LETTER, ['v'] = LETTER,
	['w'] = LETTER, ['x'] = LETTER, ['y'] = LETTER, ['z'] = LETTER,
	['|'] = STRONG, ['~'] = STRONG,
	[128] = LETTERS_16, LETTERS_16, LETTERS_16, LETTERS_16, LETTERS_16, LETTERS_16, LETTERS_16, LETTERS_16,
};
/* clang-format on */

/* The byte at i, or 0 behind the end, which is of no class. */
static uint8_t byte_at(const struct sql_lexer *l, uint32_t i)
{
	return i < l->end ? l->s[i] : 0;
}

void sql_lex_init(struct sql_lexer *l, const void *text, size_t len, unsigned mode)
{
	const uint8_t *nul = len ? memchr(text, 0, len) : NULL;
	if (nul)
		len = (size_t)(nul - (const uint8_t *)text);
	*l = (struct sql_lexer){ text, 0, len < UINT32_MAX ? (uint32_t)len : UINT32_MAX, mode };
}

/* --- Between tokens */

/* Behind the comment whose slash-star is at i; they nest. 0: it does not end. */
static uint32_t skip_comment(const struct sql_lexer *l, uint32_t i)
{
	unsigned depth = 1;
	for (i += 2; l->end - i >= 2;) {
		if (l->s[i] == '/' && l->s[i + 1] == '*') {
			depth++;
			i += 2;
		} else if (l->s[i] == '*' && l->s[i + 1] == '/') {
			i += 2;
			if (--depth == 0)
				return i;
		} else {
			i++;
		}
	}
	return 0;
}

static uint32_t skip_line(const struct sql_lexer *l, uint32_t i)
{
	while (i < l->end && l->s[i] != '\n' && l->s[i] != '\r')
		i++;
	return i;
}

/* Blanks and comments. False: a comment does not end. */
static bool skip_blanks(struct sql_lexer *l)
{
	for (;;) {
		while (l->at < l->end && is_of(l->s[l->at], C_BLANK))
			l->at++;
		uint8_t c = byte_at(l, l->at);
		if (c == '-' && byte_at(l, l->at + 1) == '-') {
			l->at = skip_line(l, l->at + 2);
		} else if (c == '/' && byte_at(l, l->at + 1) == '*') {
			uint32_t to = skip_comment(l, l->at);
			if (!to)
				return false;
			l->at = to;
		} else {
			return true;
		}
	}
}

/* --- Strings */

/* Is what follows this byte the second half of its character? Where an escape may be half of one, characters have one
 * byte or two, or twice two. */
static bool is_half(unsigned mode, uint8_t c)
{
	return c >= 128 && mode & SQL_ASCII_TRAILS && !(mode & SQL_KANA && c >= 0xa1 && c <= 0xdf);
}

/* Behind the quote that ends what begins at i. 0: it does not end, or cannot be told. */
static uint32_t skip_quoted(const struct sql_lexer *l, uint32_t i, uint8_t quote, bool doubles, bool escapes)
{
	if (!escapes) {
		for (;;) {
			const uint8_t *q = i < l->end ? memchr(l->s + i, quote, l->end - i) : NULL;
			if (!q)
				return 0;
			i = (uint32_t)(q - l->s) + 1;
			if (!doubles || byte_at(l, i) != quote)
				return i;
			i++;
		}
	}
	while (i < l->end) {
		uint8_t c = l->s[i++];
		if (c == '\\' || is_half(l->mode, c)) {
			if (i == l->end)
				return 0;
			i++;
		} else if (c == quote) {
			if (byte_at(l, i) != quote)
				return i;
			i++;
		}
	}
	return 0;
}

/* Behind the quote that opens the next piece of the string that ends before i: only blanks, a line's end and comments
 * of the kind that ends with the line are between. 0: there is no such piece. */
static uint32_t next_piece(const struct sql_lexer *l, uint32_t i)
{
	bool newline = false;
	for (;; i++) {
		uint8_t c = byte_at(l, i);
		if (c == '\n' || c == '\r')
			newline = true;
		else if (c == '-' && byte_at(l, i + 1) == '-')
			i = skip_line(l, i + 2) - 1;
		else if (c == '\'')
			return newline ? i + 1 : 0;
		else if (!is_of(c, C_BLANK))
			return 0;
	}
}

/* The token's quote is at l->at. */
static enum sql_tok lex_string(struct sql_lexer *l, enum sql_tok kind)
{
	bool escapes = kind == SQL_TOK_ESTRING ||
		       ((kind == SQL_TOK_STRING || kind == SQL_TOK_NSTRING) && (l->mode & SQL_BACKSLASH));
	for (uint32_t i = l->at + 1; i; i = next_piece(l, l->at)) {
		uint32_t to = skip_quoted(l, i, '\'', kind != SQL_TOK_BITS, escapes);
		if (!to)
			return SQL_TOK_BAD;
		l->at = to;
	}
	return kind;
}

/* Behind the tag, such as $$ or $a$, that begins at i. 0: there is none. */
static uint32_t skip_tag(const struct sql_lexer *l, uint32_t i)
{
	uint8_t c = byte_at(l, ++i);
	if (is_of(c, C_START))
		while (is_of(c, C_WORD) && c != '$')
			c = byte_at(l, ++i);
	return c == '$' ? i + 1 : 0;
}

static enum sql_tok lex_dollar(struct sql_lexer *l)
{
	uint32_t from = l->at, i = skip_tag(l, from);
	if (is_of(byte_at(l, from + 1), C_DIGIT)) {
		for (i = from + 1; is_of(byte_at(l, i), C_DIGIT);)
			i++;
		l->at = i;
		return SQL_TOK_PARAM;
	}
	if (!i)
		return SQL_TOK_BAD;
	/* No $ is within a tag, so each byte is compared once. */
	for (uint32_t tag = i - from; l->end - i >= tag; i++) {
		const uint8_t *d = memchr(l->s + i, '$', l->end - i);
		if (!d)
			break;
		i = (uint32_t)(d - l->s);
		if (l->end - i >= tag && memcmp(d, l->s + from, tag) == 0) {
			l->at = i + tag;
			return SQL_TOK_DOLLAR;
		}
	}
	return SQL_TOK_BAD;
}

/* --- Numbers and operators */

static uint32_t skip_digits(const struct sql_lexer *l, uint32_t i, unsigned classes)
{
	while (is_of(byte_at(l, i), classes) || (byte_at(l, i) == '_' && is_of(byte_at(l, i + 1), classes)))
		i++;
	return i;
}

/* What is a number in one version and a number and a word in another is taken in one, where both leave what follows to
 * itself. */
static enum sql_tok lex_number(struct sql_lexer *l)
{
	uint32_t i = l->at;
	uint8_t base = byte_at(l, i + 1) | 0x20;
	unsigned digits = base == 'x' ? C_HEX : C_DIGIT;
	if (l->s[i] == '0' && (base == 'x' || base == 'o' || base == 'b') && is_of(byte_at(l, i + 2), digits)) {
		l->at = skip_digits(l, i + 2, digits);
		return SQL_TOK_NUMBER;
	}
	i = skip_digits(l, i, C_DIGIT);
	if (byte_at(l, i) == '.' && byte_at(l, i + 1) != '.')
		i = skip_digits(l, i + 1, C_DIGIT);
	if ((byte_at(l, i) | 0x20) == 'e') {
		uint32_t power = i + 1;
		if (byte_at(l, power) == '+' || byte_at(l, power) == '-')
			power++;
		if (is_of(byte_at(l, power), C_DIGIT))
			i = skip_digits(l, power, C_DIGIT);
	}
	l->at = i;
	return SQL_TOK_NUMBER;
}

static enum sql_tok lex_op(struct sql_lexer *l)
{
	uint32_t from = l->at, i = from;
	unsigned seen = 0;
	while (is_of(byte_at(l, i), C_OP)) {
		uint8_t c = l->s[i], next = byte_at(l, i + 1);
		if ((c == '-' && next == '-') || (c == '/' && next == '*'))
			break; /* a comment; never at `from`, blanks were skipped */
		if (i - from == OP_RUN_MAX)
			return SQL_TOK_BAD;
		seen |= sql_class_of[c];
		i++;
	}
	if (!(seen & C_STRONG))
		while (i - from > 1 && (l->s[i - 1] == '+' || l->s[i - 1] == '-'))
			i--;
	l->at = i;
	return SQL_TOK_OP;
}

static enum sql_tok lex_word(struct sql_lexer *l)
{
	const uint8_t *s = l->s + l->at, *end = l->s + l->end;
	uint8_t next = byte_at(l, l->at + 1);
	if (next == '\'' || next == '&') {
		uint32_t from = l->at;
		switch (*s | 0x20) {
		case 'b':
		case 'x':
			l->at++;
			if (next == '\'')
				return lex_string(l, SQL_TOK_BITS);
			break;
		case 'e':
			l->at++;
			if (next == '\'')
				return lex_string(l, SQL_TOK_ESTRING);
			break;
		case 'n':
			l->at++;
			if (next == '\'')
				return lex_string(l, SQL_TOK_NSTRING);
			break;
		case 'u':
			l->at += 2;
			if (next == '&' && byte_at(l, l->at) == '\'')
				return l->mode & SQL_BACKSLASH ? SQL_TOK_BAD : lex_string(l, SQL_TOK_USTRING);
			if (next == '&' && byte_at(l, l->at) == '"') {
				l->at = skip_quoted(l, l->at + 1, '"', true, false);
				return l->at ? SQL_TOK_UQUOTED : SQL_TOK_BAD;
			}
			break;
		default:
			break;
		}
		l->at = from + 1;
		return SQL_TOK_WORD;
	}
	do
		s++;
	while (s < end && is_of(*s, C_WORD));
	l->at = (uint32_t)(s - l->s);
	return SQL_TOK_WORD;
}

enum sql_tok sql_lex(struct sql_lexer *l, struct sql_token *t)
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
		if (is_of(c, C_START)) {
			t->kind = lex_word(l);
		} else if (is_of(c, C_DIGIT) || (c == '.' && is_of(byte_at(l, from + 1), C_DIGIT))) {
			t->kind = lex_number(l);
		} else if (is_of(c, C_SELF)) {
			uint8_t next = byte_at(l, ++l->at);
			bool two = (c == ':' && (next == ':' || next == '=')) || (c == '.' && next == '.');
			l->at += two;
			t->kind = SQL_TOK_OP;
		} else if (is_of(c, C_OP)) {
			t->kind = lex_op(l);
		} else if (c == '\'') {
			t->kind = lex_string(l, SQL_TOK_STRING);
		} else if (c == '"') {
			l->at = skip_quoted(l, from + 1, '"', true, false);
			t->kind = l->at ? SQL_TOK_QUOTED : SQL_TOK_BAD;
		} else if (c == '$') {
			t->kind = lex_dollar(l);
		} else {
			t->kind = SQL_TOK_BAD;
		}
		if (t->kind == SQL_TOK_OP && l->at - from == 1)
			t->c = (char)c;
	}
	if (t->kind == SQL_TOK_BAD) {
		l->at = from; /* and so again the next time */
		t->span = (struct sql_span){ from, l->end - from };
	} else {
		t->span = (struct sql_span){ from, l->at - from };
	}
	return t->kind;
}

/* --- Names and strings */

struct out {
	char *s;
	size_t len, cap; /* cap: without the NUL */
	bool full;
};

static void put(struct out *o, uint8_t c)
{
	if (o->len < o->cap)
		o->s[o->len++] = (char)c;
	else
		o->full = true;
}

static bool take_hex(const uint8_t *s, const uint8_t *end, size_t n, uint32_t *value)
{
	if ((size_t)(end - s) < n)
		return false;
	*value = 0;
	for (size_t i = 0; i < n; i++) {
		if (!is_of(s[i], C_HEX))
			return false;
		*value = *value << 4 | (s[i] <= '9' ? s[i] - (uint32_t)'0' : (s[i] | 0x20u) - 'a' + 10u);
	}
	return true;
}

/* \XXXX, \+XXXXXX or \\, whose backslash is at s. Behind it, or NULL: only ASCII is known to be itself in whatever
 * encoding the server has. */
static const uint8_t *put_uescape(struct out *o, const uint8_t *s, const uint8_t *end)
{
	uint32_t point;
	if (end - s >= 2 && s[1] == '\\') {
		put(o, '\\');
		return s + 2;
	}
	bool six = end - s >= 2 && s[1] == '+';
	size_t skip = six ? 2 : 1, digits = six ? 6 : 4;
	if (!take_hex(s + skip, end, digits, &point) || point == 0 || point >= 128)
		return NULL;
	put(o, (uint8_t)point);
	return s + skip + digits;
}

/* One escape of an E'' string, whose backslash is at s. Behind it, or NULL. */
static const uint8_t *put_escape(struct out *o, const uint8_t *s, const uint8_t *end)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	uint32_t value = 0;
	if (end - s < 2 || s[1] == 'v')
		return NULL; /* the letter v up to PostgreSQL 15, a tab since */
	uint8_t c = s[1];
	s += 2;
	if (c == 'u' || c == 'U') {
		size_t digits = c == 'u' ? 4 : 8;
		if (!take_hex(s, end, digits, &value) || value == 0 || value >= 128)
			return NULL;
		put(o, (uint8_t)value);
		return s + digits;
	}
	if (c == 'x' && s < end && is_of(*s, C_HEX)) {
		size_t digits = end - s >= 2 && is_of(s[1], C_HEX) ? 2 : 1;
		(void)take_hex(s, end, digits, &value);
		s += digits;
	} else if (c >= '0' && c <= '7') {
		value = (uint32_t)(c - '0');
		for (int i = 0; i < 2 && s < end && *s >= '0' && *s <= '7'; i++)
			value = value << 3 | (uint32_t)(*s++ - '0');
	} else {
		const char *known = c ? strchr(from, c) : NULL;
		put(o, known ? (uint8_t)to[known - from] : c);
		return s;
	}
	value &= 0xff;
	if (value == 0 || value >= 128)
		return NULL; /* the first is refused, and the second may be half a character */
	put(o, (uint8_t)value);
	return s;
}

/* What is between the quotes of one piece. */
static bool put_piece(struct out *o, const uint8_t *s, const uint8_t *end, uint8_t quote, bool escapes, bool uescapes,
		      unsigned mode)
{
	while (s < end && !o->full) {
		if (escapes && is_half(mode, *s) && end - s > 1) {
			put(o, *s++);
			put(o, *s++);
			continue;
		}
		if (*s == '\\' && (escapes || uescapes)) {
			s = escapes ? put_escape(o, s, end) : put_uescape(o, s, end);
			if (!s)
				return false;
			continue;
		}
		put(o, *s);
		s += *s == quote ? 2 : 1;
	}
	return !o->full;
}

/* The one token that the bytes are. */
static bool lex_alone(struct sql_lexer *l, struct sql_token *t, const void *token, size_t len, unsigned mode)
{
	sql_lex_init(l, token, len, mode);
	return sql_lex(l, t) != SQL_TOK_BAD && t->span.at == 0 && t->span.len == len && len > 0;
}

int sql_ident_decode(const void *token, size_t len, unsigned mode, char out[SQL_IDENT_MAX + 1])
{
	struct sql_lexer l;
	struct sql_token t;
	struct out o = { out, 0, SQL_IDENT_MAX, false };
	const uint8_t *s = token;
	bool high = false;

	out[0] = '\0';
	if (!lex_alone(&l, &t, token, len, mode))
		return SQL_NOT_TOLD;
	switch (t.kind) {
	case SQL_TOK_WORD:
		for (size_t i = 0; i < len && !o.full; i++) {
			high |= s[i] >= 128;
			put(&o, s[i] >= 'A' && s[i] <= 'Z' ? s[i] | 0x20 : s[i]);
		}
		if (high && (mode & SQL_ASCII_TRAILS))
			return SQL_NOT_TOLD;
		break;
	case SQL_TOK_QUOTED:
		(void)put_piece(&o, s + 1, s + len - 1, '"', false, false, mode);
		break;
	case SQL_TOK_UQUOTED:
		if (!put_piece(&o, s + 3, s + len - 1, '"', false, true, mode) && !o.full)
			return SQL_NOT_TOLD;
		break;
	default:
		return SQL_NOT_TOLD;
	}
	if (o.len == 0)
		return SQL_NOT_TOLD;
	if (o.full) { /* cut: between characters, and what is no UTF-8 is not known to have any */
		size_t n = o.len;
		if (mode & SQL_ASCII_TRAILS)
			return SQL_NOT_TOLD;
		while (n > 0 && ((uint8_t)out[n - 1] & 0xc0) == 0x80)
			n--;
		uint8_t lead = n ? (uint8_t)out[n - 1] : 0;
		size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
		if (n && o.len - (n - 1) < want)
			o.len = n - 1;
	}
	out[o.len] = '\0';
	return (int)o.len;
}

int sql_string_decode(const void *token, size_t len, unsigned mode, char *out, size_t cap)
{
	struct sql_lexer l;
	struct sql_token t;
	struct out o = { out, 0, cap ? cap - 1 : 0, cap == 0 };

	if (cap)
		out[0] = '\0';
	if (!lex_alone(&l, &t, token, len, mode) || cap == 0 || cap > INT32_MAX)
		return SQL_NOT_TOLD;
	if (t.kind == SQL_TOK_DOLLAR) {
		uint32_t tag = skip_tag(&l, 0);
		if (len - 2 * tag >= cap)
			return SQL_NOT_TOLD;
		memcpy(out, l.s + tag, len - 2 * tag);
		out[len - 2 * tag] = '\0';
		return (int)(len - 2 * tag);
	}
	if (t.kind != SQL_TOK_STRING && t.kind != SQL_TOK_ESTRING && t.kind != SQL_TOK_USTRING)
		return SQL_NOT_TOLD;
	bool escapes = t.kind == SQL_TOK_ESTRING || (t.kind == SQL_TOK_STRING && (mode & SQL_BACKSLASH));
	uint32_t i = t.kind == SQL_TOK_STRING ? 1 : t.kind == SQL_TOK_ESTRING ? 2 : 3;
	while (i) {
		uint32_t to = skip_quoted(&l, i, '\'', true, escapes);
		if (!to || !put_piece(&o, l.s + i, l.s + to - 1, '\'', escapes, t.kind == SQL_TOK_USTRING, mode))
			return SQL_NOT_TOLD;
		i = next_piece(&l, to);
	}
	out[o.len] = '\0';
	return (int)o.len;
}

/* clang-format off */
static const char *const reserved[] = {
	"all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "between",
	"bigint", "binary", "bit", "boolean", "both", "case", "cast", "char", "character", "check", "coalesce",
	"collate", "collation", "column", "concurrently", "constraint", "create", "cross", "current_catalog",
	"current_date", "current_role", "current_schema", "current_time", "current_timestamp", "current_user", "dec",
	"decimal", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "exists", "extract",
	"false", "fetch", "float", "for", "foreign", "freeze", "from", "full", "grant", "greatest", "group",
	"grouping", "having", "ilike", "in", "initially", "inner", "inout", "int", "integer", "intersect",
	"interval", "into", "is", "isnull", "join", "json", "json_array", "json_arrayagg", "json_exists",
	"json_object", "json_objectagg", "json_query", "json_scalar", "json_serialize", "json_table", "json_value",
	"lateral", "leading", "least", "left", "like", "limit", "localtime", "localtimestamp", "merge_action",
	"national", "natural", "nchar", "none", "normalize", "not", "notnull", "null", "nullif", "numeric", "offset",
	"on", "only", "or", "order", "out", "outer", "overlaps", "overlay", "placing", "position", "precision",
	"primary", "real", "references", "returning", "right", "row", "select", "session_user", "setof", "similar",
	"smallint", "some", "substring", "symmetric", "system_user", "table", "tablesample", "then", "time",
	"timestamp", "to", "trailing", "treat", "trim", "true", "union", "unique", "user", "using", "values",
	"varchar", "variadic", "verbose", "when", "where", "window", "with", "xmlattributes", "xmlconcat",
	"xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize",
	"xmltable",
};
/* clang-format on */

bool sql_is_reserved(const void *word, size_t len)
{
	size_t lo = 0, hi = sizeof reserved / sizeof reserved[0];
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		size_t n = strlen(reserved[mid]);
		int cmp = memcmp(word, reserved[mid], len < n ? len : n);
		if (cmp == 0)
			cmp = (len > n) - (len < n);
		if (cmp == 0)
			return true;
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return false;
}

static int finish(struct out *o)
{
	if (o->full)
		o->len = 0;
	o->s[o->len] = '\0';
	return o->full ? SQL_NOT_TOLD : (int)o->len;
}

int sql_quote_ident(const void *name, size_t len, char *out, size_t cap)
{
	const uint8_t *s = name;
	bool plain = len > 0 && len <= SQL_IDENT_MAX && (s[0] == '_' || (s[0] >= 'a' && s[0] <= 'z'));
	if (cap == 0 || cap > INT32_MAX)
		return SQL_NOT_TOLD;
	for (size_t i = 0; i < len && plain; i++)
		plain = s[i] == '_' || (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9');
	plain = plain && !sql_is_reserved(name, len);

	struct out o = { out, 0, cap - 1, false };
	if (!plain)
		put(&o, '"');
	for (size_t i = 0; i < len && !o.full; i++) {
		if (s[i] == '"')
			put(&o, '"');
		put(&o, s[i]);
	}
	if (!plain)
		put(&o, '"');
	return finish(&o);
}

int sql_quote_literal(const void *text, size_t len, char *out, size_t cap)
{
	const uint8_t *s = text;
	struct out o = { out, 0, cap ? cap - 1 : 0, false };
	if (cap == 0 || cap > INT32_MAX)
		return SQL_NOT_TOLD;
	if (len && memchr(text, '\\', len))
		put(&o, 'E');
	put(&o, '\'');
	for (size_t i = 0; i < len && !o.full; i++) {
		if (s[i] == '\'' || s[i] == '\\')
			put(&o, s[i]);
		put(&o, s[i]);
	}
	put(&o, '\'');
	return finish(&o);
}
