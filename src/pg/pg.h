/* pg.h - PostgreSQL, protocol 3.0: the door that its clients come in by, and the engine that speaks to its servers.
 * Both together are the relay: messages are framed in place and forwarded by span. wire.c     the format, pure expect.c
 * what a server still owes, pure startup.c  the first packet, pure  login.c    the handshakes, pure door.c     clients
 * engine.c   servers                 sink.c   the exchange's answers */
#ifndef SLUICE_PG_PG_H
#define SLUICE_PG_PG_H

#include "session/door.h"

/* Registers the engine; to be called once, before any configuration is loaded. */
void pg_init(void);
const struct door_ops *pg_door_ops(void);

#endif
