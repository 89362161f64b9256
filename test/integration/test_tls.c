/* test_tls.c - encryption on both sides: every sslmode, certificates, what is refused, and what a reload changes.
 * Certificates are made at run time; their names say what they are. */
#include "certs.h"
#include "harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SSL_REQUEST "\0\0\0\10\4\322\26\57"

/* PostgreSQL with this certificate, or without TLS. */
static void pg_tls(const char *cert, const char *hba)
{
	certs_make();
	if (cert) {
		pg_sql("alter system set ssl_cert_file = '%s'", certs_file(text("%s.crt", cert)));
		pg_sql("alter system set ssl_key_file = '%s'", certs_file(text("%s.key", cert)));
		pg_sql("alter system set ssl_ca_file = '%s'", certs_file("ca.crt"));
	}
	pg_sql("alter system set ssl = %s", cert ? "on" : "off");
	pg_hba(hba ? hba : "host all all 127.0.0.1/32 trust\n");
	wait_until("PostgreSQL takes it over",
		   strcmp(pg_scalar("show ssl"), cert ? "on" : "off") == 0 &&
			   (!cert || strstr(pg_scalar("show ssl_cert_file"), text("/%s.crt", cert))));
}

static const char ssl_now[] = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";

#define KEYS                                                                                                           \
	"client_tls_key_file = @DIR@/tls/server.key\n"                                                                 \
	"client_tls_cert_file = @DIR@/tls/server.crt\n"
#define KEYS_AND_CA KEYS "client_tls_ca_file = @DIR@/tls/ca.crt\n"

static void with_tls(const char *mode, const char *more)
{
	certs_make();
	sluice_with(text(KEYS_AND_CA "client_tls_sslmode = %s\n%s", mode, more));
}

static char *tls_of_clients(void)
{
	return show(console(), "CLIENTS", "user", "alice", "tls");
}

/* --- Clients */

static void test_modes(void)
{
	static const struct {
		const char *ours, *theirs;
		bool gets_in, encrypted;
	} rows[] = {
		{ "disable", "disable", true, false },  { "disable", "prefer", true, false },
		{ "disable", "require", false, false }, { "allow", "disable", true, false },
		{ "allow", "allow", true, false },      { "allow", "prefer", true, true },
		{ "allow", "require", true, true },     { "prefer", "disable", true, false },
		{ "prefer", "prefer", true, true },     { "require", "disable", false, false },
		{ "require", "allow", true, true },     { "require", "prefer", true, true },
		{ "require", "verify-ca", true, true }, { "require", "verify-full", true, true },
	};
	const char *is_on = NULL;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (!is_on || strcmp(is_on, rows[i].ours) != 0) {
			if (is_on)
				sluice_stop();
			is_on = rows[i].ours;
			with_tls(is_on, "");
		}
		char *what = text("%s, client %s", rows[i].ours, rows[i].theirs);
		PGconn *c = client_try("sslmode=%s sslrootcert=%s", rows[i].theirs, certs_file("ca.crt"));
		check_eq(what, c != NULL, rows[i].gets_in);
		if (!c)
			continue;
		check_scalar(c, "select 42", "42");
		check_eq(what, PQsslInUse(c), rows[i].encrypted);
		if (strcmp(rows[i].ours, "require") != 0)
			check(what, (strstr(tls_of_clients(), "TLSv1.3/TLS_") != NULL) == rows[i].encrypted);
		client_close(c);
	}
	check_login_fails("08P01", "SSL required", "user=alice");
	check("the log tells how", sluice_logged("tls=TLSv1.3/TLS_"));
}

/* A unix socket is never encrypted, and need not be. */
static void test_unix_socket(void)
{
	with_tls("require", "");
	PGconn *c = client("host=%s", sluice_socket_dir());
	check_scalar(c, "select 1", "1");
	check("in plain", !PQsslInUse(c));
	char answer = 0;
	int fd = raw_open_unix();
	check("asked", raw_send(fd, SSL_REQUEST, 8) && raw_read(fd, &answer, 1));
	check_eq("declined", answer, 'N');
}

static void test_server_name(void)
{
	static const struct {
		const char *cert;
		bool fits;
	} rows[] = { { "server", true }, { "elsewhere", false }, { "only-cn", true } };
	certs_make();
	for (size_t i = 0; i < COUNT(rows); i++) {
		sluice_with(text("client_tls_sslmode = prefer\nclient_tls_key_file = @DIR@/tls/%s.key\n"
				 "client_tls_cert_file = @DIR@/tls/%s.crt\n",
				 rows[i].cert, rows[i].cert));
		PGconn *c = client_try("sslmode=verify-full sslrootcert=%s", certs_file("ca.crt"));
		check_eq(rows[i].cert, c != NULL, rows[i].fits);
		check(rows[i].cert,
		      client_try("sslmode=verify-full sslrootcert=%s", certs_file("strange-ca.crt")) == NULL);
		sluice_stop();
	}
}

