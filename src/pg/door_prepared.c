/* door_prepared.c - what clients say about prepared statements, made true on whatever server they are linked to.
 * PostgreSQL docs, Message Flow: Extended Query; Message Formats: Parse, Bind, Describe, Close. */
#include "pg/door_prepared_int.h"

#include "core/assert.h"
#include "core/str.h"

#include <stdlib.h>

/* --- Waiting */

/* It was changed in a batch before this one, or all were, and how that ends is not known yet. */
bool pg_name_is_unclear(const struct pg_said *m, const struct pg_name *n)
{
	return (n && n->refs > 0 && n->batch != m->p->cache.batch) ||
	       (m->c->clears_due && m->c->clears_batch != m->p->cache.batch);
}

static bool text_is_unclear(const struct pg_said *m, const struct pg_prepared *s)
{
	return s && s->pending && s->batch != m->p->cache.batch;
}

static bool unnamed_is_unclear(const struct pg_said *m)
{
	const struct pg_cache *k = &m->p->cache;
	return k->unnamed_pending > 0 && k->unnamed_batch != k->batch;
}

/* In a transaction that has failed, nothing but its end is parsed: only the server itself can tell. Whether it will
 * have failed is not known before all batches and queries sent before this one are answered. */
static bool must_see_it(const struct pg_said *m)
{
	return m->p->txn == 'E' || m->p->expect.ends > 0;
}

/* Settings are being changed by what was sent before, and will be known when that is answered, which does not wait for
 * this batch's Sync. */
bool pg_must_wait_for_settings(const struct pg_said *m)
{
	return m->p->expect.ends > 0 && pg_track_is_unclear(m->c);
}

/* What the server refuses, as it was prepared before a table has changed, cannot be healed once its transaction, or
 * what was said before in its batch, fails with it: heal.h. */
static bool cannot_heal(const struct pg_said *m)
{
	return m->p->txn != 'I' || m->p->expect.count != m->p->expect.invented || pg_heal_has_run(m->p);
}

void pg_too_many_names(struct fault *f)
{
	fault_set(f, FAULT_PROTO, "too many prepared statements: this client has %u", PG_NAMES_MAX);
	fault_sqlstate(f, "53400");
	fault_hint(f, "Deallocate those that are not used any more.");
}

bool pg_statements_make_room(struct pg_client *c)
{
	struct pg_said m = { .c = c, .p = pg_server_of(c->s.server) };
	if (pg_make_room(&m))
		return true;
	(void)pg_said_no_memory(&m);
	return false;
}

uint32_t pg_statement_ahead(struct pg_client *c, struct pg_name *n)
{
	struct pg_said m = { .c = c, .p = pg_server_of(c->s.server) };
	const struct pg_prepared *s = pg_prepare_as_meant(&m, n);
	return s ? s->number : 0;
}

/* --- Parse */

static enum pg_pass parse_unnamed(struct pg_said *m, const struct istr *text, unsigned flags)
{
	struct expect_entry x = { .kind = EXPECT_PARSE,
				  .flags = (uint16_t)(flags | (m->changes ? EXPECT_SETS : 0)),
				  .text = text ? istr_ref(text) : NULL };
	pg_unnamed_will_be(m->c, m->p, &x);
	return pg_expect_one(m, &x) ? PG_PASS_AS_IT_IS : pg_said_no_memory(m);
}

/* text: its body, as this client means it now. */
static enum pg_pass parse_named(struct pg_said *m, const char *name, size_t len, struct pg_text *text)
{
	struct pg_client *c = m->c;
	struct fault f;
	struct pg_name *n = pg_name_find(c->names, name, len);
	struct pg_prepared *s = pg_prepared_find(&m->p->cache, text);

