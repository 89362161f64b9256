/* map.h - an intrusive hash map: chained, grows by doubling, hashes keyed with a random seed of the process
 * (SipHash-1-3) so that a peer cannot choose collisions. Nodes live in the caller's structs. */
#ifndef SLUICE_CORE_MAP_H
#define SLUICE_CORE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_node {
	struct map_node *next;
	uint64_t hash;
};

struct map {
	struct map_node **slots; /* owned */
	size_t mask, count;
};

#define MAP_INIT ((struct map){ NULL, 0, 0 })

uint64_t map_hash(const void *key, size_t len);
/* The function behind it, for a seed of one's own. */
uint64_t map_siphash(const uint64_t seed[2], const void *key, size_t len);
/* Is this node the one with that key? Called only for nodes of the same hash. */
typedef bool map_match(const struct map_node *n, const void *key, size_t len);
struct map_node *map_find(const struct map *m, const void *key, size_t len, map_match *match);
/* Adds a node whose key is not in m. False when out of memory, which only the first node meets. */
bool map_add(struct map *m, struct map_node *n, const void *key, size_t len);
/* n is in m. */
void map_del(struct map *m, struct map_node *n);
/* Frees the slots, not the nodes. */
void map_free(struct map *m);
/* All nodes, in no order; NULL begins, NULL ends; *slot is the walk's own. Deleting (and freeing) the one returned last
 * is fine, adding is not. */
struct map_node *map_next(const struct map *m, const struct map_node *after, size_t *slot);

#endif
