/* sink.c - answers from the exchange, in PostgreSQL's terms. PostgreSQL docs, Message Formats: RowDescription, DataRow,
 * CommandComplete, PortalSuspended. */
#include "pg/ask.h"

#include "pg/value.h"

static struct pg_sink *sink_of(struct result_sink *k)
{
	return list_owner(k, struct pg_sink, sink);
}

bool pg_sink_room(struct pg_sink *k, size_t n, struct pg_out *o)
{
	uint8_t *p = stream_put_room(&k->client->s.stream, n);
	if (p)
		*o = pg_out(p, n);
	return p != NULL;
}

static bool has_room(const struct pg_sink *k)
{
	return !stream_is_stalled(&k->client->s.stream);
}

static bool is_binary(const struct pg_sink *k, size_t col)
{
	const struct portal *p = k->portal;
	if (k->step == STEP_QUERY || !p || p->nformats == 0)
		return false;
	return p->formats[p->nformats == 1 ? 0 : col];
}

static void put_description(struct pg_sink *k)
{
	size_t bytes = PG_HEADER + 2;
	struct pg_out o;
	for (size_t i = 0; i < k->ncols; i++)
		bytes += strlen(k->cols[i].name) + 1 + 18;
	if (!pg_sink_room(k, bytes, &o))
		return;
	pg_begin(&o, PG_ROW_DESCRIPTION);
	pg_put_u16(&o, (uint16_t)k->ncols);
	for (size_t i = 0; i < k->ncols; i++) {
		pg_put_cstr(&o, k->cols[i].name);
		pg_put_u32(&o, 0); /* of no table */
		pg_put_u16(&o, 0);
		pg_put_u32(&o, pg_type_oid(k->cols[i].type));
		pg_put_u16(&o, pg_type_len(k->cols[i].type));
		pg_put_u32(&o, UINT32_MAX); /* no modifier */
		pg_put_u16(&o, is_binary(k, i));
	}
	pg_end(&o);
}

static bool columns(struct result_sink *sink, const struct column *cols, size_t n)
{
	struct pg_sink *k = sink_of(sink);
	k->cols = cols;
	k->ncols = n;
	k->has_cols = true;
	switch (k->step) {
	case STEP_QUERY:
	case STEP_DESCRIBE:
		put_description(k);
		break;
	case STEP_PARSE:
		k->stmt->ncols = n;
		break;
	case STEP_EXECUTE: /* who wanted to know them has asked by Describe */
		break;
	}
	return has_room(k);
}

static bool row(struct result_sink *sink, const struct cell *cells, size_t n)
{
	struct pg_sink *k = sink_of(sink);
	size_t bytes = PG_HEADER + 2, len;
	struct pg_out o;

	for (size_t i = 0; i < n && !k->bad_col; i++) {
		len = cells[i].is_null ? 0 : cells[i].text.len;
		if (len && is_binary(k, i) && !pg_put_binary(NULL, k->cols[i].type, cells[i].text, &len))
			k->bad_col = i + 1;
		bytes += 4 + len;
	}
	if (k->bad_col || !pg_sink_room(k, bytes, &o))
		return true;
	pg_begin(&o, PG_DATA_ROW);
	pg_put_u16(&o, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		const struct text_span *text = &cells[i].text;
		len = text->len;
		if (cells[i].is_null) {
			pg_put_u32(&o, UINT32_MAX);
		} else if (!is_binary(k, i) || !len) {
			pg_put_u32(&o, (uint32_t)len);
			pg_put(&o, text->s, len);
		} else {
			(void)pg_put_binary(NULL, k->cols[i].type, *text, &len);
			pg_put_u32(&o, (uint32_t)len);
			(void)pg_put_binary(&o, k->cols[i].type, *text, &len);
		}
	}
	pg_end(&o);
	return has_room(k);
}

static void fault(struct result_sink *sink, const struct fault *f)
{
	struct pg_sink *k = sink_of(sink);
	k->has_failed = true;
	k->client->s.door->tell(&k->client->s, f, false);
}

/* A value was no value of its column's type, and rows were left out since. */
static bool is_bad(struct pg_sink *k)
{
	struct fault f;
	if (!k->bad_col)
		return false;
	fault_set(&f, FAULT_INTERNAL, "a value of the column \"%s\" has no binary form", k->cols[k->bad_col - 1].name);
	fault_sqlstate(&f, "22P03");
	fault_hint(&f, "Ask for the result in text format.");
	k->bad_col = 0;
	fault(&k->sink, &f);
	return true;
}

static void put_bare(struct pg_sink *k, uint8_t type)
{
	struct pg_out o;
	if (!pg_sink_room(k, PG_HEADER, &o))
		return;
	pg_begin(&o, type);
	pg_end(&o);
}

/* tag "": the statement was empty. */
static bool done(struct result_sink *sink, const char *tag, uint64_t rows)
{
	struct pg_sink *k = sink_of(sink);
	struct pg_out o;
	(void)rows; /* PostgreSQL's own SHOW has no count in its tag either */
	if (k->step == STEP_EXECUTE)
		k->portal->is_done = true;
	if (is_bad(k))
		return true;
	if (!*tag) {
		put_bare(k, PG_EMPTY_QUERY);
	} else if (pg_sink_room(k, PG_HEADER + strlen(tag) + 1, &o)) {
		pg_begin(&o, PG_COMMAND_COMPLETE);
		pg_put_cstr(&o, tag);
		pg_end(&o);
	}
	return has_room(k);
}

static bool suspended(struct result_sink *sink, struct cursor *at)
{
	struct pg_sink *k = sink_of(sink);
	k->portal->at = at;
	if (!is_bad(k))
		put_bare(k, PG_PORTAL_SUSPENDED);
	return has_room(k);
}

static bool notice(struct result_sink *sink, const char *text)
{
	struct pg_sink *k = sink_of(sink);
	struct pg_out o;
	size_t n = PG_HEADER + sizeof "SNOTICE" + sizeof "VNOTICE" + sizeof "C00000" + 1 + strlen(text) + 1 + 1;
	if (!pg_sink_room(k, n, &o))
		return true;
	pg_begin(&o, PG_NOTICE);
	pg_put_cstr(&o, "SNOTICE");
	pg_put_cstr(&o, "VNOTICE");
	pg_put_cstr(&o, "C00000");
	pg_put_u8(&o, 'M');
	pg_put_cstr(&o, text);
	pg_put_u8(&o, 0);
	pg_end(&o);
	return has_room(k);
}

static void end(struct result_sink *sink)
{
	pg_step_ended(sink_of(sink));
}

const struct sink_ops pg_sink_ops = {
	.columns = columns,
	.row = row,
	.done = done,
	.suspended = suspended,
	.notice = notice,
	.fault = fault,
	.end = end,
};
