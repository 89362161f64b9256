/* test_daemon.c - going into the background, the pid file, giving up root, descriptors; in children, as most of it
 * cannot be undone. */
#include "unit.h"

#include "core/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64], path[128];

static void begin(void)
{
	strcpy(dir, "/tmp/sluice-daemon-XXXXXX");
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof path, "%s/pid", dir);
}

static void end(void)
{
	check("the directory is empty", rmdir(dir) == 0);
}

/* The exit status of a child that runs this; -1 when a signal ended it. */
static int in_child(int (*run)(void))
{
	int status;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(run());
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- the background. A detached child tells what it sees through `told`. */

static int told[2];

struct sight {
	pid_t pid, sid, parent;
	int null[3]; /* are its standard descriptors /dev/null? */
	int parent_was_there;
};

static void look(struct sight *s)
{
	struct stat null, st;
	s->pid = getpid();
	s->sid = getsid(0);
	stat("/dev/null", &null);
	for (int fd = 0; fd < 3; fd++)
		s->null[fd] = fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == null.st_rdev;
}

static int start_well(void)
{
	struct fault f;
	struct sight s = { .parent = getpid() };
	if (!daemon_detach(&f))
		return 9;
	s.parent_was_there = kill(s.parent, 0) == 0;
	if (!daemon_ready(&f) || !daemon_ready(&f)) /* a second time does nothing */
		_exit(8);
	look(&s);
	(void)!write(told[1], &s, sizeof s);
	_exit(7);
}

static int start_badly(void)
{
	struct fault f;
	struct sight s = { .parent = getpid() };
	if (!daemon_detach(&f))
		return 9;
	look(&s);
	(void)!write(told[1], &s, sizeof s);
	_exit(0); /* whatever the child's status: it never was ready */
}

static int start_and_die(void)
{
	struct fault f;
	if (!daemon_detach(&f))
		return 9;
	raise(SIGKILL);
	return 8;
}

static int start_without_stdio(void)
{
	struct fault f;
	struct sight s = { .pid = 0 };
	close(0);
	close(1);
	close(2);
	if (!daemon_detach(&f))
		return 9;
	if (!daemon_ready(&f))
		_exit(8);
	look(&s);
	(void)!write(told[1], &s, sizeof s);
	_exit(7);
}

/* The parent is killed while its child starts up; being ready must not cost the child its life. */
static int start_orphan(void)
{
	struct fault f;
	struct sight s = { .parent = getpid() };
	signal(SIGPIPE, SIG_DFL);
	if (!daemon_detach(&f))
		return 9;
	kill(s.parent, SIGKILL);
	while (getppid() == s.parent)
		;
	if (!daemon_ready(&f))
		_exit(8);
	look(&s);
	(void)!write(told[1], &s, sizeof s);
	_exit(7);
}

static void test_detach(void)
{
	static const struct {
		const char *what;
		int (*run)(void);
		int status;
		bool tells, ready;
	} cases[] = {
		{ "starts well", start_well, 0, true, true },
		{ "starts badly", start_badly, 1, true, false },
		{ "dies", start_and_die, 1, false, false },
		{ "has no stdio", start_without_stdio, 0, true, true },
		{ "loses its parent", start_orphan, -1, true, true },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		struct sight s;
		memset(&s, 0, sizeof s);
		if (pipe2(told, O_CLOEXEC) < 0)
			abort();
		check_eq(what, in_child(cases[i].run), cases[i].status);
		close(told[1]);
		check_eq(what, read(told[0], &s, sizeof s), cases[i].tells ? (ssize_t)sizeof s : 0);
		close(told[0]);
		if (!cases[i].tells)
			continue;
		check(what, s.pid != s.parent && s.sid == s.pid);
		for (int fd = 0; fd < 3 && cases[i].ready; fd++)
			check(what, s.null[fd]);
		check("keeps stderr until it is ready", cases[i].ready || !s.null[2]);
		check("the parent waits", cases[i].run != start_well || s.parent_was_there);
	}
	struct fault f;
	check("in the foreground it is nothing", daemon_ready(&f));
}

/* ---- the pid file */

static void check_holds(const char *what, long pid)
{
	char text[64] = "", want[64];
	FILE *f = fopen(path, "r");
	if (!check(what, f))
		return;
	check(what, fread(text, 1, sizeof text - 1, f) > 0);
	fclose(f);
	snprintf(want, sizeof want, "%ld\n", pid);
	check_str(what, text, want);
}

static void put_file(const char *text)
{
	FILE *f = fopen(path, "w");
	if (!f)
		abort();
	fputs(text, f);
	fclose(f);
}

static int open_refused(void)
{
	struct fault f;
	char us[32];
	snprintf(us, sizeof us, "process %ld", (long)getppid());
	if (daemon_pidfile_open(path, &f))
		return 1;
	daemon_pidfile_remove(); /* none of ours */
	return f.kind == FAULT_IO && strstr(f.text, path) && strstr(f.text, "already running") && strstr(f.text, us)
		       ? 0
		       : 2;
}

/* A forked child has the parent's state and descriptor; the file is the parent's all the same. */
static int remove_parents(void)
{
	daemon_pidfile_remove();
	return access(path, F_OK) == 0 ? 0 : 1;
}

static int open_and_vanish(void)
{
	struct fault f;
	return daemon_pidfile_open(path, &f) ? 0 : 1;
}

static void test_pidfile(void)
{
	struct fault f;
	begin();
	check("none", daemon_pidfile_open("", &f));
	daemon_pidfile_remove();

	check("new", daemon_pidfile_open(path, &f));
	check_holds("new", getpid());
	check_eq("another process is refused", in_child(open_refused), 0);
	check_eq("a child leaves it", in_child(remove_parents), 0);
	check_holds("still there", getpid());
	daemon_pidfile_remove();
	check("removed", access(path, F_OK) < 0 && errno == ENOENT);
	daemon_pidfile_remove();

	static const char *const stale[] = { "", "1\n", "99999999999999999999999\nnonsense", "-1", "abc" };
	for (size_t i = 0; i < COUNT(stale); i++) {
		put_file(stale[i]);
		check("a stale one is taken over", daemon_pidfile_open(path, &f));
		check_holds(stale[i], getpid());
		daemon_pidfile_remove();
	}
	check_eq("one that died without removing it", in_child(open_and_vanish), 0);
	check("left it", access(path, F_OK) == 0);
	check("taken over", daemon_pidfile_open(path, &f));
	check_holds("taken over", getpid());

	/* Somebody removed ours and put another there: that one stays. */
	unlink(path);
	put_file("1\n");
	daemon_pidfile_remove();
	check_holds("another's stays", 1);
	unlink(path);

	/* A relative path means the same at exit, wherever we are then. */
	char was[512];
	check("chdir", getcwd(was, sizeof was) && chdir(dir) == 0);
	check("relative", daemon_pidfile_open("pid", &f));
	check("chdir", chdir("/") == 0);
	check_holds("relative", getpid());
	daemon_pidfile_remove();
	check("removed", access(path, F_OK) < 0);
	check("chdir", chdir(was) == 0);
	end();
}

static void test_pidfile_refused(void)
{
	struct fault f;
	char target[128], *deep = malloc(5000);
	memset(deep, 'd', 4999);
	deep[0] = '/';
	deep[4999] = 0;
	begin();
	check("no such directory", !daemon_pidfile_open("/no/such/directory/pid", &f));
	check(f.text, f.kind == FAULT_IO && strstr(f.text, "/no/such/directory/pid"));
	check("a directory", !daemon_pidfile_open(dir, &f) && f.kind == FAULT_IO);
	check("too long", !daemon_pidfile_open(deep, &f) && f.kind == FAULT_IO);
	free(deep);
	snprintf(target, sizeof target, "%s/target", dir);
	check("a symbolic link", symlink(target, path) == 0 && !daemon_pidfile_open(path, &f));
	check("is not followed", access(target, F_OK) < 0 && unlink(path) == 0);
	check("a FIFO", mkfifo(path, 0600) == 0 && !daemon_pidfile_open(path, &f) && strstr(f.text, "plain file"));
	unlink(path);
	daemon_pidfile_remove(); /* nothing was opened */
	if (access("/dev/full", W_OK) == 0 && geteuid() == 0)
		check("a device", !daemon_pidfile_open("/dev/full", &f) && access("/dev/full", F_OK) == 0);
	end();
}

/* ---- giving up root */

static int become_nobody(void)
{
	struct fault f;
	gid_t groups[64];
	const struct passwd *who = getpwnam("nobody");
	if (!who)
		return 0;
	uid_t uid = who->pw_uid;
	gid_t gid = who->pw_gid, more[] = { 0, 1, 2 };
	if (setgroups(3, more) < 0 || !daemon_become("nobody", &f))
		return 1;
	if (getuid() != uid || geteuid() != uid || getgid() != gid || getegid() != gid)
		return 2;
	int n = getgroups(64, groups);
	for (int i = 0; i < n; i++)
		if (groups[i] == 0)
			return 3;
	if (setuid(0) == 0 || setgid(0) == 0 || seteuid(0) == 0)
		return 4;
	/* and from there on */
	if (!daemon_become("", &f) || !daemon_become("nobody", &f))
		return 5;
	if (daemon_become("root", &f) || f.kind != FAULT_DENIED)
		return 6;
	if (daemon_become("daemon", &f) || f.kind != FAULT_DENIED || !strstr(f.text, "only root"))
		return 7;
	return 0;
}

/* What is made in between is the other user's. */
static int act_as_nobody(void)
{
	struct fault f;
	struct stat st;
	char made[] = "/tmp/sluice-act-XXXXXX";
	uid_t uid;
	const struct passwd *who = getpwnam("nobody");
	if (!who)
		return 0;
	uid_t nobody = who->pw_uid;
	if (!daemon_find_user("nobody", &uid, &f) || uid != nobody || geteuid() != 0)
		return 1;
	if (!daemon_act_as("nobody", &f) || geteuid() != nobody || getuid() != 0)
		return 2;
	int fd = mkstemp(made);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != nobody || st.st_gid == 0 || unlink(made) < 0)
		return 3;
	if (!daemon_act_as_ourselves(&f) || geteuid() != 0 || getegid() != 0)
		return 4;
	if (!daemon_act_as_ourselves(&f) || geteuid() != 0) /* a second time is harmless */
		return 5;
	return daemon_become("nobody", &f) && setuid(0) != 0 && geteuid() == nobody ? 0 : 6;
}

