/* listen.c - listening sockets: opened all or none, accepted from in batches that follow the demand. */
#include "net/listen.h"

#include "core/deadline.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/str.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BATCH_MAX      64
/* How long nobody is accepted when there was no descriptor for it. */
#define STARVED_MS     200
/* How long the kernel keeps a client to itself that says nothing, about. Short: client_login_timeout begins only when
 * it has been handed over. */
#define DEFER_ACCEPT_S 1

struct listener {
	struct list in_all;
	struct ev_io io;
	struct deadline retry; /* set while starved */
	listen_cb *cb;
	void *arg;
	struct addr addr;     /* ADDR_UNIX: of the port in its name */
	unsigned batch;       /* how many to accept in one turn */
	unsigned filled_turn; /* the loop's turn in which a whole batch came; 0: the last was not whole */
	bool deferred;        /* TCP_DEFER_ACCEPT */
	bool paused;
	bool starved; /* said so in the log, and not yet accepted since */
	struct log_seldom lines;
	dev_t dev; /* of the unix socket's file */
	ino_t ino;
	char path[]; /* of the unix socket; "" for TCP, "@name" for an abstract one */
};

/* Whose connections are being handed out; NULL when it was closed meanwhile. */
static struct listener *accepting;

static void listener_text(const struct listener *l, char *out, size_t cap)
{
	char text[ADDR_TEXT_MAX];
	addr_text(&l->addr, text);
	str_fmt(out, cap, "%s%s", l->path[0] ? "unix:" : text, l->path);
}

static void listener_watch(struct listener *l)
{
	if (!l->paused && !deadline_is_set(&l->retry))
		ev_io_start(loop_ev(), &l->io);
}

static void on_retry(struct deadline *d)
{
	listener_watch(list_owner(d, struct listener, retry));
}

/* Readiness would be told again at once, so stop asking for a while. */
static void listener_starve(struct listener *l, int err)
{
	if (!l->starved) {
		char text[sizeof((struct sockaddr_un *)0)->sun_path + ADDR_TEXT_MAX];
		listener_text(l, text, sizeof text);
		l->starved = log_seldom(&l->lines, LOG_LV_ERROR, NULL,
					"cannot accept connections on %s: %s; trying again every %d ms", text,
					strerror(err), STARVED_MS);
	}
	if (deadline_set(&l->retry, loop_now() + STARVED_MS))
		ev_io_stop(loop_ev(), &l->io);
	/* else there is no memory for a deadline: busy, but not deaf */
}

static void listener_sated(struct listener *l)
{
	char text[sizeof((struct sockaddr_un *)0)->sun_path + ADDR_TEXT_MAX];
	listener_text(l, text, sizeof text);
	log_info(NULL, "accepting connections on %s again", text);
	l->starved = false;
}

/* accept4 also reports what befell that one connection; the next may be well. */
static bool is_of_one_connection(int err)
{
	switch (err) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case EPERM:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

/* One accept4. The fd; -1 with errno. */
static int accept_one(const struct listener *l, struct addr *from)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	bool is_unix = l->addr.family == ADDR_UNIX; /* its peers have no names */
	int fd = accept4(l->io.fd, is_unix ? NULL : (struct sockaddr *)&ss, is_unix ? NULL : &len,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0 && is_unix)
		*from = l->addr;
	else if (fd >= 0)
		addr_from_sockaddr(from, (struct sockaddr *)&ss, len);
	return fd;
}

/* A lone connection costs one accept4: only when the turn right after a whole batch finds more is the batch doubled,
 * and an accept4 in vain brings it down to what there was. */
