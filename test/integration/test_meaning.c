/* test_meaning.c - prepared statements that clients share, where their settings give one text two meanings: what each
 * hears is what it would hear without Sluice. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static char *results(PGconn *c)
{
	char *all = text("%s", "");
	PGresult *r;
	while ((r = PQgetResult(c))) {
		all = text("%s[%s]", all, PQcmdStatus(r));
		for (int i = 0; i < PQntuples(r); i++)
			for (int j = 0; j < PQnfields(r); j++)
				all = text("%s(%s)", all, PQgetisnull(r, i, j) ? "NULL" : PQgetvalue(r, i, j));
		if (PQresultStatus(r) == PGRES_FATAL_ERROR)
			all = text("%s<%s %s>", all, PQresultErrorField(r, PG_DIAG_SQLSTATE),
				   PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY));
		PQclear(r);
	}
	return all;
}

static char *one_batch(PGconn *c, const char *set, const char *query)
{
	char *all = text("%s", "");
	if (!PQenterPipelineMode(c) || !PQsendQueryParams(c, set, 0, NULL, NULL, NULL, NULL, 0) ||
	    !PQsendPrepare(c, "batch", query, 0, NULL) || !PQsendQueryPrepared(c, "batch", 0, NULL, NULL, NULL, 0) ||
	    !PQpipelineSync(c))
		return text("cannot send");
	for (int i = 0; i < 3; i++)
		all = text("%s%s", all, results(c));
	PQclear(PQgetResult(c));
	PQexitPipelineMode(c);
	return all;
}

/* One step of a script, of client a, b (c, d) or, which keeps a server from them, x:
 *   "a text"         Query
 *   "a/name/text"    Parse
 *   "a!name"         Bind, Describe, Execute
 *   "a?text"         Parse, Bind, Describe, Execute, unnamed
 *   "a#name"         Describe
 *   "a|query|text"   query, and Parse and execution of a text, in one batch */
static char *step(PGconn *const *all, const char *said)
{
	char buf[512], *rest = buf + 2, *second;
	PGconn *c = all[*said == 'x' ? 2 : *said < 'c' ? *said - 'a' : *said - 'a' + 1];
	require("fits", strlen(said) < sizeof buf);
	(void)strcpy(buf, said);
	switch (said[1]) {
	case ' ':
		return PQsendQuery(c, rest) ? results(c) : text("cannot send");
	case '!':
		return PQsendQueryPrepared(c, rest, 0, NULL, NULL, NULL, 0) ? results(c) : text("cannot send");
	case '?':
		return PQsendQueryParams(c, rest, 0, NULL, NULL, NULL, NULL, 0) ? results(c) : text("cannot send");
	case '#':
		return PQsendDescribePrepared(c, rest) ? results(c) : text("cannot send");
	case '/':
	case '|':
		second = strchr(rest, said[1]);
		require("a script", second != NULL);
		*second++ = '\0';
		if (said[1] == '|')
			return one_batch(c, rest, second);
		return PQsendPrepare(c, rest, second, 0, NULL) ? results(c) : text("cannot send");
	default:
		require("a script", false);
		return NULL;
	}
}

#define ONE_TEXT(of_a, of_b, query)                                                                                    \
	{                                                                                                              \
		"a " of_a, "b " of_b, "a/s/" query, "b/s/" query, "a!s", "b!s", "a!s", "b!s", "a prepare p as " query, \
			"b prepare p as " query, "a execute p", "b execute p", "a execute p", "b execute p",           \
			"a execute s", "b execute s"                                                                   \
	}
#define EPOCH "select extract(epoch from timestamptz '2020-01-01 00:00')"

