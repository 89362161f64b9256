/* replay.c - settings said again. PostgreSQL docs: SET, RESET, set_config(); Lexical Structure: String Constants. */
#include "pg/replay.h"

#include "sql/lexer.h"

#include <string.h>
#include <strings.h>

/* --- Settings that are not as others */

static bool is_one_of(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(name, list[i]) == 0)
			return true;
	return false;
}
#define IS_ONE_OF(name, list) is_one_of((name), (list), sizeof(list) / sizeof *(list))

bool pg_is_of_transaction(const char *name)
{
	static const char *const list[] = { "transaction_isolation", "transaction_read_only",
					    "transaction_deferrable" };
	return IS_ONE_OF(name, list);
}

bool pg_is_identity(const char *name)
{
	static const char *const list[] = { "role", "session_authorization" };
	return IS_ONE_OF(name, list);
}

bool pg_has_no_reset(const char *name)
{
	static const char *const list[] = { "seed" };
	return IS_ONE_OF(name, list);
}

/* A list whose parts are names: what needs quotes has them. Of these SET would make one name. */
static bool is_list_of_names(const char *name)
{
	static const char *const list[] = { "search_path", "temp_tablespaces", "local_preload_libraries",
					    "session_preload_libraries" };
	return IS_ONE_OF(name, list);
}

/* --- Values */

bool pg_is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

static bool has_escapes(const char *written, size_t len, bool has_trails)
{
	for (size_t i = 0; i < len; i++) {
		if (written[i] == '\\' || (i && written[i] == '&' && (written[i - 1] | 0x20) == 'u'))
			return true;
		i += has_trails && (unsigned char)written[i] >= 0x80;
	}
	return false;
}

static bool same_encoding(const char *a, const char *b)
{
	return a && b && strcasecmp(a, b) == 0;
}

bool pg_value_keep(char *value, size_t cap, const char *written, size_t len, bool has_trails, const char *client,
		   const char *database)
{
	const char *encoding = "";
	bool is_ascii = pg_is_ascii(value), is_marked = *value == PG_VALUE_RECODED;

	if (is_ascii && !is_marked)
		return true;
	if (!is_ascii &&
	    has_escapes(written, len, has_trails)) { /* they are read here as UTF-8, and there in its own encoding */
		bool is_plain = true;
		for (size_t i = 0; i < len; i++)
			is_plain = is_plain && (unsigned char)written[i] < 0x80;
		if (!same_encoding(database, "UTF8") || !(is_plain || same_encoding(client, database)))
			return false;
	} else if (!is_ascii && !same_encoding(client, database)) {
		if (!client)
			return false;
		encoding = client;
	}
	if (!*encoding && !is_marked)
		return true;
	size_t n = strlen(value) + 1, before = strlen(encoding) + 2;
	if (n + before > cap)
		return false;
	memmove(value + before, value, n);
	value[0] = value[before - 1] = PG_VALUE_RECODED;
	memcpy(value + 1, encoding, before - 2);
	return true;
}

/* E'' means the same whatever standard_conforming_strings is; its escapes are bytes in the encoding of the database. */
static void add_literal_n(struct sb *b, const char *s, size_t n)
{
	sb_add(b, "E'");
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] >= 0x80) {
			sb_addf(b, "\\x%02x", (unsigned char)s[i]);
			continue;
		}
		if (s[i] == '\'' || s[i] == '\\')
			sb_add_n(b, s + i, 1);
		sb_add_n(b, s + i, 1);
	}
	sb_add(b, "'");
}

static void add_literal(struct sb *b, const char *s)
{
	add_literal_n(b, s, strlen(s));
}

/* encoding: of the value, if it is not the database's. */
static void add_recoded(struct sb *b, const char *value, const char *encoding, size_t len)
{
	if (len == 0 || pg_is_ascii(value)) {
		add_literal(b, value);
		return;
	}
	sb_add(b, "pg_catalog.convert_from(pg_catalog.decode('");
	for (const char *c = value; *c; c++)
		sb_addf(b, "%02x", (unsigned char)*c);
	sb_add(b, "','hex'),");
	add_literal_n(b, encoding, len);
	sb_add(b, ")");
}

/* As it is kept. */
static void add_kept(struct sb *b, const char *value)
{
	const char *end = *value == PG_VALUE_RECODED ? strchr(value + 1, PG_VALUE_RECODED) : NULL;
	if (end)
		add_recoded(b, end + 1, value + 1, (size_t)(end - value - 1));
	else
		add_literal(b, value);
}

void pg_add_set_config_call(struct sb *b, const char *name, const char *value, bool is_local)
{
	sb_add(b, "pg_catalog.set_config(");
	add_literal(b, name);
	sb_add(b, ",");
	if (value)
		add_kept(b, value);
	else
		sb_add(b, "NULL");
	sb_add(b, is_local ? ",true)" : ",false)");
}

static void add_name(struct sb *b, const char *name)
{
	sb_add(b, "\"");
	for (const char *c = name; *c; c++)
		sb_add_n(b, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
	sb_add(b, "\"");
}

/* --- SET */

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t\n\r\f\v");
}

/* The name at *s, which is left behind it: its letters, as they are. */
static bool take_name(const char **s, struct sb *b)
{
	const char *at = *s;
	if (*at != '"') {
		size_t n = strcspn(at, ", \t\n\r\f\v\"");
		for (size_t i = 0; i < n; i++) {
			char c = at[i];
			if (c >= 'A' && c <= 'Z')
				c |= 0x20;
			sb_add_n(b, &c, 1);
		}
		*s = at + n;
		return n > 0;
	}
	for (at++; *at; at++) {
		if (*at == '"' && *++at != '"') {
			*s = at;
			return true;
		}
		sb_add_n(b, at, 1);
	}
	return false;
}

