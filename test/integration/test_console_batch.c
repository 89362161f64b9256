/* test_console_batch.c - the console by the extended query protocol: message by message, and as libpq speaks it. What
 * is the same in PostgreSQL is asked of PostgreSQL too, so that the expectation itself is true. */
#include "harness.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Scripts: messages by their letter and their fields, one blank between messages, ',' between fields.
 *   P,name,text[,oid...]  B,portal,name[,formats]  D,S|P,name  E,portal,rows  C,S|P,name  Q,text  S  H
 * '~' is a blank in a text. %V stands for a statement of one row, %L for one of many, %N for one without rows. */

struct message {
	char bytes[40000];
	size_t n;
};

static void put(struct message *m, const void *p, size_t n)
{
	memcpy(m->bytes + m->n, p, n);
	m->n += n;
}

static void put_text(struct message *m, const char *s)
{
	for (; *s; s++)
		put(m, *s == '~' ? " " : s, 1);
	put(m, "", 1);
}

static void put_short(struct message *m, unsigned v)
{
	uint16_t n = htons((uint16_t)v);
	put(m, &n, 2);
}

static void put_long(struct message *m, unsigned v)
{
	uint32_t n = htonl(v);
	put(m, &n, 4);
}

static const char *field(char **rest)
{
	const char *f = *rest ? strsep(rest, ",") : NULL;
	return f ? f : "";
}

static void send_message(int fd, char *words)
{
	struct message m = { .n = 0 };
	char *rest = words;
	const char *type = field(&rest), *formats, *more;
	switch (*type) {
	case 'P':
		put_text(&m, field(&rest));
		put_text(&m, field(&rest));
		more = field(&rest);
		put_short(&m, *more ? 1 : 0);
		if (*more)
			put_long(&m, (unsigned)atoi(more));
		break;
	case 'B':
		put_text(&m, field(&rest));
		put_text(&m, field(&rest));
		formats = field(&rest);
		more = field(&rest); /* a parameter */
		put_short(&m, 0);
		put_short(&m, *more ? 1 : 0);
		if (*more) {
			put_long(&m, (unsigned)strlen(more));
			put(&m, more, strlen(more));
		}
		put_short(&m, (unsigned)strlen(formats));
		for (const char *f = formats; *f; f++)
			put_short(&m, (unsigned)(*f - '0'));
		break;
	case 'D':
	case 'C':
		put(&m, field(&rest), 1);
		put_text(&m, field(&rest));
		break;
	case 'E':
		put_text(&m, field(&rest));
		put_long(&m, (unsigned)atoi(field(&rest)));
		break;
	case 'Q':
		put_text(&m, field(&rest));
		break;
	default:
		break;
	}
	require("sent", raw_message(fd, *type, m.bytes, m.n));
}

/* One more message of the answer: its letter and what matters of it. */
static bool hear(int fd, char *out, size_t size)
{
	char head[5], body[65536];
	uint32_t len;
	if (!raw_read(fd, head, 5))
		return false;
	memcpy(&len, head + 1, 4);
	len = ntohl(len) - 4;
	require("fits", len < sizeof body - 1);
	if (!raw_read(fd, body, len))
		return false;
	body[len] = 0;
	unsigned n = len >= 2 ? (unsigned)(uint8_t)body[0] << 8 | (uint8_t)body[1] : 0;
	switch (head[0]) {
	case 'T': /* the format of its first column */
		snprintf(out, size, "T%d", body[2 + strlen(body + 2) + 1 + 17]);
		break;
	case 't':
		snprintf(out, size, "t%u", n);
		break;
	case 'E':
		snprintf(out, size, "E%s", error_field(body, len, 'C'));
		break;
	case 'C':
		snprintf(out, size, "C%.*s", (int)strcspn(body, " "), body);
		break;
	default:
		snprintf(out, size, "%c", head[0]);
	}
	return true;
}

