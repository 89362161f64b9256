/* test_listen.c - listening sockets: what is opened, what a connection costs, and what happens when there is no room.
 */
#include "unit.h"

#include "clock.h"
#include "nomem.h"

#include "core/deadline.h"
#include "core/log.h"
#include "core/loop.h"
#include "net/listen.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- accept4 counts, and fails when told; it takes the place of the C library's */

static unsigned accepts, accepts_in_vain;
static int next_errno;
static unsigned next_errno_times;

int accept4(int fd, struct sockaddr *restrict sa, socklen_t *restrict len, int flags)
{
	accepts++;
	if (next_errno_times) {
		next_errno_times--;
		errno = next_errno;
		return -1;
	}
	int got = (int)syscall(SYS_accept4, fd, sa, len, flags);
	accepts_in_vain += got < 0 && errno == EAGAIN;
	return got;
}

/* ---- a loop and a directory, and whoever came */

static char dir[64];
static struct list all;
static size_t fds_before;
static enum log_level level_before;
static const struct listen_opts plain = { .backlog = 512, .unix_mode = 0777, .unix_group = "" };

#define CAME_MAX 512
static struct {
	int fd;
	struct addr addr;
	bool has_data;
} came[CAME_MAX];
static size_t ncame;
static void (*on_came_then)(void);

static void on_came(void *arg, int fd, const struct addr *a, bool has_data)
{
	if (arg != &all || ncame == CAME_MAX)
		abort();
	came[ncame].fd = fd;
	came[ncame].addr = *a;
	came[ncame++].has_data = has_data;
	if (on_came_then)
		on_came_then();
}

static void forget_came(void)
{
	while (ncame)
		close(came[--ncame].fd);
}

static size_t fds_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static void begin(void)
{
	struct fault f;
	strcpy(dir, "/tmp/sluice-listen-XXXXXX");
	level_before = log_level;
	log_level = LOG_LV_WARN;
	fds_before = fds_open();
	if (!mkdtemp(dir) || !loop_init(&f))
		abort();
	deadlines_init();
	list_init(&all);
	accepts = accepts_in_vain = next_errno_times = 0;
	on_came_then = NULL;
}

static void end(void)
{
	listen_close(&all);
	forget_came();
	check_eq("no deadline stays armed", deadlines_armed(), 0);
	deadlines_free();
	loop_free();
	log_level = level_before;
	check("the directory is empty", rmdir(dir) == 0);
	check_eq("all descriptors are closed", fds_open(), fds_before);
}

static bool open_with(const char *addrs, const char *unix_dir, const struct listen_opts *o, struct fault *f)
{
	*f = (struct fault){ .kind = FAULT_NONE };
	bool ok = listen_open(&all, addrs, unix_dir, listen_port(&all), o, on_came, &all, f);
	check("a fault when it fails, and only then", ok == (f->kind == FAULT_NONE));
	return ok;
}

static void opened(const char *addrs, const char *unix_dir, const struct listen_opts *o)
{
	struct fault f;
	if (!check(addrs, open_with(addrs, unix_dir, o, &f)))
		fprintf(stderr, "  %s\n", f.text);
}

/* A client on the loopback; its end is connected when this returns. */
static int call(const char *to, uint16_t port)
{
	struct addr a;
	struct sockaddr_storage ss;
	if (!addr_parse(&a, to, port))
		abort();
	socklen_t len = addr_to_sockaddr(&a, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&ss, len) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static int unix_call(const char *path, int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	memcpy(un.sun_path, path, len + 1);
	if (path[0] == '@')
		un.sun_path[0] = 0;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	socklen_t room = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] != '@'));
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, room) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* Turns until so many came, or until none of many turns brought one. */
static bool await(size_t n)
{
	for (int idle = 0; ncame < n && idle < 1000; idle++) {
		size_t before = ncame;
		loop_turn(false);
		if (ncame > before)
			idle = 0;
	}
	return ncame >= n;
}

static void turns(int n)
{
	while (n--)
		loop_turn(false);
}

