/* test_auth.c - logins: every auth_type, with every kind of stored secret, in front of every kind of server. */
#include "harness.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

static const char *const auth_types[] = { "trust", "plain", "md5", "scram-sha-256" };
static const char *const stored[] = { "plain", "md5", "scram" };
static const char *const servers[] = { "trust", "password", "md5", "scram-sha-256" };

/* Does Sluice let the client in? By [auth_type][stored]: only an md5 hash is no use for SCRAM. */
static const bool client_gets_in[4][3] = { { 1, 1, 1 }, { 1, 1, 1 }, { 1, 1, 1 }, { 1, 0, 1 } };

/* Can Sluice log in to the server? A plain secret does everywhere, a hash for its own method; and a verifier when the
 * client showed its key, which it does in a SCRAM exchange, to which md5 turns by itself where a verifier is stored,
 * and for Sluice also with a plain password. */
static bool server_lets_in(size_t auth_type, size_t secret, size_t server)
{
	if (server == 0 || secret == 0)
		return true;
	if (secret == 1)
		return server == 2;
	return server == 3 && auth_type >= (peer_version() ? 2 : 1);
}

static char *user_of(size_t secret, size_t server)
{
	return text("u%zu%zu", server, secret);
}

/* What PgBouncer's users know as the text for a wrong password. */
static const char *refusal(size_t auth_type, size_t secret)
{
	return auth_type == 3 || (auth_type == 2 && secret == 2) ? "SASL authentication failed"
								 : "password authentication failed";
}

/* Roles of all twelve kinds, PostgreSQL's rules for them, and the auth_file. */
static char *make_users(void)
{
	char *file = text("\"admin\" \"admin-secret\"\n"), *hba = text("%s", "");
	for (size_t server = 0; server < COUNT(servers); server++)
		for (size_t s = 0; s < COUNT(stored); s++) {
			char *user = user_of(s, server), *password = text("pass \"word\" of %s", user);
			pg_sql("create role %s login password '%s'", user, password);
			char *secret =
				s == 0   ? text("pass \"\"word\"\" of %s", user)
				: s == 1 ? pg_scalar("select 'md5' || md5('%s%s')", password, user)
					 : pg_scalar("select rolpassword from pg_authid where rolname = '%s'", user);
			if (server == 2)
				pg_sql("set password_encryption = 'md5'; alter role %s password '%s'", user, password);
			file = text("%s\"%s\" \"%s\"\n", file, user, secret);
			hba = text("%shost all %s 127.0.0.1/32 %s\n", hba, user, servers[server]);
		}
	pg_hba(hba);
	return file;
}

static void drop_users(void)
{
	for (size_t server = 0; server < COUNT(servers); server++)
		for (size_t s = 0; s < COUNT(stored); s++)
			pg_sql("drop role if exists %s", user_of(s, server));
}

static void test_matrix(void)
{
	char *file = make_users();
	for (size_t t = 0; t < COUNT(auth_types); t++) {
		sluice_start(&(struct conf){ .settings = text("auth_type = %s\nserver_login_retry = 1\n"
							      "query_wait_timeout = 20\n",
							      auth_types[t]),
					     .auth_file = file });
		for (size_t server = 0; server < COUNT(servers); server++)
			for (size_t s = 0; s < COUNT(stored); s++) {
				char *what = text("auth_type %s, stored %s, server %s", auth_types[t], stored[s],
						  servers[server]);
				char *user = user_of(s, server);
				bool client_in = client_gets_in[t][s], server_in = server_lets_in(t, s, server);
				for (int again = 0; again < 2; again++) {
					PGconn *c = client_start("user=%s password='pass \"word\" of %s'", user, user);
					bool got_in = client_finish_start(c);
					check(text("%s: %s", what, PQerrorMessage(c)),
					      got_in == (client_in && server_in));
					if (got_in)
						check_scalar(c, "select current_user = session_user", "t");
					client_close(c);
				}
				if (t && client_in)
					check_login_fails("08P01", refusal(t, s), "user=%s password='pass word of %s'",
							  user, user);
			}
		sluice_stop();
	}
	drop_users();
}

