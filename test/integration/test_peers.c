/* test_peers.c - several processes on one address: a cancel request finds its statement, whichever of them it comes to.
 */
#include "harness.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SLEEP "select pg_sleep(100)"

static const char *other_dir(void)
{
	return text("%s/other", dir());
}

/* The first is the harness's, the second has a directory of its own. */
static void start_both(void)
{
	char *peers = text("[peers]\n1 = host=%s port=@PORT@\n2 = host=%s port=@PORT@ pool_size=50\n",
			   sluice_socket_dir(), other_dir()),
	     *out;
	/* The port is known once the first one runs, which is configured anew then. */
	struct conf c = { .settings = "so_reuseport = 1\npeer_id = 1\ndefault_pool_size = 30" };
	sluice_start(&c);
	char *at, *port = text("%d", sluice_port());
	while ((at = strstr(peers, "@PORT@")))
		peers = text("%.*s%s%s", (int)(at - peers), peers, port, at + strlen("@PORT@"));
	c.users = peers;
	sluice_configure(&c);
	sql(console(), "reload");
	check_eq("a directory", run(&out, "mkdir -p %s", other_dir()), 0);
	char *ini = file_text(text("%s/sluice.ini", dir()));
	at = strstr(ini, "peer_id = 1");
	require("peer_id", at != NULL);
	at[strlen("peer_id = ")] = '2';
	at = strstr(ini, "unix_socket_dir = ");
	require("unix_socket_dir", at != NULL);
	char *rest = strchr(at, '\n');
	write_text(text("%s/other.ini", dir()),
		   text("%.*sunix_socket_dir = %s%s", (int)(at - ini), ini, other_dir(), rest));
	run_in_background("other.log", "%s/sluice %s/other.ini", dir(), dir());
	wait_until("the other one is up", access(text("%s/.s.PGSQL.%d", other_dir(), sluice_port()), F_OK) == 0);
	wait_until("and answers", client_try("host=%s", other_dir()) != NULL);
}

static PGconn *other_client(const char *more)
{
	return client("host=%s %s", other_dir(), more);
}

static void is_cancelled(PGconn *c)
{
	wait_until("an answer", is_answered(c));
	PGresult *r = PQgetResult(c);
	check_result_fails(c, r, "57014", "canceling statement due to user request");
	while ((r = PQgetResult(c)))
		PQclear(r);
}

/* The kernel chooses who gets a connection: half of the requests come to the wrong one. */
static void test_one_port(void)
{
	enum { N = 24 };
	start_both();
	PGconn *c[N];
	for (int i = 0; i < N; i++) {
		c[i] = client(NULL);
		check("query", PQsendQuery(c[i], SLEEP));
		PQflush(c[i]);
	}
	wait_until("all run", pg_sleepers() == N);
	for (int i = 0; i < N; i++) {
		client_cancel(c[i]);
		is_cancelled(c[i]);
	}
	const char *other = file_text(text("%s/other.log", dir()));
	check("both have clients", strstr(other, "cancel request") && sluice_logged("cancel request"));
	check("some were forwarded",
	      strstr(other, "cancel request for peer 1") || sluice_logged("cancel request for peer 2"));
	check("the other one is well", !strstr(other, "Sanitizer") && !strstr(other, "runtime error"));
	PGconn *con = client("host=%s user=admin dbname=pgbouncer", sluice_socket_dir());
	check_str("host", show(con, "PEERS", "peer_id", "2", "host"), other_dir());
	check_str("size", show(con, "PEERS", "peer_id", "2", "pool_size"), "50");
	check_str("default", show(con, "PEERS", "peer_id", "1", "pool_size"), "30");
	check("no pool for itself", !show(con, "PEER_POOLS", "peer_id", "1", "sv_login"));
	check_str("nothing is under way", show(con, "PEER_POOLS", "peer_id", "2", "sv_active_cancel"), "0");
}

/* A request as the other one gets it, with these n bytes. */
static int send_key_to_other(const char *key, size_t n)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char packet[64] = { 0, 0, 0, (char)(8 + n), 4, (char)0xd2, 0x16, 0x2e };
	int fd = raw_open_unix();
	int to = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(a.sun_path, sizeof a.sun_path, "%s/.s.PGSQL.%d", other_dir(), sluice_port());
	require("the other's socket", to >= 0 && connect(to, (struct sockaddr *)&a, sizeof a) == 0);
	require("in the place of ours", dup2(to, fd) == fd);
	close(to);
	memcpy(packet + 8, key, n);
	check("cancel request", raw_send(fd, packet, 8 + n));
	return fd;
}

static int send_to_other(const char key[8])
{
	return send_key_to_other(key, 8);
}

static void test_hops(void)
{
	char key[8], body[512];
	size_t len = 0;
	start_both();
	int fd = raw_open_unix();
	require("start", raw_startup(fd, "alice", "test") && raw_expect(fd, 'K', body, sizeof body, &len));
	require("key of eight bytes", len == 8);
	memcpy(key, body, 8);
	check("the peer's id is in it", key[1] == 1 && key[2] == 0 && (key[7] & 3) == 3 && !(key[0] & 0x80));
	check("query", raw_expect(fd, 'Z', body, sizeof body, &len) && raw_message(fd, 'Q', SLEEP, sizeof SLEEP));
	wait_until("it runs", pg_sleepers() == 1);

	key[7] = (char)(key[7] & ~3);
	check_eq("passed on too often", raw_read_all(send_to_other(key), body, sizeof body), 0);
	key[7] = (char)(key[7] | 2);
	key[0] ^= 1;
	check_eq("nobody's key", raw_read_all(send_to_other(key), body, sizeof body), 0);
	key[0] ^= 1;
	key[1] = 7;
	check_eq("nobody's id", raw_read_all(send_to_other(key), body, sizeof body), 0);
	key[1] = 2;
	check_eq("the other's own", raw_read_all(send_to_other(key), body, sizeof body), 0);
	check_eq("it runs on", pg_sleepers(), 1);
	key[1] = 1;
	check_eq("its key", raw_read_all(send_to_other(key), body, sizeof body), 0);
	check("an error", raw_expect(fd, 'E', body, sizeof body, &len));
	check_str("SQLSTATE", error_field(body, len, 'C'), "57014");
	PGconn *c = other_client("application_name=x");
	check_scalar(c, "select 1", "1");
}

