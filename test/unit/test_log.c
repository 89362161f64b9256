/* test_log.c - the log: the shape of a line, what it shows of what peers sent, and disks and readers that fail it. */
#include "unit.h"

#include "clock.h"

#include "core/log.h"
#include "core/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

/* ---- a syslog of our own, in the place of the C library's */

static char sys_line[256];
static const char *sys_ident; /* kept, as the C library does */
static int sys_facility, sys_priority, sys_opens, sys_closes;

void openlog(const char *ident, int option, int facility)
{
	(void)option;
	sys_ident = ident;
	sys_facility = facility;
	sys_opens++;
}

void closelog(void)
{
	sys_closes++;
}

void(syslog)(int priority, const char *fmt, ...) /* not the macro of that name */
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(sys_line, sizeof sys_line, fmt, ap);
	va_end(ap);
	sys_priority = priority;
}

/* What syslog() becomes with _FORTIFY_SOURCE. */
void __syslog_chk(int priority, int flag, const char *fmt, ...);
void __syslog_chk(int priority, int flag, const char *fmt, ...)
{
	(void)flag;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(sys_line, sizeof sys_line, fmt, ap);
	va_end(ap);
	sys_priority = priority;
}

/* ---- a directory with a log in it */

static char dir[64], path[100], seen[1 << 20];

static bool begin(void)
{
	struct fault f;
	strcpy(dir, "/tmp/sluice-log-XXXXXX");
	if (!check("a directory", mkdtemp(dir) != NULL))
		return false;
	snprintf(path, sizeof path, "%s/log", dir);
	return check("opened", log_open(path, "", "", false, &f));
}

static void end(void)
{
	char old[110];
	log_close();
	log_level = LOG_LV_INFO; /* not what a test has made of it */
	snprintf(old, sizeof old, "%s.1", path);
	unlink(path);
	unlink(old);
	rmdir(dir);
}

static char *content(const char *name)
{
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, seen, sizeof seen - 1);
	seen[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
	return seen;
}

/* The lines of s, then of what is left; "(none)" behind the last. */
static const char *next_line(char *s)
{
	const char *line = strtok(s, "\n");
	return line ? line : "(none)";
}

/* What is written from here on stands alone in the file. */
static void empty_file(void)
{
	check("emptied", truncate(path, 0) == 0);
}

/* The line without its stamp: what follows "UTC [pid] ". */
static const char *unstamped(const char *line)
{
	const char *at = strstr(line, "] ");
	return at ? at + 2 : "(no stamp)";
}

static const char *describe_as;
static void describe(const struct log_ctx *ctx, char *out, size_t cap)
{
	(void)ctx;
	snprintf(out, cap, "%s", describe_as);
}
static const struct log_ctx someone = { describe };

static enum log_level level_was;

static void test_at_info(void)
{
	level_was = log_level; /* other suites may have made it quiet */
	log_level = LOG_LV_INFO;
}

static void test_as_it_was(void)
{
	log_level = level_was;
}

static void test_shape(void)
{
	if (!begin())
		return;
	describe_as = "C-0x72a: shop/anna@10.0.0.7:51234";
	errno = EDOM;
	log_info(&someone, "closing: %s (age=%ds)", "client close", 12);
	check_eq("errno is kept", errno, EDOM);
	unsigned y, mo, d, h, mi, s, ms, pid;
	int at = 0;
	content(path);
	check_eq("stamp",
		 sscanf(seen, "%4u-%2u-%2u %2u:%2u:%2u.%3u UTC [%u] %n", &y, &mo, &d, &h, &mi, &s, &ms, &pid, &at), 8);
	check_eq("its width", strcspn(seen, "U"), 24);
	check_eq("pid", pid, getpid());
	check_str("the rest", seen + at, "LOG C-0x72a: shop/anna@10.0.0.7:51234 closing: client close (age=12s)\n");
	char stamp[19]; /* to the second */
	memcpy(stamp, seen, sizeof stamp);
	clock_skip(1000);
	empty_file();
	log_info(NULL, "x");
	check("time goes by", memcmp(stamp, content(path), sizeof stamp) < 0);
	empty_file();
	log_error(NULL, "the daemon itself");
	check_str("nobody in particular", unstamped(content(path)), "ERROR the daemon itself\n");
	end();
}

static void test_levels(void)
{
	static const char *const words[] = { "ERROR x\n", "WARNING x\n", "LOG x\n", "DEBUG x\n", "NOISE x\n" };
	if (!begin())
		return;
	for (unsigned at = LOG_LV_ERROR; at <= LOG_LV_NOISE; at++)
		for (unsigned lv = LOG_LV_ERROR; lv <= LOG_LV_NOISE; lv++) {
			empty_file();
			log_level = (enum log_level)at;
			unsigned evaluated = 0;
			log_at((enum log_level)lv, NULL, "%s", (evaluated++, "x"));
			content(path);
			if (lv <= at)
				check_str(words[lv], unstamped(seen), words[lv]);
			else
				check_str(words[lv], seen, "");
			check_eq("arguments cost nothing when not printed", evaluated, lv <= at);
		}
	end();
}

