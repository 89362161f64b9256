/* fuzz_sql.c - statements of a text. PostgreSQL docs, SQL Syntax and SQL Commands.
 *
 * The first byte is the mode, the rest the text. What must hold: parts tile the text and spans lie in them; tokens do
 * too and end; a part alone is what it was among others; letter case, comments between tokens, and what is not asked
 * for change no kind; what is decoded and quoted again decodes to the same. */
#include "fuzz.h"

#include "sql/fingerprint.h"
#include "sql/classify.h"

#include <stdlib.h>
#include <string.h>

static struct sql_funcs funcs;

static bool is_within(struct sql_span in, struct sql_span of)
{
	return in.len == 0 || (in.at >= of.at && in.len <= of.len && in.at - of.at <= of.len - in.len);
}

static void check_names(const uint8_t *s, const struct sql_token *t, unsigned mode)
{
	char name[SQL_IDENT_MAX + 1], again[SQL_IDENT_MAX + 1], quoted[SQL_IDENT_QUOTED];
	int n = sql_ident_decode(s + t->span.at, t->span.len, mode, name);
	fuzz_check("a name's length", n == SQL_NOT_TOLD || (n > 0 && n <= SQL_IDENT_MAX && name[n] == '\0'));
	if (n > 0) {
		int q = sql_quote_ident(name, (size_t)n, quoted, sizeof quoted);
		fuzz_check("any name fits in quotes", q > 0);
		fuzz_check("and is the same", sql_ident_decode(quoted, (size_t)q, mode, again) == n &&
						      memcmp(name, again, (size_t)n) == 0);
	}
	size_t cap = t->span.len + 1;
	char *text = fuzz_exact(NULL, cap);
	n = sql_string_decode(s + t->span.at, t->span.len, mode, text, cap);
	fuzz_check("a string is no longer than it is written",
		   n == SQL_NOT_TOLD || ((size_t)n < cap && text[n] == '\0'));
	if (n >= 0 && !(mode & SQL_ASCII_TRAILS)) {
		size_t room = 2 * (size_t)n + 4;
		char *literal = fuzz_exact(NULL, room), *back = fuzz_exact(NULL, (size_t)n + 1);
		int q = sql_quote_literal(text, (size_t)n, literal, room);
		fuzz_check("any text fits in quotes", q >= 2);
		fuzz_check("and is the same", sql_string_decode(literal, (size_t)q, mode, back, (size_t)n + 1) == n &&
						      memcmp(text, back, (size_t)n) == 0);
		fuzz_free(literal);
		fuzz_free(back);
	}
	fuzz_free(text);
}

/* Returns how many tokens there are; bad: the last is no token. */
static size_t check_tokens(const uint8_t *s, size_t n, unsigned mode, bool *bad)
{
	struct sql_lexer l;
	struct sql_token t;
	size_t at = 0, count = 0;
	sql_lex_init(&l, s, n, mode);
	while (sql_lex(&l, &t) != SQL_TOK_END && t.kind != SQL_TOK_BAD) {
		fuzz_check("tokens come in order", t.span.at >= at && t.span.len > 0 && t.span.len <= n - t.span.at);
		fuzz_check("c is a byte", t.c == '\0' || (t.span.len == 1 && (char)s[t.span.at] == t.c));
		at = t.span.at + t.span.len;
		check_names(s, &t, mode);
		count++;
	}
	fuzz_check("up to the end", t.span.at + t.span.len == n);
	*bad = t.kind == SQL_TOK_BAD;
	return count;
}

static void check_setting(const uint8_t *s, unsigned mode, const struct sql_stmt *st)
{
	char name[256], value[256];
	int n = sql_setting_name(s, mode, st, name, sizeof name);
	fuzz_check("a name's length", n == SQL_NOT_TOLD || strlen(name) == (size_t)n || memchr(name, 0, (size_t)n));
	n = sql_setting_value(s, mode, st, value, sizeof value);
	fuzz_check("a value's length", n == SQL_NOT_TOLD || (n >= 0 && (size_t)n < sizeof value && value[n] == '\0'));
}

/* Of two that should be the same. */
static void check_same(const char *what, const struct sql_stmt *a, const struct sql_stmt *b)
{
	fuzz_check(what, a->kind == b->kind);
	fuzz_check(what, a->inner == b->inner);
	fuzz_check(what, a->flags == b->flags);
	fuzz_check(what, a->calls == b->calls);
	fuzz_check(what, a->object == b->object);
	fuzz_check(what, memcmp(&a->modes, &b->modes, sizeof a->modes) == 0);
}

