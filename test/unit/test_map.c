/* test_map.c - the hash map, and SipHash-1-3 against vectors that other implementations give. */
#include "unit.h"

#include "nomem.h"

#include "core/list.h"
#include "core/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Key 00..0f and input 00, 01, ...: as OpenSSL's SIPHASH with c-rounds 1 and d-rounds 3 gives them (its bytes are the
 * number's, least significant first). Key 0: as CPython's hash() of bytes. */
static void test_siphash(void)
{
	static const uint64_t counted[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 }, zero[2] = { 0, 0 };
	static const struct {
		const uint64_t *seed;
		size_t len;
		uint64_t want;
	} cases[] = {
		{ counted, 0, 0xABAC0158050FC4DC },  { counted, 1, 0xC9F49BF37D57CA93 },
		{ counted, 7, 0xD3927D989BB11140 },  { counted, 8, 0x369095118D299A8E },
		{ counted, 9, 0x25A48EB36C063DE4 },  { counted, 15, 0xD320D86D2A519956 },
		{ counted, 16, 0xCC4FDD1A7D908B66 }, { counted, 63, 0x9D199062B7BBB3A8 },
		{ zero, 1, 0x68A914128E01E473 },     { zero, 8, 0xEAD411E67EBE2EEA },
		{ zero, 31, 0x169739443111D49B },
	};
	uint8_t in[64];
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)i;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t *copy = copy_exact(in, cases[i].len);
		char what[40];
		snprintf(what, sizeof what, "row %zu, %zu bytes", i, cases[i].len);
		check_eq(what, map_siphash(cases[i].seed, copy, cases[i].len), cases[i].want);
		free(copy);
	}
	check("the process has a seed", map_hash("abc", 3) != map_siphash(zero, "abc", 3));
	check_eq("that stays", map_hash("abc", 3), map_hash("abc", 3));
}

struct entry {
	struct map_node node;
	unsigned key;
	unsigned seen;
};

static bool is_key(const struct map_node *n, const void *key, size_t len)
{
	return memcmp(&list_owner(n, const struct entry, node)->key, key, len) == 0;
}

static struct entry *find(const struct map *m, unsigned key)
{
	struct map_node *n = map_find(m, &key, sizeof key, is_key);
	return n ? list_owner(n, struct entry, node) : NULL;
}

#define MANY 1000

static struct entry *entries_new(struct map *m, unsigned n)
{
	struct entry *e = calloc(n, sizeof *e);
	for (unsigned i = 0; e && i < n; i++) {
		e[i].key = i;
		check("added", map_add(m, &e[i].node, &e[i].key, sizeof e[i].key));
	}
	return e;
}

static void test_find(void)
{
	struct map m = MAP_INIT;
	check("nothing in an empty one", !find(&m, 1));
	struct entry *e = entries_new(&m, MANY);
	check_eq("count", m.count, MANY);
	check("it grew, not far beyond what is in it", m.mask + 1 >= MANY && m.mask + 1 <= 4 * MANY);
	unsigned wrong = 0;
	for (unsigned i = 0; i < MANY + 100; i++)
		wrong += find(&m, i) != (i < MANY ? &e[i] : NULL);
	check_eq("all are found, and no other", wrong, 0);
	for (unsigned i = 0; i < MANY; i += 2)
		map_del(&m, &e[i].node);
	for (unsigned i = 0; i < MANY; i++)
		wrong += find(&m, i) != (i % 2 ? &e[i] : NULL);
	check_eq("without those deleted", wrong, 0);
	check_eq("count", m.count, MANY / 2);
	for (unsigned i = 0; i < MANY; i += 2)
		check("again", map_add(&m, &e[i].node, &e[i].key, sizeof e[i].key));
	for (unsigned i = 0; i < MANY; i++)
		wrong += find(&m, i) != &e[i];
	check_eq("all are back", wrong, 0);
	map_free(&m);
	check("free is empty", m.count == 0 && !find(&m, 1));
	map_free(&m);
	free(e);
}

