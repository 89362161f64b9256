/* averages.c - the stats period: rolls the pools' counters, and logs a line. */
#include "admin/averages.h"

#include "config/config.h"
#include "core/deadline.h"
#include "core/log.h"
#include "core/loop.h"
#include "pool/pool.h"

#include <inttypes.h>

static struct deadline deadline;
static uint64_t began_us, period_us; /* of the one that runs; length of the last whole one, 0: there was none */

static bool next_period(void)
{
	began_us = loop_now_us();
	return deadline_set(&deadline, loop_now() + (uint64_t)config_num(config_now(), SET_stats_period, NULL, NULL));
}

/* Which counter each time is a sum over; the others are counts. */
static int counted_by(int id)
{
	switch (id) {
	case STAT_xact_time:
		return STAT_xact_count;
	case STAT_query_time:
		return STAT_query_count;
	case STAT_wait_time:
		return STAT_server_assignment_count;
	default:
		return -1;
	}
}

void averages_of(const struct stats *last, struct stats *avg)
{
	for (int i = 0; i < STAT_COUNT; i++) {
		int by = counted_by(i);
		if (by >= 0)
			avg->v[i] = last->v[by] ? last->v[i] / last->v[by] : 0;
		else
			avg->v[i] = period_us ? (uint64_t)((double)last->v[i] * 1e6 / (double)period_us) : 0;
	}
}

static void log_line(void)
{
	struct stats sum = { { 0 } }, avg;
	LIST_EACH (pools_all(), it)
		stats_add(&sum, &list_owner(it, struct pool, in_all)->stats_last);
	averages_of(&sum, &avg);
	const uint64_t *v = avg.v;
	log_info(NULL,
		 "stats: %" PRIu64 " xacts/s, %" PRIu64 " queries/s, %" PRIu64 " client parses/s, %" PRIu64
		 " server parses/s, %" PRIu64 " binds/s, %" PRIu64 " client logins/s, in %" PRIu64 " B/s, out %" PRIu64
		 " B/s, xact %" PRIu64 " us, query %" PRIu64 " us, wait %" PRIu64 " us",
		 v[STAT_xact_count], v[STAT_query_count], v[STAT_client_parse_count], v[STAT_server_parse_count],
		 v[STAT_bind_count], v[STAT_client_login_count], v[STAT_received], v[STAT_sent], v[STAT_xact_time],
		 v[STAT_query_time], v[STAT_wait_time]);
}

static void period_over(struct deadline *d)
{
	(void)d;
	uint64_t now = loop_now_us();
	if (now > began_us) {
		period_us = now - began_us;
		pool_stats_tick();
		if (config_num(config_now(), SET_log_stats, NULL, NULL))
			log_line();
	}
	(void)next_period(); /* its place in the heap is free: it was just taken out */
}

bool averages_start(void)
{
	deadline_init(&deadline, period_over);
	period_us = 0;
	return next_period();
}

void averages_stop(void)
{
	deadline_clear(&deadline);
}
