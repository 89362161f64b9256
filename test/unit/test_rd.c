/* test_rd.c - the bounded cursor: every getter at every length, one byte too few included. */
#include "unit.h"

#include "core/rd.h"

#include <stdlib.h>

static void test_numbers(void)
{
	static const uint8_t in[] = { 0xFF, 0x80, 0x01, 0x81, 0x82, 0x83, 0x84, 0x7F };
	uint8_t *copy = copy_exact(in, sizeof in);
	struct rd r = rd_of(copy, sizeof in);
	check_eq("left", rd_left(&r), 8);
	check_eq("u8", rd_u8(&r), 0xFF);
	check_eq("u16be", rd_u16be(&r), 0x8001);
	check_eq("u32be", rd_u32be(&r), 0x81828384);
	check("not done", !rd_done(&r));
	check_eq("u8", rd_u8(&r), 0x7F);
	check("done", rd_done(&r));
	free(copy);
}

/* With `len` bytes at hand: which getters work? */
static void test_short(void)
{
	for (size_t len = 0; len < 5; len++) {
		uint8_t *copy = copy_exact("\1\1\1\1\1", len);
		struct rd r = rd_of(copy, len);
		check_eq("u8", rd_u8(&r), len >= 1);
		check_eq("u8", r.bad, len < 1);
		r = rd_of(copy, len);
		check_eq("u16be", rd_u16be(&r), len >= 2 ? 0x101 : 0);
		check_eq("u16be", r.bad, len < 2);
		r = rd_of(copy, len);
		check_eq("u32be", rd_u32be(&r), len >= 4 ? 0x1010101 : 0);
		check_eq("u32be", r.bad, len < 4);
		r = rd_of(copy, len);
		check_eq("take", rd_take(&r, 3) != NULL, len >= 3);
		r = rd_of(copy, len);
		check("more than any memory", !rd_take(&r, SIZE_MAX) && r.bad);
		free(copy);
	}
}

static void test_sticky(void)
{
	uint8_t *copy = copy_exact("a\0bcd", 5);
	struct rd r = rd_of(copy, 5);
	check_eq("asks for too much", rd_left(&r), 5);
	rd_take(&r, 6);
	check("bad", r.bad && !rd_done(&r));
	check_eq("u8 after", rd_u8(&r), 0);
	check_eq("u32be after", rd_u32be(&r), 0);
	size_t len = 7;
	check_str("string after", rd_cstr(&r, &len), "");
	check_eq("its length", len, 0);
	check("nothing after", !rd_take(&r, 0));
	struct rd sub = rd_sub(&r, 1);
	check("part after", sub.bad && rd_left(&sub) == 0);
	check_eq("nothing was taken", rd_left(&r), 5);
	free(copy);
}

static void test_cstr(void)
{
	static const struct {
		const char *what, *in;
		size_t len;
		const char *want;
		size_t want_len;
		bool bad;
		size_t left;
	} cases[] = {
		{ "a string", BYTES("abc\0"), "abc", 3, false, 0 },
		{ "and more", BYTES("abc\0de"), "abc", 3, false, 2 },
		{ "empty", BYTES("\0x"), "", 0, false, 1 },
		{ "no end", BYTES("abc"), "", 0, true, 3 },
		{ "nothing left", BYTES(""), "", 0, true, 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t *copy = copy_exact(cases[i].in, cases[i].len);
		struct rd r = rd_of(copy, cases[i].len), again = r;
		size_t len = 99;
		const char *s = rd_cstr(&r, &len);
		check_str(cases[i].what, s, cases[i].want);
		check_eq(cases[i].what, len, cases[i].want_len);
		check_eq(cases[i].what, r.bad, cases[i].bad);
		check_eq(cases[i].what, rd_left(&r), cases[i].left);
		check_str("without a length", rd_cstr(&again, NULL), cases[i].want);
		free(copy);
	}
}

static void test_sub(void)
{
	uint8_t *copy = copy_exact("\1\2\3\4", 4);
	struct rd r = rd_of(copy, 4);
	struct rd sub = rd_sub(&r, 3);
	check_eq("rest", rd_left(&r), 1);
	check_eq("part", rd_u16be(&sub), 0x102);
	check_eq("part", rd_u16be(&sub), 0); /* one byte is left in it, though there are two behind */
	check("its own end", sub.bad && !r.bad);
	sub = rd_sub(&r, 0);
	check("an empty part", rd_done(&sub));
	sub = rd_sub(&r, 2);
	check("too long a part", sub.bad && r.bad && rd_left(&sub) == 0);
	free(copy);
}

void suite_rd(void)
{
	static const struct unit_test tests[] = {
		{ "numbers", test_numbers }, { "too short", test_short }, { "sticky", test_sticky },
		{ "strings", test_cstr },    { "parts", test_sub },       { NULL, NULL },
	};
	unit_add("rd", tests);
}
