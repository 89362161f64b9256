/* test_sql_classify.c - statements, what they are, and where they end. */
#include "unit.h"

#include "sql/classify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sql_funcs funcs;

static const char *const flag_names[] = { "local",     "default",  "all",      "chain", "hold",   "plans",
					  "sequences", "temp",     "in",       "out",   "with",   "modifies",
					  "analyze",   "no_block", "executes", "plain", "hidden", "config" };
static const char *const call_names[] = { "set_config", "session_config", "lock", "unlock",
					  "unlock_all", "keeps",          "slot", "user" };

static void __attribute__((format(printf, 3, 4))) add(char *out, size_t cap, const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(out + n, cap - n, fmt, ap);
	va_end(ap);
}

static void add_span(char *out, size_t cap, const char *what, const uint8_t *text, struct sql_span s)
{
	if (s.len)
		add(out, cap, " %s<%.*s>", what, (int)s.len, (const char *)text + s.at);
}

/* "kind/inner flags calls() name<...> ...". */
static void show(const uint8_t *text, unsigned mode, const struct sql_stmt *st, char *out, size_t cap)
{
	char name[200], value[200];
	add(out, cap, "%s", sql_kind_name(st->kind));
	if (st->inner)
		add(out, cap, "/%s", sql_kind_name(st->inner));
	for (size_t i = 0; i < COUNT(flag_names); i++)
		if (st->flags & 1u << i)
			add(out, cap, " %s", flag_names[i]);
	for (size_t i = 0; i < COUNT(call_names); i++)
		if (st->calls & 1u << i)
			add(out, cap, " %s()", call_names[i]);
	if (st->object)
		add(out, cap, " object=%d", st->object);
	if (st->modes.isolation)
		add(out, cap, " %s", sql_isolation_name(st->modes.isolation));
	if (st->modes.read_only)
		add(out, cap, " ro=%d", st->modes.read_only == SQL_YES);
	if (st->modes.deferrable)
		add(out, cap, " def=%d", st->modes.deferrable == SQL_YES);
	if (st->kind == SQL_SET || st->kind == SQL_RESET || st->kind == SQL_SHOW) {
		if (sql_setting_name(text, mode, st, name, sizeof name) >= 0)
			add(out, cap, " %s", name);
		if (sql_setting_value(text, mode, st, value, sizeof value) >= 0)
			add(out, cap, "=%s", value);
		else if (st->kind == SQL_SET && !(st->flags & SQL_DEFAULT))
			add(out, cap, "=?");
	} else {
		add_span(out, cap, "name", text, st->name);
		add_span(out, cap, "value", text, st->value);
		add_span(out, cap, "body", text, st->body);
	}
}

