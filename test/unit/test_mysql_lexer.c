/* test_mysql_lexer.c - the words of SQL texts, as MySQL's and MariaDB's own scanners take them. */
#include "unit.h"

#include "sql/mysql_lexer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MY8   MY_MODE(0, 80045)
#define MY9   MY_MODE(0, 90704)
#define MY56  MY_MODE(0, 50651)
#define MARIA MY_MODE(MY_MARIADB, 101119)

/* Each word is written as its letter (w WORD, q QUOTED, s STRING, n NSTRING, b BITS, # NUMBER, ? PARAM, u USER, g SYS,
 * o a longer operator, a short one as itself, ! BAD) and its text in < >. */
static const struct {
	unsigned mode;
	const char *in, *want;
} rows[] = {
	{ MY8, "", "" },
	{ MY8, " \t\r\n\f\v", "" },
	{ MY8, "SELECT 1", "w<SELECT>#<1>" },
	{ MY8, "a#b\nc", "w<a>w<c>" },
	{ MY8, "a#b\rc", "w<a>" },
	{ MY8, "a -- b\nc", "w<a>w<c>" },
	{ MY8, "a --\nc", "w<a>w<c>" },
	{ MY8, "a --", "w<a>" },
	{ MY8, "a --1", "w<a>--#<1>" },
	{ MY8, "a --\001x\nc", "w<a>w<c>" },
	{ MY8, "a/*b*/c", "w<a>w<c>" },
	{ MY8, "a/*/*b*/c", "w<a>w<c>" },
	{ MY8, "a/*b*/*/c", "w<a>*/w<c>" },
	{ MY8, "a/*b", "w<a>!</*b>" },
	{ MY8, "a/*/c", "w<a>!</*/c>" },
	{ MY8, "a/*+ b */c", "w<a>w<c>" },
	{ MY8, "a/*+ `b` */c", "w<a>!</*+ `b` */c>" },
	{ MY8, "/*! SET @x=1 */;", "w<SET>u<@x>=#<1>;" },
	{ MY8, "/*!40101 SET x*/ y", "w<SET>w<x>w<y>" },
	{ MY8, "/*!80046 SET x*/ y", "w<y>" },
	{ MY8, "/*!080045 SET x*/ y", "w<SET>w<x>w<y>" },
	{ MY8, "/*!80045SET x*/ y", "w<SET>w<x>w<y>" },
	{ MY8, "/*!4010 x*/ y", "#<4010>w<x>w<y>" },
	{ MY8, "/*!99999 a /* b */ c */ d", "w<d>" },
	{ MY8, "/*!40101 a /* b */ c */ d", "w<a>w<c>w<d>" },
	{ MY8, "/*!40101 a /*!40101 b */ c */ d", "w<a>!</*!40101 b */ c */ d>" },
	{ MY8, "/*!40101 a", "w<a>!<>" },
	{ MY8, "/*!40101 a * b */c", "w<a>*w<b>w<c>" },
	{ MY8, "/*M! a */ b", "w<b>" },
	{ MARIA, "/*M! a */ b", "w<a>w<b>" },
	{ MARIA, "/*M!100100 a */ b", "w<a>w<b>" },
	{ MARIA, "/*M!110100 a */ b", "w<b>" },
	{ MARIA, "/*!50701 a */ b", "w<b>" },
	{ MARIA, "/*!50699 a */ b", "w<a>w<b>" },
	{ MARIA, "/*!100100 a */ b", "w<a>w<b>" },
	{ MY_MODE(0, 0), "/*!40101 a */ b", "!</*!40101 a */ b>" },
	{ MY_MODE(0, 0), "/*! a */ b", "w<a>w<b>" },
	{ MY8, "'a;b' 'c''d' 'e\\'f'", "s<'a;b'>s<'c''d'>s<'e\\'f'>" },
	{ MY8, "\"a;b\" \"c\"\"d\" \"e\\\"f\"", "s<\"a;b\">s<\"c\"\"d\">s<\"e\\\"f\">" },
	{ MY8 | MY_ANSI_QUOTES, "\"a;b\" \"c\\\" d", "q<\"a;b\">q<\"c\\\">w<d>" },
	{ MY8 | MY_NO_BACKSLASH, "'a\\' b \"c\\\" d", "s<'a\\'>w<b>s<\"c\\\">w<d>" },
	{ MY8, "'a\\", "!<'a\\>" },
	{ MY8, "'a", "!<'a>" },
	{ MY8, "`a;b` `c``d` `e\\` f", "q<`a;b`>q<`c``d`>q<`e\\`>w<f>" },
	{ MY8, "`a", "!<`a>" },
	{ MY8, "N'a\\'b' x'1F' X'' b'01' _utf8'x' 0x1F 0b01",
	  "n<N'a\\'b'>b<x'1F'>b<X''>b<b'01'>w<_utf8>s<'x'>b<0x1F>b<0b01>" },
	{ MY8, "x'1;' a", "!<x'1;' a>" },
	{ MY8, "0X1F 0x1G 0x", "w<0X1F>w<0x1G>w<0x>" },
	{ MY8, "1 1.5 .5 1. 1e5 1.5E-7 1e+5", "#<1>#<1.5>#<.5>#<1.>#<1e5>#<1.5E-7>#<1e+5>" },
	{ MY8, "1st 1e 1ex 1e5x 1$a", "w<1st>w<1e>w<1ex>#<1e5>w<x>w<1$a>" },
	{ MY8, "1e+x", "w<1e>+w<x>" },
	{ MY8, "a.b t.1st", "w<a>.w<b>w<t>#<.1>w<st>" },
	{ MY8, "@x @`a b` @'c\\'d' @\"e\" @a.b$c @", "u<@x>u<@`a b`>u<@'c\\'d'>u<@\"e\">u<@a.b$c>u<@>" },
	{ MY8, "@@session.x @@`x`", "g<@@>w<session>.w<x>g<@@>q<`x`>" },
	{ MY8, "@x:=1, y := 2 : = !=", "u<@x>o<:=>#<1>,w<y>o<:=>#<2>:=o<!=>" },
	{ MY8, "a<=>b<<c>>d<>e>=f||g&&h->i->>j",
	  "w<a>o<<=>>w<b>o<<<>w<c>o<>>>w<d>o<<>>w<e>o<>=>w<f>o<||>w<g>o<&&>w<h>o<->>w<i>o<->>>w<j>" },
	{ MY8, "? ?", "?<?>?<?>" },
	{ MY8, "a$b $c", "w<a$b>w<$c>" },
	{ MY8, "$$a'$$", "!<$$a'$$>" },
	{ MY8, "$x$ a", "!<$x$ a>" },
	{ MY8, "caf\303\251 \303\251", "w<caf\303\251>w<\303\251>" },
	{ MY8 | MY_ASCII_TRAILS, "'\203\\' x", "!<'\203\\' x>" },
	{ MY8 | MY_ASCII_TRAILS, "'\203a' x", "s<'\203a'>w<x>" },
	{ MY8 | MY_ASCII_TRAILS, "`\203` x`", "!<`\203` x`>" },
	{ MY8 | MY_ASCII_TRAILS, "\203@ x", "!<\203@ x>" },
};

