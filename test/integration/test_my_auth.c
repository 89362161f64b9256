/* test_my_auth.c - logins by MySQL's protocol: clients prove themselves to Sluice, and Sluice to servers, by every way
 * that either has. */
#include "harness_my.h"
#include "mysqlraw.h"

#include <stdlib.h>
#include <string.h>

/* Of "pencil". */
#define NATIVE  "*7614BE58636C810A9D8970A50B3B2A78450413E4"
#define SHA2    "$A$005$ABCDEFGHIJKLMNOPQRST/Ot.EjLtgDi7N2ac.5J0vA5rhjKnaqYaZp3Id61YMC1"
#define ED25519 "ed25519:x1YAMCvR7TI3XkfIDrsGUiePkxOybYVG94ctSSWCDSc"
#define PARSEC  "P0:QUJDREVGR0hJSktMTU5PUFFS:PyB42+MUuIvSON6Z4FUhZ9gkV+r3uh4Ptzi7xYlMAnk"
#define MD5     "md5984c3e9256f24b08e5b849d2265593b2" /* of anna */
#define SCRAM                                                                                                          \
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"                    \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static void make_certificate(void)
{
	char *out;
	int status = run(&out,
			 "cd '%s' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
			 "-keyout door.key -out door.crt -days 2 -subj /CN=sluice 2>&1",
			 dir());
	require(out, status == 0);
}

#define TLS "client_tls_sslmode = allow\nclient_tls_key_file = @DIR@/door.key\nclient_tls_cert_file = @DIR@/door.crt\n"

static bool may(const struct my_how *how)
{
	char *e;
	MYSQL *c = my_try(how, &e);
	bool in = c && mysql_query(c, "do 1") == 0;
	if (c)
		my_close(c);
	return in;
}

/* Every form of secret; the servers are logged in to as somebody else, so that the door is alone in it. */
static void test_secrets(void)
{
	enum { PLAINLY = 1, SOCKET = 2, BY_TLS = 4, ANYHOW = 7 };
	static const struct {
		const char *what, *secret, *plugin;
		unsigned ways;
	} cases[] = {
		{ "plain", "pencil", NULL, ANYHOW },
		{ "plain, sha2", "pencil", "caching_sha2_password", ANYHOW },
		{ "plain, native", "pencil", "mysql_native_password", ANYHOW },
		{ "plain, in clear text", "pencil", "mysql_clear_password", ANYHOW },
		{ "plain, ed25519", "pencil", "client_ed25519", ANYHOW },
		{ "native", NATIVE, NULL, ANYHOW },
		{ "native, switched", NATIVE, "caching_sha2_password", ANYHOW },
		{ "native, in clear text", NATIVE, "mysql_clear_password", ANYHOW },
		{ "sha2", SHA2, NULL, ANYHOW },
		{ "sha2, first in clear text", SHA2, "mysql_clear_password", ANYHOW },
		{ "ed25519", ED25519, NULL, ANYHOW },
		{ "md5", MD5, NULL, SOCKET | BY_TLS },
		{ "SCRAM", SCRAM, NULL, SOCKET | BY_TLS },
		{ "none", "", NULL, 0 },
	};
	make_certificate();
	for (size_t i = 0; i < COUNT(cases); i++)
		for (unsigned way = PLAINLY; way <= BY_TLS; way *= 2) {
			char *what = text("%s, way %u", cases[i].what, way);
			struct my_how how = { .user = "anna",
					      .password = "pencil",
					      .plugin = cases[i].plugin,
					      .unix_socket = way == SOCKET,
					      .tls = way == BY_TLS };
			sluice_start(
				&(struct conf){ .databases = "test = kind=mysql @MY@ user=alice password=alice-secret",
						.settings = TLS,
						.auth_file = text("\"anna\" \"%s\"\n", cases[i].secret) });
			bool fits = cases[i].ways & way;
			check_eq(what, may(&how), fits);
			check_eq(text("%s, again", what), may(&how), fits);
			how.password = "pencils";
			check_my_refused(&how, 1045, "28000", "Access denied for user 'anna'@'");
			how.user = "nobody";
			check_my_refused(&how, 1045, "28000", "Access denied for user 'nobody'@'");
			how.user = "anna";
			how.password = "pencil";
			check_eq(text("%s, still", what), may(&how), fits);
			check(what, !sluice_logged("pencil"));
			sluice_stop();
		}
}

