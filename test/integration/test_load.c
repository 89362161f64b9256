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

/* Others have a word in between, and settings of their own. */
static void write_noise(void)
{
	write_text(text("%s/noise.sql", dir()), "set search_path = nowhere;\nset bytea_output = escape;\nselect 1;\n");
}

static void test_psql_script(void)
{
	/* The second time four others use the same two servers. */
	static const struct {
		const char *settings, *others;
	} modes[] = {
		{ "pool_mode = session", "" },
		{ "pool_mode = transaction\ndefault_pool_size = 2",
		  "pgbench -n -c 4 -R 300 -T 100 -f noise.sql test >noise.log 2>&1 & trap 'kill $!; wait' EXIT; " },
	};
	char *straight, *through;
	write_noise();
	write_text(text("%s/script.sql", dir()), script);
	check_eq("psql", run(&straight, "psql -X -h %s -p %d -U alice test -f script.sql", pg_socket_dir(), pg_port()),
		 0);
	check("it got to the end", strstr(straight, "done\n") != NULL);
	for (size_t i = 0; i < COUNT(modes); i++) {
		sluice_with(modes[i].settings);
		check_eq("psql", run(&through, "%spsql -X -f script.sql", modes[i].others), 0);
		check_str(modes[i].settings, through, straight);
		sluice_stop();
	}
}

/* Things whose names depend on search_path, and what pg_dump treats in ways of their own. */
static const char to_dump[] =
	"create schema app; create schema other;\n"
	"create type app.mood as enum ('good', 'bad');\n"
	"create table app.person (id serial primary key, name text not null, mood app.mood default 'good', unique (name));\n"
	"create table app.note (person int references app.person, at timestamptz default now(), what text collate \"C\");\n"
	"insert into app.person (name) select 'person ' || n from generate_series(1, 3000) n;\n"
	"insert into app.note select id, '2001-02-03 04:05:06+07', name || E'\\t\\n\\\\' from app.person;\n"
	"create index on app.note (what text_pattern_ops);\n"
	"create view app.moods as select mood, count(*) from app.person group by mood;\n"
	"create materialized view other.m as select count(*) from app.moods;\n"
	"create function app.twice(int) returns int language sql as 'select $1 * 2';\n"
	"create function app.touch() returns trigger language plpgsql as 'begin new.at := now(); return new; end';\n"
	"create trigger touch before update on app.note for each row execute function app.touch();\n"
	"create table app.parts (n int, s text) partition by range (n);\n"
	"create table app.parts_1 partition of app.parts for values from (0) to (100);\n"
	"insert into app.parts select n, repeat(n::text, 500) from generate_series(0, 99) n;\n"
	"select lo_from_bytea(4711, 'a large object');\n"
	"comment on table app.person is 'It''s a comment';\n"
	"alter database test set work_mem = '8MB';\n"
	"grant select on app.person to bob;\n";

static int major(const char *program)
{
	char *out;
	require("its version", run(&out, "%s --version", program) == 0);
	return atoi(out + strcspn(out, "0123456789"));
}

/* What pg_dump says without Sluice, comparable: newer releases write a random key, for psql alone. */
static char *dumped(const char *database)
{
	char *out;
	check_eq("pg_dump, straight",
		 run(&out, "pg_dump -h %s -p %d -f straight.sql %s && grep -vE '^.(un)?restrict ' straight.sql",
		     pg_socket_dir(), pg_port(), database),
		 0);
	return out;
}

static void test_dump_and_restore(void)
{
	static const char *const pools[] = {
		"pool_mode = session",
		"pool_mode = transaction\ndefault_pool_size = 3",
	};
	/* By one connection, and by several that share a snapshot. */
	static const char *const ways[] = {
		"set -e; pg_dump -Fp -f p.sql test; psql -Xq -v ON_ERROR_STOP=1 -d copy -f p.sql",
		"set -e; pg_dump -Fc test >c.dump; pg_restore --exit-on-error -d copy c.dump",
		"set -e; rm -rf d.dump; pg_dump -Fd -j 2 -f d.dump test; pg_restore -j 2 -d copy d.dump",
		"set -e; pg_dump -Fp --inserts -f p.sql test; psql -Xq1 -v ON_ERROR_STOP=1 -d copy -f p.sql",
	};
	char *out;
	if (major("pg_dump") != atoi(pg_scalar("show server_version"))) {
		skip("pg_dump dumps no newer server, and what it writes is not for an older one");
		return;
	}
	write_text(text("%s/dump.sql", dir()), to_dump);
	check_eq("fill", run(&out, "psql -Xq -v ON_ERROR_STOP=1 -h %s -p %d -f dump.sql", pg_socket_dir(), pg_port()),
		 0);
	write_noise();
	char *want = dumped("test");
	for (size_t i = 0; i < COUNT(pools); i++) {
		sluice_start(&(struct conf){ .databases = "test = @PG@\ncopy = @PG@", .settings = pools[i] });
		for (size_t k = 0; k < COUNT(ways); k++) {
			pg_sql("create database copy template template0");
			int status = run(&out,
					 "pgbench -n -c 4 -R 300 -T 100 -f noise.sql copy >noise.log 2>&1 & "
					 "trap 'kill $!; wait' EXIT; %s",
					 ways[k]);
			check_eq(text("%s: %s: %s", pools[i], ways[k], out), status, 0);
			check(text("%s: %s: what is restored is the same", pools[i], ways[k]),
			      strcmp(dumped("copy"), want) == 0);
			pg_sql("drop database copy with (force)");
		}
		sluice_stop();
	}
	pg_sql("drop database test");
	pg_sql("create database test");
	pg_sql("grant create on database test to public");
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

/* Each of pgbench's threads sends a PREPARE and waits for its answer while others of its connections hold servers. */
static const char *const protocols[] = { "simple", "extended", "prepared" };

/* 200 clients over 20 servers. */
static void test_pgbench_select(void)
{
	fill("1");
	for (size_t i = 0; i < COUNT(protocols); i++) {
		sluice_with(
			"pool_mode = transaction\ndefault_pool_size = 20\nmax_client_conn = 300\nquery_wait_timeout = 120");
		bench(text("-S -c 200 -j 2 -t 50 -M %s", protocols[i]), 10000, 20);
		sluice_stop();
	}
}

static void test_pgbench_read_write(void)
{
	for (size_t i = 0; i < COUNT(protocols); i++) {
		fill("5");
		sluice_with("pool_mode = transaction\ndefault_pool_size = 20\nmax_client_conn = 300");
		bench(text("-c 100 -j 2 -t 30 -M %s", protocols[i]), 3000, 20);
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
	bench("-f pipe.sql -c 50 -j 2 -t 40 -M prepared", 2000, 5);
	check_scalar(client(NULL), "select sum(abalance) from pgbench_accounts", "4000");
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
