/* fuzz_config.c - a whole configuration: settings, databases, users, secrets, environment, reload, SET.
 * The input is files (fuzz_files.h); of the file "environ" each line is a variable of the environment, and those that
 * begin with SLUICE_ are tried as a SET of the console too. */
#include "fuzz.h"

#include "config/config.h"
#include "fuzz_files.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLES 16

struct told {
	unsigned errors, warnings;
};

static void on_report(void *arg, bool is_error, const char *file, int line, const char *text)
{
	struct told *t = arg;
	fuzz_check("where and what", *file && line >= 0 && *text);
	*(is_error ? &t->errors : &t->warnings) += 1;
}

static void check_overrides(const struct overrides *o)
{
	for (size_t i = 0; i < o->count; i++) {
		const struct setting *row = &settings_table[o->at[i].id];
		fuzz_check("a row", (unsigned)o->at[i].id < SET_COUNT && row->scope != SCOPE_GLOBAL);
		fuzz_check("found", overrides_find(o, o->at[i].id) == &o->at[i].value);
	}
}

static void check_config(const struct config *c)
{
	size_t stars = 0;
	for (int i = 0; i < SET_COUNT; i++) {
		const struct setting *row = &settings_table[i];
		const struct setting_value *v = &c->set.v[i];
		bool is_text = row->kind == KIND_text || row->kind == KIND_list;
		fuzz_check("in its range", is_text                  ? v->text && strlen(v->text) <= (size_t)row->max
					   : row->kind == KIND_enum ? v->num >= 0
								    : v->num >= row->min && v->num <= row->max);
	}
	LIST_EACH (&c->databases, it) {
		const struct db_conf *d = list_owner(it, struct db_conf, in_all);
		bool is_star = strcmp(d->name, "*") == 0;
		stars += is_star;
		fuzz_check("a name, not the console's",
			   *d->name && strcmp(d->name, "sluice") && strcmp(d->name, "pgbouncer"));
		fuzz_check("found", is_star ? c->fallback == d : config_find_db(c, d->name) == d);
		fuzz_check("a port", d->port > 0);
		fuzz_check("as itself", db_conf_same_target(d, d));
		check_overrides(&d->set);
		LIST_EACH (&c->users, at)
			(void)config_num(c, SET_default_pool_size, d, list_owner(at, struct user_conf, in_all));
	}
	fuzz_check("one fallback", stars == (c->fallback != NULL));
	LIST_EACH (&c->users, it) {
		const struct user_conf *u = list_owner(it, struct user_conf, in_all);
		fuzz_check("found", *u->name && config_find_user(c, u->name) == u);
		fuzz_check("a secret is from auth_file", u->has_secret || !*u->secret);
		fuzz_check("rights are the lists'",
			   u->is_admin == config_list_has(c, SET_admin_users, u->name) &&
				   u->is_stats == config_list_has(c, SET_stats_users, u->name));
		check_overrides(&u->set);
	}
}

static bool same_settings(const struct config *a, const struct config *b)
{
	for (int i = 0; i < SET_COUNT; i++)
		if (!setting_value_same((enum setting_id)i, &a->set.v[i], &b->set.v[i]))
			return false;
	return true;
}

static void try_set(char *line)
{
	char *equals = strchr(line, '=');
	struct fault f;
	if (strncmp(line, "SLUICE_", 7) != 0 || !equals)
		return;
	char *key = fuzz_text(line + 7, (size_t)(equals - line) - 7),
	     *value = fuzz_text(equals + 1, strlen(equals + 1));
	int id = setting_find(key);
	bool ok = config_set_value(key, value, &f);
	fuzz_check("said why not", ok || *f.text);
	fuzz_check("of a row that may be changed", !ok || (id >= 0 && settings_table[id].scope & SCOPE_GLOBAL &&
							   !(settings_table[id].when & WHEN_RESTART)));
	check_config(config_now());
	fuzz_free(key);
	fuzz_free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *lines[VARIABLES + 1] = { NULL }, **before = environ;
	struct told strict = { 0, 0 }, mild = { 0, 0 }, again = { 0, 0 };
	size_t left, len;
	fuzz_files_make(data, size);
	const uint8_t *p = fuzz_files_find("environ", &left);
	for (size_t i = 0; i < VARIABLES && p; i++) {
		const uint8_t *line = fuzz_part(&p, &left, '\n', &len);
		lines[i] = fuzz_text(line, len);
	}
	environ = lines;

	struct config *checked = config_load("main.ini", true, on_report, &strict);
	fuzz_check("an error is one", (checked == NULL) == (strict.errors > 0));
	struct config *c = config_load("main.ini", false, on_report, &mild);
	fuzz_check("an error is one", (c == NULL) == (mild.errors > 0));
	fuzz_check("what passes the check can be run", !checked || c);
	fuzz_check("all is told either way",
		   strict.errors + strict.warnings == mild.errors + mild.warnings && strict.errors >= mild.errors);
	fuzz_check("strictness changes no value", !checked || same_settings(checked, c));
	if (c) {
		check_config(c);
		config_set(config_ref(c));
		struct config *reloaded = config_load("main.ini", false, on_report, &again);
		fuzz_check("a reload of the same is the same",
			   reloaded && again.warnings == mild.warnings && same_settings(c, reloaded));
		config_put(reloaded);
		for (size_t i = 0; lines[i]; i++)
			try_set(lines[i]);
		config_set(NULL);
	}
	config_put(c);
	config_put(checked);
	environ = before;
	fuzz_files_remove();
	for (size_t i = 0; lines[i]; i++)
		fuzz_free(lines[i]);
	return 0;
}
