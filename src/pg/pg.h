/* pg.h - PostgreSQL, protocols 3.0 to 3.2: the door that its clients come in by, and the engine that speaks to its
 * servers. Both together are the relay: messages are framed in place and forwarded by span.
 *
 *   wire.c        the format, pure                        door_login.c  clients, until they are in
 *   startup.c     the first packet, pure                  door.c        clients
 *   login.c       the handshakes, pure                    engine.c      servers
 *   expect.c      what a server still owes, pure          ask.c         clients of an engine on the exchange
 *   key.c         the cancel keys of clients, pure
 *   batch.c       the extended protocol's messages, pure  sink.c        the exchange's answers to them
 *   value.c       binary values, pure                     door_prepared.c, prepared.c  prepared statements of the relay
 */
#ifndef SLUICE_PG_PG_H
#define SLUICE_PG_PG_H

#include "session/door.h"

/* Registers the engine; to be called once, before any configuration is loaded. */
void pg_init(void);
const struct door_ops *pg_door_ops(void);

#endif
