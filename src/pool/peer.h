/* peer.h - other processes that listen on the same address ([peers]): a cancel request that came here, and is for a
 * client of one of them, is forwarded to it.
 * No more than the peer's pool_size are on their way at once; the others wait in line, none of them for longer than
 * cancel_wait_timeout. All on the loop's thread. */
#ifndef SLUICE_POOL_PEER_H
#define SLUICE_POOL_PEER_H

#include "core/list.h"
#include "pool/engine.h"

/* Sends n bytes to the peer of that id. ops: how its socket is called, and TLS asked for. True: through(who) is called
 * when they are taken, or cannot be delivered; never inside this call. who is in no list, and leaves the one it is put
 * in by list_del() if it goes before. False: there is no such peer, or no memory. */
bool peer_forward(uint32_t id, const struct engine_ops *ops, const uint8_t *bytes, size_t n, struct list *who,
		  void (*through)(struct list *who));

/* For SHOW PEER_POOLS. */
struct peer_usage {
	uint32_t senders_active, senders_waiting; /* clients whose request is on its way, or in line */
	uint32_t active, login;                   /* connections to the peer; those that are being opened */
};
struct peer_usage peer_usage(uint32_t id);
/* All are dropped, for exit. */
void peers_free(void);

#endif
