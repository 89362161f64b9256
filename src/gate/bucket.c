/* bucket.c - a token bucket. */
#include "gate/bucket.h"

#define NS_IN_US 1000u
#define NS_IN_S  1000000000u

static uint64_t room_ns(const struct bucket_limits *l)
{
	return (uint64_t)(l->burst > 1 ? l->burst - 1 : 0) * (NS_IN_S / l->rate);
}

uint64_t bucket_wait_us(const struct bucket *b, const struct bucket_limits *l, uint64_t now_us)
{
	if (!l->rate)
		return 0;
	uint64_t now = now_us * NS_IN_US, room = room_ns(l);
	if (b->full_ns <= now || b->full_ns - now <= room)
		return 0;
	return (b->full_ns - now - room + NS_IN_US - 1) / NS_IN_US;
}

void bucket_take(struct bucket *b, const struct bucket_limits *l, uint64_t now_us)
{
	bucket_take_many(b, l, now_us, 1);
}

void bucket_take_many(struct bucket *b, const struct bucket_limits *l, uint64_t now_us, uint32_t n)
{
	uint64_t now = now_us * NS_IN_US;
	if (!l->rate)
		return;
	b->full_ns = (b->full_ns > now ? b->full_ns : now) + (uint64_t)n * (NS_IN_S / l->rate);
}
