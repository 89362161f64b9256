/* door_login.c - clients that speak MySQL, from our greeting until they are in. MySQL Source Code Documentation,
 * Client/Server Protocol: Connection Phase, Protocol::HandshakeV10, Protocol::HandshakeResponse41,
 * Protocol::SSLRequest. */
#include "mysql/mysql_int.h"

#include "core/str.h"
#include "mysql/charset.h"
#include "mysql/errors.h"
#include "mysql/login.h"
#include "mysql/zip.h"
#include "net/listen.h"
#include "net/tls.h"
#include "session/entry.h"

#include <inttypes.h>
#include <stdlib.h>

#define PACKET_MAX      32768u /* of a login: who one is, and connection attributes */
#define RESPONSE_MAX    512u   /* of an answer to the greeting: a proof, or a password */
#define PROGRAM_MAX     128u   /* bytes of a client's name for itself; what follows is cut off */
#define VERSION_UNKNOWN "8.0.0-sluice"

/* What clients are offered whatever their server is: it makes no difference, or is translated. */
#define CAPS_ALWAYS                                                                                                    \
	(MYSQL_CAP_LONG_PASSWORD | MYSQL_CAP_FOUND_ROWS | MYSQL_CAP_LONG_FLAG | MYSQL_CAP_CONNECT_WITH_DB |            \
	 MYSQL_CAP_ODBC | MYSQL_CAP_LOCAL_FILES | MYSQL_CAP_IGNORE_SPACE | MYSQL_CAP_PROTOCOL_41 |                     \
	 MYSQL_CAP_INTERACTIVE | MYSQL_CAP_IGNORE_SIGPIPE | MYSQL_CAP_TRANSACTIONS | MYSQL_CAP_RESERVED |              \
	 MYSQL_CAP_SECURE_CONNECTION | MYSQL_CAP_MULTI_STATEMENTS | MYSQL_CAP_MULTI_RESULTS |                          \
	 MYSQL_CAP_PS_MULTI_RESULTS | MYSQL_CAP_PLUGIN_AUTH | MYSQL_CAP_CONNECT_ATTRS | MYSQL_CAP_AUTH_LENENC |        \
	 MYSQL_CAP_SESSION_TRACK)
/* And this where the servers have it. */
#define CAPS_OF_SERVERS                                                                                                \
	(MYSQL_CAP_DEPRECATE_EOF | MYSQL_CAP_QUERY_ATTRIBUTES | MYSQL_CAP_OPTIONAL_METADATA | MARIADB_CAP_PROGRESS |   \
	 MARIADB_CAP_BULK | MARIADB_CAP_EXTENDED_TYPES | MARIADB_CAP_BULK_RESULTS)

/* What a client needs until it is in, and no longer. */
struct mysql_login {
	struct entry entry;
	struct mysql_door_login auth;
	uint64_t offered;
	bool has_begun; /* it has said who it is */
	bool has_plugins;
	uint16_t collation;
	uint8_t nonce[MYSQL_NONCE_LEN];
	enum mysql_plugin announced;
	size_t response_len;
	/* From here on it is not zeroed at first: login_new(). */
	char plugin[MYSQL_PLUGIN_MAX], host[ADDR_TEXT_MAX];
	/* Its answer to the greeting: whom to hold it against may have to be asked first. */
	uint8_t response[RESPONSE_MAX];
};

static struct mysql_login *login_new(void)
{
	struct mysql_login *l = malloc(sizeof *l);
	if (!l)
		return NULL;
	memset(l, 0, offsetof(struct mysql_login, plugin));
	l->plugin[0] = l->host[0] = '\0';
	return l;
}

static struct mysql_login *login_of(const struct entry *e)
{
	return list_owner((struct entry *)(uintptr_t)e, struct mysql_login, entry);
}

void mysql_login_free(struct mysql_client *c)
{
	if (!c->login)
		return;
	entry_end(&c->login->entry);
	str_wipe(c->login->response, c->login->response_len); /* it may be a password */
	free(c->login);
	c->login = NULL;
}

/* --- The greeting */

static bool tls_is_for(const struct session *s)
{
	return tls_now(TLS_CLIENTS) && s->addr.family != ADDR_UNIX;
}

const char *mysql_greeted_as(void)
{
	const struct mysql_known *known = mysql_known_to_all();
	return *known->version ? known->version : VERSION_UNKNOWN;
}

