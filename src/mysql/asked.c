/* asked.c - what drivers ask of "the server" by themselves. MySQL Reference Manual: SELECT, Server System Variables,
 * Information Functions, SHOW VARIABLES. */
#include "mysql/asked.h"

#include "core/str.h"
#include "mysql/errors.h"
#include "sql/mysql_lexer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ITEMS_MAX 64u
#define NAME_MAX  256u
#define MODE      MY_MODE(MY_MARIADB, 101100)

/* --- What there is */

/* NULL: of struct mysql_asked. What is told of limits is what holds here, or what nobody is bothered by. */
static const struct {
	const char *name, *value;
} variables[] = {
	{ "auto_increment_increment", "1" },
	{ "autocommit", "1" },
	{ "character_set_client", "utf8mb4" },
	{ "character_set_connection", "utf8mb4" },
	{ "character_set_database", "utf8mb4" },
	{ "character_set_results", "utf8mb4" },
	{ "character_set_server", "utf8mb4" },
	{ "character_set_system", "utf8mb3" },
	{ "collation_connection", "utf8mb4_general_ci" },
	{ "collation_database", "utf8mb4_general_ci" },
	{ "collation_server", "utf8mb4_general_ci" },
	{ "default_storage_engine", "InnoDB" },
	{ "have_query_cache", "NO" },
	{ "hostname", "sluice" },
	{ "init_connect", "" },
	{ "interactive_timeout", "28800" },
	{ "license", "" },
	{ "lower_case_table_names", "0" },
	{ "max_allowed_packet", "16777216" },
	{ "net_buffer_length", "16384" },
	{ "net_read_timeout", "60" },
	{ "net_write_timeout", "60" },
	{ "performance_schema", "0" },
	{ "protocol_version", "10" },
	{ "query_cache_size", "0" },
	{ "query_cache_type", "OFF" },
	{ "read_only", "0" },
	{ "session_track_schema", "0" },
	{ "sql_auto_is_null", "0" },
	{ "sql_mode", "" },
	{ "sql_safe_updates", "0" },
	{ "sql_select_limit", "18446744073709551615" },
	{ "system_time_zone", "UTC" },
	{ "time_zone", "SYSTEM" },
	{ "transaction_isolation", "REPEATABLE-READ" },
	{ "transaction_read_only", "0" },
	{ "tx_isolation", "REPEATABLE-READ" },
	{ "tx_read_only", "0" },
	{ "version", NULL },
	{ "version_comment", "Sluice's console" },
	{ "version_compile_machine", "" },
	{ "version_compile_os", "" },
	{ "wait_timeout", "28800" },
};
#define NVARIABLES (sizeof variables / sizeof variables[0])

static const char *value_of(const struct mysql_asked *is, size_t i)
{
	return variables[i].value ? variables[i].value : is->version;
}

/* --- Reading */

struct reader {
	struct my_lexer l;
	struct sql_token t;
	const char *text;
};

static void step(struct reader *r)
{
	my_lex(&r->l, &r->t);
}

static void begin(struct reader *r, struct text_span text)
{
	r->text = text.s;
	my_lex_init(&r->l, text.s, text.len, MODE);
	step(r);
}

static bool is_over(const struct reader *r)
{
	return r->t.kind == SQL_TOK_END || r->t.c == ';';
}

static bool is_word(const struct reader *r, const char *word)
{
	return r->t.kind == SQL_TOK_WORD && r->t.span.len == strlen(word) &&
	       strncasecmp(r->text + r->t.span.at, word, r->t.span.len) == 0;
}

static bool take_word(struct reader *r, const char *word)
{
	if (!is_word(r, word))
		return false;
	step(r);
	return true;
}

static bool take(struct reader *r, char c)
{
	if (r->t.c != c)
		return false;
	step(r);
	return true;
}

/* --- SELECT */

struct items {
	struct column cols[ITEMS_MAX];
	struct cell cells[ITEMS_MAX];
	char names[ITEMS_MAX][NAME_MAX], values[ITEMS_MAX][NAME_MAX];
	size_t n;
	char unknown[NAME_MAX]; /* a variable that there is not */
};

static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

static void set_value(struct items *x, const char *value)
{
	size_t i = x->n;
	x->cells[i].is_null = value == NULL;
	str_fmt(x->values[i], NAME_MAX, "%s", value ? value : "");
	x->cells[i].text = (struct text_span){ x->values[i], strlen(x->values[i]) };
	x->cols[i].type = value && is_number(value) && strlen(value) < 19 ? COL_INT8 : COL_TEXT;
}

