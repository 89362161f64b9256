/* engine.c - servers that speak PostgreSQL: their login, what they answer, and passing it on. PostgreSQL docs,
 * Frontend/Backend Protocol, Message Flow. */
#include "pg/pg_int.h"

#include "core/assert.h"
#include "core/slab.h"
#include "core/str.h"
#include "net/tls.h"
#include "pg/login.h"
#include "pg/pg.h"
#include "pool/ask.h"

#include <stdlib.h>
#include <strings.h>

#define HELD_MAX                                                                                                       \
	30000u /* bytes of a message that must be understood whole; those of errors and parameters are far smaller */
#define NOTIFICATION_MAX                                                                                               \
	40000u /* a channel's name, and a payload of less than 8,000 bytes, of which another encoding may make more */
#define BODY_MAX 0x7ffffff0u
#define DRAIN_MAX                                                                                                      \
	(64u << 20) /* bytes that are swallowed for a client that has left, until its cancel request counts            \
		     */

struct pg_engine_state {
	struct pg_engine_login auth;
	struct scram_binding binding;
	bool auth_done;
	const struct varset *welcome; /* counted */
	const struct varset *vars;    /* counted */
};

static struct slab slab;

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

/* --- Making and ending */

static void resume(struct task *t)
{
	struct pg_server *p = list_owner(t, struct pg_server, resume_task);
	stream_unhold(&p->sv.stream, HOLD_OWNER);
	stream_redeliver(&p->sv.stream);
}

void pg_server_resume(struct pg_server *p)
{
	loop_defer(&p->resume_task);
}

static struct server *make(void)
{
	struct pg_server *p = slab_get(&slab);
	if (!p)
		return NULL;
	p->resume_task.run = resume;
	expect_init(&p->expect);
	p->expect.gone = pg_statement_gone;
	pg_cache_init(&p->cache);
	p->txn = 'I';
	return &p->sv;
}

static void end_login(struct pg_server *p)
{
	if (!p->login)
		return;
	varset_put(p->login->welcome);
	varset_put(p->login->vars);
	str_wipe(p->login, sizeof *p->login);
	free(p->login);
	p->login = NULL;
}

static void free_server(struct server *sv)
{
	struct pg_server *p = pg_server_of(sv);
	end_login(p);
	loop_undefer(&p->resume_task);
	expect_free(&p->expect);
	pg_script_free(p);
	pg_heal_free(&p->heal);
	pg_cache_free(&p->cache);
	varset_put(p->syncing);
	varset_put(p->said_before);
	free(p->own_fault);
	slab_put(&slab, p);
}

static void no_memory(struct server *sv)
{
	struct fault f;
	fault_set(&f, FAULT_NOMEM, "no memory for a server connection");
	server_fail(sv, &f);
}

static void broken(struct server *sv, const char *what)
{
	struct fault f;
	fault_set(&f, FAULT_PROTO, "server broke the protocol: %s", what);
	server_fail(sv, &f);
}

/* --- Login */

_Static_assert(sizeof((struct scram_binding *)0)->data >= TLS_END_POINT_MAX, "a hash of any kind fits");

const struct scram_binding *pg_binding(const struct stream *st, struct scram_binding *out)
{
	return tls_server_end_point(st->tls, out->data, &out->len) ? out : NULL;
}

static void put_param(struct pg_out *o, const char *name, const char *value)
{
	if (!value[0])
		return;
	pg_put_cstr(o, name);
	pg_put_cstr(o, value);
}

/* What the entry of the database sets, unless the client that it is for says otherwise. */
static void put_default(struct pg_out *o, const struct session *s, const char *name, const char *value)
{
	if (!s || !varset_find(s->vars, name))
		put_param(o, name, value);
}

/* A server for replication cannot be told anything later: what its client asked for is said at once. */
static void put_replication(struct pg_out *o, const struct session *s)
{
	put_param(o, "replication", s->replication == REPLICATION_LOGICAL ? "database" : "true");
	for (uint32_t i = 0; i < s->vars->count; i++) {
		pg_put_cstr(o, s->vars->at[i].name->s);
		pg_put_cstr(o, s->vars->at[i].value->s);
	}
}

