/* test_mysql_track.c - what statements do to a session of MySQL's: what pins, what ends it, what is replayed. */
#include "unit.h"

#include "mysql/track.h"
#include "session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line is a statement and its answer: words of
 *   err syntax none rows=N results=N id=N aff=N warn=N trx   as they mean
 *   changed                                      the server told that something has
 *   name=value                                   and of this setting ("schema", too)
 * and then what the session is: "id" where last_insert_id(x) has made it the server alone that knows it, its pins, "|",
 * its settings. A line whose text is NULL begins another session. */
enum { TELLS = 1, MARIA = 2 };
static const struct {
	unsigned server;
	const char *text, *answer, *want;
} script[] = {
	/* Nothing of ordinary traffic pins. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "select 1", "rows=1", "|" },
	{ TELLS, "insert into t values (1)", "aff=1 id=7", "|" },
	{ TELLS, "begin", "trx", "|" },
	{ TELLS, "update t set a=1", "aff=1 trx", "|" },
	{ TELLS, "commit", "", "|" },
	{ TELLS, "set names utf8mb4",
	  "changed character_set_client=utf8mb4 character_set_connection=utf8mb4 character_set_results=utf8mb4",
	  "|character_set_client=utf8mb4,character_set_connection=utf8mb4,character_set_results=utf8mb4" },
	{ TELLS, "call p()", "aff=1",
	  "|character_set_client=utf8mb4,character_set_connection=utf8mb4,character_set_results=utf8mb4" },
	/* Settings that the server tells. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "set time_zone='SYSTEM', sql_mode='ansi'", "changed time_zone=SYSTEM sql_mode=ANSI",
	  "|sql_mode=ANSI,time_zone=SYSTEM" },
	{ TELLS, "set names utf8mb4 collate utf8mb4_bin", "changed",
	  "|character_set_client=utf8mb4,character_set_connection=utf8mb4,"
	  "character_set_results=utf8mb4,collation of results=utf8mb4_bin,collation_connection=utf8mb4_bin,sql_mode=ANSI,time_zone=SYSTEM" },
	{ TELLS, "set character_set_connection=latin1", "changed character_set_connection=latin1",
	  "|character_set_client=utf8mb4,character_set_connection=latin1,character_set_results=utf8mb4,collation of results=utf8mb4_bin,sql_mode=ANSI,time_zone=SYSTEM" },
	{ TELLS, "use x", "changed schema=x",
	  "|character_set_client=utf8mb4,character_set_connection=latin1,character_set_results=utf8mb4,collation of results=utf8mb4_bin,schema=x,sql_mode=ANSI,time_zone=SYSTEM" },
	/* What is no setting that could be replayed. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "set timestamp=5", "changed timestamp=5.000000", "|timestamp=5.000000" },
	{ TELLS, "set timestamp=default", "changed timestamp=1700000000.5", "|" },
	{ TELLS, "set insert_id=5", "changed", "setting|" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "set last_insert_id=5", "changed", "|" },
	{ TELLS, "select last_insert_id(6)", "rows=1", "id|" },
	{ TELLS, "insert into t values (1)", "aff=1 id=7", "|" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "set session_track_system_variables=''", "changed", "setting|" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "set role x", "", "setting|" },
	/* MariaDB tells nothing of a SET that has GLOBAL at its end. */
	{ TELLS | MARIA, NULL, NULL, NULL },
	{ TELLS | MARIA, "set @@time_zone='+00:00', @@global.x=5", "", "|time_zone=+00:00" },
	{ TELLS | MARIA, "set sql_mode=concat(a), global x=5", "", "setting|time_zone=+00:00" },
	{ TELLS | MARIA, NULL, NULL, NULL },
	{ TELLS | MARIA, "set global x=5, time_zone='+00:00'", "", "|" },
	{ TELLS | MARIA, "set statement max_statement_time=5 for select 1",
	  "rows=1 changed max_statement_time=5.000000", "|" },
	{ TELLS | MARIA, "set statement max_statement_time=5 for select @x:=1",
	  "rows=1 changed max_statement_time=5.000000", "user_variable|" },
	/* Variables of the user's. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "set @x=1", "changed", "user_variable|" },
	{ TELLS, "set @x=null", "changed", "user_variable|" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "select 1 into @x", "aff=1", "user_variable|" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "select @x", "rows=1", "|" },
	/* Temporary tables. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "create temporary table t (a int)", "changed", "temporary|" },
	{ TELLS, "create temporary table `s`.u (a int)", "changed", "temporary|" },
	{ TELLS, "drop table t", "changed", "temporary|" },
	{ TELLS, "drop temporary table if exists x, s.u", "changed", "|" },
	{ TELLS, "create temporary table t (a int)", "changed", "temporary|" },
	{ TELLS, "use s", "changed schema=s", "temporary|schema=s" },
	{ TELLS, "drop temporary table t", "err", "temporary,warnings|schema=s" },
	{ TELLS, "alter table t rename u", "changed", "temporary|schema=s" },
	{ TELLS, "drop temporary table t", "changed", "temporary|schema=s" },
	/* Locks. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "select get_lock('A', 1)", "rows=1", "get_lock|" },
	{ TELLS, "select get_lock('a', 1)", "rows=1", "get_lock|" },
	{ TELLS, "do release_lock('a')", "", "get_lock|" },
	{ TELLS, "select release_lock('a')", "rows=1", "|" },
	{ TELLS, "select get_lock(a, 1) from t", "rows=1", "get_lock|" },
	{ TELLS, "select release_lock('a')", "rows=1", "get_lock|" },
	{ TELLS, "select release_all_locks()", "rows=1", "|" },
	{ TELLS, "select get_lock('a', 0)", "rows=1 none", "|" },
	{ TELLS, "lock tables a read", "", "lock_tables|" },
	{ TELLS, "unlock tables", "", "|" },
	{ TELLS, "flush tables with read lock", "", "read_lock|" },
	{ TELLS, "unlock tables", "", "|" },
	/* Prepared statements, handlers, XA. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "prepare a from 'select 1'", "changed", "prepared|" },
	{ TELLS, "prepare b from 'select 1'; prepare a from 'select 2'", "changed results=2", "prepared|" },
	{ TELLS, "execute a", "rows=1", "prepared|" },
	{ TELLS, "deallocate prepare a", "changed", "prepared|" },
	{ TELLS, "drop prepare b", "changed", "|" },
	{ TELLS, "prepare a from 'set @x=1'", "changed", "prepared,user_variable|" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "prepare a from @sql", "changed", "prepared,routine|" },
	{ TELLS, "deallocate prepare a", "changed", "routine|" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "handler t open as x", "", "handler|" },
	{ TELLS, "handler x read next", "rows=1", "handler|" },
	{ TELLS, "handler x close", "", "|" },
	{ TELLS, "xa start 'a'", "trx", "xa|" },
	{ TELLS, "xa end 'a'", "trx", "xa|" },
	{ TELLS, "xa prepare 'a'", "trx", "xa|" },
	{ TELLS, "xa commit 'a'", "", "|" },
	/* The next transaction's own characteristics. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "set transaction read only", "", "next_transaction|" },
	{ TELLS, "begin", "trx", "next_transaction|" },
	{ TELLS, "commit", "", "|" },
	{ TELLS, "set session transaction read only", "changed transaction_read_only=ON", "|transaction_read_only=ON" },
	/* What is asked for behind the statement alone. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "select sql_calc_found_rows * from t limit 1", "rows=1", "found_rows|" },
	{ TELLS, "select found_rows()", "rows=1", "|" },
	{ TELLS, "select 1/0", "rows=1 warn=1", "warnings|" },
	{ TELLS, "show warnings", "rows=1", "warnings|" },
	{ TELLS, "show warnings", "rows=1", "warnings|" },
	{ TELLS, "select 1", "rows=1", "|" },
	{ TELLS, "selec", "err", "warnings|" },
	{ TELLS, "select 1", "rows=1", "|" },
	/* What routines do. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "call p()", "changed", "routine|" },
	{ TELLS, "select 1", "rows=1", "routine|" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "select f()", "rows=1 changed", "routine|" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "call p()", "changed time_zone=SYSTEM", "routine|time_zone=SYSTEM" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "call p()", "err", "warnings,routine|" },
	{ TELLS, "select 1", "rows=1", "|" },
	{ TELLS, "call p()", "err", "warnings,routine|" },
	{ TELLS, "select 1", "rows=1 changed", "routine|" },
	{ TELLS, "select 1", "rows=1", "routine|" },
	{ TELLS | MARIA, NULL, NULL, NULL },
	{ TELLS | MARIA, "call p()", "err", "warnings,routine|" },
	{ TELLS | MARIA, "select 1", "rows=1", "routine|" },
	{ TELLS | MARIA, NULL, NULL, NULL },
	{ TELLS | MARIA, "begin not atomic select 1; end", "", "routine|" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "call p(@x)", "", "user_variable|" },
	/* Of several statements those that were run. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "select 1; set @x=1; lock tables a read", "err results=1", "warnings|" },
	{ TELLS, "select 1; set @x=1; lock tables a read", "err results=2", "user_variable,warnings|" },
	{ TELLS, "select 1; set @x=1; lock tables a read", "results=3", "user_variable,lock_tables|" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "call p(); lock tables a read", "err results=1", "lock_tables,warnings,routine|" },
	/* A routine that fails takes nothing back of what the one before did. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "call p()", "changed", "routine|" },
	{ TELLS, "call p()", "err", "warnings,routine|" },
	{ TELLS, "select 1", "rows=1", "routine|" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "call p()", "err", "warnings,routine|" },
	{ TELLS, "call p()", "err", "warnings,routine|" },
	{ TELLS, "select 1", "rows=1", "|" },
	/* Locks for backups end apart from others. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "lock tables t write; lock instance for backup; unlock instance", "results=3", "lock_tables|" },
	{ TELLS, "lock instance for backup", "", "lock_tables,backup_lock|" },
	{ TELLS, "unlock tables", "", "backup_lock|" },
	{ TELLS, "unlock instance", "", "|" },
	{ TELLS, "flush tables with read lock", "", "read_lock|" },
	{ TELLS, "lock instance for backup; unlock instance", "results=2", "read_lock|" },
	{ TELLS | MARIA, NULL, NULL, NULL },
	{ TELLS | MARIA, "backup stage start", "", "backup_lock|" },
	{ TELLS | MARIA, "unlock tables", "", "backup_lock|" },
	{ TELLS | MARIA, "backup lock t; backup unlock", "results=2", "backup_lock|" },
	{ TELLS | MARIA, "backup stage end", "", "|" },
	{ TELLS | MARIA, "flush tables with read lock; backup lock t; backup unlock", "results=3", "read_lock|" },
	/* What SET @@ means of the next transaction alone. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "set @@transaction_isolation='serializable'", "", "next_transaction|" },
	{ TELLS, "begin", "trx", "next_transaction|" },
	{ TELLS, "commit", "", "|" },
	{ TELLS, "set @@`transaction_read_only`=1, @@sql_mode=''", "changed sql_mode=", "next_transaction|sql_mode=" },
	{ TELLS | MARIA, NULL, NULL, NULL },
	{ TELLS | MARIA, "set @@tx_isolation='serializable'", "", "next_transaction|" },
	{ TELLS | MARIA, "commit", "", "next_transaction|" },
	{ TELLS | MARIA, NULL, NULL, NULL },
	{ TELLS | MARIA, "set @@session.tx_read_only=1", "changed tx_read_only=ON", "|tx_read_only=ON" },
	{ TELLS | MARIA, "set tx_read_only=0", "changed tx_read_only=OFF", "|tx_read_only=OFF" },
	/* A statement that fails has run so far. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "select get_lock('a', 1), (select 1 union select 2)", "err", "get_lock,warnings|" },
	{ TELLS, "select release_all_locks()", "rows=1", "|" },
	{ TELLS, "select get_lock('a', 1)", "err", "get_lock,warnings|" },
	{ TELLS, "select release_lock('a')", "rows=1", "|" },
	{ TELLS, "select 1; select @x:=a from t; select get_lock('b', 1)", "err results=1", "user_variable,warnings|" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "select get_lock('a', 1) from", "err syntax", "warnings|" },
	{ TELLS, "set @x=1, @y=(select 1 union select 2)", "err", "warnings|" },
	{ TELLS, "set role x", "err", "warnings|" },
	/* What a SET STATEMENT sets is not set behind it; what was before it in the same text, nobody knows. */
	{ TELLS | MARIA, NULL, NULL, NULL },
	{ TELLS | MARIA, "set sql_mode='ANSI'", "changed sql_mode=ANSI", "|sql_mode=ANSI" },
	{ TELLS | MARIA, "set statement sql_mode='', time_zone='+01:00' for call p()",
	  "changed sql_mode= time_zone=+01:00 lc_messages=de_DE", "routine|lc_messages=de_DE,sql_mode=ANSI" },
	{ TELLS | MARIA, NULL, NULL, NULL },
	{ TELLS | MARIA, "set sql_mode='ANSI'; set statement max_statement_time=1 for select 1",
	  "results=2 changed sql_mode=ANSI max_statement_time=1.000000", "setting|sql_mode=ANSI" },
	/* What the server is to tell its client is a setting. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "set session_track_gtids='own_gtid'", "changed session_track_gtids=OWN_GTID",
	  "|session_track_gtids=OWN_GTID" },
	/* LAST_INSERT_ID(x), where the answer does not tell x. */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "update t set a=last_insert_id(a+1)", "aff=1 id=5", "|" },
	{ TELLS, "insert into t values (1) on duplicate key update a=last_insert_id(a)", "aff=1 id=5", "|" },
	{ TELLS, "do last_insert_id(5)", "", "id|" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "delete from t where last_insert_id(a)", "aff=1", "id|" },
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "select last_insert_id(5), (select 1 union select 2)", "err", "id,warnings|" },
	/* WHERE a IS NULL may mean LAST_INSERT_ID(). */
	{ TELLS, NULL, NULL, NULL },
	{ TELLS, "set sql_auto_is_null=0", "changed sql_auto_is_null=OFF", "|sql_auto_is_null=OFF" },
	{ TELLS, "set sql_auto_is_null=1", "changed sql_auto_is_null=ON", "setting|sql_auto_is_null=ON" },
	{ 0, NULL, NULL, NULL },
	{ 0, "set sql_auto_is_null=1", "", "setting|sql_auto_is_null=1" },
	/* Servers that tell nothing. */
	{ 0, NULL, NULL, NULL },
	{ 0, "set time_zone='SYSTEM', sql_mode=\"ansi\", autocommit=0", "",
	  "|autocommit=0,sql_mode=ansi,time_zone=SYSTEM" },
	{ 0, "set session time_zone=default, `autocommit`=on", "", "|autocommit=on,sql_mode=ansi" },
	{ 0, "use `a b`", "", "|autocommit=on,schema=a b,sql_mode=ansi" },
	{ 0, "set names utf8", "",
	  "|autocommit=on,character_set_client=utf8,character_set_connection=utf8,character_set_results=utf8,schema=a b,sql_mode=ansi" },
	{ 0, NULL, NULL, NULL },
	{ 0, "set session transaction isolation level read committed, read only", "",
	  "|tx_isolation=READ-COMMITTED,tx_read_only=ON" },
	{ 0, "set sql_mode=concat(@@sql_mode, ',ansi')", "", "setting|tx_isolation=READ-COMMITTED,tx_read_only=ON" },
	{ 0, NULL, NULL, NULL },
	{ 0, "call p()", "", "routine|" },
	{ 0, NULL, NULL, NULL },
	{ 0, "set character set utf8", "", "setting|" },
	{ 0, NULL, NULL, NULL },
	{ 0, "set names default", "", "setting|" },
};

