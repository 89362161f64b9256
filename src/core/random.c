/* random.c - numbers that need not be secret, after Vigna's SplitMix64. */
#include "core/random.h"

#include <stdbool.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static uint64_t state;
static bool is_seeded;

void random_seed(uint64_t seed)
{
	state = seed;
	is_seeded = true;
}

uint64_t random_u64(void)
{
	if (!is_seeded) {
		uint64_t seed;
		struct timespec now;
		if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed) {
			(void)clock_gettime(CLOCK_MONOTONIC, &now);
			seed = (uint64_t)now.tv_nsec ^ (uint64_t)getpid() << 32;
		}
		random_seed(seed);
	}
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}