static void test_client_certificates(void)
{
	for (int i = 0; i < 2; i++) {
		with_tls(i ? "verify-full" : "verify-ca", "");
		check("none", client_try("sslmode=require") == NULL);
		check("in plain", client_try("sslmode=disable") == NULL);
		check("of a CA that we do not know",
		      client_try("sslmode=require sslcert=%s sslkey=%s", certs_file("stranger.crt"),
				 certs_file("stranger.key")) == NULL);
		PGconn *c = client("sslmode=require sslcert=%s sslkey=%s", certs_file("alice.crt"),
				   certs_file("alice.key"));
		check_scalar(c, "select 1", "1");
		check("why", sluice_logged("TLS handshake failed: peer did not return a certificate"));
		check("why", sluice_logged("TLS handshake failed: the certificate is not accepted: "));
		sluice_stop();
	}
}

/* auth_type cert, and rules that tell encrypted connections from others. */
static void test_cert(void)
{
	const char *alice =
		text("sslmode=require sslcert=%s sslkey=%s", certs_file("alice.crt"), certs_file("alice.key"));
	with_tls("verify-full", "auth_type = cert\n");
	check_scalar(client("%s", alice), "select current_user", "alice");
	check("another name", client_try("%s user=bob", alice) == NULL);
	check("an unknown one", client_try("%s user=nobody", alice) == NULL);
	sluice_stop();
	write_text(text("%s/hba", dir()), "hostssl test alice 127.0.0.1/32 cert\n"
					  "hostssl test bob 127.0.0.1/32 cert map=m\n"
					  "hostnossl test carol 127.0.0.1/32 trust\n"
					  "hostssl all all 127.0.0.1/32 scram-sha-256\n");
	write_text(text("%s/ident", dir()), "m alice bob\n");
	with_tls("verify-ca", "auth_type = hba\nauth_hba_file = @DIR@/hba\nauth_ident_file = @DIR@/ident\n");
	check_scalar(client("%s", alice), "select current_user", "alice");
	check_scalar(client("%s user=bob", alice), "select current_user", "bob");
	check("carol comes in plain only, and in plain comes nobody", client_try("%s user=carol", alice) == NULL);
	check_scalar(client("%s user=carol password=carol-secret", alice), "select current_user", "carol");
	sluice_stop();
	with_tls("prefer", "auth_type = hba\nauth_hba_file = @DIR@/hba\nauth_ident_file = @DIR@/ident\n");
	check("nobody is asked for a certificate", client_try("%s", alice) == NULL);
	check_scalar(client("user=carol sslmode=disable"), "select current_user", "carol");
	check("encrypted it takes a password", client_try("user=carol sslmode=require") == NULL);
}

/* SCRAM bound to the connection, on both sides; PostgreSQL and libpq know it by themselves. */
static void test_channel_binding(void)
{
	static const char scram[] = "hostssl all all 127.0.0.1/32 scram-sha-256\n";
	pg_tls("server", NULL);
	for (int i = 0; i < 2; i++) {
		pg_hba(scram);
		char *verifier = pg_scalar("select rolpassword from pg_authid where rolname = 'alice'");
		sluice_start(&(struct conf){
			.settings = text(KEYS "client_tls_sslmode = prefer\nauth_type = scram-sha-256\n"
					      "server_tls_sslmode = require\n"),
			.auth_file = i ? text("\"alice\" \"%s\"\n", verifier) : "\"alice\" \"alice-secret\"\n" });
		PGconn *c = client("sslmode=require channel_binding=require password=alice-secret");
		check_scalar(c, ssl_now, "t");
		client("sslmode=require channel_binding=disable password=alice-secret");
		client("sslmode=disable channel_binding=prefer password=alice-secret");
		check("a wrong password", client_try("sslmode=require channel_binding=require password=x") == NULL);
		check("nothing to bind to",
		      client_try("sslmode=disable channel_binding=require password=alice-secret") == NULL);
		sluice_stop();
	}
}

