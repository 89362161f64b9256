/* postgres.c - the tests' own PostgreSQL. */
#include "harness_int.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t pg_pid = -1;
static int pg_at; /* its port */
static bool hba_is_changed;

int pg_port(void)
{
	return pg_at;
}

const char *pg_socket_dir(void)
{
	static char path[80];
	snprintf(path, sizeof path, "%s/pg", harness.top);
	return path;
}

static bool pg_find(void)
{
	const char *wanted = getenv("TEST_PG_BINDIR");
	if (wanted && *wanted) {
		snprintf(harness.pg_bin, sizeof harness.pg_bin, "%s", wanted);
		return access(text("%s/initdb", wanted), X_OK) == 0;
	}
	FILE *p = popen("pg_config --bindir 2>/dev/null", "r");
	bool found = p && fgets(harness.pg_bin, sizeof harness.pg_bin, p);
	if (p)
		pclose(p);
	harness.pg_bin[strcspn(harness.pg_bin, "\n")] = 0;
	char tool[300];
	snprintf(tool, sizeof tool, "%s/initdb", harness.pg_bin);
	if (found && access(tool, X_OK) == 0)
		return true;
	glob_t g;
	found = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &g) == 0;
	if (found) {
		snprintf(harness.pg_bin, sizeof harness.pg_bin, "%s", g.gl_pathv[g.gl_pathc - 1]);
		*strrchr(harness.pg_bin, '/') = 0;
		globfree(&g);
	}
	return found;
}

static PGconn *pg_connect(void)
{
	PGconn *c = PQconnectdb(
		text("host=%s port=%d user=postgres dbname=postgres connect_timeout=10", pg_socket_dir(), pg_at));
	if (PQstatus(c) == CONNECTION_OK)
		return c;
	fprintf(stderr, "harness: %s", PQerrorMessage(c));
	PQfinish(c);
	return NULL;
}

static char *pg_query(const char *query)
{
	char *got = NULL;
	PGconn *c = pg_connect();
	if (!c)
		return NULL;
	PGresult *r = PQexec(c, query);
	if (PQresultStatus(r) == PGRES_TUPLES_OK)
		got = text("%s", PQntuples(r) && PQnfields(r) ? PQgetvalue(r, 0, 0) : "");
	else if (PQresultStatus(r) == PGRES_COMMAND_OK)
		got = text("%s", "");
	else
		fprintf(stderr, "harness: %s: %s", query, PQresultErrorMessage(r));
	PQclear(r);
	PQfinish(c);
	return got;
}

static bool pg_try_start(void)
{
	pg_at = pg_at ? pg_at : free_port();
	pg_pid = spawn(text("%s/pg.log", harness.top), SIGQUIT, false);
	if (pg_pid == 0) {
		/* The port is the command line's, for it may change from start to start. */
		char *program = text("%s/postgres", harness.pg_bin); /* it looks for its other files beside this path */
		execl(program, program, "-D", text("%s/data", harness.top), "-p", text("%d", pg_at), (char *)NULL);
		_exit(127);
	}
	for (uint64_t until = now_ms() + PATIENCE_MS; now_ms() < until; poll_pause()) {
		if (waitpid(pg_pid, NULL, WNOHANG) == pg_pid) {
			pg_pid = -1;
			return false;
		}
		if (PQping(text("host=%s port=%d user=postgres dbname=postgres", pg_socket_dir(), pg_at)) == PQPING_OK)
			return true;
	}
	return false;
}

void pg_start(void)
{
	if (pg_pid < 0)
		require("PostgreSQL starts again", pg_try_start());
}

void pg_stop(int sig)
{
	pid_t children[512];
	size_t n = sig == SIGKILL ? children_of(pg_pid, children, COUNT(children)) : 0;
	kill(pg_pid, sig);
	for (size_t i = 0; i < n; i++)
		kill(children[i], SIGKILL);
	require("PostgreSQL stops", reap(pg_pid, PATIENCE_MS) >= 0);
	pg_pid = -1;
	/* Its children hold its shared memory until they are gone too, and it does not start again before. */
	for (size_t i = 0; i < n; i++)
		wait_until("PostgreSQL's children end", kill(children[i], 0) < 0);
}

static const char hba_open[] = "host all all 127.0.0.1/32 trust\n";

static void hba_write(const char *lines)
{
	write_text(text("%s/data/pg_hba.conf", harness.top), text("local all all trust\n%s", lines));
}