static const struct {
	const char *in, *want;
} rows[] = {
	/* transactions */
	{ "BEGIN", "begin" },
	{ "begin work;", "begin" },
	{ "Begin Transaction Isolation Level Read Committed, read only, not deferrable",
	  "begin read committed ro=1 def=0" },
	{ "START TRANSACTION READ WRITE DEFERRABLE ISOLATION LEVEL SERIALIZABLE", "begin serializable ro=0 def=1" },
	{ "BEGIN ISOLATION LEVEL REPEATABLE READ", "begin repeatable read" },
	{ "BEGIN ISOLATION LEVEL READ UNCOMMITTED", "begin read uncommitted" },
	{ "START", "unknown" },
	{ "BEGIN READ", "unknown" },
	{ "BEGIN READ ONLY,", "unknown" },
	{ "BEGIN foo", "unknown" },
	{ "\"begin\"", "unknown" },
	{ "COMMIT", "commit" },
	{ "END WORK AND CHAIN", "commit chain" },
	{ "COMMIT TRANSACTION AND NO CHAIN", "commit" },
	{ "COMMIT AND", "unknown" },
	{ "ROLLBACK", "rollback" },
	{ "ABORT AND CHAIN", "rollback chain" },
	{ "ROLLBACK TO sp", "rollback to name<sp>" },
	{ "ROLLBACK WORK TO SAVEPOINT \"S p\"", "rollback to name<\"S p\">" },
	{ "ROLLBACK TO savepoint", "rollback to name<savepoint>" },
	{ "ROLLBACK TO", "unknown" },
	{ "ABORT TO x", "unknown" },
	{ "SAVEPOINT a", "savepoint name<a>" },
	{ "RELEASE a", "release name<a>" },
	{ "RELEASE SAVEPOINT a", "release name<a>" },
	{ "RELEASE SAVEPOINT", "release name<SAVEPOINT>" },
	{ "PREPARE TRANSACTION 'x'", "prepare transaction" },
	{ "COMMIT PREPARED 'x'", "commit prepared no_block" },
	{ "ROLLBACK PREPARED 'x'", "rollback prepared no_block" },
	/* settings */
	{ "SET search_path TO a, \"B\", 'c d', \"select\"", "set search_path=a, \"B\", \"c d\", \"select\"" },
	{ "SET x = 'y'", "set x=y" },
	{ "set SESSION App.Name TO On", "set app.name=on" },
	{ "SET LOCAL x = 5", "set local x=5" },
	{ "SET x = -5", "set x=-5" },
	{ "SET x = + 007", "set x=7" },
	{ "SET x = -0", "set x=0" },
	{ "SET x = 2147483648", "set x=2147483648" },
	{ "SET x = 02147483648", "set x=02147483648" },
	{ "SET x = 1.50", "set x=1.50" },
	{ "SET x = 0x1F", "set x=?" },
	{ "SET x = 1_000", "set x=?" },
	{ "SET x TO DEFAULT", "set default x" },
	{ "SET x TO 'a', 'b'", "set x=a, b" },
	{ "SET x TO E'a\\tb'", "set x=a\tb" },
	{ "SET x TO 'it''s'", "set x=it's" },
	{ "SET x TO U&'a' UESCAPE '!'", "set x=?" },
	{ "SET x FROM CURRENT", "set x=?" },
	{ "SET x", "unknown" },
	{ "SET x =", "unknown" },
	{ "SET x = a b", "unknown" },
	{ "SET x = (1)", "unknown" },
	{ "SET", "unknown" },
	{ "SET session = 1", "set session=1" },
	{ "SET local TO 1", "set local=1" },
	{ "SET LOCAL session.x TO 1", "set local session.x=1" },
	{ "SET time = 1", "set time=1" },
	{ "SET \"TimeZone\" = UTC", "set timezone=utc" },
	{ "SET TIME ZONE 'Europe/Berlin'", "set timezone=Europe/Berlin" },
	{ "SET LOCAL TIME ZONE utc", "set local timezone=utc" },
	{ "SET TIME ZONE -7", "set timezone=-7" },
	{ "SET TIME ZONE LOCAL", "set default timezone" },
	{ "SET SESSION TIME ZONE DEFAULT", "set default timezone" },
	{ "SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE", "set timezone=?" },
	{ "SET TIME ZONE INTERVAL(2) '1'", "set timezone=?" },
	{ "SET NAMES 'utf8'", "set client_encoding=utf8" },
	{ "SET NAMES", "set default client_encoding" },
	{ "SET NAMES DEFAULT", "set default client_encoding" },
	{ "SET NAMES utf8", "unknown" },
	{ "SET SCHEMA 'Shop'", "set search_path=\"Shop\"" },
	{ "SET SEED TO 0.5", "set seed=0.5" },
	{ "SET ROLE anna", "set role=anna" },
	{ "SET LOCAL ROLE 'Anna'", "set local role=Anna" },
	{ "SET SESSION ROLE NONE", "set role=none" },
	{ "SET ROLE DEFAULT", "unknown" },
	{ "SET role = 'x'", "set role=x" },
	{ "SET SESSION AUTHORIZATION anna", "set session_authorization=anna" },
	{ "SET SESSION SESSION AUTHORIZATION 'x'", "set session_authorization=x" },
	{ "SET LOCAL SESSION AUTHORIZATION DEFAULT", "set local default session_authorization" },
	{ "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "set characteristics ro=1" },
	{ "SET SESSION CHARACTERISTICS AS TRANSACTION", "unknown" },
	{ "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "set transaction serializable" },
	{ "SET LOCAL TRANSACTION READ ONLY", "set transaction local ro=1" },
	{ "SET TRANSACTION SNAPSHOT '1-1'", "set transaction" },
	{ "SET transaction TO x", "set transaction=x" },
	{ "SET CONSTRAINTS ALL DEFERRED", "set constraints" },
	{ "SET CONSTRAINTS a.b, c IMMEDIATE; COMMIT", "set constraints | commit" },
	{ "SET XML OPTION DOCUMENT", "set xmloption=document" },
	{ "SET CATALOG 'x'", "unknown" },
	{ "RESET x", "reset x" },
	{ "RESET a.B", "reset a.b" },
	{ "RESET ALL", "reset all" },
	{ "RESET TIME ZONE", "reset timezone" },
	{ "RESET ROLE", "reset role" },
	{ "RESET SESSION AUTHORIZATION", "reset session_authorization" },
	{ "RESET TRANSACTION ISOLATION LEVEL", "reset transaction_isolation" },
	{ "RESET a b", "unknown" },
	{ "SHOW search_path", "show search_path" },
	{ "SHOW TIME ZONE", "show timezone" },
	{ "SHOW ALL", "show all" },
	/* prepared statements */
	{ "PREPARE p AS SELECT 1", "prepare/select name<p> body<SELECT 1>" },
	{ "PREPARE \"P q\" (int, numeric(3,2)) AS INSERT INTO t VALUES ($1) ; ",
	  "prepare/insert name<\"P q\"> body<INSERT INTO t VALUES ($1)>" },
	{ "PREPARE transaction AS SELECT 1", "prepare/select name<transaction> body<SELECT 1>" },
	{ "PREPARE p SELECT 1", "unknown" },
	{ "EXECUTE p", "execute executes name<p>" },
	{ "EXECUTE p (1, 'x;')", "execute executes name<p>" },
	{ "EXECUTE set_config(1)", "execute executes name<set_config>" },
	{ "EXECUTE p (set_config('a','b',true))", "execute executes set_config() name<p>" },
	{ "DEALLOCATE p", "deallocate name<p>" },
	{ "DEALLOCATE PREPARE p", "deallocate name<p>" },
	{ "DEALLOCATE PREPARE", "deallocate name<PREPARE>" },
	{ "DEALLOCATE ALL", "deallocate all" },
	{ "DEALLOCATE PREPARE ALL", "deallocate all" },
	{ "DEALLOCATE \"all\"", "deallocate name<\"all\">" },
	{ "DEALLOCATE", "unknown" },
	{ "EXPLAIN ANALYZE EXECUTE p(1)", "explain/execute analyze executes name<p> body<EXECUTE p(1)>" },
	{ "EXPLAIN (ANALYZE, BUFFERS) EXECUTE p", "explain/execute analyze executes name<p> body<EXECUTE p>" },
	{ "EXPLAIN (ANALYZE off) EXECUTE p", "explain/execute executes name<p> body<EXECUTE p>" },
	{ "EXPLAIN (SELECT 1)", "explain/select body<(SELECT 1)>" },
	{ "EXPLAIN SELECT 1", "explain/select body<SELECT 1>" },
	{ "EXPLAIN VERBOSE WITH a AS (DELETE FROM t RETURNING 1) SELECT 1",
	  "explain/select with modifies body<WITH a AS (DELETE FROM t RETURNING 1) SELECT 1>" },
	{ "CREATE TABLE t AS EXECUTE p(1) WITH NO DATA", "create/execute executes object=1 name<p>" },
	{ "CREATE TEMP TABLE IF NOT EXISTS t (a) ON COMMIT DROP AS EXECUTE p",
	  "create/execute temp executes object=1 name<p>" },
	{ "EXPLAIN ANALYZE CREATE TEMP TABLE t AS EXECUTE p",
	  "explain/create temp analyze executes object=1 name<p> body<CREATE TEMP TABLE t AS EXECUTE p>" },
	/* session state */
	{ "DISCARD ALL", "discard all no_block" },
	{ "DISCARD PLANS", "discard plans" },
	{ "DISCARD SEQUENCES", "discard sequences" },
	{ "DISCARD TEMP", "discard temp" },
	{ "DISCARD temporary", "discard temp" },
	{ "DISCARD x", "unknown" },
	{ "LISTEN ch", "listen name<ch>" },
	{ "LISTEN \"Ch\"", "listen name<\"Ch\">" },
	{ "UNLISTEN ch", "unlisten name<ch>" },
	{ "UNLISTEN *", "unlisten all" },
	{ "NOTIFY ch", "notify name<ch>" },
	{ "NOTIFY ch, 'it''s'", "notify name<ch> value<'it''s'>" },
	{ "NOTIFY ch, x", "unknown" },
	{ "LOAD 'x'", "load" },
	{ "DO $$ begin; end $$", "do" },
	{ "CALL p(1)", "call" },
	{ "LOCK TABLE t", "lock" },
	{ "DECLARE c CURSOR FOR SELECT 1", "declare/select name<c> body<SELECT 1>" },
	{ "DECLARE c NO SCROLL CURSOR WITH HOLD FOR VALUES (1)", "declare/values hold name<c> body<VALUES (1)>" },
	{ "DECLARE c BINARY INSENSITIVE CURSOR WITHOUT HOLD FOR SELECT 1", "declare/select name<c> body<SELECT 1>" },
	{ "CLOSE c", "close name<c>" },
	{ "CLOSE ALL", "close all" },
	{ "FETCH c", "fetch name<c>" },
	{ "FETCH FORWARD 5 FROM \"C\"", "fetch name<\"C\">" },
	{ "MOVE -3 IN c", "move name<c>" },
	{ "FETCH 5", "unknown" },
	/* COPY */
	{ "COPY t FROM STDIN", "copy in" },
	{ "COPY t (a, b) TO STDOUT WITH (FORMAT csv)", "copy out" },
	{ "COPY t FROM STDOUT", "copy in" },
	{ "COPY (SELECT a FROM stdin) TO STDOUT", "copy out" },
	{ "COPY t FROM '/x'", "copy" },
	{ "COPY t TO PROGRAM 'stdout'", "copy" },
	{ "copy binary t from stdin; select f()", "copy in | select plain" },
	/* definitions */
	{ "CREATE TABLE t (a int)", "create object=1" },
	{ "CREATE TABLE temp (a int)", "create object=1" },
	{ "CREATE TEMP TABLE t (a int)", "create temp object=1" },
	{ "CREATE LOCAL TEMPORARY TABLE t ()", "create temp object=1" },
	{ "CREATE GLOBAL TEMP SEQUENCE s", "create temp object=3" },
	{ "CREATE OR REPLACE TEMP RECURSIVE VIEW v AS SELECT 1", "create temp object=2" },
	{ "CREATE UNLOGGED TABLE t ()", "create object=1" },
	{ "CREATE TABLE pg_temp.t ()", "create temp object=1" },
	{ "CREATE TABLE IF NOT EXISTS \"pg_temp\" . t ()", "create temp object=1" },
	{ "CREATE FUNCTION pg_temp_3.f() RETURNS int LANGUAGE sql AS 'select 1; select 2'", "create temp" },
	{ "CREATE TABLE \"PG_TEMP\".t ()", "create object=1" },
	{ "CREATE TABLE t AS SELECT 1", "create object=1" },
	{ "CREATE INDEX CONCURRENTLY i ON t (a)", "create no_block" },
	{ "CREATE DATABASE d", "create no_block" },
	{ "DROP TABLE t", "drop object=1" },
	{ "DROP INDEX CONCURRENTLY i", "drop no_block" },
	{ "ALTER SYSTEM SET x = 1", "alter no_block" },
	{ "ALTER DATABASE d SET TABLESPACE s", "alter no_block" },
	{ "ALTER DATABASE d SET x = 1", "alter" },
	{ "ALTER TABLE t ADD a int", "alter object=1" },
	{ "TRUNCATE t", "truncate" },
	{ "REVOKE ALL ON t FROM u", "grant" },
	{ "COMMENT ON TABLE t IS 'x;y'", "define" },
	{ "VACUUM", "maintain no_block" },
	{ "ANALYZE t", "maintain" },
	{ "CLUSTER", "maintain no_block" },
	{ "CLUSTER t", "maintain" },
	{ "REINDEX (VERBOSE) DATABASE d", "maintain no_block" },
	{ "REINDEX TABLE CONCURRENTLY t", "maintain no_block" },
	{ "REINDEX TABLE t", "maintain" },
	/* queries */
	{ "SELECT 1", "select plain" },
	{ "SELECT", "select plain" },
	{ "VALUES (1), (2)", "values plain" },
	{ "TABLE t", "table plain" },
	{ "INSERT INTO t VALUES (1)", "insert" },
	{ "UPDATE t SET a = 1", "update" },
	{ "DELETE FROM t", "delete" },
	{ "MERGE INTO t USING s ON (true) WHEN MATCHED THEN DELETE", "merge" },
	{ "(SELECT 1) UNION (SELECT 2)", "select plain" },
	{ "((VALUES (1)))", "values plain" },
	{ "(1)", "unknown" },
	{ "SELECT 1 FOR UPDATE", "select" },
	{ "SELECT 1 FROM t FOR NO KEY UPDATE OF t", "select" },
	{ "SELECT 1 FROM (SELECT 1 FROM t FOR SHARE) x", "select" },
	{ "SELECT 1 FROM t FOR KEY SHARE", "select" },
	{ "SELECT 'for update', \"for\", substring(x for 3) FROM t", "select plain" },
	{ "SELECT 1 INTO t", "select" },
	{ "SELECT a, b, c FROM t INTO", "select" },
	{ "SELECT 1 INTO TEMP t", "select temp" },
	{ "SELECT 1 INTO LOCAL TEMPORARY TABLE t", "select temp" },
	{ "SELECT 1 INTO TABLE pg_temp.t", "select temp" },
	{ "SELECT 'into temp'", "select plain" },
	{ "INSERT INTO temp SELECT 1", "insert" },
	{ "WITH a AS (SELECT 1) SELECT 1", "select with plain" },
	{ "WITH RECURSIVE a(n) AS (SELECT 1), b AS MATERIALIZED (SELECT 2) INSERT INTO t SELECT 1", "insert with" },
	{ "WITH a AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM a", "select with modifies" },
	{ "WITH a AS (WITH b AS (SELECT 1) DELETE FROM t) SELECT 1", "select with modifies" },
	{ "WITH insert AS (SELECT 1) SELECT * FROM insert", "select with plain" },
	{ "WITH a AS (SELECT 1) SEARCH DEPTH FIRST BY x SET delete TABLE a", "table with plain" },
	{ "WITH a AS (SELECT 1) SELECT 1 INTO TEMP x", "select temp with" },
	{ "WITH a AS (SELECT 1)", "unknown" },
	{ "(WITH a AS (SELECT 1) SELECT 1)", "select with plain" },
	/* several */
	{ "", "" },
	{ " ", "empty" },
	{ "-- x", "empty" },
	{ "SELECT 1;", "select plain" },
	{ "SELECT 1; -- done", "select plain" },
	{ "SELECT 1;;", "select plain | empty" },
	{ ";", "empty" },
	{ "; ;SELECT 1", "empty | empty | select plain" },
	{ "SELECT 1; SELECT 2; ", "select plain | select plain" },
	{ "BEGIN; SET LOCAL x = 1; SELECT ';'; COMMIT", "begin | set local x=1 | select plain | commit" },
	{ "SELECT 1; SELECT 'x", "select plain | unknown" },
	{ "SELECT $$;$$; SELECT /* ; */ 2 -- ;", "select plain | select plain" },
	{ "foo; SELECT 1", "unknown | select plain" },
	{ "COMMIT x; SELECT 1", "unknown | select plain" },
	{ "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2); SELECT 3", "create | select plain" },
	{ "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END; SELECT 3",
	  "create | select plain" },
	{ "CREATE OR REPLACE PROCEDURE f(x int DEFAULT 1) BEGIN ATOMIC INSERT INTO t SELECT t.end, 1 AS case; END; SELECT 3",
	  "create | select plain" },
	{ "CREATE FUNCTION begin() RETURNS int RETURN 1; SELECT 3", "create | select plain" },
	{ "CREATE TABLE begin (a int); SELECT 3", "create object=1 | select plain" },
	{ "BEGIN; END; SELECT CASE WHEN a THEN 1 END; SELECT 1", "begin | commit | select plain | select plain" },
	/* functions */
	{ "SELECT set_config('a', 'b', false)", "select config set_config() session_config() name<'a'> value<'b'>" },
	{ "SELECT pg_catalog.SET_CONFIG('a', 'b', TRUE);", "select local config set_config() name<'a'> value<'b'>" },
	{ "SELECT set_config('a', 'b', true), 1", "select set_config()" },
	{ "SELECT set_config('a', f(1, 2), 't')", "select set_config()" },
	{ "SELECT set_config($1, $2, $3)", "select set_config() session_config()" },
	{ "SELECT set_config('a', 'b', true or false)", "select set_config() session_config()" },
	{ "SELECT other.set_config('a', 'b', false)", "select plain" },
	{ "SELECT \"set_config\"('a', 'b', false)", "select set_config() session_config()" },
	{ "SELECT \"SET_CONFIG\"('a', 'b', false)", "select plain" },
	{ "SELECT set_config /* x */ -- y\n ('a', 'b', false)",
	  "select config set_config() session_config() name<'a'> value<'b'>" },
	{ "SELECT U&\"set\\005fconfig\"('a', 'b', false)", "select set_config() session_config()" },
	{ "SELECT U&\"set!005fconfig\" UESCAPE '!' ('a', 'b', false)", "select hidden" },
	{ "SELECT 'set_config(', set_config FROM t", "select plain" },
	{ "SELECT 1; SELECT \"\"(2)", "select plain | select plain" },
	{ "SELECT $1set_config(1)", "select set_config() session_config()" },
	{ "SELECT pg_advisory_lock(1)", "select lock()" },
	{ "SELECT pg_try_advisory_lock_shared(1, 2)", "select lock()" },
	{ "SELECT pg_advisory_xact_lock(1)", "select plain" },
	{ "SELECT pg_advisory_unlock(1)", "select unlock()" },
	{ "SELECT pg_advisory_unlock_shared(1)", "select unlock()" },
	{ "SELECT pg_advisory_unlock_all()", "select unlock_all()" },
	{ "UPDATE t SET a = (SELECT pg_advisory_lock(1))", "update lock()" },
	{ "UPDATE pg_settings SET setting = '1'", "update set_config() session_config()" },
	{ "update only (PG_CATALOG . \"pg_settings\") s set setting = 1", "update set_config() session_config()" },
	{ "UPDATE db.pg_catalog.pg_settings SET a = 1", "update set_config() session_config()" },
	{ "UPDATE U&\"pg\\005fsettings\" SET a = 1", "update set_config() session_config()" },
	{ "UPDATE mine.pg_settings SET a = 1", "update" },
	{ "UPDATE pg_settings.t SET a = 1", "update" },
	{ "UPDATE t SET a = 1 FROM pg_settings", "update" },
	{ "UPDATE", "update" },
	{ "SELECT 1 FROM t FOR UPDATE OF pg_settings", "select" },
	{ "WITH a AS (UPDATE pg_settings SET setting = 1) SELECT 1",
	  "select with modifies set_config() session_config()" },
	{ "EXPLAIN ANALYZE UPDATE pg_settings SET setting = 1",
	  "explain/update analyze set_config() session_config() body<UPDATE pg_settings SET setting = 1>" },
	{ "SELECT setseed(0.5)", "select session_config()" },
	{ "SELECT pg_replication_origin_session_setup('o')", "select keeps()" },
	{ "SELECT pg_replication_origin_session_reset()", "select keeps()" },
	{ "SELECT pg_catalog.pg_backup_start('b')", "select keeps()" },
	{ "SELECT pg_create_physical_replication_slot('s')", "select plain" },
	{ "SELECT pg_create_logical_replication_slot('s', 'p')", "select plain" },
	{ "SELECT pg_create_logical_replication_slot('s', 'p', false, true)", "select plain" },
	{ "SELECT pg_create_logical_replication_slot('s', 'p', 'f')", "select plain" },
	{ "SELECT pg_create_logical_replication_slot('s', 'p', TRUE, true)", "select keeps()" },
	{ "SELECT pg_create_physical_replication_slot('s', f(a, b), $1)", "select keeps()" },
	{ "SELECT pg_create_physical_replication_slot('s', temporary => true)", "select keeps()" },
	{ "SELECT pg_copy_logical_replication_slot('s', 't', true)", "select keeps()" },
	{ "SELECT pg_copy_physical_replication_slot('s', 't')", "select plain" },
	{ "INSERT INTO pg_advisory_lock (a) VALUES (1)", "insert" },
	{ "SELECT pin_me(1)", "select user()" },
	{ "SELECT any.pin_me(1)", "select user()" },
	{ "SELECT app.\"Pin\"(1)", "select user()" },
	{ "SELECT other.\"Pin\"(1)", "select plain" },
	{ "SELECT \"Pin\"(1)", "select user()" },
	{ "SELECT Pin(1)", "select plain" },
	{ "CALL pin_me()", "call user()" },
	{ "COPY (SELECT pin_me(1)) TO STDOUT", "copy out user()" },
	{ "SELECT 1; SELECT pin_me(1); SELECT 2", "select plain | select user() | select plain" },
};

/* All that a text's statements are, and that their parts tile it. */
static void show_all(const char *what, const uint8_t *text, size_t len, unsigned mode, char *out, size_t cap)
{
	struct sql_reader r;
	struct sql_stmt st;
	size_t at = 0;
	out[0] = '\0';
	sql_read_init(&r, text, len, mode, &funcs, SQL_ASK_PLAIN);
	while (sql_read(&r, &st)) {
		if (at)
			add(out, cap, " | ");
		check_eq(what, st.part.at, at);
		check(what, st.part.len > 0 && st.part.len <= len - at);
		check(what, st.text.at >= st.part.at && st.text.at + st.text.len <= st.part.at + st.part.len);
		at += st.part.len;
		show(text, mode, &st, out, cap);
	}
	check_eq(what, at, len);
}

static void prepare(void)
{
	sql_funcs_init(&funcs);
	check("a name", sql_funcs_add(&funcs, "Pin_Me", SQL_CALL_USER));
	check("a name with a schema", sql_funcs_add(&funcs, "App.\"Pin\"", SQL_CALL_USER));
}

static void test_rows(void)
{
	prepare();
	for (size_t i = 0; i < COUNT(rows); i++) {
		char got[512];
		size_t len = strlen(rows[i].in);
		uint8_t *copy = copy_exact(rows[i].in, len);
		show_all(rows[i].in, copy, len, 0, got, sizeof got);
		check_str(rows[i].in, got, rows[i].want);
		free(copy);
	}
}

static void test_prefixes(void)
{
	prepare();
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t len = 0; len < strlen(rows[i].in); len++) {
			char got[512];
			uint8_t *copy = copy_exact(rows[i].in, len);
			show_all(rows[i].in, copy, len, 0, got, sizeof got);
			show_all(rows[i].in, copy, len, SQL_BACKSLASH | SQL_ASCII_TRAILS, got, sizeof got);
			free(copy);
		}
}

/* Where the statement stands in a text, in which case it is written, and what is not asked for changes nothing. */
static void test_placed(void)
{
	static const struct {
		const char *before, *after;
	} places[] = {
		{ "", ";" },
		{ " \n", "\n" },
		{ "-- c\n/* ; */", " -- c" },
		{ "SELECT f('a;', $$;$$);", "; SELECT f()" },
	};
	prepare();
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sql_reader r;
		struct sql_stmt alone, placed;
		sql_read_init(&r, rows[i].in, strlen(rows[i].in), 0, &funcs, 0);
		if (!sql_read(&r, &alone) || alone.kind == SQL_UNKNOWN || alone.kind == SQL_EMPTY ||
		    r.lex.at < r.lex.end)
			continue;
		for (size_t k = 0; k < COUNT(places); k++) {
			char text[600];
			int n = snprintf(text, sizeof text, "%s%s%s", places[k].before, rows[i].in, places[k].after);
			sql_read_init(&r, text, (size_t)n, 0, &funcs, 0);
			check(text, sql_read(&r, &placed));
			if (k == 3)
				check(text, placed.kind == SQL_SELECT && sql_read(&r, &placed));
			check_eq(text, placed.kind, alone.kind);
			check_eq(text, placed.inner, alone.inner);
			check_eq(text, placed.flags, alone.flags);
			check_eq(text, placed.calls, alone.calls);
			check_eq(text, placed.name.len, alone.name.len);
		}
	}
}

