/* setting.c - what a SET says: which setting, and which value. PostgreSQL docs, SET; Setting Parameters. */
#include "sql/parse_int.h"

#include <string.h>

/* --- SET, RESET and SHOW, each parsed up to its end; false: that is not how it is written. */

/* A name of one or more parts. */
static bool take_setting_name(struct cur *c, struct sql_stmt *st)
{
	struct sql_span part;
	if (!take_name(c, &st->name))
		return false;
	while (c->t.c == '.') {
		step(c);
		if (!take_name(c, &part))
			return false;
		st->name = span_to(st->name, part);
	}
	return true;
}

/* One of a list of values. */
static bool take_value(struct cur *c, struct sql_span *value)
{
	*value = c->t.span;
	if (c->t.c == '+' || c->t.c == '-') {
		step(c);
		*value = span_to(*value, c->t.span);
		if (c->t.kind != SQL_TOK_NUMBER)
			return false;
		step(c);
		return true;
	}
	if (c->t.kind != SQL_TOK_NUMBER && !is_name(c) && !is_string(c))
		return false;
	bool unicode = c->t.kind == SQL_TOK_UQUOTED || c->t.kind == SQL_TOK_USTRING;
	step(c);
	if (unicode && take(c, W_UESCAPE)) {
		*value = span_to(*value, c->t.span);
		return take_string(c);
	}
	return true;
}

/* What stands behind = or TO, up to the end. */
static bool take_values(struct cur *c, struct sql_stmt *st)
{
	struct sql_span part;
	if (c->w == W_DEFAULT) {
		st->flags |= SQL_DEFAULT;
		step(c);
		return true;
	}
	if (!take_value(c, &st->value))
		return false;
	while (c->t.c == ',') {
		step(c);
		if (!take_value(c, &part))
			return false;
		st->value = span_to(st->value, part);
	}
	return true;
}

/* One word or string, or DEFAULT. */
static bool take_one(struct cur *c, struct sql_stmt *st, const char *setting)
{
	st->setting = setting;
	if (take(c, W_DEFAULT)) {
		st->flags |= SQL_DEFAULT;
		return true;
	}
	return (is_name(c) || is_string(c)) && take_value(c, &st->value);
}

static bool take_zone(struct cur *c, struct sql_stmt *st)
{
	st->setting = "timezone";
	if (take(c, W_DEFAULT) || take(c, W_LOCAL)) {
		st->flags |= SQL_DEFAULT;
		return true;
	}
	if (c->w != W_INTERVAL)
		return take_value(c, &st->value);
	/* INTERVAL '1' HOUR TO MINUTE, INTERVAL (2) '1': the server's to understand */
	st->value = c->t.span;
	for (step(c); !at_end(c); step(c)) {
		if (c->t.kind != SQL_TOK_WORD && c->t.kind != SQL_TOK_NUMBER && c->t.c != '(' && c->t.c != ')' &&
		    !is_string(c))
			return false;
		st->value = span_to(st->value, c->t.span);
	}
	return true;
}

/* Does the word that was just taken stand as a name, as something is given to it? */
static bool is_assigned(const struct cur *c)
{
	return c->t.c == '=' || c->t.c == '.' || c->w == W_TO || c->w == W_FROM;
}

bool sql_parse_set(struct cur *c, struct sql_stmt *st)
{
	struct cur word = *c;
	st->kind = SQL_SET;
	step(c);
	if ((word.w == W_SESSION || word.w == W_LOCAL) && !is_assigned(c) &&
	    !(word.w == W_SESSION && (c->w == W_AUTHORIZATION || c->w == W_CHARACTERISTICS))) {
		if (word.w == W_LOCAL)
			st->flags |= SQL_LOCAL;
		word = *c;
		step(c);
	}
	if (!is_assigned(c)) {
		switch (word.w) {
		case W_TIME:
			return take(c, W_ZONE) && take_zone(c, st);
		case W_NAMES:
			if (at_end(c)) {
				st->flags |= SQL_DEFAULT;
				st->setting = "client_encoding";
				return true;
			}
			return (is_string(c) || c->w == W_DEFAULT) && take_one(c, st, "client_encoding");
		case W_SCHEMA:
			return is_string(c) && take_one(c, st, "search_path");
		case W_ROLE:
			return c->w != W_DEFAULT && take_one(c, st, "role");
		case W_SESSION:
			if (take(c, W_AUTHORIZATION))
				return take_one(c, st, "session_authorization");
			st->kind = SQL_SET_CHARACTERISTICS;
			return take(c, W_CHARACTERISTICS) && take(c, W_AS) && take(c, W_TRANSACTION) && !at_end(c) &&
			       sql_take_modes(c, &st->modes);
		case W_TRANSACTION:
			st->kind = SQL_SET_TRANSACTION;
			if (take(c, W_SNAPSHOT))
				return take_string(c);
			return !at_end(c) && sql_take_modes(c, &st->modes);
		case W_CONSTRAINTS:
			st->kind = SQL_SET_CONSTRAINTS;
			while (!at_end(c) && c->t.kind != SQL_TOK_BAD)
				step(c);
			return c->t.kind != SQL_TOK_BAD;
		case W_XML:
			return take(c, W_OPTION) && (c->w == W_DOCUMENT || c->w == W_CONTENT) &&
			       take_one(c, st, "xmloption");
		default:
			return false;
		}
	}
	*c = word;
	if (!take_setting_name(c, st))
		return false;
	if (take(c, W_FROM))
		return take(c, W_CURRENT);
	if (c->t.c == '=')
		step(c);
	else if (!take(c, W_TO))
		return false;
	return take_values(c, st);
}

