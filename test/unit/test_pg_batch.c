/* test_pg_batch.c - the messages of the extended protocol. */
#include "unit.h"

#include "pg/batch.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *what;
	char type;
	const char *in;
	size_t len;
	bool want;
	const char *name, *other; /* statement or portal; text, or a Bind's statement */
	unsigned a, b, c;         /* counts, the kind, the rows */
} cases[] = {
	{ "unnamed", 'P', BYTES("\0select 1\0\0\0"), true, "", "select 1", 0, 0, 0 },
	{ "named, types", 'P', BYTES("s\0x\0\0\2\0\0\0\27\0\0\0\31"), true, "s", "x", 2, 0, 0 },
	{ "a type too few", 'P', BYTES("s\0x\0\0\2\0\0\0\27"), false, "", "", 0, 0, 0 },
	{ "a byte too many", 'P', BYTES("s\0x\0\0\0\0"), false, "", "", 0, 0, 0 },
	{ "text without end", 'P', BYTES("s\0x"), false, "", "", 0, 0, 0 },
	{ "plain", 'B', BYTES("p\0s\0\0\0\0\0\0\0"), true, "p", "s", 0, 0, 0 },
	{ "all of it", 'B', BYTES("\0\0\0\1\0\1\0\2\0\0\0\1x\377\377\377\377\0\2\0\0\0\1"), true, "", "", 1, 2, 2 },
	{ "a value too long", 'B', BYTES("\0\0\0\0\0\1\0\0\0\7x\0\0"), false, "", "", 0, 0, 0 },
	{ "a length below -1", 'B', BYTES("\0\0\0\0\0\1\377\377\377\376x\0\0"), false, "", "", 0, 0, 0 },
	{ "values promised", 'B', BYTES("\0\0\0\0\377\377"), false, "", "", 0, 0, 0 },
	{ "a format too few", 'B', BYTES("\0\0\0\0\0\0\0\2\0\0"), false, "", "", 0, 0, 0 },
	{ "a statement", 'D', BYTES("Ss\0"), true, "s", "", 'S', 0, 0 },
	{ "a portal", 'D', BYTES("P\0"), true, "", "", 'P', 0, 0 },
	{ "what?", 'D', BYTES("Xs\0"), false, "", "", 0, 0, 0 },
	{ "nothing", 'D', BYTES(""), false, "", "", 0, 0, 0 },
	{ "all", 'E', BYTES("p\0\0\0\0\0"), true, "p", "", 0, 0, 0 },
	{ "five", 'E', BYTES("\0\0\0\0\5"), true, "", "", 5, 0, 0 },
	{ "below zero is all", 'E', BYTES("\0\377\377\377\377"), true, "", "", 0, 0, 0 },
	{ "the most", 'E', BYTES("\0\177\377\377\377"), true, "", "", INT32_MAX, 0, 0 },
	{ "half a number", 'E', BYTES("\0\0\0"), false, "", "", 0, 0, 0 },
};

static bool read_it(size_t i, const uint8_t *p, size_t len)
{
	struct rd body = rd_of(p, len);
	struct pg_parse parse;
	struct pg_bind bind;
	struct pg_target target;
	struct pg_execute execute;
	const char *name = "", *other = "";
	unsigned a = 0, b = 0, c = 0;
	bool ok = false;

	switch (cases[i].type) {
	case 'P':
		ok = pg_read_parse(body, &parse);
		name = parse.name, other = parse.text, a = parse.ntypes;
		break;
	case 'B':
		ok = pg_read_bind(body, &bind);
		name = bind.portal, other = bind.name;
		a = bind.nparam_formats, b = bind.nparams, c = bind.nformats;
		break;
	case 'D':
		ok = pg_read_target(body, &target);
		name = target.name, a = target.kind;
		break;
	default:
		ok = pg_read_execute(body, &execute);
		name = execute.portal, a = execute.max_rows;
		break;
	}
	if (!ok || len < cases[i].len)
		return ok;
	check_str(cases[i].what, name, cases[i].name);
	check_str(cases[i].what, other, cases[i].other);
	check_eq(cases[i].what, a, cases[i].a);
	check_eq(cases[i].what, b, cases[i].b);
	check_eq(cases[i].what, c, cases[i].c);
	return ok;
}

static void test_messages(void)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t len = cases[i].want ? 0 : cases[i].len; len <= cases[i].len; len++) {
			uint8_t *copy = copy_exact(cases[i].in, len);
			bool ok = read_it(i, copy, len);
			check_eq(cases[i].what, ok, cases[i].want && len == cases[i].len);
			free(copy);
		}
	}
}

void suite_pg_batch(void)
{
	static const struct unit_test tests[] = {
		{ "messages, and every part of them", test_messages },
		{ NULL, NULL },
	};
	unit_add("pg_batch", tests);
}
