/* bucket.h - a token bucket: so many a second, and so many at once.
 * Pure: no clock, no allocation; times are microseconds of whatever clock the caller has. A rate of 0 is no limit. One
 * number says it all: when the bucket would be full again. */
#ifndef SLUICE_GATE_BUCKET_H
#define SLUICE_GATE_BUCKET_H

#include <stdint.h>

struct bucket_limits {
	uint32_t rate;  /* tokens a second; 0: there is no limit */
	uint32_t burst; /* how many it holds; 0 is 1 */
};

/* Zeroed, it is full. */
struct bucket {
	uint64_t full_ns;
};

/* In how many microseconds there is a token: 0 is now. */
uint64_t bucket_wait_us(const struct bucket *b, const struct bucket_limits *l, uint64_t now_us);
/* Takes one, be it there or not: what was taken ahead is waited for by those who come after. */
void bucket_take(struct bucket *b, const struct bucket_limits *l, uint64_t now_us);
void bucket_take_many(struct bucket *b, const struct bucket_limits *l, uint64_t now_us, uint32_t n);

#endif
