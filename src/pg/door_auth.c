/* door_auth.c - clients that speak PostgreSQL prove who they are: by which method, with which secret, and what they are
 * told when they fail. PostgreSQL docs, Client Authentication; Frontend/Backend Protocol, Message Flow: Start-up. */
#include "pg/door_login_int.h"

#include "core/str.h"
#include "net/listen.h"
#include "net/tls.h"
#include "route/route.h"

#include <pwd.h>
#include <stdlib.h>

/* why: for the log alone; "" when the fault says it. */
static void refuse(struct session *s, struct fault *f, const char *why)
{
	const struct pg_login *l = pg_client_of(s)->login;
	log_warn(&s->log, "login failed: db=%s user=%s%s%s", l->database, l->user, *why ? ": " : "", why);
	session_fail(s, f);
}

/* NULL: nobody of that name. */
static struct secret *secret_of(const struct session *s, struct pg_login *l)
{
	return l->found ? &l->secret : s->user ? &s->user->secret : NULL;
}

/* What kept a client out that was told the same as any other. */
static const char *why_failed(const struct session *s, struct pg_login *l)
{
	const struct secret *secret = secret_of(s, l);
	switch (l->method) {
	case HBA_PLAIN:
	case HBA_MD5:
	case HBA_SCRAM:
		if (!secret)
			return "there is no such user";
		if (secret->kind == SECRET_NONE)
			return "the user has no password";
		if (secret->kind == SECRET_MD5 && l->method == HBA_SCRAM)
			return "of the password there is an md5 hash, which scram-sha-256 cannot use";
		return "the password was wrong";
	case HBA_REJECT:
		return "a rule of the HBA file rejects it";
	case HBA_PEER:
		return secret ? "the system's user at the other end may not be this user" : "there is no such user";
	case HBA_CERT:
		return secret ? "there is no certificate that may be this user" : "there is no such user";
	case HBA_TRUST:
		return secret ? "" : "there is no such user";
	case HBA_PAM:
	case HBA_LDAP:
		break;
	}
	return "";
}

/* Whether there is such a user or the proof was wrong, the client hears the same, in PgBouncer's words and with its
 * SQLSTATE; the log says more. why NULL: what is known here. */
static void auth_failed(struct session *s, const char *why)
{
	struct pg_login *l = pg_client_of(s)->login;
	const char *told = "";
	struct fault f;
	switch (l->method) {
	case HBA_TRUST:
		told = "\"trust\" authentication failed";
		break;
	case HBA_CERT:
		told = "certificate authentication failed";
		break;
	case HBA_PEER:
		told = "unix socket login rejected";
		break;
	case HBA_PAM:
		told = "PAM authentication failed";
		break;
	case HBA_LDAP:
		told = "LDAP authentication failed";
		break;
	case HBA_REJECT:
		told = "login rejected";
		break;
	case HBA_PLAIN:
	case HBA_MD5:
	case HBA_SCRAM:
		told = l->auth.method == PG_AUTH_SCRAM ? "SASL authentication failed"
						       : "password authentication failed";
		break;
	}
	fault_set(&f, FAULT_PROTO, "%s", told);
	refuse(s, &f, why ? why : why_failed(s, l));
}

static void login_failed(struct session *s, const struct fault *f)
{
	if (f->kind == FAULT_AUTH)
		auth_failed(s, NULL);
	else
		session_fail(s, f);
}

/* What auth_query told serves for the servers of this database too, and for the next login. */
static void learn_secret(struct session *s)
{
	struct pg_login *l = pg_client_of(s)->login;
	struct pool *p = s->db->exchange ? NULL : l->found ? route_pool(s->db, s->user) : pool_peek(s->db, s->user);
	if (p && p->user == s->user && (l->found || p->has_secret))
		pool_learn(p, l->found ? &l->secret : NULL);
}