/* What clients may compress with. */
static uint64_t zips_offered(void)
{
	enum { ZIPS_OFF, ZIPS_ZLIB, ZIPS_ZSTD, ZIPS_ANY }; /* the setting's words */
	int64_t which = config_num(config_now(), SET_mysql_client_compression, NULL, NULL);
	uint64_t caps = 0;
	if ((which == ZIPS_ZLIB || which == ZIPS_ANY) && mysql_zip_has(MYSQL_ZIP_ZLIB))
		caps |= MYSQL_CAP_COMPRESS;
	if ((which == ZIPS_ZSTD || which == ZIPS_ANY) && mysql_zip_has(MYSQL_ZIP_ZSTD))
		caps |= MYSQL_CAP_ZSTD;
	return caps;
}

void mysql_greet(struct session *s)
{
	struct mysql_client *c = mysql_client_of(s);
	uint8_t bytes[MYSQL_GREETING_MAX];
	struct mysql_out o = mysql_out(bytes, sizeof bytes);
	struct mysql_login *l = c->login = login_new();

	if (!l || !mysql_nonce(l->nonce)) {
		session_close(s, "no memory, or no randomness");
		return;
	}
	const struct mysql_known *known = mysql_known_to_all();
	const char *version = mysql_greeted_as();
	l->announced = mysql_plugin_announced(version);
	l->offered =
		CAPS_ALWAYS | (known->caps & CAPS_OF_SERVERS) | (tls_is_for(s) ? MYSQL_CAP_SSL : 0) | zips_offered();
	if (known->caps && !(known->caps & MYSQL_CAP_LONG_PASSWORD))
		l->offered &= ~MYSQL_CAP_LONG_PASSWORD; /* it is MariaDB, and has capabilities of its own */
	struct mysql_greeting g = {
		.version = version,
		.thread = mysql_number(s),
		.caps = l->offered,
		.collation = MYSQL_HOUSE_COLLATION,
		.status = MYSQL_STATUS_AUTOCOMMIT,
		.plugin = mysql_plugin_name(l->announced),
	};
	memcpy(g.scramble, l->nonce, sizeof g.scramble);
	memcpy(c->nonce, l->nonce, sizeof c->nonce);
	mysql_put_greeting(&o, &g);
	c->seq = 1;
	c->status = MYSQL_STATUS_AUTOCOMMIT;
	if (!o.bad)
		stream_put_copy(&s->stream, o.p, o.len);
}

/* --- Letting in */

void mysql_welcome(struct session *s, const struct varset *reported)
{
	struct mysql_client *c = mysql_client_of(s);
	(void)reported;
	mysql_login_free(c);
	if (s->mode != POOL_SESSION) { /* no server is its own */
		istr_put(c->attrs);
		c->attrs = NULL;
	}
	mysql_status_begins(c);
	mysql_tell_ok(c);
	c->seq = 1;
	if (!mysql_client_pack(c))
		return;
	if (stream_kept(&s->stream) || stream_coded(&s->stream))
		session_resume_input(s);
}

static bool no_memory(struct session *s)
{
	struct fault f;
	fault_set(&f, FAULT_NOMEM, "no memory for the session");
	session_fail(s, &f);
	return false;
}

/* Its character set as if it had said SET NAMES with COLLATE, by its number as long as it is not known what its servers
 * call it. */
bool mysql_set_collation(struct session *s, uint16_t id, const char *schema)
{
	const struct mysql_collation *known = mysql_collation_find(s->db, id);
	char number[8];
	if (!known)
		str_fmt(number, sizeof number, "%u", (unsigned)id);
	const char *set = known ? known->set : number, *name = known ? known->name : number;
	struct varset_pair pairs[6];
	size_t n = 0;
	pairs[n++] = (struct varset_pair){ MYSQL_SET_CLIENT, set };
	pairs[n++] = (struct varset_pair){ MYSQL_SET_CONNECTION, set };
	pairs[n++] = (struct varset_pair){ MYSQL_SET_RESULTS, set };
	if (!known || !known->is_own)
		pairs[n++] = (struct varset_pair){ MYSQL_RESULTS, name };
	pairs[n++] = (struct varset_pair){ MYSQL_COLLATION, name };
	if (schema)
		pairs[n++] = (struct varset_pair){ MYSQL_SCHEMA, schema };
	return varset_set_all(&s->vars, pairs, n);
}

