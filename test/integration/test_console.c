/* test_console.c - the console's commands and who may give them, and the signals that do the same. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int pool(PGconn *con, const char *column)
{
	return show_int(con, "POOLS", "database", "test", column);
}

/* --- Rights */

static void test_rights(void)
{
	static const char *const shows[] = { "VERSION",        "CONFIG",  "DATABASES", "POOLS",
					     "CLIENTS",        "SERVERS", "STATS",     "STATS_TOTALS",
					     "STATS_AVERAGES", "TOTALS",  "LISTS",     "USERS",
					     "STATE",          "MEM" };
	static const char *const orders[] = { "PAUSE",
					      "PAUSE test",
					      "RESUME",
					      "RELOAD",
					      "KILL",
					      "KILL test",
					      "DISABLE test",
					      "ENABLE test",
					      "RECONNECT",
					      "SHUTDOWN",
					      "SHUTDOWN WAIT_FOR_CLIENTS",
					      "SET query_timeout = 1",
					      "WAIT_CLOSE" };
	sluice_with("admin_users = admin, carol\nstats_users = stats, bob");
	static const char *const names[] = { "pgbouncer", "sluice" };
	for (size_t n = 0; n < (peer_version() ? 1 : COUNT(names)); n++) {
		static const char *const admins[] = { "admin", "carol" }, *const watchers[] = { "stats", "bob" };
		for (size_t u = 0; u < 2; u++) {
			PGconn *watcher = client("user=%s dbname=%s", watchers[u], names[n]);
			PGconn *admin = client("user=%s dbname=%s", admins[u], names[n]);
			for (size_t i = 0; i < COUNT(shows); i++) {
				PQclear(PQexec(watcher, text("SHOW %s", shows[i])));
				check(text("%s: %s", shows[i], PQerrorMessage(watcher)), !*PQerrorMessage(watcher));
				sql(admin, "show %s;", shows[i]);
			}
			for (size_t i = 0; i < COUNT(orders); i++)
				check_sql_fails(watcher, orders[i], NULL, "admin access needed");
			sql(admin, "RELOAD");
		}
		check_login_fails("08P01", "not allowed", "user=alice dbname=%s", names[n]);
	}
	check_login_fails("08P01", "authentication failed", "user=mallory dbname=pgbouncer");
	check_scalar(client(NULL), "select 1", "1");
}

/* Whoever is the daemon's own user may come by the unix socket, without a password. */
static void test_own_user(void)
{
	char *out;
	sluice_with("auth_type = scram-sha-256");
	check_eq("by the socket",
		 run(&out, "psql -XAt -h %s -U pgbouncer pgbouncer -c 'SHOW VERSION' </dev/null", sluice_socket_dir()),
		 0);
	check(out, strstr(out, "1.") || strstr(out, "0."));
	if (getuid() == 0) { /* the test itself is another user of the system */
		check("not for another user of the system",
		      client_try("host=%s user=pgbouncer dbname=pgbouncer", sluice_socket_dir()) == NULL);
		check("under either name",
		      client_try("host=%s user=sluice dbname=sluice", sluice_socket_dir()) == NULL);
		check("who has a password to show",
		      client_try("host=%s user=admin password=admin-secret dbname=pgbouncer", sluice_socket_dir()));
	}
	check("not by TCP", run(&out, "psql -XAtw -U pgbouncer pgbouncer -c 'SHOW VERSION'") != 0);
	check("another name needs its password",
	      run(&out, "psql -XAtw -h %s -U admin pgbouncer -c 'SHOW VERSION'", sluice_socket_dir()) != 0);
	check_eq("and has it",
		 run(&out, "PGPASSWORD=admin-secret psql -XAt -h %s -U admin pgbouncer -c RELOAD", sluice_socket_dir()),
		 0);
}

