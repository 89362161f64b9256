/* loop.h - the one libev loop of this worker (a process is a worker), its coarse clock, and work put off to the end of
 * a turn. Everything in the house runs on this loop's thread. */
#ifndef SLUICE_CORE_LOOP_H
#define SLUICE_CORE_LOOP_H

#include "core/fault.h"

#include <stdbool.h>
#include <stdint.h>

struct ev_loop;

/* Makes the loop (epoll where there is one). FAULT_IO when the kernel gives none. */
bool loop_init(struct fault *f);
void loop_free(void); /* tasks still queued are forgotten */
/* libev's own handle, for net/ and the libraries that are driven by it. */
struct ev_loop *loop_ev(void);
/* Runs until loop_stop(), which may have come before; the turn in which it comes is finished. */
void loop_run(void);
/* One turn: waits for events only if `block`, runs what is due and what that put off. For tests and harnesses. */
void loop_turn(bool block);
void loop_stop(void);

/* CLOCK_MONOTONIC, read once a turn: microseconds and milliseconds. Never goes back. */
uint64_t loop_now_us(void);
static inline uint64_t loop_now(void)
{
	return loop_now_us() / 1000;
}
/* The wall clock that belongs to loop_now_us(): microseconds since 1970, for people's eyes only. */
uint64_t loop_wall_us(void);
/* Reads the clock anew, for long work in one turn and at start. */
void loop_update_now(void);

/* Work for the end of this turn, before the loop waits again. The task is the caller's memory until it ran or was
 * cancelled; adding one that is queued already does nothing. A task may add tasks: they run in the same turn's end. */
struct task {
	struct task *next, **link; /* NULL link: not queued */
	void (*run)(struct task *t);
};
void loop_defer(struct task *t);
void loop_undefer(struct task *t);

#endif
