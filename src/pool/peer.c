/* peer.c - cancel requests for the clients of other processes. */
#include "pool/peer.h"

#include "config/config.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/str.h"
#include "net/dns.h"
#include "pool/courier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One request; the same again says nothing new, and joins it. */
struct letter {
	struct courier courier;
	struct list in_all;
	struct list waiting; /* whoever brought it */
	void (*through)(struct list *who);
	const struct engine_ops *ops;
	struct dns_query *dns;
	struct deadline deadline; /* until it is on its way */
	struct task begin_task, free_task;
	uint64_t due_ms; /* 0: whenever */
	uint32_t peer;
	uint16_t port;
	char *host;   /* owned; once it has begun */
	bool begun;   /* it has a place among those that are on their way */
	bool carried; /* by its courier */
	size_t len;
	uint8_t bytes[ENGINE_BYTES_MAX];
};

static struct list letters = { &letters, &letters }; /* in the order in which they came */
static struct log_seldom undelivered;
static uint32_t turn;

static void letter_free(struct task *t)
{
	struct letter *l = list_owner(t, struct letter, free_task);
	free(l->host);
	free(l);
}

static void begin(struct task *t);

/* The first in line have the places that are free. */
static void serve(uint32_t peer)
{
	const struct config *c = config_now();
	const struct peer_conf *conf = config_find_peer(c, peer);
	uint32_t most = conf ? config_peer_size(c, conf) : 0, under_way = 0;

	LIST_EACH (&letters, it) {
		const struct letter *l = list_owner(it, struct letter, in_all);
		under_way += l->peer == peer && l->begun;
	}
	LIST_EACH (&letters, it) {
		struct letter *l = list_owner(it, struct letter, in_all);
		if (l->peer != peer || l->begun)
			continue;
		if (most && under_way >= most)
			break;
		under_way++;
		l->begun = true;
		loop_defer(&l->begin_task);
	}
}

static void forget(struct letter *l)
{
	loop_undefer(&l->begin_task);
	deadline_clear(&l->deadline);
	dns_cancel(l->dns);
	l->dns = NULL;
	list_del(&l->in_all);
	loop_defer(&l->free_task);
}

/* why: it cannot be delivered, or nobody knows; NULL: it is. */
static void done(struct letter *l, const struct fault *why)
{
	if (why)
		log_seldom(&undelivered, LOG_LV_WARN, NULL, "cancel request for peer %u did not get through: %s",
			   l->peer, why->text);
	forget(l);
	while (!list_empty(&l->waiting)) {
		struct list *who = l->waiting.next;
		list_del(who);
		l->through(who);
	}
	serve(l->peer);
}

static void delivered(struct courier *c, enum courier_end how, const struct fault *why)
{
	(void)how;
	done(list_owner(c, struct letter, courier), why);
}

static void on_deadline(struct deadline *d)
{
	struct letter *l = list_owner(d, struct letter, deadline);
	struct fault f;
	fault_set(&f, FAULT_TIMEOUT, "%s for cancel_wait_timeout",
		  l->begun ? "its name was looked up" : "as many as its pool_size were on their way");
	done(l, &f);
}

/* One after the other, so that one that is down does not stop what others would take. */
static void send_to(struct letter *l, const struct addr *addrs, size_t n, const char *path)
{
	enum tls_mode mode = tls_mode_now(TLS_SERVERS);
	const struct courier_to to = {
		.addrs = addrs,
		.naddrs = (uint32_t)n,
		.first = n > 1 ? turn++ : 0,
		.path = path,
		.ops = l->ops,
		.ctx = n && mode >= TLS_PREFER ? tls_now(TLS_SERVERS) : NULL,
		.host = l->host,
		.must_encrypt = mode >= TLS_REQUIRE,
	};
	uint64_t now = loop_now();
	struct fault f;
	deadline_clear(&l->deadline);
	if (courier_start(&l->courier, &to, l->bytes, l->len,
			  !l->due_ms        ? 0
			  : l->due_ms > now ? l->due_ms - now
					    : 1,
			  &f))
		l->carried = true;
	else
		done(l, &f);
}

