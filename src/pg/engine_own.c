/* engine_own.c - what the house itself asks of a server: the settings of the client that it is lent to, statements of
 * its pool's, questions. PostgreSQL docs: SET, set_config(); Message Flow: Simple Query, Extended Query. */
#include "pg/engine_int.h"

#include "core/assert.h"
#include "core/str.h"
#include "pool/ask.h"

#include <stdlib.h>
#include <strings.h>

#define SYNC_MAX (4u << 20) /* bytes of the Query that sets what a client has set */

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

void pg_own_sync(struct server *sv, const struct varset *want, const struct varset *said)
{
	struct pg_server *p = pg_server_of(sv);
	struct pg_replay y = { .sql = { .max = SYNC_MAX } };

	pg_replay(&y, sv->vars, sv->said, want, said);
	p->syncing = varset_ref(said);
	p->synced = 0;
	if (y.sql.bad)
		pg_server_no_memory(sv);
	else
		begin_own(p, OWN_SYNC, sb_str(&y.sql));
	sb_free(&y.sql);
}

/* Is there something wrong with what was to be set, or with who is to set it? Else it is the server that is out of
 * order. */
static bool is_about_setting(const struct fault *f)
{
	static const char *const classes[] = { "0A", "0L", "0P", "22", "25", "28", "2B", "42", "55" };
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (strncmp(f->sqlstate, classes[i], 2) == 0)
			return true;
	return false;
}

/* Nothing of it was done: it is one transaction. */
static void sync_failed(struct pg_server *p, const struct varset *said, struct fault *f)
{
	struct server *sv = &p->sv;
	struct pg_replay y = { .sql = { .max = SYNC_MAX }, .nth = p->synced };

	pg_replay(&y, sv->vars, sv->said, sv->session->vars, said);
	sb_free(&y.sql);
	if (p->synced < y.taking_back) {
		sv->is_spoilt = true;
		fault_add(f, "parameter \"%s\", which another client has set, cannot be taken back", y.name);
		server_fail(sv, f);
	} else if (!y.name || !is_about_setting(f)) {
		server_fail(sv, f); /* another one may do */
	} else {
		bool is_identity = pg_is_identity(y.name);
		fault_add(f, "parameter \"%s\" cannot be set on another server connection", y.name);
		if (is_identity)
			fault_hint(f, "Nothing is run for this client before it says RESET ROLE, RESET SESSION "
				      "AUTHORIZATION or DISCARD ALL.");
		else
			fault_hint(f, "The statement was not run. The parameter has its default from now on.");
		server_sync_refused(sv, f, is_identity ? NULL : y.name);
	}
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
	} else if (what == OWN_SYNC && sv->session) {
		sync_failed(p, said, &f);
		varset_put(said);
		return;
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
	server_synced(sv);
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
