/* test_my_tls.c - encryption at the mysql door and towards MySQL's and MariaDB's servers: every sslmode, what is
 * refused, what may be said in clear text, bytes that should not be there, and what a reload changes. */
#include "certs.h"
#include "harness_my.h"
#include "mysqlraw.h"

#include <stdlib.h>
#include <string.h>

enum { MY_SSL = 0x800 };

#define KEYS                                                                                                           \
	"client_tls_key_file = @DIR@/tls/server.key\n"                                                                 \
	"client_tls_cert_file = @DIR@/tls/server.crt\n"
#define KEYS_AND_CA KEYS "client_tls_ca_file = @DIR@/tls/ca.crt\n"

static const char ssl_now[] =
	"select variable_value <> '' from performance_schema.session_status where variable_name = "
	"'Ssl_cipher'";

static void with_tls(const char *mode, const char *more)
{
	certs_make();
	sluice_start(&(struct conf){ .settings = text(KEYS_AND_CA "client_tls_sslmode = %s\n%s", mode, more) });
}

static bool may(const struct my_how *how, char **e)
{
	MYSQL *c = my_try(how, e);
	bool in = c && mysql_query(c, "do 1") == 0;
	if (c)
		my_close(c);
	return in;
}

/* --- Clients */

static bool is_encrypted(void)
{
	MYSQL *c = my_try(&(struct my_how){ .tls = true }, NULL);
	bool yes = c && mysql_get_ssl_cipher(c) && mysql_query(c, "do 1") == 0;
	if (c)
		my_close(c);
	return yes;
}

static void test_modes(void)
{
	static const struct {
		const char *ours;
		bool plain, encrypted;
	} rows[] = { { "disable", true, false }, { "allow", true, true },       { "prefer", true, true },
		     { "require", false, true }, { "verify-ca", false, false }, { "verify-full", false, false } };
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *e = NULL;
		with_tls(rows[i].ours, "");
		check_eq(text("%s, in plain", rows[i].ours), may(NULL, &e), rows[i].plain);
		if (!rows[i].plain) {
			check(e, strncmp(e, "3159 HY000", 10) == 0);
			check(e, strstr(e, "Connections using insecure transport are prohibited") != NULL);
		}
		/* libmariadb makes do with less, when it does not check the certificate. */
		check_eq(text("%s, encrypted", rows[i].ours), is_encrypted(), rows[i].encrypted);
		check(text("%s, by a socket", rows[i].ours), may(&(struct my_how){ .unix_socket = true }, NULL));
		if (rows[i].encrypted) {
			MYSQL *c = my_client(&(struct my_how){ .tls = true });
			check("a cipher", mysql_get_ssl_cipher(c) != NULL);
			check("shown", strncmp(my_show(my_client(&(struct my_how){
							       .user = "admin", .database = "sluice", .tls = true }),
						       "clients", "user", "alice", "tls"),
					       "TLSv1.3/", 8) == 0);
			/* More than a record, both ways. */
			char *big = malloc(3000001);
			require("memory", big != NULL);
			memset(big, 'q', 3000000);
			big[3000000] = 0;
			check_my(c, text("select length('%s'), length(repeat('x', 5000000))", big), "3000000,5000000");
			free(big);
			check("another user", mysql_change_user(c, "bob", "bob-secret", "test") == 0);
			check_my(c, "select substring_index(current_user(), '@', 1)", "bob");
		}
		sluice_stop();
	}
}

