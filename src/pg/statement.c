/* statement.c - prepared statements and portals of a client that is linked, as its server answers. PostgreSQL docs,
 * Message Flow: Extended Query. */
#include "pg/pg_int.h"

#include "core/assert.h"
#include "core/str.h"

#include <stdlib.h>

#define FIELDS_MAX 20u /* of an ErrorResponse, that name a statement */

/* --- What becomes of it: see struct expect */

static void name_gone(struct pg_name *n, const struct expect_entry *x, enum expect_end how)
{
	if (x->flags & EXPECT_USES) {
		if (x->flags & EXPECT_OWN && how != EXPECT_ANSWERED)
			n->is_pinned = false; /* it was to be prepared under this name */
		n->uses--;
		pg_name_check(n);
		return;
	}
	n->refs--;
	if (x->kind == EXPECT_PARSE && how != EXPECT_ANSWERED)
		pg_name_set(n, NULL);
	if (x->kind == EXPECT_CLOSE && how != EXPECT_ANSWERED && n->names) {
		pg_name_set(n, x->closed ? pg_text_ref(x->closed) : NULL);
		n->changes = (x->flags & EXPECT_SETS) != 0;
	}
	pg_name_check(n);
}

static void prepared_gone(struct pg_cache *cache, struct pg_prepared *s, uint8_t kind, enum expect_end how)
{
	if (kind != EXPECT_CLOSE) {
		s->pending = false;
		if (how != EXPECT_ANSWERED)
			pg_prepared_drop(cache, s);
	} else if (how == EXPECT_ANSWERED) {
		pg_prepared_drop(cache, s);
	} else {
		pg_prepared_keep(cache, s);
	}
}

static void unnamed_set(struct pg_unnamed *u, const struct istr *text, unsigned flags)
{
	if (text)
		(void)istr_ref(text);
	istr_put(u->text);
	*u = (struct pg_unnamed){ text, (flags & EXPECT_SETS) != 0, (flags & EXPECT_LONG) != 0 };
}

/* What it will be once this is answered. */
static void unnamed_become(struct pg_unnamed *u, const struct expect_entry *x)
{
	unnamed_set(u, x->kind == EXPECT_PARSE ? x->text : NULL, x->flags);
}

/* The unnamed statement is gone when its Parse fails, and still the one before when the Parse was skipped. */
static void unnamed_gone(struct pg_server *p, const struct expect_entry *x, enum expect_end how)
{
	p->cache.unnamed_pending--;
	if (how != EXPECT_ANSWERED) {
		pg_cache_unnamed(&p->cache, NULL);
		p->cache.unnamed_lost = true; /* it may be what it was before */
	}
	if ((x->flags & EXPECT_OWN) || !p->sv.session)
		return;
	struct pg_client *c = pg_client_of(p->sv.session);
	if (how == EXPECT_ANSWERED)
		unnamed_become(&c->answered, x);
	else if (how == EXPECT_FAILED)
		unnamed_set(&c->answered, NULL, 0);
	if (--c->unnamed_due == 0)
		unnamed_set(&c->unnamed, c->answered.text,
			    (c->answered.changes ? EXPECT_SETS : 0) | (c->answered.is_long ? EXPECT_LONG : 0));
}

/* All names were forgotten, or are there again. */
static void names_gone(struct pg_client *c, enum expect_end how)
{
	if (how == EXPECT_ANSWERED)
		pg_names_settle(c->names);
	else
		pg_names_back(&c->names);
	c->clears_due--;
}

void pg_unnamed_is(struct pg_client *c, const struct istr *text)
{
	unnamed_set(&c->unnamed, text, 0);
	unnamed_set(&c->answered, text, 0);
}

void pg_unnamed_will_be(struct pg_client *c, struct pg_server *p, struct expect_entry *x)
{
	unnamed_become(&c->unnamed, x);
	c->unnamed_due++;
	x->flags |= EXPECT_UNNAMED;
	p->cache.unnamed_pending++;
	p->cache.unnamed_batch = p->cache.batch;
	pg_cache_unnamed(&p->cache, c->unnamed.text);
}

