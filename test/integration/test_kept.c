/* test_kept.c - what a client leaves undone is cancelled and rolled back, and its server kept; what a server takes with
 * it costs its client an error, and no more. */
#include "harness.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#define SLEEP "select pg_sleep(100)"

static char body[4096];
static size_t len;

static void make_table(void)
{
	PGconn *c = client(NULL);
	sql(c, "set client_min_messages = warning; drop table if exists kept; create table kept (n int)");
	client_close(c);
}

static int raw_client(void)
{
	int fd = raw_open();
	require("start", raw_startup(fd, "alice", "test") && raw_expect(fd, 'Z', body, sizeof body, &len));
	return fd;
}

static bool is_active(const char *pid)
{
	return atoi(pg_scalar("select count(*) from pg_stat_activity where pid = %s and state = 'active'", pid)) == 1;
}

/* --- Clients that leave */

struct message {
	char type;
	const char *body;
	size_t n;
};
#define MSG(type, s)                                                                                                   \
	{                                                                                                              \
		type, s, sizeof(s) - 1                                                                                 \
	}

/* Everything that a client may leave behind. The next one gets the same server, and nothing of it. */
static void test_abandoned(void)
{
	static const struct {
		const char *what;
		struct message send[6];
		const char *hears; /* the last message that is waited for, before it leaves */
		bool kept;
	} rows[] = {
		{ "a transaction", { MSG('Q', "begin; insert into kept values (1)\0") }, "Z", true },
		{ "a failed transaction", { MSG('Q', "begin\0"), MSG('Q', "selec\0") }, "ZZ", true },
		{ "a query", { MSG('Q', "insert into kept select 2 from pg_sleep(100)\0") }, NULL, true },
		{ "a query in a transaction",
		  { MSG('Q', "begin; insert into kept values (3)\0"), MSG('Q', SLEEP "\0") },
		  "Z",
		  true },
		{ "several",
		  { MSG('Q', SLEEP "\0"), MSG('Q', "select 1\0"), MSG('Q', "begin\0"), MSG('Q', "selec\0") },
		  NULL,
		  true },
		{ "several that take long",
		  { MSG('Q', SLEEP "\0"), MSG('Q', SLEEP "\0"), MSG('Q', SLEEP "\0") },
		  NULL,
		  true },
		{ "a batch",
		  { MSG('P', "\0select pg_sleep(100)\0\0\0"), MSG('B', "\0\0\0\0\0\0\0\0"), MSG('E', "\0\0\0\0\0"),
		    MSG('S', "") },
		  NULL,
		  true },
		{ "a batch without its Sync",
		  { MSG('P', "\0insert into kept values (4)\0\0\0"), MSG('B', "\0\0\0\0\0\0\0\0"),
		    MSG('E', "\0\0\0\0\0"), MSG('H', "") },
		  "C",
		  true },
		{ "a batch that failed, without its Sync", { MSG('P', "\0selec\0\0\0"), MSG('H', "") }, "E", true },
		{ "a batch that will fail, without its Sync",
		  { MSG('P', "\0select 1/(n-n) from generate_series(1, 1000000) n\0\0\0"), MSG('B', "\0\0\0\0\0\0\0\0"),
		    MSG('E', "\0\0\0\0\0"), MSG('Q', "select 1\0") },
		  NULL,
		  false },
		{ "a copy in", { MSG('Q', "copy kept from stdin\0"), MSG('d', "5\n") }, "G", true },
		{ "a copy in, in a transaction",
		  { MSG('Q', "begin\0"), MSG('Q', "copy kept from stdin\0"), MSG('d', "6\n") },
		  "ZG",
		  true },
		{ "a copy in by a batch",
		  { MSG('P', "\0copy kept from stdin\0\0\0"), MSG('B', "\0\0\0\0\0\0\0\0"), MSG('E', "\0\0\0\0\0"),
		    MSG('H', ""), MSG('d', "7\n") },
		  "G",
		  true },
		{ "a copy in that had not begun",
		  { MSG('Q', "select pg_sleep(0.1); copy kept from stdin\0") },
		  NULL,
		  true },
		{ "a copy out",
		  { MSG('Q', "copy (select n, repeat('x', 1000) from generate_series(1, 10000000) n) to stdout\0") },
		  "H",
		  true },
		{ "rows",
		  { MSG('Q', "select n, repeat('x', 1000) from generate_series(1, 10000000) n\0") },
		  "T",
		  true },
	};
	static const char *const modes[] = { "transaction", "session" };
	for (size_t m = 0; m < COUNT(modes); m++) {
		sluice_with(text("pool_mode = %s\ndefault_pool_size = 1\nserver_rollback_timeout = 20", modes[m]));
		make_table();
		PGconn *con = console(), *first = client(NULL);
		char *pid = pid_of(first);
		client_close(first);
		for (size_t i = 0; i < COUNT(rows); i++) {
			const char *what = text("%s, %s", rows[i].what, modes[m]);
			int fd = raw_client();
			for (const struct message *q = rows[i].send; q < rows[i].send + 6 && q->type; q++)
				require(what, raw_message(fd, q->type, q->body, q->n));
			for (const char *at = rows[i].hears; at && *at; at++)
				require(what, raw_expect(fd, *at, body, sizeof body, &len));
			if (!rows[i].hears)
				wait_until(what, is_active(pid) || strstr(rows[i].what, "will"));
			raw_close(fd);
			uint64_t began = now_ms();
			PGconn *next = client(NULL);
			check_str(what, scalar(next, "select 'mine'"), "mine");
			/* The test ends there, so that the log shown is of the Sluice that failed. */
			char *now = pid_of(next);
			require(text("%s: the same server, or not", what), (strcmp(now, pid) == 0) == rows[i].kept);
			pid = now;
			check_str(text("%s: nothing is left", what), scalar(next, "select count(*) from kept"), "0");
			check(text("%s: soon", what), now_ms() - began < 10000);
			client_close(next);
		}
		check_eq("counted", stat_of(con, "abandoned_count"), (int)COUNT(rows));
		check("some were rolled back", stat_of(con, "rollback_count") >= 4);
		sluice_stop();
	}
}

