/* stats.h - the counters of a pool (stats.def), and their averages over the last period. */
#ifndef SLUICE_POOL_STATS_H
#define SLUICE_POOL_STATS_H

#include <stdint.h>

enum stat_id {
#define STAT(name, text) STAT_##name,
#include "pool/stats.def"
#undef STAT
	STAT_COUNT
};

struct stats {
	uint64_t v[STAT_COUNT];
};

extern const struct stat_row {
	const char *name, *text;
} stat_rows[STAT_COUNT];

static inline void stats_add(struct stats *to, const struct stats *s)
{
	for (int i = 0; i < STAT_COUNT; i++)
		to->v[i] += s->v[i];
}

#endif
