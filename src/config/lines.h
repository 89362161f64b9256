/* lines.h - a text file, read whole and walked line by line, so that nothing is ever cut: a line is as long as it is,
 * and the caller says what is too long. Regular files only (a pipe could block for ever), of at most LINES_FILE_MAX
 * bytes. The memory is wiped when it is given back: such files hold passwords. */
#ifndef SLUICE_CONFIG_LINES_H
#define SLUICE_CONFIG_LINES_H

#include "core/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define LINES_FILE_MAX ((size_t)16 << 20)

struct lines {
	char *data; /* owned */
	size_t len, at;
	int line;  /* of the line last given; the first is 1 */
	dev_t dev; /* which file it is, whatever path led there */
	ino_t ino;
};

/* FAULT_CONFIG, with what is wrong but not the path, which the caller knows; FAULT_NOMEM. */
bool lines_open(struct lines *l, const char *path, struct fault *f);
/* The next line, in place, without its LF or CRLF (and, the first, without a byte order mark), NUL-terminated; NULL at
 * the end. strlen() < *len: a NUL byte is in it. */
char *lines_next(struct lines *l, size_t *len);
void lines_close(struct lines *l); /* twice is harmless */

#endif
