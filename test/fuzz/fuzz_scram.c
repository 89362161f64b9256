/* fuzz_scram.c - SCRAM-SHA-256 in both roles: RFC 5802, RFC 7677.
 * The input is lines: a letter, and the messages of the other side. s: we are a server with a plain password, v: with a
 * verifier, m: with no user of that name. c: we are a client with a password, r: with a verifier that a client has
 * proved itself against. In a message \1 stands for the nonce so far, \2 for the right proof, or the right signature,
 * of what stands there: else nothing but what was not changed would ever fit. */
#include "fuzz.h"

#include "auth/b64.h"
#include "auth/crypto.h"
#include "auth/scram.h"
#include "auth/secret_int.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

#define USER     "anna"
#define PASSWORD "pencil"
#define KEY_TEXT (B64_SIZE(SCRAM_KEY_LEN) - 1)

static char verifier[300];
static struct scram_keys verifier_keys;

static void text_of(const uint8_t key[SCRAM_KEY_LEN], char out[KEY_TEXT + 1])
{
	b64_encode(key, SCRAM_KEY_LEN, out);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t salt[] = "0123456789abcde";
	struct secret plain;
	char salt_text[B64_SIZE(sizeof salt)], stored[KEY_TEXT + 1], server[KEY_TEXT + 1];
	(void)argc;
	(void)argv;
	crypto_set_random(fuzz_random);
	fuzz_check("ready", secret_init() && secret_parse(&plain, PASSWORD) &&
				    secret_derive_engine(&plain, salt, sizeof salt, FUZZ_ITER_MAX));
	verifier_keys = plain.engine;
	secret_clear(&plain);
	b64_encode(salt, sizeof salt, salt_text);
	text_of(verifier_keys.stored_key, stored);
	text_of(verifier_keys.server_key, server);
	str_fmt(verifier, sizeof verifier, "SCRAM-SHA-256$%u:%s$%s:%s", FUZZ_ITER_MAX, salt_text, stored, server);
	return 0;
}

/* "first bare,server first,without proof", signed. */
static void sign(const uint8_t key[SCRAM_KEY_LEN], const char *bare, const char *first, const char *without,
		 size_t without_len, uint8_t out[SCRAM_KEY_LEN])
{
	struct sb m = { .max = 0 };
	sb_addf(&m, "%s,%s,", bare, first);
	sb_add_n(&m, without, without_len);
	fuzz_check("memory", !m.bad);
	fuzz_check("signed", crypto_hmac_sha256(key, SCRAM_KEY_LEN, m.s, m.len, out));
	sb_free(&m);
}

/* What a message says of itself: for \2. */
struct signer {
	const struct scram_keys *keys;
	const char *bare, *first;
};

static void proof(const struct signer *s, const char *without, size_t len, char out[KEY_TEXT + 1])
{
	uint8_t sig[SCRAM_KEY_LEN], key[SCRAM_KEY_LEN];
	sign(s->keys->stored_key, s->bare, s->first, without, len, sig);
	for (size_t i = 0; i < SCRAM_KEY_LEN; i++)
		key[i] = sig[i] ^ s->keys->client_key[i];
	text_of(key, out);
}

static size_t before_proof(const char *m, size_t len)
{
	return len >= 3 && memcmp(m + len - 3, ",p=", 3) == 0 ? len - 3 : len;
}

