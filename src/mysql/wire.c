/* wire.c - MySQL's wire format. MySQL Source Code Documentation: Basic Data Types, Connection Phase Packets, Generic
 * Response Packets; MariaDB Knowledge Base: Connection, OK_Packet. */
#include "mysql/wire.h"

uint64_t mysql_rd_lenenc(struct rd *r)
{
	uint8_t first = rd_u8(r);
	switch (first) {
	case 0xfc:
		return rd_u16le(r);
	case 0xfd:
		return rd_u24le(r);
	case 0xfe:
		return rd_u64le(r);
	case 0xfb: /* NULL */
	case 0xff:
		r->bad = true;
		return 0;
	default:
		return first;
	}
}

struct rd mysql_rd_text(struct rd *r)
{
	uint64_t n = mysql_rd_lenenc(r);
	if (n > rd_left(r)) /* before it becomes a size_t, which may be narrower */
		r->bad = true;
	return rd_sub(r, (size_t)n);
}

enum frame mysql_frame(struct rd *in, uint32_t max, struct mysql_packet *out)
{
	uint32_t len;
	uint8_t seq;
	if (!mysql_head(in, &len, &seq))
		return FRAME_SHORT;
	if (len > max)
		return FRAME_BAD;
	if (len > rd_left(in) - MYSQL_HEADER)
		return FRAME_SHORT;
	(void)rd_take(in, MYSQL_HEADER);
	*out = (struct mysql_packet){ seq, rd_sub(in, len) };
	return FRAME_OK;
}

/* --- The handshake */

#define GREETING_VERSION 10u

bool mysql_read_greeting(struct rd body, struct mysql_greeting *g)
{
	const uint8_t *at;
	*g = (struct mysql_greeting){ .plugin = "" };
	if (rd_u8(&body) != GREETING_VERSION)
		return false;
	g->version = rd_cstr(&body, NULL);
	g->thread = rd_u32le(&body);
	at = rd_take(&body, 8);
	if (at)
		memcpy(g->scramble, at, 8);
	(void)rd_u8(&body);
	g->caps = rd_u16le(&body);
	g->collation = rd_u8(&body);
	g->status = rd_u16le(&body);
	g->caps |= (uint64_t)rd_u16le(&body) << 16;
	uint8_t len = rd_u8(&body);
	(void)rd_take(&body, 6);
	uint64_t more = rd_u32le(&body);
	if (!(g->caps & MYSQL_CAP_LONG_PASSWORD))
		g->caps |= more << 32;
	/* Whatever length is told, there are 13 bytes at least, of which the last is a NUL. */
	size_t rest = len > 8u + 13u ? len - 8u : 13u;
	at = rd_take(&body, rest);
	if (at)
		memcpy(g->scramble + 8, at, MYSQL_SCRAMBLE - 8);
	/* Some servers of 5.5 do not end the name with a NUL; those are told apart by nothing else. */
	if (g->caps & MYSQL_CAP_PLUGIN_AUTH && rd_left(&body))
		g->plugin = rd_cstr(&body, NULL);
	return !body.bad;
}

#define RESPONSE_HEAD    32u /* up to the user's name */
#define OLD_RESPONSE_MIN 6u  /* capabilities in two bytes, a length in three, and a user's name */

bool mysql_read_response(struct rd body, struct mysql_response *r)
{
	*r = (struct mysql_response){ .user = "", .database = "", .plugin = "" };
	size_t total = rd_left(&body);
	r->is_old = total >= OLD_RESPONSE_MIN && !((uint64_t)body.p[1] << 8 & MYSQL_CAP_PROTOCOL_41);
	if (r->is_old)
		return true;
	r->caps = rd_u32le(&body);
	r->max_packet = rd_u32le(&body);
	r->collation = rd_u8(&body);
	(void)rd_take(&body, 19);
	uint64_t more = rd_u32le(&body);
	if (!(r->caps & MYSQL_CAP_LONG_PASSWORD))
		r->caps |= more << 32;
	if (body.bad)
		return false;
	r->is_tls_request = total == RESPONSE_HEAD && r->caps & MYSQL_CAP_SSL;
	if (r->is_tls_request)
		return true;
	r->user = rd_cstr(&body, NULL);
	if (r->caps & MYSQL_CAP_AUTH_LENENC) {
		r->auth = mysql_rd_text(&body);
	} else if (r->caps & MYSQL_CAP_SECURE_CONNECTION) {
		r->auth = rd_sub(&body, rd_u8(&body));
	} else {
		size_t len;
		const char *auth = rd_cstr(&body, &len);
		r->auth = rd_of(auth, len);
	}
	/* Who names none may leave out its NUL, where it is the last. */
	if (r->caps & MYSQL_CAP_CONNECT_WITH_DB && rd_left(&body))
		r->database = rd_cstr(&body, NULL);
	if (r->caps & MYSQL_CAP_PLUGIN_AUTH && rd_left(&body))
		r->plugin = rd_cstr(&body, NULL);
	if (r->caps & MYSQL_CAP_CONNECT_ATTRS && rd_left(&body))
		r->attrs = mysql_rd_text(&body);
	if (r->caps & MYSQL_CAP_ZSTD && rd_left(&body))
		r->zstd_level = rd_u8(&body);
	return !body.bad;
}