static const char *const scripts[][20] = {
	ONE_TEXT("set timezone = 'UTC'", "set timezone = 'America/New_York'", EPOCH),
	ONE_TEXT("set datestyle = 'ISO, MDY'", "set datestyle = 'ISO, DMY'", "select date '01/02/2020'"),
	ONE_TEXT("set intervalstyle = 'postgres'", "set intervalstyle = 'sql_standard'",
		 "select extract(epoch from interval '-1 2:03')"),
	ONE_TEXT("set standard_conforming_strings = off", "set escape_string_warning = off", "select length('a\\nb')"),
	ONE_TEXT("set client_encoding = 'UTF8'", "set client_encoding = 'LATIN1'", "select length('\xc3\xb6')"),
	ONE_TEXT("set transform_null_equals = on", "select 1",
		 "select count(*) from (values (null::int)) v (n) where n = null"),
	ONE_TEXT("set array_nulls = off", "select 1", "select ('{null}'::text[])[1]"),
	ONE_TEXT("set bytea_output = 'escape'", "set bytea_output = 'hex'", "select '\\x01ff'::bytea::text"),
	ONE_TEXT("set extra_float_digits = 0", "select 1", "select (0.1::float8 + 0.2::float8)::text"),
	ONE_TEXT("set search_path = s1", "set search_path = s2", "select * from tt"),
	ONE_TEXT("set search_path = s1, s2", "set search_path to s2, s1", "select * from tt"),
	ONE_TEXT("select set_config('search_path', 's1', false)", "select set_config('search_path', 's2', false)",
		 "select * from tt"),
	ONE_TEXT("begin; set local search_path = s1", "begin; set local search_path = s2", "select * from tt"),
	ONE_TEXT("begin; select set_config('search_path', 's1', true)",
		 "begin; select set_config('search_path', 's' || 2, true)", "select * from tt"),
	ONE_TEXT("begin; select set_config('search_path', 's' || 1, true)",
		 "begin; select set_config('search_path', 's' || 2, true)", "select * from tt"),
	ONE_TEXT("set role s1", "set role s2", "select * from tt"),
	ONE_TEXT("begin; set local role s1", "begin; set local role s2", "select * from tt"),
	ONE_TEXT("set session authorization s1", "set session authorization s2", "select * from tt"),
	ONE_TEXT("create temp table tt as select 1 as x, 2 as y, 3 as z", "set search_path = s1", "select * from tt"),
	ONE_TEXT("do $$ begin set search_path = s2; end $$", "set search_path = s1", "select * from tt"),
	/* What is set holds for what is parsed then, and no longer. */
	{ "b set search_path = s1", "b/s/select * from tt", "b!s", "a begin; set local search_path = s2; savepoint one",
	  "a set local search_path = s1; savepoint two", "a/t/select * from tt", "a!t", "a rollback to one",
	  "a/u/select * from tt", "a!u", "a commit", "a set search_path = s1", "a/v/select * from tt", "a!v", "b!s" },
	{ "a set search_path = s2", "b begin; set local search_path = s1; set search_path = s2", "a/s/select * from tt",
	  "b/s/select * from tt", "b commit", "b/t/select * from tt", "b!t", "a!s",
	  "b begin; set search_path = s1; rollback", "b/u/select * from tt", "b!u", "a reset search_path",
	  "a/v/select * from tt" },
	{ "a set timezone = 'UTC'", "a/s/" EPOCH, "b|set timezone = 'Asia/Tokyo'|" EPOCH, "a!s", "b!batch",
	  "a|set timezone = 'America/New_York'|" EPOCH, "b!batch", "a!batch", "b/s/" EPOCH, "b!s" },
	{ "a set timezone = 'UTC'", "b set timezone = 'UTC'", "a/s/" EPOCH,
	  "b|set local timezone = 'Asia/Tokyo'|" EPOCH, "a!s", "b!batch", "b/s/" EPOCH, "b!s" },
	/* Constants stay what they were when it was parsed, on a server that it was not parsed on, too. */
	{ "a set timezone = 'UTC'",
	  "a/s/" EPOCH,
	  "a set timezone = 'Asia/Tokyo'",
	  "a!s",
	  "x begin; select 1",
	  "a!s",
	  "a show timezone",
	  "x commit",
	  "a prepare p as " EPOCH,
	  "a set timezone = 'America/New_York'",
	  "x begin; select 1",
	  "a execute p",
	  "a execute s",
	  "a show timezone",
	  "x commit",
	  "a execute p",
	  "a begin",
	  "a!s",
	  "a!s",
	  "a commit" },
	{ "a set bytea_output = 'escape'", "a/s/select '\\x01ff'::bytea::text",
	  "a prepare p as select '\\xff'::bytea::text", "a reset bytea_output", "x begin; select 1", "a!s",
	  "a execute p", "a show bytea_output", "x commit", "a!s", "a execute p" },
	/* Who changes the path of one that it knows hears so, and nobody else. */
	{ "a set search_path = s1", "b set search_path = s1", "a/s/select * from tt", "b/s/select * from tt", "a!s",
	  "b!s", "a set search_path = s2", "a!s", "b!s", "a!s", "b!s", "b begin", "b!s", "b commit",
	  "a set search_path = s1", "a!s" },
	/* Temporary tables hide others from then on. */
	{ "a set search_path = s1",
	  "b set search_path = s1",
	  "a/s/select * from tt",
	  "a!s",
	  "b/s/select * from tt",
	  "b!s",
	  "a create temp table tt as select 7 as a",
	  "a/t/select * from tt",
	  "a!t",
	  "b!s",
	  "a drop table pg_temp.tt",
	  "a!t",
	  "a create temp table tt as select 2 as b, 3 as c",
	  "a/u/select * from tt",
	  "a!u",
	  "b!s",
	  "a discard all",
	  "a set search_path = s1",
	  "a/s/select * from tt",
	  "a!s" },
};

