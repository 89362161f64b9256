/* door_login.c - clients that speak PostgreSQL, from their first packet until they are in. PostgreSQL docs,
 * Frontend/Backend Protocol, Message Flow: Start-up, Canceling Requests in Progress, SSL Session Encryption. */
#include "pg/door_login_int.h"

#include "auth/crypto.h"
#include "core/assert.h"
#include "core/str.h"
#include "net/listen.h"
#include "net/tls.h"
#include "pg/key.h"
#include "pg/startup.h"

#include <stdlib.h>
#include <strings.h>

#define PASSWORD_MAX  8192u /* body of a PasswordMessage or SASL response */
#define TLS_HANDSHAKE 0x16  /* the first byte of a TLS record that has a ClientHello; of no start-up packet */

static struct map by_key;

static bool same_key(const struct map_node *n, const void *key, size_t len)
{
	const struct pg_client *c = list_owner((struct map_node *)(uintptr_t)n, struct pg_client, by_key);
	return memcmp(&c->key, key, len) == 0;
}

bool pg_login_new(struct pg_client *c)
{
	c->login = malloc(sizeof *c->login);
	if (c->login)
		memset(c->login, 0, offsetof(struct pg_login, auth.scram));
	return c->login != NULL;
}

static void end_login(struct pg_client *c)
{
	if (!c->login)
		return;
	entry_end(&c->login->entry);
	if (c->login->auth.method == PG_AUTH_SCRAM) /* who knows a verifier can take the server's part */
		str_wipe(c->login->auth.scram.keys, sizeof c->login->auth.scram.keys);
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

/* What the last client was told of its settings, which the next one mostly is told, too. */
static struct {
	const struct varset *reported, *vars; /* counted */
	uint8_t *bytes;                       /* owned */
	size_t len;
} told;

/* The ParameterStatus messages of these. False when out of memory, or for more of them than there may be. */
static bool tell_vars(const struct varset *reported, const struct varset *vars)
{
	struct var all[VARSET_MAX + 1];
	if (told.bytes && told.reported == reported && told.vars == vars)
		return true;
	size_t count = varset_list_over(reported, vars, all), n = 0;
	if (count > VARSET_MAX)
		return false;
	for (size_t i = 0; i < count; i++)
		n += PG_HEADER + all[i].name->len + 1 + all[i].value->len + 1;
	uint8_t *bytes = malloc(n + 1);
	if (!bytes)
		return false;
	struct pg_out o = pg_out(bytes, n);
	for (size_t i = 0; i < count; i++)
		pg_put_parameter(&o, all[i].name->s, all[i].value->s);
	ASSERT(!o.bad && o.len == n);
	varset_ref(reported);
	varset_ref(vars);
	varset_put(told.reported);
	varset_put(told.vars);
	free(told.bytes);
	told.reported = reported;
	told.vars = vars;
	told.bytes = bytes;
	told.len = n;
	return true;
}

void pg_welcome(struct session *s, const struct varset *reported)
{
	struct pg_client *c = pg_client_of(s);
	const char *message = config_text(config_now(), SET_login_notify_message, NULL, NULL);
	uint8_t tail[PG_KEY_TAIL], *p;
	size_t tail_len = c->has_long_key ? sizeof tail : 0, n = PG_HEADER + 8 + tail_len + 6;

	end_login(c);
	if (!tell_vars(reported ? reported : s->vars, s->vars) || !make_key(&c->key) ||
	    (c->has_long_key && !pg_key_tail(c->key, tail)) || !map_add(&by_key, &c->by_key, &c->key, sizeof c->key)) {
		c->key = 0;
		struct fault f;
		fault_set(&f, FAULT_NOMEM, "no memory for the session");
		session_fail(s, &f);
		return;
	}
	n += told.len;
	if (message[0])
		n += PG_NOTICE_ROOM + strlen(message);
	p = stream_put_room(&s->stream, n);
	if (p) {
		struct pg_out o = pg_out(p, n);
		pg_put(&o, told.bytes, told.len);
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
	if (stream_kept(&s->stream))
		session_resume_input(s);
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

/* One could not be set. */
static bool no_room(const struct session *s, struct fault *f)
{
	if (s->vars->count < VARSET_MAX)
		return fault_set(f, FAULT_NOMEM, "no memory for the session");
	return fault_set(f, FAULT_PROTO, "more than %u settings in the start-up packet", VARSET_MAX);
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
		const char *from = options + strspn(options, " \t\n\r\f\v");
		switch (pg_next_option(&options, &o)) {
		case PG_OPTION_END:
			return true;
		case PG_OPTION_BAD:
			if (is_ignored("options"))
				return true;
			return fault_set(f, FAULT_PROTO,
					 "unsupported startup parameter in options: only -c name=value and "
					 "--name=value can be had, not %.60s",
					 from);
		case PG_OPTION_OK:
			break;
		}
		if (pg_is_tracked(o.name) || (!is_ignored(o.name) && !is_ignored("options") && is_setting(o.name))) {
			if (!set_var(s, o.name, o.value))
				return no_room(s, f);
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
			return no_room(s, f);
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
		return no_room(s, f);
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

static void startup(struct session *s, uint32_t version, struct rd body)
{
	struct pg_client *c = pg_client_of(s);
	struct entry *e = &c->login->entry;
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
	if (!str_copy(e->user, sizeof e->user, a.user)) {
		pg_protocol_fault(s, "user name is longer than 127 bytes");
		return;
	}
	if (!str_copy(e->database, sizeof e->database, a.database)) {
		pg_protocol_fault(s, "database name is longer than 63 bytes");
		return;
	}
	uint32_t spoken = version < PG_VERSION_3_2 ? version : PG_VERSION_3_2;
	c->has_long_key = spoken == PG_VERSION_3_2;
	if (spoken != version || a.unknown)
		negotiate(s, spoken, body, a.unknown);
	/* One that "*" would make is made for those only who have logged in. */
	db = database_peek(e->database);
	if (!db || db->dropped)
		db = config_find_db(config_now(), e->database) ? database_find(e->database, &f) : NULL;
	e->no_such_db = !db && !database_is_known(e->database);
	if (db && db->exchange) {
		s->is_own_user = entry_is_own_user(s, e->user);
		s->replication = REPLICATION_NONE; /* the console has no changes to tell */
	}
	bool any = config_num(config_now(), SET_auth_type, NULL, NULL) == AUTH_TYPE_ANY;
	session_identify(s, db, user_find(e->user, any || s->is_own_user));
	if (!session_may_enter(s, &f)) {
		session_fail(s, &f);
		return;
	}
	pg_login_authenticate(s);
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

void pg_login_bytes(struct session *s, struct rd *in)
{
	struct pg_client *c = pg_client_of(s);
	struct pg_msg m;

	while (s->state == SESSION_LOGIN && c->login && !c->login->entry.waits && rd_left(in) > 0) {
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
			pg_login_message(s, &m);
			break;
		}
	}
}
