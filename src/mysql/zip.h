/* zip.h - zlib and zstd, as MySQL's protocol uses them: each packet by itself. What works on packets is the worker's:
 * one to compress, and to decompress as many as there are packets that have come in part. All on the loop's thread; the
 * libraries' types stay in zip.c. */
#ifndef SLUICE_MYSQL_ZIP_H
#define SLUICE_MYSQL_ZIP_H

#include "core/rd.h"

enum mysql_zip { MYSQL_ZIP_NONE, MYSQL_ZIP_ZLIB, MYSQL_ZIP_ZSTD };

/* Is it built in? */
bool mysql_zip_has(enum mysql_zip kind);
const char *mysql_zip_name(enum mysql_zip kind);

/* Compresses n bytes to fewer than n; gives how many, or 0: it does not pay, or there is no memory for it. level: 1 the
 * quickest to 22; zlib's end at 9. out: n bytes. */
#define MYSQL_ZIP_MAX (64u << 10)
size_t mysql_zip(enum mysql_zip kind, int level, const void *p, size_t n, uint8_t *out);

/* One packet that is being decompressed. NULL: out of memory. */
struct mysql_unzip;
struct mysql_unzip *mysql_unzip_get(enum mysql_zip kind);
void mysql_unzip_put(struct mysql_unzip *u); /* NULL is fine */

enum mysql_unzipped { MYSQL_UNZIP_ON, MYSQL_UNZIP_END, MYSQL_UNZIP_BAD, MYSQL_UNZIP_NOMEM };
/* Reads from *in, and writes at most `room` bytes, one or more, to out; *n of them. ON: it stopped for want of either.
 */
enum mysql_unzipped mysql_unzip(struct mysql_unzip *u, struct rd *in, uint8_t *out, size_t room, size_t *n);

#endif
