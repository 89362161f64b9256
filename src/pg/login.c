/* login.c - PostgreSQL's authentication handshake, a client's with us and ours with a server.
 * PostgreSQL docs, Frontend/Backend Protocol: Message Flow, SASL Authentication, Message Formats. */
#include "pg/login.h"

#include "auth/crypto.h"
#include "core/str.h"
#include "pg/wire.h"

#include <string.h>

#define MECHANISM "SCRAM-SHA-256"
#define PLUS      "SCRAM-SHA-256-PLUS" /* with channel binding */
#define NO_DATA   0xffffffffu          /* a SASLInitialResponse's length when it has no data */

/* What a message of type 'R' is about. */
enum {
	AUTH_OK = 0,
	AUTH_KERBEROS_V5 = 2,
	AUTH_CLEARTEXT = 3,
	AUTH_CRYPT = 4,
	AUTH_MD5 = 5,
	AUTH_SCM = 6,
	AUTH_GSS = 7,
	AUTH_GSS_CONTINUE = 8,
	AUTH_SSPI = 9,
	AUTH_SASL = 10,
	AUTH_SASL_CONTINUE = 11,
	AUTH_SASL_FINAL = 12
};

static enum pg_login_verdict fail(struct fault *f, const char *what)
{
	fault_set(f, FAULT_PROTO, "%s", what);
	return PG_LOGIN_FAIL;
}

/* Ends a step: what was built counts only if all of it fitted. */
static enum pg_login_verdict done(const struct pg_out *o, enum pg_login_verdict verdict, size_t *n, struct fault *f)
{
	if (o->bad) {
		fault_set(f, FAULT_INTERNAL, "a message of the login is too long");
		return PG_LOGIN_FAIL;
	}
	*n = o->len;
	return verdict;
}

enum pg_auth pg_auth_pick(enum pg_auth configured, const struct secret *secret)
{
	bool scram = secret && (secret->kind == SECRET_SCRAM ||
				(secret->other && secret->kind != SECRET_MD5 && secret->other->kind == SECRET_SCRAM));
	return configured == PG_AUTH_MD5 && scram ? PG_AUTH_SCRAM : configured;
}

/* --- The door's side:
 *
 *   begin -+- trust ------------------------------------------------------------> DOOR_OVER, OK
 *          +- plain, md5 ---> DOOR_PASSWORD ------------------------------------> DOOR_OVER, OK or FAIL
 *          +- outside ------> DOOR_PASSWORD ------------------------------------> DOOR_OVER, ASK or FAIL
 *          +- SCRAM --------> DOOR_SASL_INITIAL --------------> DOOR_SASL_FINAL -> DOOR_OVER, OK or FAIL
 *                                  +- without data -> DOOR_SASL_FIRST -+ */
enum door_state { DOOR_PASSWORD, DOOR_SASL_INITIAL, DOOR_SASL_FIRST, DOOR_SASL_FINAL, DOOR_OVER };

static void put_auth(struct pg_out *o, uint32_t code, const void *data, size_t len)
{
	pg_begin(o, PG_AUTHENTICATION);
	pg_put_u32(o, code);
	pg_put(o, data, len);
	pg_end(o);
}

enum pg_login_verdict pg_door_login_begin(struct pg_door_login *l, enum pg_auth method, const char *user,
					  struct secret *secret, const struct scram_binding *binding, uint8_t *out,
					  size_t *n, struct fault *f)
{
	struct pg_out o = pg_out(out, PG_LOGIN_OUT_MAX);
	enum pg_login_verdict verdict = PG_LOGIN_MORE;
	/* All but `scram`, which is large, and which scram_server_init() begins where it is needed. */
	memset(l, 0, offsetof(struct pg_door_login, scram));
	l->user = user;
	l->secret = secret;
	l->method = method;
	l->state = DOOR_OVER;
	l->binding = binding;
	*n = 0;
	switch (method) {
	case PG_AUTH_TRUST:
		put_auth(&o, AUTH_OK, "", 0);
		verdict = PG_LOGIN_OK;
		break;
	case PG_AUTH_PLAIN:
	case PG_AUTH_OUTSIDE:
		put_auth(&o, AUTH_CLEARTEXT, "", 0);
		l->state = DOOR_PASSWORD;
		break;
	case PG_AUTH_MD5:
		if (!crypto_random(l->salt, sizeof l->salt)) {
			fault_set(f, FAULT_INTERNAL, "no randomness to be had");
			return PG_LOGIN_FAIL;
		}
		put_auth(&o, AUTH_MD5, l->salt, sizeof l->salt);
		l->state = DOOR_PASSWORD;
		break;
	case PG_AUTH_SCRAM:
		if (!scram_server_init(&l->scram, secret, user)) {
			fault_set(f, FAULT_NOMEM, "out of memory");
			return PG_LOGIN_FAIL;
		}
		/* A list, which ends in a NUL; the better one first, as a client takes the first that it knows. */
		if (binding)
			put_auth(&o, AUTH_SASL, PLUS "\0" MECHANISM "\0", sizeof PLUS + sizeof MECHANISM + 1);
		else
			put_auth(&o, AUTH_SASL, MECHANISM "\0", sizeof MECHANISM + 1);
		l->state = DOOR_SASL_INITIAL;
		break;
	}
	return done(&o, verdict, n, f);
}

