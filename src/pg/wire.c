/* wire.c - the PostgreSQL wire format. PostgreSQL docs, Frontend/Backend Protocol, Message Formats. */
#include "pg/wire.h"

enum frame pg_head(const struct rd *in, uint32_t max, uint8_t *type, uint32_t *total)
{
	if (rd_left(in) < PG_HEADER)
		return FRAME_SHORT; /* a header, too, may arrive in pieces */
	struct rd at = *in;
	uint8_t t = rd_u8(&at);
	uint32_t len = rd_u32be(&at); /* counts itself, not the type byte */
	if (len < 4 || len - 4 > max || len == UINT32_MAX)
		return FRAME_BAD;
	*type = t;
	*total = len + 1;
	return FRAME_OK;
}

enum frame pg_frame(struct rd *in, uint32_t max, struct pg_msg *out)
{
	uint8_t type = 0;
	uint32_t total = 0;
	enum frame is = pg_head(in, max, &type, &total);
	if (is != FRAME_OK)
		return is;
	if (total > rd_left(in))
		return FRAME_SHORT;
	(void)rd_take(in, PG_HEADER);
	out->type = type;
	out->body = rd_sub(in, total - PG_HEADER);
	return FRAME_OK;
}

enum frame pg_first_frame(struct rd *in, uint32_t *code, struct rd *body)
{
	struct rd at = *in;
	if (rd_left(in) < 4)
		return FRAME_SHORT;
	uint32_t len = rd_u32be(&at);
	if (len < 8 || len > PG_STARTUP_MAX)
		return FRAME_BAD; /* before we buffer towards it */
	if (len - 4 > rd_left(&at))
		return FRAME_SHORT;
	*code = rd_u32be(&at);
	*body = rd_sub(&at, len - 8);
	*in = at;
	return FRAME_OK;
}

bool pg_read_notification(struct rd body, struct pg_notification *m)
{
	m->pid = rd_u32be(&body);
	m->channel = rd_cstr(&body, NULL);
	m->payload = rd_cstr(&body, NULL);
	return rd_done(&body);
}

bool pg_parse_key(struct rd body, uint32_t *pid, struct rd *key)
{
	*pid = rd_u32be(&body);
	*key = rd_sub(&body, rd_left(&body));
	return rd_done(&body) && rd_left(key) >= PG_KEY_MIN && rd_left(key) <= PG_KEY_MAX;
}

bool pg_parse_negotiate(struct rd body, uint32_t asked, uint32_t *version, uint32_t *unknown)
{
	uint32_t v = rd_u32be(&body), n = rd_u32be(&body), i = 0;
	for (; i < n && !body.bad; i++)
		(void)rd_cstr(&body, NULL);
	if (v < 0x10000u) /* the minor number alone, as the documentation once had it */
		v |= asked & 0xffff0000u;
	if (!rd_done(&body) || v >> 16 != asked >> 16 || v > asked)
		return false;
	*version = v;
	*unknown = n;
	return true;
}

bool pg_parse_error(struct rd body, struct pg_error *e)
{
	*e = (struct pg_error){ "", "", "", "", "", "" };
	while (!body.bad && rd_left(&body) > 0) {
		uint8_t field = rd_u8(&body);
		if (field == 0)
			return rd_done(&body);
		const char *text = rd_cstr(&body, NULL);
		switch (field) {
		case 'V': /* not translated, unlike S */
			e->severity = text;
			break;
		case 'S':
			if (!*e->severity)
				e->severity = text;
			break;
		case 'C':
			e->sqlstate = text;
			break;
		case 'M':
			e->message = text;
			break;
		case 'D':
			e->detail = text;
			break;
		case 'H':
			e->hint = text;
			break;
		case 'R':
			e->routine = text;
			break;
		default:
			break;
		}
	}
	return false; /* no terminator */
}

/* --- Building */

void pg_put(struct pg_out *o, const void *p, size_t n)
{
	if (o->bad || n > o->cap - o->len) {
		o->bad = true;
		return;
	}
	if (n)
		memcpy(o->p + o->len, p, n);
	o->len += n;
}

void pg_put_u8(struct pg_out *o, uint8_t v)
{
	pg_put(o, &v, 1);
}

void pg_put_u16(struct pg_out *o, uint16_t v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };
	pg_put(o, b, sizeof b);
}

void pg_put_u32(struct pg_out *o, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
	pg_put(o, b, sizeof b);
}

void pg_put_cstr(struct pg_out *o, const char *s)
{
	pg_put(o, s, strlen(s) + 1);
}

void pg_begin(struct pg_out *o, uint8_t type)
{
	if (type)
		pg_put_u8(o, type);
	o->start = o->len;
	pg_put_u32(o, 0);
}

void pg_end(struct pg_out *o)
{
	if (o->bad)
		return;
	uint32_t len = (uint32_t)(o->len - o->start);
	uint8_t b[4] = { (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len };
	memcpy(o->p + o->start, b, sizeof b);
}

static void put_field(struct pg_out *o, uint8_t field, const char *text)
{
	pg_put_u8(o, field);
	pg_put_cstr(o, text);
}

void pg_put_error(struct pg_out *o, const char *severity, const struct fault *f)
{
	pg_begin(o, PG_ERROR);
	put_field(o, 'S', severity);
	put_field(o, 'V', severity);
	put_field(o, 'C', f->sqlstate);
	put_field(o, 'M', f->text);
	if (f->hint[0])
		put_field(o, 'H', f->hint);
	pg_put_u8(o, 0);
	pg_end(o);
}

void pg_put_notice(struct pg_out *o, const char *text)
{
	pg_begin(o, PG_NOTICE);
	put_field(o, 'S', "NOTICE");
	put_field(o, 'V', "NOTICE");
	put_field(o, 'C', "00000");
	put_field(o, 'M', text);
	pg_put_u8(o, 0);
	pg_end(o);
}

void pg_put_ready(struct pg_out *o, uint8_t status)
{
	pg_begin(o, PG_READY);
	pg_put_u8(o, status);
	pg_end(o);
}

void pg_put_parameter(struct pg_out *o, const char *name, const char *value)
{
	pg_begin(o, PG_PARAMETER_STATUS);
	pg_put_cstr(o, name);
	pg_put_cstr(o, value);
	pg_end(o);
}
