/* test_sql.c - what src/sql says of a text beside what PostgreSQL does with it: how many statements it sees and of
 * which kinds (their command tags), which value a SET leaves, how names are quoted. Sluice itself has no part in it. */
#include "harness.h"

#include "sql/classify.h"

#include <stdio.h>
#include <string.h>

/* Tags that begin like this are of that kind. */
static const struct {
	const char *tag;
	enum sql_kind kind;
} tags[] = {
	{ "BEGIN", SQL_BEGIN },
	{ "START TRANSACTION", SQL_BEGIN },
	{ "COMMIT PREPARED", SQL_COMMIT_PREPARED },
	{ "COMMIT", SQL_COMMIT },
	{ "ROLLBACK PREPARED", SQL_ROLLBACK_PREPARED },
	{ "ROLLBACK", SQL_ROLLBACK },
	{ "SAVEPOINT", SQL_SAVEPOINT },
	{ "RELEASE", SQL_RELEASE },
	{ "PREPARE TRANSACTION", SQL_PREPARE_TRANSACTION },
	{ "SET CONSTRAINTS", SQL_SET_CONSTRAINTS },
	{ "SET", SQL_SET },
	{ "RESET", SQL_RESET },
	{ "SHOW", SQL_SHOW },
	{ "PREPARE", SQL_PREPARE },
	{ "DEALLOCATE", SQL_DEALLOCATE },
	{ "DISCARD", SQL_DISCARD },
	{ "LISTEN", SQL_LISTEN },
	{ "UNLISTEN", SQL_UNLISTEN },
	{ "NOTIFY", SQL_NOTIFY },
	{ "LOAD", SQL_LOAD },
	{ "DECLARE", SQL_DECLARE },
	{ "CLOSE", SQL_CLOSE },
	{ "FETCH", SQL_FETCH },
	{ "MOVE", SQL_MOVE },
	{ "SELECT", SQL_SELECT },
	{ "INSERT", SQL_INSERT },
	{ "UPDATE", SQL_UPDATE },
	{ "DELETE", SQL_DELETE },
	{ "MERGE", SQL_MERGE },
	{ "COPY", SQL_COPY },
	{ "EXPLAIN", SQL_EXPLAIN },
	{ "DO", SQL_DO },
	{ "CALL", SQL_CALL },
	{ "LOCK", SQL_LOCK },
	{ "CREATE", SQL_CREATE },
	{ "ALTER", SQL_ALTER },
	{ "DROP", SQL_DROP },
	{ "TRUNCATE", SQL_TRUNCATE },
	{ "GRANT", SQL_GRANT },
	{ "REVOKE", SQL_GRANT },
	{ "COMMENT", SQL_DEFINE },
	{ "REFRESH", SQL_DEFINE },
	{ "VACUUM", SQL_MAINTAIN },
	{ "ANALYZE", SQL_MAINTAIN },
	{ "CLUSTER", SQL_MAINTAIN },
	{ "REINDEX", SQL_MAINTAIN },
	{ "CHECKPOINT", SQL_MAINTAIN },
};

static enum sql_kind kind_of_tag(const char *tag)
{
	for (size_t i = 0; i < COUNT(tags); i++)
		if (strncmp(tag, tags[i].tag, strlen(tags[i].tag)) == 0)
			return tags[i].kind;
	return SQL_UNKNOWN;
}

/* As the tag tells them: less than there are. */
static enum sql_kind told_kind(const struct sql_stmt *st)
{
	switch (st->kind) {
	case SQL_ROLLBACK_TO:
		return SQL_ROLLBACK;
	case SQL_SET_TRANSACTION:
	case SQL_SET_CHARACTERISTICS:
		return SQL_SET;
	case SQL_VALUES:
	case SQL_TABLE:
		return SQL_SELECT;
	default:
		return st->kind;
	}
}

/* The kinds of all its statements, by sql/ and by the server. */
static void check_text(PGconn *c, const char *in)
{
	struct sql_reader r;
	struct sql_stmt st;
	bool backslash = strcmp(PQparameterStatus(c, "standard_conforming_strings"), "off") == 0;
	require(in, PQsendQuery(c, in));
	sql_read_init(&r, in, strlen(in), backslash ? SQL_BACKSLASH : 0, NULL, 0);
	for (PGresult *res; (res = PQgetResult(c)); PQclear(res)) {
		ExecStatusType status = PQresultStatus(res);
		if (status == PGRES_EMPTY_QUERY) {
			while (sql_read(&r, &st))
				check_eq(in, st.kind, SQL_EMPTY);
			continue;
		}
		if (status == PGRES_FATAL_ERROR) {
			check_str(in, PQresultErrorMessage(res), ""); /* the table of texts is wrong */
			while (sql_read(&r, &st))
				;
			continue;
		}
		if (status == PGRES_COPY_OUT) {
			char *row;
			while (PQgetCopyData(c, &row, 0) > 0)
				PQfreemem(row);
			continue; /* its result comes yet */
		}
		if (status == PGRES_COPY_IN) {
			PQputCopyEnd(c, NULL);
			continue;
		}
		bool more;
		while ((more = sql_read(&r, &st)) && st.kind == SQL_EMPTY)
			;
		if (!check(in, more))
			continue;
		enum sql_kind got = kind_of_tag(PQcmdStatus(res)), want = told_kind(&st);
		if (want == SQL_EXECUTE || (want == SQL_CREATE && st.object == SQL_OBJECT_TABLE && got == SQL_SELECT))
			continue; /* the tag is what was executed, or how the table was filled */
		if (!check_str(in, sql_kind_name(got), sql_kind_name(want)))
			fprintf(stderr, "\ttag %s\n", PQcmdStatus(res));
	}
	while (sql_read(&r, &st))
		check_eq(in, st.kind, SQL_EMPTY);
}