static void test_escapes(void)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "plain ~", "plain ~" },
		{ "a\nb\r", "a\\x0ab\\x0d" },
		{ "\033[31mred\177", "\\x1b[31mred\\x7f" },
		{ "tab\there", "tab\\x09here" },
		{ "caf\303\251 \342\202\254 \360\237\230\200", "caf\303\251 \342\202\254 \360\237\230\200" },
		{ "C1 \302\233 no", "C1 \\xc2\\x9b no" },
		{ "\302\240", "\302\240" },
		{ "latin1 \351.", "latin1 \\xe9." },
		{ "cut \342\202", "cut \\xe2\\x82" },
		{ "alone \200", "alone \\x80" },
		{ "too long \300\257 \340\200\257 \360\200\200\257",
		  "too long \\xc0\\xaf \\xe0\\x80\\xaf \\xf0\\x80\\x80\\xaf" },
		{ "surrogate \355\240\200", "surrogate \\xed\\xa0\\x80" },
		{ "no lead \365\200\200\200", "no lead \\xf5\\x80\\x80\\x80" },
		{ "beyond \364\220\200\200 \377", "beyond \\xf4\\x90\\x80\\x80 \\xff" },
	};
	char want[200];
	if (!begin())
		return;
	for (size_t i = 0; i < COUNT(cases); i++) {
		empty_file();
		describe_as = cases[i].in;
		log_info(&someone, "%s", cases[i].in);
		snprintf(want, sizeof want, "LOG %s %s\n", cases[i].want, cases[i].want);
		check_str("shown", unstamped(content(path)), want);
	}
	end();
}

static void test_long_lines(void)
{
	static char text[9000];
	if (!begin())
		return;
	empty_file();
	log_info(NULL, "%s", "");
	size_t around = strlen(content(path));
	for (size_t n = 4096 - around - 6; n <= 4096 + 6; n++) {
		empty_file();
		memset(text, 'x', n);
		text[n] = '\0';
		log_info(NULL, "%s", text);
		content(path);
		size_t len = strlen(seen);
		bool whole = strcmp(seen + len - 4, "...\n") != 0;
		if (!check("at most 4096, and a line", len <= 4096 && seen[len - 1] == '\n') ||
		    !check("whole, or says that it is cut", !whole || len == n + around) ||
		    !check("not cut without need", whole || n + around > 4096 - 3))
			break;
	}
	/* What takes four bytes to show is not cut in the middle, and what peers send cannot push out more than a line.
	 */
	memset(text, '\1', sizeof text - 1);
	empty_file();
	log_info(NULL, "%s", text);
	size_t len = strlen(content(path));
	check("at most 4096", len <= 4096 && len > 4096 - 8);
	check_str("whole escapes", seen + len - 8, "\\x01...\n");
	/* What follows the cut is gone, though it would fit. */
	for (size_t at = 4096 - around - 8; at < 4096 - around; at++) {
		memset(text, 'y', sizeof text - 1);
		memset(text, 'x', at);
		text[at] = '\1';
		empty_file();
		log_info(NULL, "%s", text);
		content(path);
		check("in order", strstr(seen, "\\x01") || !strchr(strstr(seen, "xxx"), 'y'));
	}
	memset(text, '\1', sizeof text - 1);
	describe_as = text;
	empty_file();
	log_info(&someone, "%s", text);
	check("a long name too", strlen(content(path)) <= 4096);
	end();
}

static void test_reopen(void)
{
	char old[110];
	struct fault f;
	if (!begin())
		return;
	snprintf(old, sizeof old, "%s.1", path);
	log_info(NULL, "one");
	check("moved away", rename(path, old) == 0);
	log_info(NULL, "two");
	check("the moved file goes on", strstr(content(old), "two") != NULL);
	check("reopened", log_open(path, "", "", false, &f));
	log_info(NULL, "three");
	check("in the new one", strstr(content(path), "LOG three") == unstamped(seen));
	check("not in the old one", !strstr(content(old), "three"));
	check("appends", log_open(path, "", "", false, &f));
	int before = dup(2), after;
	close(before);
	for (int i = 0; i < 10; i++)
		check("again", log_open(path, "", "", false, &f));
	after = dup(2);
	close(after);
	check_eq("the old file is closed", after, before);
	log_info(NULL, "four");
	content(path);
	check("behind what was there", strstr(seen, "three") && strstr(seen, "four"));

	char nowhere[120];
	snprintf(nowhere, sizeof nowhere, "%s/no/such", dir);
	check("no such directory", !log_open(nowhere, "", "", true, &f));
	check_eq("kind", f.kind, FAULT_IO);
	check("it says which", strstr(f.text, nowhere) != NULL);
	check("no such facility", !log_open(path, "sluice", "local8", true, &f));
	check_eq("kind", f.kind, FAULT_CONFIG);
	log_info(NULL, "five");
	check("the old file is kept", strstr(content(path), "five") != NULL);
	check("and all else", !log_on_stderr() && sys_opens == 0);
	end();
	check("as it began", log_on_stderr());
}

