/* test_server.c - servers at awkward moments: what a real PostgreSQL does only now and then, a stub does to order. */
#include "harness.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static char body[4096];
static size_t len;

/* Has it said nothing, and is it not closed? */
static bool is_silent(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	return poll(&p, 1, 0) == 0;
}

static void with_stub(const char *settings)
{
	stub_open();
	sluice_start(&(struct conf){ .databases = "test = @STUB@", .settings = settings });
}

struct entered {
	int client, server;
	char key[8]; /* for cancel requests */
};

/* A client, and the server that is opened for it. */
static struct entered enter(const char *user)
{
	struct entered e = { .client = raw_open() };
	require("start-up", raw_startup(e.client, user, "test"));
	e.server = stub_login();
	require("key", raw_expect(e.client, 'K', body, sizeof body, &len) && len == sizeof e.key);
	memcpy(e.key, body, sizeof e.key);
	require("ready", raw_expect(e.client, 'Z', body, sizeof body, &len));
	return e;
}

/* The same where there is a server already. */
static int enter_again(const char *user)
{
	int client = raw_open();
	require("in", raw_startup(client, user, "test") && raw_expect(client, 'Z', body, sizeof body, &len));
	return client;
}

static void ask(int client, const char *query)
{
	require(query, raw_message(client, 'Q', query, strlen(query) + 1));
}

static void check_asked(int server, const char *query)
{
	check("the server is asked", raw_expect(server, 'Q', body, sizeof body, &len));
	check_str("query", body, query);
}

static void fail(int server, const char *sqlstate)
{
	char error[] = "SERROR\0C.....\0Mno\0"; /* and a NUL behind the last field */
	memcpy(error + 8, sqlstate, 5);
	require("an error", raw_message(server, 'E', error, sizeof error) && raw_message(server, 'Z', "I", 1));
}

static void answer(int server)
{
	require("an answer", raw_message(server, 'C', "SELECT 1", 9) && raw_message(server, 'Z', "I", 1));
}

static void check_answered(int client)
{
	check("ready", raw_expect(client, 'Z', body, sizeof body, &len));
}

static int in_line(PGconn *con)
{
	return show_int(con, "POOLS", "user", "alice", "cl_waiting");
}

/* --- Cancel requests */

static int send_cancel(const char key[8])
{
	char packet[16] = { 0, 0, 0, 16, 4, (char)0xd2, 0x16, 0x2e };
	memcpy(packet + 8, key, 8);
	int fd = raw_open();
	require("cancel request", raw_send(fd, packet, sizeof packet));
	return fd;
}

static int count_logged(const char *part)
{
	int n = 0;
	for (const char *at = file_text(text("%s/sluice.log", dir())); (at = strstr(at, part)); at++)
		n++;
	return n;
}

/* The stub hears of it, and has not closed yet. */
static int hear_cancel(void)
{
	static const char code[8] = { 0, 0, 0, 16, 4, (char)0xd2, 0x16, 0x2e };
	int fd = stub_accept();
	require("a cancel request", raw_read(fd, body, 16));
	check_mem("code", body, code, sizeof code);
	return fd;
}

/* Whoever cancels may go on with the next statement when the connection is closed: so not before it has got through. */
static void test_cancel_is_told_when_it_is_through(void)
{
	with_stub("pool_mode = transaction");
	struct entered a = enter("alice");
	ask(a.client, "select 1");
	check_asked(a.server, "select 1");
	int first = send_cancel(a.key), heard = hear_cancel();
	check("not through yet", is_silent(first));
	/* More of them wait for the same. One has no patience. */
	int second = send_cancel(a.key), third = send_cancel(a.key);
	wait_until("all are understood", count_logged("cancel request\n") == 3);
	check("nor are these", is_silent(first) && is_silent(second) && is_silent(third));
	raw_close(second);
	raw_close(heard);
	check_eq("the first is told", raw_read_all(first, body, sizeof body), 0);
	check_eq("and the third", raw_read_all(third, body, sizeof body), 0);
	fail(a.server, "57014");
	check("the client hears it", raw_expect(a.client, 'E', body, sizeof body, &len));
	check_str("SQLSTATE", error_field(body, len, 'C'), "57014");
	check_answered(a.client);
	ask(a.client, "select 2");
	check_asked(a.server, "select 2");
	answer(a.server);
	check_answered(a.client);
}

/* A server whose statement is over before its cancel request is through waits for that, whatever server_idle_timeout
 * would have said. */
static void test_cancel_outlives_its_statement(void)
{
	with_stub("pool_mode = transaction\ndefault_pool_size = 1\nserver_idle_timeout = 3\n"
		  "cancel_wait_timeout = 100");
	PGconn *con = console();
	struct entered a = enter("alice"); /* its server is idle, from now on for at most three seconds */
	ask(a.client, "select 1");
	check_asked(a.server, "select 1");
	int cancel = send_cancel(a.key), heard = hear_cancel();
	answer(a.server);
	check_answered(a.client);
	ask(a.client, "select 2");
	wait_until("it is not lent meanwhile", in_line(con) == 1);
	/* Another server, idle since later, has its time. */
	struct entered b = enter("bob");
	check("an idle server's end", raw_read_all(b.server, body, sizeof body) >= 0);
	check("the other is there", is_silent(a.server) && is_silent(a.client));
	raw_close(heard);
	check_eq("through", raw_read_all(cancel, body, sizeof body), 0);
	check_asked(a.server, "select 2");
	answer(a.server);
	check_answered(a.client);
}