/* The answer up to so many ReadyForQuery, without notices; rows in a row are "D*". */
static char *converse(int fd, const char *script, unsigned readies)
{
	char copy[2000], *rest = copy, *words, *answer = text("%s", ""), one[100], last = 0;
	snprintf(copy, sizeof copy, "%s", script);
	while ((words = strsep(&rest, " ")))
		send_message(fd, words);
	while (readies && hear(fd, one, sizeof one)) {
		if (one[0] == 'N' || one[0] == 'S' || (one[0] == 'D' && last == 'D'))
			continue;
		last = one[0];
		readies -= last == 'Z';
		answer = text("%s%s%s%s", answer, *answer ? " " : "", one, last == 'D' ? "*" : "");
	}
	return readies ? text("%s EOF", answer) : answer;
}

static unsigned readies_of(const char *script)
{
	unsigned n = 0;
	for (const char *p = script; *p; p++)
		n += (*p == 'S' || *p == 'Q') && (p == script || p[-1] == ' ') && (!p[1] || p[1] == ' ' || p[1] == ',');
	return n;
}

static char *with(const char *script, const char *one, const char *many, const char *none)
{
	char *out = text("%s", "");
	for (; *script; script++) {
		const char *put_here = NULL;
		if (*script == '%')
			put_here = *++script == 'V' ? one : *script == 'L' ? many : none;
		out = put_here ? text("%s%s", out, put_here) : text("%s%c", out, *script);
	}
	return out;
}

static const struct {
	const char *script, *want;
	bool is_own; /* PostgreSQL answers otherwise */
} cases[] = {
	{ "P,,%V B,, D,P, E,,0 S", "1 2 T0 D* C Z", false },
	{ "P,,%V D,S, S", "1 t0 T0 Z", false },
	{ "P,,%N D,S, B,, D,P, S", "1 t0 n 2 n Z", false },
	{ "P,,%L B,,,0 D,P, E,,0 S", "1 2 T0 D* C Z", false },
	{ "P,,%L B,,,1 D,P, E,,0 S", "1 2 T1 D* C Z", false },
	{ "P,,%N B,, E,,0 S", "1 2 C Z", false },
	{ "P,, D,S, B,, E,,0 S", "1 t0 n 2 I Z", false },
	{ "P,s,%V S B,p,s D,P,p E,p,0 C,P,p C,S,s S", "1 Z 2 T0 D* C 3 3 Z", false },
	{ "S S", "Z Z", false },
	{ "H S", "Z", false },
	{ "C,S,nothing C,P,nothing S", "3 3 Z", false },
	/* in a row, without a Sync between */
	{ "P,,%V B,, E,,0 P,,%L B,, E,,0 P,,%N B,, E,,0 S", "1 2 D* C 1 2 D* C 1 2 C Z", false },
	/* several batches at once */
	{ "P,,%V B,, E,,0 S P,,%L B,, E,,0 S Q,%V", "1 2 D* C Z 1 2 D* C Z T0 D* C Z", false },
	/* rows in portions, two portals side by side */
	{ "P,,%L B,a, B,b, E,a,1 E,b,2 E,a,1 E,b,0 E,a,0 S", "1 2 2 D* s D* s D* s D* C D* C Z", false },
	{ "P,,%V B,, E,,1 E,,1 S", "1 2 D* s C Z", false },
	{ "P,,%V B,, E,,2 S", "1 2 D* C Z", false },
	{ "P,,%V B,, E,,0 E,,0 S", "1 2 D* C C Z", false },
	{ "P,,%N B,, E,,0 E,,0 S", "1 2 C E55000 Z", false },
	/* what is left open is closed by the Sync */
	{ "P,,%V B,p, S E,p,0 S", "1 2 Z E34000 Z", false },
	/* only on the console: rows go on behind a Sync, for it knows no transactions */
	{ "P,,%L B,p, E,p,1 S E,p,0 C,P,p S", "1 2 D* s Z D* C 3 Z", true },
	{ "P,,%L B,, E,,1 S E,,0 S", "1 2 D* s Z E34000 Z", false },
	/* errors: all of it is skipped up to the Sync, and nothing but it */
	{ "P,,nonsense B,, D,P, E,,0 C,S, H S", "E42601 Z", false },
	{ "B,,nothing E,,0 S Q,%V", "E26000 Z T0 D* C Z", false },
	{ "D,S,nothing S", "E26000 Z", false },
	{ "D,P,nothing S", "E34000 Z", false },
	{ "E,nothing,0 S", "E34000 Z", false },
	{ "P,s,%V P,s,%V S C,S,s S", "1 E42P05 Z 3 Z", false },
	{ "P,,%V B,p, B,p, S", "1 2 E42P03 Z", false },
	{ "P,,%V B,,,00 S", "1 E08P01 Z", false },
	{ "P,,%V B,,,7 S", "1 E22023 Z", true },
	{ "P,,%V;%V S", "E42601 Z", false },
	{ "P,,%V S P,,nonsense S B,, S", "1 Z E42601 Z E26000 Z", false },
	{ "P,,%V S Q,%V B,, S", "1 Z T0 D* C Z E26000 Z", false },
	/* a portal outlives its statement's name */
	{ "P,s,%V B,,s C,S,s E,,0 S", "1 2 3 D* C Z", false },
	/* parameters */
	{ "P,,%V B,,,,x S", "1 E0A000 Z", true },
	{ "P,,PAUSE~$1,25 B,,,,test E,,0 S", "E0A000 Z", true },
	{ "P,,PAUSE~$1 B,,,,test E,,0 S", "1 E0A000 Z", true },
	/* it is not run before it is asked to be */
	{ "P,,PAUSE D,S, B,, D,P, S Q,RESUME", "1 t0 n 2 n Z E08P01 Z", true },
	{ "P,,PAUSE B,, E,,0 P,,RESUME B,, E,,0 S", "1 2 C 1 2 C Z", true },
	{ "P,,SHOW~HELP D,S, B,, E,,0 S", "1 t0 n 2 C Z", true },
};

