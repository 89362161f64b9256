/* test_pipeline.c - whatever is sent without waiting for answers, each answer goes to whoever asked, and a server that
 * is lent to the next client owes the one before nothing. PostgreSQL docs, Message Flow: "Extended Query", "COPY
 * Operations". */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static char body[4096];
static size_t len;

/* A letter each:
 *    P B E S H  Parse of "select 1", Bind, Execute, Sync, Flush         p  Parse of what is none
 *    Q q        Query "select 1", and what is none                      L  Query of two COPYs and a SELECT
 *    C X        "copy piped from stdin" by Query and by Parse           O  Query "copy (select 1) to stdout"
 *    Y          Parse of "copy (select 1) to stdout"
 *    F g        FunctionCall of abs(int), and of what is none
 *    N n        Parse of the named statement s, and Bind of it
 *    d x c f    CopyData, CopyData that is wrong, CopyDone, CopyFail */
static const struct {
	const char *what, *sends, *hears;
	bool stays; /* what the server did with the rest cannot be known: it stays with its client */
} cases[] = {
	{ "a batch", "PBES", "12DCZ", false },
	{ "a query within a batch", "PQS", "1TDCZZ", false },
	{ "a query within a batch that has run", "PBEQS", "12DCTDCZZ", false },
	{ "the same, and a function call", "PBEQFS", "12DCTDCZVZZ", false },
	{ "a query behind a batch that fails", "pQSQ", "EZTDCZ", false },
	{ "a query that fails behind a batch", "PqQS", "1EZTDCZZ", false },
	{ "the same behind Flush", "PBEHqSQ", "12DCEZZTDCZ", false },
	{ "Flush alone", "HqQ", "EZTDCZ", false },
	{ "three Syncs", "SSS", "ZZZ", false },
	{ "copy in", "XBEdcS", "12GCZ", false },
	{ "copy in, a Sync among the data", "XBESdcS", "12GCZ", false },
	{ "copy in that is wrong, a Sync among the data", "XBExScS", "12GEZZ", true },
	{ "copy in that is wrong", "XBExcSQ", "12GEZTDCZ", true },
	{ "copy by a query", "CdcQ", "GCZTDCZ", false },
	{ "copy by a query, given up", "CfQ", "GEZTDCZ", true },
	{ "copy by a query, wrong", "CxcQS", "GEZTDCZZ", true },
	{ "copy by a query, wrong, a Sync behind", "CxSQ", "GEZZTDCZ", true },
	{ "copy by a query, a Sync before", "CScQ", "GCZTDCZ", false },
	{ "two copies", "CcCc", "GCZGCZ", false },
	{ "two copies in a query", "LccQ", "GCGCTDCZTDCZ", false },
	{ "copy out", "OQ", "HdcCZTDCZ", false },
	{ "copy out by a batch", "YBES", "12HdcCZ", false },
	{ "copies out in one batch, and a select", "YBEYBEPBES", "12HdcC12HdcC12DCZ", false },
	{ "copy in and out in one batch", "XBEdcYBES", "12GC12HdcCZ", false },
	{ "copy in, a batch behind it", "XBEdcSPBES", "12GCZ12DCZ", false },
	{ "copy in, given up, a batch behind it", "XBEfSPBES", "12GEZ12DCZ", true },
	{ "function calls", "FFF", "VZVZVZ", false },
	{ "function calls, one fails", "FgF", "VZEZVZ", false },
	{ "a function call within a batch", "PBFES", "12VZEZ", false },
	{ "a function call behind a batch that fails", "pFSF", "EZVZ", false },
	{ "a function call behind a batch and its Sync", "PBESFQ", "12DCZVZTDCZ", false },
	{ "batches, of which some fail", "PBESpBESPBESpSS", "12DCZEZ12DCZEZZ", false },
	{ "a named statement", "NnESnES", "12DCZ2DCZ", false },
	{ "a named statement behind what fails", "pNSnESNnES", "EZEZ12DCZ", false },
	{ "Flush between all", "PHBHEHSH", "12DCZ", false },
};

