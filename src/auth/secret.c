/* secret.c - stored secrets: PostgreSQL's plain, md5 and SCRAM-SHA-256 forms, and the keys derived from them. Those of
 * other schemes are in files of their own. */
#include "auth/secret.h"

#include "auth/b64.h"
#include "auth/crypto.h"
#include "auth/ed25519.h"
#include "auth/native.h"
#include "auth/parsec.h"
#include "auth/saslprep.h"
#include "auth/secret_int.h"
#include "auth/sha2.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

#define SCRAM_PREFIX "SCRAM-SHA-256$"
#define MD5_PREFIX   "md5"
#define MD5_LEN      35u

/* This process's own: one for salts, one for the digests by which passwords are compared, and two that nobody has. */
static uint8_t salt_key[SCRAM_KEY_LEN], check_key[SCRAM_KEY_LEN], nobodys[2][SCRAM_KEY_LEN];
static bool has_keys;
/* How many secrets have another. While there are any, each proof is checked twice, so that the work does not tell
 * whose. */
static unsigned doubles;

bool secret_is_any_double(void)
{
	return doubles > 0;
}

bool secret_init(void)
{
	if (!has_keys)
		has_keys = crypto_random(salt_key, sizeof salt_key) && crypto_random(check_key, sizeof check_key) &&
			   crypto_random(nobodys, sizeof nobodys);
	return has_keys;
}

bool secret_user_salt(const char *user, uint8_t salt[SECRET_SALT_LEN])
{
	uint8_t mac[SCRAM_KEY_LEN];
	if (!secret_init() || !crypto_hmac_sha256(salt_key, sizeof salt_key, user, strlen(user), mac))
		return false;
	memcpy(salt, mac, SECRET_SALT_LEN);
	return true;
}

bool secret_mock(const char *user, struct scram_keys *k)
{
	*k = (struct scram_keys){ .iterations = secret_iterations(), .salt_len = SECRET_SALT_LEN };
	if (!secret_user_salt(user, k->salt))
		return false;
	memcpy(k->stored_key, nobodys[0], SCRAM_KEY_LEN);
	memcpy(k->server_key, nobodys[1], SCRAM_KEY_LEN);
	return true;
}

static void free_text(char *text)
{
	if (text)
		str_wipe(text, strlen(text));
	free(text);
}

static bool is_md5(const char *text)
{
	return strlen(text) == MD5_LEN && strncmp(text, MD5_PREFIX, strlen(MD5_PREFIX)) == 0 &&
	       strspn(text + strlen(MD5_PREFIX), "0123456789abcdef") == MD5_LEN - strlen(MD5_PREFIX);
}

static bool is_scram(const char *text)
{
	return strncmp(text, SCRAM_PREFIX, strlen(SCRAM_PREFIX)) == 0;
}

static bool decode_key(const char *s, size_t n, uint8_t key[SCRAM_KEY_LEN])
{
	size_t len;
	return b64_decode(s, n, key, SCRAM_KEY_LEN, &len) && len == SCRAM_KEY_LEN;
}

/* "<iter>:<salt>$<stored>:<server>" */
static bool parse_verifier(const char *text, struct scram_keys *keys)
{
	struct scram_keys k = { 0 };
	const char *salt = strchr(text, ':');
	const char *stored = salt ? strchr(salt, '$') : NULL;
	const char *server = stored ? strchr(stored, ':') : NULL;
	char number[12];
	uint64_t iterations;
	size_t salt_len;
	if (!server || !str_copy_n(number, sizeof number, text, (size_t)(salt - text)) ||
	    !str_to_u64(number, INT32_MAX, &iterations) || iterations == 0)
		return false;
	salt++, stored++, server++;
	if (!b64_decode(salt, (size_t)(stored - 1 - salt), k.salt, sizeof k.salt, &salt_len) || salt_len == 0 ||
	    !decode_key(stored, (size_t)(server - 1 - stored), k.stored_key) ||
	    !decode_key(server, strlen(server), k.server_key))
		return false;
	k.iterations = (uint32_t)iterations;
	k.salt_len = (uint8_t)salt_len;
	*keys = k;
	return true;
}

