/* varset.h - the tracked settings of a session or a server, as one immutable, interned, counted value: equal sets are
 * the same pointer, so that linking a session to a server whose settings are already its own costs one comparison.
 * Names are the protocol's own (PostgreSQL's GUC names); they compare without regard to case and keep the spelling of
 * whoever set them first. Order is by name. */
#ifndef SLUICE_SESSION_VARSET_H
#define SLUICE_SESSION_VARSET_H

#include "core/intern.h"

#define VARSET_MAX 64u /* a set never holds more: a peer may name as many as it likes */

struct var {
	const struct istr *name, *value; /* counted */
};

struct varset {
	struct map_node node;
	uint32_t refs;
	uint16_t count;
	uint16_t notes;            /* what readers found out about it, and keep with it: see varset_notes() */
	const struct varset *part; /* counted, but for itself: varset_part(); NULL: not asked for yet */
	struct var at[];
};

const struct varset *varset_empty(void); /* a reference, as from all of these */
const struct varset *varset_ref(const struct varset *v);
void varset_put(const struct varset *v); /* NULL is fine */
/* base with this one set or replaced. NULL when out of memory. base is not consumed. */
const struct varset *varset_with(const struct varset *base, const char *name, const char *value, size_t value_len);
/* The value, or NULL. */
const struct istr *varset_find(const struct varset *v, const char *name);
/* Has it no room for this one? */
static inline bool varset_is_full(const struct varset *v, const char *name)
{
	return v->count >= VARSET_MAX && !varset_find(v, name);
}
/* As varset_with(), in place: *v is replaced. False, and *v as it was, when out of memory. */
bool varset_set(const struct varset **v, const char *name, const char *value, size_t value_len);
/* The same for several at once, which costs little more than for one. They are in the order of their names, each of
 * which occurs once. */
struct varset_pair {
	const char *name, *value;
};
bool varset_set_all(const struct varset **v, const struct varset_pair *pairs, size_t n);
/* The same without this one. */
bool varset_unset(const struct varset **v, const char *name);
/* Of the variables of `over` those that `base` has too, on top of it. */
const struct varset *varset_over_known(const struct varset *base, const struct varset *over);
/* The first of these as a list, borrowed from the two, which costs less than a set: how many; more than VARSET_MAX:
 * there is no such set. */
size_t varset_list_over(const struct varset *base, const struct varset *over, struct var at[VARSET_MAX + 1]);
/* Those of `v` that `base` does not have. */
const struct varset *varset_unknown(const struct varset *base, const struct varset *v);
/* The last two of these at once, kept for the next time: clients that come one after the other ask for the same mostly.
 * *m is all zeroes at first; it holds what is in it until another pair comes, or varset_parted_end(). */
struct varset_parted {
	const struct varset *base, *v, *known, *unknown; /* counted */
};
/* False when out of memory. *known and *unknown are references. */
bool varset_part_by(struct varset_parted *m, const struct varset *base, const struct varset *v,
		    const struct varset **known, const struct varset **unknown);
void varset_parted_end(struct varset_parted *m);
/* Those of v whose names `is_meant` accepts, borrowed from v, with which they are kept: the question is to be the same
 * each time (pg/text.c's). NULL when out of memory. */
const struct varset *varset_part(const struct varset *v, bool (*is_meant)(const char *name));
/* Zero for a new set. Whoever writes here has bits of its own: 0x00ff are pg/track.c's, the others mysql/state.c's. */
static inline uint16_t *varset_notes(const struct varset *v)
{
	return &((struct varset *)(uintptr_t)v)->notes;
}
size_t varset_count(void); /* distinct sets alive */

#endif
