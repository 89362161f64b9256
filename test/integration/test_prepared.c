/* test_prepared.c - prepared statements in transaction pooling: names of clients, texts of servers. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static const char two_clients_one_server[] = "default_pool_size = 1\n";

static void prepare(PGconn *c, const char *name, const char *query)
{
	PGresult *r = PQprepare(c, name, query, 0, NULL);
	check_str(query, PQresultErrorMessage(r), "");
	PQclear(r);
}

static char *execute(PGconn *c, const char *name, const char *arg)
{
	const char *const args[] = { arg };
	PGresult *r = PQexecPrepared(c, name, arg ? 1 : 0, args, NULL, NULL, 0);
	char *got = text("%s", PQresultStatus(r) == PGRES_TUPLES_OK ? PQgetvalue(r, 0, 0) : PQresultErrorMessage(r));
	PQclear(r);
	return got;
}

static void test_same_name(void)
{
	sluice_with(two_clients_one_server);
	PGconn *a = client(NULL), *b = client(NULL);
	prepare(a, "s", "select 'a' || $1::text");
	prepare(b, "s", "select 'b' || $1::text");
	check_str("its own", execute(a, "s", "1"), "a1");
	check_str("its own", execute(b, "s", "2"), "b2");
	check_str("its own", execute(a, "s", "3"), "a3");
	check_scalar(a, "select count(*) from pg_prepared_statements where name like 'SLUICE\\_%'", "2");
}

/* The same text is prepared once on a server, and on the servers where it is needed. */
static void test_same_text(void)
{
	sluice_with("default_pool_size = 2\n");
	PGconn *a = client(NULL), *b = client(NULL);
	prepare(a, "one", "select 7");
	prepare(b, "other", "select 7");
	check_str("a", execute(a, "one", NULL), "7");
	check_str("b", execute(b, "other", NULL), "7");
	check_scalar(a, "select count(*) from pg_prepared_statements", "1");
	sql(a, "begin"); /* b has to go to another server */
	check_str("b", execute(b, "other", NULL), "7");
	check_scalar(b, "select count(*) from pg_prepared_statements", "1");
	sql(a, "commit");
}

static void test_errors(void)
{
	sluice_with(two_clients_one_server);
	PGconn *a = client(NULL), *b = client(NULL);
	prepare(a, "s", "select 1");
	check_result_fails(a, PQprepare(a, "s", "select 2", 0, NULL), "42P05",
			   "prepared statement \"s\" already exists");
	check_str("still the first", execute(a, "s", NULL), "1");
	check_result_fails(b, PQexecPrepared(b, "s", 0, NULL, NULL, NULL, 0), "26000",
			   "prepared statement \"s\" does not exist");
	check_result_fails(b, PQexecPrepared(b, "SLUICE_1", 0, NULL, NULL, NULL, 0), "26000",
			   "prepared statement \"SLUICE_1\" does not exist");
	check_result_fails(b, PQprepare(b, "bad", "selec 2", 0, NULL), "42601", "syntax error");
	check_result_fails(b, PQexecPrepared(b, "bad", 0, NULL, NULL, NULL, 0), "26000", "\"bad\" does not exist");
	prepare(b, "bad", "select 'good'");
	check_str("prepared at last", execute(b, "bad", NULL), "good");
	/* What fails within a transaction aborts it, also when Sluice knew that it would. */
	sql(a, "begin");
	check_result_fails(a, PQprepare(a, "s", "select 2", 0, NULL), "42P05", "already exists");
	check_eq("the transaction", PQtransactionStatus(a), PQTRANS_INERROR);
	check_result_fails(a, PQprepare(a, "s2", "select 1", 0, NULL), "25P02", "current transaction is aborted");
	sql(a, "rollback");
	prepare(a, "s2", "select 1");
}

