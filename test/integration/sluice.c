/* sluice.c - the program under test: started with the test's configuration, and looked after until its end. */
#include "harness_int.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t peer_pid = -1;
static int peer_at;    /* its port */
static int peer_my_at; /* of its mysql door; 0: it has none */
static int version_of_peer;

int peer_version(void)
{
	return version_of_peer;
}

int sluice_port(void)
{
	return peer_at;
}

pid_t sluice_pid(void)
{
	return peer_pid;
}

int sluice_my_port(void)
{
	return peer_my_at;
}

const char *sluice_my_socket(void)
{
	return text("%s/s/mysql.sock", harness.top);
}

const char *sluice_socket_dir(void)
{
	return text("%s/s", harness.top);
}

char *sluice_log(void)
{
	return file_text(text("%s/sluice.log", harness.top));
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
	static const char *const users[] = { "postgres", "alice",   "bob",  "carol", "admin",
					     "stats",    "ed25519", "sha2", "tls" };
	const char *set = c->settings ? c->settings : "";
	enum { PG = 1, MY = 2, BOTH = 3 } is = harness.backend->is_mysql ? MY : PG;
	const struct {
		const char *key, *value;
		unsigned of;
	} defaults[] = {
		{ "listen_addr", "127.0.0.1", BOTH },
		{ "listen_port", text("%d", peer_at), BOTH },
		{ "unix_socket_dir", sluice_socket_dir(), BOTH },
		{ "auth_type", "trust", PG },
		{ "auth_file", "@DIR@/userlist.txt", BOTH },
		{ "admin_users", "admin", BOTH },
		{ "stats_users", "stats", BOTH },
		{ "pool_mode", "transaction", BOTH },
		{ "mysql_listen_addr", "127.0.0.1", MY },
		{ "mysql_listen_port", text("%d", peer_my_at), MY },
		{ "mysql_unix_socket", sluice_my_socket(), MY },
	};
	const char *databases = is == MY ? "test = kind=mysql @MY@" : "test = @PG@";
	char *ini = text("[databases]\n%s\n[pgbouncer]\n%s\n", c->databases ? c->databases : databases, set);
	for (size_t i = 0; i < COUNT(defaults); i++)
		if ((defaults[i].of & is) && !has_key(set, defaults[i].key))
			ini = text("%s%s = %s\n", ini, defaults[i].key, defaults[i].value);
	if (c->users)
		ini = text("%s[users]\n%s\n", ini, c->users);
	write_text(text("%s/sluice.ini", harness.top), expand(ini));

	char *list = text("%s", c->auth_file ? c->auth_file : "");
	for (size_t i = 0; i < COUNT(users) && !c->auth_file; i++)
		list = text("%s\"%s\" \"%s-secret\"\n", list, users[i], users[i]);
	write_text(text("%s/userlist.txt", harness.top), list);
}

static bool answers(const struct sockaddr *a, socklen_t len)
{
	int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && connect(fd, a, len) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool port_answers(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	return answers((struct sockaddr *)&a, sizeof a);
}

static bool socket_answers(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	return answers((struct sockaddr *)&a, sizeof a);
}

static bool sluice_try_start(const struct conf *c)
{
	char *argv[16] = { text("%s/sluice", harness.top), text("%s/sluice.ini", harness.top), NULL };
	size_t n = 2;
	char *args = expand(c->args ? c->args : ""), *save = NULL;
	for (char *word = strtok_r(args, " ", &save); word && n < COUNT(argv) - 1; word = strtok_r(NULL, " ", &save))
		argv[n++] = word;
	argv[n] = NULL;
	peer_pid = spawn(text("%s/sluice.log", harness.top), SIGKILL, c->as_root);
	if (peer_pid == 0) {
		/* Leaks are looked for at exit, with ptrace, which a process that changed its identity is denied. */
		setenv("ASAN_OPTIONS", text("exitcode=99:detect_leaks=%d", !c->as_root), 1);
		setenv("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1", 1);
		execv(argv[0], argv);
		_exit(127);
	}
	bool has_socket = !has_key(c->settings ? c->settings : "", "unix_socket_dir");
	for (uint64_t until = now_ms() + PATIENCE_MS; now_ms() < until; poll_pause()) {
		if (waitpid(peer_pid, NULL, WNOHANG) == peer_pid) {
			peer_pid = -1;
			return false;
		}
		if (port_answers(peer_at) &&
		    (!has_socket || socket_answers(text("%s/.s.PGSQL.%d", sluice_socket_dir(), peer_at))) &&
		    (!peer_my_at || (port_answers(peer_my_at) && socket_answers(sluice_my_socket()))))
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
		peer_my_at = harness.backend->is_mysql ? free_port() : 0;
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
	if (harness.backend->clients_close)
		harness.backend->clients_close();
	if (peer_pid < 0)
		return;
	kill(peer_pid, SIGTERM);
	int status = sluice_wait_exit();
	check_eq("Sluice's exit status after SIGTERM", status, 0);
	if (status < 0) {
		kill_and_reap(peer_pid);
		peer_pid = -1;
	}
	harness.backend->settle();
}

bool sluice_find(void)
{
	const char *from = getenv("SLUICE_BIN");
	char *out;
	if (!from)
		from = "src/sluice";
	char *to = text("%s/sluice", harness.top), *command = text("cp '%s' '%s' && chmod 755 '%s'", from, to, to);
	if (system(command) != 0)
		return false;
	/* Its helper is looked for beside it; PgBouncer has none. */
	(void)!system(text("cp \"$(dirname '%s')/sluice-auth\" '%s' 2>/dev/null", from, harness.top));
	if (run(&out, "./sluice --version") != 0) {
		fprintf(stderr, "harness: %s: %s\n", from, out);
		return false;
	}
	int major, minor;
	if (sscanf(out, "PgBouncer %d.%d", &major, &minor) == 2)
		version_of_peer = major * 100 + minor;
	return true;
}
