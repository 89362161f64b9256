/* log.c - lines to stderr, a file and syslog, one write(2) each; what cannot be written is counted, never waited for.
 */
#include "core/log.h"

#include "core/loop.h"
#include "core/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SELDOM_MS      1000
#define LINE_MAX_BYTES 4096 /* with its newline; PIPE_BUF, so that workers' lines never mix in a pipe */

static const struct {
	const char *word;
	int priority; /* syslog's */
} levels[] = {
	[LOG_LV_ERROR] = { "ERROR", LOG_ERR },   [LOG_LV_WARN] = { "WARNING", LOG_WARNING },
	[LOG_LV_INFO] = { "LOG", LOG_INFO },     [LOG_LV_DEBUG] = { "DEBUG", LOG_DEBUG },
	[LOG_LV_NOISE] = { "NOISE", LOG_DEBUG },
};

static const struct {
	const char *name;
	int value;
} facilities[] = {
	{ "auth", LOG_AUTH },     { "authpriv", LOG_AUTHPRIV }, { "cron", LOG_CRON },     { "daemon", LOG_DAEMON },
	{ "ftp", LOG_FTP },       { "kern", LOG_KERN },         { "local0", LOG_LOCAL0 }, { "local1", LOG_LOCAL1 },
	{ "local2", LOG_LOCAL2 }, { "local3", LOG_LOCAL3 },     { "local4", LOG_LOCAL4 }, { "local5", LOG_LOCAL5 },
	{ "local6", LOG_LOCAL6 }, { "local7", LOG_LOCAL7 },     { "lpr", LOG_LPR },       { "mail", LOG_MAIL },
	{ "news", LOG_NEWS },     { "syslog", LOG_SYSLOG },     { "user", LOG_USER },     { "uucp", LOG_UUCP },
};

/* A descriptor that lines go to. */
struct sink {
	int fd;        /* -1: none */
	bool may_wait; /* a pipe or terminal, which is asked first whether it has room */
	bool torn;     /* the last line was cut off in the middle */
	uint64_t lost; /* lines since the last that came through */
};

enum log_level log_level = LOG_LV_INFO;

/* Until log_open() says otherwise there is stderr. */
static struct sink on_stderr = { .fd = STDERR_FILENO, .may_wait = true };
static struct sink to_file = { .fd = -1 };
static bool to_syslog;
static char syslog_name[64]; /* openlog() keeps the pointer */

static bool may_wait(int fd)
{
	struct stat st;
	return fstat(fd, &st) != 0 || !S_ISREG(st.st_mode);
}

static bool sink_write(struct sink *s, const char *p, size_t n)
{
	struct pollfd room = { .fd = s->fd, .events = POLLOUT };
	if (s->may_wait && (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT) || room.revents & (POLLERR | POLLHUP)))
		return false;
	ssize_t did;
	do
		did = write(s->fd, p, n);
	while (did < 0 && errno == EINTR);
	if (did > 0)
		s->torn = (size_t)did < n;
	return did == (ssize_t)n;
}

/* line[0] is a newline that is written only behind a torn line. */
static void sink_line(struct sink *s, const char *line, size_t n)
{
	if (s->fd < 0)
		return;
	if (s->lost) {
		char note[80];
		int len = snprintf(note, sizeof note, "\n%llu log line%s lost\n", (unsigned long long)s->lost,
				   s->lost == 1 ? " was" : "s were");
		if (!sink_write(s, note + !s->torn, (size_t)len - !s->torn)) {
			s->lost++;
			return;
		}
		s->lost = 0;
	}
	if (!sink_write(s, line + !s->torn, n - !s->torn))
		s->lost++;
}

struct out {
	char *p, *end;
	bool cut; /* nothing more goes in, though something shorter might fit */
};

static void out_bytes(struct out *o, const char *p, size_t n)
{
	if (o->cut || (size_t)(o->end - o->p) < n) {
		o->cut = true;
		return;
	}
	memcpy(o->p, p, n);
	o->p += n;
}

/* How many bytes of s are one printable UTF-8 character? 0: none, the byte is to be shown as \xNN. */
static size_t printable(const uint8_t *s)
{
	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	size_t n = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
	if (s[0] < 0xC2 || s[0] > 0xF4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xC0) != 0x80) /* the NUL at the end stops it too */
			return 0;
	/* Control characters above ASCII; forms that are too long; surrogates; beyond Unicode. */
	if ((s[0] == 0xC2 && s[1] < 0xA0) || (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] >= 0xA0) ||
	    (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] >= 0x90))
		return 0;
	return n;
}

static void out_text(struct out *o, const char *text)
{
	const uint8_t *s = (const uint8_t *)text;
	while (*s) {
		size_t n = printable(s);
		if (n) {
			out_bytes(o, (const char *)s, n);
			s += n;
		} else {
			static const char hex[] = "0123456789abcdef";
			out_bytes(o, (const char[]){ '\\', 'x', hex[*s >> 4], hex[*s & 15] }, 4);
			s++;
		}
	}
}

