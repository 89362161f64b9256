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

static bool is_again(const struct pg_server *p)
{
	return p->sv.session && pg_client_of(p->sv.session)->healed;
}

/* --- What is kept */

static bool may_begin(const struct pg_server *p)
{
	return p->txn == 'I' && !pg_heal_has_run(p) && !is_again(p);
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

static void begin(struct pg_heal *h)
{
	h->state = PG_HEAL_KEPT;
	h->is_whole = h->is_query = h->describes = h->is_told = h->has_types = false;
	h->len = 0;
}

void pg_heal_note(struct pg_server *p, const struct rd *in, uint8_t type, uint32_t total)
{
	struct pg_heal *h = &p->heal;
	if (h->state == PG_HEAL_NOTHING && (type == PG_BIND || type == PG_DESCRIBE) &&
	    p->expect.count == p->expect.invented && may_begin(p))
		begin(h);
	if (h->state != PG_HEAL_KEPT)
		return;
	bool is_of_batch = type == PG_BIND || type == PG_DESCRIBE || type == PG_EXECUTE || type == PG_CLOSE ||
			   type == PG_PARSE || type == PG_SYNC || type == PG_FLUSH;
	if (h->is_query || h->is_whole || !is_of_batch || total > rd_left(in) || h->len + total > PG_HEAL_MAX ||
	    !has_room(h, total)) {
		h->state = PG_HEAL_NOTHING;
		return;
	}
	memcpy(h->bytes + h->len, in->p, total);
	h->len += total;
	h->is_whole = type == PG_SYNC;
	h->describes |= type == PG_DESCRIBE;
}

void pg_heal_not_yet(struct pg_heal *h, const struct pg_heal *was)
{
	struct pg_heal now = *was;
	now.bytes = h->bytes; /* they may have moved */
	now.cap = h->cap;
	*h = now;
}

void pg_heal_note_query(struct pg_server *p)
{
	p->heal.state = PG_HEAL_NOTHING;
	if (!may_begin(p))
		return;
	begin(&p->heal);
	p->heal.is_query = true;
}

bool pg_heal_types(struct pg_server *p)
{
	struct pg_client *c = p->sv.session ? pg_client_of(p->sv.session) : NULL;
	p->heal.has_types = p->heal.state == PG_HEAL_KEPT;
	if (!c || c->healed != PG_HEALED_TYPED)
		return true;
	c->healed = PG_HEALED;
	return false;
}

/* --- A refusal */

/* A statement is refused. When its table has changed, so it is with the others who have it; not when it is its client
 * that has changed, which finds other tables now. */
static void doubt(struct pg_server *p, uint32_t number, bool has_changed)
{
	struct pg_prepared *s = pg_prepared_doubt(&p->cache, number);
	if (s && has_changed && p->sv.session && pg_text_is_meant(pg_client_of(p->sv.session), s->text))
		s->text->edition = ++last_edition;
}

/* The server has it no more. What a function raises in its name is none of that: it may have done what does not roll
 * back. */
static bool is_lost(const struct expect_entry *x, const struct pg_error *e)
{
	return strcmp(e->sqlstate, "26000") == 0 && (x->kind == EXPECT_BIND || x->kind == EXPECT_DESCRIBE ||
						     strcmp(e->routine, "FetchPreparedStatement") == 0);
}

bool pg_heal_begin(struct pg_server *p, const struct pg_error *e)
{
	struct pg_heal *h = &p->heal;
	const struct expect_entry *x = expect_next(&p->expect);
	bool has_changed = strcmp(e->sqlstate, "0A000") == 0 && strcmp(e->routine, "RevalidateCachedQuery") == 0;
	bool is_first = true;

	if (!x || (!has_changed && !is_lost(x, e)))
		return false;
	uint32_t number = x->flags & EXPECT_SCRIPT ? pg_script_number(p, &is_first) : x->number;
	if (!number)
		return false;
	doubt(p, number, has_changed);
	if (h->state != PG_HEAL_KEPT || !is_first)
		return false;
	if (!h->is_query && has_changed && x->kind != EXPECT_DESCRIBE && !h->describes && h->is_told)
		return false;
	if (h->is_query) {
		istr_put(h->query); /* of one whose client left meanwhile */
		h->query = istr_ref(x->text);
	}
	h->state = PG_HEAL_REFUSED;
	return true;
}

/* The text behind the header, which is put back in front of it. */
static bool unread_query(struct stream *st, const struct istr *text)
{
	uint8_t head[PG_HEADER];
	struct pg_out o = pg_out(head, sizeof head);
	pg_put_u8(&o, PG_QUERY);
	pg_put_u32(&o, PG_HEADER - 1 + text->len + 1);
	return stream_unread(st, text->s, text->len + 1) && stream_unread(st, head, sizeof head);
}

bool pg_heal_end(struct pg_client *c, struct pg_server *p)
{
	struct pg_heal *h = &p->heal;
	bool ok = h->is_query ? unread_query(&c->s.stream, h->query) : stream_unread(&c->s.stream, h->bytes, h->len);
	istr_put(h->query);
	h->query = NULL;
	h->state = PG_HEAL_NOTHING;
	c->healed = h->has_types ? PG_HEALED_TYPED : PG_HEALED;
	session_resume_input(&c->s);
	return ok;
}

void pg_heal_free(struct pg_heal *h)
{
	free(h->bytes);
	istr_put(h->query);
	*h = (struct pg_heal){ 0 };
}