static void forget(struct mysql_track *t, const struct varset **vars)
{
	mysql_track_free(t);
	varset_put(*vars);
	*vars = varset_empty();
}

static unsigned mode_of(unsigned server, const struct varset *vars)
{
	bool maria = server & MARIA;
	return mysql_track_mode(vars, maria, maria ? 101119 : server & TELLS ? 90704 : 50651);
}

/* The answer as the words say; settings are told at once. */
static void answer(const char *words, struct mysql_told *told, const struct varset **vars)
{
	char copy[512], *at = copy, *word;
	snprintf(copy, sizeof copy, "%s", words);
	while ((word = strsep(&at, " "))) {
		char *value = strchr(word, '=');
		unsigned long n = value ? strtoul(value + 1, NULL, 10) : 0;
		if (value)
			*value++ = '\0';
		if (strcmp(word, "err") == 0) {
			told->is_failed = true;
			told->results = 0;
		} else if (strcmp(word, "syntax") == 0) {
			told->never_ran = true;
		} else if (strcmp(word, "none") == 0) {
			told->has_no_lock = true;
		} else if (strcmp(word, "rows") == 0) {
			told->had_rows = told->any_rows = true;
			told->rows = n;
		} else if (strcmp(word, "results") == 0) {
			told->results = (unsigned)n;
		} else if (strcmp(word, "id") == 0) {
			told->insert_id = n;
		} else if (strcmp(word, "aff") == 0) {
			told->affected = n;
		} else if (strcmp(word, "warn") == 0) {
			told->warnings = (uint16_t)n;
		} else if (strcmp(word, "trx") == 0) {
			told->in_xact = true;
		} else if (strcmp(word, "changed") == 0) {
			told->changed = true;
		} else if (value) {
			told->settings |= strcmp(word, MYSQL_SCHEMA) != 0;
			check(word, varset_set(vars, word, value, strlen(value)));
		}
	}
}