/* A walk that deletes and frees what `drop` says, over maps whose chains are long and short. */
static void walk(unsigned n, unsigned drop)
{
	struct map m = MAP_INIT;
	char what[60];
	snprintf(what, sizeof what, "%u nodes, deleting pattern %u", n, drop);
	unsigned seen = 0, kept = 0;
	bool *was = calloc(n + 1, sizeof *was);
	for (unsigned i = 0; i < n; i++) {
		struct entry *e = calloc(1, sizeof *e);
		e->key = i;
		map_add(&m, &e->node, &e->key, sizeof e->key);
	}
	size_t slot;
	for (struct map_node *it = NULL; (it = map_next(&m, it, &slot));) {
		struct entry *e = list_owner(it, struct entry, node);
		seen += !was[e->key];
		was[e->key] = true;
		bool del = drop == 0 ? false : drop == 1 ? true : e->key % drop == 0;
		kept += !del;
		if (del) {
			map_del(&m, it);
			free(e);
		}
	}
	check_eq(what, seen, n);
	check_eq(what, m.count, kept);
	seen = 0;
	for (struct map_node *it = NULL; (it = map_next(&m, it, &slot));) {
		struct entry *e = list_owner(it, struct entry, node);
		seen++;
		map_del(&m, it);
		free(e);
	}
	check_eq(what, seen, kept);
	map_free(&m);
	free(was);
}

static void test_walk(void)
{
	static const unsigned sizes[] = { 0, 1, 2, 7, 8, 9, 16, 17, 100, 1000 };
	for (size_t i = 0; i < COUNT(sizes); i++)
		for (unsigned drop = 0; drop < 4; drop++)
			walk(sizes[i], drop);
}

/* Every key in one slot: nodes are told apart by hash and match, and a walk follows the chain. */
static void test_one_chain(void)
{
	struct map m = MAP_INIT;
	struct entry e[6];
	unsigned key = 0, n = 0;
	while (n < COUNT(e)) {
		key++;
		if (map_hash(&key, sizeof key) % 8 != 0)
			continue;
		e[n] = (struct entry){ .key = key };
		check("added", map_add(&m, &e[n].node, &e[n].key, sizeof key));
		n++;
	}
	check_eq("it did not grow", m.mask, 7);
	for (n = 0; n < COUNT(e); n++)
		check("found", find(&m, e[n].key) == &e[n]);
	map_del(&m, &e[0].node);
	map_del(&m, &e[3].node);
	map_del(&m, &e[5].node);
	for (n = 0; n < COUNT(e); n++)
		check("found, if not deleted", (find(&m, e[n].key) == &e[n]) == (n != 0 && n != 3 && n != 5));
	size_t slot;
	n = 0;
	for (struct map_node *it = NULL; (it = map_next(&m, it, &slot));)
		n++;
	check_eq("walked", n, 3);
	map_free(&m);
}

static bool any(const struct map_node *n, const void *key, size_t len)
{
	(void)n, (void)key, (void)len;
	return true;
}

static void test_match_is_for_equal_hashes(void)
{
	struct map m = MAP_INIT;
	struct entry e = { .key = 1 };
	unsigned other = 2;
	check("added", map_add(&m, &e.node, &e.key, sizeof e.key));
	unsigned asked = 0;
	for (; other < 100; other++)
		asked += map_find(&m, &other, sizeof other, any) != NULL;
	check_eq("a match is not asked about other hashes", asked, 0);
	map_free(&m);
}

static void test_without_memory(void)
{
	if (!nomem_works())
		return;
	struct entry *e = calloc(100, sizeof *e);
	struct map m = MAP_INIT;
	nomem_from(1);
	bool ok = map_add(&m, &e[0].node, &e[0].key, sizeof e[0].key);
	nomem_at(0);
	check("no first slots", !ok && m.count == 0);
	unsigned refused = 0, wrong = 0;
	for (unsigned i = 0; i < 100; i++) {
		e[i].key = i;
		nomem_from(i ? 1 : 0);
		refused += !map_add(&m, &e[i].node, &e[i].key, sizeof e[i].key);
		nomem_at(0);
	}
	check_eq("it goes on without growing", refused, 0);
	check_eq("slots", m.mask, 7);
	for (unsigned i = 0; i < 100; i++)
		wrong += find(&m, i) != &e[i];
	check_eq("all are found", wrong, 0);
	map_free(&m);
	free(e);
}

void suite_map(void)
{
	static const struct unit_test tests[] = {
		{ "SipHash-1-3", test_siphash },
		{ "find, add and delete", test_find },
		{ "a walk that deletes", test_walk },
		{ "one chain", test_one_chain },
		{ "matches are for equal hashes", test_match_is_for_equal_hashes },
		{ "without memory", test_without_memory },
		{ NULL, NULL },
	};
	unit_add("map", tests);
}
