/* test_sql_lexer.c - the words of SQL texts, as PostgreSQL's own scanner takes them. */
#include "unit.h"

#include "sql/lexer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each token is written as its letter (w WORD, q QUOTED, U UQUOTED, s STRING, e ESTRING, u USTRING, n NSTRING, b BITS,
 * d DOLLAR, # NUMBER, p PARAM, o a longer operator, a short one as itself, ! BAD) and its text in < >. */
static const struct {
	unsigned mode;
	const char *in, *want;
} rows[] = {
	{ 0, "", "" },
	{ 0, " \t\r\n\f\v", "" },
	{ 0, "SELECT 1", "w<SELECT>#<1>" },
	{ 0, "select a.b from \"T\"", "w<select>w<a>.w<b>w<from>q<\"T\">" },
	{ 0, "a--b\nc", "w<a>w<c>" },
	{ 0, "a--b\rc", "w<a>w<c>" },
	{ 0, "a--b", "w<a>" },
	{ 0, "a/*b*/c", "w<a>w<c>" },
	{ 0, "a/*/*b*/;*/c", "w<a>w<c>" },
	{ 0, "a/**/c", "w<a>w<c>" },
	{ 0, "a/*/c", "w<a>!</*/c>" },
	{ 0, "a/*/*b*/c", "w<a>!</*/*b*/c>" },
	{ 0, "1+/*x*/-2", "#<1>+-#<2>" },
	{ 0, "1+--x\n2", "#<1>+#<2>" },
	{ 0, "a;b", "w<a>;w<b>" },
	{ 0, "a$b$c", "w<a$b$c>" },
	{ 0, "x1 _y \303\244z", "w<x1>w<_y>w<\303\244z>" },
	{ 0, "\"a\"\"b\" \"c", "q<\"a\"\"b\">!<\"c>" },
	{ 0, "U&\"a;\"\"b\"u&\"\"", "U<U&\"a;\"\"b\">U<u&\"\">" },
	{ 0, "U&\"a", "!<U&\"a>" },
	{ 0, "u & \"a\"", "w<u>&q<\"a\">" },
	{ 0, "u&b", "w<u>&w<b>" },
	{ 0, "e&'a' b&'c'", "w<e>&s<'a'>w<b>&s<'c'>" },
	{ 0, "'a;b' 'c''d'", "s<'a;b'>s<'c''d'>" },
	{ 0, "'a\n", "!<'a\n>" },
	{ 0, "'a\\' b", "s<'a\\'>w<b>" },
	{ SQL_BACKSLASH, "'a\\' b'", "s<'a\\' b'>" },
	{ SQL_BACKSLASH, "'a\\", "!<'a\\>" },
	{ SQL_BACKSLASH, "\"a\\\" b", "q<\"a\\\">w<b>" },
	{ SQL_BACKSLASH, "N'a\\' b'", "n<N'a\\' b'>" },
	{ SQL_BACKSLASH, "U&'a'", "!<U&'a'>" },
	{ SQL_BACKSLASH, "b'\\' x", "b<b'\\'>w<x>" },
	{ 0, "E'a\\' b' e'\\\\' c", "e<E'a\\' b'>e<e'\\\\'>w<c>" },
	{ 0, "E'a'' b'", "e<E'a'' b'>" },
	{ 0, "E'a\\", "!<E'a\\>" },
	{ 0, "E 'a\\' b", "w<E>s<'a\\'>w<b>" },
	{ 0, "fe'a\\' b", "w<fe>s<'a\\'>w<b>" },
	{ 0, "N'a' n'\\' X'1f' b'01'", "n<N'a'>n<n'\\'>b<X'1f'>b<b'01'>" },
	{ 0, "b'1''0'", "b<b'1'>s<'0'>" },
	{ 0, "U&'a\\' b", "u<U&'a\\'>w<b>" },
	{ 0, "'a'\n'b' 'c'", "s<'a'\n'b'>s<'c'>" },
	{ 0, "'a' -- x '\n -- y\n\t'b'", "s<'a' -- x '\n -- y\n\t'b'>" },
	{ 0, "'a' /* x */\n'b'", "s<'a'>s<'b'>" },
	{ 0, "'a' 'b'", "s<'a'>s<'b'>" },
	{ 0, "'a'\n-'b'", "s<'a'>-s<'b'>" },
	{ 0, "'a'\n--", "s<'a'>" },
	{ 0, "E'a'\n'\\'b'", "e<E'a'\n'\\'b'>" },
	{ 0, "E'a' '\\'b", "e<E'a'>s<'\\'>w<b>" },
	{ 0, "'a'\n'b", "!<'a'\n'b>" },
	{ 0, "$$a;$b$$ $x$ $$ $y$ $x$", "d<$$a;$b$$>d<$x$ $$ $y$ $x$>" },
	{ 0, "$a$b$a$", "d<$a$b$a$>" },
	{ 0, "$a$ $b$a$", "d<$a$ $b$a$>" },
	{ 0, "$a$a$", "!<$a$a$>" },
	{ 0, "$a$ $A$", "!<$a$ $A$>" },
	{ 0, "$\303\244$'$\303\244$", "d<$\303\244$'$\303\244$>" },
	{ 0, "$1 $23$$x$$", "p<$1>p<$23>d<$$x$$>" },
	{ 0, "$1x$", "p<$1>w<x$>" },
	{ 0, "$a b", "!<$a b>" },
	{ 0, "$", "!<$>" },
	{ 0, "1 1.5 .5 1. 1e5 1.5E-7 1e", "#<1>#<1.5>#<.5>#<1.>#<1e5>#<1.5E-7>#<1>w<e>" },
	{ 0, "1..2", "#<1>o<..>#<2>" },
	{ 0, "0x1F 0b01 0o17 1_000 0xg", "#<0x1F>#<0b01>#<0o17>#<1_000>#<0>w<xg>" },
	{ 0, "1from", "#<1>w<from>" },
	{ 0, "0x'a;'", "#<0>b<x'a;'>" },
	{ 0, "1e'\\';'", "#<1>e<e'\\';'>" },
	{ 0, "a::b := c=>d <= <> !=", "w<a>o<::>w<b>o<:=>w<c>o<=>>w<d>o<<=>o<<>>o<!=>" },
	{ 0, "x=-1 y<+-2 z@-3", "w<x>=-#<1>w<y><+-#<2>w<z>o<@->#<3>" },
	{ 0, "(a)[1:2],{", "(w<a>)[#<1>:#<2>],!<{>" },
	{ 0, "a \\ b", "w<a>!<\\ b>" },
	{ SQL_ASCII_TRAILS, "e'\201\\' b", "e<e'\201\\'>w<b>" },
	{ SQL_ASCII_TRAILS, "e'\201\201\\' b'", "e<e'\201\201\\' b'>" },
	{ SQL_ASCII_TRAILS, "e'\261\\' b", "e<e'\261\\'>w<b>" },
	{ SQL_ASCII_TRAILS, "e'\2010\2010\\' b'", "e<e'\2010\2010\\' b'>" },
	{ SQL_ASCII_TRAILS, "e'\201", "!<e'\201>" },
	{ SQL_ASCII_TRAILS | SQL_KANA, "e'\261\\' b'", "e<e'\261\\' b'>" },
	{ SQL_ASCII_TRAILS | SQL_KANA, "e'\340\\' b", "e<e'\340\\'>w<b>" },
	{ SQL_ASCII_TRAILS | SQL_BACKSLASH, "'\201\\' b", "s<'\201\\'>w<b>" },
	{ SQL_ASCII_TRAILS, "e'a\\' b' '\201\\' b", "e<e'a\\' b'>s<'\201\\'>w<b>" },
};

