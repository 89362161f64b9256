/* test_mysql_classify.c - what MySQL's and MariaDB's statements are. */
#include "unit.h"

#include "sql/mysql_classify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MY8   MY_MODE(0, 80045)
#define MARIA MY_MODE(MY_MARIADB, 101119)

static struct sql_funcs funcs;

static size_t put(char *out, size_t cap, size_t n, const char *s, size_t len)
{
	return n < cap ? n + (size_t)snprintf(out + n, cap - n, "%.*s", (int)len, s) : n;
}

static const char *const flag_names[] = { "chain",   "release", "session", "global",   "temp",     "writes", "calc",
					  "local",   "diag",    "procs",   "readlock", "opens",    "ends",   "query",
					  "analyze", "alone",   "hidden",  "tables",   "instance", "stage" };
static const char *const call_names[] = { "get_lock",      "release_lock", "release_all", "found_rows",
					  "row_count",     "last_id",      "set_id",      "conn_id",
					  "warning_count", "last_value",   "next_value",  "user" };

/* "kind(inner) flag flag calls [name] {body}; ..." */
static void show(char *out, size_t cap, const char *in, size_t len, unsigned mode)
{
	struct my_reader r;
	struct my_stmt st;
	size_t n = 0, at = 0;
	out[0] = '\0';
	my_read_init(&r, in, len, mode, &funcs);
	while (my_read(&r, &st)) {
		check("parts tile the text", st.part.at == at && st.part.len > 0);
		at += st.part.len;
		if (n)
			n = put(out, cap, n, "; ", 2);
		const char *kind = my_kind_name(st.kind);
		n = put(out, cap, n, kind, strlen(kind));
		if (st.inner != MY_UNKNOWN) {
			n = put(out, cap, n, "(", 1);
			n = put(out, cap, n, my_kind_name(st.inner), strlen(my_kind_name(st.inner)));
			n = put(out, cap, n, ")", 1);
		}
		for (unsigned i = 0; i < COUNT(flag_names); i++)
			if (st.flags & 1u << i) {
				n = put(out, cap, n, " ", 1);
				n = put(out, cap, n, flag_names[i], strlen(flag_names[i]));
			}
		for (unsigned i = 0; i < COUNT(call_names); i++)
			if (st.calls & 1u << i) {
				n = put(out, cap, n, " ", 1);
				n = put(out, cap, n, call_names[i], strlen(call_names[i]));
			}
		if (st.modes.isolation) {
			n = put(out, cap, n, " ", 1);
			const char *isolation = sql_isolation_name((enum sql_isolation)st.modes.isolation);
			n = put(out, cap, n, isolation, strlen(isolation));
		}
		if (st.modes.read_only)
			n = put(out, cap, n, st.modes.read_only == SQL_YES ? " ro" : " rw", 3);
		if (st.name.len) {
			n = put(out, cap, n, " [", 2);
			n = put(out, cap, n, in + st.name.at, st.name.len);
			n = put(out, cap, n, "]", 1);
		}
		if (st.body.len) {
			n = put(out, cap, n, " {", 2);
			n = put(out, cap, n, in + st.body.at, st.body.len);
			n = put(out, cap, n, "}", 1);
		}
		for (unsigned i = 0; i < st.ncalls && i < MY_CALLS_MAX; i++) {
			n = put(out, cap, n, st.at_call[i].is_column ? " <<" : " <", st.at_call[i].is_column ? 3 : 2);
			n = put(out, cap, n, in + st.at_call[i].span.at, st.at_call[i].span.len);
			n = put(out, cap, n, ">", 1);
		}
	}
	check_eq("all of it", at, len);
}

