/* engine_own.c - what the house itself asks of a server: the settings of the client that it is lent to, statements of
 * its pool's, questions. PostgreSQL docs: SET, set_config(); Message Flow: Simple Query, Extended Query. */
#include "pg/engine_int.h"

#include "core/assert.h"
#include "core/str.h"
#include "pool/ask.h"

#include <stdlib.h>
#include <strings.h>

/* --- Tracked settings */

/* Reported, but nobody can set them. */
static const char *const fixed[] = { "server_version",        "server_encoding",   "is_superuser",
				     "session_authorization", "integer_datetimes", "in_hot_standby" };

bool pg_is_fixed(const char *name)
{
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		if (strcasecmp(name, fixed[i]) == 0)
			return true;
	return false;
}

static const char *const always_tracked[] = { "client_encoding",  "DateStyle",
					      "TimeZone",         "standard_conforming_strings",
					      "application_name", "IntervalStyle" };

bool pg_is_tracked(const char *name)
{
	for (size_t i = 0; i < sizeof always_tracked / sizeof always_tracked[0]; i++)
		if (strcasecmp(name, always_tracked[i]) == 0)
			return true;
	return config_list_has(config_now(), SET_track_extra_parameters, name);
}

/* --- Asking */

static bool send_query(struct pg_server *p, const char *sql)
{
	size_t len = strlen(sql) + 1;
	uint8_t *room = stream_put_room(&p->sv.stream, PG_HEADER + len);
	if (!room)
		return false; /* the stream tells of it */
	struct pg_out o = pg_out(room, PG_HEADER + len);
	pg_begin(&o, PG_QUERY);
	pg_put_cstr(&o, sql);
	pg_end(&o);
	pg_cache_unnamed(&p->cache, NULL);
	return expect_sent(&p->expect, &(struct expect_entry){ .kind = EXPECT_QUERY });
}

static void begin_own(struct pg_server *p, enum own what, const char *sql)
{
	ASSERT(p->own == OWN_NOTHING);
	p->own = (uint8_t)what;
	if (!send_query(p, sql))
		pg_server_no_memory(&p->sv);
}

void pg_own_run(struct server *sv, const char *sql)
{
	begin_own(pg_server_of(sv), OWN_RUN, sql);
}

void pg_listener_run(struct pg_server *p, const char *sql)
{
	begin_own(p, OWN_LISTEN, sql);
}

/* A statement is read in the client_encoding that the server has from the client before: only ASCII means the same in
 * all. */
bool pg_is_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

static void add_quoted(struct sb *b, char quote, const char *s)
{
	sb_add_n(b, &quote, 1);
	for (const char *c = s; *c; c++) {
		if (*c == quote || (*c == '\\' && quote == '\''))
			sb_add_n(b, c, 1);
		sb_add_n(b, c, 1);
	}
	sb_add_n(b, &quote, 1);
}

/* E'' means the same whatever standard_conforming_strings is there. */
void pg_add_set_config_call(struct sb *b, const char *name, const char *value, bool is_local)
{
	sb_add(b, "pg_catalog.set_config(E");
	add_quoted(b, '\'', name);
	sb_add(b, value ? ",E" : ",NULL");
	if (value)
		add_quoted(b, '\'', value);
	sb_add(b, is_local ? ",true)" : ",false)");
}

void pg_add_set_config(struct sb *b, const char *name, const char *value)
{
	sb_add(b, "SELECT ");
	pg_add_set_config_call(b, name, value, false);
	sb_add(b, ";");
}

/* Of a list of names SET would make one name: set_config() takes it as it is kept. */
static void add_set(struct sb *b, const struct var *v, bool is_list)
{
	if (is_list) {
		pg_add_set_config(b, v->name->s, v->value->s);
		return;
	}
	sb_add(b, "SET ");
	add_quoted(b, '"', v->name->s);
	sb_add(b, " TO E");
	add_quoted(b, '\'', v->value->s);
	sb_add(b, ";");
}

static void add_reset(struct sb *b, const struct istr *name)
{
	sb_add(b, "RESET ");
	add_quoted(b, '"', name->s);
	sb_add(b, ";");
}

