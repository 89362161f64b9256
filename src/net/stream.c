/* stream.c - sockets on the loop: one read buffer for the worker, pieces out by one write. */
#include "net/stream_int.h"

#include "core/assert.h"
#include "core/loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ARENA_SIZE (32u << 10) /* copies that live until the next flush */

struct slab stream_outqs;
uint8_t stream_read_buf[FRONT_MAX + STREAM_READ_SIZE + TLS_RECORD_MAX];
bool stream_read_busy;
static uint8_t arena[ARENA_SIZE];
static size_t arena_used;
static struct buf *arena_more; /* a chain, for what did not fit */
static struct list dirty = { &dirty, &dirty };
static struct task flush_task;

static void on_io(struct ev_loop *loop, struct ev_io *io, int revents);

static void run_flush(struct task *t)
{
	(void)t;
	stream_flush_dirty();
}

static struct stream *stream_of(struct ev_io *io)
{
	return list_owner(io, struct stream, io);
}

/* --- What we watch for */

static void watch(struct stream *st)
{
	int want = (st->holds || st->connecting ? 0 : EV_READ) | (st->backlog || st->connecting ? EV_WRITE : 0);
	if (want == (st->io.events & (EV_READ | EV_WRITE)) && ev_is_active(&st->io) == (want != 0))
		return;
	ev_io_stop(loop_ev(), &st->io);
	ev_io_set(&st->io, st->io.fd, want);
	if (want)
		ev_io_start(loop_ev(), &st->io);
}

static void stream_begin(struct stream *st, int fd, const struct stream_ops *ops, bool connecting)
{
	if (!stream_outqs.size) {
		slab_init(&stream_outqs, "outq", sizeof(struct outq));
		flush_task.run = run_flush;
	}
	*st = (struct stream){ .ops = ops, .connecting = connecting };
	list_init(&st->in_dirty);
	ev_io_init(&st->io, on_io, fd, connecting ? EV_WRITE : EV_READ);
	ev_io_start(loop_ev(), &st->io);
}

void stream_open(struct stream *st, int fd, const struct stream_ops *ops)
{
	stream_begin(st, fd, ops, false);
}

static struct stream_tcp tcp;

void stream_set_tcp(const struct stream_tcp *t)
{
	tcp = *t;
}

/* What listeners give to the connections that they accept. Each is a wish: without it the connection works too. */
static void set_tcp(int fd)
{
	const struct {
		bool wanted;
		int level, option, value;
	} wishes[] = {
		{ true, IPPROTO_TCP, TCP_NODELAY, 1 },
		{ tcp.keepalive, SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ tcp.keepalive && tcp.keepcnt, IPPROTO_TCP, TCP_KEEPCNT, tcp.keepcnt },
		{ tcp.keepalive && tcp.keepidle_s, IPPROTO_TCP, TCP_KEEPIDLE, tcp.keepidle_s },
		{ tcp.keepalive && tcp.keepintvl_s, IPPROTO_TCP, TCP_KEEPINTVL, tcp.keepintvl_s },
		{ tcp.socket_buffer, SOL_SOCKET, SO_SNDBUF, tcp.socket_buffer },
		{ tcp.socket_buffer, SOL_SOCKET, SO_RCVBUF, tcp.socket_buffer },
		{ tcp.user_timeout_ms, IPPROTO_TCP, TCP_USER_TIMEOUT, tcp.user_timeout_ms },
	};
	for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++)
		if (wishes[i].wanted)
			(void)setsockopt(fd, wishes[i].level, wishes[i].option, &wishes[i].value, sizeof(int));
}

bool stream_connect(struct stream *st, const struct addr *a, const char *path, const struct stream_ops *ops,
		    struct fault *f)
{
	union {
		struct sockaddr sa;
		struct sockaddr_storage ss;
		struct sockaddr_un un;
	} to;
	socklen_t len;

