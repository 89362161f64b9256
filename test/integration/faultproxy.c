/* faultproxy.c - a TCP proxy that goes wrong to order. */
#include "faultproxy.h"

#include "harness_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS_MAX  2048
#define CHUNK      16384
#define CHUNKS_MAX 64 /* held for one direction; then its sender waits */

static struct {
	int fd; /* to the process; -1: there is none */
	int port;
	pid_t pid;
} proxy = { -1, 0, 0 };

struct order {
	uint32_t what; /* enum fault_mode, or one of these */
	uint64_t arg;
};
enum { ORDER_RESET = 100, ORDER_COUNT };

struct answer {
	int32_t accepted, open;
};

/* --- The process */

struct chunk {
	struct chunk *next;
	uint64_t due_ms;
	size_t at, len;
	char bytes[CHUNK];
};

struct way {
	struct chunk *first, **last;
	size_t n;
	bool is_ended;   /* its sender has closed */
	bool is_told;    /* and its receiver has been told so */
	uint64_t credit; /* THROTTLE: bytes that may pass */
	uint64_t credit_ms;
};

struct link {
	int fd[2];         /* 0: Sluice, 1: the server; -1: closed */
	int twin;          /* TWICE */
	struct way to[2];  /* what goes to fd[i] */
	uint64_t cut_left; /* CUT */
	bool is_forgotten, is_edited;
};

static struct link *links[LINKS_MAX];
static size_t nlinks;
static int listener = -1, server_port;
static enum fault_mode mode;
static uint64_t mode_arg;
static struct answer counts;
static size_t (*edits)(char *bytes, size_t n, size_t cap);

static void close_hard(int fd)
{
	struct linger now = { 1, 0 };
	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fd);
}

static void end_link(size_t i, bool hard)
{
	struct link *l = links[i];
	for (int k = 0; k < 2; k++) {
		if (hard)
			close_hard(l->fd[k]);
		else if (l->fd[k] >= 0)
			close(l->fd[k]);
		while (l->to[k].first) {
			struct chunk *c = l->to[k].first;
			l->to[k].first = c->next;
			free(c);
		}
	}
	close_hard(l->twin);
	free(l);
	links[i] = links[--nlinks];
	counts.open--;
}

static int bound(int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd < 0 || bind(fd, (struct sockaddr *)&in, sizeof in) != 0) {
		perror("fault proxy");
		_exit(2);
	}
	return fd;
}