void pg_statement_gone(struct expect *e, const struct expect_entry *x, enum expect_end how)
{
	struct pg_server *p = list_owner(e, struct pg_server, expect);
	if (x->prepared)
		prepared_gone(&p->cache, x->prepared, x->kind, how);
	if (x->name)
		name_gone(x->name, x, how);
	if (x->flags & EXPECT_UNNAMED)
		unnamed_gone(p, x, how);
	if (x->flags & EXPECT_CLEARS && p->sv.session)
		names_gone(pg_client_of(p->sv.session), how);
	if (x->kind == EXPECT_CLOSE)
		pg_text_put(x->closed);
	else
		istr_put(x->text);
}

/* --- Portals that change the session when they are executed */

#define PORTALS_MAX     16u
#define PORTAL_NAME_MAX (STREAM_KEEP_MAX - PG_HEADER - 1 - 4) /* its Execute can be looked at as a whole */

struct pg_portals {
	uint32_t n;
	struct {
		const struct istr *name, *text; /* counted */
	} at[PORTALS_MAX];
};

static void portal_drop(struct pg_portals *k, uint32_t i)
{
	istr_put(k->at[i].name);
	istr_put(k->at[i].text);
	k->at[i] = k->at[--k->n];
}

void pg_portals_free(struct pg_portals **portals)
{
	while (*portals && (*portals)->n)
		portal_drop(*portals, 0);
	free(*portals);
	*portals = NULL;
}

enum pg_portal_noted pg_portals_note(struct pg_portals **portals, const char *name, size_t len, const struct istr *text)
{
	struct pg_portals *k = *portals;

	for (uint32_t i = 0; k && i < k->n; i++)
		if (k->at[i].name->len == len && memcmp(k->at[i].name->s, name, len) == 0) {
			portal_drop(k, i);
			break;
		}
	if (!text)
		return PG_PORTAL_NOTED;
	if (len > PORTAL_NAME_MAX)
		return PG_PORTAL_IS_ONE_TOO_MANY;
	if (!k)
		k = *portals = calloc(1, sizeof *k);
	if (!k)
		return PG_PORTAL_NO_MEMORY;
	if (k->n == PORTALS_MAX)
		return PG_PORTAL_IS_ONE_TOO_MANY;
	const struct istr *named = istr_get(name, len);
	if (!named)
		return PG_PORTAL_NO_MEMORY;
	k->at[k->n].name = named;
	k->at[k->n++].text = istr_ref(text);
	return PG_PORTAL_NOTED;
}

const struct istr *pg_portals_find(const struct pg_portals *k, const char *name, size_t len)
{
	for (uint32_t i = 0; k && i < k->n; i++)
		if (k->at[i].name->len == len && memcmp(k->at[i].name->s, name, len) == 0)
			return k->at[i].text;
	return NULL;
}

bool pg_portal_text(const struct pg_client *c, const struct rd *in, uint32_t total, const struct istr **text)
{
	struct rd at = *in;
	struct pg_msg m;
	size_t len;
	*text = NULL;
	if (total > STREAM_KEEP_MAX) /* PORTAL_NAME_MAX: none of such a name was noted */
		return true;
	if (pg_frame(&at, STREAM_KEEP_MAX, &m) != FRAME_OK)
		return false;
	const char *name = rd_cstr(&m.body, &len);
	const struct istr *found = m.body.bad ? NULL : pg_portals_find(c->portals, name, len);
	*text = found ? istr_ref(found) : NULL;
	return true;
}

/* --- What the client hears */

static void tell_complete(struct pg_server *p, uint8_t kind)
{
	static const uint8_t parse[] = { PG_PARSE_COMPLETE, 0, 0, 0, 4 }, close[] = { PG_CLOSE_COMPLETE, 0, 0, 0, 4 };
	if (p->sv.session)
		stream_put_span(&p->sv.session->stream, kind == EXPECT_PARSE ? parse : close, sizeof parse);
}