static bool send_letter(int fd, char letter)
{
	static const char copy[] = "copy piped from stdin";
	switch (letter) {
	case 'P':
		return raw_message(fd, 'P', BYTES("\0select 1\0\0\0"));
	case 'p':
		return raw_message(fd, 'P', BYTES("\0selec\0\0\0"));
	case 'X':
		return raw_message(fd, 'P', BYTES("\0copy piped from stdin\0\0\0"));
	case 'Y':
		return raw_message(fd, 'P', BYTES("\0copy (select 1) to stdout\0\0\0"));
	case 'F':
		return raw_message(fd, 'F', BYTES("\0\0\5\x75\0\0\0\1\0\0\0\3-12\0\0"));
	case 'g':
		return raw_message(fd, 'F', BYTES("\0\0\0\1\0\0\0\1\0\0\0\3-12\0\0"));
	case 'N':
		return raw_message(fd, 'P', BYTES("s\0select 1\0\0\0"));
	case 'n':
		return raw_message(fd, 'B', "\0s\0\0\0\0\0\0", 9);
	case 'B':
		return raw_message(fd, 'B', "\0\0\0\0\0\0\0", 8);
	case 'E':
		return raw_message(fd, 'E', "\0\0\0\0", 5);
	case 'Q':
		return raw_message(fd, 'Q', "select 1", 9);
	case 'q':
		return raw_message(fd, 'Q', "selec", 6);
	case 'L':
		return raw_message(fd, 'Q', BYTES("copy piped from stdin; copy piped from stdin; select 1\0"));
	case 'C':
		return raw_message(fd, 'Q', copy, sizeof copy);
	case 'O':
		return raw_message(fd, 'Q', BYTES("copy (select 1) to stdout\0"));
	case 'd':
		return raw_message(fd, 'd', "1\n", 2);
	case 'x':
		return raw_message(fd, 'd', "x\n", 2);
	case 'f':
		return raw_message(fd, 'f', "no", 3);
	default: /* S, H, c */
		return raw_message(fd, letter, "", 0);
	}
}

static int enter(void)
{
	int fd = raw_open();
	require("in", raw_startup(fd, "alice", "test") && raw_expect(fd, 'Z', body, sizeof body, &len));
	return fd;
}

static void ask(int fd, const char *query)
{
	require(query, raw_message(fd, 'Q', query, strlen(query) + 1));
}

/* What comes for it is the answer to a query for one text, and nothing before it. */
static void check_row(const char *what, int fd, const char *want)
{
	for (const char *type = "TDCZ"; *type; type++) {
		char got = 0;
		if (!check(text("%s: an answer", what), raw_next(fd, &got, body, sizeof body, &len)))
			return;
		check_str(what, text("%c", got), text("%c", *type));
		if (got == 'D')
			check_str(what, len > 6 ? body + 6 : "", want);
	}
}

static void check_own_row(const char *what, int fd, const char *want)
{
	ask(fd, text("select '%s'", want));
	check_row(what, fd, want);
}

static int in_line(PGconn *con)
{
	return show_int(con, "POOLS", "database", "test", "cl_waiting");
}

/* All is sent before any answer is read. */
static void test_answers(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *con = console();
	uint64_t began = now_ms();
	sql(client(NULL), "drop table if exists piped; create table piped (n int)");
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		int fd = enter(), other = enter();
		for (const char *at = cases[i].sends; *at; at++)
			require(what, send_letter(fd, *at));
		for (const char *at = cases[i].hears; *at; at++) {
			char got = 0;
			require(text("%s: an answer", what), raw_next(fd, &got, body, sizeof body, &len));
			check_str(what, text("%c", got), text("%c", *at));
		}
		check_own_row(what, fd, "mine");
		ask(other, "select 'other'");
		if (cases[i].stays) {
			wait_until(text("%s: the server stays", what), in_line(con) == 1);
			check_own_row(what, fd, "still mine");
			raw_close(fd);
		}
		check_row(what, other, "other");
		raw_close(fd);
		raw_close(other);
	}
	sql(client(NULL), "drop table piped");
	/* A transaction in a queue of them begins when the one before has ended. */
	check("times of transactions",
	      strtoull(show(con, "STATS", "database", "test", "total_xact_time"), NULL, 10) / 1000 <= now_ms() - began);
}