/* What stands before the statement that is asked for is not read once more: it could not be. */
static void test_walk(void)
{
	char text[] = "select ';'; ; /* e */; set a.x = 'y'; reset all;; -- c\nselect 2;";
	static const enum sql_kind kinds[] = { SQL_SELECT, SQL_SET, SQL_RESET, SQL_SELECT };
	struct sql_walk w = { .next = 0 };
	struct sql_stmt st;
	sql_read_init(&w.r, text, sizeof text - 1, 0, NULL, 0);
	for (unsigned i = 0; i < COUNT(kinds); i++) {
		check("there", sql_walk_to(&w, i, &st));
		check_eq("it", st.kind, kinds[i]);
		check("not again", !sql_walk_to(&w, i, &st));
		memset(text, '\'', st.part.at + st.part.len); /* an odd number, or an even one */
		text[0] = i % 2 ? '\'' : ' ';
	}
	check("no more", !sql_walk_to(&w, COUNT(kinds), &st));
	char other[] = "select 1; set a.x = 'y'; reset all";
	w = (struct sql_walk){ .next = 0 };
	sql_read_init(&w.r, other, sizeof other - 1, 0, NULL, 0);
	check("some are left out", sql_walk_to(&w, 2, &st) && st.kind == SQL_RESET);
	w = (struct sql_walk){ .next = 0 };
	sql_read_init(&w.r, other, sizeof other - 1, 0, NULL, 0);
	check("too many", !sql_walk_to(&w, 3, &st));
}

