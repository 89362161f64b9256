/* test_mysql_wire.c - packets, length-encoded values, the handshake, and the short answers. */
#include "unit.h"

#include "mysql/wire.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *what, *in;
	size_t len;
	enum frame want;
	size_t left;
} frames[] = {
	{ "nothing", BYTES(""), FRAME_SHORT, 0 },
	{ "half a header", BYTES("\1\0\0"), FRAME_SHORT, 3 },
	{ "an empty packet, then more", BYTES("\0\0\0\0x"), FRAME_OK, 1 },
	{ "half a body", BYTES("\3\0\0\0ab"), FRAME_SHORT, 6 },
	{ "a body of the most that is allowed", BYTES("\10\0\0\1abcdefgh"), FRAME_OK, 0 },
	{ "a body of one more", BYTES("\11\0\0\1abcdefghi"), FRAME_BAD, 13 },
	{ "the longest", BYTES("\377\377\377\0"), FRAME_BAD, 4 },
};

static void test_frame(void)
{
	for (size_t i = 0; i < COUNT(frames); i++) {
		uint8_t *copy = copy_exact(frames[i].in, frames[i].len);
		struct rd r = rd_of(copy, frames[i].len);
		struct mysql_packet m;
		check_eq(frames[i].what, mysql_frame(&r, 8, &m), frames[i].want);
		check_eq(frames[i].what, rd_left(&r), frames[i].left);
		free(copy);
	}
}

static const struct {
	const char *what, *in;
	size_t len;
	bool ok;
	uint64_t want;
} numbers[] = {
	{ "0", BYTES("\0"), true, 0 },
	{ "250", BYTES("\372"), true, 250 },
	{ "NULL", BYTES("\373"), false, 0 },
	{ "two bytes", BYTES("\374\1\2"), true, 0x201 },
	{ "two bytes, cut", BYTES("\374\1"), false, 0 },
	{ "three bytes", BYTES("\375\1\2\3"), true, 0x30201 },
	{ "eight bytes", BYTES("\376\1\2\3\4\5\6\7\10"), true, 0x807060504030201 },
	{ "eight bytes, cut", BYTES("\376\1\2\3\4\5\6\7"), false, 0 },
	{ "an error", BYTES("\377"), false, 0 },
	{ "nothing", BYTES(""), false, 0 },
};

static void test_lenenc(void)
{
	for (size_t i = 0; i < COUNT(numbers); i++) {
		uint8_t *copy = copy_exact(numbers[i].in, numbers[i].len), bytes[MYSQL_LENENC_MAX];
		struct rd r = rd_of(copy, numbers[i].len);
		uint64_t got = mysql_rd_lenenc(&r);
		check_eq(numbers[i].what, !r.bad, numbers[i].ok);
		if (numbers[i].ok) {
			check_eq(numbers[i].what, got, numbers[i].want);
			struct mysql_out o = mysql_out(bytes, sizeof bytes);
			mysql_put_lenenc(&o, got);
			check_eq("its size", o.len, mysql_lenenc_size(got));
			check("is written so", o.len == numbers[i].len && memcmp(bytes, copy, o.len) == 0);
		}
		free(copy);
	}
	struct rd r = rd_of("\5abc", 4);
	(void)mysql_rd_text(&r);
	check("a text of more than is there", r.bad);
	r = rd_of("\376\377\377\377\377\377\377\377\377abc", 12);
	(void)mysql_rd_text(&r);
	check("of so much that a sum would wrap", r.bad);
}

static struct mysql_greeting some_greeting(uint64_t caps)
{
	struct mysql_greeting g = { .version = "10.11.1-MariaDB",
				    .thread = 77,
				    .caps = caps,
				    .collation = 45,
				    .status = 2,
				    .plugin = "mysql_native_password" };
	memcpy(g.scramble, "abcdefghijklmnopqrst", MYSQL_SCRAMBLE);
	return g;
}

