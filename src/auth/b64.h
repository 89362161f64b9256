/* b64.h - base64 (RFC 4648, section 4), as strict as it is written: whole groups, padding in its place only, no blanks,
 * and no bits that are left over but not zero, so that a value has one text and no other. */
#ifndef SLUICE_AUTH_B64_H
#define SLUICE_AUTH_B64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters for n bytes, with the NUL. */
#define B64_SIZE(n) (((n) + 2) / 3 * 4 + 1)

/* out has room for B64_SIZE(n); NUL-terminated. Gives the number of characters. */
size_t b64_encode(const void *p, size_t n, char *out);
/* False when s is no base64, or holds more than cap bytes. Zero characters are zero bytes. */
bool b64_decode(const char *s, size_t n, uint8_t *out, size_t cap, size_t *out_len);

#endif
