/* budget.h - a retry budget: so many tries again for each hundred first ones, so that retries never make an outage
 * worse. What the traffic of the last BUDGET_SECONDS has earned may be spent in them, and a little besides, so that
 * where hardly anything comes that little may be tried again, too.
 * Pure: no allocation, no clock; times are milliseconds of whatever clock the caller has, and never go back. */
#ifndef SLUICE_GATE_BUDGET_H
#define SLUICE_GATE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_SECONDS 10

struct budget_limits {
	uint32_t percent; /* tries again, of a hundred first ones; 0: those of `least` alone */
	uint32_t least;   /* that are allowed in BUDGET_SECONDS whatever the traffic is */
};

/* Zeroed, nothing was earned or spent. */
struct budget {
	uint64_t second; /* the last in which something was counted */
	uint32_t first[BUDGET_SECONDS], again[BUDGET_SECONDS];
};

/* Something was tried for the first time, n times. */
void budget_earn(struct budget *b, uint32_t n, uint64_t now_ms);
/* May something be tried again? It counts, then. */
bool budget_spend(struct budget *b, const struct budget_limits *l, uint64_t now_ms);
/* How often that would be true now. */
uint32_t budget_left(const struct budget *b, const struct budget_limits *l, uint64_t now_ms);

#endif