static int to_server(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)server_port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	if (fd >= 0 && connect(fd, (struct sockaddr *)&in, sizeof in) != 0) {
		close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

static void take_connection(void)
{
	int on = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return;
	counts.accepted++;
	if (mode == FAULT_RESET || nlinks == LINKS_MAX) {
		close_hard(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	struct link *l = calloc(1, sizeof *l);
	int server = l ? to_server() : -1;
	if (server < 0) {
		close_hard(fd);
		free(l);
		return;
	}
	l->fd[0] = fd;
	l->fd[1] = server;
	l->twin = mode == FAULT_TWICE ? to_server() : -1;
	l->cut_left = mode_arg;
	for (int k = 0; k < 2; k++)
		l->to[k].last = &l->to[k].first;
	links[nlinks++] = l;
	counts.open++;
}

static void set_mode(enum fault_mode m, uint64_t arg)
{
	if (m == FAULT_REFUSE && mode != FAULT_REFUSE) {
		/* Bound and not listening: it refuses, and nobody else gets the port. */
		close(listener);
		listener = bound(proxy.port);
	} else if (m != FAULT_REFUSE && mode == FAULT_REFUSE) {
		listen(listener, 512);
	}
	mode = m;
	mode_arg = arg;
	for (size_t i = 0; i < nlinks; i++) {
		links[i]->cut_left = arg;
		links[i]->is_forgotten |= m == FAULT_FORGET;
		for (int k = 0; k < 2; k++)
			for (struct chunk *c = links[i]->to[k].first; c; c = c->next)
				c->due_ms = now_ms();
	}
}

/* False: it is over. */
static bool obey(int fd)
{
	struct order o;
	if (read(fd, &o, sizeof o) != sizeof o)
		return false;
	struct pollfd more = { mode == FAULT_REFUSE ? -1 : listener, POLLIN, 0 };
	while (poll(&more, 1, 0) > 0) /* who came before the order is counted, and what was in force holds for it */
		take_connection();
	if (o.what == ORDER_RESET)
		while (nlinks)
			end_link(0, true);
	else if (o.what != ORDER_COUNT)
		set_mode((enum fault_mode)o.what, o.arg);
	return write(fd, &counts, sizeof counts) == sizeof counts;
}

/* Reads what goes to fd[k]. */
static void take_bytes(struct link *l, int k)
{
	struct way *w = &l->to[k];
	struct chunk *c = malloc(sizeof *c);
	ssize_t n = c ? recv(l->fd[!k], c->bytes, sizeof c->bytes, MSG_DONTWAIT) : -1;
	if (n <= 0) {
		w->is_ended |= n == 0 || (errno != EAGAIN && errno != EINTR);
		free(c);
		return;
	}
	c->next = NULL;
	c->at = 0;
	c->len = (size_t)n;
	if (k == 0 && edits && !l->is_edited) {
		l->is_edited = true;
		c->len = edits(c->bytes, c->len, sizeof c->bytes);
	}
	c->due_ms = now_ms() + (mode == FAULT_DELAY ? mode_arg : 0);
	*w->last = c;
	w->last = &c->next;
	w->n++;
}

/* How many bytes may pass now. */
static size_t allowed(struct link *l, int k, size_t want)
{
	struct way *w = &l->to[k];
	uint64_t now = now_ms();
	if (mode == FAULT_THROTTLE) {
		uint64_t per = mode_arg / 20 ? mode_arg / 20 : 1; /* in 50 ms */
		if (now - w->credit_ms >= 50) {
			w->credit = per;
			w->credit_ms = now;
		}
		return want < w->credit ? want : (size_t)w->credit;
	}
	if (mode == FAULT_CUT && k == 0)
		return want < l->cut_left ? want : (size_t)l->cut_left;
	return want;
}

/* False: the link is to end. */
static bool pass(struct link *l, int k, bool *hard)
{
	struct way *w = &l->to[k];
	while (w->first && mode != FAULT_HANG && !l->is_forgotten && w->first->due_ms <= now_ms()) {
		struct chunk *c = w->first;
		size_t want = allowed(l, k, c->len - c->at);
		if (want == 0)
			break;
		ssize_t n = send(l->fd[k], c->bytes + c->at, want, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN;
		c->at += (size_t)n;
		if (mode == FAULT_THROTTLE)
			w->credit -= (uint64_t)n;
		if (mode == FAULT_CUT && k == 0)
			l->cut_left -= (uint64_t)n;
		if (c->at == c->len) {
			w->first = c->next;
			if (!w->first)
				w->last = &w->first;
			w->n--;
			free(c);
		}
	}
	if (mode == FAULT_CUT && k == 0 && l->cut_left == 0) {
		*hard = true;
		return false;
	}
	if (w->is_ended && !w->first && !w->is_told && mode != FAULT_HANG && !l->is_forgotten) {
		shutdown(l->fd[k], SHUT_WR);
		w->is_told = true;
	}
	return !(l->to[0].is_told && l->to[1].is_told);
}

static _Noreturn void serve(int fd)
{
	static struct pollfd p[2 + 2 * LINKS_MAX];
	for (;;) {
		bool holds = mode == FAULT_DELAY || mode == FAULT_THROTTLE;
		size_t n = 0;
		p[n++] = (struct pollfd){ fd, POLLIN, 0 };
		p[n++] = (struct pollfd){ mode == FAULT_REFUSE ? -1 : listener, POLLIN, 0 };
		for (size_t i = 0; i < nlinks; i++)
			for (int k = 0; k < 2; k++) {
				struct way *in = &links[i]->to[!k], *out = &links[i]->to[k];
				short events = !in->is_ended && in->n < CHUNKS_MAX && mode != FAULT_HANG ? POLLIN : 0;
				if (links[i]->is_forgotten)
					events = 0;
				else if (out->first && !holds && mode != FAULT_HANG)
					events |= POLLOUT;
				p[n++] = (struct pollfd){ events ? links[i]->fd[k] : -1, events, 0 };
			}
		size_t were = nlinks;
		if (poll(p, n, holds ? 5 : -1) < 0)
			continue;
		for (size_t i = were; i-- > 0;) { /* from the end: the last takes the place of one that ends */
			bool hard = false, ok = true;
			for (int k = 0; k < 2; k++)
				if (p[2 + 2 * i + (size_t)k].revents)
					take_bytes(links[i], !k);
			for (int k = 0; ok && k < 2; k++)
				ok = pass(links[i], k, &hard);
			if (!ok)
				end_link(i, hard);
		}
		if (p[1].revents)
			take_connection();
		if (p[0].revents && !obey(fd))
			_exit(0);
	}
}

/* --- The test's side */

static void order(uint32_t what, uint64_t arg)
{
	struct order o = { what, arg };
	require("the fault proxy does as it is told", proxy.fd >= 0 && write(proxy.fd, &o, sizeof o) == sizeof o &&
							      read(proxy.fd, &counts, sizeof counts) == sizeof counts);
}

void fault_open(int port)
{
	fault_open_edited(port, NULL);
}

bool fault_is_open(void)
{
	return proxy.fd >= 0;
}

void fault_open_edited(int port, size_t (*edit)(char *bytes, size_t n, size_t cap))
{
	int pair[2];
	fault_close();
	require("a fault proxy", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	server_port = port;
	edits = edit;
	proxy.port = free_port();
	listener = bound(proxy.port);
	listen(listener, 512);
	mode = FAULT_PASS;
	counts = (struct answer){ 0, 0 };
	proxy.pid = fork();
	if (proxy.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(0);
		close(pair[0]);
		serve(pair[1]);
	}
	close(listener);
	close(pair[1]);
	proxy.fd = pair[0];
	require("a process for it", proxy.pid > 0);
}

void fault_close(void)
{
	if (proxy.fd < 0)
		return;
	close(proxy.fd);
	proxy.fd = -1;
	kill_and_reap(proxy.pid);
}

int fault_port(void)
{
	return proxy.port;
}

void fault_mode(enum fault_mode m, uint64_t arg)
{
	order(m, arg);
}

void fault_reset(void)
{
	order(ORDER_RESET, 0);
}

int fault_accepted(void)
{
	order(ORDER_COUNT, 0);
	return counts.accepted;
}

int fault_connections(void)
{
	order(ORDER_COUNT, 0);
	return counts.open;
}