void pg_tell_invented(struct pg_server *p)
{
	const struct expect_entry *x;
	while ((x = expect_next(&p->expect)) && (x->flags & EXPECT_INVENTED)) {
		if (!(x->flags & EXPECT_OWN))
			tell_complete(p, x->kind);
		expect_told(&p->expect);
	}
}

bool pg_tell_if_all_invented(struct pg_server *p)
{
	if (p->expect.count == 0 || p->expect.invented < p->expect.count)
		return false;
	if (p->left == 0) /* else when what passes has passed */
		pg_tell_invented(p);
	return true;
}

void pg_ask_for_replies(struct pg_server *p)
{
	static const uint8_t flush[] = { PG_FLUSH, 0, 0, 0, 4 };
	if (p->expect.is_open)
		stream_put_span(&p->sv.stream, flush, sizeof flush);
}

/* Does the error's text name the statement that it is about? In others such a name may be a value. 26000: there is
 * none; 08P01 (Bind) and 42601 (EXECUTE): too few parameters or too many; 42P05: there is one already. */
static bool names_statement(const struct pg_error *e)
{
	static const char *const states[] = { "26000", "08P01", "42601", "42P05" };
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (strcmp(e->sqlstate, states[i]) == 0)
			return true;
	return false;
}

/* value, in which the statement has its client's name. */
static void put_renamed(struct pg_out *o, const struct pg_renamed *r, const char *value)
{
	char there[PG_SERVER_NAME_MAX + 2];
	str_fmt(there, sizeof there, "\"" PG_SERVER_NAME "%u\"", r->number);
	const char *at = strstr(value, there);
	if (at) {
		pg_put(o, value, (size_t)(at - value));
		pg_put_u8(o, '"');
		pg_put(o, r->name, r->len);
		pg_put_u8(o, '"');
		value = at + strlen(there);
	}
	pg_put_cstr(o, value);
}

/* An error's position in the text that was sent is this one in the client's; NULL: there is none. */
static const char *position_of(const struct pg_renamed *r, const char *sent, char *out, size_t cap)
{
	uint64_t at;
	if (r->hides_position || !str_to_u64(sent, INT32_MAX, &at) || (long)at <= r->moved)
		return NULL;
	str_fmt(out, cap, "%ld", (long)at - r->moved);
	return out;
}

const struct istr *pg_renamed_error(const struct pg_error *e, struct rd body, const struct pg_renamed *r)
{
	char position[24];
	bool renames = r->name && names_statement(e);
	size_t n = PG_HEADER + rd_left(&body) + sizeof position + FIELDS_MAX * (r->len + 2);
	uint8_t *bytes = malloc(n);
	if (!bytes)
		return NULL;
	struct pg_out o = pg_out(bytes, n);
	pg_begin(&o, PG_ERROR);
	uint8_t field;
	while ((field = rd_u8(&body)) != 0) {
		const char *value = rd_cstr(&body, NULL);
		if (field == 'P' && !(value = position_of(r, value, position, sizeof position)))
			continue;
		pg_put_u8(&o, field);
		if (renames)
			put_renamed(&o, r, value);
		else
			pg_put_cstr(&o, value);
	}
	pg_put_u8(&o, 0);
	pg_end(&o);
	const struct istr *error = o.bad || body.bad ? NULL : istr_get((const char *)o.p, o.len);
	free(bytes);
	return error;
}

bool pg_tell_renamed(const struct pg_error *e, struct rd body, const struct pg_renamed *r, struct stream *to)
{
	if (!(r->name && names_statement(e)) && !r->moved && !r->hides_position)
		return false;
	const struct istr *error = pg_renamed_error(e, body, r);
	if (!error)
		return false;
	stream_put_copy(to, error->s, error->len);
	istr_put(error);
	return true;
}

/* --- It leaves */

void pg_statements_forget(struct pg_client *c)
{
	pg_names_free(c->names);
	pg_unnamed_is(c, NULL);
	free(c->gather);
	pg_portals_free(&c->portals);
	pg_portals_free(&c->noted);
	c->names = NULL;
	c->gather = NULL;
}