static void test_protocols(void)
{
	with_tls("require", "client_tls_protocols = tlsv1.2\nclient_tls_ciphers = ECDHE-ECDSA-AES128-GCM-SHA256\n");
	PGconn *c = client("sslmode=require");
	check_scalar(c, "select 1", "1");
	check("newer ones only", client_try("sslmode=require ssl_min_protocol_version=TLSv1.3") == NULL);
	PGconn *admin = client("user=admin password=admin-secret dbname=pgbouncer sslmode=require");
	check_str("shown", show(admin, "CLIENTS", "user", "alice", "tls"), "TLSv1.2/ECDHE-ECDSA-AES128-GCM-SHA256");
	sluice_stop();
	with_tls("require", "client_tls_protocols = tlsv1.3\nclient_tls13_ciphers = TLS_CHACHA20_POLY1305_SHA256\n");
	check("older ones only", client_try("sslmode=require ssl_max_protocol_version=TLSv1.2") == NULL);
	client("sslmode=require");
	admin = client("user=admin password=admin-secret dbname=pgbouncer sslmode=require");
	check_str("shown", show(admin, "CLIENTS", "user", "alice", "tls"), "TLSv1.3/TLS_CHACHA20_POLY1305_SHA256");
}

/* --- Configuration */

static const struct {
	const char *settings, *told;
} faults[] = {
	{ "client_tls_sslmode = require\n", "client_tls_key_file and client_tls_cert_file must be set" },
	{ "client_tls_sslmode = allow\nclient_tls_key_file = @DIR@/tls/server.key\n", "client_tls_cert_file: not set" },
	{ "client_tls_sslmode = allow\nclient_tls_key_file = @DIR@/tls/none.key\n"
	  "client_tls_cert_file = @DIR@/tls/server.crt\n",
	  "none.key\": No such file" },
	{ "client_tls_sslmode = allow\nclient_tls_key_file = @DIR@/tls/other.key\n"
	  "client_tls_cert_file = @DIR@/tls/server.crt\n",
	  "client_tls_key_file: \"@DIR@/tls/other.key\" is not the key of the certificate" },
	{ "client_tls_sslmode = allow\nclient_tls_key_file = @DIR@/tls/expired.key\n"
	  "client_tls_cert_file = @DIR@/tls/expired.crt\n",
	  "expired.crt\" has expired" },
	{ "client_tls_sslmode = allow\nclient_tls_key_file = @DIR@/tls/server.key\n"
	  "client_tls_cert_file = @DIR@/tls/server.key\n",
	  "client_tls_cert_file: \"@DIR@/tls/server.key\" cannot be used" },
	{ KEYS "client_tls_sslmode = verify-ca\nclient_tls_ca_file = @DIR@/userlist.txt\n",
	  "client_tls_ca_file: \"@DIR@/userlist.txt\" cannot be used" },
	{ KEYS "client_tls_sslmode = allow\nclient_tls_protocols = tlsv1.9\n", "client_tls_protocols: \"tlsv1.9\"" },
	{ KEYS "client_tls_sslmode = allow\nclient_tls_ciphers = NONSENSE\n", "client_tls_ciphers: no cipher" },
	{ KEYS "client_tls_sslmode = allow\nclient_tls13_ciphers = NONSENSE\n", "client_tls13_ciphers: no cipher" },
	{ KEYS "client_tls_sslmode = allow\nclient_tls_ecdhcurve = roundish\n", "client_tls_ecdhcurve: \"roundish\"" },
	{ KEYS "client_tls_sslmode = allow\nclient_tls_dheparams = 12\n", "client_tls_dheparams: \"12\"" },
	{ "server_tls_protocols = x\n", "server_tls_protocols: \"x\"" },
	{ "server_tls_sslmode = verify-full\nserver_tls_ca_file = @DIR@/tls/none.crt\n",
	  "server_tls_ca_file: \"@DIR@/tls/none.crt\": No such file" },
	{ "server_tls_sslmode = always\n", "one of disable, allow, prefer, require, verify-ca, verify-full" },
};

static const char *here(const char *in)
{
	const char *at = strstr(in, "@DIR@");
	return at ? text("%.*s%s%s", (int)(at - in), in, dir(), at + 5) : in;
}

/* Told by --check, and at a start, which it refuses, and by RELOAD, which changes nothing then. */
static void test_faults(void)
{
	char *out;
	with_tls("require", "");
	PGconn *admin = client("user=admin password=admin-secret dbname=pgbouncer sslmode=require");
	for (size_t i = 0; i < COUNT(faults); i++) {
		sluice_configure(&(struct conf){ .settings = faults[i].settings });
		check(faults[i].told, run(&out, "./sluice --check sluice.ini") > 0);
		check(text("\"%s\" should be in: %s", here(faults[i].told), out), strstr(out, here(faults[i].told)));
		check_sql_fails(admin, "RELOAD", "F0000", here(faults[i].told));
	}
	check("a start is refused", run(&out, "./sluice sluice.ini") > 0);
	check("all is as it was", PQsslInUse(client("sslmode=verify-full sslrootcert=%s", certs_file("ca.crt"))));
	sluice_configure(&(struct conf){ .settings = "client_tls_protocols = tlsv1.9\n" });
	check_eq("what is off is not looked at", run(&out, "./sluice --check sluice.ini"), 0);
}