/* What both have in common; tags and the SQLSTATE of what is not understood are their own. */
static char *common(const char *answer)
{
	char *out = text("%s", ""), copy[2000], *rest = copy, *word;
	snprintf(copy, sizeof copy, "%s", answer);
	while ((word = strsep(&rest, " "))) {
		if (word[0] == 'C')
			word[1] = 0;
		out = text("%s%s%s", out, *out ? " " : "", strcmp(word, "E42601") == 0 ? "E08P01" : word);
	}
	return out;
}

static int console_fd(void)
{
	char body[1000];
	size_t len;
	int fd = raw_open();
	require("in", raw_startup(fd, "admin", "pgbouncer") && raw_expect(fd, 'Z', body, sizeof body, &len));
	return fd;
}

static void test_messages(void)
{
	sluice_with("auth_type = trust");
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *script = with(cases[i].script, "SHOW~VERSION", "SHOW~LISTS", "SET~log_stats=0");
		int fd = console_fd();
		check_str(script, common(converse(fd, script, readies_of(script))), common(cases[i].want));
		check_str(text("%s, and then", script), converse(fd, "Q,SHOW~VERSION", 1), "T0 D* CSHOW Z");
		raw_close(fd);
	}
}

/* The same scripts straight to PostgreSQL, or what is expected above would be our own opinion. */
static void test_as_postgres_does(void)
{
	char body[1000];
	size_t len;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (cases[i].is_own)
			continue;
		char *script = with(cases[i].script, "values(1)", "select~*~from~pg_am", "set~work_mem=4096");
		/* Its SHOW is a utility statement, whose portals are run in whole; a query is what ours is like. */
		int fd = raw_to(pg_port());
		require("in", raw_startup(fd, "alice", "test") && raw_expect(fd, 'Z', body, sizeof body, &len));
		check_str(script, common(converse(fd, script, readies_of(script))), common(cases[i].want));
		raw_close(fd);
	}
}

