/* test_pg_wire.c - framing, the first packet, options, errors, and building messages. */
#include "unit.h"

#include "pg/key.h"
#include "pg/startup.h"
#include "pg/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *what, *in;
	size_t len;
	enum frame want;
	size_t left;
} frames[] = {
	{ "nothing", BYTES(""), FRAME_SHORT, 0 },
	{ "half a header", BYTES("Q\0\0"), FRAME_SHORT, 3 },
	{ "Sync, then more", BYTES("S\0\0\0\4Q"), FRAME_OK, 1 },
	{ "half a body", BYTES("Q\0\0\0\10ab"), FRAME_SHORT, 7 },
	{ "a body of the most that is allowed", BYTES("Q\0\0\0\14abcdefgh"), FRAME_OK, 0 },
	{ "a body of one more", BYTES("Q\0\0\0\15abcdefghi"), FRAME_BAD, 14 },
	{ "length under 4", BYTES("Q\0\0\0\3"), FRAME_BAD, 5 },
	{ "length 0", BYTES("Q\0\0\0\0"), FRAME_BAD, 5 },
	{ "length 2^31 - 1", BYTES("Q\177\377\377\377"), FRAME_BAD, 5 },
	{ "length 2^31", BYTES("Q\200\0\0\0"), FRAME_BAD, 5 },
	{ "length 2^32 - 1", BYTES("Q\377\377\377\377"), FRAME_BAD, 5 },
};

static void test_frame(void)
{
	for (size_t i = 0; i < COUNT(frames); i++) {
		uint8_t *copy = copy_exact(frames[i].in, frames[i].len);
		struct rd r = rd_of(copy, frames[i].len);
		struct pg_msg m;
		check_eq(frames[i].what, pg_frame(&r, 8, &m), frames[i].want);
		check_eq(frames[i].what, rd_left(&r), frames[i].left);
		free(copy);
	}
}

/* pg_head() with a limit as large as can be: no sum of it may wrap. */
static void test_head_largest(void)
{
	struct rd r = rd_of("d\377\377\377\377", 5);
	uint8_t type = 0;
	uint32_t total = 7;
	check_eq("2^32 - 1 has no room for its type byte", pg_head(&r, UINT32_MAX, &type, &total), FRAME_BAD);
	r = rd_of("d\377\377\377\376", 5);
	check_eq("the largest", pg_head(&r, UINT32_MAX, &type, &total), FRAME_OK);
	check_eq("its bytes", total, UINT32_MAX);
}

static const struct {
	const char *what, *in;
	size_t len;
	enum frame want;
	uint32_t code;
	size_t body;
} firsts[] = {
	{ "SSLRequest", BYTES("\0\0\0\10\4\322\26\57"), FRAME_OK, PG_SSL_CODE, 0 },
	{ "CancelRequest", BYTES("\0\0\0\20\4\322\26\56abcdefgh"), FRAME_OK, PG_CANCEL_CODE, 8 },
	{ "version 3.0", BYTES("\0\0\0\11\0\3\0\0\0"), FRAME_OK, PG_VERSION_3_0, 1 },
	{ "half a length", BYTES("\0\0\0"), FRAME_SHORT, 0, 0 },
	{ "no code yet", BYTES("\0\0\0\10\4"), FRAME_SHORT, 0, 0 },
	{ "length 0", BYTES("\0\0\0\0"), FRAME_BAD, 0, 0 },
	{ "length 7", BYTES("\0\0\0\7"), FRAME_BAD, 0, 0 },
	{ "one byte over the most", BYTES("\0\0\47\21"), FRAME_BAD, 0, 0 },
	{ "HTTP", BYTES("GET / HTTP/1.1\r\n"), FRAME_BAD, 0, 0 },
	{ "TLS without asking", BYTES("\26\3\1\2\0\1\0\1\374\3\3"), FRAME_BAD, 0, 0 },
	{ "2^31", BYTES("\200\0\0\0"), FRAME_BAD, 0, 0 },
	{ "2^32 - 1", BYTES("\377\377\377\377"), FRAME_BAD, 0, 0 },
};

static void test_first_frame(void)
{
	for (size_t i = 0; i < COUNT(firsts); i++) {
		uint8_t *copy = copy_exact(firsts[i].in, firsts[i].len);
		struct rd r = rd_of(copy, firsts[i].len), body = rd_of("", 0);
		uint32_t code = 0;
		check_eq(firsts[i].what, pg_first_frame(&r, &code, &body), firsts[i].want);
		check_eq(firsts[i].what, code, firsts[i].code);
		check_eq(firsts[i].what, rd_left(&body), firsts[i].body);
		check_eq(firsts[i].what, rd_left(&r), firsts[i].want == FRAME_OK ? 0 : firsts[i].len);
		free(copy);
	}
}