static void show(char *out, size_t cap, const char *in, size_t len, unsigned mode)
{
	static const char letters[] = {
		[SQL_TOK_BAD] = '!',     [SQL_TOK_WORD] = 'w', [SQL_TOK_QUOTED] = 'q', [SQL_TOK_STRING] = 's',
		[SQL_TOK_NSTRING] = 'n', [SQL_TOK_BITS] = 'b', [SQL_TOK_NUMBER] = '#', [SQL_TOK_PARAM] = '?',
		[SQL_TOK_OP] = 'o',      [SQL_TOK_USER] = 'u', [SQL_TOK_SYS] = 'g'
	};
	struct my_lexer l;
	struct sql_token t;
	size_t n = 0;
	out[0] = '\0';
	my_lex_init(&l, in, len, mode);
	while (my_lex(&l, &t) != SQL_TOK_END && n + t.span.len + 8 < cap) {
		if (t.c)
			n += (size_t)snprintf(out + n, cap - n, "%c", t.c);
		else
			n += (size_t)snprintf(out + n, cap - n, "%c<%.*s>", letters[t.kind], (int)t.span.len,
					      in + t.span.at);
		if (t.kind == SQL_TOK_BAD)
			break;
	}
}

static void test_words(void)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		char out[512];
		size_t len = strlen(rows[i].in);
		char *copy = (char *)copy_exact(rows[i].in, len);
		show(out, sizeof out, copy, len, rows[i].mode);
		check_str(rows[i].in, out, rows[i].want);
		free(copy);
	}
}