static void test_psql_on_the_console(void)
{
	char *out;
	sluice_with(NULL);
	check_eq("SHOW HELP", run(&out, "psql -X -U admin pgbouncer -c 'SHOW HELP'"), 0);
	check(out, strstr(out, "SHUTDOWN") && strstr(out, "RECONNECT"));
	if (!peer_version()) {
		char *set = strstr(out, "\tSET ");
		check("SET is in it once", set && !strstr(set + 1, "\tSET "));
	}
	check_eq("SHOW POOLS", run(&out, "psql -XA -U admin pgbouncer -c 'show pools'"), 0);
	check(out, strncmp(out, "database|user|cl_active|cl_waiting|", 35) == 0);
	check_eq("RELOAD", run(&out, "psql -X -U admin pgbouncer -c RELOAD"), 0);
	check_str("no warnings", out, "RELOAD\n");
	if (!peer_version()) {
		sluice_configure(&(struct conf){ .settings = "listen_backlog = 99" });
		check_eq("RELOAD", run(&out, "psql -X -U admin pgbouncer -c RELOAD"), 0);
		check(out, strncmp(out, "NOTICE:", 7) == 0 &&
				   strstr(out, "listen_backlog has changed, which takes effect at a restart\n"));
	}
	check_eq("several on a line",
		 run(&out, "printf 'SHOW STATE;\\nSHOW VERSION;\\n' | psql -XAt -U admin pgbouncer"), 0);
	check_sql_fails(console(), "SELECT 1", NULL, "");
	check_sql_fails(console(), "SHOW NONSENSE", NULL, "NONSENSE");
	check_sql_fails(console(), "PAUSE nowhere", NULL, "nowhere");
	check_sql_fails(console(), "SET nonsense = 1", NULL, peer_version() ? "SET failed" : "nonsense");
	PGconn *con = console();
	sql(con, "SET extra_float_digits = 3");
	sql(con, "set default_pool_size = 7");
	check_str("set", show(con, "CONFIG", "key", "default_pool_size", "value"), "7");
	sql(con, "reload");
	check_str("reloaded", show(con, "CONFIG", "key", "default_pool_size", "value"), "20");
	if (peer_version())
		return;
	check_eq("SHUTDOWN", run(&out, "psql -X -U admin pgbouncer -c SHUTDOWN"), 0);
	check_str("its answer and nothing else", out, "SHUTDOWN\n");
	check_eq("exit status", sluice_wait_exit(), 0);
}

/* --- What SHOW shows */

static void test_show(void)
{
	sluice_start(&(struct conf){ .databases = "test = @PG@ pool_size=4\nother = @PG@ dbname=postgres\n",
				     .settings = "pool_mode = transaction" });
	PGconn *con = console(), *a = client("application_name=seen"), *b = client(NULL);
	sql(a, "begin");
	char *pid = scalar(a, "select pg_backend_pid()");
	check_eq("cl_active", pool(con, "cl_active"), 2);
	check_eq("sv_active", pool(con, "sv_active"), 1);
	check_eq("maxwait", pool(con, "maxwait"), 0);
	check_str("pool_mode", show(con, "POOLS", "database", "test", "pool_mode"), "transaction");
	check_str("SERVERS", show(con, "SERVERS", "remote_pid", pid, "state"), "active");
	check_str("application_name", show(con, "SERVERS", "remote_pid", pid, "application_name"), "seen");
	check_str("link",
		  show(con, "CLIENTS", "ptr", show(con, "SERVERS", "remote_pid", pid, "link"), "application_name"),
		  "seen");
	check_str("CLIENTS", show(con, "CLIENTS", "application_name", "seen", "database"), "test");
	check_str("DATABASES", show(con, "DATABASES", "name", "test", "pool_size"), "4");
	check_str("its port", show(con, "DATABASES", "name", "test", "port"), text("%d", pg_port()));
	check_str("other", show(con, "DATABASES", "name", "other", "database"), "postgres");
	check_eq("paused", show_int(con, "DATABASES", "name", "test", "paused"), 0);
	PGresult *r = PQexec(con, "SHOW DATABASES");
	check_eq("LISTS, databases", show_int(con, "LISTS", "list", "databases", "items"), PQntuples(r));
	PQclear(r);
	check("LISTS, used clients", show_int(con, "LISTS", "list", "used_clients", "items") >= 2);
	check_str("USERS", show(con, "USERS", "name", "alice", "name"), "alice");
	check_str("STATE", show(con, "STATE", "key", "active", "value"), "yes");
	check("VERSION", show(con, "VERSION", NULL, NULL, "version") != NULL);
	check_str("CONFIG", show(con, "CONFIG", "key", "pool_mode", "value"), "transaction");
	sql(a, "commit");
	int before = show_int(con, "STATS", "database", "test", "total_query_count");
	for (int i = 0; i < 10; i++)
		sql(b, "select 1");
	check_eq("total_query_count", show_int(con, "STATS", "database", "test", "total_query_count") - before, 10);
	check("total_received", show_int(con, "STATS", "database", "test", "total_received") > 10 * 14);
}

/* --- PAUSE, RESUME, KILL, RECONNECT, DISABLE */

static void test_pause_and_resume(void)
{
	static const char *const which[] = { "", " test" };
	for (size_t i = 0; i < COUNT(which); i++) {
		sluice_with("pool_mode = transaction");
		PGconn *con = console(), *watch = console(), *a = client(NULL), *b = client(NULL);
		sql(a, "begin; select 1");
		sql_start(con, text("PAUSE%s", which[i]));
		wait_until("the pause begins",
			   show_int(watch, "DATABASES", "name", "test", "paused") == 1 ||
				   strcmp(show(watch, "STATE", "key", "active", "value"), "no") == 0);
		sql_start(b, "select 'resumed'");
		wait_until("b waits", pool(watch, "cl_waiting") == 1);
		check("PAUSE waits for the transaction", !is_answered(con));
		check_scalar(a, "select 2", "2"); /* which may go on */
		sql(a, "commit");
		sql_finish(con);
		wait_until("no server is left", pg_servers() == 0);
		PGconn *late = client(NULL); /* a login is possible, for what a login needs is known */
		sql_start(late, "select 'late'");
		wait_until("it waits, too", pool(watch, "cl_waiting") == 2);
		check("still waiting", !is_answered(b));
		sql(con, "RESUME%s", which[i]);
		sql_finish(b);
		sql_finish(late);
		check_scalar(a, "select 3", "3");
		check_sql_fails(con, text("RESUME%s", which[i]), NULL, "not paused");
		sluice_stop();
	}
}

