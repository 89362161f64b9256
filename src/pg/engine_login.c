/* engine_login.c - servers that speak PostgreSQL, until they are logged in to. PostgreSQL docs, Frontend/Backend
 * Protocol, Message Flow: Start-up; Message Formats: StartupMessage, NegotiateProtocolVersion, BackendKeyData. */
#include "pg/engine_int.h"

#include "core/str.h"
#include "net/tls.h"
#include "pg/login.h"

#include <stdlib.h>

struct pg_engine_state {
	struct pg_engine_login auth;
	struct secret secret; /* owned */
	struct scram_binding binding;
	bool auth_done;
	const struct varset *welcome; /* counted */
	const struct varset *vars;    /* counted */
};

void pg_server_end_login(struct pg_server *p)
{
	if (!p->login)
		return;
	secret_clear(&p->login->secret);
	varset_put(p->login->welcome);
	varset_put(p->login->vars);
	str_wipe(p->login, sizeof *p->login);
	free(p->login);
	p->login = NULL;
}

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

void pg_server_start(struct server *sv)
{
	struct pg_server *p = pg_server_of(sv);
	const struct db_conf *c = sv->pool->db->conf;
	const struct session *s = sv->is_own ? sv->session : NULL;
	uint8_t bytes[PG_STARTUP_MAX];
	struct pg_out o = pg_out(bytes, sizeof bytes);

	pg_server_end_login(p); /* of an attempt that was given up */
	p->login = calloc(1, sizeof *p->login);
	if (!p->login || !(p->login->welcome = varset_empty()) || !(p->login->vars = varset_empty())) {
		pg_server_no_memory(sv);
		return;
	}
	struct secret *secret = pool_secret(sv->pool);
	sv->secret_used = secret_for_servers(secret);
	if (!secret_copy_for_servers(&p->login->secret, secret)) {
		pg_server_no_memory(sv);
		return;
	}
	pg_engine_login_begin(&p->login->auth, sv->pool->user->name->s, &p->login->secret,
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
		pg_server_broken(sv, "the start-up packet would be too long");
		return;
	}
	stream_put_copy(&sv->stream, o.p, o.len);
}

/* Servers of before 2017, and things that call themselves servers, refuse any version but 3.0, or close at once,
 * instead of saying what they speak. */
bool pg_server_start_otherwise(struct server *sv, const struct fault *f)
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
	pg_server_broken(&p->sv, "malformed NegotiateProtocolVersion");
	return false;
}

static bool note_key(struct pg_server *p, struct rd body)
{
	struct rd key;
	if (!pg_parse_key(body, &p->sv.pid, &key)) {
		pg_server_broken(&p->sv, "malformed BackendKeyData");
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
		pg_server_broken(sv, "malformed error message");
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

	enum pg_login_verdict verdict = pg_engine_login_step(&p->login->auth, m->type, m->body, out, &n, &f);
	secret_note(pool_secret(sv->pool), &p->login->secret);
	switch (verdict) {
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

bool pg_server_note_parameter(struct pg_server *p, struct rd body)
{
	size_t len;
	const char *name = rd_cstr(&body, NULL);
	const char *value = rd_cstr(&body, &len);
	if (!rd_done(&body)) {
		pg_server_broken(&p->sv, "malformed ParameterStatus");
		return false;
	}
	const struct varset **vars = p->login ? &p->login->vars : &p->sv.vars;
	if (p->login && !varset_set(&p->login->welcome, name, value, len)) {
		pg_server_no_memory(&p->sv);
		return false;
	}
	if (!pg_is_fixed(name) && !varset_set(vars, name, value, len)) {
		pg_server_no_memory(&p->sv);
		return false;
	}
	return true;
}

bool pg_server_login_message(struct server *sv, const struct pg_msg *m)
{
	struct pg_server *p = pg_server_of(sv);
	struct rd body = m->body;

	if (!p->login->auth_done && m->type != PG_AUTHENTICATION && m->type != PG_ERROR && m->type != PG_NOTICE &&
	    m->type != PG_NEGOTIATE) {
		pg_server_broken(sv, "data before authentication");
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
		return pg_server_note_parameter(p, body);
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
			pg_server_broken(sv, "malformed ReadyForQuery at login");
			return false;
		}
		const struct varset *vars = varset_ref(p->login->vars), *welcome = varset_ref(p->login->welcome);
		pg_server_end_login(p);
		sv->host->is_old |= p->is_old;
		server_logged_in(sv, vars, welcome);
		return false;
	}
	default:
		pg_server_broken(sv, "unexpected message during login");
		return false;
	}
}
