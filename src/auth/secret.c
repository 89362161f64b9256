/* secret.c - stored secrets: PostgreSQL's plain, md5 and SCRAM-SHA-256 forms, and the keys derived from them. */
#include "auth/secret.h"

#include "auth/b64.h"
#include "auth/crypto.h"
#include "auth/saslprep.h"
#include "auth/secret_int.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

#define SCRAM_PREFIX "SCRAM-SHA-256$"
#define MD5_PREFIX   "md5"
#define MD5_LEN      35u

/* This process's own: one for salts, one for the digests by which passwords are compared. */
static uint8_t salt_key[SCRAM_KEY_LEN], check_key[SCRAM_KEY_LEN];
static bool has_keys;

bool secret_init(void)
{
	if (!has_keys)
		has_keys = crypto_random(salt_key, sizeof salt_key) && crypto_random(check_key, sizeof check_key);
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
	} else if (text[0]) {
		s->text = str_dup(text);
		if (!s->text)
			return false;
		s->kind = is_md5(text) ? SECRET_MD5 : SECRET_PLAIN;
	}
	return true;
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

void secret_clear(struct secret *s)
{
	free_text(s->text);
	str_wipe(s, sizeof *s);
	*s = (struct secret){ .kind = SECRET_NONE };
}

static bool same_verifier(const struct scram_keys *a, const struct scram_keys *b)
{
	return a->iterations == b->iterations && a->salt_len == b->salt_len &&
	       memcmp(a->salt, b->salt, a->salt_len) == 0 && memcmp(a->stored_key, b->stored_key, SCRAM_KEY_LEN) == 0 &&
	       memcmp(a->server_key, b->server_key, SCRAM_KEY_LEN) == 0;
}

bool secret_same(const struct secret *s, const char *text)
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
	}
	return false;
}

bool secret_copy(struct secret *to, const struct secret *from)
{
	*to = *from;
	if (!from->text || (to->text = str_dup(from->text)))
		return true;
	str_wipe(to, sizeof *to);
	*to = (struct secret){ .kind = SECRET_NONE };
	return false;
}

void secret_learn(struct secret *into, struct secret *from)
{
	bool same = into->kind == from->kind &&
		    (into->text ? strcmp(into->text, from->text) == 0 : same_verifier(&into->door, &from->door));
	if (same) {
		if (into->door.has_client_key)
			from->door = into->door;
		if (into->engine.has_client_key)
			from->engine = into->engine;
		if (into->has_check) {
			memcpy(from->check, into->check, sizeof from->check);
			from->has_check = true;
		}
	}
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

bool secret_derive_door(struct secret *s, const char *user)
{
	uint8_t salt[SECRET_SALT_LEN];
	if (s->door.iterations && (s->kind != SECRET_PLAIN || s->door.iterations == own_iterations))
		return true;
	return s->kind == SECRET_PLAIN && secret_user_salt(user, salt) &&
	       derive(&s->door, s->text, salt, sizeof salt, own_iterations);
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

/* What stands in for the secret of a user that there is not. */
static const struct secret nobody = { .kind = SECRET_PLAIN, .text = (char[]){ "nobody's" } };

bool secret_check_md5(const struct secret *s, const char *user, const uint8_t salt[4], const char *response)
{
	char want[36], got[36];
	if (!secret_md5_response(s ? s : &nobody, user, salt, want))
		return false;
	bool fits = str_copy(got, sizeof got, response) && strlen(got) == MD5_LEN;
	if (!fits)
		memset(got, 0, sizeof got);
	fits = str_same_secret(want, got, MD5_LEN) && fits && s;
	str_wipe(want, sizeof want);
	return fits;
}

/* Texts of any length are compared by their keyed digests: the time tells nothing, not even a length. */
static bool digest(const char *text, uint8_t out[SCRAM_KEY_LEN])
{
	return secret_init() && crypto_hmac_sha256(check_key, sizeof check_key, text, strlen(text), out);
}

static bool check_scram(struct secret *s, const char *password)
{
	uint8_t seen[SCRAM_KEY_LEN];
	struct scram_keys k = { 0 };
	bool fits = false;
	char *prepared = saslprep(password); /* first, for two spellings of one password are one */
	if (prepared && digest(prepared, seen)) {
		if (s->has_check) {
			fits = str_same_secret(seen, s->check, sizeof seen);
		} else if (derive_prepared(&k, prepared, s->door.salt, s->door.salt_len, s->door.iterations)) {
			fits = str_same_secret(k.stored_key, s->door.stored_key, SCRAM_KEY_LEN);
			if (fits) {
				memcpy(s->check, seen, sizeof seen);
				s->has_check = true;
				secret_recovered(s, k.client_key);
			}
		}
	}
	free_text(prepared);
	str_wipe(seen, sizeof seen);
	str_wipe(&k, sizeof k);
	return fits;
}

bool secret_check_plain(struct secret *s, const char *user, const char *password)
{
	uint8_t want[SCRAM_KEY_LEN], got[SCRAM_KEY_LEN];
	char inner[CRYPTO_MD5_HEX];
	const struct secret *is = s ? s : &nobody;
	bool fits = false;
	switch (is->kind) {
	case SECRET_NONE:
		break;
	case SECRET_PLAIN:
		fits = digest(is->text, want) && digest(password, got) && str_same_secret(want, got, sizeof want);
		break;
	case SECRET_MD5:
		fits = crypto_md5_hex(password, strlen(password), user, strlen(user), inner) &&
		       str_same_secret(inner, is->text + strlen(MD5_PREFIX), MD5_LEN - strlen(MD5_PREFIX));
		break;
	case SECRET_SCRAM:
		fits = check_scram(s, password);
		break;
	}
	str_wipe(want, sizeof want);
	str_wipe(got, sizeof got);
	str_wipe(inner, sizeof inner);
	return fits && s && password[0];
}
