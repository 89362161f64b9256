/* varset.c - interned sets of tracked settings. */
#include "session/varset.h"

#include "core/assert.h"
#include "core/list.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct map all;
/* What clients set when they log in is the same for one after the other. Not counted: what ends is forgotten here. */
static const struct varset *empty;
static struct {
	const struct varset *base, *with;
} last;

static bool same_vars(const struct map_node *n, const void *key, size_t len)
{
	const struct varset *v = list_owner(n, struct varset, node);
	return len == v->count * sizeof(struct var) && (len == 0 || memcmp(v->at, key, len) == 0);
}

static void put_all(const struct var *at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		istr_put(at[i].name);
		istr_put(at[i].value);
	}
}

/* The one set with these variables, whose references are consumed. */
static const struct varset *intern_set(const struct var *at, size_t count)
{
	size_t len = count * sizeof *at;
	struct map_node *n = map_find(&all, at, len, same_vars);
	struct varset *v;
	if (n) {
		v = list_owner(n, struct varset, node);
		put_all(at, count); /* ours are surplus */
	} else {
		v = malloc(sizeof *v + len);
		if (v) {
			v->refs = 0;
			v->count = (uint16_t)count;
			v->notes = 0;
			v->part = NULL;
			if (count)
				memcpy(v->at, at, len);
		}
		if (!v || !map_add(&all, &v->node, at, len)) {
			free(v);
			put_all(at, count);
			return NULL;
		}
	}
	v->refs++;
	return v;
}

const struct varset *varset_empty(void)
{
	if (empty)
		return varset_ref(empty);
	empty = intern_set(NULL, 0);
	return empty;
}

static void forget(const struct varset *v)
{
	if (v == empty)
		empty = NULL;
	if (v == last.base || v == last.with)
		last.base = last.with = NULL;
}

const struct varset *varset_ref(const struct varset *v)
{
	((struct varset *)(uintptr_t)v)->refs++;
	return v;
}

void varset_put(const struct varset *cv)
{
	struct varset *v = (struct varset *)(uintptr_t)cv;
	if (!v)
		return;
	ASSERT(v->refs > 0);
	if (--v->refs)
		return;
	forget(v);
	map_del(&all, &v->node);
	if (v->part != v)
		varset_put(v->part);
	put_all(v->at, v->count);
	free(v);
}

static bool is_text(const struct istr *i, const char *s, size_t len)
{
	return i->len == len && memcmp(i->s, s, len) == 0;
}

/* Is what these make of base what was made last? It is compared, and nothing is interned. value_len: of the first one's
 * value; the others end in a NUL. */
static bool is_last(const struct varset *base, const struct varset_pair *pairs, size_t value_len, size_t n)
{
	const struct varset *with = last.with;
	uint32_t b = 0;
	size_t k = 0;
	if (!with || last.base != base)
		return false;
	for (uint32_t i = 0; i < with->count; i++) {
		const struct var *is = &with->at[i], *was = b < base->count ? &base->at[b] : NULL;
		bool was_there = was && was->name == is->name;
		if (k < n && is_text(is->name, pairs[k].name, strlen(pairs[k].name))) {
			if (!is_text(is->value, pairs[k].value, k ? strlen(pairs[k].value) : value_len))
				return false;
			k++;
		} else if (!was_there || was->value != is->value) {
			return false;
		}
		b += was_there;
	}
	return k == n && b == base->count;
}

/* The next one may ask for the same. */
static const struct varset *made(const struct varset *base, const struct var *at, size_t n)
{
	const struct varset *with = intern_set(at, n);
	if (with) {
		last.base = base;
		last.with = with;
	}
	return with;
}

const struct varset *varset_with(const struct varset *base, const char *name, const char *value, size_t value_len)
{
	struct var at[VARSET_MAX];
	size_t n = 0;
	bool placed = false;

	if (is_last(base, &(struct varset_pair){ name, value }, value_len, 1))
		return varset_ref(last.with);
	const struct istr *val = istr_get(value, value_len);
	if (!val)
		return NULL;
	for (uint32_t i = 0; i < base->count; i++) {
		int order = strcasecmp(base->at[i].name->s, name);
		if (order == 0) {
			if (base->at[i].value == val) { /* nothing changes */
				istr_put(val);
				put_all(at, n);
				return varset_ref(base);
			}
			at[n++] = (struct var){ istr_ref(base->at[i].name), val };
			placed = true;
			continue;
		}
		if (order > 0 && !placed) {
			if (base->count >= VARSET_MAX)
				goto fail;
			const struct istr *nm = istr_get(name, strlen(name));
			if (!nm)
				goto fail;
			at[n++] = (struct var){ nm, val };
			placed = true;
		}
		at[n++] = (struct var){ istr_ref(base->at[i].name), istr_ref(base->at[i].value) };
	}
	if (!placed) {
		const struct istr *nm = n < VARSET_MAX ? istr_get(name, strlen(name)) : NULL;
		if (!nm)
			goto fail;
		at[n++] = (struct var){ nm, val };
	}
	return made(base, at, n);
fail:
	istr_put(val);
	put_all(at, n);
	return NULL;
}

const struct istr *varset_find(const struct varset *v, const char *name)
{
	for (uint32_t i = 0; v && i < v->count; i++)
		if (strcasecmp(v->at[i].name->s, name) == 0)
			return v->at[i].value;
	return NULL;
}

bool varset_set(const struct varset **v, const char *name, const char *value, size_t value_len)
{
	const struct varset *with = varset_with(*v, name, value, value_len);
	if (!with)
		return false;
	varset_put(*v);
	*v = with;
	return true;
}

