/* test_watch.c - what is told of clients that hold servers and do nothing there, and of slow statements. */
#include "harness.h"

#include <string.h>

#define SECRET "s3cr3t"

/* How many events of this kind have this in their text? */
static int events(PGconn *con, const char *kind, const char *part)
{
	int n = 0;
	PGresult *r = PQexec(con, "show events");
	int is = PQfnumber(r, "kind"), says = PQfnumber(r, "event");
	for (int i = 0; i < PQntuples(r); i++)
		n += strcmp(PQgetvalue(r, i, is), kind) == 0 && strstr(PQgetvalue(r, i, says), part) != NULL;
	PQclear(r);
	return n;
}

static int total(PGconn *con, const char *name)
{
	return show_int(con, "STATS", "database", "test", text("total_%s", name));
}

static int leaking(PGconn *con)
{
	return show_int(con, "LISTS", "list", "leaking_clients", "items");
}

static void check_no_secret(void)
{
	check("no literal in the log", !sluice_logged(SECRET));
}

static void test_leak(void)
{
	/* The threshold is there once nothing is to be said any more: a slow machine is idle for longer between two. */
	sluice_with("pool_mode = transaction\nleak_check_interval = 0.05");
	PGconn *con = console(), *a = client("application_name=shop"), *b = client(NULL);
	check_scalar(b, "select 1", "1"); /* it holds none */
	sql(a, "begin");
	sql(a, "select x, '" SECRET "' as y from (values (1)) as v(x)");
	sql(con, "set leak_threshold = 0.3");
	wait_until("it is told of", total(con, "leak_count") == 1);
	check("in the log", sluice_logged("leak: it holds server S-0x"));
	check("who and since when", sluice_logged("in a transaction since"));
	check("by what name", sluice_logged("application_name: shop"));
	check("what", sluice_logged("select x, ? as y"));
	check_eq("an event", events(con, "leak", "select x, ? as y"), 1);
	check_eq("it leaks", leaking(con), 1);
	check_scalar(b, "select 1", "1");
	/* Not again, before it has done something. */
	for (uint64_t until = now_ms() + 500; now_ms() < until;)
		poll_pause();
	check_eq("once", total(con, "leak_count"), 1);
	sql(con, "set leak_threshold = 600");
	check_scalar(a, "select 2", "2");
	check_eq("it does something", leaking(con), 0);
	sql(con, "set leak_threshold = 0.3");
	wait_until("it is told of anew", total(con, "leak_count") == 2);
	sql(a, "commit");
	check_eq("not any more", leaking(con), 0);
	check_no_secret();
}

/* In whatever way it was said. */
static void test_what_was_said(void)
{
	static const char *const params[] = { SECRET };
	sluice_with("pool_mode = transaction\nleak_threshold = 0.2\nleak_check_interval = 0.05");
	PGconn *con = console(), *a = client(NULL);
	sql(a, "begin");
	PQclear(PQexecParams(a, "select 'unnamed', $1::text", 1, NULL, params, NULL, NULL, 0));
	wait_until("told", events(con, "leak", "select ? :: text") == 1);
	sql(a, "commit");
	PQclear(PQprepare(a, "p", "select 'named' as n, $1::text as t", 0, NULL));
	sql(a, "begin");
	PQclear(PQexecPrepared(a, "p", 1, params, NULL, NULL, 0));
	wait_until("told", events(con, "leak", "select ? as n, ? :: text as t") == 1);
	sql(a, "set local search_path to " SECRET);
	wait_until("told", events(con, "leak", "set local search_path to ?") == 1);
	sql(a, "select repeat('" SECRET "', 3), %s '" SECRET "'", text("%02000d, ", 1));
	wait_until("told", events(con, "leak", "select repeat (?), ? ...") == 1);
	sql(a, "rollback");
	check_no_secret();
}

