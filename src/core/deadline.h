/* deadline.h - every deadline of the worker in one binary heap under one libev timer.
 * Times are milliseconds of loop_now(). Setting is O(log n) and makes no system call. A deadline fires once, on the
 * loop's thread, never inside deadline_set(), and is not armed any more when its callback runs. Deadlines come last in
 * a turn, so what arrived in time is seen first. A callback may set and clear any deadline; what it sets to a time that
 * has come fires a millisecond later. */
#ifndef SLUICE_CORE_DEADLINE_H
#define SLUICE_CORE_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadline {
	uint64_t due_ms;
	void (*fire)(struct deadline *d);
	uint32_t at; /* place in the heap, from 1; 0: not armed */
};

void deadlines_init(void); /* after loop_init() */
void deadlines_free(void); /* before loop_free(); what is armed yet is cleared */

static inline void deadline_init(struct deadline *d, void (*fire)(struct deadline *d))
{
	*d = (struct deadline){ 0, fire, 0 };
}
static inline bool deadline_is_set(const struct deadline *d)
{
	return d->at != 0;
}
/* Arms d, or moves it. The memory is the caller's and must be cleared before it goes. False only when the heap cannot
 * grow (out of memory) and d was not armed before: d is not armed then. */
bool deadline_set(struct deadline *d, uint64_t due_ms);
void deadline_clear(struct deadline *d);
/* How many are armed. */
size_t deadlines_armed(void);

#endif
