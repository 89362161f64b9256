/* test_scram.c - SCRAM-SHA-256 in both roles: RFC 7677's example, malformed messages, and the two against each other.
 */
#include "auth/scram.h"
#include "auth/b64.h"
#include "auth/crypto.h"
#include "auth/secret_int.h"
#include "core/str.h"
#include "nomem.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

/* RFC 7677, section 3: user "user", password "pencil". */
#define RFC_NONCE "rOprNGfwEbeRWgbNEkqO"
#define RFC_BOTH  RFC_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define RFC_BARE  "n=user,r=" RFC_NONCE
#define RFC_FIRST "r=" RFC_BOTH ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define RFC_FINAL "c=biws,r=" RFC_BOTH
#define RFC_PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define RFC_SIG   "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
/* The verifier of "pencil" with that salt, by Python's hashlib. */
#define VERIFIER  VERIFIER_OF("4096")
#define VERIFIER_OF(iterations)                                                                                        \
	"SCRAM-SHA-256$" iterations ":W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="           \
	":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

/* Of something else, with another salt. */
#define OTHER_SALT                                                                                                     \
	"SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$qiWIgoeNIhy+lJ4u9Op5FwP73Nv4nntrSgbsV2qM4bk=:t1WG0dtOz4NxZwpjcqQ9rbTmBOl64lKOZdasKdYlcEo="

#define TEN(x) x x x x x x x x x x

/* Takes strings of exactly their length, so that a sanitizer sees one byte too far. */
static bool server_first(struct scram_server *s, const void *in, size_t len, char *out, struct fault *f)
{
	uint8_t *exact = copy_exact(in, len);
	bool ok = scram_server_first(s, exact, len, out, f);
	free(exact);
	return ok;
}

static bool server_final(struct scram_server *s, const void *in, size_t len, char *out, struct fault *f)
{
	uint8_t *exact = copy_exact(in, len);
	bool ok = scram_server_final(s, exact, len, out, f);
	free(exact);
	return ok;
}

static bool client_final(struct scram_client *c, const void *in, size_t len, char *out, struct fault *f)
{
	uint8_t *exact = copy_exact(in, len);
	bool ok = scram_client_final(c, exact, len, out, f);
	free(exact);
	return ok;
}

static bool client_verify(struct scram_client *c, const void *in, size_t len, struct fault *f)
{
	uint8_t *exact = copy_exact(in, len);
	bool ok = scram_client_verify(c, exact, len, f);
	free(exact);
	return ok;
}

/* A server that is where the RFC's example is once it has sent its first message. */
static bool rfc_server(struct scram_server *s, struct secret *secret)
{
	char out[SCRAM_MSG_MAX + 1];
	struct fault f;
	if (!scram_server_init(s, secret, "user") || !server_first(s, BYTES("n,," RFC_BARE), out, &f))
		return false;
	check_str("what is signed later", s->first_bare, RFC_BARE);
	str_copy(s->nonce, sizeof s->nonce, RFC_BOTH);
	str_copy(s->server_first, sizeof s->server_first, RFC_FIRST);
	return true;
}

/* A client that is where the RFC's example is once it has sent its first message. */
static bool rfc_client(struct scram_client *c, struct secret *secret)
{
	char out[SCRAM_MSG_MAX + 1];
	struct fault f;
	if (!scram_client_first(c, secret, NULL, false, out, &f))
		return false;
	str_copy(c->nonce, sizeof c->nonce, RFC_NONCE);
	str_copy(c->first_bare, sizeof c->first_bare, RFC_BARE);
	return true;
}

static void test_rfc_server(void)
{
	static const struct {
		const char *what, *secret;
	} cases[] = { { "verifier", VERIFIER }, { "plain", "pencil" } };
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct secret secret;
		struct scram_server s;
		struct fault f;
		char out[SCRAM_MSG_MAX + 1] = "";
		if (!check(cases[i].what, secret_parse(&secret, cases[i].secret)))
			continue;
		if (secret.kind == SECRET_PLAIN) { /* the salt of the example instead of our own */
			struct secret v;
			check("verifier", secret_parse(&v, VERIFIER));
			check("engine", secret_derive_engine(&secret, v.door.salt, v.door.salt_len, 4096));
			secret.door = secret.engine;
			secret_clear(&v);
		}
		if (check(cases[i].what, rfc_server(&s, &secret)) &&
		    check(cases[i].what, server_final(&s, BYTES(RFC_FINAL ",p=" RFC_PROOF), out, &f))) {
			check_str("server-final-message", out, "v=" RFC_SIG);
			check("the client key is known", secret.door.has_client_key && secret.engine.has_client_key);
			uint8_t stored[SCRAM_KEY_LEN];
			check("hash", crypto_sha256(secret.engine.client_key, SCRAM_KEY_LEN, stored));
			check_mem("and is the right one", stored, secret.engine.stored_key, sizeof stored);
		}
		secret_clear(&secret);
	}
}

static void test_rfc_client(void)
{
	struct secret secret;
	struct scram_client c;
	struct fault f;
	char out[SCRAM_MSG_MAX + 1] = "";
	if (!check("parses", secret_parse(&secret, "pencil")) || !check("first", rfc_client(&c, &secret)))
		return;
	if (check("final", client_final(&c, BYTES(RFC_FIRST), out, &f))) {
		check_str("client-final-message", out, RFC_FINAL ",p=" RFC_PROOF);
		check("the server knows us", client_verify(&c, BYTES("v=" RFC_SIG), &f));
	}
	secret_clear(&secret);
}