/* Somebody waits for the server while its client sends on behind the end of its transaction. */
static void test_no_answer_reaches_the_next(void)
{
	static const struct {
		const char *behind;
		bool stays;
	} rows[] = { { "Pq", false }, { "PBEq", false }, { "PqPq", false }, { "pq", true }, { "Cq", true } };
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *con = console();
	sql(client(NULL), "drop table if exists piped; create table piped (n int)");
	for (size_t i = 0; i < COUNT(rows); i++) {
		int fd = enter(), next = enter();
		check_own_row("before", fd, "before");
		ask(fd, "begin");
		check("begin", raw_expect(fd, 'Z', body, sizeof body, &len));
		ask(next, "select 'next'");
		wait_until("it waits", in_line(con) == 1);
		ask(fd, "commit");
		for (const char *at = rows[i].behind; *at; at++)
			require("more", send_letter(fd, *at));
		ask(fd, "select 'forged' from pg_sleep(0.2)");
		if (rows[i].stays) {
			check("nothing comes for the other", in_line(con) == 1);
			raw_close(fd);
		}
		check_row(rows[i].behind, next, "next");
		check_own_row(rows[i].behind, next, "next again");
		raw_close(fd);
		raw_close(next);
	}
	sql(client(NULL), "drop table piped");
}

/* More than Sluice lets a server owe is sent behind what fails: the error alone empties the queue, and reading goes on.
 */
static void test_error_empties_the_queue(void)
{
	enum { N = 5000, QUERY = 14 };
	static const char query[] = "Q\0\0\0\x0dselect 1";
	static char all[N * QUERY];
	for (size_t i = 0; i < N; i++)
		memcpy(all + i * QUERY, query, QUERY);
	sluice_with("pool_mode = transaction");
	int fd = enter();
	check("what fails", send_letter(fd, 'p'));
	check("what is skipped", raw_send(fd, all, sizeof all));
	check("Sync", send_letter(fd, 'S'));
	char got[2] = "";
	check("an answer", raw_next(fd, got, body, sizeof body, &len));
	check_str("an error", got, "E");
	check("an answer", raw_next(fd, got, body, sizeof body, &len));
	check_str("ready", got, "Z");
	check_own_row("behind it", fd, "mine");
}

/* Hundreds of Syncs under way, and every seventh batch fails; two clients by turns on one server. */
static void test_many_syncs(void)
{
	enum { N = 500 };
	char got = 0;
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	int fds[] = { enter(), enter() };
	for (int i = 0; i < N; i++)
		for (size_t k = 0; k < COUNT(fds); k++)
			for (const char *at = i % 7 == 3 ? "pBES" : "PBES"; *at; at++)
				require("it is sent", send_letter(fds[k], *at));
	for (int i = 0; i < N; i++)
		for (size_t k = 0; k < COUNT(fds); k++)
			for (const char *at = i % 7 == 3 ? "EZ" : "12DCZ"; *at; at++) {
				require("an answer", raw_next(fds[k], &got, body, sizeof body, &len));
				require(text("batch %d of %zu: %c, not %c", i, k, *at, got), got == *at);
			}
	for (size_t k = 0; k < COUNT(fds); k++)
		check_own_row("behind all", fds[k], text("client %zu", k));
}

/* What is asked for by Flush comes before there is a Sync, also what Sluice answers by itself: a statement that the
 * server has already. */
static void test_flush(void)
{
	static const struct {
		const char *sends, *hears;
	} parts[] = {
		{ "NH", "1" }, { "nH", "2" }, { "EH", "DC" }, { "nEPBEH", "2DC12DC" }, { "HH", "" }, { "S", "Z" }
	};
	static const char *const pool_modes[] = { "session", "transaction" };
	for (size_t m = 0; m < COUNT(pool_modes); m++) {
		sluice_with(text("pool_mode = %s\ndefault_pool_size = %d", pool_modes[m], m ? 1 : 3));
		for (int round = 0; round < 3; round++) { /* in the later ones the server knows the statement */
			int fd = enter();
			for (size_t i = 0; i < COUNT(parts); i++) {
				for (const char *at = parts[i].sends; *at; at++)
					require("it is sent", send_letter(fd, *at));
				for (const char *at = parts[i].hears; *at; at++) {
					char got = 0;
					require(text("%s: an answer", parts[i].sends),
						raw_next(fd, &got, body, sizeof body, &len));
					check_str(parts[i].sends, text("%c", got), text("%c", *at));
				}
			}
			check_own_row("behind it", fd, "mine");
			raw_close(fd);
		}
		sluice_stop();
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "answers", test_answers },
		{ "no_answer_reaches_the_next", test_no_answer_reaches_the_next },
		{ "error_empties_the_queue", test_error_empties_the_queue },
		{ "many_syncs", test_many_syncs },
		{ "flush", test_flush },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "pipeline", tests);
}