static void authenticated(struct session *s)
{
	struct pg_client *c = pg_client_of(s);
	struct fault f;

	if (!s->user) {
		struct user *u = user_find(c->login->user, true);
		if (!u) {
			fault_set(&f, FAULT_NOMEM, "no memory for the session");
			session_fail(s, &f);
			return;
		}
		s->user = user_ref(u);
	}
	if (c->login->no_such_db) {
		fault_set(&f, FAULT_PROTO, "no such database: %s", c->login->database);
		if (s->replication == REPLICATION_PHYSICAL && strcmp(c->login->database, "replication") == 0)
			fault_hint(&f, "Who names no database asks for \"replication\", which needs a line in "
				       "[databases], as any other.");
		session_fail(s, &f);
		return;
	}
	if (!s->db) {
		struct database *db = database_find(c->login->database, &f);
		if (!db) {
			session_fail(s, &f);
			return;
		}
		session_identify(s, db, NULL);
		if (!session_may_enter(s, &f)) {
			session_fail(s, &f);
			return;
		}
	}
	if (c->login->takes_any && !s->db->exchange && !s->db->forced) {
		log_error(&s->log, "auth_type = any needs user= in the entry of database \"%s\"", s->db->name->s);
		fault_set(&f, FAULT_PROTO, "bouncer config error");
		session_fail(s, &f);
		return;
	}
	if (s->db->exchange) {
		c->sink = pg_sink_new(c);
		if (!c->sink) {
			fault_set(&f, FAULT_NOMEM, "no memory for the session");
			session_fail(s, &f);
			return;
		}
	}
	learn_secret(s);
	session_login_done(s);
}

static bool client_is_tls(const struct session *s)
{
	return s->stream.tls != NULL;
}

/* The name in the certificate that it showed there, verified; NULL: it showed none. */
static const char *client_cert_name(struct session *s)
{
	struct pg_login *l = pg_client_of(s)->login;
	return tls_peer_cn(s->stream.tls, l->cert_name, sizeof l->cert_name) ? l->cert_name : NULL;
}

/* By auth_type, or by the first rule that fits. False: no rule does. */
static bool pick_method(struct session *s, struct fault *f)
{
	static const enum hba_method of_type[] = {
		[AUTH_TYPE_TRUST] = HBA_TRUST, [AUTH_TYPE_PLAIN] = HBA_PLAIN, [AUTH_TYPE_MD5] = HBA_MD5,
		[AUTH_TYPE_SCRAM] = HBA_SCRAM, [AUTH_TYPE_ANY] = HBA_TRUST,   [AUTH_TYPE_CERT] = HBA_CERT,
		[AUTH_TYPE_PEER] = HBA_PEER,   [AUTH_TYPE_PAM] = HBA_PAM,     [AUTH_TYPE_LDAP] = HBA_LDAP,
	};
	struct pg_login *l = pg_client_of(s)->login;
	int64_t type = config_num(config_now(), SET_auth_type, NULL, NULL);
	const struct hba_client asks = {
		.addr = &s->addr,
		.database = l->database,
		.user = l->user,
		.is_tls = client_is_tls(s),
		.is_replication = s->replication == REPLICATION_PHYSICAL,
	};
	char host[ADDR_TEXT_MAX];

	l->config = config_ref(config_now());
	l->takes_any = type == AUTH_TYPE_ANY;
	if (s->is_own_user) { /* the kernel says who it is */
		l->method = HBA_TRUST;
		return true;
	}
	if (type != AUTH_TYPE_HBA) {
		l->method = of_type[type];
		return true;
	}
	l->rule = hba_pick(&l->config->access->hba, &asks);
	if (l->rule) {
		l->method = l->rule->method;
		return true;
	}
	addr_host_text(&s->addr, host);
	fault_set(f, FAULT_PROTO, "no authentication method is found");
	fault_hint(f, "The HBA file has no entry for host \"%s\", user \"%s\", database \"%s\", %s.", host, l->user,
		   l->database, asks.is_tls ? "TLS" : "no encryption");
	log_warn(&s->log, "no rule of the HBA file fits host \"%s\", user \"%s\", database \"%s\", %s", host, l->user,
		 l->database, asks.is_tls ? "TLS" : "no encryption");
	return false;
}

/* May who is called so by the system, or by his certificate, be this user? */
static bool may_be_user(const struct pg_login *l, const char *system)
{
	return ident_maps(&l->config->access->ident, l->rule ? l->rule->opt.at[HBA_map] : NULL, system, l->user);
}

