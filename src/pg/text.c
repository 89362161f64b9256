/* text.c - texts and the settings that they are parsed under. PostgreSQL docs: Configuration, Client Connection
 * Defaults, Version and Platform Compatibility. */
#include "pg/text.h"

#include "core/assert.h"
#include "core/list.h"
#include "core/str.h"
#include "pg/pg_int.h"

#include <stdlib.h>
#include <strings.h>

static struct map texts;

/* What the parser goes by: how it reads text and constants, where it finds names. The last four are what constants that
 * are turned into text have been turned into by the planner, which keeps its plan. */
static const char *const meant[] = { "client_encoding",
				     "standard_conforming_strings",
				     "backslash_quote",
				     "transform_null_equals",
				     "search_path",
				     "role",
				     "session_authorization",
				     "TimeZone",
				     "timezone_abbreviations",
				     "DateStyle",
				     "IntervalStyle",
				     "array_nulls",
				     "xmloption",
				     "lc_monetary",
				     "default_text_search_config",
				     "extra_float_digits",
				     "bytea_output",
				     "xmlbinary" };

bool pg_gives_meaning(const char *name)
{
	for (size_t i = 0; i < sizeof meant / sizeof *meant; i++)
		if (strcasecmp(name, meant[i]) == 0)
			return true;
	return false;
}

struct key {
	const struct istr *said;
	const struct varset *reported, *set;
};

static bool is_it(const struct map_node *n, const void *key, size_t len)
{
	const struct pg_text *t = list_owner(n, const struct pg_text, node);
	const struct key *k = key;
	(void)len;
	return t->said == k->said && t->reported == k->reported && t->set == k->set;
}

/* The settings of the client, as borrowed parts. False: out of memory. */
static bool settings_of(struct pg_client *c, struct key *k)
{
	const struct varset *said = pg_track_said(c);
	k->reported = varset_part(c->s.vars, pg_gives_meaning);
	k->set = said ? varset_part(said, pg_gives_meaning) : NULL;
	return k->reported && k->set;
}

struct pg_text *pg_text_new(const struct istr *said)
{
	struct pg_text *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	t->refs = 1;
	t->said = istr_ref(said);
	return t;
}

struct pg_text *pg_text_get(struct pg_client *c, const struct istr *said)
{
	struct key k = { .said = said };
	if (pg_track_is_unclear(c))
		return pg_text_new(said);
	if (!settings_of(c, &k))
		return NULL;
	struct map_node *n = map_find(&texts, &k, sizeof k, is_it);
	if (n)
		return pg_text_ref(list_owner(n, struct pg_text, node));
	struct pg_text *t = pg_text_new(said);
	if (!t)
		return NULL;
	if (!map_add(&texts, &t->node, &k, sizeof k)) {
		pg_text_put(t);
		return NULL;
	}
	t->reported = varset_ref(k.reported);
	t->set = varset_ref(k.set);
	return t;
}

struct pg_text *pg_text_ref(struct pg_text *t)
{
	ASSERT(t->refs > 0 && t->refs < UINT32_MAX);
	t->refs++;
	return t;
}

void pg_text_put(struct pg_text *t)
{
	if (!t)
		return;
	ASSERT(t->refs > 0);
	if (--t->refs > 0)
		return;
	if (!pg_text_is_own(t))
		map_del(&texts, &t->node);
	istr_put(t->said);
	varset_put(t->reported);
	varset_put(t->set);
	free(t);
}

bool pg_text_is_meant(struct pg_client *c, const struct pg_text *t)
{
	struct key k = { 0 };
	if (pg_text_is_own(t))
		return true;
	return !pg_track_is_unclear(c) && settings_of(c, &k) && k.reported == t->reported && k.set == t->set;
}

static void add_setting(struct sb *sql, const struct istr *name, const struct istr *value)
{
	sb_add(sql, sql->len ? " IS NULL OR " : "SELECT WHERE ");
	pg_add_set_config_call(sql, name->s, value ? value->s : NULL, true);
}

/* What `to` has otherwise than `from`. */
static bool add_settings(struct sb *sql, const struct varset *from, const struct varset *to)
{
	for (uint32_t i = 0; i < to->count; i++) {
		const struct var *v = &to->at[i];
		if (varset_find(from, v->name->s) == v->value)
			continue;
		if (pg_is_identity(v->name->s) || !pg_is_ascii(v->value->s))
			return false;
		add_setting(sql, v->name, v->value);
	}
	for (uint32_t i = 0; i < from->count; i++) {
		if (varset_find(to, from->at[i].name->s))
			continue;
		if (pg_is_identity(from->at[i].name->s))
			return false;
		add_setting(sql, from->at[i].name, NULL);
	}
	return true;
}

bool pg_text_settings(struct pg_client *c, const struct pg_text *t, bool back, struct sb *sql)
{
	struct key now = { 0 };
	if (pg_text_is_own(t) || pg_track_is_unclear(c) || !settings_of(c, &now))
		return false;
	bool ok = back ? add_settings(sql, t->reported, now.reported) && add_settings(sql, t->set, now.set)
		       : add_settings(sql, now.reported, t->reported) && add_settings(sql, now.set, t->set);
	if (sql->len)
		sb_add(sql, " IS NULL");
	return ok && !sql->bad;
}