static void test_client_certificates(void)
{
	certs_make();
	certs_certify("hers", "alice", NULL, "ca", 2); /* of the user that runs programs */
	certs_certify("strange", "alice", NULL, "strange-ca", 2);
	for (int i = 0; i < 2; i++) {
		with_tls(i ? "verify-full" : "verify-ca", i ? "auth_type = cert\n" : "");
		static const struct {
			const char *user, *cert;
			bool is_let_in[2]; /* by verify-ca; by auth_type cert */
		} rows[] = { { "alice", "hers", { true, true } },
			     { "bob", "hers", { true, false } },
			     { "alice", "strange", { false, false } } };
		for (size_t k = 0; k < COUNT(rows); k++) {
			char *out;
			int status =
				run(&out,
				    "mariadb --no-defaults -h 127.0.0.1 -P %d -u %s -p%s-secret -D test --ssl-cert=%s "
				    "--ssl-key=%s -Ne 'select 40+2' 2>&1",
				    sluice_my_port(), rows[k].user, rows[k].user,
				    certs_file(text("%s.crt", rows[k].cert)), certs_file(text("%s.key", rows[k].cert)));
			check_eq(text("%s with %s's: %s", rows[k].user, rows[k].cert, out), status == 0,
				 rows[k].is_let_in[i]);
		}
		sluice_stop();
	}
}

/* Over plain connections nobody is asked for a password as it is; over others that is so where nothing else will do. */
static void test_clear_text(void)
{
	static const char *const secrets[] = { "md535f59f8be7ea8ec4df8c6c2e3a5b7e6e", "alice-secret",
					       "*72633BEA1F74D211474C9767891EAE137FF89F2F" };
	certs_make();
	for (size_t i = 0; i < COUNT(secrets); i++) {
		sluice_start(&(struct conf){ .databases = "test = kind=mysql @MY@ user=alice password=alice-secret",
					     .settings = KEYS "client_tls_sslmode = allow\n",
					     .auth_file = text("\"alice\" \"%s\"\n", secrets[i]) });
		struct myraw r;
		require("greeted", myraw_greet(&r, sluice_my_port()));
		check("the greeting asks for none", !strstr(r.plugin, "clear"));
		(void)myraw_login(&r, "alice", "wrong", "test", MY_USUAL);
		check("nor does what follows", !strstr(r.plugin, "clear"));
		myraw_close(&r, false);
		char *e = NULL;
		check("in plain, by its own choice",
		      may(&(struct my_how){ .plugin = "mysql_clear_password" }, &e) == (i > 0));
		sluice_stop();
	}
}

/* MySQL's own client knows more ways to ask than libmariadb. */
static void test_mysql_client(void)
{
	if (!my_is_mysql()) {
		skip("MySQL's client is of MySQL's programs");
		return;
	}
	static const struct {
		const char *ours, *theirs;
		bool gets_in, encrypted;
	} rows[] = { { "disable", "DISABLED", true, false },      { "disable", "PREFERRED", true, false },
		     { "disable", "REQUIRED", false, false },     { "allow", "DISABLED", true, false },
		     { "allow", "PREFERRED", true, true },        { "require", "DISABLED", false, false },
		     { "require", "REQUIRED", true, true },       { "require", "VERIFY_CA", true, true },
		     { "require", "VERIFY_IDENTITY", true, true } };
	certs_make();
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *out, *what = text("%s, client %s", rows[i].ours, rows[i].theirs);
		with_tls(rows[i].ours, "");
		int status = run(
			&out,
			"'%s/mysql' --no-defaults -h 127.0.0.1 -P %d -u alice -palice-secret -D test --ssl-mode=%s %s "
			"--get-server-public-key --loose-commands -e 'select 40+2; \\s' 2>&1",
			getenv("TEST_MY_BINDIR"), sluice_my_port(), rows[i].theirs,
			strncmp(rows[i].theirs, "VERIFY", 6) == 0 ? text("--ssl-ca=%s", certs_file("ca.crt")) : "");
		check_eq(text("%s: %s", what, out), status == 0, rows[i].gets_in);
		if (rows[i].gets_in)
			check_eq(text("%s: %s", what, out), strstr(out, "Cipher in use is") != NULL, rows[i].encrypted);
		sluice_stop();
	}
}

/* --- Bytes that should not be there */