/* A statement that is cancelled while its client's settings are being replayed never gets to the server. */
static void test_cancel_while_settings_are_replayed(void)
{
	with_stub("pool_mode = transaction");
	static const char packet[] = "\0\0\0\x38\0\3\0\0user\0alice\0database\0test\0application_name\0mine\0";
	PGconn *con = console();
	struct entered a = { .client = raw_open() };
	require("start-up", raw_send(a.client, packet, sizeof packet));
	a.server = stub_login();
	check("key", raw_expect(a.client, 'K', body, sizeof body, &len));
	memcpy(a.key, body, sizeof a.key);
	check_answered(a.client);
	ask(a.client, "select 1");
	check_asked(a.server, "SET \"application_name\" TO E'mine';");
	check_eq("understood", raw_read_all(send_cancel(a.key), body, sizeof body), 0);
	check("nothing before the server has answered", is_silent(a.client));
	require("set", raw_message(a.server, 'S', BYTES("application_name\0mine\0")) &&
			       raw_message(a.server, 'C', "SET", 4) && raw_message(a.server, 'Z', "I", 1));
	check("an error", raw_expect(a.client, 'E', body, sizeof body, &len));
	check_str("SQLSTATE", error_field(body, len, 'C'), "57014");
	check_answered(a.client);
	check_eq("the server is free", show_int(con, "POOLS", "user", "alice", "sv_idle"), 1);
	ask(a.client, "select 2");
	check_asked(a.server, "select 2");
	answer(a.server);
	check_answered(a.client);
}

/* PostgreSQL 18 refuses whatever comes behind a simple query within a batch: whoever is linked to that server next has
 * not done that. */
static void test_out_of_order(void)
{
	with_stub("pool_mode = transaction");
	static const char packet[] = "\0\0\0\x38\0\3\0\0user\0alice\0database\0test\0application_name\0mine\0";
	struct entered a = { .client = raw_open() };
	require("start-up", raw_send(a.client, packet, sizeof packet));
	a.server = stub_login();
	check_answered(a.client);
	ask(a.client, "select 1");
	check_asked(a.server, "SET \"application_name\" TO E'mine';");
	require("failed", raw_message(a.server, 'E', BYTES("SERROR\0VERROR\0CXX000\0Munexpected state STARTED\0\0")) &&
				  raw_message(a.server, 'Z', "I", 1));
	int other = stub_login();
	check_asked(other, "SET \"application_name\" TO E'mine';");
	require("set", raw_message(other, 'S', BYTES("application_name\0mine\0")) &&
			       raw_message(other, 'C', "SET", 4) && raw_message(other, 'Z', "I", 1));
	check_asked(other, "select 1");
	answer(other);
	check_answered(a.client);
}

/* --- Deadlines */

/* Without server_connect_timeout a reset may take its time: server_idle_timeout is not about it. */
static void test_slow_reset(void)
{
	with_stub("pool_mode = session\ndefault_pool_size = 1\nserver_idle_timeout = 3\nserver_connect_timeout = 0");
	PGconn *con = console();
	struct entered a = enter("alice");
	ask(a.client, "select 1");
	check_asked(a.server, "select 1");
	answer(a.server);
	check_answered(a.client);
	raw_close(a.client);
	check_asked(a.server, "DISCARD ALL");
	int next = enter_again("alice");
	ask(next, "select 2");
	wait_until("it waits", in_line(con) == 1);
	struct entered b = enter("bob");
	check("an idle server's end", raw_read_all(b.server, body, sizeof body) >= 0);
	check("the other is there", is_silent(a.server) && is_silent(next));
	answer(a.server);
	check_asked(a.server, "select 2");
	answer(a.server);
	check_answered(next);
}

/* A client that has proved who it is and waits for the pool's first server does not log in any more: only
 * query_wait_timeout is about it. */
static void test_slow_first_server(void)
{
	with_stub("client_login_timeout = 1\nquery_wait_timeout = 0\ntcp_defer_accept = 0");
	PGconn *con = console();
	int client = raw_open();
	require("start-up", raw_startup(client, "alice", "test"));
	int server = stub_startup();
	check_eq("it waits", in_line(con), 1);
	check("a client that does log in has its time", raw_read_all(raw_open(), body, sizeof body) > 0);
	stub_let_in(server);
	check_answered(client);
	check_eq("nobody waits", in_line(con), 0);
}

