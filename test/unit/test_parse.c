/* test_parse.c - the console's language: texts to statements. */
#include "admin/parse.h"

#include "core/str.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define INVALID(s) "! invalid command '" s "', use SHOW HELP;"

/* What each statement of a text turns into, a line each: its words, (arg) and =value=; or ! the fault and ? its hint.
 */
static const struct {
	const char *in, *out;
} cases[] = {
	{ "SHOW POOLS", "SHOW POOLS" },
	{ "show pools", "SHOW POOLS" },
	{ " \t\r\n sHoW \n\n pOOls ; ", "SHOW POOLS" },
	{ "\"SHOW\" \"pools\"", "SHOW POOLS" },
	{ "SHOW POOLS;SHOW STATE", "SHOW POOLS\nSHOW STATE" },
	{ ";;SHOW POOLS;;;SHOW STATE;;", "SHOW POOLS\nSHOW STATE" },
	{ "", "" },
	{ ";", "" },
	{ " \n;; ", "" },

	{ "-- all of it", "" },
	{ "-- a line\nSHOW POOLS -- the end", "SHOW POOLS" },
	{ "/* a */ SHOW/**/POOLS /* b", INVALID("SHOW/**/POOLS /* b") "\n? A comment in it does not end." },
	{ "/* a */ SHOW/**/POOLS /* b */", "SHOW POOLS" },
	{ "/* a /* nested */ still */ RELOAD", "RELOAD" },
	{ "/* a /* nested */ still", INVALID("/* a /* nested */ still") "\n? A comment in it does not end." },
	{ "SHOW--x\nPOOLS", "SHOW POOLS" },
	{ "/*/ RELOAD", INVALID("/*/ RELOAD") "\n? A comment in it does not end." },

	{ "PAUSE", "PAUSE" },
	{ "suspend",
	  INVALID("suspend") "\n? It prepared a restart with -R, which PgBouncer has given up, too. PAUSE lets go "
			     "of the servers and keeps the clients." },
	{ "PAUSE shop", "PAUSE (shop)" },
	{ "PAUSE Shop;", "PAUSE (Shop)" },
	{ "PAUSE \"my db\"", "PAUSE (my db)" },
	{ "PAUSE `my db`", "PAUSE (my db)" },
	{ "PAUSE \"a\"\"b\"", "PAUSE (a\"b)" },
	{ "PAUSE \"\"", "PAUSE ()" },
	{ "PAUSE \"\"\"\"", "PAUSE (\")" },
	{ "PAUSE \"a;b\"; RESUME \"--c\"", "PAUSE (a;b)\nRESUME (--c)" },
	{ "PAUSE my-db.2$x", "PAUSE (my-db.2$x)" },
	{ "PAUSE caf\303\251", "PAUSE (caf\303\251)" },
	{ "PAUSE shop; RESUME", "PAUSE (shop)\nRESUME" },
	{ "PAUSE \"shop", INVALID("PAUSE \"shop") "\n? A quote in it does not end." },
	{ "PAUSE \"shop\"\"", INVALID("PAUSE \"shop\"\"") "\n? A quote in it does not end." },
	{ "PAUSE 'shop'", INVALID("PAUSE 'shop'") "\n? It is written: PAUSE [<db>];" },
	{ "PAUSE a b", INVALID("PAUSE a b") "\n? It is written: PAUSE [<db>];" },
	{ "PAUSE = b", INVALID("PAUSE = b") "\n? It is written: PAUSE [<db>];" },
	{ "PAUSE a b c d e f", INVALID("PAUSE a b c d e f") "\n? It is written: PAUSE [<db>];" },
	{ "DISABLE", "DISABLE" }, /* the dispatcher asks for the database */
	{ "DISABLE shop", "DISABLE (shop)" },
	{ "KILL_CLIENT 17", "KILL_CLIENT (17)" },
	{ "KILL_CLIENT C-0x1f", "KILL_CLIENT (C-0x1f)" },
	{ "KILL_CLIENT", "KILL_CLIENT" },

	{ "SET a = b", "SET (a) =b=" },
	{ "SET a=b", "SET (a) =b=" },
	{ "set a to b", "SET (a) =b=" },
	{ "SET a='b c'", "SET (a) =b c=" },
	{ "SET a = 'it''s'", "SET (a) =it's=" },
	{ "SET a = '';SET b=''''", "SET (a) ==\nSET (b) ='=" },
	{ "SET a = \"b c\"", "SET (a) =b c=" },
	{ "SET a = 1.5;", "SET (a) =1.5=" },
	{ "SET a = -1", "SET (a) =-1=" },
	{ "SET logfile = /var/log/x.log", "SET (logfile) =/var/log/x.log=" },
	{ "SET a=b;RELOAD", "SET (a) =b=\nRELOAD" },
	{ "SET", INVALID("SET") "\n? It is written: SET key = value;" },
	{ "SET a", INVALID("SET a") "\n? It is written: SET key = value;" },
	{ "SET a b", INVALID("SET a b") "\n? It is written: SET key = value;" },
	{ "SET a =", INVALID("SET a =") "\n? It is written: SET key = value;" },
	{ "SET a = =", INVALID("SET a = =") "\n? It is written: SET key = value;" },
	{ "SET = a b", INVALID("SET = a b") "\n? It is written: SET key = value;" },
	{ "SET 'a' = b", INVALID("SET 'a' = b") "\n? It is written: SET key = value;" },
	{ "SET a = b c", INVALID("SET a = b c") "\n? It is written: SET key = value;" },
	{ "SET a 'TO' b", INVALID("SET a 'TO' b") "\n? It is written: SET key = value;" },

	{ "SHUTDOWN", "SHUTDOWN" },
	{ "shutdown wait_for_servers", "SHUTDOWN WAIT_FOR_SERVERS" },
	{ "shutdown wait_for_clients;", "SHUTDOWN WAIT_FOR_CLIENTS" },
	{ "SHUTDOWN NOW", INVALID("SHUTDOWN NOW") "\n? It is written: SHUTDOWN;" },

	{ "SHOW", INVALID("SHOW") },
	{ "SELECT 1", INVALID("SELECT 1") },
	{ "SHOW POOL", INVALID("SHOW POOL") "\n? Did you mean SHOW POOLS?" },
	{ "SHWO clients", INVALID("SHWO clients") "\n? Did you mean SHOW CLIENTS?" },
	{ "paus", INVALID("paus") "\n? Did you mean PAUSE?" },
	{ "relaod shop", INVALID("relaod shop") "\n? Did you mean RELOAD?" },
	{ "SHOW POOLS x", INVALID("SHOW POOLS x") "\n? It is written: SHOW POOLS;" },
	{ "'SHOW' POOLS", INVALID("'SHOW' POOLS") },
	{ "\"SHOW POOLS\"", INVALID("\"SHOW POOLS\"") },
	{ "SHOWPOOLS", INVALID("SHOWPOOLS") },
	{ "RELOAD; NONSENSE; RELOAD", "RELOAD\n" INVALID("NONSENSE") },
	{ "  NONSENSE  ; RELOAD", INVALID("NONSENSE") },
	{ "RELOAD\001", INVALID("RELOAD\001") "\n? It holds a control character." },
	{ "=", INVALID("=") },
};

