/* mysql.h - MySQL's protocol, which MariaDB speaks too: the door that its clients come in by, and the engine that
 * speaks to its servers. Both together are the relay: packets are framed in place and forwarded by span.
 *
 *   wire.c        the format, pure                       door_login.c    clients, until they are in
 *   expect.c      what a server still owes, pure         door.c          clients
 *   login.c       the proofs of both sides, pure         engine_login.c  servers, until they let us in
 *   ask.c         clients of an engine on the exchange   engine.c        servers
 *                                                        own.c           the house's own statements
 *   look.c        what statements mean for a session, pure
 *   track.c       what they have done to it, pure        state.c         how that comes to sessions */
#ifndef SLUICE_MYSQL_MYSQL_H
#define SLUICE_MYSQL_MYSQL_H

#include "session/door.h"

/* Registers the engine; to be called once, with a configuration, before workers fork. */
void mysql_init(void);
const struct door_ops *mysql_door_ops(void);

#endif
