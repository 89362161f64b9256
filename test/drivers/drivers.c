/* drivers.c - the programs beside this file, each in each of its modes: README.md. run.sh makes what they need and
 * calls this. From the environment: DRIVER_<name>, the command line, or, beginning with a '!', why there is none. */
#include "../integration/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void drive(const char *driver, const char *mode)
{
	const char *command = getenv(text("DRIVER_%s", driver));
	bool is_console = strcmp(mode, "console") == 0;
	char *out, *line, *rest;
	unsigned good = 0;

	if (!command || *command == '!') {
		skip(command ? command + 1 : "run it by test/drivers/run.sh");
		return;
	}
	sluice_with(text("ignore_startup_parameters = extra_float_digits\npool_mode = %s\ndefault_pool_size = %d",
			 is_console ? "session" : mode, strcmp(mode, "transaction") == 0 ? 3 : 20));
	const char *user = is_console ? "admin" : "alice";
	int status = run(&out, "PGUSER=%s PGPASSWORD=%s-secret PGDATABASE=%s %s %s", user, user,
			 is_console ? "pgbouncer" : "test", command, mode);
	check_eq(text("exit status: %s", out), status, 0);
	for (rest = out; (line = strsep(&rest, "\n"));) {
		if (strncmp(line, "ok ", 3) == 0)
			good++;
		else if (strncmp(line, "not ok ", 7) == 0)
			check(line + 7, false);
		else if (*line)
			fprintf(stderr, "    %s\n", line);
	}
	check("cases", good > 0);
}

#define DRIVERS(X) X(psycopg3) X(psycopg2) X(node) X(jdbc)
#define X(name)                                                                                                        \
	static void name##_console(void)                                                                               \
	{                                                                                                              \
		drive(#name, "console");                                                                               \
	}                                                                                                              \
	static void name##_session(void)                                                                               \
	{                                                                                                              \
		drive(#name, "session");                                                                               \
	}                                                                                                              \
	static void name##_transaction(void)                                                                           \
	{                                                                                                              \
		drive(#name, "transaction");                                                                           \
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