bool mysql_read_change_user(struct rd body, uint64_t caps, struct mysql_response *r)
{
	*r = (struct mysql_response){ .caps = caps, .database = "", .plugin = "" };
	r->user = rd_cstr(&body, NULL);
	if (caps & MYSQL_CAP_SECURE_CONNECTION) {
		r->auth = rd_sub(&body, rd_u8(&body));
	} else {
		size_t len;
		const char *auth = rd_cstr(&body, &len);
		r->auth = rd_of(auth, len);
	}
	r->database = rd_cstr(&body, NULL);
	if (rd_left(&body))
		r->collation = rd_u16le(&body);
	if (caps & MYSQL_CAP_PLUGIN_AUTH && rd_left(&body))
		r->plugin = rd_cstr(&body, NULL);
	if (caps & MYSQL_CAP_CONNECT_ATTRS && rd_left(&body))
		r->attrs = mysql_rd_text(&body);
	return !body.bad;
}

bool mysql_next_attr(struct rd *attrs, struct rd *name, struct rd *value)
{
	if (rd_left(attrs) == 0)
		return false;
	*name = mysql_rd_text(attrs);
	*value = mysql_rd_text(attrs);
	return !attrs->bad;
}

bool mysql_read_auth_switch(struct rd body, const char **plugin, struct rd *data)
{
	if (rd_u8(&body) != MYSQL_EOF)
		return false;
	*plugin = rd_cstr(&body, NULL);
	*data = body;
	if (rd_left(data) && data->end[-1] == 0)
		data->end--;
	return !body.bad;
}

/* --- Short answers */

bool mysql_read_ok(struct rd body, uint64_t caps, bool is_cut, struct mysql_ok *ok)
{
	struct rd nothing = rd_of("", 0);
	const uint8_t *begin = body.p;
	*ok = (struct mysql_ok){ .info = nothing, .state = nothing };
	(void)rd_u8(&body);
	ok->affected = mysql_rd_lenenc(&body);
	ok->insert_id = mysql_rd_lenenc(&body);
	ok->status = rd_u16le(&body);
	ok->warnings = rd_u16le(&body);
	if (is_cut || body.bad)
		return !body.bad;
	if (!(caps & MYSQL_CAP_SESSION_TRACK)) {
		ok->info = rd_sub(&body, rd_left(&body));
	} else {
		if (rd_left(&body))
			ok->info = mysql_rd_text(&body);
		ok->told = (size_t)(body.p - begin);
		if (ok->status & MYSQL_STATUS_STATE_CHANGED && rd_left(&body))
			ok->state = mysql_rd_text(&body);
		return !body.bad;
	}
	ok->told = (size_t)(body.p - begin);
	return true;
}

bool mysql_read_eof(struct rd body, struct mysql_ok *ok)
{
	*ok = (struct mysql_ok){ .told = rd_left(&body) };
	(void)rd_u8(&body);
	ok->warnings = rd_u16le(&body);
	ok->status = rd_u16le(&body);
	return !body.bad;
}

bool mysql_next_state(struct rd *state, uint8_t *type, struct rd *data)
{
	if (rd_left(state) == 0)
		return false;
	*type = rd_u8(state);
	*data = mysql_rd_text(state);
	return !state->bad;
}

bool mysql_read_err(struct rd body, struct mysql_err *e)
{
	*e = (struct mysql_err){ .state = "HY000" };
	(void)rd_u8(&body);
	e->code = rd_u16le(&body);
	if (!body.bad && rd_left(&body) >= 6 && *body.p == '#') {
		memcpy(e->state, body.p + 1, 5);
		(void)rd_take(&body, 6);
	}
	e->text = body;
	return !body.bad;
}

#define ATTRIBUTES_MAX 4096u /* of one query; servers take no more than 65,535 parameters of any kind */