static const char *const texts[] = {
	"",
	" ; -- x",
	"select 1",
	"SELECT 1; SELECT 2;",
	";;select 1;;",
	"select /* ; /* ; */ ; */ 1 -- ; 2\n; select 2",
	"select $$;$$, $a$ ; $$ $b$ ; $a$; select 1",
	"select 'a;''b;', E'c\\';d', U&'\\003b', B'1', X'1f', N';'; select 1",
	"select 'a' -- x '\n -- y ;\n ';b'; select 1",
	"select E'a'\n'\\';b'; select 1",
	"select 1 as \"a;\"\"b;\", 2 as U&\"c;\"; select 1",
	"select U&\"f!003bg\" uescape '!' from (select 1 as \"f;g\") x; select 1",
	"select 1+/*;*/-2; select 1 <--;\n 2; select 2",
	"select 1 as a$b$c; select 2 as d$",
	"select 1.5e-7, .5, 1.; select 2",
	"select (array[1,2])[1:2]; select 3",
	"begin; set local work_mem = '1MB'; savepoint a; rollback to a; rollback work to savepoint a; release a; "
	"savepoint b; release savepoint b; commit and chain; end",
	"start transaction isolation level serializable, read only; set transaction snapshot '1'; abort",
	"begin work; set constraints all deferred; rollback and no chain",
	"begin; declare c no scroll cursor for select 1; fetch 1 from c; move all in c; close c; commit",
	"begin; lock table made; declare d cursor with hold for values (1), (2); commit; fetch d; close all",
	"prepare p (int) as select $1; execute p(1); explain execute p(1); explain (analyze) execute p(2); "
	"create temp table ctas as execute p(3); drop table ctas; deallocate prepare p",
	"prepare transaction as select 1; deallocate transaction",
	"prepare prepare as select 1; deallocate prepare",
	"savepoint savepoint; release savepoint",
	"begin; savepoint savepoint; rollback to savepoint; release savepoint; commit",
	"listen a; notify a; notify a, 'x;y'; unlisten a; unlisten *; discard plans; discard sequences; discard temp",
	"discard all",
	"vacuum made",
	"analyze made; reindex table made; checkpoint",
	"copy made to stdout; copy (select ';') to stdout; select 1",
	"copy made from stdin; copy made (n) from stdout; select 1",
	"with a as (select 1) insert into made select * from a; with a as (delete from made returning n) select * from a",
	"with insert as (select 1) select * from insert; with recursive b(n) as (values (1)) update made set n = 2",
	"with recursive a(x) as (select 1 union all select x + 1 from a where x < 3) search depth first by x set delete table a",
	"with a(x) as (select 1) table a; (select 1) union (select 2); ((values (1)))",
	"merge into made using (values (1)) v(n) on made.n = v.n when not matched then insert values (v.n); delete from made",
	"create table begin_ (\"end\" int, \"case\" int); create function f1() returns bigint begin atomic select 1; "
	"select case when true then count(t.end) end from begin_ t; select 1 as case; end; select 3; "
	"create or replace procedure p1(x int default 1) begin atomic insert into begin_ select t.end, 1 as end from begin_ t; "
	"end; call p1(); drop procedure p1; drop function f1; drop table begin_",
	"create table ruled (n int); create rule r as on insert to ruled do also (select 1; select 2); drop table ruled",
	"create temp table t1 (n int); create temp sequence s1; create or replace temp view v1 as select 1; "
	"create table pg_temp.t2 (n int); alter table t1 add m int; truncate t1; comment on table t1 is 'x;'; "
	"grant select on t1 to bob; revoke all on t1 from bob; drop table t1, t2; drop view v1; drop sequence s1",
	"select 1 into temp t3; select 1 as a into local temporary table t4; drop table t3; drop table t4",
	"do $$ begin perform 1; perform 2; end $$; do 'begin end'",
	"set x.y = 1; set session x.y to 'a'; reset x.y; show x.y; set time zone local; show time zone; "
	"set names 'utf8'; set schema 'public'; set role none; reset role; set session authorization default; "
	"set session characteristics as transaction read write; set xml option content; reset session authorization; "
	"show transaction isolation level; reset all; show all",
	"create schema s create table t (n int) create view v as select 1; drop schema s cascade",
	"explain (select 1); explain verbose select 1; explain (costs off) insert into made values (1)",
};

