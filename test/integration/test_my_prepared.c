/* test_my_prepared.c - prepared statements of more clients than there are servers: each has its own, whatever server it
 * is on. */
#include "harness_my.h"
#include "mysqlraw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void start(unsigned servers, const char *settings)
{
	sluice_start(&(struct conf){
		.settings = text("pool_mode = transaction\ndefault_pool_size = %u\n%s", servers, settings) });
}

static MYSQL_STMT *prepare(MYSQL *c, const char *sql)
{
	MYSQL_STMT *st = mysql_stmt_init(c);
	require("a statement", st != NULL);
	if (mysql_stmt_prepare(st, sql, strlen(sql)))
		check_str(sql, mysql_stmt_error(st), "");
	return st;
}

/* The first field of all rows, or "error 1146". */
static const char *rows(MYSQL_STMT *st)
{
	static char out[4096];
	char value[1024];
	unsigned long len = 0;
	my_bool is_null = 0;
	MYSQL_BIND b[4] = { { .buffer_type = MYSQL_TYPE_STRING,
			      .buffer = value,
			      .buffer_length = sizeof value,
			      .length = &len,
			      .is_null = &is_null },
			    { .buffer_type = MYSQL_TYPE_NULL },
			    { .buffer_type = MYSQL_TYPE_NULL },
			    { .buffer_type = MYSQL_TYPE_NULL } };
	size_t n = 0;
	*out = 0;
	if (mysql_stmt_field_count(st) && !mysql_stmt_bind_result(st, b)) {
		int how;
		while (((how = mysql_stmt_fetch(st)) == 0 || how == MYSQL_DATA_TRUNCATED) && n + len + 2 < sizeof out)
			n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s", n ? "|" : "", is_null ? 4 : (int)len,
					      is_null ? "null" : value);
		if (how == 1)
			snprintf(out, sizeof out, "error %u", mysql_stmt_errno(st));
		mysql_stmt_free_result(st);
	}
	return out;
}

static const char *run_st(MYSQL_STMT *st)
{
	static char out[32];
	if (mysql_stmt_execute(st) == 0)
		return rows(st);
	snprintf(out, sizeof out, "error %u", mysql_stmt_errno(st));
	return out;
}

static void bind_int(MYSQL_STMT *st, int *v)
{
	MYSQL_BIND b = { .buffer_type = MYSQL_TYPE_LONG, .buffer = v };
	require("bound", mysql_stmt_bind_param(st, &b) == 0);
}

static void bind_text(MYSQL_STMT *st, char *v)
{
	MYSQL_BIND b = { .buffer_type = MYSQL_TYPE_STRING, .buffer = v, .buffer_length = strlen(v) };
	require("bound", mysql_stmt_bind_param(st, &b) == 0);
}

static void test_shared(void)
{
	enum { CLIENTS = 6 };
	MYSQL_STMT *sum[CLIENTS], *hex[CLIENTS];
	int number[CLIENTS];
	char letters[CLIENTS][8];
	start(2, "");
	MYSQL *console = my_console();
	for (int i = 0; i < CLIENTS; i++) {
		MYSQL *c = my_client(NULL);
		number[i] = 100 + i;
		snprintf(letters[i], sizeof letters[i], "%d", 200 + i);
		sum[i] = prepare(c, "select ? + 1");
		hex[i] = prepare(c, "select hex(?)"); /* of a number, and of a text, it is not the same */
		bind_int(sum[i], &number[i]);
		if (i % 2)
			bind_int(hex[i], &number[i]);
		else
			bind_text(hex[i], letters[i]);
	}
	for (int round = 0; round < 4; round++)
		for (int i = 0; i < CLIENTS; i++) {
			check_str("sum", run_st(sum[i]), text("%d", 101 + i));
			check_str("hex", run_st(hex[i]), i % 2 ? text("%X", 100 + i) : text("32303%d", i));
		}
	wait_until("servers are shared", my_servers() <= 2);
	check_str("nobody keeps one", my_show(console, "clients", "user", "alice", "prepared_statements"), "2");
	for (int i = 0; i < CLIENTS; i++) {
		mysql_stmt_close(sum[i]);
		check_str("and the others go on", run_st(hex[(i + 1) % CLIENTS]),
			  (i + 1) % CLIENTS % 2 ? text("%X", 100 + (i + 1) % CLIENTS)
						: text("32303%d", (i + 1) % CLIENTS));
	}
	for (int i = 0; i < CLIENTS; i++)
		mysql_stmt_close(hex[i]);
}