/* A paused pool keeps its clients until query_wait_timeout, and those who want to log in until then too. */
static void test_paused_for_too_long(void)
{
	sluice_with("pool_mode = transaction\nquery_wait_timeout = 0");
	PGconn *con = console(), *a = client(NULL);
	check_scalar(a, "select 1", "1");
	sql(con, "PAUSE");
	sql(con, "SET query_wait_timeout = 1");
	check_sql_fails(a, "select 1", peer_version() ? "08P01" : "57P03", "query_wait_timeout");
	sql(con, "SET query_wait_timeout = 0");
	sql(con, "RESUME");
	check_scalar(client(NULL), "select 1", "1");
}

static void test_kill(void)
{
	sluice_start(&(struct conf){ .databases = "test = @PG@\nother = @PG@ dbname=test",
				     .settings = "pool_mode = transaction" });
	PGconn *con = console(), *a = client(NULL), *b = client(NULL), *c = client("dbname=other");
	sql_start(a, "select pg_sleep(100)");
	sql(b, "begin");
	sql(c, "begin");
	sql(con, "KILL test");
	wait_until("a and b are out", is_answered(a) && (!PQconsumeInput(b) || PQstatus(b) == CONNECTION_BAD));
	PGresult *r = PQgetResult(a);
	check_eq("an error", PQresultStatus(r), PGRES_FATAL_ERROR);
	PQclear(r);
	check_scalar(c, "select 1", "1");
	check_eq("paused", show_int(con, "DATABASES", "name", "test", "paused"), 1);
	sql(con, "RESUME test");
	check_scalar(client(NULL), "select 1", "1");
	pg_sql("select pg_terminate_backend(pid) from pg_stat_activity where query like '%%pg_sleep%%' and "
	       "pid <> pg_backend_pid()");
}

static void test_reconnect(void)
{
	sluice_with("pool_mode = transaction");
	PGconn *con = console(), *a = client(NULL), *b = client(NULL);
	sql(a, "begin");
	char *old = scalar(a, "select pg_backend_pid()"), *idle = scalar(b, "select pg_backend_pid()");
	sql(con, "RECONNECT test");
	check_str("a transaction keeps its server", scalar(a, "select pg_backend_pid()"), old);
	char *fresh = scalar(b, "select pg_backend_pid()");
	check("b has another one", strcmp(fresh, idle) != 0 && strcmp(fresh, old) != 0);
	sql(a, "commit");
	wait_until("the old one is closed",
		   atoi(pg_scalar("select count(*) from pg_stat_activity where pid = %s", old)) == 0);
}

static void test_disable(void)
{
	sluice_with("pool_mode = transaction\nquery_wait_timeout = 10");
	PGconn *con = console(), *a = client(NULL);
	check_scalar(a, "select 1", "1");
	sql(con, "DISABLE test");
	check_login_fails(peer_version() ? "08P01" : "57P03", "database \"test\" is disabled", "user=alice");
	check_scalar(a, "select 1", "1"); /* who is in stays in */
	sql(con, "RECONNECT test");
	wait_until("its server is gone", pg_servers() == 0);
	check_scalar(a, "select 1", "1"); /* and gets a server */
	sql(con, "ENABLE test");
	check_scalar(client(NULL), "select 1", "1");
}

/* A database that only the * entry knows, and that nobody has been in yet. */
static void test_any_database(void)
{
	sluice_start(&(struct conf){ .databases = "* = @PG@", .settings = "autodb_idle_timeout = 1" });
	PGconn *con = console();
	sql(con, "PAUSE postgres");
	check_str("paused", show(con, "databases", "name", "postgres", "paused"), "1");
	PGconn *c = client_start("dbname=postgres");
	sql(con, "RESUME postgres");
	check("in", client_finish_start(c));
	sql(con, "DISABLE template1");
	check_login_fails("57P03", "database \"template1\" is disabled", "dbname=template1");
	sql(con, "ENABLE template1");
	check_scalar(client("dbname=template1"), "select 1", "1");
	for (size_t i = 0; i < 3; i++) {
		static const char *const verbs[] = { "RECONNECT", "KILL", "WAIT_CLOSE" };
		sql(con, "%s nobodys%zu", verbs[i], i);
	}
	wait_until("forgotten", show(con, "databases", "name", "nobodys2", "name") == NULL);
	check_str("but what is said of it is not", show(con, "databases", "name", "nobodys1", "paused"), "1");
}

