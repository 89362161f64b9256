/* test_hostile.c - what no client library says: garbage, halves, lies about lengths. Whatever it is, it ends in an
 * error or a silent close within client_login_timeout, costs bounded memory, and nobody else notices. */
#include "harness.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define STARTUP     "\0\3\0\0"
#define SSL_REQUEST "\0\0\0\x08\x04\xd2\x16\x2f"
#define GSS_REQUEST "\0\0\0\x08\x04\xd2\x16\x30"

/* Does an answer hold an ErrorResponse with this SQLSTATE? */
static bool tells(const char *heard, ssize_t n, const char *sqlstate)
{
	return n > 0 && memmem(heard, (size_t)n, text("C%s", sqlstate), 6);
}

/* Packets that are wrong for good: the answer is an error or nothing, and the end, at once and not by the timeout. */
static void test_wrong_startups(void)
{
	static char huge[70000];
	static const struct {
		const char *what, *bytes;
		size_t n;
		bool is_told; /* else it may be a silent close */
	} cases[] = {
		{ "HTTP", BYTES("GET / HTTP/1.1\r\nHost: db\r\n\r\n"), false },
		{ "TLS without asking", BYTES("\x16\3\1\2\0\1\0\1\xfc\3\3"), false },
		{ "zeroes", BYTES("\0\0\0\0\0\0\0\0"), false },
		{ "ones", BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"), false },
		{ "a length of 4", BYTES("\0\0\0\4" STARTUP), false },
		{ "a length of 7", BYTES("\0\0\0\7\0\3\0"), false },
		{ "a length of 2 GB", BYTES("\x7f\xff\xff\xff" STARTUP "user\0alice\0"), false },
		{ "a negative length", BYTES("\x80\0\0\x10" STARTUP "user\0alice\0"), false },
		{ "a length of 1 MB, and all of it promised", BYTES("\0\x10\0\0" STARTUP "user\0alice\0"), false },
		{ "protocol 1.0", BYTES("\0\0\0\x09\0\1\0\0\0"), false },
		{ "protocol 2.0", BYTES("\0\0\0\x09\0\2\0\0\0"), false },
		{ "protocol 4.0", BYTES("\0\0\0\x09\0\4\0\0\0"), false },
		{ "no parameters", BYTES("\0\0\0\x09" STARTUP "\0"), true },
		{ "no end of parameters", BYTES("\0\0\0\x08" STARTUP), false },
		{ "no user", BYTES("\0\0\0\x17" STARTUP "database\0test\0\0"), true },
		{ "a key without a value", BYTES("\0\0\0\x0d" STARTUP "user\0"), false },
		{ "a value without its end", BYTES("\0\0\0\x12" STARTUP "user\0alice"), false },
		{ "no last NUL", BYTES("\0\0\0\x13" STARTUP "user\0alice\0"), false },
		{ "something behind the last NUL", BYTES("\0\0\0\x17" STARTUP "user\0alice\0\0xyz"), false },
		{ "a parameter of no name", BYTES("\0\0\0\x2c" STARTUP "user\0alice\0database\0test\0o;d\0thing\0\0"),
		  true },
		{ "another message first", BYTES("Q\0\0\0\x0dselect 1\0"), false },
		{ "a password first", BYTES("p\0\0\0\x09pass\0"), false },
		{ "two SSLRequests", BYTES(SSL_REQUEST SSL_REQUEST), false },
		{ "70 KB of NULs", huge, sizeof huge, false },
	};
	char heard[1024];
	/* PgBouncer waits for the rest of some of them. */
	sluice_with(peer_version() ? "client_login_timeout = 2" : "client_login_timeout = 60");
	for (size_t i = 0; i < COUNT(cases); i++) {
		int fd = raw_open();
		uint64_t began = now_ms();
		raw_send(fd, cases[i].bytes, cases[i].n);
		ssize_t n = raw_read_all(fd, heard, sizeof heard);
		check(text("%s: is closed", cases[i].what), n >= 0);
		check(text("%s: is closed at once", cases[i].what), now_ms() - began < 15000);
		check(text("%s: little is said", cases[i].what), n < 1000);
		if (cases[i].is_told)
			check(text("%s: is told", cases[i].what), tells(heard, n, "08P01"));
		raw_close(fd);
	}
	check_scalar(client(NULL), "select 1", "1");
}

/* Every beginning of a good start, and then nothing: closed when client_login_timeout is over, and not much later. */
static void test_truncated_startups(void)
{
	static const char good[] = "\0\0\0\x22" STARTUP "user\0alice\0database\0test\0\0";
	enum { N = sizeof good - 1 };
	char heard[1024];
	sluice_with("client_login_timeout = 6");
	int half_closed[N], silent[N];
	uint64_t began = now_ms();
	for (size_t n = 0; n < N; n++) {
		silent[n] = raw_open();
		half_closed[n] = raw_open();
		check("a beginning", raw_send(silent[n], good, n) && raw_send(half_closed[n], good, n));
		shutdown(half_closed[n], SHUT_WR);
	}
	for (size_t n = 0; n < N; n++)
		check(text("%zu bytes and the end", n), raw_read_all(half_closed[n], heard, sizeof heard) >= 0);
	check("all of them before the timeout", now_ms() - began < 5900 || peer_version());
	for (size_t n = 0; n < N; n++)
		check(text("%zu bytes and silence", n), raw_read_all(silent[n], heard, sizeof heard) >= 0);
	uint64_t took = now_ms() - began;
	check("not before the timeout", took >= 5500);
	check("and soon after it", took < 20000);
	check_scalar(client(NULL), "select 1", "1");
}

/* A start that comes byte by byte is a start; one that trickles for ever is none. */
static void test_slow_startups(void)
{
	static const char good[] = "\0\0\0\x22" STARTUP "user\0alice\0database\0test\0\0";
	char body[512];
	size_t len = 0;
	sluice_with("client_login_timeout = 5");
	int fd = raw_open();
	for (size_t i = 0; i < sizeof good - 1; i++) {
		raw_send(fd, good + i, 1);
		struct pollfd p = { fd, POLLIN, 0 };
		if (i % 8 == 0)
			poll(&p, 1, 2); /* so that it is more than one segment */
	}
	check("it is in", raw_expect(fd, 'Z', body, sizeof body, &len));
	/* A login stays under one deadline, however often something comes. */
	fd = raw_open();
	uint64_t began = now_ms();
	struct pollfd p = { fd, POLLIN, 0 };
	for (size_t i = 0; i < 1000 && poll(&p, 1, 100) == 0; i++)
		raw_send(fd, i == 0 ? "\0\0\1\0\0\3\0\0" : "x", i == 0 ? 8 : 1);
	check("closed", raw_read_all(fd, body, sizeof body) >= 0);
	check("by the timeout", now_ms() - began < 20000);
}

/* Passwords that never come, are too long, or are something else. */
static void test_hostile_passwords(void)
{
	static char big[2 << 20];
	static const struct {
		const char *what;
		char type;
		const char *body;
		size_t n;
	} cases[] = {
		{ "empty", 'p', "", 0 },
		{ "no NUL", 'p', "secret", 6 },
		{ "a NUL in it", 'p', "sec\0ret", 8 },
		{ "a query", 'Q', "select 1", 9 },
		{ "two megabytes", 'p', big, sizeof big },
		{ "binary", 'p', "\xff\xfe\xfd\xfc", 5 },
		{ "SASL without a mechanism", 'p', "\0\0\0\0\4n,,n", 9 },
		{ "SASL, unknown mechanism", 'p', "SCRAM-MD5\0\0\0\0\3n,,", 17 },
		{ "SASL, a length beyond the end", 'p', "SCRAM-SHA-256\0\x7f\xff\xff\xffn,,n=,r=abc", 30 },
		{ "SASL, a negative length", 'p', "SCRAM-SHA-256\0\xff\xff\xff\xff", 18 },
		{ "SASL, nothing in it", 'p', "SCRAM-SHA-256\0\0\0\0\0", 18 },
		{ "SASL, no nonce", 'p', "SCRAM-SHA-256\0\0\0\0\x08n,,n=,r=", 26 },
		{ "SASL, channel binding", 'p', "SCRAM-SHA-256\0\0\0\0\x1bp=tls-unique,,n=,r=abcdefgh", 45 },
	};
	static const char *const types[] = { "plain", "md5", "scram-sha-256" };
	char body[4096];
	size_t len = 0;
	memset(big, 'p', sizeof big);
	for (size_t t = 0; t < COUNT(types); t++) {
		sluice_with(text("auth_type = %s\nclient_login_timeout = 3", types[t]));
		for (size_t i = 0; i < COUNT(cases); i++) {
			char *what = text("%s, %s", types[t], cases[i].what);
			int fd = raw_open();
			check(what, raw_startup(fd, "alice", "test"));
			check(what, raw_expect(fd, 'R', body, sizeof body, &len));
			raw_message(fd, cases[i].type, cases[i].body, cases[i].n);
			ssize_t n = raw_read_all(fd, body, sizeof body);
			check(text("%s: is closed", what), n >= 0);
			check(text("%s: is not let in", what),
			      n < 9 || !memmem(body, (size_t)n, "R\0\0\0\x08\0\0\0\0", 9));
			raw_close(fd);
		}
		check_scalar(client("password=alice-secret"), "select 1", "1");
		sluice_stop();
	}
}

/* Once in, a broken frame costs the client its connection and nothing else. */
static void test_broken_messages(void)
{
	static const struct {
		const char *what, *bytes;
		size_t n;
	} cases[] = {
		{ "a length of 3", BYTES("Q\0\0\0\3") },
		{ "a length of 0", BYTES("Q\0\0\0\0") },
		{ "a negative length", BYTES("Q\xff\xff\xff\xff") },
		{ "beyond max_packet_size", BYTES("Q\x7f\xff\xff\xf0") },
		{ "an unknown type", BYTES("\x01\0\0\0\4") },
		{ "a server's message", BYTES("Z\0\0\0\5I") },
		{ "a startup packet", BYTES("\0\0\0\x22" STARTUP "user\0alice\0database\0test\0\0") },
		{ "a Query without NUL", BYTES("Q\0\0\0\x0cselect 1") },
		{ "an empty Query body", BYTES("Q\0\0\0\4") },
		{ "an unfinished Parse", BYTES("P\0\0\0\6\0s") },
		{ "an unfinished Bind", BYTES("B\0\0\0\5\0") },
		{ "a Sync with a body", BYTES("S\0\0\0\6xx") },
	};
	char body[4096];
	size_t len = 0;
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1\nquery_wait_timeout = 10");
	PGconn *other = client(NULL);
	for (size_t i = 0; i < COUNT(cases); i++)
		for (int in_transaction = 0; in_transaction < 2; in_transaction++) {
			int fd = raw_open();
			check("start",
			      raw_startup(fd, "alice", "test") && raw_expect(fd, 'Z', body, sizeof body, &len));
			if (in_transaction)
				check("begin",
				      raw_message(fd, 'Q', "begin", 6) && raw_expect(fd, 'Z', body, sizeof body, &len));
			raw_send(fd, cases[i].bytes, cases[i].n);
			shutdown(fd, SHUT_WR); /* what is not refused by itself is over with the client */
			check(text("%s: is closed", cases[i].what), raw_read_all(fd, body, sizeof body) >= 0);
			raw_close(fd);
			check_scalar(other, "select 1", "1");
			check_scalar(other, "select statement_timestamp() = now()", "t");
		}
}

/* Nobody has to wait for a client that cannot go on. */
static void test_stuck(void)
{
#define COPY                                                                                                           \
	"Q\0\0\0\x1b"                                                                                                  \
	"copy copied from stdin\0"
	static const struct {
		const char *what, *bytes;
		size_t n;
	} cases[] = {
		{ "a Flush with a body", BYTES("Q\0\0\0\x0dselect 1\0H\0\0\0\6xxQ\0\0\0\x0dselect 2\0S\0\0\0\4") },
		{ "EXECUTE while it copies", BYTES(COPY "d\0\0\0\6x\nQ\0\0\0\x0e"
							"execute a\0") },
		{ "EXECUTE before it copies", BYTES(COPY "Q\0\0\0\x0e"
							 "execute a\0") },
		{ "DISCARD ALL", BYTES(COPY "Q\0\0\0\x10"
					    "discard all\0") },
		{ "a batch", BYTES(COPY "P\0\0\0\x10s\0select 1\0\0B\0\0\0\x0d\0s\0\0\0\0\0\0\0S\0\0\0\4") },
	};
	char body[4096];
	size_t len = 0;
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1\nquery_wait_timeout = 10");
	PGconn *other = client(NULL);
	sql(other, "create table copied (t text)");
	for (size_t i = 0; i < COUNT(cases); i++) {
		int fd = raw_open();
		check("start", raw_startup(fd, "alice", "test") && raw_expect(fd, 'Z', body, sizeof body, &len));
		raw_send(fd, cases[i].bytes, cases[i].n);
		check(text("%s: told", cases[i].what), raw_expect(fd, 'E', body, sizeof body, &len));
		raw_close(fd);
		check_scalar(other, "select 1", "1");
	}
	sql(other, "drop table copied");
}

static long resident_kb(void)
{
	char *status = file_text(text("/proc/%d/status", sluice_pid())), *at = strstr(status, "VmRSS:");
	return at ? atol(at + 6) : 0;
}

/* A thousand strangers who say nothing, or who promise a lot, do not keep a client out, nor cost much. */
static void test_many_strangers(void)
{
	enum { N = 1000 };
	sluice_with("client_login_timeout = 3\nmax_client_conn = 2000");
	check_scalar(client(NULL), "select 1", "1");
	long before = resident_kb();
	for (int i = 0; i < N; i++) {
		int fd = raw_open();
		if (i % 2)
			raw_send(fd, "\0\0\x20\0" STARTUP "user\0alice\0", 19);
	}
	check_scalar(client(NULL), "select 1", "1");
	long cost = resident_kb() - before;
	check(text("%ld KB for %d strangers", cost, N), cost < 16 << 10);
	PGconn *con = console();
	wait_until("all are gone", show_int(con, "LISTS", "list", "login_clients", "items") == 0);
	check_scalar(client(NULL), "select 1", "1");
}

/* Sends one message over and over until Sluice reads no more; the number of bytes, or 0 when it goes on reading, or
 * keeps the answers for whoever does not take them. */
static size_t send_until_stalled(int fd, const char *message, size_t n)
{
	enum { BYTES_MAX = 64 << 20, KB_MAX = 64 << 10 };
	static char many[64 << 10];
	size_t sent = 0, all = sizeof many / n * n;
	long before = resident_kb();
	for (size_t i = 0; i < all; i++)
		many[i] = message[i % n];
	struct pollfd room = { fd, POLLOUT, 0 };
	bool goes_on = true;
	while ((goes_on = poll(&room, 1, 1000) == 1) && sent < BYTES_MAX && resident_kb() - before < KB_MAX) {
		ssize_t got = send(fd, many + sent % all, all - sent % all, MSG_DONTWAIT | MSG_NOSIGNAL);
		require("it may send", got > 0 || errno == EAGAIN);
		sent += got > 0 ? (size_t)got : 0;
	}
	return !goes_on && resident_kb() - before < KB_MAX ? sent : 0;
}

/* Who takes no answers is not asked for more questions; when the answers are taken it goes on. */
static void test_answers_are_not_taken(void)
{
	static const struct {
		const char *what, *user, *database, *message;
		size_t n;
		bool is_ready; /* the answer is a ReadyForQuery and nothing else */
	} cases[] = {
		{ "Sync, which Sluice itself answers", "alice", "test", BYTES("S\0\0\0\4"), true },
		{ "a query that the server answers", "alice", "test", BYTES("Q\0\0\0\6;\0"), false },
		{ "a fault on the console", "admin", "pgbouncer", BYTES("Q\0\0\0\6x\0"), false },
		{ "a table on the console", "admin", "pgbouncer", BYTES("Q\0\0\0\x0fSHOW HELP;\0"), false },
	};
	static char body[6000];
	size_t len = 0;
	sluice_with("pool_mode = transaction");
	PGconn *other = client(NULL);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		int fd = raw_open();
		require(what, raw_startup(fd, cases[i].user, cases[i].database) &&
				      raw_expect(fd, 'Z', body, sizeof body, &len));
		size_t sent = send_until_stalled(fd, cases[i].message, cases[i].n);
		check(text("%s: is not read for ever", what), sent > 0);
		check_scalar(other, "select 1", "1");
		for (size_t left = cases[i].is_ready ? sent / cases[i].n : 0; left > 0;) {
			size_t some = left < sizeof body / 6 ? left : sizeof body / 6;
			require(text("%s: each is answered", what), raw_read(fd, body, some * 6));
			check_mem(what, body + (some - 1) * 6, "Z\0\0\0\5I", 6);
			left -= some;
		}
		raw_close(fd);
	}
}

