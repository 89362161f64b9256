/* test_my_relay.c - the mysql door and engine: clients get in, their commands pass, answers of every shape come back,
 * and servers are shared. */
#include "harness_my.h"
#include "mysqlraw.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void start(const char *mode)
{
	sluice_start(&(struct conf){ .settings = text("pool_mode = %s\ndefault_pool_size = 2\n", mode) });
}

#define BOTH_MODES(mode) for (const char *mode = "session"; mode; mode = *mode == 's' ? "transaction" : NULL)

static void test_queries(void)
{
	BOTH_MODES(mode)
	{
		start(mode);
		my_sql("drop table if exists test.t; create table test.t(a int primary key, b longtext)");
		my_sql("drop procedure if exists test.p; create procedure test.p() begin select 1; select 2, 3; end");
		/* The first one comes before the server is known, the second one after. */
		for (int i = 0; i < 2; i++) {
			MYSQL *c = my_client(&(struct my_how){ .flags = CLIENT_MULTI_STATEMENTS });
			check_my(c, "select 1+1, database(), null", "2,test,null");
			check_my(c, "select 1; do 2; select 3 union select 4", "1;ok 0;3|4");
			check_my(c, "call test.p()", "1;2,3;ok 0");
			check_my(c, "replace into t values (1, 'x')", "ok 1");
			check_my_fails(c, "insert into t values (1, 'x')", 1062, "23000", "Duplicate");
			check_my_fails(c, "nonsense", 1064, "42000", NULL);
			check("ping", mysql_ping(c) == 0);
			check_my(c, "select 1; nonsense", "1error 1064");
			check("another schema", mysql_select_db(c, "mysql") == 0);
			check_my(c, "select database()", "mysql");
			check("none of that name", mysql_select_db(c, "nowhere") != 0 && mysql_errno(c) == 1049);
			my_close(c);
		}
		sluice_stop();
	}
}

static void test_long(void)
{
	BOTH_MODES(mode)
	{
		start(mode);
		my_sql("set global max_allowed_packet = 67108864");
		MYSQL *c = my_client(NULL);
		check_my(c, "select length(repeat('x', 100000)), repeat('y', 3)", "100000,yyy");
		/* More than one packet, both ways, and lengths at which one packet ends. */
		static const unsigned long sizes[] = { 0xffffff - 10, 0xfffffe, 0xffffff, 0x1000000, 0x2000010 };
		for (size_t i = 0; i < COUNT(sizes); i++) {
			size_t n = sizes[i], at = strlen("select '");
			char *sql = malloc(n + 1);
			require("memory", sql != NULL);
			memset(sql, 'z', n);
			memcpy(sql, "select '", at);
			sql[n - 1] = '\'';
			require("it is said", mysql_real_query(c, sql, n) == 0);
			MYSQL_RES *r = mysql_store_result(c);
			MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
			unsigned long *lens = r ? mysql_fetch_lengths(r) : NULL;
			check_eq("it comes back whole", row && lens ? lens[0] : 0, n - at - 1);
			mysql_free_result(r);
			free(sql);
		}
		check_my(c, "select 1", "1");
		sluice_stop();
	}
}

static void test_refused(void)
{
	start("session");
	check_my_refused((&(struct my_how){ .password = "wrong" }), 1045, "28000", "Access denied for user 'alice'@");
	check_my_refused((&(struct my_how){ .user = "nobody" }), 1045, "28000", "Access denied for user 'nobody'@");
	check_my_refused((&(struct my_how){ .database = "nowhere" }), 1049, "42000", "Unknown database 'nowhere'");
	my_stop(SIGKILL);
	check_my_refused(NULL, 1429, "08S01", "connect failed");
	my_start();
}

