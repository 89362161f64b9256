/* test_execute.c - SQL's PREPARE, EXECUTE and DEALLOCATE in transaction pooling: what clients hear is what they would
 * hear without Sluice. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All that is answered to a Query: tags, rows, and what errors say. */
static char *transcript(PGconn *c, const char *query)
{
	char *all = text("%s", "");
	PGresult *r;
	if (!PQsendQuery(c, query))
		return text("cannot send: %s", PQerrorMessage(c));
	while ((r = PQgetResult(c))) {
		all = text("%s[%s]", all, PQcmdStatus(r));
		for (int i = 0; i < PQntuples(r); i++)
			for (int j = 0; j < PQnfields(r); j++)
				all = text("%s(%s)", all, PQgetvalue(r, i, j));
		if (PQresultStatus(r) == PGRES_FATAL_ERROR) {
			const char *at = PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION);
			all = text("%s<%s %s at %s>", all, PQresultErrorField(r, PG_DIAG_SQLSTATE),
				   PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY), at ? at : "-");
		}
		PQclear(r);
	}
	return text("%s %d", all, PQtransactionStatus(c));
}

/* One client at a time, each on a server that it may not have had before. */
static const char *const scripts[][8] = {
	/* What looks like a server's name for a statement is a value here. */
	{ "prepare p as select $1::int", "execute p ('\"SLUICE_1\"')", "execute p ('\"SLUICE_2\"')",
	  "execute p ('\"SLUICE_3\"')", "execute p ('\"SLUICE_4\"')", "execute p ('\"SLUICE_5\"')",
	  "execute p ('\"SLUICE_6\"')" },
	{ "prepare p as select 1", "execute p", "deallocate p", "execute p" },
	{ "prepare p (int, text) as select $1 + 1, $2 || 'x'", "execute p (41, 'y')",
	  "explain (costs off) execute p (1, 'z')", "execute p ('no', 'y')", "execute p (1)", "deallocate prepare p",
	  "deallocate p" },
	{ "prepare \"P q\" as select 'quoted'", "execute \"P q\"", "execute p", "execute \"p q\"",
	  "deallocate \"P q\"" },
	{ "PREPARE Folded AS SELECT 'folded'", "execute fOLDED", "execute \"folded\"", "execute \"Folded\"" },
	{ "prepare p as select 1; execute p; deallocate p; execute p; select 2", "execute p" },
	{ "prepare p as select 1; prepare q as select 2; execute q; execute p; deallocate all", "execute p" },
	{ "prepare p as select 1", "prepare p as select 2", "execute p", "prepare p as select nothing", "execute p" },
	{ "prepare p as selec 1", "execute p", "prepare p as select 'now'", "execute p" },
	{ "prepare p as select nothing", "select 'ö', 1; execute p", "prepare /* ö */ p as /* ü */ select 1 -- end",
	  "execute p; " },
	{ "begin; prepare p as select 7; rollback", "execute p", "begin", "execute p", "execute nothing", "execute p",
	  "rollback", "execute p" },
	{ "begin", "selec", "execute p", "prepare p as select 1", "deallocate p", "rollback", "execute p" },
	{ "prepare p as select 1 limit $1", "create temp table t as execute p (1)", "select * from t; discard all",
	  "execute p" },
	{ "prepare ins as insert into ran values ($1)", "begin; execute ins (1); execute ins (2); rollback",
	  "execute ins (3); execute ins (4)", "select count(*) from ran", "execute ins ('x')",
	  "select count(*) from ran" },
	{ "prepare p as select 1; select 1/0; deallocate p", "execute p", "deallocate p; select 1/0", "execute p" },
	{ "execute p; select 1", "select 1; execute p; select 2", "select 'execute p'",
	  "do $$ begin end $$; discard all" },
	{ ";;prepare p as select 1;;", ";; execute p ;;", "-- nothing",
	  "/* execute p */ execute p /* and */; -- no more" },
	{ "prepare p as select $1::text", "execute p ($$;execute q;$$)", "execute p (E'a\\'b')",
	  "execute p (U&'\\0041')" },
	{ "prepare p (unknown) as select $1 || ''", "execute p ('x')", "prepare q (no_type) as select $1",
	  "execute q (1)" },
};