/* A value of the binary protocol. */
static void skip_value(struct rd *r, uint8_t type)
{
	switch (type) {
	case 0x06: /* NULL */
		break;
	case 0x01: /* TINY */
	case 0xf4: /* BOOL */
		(void)rd_take(r, 1);
		break;
	case 0x02: /* SHORT */
	case 0x0d: /* YEAR */
		(void)rd_take(r, 2);
		break;
	case 0x03: /* LONG */
	case 0x04: /* FLOAT */
	case 0x09: /* INT24 */
		(void)rd_take(r, 4);
		break;
	case 0x05: /* DOUBLE */
	case 0x08: /* LONGLONG */
		(void)rd_take(r, 8);
		break;
	case 0x07: /* TIMESTAMP */
	case 0x0a: /* DATE */
	case 0x0b: /* TIME */
	case 0x0c: /* DATETIME */
		(void)rd_take(r, rd_u8(r));
		break;
	default:
		(void)mysql_rd_text(r);
		break;
	}
}

bool mysql_read_query(struct rd body, uint64_t caps, struct rd *text)
{
	if (caps & MYSQL_CAP_QUERY_ATTRIBUTES) {
		uint64_t n = mysql_rd_lenenc(&body);
		(void)mysql_rd_lenenc(&body); /* sets of them: 1 */
		if (n > ATTRIBUTES_MAX)
			return false;
		if (n) {
			const uint8_t *nulls = rd_take(&body, (size_t)((n + 7) / 8));
			if (rd_u8(&body) != 1) /* their types follow */
				return false;
			struct rd types = body;
			for (uint64_t i = 0; i < n && !body.bad; i++) {
				(void)rd_u16le(&body);
				(void)mysql_rd_text(&body);
			}
			for (uint64_t i = 0; i < n && !body.bad; i++) {
				uint8_t type = (uint8_t)rd_u16le(&types);
				(void)mysql_rd_text(&types);
				if (!(nulls[i / 8] & 1u << i % 8))
					skip_value(&body, type);
			}
		}
	}
	*text = body;
	return !body.bad;
}

/* --- Building */

static void *room(struct mysql_out *o, size_t n)
{
	if (o->bad || n > o->cap - o->len) {
		o->bad = true;
		return NULL;
	}
	o->len += n;
	return o->p + o->len - n;
}

void mysql_put(struct mysql_out *o, const void *p, size_t n)
{
	void *at = n ? room(o, n) : NULL;
	if (at)
		memcpy(at, p, n);
}

static void put_le(struct mysql_out *o, uint64_t v, size_t n)
{
	uint8_t *at = room(o, n);
	for (size_t i = 0; at && i < n; i++)
		at[i] = (uint8_t)(v >> 8 * i);
}

void mysql_put_u8(struct mysql_out *o, uint8_t v)
{
	put_le(o, v, 1);
}

void mysql_put_u16(struct mysql_out *o, uint16_t v)
{
	put_le(o, v, 2);
}

void mysql_put_u24(struct mysql_out *o, uint32_t v)
{
	put_le(o, v, 3);
}

void mysql_put_u32(struct mysql_out *o, uint32_t v)
{
	put_le(o, v, 4);
}

void mysql_put_lenenc(struct mysql_out *o, uint64_t v)
{
	size_t n = mysql_lenenc_size(v);
	if (n > 1)
		mysql_put_u8(o, n == 3 ? 0xfc : n == 4 ? 0xfd : 0xfe);
	put_le(o, v, n > 1 ? n - 1 : 1);
}

void mysql_put_text(struct mysql_out *o, const void *p, size_t n)
{
	mysql_put_lenenc(o, n);
	mysql_put(o, p, n);
}

void mysql_put_cstr(struct mysql_out *o, const char *s)
{
	mysql_put(o, s, strlen(s) + 1);
}

void mysql_begin(struct mysql_out *o, uint8_t seq)
{
	o->start = o->len;
	mysql_put_u24(o, 0);
	mysql_put_u8(o, seq);
}

void mysql_end(struct mysql_out *o)
{
	if (o->bad)
		return;
	size_t n = o->len - o->start - MYSQL_HEADER;
	if (n >= MYSQL_PAYLOAD_MAX) { /* nothing that is built here is so long */
		o->bad = true;
		return;
	}
	for (size_t i = 0; i < 3; i++)
		o->p[o->start + i] = (uint8_t)(n >> 8 * i);
}

