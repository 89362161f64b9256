/* dns.c - names to addresses: c-ares driven by the loop, one lookup for all who ask for the same name, and a cache.
 *
 * A name is looked up once however many wait for it, then kept for its time to live, and forgotten by a deadline. What
 * c-ares answers, at once or later, is only noted; queries are answered by a task at the end of the turn, so nobody is
 * called back from within their own call. */
#include "net/dns.h"

#include "core/assert.h"
#include "core/deadline.h"
#include "core/list.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/str.h"

#include <ares.h>
#include <ev.h>
#include <limits.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* How long c-ares waits for a server before it tries again, waiting twice as long, and how often it tries each. Its own
 * values, 5 s and 4, are for resolvers that lose few packets and for people who wait; it does not read these from
 * resolv.conf. With several servers and search domains that can add up to minutes, so a whole lookup has its bound. */
#define TRY_MS        2000
#define TRIES         3
#define LOOKUP_MAX_MS 12000
#define DEFAULT_CONF  "/etc/resolv.conf"

/* A name that is looked up or kept. Counted: the map, c-ares while it works on it, and each query hold one. */
struct name {
	struct map_node node; /* in names, unless forgotten */
	struct list waiting;  /* struct dns_query.in_list, while looking */
	struct deadline due;  /* looking: give up; else: forget */
	unsigned refs;
	bool looking; /* not settled */
	bool in_map;
	int status; /* ARES_SUCCESS, or why not */
	size_t n;
	struct addr addrs[DNS_MAX_ADDRS]; /* port 0 */
	char text[];
};

struct dns_query {
	struct list in_list; /* name->waiting or ready */
	struct name *name;   /* counted */
	uint16_t port;
	dns_cb *cb;
	void *arg;
};

/* A socket of c-ares. */
struct sock {
	struct list in_all;
	struct ev_io io;
};

static ares_channel channel;
static bool closing;
static struct list socks = { &socks, &socks };
static struct deadline ares_due; /* when c-ares wants to be called though nothing came */
static struct map names;
static struct list ready = { &ready, &ready }; /* queries whose name is settled */
static struct task deliver_task;
static size_t queries;
static uint64_t max_ttl = 15000, nxdomain_ttl = 15000;

static char conf_path[PATH_MAX] = DEFAULT_CONF;
static char only_server[128]; /* "": those of conf_path */
static bool conf_is_stale;
/* What conf_path was when the channel read it. */
static struct {
	dev_t dev;
	ino_t ino;
	struct timespec mtime;
} conf_seen;

static void name_put(struct name *nm)
{
	if (--nm->refs == 0)
		free(nm);
}

static void name_forget(struct name *nm)
{
	deadline_clear(&nm->due);
	if (!nm->in_map)
		return;
	map_del(&names, &nm->node);
	nm->in_map = false;
	name_put(nm);
}

/* The answer, good or bad, is here. nm->addrs is filled; ttl_ms is what the name service allows. */
static void name_settle(struct name *nm, int status, uint64_t ttl_ms)
{
	nm->looking = false;
	nm->status = status;
	uint64_t keep_ms = ttl_ms < max_ttl ? ttl_ms : max_ttl;
	if (status == ARES_ENOMEM)
		keep_ms = 0; /* our trouble, not the name's */
	else if (status != ARES_SUCCESS)
		keep_ms = nxdomain_ttl;
	if (keep_ms == 0 || !deadline_set(&nm->due, loop_now() + keep_ms))
		name_forget(nm);
	while (!list_empty(&nm->waiting)) {
		struct list *q = nm->waiting.next;
		list_del(q);
		list_add(&ready, q);
		loop_defer(&deliver_task);
	}
}

static void name_due(struct deadline *d)
{
	struct name *nm = list_owner(d, struct name, due);
	if (!nm->looking) {
		name_forget(nm);
		return;
	}
	log_debug(NULL, "DNS: no answer about \"%s\" in %d s", nm->text, LOOKUP_MAX_MS / 1000);
	name_settle(nm, ARES_ETIMEOUT, 0); /* c-ares still holds it, and may answer nobody later */
}

