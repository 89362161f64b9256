/* test_my_leaks.c - transaction pooling: what one client leaves on a server does not come to the next one, and what it
 * had there does not leave it unnoticed. */
#include "harness_my.h"

#include <stdlib.h>
#include <string.h>

static MYSQL *admin;

static void start(unsigned servers, const char *mode)
{
	sluice_start(&(struct conf){ .settings = text("pool_mode = %s\ndefault_pool_size = %u\n", mode, servers) });
	my_close(my_client(NULL)); /* the server's version is known then */
	admin = my_console();
}

static MYSQL *one(void)
{
	return my_client(&(struct my_how){ .flags = CLIENT_MULTI_STATEMENTS });
}

/* What keeps it on its server: as SHOW CLIENTS says. */
static char *pins(MYSQL *c)
{
	char *id = my_id(mysql_thread_id(c)), *shown = my_show(admin, "clients", "id", id, "pins");
	return shown ? shown : "?";
}

static void table(void)
{
	my_sql("drop table if exists test.t; create table test.t(a int auto_increment primary key, b int)");
}

/* A routine that fails takes nothing back of what the one before it did. */
static void test_routines(void)
{
	my_sql("drop procedure if exists test.p; create procedure test.p() set @x = 5");
	my_sql("drop procedure if exists test.q; create procedure test.q() signal sqlstate '45000'");
	start(2, "transaction");
	MYSQL *a = one(), *b = one();
	my_run(a, "call p()");
	check_my_fails(a, "call q()", 1644, "45000", NULL);
	check_my(a, "select 1", "1");
	check_str("it is kept", pins(a), "routine");
	check_my(b, "select @x", "null");
	check_my(a, "select @x", "5");
	my_close(a);
	for (int i = 0; i < 2; i++) {
		MYSQL *c = one();
		my_run(c, "begin");
		check_my(c, "select @x", "null");
	}
}

/* Locks for backups end by their own statements, and those of tables by theirs. */
static void test_backup(void)
{
	table();
	start(2, "transaction");
	MYSQL *a = one();
	static const char *const mysql[][2] = {
		{ "lock tables t write; lock instance for backup; unlock instance", "lock_tables" },
		{ "unlock tables", "" },
		{ "lock instance for backup; unlock tables", "backup_lock" },
		{ "unlock instance", "" },
	};
	static const char *const maria[][2] = {
		{ "backup lock t", "backup_lock" },
		{ "unlock tables", "backup_lock" },
		{ "backup unlock", "" },
		{ "backup stage start", "backup_lock" },
		{ "unlock tables", "backup_lock" },
		{ "backup stage end", "" },
		{ "flush tables with read lock", "read_lock" },
		{ "backup unlock", "read_lock" },
		{ "unlock tables", "" },
	};
	for (size_t i = 0; i < (my_is_mysql() ? COUNT(mysql) : COUNT(maria)); i++) {
		const char *const *row = my_is_mysql() ? mysql[i] : maria[i];
		my_run(a, "%s", row[0]);
		check_str(row[0], pins(a), row[1]);
	}
	my_run(a, "%s", my_is_mysql() ? "lock instance for backup" : "backup lock t");
	my_close(a);
	for (int i = 0; i < 2; i++) {
		MYSQL *c = one();
		my_run(c, "begin");
		my_run(c, "insert into t (b) values (1)");
	}
}

/* SET @@transaction_read_only is for the next transaction alone: the client's. */
static void test_next_transaction(void)
{
	table();
	start(2, "transaction");
	MYSQL *a = one(), *b = one();
	const char *name = my_is_mysql() ? "transaction_read_only" : "tx_read_only";
	my_run(a, "set @@%s = 1", name);
	check_str("it is kept", pins(a), "next_transaction");
	my_run(b, "insert into t (b) values (1)");
	my_run(a, "begin");
	check_my_fails(a, "insert into t (b) values (2)", 1792, "25006", NULL);
	my_run(a, "rollback");
	check_my(a, "select 1", "1");
	check_str("no more", pins(a), "");
	my_run(a, "set %s = 1", name); /* and without @@ the session's */
	check_str("it follows", pins(a), "");
	check_my_fails(a, "insert into t (b) values (3)", 1792, "25006", NULL);
	my_run(b, "insert into t (b) values (4)");
}