bool secret_parse(struct secret *s, const char *text)
{
	*s = (struct secret){ .kind = SECRET_NONE };
	if (is_scram(text)) {
		if (!parse_verifier(text + strlen(SCRAM_PREFIX), &s->door))
			return false;
		s->kind = SECRET_SCRAM;
		return true;
	}
	if (!text[0])
		return true;
	enum stored is = stored_parse(s, text);
	if (is == STORED_NOT) {
		s->text = str_dup(text);
		if (s->text)
			s->kind = is_md5(text) ? SECRET_MD5 : SECRET_PLAIN;
		return s->text;
	}
	return is == STORED_OK;
}

bool secret_of_password(struct secret *s, const char *password)
{
	*s = (struct secret){ .kind = SECRET_NONE };
	if (!*password)
		return true;
	s->text = str_dup(password);
	if (s->text)
		s->kind = SECRET_PLAIN;
	return s->text;
}

static void clear_other(struct secret *s)
{
	if (!s->other)
		return;
	doubles--;
	secret_clear(s->other);
	free(s->other);
	s->other = NULL;
}

bool secret_parse_both(struct secret *s, const char *text, const char *other)
{
	if (!secret_parse(s, text))
		return false;
	if (!other[0] || strcmp(text, other) == 0)
		return true;
	s->other = malloc(sizeof *s->other);
	if (!s->other || !secret_parse(s->other, other)) {
		free(s->other);
		s->other = NULL;
		secret_clear(s);
		return false;
	}
	doubles++;
	return true;
}

void secret_clear(struct secret *s)
{
	clear_other(s);
	free_text(s->text);
	free_text(s->shown);
	str_wipe(s, sizeof *s);
	*s = (struct secret){ .kind = SECRET_NONE };
}

static bool same_verifier(const struct scram_keys *a, const struct scram_keys *b)
{
	return a->iterations == b->iterations && a->salt_len == b->salt_len &&
	       memcmp(a->salt, b->salt, a->salt_len) == 0 && memcmp(a->stored_key, b->stored_key, SCRAM_KEY_LEN) == 0 &&
	       memcmp(a->server_key, b->server_key, SCRAM_KEY_LEN) == 0;
}

static bool is_text(const struct secret *s, const char *text)
{
	struct scram_keys k;
	switch (s->kind) {
	case SECRET_NONE:
		return text[0] == '\0';
	case SECRET_PLAIN:
	case SECRET_MD5:
		return strcmp(s->text, text) == 0;
	case SECRET_SCRAM:
		return is_scram(text) && parse_verifier(text + strlen(SCRAM_PREFIX), &k) && same_verifier(&k, &s->door);
	case SECRET_NATIVE:
	case SECRET_SHA2:
	case SECRET_ED25519:
	case SECRET_PARSEC:
		return stored_is(s, text);
	case SECRET_NKINDS:
		break;
	}
	return false;
}

bool secret_same(const struct secret *s, const char *text)
{
	return is_text(s, text) && !s->other;
}

static bool copy_one(struct secret *to, const struct secret *from)
{
	*to = *from;
	to->other = NULL;
	to->text = from->text ? str_dup(from->text) : NULL;
	to->shown = from->shown ? str_dup(from->shown) : NULL;
	if (!from->text == !to->text && !from->shown == !to->shown)
		return true;
	free_text(to->text);
	free_text(to->shown);
	str_wipe(to, sizeof *to);
	*to = (struct secret){ .kind = SECRET_NONE };
	return false;
}

bool secret_copy(struct secret *to, const struct secret *from)
{
	if (!copy_one(to, from))
		return false;
	if (!from->other)
		return true;
	to->other = malloc(sizeof *to->other);
	if (to->other && copy_one(to->other, from->other)) {
		doubles++;
		return true;
	}
	free(to->other);
	to->other = NULL;
	secret_clear(to);
	return false;
}