static void test_syslog(void)
{
	struct fault f;
	if (!begin())
		return;
	char ident[] = "sluice-1";
	check("opened", log_open("", ident, "LOCAL3", false, &f));
	memset(ident, 'x', 8); /* it is ours, not the log's */
	check_str("ident", sys_ident, "sluice-1");
	check_eq("facility", sys_facility, LOG_LOCAL3);
	describe_as = "C-0x1: a/b@c";
	log_warn(&someone, "what %s", "%s\n");
	check_str("no stamp, as syslog has its own", sys_line, "C-0x1: a/b@c what %s\\x0a");
	check_eq("priority", sys_priority, LOG_WARNING);
	check("opened again", log_open("", "other", "", false, &f));
	check_eq("the first was closed", sys_closes, 1);
	check_eq("facility, when none is said", sys_facility, LOG_DAEMON);
	end();
	check_eq("closed", sys_closes, 2);
	sys_opens = 0;
}

/* Lines whose pace others set: the first, then one in a second, and none is lost without a trace. */
static void test_seldom(void)
{
	struct fault f;
	struct log_seldom one = { 0 }, other = { 0 };
	if (!begin() || !check("loop", loop_init(&f)))
		return;
	describe_as = "C-0x1: a/b@c";
	empty_file();
	check("the first", log_seldom(&one, LOG_LV_WARN, &someone, "%s %d", "number", 1));
	for (int i = 2; i <= 5; i++)
		check("no other", !log_seldom(&one, LOG_LV_WARN, &someone, "%s %d", "number", i));
	check("the first from elsewhere", log_seldom(&other, LOG_LV_ERROR, NULL, "elsewhere"));
	content(path);
	char *second = strchr(seen, '\n');
	check_str("two lines", unstamped(second + 1), "ERROR elsewhere\n");
	*++second = 0;
	check_str("the first", unstamped(seen), "WARNING C-0x1: a/b@c number 1\n");
	empty_file();
	clock_skip(1100);
	loop_update_now();
	check("a second later", log_seldom(&one, LOG_LV_WARN, &someone, "%s %d", "number", 6));
	check_str("how many it stands for", unstamped(content(path)),
		  "WARNING C-0x1: a/b@c number 6 (4 more like it left out)\n");
	empty_file();
	log_level = LOG_LV_ERROR;
	check("not at this level", !log_seldom(&one, LOG_LV_WARN, NULL, "x"));
	log_level = LOG_LV_DEBUG;
	check("all at debug", log_seldom(&one, LOG_LV_WARN, NULL, "x"));
	check_str("all at debug", unstamped(content(path)), "WARNING x\n");
	log_level = LOG_LV_INFO;
	empty_file();
	clock_skip(1100);
	loop_update_now();
	check("another second later", log_seldom(&one, LOG_LV_WARN, NULL, "x"));
	check_str("none was left out", unstamped(content(path)), "WARNING x\n");
	static char big[5000];
	memset(big, 'x', sizeof big - 1);
	check("left out", !log_seldom(&one, LOG_LV_WARN, NULL, "x"));
	clock_skip(1100);
	loop_update_now();
	empty_file();
	check("a long one", log_seldom(&one, LOG_LV_WARN, NULL, "%s", big));
	check("tells it too", strstr(content(path), " (1 more like it left out)\n"));
	loop_free();
	end();
}

static void test_full_disk(void)
{
	struct fault f;
	if (access("/dev/full", W_OK) != 0)
		return;
	check("opened", log_open("/dev/full", "", "", false, &f));
	for (int i = 0; i < 3; i++)
		log_info(NULL, "lost");
	errno = EDOM;
	log_info(NULL, "lost");
	check_eq("errno is kept", errno, EDOM);
	if (!begin())
		return;
	log_info(NULL, "found");
	check_str("what the old file lost, the new one tells", next_line(content(path)), "4 log lines were lost");
	check_str("then the line", unstamped(next_line(NULL)), "LOG found");
	check("once", strtok(NULL, "\n") == NULL);
	end();
}