static void test_eviction(void)
{
	sluice_with("default_pool_size = 1\nmax_prepared_statements = 3\n");
	PGconn *a = client(NULL);
	for (int i = 0; i < 10; i++)
		prepare(a, text("s%d", i), text("select %d + $1::int", i));
	for (int i = 9; i >= 0; i--)
		check_str("each is there when it is needed", execute(a, text("s%d", i), "100"), text("%d", 100 + i));
	check_scalar(a, "select count(*) from pg_prepared_statements", "3");
	PGconn *boss = console();
	check_eq("the client's", show_int(boss, "clients", "database", "test", "prepared_statements"), 10);
	check_eq("the server's", show_int(boss, "servers", "database", "test", "prepared_statements"), 3);
}

static void test_deallocate_all(void)
{
	static const char *const ways[] = { "deallocate all", "discard all" };
	sluice_with(two_clients_one_server);
	for (size_t i = 0; i < COUNT(ways); i++) {
		PGconn *a = client(NULL), *b = client(NULL);
		prepare(a, "s", "select 'a'");
		prepare(b, "s", "select 'b'");
		sql(a, "%s", ways[i]);
		check_result_fails(a, PQexecPrepared(a, "s", 0, NULL, NULL, NULL, 0), "26000", "\"s\" does not exist");
		check_str("the others keep theirs", execute(b, "s", NULL), "b");
		prepare(a, "s", "select 'again'");
		check_str("again", execute(a, "s", NULL), "again");
	}
}

/* What was prepared before a table changed is prepared anew for whoever asks for it then, under any name. */
static void test_the_table_changes(void)
{
	sluice_with(two_clients_one_server);
	PGconn *a = client(NULL), *b = client(NULL);
	sql(a, "drop table if exists changes; create table changes as select 1 as n");
	prepare(a, "all", "select * from changes");
	prepare(a, "some", "select n from changes where n = $1");
	check_str("as it was", execute(a, "all", NULL), "1");
	sql(a, "alter table changes add s text, alter n type text");
	PGresult *r = PQexecPrepared(a, "all", 0, NULL, NULL, NULL, 0);
	check_eq("healed", PQnfields(r), 2);
	PQclear(r);
	check("with its old type", strstr(execute(a, "some", "1"), "operator does not exist"));
	prepare(b, "mine", "select * from changes");
	r = PQexecPrepared(b, "mine", 0, NULL, NULL, NULL, 0);
	check_eq("columns", PQnfields(r), 2);
	PQclear(r);
	prepare(b, "mine too", "select n from changes where n = $1");
	check_str("with its new type", execute(b, "mine too", "1"), "1");
	/* As pgjdbc heals itself. */
	sql(a, "begin; savepoint before; alter table changes drop s");
	check_result_fails(a, PQexecPrepared(a, "all", 0, NULL, NULL, NULL, 0), "0A000", "cached plan");
	sql(a, "rollback to savepoint before; alter table changes drop s");
	check_str("within the transaction", execute(a, "all", NULL), "1");
	sql(a, "rollback");
	check("the old ones are closed", atoi(scalar(b, "select count(*) from pg_prepared_statements")) <= 2);
	sql(b, "drop table changes");
}

/* A client of the raw protocol: what it says, and the types of what it hears up to ReadyForQuery. */
static char *says(int fd, const char *messages)
{
	static const struct {
		char what, type;
		const char *body;
		size_t n;
	} all[] = {
		{ 'p', 'P', "s\0select * from changes\0\0", 26 },
		{ 'd', 'D', "Ss", 3 },
		{ 'b', 'B', "\0s\0\0\0\0\0\0", 9 },
		{ 'o', 'D', "P", 2 },
		{ 'e', 'E', "\0\0\0\0", 5 },
		{ 'c', 'C', "Ss", 3 },
		{ 's', 'S', "", 0 },
	};
	static char bytes[4096];
	size_t n = 0, len;
	char body[1024], got[64] = "", type;
	for (const char *m = messages; *m; m++)
		for (size_t i = 0; i < COUNT(all); i++)
			if (all[i].what == *m) {
				bytes[n++] = all[i].type;
				memset(bytes + n, 0, 3);
				bytes[n + 3] = (char)(4 + all[i].n);
				memcpy(bytes + n + 4, all[i].body, all[i].n);
				n += 4 + all[i].n;
			}
	require("sent", raw_send(fd, bytes, n));
	for (n = 0; n < sizeof got - 6; n++) {
		require("heard", raw_next(fd, &type, body, sizeof body, &len));
		got[n] = type;
		if (type == 'Z')
			break;
		if (type == 'E')
			for (const char *at = body; *at; at += strlen(at) + 1)
				if (*at == 'C')
					memcpy(got + n + 1, at + 1, 5), n += 5;
	}
	return text("%s", got);
}

