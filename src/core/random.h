/* random.h - numbers that need not be secret: jitter, and which of several. What must not be guessed is
 * crypto_random()'s. One sequence for the process, on the loop's thread; it differs from start to start. */
#ifndef SLUICE_CORE_RANDOM_H
#define SLUICE_CORE_RANDOM_H

#include <stdint.h>

uint64_t random_u64(void);
/* For tests: the sequence begins here. */
void random_seed(uint64_t seed);

#endif
