/* test_failure.c - PostgreSQL fails, in several ways and under load: each client hears of it in an error with a
 * SQLSTATE, and when it is back everything goes on by itself. */
#include "harness.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS = 40 };

/* Takes what came for a client. True: its statement worked. *error: the SQLSTATE of its error, "" when there was none,
 * "?" when it was libpq's own, who found the connection gone without a word. */
static bool outcome(PGconn *c, char *error)
{
	bool ok = false;
	PGresult *r;
	strcpy(error, "");
	/* A fatal error may be followed by libpq's own about the connection; the first one counts. */
	while ((r = PQgetResult(c))) {
		ExecStatusType s = PQresultStatus(r);
		ok = s == PGRES_TUPLES_OK || s == PGRES_COMMAND_OK;
		if (s == PGRES_FATAL_ERROR && !*error) {
			const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
			strcpy(error, state && strlen(state) == 5 ? state : "?");
		}
		PQclear(r);
	}
	return ok && !*error;
}

/* Keeps all clients busy with short statements and transactions until each of them has had an error. */
static void run_until_failure(PGconn **c, void (*fail)(void))
{
	char error[8];
	bool failed[CLIENTS] = { false };
	int done = 0, lost = 0;
	for (int i = 0; i < CLIENTS; i++)
		sql_start(c[i], "select count(*) from generate_series(1, 100)");
	uint64_t until = now_ms() + PATIENCE_MS;
	for (bool is_down = false; lost < CLIENTS && now_ms() < until;) {
		struct pollfd p[CLIENTS];
		for (int i = 0; i < CLIENTS; i++)
			p[i] = (struct pollfd){ failed[i] ? -1 : PQsocket(c[i]), POLLIN, 0 };
		poll(p, CLIENTS, 100);
		for (int i = 0; i < CLIENTS; i++) {
			if (failed[i] || !p[i].revents || !is_answered(c[i]))
				continue;
			if (outcome(c[i], error)) {
				done++;
				sql_start(c[i], i % 4 ? "select count(*) from generate_series(1, 100)"
						      : "begin; select 1; commit");
				continue;
			}
			check(text("an error, and why, after the failure: %s", error), is_down);
			check(text("client %d: the error \"%s\" has a SQLSTATE", i, error),
			      strlen(error) == 5 || peer_version()); /* PgBouncer has none for some */
			failed[i] = true;
			lost++;
		}
		if (!is_down && done > 20 * CLIENTS) {
			fail();
			is_down = true;
		}
	}
	check_eq("clients that were told", lost, CLIENTS);
}

static void crash(void)
{
	pg_stop(SIGKILL);
}

static void stop_at_once(void)
{
	pg_stop(SIGQUIT);
}

static void stop_fast(void)
{
	pg_stop(SIGINT);
}

static void test_under_load(void)
{
	static const struct {
		const char *what;
		void (*fail)(void);
	} ways[] = { { "crash", crash }, { "immediate shutdown", stop_at_once }, { "fast shutdown", stop_fast } };
	for (size_t w = 0; w < COUNT(ways); w++) {
		sluice_with("pool_mode = transaction\ndefault_pool_size = 5\nserver_login_retry = 1\n"
			    "query_wait_timeout = 3");
		PGconn *c[CLIENTS];
		for (int i = 0; i < CLIENTS; i++)
			c[i] = client(NULL);
		run_until_failure(c, ways[w].fail);
		check("Sluice is there", sluice_is_running());
		pg_start();
		/* A client that was cut off logs in again, as any pool of connections does. */
		uint64_t until = now_ms() + PATIENCE_MS;
		for (int i = 0; i < CLIENTS; i++) {
			bool ok = false;
			while (!ok && now_ms() < until) {
				char error[8] = "";
				if (PQstatus(c[i]) == CONNECTION_OK) {
					ok = PQsendQuery(c[i], "select 1") && outcome(c[i], error);
				} else {
					client_close(c[i]);
					c[i] = client_start(NULL);
					client_finish_start(c[i]);
				}
			}
			check(text("%s: client %d works again: %s", ways[w].what, i, PQerrorMessage(c[i])), ok);
		}
		PGconn *con = console();
		check_eq("nobody waits", show_int(con, "POOLS", "database", "test", "cl_waiting"), 0);
		wait_until("pool", pg_servers() <= 5);
		sluice_stop();
	}
}

