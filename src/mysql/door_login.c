/* door_login.c - clients that speak MySQL, from our greeting until they are in. MySQL Source Code Documentation,
 * Client/Server Protocol: Connection Phase, Protocol::HandshakeV10, Protocol::HandshakeResponse41,
 * Protocol::SSLRequest. */
#include "mysql/mysql_int.h"

#include "auth/hba.h"
#include "core/str.h"
#include "mysql/login.h"
#include "net/listen.h"
#include "net/tls.h"
#include "route/route.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define PACKET_MAX      32768u /* of a login: who one is, and connection attributes */
#define COLLATION       45u    /* utf8mb4_general_ci */
#define VERSION_UNKNOWN "8.0.0-sluice"
#define FIRST_0900      248u /* collations from here to 255 are MySQL 8's alone */

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
	(MYSQL_CAP_DEPRECATE_EOF | MYSQL_CAP_QUERY_ATTRIBUTES | MARIADB_CAP_PROGRESS | MARIADB_CAP_BULK |              \
	 MARIADB_CAP_EXTENDED_TYPES)

/* What a client needs until it is in, and no longer. */
struct mysql_login {
	struct mysql_door_login auth;
	struct config *config; /* counted: the rule is in it; NULL before there is a method */
	uint64_t offered;
	bool has_begun;  /* it has said who it is */
	bool no_such_db; /* told after authentication: names of databases are not for everybody */
	bool takes_any;
	uint8_t collation;
	uint8_t nonce[MYSQL_NONCE_LEN];
	enum mysql_plugin announced;
	char user[64], database[64], host[ADDR_TEXT_MAX];
};

void mysql_login_free(struct mysql_client *c)
{
	if (!c->login)
		return;
	config_put(c->login->config);
	str_wipe(c->login, sizeof *c->login);
	free(c->login);
	c->login = NULL;
}

/* --- The greeting */

static bool tls_is_for(const struct session *s)
{
	return tls_now(TLS_CLIENTS) && s->addr.family != ADDR_UNIX;
}

static const char *version(void)
{
	const char *set = config_text(config_now(), SET_mysql_server_version, NULL, NULL);
	return *set ? set : *mysql_known.version ? mysql_known.version : VERSION_UNKNOWN;
}

void mysql_greet(struct session *s)
{
	struct mysql_client *c = mysql_client_of(s);
	uint8_t bytes[MYSQL_GREETING_MAX];
	struct mysql_out o = mysql_out(bytes, sizeof bytes);
	struct mysql_login *l = c->login = calloc(1, sizeof *l);

	if (!l || !mysql_nonce(l->nonce)) {
		session_close(s, "no memory, or no randomness");
		return;
	}
	l->announced = mysql_plugin_announced(version());
	l->offered = CAPS_ALWAYS | (mysql_known.caps & CAPS_OF_SERVERS) | (tls_is_for(s) ? MYSQL_CAP_SSL : 0);
	if (mysql_known.is_mariadb)
		l->offered &= ~MYSQL_CAP_LONG_PASSWORD;
	struct mysql_greeting g = {
		.version = version(),
		.thread = (uint32_t)s->id,
		.caps = l->offered,
		.collation = COLLATION,
		.status = MYSQL_STATUS_AUTOCOMMIT,
		.plugin = mysql_plugin_name(l->announced),
	};
	memcpy(g.scramble, l->nonce, sizeof g.scramble);
	mysql_put_greeting(&o, &g);
	c->seq = 1;
	if (!o.bad)
		stream_put_copy(&s->stream, o.p, o.len);
}

/* --- Letting in */

void mysql_welcome(struct session *s, const struct varset *reported)
{
	struct mysql_client *c = mysql_client_of(s);
	(void)reported;
	mysql_login_free(c);
	mysql_tell_ok(c);
	c->seq = 1;
	if (stream_kept(&s->stream))
		session_resume_input(s);
}

static void fail(struct session *s, const struct fault *f, const char *why)
{
	const struct mysql_login *l = mysql_client_of(s)->login;
	log_warn(&s->log, "login failed: db=%s user=%s%s%s", l->database, l->user, *why ? ": " : "", why);
	session_fail(s, f);
}

static bool no_memory(struct session *s)
{
	struct fault f;
	fault_set(&f, FAULT_NOMEM, "no memory for the session");
	session_fail(s, &f);
	return false;
}

static void fail_unknown_db(struct session *s)
{
	const struct mysql_login *l = mysql_client_of(s)->login;
	struct fault f;
	if (*l->database)
		fault_set(&f, FAULT_NO_DB, "Unknown database '%s'", l->database);
	else
		fault_set(&f, FAULT_NO_DB, "no database is configured for clients that name none");
	session_fail(s, &f);
}

