/* slab.h - fixed-size objects, packed in 64 KiB chunks and reused. Objects come zeroed. An empty chunk is given back
 * when another one has free objects. */
#ifndef SLUICE_CORE_SLAB_H
#define SLUICE_CORE_SLAB_H

#include "core/list.h"

#include <stddef.h>

struct slab {
	const char *name; /* shown in SHOW MEM */
	size_t size;      /* of an object, bytes */
	size_t used, free;
	struct list partial, full; /* chunks */
	struct list in_all;
};

void slab_init(struct slab *s, const char *name, size_t size);
/* Zeroed, aligned for any type; NULL when out of memory. */
void *slab_get(struct slab *s);
void slab_put(struct slab *s, void *obj);
/* Frees all chunks; every object must be back. */
void slab_free(struct slab *s);
/* The list of all slabs (in_all), for SHOW MEM. */
struct list *slab_all(void);

#endif