static void test_as_direct(void)
{
	sluice_with("default_pool_size = 2\n");
	PGconn *busy = client(NULL), *setup = client_to_pg(NULL);
	sql(setup, "create table if not exists ran (n int)");
	for (size_t i = 0; i < COUNT(scripts); i++) {
		PGconn *direct = client_to_pg(NULL), *c = client(NULL), *other = client(NULL);
		sql(other, "prepare p as select 'of another client'");
		sql(other, "prepare q as select 'of another client'");
		for (size_t j = 0; j < COUNT(scripts[i]) && scripts[i][j]; j++) {
			sql(setup, "truncate ran");
			char *want = transcript(direct, scripts[i][j]);
			sql(setup, "truncate ran");
			/* In a transaction it has the server it has; else now one and now the other. */
			bool swaps = PQtransactionStatus(c) == PQTRANS_IDLE && j % 2;
			if (swaps)
				sql(busy, "begin; select 1");
			check_str(text("%zu %s", i, scripts[i][j]), transcript(c, scripts[i][j]), want);
			if (swaps)
				sql(busy, "commit");
		}
		check_str("its own", scalar(other, "execute p"), "of another client");
		client_close(direct);
		client_close(c);
		client_close(other);
	}
	PGconn *boss = console();
	check_eq("nothing kept its server", show_int(boss, "pools", "database", "test", "cl_active"), 1);
}

/* One name space, whoever made it. */
static void test_both_ways(void)
{
	static const Oid types[] = { 23, 25 };
	static const char *const args[] = { "5", "y" };
	sluice_with("default_pool_size = 2\n");
	PGconn *busy = client(NULL), *a = client(NULL);
	for (int swaps = 0; swaps < 2; swaps++) {
		PQclear(PQprepare(a, "parsed", "select $1 + 1, $2::text", 2, types));
		sql(a, "prepare said (int, text) as select $1 + 2, $2 || $2");
		if (swaps)
			sql(busy, "begin; select 1");
		check_str("parsed", transcript(a, "execute parsed (1, 'x')"), "[SELECT 1](2)(x) 0");
		PGresult *r = PQexecPrepared(a, "said", 2, args, NULL, NULL, 0);
		check_str("said", PQgetvalue(r, 0, 0), "7");
		check_str("said", PQgetvalue(r, 0, 1), "yy");
		PQclear(r);
		r = PQdescribePrepared(a, "said");
		check_eq("described", PQnparams(r), 2);
		PQclear(r);
		if (swaps)
			sql(busy, "commit");
		sql(a, "deallocate parsed");
		check_result_fails(a, PQexecPrepared(a, "parsed", 2, args, NULL, NULL, 0), "26000",
				   "prepared statement \"parsed\" does not exist");
		sql(a, "begin");
		sql(a, "deallocate said");
		check_result_fails(a, PQexecPrepared(a, "said", 2, args, NULL, NULL, 0), "26000",
				   "prepared statement \"said\" does not exist");
		sql(a, "rollback");
	}
	check_sql_fails(a, "deallocate \"SLUICE_1\"", "26000", "prepared statement \"SLUICE_1\" does not exist");
	check_sql_fails(a, "execute \"SLUICE_1\"", "26000", "prepared statement \"SLUICE_1\" does not exist");
	/* EXECUTE by the extended protocol: the client keeps that server. */
	sql(a, "prepare said as select 'once more'");
	sql(busy, "begin; select 1");
	check_str("extended", scalar_params(a, "execute said", NULL, NULL), "once more");
	sql(busy, "commit");
	check_str("again", scalar_params(a, "execute said", NULL, NULL), "once more");
	check_eq("it keeps its server", show_int(console(), "pools", "database", "test", "sv_active"), 1);
	sql(a, "discard all");
	check_sql_fails(a, "execute said", "26000", "\"said\" does not exist");
	sql(a, "prepare \"as\"as select 'as'");
	sql(a, "prepare \"a\"as select 'a'");
	check_str("a name in need of its quotes", scalar_params(a, "execute \"as\"", NULL, NULL), "as");
	check_str("one that ends with them", scalar_params(a, "execute a", NULL, NULL), "a");
	sql(a, "discard all");
}

