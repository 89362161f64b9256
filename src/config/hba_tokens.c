/* hba_tokens.c - words of pg_hba.conf and pg_ident.conf. PostgreSQL docs, The pg_hba.conf File. */
#include "config/hba_tokens.h"

#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

static bool add(struct hba_tokens *t, struct hba_token token)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 8;
		struct hba_token *at = realloc(t->at, cap * sizeof *at);
		if (!at)
			return false;
		t->at = at;
		t->cap = cap;
	}
	t->at[t->n++] = token;
	return true;
}

/* One word from p, written over itself without its quotes; what follows it, or NULL when a quote is open. The byte that
 * ended it is in *ended, for its place may be taken by the NUL. */
static char *word(char *p, char *ended)
{
	char *to = p;
	bool in_quotes = false;
	for (;; p++) {
		if (*p == '"') {
			if (in_quotes && p[1] == '"')
				*to++ = *p++;
			else
				in_quotes = !in_quotes;
		} else if (!*p || (!in_quotes && (is_blank(*p) || *p == ',' || *p == '#'))) {
			break;
		} else {
			*to++ = *p;
		}
	}
	if (in_quotes)
		return NULL;
	*ended = *p;
	*to = '\0';
	return *ended ? p + 1 : p;
}

enum hba_cut hba_cut(struct hba_tokens *t, char *line)
{
	bool is_next = false;
	char *p = line;
	t->n = 0;
	for (;;) {
		while (is_blank(*p))
			p++;
		if (!*p || *p == '#')
			return HBA_CUT;
		if (*p == ',') { /* behind a blank or another comma it means nothing, as in PostgreSQL */
			p++;
			continue;
		}
		struct hba_token token = { p, *p == '"', is_next };
		char ended;
		p = word(p, &ended);
		if (!p)
			return HBA_CUT_OPEN;
		if (!add(t, token))
			return HBA_CUT_NOMEM;
		if (ended == '#')
			return HBA_CUT;
		is_next = ended == ',';
	}
}

void hba_tokens_free(struct hba_tokens *t)
{
	free(t->at);
	*t = (struct hba_tokens){ NULL, 0, 0 };
}

size_t hba_field(const struct hba_tokens *t, size_t *at)
{
	size_t from = *at;
	if (from < t->n)
		for (++*at; *at < t->n && t->at[*at].is_next; ++*at)
			;
	return *at - from;
}

static bool goes_on(const char *text, size_t len)
{
	return len > 0 && text[len - 1] == '\\';
}

char *hba_next_line(struct lines *l, struct sb *joined, int *line, bool *bad)
{
	size_t len;
	char *text = lines_next(l, &len);
	*line = l->line;
	*bad = text && strlen(text) < len;
	if (!text || !goes_on(text, len))
		return text;
	sb_free(joined);
	while (text && goes_on(text, len)) {
		sb_add_n(joined, text, len - 1);
		text = lines_next(l, &len);
		*bad |= text && strlen(text) < len;
	}
	if (text)
		sb_add_n(joined, text, len);
	if (!joined->s)
		sb_add(joined, ""); /* a lone backslash at the end of the file */
	return joined->s;
}
