/* stored.c - password hashes as MySQL and MariaDB store them: mysql_native_password's, caching_sha2_password's.
 * MySQL Reference Manual, Security: Pluggable Authentication; the column authentication_string of mysql.user. */
#include "auth/secret_int.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

#define HEX          "0123456789abcdefABCDEF"
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
	if (is_native(text)) {
		from_hex(text + 1, NATIVE_LEN, s->native.hash);
		s->native.has_hash = true;
		return keep(s, SECRET_NATIVE, text);
	}
	enum stored is = sha2_text(text, sha2);
	return is == STORED_OK ? keep(s, SECRET_SHA2, sha2) : is;
}

bool stored_is(const struct secret *s, const char *text)
{
	uint8_t hash[NATIVE_LEN];
	char sha2[SHA2_LONG + 1];
	switch (s->kind) {
	case SECRET_NATIVE:
		if (!is_native(text))
			return false;
		from_hex(text + 1, NATIVE_LEN, hash);
		return memcmp(hash, s->native.hash, NATIVE_LEN) == 0;
	case SECRET_SHA2:
		return sha2_text(text, sha2) == STORED_OK && strcmp(sha2, s->text) == 0;
	case SECRET_NONE:
	case SECRET_PLAIN:
	case SECRET_MD5:
	case SECRET_SCRAM:
		break;
	}
	return false;
}