static void test_shared(void)
{
	start("transaction");
	MYSQL *c[6];
	my_sql("drop table if exists test.t; create table test.t(a int)");
	for (size_t i = 0; i < COUNT(c); i++)
		c[i] = my_client(NULL);
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < COUNT(c); i++)
			check_my(c[i], "select 1", "1");
	wait_until("more clients than servers", my_servers() <= 2);
	/* A transaction has its server to itself. */
	my_run(c[0], "begin");
	my_run(c[0], "insert into t values (1)");
	for (size_t i = 1; i < COUNT(c); i++)
		check_my(c[i], "select count(*) from t", "0");
	my_run(c[0], "commit");
	check_my(c[1], "select count(*) from t", "1");
	/* Settings and the default schema are each client's own. */
	my_run(c[0], "set sql_mode = 'ANSI_QUOTES'");
	my_run(c[1], "use mysql");
	for (size_t i = 0; i < COUNT(c); i++)
		check_my(c[i], "select @@sql_mode = 'ANSI_QUOTES', database()",
			 text("%d,%s", i == 0, i == 1 ? "mysql" : "test"));
	/* Errors leave nothing open. */
	for (size_t i = 0; i < COUNT(c); i++)
		check_my_fails(c[i], "nonsense", 1064, "42000", NULL);
	check_my(c[3], "select 1", "1");
	wait_until("and still", my_servers() <= 2);
}

/* No default schema is none, whatever a server had before. */
static void test_no_schema(void)
{
	start("transaction");
	MYSQL *with = my_client(NULL), *without = my_client(&(struct my_how){ .database = "" });
	for (int i = 0; i < 3; i++) {
		check_my(with, "select database()", "test");
		check_my(without, "select database()", "null");
	}
	my_run(without, "use mysql");
	check_my(with, "select database()", "test");
	check_my(without, "select database()", "mysql");
	check_my(my_client(&(struct my_how){ .database = "" }), "select database()", "null");
}

/* In transaction pooling, what a server has of its client keeps it there. */
static void test_kept(void)
{
	start("transaction");
	MYSQL *c = my_client(NULL), *other = my_client(NULL);
	my_run(c, "create temporary table own (a int)");
	check_my(other, "select 1", "1");
	check_my(c, "select count(*) from own", "0");
	my_run(c, "set @mine = 7");
	check_my(other, "select @mine", "null");
	check_my(c, "select @mine", "7");
	my_close(c);
	c = my_client(NULL);
	for (int i = 0; i < 4; i++) {
		check_my(c, "select @mine", "null");
		check_my(other, "select @mine", "null");
	}
}

/* Two statements sent at once are answered in order. */
static void test_ahead(void)
{
	BOTH_MODES(mode)
	{
		struct myraw r;
		start(mode);
		my_close(my_client(NULL)); /* the server's password is known then */
		require("in",
			myraw_open(&r, sluice_my_port(), "alice", "alice-secret", "test", MY_USUAL | MY_SESSION_TRACK));
		for (int i = 0; i < 20; i++)
			require("sent", myraw_query(&r, i % 2 ? "do 1" : "select 5"));
		require("answered", myraw_wait(&r));
		check("in order", !r.nonsense && !r.closed);
		myraw_close(&r, false);
		sluice_stop();
	}
}

static bool is_sleeping(void)
{
	return strcmp(my_scalar(
			      "select count(*) from information_schema.processlist where info like 'select sleep(600)%%'"),
		      "0") != 0;
}

/* A client leaves in the middle of a statement: its server is cleaned and goes on. Also when it is not read from, as
 * what it says next waits for the statement. */
static void test_left(void)
{
	start("transaction");
	my_close(my_client(NULL));
	for (int held = 0; held < 2; held++) {
		struct myraw r;
		require("in", myraw_open(&r, sluice_my_port(), "alice", "alice-secret", "test", MY_USUAL));
		free(myraw_ask(&r, "begin"));
		require("sent", myraw_query(&r, "select sleep(600)"));
		wait_until("it runs", is_sleeping());
		if (held)
			require("sent", myraw_command(&r, MY_RESET_CONNECTION, "", 0));
		myraw_close(&r, false);
		wait_until("it runs no more", !is_sleeping());
		MYSQL *c = my_client(NULL);
		for (int i = 0; i < 5; i++)
			check_my(c, "select 1", "1");
	}
}

/* Within a packet of 16 MB, which goes on in the next one: the header of that comes at once, before anything is
 * cancelled. */
static void test_left_within(void)
{
	struct myraw r;
	static char some[16700000];
	my_sql("set global max_allowed_packet = 67108864");
	start("transaction");
	require("in", myraw_open(&r, sluice_my_port(), "alice", "alice-secret", "test", MY_USUAL));
	require("sent", myraw_query(&r, "select repeat('x', 40000000)"));
	require("most of it", raw_read(r.fd, some, sizeof some));
	myraw_close(&r, false);
	MYSQL *c = my_client(NULL);
	for (int i = 0; i < 5; i++)
		check_my(c, "select 1", "1");
	my_close(c);
}

