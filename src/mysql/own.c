/* own.c - what the house itself asks of a server: its settings when it is logged in, those of the client it is lent to,
 * cleaning, checks and questions. MySQL Reference Manual: Server Tracking of Client Session State, SET; MySQL Source
 * Code Documentation: COM_RESET_CONNECTION, COM_INIT_DB, COM_PING. */
#include "mysql/mysql_int.h"

#include "core/assert.h"
#include "core/str.h"
#include "mysql/charset.h"
#include "pool/ask.h"

#include <ctype.h>
#include <stdlib.h>

/* A server tells of changes as they come. Those that clients often make are told once at the beginning, so that it is
 * known what to go back to. */
#define TELL_ALL                                                                                                       \
	"SET NAMES '" MYSQL_HOUSE_SET "' COLLATE '" MYSQL_HOUSE_NAME "', " MYSQL_COLLATION "='" MYSQL_HOUSE_NAME       \
	"', autocommit=@@autocommit, sql_mode=@@sql_mode, time_zone=@@time_zone"

/* --- Sending */

static bool expect_own(struct mysql_server *p, uint8_t com)
{
	return mysql_expect_sent(&p->expect, &(struct mysql_expect_entry){ .kind = (uint8_t)mysql_expect_of(com),
									   .com = com,
									   .flags = MYSQL_EXPECT_OWN });
}

static bool send_command(struct mysql_server *p, uint8_t com, const void *text, size_t len)
{
	bool has_attrs = com == MYSQL_COM_QUERY && p->caps & MYSQL_CAP_QUERY_ATTRIBUTES;
	size_t n = MYSQL_HEADER + 1 + (has_attrs ? 2 : 0) + len;
	uint8_t *room = stream_put_room(&p->sv.stream, n);
	if (!room)
		return true; /* the stream tells of it */
	struct mysql_out o = mysql_out(room, n);
	mysql_begin(&o, 0);
	mysql_put_u8(&o, com);
	if (has_attrs) { /* none, in one set */
		mysql_put_lenenc(&o, 0);
		mysql_put_lenenc(&o, 1);
	}
	mysql_put(&o, text, len);
	mysql_end(&o);
	ASSERT(!o.bad);
	return expect_own(p, com);
}

static bool send_query(struct mysql_server *p, const char *sql)
{
	return send_command(p, MYSQL_COM_QUERY, sql, strlen(sql));
}

static void flag_last(struct mysql_server *p, unsigned flag)
{
	if (p->expect.count) { /* none when the stream has failed */
		struct mysql_expect_entry *x = mysql_expect_at(&p->expect, p->expect.count - 1u);
		x->flags |= (uint16_t)flag;
	}
}

/* All is sent: what is the last of it ends it. */
static void begin(struct mysql_server *p, enum mysql_own what, bool ok)
{
	ASSERT(p->own == MYSQL_OWN_NOTHING);
	p->own = (uint8_t)what;
	if (!ok) {
		mysql_no_memory(&p->sv);
		return;
	}
	flag_last(p, MYSQL_EXPECT_LAST);
}

static bool tells(const struct mysql_server *p)
{
	return p->caps & MYSQL_CAP_SESSION_TRACK;
}

/* Servers that tell nothing are asked: what clients come with, and what says how texts are read. Others may be set to
 * their default again, whatever that is. */
static const char *const settings[] = { MYSQL_SET_CLIENT, MYSQL_SET_CONNECTION, MYSQL_SET_RESULTS, MYSQL_COLLATION,
					"autocommit",     "sql_mode",           "time_zone" };
enum { SETTINGS = sizeof settings / sizeof settings[0] };

static bool ask_settings(struct mysql_server *p)
{
	struct sb sql = { .max = 1024 };
	for (size_t i = 0; i < SETTINGS; i++)
		sb_addf(&sql, "%s@@%s", i ? "," : "SELECT ", settings[i]);
	bool ok = !sql.bad && send_query(p, sb_str(&sql));
	sb_free(&sql);
	flag_last(p, MYSQL_EXPECT_SETTINGS);
	return ok;
}

