/* mysql_tail.c - a text of MySQL's too long to be read at once, in pieces as they pass, as tail.c. Whoever is in doubt
 * says yes. MySQL Reference Manual: User-Defined Variables, Locking Functions, Information Functions. */
#include "sql/glance.h"
#include "sql/mysql_int.h"

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t before_blanks(const uint8_t *s, size_t i)
{
	while (i > 0 && is_blank(s[i - 1]))
		i--;
	return i;
}

static size_t behind_blanks(const uint8_t *s, size_t n, size_t i)
{
	while (i < n && is_blank(s[i]))
		i++;
	return i;
}

static bool ends_comment(const uint8_t *s, size_t i)
{
	return i > 1 && s[i - 1] == '/' && s[i - 2] == '*';
}

static bool ends_with(const uint8_t *s, size_t n, const char *word)
{
	size_t len = strlen(word);
	return n >= len && strncasecmp((const char *)s + n - len, word, len) == 0 &&
	       (n == len || !is_of(s[n - len - 1], C_WORD));
}

/* Where the name of a variable ends that begins at i. */
static size_t behind_name(const uint8_t *s, size_t n, size_t i)
{
	if (i < n && (s[i] == '`' || s[i] == '\'' || s[i] == '"')) {
		const uint8_t *end = memchr(s + i + 1, s[i], n - i - 1);
		return end ? (size_t)(end - s) + 1 : n;
	}
	while (i < n && (is_of(s[i], C_WORD) || s[i] == '.'))
		i++;
	return i;
}

/* Is the variable whose @ is at i given a value? In most texts that have one it is within an address. */
static bool is_written(const uint8_t *s, size_t n, size_t i, bool assigns)
{
	size_t from = before_blanks(s, i), to = behind_blanks(s, n, behind_name(s, n, i + 1));
	if (ends_with(s, from, "into") || ends_comment(s, from))
		return true;
	if (assigns && from > 0 && (s[from - 1] == '(' || s[from - 1] == ','))
		return true;
	return n - to > 1 && s[to] == ':' && s[to + 1] == '=';
}

/* What is called by the parenthesis at i. */
static uint32_t called(const uint8_t *s, size_t i, const struct sql_funcs *funcs)
{
	size_t end = before_blanks(s, i), from = end;
	while (from > 0 && is_of(s[from - 1], C_WORD))
		from--;
	if (from < end)
		return sql_funcs_find(funcs, s + from, end - from, true, NULL);
	if (ends_comment(s, end))
		return MY_CALL_USER; /* it may be any */
	if (end > 0 && (s[end - 1] == '`' || s[end - 1] == '"')) {
		const uint8_t *open = memrchr(s, s[end - 1], end - 1);
		if (open)
			return sql_funcs_find(funcs, open + 1, end - 2 - (size_t)(open - s), true, NULL);
	}
	return 0;
}

static unsigned look_at_call(const uint8_t *s, size_t n, size_t i, const struct sql_funcs *funcs)
{
	uint32_t calls = called(s, i, funcs);
	size_t inside = behind_blanks(s, n, i + 1);
	unsigned may = calls & MY_CALL_GET_LOCK || calls >= MY_CALL_USER ? (unsigned)MY_MAY_CHANGE : 0;
	return may | (calls & MY_CALL_LAST_INSERT_ID && inside < n && s[inside] != ')' ? (unsigned)MY_MAY_SET_ID : 0);
}

static bool counts_found(const uint8_t *s, size_t n)
{
	static const char word[] = "sql_calc_found_rows";
	const size_t front = 3, len = sizeof word - 1;
	const uint8_t *p = s, *end = s + n;
	while ((p = memchr(p, '_', (size_t)(end - p)))) {
		if ((size_t)(p - s) >= front && (size_t)(end - p) >= len - front &&
		    strncasecmp((const char *)p - front, word, len) == 0)
			return true;
		p++;
	}
	return false;
}

static unsigned look(const void *text, size_t n, const struct sql_funcs *funcs, bool assigns)
{
	const uint8_t *s = text, *p = s, *end = s + n;
	unsigned may = counts_found(s, n) ? (unsigned)MY_MAY_COUNT : 0;
	for (; !(may & MY_MAY_CHANGE) && (p = memchr(p, '@', (size_t)(end - p))); p++)
		may |= is_written(s, n, (size_t)(p - s), assigns) ? (unsigned)MY_MAY_CHANGE : 0;
	for (p = s; (p = memchr(p, '(', (size_t)(end - p))); p++)
		may |= look_at_call(s, n, (size_t)(p - s), funcs);
	return may;
}

static unsigned look_at_query(const void *text, size_t n, const struct sql_funcs *funcs)
{
	return look(text, n, funcs, false);
}

static unsigned look_at_call_of_routine(const void *text, size_t n, const struct sql_funcs *funcs)
{
	return look(text, n, funcs, true);
}

/* CREATE [OR REPLACE] [DEFINER = x] TEMPORARY; what is created is looked for no further. */
static bool is_temporary(struct my_cur *c)
{
	for (unsigned i = 0; i < 3; i++, my_step(c))
		if (c->w == M_TEMPORARY)
			return true;
	return false;
}

unsigned my_pieces_begin(struct my_pieces *t, const void *front, size_t n, unsigned mode, const struct sql_funcs *funcs)
{
	struct my_cur c;
	*t = (struct my_pieces){ .funcs = funcs };
	my_lex_init(&c.lex, front, n, mode);
	my_step(&c);
	while (c.t.c == '(')
		my_step(&c);
	switch (c.w) {
	case M_SELECT:
	case M_INSERT:
	case M_REPLACE:
	case M_UPDATE:
	case M_DELETE:
	case M_WITH:
	case M_VALUES:
	case M_TABLE:
	case M_DO:
	case M_EXPLAIN:
	case M_DESC:
	case M_DESCRIBE:
	case M_ANALYZE:
	case M_ALTER:
	case M_DROP:
	case M_GRANT:
	case M_REVOKE:
	case M_KILL:
	case M_SHOW:
	case M_TRUNCATE:
		return 0;
	case M_CREATE:
		my_step(&c);
		return is_temporary(&c) ? MY_MAY_CHANGE : 0;
	case M_LOAD:
		t->assigns = true;
		return 0;
	case M_CALL:
		t->assigns = true;
		return MY_MAY_SET_ID;
	default:
		return MY_MAY_CHANGE;
	}
}

unsigned my_pieces_may(struct my_pieces *t, const void *piece, size_t n)
{
	return sql_pieces_look(&t->pieces, piece, n, t->funcs, t->assigns ? look_at_call_of_routine : look_at_query);
}