static void test_funcs(void)
{
	static const char *const bad[] = { "", "a.b.c", "a b", "1", "a.", ".a", "a()", "'a'", "\"\"", "a;" };
	struct sql_reader r;
	struct sql_stmt st;
	char name[32];

	sql_funcs_init(&funcs);
	for (size_t i = 0; i < COUNT(bad); i++)
		check(bad[i], !sql_funcs_add(&funcs, bad[i], SQL_CALL_USER));
	check_eq("a lock", sql_funcs_by_number(&funcs, 2880), SQL_CALL_LOCK);
	check_eq("of two numbers", sql_funcs_by_number(&funcs, 2889), SQL_CALL_LOCK);
	check_eq("all unlocked", sql_funcs_by_number(&funcs, 2892), SQL_CALL_UNLOCK_ALL);
	check_eq("set_config", sql_funcs_by_number(&funcs, 2078), SQL_CALL_SET_CONFIG);
	check_eq("abs", sql_funcs_by_number(&funcs, 1397), 0);
	check_eq("none", sql_funcs_by_number(&funcs, 0), 0);
	check_eq("somebody's, none is looked for", sql_funcs_by_number(&funcs, 16384), 0);
	unsigned n = 0;
	for (; n < 1000; n++) {
		(void)snprintf(name, sizeof name, "f%u", n);
		if (!sql_funcs_add(&funcs, name, (uint32_t)SQL_CALL_USER << n % 8))
			break;
	}
	check_eq("full", funcs.n, SQL_FUNCS_MAX);
	check_eq("somebody's", sql_funcs_by_number(&funcs, 16384), (uint32_t)SQL_CALL_USER * 0xff);
	check_eq("PostgreSQL's all the same", sql_funcs_by_number(&funcs, 1397), 0);
	for (unsigned i = 0; i <= n; i++) {
		(void)snprintf(name, sizeof name, "select F%u(1)", i);
		sql_read_init(&r, name, strlen(name), 0, &funcs, 0);
		check(name, sql_read(&r, &st));
		check_eq(name, st.calls, i < n ? SQL_CALL_USER << i % 8 : 0);
	}
	sql_read_init(&r, BYTES("select set_config('a', 'b', false)"), 0, NULL, 0);
	check("no set", sql_read(&r, &st) && st.calls == 0 && st.kind == SQL_SELECT);
}