static void check_part(const uint8_t *s, const struct sql_stmt *st, unsigned mode, unsigned ask)
{
	uint8_t *part = fuzz_exact(s + st->part.at, st->part.len);
	struct sql_reader r;
	struct sql_stmt alone;
	sql_read_init(&r, part, st->part.len, mode, &funcs, ask);
	fuzz_check("a part is a statement", sql_read(&r, &alone));
	fuzz_check("and no more", r.lex.at == st->part.len);
	check_same("a part alone", &alone, st);
	fuzz_check("a name", alone.name.len == st->name.len && alone.value.len == st->value.len);
	fuzz_free(part);
}

/* The same text in the other case, names in quotes and strings apart, and comments between its tokens. */
static void check_dressed(const uint8_t *s, size_t n, unsigned mode)
{
	static const char comment[] = " /* ; */ ";
	size_t room = n * (sizeof comment + 1) + sizeof comment, len = 0;
	uint8_t *text = malloc(room);
	struct sql_lexer l;
	struct sql_token t, prev = { .kind = SQL_TOK_END };
	struct sql_reader a, b;
	struct sql_stmt sa, sb;

	if (!text)
		abort();
	sql_lex_init(&l, s, n, mode);
	while (sql_lex(&l, &t) != SQL_TOK_END) {
		bool string = prev.kind >= SQL_TOK_STRING && prev.kind <= SQL_TOK_BITS && t.kind == SQL_TOK_STRING;
		if (!string) {
			memcpy(text + len, comment, sizeof comment - 1);
			len += sizeof comment - 1;
		} else {
			text[len++] = ' '; /* a comment, or a line's end, would join or part them */
		}
		for (uint32_t i = 0; i < t.span.len; i++) {
			uint8_t c = s[t.span.at + i];
			bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
			text[len++] = t.kind == SQL_TOK_WORD && letter ? c ^ 0x20 : c;
		}
		prev = t;
	}
	memcpy(text + len, comment, sizeof comment - 1);
	len += sizeof comment - 1;
	sql_read_init(&a, s, n, mode, &funcs, SQL_ASK_PLAIN);
	sql_read_init(&b, text, len, mode, &funcs, SQL_ASK_PLAIN);
	for (;;) {
		bool more = sql_read(&a, &sa), as_well = sql_read(&b, &sb);
		if (!more)
			break;
		fuzz_check("as many", as_well);
		check_same("dressed", &sb, &sa);
	}
	free(text);
}

static void check_fingerprint(const uint8_t *s, size_t n, unsigned mode)
{
	char out[64];
	size_t len = sql_fingerprint(s, n, false, SQL_DIALECT_POSTGRES, mode, out, sizeof out);
	fuzz_check("a fingerprint fits", len < sizeof out && out[len] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (funcs.n == 0) {
		sql_funcs_init(&funcs);
		if (!sql_funcs_add(&funcs, "f", SQL_CALL_USER) || !sql_funcs_add(&funcs, "s.\"G\"", SQL_CALL_USER << 1))
			abort();
	}
	unsigned mode = data[0] & 3;
	uint8_t *s = fuzz_exact(data + 1, size - 1);
	size_t n = size - 1;
	const uint8_t *nul = n ? memchr(s, 0, n) : NULL;
	if (nul)
		n = (size_t)(nul - s);

	bool bad;
	(void)check_tokens(s, n, mode, &bad);
	check_fingerprint(s, n, mode);
	for (unsigned ask = 0; ask <= SQL_ASK_PLAIN; ask++) {
		struct sql_reader r;
		struct sql_stmt st;
		size_t at = 0;
		sql_read_init(&r, s, size - 1, mode, &funcs, ask);
		while (sql_read(&r, &st)) {
			fuzz_check("parts tile", st.part.at == at && st.part.len > 0 && st.part.len <= n - at);
			at += st.part.len;
			fuzz_check("text", is_within(st.text, st.part));
			fuzz_check("name", is_within(st.name, st.text));
			fuzz_check("value", is_within(st.value, st.text));
			fuzz_check("body", is_within(st.body, st.text));
			fuzz_check("a kind", st.kind < SQL_NKINDS && st.inner < SQL_NKINDS);
			fuzz_check("plain is asked for", ask || !(st.flags & SQL_PLAIN));
			fuzz_check("plain is no call",
				   !(st.flags & SQL_PLAIN) || (!st.calls && !(st.flags & (SQL_TEMP | SQL_HIDDEN))));
			check_setting(s, mode, &st);
			if (!bad) /* what does not end is found out only by who looks for the end */
				check_part(s, &st, mode, ask);
		}
		fuzz_check("parts tile all", at == n);
	}
	if (!bad)
		check_dressed(s, n, mode);
	fuzz_free(s);
	return 0;
}