	memset(st, 0, sizeof *st);
	list_init(&st->in_dirty);
	st->io.fd = -1;
	if (path) {
		size_t n = strlen(path);
		memset(&to.un, 0, sizeof to.un);
		to.un.sun_family = AF_UNIX;
		if (n >= sizeof to.un.sun_path)
			return fault_set(f, FAULT_CONNECT, "socket path \"%s\" is longer than %zu bytes", path,
					 sizeof to.un.sun_path - 1);
		memcpy(to.un.sun_path, path, n);
		len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
		if (path[0] == '@') { /* abstract: named by its bytes, not by a NUL */
			to.un.sun_path[0] = 0;
			len--;
		}
	} else {
		len = addr_to_sockaddr(a, &to.ss);
	}
	int fd = socket(to.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		int err = errno;
		fault_errno(f, err, "no socket for a new connection");
		if (err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM)
			f->kind = FAULT_BUSY;
		return false;
	}
	if (!path)
		set_tcp(fd);
	int rc;
	do
		rc = connect(fd, &to.sa, len);
	while (rc < 0 && errno == EINTR);
	if (rc < 0 && errno != EINPROGRESS) {
		int err = errno;
		close(fd);
		return fault_set(f, FAULT_CONNECT, "%s", strerror(err));
	}
	stream_begin(st, fd, ops, true); /* a connect that is through already shows as writable in the next turn */
	return true;
}

void stream_hold(struct stream *st, unsigned why)
{
	st->holds |= (uint8_t)why;
	if (stream_is_open(st))
		watch(st);
}

void stream_unhold(struct stream *st, unsigned why)
{
	if (!(st->holds & why))
		return;
	st->holds &= (uint8_t)~why;
	if (stream_is_open(st))
		watch(st);
	if (st->is_wrapped)
		wrap_wake(st);
}

bool stream_has_hung_up(const struct stream *st)
{
	struct pollfd p = { .fd = st->io.fd, .events = POLLRDHUP };
	return stream_is_open(st) && poll(&p, 1, 0) == 1;
}

/* --- Writing */

void stream_fail_later(struct stream *st)
{
	st->failed = true;
	if (list_empty(&st->in_dirty))
		list_add(&dirty, &st->in_dirty);
	loop_defer(&flush_task);
}

bool stream_keep_out(struct stream *st, const uint8_t *p, size_t n)
{
	struct buf **at = &st->backlog;
	while (*at && (*at)->next)
		at = &(*at)->next;
	if (*at) {
		size_t fits = buf_room(*at);
		if (fits > n)
			fits = n;
		memcpy(buf_tail(*at), p, fits);
		(*at)->len += (uint32_t)fits;
		p += fits;
		n -= fits;
		at = &(*at)->next;
	}
	if (n == 0)
		return true;
	*at = buf_get(n);
	if (!*at)
		return false;
	(*at)->next = NULL;
	memcpy((*at)->data, p, n);
	(*at)->len = (uint32_t)n;
	return true;
}

void stream_drop_out(struct stream *st)
{
	if (st->out)
		slab_put(&stream_outqs, st->out);
	st->out = NULL;
	while (st->backlog) {
		struct buf *b = st->backlog;
		st->backlog = b->next;
		buf_put(b);
	}
}

static struct outq *out_for(struct stream *st)
{
	if (st->failed || !stream_is_open(st))
		return NULL;
	if (!st->out) {
		st->out = slab_get(&stream_outqs);
		if (!st->out) {
			stream_fail_later(st);
			return NULL;
		}
		if (list_empty(&st->in_dirty))
			list_add(&dirty, &st->in_dirty);
		if (!stream_read_busy)
			loop_defer(&flush_task);
	}
	return st->out;
}

ssize_t stream_write(int fd, struct iovec *v, size_t n)
{
	ssize_t rc;
	do {
		if (n == 1) {
			rc = send(fd, v[0].iov_base, v[0].iov_len, MSG_NOSIGNAL);
		} else {
			struct msghdr m = { .msg_iov = v, .msg_iovlen = n };
			rc = sendmsg(fd, &m, MSG_NOSIGNAL);
		}
	} while (rc < 0 && errno == EINTR);
	return rc;
}

void stream_tell_stall(struct stream *st, bool was_stalled)
{
	if (!st->backlog || was_stalled)
		return;
	watch(st);
	if (st->ops->on_stall)
		st->ops->on_stall(st, true);
}

int stream_flush(struct stream *st)
{
	struct outq *q = st->out;
	size_t done = 0;
	bool was_stalled = st->backlog != NULL;
	int err = 0;

	if (!q)
		return 0;
	if (st->is_wrapped)
		return wrap_flush(st);
	if (!was_stalled && !st->connecting) {
		ssize_t rc = stream_write(st->io.fd, q->v, q->n);
		if (rc >= 0)
			done = (size_t)rc;
		else if (errno != EAGAIN && errno != EWOULDBLOCK)
			err = errno;
	}
	for (size_t i = 0; i < q->n && !err; i++) {
		size_t skip = done < q->v[i].iov_len ? done : q->v[i].iov_len;
		done -= skip;
		if (skip < q->v[i].iov_len &&
		    !stream_keep_out(st, (uint8_t *)q->v[i].iov_base + skip, q->v[i].iov_len - skip))
			err = ENOMEM;
	}
	slab_put(&stream_outqs, q);
	st->out = NULL;
	if (!err)
		stream_tell_stall(st, was_stalled);
	return err;
}

