/* helper.c - helper processes: starting them, giving them work, and seeing to their end. */
#include "auth/helper.h"

#include "core/assert.h"
#include "core/deadline.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/str.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "sluice-auth"
#define IDLE_MS 60000u /* then it ends, and takes with it whatever a library has gathered */
#define END_MS  5000u  /* from the close of its socket until it is killed */

#ifndef SLUICE_HELPER_DIR
#define SLUICE_HELPER_DIR "/usr/libexec/sluice"
#endif

enum helper_state { HELPER_IDLE, HELPER_BUSY, HELPER_ENDING };

struct helper {
	struct list in_all;
	pid_t pid;
	struct ev_io io; /* io.fd is -1 when ENDING */
	enum helper_state state;
	struct helper_ask *ask; /* what it is BUSY with; NULL: whoever asked has left */
	struct deadline deadline;
	bool was_killed; /* by us */
	bool is_reaped;  /* its id may be another process's */
};

static struct list all = { &all, &all }, line = { &line, &line };
static unsigned count, most = 4;
static uint32_t patience_ms = 30000;
static int program = -1;
static struct fault missing; /* why there is no program */
static struct ev_signal child_ended;
static bool is_on;

static void serve(struct task *t);
static struct task serve_task = { NULL, NULL, serve };

static void become(struct helper *h, enum helper_state to)
{
	ASSERT(h->state != HELPER_ENDING && h->state != to);
	h->state = to;
}

static void hang_up(struct helper *h)
{
	ev_io_stop(loop_ev(), &h->io);
	close(h->io.fd);
	h->io.fd = -1;
}

/* Its answer, to whoever asked. */
static void tell(struct helper *h, enum helper_verdict v, const char *why)
{
	struct helper_ask *a = h->ask;
	h->ask = NULL;
	if (!a)
		return;
	a->helper = NULL;
	a->done(a, v, why);
}

/* It gets no more work; waitpid() will say when it is gone. */
static void end(struct helper *h, bool now)
{
	if (h->state != HELPER_ENDING) {
		become(h, HELPER_ENDING);
		hang_up(h);
	}
	if (now) {
		if (!h->is_reaped) {
			h->was_killed = true;
			(void)kill(-h->pid, SIGKILL); /* with whom it has started: its group */
		}
		deadline_clear(&h->deadline);
	} else {
		(void)deadline_set(&h->deadline, loop_now() + END_MS);
	}
}

static void too_long(struct deadline *d)
{
	struct helper *h = list_owner(d, struct helper, deadline);
	char why[100];
	switch (h->state) {
	case HELPER_IDLE:
		end(h, false);
		break;
	case HELPER_BUSY:
		str_fmt(why, sizeof why, "no answer within %u ms", patience_ms);
		log_warn(NULL, "helper process %d: %s; it is killed", (int)h->pid, why);
		end(h, true);
		tell(h, HELPER_UNABLE, why);
		loop_defer(&serve_task);
		break;
	case HELPER_ENDING:
		end(h, true);
		break;
	}
}

static void rest(struct helper *h)
{
	become(h, HELPER_IDLE);
	(void)deadline_set(&h->deadline, loop_now() + IDLE_MS); /* no memory: it stays */
	loop_defer(&serve_task);
}