void pg_hba(const char *lines)
{
	char *before = pg_query("select pg_conf_load_time()");
	hba_write(lines);
	hba_is_changed = lines != hba_open;
	kill(pg_pid, SIGHUP);
	/* A connection made after the reload has the new time, and then the new rules hold too. */
	wait_until("PostgreSQL reloads", before && strcmp(before, pg_query("select pg_conf_load_time()")) != 0);
}

void pg_sql(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *query = vtext(fmt, ap);
	va_end(ap);
	require(query, pg_query(query) != NULL);
}

char *pg_scalar(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *query = vtext(fmt, ap), *got = pg_query(query);
	va_end(ap);
	require(query, got != NULL);
	return got ? got : query;
}

int pg_servers(void)
{
	return atoi(
		pg_scalar("select count(*) from pg_stat_activity where datname = 'test' and pid <> pg_backend_pid()"));
}

int pg_sleepers(void)
{
	return atoi(pg_scalar(
		"select count(*) from pg_stat_activity where state = 'active' and query like '%%sleep(100)'"));
}

static bool pg_make(void)
{
	/* synchronous_commit stays on: a test that kills the server at once must not lose the roles made below. */
	static const char settings[] = "listen_addresses = '127.0.0.1'\n"
				       "unix_socket_directories = '@PGDIR@'\n"
				       "max_connections = 300\n"
				       "superuser_reserved_connections = 5\n"
				       "shared_buffers = 64MB\n"
				       "fsync = off\nfull_page_writes = off\n"
				       "wal_level = minimal\nmax_wal_senders = 0\nautovacuum = off\n"
				       "jit = off\nmax_parallel_workers_per_gather = 0\n"
				       "timezone = 'UTC'\nlog_timezone = 'UTC'\nlc_messages = 'C'\n";
	char *out;
	if (run(&out, "mkdir -p pg && %s/initdb -D data -U postgres -A trust --no-sync -E UTF8 --locale=C.UTF-8",
		harness.pg_bin) != 0) {
		fprintf(stderr, "harness: initdb: %s\n", out);
		return false;
	}
	char *conf = text("%s/data/postgresql.conf", harness.top);
	write_text(conf, text("%s\n%s", file_text(conf), expand(settings)));
	hba_write(hba_open);
	bool ok = false;
	for (int i = 0; i < 5 && !ok; i++) { /* the port may have been taken since */
		pg_at = 0;
		ok = pg_try_start();
	}
	if (!ok)
		fprintf(stderr, "harness: PostgreSQL does not start: %s\n", file_text(text("%s/pg.log", harness.top)));
	return ok && pg_query("create database test") &&
	       pg_query("create role alice login superuser password "
			"'alice-secret'") &&
	       pg_query("create role bob login password 'bob-secret'") &&
	       pg_query("create role carol login password 'carol-secret'") &&
	       pg_query("grant create on database test to public");
}

static void pg_restore(void)
{
	if (pg_pid < 0)
		require("PostgreSQL starts again", pg_try_start());
	if (hba_is_changed)
		pg_hba(hba_open);
}

/* A backend notices that its client is gone when it comes to it, and one that runs a statement much later. */
static void pg_settle(void)
{
	PGconn *c = pg_pid < 0 ? NULL : pg_connect();
	if (pg_pid < 0)
		return;
	bool none = false;
	for (uint64_t until = now_ms() + PATIENCE_MS; c && !none && now_ms() < until;) {
		PGresult *r = PQexec(c, "select count(pg_terminate_backend(pid)) from pg_stat_activity where "
					"backend_type in ('client backend', 'walsender') and pid <> pg_backend_pid()");
		none = PQntuples(r) == 1 && strcmp(PQgetvalue(r, 0, 0), "0") == 0;
		PQclear(r);
		if (!none)
			poll_pause();
	}
	PQfinish(c);
	check("PostgreSQL's backends end", none);
}

static void pg_end(void)
{
	if (pg_pid > 0) {
		kill(pg_pid, SIGQUIT);
		reap(pg_pid, PATIENCE_MS);
	}
}

const struct backend postgres_backend = {
	.missing = "no PostgreSQL server here (Debian: postgresql)",
	.find = pg_find,
	.make = pg_make,
	.restore = pg_restore,
	.settle = pg_settle,
	.end = pg_end,
};
