/* test_timeouts.c - what takes too long ends, and what did not cause it goes on: clients get an error with a SQLSTATE
 * of its own and stay, servers are rolled back and kept.
 * A limit is set on the console when what it is to hit is under way, and taken back before anything else is said: a
 * slow machine exceeds any limit that a test could wait for. */
#include "harness.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define SLEEP "select pg_sleep(100)"

/* A client that reads what nobody asked for, which libpq keeps to itself. */
static int raw_client(const char *user)
{
	char body[512];
	size_t len = 0;
	int fd = raw_open();
	require("start", raw_startup(fd, user, "test") && raw_expect(fd, 'Z', body, sizeof body, &len));
	return fd;
}

static void raw_query(int fd, const char *query)
{
	char body[1024];
	size_t len = 0;
	check(query, raw_message(fd, 'Q', query, strlen(query) + 1) && raw_expect(fd, 'Z', body, sizeof body, &len));
}

/* It is told so, unasked, and closed. */
static void is_disconnected(int fd, const char *sqlstate, const char *part)
{
	char body[1024];
	size_t len = 0;
	require(part, raw_expect(fd, 'E', body, sizeof body, &len));
	check_str(part, error_field(body, len, 'S'), "FATAL");
	check_str(part, error_field(body, len, 'C'), sqlstate);
	check(part, strstr(error_field(body, len, 'M'), part));
	check_eq("closed", raw_read_all(fd, body, sizeof body), 0);
	raw_close(fd);
}

/* Is this backend there, with no transaction and nothing to do? */
static bool is_idle(const char *pid)
{
	return atoi(pg_scalar("select count(*) from pg_stat_activity where pid = %s and state = 'idle'", pid)) == 1;
}

/* Sends it, and waits until the server is about it. */
static void sleep_there(PGconn *c, bool extended)
{
	check("sent", extended ? PQsendQueryParams(c, SLEEP, 0, NULL, NULL, NULL, NULL, 0) : PQsendQuery(c, SLEEP));
	PQflush(c);
	wait_until("it runs", pg_sleepers() == 1);
}

/* Its statement sleeps, and exceeds this limit. */
static void check_hit(PGconn *con, PGconn *c, bool extended, const char *limit, const char *sqlstate, const char *part)
{
	sleep_there(c, extended);
	sql(con, "set %s = 0.1", limit);
	check_result_fails(c, sql_last(c), sqlstate, part);
	sql(con, "set %s = 0", limit);
}

static void no_transaction_is_left(void)
{
	wait_until("nothing is left open",
		   strcmp(pg_scalar("select count(*) from pg_stat_activity where state like 'idle in%%'"), "0") == 0);
}

/* --- query_timeout */

/* In every mode and protocol, in a transaction or not: cancelled at the server, which stays. */
static void test_query(void)
{
	static const char *const modes[] = { "transaction", "session", "statement" };
	for (size_t i = 0; i < COUNT(modes); i++) {
		sluice_with(text("pool_mode = %s", modes[i]));
		PGconn *c = client(NULL), *con = console();
		char *pid = pid_of(c);
		for (int extended = 0; extended < 2; extended++) {
			check_hit(con, c, extended, "query_timeout", "57014", "query timeout");
			check_str("the same server", pid_of(c), pid);
		}
		if (i != 2) {
			sql(c, "begin");
			check_hit(con, c, false, "query_timeout", "57014", "query timeout");
			check_eq("status", PQtransactionStatus(c), PQTRANS_INERROR);
			check_sql_fails(c, "select 1", "25P02", NULL);
			sql(c, "rollback");
			check_scalar(c, "select 1", "1");
		}
		check_eq("counted", stat_of(con, "query_timeout_count"), i != 2 ? 3 : 2);
		sluice_stop();
	}
}

