/* test_codel.c - a waiting line, simulated: so many come, so many are served. */
#include "unit.h"

#include "gate/codel.h"

#include <stdio.h>
#include <string.h>

#define MS 1000u

struct line {
	uint64_t came[4096]; /* a ring */
	unsigned first, n;
};

/* One millisecond after another: `come` of them come in each of ten, one is served in each. */
static const struct {
	const char *what;
	unsigned come, for_ms; /* and then nobody */
	bool sheds;
	uint64_t most_us; /* that anybody who was served had waited, after the first second */
} cases[] = {
	{ "fewer than are served", 8, 5000, false, 5 * MS },
	{ "twice as many", 20, 5000, true, 11 * MS },
	{ "three times as many", 30, 5000, true, 11 * MS },
	{ "a burst that drains within the interval", 200, 4, false, 100 * MS },
};

static void test_lines(void)
{
	static const struct codel_limits l = { .target_us = 5 * MS, .interval_us = 100 * MS };
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct codel c = { 0 };
		static struct line q;
		memset(&q, 0, sizeof q);
		unsigned shed = 0, served = 0, idle = 0, due = 0;
		uint64_t worst = 0;
		for (uint64_t now = 1000000; now < 1000000 + 6000 * MS; now += MS) {
			bool comes = (now - 1000000) / MS < cases[i].for_ms;
			for (due += comes ? cases[i].come : 0; due >= 10 && q.n < COUNT(q.came); due -= 10)
				q.came[(q.first + q.n++) % COUNT(q.came)] = now;
			bool is_served = false;
			while (q.n && !is_served) {
				uint64_t waited = now - q.came[q.first];
				q.first = (q.first + 1) % COUNT(q.came);
				q.n--;
				if (codel_is_late(&c, &l, waited, now)) {
					shed++;
					continue;
				}
				is_served = true;
				served++;
				if (now > 2000000 && waited > worst)
					worst = waited;
			}
			idle += !is_served && comes && cases[i].come >= 10;
		}
		char what[160];
		snprintf(what, sizeof what, "%s: %u shed, %u served, at worst after %d us", cases[i].what, shed, served,
			 (int)worst);
		check(what, (shed > 0) == cases[i].sheds);
		check(what, worst <= cases[i].most_us);
		check("the server is never idle for it", idle == 0);
		check("many are served", served >= cases[i].for_ms * (cases[i].come < 10 ? cases[i].come : 10) / 11);
	}
}

static void test_edges(void)
{
	static const struct codel_limits off = { 0, 100 * MS }, l = { 5 * MS, 100 * MS };
	struct codel c = { 0 };
	check("switched off", !codel_is_late(&c, &off, UINT32_MAX, 1000000));
	/* All stuck: nobody is served, somebody only looks at the first in line. */
	check("at first", !codel_is_late(&c, &l, 1 * MS, 1000000));
	check("not yet", !codel_is_late(&c, &l, 99 * MS, 1099 * MS));
	check("nor now, one had come at once", !codel_is_late(&c, &l, 101 * MS, 1101 * MS));
	check("not within the interval", !codel_is_late(&c, &l, 150 * MS, 1150 * MS));
	check("but after it", codel_is_late(&c, &l, 201 * MS, 1201 * MS));
	check("one who has just come is not late", !codel_is_late(&c, &l, 9 * MS, 1202 * MS));
	/* A while later, of which nothing is known. */
	check("a new day", !codel_is_late(&c, &l, 50 * MS, 90000 * MS));
}

void suite_codel(void)
{
	static const struct unit_test tests[] = { { "lines", test_lines }, { "edges", test_edges }, { NULL, NULL } };
	unit_add("codel", tests);
}