static void start(struct server *sv)
{
	struct pg_server *p = pg_server_of(sv);
	const struct db_conf *c = sv->pool->db->conf;
	const struct session *s = sv->is_own ? sv->session : NULL;
	uint8_t bytes[PG_STARTUP_MAX];
	struct pg_out o = pg_out(bytes, sizeof bytes);

	end_login(p); /* of an attempt that was given up */
	p->login = calloc(1, sizeof *p->login);
	if (!p->login || !(p->login->welcome = varset_empty()) || !(p->login->vars = varset_empty())) {
		no_memory(sv);
		return;
	}
	struct secret *secret = secret_for_servers(pool_secret(sv->pool));
	sv->secret_used = secret;
	pg_engine_login_begin(&p->login->auth, sv->pool->user->name->s, secret,
			      pg_binding(&sv->stream, &p->login->binding));
	p->version = p->is_old || sv->host->is_old ? PG_VERSION_3_0 : PG_VERSION_3_2;
	pg_begin(&o, 0);
	pg_put_u32(&o, p->version);
	put_param(&o, "user", sv->pool->user->name->s);
	put_param(&o, "database", database_remote_name(sv->pool->db));
	if (s)
		put_replication(&o, s);
	put_default(&o, s, "client_encoding", c->client_encoding);
	put_default(&o, s, "datestyle", c->datestyle);
	put_default(&o, s, "timezone", c->timezone);
	put_default(&o, s, "application_name", c->application_name);
	pg_put_u8(&o, 0);
	pg_end(&o);
	if (o.bad) {
		broken(sv, "the start-up packet would be too long");
		return;
	}
	stream_put_copy(&sv->stream, o.p, o.len);
}

/* Servers of before 2017, and things that call themselves servers, refuse any version but 3.0, or close at once,
 * instead of saying what they speak. */
static bool start_otherwise(struct server *sv, const struct fault *f)
{
	struct pg_server *p = pg_server_of(sv);
	bool is_about_us = strncmp(f->sqlstate, "08", 2) == 0 || strncmp(f->sqlstate, "0A", 2) == 0;
	if (p->version != PG_VERSION_3_2 || !is_about_us)
		return false;
	p->is_old = true;
	return true;
}

/* It speaks another version than it was asked for. */
static bool negotiated(struct pg_server *p, struct rd body)
{
	uint32_t unknown;
	if (pg_parse_negotiate(body, p->version, &p->version, &unknown) && unknown == 0) /* there was none to know */
		return true;
	broken(&p->sv, "malformed NegotiateProtocolVersion");
	return false;
}

static bool note_key(struct pg_server *p, struct rd body)
{
	struct rd key;
	if (!pg_parse_key(body, &p->sv.pid, &key)) {
		broken(&p->sv, "malformed BackendKeyData");
		return false;
	}
	p->key_len = (uint16_t)rd_left(&key);
	memcpy(p->key, key.p, p->key_len);
	return true;
}

static void server_said_no(struct server *sv, struct rd body)
{
	struct pg_error e;
	struct fault f;
	if (!pg_parse_error(body, &e)) {
		broken(sv, "malformed error message");
		return;
	}
	fault_set(&f, FAULT_CONNECT, "%s", e.message);
	fault_sqlstate(&f, e.sqlstate);
	server_fail(sv, &f);
}

static bool login_auth(struct server *sv, const struct pg_msg *m)
{
	struct pg_server *p = pg_server_of(sv);
	uint8_t out[PG_LOGIN_OUT_MAX];
	size_t n = 0;
	struct fault f;

	switch (pg_engine_login_step(&p->login->auth, m->type, m->body, out, &n, &f)) {
	case PG_LOGIN_MORE:
		stream_put_copy(&sv->stream, out, n);
		str_wipe(out, sizeof out);
		return true;
	case PG_LOGIN_OK:
		p->login->auth_done = true;
		return true;
	case PG_LOGIN_ASK: /* a door's */
	case PG_LOGIN_FAIL:
		break;
	}
	fault_add(&f, "cannot log in to the server as \"%s\"", sv->pool->user->name->s);
	server_fail(sv, &f);
	return false;
}

static bool note_parameter(struct pg_server *p, struct rd body)
{
	size_t len;
	const char *name = rd_cstr(&body, NULL);
	const char *value = rd_cstr(&body, &len);
	if (!rd_done(&body)) {
		broken(&p->sv, "malformed ParameterStatus");
		return false;
	}
	const struct varset **vars = p->login ? &p->login->vars : &p->sv.vars;
	if (p->login && !varset_set(&p->login->welcome, name, value, len)) {
		no_memory(&p->sv);
		return false;
	}
	if (!pg_is_fixed(name) && !varset_set(vars, name, value, len)) {
		no_memory(&p->sv);
		return false;
	}
	return true;
}

