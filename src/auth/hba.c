/* hba.c - which rule is a client's, and whose name it may bear. PostgreSQL docs, The pg_hba.conf File; User Name Maps.
 */
#include "auth/hba.h"

#include "core/str.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

#define CAUGHT_MAX 256u /* bytes that \1 can stand for: longer than any name of a user */

static bool regex_fits(const regex_t *re, const char *text)
{
	return regexec(re, text, 0, NULL, 0) == 0;
}

static bool db_fits(const struct hba_name *n, const struct hba_client *c)
{
	if (n->is == HBA_REPLICATION)
		return c->is_replication;
	if (c->is_replication)
		return false; /* not even by all */
	switch (n->is) {
	case HBA_NAME:
		return strcmp(n->text, c->database) == 0;
	case HBA_ALL:
		return true;
	case HBA_SAMEUSER:
		return strcmp(c->user, c->database) == 0;
	case HBA_REGEX:
		return regex_fits(&n->regex, c->database);
	case HBA_REPLICATION:
		break;
	}
	return false;
}

static bool user_fits(const struct hba_name *n, const char *user)
{
	return n->is == HBA_ALL || (n->is == HBA_REGEX ? regex_fits(&n->regex, user) : strcmp(n->text, user) == 0);
}

static bool is_in_net(const uint8_t *ip, const uint8_t *net, const uint8_t *mask, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((ip[i] ^ net[i]) & mask[i])
			return false;
	return true;
}

/* A client by IPv4 on a socket of IPv6 is one by IPv4. */
static struct addr plain_addr(const struct addr *a)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	struct addr v4 = { .family = ADDR_IPV4, .port = a->port };
	if (a->family != ADDR_IPV6 || memcmp(a->ip, mapped, sizeof mapped) != 0)
		return *a;
	memcpy(v4.ip, a->ip + 12, 4);
	return v4;
}

/* Is it an address of ours, or of a network that we are in? */
static bool is_ours(const struct addr *a, bool net)
{
	static const uint8_t all[16] = {
		255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255
	};
	size_t n = a->family == ADDR_IPV4 ? 4 : 16;
	struct ifaddrs *list;
	bool found = false;

	if (getifaddrs(&list) != 0)
		return false;
	for (const struct ifaddrs *i = list; i && !found; i = i->ifa_next) {
		struct addr own, mask = { .family = ADDR_NONE };
		if (!i->ifa_addr)
			continue;
		addr_from_sockaddr(&own, i->ifa_addr, sizeof(struct sockaddr_in6));
		if (own.family != a->family)
			continue;
		if (net && i->ifa_netmask)
			addr_from_sockaddr(&mask, i->ifa_netmask, sizeof(struct sockaddr_in6));
		found = is_in_net(a->ip, own.ip, net && mask.family == a->family ? mask.ip : all, n);
	}
	freeifaddrs(list);
	return found;
}

static bool conn_fits(const struct hba_rule *h, const struct hba_client *c)
{
	switch (h->conn) {
	case HBA_LOCAL:
		return c->addr->family == ADDR_UNIX;
	case HBA_HOST:
		return c->addr->family != ADDR_UNIX;
	case HBA_HOSTSSL:
		return c->addr->family != ADDR_UNIX && c->is_tls;
	case HBA_HOSTNOSSL:
		return c->addr->family != ADDR_UNIX && !c->is_tls;
	case HBA_NEVER:
		break;
	}
	return false;
}

static bool addr_fits(const struct hba_rule *h, const struct addr *a)
{
	switch (h->where) {
	case HBA_ANYWHERE:
		return true;
	case HBA_SAMEHOST:
	case HBA_SAMENET:
		return is_ours(a, h->where == HBA_SAMENET);
	case HBA_NET:
		return a->family == (h->is_ipv6 ? ADDR_IPV6 : ADDR_IPV4) &&
		       is_in_net(a->ip, h->ip, h->mask, h->is_ipv6 ? 16 : 4);
	}
	return false;
}

static bool names_fit(const struct hba_rule *h, const struct hba_client *c)
{
	bool db = false, user = false;
	for (size_t i = 0; i < h->dbs.n && !db; i++)
		db = db_fits(&h->dbs.at[i], c);
	for (size_t i = 0; i < h->users.n && db && !user; i++)
		user = user_fits(&h->users.at[i], c->user);
	return db && user;
}

const struct hba_rule *hba_pick(const struct hba *h, const struct hba_client *c)
{
	struct addr a = plain_addr(c->addr);
	for (size_t i = 0; i < h->n; i++) {
		const struct hba_rule *r = &h->at[i];
		if (conn_fits(r, c) && names_fit(r, c) && (a.family == ADDR_UNIX || addr_fits(r, &a)))
			return r;
	}
	return NULL;
}

/* The user of a line, with what the system user's expression caught in the place of its \1. */
static bool caught_fits(const struct ident_line *l, const char *system, const char *user)
{
	regmatch_t m[2];
	char want[CAUGHT_MAX + 256];
	if (regexec(&l->regex, system, 2, m, 0) != 0)
		return false;
	if (l->user.is != HBA_NAME)
		return user_fits(&l->user, user);
	const char *one = strstr(l->user.text, "\\1");
	if (!one)
		return strcmp(l->user.text, user) == 0;
	if (m[1].rm_so < 0)
		return false;
	size_t head = (size_t)(one - l->user.text), n = (size_t)(m[1].rm_eo - m[1].rm_so), tail = strlen(one + 2);
	if (n > CAUGHT_MAX || head + tail >= 256)
		return false;
	memcpy(want, l->user.text, head);
	memcpy(want + head, system + m[1].rm_so, n);
	memcpy(want + head + n, one + 2, tail + 1);
	return strcmp(want, user) == 0;
}

bool ident_maps(const struct ident *i, const char *map, const char *system, const char *user)
{
	if (!map)
		return strcmp(system, user) == 0;
	for (size_t n = 0; n < i->n; n++) {
		const struct ident_line *l = &i->at[n];
		if (strcmp(l->map, map) != 0)
			continue;
		if (l->is_regex ? caught_fits(l, system, user)
				: strcmp(l->system, system) == 0 && user_fits(&l->user, user))
			return true;
	}
	return false;
}