static const struct {
	const char *what, *in;
	size_t len;
	const char *names; /* name=value; for each that is found */
	bool ok;
} startups[] = {
	{ "two", BYTES("user\0anna\0database\0shop\0\0"), "user=anna;database=shop;", true },
	{ "an empty value", BYTES("user\0anna\0application_name\0\0\0"), "user=anna;application_name=;", true },
	{ "none", BYTES("\0"), "", true },
	{ "no terminator", BYTES("user\0anna\0"), "user=anna;", false },
	{ "a name without value", BYTES("user\0"), "", false },
	{ "a name without NUL", BYTES("user"), "", false },
	{ "nothing at all", BYTES(""), "", false },
	{ "bytes behind the terminator", BYTES("user\0anna\0\0more"), "user=anna;", false },
};

static void test_startup(void)
{
	for (size_t i = 0; i < COUNT(startups); i++) {
		uint8_t *copy = copy_exact(startups[i].in, startups[i].len);
		struct rd r = rd_of(copy, startups[i].len);
		char found[200] = "";
		const char *name, *value;
		bool ok = false;
		while (pg_startup_next(&r, &name, &value, &ok))
			(void)snprintf(found + strlen(found), sizeof found - strlen(found), "%s=%s;", name, value);
		check_str(startups[i].what, found, startups[i].names);
		check_eq(startups[i].what, ok, startups[i].ok);
		free(copy);
	}
}

static const struct {
	const char *what, *in, *found;
	enum pg_option_found end;
} options[] = {
	{ "nothing", "", "", PG_OPTION_END },
	{ "blanks", "  \t ", "", PG_OPTION_END },
	{ "-c in two words", "-c a=b", "a=b;", PG_OPTION_END },
	{ "-c in one", "-ca=b", "a=b;", PG_OPTION_END },
	{ "--", "--search-path=x", "search_path=x;", PG_OPTION_END },
	{ "several", " -c a=b   --c=d -ce=f ", "a=b;c=d;e=f;", PG_OPTION_END },
	{ "an escaped blank", "-c a=b\\ c -c d=e", "a=b c;d=e;", PG_OPTION_END },
	{ "an escaped backslash", "-c a=b\\\\c", "a=b\\c;", PG_OPTION_END },
	{ "an equals sign in the value", "-c a=b=c", "a=b=c;", PG_OPTION_END },
	{ "an empty value", "-c a=", "a=;", PG_OPTION_END },
	{ "no value", "-c a", "", PG_OPTION_BAD },
	{ "no name", "-c =b", "", PG_OPTION_BAD },
	{ "-c alone", "-c", "", PG_OPTION_BAD },
	{ "another switch", "-c a=b -d 5", "a=b;", PG_OPTION_BAD },
	{ "no switch", "hello", "", PG_OPTION_BAD },
	{ "a name that is too long", "-c aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=b", "",
	  PG_OPTION_BAD },
};

static void test_options(void)
{
	for (size_t i = 0; i < COUNT(options); i++) {
		char *copy = (char *)copy_exact(options[i].in, strlen(options[i].in) + 1);
		const char *at = copy;
		char found[2400] = "";
		struct pg_option o;
		enum pg_option_found is;
		while ((is = pg_next_option(&at, &o)) == PG_OPTION_OK)
			(void)snprintf(found + strlen(found), sizeof found - strlen(found), "%s=%s;", o.name, o.value);
		check_str(options[i].what, found, options[i].found);
		check_eq(options[i].what, is, options[i].end);
		free(copy);
	}
	char big[PG_OPTION_MAX + 200];
	const char *at = big;
	struct pg_option o;
	memset(big, 'x', sizeof big);
	memcpy(big, "-c a=", 5);
	big[sizeof big - 1] = 0;
	check_eq("a value that is too long", pg_next_option(&at, &o), PG_OPTION_BAD);
}

static void test_error(void)
{
	static const char good[] = "SFEHLER\0VFATAL\0C28P01\0Mno\0Dbecause\0Hask\0Xmore\0";
	struct pg_error e;
	struct rd whole = rd_of(good, sizeof good);
	check("a whole one", pg_parse_error(whole, &e));
	check_str("severity is the one that is not translated", e.severity, "FATAL");
	check_str("sqlstate", e.sqlstate, "28P01");
	check_str("message", e.message, "no");
	check_str("detail", e.detail, "because");
	check_str("hint", e.hint, "ask");
	for (size_t n = 0; n < sizeof good; n++) {
		uint8_t *copy = copy_exact(good, n);
		check("every prefix is malformed", !pg_parse_error(rd_of(copy, n), &e));
		free(copy);
	}
	check("bytes behind the terminator", !pg_parse_error(rd_of("Mno\0\0x", 6), &e));
	check("only the old severity", pg_parse_error(rd_of("SERROR\0\0", 8), &e));
	check_str("it counts then", e.severity, "ERROR");
}

