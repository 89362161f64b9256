/* stats.c - the names of the counters. */
#include "pool/stats.h"

const struct stat_row stat_rows[STAT_COUNT] = {
#define STAT(name, text) { #name, text },
#include "pool/stats.def"
#undef STAT
};
