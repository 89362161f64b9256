/* test_pg_login.c - PostgreSQL's authentication handshake: the door's side and the engine's side against each other,
 * and each against what no honest peer says. */
#include "pg/login.h"
#include "auth/crypto.h"
#include "core/str.h"
#include "pg/wire.h"
#include "nomem.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

/* Of "pencil", RFC 7677's salt; by Python's hashlib. */
#define VERIFIER                                                                                                       \
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="                     \
	":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
/* Of "pencil" and user "anna", by the openssl command. */
#define MD5         "md5984c3e9256f24b08e5b849d2265593b2"
#define NOBODY      NULL
#define TEN(x)      x x x x x x x x x x
#define FAILED_AUTH "password authentication failed for user \"anna\""

static enum pg_login_verdict door_step(struct pg_door_login *l, const void *body, size_t len, uint8_t *out, size_t *n,
				       struct fault *f)
{
	uint8_t *exact = copy_exact(body, len);
	enum pg_login_verdict v = pg_door_login_step(l, rd_of(exact, len), out, n, f);
	free(exact);
	return v;
}

static enum pg_login_verdict engine_step(struct pg_engine_login *l, const void *body, size_t len, uint8_t *out,
					 size_t *n, struct fault *f)
{
	uint8_t *exact = copy_exact(body, len);
	enum pg_login_verdict v = pg_engine_login_step(l, PG_AUTHENTICATION, rd_of(exact, len), out, n, f);
	free(exact);
	return v;
}

/* What each side sees of the TLS connection; NULL: it is plain. The first answer's mechanism is kept. */
static const struct scram_binding *door_sees, *engine_sees;
static char chosen[32];

/* Both sides, each message framed as on the wire. Who failed is in *who ("door", "engine", "" for nobody). */
static bool talk(enum pg_auth method, struct secret *door, struct secret *engine, const char **who, struct fault *f)
{
	struct pg_door_login d;
	struct pg_engine_login e;
	uint8_t down[PG_LOGIN_OUT_MAX], up[PG_LOGIN_OUT_MAX];
	size_t down_len, up_len;
	*f = (struct fault){ .kind = FAULT_NONE };
	*who = "";
	pg_engine_login_begin(&e, "anna", engine, engine_sees);
	enum pg_login_verdict dv = pg_door_login_begin(&d, method, "anna", door, door_sees, down, &down_len, f);
	for (int turn = 0; turn < 9; turn++) {
		if (dv == PG_LOGIN_FAIL) {
			check_eq("nothing to send with a fault", down_len, 0);
			*who = "door";
			return false;
		}
		enum pg_login_verdict ev = PG_LOGIN_MORE;
		struct rd in = rd_of(down, down_len);
		struct pg_msg m;
		up_len = 0;
		while (rd_left(&in) > 0) {
			if (!check("a whole message to the client", pg_frame(&in, SCRAM_MSG_MAX + 4, &m) == FRAME_OK))
				return false;
			check_eq("of this type", m.type, 'R');
			check("no question left", up_len == 0);
			ev = pg_engine_login_step(&e, m.type, m.body, up, &up_len, f);
			if (ev != PG_LOGIN_MORE)
				break;
		}
		if (ev == PG_LOGIN_FAIL) {
			check_eq("nothing to send with a fault", up_len, 0);
			*who = "engine";
			return false;
		}
		if (ev == PG_LOGIN_OK) {
			check("they agree", dv == PG_LOGIN_OK);
			check_eq("it was the last word", rd_left(&in), 0);
			check_eq("nor anything to answer", up_len, 0);
			return true;
		}
		in = rd_of(up, up_len);
		if (!check("a whole message to the server", pg_frame(&in, PG_LOGIN_BODY_MAX, &m) == FRAME_OK))
			return false;
		check_eq("of this type", m.type, 'p');
		check_eq("one", rd_left(&in), 0);
		if (turn == 0)
			(void)str_copy_n(chosen, sizeof chosen, m.body.p,
					 strnlen((const char *)m.body.p, rd_left(&m.body)));
		dv = door_step(&d, m.body.p, rd_left(&m.body), down, &down_len, f);
	}
	check("it comes to an end", false);
	return false;
}