static void wait_for_ares(void)
{
	struct timeval room, *left = channel ? ares_timeout(channel, NULL, &room) : NULL;
	if (!left) {
		deadline_clear(&ares_due);
		return;
	}
	/* one more, as its clock is finer than ours; when there is no memory for it, each name still has its own end */
	uint64_t ms = (uint64_t)left->tv_sec * 1000 + (uint64_t)left->tv_usec / 1000 + 1;
	(void)deadline_set(&ares_due, loop_now() + ms);
}

static void on_ares_due(struct deadline *d)
{
	(void)d;
	ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	wait_for_ares();
}

static void on_sock(struct ev_loop *ev, struct ev_io *io, int events)
{
	(void)ev;
	int fd = io->fd;
	ares_process_fd(channel, events & EV_READ ? fd : ARES_SOCKET_BAD, events & EV_WRITE ? fd : ARES_SOCKET_BAD);
	wait_for_ares(); /* io may be gone */
}

static struct sock *sock_of(ares_socket_t fd)
{
	LIST_EACH (&socks, it) {
		struct sock *s = list_owner(it, struct sock, in_all);
		if (s->io.fd == fd)
			return s;
	}
	return NULL;
}

/* c-ares opened, closed, or wants other events of, a socket. */
static void on_sock_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	(void)arg;
	struct sock *s = sock_of(fd);
	if (s) {
		ev_io_stop(loop_ev(), &s->io);
	} else if (readable || writable) {
		s = calloc(1, sizeof *s);
		if (!s)
			return; /* not heard: the names asked through it fail in time */
		list_add(&socks, &s->in_all);
		ev_init(&s->io, on_sock);
	}
	if (readable || writable) {
		ev_io_set(&s->io, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
		ev_io_start(loop_ev(), &s->io);
	} else if (s) {
		list_del(&s->in_all);
		free(s);
	}
}

/* Notes the addresses; returns how long they may be kept: as long as the shortest-lived record on the way. */
static uint64_t name_take(struct name *nm, const struct ares_addrinfo *res)
{
	int ttl = INT_MAX;
	for (const struct ares_addrinfo_cname *c = res->cnames; c; c = c->next)
		ttl = c->ttl < ttl ? c->ttl : ttl;
	for (const struct ares_addrinfo_node *r = res->nodes; r && nm->n < DNS_MAX_ADDRS; r = r->ai_next) {
		struct addr a;
		addr_from_sockaddr(&a, r->ai_addr, (socklen_t)r->ai_addrlen);
		if (a.family == ADDR_NONE)
			continue;
		a.port = 0;
		nm->addrs[nm->n++] = a;
		ttl = r->ai_ttl < ttl ? r->ai_ttl : ttl;
	}
	return ttl > 0 ? (uint64_t)ttl * 1000 : 0;
}

static void name_ask(struct name *nm);

/* c-ares calls once for each name_ask(), maybe from within it. */
static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *res)
{
	(void)timeouts;
	struct name *nm = arg;
	if (nm->looking && status == ARES_EDESTRUCTION && !closing) {
		name_ask(nm); /* its channel gave way to one with the new resolv.conf */
	} else if (nm->looking) {
		uint64_t ttl_ms = status == ARES_SUCCESS ? name_take(nm, res) : 0;
		name_settle(nm, status == ARES_SUCCESS && nm->n == 0 ? ARES_ENODATA : status, ttl_ms);
	}
	ares_freeaddrinfo(res);
	name_put(nm);
}

static void name_ask(struct name *nm)
{
	/* Sorted as RFC 6724 says, which is what getaddrinfo() would have given: addresses that this host has no way to
	 * come last. */
	static const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	nm->refs++;
	ares_getaddrinfo(channel, nm->text, NULL, &hints, on_answer, nm);
}

static struct stat conf_stat(void)
{
	struct stat st;
	if (stat(conf_path, &st) < 0)
		memset(&st, 0, sizeof st); /* c-ares asks 127.0.0.1 then */
	return st;
}