/* A statement that fails has run until then. */
static void test_failed(void)
{
	start(1, "transaction");
	MYSQL *a = one();
	check_my_fails(a, "select get_lock('x', 1), (select 1 union select 2)", 1242, "21000", NULL);
	check("it is kept", strstr(pins(a), "get_lock") != NULL);
	check_my(a, "select release_all_locks()", "1");
	check_str("no more", pins(a), "");
	check_my_fails(a, "select @y := 7, (select 1 union select 2)", 1242, "21000", NULL);
	check("it is kept", strstr(pins(a), "user_variable") != NULL);
	check_my_fails(a, "select get_lock('x', 1), (select 1 union select 2)", 1242, "21000", NULL);
	my_close(a);
	MYSQL *b = one();
	check_my(b, "select is_free_lock('x'), @y", "1,null");
	check_my_fails(b, "select get_lock('x', 1) from", 1064, "42000", NULL);
	check_my(b, "select 1", "1");
	check_str("which has not run", pins(b), "");
}

/* A lock that was not got is none. */
static void test_try_lock(void)
{
	start(2, "transaction");
	MYSQL *a = one(), *b = one();
	check_my(a, "select get_lock('x', 0)", "1");
	check_my(b, "select get_lock('x', 0)", "0");
	check_str("nothing is held", pins(b), "");
	check_my(b, "select get_lock('x', 0), 1", "0,1");
	check_str("that is not looked at", pins(b), "get_lock");
	check_my(b, "select release_all_locks()", "0");
	check_str("not any more", pins(b), "");
	check_my(a, "select get_lock('x', 0)", "1");
	check_my(a, "select release_lock('x')", "1");
	check_str("it is held twice", pins(a), "get_lock");
	check_my(b, "select get_lock('x', 0)", "0");
	check_my(a, "select release_lock('x')", "1");
	check_str("no more", pins(a), "");
	check_my(b, "select get_lock('x', 0) as l", "1");
	check_str("it is held", pins(b), "get_lock");
}

/* What servers are to tell their client is a setting as any other. */
static void test_tells(void)
{
	start(1, "transaction");
	MYSQL *a = one(), *b = one();
	const char *ask = my_is_mysql() ? "select @@session_track_gtids, @@session_track_transaction_info"
					: "select 1, @@session_track_transaction_info";
	char *first = my_all(b, "%s", ask);
	my_run(a, "set session_track_transaction_info = 'STATE'");
	if (my_is_mysql())
		my_run(a, "set session_track_gtids = 'OWN_GTID'");
	for (int i = 0; i < 2; i++) {
		check_my(b, ask, first);
		check_my(a, ask, my_is_mysql() ? "OWN_GTID,STATE" : "1,STATE");
	}
	check_str("no pins", pins(a), "");
}

/* Who has set none has those of all, however they are asked for. */
static void test_checks(void)
{
	start(1, "transaction");
	const char *ask = "select @@foreign_key_checks, @@unique_checks, @@autocommit, @@sql_notes, @@sql_log_off";
	MYSQL *a = one(), *b = one();
	check_my(b, ask, "1,1,1,1,0");
	my_run(a, "set foreign_key_checks = 1, unique_checks = 1, autocommit = 1, sql_notes = 1, sql_log_off = 0");
	check_my(b, ask, "1,1,1,1,0");
	my_run(a, "set foreign_key_checks = 0, unique_checks = 0, sql_notes = 0");
	check_my(b, ask, "1,1,1,1,0");
	check_my(a, ask, "0,0,1,0,0");
}

