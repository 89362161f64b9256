/* test_tracked.c - settings of clients that cannot be put on another server as they are: values that mean something
 * else under another client_encoding, and parameters of which the server does not report what has become. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A start-up packet of alice's with one more parameter, whose value may be any bytes. */
static void start_with(int fd, const char *name, const char *value)
{
	char packet[512] = { 0 };
	size_t n = 8;
	packet[5] = 3;
	n += (size_t)snprintf(packet + n, 100, "user%calice%cdatabase%ctest", 0, 0, 0) + 1;
	n += (size_t)snprintf(packet + n, 100, "%s", name) + 1;
	n += (size_t)snprintf(packet + n, 250, "%s", value) + 2;
	packet[2] = (char)(n >> 8);
	packet[3] = (char)n;
	require("start-up", raw_send(fd, packet, n));
}

static char body[2048];
static size_t len;

/* What a query for one text gives to this client: the text, or the SQLSTATE of its error. */
static const char *raw_scalar(int fd, const char *query)
{
	char type = 0;
	const char *got = "";
	require(query, raw_message(fd, 'Q', query, strlen(query) + 1));
	while (type != 'Z' && raw_next(fd, &type, body, sizeof body, &len)) {
		if (type == 'D' && len >= 6)
			got = text("%s", body + 6);
		if (type == 'E')
			got = text("%s", error_field(body, len, 'C'));
	}
	return got;
}

/* As in PostgreSQL itself, whatever is not printable ASCII becomes a question mark; so the name can be set again on
 * each server, and is reported as it was asked for. */
static void test_application_names(void)
{
	static const struct {
		const char *what, *name, *shown;
	} cases[] = {
		{ "Latin 1", "caf\xe9", "caf?" },
		{ "UTF-8", "caf\xc3\xa9", "caf??" },
		{ "control characters", "a\tb\x7f", "a?b?" },
		{ "half a character of SJIS before the quote", "x\x83", "x?" },
		{ "quotes", "it's \\'n\\", "it's \\'n\\" },
	};
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *other = client("application_name=other");
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		int fd = raw_open();
		start_with(fd, "application_name", cases[i].name);
		check(what, raw_expect(fd, 'Z', body, sizeof body, &len));
		for (int round = 0; round < 2; round++) {
			check_str(what, raw_scalar(fd, "show application_name"), cases[i].shown);
			check_scalar(other, "show application_name", "other");
		}
		raw_close(fd);
	}
}

/* The statement that sets it would be read in the encoding of whoever had the server before, and in some of them the
 * second byte of a character may be a backslash or a quote. */
static void test_values_that_are_not_ascii(void)
{
	static const char *const values[] = { "\x83\\'; drop table precious; --", "Europe/\xc3\x85" };
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *before = client(NULL);
	sql(before, "create table precious (n int); set client_encoding = 'SJIS'");
	for (size_t i = 0; i < COUNT(values); i++) {
		int fd = raw_open();
		start_with(fd, "TimeZone", values[i]);
		check("in", raw_expect(fd, 'Z', body, sizeof body, &len));
		check_scalar(before, "show client_encoding", "SJIS");
		check_str("refused", raw_scalar(fd, "select 1"), i == 0 ? "22021" : "22023");
		check_scalar(before, "select count(*) from precious", "0");
		check_str("once", raw_scalar(fd, "show timezone"), "UTC");
	}
	sql(before, "drop table precious");
}

static const char *hex_of(PGconn *c, const char *name)
{
	return scalar(c, "select encode(convert_to(current_setting('%s'), 'UTF8'), 'hex')", name);
}

