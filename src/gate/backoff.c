/* backoff.c - exponential backoff with jitter. */
#include "gate/backoff.h"

uint32_t backoff_bound_ms(const struct backoff_limits *l, uint32_t attempt)
{
	uint64_t most = l->ceiling_ms ? l->ceiling_ms : UINT32_MAX;
	uint64_t ms = (uint64_t)l->base_ms << (attempt < 32 ? attempt : 32);
	return (uint32_t)(ms < most ? ms : most);
}

/* 0 to n. The high half of a product: no value is likelier than another by more than one in 2^32. */
static uint32_t up_to(uint32_t n, uint64_t random)
{
	return (uint32_t)((random >> 32) * ((uint64_t)n + 1) >> 32);
}

uint32_t backoff_ms(const struct backoff_limits *l, uint32_t attempt, uint64_t random)
{
	return up_to(backoff_bound_ms(l, attempt), random);
}

uint32_t backoff_half_ms(const struct backoff_limits *l, uint32_t attempt, uint64_t random)
{
	uint32_t bound = backoff_bound_ms(l, attempt), half = bound / 2;
	return bound - half + up_to(half, random);
}