bool varset_set_all(const struct varset **v, const struct varset_pair *pairs, size_t n)
{
	struct var at[VARSET_MAX];
	const struct varset *base = *v;
	size_t done = 0;
	if (n && is_last(base, pairs, strlen(pairs[0].value), n)) {
		*v = varset_ref(last.with);
		varset_put(base);
		return true;
	}
	for (size_t i = 0, k = 0; i < base->count || k < n; done++) {
		int order = i == base->count ? 1 : k == n ? -1 : strcasecmp(base->at[i].name->s, pairs[k].name);
		ASSERT(k + 1 >= n || strcasecmp(pairs[k].name, pairs[k + 1].name) < 0);
		if (done == VARSET_MAX) {
			put_all(at, done);
			return false;
		}
		at[done].name = order > 0 ? istr_get(pairs[k].name, strlen(pairs[k].name)) : istr_ref(base->at[i].name);
		at[done].value =
			order >= 0 ? istr_get(pairs[k].value, strlen(pairs[k].value)) : istr_ref(base->at[i].value);
		if (!at[done].name || !at[done].value) {
			put_all(at, done + 1);
			return false;
		}
		i += order <= 0;
		k += order >= 0;
	}
	const struct varset *with = made(base, at, done);
	if (!with)
		return false;
	varset_put(base);
	*v = with;
	return true;
}

bool varset_unset(const struct varset **v, const char *name)
{
	struct var at[VARSET_MAX];
	size_t n = 0;
	if (!varset_find(*v, name))
		return true;
	for (uint32_t i = 0; i < (*v)->count; i++) {
		const struct var *o = &(*v)->at[i];
		if (strcasecmp(o->name->s, name) != 0)
			at[n++] = (struct var){ istr_ref(o->name), istr_ref(o->value) };
	}
	const struct varset *without = intern_set(at, n);
	if (!without)
		return false;
	varset_put(*v);
	*v = without;
	return true;
}

/* In the order of names; equal ones are mostly the same pointer. */
static int by_name(const struct var *a, const struct var *b)
{
	return a->name == b->name ? 0 : strcasecmp(a->name->s, b->name->s);
}

/* Both are sorted, so one pass over them is enough. known_only: of `over` those that `base` has too. */
static size_t merge(const struct varset *base, const struct varset *over, bool known_only,
		    struct var at[VARSET_MAX + 1])
{
	size_t n = 0;
	for (uint32_t i = 0, k = 0; n <= VARSET_MAX && (i < base->count || k < over->count);) {
		int order = i == base->count ? 1 : k == over->count ? -1 : by_name(&base->at[i], &over->at[k]);
		if (order <= 0 || !known_only)
			at[n++] = (struct var){ order > 0 ? over->at[k].name : base->at[i].name,
						order >= 0 ? over->at[k].value : base->at[i].value };
		i += order <= 0;
		k += order >= 0;
	}
	return n;
}

size_t varset_list_over(const struct varset *base, const struct varset *over, struct var at[VARSET_MAX + 1])
{
	return merge(base, over, false, at);
}

const struct varset *varset_over_known(const struct varset *base, const struct varset *over)
{
	struct var at[VARSET_MAX + 1];
	size_t n = merge(base, over, true, at);
	if (n > VARSET_MAX)
		return NULL;
	if (n == base->count && memcmp(at, base->at, n * sizeof *at) == 0)
		return varset_ref(base);
	for (size_t i = 0; i < n; i++) {
		istr_ref(at[i].name);
		istr_ref(at[i].value);
	}
	return intern_set(at, n);
}

const struct varset *varset_unknown(const struct varset *base, const struct varset *v)
{
	struct var at[VARSET_MAX];
	size_t n = 0;
	for (uint32_t i = 0, k = 0; k < v->count;) {
		int order = i == base->count ? 1 : by_name(&base->at[i], &v->at[k]);
		if (order > 0)
			at[n++] = v->at[k];
		i += order <= 0;
		k += order >= 0;
	}
	if (n == v->count)
		return varset_ref(v);
	for (size_t i = 0; i < n; i++) {
		istr_ref(at[i].name);
		istr_ref(at[i].value);
	}
	return intern_set(at, n);
}

void varset_parted_end(struct varset_parted *m)
{
	varset_put(m->base);
	varset_put(m->v);
	varset_put(m->known);
	varset_put(m->unknown);
	*m = (struct varset_parted){ .base = NULL };
}

bool varset_part_by(struct varset_parted *m, const struct varset *base, const struct varset *v,
		    const struct varset **known, const struct varset **unknown)
{
	if (m->base != base || m->v != v) {
		const struct varset *k = varset_over_known(base, v), *u = varset_unknown(base, v);
		if (!k || !u) {
			varset_put(k);
			varset_put(u);
			return false;
		}
		varset_parted_end(m);
		*m = (struct varset_parted){ varset_ref(base), varset_ref(v), k, u };
	}
	*known = varset_ref(m->known);
	*unknown = varset_ref(m->unknown);
	return true;
}

const struct varset *varset_part(const struct varset *v, bool (*is_meant)(const char *name))
{
	struct var at[VARSET_MAX];
	size_t n = 0;
	if (v->part)
		return v->part;
	for (uint32_t i = 0; i < v->count; i++)
		if (is_meant(v->at[i].name->s))
			at[n++] = (struct var){ istr_ref(v->at[i].name), istr_ref(v->at[i].value) };
	const struct varset *part = intern_set(at, n);
	((struct varset *)(uintptr_t)v)->part = part;
	if (part == v)
		varset_put(v); /* or it would never end */
	return part;
}

size_t varset_count(void)
{
	return all.count;
}