/* MariaDB: what is set for one statement alone. */
static void test_set_statement(void)
{
	if (my_is_mysql())
		return;
	start(1, "transaction");
	my_sql("drop procedure if exists test.p; create procedure test.p() set time_zone = '+05:00'");
	MYSQL *a = one(), *b = one();
	char *mode = my_all(b, "select @@sql_mode, @@max_statement_time, @@time_zone");
	my_run(a, "set sql_mode = 'ANSI'");
	my_run(a, "set statement max_statement_time = 50, sql_mode = '' for do 1");
	check_str("alone it leaves nothing", pins(a), "");
	for (int i = 0; i < 2; i++) {
		check_my(b, "select @@sql_mode, @@max_statement_time, @@time_zone", mode);
		check("its own", strstr(my_all(a, "select @@sql_mode, @@max_statement_time"), "ANSI,0.000000"));
	}
	my_run(a, "set sql_mode = 'NO_BACKSLASH_ESCAPES'; set statement max_statement_time = 50 for do 1");
	check("one of several", strstr(pins(a), "setting") != NULL);
	my_close(a);
	check_my(b, "select @@sql_mode, @@max_statement_time, @@time_zone", mode);
	a = one();
	my_run(a, "set statement max_statement_time = 50 for call p()");
	my_close(a);
	check_my(b, "select @@sql_mode, @@max_statement_time, @@time_zone", mode);
}

/* MariaDB: what a sequence gave last is the session's. */
static void test_sequences(void)
{
	if (my_is_mysql())
		return;
	my_sql("drop sequence if exists test.s; create sequence test.s");
	start(1, "transaction");
	MYSQL *a = one(), *b = one();
	/* Not by a SELECT: to clients that read the ends of rows of before 5.7.5 that says that something has changed
	 * (the GTID), and not what, so that it pins. */
	my_run(a, "do nextval(s)");
	my_run(b, "do (next value for s)");
	check_my_fails(a, "select lastval(s)", 1235, "42000", "within the transaction");
	check_my_fails(a, "select previous value for s", 1235, "42000", NULL);
	my_run(a, "begin");
	my_run(a, "do nextval(s)");
	check_my(a, "select lastval(s), previous value for s", "3,3");
	my_run(a, "commit");
	check_my(a, "do nextval(s); select lastval(s)", "ok 0;4");
	check_str("no pins", pins(a), "");
	check_my_fails(b, "select lastval(s) + 1", 1235, "42000", NULL);
}

/* What LAST_INSERT_ID() is without that an answer says it. */
static void test_ids(void)
{
	table();
	my_sql("insert into test.t values (1, 1), (2, 2)");
	start(2, "transaction");
	MYSQL *a = one(), *b = one();
	my_run(a, "do last_insert_id(77)");
	check_str("no pins", pins(a), "");
	check_my(b, "select last_insert_id()", "0");
	my_run(b, "begin");
	check_my(a, "select last_insert_id()", "77");
	my_run(b, "rollback");
	my_run(a, "delete from t where last_insert_id(78) and a = 1");
	my_run(b, "insert into t (b) values (3)");
	check_my(a, "select last_insert_id()", "78");
	my_run(a, "begin");
	check_my_fails(a, "select last_insert_id(79), (select 1 union select 2)", 1242, "21000", NULL);
	check_my(a, "select last_insert_id()", "79");
	my_run(a, "commit");
	my_run(a, my_is_mysql() ? "prepare x from 'select last_insert_id(80)'; execute x"
				: "execute immediate 'select last_insert_id(80)'");
	check_my(a, "select last_insert_id()", "80");
	my_close(a);
	a = one();
	my_run(a, "set sql_auto_is_null = 0");
	check_str("as ODBC says at once", pins(a), "");
	my_run(a, "set sql_auto_is_null = 1");
	check_str("it is kept", pins(a), "setting");
	my_run(a, "insert into t (b) values (4)");
	my_run(b, "insert into t (b) values (5)");
	check_my(a, "select b from t where a is null", "4");
	my_close(a);
	check_my(b, "select b from t where a is null", "");
}

