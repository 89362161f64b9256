/* test_my_state.c - clients of transaction pooling over few servers: what each has said is its own, on whatever server
 * it comes to, or keeps it where it is. */
#include "harness_my.h"
#include "mysqlraw.h"

#include <stdlib.h>
#include <string.h>

static MYSQL *admin;

static void start(unsigned servers, const char *more)
{
	sluice_start(&(struct conf){
		.settings = text("pool_mode = transaction\ndefault_pool_size = %u\n%s", servers, more) });
	my_close(my_client(NULL)); /* the server's version is known then */
	admin = my_console();
}

/* What keeps it on its server: as SHOW CLIENTS says. */
static char *pins(MYSQL *c)
{
	char *id = my_id(mysql_thread_id(c)), *shown = my_show(admin, "clients", "id", id, "pins");
	return shown ? shown : "?";
}

#define check_pins(c, query, want)                                                                                     \
	do {                                                                                                           \
		my_run(c, "%s", query);                                                                                \
		check_str(query, pins(c), want);                                                                       \
	} while (0)

/* What applications do all day keeps nobody on a server. */
static void test_ordinary(void)
{
	start(1, "");
	my_sql("drop table if exists test.t; create table test.t(a int auto_increment primary key, b int)");
	my_sql("drop procedure if exists test.p; create procedure test.p() select 1");
	MYSQL *c = my_client(NULL);
	static const char *const said[] = {
		"set names utf8mb4",
		"set autocommit = 1",
		"set session transaction isolation level read committed",
		"set sql_mode = concat(@@sql_mode, ',STRICT_TRANS_TABLES'), time_zone = '+02:00'",
		"select @@version_comment limit 1",
		"insert into t (b) values (1)",
		"update t set b = 2",
		"begin",
		"insert into t (b) values (2)",
		"commit",
		"use test",
		"select 'a@b', @x",
		"show variables like 'version'",
		"call p()",
		"create table if not exists u (a int)",
		"drop table u",
		"set autocommit = 0",
		"select * from t",
		"commit",
	};
	for (size_t i = 0; i < COUNT(said); i++)
		if (my_tells() || (!strstr(said[i], "concat") && !strstr(said[i], "call")))
			check_pins(c, said[i], "");
	check_my(my_client(NULL), "select 1", "1");
}

/* So does choosing a schema by the command that drivers use for it, the one that it is in already too. */
static void test_schemas(void)
{
	start(1, "");
	my_sql("create database if not exists other");
	MYSQL *a = my_client(NULL), *b = my_client(NULL);
	for (int i = 0; i < 2; i++) {
		check("the same", mysql_select_db(a, "test") == 0);
		check_str("no pins", pins(a), "");
		check("another one", mysql_select_db(b, "other") == 0);
		check_str("no pins", pins(b), "");
		check("none", mysql_select_db(a, "db_nowhere") != 0);
		check_my(a, "select database()", "test");
		check_my(b, "select database()", "other");
	}
}

static void test_settings(void)
{
	start(2, "");
	MYSQL *a = my_client(NULL), *b = my_client(NULL), *d = my_client(NULL);
	const char *ask = "select @@collation_connection, @@character_set_results, @@time_zone, @@autocommit";
	char *first = my_all(d, "%s", ask);
	my_run(a, "set names latin1 collate latin1_bin, time_zone = '+03:00'");
	my_run(b, "set names latin1, time_zone = '+01:00'");
	my_run(b, "set @@session.autocommit = 0, character_set_results = null");
	for (int i = 0; i < 2; i++) {
		check_my(a, ask, "latin1_bin,latin1,+03:00,1");
		check_my(b, ask, "latin1_swedish_ci,null,+01:00,0");
		my_run(b, "rollback");
		check_my(d, ask, first);
	}
	my_run(a, "set names latin1");
	my_run(b, "set time_zone = default");
	my_run(b, "rollback");
	check_my(a, ask, "latin1_swedish_ci,latin1,+03:00,1");
	check_str("no pins", pins(a), "");
	check_str("no pins", pins(b), "");
	/* By a procedure, which no text shows. */
	my_sql("drop procedure if exists test.p; create procedure test.p() set time_zone = '+05:00'");
	my_run(a, "call p()");
	check_my(d, "select @@time_zone = @@global.time_zone", "1");
	check_my(a, "select @@time_zone", "+05:00");
}

