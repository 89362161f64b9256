/* main.c - runs all unit suites, or those named on the command line. */
#include "unit.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	void (*add)(void);
} suites[] = {
#define SUITE(name) { #name, suite_##name },
#include "suites.def"
#undef SUITE
};

void unit_add(const char *suite, const struct unit_test *tests)
{
	CU_pSuite s = CU_add_suite(suite, NULL, NULL);
	for (; s && tests->name; tests++)
		if (!CU_add_test(s, tests->name, tests->run))
			s = NULL;
	if (!s) {
		fprintf(stderr, "unit: %s: %s\n", suite, CU_get_error_msg());
		exit(2);
	}
}

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

static bool is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	for (size_t i = 0; i < COUNT(suites); i++)
		if (is_wanted(suites[i].name, argc, argv))
			suites[i].add();
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned run = CU_get_number_of_tests_run(), failed = CU_get_number_of_tests_failed();
	CU_cleanup_registry();
	printf("%u passed, %u failed, 0 skipped\n", run - failed, failed);
	return failed || run == 0;
}
