/* harness.c - the processes of an integration program: itself, its watchdog, PostgreSQL, Sluice, and others. */
#include "harness_int.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TEST_SECONDS = 120, PROGRAM_SECONDS = 900, EXIT_SKIP = 77 };

/* What the tests' process tells its watchdog; shared memory. */
struct tally {
	unsigned total, run, failed, skipped;
	char test[64]; /* the one that runs */
};

static struct tally *tally;
static char top[64]; /* the temporary directory */
static char pg_bin[256];
static uid_t as_uid; /* whom PostgreSQL and Sluice run as */
static gid_t as_gid;
static char as_name[64];
static int version_of_peer;

static pid_t pg_pid = -1, peer_pid = -1;
static int pg_at, peer_at; /* ports */
static struct conf last_conf;
static bool hba_is_changed;

static const struct unit_test *all_tests;
static unsigned failures_before;
static bool in_teardown;
static const char *skipped_because;

struct kept {
	struct kept *next;
	char text[];
};
static struct kept *kept;

static pid_t background[16];
static size_t nbackground;

/* ------------------------------------------------------------------------------------------------ small things */

uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void poll_pause(void)
{
	poll(NULL, 0, 5);
}

void require_at(const char *file, int line, const char *what, bool ok)
{
	if (!ok)
		fprintf(stderr, "%s:%d: %s\n", file, line, what);
	if (!CU_get_current_test()) { /* while things are set up */
		if (!ok)
			_exit(2);
		return;
	}
	/* A fatal one jumps to the test's end, from where a teardown would be run again. */
	CU_assertImplementation(ok, (unsigned)line, what, file, "", !in_teardown);
}

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "harness: out of memory\n");
		exit(2);
	}
	return p;
}

char *keep(const char *s, size_t n)
{
	struct kept *k = must(malloc(sizeof *k + n + 1));
	memcpy(k->text, s, n);
	k->text[n] = 0;
	k->next = kept;
	kept = k;
	return k->text;
}

char *vtext(const char *fmt, va_list ap)
{
	char *s = NULL;
	int n = vasprintf(&s, fmt, ap);
	must(n < 0 ? NULL : s);
	char *k = keep(s, (size_t)n);
	free(s);
	return k;
}

char *text(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *k = vtext(fmt, ap);
	va_end(ap);
	return k;
}

void skip(const char *why)
{
	skipped_because = why;
}

int peer_version(void)
{
	return version_of_peer;
}

const char *dir(void)
{
	return top;
}

char *file_text(const char *path)
{
	char *s = NULL;
	size_t n = 0;
	FILE *f = fopen(path, "r");
	if (!f)
		return keep("", 0);
	ssize_t got = getdelim(&s, &n, 0, f); /* a NUL is not in what we read */
	fclose(f);
	char *k = keep(s ? s : "", got > 0 ? (size_t)got : 0);
	free(s);
	return k;
}

void write_text(const char *path, const char *content)
{
	char *fresh = text("%s.new", path);
	FILE *f = fopen(fresh, "w");
	bool ok = f && fputs(content, f) >= 0;
	ok = f && fclose(f) == 0 && ok;
	ok = ok && chown(fresh, as_uid, as_gid) == 0 && rename(fresh, path) == 0;
	require(text("writing %s", path), ok);
}

/* A port that nobody listens on just now. */
static int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) || getsockname(fd, (struct sockaddr *)&a, &len)) {
		perror("harness: free port");
		exit(2);
	}
	close(fd);
	return ntohs(a.sin_port);
}

/* "@PG@" and the like, replaced. */
static char *expand(const char *in)
{
	const struct {
		const char *name;
		char *value;
	} vars[] = {
		{ "@PG@", text("host=127.0.0.1 port=%d", pg_at) },
		{ "@PGPORT@", text("%d", pg_at) },
		{ "@PGDIR@", text("%s", pg_socket_dir()) },
		{ "@DIR@", text("%s", top) },
		{ "@USER@", text("%s", as_name) },
	};
	char *out = text("%s", in);
	for (size_t i = 0; i < COUNT(vars); i++)
		for (char *at; (at = strstr(out, vars[i].name));)
			out = text("%.*s%s%s", (int)(at - out), out, vars[i].value, at + strlen(vars[i].name));
	return out;
}

/* ------------------------------------------------------------------------------------------------ processes */

static void drop_privileges(void)
{
	if (getuid() == 0 && as_uid != 0)
		if (setgroups(0, NULL) || setresgid(as_gid, as_gid, as_gid) || setresuid(as_uid, as_uid, as_uid))
			_exit(126);
}

