/* addr.h - peer addresses, small enough to keep for each client. */
#ifndef SLUICE_NET_ADDR_H
#define SLUICE_NET_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum addr_family { ADDR_NONE, ADDR_UNIX, ADDR_IPV4, ADDR_IPV6 };

struct addr {
	uint8_t ip[16]; /* network order; IPv4 in the first four */
	uint32_t scope; /* IPv6 zone */
	uint16_t port;  /* host order */
	uint8_t family; /* enum addr_family */
};

#define ADDR_TEXT_MAX 80

void addr_from_sockaddr(struct addr *a, const struct sockaddr *sa, socklen_t len);
/* IPv4 and IPv6 only. Returns the length of what was written. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out);
/* "10.0.0.7", "fe80::1%2", "unix" (as PgBouncer shows it). out: ADDR_TEXT_MAX. */
void addr_host_text(const struct addr *a, char *out);
/* "10.0.0.7:5432", "[::1]:5432", "unix:5432" */
void addr_text(const struct addr *a, char *out);
/* A numeric address, no name; false when it is none. */
bool addr_parse(struct addr *a, const char *text, uint16_t port);
bool addr_same(const struct addr *a, const struct addr *b);

#endif
