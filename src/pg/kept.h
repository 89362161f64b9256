/* kept.h - what the door does for clients that stay although something failed. See kept.c. */
#ifndef SLUICE_PG_KEPT_H
#define SLUICE_PG_KEPT_H

#include "pg/pg_int.h"

/* door_ops. */
void pg_refuse(struct session *s, const struct fault *f);
bool pg_lost(struct session *s, const struct server *sv, const struct fault *f);
bool pg_fail_transaction(struct session *s, const struct fault *f);
/* Within what is refused: drops the message at the cursor, up to a Sync or, when it was a simple query, its end. */
void pg_skip_refused(struct pg_client *c, uint8_t type, uint32_t total);
/* The open transaction is gone; txn is what the client believes: 'T' or 'E'. */
bool pg_fail_transaction_as(struct pg_client *c, uint8_t txn, const struct fault *f);
/* A message of a client whose transaction has failed, or of a batch that ends that (pg_is_ending()): answered here.
 * False: more of it is needed. */
bool pg_failed_message(struct session *s, const struct rd *in, uint8_t type, uint32_t total);
bool pg_is_ending(struct pg_client *c, uint8_t type);
void pg_kept_free(struct pg_client *c);

#endif