static int channel_open(void)
{
	struct stat st = conf_stat();
	struct ares_options o = {
		.timeout = TRY_MS, .tries = TRIES, .sock_state_cb = on_sock_state, .resolvconf_path = conf_path
	};
	ares_channel made;
	int status =
		ares_init_options(&made, &o,
				  ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF);
	if (status != ARES_SUCCESS)
		return status;
	status = only_server[0] ? ares_set_servers_ports_csv(made, only_server) : ARES_SUCCESS;
	if (status != ARES_SUCCESS) {
		ares_destroy(made);
		return status;
	}
	conf_is_stale = false;
	conf_seen.dev = st.st_dev;
	conf_seen.ino = st.st_ino;
	conf_seen.mtime = st.st_mtim;
	ares_channel old = channel;
	channel = made;
	if (old)
		ares_destroy(old); /* what it was working on goes to the new one, see on_answer() */
	return ARES_SUCCESS;
}

/* c-ares reads resolv.conf when a channel is made and never again, while a daemon outlives its name servers. */
static void channel_refresh(void)
{
	struct stat st = conf_stat();
	if (!conf_is_stale && st.st_dev == conf_seen.dev && st.st_ino == conf_seen.ino &&
	    st.st_mtim.tv_sec == conf_seen.mtime.tv_sec && st.st_mtim.tv_nsec == conf_seen.mtime.tv_nsec)
		return;
	int status = channel_open();
	if (status == ARES_SUCCESS)
		log_info(NULL, "DNS: %s has changed and was read again", conf_path);
	else
		log_warn(NULL, "DNS: %s has changed and could not be read again: %s", conf_path, ares_strerror(status));
}

static void query_free(struct dns_query *q)
{
	list_del(&q->in_list);
	queries--;
	name_put(q->name);
	free(q);
}

static void query_answer(struct dns_query *q)
{
	const struct name *nm = q->name;
	dns_cb *cb = q->cb;
	void *arg = q->arg;
	struct addr addrs[DNS_MAX_ADDRS];
	size_t n = nm->n;
	struct fault f = { .kind = FAULT_NONE };
	for (size_t i = 0; i < n; i++) {
		addrs[i] = nm->addrs[i];
		addrs[i].port = q->port;
	}
	if (n == 0)
		fault_set(&f, nm->status == ARES_ENOMEM ? FAULT_NOMEM : FAULT_CONNECT,
			  "DNS lookup of \"%s\" failed: %s", nm->text, ares_strerror(nm->status));
	query_free(q); /* before the call: it may ask again, cancel others, or close everything */
	cb(arg, addrs, n, n == 0 ? &f : NULL);
}

static void deliver(struct task *t)
{
	(void)t;
	while (!list_empty(&ready))
		query_answer(list_owner(ready.next, struct dns_query, in_list));
}

bool dns_init(struct fault *f)
{
	ASSERT(!channel);
	int status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status != ARES_SUCCESS)
		return fault_set(f, FAULT_INTERNAL, "c-ares: %s", ares_strerror(status));
	closing = false;
	deliver_task = (struct task){ .run = deliver };
	deadline_init(&ares_due, on_ares_due);
	names = MAP_INIT;
	status = channel_open();
	if (status != ARES_SUCCESS) {
		ares_library_cleanup();
		return fault_set(f, status == ARES_ENOMEM ? FAULT_NOMEM : FAULT_IO, "c-ares: %s",
				 ares_strerror(status));
	}
	return true;
}

void dns_free(void)
{
	if (!channel)
		return;
	closing = true;
	loop_undefer(&deliver_task);
	while (!list_empty(&ready))
		query_free(list_owner(ready.next, struct dns_query, in_list));
	size_t slot = 0;
	for (struct map_node *n = NULL; (n = map_next(&names, n, &slot));) {
		struct name *nm = list_owner(n, struct name, node);
		while (!list_empty(&nm->waiting))
			query_free(list_owner(nm->waiting.next, struct dns_query, in_list));
		nm->looking = false;
		name_forget(nm);
	}
	ares_destroy(channel);
	channel = NULL;
	ASSERT(queries == 0 && list_empty(&socks));
	deadline_clear(&ares_due);
	map_free(&names);
	ares_library_cleanup();
}

