/* test_my_errors.c - the numbers and SQLSTATEs that drivers of MySQL act upon: refused logins, full pools, timeouts,
 * servers that die, shutdown. */
#include "harness_my.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void start(const char *settings)
{
	sluice_start(&(struct conf){ .databases = "test = kind=mysql @MY@\nmissing = kind=mysql @MY@ dbname=not_there",
				     .settings = settings });
}

static void test_refused(void)
{
	start("default_pool_size = 2");
	for (int i = 0; i < 2; i++) { /* before a server is known, and after */
		check_my_refused((&(struct my_how){ .password = "wrong" }), 1045, "28000",
				 "Access denied for user 'alice'@");
		check_my_refused((&(struct my_how){ .password = "" }), 1045, "28000",
				 "Access denied for user 'alice'@");
		check_my_refused((&(struct my_how){ .user = "mallory" }), 1045, "28000",
				 "Access denied for user 'mallory'@");
		check_my_refused((&(struct my_how){ .database = "nowhere" }), 1049, "42000",
				 "Unknown database 'nowhere'");
		if (i == 0) /* for a while then it is not tried again */
			check_my_refused((&(struct my_how){ .database = "missing" }), 1049, "42000", "not_there");
		check_my(my_client(NULL), "select 1", "1");
	}
}

/* The server does not know the password that Sluice does. */
static void test_server_refuses(void)
{
	sluice_start(&(struct conf){ .auth_file = "\"alice\" \"another-secret\"\n\"bob\" \"bob-secret\"\n" });
	check_my_refused((&(struct my_how){ .password = "another-secret" }), 1045, "28000", "alice");
	check_my(my_client(&(struct my_how){ .user = "bob" }), "select 1", "1");
}

static void test_full(void)
{
	start("max_client_conn = 3\nserver_login_retry = 1");
	MYSQL *c[3];
	for (int i = 0; i < 3; i++)
		c[i] = my_client(NULL);
	check_my_refused(NULL, 1040, "08004", NULL);
	my_close(c[0]);
	MYSQL *again = NULL;
	wait_until("there is room again", (again = my_try(NULL, NULL)));
	check_my(again, "select 1", "1");
	check_my(c[1], "select 1", "1");
}

static void test_no_server_is_free(void)
{
	start("default_pool_size = 1\nquery_wait_timeout = 0\npool_mode = transaction");
	MYSQL *c = my_client(NULL), *d = my_client(NULL);
	check_my(c, "begin", "ok 0");
	my_run(my_console(), "set query_wait_timeout = 1");
	uint64_t began = now_ms();
	check("who waits too long is told", strncmp(my_all(d, "select 1"), "error 1", 7) == 0);
	check("the number", mysql_errno(d) == 1203 || mysql_errno(d) == 1040 || mysql_errno(d) == 3024);
	check("when it is time", now_ms() - began < 10000);
	check_my(c, "commit", "ok 0");
	check_my(my_client(NULL), "select 1", "1");
}

static void test_query_timeout(void)
{
	start("");
	MYSQL *c = my_client(NULL), *console = my_console();
	check_my(c, "select 1", "1");
	my_run(console, "set query_timeout = 1");
	uint64_t began = now_ms();
	/* MySQL's SLEEP() makes no error of it. */
	const char *query =
		my_is_mysql() ? "select count(*) from information_schema.columns a, information_schema.columns b, "
				"information_schema.columns c where a.column_name < b.column_name"
			      : "select sleep(15)";
	(void)mysql_query(c, query);
	MYSQL_RES *r = mysql_store_result(c);
	if (r)
		mysql_free_result(r);
	unsigned e = mysql_errno(c);
	check_eq(my_error(c), e, my_is_mysql() ? 3024 : 1969);
	check_str("SQLSTATE", mysql_sqlstate(c), my_is_mysql() ? "HY000" : "70100");
	check("when it is time", now_ms() - began < 10000);
	my_run(console, "set query_timeout = 0");
	wait_until(
		"the server stops it",
		strcmp(my_scalar(
			       "select count(*) from information_schema.processlist where user = 'alice' and info is not null"),
		       "0") == 0);
	check_my(my_client(NULL), "select 1", "1");
}

