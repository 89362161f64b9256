/* zip.c - the two compressions of MySQL's protocol, by their libraries. RFC 1950 (zlib), RFC 8878 (zstd). */
#include "mysql/zip.h"

#include "core/assert.h"

#include <stdlib.h>
#include <zlib.h>
#ifdef HAVE_LIBZSTD
#include <zstd.h>
#include <zstd_errors.h>
#endif

#define FREE_MAX    8u         /* decompressors of each kind that are kept for the next packet */
#define FREE_BYTES  (1u << 20) /* zstd's grow with what they have seen: one of more than this is not kept */
#define ZLIB_LEVELS 9
#define ZSTD_WINDOW 24 /* bits: no packet has more than 16 MB, so none needs a longer memory */

struct mysql_unzip {
	enum mysql_zip kind;
	struct mysql_unzip *next; /* of those that are free */
	z_stream z;
#ifdef HAVE_LIBZSTD
	ZSTD_DCtx *zstd; /* owned */
#endif
};

static struct {
	struct mysql_unzip *first;
	unsigned n;
} kept[MYSQL_ZIP_ZSTD + 1];

bool mysql_zip_has(enum mysql_zip kind)
{
#ifdef HAVE_LIBZSTD
	return kind == MYSQL_ZIP_ZLIB || kind == MYSQL_ZIP_ZSTD;
#else
	return kind == MYSQL_ZIP_ZLIB;
#endif
}

const char *mysql_zip_name(enum mysql_zip kind)
{
	static const char *const names[] = { "", "zlib", "zstd" };
	return names[kind];
}

/* --- Compressing */

static size_t zip_zlib(int level, const void *p, size_t n, uint8_t *out)
{
	static z_stream z; /* the library's 256 KB of it stay for the next packet */
	static int begun_at;
	if (level > ZLIB_LEVELS)
		level = ZLIB_LEVELS;
	if (begun_at && begun_at != level) {
		(void)deflateEnd(&z);
		begun_at = 0;
	}
	if (!begun_at) {
		z = (z_stream){ .zalloc = NULL };
		if (deflateInit(&z, level) != Z_OK)
			return 0;
		begun_at = level;
	}
	z.next_in = (Bytef *)(uintptr_t)p;
	z.avail_in = (uInt)n;
	z.next_out = out;
	z.avail_out = (uInt)n - 1;
	bool fits = deflate(&z, Z_FINISH) == Z_STREAM_END;
	size_t made = n - 1 - z.avail_out;
	(void)deflateReset(&z);
	return fits ? made : 0;
}

#ifdef HAVE_LIBZSTD
static size_t zip_zstd(int level, const void *p, size_t n, uint8_t *out)
{
	static ZSTD_CCtx *c;
	if (!c)
		c = ZSTD_createCCtx();
	size_t made = c ? ZSTD_compressCCtx(c, out, n - 1, p, n, level) : 0;
	return ZSTD_isError(made) ? 0 : made;
}
#endif

size_t mysql_zip(enum mysql_zip kind, int level, const void *p, size_t n, uint8_t *out)
{
	ASSERT(n <= MYSQL_ZIP_MAX);
	if (n < 2)
		return 0;
#ifdef HAVE_LIBZSTD
	if (kind == MYSQL_ZIP_ZSTD)
		return zip_zstd(level, p, n, out);
#endif
	return kind == MYSQL_ZIP_ZLIB ? zip_zlib(level, p, n, out) : 0;
}

/* --- Decompressing */

static void unzip_free(struct mysql_unzip *u)
{
#ifdef HAVE_LIBZSTD
	if (u->kind == MYSQL_ZIP_ZSTD)
		(void)ZSTD_freeDCtx(u->zstd);
#endif
	if (u->kind == MYSQL_ZIP_ZLIB)
		(void)inflateEnd(&u->z);
	free(u);
}

static bool unzip_begin(struct mysql_unzip *u)
{
#ifdef HAVE_LIBZSTD
	if (u->kind == MYSQL_ZIP_ZSTD) {
		u->zstd = ZSTD_createDCtx();
		return u->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW));
	}
#endif
	return inflateInit(&u->z) == Z_OK;
}

struct mysql_unzip *mysql_unzip_get(enum mysql_zip kind)
{
	struct mysql_unzip *u = kept[kind].first;
	if (u) {
		kept[kind].first = u->next;
		kept[kind].n--;
		return u;
	}
	u = mysql_zip_has(kind) ? calloc(1, sizeof *u) : NULL;
	if (!u)
		return NULL;
	u->kind = kind;
	if (unzip_begin(u))
		return u;
	unzip_free(u);
	return NULL;
}

/* It is as new? */
static bool unzip_reset(struct mysql_unzip *u)
{
#ifdef HAVE_LIBZSTD
	if (u->kind == MYSQL_ZIP_ZSTD)
		return ZSTD_sizeof_DCtx(u->zstd) <= FREE_BYTES &&
		       !ZSTD_isError(ZSTD_DCtx_reset(u->zstd, ZSTD_reset_session_only));
#endif
	return inflateReset(&u->z) == Z_OK;
}

void mysql_unzip_put(struct mysql_unzip *u)
{
	if (!u)
		return;
	if (kept[u->kind].n >= FREE_MAX || !unzip_reset(u)) {
		unzip_free(u);
		return;
	}
	u->next = kept[u->kind].first;
	kept[u->kind].first = u;
	kept[u->kind].n++;
}

static enum mysql_unzipped unzip_zlib(struct mysql_unzip *u, struct rd *in, uint8_t *out, size_t room, size_t *n)
{
	u->z.next_in = (Bytef *)(uintptr_t)in->p;
	u->z.avail_in = (uInt)rd_left(in);
	u->z.next_out = out;
	u->z.avail_out = (uInt)room;
	int rc = inflate(&u->z, Z_NO_FLUSH);
	(void)rd_take(in, rd_left(in) - u->z.avail_in);
	*n = room - u->z.avail_out;
	switch (rc) {
	case Z_OK:
	case Z_BUF_ERROR: /* it could do nothing, which is no error */
		return MYSQL_UNZIP_ON;
	case Z_STREAM_END:
		return MYSQL_UNZIP_END;
	case Z_MEM_ERROR:
		return MYSQL_UNZIP_NOMEM;
	default:
		return MYSQL_UNZIP_BAD;
	}
}

#ifdef HAVE_LIBZSTD
static enum mysql_unzipped unzip_zstd(struct mysql_unzip *u, struct rd *in, uint8_t *out, size_t room, size_t *n)
{
	ZSTD_inBuffer from = { in->p, rd_left(in), 0 };
	ZSTD_outBuffer to = { out, room, 0 };
	size_t rc = ZSTD_decompressStream(u->zstd, &to, &from);
	(void)rd_take(in, from.pos);
	*n = to.pos;
	if (rc == 0)
		return MYSQL_UNZIP_END;
	if (!ZSTD_isError(rc))
		return MYSQL_UNZIP_ON;
	return ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation ? MYSQL_UNZIP_NOMEM : MYSQL_UNZIP_BAD;
}
#endif

enum mysql_unzipped mysql_unzip(struct mysql_unzip *u, struct rd *in, uint8_t *out, size_t room, size_t *n)
{
#ifdef HAVE_LIBZSTD
	if (u->kind == MYSQL_ZIP_ZSTD)
		return unzip_zstd(u, in, out, room, n);
#endif
	return unzip_zlib(u, in, out, room, n);
}