/* Runs a text from a heap copy that ends where it may be written to. */
static void say(struct sb *out, const char *in, size_t len)
{
	char *text = malloc(len + 1);
	size_t at = 0;
	bool go_on = true;
	if (!text)
		abort();
	memcpy(text, in, len);
	text[len] = '"'; /* not of the text: nobody may read it */
	while (go_on) {
		struct order o;
		struct fault f;
		enum parse is = parse_order(text, len, &at, &o, &f);
		go_on = is == PARSE_ORDER;
		if (at > len)
			abort();
		if (is == PARSE_END)
			break;
		if (out->len)
			sb_add(out, "\n");
		if (is == PARSE_BAD) {
			sb_addf(out, "! %s%s%s", f.text, f.hint[0] ? "\n? " : "", f.hint);
			check_str("SQLSTATE", f.sqlstate, "08P01");
			check_eq("kind", f.kind, FAULT_SYNTAX);
			continue;
		}
		sb_add(out, command_table[o.id].words);
		if (o.arg)
			sb_addf(out, " (%s)", o.arg);
		if (o.value)
			sb_addf(out, " =%s=", o.value);
	}
	free(text);
}

static void test_cases(void)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sb out = { .max = 0 };
		say(&out, cases[i].in, strlen(cases[i].in));
		check_str(cases[i].in, sb_str(&out), cases[i].out);
		sb_free(&out);
	}
}

/* Each prefix, and each with a byte of it changed: whatever comes, it ends, and within the text. */
static void test_prefixes(void)
{
	static const char odd[] = "\0\001 ;\"'`=-/*\n\177\200\377";
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len = strlen(cases[i].in);
		char copy[128];
		if (!check("a short case", len < sizeof copy))
			continue;
		for (size_t n = 0; n <= len; n++) {
			struct sb out = { .max = 0 };
			say(&out, cases[i].in, n);
			sb_free(&out);
			for (size_t k = 0; k < sizeof odd - 1 && n < len; k++) {
				memcpy(copy, cases[i].in, len);
				copy[n] = odd[k];
				say(&out, copy, len);
				sb_free(&out);
			}
		}
	}
}

