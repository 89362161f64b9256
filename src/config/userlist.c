/* userlist.c - auth_file: users and their secrets. */
#include "config/userlist.h"

#include "config/connstr.h"
#include "config/lines.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cuts a quoted field off *at, in place. NULL when there is none. */
static char *field(char **at)
{
	char *start = *at;
	while (is_blank(*start))
		start++;
	char *end = *start == '"' ? connstr_unquote(start) : NULL;
	if (end)
		*at = end;
	return end ? start : NULL;
}

/* What is wrong with the line, or NULL. */
static const char *parse(char *line, char **name, char **secret)
{
	*name = field(&line);
	if (!*name)
		return "a user's name in double quotes is expected";
	*secret = is_blank(*line) ? field(&line) : NULL;
	if (!*secret)
		return "the name is not followed by a secret in double quotes (\"\" for none)";
	if (*line && !is_blank(*line))
		return "a blank is expected behind the secret (a quote inside is written twice)";
	if (!**name || strlen(*name) > USER_NAME_BYTES)
		return "the name is empty or longer than 255 bytes";
	if (strlen(*secret) > USER_SECRET_BYTES)
		return "the secret is longer than 65535 bytes";
	return NULL;
}

bool userlist_read(const char *path, const struct userlist_sink *sink, struct fault *f)
{
	struct lines lines;
	char *line, *name, *secret;
	size_t len;
	bool more = true;

	if (!lines_open(&lines, path, f))
		return false;
	while (more && (line = lines_next(&lines, &len))) {
		if (strlen(line) < len) {
			more = sink->fault(sink->arg, lines.line, "the line holds a NUL byte");
			continue;
		}
		while (is_blank(*line))
			line++;
		if (*line == '\0' || *line == ';' || *line == '#')
			continue;
		const char *wrong = parse(line, &name, &secret);
		more = wrong ? sink->fault(sink->arg, lines.line, wrong)
			     : sink->user(sink->arg, lines.line, name, secret);
	}
	lines_close(&lines);
	return true;
}

/* How many bytes at p are of these characters; at least one, followed by `end`. 0: not so. */
static size_t part(const char *p, const char *chars, char end)
{
	size_t n = strspn(p, chars);
	return n && p[n] == end ? n + 1 : 0;
}

#define DIGITS "0123456789"
#define BASE64 DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/="
#define HEX    "0123456789abcdefABCDEF"

/* Of caching_sha2_password: seven characters, 20 bytes of salt, which may be any, and 43 of hash; or that in hex. */
static bool is_bad_sha2(const char *secret)
{
	size_t len = 7 + 20 + 43;
	if (strncmp(secret, "0x244124", 8) == 0)
		return strlen(secret) != 2 + 2 * len || strspn(secret + 2, HEX) != 2 * len;
	return strncmp(secret, "$A$", 3) == 0 && strspn(secret + 3, HEX) >= 3 && secret[6] == '$' &&
	       strlen(secret) != len;
}

/* 32 bytes in base64, whose padding may be left out. */
static bool is_bad_ed25519(const char *secret)
{
	if (strncmp(secret, "ed25519:", 8) != 0)
		return false;
	size_t n = strspn(secret + 8, BASE64);
	return secret[8 + n] || (n != 43 && n != 44);
}

bool userlist_is_bad_verifier(const char *secret)
{
	static const char begin[] = "SCRAM-SHA-256$";
	static const struct {
		const char *chars;
		char end;
		size_t len; /* with its end; 0: any */
	} parts[] = {
		{ DIGITS, ':', 0 },
		{ BASE64, '$', 0 },
		{ BASE64, ':', 44 + 1 }, /* 32 bytes */
		{ BASE64, '\0', 44 + 1 },
	};
	if (strncmp(secret, begin, sizeof begin - 1) != 0)
		return is_bad_sha2(secret) || is_bad_ed25519(secret);
	const char *p = secret + sizeof begin - 1;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		size_t n = part(p, parts[i].chars, parts[i].end);
		if (n == 0 || (parts[i].len && n != parts[i].len))
			return true;
		p += n;
	}
	return false;
}

static bool begins(const char *secret, const char *with)
{
	return strncmp(secret, with, strlen(with)) == 0;
}

uint32_t userlist_iterations(const char *secret)
{
	static const char begin[] = "SCRAM-SHA-256$";
	unsigned long long n = begins(secret, begin) ? strtoull(secret + sizeof begin - 1, NULL, 10) : 0;
	return n <= INT32_MAX ? (uint32_t)n : 0;
}

enum user_form userlist_form(const char *secret)
{
	if (begins(secret, "SCRAM-SHA-256$"))
		return USER_FORM_SCRAM;
	if (secret[0] == '*' && strlen(secret) == 41 && strspn(secret + 1, HEX) == 40)
		return USER_FORM_NATIVE;
	if (((begins(secret, "$A$") && strspn(secret + 3, HEX) >= 3 && secret[6] == '$') ||
	     begins(secret, "0x244124")) &&
	    !is_bad_sha2(secret))
		return USER_FORM_SHA2;
	if (begins(secret, "ed25519:"))
		return USER_FORM_ED25519;
	if (secret[0] == 'P' && secret[1] && secret[2] == ':' && strspn(secret + 3, BASE64) == 24 && secret[27] == ':')
		return USER_FORM_PARSEC;
	return USER_FORM_PLAIN;
}