static bool peer_fits(struct session *s)
{
	struct passwd pw, *found = NULL;
	char buf[4096];
	uid_t uid;
	gid_t gid;
	pid_t pid;
	return s->addr.family == ADDR_UNIX && peer_identity(s->stream.io.fd, &uid, &gid, &pid) &&
	       getpwuid_r(uid, &pw, buf, sizeof buf, &found) == 0 && found &&
	       may_be_user(pg_client_of(s)->login, found->pw_name);
}

/* What is known without a question to the client. False: refused. */
static bool is_proven(struct session *s, struct fault *f)
{
	const struct pg_login *l = pg_client_of(s)->login;
	const char *cn = client_cert_name(s);
	bool is_known = s->user || l->found;

	f->kind = FAULT_AUTH;
	if (l->rule && l->rule->wants_cert && l->method != HBA_CERT) {
		if (!cn)
			return fault_set(f, FAULT_PROTO, "connection requires a valid client certificate");
		if (l->rule->wants_cn && strcmp(cn, l->user) != 0)
			return fault_set(f, FAULT_PROTO, "certificate authentication failed");
	}
	switch (l->method) {
	case HBA_REJECT:
		return false;
	case HBA_TRUST: /* asks for nothing, but lets in only whom it knows */
		return is_known;
	case HBA_PEER:
		return peer_fits(s) && is_known;
	case HBA_CERT:
		return cn && may_be_user(l, cn) && is_known;
	case HBA_PAM:
	case HBA_LDAP:
	case HBA_PLAIN:
	case HBA_MD5:
	case HBA_SCRAM:
		break;
	}
	return true;
}

/* Whom nobody knows, or who has no secret, is asked as most of the others are, and costs what they do. */
static bool as_scram(const struct session *s, const struct pg_login *l)
{
	return l->waited ? s->db && s->db->asks_scram : l->config->mostly_scram;
}

static enum pg_auth exchange_of(const struct session *s, struct pg_login *l)
{
	enum hba_method method = l->method;
	enum pg_auth how = method == HBA_PLAIN                       ? PG_AUTH_PLAIN
			   : method == HBA_MD5                       ? PG_AUTH_MD5
			   : method == HBA_SCRAM                     ? PG_AUTH_SCRAM
			   : method == HBA_PAM || method == HBA_LDAP ? PG_AUTH_OUTSIDE
								     : PG_AUTH_TRUST;
	const struct secret *secret = secret_of(s, l);
	bool scram = as_scram(s, l);
	bool has_none = !secret || secret->kind == SECRET_NONE;
	return how == PG_AUTH_MD5 && has_none && scram ? PG_AUTH_SCRAM : pg_auth_pick(how, secret);
}

static void begin_auth(struct session *s)
{
	struct pg_client *c = pg_client_of(s);
	struct pg_login *l = c->login;
	uint8_t out[PG_LOGIN_OUT_MAX];
	size_t n = 0;
	struct fault f;

	l->has_begun = true;
	if (!is_proven(s, &f)) {
		if (f.kind == FAULT_AUTH)
			auth_failed(s, NULL);
		else
			refuse(s, &f, "");
		return;
	}
	enum pg_auth how = exchange_of(s, l);
	const struct scram_binding *binding = how == PG_AUTH_SCRAM ? pg_binding(&s->stream, &l->binding) : NULL;
	switch (pg_door_login_begin(&l->auth, how, l->user, secret_of(s, l), binding, out, &n, &f)) {
	case PG_LOGIN_MORE:
		l->auth.nobody_as_scram = as_scram(s, l);
		stream_put_copy(&s->stream, out, n);
		break;
	case PG_LOGIN_OK:
		stream_put_copy(&s->stream, out, n);
		authenticated(s);
		break;
	case PG_LOGIN_FAIL:
		login_failed(s, &f);
		break;
	case PG_LOGIN_ASK: /* not before it has said anything */
		break;
	}
}

/* --- PAM and LDAP */