/* Half a message cannot be taken back: that server is closed. So is one whose client left it to itself too long, and
 * every one if it is asked for. */
static void test_closed(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	static char long_query[65536] = "Q\0\x10\0\0select";
	memset(long_query + 11, ' ', sizeof long_query - 11);
	int fd = raw_client();
	check("half a query", raw_send(fd, long_query, sizeof long_query));
	PGconn *con = console();
	wait_until("it is passed on", show_int(con, "POOLS", "database", "test", "sv_active") == 1);
	raw_close(fd);
	check_scalar(client(NULL), "select 1", "1");
	check("closed", sluice_logged("client disconnect while server was not ready"));
	sluice_stop();

	/* One that is short is waited for here, and takes no server. */
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	fd = raw_client();
	check("half a short query", raw_send(fd, "Q\0\0\0\x0dselect", 11));
	con = console();
	check_scalar(client(NULL), "select 1", "1");
	check_eq("no server", show_int(con, "POOLS", "database", "test", "sv_active"), 0);
	check("the rest", raw_send(fd, " 7\0", 3) && raw_expect(fd, 'D', body, sizeof body, &len));
	raw_close(fd);
	sluice_stop();

	/* Data of no copy, cut: to the server it looks at rest, but the next message would be taken for the data. */
	sluice_with("pool_mode = session\ndefault_pool_size = 1\nserver_reset_query =");
	fd = raw_client();
	check("query", raw_message(fd, 'Q', "select 1", 9) && raw_expect(fd, 'Z', body, sizeof body, &len));
	check("half of data", raw_send(fd, "d\0\0\1\0data", 9));
	raw_close(fd);
	check_scalar(client(NULL), "select 1", "1");
	sluice_stop();

	sluice_with("pool_mode = transaction\ndefault_pool_size = 1\nserver_rollback_timeout = 0");
	PGconn *a = client(NULL);
	sql(a, "begin");
	client_close(a);
	check_scalar(client(NULL), "select 1", "1");
	check("closed", sluice_logged("client disconnect while server was not ready"));
}

