/* heal.c - prepared statements that do not fit their tables any more. PostgreSQL docs, PREPARE. */
#include "pg/heal.h"

#include "core/list.h"
#include "pg/pg_int.h"

#include <stdlib.h>
#include <string.h>

/* --- The batch */

static bool may_begin(const struct pg_server *p, uint8_t type)
{
	return (type == PG_BIND || type == PG_DESCRIBE) && p->txn == 'I' && p->expect.count == p->expect.invented;
}

static bool has_room(struct pg_heal *h, uint32_t n)
{
	if (h->cap - h->len >= n)
		return true;
	uint32_t cap = h->cap ? h->cap : 256;
	while (cap - h->len < n)
		cap *= 2;
	uint8_t *more = realloc(h->bytes, cap);
	if (!more)
		return false;
	h->bytes = more;
	h->cap = cap;
	return true;
}

void pg_heal_note(struct pg_client *c, struct pg_server *p, const struct rd *in, uint8_t type, uint32_t total)
{
	struct pg_heal *h = &p->heal;
	if (h->is_again)
		return;
	if (h->len == 0 && !may_begin(p, type))
		return;
	if (h->len == 0) {
		h->is_whole = h->describes = h->has_types = false;
		h->is_told = c->describes_portals;
	}
	bool is_of_batch = type == PG_BIND || type == PG_DESCRIBE || type == PG_EXECUTE || type == PG_CLOSE ||
			   type == PG_PARSE || type == PG_SYNC;
	if (h->is_whole || !is_of_batch || total > rd_left(in) || h->len + total > PG_HEAL_MAX || !has_room(h, total)) {
		h->len = 0;
		return;
	}
	memcpy(h->bytes + h->len, in->p, total);
	h->len += total;
	h->is_whole = type == PG_SYNC;
	h->describes |= type == PG_DESCRIBE;
}

bool pg_heal_begin(struct pg_server *p, const struct pg_error *e)
{
	struct pg_heal *h = &p->heal;
	const struct expect_entry *x = expect_next(&p->expect);
	bool has_changed = strcmp(e->sqlstate, "0A000") == 0 && strcmp(e->routine, "RevalidateCachedQuery") == 0;
	bool is_lost = strcmp(e->sqlstate, "26000") == 0;

	if (!x || !x->number || (!has_changed && !is_lost))
		return false;
	struct pg_prepared *s = pg_prepared_doubt(&p->cache, x->number);
	if (s && has_changed)
		pg_edition_new(s->text);
	if (!h->len || !h->is_whole || h->is_again)
		return false;
	if (has_changed && x->kind != EXPECT_DESCRIBE && !h->describes && h->is_told)
		return false;
	h->is_under_way = true;
	return true;
}

void pg_heal_say_again(struct pg_client *c, struct pg_server *p)
{
	struct pg_heal *h = &p->heal;
	struct rd in = rd_of(h->bytes, h->len);
	uint64_t since = c->s.request_us;
	h->is_under_way = false;
	h->is_again = true;
	h->len = 0; /* the bytes stay where they are until the next batch */
	pg_client_says(c, &in);
	c->s.request_us = since;
	if (rd_left(&in) && c->s.state != SESSION_DEAD)
		pg_protocol_fault(&c->s, "a batch could not be said again");
}

void pg_heal_free(struct pg_heal *h)
{
	free(h->bytes);
	*h = (struct pg_heal){ 0 };
}

/* --- Editions */

#define EDITIONS_MAX 4096u

struct edition {
	struct map_node node;
	struct list in_age;      /* the newest first */
	const struct istr *text; /* counted */
	uint32_t number;
};

static struct map editions;
static struct list by_age;
static uint32_t last_edition;

static bool same_text(const struct map_node *node, const void *key, size_t len)
{
	(void)len;
	return list_owner((struct map_node *)(uintptr_t)node, struct edition, node)->text ==
	       *(const struct istr *const *)key;
}

static struct edition *find(const struct istr *text)
{
	struct map_node *n = editions.count ? map_find(&editions, &text, sizeof text, same_text) : NULL;
	return n ? list_owner(n, struct edition, node) : NULL;
}

uint32_t pg_edition(const struct istr *text)
{
	const struct edition *e = find(text);
	return e ? e->number : 0;
}

static void forget(struct edition *e)
{
	map_del(&editions, &e->node);
	list_del(&e->in_age);
	istr_put(e->text);
	free(e);
}

void pg_edition_new(const struct istr *text)
{
	struct edition *e = find(text);
	if (!last_edition)
		list_init(&by_age);
	last_edition++;
	if (!e) {
		if (editions.count >= EDITIONS_MAX)
			forget(list_owner(by_age.prev, struct edition, in_age));
		e = calloc(1, sizeof *e);
		if (!e)
			return; /* clients may find out by themselves */
		e->text = istr_ref(text);
		if (!map_add(&editions, &e->node, &e->text, sizeof e->text)) {
			istr_put(e->text);
			free(e);
			return;
		}
	} else {
		list_del(&e->in_age);
	}
	e->number = last_edition;
	list_push(&by_age, &e->in_age);
}
