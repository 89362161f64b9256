/* test_mysql_login.c - MySQL's login machines: a door and an engine that talk to each other, and each alone with a peer
 * that does not keep to the rules. */
#include "mysql/login.h"

#include "auth/crypto.h"
#include "auth/ed25519.h"
#include "auth/native.h"
#include "auth/secret_int.h"
#include "auth/sha2.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define NATIVE_PENCIL "*7614BE58636C810A9D8970A50B3B2A78450413E4"
#define SHA2_PENCIL   "$A$005$ABCDEFGHIJKLMNOPQRST/Ot.EjLtgDi7N2ac.5J0vA5rhjKnaqYaZp3Id61YMC1"
#define MD5_PENCIL    "md5984c3e9256f24b08e5b849d2265593b2" /* of anna */

#define ED_PENCIL     "ed25519:x1YAMCvR7TI3XkfIDrsGUiePkxOybYVG94ctSSWCDSc"
/* MariaDB's own example. */
#define ED_SECRET     "ed25519:ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY="
#define PARSEC_PENCIL "P0:QUJDREVGR0hJSktMTU5PUFFS:PyB42+MUuIvSON6Z4FUhZ9gkV+r3uh4Ptzi7xYlMAnk"
#define PARSEC_4096   "P2:QUJDREVGR0hJSktMTU5PUFFS:fFV805qmIh4zdbj3DNq42lrgOWI0cSPSrVxMhUEc6vc="
/* hashcat's example of its mode 7401, with a salt of all kinds of bytes; in the form in which MySQL prints such a one.
 */
#define SHA2_HASHCAT                                                                                                   \
	"0x24412430303524F9CC98CE08892924F50A213B6BC571A2C11778C562547939355939396541"                                 \
	"4D45316477456B484F41316E64484742577A2E3162785353526B7554584647562F"

struct talk {
	struct mysql_door_login door;
	struct mysql_engine_login engine;
	struct mysql_door_asks asks;
	enum mysql_login_verdict door_verdict, engine_verdict;
	unsigned steps;
	struct fault f, ef;
};

/* One side's payload as an exact copy, so that a sanitizer sees one byte too far. */
static enum mysql_login_verdict door_step(struct talk *t, const uint8_t *p, size_t n, uint8_t *out, size_t *out_n)
{
	uint8_t *copy = copy_exact(p, n);
	enum mysql_login_verdict v = mysql_door_login_step(&t->door, rd_of(copy, n), out, out_n, &t->f);
	free(copy);
	return v;
}

static enum mysql_login_verdict engine_step(struct talk *t, const uint8_t *p, size_t n, uint8_t *out, size_t *out_n)
{
	uint8_t *copy = copy_exact(p, n);
	enum mysql_login_verdict v = mysql_engine_login_step(&t->engine, rd_of(copy, n), out, out_n, &t->ef);
	free(copy);
	return v;
}

/* From the greeting to the verdict. The client is our own engine. */
static void talk(struct talk *t, struct secret *door, struct secret *engine, enum mysql_plugin announced,
		 bool is_private)
{
	static const uint8_t ok[] = { 0, 0, 0, 2, 0, 0, 0 };
	uint8_t nonce[MYSQL_NONCE_LEN], out[MYSQL_LOGIN_OUT_MAX], said[MYSQL_LOGIN_OUT_MAX];
	size_t n, said_n;
	const char *name;

	check("a nonce", mysql_nonce(nonce) && !memchr(nonce, 0, sizeof nonce) && !memchr(nonce, '$', sizeof nonce));
	t->engine_verdict =
		mysql_engine_login_begin(&t->engine, "anna", engine, is_private, mysql_plugin_name(announced),
					 rd_of(nonce, sizeof nonce), &name, said, &said_n, &t->ef);
	check_eq("begins", t->engine_verdict, MYSQL_LOGIN_MORE);
	t->asks.user = "anna";
	t->asks.host = "10.0.0.1";
	t->asks.secret = door;
	t->asks.is_private = is_private;
	t->asks.has_plugins = true;
	t->asks.announced = announced;
	t->asks.nonce = nonce;
	t->asks.plugin = name;
	t->asks.response = rd_of(said, said_n);
	t->door_verdict = mysql_door_login_begin(&t->door, &t->asks, out, &n, &t->f);
	for (t->steps = 0; t->steps < 10; t->steps++) {
		if (t->door_verdict == MYSQL_LOGIN_FAIL || t->engine_verdict == MYSQL_LOGIN_FAIL)
			return;
		if (t->door_verdict == MYSQL_LOGIN_OK || t->door_verdict == MYSQL_LOGIN_ASK) {
			if (n)
				check_eq("waits", engine_step(t, out, n, said, &said_n), MYSQL_LOGIN_WAIT);
			t->engine_verdict = engine_step(t, ok, sizeof ok, said, &said_n);
			return;
		}
		t->engine_verdict = engine_step(t, out, n, said, &said_n);
		if (t->engine_verdict == MYSQL_LOGIN_MORE)
			t->door_verdict = door_step(t, said, said_n, out, &n);
	}
}