/* Who was told what the rows look like hears when they look different now, on every server; who was not has no part in
 * it. */
static void test_what_rows_look_like(void)
{
	char body[64];
	size_t len;
	sluice_with("default_pool_size = 2\n");
	PGconn *busy = client(NULL), *boss = console(), *owner = client_to_pg(NULL);
	sql(owner, "drop table if exists changes; create table changes as select 1 as n");
	int told = raw_open(), untold = raw_open(), later = raw_open();
	require("start", raw_startup(told, "alice", "test") && raw_expect(told, 'Z', body, sizeof body, &len));
	require("start", raw_startup(untold, "alice", "test") && raw_expect(untold, 'Z', body, sizeof body, &len));
	require("start", raw_startup(later, "alice", "test") && raw_expect(later, 'Z', body, sizeof body, &len));
	check_str("parsed", says(told, "ps"), "1Z");
	check_str("told", says(told, "ds"), "tTZ");
	check_str("parsed", says(untold, "ps"), "1Z");
	check_str("rows", says(told, "bes"), "2DCZ");
	check_str("rows", says(untold, "bes"), "2DCZ");
	sql(owner, "alter table changes add s text");
	check_str("refused", says(told, "bes"), "E0A000Z");
	check_str("and again", says(told, "bes"), "E0A000Z");
	check_str("healed", says(untold, "bes"), "2DCZ");
	check_str("parsed later", says(later, "ps"), "1Z");
	check_str("rows", says(later, "bes"), "2DCZ");
	sql(busy, "begin; select 1"); /* the other server */
	check_str("refused there too", says(told, "bes"), "E0A000Z");
	check_str("not the later one", says(later, "bes"), "2DCZ");
	check_str("told anew", says(told, "boes"), "2TDCZ");
	check_str("rows", says(told, "bes"), "2DCZ");
	sql(busy, "commit");
	sql(owner, "alter table changes drop s");
	check_str("healed, as it will be told", says(told, "boes"), "2TDCZ");
	sql(owner, "alter table changes add s text");
	check_str("healed", says(told, "ds"), "tTZ");
	check_str("healed", says(later, "cpds"), "31tTZ");
	sql(owner, "alter table changes drop s");
	check_str("within a longer batch", says(later, "bobes"), "2T2DCZ");
	check_eq("nobody lost a server", show_int(boss, "pools", "database", "test", "sv_active"), 0);
	raw_close(told);
	raw_close(untold);
	raw_close(later);
	/* A server that lost its statements behind our back. */
	PGconn *a = client(NULL);
	sql(a,
	    "create or replace function lose() returns void language plpgsql as $$ begin execute 'deallocate all'; end $$");
	prepare(a, "s", "select 'there'");
	check_str("there", execute(a, "s", NULL), "there");
	sql(a, "select lose()");
	check_str("again", execute(a, "s", NULL), "there");
	sql(a, "begin");
	sql(a, "select lose()");
	check_result_fails(a, PQexecPrepared(a, "s", 0, NULL, NULL, NULL, 0), "26000", "does not exist");
	sql(a, "rollback");
	check_str("again", execute(a, "s", NULL), "there");
	sql(owner, "drop table changes");
}

