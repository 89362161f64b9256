/* test_slab.c - slabs. */
#include "unit.h"

#include "nomem.h"

#include "core/poison.h"
#include "core/slab.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define MANY 3000

static bool all_bytes_are(const uint8_t *p, size_t n, uint8_t c)
{
	return n == 0 || (p[0] == c && memcmp(p, p + 1, n - 1) == 0);
}

static unsigned seed = 1;
static unsigned draw(unsigned below)
{
	seed = seed * 1103515245 + 12345;
	return seed / 65536 % below;
}

/* Objects come and go at random; each is zeroed, aligned, and its own. */
static void test_random(void)
{
	static const size_t sizes[] = { 1, 8, 24, 100, 500, 4096, 20000, 65000 };
	static uint8_t *objs[MANY];
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct slab s;
		size_t size = sizes[i], used = 0;
		unsigned many = size > 1000 ? 50 : MANY, wrong = 0;
		slab_init(&s, "test", size);
		check("size", s.size >= size && s.size < size + alignof(max_align_t));
		memset(objs, 0, sizeof objs);
		for (unsigned step = 0; step < 4 * many && !wrong; step++) {
			unsigned k = draw(many);
			if (objs[k]) {
				wrong += !all_bytes_are(objs[k], size, (uint8_t)k);
				slab_put(&s, objs[k]);
				objs[k] = NULL;
				used--;
			} else {
				objs[k] = slab_get(&s);
				wrong += !objs[k] || (uintptr_t)objs[k] % alignof(max_align_t) != 0;
				/* Inside the chunk of 64 KiB that its address says, less what malloc keeps there. */
				wrong += (uintptr_t)objs[k] % 65536 + s.size > 65536 - 64;
				wrong += !all_bytes_are(objs[k], s.size, 0);
				memset(objs[k], (int)(uint8_t)k, size);
				used++;
			}
			wrong += s.used != used;
		}
		for (unsigned k = 0; k < many; k++)
			if (objs[k]) {
				wrong += !all_bytes_are(objs[k], size, (uint8_t)k);
				slab_put(&s, objs[k]);
			}
		check_eq("wrong", wrong, 0);
		check_eq("none in use", s.used, 0);
		slab_free(&s);
		check_eq("none free", s.free, 0);
	}
}

static void test_chunks(void)
{
	static void *objs[400];
	struct slab s;
	slab_init(&s, "test", 500);
	check("nothing yet", s.free == 0 && s.used == 0);
	objs[0] = slab_get(&s);
	size_t each = s.free + 1;
	check("a chunk of 64 KiB is well used", each * s.size > 65536 * 98 / 100 && each * s.size < 65536);
	for (size_t i = 1; i < each; i++)
		objs[i] = slab_get(&s);
	check_eq("full", s.free, 0);
	check("in the list of the full", list_empty(&s.partial) && !list_empty(&s.full));
	for (size_t i = each; i < 2 * each + 1; i++)
		objs[i] = slab_get(&s);
	check_eq("three chunks", s.free, each - 1);
	slab_put(&s, objs[0]);
	void *again = slab_get(&s);
	check("from the fullest chunk first, so that others can become empty", again == objs[0]);
	slab_put(&s, objs[2 * each]);
	check_eq("an empty one is kept, when no other has free objects", s.free, each);
	slab_put(&s, objs[0]);
	check_eq("kept, as it was empty before", s.free, each + 1);
	objs[0] = slab_get(&s);
	check_eq("an object comes from the chunk that is in use", s.free, each);
	for (size_t i = each; i < 2 * each; i++)
		slab_put(&s, objs[i]);
	check_eq("the second empty one is given back", s.free, each);
	for (size_t i = 0; i < each; i++)
		slab_put(&s, objs[i]);
	check_eq("and the next", s.free, each);
	slab_free(&s);
}

static void test_all(void)
{
	struct slab a, b;
	slab_init(&a, "a", 10);
	slab_init(&b, "b", 20);
	unsigned seen = 0;
	LIST_EACH (slab_all(), it) {
		const char *name = list_owner(it, struct slab, in_all)->name;
		seen += strcmp(name, "a") == 0 ? 1 : strcmp(name, "b") == 0 ? 10 : 0;
	}
	check_eq("both are listed", seen, 11);
	slab_free(&a);
	slab_free(&b);
	LIST_EACH (slab_all(), it) {
		struct slab *s = list_owner(it, struct slab, in_all);
		check("and no more", s != &a && s != &b);
	}
}

static void test_without_memory(void)
{
	if (!nomem_works())
		return;
	struct slab s;
	slab_init(&s, "test", 30000);
	nomem_at(1);
	void *none = slab_get(&s);
	nomem_at(0);
	check("no chunk", !none && s.used == 0 && s.free == 0);
	void *a = slab_get(&s);
	nomem_from(1);
	void *b = slab_get(&s), *c = slab_get(&s);
	nomem_at(0);
	check("the chunk's second object, and no third", a && b && !c && s.used == 2);
	slab_put(&s, a);
	slab_put(&s, b);
	slab_free(&s);
}

static void test_poison(void)
{
#ifdef POISON_ON
	struct slab s;
	slab_init(&s, "test", 64);
	uint8_t *a = slab_get(&s), *b = slab_get(&s);
	check("ours", !__asan_region_is_poisoned(a, 64) && !__asan_region_is_poisoned(b, 64));
	slab_put(&s, a);
	check("not ours any more", __asan_address_is_poisoned(a) && __asan_address_is_poisoned(a + 63));
	check("this is", !__asan_region_is_poisoned(b, 64));
	check("nobody's yet", __asan_address_is_poisoned(b + 64));
	slab_put(&s, b);
	slab_free(&s);
#endif
}

void suite_slab(void)
{
	static const struct unit_test tests[] = {
		{ "random", test_random },       { "chunks", test_chunks },
		{ "the list of all", test_all }, { "without memory", test_without_memory },
		{ "poison", test_poison },       { NULL, NULL },
	};
	unit_add("slab", tests);
}