/* It may fail only if it has taken so long. */
static void in_time(PGconn *c, const char *query, uint64_t limit_ms)
{
	uint64_t began = now_ms();
	PGresult *r = PQexec(c, query);
	check(text("%s: %s", query, PQresultErrorMessage(r)),
	      PQresultStatus(r) == PGRES_TUPLES_OK || now_ms() - began >= limit_ms);
	PQclear(r);
}

/* Statements that are in time are never hit, however many there are and however the deadlines are looked at. */
static void test_short_queries(void)
{
	enum { LIMIT_MS = 400 };
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1\nquery_timeout = 0.4\ntransaction_timeout = 1");
	PGconn *a = client(NULL), *b = client(NULL);
	uint64_t until = now_ms() + 1500;
	do {
		in_time(a, "select 1 from pg_sleep(0.05)", LIMIT_MS);
		in_time(b, "select 1 from pg_sleep(0.05)", LIMIT_MS);
	} while (now_ms() < until);
	check_sql_fails(a, SLEEP, "57014", "query timeout");
	in_time(b, "select 1", LIMIT_MS);
}

/* A server that does not heed the request is closed in the end; the client stays even then. */
static void test_query_that_cannot_be_cancelled(void)
{
	sluice_with("pool_mode = transaction\nserver_rollback_timeout = 0.3");
	PGconn *c = client(NULL), *con = console();
	char *pid = pid_of(c);
	/* Waiting for data of a copy that do not come is what PostgreSQL does not cancel. */
	sql(c, "create table if not exists timeouts (n int)");
	PGresult *r = PQexec(c, "copy timeouts from stdin");
	check_eq("copying", PQresultStatus(r), PGRES_COPY_IN);
	PQclear(r);
	sql(con, "set query_timeout = 0.2");
	wait_until("the server is closed", sluice_logged("closing because: query timeout"));
	sql(con, "set query_timeout = 0");
	PQputCopyEnd(c, NULL);
	check_result_fails(c, PQgetResult(c), "57014", "query timeout");
	while ((r = PQgetResult(c)))
		PQclear(r);
	check("another server", strcmp(pid_of(c), pid) != 0);
	check_scalar(c, "select 1", "1");
}

/* Who may take how long: the database says, and the user before it. */
static void test_whose(void)
{
	sluice_start(&(struct conf){ .databases = "test = @PG@\nshort = @PG@ dbname=test query_timeout=0.2",
				     .settings = "pool_mode = transaction",
				     .users = "bob = query_timeout=0.3\ncarol = query_timeout=60" });
	check_sql_fails(client("dbname=short"), SLEEP, "57014", "query timeout");
	check_sql_fails(client("user=bob"), SLEEP, "57014", "query timeout");
	check_scalar(client("user=carol dbname=short"), "select 1 from pg_sleep(0.5)", "1");
	check_scalar(client(NULL), "select 1 from pg_sleep(0.5)", "1");
}

/* SET and RELOAD reach who is there already. */
static void test_changed(void)
{
	sluice_with("pool_mode = transaction");
	PGconn *c = client(NULL), *con = console();
	sql_start(c, SLEEP);
	wait_until("it runs", show_int(con, "POOLS", "database", "test", "sv_active") == 1);
	sql(con, "SET query_timeout = 0.1");
	check_result_fails(c, sql_last(c), "57014", "query timeout");
	sql(con, "SET query_timeout = 0");
	check_scalar(c, "select 1 from pg_sleep(0.3)", "1");
}

/* --- Transactions */

