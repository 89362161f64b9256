/* unit.h - what every unit suite uses. A suite is test_<module>.c with a function suite_<module>() that adds its tests,
 * and a line SUITE(<module>) in suites.def. Tests are tables where they can be; `what` names the row that failed. */
#ifndef SLUICE_TEST_UNIT_H
#define SLUICE_TEST_UNIT_H

#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BYTES(s) (s), sizeof(s) - 1
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define SUITE(name) void suite_##name(void);
#include "suites.def"
#undef SUITE

/* Adds a suite; tests end with a row whose name is NULL. */
struct unit_test {
	const char *name;
	void (*run)(void);
};
void unit_add(const char *suite, const struct unit_test *tests);

/* Each prints its file, line and `what` when it fails, and counts as one CUnit assertion. */
#define check(what, cond)             unit_check(__FILE__, __LINE__, (what), (cond))
#define check_eq(what, got, want)     unit_check_eq(__FILE__, __LINE__, (what), (long long)(got), (long long)(want))
#define check_str(what, got, want)    unit_check_str(__FILE__, __LINE__, (what), (got), (want))
#define check_mem(what, got, want, n) unit_check_mem(__FILE__, __LINE__, (what), (got), (want), (n))
bool unit_check(const char *file, int line, const char *what, bool ok);
bool unit_check_eq(const char *file, int line, const char *what, long long got, long long want);
bool unit_check_str(const char *file, int line, const char *what, const char *got, const char *want);
bool unit_check_mem(const char *file, int line, const char *what, const void *got, const void *want, size_t n);

/* Is it named on the command line, or is nothing? */
bool unit_is_wanted(const char *name, int argc, char **argv);

/* A heap copy of exactly n bytes, so that a sanitizer sees one byte too far. free() it. */
uint8_t *copy_exact(const void *p, size_t n);

#endif