void dns_configure(uint64_t max_ttl_ms, uint64_t nxdomain_ttl_ms)
{
	max_ttl = max_ttl_ms;
	nxdomain_ttl = nxdomain_ttl_ms;
}

bool dns_use_resolv_conf(const char *path)
{
	char whole[sizeof conf_path];
	if (!str_copy(whole, sizeof whole, *path ? path : DEFAULT_CONF))
		return false;
	conf_is_stale = true;
	return str_copy(conf_path, sizeof conf_path, whole);
}

bool dns_use_server(const char *text)
{
	char whole[sizeof only_server];
	if (!str_copy(whole, sizeof whole, text))
		return false;
	conf_is_stale = true;
	return str_copy(only_server, sizeof only_server, whole);
}

static bool name_match(const struct map_node *n, const void *key, size_t len)
{
	const struct name *nm = list_owner(n, const struct name, node);
	return strlen(nm->text) == len && memcmp(nm->text, key, len) == 0;
}

/* A name of nobody's yet: its one reference is the caller's. NULL when out of memory. */
static struct name *name_new(const char *text, size_t len)
{
	struct name *nm = calloc(1, sizeof *nm + len + 1);
	if (!nm)
		return NULL;
	memcpy(nm->text, text, len);
	nm->refs = 1;
	list_init(&nm->waiting);
	deadline_init(&nm->due, name_due);
	return nm;
}

/* The name's entry, looked up when it is new; the reference is the caller's. NULL when out of memory. */
static struct name *name_get(const char *text)
{
	size_t len = strlen(text);
	struct map_node *n = map_find(&names, text, len, name_match);
	if (n) {
		struct name *nm = list_owner(n, struct name, node);
		nm->refs++;
		return nm;
	}
	struct name *nm = name_new(text, len);
	if (!nm)
		return NULL;
	if (addr_parse(&nm->addrs[0], text, 0)) { /* settled, and not worth keeping */
		nm->n = 1;
		return nm;
	}
	if (!deadline_set(&nm->due, loop_now() + LOOKUP_MAX_MS) || !map_add(&names, &nm->node, text, len)) {
		deadline_clear(&nm->due);
		name_put(nm);
		return NULL;
	}
	nm->in_map = true;
	nm->refs++;
	nm->looking = true;
	channel_refresh();
	name_ask(nm); /* which may settle it at once */
	wait_for_ares();
	return nm;
}

struct dns_query *dns_resolve(const char *name, uint16_t port, dns_cb *cb, void *arg)
{
	struct dns_query *q = malloc(sizeof *q);
	if (!q)
		return NULL;
	struct name *nm = name_get(name);
	if (!nm) {
		free(q);
		return NULL;
	}
	*q = (struct dns_query){ .name = nm, .port = port, .cb = cb, .arg = arg };
	queries++;
	if (nm->looking) {
		list_add(&nm->waiting, &q->in_list);
	} else {
		list_add(&ready, &q->in_list);
		loop_defer(&deliver_task);
	}
	return q;
}

void dns_cancel(struct dns_query *q)
{
	if (q)
		query_free(q); /* the lookup goes on, for the next who asks */
}

static void tell_host(const struct name *nm, struct dns_host *h)
{
	uint64_t now = loop_now();
	bool is_kept = !nm->looking && nm->due.due_ms > now;
	*h = (struct dns_host){ nm->text, is_kept ? nm->due.due_ms - now : 0, nm->addrs, nm->looking ? 0 : nm->n };
}

bool dns_next(struct dns_walk *w, struct dns_host *h)
{
	w->at = map_next(&names, w->at, &w->slot);
	if (w->at)
		tell_host(list_owner(w->at, struct name, node), h);
	return w->at != NULL;
}

bool dns_peek(const char *name, struct dns_host *h)
{
	struct map_node *n = map_find(&names, name, strlen(name), name_match);
	if (n)
		tell_host(list_owner(n, struct name, node), h);
	return n != NULL;
}

void dns_usage(size_t *names_out, size_t *pending)
{
	*names_out = names.count;
	*pending = queries;
}
