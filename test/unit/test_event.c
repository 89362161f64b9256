/* test_event.c - events: kept in order, the last ones only, and told to listeners. */
#include "unit.h"

#include "core/event.h"
#include "core/loop.h"

#include <string.h>

static uint64_t heard, heard_id;
static void on_event(struct event_listener *l, const struct event *e)
{
	(void)l;
	heard++;
	heard_id = e->id;
}
static struct event_listener listener = { .on_event = on_event };

static void test_kept(void)
{
	char long_name[200];
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = '\0';
	event_listen(&listener);
	event_raise(EVENT_RELOAD, NULL, "number %d", 0);
	uint64_t first = heard_id;
	check_eq("heard", heard, 1);
	const struct event *e = event_from(first);
	check_str("text", e->text, "number 0");
	check_str("no database", e->db, "");
	check_str("its kind", event_name(e->kind), "reload");
	check("no later one", event_from(first + 1) == NULL);
	for (unsigned i = 1; i < 3 * EVENTS_KEPT; i++)
		event_raise(EVENT_BREAKER, long_name, "number %u %s%s", i, long_name, long_name);
	check_eq("all are heard", heard, 3 * EVENTS_KEPT);
	unsigned n = 0;
	uint64_t last = 0;
	for (uint64_t id = 0; (e = event_from(id)) != NULL; id = e->id + 1) {
		check("in order", e->id > last);
		check("cut", strlen(e->db) == sizeof e->db - 1 && strlen(e->text) == sizeof e->text - 1);
		last = e->id;
		n++;
	}
	check_eq("the last ones are kept", n, EVENTS_KEPT);
	check_eq("up to the last one", last, heard_id);
	list_del(&listener.in_all);
}

void suite_event(void)
{
	static const struct unit_test tests[] = { { "kept", test_kept }, { NULL, NULL } };
	unit_add("event", tests);
}