/* Onto the server that did not prepare it; types are told once. */
static void test_moved(void)
{
	start(2, "");
	MYSQL *c = my_client(NULL), *other = my_client(NULL), *third = my_client(NULL);
	int v = 7;
	char t[] = "7";
	MYSQL_STMT *st = prepare(c, "select hex(?)"), *same;
	bind_int(st, &v);
	check_str("here", run_st(st), "7");
	my_run(other, "begin");
	my_run(other, "select 1");
	check_str("there", run_st(st), "7");
	my_run(third, "begin");
	same = prepare(third, "select hex(?)");
	bind_text(same, t);
	check_str("another's types", run_st(same), "37");
	my_run(third, "commit");
	for (int i = 0; i < 3; i++) {
		check_str("one's own", run_st(st), "7");
		check_str("and the other's", run_st(same), "37");
	}
	my_run(other, "commit");
	check_str("here again", run_st(st), "7");
	mysql_stmt_close(st);
	mysql_stmt_close(same);
}

/* It means what it meant when it was prepared, on each server. */
static void test_meaning(void)
{
	start(3, ""); /* MariaDB says that a statement of another schema has changed the session: who ran it stays */
	my_sql("drop database if exists second; create database second; grant all on second.* to alice;"
	       "create table second.t (a int); insert into second.t values (2);"
	       "drop table if exists test.t; create table test.t (a int); insert into test.t values (1)");
	MYSQL *c = my_client(NULL), *other = my_client(NULL), *third = my_client(NULL);
	MYSQL_STMT *first = prepare(c, "select a from t"), *text1 = prepare(c, "select \"a\" from t"), *second, *text2;
	my_run(c, "use second");
	my_run(c, "set sql_mode = 'ANSI_QUOTES'");
	second = prepare(c, "select a from t");
	text2 = prepare(c, "select \"a\" from t");
	for (int i = 0; i < 2; i++) {
		check_str("first", run_st(first), "1");
		check_str("second", run_st(second), "2");
		check_str("a text", run_st(text1), "a");
		check_str("a name", run_st(text2), "2");
		check_my(c, "select database(), @@sql_mode", "second,ANSI_QUOTES");
		my_run(other, "begin");
		my_run(other, "select 1");
		check_my(third, "select database(), @@sql_mode = 'ANSI_QUOTES'", "test,0");
	}
	my_run(other, "commit");
	MYSQL_STMT *all[] = { first, second, text1, text2 };
	for (size_t i = 0; i < COUNT(all); i++)
		mysql_stmt_close(all[i]);
	my_sql("drop database second");
}

static void test_long_data(void)
{
	start(2, "");
	MYSQL *c = my_client(NULL), *other = my_client(NULL), *console = my_console();
	MYSQL_STMT *st = prepare(c, "select length(?)"), *same = prepare(other, "select length(?)");
	char piece[] = "0123456789", t[] = "abc";
	bind_text(st, t);
	bind_text(same, t);
	for (int i = 0; i < 3; i++)
		check("sent", mysql_stmt_send_long_data(st, 0, piece, sizeof piece - 1) == 0);
	check_str("the other's", run_st(same), "3");
	wait_until("it keeps its server",
		   strcmp(my_show(console, "clients", "user", "alice", "pins"), "long_data") == 0);
	check_str("long", run_st(st), "30");
	check_str("and no more", my_show(console, "clients", "user", "alice", "pins"), "");
	bind_text(st, t);
	check_str("short", run_st(st), "3");
	check("sent", mysql_stmt_send_long_data(st, 0, piece, sizeof piece - 1) == 0);
	check("taken back", mysql_stmt_reset(st) == 0);
	bind_text(st, t);
	check_str("short again", run_st(st), "3");
	check("sent", mysql_stmt_send_long_data(st, 0, piece, sizeof piece - 1) == 0);
	my_close(c);
	for (int i = 0; i < 3; i++)
		check_str("nobody has it", run_st(same), "3");
	mysql_stmt_close(same);
	mysql_stmt_close(st);
}