static void test_idle(void)
{
	for (int turn = 0; turn < 2; turn++) {
		start(text("pool_mode = %s", turn ? "session" : "transaction"));
		MYSQL *c = my_client(NULL);
		check_my(c, "select 1", "1");
		MYSQL *console = my_console();
		my_run(console, "set client_idle_timeout = 1");
		wait_until("it is told to go", !my_show(console, "clients", "user", "alice", "state"));
		check("it hears so", mysql_query(c, "select 2") != 0);
		check_str("by which its driver knows", text("%.10s", my_error(c)),
			  my_is_mysql() ? "4031 HY000" : "1159 08S01");
		sluice_stop();
	}
}

/* A warning keeps nobody from hearing that its transaction took too long. */
static void test_idle_in_transaction(void)
{
	start("pool_mode = transaction\nidle_transaction_timeout = 0.3");
	MYSQL *c = my_client(NULL), *console = my_console();
	my_run(c, "begin");
	my_run(c, "select 1 + '1x'");
	check_str("it is kept for its warnings", my_show(console, "clients", "user", "alice", "pins"), "warnings");
	wait_until("it takes too long", strcmp(my_show(console, "servers", "user", "alice", "state"), "idle") == 0);
	check("it hears so", mysql_query(c, "select 2") != 0);
	check(my_error(c), mysql_errno(c) != 2013 && mysql_errno(c) != 2006);
	check_my(c, "select 3", "3");
}

/* It may be let in, and is told when it asks for something. */
static void check_unreachable(void)
{
	char *e = NULL;
	MYSQL *c = my_try(NULL, &e);
	if (c)
		check_my_fails(c, "select 1", 1429, "08S01", NULL);
	else
		check(e, strncmp(e, "1429 08S01", 10) == 0);
}

static void test_server_dies(void)
{
	for (int turn = 0; turn < 2; turn++) {
		const char *mode = turn ? "session" : "transaction";
		start(text("pool_mode = %s\nserver_login_retry = 0.2", mode));
		MYSQL *busy = my_client(NULL), *idle = my_client(NULL), *within = my_client(NULL);
		check_my(idle, "select 1", "1");
		check_my(within, "begin", "ok 0");
		check("it is under way", mysql_send_query(busy, "select sleep(100)", 17) == 0);
		wait_until("at the server",
			   strcmp(my_scalar("select count(*) from information_schema.processlist where info like "
					    "'select sleep(100%%'"),
				  "0") != 0);
		my_stop(SIGKILL);
		check("who waited is told", mysql_read_query_result(busy) != 0 || !mysql_store_result(busy));
		unsigned e = mysql_errno(busy);
		check(text("%s: by a number: %s", mode, my_error(busy)),
		      e == 1158 || e == 2013 || e == 2006 || e == 1053);
		(void)my_all(within, "select 1");
		e = mysql_errno(within);
		check(text("%s: who was in a transaction too: %s", mode, my_error(within)),
		      e == 1158 || e == 2013 || e == 2006);
		check_unreachable();
		my_start();
		MYSQL *again = NULL;
		wait_until("and it goes on", (again = my_try(NULL, NULL)) && mysql_query(again, "do 1") == 0);
		check_my(again, "select 1", "1");
		if (turn == 0) {
			check_my(idle, "select 1", "1");
			check_my(within, "select 1", "1"); /* it knows, and goes on */
		}
		sluice_stop();
	}
}

/* A server that ended its connection while nobody used it hurts nobody. */
static void test_killed_while_idle(void)
{
	start("pool_mode = transaction\ndefault_pool_size = 1");
	MYSQL *c = my_client(NULL), *console = my_console();
	for (int i = 0; i < 3; i++) {
		check_my(c, "select 1", "1");
		check("a server", my_show(console, "servers", "user", "alice", "state") != NULL);
		my_sql("kill %s", my_scalar("select max(id) from information_schema.processlist where user = 'alice'"));
		/* It is out of the server's list before its connection is closed, and heard of after that. */
		wait_until("it is gone", !my_show(console, "servers", "user", "alice", "state"));
		check_my(c, "select 2", "2");
	}
}

