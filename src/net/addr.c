/* addr.c - peer addresses: from and to sockaddr, from and to text. */
#include "net/addr.h"

#include "core/str.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

void addr_from_sockaddr(struct addr *a, const struct sockaddr *sa, socklen_t len)
{
	*a = (struct addr){ .family = ADDR_NONE };
	if (len < (socklen_t)sizeof sa->sa_family) /* an unnamed peer */
		return;
	switch (sa->sa_family) {
	case AF_UNIX:
		a->family = ADDR_UNIX;
		break;
	case AF_INET: {
		struct sockaddr_in in;
		if (len < (socklen_t)sizeof in)
			return;
		memcpy(&in, sa, sizeof in);
		memcpy(a->ip, &in.sin_addr, 4);
		a->port = ntohs(in.sin_port);
		a->family = ADDR_IPV4;
		break;
	}
	case AF_INET6: {
		struct sockaddr_in6 in6;
		if (len < (socklen_t)sizeof in6)
			return;
		memcpy(&in6, sa, sizeof in6);
		memcpy(a->ip, &in6.sin6_addr, 16);
		a->scope = in6.sin6_scope_id;
		a->port = ntohs(in6.sin6_port);
		a->family = ADDR_IPV6;
		break;
	}
	default:
		break;
	}
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (a->family == ADDR_IPV4) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(a->port) };
		memcpy(&in.sin_addr, a->ip, 4);
		memcpy(out, &in, sizeof in);
		return sizeof in;
	}
	if (a->family == ADDR_IPV6) {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->port) };
		memcpy(&in6.sin6_addr, a->ip, 16);
		in6.sin6_scope_id = a->scope;
		memcpy(out, &in6, sizeof in6);
		return sizeof in6;
	}
	return 0;
}

/* At each login, so without printf's family. */
static char *put_octet(char *p, unsigned n)
{
	if (n >= 100)
		*p++ = (char)('0' + n / 100);
	if (n >= 10)
		*p++ = (char)('0' + n / 10 % 10);
	*p++ = (char)('0' + n % 10);
	return p;
}

static void ipv4_text(const uint8_t ip[4], char *out)
{
	for (int i = 0; i < 4; i++) {
		out = put_octet(out, ip[i]);
		*out++ = i < 3 ? '.' : '\0';
	}
}

void addr_host_text(const struct addr *a, char *out)
{
	char ip[INET6_ADDRSTRLEN] = "";
	switch ((enum addr_family)a->family) {
	case ADDR_UNIX:
		str_fmt(out, ADDR_TEXT_MAX, "unix");
		return;
	case ADDR_IPV4:
		ipv4_text(a->ip, out);
		return;
	case ADDR_IPV6:
		inet_ntop(AF_INET6, a->ip, ip, sizeof ip);
		if (a->scope)
			str_fmt(out, ADDR_TEXT_MAX, "%s%%%u", ip, a->scope);
		else
			str_fmt(out, ADDR_TEXT_MAX, "%s", ip);
		return;
	case ADDR_NONE:
		break;
	}
	str_fmt(out, ADDR_TEXT_MAX, "?");
}

void addr_text(const struct addr *a, char *out)
{
	char host[ADDR_TEXT_MAX];
	addr_host_text(a, host);
	str_fmt(out, ADDR_TEXT_MAX, a->family == ADDR_IPV6 ? "[%s]:%u" : "%s:%u", host, (unsigned)a->port);
}

/* A zone is an interface's number or its name. */
static bool zone_parse(const char *text, uint32_t *zone)
{
	uint64_t n;
	*zone = str_to_u64(text, UINT32_MAX, &n) ? (uint32_t)n : if_nametoindex(text);
	return *zone != 0;
}

bool addr_parse(struct addr *a, const char *text, uint16_t port)
{
	struct addr got = { .port = port };
	if (inet_pton(AF_INET, text, got.ip) == 1) {
		got.family = ADDR_IPV4;
		*a = got;
		return true;
	}
	char ip[INET6_ADDRSTRLEN];
	const char *zone = strchr(text, '%');
	if (!str_copy_n(ip, sizeof ip, text, zone ? (size_t)(zone - text) : strlen(text)) ||
	    inet_pton(AF_INET6, ip, got.ip) != 1)
		return false;
	if (zone && !zone_parse(zone + 1, &got.scope))
		return false;
	got.family = ADDR_IPV6;
	*a = got;
	return true;
}

bool addr_same(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family || a->port != b->port)
		return false;
	if (a->family == ADDR_IPV4)
		return memcmp(a->ip, b->ip, 4) == 0;
	if (a->family == ADDR_IPV6)
		return memcmp(a->ip, b->ip, 16) == 0 && a->scope == b->scope;
	return true;
}
