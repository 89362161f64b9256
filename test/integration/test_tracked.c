/* test_tracked.c - settings of clients that cannot be put on another server as they are: values that mean something
 * else under another client_encoding, and parameters of which the server does not report what has become. */
#include "harness.h"

#include <stdio.h>
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
		check_str("refused", raw_scalar(fd, "select 1"), peer_version() ? "08P01" : "0A000");
		check_scalar(before, "select count(*) from precious", "0");
	}
	sql(before, "drop table precious");
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
		{ "parameters_that_are_not_reported", test_parameters_that_are_not_reported },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "tracked", tests);
}