static bool send_set_up(struct mysql_server *p)
{
	p->sets_up = true;
	if (tells(p))
		return send_query(p, mysql_track_setup(p->is_mariadb)) && send_query(p, TELL_ALL);
	return send_query(p, "SET NAMES '" MYSQL_HOUSE_SET "' COLLATE '" MYSQL_HOUSE_NAME "'") && ask_settings(p);
}

/* No cleaning gives a session the role back that it began with. */
static bool ask_role(struct mysql_server *p)
{
	if (p->number < (p->is_mariadb ? 100005u : 80000u))
		return true;
	if (!send_query(p, "SELECT CURRENT_ROLE()"))
		return false;
	flag_last(p, MYSQL_EXPECT_ROLE | MYSQL_EXPECT_MAY_FAIL);
	return true;
}

bool mysql_own_role(struct mysql_server *p, struct rd body)
{
	bool is_null = rd_left(&body) && *body.p == 0xfb;
	struct rd value = is_null ? rd_sub(&body, 1) : mysql_rd_text(&body);
	char name[MY_IDENT_QUOTED];
	const struct istr *role;
	if (body.bad) {
		mysql_broken(&p->sv, "malformed row");
		return false;
	}
	if (is_null) {
		role = istr_get("NONE", 4);
	} else if (!p->is_mariadb) { /* with quotes, and of several */
		role = istr_get((const char *)value.p, rd_left(&value));
	} else {
		int n = my_quote_ident(value.p, rd_left(&value), name, sizeof name);
		role = n > 0 ? istr_get(name, (size_t)n) : istr_get("NONE", 4);
	}
	if (!role) {
		mysql_no_memory(&p->sv);
		return false;
	}
	istr_put(p->role);
	p->role = role;
	return true;
}

static bool send_role(struct mysql_server *p)
{
	struct sb sql = { .max = 1u << 16 };
	if (!p->role)
		return true;
	sb_addf(&sql, "SET ROLE %s", p->role->s);
	bool ok = !sql.bad && send_query(p, sb_str(&sql));
	sb_free(&sql);
	return ok;
}

void mysql_own_set_up(struct mysql_server *p)
{
	begin(p, MYSQL_OWN_SETUP, send_set_up(p) && ask_role(p));
}

bool mysql_own_ping(struct mysql_server *p)
{
	return send_command(p, MYSQL_COM_PING, NULL, 0);
}

bool mysql_own_bring_id(struct mysql_server *p, uint64_t id)
{
	char sql[64];
	str_fmt(sql, sizeof sql, "SET last_insert_id=%llu", (unsigned long long)id);
	return send_query(p, sql);
}

bool mysql_own_fetch_id(struct mysql_server *p)
{
	if (!send_query(p, "SELECT LAST_INSERT_ID()"))
		return false;
	flag_last(p, MYSQL_EXPECT_ID);
	return true;
}

/* MariaDB forgets them at a statement that uses a table. */
bool mysql_own_clear(struct mysql_server *p)
{
	return send_query(p, "SELECT 1 FROM (SELECT 1) AS t");
}

void mysql_own_run(struct server *sv, const char *sql)
{
	struct mysql_server *p = mysql_server_of(sv);
	bool ok = *sql ? send_query(p, sql) : mysql_own_ping(p);
	begin(p, MYSQL_OWN_RUN, ok && (sv->state != SERVER_SETUP || ask_role(p))); /* it may have set one */
}