static void on_readable(struct ev_loop *ev, struct ev_io *io, int events)
{
	(void)events;
	struct listener *l = list_owner(io, struct listener, io);
	unsigned turn = ev_iteration(ev);
	if (l->filled_turn && turn == l->filled_turn + 1)
		l->batch = l->batch < BATCH_MAX / 2 ? l->batch * 2 : BATCH_MAX;
	l->filled_turn = 0;
	accepting = l;
	for (unsigned tried = 0; tried < l->batch; tried++) {
		struct addr from;
		int fd = accept_one(l, &from);
		if (fd >= 0) {
			if (l->starved)
				listener_sated(l);
			l->cb(l->arg, fd, &from, l->deferred);
			if (accepting != l) /* closed by the callback */
				return;
			if (l->paused)
				break;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			l->batch = tried ? tried : 1;
			break;
		} else if (!is_of_one_connection(errno)) {
			listener_starve(l, errno);
			break;
		}
		if (tried + 1 == l->batch)
			l->filled_turn = turn;
	}
	accepting = NULL;
}

/* Ends a listener that is in no list. */
static void listener_free(struct listener *l)
{
	if (accepting == l)
		accepting = NULL;
	deadline_clear(&l->retry);
	ev_io_stop(loop_ev(), &l->io);
	struct stat st;
	/* The file is ours to remove only while it is the one we made. */
	if (l->ino && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	close(l->io.fd);
	free(l);
}

/* Takes over fd. Not watched yet. */
static struct listener *listener_new(int fd, const struct addr *a, const char *path)
{
	struct listener *l = calloc(1, sizeof *l + strlen(path) + 1);
	if (!l) {
		close(fd);
		return NULL;
	}
	memcpy(l->path, path, strlen(path) + 1);
	l->addr = *a;
	l->batch = 1;
	deadline_init(&l->retry, on_retry);
	ev_io_init(&l->io, on_readable, fd, EV_READ);
	return l;
}

/* All that a connection inherits, so that it costs no call. A socket option that is asked for and not to be had is an
 * error: who set it relies on it. */
static bool set_options(int fd, const struct addr *a, const struct listen_opts *o, struct fault *f)
{
	const struct {
		const char *name;
		bool wanted;
		int level, option, value;
	} options[] = {
		{ "SO_REUSEADDR", true, SOL_SOCKET, SO_REUSEADDR, 1 },
		{ "SO_REUSEPORT", o->reuseport, SOL_SOCKET, SO_REUSEPORT, 1 },
		{ "IPV6_V6ONLY", a->family == ADDR_IPV6, IPPROTO_IPV6, IPV6_V6ONLY, 1 },
		{ "TCP_NODELAY", true, IPPROTO_TCP, TCP_NODELAY, 1 },
		{ "SO_KEEPALIVE", o->keepalive, SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ "TCP_KEEPCNT", o->keepalive && o->keepcnt, IPPROTO_TCP, TCP_KEEPCNT, o->keepcnt },
		{ "TCP_KEEPIDLE", o->keepalive && o->keepidle_s, IPPROTO_TCP, TCP_KEEPIDLE, o->keepidle_s },
		{ "TCP_KEEPINTVL", o->keepalive && o->keepintvl_s, IPPROTO_TCP, TCP_KEEPINTVL, o->keepintvl_s },
		{ "TCP_USER_TIMEOUT", o->user_timeout_ms, IPPROTO_TCP, TCP_USER_TIMEOUT, o->user_timeout_ms },
		{ "SO_SNDBUF", o->socket_buffer, SOL_SOCKET, SO_SNDBUF, o->socket_buffer },
		{ "SO_RCVBUF", o->socket_buffer, SOL_SOCKET, SO_RCVBUF, o->socket_buffer },
		{ "TCP_DEFER_ACCEPT", o->defer_accept, IPPROTO_TCP, TCP_DEFER_ACCEPT, DEFER_ACCEPT_S },
	};
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		if (options[i].wanted &&
		    setsockopt(fd, options[i].level, options[i].option, &options[i].value, sizeof(int)) < 0)
			return fault_errno(f, errno, "setting %s to %d", options[i].name, options[i].value);
	return true;
}

/* The port that the kernel chose, when it was to choose. */
static uint16_t port_of(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct addr a = { .family = ADDR_NONE };
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		addr_from_sockaddr(&a, (struct sockaddr *)&ss, len);
	return a.port;
}

/* A call to listen_open() under way. */
struct opening {
	const struct listen_opts *o;
	struct list made;
	uint16_t port; /* 0 until the kernel chose one, then that for all */
	struct fault *f;
};

static struct listener *tcp_open(struct opening *w, struct addr a, int *err)
{
	a.port = w->port;
	char text[ADDR_TEXT_MAX];
	addr_text(&a, text);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&a, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	*err = 0;
	if (fd < 0) {
		*err = errno;
		fault_errno(w->f, *err, "cannot listen on %s", text);
		return NULL;
	}
	if (!set_options(fd, &a, w->o, w->f)) {
		fault_add(w->f, "cannot listen on %s", text);
		close(fd);
		return NULL;
	}
	if (bind(fd, (struct sockaddr *)&ss, len) < 0 || listen(fd, w->o->backlog) < 0) {
		*err = errno;
		fault_errno(w->f, *err, "cannot listen on %s", text);
		close(fd);
		return NULL;
	}
	a.port = port_of(fd);
	struct listener *l = listener_new(fd, &a, "");
	if (!l) {
		fault_set(w->f, FAULT_NOMEM, "cannot listen on %s: out of memory", text);
		return NULL;
	}
	l->deferred = w->o->defer_accept;
	w->port = a.port;
	return l;
}

static bool is_opened(const struct opening *w, const struct addr *a)
{
	struct addr with_port = *a;
	with_port.port = w->port;
	LIST_EACH (&w->made, it)
		if (addr_same(&list_owner(it, struct listener, in_all)->addr, &with_port))
			return true;
	return false;
}

/* Opens what one word of listen_addr stands for. Of several addresses those that this host does not have are left out,
 * as IPv6 is on many, but not all of them. */
static bool tcp_open_some(struct opening *w, const char *word, const struct addr *addrs, size_t n)
{
	size_t opened = 0;
	for (size_t i = 0; i < n; i++) {
		if (is_opened(w, &addrs[i])) {
			opened++;
			continue;
		}
		int err;
		struct listener *l = tcp_open(w, addrs[i], &err);
		if (l) {
			list_add(&w->made, &l->in_all);
			opened++;
		} else if (n > 1 && (err == EADDRNOTAVAIL || err == EAFNOSUPPORT)) {
			log_debug(NULL, "%s", w->f->text);
		} else {
			return false;
		}
	}
	if (opened == 0)
		return fault_add(w->f, "listen_addr \"%s\"", word);
	return true;
}

static bool tcp_open_name(struct opening *w, const char *name)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(name, NULL, &hints, &found);
	if (rc != 0)
		return fault_set(w->f, rc == EAI_MEMORY ? FAULT_NOMEM : FAULT_IO,
				 "listen_addr \"%s\" is neither an address nor a name that resolves to one: %s", name,
				 rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
	struct addr addrs[32];
	size_t n = 0;
	for (const struct addrinfo *ai = found; ai && n < sizeof addrs / sizeof addrs[0]; ai = ai->ai_next) {
		addr_from_sockaddr(&addrs[n], ai->ai_addr, ai->ai_addrlen);
		n += addrs[n].family != ADDR_NONE;
	}
	freeaddrinfo(found);
	if (n == 0)
		return fault_set(w->f, FAULT_IO, "listen_addr \"%s\" has no address", name);
	return tcp_open_some(w, name, addrs, n);
}

static bool tcp_open_word(struct opening *w, const char *word)
{
	static const struct addr any[] = { { .family = ADDR_IPV4 }, { .family = ADDR_IPV6 } };
	struct addr a;
	if (strcmp(word, "*") == 0)
		return tcp_open_some(w, word, any, 2);
	if (addr_parse(&a, word, 0))
		return tcp_open_some(w, word, &a, 1);
	return tcp_open_name(w, word);
}

static bool tcp_open_all(struct opening *w, const char *addrs)
{
	static const char blank[] = " \t\r\n";
	for (const char *p = addrs; *p;) {
		p += strspn(p, ", \t\r\n");
		size_t len = strcspn(p, ",");
		const char *next = p + len;
		while (len && strchr(blank, p[len - 1]))
			len--;
		char word[NI_MAXHOST];
		if (!str_copy_n(word, sizeof word, p, len))
			return fault_set(w->f, FAULT_IO, "listen_addr \"%.40s...\" is too long for a name", p);
		if (len && !tcp_open_word(w, word))
			return false;
		p = next;
	}
	return true;
}

/* Makes way for a socket at path: removes what a dead process left, and nothing else. */
static bool unix_make_way(const struct sockaddr_un *un, socklen_t len, struct fault *f)
{
	struct stat st;
	if (lstat(un->sun_path, &st) < 0)
		return errno == ENOENT || fault_errno(f, errno, "cannot listen on unix:%s", un->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return fault_set(f, FAULT_IO, "cannot listen on unix:%s: a file of that name is there, and no socket",
				 un->sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fault_errno(f, errno, "cannot listen on unix:%s", un->sun_path);
	int err = connect(fd, (const struct sockaddr *)un, len) < 0 ? errno : 0;
	close(fd);
	if (err == 0 || err == EAGAIN || err == EPROTOTYPE) /* taken, busy, or of another kind */
		return fault_set(f, FAULT_IO, "cannot listen on unix:%s: another process listens there", un->sun_path);
	if (err != ECONNREFUSED && err != ENOENT)
		return fault_errno(f, err, "cannot listen on unix:%s: who listens there is not known", un->sun_path);
	if (err == ECONNREFUSED && unlink(un->sun_path) < 0 && errno != ENOENT)
		return fault_errno(f, errno, "cannot remove the stale unix:%s", un->sun_path);
	return true;
}

/* A group by name or by number. */
static bool group_of(const char *name, gid_t *gid, struct fault *f)
{
	errno = 0;
	const struct group *g = getgrnam(name);
	uint64_t n;
	if (g)
		*gid = g->gr_gid;
	else if (str_to_u64(name, UINT32_MAX - 1, &n))
		*gid = (gid_t)n;
	else
		return fault_set(f, FAULT_IO, "unix_socket_group: there is no group \"%s\"", name);
	return true;
}

/* The file comes into being closed to all, is given to its group, and is then opened as far as it may be. To its owner
 * it is given last: he may put something else into its place. */
static bool unix_bind(int fd, const struct sockaddr_un *un, socklen_t len, const struct listen_opts *o, struct fault *f)
{
	gid_t gid = (gid_t)-1;
	if (*o->unix_group && !group_of(o->unix_group, &gid, f))
		return false;
	mode_t mask = umask(0777);
	int rc = bind(fd, (const struct sockaddr *)un, len);
	int err = errno;
	umask(mask);
	if (rc < 0)
		return fault_errno(f, err, "cannot listen on unix:%s", un->sun_path);
	if (gid != (gid_t)-1 && lchown(un->sun_path, (uid_t)-1, gid) < 0)
		fault_errno(f, errno, "giving unix:%s to the group %s", un->sun_path, o->unix_group);
	else if (chmod(un->sun_path, (mode_t)(o->unix_mode & 0777)) < 0)
		fault_errno(f, errno, "setting the permissions of unix:%s", un->sun_path);
	else if (o->unix_owner && lchown(un->sun_path, o->unix_owner, (gid_t)-1) < 0)
		fault_errno(f, errno, "giving unix:%s to the user who Sluice runs as", un->sun_path);
	else
		return true;
	unlink(un->sun_path);
	return false;
}

static bool unix_open(struct opening *w, const char *dir)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	bool is_abstract = dir[0] == '@';
	const char *given = w->o->unix_path;
	int n = given ? snprintf(un.sun_path, sizeof un.sun_path, "%s", given)
		      : snprintf(un.sun_path, sizeof un.sun_path, "%s/.s.PGSQL.%u", dir, (unsigned)w->port);
	if (n < 0 || (size_t)n >= sizeof un.sun_path)
		return fault_set(w->f, FAULT_IO, "%s \"%s\" is too long: a socket's path has at most %zu bytes",
				 given ? "mysql_unix_socket" : "unix_socket_dir", given ? given : dir,
				 sizeof un.sun_path - 1);
	char path[sizeof un.sun_path];
	memcpy(path, un.sun_path, sizeof path);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n + !is_abstract);
	if (is_abstract)
		un.sun_path[0] = 0;
	else if (!unix_make_way(&un, len, w->f))
		return false;

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fault_errno(w->f, errno, "cannot listen on unix:%s", path);
	struct addr a = { .family = ADDR_UNIX, .port = w->port };
	struct listener *l = listener_new(fd, &a, path);
	if (!l)
		return fault_set(w->f, FAULT_NOMEM, "cannot listen on unix:%s: out of memory", path);
	if (is_abstract) {
		if (bind(fd, (struct sockaddr *)&un, len) < 0) {
			fault_errno(w->f, errno, "cannot listen on unix:%s", path);
			goto fail;
		}
	} else {
		struct stat st;
		if (!unix_bind(fd, &un, len, w->o, w->f))
			goto fail;
		if (lstat(path, &st) == 0) {
			l->dev = st.st_dev;
			l->ino = st.st_ino;
		}
	}
	if (listen(fd, w->o->backlog) < 0) {
		fault_errno(w->f, errno, "cannot listen on unix:%s", path);
		goto fail;
	}
	list_add(&w->made, &l->in_all);
	return true;
fail:
	listener_free(l);
	return false;
}

bool listen_open(struct list *all, const char *addrs, const char *unix_dir, uint16_t port, const struct listen_opts *o,
		 listen_cb *cb, void *arg, struct fault *f)
{
	struct opening w = { .o = o, .port = port, .f = f };
	list_init(&w.made);
	if (!tcp_open_all(&w, addrs) || (*unix_dir && !unix_open(&w, unix_dir))) {
		listen_close(&w.made);
		return false;
	}
	LIST_EACH (&w.made, it) {
		struct listener *l = list_owner(it, struct listener, in_all);
		char text[sizeof((struct sockaddr_un *)0)->sun_path + ADDR_TEXT_MAX];
		listener_text(l, text, sizeof text);
		log_info(NULL, "listening on %s", text);
		l->cb = cb;
		l->arg = arg;
		listener_watch(l);
		list_del(it);
		list_add(all, it);
	}
	return true;
}

void listen_pause(struct list *all)
{
	LIST_EACH (all, it) {
		struct listener *l = list_owner(it, struct listener, in_all);
		l->paused = true;
		ev_io_stop(loop_ev(), &l->io);
	}
}

void listen_resume(struct list *all)
{
	LIST_EACH (all, it) {
		struct listener *l = list_owner(it, struct listener, in_all);
		l->paused = false;
		listener_watch(l);
	}
}

void listen_close(struct list *all)
{
	while (!list_empty(all)) {
		struct listener *l = list_owner(all->next, struct listener, in_all);
		list_del(&l->in_all);
		listener_free(l);
	}
}

void listen_close_tcp(struct list *all)
{
	LIST_EACH (all, it) {
		struct listener *l = list_owner(it, struct listener, in_all);
		if (l->addr.family == ADDR_UNIX)
			continue;
		list_del(&l->in_all);
		listener_free(l);
	}
}

size_t listen_count(const struct list *all)
{
	size_t n = 0;
	for (const struct list *it = all->next; it != all; it = it->next)
		n++;
	return n;
}

uint16_t listen_port(const struct list *all)
{
	return list_empty(all) ? 0 : list_owner(all->next, struct listener, in_all)->addr.port;
}

bool peer_identity(int fd, uid_t *uid, gid_t *gid, pid_t *pid)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	/* Other sockets than unix ones answer too: with nobody. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || len != sizeof peer || peer.uid == (uid_t)-1)
		return false;
	*uid = peer.uid;
	*gid = peer.gid;
	*pid = peer.pid;
	return true;
}