/* Texts that are meant to take long, or to confuse. */
static void test_hostile(void)
{
	enum { SIZE = 1 << 20 };
	static const char *const patterns[] = { "(",       ";",           "$",           "'",           "\"(",
						"/*",      "set_config(", "a(",          "- ",          "+-",
						"$a",      "with a as (", "u&\"",        "set x to a,", "\"",
						"e'\\",    "--\n(",       "case ",       "'a'\n",       "; --\n",
						"f /**/(", "pg_temp.",    "create temp " };
	char *text = malloc(SIZE);
	prepare();
	for (size_t i = 0; i < COUNT(patterns); i++) {
		size_t n = strlen(patterns[i]);
		for (size_t at = 0; at < SIZE; at++)
			text[at] = patterns[i][at % n];
		for (int head = 0; head < 2; head++) {
			struct sql_reader r;
			struct sql_stmt st;
			size_t parts = 0, at = 0;
			memcpy(text, head ? "select " : "create ", 7);
			sql_read_init(&r, text, SIZE, 0, &funcs, SQL_ASK_PLAIN);
			while (sql_read(&r, &st)) {
				parts++;
				at += st.part.len;
			}
			check(patterns[i], parts > 0 && at == SIZE);
		}
	}
	free(text);
}

/* A buffer of any size suffices, or it is said. */
static void test_small_buffers(void)
{
	static const char text[] = "SET Search_Path TO a, \"B\"\"c\", 'd'";
	struct sql_reader r;
	struct sql_stmt st;
	sql_read_init(&r, BYTES(text), 0, NULL, 0);
	check("a statement", sql_read(&r, &st));
	for (size_t cap = 0; cap < 24; cap++) {
		char *out = (char *)copy_exact("xxxxxxxxxxxxxxxxxxxxxxxx", cap);
		int n = sql_setting_name(text, 0, &st, out, cap);
		check_eq("name", n, cap > 11 ? 11 : SQL_NOT_TOLD);
		if (n > 0)
			check_str("name", out, "search_path");
		n = sql_setting_value(text, 0, &st, out, cap);
		check_eq("value", n, cap > 12 ? 12 : SQL_NOT_TOLD);
		if (n > 0)
			check_str("value", out, "a, \"B\"\"c\", d");
		free(out);
	}
}

void suite_sql_classify(void)
{
	static const struct unit_test tests[] = {
		{ "statements", test_rows },
		{ "every prefix", test_prefixes },
		{ "wherever they stand", test_placed },
		{ "one after the other", test_walk },
		{ "functions", test_funcs },
		{ "hostile texts", test_hostile },
		{ "small buffers", test_small_buffers },
		{ NULL, NULL },
	};
	unit_add("sql/classify", tests);
}
