/* engine_login.c - servers that speak MySQL, from their greeting until they have let us in. MySQL Source Code
 * Documentation, Client/Server Protocol: Connection Phase. */
#include "mysql/mysql_int.h"

#include "core/str.h"
#include "mysql/charset.h"
#include "mysql/errors.h"
#include "mysql/login.h"
#include "mysql/zip.h"
#include "net/tls.h"

#include <stdlib.h>
#include <unistd.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0.0.0"
#endif

#define PACKET_MAX (1u << 30) /* that we take, as servers' own clients say at most */

/* Of what a server offers these are always taken. */
#define CAPS_WANTED                                                                                                    \
	(MYSQL_CAP_LONG_PASSWORD | MYSQL_CAP_LONG_FLAG | MYSQL_CAP_PROTOCOL_41 | MYSQL_CAP_TRANSACTIONS |              \
	 MYSQL_CAP_SECURE_CONNECTION | MYSQL_CAP_PLUGIN_AUTH | MYSQL_CAP_AUTH_LENENC | MYSQL_CAP_CONNECT_ATTRS |       \
	 MYSQL_CAP_SESSION_TRACK | MARIADB_CAP_BULK)
/* And without these nobody is served. */
#define CAPS_NEEDED (MYSQL_CAP_PROTOCOL_41 | MYSQL_CAP_SECURE_CONNECTION)

struct mysql_engine_state {
	struct mysql_engine_login auth;
	struct secret secret; /* owned: a reload may change the user's own meanwhile */
	bool has_greeted, has_answered, is_in;
	uint8_t seq; /* of our next packet */
	uint64_t caps;
	uint8_t scramble[MYSQL_SCRAMBLE];
	char plugin[MYSQL_PLUGIN_MAX];
};

void mysql_engine_login_free(struct mysql_server *p)
{
	if (!p->login)
		return;
	secret_clear(&p->login->secret);
	str_wipe(p->login, sizeof *p->login);
	free(p->login);
	p->login = NULL;
}

/* Asked before the greeting, or, when the connection is encrypted by now, behind it. */
static bool send_response(struct server *sv);

void mysql_engine_start(struct server *sv)
{
	struct mysql_server *p = mysql_server_of(sv);
	if (sv->tls == SERVER_TLS_UP) {
		(void)send_response(sv);
		return;
	}
	mysql_engine_login_free(p); /* of an attempt that was given up */
	p->login = calloc(1, sizeof *p->login);
	if (!p->login)
		mysql_no_memory(sv);
}

/* --- Compression */

int mysql_server_zip_level(const struct server *sv)
{
	return (int)config_num(sv->pool->config, SET_server_compression_level, sv->pool->db->conf, NULL);
}

/* The capability of the kind that the database's servers are to have; 0: none. */
static uint64_t zip_cap(struct server *sv, const struct mysql_greeting *g)
{
	static const uint64_t caps[] = { 0, MYSQL_CAP_COMPRESS, MYSQL_CAP_ZSTD };
	enum mysql_zip kind =
		(enum mysql_zip)config_num(sv->pool->config, SET_server_compression, sv->pool->db->conf, NULL);
	if (kind == MYSQL_ZIP_NONE || sv->errand) /* a word or two does not pay */
		return 0;
	if (mysql_zip_has(kind) && g->caps & caps[kind])
		return caps[kind];
	log_info(&sv->log, "not compressed: %s offer %s",
		 mysql_zip_has(kind) ? "the server does not" : "this build does not", mysql_zip_name(kind));
	return 0;
}

/* --- Our answer */

static void put_attr(struct mysql_out *o, const char *name, const char *value)
{
	mysql_put_text(o, name, strlen(name));
	mysql_put_text(o, value, strlen(value));
}

/* What the server is to know of who comes. In session pooling that is the client for whom the connection is opened,
 * where that is plain: nobody else waits, and nothing else is being opened. The connection outlives it, and nobody can
 * tell the server of the next one: it is Sluice that comes. */
