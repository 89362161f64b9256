/* door_login.c - clients that speak PostgreSQL, from their first packet until they are in. PostgreSQL docs,
 * Frontend/Backend Protocol, Message Flow: Start-up, Canceling Requests in Progress, SSL Session Encryption. */
#include "pg/pg_int.h"

#include "auth/crypto.h"
#include "auth/hba.h"
#include "auth/helper.h"
#include "core/assert.h"
#include "core/str.h"
#include "net/listen.h"
#include "net/tls.h"
#include "pg/key.h"
#include "pg/login.h"
#include "pg/startup.h"
#include "pool/ask.h"
#include "route/route.h"

#include <pwd.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define PASSWORD_MAX  8192u /* body of a PasswordMessage or SASL response */
#define TLS_HANDSHAKE 0x16  /* the first byte of a TLS record that has a ClientHello; of no start-up packet */

/* What a client needs until it is in, and no longer. */
struct pg_login {
	struct pg_door_login auth;
	bool has_begun; /* the start-up packet was understood; an answer to our question is awaited */
	bool ssl_refused, gss_refused;
	bool no_such_db; /* told after authentication: names of databases are not for everybody */
	bool takes_any;  /* auth_type any: whatever it calls itself */
	enum hba_method method;
	struct config *config;       /* counted: the rule is in it; NULL before there is a method */
	const struct hba_rule *rule; /* of auth_type hba; else NULL */
	/* A user that is not in auth_file: what auth_query says. */
	struct session *s;
	struct ask ask;
	char *query;               /* owned */
	bool waited;               /* it was asked */
	bool waits;                /* for the answer: what the client says stays where it is */
	bool found;                /* there is such a user, and the next is its secret */
	bool odd;                  /* the answer is none that makes sense; the log says why */
	struct secret secret;      /* owned */
	struct helper_ask outside; /* PAM, LDAP: whether the password is right, which is in `secret` */
	char database[64], user[64];
	char cert_name[128];
	struct scram_binding binding;
};

static struct map by_key;

static bool same_key(const struct map_node *n, const void *key, size_t len)
{
	const struct pg_client *c = list_owner((struct map_node *)(uintptr_t)n, struct pg_client, by_key);
	return memcmp(&c->key, key, len) == 0;
}

bool pg_login_new(struct pg_client *c)
{
	c->login = calloc(1, sizeof *c->login);
	return c->login != NULL;
}

static void end_login(struct pg_client *c)
{
	if (!c->login)
		return;
	ask_cancel(&c->login->ask);
	helper_cancel(&c->login->outside);
	free(c->login->query);
	secret_clear(&c->login->secret);
	config_put(c->login->config);
	str_wipe(c->login, sizeof *c->login);
	free(c->login);
	c->login = NULL;
}

void pg_login_free(struct pg_client *c)
{
	if (c->key)
		map_del(&by_key, &c->by_key);
	end_login(c);
}

/* --- Cancel keys. With a peer_id two bytes of them name this process, and two bits say how often the request may yet
 * be passed on; so does PgBouncer, and either may forward to the other. */

#define KEY_HOPS UINT64_C(3)

static uint32_t key_peer(uint64_t key)
{
	return (uint32_t)(key >> 48 & 0xff) | (uint32_t)(key >> 40 & 0xff) << 8;
}

/* One that nobody guesses: the process id in it is as random as the secret, and positive. */
static bool make_key(uint64_t *key)
{
	uint64_t id = (uint64_t)config_num(config_now(), SET_peer_id, NULL, NULL);
	if (!crypto_random(key, sizeof *key))
		return false;
	*key &= UINT64_C(0x7fffffffffffffff);
	if (id) {
		*key &= ~(UINT64_C(0xffff) << 40);
		*key |= (id & 0xff) << 48 | (id >> 8) << 40 | KEY_HOPS;
	}
	return *key != 0;
}