/* A server's wish may not hold up the loop: whose it is, and how much too much, is told. */
static void test_too_many_iterations(void)
{
	with_stub("server_login_retry = 1");
	int client = raw_open();
	require("start-up", raw_startup(client, "alice", "test"));
	int server = stub_startup();
	require("SASL", raw_message(server, 'R', BYTES("\0\0\0\x0aSCRAM-SHA-256\0\0")));
	check("first message", raw_expect(server, 'p', body, sizeof body, &len));
	char *nonce = memmem(body, len, "r=", 2);
	require("nonce", nonce != NULL);
	char *first = text("%c%c%c%c%.*sx,s=AAAA,i=100001", 0, 0, 0, 11, (int)(body + len - nonce), nonce);
	require("second message", raw_message(server, 'R', first, 4 + strlen(first + 4)));
	check("refused", raw_expect(client, 'E', body, sizeof body, &len));
	const char *why = "cannot log in to the server as \"alice\": the server asks for 100001 SCRAM iterations, more "
			  "than the 100000 allowed";
	check_str("why", error_field(body, len, 'M'), why);
	check("and where", sluice_logged(text("test/alice@127.0.0.1:%d cannot use this server: %s", stub_port(), why)));
}

/* --- Data on its way */

/* Bytes that the other end of a unix socket has not read yet. */
static int unread(int fd)
{
	int n = 0;
	require("SIOCOUTQ", ioctl(fd, SIOCOUTQ, &n) == 0);
	return n;
}

static int readable(int fd)
{
	int n = 0;
	require("FIONREAD", ioctl(fd, FIONREAD, &n) == 0);
	return n;
}

/* The server is done while the client's last data still waits to be sent to it: when they have left, the server is free
 * for others, and not closed. */
static void test_late_data(void)
{
	enum { PART = 4000 };
	static char part[PART];
	for (size_t i = 0; i < sizeof part; i += 5) /* empty CopyData, so that each end is a message's end */
		memcpy(part + i, "d\0\0\0\4", 5);
	stub_open();
	sluice_start(&(struct conf){ .databases = "test = host=@STUBDIR@ port=@STUBPORT@",
				     .settings = "pool_mode = transaction\ndefault_pool_size = 1" });
	int client = raw_open_unix();
	require("start-up", raw_startup(client, "alice", "test"));
	int server = stub_login();
	check_answered(client);
	ask(client, "copy t from stdin");
	check_asked(server, "copy t from stdin");
	require("copy", raw_message(server, 'G', "\0\0", 3));
	check("copy", raw_expect(client, 'G', body, sizeof body, &len));
	/* The stub reads nothing: until Sluice has something that it cannot send, and has read all that we sent. */
	int sent = 0;
	do {
		require("more data", sent < 64 << 20 && raw_send(client, part, sizeof part));
		sent += PART;
		wait_until("Sluice has it", unread(client) == 0);
	} while (readable(server) == sent);
	fail(server, "22P02");
	check("the client hears of it", raw_expect(client, 'E', body, sizeof body, &len));
	check_answered(client);
	int next = enter_again("alice");
	ask(next, "select 1");
	for (int got = 0; got < sent; got += PART)
		require("the data", raw_read(server, part, sizeof part));
	check_asked(server, "select 1");
	answer(server);
	check_answered(next);
	ask(client, "select 2");
	check_asked(server, "select 2");
	answer(server);
	check_answered(client);
}

/* --- The socket */

/* What the kernel says of Sluice's TCP connection to this port: which timer runs, and for how long yet. */
static bool timer_of(int port, unsigned *kind, unsigned long *ticks)
{
	char *save = NULL, *table = file_text("/proc/net/tcp");
	for (char *line = strtok_r(table, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned to, state;
		if (sscanf(line, "%*s %*x:%*x %*x:%x %x %*x:%*x %x:%lx", &to, &state, kind, ticks) == 4 &&
		    to == (unsigned)port && state == 1)
			return true;
	}
	return false;
}

static void test_keepalive(void)
{
	enum { KEEPALIVE = 2 };
	unsigned kind = 0;
	unsigned long ticks = 0;
	with_stub("tcp_keepalive = 1\ntcp_keepidle = 5000");
	struct entered a = enter("alice");
	if (!timer_of(stub_port(), &kind, &ticks)) {
		skip("no /proc/net/tcp here");
		return;
	}
	wait_until("all is acknowledged", timer_of(stub_port(), &kind, &ticks) && kind == KEEPALIVE);
	unsigned long hz = (unsigned long)sysconf(_SC_CLK_TCK);
	check(text("after tcp_keepidle, not %lu s", ticks / hz), ticks / hz > 4000 && ticks / hz <= 5000);
	raw_close(a.client);
	sluice_stop();
	with_stub("tcp_keepalive = 0");
	enter("alice");
	check("the connection", timer_of(stub_port(), &kind, &ticks));
	check("none", kind != KEEPALIVE);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "cancel_is_told_when_it_is_through", test_cancel_is_told_when_it_is_through },
		{ "cancel_outlives_its_statement", test_cancel_outlives_its_statement },
		{ "cancel_while_settings_are_replayed", test_cancel_while_settings_are_replayed },
		{ "out_of_order", test_out_of_order },
		{ "slow_reset", test_slow_reset },
		{ "slow_first_server", test_slow_first_server },
		{ "too_many_iterations", test_too_many_iterations },
		{ "late_data", test_late_data },
		{ "keepalive", test_keepalive },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "server", tests);
}