static void show(const struct mysql_track *t, const struct varset *vars, bool shows_id, char *out, size_t cap)
{
	bool shown = shows_id && t->hides_id;
	size_t n = (size_t)snprintf(out, cap, "%s%s", shown ? "id" : "", shown && t->pins ? "," : "");
	session_pins_text(t->pins, out + n, cap - n);
	n = strlen(out);
	n += (size_t)snprintf(out + n, cap - n, "|");
	for (uint32_t i = 0; i < vars->count; i++)
		n += (size_t)snprintf(out + n, cap - n, "%s%s=%s", i ? "," : "", vars->at[i].name->s,
				      vars->at[i].value->s);
}

static void test_script(void)
{
	struct mysql_track t = { 0 };
	const struct varset *vars = varset_empty();
	for (size_t i = 0; i < COUNT(script); i++) {
		char what[400], out[600];
		const char *text = script[i].text;
		if (!text) {
			forget(&t, &vars);
			continue;
		}
		const struct varset *before = varset_ref(vars);
		struct mysql_told told = { .has_tracking = script[i].server & TELLS,
					   .is_mariadb = script[i].server & MARIA,
					   .results = 1,
					   .before = before };
		unsigned mode = mode_of(script[i].server, vars);
		struct mysql_look look = mysql_track_look(text, strlen(text), mode);
		answer(script[i].answer, &told, &vars);
		check(text, mysql_track_done(&t, &vars, look.changes ? text : NULL, strlen(text), mode, &told));
		show(&t, vars, strstr(text, "last_insert_id(") != NULL, out, sizeof out);
		snprintf(what, sizeof what, "line %zu: %s", i, text);
		check_str(what, out, script[i].want);
		varset_put(before);
	}
	forget(&t, &vars);
	varset_put(vars);
}

