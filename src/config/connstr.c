/* connstr.c - key=value pairs and quoted names, as PgBouncer writes them. */
#include "config/connstr.h"

#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_key(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

char *connstr_unquote(char *p)
{
	char quote = *p, *out = p;
	for (p++; *p; p++) {
		if (*p == quote) {
			if (p[1] != quote)
				break;
			p++;
		}
		*out++ = *p;
	}
	if (*p != quote)
		return NULL;
	*out = '\0';
	return p + 1;
}

void connstr_init(struct connstr *c, char *text)
{
	*c = (struct connstr){ text, text, 0, false };
}

enum connstr_got connstr_next(struct connstr *c, char **key, char **value)
{
	char *p = c->at;
	while (is_blank(*p))
		p++;
	c->pair = (size_t)(p - c->start);
	if (!*p)
		return CONNSTR_END;

	char *name = p;
	while (is_key(*p))
		p++;
	char *name_end = p;
	if (p == name)
		return CONNSTR_NO_KEY;
	while (is_blank(*p))
		p++;
	if (*p != '=')
		return CONNSTR_NO_EQUALS;
	p++;
	while (is_blank(*p))
		p++;

	char *text = p;
	bool quoted = *p == '\'';
	if (quoted) {
		p = connstr_unquote(p);
		if (!p)
			return CONNSTR_OPEN;
		if (*p && !is_blank(*p))
			return CONNSTR_BEHIND;
	} else {
		while (*p && !is_blank(*p))
			p++;
		if (*p)
			*p++ = '\0';
	}
	*name_end = '\0';
	c->at = p;
	c->quoted = quoted;
	*key = name;
	*value = text;
	return CONNSTR_PAIR;
}

const char *connstr_why(enum connstr_got got)
{
	switch (got) {
	case CONNSTR_NO_KEY:
		return "a key of letters, digits and _ is expected";
	case CONNSTR_NO_EQUALS:
		return "a key without = (quote a value that holds blanks)";
	case CONNSTR_OPEN:
		return "the closing quote of the value is missing";
	case CONNSTR_BEHIND:
		return "a blank is expected behind the closing quote (a quote inside is written twice)";
	case CONNSTR_PAIR:
	case CONNSTR_END:
		break;
	}
	return "";
}

bool connstr_name(char *name)
{
	if (*name == '"' || *name == '\'') {
		const char *end = connstr_unquote(name);
		return end && !*end && *name;
	}
	return *name && !strpbrk(name, " \t\"");
}