/* SQL about prepared statements by the extended protocol, which the server is to have under the client's own names.
 * Those that keep their server say DISCARD ALL in the end. */
static const char *const extended[][16] = {
	/* It means what it meant when it was prepared. */
	{ "a prepare q as " EPOCH ", date '01/02/2020', 'a\\b'", "a set timezone = 'America/New_York'",
	  "a set datestyle = 'ISO, DMY'", "a set standard_conforming_strings = off", "x begin; select 1", "a?execute q",
	  "a?explain (costs off) execute q", "x commit", "a execute q", "a show timezone", "a discard all" },
	{ "a set search_path = s1", "a prepare q as select * from tt", "a set search_path = s2", "x begin; select 1",
	  "a?execute q", "a?select * from tt", "x commit", "a discard all" },
	/* A query that changes settings before, or behind. */
	{ "a prepare q as " EPOCH, "a set timezone = 'America/New_York'", "x begin; select 1",
	  "a set work_mem = '5MB'; execute q", "a execute q", "x commit", "a execute q", "a set work_mem = '4MB'" },
	{ "a prepare q as " EPOCH, "a/p/select date '01/02/2020'::text, $1::int8[]", "x begin; select 1",
	  "a set timezone = 'America/New_York'; set datestyle = 'ISO, DMY'; execute q; execute p (null)", "a execute q",
	  "a execute p (null)", "x commit", "a execute p ('{}')", "a execute q" },
	{ "a prepare q as " EPOCH, "x begin; select 1", "a begin", "a set timezone = 'Asia/Tokyo'; execute q",
	  "a execute q", "a rollback", "a show timezone", "a execute q", "x commit", "a execute q" },
	{ "a/q/select $1::text || 'a\\b'", "a set standard_conforming_strings = off", "x begin; select 1",
	  "a execute q ('x')", "a select 'a\\b'", "x commit", "a execute q ('x')" },
	{ "a/q/select * from s1.lost", "a set datestyle = 'ISO, DMY'", "x drop table if exists s1.lost",
	  "x begin; select 1", "a execute q", "a select 1", "a begin", "a execute q", "a select 1", "a rollback",
	  "a select 2", "x commit", "a execute q" },
	/* What a Parse made. */
	{ "a/q/select 'parsed'", "a?execute q", "a!q", "a deallocate q", "a?execute q", "a prepare q as select 'new'",
	  "a?execute q", "a!q", "a?deallocate q", "a?execute q", "a execute q", "a discard all" },
	{ "a/q/" EPOCH, "a set timezone = 'Asia/Tokyo'", "x begin; select 1", "a?execute q", "x commit", "a?execute q",
	  "a begin", "a?execute nothing", "a?execute q", "a rollback", "a?execute q", "a discard all", "a?execute q" },
	{ "a/q/select 1 as a", "a/r/execute q", "a!r", "a#r", "a!r", "a discard all", "a!r" },
	/* One that fails takes nothing with it. */
	{ "a/q/select 'parsed'", "a begin", "a selec", "a?execute q", "a rollback", "a?execute q", "a!q",
	  "a discard all" },
	{ "a|selec|select 1", "a/q/select 'parsed'", "a|selec|execute q", "a?execute q", "a discard all" },
	/* There is one of that name. */
	{ "a/q/select 'parsed'", "a?prepare q as select 'said'", "a!q", "a execute q", "a discard all" },
	{ "a prepare q as select 'first'", "a?prepare q as select 'second'", "a!q", "a?execute q",
	  "a?prepare q as select 'third'", "a execute q", "a discard all" },
	{ "a?prepare q as select 'said'", "a?prepare q as select 'again'", "a!q", "a execute q", "a?execute q",
	  "a discard all", "a!q" },
	/* Nobody finds what another has prepared. */
	{ "a/p/prepare q as select 'of a'", "a execute p", "a execute q", "a!q", "a discard all", "b!q", "b execute q",
	  "b?execute q", "b deallocate q", "b?deallocate q", "b#q", "b?prepare q as select 'of b'", "b!q",
	  "b discard all" },
	{ "a?prepare q as select 'of a'", "a!q", "a execute q", "a?deallocate q", "a!q", "a discard all" },
	{ "x create or replace function leaves(n text) returns int language plpgsql as "
	  "$$begin execute 'prepare '||n||' as select 1'; return 1; end$$",
	  "a select leaves('l')", "b execute l", "b!l", "b#l", "b?execute l", "b select leaves('m')", "a deallocate m",
	  "a?deallocate m", "a?prepare m as select 'mine'", "a!m", "a discard all" },
	{ "b execute nothing", "b explain execute nothing", "b execute nothing (1, (2)", "b select 1; execute \"NO\"",
	  "b execute \"SLUICE_0\"", "b deallocate nothing", "b deallocate prepare \"SLUICE_1\"", "b!nothing",
	  "b create temp table t as execute nothing" },
};

