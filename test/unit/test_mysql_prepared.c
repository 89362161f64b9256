/* test_mysql_prepared.c - the statements of clients, the texts of servers, and where an EXECUTE has its types. */
#include "unit.h"

#include "mysql/prepared.h"

#include <string.h>

static const struct istr *text_of(const char *mode, const char *sql)
{
	const char *values[MYSQL_MEANINGS] = { "test", mode, "utf8mb4", "" };
	return mysql_meaning(values, rd_of(sql, strlen(sql)));
}

static void test_meaning(void)
{
	const char *values[MYSQL_MEANINGS];
	const struct istr *a = text_of("", "select 1"), *b = text_of("", "select 1"), *c = text_of("ANSI", "select 1");
	CU_ASSERT_PTR_EQUAL(a, b);
	CU_ASSERT_PTR_NOT_EQUAL(a, c);
	struct rd sql = mysql_meaning_read(c, values);
	CU_ASSERT_EQUAL(rd_left(&sql), 8);
	CU_ASSERT(memcmp(sql.p, "select 1", 8) == 0);
	CU_ASSERT_STRING_EQUAL(values[MYSQL_MEANING_SCHEMA], "test");
	CU_ASSERT_STRING_EQUAL(values[MYSQL_MEANING_MODE], "ANSI");
	CU_ASSERT_STRING_EQUAL(values[MYSQL_MEANING_COLLATION], "");
	istr_put(a);
	istr_put(b);
	istr_put(c);
}

static void test_servers(void)
{
	struct mysql_cache c;
	const struct istr *a = text_of("", "a"), *b = text_of("", "b"), *d = text_of("", "d");
	uint32_t id = 0;
	mysql_cache_init(&c);
	struct mysql_prepared *pa = mysql_prepared_add(&c, a, 1, 0), *pb = mysql_prepared_add(&c, b, 2, 0);
	CU_ASSERT_PTR_EQUAL(mysql_prepared_find(&c, a, NULL), pa);
	CU_ASSERT_PTR_NULL(mysql_prepared_find(&c, d, NULL));
	mysql_prepared_touch(&c, pa);
	mysql_cache_make_room(&c, 2);
	CU_ASSERT_PTR_EQUAL(mysql_prepared_find(&c, a, NULL), pa);
	CU_ASSERT_PTR_NULL(mysql_prepared_find(&c, b, NULL));
	CU_ASSERT(mysql_cache_next_stale(&c, &id));
	CU_ASSERT_EQUAL(id, 2);
	CU_ASSERT_FALSE(mysql_cache_next_stale(&c, &id));
	/* Prepared again: the one before it is to be closed. */
	struct mysql_prepared *again = mysql_prepared_add(&c, a, 3, 0);
	CU_ASSERT_PTR_EQUAL(mysql_prepared_find(&c, a, NULL), again);
	CU_ASSERT(mysql_cache_next_stale(&c, &id));
	CU_ASSERT_EQUAL(id, 1);
	/* Held, and another one of its text meanwhile. */
	mysql_prepared_hold(&c, again);
	CU_ASSERT_PTR_NULL(mysql_prepared_find(&c, a, NULL));
	CU_ASSERT_EQUAL(mysql_cache_count(&c), 0);
	pb = mysql_prepared_add(&c, a, 4, 0);
	mysql_prepared_share(&c, again);
	CU_ASSERT_PTR_EQUAL(mysql_prepared_find(&c, a, NULL), pb);
	CU_ASSERT(mysql_cache_next_stale(&c, &id));
	CU_ASSERT_EQUAL(id, 3);
	mysql_prepared_hold(&c, pb);
	mysql_prepared_share(&c, pb);
	CU_ASSERT_PTR_EQUAL(mysql_prepared_find(&c, a, NULL), pb);
	/* One without a text is nobody else's. */
	again = mysql_prepared_add(&c, NULL, 5, 0);
	CU_ASSERT_EQUAL(mysql_cache_count(&c), 1);
	mysql_prepared_share(&c, again);
	CU_ASSERT(mysql_cache_next_stale(&c, &id));
	CU_ASSERT_EQUAL(id, 5);
	/* By types, once they are told; what has none yet is for everybody. */
	CU_ASSERT_PTR_EQUAL(mysql_prepared_find(&c, a, d), pb);
	mysql_prepared_types(&c, pb, d);
	CU_ASSERT_PTR_EQUAL(mysql_prepared_find(&c, a, d), pb);
	CU_ASSERT_PTR_NULL(mysql_prepared_find(&c, a, NULL));
	CU_ASSERT_PTR_NULL(mysql_prepared_find(&c, a, b));
	again = mysql_prepared_add(&c, a, 6, 0);
	CU_ASSERT_PTR_EQUAL(mysql_prepared_find(&c, a, b), again);
	CU_ASSERT_PTR_EQUAL(mysql_prepared_find(&c, a, d), pb);
	CU_ASSERT_EQUAL(mysql_cache_count(&c), 2);
	CU_ASSERT_FALSE(mysql_cache_next_stale(&c, &id));
	mysql_cache_clear(&c);
	CU_ASSERT_PTR_NULL(mysql_prepared_find(&c, a, NULL));
	mysql_cache_free(&c);
	istr_put(a);
	istr_put(b);
	istr_put(d);
}