void mysql_put_greeting(struct mysql_out *o, const struct mysql_greeting *g)
{
	bool is_mariadb = !(g->caps & MYSQL_CAP_LONG_PASSWORD);
	mysql_begin(o, 0);
	mysql_put_u8(o, GREETING_VERSION);
	mysql_put_cstr(o, g->version);
	mysql_put_u32(o, g->thread);
	mysql_put(o, g->scramble, 8);
	mysql_put_u8(o, 0);
	mysql_put_u16(o, (uint16_t)g->caps);
	mysql_put_u8(o, g->collation);
	mysql_put_u16(o, g->status);
	mysql_put_u16(o, (uint16_t)(g->caps >> 16));
	mysql_put_u8(o, MYSQL_SCRAMBLE + 1);
	mysql_put(o, "\0\0\0\0\0\0", 6);
	mysql_put_u32(o, is_mariadb ? (uint32_t)(g->caps >> 32) : 0);
	mysql_put(o, g->scramble + 8, MYSQL_SCRAMBLE - 8);
	mysql_put_u8(o, 0);
	mysql_put_cstr(o, g->plugin);
	mysql_end(o);
}

void mysql_put_response(struct mysql_out *o, uint8_t seq, const struct mysql_response *r)
{
	static const uint8_t filler[19];
	bool is_mariadb = !(r->caps & MYSQL_CAP_LONG_PASSWORD);
	mysql_begin(o, seq);
	mysql_put_u32(o, (uint32_t)r->caps);
	mysql_put_u32(o, r->max_packet);
	mysql_put_u8(o, (uint8_t)r->collation); /* those that have more than a byte can be told later alone */
	mysql_put(o, filler, sizeof filler);
	mysql_put_u32(o, is_mariadb ? (uint32_t)(r->caps >> 32) : 0);
	if (!r->is_tls_request) {
		size_t auth = rd_left(&r->auth);
		mysql_put_cstr(o, r->user);
		bool has_length = r->caps & (MYSQL_CAP_AUTH_LENENC | MYSQL_CAP_SECURE_CONNECTION);
		if (r->caps & MYSQL_CAP_AUTH_LENENC)
			mysql_put_lenenc(o, auth);
		else if (has_length && auth < 256)
			mysql_put_u8(o, (uint8_t)auth);
		else if (has_length)
			o->bad = true;
		mysql_put(o, r->auth.p, auth);
		if (!has_length)
			mysql_put_u8(o, 0);
		if (r->caps & MYSQL_CAP_CONNECT_WITH_DB)
			mysql_put_cstr(o, r->database);
		if (r->caps & MYSQL_CAP_PLUGIN_AUTH)
			mysql_put_cstr(o, r->plugin);
		if (r->caps & MYSQL_CAP_CONNECT_ATTRS)
			mysql_put_text(o, r->attrs.p, rd_left(&r->attrs));
		if (r->caps & MYSQL_CAP_ZSTD)
			mysql_put_u8(o, r->zstd_level);
	}
	mysql_end(o);
}

size_t mysql_ok_size(const struct mysql_ok *ok)
{
	size_t info = ok->info.p ? rd_left(&ok->info) : 0;
	return MYSQL_HEADER + 1 + mysql_lenenc_size(ok->affected) + mysql_lenenc_size(ok->insert_id) + 4 +
	       (info ? mysql_lenenc_size(info) + info : 0);
}

void mysql_put_ok(struct mysql_out *o, uint8_t seq, uint8_t first, const struct mysql_ok *ok)
{
	mysql_begin(o, seq);
	mysql_put_u8(o, first);
	mysql_put_lenenc(o, ok->affected);
	mysql_put_lenenc(o, ok->insert_id);
	mysql_put_u16(o, ok->status);
	mysql_put_u16(o, ok->warnings);
	if (ok->info.p && rd_left(&ok->info))
		mysql_put_text(o, ok->info.p, rd_left(&ok->info));
	mysql_end(o);
}

void mysql_put_eof(struct mysql_out *o, uint8_t seq, uint16_t status, uint16_t warnings)
{
	mysql_begin(o, seq);
	mysql_put_u8(o, MYSQL_EOF);
	mysql_put_u16(o, warnings);
	mysql_put_u16(o, status);
	mysql_end(o);
}

void mysql_put_err(struct mysql_out *o, uint8_t seq, const struct fault *f)
{
	mysql_begin(o, seq);
	mysql_put_u8(o, MYSQL_ERR);
	mysql_put_u16(o, f->mysql_errno);
	if (f->mysql_state[0]) {
		mysql_put_u8(o, '#');
		mysql_put(o, f->mysql_state, 5);
	}
	mysql_put(o, f->text, strlen(f->text));
	if (f->hint[0]) {
		mysql_put(o, " (", 2);
		mysql_put(o, f->hint, strlen(f->hint));
		mysql_put_u8(o, ')');
	}
	mysql_end(o);
}
