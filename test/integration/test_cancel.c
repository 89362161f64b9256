/* test_cancel.c - cancel requests reach the statement they are meant for, and no other. */
#include "harness.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SLEEP    "select pg_sleep(100)"
#define CANCELED "canceling statement due to user request"

static void test_running(void)
{
	static const char *const modes[] = { "transaction", "session" };
	for (size_t i = 0; i < COUNT(modes); i++) {
		sluice_with(text("pool_mode = %s", modes[i]));
		PGconn *c = client(NULL);
		for (int round = 0; round < 3; round++) {
			bool in_transaction = round == 1;
			if (in_transaction)
				sql(c, "begin");
			sql_start(c, SLEEP);
			wait_until("it runs", pg_sleepers() == 1);
			client_cancel(c);
			check_result_fails(c, sql_last(c), "57014", CANCELED);
			check_eq("status", PQtransactionStatus(c), in_transaction ? PQTRANS_INERROR : PQTRANS_IDLE);
			if (in_transaction)
				sql(c, "rollback");
			check_scalar(c, "select 1", "1");
		}
		sluice_stop();
	}
}

/* It is not read from as it waits for its server's answer, and hangs up: what runs for it is cancelled all the same. */
static void test_gone_while_held(void)
{
	static const char next[] = "prepare a as select 1"; /* its names are said anew, behind what is before it */
	char body[256];
	size_t len = 0;
	sluice_with("pool_mode = transaction");
	PGconn *con = console();
	int fd = raw_open();
	require("in", raw_startup(fd, "alice", "test") && raw_expect(fd, 'Z', body, sizeof body, &len));
	check("asks", raw_message(fd, 'Q', SLEEP, sizeof SLEEP) && raw_message(fd, 'Q', next, sizeof next));
	wait_until("it runs", pg_sleepers() == 1);
	raw_close(fd);
	wait_until("nothing runs", pg_sleepers() == 0);
	wait_until("nobody has the server", show_int(con, "POOLS", "database", "test", "sv_idle") == 1);
	check_eq("abandoned", stat_of(con, "abandoned_count"), 1);
}

/* Likewise, as its server takes no more of what it says. By TCP the end would stand behind what is not read. */
static void test_gone_while_the_server_stalls(void)
{
	static char data[32768];
	char body[256];
	size_t len = 0;
	sluice_with("pool_mode = transaction");
	PGconn *holder = client_to_pg(NULL), *con = console();
	sql(holder, "drop table if exists stall");
	sql(holder, "create table stall (t text)");
	sql(holder, "begin");
	sql(holder, "lock table stall");
	int fd = raw_open_unix();
	require("in", raw_startup(fd, "alice", "test") && raw_expect(fd, 'Z', body, sizeof body, &len));
	check("asks", raw_message(fd, 'Q', "copy stall from stdin", sizeof "copy stall from stdin"));
	memset(data, 'x', sizeof data);
	int flags = fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	/* As much as all that is between us takes. */
	const char head[] = { 'd', 0x40, 0, 0, 4 };
	check("data", send(fd, head, sizeof head, MSG_NOSIGNAL) == sizeof head);
	uint64_t last = now_ms();
	for (ssize_t n; now_ms() - last < 300; poll_pause())
		while ((n = send(fd, data, sizeof data, MSG_NOSIGNAL)) > 0)
			last = now_ms();
	raw_close(fd);
	wait_until("nobody has the server", show_int(con, "POOLS", "database", "test", "sv_active") == 0);
	sql(holder, "rollback");
	sql(holder, "drop table stall");
}

static void test_the_right_one_of_two(void)
{
	sluice_with("pool_mode = transaction");
	PGconn *a = client(NULL), *b = client(NULL);
	sql_start(a, SLEEP);
	sql_start(b, SLEEP);
	wait_until("both run", pg_sleepers() == 2);
	client_cancel(b);
	check_result_fails(b, sql_last(b), "57014", CANCELED);
	check_eq("a runs on", pg_sleepers(), 1);
	check("a has no answer", !is_answered(a));
	client_cancel(a);
	check_result_fails(a, sql_last(a), "57014", CANCELED);
}