/* New certificates in the same files: who is in stays in, who comes sees the new one. */
static void test_reload(void)
{
	certs_make();
	certs_copy("elsewhere", "current");
	sluice_with("client_tls_sslmode = require\nclient_tls_key_file = @DIR@/tls/current.key\n"
		    "client_tls_cert_file = @DIR@/tls/current.crt\n");
	const char *strict = text("sslmode=verify-full sslrootcert=%s", certs_file("ca.crt"));
	PGconn *admin = client("user=admin password=admin-secret dbname=pgbouncer sslmode=require");
	PGconn *old = client("sslmode=require");
	sql(old, "begin");
	sql(old, "create temp table kept (a int)");
	check("the old one is for another host", client_try("%s", strict) == NULL);
	certs_copy("server", "current");
	sql(admin, "reload");
	sql(old, "insert into kept values (7)");
	check_scalar(old, "select a from kept", "7");
	sql(old, "commit");
	check_scalar(client("%s", strict), "select 1", "1");
	sql(admin, "set client_tls_sslmode = disable");
	check("switched off", client_try("%s", strict) == NULL);
	check_scalar(client("sslmode=disable"), "select 1", "1");
	check_scalar(old, "select 2", "2");
	sql(admin, "set client_tls_ca_file = '/nowhere/ca.crt'"); /* it is off, and not looked at */
	check_sql_fails(admin, "set client_tls_sslmode = require", "08P01", "/nowhere/ca.crt");
	sql(admin, "set client_tls_ca_file = ''");
	sql(admin, "set client_tls_sslmode = require");
	check_sql_fails(admin, "set client_tls_protocols = nonsense", "08P01", "client_tls_protocols");
	check_scalar(client("%s", strict), "select 3", "3");
}

/* --- Bytes that should not be there */

static void test_injection(void)
{
	char buf[512];
	size_t len;
	with_tls("prefer", "");
	int fd = raw_open();
	char both[64] = SSL_REQUEST;
	memcpy(both + 8, "\0\0\0\10\0\3\0\0", 8);
	check("sent", raw_send(fd, both, 16));
	check("told in plain, and no S before it", raw_expect(fd, 'E', buf, sizeof buf, &len));
	check_str("PgBouncer's words", error_field(buf, len, 'M'), "received unencrypted data after SSL request");
	check_eq("closed", raw_read_all(fd, buf, sizeof buf), 0);
	check_scalar(client("sslmode=require"), "select 1", "1");
}

static int raw_tls_open(void)
{
	char answer = 0;
	int fd = raw_open();
	require("asked", raw_send(fd, SSL_REQUEST, 8) && raw_read(fd, &answer, 1) && answer == 'S');
	return fd;
}

static void test_garbage(void)
{
	char buf[4096];
	with_tls("prefer", "");
	int fd = raw_tls_open();
	check("sent", raw_send(fd, "GET / HTTP/1.0\r\n\r\n", 18));
	check("closed behind an alert at most", raw_read_all(fd, buf, sizeof buf) <= 7);
	wait_until("told in the log", sluice_logged("TLS handshake failed: "));
	/* And after the handshake, in a session that has a server. */
	PGconn *c = client("sslmode=require");
	sql(c, "begin");
	static const char junk[] = "\27\3\3\0\40JUNKJUNKJUNKJUNKJUNKJUNKJUNKJUNKJUNK";
	check("sent", raw_send(PQsocket(c), junk, sizeof junk));
	char *last;
	do
		last = PQgetResult(c) ? NULL : "";
	while (!last);
	check_sql_fails(c, "select 1", NULL, NULL);
	check("the connection ends", PQstatus(c) == CONNECTION_BAD);
	wait_until("told in the log", sluice_logged("closing because: TLS: "));
	/* A length that no record has. */
	c = client("sslmode=require");
	check("sent", raw_send(PQsocket(c), "\27\3\3\377\377xxxxxxxx", 13));
	check_sql_fails(c, "select 1", NULL, NULL);
	/* Each first byte alone: handshakes that come in pieces. */
	for (int i = 0; i < 256; i++) {
		char byte = (char)i;
		int one = raw_tls_open();
		check("sent", raw_send(one, &byte, 1));
		raw_close(one);
	}
	check_scalar(client("sslmode=require"), "select 1", "1");
}