/* A text with a NUL in it, which some doors can bring: no name ends before it. */
static void test_nul(void)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} nuls[] = {
		{ BYTES("PAUSE \"a\0b\""), INVALID("PAUSE \"a") "\n? A quote in it does not end." },
		{ BYTES("PAUSE a\0b"), INVALID("PAUSE a") "\n? It holds a control character." },
		{ BYTES("\0"), INVALID("") "\n? It holds a control character." },
	};
	for (size_t i = 0; i < COUNT(nuls); i++) {
		struct sb out = { .max = 0 };
		say(&out, nuls[i].in, nuls[i].len);
		check_str(nuls[i].out, sb_str(&out), nuls[i].out);
		sb_free(&out);
	}
}

static void test_ignored(void)
{
	static const char *const keys[] = { "client_encoding", "DateStyle", "timezone", "extra_float_digits",
					    "application_name" };
	for (size_t i = 0; i < COUNT(keys); i++) {
		char text[80];
		struct order o;
		struct fault f;
		size_t at = 0;
		str_fmt(text, sizeof text, "set %s = 'x'", keys[i]);
		check_eq(keys[i], parse_order(text, strlen(text), &at, &o, &f), PARSE_ORDER);
		check_eq(keys[i], o.id, CMD_ignore);
	}
}

/* A wrong statement is repeated, but not without end, and not in the midst of a character. */
static void test_long(void)
{
	struct sb text = { .max = 0 };
	struct order o;
	struct fault f;
	size_t at = 0;
	sb_add(&text, "xx ");
	for (int i = 0; i < 2000; i++)
		sb_add(&text, "\303\251");
	check_eq("bad", parse_order(text.s, text.len, &at, &o, &f), PARSE_BAD);
	size_t len = strlen(f.text);
	check("says what to do", len > 17 && strcmp(f.text + len - 17, "', use SHOW HELP;") == 0);
	check_mem("cut between characters", f.text + len - 19, "\303\251", 2);
	sb_free(&text);
}

static const struct {
	const char *in;
	bool ok;
	uint64_t id;
} ids[] = {
	{ "0", true, 0 },
	{ "31", true, 31 },
	{ "0x1f", true, 31 },
	{ "0X1F", true, 31 },
	{ "C-0x1f", true, 31 },
	{ "c-0xABCdef", true, 0xabcdef },
	{ "0xffffffffffffffff", true, UINT64_MAX },
	{ "18446744073709551615", true, UINT64_MAX },
	{ "", false, 0 },
	{ "abc", false, 0 },
	{ "0x", false, 0 },
	{ "0xg", false, 0 },
	{ "-1", false, 0 },
	{ "1 ", false, 0 },
	{ "C-", false, 0 },
	{ "S-0x1f", false, 0 },
	{ "0x10000000000000000", false, 0 },
	{ "18446744073709551616", false, 0 },
};

static void test_ids(void)
{
	for (size_t i = 0; i < COUNT(ids); i++) {
		uint64_t id = 0;
		check_eq(ids[i].in, parse_id(ids[i].in, &id), ids[i].ok);
		check(ids[i].in, !ids[i].ok || id == ids[i].id);
	}
}

/* What holds for every row of the table. */
static void test_table(void)
{
	for (int i = 0; i < CMD_COUNT; i++) {
		const struct command *c = &command_table[i];
		bool is_show = strncmp(c->words, "SHOW ", 5) == 0;
		for (const char *w = c->words; *w; w++)
			check(c->words, (*w >= 'A' && *w <= 'Z') || *w == ' ' || *w == '_');
		check(c->words, c->right == RIGHT_STATS || c->right == RIGHT_ADMIN);
		bool does_nothing = i == CMD_ignore || i == CMD_begin || i == CMD_commit || i == CMD_rollback;
		check("who may only look may look at all", (is_show || does_nothing) == (c->right == RIGHT_STATS));
		check("a sentence, but of one that stands beside another", (i == CMD_ignore) == !c->text[0]);
		check("it ends", !c->text[0] || c->text[strlen(c->text) - 1] == '.');
	}
}

void suite_parse(void)
{
	static const struct unit_test tests[] = {
		{ "statements", test_cases },
		{ "prefixes and odd bytes", test_prefixes },
		{ "NUL", test_nul },
		{ "ignored settings", test_ignored },
		{ "long statements", test_long },
		{ "ids of clients", test_ids },
		{ "the table of commands", test_table },
		{ NULL, NULL },
	};
	unit_add("parse", tests);
}
