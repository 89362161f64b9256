/* test_query.c - statements of every kind through session and transaction pooling: what comes back is what PostgreSQL
 * itself would have said. */
#include "harness.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

static const char *const modes[] = { "pool_mode = session", "pool_mode = transaction" };

static void simple_protocol(PGconn *c)
{
	check_scalar(c, "select 1", "1");
	check_scalar(c, "select 1; select 2", "2");
	check_scalar(c, "", "");
	check_scalar(c, "values ('one'), ('two')", "one");
	check_eq("three rows",
		 atoi(scalar(c, "create temp table t1 as select generate_series(1, 3) as n; "
				"with d as (delete from t1 returning 1) select count(*) from d; drop table t1; "
				"select 3")),
		 3);
	PGresult *r = PQexec(c, "select 1 as a, null as b, 'x'::text as c");
	check_eq("columns", PQnfields(r), 3);
	check_str("name", PQfname(r, 2), "c");
	check("null", PQgetisnull(r, 0, 1));
	check_eq("type", PQftype(r, 0), 23);
	PQclear(r);
	r = PQexec(c, "create table if not exists made (n int)");
	check_str("command tag", PQcmdStatus(r), "CREATE TABLE");
	PQclear(r);
	r = PQexec(c, "insert into made select generate_series(1, 7)");
	check_str("rows", PQcmdTuples(r), "7");
	PQclear(r);
	sql(c, "drop table made");
}

static void extended_protocol(PGconn *c)
{
	check_str("a parameter", scalar_params(c, "select $1::int + 1", "41", NULL), "42");
	check_str("two parameters", scalar_params(c, "select $1 || $2", "sl", "uice"), "sluice");
	check_str("none", scalar_params(c, "select current_user", NULL, NULL), "alice");
	/* Binary in and out. */
	const char be[4] = { 0, 0, 1, 2 };
	const char *const values[] = { be };
	const Oid types[] = { 23 };
	const int lengths[] = { 4 }, formats[] = { 1 };
	PGresult *r = PQexecParams(c, "select $1 * 2", 1, types, values, lengths, formats, 1);
	check_eq("binary", PQresultStatus(r), PGRES_TUPLES_OK);
	check_eq("length", PQgetlength(r, 0, 0), 4);
	check_mem("value", PQgetvalue(r, 0, 0), "\0\0\2\4", 4);
	PQclear(r);
}

static void prepared_statements(PGconn *c)
{
	PGresult *r = PQprepare(c, "plus", "select $1::int + $2::int", 0, NULL);
	check_eq("prepare", PQresultStatus(r), PGRES_COMMAND_OK);
	PQclear(r);
	r = PQdescribePrepared(c, "plus");
	check_eq("describe", PQresultStatus(r), PGRES_COMMAND_OK);
	check_eq("its parameters", PQnparams(r), 2);
	PQclear(r);
	for (int i = 0; i < 20; i++) {
		const char *const values[] = { text("%d", i), "1" };
		r = PQexecPrepared(c, "plus", 2, values, NULL, NULL, 0);
		check_eq("execute", PQresultStatus(r), PGRES_TUPLES_OK);
		check_eq("sum", atoi(PQgetvalue(r, 0, 0)), i + 1);
		PQclear(r);
	}
	check_result_fails(c, PQexecPrepared(c, "nobody", 0, NULL, NULL, NULL, 0), "26000", "\"nobody\"");
	sql(c, "prepare by_sql as select 7");
	check_scalar(c, "execute by_sql", "7");
	sql(c, "deallocate all");
	check_sql_fails(c, "execute by_sql", "26000", NULL);
}

static void test_protocols(void)
{
	for (size_t i = 0; i < COUNT(modes); i++) {
		sluice_with(modes[i]);
		PGconn *c = client(NULL);
		simple_protocol(c);
		extended_protocol(c);
		if (i == 0)
			prepared_statements(c);
		sluice_stop();
	}
}