static void put_attrs(struct server *sv, struct mysql_out *a)
{
	struct pool *pool = sv->pool;
	struct session *s = sv->is_apart ? NULL : session_alone_in_line(pool);
	const struct istr *theirs =
		s && s->mode == POOL_SESSION && s->wait.kind == sv->kind ? mysql_client_of(s)->attrs : NULL;
	char pid[16];
	if (pool->count[SERVER_CONNECT] + pool->count[SERVER_LOGIN] > 1)
		theirs = NULL;
	if (theirs) {
		mysql_put(a, theirs->s, theirs->len);
	} else {
		str_fmt(pid, sizeof pid, "%ld", (long)getpid());
		put_attr(a, "_client_name", "sluice");
		put_attr(a, "_client_version", PACKAGE_VERSION);
		put_attr(a, "_pid", pid);
		put_attr(a, "program_name", "sluice");
	}
	put_attr(a, "sluice_database", pool->db->name->s);
}

static bool send_response(struct server *sv)
{
	struct mysql_server *p = mysql_server_of(sv);
	struct mysql_engine_state *l = p->login;
	bool is_private = sv->stream.tls != NULL || sv->addr.family == ADDR_UNIX;
	uint8_t auth[MYSQL_LOGIN_OUT_MAX], attrs[MYSQL_ATTRS_MAX + 512],
		bytes[MYSQL_LOGIN_OUT_MAX + 1024 + sizeof attrs];
	struct mysql_out a = mysql_out(attrs, sizeof attrs), o = mysql_out(bytes, sizeof bytes);
	struct secret *secret = pool_secret(sv->pool);
	const char *plugin;
	struct fault f;
	size_t n = 0;

	sv->secret_used = secret_for_servers(secret);
	secret_clear(&l->secret);
	if (!secret_copy_for_servers(&l->secret, secret)) {
		mysql_no_memory(sv);
		return false;
	}
	enum mysql_login_verdict begun =
		mysql_engine_login_begin(&l->auth, sv->pool->user->name->s, &l->secret, is_private, l->plugin,
					 rd_of(l->scramble, sizeof l->scramble), &plugin, auth, &n, &f);
	secret_note(secret, &l->secret);
	if (begun == MYSQL_LOGIN_FAIL) {
		fault_add(&f, "cannot log in to the server as \"%s\"", sv->pool->user->name->s);
		server_fail(sv, &f);
		return false;
	}
	put_attrs(sv, &a);
	struct mysql_response r = {
		.caps = p->caps,
		.max_packet = PACKET_MAX,
		.collation = MYSQL_HOUSE_COLLATION,
		.user = sv->pool->user->name->s,
		.auth = rd_of(auth, n),
		.database = database_remote_name(sv->pool->db),
		.plugin = plugin,
		.attrs = rd_of(a.p, a.len),
		.zstd_level = (uint8_t)mysql_server_zip_level(sv),
	};
	mysql_put_response(&o, l->seq, &r);
	str_wipe(auth, sizeof auth);
	if (o.bad) {
		mysql_broken(sv, "the answer to its greeting would be too long");
		return false;
	}
	stream_put_copy(&sv->stream, o.p, o.len);
	str_wipe(bytes, sizeof bytes);
	l->has_answered = true;
	return true;
}

/* Everything that its clients will say and hear was agreed on with them before. */
static bool has_kind(struct server *sv, const struct mysql_greeting *g)
{
	uint64_t lacks = ((sv->kind & MYSQL_KIND_CAPS) | CAPS_NEEDED) & ~g->caps;
	struct fault f;
	if (!lacks)
		return true;
	fault_set(&f, FAULT_UNSUP, "the server (%.60s) lacks what its client was promised (capabilities %llx)",
		  g->version, (unsigned long long)lacks);
	fault_hint(&f, "Connect again: clients are promised no more than this server has from now on.");
	if (sv->is_own || sv->is_apart) {
		server_fail(sv, &f);
		return false;
	}
	/* Nothing is wrong with the server, and others may be content with it. */
	pool_refuse_kind(sv->pool, sv->kind, sv->kind & (g->caps | ~MYSQL_KIND_CAPS), &f);
	server_close(sv, f.text, NULL);
	return false;
}