/* The default schema that its servers are to have, and what else it came with. */
static bool set_vars(struct session *s)
{
	struct mysql_client *c = mysql_client_of(s);
	mysql_status_begins(c);
	const char *schema = *c->login->entry.database ? database_remote_name(s->db) : "";
	s->wait.kind = MYSQL_KIND_IS | (c->caps & MYSQL_KIND_CAPS) | (*schema ? 0 : MYSQL_KIND_NO_SCHEMA);
	return mysql_set_collation(s, c->login->collation, schema);
}

static bool enter(struct entry *e, struct fault *f)
{
	struct mysql_client *c = mysql_client_of(e->s);
	bool ok = true;
	if (e->s->db->exchange)
		ok = (c->sink = mysql_sink_new(c)) != NULL;
	else
		ok = set_vars(e->s);
	return ok || fault_set(f, FAULT_NOMEM, "no memory for the session");
}

/* --- Who it is */

static void fault_of(const struct entry *e, enum entry_no no, struct fault *f)
{
	switch (no) {
	case ENTRY_WRONG:
	case ENTRY_NO_RULE:
	case ENTRY_NO_CERT:
	case ENTRY_OTHER_CERT:
		(void)mysql_door_refuse(&login_of(e)->auth, f);
		break;
	case ENTRY_NO_DB:
		if (*e->database)
			fault_set(f, FAULT_NO_DB, "Unknown database '%s'", e->database);
		else
			fault_set(f, FAULT_NO_DB, "no database is configured for clients that name none");
		break;
	case ENTRY_CONFIG:
		fault_set(f, FAULT_CONFIG, "the proxy's configuration cannot be right; its log says more");
		break;
	}
}

static void verdict(struct session *s, enum mysql_login_verdict is, uint8_t *out, size_t n, const struct fault *f)
{
	struct mysql_client *c = mysql_client_of(s);
	struct mysql_out o = mysql_out(out, MYSQL_HEADER + MYSQL_LOGIN_OUT_MAX);
	if (is == MYSQL_LOGIN_MORE || (is == MYSQL_LOGIN_OK && n)) {
		mysql_begin(&o, c->seq++);
		o.len += n;
		mysql_end(&o);
		stream_put_copy(&s->stream, o.p, o.len);
	}
	str_wipe(out, MYSQL_HEADER + n);
	switch (is) {
	case MYSQL_LOGIN_MORE:
	case MYSQL_LOGIN_WAIT:
		break;
	case MYSQL_LOGIN_OK:
		if (c->login->auth.plugin == MYSQL_PLUGIN_NATIVE || c->login->auth.plugin == MYSQL_PLUGIN_SHA2)
			memcpy(c->nonce, c->login->auth.nonce, sizeof c->nonce);
		entry_let_in(&c->login->entry);
		break;
	case MYSQL_LOGIN_FAIL:
		if (f->kind == FAULT_AUTH)
			entry_refuse(&c->login->entry, ENTRY_WRONG, mysql_door_why(&c->login->auth));
		else
			session_fail(s, f);
		break;
	case MYSQL_LOGIN_ASK:
		entry_ask(&c->login->entry, c->login->auth.password);
		break;
	}
}

static void begin(struct entry *e)
{
	struct session *s = e->s;
	struct mysql_login *l = login_of(e);
	uint8_t out[MYSQL_HEADER + MYSQL_LOGIN_OUT_MAX];
	struct fault f;
	size_t n = 0;
	struct mysql_door_asks asks = {
		.how = MYSQL_AUTH_PASSWORD,
		.user = e->user,
		.host = l->host,
		.secret = entry_secret(e),
		.nobody_as = entry_nobody_as(e),
		.is_private = s->stream.tls != NULL || s->addr.family == ADDR_UNIX,
		.has_plugins = l->has_plugins,
		.announced = l->announced,
		.nonce = l->nonce,
		.plugin = l->plugin,
		.response = rd_of(l->response, l->response_len),
	};
	if (e->method == HBA_PAM || e->method == HBA_LDAP)
		asks.how = MYSQL_AUTH_OUTSIDE;
	else if (e->method == HBA_TRUST || e->method == HBA_PEER || e->method == HBA_CERT)
		asks.how = MYSQL_AUTH_TRUST;
	enum mysql_login_verdict is = mysql_door_login_begin(&l->auth, &asks, out + MYSQL_HEADER, &n, &f);
	verdict(s, is, out, n, &f);
}