static void test_cursors(void)
{
	start(2, "");
	my_sql("drop table if exists test.t; create table test.t (a int)");
	my_sql("insert into test.t values (1), (2), (3), (4)");
	MYSQL *c = my_client(NULL), *other = my_client(NULL), *console = my_console();
	MYSQL_STMT *st = prepare(c, "select a from t order by a"), *same = prepare(c, "select a from t order by a");
	unsigned long type = CURSOR_TYPE_READ_ONLY;
	int a = 0, b = 0;
	MYSQL_BIND to_a = { .buffer_type = MYSQL_TYPE_LONG, .buffer = &a };
	MYSQL_BIND to_b = { .buffer_type = MYSQL_TYPE_LONG, .buffer = &b };
	mysql_stmt_attr_set(st, STMT_ATTR_CURSOR_TYPE, &type);
	mysql_stmt_attr_set(same, STMT_ATTR_CURSOR_TYPE, &type);
	check("open", mysql_stmt_execute(st) == 0 && mysql_stmt_bind_result(st, &to_a) == 0);
	check("a row", mysql_stmt_fetch(st) == 0 && a == 1);
	check("two of one text", mysql_stmt_execute(same) == 0 && mysql_stmt_bind_result(same, &to_b) == 0);
	for (int i = 1; i <= 4; i++) {
		check("of one", i == 1 || (mysql_stmt_fetch(st) == 0 && a == i));
		check("of the other", mysql_stmt_fetch(same) == 0 && b == i);
		check_my(other, "select 1", "1");
		if (i == 2)
			check_str("it keeps its server", my_show(console, "clients", "user", "alice", "pins"),
				  "cursor");
	}
	check("the end", mysql_stmt_fetch(st) == MYSQL_NO_DATA);
	check("of both", mysql_stmt_fetch(same) == MYSQL_NO_DATA);
	check_str("and it is shared again", my_show(console, "clients", "user", "alice", "pins"), "");
	check("open again", mysql_stmt_execute(st) == 0 && mysql_stmt_fetch(st) == 0 && a == 1);
	mysql_stmt_close(st);
	check_my(c, "select 1", "1");
	check_str("closed", my_show(console, "clients", "user", "alice", "pins"), "");
	check("nothing to fetch from", mysql_stmt_execute(same) == 0 && mysql_stmt_fetch(same) == 0);
	mysql_stmt_free_result(same);
	mysql_stmt_close(same);
	my_run(c, "select 1");
	check_str("closed too", my_show(console, "clients", "user", "alice", "pins"), "");
	MYSQL_STMT *none = prepare(c, "insert into t values (9)");
	mysql_stmt_attr_set(none, STMT_ATTR_CURSOR_TYPE, &type);
	check("without rows", mysql_stmt_execute(none) == 0);
	check_my(c, "select 1", "1");
	check_str("there is none", my_show(console, "clients", "user", "alice", "pins"), "");
	mysql_stmt_close(none);
}

/* What a server cannot prepare any more is an error of the EXECUTE's. */
static void test_gone(void)
{
	start(2, "");
	my_sql("drop table if exists test.t; create table test.t (a int); insert into test.t values (5)");
	MYSQL *c = my_client(NULL), *other = my_client(NULL);
	MYSQL_STMT *st = prepare(c, "select * from t");
	check_str("there", run_st(st), "5");
	my_sql("drop table test.t");
	my_run(other, "begin");
	my_run(other, "select 1");
	check_str("gone", run_st(st), "error 1146");
	check_my(c, "select 1", "1");
	my_sql("create table test.t (b varchar(9), a int); insert into test.t values ('new', 5)");
	mysql_stmt_close(st);
	st = prepare(c, "select * from t");
	check_str("anew", run_st(st), "new");
	my_run(other, "commit");
	check_str("on both", run_st(st), "new");
	mysql_stmt_close(st);
}

/* Servers forget what was used longest ago, and clients do not notice. */
static void test_many(void)
{
	enum { MANY = 12 };
	MYSQL_STMT *st[MANY];
	start(1, "max_prepared_statements = 3\n");
	MYSQL *c = my_client(NULL);
	for (int i = 0; i < MANY; i++)
		st[i] = prepare(c, text("select %d", i));
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < MANY; i++)
			check_str("it is there", run_st(st[i]), text("%d", i));
	check("at most three", atoi(my_scalar("select variable_value from %s.global_status where variable_name = "
					      "'Prepared_stmt_count'",
					      my_is_mysql() ? "performance_schema" : "information_schema")) <= 3);
	for (int i = 0; i < MANY; i++)
		mysql_stmt_close(st[i]);
}

