/* test_protocol.c - protocol versions and options, and cancel keys of any length, with clients and with servers.
 * PostgreSQL docs: Protocol Versions, NegotiateProtocolVersion, BackendKeyData, CancelRequest. */
#include "harness.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V(major, minor) ((uint32_t)(major) << 16 | (uint32_t)(minor))
#define SLEEP           "select pg_sleep(100)"

static char body[4096];
static size_t len;

/* A start-up packet of any version; more: further names and values, each with its NUL. */
static bool start_up(int fd, uint32_t version, const char *more, size_t n)
{
	static const char who[] = "user\0alice\0database\0test"; /* and a NUL */
	char packet[1024];
	uint32_t head[2] = { htonl((uint32_t)(8 + sizeof who + n + 1)), htonl(version) };
	memcpy(packet, head, 8);
	memcpy(packet + 8, who, sizeof who);
	if (n)
		memcpy(packet + 8 + sizeof who, more, n);
	packet[8 + sizeof who + n] = 0;
	return raw_send(fd, packet, 8 + sizeof who + n + 1);
}

/* As PostgreSQL 18 answers. */
static const struct {
	const char *what;
	uint32_t version;
	const char *more;
	size_t n;
	const char *told; /* NegotiateProtocolVersion's body; NULL: none */
	size_t ntold;
	size_t key; /* bytes of BackendKeyData's body */
} versions[] = {
	{ "3.0", V(3, 0), "", 0, NULL, 0, 8 },
	{ "3.1, which nobody speaks", V(3, 1), "", 0, NULL, 0, 8 },
	{ "3.2", V(3, 2), "", 0, NULL, 0, 36 },
	{ "3.3", V(3, 3), "", 0, BYTES("\0\3\0\2\0\0\0\0"), 36 },
	{ "the probe of libpq", V(3, 9999), BYTES("_pq_.test_protocol_negotiation\0\0"),
	  BYTES("\0\3\0\2\0\0\0\1_pq_.test_protocol_negotiation\0"), 36 },
	{ "the largest", V(3, 65535), "", 0, BYTES("\0\3\0\2\0\0\0\0"), 36 },
	{ "options in 3.0", V(3, 0), BYTES("_pq_.b\0on\0_pq_.a\0\0"), BYTES("\0\3\0\0\0\0\0\2_pq_.b\0_pq_.a\0"), 8 },
	{ "an option in 3.1", V(3, 1), BYTES("_pq_.a\0x\0"), BYTES("\0\3\0\1\0\0\0\1_pq_.a\0"), 8 },
	{ "an option in 3.2, among others", V(3, 2), BYTES("application_name\0x\0_pq_.a\0x\0DateStyle\0ISO\0"),
	  BYTES("\0\3\0\2\0\0\0\1_pq_.a\0"), 36 },
};

static void test_versions(void)
{
	char type = 0;
	if (peer_version())
		skip("PgBouncer speaks 3.0 alone");
	if (peer_version())
		return;
	sluice_with("auth_type = plain");
	for (size_t i = 0; i < COUNT(versions); i++) {
		const char *what = versions[i].what;
		int fd = raw_open();
		check(what, start_up(fd, versions[i].version, versions[i].more, versions[i].n));
		check(what, raw_next(fd, &type, body, sizeof body, &len));
		check_eq(text("%s: is negotiated", what), type == 'v', versions[i].told != NULL);
		if (type == 'v') { /* before anything else is asked */
			check_eq(text("%s: length", what), len, versions[i].ntold);
			check_mem(what, body, versions[i].told, len < versions[i].ntold ? len : versions[i].ntold);
			check(what, raw_next(fd, &type, body, sizeof body, &len));
		}
		check_eq(text("%s: a password is asked for", what), type, 'R');
		check(what, raw_message(fd, 'p', "alice-secret", sizeof "alice-secret"));
		check(what, raw_expect(fd, 'K', body, sizeof body, &len));
		check_eq(text("%s: key", what), len, versions[i].key);
		check(what, raw_expect(fd, 'Z', body, sizeof body, &len));
	}
	int fd = raw_open();
	check("4.0", start_up(fd, V(4, 0), "", 0) && raw_expect(fd, 'E', body, sizeof body, &len));
	check_str("4.0", error_field(body, len, 'M'), "unsupported frontend protocol 4.0: server supports 3.0 to 3.2");
	check_str("4.0", error_field(body, len, 'C'), "0A000");
}