static const struct {
	unsigned mode;
	const char *in, *want;
} rows[] = {
	{ MY8, "", "" },
	{ MY8, "-- x", "empty" },
	{ MY8, "select 1", "select" },
	{ MY8, "select 1;", "select" },
	{ MY8, "select 1; select 2", "select; select" },
	{ MY8, "select ';' ; update t set a = 'x;y'; -- z", "select; update" },
	{ MY8, "(select 1) union select 2", "select" },
	{ MY8, "with x as (select 1) select * from x", "select" },
	{ MY8, "with x as (select 1), y(a) as (select 2) update t set a=1", "update" },
	{ MY8, "with x", "unknown hidden" },
	{ MY8, "selec 1; set @x=1", "unknown hidden" },
	{ MY8, "select 'a; set @x=1", "unknown hidden" },
	{ MY8, "values row(1,2)", "values" },
	{ MY8, "table t", "table" },
	{ MY8, "insert into t values (1)", "insert" },
	{ MY8, "replace t set a=1", "replace" },
	/* Transactions. */
	{ MY8, "begin", "begin" },
	{ MY8, "begin work", "begin" },
	{ MY8, "START TRANSACTION", "begin" },
	{ MY8, "start transaction with consistent snapshot, read only", "begin ro" },
	{ MY8, "start transaction read write", "begin rw" },
	{ MY8, "start slave", "admin" },
	{ MY8, "commit", "commit" },
	{ MY8, "commit work and chain", "commit chain" },
	{ MY8, "commit and no chain release", "commit release" },
	{ MY8, "commit no release", "commit" },
	{ MY8, "rollback and chain", "rollback chain" },
	{ MY8, "rollback release", "rollback release" },
	{ MY8, "rollback to a", "rollback to [a]" },
	{ MY8, "rollback work to savepoint `a b`", "rollback to [`a b`]" },
	{ MY8, "savepoint a", "savepoint [a]" },
	{ MY8, "release savepoint a", "release savepoint [a]" },
	{ MY8, "xa start 'x'", "xa opens" },
	{ MY8, "xa begin 'x'", "xa opens" },
	{ MY8, "xa prepare 'x'", "xa" },
	{ MY8, "xa commit 'x' one phase", "xa ends" },
	/* SET. */
	{ MY8, "set time_zone='+00:00'", "set" },
	{ MY8, "set @x = 1", "set" },
	{ MY8, "set @x = @y := 1", "set writes" },
	{ MY8, "set names utf8mb4", "set" },
	{ MY8, "set transaction read only", "set transaction ro" },
	{ MY8, "set session transaction isolation level repeatable read, read write",
	  "set transaction session repeatable read rw" },
	{ MY8, "set global transaction isolation level serializable", "set transaction global serializable" },
	{ MY8, "set local transaction isolation level read committed", "set transaction session read committed" },
	{ MY8, "set transaction_isolation='READ-COMMITTED'", "set" },
	{ MY8, "set password = 'x'", "set" },
	{ MY8, "set password for x = 'x'", "set password" },
	{ MY8, "set role all except x", "set role" },
	{ MY8, "set default role x to y", "grant" },
	{ MY8, "set resource group x", "set resource group" },
	{ MARIA, "set statement max_statement_time=1, sort_buffer_size=100 for select get_lock('a', 1)",
	  "set statement(select) get_lock {select get_lock('a', 1)}" },
	{ MARIA, "set statement max_statement_time=1 for call p(@x)", "set statement(call) writes {call p(@x)}" },
	{ MARIA, "set statement x=1", "unknown hidden" },
	{ MY8, "use `a b`", "use [`a b`]" },
	{ MY8, "/*!40101 SET NAMES utf8 */;", "set" },
	{ MY8, "/*!40014 SET @OLD=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;", "set" },
	/* Variables of the user's. */
	{ MY8, "select @x", "select" },
	{ MY8, "select @x := 5", "select writes" },
	{ MY8, "select @x = 5", "select" },
	{ MY8, "select 1, 2 into @a, @b", "select writes" },
	{ MY8, "select 1 into @a from t where b = @c", "select writes" },
	{ MY8, "select a into outfile 'x' from t", "select" },
	{ MY8, "select 'a@b.c'", "select" },
	{ MY8, "show grants for a@b", "show" },
	{ MY8, "update t set a = @x := @x + 1", "update writes" },
	{ MY8, "call p(1, @x)", "call writes" },
	{ MY8, "call p(1)", "call" },
	{ MY8, "load data infile 'x' into table t (a, @b) set c = @b", "load writes" },
	{ MY8, "load data local infile 'x' into table t", "load local" },
	{ MY8, "load data low_priority local infile 'x' into table t", "load local" },
	{ MY8, "get diagnostics @a = number", "get diagnostics writes diag" },
	/* Functions. */
	{ MY8, "select get_lock('a', 10)", "select alone get_lock ['a']" },
	{ MY8, "SELECT GET_LOCK ('a', -1) AS l;", "select alone get_lock ['a']" },
	{ MY8, "do release_lock(\"a\")", "do alone release_lock [\"a\"]" },
	{ MY8, "select release_all_locks()", "select alone release_all" },
	{ MY8, "select service_get_write_locks('n', 'a', 10)", "select user" },
	{ MY8, "select version_tokens_lock_shared('a', 10)", "select user" },
	{ MY8, "select get_lock(concat('a', id), 10) from t", "select get_lock" },
	{ MY8, "select get_lock('a', 10) from t", "select get_lock" },
	{ MY8, "select get_lock('a', 1), get_lock('b', 1)", "select get_lock" },
	{ MY8, "select `get_lock`('a', 1)", "select get_lock" },
	{ MY8, "select x.get_lock('a', 1)", "select" },
	{ MY8, "select get_lock/* x */('a', 1)", "select alone get_lock ['a']" },
	{ MY8, "select 1 where get_lock -- x\n('a', 1)", "select get_lock" },
	{ MY8, "select found_rows()", "select found_rows <<found_rows()>" },
	{ MY8, "select FOUND_ROWS ( ) as n", "select found_rows <FOUND_ROWS ( )>" },
	{ MY8, "select sql_calc_found_rows * from t limit 1", "select calc" },
	{ MY8, "select distinct SQL_CALC_FOUND_ROWS a from t", "select calc" },
	{ MY8, "insert into t values (1); select row_count(), last_insert_id()",
	  "insert; select row_count last_id <<row_count()> <<last_insert_id()>" },
	{ MY8, "select last_insert_id(5)", "select set_id" },
	{ MY8, "update c set id = last_insert_id(id + 1)", "update set_id" },
	{ MY8, "select @@identity, @@session.last_insert_id", "select last_id" },
	{ MY8, "select @@warning_count", "select warning_count" },
	{ MY8, "select @@local.error_count", "select warning_count" },
	{ MY8, "kill connection_id()", "kill conn_id <connection_id()>" },
	{ MY8, "select connection_id() = 1, connection_id() from t",
	  "select conn_id <connection_id()> <<connection_id()>" },
	{ MY8, "select connection_id()+connection_id()+connection_id()+connection_id()+connection_id()",
	  "select conn_id <connection_id()> <connection_id()> <connection_id()> <connection_id()>" },
	{ MY8, "select f(1)", "select user" },
	{ MY8, "select s.g(1), g(2)", "select user" },
	{ MY8, "select t.g(2)", "select" },
	/* Prepared statements, locks, handlers. */
	{ MY8, "prepare s from 'select 1'", "prepare [s] {'select 1'}" },
	{ MY8, "prepare s from @x", "prepare hidden [s]" },
	{ MARIA, "prepare s from concat('a', 'b')", "prepare hidden [s]" },
	{ MY8, "execute s using @a, @b", "execute hidden [s]" },
	{ MARIA, "execute immediate 'select 1'", "execute hidden {'select 1'}" },
	{ MARIA, "execute immediate @x", "execute hidden" },
	{ MY8, "deallocate prepare s", "deallocate [s]" },
	{ MY8, "drop prepare s", "deallocate [s]" },
	{ MY8, "lock tables a read, b write", "lock" },
	{ MY8, "unlock tables", "unlock ends" },
	{ MY8, "lock instance for backup", "backup opens instance" },
	{ MY8, "unlock instance", "backup ends instance" },
	{ MY8, "flush tables with read lock", "flush readlock" },
	{ MY8, "flush tables a, b for export", "flush readlock" },
	{ MY8, "flush privileges", "flush" },
	{ MY8, "handler t open", "handler opens [t]" },
	{ MY8, "handler s.t open as x", "handler opens [x]" },
	{ MY8, "handler t read next", "handler [t]" },
	{ MY8, "handler t close", "handler ends [t]" },
	/* Definitions. */
	{ MY8, "create temporary table if not exists s.t (a int)", "create temp tables [s.t]" },
	{ MARIA, "create or replace temporary table t as select get_lock('a', 1)", "create temp tables get_lock [t]" },
	{ MY8, "create table t (a int)", "create tables [t]" },
	{ MY8, "drop temporary table if exists a, s.b", "drop temp tables [a, s.b]" },
	{ MY8, "drop table a", "drop tables [a]" },
	{ MY8, "drop view a", "drop" },
	{ MY8, "create definer=`a`@`b` view v as select get_lock('a', 1)", "create" },
	{ MY8, "create user a@b identified by 'x'", "grant" },
	{ MY8, "alter table t add a int", "alter" },
	{ MY8, "alter user a@b identified by 'x'", "grant" },
	{ MY8, "rename table a to b", "alter" },
	{ MY8, "truncate t", "truncate" },
	{ MY8, "create procedure p() begin set @x=1; select get_lock('a', 1); end", "create" },
	{ MY8, "create procedure p() begin if a then set @x=1; end if; end; select 1", "create; select" },
	{ MY8, "create procedure p() begin case a when 1 then select 1; end case; end; select 1", "create; select" },
	{ MY8, "create procedure p() begin select case when a then b end; x: loop leave x; end loop x; end; select 1",
	  "create; select" },
	{ MY8,
	  "create procedure p() begin while a do select 1; end while; repeat select 1; until b end repeat; end; select 1",
	  "create; select" },
	{ MY8, "create procedure p() select if(a, b, c); select 1", "create; select" },
	{ MY8, "create procedure if not exists p() select 1; select 1", "create; select" },
	{ MY8, "create definer=a@b trigger t before insert on x for each row begin set new.a=1; end; select 1",
	  "create; select" },
	{ MY8, "create trigger t before insert on x for each row set @x = 1; select 1", "create; select" },
	{ MY8,
	  "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET @y=1; END */;;",
	  "create; empty" },
	{ MARIA, "begin not atomic set @x=1; select 2; end; select 3", "compound hidden; select" },
	{ MARIA, "if a then select 1; end if; select 2", "compound hidden" },
	/* The rest. */
	{ MY8, "kill 5", "kill [5]" },
	{ MY8, "kill query 5;", "kill query [5]" },
	{ MY8, "KILL CONNECTION 5", "kill [5]" },
	{ MARIA, "kill soft query id 5", "kill query" },
	{ MARIA, "kill hard 5", "kill [5]" },
	{ MY8, "kill 5 + 1", "kill" },
	{ MY8, "show warnings", "show diag" },
	{ MY8, "show errors limit 1", "show diag" },
	{ MY8, "show count(*) warnings", "show diag" },
	{ MY8, "show full processlist", "show procs" },
	{ MY8, "show tables", "show" },
	{ MY8, "explain select 1", "explain(select) {select 1}" },
	{ MY8, "explain format=json update t set a=1", "explain(update) {update t set a=1}" },
	{ MY8, "explain analyze select get_lock('a', 1)",
	  "explain(select) analyze get_lock {select get_lock('a', 1)}" },
	{ MARIA, "analyze select 1", "explain(select) analyze {select 1}" },
	{ MARIA, "analyze format=json select 1", "explain(select) analyze {select 1}" },
	{ MY8, "analyze table t", "admin" },
	{ MY8, "desc t", "explain" },
	{ MY8, "signal sqlstate '45000'", "signal" },
	{ MY8, "optimize table t", "admin" },
	{ MARIA, "backup stage start", "backup opens stage" },
	{ MARIA, "backup stage block_commit", "backup opens stage" },
	{ MARIA, "backup stage end", "backup ends stage" },
	{ MARIA, "backup lock t", "backup opens" },
	{ MARIA, "backup unlock", "backup ends" },
	{ MARIA, "select lastval(s)", "select last_value" },
	{ MARIA, "select nextval(s), x.lastval(s)", "select next_value" },
	{ MARIA, "select previous value for s", "select last_value" },
	{ MARIA, "select high_priority previous value for s, next value for t", "select last_value next_value" },
	{ MARIA, "select previous from value", "select" },
	{ MY8, "select lastval(s), nextval(s)", "select" },
	{ MY8, "do sleep(1)", "do" },
};