/* Takes an answer off its socket, if there is one. False: none, and there will be none. */
static bool take_answer(struct helper *h)
{
	uint8_t in[HELPER_REPLY_MAX + 1];
	enum helper_verdict v;
	const char *why;
	ssize_t n = recv(h->io.fd, in, sizeof in, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	if (h->state != HELPER_BUSY || !helper_get_reply(in, (size_t)n, &v, &why)) {
		log_error(NULL, "helper process %d: it says what makes no sense; it is killed", (int)h->pid);
		end(h, true);
		tell(h, HELPER_UNABLE, "the helper process failed");
		return true;
	}
	rest(h);
	tell(h, v, why);
	return true;
}

static void lost(struct helper *h)
{
	end(h, false);
	tell(h, HELPER_UNABLE, "the helper process died");
	loop_defer(&serve_task);
}

static void on_io(struct ev_loop *loop, struct ev_io *w, int revents)
{
	struct helper *h = list_owner(w, struct helper, io);
	(void)loop;
	(void)revents;
	if (!take_answer(h))
		lost(h);
}

static void forget(struct helper *h)
{
	if (h->state != HELPER_ENDING)
		hang_up(h);
	deadline_clear(&h->deadline);
	list_del(&h->in_all);
	count--;
	free(h);
}

static void on_child(struct ev_loop *loop, struct ev_signal *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	LIST_EACH (&all, it) {
		struct helper *h = list_owner(it, struct helper, in_all);
		int status;
		if (waitpid(h->pid, &status, WNOHANG) != h->pid)
			continue;
		h->is_reaped = true;
		if (h->was_killed)
			log_debug(NULL, "helper process %d is gone", (int)h->pid);
		else if (WIFSIGNALED(status))
			log_error(NULL, "helper process %d died of signal %d", (int)h->pid, WTERMSIG(status));
		else if (WEXITSTATUS(status) != 0)
			log_error(NULL, "helper process %d ended with status %d", (int)h->pid, WEXITSTATUS(status));
		if (h->state == HELPER_BUSY) /* its last words may be there yet */
			(void)take_answer(h);
		tell(h, HELPER_UNABLE, "the helper process died");
		forget(h);
		loop_defer(&serve_task);
	}
}

/* --- Starting */

static bool open_program(struct fault *f)
{
	char path[4096 + sizeof PROGRAM];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof PROGRAM - 1);
	char *slash;

	if (n > 0) {
		path[n] = '\0';
		slash = strrchr(path, '/');
		if (slash) {
			memcpy(slash + 1, PROGRAM, sizeof PROGRAM);
			program = open(path, O_PATH | O_CLOEXEC);
		}
	}
	if (program < 0)
		program = open(SLUICE_HELPER_DIR "/" PROGRAM, O_PATH | O_CLOEXEC);
	return program >= 0 || fault_errno(f, errno, "%s", SLUICE_HELPER_DIR "/" PROGRAM);
}

bool helpers_init(struct fault *f)
{
	is_on = true;
	missing.kind = FAULT_NONE;
	ev_signal_init(&child_ended, on_child, SIGCHLD);
	ev_signal_start(loop_ev(), &child_ended);
	if (!open_program(&missing)) {
		*f = missing;
		return false;
	}
	return true;
}

void helpers_configure(unsigned max, uint32_t ms)
{
	most = max;
	patience_ms = ms;
}

/* By posix_spawn(), which does not copy our memory; nothing but the socket is left open to it, and what it prints to
 * stdout is not meant for anybody. */