/* One message of the login; false when the server is closed, or has logged in. */
static bool login_message(struct server *sv, const struct pg_msg *m)
{
	struct pg_server *p = pg_server_of(sv);
	struct rd body = m->body;

	if (!p->login->auth_done && m->type != PG_AUTHENTICATION && m->type != PG_ERROR && m->type != PG_NOTICE &&
	    m->type != PG_NEGOTIATE) {
		broken(sv, "data before authentication");
		return false;
	}
	switch (m->type) {
	case PG_AUTHENTICATION:
		sv->greeted = true;
		return login_auth(sv, m);
	case PG_ERROR:
		server_said_no(sv, body);
		return false;
	case PG_PARAMETER_STATUS:
		return note_parameter(p, body);
	case PG_BACKEND_KEY_DATA:
		return note_key(p, body);
	case PG_NEGOTIATE:
		return negotiated(p, body);
	case PG_NOTICE:
	case PG_NOTIFICATION:
		return true;
	case PG_READY: {
		p->txn = rd_u8(&body);
		if (!rd_done(&body) || p->txn != 'I') {
			broken(sv, "malformed ReadyForQuery at login");
			return false;
		}
		const struct varset *vars = varset_ref(p->login->vars), *welcome = varset_ref(p->login->welcome);
		end_login(p);
		sv->host->is_old |= p->is_old;
		server_logged_in(sv, vars, welcome);
		return false;
	}
	default:
		broken(sv, "unexpected message during login");
		return false;
	}
}

/* --- The house's own statements */

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
		no_memory(&p->sv);
}

static void run(struct server *sv, const char *sql)
{
	begin_own(pg_server_of(sv), OWN_RUN, sql);
}

void pg_listener_run(struct pg_server *p, const char *sql)
{
	begin_own(p, OWN_LISTEN, sql);
}

/* A statement is read in the client_encoding that the server has from the client before: only ASCII means the same in
 * all. */
static bool is_ascii(const char *s)
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
void pg_add_set_config(struct sb *b, const char *name, const char *value)
{
	sb_add(b, "SELECT pg_catalog.set_config(E");
	add_quoted(b, '\'', name);
	sb_add(b, ",E");
	add_quoted(b, '\'', value);
	sb_add(b, ",false);");
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
		if (varset_find(has, v->name->s) == v->value || (is_ascii(v->value->s) && is_ascii(v->name->s)))
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

static void sync_vars(struct server *sv, const struct varset *want, const struct varset *said)
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
		no_memory(sv);
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

static void ask(struct server *sv)
{
	struct pg_server *p = pg_server_of(sv);
	ASSERT(p->own == OWN_NOTHING);
	p->own = OWN_ASK;
	if (!send_ask(p, sv->ask))
		no_memory(sv);
}

/* A DataRow. False: it is none. */
static bool own_row(struct pg_server *p, struct rd body)
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
		broken(&p->sv, "malformed DataRow");
		return false;
	}
	p->sv.ask->row(p->sv.ask, cells, n < ASK_COLUMNS_MAX ? n : ASK_COLUMNS_MAX);
	return true;
}

static void own_done(struct pg_server *p)
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

static void own_error(struct pg_server *p, struct rd body)
{
	struct pg_error e;
	if (p->own_fault)
		return;
	p->own_fault = calloc(1, sizeof *p->own_fault);
	if (!p->own_fault) {
		no_memory(&p->sv);
		return;
	}
	if (!pg_parse_error(body, &e)) {
		fault_set(p->own_fault, FAULT_INTERNAL, "the server's error could not be read");
		return;
	}
	fault_set(p->own_fault, FAULT_INTERNAL, "%s", e.message);
	fault_sqlstate(p->own_fault, e.sqlstate);
}

/* --- Messages that must be understood */

/* A client that is not read from because the server owed it too much is read from again. */
static void check_full(const struct pg_server *p, struct session *s)
{
	struct pg_client *c = pg_client_of(s);
	if ((c->full && p->expect.count < EXPECT_MAX / 2) || c->waits)
		pg_client_unfull(c);
}

