/* test_sql_tail.c - a long text in pieces, cut anywhere: what may change its session is found, and what does not is
 * left alone. */
#include "unit.h"

#include "sql/classify.h"

#include <stdlib.h>
#include <string.h>

static struct sql_funcs funcs;

/* The text, with so many dots around it, in pieces of which the first ends at `cut`. */
static bool may_change(const char *text, size_t around, size_t cut)
{
	struct sql_pieces t = { .n = 0 };
	size_t len = strlen(text), n = 2 * around + len;
	char *s = malloc(n + 1);
	memset(s, '.', n);
	memcpy(s + around, text, len);
	/* Each piece in memory of its own: nothing behind it is looked at. */
	char *a = malloc(cut + 1), *b = malloc(n - cut + 1);
	memcpy(a, s, cut);
	memcpy(b, s + cut, n - cut);
	bool may = sql_pieces_may_change(&t, a, cut, &funcs);
	may |= sql_pieces_may_change(&t, b, n - cut, &funcs);
	free(a);
	free(b);
	free(s);
	return may;
}

static const struct {
	const char *text;
	bool may;
} cases[] = {
	{ "'; set work_mem='1MB' ", true },
	{ "';/* x */ SET work_mem='1MB' ", true },
	{ "';-- x\nset x to 1 ", true },
	{ "'; reset all;", true },
	{ "';listen a;", true },
	{ "'; do $$ begin end $$;", true },
	{ "';prepare a as select 1 ;", true },
	{ "'; create temp table t (n int) ", true },
	{ "'; create or replace temporary view v as select 1 ", true },
	{ " into temp t from u ", true },
	{ "'; update Pg_Settings set setting = 1 ", true },
	{ "'; create table PG_TEMP.t (n int) ", true },
	{ "'; update t_settings set pg_setting = 1 ", false },
	{ "'; select pg_advisory_lock(1) ", true },
	{ "' || set_config('a', 'b', false) ", true },
	{ "' || pg_catalog.\"set_config\"('a', 'b', false) ", true },
	{ "'; begin; insert into t values (1); commit ;", false },
	{ "';\n\ninsert into t values ('temporary') ;", false },
	{ "'; -- nothing\n update t set n = 1 ;", false },
	{ "'; create table t (temp int, template text) ;", false },
	{ "' || lower('X') || concat('set', 'temp') ", false },
	{ "the temp is high, as into template; drop table x ", false },
	{ "';;; ( select 1) ", false },
};

static void test_pieces(void)
{
	static const size_t arounds[] = { 0, 5, 100, 200 };
	sql_funcs_init(&funcs);
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t k = 0; k < COUNT(arounds); k++) {
			size_t n = 2 * arounds[k] + strlen(cases[i].text);
			bool right = true;
			for (size_t cut = 0; cut <= n; cut++)
				right &= may_change(cases[i].text, arounds[k], cut) == cases[i].may;
			check(cases[i].text, right);
		}
}

/* Pieces of a byte each. */
static void test_bytes(void)
{
	sql_funcs_init(&funcs);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sql_pieces t = { .n = 0 };
		bool may = false;
		for (const char *s = cases[i].text; *s; s++)
			may |= sql_pieces_may_change(&t, s, 1, &funcs);
		if (cases[i].may)
			check(cases[i].text, may);
	}
}

/* What ends beyond what is remembered of a piece is not thought harmless. */
static void test_long_comment(void)
{
	char text[1000];
	sql_funcs_init(&funcs);
	memset(text, '*', sizeof text);
	memcpy(text, "';/*", 4);
	memcpy(text + sizeof text - 20, "*/ set a = 1 ;", 15);
	bool may = true;
	for (size_t cut = 0; cut < sizeof text - 20; cut++)
		may &= may_change(text, 0, cut);
	check("a setting behind a long comment", may);
}

void suite_sql_tail(void)
{
	static const struct unit_test tests[] = {
		{ "pieces", test_pieces },
		{ "bytes", test_bytes },
		{ "a long comment", test_long_comment },
		{ NULL, NULL },
	};
	unit_add("sql/tail", tests);
}
