/* test_userlist.c - auth_file: users, secrets, and lines that are neither. */
#include "config/userlist.h"

#include "conf_files.h"
#include "nomem.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

struct got {
	char text[2048]; /* "line name=<secret>" and "line ! fault" */
	size_t longest;  /* secret */
	unsigned faults, stop_after;
};

static bool note_user(void *arg, int line, const char *name, const char *secret)
{
	struct got *g = arg;
	size_t len = strlen(g->text);
	str_fmt(g->text + len, sizeof g->text - len, "%d %.20s=<%.80s>\n", line, name, secret);
	if (strlen(secret) > g->longest)
		g->longest = strlen(secret);
	return g->stop_after == 0 || --g->stop_after > 0;
}

static bool note_fault(void *arg, int line, const char *text)
{
	struct got *g = arg;
	size_t len = strlen(g->text);
	str_fmt(g->text + len, sizeof g->text - len, "%d ! %.22s\n", line, text);
	g->faults++;
	return true;
}

/* As note_fault() cuts them. */
#define NO_NAME   "! a user's name in doubl\n"
#define NO_SECRET "! the name is not follow\n"

static const struct {
	const char *what, *in;
	size_t len;
	const char *out;
} files[] = {
	{ "nothing", BYTES(""), "" },
	{ "users", BYTES("\"a\" \"b\"\n\"c\"\t\"d\"\n"), "1 a=<b>\n2 c=<d>\n" },
	{ "no newline at the end, CRLF, indented", BYTES("\"a\" \"b\"\r\n  \"c\"  \"d\""), "1 a=<b>\n2 c=<d>\n" },
	{ "byte order mark", BYTES("\xef\xbb\xbf\"a\" \"b\"\n"), "1 a=<b>\n" },
	{ "comments", BYTES("; x\n# y\n\n \t\n ;z\n\"a\" \"b\"\n"), "6 a=<b>\n" },
	{ "more columns", BYTES("\"a\" \"b\" \"c\" d\n\"e\" \"f\" ; g\n"), "1 a=<b>\n2 e=<f>\n" },
	{ "quotes", BYTES("\"a\"\"b\" \"c\"\"\"\"d\"\"\"\n"), "1 a\"b=<c\"\"d\">\n" },
	{ "no secret", BYTES("\"a\" \"\"\n"), "1 a=<>\n" },
	{ "blanks inside, backslashes", BYTES("\"a b\" \" c\\\"\n"), "1 a b=< c\\>\n" },
	{ "a verifier", BYTES("\"a\" \"SCRAM-SHA-256$4096:c2FsdA==$x:y\"\n"),
	  "1 a=<SCRAM-SHA-256$4096:c2FsdA==$x:y>\n" },
	{ "no quotes", BYTES("a b\n\"c\" \"d\"\n"), "1 " NO_NAME "2 c=<d>\n" },
	{ "only a name", BYTES("\"a\"\n\"b\" c\n\"d\" \"e\n"), "1 " NO_SECRET "2 " NO_SECRET "3 " NO_SECRET },
	{ "an open name", BYTES("\"a b\n"), "1 " NO_NAME },
	{ "nothing between", BYTES("\"a\"\"b\"\n"), "1 " NO_SECRET },
	{ "behind the secret", BYTES("\"a\" \"b\"c\n"), "1 ! a blank is expected be\n" },
	{ "an empty name", BYTES("\"\" \"b\"\n"), "1 ! the name is empty or l\n" },
	{ "a NUL", BYTES("\"a\" \"b\0c\"\n\"d\" \"e\"\n"), "1 ! the line holds a NUL b\n2 d=<e>\n" },
};

static void test_files(void)
{
	conf_dir();
	for (size_t i = 0; i < COUNT(files); i++) {
		struct got g = { .stop_after = 0 };
		const struct userlist_sink sink = { note_user, note_fault, &g };
		struct fault f;
		check(files[i].what, userlist_read(conf_write("u", files[i].in, files[i].len), &sink, &f));
		check_str(files[i].what, g.text, files[i].out);
	}
	conf_clean();
}

static void test_lengths(void)
{
	static const struct {
		size_t name, secret;
		bool ok;
	} rows[] = {
		{ 255, 10, true },   { 256, 10, false },        { 1, 65535, true },
		{ 1, 65536, false }, { 100000, 100000, false },
	};
	conf_dir();
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct got g = { .stop_after = 0 };
		const struct userlist_sink sink = { note_user, note_fault, &g };
		struct sb b = { 0 };
		struct fault f;
		char what[64];
		str_fmt(what, sizeof what, "name %zu, secret %zu", rows[i].name, rows[i].secret);
		sb_add(&b, "\"");
		for (size_t n = 0; n < rows[i].name; n++)
			sb_add(&b, "n");
		sb_add(&b, "\" \"");
		for (size_t n = 0; n < rows[i].secret; n++)
			sb_add(&b, "s");
		sb_add(&b, "\"\n");
		check(what, userlist_read(conf_write("u", b.s, b.len), &sink, &f));
		check_eq(what, g.faults, !rows[i].ok);
		check_eq(what, g.longest, rows[i].ok ? rows[i].secret : 0);
		sb_free(&b);
	}
	conf_clean();
}

