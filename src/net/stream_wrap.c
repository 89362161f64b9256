/* stream_wrap.c - what lies between a socket and a stream's owner: TLS, and a codec above it. RFC 8446.
 * Both are fed what one read gave, and what they make of it is shown as if it had been read. What they make of the
 * pieces of a callback leaves together. */
#include "net/stream_int.h"

#include "core/assert.h"
#include "core/loop.h"
#include "net/codec.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* What one read gave, as it came, and, where there is a codec, without its TLS; and what leaves together, of one stream
 * at a time and never for longer than a call. */
static uint8_t wire_in[STREAM_READ_SIZE];
static uint8_t coded[STREAM_READ_SIZE + TLS_RECORD_MAX];
static uint8_t wire_out[STREAM_READ_SIZE + TLS_RECORD_MAX];
static size_t wire_len;
static struct list waking = { &waking, &waking };
static struct task wake_task;

/* --- On the way out */

/* Sends what wire_out has of this stream; what is not taken is kept. 0 or errno. */
static int wire_send(struct stream *st)
{
	size_t done = 0, n = wire_len;
	struct iovec v = { wire_out, n };
	wire_len = 0;
	if (n == 0)
		return 0;
	if (!st->backlog) {
		ssize_t rc = stream_write(st->io.fd, &v, 1);
		if (rc >= 0)
			done = (size_t)rc;
		else if (errno != EAGAIN && errno != EWOULDBLOCK)
			return errno;
	}
	return done == n || stream_keep_out(st, wire_out + done, n - done) ? 0 : ENOMEM;
}

static bool wire_put(void *arg, const uint8_t *p, size_t n)
{
	struct stream *st = arg;
	while (n > 0) {
		size_t fits = sizeof wire_out - wire_len < n ? sizeof wire_out - wire_len : n;
		memcpy(wire_out + wire_len, p, fits);
		wire_len += fits;
		p += fits;
		n -= fits;
		if (n > 0 && wire_send(st) != 0)
			return false;
	}
	return true;
}

/* Encrypts pieces, small ones together: a record has some 30 bytes and a microsecond of its own. */
static bool encrypt(struct tls *t, const struct iovec *v, size_t n)
{
	static uint8_t joined[TLS_PLAIN_MAX];
	size_t len = 0;
	for (size_t i = 0; i < n; i++) {
		const uint8_t *at = v[i].iov_base;
		size_t left = v[i].iov_len;
		while (left > 0) {
			if (len == 0 && (left >= sizeof joined || i + 1 == n)) { /* as it stands */
				size_t whole = i + 1 == n ? left : left - left % sizeof joined;
				if (!tls_write(t, at, whole))
					return false;
				at += whole;
				left -= whole;
				continue;
			}
			size_t fits = sizeof joined - len < left ? sizeof joined - len : left;
			memcpy(joined + len, at, fits);
			len += fits;
			at += fits;
			left -= fits;
			if (len == sizeof joined) {
				if (!tls_write(t, joined, len))
					return false;
				len = 0;
			}
		}
	}
	return len == 0 || tls_write(t, joined, len);
}

/* Beneath a codec. */
static bool put_coded(void *arg, const uint8_t *p, size_t n)
{
	struct stream *st = arg;
	return st->tls ? tls_write(st->tls, p, n) : wire_put(st, p, n);
}

/* In TLS's handshake there is nothing to say it in. */
static bool put_pieces(struct stream *st, const struct iovec *v, size_t n, bool is_last)
{
	if (st->codec)
		return st->codec->ops->write(st->codec, v, n, is_last, put_coded, st);
	return n == 0 || !tls_is_up(st->tls) || encrypt(st->tls, v, n);
}

/* What has been put leaves. 0 or errno. */
static int send_all(struct stream *st, bool ok, bool was_stalled)
{
	int err = wire_send(st);
	if (!err && !ok)
		err = EIO;
	if (!err)
		stream_tell_stall(st, was_stalled);
	return err;
}

int wrap_flush(struct stream *st)
{
	struct outq *q = st->out;
	bool was_stalled = st->backlog != NULL;
	bool ok = put_pieces(st, q->v, q->n, false);
	slab_put(&stream_outqs, q);
	st->out = NULL;
	return send_all(st, ok, was_stalled);
}

static struct {
	const struct stream *st;
	struct fault f;
} failed_tls;

bool wrap_why(const struct stream *st, struct fault *f)
{
	if (failed_tls.st != st)
		return false;
	*f = failed_tls.f;
	failed_tls.st = NULL;
	return true;
}