/* SCRAM bound to the TLS connection. Two connections, of which each end sees another one, are somebody in between. */
static void test_binding(void)
{
	static const struct scram_binding one = { 32, "one certificate's hash" }, two = { 32, "another's" },
					  longer = { 64, "one certificate's hash" };
	static const struct {
		const char *what;
		const struct scram_binding *door, *engine;
		const char *mechanism, *who, *text;
	} cases[] = {
		{ "plain", NULL, NULL, "SCRAM-SHA-256", "", "" },
		{ "bound", &one, &one, "SCRAM-SHA-256-PLUS", "", "" },
		{ "bound to a long hash", &longer, &longer, "SCRAM-SHA-256-PLUS", "", "" },
		{ "a client that cannot", &one, NULL, "SCRAM-SHA-256", "", "" },
		{ "a server that cannot", NULL, &one, "SCRAM-SHA-256", "", "" },
		{ "another server", &one, &two, "SCRAM-SHA-256-PLUS", "door", "channel binding" },
		{ "another length", &one, &longer, "SCRAM-SHA-256-PLUS", "door", "channel binding" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct secret door, engine;
		struct fault f;
		const char *who;
		check("parses", secret_parse(&door, VERIFIER) && secret_parse(&engine, "pencil"));
		door_sees = cases[i].door;
		engine_sees = cases[i].engine;
		check_eq(cases[i].what, talk(PG_AUTH_SCRAM, &door, &engine, &who, &f), cases[i].who[0] == 0);
		check_str(cases[i].what, who, cases[i].who);
		check_str(cases[i].what, chosen, cases[i].mechanism);
		check(f.text, strstr(f.text, cases[i].text) != NULL);
		secret_clear(&door);
		secret_clear(&engine);
	}
	door_sees = engine_sees = NULL;
}

/* What a client may answer when PLUS is offered. */
static void test_binding_words(void)
{
	static const struct scram_binding one = { 32, "a certificate's hash" };
	static const struct {
		const char *what, *body;
		size_t len;
		const char *text; /* of the fault; NULL: it goes on */
	} cases[] = {
		{ "bound", BYTES("SCRAM-SHA-256-PLUS\0\0\0\0\40p=tls-server-end-point,,n=,r=abc"), NULL },
		{ "not bound", BYTES("SCRAM-SHA-256\0\0\0\0\13n,,n=,r=abc"), NULL },
		{ "the offer was taken out on the way", BYTES("SCRAM-SHA-256\0\0\0\0\13y,,n=,r=abc"),
		  "negotiation error" },
		{ "bound without saying so", BYTES("SCRAM-SHA-256\0\0\0\0\40p=tls-server-end-point,,n=,r=abc"),
		  "which was not chosen" },
		{ "PLUS and nothing", BYTES("SCRAM-SHA-256-PLUS\0\0\0\0\13n,,n=,r=abc"), "channel binding" },
		{ "PLUS and could", BYTES("SCRAM-SHA-256-PLUS\0\0\0\0\13y,,n=,r=abc"), "channel binding" },
		{ "another type", BYTES("SCRAM-SHA-256-PLUS\0\0\0\0\26p=tls-unique,,n=,r=abc"), "binding type" },
		{ "half a type", BYTES("SCRAM-SHA-256-PLUS\0\0\0\0\16p=tls-server-e"), "binding type" },
		{ "more of a type", BYTES("SCRAM-SHA-256-PLUS\0\0\0\0\41p=tls-server-end-pointy,,n=,r=abc"),
		  "channel binding" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct secret secret;
		struct pg_door_login l;
		struct fault f = { .kind = FAULT_NONE };
		uint8_t out[PG_LOGIN_OUT_MAX];
		size_t n;
		check("parses", secret_parse(&secret, VERIFIER));
		check_eq("asked", pg_door_login_begin(&l, PG_AUTH_SCRAM, "anna", &secret, &one, out, &n, &f),
			 PG_LOGIN_MORE);
		check_mem("both are offered", out, "R\0\0\0\52\0\0\0\12SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", n);
		check_eq(cases[i].what, door_step(&l, cases[i].body, cases[i].len, out, &n, &f),
			 cases[i].text ? PG_LOGIN_FAIL : PG_LOGIN_MORE);
		if (cases[i].text)
			check(f.text, f.kind == FAULT_PROTO && strstr(f.text, cases[i].text));
		secret_clear(&secret);
	}
}

static void test_both(void)
{
	static const struct {
		const char *what;
		enum pg_auth method;
		const char *door, *engine, *who, *text; /* who fails, and what it says */
	} cases[] = {
		{ "trust", PG_AUTH_TRUST, "pencil", "pencil", "", "" },
		{ "trust, no secrets", PG_AUTH_TRUST, "", "", "", "" },
		{ "trust, nobody", PG_AUTH_TRUST, NOBODY, NOBODY, "", "" },

		{ "plain, plain", PG_AUTH_PLAIN, "pencil", "pencil", "", "" },
		{ "plain, md5", PG_AUTH_PLAIN, MD5, "pencil", "", "" },
		{ "plain, SCRAM", PG_AUTH_PLAIN, VERIFIER, "pencil", "", "" },
		{ "plain, plain, wrong", PG_AUTH_PLAIN, "pencil", "pen", "door", FAILED_AUTH },
		{ "plain, md5, wrong", PG_AUTH_PLAIN, MD5, "pen", "door", FAILED_AUTH },
		{ "plain, SCRAM, wrong", PG_AUTH_PLAIN, VERIFIER, "pen", "door", FAILED_AUTH },
		{ "plain, none", PG_AUTH_PLAIN, "", "pencil", "door", FAILED_AUTH },
		{ "plain, nobody", PG_AUTH_PLAIN, NOBODY, "pencil", "door", FAILED_AUTH },
		{ "plain from md5", PG_AUTH_PLAIN, MD5, MD5, "engine", "only an md5 hash is known for user \"anna\"" },
		{ "plain from SCRAM", PG_AUTH_PLAIN, VERIFIER, VERIFIER, "engine", "only a SCRAM verifier is known" },
		{ "plain from none", PG_AUTH_PLAIN, "pencil", "", "engine", "no password is known" },
		{ "plain from nobody", PG_AUTH_PLAIN, "pencil", NOBODY, "engine", "no password is known" },

		{ "md5, plain", PG_AUTH_MD5, "pencil", "pencil", "", "" },
		{ "md5, md5", PG_AUTH_MD5, MD5, "pencil", "", "" },
		{ "md5 from md5", PG_AUTH_MD5, "pencil", MD5, "", "" },
		{ "md5 from md5 to md5", PG_AUTH_MD5, MD5, MD5, "", "" },
		{ "md5, plain, wrong", PG_AUTH_MD5, "pencil", "pen", "door", FAILED_AUTH },
		{ "md5, md5, wrong", PG_AUTH_MD5, MD5, "pen", "door", FAILED_AUTH },
		{ "md5, SCRAM", PG_AUTH_MD5, VERIFIER, "pencil", "door", FAILED_AUTH },
		{ "md5, none", PG_AUTH_MD5, "", "pencil", "door", FAILED_AUTH },
		{ "md5, nobody", PG_AUTH_MD5, NOBODY, "pencil", "door", FAILED_AUTH },
		{ "md5 from SCRAM", PG_AUTH_MD5, "pencil", VERIFIER, "engine", "only a SCRAM verifier is known" },
		{ "md5 from none", PG_AUTH_MD5, "pencil", "", "engine", "no password is known" },
		{ "md5 from nobody", PG_AUTH_MD5, "pencil", NOBODY, "engine", "no password is known" },

		{ "SCRAM, plain", PG_AUTH_SCRAM, "pencil", "pencil", "", "" },
		{ "SCRAM, SCRAM", PG_AUTH_SCRAM, VERIFIER, "pencil", "", "" },
		{ "SCRAM, plain, wrong", PG_AUTH_SCRAM, "pencil", "pen", "door", FAILED_AUTH },
		{ "SCRAM, SCRAM, wrong", PG_AUTH_SCRAM, VERIFIER, "pen", "door", FAILED_AUTH },
		{ "SCRAM, md5", PG_AUTH_SCRAM, MD5, "pencil", "door", FAILED_AUTH },
		{ "SCRAM, none", PG_AUTH_SCRAM, "", "pencil", "door", FAILED_AUTH },
		{ "SCRAM, nobody", PG_AUTH_SCRAM, NOBODY, "pencil", "door", FAILED_AUTH },
		{ "SCRAM from md5", PG_AUTH_SCRAM, "pencil", MD5, "engine", "only an md5 hash is known" },
		{ "SCRAM from a verifier", PG_AUTH_SCRAM, VERIFIER, VERIFIER, "engine", "no client has proved" },
		{ "SCRAM from none", PG_AUTH_SCRAM, "pencil", "", "engine", "no password is known" },
		{ "SCRAM from nobody", PG_AUTH_SCRAM, "pencil", NOBODY, "engine", "no password is known" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what, *who;
		struct secret door, engine;
		struct fault f;
		bool ready = secret_parse(&door, cases[i].door ? cases[i].door : "") &&
			     secret_parse(&engine, cases[i].engine ? cases[i].engine : "");
		for (int turn = 0; ready && turn < 2; turn++) { /* derived and remembered keys change nothing */
			check_eq(what,
				 talk(cases[i].method, cases[i].door ? &door : NULL, cases[i].engine ? &engine : NULL,
				      &who, &f),
				 !*cases[i].who);
			check_str(what, who, cases[i].who);
			check_eq(what, f.kind, *cases[i].who ? FAULT_AUTH : FAULT_NONE);
			if (*who) {
				check(f.text, strstr(f.text, cases[i].text));
				check_str(what, f.sqlstate, "28P01");
			}
			if (strcmp(who, "door") == 0)
				check_str(what, f.text, FAILED_AUTH);
		}
		check(what, ready);
		secret_clear(&door);
		secret_clear(&engine);
	}
}

/* A verifier lets a client in, and what it learns there lets it in at the server that has the same verifier. */
static void test_recovered(void)
{
	struct secret client, ours, server;
	const char *who;
	struct fault f;
	if (!check("parse",
		   secret_parse(&client, "pencil") && secret_parse(&ours, VERIFIER) && secret_parse(&server, VERIFIER)))
		return;
	check("too early", !talk(PG_AUTH_SCRAM, &server, &ours, &who, &f));
	check("a client", talk(PG_AUTH_SCRAM, &ours, &client, &who, &f));
	uint64_t before = crypto_pbkdf2_runs();
	check("us", talk(PG_AUTH_SCRAM, &server, &ours, &who, &f));
	check("a client again", talk(PG_AUTH_SCRAM, &ours, &client, &who, &f));
	check_eq("nothing derived anew", crypto_pbkdf2_runs() - before, 0);
	secret_clear(&ours);
	check("parse", secret_parse(&ours, VERIFIER));
	check("a client with clear text", talk(PG_AUTH_PLAIN, &ours, &client, &who, &f));
	check("us", talk(PG_AUTH_SCRAM, &server, &ours, &who, &f));
	secret_clear(&client);
	secret_clear(&ours);
	secret_clear(&server);
}

static void test_pick(void)
{
	static const struct {
		const char *what, *secret;
		enum pg_auth configured, want;
	} cases[] = {
		{ "md5, SCRAM", VERIFIER, PG_AUTH_MD5, PG_AUTH_SCRAM },
		{ "md5, md5", MD5, PG_AUTH_MD5, PG_AUTH_MD5 },
		{ "md5, plain", "pencil", PG_AUTH_MD5, PG_AUTH_MD5 },
		{ "md5, none", "", PG_AUTH_MD5, PG_AUTH_MD5 },
		{ "md5, nobody", NOBODY, PG_AUTH_MD5, PG_AUTH_MD5 },
		{ "SCRAM, SCRAM", VERIFIER, PG_AUTH_SCRAM, PG_AUTH_SCRAM },
		{ "SCRAM, md5", MD5, PG_AUTH_SCRAM, PG_AUTH_SCRAM },
		{ "plain, SCRAM", VERIFIER, PG_AUTH_PLAIN, PG_AUTH_PLAIN },
		{ "trust, SCRAM", VERIFIER, PG_AUTH_TRUST, PG_AUTH_TRUST },
		{ "trust, nobody", NOBODY, PG_AUTH_TRUST, PG_AUTH_TRUST },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct secret s;
		if (check(cases[i].what, secret_parse(&s, cases[i].secret ? cases[i].secret : "")))
			check_eq(cases[i].what, pg_auth_pick(cases[i].configured, cases[i].secret ? &s : NULL),
				 cases[i].want);
		secret_clear(&s);
	}
}

static bool counting_random(void *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = (uint8_t)(i + 1);
	return true;
}

static bool no_random(void *out, size_t n)
{
	(void)out;
	(void)n;
	return false;
}

/* The bytes themselves, as PostgreSQL's documentation has them. */
static void test_begin(void)
{
	static const struct {
		const char *what;
		enum pg_auth method;
		enum pg_login_verdict verdict;
		const char *want;
		size_t len;
	} cases[] = {
		{ "trust", PG_AUTH_TRUST, PG_LOGIN_OK, BYTES("R\0\0\0\10\0\0\0\0") },
		{ "plain", PG_AUTH_PLAIN, PG_LOGIN_MORE, BYTES("R\0\0\0\10\0\0\0\3") },
		{ "outside", PG_AUTH_OUTSIDE, PG_LOGIN_MORE, BYTES("R\0\0\0\10\0\0\0\3") },
		{ "md5", PG_AUTH_MD5, PG_LOGIN_MORE, BYTES("R\0\0\0\14\0\0\0\5\1\2\3\4") },
		{ "SCRAM", PG_AUTH_SCRAM, PG_LOGIN_MORE, BYTES("R\0\0\0\27\0\0\0\12SCRAM-SHA-256\0\0") },
	};
	struct secret s;
	if (!check("parses", secret_parse(&s, "pencil") && secret_init()))
		return;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int known = 0; known < 2; known++) {
			struct pg_door_login l;
			struct fault f;
			uint8_t out[PG_LOGIN_OUT_MAX];
			size_t n = 99;
			crypto_set_random(counting_random);
			enum pg_login_verdict v =
				pg_door_login_begin(&l, cases[i].method, "anna", known ? &s : NULL, NULL, out, &n, &f);
			crypto_set_random(NULL);
			check_eq(cases[i].what, v, cases[i].verdict);
			if (check_eq(cases[i].what, n, cases[i].len))
				check_mem(cases[i].what, out, cases[i].want, n);
			crypto_set_random(no_random);
			v = pg_door_login_begin(&l, cases[i].method, "anna", NULL, NULL, out, &n, &f);
			crypto_set_random(NULL);
			bool needs = cases[i].method == PG_AUTH_MD5;
			check_eq("without randomness", v, needs ? PG_LOGIN_FAIL : cases[i].verdict);
			check_eq("nothing to send", n == 0, needs);
		}
	}
	secret_clear(&s);
}

/* What a client may say to the first question. */
static void test_door(void)
{
	static const struct {
		const char *what;
		enum pg_auth method;
		const char *body;
		size_t len;
		enum pg_login_verdict verdict;
		const char *sqlstate;
	} cases[] = {
		{ "plain", PG_AUTH_PLAIN, BYTES("pencil\0"), PG_LOGIN_OK, "" },
		{ "plain, wrong", PG_AUTH_PLAIN, BYTES("pencils\0"), PG_LOGIN_FAIL, "28P01" },
		{ "plain, empty", PG_AUTH_PLAIN, BYTES("\0"), PG_LOGIN_FAIL, "28P01" },
		{ "plain, no NUL", PG_AUTH_PLAIN, BYTES("pencil"), PG_LOGIN_FAIL, "08P01" },
		{ "plain, two NULs", PG_AUTH_PLAIN, BYTES("pencil\0\0"), PG_LOGIN_FAIL, "08P01" },
		{ "plain, nothing", PG_AUTH_PLAIN, BYTES(""), PG_LOGIN_FAIL, "08P01" },
		{ "plain, long", PG_AUTH_PLAIN, BYTES(TEN(TEN(TEN("12345678"))) "\0"), PG_LOGIN_FAIL, "28P01" },
		{ "plain, too long", PG_AUTH_PLAIN, BYTES(TEN(TEN(TEN("123456789"))) "\0"), PG_LOGIN_FAIL, "08P01" },
		/* md5(md5("pencil" "anna") 1 2 3 4), by the openssl command */
		{ "outside", PG_AUTH_OUTSIDE, BYTES("anything\0"), PG_LOGIN_ASK, "" },
		{ "outside, empty", PG_AUTH_OUTSIDE, BYTES("\0"), PG_LOGIN_FAIL, "28P01" },
		{ "outside, no NUL", PG_AUTH_OUTSIDE, BYTES("anything"), PG_LOGIN_FAIL, "08P01" },
		{ "outside, two NULs", PG_AUTH_OUTSIDE, BYTES("anything\0\0"), PG_LOGIN_FAIL, "08P01" },

		{ "md5", PG_AUTH_MD5, BYTES("md57df77f9b6d18232379434c001cb33f20\0"), PG_LOGIN_OK, "" },
		{ "md5, wrong", PG_AUTH_MD5, BYTES("md57df77f9b6d18232379434c001cb33f2x\0"), PG_LOGIN_FAIL, "28P01" },
		{ "md5, the stored hash", PG_AUTH_MD5, BYTES(MD5 "\0"), PG_LOGIN_FAIL, "28P01" },
		{ "md5, clear text", PG_AUTH_MD5, BYTES("pencil\0"), PG_LOGIN_FAIL, "28P01" },
		{ "md5, no NUL", PG_AUTH_MD5, BYTES("md57df77f9b6d18232379434c001cb33f20"), PG_LOGIN_FAIL, "08P01" },
		{ "md5, two NULs", PG_AUTH_MD5, BYTES("md57df77f9b6d18232379434c001cb33f20\0\0"), PG_LOGIN_FAIL,
		  "08P01" },
		{ "SCRAM", PG_AUTH_SCRAM, BYTES("SCRAM-SHA-256\0\0\0\0\13n,,n=,r=abc"), PG_LOGIN_MORE, "" },
		{ "SCRAM, without data", PG_AUTH_SCRAM, BYTES("SCRAM-SHA-256\0\377\377\377\377"), PG_LOGIN_MORE, "" },
		{ "SCRAM, without data, but some", PG_AUTH_SCRAM, BYTES("SCRAM-SHA-256\0\377\377\377\377n"),
		  PG_LOGIN_FAIL, "08P01" },
		{ "SCRAM, empty data", PG_AUTH_SCRAM, BYTES("SCRAM-SHA-256\0\0\0\0\0"), PG_LOGIN_FAIL, "08P01" },
		{ "SCRAM, length too short", PG_AUTH_SCRAM, BYTES("SCRAM-SHA-256\0\0\0\0\12n,,n=,r=abc"), PG_LOGIN_FAIL,
		  "08P01" },
		{ "SCRAM, length too long", PG_AUTH_SCRAM, BYTES("SCRAM-SHA-256\0\0\0\0\14n,,n=,r=abc"), PG_LOGIN_FAIL,
		  "08P01" },
		{ "SCRAM, a huge length", PG_AUTH_SCRAM, BYTES("SCRAM-SHA-256\0\377\377\377\376n,,n=,r=abc"),
		  PG_LOGIN_FAIL, "08P01" },
		{ "SCRAM, a bad message", PG_AUTH_SCRAM, BYTES("SCRAM-SHA-256\0\0\0\0\13n,,m=,r=abc"), PG_LOGIN_FAIL,
		  "08P01" },
		{ "SCRAM, a mechanism not offered", PG_AUTH_SCRAM, BYTES("SCRAM-SHA-256-PLUS\0\0\0\0\13n,,n=,r=abc"),
		  PG_LOGIN_FAIL, "08P01" },
		{ "SCRAM, a shorter name", PG_AUTH_SCRAM, BYTES("SCRAM-SHA-1\0\0\0\0\13n,,n=,r=abc"), PG_LOGIN_FAIL,
		  "08P01" },
		{ "SCRAM, no mechanism", PG_AUTH_SCRAM, BYTES("\0\0\0\0\13n,,n=,r=abc"), PG_LOGIN_FAIL, "08P01" },
		{ "SCRAM, a password", PG_AUTH_SCRAM, BYTES("pencil\0"), PG_LOGIN_FAIL, "08P01" },
		{ "SCRAM, nothing", PG_AUTH_SCRAM, BYTES(""), PG_LOGIN_FAIL, "08P01" },
		{ "trust, anything", PG_AUTH_TRUST, BYTES("pencil\0"), PG_LOGIN_FAIL, "08P01" },
	};
	struct secret s;
	if (!check("parses", secret_parse(&s, "pencil") && secret_init()))
		return;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		/* Whole, and cut off anywhere; where cutting leaves a whole message it is a wrong one. */
		for (size_t len = cases[i].len, cut = 0; cut <= (len < 100 ? len : 1); cut++) {
			struct pg_door_login l;
			struct fault f = { .kind = FAULT_NONE };
			uint8_t out[PG_LOGIN_OUT_MAX];
			size_t n = 99;
			crypto_set_random(counting_random);
			pg_door_login_begin(&l, cases[i].method, "anna", &s, NULL, out, &n, &f);
			enum pg_login_verdict v = door_step(&l, cases[i].body, len - cut, out, &n, &f);
			crypto_set_random(NULL);
			if (cut && cases[i].verdict != PG_LOGIN_FAIL) {
				check_eq(what, v, PG_LOGIN_FAIL);
				check_str("cut", f.sqlstate, "08P01");
			} else if (cut == 0) {
				check_eq(what, v, cases[i].verdict);
				check_str(what, f.sqlstate, cases[i].sqlstate);
			}
			check_eq("there is something to send", n > 0, v == PG_LOGIN_MORE || v == PG_LOGIN_OK);
			if (v == PG_LOGIN_OK && check_eq(what, n, 9))
				check_mem(what, out, "R\0\0\0\10\0\0\0\0", 9);
			if (v != PG_LOGIN_MORE) {
				check_eq("it is over", door_step(&l, BYTES("pencil\0"), out, &n, &f), PG_LOGIN_FAIL);
				check_str("and more is too much", f.sqlstate, "08P01");
			}
		}
	}
	secret_clear(&s);
}