void stream_flush_dirty(void)
{
	while (!list_empty(&dirty)) {
		struct stream *st = list_owner(dirty.next, struct stream, in_dirty);
		list_del(&st->in_dirty);
		int err = st->failed ? ENOMEM : stream_flush(st);
		if (err) {
			struct fault f;
			if (!wrap_why(st, &f))
				fault_errno(&f, err, "write");
			st->failed = true;
			stream_drop_out(st);
			st->ops->on_end(st, &f);
		}
	}
	arena_used = 0;
	while (arena_more) {
		struct buf *b = arena_more;
		arena_more = b->next;
		buf_put(b);
	}
}

static void *arena_room(size_t n)
{
	if (n <= ARENA_SIZE - arena_used) {
		void *p = arena + arena_used;
		arena_used += n;
		return p;
	}
	if (!arena_more || buf_room(arena_more) < n) {
		struct buf *b = buf_get(n < ARENA_SIZE ? ARENA_SIZE : n);
		if (!b)
			return NULL;
		b->next = arena_more;
		arena_more = b;
	}
	void *p = buf_tail(arena_more);
	arena_more->len += (uint32_t)n;
	return p;
}

void stream_put_span(struct stream *st, const void *p, size_t n)
{
	struct outq *q = n ? out_for(st) : NULL;
	if (!q)
		return;
	if (q->n) {
		struct iovec *last = &q->v[q->n - 1];
		if ((const uint8_t *)last->iov_base + last->iov_len == p) {
			last->iov_len += n;
			return;
		}
	}
	if (q->n == OUT_PIECES) { /* early, but in order */
		list_del(&st->in_dirty);
		if (stream_flush(st)) {
			stream_drop_out(st);
			stream_fail_later(st);
			return;
		}
		q = out_for(st);
		if (!q)
			return;
	}
	q->v[q->n++] = (struct iovec){ (void *)(uintptr_t)p, n };
}

void *stream_put_room(struct stream *st, size_t n)
{
	if (st->failed || !stream_is_open(st))
		return NULL;
	void *p = arena_room(n);
	if (!p) {
		stream_fail_later(st);
		return NULL;
	}
	stream_put_span(st, p, n);
	return st->failed ? NULL : p;
}

void stream_put_copy(struct stream *st, const void *p, size_t n)
{
	void *room = n ? stream_put_room(st, n) : NULL;
	if (room)
		memcpy(room, p, n);
}

/* The socket takes bytes again. */
static void write_backlog(struct stream *st)
{
	while (st->backlog) {
		struct buf *b = st->backlog;
		struct iovec v = { b->data + b->start, b->len };
		ssize_t rc = stream_write(st->io.fd, &v, 1);
		if (rc < 0) {
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				return;
			struct fault f;
			fault_errno(&f, errno, "write");
			st->failed = true;
			stream_drop_out(st);
			st->ops->on_end(st, &f);
			return;
		}
		buf_drop(b, (size_t)rc);
		if (b->len)
			return; /* it took a part: it is full again */
		st->backlog = b->next;
		buf_put(b);
	}
	watch(st);
	if (st->ops->on_stall)
		st->ops->on_stall(st, false);
}

/* --- Reading */

/* Shows `in` to the owner; false when the stream is closed after it. */
static bool deliver(struct stream *st, struct rd *in)
{
	st->ops->on_bytes(st, in);
	return stream_is_open(st); /* owners free a stream at the end of the turn at the earliest */
}

static void after_keep(struct stream *st)
{
	bool full = st->in && st->in->len >= STREAM_KEEP_MAX;
	if (full != ((st->holds & HOLD_FULL) != 0)) {
		if (full)
			stream_hold(st, HOLD_FULL);
		else
			stream_unhold(st, HOLD_FULL);
	}
}

void stream_end(struct stream *st, int err)
{
	struct fault f;
	if (err)
		fault_errno(&f, err, "read");
	st->ops->on_end(st, err ? &f : NULL);
}

void stream_show(struct stream *st, size_t n)
{
	size_t kept = 0;
	uint8_t *base = stream_read_buf + FRONT_MAX;
	if (st->in) {
		kept = st->in->len;
		base -= kept;
		memcpy(base, st->in->data + st->in->start, kept);
		buf_put(st->in);
		st->in = NULL;
	}
	struct rd in = rd_of(base, kept + n);
	stream_read_busy = true;
	bool open = deliver(st, &in);
	if (open && rd_left(&in) && !buf_append(&st->in, in.p, rd_left(&in)))
		stream_fail_later(st);
	stream_read_busy = false;
	stream_flush_dirty();
	if (stream_is_open(st))
		after_keep(st);
}

