/* process.c - small things, and programs: each dies with the tests, and runs as somebody who is not root. */
#include "faultproxy.h"
#include "harness_int.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct harness harness;

struct kept {
	struct kept *next;
	char text[];
};
static struct kept *kept;

static pid_t background[16];
static size_t nbackground;

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

/* splitmix64 */
uint64_t chance(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
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
	CU_assertImplementation(ok, (unsigned)line, what, file, "", !harness.in_teardown);
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

void forget_texts(void)
{
	while (kept) {
		struct kept *k = kept;
		kept = k->next;
		free(k);
	}
}

char *text(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *k = vtext(fmt, ap);
	va_end(ap);
	return k;
}

const char *dir(void)
{
	return harness.top;
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
	ok = ok && chown(fresh, harness.uid, harness.gid) == 0 && rename(fresh, path) == 0;
	require(text("writing %s", path), ok);
}

/* Where the kernel's own choice of ports begins. */
static int first_of_the_kernel(void)
{
	int first = 0;
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
	if (f && fscanf(f, "%d", &first) != 1)
		first = 0;
	if (f)
		fclose(f);
	return first;
}

/* Not one that the kernel may give to any connection meanwhile: whoever is started there, or started again, would find
 * it taken; and where nobody listens, a connection to it could get it for its own end, and so come to itself. */
int free_port(void)
{
	enum { LOWEST = 10240, TRIES = 200 };
	static uint64_t luck;
	int below = first_of_the_kernel();
	if (!luck)
		luck = (uint64_t)getpid() << 32 ^ now_ms();
	for (int i = 0; i < TRIES; i++) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		socklen_t len = sizeof a;
		if (below > LOWEST + TRIES)
			a.sin_port = htons((uint16_t)(LOWEST + (int)(chance(&luck) % (uint64_t)(below - LOWEST))));
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 &&
			  getsockname(fd, (struct sockaddr *)&a, &len) == 0;
		if (fd >= 0)
			close(fd);
		if (ok)
			return ntohs(a.sin_port);
	}
	perror("harness: free port");
	exit(2);
}

static char *my_value(const char *name)
{
	return text("%s", harness.backend->value_of ? harness.backend->value_of(name) : "");
}

char *expand(const char *in)
{
	const struct {
		const char *name;
		char *value;
	} vars[] = {
		{ "@PG@", text("host=127.0.0.1 port=%d", pg_port()) },
		{ "@PGPORT@", text("%d", pg_port()) },
		{ "@PGDIR@", text("%s", pg_socket_dir()) },
		{ "@DIR@", text("%s", harness.top) },
		{ "@STUBDIR@", text("%s", stub_socket_dir()) },
		{ "@STUBPORT@", text("%d", stub_port()) },
		{ "@STUB@", text("host=127.0.0.1 port=%d", stub_port()) },
		{ "@PROXYPORT@", text("%d", fault_port()) },
		{ "@PROXY@", text("host=127.0.0.1 port=%d", fault_port()) },
		{ "@USER@", text("%s", harness.user) },
		{ "@MY@", my_value("MY") },
		{ "@MYPORT@", my_value("MYPORT") },
		{ "@MYSOCKET@", my_value("MYSOCKET") },
	};
	char *out = text("%s", in);
	for (size_t i = 0; i < COUNT(vars); i++)
		for (char *at; (at = strstr(out, vars[i].name));)
			out = text("%.*s%s%s", (int)(at - out), out, vars[i].value, at + strlen(vars[i].name));
	return out;
}

static void drop_privileges(void)
{
	if (getuid() == 0 && harness.uid != 0)
		if (setgroups(0, NULL) || setresgid(harness.gid, harness.gid, harness.gid) ||
		    setresuid(harness.uid, harness.uid, harness.uid))
			_exit(126);
}

pid_t spawn(const char *output, int death_signal, bool is_root)
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

int reap(pid_t pid, uint64_t ms)
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

void kill_and_reap(pid_t pid)
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
	if (sluice_port())
		setenv("PGPORT", text("%d", sluice_port()), 1);
	setenv("PGUSER", "alice", 1);
	setenv("PGDATABASE", "test", 1);
	if (harness.backend->is_mysql) {
		/* For the command lines of MariaDB and MySQL alike; where, and as whom. */
		setenv("MY", text("--no-defaults -h127.0.0.1 -P%d -ualice -palice-secret", sluice_my_port()), 1);
		setenv("STRAIGHT", text("--no-defaults -h127.0.0.1 -P%s -ualice -palice-secret", my_value("MYPORT")),
		       1);
	}
	const char *clients = getenv(harness.backend->is_mysql ? "TEST_MY_BINDIR" : "TEST_CLIENT_BINDIR");
	clients = clients && *clients ? clients : harness.pg_bin;
	setenv("PATH",
	       text("%s%s%s%s%s", clients, *clients ? ":" : "", harness.pg_bin, *harness.pg_bin ? ":" : "",
		    getenv("PATH")),
	       1);
	setenv("HOME", harness.top, 1);
	if (chdir(harness.top) == 0)
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

int run(char **out, const char *fmt, ...)
{
	static unsigned n;
	va_list ap;
	va_start(ap, fmt);
	char *command = vtext(fmt, ap), *output = text("%s/out.%u", harness.top, n++);
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
	pid_t pid = shell(text("%s/%s", harness.top, name), command);
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

size_t children_of(pid_t pid, pid_t *out, size_t max)
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

void background_end(void)
{
	while (nbackground)
		kill_and_reap(background[--nbackground]);
}
