/* test_breaker.c - circuit breakers: what is said at which time, and what the breaker does then. */
#include "unit.h"

#include "gate/breaker.h"

#include <stdio.h>

/* f: a failure, w: a login that worked, b: a connection is begun, g: one was given up, a dot: nothing; then the state
 * (c, o, h), how long to wait, what turned (-, O, H, C). */
struct step {
	uint64_t at_ms;
	char what, state;
	uint64_t wait_ms;
	char turn;
};

static const struct breaker_limits usual = {
	.failures = 3, .window_ms = 1000, .reset_ms = 500, .probes = 1, .probe_ms = 100
};
static const struct breaker_limits two = {
	.failures = 1, .window_ms = 1000, .reset_ms = 500, .probes = 2, .probe_ms = 100
};
static const struct breaker_limits off = {
	.failures = 0, .window_ms = 1000, .reset_ms = 500, .probes = 1, .probe_ms = 100
};
static const struct breaker_limits tiny = { .failures = 2, .window_ms = 5, .reset_ms = 1, .probes = 1, .probe_ms = 1 };

static const struct {
	const char *what;
	const struct breaker_limits *l;
	struct step steps[20];
} cases[] = {
	{ "it opens at the third failure, is tried, and closes",
	  &usual,
	  { { 5000, '.', 'c', 0, '-' },
	    { 5000, 'f', 'c', 0, '-' },
	    { 5001, 'b', 'c', 0, '-' },
	    { 5100, 'f', 'c', 0, '-' },
	    { 5200, 'f', 'o', 500, 'O' },
	    { 5300, 'f', 'o', 400, '-' }, /* of a connection that was begun before: it opens no second time */
	    { 5699, '.', 'o', 1, '-' },
	    { 5700, '.', 'o', 0, '-' },
	    { 5700, 'b', 'h', 100, 'H' },
	    { 5750, '.', 'h', 50, '-' },
	    { 5760, 'w', 'c', 0, 'C' },
	    { 5761, 'f', 'c', 0, '-' }, /* what was before counts no more */
	    { 5762, 'f', 'c', 0, '-' },
	    { 5763, 'f', 'o', 500, 'O' } } },
	{ "failures go out of the window",
	  &usual,
	  { { 5000, 'f', 'c', 0, '-' },
	    { 5500, 'f', 'c', 0, '-' },
	    { 6000, 'f', 'c', 0, '-' }, /* the first is too old */
	    { 6400, 'f', 'o', 500, 'O' } } },
	{ "and all of them after a long time",
	  &usual,
	  { { 5000, 'f', 'c', 0, '-' },
	    { 5000, 'f', 'c', 0, '-' },
	    { 905000, 'f', 'c', 0, '-' },
	    { 905000, 'f', 'c', 0, '-' },
	    { 905999, 'f', 'o', 500, 'O' } } },
	{ "a probe that fails opens it again, for the whole time",
	  &usual,
	  { { 5000, 'f', 'c', 0, '-' },
	    { 5000, 'f', 'c', 0, '-' },
	    { 5000, 'f', 'o', 500, 'O' },
	    { 5600, 'b', 'h', 100, 'H' },
	    { 5650, 'f', 'o', 500, 'O' },
	    { 6150, 'b', 'h', 100, 'H' },
	    { 6151, 'w', 'c', 0, 'C' } } },
	{ "a probe that says nothing is not waited for longer than its time",
	  &usual,
	  { { 5000, 'f', 'c', 0, '-' },
	    { 5000, 'f', 'c', 0, '-' },
	    { 5000, 'f', 'o', 500, 'O' },
	    { 5600, 'b', 'h', 100, 'H' },
	    { 5699, '.', 'h', 1, '-' },
	    { 5700, '.', 'h', 0, '-' },
	    { 5700, 'b', 'h', 100, '-' },
	    { 5701, 'g', 'h', 0, '-' }, /* and one that was given up is not at all */
	    { 5702, 'b', 'h', 100, '-' },
	    { 5710, 'w', 'c', 0, 'C' } } },
	{ "two probes at once",
	  &two,
	  { { 5000, 'f', 'o', 500, 'O' },
	    { 5500, 'b', 'h', 0, 'H' },
	    { 5510, 'b', 'h', 90, '-' },
	    { 5520, 'g', 'h', 0, '-' },
	    { 5530, 'b', 'h', 70, '-' },
	    { 5600, '.', 'h', 0, '-' },
	    { 5600, 'b', 'h', 0, '-' },
	    { 5610, 'g', 'h', 0, '-' },
	    { 5610, 'g', 'h', 0, '-' }, /* one of the time before: none of now's is counted twice */
	    { 5620, 'b', 'h', 0, '-' },
	    { 5620, 'b', 'h', 100, '-' } } },
	{ "a login that was begun before it opened closes it",
	  &usual,
	  { { 5000, 'f', 'c', 0, '-' },
	    { 5000, 'f', 'c', 0, '-' },
	    { 5000, 'f', 'o', 500, 'O' },
	    { 5010, 'w', 'c', 0, 'C' },
	    { 5011, 'w', 'c', 0, '-' } } },
	{ "switched off it never opens",
	  &off,
	  { { 5000, 'f', 'c', 0, '-' },
	    { 5000, 'f', 'c', 0, '-' },
	    { 5000, 'f', 'c', 0, '-' },
	    { 5000, 'f', 'c', 0, '-' },
	    { 5000, 'b', 'c', 0, '-' } } },
	{ "times of a millisecond",
	  &tiny,
	  { { 1, 'f', 'c', 0, '-' },
	    { 12, 'f', 'c', 0, '-' },
	    { 13, 'f', 'o', 1, 'O' },
	    { 14, 'b', 'h', 1, 'H' },
	    { 15, 'f', 'o', 1, 'O' } } },
};

