/* prepared.c - the statements of clients, the texts of servers, and the types of parameters. MySQL Source Code
 * Documentation: Prepared Statements, COM_STMT_EXECUTE; MariaDB Knowledge Base: COM_STMT_BULK_EXECUTE. */
#include "mysql/prepared.h"

#include <stdlib.h>
#include <string.h>

/* --- Servers */

void mysql_cache_init(struct mysql_cache *c)
{
	*c = (struct mysql_cache){ .map = MAP_INIT };
	list_init(&c->lru);
	list_init(&c->held);
	list_init(&c->stale);
}

struct key {
	const struct istr *text, *types;
};

static bool same_key(const struct map_node *n, const void *key, size_t len)
{
	const struct mysql_prepared *s = list_owner((struct map_node *)(uintptr_t)n, struct mysql_prepared, node);
	const struct key *k = key;
	(void)len;
	return s->text == k->text && s->types == k->types;
}

static struct mysql_prepared *find(const struct mysql_cache *c, const struct istr *text, const struct istr *types)
{
	struct key k = { text, types };
	struct map_node *n = map_find(&c->map, &k, sizeof k, same_key);
	return n ? list_owner(n, struct mysql_prepared, node) : NULL;
}

static bool enter(struct mysql_cache *c, struct mysql_prepared *s)
{
	return map_add(&c->map, &s->node, &(struct key){ s->text, s->types }, sizeof(struct key));
}

struct mysql_prepared *mysql_prepared_find(const struct mysql_cache *c, const struct istr *text,
					   const struct istr *types)
{
	struct mysql_prepared *s = find(c, text, types);
	return s || !types ? s : find(c, text, NULL);
}

/* Out of the list, and the map, that it is in. */
static void take_out(struct mysql_cache *c, struct mysql_prepared *s)
{
	if (s->where == MYSQL_PREPARED_SHARED)
		map_del(&c->map, &s->node);
	list_del(&s->in_list);
}

struct mysql_prepared *mysql_prepared_add(struct mysql_cache *c, const struct istr *text, uint32_t id, uint16_t nparams)
{
	struct mysql_prepared *s = calloc(1, sizeof *s), *before = text ? find(c, text, NULL) : NULL;
	if (!s)
		return NULL;
	s->id = id;
	s->nparams = nparams;
	list_init(&s->in_list);
	if (!text) {
		s->where = MYSQL_PREPARED_HELD;
		list_push(&c->held, &s->in_list);
		return s;
	}
	s->text = text;
	if (!enter(c, s)) {
		free(s);
		return NULL;
	}
	(void)istr_ref(text);
	list_push(&c->lru, &s->in_list);
	if (before)
		mysql_prepared_doubt(c, before);
	return s;
}

void mysql_prepared_types(struct mysql_cache *c, struct mysql_prepared *s, const struct istr *types)
{
	if (s->types == types)
		return;
	if (s->where == MYSQL_PREPARED_SHARED)
		map_del(&c->map, &s->node);
	istr_put(s->types);
	s->types = istr_ref(types);
	if (s->where == MYSQL_PREPARED_SHARED)
		(void)enter(c, s); /* which needs no memory any more */
}

void mysql_prepared_hold(struct mysql_cache *c, struct mysql_prepared *s)
{
	take_out(c, s);
	s->where = MYSQL_PREPARED_HELD;
	list_push(&c->held, &s->in_list);
}

void mysql_prepared_share(struct mysql_cache *c, struct mysql_prepared *s)
{
	if (!s->text || find(c, s->text, s->types) || !enter(c, s)) {
		mysql_prepared_doubt(c, s);
		return;
	}
	list_del(&s->in_list);
	s->where = MYSQL_PREPARED_SHARED;
	list_push(&c->lru, &s->in_list);
}

void mysql_prepared_doubt(struct mysql_cache *c, struct mysql_prepared *s)
{
	take_out(c, s);
	s->where = MYSQL_PREPARED_STALE;
	list_add(&c->stale, &s->in_list);
}

