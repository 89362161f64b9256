/* hints.c - a glance at a text: whether bytes occur in it that would mean that it has to be read word by word. */
#include "sql/classify_int.h"
#include "sql/glance.h"

#include <string.h>

#define AHEAD 3 /* bytes that are looked at behind a step's own */

struct seen {
	bytes semi, paren, temp, into, lock, uname;
};

/* The bit that makes letters small makes others of other bytes too; that only says "look" once too often. */
static inline void look(struct seen *seen, const uint8_t *s)
{
	bytes a = load(s), small = a | 0x20, b = load(s + 1), b_small = b | 0x20, c_small = load(s + 2) | 0x20;
	seen->semi |= (bytes)(a == ';');
	seen->paren |= (bytes)(a == '(');
	seen->uname |= (bytes)(a == '&') & (bytes)(b == '"');
	seen->temp |= (bytes)(small == 't') & (bytes)(b_small == 'e') & (bytes)(c_small == 'm') &
		      (bytes)((load(s + 3) | 0x20) == 'p');
	seen->into |= (bytes)(small == 'n') & (bytes)(b_small == 't') & (bytes)(c_small == 'o');
	seen->lock |= (bytes)(small == 'f') & (bytes)(b_small == 'o') & (bytes)(c_small == 'r');
}

/* May what stands before the parenthesis at i be the name of one of the functions? */
static bool may_call(const uint8_t *s, size_t i, const struct sql_funcs *funcs)
{
	size_t from = word_before(s, &i);
	if (i == 0)
		return false;
	uint8_t c = s[i - 1];
	if (from < i) {
		/* A number, a parameter or $tag$ may end within, and names are cut. */
		return (s[from] >= '0' && s[from] <= '9') || s[from] == '$' || i - from > SQL_IDENT_MAX ||
		       sql_funcs_find(funcs, s + from, i - from, true, NULL);
	}
	if (c == '"') {
		const uint8_t *open = memrchr(s, '"', i - 1);
		if (!open || open == s || open[-1] == '"' || open[-1] == '&')
			return true;
		size_t len = i - 2 - (size_t)(open - s);
		return len > SQL_IDENT_MAX || sql_funcs_find(funcs, open + 1, len, false, NULL);
	}
	return c == '/' || c == '\n' || c == '\r' || c == '\f' || c == '\v' || c == '\''; /* comments, UESCAPE '!' */
}

unsigned sql_hints(const uint8_t *s, size_t n, const struct sql_funcs *funcs)
{
	struct seen seen = { 0 };
	size_t i = 0;

	unsigned last = 0;

	for (; n - i >= STEP + AHEAD; i += STEP)
		look(&seen, s + i);
	if (n >= STEP + AHEAD) {
		/* The last step goes over some of what was looked at already. Of the three bytes behind it only these
		 * mean something where they stand. */
		look(&seen, s + n - STEP - AHEAD);
		for (size_t k = n - AHEAD; k < n; k++)
			last |= (s[k] == ';' ? HINT_SEMI : 0u) | (s[k] == '(' ? HINT_PAREN : 0u);
		if ((s[n - 3] | 0x20) == 'n' && (s[n - 2] | 0x20) == 't' && (s[n - 1] | 0x20) == 'o')
			last |= HINT_INTO;
	} else {
		uint8_t tail[2 * STEP + AHEAD] = { 0 };
		for (size_t k = 0; k < n; k++)
			tail[k] = s[k];
		look(&seen, tail);
		look(&seen, tail + STEP);
	}
	unsigned hints = HINT_KNOWN | last | (any(seen.semi) ? HINT_SEMI : 0) | (any(seen.paren) ? HINT_PAREN : 0) |
			 (any(seen.temp) ? HINT_TEMP : 0) | (any(seen.into) ? HINT_INTO : 0) |
			 (any(seen.lock) ? HINT_FOR : 0) | (any(seen.uname) ? HINT_UNAME : 0);
	if (funcs && (hints & HINT_PAREN)) {
		const uint8_t *p = s, *end = s + n;
		while ((p = memchr(p, '(', (size_t)(end - p)))) {
			if (may_call(s, (size_t)(p - s), funcs)) {
				hints |= HINT_CALL;
				break;
			}
			p++;
		}
	}
	return hints;
}