static void test_extended(void)
{
	PGconn *setup = client_to_pg(NULL);
	sql(setup, "drop schema if exists s1, s2 cascade; create schema s1; create schema s2;"
		   "create table s1.tt as select 1 as a; create table s2.tt as select 'x'::text as a, 2 as b");
	for (size_t i = 0; i < COUNT(extended); i++) {
		sql(client_to_pg(NULL), "create table if not exists s1.lost (n int)");
		bool swaps = false;
		for (size_t j = 0; j < COUNT(extended[i]) && extended[i][j]; j++)
			swaps |= strncmp(extended[i][j], "x begin", 7) == 0;
		sluice_with(swaps ? "default_pool_size = 2\n" : "default_pool_size = 1\n");
		PGconn *direct[3], *through[3];
		for (int k = 0; k < 3; k++) {
			direct[k] = client_to_pg(NULL);
			through[k] = client(NULL);
		}
		for (size_t j = 0; j < COUNT(extended[i]) && extended[i][j]; j++) {
			char *want = step(direct, extended[i][j]);
			check_str(text("%zu %zu %s", i, j, extended[i][j]), step(through, extended[i][j]), want);
		}
		check_eq(text("%zu: nothing kept its server", i),
			 show_int(console(), "pools", "database", "test", "sv_active"), 0);
		for (int k = 0; k < 3; k++)
			client_close(direct[k]);
		sluice_stop();
	}
	sql(client_to_pg(NULL), "drop schema s1, s2 cascade");
}

static void test_as_direct(void)
{
	PGconn *setup = client_to_pg(NULL);
	sql(setup, "drop schema if exists s1, s2 cascade; create schema s1; create schema s2;"
		   "create table s1.tt as select 1 as a; create table s2.tt as select 'x'::text as a, 2 as b");
	sql(setup, "drop role if exists s1; drop role if exists s2; create role s1; create role s2;"
		   "grant all on schema s1 to s1; grant all on schema s2 to s2; grant select on s1.tt to s1;"
		   "grant select on s2.tt to s2");
	for (size_t i = 0; i < COUNT(scripts); i++) {
		bool swaps = false;
		for (size_t j = 0; j < COUNT(scripts[i]) && scripts[i][j]; j++)
			swaps |= scripts[i][j][0] == 'x' || strstr(scripts[i][j], "begin") ||
				 strstr(scripts[i][j], "temp") || scripts[i][j][2] == 'd';
		sluice_with(swaps ? "default_pool_size = 2\n" : "default_pool_size = 1\n");
		PGconn *direct[3], *through[3];
		for (int k = 0; k < 3; k++) {
			direct[k] = client_to_pg(NULL);
			through[k] = client(NULL);
		}
		for (size_t j = 0; j < COUNT(scripts[i]) && scripts[i][j]; j++) {
			char *want = step(direct, scripts[i][j]);
			check_str(text("%zu %zu %s", i, j, scripts[i][j]), step(through, scripts[i][j]), want);
		}
		for (int k = 0; k < 3; k++)
			client_close(direct[k]);
		sluice_stop();
	}
	sql(client_to_pg(NULL), "drop schema s1, s2 cascade; drop role s1; drop role s2");
}

