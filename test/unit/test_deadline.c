/* test_deadline.c - the heap of deadlines. Time passes by clock_skip(). */
#include "unit.h"

#include "clock.h"
#include "nomem.h"

#include "core/deadline.h"
#include "core/list.h"
#include "core/loop.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>

#define MANY 500

struct item {
	struct deadline d;
	unsigned fired;
	struct deadline *clears, *sets;
	uint64_t sets_to;
};

static struct item items[MANY];
static unsigned order[2 * MANY], norder;

static void fire(struct deadline *d)
{
	struct item *it = list_owner(d, struct item, d);
	check("not armed any more", !deadline_is_set(d));
	it->fired++;
	if (norder < COUNT(order))
		order[norder++] = (unsigned)(it - items);
	if (it->clears)
		deadline_clear(it->clears);
	if (it->sets)
		deadline_set(it->sets, it->sets_to);
}

static bool begin(void)
{
	struct fault f;
	if (!check("a loop", loop_init(&f)))
		return false;
	deadlines_init();
	for (unsigned i = 0; i < MANY; i++) {
		items[i] = (struct item){ .fired = 0 };
		deadline_init(&items[i].d, fire);
	}
	norder = 0;
	return true;
}

static void end(void)
{
	deadlines_free();
	loop_free();
}

/* Lets ms go by and runs what has come due: the timer may need a turn to be set anew, and one to fire. */
static void pass(uint64_t ms)
{
	clock_skip(ms);
	for (int i = 0; i < 3; i++)
		loop_turn(false);
}

static void check_fired(const char *what, const char *want)
{
	char got[64] = "";
	size_t n = 0;
	for (unsigned i = 0; i < norder && n + 2 < sizeof got; i++)
		got[n++] = (char)('a' + order[i]);
	got[n] = '\0';
	check_str(what, got, want);
	norder = 0;
}

static void test_order(void)
{
	if (!begin())
		return;
	uint64_t now = loop_now();
	check("set", deadline_set(&items[0].d, now + 3000));
	check("set", deadline_set(&items[1].d, now + 1000));
	check("set", deadline_set(&items[2].d, now + 2000));
	check("set", deadline_set(&items[3].d, now + 100000));
	check("armed", deadline_is_set(&items[1].d));
	check_eq("armed", deadlines_armed(), 4);
	pass(500);
	check_fired("nothing yet", "");
	pass(600);
	check_fired("the first", "b");
	pass(2000);
	check_fired("by time, not as they were set", "ca");
	check_eq("left", deadlines_armed(), 1);
	pass(2000);
	check_fired("once", "");
	end();
	check("cleared with the rest", !deadline_is_set(&items[3].d) && deadlines_armed() == 0);
}

static void test_moved(void)
{
	if (!begin())
		return;
	uint64_t now = loop_now();
	deadline_set(&items[0].d, now + 1000);
	deadline_set(&items[1].d, now + 2000);
	deadline_set(&items[2].d, now + 3000);
	deadline_set(&items[0].d, now + 4000); /* later: the timer fires for nothing, and is set anew */
	deadline_set(&items[2].d, now + 1500); /* earlier */
	check_eq("none twice", deadlines_armed(), 3);
	pass(1100);
	check_fired("not at its first time", "");
	pass(500);
	check_fired("at its new time", "c");
	pass(500);
	check_fired("unmoved", "b");
	deadline_clear(&items[0].d);
	deadline_clear(&items[0].d);
	check_eq("none left", deadlines_armed(), 0);
	pass(5000);
	check_fired("cleared", "");
	deadline_set(&items[1].d, loop_now() + 10);
	deadline_set(&items[2].d, loop_now() + 5);
	pass(20);
	check_fired("after the heap was empty", "cb");
	end();
}

