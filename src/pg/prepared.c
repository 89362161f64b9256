/* prepared.c - the names of clients and the texts of servers. PostgreSQL docs, Message Flow: Extended Query. */
#include "pg/prepared.h"

#include "core/assert.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

static uint32_t parses;

uint32_t pg_parses(void)
{
	return parses;
}

bool pg_is_older(const struct pg_prepared *s, const struct pg_name *n)
{
	return (int32_t)(s->proven - n->since) < 0; /* it may wrap */
}

/* --- Servers */

void pg_cache_init(struct pg_cache *c)
{
	*c = (struct pg_cache){ .map = MAP_INIT };
	list_init(&c->lru);
	list_init(&c->stale);
}

static bool same_text(const struct map_node *n, const void *key, size_t len)
{
	(void)len;
	return list_owner((struct map_node *)(uintptr_t)n, struct pg_prepared, node)->text == *(void *const *)key;
}

static struct pg_prepared *find(struct pg_cache *c, const struct pg_text *text)
{
	struct map_node *n = map_find(&c->map, &text, sizeof text, same_text);
	return n ? list_owner(n, struct pg_prepared, node) : NULL;
}

struct pg_prepared *pg_prepared_find(struct pg_cache *c, const struct pg_text *text)
{
	struct pg_prepared *s = find(c, text);
	return s && s->clears == c->clears ? s : NULL;
}

static void make_stale(struct pg_cache *c, struct pg_prepared *s)
{
	map_del(&c->map, &s->node);
	list_del(&s->in_lru);
	s->is_stale = true;
	list_add(&c->stale, &s->in_lru);
}

struct pg_prepared *pg_prepared_add(struct pg_cache *c, struct pg_text *text, uint32_t number)
{
	struct pg_prepared *before = find(c, text), *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	if (before)
		make_stale(c, before);
	if (!map_add(&c->map, &s->node, &text, sizeof text)) {
		free(s);
		return NULL;
	}
	s->text = pg_text_ref(text);
	s->number = number;
	s->edition = text->edition;
	s->proven = parses;
	s->batch = c->batch;
	s->clears = c->clears;
	s->pending = true;
	list_init(&s->in_lru);
	list_push(&c->lru, &s->in_lru);
	return s;
}

struct pg_prepared *pg_prepared_doubt(struct pg_cache *c, uint32_t number)
{
	LIST_EACH (&c->lru, it) {
		struct pg_prepared *s = list_owner(it, struct pg_prepared, in_lru);
		if (s->number == number && !s->pending) {
			make_stale(c, s);
			return s;
		}
	}
	return NULL;
}

void pg_prepared_drop(struct pg_cache *c, struct pg_prepared *s)
{
	if (!s->is_stale)
		map_del(&c->map, &s->node);
	list_del(&s->in_lru);
	pg_text_put(s->text);
	free(s);
}

struct pg_prepared *pg_prepared_evict(struct pg_cache *c, uint32_t most)
{
	LIST_EACH (&c->stale, it) {
		struct pg_prepared *s = list_owner(it, struct pg_prepared, in_lru);
		if (s->pending)
			continue;
		list_del(&s->in_lru);
		return s;
	}
	if (c->map.count < most)
		return NULL;
	for (struct list *it = c->lru.prev; it != &c->lru; it = it->prev) {
		struct pg_prepared *s = list_owner(it, struct pg_prepared, in_lru);
		if (s->pending)
			continue;
		make_stale(c, s);
		list_del(&s->in_lru);
		return s;
	}
	return NULL;
}

void pg_prepared_keep(struct pg_cache *c, struct pg_prepared *s)
{
	list_add(&c->stale, &s->in_lru);
}

void pg_cache_clear(struct pg_cache *c)
{
	LIST_EACH (&c->lru, it) {
		struct pg_prepared *s = list_owner(it, struct pg_prepared, in_lru);
		if (!s->pending)
			pg_prepared_drop(c, s);
	}
	LIST_EACH (&c->stale, it) {
		struct pg_prepared *s = list_owner(it, struct pg_prepared, in_lru);
		if (!s->pending)
			pg_prepared_drop(c, s);
	}
}

void pg_cache_free(struct pg_cache *c)
{
	while (!list_empty(&c->lru))
		pg_prepared_drop(c, list_owner(c->lru.next, struct pg_prepared, in_lru));
	while (!list_empty(&c->stale))
		pg_prepared_drop(c, list_owner(c->stale.next, struct pg_prepared, in_lru));
	map_free(&c->map);
	istr_put(c->unnamed);
	pg_cache_init(c);
}