/* more: bytes that came with it. */
static bool greeted(struct server *sv, struct rd body, size_t more)
{
	struct mysql_server *p = mysql_server_of(sv);
	struct mysql_engine_state *l = p->login;
	struct mysql_greeting g;
	struct fault f;
	bool must;

	if (!mysql_read_greeting(body, &g)) {
		mysql_broken(sv, "malformed greeting");
		return false;
	}
	l->has_greeted = true;
	if (!mysql_known_learn(sv->pool->db, &g)) {
		mysql_no_memory(sv);
		return false;
	}
	if (!has_kind(sv, &g))
		return false;
	memcpy(l->scramble, g.scramble, sizeof l->scramble);
	str_fmt(l->plugin, sizeof l->plugin, "%s", g.plugin);
	sv->pid = g.thread;
	const struct mysql_known *known = mysql_known_of(sv->pool->db);
	p->is_mariadb = known->is_mariadb;
	p->number = known->number;
	p->status = g.status;
	p->caps = (CAPS_WANTED & g.caps) | (sv->kind & MYSQL_KIND_CAPS);
	if (!(sv->kind & MYSQL_KIND_NO_SCHEMA))
		p->caps |= MYSQL_CAP_CONNECT_WITH_DB;
	p->caps |= zip_cap(sv, &g);
	bool wants = server_wants_tls(sv, &must);
	if (wants && g.caps & MYSQL_CAP_SSL && more) { /* in plain, from anybody on the way */
		mysql_broken(sv, "data behind its greeting, before encryption");
		return false;
	}
	if (wants && g.caps & MYSQL_CAP_SSL) {
		uint8_t bytes[64];
		struct mysql_out o = mysql_out(bytes, sizeof bytes);
		p->caps |= MYSQL_CAP_SSL;
		mysql_put_response(&o, l->seq++,
				   &(struct mysql_response){ .caps = p->caps,
							     .max_packet = PACKET_MAX,
							     .collation = MYSQL_HOUSE_COLLATION,
							     .is_tls_request = true });
		stream_put_copy(&sv->stream, o.p, o.len);
		(void)server_start_tls(sv); /* start() goes on */
		return false;
	}
	if (must) {
		fault_set(&f, FAULT_CONNECT, "server refused SSL");
		server_fail(sv, &f);
		return false;
	}
	return send_response(sv);
}

/* The SQLSTATE that says what a refused login is about, as MySQL's own do not: the server that does not work (08, as
 * every other way in which it fails), its being full, or who asks. */
static const char *why_not(const struct mysql_err *e)
{
	switch (e->code) {
	case ER_ACCESS_DENIED:
		return "28P01"; /* a second password may do */
	case 1040:              /* too many connections: of all, */
	case 1203:              /* of this user, */
	case 1226:              /* or within an hour */
		return "53300";
	case 1037: /* out of memory, */
	case 1038:
	case 1041:
	case 1135: /* or threads */
	case 1053: /* it shuts down */
	case 1105:
	case 1129: /* our host is blocked, after too many failures */
	case 3032: /* it is in offline mode */
	case 3168:
		return "08001";
	default:
		return strncmp(e->state, "08", 2) == 0 ? "08001" : "42501";
	}
}

static void said_no(struct server *sv, struct rd body)
{
	struct mysql_err e;
	struct fault f;
	if (!mysql_read_err(body, &e)) {
		mysql_broken(sv, "malformed error message");
		return;
	}
	fault_set(&f, FAULT_CONNECT, "%.*s", (int)rd_left(&e.text), (const char *)e.text.p);
	fault_mysql(&f, e.code, e.state);
	if ((e.code == ER_ACCESS_DENIED || e.code == ER_NEEDS_TLS) && sv->tls == SERVER_TLS_NONE && !sv->tls_second &&
	    tls_mode_now(TLS_SERVERS) == TLS_ALLOW) {
		sv->greeted = false;
		fault_sqlstate(&f, "28000"); /* encrypted it may be another matter; most servers do not say why */
	} else {
		fault_sqlstate(&f, why_not(&e));
	}
	server_fail(sv, &f);
}