static int spawn(pid_t *pid, int end)
{
	extern char **environ;
	char path[40], *argv[] = { (char[]){ PROGRAM }, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, defaults;
	int e;

	str_fmt(path, sizeof path, "/proc/self/fd/%d", program);
	if (posix_spawn_file_actions_init(&files) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&files);
		return ENOMEM;
	}
	sigemptyset(&none);
	sigfillset(&defaults);
	e = posix_spawn_file_actions_adddup2(&files, end, 0);
	if (!e)
		e = posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	if (!e)
		e = posix_spawnattr_setsigmask(&attr, &none);
	if (!e)
		e = posix_spawnattr_setsigdefault(&attr, &defaults);
	if (!e) /* a group of its own: what a terminal sends to us is not for it */
		e = posix_spawnattr_setpgroup(&attr, 0);
	if (!e)
		e = posix_spawnattr_setflags(&attr,
					     POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	if (!e)
		e = posix_spawn(pid, path, &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return e;
}

/* Another one. NULL, with the reason. */
static struct helper *start(struct fault *f)
{
	int ends[2], e;
	struct helper *h;

	if (program < 0) {
		*f = missing;
		return NULL;
	}
	h = calloc(1, sizeof *h);
	if (!h) {
		fault_set(f, FAULT_NOMEM, "out of memory");
		return NULL;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		fault_errno(f, errno, "a socket for a helper process");
		free(h);
		return NULL;
	}
	e = spawn(&h->pid, ends[1]);
	close(ends[1]);
	if (e) {
		fault_errno(f, e, "starting a helper process");
		close(ends[0]);
		free(h);
		return NULL;
	}
	deadline_init(&h->deadline, too_long);
	ev_io_init(&h->io, on_io, ends[0], EV_READ);
	ev_io_start(loop_ev(), &h->io);
	list_add(&all, &h->in_all);
	count++;
	log_debug(NULL, "helper process %d started", (int)h->pid);
	return h;
}

/* --- Work */

static void drop_bytes(struct helper_ask *a)
{
	if (a->bytes)
		str_wipe(a->bytes, a->len);
	free(a->bytes);
	a->bytes = NULL;
}

/* False: it is dead, and the question is still to be asked. */
static bool hand(struct helper *h, struct helper_ask *a)
{
	if (send(h->io.fd, a->bytes, a->len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)a->len) {
		end(h, true);
		return false;
	}
	drop_bytes(a);
	list_del(&a->in_line);
	become(h, HELPER_BUSY);
	h->ask = a;
	a->helper = h;
	if (!deadline_set(&h->deadline, loop_now() + patience_ms)) { /* nobody would see that it hangs */
		end(h, true);
		tell(h, HELPER_UNABLE, "out of memory");
	}
	return true;
}

static struct helper *idle(void)
{
	LIST_EACH (&all, it) {
		struct helper *h = list_owner(it, struct helper, in_all);
		if (h->state == HELPER_IDLE)
			return h;
	}
	return NULL;
}

/* Nobody can be asked, and nobody will become free. */
static void fail_first(const struct fault *f)
{
	struct helper_ask *a = list_owner(line.next, struct helper_ask, in_line);
	list_del(&a->in_line);
	drop_bytes(a);
	a->done(a, HELPER_UNABLE, f->text);
}

static void serve(struct task *t)
{
	struct fault f;
	(void)t;
	while (!list_empty(&line)) {
		struct helper_ask *a = list_owner(line.next, struct helper_ask, in_line);
		struct helper *h = idle();
		bool is_fresh = false;
		if (!h && count >= most)
			return;
		if (!h) {
			h = start(&f);
			is_fresh = true;
		}
		if (!h && count > 0 && program >= 0)
			return; /* when one of them has finished */
		if (!h) {
			fail_first(&f);
		} else if (!hand(h, a) && is_fresh) {
			fault_set(&f, FAULT_IO, "the helper process died");
			fail_first(&f);
		}
	}
}

bool helper_begin(struct helper_ask *a, struct helper_question *q,
		  void (*done)(struct helper_ask *a, enum helper_verdict v, const char *why), struct fault *f)
{
	uint8_t *bytes = malloc(HELPER_ASK_MAX), *fitting;
	ASSERT(is_on);
	if (!bytes)
		return fault_set(f, FAULT_NOMEM, "no memory for the session");
	q->patience_ms = patience_ms;
	size_t len = helper_put_question(bytes, q);
	if (!len) {
		free(bytes);
		return fault_set(f, FAULT_PROTO, "name and password are too long");
	}
	fitting = malloc(len);
	if (fitting)
		memcpy(fitting, bytes, len);
	str_wipe(bytes, len);
	free(bytes);
	if (!fitting)
		return fault_set(f, FAULT_NOMEM, "no memory for the session");
	*a = (struct helper_ask){ .done = done, .bytes = fitting, .len = len };
	list_add(&line, &a->in_line);
	loop_defer(&serve_task);
	return true;
}

void helper_cancel(struct helper_ask *a)
{
	if (a->bytes) {
		list_del(&a->in_line);
		drop_bytes(a);
	}
	if (a->helper) { /* it goes on, for itself, as long as it may */
		a->helper->ask = NULL;
		a->helper = NULL;
	}
}

void helpers_free(void)
{
	if (!is_on)
		return;
	is_on = false;
	loop_undefer(&serve_task);
	while (!list_empty(&line))
		helper_cancel(list_owner(line.next, struct helper_ask, in_line));
	LIST_EACH (&all, it) {
		struct helper *h = list_owner(it, struct helper, in_all);
		if (h->ask)
			helper_cancel(h->ask);
		(void)kill(-h->pid, SIGKILL);
		(void)waitpid(h->pid, NULL, 0);
		forget(h);
	}
	ev_signal_stop(loop_ev(), &child_ended);
	if (program >= 0)
		close(program);
	program = -1;
}