/* The unnamed statement is its client's own, in a later batch too. */
static void test_unnamed(void)
{
	sluice_with(two_clients_one_server);
	PGconn *a = client(NULL), *b = client(NULL), *none = client(NULL);
	prepare(a, "", "select 'a'");
	prepare(b, "", "select 'b'");
	check_str("a's", execute(a, "", NULL), "a");
	check_str("b's", execute(b, "", NULL), "b");
	check_result_fails(none, PQexecPrepared(none, "", 0, NULL, NULL, NULL, 0), "26000",
			   "unnamed prepared statement does not exist");
	check_str("a's", execute(a, "", NULL), "a");
	sql(a, "select 1");
	check_result_fails(a, PQexecPrepared(a, "", 0, NULL, NULL, NULL, 0), "26000",
			   "unnamed prepared statement does not exist");
	check_result_fails(b, PQprepare(b, "", "selec", 0, NULL), "42601", "syntax error");
	check_result_fails(b, PQexecPrepared(b, "", 0, NULL, NULL, NULL, 0), "26000",
			   "unnamed prepared statement does not exist");
}

static char *long_query(size_t len, char answer)
{
	char *q = text("select '%c' /* %*s */", answer, (int)len, "");
	return q;
}

/* Texts longer than any buffer. */
static void test_long(void)
{
	static const size_t lens[] = { 8000, 65000, 65500, 70000, 1000000 };
	sluice_with(two_clients_one_server);
	PGconn *a = client(NULL), *b = client(NULL);
	for (size_t i = 0; i < COUNT(lens); i++) {
		prepare(a, text("a%zu", i), long_query(lens[i], 'a'));
		prepare(b, text("a%zu", i), long_query(lens[i], 'b'));
		check_str("a", execute(a, text("a%zu", i), NULL), "a");
		check_str("b", execute(b, text("a%zu", i), NULL), "b");
		prepare(a, "", long_query(lens[i], 'u'));
		check_str("unnamed", execute(a, "", NULL), "u");
		/* The longest are not remembered once another has used their server, but never become another's. */
		prepare(a, "", long_query(lens[i], 'u'));
		prepare(b, "", "select 'b'");
		if (lens[i] < 65536)
			check_str("unnamed", execute(a, "", NULL), "u");
		else
			check_result_fails(a, PQexecPrepared(a, "", 0, NULL, NULL, NULL, 0), "26000",
					   "unnamed prepared statement does not exist");
		check_str("b", execute(b, "", NULL), "b");
	}
}

/* Its batch fails while a long Parse is still coming: it has not happened, and its name is free. */
static void test_long_skipped(void)
{
	enum { LEN = 100000, HALF = 40000 };
	char *m = text("%*s", LEN + 5, ""), type, body[1024];
	uint32_t len = LEN + 4;
	size_t n;
	sluice_with(two_clients_one_server);
	int fd = raw_open();
	require("start", raw_startup(fd, "alice", "test") && raw_expect(fd, 'Z', body, sizeof body, &n));
	m[0] = 'P';
	for (int i = 0; i < 4; i++)
		m[1 + i] = (char)(len >> (24 - 8 * i));
	memcpy(m + 5, "long\0select 1", 13);
	memcpy(m + LEN + 2, "\0\0\0", 3); /* the text's NUL, and no types */
	check("a Bind that fails", raw_send(fd, BYTES("B\0\0\0\x0e\0s9\0\0\0\0\0\0\0H\0\0\0\4")));
	check("half of it", raw_send(fd, m, HALF));
	require("fails", raw_expect(fd, 'E', body, sizeof body, &n));
	check_str("fails", error_field(body, n, 'C'), "26000");
	check("the rest", raw_send(fd, m + HALF, LEN + 5 - HALF) && raw_send(fd, BYTES("S\0\0\0\4")));
	require("skipped", raw_next(fd, &type, body, sizeof body, &n) && type == 'Z');
	check("again", raw_send(fd, m, LEN + 5) && raw_send(fd, BYTES("S\0\0\0\4")));
	check("parsed", raw_next(fd, &type, body, sizeof body, &n) && type == '1');
	check("ready", raw_next(fd, &type, body, sizeof body, &n) && type == 'Z');
	raw_close(fd);
}