static void test_what_login_tells(void)
{
	static const char *const names[] = { "server_version",
					     "server_encoding",
					     "client_encoding",
					     "DateStyle",
					     "TimeZone",
					     "integer_datetimes",
					     "IntervalStyle",
					     "is_superuser",
					     "session_authorization",
					     "application_name",
					     "standard_conforming_strings" };
	sluice_with(NULL);
	PGconn *straight = client_to_pg("application_name=me");
	for (int i = 0; i < 2; i++) { /* the first of a pool, and one that comes later */
		PGconn *c = client("application_name=me");
		for (size_t n = 0; n < COUNT(names); n++)
			check_str(names[n], PQparameterStatus(c, names[n]), PQparameterStatus(straight, names[n]));
		check_eq("version", PQserverVersion(c), PQserverVersion(straight));
		check("a key to cancel with", PQbackendPID(c) != 0);
	}
}

static void test_transaction_status(void)
{
	for (size_t i = 0; i < COUNT(modes); i++) {
		sluice_with(modes[i]);
		PGconn *c = client(NULL);
		check_eq("fresh", PQtransactionStatus(c), PQTRANS_IDLE);
		sql(c, "begin");
		check_eq("begin", PQtransactionStatus(c), PQTRANS_INTRANS);
		char *pid = scalar(c, "select pg_backend_pid()");
		sql(c, "create temp table here (n int) on commit drop");
		check_str("the same server", scalar(c, "select pg_backend_pid()"), pid);
		sql(c, "savepoint a");
		check_sql_fails(c, "select 1/0", "22012", "division by zero");
		check_eq("failed", PQtransactionStatus(c), PQTRANS_INERROR);
		check_sql_fails(c, "select 1", "25P02", NULL);
		sql(c, "rollback to a");
		check_eq("rolled back", PQtransactionStatus(c), PQTRANS_INTRANS);
		check_scalar(c, "select count(*) from here", "0");
		sql(c, "commit");
		check_eq("commit", PQtransactionStatus(c), PQTRANS_IDLE);
		check_sql_fails(c, "select 1; select 1/0; select 2", "22012", NULL);
		check_eq("after an error", PQtransactionStatus(c), PQTRANS_IDLE);
		check_sql_fails(c, "begin; select 1/0", "22012", NULL);
		check_eq("begun and failed in one", PQtransactionStatus(c), PQTRANS_INERROR);
		sql(c, "rollback");
		check_scalar(c, "select 1", "1");
		sluice_stop();
	}
}

static void test_errors(void)
{
	static const struct {
		const char *query, *sqlstate, *part;
	} cases[] = {
		{ "selec 1", "42601", "syntax error at or near \"selec\"" },
		{ "select * from nowhere", "42P01", "relation \"nowhere\" does not exist" },
		{ "select 'x'::int", "22P02", "invalid input syntax for type integer: \"x\"" },
		{ "do $$ begin raise exception 'mine' using errcode = 'SL001', hint = 'a hint'; end $$", "SL001",
		  "HINT:  a hint" },
		{ "commit prepared 'none'", "42704", NULL },
	};
	sluice_with(NULL);
	PGconn *c = client(NULL);
	for (size_t i = 0; i < COUNT(cases); i++) {
		check_sql_fails(c, cases[i].query, cases[i].sqlstate, cases[i].part);
		check_result_fails(c, PQexecParams(c, cases[i].query, 0, NULL, NULL, NULL, NULL, 0), cases[i].sqlstate,
				   cases[i].part);
		check_scalar(c, "select 1", "1");
	}
	sql(c, "discard all"); /* DO may leave locks behind, and keeps its server */
	PGconn *con = console();
	wait_until("one server through it all", atoi(show(con, "POOLS", "database", "test", "sv_idle")) == 1);
}

static unsigned nnotices;