	if (pg_name_is_unclear(m, n) || text_is_unclear(m, s))
		return pg_wait_for_answers(m->c);
	if (n && n->text) {
		/* What is wrong with the text itself is found first. */
		if ((!s || must_see_it(m)) && !pg_prepare(m, text, EXPECT_OWN, NULL))
			return pg_said_no_memory(m);
		fault_set(&f, FAULT_PROTO, "prepared statement \"%s\" already exists", name);
		fault_sqlstate(&f, "42P05");
		return pg_fail_with(m, &f);
	}
	if (!n && pg_names_count(c->names) >= PG_NAMES_MAX) {
		pg_too_many_names(&f);
		return pg_fail_with(m, &f);
	}
	n = pg_name_get(&c->names, name, len);
	if (!n)
		return pg_said_no_memory(m);
	pg_name_means(n, text, m->changes);
	if (!s || must_see_it(m) || cannot_heal(m))
		return pg_prepare(m, text, 0, n) ? PG_PASS_DROP : pg_said_no_memory(m);
	pg_prepared_touch(&m->p->cache, s);
	n->refs++;
	n->batch = m->p->cache.batch;
	if (!pg_expect_one(m, &(struct expect_entry){ .kind = EXPECT_PARSE, .flags = EXPECT_INVENTED, .name = n }))
		return pg_said_no_memory(m);
	return PG_PASS_DROP;
}

/* A query, and the number of its types and they. */
static bool is_parse_body(struct rd body)
{
	size_t len;
	(void)rd_cstr(&body, &len);
	uint16_t types = rd_u16be(&body);
	return !body.bad && rd_left(&body) == types * 4u;
}

/* body: of the whole message. */
static enum pg_pass parse(struct pg_said *m, struct rd body)
{
	size_t len;
	const char *name = rd_cstr(&body, &len);
	if (body.bad || len > PG_PREPARED_NAMES_MAX) {
		pg_protocol_fault(&m->c->s, "invalid string in Parse");
		return PG_PASS_FAILED;
	}
	const struct istr *text, *last = m->c->unnamed.text;
	struct fault f;
	if (pg_track_must_wait(m->c))
		return pg_wait_for_answers(m->c);
	if (!is_parse_body(body)) { /* the server would say so, and what it never parsed is not to be remembered */
		fault_set(&f, FAULT_PROTO, "invalid message format in Parse");
		return pg_fail_with(m, &f);
	}
	if (len == 0 && last && last->len == rd_left(&body) && memcmp(last->s, body.p, last->len) == 0)
		text = istr_ref(last); /* most say the same again and again */
	else
		text = istr_get((const char *)body.p, rd_left(&body));
	if (!text)
		return pg_said_no_memory(m);
	struct pg_look look = { .changes = m->c->unnamed.changes };
	if (len || text != last)
		look = pg_track_look(m->c, text->s, strnlen(text->s, text->len));
	if (look.prepares)
		look.pins |= PIN_PREPARED;
	m->changes = look.changes || look.pins || look.drops;
	if (look.pins & PIN_LISTEN && pg_listen_may(m->c))
		look.pins &= ~(uint32_t)PIN_LISTEN;
	if (look.pins && session_pins_are_refused(&m->c->s, look.pins, &f)) {
		istr_put(text);
		return pg_fail_with(m, &f);
	}
	enum pg_pass how = look.speaks ? pg_speaks_of_statement(m, text) : PG_PASS_AS_IT_IS;
	if (how != PG_PASS_AS_IT_IS) {
		istr_put(text);
		return how;
	}
	if (!len) {
		how = parse_unnamed(m, text, 0);
	} else if (pg_must_wait_for_settings(m)) {
		how = pg_wait_for_answers(m->c);
	} else {
		struct pg_text *meant = pg_text_get(m->c, text);
		how = meant ? parse_named(m, name, len, meant) : pg_said_no_memory(m);
		pg_text_put(meant);
	}
	istr_put(text);
	return how;
}

/* --- Bind, Describe, Close */

/* Is what comes behind this message a Describe of its portal? */
static bool describes_next(const struct pg_said *m)
{
	return m->behind && *m->behind == PG_DESCRIBE;
}

/* A client's statement, and what it is on the server. */
struct meant {
	struct pg_name *name;
	struct pg_prepared *there; /* NULL: it is none of the client's */
};

/* Sees to it that the server has what the client means by this name. PG_PASS_AS_IT_IS: go on; what is none of the
 * client's the server may refuse itself. */