static void test_half_handshake(void)
{
	char buf[512];
	with_tls("prefer", "client_login_timeout = 3\n");
	int silent = raw_tls_open(), half = raw_tls_open();
	check("a record that is not whole", raw_send(half, "\26\3\1\1\0\1\0\0", 8));
	check_eq("closed without a word in plain", raw_read_all(silent, buf, sizeof buf), 0);
	check_eq("closed without a word in plain", raw_read_all(half, buf, sizeof buf), 0);
	check("why", sluice_logged("client_login_timeout"));
}

/* --- Direct TLS */

static int s_client(char **out, const char *args)
{
	return run(out, "echo | timeout 20 openssl s_client -connect 127.0.0.1:%d %s 2>&1", sluice_port(), args);
}

static void test_direct(void)
{
	char *out;
	with_tls("require", "");
	check_eq("with ALPN", s_client(&out, "-alpn postgresql"), 0);
	check(out, strstr(out, "ALPN protocol: postgresql") && strstr(out, "Cipher is TLS_"));
	s_client(&out, "-alpn http/1.1");
	check(out, strstr(out, "no application protocol") != NULL);
	s_client(&out, "");
	wait_until("without", sluice_logged("direct TLS without the application protocol"));
	const char *psql = "/usr/bin/psql", *sid = getenv("SID_ROOT");
	if (!sid || access(text("%s%s", sid, psql), X_OK) != 0) {
		printf("no psql 18 in SID_ROOT: sslnegotiation=direct is tried by openssl only\n");
		return;
	}
	check_eq("psql 18",
		 system(text("chroot %s %s 'host=127.0.0.1 port=%d user=alice dbname=test sslmode=require "
			     "sslnegotiation=direct' -Atc 'select 18' >%s/psql18.out 2>&1",
			     sid, psql, sluice_port(), dir())),
		 0);
	check_str("its answer", file_text(text("%s/psql18.out", dir())), "18\n");
}

/* A ticket makes the next handshake shorter, also after a RELOAD that changes no file. It comes with what the client is
 * told first. */
static void test_resumption(void)
{
	/* alice to test, then a farewell. */
	const char *said = "printf '\\0\\0\\0\\42\\0\\3\\0\\0user\\0alice\\0database\\0test\\0\\0X\\0\\0\\0\\4'";
	static const struct {
		const char *what, *args, *want;
		bool reload;
	} rows[] = {
		{ "the first time", "-sess_out tls/session", "New, TLSv1.3", false },
		{ "again", "-sess_in tls/session -sess_out tls/session", "Reused, TLSv1.3", false },
		{ "after a reload", "-sess_in tls/session", "Reused, TLSv1.3", true },
		{ "TLS 1.2", "-tls1_2 -sess_out tls/session12", "New, TLSv1.2", false },
		{ "TLS 1.2 again", "-tls1_2 -sess_in tls/session12", "Reused, TLSv1.2", false },
	};
	with_tls("prefer", "");
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *out;
		if (rows[i].reload)
			sql(console(), "reload");
		check_eq(
			rows[i].what,
			run(&out,
			    "%s | timeout 20 openssl s_client -connect 127.0.0.1:%d -alpn postgresql -ign_eof %s 2>&1 | tr -d '\\0'",
			    said, sluice_port(), rows[i].args),
			0);
		check(text("%s: %s", rows[i].what, out), strstr(out, rows[i].want) != NULL);
		check(text("%s: %s", rows[i].what, out), strstr(out, "server_version") != NULL);
	}
}

/* --- Much data */

static void test_large_results(void)
{
	with_tls("require", "");
	PGconn *c = client("sslmode=require");
	/* 60 MB in rows of all sizes, the largest of several records. */
	require("sent", PQsendQuery(c, "select g, repeat(chr(97 + g % 26), (g * 37) % 120000) from generate_series(1, "
				       "1000) g") &&
				PQsetSingleRowMode(c));
	PGresult *r;
	size_t bytes = 0, bad = 0;
	int rows = 0;
	while ((r = PQgetResult(c))) {
		if (PQresultStatus(r) == PGRES_SINGLE_TUPLE) {
			int g = atoi(PQgetvalue(r, 0, 0));
			const char *v = PQgetvalue(r, 0, 1);
			size_t len = (size_t)PQgetlength(r, 0, 1);
			bad += g != ++rows || len != (size_t)(g * 37) % 120000;
			for (size_t i = 0; i < len; i += 997)
				bad += v[i] != 'a' + g % 26;
			bytes += len;
		} else {
			check_eq("all is there", PQresultStatus(r), PGRES_TUPLES_OK);
		}
		PQclear(r);
	}
	check_eq("rows", rows, 1000);
	check_eq("wrong ones", bad, 0);
	check("bytes", bytes > 15u << 20);
	/* One value of 50 MB, there and back. */
	char *big = scalar_params(c, "select md5($1::text) || length($1::text)", text("%0*d", 50 << 20, 7), NULL);
	check("50 MB to the server", strstr(big, text("%d", 50 << 20)) != NULL);
	PGresult *back = PQexec(c, text("select repeat('y', %d)", 50 << 20));
	check_eq("and 50 MB back", PQgetlength(back, 0, 0), 50 << 20);
	PQclear(back);
}