/* Sends a CancelRequest with these bytes behind its code, and sees it closed. */
static void cancel(const char *key, size_t n)
{
	char packet[600], heard[16];
	uint32_t head[2] = { htonl((uint32_t)(8 + n)), htonl(80877102) };
	int fd = raw_open();
	memcpy(packet, head, 8);
	memcpy(packet + 8, key, n);
	check("request", raw_send(fd, packet, 8 + n));
	check_eq("it is closed without a word", raw_read_all(fd, heard, sizeof heard), 0);
	raw_close(fd);
}

/* A key cancels as a whole, or not at all. */
static void test_long_keys(void)
{
	char key[300] = "", other[300];
	if (peer_version()) {
		skip("PgBouncer speaks 3.0 alone");
		return;
	}
	sluice_with("pool_mode = transaction");
	for (int minor = 0; minor <= 2; minor += 2) {
		size_t n = minor ? 36 : 8;
		int fd = raw_open();
		require("in", start_up(fd, V(3, minor), "", 0) && raw_expect(fd, 'K', key, sizeof key, &len));
		require("its length", len == n && raw_expect(fd, 'Z', body, sizeof body, &len));
		require("query", raw_message(fd, 'Q', SLEEP, sizeof SLEEP));
		wait_until("it runs", pg_sleepers() == 1);
		for (size_t i = 0; i < n; i++) { /* each byte counts */
			memcpy(other, key, n);
			other[i] = (char)(other[i] ^ 1);
			cancel(other, n);
		}
		memcpy(other, key, n);
		memset(other + n, 0, sizeof other - n);
		for (size_t less = 4; less < n; less += less < 8 ? 1 : 4)
			cancel(key, less);
		cancel(other, n + 1);
		cancel(other, 36 + 8 - n);
		cancel(other, 260);
		cancel(other, 261);
		check_eq("it runs on", pg_sleepers(), 1);
		cancel(key, n);
		check("an error", raw_expect(fd, 'E', body, sizeof body, &len));
		check_str("SQLSTATE", error_field(body, len, 'C'), "57014");
		check("ready", raw_expect(fd, 'Z', body, sizeof body, &len));
		raw_close(fd);
	}
}

/* libpq asks for more than 3.0 where it is told to. */
static void test_libpq(void)
{
	char why[256] = "";
	if (peer_version() || PQlibVersion() < 180000) {
		skip("libpq of PostgreSQL 18 is needed");
		return;
	}
	sluice_with("pool_mode = transaction");
	PGconn *c = client("min_protocol_version=3.2 max_protocol_version=latest");
	check_scalar(c, "select 1", "1");
	check("query", PQsendQuery(c, SLEEP));
	PQflush(c);
	wait_until("it runs", pg_sleepers() == 1);
	PGcancel *key = PQgetCancel(c);
	check(text("cancel: %s", why), PQcancel(key, why, sizeof why) == 1);
	PQfreeCancel(key);
	check_result_fails(c, PQgetResult(c), "57014", "canceling statement due to user request");
}

/* Two clients' keys have nothing in common that one could tell the other's by. */
static void test_long_keys_differ(void)
{
	char keys[2][300];
	if (peer_version()) {
		skip("PgBouncer speaks 3.0 alone");
		return;
	}
	sluice_with(NULL);
	for (int i = 0; i < 2; i++) {
		int fd = raw_open();
		require("in", start_up(fd, V(3, 2), "", 0) && raw_expect(fd, 'K', keys[i], sizeof keys[i], &len));
	}
	for (size_t at = 0; at + 4 <= 36; at += 4)
		check(text("four bytes at %zu", at), memcmp(keys[0] + at, keys[1] + at, 4) != 0);
}