static void test_idle_in_transaction(void)
{
	sluice_with("pool_mode = transaction\nserver_login_retry = 1\nquery_wait_timeout = 3");
	PGconn *a = client(NULL), *idle = client(NULL);
	check_scalar(idle, "select 1", "1");
	sql(a, "begin");
	pg_stop(SIGQUIT);
	char error[8];
	PQsendQuery(a, "select 1");
	check("fails", !outcome(a, error));
	check_eq(text("\"%s\" has a SQLSTATE", error), strlen(error), 5);
	pg_start();
	/* Who had no server in hand noticed nothing. */
	check_scalar(idle, "select 2", "2");
}

/* A backend that is terminated costs its client one error, and the pool nothing. */
static void test_one_backend(void)
{
	sluice_with("pool_mode = transaction");
	PGconn *a = client(NULL), *b = client(NULL);
	sql(b, "begin");
	for (int in_query = 0; in_query < 2; in_query++) {
		sql(a, "begin");
		char *pid = scalar(a, "select pg_backend_pid()");
		if (in_query) {
			sql_start(a, "select pg_sleep(100)");
			wait_until("it sleeps",
				   atoi(pg_scalar("select count(*) from pg_stat_activity where pid = %s and "
						  "state = 'active'",
						  pid)));
		}
		pg_sql("select pg_terminate_backend(%s)", pid);
		wait_until("it is gone", !atoi(pg_scalar("select count(*) from pg_stat_activity where pid = %s", pid)));
		if (!in_query)
			PQsendQuery(a, "select 1");
		PGresult *r = PQgetResult(a);
		check_eq("an error", PQresultStatus(r), PGRES_FATAL_ERROR);
		const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
		check(text("its SQLSTATE: %s", state ? state : "none"),
		      state && (in_query ? strcmp(state, "57P01") == 0 : strlen(state) == 5));
		PQclear(r);
		while ((r = PQgetResult(a)))
			PQclear(r);
		check_scalar(b, "select 1", "1");
		client_close(a);
		a = client(NULL);
		check_scalar(a, "select 1", "1");
	}
}

/* In the midst of a large result. */
static void test_in_a_result(void)
{
	sluice_with("pool_mode = transaction");
	PGconn *a = client(NULL);
	sql(a, "begin");
	char *pid = scalar(a, "select pg_backend_pid()");
	PQsendQuery(a, "select n, repeat('x', 1000) from generate_series(1, 1000000) n");
	PQsetSingleRowMode(a);
	for (int i = 0; i < 1000; i++) {
		PGresult *r = PQgetResult(a);
		check_eq("a row", PQresultStatus(r), PGRES_SINGLE_TUPLE);
		PQclear(r);
	}
	pg_sql("select pg_terminate_backend(%s)", pid);
	char error[8] = "";
	/* There may be half a row on its way, into which no message can be put: then it is just the end. */
	check("it does not end well", !outcome(a, error));
	check("it is an error", *error);
	check_scalar(client(NULL), "select 1", "1");
}

/* Nobody there from the start: a login that needs the server hears so, and works as soon as the server is back. */
static void test_down_at_start(void)
{
	sluice_with("pool_mode = transaction\nserver_login_retry = 1\nquery_wait_timeout = 2");
	pg_stop(SIGINT);
	for (int i = 0; i < 3; i++) {
		uint64_t began = now_ms();
		check_login_fails(peer_version() ? "08P01" : "08001", "connect", "user=alice");
		check("soon", now_ms() - began < 10000);
	}
	pg_start();
	PGconn *c = NULL;
	wait_until("it is back", (c = client_try(NULL)) != NULL);
	check_scalar(c, "select 1", "1");
}

static bool works(void)
{
	char error[8];
	PGconn *c = client_start(NULL);
	bool ok = client_finish_start(c) && PQsendQuery(c, "select 1") && outcome(c, error);
	client_close(c);
	return ok;
}

