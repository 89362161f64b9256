/* event.h - what happened to the house, and is worth a word to whoever watches it: one row of event.def each.
 * The last EVENTS_KEPT are kept for SHOW EVENTS, in one block of memory; raising one allocates nothing. On the loop's
 * thread. Never a password or a bind value in a text. */
#ifndef SLUICE_CORE_EVENT_H
#define SLUICE_CORE_EVENT_H

#include "core/list.h"
#include "core/log.h"

#include <stdint.h>

enum event_kind {
#define EVENT(kind, level, text) EVENT_##kind,
#include "core/event.def"
#undef EVENT
	EVENT_NKINDS
};

#define EVENTS_KEPT 256

struct event {
	uint64_t id;    /* counts up from 1 */
	uint64_t at_us; /* loop_now_us() */
	enum event_kind kind;
	char db[64]; /* the database that it is about; "" for none */
	char text[256];
};

/* Who hears of each event, within event_raise(); its own memory, there until the end. It raises none. */
struct event_listener {
	struct list in_all;
	void (*on_event)(struct event_listener *l, const struct event *e);
};
void event_listen(struct event_listener *l);

/* db: NULL for none; what does not fit is cut. */
void event_raise(enum event_kind kind, const char *db, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
const char *event_name(enum event_kind kind); /* "breaker" */
enum log_level event_level(enum event_kind kind);
/* The first one that is kept with an id from this one on; NULL: there is none yet. */
const struct event *event_from(uint64_t id);

#endif