/* A pipeline with errors: what was skipped has not happened. */
static void test_pipeline(void)
{
	sluice_with(two_clients_one_server);
	PGconn *a = client(NULL);
	PGresult *r;
	static const struct {
		const char *prepare, *query, *execute; /* of these, one */
		bool sync;
		ExecStatusType want;
	} steps[] = {
		{ "p1", "select 1", NULL, false, PGRES_COMMAND_OK },
		{ NULL, NULL, "p1", false, PGRES_TUPLES_OK },
		{ NULL, NULL, "nosuch", false, PGRES_FATAL_ERROR },
		{ "p2", "select 2", NULL, false, PGRES_PIPELINE_ABORTED },
		{ NULL, NULL, NULL, true, PGRES_PIPELINE_SYNC },
		{ "p2", "select 22", NULL, false, PGRES_COMMAND_OK },
		{ NULL, NULL, "p2", false, PGRES_TUPLES_OK },
		{ NULL, NULL, "p1", false, PGRES_TUPLES_OK },
		{ NULL, NULL, NULL, true, PGRES_PIPELINE_SYNC },
		{ "p1", "select 3", NULL, false, PGRES_FATAL_ERROR },
		{ "p3", "select 3", NULL, false, PGRES_PIPELINE_ABORTED },
		{ NULL, NULL, NULL, true, PGRES_PIPELINE_SYNC },
		{ NULL, NULL, "p3", false, PGRES_FATAL_ERROR },
		{ NULL, NULL, NULL, true, PGRES_PIPELINE_SYNC },
	};
	check("pipeline", PQenterPipelineMode(a));
	for (size_t i = 0; i < COUNT(steps); i++) {
		if (steps[i].prepare)
			check("sent", PQsendPrepare(a, steps[i].prepare, steps[i].query, 0, NULL));
		else if (steps[i].execute)
			check("sent", PQsendQueryPrepared(a, steps[i].execute, 0, NULL, NULL, NULL, 0));
		else
			check("sent", PQpipelineSync(a));
	}
	for (size_t i = 0; i < COUNT(steps); i++) {
		r = PQgetResult(a);
		check_eq(text("step %zu: %s", i, PQresultErrorMessage(r)), PQresultStatus(r), steps[i].want);
		bool is_sync = PQresultStatus(r) == PGRES_PIPELINE_SYNC;
		PQclear(r);
		if (!is_sync)
			check("its end", !PQgetResult(a));
	}
	check("no more", PQexitPipelineMode(a));
	check_str("p2", execute(a, "p2", NULL), "22");
}

static void test_pgbench(void)
{
	char *out;
	sluice_with("default_pool_size = 3\n");
	require("init", run(&out, "pgbench -i -s 1 -q") == 0);
	check_eq(text("pgbench: %s", out), run(&out, "pgbench -M prepared -S -c 12 -j 2 -t 300"), 0);
	check("none failed", strstr(out, "number of failed transactions: 0 "));
	check_eq(text("pgbench: %s", out), run(&out, "pgbench -M prepared -c 12 -j 2 -t 40"), 0);
	check("none failed", strstr(out, "number of failed transactions: 0 "));
	wait_until("servers are shared", pg_servers() <= 3);
}

/* A program whose connections hold all servers prepares on another one, and waits: what is known is answered at once.
 */
