/* check.c - assertions that say which row of a table failed; unit and integration programs use them. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool unit_check(const char *file, int line, const char *what, bool ok)
{
	if (!ok)
		fprintf(stderr, "%s:%d: %s\n", file, line, what);
	CU_assertImplementation(ok, (unsigned)line, what, file, "", CU_FALSE);
	return ok;
}

bool unit_check_eq(const char *file, int line, const char *what, long long got, long long want)
{
	if (got != want)
		fprintf(stderr, "%s:%d: %s: got %lld, want %lld\n", file, line, what, got, want);
	CU_assertImplementation(got == want, (unsigned)line, what, file, "", CU_FALSE);
	return got == want;
}

bool unit_check_str(const char *file, int line, const char *what, const char *got, const char *want)
{
	bool ok = got && want ? strcmp(got, want) == 0 : got == want;
	if (!ok)
		fprintf(stderr, "%s:%d: %s: got \"%s\", want \"%s\"\n", file, line, what, got ? got : "(null)",
			want ? want : "(null)");
	CU_assertImplementation(ok, (unsigned)line, what, file, "", CU_FALSE);
	return ok;
}

bool unit_check_mem(const char *file, int line, const char *what, const void *got, const void *want, size_t n)
{
	return unit_check(file, line, what, n == 0 || memcmp(got, want, n) == 0);
}

uint8_t *copy_exact(const void *p, size_t n)
{
	uint8_t *c = malloc(n ? n : 1);
	if (!c)
		abort();
	if (n)
		memcpy(c, p, n);
	return c;
}

bool unit_is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc < 2;
}