/* The first message of a client of ours is as libpq's: no name in it, for the startup packet had it. */
static void test_client_first(void)
{
	struct secret secret = { .kind = SECRET_NONE };
	struct scram_client c, d;
	struct fault f;
	char out[SCRAM_MSG_MAX + 1];
	check("one", scram_client_first(&c, &secret, NULL, false, out, &f));
	check_mem("begins", out, "n,,n=,r=", 8);
	check_eq("a nonce of 18 bytes", strlen(out), 8 + 24);
	check("another", scram_client_first(&d, &secret, NULL, false, out, &f));
	check("no nonce twice", strcmp(c.nonce, d.nonce) != 0);
}

static void test_server_first(void)
{
	static const struct {
		const char *what, *in;
		size_t len;
		bool ok;
	} cases[] = {
		{ "libpq's", BYTES("n,,n=,r=abc"), true },
		{ "with a name", BYTES("n,,n=anna,r=abc"), true },
		{ "that could bind channels", BYTES("y,,n=,r=abc"), true },
		{ "an escaped comma", BYTES("n,,n=a=2Cb,r=abc"), true },
		{ "an escaped equals sign", BYTES("n,,n==3D=2C=3D,r=abc"), true },
		{ "an extension", BYTES("n,,n=,r=abc,x=1"), true },
		{ "two extensions", BYTES("n,,n=,r=abc,x=1,Y=a=b"), true },
		{ "the longest nonce", BYTES("n,,n=,r=" TEN(TEN("ab")) TEN("abc") "ab"), true },

		{ "nothing", BYTES(""), false },
		{ "a longer nonce", BYTES("n,,n=,r=" TEN(TEN("ab")) TEN("abc") "abc"), false },
		{ "a message too long", BYTES("n,,n=,r=abc,x=" TEN(TEN("0123456789")) TEN("01")), false },
		{ "channel binding", BYTES("p=tls-server-end-point,,n=,r=abc"), false },
		{ "channel binding, unnamed", BYTES("p,,n=,r=abc"), false },
		{ "another flag", BYTES("x,,n=,r=abc"), false },
		{ "no header", BYTES("n=,r=abc"), false },
		{ "half a header", BYTES("n,n=,r=abc"), false },
		{ "another identity", BYTES("n,a=bob,n=,r=abc"), false },
		{ "no name", BYTES("n,,r=abc"), false },
		{ "no nonce", BYTES("n,,n="), false },
		{ "no nonce, a comma", BYTES("n,,n=,"), false },
		{ "an empty nonce", BYTES("n,,n=,r="), false },
		{ "out of order", BYTES("n,,r=abc,n="), false },
		{ "the name twice", BYTES("n,,n=,n=,r=abc"), false },
		{ "the nonce twice", BYTES("n,,n=,r=abc,r=abc"), false },
		{ "the name at the end too", BYTES("n,,n=,r=abc,n="), false },
		{ "a mandatory extension", BYTES("n,,m=x,n=,r=abc"), false },
		{ "a mandatory extension at the end", BYTES("n,,n=,r=abc,m=x"), false },
		{ "a comma at the end", BYTES("n,,n=,r=abc,"), false },
		{ "an empty attribute", BYTES("n,,n=,r=abc,,x=1"), false },
		{ "an attribute without =", BYTES("n,,n=,r=abc,x"), false },
		{ "an attribute that is no letter", BYTES("n,,n=,r=abc,1=2"), false },
		{ "a NUL behind", BYTES("n,,n=,r=abc\0"), false },
		{ "a NUL in the nonce", BYTES("n,,n=,r=a\0c"), false },
		{ "a blank in the nonce", BYTES("n,,n=,r=a c"), false },
		{ "a DEL in the nonce", BYTES("n,,n=,r=a\177c"), false },
		{ "a high byte in the nonce", BYTES("n,,n=,r=a\377c"), false },
		{ "an escape of another kind", BYTES("n,,n=a=41,r=abc"), false },
		{ "an escape in small letters", BYTES("n,,n=a=2c,r=abc"), false },
		{ "a cut escape", BYTES("n,,n=a=2,r=abc"), false },
		{ "an equals sign", BYTES("n,,n=a=,r=abc"), false },
		{ "capitals", BYTES("N,,N=,R=abc"), false },
	};
	struct secret secret;
	if (!check("parses", secret_parse(&secret, VERIFIER)))
		return;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		struct scram_server s;
		struct fault f = { .kind = FAULT_NONE, .text = "" };
		char out[SCRAM_MSG_MAX + 1] = "";
		check(what, scram_server_init(&s, &secret, "user"));
		check_eq(what, server_first(&s, cases[i].in, cases[i].len, out, &f), cases[i].ok);
		check_eq(what, f.kind, cases[i].ok ? FAULT_NONE : FAULT_PROTO);
		check_str(what, f.sqlstate, cases[i].ok ? "" : "08P01");
		check_eq(what, strncmp(out, "r=a", 3) == 0, cases[i].ok);
		check_eq("channel binding is refused by name", strstr(f.text, "channel binding, which") != NULL,
			 cases[i].len > 0 && cases[i].in[0] == 'p');
		if (cases[i].ok) {
			const char *tail = ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
			check_str(what, out + strlen(out) - strlen(tail), tail);
			check(what, strlen(s.nonce) <= SCRAM_NONCE_MAX);
		}
		for (size_t n = 0; n < cases[i].len; n++) { /* a prefix is whole from the first byte of the nonce on */
			check(what, scram_server_init(&s, &secret, "user"));
			bool ok = server_first(&s, cases[i].in, n, out, &f);
			check(what, !ok || n > 8);
		}
	}
	secret_clear(&secret);
}

