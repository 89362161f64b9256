/* said.c - what clients say is kept with their server for a while, for logs. PostgreSQL docs, Frontend/Backend
 * Protocol, Message Formats: Query, Parse, Bind. */
#include "pg/pg_int.h"

#include "sql/fingerprint.h"

/* As far as it has come. */
static void says_rest(struct pg_client *c, const struct rd *in, uint32_t left)
{
	session_says(&c->s, in->p, rd_left(in) < left ? rd_left(in) : left, left);
}

static void says_kept(struct pg_client *c, const struct istr *text)
{
	size_t mark = text && pg_is_script(text) ? 1 : 0;
	session_says(&c->s, text ? text->s + mark : NULL, text ? text->len - mark : 0, text ? text->len - mark : 0);
}

/* An unnamed statement is in the client's own words, or its server was told of it just before. */
static void says_bound(struct pg_client *c, struct rd *in)
{
	struct session *s = &c->s;
	size_t len;
	(void)rd_cstr(in, NULL);
	const char *name = rd_cstr(in, &len);
	if (in->bad) {
		says_kept(c, NULL);
	} else if (len) {
		const struct pg_name *n = pg_name_find(c->names, name, len);
		says_kept(c, n && n->text ? n->text->said : NULL);
	} else if (c->unnamed.text) {
		says_kept(c, c->unnamed.text);
	} else {
		s->server->heard.sent++;
	}
}

void pg_says(struct pg_client *c, struct rd in, uint8_t type, uint32_t total)
{
	size_t len;
	if (rd_left(&in) > total)
		in.end = in.p + total;
	(void)rd_take(&in, PG_HEADER);
	switch (type) {
	case PG_QUERY:
		says_rest(c, &in, total - PG_HEADER);
		break;
	case PG_PARSE:
		(void)rd_cstr(&in, &len);
		if (in.bad)
			says_kept(c, NULL);
		else
			says_rest(c, &in, total - PG_HEADER - (uint32_t)len - 1);
		c->s.server->heard.sent--; /* it is not run */
		break;
	case PG_BIND:
		says_bound(c, &in);
		break;
	default:
		break;
	}
}

size_t pg_fingerprint(const struct session *s, const struct server_heard *said, char *out, size_t cap)
{
	unsigned mode = pg_sql_mode(pg_client_of((struct session *)(uintptr_t)s));
	return sql_fingerprint(said->text, said->len, said->is_cut, SQL_DIALECT_POSTGRES, mode, out, cap);
}