/* Settings are back at what the server has for all, the one with which it tells of them too. */
void mysql_own_reset(struct server *sv)
{
	struct mysql_server *p = mysql_server_of(sv);
	const struct istr *schema = varset_find(sv->vars, MYSQL_SCHEMA);
	const struct varset *none = varset_empty(), *said = varset_empty();

	if (!tells(p)) { /* of before 5.7.4 or 10.2: it knows no such command */
		varset_put(none);
		varset_put(said);
		server_close(sv, "it cannot be cleaned", NULL);
		return;
	}
	if (!none || !said || (schema && !varset_set(&none, MYSQL_SCHEMA, schema->s, schema->len))) {
		varset_put(none);
		varset_put(said);
		mysql_no_memory(sv);
		return;
	}
	mysql_cache_clear(&p->cache);
	varset_put(sv->vars);
	varset_put(sv->said);
	sv->vars = none;
	sv->said = said;
	begin(p, MYSQL_OWN_RUN, send_command(p, MYSQL_COM_RESET_CONNECTION, NULL, 0) && send_set_up(p) && send_role(p));
}

/* --- Bringing settings to what they should be */

static bool is_schema(const struct var *v)
{
	return strcmp(v->name->s, MYSQL_SCHEMA) == 0;
}

/* What the names of settings are made of. */
static bool is_name(const char *s)
{
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_.$", *s))
			return false;
	return true;
}

/* It is set in another way, or cannot be. */
static bool is_apart(const struct var *v)
{
	return is_schema(v) || mysql_is_charset(v->name->s) || !is_name(v->name->s);
}

/* What all have. MySQL 9 makes 0 of these two for DEFAULT, whatever their global values. */
static void add_default(struct sb *b, const char *name)
{
	if (strcmp(name, "foreign_key_checks") == 0 || strcmp(name, "unique_checks") == 0)
		sb_addf(b, "@@global.%s", name);
	else
		sb_add(b, "DEFAULT");
}

static void add_sets(struct sb *b, const struct varset *has, const struct varset *want)
{
	for (uint32_t i = 0; i < has->count; i++) {
		const struct var *v = &has->at[i];
		if (is_apart(v) || varset_find(want, v->name->s))
			continue;
		mysql_put_set(b, v->name->s);
		add_default(b, v->name->s);
	}
	for (uint32_t i = 0; i < want->count; i++) {
		const struct var *v = &want->at[i];
		if (is_apart(v) || varset_find(has, v->name->s) == v->value)
			continue;
		mysql_put_set(b, v->name->s);
		mysql_put_value(b, v->value->s);
	}
}

/* What the server has of its own, and then that of this number, if it has it: what it is called there is told. */
static bool send_collation(struct mysql_server *p, uint64_t id)
{
	char set[32], name[64];
	struct sb sql = { .max = 1024 };
	bool is_old = p->number < (p->is_mariadb ? 100600u : 80030u);
	p->has_own_collation = true;
	if (!send_query(p,
			"SET " MYSQL_SET_CLIENT "=DEFAULT," MYSQL_SET_RESULTS "=DEFAULT," MYSQL_COLLATION "=DEFAULT"))
		return false;
	if (!mysql_collation_names(id, is_old, set, sizeof set, name, sizeof name))
		return true;
	p->has_own_collation = false;
	sb_addf(&sql, "SET NAMES '%s' COLLATE '%s'," MYSQL_COLLATION "='%s'", set, name, name);
	bool ok = !sql.bad && send_query(p, sb_str(&sql));
	sb_free(&sql);
	if (ok)
		flag_last(p, MYSQL_EXPECT_MAY_FAIL);
	return ok;
}