static char *said(struct myraw *r)
{
	require("answered", myraw_wait(r));
	char *lines = myraw_lines(r);
	myraw_forget(r);
	return lines;
}

static char *execute_raw(struct myraw *r, uint8_t command, uint32_t id, const char *rest, size_t n)
{
	struct pgraw_bytes b = { 0 };
	size_t at = myraw_begin(&b, command);
	myraw_add_u32(&b, id);
	pgraw_add(&b, rest, n);
	myraw_end(&b, at);
	require("sent", myraw_send(r, &b));
	free(b.p);
	return said(r);
}

static void check_has(const char *what, char *line, const char *part)
{
	check(text("%s: %s, not %s", what, part, line), strstr(line, part) != NULL);
	free(line);
}

#define NO_PARAMS "\0\1\0\0\0"

static void test_unknown(void)
{
	struct myraw r;
	start(1, "");
	my_close(my_client(NULL));
	require("in", myraw_open(&r, sluice_my_port(), "alice", "alice-secret", "test", MY_USUAL));
	for (int i = 0; i < 2; i++) { /* in no transaction, and in one */
		check_has("execute", execute_raw(&r, MY_STMT_EXECUTE, 77, NO_PARAMS, 5), "1243");
		check_has("fetch", execute_raw(&r, MY_STMT_FETCH, 77, "\1\0\0\0", 4), "1243");
		check_has("reset", execute_raw(&r, MY_STMT_RESET, 77, "", 0), "1243");
		require("sent", myraw_command(&r, MY_STMT_CLOSE, "M\0\0\0", 4));
		require("sent", myraw_command(&r, MY_STMT_SEND_LONG_DATA, "M\0\0\0\0\0x", 7));
		require("sent", myraw_command(&r, MY_STMT_EXECUTE, "M", 1));
		check_has("cut", said(&r), "1835");
		check_has("alive", myraw_ask(&r, "begin"), "ok");
		myraw_forget(&r);
	}
	free(myraw_ask(&r, "commit"));
	myraw_forget(&r);
	require("sent", myraw_command(&r, MY_STMT_PREPARE, "select ?", 8));
	free(said(&r));
	uint32_t id = r.statement;
	check_has("no types", execute_raw(&r, MY_STMT_EXECUTE, id, "\0\1\0\0\0\0\0\0\0\0", 10), "1210");
	check_has("cut", execute_raw(&r, MY_STMT_EXECUTE, id, "\0\1\0\0\0", 5), my_is_mysql() ? "1835" : "1210");
	check_has("types", execute_raw(&r, MY_STMT_EXECUTE, id, "\0\1\0\0\0\0\1\1\0\5", 10), "5");
	check_has("no more", execute_raw(&r, MY_STMT_EXECUTE, id, "\0\1\0\0\0\0\0\6", 8), "6");
	check_has("no cursor", execute_raw(&r, MY_STMT_FETCH, id, "\1\0\0\0", 4), "1421");
	check_has("reset", execute_raw(&r, MY_STMT_RESET, id, "", 0), "ok");
	/* It is forgotten with the session. */
	free(myraw_ask(&r, "begin"));
	myraw_forget(&r);
	require("sent", myraw_command(&r, MY_RESET_CONNECTION, "", 0));
	free(said(&r));
	check_has("forgotten", execute_raw(&r, MY_STMT_EXECUTE, id, "\0\1\0\0\0\0\0\6", 8), "1243");
	myraw_close(&r, true);
}