static void test_clients(void)
{
	struct mysql_statements m = { .map = MAP_INIT };
	const struct istr *a = text_of("", "a");
	struct mysql_statement *one = mysql_statement_add(&m, a, 1), *two = mysql_statement_add(&m, a, 1);
	CU_ASSERT_EQUAL(one->id, 1);
	CU_ASSERT_EQUAL(two->id, 2);
	CU_ASSERT_PTR_EQUAL(mysql_statement_find(&m, 1), one);
	CU_ASSERT_PTR_EQUAL(mysql_statement_find(&m, 2), two);
	CU_ASSERT_PTR_NULL(mysql_statement_find(&m, 3));
	mysql_statement_set(&m, one, true, true);
	mysql_statement_set(&m, two, true, false);
	CU_ASSERT_EQUAL(m.cursors, 2);
	CU_ASSERT_EQUAL(m.longs, 1);
	mysql_statement_drop(&m, one);
	CU_ASSERT_EQUAL(m.cursors, 1);
	CU_ASSERT_EQUAL(m.longs, 0);
	CU_ASSERT_PTR_NULL(mysql_statement_find(&m, 1));
	/* Numbers go round, and never meet one in use, nor those that mean something else. */
	m.last = MYSQL_STATEMENT_LAST - 1;
	CU_ASSERT_EQUAL(mysql_statement_add(&m, a, 1)->id, 1);
	CU_ASSERT_EQUAL(mysql_statement_add(&m, a, 1)->id, 3);
	mysql_statements_clear(&m);
	CU_ASSERT_EQUAL(m.map.count, 0);
	CU_ASSERT_EQUAL(m.cursors, 0);
	mysql_statements_free(&m);
	istr_put(a);
}

#define NAMED MYSQL_CAP_QUERY_ATTRIBUTES

static void test_execute(void)
{
	static const struct {
		const char *body;
		size_t len;
		uint64_t caps;
		unsigned nparams;
		enum frame how;
		bool has_params, has_types;
		unsigned types_at, types_len, cursor;
	} cases[] = {
		{ BYTES("\x17\1\0\0\0\0\1\0\0\0"), 0, 0, FRAME_OK, false, false, 0, 0, 0 },
		{ BYTES("\x17\1\0\0\0\1\1\0\0\0"), 0, 0, FRAME_OK, false, false, 0, 0, 1 },
		{ BYTES("\x17\1\0\0\0\0\1\0\0"), 0, 0, FRAME_SHORT, false, false, 0, 0, 0 },
		{ BYTES("\x17\1\0\0\0\0\1\0\0\0"), 0, 1, FRAME_SHORT, false, false, 0, 0, 0 },
		{ BYTES("\x17\1\0\0\0\0\1\0\0\0\0\0v"), 0, 1, FRAME_OK, true, false, 12, 0, 0 },
		{ BYTES("\x17\1\0\0\0\0\1\0\0\0\0\1\3\0\3\0v"), 0, 2, FRAME_OK, true, true, 12, 4, 0 },
		{ BYTES("\x17\1\0\0\0\0\1\0\0\0\0\1\3\0\3"), 0, 2, FRAME_SHORT, false, false, 0, 0, 0 },
		{ BYTES("\x17\1\0\0\0\0\1\0\0\0\0\0\1\3\0"), 0, 9, FRAME_SHORT, false, false, 0, 0, 0 },
		{ BYTES("\x17\1\0\0\0\0\1\0\0\0\0\0\0"), 0, 9, FRAME_OK, true, false, 13, 0, 0 },
		/* With names, and one more than the statement has. */
		{ BYTES("\x17\1\0\0\0\10\1\0\0\0\2\0\1\3\0\0\3\0\1n"), NAMED, 1, FRAME_OK, true, true, 13, 7, 0 },
		{ BYTES("\x17\1\0\0\0\10\1\0\0\0\0"), NAMED, 0, FRAME_OK, false, false, 0, 0, 0 },
		{ BYTES("\x17\1\0\0\0\0\1\0\0\0"), NAMED, 0, FRAME_OK, false, false, 0, 0, 0 },
		{ BYTES("\x17\1\0\0\0\10\1\0\0\0\0"), NAMED, 1, FRAME_BAD, false, false, 0, 0, 0 },
		{ BYTES("\x17\1\0\0\0\10\1\0\0\0\2\0\1\3\0\0\3\0\2n"), NAMED, 1, FRAME_SHORT, false, false, 0, 0, 0 },
		/* MariaDB's, of many rows. */
		{ BYTES("\xfa\1\0\0\0\200\0\3\0\3\0v"), 0, 2, FRAME_OK, true, true, 7, 4, 0 },
		{ BYTES("\xfa\1\0\0\0\100\0v"), 0, 2, FRAME_OK, true, false, 7, 4, 0 },
		{ BYTES("\xfa\1\0\0\0\200\0\3\0\3"), 0, 2, FRAME_SHORT, false, false, 0, 0, 0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mysql_execute x;
		enum frame how = mysql_read_execute(rd_of(cases[i].body, cases[i].len), (uint16_t)cases[i].nparams,
						    cases[i].caps, &x);
		CU_ASSERT_EQUAL(how, cases[i].how);
		if (how != FRAME_OK || cases[i].how != FRAME_OK)
			continue;
		CU_ASSERT_EQUAL(x.has_params, cases[i].has_params);
		CU_ASSERT_EQUAL(x.has_types, cases[i].has_types);
		CU_ASSERT_EQUAL(x.cursor, cases[i].cursor);
		CU_ASSERT_EQUAL(x.types_at, cases[i].types_at);
		CU_ASSERT_EQUAL(x.types_len, cases[i].types_len);
		/* However little of it is there, nothing behind it is read. */
		for (size_t n = 0; n < cases[i].len; n++)
			(void)mysql_read_execute(rd_of(cases[i].body, n), (uint16_t)cases[i].nparams, cases[i].caps,
						 &x);
	}
}

void suite_mysql_prepared(void)
{
	static const struct unit_test tests[] = {
		{ "meaning", test_meaning },
		{ "servers", test_servers },
		{ "clients", test_clients },
		{ "execute", test_execute },
		{ NULL, NULL },
	};
	unit_add("mysql_prepared", tests);
}