static void count_notice(void *arg, const PGresult *r)
{
	(void)arg;
	nnotices += strcmp(PQresultErrorField(r, PG_DIAG_SQLSTATE), "00000") == 0;
}

static void test_notices(void)
{
	sluice_with(NULL);
	PGconn *c = client(NULL);
	nnotices = 0;
	PQsetNoticeReceiver(c, count_notice, NULL);
	sql(c, "do $$ begin for i in 1..50 loop raise notice 'number %%', i; end loop; end $$");
	check_eq("notices", nnotices, 50);
}

/* A result of 20 MB in rows of one kilobyte, whole and row by row, and single values of 20 MB. */
static void test_large_results(void)
{
	for (size_t i = 0; i < COUNT(modes); i++) {
		sluice_with(modes[i]);
		PGconn *c = client(NULL);
		PGresult *r = PQexec(c, "select n, repeat(chr(97 + n % 26), 1000) from generate_series(0, 19999) n");
		check_eq("status", PQresultStatus(r), PGRES_TUPLES_OK);
		require("rows", PQntuples(r) == 20000);
		for (int n = 0; n < 20000; n++)
			if (atoi(PQgetvalue(r, n, 0)) != n || PQgetlength(r, n, 1) != 1000 ||
			    PQgetvalue(r, n, 1)[0] != 'a' + n % 26 || PQgetvalue(r, n, 1)[999] != 'a' + n % 26)
				check_eq("a row", n, -1);
		PQclear(r);
		check_eq("one long value", strlen(scalar(c, "select repeat('v', 20000000)")), 20000000);
		check_scalar(c, "select 1", "1");

		PQsendQuery(c, "select repeat('r', 1000) from generate_series(1, 20000)");
		PQsetSingleRowMode(c);
		int rows = 0;
		while ((r = PQgetResult(c))) {
			rows += PQresultStatus(r) == PGRES_SINGLE_TUPLE;
			PQclear(r);
		}
		check_eq("row by row", rows, 20000);
		sluice_stop();
	}
}

static void test_large_queries(void)
{
	enum { SIZE = 5 << 20 };
	char *big = malloc(SIZE + 1);
	memset(big, 'q', SIZE);
	big[SIZE] = 0;
	for (size_t i = 0; i < COUNT(modes); i++) {
		sluice_with(modes[i]);
		PGconn *c = client(NULL);
		check_eq("as a query", atoi(scalar(c, "select length('%s')", big)), SIZE);
		check_eq("as a parameter", atoi(scalar_params(c, "select length($1)", big, NULL)), SIZE);
		check_str("there and back", scalar_params(c, "select $1::text", big, NULL), big);
		check_scalar(c, "select 1", "1");
		sluice_stop();
	}
	free(big);
}

/* Takes the results up to and with the next Sync's; each must have this status. */
static int drain_pipeline(PGconn *c, ExecStatusType want)
{
	int n = 0;
	for (int nulls = 0; nulls < 2;) {
		PGresult *r = PQgetResult(c);
		if (!r) {
			nulls++;
			continue;
		}
		nulls = 0;
		ExecStatusType got = PQresultStatus(r);
		PQclear(r);
		if (got == PGRES_PIPELINE_SYNC)
			break;
		check_eq(text("result %d", n), got, want);
		n++;
	}
	return n;
}

