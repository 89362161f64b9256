/* test_mysql_tail.c - a long text of MySQL's in pieces, cut anywhere: what may change its session is found, and what
 * stands in most of them is left alone. */
#include "unit.h"

#include "sql/mysql_classify.h"

#include <stdlib.h>
#include <string.h>

static struct sql_funcs funcs;

static void prepare(void)
{
	my_funcs_init(&funcs);
	check("added", sql_funcs_add(&funcs, "f", MY_CALL_USER));
}

/* The front, then the text with so many dots around it, in pieces of which the first ends at `cut`. */
static unsigned may(const char *front, const char *text, size_t around, size_t cut)
{
	struct my_pieces t;
	size_t len = strlen(text), n = 2 * around + len;
	char *s = malloc(n + 1);
	memset(s, '.', n);
	memcpy(s + around, text, len);
	/* Each piece in memory of its own: nothing behind it is looked at. */
	uint8_t *a = copy_exact(s, cut), *b = copy_exact(s + cut, n - cut);
	unsigned got = my_pieces_begin(&t, front, strlen(front), MY_MODE(0, 90704), &funcs);
	got |= my_pieces_may(&t, front, strlen(front));
	got |= my_pieces_may(&t, a, cut);
	got |= my_pieces_may(&t, b, n - cut);
	free(a);
	free(b);
	free(s);
	return got;
}

enum { CHANGE = MY_MAY_CHANGE, FOUND = MY_MAY_COUNT, ID = MY_MAY_SET_ID };
static const struct {
	const char *front, *text;
	unsigned may;
} cases[] = {
	{ "insert into t values (", "'a'), get_lock('x', 1) ", CHANGE },
	{ "insert into t values (", "'a'), GET_LOCK\n ('x', 1) ", CHANGE },
	{ "insert into t values (", "'a'), `get_lock`('x', 1) ", CHANGE },
	{ "insert into t values (", "'a'), get_lock/* x */('x', 1) ", CHANGE },
	{ "insert into t values (", "'a'), f(1) ", CHANGE },
	{ "insert into t values (", "'a'), (@x:=1) ", CHANGE },
	{ "insert into t values (", "'a'), (@`x y` := 1) ", CHANGE },
	{ "insert into t values (", "'a'), (@x.y$z := 1) ", CHANGE },
	{ "select (", "'a') into @x ", CHANGE },
	{ "select (", "'a') INTO\n@x ", CHANGE },
	{ "select (", "'a') into/**/@x ", CHANGE },
	{ "insert into t values (", "'joe@example.com'), ('into joe@x = y'), (1,2),\n(3,4), (5)", 0 },
	{ "insert into t values (", "'a'), (@x), (@y = 1), (@@sql_mode)", 0 },
	{ "insert into t values (", "'a'), lower('x'), get_lock_x(1), get_lock", 0 },
	{ "insert into t values (", "'a'), last_insert_id(), release_lock('a'), found_rows()", 0 },
	{ "insert into t values (", "'a'), last_insert_id( 5 )", ID },
	{ "select ", " sql_calc_found_rows * from t where a in (", FOUND },
	{ "select ", " SQL_CALC_FOUND_ROWS * from t where a in (", FOUND },
	{ "(select ", " xsql_calc_found * from t where a in (", 0 },
	{ "call p(", "'x', @y)", CHANGE | ID },
	{ "call p(", "'x@y', 'z')", ID },
	{ "load data infile 'x' into table t ", "(a, @y)", CHANGE },
	{ "create procedure p() begin ", " select 1", 0 },
	{ "create temporary table t (a int) select ", " 1", CHANGE },
	{ "create or replace temporary table t (a int) select ", " 1", CHANGE },
	{ "create table t (a int) select ", " 1", 0 },
	{ "/*!40000 alter table t */ ", " 1", 0 },
	{ "set names ", " 1", CHANGE },
	{ "prepare s from '", " 1", CHANGE },
	{ "begin not atomic ", " 1", CHANGE },
	{ "/* ", " 1", CHANGE },
};

static void test_pieces(void)
{
	static const size_t arounds[] = { 0, 5, 100, 200 };
	prepare();
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t k = 0; k < COUNT(arounds); k++) {
			size_t n = 2 * arounds[k] + strlen(cases[i].text);
			bool right = true;
			for (size_t cut = 0; cut <= n; cut++)
				right &= may(cases[i].front, cases[i].text, arounds[k], cut) == cases[i].may;
			check(cases[i].text, right);
		}
}

/* Pieces of a byte each. */
static void test_bytes(void)
{
	prepare();
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct my_pieces t;
		unsigned got = my_pieces_begin(&t, cases[i].front, strlen(cases[i].front), 0, &funcs);
		for (const char *s = cases[i].text; *s; s++)
			got |= my_pieces_may(&t, s, 1);
		check_eq(cases[i].text, got & cases[i].may, cases[i].may);
	}
}

void suite_mysql_tail(void)
{
	static const struct unit_test tests[] = {
		{ "pieces", test_pieces },
		{ "bytes", test_bytes },
		{ NULL, NULL },
	};
	unit_add("mysql/tail", tests);
}
