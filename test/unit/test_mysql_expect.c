/* test_mysql_expect.c - what a MySQL server owes for each command: scripts of packets, and where each answer ends. */
#include "unit.h"

#include "mysql/expect.h"

#include <stdlib.h>
#include <string.h>

#define OLD  UINT64_C(0)
#define NEW  (MYSQL_CAP_DEPRECATE_EOF | MYSQL_CAP_SESSION_TRACK)
#define META MYSQL_CAP_OPTIONAL_METADATA

/* A letter is a packet. */
static const struct {
	char letter;
	const char *body;
	size_t len;
} packets[] = {
	{ 'k', BYTES("\0\0\0\2\0\0\0") },             /* OK */
	{ 'K', BYTES("\0\0\0\12\0\0\0") },            /* OK, more follow */
	{ 'e', BYTES("\376\0\0\2\0") },               /* EOF */
	{ 'E', BYTES("\376\0\0\12\0") },              /* EOF, more follow */
	{ 'c', BYTES("\376\0\0\102\0") },             /* EOF, there is a cursor */
	{ 'w', BYTES("\376\0\0\2\20") },              /* EOF, of OUT parameters */
	{ 'W', BYTES("\376\0\0\2\20\0\0") },          /* OK behind them */
	{ 'o', BYTES("\376\0\0\2\0\0\0") },           /* OK behind rows */
	{ 'O', BYTES("\376\0\0\12\0\0\0") },          /* likewise, more follow */
	{ 'x', BYTES("\377\20\4#42000no") },          /* ERR */
	{ 'p', BYTES("\377\377\377\1\1\1\0\0\0\0") }, /* how far it is */
	{ '1', BYTES("\1") },                         /* one column */
	{ '2', BYTES("\2") },
	{ 'd', BYTES("\3def...") },                   /* a definition */
	{ 'r', BYTES("\1a") },                        /* a row */
	{ 'b', BYTES("\0\0a") },                      /* a binary row */
	{ 'z', BYTES("\0") },                         /* a row: an empty text */
	{ 'n', BYTES("\373") },                       /* a row: NULL. Or a file is wanted */
	{ 'P', BYTES("\0\1\0\0\0\2\0\1\0\0\0\0") },   /* prepared: two columns, one parameter */
	{ 'Q', BYTES("\0\1\0\0\0\0\0\0\0\0\0\0") },   /* prepared: none of either */
	{ 'R', BYTES("\0\1\0\0\0\0\0\2\0\0\0\0") },   /* prepared: two parameters */
	{ 'S', BYTES("\0\1\0\0\0\1\0\0\0\0\0\0") },   /* prepared: one column */
	{ 'M', BYTES("\1\1") },                       /* one column, whose definition follows */
	{ 'm', BYTES("\1\0") },                       /* and does not */
	{ 'U', BYTES("\0\1\0\0\0\2\0\1\0\0\0\0\1") }, /* as P, likewise */
	{ 'T', BYTES("\0\1\0\0\0\2\0\1\0\0\0\0\0") },
	{ 't', BYTES("Uptime: 1") },
	{ '0', BYTES("") },
};

/* Commands in front; behind '|' packets; '.' where an answer has ended, '!' where a packet cannot be, '<' the client
 * has sent its file. */
