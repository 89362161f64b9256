/* harness_int.h - between the harness's own files. */
#ifndef SLUICE_TEST_HARNESS_INT_H
#define SLUICE_TEST_HARNESS_INT_H

#include "harness.h"

#include <stdarg.h>

char *keep(const char *s, size_t n);
char *vtext(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
/* Ends all of the test's clients and raw sockets. */
void clients_close(void);

#endif
