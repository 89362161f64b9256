/* door_auth.c - clients that speak PostgreSQL prove who they are, and what they are told when they fail. PostgreSQL
 * docs, Client Authentication; Frontend/Backend Protocol, Message Flow: Start-up. */
#include "pg/door_login_int.h"

#include "auth/crypto.h"
#include "net/tls.h"

static struct pg_login *login_of(const struct entry *e)
{
	return list_owner((struct entry *)(uintptr_t)e, struct pg_login, entry);
}

/* Whether there is such a user or the proof was wrong, the client hears the same, in PgBouncer's words and with its
 * SQLSTATE; the log says more. */
static const char *words_of(const struct entry *e)
{
	switch (e->method) {
	case HBA_TRUST:
		return "\"trust\" authentication failed";
	case HBA_CERT:
		return "certificate authentication failed";
	case HBA_PEER:
		return "unix socket login rejected";
	case HBA_PAM:
		return "PAM authentication failed";
	case HBA_LDAP:
		return "LDAP authentication failed";
	case HBA_REJECT:
		return "login rejected";
	case HBA_PLAIN:
	case HBA_MD5:
	case HBA_SCRAM:
		break;
	}
	return login_of(e)->auth.method == PG_AUTH_SCRAM ? "SASL authentication failed"
							 : "password authentication failed";
}

static void fault_of(const struct entry *e, enum entry_no no, struct fault *f)
{
	const struct session *s = e->s;
	char host[ADDR_TEXT_MAX];
	switch (no) {
	case ENTRY_WRONG:
		fault_set(f, FAULT_PROTO, "%s", words_of(e));
		break;
	case ENTRY_NO_RULE:
		addr_host_text(&s->addr, host);
		fault_set(f, FAULT_PROTO, "no authentication method is found");
		fault_hint(f, "The HBA file has no entry for host \"%s\", user \"%s\", database \"%s\", %s.", host,
			   e->user, e->database, s->stream.tls ? "TLS" : "no encryption");
		break;
	case ENTRY_NO_CERT:
		fault_set(f, FAULT_PROTO, "connection requires a valid client certificate");
		break;
	case ENTRY_OTHER_CERT:
		fault_set(f, FAULT_PROTO, "certificate authentication failed");
		break;
	case ENTRY_NO_DB:
		fault_set(f, FAULT_PROTO, "no such database: %s", e->database);
		if (s->replication == REPLICATION_PHYSICAL && strcmp(e->database, "replication") == 0)
			fault_hint(f, "Who names no database asks for \"replication\", which needs a line in "
				      "[databases], as any other.");
		break;
	case ENTRY_CONFIG:
		fault_set(f, FAULT_PROTO, "bouncer config error");
		break;
	}
}

static bool enter(struct entry *e, struct fault *f)
{
	struct pg_client *c = pg_client_of(e->s);
	if (!e->s->db->exchange)
		return true;
	c->sink = pg_sink_new(c);
	return c->sink || fault_set(f, FAULT_NOMEM, "no memory for the session");
}

static void login_failed(struct session *s, const struct fault *f)
{
	if (f->kind == FAULT_AUTH)
		entry_refuse(&pg_client_of(s)->login->entry, ENTRY_WRONG, NULL);
	else
		entry_refuse_for(&pg_client_of(s)->login->entry, f, f->text);
}

static enum pg_auth exchange_of(struct entry *e)
{
	enum hba_method method = e->method;
	enum pg_auth how = method == HBA_PLAIN                       ? PG_AUTH_PLAIN
			   : method == HBA_MD5                       ? PG_AUTH_MD5
			   : method == HBA_SCRAM                     ? PG_AUTH_SCRAM
			   : method == HBA_PAM || method == HBA_LDAP ? PG_AUTH_OUTSIDE
								     : PG_AUTH_TRUST;
	const struct secret *secret = entry_secret(e);
	bool has_none = !secret || secret->kind == SECRET_NONE;
	return how == PG_AUTH_MD5 && has_none && entry_nobody_as(e) == SECRET_SCRAM ? PG_AUTH_SCRAM
										    : pg_auth_pick(how, secret);
}

static void begin(struct entry *e)
{
	struct pg_login *l = login_of(e);
	struct session *s = e->s;
	uint8_t out[PG_LOGIN_OUT_MAX];
	size_t n = 0;
	struct fault f;

	enum pg_auth how = exchange_of(e);
	uint64_t derived = crypto_pbkdf2_runs();
	const struct scram_binding *binding = how == PG_AUTH_SCRAM ? pg_binding(&s->stream, &l->binding) : NULL;
	switch (pg_door_login_begin(&l->auth, how, e->user, entry_secret(e), binding, out, &n, &f)) {
	case PG_LOGIN_MORE:
		pg_door_login_nobody_as(&l->auth, entry_nobody_as(e), entry_nobody_iterations(e));
		if (how == PG_AUTH_SCRAM && entry_derives_always(e) && crypto_pbkdf2_runs() == derived)
			secret_spend();
		stream_put_copy(&s->stream, out, n);
		break;
	case PG_LOGIN_OK:
		stream_put_copy(&s->stream, out, n);
		entry_let_in(e);
		break;
	case PG_LOGIN_FAIL:
		login_failed(s, &f);
		break;
	case PG_LOGIN_ASK: /* not before it has said anything */
		break;
	}
}

static void vouched(struct entry *e)
{
	uint8_t out[PG_LOGIN_OUT_MAX];
	size_t n;
	pg_door_login_let_in(out, &n);
	stream_put_copy(&e->s->stream, out, n);
	entry_let_in(e);
}

void pg_login_authenticate(struct session *s)
{
	static const struct entry_ops ops = { .begin = begin, .fault = fault_of, .vouched = vouched, .enter = enter };
	struct pg_login *l = pg_client_of(s)->login;
	l->has_begun = true;
	l->entry.ops = &ops;
	l->entry.s = s;
	entry_begin(&l->entry);
}

void pg_login_message(struct session *s, const struct pg_msg *m)
{
	struct pg_client *c = pg_client_of(s);
	uint8_t out[PG_LOGIN_OUT_MAX];
	size_t n = 0;
	struct fault f;

	if (m->type == PG_TERMINATE) {
		session_close(s, "client close request");
		return;
	}
	if (m->type != PG_PASSWORD) {
		pg_protocol_fault(s, "expected a password message");
		return;
	}
	switch (pg_door_login_step(&c->login->auth, m->body, out, &n, &f)) {
	case PG_LOGIN_MORE:
		stream_put_copy(&s->stream, out, n);
		break;
	case PG_LOGIN_OK:
		stream_put_copy(&s->stream, out, n);
		entry_let_in(&c->login->entry);
		break;
	case PG_LOGIN_FAIL:
		login_failed(s, &f);
		break;
	case PG_LOGIN_ASK:
		entry_ask(&c->login->entry, c->login->auth.password);
		break;
	}
}