static void test_greeting(void)
{
	uint64_t maria = MYSQL_CAP_PROTOCOL_41 | MYSQL_CAP_PLUGIN_AUTH | MARIADB_CAP_BULK | MARIADB_CAP_PROGRESS;
	uint8_t bytes[MYSQL_GREETING_MAX];
	struct mysql_greeting g = some_greeting(maria), got;
	struct mysql_out o = mysql_out(bytes, sizeof bytes);
	mysql_put_greeting(&o, &g);
	check("fits", !o.bad);
	uint8_t *copy = copy_exact(bytes + MYSQL_HEADER, o.len - MYSQL_HEADER);
	size_t n = o.len - MYSQL_HEADER;
	check("is read", mysql_read_greeting(rd_of(copy, n), &got));
	check_str("version", got.version, g.version);
	check_str("plugin", got.plugin, g.plugin);
	check_eq("thread", got.thread, 77);
	check_eq("MariaDB's capabilities", got.caps, maria);
	check_mem("scramble", got.scramble, g.scramble, MYSQL_SCRAMBLE);
	free(copy);
	for (size_t i = 0; i < n; i++) {
		copy = copy_exact(bytes + MYSQL_HEADER, i);
		bool ok = mysql_read_greeting(rd_of(copy, i), &got);
		check("what is cut is none, but for the plugin's name", !ok || !*got.plugin);
		free(copy);
	}
	g = some_greeting(maria | MYSQL_CAP_LONG_PASSWORD);
	o = mysql_out(bytes, sizeof bytes);
	mysql_put_greeting(&o, &g);
	check("of MySQL", mysql_read_greeting(rd_of(bytes + MYSQL_HEADER, o.len - MYSQL_HEADER), &got));
	check_eq("which has none of those", got.caps >> 32, 0);
	bytes[MYSQL_HEADER] = 9;
	check("of another version", !mysql_read_greeting(rd_of(bytes + MYSQL_HEADER, o.len - MYSQL_HEADER), &got));
}

static void test_response(void)
{
	static const uint64_t kinds[] = { MYSQL_CAP_AUTH_LENENC, MYSQL_CAP_SECURE_CONNECTION };
	uint8_t bytes[512];
	for (size_t k = 0; k < COUNT(kinds); k++) {
		struct mysql_response r = {
			.caps = MYSQL_CAP_PROTOCOL_41 | MYSQL_CAP_CONNECT_WITH_DB | MYSQL_CAP_PLUGIN_AUTH |
				MYSQL_CAP_CONNECT_ATTRS | MARIADB_CAP_BULK | kinds[k],
			.max_packet = 99,
			.collation = 8,
			.user = "anna",
			.auth = rd_of("01234567890123456789", 20),
			.database = "shop",
			.plugin = "mysql_native_password",
			.attrs = rd_of("\1a\2bb", 5),
		}, got;
		struct mysql_out o = mysql_out(bytes, sizeof bytes);
		mysql_put_response(&o, 1, &r);
		size_t n = o.len - MYSQL_HEADER;
		check("fits", !o.bad);
		uint8_t *copy = copy_exact(bytes + MYSQL_HEADER, n);
		check("is read", mysql_read_response(rd_of(copy, n), &got) && !got.is_tls_request);
		check_eq("capabilities", got.caps, r.caps);
		check_str("user", got.user, "anna");
		check_str("database", got.database, "shop");
		check_str("plugin", got.plugin, r.plugin);
		check("proof", rd_left(&got.auth) == 20 && memcmp(got.auth.p, r.auth.p, 20) == 0);
		struct rd name, value;
		check("an attribute", mysql_next_attr(&got.attrs, &name, &value) && rd_left(&value) == 2);
		check("and no more", !mysql_next_attr(&got.attrs, &name, &value) && !got.attrs.bad);
		free(copy);
		for (size_t i = 0; i < n; i++) {
			copy = copy_exact(bytes + MYSQL_HEADER, i);
			if (mysql_read_response(rd_of(copy, i), &got))
				check("cut it names less", !rd_left(&got.attrs));
			free(copy);
		}
	}
	struct mysql_response r = { .caps = MYSQL_CAP_PROTOCOL_41 | MYSQL_CAP_SSL, .is_tls_request = true }, got;
	struct mysql_out o = mysql_out(bytes, sizeof bytes);
	mysql_put_response(&o, 1, &r);
	check("a wish for TLS",
	      mysql_read_response(rd_of(bytes + MYSQL_HEADER, o.len - MYSQL_HEADER), &got) && got.is_tls_request);
	check("of before 4.1", mysql_read_response(rd_of("\5\0\0\0\0anna\0", 10), &got) && got.is_old);
	check("too short for that", !mysql_read_response(rd_of("\5\0\0\0\0", 5), &got));
}

