/* test_mysql_login.c - MySQL's login machines: a door and an engine that talk to each other, and each alone with a peer
 * that does not keep to the rules. */
#include "mysql/login.h"

#include "auth/crypto.h"
#include "auth/native.h"
#include "auth/secret_int.h"
#include "auth/sha2.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define NATIVE_PENCIL "*7614BE58636C810A9D8970A50B3B2A78450413E4"
#define SHA2_PENCIL   "$A$005$ABCDEFGHIJKLMNOPQRST/Ot.EjLtgDi7N2ac.5J0vA5rhjKnaqYaZp3Id61YMC1"
#define MD5_PENCIL    "md5984c3e9256f24b08e5b849d2265593b2" /* of anna */

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

void suite_mysql_login(void)
{
	static const struct unit_test tests[] = {
		{ "talks", test_talks },
		{ "learned", test_learned },
		{ NULL, NULL },
	};
	unit_add("mysql_login", tests);
}
