/* courier.c - cancel requests on their way. PostgreSQL docs, Frontend/Backend Protocol, Canceling Requests in
 * Progress: the request has been processed when the other end has closed the connection. */
#include "pool/courier.h"

#include "core/loop.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

void courier_stop(struct courier *c)
{
	stream_close(&c->stream, false);
	deadline_clear(&c->deadline);
	tls_ctx_put(c->ctx);
	free(c->host);
	free(c->addrs);
	c->ctx = NULL;
	c->host = NULL;
	c->addrs = NULL;
}

static void end(struct courier *c, const struct fault *why)
{
	enum courier_end how = !c->sent ? COURIER_NOT_SENT : why ? COURIER_UNKNOWN : COURIER_THROUGH;
	struct fault early;
	if (!c->sent && !why) {
		fault_set(&early, FAULT_CONNECT, "the connection was closed before it was sent");
		why = &early;
	}
	courier_stop(c);
	c->done(c, how, why);
}

static void send_it(struct stream *st)
{
	struct courier *c = list_owner(st, struct courier, stream);
	c->sent = true;
	stream_put_copy(st, c->bytes, c->len);
}

static bool connect_next(struct courier *c, struct fault *f);

/* The connection has ended, or is not there in time: the next address may do better. */
static void end_or_next(struct courier *c, const struct fault *why)
{
	struct fault f;
	if (!c->is_there && c->naddrs) {
		stream_close(&c->stream, false);
		if (connect_next(c, &f))
			return;
		why = &f;
	}
	end(c, why);
}

static void on_end(struct stream *st, const struct fault *why)
{
	end_or_next(list_owner(st, struct courier, stream), why);
}

/* One that is silent leaves time for those that are still to be tried. */
static bool set_deadline(struct courier *c)
{
	uint64_t now = loop_now(), left = c->due_ms > now ? c->due_ms - now : 0;
	return !c->due_ms || deadline_set(&c->deadline, now + left / (c->naddrs + 1));
}

/* Only the answer to the wish for TLS is of interest; to the request itself nobody answers anything. */
static void on_bytes(struct stream *st, struct rd *in)
{
	struct courier *c = list_owner(st, struct courier, stream);
	const struct tls_start how = { .ctx = c->ctx, .host = c->host };
	bool asked = c->asked;
	c->asked = false;
	enum engine_tls answer = asked ? c->ops->tls_answer(rd_u8(in)) : ENGINE_TLS_NO;
	bool more = rd_left(in) > 0;
	(void)rd_take(in, rd_left(in));
	if (!asked || (answer == ENGINE_TLS_YES && !more && stream_start_tls(st, &how, NULL)))
		return;
	if (answer == ENGINE_TLS_NO && !c->must_encrypt && !more) {
		send_it(st);
		return;
	}
	struct fault f;
	fault_set(&f, FAULT_CONNECT, "the other end does not encrypt it");
	end(c, &f);
}

/* The key in the request ends a statement: it travels as well guarded as what it is about. */
static void on_connect(struct stream *st)
{
	struct courier *c = list_owner(st, struct courier, stream);
	uint8_t bytes[ENGINE_BYTES_MAX];
	c->is_there = true;
	c->naddrs = 0;
	(void)set_deadline(c); /* no memory: it has less time */
	if (!c->ctx) {
		send_it(st);
		return;
	}
	c->asked = true;
	size_t n = c->ops->tls_request(bytes);
	stream_put_copy(st, bytes, n);
}

static void on_deadline(struct deadline *d)
{
	struct fault f;
	fault_set(&f, FAULT_CONNECT, "it took longer than cancel_wait_timeout");
	end_or_next(list_owner(d, struct courier, deadline), &f);
}

static const struct stream_ops stream_ops = { on_bytes, on_end, on_connect, NULL, send_it };

/* f: what is wrong with the last one. */
static bool connect_next(struct courier *c, struct fault *f)
{
	while (c->naddrs)
		if (stream_connect(&c->stream, &c->addrs[--c->naddrs], NULL, &stream_ops, f))
			return set_deadline(c) || fault_set(f, FAULT_NOMEM, "no memory for a cancel request");
	return false;
}

/* The one that is tried next is the last. */
static bool take_addrs(struct courier *c, const struct courier_to *to)
{
	c->addrs = calloc(to->naddrs, sizeof *c->addrs);
	for (uint32_t i = 0; c->addrs && i < to->naddrs; i++)
		c->addrs[to->naddrs - 1 - i] = to->addrs[(to->first % to->naddrs + i) % to->naddrs];
	c->naddrs = c->addrs ? to->naddrs : 0;
	return c->addrs != NULL;
}

bool courier_start(struct courier *c, const struct courier_to *to, const uint8_t *bytes, size_t n, uint64_t ms,
		   struct fault *f)
{
	if (n > sizeof c->bytes)
		return fault_set(f, FAULT_INTERNAL, "a cancel request of %zu bytes", n);
	c->ops = to->ops;
	c->must_encrypt = to->must_encrypt;
	c->asked = c->sent = c->is_there = false;
	c->addrs = NULL;
	c->naddrs = 0;
	c->due_ms = ms ? loop_now() + ms : 0;
	c->len = n;
	memcpy(c->bytes, bytes, n);
	c->ctx = NULL;
	c->host = NULL;
	c->stream.io.fd = -1; /* it may be stopped before it is opened */
	list_init(&c->stream.in_dirty);
	deadline_init(&c->deadline, on_deadline);
	if (to->ctx) {
		c->host = str_dup(to->host);
		if (!c->host)
			return fault_set(f, FAULT_NOMEM, "no memory for a cancel request");
		c->ctx = tls_ctx_ref(to->ctx);
	}
	if (!to->path && !take_addrs(c, to)) {
		courier_stop(c);
		return fault_set(f, FAULT_NOMEM, "no memory for a cancel request");
	}
	if (to->path ? !stream_connect(&c->stream, NULL, to->path, &stream_ops, f) : !connect_next(c, f)) {
		courier_stop(c);
		return false;
	}
	if (to->path && !set_deadline(c)) {
		courier_stop(c);
		return fault_set(f, FAULT_NOMEM, "no memory for a cancel request");
	}
	return true;
}
