/* entry.c - who may come in: what the doors share of a login. */
#include "session/entry.h"

#include "core/str.h"
#include "net/listen.h"
#include "net/tls.h"
#include "route/route.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOLD_WEIGHT_MAX 1000u

void entry_end(struct entry *e)
{
	ask_cancel(&e->ask);
	helper_cancel(&e->outside);
	free(e->query);
	e->query = NULL;
	if (e->secret.kind != SECRET_NONE) /* nothing else of it is one */
		secret_clear(&e->secret);
	config_put(e->config);
	e->config = NULL;
	e->rule = NULL;
}

struct secret *entry_secret(struct entry *e)
{
	return e->found ? &e->secret : e->s->user ? &e->s->user->secret : NULL;
}

void entry_refuse_for(struct entry *e, const struct fault *f, const char *why)
{
	log_warn(&e->s->log, "login failed: db=%s user=%s%s%s", e->database, e->user, *why ? ": " : "", why);
	session_fail(e->s, f);
}

const char *entry_why(struct entry *e)
{
	const struct secret *secret = entry_secret(e);
	switch (e->method) {
	case HBA_PLAIN:
	case HBA_MD5:
	case HBA_SCRAM:
		if (!secret)
			return "there is no such user";
		if (secret->kind == SECRET_NONE)
			return "the user has no password";
		if (secret->kind == SECRET_MD5 && e->method == HBA_SCRAM)
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

void entry_refuse(struct entry *e, enum entry_no no, const char *why)
{
	struct fault f;
	e->ops->fault(e, no, &f);
	entry_refuse_for(e, &f, why ? why : no == ENTRY_WRONG ? entry_why(e) : "");
}

static void no_memory(struct entry *e)
{
	struct fault f;
	fault_set(&f, FAULT_NOMEM, "no memory for the session");
	session_fail(e->s, &f);
}

/* --- Letting in */

/* What auth_query told serves for the servers of this database too, and for the next login. */
static void learn_secret(struct entry *e)
{
	struct session *s = e->s;
	struct pool *p = s->db->exchange ? NULL : e->found ? route_pool(s->db, s->user) : pool_peek(s->db, s->user);
	if (p && p->user == s->user && (e->found || p->has_secret))
		pool_learn(p, e->found ? &e->secret : NULL);
}

void entry_let_in(struct entry *e)
{
	struct session *s = e->s;
	struct fault f;

	if (!s->user) {
		struct user *u = user_find(e->user, true);
		if (!u) {
			no_memory(e);
			return;
		}
		s->user = user_ref(u);
	}
	if (e->no_such_db) {
		e->ops->fault(e, ENTRY_NO_DB, &f);
		session_fail(s, &f);
		return;
	}
	if (!s->db) {
		struct database *db = database_find(e->database, &f);
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
	if (e->takes_any && !s->db->exchange && !s->db->forced) {
		log_error(&s->log, "auth_type = any needs user= in the entry of database \"%s\"", s->db->name->s);
		e->ops->fault(e, ENTRY_CONFIG, &f);
		session_fail(s, &f);
		return;
	}
	if (!e->ops->enter(e, &f)) {
		session_fail(s, &f);
		return;
	}
	learn_secret(e);
	session_login_done(s);
}

/* --- How it is to prove itself */

/* The name in the certificate that it showed, verified; NULL: it showed none. */
static const char *cert_name(struct entry *e)
{
	return tls_peer_cn(e->s->stream.tls, e->cert_name, sizeof e->cert_name) ? e->cert_name : NULL;
}

/* By auth_type, or by the first rule that fits. False: no rule does. */
static bool pick_method(struct entry *e)
{
	static const enum hba_method of_type[] = {
		[AUTH_TYPE_TRUST] = HBA_TRUST, [AUTH_TYPE_PLAIN] = HBA_PLAIN, [AUTH_TYPE_MD5] = HBA_MD5,
		[AUTH_TYPE_SCRAM] = HBA_SCRAM, [AUTH_TYPE_ANY] = HBA_TRUST,   [AUTH_TYPE_CERT] = HBA_CERT,
		[AUTH_TYPE_PEER] = HBA_PEER,   [AUTH_TYPE_PAM] = HBA_PAM,     [AUTH_TYPE_LDAP] = HBA_LDAP,
	};
	struct session *s = e->s;
	int64_t type = config_num(config_now(), SET_auth_type, NULL, NULL);
	const struct hba_client asks = {
		.addr = &s->addr,
		.database = e->database,
		.user = e->user,
		.is_tls = s->stream.tls != NULL,
		.is_replication = s->replication == REPLICATION_PHYSICAL,
	};
	char host[ADDR_TEXT_MAX];

	e->config = config_ref(config_now());
	e->takes_any = type == AUTH_TYPE_ANY;
	if (s->is_own_user) { /* the kernel says who it is */
		e->method = HBA_TRUST;
		return true;
	}
	if (type != AUTH_TYPE_HBA) {
		e->method = of_type[type];
		return true;
	}
	e->rule = hba_pick(&e->config->access->hba, &asks);
	if (e->rule) {
		e->method = e->rule->method;
		return true;
	}
	addr_host_text(&s->addr, host);
	log_warn(&s->log, "no rule of the HBA file fits host \"%s\", user \"%s\", database \"%s\", %s", host, e->user,
		 e->database, asks.is_tls ? "TLS" : "no encryption");
	return false;
}

/* May who is called so by the system, or by his certificate, be this user? */
static bool may_be_user(const struct entry *e, const char *system)
{
	return ident_maps(&e->config->access->ident, e->rule ? e->rule->opt.at[HBA_map] : NULL, system, e->user);
}

static bool peer_fits(struct entry *e)
{
	struct passwd pw, *found = NULL;
	char buf[4096];
	uid_t uid;
	gid_t gid;
	pid_t pid;
	return e->s->addr.family == ADDR_UNIX && peer_identity(e->s->stream.io.fd, &uid, &gid, &pid) &&
	       getpwuid_r(uid, &pw, buf, sizeof buf, &found) == 0 && found && may_be_user(e, found->pw_name);
}

/* What is known without a question to the client. False: refused, for *no. */
static bool is_proven(struct entry *e, enum entry_no *no)
{
	const char *cn = cert_name(e);
	bool is_known = e->s->user || e->found;

	if (e->rule && e->rule->wants_cert && e->method != HBA_CERT) {
		*no = cn ? ENTRY_OTHER_CERT : ENTRY_NO_CERT;
		if (!cn || (e->rule->wants_cn && strcmp(cn, e->user) != 0))
			return false;
	}
	*no = ENTRY_WRONG;
	switch (e->method) {
	case HBA_REJECT:
		return false;
	case HBA_TRUST: /* asks for nothing, but lets in only whom it knows */
		return is_known;
	case HBA_PEER:
		return peer_fits(e) && is_known;
	case HBA_CERT:
		return cn && may_be_user(e, cn) && is_known;
	case HBA_PAM:
	case HBA_LDAP:
	case HBA_PLAIN:
	case HBA_MD5:
	case HBA_SCRAM:
		break;
	}
	return true;
}

enum secret_kind entry_nobody_as(const struct entry *e)
{
	static const enum secret_kind kinds[USER_NFORMS] = {
		[USER_FORM_PLAIN] = SECRET_PLAIN,     [USER_FORM_SCRAM] = SECRET_SCRAM,
		[USER_FORM_NATIVE] = SECRET_NATIVE,   [USER_FORM_SHA2] = SECRET_SHA2,
		[USER_FORM_ED25519] = SECRET_ED25519, [USER_FORM_PARSEC] = SECRET_PARSEC,
	};
	return e->waited ? e->told_kind : kinds[e->config->mostly];
}

uint32_t entry_nobody_iterations(const struct entry *e)
{
	uint32_t n = e->waited ? e->told_iterations : e->config->mostly_iterations;
	return n && entry_nobody_as(e) == SECRET_SCRAM ? n : secret_iterations();
}

bool entry_derives_always(const struct entry *e)
{
	return e->waited && e->told_kind == SECRET_PLAIN;
}

static void begin(struct entry *e)
{
	enum entry_no no;
	if (is_proven(e, &no))
		e->ops->begin(e);
	else
		entry_refuse(e, no, NULL);
}

/* After an answer that was waited for. */
static void go_on(struct session *s)
{
	if (s->state != SESSION_DEAD && stream_kept(&s->stream))
		session_resume_input(s);
}

/* --- PAM and LDAP */

static void on_verdict(struct helper_ask *a, enum helper_verdict v, const char *why)
{
	struct entry *e = list_owner(a, struct entry, outside);
	struct session *s = e->s;
	const char *who = e->method == HBA_PAM ? "PAM" : "LDAP";
	char said[HELPER_WHY_MAX + 40];
	struct fault f;

	e->waits = false;
	if (s->state == SESSION_DEAD)
		return;
	switch (v) {
	case HELPER_YES:
		/* How to log in to servers is said by auth_file, or else the password that fitted here may fit there.
		 */
		if (s->user && s->user->secret.kind != SECRET_NONE)
			secret_clear(&e->secret);
		else
			e->found = true;
		e->ops->vouched(e);
		break;
	case HELPER_NO:
	case HELPER_NOBODY:
		str_fmt(said, sizeof said, "%s says: %s", who, why);
		entry_refuse(e, ENTRY_WRONG, said);
		break;
	case HELPER_UNABLE:
		str_fmt(said, sizeof said, "%s could not be asked: %s", who, why);
		fault_set(&f, FAULT_CONNECT, "who knows the users cannot be asked");
		entry_refuse_for(e, &f, said);
		break;
	}
	go_on(s);
}

void entry_ask(struct entry *e, const char *password)
{
	const struct hba_options *given = e->rule ? &e->rule->opt : &e->config->access->ldap;
	struct helper_question q = { .kind = e->method == HBA_PAM ? HELPER_PAM : HELPER_LDAP,
				     .user = e->user,
				     .password = password };
	char host[ADDR_TEXT_MAX] = "";
	struct fault f;

	if (e->s->addr.family != ADDR_UNIX)
		addr_host_text(&e->s->addr, host);
	q.host = host;
	q.service = given->at[HBA_pamservice] && *given->at[HBA_pamservice]
			    ? given->at[HBA_pamservice]
			    : config_text(e->config, SET_auth_pam_service, NULL, NULL);
	q.dir = config_text(e->config, SET_auth_pam_dir, NULL, NULL);
	for (int i = HBA_ldapserver; i < HBA_NOPTIONS; i++)
		q.ldap[i] = given->at[i];
	secret_clear(&e->secret);
	if (!secret_of_password(&e->secret, q.password)) {
		fault_set(&f, FAULT_NOMEM, "no memory for the session");
		entry_refuse_for(e, &f, "");
	} else if (!helper_begin(&e->outside, &q, on_verdict, &f)) {
		entry_refuse_for(e, &f, "");
	} else {
		e->waits = true;
	}
}

/* --- auth_query */

/* The secret that it told; one that is known already keeps its keys. */
static bool take_secret(struct entry *e, const char *text)
{
	struct user *u = user_peek(e->user);
	struct pool *p = u && e->s->db ? pool_peek(e->s->db, u) : NULL;
	secret_clear(&e->secret);
	if (p && p->has_secret && secret_same(&p->secret, text))
		return secret_copy(&e->secret, &p->secret);
	return secret_parse(&e->secret, text);
}

/* What most of them are, by a running vote: one odd user does not change what is said of those who are not there. */
static void count_told(struct database *db, const struct secret *s)
{
	uint32_t iterations = s->kind == SECRET_SCRAM ? s->door.iterations : 0;
	if (s->kind == SECRET_NONE)
		return;
	if (db->told_weight == 0) {
		db->told_kind = s->kind;
		db->told_iterations = iterations;
	}
	if (db->told_kind != s->kind || db->told_iterations != iterations)
		db->told_weight--;
	else if (db->told_weight < TOLD_WEIGHT_MAX)
		db->told_weight++;
}

static void on_row(struct ask *a, const struct cell *cells, size_t n)
{
	struct entry *e = list_owner(a, struct entry, ask);
	struct session *s = e->s;
	const struct text_span *name = &cells[0].text, *secret = &cells[1].text;

	if (e->odd)
		return; /* it was said */
	if (n != 2 || e->found) {
		log_error(&s->log,
			  n == 2 ? "auth_query: one row is expected, not several"
				 : "auth_query: 2 columns are expected, not %zu",
			  n);
		e->odd = true;
		return;
	}
	if (cells[0].is_null)
		return; /* PgBouncer's other way to say that there is none */
	if (name->len != strlen(e->user) || memcmp(name->s, e->user, name->len) != 0) {
		log_error(&s->log, "auth_query told of another user than \"%s\"", e->user);
		e->odd = true;
		return;
	}
	e->found = true;
	if (cells[1].is_null)
		return; /* expired, or none: no password fits */
	char *text = str_dup_n(secret->s, secret->len);
	if (!text || strlen(text) != secret->len || !take_secret(e, text))
		log_error(&s->log, "auth_query: the secret of \"%s\" cannot be used; the login will fail", e->user);
	if (text)
		str_wipe(text, secret->len);
	free(text);
	count_told(e->asked, &e->secret);
}

static void on_answer(struct ask *a, const struct fault *f)
{
	struct entry *e = list_owner(a, struct entry, ask);
	struct session *s = e->s;
	struct fault told;

	e->waits = false;
	if (s->state == SESSION_DEAD)
		return;
	if (f || e->odd) {
		if (f)
			log_error(&s->log, "auth_query: %s", f->text);
		/* What the server of the users says is not for somebody who is nobody yet. */
		if (!f || f->kind == FAULT_INTERNAL)
			e->ops->fault(e, ENTRY_CONFIG, &told);
		else
			fault_set(&told, f->kind == FAULT_NOMEM ? FAULT_NOMEM : FAULT_CONNECT,
				  "the server that knows the users cannot be asked");
		entry_refuse_for(e, &told, "");
		return;
	}
	/* Before anything was told: what servers make by default. */
	e->told_kind = e->asked->told_kind != SECRET_NONE ? e->asked->told_kind
		       : e->asked->kind == DB_MYSQL       ? SECRET_PLAIN
							  : SECRET_SCRAM;
	e->told_iterations = e->asked->told_iterations;
	e->asked = NULL;
	begin(e);
	go_on(s);
}

/* The database that is asked about the user. NULL: none is, or, with a fault, it cannot be. */
static struct database *whom_to_ask(struct entry *e, const struct db_conf *conf, struct fault *f)
{
	const char *name = config_text(e->config, SET_auth_dbname, conf, NULL);
	struct database *db = e->s->db;

	f->kind = FAULT_NONE;
	if (*name) {
		db = database_find(name, f);
	} else if (!db && conf) { /* what only the * entry knows is made for it */
		db = database_find(e->database, f);
		if (db)
			session_identify(e->s, db, NULL);
	}
	if (!db && f->kind == FAULT_NO_DB) {
		log_error(&e->s->log, "auth_dbname: there is no database \"%s\"", name);
		e->ops->fault(e, ENTRY_CONFIG, f);
	}
	return db && db->engine ? db : NULL;
}

/* Is the user to be looked up? Then it is under way, or (false in *f's kind) cannot be. */
static bool look_up(struct entry *e, struct fault *f)
{
	struct session *s = e->s;
	const struct db_conf *conf = s->db ? s->db->conf : e->no_such_db ? NULL : e->config->fallback;
	const char *asker = config_text(e->config, SET_auth_user, conf, NULL);

	f->kind = FAULT_NONE;
	if (s->user || !*asker || e->method == HBA_REJECT || e->method == HBA_PAM || e->method == HBA_LDAP)
		return false;
	struct database *db = whom_to_ask(e, conf, f);
	if (!db)
		return false;
	struct user *u = user_house(db, asker);
	struct pool *p = u ? pool_find(db, u) : NULL;
	e->query = str_dup(config_text(e->config, SET_auth_query, conf, NULL));
	if (!p || !e->query)
		return fault_set(f, FAULT_NOMEM, "no memory for the session");
	e->waits = e->waited = true;
	e->asked = db;
	e->ask = (struct ask){ .sql = e->query, .param = e->user, .row = on_row, .done = on_answer };
	ask_begin(&e->ask, p);
	return true;
}

void entry_begin(struct entry *e)
{
	struct fault f;
	if (!pick_method(e)) {
		entry_refuse(e, ENTRY_NO_RULE, NULL);
		return;
	}
	if (look_up(e, &f))
		return;
	if (f.kind != FAULT_NONE)
		entry_refuse_for(e, &f, "");
	else
		begin(e);
}

bool entry_is_own_user(const struct session *s, const char *user)
{
	uid_t uid;
	gid_t gid;
	pid_t pid;
	return s->addr.family == ADDR_UNIX && (strcmp(user, "pgbouncer") == 0 || strcmp(user, "sluice") == 0) &&
	       peer_identity(s->stream.io.fd, &uid, &gid, &pid) && uid == geteuid();
}