/* There is nothing to say before the OK that lets it in. */
static void vouched(struct entry *e)
{
	entry_let_in(e);
}

/* Who names no database has no default schema, and is served by the first that speaks his protocol. */
static struct database *find_db(struct entry *e, struct fault *f)
{
	if (!*e->database) {
		LIST_EACH (&config_now()->databases, it) {
			const struct db_conf *d = list_owner(it, struct db_conf, in_all);
			if (d->kind == DB_MYSQL && strcmp(d->name, "*") != 0)
				return database_find(d->name, f);
		}
		e->no_such_db = true;
		return NULL;
	}
	/* One that "*" would make is made for those only who have logged in. */
	struct database *db = database_peek(e->database);
	if (!db || db->dropped)
		db = config_find_db(config_now(), e->database) ? database_find(e->database, f) : NULL;
	e->no_such_db = !db && !database_is_known(e->database);
	return db;
}

/* A reference to what is mostly what the client before it said, too. *last is counted. */
static const struct istr *same_as_last(const struct istr **last, const void *p, size_t n)
{
	if (!*last || (*last)->len != n || memcmp((*last)->s, p, n) != 0) {
		istr_put(*last);
		*last = istr_get(p, n);
	}
	return *last ? istr_ref(*last) : NULL;
}

static const struct istr *program_name(struct rd value)
{
	static const struct istr *last;
	char text[PROGRAM_MAX];
	if (rd_left(&value) < sizeof text && !memchr(value.p, '\0', rd_left(&value)))
		return same_as_last(&last, value.p, rd_left(&value));
	str_fmt(text, sizeof text, "%.*s", (int)rd_left(&value), (const char *)value.p);
	return same_as_last(&last, text, strlen(text));
}

/* Its connection attributes: the front of them, as far as it is well formed and a server would keep it. Out of memory
 * it has none. */
static void take_attrs(struct mysql_client *c, struct rd attrs)
{
	struct rd name, value;
	static const struct istr *last;
	const uint8_t *from = attrs.p, *end = from;
	istr_put(c->program);
	istr_put(c->attrs);
	c->program = c->attrs = NULL;
	while (mysql_next_attr(&attrs, &name, &value)) {
		if (rd_left(&name) == 12 && memcmp(name.p, "program_name", 12) == 0) {
			istr_put(c->program);
			c->program = program_name(value);
		}
		if ((size_t)(attrs.p - from) <= MYSQL_ATTRS_MAX)
			end = attrs.p;
	}
	if (end > from)
		c->attrs = same_as_last(&last, from, (size_t)(end - from));
}

static void response(struct session *s, const struct mysql_response *r)
{
	static const struct entry_ops ops = { .begin = begin, .fault = fault_of, .vouched = vouched, .enter = enter };
	struct mysql_client *c = mysql_client_of(s);
	struct mysql_login *l = c->login;
	struct entry *e = &l->entry;
	struct fault f;

	l->has_begun = true;
	l->collation = r->collation;
	if (r->caps & MYSQL_CAP_CONNECT_ATTRS)
		take_attrs(c, r->attrs);
	l->has_plugins = (r->caps & MYSQL_CAP_PLUGIN_AUTH) != 0;
	c->zstd_level = r->zstd_level;
	c->caps = r->caps & l->offered;
	if (tls_mode_now(TLS_CLIENTS) >= TLS_REQUIRE && !s->stream.tls && tls_is_for(s)) {
		fault_set(&f, FAULT_DENIED, "Connections using insecure transport are prohibited");
		fault_mysql(&f, ER_NEEDS_TLS, "HY000");
		session_fail(s, &f);
		return;
	}
	if (!str_copy(e->user, sizeof e->user, r->user) || !str_copy(e->database, sizeof e->database, r->database) ||
	    !str_copy(l->plugin, sizeof l->plugin, r->plugin) || rd_left(&r->auth) > sizeof l->response) {
		mysql_protocol_fault(
			s, "user name is longer than 127 bytes, database name than 63, or the proof than 512");
		return;
	}
	l->response_len = rd_left(&r->auth);
	if (l->response_len)
		memcpy(l->response, r->auth.p, l->response_len);
	if (s->addr.family == ADDR_UNIX)
		str_fmt(l->host, sizeof l->host, "localhost");
	else
		addr_host_text(&s->addr, l->host);
	l->auth.user = e->user; /* a refusal may come before there is an exchange */
	l->auth.host = l->host;
	l->auth.has_password = l->response_len > 0;
	struct database *db = find_db(e, &f);
	if (db && db->exchange)
		s->is_own_user = entry_is_own_user(s, e->user);
	bool any = config_num(config_now(), SET_auth_type, NULL, NULL) == AUTH_TYPE_ANY;
	session_identify(s, db, user_find(e->user, any || s->is_own_user));
	if (!session_may_enter(s, &f)) {
		session_fail(s, &f);
		return;
	}
	e->ops = &ops;
	e->s = s;
	entry_begin(e);
}