static void test_server_final(void)
{
	static const struct {
		const char *what, *in;
		size_t len;
		enum fault_kind want;
	} cases[] = {
		{ "good", BYTES(RFC_FINAL ",p=" RFC_PROOF), FAULT_NONE },
		{ "another proof", BYTES(RFC_FINAL ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), FAULT_AUTH },
		{ "one bit off at the end", BYTES(RFC_FINAL ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVU="),
		  FAULT_AUTH },
		{ "an extension, which is signed", BYTES(RFC_FINAL ",x=1,p=" RFC_PROOF), FAULT_AUTH },
		{ "nothing", BYTES(""), FAULT_PROTO },
		{ "no proof", BYTES(RFC_FINAL), FAULT_PROTO },
		{ "an empty proof", BYTES(RFC_FINAL ",p="), FAULT_PROTO },
		{ "a short proof", BYTES(RFC_FINAL ",p=dHzb"), FAULT_PROTO },
		{ "a long proof", BYTES(RFC_FINAL ",p=dHzb" RFC_PROOF), FAULT_PROTO },
		{ "a proof that is no base64", BYTES(RFC_FINAL ",p=%HzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
		  FAULT_PROTO },
		{ "a proof without padding", BYTES(RFC_FINAL ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ"),
		  FAULT_PROTO },
		{ "two proofs", BYTES(RFC_FINAL ",p=" RFC_PROOF ",p=" RFC_PROOF), FAULT_PROTO },
		{ "more behind the proof", BYTES(RFC_FINAL ",p=" RFC_PROOF ",x=1"), FAULT_PROTO },
		{ "a comma behind the proof", BYTES(RFC_FINAL ",p=" RFC_PROOF ","), FAULT_PROTO },
		{ "a line's end behind the proof", BYTES(RFC_FINAL ",p=" RFC_PROOF "\n"), FAULT_PROTO },
		{ "a NUL behind the proof", BYTES(RFC_FINAL ",p=" RFC_PROOF "\0"), FAULT_PROTO },
		{ "binding data of y", BYTES("c=eSws,r=" RFC_BOTH ",p=" RFC_PROOF), FAULT_PROTO },
		{ "binding data of p", BYTES("c=cCws,r=" RFC_BOTH ",p=" RFC_PROOF), FAULT_PROTO },
		{ "more binding data", BYTES("c=biwsAAAA,r=" RFC_BOTH ",p=" RFC_PROOF), FAULT_PROTO },
		{ "no binding data", BYTES("c=,r=" RFC_BOTH ",p=" RFC_PROOF), FAULT_PROTO },
		{ "no c", BYTES("r=" RFC_BOTH ",p=" RFC_PROOF), FAULT_PROTO },
		{ "c twice", BYTES("c=biws," RFC_FINAL ",p=" RFC_PROOF), FAULT_PROTO },
		{ "the client's nonce only", BYTES("c=biws,r=" RFC_NONCE ",p=" RFC_PROOF), FAULT_PROTO },
		{ "another nonce",
		  BYTES("c=biws,r=" RFC_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k1"
			",p=" RFC_PROOF),
		  FAULT_PROTO },
		{ "a longer nonce", BYTES(RFC_FINAL "x,p=" RFC_PROOF), FAULT_PROTO },
		{ "no nonce", BYTES("c=biws,p=" RFC_PROOF), FAULT_PROTO },
		{ "the nonce twice", BYTES(RFC_FINAL ",r=" RFC_BOTH ",p=" RFC_PROOF), FAULT_PROTO },
		{ "out of order", BYTES("r=" RFC_BOTH ",c=biws,p=" RFC_PROOF), FAULT_PROTO },
		{ "a mandatory extension", BYTES(RFC_FINAL ",m=x,p=" RFC_PROOF), FAULT_PROTO },
		{ "an extension without =", BYTES(RFC_FINAL ",x,p=" RFC_PROOF), FAULT_PROTO },
		{ "too long", BYTES(RFC_FINAL ",x=" TEN(TEN("0123456789")) ",p=" RFC_PROOF), FAULT_PROTO },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t cut = 0; cut < (i ? 1 : cases[i].len); cut++) {
			struct secret secret;
			struct scram_server s;
			struct fault f = { .kind = FAULT_NONE };
			char out[SCRAM_MSG_MAX + 1] = "";
			enum fault_kind want = cut ? FAULT_PROTO : cases[i].want;
			bool ready = secret_parse(&secret, VERIFIER) && rfc_server(&s, &secret);
			if (check(cases[i].what, ready)) {
				check_eq(cases[i].what, server_final(&s, cases[i].in, cases[i].len - cut, out, &f),
					 want == FAULT_NONE);
				check_eq(cases[i].what, f.kind, want);
				check_eq("no word but to whom has proved himself", out[0] != '\0', want == FAULT_NONE);
				check_eq("nor a key", secret.door.has_client_key, want == FAULT_NONE);
			}
			secret_clear(&secret);
		}
	}
}

static void test_client_final(void)
{
	static const struct {
		const char *what, *in;
		size_t len;
		enum fault_kind want;
	} cases[] = {
		{ "good", BYTES(RFC_FIRST), FAULT_NONE },
		{ "an extension", BYTES(RFC_FIRST ",x=1"), FAULT_NONE },
		{ "few iterations", BYTES("r=" RFC_BOTH ",s=AAAA,i=1"), FAULT_NONE },
		{ "as many as are allowed", BYTES("r=" RFC_BOTH ",s=AAAA,i=100000"), FAULT_NONE },
		{ "a nonce with one character more", BYTES("r=" RFC_NONCE "x,s=AAAA,i=1"), FAULT_NONE },
		{ "64 bytes of salt", BYTES("r=" RFC_BOTH ",s=" TEN("AAAAAAAA") "AAAAAA==,i=1"), FAULT_NONE },

		{ "65 bytes of salt", BYTES("r=" RFC_BOTH ",s=" TEN("AAAAAAAA") "AAAAAAA=,i=1"), FAULT_PROTO },
		{ "nothing", BYTES(""), FAULT_PROTO },
		{ "our nonce and no more", BYTES("r=" RFC_NONCE ",s=AAAA,i=1"), FAULT_PROTO },
		{ "less than our nonce", BYTES("r=rOpr,s=AAAA,i=1"), FAULT_PROTO },
		{ "another nonce", BYTES("r=sOprNGfwEbeRWgbNEkqO1234,s=AAAA,i=1"), FAULT_PROTO },
		{ "another at the last character", BYTES("r=rOprNGfwEbeRWgbNEkqP1234,s=AAAA,i=1"), FAULT_PROTO },
		{ "our nonce, not in front", BYTES("r=1234" RFC_NONCE ",s=AAAA,i=1"), FAULT_PROTO },
		{ "an empty nonce", BYTES("r=,s=AAAA,i=1"), FAULT_PROTO },
		{ "a blank in the nonce", BYTES("r=" RFC_NONCE " 1,s=AAAA,i=1"), FAULT_PROTO },
		{ "an oversized nonce", BYTES("r=" RFC_NONCE TEN(TEN("ab")) TEN("0123") ",s=AAAA,i=1"), FAULT_PROTO },
		{ "too long", BYTES(RFC_FIRST ",x=" TEN(TEN("0123456789"))), FAULT_PROTO },
		{ "a mandatory extension", BYTES("m=x," RFC_FIRST), FAULT_PROTO },
		{ "a mandatory extension at the end", BYTES(RFC_FIRST ",m=x"), FAULT_PROTO },
		{ "no nonce", BYTES("s=AAAA,i=1"), FAULT_PROTO },
		{ "no salt", BYTES("r=" RFC_BOTH ",i=1"), FAULT_PROTO },
		{ "an empty salt", BYTES("r=" RFC_BOTH ",s=,i=1"), FAULT_PROTO },
		{ "a salt that is no base64", BYTES("r=" RFC_BOTH ",s=AAA,i=1"), FAULT_PROTO },
		{ "no iterations", BYTES("r=" RFC_BOTH ",s=AAAA"), FAULT_PROTO },
		{ "empty iterations", BYTES("r=" RFC_BOTH ",s=AAAA,i="), FAULT_PROTO },
		{ "zero iterations", BYTES("r=" RFC_BOTH ",s=AAAA,i=0"), FAULT_PROTO },
		{ "-1 iterations", BYTES("r=" RFC_BOTH ",s=AAAA,i=-1"), FAULT_PROTO },
		{ "+1 iterations", BYTES("r=" RFC_BOTH ",s=AAAA,i=+1"), FAULT_PROTO },
		{ "iterations and a letter", BYTES("r=" RFC_BOTH ",s=AAAA,i=4096x"), FAULT_PROTO },
		{ "one too many", BYTES("r=" RFC_BOTH ",s=AAAA,i=100001"), FAULT_PROTO },
		{ "2^31", BYTES("r=" RFC_BOTH ",s=AAAA,i=2147483648"), FAULT_PROTO },
		{ "2^32 + 1", BYTES("r=" RFC_BOTH ",s=AAAA,i=4294967297"), FAULT_PROTO },
		{ "2^64 + 1", BYTES("r=" RFC_BOTH ",s=AAAA,i=18446744073709551617"), FAULT_PROTO },
		{ "out of order", BYTES("r=" RFC_BOTH ",i=1,s=AAAA"), FAULT_PROTO },
		{ "the salt twice", BYTES("r=" RFC_BOTH ",s=AAAA,s=AAAA,i=1"), FAULT_PROTO },
		{ "the iterations twice", BYTES("r=" RFC_BOTH ",s=AAAA,i=1,i=1"), FAULT_PROTO },
		{ "a comma behind", BYTES(RFC_FIRST ","), FAULT_PROTO },
		{ "a NUL behind", BYTES(RFC_FIRST "\0"), FAULT_PROTO },
		{ "an error", BYTES("e=other-error"), FAULT_PROTO },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct secret secret;
		struct scram_client c;
		struct fault f = { .kind = FAULT_NONE };
		char out[SCRAM_MSG_MAX + 1] = "";
		uint64_t before = crypto_pbkdf2_runs();
		bool ok = cases[i].want == FAULT_NONE,
		     ready = secret_parse(&secret, "pencil") && rfc_client(&c, &secret);
		if (check(cases[i].what, ready)) {
			check_eq(cases[i].what, client_final(&c, cases[i].in, cases[i].len, out, &f), ok);
			check_eq(cases[i].what, f.kind, cases[i].want);
			check_eq("a PBKDF2 only for what is in order", crypto_pbkdf2_runs() - before, ok);
			check_eq(cases[i].what, strncmp(out, "c=biws,r=" RFC_NONCE, 29) == 0, ok);
		}
		secret_clear(&secret);
	}
	for (size_t n = 0; n < sizeof RFC_FIRST - 1; n++) {
		struct secret secret;
		struct scram_client c;
		struct fault f;
		char out[SCRAM_MSG_MAX + 1];
		bool ready = secret_parse(&secret, "pencil") && rfc_client(&c, &secret);
		if (check("ready", ready)) /* "i=4" and longer are whole messages */
			check_eq("prefix", client_final(&c, RFC_FIRST, n, out, &f), n > sizeof RFC_FIRST - 1 - 4);
		secret_clear(&secret);
	}
}

/* Which secrets can prove themselves, and what is said of those that cannot. */
static void test_client_secrets(void)
{
	static const struct {
		const char *what, *secret, *want;
	} cases[] = {
		{ "none", "", "none is known" },
		{ "md5", "md53671d1c06464e8ec9d68bf36dd1d5f7e", "only an md5 hash" },
		{ "a verifier unused so far", VERIFIER, "no client has proved itself" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct secret secret;
		struct scram_client c;
		struct fault f = { .kind = FAULT_NONE };
		char out[SCRAM_MSG_MAX + 1] = "";
		bool ready = secret_parse(&secret, cases[i].secret) && rfc_client(&c, &secret);
		if (check(cases[i].what, ready)) {
			check(cases[i].what, !client_final(&c, BYTES(RFC_FIRST), out, &f));
			check_eq(cases[i].what, f.kind, FAULT_AUTH);
			check(f.text, strstr(f.text, cases[i].want));
			check_str(cases[i].what, out, "");
		}
		secret_clear(&secret);
	}
	struct secret secret;
	struct scram_client c;
	struct fault f = { .kind = FAULT_NONE };
	char out[SCRAM_MSG_MAX + 1] = "";
	bool ready = secret_parse(&secret, VERIFIER) && rfc_client(&c, &secret);
	if (check("ready", ready)) {
		static const uint8_t key[SCRAM_KEY_LEN] = { 1 };
		secret_recovered(&secret, key);
		check("a server with another salt", !client_final(&c, BYTES("r=" RFC_BOTH ",s=AAAA,i=4096"), out, &f));
		check_eq("kind", f.kind, FAULT_AUTH);
		check(f.text, strstr(f.text, "not the server's own"));
	}
	secret_clear(&secret);
}

/* A server's iterations are limited where they would have to be run, and nowhere else. */
static void test_client_iterations(void)
{
	static const char many[] = "r=" RFC_BOTH ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=600000";
	static const struct {
		const char *what, *secret;
		bool ok;
	} cases[] = {
		{ "a password", "pencil", false },
		{ "a verifier with those keys", VERIFIER_OF("600000"), true },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		static const uint8_t key[SCRAM_KEY_LEN] = { 1 };
		struct secret secret;
		struct scram_client c;
		struct fault f = { .kind = FAULT_NONE };
		char out[SCRAM_MSG_MAX + 1] = "";
		uint64_t before = crypto_pbkdf2_runs();
		bool ready = secret_parse(&secret, cases[i].secret) && rfc_client(&c, &secret);
		if (check("ready", ready)) {
			if (secret.kind == SECRET_SCRAM)
				secret_recovered(&secret, key);
			check_eq(cases[i].what, client_final(&c, many, sizeof many - 1, out, &f), cases[i].ok);
			check_eq("no PBKDF2", crypto_pbkdf2_runs() - before, 0);
		}
		if (ready && !cases[i].ok) {
			check_str("how many, and how many are allowed", f.text,
				  "the server asks for 600000 SCRAM iterations, more than the 100000 allowed");
			check("what to do", strstr(f.hint, "scram_iterations"));
		}
		secret_clear(&secret);
	}
}

static void test_client_verify(void)
{
	static const struct {
		const char *what, *in;
		size_t len;
		enum fault_kind want;
	} cases[] = {
		{ "good", BYTES("v=" RFC_SIG), FAULT_NONE },
		{ "an extension", BYTES("v=" RFC_SIG ",x=1"), FAULT_NONE },
		{ "another signature", BYTES("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), FAULT_AUTH },
		{ "one bit off at the end", BYTES("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8="), FAULT_AUTH },
		{ "an error", BYTES("e=invalid-proof"), FAULT_AUTH },
		{ "an error and an extension", BYTES("e=other-error,x=1"), FAULT_AUTH },
		{ "nothing", BYTES(""), FAULT_PROTO },
		{ "an empty signature", BYTES("v="), FAULT_PROTO },
		{ "an empty error", BYTES("e="), FAULT_PROTO },
		{ "an error of odd bytes", BYTES("e=\33[2J"), FAULT_PROTO },
		{ "a short signature", BYTES("v=6rri"), FAULT_PROTO },
		{ "a long signature", BYTES("v=6rri" RFC_SIG), FAULT_PROTO },
		{ "no base64", BYTES("v=%rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), FAULT_PROTO },
		{ "another attribute", BYTES("p=" RFC_SIG), FAULT_PROTO },
		{ "the signature twice", BYTES("v=" RFC_SIG ",v=" RFC_SIG), FAULT_PROTO },
		{ "a mandatory extension", BYTES("v=" RFC_SIG ",m=x"), FAULT_PROTO },
		{ "a comma behind", BYTES("v=" RFC_SIG ","), FAULT_PROTO },
		{ "a NUL behind", BYTES("v=" RFC_SIG "\0"), FAULT_PROTO },
		{ "too long", BYTES("v=" RFC_SIG ",x=" TEN(TEN("0123456789"))), FAULT_PROTO },
	};
	struct secret secret;
	if (!check("parses", secret_parse(&secret, "pencil")))
		return;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t cut = 0; cut < (i ? 1 : cases[i].len); cut++) {
			enum fault_kind want = cut ? FAULT_PROTO : cases[i].want;
			struct scram_client c;
			struct fault f = { .kind = FAULT_NONE };
			char out[SCRAM_MSG_MAX + 1];
			bool ready = rfc_client(&c, &secret) && client_final(&c, BYTES(RFC_FIRST), out, &f);
			if (check(cases[i].what, ready)) {
				check_eq(cases[i].what, client_verify(&c, cases[i].in, cases[i].len - cut, &f),
					 want == FAULT_NONE);
				check_eq(cases[i].what, f.kind, want);
			}
		}
	}
	secret_clear(&secret);
}

/* A whole exchange between the two roles; what went wrong, if anything, in *f. */
static bool talk(struct secret *client, struct secret *server, const char *user, struct fault *f)
{
	struct scram_client c;
	struct scram_server s;
	char up[SCRAM_MSG_MAX + 1], down[SCRAM_MSG_MAX + 1];
	*f = (struct fault){ .kind = FAULT_NONE };
	return check("init", scram_server_init(&s, server, user)) &&
	       check("client first", scram_client_first(&c, client, NULL, false, up, f)) &&
	       check("server first", server_first(&s, up, strlen(up), down, f)) &&
	       client_final(&c, down, strlen(down), up, f) && server_final(&s, up, strlen(up), down, f) &&
	       check("the server's signature", client_verify(&c, down, strlen(down), f));
}

static void test_both(void)
{
	struct secret plain, door, server, wrong;
	struct fault f;
	bool ok = secret_parse(&plain, "pencil") && secret_parse(&door, VERIFIER) && secret_parse(&server, VERIFIER) &&
		  secret_parse(&wrong, "pencils");
	if (!check("parse", ok))
		return;
	check("the verifier alone cannot log in", !talk(&door, &server, "user", &f));
	check_eq("and says so", f.kind, FAULT_AUTH);
	check("a wrong password", !talk(&wrong, &door, "user", &f));
	check_eq("is refused", f.kind, FAULT_AUTH);
	check("nothing learnt from it", !door.door.has_client_key);
	check("a client logs in", talk(&plain, &door, "user", &f));
	check("and now the verifier can log in to its server", talk(&door, &server, "user", &f));
	check("which in turn has learnt the key", server.door.has_client_key);
	secret_clear(&door);
	secret_clear(&server);

	/* Derived once, however many log in. */
	ok = secret_parse(&server, "pencil");
	uint64_t before = crypto_pbkdf2_runs();
	for (int i = 0; ok && i < 20; i++)
		check("plain to plain", talk(&plain, &server, "user", &f));
	check_eq("one PBKDF2 on each side", crypto_pbkdf2_runs() - before, 2);
	check("wrong", !talk(&wrong, &server, "user", &f));
	check_eq("and only the client's for a wrong one", crypto_pbkdf2_runs() - before, 3);
	secret_clear(&plain);
	secret_clear(&server);
	secret_clear(&wrong);
}

/* Of two passwords either lets in, if SCRAM can know them by one salt. */
static void test_two(void)
{
	static const struct {
		const char *what, *one, *two;
		bool pencil, crayon;
	} cases[] = {
		{ "plain and plain", "pencil", "crayon", true, true },
		{ "a verifier and plain", VERIFIER, "crayon", true, true },
		{ "plain and a verifier", "crayon", VERIFIER, true, true },
		{ "md5 and plain", "md50123456789abcdef0123456789abcdef", "crayon", false, true },
		{ "a verifier and md5", VERIFIER, "md50123456789abcdef0123456789abcdef", true, false },
		{ "two verifiers of two salts", VERIFIER, OTHER_SALT, true, false },
		{ "and the other way round", OTHER_SALT, VERIFIER, false, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct secret both, pencil, crayon, wrong;
		struct fault f;
		if (!check("parse", secret_parse_both(&both, cases[i].one, cases[i].two) &&
					    secret_parse(&pencil, "pencil") && secret_parse(&crayon, "crayon") &&
					    secret_parse(&wrong, "wrong")))
			return;
		for (int turn = 0; turn < 2; turn++) {
			uint64_t before = crypto_pbkdf2_runs();
			check_eq(cases[i].what, talk(&pencil, &both, "user", &f), cases[i].pencil);
			check_eq(cases[i].what, talk(&crayon, &both, "user", &f), cases[i].crayon);
			check(cases[i].what, !talk(&wrong, &both, "user", &f) && f.kind == FAULT_AUTH);
			if (turn)
				check_eq("once is enough", crypto_pbkdf2_runs() - before, 0);
		}
		secret_clear(&both);
		secret_clear(&pencil);
		secret_clear(&crayon);
		secret_clear(&wrong);
	}
}

/* What a user's secrets are changes while somebody logs in with one that stays. */
static void test_renewed(void)
{
	static const struct {
		const char *what, *was[2], *is[2];
		bool fits;
	} cases[] = {
		{ "one more", { "pencil", "" }, { "crayon", "pencil" }, true },
		{ "one less", { "crayon", "pencil" }, { "pencil", "" }, true },
		{ "the other one goes", { "pencil", "crayon" }, { "pencil", "" }, true },
		{ "a verifier is added", { "pencil", "" }, { OTHER_SALT, "pencil" }, true },
		{ "a verifier comes first", { VERIFIER, "" }, { OTHER_SALT, VERIFIER }, true },
		{ "a verifier goes", { VERIFIER_OF("4096"), "pencil" }, { "pencil", "" }, true },
		{ "it comes too late", { "crayon", "" }, { "pencil", "" }, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct secret client, user;
		struct scram_client c;
		struct scram_server s;
		struct fault f;
		char up[SCRAM_MSG_MAX + 1], down[SCRAM_MSG_MAX + 1];
		bool ok =
			secret_parse(&client, "pencil") && secret_parse_both(&user, cases[i].was[0], cases[i].was[1]) &&
			scram_server_init(&s, &user, "user") && scram_client_first(&c, &client, NULL, false, up, &f) &&
			server_first(&s, up, strlen(up), down, &f) && client_final(&c, down, strlen(down), up, &f) &&
			secret_renew(&user, cases[i].is[0], cases[i].is[1]);
		if (!check(cases[i].what, ok))
			continue;
		check_eq(cases[i].what, server_final(&s, up, strlen(up), down, &f), cases[i].fits);
		if (cases[i].fits)
			check(cases[i].what, client_verify(&c, down, strlen(down), &f));
		if (strcmp(cases[i].is[1], VERIFIER) == 0)
			check("the key is where the verifier is",
			      user.other->door.has_client_key && !user.door.has_client_key);
		secret_clear(&client);
		secret_clear(&user);
	}
}

/* A failed exchange costs the same, whoever it was about. */
static void test_work(void)
{
	static const char *const texts[] = { NULL, "pencil", VERIFIER, "md50123456789abcdef0123456789abcdef", "" };
	struct secret wrong, two;
	struct fault f;
	if (!check("parses", secret_parse(&wrong, "wrong")))
		return;
	for (int doubles = 0; doubles < 2; doubles++) {
		uint64_t want = 0, runs;
		check("parses", secret_parse_both(&two, "pencil", doubles ? "crayon" : ""));
		for (size_t i = 0; i <= COUNT(texts); i++) {
			struct secret s = { .kind = SECRET_NONE }, *is = &s;
			if (i == COUNT(texts))
				is = &two;
			else if (!texts[i])
				is = NULL;
			else if (!check("parses", secret_parse(&s, texts[i])))
				continue;
			for (int turn = 0; turn < 2; turn++) { /* the second time no keys have to be made */
				runs = crypto_runs() + 10000 * crypto_pbkdf2_runs();
				check("wrong", !talk(&wrong, is, "user", &f));
				runs = crypto_runs() + 10000 * crypto_pbkdf2_runs() - runs;
			}
			if (!want)
				want = runs;
			check_eq(i == COUNT(texts) ? "this user, or one of two"
				 : texts[i]        ? texts[i]
						   : "nobody",
				 runs, want);
			secret_clear(&s);
		}
		secret_clear(&two);
	}
	secret_clear(&wrong);
}

/* Whoever asks cannot tell an unknown user, or one without a usable secret, from a wrong password. */
static void test_mock(void)
{
	struct secret md5, none, known, client;
	bool ok = secret_parse(&md5, "md53671d1c06464e8ec9d68bf36dd1d5f7e") && secret_parse(&none, "") &&
		  secret_parse(&known, "secret") && secret_parse(&client, "pencil");
	if (!check("parse", ok))
		return;
	struct {
		const char *what;
		struct secret *secret;
	} cases[] = { { "known", &known }, { "unknown", NULL }, { "md5", &md5 }, { "none", &none } };
	char seen[SCRAM_MSG_MAX + 1] = "";
	struct fault first = { .kind = FAULT_NONE };
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int turn = 0; turn < 2; turn++) {
			struct scram_server s;
			struct fault f;
			char out[SCRAM_MSG_MAX + 1] = "";
			const char *what = cases[i].what;
			check(what, scram_server_init(&s, cases[i].secret, "anna"));
			check_eq(what, s.is_mock, i > 0);
			check(what, server_first(&s, BYTES("n,,n=,r=abc"), out, &f));
			check_eq("as long", strlen(out), 2 + 3 + 24 + 3 + 24 + 7);
			const char *salt = strstr(out, ",s=");
			if (!seen[0] && salt)
				str_copy(seen, sizeof seen, salt);
			check_str("salt and iterations always the same for a name", salt, seen);
			check("failure", !talk(&client, cases[i].secret, "anna", &f));
			if (!first.kind)
				first = f;
			check_eq("the same kind", f.kind, FAULT_AUTH);
			check_str("the same state", f.sqlstate, first.sqlstate);
			check_str("the same words", f.text, first.text);
		}
	}
	struct scram_server a, b;
	check("init", scram_server_init(&a, NULL, "anna") && scram_server_init(&b, NULL, "anne"));
	check("another salt for another name", memcmp(a.keys[0].salt, b.keys[0].salt, SECRET_SALT_LEN) != 0);

	/* Even the one who has the mock's keys does not get in. */
	struct scram_client c;
	struct fault f;
	char up[SCRAM_MSG_MAX + 1], down[SCRAM_MSG_MAX + 1];
	check("mock", scram_server_init(&a, NULL, "anna"));
	check("first", scram_client_first(&c, &client, NULL, false, up, &f) &&
			       server_first(&a, up, strlen(up), down, &f) &&
			       client_final(&c, down, strlen(down), up, &f));
	memcpy(a.keys[0].stored_key, client.engine.stored_key, SCRAM_KEY_LEN);
	check("refused", !server_final(&a, up, strlen(up), down, &f));
	check_eq("kind", f.kind, FAULT_AUTH);
	secret_clear(&md5);
	secret_clear(&none);
	secret_clear(&known);
	secret_clear(&client);
}

static bool no_random(void *out, size_t n)
{
	(void)out;
	(void)n;
	return false;
}

static bool one_random(void *out, size_t n)
{
	memset(out, 0xff, n);
	return true;
}

static void test_random(void)
{
	struct secret secret;
	struct scram_server s;
	struct scram_client c;
	struct fault f = { .kind = FAULT_NONE };
	char out[SCRAM_MSG_MAX + 1] = "";
	if (!check("parses", secret_parse(&secret, VERIFIER)))
		return;
	crypto_set_random(one_random);
	check("init", scram_server_init(&s, &secret, "user") && server_first(&s, BYTES("n,,n=,r=abc"), out, &f));
	check_str("our part of the nonce is the source's", out,
		  "r=abc////////////////////////,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	struct scram_server known;
	check("init", scram_server_init(&known, &secret, "user"));
	crypto_set_random(no_random);
	check("mock", scram_server_init(&s, NULL, "user"));
	check("no nonce for it", !server_first(&s, BYTES("n,,n=,r=abc"), out, &f));
	f.kind = FAULT_NONE;
	check("no client", !scram_client_first(&c, &secret, NULL, false, out, &f));
	check_eq("kind", f.kind, FAULT_INTERNAL);
	f.kind = FAULT_NONE;
	check("no server", !server_first(&known, BYTES("n,,n=,r=abc"), out, &f));
	check_eq("kind", f.kind, FAULT_INTERNAL);
	crypto_set_random(NULL);
	secret_clear(&secret);
}

static void test_no_memory(void)
{
	struct secret client, server;
	if (!check("parse", secret_parse(&client, "pencil") && secret_parse(&server, "pencil")))
		return;
	for (unsigned n = 0; nomem_next(&n);) {
		struct scram_server s;
		struct scram_client c;
		struct fault f = { .kind = FAULT_NONE };
		char up[SCRAM_MSG_MAX + 1], down[SCRAM_MSG_MAX + 1];
		bool ok = scram_server_init(&s, &server, "user") &&
			  scram_client_first(&c, &client, NULL, false, up, &f) &&
			  scram_server_first(&s, up, strlen(up), down, &f) &&
			  scram_client_final(&c, down, strlen(down), up, &f);
		check("an allocation that failed fails the login", ok == !nomem_hit());
	}
	secret_clear(&client);
	secret_clear(&server);
}

void suite_scram(void)
{
	static const struct unit_test tests[] = {
		{ "RFC 7677, server", test_rfc_server },
		{ "RFC 7677, client", test_rfc_client },
		{ "client-first, ours", test_client_first },
		{ "client-first, theirs", test_server_first },
		{ "client-final, theirs", test_server_final },
		{ "server-first", test_client_final },
		{ "secrets of a client", test_client_secrets },
		{ "iterations that a server asks for", test_client_iterations },
		{ "server-final", test_client_verify },
		{ "both roles", test_both },
		{ "two passwords", test_two },
		{ "renewed meanwhile", test_renewed },
		{ "work", test_work },
		{ "mock", test_mock },
		{ "randomness", test_random },
		{ "out of memory", test_no_memory },
		{ NULL, NULL },
	};
	unit_add("scram", tests);
}