/* A user's real verifier serves both sides, over many clients and servers, and still does after other users came. */
static void test_verifier_for_both_sides(void)
{
	pg_hba("host all all 127.0.0.1/32 scram-sha-256\n");
	char *file = text("%s", "");
	static const char *const users[] = { "alice", "bob", "carol" };
	for (size_t i = 0; i < COUNT(users); i++)
		file = text("%s\"%s\" \"%s\"\n", file, users[i],
			    pg_scalar("select rolpassword from pg_authid where rolname = '%s'", users[i]));
	sluice_start(&(struct conf){ .settings = "auth_type = scram-sha-256", .auth_file = file });
	PGconn *c[9];
	for (size_t i = 0; i < COUNT(c); i++) {
		const char *user = users[i % 3];
		c[i] = client("user=%s password=%s-secret", user, user);
		sql(c[i], "begin");
		check_scalar(c[i], "select current_user", user);
	}
	for (size_t i = 0; i < COUNT(c); i++)
		sql(c[i], "commit");
	for (size_t i = 0; i < COUNT(users); i++)
		check_login_fails("08P01", "SASL authentication failed", "user=%s password=wrong", users[i]);
	/* The client hears the same of a user that there is not; the log tells them apart. */
	check("not yet", peer_version() || !sluice_logged("there is no such user"));
	check_login_fails("08P01", "SASL authentication failed", "user=mallory password=wrong");
	if (!peer_version()) {
		wait_until("no user", sluice_logged("login failed: db=test user=mallory: there is no such user"));
		wait_until("no proof", sluice_logged("login failed: db=test user=bob: the password was wrong"));
	}
}

static void test_odd_passwords(void)
{
	static const char *const passwords[] = {
		"x",
		"with \"quotes\" and '' apostrophes",
		"sp\303\244t \303\274ber \342\202\254 UTF-8",
#ifdef HAVE_LIBIDN
		"I\302\255X",            /* a soft hyphen, which SASLprep takes out */
		"\342\205\250 \302\252", /* compatibility characters, which it maps */
#endif
		"\xff\xfe is no UTF-8", /* taken as bytes */
		("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"),
	};
	char *file = text("%s", "");
	for (size_t i = 0; i < COUNT(passwords); i++) {
		pg_sql("set client_encoding = sql_ascii; create role odd%zu login", i);
		/* By libpq's own hashing, for the server's SQL would not take what is no UTF-8. */
		PGconn *pg = client_to_pg(NULL);
		char *hash = PQencryptPasswordConn(pg, passwords[i], text("odd%zu", i), "scram-sha-256");
		require("hash", hash != NULL);
		pg_sql("alter role odd%zu password '%s'", i, hash);
		PQfreemem(hash);
		char *quoted = text("%s", "");
		for (const char *p = passwords[i]; *p; p++)
			quoted = text("%s%.*s", quoted, *p == '"' ? 2 : 1, *p == '"' ? "\"\"" : p);
		file = text("%s\"odd%zu\" \"%s\"\n", file, i, quoted);
	}
	pg_hba("host all all 127.0.0.1/32 scram-sha-256\n");
	static const char *const types[] = { "plain", "md5", "scram-sha-256" };
	for (size_t t = 0; t < COUNT(types); t++) {
		sluice_start(&(struct conf){ .settings = text("auth_type = %s", types[t]), .auth_file = file });
		for (size_t i = 0; i < COUNT(passwords); i++) {
			setenv("PGPASSWORD", passwords[i], 1);
			check_scalar(client("user=odd%zu", i), "select current_user", text("odd%zu", i));
			unsetenv("PGPASSWORD");
		}
		sluice_stop();
	}
	for (size_t i = 0; i < COUNT(passwords); i++)
		pg_sql("drop role odd%zu", i);
}

static void test_refusals(void)
{
	static const char *const types[] = { "trust", "plain", "md5", "scram-sha-256" };
	for (size_t t = 0; t < COUNT(types); t++) {
		sluice_with(text("auth_type = %s", types[t]));
		/* Who is unknown hears it after the password, as if it were wrong. */
		const char *refused = t ? refusal(t, 0) : "\"trust\" authentication failed";
		check_login_fails("08P01", refused, "user=mallory password=x");
		if (t) {
			check_login_fails("08P01", refused, "user=alice password=wrong");
			check_login_fails("08P01", refused, "user=bob password=alice-secret");
		}
		check_login_fails("08P01", "no such database: nowhere",
				  "user=alice password=alice-secret dbname=nowhere");
		check_scalar(client("password=alice-secret"), "select 1", "1");
		sluice_stop();
	}
}