static void show(const struct sql_lexer *l, const struct sql_token *t, char *out, size_t cap)
{
	static const char kinds[] = {
		[SQL_TOK_BAD] = '!',    [SQL_TOK_WORD] = 'w',    [SQL_TOK_QUOTED] = 'q',  [SQL_TOK_UQUOTED] = 'U',
		[SQL_TOK_STRING] = 's', [SQL_TOK_ESTRING] = 'e', [SQL_TOK_USTRING] = 'u', [SQL_TOK_NSTRING] = 'n',
		[SQL_TOK_BITS] = 'b',   [SQL_TOK_DOLLAR] = 'd',  [SQL_TOK_NUMBER] = '#',  [SQL_TOK_PARAM] = 'p',
		[SQL_TOK_OP] = 'o'
	};
	size_t n = strlen(out);
	if (t->c)
		(void)snprintf(out + n, cap - n, "%c", t->c);
	else
		(void)snprintf(out + n, cap - n, "%c<%.*s>", kinds[t->kind], (int)t->span.len,
			       (const char *)l->s + t->span.at);
}

static void test_tokens(void)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sql_lexer l;
		struct sql_token t;
		char got[256] = "";
		size_t len = strlen(rows[i].in), at = 0;
		uint8_t *copy = copy_exact(rows[i].in, len);
		sql_lex_init(&l, copy, len, rows[i].mode);
		while (sql_lex(&l, &t) != SQL_TOK_END) {
			check(rows[i].in, t.span.at >= at && t.span.len > 0 && t.span.at + t.span.len <= len);
			at = t.span.at + t.span.len;
			show(&l, &t, got, sizeof got);
			if (t.kind == SQL_TOK_BAD)
				break;
		}
		check_str(rows[i].in, got, rows[i].want);
		enum sql_tok last = t.kind;
		check_eq("the last one stays", sql_lex(&l, &t), last);
		free(copy);
	}
}

