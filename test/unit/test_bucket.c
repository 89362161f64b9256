/* test_bucket.c - token buckets. */
#include "unit.h"

#include "gate/bucket.h"

#include <stdio.h>

/* How many are let through, in steps of step_us over so long, by somebody who asks at each. */
static const struct {
	const char *what;
	struct bucket_limits l;
	uint64_t step_us, span_us;
	unsigned least, most;
} cases[] = {
	{ "10 a second, one at once", { 10, 1 }, 1000, 1000000, 10, 11 },
	{ "no burst is a burst of one", { 10, 0 }, 1000, 1000000, 10, 11 },
	{ "10 a second, 5 at once", { 10, 5 }, 1000, 1000000, 14, 15 },
	{ "asked seldom", { 10, 5 }, 500000, 10000000, 20, 21 },
	{ "one a second", { 1, 1 }, 1000, 3500000, 4, 4 },
	{ "no limit", { 0, 1 }, 1000, 1000000, 1000, 1001 },
	{ "a million a second", { 1000000, 1 }, 1, 1000, 1000, 1001 },
	{ "three a second: no rounding adds up", { 3, 1 }, 1000, 100000000, 300, 301 },
};

static void test_rates(void)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bucket b = { 0 };
		unsigned n = 0;
		uint64_t begin = 123456789000;
		for (uint64_t t = 0; t <= cases[i].span_us; t += cases[i].step_us)
			if (bucket_wait_us(&b, &cases[i].l, begin + t) == 0) {
				bucket_take(&b, &cases[i].l, begin + t);
				n++;
			}
		char what[160];
		snprintf(what, sizeof what, "%s: %u", cases[i].what, n);
		check(what, n >= cases[i].least && n <= cases[i].most);
	}
}

/* What is taken ahead is waited for, each a token's time longer than the one before; and what it says is true. */
static void test_waits(void)
{
	static const struct bucket_limits l = { 100, 3 };
	struct bucket b = { 0 };
	uint64_t now = 5000000;
	for (uint64_t i = 0; i < 10; i++) {
		uint64_t wait = bucket_wait_us(&b, &l, now), want = i < 3 ? 0 : (i - 2) * 10000;
		check_eq("wait", wait, want);
		check("not before", wait == 0 || bucket_wait_us(&b, &l, now + wait - 1) > 0);
		check_eq("then", bucket_wait_us(&b, &l, now + wait), 0);
		bucket_take(&b, &l, now);
	}
	check_eq("full again after a while", bucket_wait_us(&b, &l, now + 1000000), 0);
	static const struct bucket_limits none = { 0, 0 };
	check_eq("a limit that was taken away", bucket_wait_us(&b, &none, now), 0);
	bucket_take(&b, &none, now);
}

void suite_bucket(void)
{
	static const struct unit_test tests[] = { { "rates", test_rates }, { "waits", test_waits }, { NULL, NULL } };
	unit_add("bucket", tests);
}