/* A client that has no data in its first message is asked for it. */
static void test_door_asks_again(void)
{
	struct secret s;
	struct pg_door_login l;
	struct fault f;
	uint8_t out[PG_LOGIN_OUT_MAX];
	size_t n;
	if (!check("parses", secret_parse(&s, VERIFIER)))
		return;
	pg_door_login_begin(&l, PG_AUTH_SCRAM, "anna", &s, NULL, out, &n, &f);
	check_eq("first", door_step(&l, BYTES("SCRAM-SHA-256\0\377\377\377\377"), out, &n, &f), PG_LOGIN_MORE);
	if (check_eq("an empty SASLContinue", n, 9))
		check_mem("an empty SASLContinue", out, "R\0\0\0\10\0\0\0\13", 9);
	check_eq("then", door_step(&l, BYTES("n,,n=,r=abc"), out, &n, &f), PG_LOGIN_MORE);
	check_mem("SASLContinue", out, "R\0\0\0", 4);
	check_mem("server-first-message", out + 5, "\0\0\0\13r=abc", 9);
	check_eq("as long as it says", out[4] + 1u, n);
	check_eq("a wrong proof", door_step(&l, BYTES("c=biws,r=abc,p=AAAA"), out, &n, &f), PG_LOGIN_FAIL);
	check_eq("kind", f.kind, FAULT_PROTO);
	pg_door_login_begin(&l, PG_AUTH_SCRAM, "anna", &s, NULL, out, &n, &f);
	check_eq("first", door_step(&l, BYTES("SCRAM-SHA-256\0\377\377\377\377"), out, &n, &f), PG_LOGIN_MORE);
	check_eq("empty again", door_step(&l, BYTES(""), out, &n, &f), PG_LOGIN_FAIL);
	check_eq("kind", f.kind, FAULT_PROTO);
	secret_clear(&s);
}