/* What is queued leaves as it stands, before the stream is wrapped in anything more. */
static void flush_before(struct stream *st)
{
	if (!st->out)
		return;
	list_del(&st->in_dirty);
	if (stream_flush(st)) {
		stream_drop_out(st);
		stream_fail_later(st);
	}
}

/* --- On the way in */

/* n bytes at stream_read_buf + FRONT_MAX. */
static void show(struct stream *st, size_t n)
{
	if (!st->in || st->in->len <= FRONT_MAX)
		stream_show(st, n);
	else if (buf_append(&st->in, stream_read_buf + FRONT_MAX, n)) /* too much to copy each time */
		stream_redeliver(st);
	else
		stream_fail_later(st);
}

/* --- A codec */

size_t stream_coded(const struct stream *st)
{
	return st->codec && st->codec->kept ? st->codec->kept->len : 0;
}

/* Whoever reads it is not to be given more now. */
static bool is_paused(const struct stream *st)
{
	return (st->holds & ~(unsigned)(HOLD_FULL | HOLD_CODED)) || stream_kept(st) >= STREAM_KEEP_MAX;
}

/* What the codec has held back leaves. */
static void release(struct stream *st)
{
	bool was_stalled = st->backlog != NULL;
	bool ok = st->failed || put_pieces(st, NULL, 0, false);
	if (send_all(st, ok, was_stalled))
		stream_fail_later(st);
}

/* Gives the codec n bytes more, and shows what it makes of all that it has, a piece at a time. */
static void decode(struct stream *st, const uint8_t *p, size_t n)
{
	struct codec *c = st->codec;
	struct buf *b = c->kept;
	struct rd wire = rd_of(p, n);
	enum codec_got got = CODEC_PIECE;
	struct fault f;

	if (b) {
		if (!buf_append(&c->kept, p, n)) {
			stream_fail_later(st);
			return;
		}
		b = c->kept; /* out of st while it is lent, so that whoever closes st does not free it */
		c->kept = NULL;
		wire = rd_of(b->data + b->start, b->len);
	}
	c->is_reading = true;
	while (got == CODEC_PIECE && !is_paused(st) && !st->failed) {
		size_t len = 0;
		got = c->ops->read(c, &wire, st->in != NULL, stream_read_buf + FRONT_MAX, STREAM_READ_SIZE, &len, &f);
		if (len)
			show(st, len);
		if (!stream_is_open(st)) {
			buf_put(b);
			return;
		}
	}
	c->is_reading = false;
	c->has_more = got == CODEC_PIECE;
	if (b) {
		buf_drop(b, b->len - rd_left(&wire));
		if (b->len) {
			c->kept = b;
		} else {
			buf_put(b);
		}
	} else if (rd_left(&wire) && !buf_append(&c->kept, wire.p, rd_left(&wire))) {
		stream_fail_later(st);
	}
	if (got == CODEC_BAD) {
		st->ops->on_end(st, &f);
		if (stream_is_open(st))
			st->failed = true;
		return;
	}
	if (c->is_due)
		release(st);
	if (stream_coded(st) >= STREAM_KEEP_MAX)
		stream_hold(st, HOLD_CODED);
	else
		stream_unhold(st, HOLD_CODED);
}

static void run_wake(struct task *t)
{
	(void)t;
	while (!list_empty(&waking)) {
		struct codec *c = list_owner(waking.next, struct codec, in_wake);
		list_del(&c->in_wake);
		if (!c->stream->failed)
			decode(c->stream, NULL, 0);
		stream_flush_dirty();
	}
}

void wrap_wake(struct stream *st)
{
	struct codec *c = st->codec;
	if (!c || c->is_reading || !(c->kept || c->has_more) || is_paused(st))
		return;
	wake_task.run = run_wake;
	if (list_empty(&c->in_wake))
		list_add(&waking, &c->in_wake);
	loop_defer(&wake_task);
}

void stream_to_codec(struct stream *st, struct rd *rest)
{
	size_t n = rd_left(rest);
	if (n && !buf_append(&st->codec->kept, rd_take(rest, n), n))
		stream_fail_later(st);
	wrap_wake(st);
}

void stream_start_codec(struct stream *st, struct codec *c, struct rd *rest)
{
	ASSERT(!st->codec);
	flush_before(st);
	c->stream = st;
	c->kept = st->in;
	list_init(&c->in_wake);
	st->in = NULL;
	st->codec = c;
	st->is_wrapped = true;
	stream_unhold(st, HOLD_FULL);
	if (rest)
		stream_to_codec(st, rest);
	else
		wrap_wake(st);
}