/* --- Servers */

static int with_stub(void)
{
	stub_open();
	sluice_start(&(struct conf){ .databases = "test = @STUB@", .settings = "pool_mode = transaction" });
	int fd = raw_open();
	require("start-up", raw_startup(fd, "alice", "test"));
	return fd;
}

/* Says what servers say at login, with this key. */
static void let_in_with_key(int server, const char *key, size_t n)
{
	bool ok = raw_message(server, 'R', "\0\0\0", 4) && raw_message(server, 'S', "server_version\00018.0", 20) &&
		  raw_message(server, 'K', key, n);
	(void)(ok && raw_message(server, 'Z', "I", 1)); /* it may have closed */
}

/* The client's statement runs there, and is cancelled: what Sluice sends is the server's key, whole. */
static void check_cancels_with(int client, int server, const char *key, size_t n)
{
	char own[64];
	size_t own_len = 0;
	require("key", raw_expect(client, 'K', own, sizeof own, &own_len));
	require("ready", raw_expect(client, 'Z', body, sizeof body, &len));
	require("query",
		raw_message(client, 'Q', SLEEP, sizeof SLEEP) && raw_expect(server, 'Q', body, sizeof body, &len));
	char packet[600];
	uint32_t head[2] = { htonl((uint32_t)(8 + own_len)), htonl(80877102) };
	int fd = raw_open();
	memcpy(packet, head, 8);
	memcpy(packet + 8, own, own_len);
	check("request", raw_send(fd, packet, 8 + own_len));
	int asked = stub_accept();
	ssize_t got = (ssize_t)(8 + n);
	check("request to the server", raw_read(asked, body, (size_t)got));
	head[0] = htonl((uint32_t)(8 + n));
	check_mem("its head", body, head, 8);
	check_mem("and the key", body + 8, key, n);
	raw_close(asked);
}

static void test_keys_of_servers(void)
{
	static const size_t sizes[] = { 4, 5, 32, 256 };
	char key[300];
	if (peer_version()) {
		skip("PgBouncer speaks 3.0 alone");
		return;
	}
	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (char)(i * 7 + 1);
	key[0] = 0;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		int client = with_stub(), server = stub_startup();
		check_eq("it is asked for 3.2", stub_version(), V(3, 2));
		let_in_with_key(server, key, 4 + sizes[i]);
		check_cancels_with(client, server, key, 4 + sizes[i]);
		sluice_stop();
	}
}

/* Keys that no version has are refused, and so is a version that was not asked for. */
static void test_broken_servers(void)
{
	static const struct {
		const char *what;
		const char *told; /* NegotiateProtocolVersion; NULL: none, but a key of this length */
		size_t n;
		const char *error;
	} cases[] = {
		{ "no key", NULL, 4, "malformed BackendKeyData" },
		{ "a key of 3", NULL, 4 + 3, "malformed BackendKeyData" },
		{ "a key of 257", NULL, 4 + 257, "malformed BackendKeyData" },
		{ "more than was asked for", BYTES("\0\3\0\3\0\0\0\0"), "malformed NegotiateProtocolVersion" },
		{ "another protocol", BYTES("\0\2\0\0\0\0\0\0"), "malformed NegotiateProtocolVersion" },
		{ "an option that was not asked for", BYTES("\0\3\0\2\0\0\0\1_pq_.a\0"),
		  "malformed NegotiateProtocolVersion" },
		{ "more options than are there", BYTES("\0\3\0\2\0\0\0\2_pq_.a\0"),
		  "malformed NegotiateProtocolVersion" },
		{ "half of it", BYTES("\0\3\0\2\0\0"), "malformed NegotiateProtocolVersion" },
	};
	char key[300] = "";
	if (peer_version()) {
		skip("PgBouncer speaks 3.0 alone");
		return;
	}
	for (size_t i = 0; i < COUNT(cases); i++) {
		int client = with_stub(), server = stub_startup();
		if (cases[i].told)
			raw_message(server, 'v', cases[i].told, cases[i].n);
		let_in_with_key(server, key, cases[i].told ? 8 : cases[i].n);
		/* It may be tried once more as a server that speaks 3.0 alone, and is no better. */
		if (cases[i].told) {
			server = stub_startup();
			check_eq(cases[i].what, stub_version(), V(3, 0));
			raw_message(server, 'v', cases[i].told, cases[i].n);
		}
		check(cases[i].what, raw_expect(client, 'E', body, sizeof body, &len));
		check(text("%s: %s", cases[i].what, error_field(body, len, 'M')),
		      strstr(error_field(body, len, 'M'), cases[i].error) != NULL);
		sluice_stop();
	}
}