bool pg_is_identity(const char *name)
{
	return strcasecmp(name, "role") == 0 || strcasecmp(name, "session_authorization") == 0;
}

/* What is set and is not wanted. */
static void add_unwanted(struct sb *b, const struct varset *has, const struct varset *want)
{
	for (uint32_t i = 0; i < has->count; i++)
		if (!pg_is_identity(has->at[i].name->s) && !varset_find(want, has->at[i].name->s))
			add_reset(b, has->at[i].name);
}

static bool same_identity(const struct varset *a, const struct varset *b)
{
	return varset_find(a, "role") == varset_find(b, "role") &&
	       varset_find(a, "session_authorization") == varset_find(b, "session_authorization");
}

/* A dotted name is written in parts by SET; set_config() takes it whole. only: NULL, all but who the client is. */
static void add_wanted(struct sb *b, const struct varset *has, const struct varset *want, const char *only)
{
	for (uint32_t i = 0; i < want->count; i++) {
		const struct var *v = &want->at[i];
		bool is_meant = only ? strcasecmp(v->name->s, only) == 0 : !pg_is_identity(v->name->s);
		if (is_meant && varset_find(has, v->name->s) != v->value)
			add_set(b, v, true);
	}
}

static bool cannot_travel(struct server *sv, const struct varset *want, const struct varset *has)
{
	struct fault f;
	for (uint32_t i = 0; i < want->count; i++) {
		const struct var *v = &want->at[i];
		if (varset_find(has, v->name->s) == v->value || (pg_is_plain(v->value->s) && pg_is_plain(v->name->s)))
			continue;
		fault_set(&f, FAULT_UNSUP,
			  "parameter \"%s\" has a value that is not ASCII, which cannot be set again on another server "
			  "connection",
			  v->name->s);
		server_synced(sv, &f);
		return true;
	}
	return false;
}

void pg_own_sync(struct server *sv, const struct varset *want, const struct varset *said)
{
	struct pg_server *p = pg_server_of(sv);
	struct sb sql = { .max = 1u << 20 };

	if (cannot_travel(sv, want, sv->vars) || cannot_travel(sv, said, sv->said))
		return;
	/* First back to who the server logged in as, and may set more; in the end it is who the client is. */
	bool same = same_identity(sv->said, said);
	if (!same)
		sb_add(&sql, "RESET session_authorization;RESET role;");
	add_unwanted(&sql, sv->said, said);
	for (uint32_t i = 0; i < want->count; i++) {
		const struct var *v = &want->at[i];
		if (varset_find(sv->vars, v->name->s) != v->value)
			add_set(&sql, v, strcasecmp(v->name->s, "search_path") == 0);
	}
	add_wanted(&sql, sv->said, said, NULL);
	if (!same) {
		add_wanted(&sql, NULL, said, "session_authorization");
		add_wanted(&sql, NULL, said, "role"); /* which the one before takes away */
	}
	p->syncing = varset_ref(said);
	if (sql.bad)
		pg_server_no_memory(sv);
	else
		begin_own(p, OWN_SYNC, sb_str(&sql));
	sb_free(&sql);
}

/* By the extended protocol, unnamed, all values as text. */
static bool send_ask(struct pg_server *p, const struct ask *a)
{
	static const uint8_t kinds[] = { EXPECT_PARSE, EXPECT_BIND, EXPECT_EXECUTE, EXPECT_SYNC };
	size_t param = strlen(a->param);
	size_t n = 4 * PG_HEADER + 1 + strlen(a->sql) + 1 + 2 + 1 + 1 + 2 + 2 + 4 + param + 2 + 1 + 4;
	uint8_t *room = stream_put_room(&p->sv.stream, n);
	if (!room)
		return false;
	struct pg_out o = pg_out(room, n);
	pg_begin(&o, PG_PARSE);
	pg_put_cstr(&o, "");
	pg_put_cstr(&o, a->sql);
	pg_put_u16(&o, 0); /* its types are the server's to find */
	pg_end(&o);
	pg_begin(&o, PG_BIND);
	pg_put_cstr(&o, "");
	pg_put_cstr(&o, "");
	pg_put_u16(&o, 0);
	pg_put_u16(&o, 1);
	pg_put_u32(&o, (uint32_t)param);
	pg_put(&o, a->param, param);
	pg_put_u16(&o, 0);
	pg_end(&o);
	pg_begin(&o, PG_EXECUTE);
	pg_put_cstr(&o, "");
	pg_put_u32(&o, 0);
	pg_end(&o);
	pg_begin(&o, PG_SYNC);
	pg_end(&o);
	ASSERT(!o.bad && o.len == n);
	pg_cache_unnamed(&p->cache, NULL);
	for (size_t i = 0; i < sizeof kinds; i++)
		if (!expect_sent(&p->expect, &(struct expect_entry){ .kind = kinds[i] }))
			return false;
	return true;
}

