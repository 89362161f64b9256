/* list.h - intrusive doubly linked lists. A head and a member are the same thing; one alone points at itself. */
#ifndef SLUICE_CORE_LIST_H
#define SLUICE_CORE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

/* Needs no head; a second time is harmless. */
static inline void list_del(struct list *m)
{
	m->prev->next = m->next;
	m->next->prev = m->prev;
	list_init(m);
}

/* At the tail; m is in no list. */
static inline void list_add(struct list *head, struct list *m)
{
	m->prev = head->prev;
	m->next = head;
	head->prev->next = m;
	head->prev = m;
}

/* At the front; m is in no list. */
static inline void list_push(struct list *head, struct list *m)
{
	list_add(head->next, m);
}

#define list_owner(m, type, field) ((type *)(void *)((char *)(m)-offsetof(type, field)))

/* Walks a list; the body may delete `it` itself, and nothing else of the list. */
#define LIST_EACH(head, it)                                                                                            \
	for (struct list *it = (head)->next, *it##_next = it->next; it != (head); it = it##_next, it##_next = it->next)

#endif
