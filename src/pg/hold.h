/* hold.h - clients that are not read from while they have a server: for what they wait, and who ends it. PostgreSQL
 * docs, Message Flow.
 * The message that has to wait stands in front of what is kept of the client's input; it is looked at once more at the
 * end of the turn in which its wait is over, as if it had just come, and the door sees itself whether it may pass now.
 * So to be woken too soon costs a look, and never to be woken is the only fault: each wait has one who ends it.
 *
 *   FULL      the server owes too many answers     pg_hold_look(): half of them have come
 *   ANSWERS   it depends on what is not answered   pg_hold_look(): a batch or a Query has ended or failed, or all is
 *             yet: how a batch ends, what is         answered of a batch whose Sync the client has yet to say (the
 *             prepared ahead of a Query, what is     server is asked to keep nothing back), or the server takes nothing
 *             healed (heal.h)                        but data
 *   LISTENER  the listener has to know first       listen.c: it does, or cannot be had, or its wait is dropped
 *
 * Whoever's server is lost waits for nothing any more: kept.c. */
#ifndef SLUICE_PG_HOLD_H
#define SLUICE_PG_HOLD_H

#include <stdint.h>

struct pg_client;
struct pg_server;

enum pg_held { PG_HELD_NOT, PG_HELD_FULL, PG_HELD_ANSWERS, PG_HELD_LISTENER };

/* The message at the cursor has to wait. */
void pg_hold(struct pg_client *c, enum pg_held why);
/* Its wait for this is over, if it waits for that. */
void pg_hold_over(struct pg_client *c, enum pg_held why);
/* For whatever it waits. It is the caller's to have it go on. */
void pg_hold_forget(struct pg_client *c);

/* What a server has said, whose client may wait for it. */
enum pg_seen {
	PG_SEEN_ANSWERS, /* anything */
	PG_SEEN_END,     /* a batch or a Query has ended or failed */
	PG_SEEN_COPY     /* it takes nothing but data now */
};
void pg_hold_look(struct pg_server *p, enum pg_seen seen);

#endif