static enum pg_pass provide(struct pg_said *m, const char *name, size_t len, struct meant *out)
{
	struct pg_name *n = pg_name_find(m->c->names, name, len);
	*out = (struct meant){ 0 };
	if (pg_name_is_unclear(m, n))
		return pg_wait_for_answers(m->c);
	if (!n || !n->text) {
		if (pg_may_have_its_own(m) && !pg_is_ours(name))
			return PG_PASS_AS_IT_IS;
		struct fault f;
		fault_set(&f, FAULT_PROTO, "prepared statement \"%s\" does not exist", name);
		fault_sqlstate(&f, "26000");
		return pg_fail_with(m, &f);
	}
	m->changes = n->changes;
	m->about = n->text->said;
	struct pg_prepared *s = pg_prepared_find(&m->p->cache, n->text);
	if (text_is_unclear(m, s))
		return pg_wait_for_answers(m->c);
	uint32_t edition = n->text->edition;
	bool is_told = n->is_told || (n->is_bound && m->c->describes_portals);
	m->p->heal.is_told |= is_told;
	if (s && (s->edition < edition || (pg_is_older(s, n) && cannot_heal(m)))) {
		(void)pg_prepared_doubt(&m->p->cache, s->number);
		s = NULL;
	}
	if (m->type == PG_BIND && n->edition < edition && is_told && !describes_next(m) && !m->c->healed) {
		struct fault f;
		fault_set(&f, FAULT_UNSUP, "cached plan must not change result type");
		fault_sqlstate(&f, "0A000");
		return pg_fail_with(m, &f);
	}
	n->edition = edition;
	n->is_told |= m->type == PG_DESCRIBE;
	n->is_bound |= m->type == PG_BIND;
	if (!s && m->p->expect.ends > 0 && !pg_text_is_meant(m->c, n->text)) /* can settings be changed then? */
		return pg_wait_for_answers(m->c);
	if (s)
		pg_prepared_touch(&m->p->cache, s);
	else if (!(s = pg_prepare_as_meant(m, n)))
		return pg_said_no_memory(m);
	s->proven = pg_parses();
	*out = (struct meant){ n, s };
	return PG_PASS_AS_IT_IS;
}

/* The same for the unnamed statement: what this client parsed last, whenever that was. */
static enum pg_pass provide_unnamed(struct pg_said *m)
{
	struct pg_client *c = m->c;
	struct pg_cache *k = &m->p->cache;
	if (unnamed_is_unclear(m))
		return pg_wait_for_answers(m->c);
	const struct istr *text = c->unnamed.text;
	m->changes = c->unnamed.changes;
	m->about = text;
	if (c->unnamed.is_long ? k->unnamed_of == c->s.id : !k->unnamed_lost && k->unnamed == text)
		return PG_PASS_AS_IT_IS; /* or neither has one: the server says so */
	k->unnamed_pending++;
	k->unnamed_batch = k->batch;
	if (!pg_expect_one(m, &(struct expect_entry){ .kind = text ? EXPECT_PARSE : EXPECT_CLOSE,
						      .flags = EXPECT_OWN | EXPECT_UNNAMED }))
		return pg_said_no_memory(m);
	if (text)
		pg_put_parse(m->p, "", text);
	else
		pg_put_named(m->p, PG_CLOSE, ""); /* another client's */
	pg_cache_unnamed(k, text);
	return PG_PASS_AS_IT_IS;
}

static bool sent(struct pg_said *m, enum expect_kind kind)
{
	return pg_expect_one(m, &(struct expect_entry){ .kind = (uint8_t)kind });
}

/* The same, of a message about this statement: its errors are told with the client's name for it. */
static bool sent_about(struct pg_said *m, enum expect_kind kind, const struct meant *what)
{
	if (!what->name)
		return sent(m, kind);
	what->name->uses++;
	return pg_expect_one(m, &(struct expect_entry){ .kind = (uint8_t)kind,
							.flags = EXPECT_USES,
							.number = what->there->number,
							.name = what->name });
}

/* Its names are at the front; the rest passes. */
static enum pg_pass bind_statement(struct pg_said *m, struct rd *in)
{
	m->behind = rd_left(in) > m->total ? in->p + m->total : NULL;
	struct rd at = *in, names;
	size_t portal_len, len, there = rd_left(in) < m->total ? rd_left(in) : m->total;
	(void)rd_take(&at, PG_HEADER);
	names = rd_sub(&at, there - PG_HEADER);
	const char *portal = rd_cstr(&names, &portal_len), *name = rd_cstr(&names, &len);
	struct meant meant = { 0 };
	struct fault f;

