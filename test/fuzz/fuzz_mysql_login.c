/* fuzz_mysql_login.c - MySQL's authentication on both sides.
 * The input begins with letters. The first: d, a client logs in to us; e, we log in to a server; b, both, with each
 * other. The second is the stored secret's form: n none, p plain, m md5, a mysql_native_password's hash, v
 * caching_sha2_password's verifier, w one to which the password was shown, k parsec's key, i ed25519's. The third is
 * how: t trust, p password, c clear text, o outside. The fourth is the plugin of the greeting: n native, s sha2, x
 * none. The fifth: y, the link is private. For d and e the name of the other side's plugin stands behind them, with a
 * NUL, and its payloads, each with two bytes of length before it; for b the password stored and the one known,
 * likewise. */
#include "fuzz.h"

#include "auth/crypto.h"
#include "auth/ed25519.h"
#include "auth/secret_int.h"
#include "auth/sha2.h"
#include "core/str.h"
#include "mysql/login.h"

#include <stdlib.h>
#include <string.h>

#define USER     "anna"
#define PASSWORD "pencil"
#define ROUNDS   8
#define NONCE    "nnnnnnnnnnnnnnnnnnnn"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	crypto_set_random(fuzz_random);
	return !mysql_login_init();
}

/* PASSWORD in one of its forms. */
static void store(struct secret *s, char form)
{
	const char *text = form == 'm'   ? "md5984c3e9256f24b08e5b849d2265593b2"
			   : form == 'a' ? "*7614BE58636C810A9D8970A50B3B2A78450413E4"
			   : form == 'v' || form == 'w'
				   ? "$A$001$ABCDEFGHIJKLMNOPQRSTI9K9NuwJzR/aQVwivIdUriiQwPL/6VOZcIj7HvKFLGB"
			   : form == 'k' ? "P0:QUJDREVGR0hJSktMTU5PUFFS:PyB42+MUuIvSON6Z4FUhZ9gkV+r3uh4Ptzi7xYlMAnk"
			   : form == 'i' ? "ed25519:x1YAMCvR7TI3XkfIDrsGUiePkxOybYVG94ctSSWCDSc"
					 : PASSWORD;
	fuzz_check("a secret", secret_parse(s, text));
	if (form == 'w')
		fuzz_check("shown", secret_check_plain(s, SECRET_PLAIN, USER, PASSWORD) && secret_password(s));
}

static enum mysql_auth how_of(char c)
{
	return c == 't'   ? MYSQL_AUTH_TRUST
	       : c == 'c' ? MYSQL_AUTH_CLEAR
	       : c == 'o' ? MYSQL_AUTH_OUTSIDE
			  : MYSQL_AUTH_PASSWORD;
}

static enum mysql_plugin announced_of(char c)
{
	return c == 'n' ? MYSQL_PLUGIN_NATIVE : c == 's' ? MYSQL_PLUGIN_SHA2 : MYSQL_PLUGIN_NONE;
}

/* What holds for each answer of either machine. */
static void check_step(enum mysql_login_verdict verdict, size_t n, const struct fault *f)
{
	fuzz_check("there was room", n <= MYSQL_LOGIN_OUT_MAX);
	fuzz_check("nothing is said", verdict == MYSQL_LOGIN_MORE || verdict == MYSQL_LOGIN_OK || n == 0);
	if (verdict == MYSQL_LOGIN_FAIL) {
		fuzz_check("but to us", f->kind != FAULT_NONE && *f->text);
		fuzz_check("and it is not our own fault",
			   f->kind == FAULT_PROTO || f->kind == FAULT_AUTH || f->kind == FAULT_UNSUP);
		return;
	}
	fuzz_check("no fault", f->kind == FAULT_NONE);
}

struct sides {
	struct mysql_door_login door;
	struct mysql_engine_login engine;
	struct secret secret;
	uint8_t *out; /* MYSQL_LOGIN_OUT_MAX bytes, owned */
	struct fault f;
	bool is_private;
};

/* A payload with its length before it, as an exact copy; NULL: there is none left. */
static uint8_t *next(struct rd *in, size_t *len)
{
	*len = rd_u16be(in);
	if (in->bad)
		return NULL;
	if (*len > rd_left(in))
		*len = rd_left(in);
	return fuzz_exact(rd_take(in, *len), *len);
}

static bool holds(const void *p, size_t n, const char *word)
{
	return n > 0 && memmem(p, n, word, strlen(word));
}