static void test_notification(void)
{
	static const char good[] = "\0\1\2\3channel\0payload"; /* with the NUL behind it */
	struct pg_notification m;
	check("a whole one", pg_read_notification(rd_of(good, sizeof good), &m));
	check_eq("pid", m.pid, 0x010203);
	check_str("channel", m.channel, "channel");
	check_str("payload", m.payload, "payload");
	for (size_t n = 0; n < sizeof good; n++) {
		uint8_t *copy = copy_exact(good, n);
		check("every prefix is malformed", !pg_read_notification(rd_of(copy, n), &m));
		free(copy);
	}
	check("bytes behind it", !pg_read_notification(rd_of("\0\0\0\0a\0b\0c", 9), &m));
	check("empty ones", pg_read_notification(rd_of("\0\0\0\0\0\0", 6), &m));
}

static void test_building(void)
{
	uint8_t bytes[PG_ERROR_MAX];
	struct fault f;
	struct pg_out o = pg_out(bytes, sizeof bytes);
	struct pg_msg m;
	struct pg_error e;

	fault_set(&f, FAULT_NO_DB, "no such database: %s", "x");
	fault_hint(&f, "look");
	pg_put_error(&o, "FATAL", &f);
	pg_put_ready(&o, 'I');
	pg_put_parameter(&o, "a", "b");
	check("all fits", !o.bad);
	struct rd r = rd_of(bytes, o.len);
	check_eq("an error", pg_frame(&r, 1000, &m), FRAME_OK);
	check("it parses", m.type == PG_ERROR && pg_parse_error(m.body, &e));
	check_str("sqlstate", e.sqlstate, "3D000");
	check_str("text", e.message, "no such database: x");
	check_str("hint", e.hint, "look");
	check_eq("ready", pg_frame(&r, 1000, &m), FRAME_OK);
	check("status", m.type == PG_READY && rd_u8(&m.body) == 'I' && rd_done(&m.body));
	check_eq("parameter", pg_frame(&r, 1000, &m), FRAME_OK);
	check_str("name", rd_cstr(&m.body, NULL), "a");
	check_str("value", rd_cstr(&m.body, NULL), "b");
	check("nothing else", rd_done(&m.body) && rd_done(&r));

	/* The largest error fits, and one byte less than needed is seen. */
	memset(f.text, 'x', sizeof f.text - 1);
	memset(f.hint, 'y', sizeof f.hint - 1);
	f.text[sizeof f.text - 1] = f.hint[sizeof f.hint - 1] = 0;
	o = pg_out(bytes, sizeof bytes);
	pg_put_error(&o, "FATAL", &f);
	check("the largest error fits", !o.bad);
	size_t need = o.len;
	o = pg_out(bytes, need - 1);
	pg_put_error(&o, "FATAL", &f);
	check("too little room is bad", o.bad);
	check("and nothing was written past it", o.len <= need - 1);
}

static const struct {
	const char *what, *in;
	size_t len;
	bool ok;
	uint32_t pid;
	size_t key;
} keys[] = {
	{ "of 3.0", BYTES("\0\0\1\2abcd"), true, 258, 4 },
	{ "of 3.2", BYTES("\377\377\377\377abcdefghijklmnopqrstuvwxyz012345"), true, UINT32_MAX, 32 },
	{ "too short", BYTES("\0\0\1\2abc"), false, 0, 0 },
	{ "none", BYTES("\0\0\1\2"), false, 0, 0 },
	{ "half a process id", BYTES("\0\0\1"), false, 0, 0 },
	{ "nothing", BYTES(""), false, 0, 0 },
};

static void test_keys(void)
{
	uint8_t most[4 + PG_KEY_MAX + 1] = { 0 };
	uint32_t pid;
	struct rd key;
	for (size_t i = 0; i < COUNT(keys); i++) {
		uint8_t *copy = copy_exact(keys[i].in, keys[i].len);
		bool ok = pg_parse_key(rd_of(copy, keys[i].len), &pid, &key);
		check_eq(keys[i].what, ok, keys[i].ok);
		check(keys[i].what, !ok || (pid == keys[i].pid && rd_left(&key) == keys[i].key && key.p == copy + 4));
		free(copy);
	}
	check("the longest", pg_parse_key(rd_of(most, sizeof most - 1), &pid, &key));
	check("one more", !pg_parse_key(rd_of(most, sizeof most), &pid, &key));
}