/* A client's servers change; its key does not. */
static void test_after_the_server_changed(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 2");
	PGconn *a = client(NULL), *b = client(NULL);
	for (int round = 0; round < 4; round++) {
		PGconn *first = round % 2 ? a : b, *second = round % 2 ? b : a;
		sql(first, "begin");
		sql_start(second, SLEEP);
		wait_until("it runs", pg_sleepers() == 1);
		client_cancel(first);
		client_cancel(second);
		check_result_fails(second, sql_last(second), "57014", CANCELED);
		sql(first, "commit");
	}
}

/* With nothing to cancel nothing is cancelled: not what the client says next, nor what others do on its server. */
static void test_nothing_to_cancel(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *a = client(NULL), *b = client(NULL);
	for (int i = 0; i < 50; i++) {
		check_scalar(a, "select 1", "1");
		client_cancel(a);
		check_scalar(i % 2 ? a : b, "select count(*) from generate_series(1, 3000)", "3000");
	}
	sql_start(b, "select 'undisturbed' from pg_sleep(0.5)");
	for (int i = 0; i < 20; i++)
		client_cancel(a);
	PGresult *r = sql_last(b);
	check_str("b's answer", PQgetvalue(r, 0, 0), "undisturbed");
	PQclear(r);
}

/* A cancel request races with the statement's own end, over and over; whichever wins, the next statement on that server
 * is somebody else's and must not be hit. */
static void test_race_with_the_end(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *a = client(NULL), *b = client(NULL);
	for (int i = 0; i < 150; i++) {
		sql_start(a, "select count(*) from generate_series(1, 1000)");
		sql_start(b, "select count(*) from generate_series(1, 20000)");
		client_cancel(a);
		PGresult *r = sql_last(a);
		const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
		check("a's answer or its cancellation",
		      PQresultStatus(r) == PGRES_TUPLES_OK || (state && strcmp(state, "57014") == 0));
		PQclear(r);
		r = sql_last(b);
		check(text("b in round %d: %s", i, PQerrorMessage(b)), PQresultStatus(r) == PGRES_TUPLES_OK);
		PQclear(r);
		if (PQstatus(a) != CONNECTION_OK) { /* cancelled while it stood in line, perhaps */
			client_close(a);
			a = client(NULL);
		}
	}
}

static void test_while_waiting(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *a = client(NULL), *b = client(NULL), *con = console();
	sql(a, "begin");
	if (peer_version()) {
		skip("PgBouncer leaves who waits in line");
		return;
	}
	sql_start(b, "select 'served'");
	wait_until("b waits", show_int(con, "POOLS", "database", "test", "cl_waiting") == 1);
	client_cancel(b);
	check_result_fails(b, sql_last(b), "57014", CANCELED);
	check_scalar(a, "select 1", "1");
	sql(a, "commit");
	check_eq("nobody waits", show_int(con, "POOLS", "database", "test", "cl_waiting"), 0);
}

struct key {
	int fd;
	char id[8];
};

static struct key raw_finish(int fd)
{
	struct key k = { .fd = fd };
	char body[512];
	size_t len = 0;
	require("in", raw_expect(k.fd, 'K', body, sizeof body, &len));
	require("key of eight bytes", len == 8);
	memcpy(k.id, body, 8);
	require("ready", raw_expect(k.fd, 'Z', body, sizeof body, &len));
	return k;
}

static struct key raw_client(void)
{
	int fd = raw_open();
	require("start", raw_startup(fd, "alice", "test"));
	return raw_finish(fd);
}

static int send_cancel(const struct key *k)
{
	char packet[16] = { 0, 0, 0, 16, 4, (char)0xd2, 0x16, 0x2e };
	memcpy(packet + 8, k->id, 8);
	int fd = raw_open();
	check("cancel request", raw_send(fd, packet, sizeof packet));
	return fd;
}

