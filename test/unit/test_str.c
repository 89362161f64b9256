/* test_str.c - text: builder, bounded copies, formatting, numbers, comparisons. */
#include "unit.h"

#include "nomem.h"

#include "core/str.h"

#include <stdlib.h>
#include <string.h>

static void test_builder(void)
{
	struct sb b = { 0 };
	check_str("nothing yet", sb_str(&b), "");
	sb_add(&b, "");
	check("terminated once something was added", b.s && b.s[0] == '\0');
	sb_add(&b, "ab");
	sb_add_n(&b, "c\0d", 3);
	sb_addf(&b, "<%d>", 42);
	check_eq("length", b.len, 9);
	check_mem("bytes", b.s, "abc\0d<42>", 10);
	for (int i = 0; i < 1000; i++)
		sb_addf(&b, "%s", "0123456789");
	check_eq("long", b.len, 10009);
	check_eq("terminated", strlen(b.s + 5), 10004);
	check("not bad", !b.bad);
	char *s = sb_take(&b);
	check("empty after it was taken", b.s == NULL && b.len == 0 && b.cap == 0);
	check_mem("what was taken", s, "abc\0d<42>0123", 13);
	free(s);
	s = sb_take(&b);
	check_str("nothing, taken", s, "");
	free(s);
}

static void test_builder_formats_at_every_length(void)
{
	for (int n = 0; n < 300; n++) {
		struct sb b = { 0 };
		sb_add(&b, "x");
		sb_addf(&b, "%*s|", n, "");
		if (!check_eq("length", b.len, n + 2) || !check_eq("last", b.s[n + 1], '|'))
			n = 300;
		sb_free(&b);
	}
}