/* --- Limits */

static void test_max_client_conn(void)
{
	sluice_with("max_client_conn = 3");
	PGconn *c[3];
	for (int i = 0; i < 3; i++)
		c[i] = client(NULL);
	check_login_fails("08P01", "no more connections allowed (max_client_conn)", "user=alice");
	client_close(c[0]);
	wait_until("room again", client_try(NULL) != NULL);
	check_scalar(c[1], "select 1", "1");
}

/* --- RELOAD */

static void test_reload(void)
{
	for (int by_signal = 0; by_signal < 2; by_signal++) {
		sluice_start(&(struct conf){ .settings = "default_pool_size = 1" });
		PGconn *con = console(), *a = client(NULL), *b = client(NULL);
		char *old = scalar(a, "select pg_backend_pid()");
		sql(a, "begin");
		sql_start(b, "select 1");
		wait_until("b waits", pool(con, "cl_waiting") == 1);
		sluice_configure(&(struct conf){ .databases = "test = @PG@\nfresh = @PG@ dbname=test",
						 .settings = "default_pool_size = 2\napplication_name_add_host = 1" });
		if (by_signal)
			sluice_signal(SIGHUP);
		else
			sql(con, "RELOAD");
		sql_finish(b); /* the larger pool holds for who waits already */
		check_scalar(client("dbname=fresh"), "select 1", "1");
		check_str("a keeps its server", scalar(a, "select pg_backend_pid()"), old);
		sql(a, "commit");
		check_str("value", show(con, "CONFIG", "key", "default_pool_size", "value"), "2");

		/* A database that leads elsewhere now: old servers are closed as they come free. */
		sql(a, "begin");
		sluice_configure(&(struct conf){ .databases = "test = @PG@ dbname=postgres" });
		if (by_signal)
			sluice_signal(SIGHUP);
		else
			sql(con, "RELOAD");
		wait_until("it is read", strcmp(show(con, "DATABASES", "name", "test", "database"), "postgres") == 0);
		check_scalar(a, "select current_database()", "test");
		sql(a, "commit");
		check_scalar(a, "select current_database()", "postgres");
		check_scalar(b, "select current_database()", "postgres");
		sluice_stop();
	}
}

static char notices[4000];

static void keep_notice(void *arg, const PGresult *r)
{
	(void)arg;
	strncat(notices, PQresultErrorMessage(r), sizeof notices - strlen(notices) - 1);
}

/* A file with a fault changes nothing. */
static void test_reload_of_a_bad_file(void)
{
	sluice_with("default_pool_size = 5");
	PGconn *con = console(), *a = client(NULL);
	check_scalar(a, "select 1", "1");
	write_text(text("%s/sluice.ini", dir()),
		   "[databases]\ntest = nonsense here\n[pgbouncer]\ndefault_pool_size = x\n");
	if (!peer_version()) { /* whoever asked hears all that is wrong, and where */
		*notices = 0;
		PQsetNoticeReceiver(con, keep_notice, NULL);
		check_sql_fails(con, "RELOAD", "F0000", "sluice.ini:2: ");
		check("and all else",
		      strstr(notices, "sluice.ini:4: default_pool_size: \"x\" is not a number from 0 to"));
		check_sql_fails(con, "RELOAD; SHOW STATE", "F0000", "RELOAD failed");
	}
	sluice_signal(SIGHUP);
	wait_until("it is told", sluice_logged("sluice.ini:2"));
	check_str("the old value", show(con, "CONFIG", "key", "default_pool_size", "value"), "5");
	check_scalar(a, "select 1", "1");
	check_scalar(client(NULL), "select 1", "1");
	sluice_configure(&(struct conf){ .settings = "default_pool_size = 6" });
	sql(con, "RELOAD");
	check_str("the new value", show(con, "CONFIG", "key", "default_pool_size", "value"), "6");
}

/* --- SET */

static void test_set(void)
{
	static const struct {
		const char *set, *sqlstate, *part;
	} bad[] = {
		{ "SET default_pool_size = many", "08P01", "default_pool_size: \"many\" is not a number" },
		{ "SET pool_mode = none", "08P01", "is not one of session, transaction, statement" },
		{ "SET listen_port = 1", "08P01", "cannot be changed without a restart" },
		{ "SET nonsense = 1", "08P01", "unknown setting" },
		{ "SET default_pool_size", "08P01", "invalid command" },
	};
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1\nquery_wait_timeout = 0");
	PGconn *con = console(), *a = client(NULL), *b = client(NULL);
	for (size_t i = 0; i < COUNT(bad) && !peer_version(); i++)
		check_sql_fails(con, bad[i].set, bad[i].sqlstate, bad[i].part);
	check_str("nothing has changed", show(con, "CONFIG", "key", "default_pool_size", "value"), "1");

	/* It holds at once, for who waits already; and until the next RELOAD. */
	sql(a, "begin");
	sql_start(b, "select 1");
	wait_until("b waits", pool(con, "cl_waiting") == 1);
	PGresult *r = PQexec(con, "SET default_pool_size = '2'");
	check_str("its tag", PQcmdStatus(r), "SET default_pool_size=2");
	PQclear(r);
	sql_finish(b);
	check_str("value", show(con, "CONFIG", "key", "default_pool_size", "value"), "2");
	sql(a, "commit");
	sql(con, "SET default_pool_size = 1; RECONNECT");
	wait_until("one server", pg_servers() <= 1);
	sql(a, "begin");
	sql(con, "SET query_wait_timeout=1");
	if (!peer_version())
		check_sql_fails(b, "select 1", NULL, "query_wait_timeout");
	sql(con, "RELOAD");
	check_str("as the file has it", show(con, "CONFIG", "key", "query_wait_timeout", "value"), "0");
	sql(a, "commit");
	check_scalar(client(NULL), "select 1", "1");
}

