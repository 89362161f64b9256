/* door_reset.c - what goes back to a default goes back to what its client asked for in its first packet, which this
 * server was not started with: that is set again behind it, within the same batch. PostgreSQL docs: RESET, DISCARD;
 * Message Flow: Extended Query. Of a Query door_script.c does so, DISCARD ALL apart, which has to stand alone. */
#include "pg/pg_int.h"

#include "core/str.h"

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
		return pg_wait_for_answers(c); /* it is skipped when what is before it in the batch fails */
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