static bool auth_step(struct server *sv, struct rd body)
{
	struct mysql_server *p = mysql_server_of(sv);
	struct mysql_engine_state *l = p->login;
	uint8_t out[MYSQL_HEADER + MYSQL_LOGIN_OUT_MAX];
	struct mysql_seen seen = { .said = MYSQL_SAID_OK };
	struct fault f;
	size_t n = 0;

	enum mysql_login_verdict verdict = mysql_engine_login_step(&l->auth, body, out + MYSQL_HEADER, &n, &f);
	secret_note(pool_secret(sv->pool), &l->secret);
	switch (verdict) {
	case MYSQL_LOGIN_MORE: {
		struct mysql_out o = mysql_out(out, sizeof out);
		mysql_begin(&o, l->seq++);
		o.len += n;
		mysql_end(&o);
		stream_put_copy(&sv->stream, o.p, o.len);
		str_wipe(out, sizeof out);
		return true;
	}
	case MYSQL_LOGIN_WAIT:
		return true;
	case MYSQL_LOGIN_OK:
		if (!mysql_read_ok(body, p->caps, false, &seen.ok)) {
			mysql_broken(sv, "malformed OK at login");
			return false;
		}
		p->status = seen.ok.status;
		mysql_known_status(sv->pool->db, seen.ok.status & MYSQL_STATUS_SESSION);
		p->expect.caps = p->caps;
		l->is_in = true;
		const char *schema = sv->kind & MYSQL_KIND_NO_SCHEMA ? "" : database_remote_name(sv->pool->db);
		if (!varset_set(&sv->vars, MYSQL_SCHEMA, schema, strlen(schema))) {
			mysql_no_memory(sv);
			return false;
		}
		if (!mysql_take_state(p, &seen))
			return false;
		mysql_forget_told(p);
		if (!mysql_server_pack(p))
			return false;
		if (sv->errand)
			mysql_engine_set_up(p, NULL);
		else
			mysql_own_set_up(p);
		return false;
	case MYSQL_LOGIN_ASK: /* a door's */
	case MYSQL_LOGIN_FAIL:
		break;
	}
	fault_add(&f, "cannot log in to the server as \"%s\"", sv->pool->user->name->s);
	server_fail(sv, &f);
	return false;
}

void mysql_engine_set_up(struct mysql_server *p, const struct fault *f)
{
	struct server *sv = &p->sv;
	mysql_engine_login_free(p);
	if (f) {
		server_fail(sv, f);
		return;
	}
	server_logged_in(sv, varset_ref(sv->vars), varset_ref(sv->vars));
}

bool mysql_engine_login_packet(struct server *sv, struct rd *in)
{
	struct mysql_server *p = mysql_server_of(sv);
	struct mysql_engine_state *l = p->login;
	struct mysql_packet m;

	if (l->is_in)
		return false;
	switch (mysql_frame(in, MYSQL_LOGIN_IN_MAX, &m)) {
	case FRAME_SHORT:
		return false;
	case FRAME_BAD:
		mysql_broken(sv, "packet that is too long for a login");
		return false;
	case FRAME_OK:
		break;
	}
	l->seq = (uint8_t)(m.seq + 1);
	if (rd_left(&m.body) == 0) {
		mysql_broken(sv, "empty packet at login");
		return false;
	}
	if (*m.body.p == MYSQL_ERR) {
		said_no(sv, m.body);
		return false;
	}
	if (!l->has_greeted)
		return greeted(sv, m.body, rd_left(in));
	sv->greeted = true; /* it has an opinion of who we are */
	if (l->has_answered) {
		bool goes_on = auth_step(sv, m.body);
		if (sv->stream.codec && rd_left(in))
			mysql_broken(sv, "data behind the OK that lets us in");
		return goes_on;
	}
	mysql_broken(sv, "data before our answer to its greeting");
	return false;
}