/* Byte by byte, and all in one: the same answer. */
static void test_in_pieces(void)
{
	sluice_with("auth_type = trust");
	struct message m = { .n = 0 };
	static const char batch[] = "P\0\0\0\x13s\0SHOW STATE\0\0\0"
				    "B\0\0\0\x0d\0s\0\0\0\0\0\0\0"
				    "D\0\0\0\6P\0"
				    "E\0\0\0\x09\0\0\0\0\0"
				    "S\0\0\0\4";
	int fd = console_fd();
	for (size_t i = 0; i < sizeof batch - 1; i++)
		require("a byte", raw_send(fd, batch + i, 1));
	check_str("byte by byte", converse(fd, "H", 1), "1 2 T0 D* CSHOW Z");
	raw_close(fd);
	fd = console_fd();
	put(&m, batch, sizeof batch - 1);
	for (int i = 0; i < 300; i++)
		put(&m, batch + 20, sizeof batch - 1 - 20);
	require("all in one", raw_send(fd, m.bytes, m.n));
	char *answer = converse(fd, "H", 301);
	check("each is answered", strlen(answer) == strlen("1 2 T0 D* CSHOW Z") + 300 * strlen(" 2 T0 D* CSHOW Z"));
	raw_close(fd);
}

/* No client holds more than a bounded amount. */
static void test_bounds(void)
{
	sluice_with("auth_type = trust");
	int fd = console_fd();
	char *want = text("%s", "1");
	char *script = text("%s", "P,,SHOW~LISTS");
	for (int i = 0; i < 64; i++) {
		script = text("%s B,p%d,", script, i);
		want = text("%s 2", want);
	}
	check_str("64 portals", converse(fd, text("%s B,q, S", script), 1), text("%s E53400 Z", want));
	char *filler = text("%30000s", "x");
	for (char *p = filler; *p; p++)
		*p = ' ';
	for (int i = 0; i < 10; i++) {
		char *body = text("s%d_SHOW VERSION%s_", i, filler), *end = strrchr(body, '_');
		struct message m = { .n = 0 };
		*end = 0;
		*strchr(body, '_') = 0;
		put(&m, body, strlen(body) + 1);
		put(&m, body + strlen(body) + 1, strlen(body + strlen(body) + 1) + 1);
		put_short(&m, 0);
		raw_message(fd, 'P', m.bytes, m.n);
		check_str(text("statement %d", i), converse(fd, "S", 1), i < 8 ? "1 Z" : "E53400 Z");
	}
	check_str("room again", converse(fd, "C,S,s0 P,t,SHOW~VERSION S", 1), "3 1 Z");
	raw_message(fd, 'P', filler, 30000); /* no NUL in it */
	check_str("a Parse that is none", converse(fd, "H", 1), "E08P01 EOF");
	raw_close(fd);
	fd = console_fd();
	raw_send(fd, "P\0\1\0\0", 5); /* 64 KB are promised */
	check_str("a Parse that is too long", converse(fd, "H", 1), "E08P01 EOF");
	raw_close(fd);
	fd = console_fd();
	raw_message(fd, 'F', "\0\0\0\1\0\0\0\0\0\0", 10);
	check_str("a function", converse(fd, "H", 1), "E0A000 Z");
	check_str("a query is skipped too", converse(fd, "P,,nonsense Q,SHOW~VERSION S", 1), "E08P01 Z");
	check_str("goes on", converse(fd, "Q,SHOW~VERSION", 1), "T0 D* CSHOW Z");
	raw_close(fd);
}

/* --- libpq */

