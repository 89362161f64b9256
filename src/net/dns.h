/* dns.h - names to addresses without blocking: c-ares on the worker's loop, with a small cache.
 * Uses settings through dns_configure(), so that this file needs no configuration. */
#ifndef SLUICE_NET_DNS_H
#define SLUICE_NET_DNS_H

#include "core/fault.h"
#include "core/map.h"
#include "net/addr.h"

#define DNS_MAX_ADDRS 16

struct dns_query; /* in flight */

/* addrs: all addresses found, in the resolver's order (port as asked), borrowed for the call; n == 0: f says why.
 * Never fires inside dns_resolve(). A name that cannot be resolved is FAULT_CONNECT; no lookup lasts longer than 12 s,
 * and who wants less sets a deadline and cancels. */
typedef void dns_cb(void *arg, const struct addr *addrs, size_t n, const struct fault *f);

bool dns_init(struct fault *f);
void dns_free(void);
/* How long an answer is kept at most (a record's own time to live may be shorter), and how long a failure. */
void dns_configure(uint64_t max_ttl_ms, uint64_t nxdomain_ttl_ms);
/* Another file than /etc/resolv.conf ("" is that); before dns_init(), or for the lookups that follow. It is read again
 * when it has changed. False, and nothing changes, when the path is too long. */
bool dns_use_resolv_conf(const char *path);
/* Asks only this name server, "127.0.0.1:5353", whatever resolv.conf says; "" for those in there. For tests. */
bool dns_use_server(const char *server);

/* Resolves a host name (numeric addresses and /etc/hosts included). NULL when out of memory. Answers from the cache
 * come at the end of the turn. */
struct dns_query *dns_resolve(const char *name, uint16_t port, dns_cb *cb, void *arg);
/* The callback will not fire. NULL is fine. */
void dns_cancel(struct dns_query *q);
/* A name in the cache, for SHOW DNS_HOSTS. */
struct dns_host {
	const char *name;         /* borrowed, as addrs is, until the loop's next turn */
	uint64_t ttl_ms;          /* how long it is kept yet */
	const struct addr *addrs; /* port 0; none: it is being looked up, or has none */
	size_t n;
};
/* Walks all of them, in no order; a walk begins as all zeroes. False: there are no more. */
struct dns_walk {
	struct map_node *at;
	size_t slot;
};
bool dns_next(struct dns_walk *w, struct dns_host *h);
bool dns_peek(const char *name, struct dns_host *h);

/* Entries in the cache (with those being looked up) and queries not yet answered, for SHOW LISTS. */
void dns_usage(size_t *names, size_t *pending);

#endif
