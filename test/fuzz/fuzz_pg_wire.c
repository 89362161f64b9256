/* fuzz_pg_wire.c - PostgreSQL's framing, the first packet with its parameters and options, and the fields of errors.
 * The input is what one side of a connection sends: first packets, if it begins with any, and messages. */
#include "fuzz.h"

#include "pg/startup.h"
#include "pg/wire.h"

#include <stdlib.h>
#include <string.h>

#define BODY_MAX 65536u

static enum frame frame_of(const uint8_t *p, size_t n, uint32_t max)
{
	uint8_t *copy = fuzz_exact(p, n);
	struct rd in = rd_of(copy, n);
	struct pg_msg m;
	enum frame is = pg_frame(&in, max, &m);
	fuzz_check("nothing is consumed but a whole message", is == FRAME_OK || in.p == copy);
	fuzz_free(copy);
	return is;
}

static enum frame first_of(const uint8_t *p, size_t n)
{
	uint8_t *copy = fuzz_exact(p, n);
	struct rd in = rd_of(copy, n), body;
	uint32_t code;
	enum frame is = pg_first_frame(&in, &code, &body);
	fuzz_check("nothing is consumed but a whole packet", is == FRAME_OK || in.p == copy);
	fuzz_free(copy);
	return is;
}

/* However much of a message is there, it is the same one. */
static void check_heads(const struct rd *in, enum frame is, uint32_t max)
{
	static const uint32_t limits[] = { 0, 4, BODY_MAX, 0x7fffffff, UINT32_MAX };
	uint8_t type = 0;
	uint32_t total = 0;
	enum frame head = pg_head(in, max, &type, &total);
	fuzz_check("a frame that is wrong has a head that is", (head == FRAME_BAD) == (is == FRAME_BAD));
	if (rd_left(in) < PG_HEADER) {
		fuzz_check("half a header", head == FRAME_SHORT);
		return;
	}
	fuzz_check("five bytes tell", head != FRAME_SHORT);
	fuzz_check("five bytes tell alone", frame_of(in->p, PG_HEADER, max) != FRAME_BAD || is == FRAME_BAD);
	if (head == FRAME_OK) {
		fuzz_check("bounds", total >= PG_HEADER && total - PG_HEADER <= max);
		fuzz_check("the type is the first byte", type == in->p[0]);
		fuzz_check("all of it is there, or it is short", (is == FRAME_OK) == (total <= rd_left(in)));
	}
	enum frame before = FRAME_BAD;
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		uint32_t bytes = 0;
		enum frame at = pg_head(in, limits[i], &type, &bytes);
		fuzz_check("what a limit lets pass a wider one does", before == FRAME_BAD || at == FRAME_OK);
		fuzz_check("the limit holds", at != FRAME_OK || (bytes >= PG_HEADER && bytes - PG_HEADER <= limits[i]));
		before = at;
	}
}

static bool is_within(const char *s, struct rd body)
{
	return !*s || ((const uint8_t *)s >= body.p && (const uint8_t *)s + strlen(s) < body.end);
}

static void put_field(struct pg_out *o, uint8_t field, const char *text)
{
	if (*text) {
		pg_put_u8(o, field);
		pg_put_cstr(o, text);
	}
}

static void check_notification(struct rd body)
{
	struct pg_notification m;
	bool ok = pg_read_notification(body, &m);
	fuzz_check("its parts are in it", is_within(m.channel, body) && is_within(m.payload, body));
	fuzz_check("they are all of it", !ok || rd_left(&body) == 4 + strlen(m.channel) + 1 + strlen(m.payload) + 1);
}