static void tls_request(char packet[36])
{
	memset(packet, 0, 36);
	memcpy(packet, "\x20\0\0\1\x05\xae\x0a\0\0\0\0\1\x2d", 13); /* CLIENT_SSL, PROTOCOL_41, SECURE, PLUGIN_AUTH */
}

/* Clear text behind the request for TLS is never taken for what the client says in it. */
static void test_injection(void)
{
	for (int way = 0; way < 3; way++) {
		struct myraw r;
		struct pgraw_bytes b = { 0 }, login = { 0 };
		char request[36], got[4096];
		with_tls("allow", "");
		require("greeted", myraw_greet(&r, sluice_my_port()));
		tls_request(request);
		myraw_add_login(&r, &login, "bob", "bob-secret", "test", MY_USUAL);
		pgraw_add(&b, request, sizeof request);
		if (way < 2) {
			char head[4] = { (char)login.n, 0, 0, 2 };
			pgraw_add(&b, head, 4);
			pgraw_add(&b, login.p, login.n);
		} else { /* so that the first bytes look like a record's */
			pgraw_add(&b, "\x16\3\1\0\4\3\0\0\0junk", 13);
		}
		size_t first = way == 1 ? sizeof request : b.n;
		require("sent", raw_send(r.fd, b.p, first));
		if (way == 1) /* on its own, once the request is in */
			require("sent", raw_send(r.fd, b.p + first, b.n - first));
		ssize_t n = raw_read_all(r.fd, got, sizeof got);
		check_eq(text("closed behind an alert at most, way %d", way), n <= 7, 1);
		check("nobody was let in", !sluice_logged("user=bob"));
		wait_until("told in the log", sluice_logged("TLS handshake failed: "));
		free(b.p);
		free(login.p);
		myraw_close(&r, false);
		check("others are", may(&(struct my_how){ .tls = true }, NULL));
		sluice_stop();
	}
}

/* Asked for where it is not offered, twice, or as the second thing; half a handshake. */
static void test_odd_requests(void)
{
	char request[36], got[4096];
	struct myraw r;
	certs_make();
	tls_request(request);
	sluice_start(&(struct conf){ .databases = NULL });
	require("greeted", myraw_greet(&r, sluice_my_port()));
	check("not offered", !(r.server_caps & MY_SSL));
	require("sent", raw_send(r.fd, request, sizeof request));
	ssize_t n = raw_read_all(r.fd, got, sizeof got - 1);
	check("an error in plain", n > 10 && got[4] == (char)0xff);
	myraw_close(&r, false);
	sluice_stop();

	with_tls("allow", "client_login_timeout = 5\n");
	int fds[36];
	for (size_t i = 0; i < COUNT(fds); i++) { /* cut anywhere, and silent */
		require("greeted", myraw_greet(&r, sluice_my_port()));
		check("offered", r.server_caps & MY_SSL);
		require("sent", raw_send(r.fd, request, i));
		fds[i] = r.fd;
	}
	int half;
	require("greeted", myraw_greet(&r, sluice_my_port()));
	half = r.fd;
	require("a record that is not whole",
		raw_send(half, request, sizeof request) && raw_send(half, "\26\3\1\1\0\1\0\0\xfc\3\3", 11));
	check_eq("closed without a word in plain", raw_read_all(half, got, sizeof got), 0);
	for (size_t i = 0; i < COUNT(fds); i++)
		check("closed too", raw_read_all(fds[i], got, sizeof got) >= 0);
	check("why", sluice_logged("client_login_timeout"));
	/* Each first byte of a record. */
	for (int i = 0; i < 256; i++) {
		char byte = (char)i;
		require("greeted", myraw_greet(&r, sluice_my_port()));
		check("sent", raw_send(r.fd, request, sizeof request) && raw_send(r.fd, &byte, 1));
		myraw_close(&r, false);
	}
	check("others get in", may(&(struct my_how){ .tls = true }, NULL));
}

