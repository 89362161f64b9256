/* clock.h - lets time pass without waiting for it. The unit program has a clock_gettime() of its own, which the
 * libraries that it links with (libev, c-ares) use too. */
#ifndef SLUICE_TEST_CLOCK_H
#define SLUICE_TEST_CLOCK_H

#include <stdint.h>

/* All clocks of this process are ms further on from here, for good. What is due fires in the loop's next turns. */
void clock_skip(uint64_t ms);

#endif