/* That its transaction is gone is not told to what has no answer. */
static void test_lost_before_a_close(void)
{
	start("pool_mode = transaction\ndefault_pool_size = 1");
	my_sql("drop table if exists test.t; create table test.t(a int) engine=innodb");
	MYSQL *c = my_client(NULL), *console = my_console();
	MYSQL_STMT *st = mysql_stmt_init(c);
	check("prepared", mysql_stmt_prepare(st, BYTES("select 1")) == 0);
	check_my(c, "begin", "ok 0");
	check_my(c, "insert into t values (1)", "ok 1");
	my_sql("kill %s", my_scalar("select max(id) from information_schema.processlist where user = 'alice'"));
	wait_until("it is gone", !my_show(console, "servers", "user", "alice", "state"));
	(void)mysql_stmt_close(st);
	char *told = my_all(c, "insert into t values (2)");
	check(text("it is told: %s", told), strncmp(told, "error", 5) == 0);
	(void)my_all(c, "rollback");
	check_my(c, "select count(*) from t", "0");
}

/* SIGINT: who is in a transaction may end it; the others are told that it is over. SIGQUIT: all are. */
static void test_shutdown(void)
{
	start("pool_mode = transaction");
	MYSQL *c = my_client(NULL), *d = my_client(NULL);
	check_my(c, "select 1", "1");
	check_my(d, "begin", "ok 0");
	sluice_signal(SIGINT);
	unsigned e = 0;
	for (uint64_t until = now_ms() + PATIENCE_MS; !e && now_ms() < until; poll_pause()) {
		(void)my_all(c, "select 1");
		e = mysql_errno(c);
	}
	check(text("1053, or the end: %s", my_error(c)), e == 1053 || e == 2013 || e == 2006);
	check_my(d, "select 2", "2");
	check_my(d, "commit", "ok 0");
	check_eq("its exit status", sluice_wait_exit(), 0);
	my_close(c);
	my_close(d);

	start("pool_mode = transaction");
	c = my_client(NULL);
	check_my(c, "begin", "ok 0");
	sluice_signal(SIGQUIT);
	check_eq("its exit status", sluice_wait_exit(), 0);
	(void)my_all(c, "select 1");
	e = mysql_errno(c);
	check(text("1053, or the end: %s", my_error(c)), e == 1053 || e == 2013 || e == 2006);
}

static void test_statements_that_are_wrong(void)
{
	start("pool_mode = transaction\ndefault_pool_size = 1");
	MYSQL *c = my_client(NULL), *d = my_client(NULL);
	static const struct {
		const char *sql, *state;
		unsigned code;
	} cases[] = {
		{ "selec", "42000", 1064 },
		{ "select * from nowhere", "42S02", 1146 },
		{ "select nothing from dual", "42S22", 1054 },
		{ "use nowhere", "42000", 1049 },
		{ "set sql_mode = 'nonsense'", "42000", 1231 },
		{ "set nonsense = 1", "HY000", 1193 },
		{ "signal sqlstate '45000' set message_text = 'mine', mysql_errno = 1644", "45000", 1644 },
		{ "kill 4000000000", "HY000", 1094 },
		{ "select 1; select 2", "42000", 1064 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		check_my_fails(c, cases[i].sql, cases[i].code, cases[i].state, NULL);
		check_my(d, "select 1", "1");
		check_my(c, "select 2", "2");
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "refused", test_refused },
		{ "server_refuses", test_server_refuses },
		{ "full", test_full },
		{ "no_server_is_free", test_no_server_is_free },
		{ "query_timeout", test_query_timeout },
		{ "idle", test_idle },
		{ "idle_in_transaction", test_idle_in_transaction },
		{ "server_dies", test_server_dies },
		{ "killed_while_idle", test_killed_while_idle },
		{ "lost_before_a_close", test_lost_before_a_close },
		{ "shutdown", test_shutdown },
		{ "statements_that_are_wrong", test_statements_that_are_wrong },
		{ NULL, NULL },
	};
	return harness_my_main(argc, argv, "my_errors", tests);
}