/* Sluice as the client of a server's accounts, encrypted or not: then caching_sha2_password tells by RSA. */
static void test_servers(void)
{
	static const char *const modes[] = { "disable", "require" };
	const char *special = my_is_mysql() ? "sha2" : "ed25519";
	const char *secret = text("%s-secret", special);
	for (size_t k = 0; k < COUNT(modes); k++) {
		sluice_start(&(struct conf){
			.settings = text("server_tls_sslmode = %s\n", modes[k]),
			.auth_file = text("\"%s\" \"%s\"\n\"alice\" \"alice-secret\"\n\"tls\" \"tls-secret\"\n",
					  special, secret) });
		if (my_is_mysql())
			my_sql("flush privileges"); /* which forgets the passwords that were shown */
		struct my_how how = { .user = special, .password = secret };
		for (int i = 0; i < 3; i++) {
			MYSQL *c = my_client(&how);
			check_my(c, "select substring_index(current_user(), '@', 1)", special);
			my_close(c);
		}
		check_my(my_client(NULL), "select substring_index(current_user(), '@', 1)", "alice");
		check_eq(modes[k], may(&(struct my_how){ .user = "tls", .password = "tls-secret", .database = "" }),
			 k == 1);
		check("no secret in the log", !sluice_logged(secret));
		sluice_stop();
	}
}

/* A hash alone lets a client in, and what its proof tells logs in to the server. */
static void test_hash_to_server(void)
{
	char *hash = my_scalar("select concat('0x', hex(authentication_string)) from mysql.user where user = 'bob'");
	if (!my_is_mysql())
		hash = my_scalar("select password('bob-secret')");
	sluice_start(&(struct conf){ .auth_file = text("\"bob\" \"%s\"\n", hash) });
	struct my_how how = { .user = "bob", .password = "bob-secret" };
	if (my_is_mysql())
		my_sql("flush privileges");
	check_my_refused((&(struct my_how){ .user = "bob", .password = "wrong" }), 1045, "28000",
			 "(using password: YES)");
	for (int i = 0; i < 2; i++)
		check_my(my_client(&how), "select substring_index(current_user(), '@', 1)", "bob");
}

static void test_two_passwords(void)
{
	sluice_start(&(struct conf){ .auth_file = "\"alice\" \"alice-secret\"\n\"alice\" \"newer-secret\"\n" });
	check("the newer one", may(&(struct my_how){ .password = "newer-secret" }));
	check("the older one", may(&(struct my_how){ .password = "alice-secret" }));
	check_my_refused((&(struct my_how){ .password = "oldest-secret" }), 1045, "28000", "Access denied");
}

static void test_auth_query(void)
{
	/* MariaDB's key alone could be anybody's password. */
	const char *of = my_is_mysql() ? "authentication_string"
				       : "if(plugin = ''ed25519'', concat(''ed25519:'', authentication_string), "
					 "authentication_string)";
	my_sql("drop table if exists test.strangers");
	my_sql("create table test.strangers(name varchar(80), secret varchar(80))");
	my_sql("insert into test.strangers values ('eve', '" NATIVE "'), ('null', null), ('we''re\\\\', 'pencil'), "
	       "('twice', 'x'), ('twice', 'y')");
	sluice_start(&(struct conf){
		.databases =
			text("test = kind=mysql @MY@ auth_query='select user, %s from mysql.user where user = $1'\n"
			     "other = kind=mysql @MY@ dbname=test user=alice password=alice-secret "
			     "auth_query='select name, secret from test.strangers where name = ?'\n",
			     of),
		.settings = "auth_user = alice\n",
		.auth_file = "\"alice\" \"alice-secret\"\n" });
	const char *special = my_is_mysql() ? "sha2" : "ed25519";
	check_my(my_client(&(struct my_how){ .user = "bob", .password = "bob-secret" }),
		 "select substring_index(current_user(), '@', 1)", "bob");
	/* With ed25519's key a client is let in, and no server. */
	check_eq("its verifier", may(&(struct my_how){ .user = special, .password = text("%s-secret", special) }),
		 my_is_mysql());
	if (!my_is_mysql())
		check("and why", sluice_logged("only a public key"));
	check_my_refused((&(struct my_how){ .user = "bob", .password = "wrong" }), 1045, "28000", "Access denied");
	check_my_refused((&(struct my_how){ .user = "nobody", .password = "wrong" }), 1045, "28000", "Access denied");
	check("a hash", may(&(struct my_how){ .user = "eve", .password = "pencil", .database = "other" }));
	check("quotes", may(&(struct my_how){ .user = "we're\\", .password = "pencil", .database = "other" }));
	check("no secret", !may(&(struct my_how){ .user = "null", .password = "", .database = "other" }));
	check("two", !may(&(struct my_how){ .user = "twice", .password = "x", .database = "other" }));
	check("says why", sluice_logged("one row is expected, not several"));
	check("no others", !may(&(struct my_how){ .user = "eve", .password = "pencil" }));
}

