/* gone.c - clients that hang up while they are not read from, and so are not heard to: what they have under way is not
 * to run on for nobody. */
#include "session/session_int.h"

#include "core/loop.h"

/* Whoever is not read from longer than this is looked at, once in so long. */
#define LOOK_MS 1000u

static struct deadline next_look;

static bool is_held(const struct session *s)
{
	return s->stream.holds & (HOLD_OWNER | HOLD_PEER);
}

/* Only who has a server: those in line are read from. Nothing is looked at where nobody is held. */
static void look(struct deadline *d)
{
	bool any = false;
	LIST_EACH (pools_all(), in_all) {
		struct pool *p = list_owner(in_all, struct pool, in_all);
		LIST_EACH (&p->by_state[SERVER_ACTIVE], it) {
			struct session *s = list_owner(it, struct server, in_state)->session;
			if (!s || !is_held(s))
				continue;
			if (stream_has_hung_up(&s->stream))
				session_close(s, "client unexpected eof");
			else
				any = true;
		}
	}
	if (any)
		(void)deadline_set(d, loop_now() + LOOK_MS); /* no memory: the next who is held sets it */
}

void session_hold(struct session *s, unsigned why)
{
	stream_hold(&s->stream, why);
	if (!deadline_is_set(&next_look))
		(void)deadline_set(&next_look, loop_now() + LOOK_MS);
}

void session_gone_init(void)
{
	deadline_init(&next_look, look);
}

void session_gone_free(void)
{
	deadline_clear(&next_look);
}