/* Each of a pair begins and ends it, and others go on meanwhile. */
static void test_pins(void)
{
	start(2, "");
	MYSQL *c = my_client(&(struct my_how){ .flags = CLIENT_MULTI_STATEMENTS }), *other = my_client(NULL);
	my_sql("drop table if exists test.t; create table test.t(a int)");
	static const struct {
		const char *begins, *pin, *ends;
	} pairs[] = {
		{ "create temporary table tt (a int); create temporary table uu (a int)", "temporary",
		  "drop table tt, uu" },
		{ "select get_lock('x', 1)", "get_lock", "do release_lock('x')" },
		{ "select get_lock('x', 1) union select get_lock('y', 1)", "get_lock", "select release_all_locks()" },
		{ "lock tables t read", "lock_tables", "unlock tables" },
		{ "flush tables with read lock", "read_lock", "unlock tables" },
		{ "prepare s from 'select 1'", "prepared", "deallocate prepare s" },
		{ "handler t open", "handler", "handler t close" },
		{ "xa start 'x'; xa end 'x'", "xa", "xa rollback 'x'" },
		{ "set transaction isolation level serializable", "next_transaction", "begin; commit" },
		{ "select sql_calc_found_rows 1", "found_rows", "select found_rows() where 0" },
	};
	for (size_t i = 0; i < COUNT(pairs); i++) {
		my_run(c, "%s", pairs[i].begins);
		check(pairs[i].begins, strstr(pins(c), pairs[i].pin) != NULL);
		check_my(other, "select 1", "1");
		my_run(c, "%s", pairs[i].ends);
		check(pairs[i].ends, strstr(pins(c), pairs[i].pin) == NULL);
	}
	/* And these for as long as it is there. */
	check_pins(c, "set @x = 1", "user_variable");
	my_close(c);
	c = my_client(NULL);
	for (int i = 0; i < 3; i++) {
		check_my(c, "select @x", "null");
		check_my(other, "select @x", "null");
	}
	wait_until("as few as there may be", my_servers() <= 2);
}

static void test_routines(void)
{
	start(2, "pin_functions = quiet\n");
	my_sql("drop procedure if exists test.loud; create procedure test.loud() set @x = 5");
	my_sql("drop function if exists test.loud; create function test.loud() returns int no sql begin set @x = 6; return 1; end");
	my_sql("drop function if exists test.quiet; create function test.quiet() returns int no sql return 1");
	MYSQL *a = my_client(NULL), *b = my_client(NULL), *d = my_client(NULL);
	my_run(a, "call loud()");
	check("a procedure", strstr(pins(a), "routine") != NULL);
	check_my(a, "select @x", "5");
	check_my(d, "select @x", "null");
	my_close(a);
	if (my_tells() && !my_is_mysql()) { /* MySQL says nothing of it to who reads the ends of rows of before 5.7.5 */
		my_run(b, "select loud()");
		check("a function", strstr(pins(b), "routine") != NULL);
		check_my(b, "select @x", "6");
		check_my(d, "select @x", "null");
		my_close(b);
	}
	check_pins(d, "select quiet()", "function");
}

/* What a function has done is told with the next OK where rows end without one, and that may be a ping's. */
static void test_told_late(void)
{
	static const uint8_t commands[] = { MY_PING, MY_STATISTICS, MY_SET_OPTION };
	start(3, "");
	my_sql("drop function if exists test.loud; create function test.loud() returns int no sql begin set @x = 6; return 1; end");
	for (size_t i = 0; i < COUNT(commands) && my_tells(); i++) {
		struct myraw r;
		require("in", myraw_open(&r, sluice_my_port(), "alice", "alice-secret", "test", MY_USUAL));
		require("sent", myraw_query(&r, "select loud()") &&
					myraw_command(&r, commands[i], "\0\0", i == 2 ? 2 : 0) &&
					myraw_command(&r, MY_PING, "", 0) && myraw_query(&r, "select @x"));
		require("answered", myraw_wait(&r));
		char *lines = myraw_lines(&r);
		check(lines, strstr(lines, "row 6") != NULL);
		free(lines);
		check(text("command %u", commands[i]),
		      strstr(my_show(admin, "clients", "id", my_id(r.thread), "pins"), "routine") != NULL);
		myraw_close(&r, true);
	}
}