static void test_idle_in_transaction(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *c = client(NULL), *other = client(NULL), *con = console();
	char *pid = pid_of(c);
	static const struct {
		const char *first, *state;
		PGTransactionStatusType then;
	} cases[] = {
		{ "select 1", "25P03", PQTRANS_INERROR },
		{ "commit", "25P03", PQTRANS_IDLE }, /* must not look as if it had worked */
		{ "end work;", "25P03", PQTRANS_IDLE },
		{ "rollback", NULL, PQTRANS_IDLE },
		{ " ABORT ; ", NULL, PQTRANS_IDLE },
		{ "rollback to savepoint a", "25P03", PQTRANS_INERROR },
	};
	for (int extended = 0; extended < 2; extended++) {
		for (size_t i = 0; i < COUNT(cases); i++) {
			sql(c, "begin");
			sql(c, "savepoint a");
			/* The server is somebody else's as soon as it is rolled back. */
			sql(con, "set idle_transaction_timeout = 0.1");
			check_str("the same server", pid_of(other), pid);
			sql(con, "set idle_transaction_timeout = 0");
			PGresult *r = extended ? PQexecParams(c, cases[i].first, 0, NULL, NULL, NULL, NULL, 0)
					       : PQexec(c, cases[i].first);
			if (cases[i].state) {
				check_result_fails(c, r, cases[i].state, "idle transaction timeout");
			} else {
				check_eq(cases[i].first, PQresultStatus(r), PGRES_COMMAND_OK);
				check_str(cases[i].first, PQcmdStatus(r), "ROLLBACK");
				PQclear(r);
			}
			check_eq(cases[i].first, PQtransactionStatus(c), cases[i].then);
			if (cases[i].then == PQTRANS_INERROR) {
				check_sql_fails(c, "select 2", "25P02", "aborted");
				check_result_fails(c, PQexecParams(c, "select 2", 0, NULL, NULL, NULL, NULL, 0),
						   "25P02", "aborted");
				check_eq("still failed", PQtransactionStatus(c), PQTRANS_INERROR);
				r = extended ? PQexecParams(c, "commit", 0, NULL, NULL, NULL, NULL, 0)
					     : PQexec(c, "commit");
				check_str("its end", PQcmdStatus(r), "ROLLBACK");
				PQclear(r);
				check_eq("over", PQtransactionStatus(c), PQTRANS_IDLE);
			}
			check_str("the same server", pid_of(c), pid);
		}
	}
	check_eq("counted", stat_of(con, "transaction_timeout_count"), 2 * (int)COUNT(cases));
	check_eq("all rolled back", stat_of(con, "rollback_count"), 2 * (int)COUNT(cases));
}

/* Who is in a transaction that idles loses the one server to this one. */
static void is_rolled_back_for(PGconn *con, PGconn *other)
{
	sql(con, "set idle_transaction_timeout = 0.1");
	check_scalar(other, "select 1", "1");
	sql(con, "set idle_transaction_timeout = 0");
}

/* Drivers prepare what ends their transactions. */
static void test_prepared_ends(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *c = client(NULL), *other = client(NULL), *con = console();
	static const char *const ends[] = { "rollback", "/* the driver's */ commit" };
	for (int named = 0; named < 2; named++) {
		for (size_t i = 0; i < COUNT(ends); i++) {
			const char *name = named ? text("s%zu", i) : "";
			bool is_commit = i == 1;
			for (int when = 0; when < 3;
			     when++) { /* prepared before, and after it has failed, told or not */
				if (when == 0)
					PQclear(PQprepare(c, name, ends[i], 0, NULL));
				sql(c, "begin");
				if (when == 0 && !named)
					PQclear(PQprepare(c, name, ends[i], 0, NULL));
				is_rolled_back_for(con, other);
				if (when == 2 || is_commit)
					check_sql_fails(c, "select 1", "25P03", NULL);
				if (when && !named)
					PQclear(PQprepare(c, name, ends[i], 0, NULL));
				if (when == 0 && !named && is_commit) /* a Query ends the unnamed statement */
					PQclear(PQprepare(c, name, ends[i], 0, NULL));
				PGresult *r = PQexecPrepared(c, name, 0, NULL, NULL, NULL, 0);
				check_eq(text("%s %d %d: %s", ends[i], named, when, PQresultErrorMessage(r)),
					 PQresultStatus(r), PGRES_COMMAND_OK);
				check_str(ends[i], PQcmdStatus(r), "ROLLBACK");
				PQclear(r);
				check_eq("over", PQtransactionStatus(c), PQTRANS_IDLE);
				check_scalar(c, "select 1", "1");
			}
		}
	}
	/* Prepared in the failed transaction, and there for later. */
	sql(c, "begin");
	is_rolled_back_for(con, other);
	PGresult *r = PQprepare(c, "later", "rollback", 0, NULL);
	check_eq("prepared", PQresultStatus(r), PGRES_COMMAND_OK);
	PQclear(r);
	r = PQexecPrepared(c, "later", 0, NULL, NULL, NULL, 0);
	check_str("tag", PQcmdStatus(r), "ROLLBACK");
	PQclear(r);
	sql(c, "begin");
	r = PQexecPrepared(c, "later", 0, NULL, NULL, NULL, 0);
	check_str("tag, of a server's", PQcmdStatus(r), "ROLLBACK");
	PQclear(r);
	check_eq("over", PQtransactionStatus(c), PQTRANS_IDLE);
}