/* --- WAIT_CLOSE */

static void test_wait_close(void)
{
	sluice_start(&(struct conf){ .databases = "test = @PG@\nother = @PG@ dbname=test",
				     .settings = "pool_mode = transaction" });
	PGconn *con = console(), *second = console(), *a = client(NULL), *b = client("dbname=other");
	sql(a, "begin");
	sql(b, "begin");
	sql(con, "WAIT_CLOSE"); /* nothing is to be closed */
	sql(con, "RECONNECT");
	sql_start(con, "WAIT_CLOSE test");
	sql_start(second, "WAIT_CLOSE");
	PGconn *third = console();
	check_eq("a is linked", show_int(third, "SERVERS", "database", "test", "close_needed"), 1);
	check("it waits", !is_answered(con));
	sql(a, "commit");
	sql_finish(con);
	check_scalar(a, "select 1", "1"); /* on a fresh server */
	check("for the other one", !is_answered(second));
	sql(b, "commit");
	sql_finish(second);
	/* Who waits and leaves is forgotten; the others go on. */
	sql(a, "begin");
	sql(con, "RECONNECT test");
	sql_start(con, "WAIT_CLOSE");
	sql_start(second, "WAIT_CLOSE test; SHOW STATE");
	check_scalar(a, "select 1", "1");
	client_close(con);
	check_str("the console answers", show(third, "STATE", "key", "active", "value"), "yes");
	check("it waits", !is_answered(second));
	client_close(a); /* rolled back, and then closed */
	sql_finish(second);
}

/* --- The end */

static bool is_refused(void)
{
	int fd = raw_try_open();
	char heard[256];
	size_t len;
	bool in = fd >= 0 && raw_startup(fd, "alice", "test") && raw_expect(fd, 'R', heard, sizeof heard, &len);
	raw_close(fd);
	return !in;
}

static void test_shutdown(void)
{
	sluice_with(NULL);
	PGconn *con = console(), *a = client(NULL);
	sql(a, "begin");
	sql_start(con, "SHUTDOWN");
	check_eq("exit status", sluice_wait_exit(), 0);
	check_sql_fails(a, "select 1", NULL, "");
	check_eq("a is out", PQstatus(a), CONNECTION_BAD);
	wait_until("its server is, too", pg_servers() == 0);
}

static void test_sigquit(void)
{
	sluice_with(NULL);
	PGconn *a = client(NULL);
	sql(a, "begin");
	sluice_signal(SIGQUIT);
	check_eq("exit status", sluice_wait_exit(), 0);
}

/* SIGINT: running transactions end, waiting clients are turned away, then it is over. */
static void test_sigint(void)
{
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *a = client(NULL), *idle = client(NULL);
	check_scalar(idle, "select 1", "1");
	sql(a, "begin; create table kept (n int)");
	sluice_signal(SIGINT);
	wait_until("noticed", sluice_logged("SIGINT"));
	check_scalar(a, "insert into kept values (1) returning n", "1");
	check("it runs still", sluice_is_running());
	sql(a, "commit");
	check_eq("exit status", sluice_wait_exit(), 0);
	check_str("the transaction is whole", pg_scalar("select 1"), "1");
	PGconn *straight = client_to_pg(NULL);
	check_scalar(straight, "select count(*) from kept", "1");
	sql(straight, "drop table kept");
	check_sql_fails(idle, "select 1", NULL, "");
}

/* SIGTERM: nobody new, and the end with the last client; a second signal ends it now. */
static void test_sigterm(void)
{
	for (int round = 0; round < 3; round++) {
		sluice_with("pool_mode = transaction");
		PGconn *a = client(NULL), *b = client(NULL);
		check_scalar(a, "select 1", "1");
		sluice_signal(SIGTERM);
		wait_until("noticed", sluice_logged("SIGTERM"));
		check_scalar(b, "select 2", "2");
		sql(a, "begin");
		wait_until("nobody new", is_refused());
		if (round == 0) {
			sql(a, "commit");
			client_close(a);
			check_scalar(b, "select 3", "3");
			client_close(b);
		} else {
			sluice_signal(round == 1 ? SIGTERM : SIGINT);
		}
		check_eq("exit status", sluice_wait_exit(), 0);
	}
}

