/* str.h - text: a growing builder, bounded copies, numbers, and the few comparisons that the C library lacks. */
#ifndef SLUICE_CORE_STR_H
#define SLUICE_CORE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing string; always NUL-terminated once something was added. Sticky: after an allocation failed, or `max` would
 * be passed, `bad` is set and further adds do nothing. */
struct sb {
	char *s; /* owned; sb_free() or sb_take() */
	size_t len, cap;
	size_t max; /* 0: no bound but memory */
	bool bad;
};
void sb_add(struct sb *b, const char *s);
void sb_add_n(struct sb *b, const void *p, size_t n);
void sb_addf(struct sb *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What was built ("" when nothing or bad); valid until the next add. */
const char *sb_str(const struct sb *b);
/* Hands the string over to the caller (free()); NULL when bad. b is empty after. */
char *sb_take(struct sb *b);
void sb_free(struct sb *b);

/* Copies a whole string; false, and dst is "", when it does not fit in cap bytes with its NUL. */
bool str_copy(char *dst, size_t cap, const char *src);
bool str_copy_n(char *dst, size_t cap, const void *src, size_t n);
/* As snprintf, but dst is always terminated and a cut never splits a UTF-8 character. */
void str_fmt(char *dst, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void str_vfmt(char *dst, size_t cap, const char *fmt, va_list ap) __attribute__((format(printf, 3, 0)));
/* ASCII only, whatever the locale. */
bool str_eq_nocase(const char *a, const char *b);
bool str_starts_nocase(const char *s, const char *prefix);
/* All of s is a decimal number of at most max; no sign, no blanks. */
bool str_to_u64(const char *s, uint64_t max, uint64_t *out);
/* Edit distance with swaps, at most `most` + 1; for "did you mean". */
unsigned str_distance(const char *a, const char *b, unsigned most);
/* malloc'ed copies; NULL when out of memory. */
char *str_dup(const char *s);
char *str_dup_n(const void *p, size_t n);
/* Equal, in time that depends on n only. */
bool str_same_secret(const void *a, const void *b, size_t n);
/* Overwrites n bytes in a way that the compiler does not drop. */
void str_wipe(void *p, size_t n);

#endif