/* ReadyForQuery. False: the server is not there any more, or is nobody's. */
static bool ready(struct pg_server *p, uint8_t txn)
{
	struct server *sv = &p->sv;
	struct session *s = sv->session;

	if (txn != 'I' && txn != 'T' && txn != 'E') {
		broken(sv, "ReadyForQuery with an unknown status");
		return false;
	}
	p->txn = txn;
	bool ours = expect_ready(&p->expect);
	if (p->own) {
		if (expect_is_empty(&p->expect))
			own_done(p);
		return true;
	}
	if (!s && sv->state == SERVER_DRAIN) {
		if (txn == 'I')
			pg_track_abandoned(p);
		if (expect_is_empty(&p->expect))
			server_drained(sv);
		return true;
	}
	if (!s) {
		broken(sv, "ReadyForQuery that nobody asked for");
		return false;
	}
	if (ours)
		session_request_ends(s, txn != 'I');
	check_full(p, s);
	/* What was sent late may still be on its way: the door looks again when it has left. */
	if (expect_is_empty(&p->expect) && pg_client_of(s)->in_left == 0 && !stream_is_stalled(&sv->stream)) {
		if (txn == 'I' && pg_client_of(s)->listens)
			pg_listen_rest(pg_client_of(s));
		session_boundary(s, txn != 'I');
	}
	return true;
}

static bool at_rest(const struct server *sv);

/* Ends what needs the client that has left: a copy, and a batch without its Sync. */
static enum engine_left abandon(struct server *sv)
{
	static const char why[] = "the client has left";
	struct pg_server *p = pg_server_of(sv);
	uint8_t bytes[64];
	struct pg_out o = pg_out(bytes, sizeof bytes);
	bool copies = p->expect.copying_in;

	if (sv->stream.failed || p->expect.unsure)
		return ENGINE_BROKEN;
	if (at_rest(sv))
		return ENGINE_REST;
	if (p->said_before || expect_has(&p->expect, EXPECT_CHANGES)) {
		sv->was_session = true; /* what it leaves behind is not followed any more: it is cleaned */
		sv->tidy = PG_UNLISTEN;
	}
	if (copies) {
		pg_begin(&o, PG_COPY_FAIL);
		pg_put(&o, why, sizeof why);
		pg_end(&o);
		if (!expect_sent(&p->expect, &(struct expect_entry){ .kind = EXPECT_COPY_END }))
			return ENGINE_BROKEN;
	}
	if (!p->own && expect_needs_sync(&p->expect)) {
		if (!copies) { /* the Sync alone would commit what ran in the batch; a copy that fails undoes it */
			pg_begin(&o, PG_QUERY);
			pg_put_cstr(&o, "ROLLBACK");
			pg_end(&o);
			pg_cache_unnamed(&p->cache, NULL);
			if (!expect_sent(&p->expect, &(struct expect_entry){ .kind = EXPECT_QUERY }))
				return ENGINE_BROKEN;
		}
		pg_begin(&o, PG_SYNC);
		pg_end(&o);
		p->cache.batch++;
		if (!expect_sent(&p->expect, &(struct expect_entry){ .kind = EXPECT_SYNC }))
			return ENGINE_BROKEN;
	}
	stream_put_copy(&sv->stream, o.p, o.len);
	if (p->own || p->left || !expect_is_empty(&p->expect))
		return ENGINE_OWES;
	return p->txn == 'I' ? ENGINE_BROKEN : ENGINE_OPEN;
}

/* What it says needs an answer from the client that has left. False: it is closed. */
static bool drain_on(struct server *sv)
{
	if (abandon(sv) != ENGINE_BROKEN)
		return true;
	server_close(sv, "what its client left cannot be ended", NULL);
	return false;
}

/* The connection ends behind it. */
static bool is_last_word(const struct pg_error *e)
{
	return strcmp(e->severity, "FATAL") == 0 || strcmp(e->severity, "PANIC") == 0;
}

/* For a client that stays it is an error as others. */
static void last_word(struct server *sv, const struct pg_error *e)
{
	struct fault f;
	fault_set(&f, FAULT_IO, "%s", e->message);
	fault_sqlstate(&f, e->sqlstate);
	fault_hint(&f, "%s", e->hint);
	server_fail(sv, &f);
}

/* A statement that a timeout has cancelled fails for that, not at anybody's request. */
static bool tell_late(struct session *s, const struct pg_error *e)
{
	struct fault f;
	if (strcmp(e->sqlstate, "57014") != 0 || !session_is_late(s, &f))
		return false;
	pg_tell(s, &f, false);
	return true;
}

/* Its table has changed since it was parsed ("cached plan must not change result type", or a name or a type that does
 * not fit any more), or it is not there any more. Its client may parse it anew, and must not be told that this was done
 * long ago; and a later client did nothing wrong. */
static bool casts_doubt(const struct pg_error *e)
{
	return strncmp(e->sqlstate, "42", 2) == 0 || strcmp(e->sqlstate, "0A000") == 0 ||
	       strcmp(e->sqlstate, "26000") == 0;
}