static void prepare(void)
{
	if (funcs.n)
		return;
	my_funcs_init(&funcs);
	check("added", sql_funcs_add(&funcs, "f", MY_CALL_USER));
	check("added", sql_funcs_add(&funcs, "s.g", MY_CALL_USER));
}

static void test_kinds(void)
{
	prepare();
	for (size_t i = 0; i < COUNT(rows); i++) {
		char out[1024];
		size_t len = strlen(rows[i].in);
		char *copy = (char *)copy_exact(rows[i].in, len);
		show(out, sizeof out, copy, len, rows[i].mode);
		check_str(rows[i].in, out, rows[i].want);
		free(copy);
	}
}

static void test_prefixes(void)
{
	prepare();
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t len = strlen(rows[i].in); len-- > 0;) {
			char out[1024], *copy = (char *)copy_exact(rows[i].in, len);
			show(out, sizeof out, copy, len, rows[i].mode);
			free(copy);
		}
}

/* Each assignment as its scope (s b g u n c), its name, its form (e d w # ') and its value. */
static void show_set(char *out, size_t cap, const char *in, unsigned mode)
{
	struct my_reader r;
	struct my_stmt st;
	struct my_assignments a;
	struct my_assignment x;
	size_t n = 0;
	out[0] = '\0';
	my_read_init(&r, in, strlen(in), mode, &funcs);
	check(in, my_read(&r, &st));
	my_set_init(&a, in, mode, &st);
	while (my_set_next(&a, &x))
		n += (size_t)snprintf(out + n, cap - n, "%s%c %.*s %c %.*s", n ? ", " : "", "sbgunc"[x.scope],
				      (int)x.name.len, in + x.name.at, "edw#'"[x.form], (int)x.value.len,
				      in + x.value.at);
	if (a.bad)
		snprintf(out + n, cap - n, "!");
}