void pg_welcome(struct session *s, const struct varset *reported)
{
	struct pg_client *c = pg_client_of(s);
	const struct varset *all = reported ? varset_over(reported, s->vars) : varset_ref(s->vars);
	const char *message = config_text(config_now(), SET_login_notify_message, NULL, NULL);
	uint8_t tail[PG_KEY_TAIL], *p;
	size_t tail_len = c->has_long_key ? sizeof tail : 0, n = PG_HEADER + 8 + tail_len + 6;

	end_login(c);
	if (!all || !make_key(&c->key) || (c->has_long_key && !pg_key_tail(c->key, tail)) ||
	    !map_add(&by_key, &c->by_key, &c->key, sizeof c->key)) {
		c->key = 0;
		varset_put(all);
		struct fault f;
		fault_set(&f, FAULT_NOMEM, "no memory for the session");
		session_fail(s, &f);
		return;
	}
	for (uint32_t i = 0; i < all->count; i++)
		n += PG_HEADER + all->at[i].name->len + 1 + all->at[i].value->len + 1;
	if (message[0])
		n += PG_NOTICE_ROOM + strlen(message);
	p = stream_put_room(&s->stream, n);
	if (p) {
		struct pg_out o = pg_out(p, n);
		for (uint32_t i = 0; i < all->count; i++)
			pg_put_parameter(&o, all->at[i].name->s, all->at[i].value->s);
		pg_begin(&o, PG_BACKEND_KEY_DATA);
		pg_put_u32(&o, (uint32_t)(c->key >> 32));
		pg_put_u32(&o, (uint32_t)c->key);
		pg_put(&o, tail, tail_len);
		pg_end(&o);
		if (message[0])
			pg_put_notice(&o, message);
		pg_put_ready(&o, 'I');
		ASSERT(!o.bad && o.len == n);
	}
	varset_put(all);
	if (stream_kept(&s->stream))
		session_resume_input(s);
}

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

/* A key of another process of the group, with its tail, of which we know nothing. True: it is closed when the request
 * is through. */
static bool forward_cancel(struct session *s, uint64_t key, struct rd tail)
{
	uint32_t own = (uint32_t)config_num(config_now(), SET_peer_id, NULL, NULL), peer = key_peer(key);
	uint8_t bytes[ENGINE_BYTES_MAX];
	struct pg_out o = pg_out(bytes, sizeof bytes);

	if (!own || peer == own || !config_find_peer(config_now(), peer))
		return false;
	if (!(key & KEY_HOPS)) {
		log_warn(&s->log, "a cancel request went from peer to peer too often: is the peer_id of each its own?");
		return false;
	}
	log_info(&s->log, "cancel request for peer %u", peer);
	key--;
	pg_begin(&o, 0);
	pg_put_u32(&o, PG_CANCEL_CODE);
	pg_put_u32(&o, (uint32_t)(key >> 32));
	pg_put_u32(&o, (uint32_t)key);
	pg_put(&o, tail.p, rd_left(&tail));
	pg_end(&o);
	return session_forward_cancel(s, peer, &pg_engine, bytes, o.len);
}

static void cancel_request(struct session *s, struct rd body)
{
	struct map_node *n = NULL;
	struct pg_client *c;
	uint32_t pid;
	struct rd secret;
	if (pg_parse_key(body, &pid, &secret)) {
		uint64_t key = (uint64_t)pid << 32 | rd_u32be(&secret), ours = key | KEY_HOPS;
		n = map_find(&by_key, &key, sizeof key, same_key);
		if (!n && config_num(config_now(), SET_peer_id, NULL, NULL)) /* it was passed on to us */
			n = map_find(&by_key, &ours, sizeof ours, same_key);
		if (!n && forward_cancel(s, key, secret)) {
			stream_hold(&s->stream, HOLD_OWNER);
			return;
		}
	}
	if (n && (c = list_owner(n, struct pg_client, by_key)) && pg_key_fits(c->key, c->has_long_key, secret)) {
		log_info(&c->s.log, "cancel request");
		if (session_cancel(&c->s, s)) { /* closed when it has got through */
			stream_hold(&s->stream, HOLD_OWNER);
			return;
		}
	}
	session_close(s, "cancel request");
}

static void refuse_encryption(struct session *s, bool *refused, struct rd body)
{
	if (*refused || rd_left(&body) > 0) {
		pg_protocol_fault(s, "encryption asked for twice, or with data behind it");
		return;
	}
	*refused = true;
	stream_put_copy(&s->stream, "N", 1);
}