	if (names.bad && there < m->total && there < STREAM_KEEP_MAX)
		return PG_PASS_WAIT; /* for more of it */
	if (names.bad) {
		pg_protocol_fault(&m->c->s, "invalid string in Bind");
		return PG_PASS_FAILED;
	}
	enum pg_pass how = len ? provide(m, name, len, &meant) : provide_unnamed(m);
	if (how != PG_PASS_AS_IT_IS)
		return how;
	if (m->c->portals || m->changes)
		switch (pg_portals_note(&m->c->portals, portal, portal_len, m->changes ? m->about : NULL)) {
		case PG_PORTAL_NOTED:
			break;
		case PG_PORTAL_IS_ONE_TOO_MANY: /* what it runs will not be known */
			if (session_pins_are_refused(&m->c->s, PIN_SETTING, &f))
				return pg_fail_with(m, &f);
			session_pin(&m->c->s, PIN_SETTING);
			break;
		case PG_PORTAL_NO_MEMORY:
			return pg_said_no_memory(m);
		}
	if (!sent_about(m, EXPECT_BIND, &meant))
		return pg_said_no_memory(m);
	if (!meant.there)
		return PG_PASS_AS_IT_IS;

	char there_it_is[PG_SERVER_NAME_MAX];
	pg_prepared_name(meant.there, there_it_is);
	uint32_t rest = m->total - PG_HEADER - (uint32_t)(portal_len + 1 + len + 1);
	size_t n = PG_HEADER + portal_len + 1 + strlen(there_it_is) + 1;
	uint8_t *room = stream_put_room(&m->p->sv.stream, n); /* NULL: the stream tells of it */
	if (room) {
		struct pg_out o = pg_out(room, n);
		pg_put_u8(&o, PG_BIND);
		pg_put_u32(&o, (uint32_t)n - 1 + rest);
		pg_put(&o, portal, portal_len + 1);
		pg_put_cstr(&o, there_it_is);
		ASSERT(!o.bad);
	}
	(void)rd_take(in, m->total - rest);
	m->c->in_left = rest;
	m->c->in_skip = false;
	return PG_PASS_DONE;
}

static enum pg_pass describe(struct pg_said *m, struct rd body)
{
	size_t len;
	uint8_t what = rd_u8(&body);
	const char *name = rd_cstr(&body, &len);
	struct meant meant = { 0 };
	m->c->describes_portals |= what == 'P';
	if (!rd_done(&body) || what != 'S') /* a portal's; or the server tells what is wrong with it */
		return sent(m, EXPECT_DESCRIBE) ? PG_PASS_AS_IT_IS : pg_said_no_memory(m);
	enum pg_pass how = len ? provide(m, name, len, &meant) : provide_unnamed(m);
	if (how != PG_PASS_AS_IT_IS)
		return how;
	if (!sent_about(m, EXPECT_DESCRIBE, &meant))
		return pg_said_no_memory(m);
	if (!meant.there)
		return PG_PASS_AS_IT_IS;
	char there[PG_SERVER_NAME_MAX];
	pg_prepared_name(meant.there, there);
	pg_put_named(m->p, PG_DESCRIBE, there);
	return PG_PASS_DROP;
}

static enum pg_pass close_statement(struct pg_said *m, struct rd body)
{
	size_t len;
	uint8_t what = rd_u8(&body);
	const char *name = rd_cstr(&body, &len);
	struct pg_client *c = m->c;
	struct pg_cache *k = &m->p->cache;
	if (!rd_done(&body) || what != 'S')
		return sent(m, EXPECT_CLOSE) ? PG_PASS_AS_IT_IS : pg_said_no_memory(m);
	struct expect_entry x = { .kind = EXPECT_CLOSE, .flags = EXPECT_INVENTED };
	if (len == 0) {
		x.flags = 0;
		pg_unnamed_will_be(c, m->p, &x);
		return pg_expect_one(m, &x) ? PG_PASS_AS_IT_IS : pg_said_no_memory(m);
	}
	struct pg_name *n = pg_name_find(c->names, name, len);
	if (pg_name_is_unclear(m, n))
		return pg_wait_for_answers(m->c);
	/* Under this very name, or maybe. */
	bool is_there = n && n->text ? pg_name_is_there(c, n) : pg_may_have_its_own(m) && !pg_is_ours(name);
	if (n && n->text) {
		x.closed = pg_text_ref(n->text);
		x.name = n;
		if (n->changes)
			x.flags |= EXPECT_SETS;
		n->refs++;
		n->batch = k->batch;
		pg_name_set(n, NULL);
	}
	if (is_there)
		x.flags &= (uint16_t)~EXPECT_INVENTED;
	if (!pg_expect_one(m, &x))
		return pg_said_no_memory(m);
	return is_there ? PG_PASS_AS_IT_IS : PG_PASS_DROP;
}