/* What PREPARE cannot say is parsed on the server that lacks it, and what it does to the session is followed. */
static void test_no_query(void)
{
	sluice_with("default_pool_size = 2\nmax_prepared_statements = 1\n");
	PGconn *busy = client(NULL), *a = client(NULL), *b = client(NULL);
	PQclear(PQprepare(a, "nothing", "", 0, NULL));
	PQclear(PQprepare(a, "shown", "show work_mem", 0, NULL));
	PQclear(PQprepare(a, "sets", "set work_mem = '7MB'", 0, NULL));
	PQclear(PQprepare(a, "begins", "begin", 0, NULL));
	PQclear(PQprepare(a, "ends", "commit", 0, NULL));
	PQclear(PQprepare(a, "temp", "create temp table t (n int)", 0, NULL));
	for (int i = 0; i < 4; i++) {
		if (i % 2)
			sql(busy, "begin; select 1");
		check_str("empty", transcript(a, "execute nothing"), "[EXECUTE] 0");
		check_scalar(a, "execute shown", i ? "7MB" : "4MB");
		check_str("several", transcript(a, "execute sets; execute nothing; execute shown; select 1"),
			  "[SET][EXECUTE][SHOW](7MB)[SELECT 1](1) 0");
		check_str("in a transaction", transcript(a, "begin; execute shown"), "[BEGIN][SHOW](7MB) 2");
		check_str("it has failed", transcript(a, "selec; execute shown") + 1,
			  "]<42601 syntax error at or near "
			  "\"selec\" at 1> 3");
		check_str("as all in it", transcript(a, "execute ends"),
			  "[]<25P02 current transaction is aborted, commands ignored until end of transaction block at "
			  "-> 3");
		sql(a, "rollback");
		if (i % 2)
			sql(busy, "commit");
	}
	check_scalar(b, "show work_mem", "4MB");
	check_eq("nothing kept its server", show_int(console(), "pools", "database", "test", "sv_active"), 0);
	sql(a, "execute temp");
	check_eq("this did", show_int(console(), "pools", "database", "test", "sv_active"), 1);
	sql(a, "discard all");

	/* Its table is gone meanwhile, and its type is none that PREPARE is told of. */
	static const Oid type = 4089;
	sql(b, "create table gone (n int)");
	PGconn *straight = client_to_pg(NULL);
	PQclear(PQprepare(a, "lost", "select * from gone where $1 is null", 1, &type));
	PQclear(PQprepare(straight, "lost", "select * from gone where $1 is null", 1, &type));
	sql(b, "drop table gone");
	for (int i = 0; i < 2; i++) {
		sql(busy, "begin; select 1");
		check_str("where", transcript(a, "execute lost (null)"), transcript(straight, "execute lost (null)"));
		check_scalar(a, "select 'in step'", "in step");
		sql(busy, "commit");
	}
	sql(a, "begin");
	check_sql_fails(a, "execute lost (null)", "42P01", "relation \"gone\" does not exist");
	check_sql_fails(a, "select 1", "25P02", "aborted");
	sql(a, "rollback");
}

/* What takes too long may be what is prepared for it. */
static void test_late(void)
{
	static const Oid type = 4089;
	sluice_with("default_pool_size = 2\nquery_timeout = 0.5\n");
	PGconn *busy = client(NULL), *a = client(NULL), *straight = client_to_pg(NULL);
	sql(straight, "create table if not exists locked (n int)");
	PQclear(PQprepare(a, "p", "select count(*) from locked where $1 is null", 1, &type));
	sql(busy, "begin; select 1");
	sql(straight, "begin; lock table locked");
	check_sql_fails(a, "execute p (null)", "57014", "query timeout");
	sql(straight, "commit");
	check_scalar(a, "execute p (null)", "0");
	sql(busy, "commit");
}

/* Statements are forgotten by servers in turn, also those of SQL; DEALLOCATE needs none. */
static void test_bounds(void)
{
	sluice_with("default_pool_size = 1\nmax_prepared_statements = 3\n");
	PGconn *a = client(NULL), *b = client(NULL);
	for (int i = 0; i < 10; i++)
		sql(a, "prepare s%d as select %d + $1", i, i);
	for (int i = 9; i >= 0; i--)
		check_str("each", scalar(a, "execute s%d (100)", i), text("%d", 100 + i));
	check("few are kept", atoi(scalar(a, "select count(*) from pg_prepared_statements")) <= 4);
	sql(b, "begin"); /* the only server */
	for (int i = 0; i < 10; i++)
		sql(a, "deallocate s%d", i);
	sql(b, "commit");
	client_close(b);
	PGconn *boss = console();
	wait_until("b has left", show_int(boss, "pools", "database", "test", "cl_active") == 1);
	check_eq("none is left", show_int(boss, "clients", "database", "test", "prepared_statements"), 0);
	check_sql_fails(a, "execute s3 (1)", "26000", "\"s3\" does not exist");
	char *many = text("%s", "prepare m as select 1");
	for (int i = 0; i < 300; i++)
		many = text("%s; execute m", many);
	check_scalar(a, many, "1");
	check_scalar(a, "select 'in step'", "in step");
	client_close(a);
	/* Each sets again what was asked for. */
	char set[4096] = "options='";
	for (int i = 0; i < 60; i++)
		snprintf(set + strlen(set), sizeof set - strlen(set), "-c app.s%d=%d ", i, i);
	strcat(set, "'");
	a = client("%s", set);
	many = text("%s", "reset all");
	for (int i = 0; i < 400; i++)
		many = text("%s; reset all", many);
	check_sql_fails(a, many, "54000", "RESET among them");
	check_scalar(a, "select 'in step'", "in step");
}

