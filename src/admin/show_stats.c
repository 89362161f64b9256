/* show_stats.c - SHOW STATS and its kin: the counters of stats.def, by database and in all. */
#include "admin/show.h"

#include "admin/averages.h"
#include "pool/pool.h"

/* Column names that PgBouncer has are not quite regular; those of its rows that differ are told here. */
struct view {
	const char *prefix;
	const char *received, *sent; /* whole names */
	const char *prepared_prefix; /* of the three about prepared statements, */
	const char *login_prefix;    /* of client_login_count */
};
enum { VIEW_TOTAL, VIEW_AVG, VIEW_TOTALS_ONLY, VIEW_AVERAGES_ONLY, VIEW_ALL_TOTAL, VIEW_ALL_AVG, NVIEWS };
static const struct view views[NVIEWS] = {
	[VIEW_TOTAL] = { "total_", "total_received", "total_sent", "total_", "total_" },
	[VIEW_AVG] = { "avg_", "avg_recv", "avg_sent", "avg_", "avg_" },
	[VIEW_TOTALS_ONLY] = { "", "bytes_received", "bytes_sent", "", "" },
	[VIEW_AVERAGES_ONLY] = { "", "bytes_received", "bytes_sent", "avg_", "avg_" },
	[VIEW_ALL_TOTAL] = { "total_", "total_client_bytes", "total_server_bytes", "total_ps_", "total_" },
	[VIEW_ALL_AVG] = { "avg_", "avg_client_bytes", "avg_server_bytes", "avg_ps_", "avg_" },
};

static char names[NVIEWS][STAT_COUNT][40];
static struct column stats_cols[1 + 2 * STAT_COUNT], totals_cols[1 + STAT_COUNT], averages_cols[1 + STAT_COUNT];

static void set_name(int view, int id)
{
	const struct view *v = &views[view];
	const char *prefix = v->prefix;
	char *out = names[view][id];

	switch (id) {
	case STAT_received:
		str_fmt(out, sizeof names[0][0], "%s", v->received);
		return;
	case STAT_sent:
		str_fmt(out, sizeof names[0][0], "%s", v->sent);
		return;
	case STAT_client_parse_count:
	case STAT_server_parse_count:
	case STAT_bind_count:
		prefix = v->prepared_prefix;
		break;
	case STAT_client_login_count:
		prefix = v->login_prefix;
		break;
	default:
		break;
	}
	str_fmt(out, sizeof names[0][0], "%s%s", prefix, stat_rows[id].name);
}

static void set_cols(struct column *cols, int view)
{
	for (int i = 0; i < STAT_COUNT; i++)
		cols[i] = (struct column){ names[view][i], COL_NUMERIC };
}

/* PgBouncer's columns first: in SHOW STATS, too, the totals and averages that only Sluice has come last. */
#define PGBOUNCER_STATS (STAT_client_login_count + 1)
_Static_assert(PGBOUNCER_STATS <= STAT_COUNT, "PgBouncer's counters come first in stats.def");

void show_stats_init(void)
{
	for (int v = 0; v < NVIEWS; v++)
		for (int i = 0; i < STAT_COUNT; i++)
			set_name(v, i);
	stats_cols[0] = totals_cols[0] = averages_cols[0] = (struct column){ "database", COL_TEXT };
	set_cols(totals_cols + 1, VIEW_TOTALS_ONLY);
	set_cols(averages_cols + 1, VIEW_AVERAGES_ONLY);
	struct column *to = stats_cols + 1;
	for (int i = 0; i < PGBOUNCER_STATS; i++)
		*to++ = (struct column){ names[VIEW_TOTAL][i], COL_NUMERIC };
	for (int i = 0; i < PGBOUNCER_STATS; i++)
		*to++ = (struct column){ names[VIEW_AVG][i], COL_NUMERIC };
	for (int i = PGBOUNCER_STATS; i < STAT_COUNT; i++)
		*to++ = (struct column){ names[VIEW_TOTAL][i], COL_NUMERIC };
	for (int i = PGBOUNCER_STATS; i < STAT_COUNT; i++)
		*to++ = (struct column){ names[VIEW_AVG][i], COL_NUMERIC };
}

