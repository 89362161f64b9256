/* daemon.c - what makes a program a daemon: leaving the terminal, the pid file, an unprivileged user, descriptors. */
#include "core/daemon.h"

#include "core/str.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int parent_fd = -1; /* in the detached child: where its parent listens */

static struct {
	int fd;
	pid_t writer;
	dev_t dev;
	ino_t ino;
	char path[PATH_MAX];
} pidfile = { .fd = -1 };

/* Who we were before daemon_act_as(). */
static struct {
	bool is_on;
	uid_t uid;
	gid_t gid;
} acting;

bool daemon_fill_stdio(struct fault *f)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR); /* the lowest that is free */
	while (fd >= 0 && fd <= 2);
	if (fd < 0)
		return fault_errno(f, errno, "/dev/null");
	close(fd);
	return true;
}

/* Waits for the child's word, or its end. */
_Noreturn static void parent_wait(int fd)
{
	char word = 0;
	ssize_t n;
	do
		n = read(fd, &word, 1);
	while (n < 0 && errno == EINTR);
	_exit(n == 1 ? 0 : 1); /* not exit(): what is to be done at the end is the child's to do */
}

bool daemon_detach(struct fault *f)
{
	int ends[2];
	if (!daemon_fill_stdio(f))
		return false;
	/* Sockets, and not a pipe: a parent that was killed must not cost the child a SIGPIPE. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fault_errno(f, errno, "going into the background");
	fflush(NULL); /* or both would write what is buffered */
	pid_t pid = fork();
	if (pid < 0) {
		int err = errno;
		close(ends[0]);
		close(ends[1]);
		return fault_errno(f, err, "going into the background");
	}
	if (pid > 0) {
		close(ends[1]);
		parent_wait(ends[0]);
	}
	close(ends[0]);
	setsid(); /* cannot fail: a forked child leads no process group */
	parent_fd = ends[1];
	return true;
}

bool daemon_ready(struct fault *f)
{
	if (parent_fd < 0)
		return true;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return fault_errno(f, errno, "/dev/null");
	fflush(NULL);
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	close(null);                                 /* not one of them: those are open */
	(void)!send(parent_fd, "", 1, MSG_NOSIGNAL); /* nobody there any more: nobody to tell */
	close(parent_fd);
	parent_fd = -1;
	return true;
}

/* Is what is open as fd still the file of that name? */
static bool is_at(int fd, const char *path, struct stat *st)
{
	struct stat named;
	return fstat(fd, st) == 0 && lstat(path, &named) == 0 && st->st_dev == named.st_dev &&
	       st->st_ino == named.st_ino;
}

/* The process id that a pid file holds; 0 when it holds none. */
static pid_t pidfile_holder(int fd)
{
	char text[24];
	uint64_t pid;
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\r\n")] = 0;
	return str_to_u64(text, INT_MAX, &pid) ? (pid_t)pid : 0;
}

/* Opens the file and locks it. The fd; -1 with the fault. */
static int pidfile_lock(const char *path, struct stat *st, struct fault *f)
{
	/* Its last holder may remove it between our open() and our lock: then the lock is on a file without a name, and
	 * the next turn makes a new one. */
	for (int turn = 0; turn < 16; turn++) {
		/* not through a symbolic link, which anyone may have put into a shared directory; nor waiting on a FIFO
		 */
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0644);
		if (fd < 0) {
			fault_errno(f, errno, "pid file %s", path);
			return -1;
		}
		int err = flock(fd, LOCK_EX | LOCK_NB) < 0 ? errno : 0;
		if (err == EWOULDBLOCK) {
			fault_set(f, FAULT_IO, "pid file %s: already running, as process %ld", path,
				  (long)pidfile_holder(fd));
			close(fd);
			return -1;
		}
		bool is_ours = !err && is_at(fd, path, st);
		if (is_ours && S_ISREG(st->st_mode))
			return fd;
		close(fd);
		if (err) {
			fault_errno(f, err, "locking pid file %s", path);
			return -1;
		}
		if (is_ours) {
			fault_set(f, FAULT_IO, "pid file %s is not a plain file", path);
			return -1;
		}
	}
	fault_set(f, FAULT_IO, "pid file %s is replaced again and again", path);
	return -1;
}