static void test_ok(void)
{
	static const char with[] = "\0\1\2\2\100\0\0\4info\15\0\7\4name\1v\1\2\1s";
	struct mysql_ok ok;
	struct rd data;
	uint8_t type;
	check("with state", mysql_read_ok(rd_of(with, sizeof with - 1), MYSQL_CAP_SESSION_TRACK, false, &ok));
	check_eq("rows", ok.affected, 1);
	check_eq("id", ok.insert_id, 2);
	check_eq("status", ok.status, 0x4002);
	check("info", rd_left(&ok.info) == 4 && memcmp(ok.info.p, "info", 4) == 0);
	check_eq("what comes before the state", ok.told, 12);
	check("a setting", mysql_next_state(&ok.state, &type, &data) && type == MYSQL_STATE_VARIABLE);
	struct rd name = mysql_rd_text(&data), value = mysql_rd_text(&data);
	check("its name and value", rd_left(&name) == 4 && rd_left(&value) == 1 && rd_done(&data));
	check("a schema", mysql_next_state(&ok.state, &type, &data) && type == MYSQL_STATE_SCHEMA);
	check("no more", !mysql_next_state(&ok.state, &type, &data) && !ok.state.bad);
	for (size_t i = 0; i < sizeof with - 1; i++) {
		uint8_t *copy = copy_exact(with, i);
		if (mysql_read_ok(rd_of(copy, i), MYSQL_CAP_SESSION_TRACK, false, &ok))
			check("cut it has no state", !rd_left(&ok.state));
		free(copy);
	}
	check("a front is enough",
	      mysql_read_ok(rd_of(with, 9), MYSQL_CAP_SESSION_TRACK, true, &ok) && ok.status == 0x4002);
	check("without tracking the rest is text",
	      mysql_read_ok(rd_of(with, sizeof with - 1), 0, false, &ok) && !rd_left(&ok.state));

	uint8_t bytes[MYSQL_OK_MAX];
	struct mysql_out o = mysql_out(bytes, sizeof bytes);
	struct mysql_ok mine = { .affected = 300, .status = 2, .warnings = 5, .info = rd_of("hi", 2) };
	mysql_put_ok(&o, 1, MYSQL_OK, &mine);
	check_eq("its size", o.len, mysql_ok_size(&mine));
	check("read again", mysql_read_ok(rd_of(bytes + 4, o.len - 4), MYSQL_CAP_SESSION_TRACK, false, &ok));
	check("it is the same", ok.affected == 300 && ok.status == 2 && ok.warnings == 5 && rd_left(&ok.info) == 2);
}

static void test_err(void)
{
	struct mysql_err e;
	struct fault f;
	uint8_t bytes[MYSQL_ERR_MAX];
	struct mysql_out o = mysql_out(bytes, sizeof bytes);
	fault_set(&f, FAULT_BUSY, "full");
	fault_hint(&f, "wait");
	mysql_put_err(&o, 3, &f);
	check("is read", mysql_read_err(rd_of(bytes + 4, o.len - 4), &e));
	check_eq("number", e.code, 1040);
	check_str("state", e.state, "08004");
	check("text", rd_left(&e.text) == 11 && memcmp(e.text.p, "full (wait)", 11) == 0);
	check_eq("sequence", bytes[3], 3);
	check("of before 4.1", mysql_read_err(rd_of("\377\1\0abc", 6), &e) && rd_left(&e.text) == 3);
	check_str("has no state", e.state, "HY000");
	check("too short", !mysql_read_err(rd_of("\377\1", 2), &e));
	memset(f.text, 'x', sizeof f.text - 1);
	f.text[sizeof f.text - 1] = 0;
	memset(f.hint, 'y', sizeof f.hint - 1);
	f.hint[sizeof f.hint - 1] = 0;
	o = mysql_out(bytes, sizeof bytes);
	mysql_put_err(&o, 1, &f);
	check("any fits", !o.bad);
}

static const struct {
	const char *what, *in;
	size_t len;
	const char *want; /* NULL: malformed */
} queries[] = {
	{ "none", BYTES("\0\1SELECT 1"), "SELECT 1" },
	{ "one number", BYTES("\1\1\0\1\10\0\1n\1\2\3\4\5\6\7\10SELECT 1"), "SELECT 1" },
	{ "one that is NULL", BYTES("\1\1\1\1\10\0\1nSELECT 1"), "SELECT 1" },
	{ "a text and a date", BYTES("\2\1\0\1\375\0\1n\12\0\0\2ab\4\1\2\3\4SELECT 1"), "SELECT 1" },
	{ "without types", BYTES("\1\1\0\0SELECT 1"), NULL },
	{ "a value that is cut", BYTES("\1\1\0\1\375\0\1n\11SELECT"), NULL },
	{ "very many", BYTES("\376\377\377\377\377\377\377\377\377\1\0\1"), NULL },
	{ "nothing", BYTES(""), NULL },
};

static void test_query(void)
{
	for (size_t i = 0; i < COUNT(queries); i++) {
		uint8_t *copy = copy_exact(queries[i].in, queries[i].len);
		struct rd text;
		bool ok = mysql_read_query(rd_of(copy, queries[i].len), MYSQL_CAP_QUERY_ATTRIBUTES, &text);
		check_eq(queries[i].what, ok, queries[i].want != NULL);
		if (ok && queries[i].want)
			check(queries[i].what, rd_left(&text) == strlen(queries[i].want) &&
						       memcmp(text.p, queries[i].want, rd_left(&text)) == 0);
		free(copy);
	}
}

void suite_mysql_wire(void)
{
	static const struct unit_test tests[] = {
		{ "frame", test_frame },
		{ "lenenc", test_lenenc },
		{ "greeting", test_greeting },
		{ "response", test_response },
		{ "ok", test_ok },
		{ "err", test_err },
		{ "query", test_query },
		{ NULL, NULL },
	};
	unit_add("mysql_wire", tests);
}
