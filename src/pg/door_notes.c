/* door_notes.c - what the statements of a client do to its session, where they are the server's as the client says them
 * and door_prepared.c has no hand in them: in session pooling, of which only what goes back to a default counts, and
 * with max_prepared_statements = 0. PostgreSQL docs, Message Flow: Extended Query; Message Formats: Parse, Bind. */
#include "pg/pg_int.h"

/* The names at the front of a Bind. False: more of it has to come. *portal: NULL when it is malformed. */
static bool names_of_bind(const struct rd *in, uint32_t total, const char **portal, size_t *portal_len,
			  const char **name, size_t *len)
{
	struct rd at = *in;
	size_t there = rd_left(in) < total ? rd_left(in) : total;
	(void)rd_take(&at, PG_HEADER);
	struct rd names = rd_sub(&at, there - PG_HEADER);
	*portal = rd_cstr(&names, portal_len);
	*name = rd_cstr(&names, len);
	if (names.bad && there < total && there < STREAM_KEEP_MAX)
		return false;
	if (names.bad)
		*portal = NULL;
	return true;
}

/* What this text does that is to be known when it is executed: in session pooling the server has all but what its
 * client asked for when it came. f: it is refused, and why. */
static bool is_of_note(struct pg_client *c, const char *text, size_t len, bool is_whole, struct fault *f, bool *refused)
{
	*refused = false;
	if (c->s.mode == POOL_SESSION)
		return pg_track_goes_back(c, text, len);
	struct pg_look look = pg_track_look(c, text, len);
	if (look.prepares)
		look.pins |= PIN_PREPARED;
	uint32_t pins = look.pins;
	if (!is_whole && look.changes && !pins)
		pins = PIN_SETTING;
	if (is_whole && pg_listen_may(c))
		pins &= ~(uint32_t)PIN_LISTEN;
	*refused = pins && session_pins_are_refused(&c->s, pins, f);
	return look.changes || look.pins;
}

/* More than are remembered of one client: what they do then is not known. */
static enum pg_pass one_too_many(struct pg_client *c)
{
	struct fault f;
	if (session_pins_are_refused(&c->s, PIN_SETTING, &f))
		return pg_statement_fails(c, &f);
	session_pin(&c->s, PIN_SETTING);
	return PG_PASS_AS_IT_IS;
}

/* Too long to be remembered, and maybe of a name that was. */
static enum pg_pass note_long(struct pg_client *c, const struct rd *in)
{
	struct rd at = *in;
	struct fault f;
	size_t len;
	bool refused;
	if (c->s.mode == POOL_SESSION) {
		pg_portals_free(&c->noted);
		return PG_PASS_AS_IT_IS;
	}
	if (rd_left(in) < PG_LOOK_BYTES)
		return PG_PASS_WAIT;
	if (pg_track_must_wait(c))
		return pg_wait_for_answers(c);
	(void)rd_take(&at, PG_HEADER);
	const char *name = rd_cstr(&at, &len);
	bool counts = !at.bad &&
		      is_of_note(c, (const char *)at.p, strnlen((const char *)at.p, rd_left(&at)), false, &f, &refused);
	if (!at.bad && refused)
		return pg_statement_fails(c, &f);
	if (at.bad)
		pg_portals_free(&c->noted);
	else
		(void)pg_portals_note(&c->noted, name, len, NULL);
	if (counts || at.bad)
		session_pin(&c->s, PIN_SETTING);
	pg_track_long(c);
	return PG_PASS_AS_IT_IS;
}

static enum pg_pass note_parse(struct pg_client *c, const struct rd *in, uint32_t total)
{
	struct rd at = *in;
	struct pg_msg m;
	struct fault f;
	size_t len, text_len;
	bool refused;
	if (total > STREAM_KEEP_MAX)
		return note_long(c, in);
	if (pg_frame(&at, STREAM_KEEP_MAX, &m) != FRAME_OK)
		return PG_PASS_WAIT;
	if (c->s.mode != POOL_SESSION && pg_track_must_wait(c))
		return pg_wait_for_answers(c);
	const char *name = rd_cstr(&m.body, &len), *said = rd_cstr(&m.body, &text_len);
	if (m.body.bad)
		return PG_PASS_AS_IT_IS;
	bool counts = is_of_note(c, said, text_len, true, &f, &refused);
	if (refused)
		return pg_statement_fails(c, &f);
	if (!counts && !c->noted)
		return PG_PASS_AS_IT_IS;
	const struct istr *text = counts ? istr_get(said, text_len) : NULL;
	enum pg_pass how = PG_PASS_AS_IT_IS;
	switch (counts && !text ? PG_PORTAL_NO_MEMORY : pg_portals_note(&c->noted, name, len, text)) {
	case PG_PORTAL_NOTED:
		break;
	case PG_PORTAL_IS_ONE_TOO_MANY:
		if (c->s.mode == POOL_SESSION) { /* nobody has so many */
			pg_portals_free(&c->noted);
			(void)pg_portals_note(&c->noted, name, len, text);
		} else {
			how = one_too_many(c);
		}
		break;
	case PG_PORTAL_NO_MEMORY:
		how = pg_statement_no_memory(c);
		break;
	}
	istr_put(text);
	return how;
}

static enum pg_pass note_bind(struct pg_client *c, const struct rd *in, uint32_t total)
{
	const char *portal, *name;
	size_t portal_len, len;
	if (!c->noted && !c->portals)
		return PG_PASS_AS_IT_IS;
	if (!names_of_bind(in, total, &portal, &portal_len, &name, &len))
		return PG_PASS_WAIT;
	if (!portal)
		return PG_PASS_AS_IT_IS;
	switch (pg_portals_note(&c->portals, portal, portal_len, pg_portals_find(c->noted, name, len))) {
	case PG_PORTAL_NOTED:
		break;
	case PG_PORTAL_IS_ONE_TOO_MANY:
		return c->s.mode == POOL_SESSION ? PG_PASS_AS_IT_IS : one_too_many(c);
	case PG_PORTAL_NO_MEMORY:
		return pg_statement_no_memory(c);
	}
	return PG_PASS_AS_IT_IS;
}

enum pg_pass pg_note(struct pg_client *c, const struct rd *in, uint8_t type, uint32_t total)
{
	return type == PG_PARSE  ? note_parse(c, in, total)
	       : type == PG_BIND ? note_bind(c, in, total)
				 : PG_PASS_AS_IT_IS;
}
