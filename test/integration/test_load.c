/* test_load.c - the programs that everybody has: psql, pg_dump and pgbench, unmodified, and many of them at once. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

/* What psql says of this is the same through Sluice as without it. */
static const char script[] =
	"\\set VERBOSITY verbose\n"
	"\\pset null '(null)'\n"
	"select 1 as one, null as nothing, 'text' as word;\n"
	"create table book (id serial primary key, title text not null, price numeric(8,2), printed date);\n"
	"insert into book (title, price, printed) values ('A', 1.50, '2001-02-03'), ('B', 2, null) returning *;\n"
	"\\d book\n"
	"\\dt\n"
	"copy book (title, price) from stdin;\n"
	"C\\tmore\t3.25\n"
	"D\t4\n"
	"\\.\n"
	"copy book to stdout;\n"
	"\\copy (select title from book order by id) to stdout csv header\n"
	"select title, price from book order by id \\gdesc\n"
	"select title, price from book where price > :'limit' order by id;\n"
	"\\set limit 2\n"
	"select title, price from book where price > :limit order by id \\gx\n"
	"begin;\n"
	"declare c cursor for select id from book order by id;\n"
	"fetch 2 from c;\n"
	"fetch 2 from c;\n"
	"savepoint s;\n"
	"insert into book (title) values (null);\n"
	"select 'not run';\n"
	"rollback to s;\n"
	"select count(*) from book;\n"
	"commit;\n"
	"select 1/0;\n"
	"selec;\n"
	"do $$ begin raise notice 'hello'; raise warning 'careful'; end $$;\n"
	"\\set FETCH_COUNT 3\n"
	"select n, n * n as square from generate_series(1, 10) n;\n"
	"\\unset FETCH_COUNT\n"
	"select format('select %s as generated', n) from generate_series(1, 3) n \\gexec\n"
	"select 'a;b', $$dollar; quoted$$ \\; select 'second of two';\n"
	"prepare p (int) as select $1 + 1; execute p (41); deallocate p;\n"
	"set timezone = 'Asia/Tokyo';\n"
	"select '2001-01-01 00:00+00'::timestamptz;\n"
	"set datestyle = 'German';\n"
	"select '2001-02-03'::date;\n"
	"show server_version_num;\n"
	"select \xc3\xa4 from (values ('\xe2\x82\xac')) as t(\xc3\xa4);\n"
	"\\encoding LATIN1\n"
	"select length('\xe4');\n"
	"\\encoding UTF8\n"
	"begin; select lo_create(4711); select lo_put(4711, 0, '\\x010203'); select lo_get(4711); select lo_unlink(4711); "
	"commit;\n"
	"explain (costs off) select * from book where id = 1;\n"
	"drop table book;\n"
	"\\echo done\n";

static void test_psql_script(void)
{
	static const char *const modes[] = { "session", "transaction" };
	char *straight, *through;
	write_text(text("%s/script.sql", dir()), script);
	check_eq("psql", run(&straight, "psql -X -h %s -p %d -U alice test -f script.sql", pg_socket_dir(), pg_port()),
		 0);
	check("it got to the end", strstr(straight, "done\n") != NULL);
	for (size_t i = 0; i < COUNT(modes); i++) {
		sluice_with(text("pool_mode = %s", modes[i]));
		check_eq("psql", run(&through, "psql -X -f script.sql"), 0);
		check_str(modes[i], through, straight);
		sluice_stop();
	}
}

static void test_dump_and_restore(void)
{
	char *straight, *through;
	sluice_with("pool_mode = session");
	check_eq("fill", run(&through, "pgbench -i -q -s 1"), 0);
	check_eq("pg_dump", run(&through, "pg_dump -f through.sql test"), 0);
	check_eq("pg_dump, straight",
		 run(&straight, "pg_dump -h %s -p %d -f straight.sql test", pg_socket_dir(), pg_port()), 0);
	/* Newer releases write a random key, to psql alone. */
	check_eq("the same",
		 run(&through, "for f in through straight; do grep -vE '^.(un)?restrict ' $f.sql >$f.cmp; done; "
			       "cmp through.cmp straight.cmp"),
		 0);
	check_eq("restore",
		 run(&through, "psql -Xq -v ON_ERROR_STOP=1 -c 'drop table pgbench_accounts, pgbench_branches, "
			       "pgbench_tellers, pgbench_history' && psql -Xq -v ON_ERROR_STOP=1 -f through.sql"),
		 0);
	check_scalar(client(NULL), "select count(*) from pgbench_accounts", "100000");
}

