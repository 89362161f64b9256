/* fuzz_pg_login.c - PostgreSQL's authentication handshake on both sides.
 * The input begins with letters. The first: d, a client logs in to us; e, we log in to a server; b, both, with each
 * other. The second is the stored secret's form: n none, p plain, m md5, s a SCRAM verifier, r one that a client has
 * proved itself against. The third is auth_type: t trust, p plain, m md5, o outside,
 * s scram-sha-256. Behind them stand the
 * messages of the other side; for b the user's name, the password stored and the password known, with a NUL between. */
#include "fuzz.h"

#include "auth/b64.h"
#include "auth/crypto.h"
#include "auth/saslprep.h"
#include "auth/secret_int.h"
#include "core/str.h"
#include "pg/login.h"
#include "pg/wire.h"

#include <stdlib.h>
#include <string.h>

#define USER     "anna"
#define PASSWORD "pencil.7Qx"
#define BODY_MAX 65536u
#define ROUNDS   8

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	crypto_set_random(fuzz_random);
	return !secret_init();
}

/* The password in one of the forms in which it may be stored. False: it cannot be. */
static bool store(struct secret *s, char form, const char *user, const char *password)
{
	static const uint8_t salt[] = "0123456789abcde";
	char hex[CRYPTO_MD5_HEX], text[300], key[3][B64_SIZE(SCRAM_KEY_LEN)];
	struct secret plain;
	*s = (struct secret){ .kind = SECRET_NONE };
	if (!secret_parse(&plain, password) || plain.kind != SECRET_PLAIN) {
		secret_clear(&plain);
		return false;
	}
	if (form == 'p') {
		*s = plain;
		return true;
	}
	fuzz_check("ready", crypto_md5_hex(password, strlen(password), user, strlen(user), hex) &&
				    secret_derive_engine(&plain, salt, sizeof salt, FUZZ_ITER_MAX));
	b64_encode(salt, sizeof salt, key[0]);
	b64_encode(plain.engine.stored_key, SCRAM_KEY_LEN, key[1]);
	b64_encode(plain.engine.server_key, SCRAM_KEY_LEN, key[2]);
	if (form == 'm')
		str_fmt(text, sizeof text, "md5%s", hex);
	else
		str_fmt(text, sizeof text, "SCRAM-SHA-256$%u:%s$%s:%s", FUZZ_ITER_MAX, key[0], key[1], key[2]);
	fuzz_check("a secret", secret_parse(s, text));
	if (form == 'r')
		secret_recovered(s, plain.engine.client_key);
	secret_clear(&plain);
	return true;
}

static enum pg_auth method_of(char c)
{
	return c == 't'   ? PG_AUTH_TRUST
	       : c == 'p' ? PG_AUTH_PLAIN
	       : c == 'm' ? PG_AUTH_MD5
	       : c == 'o' ? PG_AUTH_OUTSIDE
			  : PG_AUTH_SCRAM;
}

/* What holds for each answer of either machine: whole messages of its type, or a fault and nothing. */
static void check_step(enum pg_login_verdict verdict, const uint8_t *out, size_t n, uint8_t type, const struct fault *f)
{
	fuzz_check("there was room", n <= PG_LOGIN_OUT_MAX);
	if (verdict == PG_LOGIN_ASK) {
		fuzz_check("nothing is said", n == 0);
		return;
	}
	if (verdict == PG_LOGIN_FAIL) {
		fuzz_check("nothing is said", n == 0);
		fuzz_check("but to us", f->kind != FAULT_NONE && *f->text);
		fuzz_check("and it is not our own fault",
			   f->kind == FAULT_PROTO || f->kind == FAULT_AUTH || f->kind == FAULT_UNSUP);
		return;
	}
	fuzz_check("no fault", f->kind == FAULT_NONE);
	struct rd in = rd_of(out, n);
	struct pg_msg m;
	while (rd_left(&in) > 0)
		fuzz_check("whole messages", pg_frame(&in, PG_LOGIN_BODY_MAX, &m) == FRAME_OK && m.type == type);
}

struct sides {
	struct pg_door_login door;
	struct pg_engine_login engine;
	struct secret secret;
	uint8_t *out; /* PG_LOGIN_OUT_MAX bytes, owned */
	struct fault f;
};

