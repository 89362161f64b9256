/* pgraw.c - a client that says what it is told to. PostgreSQL docs, Frontend/Backend Protocol, Message Formats. */
#include "pgraw.h"
#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------------------ saying */

void pgraw_add(struct pgraw_bytes *b, const void *p, size_t n)
{
	if (b->n + n > b->cap) {
		b->cap = (b->n + n) * 2;
		b->p = realloc(b->p, b->cap);
		if (!b->p)
			abort();
	}
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

void pgraw_add_u16(struct pgraw_bytes *b, unsigned v)
{
	uint16_t be = htons((uint16_t)v);
	pgraw_add(b, &be, sizeof be);
}

void pgraw_add_u32(struct pgraw_bytes *b, uint32_t v)
{
	uint32_t be = htonl(v);
	pgraw_add(b, &be, sizeof be);
}

void pgraw_add_cstr(struct pgraw_bytes *b, const char *s)
{
	pgraw_add(b, s, strlen(s) + 1);
}

size_t pgraw_begin(struct pgraw_bytes *b, char type)
{
	if (type)
		pgraw_add(b, &type, 1);
	pgraw_add_u32(b, 0);
	return b->n - 4;
}

void pgraw_end(struct pgraw_bytes *b, size_t begun)
{
	uint32_t be = htonl((uint32_t)(b->n - begun));
	memcpy(b->p + begun, &be, sizeof be);
}

static int connect_to(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { PATIENCE_MS / 1000, 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

bool pgraw_send(struct pgraw *r, const struct pgraw_bytes *b)
{
	return r->fd >= 0 && raw_send(r->fd, b->p, b->n);
}

/* ------------------------------------------------------------------------------------------------ hearing */

/* The rest of a message's body. Getters give 0 or "" when there is too little. */
struct body {
	const char *p, *end;
};

static const char *take(struct body *b, size_t n)
{
	const char *at = b->p;
	if (n > (size_t)(b->end - b->p)) {
		b->p = b->end;
		return NULL;
	}
	b->p += n;
	return at;
}

static uint32_t take_u32(struct body *b)
{
	uint32_t be = 0;
	const char *at = take(b, 4);
	if (at)
		memcpy(&be, at, 4);
	return ntohl(be);
}

static unsigned take_u16(struct body *b)
{
	uint16_t be = 0;
	const char *at = take(b, 2);
	if (at)
		memcpy(&be, at, 2);
	return ntohs(be);
}

static const char *take_cstr(struct body *b)
{
	const char *at = b->p, *nul = at < b->end ? memchr(at, 0, (size_t)(b->end - at)) : NULL;
	b->p = nul ? nul + 1 : b->end;
	return nul ? at : "";
}

static void print_value(FILE *f, const char *p, size_t n)
{
	enum { SHOWN = 400 };
	uint32_t sum = 5381;
	for (size_t i = 0; i < n; i++)
		sum = sum * 33 + (unsigned char)p[i];
	for (size_t i = 0; i < n && i < SHOWN; i++)
		fprintf(f, (unsigned char)p[i] >= ' ' && (unsigned char)p[i] < 127 ? "%c" : "\\x%02x",
			(unsigned char)p[i]);
	if (n > SHOWN)
		fprintf(f, "... %zu bytes, %08x", n, sum);
}

static void print_error(FILE *f, struct body b)
{
	const char *at;
	while ((at = take(&b, 1)) && *at) {
		const char *value = take_cstr(&b);
		if (strchr("SCM", *at))
			fprintf(f, " %s", value);
		else if (!strchr("VFLR", *at)) /* V says what S says; the others, where in its source it is */
			fprintf(f, " | %c %s", *at, value);
	}
}

static void print_row(FILE *f, struct body b)
{
	unsigned n = take_u16(&b);
	for (unsigned i = 0; i < n; i++) {
		uint32_t len = take_u32(&b);
		fputs(i ? " | " : " ", f);
		const char *at = len == UINT32_MAX ? NULL : take(&b, len);
		if (at)
			print_value(f, at, len);
		else
			fputs("null", f);
	}
}

static void print_fields(FILE *f, struct body b)
{
	unsigned n = take_u16(&b);
	for (unsigned i = 0; i < n; i++) {
		fprintf(f, " %s", take_cstr(&b));
		(void)take_u32(&b); /* the table's number */
		(void)take_u16(&b);
		uint32_t type = take_u32(&b);
		unsigned size = take_u16(&b);
		uint32_t mod = take_u32(&b);
		fprintf(f, ":%u,%d,%d,%u", type, (int16_t)size, (int32_t)mod, take_u16(&b));
	}
}

static char *line_of(char type, struct body b)
{
	char *line = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&line, &n);
	if (!f)
		abort();
	fputc(type, f);
	switch (type) {
	case 'E':
	case 'N':
		print_error(f, b);
		break;
	case 'D':
		print_row(f, b);
		break;
	case 'T':
		print_fields(f, b);
		break;
	default:
		fputc(' ', f);
		print_value(f, b.p, (size_t)(b.end - b.p));
	}
	fclose(f);
	return line;
}

static void note_param(struct pgraw *r, struct body b)
{
	const char *name = take_cstr(&b), *value = take_cstr(&b);
	size_t i = 0;
	while (i < r->nparams && strcmp(r->params[i].name, name) != 0)
		i++;
	if (i == COUNT(r->params))
		return;
	if (i == r->nparams)
		snprintf(r->params[r->nparams++].name, sizeof r->params[i].name, "%s", name);
	snprintf(r->params[i].value, sizeof r->params[i].value, "%s", value);
}

const char *pgraw_param(const struct pgraw *r, const char *name)
{
	for (size_t i = 0; i < r->nparams; i++)
		if (strcmp(r->params[i].name, name) == 0)
			return r->params[i].value;
	return "";
}

static void keep_line(struct pgraw *r, char *line)
{
	if (r->nheard == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 64;
		r->heard = realloc(r->heard, r->cap * sizeof *r->heard);
		if (!r->heard)
			abort();
	}
	r->heard[r->nheard++].line = line;
}

static void hear(struct pgraw *r, char type, struct body b)
{
	if (type == 'S') {
		note_param(r, b);
		return;
	}
	if (type == 'K') {
		r->pid = take_u32(&b);
		r->secret = take_u32(&b);
		return;
	}
	if (type == 'Z' && b.p < b.end)
		r->status = *b.p;
	keep_line(r, line_of(type, b));
}

/* Cuts messages off. */
static bool hear_all(struct pgraw *r)
{
	size_t at = 0;
	while (r->in.n - at >= 5) {
		uint32_t len;
		memcpy(&len, r->in.p + at + 1, 4);
		len = ntohl(len);
		if (len < 4)
			return false;
		if (len > r->in.n - at - 1)
			break;
		hear(r, r->in.p[at], (struct body){ r->in.p + at + 5, r->in.p + at + 1 + len });
		at += 1 + len;
	}
	if (at) {
		memmove(r->in.p, r->in.p + at, r->in.n - at);
		r->in.n -= at;
	}
	return true;
}

bool pgraw_read(struct pgraw *r)
{
	char more[16384];
	ssize_t n = 0;
	while (r->fd >= 0 && (n = recv(r->fd, more, sizeof more, MSG_DONTWAIT)) > 0) {
		pgraw_add(&r->in, more, (size_t)n);
		if (!hear_all(r))
			break;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	r->closed = true;
	return false;
}

void pgraw_forget(struct pgraw *r)
{
	while (r->nheard)
		free(r->heard[--r->nheard].line);
}

/* ------------------------------------------------------------------------------------------------ coming and going */

bool pgraw_open(struct pgraw *r, int port, const char *user, const char *database, const char *const *asks)
{
	struct pgraw_bytes b = { 0 };
	*r = (struct pgraw){ .fd = connect_to(port) };
	size_t at = pgraw_begin(&b, 0);
	pgraw_add_u32(&b, 3 << 16);
	pgraw_add_cstr(&b, "user");
	pgraw_add_cstr(&b, user);
	pgraw_add_cstr(&b, "database");
	pgraw_add_cstr(&b, database);
	for (; asks && *asks; asks++)
		pgraw_add_cstr(&b, *asks);
	pgraw_add_cstr(&b, "");
	pgraw_end(&b, at);
	bool ok = pgraw_send(r, &b);
	free(b.p);
	for (uint64_t until = now_ms() + PATIENCE_MS; ok && !r->status && now_ms() < until;) {
		struct pollfd p = { r->fd, POLLIN, 0 };
		poll(&p, 1, 100);
		ok = pgraw_read(r);
	}
	pgraw_forget(r);
	return ok && r->status == 'I';
}

bool pgraw_cancel(const struct pgraw *r, int port)
{
	struct pgraw_bytes b = { 0 };
	struct pgraw c = { .fd = connect_to(port) };
	size_t at = pgraw_begin(&b, 0);
	pgraw_add_u32(&b, 80877102);
	pgraw_add_u32(&b, r->pid);
	pgraw_add_u32(&b, r->secret);
	pgraw_end(&b, at);
	bool ok = pgraw_send(&c, &b);
	free(b.p);
	for (uint64_t until = now_ms() + PATIENCE_MS; ok && !c.closed && now_ms() < until;) {
		struct pollfd p = { c.fd, POLLIN, 0 };
		poll(&p, 1, 100);
		(void)pgraw_read(&c);
	}
	ok &= c.closed;
	pgraw_close(&c, false);
	return ok;
}

void pgraw_close(struct pgraw *r, bool politely)
{
	if (r->fd >= 0 && politely)
		raw_send(r->fd, "X\0\0\0\4", 5);
	if (r->fd >= 0)
		close(r->fd);
	pgraw_forget(r);
	free(r->heard);
	free(r->in.p);
	*r = (struct pgraw){ .fd = -1 };
}