static void check_error(struct rd body)
{
	struct pg_error e, again;
	check_notification(body);
	bool ok = pg_parse_error(body, &e);
	fuzz_check("its parts are in it", is_within(e.severity, body) && is_within(e.sqlstate, body) &&
						  is_within(e.message, body) && is_within(e.detail, body) &&
						  is_within(e.hint, body));
	if (!ok)
		return;
	fuzz_check("it is ended by a NUL", rd_left(&body) > 0 && body.end[-1] == 0);
	size_t cap = rd_left(&body) + 16;
	uint8_t *bytes = malloc(cap);
	if (!bytes)
		abort();
	struct pg_out o = pg_out(bytes, cap);
	put_field(&o, 'V', e.severity);
	put_field(&o, 'C', e.sqlstate);
	put_field(&o, 'M', e.message);
	put_field(&o, 'D', e.detail);
	put_field(&o, 'H', e.hint);
	pg_put_u8(&o, 0);
	fuzz_check("the parts are no longer than the whole", !o.bad && o.len <= rd_left(&body));
	fuzz_check("what was written is read", pg_parse_error(rd_of(bytes, o.len), &again));
	fuzz_check("as it was", !strcmp(e.severity, again.severity) && !strcmp(e.sqlstate, again.sqlstate) &&
					!strcmp(e.message, again.message) && !strcmp(e.detail, again.detail) &&
					!strcmp(e.hint, again.hint));

	/* The same as a fault of our own, which is cut where it is too long. */
	struct fault f;
	fault_set(&f, FAULT_PROTO, "%s", e.message);
	fault_sqlstate(&f, e.sqlstate);
	fault_hint(&f, "%s", e.hint);
	uint8_t message[PG_ERROR_MAX];
	struct pg_msg m;
	o = pg_out(message, sizeof message);
	pg_put_error(&o, "FATAL", &f);
	struct rd in = rd_of(message, o.len);
	fuzz_check("any error fits", !o.bad);
	fuzz_check("and is one message", pg_frame(&in, PG_ERROR_MAX, &m) == FRAME_OK && rd_done(&in));
	fuzz_check("that is understood", m.type == PG_ERROR && pg_parse_error(m.body, &again));
	fuzz_check("as it was said", !strcmp(again.severity, "FATAL") && !strcmp(again.sqlstate, f.sqlstate) &&
					     !strcmp(again.message, f.text) && !strcmp(again.hint, f.hint));
	fuzz_check("a cut splits no character",
		   fuzz_is_utf8(f.text, strlen(f.text)) || !fuzz_is_utf8(e.message, strlen(e.message)));
	free(bytes);
}

static void put_escaped(struct pg_out *o, const char *s)
{
	for (; *s; s++) {
		if (strchr(" \t\n\r\f\v\\", *s))
			pg_put_u8(o, '\\');
		pg_put_u8(o, (uint8_t)*s);
	}
}

static void check_options(const char *text)
{
	char *copy = fuzz_text(text, strlen(text));
	const char *at = copy, *before = copy;
	struct pg_option o, again;
	enum pg_option_found is;
	while ((is = pg_next_option(&at, &o)) == PG_OPTION_OK) {
		uint8_t bytes[2 * sizeof o + 16];
		struct pg_out out = pg_out(bytes, sizeof bytes);
		fuzz_check("it goes on, and not too far", at > before && at <= copy + strlen(copy));
		before = at;
		fuzz_check("it has a name", o.name[0] && !strchr(o.name, '='));
		pg_put(&out, "-c ", 3);
		put_escaped(&out, o.name);
		pg_put_u8(&out, '=');
		put_escaped(&out, o.value);
		pg_put_u8(&out, 0);
		fuzz_check("there is room", !out.bad);
		const char *p = (const char *)bytes;
		fuzz_check("what was written is read", pg_next_option(&p, &again) == PG_OPTION_OK);
		fuzz_check("as it was", !strcmp(o.name, again.name) && !strcmp(o.value, again.value));
		fuzz_check("and no more", pg_next_option(&p, &again) == PG_OPTION_END);
	}
	fuzz_check("the end is the end", is != PG_OPTION_END || !*at);
	fuzz_free(copy);
}

static void check_startup(struct rd body)
{
	struct rd at = body;
	const char *name, *value;
	bool ok = false;
	size_t cap = rd_left(&body) + 1;
	uint8_t *bytes = malloc(cap);
	if (!bytes)
		abort();
	struct pg_out o = pg_out(bytes, cap);
	while (pg_startup_next(&at, &name, &value, &ok)) {
		fuzz_check("the parts are in it", *name && is_within(name, body) && is_within(value, body));
		pg_put_cstr(&o, name);
		pg_put_cstr(&o, value);
		if (strcmp(name, "options") == 0)
			check_options(value);
	}
	pg_put_u8(&o, 0);
	if (ok)
		fuzz_check("written again it is the same",
			   !o.bad && o.len == rd_left(&body) && memcmp(bytes, body.p, o.len) == 0);
	free(bytes);
}

/* Built anew, and with one byte too little room. */
static void check_rebuilt(const uint8_t *whole, size_t total, uint8_t type, const uint32_t *code, struct rd body)
{
	uint8_t *bytes = malloc(total);
	if (!bytes)
		abort();
	for (size_t lack = 0; lack < 2; lack++) {
		struct pg_out o = pg_out(bytes, total - lack);
		pg_begin(&o, type);
		if (code)
			pg_put_u32(&o, *code);
		pg_put(&o, body.p, rd_left(&body));
		pg_end(&o);
		fuzz_check("too little room is seen", o.bad == (lack > 0));
		fuzz_check("the room is kept to", o.len <= o.cap);
		fuzz_check("it is the same", lack || (o.len == total && memcmp(bytes, whole, total) == 0));
	}
	free(bytes);
}

