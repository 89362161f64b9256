/* test_my_gate.c - what stands between MySQL's clients and a server that fails: circuit breakers. */
#include "faultproxy.h"
#include "harness_my.h"
#include "mysqlraw.h"

#include <string.h>

static MYSQL *begin(const char *settings)
{
	fault_open(my_port());
	sluice_start(&(struct conf){ .databases = "test = kind=mysql @PROXY@", .settings = settings });
	return my_console();
}

static bool is_in_state(MYSQL *con, const char *want)
{
	return strcmp(my_show(con, "BREAKERS", "database", "test", "state"), want) == 0;
}

static bool gets_in(void)
{
	char *e;
	MYSQL *c = my_try(NULL, &e);
	bool ok = c && strcmp(my_all(c, "select 1"), "1") == 0;
	if (c)
		my_close(c);
	return ok;
}

static void test_refused(void)
{
	MYSQL *con = begin("pool_mode = transaction\nserver_login_retry = 0\nbreaker_failures = 3\nbreaker_reset = 60");
	MYSQL *c = my_client(NULL);
	check_my(c, "select 1", "1");
	fault_mode(FAULT_REFUSE, 0);
	fault_reset();
	wait_until("it opens", strstr(my_all(c, "select 2"), "error 1040") != NULL);
	check_my_fails(c, "select 2", 1040, "08S01", "circuit breaker is open");
	check("open", is_in_state(con, "open"));
	fault_mode(FAULT_PASS, 0);
	my_run(con, "set breaker_reset = 0.2");
	wait_until("it works again", gets_in());
	check("closed", is_in_state(con, "closed"));
	check_my(c, "select 3", "3");
}

/* A user whom the server does not let in, a schema that is not there. */
static void test_others_faults(void)
{
	fault_open(my_port());
	sluice_start(&(struct conf){ .databases = "test = kind=mysql @PROXY@\n"
						  "wrong = kind=mysql @PROXY@ dbname=test user=alice password=not-it\n"
						  "missing = kind=mysql @PROXY@ dbname=not_there",
				     .settings = "pool_mode = transaction\nserver_login_retry = 0\n"
						 "breaker_failures = 2" });
	MYSQL *con = my_console(), *c = my_client(NULL);
	for (int i = 0; i < 4; i++) {
		check("wrong password", my_try(&(struct my_how){ .database = "wrong" }, &(char *){ NULL }) == NULL);
		check("no schema", my_try(&(struct my_how){ .database = "missing" }, &(char *){ NULL }) == NULL);
		check_my_fails(c, "nonsense", 1064, "42000", NULL);
	}
	static const char *const dbs[] = { "test", "wrong", "missing" };
	for (size_t i = 0; i < COUNT(dbs); i++) {
		check_str(dbs[i], my_show(con, "BREAKERS", "database", dbs[i], "state"), "closed");
		check_str(dbs[i], my_show(con, "BREAKERS", "database", dbs[i], "failures"), "0");
	}
}

static void test_hang(void)
{
	MYSQL *con = begin("pool_mode = transaction\nserver_rollback_timeout = 0.3\n"
			   "breaker_failures = 1\nbreaker_reset = 60\nserver_connect_timeout = 3");
	MYSQL *a = my_client(NULL), *b = my_client(NULL);
	check_my(a, "select 1", "1");
	fault_mode(FAULT_HANG, 0);
	my_run(con, "set query_timeout = 0.3");
	check_my_fails(a, "select 2", my_is_mysql() ? 3024 : 1969, my_is_mysql() ? "HY000" : "70100", "query timeout");
	check("open", is_in_state(con, "open"));
	check_my_fails(b, "select 2", 1040, "08S01", "query_timeout");
	fault_mode(FAULT_PASS, 0);
	my_run(con, "set query_timeout = 0");
	my_run(con, "set breaker_reset = 0.2");
	wait_until("it works again", gets_in());
	check_my(b, "select 3", "3");
}

static bool runs(const char *statement)
{
	return strcmp(my_scalar("select count(*) from information_schema.processlist where info = '%s'", statement),
		      "0") != 0;
}

/* At the end of the process a KILL is on its way for what a client has left, and would be sent once more: the first of
 * two statements is answered meanwhile. What is so slow that it stays on its way is the KILL's login. */
static void test_end_of_a_cancel(void)
{
	struct myraw r;
	begin("pool_mode = transaction\nserver_rollback_timeout = 60\ncancel_wait_timeout = 60");
	require("in", myraw_open(&r, sluice_my_port(), "alice", "alice-secret", "test", MY_USUAL));
	check("two are sent", myraw_query(&r, "do sleep(1)") && myraw_query(&r, "do sleep(600)"));
	wait_until("the first one runs", runs("do sleep(1)"));
	int before = fault_accepted();
	fault_mode(FAULT_THROTTLE, 10);
	myraw_close(&r, false);
	wait_until("it is on its way", fault_accepted() == before + 1);
	wait_until("the second one runs", runs("do sleep(600)"));
	for (uint64_t until = now_ms() + 3000; now_ms() < until;) /* the first one's answer has come by then, mostly */
		poll_pause();
	sluice_signal(SIGQUIT);
	check_eq("its exit status", sluice_wait_exit(), 0);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "refused", test_refused },
		{ "others_faults", test_others_faults },
		{ "hang", test_hang },
		{ "end_of_a_cancel", test_end_of_a_cancel },
		{ NULL, NULL },
	};
	return harness_my_main(argc, argv, "my_gate", tests);
}