/* Whoever looks after Sluice gets to the console by the unix socket as long as it runs; others are told why not; the
 * port is free for who comes next. */
static void test_console_during_shutdown(void)
{
	if (peer_version()) {
		skip("of Sluice's socket");
		return;
	}
	for (int round = 0; round < 2; round++) {
		sluice_with("pool_mode = transaction");
		PGconn *con = console(), *a = client(NULL);
		check_scalar(a, "select 1", "1");
		if (round == 0)
			sluice_signal(SIGTERM);
		else
			sql(con, "SHUTDOWN WAIT_FOR_CLIENTS");
		client_close(con);
		wait_until("nobody new", is_refused());
		char heard[256];
		size_t len = 0;
		int fd = raw_open_unix();
		check("refused", raw_startup(fd, "alice", "test") && raw_expect(fd, 'E', heard, sizeof heard, &len));
		check_str("why", error_field(heard, len, 'M'), "pooler is shutting down");
		raw_close(fd);
		con = client("host=%s user=admin dbname=sluice", sluice_socket_dir());
		check_eq("a is there", show_int(con, "POOLS", "database", "test", "cl_active"), 1);
		check_scalar(a, "select 1", "1");
		client_close(a);
		check("the console is a client, too", sluice_is_running());
		client_close(con);
		check_eq("exit status", sluice_wait_exit(), 0);
		check("and takes its socket along",
		      access(text("%s/.s.PGSQL.%d", sluice_socket_dir(), sluice_port()), F_OK) != 0);
		char *log = file_text(text("%s/sluice.log", dir()));
		size_t n = strlen(log);
		check_str("the last word", n > 11 ? log + n - 11 : log, " LOG ended\n");
	}
}

/* Whoever waits because others have all the connections that there may be has its turn though it goes to the end. */
static void test_sigterm_while_a_client_waits(void)
{
	sluice_with("pool_mode = transaction\nmax_db_connections = 1\nquery_wait_timeout = 10");
	PGconn *con = console(), *a = client(NULL), *b = client("user=bob");
	sql(a, "begin");
	sql_start(b, "select 1");
	wait_until("b waits", show_int(con, "POOLS", "user", "bob", "cl_waiting") == 1);
	client_close(con);
	sluice_signal(SIGTERM);
	wait_until("noticed", sluice_logged("SIGTERM"));
	sql(a, "commit");
	sql_finish(b);
	client_close(a);
	client_close(b);
	check_eq("exit status", sluice_wait_exit(), 0);
}

static void test_shutdown_modes(void)
{
	sluice_with("pool_mode = transaction");
	PGconn *con = console(), *a = client(NULL);
	check_sql_fails(con, "SHUTDOWN NONSENSE", NULL, "SHUTDOWN NONSENSE");
	sql(a, "begin");
	sql(con, "SHUTDOWN WAIT_FOR_SERVERS");
	check_scalar(a, "select 1", "1");
	sql(a, "commit");
	check_eq("exit status", sluice_wait_exit(), 0);

	sluice_with("pool_mode = transaction");
	con = console();
	a = client(NULL);
	sql(con, "SHUTDOWN WAIT_FOR_CLIENTS");
	check_scalar(a, "select 1", "1");
	check_scalar(a, "select 1", "1");
	client_close(con);
	client_close(a);
	check_eq("exit status", sluice_wait_exit(), 0);
}

/* --- How it is started */

static void test_command_line(void)
{
	char *out;
	sluice_with(NULL);
	sluice_stop();
	check_eq("-V", run(&out, "./sluice -V"), 0);
	check_eq("--help", run(&out, "./sluice --help"), 0);
	check(out, strstr(out, "-d") != NULL);
	check("no file", run(&out, "./sluice nowhere.ini") != 0);
	check("no argument", run(&out, "./sluice") != 0);
	check("an unknown switch", run(&out, "./sluice --nonsense sluice.ini") != 0);
	if (peer_version()) {
		skip("the rest is Sluice's own");
		return;
	}
	check_eq("--check of a good one", run(&out, "./sluice --check sluice.ini"), 0);
	check(text("it is quiet about it: %s", out), strlen(out) < 200);
	write_text(text("%s/bad.ini", dir()), "[databases]\ntest = host=a prot=1\n[sluice]\n\npool_mode = trans\n"
					      "defualt_pool_size = 5\nlisten_port = 99999\n");
	check("--check of a bad one", run(&out, "./sluice --check bad.ini") > 0);
	static const char *const faults[] = { "bad.ini:2",         "prot",      "bad.ini:5",  "pool_mode", "bad.ini:6",
					      "default_pool_size", "bad.ini:7", "listen_port" };
	for (size_t i = 0; i < COUNT(faults); i++)
		check(text("\"%s\" in: %s", faults[i], out), strstr(out, faults[i]) != NULL);
	const char *sum = strstr(out, "sluice: bad.ini: 5 errors\n");
	check(text("the sum at the end of: %s", out), sum && !strchr(sum, '\n')[1]);
}