/* They go to other servers as they are, whatever encoding either client has. */
static void test_values_travel(void)
{
	static const struct {
		const char *encoding, *said, *is;
	} cases[] = {
		{ "UTF8", "J\xc3\xbcrgen", "4ac3bc7267656e" }, { "LATIN1", "J\xfcrgen", "4ac3bc7267656e" },
		{ "LATIN1", "\xc3\xbc", "c383c2bc" },          { "SJIS", "\x83\x5c", "e382bd" },
		{ "UTF8", "\1UTF8\1x", "01555446380178" },     { "UTF8", "\1\xc3\xbc", "01c3bc" },
	};
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *others[3] = { client("client_encoding=UTF8"), client("client_encoding=SJIS"),
			      client("client_encoding=LATIN1") };
	for (size_t i = 0; i < COUNT(cases); i++)
		for (int config = 0; config < 2; config++) {
			PGconn *c = client("client_encoding=%s", cases[i].encoding);
			sql(c, config ? "select set_config('app.u', '%s', false)" : "set app.u = '%s'", cases[i].said);
			for (size_t k = 0; k < COUNT(others); k++) {
				/* The same bytes, and something else. */
				sql(others[k], "set app.u = '\xc3\xbc'");
				check_str(cases[i].said, hex_of(c, "app.u"), cases[i].is);
				check_str("other", hex_of(others[k], "app.u"),
					  k == 0   ? "c3bc"
					  : k == 1 ? "efbe83efbdbc"
						   : "c383c2bc");
			}
			sql(c, "reset app.u");
			check_scalar(c, "select current_setting('app.u', true)", "");
			client_close(c);
		}
	/* What only the server could read keeps it. */
	PGconn *c = client("client_encoding=LATIN1"), *boss = console();
	sql(c, "set app.u = E'\xfc\\x41'");
	check_eq("pinned", show_int(boss, "pools", "database", "test", "sv_active"), 1);
	sql(c, "reset all");
	check_eq("not any more", show_int(boss, "pools", "database", "test", "sv_active"), 0);
	/* search_path is reported by 18. */
	sql(others[0], "create schema \"sch\xc3\xa9ma\"; create table \"sch\xc3\xa9ma\".here (n int)");
	sql(c, "set search_path to \"sch\xe9ma\"");
	for (int i = 0; i < 2; i++) {
		sql(others[i], "set search_path to public");
		check_scalar(c, "select count(*) from here", "0");
		check_sql_fails(others[i], "select * from here", "42P01", "does not exist");
	}
	sql(c, "set client_encoding = UTF8"); /* 18 has told it in the other one */
	check_scalar(c, "select count(*) from here", "0");
	sql(c, "discard all");
	check_sql_fails(c, "select * from here", "42P01", "does not exist");
	client_close(c);
	sql(others[0], "drop schema \"sch\xc3\xa9ma\" cascade");
}

/* Where it cannot be taken back its server is closed, whatever the reason; its client hears once that it is gone. */
static void test_no_way_back(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *a = client(NULL), *b = client(NULL);
	sql(a, "set log_statement = 'ddl'; set work_mem = '5MB'");
	char *was = scalar(a, "select pg_backend_pid()");
	pg_sql("alter role alice nosuperuser");
	check("on another server", strcmp(scalar(b, "select pg_backend_pid()"), was) != 0);
	check_scalar(b, "show log_statement", "none");
	check_sql_fails(a, "select 1", "42501",
			"parameter \"log_statement\" cannot be set on another server connection");
	check_scalar(a, "show log_statement", "none");
	check_scalar(a, "show work_mem", "5MB");
	check_scalar(b, "show work_mem", "4MB");
	pg_sql("alter role alice superuser");
}

static PGresult *extended(PGconn *c, const char *query)
{
	return PQexecParams(c, query, 0, NULL, NULL, NULL, NULL, 0);
}