static void on_verdict(struct helper_ask *a, enum helper_verdict v, const char *why)
{
	struct pg_login *l = list_owner(a, struct pg_login, outside);
	struct session *s = l->s;
	uint8_t out[PG_LOGIN_OUT_MAX];
	char said[HELPER_WHY_MAX + 40];
	size_t n;
	struct fault f;

	l->waits = false;
	if (s->state == SESSION_DEAD)
		return;
	switch (v) {
	case HELPER_YES:
		/* How to log in to servers is said by auth_file, or else the password that fitted here may fit there.
		 */
		if (s->user && s->user->secret.kind != SECRET_NONE)
			secret_clear(&l->secret);
		else
			l->found = true;
		pg_door_login_let_in(out, &n);
		stream_put_copy(&s->stream, out, n);
		authenticated(s);
		break;
	case HELPER_NO:
	case HELPER_NOBODY:
		str_fmt(said, sizeof said, "%s says: %s", l->method == HBA_PAM ? "PAM" : "LDAP", why);
		auth_failed(s, said);
		break;
	case HELPER_UNABLE:
		str_fmt(said, sizeof said, "%s could not be asked: %s", l->method == HBA_PAM ? "PAM" : "LDAP", why);
		fault_set(&f, FAULT_CONNECT, "who knows the users cannot be asked");
		refuse(s, &f, said);
		break;
	}
	if (s->state != SESSION_DEAD && stream_kept(&s->stream))
		session_resume_input(s);
}

static void ask_outside(struct session *s)
{
	struct pg_login *l = pg_client_of(s)->login;
	const struct hba_options *given = l->rule ? &l->rule->opt : &l->config->access->ldap;
	struct helper_question q = { .kind = l->method == HBA_PAM ? HELPER_PAM : HELPER_LDAP,
				     .user = l->user,
				     .password = l->auth.password };
	char host[ADDR_TEXT_MAX] = "";
	struct fault f;

	if (s->addr.family != ADDR_UNIX)
		addr_host_text(&s->addr, host);
	q.host = host;
	q.service = given->at[HBA_pamservice] && *given->at[HBA_pamservice]
			    ? given->at[HBA_pamservice]
			    : config_text(l->config, SET_auth_pam_service, NULL, NULL);
	q.dir = config_text(l->config, SET_auth_pam_dir, NULL, NULL);
	for (int i = HBA_ldapserver; i < HBA_NOPTIONS; i++)
		q.ldap[i] = given->at[i];
	l->s = s;
	secret_clear(&l->secret);
	if (!secret_of_password(&l->secret, q.password)) {
		fault_set(&f, FAULT_NOMEM, "no memory for the session");
		refuse(s, &f, "");
	} else if (!helper_begin(&l->outside, &q, on_verdict, &f)) {
		refuse(s, &f, "");
	} else {
		l->waits = true;
	}
}

/* --- auth_query */

/* The secret that it told; one that is known already keeps its keys. */
static bool take_secret(struct session *s, struct pg_login *l, const char *text)
{
	struct user *u = user_peek(l->user);
	struct pool *p = u && s->db ? pool_peek(s->db, u) : NULL;
	secret_clear(&l->secret);
	if (p && p->has_secret && secret_same(&p->secret, text))
		return secret_copy(&l->secret, &p->secret);
	return secret_parse(&l->secret, text);
}

static void on_row(struct ask *a, const struct cell *cells, size_t n)
{
	struct pg_login *l = list_owner(a, struct pg_login, ask);
	struct session *s = l->s;
	const struct text_span *name = &cells[0].text, *secret = &cells[1].text;

	if (l->odd)
		return; /* it was said */
	if (n != 2 || l->found) {
		log_error(&s->log,
			  n == 2 ? "auth_query: one row is expected, not several"
				 : "auth_query: 2 columns are expected, not %zu",
			  n);
		l->odd = true;
		return;
	}
	if (cells[0].is_null)
		return; /* PgBouncer's other way to say that there is none */
	if (name->len != strlen(l->user) || memcmp(name->s, l->user, name->len) != 0) {
		log_error(&s->log, "auth_query told of another user than \"%s\"", l->user);
		l->odd = true;
		return;
	}
	l->found = true;
	if (cells[1].is_null)
		return; /* expired, or none: no password fits */
	char *text = str_dup_n(secret->s, secret->len);
	if (!text || strlen(text) != secret->len || !take_secret(s, l, text))
		log_error(&s->log, "auth_query: the secret of \"%s\" cannot be used; the login will fail", l->user);
	if (text)
		str_wipe(text, secret->len);
	free(text);
	if (s->db)
		s->db->asks_scram = l->secret.kind == SECRET_SCRAM;
}

