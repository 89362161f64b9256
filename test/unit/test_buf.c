/* test_buf.c - borrowed buffers. */
#include "unit.h"

#include "nomem.h"

#include "core/buf.h"
#include "core/poison.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t lent(void)
{
	size_t lent_bytes, kept_bytes;
	buf_usage(&lent_bytes, &kept_bytes);
	return lent_bytes;
}

static size_t kept(void)
{
	size_t lent_bytes, kept_bytes;
	buf_usage(&lent_bytes, &kept_bytes);
	return kept_bytes;
}

static void test_sizes(void)
{
	static const struct {
		size_t n, cap;
	} cases[] = {
		{ 0, 1024 },          { 1, 1024 },
		{ 1024, 1024 },       { 1025, 2048 },
		{ 2048, 2048 },       { 2049, 4096 },
		{ 65536, 65536 },     { 65537, 131072 },
		{ 8 << 20, 8 << 20 }, { (8 << 20) + 1, 16 << 20 },
		{ BUF_MAX, BUF_MAX }, { BUF_MAX + 1, 0 },
		{ SIZE_MAX, 0 },
	};
	buf_trim();
	for (size_t i = 0; i < COUNT(cases); i++) {
		char what[40];
		snprintf(what, sizeof what, "%zu", cases[i].n);
		struct buf *b = buf_get(cases[i].n);
		check_eq(what, b ? b->cap : 0, cases[i].cap);
		check_eq(what, lent(), cases[i].cap);
		if (b) {
			check("empty", b->start == 0 && b->len == 0 && !b->next && buf_room(b) == b->cap);
			memset(b->data, 1, b->cap);
		}
		buf_put(b);
		check_eq(what, lent(), 0);
	}
	buf_trim();
	check_eq("nothing kept", kept(), 0);
}

static void test_reuse(void)
{
	buf_trim();
	struct buf *b = buf_get(3000), *other = buf_get(1);
	check("reserved", buf_append(&b, "x", 1));
	b->next = other;
	buf_put(b);
	check_eq("kept", kept(), 4096);
	struct buf *again = buf_get(4096);
	check("the same one", again == b);
	check("as new", again->len == 0 && again->start == 0 && !again->next);
	check_eq("lent", lent(), 4096 + 1024);
	check_eq("none kept", kept(), 0);
	buf_put(again);
	buf_put(other);
	buf_trim();
}

/* What is kept has a bound: so many of each small size, so many bytes of all others. */
static void test_bounds(void)
{
	static const struct {
		size_t size, n, kept;
	} cases[] = {
		{ 1024, 100, 64 * 1024 },  { 16384, 100, 64 * 16384 }, { 32768, 100, 1 << 20 },
		{ 65536, 15, 15 * 65536 }, { 65536, 17, 1 << 20 },     { 1 << 20, 3, 1 << 20 },
		{ 2 << 20, 2, 0 },         { 16 << 20, 1, 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf *b[100];
		char what[40];
		snprintf(what, sizeof what, "%zu of %zu", cases[i].n, cases[i].size);
		buf_trim();
		for (size_t k = 0; k < cases[i].n; k++)
			b[k] = buf_get(cases[i].size);
		for (size_t k = 0; k < cases[i].n; k++)
			buf_put(b[k]);
		check_eq(what, kept(), cases[i].kept);
		check_eq(what, lent(), 0);
		struct buf *one = buf_get(cases[i].size);
		check_eq("taken from what is kept", kept(), cases[i].kept ? cases[i].kept - cases[i].size : 0);
		buf_put(one);
		check_eq("and back", kept(), cases[i].kept);
	}
	buf_trim();
	check_eq("nothing kept", kept(), 0);
	struct buf *large = buf_get(1 << 20);
	buf_put(large);
	check_eq("the room for large ones is free again", kept(), 1 << 20);
	buf_trim();
}

/* Bytes that say where they are from. */
static void fill(uint8_t *p, size_t n, unsigned from)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)((from + i) * 7);
}