void mysql_cache_make_room(struct mysql_cache *c, uint32_t most)
{
	while (c->map.count && c->map.count >= most)
		mysql_prepared_doubt(c, list_owner(c->lru.prev, struct mysql_prepared, in_list));
}

void mysql_prepared_drop(struct mysql_cache *c, struct mysql_prepared *s)
{
	take_out(c, s);
	istr_put(s->text);
	istr_put(s->types);
	free(s);
}

bool mysql_cache_next_stale(struct mysql_cache *c, uint32_t *id)
{
	if (list_empty(&c->stale))
		return false;
	struct mysql_prepared *s = list_owner(c->stale.next, struct mysql_prepared, in_list);
	*id = s->id;
	mysql_prepared_drop(c, s);
	return true;
}

static void drop_all(struct mysql_cache *c, struct list *l)
{
	while (!list_empty(l))
		mysql_prepared_drop(c, list_owner(l->next, struct mysql_prepared, in_list));
}

void mysql_cache_clear(struct mysql_cache *c)
{
	drop_all(c, &c->lru);
	drop_all(c, &c->held);
	drop_all(c, &c->stale);
}

void mysql_cache_free(struct mysql_cache *c)
{
	mysql_cache_clear(c);
	map_free(&c->map);
	mysql_cache_init(c);
}

/* --- Clients */

static bool same_id(const struct map_node *n, const void *key, size_t len)
{
	return memcmp(&list_owner((struct map_node *)(uintptr_t)n, struct mysql_statement, node)->id, key, len) == 0;
}

struct mysql_statement *mysql_statement_find(struct mysql_statements *m, uint32_t id)
{
	if (m->used && m->used->id == id)
		return m->used;
	struct map_node *n = map_find(&m->map, &id, sizeof id, same_id);
	if (!n)
		return NULL;
	return m->used = list_owner(n, struct mysql_statement, node);
}

struct mysql_statement *mysql_statement_add(struct mysql_statements *m, const struct istr *text, uint16_t nparams)
{
	struct mysql_statement *st = calloc(1, sizeof *st);
	if (!st)
		return NULL;
	do { /* 0 and the last number mean something else, and others may be in use still after a long time */
		m->last = m->last + 1 == MYSQL_STATEMENT_LAST ? 1 : m->last + 1;
	} while (mysql_statement_find(m, m->last));
	st->id = m->last;
	if (!map_add(&m->map, &st->node, &st->id, sizeof st->id)) {
		free(st);
		return NULL;
	}
	st->text = text ? istr_ref(text) : NULL;
	st->nparams = nparams;
	m->bytes += text ? text->len : 0;
	return st;
}

void mysql_statement_types(struct mysql_statement *st, const struct istr *types)
{
	istr_put(st->types);
	st->types = types;
}

void mysql_statement_set(struct mysql_statements *m, struct mysql_statement *st, bool has_cursor, bool has_long)
{
	m->cursors += (uint32_t)has_cursor - (uint32_t)st->has_cursor;
	m->longs += (uint32_t)has_long - (uint32_t)st->has_long;
	st->has_cursor = has_cursor;
	st->has_long = has_long;
}

void mysql_statement_keep(struct mysql_statements *m, struct mysql_statement *st)
{
	m->kept += !st->is_kept;
	st->is_kept = true;
}

void mysql_statement_drop(struct mysql_statements *m, struct mysql_statement *st)
{
	mysql_statement_set(m, st, false, false);
	m->kept -= st->is_kept;
	if (m->used == st)
		m->used = NULL;
	m->bytes -= st->text ? st->text->len : 0;
	map_del(&m->map, &st->node);
	istr_put(st->text);
	istr_put(st->types);
	free(st);
}

void mysql_statements_clear(struct mysql_statements *m)
{
	size_t slot = 0;
	struct map_node *n = NULL;
	while ((n = map_next(&m->map, n, &slot)))
		mysql_statement_drop(m, list_owner(n, struct mysql_statement, node));
}

