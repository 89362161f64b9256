/* ini.h - reads a configuration file and its %includes: sections, and keys with their values, each with its place.
 * As in PgBouncer: a line is [section], key = value, %include FILE, or a comment that begins with ; or #. There are no
 * comments behind a value, no continued lines, and no separator but =. A key may be a name in double quotes, which is
 * passed on as it stands. Blanks around keys and values are dropped. */
#ifndef SLUICE_CONFIG_INI_H
#define SLUICE_CONFIG_INI_H

#include <stdbool.h>

#define INI_LINE_BYTES    65536 /* a longer line is a fault, never cut */
#define INI_SECTION_BYTES 40
#define INI_DEPTH         16  /* files open at once */
#define INI_FILES         256 /* files read in all, so that includes of includes come to an end */

/* Where the reader stands; file is borrowed for the call. line 0: the file as a whole. */
struct ini_place {
	const char *file;
	int line;
};
struct ini_sink {
	/* A key in a section ("" before the first). The texts are borrowed for the call. False ends the reading. */
	bool (*entry)(void *arg, const struct ini_place *at, const char *section, const char *key, const char *value);
	/* A fault of the file; reading goes on with the next line. False ends the reading. */
	bool (*fault)(void *arg, const struct ini_place *at, const char *text);
	void *arg;
};

/* Reads a file to its end, or to the first false of the sink. False when out of memory. */
bool ini_read(const char *path, const struct ini_sink *sink);

/* The path that a name written in a file stands for: itself when it is absolute or exists as seen from the working
 * directory, else the one beside that file if it exists there. free() it; NULL when out of memory. */
char *ini_resolve(const char *name, const char *in_file);

#endif