static void read_coded(struct stream *st)
{
	ssize_t n;
	do
		n = recv(st->io.fd, coded, STREAM_READ_SIZE, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		decode(st, coded, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
		stream_end(st, n < 0 ? errno : 0);
	stream_flush_dirty();
}

/* --- TLS */

static void end_tls(struct stream *st, const struct fault *f)
{
	st->failed = true;
	st->ops->on_end(st, f);
}

/* What the library had to say of itself (its part of the handshake, an alert) leaves. False: the stream is over. */
static bool send_own(struct stream *st, bool was_stalled)
{
	int err = wire_send(st);
	if (!err) {
		stream_tell_stall(st, was_stalled);
		return stream_is_open(st);
	}
	stream_end(st, err);
	return false;
}

static bool go_on_shaking(struct stream *st)
{
	struct fault f;
	bool was_stalled = st->backlog != NULL;
	enum tls_got got = tls_handshake(st->tls, &f);
	if (!send_own(st, was_stalled))
		return false;
	if (got == TLS_FAILED)
		end_tls(st, &f);
	if (got != TLS_OK)
		return false;
	if (st->ops->on_secure) {
		stream_read_busy = true;
		st->ops->on_secure(st);
		stream_read_busy = false;
	}
	return stream_is_open(st);
}

static void read_tls(struct stream *st)
{
	uint8_t *base = st->codec ? coded : stream_read_buf + FRONT_MAX;
	struct fault f;
	size_t len = 0;
	ssize_t n;

	do
		n = recv(st->io.fd, wire_in, sizeof wire_in, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
			stream_end(st, n < 0 ? errno : 0);
		return;
	}
	tls_feed(st->tls, wire_in, (size_t)n);
	if (!tls_is_up(st->tls) && !go_on_shaking(st)) {
		tls_feed(NULL, NULL, 0);
		stream_flush_dirty();
		return;
	}
	bool was_stalled = st->backlog != NULL;
	enum tls_got got = tls_read(st->tls, base, STREAM_READ_SIZE + TLS_RECORD_MAX, &len, &f);
	if (!send_own(st, was_stalled)) {
		stream_flush_dirty();
		return;
	}
	if (len > 0 && st->codec)
		decode(st, base, len);
	else if (len > 0)
		show(st, len);
	stream_flush_dirty();
	if (got == TLS_MORE || !stream_is_open(st) || st->failed)
		return;
	if (got == TLS_END)
		stream_end(st, 0);
	else
		end_tls(st, &f);
}

bool stream_start_tls(struct stream *st, const struct tls_start *how, struct rd *first)
{
	ASSERT(!st->tls && !st->codec);
	struct tls *t = tls_new(how, wire_put, st);
	if (!t)
		return false;
	flush_before(st);
	st->tls = t;
	st->is_wrapped = true;
	if (first) {
		size_t n = rd_left(first);
		tls_feed(t, rd_take(first, n), n);
	}
	struct fault f;
	bool was_stalled = st->backlog != NULL;
	enum tls_got got = tls_handshake(t, &f);
	int err = wire_send(st);
	if (!err)
		stream_tell_stall(st, was_stalled);
	if (got == TLS_OK) { /* no handshake is so short */
		got = TLS_FAILED;
		fault_set(&f, FAULT_IO, "TLS handshake failed: it ended before it began");
	}
	if (err || got == TLS_FAILED) {
		if (got == TLS_FAILED) {
			failed_tls.st = st;
			failed_tls.f = f;
		}
		stream_fail_later(st);
	}
	return true;
}

void wrap_read(struct stream *st)
{
	if (st->tls)
		read_tls(st);
	else
		read_coded(st);
}

/* Last words, and TLS's goodbye behind them, which tells the other end that nothing was cut off. */
void wrap_close(struct stream *st)
{
	if (!st->failed && !st->backlog) {
		(void)put_pieces(st, st->out ? st->out->v : NULL, st->out ? st->out->n : 0, true);
		if (st->tls)
			tls_bye(st->tls);
		(void)wire_send(st);
	}
	wire_len = 0;
	tls_free(st->tls);
	st->tls = NULL;
	if (failed_tls.st == st)
		failed_tls.st = NULL;
	if (st->codec) {
		list_del(&st->codec->in_wake);
		buf_put(st->codec->kept);
		st->codec->ops->free(st->codec);
		st->codec = NULL;
	}
}