static void test_set(void)
{
	static const struct {
		unsigned mode;
		const char *in, *want;
	} sets[] = {
		{ MY8, "set a = 1", "s a # 1" },
		{ MY8, "set a := -1.5, b='x', c = on, d = default", "s a # -1.5, s b ' 'x', s c w on, s d d default" },
		{ MY8, "set a = concat(b, 'c'), d = (1, 2)", "s a e concat(b, 'c'), s d e (1, 2)" },
		{ MY8, "set global a = 1, b = 2", "g a # 1, g b # 2" },
		{ MY8, "set global a = 1, session b = 2, c = 3", "g a # 1, s b # 2, s c # 3" },
		{ MY8, "set @@global.a = 1, b = 2", "g a # 1, s b # 2" },
		{ MY8, "set persist a = 1, persist_only b = 2, @@persist.c = 3", "g a # 1, g b # 2, g c # 3" },
		{ MY8, "set @@a = 1, @@session.b = 2, @@local.c = 3, local d = 4",
		  "b a # 1, s b # 2, s c # 3, s d # 4" },
		{ MY8, "set @x = 1, @`y z` := 'b'", "u @x # 1, u @`y z` ' 'b'" },
		{ MY8, "set @@global.x.a = 1", "g x.a # 1" },
		{ MY8, "set names utf8mb4", "n  w utf8mb4" },
		{ MY8, "set names 'utf8mb4' collate utf8mb4_bin, a = 1",
		  "n  w 'utf8mb4' collate utf8mb4_bin, s a # 1" },
		{ MY8, "set names default", "n  d default" },
		{ MY8, "set a=1, character set utf8, charset latin1", "s a # 1, c  w utf8, c  w latin1" },
		{ MY8, "set names = 1", "s names # 1" },
		{ MY8, "set session = 1", "s session # 1" },
		{ MY8, "set a = @b, c = @@d", "s a e @b, s c e @@d" },
		{ MY8, "set a = 'b' 'c'", "s a e 'b' 'c'" },
		{ MY8, "set a = ?", "s a e ?" },
		{ MY8, "set a = - 1", "s a # - 1" },
		{ MY8, "set a = null", "s a w null" },
		{ MY8, "set a = 1; set b = 2", "s a # 1" },
		{ MY8, "/*!40101 set a = 1, @b = 2 */;", "s a # 1, u @b # 2" },
		{ MY8, "set a", "!" },
		{ MY8, "set a = 1, b", "s a # 1!" },
		{ MY8, "set a = 1,", "s a # 1" },
		{ MY8, "set a = 'x", "!" },
		{ MARIA, "set statement a = 1, b = (2) for select 1", "s a # 1, s b e (2)" },
	};
	prepare();
	for (size_t i = 0; i < COUNT(sets); i++) {
		char out[512];
		show_set(out, sizeof out, sets[i].in, sets[i].mode);
		check_str(sets[i].in, out, sets[i].want);
	}
}

void suite_mysql_classify(void)
{
	static const struct unit_test tests[] = {
		{ "kinds", test_kinds },
		{ "prefixes", test_prefixes },
		{ "set", test_set },
		{ NULL, NULL },
	};
	unit_add("mysql_classify", tests);
}