/* Behind @@. */
static bool read_variable(const struct mysql_asked *is, struct reader *r, struct items *x)
{
	char name[MY_IDENT_MAX + 1];
	if (is_word(r, "session") || is_word(r, "global") || is_word(r, "local")) {
		struct reader at = *r;
		step(&at);
		if (at.t.c == '.') {
			*r = at;
			step(r);
		}
	}
	if ((r->t.kind != SQL_TOK_WORD && r->t.kind != SQL_TOK_QUOTED) ||
	    my_ident_decode(r->text + r->t.span.at, r->t.span.len, MODE, name) < 0)
		return false;
	step(r);
	for (size_t i = 0; i < NVARIABLES; i++)
		if (strcasecmp(variables[i].name, name) == 0) {
			set_value(x, value_of(is, i));
			return true;
		}
	set_value(x, NULL);
	if (!*x->unknown)
		str_fmt(x->unknown, sizeof x->unknown, "%s", name);
	return true;
}

/* A function without arguments, with its parentheses or where they may be missing. */
static bool read_function(const struct mysql_asked *is, struct reader *r, struct items *x)
{
	static const char *const users[] = { "user", "current_user", "session_user", "system_user" };
	char value[NAME_MAX] = "";
	bool bare = is_word(r, "current_user");
	if (is_word(r, "database") || is_word(r, "schema"))
		str_fmt(value, sizeof value, "%s", is->database);
	else if (is_word(r, "version"))
		str_fmt(value, sizeof value, "%s", is->version);
	else if (is_word(r, "connection_id"))
		str_fmt(value, sizeof value, "%llu", (unsigned long long)is->id);
	for (size_t i = 0; i < sizeof users / sizeof users[0]; i++)
		if (is_word(r, users[i]))
			str_fmt(value, sizeof value, "%s@%s", is->user, is->host);
	if (!*value)
		return false;
	step(r);
	set_value(x, value);
	return take(r, '(') ? take(r, ')') : bare;
}

static bool read_value(const struct mysql_asked *is, struct reader *r, struct items *x)
{
	char value[NAME_MAX];
	switch (r->t.kind) {
	case SQL_TOK_NUMBER:
		if (!str_copy_n(value, sizeof value, r->text + r->t.span.at, r->t.span.len))
			return false;
		break;
	case SQL_TOK_STRING:
		if (my_string_decode(r->text + r->t.span.at, r->t.span.len, MODE, value, sizeof value) < 0)
			return false;
		break;
	case SQL_TOK_SYS:
		step(r);
		return read_variable(is, r, x);
	case SQL_TOK_WORD:
		if (!take_word(r, "null"))
			return read_function(is, r, x);
		set_value(x, NULL);
		return true;
	default:
		return false;
	}
	set_value(x, value);
	step(r);
	return true;
}

static bool read_item(const struct mysql_asked *is, struct reader *r, struct items *x)
{
	char *name = x->names[x->n];
	size_t at = r->t.span.at;
	if (!read_value(is, r, x))
		return false;
	size_t end = r->t.kind == SQL_TOK_END ? r->l.end : r->t.span.at;
	while (end > at && isspace((unsigned char)r->text[end - 1]))
		end--;
	bool has_as = take_word(r, "as");
	if (r->t.kind == SQL_TOK_STRING) {
		if (my_string_decode(r->text + r->t.span.at, r->t.span.len, MODE, name, NAME_MAX) < 0)
			return false;
		step(r);
	} else if (r->t.kind == SQL_TOK_QUOTED ||
		   (r->t.kind == SQL_TOK_WORD && (has_as || (!is_word(r, "limit") && !is_word(r, "from"))))) {
		if (my_ident_decode(r->text + r->t.span.at, r->t.span.len, MODE, name) < 0)
			return false;
		step(r);
	} else if (has_as || !str_copy_n(name, NAME_MAX, r->text + at, end - at)) {
		return false;
	}
	x->cols[x->n].name = name;
	x->n++;
	return true;
}

static bool read_select(const struct mysql_asked *is, struct reader *r, struct items *x)
{
	do {
		if (x->n == ITEMS_MAX || !read_item(is, r, x))
			return false;
	} while (take(r, ','));
	if (take_word(r, "from") && !take_word(r, "dual"))
		return false;
	if (take_word(r, "limit"))
		step(r);
	(void)take(r, ';');
	return r->t.kind == SQL_TOK_END;
}

static bool select_them(const struct mysql_asked *is, struct reader *r, struct result_sink *k)
{
	struct fault f;
	struct items *x = calloc(1, sizeof *x);
	if (!x) {
		fault_set(&f, FAULT_NOMEM, "no memory for a statement");
		k->ops->fault(k, &f);
		return true;
	}
	bool ok = read_select(is, r, x);
	if (ok && *x->unknown) {
		fault_set(&f, FAULT_PROTO, "Unknown system variable '%s'", x->unknown);
		fault_mysql(&f, ER_UNKNOWN_VARIABLE, "HY000");
		k->ops->fault(k, &f);
	} else if (ok) {
		(void)k->ops->columns(k, x->cols, x->n);
		(void)k->ops->row(k, x->cells, x->n);
		(void)k->ops->done(k, "SELECT", 1);
	}
	free(x);
	return ok;
}

/* --- SHOW */