static void test_libpq(void)
{
	sluice_with(NULL);
	PGconn *con = console();
	check_str("unnamed", scalar_params(con, "SHOW DATABASES", NULL, NULL), "pgbouncer");
	PGresult *r = PQprepare(con, "st", "SHOW DATABASES", 0, NULL);
	check_eq("prepared", PQresultStatus(r), PGRES_COMMAND_OK);
	PQclear(r);
	r = PQdescribePrepared(con, "st");
	check_eq("described", PQresultStatus(r), PGRES_COMMAND_OK);
	check_eq("parameters", PQnparams(r), 0);
	check_str("its columns", PQfname(r, 2), "port");
	check_eq("their types", PQftype(r, 2), 23);
	PQclear(r);
	for (int binary = 0; binary < 2; binary++) {
		r = PQexecPrepared(con, "st", 0, NULL, NULL, NULL, binary);
		check_eq("run", PQresultStatus(r), PGRES_TUPLES_OK);
		check_str("its tag", PQcmdStatus(r), "SHOW");
		check_eq("format", PQfformat(r, 2), binary);
		for (int i = 0; i < PQntuples(r); i++) {
			if (strcmp(PQgetvalue(r, i, 0), "test") != 0)
				continue;
			uint32_t port = (uint32_t)atoi(PQgetvalue(r, i, 2));
			if (binary) {
				check_eq("four bytes", PQgetlength(r, i, 2), 4);
				memcpy(&port, PQgetvalue(r, i, 2), 4);
				port = ntohl(port);
			}
			check_eq("the port", port, pg_port());
			check("a NULL", PQgetisnull(r, i, 4));
		}
		PQclear(r);
	}
	check_str("parameters are refused",
		  PQresultErrorField(PQexecParams(con, "PAUSE $1", 1, NULL, (const char *const[]){ "test" }, NULL, NULL,
						  0),
				     PG_DIAG_SQLSTATE),
		  "0A000");
	check_eq("and it is not paused", show_int(con, "DATABASES", "name", "test", "paused"), 0);

	require("a pipeline", PQenterPipelineMode(con));
	for (int i = 0; i < 50; i++)
		PQsendQueryParams(con, i == 20 ? "nonsense" : "SHOW STATE", 0, NULL, NULL, NULL, NULL, 0);
	PQpipelineSync(con);
	int good = 0, bad = 0, aborted = 0;
	for (bool more = true; more;) {
		r = PQgetResult(con);
		if (!r)
			continue;
		good += PQresultStatus(r) == PGRES_TUPLES_OK;
		bad += PQresultStatus(r) == PGRES_FATAL_ERROR;
		aborted += PQresultStatus(r) == PGRES_PIPELINE_ABORTED;
		more = PQresultStatus(r) != PGRES_PIPELINE_SYNC;
		PQclear(r);
	}
	check_eq("before the error", good, 20);
	check_eq("the error", bad, 1);
	check_eq("behind it", aborted, 29);
	require("out of it", PQexitPipelineMode(con));
	check_str("goes on", scalar_params(con, "SHOW STATE", NULL, NULL), "active");
}

/* PAUSE by the extended protocol waits, can be cancelled, and what follows it waits too. */
static void test_waits(void)
{
	sluice_with("pool_mode = transaction");
	PGconn *con = console(), *watch = console(), *a = client(NULL);
	sql(a, "begin");
	require("sent", PQsendQueryParams(con, "PAUSE", 0, NULL, NULL, NULL, NULL, 0));
	PQflush(con);
	wait_until("the pause begins", strcmp(show(watch, "STATE", "key", "active", "value"), "no") == 0);
	check("it waits", !is_answered(con));
	char errbuf[256];
	PGcancel *cancel = PQgetCancel(con);
	require("cancelled", PQcancel(cancel, errbuf, sizeof errbuf));
	PQfreeCancel(cancel);
	check_result_fails(con, PQgetResult(con), "57014", "user request");
	while (PQgetResult(con))
		;
	check_str("undone", show(watch, "STATE", "key", "active", "value"), "yes");
	require("sent", PQsendQueryParams(con, "PAUSE", 0, NULL, NULL, NULL, NULL, 0));
	PQflush(con);
	wait_until("the pause begins", strcmp(show(watch, "STATE", "key", "active", "value"), "no") == 0);
	sql(a, "commit");
	PGresult *r = PQgetResult(con);
	check_eq("done", PQresultStatus(r), PGRES_COMMAND_OK);
	PQclear(r);
	while (PQgetResult(con))
		;
	sql(watch, "RESUME");
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "messages", test_messages },
		{ "as_postgres_does", test_as_postgres_does },
		{ "in_pieces", test_in_pieces },
		{ "bounds", test_bounds },
		{ "libpq", test_libpq },
		{ "waits", test_waits },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "console_batch", tests);
}
