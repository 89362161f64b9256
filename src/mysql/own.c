/* own.c - what the house itself asks of a server: its settings when it is logged in, those of the client it is lent to,
 * cleaning, checks and questions. MySQL Reference Manual: Server Tracking of Client Session State, SET; MySQL Source
 * Code Documentation: COM_RESET_CONNECTION, COM_INIT_DB, COM_PING. */
#include "mysql/mysql_int.h"

#include "core/assert.h"
#include "core/str.h"
#include "pool/ask.h"

#include <ctype.h>
#include <stdlib.h>

/* A server tells of changes as they come. Those that clients often make are told once at the beginning, so that it is
 * known what to go back to. */
#define TELL_ALL                                                                                                       \
	"SET autocommit=@@autocommit, character_set_client=@@character_set_client, "                                   \
	"character_set_connection=@@character_set_connection, character_set_results=@@character_set_results, "         \
	"collation_connection=@@collation_connection, sql_mode=@@sql_mode, time_zone=@@time_zone"

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

/* All is sent: what is the last of it ends it. */
static void begin(struct mysql_server *p, enum mysql_own what, bool ok)
{
	ASSERT(p->own == MYSQL_OWN_NOTHING);
	p->own = (uint8_t)what;
	if (!ok) {
		mysql_no_memory(&p->sv);
		return;
	}
	mysql_expect_at(&p->expect, p->expect.count - 1u)->flags |= MYSQL_EXPECT_LAST;
}

static bool send_set_up(struct mysql_server *p)
{
	return send_query(p, mysql_track_setup(p->is_mariadb)) && send_query(p, TELL_ALL);
}

void mysql_own_set_up(struct mysql_server *p)
{
	if (p->caps & MYSQL_CAP_SESSION_TRACK)
		begin(p, MYSQL_OWN_SETUP, send_set_up(p));
	else
		mysql_engine_set_up(p, NULL);
}

bool mysql_own_ping(struct mysql_server *p)
{
	return send_command(p, MYSQL_COM_PING, NULL, 0);
}

void mysql_own_run(struct server *sv, const char *sql)
{
	struct mysql_server *p = mysql_server_of(sv);
	begin(p, MYSQL_OWN_RUN, *sql ? send_query(p, sql) : mysql_own_ping(p));
}