static char *ini_with(const char *name, const char *more)
{
	char *path = text("%s/%s", dir(), name);
	write_text(path, text("%s\n%s\n", file_text(text("%s/sluice.ini", dir())), more));
	return path;
}

/* A start that fails says why, once, and leaves nothing behind; above all nothing of one that runs. */
static void test_failed_starts(void)
{
	static const struct {
		const char *what, *args, *more, *says;
	} bad[] = {
		{ "no such user", "-u nosuch", "", "there is no user \"nosuch\"" },
		{ "as root", "-u root", "", "should not run as root" },
		{ "a user of the file", "", "user = nosuch", "there is no user \"nosuch\"" },
		{ "no pid file to be had", "", "pidfile = nodir/p", "pid file" },
		{ "-d without a pid file", "-d", "logfile = l", "-d needs pidfile" },
		{ "-d without a log", "-d", "pidfile = p", "-d needs logfile or syslog" },
		{ "-d with a log that cannot be", "-d", "pidfile = p\nlogfile = nodir/l", "nodir/l" },
		{ "quiet with a log that cannot be", "-q", "logfile = nodir/l", "nodir/l" },
		{ "no such directory", "", "unix_socket_dir = nodir", "nodir/.s.PGSQL" },
	};
	char *out;
	if (peer_version()) {
		skip("Sluice's own");
		return;
	}
	sluice_with(NULL);
	char *sock = text("%s/.s.PGSQL.%d", sluice_socket_dir(), sluice_port());
	/* While one runs. */
	ini_with("second.ini", "pidfile = second.pid");
	check("a second one", run(&out, "./sluice second.ini") == 1 && strstr(out, "Address already in use"));
	check("leaves no pid file", access(text("%s/second.pid", dir()), F_OK) != 0);
	ini_with("second.ini", "listen_addr =");
	check("a second one on the socket", run(&out, "./sluice second.ini") == 1);
	check(out, strstr(out, "another process listens there") != NULL);
	check_scalar(client("host=%s", sluice_socket_dir()), "select 1", "1");
	sluice_stop();
	check("no socket is left", access(sock, F_OK) != 0);
	for (size_t i = 0; i < COUNT(bad); i++) {
		ini_with("failed.ini", bad[i].more);
		check_eq(bad[i].what, run(&out, "./sluice %s failed.ini", bad[i].args), 1);
		const char *said = strstr(out, bad[i].says);
		check(text("%s: says so: %s", bad[i].what, out), said != NULL);
		check(text("%s: once: %s", bad[i].what, out), said && !strstr(said + 1, bad[i].says));
		check(bad[i].what, access(sock, F_OK) != 0);
		check(bad[i].what, access(text("%s/p", dir()), F_OK) != 0);
	}
	/* One that holds the pid file, on another port. */
	ini_with("holds.ini", "pidfile = p\nlogfile = l");
	check_eq("-d", run(&out, "./sluice -d holds.ini"), 0);
	pid_t pid = atoi(file_text(text("%s/p", dir())));
	require("it runs", pid > 1 && kill(pid, 0) == 0);
	int other = free_port();
	ini_with("failed.ini", text("pidfile = p\nlisten_port = %d", other));
	check("already running", run(&out, "./sluice failed.ini") == 1 && strstr(out, "already running"));
	check("no socket", access(text("%s/.s.PGSQL.%d", sluice_socket_dir(), other), F_OK) != 0);
	check_str("its pid is there", file_text(text("%s/p", dir())), text("%d\n", (int)pid));
	kill(pid, SIGQUIT);
	wait_until("it ends", kill(pid, 0) != 0);
}

/* Its own section name, an included file with a line of more than 4,000 bytes, and the environment above it all. */
static void test_own_configuration(void)
{
	char filler[4001];
	memset(filler, 'x', sizeof filler - 1);
	filler[sizeof filler - 1] = 0;
	if (peer_version()) {
		skip("Sluice's own");
		return;
	}
	sluice_with("max_client_conn = 50\ndefault_pool_size = 5");
	sluice_stop();
	char *ini = file_text(text("%s/sluice.ini", dir())), *section = strstr(ini, "[pgbouncer]");
	write_text(text("%s/own.ini", dir()), text("%%include %s/long.ini\n[sluice]%s", dir(), section + 11));
	write_text(
		text("%s/long.ini", dir()),
		text("[databases]\ntest = host=127.0.0.1 port=%d connect_query='create temp table t as select ''%s''::text "
		     "as f'\n",
		     pg_port(), filler));
	pid_t pid = run_in_background("own.log", "env SLUICE_MAX_CLIENT_CONN=77 ./sluice own.ini");
	PGconn *c = NULL;
	wait_until("it is up", (c = client_try(NULL)) != NULL);
	check_str("the whole line", scalar(c, "select f from t"), filler);
	PGconn *con = client("user=admin dbname=sluice");
	check_str("from the environment", show(con, "CONFIG", "key", "max_client_conn", "value"), "77");
	check_str("from the file", show(con, "CONFIG", "key", "default_pool_size", "value"), "5");
	sql(con, "reload");
	check_str("after a reload, too", show(con, "CONFIG", "key", "max_client_conn", "value"), "77");
	int status;
	kill(pid, SIGQUIT);
	wait_until("it ends", has_ended(pid, &status));
	check_eq("exit status", status, 0);
}