void pg_door_login_nobody_as(struct pg_door_login *l, enum secret_kind kind, uint32_t iterations)
{
	l->nobody_as = kind;
	l->nobody_iterations = iterations;
	if (l->method == PG_AUTH_SCRAM)
		scram_server_mock(&l->scram, iterations);
}

static enum pg_login_verdict refuse(const struct pg_door_login *l, struct fault *f)
{
	fault_set(f, FAULT_AUTH, "password authentication failed for user \"%s\"", l->user);
	return PG_LOGIN_FAIL;
}

static enum pg_login_verdict door_password(struct pg_door_login *l, struct rd body, struct pg_out *o, struct fault *f)
{
	const char *password = rd_cstr(&body, NULL);
	if (!rd_done(&body))
		return fail(f, "malformed password message");
	if (l->method == PG_AUTH_OUTSIDE) {
		/* There are those who take an empty one for a bind as nobody, and say yes. RFC 4513, 5.1.2. */
		if (!*password)
			return refuse(l, f);
		l->password = password;
		return PG_LOGIN_ASK;
	}
	bool fits = l->method == PG_AUTH_MD5
			    ? secret_check_md5(l->secret, l->user, l->salt, password)
			    : secret_check_plain_as(l->secret, l->nobody_as, l->nobody_iterations, l->user, password);
	if (!fits)
		return refuse(l, f);
	put_auth(o, AUTH_OK, "", 0);
	return PG_LOGIN_OK;
}

/* data is a client-first-message or client-final-message; the client got past the words around it. */
static enum pg_login_verdict door_scram(struct pg_door_login *l, bool final, struct rd data, struct pg_out *o,
					struct fault *f)
{
	char text[SCRAM_MSG_MAX + 1];
	if (!(final ? scram_server_final : scram_server_first)(&l->scram, data.p, rd_left(&data), text, f))
		return f->kind == FAULT_AUTH ? refuse(l, f) : PG_LOGIN_FAIL;
	put_auth(o, final ? AUTH_SASL_FINAL : AUTH_SASL_CONTINUE, text, strlen(text));
	if (!final) {
		l->state = DOOR_SASL_FINAL;
		return PG_LOGIN_MORE;
	}
	put_auth(o, AUTH_OK, "", 0);
	return PG_LOGIN_OK;
}

static enum pg_login_verdict door_sasl_initial(struct pg_door_login *l, struct rd body, struct pg_out *o,
					       struct fault *f)
{
	const char *mechanism = rd_cstr(&body, NULL);
	uint32_t len = rd_u32be(&body);
	if (body.bad || rd_left(&body) != (len == NO_DATA ? 0 : len))
		return fail(f, "malformed SASLInitialResponse message");
	bool is_plus = l->binding && strcmp(mechanism, PLUS) == 0;
	if (!is_plus && strcmp(mechanism, MECHANISM) != 0)
		return fail(f, "client selected an invalid SASL authentication mechanism");
	scram_server_bind(&l->scram, l->binding, is_plus);
	if (len != NO_DATA)
		return door_scram(l, false, body, o, f);
	put_auth(o, AUTH_SASL_CONTINUE, "", 0);
	l->state = DOOR_SASL_FIRST;
	return PG_LOGIN_MORE;
}

enum pg_login_verdict pg_door_login_step(struct pg_door_login *l, struct rd body, uint8_t *out, size_t *n,
					 struct fault *f)
{
	struct pg_out o = pg_out(out, PG_LOGIN_OUT_MAX);
	enum pg_login_verdict verdict = PG_LOGIN_FAIL;
	enum door_state state = (enum door_state)l->state;
	l->state = DOOR_OVER; /* unless the step says what comes next */
	*n = 0;
	if (rd_left(&body) > PG_LOGIN_BODY_MAX)
		return fail(f, "password message is too long");
	switch (state) {
	case DOOR_PASSWORD:
		verdict = door_password(l, body, &o, f);
		break;
	case DOOR_SASL_INITIAL:
		verdict = door_sasl_initial(l, body, &o, f);
		break;
	case DOOR_SASL_FIRST:
		verdict = door_scram(l, false, body, &o, f);
		break;
	case DOOR_SASL_FINAL:
		verdict = door_scram(l, true, body, &o, f);
		break;
	case DOOR_OVER:
		return fail(f, "unexpected password message");
	}
	return verdict == PG_LOGIN_FAIL ? verdict : done(&o, verdict, n, f);
}

