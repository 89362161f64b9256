/* intern.c - one copy of each string, counted. */
#include "core/intern.h"

#include "core/assert.h"
#include "core/list.h"

#include <stdlib.h>
#include <string.h>

static struct map strings = { NULL, 0, 0 };

/* The count changes behind a const: holders may not touch the text, and have no business with the count. */
static struct istr *mutable(const struct istr *i)
{
	return (struct istr *)(uintptr_t)i;
}

static bool is_it(const struct map_node *n, const void *key, size_t len)
{
	const struct istr *i = list_owner(n, const struct istr, node);
	return i->len == len && (len == 0 || memcmp(i->s, key, len) == 0);
}

const struct istr *istr_get(const char *s, size_t len)
{
	if (len > UINT32_MAX)
		return NULL;
	struct map_node *n = map_find(&strings, s, len, is_it);
	if (n)
		return istr_ref(list_owner(n, struct istr, node));
	struct istr *i = malloc(offsetof(struct istr, s) + len + 1);
	if (!i)
		return NULL;
	i->refs = 1;
	i->len = (uint32_t)len;
	if (len)
		memcpy(i->s, s, len);
	i->s[len] = '\0';
	if (!map_add(&strings, &i->node, s, len)) {
		free(i);
		return NULL;
	}
	return i;
}

const struct istr *istr_ref(const struct istr *i)
{
	ASSERT(i->refs > 0 && i->refs < UINT32_MAX);
	mutable(i)->refs++;
	return i;
}

void istr_put(const struct istr *i)
{
	if (!i)
		return;
	ASSERT(i->refs > 0);
	if (--mutable(i)->refs > 0)
		return;
	map_del(&strings, &mutable(i)->node);
	if (strings.count == 0)
		map_free(&strings);
	free(mutable(i));
}

size_t istr_count(void)
{
	return strings.count;
}