static void check_key(struct rd body)
{
	uint32_t pid;
	struct rd key;
	bool ok = pg_parse_key(body, &pid, &key);
	size_t n = rd_left(&body);
	fuzz_check("a key is of some length", ok == (n >= 4 + PG_KEY_MIN && n <= 4 + PG_KEY_MAX));
	fuzz_check("it is the rest", !ok || (key.p == body.p + 4 && key.end == body.end));
}

static void check_negotiate(struct rd body)
{
	uint32_t version = 0, unknown = 0;
	if (pg_parse_negotiate(body, PG_VERSION_3_2, &version, &unknown)) {
		fuzz_check("a version that was asked for", version >= PG_VERSION_3_0 && version <= PG_VERSION_3_2);
		fuzz_check("each option has a NUL at least", unknown <= rd_left(&body) - 8);
	}
}

static void check_messages(struct rd in)
{
	static const size_t some[] = { 0, 1, 4, 5, 6 };
	for (;;) {
		struct rd before = in;
		struct pg_msg m;
		enum frame is = pg_frame(&in, BODY_MAX, &m);
		check_heads(&before, is, BODY_MAX);
		if (is != FRAME_OK) {
			fuzz_check("nothing is consumed", in.p == before.p && in.end == before.end);
			return;
		}
		size_t total = rd_left(&before) - rd_left(&in);
		fuzz_check("it goes on", in.p > before.p && in.p <= in.end);
		fuzz_check("the body is what follows the header",
			   m.body.p == before.p + PG_HEADER && m.body.end == in.p && !m.body.bad);
		for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
			fuzz_check("less than a message is short",
				   some[i] >= total || frame_of(before.p, some[i], BODY_MAX) == FRAME_SHORT);
		fuzz_check("the last byte is missed", frame_of(before.p, total - 1, BODY_MAX) == FRAME_SHORT);
		fuzz_check("more is not needed", frame_of(before.p, total, BODY_MAX) == FRAME_OK);
		if (m.type)
			check_rebuilt(before.p, total, m.type, NULL, m.body);

		uint8_t *body = fuzz_exact(m.body.p, rd_left(&m.body));
		check_error(rd_of(body, rd_left(&m.body)));
		check_key(rd_of(body, rd_left(&m.body)));
		check_negotiate(rd_of(body, rd_left(&m.body)));
		fuzz_free(body);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_exact(data, size);
	struct rd in = rd_of(copy, size);
	enum frame is;
	do {
		struct rd before = in, body;
		uint32_t code = 0;
		is = pg_first_frame(&in, &code, &body);
		if (rd_left(&before) >= 4) {
			struct rd at = before;
			uint32_t len = rd_u32be(&at);
			fuzz_check("the length tells", (is == FRAME_BAD) == (len < 8 || len > PG_STARTUP_MAX));
		}
		if (is != FRAME_OK) {
			fuzz_check("nothing is consumed", in.p == before.p && in.end == before.end);
			break;
		}
		size_t total = rd_left(&before) - rd_left(&in);
		fuzz_check("bounds", total >= 8 && total <= PG_STARTUP_MAX && in.p <= in.end);
		fuzz_check("the body is what follows the code", body.p == before.p + 8 && body.end == in.p);
		for (size_t n = 0; n < 8; n++)
			fuzz_check("less than a packet is short", first_of(before.p, n) == FRAME_SHORT);
		fuzz_check("the last byte is missed", first_of(before.p, total - 1) == FRAME_SHORT);
		check_rebuilt(before.p, total, 0, &code, body);
		uint8_t *exact = fuzz_exact(body.p, rd_left(&body));
		check_startup(rd_of(exact, rd_left(&body)));
		fuzz_free(exact);
	} while (rd_left(&in) > 0);

	/* What follows the first packets, or all of it when it is the other side's. */
	uint8_t *rest = fuzz_exact(in.p, rd_left(&in));
	check_messages(rd_of(rest, rd_left(&in)));
	fuzz_free(rest);
	/* And as if a header had been taken off already. */
	check_error(rd_of(copy, size));
	check_startup(rd_of(copy, size));
	char *text = fuzz_text(data, size);
	check_options(text);
	fuzz_free(text);
	fuzz_free(copy);
	return 0;
}