/* Lets in only whom it should. */
static void check_let_in(const struct sides *s, char form, const uint8_t *body, size_t len)
{
	char response[36];
	fuzz_check("and not us", s->door.method != PG_AUTH_OUTSIDE);
	if (s->door.method == PG_AUTH_SCRAM)
		return; /* fuzz_scram.c */
	fuzz_check("nobody is let in who is not there", form != 'n');
	fuzz_check("the message is a text", len > 0 && body[len - 1] == 0 && strlen((const char *)body) + 1 == len);
	if (s->door.method == PG_AUTH_MD5) {
		fuzz_check("nobody without the response",
			   secret_md5_response(&s->secret, USER, s->door.salt, response) &&
				   !strcmp(response, (const char *)body));
		return;
	}
	char *prepared = saslprep((const char *)body);
	fuzz_check("nobody without the password",
		   prepared && (!strcmp((const char *)body, PASSWORD) ||
				((form == 's' || form == 'r') && !strcmp(prepared, PASSWORD))));
	free(prepared);
}

static void run_door(struct sides *s, char form, char method, struct rd in)
{
	size_t n = 0;
	struct pg_msg m;
	struct secret *secret = form == 'n' ? NULL : &s->secret;
	enum pg_login_verdict verdict = pg_door_login_begin(&s->door, pg_auth_pick(method_of(method), secret), USER,
							    secret, NULL, s->out, &n, &s->f);
	check_step(verdict, s->out, n, PG_AUTHENTICATION, &s->f);
	fuzz_check("it asks, or trusts", n > 0 && (verdict == PG_LOGIN_OK) == (method == 't'));
	for (int i = 0; i < ROUNDS && pg_frame(&in, BODY_MAX, &m) == FRAME_OK; i++) {
		size_t len = rd_left(&m.body);
		uint8_t *body = fuzz_exact(m.body.p, len);
		bool is_over = verdict != PG_LOGIN_MORE;
		s->f = (struct fault){ .kind = FAULT_NONE };
		n = 0;
		verdict = pg_door_login_step(&s->door, rd_of(body, len), s->out, &n, &s->f);
		check_step(verdict, s->out, n, PG_AUTHENTICATION, &s->f);
		fuzz_check("what is over stays so", !is_over || (verdict == PG_LOGIN_FAIL && s->f.kind == FAULT_PROTO));
		fuzz_check("there is an answer", verdict == PG_LOGIN_FAIL || verdict == PG_LOGIN_ASK || n > 0);
		fuzz_check("a password to ask about, and all of it",
			   verdict != PG_LOGIN_ASK || (len > 1 && s->door.password == (const char *)body &&
						       strlen(s->door.password) == len - 1));
		fuzz_check("nobody learns what was wrong",
			   s->f.kind != FAULT_AUTH ||
				   !strcmp(s->f.text, "password authentication failed for user \"" USER "\""));
		if (verdict == PG_LOGIN_OK)
			check_let_in(s, form, body, len);
		fuzz_free(body);
	}
}

static bool holds(const void *p, size_t n, const char *word)
{
	return n > 0 && memmem(p, n, word, strlen(word));
}

static void run_engine(struct sides *s, char form, struct rd in)
{
	struct pg_msg m;
	enum pg_login_verdict verdict = PG_LOGIN_MORE;
	/* The server knows it, and may say it itself. */
	bool is_known = holds(in.p, rd_left(&in), PASSWORD) || holds(in.p, rd_left(&in), "md5");
	uint32_t due = 0; /* AuthenticationSASLContinue, then SASLFinal, once SCRAM has begun */
	pg_engine_login_begin(&s->engine, USER, form == 'n' ? NULL : &s->secret, NULL);
	for (int i = 0; i < ROUNDS && pg_frame(&in, BODY_MAX, &m) == FRAME_OK; i++) {
		size_t n = 0, len = rd_left(&m.body);
		uint8_t *body = fuzz_exact(m.body.p, len);
		bool is_over = verdict != PG_LOGIN_MORE;
		bool asked = len == 4 && memcmp(body, "\0\0\0\3", 4) == 0; /* AuthenticationCleartextPassword */
		s->f = (struct fault){ .kind = FAULT_NONE };
		verdict = pg_engine_login_step(&s->engine, m.type, rd_of(body, len), s->out, &n, &s->f);
		check_step(verdict, s->out, n, PG_PASSWORD, &s->f);
		fuzz_check("what is over stays so", !is_over || (verdict == PG_LOGIN_FAIL && s->f.kind == FAULT_PROTO));
		struct rd at = m.body;
		uint32_t code = rd_u32be(&at);
		if (verdict != PG_LOGIN_FAIL) {
			fuzz_check("nothing but what is due goes on with SCRAM", !due || code == due);
			fuzz_check("nothing ends it early", verdict == PG_LOGIN_MORE || !due);
			due = code == 10 ? 11 : code == 11 ? 12 : 0;
		}
		fuzz_check("nothing is said to one who is content", verdict != PG_LOGIN_OK || n == 0);
		fuzz_check("nothing but R is an answer", verdict == PG_LOGIN_FAIL || m.type == PG_AUTHENTICATION);
		fuzz_check("a password is shown when it is asked for",
			   is_known || !holds(s->out, n, PASSWORD) || (asked && form == 'p'));
		fuzz_check("a hash is never",
			   form != 'm' || is_known || n == 0 || !memmem(s->out, n, s->secret.text, 35));
		fuzz_check("and never to the log", is_known || !strstr(s->f.text, PASSWORD));
		fuzz_free(body);
	}
}

