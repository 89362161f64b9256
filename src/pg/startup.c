/* startup.c - what a client asks for in its first packet. PostgreSQL docs, Message Formats, StartupMessage. */
#include "pg/startup.h"

bool pg_startup_next(struct rd *body, const char **name, const char **value, bool *ok)
{
	*name = rd_cstr(body, NULL);
	if (body->bad || !**name) {
		*ok = rd_done(body); /* the empty name is the terminator, and nothing may follow */
		return false;
	}
	*value = rd_cstr(body, NULL);
	*ok = !body->bad;
	return !body->bad;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* One word; a backslash takes the next character as it is. False when it is longer than cap. */
static bool next_word(const char **at, char *out, size_t cap)
{
	const char *s = *at;
	size_t n = 0;
	while (is_blank(*s))
		s++;
	for (; *s && !is_blank(*s); s++) {
		if (*s == '\\' && s[1])
			s++;
		if (n + 1 >= cap)
			return false;
		out[n++] = *s;
	}
	out[n] = 0;
	*at = s;
	return true;
}

enum pg_option_found pg_next_option(const char **at, struct pg_option *out)
{
	char word[sizeof out->name + PG_OPTION_MAX];
	bool is_long;
	char *eq;

	if (!next_word(at, word, sizeof word))
		return PG_OPTION_BAD;
	if (!word[0])
		return PG_OPTION_END;
	is_long = word[0] == '-' && word[1] == '-';
	if (!is_long && !(word[0] == '-' && word[1] == 'c'))
		return PG_OPTION_BAD;
	if (!is_long && !word[2]) { /* "-c" alone: the next word */
		if (!next_word(at, word + 2, sizeof word - 2))
			return PG_OPTION_BAD;
	}
	eq = strchr(word + 2, '=');
	if (!eq || eq == word + 2 || (size_t)(eq - word - 2) >= sizeof out->name || strlen(eq + 1) >= sizeof out->value)
		return PG_OPTION_BAD;
	*eq = 0;
	for (size_t i = 0;; i++) {
		char c = word[2 + i];
		out->name[i] = is_long && c == '-' ? '_' : c;
		if (!c)
			break;
	}
	memcpy(out->value, eq + 1, strlen(eq + 1) + 1);
	return PG_OPTION_OK;
}