bool sql_parse_reset(struct cur *c, struct sql_stmt *st)
{
	struct cur word = *c;
	if (take(c, W_ALL)) {
		st->flags |= SQL_ALL;
		return true;
	}
	step(c);
	if (word.w == W_TIME && take(c, W_ZONE)) {
		st->setting = "timezone";
		return true;
	}
	if (word.w == W_SESSION && take(c, W_AUTHORIZATION)) {
		st->setting = "session_authorization";
		return true;
	}
	if (word.w == W_TRANSACTION && take(c, W_ISOLATION)) {
		st->setting = "transaction_isolation";
		return take(c, W_LEVEL);
	}
	*c = word;
	return take_setting_name(c, st);
}

/* --- What a SET says */

int sql_setting_name(const void *text, unsigned mode, const struct sql_stmt *st, char *out, size_t cap)
{
	size_t n = 0;
	if (cap)
		out[0] = '\0';
	if (st->setting) {
		n = strlen(st->setting);
		if (n >= cap)
			return SQL_NOT_TOLD;
		memcpy(out, st->setting, n + 1);
		return (int)n;
	}
	const uint8_t *s = text;
	struct sql_lexer l;
	struct sql_token t;
	sql_lex_init(&l, s + st->name.at, st->name.len, mode);
	while (sql_lex(&l, &t) != SQL_TOK_END) {
		char part[SQL_IDENT_MAX + 1] = ".";
		int len = 1;
		if (t.c != '.')
			len = sql_ident_decode(l.s + t.span.at, t.span.len, mode, part);
		if (len < 0 || (size_t)len >= cap - n || cap == 0)
			goto not_told;
		for (int i = 0; i < len; i++)
			out[n++] = (char)(part[i] >= 'A' && part[i] <= 'Z' ? part[i] | 0x20 : part[i]);
		out[n] = '\0';
	}
	if (n)
		return (int)n;
not_told:
	if (cap)
		out[0] = '\0';
	return SQL_NOT_TOLD;
}

/* Settings whose value is a list of names: what needs quotes has them. */
static bool is_list_of_names(const char *name)
{
	static const char *const lists[] = { "search_path",
					     "temp_tablespaces",
					     "local_preload_libraries",
					     "session_preload_libraries",
					     "shared_preload_libraries",
					     "unix_socket_directories" };
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		if (strcmp(name, lists[i]) == 0)
			return true;
	return false;
}

/* A number as PostgreSQL keeps it: what fits 32 bits loses its zeros in front, others stay as they are written. */
static int number(const uint8_t *s, size_t len, bool minus, char *out, size_t cap)
{
	size_t n = 0, digits = 0;
	while (digits < len && s[digits] >= '0' && s[digits] <= '9')
		digits++;
	if (digits == len) {
		size_t zeros = 0;
		while (zeros + 1 < len && s[zeros] == '0')
			zeros++;
		size_t left = len - zeros;
		if (left < 10 || (left == 10 && memcmp(s + zeros, "2147483647", 10) <= 0)) {
			s += zeros;
			len = left;
			minus = minus && s[0] != '0';
		}
	} else {
		for (size_t i = 0; i < len; i++) /* 0x1f and 1_000 are other things in other versions */
			if (s[i] == '_' || ((s[i] | 0x20) >= 'a' && (s[i] | 0x20) <= 'z' && (s[i] | 0x20) != 'e'))
				return SQL_NOT_TOLD;
	}
	if (len + minus >= cap)
		return SQL_NOT_TOLD;
	if (minus)
		out[n++] = '-';
	memcpy(out + n, s, len);
	return (int)(n + len);
}

int sql_setting_value(const void *text, unsigned mode, const struct sql_stmt *st, char *out, size_t cap)
{
	char name[2 * SQL_IDENT_MAX + 2], part[1024];
	const uint8_t *s = text;
	struct sql_lexer l;
	struct sql_token t;
	size_t n = 0;

	if (cap == 0 || st->kind != SQL_SET || (st->flags & SQL_DEFAULT) || st->value.len == 0)
		return SQL_NOT_TOLD;
	out[0] = '\0';
	if (sql_setting_name(text, mode, st, name, sizeof name) < 0)
		name[0] = '\0'; /* too long to be one of ours */
	bool names = is_list_of_names(name);
	sql_lex_init(&l, s + st->value.at, st->value.len, mode);
	for (bool first = true;; first = false) {
		bool minus = false;
		int len;
		sql_lex(&l, &t);
		if (t.c == '+' || t.c == '-') {
			minus = t.c == '-';
			sql_lex(&l, &t);
		}
		const uint8_t *token = l.s + t.span.at;
		switch (t.kind) {
		case SQL_TOK_NUMBER:
			len = number(token, t.span.len, minus, part, sizeof part);
			break;
		case SQL_TOK_WORD:
		case SQL_TOK_QUOTED:
		case SQL_TOK_UQUOTED:
			len = sql_ident_decode(token, t.span.len, mode, part);
			break;
		default:
			len = sql_string_decode(token, t.span.len, mode, part, sizeof part);
		}
		if (len < 0)
			break;
		if (!first) {
			if (cap - n < 3)
				break;
			memcpy(out + n, ", ", 2);
			n += 2;
		}
		if (names && t.kind != SQL_TOK_NUMBER) {
			len = sql_quote_ident(part, (size_t)len, out + n, cap - n);
			if (len < 0)
				break;
		} else {
			if ((size_t)len >= cap - n)
				break;
			memcpy(out + n, part, (size_t)len);
		}
		n += (size_t)len;
		sql_lex(&l, &t);
		if (t.kind == SQL_TOK_END) {
			out[n] = '\0';
			return (int)n;
		}
		if (t.c != ',')
			break;
	}
	out[0] = '\0';
	return SQL_NOT_TOLD;
}