/* Many at once, under way in all ways, while others work. */
static void test_many_leave(void)
{
	enum { N = 30 };
	sluice_with("pool_mode = transaction\ndefault_pool_size = 4");
	make_table();
	PGconn *con = console(), *steady = client(NULL);
	for (int round = 0; round < 6; round++) {
		PGconn *c[N];
		for (int i = 0; i < N; i++)
			c[i] = client(NULL);
		for (int i = 0; i < N; i++)
			sql_start(c[i], i % 3 == 0   ? "begin; insert into kept values (1)"
					: i % 3 == 1 ? "insert into kept select 1 from pg_sleep(10)"
						     : "select count(*) from generate_series(1, 1000)");
		for (int i = 0; i < N; i++)
			client_close(c[i]);
		check_str("undisturbed", scalar(steady, "select count(*) from generate_series(1, 100000)"), "100000");
	}
	wait_until("all came back", show_int(con, "POOLS", "database", "test", "sv_active") == 0 &&
					    show_int(con, "POOLS", "database", "test", "sv_being_canceled") == 0);
	check_scalar(steady, "select count(*) from kept", "0");
	wait_until("no more servers than there may be", pg_servers() <= 4);
}

/* --- Servers that are lost */

static void terminate(const char *pid)
{
	pg_sql("select pg_terminate_backend(%s)", pid);
	wait_until("it is gone", !atoi(pg_scalar("select count(*) from pg_stat_activity where pid = %s", pid)));
}

static void lost_error(PGconn *c, const char *query, bool extended, const char *state, const char *part)
{
	PGresult *r = extended ? PQexecParams(c, query, 0, NULL, NULL, NULL, NULL, 0) : PQexec(c, query);
	check_result_fails(c, r, state, part);
	check_eq("it stays", PQstatus(c), CONNECTION_OK);
}

static void test_lost_server(void)
{
	sluice_with("pool_mode = transaction");
	PGconn *c = client(NULL);
	for (int extended = 0; extended < 2; extended++) {
		/* In a query outside of a transaction: one error, and all is well. */
		if (extended)
			check("sent", PQsendQueryParams(c, SLEEP, 0, NULL, NULL, NULL, NULL, 0));
		else
			check("sent", PQsendQuery(c, SLEEP));
		PQflush(c);
		char *pid = NULL;
		wait_until("it sleeps", *(pid = pg_scalar("select pid from pg_stat_activity where state = 'active' and "
							  "query = '" SLEEP "'")));
		terminate(pid);
		PGresult *r = PQgetResult(c);
		check_str("severity", PQresultErrorField(r, PG_DIAG_SEVERITY), "ERROR");
		check_result_fails(c, r, "57P01", "administrator command");
		while ((r = PQgetResult(c)))
			PQclear(r);
		check_eq("in no transaction", PQtransactionStatus(c), PQTRANS_IDLE);
		check_scalar(c, "select 1", "1");

		/* In a transaction: it has failed until the client ends it. */
		sql(c, "begin");
		pid = pid_of(c);
		terminate(pid);
		lost_error(c, "select 1", extended, "57P01", NULL);
		check_eq("failed", PQtransactionStatus(c), PQTRANS_INERROR);
		lost_error(c, "select 1", extended, "25P02", "aborted");
		r = extended ? PQexecParams(c, "rollback", 0, NULL, NULL, NULL, NULL, 0) : PQexec(c, "rollback");
		check_str("tag", PQcmdStatus(r), "ROLLBACK");
		PQclear(r);
		check_eq("over", PQtransactionStatus(c), PQTRANS_IDLE);
		check_scalar(c, "select 1", "1");

		/* A commit whose transaction is gone is an error. */
		sql(c, "begin");
		terminate(pid_of(c));
		lost_error(c, "commit", extended, "57P01", NULL);
		check_eq("over", PQtransactionStatus(c), PQTRANS_IDLE);
		check_scalar(c, "select 1", "1");
	}
}

