/* b64.c - base64, RFC 4648 section 4. */
#include "auth/b64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t b64_encode(const void *p, size_t n, char *out)
{
	const uint8_t *b = p;
	char *o = out;
	for (size_t i = 0; i < n; i += 3) {
		size_t here = n - i < 3 ? n - i : 3;
		uint32_t v = (uint32_t)b[i] << 16;
		if (here > 1)
			v |= (uint32_t)b[i + 1] << 8;
		if (here > 2)
			v |= b[i + 2];
		*o++ = digits[v >> 18];
		*o++ = digits[v >> 12 & 63];
		*o++ = here > 1 ? digits[v >> 6 & 63] : '=';
		*o++ = here > 2 ? digits[v & 63] : '=';
	}
	*o = '\0';
	return (size_t)(o - out);
}

/* 64 for what is no digit. */
static uint32_t value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

bool b64_decode(const char *s, size_t n, uint8_t *out, size_t cap, size_t *out_len)
{
	if (n % 4)
		return false;
	size_t pad = n == 0 ? 0 : s[n - 2] == '=' && s[n - 1] == '=' ? 2 : s[n - 1] == '=' ? 1 : 0;
	size_t len = n / 4 * 3 - pad, at = 0;
	if (len > cap)
		return false;
	for (size_t i = 0; i < n; i += 4) {
		size_t here = i + 4 == n ? 4 - pad : 4; /* digits of this group */
		uint32_t v = 0;
		for (size_t k = 0; k < 4; k++) {
			uint32_t d = k < here ? value(s[i + k]) : 0;
			if (d > 63)
				return false;
			v = v << 6 | d;
		}
		if ((here == 2 && v & 0xffff) || (here == 3 && v & 0xff))
			return false;
		for (size_t k = 0; k + 1 < here; k++)
			out[at++] = (uint8_t)(v >> (16 - 8 * k));
	}
	*out_len = len;
	return true;
}
