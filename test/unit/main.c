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

int main(int argc, char **argv)
{
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	for (size_t i = 0; i < COUNT(suites); i++)
		if (unit_is_wanted(suites[i].name, argc, argv))
			suites[i].add();
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned run = CU_get_number_of_tests_run(), failed = CU_get_number_of_tests_failed();
	CU_cleanup_registry();
	printf("%u passed, %u failed, 0 skipped\n", run - failed, failed);
	return failed || run == 0;
}
