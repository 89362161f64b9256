/* test_budget.c - retry budgets. */
#include "unit.h"

#include "gate/budget.h"

static const struct budget_limits ten = { 10, 3 };

/* Spends as often as it may. */
static unsigned spend_all(struct budget *b, const struct budget_limits *l, uint64_t now)
{
	unsigned n = 0;
	uint32_t left = budget_left(b, l, now);
	while (budget_spend(b, l, now))
		n++;
	check_eq("left", left, n);
	return n;
}

static void test_share(void)
{
	struct budget b = { 0 };
	check_eq("nothing came yet", spend_all(&b, &ten, 500), 3);
	check_eq("spent", spend_all(&b, &ten, 600), 0);
	budget_earn(&b, 99, 700);
	check_eq("a tenth, rounded down", spend_all(&b, &ten, 700), 9);
	budget_earn(&b, 1, 700);
	check_eq("and the rest of it", spend_all(&b, &ten, 700), 1);
	static const struct budget_limits none = { 0, 0 }, all = { 100, 0 };
	struct budget c = { 0 };
	budget_earn(&c, 1000, 0);
	check_eq("none", spend_all(&c, &none, 0), 0);
	check_eq("each", spend_all(&c, &all, 0), 1000);
	budget_earn(&c, UINT32_MAX, 0);
	budget_earn(&c, UINT32_MAX, 0);
	check("does not wrap", budget_left(&c, &all, 0) == UINT32_MAX - 1000);
}

/* What was earned holds for ten seconds, and so does what was spent. */
static void test_window(void)
{
	struct budget b = { 0 };
	uint64_t t = 1000000;
	budget_earn(&b, 1000, t);
	check_eq("at once", budget_left(&b, &ten, t), 103);
	check_eq("later", budget_left(&b, &ten, t + 9999), 103);
	check_eq("over", budget_left(&b, &ten, t + 10000), 3);
	check_eq("spent late", spend_all(&b, &ten, t + 9000), 103);
	budget_earn(&b, 1000, t + 9500);
	check_eq("what was spent counts on", spend_all(&b, &ten, t + 18999), 0);
	check_eq("all is gone", budget_left(&b, &ten, t + 19000), 3);
	check_eq("long after", spend_all(&b, &ten, t + 86400000), 3);
	check_eq("a day later", spend_all(&b, &ten, t + 2 * 86400000u), 3);
}

/* Over any time, those that are tried again are a tenth of the others, and the few besides. */
static void test_outage(void)
{
	struct budget b = { 0 };
	unsigned again = 0;
	for (uint64_t t = 0; t < 60000; t++) { /* one a millisecond, all fail */
		budget_earn(&b, 1, t);
		for (int i = 0; i < 3; i++)
			again += budget_spend(&b, &ten, t);
	}
	check("a tenth of 60000, and not much less", again <= 6000 + 7 * 3 && again >= 5900);
}

void suite_budget(void)
{
	static const struct unit_test tests[] = {
		{ "share", test_share }, { "window", test_window }, { "outage", test_outage }, { NULL, NULL }
	};
	unit_add("budget", tests);
}
