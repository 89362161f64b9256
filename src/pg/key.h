/* key.h - the cancel keys that Sluice gives its clients. Pure. PostgreSQL docs, Message Formats, BackendKeyData and
 * CancelRequest. Eight bytes, a process id and four more, name the client and are all the secret there is in protocol
 * 3.0. In 3.2 there is room for more: a tail, which only this process can compute from the eight, so that a client
 * costs no more memory for it. */
#ifndef SLUICE_PG_KEY_H
#define SLUICE_PG_KEY_H

#include "core/rd.h"

#define PG_KEY_TAIL 28u /* makes a secret of 32 bytes, as PostgreSQL 18 has it */

/* What follows the eight bytes in 3.2. False: the cryptographic library fails. */
bool pg_key_tail(uint64_t key, uint8_t out[PG_KEY_TAIL]);
/* Is it that (is_long), or nothing? Where it differs does not show in the time that this takes. */
bool pg_key_fits(uint64_t key, bool is_long, struct rd tail);

#endif