static void run_door(struct sides *s, char form, char how, char announced, struct rd in)
{
	size_t n = 0, len;
	char *plugin = fuzz_text(in.p, rd_left(&in));
	(void)rd_cstr(&in, NULL);
	uint8_t *first = next(&in, &len);
	struct mysql_door_asks asks = {
		.how = how_of(how),
		.user = USER,
		.host = "h",
		.secret = form == 'n' ? NULL : &s->secret,
		.nobody_as = SECRET_PLAIN,
		.is_private = s->is_private,
		.has_plugins = *plugin,
		.announced = announced_of(announced),
		.nonce = (const uint8_t *)NONCE,
		.plugin = plugin,
		.response = rd_of(first ? first : (const uint8_t *)"", first ? len : 0),
	};
	enum mysql_login_verdict verdict = mysql_door_login_begin(&s->door, &asks, s->out, &n, &s->f);
	fuzz_free(first);
	check_step(verdict, n, &s->f);
	uint8_t *body;
	for (int i = 0; i < ROUNDS && (body = next(&in, &len)); i++) {
		bool is_over = verdict != MYSQL_LOGIN_MORE;
		s->f = (struct fault){ .kind = FAULT_NONE };
		verdict = mysql_door_login_step(&s->door, rd_of(body, len), s->out, &n, &s->f);
		check_step(verdict, n, &s->f);
		fuzz_check("what is over stays so",
			   !is_over || (verdict == MYSQL_LOGIN_FAIL && s->f.kind == FAULT_PROTO));
		fuzz_check("nothing is waited for", verdict != MYSQL_LOGIN_WAIT);
		fuzz_check("an errno that drivers know",
			   s->f.kind != FAULT_AUTH || (s->f.mysql_errno == 1045 && !strcmp(s->f.sqlstate, "28000")));
		fuzz_check("a password to ask about, and all of it",
			   verdict != MYSQL_LOGIN_ASK ||
				   (len > 1 && s->is_private && s->door.password == (char *)body &&
				    strlen(s->door.password) == len - 1));
		if (verdict == MYSQL_LOGIN_OK && how != 't') {
			fuzz_check("nobody is let in who is not there", form != 'n');
			fuzz_check("by a password, its own", s->door.plugin != MYSQL_PLUGIN_CLEAR ||
								     (s->is_private && holds(body, len, PASSWORD)));
		}
		fuzz_free(body);
	}
	fuzz_free(plugin);
}

static void run_engine(struct sides *s, char form, struct rd in)
{
	size_t n = 0, len;
	const char *name;
	char *plugin = fuzz_text(in.p, rd_left(&in));
	bool is_known = holds(in.p, rd_left(&in), PASSWORD);
	(void)rd_cstr(&in, NULL);
	uint8_t *body = next(&in, &len);
	enum mysql_login_verdict verdict =
		mysql_engine_login_begin(&s->engine, USER, form == 'n' ? NULL : &s->secret, s->is_private, plugin,
					 rd_of(body ? body : (const uint8_t *)"", body ? len : 0), &name, s->out, &n,
					 &s->f);
	fuzz_free(body);
	fuzz_free(plugin);
	check_step(verdict, n, &s->f);
	fuzz_check("nothing in clear text", !holds(s->out, n, PASSWORD));
	fuzz_check("a plugin", verdict == MYSQL_LOGIN_FAIL || mysql_plugin_of(name) != MYSQL_PLUGIN_NONE);
	for (int i = 0; i < ROUNDS && (body = next(&in, &len)); i++) {
		bool is_over = verdict != MYSQL_LOGIN_MORE && verdict != MYSQL_LOGIN_WAIT;
		s->f = (struct fault){ .kind = FAULT_NONE };
		verdict = mysql_engine_login_step(&s->engine, rd_of(body, len), s->out, &n, &s->f);
		check_step(verdict, n, &s->f);
		fuzz_check("what is over stays so",
			   !is_over || (verdict == MYSQL_LOGIN_FAIL && s->f.kind == FAULT_PROTO));
		fuzz_check("it says when we are in", (verdict == MYSQL_LOGIN_OK) == (!is_over && len && body[0] == 0));
		fuzz_check("a password is shown to nobody on the way",
			   is_known || s->is_private || !holds(s->out, n, PASSWORD));
		fuzz_check("and never to the log", is_known || !strstr(s->f.text, PASSWORD));
		fuzz_free(body);
	}
}