/* Who one is, is not forgotten: what would be run then would be another's. */
static void test_a_role_that_is_gone(void)
{
	static const char *const ways_out[] = { "reset role", "set role none", "discard all",
						"reset session authorization" };
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *b = client(NULL);
	for (size_t i = 0; i < COUNT(ways_out); i++)
		for (int how = 0; how < 2; how++) {
			PGconn *a = client(NULL);
			pg_sql("create role gone");
			sql(a, "set role gone");
			check_scalar(a, "select current_user", "gone");
			check_scalar(b, "select current_user", "alice");
			pg_sql("drop role gone");
			for (int k = 0; k < 2; k++) {
				check_sql_fails(a, "select 1", "22023", "\"role\"");
				check_result_fails(a, extended(a, "select 1"), "22023", "\"role\"");
			}
			check_sql_fails(a, "set role alice", "22023", "\"role\"");
			check_sql_fails(a, "reset all", "22023", "\"role\"");
			if (how)
				PQclear(extended(a, ways_out[i]));
			else
				sql(a, "%s", ways_out[i]);
			check_scalar(a, "select current_user", "alice");
			client_close(a);
		}
}

static void test_too_many(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 2");
	PGconn *a = client(NULL), *boss = console();
	for (int i = 0; i < 70; i++)
		sql(a, "set app.v%d = '%d'", i, i);
	check_str("pinned", show(boss, "clients", "database", "test", "pins"), "setting");
	for (int i = 0; i < 70; i += 23)
		check_str("is", scalar(a, "show app.v%d", i), text("%d", i));
	sql(a, "reset all");
	check_eq("not any more", show_int(boss, "pools", "database", "test", "sv_active"), 0);
	check_scalar(a, "select current_setting('app.v69', true)", "");
}

/* A server that does not take them. */
static void test_no_answer(void)
{
	static const struct {
		const char *mode, *limit, *sqlstate, *part;
	} cases[] = {
		{ "transaction", "set query_timeout = 1", "57014", "query timeout" },
		{ "transaction", "set server_connect_timeout = 1", "08006", "settings in time" },
		{ "transaction", "set server_connect_timeout = 1; set query_timeout = 900", "08006",
		  "settings in time" },
		{ "session", "set query_timeout = 1", "57014", "query timeout" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		sluice_with(text("pool_mode = %s\ndefault_pool_size = 1", cases[i].mode));
		PGconn *b = client(NULL);
		pid_t pid = (pid_t)strtol(scalar(b, "select pg_backend_pid()"), NULL, 10);
		client_close(b);
		PGconn *a = client("options='-c work_mem=5MB'"), *boss = console();
		wait_until("it is free", show_int(boss, "pools", "database", "test", "sv_idle") == 1);
		require("stopped", kill(pid, SIGSTOP) == 0);
		sql(boss, "%s", cases[i].limit); /* just now: nothing else is to exceed it */
		check_sql_fails(a, "select 1", cases[i].sqlstate, cases[i].part);
		sql(boss, "set query_timeout = 0; set server_connect_timeout = 15");
		check_scalar(a, "show work_mem", "5MB");
		kill(pid, SIGCONT);
		sluice_stop();
	}
}

/* A parameter that the server does not report: nobody would know what it is after a SET, so it does not go from client
 * to client. */
static void test_parameters_that_are_not_reported(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1\ntrack_extra_parameters = work_mem");
	PGconn *a = client("options='-c work_mem=7MB'"), *b = client(NULL);
	for (int i = 0; i < 3; i++) {
		check_scalar(a, "select 1", "1");
		check("work_mem", strcmp(scalar(b, "show work_mem"), "7MB") != 0);
	}
	check_eq("one server", pg_servers(), 1);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "application_names", test_application_names },
		{ "values_that_are_not_ascii", test_values_that_are_not_ascii },
		{ "values_travel", test_values_travel },
		{ "no_way_back", test_no_way_back },
		{ "a_role_that_is_gone", test_a_role_that_is_gone },
		{ "too_many", test_too_many },
		{ "no_answer", test_no_answer },
		{ "parameters_that_are_not_reported", test_parameters_that_are_not_reported },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "tracked", tests);
}