/* What it did is undone, and what it locked is free. */
static void test_it_is_rolled_back(void)
{
	sluice_with("pool_mode = transaction\nidle_transaction_timeout = 0.3");
	PGconn *c = client(NULL), *other = client(NULL);
	sql(other, "create table if not exists timeouts (n int); truncate timeouts");
	sql(c, "begin; insert into timeouts values (1)");
	sql(other, "truncate timeouts");
	check_sql_fails(c, "insert into timeouts values (2)", "25P03", NULL);
	sql(c, "rollback");
	check_scalar(c, "select count(*) from timeouts", "0");
	no_transaction_is_left();
}

static void test_transaction(void)
{
	sluice_with("pool_mode = transaction");
	PGconn *c = client(NULL), *con = console();
	char *pid = pid_of(c);
	/* One that talks all the time, ... */
	sql(c, "begin");
	sql(con, "set transaction_timeout = 0.5");
	uint64_t until = now_ms() + PATIENCE_MS;
	PGresult *r = NULL;
	do {
		PQclear(r);
		r = PQexec(c, "select 1");
	} while (PQresultStatus(r) == PGRES_TUPLES_OK && now_ms() < until);
	check_result_fails(c, r, "25P04", "transaction timeout");
	sql(con, "set transaction_timeout = 0");
	check_eq("failed", PQtransactionStatus(c), PQTRANS_INERROR);
	sql(c, "rollback");
	check_str("the same server", pid_of(c), pid);
	/* ... one that runs, ... */
	sql(c, "begin");
	check_hit(con, c, false, "transaction_timeout", "25P04", "transaction timeout");
	check_eq("failed", PQtransactionStatus(c), PQTRANS_INERROR);
	no_transaction_is_left();
	check_sql_fails(c, "select 1", "25P02", NULL);
	sql(c, "rollback");
	check_str("the same server", pid_of(c), pid);
	/* ... and one that is a single statement. */
	check_hit(con, c, false, "transaction_timeout", "25P04", "transaction timeout");
	check_eq("none", PQtransactionStatus(c), PQTRANS_IDLE);
	check_str("the same server", pid_of(c), pid);
}

/* In session pooling the server has what is the client's: it goes with its client, as PostgreSQL itself does it. */
static void test_session_pooling(void)
{
	sluice_with("pool_mode = session\nidle_transaction_timeout = 0.3\ntransaction_timeout = 5");
	PGconn *first = client(NULL);
	char *pid = pid_of(first);
	client_close(first);
	int fd = raw_client("alice");
	raw_query(fd, "begin");
	is_disconnected(fd, "25P03", "idle transaction timeout");
	wait_until("the server is kept", is_idle(pid));
	check_str("and used", pid_of(client(NULL)), pid);
}