/* The heap's last member takes the place of one that is cleared, under a parent that is due later. */
static void test_cleared_elsewhere(void)
{
	static const uint64_t due[] = { 10, 100, 20, 110, 120, 30, 40 }; /* 100's children are 110 and 120 */
	if (!begin())
		return;
	uint64_t now = loop_now();
	for (unsigned i = 0; i < COUNT(due); i++)
		deadline_set(&items[i].d, now + due[i]);
	deadline_clear(&items[3].d);
	pass(50);
	check_fired("those before it", "acfg");
	pass(100);
	check_fired("those after it", "be");
	end();
}

static void test_to_the_millisecond(void)
{
	if (!begin())
		return;
	loop_turn(false);
	deadline_set(&items[0].d, loop_now() + 1);
	pass(1);
	check_fired("due now is due", "a");
	end();
}

static void test_past_and_far(void)
{
	if (!begin())
		return;
	deadline_set(&items[0].d, 0);
	check_eq("not inside the call", items[0].fired, 0);
	deadline_set(&items[1].d, loop_now());
	deadline_set(&items[2].d, UINT64_MAX);
	deadline_set(&items[3].d, loop_now() + 40ull * 24 * 3600 * 1000);
	pass(1);
	check_fired("what is past fires in the next turns", "ab");
	for (int day = 0; day < 39; day++)
		pass(24 * 3600 * 1000);
	check_fired("not for 39 days", "");
	pass(24 * 3600 * 1000);
	check_fired("after 40", "d");
	check("for ever", deadline_is_set(&items[2].d));
	end();
}

static void test_callbacks_may_do_anything(void)
{
	if (!begin())
		return;
	uint64_t now = loop_now();
	/* a clears b, which is due as well; c moves the armed d to the past, and e sets itself there again. */
	for (unsigned i = 0; i < 5; i++)
		deadline_set(&items[i].d, now + 10 + i);
	deadline_set(&items[3].d, now + 100000);
	items[0].clears = &items[1].d;
	items[2].sets = &items[3].d;
	items[4].sets = &items[4].d;
	clock_skip(20);
	loop_turn(false);
	loop_turn(false);
	check("each at most once in a turn, however often it asks", items[4].fired <= 2);
	check_eq("cleared by another", items[1].fired, 0);
	clock_skip(2);
	loop_turn(false);
	loop_turn(false);
	check_eq("set by another", items[3].fired, 1);
	unsigned before = items[4].fired;
	check("set by itself", before >= 1 && deadline_is_set(&items[4].d));
	pass(2);
	check("again, in a later turn", items[4].fired > before);
	end();
}

static void clear_and_free(struct deadline *d)
{
	norder++;
	free(d);
}

static void test_callback_frees(void)
{
	if (!begin())
		return;
	for (int i = 0; i < 3; i++) {
		struct deadline *d = malloc(sizeof *d);
		deadline_init(d, clear_and_free);
		check("set", deadline_set(d, loop_now()));
	}
	pass(1);
	check_eq("all fired", norder, 3);
	end();
}

static unsigned seed;
static unsigned draw(unsigned below)
{
	seed = seed * 1103515245 + 12345;
	return seed / 65536 % below;
}

/* Anything, in any order, against a plain array of what should be armed. */
static void test_against_a_model(void)
{
	static uint64_t due[MANY]; /* 0: not armed */
	if (!begin())
		return;
	seed = 1;
	unsigned wrong = 0;
	size_t armed = 0;
	for (unsigned i = 0; i < MANY; i++)
		due[i] = 0;
	for (int step = 0; step < 20000 && !wrong; step++) {
		unsigned i = draw(MANY);
		if (draw(4) != 0) {
			armed += !due[i];
			due[i] = loop_now() + 100 + draw(draw(2) ? 10000 : 50);
			wrong += !deadline_set(&items[i].d, due[i]);
		} else {
			armed -= due[i] != 0;
			due[i] = 0;
			deadline_clear(&items[i].d);
		}
		wrong += deadlines_armed() != armed;
		if (step % 50 != 49)
			continue;
		norder = 0;
		pass(draw(300));
		uint64_t last = 0;
		for (unsigned k = 0; k < norder; k++) {
			wrong += due[order[k]] < last || due[order[k]] == 0;
			last = due[order[k]];
			due[order[k]] = 0;
			armed--;
		}
		for (unsigned k = 0; k < MANY; k++)
			wrong += deadline_is_set(&items[k].d) != (due[k] != 0) || (due[k] && due[k] <= loop_now() - 1);
	}
	check_eq("wrong", wrong, 0);
	norder = 0;
	pass(200000);
	check_eq("all that was armed has fired", norder, armed);
	end();
}