/* All at once, each for its own; every sleeper gets its error and nobody a second one. */
static void test_storm(void)
{
	enum { N = 40 };
	sluice_with("pool_mode = transaction\ndefault_pool_size = 40");
	struct key clients[N];
	char body[512];
	size_t len = 0;
	for (int i = 0; i < N; i++) {
		clients[i] = raw_client();
		check("query", raw_message(clients[i].fd, 'Q', SLEEP, sizeof SLEEP));
	}
	wait_until("all run", pg_sleepers() == N);
	int fds[N];
	for (int i = 0; i < N; i++)
		fds[i] = send_cancel(&clients[i]);
	for (int i = 0; i < N; i++) {
		check("an error", raw_expect(clients[i].fd, 'E', body, sizeof body, &len));
		check_str("SQLSTATE", error_field(body, len, 'C'), "57014");
		check("ready", raw_expect(clients[i].fd, 'Z', body, sizeof body, &len));
		check_eq("the cancel connection is closed without a word", raw_read_all(fds[i], body, sizeof body), 0);
	}
	for (int i = 0; i < N; i++) {
		check("query", raw_message(clients[i].fd, 'Q', "select 8", sizeof "select 8"));
		check("answer", raw_expect(clients[i].fd, 'D', body, sizeof body, &len));
	}
}

/* Hundreds of requests for one statement, and for keys that nobody has. */
static void test_storm_of_useless_requests(void)
{
	enum { N = 300 };
	sluice_with("pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 1000");
	struct key c = raw_client(), nobody = c;
	PGconn *other = client(NULL);
	char body[512];
	size_t len = 0;
	memset(nobody.id, 0x5a, sizeof nobody.id);
	check("query", raw_message(c.fd, 'Q', SLEEP, sizeof SLEEP));
	wait_until("it runs", pg_sleepers() == 1);
	int fds[N];
	for (int i = 0; i < N; i++)
		fds[i] = send_cancel(i % 2 ? &c : &nobody);
	check("an error", raw_expect(c.fd, 'E', body, sizeof body, &len));
	check_str("SQLSTATE", error_field(body, len, 'C'), "57014");
	for (int i = 0; i < N; i++) {
		check_eq(text("request %d is closed", i), raw_read_all(fds[i], body, sizeof body), 0);
		raw_close(fds[i]);
	}
	check_scalar(other, "select 1", "1");
	check("another query", raw_message(c.fd, 'Q', "select 8", sizeof "select 8"));
	check("its answer", raw_expect(c.fd, 'D', body, sizeof body, &len));
}

/* Clients that ask for cancels all the time, at any moment, among others that never do: of these nobody is hit,
 * whatever servers they share. */
static void test_under_load(void)
{
	enum { N = 12, PEACEFUL = 6 };
	sluice_with("pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 1000");
	PGconn *c[N];
	int hit = 0, done = 0;
	for (int i = 0; i < N; i++)
		c[i] = client(i < PEACEFUL ? "user=alice" : "user=alice application_name=wild");
	for (int i = 0; i < N; i++)
		sql_start(c[i], "select 1");
	uint64_t began = now_ms();
	for (int round = 0; now_ms() - began < 4000 || ((done <= 20 || hit <= 5) && now_ms() - began < PATIENCE_MS);
	     round++) {
		for (int i = 0; i < N; i++) {
			if (!is_answered(c[i]))
				continue;
			PGresult *r = sql_last(c[i]);
			if (i < PEACEFUL) {
				done++;
				check(text("undisturbed: %s", PQresultErrorMessage(r)),
				      PQresultStatus(r) == PGRES_TUPLES_OK);
			} else {
				hit += PQresultStatus(r) == PGRES_FATAL_ERROR;
				const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
				check(text("only cancelled: %s", PQresultErrorMessage(r)),
				      PQresultStatus(r) == PGRES_TUPLES_OK || (state && strcmp(state, "57014") == 0));
			}
			PQclear(r);
			sql_start(c[i], i < PEACEFUL ? "select count(*) from generate_series(1, 2000)"
					: i % 3 == 0 ? "select pg_sleep(5)"
					: i % 3 == 1 ? "select count(*) from generate_series(1, 3000)"
						     : "select pg_sleep(0.01)");
		}
		if (PQstatus(c[PEACEFUL + round % (N - PEACEFUL)]) == CONNECTION_OK)
			client_cancel(c[PEACEFUL + round % (N - PEACEFUL)]);
	}
	check(text("%d statements, %d cancelled", done, hit), done > 20 && hit > 5);
	for (int i = 0; i < N; i++) {
		while (!is_answered(c[i]))
			client_cancel(c[i]);
		PQclear(sql_last(c[i]));
	}
	wait_until("no more servers than there may be", pg_servers() <= 3);
}