/* Into the kept buffer itself: what is kept is too much to copy each time. */
static void read_kept(struct stream *st)
{
	size_t room = STREAM_KEEP_MAX > st->in->len ? STREAM_KEEP_MAX - st->in->len : 0;
	if (room < 4096)
		room = 4096;
	if (!buf_reserve(&st->in, room)) {
		stream_end(st, ENOMEM);
		return;
	}
	ssize_t n;
	do
		n = recv(st->io.fd, buf_tail(st->in), buf_room(st->in), 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
			stream_end(st, n < 0 ? errno : 0);
		return;
	}
	st->in->len += (uint32_t)n;
	stream_redeliver(st);
}

static void read_fresh(struct stream *st)
{
	ssize_t n;

	do
		n = recv(st->io.fd, stream_read_buf + FRONT_MAX, STREAM_READ_SIZE, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
			stream_end(st, n < 0 ? errno : 0);
		return;
	}
	stream_show(st, (size_t)n);
}

void stream_read_now(struct stream *st)
{
	if (st->is_wrapped)
		wrap_read(st);
	else if (st->in && st->in->len > FRONT_MAX)
		read_kept(st);
	else
		read_fresh(st);
}

void stream_redeliver(struct stream *st)
{
	ASSERT(!stream_read_busy);
	if (!st->in || !stream_is_open(st)) {
		if (st->is_wrapped)
			wrap_wake(st);
		return;
	}
	/* The buffer is out of st while it is lent, so that whoever closes st does not free it under the cursor. */
	struct buf *b = st->in;
	st->in = NULL;
	struct rd in = rd_of(b->data + b->start, b->len);
	stream_read_busy = true;
	bool open = deliver(st, &in);
	stream_read_busy = false;
	stream_flush_dirty(); /* spans may point into b */
	size_t left = rd_left(&in);
	if (!open || left == 0 || !stream_is_open(st)) {
		buf_put(b);
	} else {
		ASSERT(!st->in);
		buf_drop(b, b->len - left);
		st->in = b;
	}
	if (stream_is_open(st))
		after_keep(st);
	if (st->is_wrapped)
		wrap_wake(st);
}

bool stream_unread(struct stream *st, const void *p, size_t n)
{
	struct buf *b = buf_get(stream_kept(st) + n);
	bool ok = b && buf_append(&b, p, n) && (!st->in || buf_append(&b, st->in->data + st->in->start, st->in->len));
	if (!ok) {
		buf_put(b);
		return false;
	}
	buf_put(st->in);
	st->in = b;
	after_keep(st);
	return true;
}

static void on_connected(struct stream *st)
{
	int err = 0;
	socklen_t len = sizeof err;
	if (getsockopt(st->io.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err) {
		struct fault f;
		fault_set(&f, FAULT_CONNECT, "%s", strerror(err));
		st->ops->on_end(st, &f);
		return;
	}
	st->connecting = false;
	watch(st);
	st->ops->on_connect(st);
}

static void on_io(struct ev_loop *loop, struct ev_io *io, int revents)
{
	struct stream *st = stream_of(io);
	(void)loop;
	if (st->connecting) {
		on_connected(st);
		return;
	}
	if (revents & EV_WRITE)
		write_backlog(st);
	if ((revents & EV_READ) && stream_is_open(st) && !st->holds && !st->failed)
		stream_read_now(st);
}

void stream_close(struct stream *st, bool drain)
{
	if (!stream_is_open(st))
		return;
	if (st->is_wrapped)
		wrap_close(st);
	else if (st->out && !st->failed && !st->connecting && !st->backlog)
		(void)stream_write(st->io.fd, st->out->v, st->out->n);
	list_del(&st->in_dirty);
	stream_drop_out(st);
	if (drain && !st->connecting) {
		uint8_t away[4096]; /* not stream_read_buf: its bytes may be under somebody's cursor */
		for (int i = 0; i < 16 && recv(st->io.fd, away, sizeof away, MSG_DONTWAIT) > 0; i++)
			;
	}
	ev_io_stop(loop_ev(), &st->io);
	close(st->io.fd);
	st->io.fd = -1;
	buf_put(st->in);
	st->in = NULL;
	st->failed = true;
}
