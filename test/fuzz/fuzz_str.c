/* fuzz_str.c - text: bounded formatting and UTF-8, numbers, distances, the builder. */
#include "fuzz.h"

#include "core/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 40

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void check_cut(const char *text)
{
	size_t len = strlen(text);
	bool clean = fuzz_is_utf8(text, len);
	for (size_t cap = len > 12 ? len - 12 : 0; cap <= len + 2; cap++) {
		char *out = fuzz_exact(NULL, cap);
		str_fmt(out, cap, "%s", text);
		if (cap) {
			size_t got = strlen(out);
			fuzz_check("it begins as the whole", got < cap && memcmp(out, text, got) == 0);
			fuzz_check("it is all that fits", got == len || (cap <= len && cap - 1 - got < 4));
			fuzz_check("a cut splits no character", !clean || fuzz_is_utf8(out, got));
			fuzz_check("all or nothing",
				   str_copy(out, cap, text) == (cap > len) && strlen(out) == (cap > len ? len : 0));
		}
		fuzz_free(out);
	}
}

static void check_number(const char *text)
{
	uint64_t n = 0, m = 0;
	bool ok = str_to_u64(text, UINT64_MAX, &n);
	bool digits = *text && strspn(text, "0123456789") == strlen(text);
	fuzz_check("digits and nothing else", !ok || digits);
	if (!digits)
		return;
	errno = 0;
	unsigned long long want = strtoull(text, NULL, 10);
	fuzz_check("as the C library has it", ok == (errno == 0) && (!ok || n == want));
	if (ok) {
		fuzz_check("its own bound", str_to_u64(text, n, &m) && m == n);
		fuzz_check("one less", n == 0 || !str_to_u64(text, n - 1, &m));
	}
}

/* The plain way: the whole matrix. */
static unsigned distance(const char *a, const char *b)
{
	static unsigned d[WORD_MAX + 1][WORD_MAX + 1];
	size_t na = strlen(a), nb = strlen(b);
	for (size_t i = 0; i <= na; i++)
		for (size_t j = 0; j <= nb; j++) {
			if (i == 0 || j == 0) {
				d[i][j] = (unsigned)(i + j);
				continue;
			}
			size_t best =
				least(least(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = least(best, d[i - 2][j - 2] + 1);
			d[i][j] = (unsigned)best;
		}
	return d[na][nb];
}

static void check_distance(const char *a, const char *b)
{
	if (strlen(a) > WORD_MAX || strlen(b) > WORD_MAX)
		return;
	unsigned want = distance(a, b);
	for (unsigned most = 0; most < 5; most++) {
		unsigned got = str_distance(a, b, most);
		fuzz_check("as far as is asked for", got == (want < most ? want : most + (want > most)));
		fuzz_check("both ways", got == str_distance(b, a, most));
	}
	fuzz_check("nothing is no distance", str_eq_nocase(a, a) && str_distance(a, a, 3) == 0);
	fuzz_check("both ways", str_eq_nocase(a, b) == str_eq_nocase(b, a));
	fuzz_check("equal ones begin with each other",
		   str_eq_nocase(a, b) == (str_starts_nocase(a, b) && str_starts_nocase(b, a)));
}

static void check_builder(const uint8_t *data, size_t size)
{
	struct sb b = { .max = size }, tight = { .max = size ? size - 1 : 0 };
	for (size_t at = 0, n; at < size; at += n) {
		n = least(data[at] % 9u, size - at);
		n += n == 0;
		sb_add_n(&b, data + at, n);
		sb_add_n(&tight, data + at, n);
		fuzz_check("terminated", b.s && b.s[b.len] == '\0' && b.len < b.cap);
	}
	fuzz_check("all of it", !b.bad && b.len == size && (size == 0 || memcmp(b.s, data, size) == 0));
	fuzz_check("one byte too many", size < 2 || tight.bad);
	sb_free(&b);
	sb_free(&tight);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p = data;
	size_t left = size, a_len, b_len;
	const uint8_t *part = fuzz_part(&p, &left, '\n', &a_len);
	char *a = fuzz_text(part, a_len);
	part = fuzz_part(&p, &left, '\n', &b_len);
	char *b = fuzz_text(part, b_len);
	check_cut(a);
	check_number(a);
	check_distance(a, b);
	check_builder(data, size);
	fuzz_free(a);
	fuzz_free(b);
	return 0;
}
