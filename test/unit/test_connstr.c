/* test_connstr.c - key=value pairs and quoted names. */
#include "config/connstr.h"

#include "core/str.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *in, *out; /* "key=<value>" and how it ends */
	enum connstr_got end;
	size_t byte;
} pairs[] = {
	{ "", "", CONNSTR_END, 0 },
	{ " \t ", "", CONNSTR_END, 3 },
	{ "host=10.0.0.7 port=5432", "host=<10.0.0.7> port=<5432> ", CONNSTR_END, 23 },
	{ "host = 10.0.0.7\tport= 5432 ", "host=<10.0.0.7> port=<5432> ", CONNSTR_END, 27 },
	{ "password= user=a", "password=<user=a> ", CONNSTR_END, 16 },
	{ "password='' user=a", "password=<> user=<a> ", CONNSTR_END, 18 },
	{ "password='it''s ''here'''", "password=<it's 'here'> ", CONNSTR_END, 25 },
	{ "password=it's", "password=<it's> ", CONNSTR_END, 13 },
	{ "a=b=c d='e=f'", "a=<b=c> d=<e=f> ", CONNSTR_END, 13 },
	{ "connect_query='SELECT 1; -- x'", "connect_query=<SELECT 1; -- x> ", CONNSTR_END, 30 },
	{ "a=", "a=<> ", CONNSTR_END, 2 },
	{ "a='b' ", "a=<b> ", CONNSTR_END, 6 },
	{ "a='b", "", CONNSTR_OPEN, 0 },
	{ "a=1 b='c''", "a=<1> ", CONNSTR_OPEN, 4 },
	{ "a='b'c='d'", "", CONNSTR_BEHIND, 0 },
	{ "a=b c", "a=<b> ", CONNSTR_NO_EQUALS, 4 },
	{ "a=b c d=e", "a=<b> ", CONNSTR_NO_EQUALS, 4 },
	{ "=b", "", CONNSTR_NO_KEY, 0 },
	{ "a=b 'c'=d", "a=<b> ", CONNSTR_NO_KEY, 4 },
	{ "a-b=c", "", CONNSTR_NO_EQUALS, 0 },
};

static void test_pairs(void)
{
	for (size_t i = 0; i < COUNT(pairs); i++) {
		char *text = (char *)copy_exact(pairs[i].in, strlen(pairs[i].in) + 1), *key, *value;
		char out[256] = "";
		struct connstr c;
		enum connstr_got got;
		connstr_init(&c, text);
		while ((got = connstr_next(&c, &key, &value)) == CONNSTR_PAIR)
			str_fmt(out + strlen(out), sizeof out - strlen(out), "%s=<%s> ", key, value);
		check_str(pairs[i].in, out, pairs[i].out);
		check_eq(pairs[i].in, got, pairs[i].end);
		check_eq(pairs[i].in, c.pair, pairs[i].byte);
		check_eq(pairs[i].in, *connstr_why(got) != '\0', got != CONNSTR_END);
		free(text);
	}
}

/* No prefix of a good string is read past its end, and none goes on for ever. */
static void test_prefixes(void)
{
	static const char whole[] = "host = a port='5''432' password='x y' connect_query=z";
	for (size_t n = 0; n < sizeof whole; n++) {
		char *text = (char *)copy_exact(whole, n + 1), *key, *value;
		struct connstr c;
		unsigned turns = 0;
		text[n] = '\0';
		connstr_init(&c, text);
		while (connstr_next(&c, &key, &value) == CONNSTR_PAIR)
			turns++;
		check("at most four pairs", turns <= 4);
		free(text);
	}
}

static void test_names(void)
{
	static const struct {
		const char *in, *out; /* NULL: none */
	} names[] = {
		{ "shop", "shop" },
		{ "*", "*" },
		{ "Shop-1.x", "Shop-1.x" },
		{ "\"my db\"", "my db" },
		{ "\"a\"\"b\"", "a\"b" },
		{ "\"a=b:c\"", "a=b:c" },
		{ "\"\"\"\"", "\"" },
		{ "", NULL },
		{ "\"\"", NULL },
		{ "\"my db", NULL },
		{ "\"a\"\"", NULL },
		{ "my db", NULL },
		{ "a\"b", NULL },
		{ "\"a\"b", NULL },
		{ "'my db'", "my db" },
		{ "'a''b'", "a'b" },
		{ "'a\"b'", "a\"b" },
		{ "\"a'b\"", "a'b" },
		{ "''", NULL },
		{ "'my db", NULL },
		{ "'a'b", NULL },
		{ "'a\"", NULL },
		{ "o'hara", "o'hara" },
	};
	for (size_t i = 0; i < COUNT(names); i++) {
		char *text = (char *)copy_exact(names[i].in, strlen(names[i].in) + 1);
		bool ok = connstr_name(text);
		check_eq(names[i].in, ok, names[i].out != NULL);
		if (ok && names[i].out)
			check_str(names[i].in, text, names[i].out);
		free(text);
	}
}

void suite_connstr(void)
{
	static const struct unit_test tests[] = {
		{ "pairs", test_pairs },
		{ "prefixes", test_prefixes },
		{ "names", test_names },
		{ NULL, NULL },
	};
	unit_add("connstr", tests);
}