static void test_talks(void)
{
	static const struct {
		const char *what, *door, *engine;
		enum mysql_plugin announced;
		bool is_private, fits;
		enum mysql_plugin spoken;
	} cases[] = {
		{ "plain, native", "pencil", "pencil", MYSQL_PLUGIN_NATIVE, false, true, MYSQL_PLUGIN_NATIVE },
		{ "plain, sha2", "pencil", "pencil", MYSQL_PLUGIN_SHA2, false, true, MYSQL_PLUGIN_SHA2 },
		{ "hash, native", NATIVE_PENCIL, "pencil", MYSQL_PLUGIN_NATIVE, false, true, MYSQL_PLUGIN_NATIVE },
		{ "hash, switched", NATIVE_PENCIL, "pencil", MYSQL_PLUGIN_SHA2, false, true, MYSQL_PLUGIN_NATIVE },
		{ "verifier, full", SHA2_PENCIL, "pencil", MYSQL_PLUGIN_SHA2, true, true, MYSQL_PLUGIN_SHA2 },
		{ "verifier, switched", SHA2_PENCIL, "pencil", MYSQL_PLUGIN_NATIVE, true, true, MYSQL_PLUGIN_SHA2 },
		{ "a verifier in hex", SHA2_HASHCAT, "hashcat", MYSQL_PLUGIN_SHA2, true, true, MYSQL_PLUGIN_SHA2 },
		{ "verifier, by RSA", SHA2_PENCIL, "pencil", MYSQL_PLUGIN_SHA2, false, true, MYSQL_PLUGIN_SHA2 },
		{ "verifier, by RSA, wrong", SHA2_PENCIL, "pencils", MYSQL_PLUGIN_SHA2, false, false,
		  MYSQL_PLUGIN_SHA2 },
		{ "ed25519", ED_PENCIL, "pencil", MYSQL_PLUGIN_NATIVE, false, true, MYSQL_PLUGIN_ED25519 },
		{ "ed25519, MariaDB's", ED_SECRET, "secret", MYSQL_PLUGIN_SHA2, true, true, MYSQL_PLUGIN_ED25519 },
		{ "ed25519, wrong", ED_PENCIL, "pencils", MYSQL_PLUGIN_SHA2, false, false, MYSQL_PLUGIN_ED25519 },
		{ "parsec", PARSEC_PENCIL, "pencil", MYSQL_PLUGIN_NATIVE, false, true, MYSQL_PLUGIN_PARSEC },
		{ "parsec, more rounds", PARSEC_4096, "pencil", MYSQL_PLUGIN_SHA2, true, true, MYSQL_PLUGIN_PARSEC },
		{ "parsec, wrong", PARSEC_PENCIL, "pencils", MYSQL_PLUGIN_NATIVE, false, false, MYSQL_PLUGIN_PARSEC },
		{ "md5, private", MD5_PENCIL, "pencil", MYSQL_PLUGIN_NATIVE, true, true, MYSQL_PLUGIN_CLEAR },
		{ "md5, not private", MD5_PENCIL, "pencil", MYSQL_PLUGIN_NATIVE, false, false, MYSQL_PLUGIN_NONE },
		{ "plain, wrong, native", "pencil", "pencils", MYSQL_PLUGIN_NATIVE, false, false, MYSQL_PLUGIN_NATIVE },
		{ "plain, wrong, sha2", "pencil", "pencils", MYSQL_PLUGIN_SHA2, false, false, MYSQL_PLUGIN_SHA2 },
		{ "hash, wrong", NATIVE_PENCIL, "pencils", MYSQL_PLUGIN_NATIVE, false, false, MYSQL_PLUGIN_NATIVE },
		{ "verifier, wrong", SHA2_PENCIL, "pencils", MYSQL_PLUGIN_SHA2, true, false, MYSQL_PLUGIN_SHA2 },
		{ "no password stored", "", "pencil", MYSQL_PLUGIN_NATIVE, false, false, MYSQL_PLUGIN_NATIVE },
		{ "none stored, none given", "", "", MYSQL_PLUGIN_NATIVE, false, false, MYSQL_PLUGIN_NATIVE },
		{ "none given", "pencil", "", MYSQL_PLUGIN_NATIVE, false, false, MYSQL_PLUGIN_NATIVE },
		{ "none given, sha2", "pencil", "", MYSQL_PLUGIN_SHA2, false, false, MYSQL_PLUGIN_SHA2 },
		{ "none given, verifier", SHA2_PENCIL, "", MYSQL_PLUGIN_SHA2, true, false, MYSQL_PLUGIN_SHA2 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		struct secret door, engine;
		struct talk t = { .asks.how = MYSQL_AUTH_PASSWORD };
		if (cases[i].spoken == MYSQL_PLUGIN_ED25519 && !ed25519_is_whole())
			continue;
		if (!check(what, secret_parse(&door, cases[i].door) && secret_parse(&engine, cases[i].engine)))
			continue;
		talk(&t, &door, &engine, cases[i].announced, cases[i].is_private);
		check_eq(what, t.door_verdict, cases[i].fits ? MYSQL_LOGIN_OK : MYSQL_LOGIN_FAIL);
		check_eq(what, t.door.plugin, cases[i].spoken);
		if (cases[i].fits) {
			check_eq(what, t.engine_verdict, MYSQL_LOGIN_OK);
		} else {
			check_eq(what, t.f.mysql_errno, 1045);
			check_str(what, t.f.sqlstate, "28000");
			check_str(what, t.f.text,
				  *cases[i].engine ? "Access denied for user 'anna'@'10.0.0.1' (using password: YES)"
						   : "Access denied for user 'anna'@'10.0.0.1' (using password: NO)");
			check(what, *mysql_door_why(&t.door));
		}
		secret_clear(&door);
		secret_clear(&engine);
	}
}

/* What the first login told serves the next ones, and logs in to servers. */
static void test_learned(void)
{
	struct secret door, client;
	struct talk t = { .asks.how = MYSQL_AUTH_PASSWORD };
	if (!check("parse", secret_parse(&client, "pencil") && secret_parse(&door, NATIVE_PENCIL)))
		return;
	talk(&t, &door, &door, MYSQL_PLUGIN_NATIVE, false);
	check_eq("a hash alone proves nothing", t.engine_verdict, MYSQL_LOGIN_FAIL);
	check("and says why", strstr(t.ef.text, "no client has proved itself"));
	talk(&t, &door, &client, MYSQL_PLUGIN_NATIVE, false);
	check_eq("in", t.door_verdict, MYSQL_LOGIN_OK);
	talk(&t, &door, &door, MYSQL_PLUGIN_NATIVE, false);
	check_eq("a proof yields the key", t.door_verdict, MYSQL_LOGIN_OK);
	secret_clear(&door);

	if (!check("parse", secret_parse(&door, SHA2_PENCIL)))
		return;
	talk(&t, &door, &door, MYSQL_PLUGIN_SHA2, true);
	check_eq("a verifier alone proves nothing", t.engine_verdict, MYSQL_LOGIN_FAIL);
	talk(&t, &door, &client, MYSQL_PLUGIN_SHA2, true);
	check_eq("the full path", t.door_verdict, MYSQL_LOGIN_OK);
	uint64_t runs = crypto_runs();
	talk(&t, &door, &client, MYSQL_PLUGIN_SHA2, false);
	check_eq("then the fast one", t.door_verdict, MYSQL_LOGIN_OK);
	check("without the rounds", crypto_runs() - runs < 20);
	talk(&t, &door, &door, MYSQL_PLUGIN_SHA2, false);
	check_eq("with servers too", t.engine_verdict, MYSQL_LOGIN_OK);
	talk(&t, &client, &door, MYSQL_PLUGIN_NATIVE, false);
	check_eq("by any way", t.engine_verdict, MYSQL_LOGIN_OK);
	secret_clear(&door);
	secret_clear(&client);
}

/* Two passwords at once: the hash decides about the way. */
static void test_two(void)
{
	static const struct {
		const char *one, *two, *told;
		bool fits;
	} cases[] = {
		{ "pencil", "crayon", "pencil", true },         { "pencil", "crayon", "crayon", true },
		{ "pencil", "crayon", "pencils", false },       { NATIVE_PENCIL, "crayon", "pencil", true },
		{ NATIVE_PENCIL, "crayon", "crayon", true },    { "crayon", NATIVE_PENCIL, "pencil", true },
		{ "crayon", NATIVE_PENCIL, "crayon", true },    { SHA2_PENCIL, "crayon", "pencil", true },
		{ SHA2_PENCIL, "crayon", "crayon", true },      { "crayon", SHA2_PENCIL, "pencil", true },
		{ "crayon", SHA2_PENCIL, "crayon", true },      { "crayon", SHA2_PENCIL, "pencils", false },
		{ SHA2_PENCIL, SHA2_HASHCAT, "hashcat", true }, { PARSEC_PENCIL, "crayon", "crayon", true },
		{ "crayon", PARSEC_PENCIL, "pencil", true },    { "crayon", PARSEC_PENCIL, "pencils", false },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		for (int announced = MYSQL_PLUGIN_NATIVE; announced <= MYSQL_PLUGIN_SHA2; announced++) {
			struct secret door, client;
			struct talk t = { .asks.how = MYSQL_AUTH_PASSWORD };
			if (!check("parse", secret_parse_both(&door, cases[i].one, cases[i].two) &&
						    secret_parse(&client, cases[i].told)))
				continue;
			for (int again = 0; again < 2; again++) {
				talk(&t, &door, &client, (enum mysql_plugin)announced, false);
				check_eq(cases[i].one, t.door_verdict,
					 cases[i].fits ? MYSQL_LOGIN_OK : MYSQL_LOGIN_FAIL);
			}
			secret_clear(&door);
			secret_clear(&client);
		}
}

/* Whoever is not there, or gives a wrong password, is asked the same, costs the same and hears the same. */
static void test_same_for_all(void)
{
	static const char *const texts[] = { "pencil", NATIVE_PENCIL, SHA2_PENCIL, PARSEC_PENCIL, ED_PENCIL };
	for (size_t i = 0; i < COUNT(texts); i++)
		for (int doubles = 0; doubles < 2; doubles++)
			for (int is_private = 0; is_private < 2; is_private++) {
				struct secret known, none, wrong[3] = { 0 }, two;
				struct secret *is[] = { &known, &none, NULL };
				uint64_t runs[3], slow[3];
				unsigned steps[3];
				enum mysql_plugin spoken[3];
				char said[3][512];
				if (!ed25519_is_whole() && texts[i][0] == 'e')
					continue;
				if (!check("parse", secret_parse(&known, texts[i]) && secret_parse(&none, "") &&
							    secret_parse_both(&two, "a", doubles ? "b" : "")))
					continue;
				for (int k = 0; k < 3; k++)
					check("parse", secret_parse(&wrong[k], "wrong"));
				for (int warm = 0; warm < 2; warm++) /* what is made once is made the first time */
					for (int k = 0; k < 3; k++) {
						struct talk t = { .asks.how = MYSQL_AUTH_PASSWORD,
								  .asks.nobody_as = known.kind };
						runs[k] = crypto_runs();
						slow[k] = crypto_pbkdf2_runs();
						talk(&t, is[k], &wrong[k], MYSQL_PLUGIN_SHA2, is_private);
						runs[k] = crypto_runs() - runs[k];
						slow[k] = crypto_pbkdf2_runs() - slow[k];
						steps[k] = t.steps;
						spoken[k] = t.door.plugin;
						memcpy(said[k], t.f.text, sizeof said[k]);
						check_eq(texts[i], t.door_verdict, MYSQL_LOGIN_FAIL);
					}
				for (int k = 1; k < 3; k++) {
					check_eq(texts[i], runs[k], runs[0]);
					check_eq(texts[i], slow[k], slow[0]);
					check_eq(texts[i], steps[k], steps[0]);
					check_eq(texts[i], spoken[k], spoken[0]);
					check_str(texts[i], said[k], said[0]);
				}
				secret_clear(&known);
				secret_clear(&none);
				for (int k = 0; k < 3; k++)
					secret_clear(&wrong[k]);
				secret_clear(&two);
			}
}

/* Published ones: MySQL's own and go-sql-driver's. */
static void test_vectors(void)
{
	static const uint8_t nonce[] = {
		10, 47, 74, 111, 75, 73, 34, 48, 88, 76, 114, 74, 37, 13, 3, 80, 82, 2, 23, 21
	};
	static const uint8_t proof[] = { 0xf4, 0x90, 0xe7, 0x6f, 0x66, 0xd9, 0xd8, 0x66, 0x65, 0xce, 0x54,
					 0xd9, 0x8c, 0x78, 0xd0, 0xac, 0xfe, 0x2f, 0xb0, 0xb0, 0x8b, 0x42,
					 0x3d, 0xa8, 0x07, 0x14, 0x48, 0x73, 0xd3, 0x0b, 0x31, 0x2c };
	struct secret secret, hash;
	uint8_t out[ED25519_SIG_LEN];
	if (!check("parse",
		   secret_parse(&secret, "secret") && secret_parse(&hash, "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19")))
		return;
	check("caching_sha2_password", sha2_answer(&secret, nonce, out));
	check_mem("caching_sha2_password", out, proof, sizeof proof);
	check("mysql_native_password", secret_check_plain(&hash, SECRET_PLAIN, "anna", "password"));
	check("another", !secret_check_plain(&hash, SECRET_PLAIN, "anna", "passwords"));
	secret_clear(&secret);
	secret_clear(&hash);
}

/* The client's first answer, by hand. */
static enum mysql_login_verdict begin(struct talk *t, struct secret *secret, const char *plugin,
				      enum mysql_plugin announced, const char *response, size_t len, uint8_t *out,
				      size_t *n)
{
	static const uint8_t nonce[MYSQL_NONCE_LEN] = "nnnnnnnnnnnnnnnnnnn";
	t->asks.user = "anna";
	t->asks.host = "h";
	t->asks.secret = secret;
	t->asks.announced = announced;
	t->asks.nonce = nonce;
	t->asks.plugin = plugin;
	t->asks.response = rd_of(response, len);
	return t->door_verdict = mysql_door_login_begin(&t->door, &t->asks, out, n, &t->f);
}

/* What a client says first, and what it is asked then. */
static void test_begin(void)
{
	static const struct {
		const char *what, *secret, *plugin;
		enum mysql_auth how;
		enum mysql_plugin announced;
		bool has_plugins, is_private;
		const char *response;
		size_t len;
		enum mysql_login_verdict want;
		const char *out; /* it begins so */
		size_t out_len;
	} cases[] = {
		{ "trust, native", "pencil", "mysql_native_password", MYSQL_AUTH_TRUST, MYSQL_PLUGIN_NATIVE, true,
		  false, BYTES("anything"), MYSQL_LOGIN_OK, BYTES("") },
		{ "trust, sha2", "pencil", "caching_sha2_password", MYSQL_AUTH_TRUST, MYSQL_PLUGIN_SHA2, true, false,
		  BYTES("anything"), MYSQL_LOGIN_OK, BYTES("\1\3") },
		{ "trust, sha2, no password", "pencil", "caching_sha2_password", MYSQL_AUTH_TRUST, MYSQL_PLUGIN_SHA2,
		  true, false, BYTES("\0"), MYSQL_LOGIN_OK, BYTES("") },
		{ "trust, another", "pencil", "dialog", MYSQL_AUTH_TRUST, MYSQL_PLUGIN_SHA2, true, false,
		  BYTES("anything"), MYSQL_LOGIN_MORE, BYTES("\376mysql_native_password\0") },
		{ "trust, no plugins", "pencil", "", MYSQL_AUTH_TRUST, MYSQL_PLUGIN_SHA2, false, false,
		  BYTES("anything"), MYSQL_LOGIN_OK, BYTES("") },
		{ "clear, not private", "pencil", "mysql_native_password", MYSQL_AUTH_CLEAR, MYSQL_PLUGIN_NATIVE, true,
		  false, BYTES("anything"), MYSQL_LOGIN_FAIL, BYTES("") },
		{ "clear", "pencil", "mysql_native_password", MYSQL_AUTH_CLEAR, MYSQL_PLUGIN_NATIVE, true, true,
		  BYTES("anything"), MYSQL_LOGIN_MORE, BYTES("\376mysql_clear_password\0") },
		{ "the client's wish, not private", "pencil", "mysql_clear_password", MYSQL_AUTH_PASSWORD,
		  MYSQL_PLUGIN_NATIVE, true, false, BYTES("pencil\0"), MYSQL_LOGIN_MORE,
		  BYTES("\376mysql_native_password\0") },
		{ "the client's wish", NATIVE_PENCIL, "mysql_clear_password", MYSQL_AUTH_PASSWORD, MYSQL_PLUGIN_NATIVE,
		  true, true, BYTES(""), MYSQL_LOGIN_MORE, BYTES("\376mysql_clear_password\0") },
		{ "the client likes sha2", "pencil", "caching_sha2_password", MYSQL_AUTH_PASSWORD, MYSQL_PLUGIN_NATIVE,
		  true, false, BYTES(""), MYSQL_LOGIN_MORE, BYTES("\376caching_sha2_password\0") },
		{ "the client likes parsec", "pencil", "parsec", MYSQL_AUTH_PASSWORD, MYSQL_PLUGIN_NATIVE, true, false,
		  BYTES(""), MYSQL_LOGIN_MORE, BYTES("\376parsec\0") },
		{ "what nobody knows", "pencil", "no_such_plugin", MYSQL_AUTH_PASSWORD, MYSQL_PLUGIN_SHA2, true, false,
		  BYTES("x"), MYSQL_LOGIN_MORE, BYTES("\376mysql_native_password\0") },
		{ "a hash for another plugin", SHA2_PENCIL, "mysql_native_password", MYSQL_AUTH_PASSWORD,
		  MYSQL_PLUGIN_NATIVE, true, false, BYTES("12345678901234567890"), MYSQL_LOGIN_MORE,
		  BYTES("\376caching_sha2_password\0") },
		{ "no plugins, and a hash for one", SHA2_PENCIL, "", MYSQL_AUTH_PASSWORD, MYSQL_PLUGIN_NATIVE, false,
		  false, BYTES("12345678901234567890"), MYSQL_LOGIN_FAIL, BYTES("") },
		{ "no plugins, wrong", "pencil", "", MYSQL_AUTH_PASSWORD, MYSQL_PLUGIN_SHA2, false, false,
		  BYTES("12345678901234567890"), MYSQL_LOGIN_FAIL, BYTES("") },
		{ "change of user", "pencil", "mysql_native_password", MYSQL_AUTH_PASSWORD, MYSQL_PLUGIN_NONE, true,
		  false, BYTES("12345678901234567890"), MYSQL_LOGIN_MORE, BYTES("\376mysql_native_password\0") },
		{ "change of user, no plugins", "pencil", "", MYSQL_AUTH_PASSWORD, MYSQL_PLUGIN_NONE, false, false,
		  BYTES("12345678901234567890"), MYSQL_LOGIN_FAIL, BYTES("") },
		{ "too short", "pencil", "mysql_native_password", MYSQL_AUTH_PASSWORD, MYSQL_PLUGIN_NATIVE, true, false,
		  BYTES("1234567890123456789"), MYSQL_LOGIN_FAIL, BYTES("") },
		{ "too long", "pencil", "mysql_native_password", MYSQL_AUTH_PASSWORD, MYSQL_PLUGIN_NATIVE, true, false,
		  BYTES("123456789012345678901"), MYSQL_LOGIN_FAIL, BYTES("") },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		struct secret secret;
		struct talk t = { .asks = { .how = cases[i].how,
					    .has_plugins = cases[i].has_plugins,
					    .is_private = cases[i].is_private } };
		uint8_t out[MYSQL_LOGIN_OUT_MAX];
		size_t n = 99;
		char *response = (char *)copy_exact(cases[i].response, cases[i].len);
		if (check(what, secret_parse(&secret, cases[i].secret))) {
			check_eq(what,
				 begin(&t, &secret, cases[i].plugin, cases[i].announced, response, cases[i].len, out,
				       &n),
				 cases[i].want);
			if (cases[i].want != MYSQL_LOGIN_FAIL &&
			    check(what, cases[i].out_len ? n >= cases[i].out_len : n == 0))
				check_mem(what, out, cases[i].out, cases[i].out_len);
			if (cases[i].want != MYSQL_LOGIN_MORE)
				check_eq(what, door_step(&t, (const uint8_t *)"x", 1, out, &n), MYSQL_LOGIN_FAIL);
		}
		free(response);
		secret_clear(&secret);
	}
}

/* Somebody else knows whether the password is right. */
static void test_outside(void)
{
	uint8_t out[MYSQL_LOGIN_OUT_MAX];
	size_t n;
	static const struct {
		const char *what, *body;
		size_t len;
		enum mysql_login_verdict want;
	} cases[] = {
		{ "a password", BYTES("pencil\0"), MYSQL_LOGIN_ASK },
		{ "none", BYTES("\0"), MYSQL_LOGIN_FAIL },
		{ "nothing", BYTES(""), MYSQL_LOGIN_FAIL },
		{ "no end", BYTES("pencil"), MYSQL_LOGIN_FAIL },
		{ "more behind it", BYTES("pencil\0x"), MYSQL_LOGIN_FAIL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct talk t = { .asks = { .how = MYSQL_AUTH_OUTSIDE, .has_plugins = true, .is_private = true } };
		begin(&t, NULL, "mysql_native_password", MYSQL_PLUGIN_NATIVE, "", 0, out, &n);
		uint8_t *body = copy_exact(cases[i].body, cases[i].len);
		check_eq(cases[i].what, mysql_door_login_step(&t.door, rd_of(body, cases[i].len), out, &n, &t.f),
			 cases[i].want);
		if (cases[i].want == MYSQL_LOGIN_ASK)
			check_str(cases[i].what, t.door.password, "pencil");
		free(body);
	}
}

/* What a server may say, and what comes of it. */
static void test_engine(void)
{
	static const struct {
		const char *what, *plugin, *secret;
		bool is_private;
		const char *first, *second;
		size_t first_len, second_len;
		enum mysql_login_verdict want;
		enum fault_kind kind;
	} cases[] = {
		{ "in at once", "mysql_native_password", "pencil", false, "\0\0\0\2\0\0\0", NULL, 7, 0, MYSQL_LOGIN_OK,
		  0 },
		{ "nothing", "mysql_native_password", "pencil", false, "", NULL, 0, 0, MYSQL_LOGIN_FAIL, FAULT_PROTO },
		{ "switched twice", "mysql_native_password", "pencil", false,
		  "\376caching_sha2_password\0nnnnnnnnnnnnnnnnnnnn\0",
		  "\376mysql_native_password\0nnnnnnnnnnnnnnnnnnnn\0", 44, 44, MYSQL_LOGIN_FAIL, FAULT_PROTO },
		{ "switched, no nonce", "mysql_native_password", "pencil", false, "\376caching_sha2_password\0", NULL,
		  23, 0, MYSQL_LOGIN_FAIL, FAULT_PROTO },
		{ "switched, a cut name", "mysql_native_password", "pencil", false, "\376caching_sha2", NULL, 13, 0,
		  MYSQL_LOGIN_FAIL, FAULT_PROTO },
		{ "before 4.1", "mysql_native_password", "pencil", false, "\376", NULL, 1, 0, MYSQL_LOGIN_FAIL,
		  FAULT_UNSUP },
		{ "who knows what", "mysql_native_password", "pencil", false, "\376dialog\0", NULL, 8, 0,
		  MYSQL_LOGIN_FAIL, FAULT_UNSUP },
		{ "the password, to anybody", "mysql_native_password", "pencil", false, "\376mysql_clear_password\0",
		  NULL, 22, 0, MYSQL_LOGIN_FAIL, FAULT_AUTH },
		{ "the password", "mysql_native_password", "pencil", true, "\376mysql_clear_password\0",
		  "\0\0\0\2\0\0\0", 22, 7, MYSQL_LOGIN_OK, 0 },
		{ "of which there is a hash", "mysql_native_password", NATIVE_PENCIL, true,
		  "\376mysql_clear_password\0", NULL, 22, 0, MYSQL_LOGIN_FAIL, FAULT_AUTH },
		{ "fast", "caching_sha2_password", "pencil", false, "\1\3", "\0\0\0\2\0\0\0", 2, 7, MYSQL_LOGIN_OK, 0 },
		{ "fast, twice", "caching_sha2_password", "pencil", false, "\1\3", "\1\3", 2, 2, MYSQL_LOGIN_FAIL,
		  FAULT_PROTO },
		{ "full, private", "caching_sha2_password", "pencil", true, "\1\4", "\0\0\0\2\0\0\0", 2, 7,
		  MYSQL_LOGIN_OK, 0 },
		{ "full, no key", "caching_sha2_password", "pencil", false, "\1\4", "\1no key", 2, 7, MYSQL_LOGIN_FAIL,
		  FAULT_PROTO },
		{ "full, and no password", "caching_sha2_password", NATIVE_PENCIL, true,
		  "\376caching_sha2_password\0nnnnnnnnnnnnnnnnnnnn\0", NULL, 44, 0, MYSQL_LOGIN_FAIL, FAULT_AUTH },
		{ "more, of nothing", "mysql_native_password", "pencil", true, "\1\4", NULL, 2, 0, MYSQL_LOGIN_FAIL,
		  FAULT_PROTO },
		{ "parsec, the salt cut", "mysql_native_password", "pencil", false,
		  "\376parsec\0nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", "P\0abc", 40, 5, MYSQL_LOGIN_FAIL, FAULT_PROTO },
		{ "parsec, many rounds", "mysql_native_password", "pencil", false,
		  "\376parsec\0nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", "P\7aaaaaaaaaaaaaaaaaa", 40, 20, MYSQL_LOGIN_FAIL,
		  FAULT_PROTO },
		{ "parsec", "mysql_native_password", "pencil", false, "\376parsec\0nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
		  "\1P\1aaaaaaaaaaaaaaaaaa", 40, 21, MYSQL_LOGIN_MORE, 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what, *name;
		struct secret secret;
		struct talk t = { 0 };
		uint8_t out[MYSQL_LOGIN_OUT_MAX];
		size_t n;
		if (!check(what, secret_parse(&secret, cases[i].secret)))
			continue;
		check_eq(what,
			 mysql_engine_login_begin(&t.engine, "anna", &secret, cases[i].is_private, cases[i].plugin,
						  rd_of("nnnnnnnnnnnnnnnnnnnn", 21), &name, out, &n, &t.ef),
			 MYSQL_LOGIN_MORE);
		enum mysql_login_verdict v =
			engine_step(&t, (const uint8_t *)cases[i].first, cases[i].first_len, out, &n);
		if (cases[i].second && check(what, v == MYSQL_LOGIN_MORE || v == MYSQL_LOGIN_WAIT))
			v = engine_step(&t, (const uint8_t *)cases[i].second, cases[i].second_len, out, &n);
		check_eq(what, v, cases[i].want);
		if (v == MYSQL_LOGIN_FAIL)
			check_eq(what, t.ef.kind, cases[i].kind);
		if (v == MYSQL_LOGIN_FAIL || v == MYSQL_LOGIN_OK)
			check_eq(what, engine_step(&t, (const uint8_t *)"\0\0\0", 3, out, &n), MYSQL_LOGIN_FAIL);
		secret_clear(&secret);
	}
}

static void test_names(void)
{
	for (enum mysql_plugin p = MYSQL_PLUGIN_NATIVE; p < MYSQL_NPLUGINS; p++)
		check_eq(mysql_plugin_name(p), mysql_plugin_of(mysql_plugin_name(p)), p);
	check_eq("none", mysql_plugin_of(""), MYSQL_PLUGIN_NONE);
	check_eq("5.6", mysql_plugin_announced("5.6.51-log"), MYSQL_PLUGIN_NATIVE);
	check_eq("8", mysql_plugin_announced("8.0.11"), MYSQL_PLUGIN_SHA2);
	check_eq("9", mysql_plugin_announced("9.7.0"), MYSQL_PLUGIN_SHA2);
	check_eq("MariaDB", mysql_plugin_announced("10.11.6-MariaDB"), MYSQL_PLUGIN_NATIVE);
	check_eq("MariaDB for old clients", mysql_plugin_announced("5.5.5-10.11.6-MariaDB"), MYSQL_PLUGIN_NATIVE);
	check_eq("nothing", mysql_plugin_announced(""), MYSQL_PLUGIN_NATIVE);
}

void suite_mysql_login(void)
{
	static const struct unit_test tests[] = {
		{ "talks", test_talks },
		{ "learned", test_learned },
		{ "two passwords", test_two },
		{ "the same for all", test_same_for_all },
		{ "published vectors", test_vectors },
		{ "beginnings", test_begin },
		{ "outside", test_outside },
		{ "engine", test_engine },
		{ "names", test_names },
		{ NULL, NULL },
	};
	unit_add("mysql_login", tests);
}