/* The warnings of a procedure can be asked for at once, and what it inserted later. */
static void test_called(void)
{
	table();
	my_sql("drop procedure if exists test.w; create procedure test.w() begin "
	       "insert into t (b) values (7); drop table if exists nosuch; end");
	start(1, "transaction");
	MYSQL *a = one(), *b = one();
	my_run(b, "insert into t (b) values (1), (2)");
	my_run(a, "call w()");
	check_str("kept for a while", pins(a), "warnings");
	check("a warning", strstr(my_all(a, "show warnings"), "1051") != NULL);
	my_run(b, "insert into t (b) values (8)"); /* when that while is over */
	check_my(a, "select b from t where a = last_insert_id()", "7");
	check_my(b, "select b from t where a = last_insert_id()", "8");
	my_run(a, "call w()");
	check_my(a, "select b from t where a = last_insert_id()", "7");
	check_my(b, "select b from t where a = last_insert_id()", "8");
}

/* A text of so many bytes of filling, which is too long to be looked at before it goes. */
static char *big(const char *front, size_t n, const char *end)
{
	char *filling = malloc(n + 1);
	memset(filling, '.', n);
	filling[n] = '\0';
	char *all = text("%s%s%s", front, filling, end);
	free(filling);
	return all;
}

/* LAST_INSERT_ID() in a long text is the client's. */
static void test_long_ids(void)
{
	table();
	my_sql("alter table test.t add c longtext");
	start(1, "transaction");
	MYSQL *a = one(), *b = one();
	my_run(a, "insert into t (b) values (1)");
	my_run(b, "insert into t (b) values (2), (3)");
	char *say = big("insert into t (b, c) values (100 + last_insert_id(), '", 100000, "')");
	my_run(a, "%s", say);
	check_my(b, "select b from t where a = 4", "101");
	my_run(b, "%s", say);
	check_my(a, "select b from t where a = 5", "102");
	check_my(a, "select last_insert_id()", "4");
	check_str("no pins", pins(a), "");
	MYSQL_STMT *st = mysql_stmt_init(b);
	my_run(a, "insert into t (b) values (6)");
	check("prepared", mysql_stmt_prepare(st, say, strlen(say)) == 0);
	check("executed", mysql_stmt_execute(st) == 0);
	mysql_stmt_close(st);
	check_my(a, "select max(b) from t", "105");
	my_run(a, "%s", big("update t set c = '", 100000, "', b = last_insert_id(88) where a = 1"));
	my_run(b, "%s", big("delete from t where a = 2 and c <> '", 100000, "' or last_insert_id(99) = 5"));
	check_my(a, "select last_insert_id()", "88");
	check_my(b, "select last_insert_id()", "99");
}