/* What a server may ask first. */
static void test_engine(void)
{
	static const struct {
		const char *what, *secret, *body;
		size_t len;
		enum pg_login_verdict verdict;
		enum fault_kind kind;
		const char *text, *out;
		size_t out_len;
	} cases[] = {
		{ "Ok", "pencil", BYTES("\0\0\0\0"), PG_LOGIN_OK, FAULT_NONE, "", BYTES("") },
		{ "Ok, more", "pencil", BYTES("\0\0\0\0\0"), PG_LOGIN_FAIL, FAULT_PROTO, "malformed", BYTES("") },
		{ "clear text", "pencil", BYTES("\0\0\0\3"), PG_LOGIN_MORE, FAULT_NONE, "",
		  BYTES("p\0\0\0\13pencil\0") },
		{ "clear text, more", "pencil", BYTES("\0\0\0\3\0"), PG_LOGIN_FAIL, FAULT_PROTO, "malformed",
		  BYTES("") },
		{ "clear text, md5", MD5, BYTES("\0\0\0\3"), PG_LOGIN_FAIL, FAULT_AUTH, "clear-text", BYTES("") },
		{ "md5", "pencil", BYTES("\0\0\0\5\1\2\3\4"), PG_LOGIN_MORE, FAULT_NONE, "",
		  BYTES("p\0\0\0\50md57df77f9b6d18232379434c001cb33f20\0") },
		{ "md5, more", "pencil", BYTES("\0\0\0\5\1\2\3\4\5"), PG_LOGIN_FAIL, FAULT_PROTO, "malformed",
		  BYTES("") },
		{ "SASL", "pencil", BYTES("\0\0\0\12SCRAM-SHA-256\0\0"), PG_LOGIN_MORE, FAULT_NONE, "",
		  BYTES("p\0\0\0\66SCRAM-SHA-256\0\0\0\0\40n,,n=,r=AQIDBAUGBwgJCgsMDQ4PEBES") },
		{ "SASL with more to choose from", "pencil",
		  BYTES("\0\0\0\12SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0OAUTHBEARER\0\0"), PG_LOGIN_MORE, FAULT_NONE, "",
		  BYTES("p\0\0\0\66SCRAM-SHA-256\0\0\0\0\40n,,n=,r=AQIDBAUGBwgJCgsMDQ4PEBES") },
		{ "SASL without ours", "pencil", BYTES("\0\0\0\12SCRAM-SHA-256-PLUS\0\0"), PG_LOGIN_FAIL, FAULT_UNSUP,
		  "SCRAM-SHA-256", BYTES("") },
		{ "SASL without any", "pencil", BYTES("\0\0\0\12\0"), PG_LOGIN_FAIL, FAULT_UNSUP, "no SASL mechanism",
		  BYTES("") },
		{ "SASL, the list has no end", "pencil", BYTES("\0\0\0\12SCRAM-SHA-256\0"), PG_LOGIN_FAIL, FAULT_PROTO,
		  "malformed", BYTES("") },
		{ "SASL, more behind the list", "pencil", BYTES("\0\0\0\12SCRAM-SHA-256\0\0x\0"), PG_LOGIN_FAIL,
		  FAULT_PROTO, "malformed", BYTES("") },
		{ "SASL, empty", "pencil", BYTES("\0\0\0\12"), PG_LOGIN_FAIL, FAULT_PROTO, "malformed", BYTES("") },
		{ "SASLContinue", "pencil", BYTES("\0\0\0\13r=abc,s=AAAA,i=1"), PG_LOGIN_FAIL, FAULT_PROTO, "not begun",
		  BYTES("") },
		{ "SASLFinal", "pencil", BYTES("\0\0\0\14v=AAAA"), PG_LOGIN_FAIL, FAULT_PROTO, "not begun", BYTES("") },
		{ "Kerberos", "pencil", BYTES("\0\0\0\2"), PG_LOGIN_FAIL, FAULT_UNSUP, "Kerberos", BYTES("") },
		{ "crypt", "pencil", BYTES("\0\0\0\4ab"), PG_LOGIN_FAIL, FAULT_UNSUP, "crypt", BYTES("") },
		{ "SCM", "pencil", BYTES("\0\0\0\6"), PG_LOGIN_FAIL, FAULT_UNSUP, "SCM", BYTES("") },
		{ "GSS", "pencil", BYTES("\0\0\0\7"), PG_LOGIN_FAIL, FAULT_UNSUP, "asks for GSSAPI", BYTES("") },
		{ "SSPI", "pencil", BYTES("\0\0\0\11"), PG_LOGIN_FAIL, FAULT_UNSUP, "asks for SSPI", BYTES("") },
		{ "something new", "pencil", BYTES("\0\0\0\15"), PG_LOGIN_FAIL, FAULT_UNSUP, "(13)", BYTES("") },
		{ "something negative", "pencil", BYTES("\377\377\377\377"), PG_LOGIN_FAIL, FAULT_UNSUP, "unknown",
		  BYTES("") },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		struct secret s;
		if (!check(what, secret_parse(&s, cases[i].secret)))
			continue;
		for (size_t cut = 0; cut <= cases[i].len; cut++) {
			struct pg_engine_login l;
			struct fault f = { .kind = FAULT_NONE };
			uint8_t out[PG_LOGIN_OUT_MAX];
			size_t n = 99;
			pg_engine_login_begin(&l, "anna", &s, NULL);
			crypto_set_random(counting_random);
			enum pg_login_verdict v = engine_step(&l, cases[i].body, cases[i].len - cut, out, &n, &f);
			crypto_set_random(NULL);
			if (cut == 0) {
				check_eq(what, v, cases[i].verdict);
				check_eq(what, f.kind, cases[i].kind);
				check(f.text, cases[i].kind == FAULT_NONE || strstr(f.text, cases[i].text));
				if (check_eq(what, n, cases[i].out_len))
					check_mem(what, out, cases[i].out, n);
			} else if (cases[i].verdict != PG_LOGIN_FAIL) {
				check_eq(what, v, PG_LOGIN_FAIL);
				check_eq(what, f.kind, FAULT_PROTO);
			}
			if (v != PG_LOGIN_MORE) {
				check_eq("it is over", engine_step(&l, BYTES("\0\0\0\0"), out, &n, &f), PG_LOGIN_FAIL);
				check_eq("and more is too much", f.kind, FAULT_PROTO);
			}
		}
		secret_clear(&s);
	}
}