static bool same_one(const struct secret *a, const struct secret *b)
{
	return a->kind == b->kind &&
	       (a->text ? stored_is(a, b->text) || strcmp(a->text, b->text) == 0 : same_verifier(&a->door, &b->door));
}

/* Those by which we log in to servers. */
static void keep_own_keys(struct secret *now, const struct secret *was)
{
	if (was->native.has_key)
		now->native = was->native;
	if (was->sha2.has)
		now->sha2 = was->sha2;
	if (was->ed25519.has_private)
		now->ed25519 = was->ed25519;
	if (was->parsec_engine.has_private)
		now->parsec_engine = was->parsec_engine;
	if (was->engine.has_client_key)
		now->engine = was->engine;
}

/* What was found out about the same text before. */
static void keep_keys(struct secret *now, struct secret *was)
{
	if (!was || !same_one(now, was))
		return;
	if (was->shown && !now->shown) {
		now->shown = was->shown;
		was->shown = NULL;
	}
	keep_own_keys(now, was);
	if (was->parsec.has_private)
		now->parsec = was->parsec;
	if (was->door.has_client_key)
		now->door = was->door;
	if (was->has_check) {
		memcpy(now->check, was->check, sizeof now->check);
		now->has_check = true;
	}
}

bool secret_renew(struct secret *s, const char *text, const char *other)
{
	struct secret fresh;
	if (is_text(s, text) && (s->other ? is_text(s->other, other) : !other[0]))
		return true;
	bool ok = secret_parse_both(&fresh, text, other);
	if (ok) {
		keep_keys(&fresh, s);
		keep_keys(&fresh, s->other);
		if (fresh.other) {
			keep_keys(fresh.other, s);
			keep_keys(fresh.other, s->other);
		}
	}
	secret_clear(s);
	*s = fresh;
	str_wipe(&fresh, sizeof fresh);
	return ok;
}

struct secret *secret_for_servers(struct secret *s)
{
	return s->other && s->serves_other ? s->other : s;
}

void secret_turn(struct secret *s, const struct secret *failed)
{
	s->serves_other = failed == s;
}

bool secret_copy_for_servers(struct secret *to, struct secret *from)
{
	return copy_one(to, secret_for_servers(from));
}

void secret_note(struct secret *into, const struct secret *copy)
{
	if (same_one(into, copy))
		keep_own_keys(into, copy);
	else if (into->other && same_one(into->other, copy))
		keep_own_keys(into->other, copy);
}

void secret_learn(struct secret *into, struct secret *from)
{
	keep_keys(from, into);
	secret_clear(into);
	*into = *from;
	str_wipe(from, sizeof *from);
	*from = (struct secret){ .kind = SECRET_NONE };
}

static bool keys_fit(const struct scram_keys *k, const uint8_t *salt, size_t salt_len, uint32_t iterations)
{
	return k->iterations != 0 && k->iterations == iterations && k->salt_len == salt_len &&
	       memcmp(k->salt, salt, salt_len) == 0;
}

/* RFC 5802, section 3: SaltedPassword and its children. */
static bool derive_prepared(struct scram_keys *keys, const char *prepared, const uint8_t *salt, size_t salt_len,
			    uint32_t iterations)
{
	if (salt_len == 0 || salt_len > SCRAM_SALT_MAX || iterations == 0 || iterations > SCRAM_ITER_MAX)
		return false;
	struct scram_keys k = { .iterations = iterations, .salt_len = (uint8_t)salt_len, .has_client_key = true };
	uint8_t salted[SCRAM_KEY_LEN];
	memcpy(k.salt, salt, salt_len);
	bool ok = crypto_pbkdf2_sha256(prepared, strlen(prepared), salt, salt_len, iterations, salted) &&
		  crypto_hmac_sha256(salted, sizeof salted, "Client Key", 10, k.client_key) &&
		  crypto_sha256(k.client_key, sizeof k.client_key, k.stored_key) &&
		  crypto_hmac_sha256(salted, sizeof salted, "Server Key", 10, k.server_key);
	if (ok)
		*keys = k;
	str_wipe(salted, sizeof salted);
	str_wipe(&k, sizeof k);
	return ok;
}