static const struct {
	const char *what, *in;
	size_t len;
	bool ok;
	uint32_t version, unknown;
} negotiations[] = {
	{ "3.0", BYTES("\0\3\0\0\0\0\0\0"), true, PG_VERSION_3_0, 0 },
	{ "3.2", BYTES("\0\3\0\2\0\0\0\0"), true, PG_VERSION_3_2, 0 },
	{ "the minor number alone", BYTES("\0\0\0\0\0\0\0\0"), true, PG_VERSION_3_0, 0 },
	{ "options", BYTES("\0\3\0\2\0\0\0\2_pq_.a\0_pq_.b\0"), true, PG_VERSION_3_2, 2 },
	{ "more than was asked for", BYTES("\0\3\0\3\0\0\0\0"), false, 0, 0 },
	{ "another protocol", BYTES("\0\4\0\0\0\0\0\0"), false, 0, 0 },
	{ "an option that is missing", BYTES("\0\3\0\2\0\0\0\2_pq_.a\0"), false, 0, 0 },
	{ "an option without its end", BYTES("\0\3\0\2\0\0\0\1_pq_.a"), false, 0, 0 },
	{ "an option that is not counted", BYTES("\0\3\0\2\0\0\0\0_pq_.a\0"), false, 0, 0 },
	{ "four billion options", BYTES("\0\3\0\2\377\377\377\377_pq_.a\0"), false, 0, 0 },
	{ "half of it", BYTES("\0\3\0\2\0\0"), false, 0, 0 },
};

static void test_negotiation(void)
{
	for (size_t i = 0; i < COUNT(negotiations); i++) {
		uint8_t *copy = copy_exact(negotiations[i].in, negotiations[i].len);
		uint32_t version = 1, unknown = 1;
		bool ok = pg_parse_negotiate(rd_of(copy, negotiations[i].len), PG_VERSION_3_2, &version, &unknown);
		check_eq(negotiations[i].what, ok, negotiations[i].ok);
		check_eq(negotiations[i].what, version, ok ? negotiations[i].version : 1);
		check_eq(negotiations[i].what, unknown, ok ? negotiations[i].unknown : 1);
		free(copy);
	}
}

/* What Sluice itself gives: the same each time, and not to be had from the part that is told anyhow. */
static void test_own_keys(void)
{
	uint8_t a[PG_KEY_TAIL], b[PG_KEY_TAIL + 1] = { 0 };
	const uint64_t key = UINT64_C(0x0102030405060708);
	check("short", pg_key_fits(key, false, rd_of("", 0)));
	check("short, and more is said", !pg_key_fits(key, false, rd_of("x", 1)));
	check("long", pg_key_tail(key, a) && pg_key_tail(key, b));
	check_mem("it is the same again", a, b, PG_KEY_TAIL);
	check("it fits", pg_key_fits(key, true, rd_of(a, PG_KEY_TAIL)));
	check("not another's", !pg_key_fits(key + 1, true, rd_of(a, PG_KEY_TAIL)));
	check("not of a short one", !pg_key_fits(key, false, rd_of(a, PG_KEY_TAIL)));
	check("not nothing", !pg_key_fits(key, true, rd_of("", 0)));
	check("not a part", !pg_key_fits(key, true, rd_of(a, PG_KEY_TAIL - 1)));
	check("not more", !pg_key_fits(key, true, rd_of(b, PG_KEY_TAIL + 1)));
	for (size_t i = 0; i < PG_KEY_TAIL; i++) {
		a[i] ^= 0x80;
		check("each byte counts", !pg_key_fits(key, true, rd_of(a, PG_KEY_TAIL)));
		a[i] ^= 0x80;
	}
	check("another key has another", pg_key_tail(key ^ 1, b) && memcmp(a, b, PG_KEY_TAIL) != 0);
}

void suite_pg_wire(void)
{
	static const struct unit_test tests[] = {
		{ "frames", test_frame },
		{ "the largest length", test_head_largest },
		{ "first packets", test_first_frame },
		{ "start-up parameters", test_startup },
		{ "options", test_options },
		{ "errors", test_error },
		{ "notifications", test_notification },
		{ "building", test_building },
		{ "cancel keys", test_keys },
		{ "negotiation", test_negotiation },
		{ "keys of our own", test_own_keys },
		{ NULL, NULL },
	};
	unit_add("pg/wire", tests);
}
