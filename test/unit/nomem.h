/* nomem.h - runs out of memory on purpose. The unit program is linked with --wrap for the allocation calls (NOMEM_WRAPS
 * in Makefile.am), so the code under test calls malloc() as ever, and the daemon pays nothing.
 * Only calls from our own objects count; those inside libraries do not. A test's own allocations do, so it makes them
 * outside.
 *
 *    for (unsigned n = 0; nomem_next(&n);)   // fails the 1st, the 2nd, ... until a turn in which none failed
 *            check_thing();                  // fails cleanly, or works: nomem_hit() says which
 */
#ifndef SLUICE_TEST_NOMEM_H
#define SLUICE_TEST_NOMEM_H

#include <stdbool.h>

/* The n-th allocation from here fails, once; 0: none does any more. */
void nomem_at(unsigned n);
/* As nomem_at(n), but all after it fail as well: memory is gone, not tight. */
void nomem_from(unsigned n);
/* Has one failed since the last of those two calls? */
bool nomem_hit(void);
/* Is the program linked so that any of this works? */
bool nomem_works(void);

/* Arms the next turn of such a loop; false, and disarmed, behind the turn in which nothing failed. */
bool nomem_next(unsigned *n);

#endif
