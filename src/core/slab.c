/* slab.c - fixed-size objects in chunks of 64 KiB. A chunk's address is a multiple of its size, so an object's address
 * says which chunk it is in, and an object costs nothing but itself. */
#include "core/slab.h"

#include "core/assert.h"
#include "core/poison.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK       65536u
/* What malloc keeps beside a block fits in the rest, so that chunks can lie side by side. */
#define CHUNK_BYTES (CHUNK - 64)

struct item {
	struct item *next;
};

struct chunk {
	struct list in_slab; /* slab->partial or slab->full */
	struct slab *slab;
	struct item *free;        /* those that were in use before */
	uint32_t used, untouched; /* objects; the untouched are the last ones of the chunk */
	_Alignas(max_align_t) uint8_t objects[];
};

static struct list all = { &all, &all };

static uint32_t per_chunk(const struct slab *s)
{
	return (uint32_t)((CHUNK_BYTES - sizeof(struct chunk)) / s->size);
}

void slab_init(struct slab *s, const char *name, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	ASSERT(size > 0 && size <= CHUNK_BYTES - sizeof(struct chunk));
	*s = (struct slab){ .name = name, .size = (size + align - 1) / align * align };
	ASSERT(per_chunk(s) > 0);
	list_init(&s->partial);
	list_init(&s->full);
	list_add(&all, &s->in_all);
}

static struct chunk *chunk_new(struct slab *s)
{
	void *p;
	if (posix_memalign(&p, CHUNK, CHUNK_BYTES) != 0)
		return NULL;
	struct chunk *c = p;
	*c = (struct chunk){ .slab = s, .untouched = per_chunk(s) };
	list_push(&s->partial, &c->in_slab);
	s->free += c->untouched;
	poison(c->objects, c->untouched * s->size);
	return c;
}

static void chunk_free(struct slab *s, struct chunk *c)
{
	list_del(&c->in_slab);
	s->free -= per_chunk(s);
	unpoison(c->objects, per_chunk(s) * s->size);
	free(c);
}

void *slab_get(struct slab *s)
{
	struct chunk *c = list_empty(&s->partial) ? chunk_new(s) : list_owner(s->partial.next, struct chunk, in_slab);
	if (!c)
		return NULL;
	void *obj;
	if (c->free) {
		obj = c->free;
		unpoison(obj, s->size);
		c->free = c->free->next;
	} else {
		obj = c->objects + (per_chunk(s) - c->untouched--) * s->size;
		unpoison(obj, s->size);
	}
	c->used++;
	s->used++;
	s->free--;
	if (!c->free && !c->untouched) {
		list_del(&c->in_slab);
		list_push(&s->full, &c->in_slab);
	}
	return memset(obj, 0, s->size);
}

void slab_put(struct slab *s, void *obj)
{
	struct chunk *c = (struct chunk *)(void *)((uint8_t *)obj - (uintptr_t)obj % CHUNK);
	ASSERT(c->slab == s && c->used > 0 && (size_t)((uint8_t *)obj - c->objects) % s->size == 0);
	struct item *it = obj;
	if (!c->free && !c->untouched) {
		/* In front, where the next objects come from: full chunks stay full, and others can become empty. */
		list_del(&c->in_slab);
		list_push(&s->partial, &c->in_slab);
	}
	it->next = c->free;
	c->free = it;
	poison(obj, s->size);
	c->used--;
	s->used--;
	s->free++;
	if (c->used == 0 && s->free > per_chunk(s))
		chunk_free(s, c);
}

void slab_free(struct slab *s)
{
	ASSERT(s->used == 0 && list_empty(&s->full));
	LIST_EACH (&s->partial, it)
		chunk_free(s, list_owner(it, struct chunk, in_slab));
	list_del(&s->in_all);
}

struct list *slab_all(void)
{
	return &all;
}
