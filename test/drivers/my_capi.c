/* my_capi.c - the C API, libmariadb: texts, prepared statements, several results, LOAD DATA LOCAL, cursors, bulk, long
 * data, COM_CHANGE_USER, COM_RESET_CONNECTION, each by more clients than there are servers. README.md says how it is
 * called and what it prints. */
#include <mysql.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char why[512]; /* why a case failed; "": it did not */
static const char *mode;

static void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void fail(const char *fmt, ...)
{
	va_list ap;
	if (*why)
		return;
	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
}

static bool is_mariadb(void)
{
	const char *kind = getenv("MYSQL_KIND");
	return kind && strcmp(kind, "mariadb") == 0;
}

static MYSQL *connect_with(unsigned long flags)
{
	MYSQL *c = mysql_init(NULL);
	const char *host = getenv("MYSQL_HOST"), *port = getenv("MYSQL_TCP_PORT");
	mysql_options(c, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	unsigned yes = 1;
	if (flags & CLIENT_LOCAL_FILES)
		mysql_options(c, MYSQL_OPT_LOCAL_INFILE, &yes);
	if (!mysql_real_connect(c, host, getenv("MYSQL_USER"), getenv("MYSQL_PASSWORD"), getenv("MYSQL_DATABASE"),
				port ? (unsigned)atoi(port) : 0, NULL, flags))
		fail("connect: %u %s", mysql_errno(c), mysql_error(c));
	return c;
}

/* Runs it; the first field of the last row, or of an OK, the number of rows; in a buffer that the next call uses. */
static const char *ask(MYSQL *c, const char *query)
{
	static char got[8][256];
	static unsigned turn;
	char *out = got[turn++ % 8];
	*out = 0;
	if (mysql_query(c, query) != 0) {
		snprintf(out, 256, "error %u", mysql_errno(c));
		return out;
	}
	do {
		MYSQL_RES *r = mysql_store_result(c);
		MYSQL_ROW row;
		if (!r && mysql_errno(c)) {
			snprintf(out, 256, "error %u", mysql_errno(c));
			return out;
		}
		if (!r)
			snprintf(out, 256, "%llu", (unsigned long long)mysql_affected_rows(c));
		while (r && (row = mysql_fetch_row(r)))
			snprintf(out, 256, "%s", row[0] ? row[0] : "null");
		if (r)
			mysql_free_result(r);
	} while (mysql_next_result(c) == 0);
	if (mysql_errno(c))
		snprintf(out, 256, "error %u", mysql_errno(c));
	return out;
}

static void same(MYSQL *c, const char *query, const char *want)
{
	const char *got = ask(c, query);
	if (strcmp(got, want) != 0)
		fail("%s: got %s, want %s (%s)", query, got, want, mysql_error(c));
}

/* ------------------------------------------------------------------------------------------------ cases */

static void console(void)
{
	MYSQL *c = connect_with(0);
	if (strncmp(ask(c, "SHOW VERSION"), "Sluice", 6) != 0)
		fail("no version");
	if (strncmp(ask(c, "SHOW NONSENSE"), "error", 5) != 0)
		fail("nonsense is shown");
	same(c, "select 1", "1");
	mysql_close(c);
}

static void several_results(void)
{
	MYSQL *c = connect_with(CLIENT_MULTI_STATEMENTS);
	unsigned results = 0;
	if (mysql_query(c, "select 1, 2; do 1; select 'a' union select 'b'; selec") != 0)
		fail("%s", mysql_error(c));
	do {
		MYSQL_RES *r = mysql_store_result(c);
		results++;
		if (r)
			mysql_free_result(r);
	} while (mysql_next_result(c) == 0);
	if (results != 3 || mysql_errno(c) != 1064)
		fail("%u results, then %u", results, mysql_errno(c));
	same(c, "select 7", "7");
	mysql_set_server_option(c, MYSQL_OPTION_MULTI_STATEMENTS_OFF);
	same(c, "select 1; select 2", "error 1064");
	mysql_set_server_option(c, MYSQL_OPTION_MULTI_STATEMENTS_ON);
	same(c, "select 1; select 2", "2");
	mysql_close(c);
	c = connect_with(0);
	same(c, "select 1; select 2", "error 1064");
	mysql_close(c);
}

static MYSQL_STMT *prepare(MYSQL *c, const char *query)
{
	MYSQL_STMT *s = mysql_stmt_init(c);
	if (mysql_stmt_prepare(s, query, strlen(query)) != 0)
		fail("%s: %s", query, mysql_stmt_error(s));
	return s;
}

static MYSQL_BIND bind_int(int *v)
{
	MYSQL_BIND b;
	memset(&b, 0, sizeof b);
	b.buffer_type = MYSQL_TYPE_LONG;
	b.buffer = v;
	return b;
}

static MYSQL_BIND bind_text(char *v, unsigned long size, unsigned long *len)
{
	MYSQL_BIND b;
	memset(&b, 0, sizeof b);
	b.buffer_type = MYSQL_TYPE_STRING;
	b.buffer = v;
	b.buffer_length = size;
	b.length = len;
	return b;
}

/* Executes with this, and its one row of one number is that. */
static void executed(MYSQL_STMT *s, MYSQL_BIND *in, int want)
{
	int got = -1;
	MYSQL_BIND out = bind_int(&got);
	if ((in && mysql_stmt_bind_param(s, in)) || mysql_stmt_execute(s) || mysql_stmt_bind_result(s, &out) ||
	    mysql_stmt_store_result(s) || mysql_stmt_fetch(s))
		fail("execute: %u %s", mysql_stmt_errno(s), mysql_stmt_error(s));
	else if (got != want)
		fail("execute: got %d, want %d", got, want);
	mysql_stmt_free_result(s);
}

static void prepared(void)
{
	enum { N = 8 };
	MYSQL *c[N];
	MYSQL_STMT *plus[N], *own[N];
	char text[64];
	for (int i = 0; i < N; i++) {
		c[i] = connect_with(0);
		plus[i] = prepare(c[i], "select ? + 1");
		snprintf(text, sizeof text, "select ? * %d", i);
		own[i] = prepare(c[i], text);
	}
	for (int round = 0; round < 12 && !*why; round++)
		for (int i = 0; i < N; i++) {
			int v = round * 10 + i;
			MYSQL_BIND in = bind_int(&v);
			executed(plus[i], &in, v + 1);
			executed(own[(i + round) % N], &in, v * ((i + round) % N));
			if (round == 5) { /* types change */
				char s[8];
				unsigned long len = (unsigned long)snprintf(s, sizeof s, "%d", v);
				MYSQL_BIND as_text = bind_text(s, sizeof s, &len);
				executed(plus[i], &as_text, v + 1);
			}
			if (round == 7) {
				mysql_stmt_close(own[i]);
				snprintf(text, sizeof text, "select ? * %d", i);
				own[i] = prepare(c[i], text);
			}
		}
	for (int i = 0; i < N; i++) {
		MYSQL_STMT *s = mysql_stmt_init(c[i]);
		if (mysql_stmt_prepare(s, "selec ?", 7) == 0 || mysql_stmt_errno(s) != 1064)
			fail("an error: %u", mysql_stmt_errno(s));
		mysql_stmt_close(s);
		mysql_stmt_close(plus[i]);
		mysql_stmt_close(own[i]);
		mysql_close(c[i]);
	}
}

static void long_data(void)
{
	MYSQL *c = connect_with(0), *d = connect_with(0);
	MYSQL_STMT *s = prepare(c, "select length(?) + ?"), *t = prepare(d, "select length(?) + ?");
	char part[1000];
	int more = 7;
	memset(part, 'x', sizeof part);
	MYSQL_BIND in[2] = { bind_text(NULL, 0, NULL), bind_int(&more) };
	in[0].buffer_type = MYSQL_TYPE_LONG_BLOB;
	for (int round = 0; round < 3; round++) {
		if (mysql_stmt_bind_param(s, in) || mysql_stmt_bind_param(t, in))
			fail("bind");
		for (int i = 0; i < 50; i++) {
			if (mysql_stmt_send_long_data(s, 0, part, sizeof part) ||
			    (i < 10 && mysql_stmt_send_long_data(t, 0, part, 999)))
				fail("send_long_data: %s", mysql_stmt_error(s));
			if (i % 10 == 9)
				same(d, "select 1", "1");
		}
		executed(s, in, 50007);
		executed(t, in, 9997);
		if (mysql_stmt_send_long_data(s, 0, part, sizeof part) || mysql_stmt_reset(s))
			fail("reset: %s", mysql_stmt_error(s));
	}
	mysql_stmt_close(s);
	mysql_stmt_close(t);
	mysql_close(c);
	mysql_close(d);
}

static void cursors(void)
{
	MYSQL *c = connect_with(0), *d = connect_with(0);
	static const char query[] =
		"select a.n + b.n * 10 from (select 0 n union select 1 union select 2 union select 3) a, "
		"(select 0 n union select 1 union select 2 union select 3) b order by 1";
	MYSQL_STMT *s = prepare(c, query);
	unsigned long type = CURSOR_TYPE_READ_ONLY, rows = 3;
	int got = -1, n = 0;
	MYSQL_BIND out = bind_int(&got);
	mysql_stmt_attr_set(s, STMT_ATTR_CURSOR_TYPE, &type);
	mysql_stmt_attr_set(s, STMT_ATTR_PREFETCH_ROWS, &rows);
	for (int round = 0; round < 2; round++) {
		if (mysql_stmt_execute(s) || mysql_stmt_bind_result(s, &out))
			fail("execute: %s", mysql_stmt_error(s));
		for (n = 0; mysql_stmt_fetch(s) == 0; n++) {
			if (got != n % 4 + n / 4 * 10)
				fail("row %d is %d", n, got);
			same(d, "select 5", "5");
			if (n % 5 == 0)
				same(c, "select 6", "6");
		}
		if (n != 16)
			fail("%d rows", n);
		mysql_stmt_free_result(s);
	}
	mysql_stmt_close(s);
	mysql_close(c);
	mysql_close(d);
}

static void bulk(void)
{
	if (!is_mariadb())
		return;
	MYSQL *c = connect_with(0);
	same(c, "create temporary table b (n int, s varchar(20))", "0");
	int n[100];
	char *s[100], texts[100][8];
	unsigned long lens[100];
	for (int i = 0; i < 100; i++) {
		n[i] = i;
		lens[i] = (unsigned long)snprintf(texts[i], sizeof texts[i], "row%d", i);
		s[i] = texts[i];
	}
	MYSQL_STMT *st = prepare(c, "insert into b values (?, ?)");
	unsigned rows = 100;
	MYSQL_BIND in[2];
	memset(in, 0, sizeof in);
	in[0].buffer_type = MYSQL_TYPE_LONG;
	in[0].buffer = n;
	in[1].buffer_type = MYSQL_TYPE_STRING;
	in[1].buffer = s;
	in[1].length = lens;
	mysql_stmt_attr_set(st, STMT_ATTR_ARRAY_SIZE, &rows);
	for (int i = 0; i < 3; i++)
		if (mysql_stmt_bind_param(st, in) || mysql_stmt_execute(st))
			fail("bulk: %s", mysql_stmt_error(st));
	same(c, "select concat(count(*), ' ', sum(n), ' ', max(s)) from b", "300 14850 row99");
	mysql_stmt_close(st);
	mysql_close(c);
}

static int feed_init(void **at, const char *name, void *arg)
{
	(void)name;
	*at = arg;
	*(int *)arg = 0;
	return 0;
}

static int feed_read(void *at, char *buf, unsigned size)
{
	int *n = at, len = 0;
	while (*n < 30000 && (unsigned)len + 32 < size)
		len += sprintf(buf + len, "%d\tthis is row %d\n", *n, *n), ++*n;
	return len;
}

static void feed_end(void *at)
{
	(void)at;
}

static int feed_error(void *at, char *buf, unsigned size)
{
	(void)at;
	snprintf(buf, size, "the feed failed");
	return 2;
}

static int feed_refuse(void **at, const char *name, void *arg)
{
	(void)name;
	*at = arg;
	return 1;
}

static void local_infile(void)
{
	MYSQL *c = connect_with(CLIENT_LOCAL_FILES);
	int n = 0;
	same(c, "create temporary table l (n int, s varchar(40))", "0");
	mysql_set_local_infile_handler(c, feed_init, feed_read, feed_end, feed_error, &n);
	same(c, "load data local infile 'feed' into table l", "30000");
	mysql_set_local_infile_handler(c, feed_refuse, feed_read, feed_end, feed_error, &n);
	if (strncmp(ask(c, "load data local infile 'feed' into table l"), "error", 5) != 0)
		fail("a refused file");
	same(c, "select concat(count(*), ' ', sum(n)) from l", "30000 449985000");
	mysql_close(c);
	c = connect_with(0);
	if (strncmp(ask(c, "load data local infile '/etc/passwd' into table nowhere"), "error", 5) != 0)
		fail("without the capability");
	same(c, "select 1", "1");
	mysql_close(c);
}

static void change_user(void)
{
	MYSQL *c = connect_with(0), *d = connect_with(0);
	same(c, "set @a = 1", "0");
	same(c, "set time_zone = '+03:00'", "0");
	if (mysql_change_user(c, "bob", "bob-secret", "test"))
		fail("change_user: %u %s", mysql_errno(c), mysql_error(c));
	same(c, "select substring_index(current_user(), '@', 1)", "bob");
	same(c, "select @a", "null");
	same(c, "select @@time_zone", "+00:00");
	same(d, "select substring_index(current_user(), '@', 1)", "alice");
	if (mysql_change_user(c, "alice", "alice-secret", NULL))
		fail("and back: %u %s", mysql_errno(c), mysql_error(c));
	same(c, "select database()", "null");
	same(c, "select substring_index(current_user(), '@', 1)", "alice");
	if (mysql_change_user(c, "bob", "wrong", "test") == 0 || mysql_errno(c) != 1045)
		fail("a wrong password: %u", mysql_errno(c));
	mysql_close(c);
	mysql_close(d);
}

static void reset_connection(void)
{
	MYSQL *c = connect_with(0);
	char id[32], now[32];
	snprintf(id, sizeof id, "%lu", mysql_thread_id(c));
	for (int i = 0; i < 2; i++) {
		same(c, "set @a = 1", "0");
		same(c, "create temporary table r (n int)", "0");
		same(c, "set autocommit = 0", "0");
		same(c, "set sql_mode = 'ANSI_QUOTES'", "0");
		if (mysql_reset_connection(c))
			fail("reset: %s", mysql_error(c));
		same(c, "select @a", "null");
		same(c, "select n from r", "error 1146");
		same(c, "select @@autocommit", "1");
		same(c, "select \"a\"", "a");
		same(c, "select database()", "test");
	}
	snprintf(now, sizeof now, "%s", ask(c, "select connection_id()"));
	if (strcmp(id, now) != 0)
		fail("it was %s and is %s", id, now);
	MYSQL_STMT *s = prepare(c, "select 1");
	mysql_reset_connection(c);
	if (mysql_stmt_execute(s) == 0)
		fail("a statement outlived it");
	mysql_stmt_close(s);
	same(c, "select 1", "1");
	mysql_close(c);
}

static void other_commands(void)
{
	MYSQL *c = connect_with(0), *d = connect_with(0);
	for (int i = 0; i < 3; i++) {
		if (mysql_ping(c))
			fail("ping: %s", mysql_error(c));
		const char *stat = mysql_stat(c);
		if (!stat || !strstr(stat, "Uptime"))
			fail("stat: %s", stat ? stat : mysql_error(c));
	}
	(void)ask(c, "drop database if exists capi");
	same(c, "create database capi", "1");
	if (mysql_select_db(c, "capi"))
		fail("select_db: %s", mysql_error(c));
	if (mysql_select_db(c, "nowhere") == 0 || mysql_errno(c) != 1049)
		fail("a schema that is not: %u", mysql_errno(c));
	same(d, "select database()", "test");
	same(c, "select database()", "capi");
	if (mysql_set_character_set(c, "latin1"))
		fail("character set");
	same(d, "select @@character_set_client", "utf8mb4");
	same(c, "select @@character_set_client", "latin1");
	same(c, "create table if not exists fl (a int, b varchar(9) default 'x')", "0");
	MYSQL_RES *r = is_mariadb() ? mysql_list_fields(c, "fl", "%") : NULL;
	if (is_mariadb() && (!r || mysql_num_fields(r) != 2))
		fail("list_fields: %s", mysql_error(c));
	if (r)
		mysql_free_result(r);
	unsigned long id = mysql_thread_id(c);
	char text[64];
	snprintf(text, sizeof text, "%lu", id);
	same(c, "select connection_id()", text);
	if (mysql_kill(d, id))
		fail("kill: %u %s", mysql_errno(d), mysql_error(d));
	bool gone = false;
	for (int i = 0; i < 100 && !gone; i++) {
		gone = strncmp(ask(c, "select 1"), "error", 5) == 0;
		if (!gone)
			usleep(50000);
	}
	if (!gone)
		fail("it lives");
	mysql_close(c);
	mysql_close(d);
}

static void large(void)
{
	MYSQL *c = connect_with(0);
	size_t n = 17u << 20;
	char *query = malloc(n + 40);
	static const char head[] = "select length('";
	memcpy(query, head, sizeof head - 1);
	memset(query + sizeof head - 1, 'x', n);
	memcpy(query + sizeof head - 1 + n, "')", 3);
	same(c, query, "17825792");
	free(query);
	if (mysql_query(c, "select repeat('x', 17825792), 'y' union all select repeat('z', 40000000), 'w'") != 0)
		fail("%s", mysql_error(c));
	MYSQL_RES *r = mysql_use_result(c);
	MYSQL_ROW row;
	size_t sum = 0;
	while (r && (row = mysql_fetch_row(r)))
		sum += mysql_fetch_lengths(r)[0];
	if (r)
		mysql_free_result(r);
	if (sum != 57825792)
		fail("%zu bytes: %s", sum, mysql_error(c));
	same(c, "select 1", "1");
	mysql_close(c);
}

static void procedures(void)
{
	MYSQL *c = connect_with(CLIENT_MULTI_RESULTS);
	same(c, "drop procedure if exists capi_p", "0");
	same(c, "create procedure capi_p(in a int, out b int) begin select a; set b = a * 2; end", "0");
	MYSQL_STMT *s = prepare(c, "call capi_p(?, ?)");
	for (int i = 0; i < 3; i++) {
		int a = 20 + i, b = 0, got = -1, results = 0, outs = 0;
		MYSQL_BIND in[2] = { bind_int(&a), bind_int(&b) }, out = bind_int(&got);
		if (mysql_stmt_bind_param(s, in) || mysql_stmt_execute(s))
			fail("call: %s", mysql_stmt_error(s));
		do {
			bool is_out = (c->server_status & SERVER_PS_OUT_PARAMS) != 0;
			if (mysql_stmt_field_count(s) == 0)
				continue;
			if (mysql_stmt_bind_result(s, &out) || mysql_stmt_store_result(s) || mysql_stmt_fetch(s))
				fail("fetch: %s", mysql_stmt_error(s));
			if (got != (is_out ? 2 * a : a))
				fail("got %d, %s", got, is_out ? "out" : "a row");
			outs += is_out;
			results++;
			mysql_stmt_free_result(s);
		} while (mysql_stmt_next_result(s) == 0);
		if (results != 2 || outs != 1)
			fail("%d results, %d of them of OUT", results, outs);
	}
	mysql_stmt_close(s);
	mysql_close(c);
}

static void many_clients(void)
{
	enum { N = 12 };
	MYSQL *c[N];
	char query[64], want[16];
	for (int i = 0; i < N; i++)
		c[i] = connect_with(0);
	for (int n = 0; n < 10 * N; n++) {
		snprintf(query, sizeof query, "select %d", n);
		snprintf(want, sizeof want, "%d", n);
		same(c[n % N], query, want);
	}
	/* All ask, then all are answered. */
	for (int i = 0; i < N; i++)
		if (mysql_send_query(c[i], "select connection_id()", 22))
			fail("send");
	for (int i = 0; i < N; i++) {
		MYSQL_RES *r = mysql_read_query_result(c[i]) ? NULL : mysql_store_result(c[i]);
		MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
		if (!row || strtoul(row[0], NULL, 10) != mysql_thread_id(c[i]))
			fail("another number: %s", row ? row[0] : mysql_error(c[i]));
		if (r)
			mysql_free_result(r);
	}
	for (int i = 0; i < N; i++)
		mysql_close(c[i]);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
		bool console;
	} cases[] = {
		{ "console", console, true },
		{ "several_results", several_results, false },
		{ "prepared", prepared, false },
		{ "long_data", long_data, false },
		{ "cursors", cursors, false },
		{ "bulk", bulk, false },
		{ "local_infile", local_infile, false },
		{ "change_user", change_user, false },
		{ "reset_connection", reset_connection, false },
		{ "other_commands", other_commands, false },
		{ "large", large, false },
		{ "procedures", procedures, false },
		{ "many_clients", many_clients, false },
	};
	mode = argc > 1 ? argv[1] : "";
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (cases[i].console != (strcmp(mode, "console") == 0))
			continue;
		*why = 0;
		cases[i].run();
		if (*why)
			printf("not ok %s: %s\n", cases[i].name, why);
		else
			printf("ok %s\n", cases[i].name);
		fflush(stdout);
	}
	return 0;
}
