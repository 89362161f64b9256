/* test_assert.c - a failed assertion says where, and ends the process. */
#include "unit.h"

#include "core/assert.h"
#include "core/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs in a child, its stderr in the pipe. */
static void die(bool logs_on_stderr)
{
	struct fault f;
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	signal(SIGABRT, SIG_DFL);
	if (log_open("", "", "", logs_on_stderr, &f))
		ASSERT(1 + 1 == 3);
	_exit(0);
}

static void test_says_and_aborts(void)
{
	for (int on_stderr = 0; on_stderr < 2; on_stderr++) {
		int fd[2];
		if (!check("a pipe", pipe(fd) == 0))
			return;
		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0) {
			dup2(fd[1], 2);
			close(fd[0]);
			close(fd[1]);
			die(on_stderr);
		}
		close(fd[1]);
		char out[1000];
		size_t len = 0;
		ssize_t n;
		while ((n = read(fd[0], out + len, sizeof out - 1 - len)) > 0)
			len += (size_t)n;
		out[len] = '\0';
		close(fd[0]);
		int status = 0;
		check_eq("a child", waitpid(pid, &status, 0), pid);
		check("aborted", WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		const char *at = strstr(out, "assertion failed: 1 + 1 == 3");
		check("what", at != NULL);
		check("where", strstr(out, "test_assert.c:") != NULL);
		check("once", at && !strstr(at + 1, "assertion failed"));
		check_eq("as a line of the log", strstr(out, "ERROR") != NULL, on_stderr);
	}
}

static void test_holds(void)
{
	int evaluated = 0;
	ASSERT(++evaluated);
	check_eq("once", evaluated, 1);
}

void suite_assert(void)
{
	static const struct unit_test tests[] = {
		{ "says and aborts", test_says_and_aborts },
		{ "one that holds", test_holds },
		{ NULL, NULL },
	};
	unit_add("assert", tests);
}
