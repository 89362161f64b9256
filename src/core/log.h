/* log.h - the log: lines to stderr, a file, or syslog; levels; and the id of whom a line is about.
 *    2026-03-04 12:03:44.120 UTC [4711] LOG C-0x72a: shop/anna@10.0.0.7:51234 closing: client close (age=12s)
 * error: a human must act; warn: refused or lost; info ("LOG"): connect, disconnect with reason, reload; debug: states.
 * Never a password or a bind value; query text only at debug. Nothing here allocates. A line that cannot be written at
 * once (disk full, a pipe that nobody reads) is counted and the next that can be is preceded by "N log lines were
 * lost"; only syslog(3) may wait, for its daemon. SIGPIPE is main's to ignore. A line has at most 4,096 bytes; a longer
 * one is cut and ends in "...". */
#ifndef SLUICE_CORE_LOG_H
#define SLUICE_CORE_LOG_H

#include "core/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LV_ERROR, LOG_LV_WARN, LOG_LV_INFO, LOG_LV_DEBUG, LOG_LV_NOISE };

/* Embedded, and 8 bytes, in everything that logs as somebody: the first line of its struct's description.
 * describe() writes "C-0x72a: shop/anna@10.0.0.7:51234" into out. */
struct log_ctx {
	void (*describe)(const struct log_ctx *ctx, char *out, size_t cap);
};

extern enum log_level log_level; /* what is printed: this and all above it */

#define log_at(lv, ctx, ...) ((lv) <= log_level ? log_write((lv), (ctx), __VA_ARGS__) : (void)0)
#define log_error(ctx, ...)  log_at(LOG_LV_ERROR, ctx, __VA_ARGS__)
#define log_warn(ctx, ...)   log_at(LOG_LV_WARN, ctx, __VA_ARGS__)
#define log_info(ctx, ...)   log_at(LOG_LV_INFO, ctx, __VA_ARGS__)
#define log_debug(ctx, ...)  log_at(LOG_LV_DEBUG, ctx, __VA_ARGS__)
#define log_noise(ctx, ...)  log_at(LOG_LV_NOISE, ctx, __VA_ARGS__)

/* ctx may be NULL: the daemon itself speaks. Control characters in what peers sent are shown as \xNN. */
void log_write(enum log_level lv, const struct log_ctx *ctx, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Lines whose pace others set: of those from one place the first is written, and then at most one a second, which tells
 * how many were left out. At level debug all of them are. True: it is written. */
struct log_seldom {
	uint64_t next_ms; /* when there may be another */
	uint64_t left_out;
};
bool log_seldom(struct log_seldom *s, enum log_level lv, const struct log_ctx *ctx, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Where lines go. file: "" for none, opened to append; syslog_ident: "" for none; on_stderr besides. Called again after
 * a reload or SIGHUP: reopens the file, and keeps the old one, with a fault, when the new one cannot be opened. */
bool log_open(const char *file, const char *syslog_ident, const char *syslog_facility, bool on_stderr, struct fault *f);
/* Back to how it began: stderr alone. */
void log_close(void);
bool log_on_stderr(void);

#endif
