/* stream_int.h - between stream.c and stream_wrap.c, which is what lies between a socket and its owner: TLS, and a
 * codec above it. */
#ifndef SLUICE_NET_STREAM_INT_H
#define SLUICE_NET_STREAM_INT_H

#include "core/slab.h"
#include "net/stream.h"
#include "net/tls.h"

#define OUT_PIECES 16
#define FRONT_MAX  512u /* kept input up to this is copied in front of the next read */

struct outq {
	struct iovec v[OUT_PIECES];
	size_t n;
};
extern struct slab stream_outqs;

/* The read buffer: FRONT_MAX bytes for what was kept, then the room of one read; a record that was begun before may end
 * in it. */
extern uint8_t stream_read_buf[FRONT_MAX + STREAM_READ_SIZE + TLS_RECORD_MAX];
extern bool stream_read_busy;

/* --- stream.c */

/* send(), again when a signal came. */
ssize_t stream_write(int fd, struct iovec *v, size_t n);
/* Keeps bytes behind the backlog. */
bool stream_keep_out(struct stream *st, const uint8_t *p, size_t n);
void stream_drop_out(struct stream *st);
void stream_tell_stall(struct stream *st, bool was_stalled);
void stream_fail_later(struct stream *st);
/* Writes the queued pieces; what is not taken is kept. Gives 0, or the errno with which the socket broke. */
int stream_flush(struct stream *st);
void stream_flush_dirty(void);
/* Shows what came, behind what was kept: n bytes at stream_read_buf + FRONT_MAX. */
void stream_show(struct stream *st, size_t n);
/* The other end closed, or the socket failed. */
void stream_end(struct stream *st, int err);

/* --- stream_wrap.c: of streams that are wrapped. */

int wrap_flush(struct stream *st);
void wrap_read(struct stream *st);
void wrap_close(struct stream *st);
/* What the codec keeps may be read now. */
void wrap_wake(struct stream *st);
/* Why it failed, when that was not for want of memory. */
bool wrap_why(const struct stream *st, struct fault *f);

#endif