static void test_nul(void)
{
	char out[64];
	show(out, sizeof out, "'a\0b' c", 7, MY8);
	check_mem("within a string", out, "s<'a", 4);
	show(out, sizeof out, "a \0 c", 5, MY8);
	check_mem("between words", out, "w<a>!<", 6);
}

/* Every beginning of every row: nothing is read behind it. */
static void test_prefixes(void)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t len = strlen(rows[i].in); len-- > 0;) {
			char out[512], *copy = (char *)copy_exact(rows[i].in, len);
			show(out, sizeof out, copy, len, rows[i].mode);
			free(copy);
		}
}

static void test_decode(void)
{
	static const struct {
		const char *token, *want;
		unsigned mode;
	} names[] = {
		{ "Abc", "Abc", MY8 },
		{ "`a``b`", "a`b", MY8 },
		{ "\"a\"\"b\"", NULL, MY8 },
		{ "\"a\"\"b\"", "a\"b", MY8 | MY_ANSI_QUOTES },
		{ "@x", "x", MY8 },
		{ "@`x y`", "x y", MY8 },
		{ "@'x\\'y'", "x'y", MY8 },
		{ "'x'", NULL, MY8 },
		{ "1", NULL, MY8 },
		{ "", NULL, MY8 },
		{ "a b", NULL, MY8 },
	}, strings[] = {
		{ "'a''b\\'c\\nd\\%\\q'", "a'b'c\nd\\%q", MY8 },
		{ "'a\\'", "a\\", MY8 | MY_NO_BACKSLASH },
		{ "\"a\"\"b\"", "a\"b", MY8 },
		{ "\"a\"", NULL, MY8 | MY_ANSI_QUOTES },
		{ "a", NULL, MY8 },
		{ "''", "", MY8 },
		{ "'123456789012345678901234567890123456789012345678901234567890123456789'", NULL, MY8 },
	};
	char out[64], name[MY_IDENT_MAX + 1];
	for (size_t i = 0; i < COUNT(names); i++) {
		int n = my_ident_decode(names[i].token, strlen(names[i].token), names[i].mode, name);
		check_eq(names[i].token, n, names[i].want ? (int)strlen(names[i].want) : SQL_NOT_TOLD);
		check_str(names[i].token, name, names[i].want ? names[i].want : "");
	}
	for (size_t i = 0; i < COUNT(strings); i++) {
		int n = my_string_decode(strings[i].token, strlen(strings[i].token), strings[i].mode, out, sizeof out);
		check_eq(strings[i].token, n, strings[i].want ? (int)strlen(strings[i].want) : SQL_NOT_TOLD);
		check_str(strings[i].token, out, strings[i].want ? strings[i].want : "");
	}
}

static void test_quote(void)
{
	char out[8];
	check_eq("a name", my_quote_ident("a`b", 3, out, sizeof out), 6);
	check_str("a name", out, "`a``b`");
	check_eq("a text", my_quote_literal("a'b", 3, out, sizeof out), 6);
	check_str("a text", out, "'a''b'");
	check_eq("that does not fit", my_quote_literal("abcdef", 6, out, sizeof out), SQL_NOT_TOLD);
	check_eq("that just fits", my_quote_literal("abcde", 5, out, sizeof out), 7);
	check_eq("with a backslash", my_quote_literal("a\\b", 3, out, sizeof out), SQL_NOT_TOLD);
}

void suite_mysql_lexer(void)
{
	static const struct unit_test tests[] = {
		{ "words", test_words },   { "nul", test_nul },     { "prefixes", test_prefixes },
		{ "decode", test_decode }, { "quote", test_quote }, { NULL, NULL },
	};
	unit_add("mysql_lexer", tests);
}