static void test_pipeline(void)
{
	for (size_t i = 0; i < COUNT(modes); i++) {
		sluice_with(modes[i]);
		PGconn *c = client(NULL);
		sql(c, "create table piped (n int primary key)");
		check("pipeline mode", PQenterPipelineMode(c));
		/* Three batches in flight at once; the one in the middle fails in its middle. */
		for (int batch = 0; batch < 3; batch++) {
			for (int n = 0; n < 10; n++) {
				const char *const values[] = { text("%d", batch == 1 && n == 5 ? 0 : batch * 10 + n) };
				check("send", PQsendQueryParams(c, "insert into piped values ($1::int) returning n", 1,
								NULL, values, NULL, NULL, 0));
			}
			check("sync", PQpipelineSync(c));
		}
		check_eq("the first batch", drain_pipeline(c, PGRES_TUPLES_OK), 10);
		for (int n = 0; n < 10; n++) {
			PGresult *r = PQgetResult(c);
			check_eq(text("second batch, result %d", n), PQresultStatus(r),
				 n < 5    ? PGRES_TUPLES_OK
				 : n == 5 ? PGRES_FATAL_ERROR
					  : PGRES_PIPELINE_ABORTED);
			PQclear(r);
			check("its end", PQgetResult(c) == NULL);
		}
		check_eq("its sync", drain_pipeline(c, PGRES_TUPLES_OK), 0);
		check_eq("the third batch", drain_pipeline(c, PGRES_TUPLES_OK), 10);
		check("leave", PQexitPipelineMode(c));
		check_scalar(c, "select count(*) from piped", "20"); /* the failed batch left nothing */

		/* A transaction over several Syncs stays on its server; Flush alone brings answers too. */
		check("again", PQenterPipelineMode(c));
		PQsendQueryParams(c, "begin", 0, NULL, NULL, NULL, NULL, 0);
		PQpipelineSync(c);
		PQsendQueryParams(c, "create temp table held (n int) on commit drop", 0, NULL, NULL, NULL, NULL, 0);
		PQpipelineSync(c);
		PQsendQueryParams(c, "insert into held values (1)", 0, NULL, NULL, NULL, NULL, 0);
		PQsendFlushRequest(c);
		PQflush(c);
		PQclear(PQgetResult(c));
		check("begin ends", PQgetResult(c) == NULL);
		check_eq("begin's sync", drain_pipeline(c, PGRES_COMMAND_OK), 0);
		check_eq("create", drain_pipeline(c, PGRES_COMMAND_OK), 1);
		wait_until("an answer without Sync", is_answered(c));
		PGresult *r = PQgetResult(c);
		check_str("insert", PQcmdStatus(r), "INSERT 0 1");
		PQclear(r);
		PQgetResult(c);
		PQsendQueryParams(c, "commit", 0, NULL, NULL, NULL, NULL, 0);
		PQpipelineSync(c);
		check_eq("commit", drain_pipeline(c, PGRES_COMMAND_OK), 1);
		check("leave again", PQexitPipelineMode(c));
		sql(c, "drop table piped");
		sluice_stop();
	}
}

/* A thousand statements sent before a single answer is read. */
static void test_deep_pipeline(void)
{
	enum { BATCHES = 1000 };
	sluice_with("pool_mode = transaction\ndefault_pool_size = 2");
	PGconn *c = client(NULL), *other = client(NULL);
	check("non-blocking", PQsetnonblocking(c, 1) == 0);
	check("pipeline mode", PQenterPipelineMode(c));
	for (int n = 0; n < BATCHES; n++) {
		const char *const values[] = { text("%d", n) };
		check("send",
		      PQsendQueryParams(c, "select $1::int, repeat('p', 2000)", 1, NULL, values, NULL, NULL, 0));
		check("sync", PQpipelineSync(c));
	}
	check_scalar(other, "select 1", "1"); /* nobody else is held up */
	int rows = 0, syncs = 0;
	uint64_t until = now_ms() + PATIENCE_MS;
	while (syncs < BATCHES && now_ms() < until) {
		struct pollfd p = { PQsocket(c), (short)(PQflush(c) == 1 ? POLLIN | POLLOUT : POLLIN), 0 };
		poll(&p, 1, 100);
		require("the connection stands", PQconsumeInput(c));
		while (syncs < BATCHES && !PQisBusy(c)) {
			PGresult *r = PQgetResult(c);
			if (PQresultStatus(r) == PGRES_TUPLES_OK) {
				check_eq("in order", atoi(PQgetvalue(r, 0, 0)), rows);
				rows++;
			}
			syncs += PQresultStatus(r) == PGRES_PIPELINE_SYNC;
			PQclear(r);
		}
	}
	check_eq("answers", rows, BATCHES);
	check_eq("syncs", syncs, BATCHES);
}