/* What was sent so that it fails has failed so, and not by a timeout or a cancel request. */
static bool is_the_failure(const struct expect_entry *x, const struct pg_error *e)
{
	return strcmp(e->sqlstate, x->kind == EXPECT_QUERY ? "42601" : "26000") == 0;
}

/* ReadyForQuery, whole. to, at, n and what it gives: as below. */
static bool on_ready(struct pg_server *p, const struct pg_msg *m, struct stream *to, const uint8_t *at, size_t n)
{
	struct server *sv = &p->sv;
	struct session *s = sv->session;
	struct rd body = m->body;

	uint8_t txn = rd_u8(&body);
	if (!rd_done(&body)) {
		broken(sv, "malformed ReadyForQuery");
		return false;
	}
	if (to && txn != 'I' && s->mode == POOL_STATEMENT) { /* instead of the ReadyForQuery */
		struct fault f;
		fault_set(&f, FAULT_PROTO, "transaction blocks not allowed in statement pooling mode");
		server_fail(sv, &f);
		return false;
	}
	if (p->heal.is_under_way && s) {
		p->failed = false;
		(void)expect_ready(&p->expect);
		p->txn = txn;
		pg_heal_say_again(pg_client_of(s), p);
		return stream_is_open(&sv->stream);
	}
	p->heal.is_under_way = p->heal.is_again = false;
	if (to) {
		if (pg_client_of(s)->track)
			pg_track_ready(pg_client_of(s), p, txn, p->failed);
		if (txn == 'I' && pg_client_of(s)->listens)
			pg_listen_flush(pg_client_of(s));
		stream_put_span(to, at, n);
	}
	p->failed = false;
	p->done = 0;
	const struct expect_entry *ends = expect_next(&p->expect);
	if (p->script && ends && ends->flags & EXPECT_SCRIPT)
		pg_script_free(p);
	return ready(p, txn);
}

static bool on_parameter(struct pg_server *p, const struct pg_msg *m, struct stream *to, const uint8_t *at, size_t n)
{
	struct server *sv = &p->sv;
	struct session *s = sv->session;
	struct rd body = m->body;

	if (!note_parameter(p, body))
		return false;
	if (to) {
		stream_put_span(to, at, n);
		if (s->vars != sv->vars) {
			varset_put(s->vars);
			s->vars = varset_ref(sv->vars);
		}
	}
	return true;
}

static bool on_error(struct pg_server *p, const struct pg_msg *m, struct stream *to, const uint8_t *at, size_t n)
{
	struct server *sv = &p->sv;
	struct session *s = sv->session;
	struct rd body = m->body;
	struct pg_error e;

	if (!pg_parse_error(body, &e)) {
		broken(sv, "malformed error message");
		return false;
	}
	if (p->own) {
		own_error(p, body);
	} else if (!s && sv->state == SERVER_DRAIN && !is_last_word(&e)) {
		/* what was cancelled */
	} else if (!s) {
		struct fault f;
		fault_set(&f, FAULT_IO, "server sent while idle: %s", e.message);
		fault_sqlstate(&f, e.sqlstate);
		server_fail(sv, &f);
		return false;
	}
	const struct expect_entry *x = expect_next(&p->expect);
	bool heals = to && !is_last_word(&e) && pg_heal_begin(p, &e);
	if (heals)
		to = NULL;
	if (to) {
		s->pool->stats.v[STAT_error_count]++;
		sv->told = is_last_word(&e);
		if (sv->told && session_is_kept(s)) {
			last_word(sv, &e);
			return false;
		}
		if (x && x->flags & EXPECT_REPLACED && is_the_failure(x, &e))
			stream_put_copy(to, x->text->s, x->text->len);
		else if (!tell_late(s, &e) && !(x && x->flags & EXPECT_USES && pg_tell_renamed(&e, x, m, to)) &&
			 !(x && x->flags & EXPECT_SCRIPT && pg_script_tell(p, &e, body, to)))
			stream_put_span(to, at, n);
	}
	if (x && x->number && !heals && casts_doubt(&e))
		(void)pg_prepared_doubt(&p->cache, x->number);
	if (!heals)
		pg_heal_heard(&p->heal);
	expect_error(&p->expect);
	p->failed = true;
	if (to)
		check_full(p, s);
	if (sv->state == SERVER_DRAIN && !p->own) /* it may skip what follows now, up to a Sync */
		return drain_on(sv);
	return true;
}

/* A message of the types that are looked at, whole. to: where it is passed on, or NULL; at, n: its bytes. False: stop
 * here. */
