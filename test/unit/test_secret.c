/* test_secret.c - stored secrets, the keys derived from them, md5 responses, base64, SASLprep. */
#include "auth/secret.h"
#include "auth/b64.h"
#include "auth/crypto.h"
#include "auth/saslprep.h"
#include "auth/secret_int.h"
#include "nomem.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Made with Python's hashlib from "pencil" and RFC 7677's salt. */
#define SALT           "W22ZaJ0SNY7soEsUEjb6gQ=="
#define STORED         "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
#define SERVER         "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define VERIFIER       "SCRAM-SHA-256$4096:" SALT "$" STORED ":" SERVER
#define VERIFIER_OTHER "SCRAM-SHA-256$4096:" SALT "$" SERVER ":" STORED
#define MD5_OF_PENCIL  "md5984c3e9256f24b08e5b849d2265593b2"                                    /* of anna */
#define SHA2           "$A$005$ABCDEFGHIJKLMNOPQRST/Ot.EjLtgDi7N2ac.5J0vA5rhjKnaqYaZp3Id61YMC1" /* of pencil */
static const uint8_t client_key[] = { 0xa6, 0x0f, 0xc9, 0x23, 0xd6, 0x7e, 0x86, 0x44, 0xa9, 0x2d, 0x16,
				      0xb9, 0x6e, 0xda, 0x5e, 0xf4, 0x65, 0x6b, 0x0c, 0x72, 0x5c, 0x48,
				      0x43, 0x74, 0xbe, 0x25, 0x53, 0x55, 0x76, 0x99, 0x6e, 0x8b };
static const uint8_t rfc_salt[] = { 0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e,
				    0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81 };

/* FIPS 180-4's "abc", RFC 4231's second case. Short keys and long ones go different ways, and are to agree: a key
 * longer than a block stands for its digest. */
static void test_digests(void)
{
	static const uint8_t sha1[] = { 0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e,
					0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d };
	static const uint8_t sha256[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
					  0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
					  0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad };
	static const uint8_t hmac[] = { 0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
					0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
					0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43 };
	uint8_t key[65], digest[CRYPTO_SHA256_LEN], got[CRYPTO_SHA256_LEN], want[CRYPTO_SHA256_LEN];
	check("SHA-1", crypto_sha1_two("a", 1, "bc", 2, got) && memcmp(got, sha1, sizeof sha1) == 0);
	check("SHA-256", crypto_sha256("abc", 3, got) && memcmp(got, sha256, sizeof sha256) == 0);
	check("of two", crypto_sha256_two("ab", 2, "c", 1, got) && memcmp(got, sha256, sizeof sha256) == 0);
	check("HMAC", crypto_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, got) &&
			      memcmp(got, hmac, sizeof hmac) == 0);
	memset(key, 'k', sizeof key);
	check("a long key",
	      crypto_sha256(key, sizeof key, digest) && crypto_hmac_sha256(digest, sizeof digest, "abc", 3, want) &&
		      crypto_hmac_sha256(key, sizeof key, "abc", 3, got) && memcmp(got, want, sizeof got) == 0);
}

/* Bytes are drawn ahead: a child has none of those that its parent will hand out. */
static void test_random_of_a_child(void)
{
	uint8_t first[8], ours[16], its[16] = { 0 };
	int ends[2], status;
	check("drawn", crypto_random(first, sizeof first) && pipe(ends) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		bool ok = crypto_random(its, sizeof its) && write(ends[1], its, sizeof its) == sizeof its;
		_exit(ok ? 0 : 1);
	}
	check("in the child",
	      read(ends[0], its, sizeof its) == sizeof its && waitpid(pid, &status, 0) == pid && status == 0);
	check("in the parent", crypto_random(ours, sizeof ours));
	check("they differ", memcmp(ours, its, sizeof ours) != 0);
	close(ends[0]);
	close(ends[1]);
}