/* MariaDB's clients send an EXECUTE along with the PREPARE, and many rows at once. */
static void test_mariadb(void)
{
	start(2, "");
	my_close(my_client(NULL)); /* what its server can is known then */
	my_sql("drop table if exists test.t; create table test.t (a int, b varchar(9))");
	for (int i = 0; i < 3; i++) {
		MYSQL *c = my_client(NULL), *other = my_client(NULL);
		MYSQL_STMT *st = mysql_stmt_init(c);
		check("at once", mariadb_stmt_execute_direct(st, "select 11", 9) == 0);
		check_str("its rows", rows(st), "11");
		mysql_stmt_close(st);
		st = mysql_stmt_init(c);
		check("that fails", mariadb_stmt_execute_direct(st, "nonsense", 8) != 0);
		check_eq("with its error", mysql_stmt_errno(st), 1064);
		mysql_stmt_close(st);
		if (my_is_mysql() || !my_tells())
			continue;
		int a[] = { 1, 2, 3 };
		char *b[] = { "x", "y", "z" };
		unsigned long lens[] = { 1, 1, 1 };
		unsigned n = 3;
		MYSQL_BIND v[2] = { { .buffer_type = MYSQL_TYPE_LONG, .buffer = a },
				    { .buffer_type = MYSQL_TYPE_STRING, .buffer = b, .length = lens } };
		st = prepare(c, "insert into t values (?, ?)");
		mysql_stmt_attr_set(st, STMT_ATTR_ARRAY_SIZE, &n);
		require("bound", mysql_stmt_bind_param(st, v) == 0);
		check_str("three rows", mysql_stmt_execute(st) ? mysql_stmt_error(st) : "", "");
		my_run(other, "begin");
		my_run(other, "select 1");
		check_str("three rows more, on another server", mysql_stmt_execute(st) ? mysql_stmt_error(st) : "", "");
		check_eq("rows", mysql_stmt_affected_rows(st), 3);
		my_run(other, "commit");
		mysql_stmt_close(st);
		check_my(c, "select count(*), sum(a), max(b) from t", text("%d,%d,z", 6 * (i + 1), 12 * (i + 1)));
	}
}

/* Where nothing is mapped, who prepares keeps its server; so does whoever prepares what is too long to be kept. */
static void test_kept(void)
{
	start(2, "max_prepared_statements = 0\n");
	MYSQL *c = my_client(NULL), *console = my_console();
	MYSQL_STMT *st = prepare(c, "select 1");
	check_str("it runs", run_st(st), "1");
	check_str("pinned", my_show(console, "clients", "user", "alice", "pins"), "prepared");
	mysql_stmt_close(st);
	check_my(c, "select 2", "2");
	check_str("closed", my_show(console, "clients", "user", "alice", "pins"), "");
	sluice_stop();
	start(2, "");
	char *sql = malloc(100000);
	require("memory", sql != NULL);
	memset(sql, ' ', 100000);
	memcpy(sql, "select 1", 8);
	memcpy(sql + 99990, "+ 1", 4);
	c = my_client(NULL);
	console = my_console();
	st = prepare(c, sql);
	free(sql);
	check_str("it runs", run_st(st), "2");
	check_str("pinned", my_show(console, "clients", "user", "alice", "pins"), "prepared");
	mysql_stmt_close(st);
	check_my(c, "select 2", "2");
	check_str("closed", my_show(console, "clients", "user", "alice", "pins"), "");
	my_close(c);
}

/* What is about its session means the same as if it were not prepared, and keeps nobody on a server for that. */
static void test_about(void)
{
	start(my_tells() ? 1 : 3, ""); /* what is not told pins */
	my_sql("drop table if exists test.t; create table test.t (id int auto_increment primary key, n int)");
	my_sql("drop procedure if exists test.q; create procedure test.q(a int) select a + 1");
	MYSQL *a = my_client(NULL), *b = my_client(NULL);
	MYSQL_STMT *zone = prepare(a, "set time_zone = ?"), *id = prepare(a, "select last_insert_id()"),
		   *count = prepare(a, "select row_count()"), *found = prepare(a, "select found_rows()"),
		   *number = prepare(a, "select connection_id()"), *call = prepare(a, "call q(?)"),
		   *insert = prepare(a, "insert into t (n) values (?), (4)"),
		   *other = prepare(b, "set time_zone = '+02:00'");
	int five = 5;
	bind_text(zone, "+01:00");
	bind_int(insert, &five);
	bind_int(call, &five);
	check_str("set", run_st(zone), "");
	check_str("set", run_st(other), "");
	check_my(a, "select @@time_zone", "+01:00");
	check_my(b, "select @@time_zone", "+02:00");
	for (int i = 0; i < 3; i++) {
		check_str("insert", run_st(insert), "");
		check_my(b, "insert into t (n) values (1), (2), (3), (4), (5)", "ok 5");
		check_str("its rows", run_st(count), "2");
		check_my(b, "select 1", "1");
		check_str("its id", run_st(id), text("%d", 1 + 7 * i));
		check_my(b, "select 1 union select 2 union select 3", "1|2|3");
		check_str("its rows", run_st(found), "1");
		check_my(b, "select 1", "1");
		check_str("its number", run_st(number), text("%lu", mysql_thread_id(a)));
		check_str("call", run_st(call), "6");
		while (mysql_stmt_next_result(call) == 0)
			;
		check_my(b, "select 1", "1");
	}
	mysql_stmt_close(zone);
	mysql_stmt_close(id);
	mysql_stmt_close(count);
	mysql_stmt_close(found);
	mysql_stmt_close(number);
	mysql_stmt_close(call);
	mysql_stmt_close(insert);
	mysql_stmt_close(other);
	MYSQL_STMT *user = prepare(a, "set @u = 3");
	MYSQL *console = my_console();
	char *who = my_id(mysql_thread_id(a));
	if (my_tells())
		check_str("prepared alone it pins nobody", my_show(console, "clients", "id", who, "pins"), "");
	check_str("it runs", run_st(user), "");
	check("but run", strstr(my_show(console, "clients", "id", who, "pins"), "user_variable") != NULL);
	mysql_stmt_close(user);
}