static bool derive(struct scram_keys *keys, const char *password, const uint8_t *salt, size_t salt_len,
		   uint32_t iterations)
{
	char *prepared = saslprep(password);
	bool ok = prepared && derive_prepared(keys, prepared, salt, salt_len, iterations);
	free_text(prepared);
	return ok;
}

static uint32_t own_iterations = SCRAM_ITER_DEFAULT;

void secret_set_iterations(uint32_t n)
{
	own_iterations = n;
}

uint32_t secret_iterations(void)
{
	return own_iterations;
}

static struct secret *first_of_kind(struct secret *s, enum secret_kind kind)
{
	return s->kind == kind ? s : s->other && s->other->kind == kind ? s->other : NULL;
}

bool secret_has_scram(struct secret *s)
{
	return first_of_kind(s, SECRET_PLAIN) || first_of_kind(s, SECRET_SCRAM);
}

struct secret *secret_door_keys(struct secret *s, struct secret **beside)
{
	struct secret *first = first_of_kind(s, SECRET_SCRAM);
	if (!first)
		first = first_of_kind(s, SECRET_PLAIN);
	*beside = NULL;
	if (!first || !first->door.iterations)
		return NULL;
	struct secret *second = first == s ? s->other : s;
	if (second && keys_fit(&second->door, first->door.salt, first->door.salt_len, first->door.iterations))
		*beside = second;
	return first;
}

bool secret_derive_door(struct secret *s, const char *user)
{
	struct secret *plain = first_of_kind(s, SECRET_PLAIN), *beside, *first;
	uint8_t salt[SECRET_SALT_LEN];
	if (plain && !first_of_kind(s, SECRET_SCRAM) && plain->door.iterations != own_iterations &&
	    !(secret_user_salt(user, salt) && derive(&plain->door, plain->text, salt, sizeof salt, own_iterations)))
		return false;
	first = secret_door_keys(s, &beside);
	if (first && s->other && !beside) {
		struct secret *second = first == s ? s->other : s;
		if (second->kind == SECRET_PLAIN) /* when it cannot be, it is of no use here */
			(void)derive(&second->door, second->text, first->door.salt, first->door.salt_len,
				     first->door.iterations);
	}
	return first;
}

bool secret_derive_engine(struct secret *s, const uint8_t *salt, size_t salt_len, uint32_t iterations)
{
	if (s->engine.has_client_key && keys_fit(&s->engine, salt, salt_len, iterations))
		return true;
	if (s->door.has_client_key && keys_fit(&s->door, salt, salt_len, iterations)) {
		s->engine = s->door;
		return true;
	}
	return s->kind == SECRET_PLAIN && derive(&s->engine, s->text, salt, salt_len, iterations);
}

void secret_recovered(struct secret *s, const uint8_t client_key[SCRAM_KEY_LEN])
{
	memcpy(s->door.client_key, client_key, SCRAM_KEY_LEN);
	s->door.has_client_key = true;
	if (s->kind == SECRET_SCRAM || s->engine.iterations == 0)
		s->engine = s->door;
}

void secret_proven(struct secret *s, const struct scram_keys *keys, const uint8_t client_key[SCRAM_KEY_LEN])
{
	if (same_verifier(&s->door, keys))
		secret_recovered(s, client_key);
	else if (s->other && same_verifier(&s->other->door, keys))
		secret_recovered(s->other, client_key);
}

