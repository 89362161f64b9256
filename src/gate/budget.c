/* budget.c - a retry budget. */
#include "gate/budget.h"

#include <string.h>

#define MS_IN_S 1000u

/* The place of this second; those that have passed since the last one are empty. */
static uint32_t place_of(struct budget *b, uint64_t now_ms)
{
	uint64_t now = now_ms / MS_IN_S;
	if (now > b->second + BUDGET_SECONDS) {
		memset(b->first, 0, sizeof b->first);
		memset(b->again, 0, sizeof b->again);
		b->second = now;
	}
	while (b->second < now) {
		b->second++;
		b->first[b->second % BUDGET_SECONDS] = b->again[b->second % BUDGET_SECONDS] = 0;
	}
	return (uint32_t)(b->second % BUDGET_SECONDS);
}

void budget_earn(struct budget *b, uint32_t n, uint64_t now_ms)
{
	uint32_t *first = &b->first[place_of(b, now_ms)];
	*first = n > UINT32_MAX - *first ? UINT32_MAX : *first + n;
}

uint32_t budget_left(const struct budget *b, const struct budget_limits *l, uint64_t now_ms)
{
	uint64_t now = now_ms / MS_IN_S, first = 0, again = 0;
	for (uint64_t i = 0; i < BUDGET_SECONDS && i <= b->second; i++)
		if (b->second - i + BUDGET_SECONDS > now) {
			first += b->first[(b->second - i) % BUDGET_SECONDS];
			again += b->again[(b->second - i) % BUDGET_SECONDS];
		}
	uint64_t may = l->least + first * l->percent / 100;
	uint64_t left = may > again ? may - again : 0;
	return left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
}

bool budget_spend(struct budget *b, const struct budget_limits *l, uint64_t now_ms)
{
	if (!budget_left(b, l, now_ms))
		return false;
	b->again[place_of(b, now_ms)]++;
	return true;
}
