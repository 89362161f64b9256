/* faultproxy.h - a TCP proxy between Sluice and a server that goes wrong to order.
 * A process of its own, one for a test; closed with the test. @PROXY@ is its "host=127.0.0.1 port=...", @PROXYPORT@ its
 * port. A mode holds for the connections that there are and for new ones, until the next; what was held back goes on
 * then. Each call returns when the proxy has done as it was told. */
#ifndef SLUICE_TEST_FAULTPROXY_H
#define SLUICE_TEST_FAULTPROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_mode {
	FAULT_PASS,
	FAULT_REFUSE,   /* new connections are refused, as where nobody listens */
	FAULT_RESET,    /* new connections are accepted, and reset */
	FAULT_HANG,     /* accepted, and nothing passes, either way */
	FAULT_DELAY,    /* all that passes is so many milliseconds late, each way */
	FAULT_THROTTLE, /* so many bytes pass in a second, each way, of each connection */
	FAULT_CUT,      /* a connection is reset when so many more bytes have come from the server */
	FAULT_FORGET,   /* nothing passes any more on those that there are, for good; new ones pass */
	FAULT_TWICE     /* each new connection is made to the server twice; the second one is left alone */
};

/* To a port of 127.0.0.1. Before Sluice is started. */
void fault_open(int port);
/* The same, and what each connection hears first has been edited: n bytes of it, with room for cap; returns how many
 * there are then. */
void fault_open_edited(int port, size_t (*edit)(char *bytes, size_t n, size_t cap));
bool fault_is_open(void);
int fault_port(void);
void fault_close(void);
void fault_mode(enum fault_mode m, uint64_t arg);
/* Resets all connections that there are. */
void fault_reset(void);
/* How many it has accepted since it was opened, and how many are open. */
int fault_accepted(void);
int fault_connections(void);

#endif