static const struct {
	uint64_t caps;
	const char *coms;
	const char *script;
} scripts[] = {
	{ OLD, "q", "k." },
	{ OLD, "q", "x." },
	{ OLD, "q", "1derzne." },
	{ OLD, "q", "2ddee." },
	{ OLD, "q", "1dex." },
	{ OLD, "q", "1dx." },
	{ OLD, "q", "1derEr!" },
	{ OLD, "q", "1derEk." },
	{ OLD, "q", "1derE1dere." },
	{ OLD, "q", "KKx." },
	{ OLD, "q", "K1derEk." },
	{ OLD, "q", "1dr!" },
	{ OLD, "q", "1dec." }, /* behind rows it says nothing */
	{ NEW, "q", "1drrzno." },
	{ NEW, "q", "1drO1do." },
	{ NEW, "q", "1drOk." },
	{ NEW, "q", "1de." }, /* an EOF all the same */
	{ NEW, "q", "2ddo." },
	{ NEW, "q", "x." },
	{ OLD, "q", "n<k." },
	{ OLD, "q", "n<x." },
	{ OLD, "q", "nk!" },
	{ OLD, "q", "n<K1dere." },
	{ OLD, "q", "0!" },
	{ OLD, "q", "e!" },
	{ OLD, "q", "p!" },
	{ OLD | MARIADB_CAP_PROGRESS, "q", "pppk." },
	{ OLD | MARIADB_CAP_PROGRESS, "q", "ppx." },
	{ NEW | MARIADB_CAP_PROGRESS, "q", "1dpro." },
	{ OLD, "i", "k." },
	{ OLD, "i", "e." },
	{ NEW, "i", "o." },
	{ OLD, "i", "x." },
	{ OLD, "i", "r!" },
	{ OLD, "qq", "k.k." },
	{ OLD, "qiq", "1dere.x.k." },
	{ OLD, "", "k!" },
	{ OLD, "p", "Pdedde." },
	{ NEW, "p", "Pddd." },
	{ OLD, "p", "Q." },
	{ NEW, "p", "Q." },
	{ OLD, "p", "Rdde." },
	{ NEW, "p", "Rdd." },
	{ OLD, "p", "Sde." },
	{ NEW, "p", "Sd." },
	{ OLD, "p", "x." },
	{ OLD, "p", "Pdx." },
	{ OLD, "p", "Pdd!" },
	{ OLD, "p", "r!" },
	{ OLD, "x", "2ddebe." },
	{ OLD, "c", "2ddc." },
	{ OLD, "c", "2ddebe." }, /* there is none after all */
	{ OLD, "x", "2ddcbe." }, /* it is that of the statement before */
	{ OLD, "x", "1dwbek." }, /* OUT parameters, behind which MySQL says that there is no more */
	{ OLD, "x", "1dwbEk." },
	{ OLD, "x", "1debE1dwbek." },
	{ OLD, "xx", "1dwbex.1debe." },
	{ NEW, "x", "1dbWk." },
	{ NEW, "x", "2ddbbo." },
	{ NEW, "x", "2ddo." },
	{ OLD | META, "q", "Mdere." },
	{ OLD | META, "q", "mere." },
	{ NEW | META, "q", "mro." },
	{ NEW | META, "q", "Mdro." },
	{ OLD | META, "p", "Udedde." },
	{ OLD | META, "p", "Tee." }, /* what parts them comes */
	{ OLD | META, "p", "Td!" },
	{ NEW | META, "p", "Uddd." },
	{ NEW | META, "p", "T." },
	{ OLD | META, "p", "Q." },
	{ OLD, "f", "bbe." },
	{ OLD, "f", "x." },
	{ NEW, "f", "bbo." },
	{ OLD, "l", "dde." },
	{ NEW, "l", "ddo." },
	{ NEW, "l", "e." },
	{ OLD, "l", "x." },
	{ OLD, "s", "t." },
	{ OLD, "sq", "0.k." },
	{ OLD, "B", "kkke." },
	{ OLD, "B", "kkx." },
};

static uint8_t com_of(char c)
{
	static const struct {
		char letter;
		uint8_t com;
	} coms[] = { { 'q', MYSQL_COM_QUERY },        { 'i', MYSQL_COM_INIT_DB },    { 'p', MYSQL_COM_STMT_PREPARE },
		     { 'x', MYSQL_COM_STMT_EXECUTE }, { 'f', MYSQL_COM_STMT_FETCH }, { 'l', MYSQL_COM_FIELD_LIST },
		     { 'c', MYSQL_COM_STMT_EXECUTE }, { 's', MYSQL_COM_STATISTICS }, { 'B', MYSQL_COM_BINLOG_DUMP } };
	for (size_t i = 0; i < COUNT(coms); i++)
		if (coms[i].letter == c)
			return coms[i].com;
	return 0;
}

static const char *body_of(char c, size_t *len)
{
	for (size_t i = 0; i < COUNT(packets); i++)
		if (packets[i].letter == c) {
			*len = packets[i].len;
			return packets[i].body;
		}
	return NULL;
}