/* Settings are back at what the server has for all, the one with which it tells of them too. */
void mysql_own_reset(struct server *sv)
{
	struct mysql_server *p = mysql_server_of(sv);
	const struct istr *schema = varset_find(sv->vars, MYSQL_SCHEMA);
	const struct varset *none = varset_empty(), *said = varset_empty();

	if (!(p->caps & MYSQL_CAP_SESSION_TRACK)) { /* of before 5.7.4 or 10.2: it knows no such command */
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
	begin(p, MYSQL_OWN_RUN, send_command(p, MYSQL_COM_RESET_CONNECTION, NULL, 0) && send_set_up(p));
}

/* --- Bringing settings to what they should be */

/* A number is no text: there is no setting that takes either. */
static bool is_number(const char *s)
{
	size_t n = strspn(s, "0123456789");
	if (n && s[n] == '.')
		n += 1 + strspn(s + n + 1, "0123456789");
	return n && !s[n];
}

/* In whatever character set the server reads it, and whatever sql_mode says of backslashes: a text that might be
 * misread is written in hex. */
static void add_value(struct sb *b, const char *s)
{
	size_t len = strlen(s);
	if (is_number(s)) {
		sb_add(b, s);
		return;
	}
	for (size_t i = 0; i < len; i++)
		if (s[i] == '\'' || s[i] == '\\' || s[i] < 0x20 || s[i] > 0x7e) {
			sb_add(b, "0x");
			for (size_t k = 0; k < len; k++)
				sb_addf(b, "%02x", (unsigned)(uint8_t)s[k]);
			return;
		}
	sb_addf(b, "'%s'", s);
}

static void begin_set(struct sb *b, const char *name)
{
	sb_add(b, b->len ? "," : "SET ");
	sb_addf(b, "`%s`=", name);
}

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

#define SET_OF       "character_set_connection"
#define COLLATION_OF "collation_connection"

/* A character set has a collation of its own, and takes away the one that is set: they are set together. */
static bool sets_charset(const struct varset *has, const struct varset *want)
{
	const struct istr *set = varset_find(want, SET_OF), *collation = varset_find(want, COLLATION_OF);
	return set && (varset_find(has, SET_OF) != set || varset_find(has, COLLATION_OF) != collation);
}

static void add_sets(struct sb *b, const struct varset *has, const struct varset *want)
{
	bool charset = sets_charset(has, want);
	for (uint32_t i = 0; i < has->count; i++) {
		const struct var *v = &has->at[i];
		if (is_schema(v) || varset_find(want, v->name->s) || !is_name(v->name->s))
			continue;
		if (charset && strcmp(v->name->s, COLLATION_OF) == 0)
			continue;
		begin_set(b, v->name->s);
		sb_add(b, "DEFAULT");
	}
	for (uint32_t i = 0; i < want->count; i++) {
		const struct var *v = &want->at[i];
		bool both = charset && (strcmp(v->name->s, SET_OF) == 0 || strcmp(v->name->s, COLLATION_OF) == 0);
		if (is_schema(v) || (varset_find(has, v->name->s) == v->value && !both) || !is_name(v->name->s))
			continue;
		begin_set(b, v->name->s);
		if (v->value->len == 0 && strcmp(v->name->s, "character_set_results") == 0)
			sb_add(b, "NULL");
		else
			add_value(b, v->value->s);
	}
}

void mysql_own_sync(struct server *sv, const struct varset *want, const struct varset *said)
{
	struct mysql_server *p = mysql_server_of(sv);
	const struct istr *schema = varset_find(want, MYSQL_SCHEMA);
	struct sb sql = { .max = 1u << 16 };
	bool ok = true, any = false;

	add_sets(&sql, sv->vars, want);
	if (said != sv->said)
		add_sets(&sql, sv->said, said);
	if (schema && schema->len && varset_find(sv->vars, MYSQL_SCHEMA) != schema) {
		ok = send_command(p, MYSQL_COM_INIT_DB, schema->s, schema->len);
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
		begin_set(&sql, mysql_meaning_names[i]);
		add_value(&sql, to[i]);
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
	if (p->sv.ask) /* else who asked has gone, and the rest is swallowed */
		p->sv.ask->row(p->sv.ask, cells, n < ASK_COLUMNS_MAX ? n : ASK_COLUMNS_MAX);
	return true;
}

/* --- Collations */

#define COLLATIONS_MAX 8u /* that are remembered of a database; more are set by number each time */

struct notes {
	unsigned n;
	struct mysql_collation at[COLLATIONS_MAX];
};

const struct mysql_collation *mysql_collation_find(const struct database *db, uint8_t id)
{
	const struct notes *k = db->notes;
	for (unsigned i = 0; k && i < k->n; i++)
		if (k->at[i].id == id)
			return &k->at[i];
	return NULL;
}

/* One was set by its number, and the server has said what it is called: the next client that says the number has the
 * settings that servers have. */
static void learn_collation(struct database *db, const struct varset *want, const struct varset *got)
{
	static const char collation[] = "collation_connection", charset[] = "character_set_client";
	const struct istr *number = varset_find(want, collation), *name = varset_find(got, collation);
	const struct istr *set = varset_find(got, charset);
	uint64_t id;
	if (!number || !name || !set || !str_to_u64(number->s, 255, &id) || is_number(name->s) || is_number(set->s))
		return;
	if (mysql_collation_find(db, (uint8_t)id))
		return;
	struct notes *k = db->notes;
	if (!k)
		k = db->notes = calloc(1, sizeof *k);
	if (!k || k->n == COLLATIONS_MAX)
		return;
	struct mysql_collation *c = &k->at[k->n];
	if (str_copy(c->set, sizeof c->set, set->s) && str_copy(c->name, sizeof c->name, name->s)) {
		c->id = (uint8_t)id;
		k->n++;
	}
}

/* --- Answers */

void mysql_own_error(struct mysql_server *p, const struct mysql_err *e)
{
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

/* What was set and not told of is what it was set to. */
static bool settle(struct mysql_server *p)
{
	struct server *sv = &p->sv;
	const struct varset *want = p->syncing;
	for (uint32_t i = 0; i < want->count; i++) {
		const struct var *v = &want->at[i];
		if (!(p->caps & MYSQL_CAP_SESSION_TRACK) || !varset_find(sv->vars, v->name->s) || is_schema(v))
			if (!varset_set(&sv->vars, v->name->s, v->value->s, v->value->len))
				return false;
	}
	for (uint32_t i = 0; !(p->caps & MYSQL_CAP_SESSION_TRACK) && i < sv->vars->count;) {
		const char *name = sv->vars->at[i].name->s;
		if (varset_find(want, name))
			i++;
		else if (!varset_unset(&sv->vars, name))
			return false;
	}
	learn_collation(sv->pool->db, want, sv->vars);
	varset_put(sv->said);
	sv->said = varset_ref(p->syncing_said);
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

	p->own = MYSQL_OWN_NOTHING;
	p->own_fault = NULL;
	if (failed) {
		f = *failed;
		free(failed);
	} else if (p->status & MYSQL_STATUS_IN_TRANS) {
		failed = &f;
		fault_set(&f, FAULT_INTERNAL, "the statement left a transaction open");
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