/* --- Values */

/* Adds up a database. */
static void add_database(const struct database *db, struct stats *total, struct stats *last)
{
	stats_add(total, &db->gone_stats);
	for (const struct list *at = db->pools.next; at != &db->pools; at = at->next) {
		const struct pool *p = list_owner(at, struct pool, in_db);
		stats_add(total, &p->stats);
		stats_add(last, &p->stats_last);
	}
}

static void sum_of(const struct database *db, struct stats *total, struct stats *avg)
{
	struct stats last = { { 0 } };
	*total = (struct stats){ { 0 } };
	add_database(db, total, &last);
	averages_of(&last, avg);
}

static void gather_databases(struct batch *b)
{
	LIST_EACH (databases_all(), it) {
		const struct database *db = list_owner(it, struct database, in_all);
		if (!db->is_console) /* it has no servers to count for */
			batch_offer(b, (struct item){ .a = db->name->s, .b = "", .obj = db });
	}
}

static void put(struct row *r, const struct stats *s, int from, int to)
{
	for (int i = from; i < to; i++)
		row_big(r, s->v[i]);
}

static void stats_row(struct row *r, const struct item *it)
{
	struct stats total, avg;
	sum_of(it->obj, &total, &avg);
	row_text(r, it->a);
	put(r, &total, 0, PGBOUNCER_STATS);
	put(r, &avg, 0, PGBOUNCER_STATS);
	put(r, &total, PGBOUNCER_STATS, STAT_COUNT);
	put(r, &avg, PGBOUNCER_STATS, STAT_COUNT);
}

static void stats_totals_row(struct row *r, const struct item *it)
{
	struct stats total, avg;
	sum_of(it->obj, &total, &avg);
	row_text(r, it->a);
	put(r, &total, 0, STAT_COUNT);
}

static void stats_averages_row(struct row *r, const struct item *it)
{
	struct stats total, avg;
	sum_of(it->obj, &total, &avg);
	row_text(r, it->a);
	put(r, &avg, 0, STAT_COUNT);
}

const struct show_def show_stats = { stats_cols, 1 + 2 * STAT_COUNT, gather_databases, stats_row };
const struct show_def show_stats_totals = { totals_cols, 1 + STAT_COUNT, gather_databases, stats_totals_row };
const struct show_def show_stats_averages = { averages_cols, 1 + STAT_COUNT, gather_databases, stats_averages_row };

/* --- SHOW TOTALS: a row for each, in the order of SHOW STATS's columns */

static void totals_gather(struct batch *b)
{
	for (unsigned i = 0; i < 2 * STAT_COUNT; i++)
		batch_offer(b, (struct item){ .a = "", .b = "", .id = i });
}

static void totals_row(struct row *r, const struct item *it)
{
	struct stats total = { { 0 } }, last = { { 0 } }, avg;
	/* PgBouncer's totals and averages, then the totals and averages that only Sluice has. */
	size_t at = (size_t)it->id, theirs = PGBOUNCER_STATS, ours = STAT_COUNT - PGBOUNCER_STATS;
	bool is_own = at >= 2 * theirs;
	size_t in = is_own ? at - 2 * theirs : at, n = is_own ? ours : theirs;
	bool is_avg = in >= n;
	size_t i = in % n + (is_own ? theirs : 0);

	LIST_EACH (databases_all(), l)
		add_database(list_owner(l, struct database, in_all), &total, &last);
	averages_of(&last, &avg);
	row_text(r, names[is_avg ? VIEW_ALL_AVG : VIEW_ALL_TOTAL][i]);
	row_big(r, is_avg ? avg.v[i] : total.v[i]);
}

static const struct column totals_columns[] = { { "name", COL_TEXT }, { "value", COL_NUMERIC } };
const struct show_def show_totals = { totals_columns, 2, totals_gather, totals_row };
