/* heal.c - prepared statements that do not fit their tables any more. PostgreSQL docs, PREPARE. */
#include "pg/heal.h"

#include "pg/pg_int.h"

#include <stdlib.h>
#include <string.h>

static uint32_t last_edition;

bool pg_heal_has_run(const struct pg_server *p)
{
	return p->heal.ran == p->cache.batch + 1;
}

static bool may_begin(const struct pg_server *p, uint8_t type)
{
	return (type == PG_BIND || type == PG_DESCRIBE) && p->txn == 'I' && p->expect.count == p->expect.invented &&
	       !pg_heal_has_run(p);
}

static bool has_room(struct pg_heal *h, uint32_t n)
{
	if (h->cap - h->len >= n)
		return true;
	uint32_t cap = h->cap ? h->cap : 256;
	while (cap - h->len < n)
		cap *= 2;
	uint8_t *more = realloc(h->bytes, cap);
	if (!more)
		return false;
	h->bytes = more;
	h->cap = cap;
	return true;
}

void pg_heal_note(struct pg_server *p, const struct rd *in, uint8_t type, uint32_t total)
{
	struct pg_heal *h = &p->heal;
	if (h->is_again)
		return;
	if (h->len == 0 && !may_begin(p, type))
		return;
	if (h->len == 0) {
		h->is_whole = h->describes = h->has_types = false;
		h->is_told = false; /* door_prepared.c knows */
	}
	bool is_of_batch = type == PG_BIND || type == PG_DESCRIBE || type == PG_EXECUTE || type == PG_CLOSE ||
			   type == PG_PARSE || type == PG_SYNC || type == PG_FLUSH;
	if (h->is_whole || !is_of_batch || total > rd_left(in) || h->len + total > PG_HEAL_MAX || !has_room(h, total)) {
		h->len = 0;
		return;
	}
	memcpy(h->bytes + h->len, in->p, total);
	h->len += total;
	h->is_whole = type == PG_SYNC;
	h->describes |= type == PG_DESCRIBE;
}

/* A statement is refused. When its table has changed, so it is with the others who have it; not when it is its client
 * that has changed, which finds other tables now. */
static void doubt(struct pg_server *p, uint32_t number, bool has_changed)
{
	struct pg_prepared *s = pg_prepared_doubt(&p->cache, number);
	if (s && has_changed && p->sv.session && pg_text_is_meant(pg_client_of(p->sv.session), s->text))
		s->text->edition = ++last_edition;
}

/* A Query that executes it, and of which the client has heard nothing. */
static bool begin_query(struct pg_server *p, const struct istr *said)
{
	struct pg_heal *h = &p->heal;
	uint32_t n = PG_HEADER + said->len + 1;
	h->len = 0;
	if (n > PG_HEAL_MAX || !has_room(h, n))
		return false;
	struct pg_out o = pg_out(h->bytes, n);
	pg_begin(&o, PG_QUERY);
	pg_put(&o, said->s, said->len + 1);
	pg_end(&o);
	h->len = n;
	h->is_under_way = true;
	return true;
}

bool pg_heal_begin(struct pg_server *p, const struct pg_error *e)
{
	struct pg_heal *h = &p->heal;
	const struct expect_entry *x = expect_next(&p->expect);
	bool has_changed = strcmp(e->sqlstate, "0A000") == 0 && strcmp(e->routine, "RevalidateCachedQuery") == 0;
	bool is_lost = strcmp(e->sqlstate, "26000") == 0;

	if (!x || (!has_changed && !is_lost))
		return false;
	if (x->flags & EXPECT_SCRIPT) {
		bool is_first = false;
		uint32_t number = pg_script_number(p, &is_first);
		if (!number)
			return false;
		doubt(p, number, has_changed);
		/* Nothing may have been sent behind it, nor a part of it: it would be said again in the middle of that.
		 */
		return is_first && p->txn == 'I' && !h->is_again && p->expect.count == 1 &&
		       !pg_client_of(p->sv.session)->in_left && begin_query(p, x->text);
	}
	if (!x->number)
		return false;
	doubt(p, x->number, has_changed);
	if (!h->len || h->is_again) /* without its Sync, too: one of the house's own takes its place */
		return false;
	if (has_changed && x->kind != EXPECT_DESCRIBE && !h->describes && h->is_told)
		return false;
	h->is_under_way = true;
	return true;
}

void pg_heal_say_again(struct pg_client *c, struct pg_server *p)
{
	struct pg_heal *h = &p->heal;
	struct rd in = rd_of(h->bytes, h->len);
	uint64_t since = c->s.request_us;
	h->is_under_way = false;
	h->is_again = true;
	h->len = 0; /* the bytes stay where they are until the next batch */
	pg_client_says(c, &in);
	c->s.request_us = since;
	if (rd_left(&in) && c->s.state != SESSION_DEAD)
		pg_protocol_fault(&c->s, "a batch could not be said again");
}

void pg_heal_free(struct pg_heal *h)
{
	free(h->bytes);
	*h = (struct pg_heal){ 0 };
}
