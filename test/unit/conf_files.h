/* conf_files.h - files in a directory of their own, and what was told about them, for the suites of src/config/. */
#ifndef SLUICE_TEST_CONF_FILES_H
#define SLUICE_TEST_CONF_FILES_H

#include "core/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Makes a fresh directory; its path. Ends the program when it cannot. */
const char *conf_dir(void);
/* Writes a file there; its path, valid for the next few calls. */
const char *conf_write(const char *name, const void *bytes, size_t len);
const char *conf_text(const char *name, const char *text);
/* Removes the directory and all in it. */
void conf_clean(void);
/* The path without the directory, so that expectations can be written down. */
const char *conf_short(const char *path);

/* Everything told, a line each: "E main.ini:3 text". Tests' allocations count for nomem.h, so this makes none. */
struct conf_told {
	char text[16384];
	unsigned errors, warnings, nomems;
};
/* A config_report. */
void conf_report(void *arg, bool is_error, const char *file, int line, const char *text);

#endif
