/* averages.h - the stats period: what happened in the last whole one, and the log's line about it. */
#ifndef SLUICE_ADMIN_AVERAGES_H
#define SLUICE_ADMIN_AVERAGES_H

#include "pool/stats.h"

#include <stdbool.h>

/* Begins the first period. False when out of memory. */
bool averages_start(void);
void averages_stop(void);
/* What was added in the last whole period (a sum of pools' stats_last) as averages: counts and bytes for a second,
 * times for one transaction, query, wait. All 0 before the first period has ended. */
void averages_of(const struct stats *last, struct stats *avg);

#endif
