/* deadline.c - a binary heap of deadlines under one libev timer. The timer is moved only when it would come too late;
 * when it comes too early, because the deadline that it was for has been moved or cleared, it is simply set again. */
#include "core/deadline.h"

#include "core/assert.h"
#include "core/loop.h"

#include <ev.h>
#include <stdlib.h>

#define HEAP_FIRST 64
#define NOT_ARMED  UINT64_MAX

static struct deadline **heap; /* owned; heap[1] is the first to come due, d->at is d's place */
static uint32_t count, room;   /* room: slots behind the unused heap[0] */
static ev_timer timer;
static uint64_t timer_ms = NOT_ARMED; /* when the timer will fire */
static bool firing;
static uint64_t firing_ms;

static void put_at(uint32_t at, struct deadline *d)
{
	heap[at] = d;
	d->at = at;
}

static void sift_up(uint32_t at, struct deadline *d)
{
	for (; at > 1 && heap[at / 2]->due_ms > d->due_ms; at /= 2)
		put_at(at, heap[at / 2]);
	put_at(at, d);
}

static void sift_down(uint32_t at, struct deadline *d)
{
	for (;;) {
		uint64_t child = (uint64_t)at * 2;
		if (child > count)
			break;
		if (child < count && heap[child + 1]->due_ms < heap[child]->due_ms)
			child++;
		if (heap[child]->due_ms >= d->due_ms)
			break;
		put_at(at, heap[child]);
		at = (uint32_t)child;
	}
	put_at(at, d);
}

/* Makes sure that the timer fires no later than the first deadline. */
static void arm(void)
{
	if (firing || count == 0 || heap[1]->due_ms >= timer_ms)
		return;
	timer_ms = heap[1]->due_ms;
	uint64_t now_us = loop_now_us();
	uint64_t wait_us = timer_ms > UINT64_MAX / 1000 ? UINT64_MAX : timer_ms * 1000;
	wait_us = wait_us > now_us ? wait_us - now_us : 0;
	ev_timer_stop(loop_ev(), &timer);
	ev_timer_set(&timer, (double)wait_us / 1e6, 0.);
	ev_timer_start(loop_ev(), &timer);
}

static void on_timer(struct ev_loop *l, ev_timer *w, int events)
{
	(void)l, (void)w, (void)events;
	timer_ms = NOT_ARMED;
	firing_ms = loop_now();
	firing = true;
	while (count && heap[1]->due_ms <= firing_ms) {
		struct deadline *d = heap[1];
		deadline_clear(d); /* first: its callback may set it, or free it */
		d->fire(d);
	}
	firing = false;
	arm();
}

void deadlines_init(void)
{
	ev_timer_init(&timer, on_timer, 0., 0.);
	/* Last in a turn: what has come in time is seen before anything is given up, even if the process was stopped.
	 */
	ev_set_priority(&timer, EV_MINPRI);
	timer_ms = NOT_ARMED;
}

void deadlines_free(void)
{
	for (uint32_t i = 1; i <= count; i++)
		heap[i]->at = 0;
	free(heap);
	heap = NULL;
	count = room = 0;
	ev_timer_stop(loop_ev(), &timer);
	timer_ms = NOT_ARMED;
}

static bool grow(void)
{
	uint32_t n = room ? room * 2 : HEAP_FIRST;
	if (n < room || n > UINT32_MAX / 2)
		return false;
	struct deadline **h = realloc(heap, ((size_t)n + 1) * sizeof(*h));
	if (!h)
		return false;
	heap = h;
	room = n;
	return true;
}

bool deadline_set(struct deadline *d, uint64_t due_ms)
{
	/* One that a deadline's callback sets waits for a later turn, or two could keep each other firing for ever. */
	if (firing && due_ms <= firing_ms)
		due_ms = firing_ms + 1;
	if (d->at == 0) {
		if (count == room && !grow())
			return false;
		d->due_ms = due_ms;
		sift_up(++count, d);
	} else if (due_ms < d->due_ms) {
		d->due_ms = due_ms;
		sift_up(d->at, d);
	} else {
		d->due_ms = due_ms;
		sift_down(d->at, d);
	}
	arm();
	return true;
}

void deadline_clear(struct deadline *d)
{
	uint32_t at = d->at;
	if (at == 0)
		return;
	ASSERT(at <= count && heap[at] == d);
	struct deadline *last = heap[count--];
	d->at = 0;
	if (last == d)
		return;
	if (last->due_ms < d->due_ms)
		sift_up(at, last);
	else
		sift_down(at, last);
}

size_t deadlines_armed(void)
{
	return count;
}