/* What the server says against a login reaches the client that waited for it. */
static void test_server_refuses(void)
{
	sluice_start(&(struct conf){ .databases = "test = @PG@\n"
						  "gone = @PG@ dbname=not_there\n"
						  "badpass = @PG@ dbname=test user=bob password=wrong\n",
				     .settings = "server_login_retry = 1\nquery_wait_timeout = 5" });
	pg_hba("host all bob 127.0.0.1/32 scram-sha-256\nhost all carol 127.0.0.1/32 reject\n"
	       "host all all 127.0.0.1/32 trust\n");
	check_login_fails("3D000", "database \"not_there\" does not exist", "dbname=gone");
	check_login_fails("28P01", "password authentication failed for user \"bob\"", "dbname=badpass");
	check_login_fails("28000", "pg_hba.conf rejects connection", "user=carol");
	check_scalar(client(NULL), "select 1", "1");
	/* When the server's mind changes, the next one gets in. */
	pg_hba("host all all 127.0.0.1/32 trust\n");
	wait_until("carol is let in", client_try("user=carol") != NULL);
}

static void test_forced_user(void)
{
	pg_hba("host all all 127.0.0.1/32 scram-sha-256\n");
	sluice_start(&(struct conf){ .databases = "test = @PG@ user=bob password=bob-secret\n"
						  "fromfile = @PG@ dbname=test user=carol",
				     .settings = "auth_type = scram-sha-256" });
	check_scalar(client("password=alice-secret"), "select current_user", "bob");
	check_scalar(client("password=alice-secret dbname=fromfile"), "select current_user", "carol");
	check_login_fails("08P01", "SASL authentication failed", "password=bob-secret");
}

/* A new auth_file holds after RELOAD, for new logins. */
static void test_reload_of_auth_file(void)
{
	struct conf c = { .settings = "auth_type = scram-sha-256",
			  .auth_file = "\"admin\" \"admin-secret\"\n"
				       "\"alice\" \"first\"\n" };
	sluice_start(&c);
	check_scalar(client("password=first"), "select 1", "1");
	PGconn *con = console();
	c.auth_file = "\"admin\" \"admin-secret\"\n\"alice\" \"second\"\n\"bob\" \"new\"\n";
	sluice_configure(&c);
	sql(con, "reload");
	check_scalar(client("password=second"), "select 1", "1");
	check_scalar(client("user=bob password=new"), "select 1", "1");
	check_login_fails("08P01", "SASL authentication failed", "password=first");
}

/* Whether there is such a user or not, a setting that holds from a RELOAD on. */
static void test_scram_iterations(void)
{
	static const char first[] = "SCRAM-SHA-256\0\0\0\0\x20n,,n=,r=abcdefghijklmnopqrstuvwx";
	struct conf c = { .settings = "auth_type = scram-sha-256\nscram_iterations = 5000" };
	char body[512];
	size_t len = 0;
	sluice_start(&c);
	for (int round = 0; round < 2; round++) {
		const char *const users[] = { "alice", "nobody" };
		for (size_t i = 0; i < COUNT(users); i++) {
			int fd = raw_open();
			require("start",
				raw_startup(fd, users[i], "test") && raw_expect(fd, 'R', body, sizeof body, &len));
			check("first", raw_message(fd, 'p', first, sizeof first - 1) &&
					       raw_expect(fd, 'R', body, sizeof body, &len));
			check(text("rounds: %s", body + 4), strstr(body + 4, round ? ",i=4096" : ",i=5000"));
			raw_close(fd);
		}
		check_scalar(client("password=alice-secret"), "select 1", "1");
		c.settings = "auth_type = scram-sha-256";
		sluice_configure(&c);
		sql(client("user=admin dbname=pgbouncer password=admin-secret"), "reload");
	}
}

/* A password is changed while clients with the old and with the new one come and go: both are valid, and
 * servers are logged in to with whichever they take. */
