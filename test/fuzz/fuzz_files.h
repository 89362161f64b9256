/* fuzz_files.h - a file system in memory for the readers of configuration files: programs that are linked with
 * FUZZ_FILES_WRAPS see these files and, while there are any, no others. */
#ifndef SLUICE_TEST_FUZZ_FILES_H
#define SLUICE_TEST_FUZZ_FILES_H

#include <stddef.h>
#include <stdint.h>

/* Makes files of an input: main.ini up to the first line "#=NAME" (a comment in such files), and from there on the file
 * of that name; at most seven. */
void fuzz_files_make(const uint8_t *data, size_t size);
/* The bytes of a file; NULL when there is none. */
const uint8_t *fuzz_files_find(const char *name, size_t *len);
void fuzz_files_remove(void);

#endif
