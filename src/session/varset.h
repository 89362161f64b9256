/* varset.h - the tracked settings of a session or a server, as one immutable, interned, counted value: equal sets are
 * the same pointer, so that linking a session to a server whose settings are already its own costs one comparison.
 * Names are the protocol's own (PostgreSQL's GUC names); they compare without regard to case and keep the spelling of
 * whoever set them first. Order is by name. */
#ifndef SLUICE_SESSION_VARSET_H
#define SLUICE_SESSION_VARSET_H

#include "core/intern.h"

struct var {
	const struct istr *name, *value; /* counted */
};

struct varset {
	struct map_node node;
	uint32_t refs;
	uint32_t count;
	struct var at[];
};

const struct varset *varset_empty(void); /* a reference, as from all of these */
const struct varset *varset_ref(const struct varset *v);
void varset_put(const struct varset *v); /* NULL is fine */
/* base with this one set or replaced. NULL when out of memory. base is not consumed. */
const struct varset *varset_with(const struct varset *base, const char *name, const char *value, size_t value_len);
/* The value, or NULL. */
const struct istr *varset_find(const struct varset *v, const char *name);
/* As varset_with(), in place: *v is replaced. False, and *v as it was, when out of memory. */
bool varset_set(const struct varset **v, const char *name, const char *value, size_t value_len);
/* The same without this one. */
bool varset_unset(const struct varset **v, const char *name);
/* Every variable of `over` on top of `base`; of those only that base has too. */
const struct varset *varset_over(const struct varset *base, const struct varset *over);
const struct varset *varset_over_known(const struct varset *base, const struct varset *over);
/* Those of `v` that `base` does not have. */
const struct varset *varset_unknown(const struct varset *base, const struct varset *v);
size_t varset_count(void); /* distinct sets alive */

#endif