/* LIKE's, without regard to case. */
static bool is_like(const char *s, const char *pattern)
{
	for (; *pattern; pattern++, s++) {
		if (*pattern == '%') {
			while (pattern[1] == '%')
				pattern++;
			for (;; s++) {
				if (is_like(s, pattern + 1))
					return true;
				if (!*s)
					return false;
			}
		}
		if (*pattern == '\\' && pattern[1])
			pattern++;
		else if (*pattern == '_' && *s)
			continue;
		if (!*s || tolower((unsigned char)*s) != tolower((unsigned char)*pattern))
			return false;
	}
	return !*s;
}

/* Behind VARIABLES: does it want this one? Of a WHERE it is enough that it is named in a string, or that none is. */
static bool is_wanted(struct reader r, const char *name)
{
	char word[NAME_MAX];
	bool any = false, like = false;
	for (; !is_over(&r); step(&r)) {
		like |= is_word(&r, "like");
		if (r.t.kind != SQL_TOK_STRING ||
		    my_string_decode(r.text + r.t.span.at, r.t.span.len, MODE, word, sizeof word) < 0)
			continue;
		any = true;
		if (like ? is_like(name, word) : strcasecmp(name, word) == 0)
			return true;
	}
	return !any;
}

static void show_variables(const struct mysql_asked *is, const struct reader *r, struct result_sink *k)
{
	static const struct column cols[] = { { "Variable_name", COL_TEXT }, { "Value", COL_TEXT } };
	uint64_t rows = 0;
	(void)k->ops->columns(k, cols, 2);
	for (size_t i = 0; i < NVARIABLES; i++) {
		const char *name = variables[i].name, *value = value_of(is, i);
		if (!is_wanted(*r, name))
			continue;
		const struct cell cells[] = { { false, { name, strlen(name) } }, { false, { value, strlen(value) } } };
		(void)k->ops->row(k, cells, 2);
		rows++;
	}
	(void)k->ops->done(k, "SHOW", rows);
}

/* Nothing of these is here. */
static const struct {
	const char *words[2];
	struct column cols[3];
} nothing[] = {
	{ { "warnings" }, { { "Level", COL_TEXT }, { "Code", COL_INT8 }, { "Message", COL_TEXT } } },
	{ { "errors" }, { { "Level", COL_TEXT }, { "Code", COL_INT8 }, { "Message", COL_TEXT } } },
	{ { "status" }, { { "Variable_name", COL_TEXT }, { "Value", COL_TEXT } } },
	{ { "engines" }, { { "Engine", COL_TEXT }, { "Support", COL_TEXT }, { "Comment", COL_TEXT } } },
	{ { "plugins" }, { { "Name", COL_TEXT }, { "Status", COL_TEXT }, { "Type", COL_TEXT } } },
	{ { "collation" }, { { "Collation", COL_TEXT }, { "Charset", COL_TEXT }, { "Id", COL_INT8 } } },
	{ { "charset" }, { { "Charset", COL_TEXT }, { "Description", COL_TEXT }, { "Default collation", COL_TEXT } } },
	{ { "character", "set" },
	  { { "Charset", COL_TEXT }, { "Description", COL_TEXT }, { "Default collation", COL_TEXT } } },
	{ { "tables" }, { { "Tables", COL_TEXT } } },
	{ { "full", "tables" }, { { "Tables", COL_TEXT }, { "Table_type", COL_TEXT } } },
};

static bool show_nothing(struct reader *r, struct result_sink *k)
{
	for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
		struct reader at = *r;
		size_t n = 0;
		if (!take_word(&at, nothing[i].words[0]) ||
		    (nothing[i].words[1] && !take_word(&at, nothing[i].words[1])))
			continue;
		while (n < 3 && nothing[i].cols[n].name)
			n++;
		(void)k->ops->columns(k, nothing[i].cols, n);
		(void)k->ops->done(k, "SHOW", 0);
		return true;
	}
	return false;
}

/* --- All of it */

bool mysql_asked(const struct mysql_asked *is, struct text_span text, struct result_sink *k)
{
	struct reader r;
	begin(&r, text);
	if (take_word(&r, "select"))
		return select_them(is, &r, k);
	if (!take_word(&r, "show"))
		return false;
	if (!take_word(&r, "session") && !take_word(&r, "global"))
		(void)take_word(&r, "local");
	if (!take_word(&r, "variables"))
		return show_nothing(&r, k);
	show_variables(is, &r, k);
	return true;
}

bool mysql_asked_to_set(struct text_span text)
{
	static const char *const begins[] = { "set names ",         "set autocommit",     "set sql_mode",
					      "set character_set_", "set session ",       "set @@",
					      "set sql_",           "set net_",           "set transaction ",
					      "set wait_timeout",   "set character set ", "start transaction" };
	struct reader r;
	begin(&r, text);
	const char *at = text.s + r.t.span.at;
	size_t left = r.t.kind == SQL_TOK_END ? 0 : text.len - r.t.span.at;
	for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
		if (left >= strlen(begins[i]) && strncasecmp(at, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}