static void test_reserve(void)
{
	static const struct {
		const char *what;
		size_t cap, start, len, n;
		size_t want_cap, want_start; /* 0: refused */
	} cases[] = {
		{ "room behind", 1024, 10, 100, 914, 1024, 10 },
		{ "room in front too, moved within", 1024, 10, 100, 915, 1024, 0 },
		{ "all the room there is", 1024, 10, 100, 924, 1024, 0 },
		{ "one more: larger", 1024, 10, 100, 925, 2048, 0 },
		{ "much larger", 1024, 1000, 24, 100000, 131072, 0 },
		{ "nothing", 1024, 24, 1000, 0, 1024, 24 },
		{ "the largest", 1024, 0, 1000, BUF_MAX - 1000, BUF_MAX, 0 },
		{ "beyond it", 1024, 0, 1000, BUF_MAX - 999, 0, 0 },
		{ "a sum that would wrap", 1024, 10, 1000, SIZE_MAX - 500, 0, 0 },
	};
	static uint8_t want[1024];
	struct buf *next = buf_get(1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf *b = buf_get(cases[i].cap), *was = b;
		b->start = (uint32_t)cases[i].start;
		b->len = (uint32_t)cases[i].len;
		b->next = next;
		fill(b->data + b->start, b->len, 3);
		fill(want, cases[i].len, 3);
		bool ok = buf_reserve(&b, cases[i].n);
		check_eq(cases[i].what, ok, cases[i].want_cap != 0);
		if (ok) {
			check_eq(cases[i].what, b->cap, cases[i].want_cap);
			check_eq(cases[i].what, b->start, cases[i].want_start);
			check_eq("the same one, if it has the size", b == was, b->cap == cases[i].cap);
			check("room", buf_room(b) >= cases[i].n);
			memset(buf_tail(b), 0xEE, cases[i].n);
		} else {
			check("untouched", b == was && b->start == cases[i].start);
		}
		check_eq("length", b->len, cases[i].len);
		check_mem(cases[i].what, b->data + b->start, want, cases[i].len);
		check("its place in a chain", b->next == next);
		buf_put(b);
	}
	buf_put(next);
	check_eq("all are back", lent(), 0);
	buf_trim();
}

static void test_append_and_drop(void)
{
	struct buf *b = NULL;
	check("nothing needs no buffer", buf_append(&b, NULL, 0) && !b);
	uint8_t part[700], want[700];
	unsigned in = 0, out = 0;
	for (int i = 0; i < 200; i++) {
		size_t n = (size_t)(i * 37 % 700);
		fill(part, n, in);
		check("appended", buf_append(&b, part, n));
		in += (unsigned)n;
		size_t drop = i % 3 == 2 ? b->len : b ? b->len / 3 : 0;
		drop = drop > 700 ? 700 : drop;
		if (!b)
			continue;
		fill(want, drop, out);
		check_mem("in order", b->data + b->start, want, drop);
		buf_drop(b, drop);
		out += (unsigned)drop;
		check_eq("left", b->len, in - out);
	}
	buf_drop(b, b->len);
	check("empty begins at the front", b->len == 0 && b->start == 0);
	buf_put(b);
	buf_put(NULL);
	b = NULL;
	check("a buffer for what does not exist yet", buf_reserve(&b, 5000) && b && b->cap == 8192);
	buf_put(b);
	b = NULL;
	check("too much", !buf_reserve(&b, BUF_MAX + 1) && !b);
	buf_trim();
}

static void test_without_memory(void)
{
	buf_trim();
	for (unsigned n = 0; nomem_next(&n);) {
		struct buf *b = NULL;
		char text[3000] = "abc";
		bool one = buf_append(&b, text, 1000);
		struct buf *was = b;
		bool two = one && buf_append(&b, text, sizeof text);
		check_eq("false when out of memory", !two, nomem_hit());
		if (one && !two)
			check("untouched", b == was && b->len == 1000 && memcmp(b->data, "abc", 4) == 0);
		buf_put(b);
		check_eq("all are back", lent(), 0);
		buf_trim();
	}
}

static void test_poison(void)
{
#ifdef POISON_ON
	buf_trim();
	struct buf *b = buf_get(1);
	check("ours", !__asan_region_is_poisoned(b->data, b->cap));
	buf_put(b);
	check("not ours any more", __asan_address_is_poisoned(b->data) && __asan_address_is_poisoned(b->data + 1023));
	b = buf_get(1);
	check("ours again", !__asan_region_is_poisoned(b->data, b->cap));
	buf_put(b);
	buf_trim();
#endif
}

void suite_buf(void)
{
	static const struct unit_test tests[] = {
		{ "sizes", test_sizes },
		{ "reuse", test_reuse },
		{ "bounds", test_bounds },
		{ "reserve", test_reserve },
		{ "append and drop", test_append_and_drop },
		{ "without memory", test_without_memory },
		{ "poison", test_poison },
		{ NULL, NULL },
	};
	unit_add("buf", tests);
}
