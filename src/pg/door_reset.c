/* door_reset.c - what goes back to a default goes back to what its client asked for in its first packet, which this
 * server was not started with: that is set again behind it, within the same batch. PostgreSQL docs: RESET, DISCARD;
 * Message Flow: Extended Query. Of a Query door_script.c does so, DISCARD ALL apart, which has to stand alone. */
#include "pg/pg_int.h"

#include "core/str.h"

/* --- In session pooling, where statements are not followed but for this. */

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

static bool note_parse(struct pg_client *c, const struct rd *in, uint32_t total)
{
	struct rd at = *in;
	struct pg_msg m;
	size_t len, text_len;
	if (total > STREAM_KEEP_MAX) { /* too long for one, and maybe of a name that was one */
		pg_portals_free(&c->resets);
		return true;
	}
	if (pg_frame(&at, STREAM_KEEP_MAX, &m) != FRAME_OK)
		return false;
	const char *name = rd_cstr(&m.body, &len), *said = rd_cstr(&m.body, &text_len);
	if (m.body.bad)
		return true;
	bool resets = pg_track_goes_back(c, said, text_len);
	if (!resets && !c->resets)
		return true;
	const struct istr *text = resets ? istr_get(said, text_len) : NULL;
	if (pg_portals_note(&c->resets, name, len, text) == PG_PORTAL_IS_ONE_TOO_MANY) { /* nobody has so many */
		pg_portals_free(&c->resets);
		(void)pg_portals_note(&c->resets, name, len, text);
	}
	istr_put(text);
	return true;
}

static bool note_bind(struct pg_client *c, const struct rd *in, uint32_t total)
{
	const char *portal, *name;
	size_t portal_len, len;
	if (!c->resets && !c->portals)
		return true;
	if (!names_of_bind(in, total, &portal, &portal_len, &name, &len))
		return false;
	if (portal)
		(void)pg_portals_note(&c->portals, portal, portal_len, pg_portals_find(c->resets, name, len));
	return true;
}

bool pg_reset_note(struct pg_client *c, const struct rd *in, uint8_t type, uint32_t total)
{
	return type == PG_PARSE ? note_parse(c, in, total) : type == PG_BIND ? note_bind(c, in, total) : true;
}

/* --- Setting it again */

static bool set_again(struct pg_client *c, const struct var *v)
{
	struct sb sql = { .max = 1u << 20 };
	pg_add_set(&sql, v->name->s, v->value->s);
	bool ok = !sql.bad &&
		  pg_run_within(c, sb_str(&sql), &(struct expect_entry){ .kind = EXPECT_EXECUTE, .flags = EXPECT_OWN });
	sb_free(&sql);
	return ok;
}

/* Who it is comes last, its role behind the other, which takes it away. */
static unsigned order_of(const struct var *v)
{
	return !pg_is_identity(v->name->s) ? 0 : str_eq_nocase(v->name->s, "role") ? 2 : 1;
}

static bool set_all_again(struct pg_client *c, const char *text, size_t len)
{
	const struct varset *asked = c->s.asked;
	struct sql_reader r;
	struct sql_stmt st;
	sql_read_init(&r, text, len, pg_sql_mode(c), NULL, 0);
	if (!sql_read(&r, &st))
		return true;
	for (unsigned order = 0; order < 3; order++)
		for (uint32_t i = 0; i < asked->count; i++)
			if (order_of(&asked->at[i]) == order &&
			    pg_track_takes_back(c, text, &st, asked->at[i].name->s) && !set_again(c, &asked->at[i]))
				return false;
	return true;
}

bool pg_reset_behind(struct pg_client *c, struct rd *in, uint32_t total, const struct istr *text)
{
	const uint8_t *execute = rd_take(in, total);
	if (execute)
		stream_put_span(&c->s.server->stream, execute, total);
	return set_all_again(c, text->s, strnlen(text->s, text->len));
}

bool pg_reset_discards(struct pg_client *c, const char *text, size_t len)
{
	struct sql_reader r;
	struct sql_stmt st;
	sql_read_init(&r, text, len, pg_sql_mode(c), NULL, 0);
	return sql_read(&r, &st) && st.kind == SQL_DISCARD && st.flags & SQL_ALL && !sql_read(&r, &st);
}

enum pg_pass pg_reset_query(struct pg_client *c, const char *text, size_t len)
{
	static const uint8_t end[] = { PG_CLOSE, 0, 0, 0, 6, 'S', 0, PG_SYNC, 0, 0, 0, 4 };
	struct pg_server *p = pg_server_of(c->s.server);
	struct fault f;

	if (p->expect.is_open && !pg_tell_if_all_invented(p) && p->expect.count)
		return pg_wait_for_sync(c); /* it is skipped when what is before it in the batch fails */
	if (p->expect.unsure)
		return PG_PASS_AS_IT_IS;
	if (pg_run_within(c, text, &(struct expect_entry){ .kind = EXPECT_EXECUTE }) && set_all_again(c, text, len) &&
	    expect_sent(&p->expect, &(struct expect_entry){ .kind = EXPECT_CLOSE, .flags = EXPECT_OWN }) &&
	    expect_sent(&p->expect, &(struct expect_entry){ .kind = EXPECT_SYNC })) {
		stream_put_span(&p->sv.stream, end, sizeof end); /* a Query ends the unnamed statement */
		p->cache.batch++;
		return PG_PASS_DROP;
	}
	fault_set(&f, FAULT_NOMEM, "no memory for a statement");
	session_fail(&c->s, &f);
	return PG_PASS_FAILED;
}