/* Root hidden in the real or the saved id is root. */
static int become_half(void)
{
	struct fault f;
	return setresuid((uid_t)-1, 12345, (uid_t)-1) == 0 && !daemon_become("", &f) && f.kind == FAULT_DENIED ? 0 : 1;
}

static void test_become(void)
{
	struct fault f;
	check("no such user", !daemon_become("no-such-user", &f) && f.kind == FAULT_DENIED);
	check(f.text, strstr(f.text, "\"no-such-user\""));
	if (geteuid() != 0) {
		check("stays", daemon_become("", &f));
		return;
	}
	check("not as root", !daemon_become("", &f) && f.kind == FAULT_DENIED);
	check_str("text", f.text, "Sluice should not run as root");
	check("tells what to do", strstr(f.hint, "-u USER"));
	check("nor by that name",
	      !daemon_become("root", &f) && f.kind == FAULT_DENIED && strstr(f.text, "which \"root\" is"));
	check_eq("nobody", in_child(become_nobody), 0);
	check_eq("acting as nobody", in_child(act_as_nobody), 0);
	uid_t uid = 1;
	check("found, or not", !daemon_find_user("no-such-user", &uid, &f) && !daemon_find_user("", &uid, &f) &&
				       !daemon_act_as("root", &f) && geteuid() == 0);
	check_eq("half", in_child(become_half), 0);
	check_eq("we are who we were", geteuid(), 0);
}

/* ---- descriptors */

static int raise_files(void)
{
	struct rlimit r;
	uint64_t hard = 0;
	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_max < 64)
		return 1;
	rlim_t most = r.rlim_max;
	r.rlim_cur = 64;
	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		return 2;
	if (daemon_raise_files(&hard) != most || hard != most || getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur != most)
		return 3;
	return daemon_raise_files(NULL) == most ? 0 : 4;
}

static void test_files(void)
{
	check_eq("raised", in_child(raise_files), 0);
}

void suite_daemon(void)
{
	static const struct unit_test tests[] = {
		{ "detach", test_detach }, { "pid file", test_pidfile }, { "pid file: refused", test_pidfile_refused },
		{ "become", test_become }, { "files", test_files },      { NULL, NULL },
	};
	unit_add("daemon", tests);
}
