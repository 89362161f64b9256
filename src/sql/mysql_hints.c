/* mysql_hints.c - a glance at a text of MySQL's: whether bytes occur in it that would mean that it has to be read word
 * by word. */
#include "sql/glance.h"
#include "sql/mysql_int.h"

#include <string.h>

struct seen {
	bytes semi, paren, at, comment;
};

static inline void look(struct seen *seen, const uint8_t *s)
{
	bytes a = load(s);
	seen->semi |= (bytes)(a == ';');
	seen->paren |= (bytes)(a == '(');
	seen->at |= (bytes)(a == '@');
	seen->comment |= (bytes)(a == '/') & (bytes)(load(s + 1) == '*');
}

/* May what stands before the parenthesis at i be the name of one of the functions? */
static bool may_call(const uint8_t *s, size_t i, const struct sql_funcs *funcs)
{
	size_t from = word_before(s, &i);
	if (i == 0)
		return false;
	uint8_t c = s[i - 1];
	if (from < i) /* a number may end within what looks like one word */
		return (s[from] >= '0' && s[from] <= '9') || sql_funcs_find(funcs, s + from, i - from, true, NULL);
	/* A name in quotes; the end of a line, or of a comment. */
	return c == '`' || c == '"' || c == '/' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

unsigned my_hints(const uint8_t *s, size_t n, const struct sql_funcs *funcs)
{
	struct seen seen = { 0 };
	size_t i = 0;
	for (; n - i > STEP; i += STEP)
		look(&seen, s + i);
	uint8_t tail[STEP + 1] = { 0 };
	memcpy(tail, s + i, n - i < sizeof tail ? n - i : sizeof tail);
	look(&seen, tail);
	unsigned hints = HINT_KNOWN | (any(seen.semi) ? HINT_SEMI : 0u) | (any(seen.at) ? HINT_AT : 0u) |
			 (any(seen.comment) ? HINT_COMMENT : 0u);
	if (!funcs || !any(seen.paren))
		return hints;
	const uint8_t *p = s, *end = s + n;
	while ((p = memchr(p, '(', (size_t)(end - p)))) {
		if (may_call(s, (size_t)(p - s), funcs))
			return hints | HINT_CALL;
		p++;
	}
	return hints;
}
