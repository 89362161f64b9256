/* event.c - the house's events: kept, and told to whoever listens. */
#include "core/event.h"

#include "core/assert.h"
#include "core/loop.h"
#include "core/str.h"

static const struct {
	const char *name;
	enum log_level level;
} rows[EVENT_NKINDS] = {
#define EVENT(kind, level, text) [EVENT_##kind] = { #kind, LOG_LV_##level },
#include "core/event.def"
#undef EVENT
};

static struct event kept[EVENTS_KEPT]; /* the one with an id at id % EVENTS_KEPT */
static uint64_t last_id;
static struct list listeners = { &listeners, &listeners };

void event_listen(struct event_listener *l)
{
	list_add(&listeners, &l->in_all);
}

void event_raise(enum event_kind kind, const char *db, const char *fmt, ...)
{
	ASSERT((unsigned)kind < EVENT_NKINDS);
	struct event *e = &kept[++last_id % EVENTS_KEPT];
	va_list ap;
	e->id = last_id;
	e->at_us = loop_now_us();
	e->kind = kind;
	str_fmt(e->db, sizeof e->db, "%s", db ? db : "");
	va_start(ap, fmt);
	str_vfmt(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	LIST_EACH (&listeners, it) {
		struct event_listener *l = list_owner(it, struct event_listener, in_all);
		l->on_event(l, e);
	}
}

const char *event_name(enum event_kind kind)
{
	static char names[EVENT_NKINDS][16]; /* in lower case, made when first asked for */
	ASSERT((unsigned)kind < EVENT_NKINDS);
	char *name = names[kind];
	if (!*name)
		for (size_t i = 0; i + 1 < sizeof names[0] && rows[kind].name[i]; i++)
			name[i] = (char)(rows[kind].name[i] | (rows[kind].name[i] == '_' ? 0 : 0x20));
	return name;
}

enum log_level event_level(enum event_kind kind)
{
	return rows[kind].level;
}

const struct event *event_from(uint64_t id)
{
	uint64_t first = last_id < EVENTS_KEPT ? 1 : last_id - EVENTS_KEPT + 1;
	if (id < first)
		id = first;
	return id <= last_id ? &kept[id % EVENTS_KEPT] : NULL;
}
