/* ledger.h - the house's own books: who has which server, who waits, and how many there are of each, counted anew from
 * the lists and held against the numbers that the rest of the house goes by.
 *
 * A janitor looks every LEDGER_EVERY_MS, and main() once more at the end. A difference is our own mistake: it is logged
 * with what was found, raised as an event, and in builds with AddressSanitizer it aborts. */
#ifndef SLUICE_SESSION_LEDGER_H
#define SLUICE_SESSION_LEDGER_H

#include "core/str.h"

#include <stdbool.h>
#include <stdint.h>

/* What was counted, for SHOW LEDGER. */
struct ledger {
	uint64_t servers, idle, linked; /* linked: to a session or to a question of the house's own */
	uint64_t clients, waiting;      /* clients that are logged in, and those in a pool's line */
	uint64_t looks, breaches;       /* since the start */
};

/* Counts. False: something differs, a line for each in *dump. Not within a callback of pool or server, where a
 * hand-over may be half done: at a turn's end. */
bool ledger_balances(struct ledger *out, struct sb *dump);
/* The same, with what follows from it. */
void ledger_look(void);
const struct ledger *ledger_last(void);

void ledger_start(void); /* the janitor; after deadlines_init() */
void ledger_stop(void);

#endif