/* "2026-03-04 12:03:44.120 UTC [4711] " */
static void out_stamp(struct out *o)
{
	static time_t second = -1;
	static char day[32];
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != second) {
		struct tm tm;
		gmtime_r(&now.tv_sec, &tm);
		strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &tm);
		second = now.tv_sec;
	}
	int n = snprintf(o->p, (size_t)(o->end - o->p), "%s.%03ld UTC [%ld] ", day, now.tv_nsec / 1000000,
			 (long)getpid());
	o->p += n;
}

void log_write(enum log_level lv, const struct log_ctx *ctx, const char *fmt, ...)
{
	int saved = errno;
	char who[256] = "", text[LINE_MAX_BYTES], line[1 + LINE_MAX_BYTES] = "\n";
	struct out o = { line + 1, line + sizeof line - 4, false }; /* behind it: "..." and the newline */

	va_list ap;
	va_start(ap, fmt);
	str_vfmt(text, sizeof text, fmt, ap);
	va_end(ap);
	if (ctx && ctx->describe)
		ctx->describe(ctx, who, sizeof who);

	out_stamp(&o);
	out_bytes(&o, levels[lv].word, strlen(levels[lv].word));
	out_bytes(&o, " ", 1);
	char *body = o.p;
	if (*who) {
		out_text(&o, who);
		out_bytes(&o, " ", 1);
	}
	out_text(&o, text);
	if (o.cut) {
		memcpy(o.p, "...", 3);
		o.p += 3;
	}
	*o.p++ = '\n';
	size_t n = (size_t)(o.p - line);
	sink_line(&on_stderr, line, n);
	sink_line(&to_file, line, n);
	if (to_syslog)
		syslog(levels[lv].priority, "%.*s", (int)(o.p - 1 - body), body);
	errno = saved;
}

bool log_seldom(struct log_seldom *s, enum log_level lv, const struct log_ctx *ctx, const char *fmt, ...)
{
	bool is_due = loop_now() >= s->next_ms;
	char text[LINE_MAX_BYTES / 2], left_out[64] = ""; /* so that there is room for who, and how many */
	if (lv > log_level)
		return false;
	if (!is_due && log_level < LOG_LV_DEBUG) {
		s->left_out++;
		return false;
	}
	va_list ap;
	va_start(ap, fmt);
	str_vfmt(text, sizeof text, fmt, ap);
	va_end(ap);
	if (is_due && s->left_out)
		str_fmt(left_out, sizeof left_out, " (%llu more like it left out)", (unsigned long long)s->left_out);
	if (is_due)
		*s = (struct log_seldom){ loop_now() + SELDOM_MS, 0 };
	log_write(lv, ctx, "%s%s", text, left_out);
	return true;
}

bool log_open(const char *file, const char *syslog_ident, const char *syslog_facility, bool stderr_too, struct fault *f)
{
	int facility = LOG_DAEMON, fd = -1;
	if (*syslog_ident && *syslog_facility) {
		size_t i = 0, n = sizeof facilities / sizeof facilities[0];
		while (i < n && !str_eq_nocase(facilities[i].name, syslog_facility))
			i++;
		if (i == n)
			return fault_set(f, FAULT_CONFIG, "syslog has no facility \"%s\"", syslog_facility);
		facility = facilities[i].value;
	}
	/* Not blocking: a pipe that nobody reads is an error, here and later. */
	if (*file) {
		fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
		if (fd < 0)
			return fault_errno(f, errno, "opening the log file \"%s\"", file);
	}
	if (to_file.fd >= 0)
		close(to_file.fd);
	/* Lines that the old file lost are told in the new one. */
	to_file = (struct sink){ .fd = fd, .may_wait = fd >= 0 && may_wait(fd), .lost = to_file.lost };
	if (stderr_too && on_stderr.fd < 0)
		on_stderr = (struct sink){ .fd = STDERR_FILENO };
	else if (!stderr_too)
		on_stderr.fd = -1;
	on_stderr.may_wait = stderr_too && may_wait(STDERR_FILENO);
	if (to_syslog)
		closelog();
	to_syslog = *syslog_ident;
	if (to_syslog) {
		str_fmt(syslog_name, sizeof syslog_name, "%s", syslog_ident);
		openlog(syslog_name, LOG_PID | LOG_NDELAY, facility);
	}
	return true;
}

bool log_on_stderr(void)
{
	return on_stderr.fd >= 0;
}

void log_close(void)
{
	if (to_file.fd >= 0)
		close(to_file.fd);
	if (to_syslog)
		closelog();
	to_file = (struct sink){ .fd = -1 };
	on_stderr = (struct sink){ .fd = STDERR_FILENO, .may_wait = true };
	to_syslog = false;
}
