/* nomem.c - allocation calls that fail when a test says so. */
#include "nomem.h"
#include "unit.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Volatile, as compilers know that malloc() changes no variable of a program's. */
static volatile unsigned countdown;
static volatile bool for_good;
static volatile bool hit;

static bool fails(void)
{
	if (countdown == 0)
		return false;
	countdown = countdown - 1;
	if (countdown > 0)
		return false;
	if (for_good)
		countdown = 1;
	hit = true;
	errno = ENOMEM;
	return true;
}

/* The linker sends malloc() to __wrap_malloc() and __real_malloc() to the true one. Weak, so that a program linked
 * without --wrap still links, and a test says what is missing. */
#define WEAK __attribute__((weak))
void *__real_malloc(size_t n) WEAK;
void *__real_calloc(size_t n, size_t size) WEAK;
void *__real_realloc(void *p, size_t n) WEAK;
int __real_posix_memalign(void **p, size_t align, size_t n) WEAK;
char *__real_strdup(const char *s) WEAK;
char *__real_strndup(const char *s, size_t n) WEAK;
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
int __wrap_posix_memalign(void **p, size_t align, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

int __wrap_posix_memalign(void **p, size_t align, size_t n)
{
	return fails() ? ENOMEM : __real_posix_memalign(p, align, n);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return fails() ? NULL : __real_strndup(s, n);
}

void nomem_at(unsigned n)
{
	countdown = n;
	for_good = false;
	hit = false;
}

void nomem_from(unsigned n)
{
	nomem_at(n);
	for_good = true;
}

bool nomem_hit(void)
{
	return hit;
}

bool nomem_works(void)
{
	return __real_malloc != NULL;
}

bool nomem_next(unsigned *n)
{
	bool more = *n == 0 ? nomem_works() : hit;
	nomem_at(more ? ++*n : 0);
	return more;
}

static void test_fails_when_told(void)
{
	if (!check("the unit program is linked with NOMEM_WRAPS", nomem_works()))
		return;
	nomem_at(2);
	void *volatile a = malloc(1);
	void *volatile b = calloc(1, 1);
	void *volatile c = malloc(1);
	bool was_hit = nomem_hit();
	nomem_at(0);
	check("the first works", a);
	check("the second fails", !b);
	check("the third works again", c);
	check("it says so", was_hit);
	check("and forgets", !nomem_hit());
	free(a);
	free(b);
	free(c);
}

static void test_for_good(void)
{
	if (!nomem_works())
		return;
	nomem_from(1);
	void *volatile a = malloc(1);
	void *b = NULL;
	int rc = posix_memalign(&b, 64, 64);
	char *volatile c = strdup("x");
	nomem_at(0);
	check("none", !a && rc == ENOMEM && !b && !c);
	free(a);
	free(c);
}

static void test_each(void)
{
	unsigned turns = 0, failed = 0;
	for (unsigned n = 0; nomem_next(&n);) {
		void *volatile a = malloc(1);
		void *volatile b = malloc(1);
		turns++;
		failed += !a || !b;
		free(a);
		free(b);
	}
	check_eq("one turn for each allocation and one without a failure", turns, 3);
	check_eq("failures", failed, 2);
}

void suite_nomem(void)
{
	static const struct unit_test tests[] = {
		{ "fails when told", test_fails_when_told },
		{ "for good", test_for_good },
		{ "each in turn", test_each },
		{ NULL, NULL },
	};
	unit_add("nomem", tests);
}
