/* test_fault.c - errors as values. */
#include "unit.h"

#include "core/fault.h"
#include "core/str.h"

#include <errno.h>
#include <string.h>

static void test_rows(void)
{
	static const struct {
		enum fault_kind kind;
		const char *name, *sqlstate;
		int mysql_errno;
		bool retryable;
		const char *text;
	} cases[] = {
		{ FAULT_NONE, "none", "00000", 0, false, "" },
		{ FAULT_INTERNAL, "internal", "XX000", 1105, false, "internal error" },
		{ FAULT_IO, "io", "08006", 1158, true, "connection failure" },
		{ FAULT_NO_DB, "no_db", "3D000", 1049, false, "no such database" },
		{ FAULT_NOT_NOW, "not_now", "57P03", 1040, true, "cannot connect now" },
		{ FAULT_NOMEM, "nomem", "53200", 1041, false, "out of memory" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fault f = { 0 };
		char nothing[1] = "";
		check("always false", !fault_set(&f, cases[i].kind, "%s", nothing));
		check_eq(cases[i].name, f.kind, cases[i].kind);
		check_str(cases[i].name, f.sqlstate, cases[i].sqlstate);
		check_eq(cases[i].name, f.mysql_errno, cases[i].mysql_errno);
		check_eq(cases[i].name, fault_is_retryable(&f), cases[i].retryable);
		check_str("says something by itself", f.text, cases[i].text);
		check_str(cases[i].name, fault_name(cases[i].kind), cases[i].name);
		check_str("asked again", fault_name(cases[i].kind), cases[i].name);
	}
}

static void test_every_row_is_whole(void)
{
	for (int k = FAULT_NONE + 1; k < FAULT_NKINDS; k++) {
		struct fault f;
		fault_set(&f, (enum fault_kind)k, "x");
		const char *name = fault_name((enum fault_kind)k);
		check(name, strlen(f.sqlstate) == 5 && strspn(f.sqlstate, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5);
		check(name, f.mysql_errno != 0);
		check(name, *name && strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name));
	}
}

static void test_words(void)
{
	struct fault f;
	memset(&f, 'z', sizeof f);
	fault_set(&f, FAULT_DENIED, "no user \"%s\"", "anna");
	check_str("text", f.text, "no user \"anna\"");
	check_str("no hint", f.hint, "");
	fault_hint(&f, "add %s to %s", "anna", "userlist.txt");
	check("always false", !fault_add(&f, "logging in to %s", "shop"));
	check_str("prefixed", f.text, "logging in to shop: no user \"anna\"");
	check_str("hint", f.hint, "add anna to userlist.txt");
	check_str("the rest stays", f.sqlstate, "42501");
	fault_set(&f, FAULT_BUSY, "<%s>", f.text);
	check_str("its own words as an argument", f.text, "<logging in to shop: no user \"anna\">");
	check_str("the hint is gone", f.hint, "");
	check_str("the state is new", f.sqlstate, "53300");
	fault_hint(&f, "%s", "one");
	fault_hint(&f, "%s and two", f.hint);
	check_str("a hint from a hint", f.hint, "one and two");
}

static void test_cut(void)
{
	struct fault f;
	char fill[600], want[512];
	/* 510 bytes and then a character of two: 511 are allowed. */
	memset(fill, 'a', sizeof fill);
	memcpy(fill + 510, "\303\251", 3);
	fault_set(&f, FAULT_IO, "%s", fill);
	check_eq("text", strlen(f.text), 510);
	fault_set(&f, FAULT_IO, "%s", "x");
	fill[509] = '\0';
	fault_add(&f, "%s", fill);
	check_eq("prefix", strlen(f.text), 511);
	str_fmt(want, sizeof want, "%s: ", fill);
	check_str("the beginning is what is kept", f.text, want);
	fault_hint(&f, "%s", fill);
	check_eq("hint", strlen(f.hint), 255);
}

static void test_sqlstate(void)
{
	static const struct {
		const char *in;
		bool ok;
	} cases[] = {
		{ "08P01", true },   { "ZZ999", true },  { "00000", true },  { "0800", false },  { "", false },
		{ "080011", false }, { "08p01", false }, { "08 01", false }, { "08-01", false }, { "08P0\n", false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fault f;
		fault_set(&f, FAULT_IO, "x");
		fault_sqlstate(&f, cases[i].in);
		check_str(cases[i].in, f.sqlstate, cases[i].ok ? cases[i].in : "08006");
	}
}

static void test_errno(void)
{
	struct fault f;
	check("always false", !fault_errno(&f, ECONNREFUSED, "connecting to %s", "10.0.0.7"));
	check_eq("kind", f.kind, FAULT_IO);
	char want[200];
	str_fmt(want, sizeof want, "connecting to 10.0.0.7: %s", strerror(ECONNREFUSED));
	check_str("text", f.text, want);
	fault_errno(&f, ENOMEM, "%s", "reading");
	check_eq("kind", f.kind, FAULT_NOMEM);
	str_fmt(want, sizeof want, "reading: %s", strerror(ENOMEM));
	check_str("text", f.text, want);
}

void suite_fault(void)
{
	static const struct unit_test tests[] = {
		{ "rows", test_rows },
		{ "every row is whole", test_every_row_is_whole },
		{ "words", test_words },
		{ "cut", test_cut },
		{ "SQLSTATE", test_sqlstate },
		{ "errno", test_errno },
		{ NULL, NULL },
	};
	unit_add("fault", tests);
}
