/* fingerprint.c - statements without their literals. PostgreSQL docs, SQL Syntax: Lexical Structure; MySQL Reference
 * Manual, Language Structure. */
#include "sql/fingerprint.h"

#include "sql/mysql_lexer.h"

#include <string.h>
#include <strings.h>

struct writer {
	char *out;
	size_t len, cap;
	bool glue;      /* no blank before the next word */
	size_t sign_at; /* where a sign began that belongs to a number, if one follows; SIZE_MAX: none */
	bool after_op;  /* behind an operator, or at the beginning: a sign here is a number's */
};

struct reader {
	const char *s;
	bool is_mysql;
	bool is_doubtful; /* where the last string ended hangs on a setting, which this very text may change */
	struct sql_lexer pg;
	struct my_lexer my;
};

static enum sql_tok next(struct reader *r, struct sql_token *t)
{
	enum sql_tok k = r->is_doubtful ? SQL_TOK_BAD : r->is_mysql ? my_lex(&r->my, t) : sql_lex(&r->pg, t);
	bool may_escape = k == SQL_TOK_STRING || k == SQL_TOK_NSTRING || (k == SQL_TOK_QUOTED && r->is_mysql);
	r->is_doubtful = r->is_doubtful || (may_escape && memchr(r->s + t->span.at, '\\', t->span.len));
	return k;
}

static bool ends_with(const struct writer *w, const char *what)
{
	size_t n = strlen(what);
	return w->len >= n && memcmp(w->out + w->len - n, what, n) == 0;
}

static void put_byte(struct writer *w, char c)
{
	if (w->len + 1 < w->cap)
		w->out[w->len++] = c;
}

static void put(struct writer *w, const char *p, size_t n, bool is_tight)
{
	if (w->len && !w->glue && !is_tight)
		put_byte(w, ' ');
	w->glue = false;
	for (size_t i = 0; i < n; i++)
		put_byte(w, p[i]);
}

static void put_word(struct writer *w, const char *p, size_t n)
{
	put(w, "", 0, false);
	for (size_t i = 0; i < n; i++)
		put_byte(w, p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] | 0x20) : p[i]);
}

/* However many stand in a list, it is one. */
static void put_literal(struct writer *w)
{
	if (w->sign_at != SIZE_MAX) {
		w->len = w->sign_at;
		w->glue = w->len == 0 || ends_with(w, "(");
	}
	if (ends_with(w, "?,")) {
		w->len--;
		return;
	}
	put(w, "?", 1, false);
}

static void put_op(struct writer *w, const char *p, const struct sql_token *t)
{
	bool is_tight = t->c && strchr(",;.)]", t->c) != NULL;
	put(w, p, t->span.len, is_tight);
	w->glue = t->c == '(' || t->c == '[' || t->c == '.';
	if (ends_with(w, "(?), (?)"))
		w->len -= strlen(", (?)");
}

static bool is_word(const char *p, const struct sql_token *t, const char *word)
{
	return t->kind == SQL_TOK_WORD && t->span.len == strlen(word) && strncasecmp(p, word, t->span.len) == 0;
}

static void put_token(struct writer *w, const char *p, const struct sql_token *t, bool is_mysql)
{
	size_t sign_at = SIZE_MAX;
	bool after_op = false;
	switch (t->kind) {
	case SQL_TOK_WORD:
		put_word(w, p, t->span.len);
		break;
	case SQL_TOK_QUOTED:
		if (*p == '"' && is_mysql) /* which may be a string after all */
			put_literal(w);
		else
			put(w, p, t->span.len, false);
		break;
	case SQL_TOK_UQUOTED:
		put(w, p, t->span.len, false);
		break;
	case SQL_TOK_USER:
		put(w, "@", 1, false);
		if (t->span.len > 1 && !strchr("'\"`", p[1]))
			put(w, p + 1, t->span.len - 1, true);
		break;
	case SQL_TOK_SYS:
		put(w, p, t->span.len, false);
		w->glue = true;
		break;
	case SQL_TOK_STRING:
	case SQL_TOK_ESTRING:
	case SQL_TOK_USTRING:
	case SQL_TOK_NSTRING:
	case SQL_TOK_BITS:
	case SQL_TOK_DOLLAR:
	case SQL_TOK_NUMBER:
	case SQL_TOK_PARAM:
		put_literal(w);
		break;
	case SQL_TOK_OP:
		if (w->after_op && (t->c == '-' || t->c == '+'))
			sign_at = w->len;
		after_op = t->c != ')' && t->c != ']';
		put_op(w, p, t);
		break;
	case SQL_TOK_END:
	case SQL_TOK_BAD:
		break;
	}
	w->sign_at = sign_at;
	w->after_op = after_op;
}

/* Behind the = of a SET: words may be what is not to be told. */
static enum sql_tok skip_values(struct reader *r, struct sql_token *t)
{
	enum sql_tok k;
	do
		k = next(r, t);
	while (k != SQL_TOK_END && k != SQL_TOK_BAD && t->c != ';');
	return k;
}

size_t sql_fingerprint(const void *text, size_t len, bool is_cut, enum sql_dialect dialect, unsigned mode, char *out,
		       size_t cap)
{
	struct reader r = { .s = text, .is_mysql = dialect == SQL_DIALECT_MYSQL };
	struct writer w = { .out = out, .cap = cap, .sign_at = SIZE_MAX, .after_op = true };
	struct sql_token t;
	bool begins = true, sets = false; /* it is a SET's first word, or behind that */

	if (r.is_mysql)
		my_lex_init(&r.my, text, len, mode);
	else
		sql_lex_init(&r.pg, text, len, mode);
	enum sql_tok k = next(&r, &t);
	while (k != SQL_TOK_END && k != SQL_TOK_BAD) {
		const char *p = r.s + t.span.at;
		bool assigns = t.c == '=' || (t.span.len == 2 && memcmp(p, ":=", 2) == 0) || is_word(p, &t, "to");
		put_token(&w, p, &t, r.is_mysql);
		sets = (sets && t.c != ';') || (begins && is_word(p, &t, "set"));
		begins = t.c == ';';
		if (sets && assigns) {
			put(&w, "?", 1, false);
			k = skip_values(&r, &t);
		} else {
			k = next(&r, &t);
		}
	}
	while (w.len && strchr("; ", w.out[w.len - 1]))
		w.len--;
	if (is_cut || k == SQL_TOK_BAD)
		put(&w, "...", 3, false);
	out[w.len] = '\0';
	return w.len;
}

uint64_t sql_fingerprint_hash(const char *s, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)s[i]) * UINT64_C(0x100000001b3);
	return h;
}
