/* test_backoff.c - how long to wait before a retry, and the source of its jitter. */
#include "unit.h"

#include "core/random.h"
#include "gate/backoff.h"

#include <stdio.h>

static const struct {
	const char *what;
	struct backoff_limits l;
	uint32_t attempt, bound;
} cases[] = {
	{ "the first", { 100, 5000 }, 0, 100 },
	{ "the second", { 100, 5000 }, 1, 200 },
	{ "the third", { 100, 5000 }, 2, 400 },
	{ "the last below the ceiling", { 100, 5000 }, 5, 3200 },
	{ "the ceiling", { 100, 5000 }, 6, 5000 },
	{ "much later", { 100, 5000 }, 1000000, 5000 },
	{ "no wait is no wait", { 0, 5000 }, 7, 0 },
	{ "a base over the ceiling", { 6000, 5000 }, 0, 5000 },
	{ "no ceiling", { 100, 0 }, 20, 104857600 },
	{ "no ceiling but of the type", { 100, 0 }, 31, UINT32_MAX },
	{ "the largest base", { UINT32_MAX, 0 }, 32, UINT32_MAX },
	{ "the largest base, at once", { UINT32_MAX, 0 }, 0, UINT32_MAX },
};

static void test_bounds(void)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct backoff_limits *l = &cases[i].l;
		uint32_t n = cases[i].attempt, bound = cases[i].bound;
		check_eq(cases[i].what, backoff_bound_ms(l, n), bound);
		check_eq(cases[i].what, backoff_ms(l, n, 0), 0);
		check_eq(cases[i].what, backoff_ms(l, n, UINT64_MAX), bound);
		check_eq(cases[i].what, backoff_half_ms(l, n, 0), bound - bound / 2);
		check_eq(cases[i].what, backoff_half_ms(l, n, UINT64_MAX), bound);
	}
}

/* Every value comes, and none much oftener than others. */
static void test_spread(void)
{
	static const struct backoff_limits l = { 4, 0 };
	unsigned full[5] = { 0 }, half[5] = { 0 };
	random_seed(1);
	for (int i = 0; i < 50000; i++) {
		full[backoff_ms(&l, 0, random_u64())]++;
		half[backoff_half_ms(&l, 0, random_u64())]++;
	}
	for (unsigned i = 0; i < 5; i++) {
		char what[64];
		snprintf(what, sizeof what, "%u ms: %u, %u", i, full[i], half[i]);
		check(what, full[i] > 9500 && full[i] < 10500);
		check(what, i < 2 ? half[i] == 0 : half[i] > 16000 && half[i] < 17300);
	}
}

static void test_random(void)
{
	random_seed(7);
	uint64_t a = random_u64(), b = random_u64();
	random_seed(7);
	check("the same again", random_u64() == a && random_u64() == b && a != b);
	random_seed(8);
	check("another one", random_u64() != a);
}

void suite_backoff(void)
{
	static const struct unit_test tests[] = {
		{ "bounds", test_bounds }, { "spread", test_spread }, { "random", test_random }, { NULL, NULL }
	};
	unit_add("backoff", tests);
}
