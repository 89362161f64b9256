/* stored.c - password hashes as MySQL and MariaDB store them, and MariaDB's public keys.
 * MySQL Reference Manual, Security: Pluggable Authentication; the column authentication_string of mysql.user. */
#include "auth/b64.h"
#include "auth/parsec.h"
#include "auth/secret_int.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

#define HEX          "0123456789abcdefABCDEF"
#define ED25519      "ed25519:" /* ours: MariaDB's text alone could be anybody's password */
#define CRYPT64      "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define SHA2_PREFIX  "$A$"
#define SHA2_HEX     "0x244124" /* that prefix */
#define SHA2_SALT_AT 7u         /* behind "$A$005$" */
#define SHA2_HASH_AT (SHA2_SALT_AT + SHA2_SALT_LEN)
#define SHA2_LONG    (SHA2_HASH_AT + SHA2_TEXT_LEN)

static unsigned nibble(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

static void from_hex(const char *hex, size_t bytes, uint8_t *out)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
}

static bool is_native(const char *text)
{
	return text[0] == '*' && strlen(text) == 1 + 2 * NATIVE_LEN && strspn(text + 1, HEX) == 2 * NATIVE_LEN;
}

uint32_t stored_sha2_rounds(const char *text)
{
	return (nibble(text[3]) << 8 | nibble(text[4]) << 4 | nibble(text[5])) * 1000;
}

const char *stored_sha2_salt(const char *text)
{
	return text + SHA2_SALT_AT;
}

const char *stored_sha2_hash(const char *text)
{
	return text + SHA2_HASH_AT;
}

/* "$A$005$" */
static bool begins_as_sha2(const char *text)
{
	return strncmp(text, SHA2_PREFIX, strlen(SHA2_PREFIX)) == 0 && strspn(text + 3, HEX) >= 3 && text[6] == '$';
}

static bool is_sha2(const char *text)
{
	return begins_as_sha2(text) && strlen(text) == SHA2_LONG &&
	       strspn(text + SHA2_HASH_AT, CRYPT64) == SHA2_TEXT_LEN && stored_sha2_rounds(text) > 0 &&
	       stored_sha2_rounds(text) <= SCRAM_ITER_MAX;
}

/* The text itself, or what it says in hex. BAD: begins as a verifier, and is none. */
static enum stored sha2_text(const char *text, char out[SHA2_LONG + 1])
{
	if (strncmp(text, SHA2_HEX, strlen(SHA2_HEX)) == 0) {
		if (strlen(text) != 2 + 2 * SHA2_LONG || strspn(text + 2, HEX) != 2 * SHA2_LONG)
			return STORED_BAD;
		from_hex(text + 2, SHA2_LONG, (uint8_t *)out);
		out[SHA2_LONG] = '\0';
		return is_sha2(out) ? STORED_OK : STORED_BAD;
	}
	if (!begins_as_sha2(text))
		return STORED_NOT;
	return is_sha2(text) && str_copy(out, SHA2_LONG + 1, text) ? STORED_OK : STORED_BAD;
}

/* base64 of exactly n bytes, in which the padding may be left out. */
static bool decode(const char *text, size_t len, uint8_t *out, size_t n)
{
	char padded[B64_SIZE(ED25519_LEN)];
	size_t got;
	if (len >= sizeof padded || !str_copy_n(padded, sizeof padded, text, len))
		return false;
	while (len % 4 && len + 1 < sizeof padded)
		padded[len++] = '=';
	return b64_decode(padded, len, out, n, &got) && got == n;
}

static enum stored ed25519_text(const char *text, uint8_t key[ED25519_LEN])
{
	size_t n = strlen(ED25519);
	if (strncmp(text, ED25519, n) != 0)
		return STORED_NOT;
	return decode(text + n, strlen(text + n), key, ED25519_LEN) ? STORED_OK : STORED_BAD;
}

/* "P0:<salt>:<key>"; the digit is of base 62, of which few are of use. */
static enum stored parsec_text(const char *text, struct parsec_keys *k)
{
	const char *salt = text[0] == 'P' && text[1] && text[2] == ':' ? text + 3 : NULL;
	const char *key = salt ? strchr(salt, ':') : NULL;
	*k = (struct parsec_keys){ .has_public = true };
	if (!key || !decode(salt, (size_t)(key - salt), k->salt, PARSEC_SALT_LEN) ||
	    !decode(key + 1, strlen(key + 1), k->public_key, ED25519_LEN))
		return STORED_NOT;
	if (text[1] < '0' || text[1] > '0' + (int)PARSEC_FACTOR_MAX)
		return STORED_BAD;
	k->factor = (uint8_t)(text[1] - '0');
	return STORED_OK;
}

static enum stored keep(struct secret *s, enum secret_kind kind, const char *text)
{
	s->text = str_dup(text);
	if (!s->text)
		return STORED_NOMEM;
	s->kind = kind;
	return STORED_OK;
}

enum stored stored_parse(struct secret *s, const char *text)
{
	char sha2[SHA2_LONG + 1];
	uint8_t key[ED25519_LEN];
	struct parsec_keys parsec;
	enum stored is;
	if (is_native(text)) {
		from_hex(text + 1, NATIVE_LEN, s->native.hash);
		s->native.has_hash = true;
		return keep(s, SECRET_NATIVE, text);
	}
	if ((is = sha2_text(text, sha2)) != STORED_NOT)
		return is == STORED_OK ? keep(s, SECRET_SHA2, sha2) : is;
	if ((is = ed25519_text(text, key)) != STORED_NOT) {
		memcpy(s->ed25519.public_key, key, sizeof key);
		s->ed25519.has_public = true;
		return is == STORED_OK ? keep(s, SECRET_ED25519, text) : is;
	}
	if ((is = parsec_text(text, &parsec)) == STORED_OK) {
		s->parsec = parsec;
		is = keep(s, SECRET_PARSEC, text);
	}
	return is;
}

bool stored_is(const struct secret *s, const char *text)
{
	struct secret other = { .kind = SECRET_NONE };
	bool same = false;
	if (stored_parse(&other, text) == STORED_OK && other.kind == s->kind)
		switch (s->kind) {
		case SECRET_NATIVE:
			same = memcmp(other.native.hash, s->native.hash, NATIVE_LEN) == 0;
			break;
		case SECRET_SHA2:
			same = strcmp(other.text, s->text) == 0;
			break;
		case SECRET_ED25519:
			same = memcmp(other.ed25519.public_key, s->ed25519.public_key, ED25519_LEN) == 0;
			break;
		case SECRET_PARSEC:
			same = other.parsec.factor == s->parsec.factor &&
			       memcmp(other.parsec.salt, s->parsec.salt, PARSEC_SALT_LEN) == 0 &&
			       memcmp(other.parsec.public_key, s->parsec.public_key, ED25519_LEN) == 0;
			break;
		case SECRET_NONE:
		case SECRET_PLAIN:
		case SECRET_MD5:
		case SECRET_SCRAM:
		case SECRET_NKINDS:
			break;
		}
	secret_clear(&other);
	return same;
}