void mysql_statements_free(struct mysql_statements *m)
{
	mysql_statements_clear(m);
	map_free(&m->map);
}

/* --- Texts */

const char *const mysql_meaning_names[MYSQL_MEANINGS] = { "schema", "sql_mode", "character_set_client",
							  "collation_connection" };

const struct istr *mysql_meaning(const char *const values[MYSQL_MEANINGS], struct rd sql)
{
	size_t n = rd_left(&sql), at = 0;
	for (int i = 0; i < MYSQL_MEANINGS; i++)
		n += strlen(values[i]) + 1;
	char *all = malloc(n);
	if (!all)
		return NULL;
	for (int i = 0; i < MYSQL_MEANINGS; i++) {
		size_t len = strlen(values[i]) + 1;
		memcpy(all + at, values[i], len);
		at += len;
	}
	if (n > at)
		memcpy(all + at, sql.p, n - at);
	const struct istr *text = istr_get(all, n);
	free(all);
	return text;
}

struct rd mysql_meaning_read(const struct istr *text, const char *values[MYSQL_MEANINGS])
{
	const char *at = text->s;
	for (int i = 0; i < MYSQL_MEANINGS; i++) {
		values[i] = at;
		at += strlen(at) + 1;
	}
	return rd_of(at, text->len - (size_t)(at - text->s));
}

/* --- EXECUTE */

#define CURSORS                0x07u /* kinds of them */
#define PARAMETERS_ARE_COUNTED 0x08u
#define BULK_HAS_TYPES         0x80u

static enum frame read_bulk(struct rd r, const uint8_t *from, uint16_t nparams, struct mysql_execute *x)
{
	uint16_t flags = rd_u16le(&r);
	x->has_params = nparams > 0;
	x->has_types = x->has_params && flags & BULK_HAS_TYPES;
	x->flag_at = 5;
	x->flag = (uint8_t)(flags | BULK_HAS_TYPES);
	x->types_at = (uint32_t)(r.p - from);
	x->types_len = 2u * nparams;
	if (x->has_types)
		(void)rd_take(&r, x->types_len);
	return r.bad ? FRAME_SHORT : FRAME_OK;
}

enum frame mysql_read_execute(struct rd body, uint16_t nparams, uint64_t caps, struct mysql_execute *x)
{
	struct rd r = body;
	*x = (struct mysql_execute){ .cursor = 0 };
	uint8_t com = rd_u8(&r);
	(void)rd_u32le(&r);
	if (com == MARIADB_COM_STMT_BULK_EXECUTE)
		return read_bulk(r, body.p, nparams, x);
	uint8_t flags = rd_u8(&r);
	uint64_t count = nparams;
	(void)rd_u32le(&r); /* how often: once */
	if (r.bad)
		return FRAME_SHORT;
	x->cursor = flags & CURSORS;
	bool is_named = caps & MYSQL_CAP_QUERY_ATTRIBUTES;
	if (is_named && (nparams || flags & PARAMETERS_ARE_COUNTED))
		count = mysql_rd_lenenc(&r);
	if (r.bad)
		return FRAME_SHORT;
	if (count < nparams || count > UINT16_MAX)
		return FRAME_BAD;
	if (!count)
		return FRAME_OK;
	(void)rd_take(&r, (size_t)((count + 7) / 8));
	uint8_t bound = rd_u8(&r);
	if (r.bad)
		return FRAME_SHORT;
	x->has_params = true;
	x->has_types = bound != 0;
	x->types_at = (uint32_t)(r.p - body.p);
	x->flag_at = x->types_at - 1;
	x->flag = 1;
	for (uint64_t i = 0; x->has_types && i < count && !r.bad; i++) {
		(void)rd_u16le(&r);
		if (is_named)
			(void)mysql_rd_text(&r);
	}
	if (r.bad)
		return FRAME_SHORT;
	x->types_len = (uint32_t)(r.p - body.p) - x->types_at;
	return FRAME_OK;
}
