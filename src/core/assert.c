/* assert.c - the end, when we were wrong about ourselves. */
#include "core/assert.h"

#include "core/log.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void assert_failed(const char *file, int line, const char *what)
{
	static bool again; /* the log itself may be what is broken */
	if (!again) {
		again = true;
		log_write(LOG_LV_ERROR, NULL, "%s:%d: assertion failed: %s", file, line, what);
	}
	if (!log_on_stderr())
		dprintf(2, "%s:%d: assertion failed: %s\n", file, line, what);
	abort();
}