/* What was prepared when the server was lost is prepared on the next one. */
static void test_lost_with_prepared(void)
{
	sluice_with("pool_mode = transaction");
	PGconn *c = client(NULL);
	const char *one[] = { "1" }, *hundred[] = { "100" };
	PQclear(PQprepare(c, "nap", "select 'napped' from pg_sleep($1::float8)", 0, NULL));
	for (int i = 0; i < 3; i++) {
		check("sent", PQsendQueryPrepared(c, "nap", 1, hundred, NULL, NULL, 0));
		PQflush(c);
		char *pid = NULL;
		wait_until("it sleeps", *(pid = pg_scalar("select pid from pg_stat_activity where state = 'active' and "
							  "query like 'select ''napped''%%'")));
		terminate(pid);
		check_result_fails(c, PQgetResult(c), "57P01", NULL);
		check("end", PQgetResult(c) == NULL);
		one[0] = "0";
		PGresult *r = PQexecPrepared(c, "nap", 1, one, NULL, NULL, 0);
		check_str("again", PQgetvalue(r, 0, 0), "napped");
		PQclear(r);
		/* In one batch with its Parse, which was not answered for good: the name is free. */
		check("sent", PQsendQueryParams(c, SLEEP, 0, NULL, NULL, NULL, NULL, 0));
		PQflush(c);
		wait_until("it sleeps", *(pid = pg_scalar("select pid from pg_stat_activity where state = 'active' and "
							  "query = '" SLEEP "'")));
		terminate(pid);
		check_result_fails(c, PQgetResult(c), "57P01", NULL);
		check("end", PQgetResult(c) == NULL);
		check_str("unnamed", scalar_params(c, "select $1::text", "x", NULL), "x");
	}
}

/* Between the rows of an answer. */
static void test_lost_among_rows(void)
{
	sluice_with("pool_mode = transaction");
	PGconn *c = client(NULL);
	check("sent", PQsendQuery(c, "select case when n > 3 then pg_sleep(100)::text else n::text end "
				     "from generate_series(1, 5) n"));
	PQsetSingleRowMode(c);
	PQflush(c);
	char *pid = NULL;
	wait_until(
		"it sleeps",
		*(pid = pg_scalar(
			  "select pid from pg_stat_activity where state = 'active' and query like 'select case%%'")));
	terminate(pid);
	PGresult *r;
	int errors = 0;
	while ((r = PQgetResult(c))) {
		errors += PQresultStatus(r) == PGRES_FATAL_ERROR;
		PQclear(r);
	}
	check_eq("an error", errors, 1);
	check_eq("it stays", PQstatus(c), CONNECTION_OK);
	check_scalar(c, "select 1", "1");
}

/* In a copy, in both directions; the rest of the data is dropped. */
static void test_lost_in_a_copy(void)
{
	sluice_with("pool_mode = transaction");
	make_table();
	PGconn *c = client(NULL);
	PGresult *r = PQexec(c, "copy kept from stdin");
	check_eq("copying", PQresultStatus(r), PGRES_COPY_IN);
	PQclear(r);
	check_eq("data", PQputCopyData(c, "1\n", 2), 1);
	PQflush(c);
	terminate(pg_scalar(
		"select pid from pg_stat_activity where query = 'copy kept from stdin' and state = 'active'"));
	for (int i = 0; i < 100; i++)
		check_eq("data", PQputCopyData(c, "1\n", 2), 1);
	check_eq("end", PQputCopyEnd(c, NULL), 1);
	check_result_fails(c, PQgetResult(c), "57P01", NULL);
	while ((r = PQgetResult(c)))
		PQclear(r);
	check_scalar(c, "select count(*) from kept", "0");
}

/* Of what was sent ahead nobody knows what has been run: each hears so. */
static void test_lost_pipeline(void)
{
	static const char *const texts[] = { "terminating connection", "whether this was run is not known" };
	sluice_with("pool_mode = transaction");
	int fd = raw_client();
	check("sent", raw_message(fd, 'Q', "begin", 6) && raw_message(fd, 'Q', SLEEP, sizeof SLEEP) &&
			      raw_message(fd, 'Q', "commit", 7));
	char *pid = NULL;
	wait_until("it sleeps",
		   *(pid = pg_scalar("select pid from pg_stat_activity where state = 'active' and query = '" SLEEP
				     "'")));
	terminate(pid);
	for (size_t i = 0; i < COUNT(texts); i++) {
		check("told", raw_expect(fd, 'E', body, sizeof body, &len));
		check_str("severity", error_field(body, len, 'S'), "ERROR");
		check(texts[i], strstr(error_field(body, len, 'M'), texts[i]) != NULL);
		check("in step", raw_expect(fd, 'Z', body, sizeof body, &len) && body[0] == 'E');
	}
	/* What ends a transaction may have more behind it. */
	check("said", raw_message(fd, 'Q', "rollback; select 7", 19));
	check("ROLLBACK", raw_expect(fd, 'C', body, sizeof body, &len) && strcmp(body, "ROLLBACK") == 0);
	check("a row", raw_expect(fd, 'D', body, sizeof body, &len) && body[len - 1] == '7');
	check("done", raw_expect(fd, 'Z', body, sizeof body, &len) && body[0] == 'I');
	raw_close(fd);
}