static bool understood(struct pg_server *p, const struct pg_msg *m, struct stream *to, const uint8_t *at, size_t n)
{
	switch (m->type) {
	case PG_READY:
		return on_ready(p, m, to, at, n);
	case PG_PARAMETER_STATUS:
		return on_parameter(p, m, to, at, n);
	case PG_ERROR:
		return on_error(p, m, to, at, n);
	default:
		return true;
	}
}

static bool must_be_held(uint8_t type)
{
	return type == PG_READY || type == PG_PARAMETER_STATUS || type == PG_ERROR;
}

/* The nth statement of the Query under way, or what was executed, changes its session. */
static bool note_change(struct pg_server *p, const struct expect_entry *x, const char *tag)
{
	const struct istr *text = istr_ref(x->text);
	size_t len = x->kind == EXPECT_QUERY ? text->len : strnlen(text->s, text->len);
	unsigned nth = x->kind == EXPECT_QUERY ? p->done : 0;
	bool ok = pg_track_done(pg_client_of(p->sv.session), p, text->s, len, nth, tag);
	istr_put(text);
	return ok;
}

/* Looks at a CommandComplete where it may matter. False: more has to come first, or the session is closed. */
static bool look_at_tag(struct pg_server *p, const struct rd *in, uint32_t total, struct stream **to)
{
	struct session *s = p->own ? NULL : p->sv.session;
	const struct expect_entry *x = s ? expect_next(&p->expect) : NULL;
	bool is_scripted = p->script && !p->own && (!s || (x && x->flags & EXPECT_SCRIPT));
	bool changes = x && x->flags & EXPECT_CHANGES, in_xact = s && pg_client_of(s)->track;
	struct rd at = *in;
	struct pg_msg m;

	if (!changes && !in_xact && !is_scripted && total != PG_HEADER + sizeof "DEALLOCATE ALL" &&
	    total != PG_HEADER + sizeof "DISCARD ALL")
		return true;
	if (pg_frame(&at, total, &m) != FRAME_OK)
		return false;
	const char *tag = rd_cstr(&m.body, NULL);
	bool discarded = strcmp(tag, "DISCARD ALL") == 0;
	if (discarded || strcmp(tag, "DEALLOCATE ALL") == 0) {
		pg_cache_clear(&p->cache);
		if (s)
			pg_names_clear(pg_client_of(s)->names);
	}
	if (discarded && p->own == OWN_RUN) { /* a reset: nothing is set any more */
		const struct varset *none = varset_empty();
		if (!none) {
			no_memory(&p->sv);
			return false;
		}
		varset_put(p->sv.said);
		p->sv.said = none;
	}
	if (is_scripted) {
		unsigned nth = 0;
		switch (pg_script_step(p, &nth)) {
		case PG_STEP_TOLD:
			p->done = nth;
			break;
		case PG_STEP_OWN:
			*to = NULL;
			return true;
		case PG_STEP_WRONG:
			broken(&p->sv, "more statements are complete than were sent");
			return false;
		case PG_STEP_NO_MEMORY:
			no_memory(&p->sv);
			return false;
		}
	}
	bool is_query = x && x->kind == EXPECT_QUERY;
	if (changes && !note_change(p, x, tag))
		return false;
	if (!changes && in_xact)
		pg_track_tag(pg_client_of(s), p, tag);
	p->done += is_query;
	return true;
}

/* Does it complete the answer to one message of the extended protocol? */
static bool is_reply(uint8_t type)
{
	switch (type) {
	case PG_PARSE_COMPLETE:
	case PG_BIND_COMPLETE:
	case PG_CLOSE_COMPLETE:
	case PG_ROW_DESCRIPTION:
	case PG_NO_DATA:
	case PG_COMMAND_COMPLETE:
	case PG_EMPTY_QUERY:
	case PG_PORTAL_SUSPENDED:
		return true;
	default:
		return false;
	}
}

/* The ReadyForQuery at the cursor, of a client that listens: must it wait until that has heard what its transaction
 * said? */
static bool is_early(struct pg_server *p, const struct rd *in)
{
	struct pg_client *c = pg_client_of(p->sv.session);
	if (rd_left(in) <= PG_HEADER || in->p[PG_HEADER] != 'I' || !c->track || p->heal.is_under_way)
		return false;
	pg_track_ready(c, p, 'I', p->failed); /* a second time it does nothing */
	return pg_listen_holds(c, p);
}