static void test_listen_notify_in_session_mode(void)
{
	sluice_with("pool_mode = session");
	PGconn *a = client(NULL), *b = client(NULL);
	sql(a, "listen news");
	sql(b, "notify news, 'fresh'");
	PGnotify *n = NULL;
	/* Nothing is asked: it must come by itself. */
	wait_until("a notification", PQconsumeInput(a) && (n = PQnotifies(a)));
	check_str("channel", n->relname, "news");
	check_str("payload", n->extra, "fresh");
	PQfreemem(n);
	check_scalar(a, "select 1", "1");
}

static void test_function_call(void)
{
	sluice_with(NULL);
	PGconn *c = client(NULL);
	int result = 0, length = 0;
	const PQArgBlock args[] = { { .isint = 1, .len = 4, .u.integer = -12 } };
	Oid abs4 = (Oid)atoi(scalar(c, "select 'pg_catalog.int4abs(int4)'::regprocedure::oid"));
	PGresult *r = PQfn(c, (int)abs4, &result, &length, 1, args, 1);
	check_eq("status", PQresultStatus(r), PGRES_COMMAND_OK);
	check_eq("result", result, 12);
	PQclear(r);
	check_scalar(c, "select 1", "1");
}

static void test_unix_socket(void)
{
	sluice_start(&(struct conf){ .databases = "test = host=@PGDIR@ port=@PGPORT@" });
	PGconn *c = client("host=%s", sluice_socket_dir());
	check_scalar(c, "select inet_client_addr() is null", "t");
	check_scalar(c, "select 1", "1");
	check_str("as seen by SHOW CLIENTS", show(console(), "CLIENTS", "user", "alice", "addr"), "unix");
}

static void test_database_entries(void)
{
	sluice_start(&(struct conf){
		.databases = "test = @PG@\n"
			     "alias = @PG@ dbname=test\n"
			     "forced = @PG@ dbname='test' user=bob\n"
			     "quoted = @PG@ dbname=test user=alice password='it''s'\n"
			     "tz = @PG@ dbname=test timezone='Asia/Tokyo' datestyle='German' client_encoding=latin1\n"
			     "hello = @PG@ dbname=test connect_query='create temp table greeting as select 17 as n'\n"
			     "* = @PG@" });
	check_scalar(client("dbname=alias"), "select current_database()", "test");
	check_scalar(client("dbname=forced"), "select current_user", "bob");
	check_scalar(client("dbname=quoted"), "select current_user", "alice");
	PGconn *tz = client("dbname=tz");
	check_scalar(tz, "show timezone", "Asia/Tokyo");
	check_scalar(tz, "show datestyle", "German, DMY");
	check_scalar(client("dbname=hello"), "select n from greeting", "17");
	check_scalar(client("dbname=postgres"), "select current_database()", "postgres");
	check_login_fails("3D000", "database \"nowhere\" does not exist", "dbname=nowhere");
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "protocols", test_protocols },
		{ "what_login_tells", test_what_login_tells },
		{ "transaction_status", test_transaction_status },
		{ "errors", test_errors },
		{ "notices", test_notices },
		{ "large_results", test_large_results },
		{ "large_queries", test_large_queries },
		{ "pipeline", test_pipeline },
		{ "deep_pipeline", test_deep_pipeline },
		{ "listen_notify_in_session_mode", test_listen_notify_in_session_mode },
		{ "function_call", test_function_call },
		{ "unix_socket", test_unix_socket },
		{ "database_entries", test_database_entries },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "query", tests);
}