static void test_console(void)
{
	start("session");
	MYSQL *c = my_client(NULL), *console = my_console();
	check_my(c, "select 1", "1");
	check_str("a pool", my_show(console, "pools", "database", "test", "cl_active"), "1");
	check_my(console, "set names utf8mb4", "ok 0");
	check_my_fails(console, "nonsense", 1064, "42000", NULL);
	check("ping", mysql_ping(console) == 0);
	check_my_refused((&(struct my_how){ .user = "bob", .database = "sluice" }), 1227, "42000", "not allowed");
	/* What drivers ask by themselves. */
	check_my(console, "select @@version_comment limit 1", "Sluice's console");
	check_my(console, "/* ping */ select 1", "1");
	check_my(console, "select connection_id() as id, database()", text("%lu,sluice", mysql_thread_id(console)));
	check_my(console, "show variables like 'wait_timeout'", "wait_timeout,28800");
	check_my(console, "set autocommit = 1", "ok 0");
	check_my(console, "show warnings", "");
	check_my_fails(console, "select @@nonsense", 1193, "HY000", "Unknown system variable 'nonsense'");
	check_my_fails(console, "select 1 from t", 1064, "42000", NULL);
}

/* A session begins again, as itself or as another, in the middle of anything. */
static void test_reset(void)
{
	BOTH_MODES(mode)
	{
		start(mode);
		my_sql("drop table if exists test.t; create table test.t(a int)");
		MYSQL *c = my_client(NULL), *other = my_client(NULL);
		for (int i = 0; i < 2; i++) {
			my_run(c, "set sql_mode = 'ANSI_QUOTES', @mine = 7");
			my_run(c, "create temporary table own (a int)");
			my_run(c, "use mysql");
			my_run(c, "begin");
			my_run(c, "insert into test.t values (1)");
			if (i == 0)
				check("reset", mysql_reset_connection(c) == 0);
			else
				check("another user", mysql_change_user(c, "bob", "bob-secret", "test") == 0);
			check_my(
				c,
				"select @mine, @@sql_mode = 'ANSI_QUOTES', database(), substring_index(current_user(), '@', 1)",
				i == 0 ? "null,0,mysql,alice" : "null,0,test,bob");
			check_my_fails(c, "select * from test.own", 1146, "42S02", NULL);
			check_my(c, "select count(*) from test.t", "0");
		}
		check_my(other, "select database(), substring_index(current_user(), '@', 1)", "test,alice");
		check("a wrong password",
		      mysql_change_user(other, "bob", "wrong", "test") != 0 && mysql_errno(other) == 1045);
		sluice_stop();
	}
}

/* The numbers of connections that clients see are Sluice's own, and good for KILL. */
static void test_kill(void)
{
	BOTH_MODES(mode)
	{
		start(mode);
		MYSQL *c = my_client(NULL), *other = my_client(NULL),
		      *bob = my_client(&(struct my_how){ .user = "bob" });
		check("each has its own", mysql_thread_id(c) != mysql_thread_id(other));
		check("another's statement is sent", mysql_send_query(other, "select sleep(600)", 17) == 0);
		wait_until("it runs",
			   strcmp(my_scalar("select count(*) from information_schema.processlist where info like "
					    "'select sleep(600)%%'"),
				  "0") != 0);
		check_my_fails(bob, text("kill query %lu", mysql_thread_id(other)), 1095, "HY000", "not owner");
		my_run(c, "kill query %lu", mysql_thread_id(other));
		if (mysql_read_query_result(other) == 0) { /* sleep() itself says 1 */
			MYSQL_RES *r = mysql_store_result(other);
			MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
			check_str("it was interrupted", row ? row[0] : "error", row ? "1" : "error");
			mysql_free_result(r);
		} else {
			check_eq("it was interrupted", mysql_errno(other), 1317);
		}
		check_my(other, "select 1", "1");
		my_run(c, "KILL %lu", mysql_thread_id(other));
		check("it is gone", mysql_query(other, "select 1") != 0);
		check_my(c, "select 1", "1");
		sluice_stop();
	}
}

