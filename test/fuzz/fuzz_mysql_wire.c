/* fuzz_mysql_wire.c - MySQL's packets, the handshake, and the short answers. The input is what one side of a connection
 * sends; each payload is read as each of the things that it could be. */
#include "fuzz.h"

#include "mysql/wire.h"

#include <stdlib.h>
#include <string.h>

#define BODY_MAX 65536u

static bool is_within(struct rd part, struct rd body)
{
	return rd_left(&part) == 0 || (part.p >= body.p && part.end <= body.end);
}

static bool text_is_within(const char *s, struct rd body)
{
	return !*s || ((const uint8_t *)s >= body.p && (const uint8_t *)s + strlen(s) < body.end);
}

static void check_greeting(struct rd body)
{
	struct mysql_greeting g, again;
	if (!mysql_read_greeting(body, &g))
		return;
	fuzz_check("its texts are in it", text_is_within(g.version, body) && text_is_within(g.plugin, body));
	size_t cap = MYSQL_GREETING_MAX + strlen(g.version) + strlen(g.plugin);
	uint8_t *bytes = malloc(cap);
	if (!bytes)
		abort();
	struct mysql_out o = mysql_out(bytes, cap);
	mysql_put_greeting(&o, &g);
	struct mysql_packet m;
	struct rd in = rd_of(bytes, o.len);
	fuzz_check("it fits", !o.bad && mysql_frame(&in, BODY_MAX + 1024, &m) == FRAME_OK && rd_done(&in));
	fuzz_check("what was written is read", mysql_read_greeting(m.body, &again));
	fuzz_check("as it was", again.caps == g.caps && again.thread == g.thread && again.status == g.status &&
					again.collation == g.collation && !strcmp(again.version, g.version) &&
					!memcmp(again.scramble, g.scramble, sizeof g.scramble));
	fuzz_check("its plugin too", !(g.caps & MYSQL_CAP_PLUGIN_AUTH) || !strcmp(again.plugin, g.plugin));
	free(bytes);
}

static void check_response(struct rd body)
{
	struct mysql_response r, again;
	if (!mysql_read_response(body, &r) || r.is_tls_request || r.is_old)
		return;
	fuzz_check("its parts are in it", text_is_within(r.user, body) && text_is_within(r.database, body) &&
						  text_is_within(r.plugin, body) && is_within(r.auth, body) &&
						  is_within(r.attrs, body));
	struct rd attrs = r.attrs, name, value;
	while (mysql_next_attr(&attrs, &name, &value))
		fuzz_check("and theirs", is_within(name, body) && is_within(value, body));
	size_t cap = rd_left(&body) + 64;
	uint8_t *bytes = malloc(cap);
	if (!bytes)
		abort();
	struct mysql_out o = mysql_out(bytes, cap);
	mysql_put_response(&o, 1, &r);
	if (!o.bad) {
		fuzz_check("what was written is read",
			   mysql_read_response(rd_of(bytes + MYSQL_HEADER, o.len - MYSQL_HEADER), &again));
		fuzz_check("as it was",
			   again.caps == r.caps && !strcmp(again.user, r.user) && !strcmp(again.database, r.database) &&
				   !strcmp(again.plugin, r.plugin) && rd_left(&again.auth) == rd_left(&r.auth));
	}
	free(bytes);
}

/* Behind the command's byte. */
static void check_change_user(struct rd body, uint64_t caps)
{
	struct mysql_response r;
	if (!mysql_read_change_user(body, caps, &r))
		return;
	fuzz_check("its parts are in it", text_is_within(r.user, body) && text_is_within(r.database, body) &&
						  text_is_within(r.plugin, body) && is_within(r.auth, body) &&
						  is_within(r.attrs, body));
	struct rd attrs = r.attrs, name, value;
	while (mysql_next_attr(&attrs, &name, &value))
		fuzz_check("and theirs", is_within(name, body) && is_within(value, body));
}

static void check_ok(struct rd body, uint64_t caps, bool is_cut)
{
	struct mysql_ok ok;
	uint8_t type;
	struct rd data;
	if (!mysql_read_ok(body, caps, is_cut, &ok))
		return;
	fuzz_check("its parts are in it",
		   is_within(ok.info, body) && is_within(ok.state, body) && ok.told <= rd_left(&body));
	struct rd state = ok.state;
	while (mysql_next_state(&state, &type, &data))
		fuzz_check("and theirs", is_within(data, body));
	fuzz_check("they are all of it", state.bad || rd_left(&state) == 0);
}

static void check_body(struct rd body)
{
	struct mysql_ok ok;
	struct mysql_err e;
	struct rd text, data;
	const char *plugin;
	check_greeting(body);
	check_response(body);
	for (unsigned i = 0; i < 4; i++)
		check_ok(body, i & 1 ? MYSQL_CAP_SESSION_TRACK : 0, i & 2);
	check_change_user(body, MYSQL_CAP_SECURE_CONNECTION | MYSQL_CAP_PLUGIN_AUTH | MYSQL_CAP_CONNECT_ATTRS);
	check_change_user(body, MYSQL_CAP_PROTOCOL_41);
	(void)mysql_read_eof(body, &ok);
	if (mysql_read_err(body, &e))
		fuzz_check("an error's text is in it", is_within(e.text, body) && strlen(e.state) <= 5);
	if (mysql_read_auth_switch(body, &plugin, &data))
		fuzz_check("a switch's parts are in it", text_is_within(plugin, body) && is_within(data, body));
	for (unsigned i = 0; i < 2; i++)
		if (mysql_read_query(body, i ? MYSQL_CAP_QUERY_ATTRIBUTES : 0, &text))
			fuzz_check("a query is the end of it", is_within(text, body) && text.end == body.end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_of(data, size);
	struct mysql_packet m;
	for (;;) {
		struct rd before = in;
		enum frame is = mysql_frame(&in, BODY_MAX, &m);
		if (is != FRAME_OK) {
			fuzz_check("nothing is consumed", in.p == before.p);
			break;
		}
		fuzz_check("it goes on, and not too far", in.p >= before.p + MYSQL_HEADER && in.p <= in.end);
		uint8_t *copy = fuzz_exact(m.body.p, rd_left(&m.body));
		check_body(rd_of(copy, rd_left(&m.body)));
		fuzz_free(copy);
	}
	/* And as one payload. */
	uint8_t *copy = fuzz_exact(data, size);
	check_body(rd_of(copy, size));
	fuzz_free(copy);
	return 0;
}