/* Forks a child whose output goes to a file; it dies with us, by this signal. Returns 0 in the child, unprivileged. */
static pid_t spawn(const char *output, int death_signal, bool is_root)
{
	fflush(NULL);
	pid_t parent = getpid(), pid = fork();
	if (pid != 0)
		return pid;
	int out = open(output, O_WRONLY | O_CREAT | O_APPEND, 0644), in = open("/dev/null", O_RDONLY);
	if (out < 0 || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(126);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	unsetenv("SLUICE_BIN"); /* SLUICE_* are settings to Sluice */
	unsetenv("SLUICE_KEEP");
	if (!is_root)
		drop_privileges(); /* before prctl(): a change of identity forgets it */
	prctl(PR_SET_PDEATHSIG, death_signal);
	if (getppid() != parent)
		_exit(126);
	return 0;
}

/* Waits for a child; its exit status, 128 + signal, or -1 when it does not end. */
static int reap(pid_t pid, uint64_t ms)
{
	uint64_t until = now_ms() + ms;
	int status;
	pid_t r;
	while ((r = waitpid(pid, &status, WNOHANG)) == 0) {
		if (now_ms() >= until)
			return -1;
		poll_pause();
	}
	if (r < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void kill_and_reap(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static pid_t shell(const char *output, const char *command)
{
	pid_t pid = spawn(output, SIGKILL, false);
	if (pid != 0)
		return pid;
	setenv("PGHOST", "127.0.0.1", 1);
	if (peer_at)
		setenv("PGPORT", text("%d", peer_at), 1);
	setenv("PGUSER", "alice", 1);
	setenv("PGDATABASE", "test", 1);
	setenv("PATH", text("%s:%s", pg_bin, getenv("PATH")), 1);
	setenv("HOME", top, 1);
	if (chdir(top) == 0)
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

int run(char **out, const char *fmt, ...)
{
	static unsigned n;
	va_list ap;
	va_start(ap, fmt);
	char *command = vtext(fmt, ap), *output = text("%s/out.%u", top, n++);
	va_end(ap);
	pid_t pid = shell(output, command);
	int status = reap(pid, (TEST_SECONDS - 10) * 1000);
	if (status < 0)
		kill_and_reap(pid);
	if (out)
		*out = file_text(output);
	return status;
}

pid_t run_in_background(const char *name, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *command = text("exec %s", vtext(fmt, ap));
	va_end(ap);
	require("room for one more in the background", nbackground < COUNT(background));
	pid_t pid = shell(text("%s/%s", top, name), command);
	background[nbackground++] = pid;
	return pid;
}

bool has_ended(pid_t pid, int *status)
{
	*status = reap(pid, 0);
	for (size_t i = 0; i < nbackground && *status >= 0; i++)
		if (background[i] == pid)
			background[i] = background[--nbackground];
	return *status >= 0;
}

/* The children of a process, as far as the array goes. */
static size_t children_of(pid_t pid, pid_t *out, size_t max)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	FILE *f = fopen(path, "r");
	size_t n = 0;
	while (f && n < max && fscanf(f, "%d", &out[n]) == 1)
		n++;
	if (f)
		fclose(f);
	return n;
}

/* ------------------------------------------------------------------------------------------------ PostgreSQL */

int pg_port(void)
{
	return pg_at;
}

const char *pg_socket_dir(void)
{
	static char path[80];
	snprintf(path, sizeof path, "%s/pg", top);
	return path;
}

static bool pg_find(void)
{
	FILE *p = popen("pg_config --bindir 2>/dev/null", "r");
	bool found = p && fgets(pg_bin, sizeof pg_bin, p);
	if (p)
		pclose(p);
	pg_bin[strcspn(pg_bin, "\n")] = 0;
	char tool[300];
	snprintf(tool, sizeof tool, "%s/initdb", pg_bin);
	if (found && access(tool, X_OK) == 0)
		return true;
	glob_t g;
	found = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &g) == 0;
	if (found) {
		snprintf(pg_bin, sizeof pg_bin, "%s", g.gl_pathv[g.gl_pathc - 1]);
		*strrchr(pg_bin, '/') = 0;
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
	pg_pid = spawn(text("%s/pg.log", top), SIGQUIT, false);
	if (pg_pid == 0) {
		/* The port is the command line's, for it may change from start to start. */
		execl(text("%s/postgres", pg_bin), "postgres", "-D", text("%s/data", top), "-p", text("%d", pg_at),
		      (char *)NULL);
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
	write_text(text("%s/data/pg_hba.conf", top), text("local all all trust\n%s", lines));
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

/* A fresh cluster with the roles that harness.h promises. False: the log says why. */
static bool pg_make(void)
{
	static const char settings[] = "listen_addresses = '127.0.0.1'\n"
				       "unix_socket_directories = '@PGDIR@'\n"
				       "max_connections = 300\n"
				       "superuser_reserved_connections = 5\n"
				       "shared_buffers = 64MB\n"
				       "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"
				       "wal_level = minimal\nmax_wal_senders = 0\nautovacuum = off\n"
				       "jit = off\nmax_parallel_workers_per_gather = 0\n"
				       "timezone = 'UTC'\nlog_timezone = 'UTC'\nlc_messages = 'C'\n";
	char *out;
	if (run(&out, "mkdir -p pg && initdb -D data -U postgres -A trust --no-sync -E UTF8 --locale=C.UTF-8") != 0) {
		fprintf(stderr, "harness: initdb: %s\n", out);
		return false;
	}
	char *conf = text("%s/data/postgresql.conf", top);
	write_text(conf, text("%s\n%s", file_text(conf), expand(settings)));
	hba_write(hba_open);
	bool ok = false;
	for (int i = 0; i < 5 && !ok; i++) { /* the port may have been taken since */
		pg_at = 0;
		ok = pg_try_start();
	}
	return ok && pg_query("create database test") &&
	       pg_query("create role alice login superuser password "
			"'alice-secret'") &&
	       pg_query("create role bob login password 'bob-secret'") &&
	       pg_query("create role carol login password 'carol-secret'") &&
	       pg_query("grant create on database test to public");
}

/* ------------------------------------------------------------------------------------------------ Sluice */

int sluice_port(void)
{
	return peer_at;
}

pid_t sluice_pid(void)
{
	return peer_pid;
}

const char *sluice_socket_dir(void)
{
	return text("%s/s", top);
}

static char *sluice_log(void)
{
	return file_text(text("%s/sluice.log", top));
}

bool sluice_logged(const char *part)
{
	return strstr(sluice_log(), part) != NULL;
}

/* Is this key given in these lines? */
static bool has_key(const char *lines, const char *key)
{
	size_t n = strlen(key);
	for (const char *at = lines; at && *at; at = strchr(at, '\n'), at += at != NULL) {
		at += strspn(at, " \t");
		if (strncmp(at, key, n) == 0 && strchr(" \t=", at[n]) && at[n])
			return true;
	}
	return false;
}

void sluice_configure(const struct conf *c)
{
	static const char *const users[] = { "postgres", "alice", "bob", "carol", "admin", "stats" };
	const char *set = c->settings ? c->settings : "";
	const struct {
		const char *key, *value;
	} defaults[] = {
		{ "listen_addr", "127.0.0.1" },
		{ "listen_port", text("%d", peer_at) },
		{ "unix_socket_dir", sluice_socket_dir() },
		{ "auth_type", "trust" },
		{ "auth_file", "@DIR@/userlist.txt" },
		{ "admin_users", "admin" },
		{ "stats_users", "stats" },
		{ "pool_mode", "transaction" },
	};
	last_conf = *c;
	char *ini = text("[databases]\n%s\n[pgbouncer]\n%s\n", c->databases ? c->databases : "test = @PG@", set);
	for (size_t i = 0; i < COUNT(defaults); i++)
		if (!has_key(set, defaults[i].key))
			ini = text("%s%s = %s\n", ini, defaults[i].key, defaults[i].value);
	if (c->users)
		ini = text("%s[users]\n%s\n", ini, c->users);
	write_text(text("%s/sluice.ini", top), expand(ini));

	char *list = text("%s", c->auth_file ? c->auth_file : "");
	for (size_t i = 0; i < COUNT(users) && !c->auth_file; i++)
		list = text("%s\"%s\" \"%s-secret\"\n", list, users[i], users[i]);
	write_text(text("%s/userlist.txt", top), list);
}

static bool port_answers(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool sluice_try_start(const struct conf *c)
{
	char *argv[16] = { text("%s/sluice", top), text("%s/sluice.ini", top), NULL };
	size_t n = 2;
	char *args = expand(c->args ? c->args : ""), *save = NULL;
	for (char *word = strtok_r(args, " ", &save); word && n < COUNT(argv) - 1; word = strtok_r(NULL, " ", &save))
		argv[n++] = word;
	argv[n] = NULL;
	peer_pid = spawn(text("%s/sluice.log", top), SIGKILL, c->as_root);
	if (peer_pid == 0) {
		/* Leaks are looked for at exit, with ptrace, which a process that changed its identity is denied. */
		setenv("ASAN_OPTIONS", text("exitcode=99:detect_leaks=%d", !c->as_root), 1);
		setenv("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1", 1);
		execv(argv[0], argv);
		_exit(127);
	}
	for (uint64_t until = now_ms() + PATIENCE_MS; now_ms() < until; poll_pause()) {
		if (waitpid(peer_pid, NULL, WNOHANG) == peer_pid) {
			peer_pid = -1;
			return false;
		}
		if (port_answers(peer_at))
			return true;
	}
	return false;
}

void sluice_start(const struct conf *c)
{
	require("Sluice is not running yet", peer_pid < 0);
	bool ok = false;
	for (int i = 0; i < 3 && !ok; i++) { /* the port may have been taken since */
		peer_at = free_port();
		sluice_configure(c);
		ok = sluice_try_start(c);
	}
	require("Sluice starts", ok);
}

void sluice_with(const char *settings)
{
	sluice_start(&(struct conf){ .settings = settings });
}

void sluice_signal(int sig)
{
	require("Sluice runs", peer_pid > 0 && kill(peer_pid, sig) == 0);
}

/* Sees to it that the end of the process, if it has come, was a decent one. */
static int sluice_ended(int status)
{
	static const char *const bad[] = { "AddressSanitizer", "LeakSanitizer", "runtime error:", "UndefinedBehavior" };
	if (status >= 0)
		peer_pid = -1;
	char *log = sluice_log();
	for (size_t i = 0; i < COUNT(bad); i++)
		check(text("no \"%s\" in Sluice's log", bad[i]), !strstr(log, bad[i]));
	return status;
}

bool sluice_is_running(void)
{
	int status;
	if (peer_pid > 0 && waitpid(peer_pid, &status, WNOHANG) == peer_pid)
		sluice_ended(0);
	return peer_pid > 0;
}

int sluice_wait_exit(void)
{
	return peer_pid < 0 ? -1 : sluice_ended(reap(peer_pid, PATIENCE_MS));
}

void sluice_stop(void)
{
	clients_close(); /* it waits for them */
	if (peer_pid < 0)
		return;
	kill(peer_pid, SIGTERM);
	int status = sluice_wait_exit();
	check_eq("Sluice's exit status after SIGTERM", status, 0);
	if (status < 0) {
		kill_and_reap(peer_pid);
		peer_pid = -1;
	}
}

/* SLUICE_BIN, copied to where the unprivileged user may run it. */
static bool sluice_find(void)
{
	const char *from = getenv("SLUICE_BIN");
	char *out;
	if (!from)
		from = "src/sluice";
	char *to = text("%s/sluice", top), *command = text("cp '%s' '%s' && chmod 755 '%s'", from, to, to);
	if (system(command) != 0)
		return false;
	if (run(&out, "./sluice --version") != 0) {
		fprintf(stderr, "harness: %s: %s\n", from, out);
		return false;
	}
	int major, minor;
	if (sscanf(out, "PgBouncer %d.%d", &major, &minor) == 2)
		version_of_peer = major * 100 + minor;
	return true;
}

/* ------------------------------------------------------------------------------------------------ the tests' process
 */

static void on_alarm(int sig)
{
	(void)sig;
	_exit(4); /* the watchdog tells the rest */
}

static void before_each(void)
{
	in_teardown = false;
	skipped_because = NULL;
	failures_before = CU_get_number_of_failure_records();
	snprintf(tally->test, sizeof tally->test, "%s", CU_get_current_test()->pName);
	unlink(text("%s/sluice.log", top));
	alarm(TEST_SECONDS);
}

static void after_each(void)
{
	in_teardown = true;
	bool failed = CU_get_number_of_failure_records() > failures_before;
	while (nbackground)
		kill_and_reap(background[--nbackground]);
	sluice_stop();
	if (pg_pid < 0)
		require("PostgreSQL starts again", pg_try_start());
	if (hba_is_changed)
		pg_hba(hba_open);
	failed = CU_get_number_of_failure_records() > failures_before;
	tally->run++;
	tally->failed += failed;
	tally->skipped += !failed && skipped_because;
	if (!failed && skipped_because)
		printf("(skipped: %s) ", skipped_because);
	if (failed) {
		char *log = sluice_log();
		size_t len = strlen(log), shown = len < 6000 ? len : 6000;
		fprintf(stderr, "--- the end of Sluice's log\n%s---\n", log + len - shown);
	}
	tally->test[0] = 0;
	while (kept) {
		struct kept *k = kept;
		kept = k->next;
		free(k);
	}
}

static _Noreturn void run_tests(const char *suite, int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGALRM, on_alarm);
	signal(SIGPIPE, SIG_IGN);
	alarm(TEST_SECONDS);
	if (!sluice_find() || !pg_make())
		_exit(2);
	CU_pSuite s = NULL;
	if (CU_initialize_registry() == CUE_SUCCESS)
		s = CU_add_suite_with_setup_and_teardown(suite, NULL, NULL, before_each, after_each);
	for (const struct unit_test *t = all_tests; s && t->name; t++)
		if (unit_is_wanted(t->name, argc, argv) && !CU_add_test(s, t->name, t->run))
			s = NULL;
	if (!s)
		_exit(2);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	CU_cleanup_registry();
	if (pg_pid > 0) {
		kill(pg_pid, SIGQUIT);
		reap(pg_pid, PATIENCE_MS);
	}
	fflush(NULL);
	_exit(0);
}

/* ------------------------------------------------------------------------------------------------ the watchdog */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	remove(path);
	return 0;
}

/* Ends whatever is left below us: we are the reaper of orphans. */
static void end_descendants(void)
{
	for (uint64_t until = now_ms() + PATIENCE_MS; now_ms() < until; poll_pause()) {
		pid_t left[256];
		size_t n = children_of(getpid(), left, COUNT(left));
		for (size_t i = 0; i < n; i++)
			kill(left[i], SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (n == 0)
			return;
	}
}

static void watch(pid_t pid, const sigset_t *signals)
{
	uint64_t until = now_ms() + PROGRAM_SECONDS * 1000;
	bool ended = false;
	int status = 0;
	while (!ended && now_ms() < until) {
		struct timespec second = { 1, 0 };
		int sig = sigtimedwait(signals, NULL, &second);
		if (sig > 0 && sig != SIGCHLD)
			break;
		int other;
		pid_t who;
		while (!ended && (who = waitpid(-1, &other, WNOHANG)) > 0)
			if ((ended = who == pid))
				status = other;
	}
	if (!ended) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	end_descendants();
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	unsigned lost = tally->total - tally->run;
	fprintf(stderr, "harness: %s %s; with it %u test(s) are lost\n", tally->test[0] ? tally->test : "the program",
		!ended                                          ? "was interrupted"
		: WIFEXITED(status) && WEXITSTATUS(status) == 4 ? "did not end in time"
								: "crashed",
		lost);
	tally->failed += lost;
	tally->run += lost;
	char line[512], path[80];
	snprintf(path, sizeof path, "%s/sluice.log", top);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		fputs(line, stderr);
	if (f)
		fclose(f);
}

static bool identity(void)
{
	struct passwd *pw = getuid() == 0 ? getpwnam("postgres") : getpwuid(getuid());
	if (!pw)
		pw = getpwnam("nobody");
	if (!pw)
		return false;
	as_uid = pw->pw_uid;
	as_gid = pw->pw_gid;
	snprintf(as_name, sizeof as_name, "%s", pw->pw_name);
	return true;
}

static void more_descriptors(void)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

int harness_main(int argc, char **argv, const char *suite, const struct unit_test *tests)
{
	unsigned total = 0;
	for (const struct unit_test *t = tests; t->name; t++)
		total += unit_is_wanted(t->name, argc, argv);
	if (!pg_find()) {
		fprintf(stderr, "harness: no PostgreSQL server here (Debian: postgresql)\n");
		printf("0 passed, 0 failed, %u skipped\n", total);
		return EXIT_SKIP;
	}
	more_descriptors();
	tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(top, sizeof top, "/tmp/sluice-XXXXXX"); /* not TMPDIR: a unix socket's path has to be short */
	if (tally == MAP_FAILED || !identity() || !mkdtemp(top)) {
		perror("harness");
		return 2;
	}
	tally->total = total;
	all_tests = tests;
	char sockets[80];
	snprintf(sockets, sizeof sockets, "%s/s", top);
	if (chmod(top, 0755) || mkdir(sockets, 0755) || chown(top, as_uid, as_gid) || chown(sockets, as_uid, as_gid))
		perror("harness");

	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid_t watchdog = getpid(), pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_UNBLOCK, &signals, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == watchdog)
			run_tests(suite, argc, argv);
		_exit(2);
	}
	watch(pid, &signals);
	if (!getenv("SLUICE_KEEP"))
		nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	printf("%u passed, %u failed, %u skipped\n", tally->run - tally->failed - tally->skipped, tally->failed,
	       tally->skipped);
	return tally->failed || tally->run == 0;
}