/* --- The door's side */

/* An unnamed one passes. Its client finds it again as long as nobody else has used its server, and no other's ever:
 * who says as much says it once. at: behind the name, as much as is there. */
static enum pg_pass pass_long(struct pg_said *m, struct rd at)
{
	struct session *s = &m->c->s;
	struct fault f;
	if (m->total > PG_LOOK_BYTES && rd_left(&at) < PG_LOOK_BYTES - PG_HEADER - 1)
		return PG_PASS_WAIT;
	if (pg_track_must_wait(m->c))
		return pg_wait_for_answers(m->c);
	struct pg_look look = pg_track_look(m->c, (const char *)at.p, strnlen((const char *)at.p, rd_left(&at)));
	uint32_t pins = look.pins | (look.prepares ? PIN_PREPARED : 0u);
	m->changes = look.changes || pins;
	if (m->changes && !pins) /* it cannot be told what, later */
		pins = PIN_SETTING;
	if (pins && session_pins_are_refused(&m->c->s, pins, &f))
		return pg_fail_with(m, &f);
	enum pg_pass how = parse_unnamed(m, NULL, EXPECT_LONG);
	if (how == PG_PASS_AS_IT_IS) {
		session_pin(s, pins ? pins | PIN_SETTING : 0);
		pg_track_long(m->c);
	}
	m->p->cache.unnamed_lost = true;
	m->p->cache.unnamed_of = s->id;
	return how;
}

/* A Parse that is longer than what a stream keeps is gathered here. */
static enum pg_pass begin_gather(struct pg_said *m, struct rd *in)
{
	struct pg_client *c = m->c;
	struct fault f;
	size_t len;
	struct rd at = *in;
	(void)rd_take(&at, PG_HEADER);
	const char *name = rd_cstr(&at, &len);
	if (at.bad && rd_left(in) < PG_PREPARED_NAMES_MAX)
		return PG_PASS_WAIT;
	if (at.bad) {
		pg_protocol_fault(&c->s, "invalid string in Parse");
		return PG_PASS_FAILED;
	}
	if (!*name)
		return pass_long(m, at);
	if (m->total > PG_PARSE_MAX) {
		fault_set(&f, FAULT_PROTO, "prepared statement \"%.100s\" is longer than %u bytes", name, PG_PARSE_MAX);
		fault_sqlstate(&f, "54000");
		return pg_fail_with(m, &f);
	}
	c->gather = malloc(m->total);
	if (!c->gather)
		return pg_said_no_memory(m);
	c->gathered = 0;
	c->in_left = m->total;
	return PG_PASS_DONE;
}

void pg_gather(struct pg_client *c, struct rd *in)
{
	size_t n = rd_left(in) < c->in_left ? rd_left(in) : c->in_left;
	memcpy(c->gather + c->gathered, rd_take(in, n), n);
	c->gathered += (uint32_t)n;
	c->in_left -= (uint32_t)n;
}

enum pg_pass pg_statement_gathered(struct pg_client *c)
{
	struct pg_said m = { c, pg_server_of(c->s.server), PG_PARSE, c->gathered, false, NULL, NULL };
	struct rd body = rd_of(c->gather + PG_HEADER, c->gathered - PG_HEADER);
	enum pg_pass how = PG_PASS_DROP;
	if (m.p->expect.copying_in) { /* which takes nothing but data */
		how = sent(&m, EXPECT_PARSE) ? PG_PASS_DROP : pg_said_no_memory(&m);
		stream_put_copy(&m.p->sv.stream, c->gather, c->gathered);
	} else if (!m.p->expect.skipping) { /* else the batch has failed meanwhile: the server would drop it */
		how = parse(&m, body);
	}
	if (how != PG_PASS_WAIT) {
		free(c->gather);
		c->gather = NULL;
	}
	return how;
}