/* Runs pgbench and looks how many servers it uses meanwhile. */
static void bench(const char *arguments, int transactions, int max_servers)
{
	pid_t pid = run_in_background("bench.out", "pgbench -n %s", arguments);
	int most = 0, status;
	while (!has_ended(pid, &status)) {
		int n = pg_servers();
		most = n > most ? n : most;
		poll_pause();
	}
	char *out = file_text(text("%s/bench.out", dir()));
	check(text("pgbench %s: %s", arguments, out), status == 0);
	check(text("all transactions: %s", out),
	      strstr(out, text("actually processed: %d/%d\n", transactions, transactions)) != NULL);
	check(text("none failed: %s", out), strstr(out, "failed transactions: 0 (") != NULL);
	check(text("at most %d servers, and not %d", max_servers, most), most <= max_servers && most > 0);
	write_text(text("%s/bench.out", dir()), "");
}

static void fill(const char *scale)
{
	char *out;
	check_eq("pgbench -i", run(&out, "pgbench -i -q -s %s -h %s -p %d", scale, pg_socket_dir(), pg_port()), 0);
}

/* pgbench waits for each PREPARE's answer with the whole thread, and so holds up those who have a server: then each of
 * its clients wants a thread of its own. */
static const struct {
	const char *protocol, *pool_mode;
	bool has_threads;
} protocols[] = {
	{ "simple", "transaction", false },
	{ "extended", "transaction", false },
	{ "prepared", "session", true }, /* until Sluice keeps track of named statements */
};

/* 200 clients over 20 servers. */
static void test_pgbench_select(void)
{
	fill("1");
	for (size_t i = 0; i < COUNT(protocols); i++) {
		sluice_with(
			text("pool_mode = %s\ndefault_pool_size = 20\nmax_client_conn = 300\nquery_wait_timeout = 120",
			     protocols[i].pool_mode));
		bench(text("-S -c 200 -j %d -t 50 -M %s", protocols[i].has_threads ? 200 : 2, protocols[i].protocol),
		      10000, 20);
		sluice_stop();
	}
}

static void test_pgbench_read_write(void)
{
	for (size_t i = 0; i < COUNT(protocols); i++) {
		fill("5");
		sluice_with(
			text("pool_mode = %s\ndefault_pool_size = 20\nmax_client_conn = 300", protocols[i].pool_mode));
		bench(text("-c 100 -j %d -t 30 -M %s", protocols[i].has_threads ? 100 : 2, protocols[i].protocol), 3000,
		      20);
		PGconn *c = client(NULL);
		check_scalar(c,
			     "select (select sum(abalance) from pgbench_accounts) = (select sum(bbalance) from "
			     "pgbench_branches)",
			     "t");
		check_scalar(c,
			     "select (select sum(tbalance) from pgbench_tellers) = (select sum(bbalance) from "
			     "pgbench_branches)",
			     "t");
		check_scalar(c,
			     "select (select sum(delta) from pgbench_history) = (select sum(bbalance) from "
			     "pgbench_branches)",
			     "t");
		check_scalar(c, "select count(*) from pgbench_history", "3000");
		sluice_stop();
	}
}

/* A connection for each transaction. */
static void test_pgbench_connect(void)
{
	fill("1");
	sluice_with(
		"pool_mode = transaction\ndefault_pool_size = 20\nmax_client_conn = 300\nauth_type = scram-sha-256");
	setenv("PGPASSWORD", "alice-secret", 1);
	bench("-S -C -c 20 -j 2 -t 20 -M simple", 400, 20);
	unsetenv("PGPASSWORD");
	PGconn *con = console();
	wait_until("all clients are gone", show_int(con, "LISTS", "list", "used_clients", "items") <= 1);
}

/* pgbench's pipeline, many statements in one go. */
static void test_pgbench_pipeline(void)
{
	fill("1");
	write_text(text("%s/pipe.sql", dir()), "\\set a random(1, 100000)\n\\startpipeline\nbegin;\n"
					       "select abalance from pgbench_accounts where aid = :a;\n"
					       "update pgbench_accounts set abalance = abalance + 1 where aid = :a;\n"
					       "commit;\n\\endpipeline\n");
	sluice_with("pool_mode = transaction\ndefault_pool_size = 5\nmax_client_conn = 300");
	bench("-f pipe.sql -c 50 -j 2 -t 40 -M extended", 2000, 5);
	check_scalar(client(NULL), "select sum(abalance) from pgbench_accounts", "2000");
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "psql_script", test_psql_script },
		{ "dump_and_restore", test_dump_and_restore },
		{ "pgbench_select", test_pgbench_select },
		{ "pgbench_read_write", test_pgbench_read_write },
		{ "pgbench_connect", test_pgbench_connect },
		{ "pgbench_pipeline", test_pgbench_pipeline },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "load", tests);
}