static void test_rotation(void)
{
	static const char *const types[] = { "scram-sha-256", "md5", "plain" };
	pg_sql("create role turner login password 'old'");
	char *verifier = pg_scalar("select rolpassword from pg_authid where rolname = 'turner'");
	pg_hba("host all all 127.0.0.1/32 scram-sha-256\nlocal all all scram-sha-256\n");
	for (size_t t = 0; t < COUNT(types) + 1; t++) {
		bool by_socket = t == COUNT(types);
		struct conf c = { .databases = by_socket ? "test = host=@PGDIR@ port=@PGPORT@" : "test = @PG@",
				  .settings = text("auth_type = %s\nserver_login_retry = 60\nserver_lifetime = 0",
						   types[by_socket ? 0 : t]),
				  .auth_file = "\"admin\" \"admin-secret\"\n\"turner\" \"old\"\n" };
		pg_sql("alter role turner password 'old'");
		sluice_start(&c);
		PGconn *con = console();
		check_scalar(client("user=turner password=old"), "select current_user", "turner");
		check_login_fails("08P01", "authentication failed", "user=turner password=new");
		c.auth_file = "\"admin\" \"admin-secret\"\n\"turner\" \"new\"\n\"turner\" \"old\"\n";
		sluice_configure(&c);
		sluice_signal(SIGHUP);
		wait_until("said in the log", sluice_logged("both passwords are valid"));
		check_scalar(client("user=turner password=new"), "select current_user", "turner");
		check_scalar(client("user=turner password=old"), "select current_user", "turner");
		check_login_fails("08P01", "authentication failed", "user=turner password=other");
		/* Now at the server. Each connection is used once, so each is a new login there. */
		pg_sql("alter role turner password 'new'");
		for (int i = 0; i < 3; i++) {
			check_scalar(client("user=turner password=new"), "select current_user", "turner");
			check_scalar(client("user=turner password=old"), "select current_user", "turner");
		}
		check("told in the log", sluice_logged("trying the user's other password"));
		check("without a detour", !sluice_logged("connect failed"));
		c.auth_file = "\"admin\" \"admin-secret\"\n\"turner\" \"new\"\n";
		sluice_configure(&c);
		sql(con, "reload");
		check_scalar(client("user=turner password=new"), "select current_user", "turner");
		check_login_fails("08P01", "authentication failed", "user=turner password=old");
		sluice_stop();
	}
	/* A verifier of the server's, and what it is to become. */
	sluice_start(&(struct conf){ .settings = "auth_type = scram-sha-256",
				     .auth_file = text("\"turner\" \"newer\"\n\"turner\" \"%s\"\n", verifier) });
	PGconn *old = client_start("user=turner password=old"), *fresh = client_start("user=turner password=newer");
	pg_sql("alter role turner password '%s'", verifier);
	check("by the old one", client_finish_start(old));
	check("by the new one", client_finish_start(fresh));
	check_scalar(old, "select current_user", "turner");
	sluice_stop();
	pg_sql("drop role turner");
}

/* Neither is the password that a server will take: one more try, and then the error. */
static void test_rotation_in_vain(void)
{
	pg_hba("host all all 127.0.0.1/32 scram-sha-256\n");
	sluice_start(&(struct conf){ .settings = "auth_type = plain\nserver_login_retry = 1",
				     .auth_file = "\"alice\" \"one\"\n\"alice\" \"two\"\n" });
	check_login_fails("28P01", "password authentication failed for user \"alice\"", "password=one");
	check_login_fails("28P01", "password authentication failed for user \"alice\"", "password=two");
	pg_sql("alter role alice password 'one'");
	wait_until("with the first", client_try("password=two") != NULL);
	pg_sql("alter role alice password 'alice-secret'");
}

#define OF(iterations)                                                                                                 \
	"SCRAM-SHA-256$" iterations ":W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="           \
	":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