static bool md5_response(const char *inner, const uint8_t salt[4], char out[36])
{
	char hex[CRYPTO_MD5_HEX];
	bool ok = crypto_md5_hex(inner, strlen(inner), salt, 4, hex);
	memset(out, 0, MD5_LEN + 1);
	if (ok) {
		memcpy(out, MD5_PREFIX, strlen(MD5_PREFIX));
		memcpy(out + strlen(MD5_PREFIX), hex, sizeof hex);
	}
	str_wipe(hex, sizeof hex);
	return ok;
}

bool secret_md5_response(const struct secret *s, const char *user, const uint8_t salt[4], char out[36])
{
	if (s->kind == SECRET_MD5)
		return md5_response(s->text + strlen(MD5_PREFIX), salt, out);
	char inner[CRYPTO_MD5_HEX];
	bool ok = s->kind == SECRET_PLAIN && crypto_md5_hex(s->text, strlen(s->text), user, strlen(user), inner) &&
		  md5_response(inner, salt, out);
	str_wipe(inner, sizeof inner);
	return ok;
}

/* What stands in for the secret of a user that there is not, or that cannot be used. */
static struct secret nobody = { .kind = SECRET_PLAIN, .text = (char[]){ "nobody's" } };
static struct secret nobodys_verifier = {
	.kind = SECRET_SCRAM,
	.door = { .iterations = SCRAM_ITER_DEFAULT, .salt = { 1 }, .salt_len = SECRET_SALT_LEN },
};
static struct secret nobodys_sha2 = {
	.kind = SECRET_SHA2,
	.text = (char[]){ "$A$005$nobody has this saltnobodyhasthishashnobodyhasthishashnobodyhast" },
};
static struct secret nobodys_ed25519 = { .kind = SECRET_ED25519 }, nobodys_parsec = { .kind = SECRET_PARSEC };

struct secret *secret_nobody(enum secret_kind as)
{
	switch (as) {
	case SECRET_SCRAM:
		return &nobodys_verifier;
	case SECRET_SHA2:
		return &nobodys_sha2;
	case SECRET_ED25519:
		return &nobodys_ed25519;
	case SECRET_PARSEC:
		return &nobodys_parsec;
	case SECRET_NONE:
	case SECRET_PLAIN:
	case SECRET_MD5:
	case SECRET_NATIVE:
	case SECRET_NKINDS:
		break;
	}
	return &nobody;
}

bool secret_is_nobody(const struct secret *s)
{
	return s == &nobody || s == &nobodys_verifier || s == &nobodys_sha2 || s == &nobodys_ed25519 ||
	       s == &nobodys_parsec;
}

const char *secret_password(const struct secret *s)
{
	return s->kind == SECRET_PLAIN ? s->text : s->shown;
}

static bool check_md5(const struct secret *s, const char *user, const uint8_t salt[4], const char *response)
{
	char want[36], got[36];
	const struct secret *is = s->kind == SECRET_PLAIN || s->kind == SECRET_MD5 ? s : &nobody;
	char inner[CRYPTO_MD5_HEX];
	/* A hash is made where one is stored, too. */
	if (is->kind == SECRET_MD5 && !crypto_md5_hex(is->text, strlen(is->text), user, strlen(user), inner))
		return false;
	if (!secret_md5_response(is, user, salt, want))
		return false;
	bool fits = str_copy(got, sizeof got, response) && strlen(got) == MD5_LEN;
	if (!fits)
		memset(got, 0, sizeof got);
	fits = str_same_secret(want, got, MD5_LEN) && fits && !secret_is_nobody(is);
	str_wipe(want, sizeof want);
	return fits;
}

bool secret_check_md5(const struct secret *s, const char *user, const uint8_t salt[4], const char *response)
{
	bool fits = check_md5(s ? s : &nobody, user, salt, response);
	if (!fits && secret_is_any_double())
		fits = check_md5(s && s->other ? s->other : &nobody, user, salt, response);
	return fits;
}

/* Texts of any length are compared by their keyed digests: the time tells nothing, not even a length. */
static bool digest(const char *text, uint8_t out[SCRAM_KEY_LEN])
{
	return secret_init() && crypto_hmac_sha256(check_key, sizeof check_key, text, strlen(text), out);
}