/* A notification for the listener, or one that a client need not hear from its own server. False: more of it has to
 * come first, or the server is gone. */
static bool take_notification(struct pg_server *p, struct rd *in, uint32_t total, bool *hidden)
{
	struct rd at = *in;
	struct pg_msg m;
	if (total > NOTIFICATION_MAX) {
		broken(&p->sv, "a notification that is too long");
		return false;
	}
	if (pg_frame(&at, NOTIFICATION_MAX, &m) != FRAME_OK)
		return false;
	if (p->listener)
		pg_listener_note(p, in->p, total);
	*hidden = p->listener || pg_listen_hides(pg_client_of(p->sv.session), m.body);
	return stream_is_open(&p->sv.stream);
}

/* Passes n bytes that stand at the cursor. */
static void pass(struct rd *in, struct stream *to, size_t n)
{
	const uint8_t *at = rd_take(in, n);
	if (to)
		stream_put_span(to, at, n);
}

static struct stream *client_of(const struct pg_server *p)
{
	return p->sv.session && !p->own ? &p->sv.session->stream : NULL;
}

/* The rest of a message whose header has passed; false when more of it has to come. */
static bool pass_rest(struct pg_server *p, struct rd *in)
{
	size_t n = rd_left(in) < p->left ? rd_left(in) : p->left;
	struct stream *to = p->skip ? NULL : client_of(p);
	pass(in, to, n);
	p->left -= (uint32_t)n;
	if (to)
		pg_client_of(p->sv.session)->out_left = p->left;
	return p->left == 0;
}

/* One message, or the part of it that is there. False: read more, or the server is gone. */
static bool relay_message(struct pg_server *p, struct rd *in)
{
	struct server *sv = &p->sv;
	struct stream *to = client_of(p);
	const uint8_t *at = in->p;
	uint8_t type = 0;
	uint32_t total = 0;

	if (p->expect.invented)
		pg_tell_invented(p);
	switch (pg_head(in, BODY_MAX, &type, &total)) {
	case FRAME_SHORT:
		return false;
	case FRAME_BAD:
		broken(sv, "message with an impossible length");
		return false;
	case FRAME_OK:
		break;
	}
	if (p->own == OWN_ASK && type == PG_DATA_ROW) {
		struct pg_msg m;
		if (total > HELD_MAX) {
			broken(sv, "a row that is too long for the question");
			return false;
		}
		return pg_frame(in, HELD_MAX, &m) == FRAME_OK && own_row(p, m.body);
	}
	if (type == PG_READY && to && pg_client_of(sv->session)->listens && is_early(p, in))
		return false;
	if (type == PG_NOTIFICATION && (p->listener || (to && pg_client_of(sv->session)->listens))) {
		bool hidden;
		if (!take_notification(p, in, total, &hidden))
			return false;
		if (hidden)
			to = NULL;
	}
	if (must_be_held(type) && total <= HELD_MAX) {
		struct pg_msg m;
		if (pg_frame(in, HELD_MAX, &m) != FRAME_OK)
			return false;
		return understood(p, &m, to, at, total) && stream_is_open(&sv->stream);
	}
	if (must_be_held(type) && type != PG_ERROR) {
		broken(sv, "message that is too long for its kind");
		return false;
	}
	if (type == PG_ERROR) { /* too long to be understood, but no less an error */
		expect_error(&p->expect);
		if (p->own)
			own_error(p, rd_of("", 0));
	}
	if (type == PG_COMMAND_COMPLETE && !look_at_tag(p, in, total, &to))
		return false;
	if (is_reply(type)) {
		const struct expect_entry *x = expect_next(&p->expect);
		if (x && x->flags & EXPECT_OWN)
			to = NULL;
		else
			pg_heal_heard(&p->heal);
		/* As far as it was executed it has changed what it changes. */
		if (type == PG_PORTAL_SUSPENDED && x && x->flags & EXPECT_CHANGES && sv->session && !p->own &&
		    !note_change(p, x, ""))
			return false;
		expect_reply(&p->expect);
	}
	if (p->script && (type == PG_ROW_DESCRIPTION || type == PG_DATA_ROW) && pg_script_is_own(p))
		to = NULL;
	if (type == PG_PARAMETER_DESCRIPTION && !pg_heal_types(&p->heal))
		to = NULL;
	if (type == PG_COPY_IN || type == PG_COPY_BOTH)
		expect_copy_in(&p->expect);
	if (!sv->session && sv->state == SERVER_DRAIN) {
		if (type == PG_COPY_IN && !drain_on(sv))
			return false;
	} else if (!sv->session && !p->own && type != PG_NOTICE && type != PG_NOTIFICATION) {
		broken(sv, "data that nobody asked for");
		return false;
	}
	p->skip = to == NULL;
	p->left = total;
	return pass_rest(p, in);
}

