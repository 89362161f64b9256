/* test_varset.c - equal sets are one set, and nothing is left when all have gone. */
#include "unit.h"

#include "session/varset.h"

#include <stdio.h>
#include <string.h>

static const struct varset *with(const struct varset *base, const char *name, const char *value)
{
	return varset_with(base, name, value, __builtin_strlen(value));
}

static void test_equal_is_same(void)
{
	const struct varset *none = varset_empty();
	const struct varset *a = with(none, "TimeZone", "UTC"), *ab = with(a, "DateStyle", "ISO");
	const struct varset *b = with(none, "DateStyle", "ISO"), *ba = with(b, "TimeZone", "UTC");

	check("the order of setting does not matter", ab == ba);
	check("another value is another set", a != b && ab != a);
	const struct varset *again = with(ab, "timezone", "UTC");
	check("names compare without case", again == ab);
	const struct varset *changed = with(ab, "TIMEZONE", "CET");
	check("a changed value", changed != ab && changed->count == 2);
	check_str("it is found", varset_find(changed, "TimeZone")->s, "CET");
	check_str("the spelling is the first one's", changed->at[1].name->s, "TimeZone");
	const struct varset *back = with(changed, "TimeZone", "UTC");
	check("changed back it is the same again", back == ab);
	check("what is not there is not found", varset_find(ab, "search_path") == NULL);
	check("in no set at all neither", varset_find(NULL, "x") == NULL);

	const struct varset *over = varset_over_known(ab, changed);
	check("one over another", over == changed);

	const struct varset *all[] = { none, a, ab, b, ba, again, changed, back, over };
	for (size_t i = 0; i < COUNT(all); i++)
		varset_put(all[i]);
	check_eq("no set is left", varset_count(), 0);
	check_eq("no string is left", istr_count(), 0);
}

/* What was made last is remembered: the same again is the same set, anything else is another, and nothing of it is kept
 * alive. */
static void test_last(void)
{
	static const struct varset_pair ab[] = { { "a", "1" }, { "b", "2" } }, ac[] = { { "a", "1" }, { "c", "2" } },
					longer[] = { { "a", "1" }, { "b", "22" } };
	const struct varset *none = varset_empty(), *base = with(none, "x", "0");
	const struct varset *first = varset_ref(base), *again = varset_ref(base), *other = varset_ref(base),
			    *value = varset_ref(base), *less = varset_ref(base), *of_none = varset_ref(none);
	check("two are set", varset_set_all(&first, ab, 2) && first->count == 3);
	check("the same again", varset_set_all(&again, ab, 2) && again == first);
	check("another name", varset_set_all(&other, ac, 2) && other != first && varset_find(other, "c"));
	check("another value", varset_set_all(&value, longer, 2) && value != first);
	check("two again", varset_set_all(&again, ab, 2) && again == first);
	check("one of them", varset_set_all(&less, ab, 1) && less->count == 2);
	check("on another base", varset_set_all(&of_none, ab, 2) && of_none->count == 2);
	const struct varset *app = with(none, "app", "psql"), *same = with(none, "app", "psql"),
			    *cut = varset_with(none, "app", "psql", 3), *spelled = with(none, "APP", "psql");
	check("one alone", same == app && cut != app);
	check_str("as much of the value as is meant", varset_find(cut, "app")->s, "psq");
	check("of the other spelling the first stays", spelled != app && strcmp(spelled->at[0].name->s, "APP") == 0);

	struct varset_parted m = { .base = NULL };
	for (int i = 0; i < 4; i++) {
		const struct varset *over = i & 1 ? first : other, *known, *unknown;
		const struct varset *k = varset_over_known(base, over), *u = varset_unknown(base, over);
		check("parted", varset_part_by(&m, base, over, &known, &unknown) && known == k && unknown == u);
		varset_put(known);
		varset_put(unknown);
		check("and again", varset_part_by(&m, base, over, &known, &unknown) && known == k && unknown == u);
		const struct varset *const sets[] = { known, unknown, k, u };
		for (size_t n = 0; n < COUNT(sets); n++)
			varset_put(sets[n]);
	}
	varset_parted_end(&m);
	const struct varset *const all[] = { none, base,    first, again, other, value,
					     less, of_none, app,   same,  cut,   spelled };
	for (size_t i = 0; i < COUNT(all); i++)
		varset_put(all[i]);
	check_eq("no set is left", varset_count(), 0);
	check_eq("no string is left", istr_count(), 0);
}

static const struct varset *set_of(const char *const (*vars)[2])
{
	const struct varset *v = varset_empty();
	for (; v && (*vars)[0]; vars++)
		if (!varset_set(&v, (*vars)[0], (*vars)[1], strlen((*vars)[1])))
			return NULL;
	return v;
}