/* Every prefix is read within its own bytes, and ends. */
static void test_prefixes(void)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t len = 0; len < strlen(rows[i].in); len++) {
			struct sql_lexer l;
			struct sql_token t;
			uint8_t *copy = copy_exact(rows[i].in, len);
			size_t n = 0;
			sql_lex_init(&l, copy, len, rows[i].mode);
			while (sql_lex(&l, &t) != SQL_TOK_END && t.kind != SQL_TOK_BAD)
				n++;
			check(rows[i].in, n <= len && t.span.at + t.span.len == len);
			free(copy);
		}
	}
}

static void test_ends(void)
{
	struct sql_lexer l;
	struct sql_token t;
	char run[400];

	sql_lex_init(&l, BYTES("select\0 1"), 0);
	check_eq("a word", sql_lex(&l, &t), SQL_TOK_WORD);
	check_eq("NUL is the end", sql_lex(&l, &t), SQL_TOK_END);
	sql_lex_init(&l, NULL, 0, 0);
	check_eq("nothing at all", sql_lex(&l, &t), SQL_TOK_END);
	memset(run, '+', sizeof run);
	run[0] = '<';
	sql_lex_init(&l, run, 100, 0);
	for (int i = 0; i < 100; i++)
		check("one by one", sql_lex(&l, &t) == SQL_TOK_OP && t.span.len == 1);
	check_eq("end", sql_lex(&l, &t), SQL_TOK_END);
	sql_lex_init(&l, run, sizeof run, 0);
	check_eq("too long to tell", sql_lex(&l, &t), SQL_TOK_BAD);
}

#define A60 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"

static const struct {
	unsigned mode;
	const char *in, *want; /* NULL: not told */
} idents[] = {
	{ 0, "Abc_1$", "abc_1$" },
	{ 0, "\"Abc\"", "Abc" },
	{ 0, "\"A\"\"b\"", "A\"b" },
	{ 0, "\"\"", NULL },
	{ 0, "\"a\" ", NULL },
	{ 0, " a", NULL },
	{ 0, "a b", NULL },
	{ 0, "", NULL },
	{ 0, "1", NULL },
	{ 0, "'a'", NULL },
	{ 0, "a.b", NULL },
	{ 0, "\303\204B", "\303\204b" },
	{ SQL_ASCII_TRAILS, "\201B", NULL },
	{ SQL_ASCII_TRAILS, "\"\201B\"", "\201B" },
	{ 0, A60 "123", A60 "123" },
	{ 0, A60 "1234", A60 "123" },
	{ 0, "\"" A60 "1234\"", A60 "123" },
	{ 0, A60 "12\303\244", A60 "12" },
	{ 0, A60 "1\303\244x", A60 "1\303\244" },
	{ 0, A60 "1\342\202\254", A60 "1" },
	{ SQL_ASCII_TRAILS, A60 "1234", NULL },
	{ 0, "U&\"a\\0062\\+000063\\\\\"\"\"", "abc\\\"" },
	{ 0, "U&\"\\00e4\"", NULL },
	{ 0, "U&\"\\006\"", NULL },
	{ 0, "U&\"\\\"", NULL },
};

static void test_idents(void)
{
	for (size_t i = 0; i < COUNT(idents); i++) {
		char out[SQL_IDENT_MAX + 1];
		size_t len = strlen(idents[i].in);
		uint8_t *copy = copy_exact(idents[i].in, len);
		int n = sql_ident_decode(copy, len, idents[i].mode, out);
		if (check_eq(idents[i].in, n, idents[i].want ? (int)strlen(idents[i].want) : SQL_NOT_TOLD) && n >= 0)
			check_str(idents[i].in, out, idents[i].want);
		free(copy);
	}
}

