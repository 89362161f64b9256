/* classify.c - what a look at a statement costs: nanoseconds for each of some typical queries, by src/sql.
 *
 *   cc -O2 -D_GNU_SOURCE -Isrc test/bench/classify.c libsluice.a -o classify && ./classify
 *
 * Each line is the fastest of several rounds, warm, so it compares two versions on one machine and is no promise. */
#include "sql/classify.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define ROUNDS 9
#define TIMES  20000

static const char *const queries[] = {
	"BEGIN;",
	"COMMIT",
	"SELECT abalance FROM pgbench_accounts WHERE aid = 5;",
	"SELECT abalance FROM pgbench_accounts WHERE aid = $1",
	"UPDATE pgbench_accounts SET abalance = abalance + -3424 WHERE aid = 23746;",
	"INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 2, 3, 4, CURRENT_TIMESTAMP);",
	"SELECT \"users\".\"id\", \"users\".\"email\", \"users\".\"created_at\", count(*) FROM \"users\" INNER JOIN \"orders\" ON "
	"\"orders\".\"user_id\" = \"users\".\"id\" WHERE \"users\".\"tenant_id\" = $1 AND \"orders\".\"state\" IN ($2, $3) AND "
	"lower(\"users\".\"email\") LIKE $4 GROUP BY 1, 2, 3 ORDER BY \"users\".\"id\" ASC LIMIT 20 OFFSET 0",
	"SELECT id FROM jobs WHERE state = 'new' ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1",
	"WITH x AS (SELECT 1 AS a) SELECT a FROM x WHERE a = 5",
	"SET application_name = 'shop'",
	"SET search_path TO shop, public; SELECT 1",
	"SELECT pg_catalog.set_config('search_path', '', false);",
	"SELECT pg_advisory_lock(5)",
	"DISCARD ALL",
	"DEALLOCATE stmt_17",
};

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(void)
{
	static struct sql_funcs funcs;
	unsigned long kinds = 0;
	sql_funcs_init(&funcs);
	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		const char *q = queries[i];
		size_t len = strlen(q);
		double best = 1e18, best_plain = 1e18;
		for (int round = 0; round < 2 * ROUNDS; round++) {
			double from = now_ns();
			for (int n = 0; n < TIMES; n++) {
				struct sql_reader r;
				struct sql_stmt st;
				sql_read_init(&r, q, len, 0, &funcs, round % 2 ? SQL_ASK_PLAIN : 0);
				while (sql_read(&r, &st))
					kinds += st.kind;
			}
			double took = (now_ns() - from) / TIMES;
			double *b = round % 2 ? &best_plain : &best;
			if (took < *b)
				*b = took;
		}
		printf("%6.1f ns  (asked whether plain: %6.1f)  %.60s\n", best, best_plain, q);
	}
	return kinds == 0;
}
