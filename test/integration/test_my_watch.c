/* test_my_watch.c - what is told of MySQL's clients that hold servers and do nothing there, and of slow statements. */
#include "harness_my.h"

#include <stdlib.h>
#include <string.h>

#define SECRET "s3cr3t"

static bool told(MYSQL *con, const char *part)
{
	return strstr(my_all(con, "show events"), part) != NULL;
}

static int total(MYSQL *con, const char *name)
{
	return atoi(my_show(con, "STATS", "database", "test", text("total_%s", name)));
}

static void execute(MYSQL_STMT *st)
{
	check(mysql_stmt_error(st), mysql_stmt_execute(st) == 0 && mysql_stmt_store_result(st) == 0);
	mysql_stmt_free_result(st);
}

static void test_leak(void)
{
	/* The threshold is there once nothing is to be said any more: a slow machine is idle for longer between two. */
	sluice_with("pool_mode = transaction\nleak_check_interval = 0.05");
	MYSQL *con = my_console(), *a = my_client(NULL), *b = my_client(NULL);
	static const char query[] = "select 'x" SECRET "' as prepared, 1";
	check_my(b, "select 1", "1");
	my_run(a, "begin");
	check_my(a, "select '" SECRET "' as x, \"" SECRET "\" as y", SECRET "," SECRET);
	my_run(con, "set leak_threshold = 0.3");
	wait_until("it is told of", total(con, "leak_count") == 1);
	check("what", told(con, "select ? as x, ? as y"));
	check("in the log", sluice_logged("leak: it holds server S-0x"));
	MYSQL_STMT *st = mysql_stmt_init(a);
	check("prepared", mysql_stmt_prepare(st, query, sizeof query - 1) == 0);
	my_run(a, "do 1");
	execute(st);
	wait_until("a prepared one, too", told(con, "select ? as prepared, ?"));
	my_run(a, "set @x = '" SECRET "'");
	wait_until("a value", told(con, "set @x = ?"));
	my_run(a, "commit");
	mysql_stmt_close(st);
	check("no literal in the log", !sluice_logged(SECRET));
}

static void test_kill(void)
{
	sluice_with("pool_mode = transaction\nleak_check_interval = 0.05\nleak_action = kill");
	MYSQL *con = my_console(), *a = my_client(NULL);
	my_sql("drop table if exists test.leaked; create table test.leaked (x int) engine=innodb");
	my_run(a, "begin");
	my_run(a, "insert into leaked values (1)");
	my_run(con, "set leak_threshold = 0.3");
	wait_until("it is told of", total(con, "leak_count") == 1);
	check("closed", mysql_ping(a) != 0);
	wait_until("its server is kept", strcmp(my_show(con, "LEDGER", "item", "idle", "value"), "1") == 0);
	check_str("and rolled back", my_scalar("select count(*) from test.leaked"), "0");
	my_sql("drop table test.leaked");
}

static void test_slow(void)
{
	enum { SLOW_MS = 200 };
	sluice_with("pool_mode = transaction\nslow_query_threshold = 0.2");
	MYSQL *con = my_console(), *a = my_client(NULL);
	(void)my_all(a, "select sleep(0.3), '" SECRET "'");
	check_eq("counted", total(con, "slow_count"), 1);
	check("an event", told(con, "select sleep (?), ?"));
	check("in the log", sluice_logged("slow statement: "));
	uint64_t said = now_ms();
	check_my(a, "select 1", "1");
	check("not that", total(con, "slow_count") == 1 || now_ms() - said >= SLOW_MS);
	check("no literal in the log", !sluice_logged(SECRET));
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "leak", test_leak },
		{ "kill", test_kill },
		{ "slow", test_slow },
		{ NULL, NULL },
	};
	return harness_my_main(argc, argv, "my_watch", tests);
}
