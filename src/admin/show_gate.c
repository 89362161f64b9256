/* show_gate.c - SHOW BREAKERS, EVENTS, LEDGER: what protects the servers, and what happened. */
#include "admin/show.h"

#include "core/event.h"
#include "core/loop.h"
#include "session/ledger.h"
#include "session/session.h"

#include <string.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* --- SHOW BREAKERS */

static const struct column breakers_cols[] = {
	{ "database", COL_TEXT }, { "host", COL_TEXT },   { "port", COL_INT4 },
	{ "state", COL_TEXT },    { "since", COL_TEXT },  { "failures", COL_INT4 },
	{ "retry_ms", COL_INT8 }, { "opened", COL_INT8 }, { "last_failure", COL_TEXT },
};

static void breakers_gather(struct batch *b)
{
	LIST_EACH (databases_all(), it) {
		const struct database *db = list_owner(it, struct database, in_all);
		for (uint32_t i = 0; i < db->nhosts; i++)
			batch_offer(b,
				    (struct item){
					    .a = db->name->s, .b = db->hosts[i]->name, .id = i, .obj = db->hosts[i] });
	}
}

static void breakers_row(struct row *r, const struct item *it)
{
	const struct host *h = it->obj;
	struct host_gate g;
	host_look(h, &g);
	row_text(r, h->db->name->s);
	row_text(r, h->name);
	row_int(r, h->port);
	row_text(r, breaker_state_name(g.state));
	if (h->breaker.since_ms)
		row_time(r, h->breaker.since_ms * 1000);
	else
		row_text(r, NULL);
	row_int(r, g.failures);
	row_big(r, g.wait_ms);
	row_big(r, h->breaker.opened);
	row_text(r, *h->failure ? h->failure : NULL);
}

const struct show_def show_breakers = { breakers_cols, LEN(breakers_cols), breakers_gather, breakers_row };

/* --- SHOW EVENTS */

static const struct column events_cols[] = {
	{ "id", COL_INT8 }, { "time", COL_TEXT }, { "kind", COL_TEXT }, { "database", COL_TEXT }, { "event", COL_TEXT },
};

static void events_gather(struct batch *b)
{
	const struct event *e;
	for (uint64_t id = 0; (e = event_from(id)) != NULL; id = e->id + 1)
		batch_offer(b, (struct item){ .a = "", .b = "", .id = e->id, .obj = e });
}

static void events_row(struct row *r, const struct item *it)
{
	const struct event *e = it->obj;
	row_big(r, e->id);
	row_time(r, e->at_us);
	row_text(r, event_name(e->kind));
	row_text(r, *e->db ? e->db : NULL);
	row_text(r, e->text);
}

const struct show_def show_events = { events_cols, LEN(events_cols), events_gather, events_row };

/* --- SHOW LEDGER: counted now, as it is asked */

static const struct column ledger_cols[] = { { "item", COL_TEXT }, { "value", COL_INT8 } };

static const char *const ledger_items[] = { "balances", "servers", "idle",  "linked",
					    "clients",  "waiting", "looks", "breaches" };

static uint64_t ledger_values[LEN(ledger_items)]; /* as they were when the rows were gathered */

static void ledger_gather(struct batch *b)
{
	struct ledger l;
	struct sb dump = { .max = 1 };
	bool ok = ledger_balances(&l, &dump);
	const uint64_t values[] = { ok, l.servers, l.idle, l.linked, l.clients, l.waiting, l.looks, l.breaches };
	_Static_assert(sizeof values == sizeof ledger_values, "a value for each");
	memcpy(ledger_values, values, sizeof values);
	sb_free(&dump);
	for (size_t i = 0; i < LEN(ledger_items); i++)
		batch_offer(b, (struct item){ .a = "", .b = "", .id = i });
}

static void ledger_row(struct row *r, const struct item *it)
{
	row_text(r, ledger_items[it->id]);
	row_big(r, ledger_values[it->id]);
}

const struct show_def show_ledger = { ledger_cols, LEN(ledger_cols), ledger_gather, ledger_row };