/* A list of names as SET takes one. False: it is none, or SET would write it in another way. */
static bool add_list(struct sb *b, const char *value)
{
	struct sb again = { .max = b->max };
	size_t was = b->len;
	bool ok = true;
	for (const char *s = skip_blanks(value); ok; s = skip_blanks(s + 1)) {
		char quoted[SQL_IDENT_QUOTED];
		struct sb name = { .max = b->max };
		ok = take_name(&s, &name) && sql_quote_ident(sb_str(&name), name.len, quoted, sizeof quoted) >= 0;
		if (ok) {
			add_literal(b, sb_str(&name));
			sb_add(&again, quoted);
		}
		b->bad |= name.bad;
		sb_free(&name);
		s = skip_blanks(s);
		if (!ok || *s != ',')
			break;
		sb_add(b, ",");
		sb_add(&again, ", ");
	}
	ok = ok && strcmp(sb_str(&again), value) == 0;
	b->bad |= again.bad;
	sb_free(&again);
	if (!ok)
		b->len = was;
	return ok;
}

static void add_set_config(struct sb *b, const char *name)
{
	sb_add(b, "SELECT pg_catalog.set_config(");
	add_literal(b, name);
	sb_add(b, ",");
}

void pg_add_set(struct sb *b, const char *name, const char *value)
{
	bool is_list = is_list_of_names(name);
	size_t was = b->len;
	if (pg_is_ascii(name)) {
		sb_add(b, "SET ");
		add_name(b, name);
		sb_add(b, " TO ");
		if (!is_list)
			add_literal(b, value);
		if (!is_list || add_list(b, value)) {
			sb_add(b, ";");
			return;
		}
		b->len = was;
	}
	sb_add(b, "SELECT FROM pg_catalog.set_config(");
	add_literal(b, name);
	sb_add(b, ",");
	add_literal(b, value);
	sb_add(b, ",false) v WHERE v IS NULL;");
}

/* --- From one client to the next. set_config() takes what SET does not: a list of names as it is kept, a name of
 * several parts as one. */

/* A statement about this setting has been added. */
static void count(struct pg_replay *y, const char *name)
{
	if (y->n++ == y->nth)
		y->name = name;
}

static void add_reset(struct pg_replay *y, const char *name)
{
	if (pg_is_ascii(name)) {
		sb_add(&y->sql, "RESET ");
		add_name(&y->sql, name);
		sb_add(&y->sql, ";");
	} else { /* which a RESET would have to say in its client's encoding */
		sb_add(&y->sql, "SELECT ");
		pg_add_set_config_call(&y->sql, name, NULL, false);
		sb_add(&y->sql, ";");
	}
	count(y, name);
}

static void add_said(struct pg_replay *y, const struct var *v)
{
	sb_add(&y->sql, "SELECT ");
	pg_add_set_config_call(&y->sql, v->name->s, v->value->s, false);
	sb_add(&y->sql, ";");
	count(y, v->name->s);
}

static void add_reported(struct pg_replay *y, const struct var *v, const struct istr *encoding)
{
	if (pg_is_ascii(v->value->s) && !is_list_of_names(v->name->s)) {
		pg_add_set(&y->sql, v->name->s, v->value->s);
	} else {
		add_set_config(&y->sql, v->name->s);
		add_recoded(&y->sql, v->value->s, encoding ? encoding->s : "", encoding ? encoding->len : 0);
		sb_add(&y->sql, ",false);");
	}
	count(y, v->name->s);
}

static bool has_identity(const struct varset *v)
{
	return varset_find(v, "role") || varset_find(v, "session_authorization");
}

/* Who the client is; its role last, which the other one takes away. */
static void add_identity(struct pg_replay *y, const struct varset *want)
{
	static const char *const names[] = { "session_authorization", "role" };
	for (size_t k = 0; k < 2; k++)
		for (uint32_t i = 0; i < want->count; i++)
			if (strcasecmp(want->at[i].name->s, names[k]) == 0)
				add_said(y, &want->at[i]);
}

void pg_replay(struct pg_replay *y, const struct varset *has, const struct varset *has_said, const struct varset *want,
	       const struct varset *want_said)
{
	/* First back to who the server logged in as, and may set more; in the end it is who the client is. */
	bool goes_back = has_said != want_said && has_identity(has_said);
	if (goes_back) {
		add_reset(y, "session_authorization");
		add_reset(y, "role");
	}
	for (uint32_t i = 0; i < has_said->count; i++) {
		const char *name = has_said->at[i].name->s;
		if (!pg_is_identity(name) && !varset_find(want_said, name))
			add_reset(y, name);
	}
	y->taking_back = y->n;
	const struct istr *encoding = varset_find(want, "client_encoding");
	bool is_other = encoding != varset_find(has, "client_encoding");
	for (uint32_t i = 0; i < want->count; i++) {
		const struct var *v = &want->at[i];
		if (varset_find(has, v->name->s) != v->value || (is_other && !pg_is_ascii(v->value->s)))
			add_reported(y, v, encoding);
	}
	for (uint32_t i = 0; i < want_said->count; i++) {
		const struct var *v = &want_said->at[i];
		if (!pg_is_identity(v->name->s) && !pg_is_of_transaction(v->name->s) &&
		    varset_find(has_said, v->name->s) != v->value)
			add_said(y, v);
	}
	if (goes_back || (has_said != want_said && has_identity(want_said)))
		add_identity(y, want_said);
}