void pg_door_login_let_in(uint8_t *out, size_t *n)
{
	struct pg_out o = pg_out(out, PG_LOGIN_OUT_MAX);
	put_auth(&o, AUTH_OK, "", 0);
	*n = o.len;
}

/* --- The engine's side:
 *
 *   ENGINE_ASKED -+- Ok (trust) -------------------------------------------------------------> ENGINE_OVER, OK
 *                 +- CleartextPassword, MD5Password --> ENGINE_ANSWERED --------------- Ok --> ENGINE_OVER, OK
 *                 +- SASL --> ENGINE_FIRST -- SASLContinue --> ENGINE_FINAL -- SASLFinal --> ENGINE_ANSWERED */
enum engine_state { ENGINE_ASKED, ENGINE_FIRST, ENGINE_FINAL, ENGINE_ANSWERED, ENGINE_OVER };

void pg_engine_login_begin(struct pg_engine_login *l, const char *user, struct secret *secret,
			   const struct scram_binding *binding)
{
	*l = (struct pg_engine_login){ .user = user, .secret = secret, .binding = binding, .state = ENGINE_ASKED };
}

static enum secret_kind kind_of(const struct pg_engine_login *l)
{
	return l->secret ? l->secret->kind : SECRET_NONE;
}

/* The server asks for what the secret cannot give. */
static enum pg_login_verdict lacking(const struct pg_engine_login *l, const char *asked, struct fault *f)
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
	fault_set(f, FAULT_AUTH, "the server asks for %s, and %s is known for user \"%s\"", asked, have[kind_of(l)],
		  l->user);
	fault_hint(f, "Store the user's password in a form that fits, or change the server's pg_hba.conf.");
	return PG_LOGIN_FAIL;
}

static void put_password(struct pg_out *o, const char *text)
{
	pg_begin(o, PG_PASSWORD);
	pg_put_cstr(o, text);
	pg_end(o);
}

static enum pg_login_verdict engine_cleartext(struct pg_engine_login *l, struct rd body, struct pg_out *o,
					      struct fault *f)
{
	if (!rd_done(&body))
		return fail(f, "malformed AuthenticationCleartextPassword message");
	/* Nothing else that is stored is a password, and a hash is not to be shown to a server that may be any. */
	if (kind_of(l) != SECRET_PLAIN)
		return lacking(l, "a clear-text password", f);
	if (strlen(l->secret->text) >= PG_LOGIN_BODY_MAX) {
		fault_set(f, FAULT_AUTH, "the password of user \"%s\" is longer than %u bytes", l->user,
			  PG_LOGIN_BODY_MAX - 1);
		return PG_LOGIN_FAIL;
	}
	put_password(o, l->secret->text);
	l->state = ENGINE_ANSWERED;
	return PG_LOGIN_MORE;
}

static enum pg_login_verdict engine_md5(struct pg_engine_login *l, struct rd body, struct pg_out *o, struct fault *f)
{
	char response[36];
	const uint8_t *salt = rd_take(&body, 4);
	if (!rd_done(&body))
		return fail(f, "malformed AuthenticationMD5Password message");
	if (kind_of(l) != SECRET_PLAIN && kind_of(l) != SECRET_MD5)
		return lacking(l, "an md5 password", f);
	if (!secret_md5_response(l->secret, l->user, salt, response)) {
		fault_set(f, FAULT_INTERNAL, "the cryptographic library does not do MD5");
		return PG_LOGIN_FAIL;
	}
	put_password(o, response);
	str_wipe(response, sizeof response);
	l->state = ENGINE_ANSWERED;
	return PG_LOGIN_MORE;
}

static enum pg_login_verdict engine_sasl(struct pg_engine_login *l, struct rd body, struct pg_out *o, struct fault *f)
{
	bool has_ours = false, is_plus = false;
	const char *mechanism;
	while ((mechanism = rd_cstr(&body, NULL))[0]) { /* "" at the list's end, and when it has none */
		has_ours = strcmp(mechanism, MECHANISM) == 0 || has_ours;
		is_plus = (l->binding && strcmp(mechanism, PLUS) == 0) || is_plus;
	}
	if (!rd_done(&body))
		return fail(f, "malformed AuthenticationSASL message");
	if (!has_ours && !is_plus) {
		fault_set(f, FAULT_UNSUP, "the server offers no SASL mechanism that is supported here (" MECHANISM ")");
		return PG_LOGIN_FAIL;
	}
	if (kind_of(l) != SECRET_PLAIN && kind_of(l) != SECRET_SCRAM)
		return lacking(l, "SCRAM", f);
	char text[SCRAM_MSG_MAX + 1];
	if (!scram_client_first(&l->scram, l->secret, l->binding, is_plus, text, f))
		return PG_LOGIN_FAIL;
	size_t len = strlen(text);
	pg_begin(o, PG_PASSWORD);
	pg_put_cstr(o, is_plus ? PLUS : MECHANISM);
	pg_put_u32(o, (uint32_t)len);
	pg_put(o, text, len);
	pg_end(o);
	l->state = ENGINE_FIRST;
	return PG_LOGIN_MORE;
}