/* Who does not read holds up nobody else, and gets all of it when it does. */
static void test_slow_reader(void)
{
	with_tls("require", "default_pool_size = 2\n");
	PGconn *slow = client("sslmode=require"), *other = client("sslmode=require");
	require("sent", PQsendQuery(slow, "select repeat('z', 30000000)"));
	PGconn *admin = client("user=admin password=admin-secret dbname=pgbouncer sslmode=require");
	for (int i = 0; i < 50; i++)
		check_scalar(other, "select 1", "1");
	check_str("it has a server yet", show(admin, "POOLS", "database", "test", "cl_active"), "2");
	PGresult *r = PQgetResult(slow);
	check_eq("all of it", PQgetlength(r, 0, 0), 30000000);
	PQclear(r);
	while ((r = PQgetResult(slow)))
		PQclear(r);
	check_scalar(slow, "select 2", "2");
}

/* --- Servers */

static void test_server_modes(void)
{
	static const char any[] = "host all all 127.0.0.1/32 trust\n", only[] = "hostssl all all 127.0.0.1/32 trust\n",
			  never[] = "hostnossl all all 127.0.0.1/32 trust\n";
	static const struct {
		const char *cert, *hba, *mode, *want; /* want: of ssl_now; NULL: no server */
	} rows[] = {
		{ NULL, any, "disable", "f" },       { NULL, any, "allow", "f" },
		{ NULL, any, "prefer", "f" },        { NULL, any, "require", NULL },
		{ "server", any, "disable", "f" },   { "server", any, "allow", "f" },
		{ "server", any, "prefer", "t" },    { "server", any, "require", "t" },
		{ "server", only, "disable", NULL }, { "server", only, "allow", "t" },
		{ "server", never, "prefer", "f" },  { "server", never, "require", NULL },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *what =
			text("server %s, %s, %s", rows[i].cert ? "with TLS" : "without", rows[i].hba, rows[i].mode);
		pg_tls(rows[i].cert, rows[i].hba);
		sluice_with(text("server_tls_sslmode = %s\nquery_wait_timeout = 20\nserver_login_retry = 0\n",
				 rows[i].mode));
		PGconn *c = client_try("%s", "");
		check_eq(what, c != NULL, rows[i].want != NULL);
		if (c) {
			check_str(what, scalar(c, ssl_now), rows[i].want);
			char *shown = show(console(), "SERVERS", "database", "test", "tls");
			check(text("%s: %s", what, shown),
			      (strncmp(shown, "TLSv1.3/", 8) == 0) == (rows[i].want[0] == 't'));
		}
		sluice_stop();
	}
	check("the harness's log of the last", !sluice_is_running());
}

static void test_verify_server(void)
{
	static const struct {
		const char *cert, *host, *ca, *mode;
		bool fits;
	} rows[] = {
		{ "server", "127.0.0.1", "ca.crt", "verify-full", true },
		{ "server", "localhost", "ca.crt", "verify-full", true },
		{ "elsewhere", "127.0.0.1", "ca.crt", "verify-full", false },
		{ "elsewhere", "localhost", "ca.crt", "verify-full", false },
		{ "elsewhere", "127.0.0.1", "ca.crt", "verify-ca", true },
		{ "only-cn", "127.0.0.1", "ca.crt", "verify-full", true },
		{ "only-cn", "localhost", "ca.crt", "verify-full", false },
		{ "server", "127.0.0.1", "strange-ca.crt", "verify-ca", false },
		{ "server", "127.0.0.1", "strange-ca.crt", "verify-full", false },
		{ "server", "127.0.0.1", "strange-ca.crt", "require", true },
		/* The name is that of the host which answered, not of the list. */
		{ "server", "127.0.0.1,localhost", "ca.crt", "verify-full", true },
		/* One that does not fit, before or behind one that does, is not used, and costs nobody a login. */
		{ "only-cn", "localhost,127.0.0.1", "ca.crt", "verify-full", true },
		{ "only-cn", "127.0.0.1,localhost", "ca.crt", "verify-full", true },
		{ "elsewhere", "127.0.0.1,localhost", "ca.crt", "verify-full", false },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *what = text("%s for %s, %s, %s", rows[i].cert, rows[i].host, rows[i].ca, rows[i].mode);
		pg_tls(rows[i].cert, NULL);
		sluice_start(
			&(struct conf){ .databases = text("test = host=%s port=%d", rows[i].host, pg_port()),
					.settings = text("server_tls_sslmode = %s\nserver_tls_ca_file = @DIR@/tls/%s\n"
							 "query_wait_timeout = 20\nserver_login_retry = 60\n",
							 rows[i].mode, rows[i].ca) });
		for (int more = 0; more < 3; more++) { /* each is a new server */
			PGconn *c = client_try("%s", "");
			check_eq(what, c != NULL, rows[i].fits);
			if (c)
				check_str(what, scalar(c, ssl_now), "t");
			else
				check(what, sluice_logged("TLS handshake failed: the "));
		}
		sluice_stop();
	}
}

