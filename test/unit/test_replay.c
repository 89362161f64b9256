/* test_replay.c - what is said to a server that has other settings than its next client. */
#include "unit.h"

#include "pg/replay.h"

#include <stdio.h>
#include <string.h>

static void test_keep(void)
{
	static const struct {
		const char *what, *value, *written;
		bool has_trails;
		const char *client, *database, *kept; /* NULL: it is not known */
	} cases[] = {
		{ "ASCII", "x", "'x'", false, "LATIN1", "UTF8", "x" },
		{ "ASCII with escapes", "x", "E'\\x78'", false, "LATIN1", NULL, "x" },
		{ "the database's own", "\xc3\xbc", "'\xc3\xbc'", false, "UTF8", "utf8", "\xc3\xbc" },
		{ "another", "\xfc", "'\xfc'", false, "LATIN1", "UTF8", "\1LATIN1\1\xfc" },
		{ "nobody knows which", "\xfc", "'\xfc'", false, NULL, "UTF8", NULL },
		{ "nobody knows the database's", "\xfc", "'\xfc'", false, "LATIN1", NULL, "\1LATIN1\1\xfc" },
		{ "escapes are UTF-8", "\xc3\xbc", "E'\\u00fc'", false, "LATIN1", "UTF8", "\xc3\xbc" },
		{ "with others that are not", "\xc3\xbc\xfc", "E'\\u00fc\xfc'", false, "LATIN1", "UTF8", NULL },
		{ "where they are not", "\xc3\xbc", "E'\\u00fc'", false, "LATIN1", "LATIN1", NULL },
		{ "names have them too", "\xc3\xbc", "U&\"\\00fc\"", false, "EUC_JP", "EUC_JP", NULL },
		{ "half of a character is none", "\x83\x5c", "'\x83\x5c'", true, "SJIS", "UTF8", "\1SJIS\1\x83\x5c" },
		{ "what looks so", "\1x", "'\1x'", false, "UTF8", "UTF8", "\1\1\1x" },
		{ "too long", "\xfc 4567890", "'\xfc 4567890'", false, "LATIN1", "UTF8", NULL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char value[16];
		snprintf(value, sizeof value, "%s", cases[i].value);
		bool ok = pg_value_keep(value, sizeof value, cases[i].written, strlen(cases[i].written),
					cases[i].has_trails, cases[i].client, cases[i].database);
		check_eq(cases[i].what, ok, cases[i].kept != NULL);
		if (ok && cases[i].kept)
			check_str(cases[i].what, value, cases[i].kept);
	}
}

static void test_set(void)
{
	static const struct {
		const char *name, *value, *sql;
	} cases[] = {
		{ "work_mem", "5MB", "SET \"work_mem\" TO E'5MB';" },
		{ "a.\"b", "it's \\ \xc3\xbc", "SET \"a.\"\"b\" TO E'it''s \\\\ \\xc3\\xbc';" },
		{ "search_path", "\"$user\", public, \"a\"\"B\"",
		  "SET \"search_path\" TO E'$user',E'public',E'a\"B';" },
		{ "search_path", "\xc3\xbc", NULL },
		{ "search_path", "\"\xc3\xbc\"", "SET \"search_path\" TO E'\\xc3\\xbc';" },
		{ "search_path", "a,b", NULL },
		{ "search_path", "A", NULL },
		{ "search_path", "", NULL },
		{ "search_path", "a,", NULL },
		{ "search_path", "\"a", NULL },
		{ "search_path", "a b", NULL },
		{ "DateStyle", "ISO, DMY", "SET \"DateStyle\" TO E'ISO, DMY';" },
		{ "\xc3\xbc.x", "1", NULL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sb b = { .max = 1000 };
		pg_add_set(&b, cases[i].name, cases[i].value);
		if (cases[i].sql)
			check_str(cases[i].value, sb_str(&b), cases[i].sql);
		else
			check(cases[i].value, strncmp(sb_str(&b), "SELECT FROM pg_catalog.set_config(E'", 36) == 0);
		sb_free(&b);
	}
}

/* "name=value;name=value" */
static const struct varset *set_of(const char *text)
{
	const struct varset *v = varset_empty();
	while (*text) {
		char name[40];
		size_t n = strcspn(text, "="), len = strcspn(text + n + 1, ";");
		snprintf(name, sizeof name, "%.*s", (int)n, text);
		check("set", varset_set(&v, name, text + n + 1, len));
		text += n + 1 + len;
		text += *text == ';';
	}
	return v;
}

#define CONFIG(name, value) "SELECT pg_catalog.set_config(E'" name "'," value ",false);"

static void test_replay(void)
{
	static const struct {
		const char *what, *has, *has_said, *want, *want_said, *sql;
		uint32_t taking_back;
		const char *names; /* of the statements */
	} cases[] = {
		{ "nothing", "a=1", "b=2", "a=1", "b=2", "", 0, "" },
		{ "what is reported", "a=1;b=1", "", "a=1;b=2", "", "SET \"b\" TO E'2';", 0, "b " },
		{ "what is not", "", "", "", "b=2", CONFIG("b", "E'2'"), 0, "b " },
		{ "taken back", "", "b=2;c=3", "", "c=4", "RESET \"b\";" CONFIG("c", "E'4'"), 1, "b c " },
		{ "nobody sets it", "", "", "", "transaction_isolation=x;w=1", CONFIG("w", "E'1'"), 0, "w " },
		{ "who it is, last", "", "", "", "role=r;session_authorization=s;z=1",
		  CONFIG("z", "E'1'") CONFIG("session_authorization", "E's'") CONFIG("role", "E'r'"), 0,
		  "z session_authorization role " },
		{ "who it was, first", "a=1", "role=r;b=1", "a=2", "",
		  "RESET \"session_authorization\";RESET \"role\";RESET \"b\";SET \"a\" TO E'2';", 3,
		  "session_authorization role b a " },
		{ "who it stays", "", "role=r", "", "b=1;role=r",
		  "RESET \"session_authorization\";RESET \"role\";" CONFIG("b", "E'1'") CONFIG("role", "E'r'"), 2,
		  "session_authorization role b role " },
		{ "other encodings", "client_encoding=UTF8;x=\xc3\xbc", "", "client_encoding=LATIN1;x=\xc3\xbc",
		  "y=\1SJIS\1\x83\x5c;z=\1\1\1",
		  "SET \"client_encoding\" TO E'LATIN1';" CONFIG(
			  "x", "pg_catalog.convert_from(pg_catalog.decode('c3bc','hex'),E'LATIN1')")
			  CONFIG("y", "pg_catalog.convert_from(pg_catalog.decode('835c','hex'),E'SJIS')")
				  CONFIG("z", "E'\1'"),
		  0, "client_encoding x y z " },
		{ "a name", "", "\xc3\xbc=1", "", "", CONFIG("\\xc3\\xbc", "NULL"), 1, "\xc3\xbc " },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct varset *has = set_of(cases[i].has), *has_said = set_of(cases[i].has_said),
				    *want = set_of(cases[i].want), *want_said = set_of(cases[i].want_said);
		struct pg_replay y = { .sql = { .max = 10000 } };
		pg_replay(&y, has, has_said, want, want_said);
		check_str(cases[i].what, sb_str(&y.sql), cases[i].sql);
		check_eq(cases[i].what, y.taking_back, cases[i].taking_back);
		sb_free(&y.sql);
		char names[100] = "";
		for (uint32_t nth = 0; nth < y.n; nth++) {
			struct pg_replay again = { .sql = { .max = 10000 }, .nth = nth };
			pg_replay(&again, has, has_said, want, want_said);
			check(cases[i].what, again.name != NULL);
			snprintf(names + strlen(names), sizeof names - strlen(names), "%s ", again.name);
			sb_free(&again.sql);
		}
		check_str(cases[i].what, names, cases[i].names);
		varset_put(has);
		varset_put(has_said);
		varset_put(want);
		varset_put(want_said);
	}
}

void suite_replay(void)
{
	static const struct unit_test tests[] = {
		{ "values that are kept", test_keep },
		{ "SET", test_set },
		{ "from one client to the next", test_replay },
		{ NULL, NULL },
	};
	unit_add("pg/replay", tests);
}
