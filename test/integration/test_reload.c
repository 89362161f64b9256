/* test_reload.c - what a new configuration means for clients and servers that are there. */
#include "harness.h"

#include <string.h>

static void reload(PGconn *con, const struct conf *c)
{
	sluice_configure(c);
	sql(con, "RELOAD");
}

/* How many pools has this database? */
static int pools(PGconn *con, const char *database)
{
	int n = 0;
	PGresult *r = PQexec(con, "SHOW POOLS");
	for (int i = 0; i < PQntuples(r); i++)
		n += strcmp(PQgetvalue(r, i, PQfnumber(r, "database")), database) == 0;
	PQclear(r);
	return n;
}

/* A user whom the database forces, and whose password stands in auth_file, is the same one after a reload: old clients
 * and new ones share a pool. */
static void test_forced_user_keeps_its_pool(void)
{
	const struct conf c = { .databases = "test = @PG@ user=bob", .settings = "default_pool_size = 1" };
	sluice_start(&c);
	PGconn *con = console(), *a = client(NULL);
	char *pid = scalar(a, "select pg_backend_pid()");
	for (int i = 0; i < 3; i++) {
		reload(con, &c);
		check_str("a new client", scalar(client(NULL), "select pg_backend_pid()"), pid);
		check_str("the old one", scalar(a, "select pg_backend_pid()"), pid);
	}
	check_eq("pools", pools(con, "test"), 1);
	check_eq("servers", pg_servers(), 1);
}

/* And when its password is another one, new servers log in with that. */
static void test_new_password_of_a_forced_user(void)
{
	struct conf c = { .databases = "test = @PG@ user=bob",
			  .auth_file = "\"admin\" \"admin-secret\"\n\"alice\" \"\"\n\"bob\" \"bob-secret\"\n" };
	pg_hba("host all bob 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n");
	sluice_start(&c);
	PGconn *con = console(), *a = client(NULL);
	check_scalar(a, "select current_user", "bob");
	pg_sql("alter role bob password 'fresh'");
	c.auth_file = "\"admin\" \"admin-secret\"\n\"alice\" \"\"\n\"bob\" \"fresh\"\n";
	reload(con, &c);
	sql(con, "RECONNECT");
	wait_until("the old server is gone", pg_servers() == 0);
	check_scalar(a, "select current_user", "bob");
	check_scalar(client(NULL), "select current_user", "bob");
	check_eq("pools", pools(con, "test"), 1);
	pg_sql("alter role bob password 'bob-secret'");
}

/* Users stay when their file cannot be read, also where it is not asked for secrets; whoever asked is told. */
static void test_users_stay(void)
{
	const struct conf c = { .settings = "auth_type = trust" };
	sluice_start(&c);
	PGconn *con = console();
	char *path = text("%s/userlist.txt", dir()), *away = text("%s/userlist.away", dir());
	require("away", rename(path, away) == 0);
	check_sql_fails(con, "RELOAD", "F0000", "auth_file cannot be opened");
	check_scalar(client(NULL), "select current_user", "alice");
	require("back", rename(away, path) == 0);
	reload(con, &c);
	check_scalar(client(NULL), "select current_user", "alice");
}

static void leave_traces(PGconn *c)
{
	sql(c, "set work_mem = '7MB'; create temp table traces (n int); prepare traces as select 1");
}

static void check_no_traces(PGconn *c)
{
	check("work_mem", strcmp(scalar(c, "show work_mem"), "7MB") != 0);
	check_scalar(c, "select to_regclass('traces') is null", "t");
	check_scalar(c, "select count(*) from pg_prepared_statements", "0");
}

/* A client goes on by the mode that it came with; what it leaves is cleaned up though the pool has another one now. */
static void test_session_mode_ends(void)
{
	sluice_with("pool_mode = session\ndefault_pool_size = 1");
	PGconn *con = console(), *a = client(NULL);
	char *pid = scalar(a, "select pg_backend_pid()");
	leave_traces(a);
	reload(con, &(struct conf){ .settings = "pool_mode = transaction\ndefault_pool_size = 1" });
	client_close(a);
	a = client(NULL);
	check_str("the same server", scalar(a, "select pg_backend_pid()"), pid);
	check_no_traces(a);
}

/* Likewise where clients of both modes share a pool: the mode is theirs, the pool the forced user's. */
static void test_session_mode_in_a_shared_pool(void)
{
	sluice_start(&(struct conf){ .databases = "test = @PG@ user=alice",
				     .settings = "pool_mode = transaction\ndefault_pool_size = 1",
				     .users = "bob = pool_mode=session" });
	PGconn *a = client("user=bob"), *b = client("user=carol");
	char *pid = scalar(a, "select pg_backend_pid()");
	leave_traces(a);
	client_close(a);
	check_str("the same server", scalar(b, "select pg_backend_pid()"), pid);
	check_no_traces(b);
}

static void check_told(const char *what, int fd)
{
	char body[1024];
	size_t len = 0;
	check(what, raw_expect(fd, 'E', body, sizeof body, &len));
	check_str(what, error_field(body, len, 'C'), "57P01");
	check_eq(what, raw_read_all(fd, body, sizeof body), 0);
}

/* Clients of a database that is configured no more are told so, in whatever state; those of others notice nothing. */
static void test_database_is_removed(void)
{
	struct conf with = { .databases = "test = @PG@\nother = @PG@ dbname=test", .settings = "auth_type = plain" };
	struct conf without = { .settings = with.settings };
	char body[1024];
	size_t len = 0;
	int fds[3]; /* logs in, is idle, is in a transaction */
	sluice_start(&with);
	PGconn *con = console(), *stays = client("password=alice-secret");
	sql(stays, "begin");
	for (int i = 0; i < 3; i++) {
		fds[i] = raw_open();
		require("start-up",
			raw_startup(fds[i], "alice", "other") && raw_expect(fds[i], 'R', body, sizeof body, &len));
		if (i > 0)
			require("in", raw_message(fds[i], 'p', "alice-secret", sizeof "alice-secret") &&
					      raw_expect(fds[i], 'Z', body, sizeof body, &len));
	}
	require("begin", raw_message(fds[2], 'Q', "begin", 6) && raw_expect(fds[2], 'Z', body, sizeof body, &len));
	reload(con, &without);
	check_told("who logs in", fds[0]);
	check_told("who is idle", fds[1]);
	check_told("who is in a transaction", fds[2]);
	sql(stays, "commit");
	check_login_fails("08P01", "no such database: other", "dbname=other password=alice-secret");
	check("it is not shown", !show(con, "DATABASES", "name", "other", "name"));
	check_eq("nor has it pools", pools(con, "other"), 0);
	wait_until("nor servers", pg_servers() == 1);
	/* And back. */
	reload(con, &with);
	check_scalar(client("dbname=other password=alice-secret"), "select 1", "1");
	check_scalar(stays, "select 1", "1");
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "users_stay", test_users_stay },
		{ "forced_user_keeps_its_pool", test_forced_user_keeps_its_pool },
		{ "new_password_of_a_forced_user", test_new_password_of_a_forced_user },
		{ "session_mode_ends", test_session_mode_ends },
		{ "session_mode_in_a_shared_pool", test_session_mode_in_a_shared_pool },
		{ "database_is_removed", test_database_is_removed },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "reload", tests);
}