uint32_t pg_cache_count(const struct pg_cache *c)
{
	return (uint32_t)c->map.count;
}

void pg_prepared_name(const struct pg_prepared *s, char out[PG_SERVER_NAME_MAX])
{
	str_fmt(out, PG_SERVER_NAME_MAX, PG_SERVER_NAME "%u", s->number);
}

void pg_cache_unnamed(struct pg_cache *c, const struct istr *text)
{
	c->unnamed_lost = false;
	c->unnamed_of = 0;
	if (c->unnamed == text)
		return;
	istr_put(c->unnamed);
	c->unnamed = text ? istr_ref(text) : NULL;
}

/* --- Clients */

struct key {
	const char *name;
	size_t len;
};

static bool same_name(const struct map_node *node, const void *key, size_t len)
{
	const struct pg_name *n = list_owner((struct map_node *)(uintptr_t)node, struct pg_name, node);
	return n->len == len && memcmp(n->name, key, len) == 0;
}

struct pg_name *pg_name_find(struct pg_names *names, const char *name, size_t len)
{
	struct map_node *n = names ? map_find(&names->map, name, len, same_name) : NULL;
	return n ? list_owner(n, struct pg_name, node) : NULL;
}

struct pg_name *pg_name_get(struct pg_names **names, const char *name, size_t len)
{
	struct pg_name *n = pg_name_find(*names, name, len);
	if (n)
		return n;
	if (!*names && !(*names = calloc(1, sizeof **names)))
		return NULL;
	n = calloc(1, sizeof *n + len + 1);
	if (!n)
		return NULL;
	memcpy(n->name, name, len);
	n->len = (uint32_t)len;
	n->names = *names;
	if (!map_add(&(*names)->map, &n->node, n->name, len)) {
		free(n);
		return NULL;
	}
	return n;
}

static void forget(struct pg_name *n)
{
	if (n->names)
		map_del(&n->names->map, &n->node);
	pg_text_put(n->text);
	free(n);
}

void pg_name_check(struct pg_name *n)
{
	if (n->refs == 0 && n->uses == 0 && (!n->text || !n->names))
		forget(n);
}

void pg_name_set(struct pg_name *n, struct pg_text *text)
{
	pg_text_put(n->text);
	n->text = text;
}

void pg_name_means(struct pg_name *n, struct pg_text *text, bool changes)
{
	pg_name_set(n, pg_text_ref(text));
	n->edition = text->edition;
	n->since = ++parses;
	n->changes = changes;
	n->is_told = n->is_bound = n->is_pinned = false;
}

uint32_t pg_names_count(const struct pg_names *n)
{
	return n ? (uint32_t)n->map.count : 0;
}

static void each_name(struct pg_names *names, void (*what)(struct pg_name *n))
{
	size_t slot = 0;
	struct map_node *node = NULL;
	while ((node = map_next(&names->map, node, &slot)))
		what(list_owner(node, struct pg_name, node));
}

static void clear_name(struct pg_name *n)
{
	if (n->refs > 0)
		return;
	pg_name_set(n, NULL);
	pg_name_check(n);
}

void pg_names_clear(struct pg_names *names)
{
	if (names)
		each_name(names, clear_name);
}

/* Entries of struct expect may outlive the client. */
static void orphan(struct pg_name *n)
{
	if (n->refs == 0 && n->uses == 0) {
		forget(n);
		return;
	}
	map_del(&n->names->map, &n->node);
	n->names = NULL;
}

void pg_names_free(struct pg_names *names)
{
	while (names) {
		struct pg_names *before = names->before;
		each_name(names, orphan);
		map_free(&names->map);
		free(names);
		names = before;
	}
}

bool pg_names_begin(struct pg_names **names)
{
	struct pg_names *n = calloc(1, sizeof *n);
	if (!*names)
		*names = calloc(1, sizeof **names);
	if (!n || !*names) {
		free(n);
		return false;
	}
	n->before = *names;
	*names = n;
	return true;
}

void pg_names_settle(struct pg_names *names)
{
	while (names && names->before && names->before->before)
		names = names->before;
	if (!names)
		return;
	pg_names_free(names->before);
	names->before = NULL;
}

void pg_names_back(struct pg_names **names)
{
	struct pg_names *n = *names;
	if (!n || !n->before)
		return;
	*names = n->before;
	n->before = NULL;
	pg_names_free(n);
}