static void test_idle_client(void)
{
	enum { LIMIT_MS = 400 };
	static const char *const modes[] = { "transaction", "session" };
	for (size_t i = 0; i < COUNT(modes); i++) {
		sluice_start(&(struct conf){ .settings = text("pool_mode = %s", modes[i]),
					     .users = "bob = client_idle_timeout=0" });
		int never = raw_client("alice"), once = raw_client("alice"), lost = 0;
		PGconn *c = client(NULL), *within = client(NULL), *exempt = client("user=bob"), *con = console();
		raw_query(once, "select 1");
		sql(within, "begin");
		sql(con, "set client_idle_timeout = 0.4");
		uint64_t until = now_ms() + 1000;
		for (uint64_t last = now_ms(), began; (began = now_ms()) < until; last = began) {
			PGresult *r = PQexec(c, "select 1 from pg_sleep(0.02)");
			bool ok = PQresultStatus(r) == PGRES_TUPLES_OK;
			PQclear(r);
			if (ok)
				continue;
			check("who talks stays in", now_ms() - last >= LIMIT_MS); /* it may have been held up */
			lost++;
			c = client(NULL);
		}
		is_disconnected(never, "57P05", "client_idle_timeout");
		is_disconnected(once, "57P05", "client_idle_timeout");
		check_scalar(within, "select 1 from pg_sleep(0.6)", "1");
		sql(con, "set client_idle_timeout = 0");
		sql(within, "commit");
		check_scalar(exempt, "select 1", "1");
		PGresult *r = PQexec(c, "select 1");
		lost += PQresultStatus(r) != PGRES_TUPLES_OK; /* since then it has said nothing */
		PQclear(r);
		check_eq("counted", stat_of(con, "client_idle_timeout_count"), 2 + lost);
		sluice_stop();
	}
}

/* --- Waiting */

static int notices;

static void on_notice(void *arg, const PGresult *r)
{
	(void)arg;
	const char *says = PQresultErrorMessage(r);
	notices += says && strstr(says, "waits in line") != NULL;
}

static void test_wait_notify(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1\nquery_wait_notify = 0.2\nquery_wait_timeout = 0");
	PGconn *a = client(NULL), *b = client(NULL), *con = console();
	PQsetNoticeReceiver(b, on_notice, NULL);
	sql(a, "begin");
	for (int i = 1; i <= 2; i++) {
		sql_start(b, "select 1");
		wait_until("told", (is_answered(b), notices == i));
		sql(con, "set query_wait_timeout = 0.5");
		check_result_fails(b, sql_last(b), "53300", "query_wait_timeout");
		sql(con, "set query_wait_timeout = 0");
		check_eq("told once", notices, i);
	}
	check_eq("counted", stat_of(con, "wait_timeout_count"), 2);
	check_eq("counted", stat_of(con, "refused_count"), 2);
	sql(a, "commit");
	check_scalar(b, "select 1", "1");
}

/* Whoever waited in vain is told for what. */
static void test_wait_hints(void)
{
	stub_open();
	sluice_start(&(struct conf){
		.databases = "test = @PG@\nstub = @STUB@",
		.settings = "pool_mode = transaction\ndefault_pool_size = 1",
	});
	PGconn *a = client(NULL), *b = client(NULL), *con = console();
	sql(a, "begin");
	sql(con, "set query_wait_timeout = 0.3");
	check_sql_fails(b, "select 1", "53300", "HINT:  All server connections of the pool were in use");
	sql(a, "commit");
	sql(con, "PAUSE");
	check_sql_fails(b, "select 1", "57P03", "HINT:  The database is paused");
	sql(con, "set query_wait_timeout = 0; RESUME");
	check_scalar(b, "select 1", "1");
	sql(con, "set query_wait_timeout = 0.3");
	check_login_fails("08P01", "HINT:  No server connection was to be had", "dbname=stub");
}