static void test_without_memory(void)
{
	if (!nomem_works() || !begin())
		return;
	unsigned n = 0, refused = 0;
	uint64_t now = loop_now();
	nomem_from(1);
	bool first = deadline_set(&items[0].d, now + 5);
	nomem_at(0);
	check("no heap", !first && !deadline_is_set(&items[0].d) && deadlines_armed() == 0);
	deadline_set(&items[0].d, now + 5);
	nomem_from(1);
	for (n = 1; n < MANY && deadline_set(&items[n].d, now + n); n++)
		;
	for (unsigned i = 0; i < n; i++)
		refused += !deadline_set(&items[i].d, now + n - i);
	nomem_at(0);
	check("the heap was full", n > 1 && n < MANY && !deadline_is_set(&items[n].d));
	check_eq("moving what is armed needs no memory", refused, 0);
	check_eq("armed", deadlines_armed(), n);
	check("set when there is memory again", deadline_set(&items[n].d, now));
	pass(n + 1);
	check_eq("all fired", norder, n + 1);
	end();
}

/* Here, and in the next, real time goes by, a few milliseconds: the loop waits, and wakes for a deadline. */
static void test_wakes_the_loop(void)
{
	if (!begin())
		return;
	loop_update_now();
	uint64_t due = loop_now() + 2;
	deadline_set(&items[0].d, due);
	while (!items[0].fired)
		loop_turn(true);
	check("not before its time", loop_now() >= due);
	end();
}

static void stop_waiting(struct ev_loop *l, ev_timer *w, int events)
{
	(void)l, (void)w, (void)events;
	norder = 1;
}

/* Between deadlines the loop sleeps: the turns until a few milliseconds have gone by are few. */
static void test_lets_the_loop_sleep(void)
{
	static const uint64_t far[] = { 3600000, UINT64_MAX, UINT64_MAX / 1000 + 1, UINT64_MAX / 1000 + 1000000 };
	for (size_t i = 0; i < COUNT(far); i++) {
		if (!begin())
			return;
		loop_turn(false);
		deadline_set(&items[0].d, far[i] < loop_now() ? loop_now() + far[i] : far[i]);
		ev_timer t;
		ev_timer_init(&t, stop_waiting, 0.003, 0.);
		ev_timer_start(loop_ev(), &t);
		unsigned turns = 0;
		for (; !norder; turns++)
			loop_turn(true);
		check("it sleeps", turns <= 5);
		end();
	}
}

void suite_deadline(void)
{
	static const struct unit_test tests[] = {
		{ "order", test_order },
		{ "moved and cleared", test_moved },
		{ "cleared elsewhere", test_cleared_elsewhere },
		{ "to the millisecond", test_to_the_millisecond },
		{ "past and far", test_past_and_far },
		{ "callbacks may do anything", test_callbacks_may_do_anything },
		{ "a callback frees", test_callback_frees },
		{ "against a model", test_against_a_model },
		{ "without memory", test_without_memory },
		{ "wakes the loop", test_wakes_the_loop },
		{ "lets the loop sleep", test_lets_the_loop_sleep },
		{ NULL, NULL },
	};
	unit_add("deadline", tests);
}
