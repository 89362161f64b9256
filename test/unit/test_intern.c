/* test_intern.c - interned strings. */
#include "unit.h"

#include "nomem.h"

#include "core/intern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_one_copy(void)
{
	static const struct {
		const char *s;
		size_t len;
	} cases[] = { { BYTES("") },     { BYTES("a") },    { BYTES("ab") },
		      { BYTES("a\0b") }, { BYTES("a\0c") }, { BYTES("\0") } };
	const struct istr *i[COUNT(cases)];
	size_t before = istr_count();
	for (size_t k = 0; k < COUNT(cases); k++) {
		uint8_t *copy = copy_exact(cases[k].s, cases[k].len);
		i[k] = istr_get((const char *)copy, cases[k].len);
		free(copy); /* it has its own */
		check_eq("length", i[k]->len, cases[k].len);
		check_mem("bytes and NUL", i[k]->s, cases[k].s, cases[k].len + 1);
		for (size_t j = 0; j < k; j++)
			check("another", i[j] != i[k]);
		check("equal is the same", istr_get(cases[k].s, cases[k].len) == i[k]);
	}
	check_eq("count", istr_count() - before, COUNT(cases));
	for (size_t k = 0; k < COUNT(cases); k++)
		istr_put(i[k]);
	check_eq("one holder each is left", istr_count() - before, COUNT(cases));
	for (size_t k = 0; k < COUNT(cases); k++)
		istr_put(i[k]);
	check_eq("none", istr_count(), before);
	istr_put(NULL);
}

static void test_counted(void)
{
	size_t before = istr_count();
	const struct istr *i = istr_get("x", 1);
	check("itself", istr_ref(i) == i);
	istr_put(i);
	check_str("still held", i->s, "x");
	check("found", istr_get("x", 1) == i);
	istr_put(i);
	istr_put(i);
	check_eq("gone", istr_count(), before);
}

static void test_many(void)
{
	static const struct istr *i[2000];
	size_t before = istr_count();
	unsigned wrong = 0;
	char s[32];
	for (unsigned k = 0; k < COUNT(i); k++) {
		int n = snprintf(s, sizeof s, "statement %u", k / 2);
		i[k] = istr_get(s, (size_t)n);
		wrong += k % 2 && i[k] != i[k - 1];
	}
	check_eq("wrong", wrong, 0);
	check_eq("count", istr_count() - before, COUNT(i) / 2);
	for (unsigned k = 0; k < COUNT(i); k++)
		istr_put(i[k]);
	check_eq("none", istr_count(), before);
}

static void test_without_memory(void)
{
	size_t before = istr_count();
	for (unsigned n = 0; nomem_next(&n);) {
		const struct istr *i = istr_get("abc", 3);
		check_eq("NULL when out of memory", !i, nomem_hit());
		check_eq("count", istr_count(), before + (i != NULL));
		istr_put(i);
	}
	check("longer than a length can say", !istr_get("", (size_t)UINT32_MAX + 1));
}

void suite_intern(void)
{
	static const struct unit_test tests[] = {
		{ "one copy", test_one_copy },
		{ "counted", test_counted },
		{ "many", test_many },
		{ "without memory", test_without_memory },
		{ NULL, NULL },
	};
	unit_add("intern", tests);
}
