/* tail.c - a text too long to be read at once, in pieces as they pass: may there be anything in it that changes its
 * session? Whoever is in doubt says yes. PostgreSQL docs, SQL Syntax: Lexical Structure; SQL Commands. */
#include "sql/classify_int.h"
#include "sql/glance.h"

#include <string.h>
#include <strings.h>

/* First words of statements that change nothing by themselves: a function that they call, or TEMP in them, is looked
 * for everywhere. In order. */
static const char *const harmless[] = {
	"abort",  "alter",  "analyze", "begin",   "call",     "cluster", "comment", "commit",   "copy",
	"create", "delete", "drop",    "end",     "fetch",    "from",    "grant",   "insert",   "lock",
	"merge",  "move",   "notify",  "refresh", "reindex",  "release", "revoke",  "rollback", "savepoint",
	"select", "show",   "start",   "table",   "truncate", "update",  "vacuum",  "values",   "with",
};

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Behind blanks and comments; SIZE_MAX: they do not end here. */
static size_t behind_blanks(const uint8_t *s, size_t n, size_t i)
{
	while (i < n) {
		if (is_blank(s[i])) {
			i++;
			continue;
		}
		if (i + 1 == n && (s[i] == '-' || s[i] == '/'))
			return SIZE_MAX;
		if (s[i] == '-' && s[i + 1] == '-') {
			const uint8_t *end = memchr(s + i, '\n', n - i);
			if (!end)
				return SIZE_MAX;
			i = (size_t)(end - s) + 1;
		} else if (s[i] == '/' && s[i + 1] == '*') {
			const uint8_t *end = memmem(s + i + 2, n - i - 2, "*/", 2);
			if (!end)
				return SIZE_MAX;
			i = (size_t)(end - s) + 2;
		} else {
			return i;
		}
	}
	return SIZE_MAX;
}

/* What begins behind the semicolon at i - 1. What runs over the end is looked at with what follows, unless it is too
 * long for that. */
static bool is_harmless(const uint8_t *s, size_t n, size_t i)
{
	bool is_short = n - i < SQL_SEAM / 2;
	size_t from = behind_blanks(s, n, i), to = from;
	if (from == SIZE_MAX)
		return is_short;
	while (to < n && is_of(s[to], C_WORD))
		to++;
	if (to == n)
		return is_short;
	for (size_t k = 0; k < sizeof harmless / sizeof *harmless; k++)
		if (strlen(harmless[k]) == to - from &&
		    strncasecmp((const char *)s + from, harmless[k], to - from) == 0)
			return true;
	return to == from; /* an error, or a parenthesis and a query */
}

static bool ends_with(const uint8_t *s, size_t n, const char *word)
{
	size_t len = strlen(word);
	return n >= len && strncasecmp((const char *)s + n - len, word, len) == 0 &&
	       (n == len || !is_of(s[n - len - 1], C_WORD));
}

/* Is "temp" at i the word that makes a table temporary? */
static bool is_temp(const uint8_t *s, size_t n, size_t i)
{
	static const char *const before[] = { "create", "replace", "into", "local", "global" };
	size_t end = i;
	while (end < n && is_of(s[end], C_WORD))
		end++;
	if (i == 0 || end == n || is_of(s[i - 1], C_WORD) ||
	    !(end - i == 4 || (end - i == 9 && !strncasecmp((const char *)s + i, "temporary", 9))))
		return false;
	while (i > 0 && is_blank(s[i - 1]))
		i--;
	for (size_t k = 0; k < sizeof before / sizeof *before; k++)
		if (ends_with(s, i, before[k]))
			return true;
	return i > 0 && s[i - 1] == '/'; /* a comment's end */
}

/* UPDATE of pg_settings sets what is updated there, and what is created in pg_temp is temporary. */
static bool names_relation(const uint8_t *s, size_t n)
{
	static const char *const names[] = { "pg_settings", "pg_temp" };
	const uint8_t *p = s;
	while ((p = memchr(p, '_', n - (size_t)(p - s)))) {
		for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
			size_t at = (size_t)(p - s), len = strlen(names[i]);
			if (at >= 2 && n - at >= len - 2 && strncasecmp((const char *)p - 2, names[i], len) == 0)
				return true;
		}
		p++;
	}
	return false;
}

bool sql_piece_may_change(const void *text, size_t n, const struct sql_funcs *funcs)
{
	const uint8_t *s = text, *p;
	unsigned hints = sql_hints(s, n, funcs);
	if (hints & (HINT_CALL | HINT_UNAME))
		return true;
	if (names_relation(s, n))
		return true;
	for (p = s; hints & HINT_SEMI && (p = memchr(p, ';', n - (size_t)(p - s))); p++)
		if (!is_harmless(s, n, (size_t)(p - s) + 1))
			return true;
	for (size_t i = 0; hints & HINT_TEMP && i + 4 <= n; i++)
		if ((s[i] | 0x20) == 't' && strncasecmp((const char *)s + i, "temp", 4) == 0 && is_temp(s, n, i))
			return true;
	return false;
}

static unsigned look_at(const void *text, size_t n, const struct sql_funcs *funcs)
{
	return sql_piece_may_change(text, n, funcs);
}

bool sql_pieces_may_change(struct sql_pieces *t, const void *piece, size_t n, const struct sql_funcs *funcs)
{
	return sql_pieces_look(t, piece, n, funcs, look_at) != 0;
}

unsigned sql_pieces_look(struct sql_pieces *t, const void *piece, size_t n, const struct sql_funcs *funcs,
			 sql_look_fn *look)
{
	uint8_t seam[2 * SQL_SEAM];
	const uint8_t *s = piece;
	size_t more = n < SQL_SEAM ? n : SQL_SEAM;
	memcpy(seam, t->end, t->n);
	memcpy(seam + t->n, s, more);
	size_t len = t->n + more;
	unsigned may = t->n ? look(seam, len, funcs) : 0;
	t->n = (uint8_t)(len < SQL_SEAM ? len : SQL_SEAM);
	if (n >= SQL_SEAM)
		memcpy(t->end, s + n - SQL_SEAM, SQL_SEAM);
	else
		memcpy(t->end, seam + len - t->n, t->n);
	return may | look(piece, n, funcs);
}
