/* test_loop.c - turns, the clock that is read once in each, and work put off. */
#include "unit.h"

#include "clock.h"
#include "nomem.h"

#include "core/loop.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static bool begin(void)
{
	struct fault f;
	return check("a loop", loop_init(&f));
}

/* ---- tasks that write down that they ran */

struct note {
	struct task task;
	char name;
	struct task *then; /* queued when this one runs */
	struct task *drop; /* taken out when this one runs */
};

static char ran[64];
static size_t nran;

static void write_down(struct task *t)
{
	struct note *n = (struct note *)(void *)t;
	if (nran + 1 < sizeof ran)
		ran[nran++] = n->name;
	ran[nran] = '\0';
	if (n->then)
		loop_defer(n->then);
	if (n->drop)
		loop_undefer(n->drop);
	n->then = NULL;
}

static void turn_and_check(const char *what, const char *want)
{
	loop_turn(false);
	check_str(what, ran, want);
	nran = 0;
	ran[0] = '\0';
}

static void test_tasks(void)
{
	if (!begin())
		return;
	struct note n[5];
	for (int i = 0; i < 5; i++)
		n[i] = (struct note){ .task = { .run = write_down }, .name = (char)('a' + i) };
	nran = 0;
	ran[0] = '\0';
	turn_and_check("none", "");
	for (int i = 0; i < 5; i++)
		loop_defer(&n[i].task);
	loop_defer(&n[1].task);
	turn_and_check("in order, each once", "abcde");
	turn_and_check("and not again", "");

	for (int i = 0; i < 5; i++)
		loop_defer(&n[i].task);
	loop_undefer(&n[0].task);
	loop_undefer(&n[2].task);
	loop_undefer(&n[4].task);
	loop_undefer(&n[4].task);
	turn_and_check("taken out: first, middle, last", "bd");
	loop_defer(&n[4].task);
	loop_undefer(&n[4].task);
	turn_and_check("taken out: the only one", "");

	n[0].then = &n[1].task;
	n[1].then = &n[0].task;
	loop_defer(&n[0].task);
	turn_and_check("tasks that queue tasks, themselves included, in the same turn", "aba");

	n[0].drop = &n[1].task;
	loop_defer(&n[0].task);
	loop_defer(&n[1].task);
	loop_defer(&n[2].task);
	turn_and_check("one that takes out the next", "ac");
	n[0].drop = NULL;

	loop_defer(&n[3].task);
	loop_free();
	check("forgotten with the loop", n[3].task.link == NULL);
}

static void free_itself(struct task *t)
{
	nran++;
	free(t);
}

static void test_task_frees_itself(void)
{
	if (!begin())
		return;
	nran = 0;
	for (int i = 0; i < 3; i++) {
		struct task *t = calloc(1, sizeof *t);
		t->run = free_itself;
		loop_defer(t);
	}
	loop_turn(false);
	check_eq("all ran", nran, 3);
	loop_free();
}

/* ---- turns that a pipe's readable end begins */

static struct note late;
static uint64_t first_us, second_us, third_us, wall_us, wall_again_us;

static void on_readable(struct ev_loop *l, ev_io *w, int events)
{
	(void)l, (void)events;
	char c;
	check_eq("a byte", read(w->fd, &c, 1), 1);
	if (c == 's') {
		loop_stop();
	} else if (c == 'c') {
		first_us = loop_now_us();
		wall_us = loop_wall_us();
		clock_skip(50);
		second_us = loop_now_us();
		wall_again_us = loop_wall_us();
		loop_update_now();
		third_us = loop_now_us();
	}
	loop_defer(&late.task);
}

static int pipe_fd[2];
static ev_io pipe_watch;

static bool begin_with_pipe(void)
{
	if (!begin() || !check("a pipe", pipe(pipe_fd) == 0))
		return false;
	ev_io_init(&pipe_watch, on_readable, pipe_fd[0], EV_READ);
	ev_io_start(loop_ev(), &pipe_watch);
	late = (struct note){ .task = { .run = write_down }, .name = 't' };
	nran = 0;
	ran[0] = '\0';
	return true;
}