/* A server whose host takes a cancel request and does not say that it is through with it. Whoever asked is not held for
 * ever, and what is left of the request hits nobody: nobody gets that server. A request that never left costs nothing.
 */
static void test_out_of_time(void)
{
	stub_open();
	sluice_start(&(struct conf){ .databases = "test = @STUB@",
				     .settings = "pool_mode = transaction\ndefault_pool_size = 1\n"
						 "cancel_wait_timeout = 2" });
	char body[512];
	size_t len;
	int fd = raw_open();
	require("start", raw_startup(fd, "alice", "test"));
	int server = stub_login();
	struct key k = raw_finish(fd);
	for (int round = 0; round < 2; round++) {
		bool is_sent = round == 0;
		check("query", raw_message(k.fd, 'Q', SLEEP, sizeof SLEEP));
		check("it runs", raw_expect(server, 'Q', body, sizeof body, &len));
		if (!is_sent)
			stub_close();
		uint64_t began = now_ms();
		int asks = send_cancel(&k);
		int arrived = is_sent ? stub_startup() : -1;
		check_eq("the cancel connection is closed", raw_read_all(asks, body, sizeof body), 0);
		check("in time", (now_ms() - began >= 1990) == is_sent);
		check("answer", raw_message(server, 'C', "SELECT 1", 9) && raw_message(server, 'Z', "I", 1));
		check("ready", raw_expect(k.fd, 'Z', body, sizeof body, &len));
		check("another query", raw_message(k.fd, 'Q', SLEEP, sizeof SLEEP));
		int next = is_sent ? stub_login() : server;
		check("its server", raw_expect(next, 'Q', body, sizeof body, &len));
		check("answer", raw_message(next, 'C', "SELECT 1", 9) && raw_message(next, 'Z', "I", 1));
		check("ready", raw_expect(k.fd, 'Z', body, sizeof body, &len));
		if (is_sent) {
			check("the one before is left", raw_expect(server, 'X', body, sizeof body, &len));
			raw_close(arrived);
		}
		server = next;
	}
}

/* A client has left, and the cancel request for what it did is still on its way: nobody waits for the rest of a
 * notification that its server has begun. */
static void test_half_a_notification(void)
{
	stub_open();
	sluice_start(&(struct conf){ .databases = "test = @STUB@",
				     .settings = "pool_mode = session\ndefault_pool_size = 1\n" });
	PGconn *boss = console();
	char body[512];
	size_t len;
	int fd = raw_open();
	require("start", raw_startup(fd, "alice", "test"));
	int server = stub_login();
	struct key k = raw_finish(fd);
	check("query", raw_message(k.fd, 'Q', SLEEP, sizeof SLEEP));
	check("it runs", raw_expect(server, 'Q', body, sizeof body, &len));
	int asks = send_cancel(&k), arrived = stub_startup();
	check("answer", raw_message(server, 'C', "SELECT 1", 9) && raw_message(server, 'Z', "I", 1));
	check("ready", raw_expect(k.fd, 'Z', body, sizeof body, &len));
	raw_close(k.fd);
	wait_until("it waits for the request", show_int(boss, "pools", "database", "test", "sv_being_canceled") == 1);
	check("half of it", raw_send(server, BYTES("A\0\0\0\20\0\0")));
	(void)show_int(boss, "pools", "database", "test", "sv_being_canceled"); /* it has been read by then */
	raw_close(arrived);
	check_eq("whoever asked", raw_read_all(asks, body, sizeof body), 0);
	check("the server is given up", raw_read_all(server, body, sizeof body) >= 0);
	require("the next one", raw_startup(fd = raw_open(), "alice", "test"));
	check("query", raw_message(fd, 'Q', SLEEP, sizeof SLEEP));
	check("has another", raw_expect(stub_login(), 'Q', body, sizeof body, &len));
}