static void run_both(struct sides *s, char form, char method, const uint8_t *p, size_t left)
{
	char *text[3], *prepared[2];
	size_t len, n = 0;
	struct secret known;
	for (size_t i = 0; i < 3; i++) {
		const uint8_t *part = fuzz_part(&p, &left, 0, &len);
		text[i] = fuzz_text(part, len);
	}
	const char *user = text[0], *stored = text[1], *said = text[2];
	prepared[0] = saslprep(stored);
	prepared[1] = saslprep(said);
	bool there = store(&s->secret, form, user, stored), can = store(&known, 'p', user, said);
	if (!there || !can || strlen(said) >= PG_LOGIN_BODY_MAX)
		goto end;
	enum pg_auth auth = pg_auth_pick(method_of(method), &s->secret);
	bool is_verifier = form == 's' || form == 'r';
	bool same = strcmp(stored, said) == 0;
	if (auth == PG_AUTH_SCRAM || (auth == PG_AUTH_PLAIN && is_verifier))
		same = strcmp(prepared[0], prepared[1]) == 0;
	if (auth == PG_AUTH_SCRAM && form == 'm')
		same = false;
	if (auth == PG_AUTH_TRUST)
		same = true;

	enum pg_login_verdict here = pg_door_login_begin(&s->door, auth, user, &s->secret, NULL, s->out, &n, &s->f);
	enum pg_login_verdict there_is = PG_LOGIN_MORE;
	pg_engine_login_begin(&s->engine, user, &known, NULL);
	for (int i = 0; i < ROUNDS && here != PG_LOGIN_FAIL && there_is == PG_LOGIN_MORE; i++) {
		uint8_t *sent = fuzz_exact(s->out, n);
		struct rd in = rd_of(sent, n);
		struct pg_msg m;
		check_step(here, s->out, n, PG_AUTHENTICATION, &s->f);
		uint8_t answer[PG_LOGIN_OUT_MAX];
		size_t answer_len = 0;
		while (pg_frame(&in, PG_LOGIN_BODY_MAX, &m) == FRAME_OK && there_is == PG_LOGIN_MORE) {
			fuzz_check("one answer for each turn", answer_len == 0);
			there_is = pg_engine_login_step(&s->engine, m.type, m.body, answer, &answer_len, &s->f);
			check_step(there_is, answer, answer_len, PG_PASSWORD, &s->f);
		}
		fuzz_free(sent);
		if (there_is != PG_LOGIN_MORE)
			break;
		fuzz_check("somebody goes on", answer_len > 0);
		in = rd_of(answer, answer_len);
		fuzz_check("one message", pg_frame(&in, PG_LOGIN_BODY_MAX, &m) == FRAME_OK && rd_done(&in));
		here = pg_door_login_step(&s->door, m.body, s->out, &n, &s->f);
		check_step(here, s->out, n, PG_AUTHENTICATION, &s->f);
	}
	fuzz_check("the same password, and no other", same == (here == PG_LOGIN_OK));
	fuzz_check("both know", (here == PG_LOGIN_OK) == (there_is == PG_LOGIN_OK));
end:
	secret_clear(&known);
	for (size_t i = 0; i < 3; i++)
		fuzz_free(text[i]);
	free(prepared[0]);
	free(prepared[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sides s = { .secret = { .kind = SECRET_NONE } };
	if (size < 3 || !data[0] || !strchr("deb", data[0]) || !data[1] || !strchr("npmsr", data[1]) || !data[2] ||
	    !strchr("tpms", data[2]))
		return 0;
	fuzz_random_restart();
	s.out = fuzz_exact(NULL, PG_LOGIN_OUT_MAX);
	char form = (char)data[1], method = (char)data[2];
	if (data[0] != 'b' && form != 'n')
		fuzz_check("stored", store(&s.secret, form, USER, PASSWORD));
	struct rd in = rd_of(data + 3, size - 3);
	if (data[0] == 'd')
		run_door(&s, form, method, in);
	else if (data[0] == 'e')
		run_engine(&s, form, in);
	else if (form != 'n')
		run_both(&s, form, method, data + 3, size - 3);
	secret_clear(&s.secret);
	fuzz_free(s.out);
	return 0;
}