/* What was sent behind a statement that is refused, without waiting, is refused with it: its BEGIN is missing. */
static void test_refused_pipeline(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *a = client(NULL), *b = client(NULL), *con = console();
	sql(b, "create table if not exists timeouts (n int); truncate timeouts");
	static const char *const batch[] = { "begin", "insert into timeouts values (1)", "commit" };
	sql(a, "begin");
	sql(con, "set query_wait_timeout = 0.5");
	require("pipeline", PQenterPipelineMode(b));
	for (size_t i = 0; i < COUNT(batch); i++) {
		require("sent", PQsendQueryParams(b, batch[i], 0, NULL, NULL, NULL, NULL, 0));
		require("sync", PQpipelineSync(b));
	}
	PQflush(b);
	for (size_t i = 0; i < COUNT(batch); i++) {
		PGresult *r = PQgetResult(b);
		check_str(batch[i], PQresultErrorField(r, PG_DIAG_SQLSTATE), "53300");
		PQclear(r);
		check("end of it", PQgetResult(b) == NULL);
		r = PQgetResult(b);
		check_eq("in step", PQresultStatus(r), PGRES_PIPELINE_SYNC);
		PQclear(r);
	}
	require("out", PQexitPipelineMode(b));
	sql(con, "set query_wait_timeout = 0");
	sql(a, "commit");
	check_scalar(b, "select count(*) from timeouts", "0");
}

/* A Sync alone ends a batch, also one that is refused. */
static void test_refused_batch(void)
{
	static const struct {
		const char *what, *bytes;
		size_t n;
		const char *hears;
	} rows[] = {
		{ "a query in a batch", BYTES("P\0\0\0\x10\0select 1\0\0\0Q\0\0\0\rselect 2\0S\0\0\0\4"), "EZ" },
		{ "a query behind it", BYTES("P\0\0\0\x10\0select 1\0\0\0S\0\0\0\4Q\0\0\0\rselect 2\0"), "EZEZ" },
		{ "a batch behind a query", BYTES("Q\0\0\0\rselect 2\0D\0\0\0\6P\0S\0\0\0\4"), "EZEZ" },
	};
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *a = client(NULL), *con = console();
	for (size_t i = 0; i < COUNT(rows); i++) {
		char heard[16] = "", body[1024], type = 0;
		size_t len, n = 0;
		int fd = raw_client("alice");
		raw_query(fd, "select 1");
		sql(a, "begin");
		sql(con, "set query_wait_timeout = 0.3");
		require(rows[i].what, raw_send(fd, rows[i].bytes, rows[i].n));
		while (n < strlen(rows[i].hears) && raw_next(fd, &type, body, sizeof body, &len))
			heard[n++] = type;
		sql(con, "set query_wait_timeout = 0");
		sql(a, "commit");
		check(rows[i].what, raw_message(fd, 'Q', "select 1", 9));
		while (n < COUNT(heard) - 1 && raw_next(fd, &type, body, sizeof body, &len) && type != 'T')
			heard[n++] = type;
		check_str(rows[i].what, heard, rows[i].hears);
		raw_close(fd);
	}
}

/* A query that is refused ends the unnamed statement, as one does that is run. */
static void test_refused_query(void)
{
	char body[1024], type = 0;
	size_t len;
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *a = client(NULL), *con = console();
	int fd = raw_client("alice");
	require("parse", raw_send(fd, BYTES("P\0\0\0\x10\0select 1\0\0\0S\0\0\0\4")) &&
				 raw_expect(fd, 'Z', body, sizeof body, &len));
	sql(a, "begin");
	sql(con, "set query_wait_timeout = 0.3");
	raw_query(fd, "select 2");
	sql(con, "set query_wait_timeout = 0");
	sql(a, "commit");
	require("describe", raw_send(fd, BYTES("D\0\0\0\6S\0S\0\0\0\4")));
	check("an answer", raw_next(fd, &type, body, sizeof body, &len) && type == 'E');
	check_str("it is gone", error_field(body, len, 'C'), "26000");
	raw_close(fd);
}

/* --- compat_disconnect */