static int count_logged(const char *part)
{
	int n = 0;
	for (const char *at = file_text(text("%s/sluice.log", dir())); (at = strstr(at, part)); at++)
		n++;
	return n;
}

/* A host that takes its time: so many of those who ask wait for it, twice the pool's size, and no more. */
static void test_too_many_wait(void)
{
	stub_open();
	sluice_start(&(struct conf){ .databases = "test = @STUB@",
				     .settings = "pool_mode = transaction\ndefault_pool_size = 2\n"
						 "cancel_wait_timeout = 60" });
	enum { MOST = 4, MORE = 5 };
	char body[512];
	size_t len;
	int fd = raw_open(), waits[MOST];
	require("start", raw_startup(fd, "alice", "test"));
	int server = stub_login();
	struct key k = raw_finish(fd);
	check("query", raw_message(k.fd, 'Q', SLEEP, sizeof SLEEP));
	check("it runs", raw_expect(server, 'Q', body, sizeof body, &len));
	waits[0] = send_cancel(&k);
	int arrived = stub_startup();
	for (int i = 1; i < MOST; i++)
		waits[i] = send_cancel(&k);
	/* They are taken in whatever order they are seen. */
	wait_until("all are understood", count_logged("cancel request\n") == MOST);
	for (int i = 0; i < MORE; i++)
		check_eq("one too many", raw_read_all(send_cancel(&k), body, sizeof body), 0);
	for (int i = 0; i < MOST; i++) {
		struct pollfd p = { waits[i], POLLIN, 0 };
		check_eq("this one waits", poll(&p, 1, 0), 0);
	}
	raw_close(arrived);
	for (int i = 0; i < MOST; i++)
		check_eq("until it is through", raw_read_all(waits[i], body, sizeof body), 0);
}

static void test_malformed(void)
{
	static const struct {
		const char *what, *bytes;
		size_t n;
	} cases[] = {
		{ "too short", BYTES("\0\0\0\x0c\x04\xd2\x16\x2e\0\0\0\0") },
		{ "no key at all", BYTES("\0\0\0\x08\x04\xd2\x16\x2e") },
		{ "too long", BYTES("\0\0\0\x14\x04\xd2\x16\x2e"
				    "aaaabbbbcccc") },
		{ "all zero", BYTES("\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\0\0\0\0\0") },
	};
	char heard[256];
	sluice_with(NULL);
	for (size_t i = 0; i < COUNT(cases); i++) {
		int fd = raw_open();
		check(cases[i].what, raw_send(fd, cases[i].bytes, cases[i].n));
		check(cases[i].what, raw_read_all(fd, heard, sizeof heard) >= 0);
	}
	check_scalar(client(NULL), "select 1", "1");
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "running", test_running },
		{ "gone_while_held", test_gone_while_held },
		{ "gone_while_the_server_stalls", test_gone_while_the_server_stalls },
		{ "the_right_one_of_two", test_the_right_one_of_two },
		{ "after_the_server_changed", test_after_the_server_changed },
		{ "nothing_to_cancel", test_nothing_to_cancel },
		{ "race_with_the_end", test_race_with_the_end },
		{ "while_waiting", test_while_waiting },
		{ "storm", test_storm },
		{ "storm_of_useless_requests", test_storm_of_useless_requests },
		{ "under_load", test_under_load },
		{ "out_of_time", test_out_of_time },
		{ "half_a_notification", test_half_a_notification },
		{ "too_many_wait", test_too_many_wait },
		{ "malformed", test_malformed },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "cancel", tests);
}