/* New certificates in the same files: who is in stays in, who comes sees the new one. */
static void test_reload(void)
{
	char *out;
	certs_make();
	certs_copy("elsewhere", "current");
	sluice_start(&(struct conf){ .settings = "client_tls_sslmode = require\n"
						 "client_tls_key_file = @DIR@/tls/current.key\n"
						 "client_tls_cert_file = @DIR@/tls/current.crt\n" });
	const char *strict = text("mariadb --no-defaults -h 127.0.0.1 -P %d -u alice -palice-secret -D test "
				  "--ssl-ca=%s --ssl-verify-server-cert -Ne 'select 40+2' 2>&1",
				  sluice_my_port(), certs_file("ca.crt"));
	MYSQL *old = my_client(&(struct my_how){ .tls = true }),
	      *admin = my_client(&(struct my_how){ .user = "admin", .database = "sluice", .tls = true });
	my_run(old, "begin");
	check("the old one is for another host", run(&out, "%s", strict) != 0);
	certs_copy("server", "current");
	my_run(admin, "reload");
	check_my(old, "select 1", "1");
	check_eq(strict, run(&out, "%s", strict), 0);
	check_str("the new one", out, "42\n");
	my_run(admin, "set client_tls_sslmode = disable");
	check("switched off", may(NULL, NULL) && !is_encrypted());
	check_my(old, "commit", "ok 0");
}

/* --- Servers */

static void test_server_modes(void)
{
	static const struct {
		const char *mode;
		bool encrypted;
		bool tls_only; /* is an account that REQUIREs SSL served? */
	} rows[] = { { "disable", false, false }, { "allow", false, true },    { "prefer", true, true },
		     { "require", true, true },   { "verify-ca", true, true }, { "verify-full", true, true } };
	for (size_t i = 0; i < COUNT(rows); i++) {
		sluice_start(&(struct conf){
			.settings = text("server_tls_sslmode = %s\nserver_tls_ca_file = @DIR@/mydata/server-cert.pem\n"
					 "server_login_retry = 0\nquery_wait_timeout = 20\n",
					 rows[i].mode),
			.auth_file =
				"\"alice\" \"alice-secret\"\n\"tls\" \"tls-secret\"\n\"admin\" \"admin-secret\"\n" });
		MYSQL *c = my_client(NULL);
		check_my(c, ssl_now, rows[i].encrypted ? "1" : "0");
		check_eq("shown",
			 strncmp(my_show(my_console(), "servers", "database", "test", "tls"), "TLSv1.", 6) == 0,
			 rows[i].encrypted);
		check_eq(text("%s: an account of encrypted connections alone", rows[i].mode),
			 may(&(struct my_how){ .user = "tls" }, NULL), rows[i].tls_only);
		check_my(c, "select length(repeat('y', 9000000))", "9000000");
		sluice_stop();
	}
}

static void test_verify_server(void)
{
	certs_make();
	static const struct {
		const char *host, *ca, *mode;
		bool fits;
	} rows[] = {
		{ "127.0.0.1", "mydata/server-cert.pem", "verify-full", true },
		{ "localhost", "mydata/server-cert.pem", "verify-full", false },
		{ "localhost", "mydata/server-cert.pem", "verify-ca", true },
		{ "127.0.0.1", "tls/strange-ca.crt", "verify-ca", false },
		{ "127.0.0.1", "tls/strange-ca.crt", "verify-full", false },
		{ "127.0.0.1", "tls/strange-ca.crt", "require", true },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *e = "", *what = text("%s, %s, %s", rows[i].host, rows[i].ca, rows[i].mode);
		sluice_start(&(struct conf){ .databases = text("test = kind=mysql host=%s port=@MYPORT@", rows[i].host),
					     .settings = text("server_tls_sslmode = %s\nserver_tls_ca_file = @DIR@/%s\n"
							      "server_login_retry = 0\nquery_wait_timeout = 20\n",
							      rows[i].mode, rows[i].ca) });
		bool in = may(NULL, &e);
		check_eq(text("%s: %s", what, e), in, rows[i].fits);
		if (!rows[i].fits)
			check(what, sluice_logged("TLS handshake failed: the "));
		sluice_stop();
	}
}