/* The longer keys of protocol 3.2 are forwarded whole, and only their owner knows whether they are right. */
static void test_long_keys(void)
{
	static const char packet[] = "\0\0\0\x22\0\3\0\2user\0alice\0database\0test\0";
	char key[36], body[512];
	size_t len = 0;
	start_both();
	int fd = raw_open_unix();
	require("start", raw_send(fd, packet, sizeof packet) && raw_expect(fd, 'K', body, sizeof body, &len));
	require("a key of 36 bytes", len == sizeof key);
	memcpy(key, body, sizeof key);
	check("query", raw_expect(fd, 'Z', body, sizeof body, &len) && raw_message(fd, 'Q', SLEEP, sizeof SLEEP));
	wait_until("it runs", pg_sleepers() == 1);
	check_eq("the beginning alone", raw_read_all(send_key_to_other(key, 8), body, sizeof body), 0);
	key[35] ^= 1;
	check_eq("another end", raw_read_all(send_key_to_other(key, 36), body, sizeof body), 0);
	key[35] ^= 1;
	check_eq("it runs on", pg_sleepers(), 1);
	check_eq("its key", raw_read_all(send_key_to_other(key, 36), body, sizeof body), 0);
	check("an error", raw_expect(fd, 'E', body, sizeof body, &len));
	check_str("SQLSTATE", error_field(body, len, 'C'), "57014");
}

static int ask_again_for(char which, char hops)
{
	char packet[16] = { 0, 0, 0, 16, 4, (char)0xd2, 0x16, 0x2e, 17, 5, 0, which, 1, 2, 3, (char)(4 + hops) };
	int fd = raw_open();
	check("cancel request", raw_send(fd, packet, sizeof packet));
	return fd;
}

static int ask_for(char which)
{
	return ask_again_for(which, 3);
}

/* A peer that the test plays: as many requests as its pool_size at once, each once, none for ever. */
static void test_line(void)
{
	char body[64];
	stub_open();
	sluice_start(&(struct conf){ .settings = "peer_id = 3\ncancel_wait_timeout = 60\nserver_tls_sslmode = disable",
				     .users = "[peers]\n5 = host=127.0.0.1 port=@STUBPORT@ pool_size=1" });
	PGconn *con = console();
	check_eq("no more hops", raw_read_all(ask_again_for(9, 0), body, sizeof body), 0);
	check("told in the log", sluice_logged("went from peer to peer too often"));
	int first = ask_for(1), again = ask_for(1), second = ask_for(2);
	int peer = stub_accept();
	check("a request", raw_read(peer, body, 16));
	check("one hop less", body[11] == 1 && body[15] == 6 && body[9] == 5);
	wait_until("on their way", show_int(con, "PEER_POOLS", "peer_id", "5", "cl_active_cancel_req") == 2);
	wait_until("in line", show_int(con, "PEER_POOLS", "peer_id", "5", "cl_waiting_cancel_req") == 1);
	check_eq("one connection", show_int(con, "PEER_POOLS", "peer_id", "5", "sv_active_cancel"), 1);
	raw_close(peer);
	check_eq("it is through", raw_read_all(first, body, sizeof body), 0);
	check_eq("for both", raw_read_all(again, body, sizeof body), 0);
	peer = stub_accept();
	check("the next", raw_read(peer, body, 16) && body[11] == 2);
	raw_close(peer);
	check_eq("it is through, too", raw_read_all(second, body, sizeof body), 0);

	sql(con, "set cancel_wait_timeout = 0.5");
	first = ask_for(3);
	second = ask_for(4);
	check_eq("nobody answers", raw_read_all(first, body, sizeof body), 0);
	check_eq("nor takes it", raw_read_all(second, body, sizeof body), 0);
	check("the log tells", sluice_logged("cancel request for peer 5 did not get through"));
	stub_close();
	check_eq("nobody listens", raw_read_all(ask_for(5), body, sizeof body), 0);
	check_eq("nothing is left", show_int(con, "PEER_POOLS", "peer_id", "5", "cl_waiting_cancel_req"), 0);
	check_str("peers", show(con, "LISTS", "list", "peers", "items"), "1");
	check_str("their pools", show(con, "LISTS", "list", "peer_pools", "items"), "1");
}

/* As with servers: encrypted where the peer can. */
static void test_asks_for_tls(void)
{
	char body[64];
	stub_open();
	sluice_start(
		&(struct conf){ .settings = "peer_id = 3", .users = "[peers]\n5 = host=127.0.0.1 port=@STUBPORT@" });
	int asks = ask_for(1);
	raw_close(stub_startup());
	check_eq("it is through", raw_read_all(asks, body, sizeof body), 0);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "one_port", test_one_port },         { "hops", test_hops },
		{ "long_keys", test_long_keys },       { "line", test_line },
		{ "asks_for_tls", test_asks_for_tls }, { NULL, NULL },
	};
	return harness_main(argc, argv, "peers", tests);
}