/* Several at once are the same as one by one, and those that are not there are told as they were before. */
static void test_all(void)
{
	static const char *const base[][2] = { { "b", "1" }, { "D", "1" }, { "f", "1" }, { NULL, NULL } };
	static const struct {
		struct varset_pair pairs[4];
		size_t n;
		const char *const unknown[4][2]; /* of the result, in the base */
	} rows[] = {
		{ { { "", "" } }, 0, { { NULL, NULL } } },
		{ { { "a", "1" } }, 1, { { "a", "1" }, { NULL, NULL } } },
		{ { { "d", "2" } }, 1, { { NULL, NULL } } },
		{ { { "b", "1" }, { "d", "1" }, { "F", "1" } }, 3, { { NULL, NULL } } },
		{ { { "A", "x" }, { "d", "2" }, { "e", "3" }, { "g", "" } },
		  4,
		  { { "A", "x" }, { "e", "3" }, { "g", "" }, { NULL, NULL } } },
		{ { { "c", "1" }, { "f", "9" } }, 2, { { "c", "1" }, { NULL, NULL } } },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct varset *from = set_of(base), *one = varset_ref(from), *all = varset_ref(from);
		for (size_t k = 0; k < rows[i].n; k++)
			check("one by one", varset_set(&one, rows[i].pairs[k].name, rows[i].pairs[k].value,
						       strlen(rows[i].pairs[k].value)));
		check("all at once", varset_set_all(&all, rows[i].pairs, rows[i].n) && all == one);
		const struct varset *unknown = varset_unknown(from, all), *wanted = set_of(rows[i].unknown);
		check("what the base has not", unknown == wanted);
		const struct varset *const sets[] = { from, one, all, unknown, wanted };
		for (size_t k = 0; k < COUNT(sets); k++)
			varset_put(sets[k]);
	}
	const struct varset *full = varset_empty();
	char name[8];
	for (unsigned i = 0; i < VARSET_MAX; i++) {
		(void)snprintf(name, sizeof name, "x%02u", i);
		check("it fits", varset_set(&full, name, "1", 1));
	}
	const struct varset *was = full;
	check("one too many",
	      !varset_set_all(&full, (const struct varset_pair[]){ { "x07", "2" }, { "y", "1" } }, 2) && full == was);
	check("what is there", varset_set_all(&full, (const struct varset_pair[]){ { "x07", "2" } }, 1) && full != was);
	varset_put(full);
	check_eq("no set is left", varset_count(), 0);
	check_eq("no string is left", istr_count(), 0);
}

static void test_bound(void)
{
	const struct varset *v = varset_empty();
	char name[32];
	int set = 0;
	for (; set < 1000; set++) {
		(void)snprintf(name, sizeof name, "x%d", set * 7919 % 1000);
		if (!varset_set(&v, name, "1", 1))
			break;
	}
	check("a peer cannot make it grow without end", set >= 32 && set <= 256);
	check("what was there stays", v && v->count == (uint32_t)set);
	check("a known name may still be changed", varset_set(&v, "x0", "2", 1));
	const struct varset *others = set_of((const char *const[][2]){ { "a", "1" }, { "z", "1" }, { NULL, NULL } });
	struct var at[VARSET_MAX + 1];
	check("a list has the same bound", varset_list_over(v, others, at) > VARSET_MAX);
	varset_put(others);
	varset_put(v);
	check_eq("no set is left", varset_count(), 0);
	check_eq("no string is left", istr_count(), 0);
}

static void test_over(void)
{
	static const char *const base[][2] = { { "DateStyle", "ISO, MDY" }, { "TimeZone", "UTC" }, { NULL, NULL } };
	static const char *const over[][2] = { { "timezone", "Asia/Tokyo" }, { "work_mem", "7MB" }, { NULL, NULL } };
	static const char *const known[][2] = { { "DateStyle", "ISO, MDY" },
						{ "TimeZone", "Asia/Tokyo" },
						{ NULL, NULL } };
	static const char *const all[][2] = { { "DateStyle", "ISO, MDY" },
					      { "TimeZone", "Asia/Tokyo" },
					      { "work_mem", "7MB" } };
	const struct varset *b = set_of(base), *o = set_of(over), *want = set_of(known);
	const struct varset *got = varset_over_known(b, o), *same = varset_over_known(got, o);
	struct var at[VARSET_MAX + 1];
	check("those that are known", got && got == want);
	check("once more changes nothing", same == got);
	check_eq("all, as a list", varset_list_over(b, o, at), COUNT(all));
	for (size_t i = 0; i < COUNT(all); i++) {
		check_str("a name", at[i].name->s, all[i][0]);
		check_str("a value", at[i].value->s, all[i][1]);
	}
	varset_put(b);
	varset_put(o);
	varset_put(want);
	varset_put(got);
	varset_put(same);
	check_eq("no set is left", varset_count(), 0);
}

static bool begins_with_t(const char *name)
{
	return *name == 'T';
}

static void test_part(void)
{
	static const char *const small[][2] = { { "TimeZone", "UTC" }, { NULL, NULL } };
	static const char *const one[][2] = { { "DateStyle", "ISO" }, { "TimeZone", "UTC" }, { NULL, NULL } };
	static const char *const other[][2] = { { "DateStyle", "SQL" }, { "TimeZone", "UTC" }, { NULL, NULL } };
	const struct varset *a = set_of(one), *b = set_of(other), *part = varset_part(a, begins_with_t);
	check("the same part", part && part->count == 1 && part == varset_part(b, begins_with_t));
	check("asked again", part == varset_part(a, begins_with_t));
	const struct varset *s = set_of(small);
	check("the whole", s == part && varset_part(s, begins_with_t) == s);
	varset_put(a);
	check_str("it is still the other's", varset_find(varset_part(b, begins_with_t), "timezone")->s, "UTC");
	varset_put(b);
	varset_put(s);
	check_eq("no set is left", varset_count(), 0);
}

void suite_varset(void)
{
	static const struct unit_test tests[] = {
		{ "equal sets are the same pointer", test_equal_is_same },
		{ "several at once are as one by one", test_all },
		{ "a set has a bound", test_bound },
		{ "one over another", test_over },
		{ "a part", test_part },
		{ "what was made last", test_last },
		{ NULL, NULL },
	};
	unit_add("session/varset", tests);
}