void mysql_own_sync(struct server *sv, const struct varset *want, const struct varset *said)
{
	struct mysql_server *p = mysql_server_of(sv);
	const struct istr *schema = varset_find(want, MYSQL_SCHEMA);
	struct sb sql = { .max = 1u << 16 };
	bool ok = true, any = false;
	uint64_t id;

	if (mysql_collation_is_number(varset_find(want, MYSQL_COLLATION), &id)) {
		ok = send_collation(p, id) && (tells(p) || ask_settings(p));
		any = true;
	}
	mysql_charset_sets(&sql, sv->vars, want);
	add_sets(&sql, sv->vars, want);
	if (said != sv->said)
		add_sets(&sql, sv->said, said);
	if (schema && schema->len && varset_find(sv->vars, MYSQL_SCHEMA) != schema) {
		ok = ok && send_command(p, MYSQL_COM_INIT_DB, schema->s, schema->len);
		any = true;
	}
	if (sql.len || !any)
		ok = ok && (sql.len ? send_query(p, sb_str(&sql)) : mysql_own_ping(p));
	ok = ok && !sql.bad;
	sb_free(&sql);
	varset_put(p->syncing);
	varset_put(p->syncing_said);
	p->syncing = varset_ref(want);
	p->syncing_said = varset_ref(said);
	begin(p, MYSQL_OWN_SYNC, ok);
}

/* --- Statements of clients, prepared on one more server */

static bool as_statement(struct mysql_server *p, bool ok, const struct istr *text)
{
	if (ok && p->expect.count) { /* none when the stream has failed */
		struct mysql_expect_entry *x = mysql_expect_at(&p->expect, p->expect.count - 1u);
		x->flags |= MYSQL_EXPECT_MAPS;
		x->text = text ? istr_ref(text) : NULL;
	}
	return ok;
}

/* To other settings, as far as they differ. */
static bool put_settings(struct mysql_server *p, const char *const from[MYSQL_MEANINGS],
			 const char *const to[MYSQL_MEANINGS])
{
	struct sb sql = { .max = 1u << 16 };
	const char *schema = to[MYSQL_MEANING_SCHEMA];
	bool ok = true;
	if (*schema && strcmp(from[MYSQL_MEANING_SCHEMA], schema) != 0)
		ok = as_statement(p, send_command(p, MYSQL_COM_INIT_DB, schema, strlen(schema)), NULL);
	for (int i = MYSQL_MEANING_SCHEMA + 1; i < MYSQL_MEANINGS; i++) {
		if (strcmp(from[i], to[i]) == 0)
			continue;
		bool is_own = *to[i] == MYSQL_MEANING_DEFAULT_OF;
		mysql_put_set(&sql, is_own ? MYSQL_SET_CONNECTION : mysql_meaning_names[i]);
		mysql_put_value(&sql, to[i] + is_own);
	}
	if (ok && sql.len)
		ok = as_statement(p, send_query(p, sb_str(&sql)), NULL);
	ok = ok && !sql.bad;
	sb_free(&sql);
	return ok;
}

bool mysql_own_prepare(struct mysql_server *p, const struct istr *text, struct rd sql,
		       const char *const now[MYSQL_MEANINGS], const char *const then[MYSQL_MEANINGS])
{
	return put_settings(p, now, then) &&
	       as_statement(p, send_command(p, MYSQL_COM_STMT_PREPARE, sql.p, rd_left(&sql)), text) &&
	       put_settings(p, then, now);
}

/* --- Questions */

/* The statement with the parameter for each $1 or ? that is not within quotes: in hex, which is a value whatever is in
 * it and whatever the server makes of backslashes. */
static bool fill_in(struct sb *b, const char *sql, const char *param)
{
	char quote = 0;
	for (const char *at = sql; *at; at++) {
		bool is_one = at[0] == '$' && at[1] == '1' && !(at[2] >= '0' && at[2] <= '9');
		if (quote || (!is_one && *at != '?')) {
			if (quote ? *at == quote : strchr("'\"`", *at) != NULL)
				quote = quote ? 0 : *at;
			sb_add_n(b, at, 1);
			continue;
		}
		sb_add(b, *param ? "_utf8mb4 0x" : "''");
		for (const char *c = param; *c; c++)
			sb_addf(b, "%02x", (unsigned)(uint8_t)*c);
		at += is_one;
	}
	return !b->bad;
}