static void test_no_file(void)
{
	struct got g = { .stop_after = 1 };
	const struct userlist_sink sink = { note_user, note_fault, &g };
	struct fault f;
	const char *dir = conf_dir();
	check("a directory", !userlist_read(dir, &sink, &f) && f.kind == FAULT_CONFIG && strstr(f.text, "directory"));
	check("nothing", !userlist_read("/nowhere/at/all", &sink, &f) && f.kind == FAULT_CONFIG);
	check("stops", userlist_read(conf_text("u", "\"a\" \"b\"\n\"c\" \"d\"\n"), &sink, &f));
	check_str("stops", g.text, "1 a=<b>\n");
	const char *path = conf_text("u", "\"a\" \"b\"\n");
	for (unsigned n = 0; nomem_next(&n);)
		if (!userlist_read(path, &sink, &f))
			check("out of memory", nomem_hit() && f.kind == FAULT_NOMEM);
	conf_clean();
}

static void test_verifiers(void)
{
#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	static const struct {
		const char *secret;
		bool bad;
	} rows[] = {
		{ "SCRAM-SHA-256$4096:c2FsdA==$" KEY ":" KEY, false },
		{ "SCRAM-SHA-256$4096:c2FsdA==$" KEY ":" KEY "=", true },
		{ "SCRAM-SHA-256$4096:c2FsdA==$" KEY ":" KEY ":", true },
		{ "SCRAM-SHA-256$4096:c2FsdA==$A" KEY ":" KEY, true },
		{ "SCRAM-SHA-256$4096:c2FsdA==$" KEY, true },
		{ "SCRAM-SHA-256$4096:$" KEY ":" KEY, true },
		{ "SCRAM-SHA-256$:c2FsdA==$" KEY ":" KEY, true },
		{ "SCRAM-SHA-256$4x96:c2FsdA==$" KEY ":" KEY, true },
		{ "SCRAM-SHA-256$4096:c2F dA==$" KEY ":" KEY, true },
		{ "SCRAM-SHA-256$", true },
		{ "SCRAM-SHA-256", false },
		{ "md5", false },
		{ "", false },
		{ "$A$005$ABCDEFGHIJKLMNOPQRST/Ot.EjLtgDi7N2ac.5J0vA5rhjKnaqYaZp3Id61YMC1", false },
		{ "$A$005$ABCDEFGHIJKLMNOPQRST/Ot.EjLtgDi7N2ac.5J0vA5rhjKnaqYaZp3Id61YMC", true },
		{ "$A$005$", true },
		{ "$A$00$ is a password", false },
		{ "$A$", false },
		{ "0x244124303035", true },
		{ "0x2441", false },
		{ "ed25519:x1YAMCvR7TI3XkfIDrsGUiePkxOybYVG94ctSSWCDSc", false },
		{ "ed25519:x1YAMCvR7TI3XkfIDrsGUiePkxOybYVG94ctSSWCDS", true },
		{ "ed25519:x1YAMCvR7TI3XkfIDrsGUiePkxOybYVG94ctSSWCDSc!", true },
		{ "ed25519", false },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *copy = (char *)copy_exact(rows[i].secret, strlen(rows[i].secret) + 1);
		check_eq(rows[i].secret, userlist_is_bad_verifier(copy), rows[i].bad);
		free(copy);
	}
}

static void test_forms(void)
{
	static const struct {
		const char *secret;
		enum user_form form;
	} rows[] = {
		{ "", USER_FORM_PLAIN },
		{ "pencil", USER_FORM_PLAIN },
		{ "md5984c3e9256f24b08e5b849d2265593b2", USER_FORM_PLAIN },
		{ "SCRAM-SHA-256$4096:c2FsdA==$" KEY ":" KEY, USER_FORM_SCRAM },
		{ "*7614BE58636C810A9D8970A50B3B2A78450413E4", USER_FORM_NATIVE },
		{ "*7614BE58636C810A9D8970A50B3B2A78450413EG", USER_FORM_PLAIN },
		{ "$A$005$ABCDEFGHIJKLMNOPQRST/Ot.EjLtgDi7N2ac.5J0vA5rhjKnaqYaZp3Id61YMC1", USER_FORM_SHA2 },
		{ "$A$", USER_FORM_PLAIN },
		{ "ed25519:x1YAMCvR7TI3XkfIDrsGUiePkxOybYVG94ctSSWCDSc", USER_FORM_ED25519 },
		{ "P0:QUJDREVGR0hJSktMTU5PUFFS:PyB42+MUuIvSON6Z4FUhZ9gkV+r3uh4Ptzi7xYlMAnk", USER_FORM_PARSEC },
		{ "P0:QUJDREVGR0hJSktMTU5PUFF", USER_FORM_PLAIN },
		{ "P", USER_FORM_PLAIN },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *copy = (char *)copy_exact(rows[i].secret, strlen(rows[i].secret) + 1);
		check_eq(rows[i].secret, userlist_form(copy), rows[i].form);
		free(copy);
	}
}

void suite_userlist(void)
{
	static const struct unit_test tests[] = {
		{ "files", test_files },         { "lengths", test_lengths }, { "no file", test_no_file },
		{ "verifiers", test_verifiers }, { "forms", test_forms },     { NULL, NULL },
	};
	unit_add("userlist", tests);
}