static void on_dns(void *arg, const struct addr *addrs, size_t n, const struct fault *f)
{
	struct letter *l = arg;
	l->dns = NULL;
	if (n)
		send_to(l, addrs, n, NULL);
	else
		done(l, f);
}

static void begin(struct task *t)
{
	struct letter *l = list_owner(t, struct letter, begin_task);
	const struct config *c = config_now();
	const struct peer_conf *conf = config_find_peer(c, l->peer);
	struct fault f;
	struct addr a;
	char path[256], file[64];

	if (!conf) {
		fault_set(&f, FAULT_CONFIG, "it is not configured any more");
		done(l, &f);
		return;
	}
	l->port = conf->port;
	l->host = str_dup(config_peer_host(c, conf));
	if (!l->host) {
		fault_set(&f, FAULT_NOMEM, "out of memory");
		done(l, &f);
	} else if (l->host[0] == '/' || l->host[0] == '@') {
		(void)snprintf(file, sizeof file, l->ops->socket_file, (unsigned)l->port);
		int n = snprintf(path, sizeof path, "%s/%s", l->host, file);
		if (n > 0 && (size_t)n < sizeof path) {
			send_to(l, NULL, 0, path);
		} else {
			fault_set(&f, FAULT_CONFIG, "its socket directory is too long");
			done(l, &f);
		}
	} else if (addr_parse(&a, l->host, l->port)) {
		send_to(l, &a, 1, NULL);
	} else {
		l->dns = dns_resolve(l->host, l->port, on_dns, l);
		if (!l->dns) {
			fault_set(&f, FAULT_NOMEM, "out of memory");
			done(l, &f);
		}
	}
}

static struct letter *find(uint32_t id, const uint8_t *bytes, size_t n)
{
	LIST_EACH (&letters, it) {
		struct letter *l = list_owner(it, struct letter, in_all);
		if (l->peer == id && l->len == n && memcmp(l->bytes, bytes, n) == 0)
			return l;
	}
	return NULL;
}

bool peer_forward(uint32_t id, const struct engine_ops *ops, const uint8_t *bytes, size_t n, struct list *who,
		  void (*through)(struct list *who))
{
	uint64_t wait = (uint64_t)config_num(config_now(), SET_cancel_wait_timeout, NULL, NULL);
	struct letter *l = find(id, bytes, n);

	if (l) {
		list_add(&l->waiting, who);
		return true;
	}
	if (!config_find_peer(config_now(), id) || n > sizeof l->bytes)
		return false;
	l = calloc(1, sizeof *l);
	if (!l)
		return false;
	l->courier.done = delivered;
	l->courier.stream.io.fd = -1;
	l->begin_task.run = begin;
	l->free_task.run = letter_free;
	l->ops = ops;
	l->through = through;
	l->peer = id;
	l->len = n;
	memcpy(l->bytes, bytes, n);
	list_init(&l->waiting);
	deadline_init(&l->deadline, on_deadline);
	if (wait) {
		l->due_ms = loop_now() + wait;
		if (!deadline_set(&l->deadline, l->due_ms)) {
			free(l);
			return false;
		}
	}
	list_add(&l->waiting, who);
	list_add(&letters, &l->in_all);
	serve(id);
	return true;
}

struct peer_usage peer_usage(uint32_t id)
{
	struct peer_usage u = { 0, 0, 0, 0 };
	LIST_EACH (&letters, it) {
		const struct letter *l = list_owner(it, struct letter, in_all);
		if (l->peer != id)
			continue;
		uint32_t senders = 0;
		LIST_EACH ((struct list *)(uintptr_t)&l->waiting, at)
			senders++;
		if (l->carried && l->courier.sent) {
			u.active++;
			u.senders_active += senders;
		} else {
			u.login += l->begun;
			u.senders_waiting += senders;
		}
	}
	return u;
}

void peers_free(void)
{
	LIST_EACH (&letters, it) {
		struct letter *l = list_owner(it, struct letter, in_all);
		if (l->carried)
			courier_stop(&l->courier);
		while (!list_empty(&l->waiting))
			list_del(l->waiting.next);
		forget(l);
		loop_undefer(&l->free_task);
		letter_free(&l->free_task);
	}
}
