/* map.c - the intrusive hash map. SipHash is Aumasson and Bernstein's, here with 1 and 3 rounds. */
#include "core/map.h"

#include "core/assert.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#define MAP_FIRST 8

static inline uint64_t rotl(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

struct sip {
	uint64_t a, b, c, d;
};

static inline void sip_round(struct sip *v)
{
	v->a += v->b;
	v->c += v->d;
	v->b = rotl(v->b, 13) ^ v->a;
	v->d = rotl(v->d, 16) ^ v->c;
	v->a = rotl(v->a, 32);
	v->c += v->b;
	v->a += v->d;
	v->b = rotl(v->b, 17) ^ v->c;
	v->d = rotl(v->d, 21) ^ v->a;
	v->c = rotl(v->c, 32);
}

static inline uint64_t u64le(const uint8_t *p)
{
	uint64_t x;
	memcpy(&x, p, sizeof x);
	return le64toh(x);
}

/* The last n bytes, up to 7. */
static inline uint64_t tail_le(const uint8_t *p, size_t n)
{
	uint64_t x = 0;
	for (size_t i = 0; i < n; i++)
		x |= (uint64_t)p[i] << 8 * i;
	return x;
}

uint64_t map_siphash(const uint64_t seed[2], const void *key, size_t len)
{
	struct sip v = { seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d, seed[0] ^ 0x6c7967656e657261,
			 seed[1] ^ 0x7465646279746573 };
	const uint8_t *p = key;
	for (size_t left = len; left >= 8; left -= 8, p += 8) {
		uint64_t word = u64le(p);
		v.d ^= word;
		sip_round(&v);
		v.a ^= word;
	}
	uint64_t last = (uint64_t)len << 56 | tail_le(p, len % 8);
	v.d ^= last;
	sip_round(&v);
	v.a ^= last;
	v.c ^= 0xff;
	sip_round(&v);
	sip_round(&v);
	sip_round(&v);
	return v.a ^ v.b ^ v.c ^ v.d;
}

/* The seed of this process, and of the workers that it forks. */
static const uint64_t *seed_get(void)
{
	static uint64_t seed[2];
	static bool seeded;
	if (seeded)
		return seed;
	if (getrandom(seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) {
		/* The kernel has no entropy yet, or the call is barred; it left 16 random bytes when it started us. */
		const void *at = (const void *)getauxval(AT_RANDOM);
		if (at)
			memcpy(seed, at, sizeof seed);
		else
			seed[0] ^= (uintptr_t)&seed;
	}
	seeded = true;
	return seed;
}

uint64_t map_hash(const void *key, size_t len)
{
	return map_siphash(seed_get(), key, len);
}

struct map_node *map_find(const struct map *m, const void *key, size_t len, map_match *match)
{
	if (m->count == 0)
		return NULL;
	uint64_t hash = map_hash(key, len);
	struct map_node *n = m->slots[hash & m->mask];
	while (n && !(n->hash == hash && match(n, key, len)))
		n = n->next;
	return n;
}

static bool grow(struct map *m)
{
	size_t n = m->slots ? (m->mask + 1) * 2 : MAP_FIRST;
	struct map_node **slots = n > m->mask ? calloc(n, sizeof *slots) : NULL;
	if (!slots)
		return false;
	for (size_t i = 0; m->slots && i <= m->mask; i++)
		for (struct map_node *it = m->slots[i], *next; it; it = next) {
			next = it->next;
			it->next = slots[it->hash & (n - 1)];
			slots[it->hash & (n - 1)] = it;
		}
	free(m->slots);
	m->slots = slots;
	m->mask = n - 1;
	return true;
}

bool map_add(struct map *m, struct map_node *n, const void *key, size_t len)
{
	/* A map that cannot grow is slower, and no less right: only the first slots are needed. */
	if ((!m->slots || m->count > m->mask) && !grow(m) && !m->slots)
		return false;
	n->hash = map_hash(key, len);
	struct map_node **slot = &m->slots[n->hash & m->mask];
	n->next = *slot;
	*slot = n;
	m->count++;
	return true;
}

void map_del(struct map *m, struct map_node *n)
{
	ASSERT(m->count > 0);
	struct map_node **at = &m->slots[n->hash & m->mask];
	while (*at != n) {
		ASSERT(*at);
		at = &(*at)->next;
	}
	*at = n->next;
	n->next = NULL;
	m->count--;
}

void map_free(struct map *m)
{
	free(m->slots);
	*m = MAP_INIT;
}

/* Which slot's chain is `at` on? It is a slot itself, or the first field of a node. */
static size_t slot_of(const struct map *m, struct map_node **at)
{
	uintptr_t first = (uintptr_t)m->slots, here = (uintptr_t)at;
	if (here >= first && here - first < (m->mask + 1) * sizeof *m->slots)
		return (here - first) / sizeof *m->slots;
	return ((struct map_node *)(void *)at)->hash & m->mask;
}

/* *slot holds the address of the pointer that led to the node returned last. If it still does, the walk goes on behind
 * that node; if not, the node was deleted and may be gone, and the pointer leads to what stood behind it. */
struct map_node *map_next(const struct map *m, const struct map_node *after, size_t *slot)
{
	size_t i = 0;
	if (after) {
		struct map_node **at = (struct map_node **)*slot;
		if (*at == after)
			at = &(*at)->next;
		if (*at) {
			*slot = (size_t)at;
			return *at;
		}
		i = slot_of(m, at) + 1;
	}
	for (; m->slots && i <= m->mask; i++)
		if (m->slots[i]) {
			*slot = (size_t)&m->slots[i];
			return m->slots[i];
		}
	return NULL;
}