#define ALL "select * from changes"

/* A table changes between what the first and the others prepare: who prepares after it hears what it would hear without
 * the first. '+' is when it changes; c and d are others. */
static const char *const after[][12] = {
	/* SQL's EXECUTE, of what was parsed and of what was said. */
	{ "a prepare p as " ALL, "a execute p", "b/s/" ALL, "b!s", "+", "c/y/" ALL, "c execute y", "c execute y",
	  "d/z/" ALL, "d execute z" },
	{ "a prepare p as " ALL, "x begin", "a prepare q as " ALL, "x commit", "+", "b prepare p as " ALL,
	  "b execute p", "x begin", "b execute p", "x commit" },
	{ "a prepare p as " ALL, "+", "x begin", "c prepare p as " ALL, "x commit", "c begin", "c execute p",
	  "c select 1", "c commit" },
	{ "a prepare p as " ALL, "+", "x begin", "c prepare p as " ALL, "x commit", "c select 1; execute p",
	  "c execute p" },
	{ "a/s/" ALL, "a!s", "+", "c/y/" ALL, "c begin", "c execute y", "c select 1", "c commit" },
	/* In a transaction, which is not to be lost. */
	{ "a/s/" ALL, "a!s", "+", "c begin", "c/y/" ALL, "c!y", "c select 1", "c commit", "d begin; select 1",
	  "d/s/" ALL },
	{ "a/s/" ALL, "a!s", "+", "c/y/" ALL, "c begin", "c!y", "c select 1", "c commit" },
	{ "a/s/" ALL, "a!s", "x begin", "b/s/" ALL, "b!s", "+", "c/y/" ALL, "x commit", "c begin", "c!y", "c commit" },
	/* Behind others in its batch. */
	{ "a/s/" ALL, "a!s", "+", "c|select 1|" ALL, "c!batch", "d|insert into other values (1)|" ALL },
};

static void test_after_a_change(void)
{
	for (size_t i = 0; i < COUNT(after); i++) {
		sluice_with("default_pool_size = 2\n");
		PGconn *direct[5], *through[5], *setup = client_to_pg(NULL);
		for (int k = 0; k < 5; k++) {
			direct[k] = client_to_pg(NULL);
			through[k] = client(NULL);
		}
		sql(setup, "drop table if exists changes, other; create table changes as select 1 as n;"
			   "create table other (n int)");
		bool has_changed = false;
		for (size_t j = 0; j < COUNT(after[i]) && after[i][j]; j++) {
			const char *said = after[i][j];
			if (*said == '+') {
				sql(setup, "alter table changes add more text");
				has_changed = true;
				continue;
			}
			char *want = step(direct, said), *got = step(through, said);
			if (has_changed || *said == 'x')
				check_str(text("%zu %zu %s", i, j, said), got, want);
		}
		for (int k = 0; k < 5; k++)
			client_close(direct[k]);
		client_close(setup);
		sluice_stop();
	}
	sql(client_to_pg(NULL), "drop table changes, other");
}

/* ParseComplete is told before it is known whether it holds. */
static void say_flushed(bool flushed)
{
	char body[1024], type = 0;
	size_t n;
	sluice_with("default_pool_size = 1\n");
	PGconn *setup = client_to_pg(NULL), *a = client(NULL);
	sql(setup, "drop table if exists changes; create table changes as select 1 as n");
	PQclear(PQprepare(a, "s", ALL, 0, NULL));
	PQclear(PQexecPrepared(a, "s", 0, NULL, NULL, NULL, 0));
	sql(setup, "alter table changes add more text");
	int fd = raw_open();
	require("start", raw_startup(fd, "alice", "test") && raw_expect(fd, 'Z', body, sizeof body, &n));
	/* It was told once what the rows of a portal look like, of another statement. */
	require("sent", raw_send(fd, BYTES("P\0\0\0\x10\0select 1\0\0\0B\0\0\0\x0c\0\0\0\0\0\0\0\0D\0\0\0\6P\0"
					   "E\0\0\0\x09\0\0\0\0\0S\0\0\0\4")));
	while (type != 'Z')
		require("heard", raw_next(fd, &type, body, sizeof body, &n));
	require("sent", raw_send(fd, BYTES("P\0\0\0\x1es\0select * from changes\0\0\0H\0\0\0\4")));
	require("heard", raw_next(fd, &type, body, sizeof body, &n));
	check_eq("parsed", type, '1');
	require("sent", raw_send(fd, BYTES("B\0\0\0\x0d\0s\0\0\0\0\0\0\0")));
	if (flushed) {
		require("sent", raw_send(fd, BYTES("H\0\0\0\4")));
		require("heard", raw_next(fd, &type, body, sizeof body, &n));
		check_eq("bound", type, '2');
	}
	require("sent", raw_send(fd, BYTES("E\0\0\0\x09\0\0\0\0\0S\0\0\0\4")));
	const char *heard = flushed ? "DCZ" : "2DCZ";
	for (size_t i = 0; i < strlen(heard); i++) {
		require("heard", raw_next(fd, &type, body, sizeof body, &n));
		check_eq(text("%zu", i), type, heard[i]);
	}
	raw_close(fd);
}