/* What else a long text does is seen as it passes. */
static void test_long_texts(void)
{
	static const struct {
		const char *front, *end, *pin;
	} rows[] = {
		{ "select length('", "'), 'a@b.c, into a@x', (1), lower('get_lock')", "" },
		{ "insert into t (b) select length('", "')", "" },
		{ "select length('", "'), get_lock('x', 1)", "long_text" },
		{ "select get_lock('x', 1), length('", "')", "long_text" },
		{ "select @x := length('", "')", "long_text" },
		{ "select length('", "') into @x", "long_text" },
		{ "set @x = length('", "')", "long_text" },
		{ "select sql_calc_found_rows b from t where '", "' <> '' limit 1", "found_rows" },
	};
	table();
	my_sql("insert into test.t values (1, 1), (2, 2), (3, 3)");
	start(2, "transaction");
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t n = 66000; n < 1000000; n *= 10) {
			MYSQL *a = one();
			my_run(a, "%s", big(rows[i].front, n, rows[i].end));
			check(text("%s %s", rows[i].end, pins(a)),
			      *rows[i].pin ? strstr(pins(a), rows[i].pin) != NULL : *pins(a) == '\0');
			if (i == COUNT(rows) - 1)
				check_my(a, "select found_rows()", "5");
			my_close(a);
			MYSQL *b = one();
			check_my(b, "select is_free_lock('x'), @x", "1,null");
			my_close(b);
		}
	/* One that is prepared, too. */
	MYSQL *a = one();
	char *say = big("select length('", 100000, "'), get_lock('x', 1)");
	MYSQL_STMT *st = mysql_stmt_init(a);
	check("prepared", mysql_stmt_prepare(st, say, strlen(say)) == 0);
	mysql_stmt_close(st);
	check_my(a, "select 1", "1");
	check("it is kept", strstr(pins(a), "long_text") != NULL);
	my_close(a);
	/* Where pins are refused what is told by its first words is, before it is sent. */
	sluice_stop();
	sluice_start(&(struct conf){ .settings = "pool_mode = transaction\npin_policy = error\n" });
	a = one();
	check_my_fails(a, big("set @x = '", 100000, "'"), 1235, "42000", "long_text");
	check_my(a, "select @x", "null");
}

static void say_roles(const char *mode)
{
	start(1, mode);
	MYSQL *a = one();
	char *first = my_all(a, "select current_role()");
	check("it has one", strstr(first, "r1") != NULL);
	static const char *const said[] = { "set role r2", "set role none" };
	for (size_t i = 0; i < COUNT(said); i++) {
		my_run(a, "%s", said[i]);
		check(said[i], strcmp(my_all(a, "select current_role()"), first) != 0);
		my_close(a);
		a = one();
		check_my(a, "select current_role()", first);
	}
	sluice_stop();
}

/* No cleaning of the servers' own takes these back. */
static void test_roles(void)
{
	my_sql("drop role if exists r1, r2; create role r1, r2; grant r1 to alice; grant r2 to alice");
	my_sql("%s", my_is_mysql() ? "set default role r1 to alice" : "set default role r1 for alice");
	say_roles("transaction");
	say_roles("session");
	/* One that is set for all as they are opened stays. */
	sluice_start(&(struct conf){ .databases = "test = kind=mysql @MY@ connect_query='set role r2'",
				     .settings = "pool_mode = session\ndefault_pool_size = 1\n" });
	for (int i = 0; i < 2; i++) {
		MYSQL *a = one();
		check("set by connect_query", strstr(my_all(a, "select current_role()"), "r2") != NULL);
		my_run(a, "set role none");
		my_close(a);
	}
	my_sql("drop role r1, r2");
}

static void test_resource_group(void)
{
	MYSQL *root = my_straight();
	if (!my_is_mysql() || mysql_query(root, "create resource group g type = user vcpu = 0") != 0)
		return;
	const char *ask =
		"select resource_group from performance_schema.threads where thread_id = ps_current_thread_id()";
	start(1, "transaction");
	MYSQL *a = one();
	my_run(a, "set resource group g");
	check_my(a, ask, "g");
	my_close(a);
	a = one();
	check_my(a, ask, "USR_default");
	sluice_stop();
	my_sql("drop resource group g");
}

static const struct unit_test tests[] = {
	{ "routines", test_routines },
	{ "backup", test_backup },
	{ "next_transaction", test_next_transaction },
	{ "failed", test_failed },
	{ "try_lock", test_try_lock },
	{ "tells", test_tells },
	{ "checks", test_checks },
	{ "set_statement", test_set_statement },
	{ "sequences", test_sequences },
	{ "ids", test_ids },
	{ "called", test_called },
	{ "long_ids", test_long_ids },
	{ "long_texts", test_long_texts },
	{ "roles", test_roles },
	{ "resource_group", test_resource_group },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return harness_my_main(argc, argv, "my_leaks", tests);
}