/* Clients that want a server during an outage: each is served when PostgreSQL is back, or is told why not. */
static void test_waiting_through_a_restart(void)
{
	sluice_with("pool_mode = transaction\nserver_login_retry = 1\nquery_wait_timeout = 0");
	PGconn *c[5], *con = console();
	for (int i = 0; i < 5; i++) {
		c[i] = client(NULL);
		check_scalar(c[i], "select 1", "1");
	}
	pg_stop(SIGINT);
	wait_until("Sluice knows", show_int(con, "POOLS", "database", "test", "sv_idle") +
						   show_int(con, "POOLS", "database", "test", "sv_used") ==
					   0);
	for (int i = 0; i < 5; i++)
		sql_start(c[i], "select 'through'");
	check("Sluice stands", show_int(con, "POOLS", "database", "test", "cl_waiting") >= 0);
	pg_start();
	for (int i = 0; i < 5; i++) {
		char error[8];
		wait_until("an answer", is_answered(c[i]));
		bool ok = outcome(c[i], error);
		check(text("client %d is served, or told \"%s\": %s", i, error, PQerrorMessage(c[i])),
		      ok || strlen(error) == 5);
	}
	wait_until("all is well again", works());
}

/* PostgreSQL has no more room: who waits is served by the servers that there are. */
static void test_server_is_full(void)
{
	pg_sql("alter role bob connection limit 2");
	sluice_with("pool_mode = transaction\ndefault_pool_size = 10\nserver_login_retry = 1\nquery_wait_timeout = 15");
	PGconn *c[6];
	for (int i = 0; i < 6; i++)
		c[i] = client("user=bob");
	sql(c[0], "begin");
	sql(c[1], "begin");
	for (int i = 2; i < 6; i++)
		sql_start(c[i], "select 'served'");
	wait_until("PostgreSQL has refused", sluice_logged("too many connections for role"));
	char error[8];
	sql(c[0], "commit");
	sql(c[1], "commit");
	int told = 0, served = 0;
	for (int i = 2; i < 6; i++) {
		wait_until("an answer", is_answered(c[i]));
		if (outcome(c[i], error))
			served++;
		else
			told += strcmp(error, "53300") == 0;
	}
	check_eq("each is served or told why", served + told, 4);
	pg_sql("alter role bob connection limit -1");
	check_scalar(client("user=bob"), "select 1", "1");
}

/* One host of a list is down: nobody hears of it but the log. Both are: everybody, at once. Nothing listens on .3, .4.
 */
static void test_host_of_a_list(void)
{
	static const char *const lists[] = { "127.0.0.3,127.0.0.1", "127.0.0.1,127.0.0.3",
					     "127.0.0.3,127.0.0.4,127.0.0.1" };
	static const char *const ways[] = { "round-robin", "disable" };
	enum { N = 5 };
	for (size_t i = 0; i < COUNT(lists) * COUNT(ways); i++) {
		const char *list = lists[i / COUNT(ways)], *way = ways[i % COUNT(ways)];
		const char *what = text("%s, %s", list, way);
		PGconn *started[N];
		sluice_start(&(struct conf){
			.databases = text("test = host=%s port=@PGPORT@ load_balance_hosts=%s", list, way),
			.settings = "pool_mode = session\nserver_login_retry = 60\nquery_wait_timeout = 10" });
		for (int n = 0; n < N; n++)
			check_scalar(client(NULL), "select 1", "1");
		for (int n = 0; n < N; n++)
			started[n] = client_start(NULL);
		for (int n = 0; n < N; n++)
			if (check(what, client_finish_start(started[n])))
				check_scalar(started[n], "select 1", "1");
		check("told in the log", way == ways[1] || sluice_logged("connect failed"));
		check("told to nobody", !sluice_logged("cached error"));
		sluice_stop();
	}
	struct conf c = { .databases = "test = host=127.0.0.3,127.0.0.4 port=@PGPORT@",
			  .settings = "server_login_retry = 60" };
	sluice_start(&c);
	PGconn *con = console();
	uint64_t before = now_ms();
	check_login_fails("08001", "connect failed", "%s", "");
	check_login_fails("08001", "cached error", "%s", "");
	check("at once", now_ms() - before < PATIENCE_MS / 2);
	/* It is not the same list any more. */
	c.databases = "test = host=127.0.0.3,127.0.0.1 port=@PGPORT@";
	sluice_configure(&c);
	sql(con, "reload");
	check("what failed before is not held against it", client_try("%s", "") != NULL);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "under_load", test_under_load },
		{ "idle_in_transaction", test_idle_in_transaction },
		{ "one_backend", test_one_backend },
		{ "in_a_result", test_in_a_result },
		{ "down_at_start", test_down_at_start },
		{ "waiting_through_a_restart", test_waiting_through_a_restart },
		{ "server_is_full", test_server_is_full },
		{ "host_of_a_list", test_host_of_a_list },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "failure", tests);
}
