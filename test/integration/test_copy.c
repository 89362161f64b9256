/* test_copy.c - COPY in and out: small, of many megabytes, and ended by errors on either side. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static const char *const modes[] = { "pool_mode = session", "pool_mode = transaction\ndefault_pool_size = 2" };

static void copy_begin(PGconn *c, const char *query, ExecStatusType want)
{
	PGresult *r = PQexec(c, query);
	check_eq(query, PQresultStatus(r), want);
	PQclear(r);
}

/* Ends a COPY in; the command's result. */
static PGresult *copy_end(PGconn *c, const char *why_not)
{
	check_eq("end of copy", PQputCopyEnd(c, why_not), 1);
	PGresult *r = PQgetResult(c), *more;
	while ((more = PQgetResult(c)))
		PQclear(more);
	return r;
}

/* Sends rows "n <TAB> text" of some size each. */
static void copy_rows(PGconn *c, int from, int to, int width)
{
	char *row = malloc((size_t)width + 32);
	for (int n = from; n < to; n++) {
		int len = sprintf(row, "%d\t", n);
		memset(row + len, 'a' + n % 26, (size_t)width);
		row[len + width] = '\n';
		if (PQputCopyData(c, row, len + width + 1) != 1) {
			check_eq("copy data", n, -1);
			break;
		}
	}
	free(row);
}

static size_t copy_out(PGconn *c, size_t *rows)
{
	char *row;
	int n;
	size_t bytes = 0;
	*rows = 0;
	while ((n = PQgetCopyData(c, &row, 0)) > 0) {
		bytes += (size_t)n;
		++*rows;
		PQfreemem(row);
	}
	check_eq("end of rows", n, -1);
	PGresult *r;
	while ((r = PQgetResult(c))) {
		check_eq("end of copy", PQresultStatus(r), PGRES_COMMAND_OK);
		PQclear(r);
	}
	return bytes;
}

static void test_in_and_out(void)
{
	static const struct {
		int rows, width;
	} sizes[] = { { 3, 10 }, { 0, 0 }, { 5000, 2000 }, { 4, 3000000 } };
	for (size_t m = 0; m < COUNT(modes); m++) {
		sluice_with(modes[m]);
		PGconn *c = client(NULL);
		sql(c, "create table copied (n int, t text)");
		for (size_t i = 0; i < COUNT(sizes); i++) {
			sql(c, "truncate copied");
			copy_begin(c, "copy copied from stdin", PGRES_COPY_IN);
			copy_rows(c, 0, sizes[i].rows, sizes[i].width);
			PGresult *r = copy_end(c, NULL);
			check_str("tag", PQcmdStatus(r), text("COPY %d", sizes[i].rows));
			PQclear(r);
			check_eq("bytes in the table",
				 atoi(scalar(c, "select coalesce(sum(length(t)), 0) from copied")),
				 sizes[i].rows * sizes[i].width);
			copy_begin(c, "copy copied (t) to stdout", PGRES_COPY_OUT);
			size_t rows, bytes = copy_out(c, &rows);
			check_eq("rows out", rows, sizes[i].rows);
			check_eq("bytes out", bytes, sizes[i].rows * (sizes[i].width + 1));
			check_scalar(c, "select 1", "1");
		}
		sql(c, "drop table copied");
		sluice_stop();
	}
}

static void test_by_extended_protocol(void)
{
	sluice_with(modes[1]);
	PGconn *c = client(NULL);
	sql(c, "create table copied (n int, t text)");
	PGresult *r = PQexecParams(c, "copy copied from stdin", 0, NULL, NULL, NULL, NULL, 0);
	check_eq("copy in", PQresultStatus(r), PGRES_COPY_IN);
	PQclear(r);
	copy_rows(c, 0, 100, 100);
	r = copy_end(c, NULL);
	check_str("tag", PQcmdStatus(r), "COPY 100");
	PQclear(r);
	check_scalar(c, "select count(*) from copied", "100");
	r = PQexecParams(c, "copy copied to stdout", 0, NULL, NULL, NULL, NULL, 0);
	check_eq("copy out", PQresultStatus(r), PGRES_COPY_OUT);
	PQclear(r);
	size_t rows;
	copy_out(c, &rows);
	check_eq("rows", rows, 100);
	check_scalar(c, "select 1", "1");
	sql(c, "drop table copied");
}

/* PostgreSQL gives up in the middle, while the client goes on sending megabytes for a while: it gets the error, and the
 * rest of its data goes nowhere. */
static void test_server_error_in_the_middle(void)
{
	for (size_t m = 0; m < COUNT(modes); m++) {
		sluice_with(modes[m]);
		PGconn *c = client(NULL), *other = client(NULL);
		sql(c, "create table copied (n int check (n <> 1000), t text)");
		for (int round = 0; round < 3; round++) {
			bool in_transaction = round == 1;
			if (in_transaction)
				sql(c, "begin");
			copy_begin(c, "copy copied from stdin", PGRES_COPY_IN);
			copy_rows(c, 990, 1010, 1000); /* the error is soon */
			copy_rows(c, 2000, 4000, 2000);
			check_result_fails(c, copy_end(c, NULL), "23514", "copied_n_check");
			check_eq("status", PQtransactionStatus(c), in_transaction ? PQTRANS_INERROR : PQTRANS_IDLE);
			if (in_transaction)
				sql(c, "rollback");
			check_scalar(c, "select count(*) from copied", "0");
			check_scalar(other, "select 1", "1");
		}
		wait_until("all servers are free",
			   show_int(console(), "POOLS", "database", "test", "sv_active") == (m == 0 ? 2 : 0));
		sql(c, "drop table copied");
		sluice_stop();
	}
}