bool secret_was_seen(const struct secret *s, const char *password)
{
	uint8_t seen[SCRAM_KEY_LEN];
	bool fits = digest(password, seen) && s->has_check && str_same_secret(seen, s->check, sizeof seen);
	str_wipe(seen, sizeof seen);
	return fits;
}

void secret_is_seen(struct secret *s, const char *password)
{
	s->has_check = digest(password, s->check);
}

void secret_keep_shown(struct secret *s, const char *password)
{
	char *shown = str_dup(password);
	if (!shown) /* it will be shown again */
		return;
	free_text(s->shown);
	s->shown = shown;
	secret_is_seen(s, password);
}

static bool check_scram(struct secret *s, const char *password)
{
	struct scram_keys k = { 0 };
	bool fits = false;
	char *prepared = saslprep(password); /* first, for two spellings of one password are one */
	if (prepared) {
		fits = secret_was_seen(s, prepared);
		if (!fits && derive_prepared(&k, prepared, s->door.salt, s->door.salt_len, s->door.iterations)) {
			fits = str_same_secret(k.stored_key, s->door.stored_key, SCRAM_KEY_LEN) && !secret_is_nobody(s);
			if (fits) {
				secret_is_seen(s, prepared);
				secret_recovered(s, k.client_key);
			}
		}
	}
	free_text(prepared);
	str_wipe(&k, sizeof k);
	return fits;
}

/* Hashed every way, whichever counts. Of a kind that has a text. */
static bool check_text(struct secret *s, const char *user, const char *password)
{
	uint8_t want[SCRAM_KEY_LEN], got[SCRAM_KEY_LEN];
	char inner[CRYPTO_MD5_HEX];
	bool ok = digest(s->text, want) && digest(password, got) &&
		  crypto_md5_hex(password, strlen(password), user, strlen(user), inner);
	bool fits =
		ok && !secret_is_nobody(s) &&
		(s->kind == SECRET_PLAIN ? str_same_secret(want, got, sizeof want)
					 : s->kind == SECRET_MD5 && str_same_secret(inner, s->text + strlen(MD5_PREFIX),
										    MD5_LEN - strlen(MD5_PREFIX)));
	fits = native_check_password(s, password) || fits;
	str_wipe(want, sizeof want);
	str_wipe(got, sizeof got);
	str_wipe(inner, sizeof inner);
	return fits;
}

static bool check_plain(struct secret *s, const char *user, const char *password)
{
	switch (s->kind) {
	case SECRET_SCRAM:
		return check_scram(s, password);
	case SECRET_SHA2:
		return sha2_check_password(s, password);
	case SECRET_ED25519:
		return ed25519_check_password(s, password);
	case SECRET_PARSEC:
		return parsec_check_password(s, password);
	case SECRET_NONE:
	case SECRET_PLAIN:
	case SECRET_MD5:
	case SECRET_NATIVE:
	case SECRET_NKINDS:
		break;
	}
	return check_text(s, user, password);
}

bool secret_check_plain_as(struct secret *s, enum secret_kind nobody_as, uint32_t iterations, const char *user,
			   const char *password)
{
	struct secret *none = secret_nobody(nobody_as);
	nobodys_verifier.door.iterations = iterations ? iterations : own_iterations;
	bool fits = check_plain(s && s->kind != SECRET_NONE ? s : none, user, password);
	if (!fits && secret_is_any_double())
		fits = check_plain(s && s->other ? s->other : none, user, password);
	return fits && password[0];
}

bool secret_check_plain(struct secret *s, enum secret_kind nobody_as, const char *user, const char *password)
{
	return secret_check_plain_as(s, nobody_as, 0, user, password);
}

void secret_spend(void)
{
	static const uint8_t salt[SECRET_SALT_LEN] = { 1 };
	struct scram_keys k;
	(void)derive(&k, nobody.text, salt, sizeof salt, own_iterations);
	str_wipe(&k, sizeof k);
}