static void test_b64(void)
{
	static const struct {
		const char *what, *text, *bytes;
		size_t len;
		bool ok;
	} cases[] = {
		{ "nothing", "", BYTES(""), true },
		{ "one byte", "Zg==", BYTES("f"), true },
		{ "two bytes", "Zm8=", BYTES("fo"), true },
		{ "three bytes", "Zm9v", BYTES("foo"), true },
		{ "four bytes", "Zm9vYg==", BYTES("foob"), true },
		{ "the last two digits", "+/+/", BYTES("\xfb\xff\xbf"), true },
		{ "zeros", "AAAA", BYTES("\0\0\0"), true },
		{ "no padding", "Zg", BYTES(""), false },
		{ "half the padding", "Zg=", BYTES(""), false },
		{ "padding only", "====", BYTES(""), false },
		{ "three of padding", "Z===", BYTES(""), false },
		{ "padding inside", "Zg==Zg==", BYTES(""), false },
		{ "padding before a digit", "Zg=a", BYTES(""), false },
		{ "bits left over, one byte", "Zh==", BYTES(""), false },
		{ "bits left over, two bytes", "Zm9=", BYTES(""), false },
		{ "a blank", "Zm 9", BYTES(""), false },
		{ "a line's end", "Zm9v\n", BYTES(""), false },
		{ "the URL alphabet", "-_-_", BYTES(""), false },
		{ "a high byte", "Zm9\xff", BYTES(""), false },
		{ "more than fits", "Zm9vYmFyZm9v", BYTES(""), false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		char *in = (char *)copy_exact(cases[i].text, strlen(cases[i].text));
		uint8_t out[8];
		size_t n = 99;
		check_eq(what, b64_decode(in, strlen(cases[i].text), out, sizeof out, &n), cases[i].ok);
		if (cases[i].ok && check_eq(what, n, cases[i].len)) {
			check_mem(what, out, cases[i].bytes, n);
			char text[B64_SIZE(8)];
			check_eq(what, b64_encode(out, n, text), strlen(cases[i].text));
			check_str(what, text, cases[i].text);
		}
		free(in);
	}
}

static void test_parse(void)
{
	static const struct {
		const char *what, *text;
		bool ok;
		enum secret_kind kind;
	} cases[] = {
		{ "empty", "", true, SECRET_NONE },
		{ "plain", "s3cret", true, SECRET_PLAIN },
		{ "one letter", "x", true, SECRET_PLAIN },
		{ "not ASCII", "p\xc3\xa4ss", true, SECRET_PLAIN },
		{ "md5", "md53671d1c06464e8ec9d68bf36dd1d5f7e", true, SECRET_MD5 },
		{ "md5, a digit short", "md53671d1c06464e8ec9d68bf36dd1d5f7", true, SECRET_PLAIN },
		{ "md5, a digit long", "md53671d1c06464e8ec9d68bf36dd1d5f7e0", true, SECRET_PLAIN },
		{ "md5 with capitals", "md53671D1C06464E8EC9D68BF36DD1D5F7E", true, SECRET_PLAIN },
		{ "md5 with a g", "md53671d1c06464e8ec9d68bf36dd1d5f7g", true, SECRET_PLAIN },
		{ "md5 alone", "md5", true, SECRET_PLAIN },
		{ "native", "*7614BE58636C810A9D8970A50B3B2A78450413E4", true, SECRET_NATIVE },
		{ "native in small letters", "*7614be58636c810a9d8970a50b3b2a78450413e5", true, SECRET_NATIVE },
		{ "native, a digit short", "*7614BE58636C810A9D8970A50B3B2A78450413E", true, SECRET_PLAIN },
		{ "native, a digit long", "*7614BE58636C810A9D8970A50B3B2A78450413E44", true, SECRET_PLAIN },
		{ "native with a G", "*7614BE58636C810A9D8970A50B3B2A78450413EG", true, SECRET_PLAIN },
		{ "a star", "*", true, SECRET_PLAIN },
		{ "sha2", SHA2, true, SECRET_SHA2 },
		{ "sha2, 0 rounds", "$A$000$ABCDEFGHIJKLMNOPQRST/Ot.EjLtgDi7N2ac.5J0vA5rhjKnaqYaZp3Id61YMC1", false,
		  SECRET_NONE },
		{ "sha2, 101000 rounds", "$A$065$ABCDEFGHIJKLMNOPQRST/Ot.EjLtgDi7N2ac.5J0vA5rhjKnaqYaZp3Id61YMC1",
		  false, SECRET_NONE },
		{ "sha2, a digit short", "$A$005$ABCDEFGHIJKLMNOPQRST/Ot.EjLtgDi7N2ac.5J0vA5rhjKnaqYaZp3Id61YMC", false,
		  SECRET_NONE },
		{ "sha2, a byte long", SHA2 "1", false, SECRET_NONE },
		{ "sha2 with a bad digit", "$A$005$ABCDEFGHIJKLMNOPQRST/Ot!EjLtgDi7N2ac.5J0vA5rhjKnaqYaZp3Id61YMC1",
		  false, SECRET_NONE },
		{ "sha2, nothing else", "$A$005$", false, SECRET_NONE },
		{ "sha2 in hex, cut", "0x24412430303524", false, SECRET_NONE },
		{ "sha2's first letters", "$A$00", true, SECRET_PLAIN },
		{ "hex of something else", "0x2441", true, SECRET_PLAIN },
		{ "ed25519", "ed25519:x1YAMCvR7TI3XkfIDrsGUiePkxOybYVG94ctSSWCDSc", true, SECRET_ED25519 },
		{ "ed25519, padded", "ed25519:ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY=", true, SECRET_ED25519 },
		{ "ed25519, cut", "ed25519:ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJ", false, SECRET_NONE },
		{ "ed25519, long", "ed25519:ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJYA", false, SECRET_NONE },
		{ "ed25519, nothing else", "ed25519:", false, SECRET_NONE },
		{ "ed25519 without the word", "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY", true, SECRET_PLAIN },
		{ "parsec", "P0:QUJDREVGR0hJSktMTU5PUFFS:PyB42+MUuIvSON6Z4FUhZ9gkV+r3uh4Ptzi7xYlMAnk", true,
		  SECRET_PARSEC },
		{ "parsec, padded", "P6:QUJDREVGR0hJSktMTU5PUFFS:PyB42+MUuIvSON6Z4FUhZ9gkV+r3uh4Ptzi7xYlMAnk=", true,
		  SECRET_PARSEC },
		{ "parsec, too many rounds", "P7:QUJDREVGR0hJSktMTU5PUFFS:PyB42+MUuIvSON6Z4FUhZ9gkV+r3uh4Ptzi7xYlMAnk",
		  false, SECRET_NONE },
		{ "parsec, a short salt", "P0:QUJDREVGR0hJSktMTU5PUFE:PyB42+MUuIvSON6Z4FUhZ9gkV+r3uh4Ptzi7xYlMAnk",
		  true, SECRET_PLAIN },
		{ "P0", "P0", true, SECRET_PLAIN },
		{ "P0:", "P0:", true, SECRET_PLAIN },
		{ "P alone", "P", true, SECRET_PLAIN },
		{ "SCRAM", VERIFIER, true, SECRET_SCRAM },
		{ "SCRAM of another kind", "SCRAM-SHA-1$1:a$b:c", true, SECRET_PLAIN },
		{ "SCRAM's name", "SCRAM-SHA-256", true, SECRET_PLAIN },
		{ "SCRAM, nothing else", "SCRAM-SHA-256$", false, SECRET_NONE },
		{ "SCRAM without server key", "SCRAM-SHA-256$4096:" SALT "$" STORED, false, SECRET_NONE },
		{ "SCRAM with an empty server key", "SCRAM-SHA-256$4096:" SALT "$" STORED ":", false, SECRET_NONE },
		{ "SCRAM with a short server key", "SCRAM-SHA-256$4096:" SALT "$" STORED ":AAAA", false, SECRET_NONE },
		{ "SCRAM with a short stored key", "SCRAM-SHA-256$4096:" SALT "$AAAA:" SERVER, false, SECRET_NONE },
		{ "SCRAM with a long key", "SCRAM-SHA-256$4096:" SALT "$" STORED ":AAAA" SERVER, false, SECRET_NONE },
		{ "SCRAM, more behind it", VERIFIER " ", false, SECRET_NONE },
		{ "SCRAM with a bad digit", "SCRAM-SHA-256$4096:W2!=$" STORED ":" SERVER, false, SECRET_NONE },
		{ "SCRAM without salt", "SCRAM-SHA-256$4096:$" STORED ":" SERVER, false, SECRET_NONE },
		{ "SCRAM, no iterations", "SCRAM-SHA-256$:" SALT "$" STORED ":" SERVER, false, SECRET_NONE },
		{ "SCRAM, zero iterations", "SCRAM-SHA-256$0:" SALT "$" STORED ":" SERVER, false, SECRET_NONE },
		{ "SCRAM, -1 iterations", "SCRAM-SHA-256$-1:" SALT "$" STORED ":" SERVER, false, SECRET_NONE },
		{ "SCRAM, 2^31 iterations", "SCRAM-SHA-256$2147483648:" SALT "$" STORED ":" SERVER, false,
		  SECRET_NONE },
		{ "SCRAM, iterations in hex", "SCRAM-SHA-256$0x10:" SALT "$" STORED ":" SERVER, false, SECRET_NONE },
		{ "SCRAM, 88 digits of salt (66 bytes)",
		  "SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		  "AAAA$" STORED ":" SERVER,
		  false, SECRET_NONE },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what, *text = cases[i].text;
		char *exact = (char *)copy_exact(text, strlen(text) + 1);
		struct secret s, other;
		check_eq(what, secret_parse(&s, exact), cases[i].ok);
		check_eq(what, s.kind, cases[i].kind);
		check(what, !s.door.has_client_key && !s.engine.iterations && !s.has_check);
		check(what, cases[i].kind != SECRET_NONE && cases[i].kind != SECRET_SCRAM
				    ? s.text && strcmp(s.text, text) == 0
				    : !s.text);
		for (size_t k = 0; cases[i].ok && k < COUNT(cases); k++)
			check_eq(cases[k].text, secret_same(&s, cases[k].text), i == k);
		if (cases[i].ok && check(what, secret_parse(&other, text)))
			secret_clear(&other);
		secret_clear(&s);
		check_eq(what, s.kind, SECRET_NONE);
		secret_clear(&s);
		free(exact);
	}
}

static void test_parse_verifier(void)
{
	struct secret s;
	struct scram_keys other;
	if (!check("parses", secret_parse(&s, VERIFIER)))
		return;
	check_eq("iterations", s.door.iterations, 4096);
	check_eq("salt's length", s.door.salt_len, sizeof rfc_salt);
	check_mem("salt", s.door.salt, rfc_salt, sizeof rfc_salt);
	uint8_t stored[SCRAM_KEY_LEN];
	check("hash of the client key", crypto_sha256(client_key, sizeof client_key, stored));
	check_mem("stored key", s.door.stored_key, stored, sizeof stored);
	other = s.door;
	check("no more derived", secret_derive_door(&s, "user") && memcmp(&other, &s.door, sizeof other) == 0);
	/* Each part counts when a reload compares. */
	static const char *const others[] = {
		"SCRAM-SHA-256$4097:" SALT "$" STORED ":" SERVER,
		"SCRAM-SHA-256$4096:AA2ZaJ0SNY7soEsUEjb6gQ==$" STORED ":" SERVER,
		"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6$" STORED ":" SERVER,
		"SCRAM-SHA-256$4096:" SALT "$" SERVER ":" SERVER,
		"SCRAM-SHA-256$4096:" SALT "$" STORED ":" STORED,
		"",
		"pencil",
	};
	for (size_t i = 0; i < COUNT(others); i++)
		check(others[i], !secret_same(&s, others[i]));
	check("itself", secret_same(&s, VERIFIER));
	secret_clear(&s);
}

static void test_derive(void)
{
	struct secret plain, scram, md5, none;
	bool ok = secret_parse(&plain, "pencil") && secret_parse(&scram, VERIFIER) &&
		  secret_parse(&md5, "md53671d1c06464e8ec9d68bf36dd1d5f7e") && secret_parse(&none, "");
	if (!check("parse", ok))
		return;
	uint64_t before = crypto_pbkdf2_runs();
	check("engine keys from the password", secret_derive_engine(&plain, rfc_salt, sizeof rfc_salt, 4096));
	check_mem("client key", plain.engine.client_key, client_key, sizeof client_key);
	check_mem("stored key", plain.engine.stored_key, scram.door.stored_key, SCRAM_KEY_LEN);
	check_mem("server key", plain.engine.server_key, scram.door.server_key, SCRAM_KEY_LEN);
	check("again", secret_derive_engine(&plain, rfc_salt, sizeof rfc_salt, 4096));
	check_eq("derived once", crypto_pbkdf2_runs() - before, 1);
	check("other iterations", secret_derive_engine(&plain, rfc_salt, sizeof rfc_salt, 4095));
	check("another salt", secret_derive_engine(&plain, rfc_salt + 1, sizeof rfc_salt - 1, 4095));
	check_eq("derived anew for each", crypto_pbkdf2_runs() - before, 3);
	check("and different", memcmp(plain.engine.client_key, client_key, sizeof client_key) != 0);

	uint8_t salt[SECRET_SALT_LEN];
	check("door keys from the password", secret_derive_door(&plain, "user"));
	check("again", secret_derive_door(&plain, "user"));
	check_eq("derived once", crypto_pbkdf2_runs() - before, 4);
	check_eq("PostgreSQL's iterations", plain.door.iterations, 4096);
	check("this user's salt", secret_user_salt("user", salt));
	check_eq("salt's length", plain.door.salt_len, sizeof salt);
	check_mem("salt", plain.door.salt, salt, sizeof salt);
	check("engine keys of the same salt", secret_derive_engine(&plain, salt, sizeof salt, 4096));
	check_eq("are the door's", crypto_pbkdf2_runs() - before, 4);

	before = crypto_pbkdf2_runs();
	uint8_t long_salt[SCRAM_SALT_MAX + 1] = { 0 };
	check("no iterations", !secret_derive_engine(&plain, rfc_salt, sizeof rfc_salt, 0));
	check("too many", !secret_derive_engine(&plain, rfc_salt, sizeof rfc_salt, SCRAM_ITER_MAX + 1));
	check("2^31", !secret_derive_engine(&plain, rfc_salt, sizeof rfc_salt, 1u << 31));
	check("no salt", !secret_derive_engine(&plain, rfc_salt, 0, 4096));
	check("too much salt", !secret_derive_engine(&plain, long_salt, sizeof long_salt, 4096));
	check("a verifier that no client has used", !secret_derive_engine(&scram, rfc_salt, sizeof rfc_salt, 4096));
	check("md5", !secret_derive_engine(&md5, rfc_salt, sizeof rfc_salt, 4096));
	check("none", !secret_derive_engine(&none, rfc_salt, sizeof rfc_salt, 4096));
	check("door, md5", !secret_derive_door(&md5, "user"));
	check("door, none", !secret_derive_door(&none, "user"));
	secret_recovered(&scram, client_key);
	check("a verifier whose key was seen", secret_derive_engine(&scram, rfc_salt, sizeof rfc_salt, 4096));
	check("but not for another salt", !secret_derive_engine(&scram, rfc_salt + 1, sizeof rfc_salt - 1, 4096));
	check("nor other iterations", !secret_derive_engine(&scram, rfc_salt, sizeof rfc_salt, 4097));
	check_eq("none of that cost a PBKDF2", crypto_pbkdf2_runs() - before, 0);
	check_eq("rounds", plain.door.iterations, SCRAM_ITER_DEFAULT);
	secret_set_iterations(5000);
	check("with other ones", secret_derive_door(&plain, "user") && plain.door.iterations == 5000);
	secret_set_iterations(SCRAM_ITER_DEFAULT);
	check("as before", secret_derive_door(&plain, "user") && plain.door.iterations == SCRAM_ITER_DEFAULT);
	secret_clear(&plain);
	secret_clear(&scram);
	secret_clear(&md5);
	secret_clear(&none);
}

static void test_user_salt(void)
{
	uint8_t a[SECRET_SALT_LEN], again[SECRET_SALT_LEN], b[SECRET_SALT_LEN];
	check("salts", secret_user_salt("anna", a) && secret_user_salt("anna", again) && secret_user_salt("anne", b));
	check_mem("always the same for a name", a, again, sizeof a);
	check("another for another", memcmp(a, b, sizeof a) != 0);
}

/* Expected responses from the openssl command: md5(md5(password user) salt). */
static void test_md5(void)
{
	static const struct {
		const char *what, *text, *user;
		uint8_t salt[4];
		const char *want; /* NULL: cannot */
	} cases[] = {
		{ "plain", "secret", "anna", { 1, 2, 3, 4 }, "md57a40e687695f2126a3421c7f4bc9861e" },
		{ "md5",
		  "md53671d1c06464e8ec9d68bf36dd1d5f7e",
		  "anna",
		  { 1, 2, 3, 4 },
		  "md57a40e687695f2126a3421c7f4bc9861e" },
		{ "a salt with a NUL", "secret", "anna", { 0, 255, 128, 10 }, "md5a7f749a16a896c2b85d97f1c41a10f90" },
		{ "SCRAM", VERIFIER, "anna", { 1, 2, 3, 4 }, NULL },
		{ "none", "", "anna", { 1, 2, 3, 4 }, NULL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what, *want = cases[i].want;
		struct secret s;
		char got[36];
		if (!check(what, secret_parse(&s, cases[i].text)))
			continue;
		check_eq(what, secret_md5_response(&s, cases[i].user, cases[i].salt, got), want != NULL);
		if (want) {
			static const uint8_t salt_too[4] = { 1, 2, 3, 5 };
			check_str(what, got, want);
			check(what, secret_check_md5(&s, cases[i].user, cases[i].salt, want));
			check("an unknown user", !secret_check_md5(NULL, cases[i].user, cases[i].salt, want));
			check("another salt", !secret_check_md5(&s, cases[i].user, salt_too, want));
			check("a prefix", !secret_check_md5(&s, cases[i].user, cases[i].salt, "md5"));
			check("without md5", !secret_check_md5(&s, cases[i].user, cases[i].salt, want + 3));
			check("empty", !secret_check_md5(&s, cases[i].user, cases[i].salt, ""));
			for (size_t k = 0; k < 35; k++) {
				got[k] ^= 1;
				check("one bit off", !secret_check_md5(&s, cases[i].user, cases[i].salt, got));
				got[k] ^= 1;
			}
		} else {
			check(what, !secret_check_md5(&s, cases[i].user, cases[i].salt, "md5"));
		}
		secret_clear(&s);
	}
	static const uint8_t salt[4] = { 1, 2, 3, 4 };
	struct secret s;
	char got[36];
	if (check("the stand-in", secret_parse(&s, "nobody's") && secret_md5_response(&s, "anna", salt, got)))
		check("fits no unknown user", !secret_check_md5(NULL, "anna", salt, got));
	secret_clear(&s);
	if (check("long", secret_parse(&s, "secret")))
		check("longer than any", !secret_check_md5(&s, "anna", salt, "md57a40e687695f2126a3421c7f4bc9861e0"));
	secret_clear(&s);
}

static void test_check_plain(void)
{
	static const struct {
		const char *what, *text, *right;
	} cases[] = {
		{ "plain", "secret", "secret" },
		{ "plain that looks like md5", "md5secret", "md5secret" },
		{ "md5", "md53671d1c06464e8ec9d68bf36dd1d5f7e", "secret" },
		{ "SCRAM", VERIFIER, "pencil" },
		{ "none", "", NULL },
	};
	static const char *const wrong[] = { "",        "s",      "secre",
					     "secret2", "Secret", "pencils",
					     "md5",     VERIFIER, "md53671d1c06464e8ec9d68bf36dd1d5f7e" };
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct secret s;
		if (!check(cases[i].what, secret_parse(&s, cases[i].text)))
			continue;
		for (int turn = 0; turn < 2; turn++) {
			for (size_t k = 0; k < COUNT(wrong); k++)
				check(wrong[k], !secret_check_plain(&s, SECRET_PLAIN, "anna", wrong[k]));
			if (cases[i].right)
				check(cases[i].what, secret_check_plain(&s, SECRET_PLAIN, "anna", cases[i].right));
		}
		secret_clear(&s);
	}
	check("an unknown user", !secret_check_plain(NULL, SECRET_PLAIN, "anna", "secret"));
	check("an unknown user, the stand-in's text", !secret_check_plain(NULL, SECRET_PLAIN, "anna", "nobody's"));
	/* The md5 hash of an empty password, by the openssl command. */
	struct secret s;
	if (check("parses", secret_parse(&s, "md5a70f9e38ff015afaa9ab0aacabee2e13")))
		check("an empty password fits nothing", !secret_check_plain(&s, SECRET_PLAIN, "anna", ""));
	secret_clear(&s);
}

static void test_check_plain_scram(void)
{
	struct secret s;
	if (!check("parses", secret_parse(&s, VERIFIER)))
		return;
	uint64_t before = crypto_pbkdf2_runs();
	check("wrong", !secret_check_plain(&s, SECRET_PLAIN, "user", "pen"));
	check("nothing recovered", !s.door.has_client_key && !s.engine.has_client_key);
	check("right", secret_check_plain(&s, SECRET_PLAIN, "user", "pencil"));
	check_eq("a PBKDF2 each", crypto_pbkdf2_runs() - before, 2);
	check("the client key is known", s.door.has_client_key && s.engine.has_client_key);
	check_mem("door", s.door.client_key, client_key, sizeof client_key);
	check_mem("engine", s.engine.client_key, client_key, sizeof client_key);
	check("right again", secret_check_plain(&s, SECRET_PLAIN, "user", "pencil"));
	check("wrong again", !secret_check_plain(&s, SECRET_PLAIN, "user", "pencil "));
	check_eq("and no PBKDF2 any more but for the wrong one", crypto_pbkdf2_runs() - before, 3);
	secret_clear(&s);

	if (check("a verifier beyond the bound is kept",
		  secret_parse(&s, "SCRAM-SHA-256$1000001:" SALT "$" STORED ":" SERVER))) {
		before = crypto_pbkdf2_runs();
		check("but no clear text is tried on it", !secret_check_plain(&s, SECRET_PLAIN, "user", "pencil"));
		check_eq("not even tried", crypto_pbkdf2_runs() - before, 0);
	}
	secret_clear(&s);
}

/* RFC 4013, section 3, and what PostgreSQL does with the impossible: take the password as it stands. */
static void test_saslprep(void)
{
	static const struct {
		const char *what, *in, *want;
	} cases[] = {
		{ "ASCII", "user", "user" },
		{ "case", "USER", "USER" },
		{ "a blank", "a b", "a b" },
		{ "a control character", "a\ab", "a\ab" },
		{ "empty", "", "" },
		{ "composed already", "p\xc3\xa4ss", "p\xc3\xa4ss" },
		{ "not UTF-8", "p\xe4ss", "p\xe4ss" },
		{ "cut UTF-8", "p\xc3", "p\xc3" },
	}, complete[] = {
		{ "a soft hyphen goes", "I\xc2\xadX", "IX" },
		{ "a feminine ordinal is an a", "\xc2\xaa", "a" },
		{ "a Roman nine is two letters", "\xe2\x85\xa8", "IX" },
		{ "a combining diaeresis", "pa\xcc\x88ss", "p\xc3\xa4ss" },
		{ "a wide blank", "a\xe3\x80\x80z", "a z" },
		{ "a control character in other text", "\xc3\xa4\a", "\xc3\xa4\a" },
		{ "right to left with a digit at its end", "\xd8\xa7\x31", "\xd8\xa7\x31" },
		{ "unassigned in Unicode 3.2", "\xc2\xaa\xc8\xa1", "\xc2\xaa\xc8\xa1" },
		{ "nothing left", "\xc2\xad", "\xc2\xad" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *got = saslprep(cases[i].in);
		check_str(cases[i].what, got, cases[i].want);
		free(got);
	}
	for (size_t i = 0; saslprep_is_complete() && i < COUNT(complete); i++) {
		char *got = saslprep(complete[i].in);
		check_str(complete[i].what, got, complete[i].want);
		free(got);
	}
	struct secret s;
	if (!saslprep_is_complete() || !check("parses", secret_parse(&s, "\xe2\x85\xa8")))
		return;
	/* SaltedPassword of "IX" and RFC 7677's salt, by Python's hashlib. */
	static const uint8_t key[] = { 0x57, 0x68, 0x8f, 0x24, 0x81, 0x89, 0xe8, 0x5f, 0xc3, 0x57, 0xe2,
				       0x61, 0xd2, 0xae, 0x92, 0xee, 0xfa, 0x6e, 0xd4, 0xd3, 0x41, 0x20,
				       0x34, 0x33, 0xe4, 0xd0, 0xba, 0x8d, 0x3c, 0x45, 0x44, 0x60 };
	check("derives", secret_derive_engine(&s, rfc_salt, sizeof rfc_salt, 4096));
	check_mem("from the prepared one", s.engine.client_key, key, sizeof key);
	secret_clear(&s);

	if (check("parses", secret_parse(&s, "SCRAM-SHA-256$4096:" SALT "$jm4XkHvFe7q0xZ4vmAKJUiTKPr1F+7MXnYyksTUVeBE=:"
					     "EqXM4c5+I7lQ5vHl5Ngu2rY8DBMM1XjG0dY6GEjwLx0="))) {
		check("one spelling", secret_check_plain(&s, SECRET_PLAIN, "user", "\xe2\x85\xa8"));
		check("another, when the first is remembered",
		      secret_check_plain(&s, SECRET_PLAIN, "user", "I\xc2\xadX"));
	}
	secret_clear(&s);
}

static bool no_random(void *out, size_t n)
{
	memset(out, 0xa5, n);
	return false;
}

static void test_no_memory(void)
{
	static const char *const texts[] = { "pencil", "md53671d1c06464e8ec9d68bf36dd1d5f7e", VERIFIER, "" };
	for (size_t i = 0; i < COUNT(texts); i++) {
		for (unsigned n = 0; nomem_next(&n);) {
			struct secret s;
			bool ok = secret_parse(&s, texts[i]);
			check("a failed allocation fails the parse", ok == !nomem_hit());
			if (!ok)
				check_eq("and leaves nothing", s.kind, SECRET_NONE);
			secret_clear(&s);
		}
	}
	struct secret s;
	if (check("parse", secret_parse(&s, "pencil"))) {
		for (unsigned n = 0; nomem_next(&n);) {
			bool ok = secret_derive_engine(&s, rfc_salt, sizeof rfc_salt, 2);
			check("nor are keys half made", ok == !nomem_hit() && (s.engine.iterations != 0) == ok);
		}
	}
	secret_clear(&s);
	if (check("parse", secret_parse(&s, VERIFIER))) {
		for (unsigned n = 0; nomem_next(&n);)
			check("nor passwords let in",
			      secret_check_plain(&s, SECRET_PLAIN, "user", "pencil") == !nomem_hit());
	}
	secret_clear(&s);
}

static void test_no_random(void)
{
	uint8_t out[4] = { 1, 1, 1, 1 };
	crypto_set_random(no_random);
	bool got = crypto_random(out, sizeof out);
	crypto_set_random(NULL);
	check("no randomness", !got);
	check_mem("and nothing that looks like it", out, "\0\0\0\0", 4);
	check("the library's is back", crypto_random(out, sizeof out));
}

/* A user with two passwords is let in with either, whatever form they are stored in. */
static void test_both(void)
{
	static const char *const texts[] = { "pencil", MD5_OF_PENCIL, VERIFIER, "crayon",
					     "md5a5cd8cb9bca4dcbe4b90df1b8f2a0e9b" /* of something else */ };
	static const uint8_t salt[4] = { 1, 2, 3, 4 };
	char response[36];
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < 2 * COUNT(texts); k++) {
			struct secret s, copy, only;
			const char *one = texts[i], *two = texts[k % COUNT(texts)];
			bool swap = k >= COUNT(texts);
			if (!check("parses", secret_parse_both(&s, swap ? two : one, swap ? one : two) &&
						     secret_parse(&only, "pencil")))
				return;
			check("two, or the same twice", (s.other != NULL) == (strcmp(one, two) != 0));
			check("no single one is it", secret_same(&s, swap ? two : one) == !s.other);
			check("in clear text", secret_check_plain(&s, SECRET_PLAIN, "anna", "pencil"));
			check("or the other",
			      secret_check_plain(&s, SECRET_PLAIN, "anna", "crayon") == (two == texts[3]));
			check("nothing else", !secret_check_plain(&s, SECRET_PLAIN, "anna", "pencils") &&
						      !secret_check_plain(&s, SECRET_PLAIN, "anna", ""));
			check("response", secret_md5_response(&only, "anna", salt, response));
			check("md5", secret_check_md5(&s, "anna", salt, response) == (i < 2 || k % COUNT(texts) < 2));
			if (check("copy", secret_copy(&copy, &s)))
				check("of both", secret_check_plain(&copy, SECRET_PLAIN, "anna", "pencil") &&
							 !copy.other == !s.other);
			secret_clear(&copy);
			secret_clear(&only);
			secret_clear(&s);
		}
	check("and none is left", !secret_is_any_double());
}

/* Reload: what goes on being valid keeps its keys, in whichever place it stands. */
static void test_renew(void)
{
	struct secret s;
	if (!check("parses", secret_parse(&s, VERIFIER)))
		return;
	check("right", secret_check_plain(&s, SECRET_PLAIN, "user", "pencil"));
	uint64_t before = crypto_pbkdf2_runs();
	check("a second one", secret_renew(&s, "crayon", VERIFIER));
	check("both are there", s.other && s.kind == SECRET_PLAIN && s.other->kind == SECRET_SCRAM);
	check("with its keys", s.other->door.has_client_key && s.other->engine.has_client_key && s.other->has_check);
	check("servers get the first", secret_for_servers(&s) == &s);
	secret_turn(&s, &s);
	check("servers get the other", secret_for_servers(&s) == s.other);
	check("the same again", secret_renew(&s, "crayon", VERIFIER) && secret_for_servers(&s) == s.other);
	secret_turn(&s, s.other);
	check("and back", secret_for_servers(&s) == &s);
	check("in other places", secret_renew(&s, VERIFIER, "crayon"));
	check("with its keys", s.door.has_client_key && s.has_check);
	check("the other is gone", secret_renew(&s, VERIFIER, ""));
	check("with its keys", s.door.has_client_key && !s.other && !secret_is_any_double());
	check("right", secret_check_plain(&s, SECRET_PLAIN, "user", "pencil"));
	check_eq("and no PBKDF2", crypto_pbkdf2_runs() - before, 0);
	check("another", secret_renew(&s, VERIFIER_OTHER, ""));
	check("without keys", !s.door.has_client_key && !s.has_check);
	check("what cannot be", !secret_renew(&s, "SCRAM-SHA-256$x", "") && s.kind == SECRET_NONE);
	secret_clear(&s);
}

/* A login's own copy: what it derived comes back to the same text, wherever that is by then, and to no other. */
static void test_note(void)
{
	static const uint8_t salt[] = "0123456789";
	struct secret s, copy;
	if (!check("parses", secret_parse_both(&s, "crayon", "pencil")))
		return;
	secret_turn(&s, &s);
	if (!check("copies", secret_copy_for_servers(&copy, &s)))
		return;
	check_str("the one that serves", copy.text, "pencil");
	check("renewed", secret_renew(&s, "pencil", "") && !s.other);
	check("derives", secret_derive_engine(&copy, salt, sizeof salt, 4096));
	uint64_t before = crypto_pbkdf2_runs();
	secret_note(&s, &copy);
	check("noted", secret_derive_engine(&s, salt, sizeof salt, 4096));
	check("renewed", secret_renew(&s, "paper", "pencil") && secret_renew(&s, "paper", ""));
	secret_note(&s, &copy);
	check_eq("no PBKDF2", crypto_pbkdf2_runs() - before, 0);
	check("not another's", !s.engine.iterations);
	secret_clear(&copy);
	secret_clear(&s);
}

/* What does not fit costs the same, whoever it is. */
static void test_work(void)
{
	static const struct {
		const char *what, *text, *other;
		bool as_scram;
	} cases[] = {
		{ "nobody", NULL, NULL, false },          { "plain", "pencil", "", false },
		{ "md5", MD5_OF_PENCIL, "", false },      { "no password", "", "", false },
		{ "nobody, as SCRAM", NULL, NULL, true }, { "a verifier", VERIFIER, "", true },
	};
	static const uint8_t salt[4] = { 1, 2, 3, 4 };
	for (int doubles = 0; doubles < 2; doubles++) {
		uint64_t plain[2] = { 0, 0 }, md5 = 0;
		struct secret two;
		check("parses", secret_parse_both(&two, "a", doubles ? "b" : ""));
		for (size_t i = 0; i < COUNT(cases); i++) {
			struct secret s = { .kind = SECRET_NONE }, *is = cases[i].text ? &s : NULL;
			bool scram = cases[i].as_scram;
			if (is && !check("parses", secret_parse(&s, cases[i].text)))
				continue;
			if (scram && is)
				check("it was right before", secret_check_plain(is, SECRET_SCRAM, "anna", "pencil"));
			uint64_t runs = crypto_runs() + 10000 * crypto_pbkdf2_runs();
			check("wrong", !secret_check_plain(is, scram ? SECRET_SCRAM : SECRET_PLAIN, "anna", "wrong"));
			runs = crypto_runs() + 10000 * crypto_pbkdf2_runs() - runs;
			check("some", runs > 0);
			if (!plain[scram])
				plain[scram] = runs;
			check_eq(cases[i].what, runs, plain[scram]);
			if (!scram || !is) { /* verifiers are never asked for md5 */
				runs = crypto_runs();
				check("wrong", !secret_check_md5(is, "anna", salt, "md5x"));
				runs = crypto_runs() - runs;
				if (!md5)
					md5 = runs;
				check_eq(cases[i].what, runs, md5);
			}
			secret_clear(&s);
		}
		if (doubles) {
			uint64_t runs = crypto_runs();
			check("wrong", !secret_check_plain(&two, SECRET_PLAIN, "anna", "wrong"));
			check_eq("two", crypto_runs() - runs, plain[0]);
		}
		secret_clear(&two);
	}
	uint64_t before = crypto_pbkdf2_runs();
	check("nobody", !secret_check_plain_as(NULL, SECRET_SCRAM, 12, "anna", "wrong"));
	check_eq("as most verifiers", secret_nobody(SECRET_SCRAM)->door.iterations, 12);
	check("nobody", !secret_check_plain_as(NULL, SECRET_SCRAM, 0, "anna", "wrong"));
	check_eq("or as is made here", secret_nobody(SECRET_SCRAM)->door.iterations, secret_iterations());
	secret_spend();
	check_eq("spent", crypto_pbkdf2_runs() - before, 3);
}

void suite_secret(void)
{
	static const struct unit_test tests[] = {
		{ "digests", test_digests },
		{ "a child's randomness", test_random_of_a_child },
		{ "base64", test_b64 },
		{ "parse", test_parse },
		{ "parse a verifier", test_parse_verifier },
		{ "derive", test_derive },
		{ "a user's salt", test_user_salt },
		{ "md5", test_md5 },
		{ "check clear text", test_check_plain },
		{ "check clear text against SCRAM", test_check_plain_scram },
		{ "two at once", test_both },
		{ "renewed", test_renew },
		{ "note", test_note },
		{ "work", test_work },
		{ "SASLprep", test_saslprep },
		{ "out of memory", test_no_memory },
		{ "no randomness", test_no_random },
		{ NULL, NULL },
	};
	unit_add("secret", tests);
}