/* A cancelled statement says little more. */
static void count_drained(struct server *sv, uint32_t n)
{
	sv->drained += n;
	if (sv->drained > DRAIN_MAX)
		server_close(sv, "too much was still to come when its client left", NULL);
}

static void on_bytes(struct server *sv, struct rd *in)
{
	struct pg_server *p = pg_server_of(sv);
	const uint8_t *from = in->p;
	struct pool *pool = sv->pool;
	struct session *s = sv->session;

	while (p->login) {
		struct pg_msg m;
		switch (pg_frame(in, HELD_MAX, &m)) {
		case FRAME_SHORT:
			return;
		case FRAME_BAD:
			broken(sv, "message with an impossible length during login");
			return;
		case FRAME_OK:
			break;
		}
		if (!login_message(sv, &m))
			break;
	}
	if (!stream_is_open(&sv->stream))
		return;
	if (p->left == 0 || pass_rest(p, in))
		while (rd_left(in) > 0 && relay_message(p, in))
			;
	if (p->expect.invented && p->left == 0 && stream_is_open(&sv->stream))
		pg_tell_invented(p);
	if (s)
		pool->stats.v[STAT_sent] += (uint64_t)(in->p - from);
	else if (sv->state == SERVER_DRAIN)
		count_drained(sv, (uint32_t)(in->p - from));
}

static bool at_rest(const struct server *sv)
{
	const struct pg_server *p = list_owner((struct server *)(uintptr_t)sv, struct pg_server, sv);
	return p->txn == 'I' && p->left == 0 && p->own == OWN_NOTHING && expect_is_empty(&p->expect) &&
	       !stream_is_stalled(&sv->stream) && !sv->stream.failed;
}

static uint32_t prepared(const struct server *sv)
{
	return pg_cache_count(&pg_server_of((struct server *)(uintptr_t)sv)->cache);
}

static size_t goodbye(const struct server *sv, uint8_t out[ENGINE_BYTES_MAX])
{
	struct pg_out o = pg_out(out, ENGINE_BYTES_MAX);
	if (!at_rest(sv))
		return 0; /* in the middle of something it would be taken for a part of that */
	pg_begin(&o, PG_TERMINATE);
	pg_end(&o);
	return o.len;
}

static size_t cancel(const struct server *sv, uint8_t out[ENGINE_BYTES_MAX])
{
	const struct pg_server *p = list_owner((struct server *)(uintptr_t)sv, struct pg_server, sv);
	struct pg_out o = pg_out(out, ENGINE_BYTES_MAX);
	if (!p->key_len || expect_is_empty(&p->expect))
		return 0; /* it runs nothing */
	pg_begin(&o, 0);
	pg_put_u32(&o, PG_CANCEL_CODE);
	pg_put_u32(&o, sv->pid);
	pg_put(&o, p->key, p->key_len);
	pg_end(&o);
	return o.len;
}

static size_t tls_request(uint8_t out[ENGINE_BYTES_MAX])
{
	struct pg_out o = pg_out(out, ENGINE_BYTES_MAX);
	pg_begin(&o, 0);
	pg_put_u32(&o, PG_SSL_CODE);
	pg_end(&o);
	return o.len;
}

/* An 'E' is possible too; the error that follows it came in plain, from anybody, and is shown to nobody. */
static enum engine_tls tls_answer(uint8_t answer)
{
	return answer == 'S' ? ENGINE_TLS_YES : answer == 'N' ? ENGINE_TLS_NO : ENGINE_TLS_BROKEN;
}

const struct engine_ops pg_engine = {
	.name = "postgres",
	.socket_file = ".s.PGSQL.%u",
	.make = make,
	.free = free_server,
	.tls_request = tls_request,
	.tls_answer = tls_answer,
	.start = start,
	.start_otherwise = start_otherwise,
	.on_bytes = on_bytes,
	.sync = sync_vars,
	.run = run,
	.ask = ask,
	.at_rest = at_rest,
	.apart = pg_listener_apart,
	.prepared = prepared,
	.abandon = abandon,
	.goodbye = goodbye,
	.cancel = cancel,
};

void pg_init(void)
{
	slab_init(&slab, "pg_server", sizeof(struct pg_server));
	database_set_engine(DB_POSTGRES, &pg_engine);
}