static void test_hba(void)
{
	make_certificate();
	write_text(text("%s/hba.conf", dir()), "local all bob trust\n"
					       "local all carol peer\n"
					       "hostssl all alice 127.0.0.1/32 scram-sha-256\n"
					       "host all bob 127.0.0.1/32 md5\n"
					       "host all all 127.0.0.1/32 reject\n");
	sluice_start(&(struct conf){ .settings = TLS "auth_type = hba\nauth_hba_file = @DIR@/hba.conf\n" });
	check("by TLS", may(&(struct my_how){ .tls = true }));
	check_my_refused((&(struct my_how){ .user = NULL }), 1045, "28000",
			 "Access denied for user 'alice'@'127.0.0.1'");
	check("by password", may(&(struct my_how){ .user = "bob", .password = "bob-secret" }));
	check("trusted", may(&(struct my_how){ .user = "bob", .password = "whatever", .unix_socket = true }));
	check_my_refused((&(struct my_how){ .user = "carol", .password = "carol-secret", .unix_socket = true }), 1045,
			 "28000", "Access denied for user 'carol'@'localhost'");
	check("no rule fits",
	      sluice_logged("no rule of the HBA file fits") || !may(&(struct my_how){ .unix_socket = true }));
}

/* Whom the system, or a certificate, or PAM vouches for. */
static void test_vouched(void)
{
	char *out;
	make_certificate();
	require("directory", run(&out, "mkdir -p '%s/pam'", dir()) == 0);
	require("hash", run(&out, "openssl passwd -6 here") == 0);
	write_text(text("%s/pwd", dir()), text("alice:%s", out));
	write_text(text("%s/pam/pgbouncer", dir()), text("auth required pam_pwdfile.so pwdfile=%s/pwd\n"
							 "account required pam_permit.so\n",
							 dir()));
	sluice_start(&(struct conf){ .settings = TLS "auth_type = pam\nauth_pam_dir = @DIR@/pam\n" });
	check("PAM", may(&(struct my_how){ .password = "here", .tls = true }));
	check("by a socket", may(&(struct my_how){ .password = "here", .unix_socket = true }));
	check_my_refused((&(struct my_how){ .password = "there", .tls = true }), 1045, "28000",
			 "(using password: YES)");
	check("which says why", sluice_logged("PAM says"));
	check_my_refused((&(struct my_how){ .password = "here" }), 1045, "28000", "Access denied for user 'alice'@");
	check("and not to all that listen", sluice_logged("a password in clear text is asked for"));
	sluice_stop();

	require("a certificate", run(&out,
				     "cd '%s' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
				     "-nodes -keyout alice.key -out alice.crt -days 2 -subj /CN=alice 2>&1",
				     dir()) == 0);
	sluice_start(&(struct conf){ .settings =
					     "client_tls_sslmode = verify-ca\nclient_tls_key_file = @DIR@/door.key\n"
					     "client_tls_cert_file = @DIR@/door.crt\n"
					     "client_tls_ca_file = @DIR@/alice.crt\nauth_type = cert\n" });
	static const char *const users[] = { "alice", "bob" };
	for (int i = 0; i < 2; i++) {
		int status =
			run(&out,
			    "cd '%s' && mariadb --no-defaults -h 127.0.0.1 -P %d -u %s -D test --ssl-cert=alice.crt "
			    "--ssl-key=alice.key -Ne 'select 40+2' 2>&1",
			    dir(), sluice_my_port(), users[i]);
		check_eq(out, status == 0, i == 0);
		check(out, strstr(out, i == 0 ? "42" : "ERROR 1045 (28000)"));
	}
	sluice_stop();

	require("who we are", run(&out, "id -un") == 0);
	char *me = text("%.*s", (int)strcspn(out, "\n"), out);
	sluice_start(&(struct conf){ .databases = "test = kind=mysql @MY@ user=alice password=alice-secret",
				     .settings = "auth_type = peer\n",
				     .auth_file = text("\"%s\" \"\"\n\"bob\" \"\"\n", me) });
	for (int i = 0; i < 2; i++) {
		int status = run(&out, "mariadb --no-defaults -S '%s' -u %s -D test -Ne 'select 40+2' 2>&1",
				 sluice_my_socket(), i ? "bob" : me);
		check_eq(out, status == 0, i == 0);
	}
	check("not from afar", !may(&(struct my_how){ .user = me, .password = "" }));
}