/* CopyData and CopyDone that come after PostgreSQL's error and ReadyForQuery are late, not wrong: PostgreSQL ignores
 * them, and so the server must be free for others afterwards, and this client too. */
static void test_late_copy_data(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1\nquery_wait_timeout = 10");
	char body[512];
	size_t len = 0;
	for (int round = 0; round < 3; round++) {
		int fd = raw_open();
		check("start", raw_startup(fd, "alice", "test") && raw_expect(fd, 'Z', body, sizeof body, &len));
		check("copy", raw_message(fd, 'Q', "copy (select 1) from stdin", sizeof("copy (select 1) from stdin")));
		check("it is refused", raw_expect(fd, 'E', body, sizeof body, &len));
		check("ready", raw_expect(fd, 'Z', body, sizeof body, &len));
		check("late data", raw_message(fd, 'd', "1\n", 2) && raw_message(fd, 'c', "", 0));
		check("a query", raw_message(fd, 'Q', "select 5", sizeof("select 5")));
		check("its row", raw_expect(fd, 'D', body, sizeof body, &len));
		check_mem("its value", body, "\0\1\0\0\0\0015", 7);
		check("ready again", raw_expect(fd, 'Z', body, sizeof body, &len));
		check("late data, and gone", raw_message(fd, 'd', "1\n", 2) && raw_message(fd, 'f', "no", 3));
		if (round == 1)
			raw_close(fd);
		check_scalar(client(NULL), "select 1", "1");
	}
}

static void test_client_gives_up(void)
{
	sluice_with(modes[1]);
	PGconn *c = client(NULL);
	sql(c, "create table copied (n int, t text)");
	copy_begin(c, "copy copied from stdin", PGRES_COPY_IN);
	copy_rows(c, 0, 1000, 1000);
	check_result_fails(c, copy_end(c, "changed my mind"), "57014", "changed my mind");
	check_scalar(c, "select count(*) from copied", "0");
	sql(c, "drop table copied");
}

/* The client goes away in the middle of either direction: nothing is half done, and the pool is whole. */
static void test_client_vanishes(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *c = client(NULL);
	sql(c, "create table copied (n int, t text)");
	copy_begin(c, "copy copied from stdin", PGRES_COPY_IN);
	copy_rows(c, 0, 1000, 1000);
	PQflush(c);
	client_close(c);
	c = client(NULL);
	check_scalar(c, "select count(*) from copied", "0");
	copy_begin(c, "copy (select repeat('o', 1000) from generate_series(1, 50000)) to stdout", PGRES_COPY_OUT);
	char *row;
	check_eq("one row", PQgetCopyData(c, &row, 0), 1001);
	PQfreemem(row);
	client_close(c);
	c = client(NULL);
	check_scalar(c, "select 1", "1");
	sql(c, "drop table copied");
}

static void test_several_in_one_query(void)
{
	sluice_with(modes[1]);
	PGconn *c = client(NULL);
	sql(c, "create table copied (n int)");
	PQsendQuery(c, "copy copied from stdin; copy copied from stdin; select 3; copy (values (9)) to stdout");
	PGresult *r;
	for (int i = 0; i < 2; i++) {
		r = PQgetResult(c);
		check_eq("copy in", PQresultStatus(r), PGRES_COPY_IN);
		PQclear(r);
		PQputCopyData(c, "1\n2\n", 4);
		PQputCopyEnd(c, NULL);
		r = PQgetResult(c);
		check_str("tag", PQcmdStatus(r), "COPY 2");
		PQclear(r);
	}
	r = PQgetResult(c);
	check_str("select", PQgetvalue(r, 0, 0), "3");
	PQclear(r);
	r = PQgetResult(c);
	check_eq("copy out", PQresultStatus(r), PGRES_COPY_OUT);
	PQclear(r);
	size_t rows;
	copy_out(c, &rows);
	check_eq("rows", rows, 1);
	check_scalar(c, "select count(*) from copied", "4");
	sql(c, "drop table copied");
}

/* What its client asked for when it came is not set again before the copy has its data. */
static void test_discard_behind_it(void)
{
	sluice_with(modes[1]);
	PGconn *c = client("application_name=copier");
	sql(c, "create table copied (n int, t text)");
	copy_begin(c, "copy copied from stdin; discard all", PGRES_COPY_IN);
	copy_rows(c, 0, 2, 10);
	check_eq("end of copy", PQputCopyEnd(c, NULL), 1);
	PGresult *r = PQgetResult(c);
	check_str("copied", PQcmdStatus(r), "COPY 2");
	PQclear(r);
	r = PQgetResult(c);
	check_str("a block of its own", PQresultErrorField(r, PG_DIAG_SQLSTATE), "25001");
	PQclear(r);
	check("that was all", !PQgetResult(c));
	check_scalar(c, "show application_name", "copier");
	check_scalar(c, "select count(*) from copied", "0");
	sql(c, "drop table copied");
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "in_and_out", test_in_and_out },
		{ "by_extended_protocol", test_by_extended_protocol },
		{ "server_error_in_the_middle", test_server_error_in_the_middle },
		{ "late_copy_data", test_late_copy_data },
		{ "client_gives_up", test_client_gives_up },
		{ "client_vanishes", test_client_vanishes },
		{ "several_in_one_query", test_several_in_one_query },
		{ "discard_behind_it", test_discard_behind_it },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "copy", tests);
}
