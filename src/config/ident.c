/* ident.c - the ident file: which system user may be which database user. PostgreSQL docs, User Name Maps. */
#include "config/hba_int.h"

#include <stdlib.h>
#include <string.h>

static void line_free(struct ident_line *l)
{
	free(l->map);
	free(l->system);
	if (l->is_regex)
		regfree(&l->regex);
	hba_name_free(&l->user);
}

static bool take_user(struct hba_reading *r, struct hba_name *to, const struct hba_token *word)
{
	enum hba_word is = HBA_NAME;
	if (!word->quoted && word->text[0] == '+')
		return hba_fault(r, "%.100s: who belongs to which role is known to servers only; name the users",
				 word->text);
	if (!word->quoted && strcmp(word->text, "all") == 0)
		is = HBA_ALL;
	else if (!word->quoted && word->text[0] == '/')
		is = HBA_REGEX;
	if (is == HBA_REGEX && !hba_regex(r, &to->regex, word->text + 1))
		return false;
	to->is = is;
	if (hba_copy(r, &to->text, word->text))
		return true;
	if (is == HBA_REGEX)
		regfree(&to->regex);
	return false;
}

static bool take_line(struct hba_reading *r, struct ident_line *l, const struct hba_tokens *t)
{
	if (t->n != 3 || t->at[1].is_next || t->at[2].is_next)
		return hba_fault(r, "three words are expected: a map's name, a system user, a database user");
	const char *system = t->at[1].text;
	bool is_regex = !t->at[1].quoted && *system == '/';
	if (!hba_copy(r, &l->map, t->at[0].text) || !hba_copy(r, &l->system, system + is_regex) ||
	    !take_user(r, &l->user, &t->at[2]))
		return false;
	l->is_regex = is_regex && hba_regex(r, &l->regex, l->system);
	if (is_regex && !l->is_regex)
		return false;
	const char *one = l->user.is == HBA_NAME ? strstr(l->user.text, "\\1") : NULL;
	if (one && (!is_regex || l->regex.re_nsub == 0))
		return hba_fault(r, "\\1 stands for what parentheses caught, and there are none");
	return true;
}

static bool ident_line(struct hba_reading *r, const struct hba_tokens *t, void *arg)
{
	struct ident *i = arg;
	struct ident_line l = { .map = NULL };
	if (i->n == i->cap) {
		size_t cap = i->cap ? i->cap * 2 : 16;
		struct ident_line *at = realloc(i->at, cap * sizeof *at);
		if (!at)
			return hba_nomem(r);
		i->at = at;
		i->cap = cap;
	}
	if (!take_line(r, &l, t)) {
		line_free(&l);
		return false;
	}
	i->at[i->n++] = l;
	return true;
}

bool ident_read(struct ident *i, const char *path, const struct hba_sink *sink, bool *nomem)
{
	struct hba_reading r = { .sink = sink, .file = path };
	*i = (struct ident){ NULL, 0, 0 };
	hba_each_line(&r, path, "", ident_line, i);
	*nomem = r.nomem;
	return !r.failed;
}

bool ident_has_map(const struct ident *i, const char *map)
{
	for (size_t n = 0; n < i->n; n++)
		if (strcmp(i->at[n].map, map) == 0)
			return true;
	return false;
}

void ident_free(struct ident *i)
{
	for (size_t n = 0; n < i->n; n++)
		line_free(&i->at[n]);
	free(i->at);
	*i = (struct ident){ NULL, 0, 0 };
}