/* Its character set, as if it had said SET NAMES: servers take a collation by its number there. */
static bool set_collation(struct session *s, uint8_t id)
{
	static const char *const names[] = { "character_set_client", "character_set_connection",
					     "character_set_results", "collation_connection" };
	char number[8];
	if (!id || (mysql_known.is_mariadb && id >= FIRST_0900)) /* a server that does not know it takes its own */
		id = COLLATION;
	const struct mysql_collation *known = mysql_collation_find(s->db, id);
	str_fmt(number, sizeof number, "%u", (unsigned)id);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = !known ? number : i < 3 ? known->set : known->name;
		if (!varset_set(&s->vars, names[i], value, strlen(value)))
			return false;
	}
	return true;
}

/* The default schema that its servers are to have, and what else it came with. */
static bool set_vars(struct session *s)
{
	struct mysql_client *c = mysql_client_of(s);
	const char *schema = *c->login->database ? database_remote_name(s->db) : "";
	s->wait.kind = MYSQL_KIND_IS | (c->caps & MYSQL_KIND_CAPS) | (*schema ? 0 : MYSQL_KIND_NO_SCHEMA);
	return varset_set(&s->vars, MYSQL_SCHEMA, schema, strlen(schema)) && set_collation(s, c->login->collation);
}

static void authenticated(struct session *s)
{
	struct mysql_client *c = mysql_client_of(s);
	struct fault f;

	if (!s->user) {
		struct user *u = user_find(c->login->user, true);
		if (!u) {
			(void)no_memory(s);
			return;
		}
		s->user = user_ref(u);
	}
	if (c->login->no_such_db) {
		fail_unknown_db(s);
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
		fault_set(&f, FAULT_CONFIG, "proxy config error");
		session_fail(s, &f);
		return;
	}
	if (s->db->exchange) {
		c->sink = mysql_sink_new(c);
		if (!c->sink) {
			(void)no_memory(s);
			return;
		}
	} else if (!set_vars(s)) {
		(void)no_memory(s);
		return;
	}
	session_login_done(s);
}

/* --- Who it is */

/* By auth_type, or by the first rule that fits. False: it is refused, or there is no way to let it in. */
static bool pick_auth(struct session *s, enum mysql_auth *how, struct fault *f)
{
	struct mysql_login *l = mysql_client_of(s)->login;
	int64_t type = config_num(config_now(), SET_auth_type, NULL, NULL);
	enum hba_method method = type == AUTH_TYPE_TRUST || type == AUTH_TYPE_ANY   ? HBA_TRUST
				 : type == AUTH_TYPE_PLAIN                          ? HBA_PLAIN
				 : type == AUTH_TYPE_MD5 || type == AUTH_TYPE_SCRAM ? HBA_SCRAM
										    : HBA_REJECT;

	l->config = config_ref(config_now());
	l->takes_any = type == AUTH_TYPE_ANY;
	if (s->is_own_user) { /* the kernel says who it is */
		method = HBA_TRUST;
	} else if (type == AUTH_TYPE_HBA) {
		const struct hba_client asks = {
			.addr = &s->addr, .database = l->database, .user = l->user, .is_tls = s->stream.tls != NULL
		};
		const struct hba_rule *rule = hba_pick(&l->config->access->hba, &asks);
		method = rule && !rule->wants_cert ? rule->method : HBA_REJECT;
	}
	switch (method) {
	case HBA_TRUST:
		*how = MYSQL_AUTH_TRUST;
		return s->user != NULL || l->takes_any;
	case HBA_PLAIN:
	case HBA_MD5:
	case HBA_SCRAM:
		*how = MYSQL_AUTH_PASSWORD;
		return true;
	case HBA_CERT:
	case HBA_PEER:
	case HBA_PAM:
	case HBA_LDAP:
		log_warn(&s->log, "clients of MySQL's protocol cannot prove themselves by this method yet");
		break;
	case HBA_REJECT:
		break;
	}
	(void)f;
	return false;
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
	str_wipe(out, MYSQL_HEADER + MYSQL_LOGIN_OUT_MAX);
	switch (is) {
	case MYSQL_LOGIN_MORE:
	case MYSQL_LOGIN_WAIT:
		break;
	case MYSQL_LOGIN_OK:
		authenticated(s);
		break;
	case MYSQL_LOGIN_FAIL:
		fail(s, f, f->kind == FAULT_AUTH ? mysql_door_why(&c->login->auth) : "");
		break;
	case MYSQL_LOGIN_ASK: /* nobody else is asked yet */
		mysql_protocol_fault(s, "the password cannot be checked");
		break;
	}
}