void pg_own_ask(struct server *sv)
{
	struct pg_server *p = pg_server_of(sv);
	ASSERT(p->own == OWN_NOTHING);
	p->own = OWN_ASK;
	if (!send_ask(p, sv->ask))
		pg_server_no_memory(sv);
}

/* A DataRow. False: it is none. */
bool pg_own_row(struct pg_server *p, struct rd body)
{
	struct cell cells[ASK_COLUMNS_MAX];
	uint16_t n = rd_u16be(&body);
	for (uint16_t i = 0; i < n && !body.bad; i++) {
		uint32_t len = rd_u32be(&body);
		bool is_null = len == 0xffffffffu;
		const uint8_t *at = rd_take(&body, is_null ? 0 : len);
		if (i < ASK_COLUMNS_MAX)
			cells[i] = (struct cell){ is_null, { (const char *)at, is_null ? 0 : len } };
	}
	if (!rd_done(&body)) {
		pg_server_broken(&p->sv, "malformed DataRow");
		return false;
	}
	if (p->sv.ask) /* else who asked has gone, and the rest is swallowed */
		p->sv.ask->row(p->sv.ask, cells, n < ASK_COLUMNS_MAX ? n : ASK_COLUMNS_MAX);
	return true;
}

void pg_own_done(struct pg_server *p)
{
	struct server *sv = &p->sv;
	struct fault *failed = p->own_fault, f;
	enum own what = (enum own)p->own;

	p->own = OWN_NOTHING;
	p->own_fault = NULL;
	const struct varset *said = p->syncing;
	p->syncing = NULL;
	if (failed) {
		f = *failed;
		free(failed);
	} else if (p->txn != 'I') {
		failed = &f;
		fault_set(&f, FAULT_INTERNAL, "the statement left a transaction open");
	}
	if (what == OWN_SYNC && !failed) {
		varset_put(sv->said);
		sv->said = said;
		said = NULL;
	}
	varset_put(said);
	if (sv->state == SERVER_ROLLBACK)
		pg_track_abandoned(p);
	if (sv->state == SERVER_DRAIN) {
		server_drained(sv);
		return;
	}
	if (what == OWN_LISTEN) {
		pg_listener_done(p, failed ? &f : NULL);
		return;
	}
	if (what == OWN_RUN) {
		server_done_own(sv, failed ? &f : NULL);
		return;
	}
	if (what == OWN_ASK) {
		ask_answered(sv, failed ? &f : NULL);
		return;
	}
	if (failed && strncmp(f.sqlstate, "XX", 2) == 0)
		server_fail(sv, &f); /* it is the server that is out of order: another one may do */
	else
		server_synced(sv, failed ? &f : NULL);
}

void pg_own_error(struct pg_server *p, struct rd body)
{
	struct pg_error e;
	if (p->own_fault)
		return;
	p->own_fault = calloc(1, sizeof *p->own_fault);
	if (!p->own_fault) {
		pg_server_no_memory(&p->sv);
		return;
	}
	if (!pg_parse_error(body, &e)) {
		fault_set(p->own_fault, FAULT_INTERNAL, "the server's error could not be read");
		return;
	}
	fault_set(p->own_fault, FAULT_INTERNAL, "%s", e.message);
	fault_sqlstate(p->own_fault, e.sqlstate);
}