/* As root it needs a user to become; as a daemon it leaves a pid file and no output. */
static void test_daemon(void)
{
	char *out;
	sluice_with(NULL);
	sluice_stop();
	write_text(text("%s/d.ini", dir()), text("%s\npidfile = %s/d.pid\nlogfile = %s/d.log\n",
						 file_text(text("%s/sluice.ini", dir())), dir(), dir()));
	check_eq("-d", run(&out, "./sluice -d d.ini"), 0);
	pid_t pid = 0;
	wait_until(text("a pid file: %s", out), (pid = atoi(file_text(text("%s/d.pid", dir())))) > 1);
	check_scalar(client(NULL), "select 1", "1");
	check("a second one is refused", run(&out, "./sluice -d d.ini") != 0);
	check_eq("the first one still runs", kill(pid, 0), 0);
	kill(pid, SIGQUIT);
	wait_until("it ends", kill(pid, 0) != 0);
	check_str("and takes its pid file along", file_text(text("%s/d.pid", dir())), "");
	check("its log", strstr(file_text(text("%s/d.log", dir())), "test/alice") != NULL);
}

static void test_root_becomes_another(void)
{
	if (getuid() != 0) {
		skip("not root");
		return;
	}
	/* In /tmp nobody but its owner and root can remove a file. */
	sluice_start(&(struct conf){ .as_root = true, .args = "-u @USER@", .settings = "unix_socket_dir = /tmp" });
	check_scalar(client(NULL), "select 1", "1");
	char *sock = text("/tmp/.s.PGSQL.%d", sluice_port());
	struct stat st;
	check("the socket is that user's", stat(sock, &st) == 0 && st.st_uid != 0);
	char *status = file_text(text("/proc/%d/status", sluice_pid())), *uid = strstr(status, "\nUid:");
	check("it is not root any more", uid && atoi(uid + 5) != 0);
	char *gid = strstr(status, "\nGid:"), *groups = strstr(status, "\nGroups:");
	check("nor of root's group", gid && atoi(gid + 5) != 0);
	check("nor of root's groups", groups && strtol(groups + 8, NULL, 10) != 0);
	check("all can be read", !sluice_logged("cannot be read by the user"));
	sluice_stop();
	check("it removes its socket", access(sock, F_OK) != 0);
	write_text(text("%s/secret.ident", dir()), "");
	check("root's alone",
	      chown(text("%s/secret.ident", dir()), 0, 0) == 0 && chmod(text("%s/secret.ident", dir()), 0600) == 0);
	sluice_start(&(struct conf){ .as_root = true,
				     .args = "-u @USER@",
				     .settings = "unix_socket_dir = /tmp\nauth_ident_file = @DIR@/secret.ident" });
	wait_until("told", sluice_logged("secret.ident cannot be read by the user"));
	sluice_stop();
	check("and will not run as root", system(text("%s/sluice %s/sluice.ini >/dev/null 2>&1", dir(), dir())) != 0);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "rights", test_rights },
		{ "own_user", test_own_user },
		{ "psql_on_the_console", test_psql_on_the_console },
		{ "show", test_show },
		{ "pause_and_resume", test_pause_and_resume },
		{ "paused_for_too_long", test_paused_for_too_long },
		{ "kill", test_kill },
		{ "reconnect", test_reconnect },
		{ "disable", test_disable },
		{ "any_database", test_any_database },
		{ "max_client_conn", test_max_client_conn },
		{ "reload", test_reload },
		{ "reload_of_a_bad_file", test_reload_of_a_bad_file },
		{ "set", test_set },
		{ "wait_close", test_wait_close },
		{ "shutdown", test_shutdown },
		{ "sigquit", test_sigquit },
		{ "sigint", test_sigint },
		{ "sigterm", test_sigterm },
		{ "sigterm_while_a_client_waits", test_sigterm_while_a_client_waits },
		{ "console_during_shutdown", test_console_during_shutdown },
		{ "shutdown_modes", test_shutdown_modes },
		{ "command_line", test_command_line },
		{ "own_configuration", test_own_configuration },
		{ "failed_starts", test_failed_starts },
		{ "daemon", test_daemon },
		{ "root_becomes_another", test_root_becomes_another },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "console", tests);
}