static const struct {
	unsigned mode;
	const char *in, *want;
} strings[] = {
	{ 0, "'a''b\\'", "a'b\\" },
	{ SQL_BACKSLASH, "'a\\'b\\n'", "a'b\n" },
	{ 0, "''", "" },
	{ 0, "'a'\n'b'", "ab" },
	{ 0, "'a''' --x\n'''b'", "a''b" },
	{ 0, "'a' 'b'", NULL },
	{ 0, "'a", NULL },
	{ 0, "E'\\b\\f\\n\\r\\t\\q\\''", "\b\f\n\r\tq'" },
	{ 0, "E'\\v'", NULL },
	{ 0, "e'\\101\\x41\\x4g\\7\\u0041\\U00000041'", "AA\004g\007AA" },
	{ 0, "e'a'\n'\\t'", "a\t" },
	{ 0, "e'\\0'", NULL },
	{ 0, "e'\\xff'", NULL },
	{ 0, "e'\\u00e4'", NULL },
	{ 0, "e'\\u00'", NULL },
	{ 0, "u&'\\0041''\\\\'", "A'\\" },
	{ 0, "u&'\\zzzz'", NULL },
	{ 0, "$$a'b$$", "a'b" },
	{ 0, "$t$$t$", "" },
	{ 0, "n'a'", NULL },
	{ 0, "b'1'", NULL },
	{ 0, "a", NULL },
	{ 0, "'a';", NULL },
};

static void test_strings(void)
{
	for (size_t i = 0; i < COUNT(strings); i++) {
		size_t len = strlen(strings[i].in), want = strings[i].want ? strlen(strings[i].want) : 0;
		uint8_t *copy = copy_exact(strings[i].in, len);
		char *out = (char *)copy_exact("0123456789abcdef", want + 1);
		int n = sql_string_decode(copy, len, strings[i].mode, out, want + 1);
		if (check_eq(strings[i].in, n, strings[i].want ? (int)want : SQL_NOT_TOLD) && n >= 0)
			check_str(strings[i].in, out, strings[i].want);
		if (want)
			check_eq("no room", sql_string_decode(copy, len, strings[i].mode, out, want), SQL_NOT_TOLD);
		check_eq("no room at all", sql_string_decode(copy, len, strings[i].mode, out, 0), SQL_NOT_TOLD);
		free(out);
		free(copy);
	}
}

static const struct {
	const char *in, *ident, *literal;
} quotes[] = {
	{ "abc_1", "abc_1", "'abc_1'" },
	{ "Abc", "\"Abc\"", "'Abc'" },
	{ "a\"b", "\"a\"\"b\"", "'a\"b'" },
	{ "1a", "\"1a\"", "'1a'" },
	{ "select", "\"select\"", "'select'" },
	{ "begin", "begin", "'begin'" },
	{ "a'b", "\"a'b\"", "'a''b'" },
	{ "a\\b", "\"a\\b\"", "E'a\\\\b'" },
	{ "", "\"\"", "''" },
	{ "all", "\"all\"", "'all'" },
	{ "alll", "alll", "'alll'" },
	{ "xmltable", "\"xmltable\"", "'xmltable'" },
	{ "a$", "\"a$\"", "'a$'" },
	{ "\303\244", "\"\303\244\"", "'\303\244'" },
};

static void test_quotes(void)
{
	for (size_t i = 0; i < COUNT(quotes); i++) {
		const char *in = quotes[i].in;
		char out[64];
		size_t len = strlen(in);
		check_eq(in, sql_quote_ident(in, len, out, sizeof out), strlen(quotes[i].ident));
		check_str(in, out, quotes[i].ident);
		check_eq(in, sql_quote_ident(in, len, out, strlen(quotes[i].ident)), SQL_NOT_TOLD);
		check_eq(in, sql_quote_ident(in, len, out, 0), SQL_NOT_TOLD);
		check_eq(in, sql_quote_literal(in, len, out, sizeof out), strlen(quotes[i].literal));
		check_str(in, out, quotes[i].literal);
		check_eq(in, sql_quote_literal(in, len, out, strlen(quotes[i].literal)), SQL_NOT_TOLD);
	}
}

void suite_sql_lexer(void)
{
	static const struct unit_test tests[] = {
		{ "tokens", test_tokens },
		{ "every prefix", test_prefixes },
		{ "where a text ends", test_ends },
		{ "names", test_idents },
		{ "strings", test_strings },
		{ "quoting", test_quotes },
		{ NULL, NULL },
	};
	unit_add("sql/lexer", tests);
}
