/* fuzz_mysql_sql.c - statements of a text of MySQL's. MySQL Reference Manual, Language Structure and SQL Statements.
 *
 * The first byte is the mode, the rest the text. What must hold: parts tile the text and spans lie in them; words do
 * too and end; a SET's assignments lie in it; what is decoded and quoted again decodes to the same. */
#include "fuzz.h"

#include "sql/fingerprint.h"
#include "sql/mysql_classify.h"

#include <stdlib.h>
#include <string.h>

static struct sql_funcs funcs;

static bool is_within(struct sql_span in, struct sql_span of)
{
	return in.len == 0 || (in.at >= of.at && in.len <= of.len && in.at - of.at <= of.len - in.len);
}

static void check_word(const uint8_t *s, const struct sql_token *t, unsigned mode)
{
	char name[MY_IDENT_MAX + 1], again[MY_IDENT_MAX + 1], quoted[MY_IDENT_QUOTED];
	int n = my_ident_decode(s + t->span.at, t->span.len, mode, name);
	fuzz_check("a name's length", n == SQL_NOT_TOLD || (n >= 0 && n <= MY_IDENT_MAX && name[n] == '\0'));
	if (n > 0 && !(mode & MY_ASCII_TRAILS)) {
		int q = my_quote_ident(name, (size_t)n, quoted, sizeof quoted);
		fuzz_check("any name fits in quotes", q > 0);
		fuzz_check("and is the same",
			   my_ident_decode(quoted, (size_t)q, mode, again) == n && memcmp(name, again, (size_t)n) == 0);
	}
	size_t cap = t->span.len + 1;
	char *text = fuzz_exact(NULL, cap);
	n = my_string_decode(s + t->span.at, t->span.len, mode, text, cap);
	fuzz_check("a string is no longer than it is written",
		   n == SQL_NOT_TOLD || ((size_t)n < cap && text[n] == '\0'));
	if (n >= 0 && !(mode & MY_ASCII_TRAILS)) {
		size_t room = 2 * (size_t)n + 4;
		char *literal = fuzz_exact(NULL, room), *back = fuzz_exact(NULL, (size_t)n + 1);
		int q = my_quote_literal(text, (size_t)n, literal, room);
		fuzz_check("any text without a backslash fits in quotes", q >= 2 || memchr(text, '\\', (size_t)n));
		fuzz_check("and is the same",
			   q < 0 || (my_string_decode(literal, (size_t)q, mode, back, (size_t)n + 1) == n &&
				     memcmp(text, back, (size_t)n) == 0));
		fuzz_free(literal);
		fuzz_free(back);
	}
	fuzz_free(text);
}

static void check_words(const uint8_t *s, size_t n, unsigned mode)
{
	struct my_lexer l;
	struct sql_token t;
	size_t at = 0;
	my_lex_init(&l, s, n, mode);
	while (my_lex(&l, &t) != SQL_TOK_END && t.kind != SQL_TOK_BAD) {
		fuzz_check("words come in order", t.span.at >= at && t.span.len > 0 && t.span.len <= n - t.span.at);
		fuzz_check("c is a byte", t.c == '\0' || (t.span.len == 1 && (char)s[t.span.at] == t.c));
		at = t.span.at + t.span.len;
		check_word(s, &t, mode);
	}
	fuzz_check("up to the end", t.span.at + t.span.len == n);
}

static void check_set(const uint8_t *s, unsigned mode, const struct my_stmt *st)
{
	struct my_assignments a;
	struct my_assignment x;
	uint32_t at = st->part.at;
	my_set_init(&a, s, mode, st);
	while (my_set_next(&a, &x)) {
		fuzz_check("a name", is_within(x.name, st->part));
		fuzz_check("a value", is_within(x.value, st->part) && x.value.len > 0);
		fuzz_check("in order", x.value.at >= at);
		at = x.value.at + x.value.len;
	}
}

static void check_fingerprint(const uint8_t *s, size_t n, unsigned mode)
{
	char out[64];
	size_t len = sql_fingerprint(s, n, false, SQL_DIALECT_MYSQL, mode, out, sizeof out);
	fuzz_check("a fingerprint fits", len < sizeof out && out[len] == '\0');
}

/* What is found does not depend on where a text is cut. */
static void check_pieces(const uint8_t *s, size_t n, unsigned mode)
{
	struct my_pieces one, two;
	unsigned may = my_pieces_begin(&one, s, n, mode, &funcs), parts = my_pieces_begin(&two, s, n, mode, &funcs);
	size_t cut = n ? s[n - 1] * n / 256 : 0;
	may |= my_pieces_may(&one, s, n);
	parts |= my_pieces_may(&two, s, cut);
	parts |= my_pieces_may(&two, s + cut, n - cut);
	fuzz_check("a cut hides nothing", n > SQL_SEAM || (may & ~parts) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned modes[] = { MY_MODE(0, 80045), MY_MODE(MY_MARIADB, 101119), MY_MODE(0, 0),
					  MY_MODE(0, 50651) };
	if (size == 0)
		return 0;
	if (funcs.n == 0) {
		my_funcs_init(&funcs);
		if (!sql_funcs_add(&funcs, "f", MY_CALL_USER) || !sql_funcs_add(&funcs, "s.g", MY_CALL_USER << 1))
			abort();
	}
	unsigned mode = modes[data[0] >> 4 & 3] | (data[0] & 7);
	size_t n = size - 1, at = 0;
	uint8_t *s = fuzz_exact(data + 1, n);
	struct my_reader r;
	struct my_stmt st;
	check_words(s, n, mode);
	check_fingerprint(s, n, mode);
	check_pieces(s, n, mode);
	my_read_init(&r, s, n, mode, &funcs);
	while (my_read(&r, &st)) {
		fuzz_check("parts tile", st.part.at == at && st.part.len > 0 && st.part.len <= n - at);
		at += st.part.len;
		fuzz_check("text", is_within(st.text, st.part));
		fuzz_check("name", is_within(st.name, st.part));
		fuzz_check("body", is_within(st.body, st.part));
		fuzz_check("a kind", st.kind < MY_NKINDS && st.inner < MY_NKINDS);
		fuzz_check("a lock has a name",
			   !(st.flags & MY_LOCK_ALONE) || st.name.len || st.calls == MY_CALL_RELEASE_ALL_LOCKS);
		for (unsigned i = 0; i < st.ncalls && i < MY_CALLS_MAX; i++)
			fuzz_check("a call", is_within(st.at_call[i].span, st.part) && st.at_call[i].span.len > 2);
		if (st.kind == MY_SET || st.kind == MY_SET_STATEMENT)
			check_set(s, mode, &st);
	}
	fuzz_check("parts tile all", at == n);
	fuzz_free(s);
	return 0;
}
