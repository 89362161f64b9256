/* test_my_replica.c - the server's binary log by the mysql door, for the programs that read it: in session pooling;
 * and in transaction pooling an error that says what to do. */
#include "harness_my.h"
#include "mysqlraw.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* The program of the server's own release, towards Sluice or the server. */
static char *reader(int port, const char *more)
{
	return my_is_mysql()
		       ? text("'%s/mysqlbinlog' --no-defaults -R -h 127.0.0.1 -P %d -u alice -palice-secret --ssl-mode=DISABLED "
			      "--get-server-public-key %s",
			      getenv("TEST_MY_BINDIR"), port, more)
		       : text("mariadb-binlog --no-defaults -R -h 127.0.0.1 -P %d -u alice -palice-secret --skip-ssl %s",
			      port, more);
}

static char *log_now(void)
{
	return my_scalar(my_is_mysql() ? "show binary log status" : "show master status");
}

static void fill(void)
{
	my_sql("drop table if exists test.r; create table test.r(a int, b longtext)");
	my_sql("set global max_allowed_packet = 67108864");
	my_sql("set session binlog_format = row");
	my_sql("insert into test.r values (1, 'one'), (2, repeat('two', 5000))");
	my_sql("insert into test.r values (3, repeat('three', 1000000))");
}

static void test_read(void)
{
	my_sql("flush binary logs");
	char *out, *first = log_now();
	fill();
	my_sql("flush binary logs");
	sluice_start(&(struct conf){ .settings = "pool_mode = session\n" });
	static const char *const ways[] = { "", "--verbose --base64-output=decode-rows" };
	for (size_t i = 0; i < COUNT(ways); i++) {
		check_eq("straight",
			 run(&out, "%s '%s' >straight%zu 2>errors%zu; s=$?; cat errors%zu; exit $s",
			     reader(my_port(), ways[i]), first, i, i, i),
			 0);
		check_eq(out,
			 run(&out, "%s '%s' >sluice%zu 2>errors%zu; s=$?; cat errors%zu; exit $s",
			     reader(sluice_my_port(), ways[i]), first, i, i, i),
			 0);
		check_eq(out, run(&out, "cmp straight%zu sluice%zu && grep -qi 'create table' sluice%zu", i, i, i), 0);
	}
	/* As it is, by files. */
	check_eq("raw",
		 run(&out, "mkdir -p raw && cd raw && %s '%s' 2>&1 && cmp '%s' ../mydata/'%s' 2>&1",
		     reader(sluice_my_port(), "--raw"), first, first, first),
		 0);
	check(out, !strstr(out, "differ"));
	MYSQL *c = my_client(NULL);
	check_my(c, "select count(*) from r", "3");
}

/* Some wait for what comes, and the server is free when they go. */
static void test_follow(void)
{
	sluice_start(&(struct conf){ .settings = "pool_mode = session\ndefault_pool_size = 1\nquery_timeout = 1\n" });
	my_sql("flush binary logs");
	char *first = log_now(), *out;
	fill();
	pid_t pid = run_in_background("followed", "stdbuf -oL %s '%s'",
				      reader(sluice_my_port(),
					     my_is_mysql() ? "--stop-never --connection-server-id=77"
							   : "--stop-never --stop-never-slave-server-id=77"),
				      first);
	wait_until("it has begun", run(&out, "grep -qi 'create table' '%s/followed'", dir()) == 0);
	my_sql("create table if not exists test.comes_later(a int)");
	wait_until("what comes later comes", run(&out, "grep -q comes_later '%s/followed'", dir()) == 0);
	my_sql("drop table test.comes_later");
	MYSQL *console = my_console();
	check_str("shown", my_show(console, "clients", "user", "alice", "state"), "active");
	check_str("as what it is", my_show(console, "clients", "user", "alice", "replication"), "physical");
	uint64_t began = now_ms();
	wait_until("longer than statements may last", now_ms() > began + 1500);
	my_sql("create table test.and_later(a int)");
	wait_until("it is followed still", run(&out, "grep -q and_later '%s/followed'", dir()) == 0);
	my_sql("drop table test.and_later");
	my_run(console, "set query_timeout = 0");
	kill(pid, SIGKILL);
	int status;
	wait_until("it is gone", has_ended(pid, &status));
	check_my(my_client(NULL), "select 1", "1");
	wait_until("and so is its dump",
		   strcmp(my_scalar("select count(*) from information_schema.processlist where command "
				    "like 'Binlog Dump%%'"),
			  "0") == 0);
}

/* A client that is no replica any more. */
static void test_ends(void)
{
	sluice_start(&(struct conf){ .settings = "pool_mode = session\n" });
	my_close(my_client(NULL));
	struct myraw r;
	require("in", myraw_open(&r, sluice_my_port(), "alice", "alice-secret", "test", MY_USUAL));
	struct pgraw_bytes b = { 0 };
	/* Registers, asks for a log that is not there, and has an error. */
	myraw_add_u32(&b, 78);
	pgraw_add(&b, "\0\0\0\0\0\0\0\0\0\0\0\0\0", 13);
	check("registered", myraw_command(&r, 21, b.p, b.n) && myraw_wait(&r));
	char *lines = myraw_lines(&r);
	check(lines, strncmp(lines, "ok", 2) == 0);
	free(lines);
	b.n = 0;
	myraw_add_u32(&b, 4);
	myraw_add_u16(&b, 1); /* ends where the log ends */
	myraw_add_u32(&b, 78);
	pgraw_add(&b, "none.000001", 11);
	check("sent", myraw_command(&r, 18, b.p, b.n));
	(void)myraw_wait(&r); /* it may close the connection behind that */
	lines = myraw_lines(&r);
	check(text("refused by the server: %s", lines), strstr(lines, "error 1236"));
	free(lines);
	/* Refused, it is none. */
	MYSQL *console = my_console();
	char *is = my_show(console, "clients", "user", "alice", "replication");
	check("no replica", !is || strcmp(is, "none") == 0);
	lines = myraw_ask(&r, "select 5");
	check(text("and goes on, or is closed: %s", lines), strstr(lines, "row 5") || r.closed || r.error == 1158);
	free(lines);
	free(b.p);
	myraw_close(&r, false);
	check_my(my_client(NULL), "select 1", "1");
}

static void test_shared(void)
{
	char *out, *first = log_now();
	sluice_start(&(struct conf){ .settings = "pool_mode = transaction\n" });
	my_close(my_client(NULL));
	check("refused", run(&out, "%s '%s' 2>&1 >/dev/null", reader(sluice_my_port(), ""), first) != 0);
	check(out, strstr(out, "a replica needs a server of its own") && strstr(out, "pool_mode = session"));
	static const uint8_t commands[] = { 18, 21, 30 };
	for (size_t i = 0; i < COUNT(commands); i++) {
		struct myraw r;
		require("in", myraw_open(&r, sluice_my_port(), "alice", "alice-secret", "test", MY_USUAL));
		check("answered", myraw_command(&r, commands[i], "0123456789abcdefghij", 20) && myraw_wait(&r));
		check_eq("refused", r.error, 1235);
		r.error = 0;
		free(myraw_ask(&r, "select 1"));
		check_eq("and goes on", r.error, 0);
		myraw_close(&r, true);
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "read", test_read }, { "follow", test_follow }, { "ends", test_ends }, { "shared", test_shared },
		{ NULL, NULL },
	};
	return harness_my_main(argc, argv, "my_replica", tests);
}