static enum pg_login_verdict engine_sasl_continue(struct pg_engine_login *l, struct rd body, struct pg_out *o,
						  struct fault *f)
{
	char text[SCRAM_MSG_MAX + 1];
	if (!scram_client_final(&l->scram, body.p, rd_left(&body), text, f))
		return PG_LOGIN_FAIL;
	pg_begin(o, PG_PASSWORD);
	pg_put(o, text, strlen(text));
	pg_end(o);
	l->state = ENGINE_FINAL;
	return PG_LOGIN_MORE;
}

/* The first question of the server. */
static enum pg_login_verdict engine_asked(struct pg_engine_login *l, uint32_t code, struct rd body, struct pg_out *o,
					  struct fault *f)
{
	const char *what;
	switch (code) {
	case AUTH_OK:
		return rd_done(&body) ? PG_LOGIN_OK : fail(f, "malformed AuthenticationOk message");
	case AUTH_CLEARTEXT:
		return engine_cleartext(l, body, o, f);
	case AUTH_MD5:
		return engine_md5(l, body, o, f);
	case AUTH_SASL:
		return engine_sasl(l, body, o, f);
	case AUTH_SASL_CONTINUE:
	case AUTH_SASL_FINAL:
		return fail(f, "the server goes on with a SASL exchange that it has not begun");
	case AUTH_KERBEROS_V5:
		what = "Kerberos V5";
		break;
	case AUTH_CRYPT:
		what = "crypt";
		break;
	case AUTH_SCM:
		what = "SCM credential";
		break;
	case AUTH_GSS:
	case AUTH_GSS_CONTINUE:
		what = "GSSAPI";
		break;
	case AUTH_SSPI:
		what = "SSPI";
		break;
	default:
		fault_set(f, FAULT_UNSUP, "the server asks for authentication of an unknown kind (%u)", code);
		return PG_LOGIN_FAIL;
	}
	fault_set(f, FAULT_UNSUP, "the server asks for %s authentication, which is not supported", what);
	fault_hint(f, "Let this user in by scram-sha-256, md5, password or trust in the server's pg_hba.conf.");
	return PG_LOGIN_FAIL;
}

enum pg_login_verdict pg_engine_login_step(struct pg_engine_login *l, uint8_t type, struct rd body, uint8_t *out,
					   size_t *n, struct fault *f)
{
	struct pg_out o = pg_out(out, PG_LOGIN_OUT_MAX);
	enum pg_login_verdict verdict = PG_LOGIN_FAIL;
	enum engine_state state = (enum engine_state)l->state;
	l->state = ENGINE_OVER; /* unless the step says what comes next */
	*n = 0;
	uint32_t code = rd_u32be(&body);
	if (type != PG_AUTHENTICATION || state == ENGINE_OVER)
		return fail(f, "unexpected message from the server during authentication");
	if (body.bad)
		return fail(f, "malformed authentication request");
	if (code == AUTH_OK && (state == ENGINE_FIRST || state == ENGINE_FINAL)) {
		fault_set(f, FAULT_AUTH, "the server ended SCRAM before it had proved that it knows our password");
		return PG_LOGIN_FAIL;
	}
	switch (state) {
	case ENGINE_ASKED:
		verdict = engine_asked(l, code, body, &o, f);
		break;
	case ENGINE_FIRST:
		if (code != AUTH_SASL_CONTINUE)
			return fail(f, "the server does not go on with the SASL exchange");
		verdict = engine_sasl_continue(l, body, &o, f);
		break;
	case ENGINE_FINAL:
		if (code != AUTH_SASL_FINAL)
			return fail(f, "the server does not go on with the SASL exchange");
		if (scram_client_verify(&l->scram, body.p, rd_left(&body), f)) {
			l->state = ENGINE_ANSWERED;
			verdict = PG_LOGIN_MORE;
		}
		break;
	case ENGINE_ANSWERED:
		if (code != AUTH_OK || !rd_done(&body))
			return fail(f, "the server asks for authentication again");
		verdict = PG_LOGIN_OK;
		break;
	case ENGINE_OVER:
		break;
	}
	return verdict == PG_LOGIN_FAIL ? verdict : done(&o, verdict, n, f);
}