static void send_all(struct mysql_expect *e, const char *coms)
{
	for (; *coms; coms++) {
		uint8_t com = com_of(*coms);
		check(coms, mysql_expect_sent(e, &(struct mysql_expect_entry){
							 .kind = (uint8_t)mysql_expect_of(com),
							 .com = com,
							 .flags = *coms == 'c' ? MYSQL_EXPECT_CURSOR : 0 }));
	}
}

/* What says nothing is told of in two ways, which must leave the same behind. */
static size_t say_plainly(struct mysql_expect *twin, const struct mysql_expect *e, const char *body, size_t len)
{
	uint64_t rows = 0;
	uint8_t seq = 0, *whole = calloc(1, MYSQL_HEADER + len);
	if (!whole)
		abort();
	*twin = *e;
	twin->ring = e->ring == e->few ? twin->few : e->ring;
	whole[0] = (uint8_t)len;
	whole[1] = (uint8_t)(len >> 8);
	whole[3] = 7;
	memcpy(whole + MYSQL_HEADER, body, len);
	check_eq("a part of it", mysql_expect_plain(twin, whole, MYSQL_HEADER + len - 1, &rows, &seq), 0);
	size_t n = mysql_expect_plain(twin, whole, MYSQL_HEADER + len, &rows, &seq);
	check("its number", n ? seq == 7 : seq == 0 && rows == 0);
	free(whole);
	return n;
}

/* False: it cannot be. */
static bool say(struct mysql_expect *e, char c, bool *is_end)
{
	struct mysql_expect twin;
	size_t len = 0;
	const char *body = body_of(c, &len);
	struct mysql_seen seen;
	uint8_t first = len ? (uint8_t)*body : 0;
	bool is_row = mysql_expect_is_row(e, (uint32_t)len, first);
	size_t need = mysql_expect_need(e, (uint32_t)len, first) == MYSQL_NEED_ALL ? len : len ? 1 : 0;
	uint8_t *copy = copy_exact(body, need);
	size_t plain = len ? say_plainly(&twin, e, body, len) : 0;
	bool ok = mysql_expect_packet(e, (uint32_t)len, rd_of(copy, need), &seen);
	check("a row is plain", !is_row || plain);
	if (plain) {
		check_eq("all of what is plain", plain, MYSQL_HEADER + len);
		check("what is plain says nothing", ok && !seen.is_end && seen.said == MYSQL_SAID_NOTHING);
		check("and leaves the same",
		      twin.phase == e->phase && twin.columns == e->columns && twin.count == e->count);
	}
	check("a row is no end", !is_row || (ok && !seen.is_end && seen.said == MYSQL_SAID_NOTHING));
	*is_end = ok && seen.is_end;
	free(copy);
	return ok;
}

static void test_scripts(void)
{
	for (size_t i = 0; i < COUNT(scripts); i++) {
		struct mysql_expect e;
		bool is_end = false, ok = true;
		mysql_expect_init(&e);
		e.caps = scripts[i].caps;
		send_all(&e, scripts[i].coms);
		for (const char *s = scripts[i].script; *s && ok; s++) {
			if (*s == '<') {
				check(scripts[i].script, e.wants_file);
				mysql_expect_file_sent(&e);
				continue;
			}
			ok = say(&e, *s, &is_end);
			bool wants_end = s[1] == '.', wants_bad = s[1] == '!';
			check_eq(scripts[i].script, ok, !wants_bad);
			check_eq(scripts[i].script, is_end, wants_end);
			if (is_end)
				mysql_expect_done(&e, MYSQL_EXPECT_ANSWERED);
			s += wants_end || wants_bad;
		}
		check(scripts[i].script, !ok || mysql_expect_is_empty(&e));
		mysql_expect_free(&e);
	}
}

/* Rows that begin as the end of rows does. */
static void test_long_rows(void)
{
	struct mysql_expect e;
	mysql_expect_init(&e);
	send_all(&e, "f");
	check("an EOF", !mysql_expect_is_row(&e, 5, MYSQL_EOF));
	check("a value of 16 MB and more", mysql_expect_is_row(&e, MYSQL_PAYLOAD_MAX, MYSQL_EOF));
	check("the shortest row that could begin so", mysql_expect_is_row(&e, 9, MYSQL_EOF));
	e.caps = NEW;
	check("an OK", !mysql_expect_is_row(&e, 7, MYSQL_EOF));
	check("a long OK", !mysql_expect_is_row(&e, 70000, MYSQL_EOF));
	check("a value of 16 MB and more, too", mysql_expect_is_row(&e, MYSQL_PAYLOAD_MAX, MYSQL_EOF));
	check("an error", !mysql_expect_is_row(&e, 9, MYSQL_ERR));
	mysql_expect_free(&e);
}