static void on_answer(struct ask *a, const struct fault *f)
{
	struct pg_login *l = list_owner(a, struct pg_login, ask);
	struct session *s = l->s;
	struct fault told;

	l->waits = false;
	if (s->state == SESSION_DEAD)
		return;
	if (f || l->odd) {
		if (f)
			log_error(&s->log, "auth_query: %s", f->text);
		/* What the server of the users says is not for somebody who is nobody yet. */
		if (!f || f->kind == FAULT_INTERNAL)
			fault_set(&told, FAULT_PROTO, "bouncer config error");
		else
			fault_set(&told, f->kind == FAULT_NOMEM ? FAULT_NOMEM : FAULT_CONNECT,
				  "the server that knows the users cannot be asked");
		refuse(s, &told, "");
		return;
	}
	begin_auth(s);
	if (s->state != SESSION_DEAD && stream_kept(&s->stream))
		session_resume_input(s);
}

/* The database that is asked about the user. NULL: none is, or, with a fault, it cannot be. */
static struct database *whom_to_ask(struct session *s, const struct db_conf *conf, struct fault *f)
{
	struct pg_login *l = pg_client_of(s)->login;
	const char *name = config_text(l->config, SET_auth_dbname, conf, NULL);
	struct database *db = s->db;

	f->kind = FAULT_NONE;
	if (*name) {
		db = database_find(name, f);
	} else if (!db && conf) { /* what only the * entry knows is made for it */
		db = database_find(l->database, f);
		if (db)
			session_identify(s, db, NULL);
	}
	if (!db && f->kind == FAULT_NO_DB) {
		log_error(&s->log, "auth_dbname: there is no database \"%s\"", name);
		fault_set(f, FAULT_PROTO, "bouncer config error");
	}
	return db && db->engine ? db : NULL;
}

/* Is the user to be looked up? Then it is under way, or (false in *f's kind) cannot be. */
static bool look_up(struct session *s, struct fault *f)
{
	struct pg_login *l = pg_client_of(s)->login;
	const struct db_conf *conf = s->db ? s->db->conf : l->no_such_db ? NULL : l->config->fallback;
	const char *asker = config_text(l->config, SET_auth_user, conf, NULL);

	f->kind = FAULT_NONE;
	if (s->user || !*asker || l->method == HBA_REJECT || l->method == HBA_PAM || l->method == HBA_LDAP)
		return false;
	struct database *db = whom_to_ask(s, conf, f);
	if (!db)
		return false;
	struct user *u = user_house(db, asker);
	struct pool *p = u ? pool_find(db, u) : NULL;
	l->query = str_dup(config_text(l->config, SET_auth_query, conf, NULL));
	if (!p || !l->query)
		return fault_set(f, FAULT_NOMEM, "no memory for the session");
	l->s = s;
	l->waits = l->waited = l->has_begun = true;
	l->ask = (struct ask){ .sql = l->query, .param = l->user, .row = on_row, .done = on_answer };
	ask_begin(&l->ask, p);
	return true;
}

void pg_login_authenticate(struct session *s)
{
	struct fault f;
	if (!pick_method(s, &f)) {
		refuse(s, &f, "");
		return;
	}
	if (look_up(s, &f))
		return;
	if (f.kind != FAULT_NONE)
		refuse(s, &f, "");
	else
		begin_auth(s);
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
		authenticated(s);
		break;
	case PG_LOGIN_FAIL:
		login_failed(s, &f);
		break;
	case PG_LOGIN_ASK:
		ask_outside(s);
		break;
	}
}