bool daemon_pidfile_open(const char *path, struct fault *f)
{
	if (!*path)
		return true;
	/* Removed at exit, wherever we are by then. */
	char cwd[PATH_MAX] = "";
	char whole[sizeof pidfile.path];
	if (path[0] != '/' && !getcwd(cwd, sizeof cwd))
		return fault_errno(f, errno, "pid file %s", path);
	int len = snprintf(whole, sizeof whole, "%s%s%s", cwd, *cwd ? "/" : "", path);
	if (len < 0 || (size_t)len >= sizeof whole)
		return fault_set(f, FAULT_IO, "pid file %s: the path is too long", path);
	struct stat st;
	int fd = pidfile_lock(whole, &st, f);
	if (fd < 0)
		return false;
	char text[24];
	str_fmt(text, sizeof text, "%ld\n", (long)getpid());
	ssize_t want = (ssize_t)strlen(text);
	errno = ENOSPC; /* for a short write, which sets none */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)want, 0) != want) {
		fault_errno(f, errno, "writing pid file %s", path);
		unlink(whole);
		close(fd);
		return false;
	}
	pidfile.fd = fd;
	pidfile.writer = getpid();
	pidfile.dev = st.st_dev;
	pidfile.ino = st.st_ino;
	str_copy(pidfile.path, sizeof pidfile.path, whole);
	return true;
}

void daemon_pidfile_remove(void)
{
	struct stat st;
	if (pidfile.fd < 0 || pidfile.writer != getpid())
		return;
	if (is_at(pidfile.fd, pidfile.path, &st) && unlink(pidfile.path) < 0)
		(void)!ftruncate(pidfile.fd, 0);
	close(pidfile.fd); /* and with it goes the lock */
	pidfile.fd = -1;
}

/* Who is to be become: false with the fault; *uid is 0 when we stay who we are. */
static bool find_user(const char *user, uid_t *uid, gid_t *gid, struct fault *f)
{
	bool is_root = getuid() == 0 || geteuid() == 0;
	*uid = 0;
	*gid = 0;
	if (!*user && is_root) {
		fault_set(f, FAULT_DENIED, "Sluice should not run as root");
		fault_hint(f, "Give the user to run as: -u USER on the command line, or the setting \"user\".");
		return false;
	}
	if (!*user)
		return true;
	errno = 0;
	const struct passwd *found = getpwnam(user);
	if (!found && errno && errno != ENOENT && errno != ESRCH)
		return fault_errno(f, errno, "looking for the user \"%s\"", user);
	if (!found)
		return fault_set(f, FAULT_DENIED, "there is no user \"%s\" to run as", user);
	if (found->pw_uid == 0)
		return fault_set(f, FAULT_DENIED, "Sluice should not run as root, which \"%s\" is", user);
	if (!is_root)
		return found->pw_uid == getuid() ||
		       fault_set(f, FAULT_DENIED, "only root can have Sluice run as the user \"%s\"", user);
	*uid = found->pw_uid;
	*gid = found->pw_gid;
	return true;
}

bool daemon_find_user(const char *user, uid_t *uid, struct fault *f)
{
	gid_t gid;
	return find_user(user, uid, &gid, f);
}

bool daemon_act_as(const char *user, struct fault *f)
{
	uid_t uid;
	gid_t gid;
	if (!find_user(user, &uid, &gid, f))
		return false;
	if (uid == 0)
		return true;
	acting.uid = geteuid();
	acting.gid = getegid();
	acting.is_on = true;
	if (initgroups(user, gid) < 0 || setresgid((gid_t)-1, gid, (gid_t)-1) < 0 ||
	    setresuid((uid_t)-1, uid, (uid_t)-1) < 0)
		return fault_errno(f, errno, "acting as the user \"%s\"", user);
	return true;
}

bool daemon_act_as_ourselves(struct fault *f)
{
	if (!acting.is_on)
		return true;
	acting.is_on = false;
	if (setresuid((uid_t)-1, acting.uid, (uid_t)-1) < 0 || setresgid((gid_t)-1, acting.gid, (gid_t)-1) < 0)
		return fault_errno(f, errno, "being root again");
	return true;
}

bool daemon_become(const char *user, struct fault *f)
{
	uid_t uid;
	gid_t gid;
	if (!find_user(user, &uid, &gid, f))
		return false;
	if (uid == 0)
		return true;
	/* groups first: without root they cannot be given up */
	if (initgroups(user, gid) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return fault_errno(f, errno, "becoming the user \"%s\"", user);
	uid_t r, e, s;
	gid_t gr, ge, gs;
	if (getresuid(&r, &e, &s) < 0 || r != uid || e != uid || s != uid || getresgid(&gr, &ge, &gs) < 0 ||
	    gr != gid || ge != gid || gs != gid || setuid(0) == 0)
		return fault_set(f, FAULT_DENIED, "root was not given up for the user \"%s\"", user);
	return true;
}

uint64_t daemon_raise_files(uint64_t *hard)
{
	struct rlimit had;
	if (hard)
		*hard = 0;
	if (getrlimit(RLIMIT_NOFILE, &had) < 0)
		return 0;
	if (hard)
		*hard = had.rlim_max;
	struct rlimit want = { .rlim_cur = had.rlim_max, .rlim_max = had.rlim_max };
	if (had.rlim_cur == had.rlim_max || setrlimit(RLIMIT_NOFILE, &want) < 0)
		return had.rlim_cur;
	return want.rlim_cur;
}
