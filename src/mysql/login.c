/* login.c - MySQL's authentication, a client's with us and ours with a server.
 * MySQL source documentation, Client/Server Protocol: Connection Phase, Authentication Methods. */
#include "mysql/login.h"

#include "auth/crypto.h"
#include "auth/ed25519.h"
#include "auth/native.h"
#include "auth/parsec.h"
#include "auth/sha2.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

/* The first byte of what a server says before we are in. */
enum { SAYS_OK = 0x00, SAYS_MORE = 0x01, SAYS_SWITCH = 0xfe };
/* caching_sha2_password: behind SAYS_MORE; and how the client asks for the RSA key. */
enum { SHA2_GOOD = 0x03, SHA2_TELL = 0x04, SHA2_KEY = 0x02 };

static const struct {
	const char *name;
	size_t nonce_len; /* 0: needs none */
	bool has_nul;     /* one follows the nonce */
} plugins[MYSQL_NPLUGINS] = {
	[MYSQL_PLUGIN_NONE] = { "", 0, false },
	[MYSQL_PLUGIN_NATIVE] = { "mysql_native_password", NATIVE_NONCE_LEN, true },
	[MYSQL_PLUGIN_SHA2] = { "caching_sha2_password", SHA2_NONCE_LEN, true },
	[MYSQL_PLUGIN_ED25519] = { "client_ed25519", ED25519_NONCE_LEN, false },
	[MYSQL_PLUGIN_PARSEC] = { "parsec", PARSEC_NONCE_LEN, false },
	[MYSQL_PLUGIN_CLEAR] = { "mysql_clear_password", 0, false },
};

const char *mysql_plugin_name(enum mysql_plugin p)
{
	return plugins[p].name;
}

enum mysql_plugin mysql_plugin_of(const char *name)
{
	for (enum mysql_plugin p = MYSQL_PLUGIN_NATIVE; p < MYSQL_NPLUGINS; p++)
		if (strcmp(plugins[p].name, name) == 0)
			return p;
	return MYSQL_PLUGIN_NONE;
}

enum mysql_plugin mysql_plugin_announced(const char *server_version)
{
	return !strstr(server_version, "MariaDB") && strtoul(server_version, NULL, 10) >= 8 ? MYSQL_PLUGIN_SHA2
											    : MYSQL_PLUGIN_NATIVE;
}

