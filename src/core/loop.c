/* loop.c - the libev loop with two watchers of our own: one reads the clock when the wait is over, before anything else
 * runs; one runs what was put off, before the next wait. */
#include "core/loop.h"

#include "core/assert.h"
#include "core/buf.h"
#include "core/log.h"

#include <errno.h>
#include <ev.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct ev_loop *loop;
static ev_check after_wait;
static ev_prepare before_wait;
static bool stopped;

static uint64_t now_us;
static uint64_t wall_us; /* 0: not asked for since the clock was read */

static struct task *queue;
static struct task **queue_end = &queue;

static void clock_read(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	now_us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
	wall_us = 0;
}

static void run_deferred(void)
{
	while (queue) {
		struct task *t = queue;
		loop_undefer(t); /* first: run() may queue it anew, or free it */
		t->run(t);
	}
}

static void on_after_wait(struct ev_loop *l, ev_check *w, int events)
{
	(void)l, (void)w, (void)events;
	clock_read();
}

static void on_before_wait(struct ev_loop *l, ev_prepare *w, int events)
{
	(void)l, (void)w, (void)events;
	run_deferred();
}

/* libev knows no way to go on without memory: it aborts. So it gets what we can spare, which is enough for the few and
 * small arrays that it grows. */
static void *ev_memory(void *p, long size)
{
	if (size <= 0) {
		free(p);
		return NULL;
	}
	void *grown = realloc(p, (size_t)size);
	if (!grown) {
		buf_trim();
		grown = realloc(p, (size_t)size);
	}
	return grown;
}

/* libev has lost its epoll descriptor, or the like; it expects us not to return unless we could help. */
static void on_ev_error(const char *what)
{
	log_write(LOG_LV_ERROR, NULL, "%s: %s", what, strerror(errno));
	abort();
}

bool loop_init(struct fault *f)
{
	ASSERT(!loop);
	ev_set_allocator(ev_memory);
	ev_set_syserr_cb(on_ev_error);
	/* The environment has no say; nor have we on the signal mask; and no timerfd, as nothing here is periodic. */
	unsigned flags = EVFLAG_NOENV | EVFLAG_NOSIGMASK;
#ifdef EVFLAG_NOTIMERFD
	flags |= EVFLAG_NOTIMERFD;
#endif
	errno = 0;
	loop = ev_loop_new(flags | EVBACKEND_EPOLL);
	if (!loop)
		loop = ev_loop_new(flags);
	if (!loop)
		return fault_errno(f, errno, "the kernel gives no way to wait for events");
	ev_check_init(&after_wait, on_after_wait);
	ev_set_priority(&after_wait, EV_MAXPRI);
	ev_check_start(loop, &after_wait);
	ev_prepare_init(&before_wait, on_before_wait);
	ev_set_priority(&before_wait, EV_MINPRI);
	ev_prepare_start(loop, &before_wait);
	stopped = false;
	clock_read();
	return true;
}

void loop_free(void)
{
	if (!loop)
		return;
	while (queue)
		loop_undefer(queue);
	ev_loop_destroy(loop);
	loop = NULL;
}

struct ev_loop *loop_ev(void)
{
	return loop;
}

void loop_run(void)
{
	while (!stopped)
		ev_run(loop, 0);
	stopped = false;
	run_deferred(); /* what the last turn put off */
}

void loop_turn(bool block)
{
	ev_run(loop, block ? EVRUN_ONCE : EVRUN_NOWAIT);
	run_deferred();
}

void loop_stop(void)
{
	stopped = true;
	ev_break(loop, EVBREAK_ALL);
}

uint64_t loop_now_us(void)
{
	return now_us;
}

uint64_t loop_wall_us(void)
{
	if (!wall_us) {
		struct timespec t;
		clock_gettime(CLOCK_REALTIME, &t);
		wall_us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
	}
	return wall_us;
}

void loop_update_now(void)
{
	ev_now_update(loop);
	clock_read();
}

void loop_defer(struct task *t)
{
	if (t->link)
		return;
	t->next = NULL;
	t->link = queue_end;
	*queue_end = t;
	queue_end = &t->next;
}

void loop_undefer(struct task *t)
{
	if (!t->link)
		return;
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	else
		queue_end = t->link;
	t->link = NULL;
}