static void test_certificate_for_servers(void)
{
	char *out;
	pg_tls("server", "hostssl test alice 127.0.0.1/32 cert\nhost all all 127.0.0.1/32 trust\n");
	require("a key that the server's user may read", run(&out, "cd tls && cat alice.crt") == 0);
	certs_copy("server", "nobody");
	certs_certify("us", "alice", NULL, "ca", 2);
	sluice_with("server_tls_sslmode = require\nserver_tls_key_file = @DIR@/tls/us.key\n"
		    "server_tls_cert_file = @DIR@/tls/us.crt\n");
	check_scalar(client(NULL), "select current_user", "alice");
	sluice_stop();
	sluice_with("server_tls_sslmode = require\nquery_wait_timeout = 20\n");
	check("without it", client_try("%s", "") == NULL);
}

/* Between Sluice and PostgreSQL: passes on one connection, and tells of its first packet in a file. */
static void overhear(int a)
{
	uint8_t bytes[8192];
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)pg_port()),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int b = socket(AF_INET, SOCK_STREAM, 0);
	bool is_first = true;
	if (connect(b, (struct sockaddr *)&to, sizeof to) != 0)
		return;
	for (;;) {
		struct pollfd p[] = { { a, POLLIN, 0 }, { b, POLLIN, 0 } };
		if (poll(p, 2, -1) < 0)
			return;
		for (int i = 0; i < 2; i++) {
			ssize_t n = p[i].revents ? read(p[i].fd, bytes, sizeof bytes) : 0;
			if (p[i].revents && (n <= 0 || write(p[!i].fd, bytes, (size_t)n) != n))
				return;
			if (n >= 8 && i == 0 && is_first) {
				FILE *f = fopen(text("%s/overheard", dir()), "a");
				fprintf(f, "%d.%d\n", bytes[4] << 8 | bytes[5], bytes[6] << 8 | bytes[7]);
				fclose(f);
				is_first = false;
			}
		}
	}
}

/* The port of somebody who listens there, and overhears. */
static int between(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof in;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	require("one who listens", bind(fd, (struct sockaddr *)&in, len) == 0 && listen(fd, 16) == 0 &&
					   getsockname(fd, (struct sockaddr *)&in, &len) == 0);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGCHLD, SIG_IGN);
		for (;;) {
			int a = accept(fd, NULL, NULL);
			if (a < 0 || fork() == 0) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				if (a >= 0)
					overhear(a);
				_exit(0);
			}
			close(a);
		}
	}
	close(fd);
	return ntohs(in.sin_port);
}

static void test_cancel(void)
{
	pg_tls("server", "hostssl all all 127.0.0.1/32 trust\n");
	sluice_start(&(struct conf){
		.databases = text("test = host=127.0.0.1 port=%d", between()),
		.settings = text("%sserver_tls_sslmode = verify-full\nserver_tls_ca_file = @DIR@/tls/ca.crt\n"
				 "client_tls_sslmode = require\n",
				 KEYS) });
	PGconn *c = client("sslmode=require");
	char why[256];
	require("sent", PQsendQuery(c, "select pg_sleep(60)"));
	wait_until("it runs", strcmp(pg_scalar("select count(*) from pg_stat_activity where query like "
					       "'select pg_sleep(60)%%' and state = 'active'"),
				     "1") == 0);
	PGcancel *k = PQgetCancel(c);
	check("asked", PQcancel(k, why, sizeof why));
	PQfreeCancel(k);
	check_result_fails(c, PQgetResult(c), "57014", "canceling statement due to user request");
	check("nothing went wrong", !sluice_logged("did not get through"));
	check_str("both asked for TLS", file_text(text("%s/overheard", dir())), "1234.5679\n1234.5679\n");
}