static void test_commands(void)
{
	BOTH_MODES(mode)
	{
		start(mode);
		my_sql("drop table if exists test.t; create table test.t(a int, bb int)");
		my_close(my_client(NULL));
		MYSQL *c = my_client(NULL), *other = my_client(NULL);
		check("statistics", strstr(mysql_stat(c), "Uptime") != NULL);
		MYSQL_RES *r = mysql_list_fields(c, "t", NULL);
		check_eq("fields", r ? mysql_num_fields(r) : 0, 2);
		mysql_free_result(r);
		check_my_fails(c, "select 1; select 2", 1064, "42000", NULL);
		check("several at once", mysql_set_server_option(c, MYSQL_OPTION_MULTI_STATEMENTS_ON) == 0);
		check_my(c, "select 1; select 2", "1;2");
		check_my_fails(other, "select 1; select 2", 1064, "42000", NULL);
		check("and no more", mysql_set_server_option(c, MYSQL_OPTION_MULTI_STATEMENTS_OFF) == 0);
		check_my_fails(c, "select 1; select 2", 1064, "42000", NULL);
		sluice_stop();
	}
}

/* A file of the client's, longer than a packet may be held, and one that is cut off by its client. */
static void test_infile(void)
{
	BOTH_MODES(mode)
	{
		start(mode);
		my_sql("set global local_infile = 1; drop table if exists test.t; create table test.t(a text)");
		struct myraw r;
		size_t n = 3 << 20, line = 4096;
		char *file = malloc(n + 1);
		require("memory", file != NULL);
		memset(file, 'x', n);
		for (size_t i = line - 1; i < n; i += line)
			file[i] = '\n';
		file[n] = 0;
		require("in", myraw_open(&r, sluice_my_port(), "alice", "alice-secret", "test", MY_USUAL));
		r.file = file;
		free(myraw_ask(&r, "load data local infile 'x' into table t"));
		check_eq("no error", r.error, 0);
		check_str("all of it", my_scalar("select count(*) from test.t"), text("%zu", n / line));
		r.file = NULL;
		free(myraw_ask(&r, "load data local infile 'x' into table t"));
		free(myraw_ask(&r, "nonsense"));
		check_eq("it goes on", r.error, 1064);
		myraw_close(&r, true);
		free(file);
		sluice_stop();
	}
}

static void test_errnos(void)
{
	sluice_start(&(struct conf){ .settings = "pool_mode = transaction\ndefault_pool_size = 1\n" });
	MYSQL *c = my_client(NULL), *console = my_console();
	my_run(console, "set query_timeout = 1");
	check_my_fails(c, "select sleep(600) union select benchmark(100000000000, sha2('x', 256))",
		       my_is_mysql() ? 3024 : 1969, my_is_mysql() ? "HY000" : "70100", "query timeout");
	my_run(console, "set query_timeout = 0");
	check_my(c, "select 1", "1");
	sluice_stop();
	sluice_start(&(struct conf){ .settings = "pool_mode = session\ndefault_pool_size = 1\nquery_wait_timeout = 0\n"
						 "max_user_client_connections = 2\n" });
	c = my_client(NULL);
	console = my_console();
	check_my(c, "select 1", "1");
	MYSQL *other = my_client(NULL);
	my_run(console, "set query_wait_timeout = 1");
	check_my_fails(other, "select 1", 1040, "08004", "query_wait_timeout");
	check_my_refused(NULL, 1203, "42000", "max_user_client_connections");
	my_close(c);
	check_my(other, "select 1", "1");
	my_stop(SIGKILL);
	check("the connection went with the server", mysql_query(other, "select 1") != 0);
	my_start();
}

/* Each kind of client by its own door. */
static void test_wrong_door(void)
{
	sluice_start(&(struct conf){ .databases = "test = kind=mysql @MY@\npg = host=127.0.0.1 port=1\n" });
	check_my_refused((&(struct my_how){ .database = "pg" }), 1049, "42000", "is of the kind postgres");
}

static const struct unit_test tests[] = {
	{ "queries", test_queries },
	{ "long", test_long },
	{ "refused", test_refused },
	{ "shared", test_shared },
	{ "no_schema", test_no_schema },
	{ "kept", test_kept },
	{ "ahead", test_ahead },
	{ "left", test_left },
	{ "left_within", test_left_within },
	{ "console", test_console },
	{ "reset", test_reset },
	{ "kill", test_kill },
	{ "commands", test_commands },
	{ "infile", test_infile },
	{ "errnos", test_errnos },
	{ "wrong_door", test_wrong_door },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return harness_my_main(argc, argv, "my_relay", tests);
}
