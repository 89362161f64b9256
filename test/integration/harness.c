/* harness.c - an integration program: the process that runs the tests, and above it a watchdog, which sees to it that
 * nothing outlives them and that a hang or a crash is a failed test. */
#include "faultproxy.h"
#include "harness_int.h"

#include <CUnit/Basic.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROGRAM_SECONDS = 1700, EXIT_SKIP = 77 };

/* What the tests' process tells its watchdog; shared memory. */
struct tally {
	unsigned total, run, failed, skipped;
	char test[64]; /* the one that runs */
};

static struct tally *tally;
static const struct unit_test *all_tests;
static unsigned failures_before;
static const char *skipped_because;

void skip(const char *why)
{
	skipped_because = why;
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
	harness.in_teardown = false;
	skipped_because = NULL;
	failures_before = CU_get_number_of_failure_records();
	snprintf(tally->test, sizeof tally->test, "%s", CU_get_current_test()->pName);
	unlink(text("%s/sluice.log", harness.top));
	alarm(TEST_SECONDS);
}

static void after_each(void)
{
	harness.in_teardown = true;
	bool failed = CU_get_number_of_failure_records() > failures_before;
	background_end();
	sluice_stop();
	fault_close();
	harness.backend->restore();
	harness.backend->settle();
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
	forget_texts();
}

static _Noreturn void run_tests(const char *suite, int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGALRM, on_alarm);
	signal(SIGPIPE, SIG_IGN);
	alarm(TEST_SECONDS);
	if (!sluice_find() || !harness.backend->make())
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
	harness.backend->end();
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
	snprintf(path, sizeof path, "%s/sluice.log", harness.top);
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
	harness.uid = pw->pw_uid;
	harness.gid = pw->pw_gid;
	snprintf(harness.user, sizeof harness.user, "%s", pw->pw_name);
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
	return harness_run(argc, argv, suite, tests, &postgres_backend);
}

int harness_run(int argc, char **argv, const char *suite, const struct unit_test *tests, const struct backend *backend)
{
	unsigned total = 0;
	harness.backend = backend;
	for (const struct unit_test *t = tests; t->name; t++)
		total += unit_is_wanted(t->name, argc, argv);
	if (!backend->find()) {
		fprintf(stderr, "harness: %s\n", backend->missing);
		printf("0 passed, 0 failed, %u skipped\n", total);
		return EXIT_SKIP;
	}
	more_descriptors();
	tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(harness.top, sizeof harness.top,
		 "/tmp/sluice-XXXXXX"); /* not TMPDIR: a unix socket's path has to be short */
	if (tally == MAP_FAILED || !identity() || !mkdtemp(harness.top)) {
		perror("harness");
		return 2;
	}
	tally->total = total;
	all_tests = tests;
	char sockets[80];
	snprintf(sockets, sizeof sockets, "%s/s", harness.top);
	if (chmod(harness.top, 0755) || mkdir(sockets, 0755) || chown(harness.top, harness.uid, harness.gid) ||
	    chown(sockets, harness.uid, harness.gid))
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
		nftw(harness.top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	printf("%u passed, %u failed, %u skipped\n", tally->run - tally->failed - tally->skipped, tally->failed,
	       tally->skipped);
	return tally->failed || tally->run == 0;
}