static void test_look(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "select 1", "" },
		{ "insert into t values (1); select last_insert_id()", "" },
		{ "select last_insert_id()", "asks" },
		{ "select found_rows(), row_count()", "asks" },
		{ "select @@warning_count", "asks" },
		{ "show warnings", "diagnostics changes" },
		{ "select connection_id()", "id" },
		{ "create view v as select connection_id()", "" },
		{ "kill 17", "" },
		{ "commit release", "changes pins" },
		{ "rollback and chain no release", "" },
		{ "set @x=1", "changes pins" },
		{ "set time_zone='SYSTEM'", "changes" },
		{ "call p()", "changes" },
		{ "begin", "" },
		{ "select get_lock('a', 0) as l", "changes pins" },
		{ "select get_lock('a', 0) from t", "changes pins" },
		{ "do get_lock('a', 0)", "changes pins" },
		{ "select get_lock('a', 0); select 1", "changes pins" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char out[100];
		struct mysql_look k = mysql_track_look(rows[i].text, strlen(rows[i].text), MY_MODE(0, 90704));
		snprintf(out, sizeof out, "%s%s%s%s%s", k.asks ? " asks" : "", k.diagnostics ? " diagnostics" : "",
			 k.wants_id ? " id" : "", k.changes ? " changes" : "", k.pins ? " pins" : "");
		check_eq(rows[i].text, k.tries_lock, strcmp(rows[i].text, "select get_lock('a', 0) as l") == 0);
		check_str(rows[i].text, *out ? out + 1 : out, rows[i].want);
	}
}