static void test_compat(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 2\ncompat_disconnect = 1");
	PGconn *c = client(NULL), *con = console();
	sleep_there(c, false);
	sql(con, "set query_timeout = 0.1");
	wait_until("an answer", is_answered(c));
	check_result_fails(c, PQgetResult(c), "08P01", "query timeout"); /* libpq has more to say behind it */
	for (PGresult *r; (r = PQgetResult(c));)
		PQclear(r);
	check_eq("closed", PQstatus(c), CONNECTION_BAD);
	sql(con, "set query_timeout = 0");
	int fd = raw_client("alice");
	raw_query(fd, "begin");
	sql(con, "set idle_transaction_timeout = 0.1");
	is_disconnected(fd, "08P01", "idle transaction timeout");
	sql(con, "set idle_transaction_timeout = 0");
	c = client(NULL);
	check_scalar(c, "select 1", "1");
	sql(con, "PAUSE");
	sql(con, "set query_wait_timeout = 0.3");
	check_sql_fails(c, "select 1", "08P01", "query_wait_timeout");
	check_eq("closed", PQstatus(c), CONNECTION_BAD);
	sql(con, "RESUME");
}

/* --- How many clients */

static void test_client_limits(void)
{
	sluice_start(&(struct conf){ .databases = "test = @PG@\nsmall = @PG@ dbname=test max_db_client_connections=2",
				     .settings = "pool_mode = transaction\nmax_user_client_connections = 3",
				     .users = "bob = max_user_client_connections=1" });
	PGconn *one = client("user=bob"), *a = client("dbname=small"), *con = console();
	client("dbname=small");
	check_login_fails("08P01", "client connections exceeded (max_user_client_connections)", "user=bob");
	check_login_fails("08P01", "client connections exceeded (max_db_client_connections)", "dbname=small");
	check_login_fails("08P01", "client connections exceeded (max_db_client_connections)",
			  "dbname=small password=wrong");
	check_eq("shown", show_int(con, "DATABASES", "name", "small", "max_client_connections"), 2);
	client(NULL);
	check_login_fails("08P01", "client connections exceeded (max_user_client_connections)", "user=alice");
	client_close(one);
	client_close(a);
	PGconn *b = NULL;
	wait_until("room again", (b = client_try("user=bob")) != NULL);
	wait_until("room again", (b = client_try("dbname=small")) != NULL);
	check_scalar(b, "select 1", "1");
}

static void test_login_message(void)
{
	char body[512];
	size_t len = 0;
	static const char *const databases[] = { "test", "pgbouncer" };
	sluice_start(&(struct conf){ .settings =
					     "login_notify_message = Down for repairs at noon.\nadmin_users = alice\n"
					     "tcp_socket_buffer = 65536" });
	for (size_t i = 0; i < COUNT(databases); i++) {
		int fd = raw_open();
		require("start",
			raw_startup(fd, "alice", databases[i]) && raw_expect(fd, 'N', body, sizeof body, &len));
		check_str("told", error_field(body, len, 'M'), "Down for repairs at noon.");
		check("and in", raw_expect(fd, 'Z', body, sizeof body, &len));
		raw_close(fd);
	}
	check_scalar(client(NULL), "select 1", "1");
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "query", test_query },
		{ "short_queries", test_short_queries },
		{ "query_that_cannot_be_cancelled", test_query_that_cannot_be_cancelled },
		{ "whose", test_whose },
		{ "changed", test_changed },
		{ "idle_in_transaction", test_idle_in_transaction },
		{ "prepared_ends", test_prepared_ends },
		{ "it_is_rolled_back", test_it_is_rolled_back },
		{ "transaction", test_transaction },
		{ "session_pooling", test_session_pooling },
		{ "idle_client", test_idle_client },
		{ "wait_notify", test_wait_notify },
		{ "wait_hints", test_wait_hints },
		{ "refused_pipeline", test_refused_pipeline },
		{ "refused_batch", test_refused_batch },
		{ "refused_query", test_refused_query },
		{ "compat", test_compat },
		{ "client_limits", test_client_limits },
		{ "login_message", test_login_message },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "timeouts", tests);
}