/* May this connection be encrypted? The kernel is all that sits between us and a unix socket. */
static bool tls_is_for(const struct session *s)
{
	return tls_now(TLS_CLIENTS) && s->addr.family != ADDR_UNIX;
}

/* first: what has come of the client's handshake; NULL when it awaits our answer. */
static void start_tls(struct session *s, struct rd *first)
{
	const struct tls_start how = { .ctx = tls_now(TLS_CLIENTS), .needs_alpn = first != NULL };
	struct fault f;
	if (stream_start_tls(&s->stream, &how, first))
		return;
	fault_set(&f, FAULT_NOMEM, "no memory for TLS");
	session_fail(s, &f);
}

/* Nothing may come behind an SSLRequest: what did came in plain, from anybody on the way, and would be taken for what
 * the client says under encryption (CVE-2021-23222). */
static void ssl_request(struct session *s, struct rd body, const struct rd *behind)
{
	if (s->stream.tls || !tls_is_for(s)) {
		refuse_encryption(s, &pg_client_of(s)->login->ssl_refused, body);
		return;
	}
	if (rd_left(&body) > 0 || rd_left(behind) > 0) {
		pg_protocol_fault(s, "received unencrypted data after SSL request");
		return;
	}
	stream_put_copy(&s->stream, "S", 1);
	start_tls(s, NULL);
}

/* A client that takes TLS for granted begins with its handshake: PostgreSQL 17's sslnegotiation=direct. */
static bool is_direct_tls(struct session *s, const struct rd *in)
{
	const struct pg_login *l = pg_client_of(s)->login;
	return in->p[0] == TLS_HANDSHAKE && !s->stream.tls && tls_is_for(s) && !l->ssl_refused && !l->gss_refused;
}

static bool set_var(struct session *s, const char *name, const char *value)
{
	return varset_set(&s->vars, name, value, strlen(value));
}

static bool is_ignored(const char *name)
{
	return config_list_has(config_now(), SET_ignore_startup_parameters, name);
}

/* Could it be a setting's name? The server knows whether there is one: it is asked at the first statement. */
static bool is_setting(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
	return n && n < 64 && !name[n] && !strchr("0123456789.", name[0]);
}

/* `options`: what is tracked in it is kept, what is configured so is ignored, the rest refuses the login. */
static bool take_options(struct session *s, const char *options, struct fault *f)
{
	struct pg_option o;
	for (;;) {
		switch (pg_next_option(&options, &o)) {
		case PG_OPTION_END:
			return true;
		case PG_OPTION_BAD:
			if (is_ignored("options"))
				return true;
			return fault_set(f, FAULT_PROTO, "unsupported startup parameter in options: %.60s", options);
		case PG_OPTION_OK:
			break;
		}
		if (pg_is_tracked(o.name) || (!is_ignored(o.name) && !is_ignored("options") && is_setting(o.name))) {
			if (!set_var(s, o.name, o.value))
				return fault_set(f, FAULT_NOMEM, "no memory for the session");
		} else if (!is_ignored(o.name) && !is_ignored("options")) {
			fault_set(f, FAULT_PROTO, "unsupported startup parameter in options: %s", o.name);
			fault_hint(f, "List it in ignore_startup_parameters to have it ignored.");
			return false;
		}
	}
}

/* PostgreSQL's own reading: "database", or a boolean, of which a beginning is enough where it can be only one. */
static bool take_replication(struct session *s, const char *value, struct fault *f)
{
	static const struct {
		const char *word;
		size_t least;
		bool is_yes;
	} words[] = { { "true", 1, true },   { "yes", 1, true }, { "on", 2, true },   { "1", 1, true },
		      { "false", 1, false }, { "no", 1, false }, { "off", 2, false }, { "0", 1, false } };
	size_t n = strlen(value);

	if (strcmp(value, "database") == 0) {
		s->replication = REPLICATION_LOGICAL;
		return true;
	}
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (n >= words[i].least && strncasecmp(value, words[i].word, n) == 0) {
			s->replication = words[i].is_yes ? REPLICATION_PHYSICAL : REPLICATION_NONE;
			return true;
		}
	fault_set(f, FAULT_PROTO, "invalid value for parameter \"replication\": \"%.60s\"", value);
	fault_sqlstate(f, "22023");
	fault_hint(f, "Valid values are: \"false\", 0, \"true\", 1, \"database\".");
	return false;
}

