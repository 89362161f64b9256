/* backoff.h - how long to wait before something is tried again: ever longer, and not all at the same time.
 * Pure: no clock, no source of random numbers; whoever calls brings one (core/random.h), tests what they like. */
#ifndef SLUICE_GATE_BACKOFF_H
#define SLUICE_GATE_BACKOFF_H

#include <stdint.h>

struct backoff_limits {
	uint32_t base_ms;    /* before the first retry */
	uint32_t ceiling_ms; /* it never gets longer; 0: as long as 32 bits hold */
};

/* base_ms, twice that, four times that ... up to the ceiling. attempt: 0 is the first retry. */
uint32_t backoff_bound_ms(const struct backoff_limits *l, uint32_t attempt);
/* Full jitter: anything from 0 to the bound, equally likely. It spreads those who failed together best. random: any 64
 * bits. */
uint32_t backoff_ms(const struct backoff_limits *l, uint32_t attempt, uint64_t random);
/* Half jitter: from half the bound to all of it, where a retry at once would be in vain. */
uint32_t backoff_half_ms(const struct backoff_limits *l, uint32_t attempt, uint64_t random);

#endif