/* Clients read a nonce as a string; servers take '$' for a separator. */
static bool draw(uint8_t *nonce, size_t n)
{
	if (!crypto_random(nonce, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		nonce[i] &= 0x7f;
		if (nonce[i] == 0 || nonce[i] == '$')
			nonce[i]++;
	}
	return true;
}

bool mysql_login_init(void)
{
	return secret_init() && crypto_rsa_init();
}

bool mysql_nonce(uint8_t nonce[MYSQL_NONCE_LEN])
{
	return draw(nonce, MYSQL_NONCE_LEN);
}

static enum mysql_login_verdict fail(struct fault *f, const char *what)
{
	fault_set(f, FAULT_PROTO, "%s", what);
	return MYSQL_LOGIN_FAIL;
}

/* A payload that is built; what does not fit makes it bad. */
struct payload {
	uint8_t *p;
	size_t n;
	bool bad;
};

static void put(struct payload *o, const void *p, size_t n)
{
	if (o->bad || n > MYSQL_LOGIN_OUT_MAX - o->n) {
		o->bad = true;
		return;
	}
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void put_byte(struct payload *o, uint8_t b)
{
	put(o, &b, 1);
}

/* --- The door's side:
 *
 *   begin -+- the client's own answer fits the picked plugin -+---------------------> what DOOR_ANSWER says
 *          +- AuthSwitchRequest ---> DOOR_ANSWER -+- native --------------------------> DOOR_OVER, OK or FAIL
 *                                                 +- caching_sha2, fast --------------> DOOR_OVER, OK or FAIL
 *                                                 +- caching_sha2, full -> DOOR_TELL -> DOOR_OVER, OK or FAIL
 *                                                 |     +- it wants our key: DOOR_SEALED -> likewise
 *                                                 +- ed25519 -------------------------> DOOR_OVER, OK or FAIL
 *                                                 +- parsec, the salt --> DOOR_SIGNED -> DOOR_OVER, OK or FAIL
 *                                                 +- clear ---------------------------> DOOR_OVER, OK, ASK or FAIL */
enum door_state { DOOR_ANSWER, DOOR_TELL, DOOR_SEALED, DOOR_SIGNED, DOOR_OVER };

enum mysql_login_verdict mysql_door_refuse(const struct mysql_door_login *l, struct fault *f)
{
	fault_set(f, FAULT_AUTH, "Access denied for user '%s'@'%s' (using password: %s)", l->user, l->host,
		  l->has_password ? "YES" : "NO");
	fault_sqlstate(f, "28000");
	return MYSQL_LOGIN_FAIL;
}

static enum secret_kind kind_asked(const struct mysql_door_login *l)
{
	return l->secret && l->secret->kind != SECRET_NONE ? l->secret->kind : l->nobody_as;
}

const char *mysql_door_why(const struct mysql_door_login *l)
{
	if (!l->secret)
		return "there is no such user";
	if (l->secret->kind == SECRET_NONE)
		return "the user has no password";
	if (l->plugin == MYSQL_PLUGIN_NONE) {
		switch (kind_asked(l)) {
		case SECRET_NATIVE:
		case SECRET_SHA2:
		case SECRET_ED25519:
		case SECRET_PARSEC:
			return "the client does not know the way of proving that the stored hash is for";
		case SECRET_MD5:
		case SECRET_SCRAM:
			return "the stored secret is PostgreSQL's, which fits a password in clear text only, and the "
			       "connection is not encrypted";
		case SECRET_NONE:
		case SECRET_PLAIN:
		case SECRET_NKINDS:
			break;
		}
		return "a password in clear text is asked for, and the connection is not encrypted";
	}
	return l->has_password ? "the password was wrong" : "the client gave no password";
}

static bool is_any_password(enum secret_kind kind)
{
	return kind == SECRET_PLAIN || kind == SECRET_NONE;
}

/* Of a password all can be made: what the client likes, or what all clients know. */
static enum mysql_plugin any_password_by(enum mysql_plugin wish)
{
	switch (wish) {
	case MYSQL_PLUGIN_SHA2:
	case MYSQL_PLUGIN_PARSEC:
		return wish;
	case MYSQL_PLUGIN_ED25519:
		return ed25519_is_whole() ? wish : MYSQL_PLUGIN_NATIVE;
	case MYSQL_PLUGIN_NONE:
	case MYSQL_PLUGIN_NATIVE:
	case MYSQL_PLUGIN_CLEAR:
	case MYSQL_NPLUGINS:
		break;
	}
	return MYSQL_PLUGIN_NATIVE;
}

/* How the client is to prove itself; NONE: there is no way. */
static enum mysql_plugin pick(const struct mysql_door_asks *a, enum secret_kind kind)
{
	enum mysql_plugin wish = a->has_plugins ? mysql_plugin_of(a->plugin) : MYSQL_PLUGIN_NATIVE;
	enum mysql_plugin clear = a->is_private && a->has_plugins ? MYSQL_PLUGIN_CLEAR : MYSQL_PLUGIN_NONE;
	if (a->how == MYSQL_AUTH_CLEAR || a->how == MYSQL_AUTH_OUTSIDE)
		return clear;
	if (a->how == MYSQL_AUTH_TRUST)
		return wish == MYSQL_PLUGIN_SHA2 ? wish : MYSQL_PLUGIN_NATIVE;
	if (wish == MYSQL_PLUGIN_CLEAR && clear)
		return clear;
	/* Of two passwords the hash decides, for the other one may be plain. */
	const struct secret *other = a->secret ? a->secret->other : NULL;
	if (is_any_password(kind) && other && !is_any_password(other->kind))
		kind = other->kind;
	switch (kind) {
	case SECRET_NATIVE:
		return MYSQL_PLUGIN_NATIVE;
	case SECRET_SHA2:
		return a->has_plugins ? MYSQL_PLUGIN_SHA2 : MYSQL_PLUGIN_NONE;
	case SECRET_ED25519:
		return a->has_plugins ? MYSQL_PLUGIN_ED25519 : MYSQL_PLUGIN_NONE;
	case SECRET_PARSEC:
		return a->has_plugins ? MYSQL_PLUGIN_PARSEC : MYSQL_PLUGIN_NONE;
	case SECRET_MD5:
	case SECRET_SCRAM:
		return clear;
	case SECRET_NONE:
	case SECRET_PLAIN:
	case SECRET_NKINDS:
		break;
	}
	return any_password_by(wish);
}

/* Nothing, or what clients of caching_sha2_password send for it. */
static bool is_empty(struct rd r)
{
	return rd_left(&r) == 0 || (rd_left(&r) == 1 && *r.p == 0);
}

static enum mysql_login_verdict verdict_of(const struct mysql_door_login *l, bool fits, struct fault *f)
{
	return fits ? MYSQL_LOGIN_OK : mysql_door_refuse(l, f);
}

/* A password in clear text, with its NUL. */
static enum mysql_login_verdict door_password(struct mysql_door_login *l, struct rd body, struct fault *f)
{
	const char *password = rd_cstr(&body, NULL);
	if (!rd_done(&body))
		return fail(f, "malformed password");
	l->has_password = *password;
	if (l->how == MYSQL_AUTH_OUTSIDE) {
		/* There are those who take an empty one for a bind as nobody, and say yes. RFC 4513, 5.1.2. */
		if (!*password)
			return mysql_door_refuse(l, f);
		l->password = password;
		return MYSQL_LOGIN_ASK;
	}
	return verdict_of(l, secret_check_plain(l->secret, l->nobody_as, l->user, password), f);
}

static enum mysql_login_verdict door_sha2(struct mysql_door_login *l, struct rd body, struct payload *o,
					  struct fault *f)
{
	enum sha2_fit fit = l->how == MYSQL_AUTH_TRUST
				    ? SHA2_FITS
				    : sha2_check(l->secret, l->nobody_as, l->nonce, body.p, rd_left(&body));
	if (fit == SHA2_FITS) {
		if (l->has_password) { /* else it waits for nothing but OK */
			put_byte(o, SAYS_MORE);
			put_byte(o, SHA2_GOOD);
		}
		return MYSQL_LOGIN_OK;
	}
	if (fit == SHA2_WRONG || !l->has_password)
		return mysql_door_refuse(l, f);
	put_byte(o, SAYS_MORE);
	put_byte(o, SHA2_TELL);
	l->state = DOOR_TELL;
	return MYSQL_LOGIN_MORE;
}

/* The password, of which each byte is XORed with one of the nonce, for our key. What is not that is an empty one, which
 * fits nothing, after the same work. */
static enum mysql_login_verdict door_sealed(struct mysql_door_login *l, struct rd body, struct fault *f)
{
	uint8_t text[SHA2_PASSWORD_MAX + 1];
	size_t n = 0;
	if (!crypto_rsa_open(body.p, rd_left(&body), text, sizeof text, &n))
		n = 0;
	for (size_t i = 0; i < n; i++)
		text[i] ^= l->nonce[i % MYSQL_NONCE_LEN];
	if (n == 0 || memchr(text, 0, n) != text + n - 1)
		text[0] = 0;
	bool fits = secret_check_plain(l->secret, l->nobody_as, l->user, (const char *)text);
	str_wipe(text, sizeof text);
	return verdict_of(l, fits, f);
}

static enum mysql_login_verdict door_tell(struct mysql_door_login *l, struct rd body, struct payload *o,
					  struct fault *f)
{
	if (l->is_private)
		return door_password(l, body, f);
	if (rd_left(&body) != 1 || *body.p != SHA2_KEY) /* it has our key, from a file or from before */
		return door_sealed(l, body, f);
	const char *pem = crypto_rsa_public();
	if (!pem) {
		fault_set(f, FAULT_NOMEM, "no memory for the login");
		return MYSQL_LOGIN_FAIL;
	}
	put_byte(o, SAYS_MORE);
	put(o, pem, strlen(pem));
	l->state = DOOR_SEALED;
	return MYSQL_LOGIN_MORE;
}

/* The client asks for its salt by saying nothing. */
static enum mysql_login_verdict door_salt(struct mysql_door_login *l, struct payload *o, struct fault *f)
{
	uint8_t ext[PARSEC_EXT_LEN];
	if (!parsec_ext(l->secret, l->user, ext)) {
		fault_set(f, FAULT_NOMEM, "no memory for the login");
		return MYSQL_LOGIN_FAIL;
	}
	put(o, ext, sizeof ext);
	l->state = DOOR_SIGNED;
	return MYSQL_LOGIN_MORE;
}

static enum mysql_login_verdict door_answer(struct mysql_door_login *l, struct rd body, struct payload *o,
					    struct fault *f)
{
	l->has_password = !is_empty(body);
	switch (l->plugin) {
	case MYSQL_PLUGIN_NATIVE:
		return verdict_of(
			l, l->how == MYSQL_AUTH_TRUST || native_check(l->secret, l->nonce, body.p, rd_left(&body)), f);
	case MYSQL_PLUGIN_SHA2:
		return door_sha2(l, body, o, f);
	case MYSQL_PLUGIN_ED25519:
		return verdict_of(l, ed25519_check(l->secret, l->nonce, body.p, rd_left(&body)), f);
	case MYSQL_PLUGIN_PARSEC:
		if (rd_left(&body) > 0)
			return fail(f, "malformed authentication data");
		return door_salt(l, o, f);
	case MYSQL_PLUGIN_CLEAR:
		return door_password(l, body, f);
	case MYSQL_PLUGIN_NONE:
	case MYSQL_NPLUGINS:
		break;
	}
	return mysql_door_refuse(l, f);
}

/* again: the nonce that was used before; NULL: another one is drawn. */
static enum mysql_login_verdict door_switch(struct mysql_door_login *l, const uint8_t *again, struct payload *o,
					    struct fault *f)
{
	size_t n = plugins[l->plugin].nonce_len;
	if (again) {
		memcpy(l->nonce, again, n);
	} else if (!draw(l->nonce, n)) {
		fault_set(f, FAULT_INTERNAL, "no randomness to be had");
		return MYSQL_LOGIN_FAIL;
	}
	put_byte(o, SAYS_SWITCH);
	put(o, plugins[l->plugin].name, strlen(plugins[l->plugin].name) + 1);
	put(o, l->nonce, n);
	if (plugins[l->plugin].has_nul)
		put_byte(o, 0);
	l->state = DOOR_ANSWER;
	return MYSQL_LOGIN_MORE;
}

/* Ends a step: what was built counts only if all of it fitted. */
static enum mysql_login_verdict done(const struct payload *o, enum mysql_login_verdict verdict, size_t *n,
				     struct fault *f)
{
	if (verdict == MYSQL_LOGIN_FAIL)
		return verdict;
	if (o->bad) {
		fault_set(f, FAULT_INTERNAL, "a message of the login is too long");
		return MYSQL_LOGIN_FAIL;
	}
	*n = o->n;
	return verdict;
}

enum mysql_login_verdict mysql_door_login_begin(struct mysql_door_login *l, const struct mysql_door_asks *a,
						uint8_t *out, size_t *n, struct fault *f)
{
	struct payload o = { .p = out };
	enum mysql_login_verdict verdict;
	*n = 0;
	*l = (struct mysql_door_login){ .user = a->user,
					.host = a->host,
					.secret = a->secret,
					.how = a->how,
					.nobody_as = a->nobody_as,
					.is_private = a->is_private,
					.has_password = !is_empty(a->response),
					.state = DOOR_OVER };
	l->plugin = pick(a, kind_asked(l));
	if (l->plugin == MYSQL_PLUGIN_NONE)
		return mysql_door_refuse(l, f);
	/* Who knows of no plugins takes any nonce for mysql_native_password's. */
	bool answers = a->has_plugins ? l->plugin == a->announced && mysql_plugin_of(a->plugin) == l->plugin
				      : a->announced != MYSQL_PLUGIN_NONE;
	if (answers) {
		memcpy(l->nonce, a->nonce, MYSQL_NONCE_LEN);
		verdict = door_answer(l, a->response, &o, f);
	} else if (a->has_plugins) {
		/* In COM_CHANGE_USER clients of this method take the nonce that they had before, whatever they are
		 * told. */
		bool again = a->announced == MYSQL_PLUGIN_NONE && l->plugin == MYSQL_PLUGIN_NATIVE;
		verdict = door_switch(l, again ? a->nonce : NULL, &o, f);
	} else {
		verdict = fail(f, "the client's answer is to no question of ours");
	}
	return done(&o, verdict, n, f);
}

enum mysql_login_verdict mysql_door_login_step(struct mysql_door_login *l, struct rd body, uint8_t *out, size_t *n,
					       struct fault *f)
{
	struct payload o = { .p = out };
	enum mysql_login_verdict verdict = MYSQL_LOGIN_FAIL;
	enum door_state state = (enum door_state)l->state;
	l->state = DOOR_OVER; /* unless the step says what comes next */
	*n = 0;
	if (rd_left(&body) > MYSQL_LOGIN_IN_MAX)
		return fail(f, "the client's answer is too long");
	switch (state) {
	case DOOR_ANSWER:
		verdict = door_answer(l, body, &o, f);
		break;
	case DOOR_TELL:
		verdict = door_tell(l, body, &o, f);
		break;
	case DOOR_SEALED:
		verdict = door_sealed(l, body, f);
		break;
	case DOOR_SIGNED:
		l->has_password = true;
		verdict = verdict_of(l, parsec_check(l->secret, l->nonce, body.p, rd_left(&body)), f);
		break;
	case DOOR_OVER:
		return fail(f, "unexpected authentication data");
	}
	return done(&o, verdict, n, f);
}

/* --- The engine's side:
 *
 *   begin -> ENGINE_ANSWERED -+- OK -------------------------------------------------> ENGINE_OVER, OK
 *                             +- AuthSwitchRequest, once --> ENGINE_ANSWERED, ENGINE_SALT
 *                             +- caching_sha2: it fits, or tell (privately) --> ENGINE_TOLD -- OK --> ENGINE_OVER, OK
 *                             +- caching_sha2: tell, here is no privacy --> ENGINE_KEY -- the key --> ENGINE_TOLD
 *   ENGINE_SALT -- parsec's salt --> ENGINE_TOLD */
enum engine_state { ENGINE_ANSWERED, ENGINE_SALT, ENGINE_KEY, ENGINE_TOLD, ENGINE_OVER };

/* The server asks for what the secret cannot give. */
static enum mysql_login_verdict lacking(const struct mysql_engine_login *l, const char *asked, struct fault *f)
{
	static const char *const have[SECRET_NKINDS] = {
		[SECRET_NONE] = "no password",
		[SECRET_PLAIN] = "a clear-text password",
		[SECRET_MD5] = "only an md5 hash",
		[SECRET_SCRAM] = "only a SCRAM verifier",
		[SECRET_NATIVE] = "only a hash of mysql_native_password",
		[SECRET_SHA2] = "only a verifier of caching_sha2_password",
		[SECRET_ED25519] = "only a public key",
		[SECRET_PARSEC] = "only a public key",
	};
	enum secret_kind kind = l->secret ? l->secret->kind : SECRET_NONE;
	bool unproven =
		(kind == SECRET_NATIVE && !l->secret->native.has_key) || (kind == SECRET_SHA2 && !l->secret->sha2.has);
	fault_set(f, FAULT_AUTH, "the server asks for %s, and %s is known for user \"%s\"%s", asked, have[kind],
		  l->user, unproven ? ", against which no client has proved itself yet" : "");
	fault_hint(f,
		   "Store the user's password in a form that fits, or give the account on the server another plugin.");
	return MYSQL_LOGIN_FAIL;
}

/* Who has no password says so, whatever the plugin. */
static bool has_none(const struct mysql_engine_login *l)
{
	return !l->secret || l->secret->kind == SECRET_NONE;
}

/* Can we answer to it with what we have? */
static bool engine_answer(struct mysql_engine_login *l, struct payload *o)
{
	uint8_t proof[ED25519_SIG_LEN];
	bool ok = false;
	switch (l->plugin) {
	case MYSQL_PLUGIN_NATIVE:
		ok = has_none(l) || native_answer(l->secret, l->nonce, proof);
		if (ok && !has_none(l))
			put(o, proof, NATIVE_LEN);
		break;
	case MYSQL_PLUGIN_SHA2:
		ok = has_none(l) || sha2_answer(l->secret, l->nonce, proof);
		if (ok && !has_none(l))
			put(o, proof, SHA2_LEN);
		break;
	case MYSQL_PLUGIN_ED25519:
		ok = !has_none(l) && ed25519_answer(l->secret, l->nonce, proof);
		if (ok)
			put(o, proof, ED25519_SIG_LEN);
		break;
	case MYSQL_PLUGIN_PARSEC:
	case MYSQL_PLUGIN_CLEAR:
	case MYSQL_PLUGIN_NONE:
	case MYSQL_NPLUGINS:
		break;
	}
	str_wipe(proof, sizeof proof);
	return ok;
}

/* The password itself. */
static enum mysql_login_verdict tell(struct mysql_engine_login *l, struct payload *o, struct fault *f)
{
	const char *password = l->secret ? secret_password(l->secret) : NULL;
	if (!password)
		return lacking(l, "the password itself", f);
	if (l->is_private) {
		put(o, password, strlen(password) + 1);
		l->state = ENGINE_TOLD;
		return MYSQL_LOGIN_MORE;
	}
	if (l->plugin == MYSQL_PLUGIN_SHA2) {
		put_byte(o, SHA2_KEY);
		l->state = ENGINE_KEY;
		return MYSQL_LOGIN_MORE;
	}
	fault_set(f, FAULT_AUTH,
		  "the server asks for the password of user \"%s\" in clear text, and the connection to it is not "
		  "encrypted",
		  l->user);
	fault_hint(f, "Set server_tls_sslmode, and have the server offer TLS.");
	return MYSQL_LOGIN_FAIL;
}

/* The password for the server's RSA key, each byte XORed with one of the nonce. */
static enum mysql_login_verdict seal(struct mysql_engine_login *l, struct rd pem, struct payload *o, struct fault *f)
{
	const char *password = secret_password(l->secret);
	uint8_t text[SHA2_PASSWORD_MAX + 1], sealed[CRYPTO_RSA_MAX];
	size_t n = strlen(password) + 1, sealed_len;
	if (n > sizeof text) {
		fault_set(f, FAULT_AUTH, "the password of user \"%s\" is longer than %u bytes", l->user,
			  SHA2_PASSWORD_MAX);
		return MYSQL_LOGIN_FAIL;
	}
	for (size_t i = 0; i < n; i++)
		text[i] = (uint8_t)password[i] ^ l->nonce[i % MYSQL_NONCE_LEN];
	bool ok = crypto_rsa_seal(pem.p, rd_left(&pem), text, n, sealed, &sealed_len);
	str_wipe(text, sizeof text);
	if (!ok)
		return fail(f, "the server's RSA key is none, or cannot be used");
	put(o, sealed, sealed_len);
	l->state = ENGINE_TOLD;
	return MYSQL_LOGIN_MORE;
}

/* parsec's salt. */
static enum mysql_login_verdict engine_sign(struct mysql_engine_login *l, struct rd ext, struct payload *o,
					    struct fault *f)
{
	uint8_t answer[PARSEC_ANSWER_LEN];
	if (!parsec_is_ext(ext.p, rd_left(&ext)))
		return fail(f, "the server's salt for parsec is malformed, or asks for too many rounds");
	if (has_none(l) || !parsec_answer(l->secret, ext.p, l->nonce, answer))
		return lacking(l, "parsec", f);
	put(o, answer, sizeof answer);
	l->state = ENGINE_TOLD;
	return MYSQL_LOGIN_MORE;
}

/* Keeps a nonce of the length that the plugin has, and perhaps a NUL. */
static bool take_nonce(struct mysql_engine_login *l, struct rd nonce)
{
	size_t want = plugins[l->plugin].nonce_len, n = rd_left(&nonce);
	if (n != want && !(n == want + 1 && nonce.p[want] == 0) && want)
		return false;
	memcpy(l->nonce, nonce.p, want);
	return true;
}

enum mysql_login_verdict mysql_engine_login_begin(struct mysql_engine_login *l, const char *user, struct secret *secret,
						  bool is_private, const char *plugin, struct rd nonce,
						  const char **name, uint8_t *out, size_t *n, struct fault *f)
{
	struct payload o = { .p = out };
	*l = (struct mysql_engine_login){
		.user = user, .secret = secret, .is_private = is_private, .state = ENGINE_ANSWERED
	};
	*n = 0;
	l->plugin = *plugin ? mysql_plugin_of(plugin) : MYSQL_PLUGIN_NATIVE;
	if (plugins[l->plugin].nonce_len && !take_nonce(l, nonce)) {
		l->state = ENGINE_OVER;
		return fail(f, "the server's greeting has no nonce of the right length");
	}
	/* Where there is no answer yet the account's own plugin, for which the server asks next, may be one that has.
	 * It asks when we name another plugin than it did. */
	if (!engine_answer(l, &o))
		l->plugin = l->plugin == MYSQL_PLUGIN_NATIVE ? MYSQL_PLUGIN_SHA2 : MYSQL_PLUGIN_NATIVE;
	*name = plugins[l->plugin].name;
	return done(&o, MYSQL_LOGIN_MORE, n, f);
}

static enum mysql_login_verdict engine_switch(struct mysql_engine_login *l, struct rd body, struct payload *o,
					      struct fault *f)
{
	if (l->has_switched)
		return fail(f, "the server changes the way of authentication again");
	if (rd_left(&body) == 0) {
		fault_set(f, FAULT_UNSUP, "the server asks for MySQL's password hashes from before 4.1");
		return MYSQL_LOGIN_FAIL;
	}
	const char *name = rd_cstr(&body, NULL);
	if (body.bad)
		return fail(f, "malformed AuthSwitchRequest");
	l->has_switched = true;
	l->plugin = mysql_plugin_of(name);
	if (l->plugin == MYSQL_PLUGIN_NONE) {
		fault_set(f, FAULT_UNSUP,
			  "the server asks for the authentication plugin \"%.60s\", which is not "
			  "supported here",
			  name);
		return MYSQL_LOGIN_FAIL;
	}
	if (!take_nonce(l, body))
		return fail(f, "the nonce in the server's AuthSwitchRequest has not the right length");
	if (l->plugin == MYSQL_PLUGIN_CLEAR)
		return tell(l, o, f);
	if (l->plugin == MYSQL_PLUGIN_PARSEC) {
		l->state = ENGINE_SALT;
		return MYSQL_LOGIN_MORE;
	}
	if (!engine_answer(l, o))
		return lacking(l, plugins[l->plugin].name, f);
	l->state = ENGINE_ANSWERED;
	return MYSQL_LOGIN_MORE;
}

static enum mysql_login_verdict engine_more(struct mysql_engine_login *l, struct rd body, struct payload *o,
					    struct fault *f)
{
	if (l->plugin != MYSQL_PLUGIN_SHA2 || rd_left(&body) != 1)
		return fail(f, "unexpected authentication data from the server");
	switch (rd_u8(&body)) {
	case SHA2_GOOD:
		l->state = ENGINE_TOLD;
		return MYSQL_LOGIN_WAIT;
	case SHA2_TELL:
		return tell(l, o, f);
	default:
		return fail(f, "unexpected authentication data from the server");
	}
}

enum mysql_login_verdict mysql_engine_login_step(struct mysql_engine_login *l, struct rd body, uint8_t *out, size_t *n,
						 struct fault *f)
{
	struct payload o = { .p = out };
	enum mysql_login_verdict verdict = MYSQL_LOGIN_FAIL;
	enum engine_state state = (enum engine_state)l->state;
	l->state = ENGINE_OVER; /* unless the step says what comes next */
	*n = 0;
	struct rd whole = body;
	uint8_t says = rd_u8(&body);
	if (body.bad || state == ENGINE_OVER || rd_left(&body) > MYSQL_LOGIN_IN_MAX)
		return fail(f, "unexpected message from the server during authentication");
	if (says == SAYS_OK)
		return MYSQL_LOGIN_OK;
	if (says == SAYS_SWITCH)
		verdict = engine_switch(l, body, &o, f);
	else if (says == SAYS_MORE && state == ENGINE_ANSWERED)
		verdict = engine_more(l, body, &o, f);
	else if (says == SAYS_MORE && state == ENGINE_KEY)
		verdict = seal(l, body, &o, f);
	else if (state == ENGINE_SALT) /* MariaDB marks as SAYS_MORE only what could be taken for something else */
		verdict = engine_sign(l, says == SAYS_MORE ? body : whole, &o, f);
	else
		return fail(f, "unexpected message from the server during authentication");
	return done(&o, verdict, n, f);
}
