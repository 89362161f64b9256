/* drive.c - a program of this folder, run and listened to. */
#include "drive.h"
#include "../integration/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void drive(const char *driver, const char *before, const char *mode)
{
	const char *command = getenv(text("DRIVER_%s", driver));
	char *out, *line, *rest;
	unsigned good = 0;

	if (!command || *command == '!') {
		skip(command ? command + 1 : "run it by test/drivers/run.sh");
		return;
	}
	/* One that hangs is not to take the others' time. */
	int status = run(&out, "export %s; timeout -k 2 200 %s %s", before, command, mode);
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