/* Of its error. */
static char *position_of(PGconn *c, const char *query)
{
	PGresult *r = PQexec(c, query);
	const char *at = PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION);
	char *position = text("%s", at ? at : PQresultErrorMessage(r));
	PQclear(r);
	return position;
}

/* As many as fit a text that is understood: each does what it says, and what is wrong is told where it is wrong. */
static void test_thousands(void)
{
	sluice_with("default_pool_size = 2\n");
	PGconn *straight = client_to_pg(NULL), *a = client("options='-c work_mem=7MB'"), *b = client(NULL);
	static char many[64000];
	size_t len = 0;
	for (int i = 0; len < 50000; i++)
		len += (size_t)sprintf(many + len, "set a.x=%d;", i);
	strcpy(many + len, "set a.x='last'");
	sql(a, "%s", many);
	sql(b, "begin; select 1");
	check_scalar(a, "show a.x", "last");
	sql(b, "commit");
	sql(a, "prepare p as select 'p'");
	len = (size_t)sprintf(many, "prepare q as select '\xc3\xa9';");
	for (int i = 0; len < 60000; i++)
		len += (size_t)sprintf(many + len, "%s;", i % 3 ? "reset work_mem" : i % 2 ? "execute p" : "execute q");
	strcpy(many + len, "deallocate q; show work_mem");
	check_scalar(a, many, "7MB");
	strcpy(many + len, "select '\xc3\xa9', nothing");
	sql(straight, "prepare p as select 'p'");
	char *want = position_of(straight, many);
	check("it has one", atoi(want) > 60000 && atoi(want) < (int)strlen(many) - 2);
	check_str("as on a server of its own", position_of(a, many), want);
}

/* What is sent behind it, without waiting for the answer, waits here. */
static void test_pipelined(void)
{
	sluice_with("default_pool_size = 1\n");
	static const struct {
		char type;
		const char *body;
		size_t n;
	} said[] = {
		{ 'Q', "prepare p as select 1", 22 }, { 'Q', "execute p", 10 }, { 'P', "q\0select 1\0\0", 13 },
		{ 'B', "\0p\0\0\0\0\0\0", 9 },        { 'E', "\0\0\0\0", 5 },   { 'S', "", 0 },
		{ 'Q', "deallocate p", 13 },          { 'Q', "execute p", 10 },
	};
	char body[1024], got[64] = "";
	size_t len, n = 0;
	PGconn *a = client(NULL);
	int fd = raw_open();
	require("start", raw_startup(fd, "alice", "test") && raw_expect(fd, 'Z', body, sizeof body, &len));
	for (size_t i = 0; i < COUNT(said); i++)
		require("sent", raw_message(fd, said[i].type, said[i].body, said[i].n));
	for (unsigned ready = 0; ready < 5 && n < sizeof got - 1; n++) {
		require("heard", raw_next(fd, &got[n], body, sizeof body, &len));
		ready += got[n] == 'Z';
	}
	check_str("answers", got,
		  "CZ"
		  "TDCZ"
		  "12DCZ"
		  "CZ"
		  "EZ");
	raw_close(fd);
	check_scalar(a, "select 1", "1");
}

static const struct unit_test tests[] = {
	{ "as_direct", test_as_direct }, { "both_ways", test_both_ways },
	{ "no_query", test_no_query },   { "late", test_late },
	{ "bounds", test_bounds },       { "thousands", test_thousands },
	{ "pipelined", test_pipelined }, { NULL, NULL },
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, "execute", tests);
}