/* What people type, and what they write programs with. */
static void test_programs(void)
{
	make_certificate();
	sluice_start(&(struct conf){ .databases = "test = kind=mysql @MY@ user=alice password=alice-secret",
				     .settings = TLS,
				     .auth_file = "\"anna\" \"" SHA2 "\"\n\"nat\" \"" NATIVE "\"\n" });
	char *out;
	static const char *const users[] = { "anna", "nat" };
	for (size_t i = 0; i < COUNT(users); i++) {
		check_eq(users[i],
			 run(&out,
			     "mariadb --no-defaults -h 127.0.0.1 -P %d -u %s -ppencil -D test -Ne 'select 40+2' 2>&1",
			     sluice_my_port(), users[i]),
			 0);
		check_str(users[i], out, "42\n");
		check(users[i],
		      run(&out, "mariadb --no-defaults -h 127.0.0.1 -P %d -u %s -pwrong -D test -Ne 'select 1' 2>&1",
			  sluice_my_port(), users[i]) != 0 &&
			      strstr(out, "ERROR 1045 (28000)"));
		for (int way = 0; way < 2; way++) {
			const char *module = way ? "MySQLdb" : "pymysql";
			if (run(&out, "python3 -c 'import %s' 2>&1", module) != 0)
				continue;
			check_eq(module,
				 run(&out,
				     "python3 -c '\nimport %s as m\nc = m.connect(host=\"127.0.0.1\", port=%d, "
				     "user=\"%s\", password=\"pencil\", database=\"test\")\nk = c.cursor()\n"
				     "k.execute(\"select 40+2\")\nprint(k.fetchall()[0][0])\n' 2>&1",
				     module, sluice_my_port(), users[i]),
				 0);
			check_str(module, out, "42\n");
		}
	}
	sluice_stop();
}

/* MySQL's own client: caching_sha2_password by RSA, by TLS, and fast, which needs neither. */
static void test_mysql_client(void)
{
	if (!my_is_mysql()) {
		skip("MySQL's client is of MySQL's programs");
		return;
	}
	static const struct {
		const char *user, *how;
		bool gets_in;
	} rows[] = {
		{ "anna", "--ssl-mode=DISABLED", false }, /* no key to tell the password with */
		{ "anna", "--ssl-mode=DISABLED --get-server-public-key", true },
		{ "anna", "--ssl-mode=DISABLED", true }, /* the proof alone does now */
		{ "berta", "--ssl-mode=REQUIRED", true },
		{ "berta", "--ssl-mode=DISABLED", true },
		{ "clara", "--ssl-mode=DISABLED", true }, /* of a plain password a proof is known at once */
		{ "clara", "--ssl-mode=DISABLED --default-auth=mysql_native_password", true },
		{ "clara", "--ssl-mode=REQUIRED --enable-cleartext-plugin --default-auth=mysql_clear_password", true },
		{ "nat", "--ssl-mode=DISABLED", true },
		{ "dora", "--ssl-mode=DISABLED --enable-cleartext-plugin",
		  false }, /* md5: in clear text, by TLS only */
		{ "dora", "--ssl-mode=REQUIRED --enable-cleartext-plugin", true },
		{ "dora", "--ssl-mode=REQUIRED", false }, /* which it does not say unasked */
	};
	make_certificate();
	char *out, *md5;
	require("md5", run(&md5, "printf pencildora | md5sum | cut -c 1-32") == 0);
	sluice_start(&(struct conf){ .databases = "test = kind=mysql @MY@ user=alice password=alice-secret",
				     .settings = TLS,
				     .auth_file = text("\"anna\" \"" SHA2 "\"\n\"berta\" \"" SHA2
						       "\"\n\"clara\" \"pencil\"\n\"nat\" \"" NATIVE
						       "\"\n\"dora\" \"md5%.32s\"\n",
						       md5) });
	for (size_t i = 0; i < COUNT(rows); i++) {
		int status =
			run(&out,
			    "'%s/mysql' --no-defaults --plugin-dir='%s/../lib/mysql/plugin' -h 127.0.0.1 -P %d -u %s "
			    "-ppencil -D test %s -Ne 'select 40+2' 2>&1",
			    getenv("TEST_MY_BINDIR"), getenv("TEST_MY_BINDIR"), sluice_my_port(), rows[i].user,
			    rows[i].how);
		check_eq(text("%s %s: %s", rows[i].user, rows[i].how, out), status == 0, rows[i].gets_in);
		if (rows[i].gets_in)
			check(out, strstr(out, "42"));
	}
}