static void test_without_server(void)
{
	sluice_with(two_clients_one_server);
	PGconn *a = client(NULL), *b = client(NULL);
	prepare(a, "s", "select 1");
	sql(a, "begin");
	prepare(b, "s", "select 1");
	check("sent", PQsendPrepare(b, "s", "select 1", 0, NULL));
	sql(a, "commit");
	check_result_fails(b, PQgetResult(b), "42P05", "already exists");
	check("its end", !PQgetResult(b));
	check_str("b", execute(b, "s", NULL), "1");
}

/* So it is when a server has just come free that is for somebody else. */
static void test_server_of_another(void)
{
	sluice_with(two_clients_one_server);
	PGconn *a = client(NULL), *b = client(NULL), *c = client(NULL), *holder = client_to_pg(NULL);
	prepare(a, "s", "select 1");
	sql(holder, "drop table if exists held; create table held (n int)");
	sql(holder, "begin; lock table held");
	check("sent", PQsendQuery(a, "insert into held values (1)"));
	wait_until("it runs",
		   strcmp(pg_scalar("select count(*) from pg_stat_activity where query like 'insert into held%%' and "
				    "state = 'active'"),
			  "1") == 0);
	check("sent", PQsendQuery(b, "begin"));
	PGconn *boss = console();
	wait_until("b waits", show_int(boss, "pools", "database", "test", "cl_waiting") == 1);
	sluice_signal(SIGSTOP); /* it sees both in one turn; libev takes what came last first */
	check("sent", PQsendPrepare(c, "s", "select 1", 0, NULL));
	sql(holder, "commit");
	wait_until("it is over",
		   strcmp(pg_scalar("select count(*) from pg_stat_activity where query like 'insert into held%%' "
				    "and state = 'idle'"),
			  "1") == 0);
	sluice_signal(SIGCONT);
	wait_until("c is answered", is_answered(c));
	wait_until("b is answered", is_answered(b));
	while (PQgetResult(b) || PQgetResult(c))
		;
	check_eq("b has it still", PQtransactionStatus(b), PQTRANS_INTRANS);
	sql(b, "commit");
	check_str("c", execute(c, "s", NULL), "1");
	PQclear(PQgetResult(a));
	sql(holder, "drop table held");
}

/* Names do not pile up without end. */
static void test_many(void)
{
	sluice_with("default_pool_size = 1\nmax_prepared_statements = 5\n");
	PGconn *a = client(NULL);
	for (int i = 0; i < 200; i++) {
		prepare(a, text("n%d", i), text("select %d", i % 20));
		sql(a, "select 1");
	}
	check_scalar(a, "select count(*) <= 5 from pg_prepared_statements", "t");
	for (int i = 0; i < 200; i += 7)
		check_str("its own", execute(a, text("n%d", i), NULL), text("%d", i % 20));
}

/* In session pooling, and with 0, names are passed on as they are. */
static void test_as_it_is(void)
{
	static const char *const ways[] = { "pool_mode = session\n", "max_prepared_statements = 0\n" };
	for (size_t i = 0; i < COUNT(ways); i++) {
		sluice_with(ways[i]);
		PGconn *a = client(NULL);
		prepare(a, "mine", "select 5");
		check_str("it works", execute(a, "mine", NULL), "5");
		check_scalar(a, "select name from pg_prepared_statements", "mine");
		sluice_stop();
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "same_name", test_same_name },
		{ "same_text", test_same_text },
		{ "errors", test_errors },
		{ "eviction", test_eviction },
		{ "deallocate_all", test_deallocate_all },
		{ "the_table_changes", test_the_table_changes },
		{ "what_rows_look_like", test_what_rows_look_like },
		{ "unnamed", test_unnamed },
		{ "long", test_long },
		{ "long_skipped", test_long_skipped },
		{ "pipeline", test_pipeline },
		{ "pgbench", test_pgbench },
		{ "without_server", test_without_server },
		{ "server_of_another", test_server_of_another },
		{ "many", test_many },
		{ "as_it_is", test_as_it_is },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "prepared", tests);
}