/* Other settings, or other files, are other servers: those there are end as they come free. */
static void test_server_reload(void)
{
	pg_tls("server", NULL);
	sluice_with("server_tls_sslmode = disable\n");
	PGconn *c = client(NULL), *admin = console();
	check_str("in plain", scalar(c, ssl_now), "f");
	char *pid = scalar(c, "select pg_backend_pid()");
	sql(admin, "reload");
	check_scalar(c, "select pg_backend_pid()", pid);
	sql(c, "begin");
	sql(admin, "set server_tls_sslmode = require");
	check_scalar(c, "select pg_backend_pid()", pid);
	sql(c, "commit");
	check_str("the next one is encrypted", scalar(c, ssl_now), "t");
	check("and another one", strcmp(scalar(c, "select pg_backend_pid()"), pid) != 0);
	pid = scalar(c, "select pg_backend_pid()");
	sql(admin, "set client_tls_ciphers = secure");
	check_scalar(c, "select pg_backend_pid()", pid);
}

static void test_server_large(void)
{
	pg_tls("server", NULL);
	sluice_with(text("%sserver_tls_sslmode = require\nclient_tls_sslmode = require\n", KEYS));
	PGconn *c = client("sslmode=require");
	check_str("encrypted on both sides", scalar(c, ssl_now), "t");
	PGresult *r = PQexec(c, "select repeat('q', 60000000)");
	check_eq("60 MB", PQgetlength(r, 0, 0), 60000000);
	PQclear(r);
	char *got = scalar_params(c, "select length($1)", text("%0*d", 20 << 20, 1), NULL);
	check_str("20 MB", got, text("%d", 20 << 20));
	for (int i = 0; i < 200; i++)
		check_str("small ones", scalar(c, "select %d", i), text("%d", i));
}

/* What servers must not say. */
static void test_server_answers(void)
{
	static const struct {
		const char *says;
		size_t n;
		const char *logged;
	} rows[] = {
		{ "Sx", 2, "data behind its answer to the SSL request" },
		{ "Nx", 2, "data behind its answer to the SSL request" },
		{ "E", 1, "no answer to the SSL request" },
		{ "Q", 1, "no answer to the SSL request" },
		{ "EFATAL: come here\n", 18, "data behind its answer" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char request[8];
		stub_open();
		sluice_start(&(struct conf){ .databases = "test = @STUB@",
					     .settings = "server_tls_sslmode = require\nserver_login_retry = 0\n" });
		check("a client", raw_startup(raw_open(), "alice", "test"));
		int fd = stub_accept();
		check("asked first", raw_read(fd, request, 8) && memcmp(request, SSL_REQUEST, 8) == 0);
		check("answered", raw_send(fd, rows[i].says, rows[i].n));
		wait_until(rows[i].logged, sluice_logged(rows[i].logged));
		check("nothing of it is passed on", !sluice_logged("come here"));
		sluice_stop();
	}
	/* Half a handshake. */
	stub_open();
	sluice_start(&(struct conf){ .databases = "test = @STUB@",
				     .settings = "server_tls_sslmode = require\nserver_connect_timeout = 1\n" });
	check("a client", raw_startup(raw_open(), "alice", "test"));
	char request[8];
	int fd = stub_accept();
	check("asked", raw_read(fd, request, 8) && raw_send(fd, "S", 1));
	wait_until("given up", sluice_logged("connect timeout"));
	/* prefer: what cannot encrypt is asked again in plain. */
	sluice_stop();
	stub_open();
	sluice_start(&(struct conf){ .databases = "test = @STUB@", .settings = "server_tls_sslmode = prefer\n" });
	check("a client", raw_startup(raw_open(), "alice", "test"));
	fd = stub_accept();
	check("asked", raw_read(fd, request, 8) && raw_send(fd, "S", 1) && raw_read(fd, request, 5));
	check("then an alert", raw_send(fd, "\25\3\3\0\2\2\50", 7));
	fd = stub_accept();
	check("in plain", raw_read(fd, request, 8) && memcmp(request + 4, "\0\3\0\2", 4) == 0);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "modes", test_modes },
		{ "unix_socket", test_unix_socket },
		{ "server_name", test_server_name },
		{ "client_certificates", test_client_certificates },
		{ "cert", test_cert },
		{ "channel_binding", test_channel_binding },
		{ "protocols", test_protocols },
		{ "faults", test_faults },
		{ "reload", test_reload },
		{ "injection", test_injection },
		{ "garbage", test_garbage },
		{ "half_handshake", test_half_handshake },
		{ "direct", test_direct },
		{ "resumption", test_resumption },
		{ "large_results", test_large_results },
		{ "slow_reader", test_slow_reader },
		{ "server_modes", test_server_modes },
		{ "verify_server", test_verify_server },
		{ "certificate_for_servers", test_certificate_for_servers },
		{ "cancel", test_cancel },
		{ "server_reload", test_server_reload },
		{ "server_large", test_server_large },
		{ "server_answers", test_server_answers },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "tls", tests);
}
