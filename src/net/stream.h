/* stream.h - one socket: reading into the worker's buffer, a queue of pieces to write, and who is told.
 * Reading: the owner gets all bytes that one read gave (and what it left before) as a cursor, consumes what it can, and
 * what it leaves is kept and shown again with more behind it. Bytes under the cursor are borrowed: valid until the
 * callback returns.
 * Writing: pieces are queued (borrowed spans, copies) and leave in one system call when the callback has returned, or
 * at the end of the turn; what the kernel does not take is copied and kept, and the owner hears that the stream stalls.
 * TLS: a stream becomes encrypted by stream_start_tls(), and nothing else changes for its owner. What is kept to be
 * written is ciphertext then. Likewise stream_start_codec(), above TLS: what one read gave is shown in pieces then.
 * All on the loop's thread. Callbacks fire from the loop, never inside a call of this module but stream_redeliver(). */
#ifndef SLUICE_NET_STREAM_H
#define SLUICE_NET_STREAM_H

#include "core/buf.h"
#include "core/fault.h"
#include "core/list.h"
#include "core/rd.h"
#include "net/addr.h"

#include <ev.h>

#define STREAM_READ_SIZE (64u << 10) /* bytes that one read asks for */
#define STREAM_KEEP_MAX                                                                                                \
	(64u << 10) /* reading stops when the owner leaves this many or more; no message that must be                  \
		       held whole may be longer */

struct stream;

struct stream_ops {
	/* Bytes came. May close the stream. */
	void (*on_bytes)(struct stream *st, struct rd *in);
	/* The other end closed (why == NULL), or the socket failed. The owner closes the stream. */
	void (*on_end)(struct stream *st, const struct fault *why);
	/* stream_connect() got through. */
	void (*on_connect)(struct stream *st);
	/* Output is held up (true), or all of it has left again (false). */
	void (*on_stall)(struct stream *st, bool stalled);
	/* The handshake of stream_start_tls() is through. May be NULL. */
	void (*on_secure)(struct stream *st);
};

/* Why reading is held; bits. */
enum {
	HOLD_PEER = 1 /* whom we write to is stalled */,
	HOLD_FULL = 2 /* ours: too much is kept */,
	HOLD_OWNER = 4,
	HOLD_SELF = 8 /* it does not take our answers */,
	HOLD_CODED = 16 /* ours: too much is kept that its codec cannot read yet */
};

struct codec;
struct outq;
struct tls;
struct tls_start;

struct stream {
	struct ev_io io; /* io.fd is -1 when closed */
	const struct stream_ops *ops;
	struct buf *in;      /* owned: what the owner left; NULL mostly */
	struct outq *out;    /* owned: pieces of this callback; NULL mostly */
	struct buf *backlog; /* owned, a chain: what the kernel did not take; NULL mostly */
	struct tls *tls;     /* owned; NULL: plain. For questions, see net/tls.h */
	struct codec *codec; /* owned; NULL: bytes are as they are sent */
	struct list in_dirty;
	uint8_t holds;
	bool connecting, failed;
	bool is_wrapped; /* by TLS or a codec */
};

/* Takes over fd (non-blocking) and begins to read. */
void stream_open(struct stream *st, int fd, const struct stream_ops *ops);
/* Begins a connect to an address, or to the socket file `path` when that is not NULL; on_connect or on_end follows.
 * FAULT_CONNECT, with errno's words, when the kernel refuses at once; FAULT_BUSY when out of descriptors, which says
 * nothing about the other end. st is closed then. */
bool stream_connect(struct stream *st, const struct addr *a, const char *path, const struct stream_ops *ops,
		    struct fault *f);
/* Options of the TCP connections that stream_connect() opens from now on; 0: the system's. TCP_NODELAY is always set.
 */
struct stream_tcp {
	bool keepalive;
	int keepcnt, keepidle_s, keepintvl_s, user_timeout_ms, socket_buffer;
};
void stream_set_tcp(const struct stream_tcp *t);
static inline bool stream_is_open(const struct stream *st)
{
	return st->io.fd >= 0;
}
static inline bool stream_is_stalled(const struct stream *st)
{
	return st->backlog != NULL;
}
/* Queues n bytes that stay valid until the callback that is running returns. */
void stream_put_span(struct stream *st, const void *p, size_t n);
/* Queues a copy. */
void stream_put_copy(struct stream *st, const void *p, size_t n);
/* Queues n bytes to be filled in by the caller at once; NULL when out of memory: the stream is failed then, and its
 * owner hears on_end. */
void *stream_put_room(struct stream *st, size_t n);
/* Encrypts from here on: what is queued leaves in plain before it, what is put while the handshake goes on is dropped.
 * first: bytes of the other side's that have come already and belong to its handshake, consumed; NULL: none. on_secure
 * or on_end follows, never from within this call. False when out of memory, and nothing has changed. */
bool stream_start_tls(struct stream *st, const struct tls_start *how, struct rd *first);
/* Passes all bytes through a codec from here on: what is queued leaves without it, before it. The stream's from now on.
 * rest: what the owner has been shown and belongs to the codec, consumed; NULL: none. What is kept belongs to it too.
 */
void stream_start_codec(struct stream *st, struct codec *c, struct rd *rest);
/* Likewise, for whoever began it without knowing the rest. */
void stream_to_codec(struct stream *st, struct rd *rest);
/* Reads now, without waiting for the loop to say that there is something (after a deferred accept). */
void stream_read_now(struct stream *st);
/* Shows what is kept to the owner again; nothing happens when nothing is kept. Not from within any
 * on_bytes: put it off to the turn's end. What a codec keeps is read on, later in the turn. */
void stream_redeliver(struct stream *st);
void stream_hold(struct stream *st, unsigned why);
void stream_unhold(struct stream *st, unsigned why);
/* Asks the kernel, for who is not read from: will the other end say no more? What it has said may still wait to be
 * read.
 */
bool stream_has_hung_up(const struct stream *st);
/* The owner has consumed these bytes, and wants to be shown them again, in front of what is kept: with what comes next,
 * or by stream_redeliver(). Not from within its own on_bytes. False when out of memory: nothing has changed. */
bool stream_unread(struct stream *st, const void *p, size_t n);
/* Bytes kept unread by the owner. */
static inline size_t stream_kept(const struct stream *st)
{
	return st->in ? st->in->len : 0;
}
/* Bytes that have come and are kept for a codec, which will make others of them. */
size_t stream_coded(const struct stream *st);
/* Bytes that the kernel did not take yet. */
static inline size_t stream_stalled(const struct stream *st)
{
	size_t n = 0;
	for (const struct buf *b = st->backlog; b; b = b->next)
		n += b->len;
	return n;
}
/* Tries to write what is queued, then closes and forgets the rest. No callback fires any more. A second time is
 * harmless. drain: what the peer has sent is read away first, so that the kernel's reset does not overtake our last
 * words. */
void stream_close(struct stream *st, bool drain);

#endif
