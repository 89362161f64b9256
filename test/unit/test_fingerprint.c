/* test_fingerprint.c - unit tests for sql/fingerprint. */
#include "unit.h"

#include "sql/fingerprint.h"
#include "sql/mysql_lexer.h"

#include <stdlib.h>
#include <string.h>

#define SECRET "s3cr3t"

static const struct {
	const char *said, *want;
	enum { PG, MY, BOTH } where;
	unsigned mode;
} cases[] = {
	{ "", "", BOTH, 0 },
	{ "SELECT 1", "select ?", BOTH, 0 },
	{ "select * FROM T where a='s3cr3t' and b = 2.5e3;", "select * from t where a = ? and b = ?", BOTH, 0 },
	{ "select  *\nfrom t -- s3cr3t\nwhere a= /* s3cr3t */ 1", "select * from t where a = ?", BOTH, 0 },
	{ "select a from t where b in (1,2, 3 ,'x')", "select a from t where b in (?)", BOTH, 0 },
	{ "select a from t where b in (-1,+2,-3)", "select a from t where b in (?)", BOTH, 0 },
	{ "select a-1, b-1, - 1", "select a - ?, b - ?", BOTH, 0 },
	{ "insert into t(a, b) values (1,'x'),(2,'y') , (3,'z')", "insert into t (a, b) values (?)", BOTH, 0 },
	{ "select count(*), s.\"Name\" from s.t", "select count (*), s.\"Name\" from s.t", PG, 0 },
	{ "select $1::int, $2", "select ? :: int, ?", PG, 0 },
	{ "select E'a\\'s3cr3t', U&'s3cr3t', B'1', $x$s3cr3t$x$", "select ?", PG, 0 },
	{ "do $$ begin s3cr3t; end $$", "do ?", PG, 0 },
	{ "select `A b` from t where c=\"s3cr3t\" and d=?", "select `A b` from t where c = ? and d = ?", MY, 0 },
	{ "select \"s3cr3t\"", "select ?", MY, MY_ANSI_QUOTES },
	{ "select @a, @'s3cr3t', @@session.sql_mode, x'41', 0x41", "select @a, @, @@session.sql_mode, ?", MY, 0 },
	{ "select /*! sql_no_cache */ 1", "select sql_no_cache ?", MY, 0 },
	/* Where a string ends is not sure: nothing of what follows is told. */
	{ "select 'a\\' s3cr3t ' from t", "select ? ...", PG, 0 },
	{ "select 'a\\' s3cr3t ' from t", "select ? ...", PG, SQL_BACKSLASH },
	{ "select 'a\\' s3cr3t ' from t", "select ? ...", MY, 0 },
	{ "select 'a\\' s3cr3t ' from t", "select ? ...", MY, MY_NO_BACKSLASH },
	{ "select \"a\\\" s3cr3t \" from t", "select ? ...", MY, MY_ANSI_QUOTES },
	{ "set a = 'b\\'; s3cr3t ' from t", "set a = ? ...", BOTH, 0 },
	{ "select 's3cr3t", "select ...", BOTH, 0 },
	{ "select /* s3cr3t", "select ...", PG, 0 },
	{ "select $x$ s3cr3t", "select ...", PG, 0 },
	/* Words may be values. */
	{ "SET a.b = s3cr3t, c = s3cr3t; select 1", "set a.b = ?; select ?", BOTH, 0 },
	{ "select 1; set local a to s3cr3t", "select ?; set local a to ?", PG, 0 },
	{ "set @a := s3cr3t", "set @a := ?", MY, 0 },
	{ "set password for 'a' = password(s3cr3t)", "set password for ? = ?", MY, 0 },
	{ "update t set a = b where c = 1", "update t set a = b where c = ?", BOTH, 0 },
	{ "alter user a password 's3cr3t'", "alter user a password ?", BOTH, 0 },
};

static void try_one(size_t i, bool mysql)
{
	char out[256];
	size_t len = strlen(cases[i].said);
	uint8_t *copy = copy_exact(cases[i].said, len);
	enum sql_dialect d = mysql ? SQL_DIALECT_MYSQL : SQL_DIALECT_POSTGRES;
	unsigned mode = mysql ? MY_MODE(cases[i].mode, 100600) : cases[i].mode;
	size_t n = sql_fingerprint(copy, len, false, d, mode, out, sizeof out);
	check_str(cases[i].said, out, cases[i].want);
	check_eq("its length", n, strlen(out));
	/* However it is cut, and wherever. */
	for (size_t k = 0; k <= len; k++) {
		uint8_t *part = copy_exact(cases[i].said, k);
		(void)sql_fingerprint(part, k, true, d, mode, out, sizeof out);
		check(cases[i].said, !strstr(out, SECRET));
		free(part);
	}
	for (size_t cap = 1; cap < 40; cap++) {
		n = sql_fingerprint(copy, len, false, d, mode, out, cap);
		check("it fits", n < cap && out[n] == '\0');
	}
	free(copy);
}

static void test_cases(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (cases[i].where != MY)
			try_one(i, false);
		if (cases[i].where != PG)
			try_one(i, true);
	}
}

static void test_hash(void)
{
	char a[64], b[64];
	size_t n = sql_fingerprint("select 1", 8, false, SQL_DIALECT_POSTGRES, 0, a, sizeof a);
	size_t m = sql_fingerprint("SELECT  22", 10, false, SQL_DIALECT_POSTGRES, 0, b, sizeof b);
	check("the same form", sql_fingerprint_hash(a, n) == sql_fingerprint_hash(b, m));
	m = sql_fingerprint("select a", 8, false, SQL_DIALECT_POSTGRES, 0, b, sizeof b);
	check("another", sql_fingerprint_hash(a, n) != sql_fingerprint_hash(b, m));
	check("as FNV-1a says", sql_fingerprint_hash("a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
}

void suite_fingerprint(void)
{
	static const struct unit_test tests[] = { { "cases", test_cases }, { "hash", test_hash }, { NULL, NULL } };
	unit_add("fingerprint", tests);
}