/* What a statement leaves for the one after it, however many others the server has served meanwhile. */
static void test_last(void)
{
	start(1, "");
	my_sql("drop table if exists test.t; create table test.t(a int auto_increment primary key, b int)");
	MYSQL *a = my_client(NULL), *b = my_client(NULL), *d = my_client(NULL);
	my_run(a, "insert into t (b) values (1), (2), (3)");
	my_run(b, "insert into t (b) values (4)");
	check_my(a, "select last_insert_id()", "1");
	check_my(b, "select last_insert_id(), @@identity", "4,4");
	check_my(d, "select last_insert_id()", "0");
	my_run(a, "insert into t (b) select last_insert_id()");
	check_my(d, "select last_insert_id() + 0", "0");
	check_my(b, "select b from t where a = 5", "1");
	my_run(b, "set last_insert_id = 77");
	my_run(a, "do 1");
	check_my(b, "select last_insert_id()", "77");
	check_my(a, "select last_insert_id()", "5");

	/* In a transaction that began on a server where another one inserted. */
	my_run(b, "insert into t (b) values (6)");
	my_run(a, "begin");
	check_my(a, "select last_insert_id()", "5");
	my_run(a, "insert into t (b) values (last_insert_id())");
	check_my(a, "select b from t where a = last_insert_id()", "5");
	my_run(a, "rollback");
	check_my(a, "select last_insert_id()", "7");

	my_run(a, "update t set b = 9 where a < 3");
	my_run(b, "delete from t where a = 5");
	check_my(a, "select row_count()", "2");
	check_my(b, "select row_count() as n", "1");
	check_my(b, "select row_count()", "-1");
	my_run(a, "select a from t limit 3");
	my_run(b, "select a from t limit 1");
	check_my(a, "select found_rows()", "3");
	check_my(b, "select found_rows() + 1", "2");
	my_run(a, "begin");
	my_run(a, "select a from t limit 2");
	check_my(a, "select found_rows()", "2");
	my_run(a, "commit");
	for (int i = 0; i < 2; i++) {
		check_my(a, "select connection_id()", text("%lu", mysql_thread_id(a)));
		check_my(b, "select connection_id() + 1 as x", text("%lu", mysql_thread_id(b) + 1));
	}
	check_str("no pins", pins(a), "");
}

/* Warnings are there for who asks at once, and nobody waits for long for a server that is kept for them. */
static void test_warnings(void)
{
	start(1, "");
	my_sql("drop table if exists test.t");
	MYSQL *a = my_client(NULL), *b = my_client(NULL);
	my_run(a, "drop table if exists t");
	check_str("kept for it", pins(a), "warnings");
	for (int i = 0; i < 2; i++)
		check("a warning", strstr(my_all(a, "show warnings"), "1051") != NULL);
	my_run(a, "do 1");
	check_str("no more", pins(a), "");
	check_my_fails(a, "nonsense", 1064, "42000", NULL);
	check("an error", strstr(my_all(a, "show warnings"), "1064") != NULL);
	/* Another one needs the server. */
	check_my(b, "show warnings", "");
	check_my(b, "select 1", "1");
	check_my_fails(a, "show warnings", 1235, "42000", "not at hand any more");
	check_my(a, "select 1", "1");
	check_my(a, "show warnings", "");
}

/* What is set under way reads what follows. */
static void test_ahead(void)
{
	struct myraw r;
	start(1, "");
	require("in", myraw_open(&r, sluice_my_port(), "alice", "alice-secret", "test", MY_USUAL));
	require("sent", myraw_query(&r, "set sql_mode = 'NO_BACKSLASH_ESCAPES'"));
	require("sent", myraw_query(&r, "select 'a\\', get_lock('l', 1) -- '"));
	require("answered", myraw_wait(&r));
	check_str("it has a lock", my_show(admin, "clients", "id", my_id(r.thread), "pins"), "get_lock");
	myraw_close(&r, false);
}

static void test_policy(void)
{
	start(1, "pin_policy = error\n");
	MYSQL *a = my_client(NULL), *b = my_client(NULL);
	check_my_fails(a, "set @x = 1", 1235, "42000", "user_variable");
	check_my_fails(a, "lock tables t read", 1235, "42000", "lock_tables");
	check_my(a, "select 1", "1");
	check_my(b, "select 1", "1");
	my_run(a, "begin");
	check_my_fails(a, "select get_lock('a', 1)", 1235, "42000", "get_lock");
	check_my(a, "select 2", "2");
	my_run(a, "commit");
	check_my(a, "select sql_calc_found_rows 3", "3"); /* it keeps its server for the next statement alone */
	check_my(a, "select found_rows()", "1");
	sluice_stop();
	start(1, "pin_policy = ignore\n");
	a = my_client(NULL);
	check_pins(a, "set @x = 1", "");
}

static const struct unit_test tests[] = {
	{ "ordinary", test_ordinary },
	{ "schemas", test_schemas },
	{ "settings", test_settings },
	{ "pins", test_pins },
	{ "routines", test_routines },
	{ "told_late", test_told_late },
	{ "last", test_last },
	{ "warnings", test_warnings },
	{ "ahead", test_ahead },
	{ "policy", test_policy },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return harness_my_main(argc, argv, "my_state", tests);
}