static void test_builder_bound(void)
{
	static const struct {
		const char *what, *first, *then;
		bool bad;
	} cases[] = {
		{ "just fits", "abc", "de", false },
		{ "one too many", "abc", "def", true },
		{ "the first is too long", "abcdef", "", true },
		{ "nothing behind a full one", "abcde", "", false },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		for (int how = 0; how < 3; how++) {
			struct sb b = { .max = 5 };
			const char *add[] = { cases[i].first, cases[i].then };
			for (int j = 0; j < 2; j++)
				if (how == 0)
					sb_add(&b, add[j]);
				else if (how == 1)
					sb_addf(&b, "%s", add[j]);
				else
					sb_add_n(&b, add[j], strlen(add[j]));
			check_eq(cases[i].what, b.bad, cases[i].bad);
			check_str(cases[i].what, sb_str(&b), cases[i].bad ? "" : "abcde");
			sb_add(&b, "");
			check_eq("sticky", b.bad, cases[i].bad);
			char *s = sb_take(&b);
			check_eq(cases[i].what, s == NULL, cases[i].bad);
			free(s);
			check("taking it mends it, and keeps the bound", !b.bad && b.max == 5 && !b.s);
		}
	struct sb b = { 0 };
	sb_add(&b, "x");
	sb_add_n(&b, "", SIZE_MAX - 1); /* refused before a byte is read */
	check("a length that would wrap", b.bad);
	sb_free(&b);
}

static void test_builder_without_memory(void)
{
	for (unsigned n = 0; nomem_next(&n);) {
		struct sb b = { 0 };
		sb_add(&b, "0123456789012345678901234567890123456789012345678901234567890123456789");
		sb_addf(&b, "%0200d", 1);
		char *s = sb_take(&b);
		check_eq("NULL exactly when out of memory", s == NULL, nomem_hit());
		check("nothing is kept", !b.s && !b.bad);
		free(s);
	}
}

static void test_copy(void)
{
	static const struct {
		const char *what, *src;
		size_t cap;
		bool ok;
	} cases[] = {
		{ "fits with its NUL", "abc", 4, true },
		{ "no room for the NUL", "abc", 3, false },
		{ "empty", "", 1, true },
		{ "no room at all", "", 0, false },
		{ "much too long", "abcdefgh", 2, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *dst = (char *)copy_exact("zzzzzzzz", cases[i].cap);
		check_eq(cases[i].what, str_copy(dst, cases[i].cap, cases[i].src), cases[i].ok);
		if (cases[i].cap)
			check_str(cases[i].what, dst, cases[i].ok ? cases[i].src : "");
		free(dst);
	}
	char dst[4];
	check("a part", str_copy_n(dst, sizeof dst, "abcdef", 3));
	check_str("a part", dst, "abc");
	check("no part", str_copy_n(dst, sizeof dst, NULL, 0));
	check_str("no part", dst, "");
}

static void test_fmt_cuts_whole_characters(void)
{
	static const struct {
		const char *what, *in;
		size_t cap;
		const char *want;
	} cases[] = {
		{ "fits", "abc", 4, "abc" },
		{ "ASCII", "abcd", 4, "abc" },
		{ "two bytes, whole", "a\303\251", 4, "a\303\251" },
		{ "two bytes, cut", "ab\303\251", 4, "ab" },
		{ "two bytes at the edge", "a\303\251z", 4, "a\303\251" },
		{ "three bytes, one left", "ab\342\202\254", 4, "ab" },
		{ "three bytes, two left", "a\342\202\254", 4, "a" },
		{ "three bytes, whole", "\342\202\254z", 4, "\342\202\254" },
		{ "four bytes, three left", "\360\237\230\200", 4, "" },
		{ "four bytes, whole", "\360\237\230\200z", 5, "\360\237\230\200" },
		{ "no UTF-8: tails without a head", "\200\200\200\200\200", 4, "\200\200\200" },
		{ "room for the NUL only", "abc", 1, "" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *dst = (char *)copy_exact("zzzzzzzz", cases[i].cap);
		str_fmt(dst, cases[i].cap, "%s", cases[i].in);
		check_str(cases[i].what, dst, cases[i].want);
		free(dst);
	}
	str_fmt(NULL, 0, "%s", "nowhere");
}

static void test_nocase(void)
{
	static const struct {
		const char *a, *b;
		bool eq, starts;
	} cases[] = {
		{ "", "", true, true },
		{ "SELECT", "select", true, true },
		{ "select", "selec", false, true },
		{ "selec", "select", false, false },
		{ "@", "`", false, false },
		{ "[", "{", false, false },
		{ "abc", "", false, true },
		{ "", "a", false, false },
		{ "\304", "\344", false, false },
		{ "Z9", "z9", true, true },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		check_eq(cases[i].a, str_eq_nocase(cases[i].a, cases[i].b), cases[i].eq);
		check_eq(cases[i].a, str_starts_nocase(cases[i].a, cases[i].b), cases[i].starts);
	}
}

static void test_numbers(void)
{
	static const struct {
		const char *in;
		uint64_t max;
		bool ok;
		uint64_t want;
	} cases[] = {
		{ "0", 0, true, 0 },
		{ "1", 0, false, 0 },
		{ "007", 7, true, 7 },
		{ "65535", 65535, true, 65535 },
		{ "65536", 65535, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "18446744073709551620", UINT64_MAX, false, 0 },
		{ "99999999999999999999999999", UINT64_MAX, false, 0 },
		{ "", 10, false, 0 },
		{ " 1", 10, false, 0 },
		{ "1 ", 10, false, 0 },
		{ "+1", 10, false, 0 },
		{ "-1", 10, false, 0 },
		{ "0x1", 10, false, 0 },
		{ "1/", 10, false, 0 },
		{ "1:", 10, false, 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t got = 4711;
		check_eq(cases[i].in, str_to_u64(cases[i].in, cases[i].max, &got), cases[i].ok);
		check_eq(cases[i].in, got, cases[i].ok ? cases[i].want : 4711);
	}
}

static void test_distance(void)
{
	static char far[200], near[200], other[200];
	memset(far, 'a', sizeof far - 1);
	memcpy(near, far, sizeof near);
	near[100] = 'b';
	memset(other, 'c', sizeof other - 1);
	static const struct {
		const char *a, *b;
		unsigned most, want;
	} cases[] = {
		{ "", "", 3, 0 },
		{ "pool_mode", "pool_mode", 3, 0 },
		{ "pool_mode", "pol_mode", 3, 1 },
		{ "pool_mode", "poool_mode", 3, 1 },
		{ "pool_mode", "pool_mude", 3, 1 },
		{ "pool_mode", "pool_moed", 3, 1 }, /* a swap is one step */
		{ "pool_mode", "opol_mdoe", 3, 2 },
		{ "kitten", "sitting", 3, 3 },
		{ "kitten", "sitting", 2, 3 },
		{ "abc", "xyz", 1, 2 },
		{ "abc", "", 5, 3 },
		{ "", "abc", 2, 3 },
		{ "ca", "abc", 5, 3 },
		{ "a", "b", 0, 1 },
		{ far, far, 3, 0 },
		{ far, near, 3, 1 },
		{ far, other, 3, 4 },
		{ far, "", 3, 4 },
		{ far, "", UINT32_MAX, 65 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		check_eq(cases[i].b, str_distance(cases[i].a, cases[i].b, cases[i].most), cases[i].want);
		check_eq("the other way round", str_distance(cases[i].b, cases[i].a, cases[i].most), cases[i].want);
	}
}

static void test_dup(void)
{
	for (unsigned n = 0; nomem_next(&n);) {
		char *a = str_dup("abc"), *b = str_dup_n("a\0c", 3);
		check_eq("NULL when out of memory", !a || !b, nomem_hit());
		if (a)
			check_str("a string", a, "abc");
		if (b)
			check_mem("bytes", b, "a\0c", 4);
		free(a);
		free(b);
	}
	check("a length that would wrap", !str_dup_n("", SIZE_MAX));
}

static void test_secrets(void)
{
	static const struct {
		const char *a, *b;
		size_t n;
		bool same;
	} cases[] = {
		{ "", "", 0, true },        { "abc", "abc", 3, true },    { "abc", "abd", 3, false },
		{ "xbc", "abc", 3, false }, { "abc", "abd", 2, true },    { "a\0b", "a\0c", 3, false },
		{ "\200", "\0", 1, false }, { "\1\1", "\0\0", 2, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		check_eq(cases[i].a, str_same_secret(cases[i].a, cases[i].b, cases[i].n), cases[i].same);
	char s[] = "secret";
	str_wipe(s, 4);
	check_mem("wiped", s, "\0\0\0\0et", 7);
	str_wipe(NULL, 0);
}

void suite_str(void)
{
	static const struct unit_test tests[] = {
		{ "a builder grows", test_builder },
		{ "a builder formats at every length", test_builder_formats_at_every_length },
		{ "a builder keeps its bound", test_builder_bound },
		{ "a builder without memory", test_builder_without_memory },
		{ "copies", test_copy },
		{ "a cut splits no character", test_fmt_cuts_whole_characters },
		{ "comparisons without case", test_nocase },
		{ "numbers", test_numbers },
		{ "distance of words", test_distance },
		{ "duplicates", test_dup },
		{ "secrets", test_secrets },
		{ NULL, NULL },
	};
	unit_add("str", tests);
}