static void test_session_pooling(void)
{
	sluice_with("pool_mode = session\nleak_threshold = 0.2\nleak_check_interval = 0.05");
	PGconn *con = console(), *a = client(NULL), *b = client("user=bob");
	check_scalar(a, "select 1", "1"); /* its server is its own, and it has it by right */
	sql(b, "begin");
	wait_until("a transaction is told of", total(con, "leak_count") == 1);
	check_eq("whose", events(con, "leak", "bob@"), 1);
	sql(b, "commit");
	PQclear(PQprepare(a, "p", "select 2", 0, NULL));
	sql(a, "begin");
	PQclear(PQexecPrepared(a, "p", 0, NULL, NULL, NULL, 0));
	wait_until("a name of the server's own", events(con, "leak", "(not known)") == 1);
}

/* What it is pinned for is told. */
static void test_pinned(void)
{
	sluice_start(&(struct conf){ .settings = "pool_mode = transaction\nleak_check_interval = 0.05",
				     .users = "bob = leak_threshold=0.2" });
	PGconn *con = console(), *a = client(NULL), *b = client("user=bob");
	sql(a, "begin");
	sql(b, "create temporary table x (y int)");
	wait_until("told", events(con, "leak", "holds a server (temporary)") == 1);
	check_eq("not of who has ten minutes", total(con, "leak_count"), 1);
}

static void test_kill(void)
{
	sluice_with("pool_mode = transaction\nleak_threshold = 0.3\nleak_check_interval = 0.05\nleak_action = kill");
	PGconn *con = console(), *a = client(NULL), *b = client(NULL);
	sql(a, "create table leaked (x int)");
	sql(a, "begin; insert into leaked values (1)");
	sql(b, "begin; insert into leaked values (2)");
	wait_until("both are closed", show_int(con, "LISTS", "list", "used_clients", "items") == 1);
	check_sql_fails(a, "select 1", "25P03", "with no statement running");
	wait_until("their servers are kept", show_int(con, "LEDGER", "item", "idle", "value") == 2);
	check_str("and rolled back", scalar(client_to_pg(NULL), "select count(*) from leaked"), "0");
	check_eq("both", total(con, "leak_count"), 2);
	check_eq("the books balance", show_int(con, "LEDGER", "item", "balances", "value"), 1);
	sql(client_to_pg(NULL), "drop table leaked");
}

/* A statement that runs is none, however long. */
static void test_busy(void)
{
	sluice_with("pool_mode = transaction\nleak_threshold = 0.1\nleak_check_interval = 0.05\n"
		    "slow_query_threshold = 0.2");
	enum { SLOW_MS = 200 };
	PGconn *con = console(), *a = client(NULL);
	uint64_t began = now_ms();
	check_scalar(a, "select 'done' from pg_sleep(0.6)", "done");
	check_eq("no leak", total(con, "leak_count"), 0);
	check_eq("but slow", total(con, "slow_count"), 1);
	check("in the log", sluice_logged("slow statement: "));
	check_eq("an event", events(con, "slow", "select ? from pg_sleep (?)"), 1);
	uint64_t said = now_ms();
	check_scalar(a, "select 'quick'", "quick");
	int slow = total(con, "slow_count");
	check("not the other", slow == 1 || (slow == 2 && now_ms() - said >= SLOW_MS));
	/* However many there are: a line a second. */
	for (int i = 0; i < 3; i++)
		(void)scalar(a, "select '" SECRET "' from pg_sleep(0.25)");
	check_eq("all count", total(con, "slow_count"), slow + 3);
	check("few are told of", events(con, "slow", "") <= 2 + (int)((now_ms() - began) / 1000));
	sql(con, "set slow_query_threshold = 0");
	(void)scalar(a, "select pg_sleep(0.3)");
	check_eq("switched off", total(con, "slow_count"), slow + 3);
	check_no_secret();
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "leak", test_leak },
		{ "what_was_said", test_what_was_said },
		{ "session_pooling", test_session_pooling },
		{ "pinned", test_pinned },
		{ "kill", test_kill },
		{ "busy", test_busy },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "watch", tests);
}
