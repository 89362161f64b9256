/* drivers.c - the programs beside this file, each in each of its modes: README.md. run.sh makes what they need and
 * calls this. From the environment: DRIVER_<name>, the command line, or, beginning with a '!', why there is none. */
#include "../integration/harness.h"
#include "drive.h"

#include <string.h>

static void through(const char *driver, const char *mode)
{
	bool is_console = strcmp(mode, "console") == 0;
	const char *user = is_console ? "admin" : "alice";
	sluice_with(text("ignore_startup_parameters = extra_float_digits\npool_mode = %s\ndefault_pool_size = %d",
			 is_console ? "session" : mode, strcmp(mode, "transaction") == 0 ? 3 : 20));
	drive(driver,
	      text("PGUSER=%s PGPASSWORD=%s-secret PGDATABASE=%s", user, user, is_console ? "pgbouncer" : "test"),
	      mode);
}

#define DRIVERS(X) X(psycopg3) X(psycopg2) X(node) X(jdbc)
#define X(name)                                                                                                        \
	static void name##_console(void)                                                                               \
	{                                                                                                              \
		through(#name, "console");                                                                             \
	}                                                                                                              \
	static void name##_session(void)                                                                               \
	{                                                                                                              \
		through(#name, "session");                                                                             \
	}                                                                                                              \
	static void name##_transaction(void)                                                                           \
	{                                                                                                              \
		through(#name, "transaction");                                                                         \
	}
DRIVERS(X)
#undef X

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
#define X(name)                                                                                                        \
	{ #name "_console", name##_console }, { #name "_session", name##_session },                                    \
		{ #name "_transaction", name##_transaction },
		DRIVERS(X)
#undef X
			{ NULL, NULL },
	};
	return harness_main(argc, argv, "drivers", tests);
}