/* What a server may not say later. */
static void test_engine_later(void)
{
	/* Up to which question an honest server went, and what is said then. */
	enum { PASSWORD, SASL, CONTINUE, FINAL };
	static const struct {
		const char *what;
		int after;
		const char *body;
		size_t len;
		enum pg_login_verdict verdict;
		enum fault_kind kind;
	} cases[] = {
		{ "Ok after a password", PASSWORD, BYTES("\0\0\0\0"), PG_LOGIN_OK, FAULT_NONE },
		{ "a password twice", PASSWORD, BYTES("\0\0\0\3"), PG_LOGIN_FAIL, FAULT_PROTO },
		{ "SASL after a password", PASSWORD, BYTES("\0\0\0\12SCRAM-SHA-256\0\0"), PG_LOGIN_FAIL, FAULT_PROTO },
		{ "a long Ok", PASSWORD, BYTES("\0\0\0\0\0"), PG_LOGIN_FAIL, FAULT_PROTO },
		{ "a short Ok", PASSWORD, BYTES("\0\0\0"), PG_LOGIN_FAIL, FAULT_PROTO },
		{ "Ok after SASL", SASL, BYTES("\0\0\0\0"), PG_LOGIN_FAIL, FAULT_AUTH },
		{ "a password after SASL", SASL, BYTES("\0\0\0\3"), PG_LOGIN_FAIL, FAULT_PROTO },
		{ "SASL twice", SASL, BYTES("\0\0\0\12SCRAM-SHA-256\0\0"), PG_LOGIN_FAIL, FAULT_PROTO },
		{ "SASLFinal without SASLContinue", SASL, BYTES("\0\0\0\14v=AAAA"), PG_LOGIN_FAIL, FAULT_PROTO },
		{ "an empty SASLContinue", SASL, BYTES("\0\0\0\13"), PG_LOGIN_FAIL, FAULT_PROTO },
		{ "a foreign SASLContinue", SASL, BYTES("\0\0\0\13r=abc,s=AAAA,i=1"), PG_LOGIN_FAIL, FAULT_PROTO },
		{ "Ok after SASLContinue", CONTINUE, BYTES("\0\0\0\0"), PG_LOGIN_FAIL, FAULT_AUTH },
		{ "SASLContinue twice", CONTINUE, BYTES("\0\0\0\13r=abc,s=AAAA,i=1"), PG_LOGIN_FAIL, FAULT_PROTO },
		{ "a password after SASLContinue", CONTINUE, BYTES("\0\0\0\3"), PG_LOGIN_FAIL, FAULT_PROTO },
		{ "a bad SASLFinal", CONTINUE, BYTES("\0\0\0\14v=AAAA"), PG_LOGIN_FAIL, FAULT_PROTO },
		{ "an impostor's SASLFinal", CONTINUE, BYTES("\0\0\0\14v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
		  PG_LOGIN_FAIL, FAULT_AUTH },
		{ "a refusal", CONTINUE, BYTES("\0\0\0\14e=invalid-proof"), PG_LOGIN_FAIL, FAULT_AUTH },
		{ "Ok after SASLFinal", FINAL, BYTES("\0\0\0\0"), PG_LOGIN_OK, FAULT_NONE },
		{ "SASLFinal twice", FINAL, BYTES("\0\0\0\14v=AAAA"), PG_LOGIN_FAIL, FAULT_PROTO },
		{ "a password after SASLFinal", FINAL, BYTES("\0\0\0\3"), PG_LOGIN_FAIL, FAULT_PROTO },
	};
	struct secret ours, theirs;
	if (!check("parse", secret_parse(&ours, "pencil") && secret_parse(&theirs, VERIFIER)))
		return;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		struct pg_engine_login l;
		struct scram_server s;
		struct fault f = { .kind = FAULT_NONE };
		uint8_t out[PG_LOGIN_OUT_MAX];
		char text[4 + SCRAM_MSG_MAX + 1];
		size_t n = 0;
		bool ready = scram_server_init(&s, &theirs, "anna");
		pg_engine_login_begin(&l, "anna", &ours, NULL);
		if (cases[i].after == PASSWORD)
			ready = ready && engine_step(&l, BYTES("\0\0\0\3"), out, &n, &f) == PG_LOGIN_MORE;
		else
			ready = ready &&
				engine_step(&l, BYTES("\0\0\0\12SCRAM-SHA-256\0\0"), out, &n, &f) == PG_LOGIN_MORE;
		if (cases[i].after >= CONTINUE) {
			memcpy(text, "\0\0\0\13", 4);
			ready = ready && scram_server_first(&s, out + 5 + 14 + 4, n - 5 - 14 - 4, text + 4, &f) &&
				engine_step(&l, text, 4 + strlen(text + 4), out, &n, &f) == PG_LOGIN_MORE;
		}
		if (cases[i].after >= FINAL) {
			memcpy(text, "\0\0\0\14", 4);
			ready = ready && scram_server_final(&s, out + 5, n - 5, text + 4, &f) &&
				engine_step(&l, text, 4 + strlen(text + 4), out, &n, &f) == PG_LOGIN_MORE;
			check_eq("nothing to say to SASLFinal", n, 0);
		}
		if (!check(what, ready))
			continue;
		check_eq(what, engine_step(&l, cases[i].body, cases[i].len, out, &n, &f), cases[i].verdict);
		check_eq(what, f.kind, cases[i].kind);
		check_eq(what, n, 0);
	}
	struct pg_engine_login l;
	struct scram_server sv;
	struct fault f;
	uint8_t out[PG_LOGIN_OUT_MAX];
	char text[4 + SCRAM_MSG_MAX + 1];
	size_t n;
	/* The right words under the wrong title. */
	for (int wrong = 0; wrong < 3; wrong++) {
		bool ready = scram_server_init(&sv, &theirs, "anna");
		pg_engine_login_begin(&l, "anna", &ours, NULL);
		ready = ready && engine_step(&l, BYTES("\0\0\0\12SCRAM-SHA-256\0\0"), out, &n, &f) == PG_LOGIN_MORE &&
			scram_server_first(&sv, out + 5 + 14 + 4, n - 5 - 14 - 4, text + 4, &f);
		if (!check("ready", ready))
			continue;
		memcpy(text, wrong == 1 ? "\0\0\0\14" : "\0\0\0\13", 4);
		check_eq("SASLContinue", engine_step(&l, text, 4 + strlen(text + 4), out, &n, &f),
			 wrong == 1 ? PG_LOGIN_FAIL : PG_LOGIN_MORE);
		if (wrong == 1 || !check("final", scram_server_final(&sv, out + 5, n - 5, text + 4, &f)))
			continue;
		memcpy(text, wrong == 2 ? "\0\0\0\13" : "\0\0\0\14", 4);
		check_eq("SASLFinal", engine_step(&l, text, 4 + strlen(text + 4), out, &n, &f),
			 wrong == 2 ? PG_LOGIN_FAIL : PG_LOGIN_MORE);
	}
	pg_engine_login_begin(&l, "anna", &ours, NULL);
	check_eq("another type", pg_engine_login_step(&l, 'Z', rd_of("\0\0\0\0", 4), out, &n, &f), PG_LOGIN_FAIL);
	check_eq("kind", f.kind, FAULT_PROTO);
	secret_clear(&ours);
	secret_clear(&theirs);
}