#define ID   "IF(0,CONNECTION_ID(),CAST(77 AS UNSIGNED))"
#define LAST "IF(0,LAST_INSERT_ID(),CAST(9 AS UNSIGNED))"
#define ALL  (MY_CALL_FOUND_ROWS | MY_CALL_ROW_COUNT | MY_CALL_LAST_INSERT_ID)

static void test_rewrite(void)
{
	static const struct {
		uint32_t known;
		const char *text, *want;
	} rows[] = {
		{ ALL, "select 1", "select 1" },
		{ 0, "select connection_id()", "select " ID " AS `connection_id()`" },
		{ 0, "select CONNECTION_ID ( ) + 1 as x, 2", "select " ID " + 1 as x, 2" },
		{ 0, "select connection_id() as id", "select " ID " as id" },
		/* The server's own, whose number it is that it compares with. */
		{ ALL, "kill connection_id()", "kill connection_id()" },
		{ ALL, "select found_rows(), row_count() from t;",
		  "select IF(0,FOUND_ROWS(),12) AS `found_rows()`, IF(0,ROW_COUNT(),-1) AS `row_count()` from t;" },
		{ 0, "select found_rows()", "select found_rows()" },
		{ ALL, "insert into t values (connection_id()); select row_count()",
		  "insert into t values (" ID "); select row_count()" },
		{ ALL, "select last_insert_id(), last_insert_id(5)",
		  "select " LAST " AS `last_insert_id()`, last_insert_id(5)" },
		{ ALL, "begin; insert into t values (last_insert_id()); select last_insert_id()",
		  "begin; insert into t values (" LAST "); select last_insert_id()" },
		{ ALL, "begin; select row_count()", "begin; select row_count()" },
		{ ALL, "select row_count() where row_count() > 0",
		  "select IF(0,ROW_COUNT(),-1) where IF(0,ROW_COUNT(),-1) > 0" },
		/* For others, who have another number. */
		{ ALL, "create view v as select connection_id(), found_rows()",
		  "create view v as select connection_id(), found_rows()" },
		{ ALL, "create procedure p() select connection_id()", "create procedure p() select connection_id()" },
		{ ALL, "select connection_id()+connection_id()+connection_id()+connection_id()+connection_id()", NULL },
	};
	struct mysql_track t = { .row_count = -1, .found = 12, .insert_id = 9 };
	for (size_t i = 0; i < COUNT(rows); i++) {
		char out[400];
		int n = mysql_track_rewrite(&t, rows[i].text, strlen(rows[i].text), MY_MODE(0, 90704), 77,
					    rows[i].known, out, sizeof out);
		check_eq(rows[i].text, n, rows[i].want ? (int)strlen(rows[i].want) : -1);
		if (n >= 0 && rows[i].want)
			check_mem(rows[i].text, out, rows[i].want, strlen(rows[i].want));
		for (size_t cap = 0; n > 0 && cap < (size_t)n; cap++) {
			char *tight = malloc(cap ? cap : 1);
			check_eq("too little room",
				 mysql_track_rewrite(&t, rows[i].text, strlen(rows[i].text), MY_MODE(0, 90704), 77,
						     rows[i].known, tight, cap),
				 -1);
			free(tight);
		}
	}
}