static enum breaker_turn take(struct breaker *b, const struct breaker_limits *l, const struct step *s)
{
	bool is_probe;
	switch (s->what) {
	case 'f':
		return breaker_failed(b, l, s->at_ms);
	case 'w':
		return breaker_worked(b, s->at_ms);
	case 'b':
		return breaker_begin(b, l, s->at_ms, &is_probe);
	case 'g':
		breaker_gone(b);
		return BREAKER_STAYS;
	default:
		return BREAKER_STAYS;
	}
}

static void test_steps(void)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct breaker b = { 0 };
		for (const struct step *s = cases[i].steps; s->what; s++) {
			char what[160];
			snprintf(what, sizeof what, "%s: '%c' at %d", cases[i].what, s->what, (int)s->at_ms);
			check_eq(what, "-OHC"[take(&b, cases[i].l, s)], s -> turn);
			check_eq(what, "coh"[b.state], s -> state);
			check_eq(what, breaker_wait_ms(&b, cases[i].l, s->at_ms), s->wait_ms);
			check_eq(what, breaker_is_open(&b, cases[i].l, s->at_ms), s->state == 'o' && s->wait_ms);
		}
	}
}

/* Settings change while it is at work: it is switched off while open, and the window becomes another. */
static void test_reload(void)
{
	struct breaker b = { 0 };
	bool is_probe;
	for (int i = 0; i < 3; i++)
		(void)breaker_failed(&b, &usual, 5000);
	check_eq("open", breaker_wait_ms(&b, &usual, 5100), 400);
	check_eq("off", breaker_wait_ms(&b, &off, 5100), 0);
	check("and not said to be open", !breaker_is_open(&b, &off, 5100));
	check_eq("closed by who goes through", breaker_begin(&b, &off, 5100, &is_probe), BREAKER_CLOSES);
	check("who is no probe", !is_probe);

	static const uint64_t windows[] = { 1000, 10, 100000, 50, 5000 };
	for (size_t i = 0; i < 4 * COUNT(windows); i++) {
		struct breaker_limits l = usual;
		l.failures = 1000;
		l.window_ms = windows[i % COUNT(windows)];
		(void)breaker_failed(&b, &l, 6000 + i);
		uint32_t n = breaker_failures(&b, &l, 6000 + i);
		check("one at least, and never more than there were", n >= 1 && n <= i + 1);
	}
	check_eq("closed", b.state, BREAKER_CLOSED);
}

/* However many there are, no count overflows and no memory is needed. */
static void test_flood(void)
{
	struct breaker b = { 0 };
	struct breaker_limits l = usual;
	l.failures = UINT32_MAX;
	for (uint32_t i = 0; i < 100000; i++)
		(void)breaker_failed(&b, &l, 5000 + i / 100);
	check_eq("counted", breaker_failures(&b, &l, 5999), 100000);
	check_eq("and gone", breaker_failures(&b, &l, 8000), 0);
}

void suite_breaker(void)
{
	static const struct unit_test tests[] = {
		{ "steps", test_steps },
		{ "settings that change", test_reload },
		{ "many failures", test_flood },
		{ NULL, NULL },
	};
	unit_add("breaker", tests);
}