/* Is the next line `begin`, at most `most` letters and `end`? That much has to work. */
static bool is_plain(const uint8_t *p, size_t left, const char *begin, size_t most, const char *end)
{
	const uint8_t *lf = p ? memchr(p, '\n', left) : NULL;
	size_t len = lf ? (size_t)(lf - p) : left;
	char line[300];
	if (!p || !str_copy_n(line, sizeof line, p, len) || strlen(line) != len ||
	    strncmp(line, begin, strlen(begin)) != 0)
		return false;
	size_t letters = strspn(line + strlen(begin), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
	return (letters > 0) == (most > 0) && letters <= most && strcmp(line + strlen(begin) + letters, end) == 0;
}

/* The next message, with \1 and \2 filled in: a copy of exactly its bytes. */
static char *message(const uint8_t **p, size_t *left, const char *nonce, const struct signer *s, const char *signature,
		     size_t *len)
{
	size_t n;
	const uint8_t *line = fuzz_part(p, left, '\n', &n);
	struct sb b = { .max = 0 };
	for (size_t i = 0; i < n; i++) {
		char text[KEY_TEXT + 1];
		if (line[i] == 1) {
			sb_add(&b, nonce);
		} else if ((line[i] == 2 || line[i] == 3) && (s || signature)) {
			if (signature)
				str_fmt(text, sizeof text, "%s", signature);
			else
				proof(s, b.s ? b.s : "", before_proof(b.s ? b.s : "", b.len), text);
			if (line[i] == 3) /* the low two bits of the last digit are none of a key's */
				text[KEY_TEXT - 2] = text[KEY_TEXT - 2] == 'A' ? 'E' : 'A';
			sb_add(&b, text);
		} else {
			sb_add_n(&b, line + i, 1);
		}
	}
	fuzz_check("memory", !b.bad);
	*len = b.len;
	char *exact = fuzz_exact(b.s, b.len);
	sb_free(&b);
	return exact;
}

static void check_fault(bool ok, const struct fault *f, const char *out)
{
	if (ok) {
		fuzz_check("no fault", f->kind == FAULT_NONE);
		fuzz_check("an answer", *out && strlen(out) <= SCRAM_MSG_MAX && !strchr(out, '\n'));
	} else {
		fuzz_check("whose fault", f->kind == FAULT_PROTO || f->kind == FAULT_AUTH);
		fuzz_check("in words", *f->text);
		fuzz_check("no answer", !*out);
	}
}

static void serve(char who, const uint8_t *p, size_t left)
{
	struct secret secret = { .kind = SECRET_NONE };
	struct scram_server s;
	struct fault f = { .kind = FAULT_NONE };
	char out[SCRAM_MSG_MAX + 1] = "", last[SCRAM_MSG_MAX + 1] = "";
	size_t len;

	fuzz_check("parsed", who == 'm' || secret_parse(&secret, who == 'v' ? verifier : PASSWORD));
	fuzz_check("begun", scram_server_init(&s, who == 'm' ? NULL : &secret, USER));
	if (who == 'v') /* which the harness knows, and the server does not */
		fuzz_check("not known", !secret.door.has_client_key);
	if (who == 'm') { /* even one who knew the keys that stand in for nobody's */
		for (size_t i = 0; i < sizeof s.keys / sizeof *s.keys; i++) {
			memcpy(s.keys[i].stored_key, verifier_keys.stored_key, SCRAM_KEY_LEN);
			memcpy(s.keys[i].server_key, verifier_keys.server_key, SCRAM_KEY_LEN);
		}
	}
	struct scram_keys keys = who == 's' ? secret.door : verifier_keys;
	bool is_good = is_plain(p, left, "n,,n=,r=", 200, "");
	char *first = message(&p, &left, "", NULL, NULL, &len);
	bool ok = scram_server_first(&s, first, len, out, &f);
	check_fault(ok, &f, out);
	fuzz_check("what is good is good", ok || !is_good);
	fuzz_free(first);
	if (ok) {
		const struct signer signer = { &keys, s.first_bare, s.server_first };
		fuzz_check("our message", !strcmp(out, s.server_first) && !strncmp(out, "r=", 2));
		fuzz_check("goes on from the client's nonce", !strncmp(out + 2, s.nonce, strlen(s.nonce)));
		fuzz_check("with one of ours", strlen(s.nonce) > 24 && strlen(s.nonce) <= SCRAM_NONCE_MAX);
		is_good = is_good && who != 'm' && is_plain(p, left, "c=biws,r=\1,p=\2", 0, "");
		char *final = message(&p, &left, s.nonce, &signer, NULL, &len);
		bool was_known = secret.door.has_client_key;
		ok = scram_server_final(&s, final, len, last, &f);
		check_fault(ok, &f, last);
		fuzz_check("what is good is good", ok || !is_good);
		fuzz_check("nobody is let in who is not there", !ok || who != 'm');
		fuzz_check("nothing is learnt of whom is not let in", ok || was_known == secret.door.has_client_key);
		if (ok) {
			char want[KEY_TEXT + 1];
			uint8_t sig[SCRAM_KEY_LEN];
			fuzz_check("there is room for a proof", len > KEY_TEXT + 3);
			size_t without = len - KEY_TEXT - 3;
			char begin[SCRAM_MSG_MAX + 1];
			str_fmt(begin, sizeof begin, "c=%s,r=%s,", s.gs2[0] == 'n' ? "biws" : "eSws", s.nonce);
			fuzz_check("nor with another nonce or header",
				   len > strlen(begin) && memcmp(final, begin, strlen(begin)) == 0);
			proof(&signer, final, without, want);
			fuzz_check("nobody is let in without the proof",
				   memcmp(final + without, ",p=", 3) == 0 &&
					   memcmp(final + len - KEY_TEXT, want, KEY_TEXT) == 0);
			sign(keys.server_key, s.first_bare, s.server_first, final, without, sig);
			text_of(sig, want);
			fuzz_check("and we have proved ourselves", !strncmp(last, "v=", 2) && !strcmp(last + 2, want));
			fuzz_check("the client's key is the right one",
				   secret.door.has_client_key &&
					   !memcmp(secret.door.client_key, keys.client_key, SCRAM_KEY_LEN));
		}
		fuzz_free(final);
	}
	secret_clear(&secret);
}

static void ask(char who, const uint8_t *p, size_t left)
{
	struct secret secret;
	struct scram_client c;
	struct fault f = { .kind = FAULT_NONE };
	char first[SCRAM_MSG_MAX + 1] = "", out[SCRAM_MSG_MAX + 1] = "", want[KEY_TEXT + 1];
	uint8_t sig[SCRAM_KEY_LEN];
	size_t len;

	fuzz_check("parsed", secret_parse(&secret, who == 'r' ? verifier : PASSWORD));
	if (who == 'r')
		secret_recovered(&secret, verifier_keys.client_key);
	fuzz_check("begun", scram_client_first(&c, &secret, NULL, false, first, &f));
	bool is_good = who == 'c' && is_plain(p, left, "r=\1", 100, ",s=AAAA,i=1");
	char *server_first = message(&p, &left, c.nonce, NULL, NULL, &len);
	bool ok = scram_client_final(&c, server_first, len, out, &f);
	check_fault(ok, &f, out);
	fuzz_check("what is good is good", ok || !is_good);
	if (ok) {
		char *text = fuzz_text(server_first, len); /* no NUL in it: it was taken */
		size_t out_len = strlen(out), without = out_len - KEY_TEXT - 3;
		const struct signer signer = { &secret.engine, c.first_bare, text };
		fuzz_check("our message", out_len > KEY_TEXT + 3 && !strncmp(out, "c=biws,r=", 9) &&
						  !strncmp(out + 9, c.nonce, strlen(c.nonce)));
		fuzz_check("the salt and the count are theirs",
			   secret.engine.salt_len > 0 && secret.engine.iterations > 0);
		proof(&signer, out, without, want);
		fuzz_check("our proof", !strncmp(out + without, ",p=", 3) && !strcmp(out + out_len - KEY_TEXT, want));
		sign(secret.engine.server_key, c.first_bare, text, out, without, sig);
		text_of(sig, want);
		is_good = is_plain(p, left, "v=\2", 0, "");
		char *final = message(&p, &left, c.nonce, NULL, want, &len);
		ok = scram_client_verify(&c, final, len, &f);
		check_fault(ok, &f, ok ? out : "");
		fuzz_check("what is good is good", ok || !is_good);
		fuzz_check("no server is believed without its signature",
			   !ok || (len >= 2 + KEY_TEXT && !memcmp(final, "v=", 2) &&
				   !memcmp(final + 2, want, KEY_TEXT) &&
				   (len == 2 + KEY_TEXT || final[2 + KEY_TEXT] == ',')));
		fuzz_free(final);
		fuzz_free(text);
	}
	fuzz_free(server_first);
	secret_clear(&secret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len;
	const uint8_t *who = fuzz_part(&data, &size, '\n', &len);
	if (len != 1)
		return 0;
	fuzz_random_restart();
	if (strchr("svm", *who) && *who)
		serve((char)*who, data, size);
	else if (strchr("cr", *who) && *who)
		ask((char)*who, data, size);
	return 0;
}