/* node's mariadb knows them all, parsec too; its mysql2 those of MySQL. */
static void test_node(void)
{
	char *out;
	if (run(&out, "command -v node") != 0 ||
	    system(text("d=\"${XDG_CACHE_HOME:-$HOME/.cache}/sluice/node/node_modules\"; [ -d \"$d/mariadb\" ] && "
			"cp -r \"$d\" '%s/node_modules' && chmod -R a+rX '%s/node_modules'",
			dir(), dir())) != 0) { /* NOLINT: the words are ours */
		skip("no node, or no drivers for it (../drivers/run.sh gets them)");
		return;
	}
	static const struct {
		const char *what, *secret;
		bool mysql2;
	} secrets[] = { { "plain", "pencil", true },
			{ "native", NATIVE, true },
			{ "sha2", SHA2, true },
			{ "ed25519", ED25519, false },
			{ "parsec", PARSEC, false } };
	write_text(
		text("%s/login.js", dir()),
		"const [driver, port, password, tls] = process.argv.slice(2);\n"
		"const m = require(driver === 'mysql2' ? 'mysql2/promise' : driver);\n"
		"const how = { host: '127.0.0.1', port: +port, user: 'anna', password, database: 'test', connectTimeout: 60000 };\n"
		"if (tls === 'tls') how.ssl = { rejectUnauthorized: false };\n"
		"if (driver === 'mariadb') { how.allowPublicKeyRetrieval = true; if (tls === 'tls') how.trustServerCertificate = true; }\n"
		"(async () => { const c = await m.createConnection(how); console.log(JSON.stringify(await c.query(\"select '42' "
		"as a\"))); await c.end(); })().catch(e => { console.log(e.errno + ' ' + e.sqlState + ' ' + e.message); "
		"process.exit(1); });\n");
	make_certificate();
	for (size_t i = 0; i < COUNT(secrets); i++) {
		sluice_start(&(struct conf){ .databases = "test = kind=mysql @MY@ user=alice password=alice-secret",
					     .settings = TLS,
					     .auth_file = text("\"anna\" \"%s\"\n", secrets[i].secret) });
		for (int way = 0; way < 4; way++) {
			const char *module = way & 1 ? "mysql2" : "mariadb", *tls = way & 2 ? "tls" : "plain";
			if (!secrets[i].mysql2 && way & 1)
				continue;
			char *what = text("%s, %s, %s", secrets[i].what, module, tls);
			for (int k = 0; k < 2; k++) {
				check_eq(what,
					 run(&out, "node login.js %s %d pencil %s 2>&1", module, sluice_my_port(), tls),
					 0);
				check(text("%s: %s", what, out), strstr(out, "\"a\":"));
			}
			check(what,
			      run(&out, "node login.js %s %d pencils %s 2>&1", module, sluice_my_port(), tls) != 0);
			check(text("%s: %s", what, out), strstr(out, "1045 28000"));
		}
		sluice_stop();
	}
}