enum pg_pass pg_statement(struct pg_client *c, uint8_t type, uint32_t total, struct rd *in)
{
	struct pg_said m = { c, pg_server_of(c->s.server), type, total, false, NULL, NULL };
	struct pg_msg whole;
	struct rd at = *in;

	if (m.p->script)
		return pg_wait_for_answers(c);
	if (type == PG_BIND)
		return bind_statement(&m, in);
	if (type == PG_PARSE && total > STREAM_KEEP_MAX)
		return begin_gather(&m, in);
	switch (pg_frame(&at, type == PG_PARSE ? STREAM_KEEP_MAX : PG_PREPARED_NAMES_MAX, &whole)) {
	case FRAME_SHORT:
		return PG_PASS_WAIT;
	case FRAME_BAD: /* such a name there is not */
		return sent(&m, type == PG_CLOSE ? EXPECT_CLOSE : EXPECT_DESCRIBE) ? PG_PASS_AS_IT_IS
										   : pg_said_no_memory(&m);
	case FRAME_OK:
		break;
	}
	switch (type) {
	case PG_PARSE:
		return parse(&m, whole.body);
	case PG_DESCRIBE:
		return describe(&m, whole.body);
	default:
		return close_statement(&m, whole.body);
	}
}

/* Has any server of its pool this text? */
static bool is_known(const struct pool *pool, const struct pg_text *text)
{
	static const enum server_state states[] = { SERVER_IDLE, SERVER_ACTIVE };
	for (size_t i = 0; i < 2; i++)
		LIST_EACH (&pool->by_state[states[i]], it) {
			struct server *sv = list_owner(it, struct server, in_state);
			const struct pg_prepared *s = pg_prepared_find(&pg_server_of(sv)->cache, text);
			if (s && !s->pending)
				return true;
		}
	return false;
}

/* Programs with many connections in one thread, pgbench for one, wait for the answer to a Parse while others of their
 * connections hold all servers in transactions: they would wait for themselves. */
bool pg_parse_without_server(struct pg_client *c, struct rd in)
{
	static const uint8_t complete[] = { PG_PARSE_COMPLETE, 0, 0, 0, 4 };
	struct pg_msg m;
	size_t len;
	bool ok = false;

	/* An idle server is for who is first in line. */
	bool is_free = list_empty(&c->s.pool->waiting) && !list_empty(&c->s.pool->by_state[SERVER_IDLE]);
	if (is_free || pg_frame(&in, STREAM_KEEP_MAX, &m) != FRAME_OK)
		return false;
	const char *name = rd_cstr(&m.body, &len);
	if (m.body.bad || len == 0 || len > PG_PREPARED_NAMES_MAX || pg_names_count(c->names) >= PG_NAMES_MAX)
		return false;
	struct pg_name *n = pg_name_find(c->names, name, len);
	const struct istr *text = n ? NULL : istr_get((const char *)m.body.p, rd_left(&m.body));
	struct pg_look look = { 0 };
	if (text)
		look = pg_track_look(c, text->s, strnlen(text->s, text->len));
	struct pg_text *meant = text && !look.pins && !look.speaks ? pg_text_get(c, text) : NULL;
	if (meant && is_known(c->s.pool, meant) && (n = pg_name_get(&c->names, name, len))) {
		pg_name_means(n, meant, look.changes);
		stream_put_span(&c->s.stream, complete, sizeof complete);
		c->s.pool->stats.v[STAT_client_parse_count]++;
		ok = true;
	}
	pg_text_put(meant);
	istr_put(text);
	return ok;
}

void pg_statement_query(struct pg_client *c, struct expect_entry *x)
{
	struct pg_server *p = pg_server_of(c->s.server);
	if (p->expect.is_open || c->unnamed_due) { /* it may be skipped, or comes behind what is */
		pg_unnamed_will_be(c, p, x);
		return;
	}
	if (c->unnamed.text || c->unnamed.is_long)
		pg_unnamed_is(c, NULL);
	pg_cache_unnamed(&p->cache, NULL);
}