/* What would keep its server is refused where that is not wanted, and the connection goes on. */
static void test_refused(void)
{
	start(1, "pin_policy = error\n");
	MYSQL *c = my_client(NULL);
	unsigned long kind = CURSOR_TYPE_READ_ONLY;
	MYSQL_STMT *st = prepare(c, "select 1 union select 2"), *put = prepare(c, "select ?");
	mysql_stmt_attr_set(st, STMT_ATTR_CURSOR_TYPE, &kind);
	check("a cursor", mysql_stmt_execute(st) != 0 && mysql_stmt_errno(st) == 1235);
	bind_text(put, "");
	check("long data is not answered", mysql_stmt_send_long_data(put, 0, "abc", 3) == 0);
	check("but with its statement", mysql_stmt_execute(put) != 0 && mysql_stmt_errno(put) == 1235);
	check_str("once", run_st(put), "");
	check_my(c, "select 3", "3");
	mysql_stmt_close(st);
	mysql_stmt_close(put);
	char *sql = malloc(80000);
	require("memory", sql != NULL);
	memset(sql, ' ', 79999);
	memcpy(sql, "select 1", 8);
	st = mysql_stmt_init(c);
	check("a long one", mysql_stmt_prepare(st, sql, 79999) != 0 && mysql_stmt_errno(st) == 1235);
	mysql_stmt_close(st);
	free(sql);
	check_my(c, "select 4", "4");
}

/* Texts take memory, of which nobody has more than is his. */
static void test_texts(void)
{
	enum { MANY = 400, LENGTH = 60000 };
	start(1, "");
	MYSQL *c = my_client(NULL);
	MYSQL_STMT *st[MANY];
	char *sql = malloc(LENGTH);
	int n = 0;
	require("memory", sql != NULL);
	memset(sql, ' ', LENGTH);
	for (; n < MANY; n++) {
		snprintf(sql, LENGTH, "select %d", n);
		sql[strlen(sql)] = ' ';
		st[n] = mysql_stmt_init(c);
		if (mysql_stmt_prepare(st[n], sql, LENGTH))
			break;
	}
	check(text("%d fit", n), n > 100 && n < MANY);
	check_eq("the error of too many", mysql_stmt_errno(st[n]), 1461);
	mysql_stmt_close(st[n]);
	mysql_stmt_close(st[--n]);
	st[n] = prepare(c, "select 5");
	check_str("less is more", run_st(st[n]), "5");
	for (; n >= 0; n--)
		mysql_stmt_close(st[n]);
	free(sql);
}

static const struct unit_test tests[] = {
	{ "refused", test_refused }, { "texts", test_texts },
	{ "shared", test_shared },   { "moved", test_moved },
	{ "meaning", test_meaning }, { "long_data", test_long_data },
	{ "cursors", test_cursors }, { "gone", test_gone },
	{ "many", test_many },       { "unknown", test_unknown },
	{ "mariadb", test_mariadb }, { "kept", test_kept },
	{ "about", test_about },     { NULL, NULL },
};

int main(int argc, char **argv)
{
	return harness_my_main(argc, argv, "my_prepared", tests);
}
