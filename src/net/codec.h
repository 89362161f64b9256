/* codec.h - a layer between a stream's socket, or its TLS, and its owner, that changes the bytes in both directions:
 * compression. What it does to them is its protocol's; how it is fed, and what is kept of its input, is
 * net/stream_wrap.c's. All on the loop's thread. */
#ifndef SLUICE_NET_CODEC_H
#define SLUICE_NET_CODEC_H

#include "core/buf.h"
#include "core/fault.h"
#include "core/list.h"
#include "core/rd.h"

#include <sys/uio.h>

enum codec_got {
	CODEC_MORE,  /* of the wire's bytes, or nothing comes */
	CODEC_PIECE, /* there may be more where that came from */
	CODEC_WAIT,  /* not before the owner has taken what it was shown, or has the stream shown again */
	CODEC_BAD    /* f says what is wrong; the other end is not to be understood any more */
};

struct stream;
struct codec;
/* Takes bytes that are to leave; false: they cannot. */
typedef bool codec_put_cb(void *arg, const uint8_t *p, size_t n);

struct codec_ops {
	const char *name; /* for people */
	/* From `wire` to at most cap bytes at out; *n is set whatever comes back. is_kept: the owner has left something
	 * of what it was shown before. */
	enum codec_got (*read)(struct codec *c, struct rd *wire, bool is_kept, uint8_t *out, size_t cap, size_t *n,
			       struct fault *f);
	/* is_last: nothing follows. False: it cannot, and the connection is of no use any more. */
	bool (*write)(struct codec *c, const struct iovec *v, size_t n, bool is_last, codec_put_cb *put, void *arg);
	void (*free)(struct codec *c);
};

struct codec {
	const struct codec_ops *ops;
	bool is_due; /* it has held something back that may leave now: write() of nothing */
	/* The stream's. */
	struct stream *stream;
	struct buf *kept; /* owned: what came and could not be read yet; NULL mostly */
	struct list in_wake;
	bool is_reading, has_more;
};

#endif