/* The longest password that is sent, and one more. */
static void test_long_password(void)
{
	for (size_t more = 0; more < 2; more++) {
		size_t len = PG_LOGIN_BODY_MAX - 1 + more;
		char *text = malloc(len + 1);
		struct secret s;
		struct pg_engine_login l;
		struct fault f;
		uint8_t out[PG_LOGIN_OUT_MAX];
		size_t n;
		if (!check("memory", text))
			return;
		memset(text, 'x', len);
		text[len] = '\0';
		if (check("parses", secret_parse(&s, text))) {
			pg_engine_login_begin(&l, "anna", &s, NULL);
			check_eq("verdict", engine_step(&l, BYTES("\0\0\0\3"), out, &n, &f),
				 more ? PG_LOGIN_FAIL : PG_LOGIN_MORE);
			check_eq("length", n, more ? 0 : PG_HEADER + len + 1);
			const char *who;
			check_eq("and taken", talk(PG_AUTH_PLAIN, &s, &s, &who, &f), !more);
		}
		secret_clear(&s);
		free(text);
	}
}

static void test_no_memory(void)
{
	static const enum pg_auth methods[] = { PG_AUTH_PLAIN, PG_AUTH_MD5 };
	struct secret door, engine;
	const char *who;
	struct fault f;
	if (!check("parse", secret_parse(&door, VERIFIER) && secret_parse(&engine, "pencil")))
		return;
	for (unsigned n = 0; nomem_next(&n);) {
		struct pg_door_login l;
		uint8_t out[PG_LOGIN_OUT_MAX];
		size_t len;
		pg_door_login_begin(&l, PG_AUTH_PLAIN, "anna", &door, NULL, out, &len, &f);
		bool in = pg_door_login_step(&l, rd_of("pencil", 7), out, &len, &f) == PG_LOGIN_OK;
		check("no login without memory", in == !nomem_hit());
	}
	for (unsigned n = 0; nomem_next(&n);) {
		struct pg_door_login l;
		uint8_t out[PG_LOGIN_OUT_MAX];
		size_t len;
		f.kind = FAULT_NONE;
		enum pg_login_verdict v = pg_door_login_begin(&l, PG_AUTH_SCRAM, "anna", &engine, NULL, out, &len, &f);
		check("nor a question", (v == PG_LOGIN_MORE) == !nomem_hit());
		check_eq("but a fault", f.kind, nomem_hit() ? FAULT_NOMEM : FAULT_NONE);
	}
	for (size_t i = 0; i < COUNT(methods); i++)
		check("all is well after", talk(methods[i], &engine, &engine, &who, &f));
	secret_clear(&door);
	secret_clear(&engine);
}

void suite_pg_login(void)
{
	static const struct unit_test tests[] = {
		{ "both sides", test_both },
		{ "channel binding", test_binding },
		{ "words of channel binding", test_binding_words },
		{ "a recovered key", test_recovered },
		{ "which method", test_pick },
		{ "the first question", test_begin },
		{ "answers of clients", test_door },
		{ "asking again", test_door_asks_again },
		{ "questions of servers", test_engine },
		{ "later words of servers", test_engine_later },
		{ "long passwords", test_long_password },
		{ "out of memory", test_no_memory },
		{ NULL, NULL },
	};
	unit_add("pg_login", tests);
}