/* The console by a unix socket, as "sluice", for whom Sluice runs as: the kernel vouches for him. */
static void test_console_peer(void)
{
	static const struct {
		const char *user, *database;
		bool is_near, gets_in;
	} rows[] = { { "sluice", "sluice", true, true },
		     { "pgbouncer", "sluice", true, true },
		     { "admin", "sluice", true, false },
		     { "sluice", "sluice", false, false },
		     { "sluice", "test", true, false } };
	char *out;
	sluice_start(&(struct conf){ .databases = "test = kind=mysql @MY@ user=alice password=alice-secret" });
	for (size_t i = 0; i < COUNT(rows); i++) {
		int status = run(&out, "mariadb --no-defaults %s -u %s -D %s -Ne '%s' 2>&1",
				 rows[i].is_near ? text("-S '%s'", sluice_my_socket())
						 : text("-h 127.0.0.1 -P %d", sluice_my_port()),
				 rows[i].user, rows[i].database,
				 strcmp(rows[i].database, "test") == 0 ? "select 1" : "show version");
		check_eq(out, status == 0, rows[i].gets_in);
		check(out, strstr(out, rows[i].gets_in ? "Sluice " : "ERROR 1045 (28000)"));
	}
}

/* What a server may ask for and is not known here is named, and so is what to do. */
static void test_other_plugins(void)
{
	static const struct {
		const char *plugin, *data, *logged;
		size_t n;
	} rows[] = {
		{ "sha256_password", "12345678901234567890", "the authentication plugin \"sha256_password\"", 21 },
		{ "dialog", "Password: ", "the authentication plugin \"dialog\"", 11 },
		{ "auth_gssapi_client", "x", "the authentication plugin \"auth_gssapi_client\"", 2 },
		{ "mysql_old_password", "12345678", "the authentication plugin \"mysql_old_password\"", 9 },
		{ "mysql_clear_password", "", "in clear text, and the connection to it is not encrypted", 1 },
		{ "", "", "from before 4.1", 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		stub_open();
		sluice_start(&(struct conf){ .databases = "test = kind=mysql @STUB@",
					     .settings = "server_tls_sslmode = disable\n" });
		struct myraw r;
		uint8_t bytes[256], answer[512];
		require("greeted", myraw_greet(&r, sluice_my_port()));
		struct pgraw_bytes login = { 0 }, ask = { 0 };
		myraw_add_login(&r, &login, "alice", "alice-secret", "test", MY_USUAL);
		char head[4] = { (char)login.n, 0, 0, 1 };
		check("it logs in", raw_send(r.fd, head, 4) && raw_send(r.fd, login.p, login.n));
		int fd = stub_accept();
		check("greets", raw_send(fd, bytes, myraw_put_greeting(bytes, "8.0.30", MY_USUAL)));
		require("answered", raw_read(fd, answer, 4) &&
					    raw_read(fd, answer + 4, (size_t)answer[0] | (size_t)answer[1] << 8));
		pgraw_add(&ask, "\0\0\0\2\xfe", 5);
		if (*rows[i].plugin) {
			pgraw_add_cstr(&ask, rows[i].plugin);
			pgraw_add(&ask, rows[i].data, rows[i].n);
		}
		ask.p[0] = (char)(ask.n - 4);
		check("asks", raw_send(fd, ask.p, ask.n));
		wait_until(rows[i].logged, sluice_logged(rows[i].logged));
		ssize_t n = raw_read_all(fd, (char *)answer, sizeof answer);
		check("no password is told", n <= 0);
		raw_close(fd);
		free(login.p);
		free(ask.p);
		myraw_close(&r, false);
		sluice_stop();
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "secrets", test_secrets },
		{ "servers", test_servers },
		{ "hash to server", test_hash_to_server },
		{ "two passwords", test_two_passwords },
		{ "auth_query", test_auth_query },
		{ "hba", test_hba },
		{ "vouched", test_vouched },
		{ "programs", test_programs },
		{ "mysql client", test_mysql_client },
		{ "node", test_node },
		{ "console peer", test_console_peer },
		{ "other plugins", test_other_plugins },
		{ NULL, NULL },
	};
	return harness_my_main(argc, argv, "my_auth", tests);
}
