/* test_mysql_charset.c - collations by number, and the SET that brings a session's character sets to what they should
 * be. */
#include "unit.h"

#include "mysql/charset.h"

#include <stdio.h>
#include <string.h>

static void test_numbers(void)
{
	static const struct {
		uint64_t id;
		bool is_old;
		const char *set, *name;
	} rows[] = {
		{ 45, false, "utf8mb4", "utf8mb4_general_ci" },
		{ 33, false, "utf8mb3", "utf8mb3_general_ci" },
		{ 33, true, "utf8", "utf8_general_ci" },
		{ 46, true, "utf8mb4", "utf8mb4_bin" },
		{ 63, false, "binary", "binary" },
		{ 255, false, "utf8mb4", "utf8mb4_0900_ai_ci" },
		{ 1, false, "big5", "big5_chinese_ci" },
		{ 0, false, NULL, NULL },
		{ 100, false, NULL, NULL },
		{ 256, false, NULL, NULL },
		{ UINT64_MAX, false, NULL, NULL },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char set[32], name[64];
		bool ok = mysql_collation_names(rows[i].id, rows[i].is_old, set, sizeof set, name, sizeof name);
		check_eq("is it one", ok, rows[i].set != NULL);
		if (ok && rows[i].set) {
			check_str("set", set, rows[i].set);
			check_str("name", name, rows[i].name);
		}
	}
	char set[4], name[64];
	check_eq("no room", mysql_collation_names(45, false, set, sizeof set, name, sizeof name), false);
}

/* "client connection results collation [of results]", "-": there is none; "null". */
static const struct varset *read(const char *words)
{
	static const char *const names[] = { MYSQL_SET_CLIENT, MYSQL_SET_CONNECTION, MYSQL_SET_RESULTS, MYSQL_COLLATION,
					     MYSQL_RESULTS };
	const struct varset *v = varset_empty();
	char copy[200], *rest = NULL;
	snprintf(copy, sizeof copy, "%s", words);
	char *word = strtok_r(copy, " ", &rest);
	for (size_t i = 0; i < COUNT(names) && word; i++, word = strtok_r(NULL, " ", &rest)) {
		const char *value = strcmp(word, "null") == 0 ? "" : word;
		if (strcmp(word, "-") != 0)
			check("memory", varset_set(&v, names[i], value, strlen(value)));
	}
	return v;
}

static void test_sets(void)
{
	static const struct {
		const char *has, *want, *sets;
	} rows[] = {
		{ "u u u u_ci u_ci", "u u u u_ci u_ci", "" },
		{ "u u u u_ci u_ci", "u u u u_bin u_bin", "SET NAMES 'u' COLLATE 'u_bin'" },
		{ "u u u u_ci u_ci", "l l l l_ci l_ci", "SET NAMES 'l' COLLATE 'l_ci'" },
		{ "- - - - -", "u u u u_ci u_ci", "SET NAMES 'u' COLLATE 'u_ci'" },
		/* Only the connection's: results have what they had. */
		{ "u u u u_ci u_ci", "u u u u_bin u_ci",
		  "SET `character_set_connection`='u',`collation_connection`='u_bin'" },
		{ "u u u u_ci -", "u u u u_bin u_ci",
		  "SET NAMES 'u' COLLATE 'u_ci',`character_set_connection`='u',`collation_connection`='u_bin'" },
		/* Results of their set's own. */
		{ "u u u u_ci u_ci", "u u u u_ci -", "SET `character_set_results`='u'" },
		{ "u u u u_bin u_bin", "u u u - -", "SET `character_set_connection`='u',`character_set_results`='u'" },
		{ "u u u u_ci u_ci", "u u null u_ci -", "SET `character_set_results`=NULL" },
		{ "l l l l_ci l_ci", "l u u u_bin u_bin", "SET NAMES 'u' COLLATE 'u_bin',`character_set_client`='l'" },
		{ "u u u u_ci -", "- - - - -",
		  "SET `character_set_client`=DEFAULT,`character_set_connection`=DEFAULT,"
		  "`character_set_results`=DEFAULT,`collation_connection`=DEFAULT" },
		/* What was set by its number before. */
		{ "u u u u_ci u_ci", "224 224 224 224 224", "" },
		{ "u u u u_ci u_ci", "224 224 null 224 -", "SET `character_set_results`=NULL" },
		/* What is no name is not taken for one. */
		{ "u u u u_ci u_ci", "u u u u_ci u'x", "" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct varset *has = read(rows[i].has), *want = read(rows[i].want);
		struct sb sql = { .max = 4096 };
		mysql_charset_sets(&sql, has, want);
		check_str(rows[i].want, sb_str(&sql), rows[i].sets);
		sb_free(&sql);
		varset_put(has);
		varset_put(want);
	}
}

static void test_values(void)
{
	static const struct {
		const char *value, *want;
	} rows[] = {
		{ "1", "SET `a`=1" },
		{ "1.5", "SET `a`=1.5" },
		{ "x y", "SET `a`='x y'" },
		{ "", "SET `a`=''" },
		{ "o'k", "SET `a`=0x6f276b" },
		{ "a\\", "SET `a`=0x615c" },
		{ "\xc3\xa4", "SET `a`=0xc3a4" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sb sql = { .max = 4096 };
		mysql_put_set(&sql, "a");
		mysql_put_value(&sql, rows[i].value);
		check_str(rows[i].value, sb_str(&sql), rows[i].want);
		sb_free(&sql);
	}
}

void suite_mysql_charset(void)
{
	static const struct unit_test tests[] = {
		{ "numbers", test_numbers }, { "sets", test_sets }, { "values", test_values }, { NULL, NULL }
	};
	unit_add("mysql_charset", tests);
}
