/* fuzz_secret.c - stored secrets, base64, and passwords that are tried on them.
 * The input is up to three texts with a NUL between them: the secret as it is stored, a password, the user's name. */
#include "fuzz.h"

#include "auth/b64.h"
#include "auth/crypto.h"
#include "auth/saslprep.h"
#include "auth/secret_int.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

#define SALT "fuzz"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	crypto_set_random(fuzz_random);
	return !secret_init();
}

static void check_base64(const char *text)
{
	size_t n = strlen(text), len = 0, got;
	size_t cap = n / 4 * 3 + 1;
	uint8_t *bytes = fuzz_exact(NULL, cap);
	if (b64_decode(text, n, bytes, cap, &len)) {
		char *again = fuzz_exact(NULL, B64_SIZE(len));
		fuzz_check("bounds", len < cap && B64_SIZE(len) == n + 1);
		fuzz_check("a value has one text", b64_encode(bytes, len, again) == n && !strcmp(again, text));
		fuzz_check("one byte too little room is seen", len == 0 || !b64_decode(text, n, bytes, len - 1, &got));
		fuzz_free(again);
	}
	fuzz_free(bytes);

	char *encoded = fuzz_exact(NULL, B64_SIZE(n));
	size_t chars = b64_encode(text, n, encoded);
	bytes = fuzz_exact(NULL, n);
	fuzz_check("as long as it is said to be", chars + 1 == B64_SIZE(n) && strlen(encoded) == chars);
	fuzz_check("and back", b64_decode(encoded, chars, bytes, n, &got) && got == n && !memcmp(bytes, text, n));
	fuzz_free(encoded);
	fuzz_free(bytes);
}

static void check_saslprep(const char *password)
{
	char *prepared = saslprep(password);
	fuzz_check("memory", prepared);
	fuzz_check("nothing is made of nothing alone", !*prepared == !*password);
	bool ascii = true;
	for (const char *p = password; *p; p++)
		ascii = ascii && !((unsigned char)*p & 0x80);
	fuzz_check("ASCII stays", !ascii || !strcmp(prepared, password));
	fuzz_check("UTF-8 stays UTF-8",
		   fuzz_is_utf8(prepared, strlen(prepared)) || !fuzz_is_utf8(password, strlen(password)));
	free(prepared);
}

/* A verifier of this password fits it, by whatever way it is asked. */
static void check_verifier(const char *password, const char *user)
{
	struct secret plain, s;
	char salt[B64_SIZE(sizeof SALT)], stored[B64_SIZE(SCRAM_KEY_LEN)], server[B64_SIZE(SCRAM_KEY_LEN)], text[300];
	if (!secret_parse(&plain, password) || plain.kind != SECRET_PLAIN) {
		secret_clear(&plain);
		return;
	}
	fuzz_check("derived", secret_derive_engine(&plain, (const uint8_t *)SALT, sizeof SALT, FUZZ_ITER_MAX));
	b64_encode(SALT, sizeof SALT, salt);
	b64_encode(plain.engine.stored_key, SCRAM_KEY_LEN, stored);
	b64_encode(plain.engine.server_key, SCRAM_KEY_LEN, server);
	str_fmt(text, sizeof text, "SCRAM-SHA-256$%u:%s$%s:%s", FUZZ_ITER_MAX, salt, stored, server);
	fuzz_check("a verifier", secret_parse(&s, text) && s.kind == SECRET_SCRAM && secret_same(&s, text));
	uint64_t runs = crypto_pbkdf2_runs();
	fuzz_check("it fits", secret_check_plain(&s, SECRET_PLAIN, user, password));
	fuzz_check("again", secret_check_plain(&s, SECRET_PLAIN, user, password) && crypto_pbkdf2_runs() == runs + 1);
	fuzz_check("the key is known now",
		   s.door.has_client_key && !memcmp(s.door.client_key, plain.engine.client_key, SCRAM_KEY_LEN));
	fuzz_check("and may be used", secret_derive_engine(&s, (const uint8_t *)SALT, sizeof SALT, FUZZ_ITER_MAX));
	secret_clear(&s);
	secret_clear(&plain);
}

static void check_secret(const char *text, const char *password, const char *user)
{
	static const uint8_t salt[4] = { 1, 2, 3, 4 };
	struct secret s;
	char response[36] = "";
	if (!secret_parse(&s, text)) {
		fuzz_check("it began as a verifier", s.kind == SECRET_NONE && strchr("S$0eP", *text));
		return;
	}
	fuzz_check("it is the same as itself", secret_same(&s, text));
	fuzz_check("and as nothing else", (s.kind != SECRET_PLAIN && s.kind != SECRET_MD5) ||
						  !secret_same(&s, password) || !strcmp(text, password));
	bool fits = secret_check_plain(&s, SECRET_PLAIN, user, password);
	fuzz_check("a second time as the first", secret_check_plain(&s, SECRET_PLAIN, user, password) == fits);
	fuzz_check("nothing fits nothing", !fits || *password);
	fuzz_check("nobody has no password", !secret_check_plain(NULL, SECRET_PLAIN, user, password));
	bool has_md5 = secret_md5_response(&s, user, salt, response);
	if (has_md5)
		fuzz_check("our own response fits", secret_check_md5(&s, user, salt, response));
	fuzz_check("another does not", !secret_check_md5(&s, user, salt, password) || !strcmp(response, password));
	switch (s.kind) {
	case SECRET_NONE:
		fuzz_check("nothing", !*text && !fits && !has_md5);
		break;
	case SECRET_PLAIN:
		fuzz_check("the password and no other", fits == !strcmp(text, password) && has_md5);
		fuzz_check("has door keys", secret_derive_door(&s, user) && s.door.iterations);
		break;
	case SECRET_MD5:
		fuzz_check("as it is written", strlen(text) == 35 && has_md5);
		break;
	case SECRET_SCRAM:
		fuzz_check("bounds", s.door.salt_len > 0 && s.door.salt_len <= SCRAM_SALT_MAX && s.door.iterations > 0);
		fuzz_check("is no md5 secret", !has_md5);
		break;
	case SECRET_NATIVE:
	case SECRET_SHA2:
	case SECRET_ED25519:
	case SECRET_PARSEC:
		fuzz_check("is no md5 secret", !has_md5);
		fuzz_check("is what it says", *text && strchr("*$0eP", *text));
		break;
	case SECRET_NKINDS:
		break;
	}
	secret_clear(&s);
	fuzz_check("wiped", s.kind == SECRET_NONE && !s.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *part;
	size_t len;
	char *text[3];
	for (size_t i = 0; i < 3; i++) {
		part = fuzz_part(&data, &size, 0, &len);
		text[i] = fuzz_text(part, len);
	}
	check_base64(text[0]);
	check_saslprep(text[1]);
	check_secret(text[0], text[1], text[2]);
	check_secret(text[1], text[1], text[2]);
	check_verifier(text[1], text[2]);
	for (size_t i = 0; i < 3; i++)
		fuzz_free(text[i]);
	return 0;
}
