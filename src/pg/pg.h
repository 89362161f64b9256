/* pg.h - PostgreSQL, protocols 3.0 to 3.2: the door that its clients come in by, and the engine that speaks to its
 * servers. Both together are the relay: messages are framed in place and forwarded by span.
 *
 *   wire.c        the format, pure                        door.c           clients
 *   startup.c     the first packet, pure                  door_login.c     until they are in,
 *   login.c       the handshakes, pure                    door_auth.c      and whether they may be
 *   expect.c      what a server still owes, pure          door_prepared.c  their prepared statements, by the protocol
 *   key.c         the cancel keys of clients, pure        door_script.c    and by SQL
 *   prepared.c    names of clients, texts of servers      statement.c      what becomes of them as servers answer
 *   batch.c       the extended protocol's messages, pure  engine.c         servers
 *   value.c       binary values, pure                     engine_login.c   until they are logged in to
 *   ask.c         clients of an engine on the exchange    engine_own.c     what the house asks of them
 *   sink.c        and the exchange's answers to them      engine_relay.c   what they answer to clients
 *   track.c       what statements do to their session     replay.c         settings said again, pure
 *                                                         door_reset.c     RESET and DISCARD ALL
 */
#ifndef SLUICE_PG_PG_H
#define SLUICE_PG_PG_H

#include "session/door.h"

/* Registers the engine; to be called once, before any configuration is loaded. */
void pg_init(void);
const struct door_ops *pg_door_ops(void);

#endif