struct asked {
	const char *user, *database, *app;
	uint32_t unknown; /* names beginning with _pq_. */
};

static bool take_param(struct session *s, const char *name, const char *value, struct asked *a, struct fault *f)
{
	if (strcmp(name, "user") == 0) {
		a->user = value;
	} else if (strcmp(name, "database") == 0) {
		a->database = value;
	} else if (strcmp(name, "options") == 0) {
		return take_options(s, value, f);
	} else if (strcmp(name, "application_name") == 0) {
		a->app = value;
	} else if (strcmp(name, "replication") == 0) {
		return take_replication(s, value, f);
	} else if (strncmp(name, "_pq_.", 5) == 0) {
		a->unknown++;
	} else if (pg_is_tracked(name) || (!is_ignored(name) && is_setting(name))) {
		if (!set_var(s, name, value))
			return fault_set(f, FAULT_NOMEM, "no memory for the session");
	} else if (!is_ignored(name)) {
		fault_set(f, FAULT_PROTO, "unsupported startup parameter: %.100s", name);
		fault_hint(f, "List it in ignore_startup_parameters to have it ignored.");
		return false;
	}
	return true;
}

static bool take_params(struct session *s, struct rd body, struct asked *a, struct fault *f)
{
	const char *name, *value;
	bool ok;
	while (pg_startup_next(&body, &name, &value, &ok))
		if (!take_param(s, name, value, a, f))
			return false;
	if (!ok)
		return fault_set(f, FAULT_PROTO,
				 "invalid startup packet layout: expected a terminator as its last byte");
	if (!a->user || !*a->user)
		return fault_set(f, FAULT_PROTO, "no username supplied in the startup packet");
	if (!a->database || !*a->database)
		a->database = a->user;
	return true;
}

static void ascii_only(char *out, size_t cap, const char *in)
{
	size_t n = 0;
	for (; in[n] && n + 1 < cap; n++)
		out[n] = in[n] >= 0x20 && in[n] < 0x7f ? in[n] : '?';
	out[n] = 0;
}

static bool take_app_name(struct session *s, const char *app, struct fault *f)
{
	char named[256], with_host[256], at[ADDR_TEXT_MAX];
	if (config_num(config_now(), SET_application_name_add_host, NULL, NULL)) {
		addr_text(&s->addr, at);
		str_fmt(with_host, sizeof with_host, "%s%s%s", app ? app : "", app && *app ? " - " : "app - ", at);
		app = with_host;
	}
	if (app)
		ascii_only(named, sizeof named, app); /* as servers themselves do */
	if (app && !set_var(s, "application_name", named))
		return fault_set(f, FAULT_NOMEM, "no memory for the session");
	return true;
}

/* Versions above 3.2 and unknown protocol options: what we do know is said, as PostgreSQL 18 does. PostgreSQL docs,
 * NegotiateProtocolVersion. */