/* Who is not there is asked as most of the others are, with as many iterations. */
static void test_asked_as_others(void)
{
	static const struct {
		const char *type, *file, *asked;
	} rows[] = {
		{ "scram-sha-256", "\"alice\" \"" OF("10000") "\"\n\"bob\" \"" OF("10000") "\"\n", "10000" },
		{ "md5", "\"alice\" \"" OF("10000") "\"\n\"bob\" \"" OF("10000") "\"\n", "10000" },
		{ "scram-sha-256", "\"alice\" \"" OF("10") "\"\n\"bob\" \"" OF("9") "\"\n\"carol\" \"" OF("9") "\"\n",
		  "9" },
		{ "scram-sha-256", "\"alice\" \"" OF("10") "\"\n\"bob\" \"b\"\n\"carol\" \"c\"\n", "5000" },
		{ "md5", "\"alice\" \"" OF("10") "\"\n\"bob\" \"b\"\n\"carol\" \"c\"\n", "md5" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		sluice_start(&(struct conf){ .settings = text("auth_type = %s\nscram_iterations = 5000", rows[i].type),
					     .auth_file = rows[i].file });
		check_str("who is there", raw_asked("bob", "test"), rows[i].asked);
		check_str("who is not", raw_asked("mallory", "test"), rows[i].asked);
		check_str("nor the database", raw_asked("mallory", "nowhere"), rows[i].asked);
		sluice_stop();
	}
}

/* As long as PgBouncer's: 127 bytes for a user, 63 for a database. A server knows 63 of either. */
static void test_long_names(void)
{
	char name[130], *user;
	memset(name, 'n', sizeof name);
	name[127] = '\0';
	user = text("%s", name);
	name[128] = '\0', name[127] = 'n';
	sluice_start(&(struct conf){ .databases = "test = @PG@ user=alice",
				     .settings = "auth_type = scram-sha-256",
				     .auth_file = text("\"%s\" \"long\"\n\"%s\" \"longer\"\n", user, name) });
	check_scalar(client("user=%s password=long", user), "select current_user", "alice");
	check_login_fails("08P01", "user name is longer than 127 bytes", "user=%s password=longer", name);
	check_login_fails("08P01", "database name is longer than 63 bytes", "user=%s password=long dbname=%.64s", user,
			  name);
}

/* Until the server's half of a SCRAM exchange is here, unread. */
static void client_reach_challenge(PGconn *c)
{
	PostgresPollingStatusType want = PGRES_POLLING_WRITING;
	for (int asked = 0; asked < 2;) {
		struct pollfd p = { PQsocket(c), want == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0 };
		require("a login goes on", poll(&p, 1, PATIENCE_MS) > 0);
		asked += want == PGRES_POLLING_READING;
		if (asked < 2)
			want = PQconnectPoll(c);
		require("and does not fail", want != PGRES_POLLING_FAILED);
	}
}

/* A second password comes or goes by a RELOAD while others log in, to Sluice and from it: each is judged by the one it
 * knows. */
static void test_rotation_meanwhile(void)
{
	static const char *const files[] = { "\"alice\" \"one\"\n", "\"alice\" \"one\"\n\"alice\" \"two\"\n",
					     "\"alice\" \"one\"\n" };
	struct conf c = { .settings = "auth_type = scram-sha-256\nadmin_users = alice", .auth_file = files[0] };
	sluice_start(&c);
	PGconn *con = client("password=one dbname=pgbouncer");
	for (size_t i = 1; i < COUNT(files); i++) {
		PGconn *in = client_start("password=one dbname=pgbouncer sslmode=disable gssencmode=disable");
		client_reach_challenge(in);
		c.auth_file = files[i];
		sluice_configure(&c);
		sql(con, "reload");
		check(i == 1 ? "one more password" : "one less", client_finish_start(in));
	}
	sluice_stop();

	/* A server is being logged in to with the older one when the newer one goes. */
	char type, body[1024];
	size_t len;
	stub_open();
	c = (struct conf){ .databases = "test = @STUB@",
			   .settings = "auth_type = plain\nadmin_users = alice",
			   .auth_file = files[1] };
	sluice_start(&c);
	con = client("password=one dbname=pgbouncer");
	int in = raw_open();
	require("a client", raw_startup(in, "alice", "test") && raw_expect(in, 'R', body, sizeof body, &len) &&
				    raw_message(in, 'p', "one", 4));
	int fd = stub_startup();
	raw_message(fd, 'E', BYTES("SFATAL\0C28P01\0Mno\0\0"));
	raw_close(fd);
	fd = stub_startup();
	c.auth_file = files[2];
	sluice_configure(&c);
	sql(con, "reload");
	raw_message(fd, 'R', "\0\0\0\3", 4);
	require("it proves itself", raw_next(fd, &type, body, sizeof body, &len));
	check_str("with what was chosen", body, "one");
	stub_let_in(fd);
	check("the client is in", raw_expect(in, 'Z', body, sizeof body, &len));
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "matrix", test_matrix },
		{ "verifier_for_both_sides", test_verifier_for_both_sides },
		{ "odd_passwords", test_odd_passwords },
		{ "refusals", test_refusals },
		{ "server_refuses", test_server_refuses },
		{ "forced_user", test_forced_user },
		{ "reload_of_auth_file", test_reload_of_auth_file },
		{ "scram_iterations", test_scram_iterations },
		{ "asked_as_others", test_asked_as_others },
		{ "long_names", test_long_names },
		{ "rotation", test_rotation },
		{ "rotation_in_vain", test_rotation_in_vain },
		{ "rotation_meanwhile", test_rotation_meanwhile },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "auth", tests);
}