void mysql_change_user(struct session *s, struct rd body)
{
	struct mysql_client *c = mysql_client_of(s);
	struct mysql_response r;
	struct mysql_login *l = login_new();
	if (!mysql_read_change_user(body, c->caps, &r)) {
		free(l);
		mysql_protocol_fault(s, "malformed COM_CHANGE_USER");
		return;
	}
	if (!l || !session_begin_again(s)) {
		free(l);
		(void)no_memory(s);
		return;
	}
	mysql_forget_state(c);
	l->offered = c->caps;
	/* Servers ask again, whatever comes along: clients know that, and send nothing, or what answers a nonce of long
	 * ago. Who cannot be asked answers the last one. */
	l->announced = r.caps & MYSQL_CAP_PLUGIN_AUTH ? MYSQL_PLUGIN_NONE : MYSQL_PLUGIN_NATIVE;
	memcpy(l->nonce, c->nonce, sizeof l->nonce);
	c->login = l;
	response(s, &r);
}

static void start_tls(struct session *s, struct rd *first)
{
	const struct tls_start how = { .ctx = tls_now(TLS_CLIENTS) };
	if (!tls_is_for(s) || s->stream.tls)
		mysql_protocol_fault(s, "encryption was not offered, or is there already");
	else if (!stream_start_tls(&s->stream, &how, rd_left(first) ? first : NULL))
		(void)no_memory(s);
}

/* Of before MySQL 4.1.1, or made to be like that: it proves passwords by what anybody can break. */
static bool is_too_old(struct session *s, const struct mysql_response *r)
{
	struct fault f;
	if (!r->is_old && (r->is_tls_request || r->caps & (MYSQL_CAP_SECURE_CONNECTION | MYSQL_CAP_PLUGIN_AUTH)))
		return false;
	mysql_client_of(s)->is_old = r->is_old;
	fault_set(
		&f, FAULT_AUTH,
		"Client does not support authentication protocol requested by server; consider upgrading MySQL client");
	fault_mysql(&f, ER_OLD_CLIENT, "08004");
	session_fail(s, &f);
	return true;
}

void mysql_login_bytes(struct session *s, struct rd *in)
{
	struct mysql_client *c = mysql_client_of(s);
	struct mysql_packet m;

	while (s->state == SESSION_LOGIN && c->login && !c->login->entry.waits) {
		enum frame is = mysql_frame(in, PACKET_MAX, &m);
		if (is == FRAME_SHORT)
			return;
		if (is == FRAME_BAD) {
			mysql_protocol_fault(s, "packet that is too long for a login");
			return;
		}
		if (m.seq != c->seq) {
			struct fault f;
			fault_set(&f, FAULT_PROTO, "Got packets out of order");
			fault_mysql(&f, ER_OUT_OF_ORDER, "08S01");
			session_fail(s, &f);
			return;
		}
		c->seq++;
		if (!c->login->has_begun) {
			struct mysql_response r;
			if (!mysql_read_response(m.body, &r)) {
				mysql_protocol_fault(s, "malformed answer to the greeting");
				return;
			}
			if (is_too_old(s, &r))
				return;
			if (r.is_tls_request) { /* what is behind it is TLS already */
				start_tls(s, in);
				return;
			}
			response(s, &r);
		} else {
			uint8_t out[MYSQL_HEADER + MYSQL_LOGIN_OUT_MAX];
			struct fault f;
			size_t n = 0;
			enum mysql_login_verdict said =
				mysql_door_login_step(&c->login->auth, m.body, out + MYSQL_HEADER, &n, &f);
			verdict(s, said, out, n, &f);
		}
	}
}