/* How a server that speaks 3.0 alone may say so. */
static void test_old_servers(void)
{
	static const char error[] = "SFATAL\0C0A000\0Munsupported frontend protocol 3.2\0";
	static const struct {
		const char *what, *told;
		size_t n;
	} negotiations[] = {
		{ "by the message", BYTES("\0\3\0\0\0\0\0\0") },
		{ "by the minor number alone", BYTES("\0\0\0\0\0\0\0\0") },
		{ "by the version that never was", BYTES("\0\3\0\1\0\0\0\0") },
	};
	static const char *const refusals[] = { "by an error", "by closing" };
	char key[8] = "\0\0\1\2abcd";
	if (peer_version()) {
		skip("PgBouncer speaks 3.0 alone");
		return;
	}
	for (size_t i = 0; i < COUNT(negotiations); i++) {
		int client = with_stub(), server = stub_startup();
		check(negotiations[i].what, raw_message(server, 'v', negotiations[i].told, negotiations[i].n));
		let_in_with_key(server, key, sizeof key);
		check_cancels_with(client, server, key, sizeof key);
		sluice_stop();
	}
	for (size_t i = 0; i < COUNT(refusals); i++) {
		int client = with_stub(), server = stub_startup();
		check_eq(refusals[i], stub_version(), V(3, 2));
		if (i == 0)
			raw_message(server, 'E', error, sizeof error);
		raw_close(server);
		server = stub_startup();
		check_eq(text("%s: again", refusals[i]), stub_version(), V(3, 0));
		let_in_with_key(server, key, sizeof key);
		check_cancels_with(client, server, key, sizeof key);
		/* It is remembered: another server is asked for 3.0 at once. */
		int second = raw_open();
		check("another client",
		      raw_startup(second, "alice", "test") && raw_expect(second, 'Z', body, sizeof body, &len));
		check("its query", raw_message(second, 'Q', "select 1", sizeof "select 1"));
		(void)stub_startup();
		check_eq(text("%s: the next one", refusals[i]), stub_version(), V(3, 0));
		sluice_stop();
	}
}

/* A refusal for another reason is told, and costs one connection. */
static void test_refusals(void)
{
	static const char error[] = "SFATAL\0C28000\0Mwho are you\0";
	static const char full[] = "SFATAL\0C53300\0Msorry, too many clients already\0";
	static const struct {
		const char *error, *part;
		size_t n;
	} cases[] = { { error, "who are you", sizeof error }, { full, "too many clients", sizeof full } };
	for (size_t i = 0; i < COUNT(cases); i++) {
		int client = with_stub(), server = stub_startup();
		raw_message(server, 'E', cases[i].error, cases[i].n);
		check(cases[i].part, raw_expect(client, 'E', body, sizeof body, &len));
		check(cases[i].part, strstr(error_field(body, len, 'M'), cases[i].part) != NULL);
		sluice_stop();
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "versions", test_versions },
		{ "long_keys", test_long_keys },
		{ "long_keys_differ", test_long_keys_differ },
		{ "libpq", test_libpq },
		{ "keys_of_servers", test_keys_of_servers },
		{ "broken_servers", test_broken_servers },
		{ "old_servers", test_old_servers },
		{ "refusals", test_refusals },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "protocol", tests);
}