/* Several at once, up to what is not: the head, of two columns; definitions; rows; then the end, or half a row. */
static void test_plain(void)
{
	static const uint8_t in[] = { 1, 0,   0, 2, 'd', 1, 0,    0, 3, 'd', 2, 0, 0,   4,
				      1, 'x', 1, 0, 0,   5, 0xfb, 3, 0, 0,   6, 2, 'y', 'z' };
	static const struct {
		size_t n, plain;
		uint64_t rows;
		uint8_t seq;
	} rows[] = { { 28, 28, 3, 6 }, { 27, 21, 2, 5 }, { 25, 21, 2, 5 }, { 17, 16, 1, 4 },
		     { 9, 5, 0, 2 },   { 4, 0, 0, 0 },   { 0, 0, 0, 0 } };
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mysql_expect e;
		struct mysql_seen seen;
		uint64_t n = 0;
		uint8_t seq = 0;
		mysql_expect_init(&e);
		e.caps = NEW;
		send_all(&e, "q");
		check("the head", mysql_expect_packet(&e, 1, rd_of("\002", 1), &seen));
		uint8_t *copy = copy_exact(in, rows[i].n);
		check_eq("bytes", mysql_expect_plain(&e, copy, rows[i].n, &n, &seq), rows[i].plain);
		check_eq("rows", n, rows[i].rows);
		check_eq("the last one's number", seq, rows[i].seq);
		free(copy);
		mysql_expect_free(&e);
	}
}

static unsigned gone_count;
static uint32_t gone_last;

static void gone(struct mysql_expect *e, const struct mysql_expect_entry *x, enum mysql_expect_end how)
{
	(void)e;
	(void)how;
	gone_count++;
	gone_last = x->number;
}

static void test_queue(void)
{
	struct mysql_expect e;
	mysql_expect_init(&e);
	e.gone = gone;
	gone_count = 0;
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 100; i++)
			check("room", mysql_expect_sent(&e, &(struct mysql_expect_entry){ .kind = MYSQL_EXPECT_OK,
											  .number = i }));
		for (uint32_t i = 0; i < 60; i++) {
			check_eq("the first", mysql_expect_first(&e)->number, i);
			mysql_expect_done(&e, MYSQL_EXPECT_ANSWERED);
		}
		check_eq("the one behind it", mysql_expect_at(&e, 1)->number, 61);
		for (uint32_t i = 0; i < 40; i++)
			mysql_expect_done(&e, MYSQL_EXPECT_ANSWERED);
		check("empty", mysql_expect_is_empty(&e) && !mysql_expect_first(&e));
	}
	check_eq("each is told of", gone_count, 300);
	send_all(&e, "qqq");
	mysql_expect_at(&e, 2)->number = 9;
	mysql_expect_free(&e);
	check_eq("and those that are dropped", gone_count, 303);
	check_eq("in order", gone_last, 9);
}

static void test_prepared(void)
{
	struct mysql_expect e;
	struct mysql_seen seen;
	mysql_expect_init(&e);
	send_all(&e, "p");
	check("prepared", mysql_expect_packet(&e, 12, rd_of("\0\7\0\0\0\2\0\1\0\0\0\0", 12), &seen));
	check("it is said", seen.said == MYSQL_SAID_PREPARED && seen.statement == 7 && seen.ncolumns == 2 &&
				    seen.nparams == 1 && !seen.is_end);
	mysql_expect_free(&e);
}

void suite_mysql_expect(void)
{
	static const struct unit_test tests[] = {
		{ "scripts", test_scripts }, { "long_rows", test_long_rows }, { "plain", test_plain },
		{ "queue", test_queue },     { "prepared", test_prepared },   { NULL, NULL },
	};
	unit_add("mysql_expect", tests);
}
