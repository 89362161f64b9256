/* hold.c - clients that are not read from, and who ends that. PostgreSQL docs, Message Flow. */
#include "pg/hold.h"

#include "pg/pg_int.h"

void pg_hold(struct pg_client *c, enum pg_held why)
{
	c->held = (uint8_t)why;
	session_hold(&c->s, HOLD_OWNER);
	if (why != PG_HELD_LISTENER)
		pg_ask_for_replies(pg_server_of(c->s.server));
}

void pg_hold_forget(struct pg_client *c)
{
	c->held = PG_HELD_NOT;
	stream_unhold(&c->s.stream, HOLD_OWNER);
}

void pg_hold_over(struct pg_client *c, enum pg_held why)
{
	if (c->held != why)
		return;
	pg_hold_forget(c);
	pg_client_goes_on(c);
}

static bool is_over(const struct pg_server *p, enum pg_held why, enum pg_seen seen)
{
	switch (why) {
	case PG_HELD_FULL:
		return p->expect.count < EXPECT_MAX / 2;
	case PG_HELD_ANSWERS:
		return seen != PG_SEEN_ANSWERS || (p->expect.count == 0 && !p->script);
	case PG_HELD_NOT:
	case PG_HELD_LISTENER:
		return false;
	}
	return false;
}

void pg_hold_look(struct pg_server *p, enum pg_seen seen)
{
	struct pg_client *c = p->sv.session ? pg_client_of(p->sv.session) : NULL;
	if (c && c->held && is_over(p, (enum pg_held)c->held, seen))
		pg_hold_over(c, (enum pg_held)c->held);
}