static const char *sock_path(void)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/.s.PGSQL.%u", dir, (unsigned)listen_port(&all));
	return path;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof value;
	getsockopt(fd, level, name, &value, &len);
	return value;
}

/* ---- the tests */

static void test_inherited(void)
{
	struct listen_opts o = plain;
	o.keepalive = true;
	o.keepcnt = 3;
	o.keepidle_s = 44;
	o.keepintvl_s = 5;
	o.user_timeout_ms = 66000;
	begin();
	opened("127.0.0.1", "", &o);
	check_eq("one listener", listen_count(&all), 1);
	check("the kernel chose a port", listen_port(&all));
	int c = call("127.0.0.1", listen_port(&all));
	check("connects", c >= 0 && await(1));
	int fd = came[0].fd;
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct addr want;
	getsockname(c, (struct sockaddr *)&ss, &len);
	addr_from_sockaddr(&want, (struct sockaddr *)&ss, len);
	check("the peer's address", addr_same(&came[0].addr, &want));
	check("no data said to be there", !came[0].has_data);
	check("non-blocking", fcntl(fd, F_GETFL) & O_NONBLOCK);
	check("close-on-exec", fcntl(fd, F_GETFD) & FD_CLOEXEC);
	check_eq("TCP_NODELAY", option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	check_eq("SO_KEEPALIVE", option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	check_eq("TCP_KEEPCNT", option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
	check_eq("TCP_KEEPIDLE", option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 44);
	check_eq("TCP_KEEPINTVL", option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 5);
	check_eq("TCP_USER_TIMEOUT", option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 66000);
	uid_t uid;
	gid_t gid;
	pid_t pid;
	check("TCP tells nobody's identity", !peer_identity(fd, &uid, &gid, &pid));
	close(c);
	forget_came();

	listen_close(&all);
	o.keepalive = false;
	opened("127.0.0.1", "", &o);
	c = call("127.0.0.1", listen_port(&all));
	check("connects", c >= 0 && await(1));
	check_eq("no SO_KEEPALIVE", option(came[0].fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	close(c);
	end();
}

static void test_lone_connections(void)
{
	begin();
	opened("127.0.0.1", "", &plain);
	for (unsigned i = 1; i <= 8; i++) {
		int c = call("127.0.0.1", listen_port(&all));
		check("came", c >= 0 && await(i));
		close(c);
		turns(3);
		check_eq("one accept4 each", accepts, i);
	}
	check_eq("none in vain", accepts_in_vain, 0);
	end();
}

static void test_burst(void)
{
	enum { MANY = 300 };
	static int clients[MANY];
	begin();
	opened("127.0.0.1", "", &plain);
	for (unsigned i = 0; i < MANY; i++)
		clients[i] = call("127.0.0.1", listen_port(&all));
	size_t most = 0, took = 0;
	for (; ncame < MANY && took < 50; took++) {
		size_t before = ncame;
		loop_turn(false);
		most = ncame - before > most ? ncame - before : most;
	}
	check_eq("all came", ncame, MANY);
	check_eq("64 a turn at most", most, 64);
	check_eq("in 1 + 2 + 4 + 8 + 16 + 32 + 64 + 64 + 64 + 45", took, 10);
	check_eq("one in vain", accepts_in_vain, 1);
	check_eq("and no more", accepts, MANY + 1);
	for (unsigned i = 0; i < MANY; i++)
		close(clients[i]);
	/* quiet again: soon one accept4 for each */
	turns(3);
	forget_came();
	for (unsigned i = 1; i <= 8; i++) {
		int c = call("127.0.0.1", listen_port(&all));
		check("came", c >= 0 && await(i));
		close(c);
		turns(3);
	}
	check_eq("one more in vain", accepts_in_vain, 2);
	check_eq("and no more", accepts, MANY + 1 + 8 + 1);
	end();
}

static void test_deferred(void)
{
	struct listen_opts o = plain;
	o.defer_accept = true;
	begin();
	opened("127.0.0.1", "", &o);
	int c = call("127.0.0.1", listen_port(&all));
	turns(50);
	check_eq("nobody yet", ncame, 0);
	check_eq("at no cost", accepts, 0);
	check_eq("a first byte", write(c, "x", 1), 1);
	check("came", await(1) && came[0].has_data);
	char b;
	check_eq("with its byte", read(came[0].fd, &b, 1), 1);
	close(c);
	end();
}

static void test_addresses(void)
{
	int has_six = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (has_six >= 0) {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
		int rc = bind(has_six, (struct sockaddr *)&in6, sizeof in6);
		close(has_six);
		has_six = rc == 0;
	} else {
		has_six = 0;
	}
	const struct {
		const char *addrs;
		size_t n; /* 0: refused */
		const char *says;
	} cases[] = {
		{ "127.0.0.1", 1, NULL },
		{ "127.0.0.1,127.0.0.2", 2, NULL },
		{ " 127.0.0.1 ,\t127.0.0.2\n", 2, NULL },
		{ ",127.0.0.1,,", 1, NULL },
		{ "127.0.0.1,127.0.0.1", 1, NULL },
		{ "*", has_six ? 2 : 1, NULL },
		{ "0.0.0.0", 1, NULL },
		{ "127.0.0.1,::1", has_six ? 2 : 0, "::1" },
		{ "203.0.113.7", 0, "203.0.113.7" },
		{ "127.0.0.1,203.0.113.7", 0, "203.0.113.7" },
		{ "a..b", 0, "\"a..b\"" },
		{ "127.0.0.1,a..b", 0, "\"a..b\"" },
	};
	begin();
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fault f;
		bool ok = open_with(cases[i].addrs, "", &plain, &f);
		check_eq(cases[i].addrs, ok, cases[i].n > 0);
		check_eq(cases[i].addrs, listen_count(&all), cases[i].n);
		if (!ok)
			check(f.text, f.kind == FAULT_IO && strstr(f.text, cases[i].says));
		if (ok && strcmp(cases[i].addrs, "*") == 0) {
			int c = call("127.0.0.1", listen_port(&all));
			check("* is IPv4", c >= 0 && await(1) && came[0].addr.family == ADDR_IPV4);
			close(c);
			c = has_six ? call("::1", listen_port(&all)) : -1;
			check("and IPv6, on the same port",
			      !has_six || (c >= 0 && await(2) && came[1].addr.family == ADDR_IPV6));
			if (c >= 0)
				close(c);
			forget_came();
		}
		listen_close(&all);
		check_eq("closed", listen_count(&all), 0);
	}
	/* A name, which may have both kinds of address, of which this host may lack one. */
	opened("localhost,127.0.0.1", "", &plain);
	int c = call("127.0.0.1", listen_port(&all));
	check("a name", c >= 0 && await(1));
	close(c);
	listen_close(&all);
	opened("", "", &plain);
	check_eq("nothing is nothing", listen_count(&all), 0);
	char *long_name = malloc(3000);
	memset(long_name, 'x', 2999);
	long_name[2999] = 0;
	struct fault f;
	check("too long a name", !open_with(long_name, "", &plain, &f) && strstr(f.text, "xxxx"));
	free(long_name);
	end();
}

static void test_in_use(void)
{
	struct listen_opts o = plain;
	struct fault f;
	begin();
	opened("127.0.0.1", "", &plain);
	uint16_t port = listen_port(&all);
	struct list others;
	list_init(&others);
	check("in use", !listen_open(&others, "127.0.0.2,127.0.0.1", dir, port, &plain, on_came, &all, &f));
	char want[64];
	snprintf(want, sizeof want, "127.0.0.1:%u: %s", port, strerror(EADDRINUSE));
	check(f.text, strstr(f.text, want));
	check_eq("none left", listen_count(&others), 0);
	check_eq("what was opened is closed again", call("127.0.0.2", port), -1);
	check("half of * is not *", !listen_open(&others, "*", "", port, &plain, on_came, &all, &f));
	check_eq("none left", listen_count(&others), 0);
	listen_close(&all);

	o.reuseport = true;
	opened("127.0.0.1", "", &o);
	check("shared", listen_open(&others, "127.0.0.1", "", listen_port(&all), &o, on_came, &all, &f));
	check_eq("two listen", listen_count(&all) + listen_count(&others), 2);
	listen_close(&others);
	listen_close(&all);

	o = plain;
	o.keepalive = true;
	o.keepcnt = 1000; /* 127 is the kernel's most */
	check("an option that the kernel refuses", !open_with("127.0.0.1", "", &o, &f));
	check(f.text, strstr(f.text, "TCP_KEEPCNT") && strstr(f.text, "127.0.0.1"));
	end();
}

static void test_unix(void)
{
	begin();
	mode_t mask = umask(077); /* has no say */
	static const unsigned modes[] = { 0777, 0770, 0700 };
	for (size_t i = 0; i < COUNT(modes); i++) {
		struct listen_opts o = plain;
		struct stat st;
		o.unix_mode = modes[i];
		opened("127.0.0.1", dir, &o);
		check_eq("TCP and unix", listen_count(&all), 2);
		check("a socket", lstat(sock_path(), &st) == 0 && S_ISSOCK(st.st_mode));
		check_eq("permissions", st.st_mode & 07777, modes[i]);
		int c = unix_call(sock_path(), SOCK_STREAM);
		check("connects", c >= 0 && await(1));
		check_eq("unix", came[0].addr.family, ADDR_UNIX);
		check_eq("its port", came[0].addr.port, listen_port(&all));
		check("non-blocking", fcntl(came[0].fd, F_GETFL) & O_NONBLOCK);
		check("close-on-exec", fcntl(came[0].fd, F_GETFD) & FD_CLOEXEC);
		uid_t uid;
		gid_t gid;
		pid_t pid;
		check("who it is", peer_identity(came[0].fd, &uid, &gid, &pid));
		check("us", uid == geteuid() && gid == getegid() && pid == getpid());
		close(c);
		forget_came();
		char path[128];
		strcpy(path, sock_path());
		listen_close(&all);
		check("removed", lstat(path, &st) < 0 && errno == ENOENT);
	}
	check_eq("the umask is as it was", umask(mask), 077);
	uid_t uid;
	gid_t gid;
	pid_t pid;
	check("no socket, no identity", !peer_identity(-1, &uid, &gid, &pid));
	end();
}

static void test_unix_owner(void)
{
	struct listen_opts o = plain;
	struct stat st;
	struct fault f;
	begin();
	o.unix_owner = geteuid() == 0 ? 12345 : geteuid();
	opened("", dir, &o);
	check("the owner", lstat(sock_path(), &st) == 0 && st.st_uid == o.unix_owner);
	check_eq("permissions", st.st_mode & 07777, 0777);
	listen_close(&all);
	if (geteuid() != 0) {
		o.unix_owner = geteuid() + 1;
		check("another one", !open_with("", dir, &o, &f) && strstr(f.text, "giving unix:"));
	}
	end();
}

static void test_close_tcp(void)
{
	begin();
	opened("127.0.0.1", dir, &plain);
	uint16_t port = listen_port(&all);
	listen_close_tcp(&all);
	check_eq("the unix socket stays", listen_count(&all), 1);
	int c = unix_call(sock_path(), SOCK_STREAM);
	check("connects", c >= 0 && await(1));
	close(c);
	forget_came();
	struct fault f;
	struct list again;
	list_init(&again);
	check("the port is free", listen_open(&again, "127.0.0.1", "", port, &plain, on_came, &again, &f));
	listen_close(&again);
	listen_close(&all);
	end();
}

/* Puts a bound socket at path, of a process that lives while the fd is open. */
static int put_socket(const char *path, int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	strcpy(un.sun_path, path);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof un) < 0)
		abort();
	return fd;
}

static void test_unix_taken(void)
{
	char path[128], target[128];
	struct fault f;
	struct stat st;
	begin();
	strcpy(path, sock_path()); /* port 0 */

	close(put_socket(path, SOCK_STREAM));
	opened("", dir, &plain);
	int c = unix_call(path, SOCK_STREAM);
	check("a stale one is replaced", c >= 0 && await(1));
	close(c);
	forget_came();
	struct list others;
	list_init(&others);
	check("ours lives", !listen_open(&others, "", dir, 0, &plain, on_came, &all, &f));
	check(f.text, strstr(f.text, path) && strstr(f.text, "listens"));
	c = unix_call(path, SOCK_STREAM);
	check("and goes on living", c >= 0 && await(1));
	close(c);
	/* somebody removed it and put another there: that one stays */
	unlink(path);
	close(put_socket(path, SOCK_STREAM));
	listen_close(&all);
	check("another's is not removed", lstat(path, &st) == 0);
	unlink(path);

	int fd = put_socket(path, SOCK_STREAM);
	listen(fd, 0);
	int first = unix_call(path, SOCK_STREAM); /* fills its queue */
	check("one with a full queue lives", !open_with("", dir, &plain, &f) && strstr(f.text, "another process"));
	close(first);
	close(fd);
	unlink(path);

	fd = put_socket(path, SOCK_DGRAM);
	check("one of datagrams", !open_with("", dir, &plain, &f) && strstr(f.text, "another process"));
	check("is not ours to remove", lstat(path, &st) == 0);
	close(fd);
	unlink(path);

	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	check("a file", !open_with("", dir, &plain, &f) && strstr(f.text, "no socket"));
	check("is not removed", unlink(path) == 0);

	snprintf(target, sizeof target, "%s/target", dir);
	close(put_socket(target, SOCK_STREAM));
	check("a link to a stale socket", symlink(target, path) == 0);
	check("is not followed", !open_with("", dir, &plain, &f) && strstr(f.text, "no socket"));
	check("nor removed", unlink(path) == 0 && unlink(target) == 0);
	end();
}

static void test_unix_refused(void)
{
	char deep[200];
	memset(deep, 'd', sizeof deep - 1);
	deep[0] = '/';
	deep[sizeof deep - 1] = 0;
	const struct {
		const char *what, *unix_dir, *group, *says;
	} cases[] = {
		{ "no such directory", "/no/such/directory", "", "/no/such/directory/.s.PGSQL." },
		{ "too long", deep, "", "too long" },
		{ "no such group", dir, "no-such-group", "\"no-such-group\"" },
	};
	begin();
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct listen_opts o = plain;
		struct fault f;
		o.unix_group = cases[i].group;
		check(cases[i].what, !open_with("127.0.0.1", cases[i].unix_dir, &o, &f));
		check(f.text, f.kind == FAULT_IO && strstr(f.text, cases[i].says));
		check_eq("none left", listen_count(&all), 0);
	}
	if (geteuid() == 0) {
		struct listen_opts o = plain;
		struct stat st;
		o.unix_group = "54321";
		opened("", dir, &o);
		check("given to the group", lstat(sock_path(), &st) == 0 && st.st_gid == 54321);
		check_eq("and open to it", st.st_mode & 0777, 0777);
	}
	end();
}

static void test_abstract(void)
{
	char name[64], path[128];
	struct fault f;
	begin();
	snprintf(name, sizeof name, "@sluice-test-%ld", (long)getpid());
	snprintf(path, sizeof path, "%s/.s.PGSQL.0", name);
	opened("", name, &plain);
	int c = unix_call(path, SOCK_STREAM);
	check("connects", c >= 0 && await(1));
	close(c);
	struct list others;
	list_init(&others);
	check("taken", !listen_open(&others, "", name, 0, &plain, on_came, &all, &f));
	check(f.text, strstr(f.text, path));
	listen_close(&all);
	check_eq("gone", unix_call(path, SOCK_STREAM), -1);
	end();
}

static void test_pause(void)
{
	begin();
	opened("127.0.0.1", dir, &plain);
	listen_pause(&all);
	int c = call("127.0.0.1", listen_port(&all)), u = unix_call(sock_path(), SOCK_STREAM);
	turns(20);
	check_eq("nobody is let in", ncame, 0);
	listen_resume(&all);
	check("both are", await(2));
	close(c);
	close(u);
	end();
}

static void pause_all(void)
{
	listen_pause(&all);
}

static void close_all(void)
{
	listen_close(&all);
}

/* Has several wait at a listener whose batch has grown. */
static void test_callback_stops(void)
{
	static void (*const stops[])(void) = { pause_all, close_all };
	for (size_t i = 0; i < COUNT(stops); i++) {
		int clients[20];
		begin();
		opened("127.0.0.1", "", &plain);
		for (size_t k = 0; k < COUNT(clients); k++)
			clients[k] = call("127.0.0.1", listen_port(&all));
		check("some", await(3));
		size_t before = ncame;
		on_came_then = stops[i];
		turns(20);
		check_eq("one more, and then none", ncame, before + 1);
		on_came_then = NULL;
		listen_resume(&all);
		check_eq("what is paused goes on", await(COUNT(clients)), stops[i] == pause_all);
		for (size_t k = 0; k < COUNT(clients); k++)
			close(clients[k]);
		end();
	}
}

/* Lines of a file that hold these words. */
static unsigned lines_with(const char *path, const char *words)
{
	char line[1024];
	unsigned n = 0;
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		n += strstr(line, words) != NULL;
	if (f)
		fclose(f);
	return n;
}

static void test_no_descriptors(void)
{
	char path[128];
	struct fault f;
	begin();
	snprintf(path, sizeof path, "%s/log", dir);
	check("log", log_open(path, "", "", false, &f));
	log_level = LOG_LV_INFO;
	opened("127.0.0.1", "", &plain);
	int c = call("127.0.0.1", listen_port(&all));

	/* Every descriptor below the new limit is taken. */
	struct rlimit was, low;
	getrlimit(RLIMIT_NOFILE, &was);
	low = was;
	low.rlim_cur = 100;
	check("lower the limit", setrlimit(RLIMIT_NOFILE, &low) == 0);
	static int fill[100];
	size_t n = 0;
	while (n < COUNT(fill) && (fill[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;

	turns(100);
	check_eq("tried once", accepts, 1);
	for (int i = 0; i < 3; i++) {
		clock_skip(250);
		turns(100);
	}
	check_eq("and once more each time", accepts, 4);
	listen_pause(&all);
	clock_skip(250);
	turns(100);
	check_eq("not while paused", accepts, 4);
	listen_resume(&all);
	turns(100);
	check_eq("but then", accepts, 5);
	listen_pause(&all);
	listen_resume(&all);
	turns(100);
	check_eq("not before its time", accepts, 5);

	while (n)
		close(fill[--n]);
	setrlimit(RLIMIT_NOFILE, &was);
	turns(100);
	check_eq("nor then", ncame, 0);
	clock_skip(250);
	check("came at last", await(1));
	check_eq("one complaint", lines_with(path, strerror(EMFILE)), 1);
	check_eq("one relief", lines_with(path, "accepting connections"), 1);
	check_eq("what listens was said", lines_with(path, "listening on 127.0.0.1:"), 1);
	log_close();
	unlink(path);
	close(c);
	end();
}

/* Descriptors that come and go make lines by the second, not by the attempt; a dearth that lasts is told whenever it
 * began. */
static void test_flapping(void)
{
	enum { ROUNDS = 40 };
	char path[100];
	struct fault f;
	begin();
	snprintf(path, sizeof path, "%s/log", dir);
	check("log", log_open(path, "", "", false, &f));
	log_level = LOG_LV_INFO;
	opened("127.0.0.1", "", &plain);
	next_errno = EMFILE;
	for (size_t i = 0; i < ROUNDS; i++) {
		next_errno_times = 1;
		int c = call("127.0.0.1", listen_port(&all));
		turns(20);
		check_eq("not yet", ncame, i);
		clock_skip(250);
		check("a little later", await(i + 1));
		close(c);
	}
	size_t complaints = lines_with(path, strerror(EMFILE));
	check("complaints: one in a second", complaints > 0 && complaints <= ROUNDS * 250 / 1000 + 1);
	check_eq("each has its relief", lines_with(path, "accepting connections"), complaints);
	check("what was left out is counted", lines_with(path, "more like it left out") > 0);
	next_errno_times = 9;
	int c = call("127.0.0.1", listen_port(&all));
	for (int i = 0; i < 9; i++) {
		turns(20);
		clock_skip(250);
	}
	check_eq("one that lasts", lines_with(path, strerror(EMFILE)), complaints + 1);
	clock_skip(250);
	check("over", await(ROUNDS + 1));
	close(c);
	log_close();
	unlink(path);
	end();
}

static void test_accept_fails(void)
{
	static const struct {
		int err;
		bool stops;
	} cases[] = {
		{ ECONNABORTED, false }, { EINTR, false }, { EPROTO, false }, { ENETDOWN, false },
		{ EPERM, false },        { EMFILE, true }, { ENFILE, true },  { ENOMEM, true },
		{ ENOBUFS, true },       { EINVAL, true }, /* never to be seen, and even so nothing to spin on */
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = strerror(cases[i].err);
		struct fault f;
		begin();
		check("no log", log_open("/dev/null", "", "", false, &f));
		opened("127.0.0.1", "", &plain);
		int c = call("127.0.0.1", listen_port(&all));
		next_errno = cases[i].err;
		next_errno_times = 3;
		turns(20);
		check_eq(what, deadlines_armed(), cases[i].stops ? 1 : 0);
		check_eq(what, ncame, cases[i].stops ? 0 : 1);
		/* the failed ones fill batches of 1 and 2; in the next of 4 are the good one and one in vain */
		check_eq(what, accepts, cases[i].stops ? 1 : 5);
		for (int k = 0; k < 3; k++) {
			clock_skip(250);
			turns(20);
		}
		check_eq(what, ncame, 1);
		close(c);
		/* closed while it waits for better times; end() sees that it does not any more */
		c = call("127.0.0.1", listen_port(&all));
		next_errno_times = 1;
		turns(2);
		close(c);
		log_close();
		end();
	}
}

static void test_no_memory(void)
{
	unsigned failed = 0;
	bool hit = nomem_works();
	for (unsigned n = 1; hit; n++) {
		struct fault f;
		begin();
		nomem_at(n);
		bool ok = listen_open(&all, "127.0.0.1,127.0.0.2", dir, 0, &plain, on_came, &all, &f);
		hit = nomem_hit();
		nomem_at(0);
		check("only without memory", ok || hit); /* libev's own is tried twice */
		check("is said", ok || f.kind == FAULT_NOMEM);
		check_eq("all or none", listen_count(&all), ok ? 3 : 0);
		failed += !ok;
		end();
	}
	check_eq("one for each listener", failed, nomem_works() ? 3 : 0);
}

void suite_listen(void)
{
	static const struct unit_test tests[] = {
		{ "inherited", test_inherited },
		{ "lone connections", test_lone_connections },
		{ "burst", test_burst },
		{ "deferred", test_deferred },
		{ "addresses", test_addresses },
		{ "in use", test_in_use },
		{ "unix", test_unix },
		{ "unix_owner", test_unix_owner },
		{ "close_tcp", test_close_tcp },
		{ "unix: taken", test_unix_taken },
		{ "unix: refused", test_unix_refused },
		{ "abstract", test_abstract },
		{ "pause", test_pause },
		{ "callback stops", test_callback_stops },
		{ "no descriptors", test_no_descriptors },
		{ "descriptors come and go", test_flapping },
		{ "accept fails", test_accept_fails },
		{ "no memory", test_no_memory },
		{ NULL, NULL },
	};
	unit_add("listen", tests);
}
