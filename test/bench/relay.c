/* relay.c - the floor for a proxy in user space: one epoll loop that looks at nothing, does one recv() and one send()
 * for what it passes, and opens one server connection for each client.
 *
 *   relay LISTEN_PORT SERVER_PORT       both on 127.0.0.1 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS    256
#define READ_SIZE 65536

/* One direction's end: what is read here is sent to the other. */
struct end {
	int fd;
	struct end *other;
	uint8_t *kept; /* owned: what this socket has not taken yet; the other is not read meanwhile */
	size_t kept_at, kept_len;
};

struct pair {
	struct end client, server;
	struct pair *next_dead;
	int is_dead;
};

static int epoll_fd, listen_fd, server_port;
static uint8_t bytes[READ_SIZE];
static struct pair *dead; /* freed when the events of this turn, which may name them, are over */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *must(void *p)
{
	if (!p)
		die("memory");
	return p;
}

static struct sockaddr_in on_loopback(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static void watch(int op, int fd, void *ptr, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = ptr };
	if (epoll_ctl(epoll_fd, op, fd, &e) < 0)
		die("epoll_ctl");
}

/* Reads while the other end takes what it is given; writes while something is kept. */
static void watch_again(struct end *e)
{
	watch(EPOLL_CTL_MOD, e->fd, e, (e->other->kept ? 0 : EPOLLIN) | (e->kept ? EPOLLOUT : 0));
}

static struct pair *pair_of(struct end *e)
{
	return (struct pair *)(void *)(e < e->other ? e : e->other);
}

static void pair_close(struct pair *p)
{
	close(p->client.fd);
	close(p->server.fd);
	free(p->client.kept);
	free(p->server.kept);
	p->is_dead = 1;
	p->next_dead = dead;
	dead = p;
}

static void on_accept(void)
{
	int one = 1;
	int c = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c < 0)
		return;
	struct sockaddr_in to = on_loopback(server_port);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s < 0 || (connect(s, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)) {
		perror("server");
		close(c);
		if (s >= 0)
			close(s);
		return;
	}
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* the client's is inherited */
	struct pair *p = must(calloc(1, sizeof *p));
	p->client = (struct end){ .fd = c, .other = &p->server };
	p->server = (struct end){ .fd = s, .other = &p->client };
	watch(EPOLL_CTL_ADD, c, &p->client, EPOLLIN);
	watch(EPOLL_CTL_ADD, s, &p->server, EPOLLIN);
}

static void on_readable(struct end *from)
{
	struct end *to = from->other;
	ssize_t n = recv(from->fd, bytes, sizeof bytes, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	ssize_t sent = n > 0 ? send(to->fd, bytes, (size_t)n, MSG_NOSIGNAL) : -1;
	if (n <= 0 || (sent < 0 && errno != EAGAIN)) {
		pair_close(pair_of(from));
		return;
	}
	if (sent < 0)
		sent = 0;
	if (sent == n)
		return;
	to->kept_at = 0;
	to->kept_len = (size_t)(n - sent);
	to->kept = must(malloc(to->kept_len));
	memcpy(to->kept, bytes + sent, to->kept_len);
	watch_again(from);
	watch_again(to);
}

static void on_writable(struct end *to)
{
	ssize_t n = send(to->fd, to->kept + to->kept_at, to->kept_len - to->kept_at, MSG_NOSIGNAL);
	if (n < 0) {
		if (errno != EAGAIN)
			pair_close(pair_of(to));
		return;
	}
	to->kept_at += (size_t)n;
	if (to->kept_at < to->kept_len)
		return;
	free(to->kept);
	to->kept = NULL;
	watch_again(to);
	watch_again(to->other);
}

static void on_event(struct end *e, uint32_t events)
{
	struct pair *p = pair_of(e);
	if (p->is_dead)
		return;
	if ((events & EPOLLOUT) && e->kept)
		on_writable(e);
	if (p->is_dead)
		return;
	if (!e->other->kept && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		on_readable(e);
	else if (events & (EPOLLHUP | EPOLLERR))
		pair_close(p);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	int one = 1;

	if (argc != 3) {
		fprintf(stderr, "usage: relay LISTEN_PORT SERVER_PORT\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	server_port = atoi(argv[2]);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (epoll_fd < 0 || listen_fd < 0)
		die("start");
	struct sockaddr_in at = on_loopback(atoi(argv[1]));
	setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(listen_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (bind(listen_fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(listen_fd, 4096) < 0)
		die("listen");
	watch(EPOLL_CTL_ADD, listen_fd, NULL, EPOLLIN);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				on_event(events[i].data.ptr, events[i].events);
			else
				on_accept();
		}
		while (dead) {
			struct pair *p = dead;
			dead = p->next_dead;
			free(p);
		}
	}
}