void mysql_own_ask(struct server *sv)
{
	struct mysql_server *p = mysql_server_of(sv);
	struct sb sql = { .max = 1u << 16 };
	bool ok = fill_in(&sql, sv->ask->sql, sv->ask->param ? sv->ask->param : "") && send_query(p, sb_str(&sql));
	sb_free(&sql);
	begin(p, MYSQL_OWN_ASK, ok);
}

/* The answer to ask_settings(). */
static bool take_settings(struct mysql_server *p, const struct cell *cells, size_t n)
{
	if (n != SETTINGS) {
		mysql_broken(&p->sv, "the answer to a question of the house's own has other columns");
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (!varset_set(&p->sv.vars, settings[i], cells[i].text.s, cells[i].text.len)) {
			mysql_no_memory(&p->sv);
			return false;
		}
	return true;
}

bool mysql_own_row(struct mysql_server *p, struct rd body)
{
	struct cell cells[ASK_COLUMNS_MAX] = { 0 };
	size_t n = 0;
	for (; rd_left(&body) > 0 && !body.bad; n++) {
		bool is_null = *body.p == 0xfb;
		struct rd value = is_null ? rd_sub(&body, 1) : mysql_rd_text(&body);
		if (n < ASK_COLUMNS_MAX) {
			cells[n].is_null = is_null;
			cells[n].text = (struct text_span){ (const char *)value.p, rd_left(&value) };
		}
	}
	if (body.bad) {
		mysql_broken(&p->sv, "malformed row");
		return false;
	}
	if (mysql_expect_first(&p->expect)->flags & MYSQL_EXPECT_SETTINGS)
		return take_settings(p, cells, n);
	if (p->sv.ask) /* else who asked has gone, and the rest is swallowed */
		p->sv.ask->row(p->sv.ask, cells, n < ASK_COLUMNS_MAX ? n : ASK_COLUMNS_MAX);
	return true;
}

/* --- Collations */

const struct mysql_collation *mysql_collation_find(const struct database *db, uint16_t id)
{
	const struct mysql_notes *k = db->notes;
	for (unsigned i = 0; k && i < k->n; i++)
		if (k->at[i].id == id)
			return &k->at[i];
	return NULL;
}

/* One was set by its number, and the server has said what it is called: the next client that says the number has the
 * settings that servers have. */
static void learn_collation(const struct mysql_server *p, uint64_t id)
{
	struct database *db = p->sv.pool->db;
	const struct istr *name = varset_find(p->sv.vars, MYSQL_COLLATION);
	const struct istr *set = varset_find(p->sv.vars, MYSQL_SET_CLIENT);
	if (!name || !set || mysql_collation_find(db, (uint16_t)id))
		return;
	struct mysql_notes *k = mysql_notes(db);
	if (!k || k->n == MYSQL_COLLATIONS_MAX)
		return;
	struct mysql_collation *c = &k->at[k->n];
	if (str_copy(c->set, sizeof c->set, set->s) && str_copy(c->name, sizeof c->name, name->s)) {
		c->id = (uint16_t)id;
		c->is_own = p->has_own_collation;
		k->n++;
	}
}

/* --- Answers */

void mysql_own_error(struct mysql_server *p, const struct mysql_err *e)
{
	if (mysql_expect_first(&p->expect)->flags & MYSQL_EXPECT_MAY_FAIL) {
		p->has_own_collation |= !(mysql_expect_first(&p->expect)->flags & MYSQL_EXPECT_ROLE);
		return;
	}
	if (p->own_fault || !p->own)
		return;
	p->own_fault = malloc(sizeof *p->own_fault);
	if (!p->own_fault) {
		mysql_no_memory(&p->sv);
		return;
	}
	fault_set(p->own_fault, FAULT_INTERNAL, "%.*s", (int)rd_left(&e->text), (const char *)e->text.p);
	fault_mysql(p->own_fault, e->code, e->state);
}

/* The collation of results, which is never told. */
static bool settle_results(struct mysql_server *p)
{
	const struct varset **vars = &p->sv.vars;
	const struct istr *want = varset_find(p->syncing, MYSQL_RESULTS);
	uint64_t id;
	if (!mysql_collation_is_number(want, &id))
		return want ? varset_set(vars, MYSQL_RESULTS, want->s, want->len) : varset_unset(vars, MYSQL_RESULTS);
	const struct istr *name = varset_find(*vars, MYSQL_COLLATION);
	learn_collation(p, id);
	return p->has_own_collation || !name ? varset_unset(vars, MYSQL_RESULTS)
					     : varset_set(vars, MYSQL_RESULTS, name->s, name->len);
}

/* What was set and not told of is what it was set to. */
static bool settle(struct mysql_server *p)
{
	struct server *sv = &p->sv;
	const struct varset *want = p->syncing;
	uint64_t id;
	for (uint32_t i = 0; i < want->count; i++) {
		const struct var *v = &want->at[i];
		if (mysql_is_charset(v->name->s) && mysql_collation_is_number(v->value, &id))
			continue; /* what that is called here has been told */
		if (!tells(p) || !varset_find(sv->vars, v->name->s) || is_schema(v))
			if (!varset_set(&sv->vars, v->name->s, v->value->s, v->value->len))
				return false;
	}
	for (uint32_t i = 0; !tells(p) && i < sv->vars->count;) {
		const char *name = sv->vars->at[i].name->s;
		if (varset_find(want, name))
			i++;
		else if (!varset_unset(&sv->vars, name))
			return false;
	}
	if (!settle_results(p))
		return false;
	varset_put(sv->said);
	sv->said = varset_ref(p->syncing_said);
	/* What it is called here, not by its number. */
	struct session *s = sv->session;
	if (s && s->vars != sv->vars) {
		varset_put(s->vars);
		s->vars = varset_ref(sv->vars);
	}
	return true;
}

static void sync_done(struct mysql_server *p, const struct fault *f)
{
	bool ok = f || settle(p);
	varset_put(p->syncing);
	varset_put(p->syncing_said);
	p->syncing = p->syncing_said = NULL;
	if (!ok)
		mysql_no_memory(&p->sv);
	else if (f)
		server_sync_refused(&p->sv, f, NULL);
	else
		server_synced(&p->sv);
}

void mysql_own_done(struct mysql_server *p)
{
	struct server *sv = &p->sv;
	struct fault *failed = p->own_fault, f;
	enum mysql_own what = (enum mysql_own)p->own;
	bool sets_up = p->sets_up;

	p->own = MYSQL_OWN_NOTHING;
	p->sets_up = false;
	p->own_fault = NULL;
	if (failed) {
		f = *failed;
		free(failed);
	} else if (p->status & MYSQL_STATUS_IN_TRANS) {
		failed = &f;
		fault_set(&f, FAULT_INTERNAL, "the statement left a transaction open");
	}
	if (sets_up && !failed &&
	    !varset_set(&sv->vars, MYSQL_RESULTS, MYSQL_HOUSE_NAME, sizeof MYSQL_HOUSE_NAME - 1)) {
		mysql_no_memory(sv);
		return;
	}
	if (sv->state == SERVER_DRAIN) {
		server_drained(sv);
		return;
	}
	switch (what) {
	case MYSQL_OWN_SETUP:
		mysql_engine_set_up(p, failed ? &f : NULL);
		break;
	case MYSQL_OWN_RUN:
		server_done_own(sv, failed ? &f : NULL);
		break;
	case MYSQL_OWN_SYNC:
		sync_done(p, failed ? &f : NULL);
		break;
	case MYSQL_OWN_ASK:
		ask_answered(sv, failed ? &f : NULL);
		break;
	case MYSQL_OWN_NOTHING:
		break;
	}
}