/* Where the server wants nobody in plain. */
static void test_server_requires(void)
{
	static const struct {
		const char *mode;
		bool gets_in;
	} rows[] = { { "disable", false }, { "allow", true }, { "prefer", true }, { "require", true } };
	my_sql("set global require_secure_transport = on");
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *e = "";
		sluice_start(&(struct conf){
			.settings = text("server_tls_sslmode = %s\nserver_login_retry = 0\n", rows[i].mode) });
		bool in = may(NULL, &e);
		check_eq(text("%s: %s", rows[i].mode, e), in, rows[i].gets_in);
		sluice_stop();
	}
	my_sql("set global require_secure_transport = off");
}

/* What servers, or those who stand between, must not say. */
static void test_server_answers(void)
{
	static const struct {
		const char *what, *behind;
		size_t n;
		uint32_t caps;
		const char *mode, *logged;
	} rows[] = {
		{ "an OK behind the greeting", "\7\0\0\2\0\0\0\2\0\0\0", 11, MY_USUAL | MY_SSL, "require",
		  "data behind its greeting, before encryption" },
		{ "a header", "\7\0\0\2", 4, MY_USUAL | MY_SSL, "prefer",
		  "data behind its greeting, before encryption" },
		{ "no TLS to be had", "", 0, MY_USUAL, "require", "server refused SSL" },
		{ "nor a certificate", "", 0, MY_USUAL, "verify-full", "server refused SSL" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[256], got[64];
		struct myraw r;
		stub_open();
		sluice_start(&(struct conf){
			.databases = "test = kind=mysql @STUB@",
			.settings = text("server_tls_sslmode = %s\nserver_login_retry = 0\n", rows[i].mode) });
		require("greeted", myraw_greet(&r, sluice_my_port()));
		struct pgraw_bytes login = { 0 };
		myraw_add_login(&r, &login, "alice", "alice-secret", "test", MY_USUAL);
		char head[4] = { (char)login.n, 0, 0, 1 };
		check("it logs in", raw_send(r.fd, head, 4) && raw_send(r.fd, login.p, login.n));
		free(login.p);
		int fd = stub_accept();
		size_t n = myraw_put_greeting(bytes, "8.0.30", rows[i].caps);
		memcpy(bytes + n, rows[i].behind, rows[i].n);
		check("says", raw_send(fd, bytes, n + rows[i].n));
		wait_until(rows[i].what, sluice_logged(rows[i].logged));
		ssize_t heard = raw_read_all(fd, (char *)got, sizeof got);
		check(text("%s: no password follows", rows[i].what), heard <= 0);
		raw_close(fd);
		myraw_close(&r, false);
		sluice_stop();
	}
}

/* Other settings are other servers. */
static void test_server_reload(void)
{
	sluice_start(&(struct conf){ .settings = "server_tls_sslmode = disable\n" });
	MYSQL *c = my_client(NULL), *admin = my_console();
	check_my(c, ssl_now, "0");
	my_run(c, "begin");
	my_run(admin, "set server_tls_sslmode = require");
	check_my(c, ssl_now, "0");
	my_run(c, "commit");
	my_close(c);
	check_my(my_client(NULL), ssl_now, "1");
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "modes", test_modes },
		{ "client_certificates", test_client_certificates },
		{ "clear_text", test_clear_text },
		{ "mysql_client", test_mysql_client },
		{ "injection", test_injection },
		{ "odd_requests", test_odd_requests },
		{ "reload", test_reload },
		{ "server_modes", test_server_modes },
		{ "verify_server", test_verify_server },
		{ "server_requires", test_server_requires },
		{ "server_answers", test_server_answers },
		{ "server_reload", test_server_reload },
		{ NULL, NULL },
	};
	return harness_my_main(argc, argv, "my_tls", tests);
}