static void test_statements(void)
{
	PGconn *made = client_to_pg(NULL);
	sql(made, "create table made (n int)");
	for (int off = 0; off < 2; off++) {
		for (size_t i = 0; i < COUNT(texts); i++) {
			PGconn *c = client_to_pg(NULL);
			if (off && (strstr(texts[i], "U&'") || strstr(texts[i], "set x.y")))
				continue;
			sql(c, "set standard_conforming_strings = %s; set escape_string_warning = off",
			    off ? "off" : "on");
			if (strcmp(texts[i], "savepoint savepoint; release savepoint") == 0)
				sql(c, "begin");
			if (strstr(texts[i], "snapshot"))
				continue; /* there is none of that name */
			check_text(c, texts[i]);
			client_close(c);
		}
		PGconn *c = client_to_pg(NULL);
		sql(c, "set standard_conforming_strings = %s; set escape_string_warning = off", off ? "off" : "on");
		check_text(c, off ? "select 'a\\'; b'; select 2" : "select 'a\\'; select ' b'");
	}
	sql(made, "drop table made");
}

/* What SET leaves is what set_config() is given by us. */
static void test_settings(void)
{
	static const char *const sets[] = {
		"set search_path to a, \"B\", 'c d', \"select\", Public, pg_temp",
		"set search_path = ''",
		"set search_path to \"a\"\"b\", 'x''y', \"\303\244\"",
		"set schema 'Shop'",
		"set x.y to On",
		"set x.y = 007",
		"set x.y = -5",
		"set x.y = - 0",
		"set x.y = +1.50",
		"set x.y = -1.50",
		"set x.y = 2147483648",
		"set x.y = 02147483648",
		"set x.y = 1e3",
		"set x.y = E'a\\tb\\\\'",
		"set x.y = 'a'\n'b'",
		"set x.y = $$a'b$$",
		"set x.y = U&'\\0041'",
		"set x.y = \"Mixed Case\"",
		"set x.y = MixedCase",
		"set X.\"Y\" = true",
		"set datestyle to iso, dmy",
		"set \"TimeZone\" = utc",
		"set time zone -7",
		"set time zone 'Europe/Berlin'",
		"set time zone 2.5",
		"set names 'latin1'",
		"set work_mem = '7MB'",
		"set work_mem = 0100",
		"set role bob",
		"set role none",
		"set session authorization 'bob'",
		"set statement_timeout = 5000",
		"set application_name to shop",
		"set temp_tablespaces to ''",
		"set xml option document",
		"set extra_float_digits = -3",
	};
	for (size_t i = 0; i < COUNT(sets); i++) {
		PGconn *a = client_to_pg(NULL), *b = client_to_pg(NULL);
		char name[128] = "", value[256] = "";
		struct sql_reader r;
		struct sql_stmt st;
		sql_read_init(&r, sets[i], strlen(sets[i]), 0, NULL, 0);
		check(sets[i], sql_read(&r, &st) && st.kind == SQL_SET);
		check(sets[i], sql_setting_name(sets[i], 0, &st, name, sizeof name) > 0);
		check(sets[i], sql_setting_value(sets[i], 0, &st, value, sizeof value) >= 0);
		sql(a, "%s", sets[i]);
		(void)scalar_params(b, "select set_config($1, $2, false)", name, value);
		check_str(sets[i], scalar_params(b, "select current_setting($1)", name, NULL),
			  scalar_params(a, "select current_setting($1)", name, NULL));
		client_close(a);
		client_close(b);
	}
}

/* quote_ident() and quote_literal(), of every keyword too. */
static void test_quotes(void)
{
	PGconn *c = client_to_pg(NULL);
	PGresult *r =
		PQexec(c,
		       "select w, quote_ident(w), quote_literal(w) from (select word from pg_get_keywords() union all "
		       "values ('a'), ('A b'), ('a\"b'), ('1a'), ('_'), ('a$'), ('a''b\\c'), (U&'\\00e4'), "
		       "(repeat('x', 63))) t(w)");
	check_eq("rows", PQresultStatus(r), PGRES_TUPLES_OK);
	for (int i = 0; i < PQntuples(r); i++) {
		const char *w = PQgetvalue(r, i, 0);
		char out[200];
		int n = sql_quote_ident(w, strlen(w), out, sizeof out);
		/* What another version reserves has quotes here, too. */
		if (out[0] != '"' || PQgetvalue(r, i, 1)[0] == '"')
			check_str(w, out, PQgetvalue(r, i, 1));
		check_eq(w, n, strlen(out));
		check(w, sql_quote_literal(w, strlen(w), out, sizeof out) > 0);
		check_str(w, out, PQgetvalue(r, i, 2));
	}
	PQclear(r);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "statements", test_statements },
		{ "settings", test_settings },
		{ "quotes", test_quotes },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "sql", tests);
}