/* Whoever has not logged in makes no database of the * entry. */
static void test_names_of_strangers(void)
{
	enum { N = 200 };
	char heard[1024];
	sluice_start(&(struct conf){ .databases = "* = @PG@", .settings = "auth_type = plain" });
	PGconn *con = console();
	check_scalar(client("password=alice-secret"), "select 1", "1");
	char *before = show(con, "LISTS", "list", "databases", "items");
	for (int i = 0; i < N; i++) {
		int fd = raw_open();
		bool is_known = i % 2;
		check("start-up", raw_startup(fd, is_known ? "alice" : "mallory", text("made%d", i)));
		raw_message(fd, 'p', "wrong", sizeof "wrong");
		check("refused", raw_read_all(fd, heard, sizeof heard) > 0);
		raw_close(fd);
	}
	check_str("databases", show(con, "LISTS", "list", "databases", "items"), before);
	check_scalar(client("password=alice-secret dbname=postgres"), "select 1", "1");
	check_eq("one more", show_int(con, "LISTS", "list", "databases", "items"), atoi(before) + 1);
}

/* SSLRequest and GSSENCRequest are answered and the same connection goes on. */
static void test_encryption_requests(void)
{
	char answer[2] = "", body[512];
	size_t len = 0;
	sluice_with(NULL);
	int fd = raw_open();
	check("SSLRequest", raw_send(fd, SSL_REQUEST, 8) && recv(fd, answer, 1, 0) == 1);
	check_str("answer", answer, "N");
	check("GSSENCRequest", raw_send(fd, GSS_REQUEST, 8) && recv(fd, answer, 1, 0) == 1);
	check_str("answer", answer, "N");
	check("start", raw_startup(fd, "alice", "test"));
	check("in", raw_expect(fd, 'Z', body, sizeof body, &len));
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "wrong_startups", test_wrong_startups },
		{ "truncated_startups", test_truncated_startups },
		{ "slow_startups", test_slow_startups },
		{ "hostile_passwords", test_hostile_passwords },
		{ "broken_messages", test_broken_messages },
		{ "stuck", test_stuck },
		{ "many_strangers", test_many_strangers },
		{ "answers_are_not_taken", test_answers_are_not_taken },
		{ "names_of_strangers", test_names_of_strangers },
		{ "encryption_requests", test_encryption_requests },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "hostile", tests);
}