/* What ran before it in its batch is not lost when a statement is healed. */
static void say_flushed_behind_others(void)
{
	char body[1024], type = 0, heard[32] = "";
	size_t n;
	sluice_with("default_pool_size = 1\n");
	PGconn *setup = client_to_pg(NULL), *a = client(NULL);
	sql(setup,
	    "drop table if exists changes, other; create table changes as select 1 as n; create table other (n int)");
	PQclear(PQprepare(a, "s", ALL, 0, NULL));
	PQclear(PQexecPrepared(a, "s", 0, NULL, NULL, NULL, 0));
	sql(setup, "alter table changes add more text");
	int fd = raw_open();
	require("start", raw_startup(fd, "alice", "test") && raw_expect(fd, 'Z', body, sizeof body, &n));
	require("sent", raw_send(fd, BYTES("P\0\0\0\x24\0insert into other values (1)\0\0\0"
					   "B\0\0\0\x0c\0\0\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0H\0\0\0\4")));
	require("heard", raw_expect(fd, 'C', body, sizeof body, &n));
	require("sent", raw_send(fd, BYTES("P\0\0\0\x1es\0select * from changes\0\0\0H\0\0\0\4")));
	require("heard", raw_expect(fd, '1', body, sizeof body, &n));
	require("sent", raw_send(fd, BYTES("B\0\0\0\x0d\0s\0\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\4")));
	while (type != 'Z' && strlen(heard) < sizeof heard - 1) {
		require("heard", raw_next(fd, &type, body, sizeof body, &n));
		heard[strlen(heard)] = type;
	}
	check_str("as direct", heard, "2DCZ");
	check_scalar(setup, "select count(*) from other", "1");
	raw_close(fd);
	sql(setup, "drop table changes, other");
}

static void test_flushed(void)
{
	say_flushed(false);
	sluice_stop();
	say_flushed(true);
	sluice_stop();
	say_flushed_behind_others();
}

/* Those who mean the same share. */
static void test_shared(void)
{
	static const char *const all[] = { "set timezone = 'UTC'", "set search_path = s1, s2", "set role none",
					   "set application_name = 'x'", "set work_mem = '5MB'" };
	sluice_with("default_pool_size = 1\n");
	PGconn *a = client(NULL), *b = client(NULL);
	for (size_t i = 0; i < COUNT(all); i++) {
		sql(a, "%s", all[i]);
		if (i < 3)
			sql(b, "%s", all[i]);
	}
	PQclear(PQprepare(a, "s", "select 'shared'", 0, NULL));
	PQclear(PQprepare(b, "t", "select 'shared'", 0, NULL));
	check_scalar(a, "select count(*) from pg_prepared_statements where statement like '%shared''' ", "1");
	sql(b, "set timezone = 'Asia/Tokyo'");
	PQclear(PQprepare(b, "u", "select 'shared'", 0, NULL));
	check_scalar(a, "select count(*) from pg_prepared_statements where statement like '%shared''' ", "2");
	sql(b, "set timezone = 'UTC'");
	PQclear(PQprepare(b, "v", "select 'shared'", 0, NULL));
	check_scalar(a, "select count(*) from pg_prepared_statements where statement like '%shared''' ", "2");
	check_eq("parsed", show_int(console(), "stats", "database", "test", "total_server_parse_count"), 2);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "as_direct", test_as_direct },
		{ "extended", test_extended },
		{ "after_a_change", test_after_a_change },
		{ "flushed", test_flushed },
		{ "shared", test_shared },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "meaning", tests);
}