static void run_both(struct sides *s, char form, char how, char announced, const uint8_t *p, size_t left)
{
	static const uint8_t ok[] = { 0, 0, 0, 2, 0, 0, 0 };
	size_t len, n = 0, said_n;
	const uint8_t *part = fuzz_part(&p, &left, 0, &len);
	char *stored = fuzz_text(part, len);
	part = fuzz_part(&p, &left, 0, &len);
	char *said = fuzz_text(part, len);
	uint8_t out[MYSQL_LOGIN_OUT_MAX];
	struct secret known;
	const char *name;
	bool can = secret_of_password(&known, said);
	if (form == 'p' ? !secret_of_password(&s->secret, stored) : false)
		can = false;
	if (form != 'p')
		store(&s->secret, form);
	/* Longer ones than the ways of caching_sha2_password take are no use. */
	if (!can || strlen(said) > SHA2_PASSWORD_MAX || (form == 'i' && !ed25519_is_whole()))
		goto end;
	enum mysql_login_verdict there =
		mysql_engine_login_begin(&s->engine, USER, &known, s->is_private,
					 mysql_plugin_name(announced_of(announced)), rd_of(NONCE, MYSQL_NONCE_LEN),
					 &name, out, &said_n, &s->f);
	check_step(there, said_n, &s->f);
	struct mysql_door_asks asks = {
		.how = how_of(how),
		.user = USER,
		.host = "h",
		.secret = &s->secret,
		.nobody_as = SECRET_PLAIN,
		.is_private = s->is_private,
		.has_plugins = true,
		.announced = announced_of(announced),
		.nonce = (const uint8_t *)NONCE,
		.plugin = name,
		.response = rd_of(out, said_n),
	};
	enum mysql_login_verdict here = mysql_door_login_begin(&s->door, &asks, s->out, &n, &s->f);
	bool is_way = s->door.plugin != MYSQL_PLUGIN_NONE;
	for (int i = 0; i < ROUNDS && here == MYSQL_LOGIN_MORE; i++) {
		check_step(here, n, &s->f);
		there = mysql_engine_login_step(&s->engine, rd_of(s->out, n), out, &said_n, &s->f);
		check_step(there, said_n, &s->f);
		if (there != MYSQL_LOGIN_MORE)
			break;
		here = mysql_door_login_step(&s->door, rd_of(out, said_n), s->out, &n, &s->f);
	}
	if (there != MYSQL_LOGIN_FAIL)
		check_step(here, n, &s->f);
	if (here == MYSQL_LOGIN_OK) {
		if (n)
			fuzz_check("it waits", mysql_engine_login_step(&s->engine, rd_of(s->out, n), out, &said_n,
								       &s->f) == MYSQL_LOGIN_WAIT);
		there = mysql_engine_login_step(&s->engine, rd_of(ok, sizeof ok), out, &said_n, &s->f);
		fuzz_check("both know", there == MYSQL_LOGIN_OK);
	}
	bool same = *said && strcmp(said, form == 'p' ? stored : PASSWORD) == 0;
	if (how == 'o')
		fuzz_check("asks", (here == MYSQL_LOGIN_ASK) == (s->is_private && *said));
	else if (how == 't')
		fuzz_check("is trusted", here == MYSQL_LOGIN_OK);
	else
		fuzz_check("the same password, and no other", (here == MYSQL_LOGIN_OK) == (same && is_way));
end:
	secret_clear(&known);
	fuzz_free(stored);
	fuzz_free(said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sides s = { .secret = { .kind = SECRET_NONE } };
	if (size < 5 || !data[0] || !strchr("deb", data[0]) || !data[1] || !strchr("npmavwki", data[1]) || !data[2] ||
	    !strchr("tpco", data[2]) || !data[3] || !strchr("nsx", data[3]))
		return 0;
	fuzz_random_restart();
	s.out = fuzz_exact(NULL, MYSQL_LOGIN_OUT_MAX);
	s.is_private = data[4] == 'y';
	char form = (char)data[1], how = (char)data[2], announced = (char)data[3];
	if (data[0] != 'b' && form != 'n')
		store(&s.secret, form);
	struct rd in = rd_of(data + 5, size - 5);
	if (data[0] == 'd')
		run_door(&s, form, how, announced, in);
	else if (data[0] == 'e')
		run_engine(&s, form, in);
	else if (form != 'n')
		run_both(&s, form, how, announced, data + 5, size - 5);
	secret_clear(&s.secret);
	fuzz_free(s.out);
	return 0;
}