static bool is_own_user(const struct session *s, const char *user)
{
	uid_t uid;
	gid_t gid;
	pid_t pid;
	return s->addr.family == ADDR_UNIX && (strcmp(user, "pgbouncer") == 0 || strcmp(user, "sluice") == 0) &&
	       peer_identity(s->stream.io.fd, &uid, &gid, &pid) && uid == geteuid();
}

/* Who names no database has no default schema, and is served by the first that speaks his protocol. */
static struct database *find_db(struct mysql_login *l, struct fault *f)
{
	if (!*l->database) {
		LIST_EACH (&config_now()->databases, it) {
			const struct db_conf *d = list_owner(it, struct db_conf, in_all);
			if (d->kind == DB_MYSQL && strcmp(d->name, "*") != 0)
				return database_find(d->name, f);
		}
		l->no_such_db = true;
		return NULL;
	}
	/* One that "*" would make is made for those only who have logged in. */
	struct database *db = database_peek(l->database);
	if (!db || db->dropped)
		db = config_find_db(config_now(), l->database) ? database_find(l->database, f) : NULL;
	l->no_such_db = !db && !database_is_known(l->database);
	return db;
}

static void response(struct session *s, const struct mysql_response *r)
{
	struct mysql_client *c = mysql_client_of(s);
	struct mysql_login *l = c->login;
	uint8_t out[MYSQL_HEADER + MYSQL_LOGIN_OUT_MAX];
	enum mysql_auth how = MYSQL_AUTH_PASSWORD;
	struct fault f;
	size_t n = 0;

	l->has_begun = true;
	l->collation = r->collation;
	c->caps = r->caps & l->offered;
	if (tls_mode_now(TLS_CLIENTS) >= TLS_REQUIRE && !s->stream.tls && tls_is_for(s)) {
		fault_set(&f, FAULT_DENIED, "Connections using insecure transport are prohibited");
		fault_mysql(&f, 3159, "HY000");
		session_fail(s, &f);
		return;
	}
	if (!str_copy(l->user, sizeof l->user, r->user) || !str_copy(l->database, sizeof l->database, r->database)) {
		mysql_protocol_fault(s, "user name or database name is longer than 63 bytes");
		return;
	}
	addr_host_text(&s->addr, l->host);
	struct database *db = find_db(l, &f);
	if (db && db->exchange)
		s->is_own_user = is_own_user(s, l->user);
	bool any = config_num(config_now(), SET_auth_type, NULL, NULL) == AUTH_TYPE_ANY;
	session_identify(s, db, user_find(l->user, any || s->is_own_user));
	if (!session_may_enter(s, &f)) {
		session_fail(s, &f);
		return;
	}
	bool may = pick_auth(s, &how, &f);
	struct mysql_door_asks asks = {
		.how = how,
		.user = l->user,
		.host = l->host,
		.secret = s->user ? &s->user->secret : NULL,
		.nobody_as = SECRET_PLAIN,
		.is_private = s->stream.tls != NULL || s->addr.family == ADDR_UNIX,
		.has_plugins = (r->caps & MYSQL_CAP_PLUGIN_AUTH) != 0,
		.announced = l->announced,
		.nonce = l->nonce,
		.plugin = r->plugin,
		.response = r->auth,
	};
	enum mysql_login_verdict is = mysql_door_login_begin(&l->auth, &asks, out + MYSQL_HEADER, &n, &f);
	if (!may)
		is = mysql_door_refuse(&l->auth, &f);
	verdict(s, is, out, n, &f);
}

static void start_tls(struct session *s, struct rd *first)
{
	const struct tls_start how = { .ctx = tls_now(TLS_CLIENTS) };
	if (!tls_is_for(s) || s->stream.tls)
		mysql_protocol_fault(s, "encryption was not offered, or is there already");
	else if (!stream_start_tls(&s->stream, &how, rd_left(first) ? first : NULL))
		(void)no_memory(s);
}

void mysql_login_bytes(struct session *s, struct rd *in)
{
	struct mysql_client *c = mysql_client_of(s);
	struct mysql_packet m;

	while (s->state == SESSION_LOGIN && c->login) {
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
			fault_mysql(&f, 1156, "08S01");
			session_fail(s, &f);
			return;
		}
		c->seq++;
		if (!c->login->has_begun) {
			struct mysql_response r;
			if (!mysql_read_response(m.body, &r)) {
				mysql_protocol_fault(s, "malformed answer to the greeting, or one of before MySQL 4.1");
				return;
			}
			if (r.is_tls_request) { /* what is behind it is TLS already */
				start_tls(s, in);
				return;
			}
			response(s, &r);
		} else {
			uint8_t out[MYSQL_HEADER + MYSQL_LOGIN_OUT_MAX];
			struct fault f;
			size_t n = 0;
			verdict(s, mysql_door_login_step(&c->login->auth, m.body, out + MYSQL_HEADER, &n, &f), out, n,
				&f);
		}
	}
}