static void negotiate(struct session *s, uint32_t version, struct rd body, uint32_t unknown)
{
	size_t n = PG_HEADER + 8 + rd_left(&body);
	const char *name, *value;
	bool ok;
	uint8_t *p = malloc(n);
	if (!p)
		return;
	struct pg_out o = pg_out(p, n);
	pg_begin(&o, PG_NEGOTIATE);
	pg_put_u32(&o, version);
	pg_put_u32(&o, unknown);
	while (pg_startup_next(&body, &name, &value, &ok))
		if (strncmp(name, "_pq_.", 5) == 0)
			pg_put_cstr(&o, name);
	pg_end(&o);
	if (!o.bad)
		stream_put_copy(&s->stream, o.p, o.len);
	free(p);
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

/* On the console's unix socket the kernel vouches for whoever runs as the user that Sluice runs as. */
static bool is_own_user(const struct session *s, const char *user)
{
	uid_t uid;
	gid_t gid;
	pid_t pid;
	return s->addr.family == ADDR_UNIX && (strcmp(user, "pgbouncer") == 0 || strcmp(user, "sluice") == 0) &&
	       peer_identity(s->stream.io.fd, &uid, &gid, &pid) && uid == geteuid();
}

static void startup(struct session *s, uint32_t version, struct rd body)
{
	struct pg_client *c = pg_client_of(s);
	struct pg_login *l = c->login;
	struct asked a = { NULL, NULL, NULL, 0 };
	struct fault f;
	struct database *db;

	if (version >> 16 != 3) {
		fault_set(&f, FAULT_UNSUP, "unsupported frontend protocol %u.%u: server supports 3.0 to 3.2",
			  version >> 16, version & 0xffff);
		session_fail(s, &f);
		return;
	}
	if (tls_mode_now(TLS_CLIENTS) >= TLS_REQUIRE && !s->stream.tls && tls_is_for(s)) {
		pg_protocol_fault(s, "SSL required");
		return;
	}
	if (!take_params(s, body, &a, &f) || !take_app_name(s, a.app, &f)) {
		session_fail(s, &f);
		return;
	}
	if (!str_copy(l->user, sizeof l->user, a.user) || !str_copy(l->database, sizeof l->database, a.database)) {
		pg_protocol_fault(s, "user name or database name is longer than 63 bytes");
		return;
	}
	uint32_t spoken = version < PG_VERSION_3_2 ? version : PG_VERSION_3_2;
	c->has_long_key = spoken == PG_VERSION_3_2;
	if (spoken != version || a.unknown)
		negotiate(s, spoken, body, a.unknown);
	/* One that "*" would make is made for those only who have logged in. */
	db = database_peek(l->database);
	if (!db || db->dropped)
		db = config_find_db(config_now(), l->database) ? database_find(l->database, &f) : NULL;
	l->no_such_db = !db && !database_is_known(l->database);
	if (db && db->exchange) {
		s->is_own_user = is_own_user(s, l->user);
		s->replication = REPLICATION_NONE; /* the console has no changes to tell */
	}
	bool any = config_num(config_now(), SET_auth_type, NULL, NULL) == AUTH_TYPE_ANY;
	session_identify(s, db, user_find(l->user, any || s->is_own_user));
	if (!session_may_enter(s, &f)) {
		session_fail(s, &f);
		return;
	}
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

/* The packets before the start-up packet is through have no type. */
static void first_packet(struct session *s, struct rd *in)
{
	struct pg_client *c = pg_client_of(s);
	uint32_t code;
	struct rd body;

	switch (pg_first_frame(in, &code, &body)) {
	case FRAME_SHORT:
		return;
	case FRAME_BAD:
		pg_protocol_fault(s, "invalid length of startup packet");
		return;
	case FRAME_OK:
		break;
	}
	switch (code) {
	case PG_SSL_CODE:
		ssl_request(s, body, in);
		break;
	case PG_GSS_CODE:
		refuse_encryption(s, &c->login->gss_refused, body);
		break;
	case PG_CANCEL_CODE:
		cancel_request(s, body);
		break;
	default:
		startup(s, code, body);
		break;
	}
}

static void login_message(struct session *s, const struct pg_msg *m)
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

void pg_login_bytes(struct session *s, struct rd *in)
{
	struct pg_client *c = pg_client_of(s);
	struct pg_msg m;

	while (s->state == SESSION_LOGIN && c->login && !c->login->waits && rd_left(in) > 0) {
		const uint8_t *before = in->p;
		if (!c->login->has_begun) {
			if (is_direct_tls(s, in)) {
				start_tls(s, in);
				return;
			}
			first_packet(s, in);
			if (in->p == before)
				return;
			continue;
		}
		switch (pg_frame(in, PASSWORD_MAX, &m)) {
		case FRAME_SHORT:
			return;
		case FRAME_BAD:
			pg_protocol_fault(s, "invalid length of password message");
			return;
		case FRAME_OK:
			login_message(s, &m);
			break;
		}
	}
}
