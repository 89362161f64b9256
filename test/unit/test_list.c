/* test_list.c - intrusive lists. */
#include "unit.h"

#include "core/list.h"

struct thing {
	int n;
	struct list in_all;
};

/* The list as a number, one digit for each member, read both ways. */
static void check_order(const char *what, const struct list *head, long long want)
{
	long long got = 0, back = 0, digit = 1;
	for (const struct list *it = head->next; it != head; it = it->next)
		got = got * 10 + list_owner(it, const struct thing, in_all)->n;
	for (const struct list *it = head->prev; it != head; it = it->prev, digit *= 10)
		back += list_owner(it, const struct thing, in_all)->n * digit;
	check_eq(what, got, want);
	check_eq(what, back, want);
}

static void test_order(void)
{
	struct list head;
	struct thing t[5];
	list_init(&head);
	check("empty", list_empty(&head));
	for (int i = 0; i < 5; i++)
		t[i].n = i + 1;
	list_add(&head, &t[0].in_all);
	check("not empty", !list_empty(&head));
	list_add(&head, &t[1].in_all);
	list_push(&head, &t[2].in_all);
	list_push(&head, &t[3].in_all);
	check_order("two at the tail, two at the front", &head, 4312);
	list_del(&t[0].in_all);
	check_order("one less", &head, 432);
	list_del(&t[0].in_all);
	check_order("a second time is harmless", &head, 432);
	check("one alone points at itself", list_empty(&t[0].in_all));
	list_add(&head, &t[0].in_all);
	check_order("back again", &head, 4321);
	for (int i = 0; i < 4; i++)
		list_del(&t[i].in_all);
	check("empty again", list_empty(&head));
}

static void test_each_may_delete(void)
{
	struct list head;
	struct thing t[4];
	list_init(&head);
	for (int i = 0; i < 4; i++) {
		t[i].n = i + 1;
		list_add(&head, &t[i].in_all);
	}
	long long seen = 0;
	LIST_EACH (&head, it) {
		int n = list_owner(it, struct thing, in_all)->n;
		seen = seen * 10 + n;
		if (n != 2)
			list_del(it);
	}
	check_eq("each once", seen, 1234);
	check_order("what stayed", &head, 2);
	list_del(&t[1].in_all);
	LIST_EACH (&head, it)
		check("none in an empty list", it == NULL);
}

void suite_list(void)
{
	static const struct unit_test tests[] = {
		{ "order", test_order },
		{ "a walk that deletes", test_each_may_delete },
		{ NULL, NULL },
	};
	unit_add("list", tests);
}