/* In session pooling the connection is the server's: it ends with it, as without a pooler. */
static void test_lost_in_session_pooling(void)
{
	sluice_with("pool_mode = session");
	PGconn *c = client(NULL);
	terminate(pid_of(c));
	PGresult *r = PQexec(c, "select 1");
	check_eq("an error", PQresultStatus(r), PGRES_FATAL_ERROR);
	PQclear(r);
	check_eq("closed", PQstatus(c), CONNECTION_BAD);
	sluice_stop();
	sluice_with("pool_mode = transaction\ncompat_disconnect = 1");
	c = client(NULL);
	sql(c, "begin");
	terminate(pid_of(c));
	r = PQexec(c, "select 1");
	check_eq("an error", PQresultStatus(r), PGRES_FATAL_ERROR);
	PQclear(r);
	check_eq("closed", PQstatus(c), CONNECTION_BAD);
}

/* Nobody there: each statement hears so, and the client is served when the server is back. */
static void test_down(void)
{
	sluice_with("pool_mode = transaction\nserver_login_retry = 1\nquery_wait_timeout = 2");
	PGconn *c = client(NULL);
	check_scalar(c, "select 1", "1");
	sql(c, "begin");
	pg_stop(SIGQUIT);
	PGresult *r = PQexec(c, "select 1");
	check_eq("an error", PQresultStatus(r), PGRES_FATAL_ERROR);
	PQclear(r);
	check_eq("in a failed transaction", PQtransactionStatus(c), PQTRANS_INERROR);
	sql(c, "rollback"); /* needs no server */
	for (int i = 0; i < 3; i++) {
		r = PQexec(c, "select 1");
		check_eq("an error", PQresultStatus(r), PGRES_FATAL_ERROR);
		const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
		check(text("SQLSTATE %s", state), state && strlen(state) == 5);
		PQclear(r);
		check_eq("it stays", PQstatus(c), CONNECTION_OK);
		r = PQexecParams(c, "select 1", 0, NULL, NULL, NULL, NULL, 0);
		check_eq("an error", PQresultStatus(r), PGRES_FATAL_ERROR);
		PQclear(r);
		check_eq("it stays", PQstatus(c), CONNECTION_OK);
	}
	pg_start();
	bool ok = false;
	wait_until("it is back",
		   (r = PQexec(c, "select 1"), ok = PQresultStatus(r) == PGRES_TUPLES_OK, PQclear(r), ok));
}

/* A setting that the server refuses is an error, once, and not the end. */
static void test_refused_setting(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *bad = client("options='-c timezone=Nowhere/Atall'"), *good = client(NULL);
	check_sql_fails(bad, "select 1", "22023", "Nowhere/Atall");
	for (int i = 0; i < 3; i++) {
		check_scalar(bad, "show timezone", PQparameterStatus(good, "TimeZone"));
		check_str("it has been told", PQparameterStatus(bad, "TimeZone"), PQparameterStatus(good, "TimeZone"));
		check_scalar(good, "select 1", "1");
	}
	check_eq("it stays", PQstatus(bad), CONNECTION_OK);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "abandoned", test_abandoned },
		{ "closed", test_closed },
		{ "many_leave", test_many_leave },
		{ "lost_server", test_lost_server },
		{ "lost_with_prepared", test_lost_with_prepared },
		{ "lost_among_rows", test_lost_among_rows },
		{ "lost_in_a_copy", test_lost_in_a_copy },
		{ "lost_pipeline", test_lost_pipeline },
		{ "lost_in_session_pooling", test_lost_in_session_pooling },
		{ "down", test_down },
		{ "refused_setting", test_refused_setting },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "kept", tests);
}