static void end_with_pipe(void)
{
	ev_io_stop(loop_ev(), &pipe_watch);
	loop_free();
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

static void test_turns(void)
{
	if (!begin_with_pipe())
		return;
	turn_and_check("nothing to do, no waiting", "");
	check_eq("written", write(pipe_fd[1], "x", 1), 1);
	loop_turn(true);
	check_str("what an event puts off runs in its turn", ran, "t");
	turn_and_check("and not again", "t");

	check_eq("written", write(pipe_fd[1], "xxs", 3), 3);
	loop_run();
	check_str("three turns, then stopped, and the last turn's work is done", ran, "ttt");
	loop_stop();
	check_eq("written", write(pipe_fd[1], "x", 1), 1);
	nran = 0;
	loop_run();
	check_eq("stopped before it began", nran, 0);
	check_eq("written", write(pipe_fd[1], "s", 1), 1);
	loop_run();
	check_str("but only once", ran, "tt");
	end_with_pipe();
}

static void stop(struct task *t)
{
	(void)t;
	loop_stop();
}

static void test_stopped_by_a_task(void)
{
	if (!begin())
		return;
	struct task t = { .run = stop };
	loop_defer(&t);
	loop_run(); /* with nothing else in it, it would wait for ever */
	check("stopped", t.link == NULL);
	loop_free();
}

static void test_clock(void)
{
	if (!begin_with_pipe())
		return;
	uint64_t at_start = loop_now_us();
	check("read at start", at_start > 0);
	check_eq("milliseconds", loop_now(), at_start / 1000);
	clock_skip(10);
	check_eq("stands between turns", loop_now_us(), at_start);
	check_eq("written", write(pipe_fd[1], "c", 1), 1);
	loop_turn(true);
	check("read before an event's callback", first_us >= at_start + 10000);
	check_eq("once a turn", second_us, first_us);
	check_eq("as is the wall clock", wall_again_us, wall_us);
	check("read anew", third_us >= first_us + 50000);
	uint64_t wall_then = loop_wall_us();
	check("the wall clock too", wall_then >= wall_us + 50000);
	check("and it is one", wall_us / 1000000 > 1700000000 && wall_us / 1000000 < 17000000000);
	clock_skip(5);
	loop_turn(false);
	check("a turn with nothing in it reads it too", loop_now_us() >= third_us + 5000);
	check("both", loop_wall_us() >= wall_then + 5000);
	end_with_pipe();
}

static void test_without_descriptors(void)
{
	struct rlimit was, none;
	getrlimit(RLIMIT_NOFILE, &was);
	none = was;
	none.rlim_cur = 3;
	check("limited", setrlimit(RLIMIT_NOFILE, &none) == 0);
	struct fault f = { 0 };
	bool ok = loop_init(&f);
	check("no limit", setrlimit(RLIMIT_NOFILE, &was) == 0);
	if (!ok) {
		check_eq("a fault, if not a loop without epoll", f.kind, FAULT_IO);
		check("and it says why", strlen(f.text) > 10);
		return;
	}
	struct task t = { .run = stop };
	loop_defer(&t);
	loop_run();
	check("it runs", t.link == NULL);
	loop_free();
}

/* libev aborts when it gets no memory; it gets what the buffers spare. */
static void test_tight_memory(void)
{
	if (!nomem_works() || !begin())
		return;
	ev_timer t[200];
	unsigned failed = 0;
	for (int i = 0; i < 200; i++) {
		ev_timer_init(&t[i], NULL, 3600., 0.);
		nomem_at(1);
		ev_timer_start(loop_ev(), &t[i]);
		failed += nomem_hit();
		nomem_at(0);
	}
	check("it needed more, and got it the second time", failed > 0);
	for (int i = 0; i < 200; i++)
		ev_timer_stop(loop_ev(), &t[i]);
	loop_free();
}

void suite_loop(void)
{
	static const struct unit_test tests[] = {
		{ "tasks", test_tasks },
		{ "a task frees itself", test_task_frees_itself },
		{ "turns", test_turns },
		{ "stopped by a task", test_stopped_by_a_task },
		{ "clock", test_clock },
		{ "without descriptors", test_without_descriptors },
		{ "tight memory", test_tight_memory },
		{ NULL, NULL },
	};
	unit_add("loop", tests);
}