/* The disk fills up in the middle of a line: the file's size limit stands for it. */
static void test_torn_line(void)
{
	struct rlimit was, limit;
	if (!begin() || getrlimit(RLIMIT_FSIZE, &was) != 0)
		return;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	log_info(NULL, "first");
	limit = was;
	limit.rlim_cur = strlen(content(path)) + 20;
	check("limited", setrlimit(RLIMIT_FSIZE, &limit) == 0);
	log_info(NULL, "second");
	log_info(NULL, "third");
	check("no limit", setrlimit(RLIMIT_FSIZE, &was) == 0);
	log_info(NULL, "fourth");
	log_info(NULL, "fifth");
	signal(SIGXFSZ, handler);
	content(path);
	check_str("first", unstamped(next_line(seen)), "LOG first");
	check_eq("torn", strlen(next_line(NULL)), 20);
	check_str("a line of its own", next_line(NULL), "2 log lines were lost");
	check_str("fourth", unstamped(next_line(NULL)), "LOG fourth");
	check_str("fifth", unstamped(next_line(NULL)), "LOG fifth");
	check("no more", strtok(NULL, "\n") == NULL);
	end();
}

/* A pipe whose reader sleeps, wakes up, and dies. SIGPIPE has its default action here: it would end the test. */
static void test_pipe(void)
{
	struct fault f;
	if (!begin())
		return;
	unlink(path);
	check("a pipe", mkfifo(path, 0600) == 0);
	check("nobody reads it", !log_open(path, "", "", false, &f));
	int fd = open(path, O_RDONLY | O_NONBLOCK);
	check("opened", log_open(path, "", "", false, &f));
	const unsigned wrote = 5000;
	for (unsigned i = 0; i < wrote; i++)
		log_info(NULL, "line %04u", i);

	unsigned got = 0, lost = 0;
	for (int turn = 0; turn < 2; turn++) {
		ssize_t n;
		size_t len = 0;
		while (len < sizeof seen - 1 && (n = read(fd, seen + len, sizeof seen - 1 - len)) > 0)
			len += (size_t)n;
		seen[len] = '\0';
		for (char *line = strtok(seen, "\n"); line; line = strtok(NULL, "\n"))
			if (strstr(line, "LOG line "))
				got++;
			else
				check_eq("a line or a count", sscanf(line, "%u log lines were lost", &lost), 1);
		if (turn == 0) {
			check("some came through, some did not", got > 0 && got < wrote && lost == 0);
			log_info(NULL, "LOG line awake");
		}
	}
	check_eq("every line came or was counted", got + lost, wrote + 1);
	close(fd);
	log_info(NULL, "to nobody");
	log_info(NULL, "to nobody");
	end();
}

static void test_stderr(void)
{
	struct fault f;
	int fd[2], saved = dup(2);
	if (!check("a pipe", saved >= 0 && pipe2(fd, O_CLOEXEC) == 0))
		return;
	dup2(fd[1], 2);
	check("opened", log_open("", "", "", true, &f));
	/* The pipe blocks, and is shared with others who may want it so; we do not wait all the same. */
	for (int i = 0; i < 5000; i++)
		log_info(NULL, "line");
	bool blocks = !(fcntl(2, F_GETFL) & O_NONBLOCK);
	size_t len = 0;
	struct pollfd in = { .fd = fd[0], .events = POLLIN };
	while (poll(&in, 1, 0) == 1) {
		ssize_t n = read(fd[0], seen, sizeof seen - 1);
		len += n > 0 ? (size_t)n : 0;
	}
	log_info(NULL, "again");
	ssize_t n = read(fd[0], seen, sizeof seen - 1);
	seen[n > 0 ? n : 0] = '\0';
	close(fd[0]);
	log_info(NULL, "to nobody");
	check("off", log_open("", "", "", false, &f));
	dup2(saved, 2);
	close(saved);
	close(fd[1]);
	log_close();
	check("its mode is not ours to change", blocks);
	check("a pipe full", len > 4000);
	check("the loss is told", strstr(seen, " log lines were lost\n") != NULL);
	check("and it goes on", strstr(seen, "LOG again\n") != NULL);
}

void suite_log(void)
{
	static const struct unit_test tests[] = {
		{ "begin: at info", test_at_info },
		{ "shape", test_shape },
		{ "levels", test_levels },
		{ "escapes", test_escapes },
		{ "long lines", test_long_lines },
		{ "reopening", test_reopen },
		{ "syslog", test_syslog },
		{ "seldom", test_seldom },
		{ "a full disk", test_full_disk },
		{ "a torn line", test_torn_line },
		{ "a pipe", test_pipe },
		{ "stderr", test_stderr },
		{ "end: as it was", test_as_it_was },
		{ NULL, NULL },
	};
	unit_add("log", tests);
}