static void test_last(void)
{
	struct mysql_track t = { 0 };
	const struct varset *vars = varset_empty();
	struct mysql_told told = { .has_tracking = true, .results = 1, .affected = 3, .insert_id = 9 };
	check("insert", mysql_track_done(&t, &vars, NULL, 0, 0, &told));
	check_eq("its id", t.insert_id, 9);
	check_eq("its rows", t.row_count, 3);
	told = (struct mysql_told){ .has_tracking = true, .results = 1, .had_rows = true, .any_rows = true, .rows = 5 };
	check("select", mysql_track_done(&t, &vars, NULL, 0, 0, &told));
	check_eq("the id is kept", t.insert_id, 9);
	check_eq("rows found", t.found, 5);
	check_eq("no row was changed", t.row_count, -1);
	told = (struct mysql_told){ .has_tracking = true, .is_failed = true };
	check("an error", mysql_track_done(&t, &vars, NULL, 0, 0, &told));
	check_eq("the id is kept", t.insert_id, 9);
	check_eq("rows found", t.found, 5);
	varset_put(vars);
}

static void test_version(void)
{
	check_eq("MySQL", mysql_track_version("8.0.45-0ubuntu1"), 80045);
	check_eq("MySQL 9", mysql_track_version("9.7.4-2"), 90704);
	check_eq("5.6", mysql_track_version("5.6.51"), 50651);
	check_eq("MariaDB", mysql_track_version("5.5.5-10.11.19-MariaDB-0+deb12u1"), 101119);
	check_eq("MariaDB 11", mysql_track_version("11.4.2-MariaDB"), 110402);
	check_eq("two parts", mysql_track_version("8.0"), 80000);
	check_eq("one part", mysql_track_version("8"), 0);
	check_eq("none", mysql_track_version("x"), 0);
}

/* Bounded, whatever a client does. */
static void test_many(void)
{
	struct mysql_track t = { 0 };
	const struct varset *vars = varset_empty();
	struct mysql_told told = { .has_tracking = true, .results = 1, .before = vars };
	char text[100];
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof text, "create temporary table t%d (a int)", i);
		check(text, mysql_track_done(&t, &vars, text, strlen(text), MY_MODE(0, 90704), &told));
	}
	check("held", t.nheld < 100);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof text, "drop table t%d", i);
		check(text, mysql_track_done(&t, &vars, text, strlen(text), MY_MODE(0, 90704), &told));
	}
	check("some may be left", t.pins & PIN_TEMP);
	forget(&t, &vars);
	varset_put(vars);
}

void suite_mysql_track(void)
{
	static const struct unit_test tests[] = {
		{ "script", test_script },
		{ "look", test_look },
		{ "rewrite", test_rewrite },
		{ "last", test_last },
		{ "version", test_version },
		{ "many", test_many },
		{ NULL, NULL },
	};
	unit_add("mysql_track", tests);
}
