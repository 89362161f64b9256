/* test_mysql_pack.c - the compressed protocol: one end's codec against the other's, and against what lies. */
#include "unit.h"

#include "mysql/pack.h"
#include "mysql/wire.h"
#include "nomem.h"

#include <stdlib.h>
#include <string.h>

#define ROOM (40u << 20)

/* What has left, or what was read. */
struct heap {
	uint8_t *p;
	size_t n;
};

static bool collect(void *arg, const uint8_t *p, size_t n)
{
	struct heap *h = arg;
	if (n > ROOM - h->n)
		return false;
	memcpy(h->p + h->n, p, n);
	h->n += n;
	return true;
}

/* Two ends: `client` is what a proxy has towards its server, `server` what it has towards its client. */
static struct codec *client, *server;
static struct heap up, down, read_up, read_down;
static enum mysql_turn client_turn, server_turn;
static unsigned server_behind;

static enum mysql_turn turn_of_client(void *arg, bool zero, unsigned *behind)
{
	(void)arg, (void)zero, (void)behind;
	return client_turn;
}

static enum mysql_turn turn_of_server(void *arg, bool zero, unsigned *behind)
{
	(void)arg, (void)zero;
	*behind = server_behind;
	return server_turn;
}

static void begin(enum mysql_zip kind, int level)
{
	struct heap *const all[] = { &up, &down, &read_up, &read_down };
	for (size_t i = 0; i < COUNT(all); i++) {
		if (!all[i]->p)
			all[i]->p = malloc(ROOM);
		all[i]->n = 0;
	}
	client = mysql_pack_new(MYSQL_PEER_SERVER, kind, level, turn_of_server, NULL);
	server = mysql_pack_new(MYSQL_PEER_CLIENT, kind, level, turn_of_client, NULL);
	client_turn = server_turn = MYSQL_TURN_BEGINS;
	server_behind = 0;
}

static void end(void)
{
	client->ops->free(client);
	server->ops->free(server);
}

static void end_all(void)
{
	struct heap *const all[] = { &up, &down, &read_up, &read_down };
	for (size_t i = 0; i < COUNT(all); i++) {
		free(all[i]->p);
		*all[i] = (struct heap){ NULL, 0 };
	}
}

static bool put(struct codec *c, struct heap *to, const void *p, size_t n)
{
	struct iovec v = { (void *)(uintptr_t)p, n };
	return c->ops->write(c, &v, 1, false, collect, to);
}

/* Gives it what has come, `step` bytes at a time, in pieces of at most cap. The last that it said. */
static enum codec_got take(struct codec *c, struct heap *from, struct heap *to, size_t step, size_t cap,
			   struct fault *f)
{
	enum codec_got got = CODEC_MORE;
	for (size_t at = 0; at < from->n && got == CODEC_MORE;) {
		size_t n = from->n - at < step ? from->n - at : step, had = 0;
		uint8_t *copy = copy_exact(from->p + at, n), *out = malloc(cap);
		struct rd wire = rd_of(copy, n);
		do {
			got = c->ops->read(c, &wire, false, out, cap, &had, f);
			check("no more than there is room for", had <= cap);
			(void)collect(to, out, had);
		} while (got == CODEC_PIECE);
		check("all of it is read", got != CODEC_MORE || rd_left(&wire) == 0);
		at += n;
		free(copy);
		free(out);
	}
	from->n = 0;
	return got;
}

/* A packet of n bytes and its header. */
static size_t add_packet(uint8_t *p, uint8_t seq, size_t n, uint8_t first)
{
	p[0] = (uint8_t)n;
	p[1] = (uint8_t)(n >> 8);
	p[2] = (uint8_t)(n >> 16);
	p[3] = seq;
	for (size_t i = 0; i < n; i++)
		p[4 + i] = (uint8_t)(i % 251 * 7 + i / 1000);
	if (n)
		p[4] = first;
	return 4 + n;
}

#define EACH_KIND(kind)                                                                                                \
	for (enum mysql_zip kind = MYSQL_ZIP_ZLIB; kind <= MYSQL_ZIP_ZSTD; kind++)                                     \
		if (mysql_zip_has(kind))

static void test_there_and_back(void)
{
	static const size_t sizes[] = { 1, 38, 45, 46, 47, 100, 65532, 65536, 70000, 300000, 0xfffffe };
	uint8_t *p = malloc(0x1000010);
	struct fault f;
	EACH_KIND(kind)
	{
		for (size_t i = 0; i < COUNT(sizes); i++) {
			bool slow = sizes[i] < 100000;
			begin(kind, slow ? 22 : 1);
			size_t n = add_packet(p, 0, sizes[i], MYSQL_COM_QUERY);
			check("said", put(client, &up, p, n));
			check("shorter", sizes[i] < 1000 || up.n < n);
			check("or hardly longer", up.n <= n + 7 * (1 + n / 65536));
			check("short ones as they are", sizes[i] >= 46 || up.n == n + 7);
			check_eq("understood", take(server, &up, &read_up, slow ? 1 : 5000, slow ? 10 : 70000, &f),
				 CODEC_MORE);
			check_eq("as long as it was", read_up.n, n);
			check_mem("as it was", read_up.p, p, n);
			n = add_packet(p, 1, sizes[i], 0);
			check("answered", put(server, &down, p, n));
			check_eq("understood", take(client, &down, &read_down, slow ? 3 : 70000, slow ? 1 : 999, &f),
				 CODEC_MORE);
			check_eq("as long as it was", read_down.n, n);
			check_mem("as it was", read_down.p, p, n);
			end();
		}
	}
	free(p);
	end_all();
}

/* The numbers of the compressed packets that are there. */
static const char *numbers(const struct heap *h)
{
	static char out[256];
	size_t n = 0;
	for (size_t at = 0; at + 7 <= h->n && n < 200;) {
		n += (size_t)snprintf(out + n, sizeof out - n, "%s%u", n ? " " : "", (unsigned)h->p[at + 3]);
		at += 7 + ((size_t)h->p[at] | (size_t)h->p[at + 1] << 8 | (size_t)h->p[at + 2] << 16);
	}
	out[n] = 0;
	return out;
}

/* The numbers of the packets that were read. */
static const char *inner(const struct heap *h)
{
	static char out[256];
	size_t n = 0;
	for (size_t at = 0; at + 4 <= h->n && n < 200;) {
		n += (size_t)snprintf(out + n, sizeof out - n, "%s%u", n ? " " : "", (unsigned)h->p[at + 3]);
		at += 4 + ((size_t)h->p[at] | (size_t)h->p[at + 1] << 8 | (size_t)h->p[at + 2] << 16);
	}
	out[n] = 0;
	return out;
}

static void test_numbers(void)
{
	uint8_t *p = malloc(400000);
	struct fault f;
	begin(MYSQL_ZIP_ZLIB, 1);
	/* Two commands together, one of which no answer has, and a long one. */
	size_t n = add_packet(p, 0, 5, MYSQL_COM_STMT_CLOSE);
	n += add_packet(p + n, 0, 9, MYSQL_COM_PING);
	n += add_packet(p + n, 0, 150000, MYSQL_COM_QUERY);
	n += add_packet(p + n, 0, 9, MYSQL_COM_PING);
	check("said", put(client, &up, p, n));
	check_str("each begins anew", numbers(&up), "0 0 0 1 2 0");
	check_eq("understood", take(server, &up, &read_up, SIZE_MAX, 70000, &f), CODEC_MORE);
	check_mem("as they were", read_up.p, p, n);

	/* Each answer begins behind its command; packets' own numbers are put right. */
	down.n = 0;
	(void)collect(&down, (const uint8_t *)"\x5\0\0\1\0\0\0\1\0\0\1\0", 12);
	server_behind = 2;
	check_eq("the first answer", take(client, &down, &read_down, SIZE_MAX, 70000, &f), CODEC_MORE);
	(void)collect(&down, (const uint8_t *)"\x5\0\0\3\0\0\0\1\0\0\3\0\xa\0\0\4\0\0\0\1\0\0\7\0\1\0\0\x8\0", 12 + 17);
	server_behind = 1;
	check_eq("the second", take(client, &down, &read_down, 12, 70000, &f), CODEC_MORE);
	check_str("their packets", inner(&read_down), "1 1 2 3");
	(void)collect(&down, (const uint8_t *)"\x5\0\0\6\0\0\0\1\0\0\1\0", 12);
	check_eq("a wrong one", take(client, &down, &read_down, SIZE_MAX, 70000, &f), CODEC_BAD);
	end();
	free(p);
	end_all();
}

/* A server asks for a file in the middle of its answer. */
static void test_file(void)
{
	uint8_t p[700];
	struct fault f;
	begin(MYSQL_ZIP_ZLIB, 1);
	size_t n = add_packet(p, 0, 9, MYSQL_COM_QUERY);
	(void)put(client, &up, p, n);
	(void)take(server, &up, &read_up, SIZE_MAX, 70000, &f);
	/* 254 packets, and the request, which is the 255th. */
	for (unsigned i = 1; i <= 255; i++) {
		n = add_packet(p, (uint8_t)i, 9, i == 255 ? MYSQL_INFILE : 9);
		(void)put(server, &down, p, n);
	}
	check_eq("all are told", take(client, &down, &read_down, SIZE_MAX, 70000, &f), CODEC_MORE);
	mysql_pack_file(client);
	read_up.n = 0;
	client_turn = MYSQL_TURN_GOES_ON;
	/* The file's number is a command's, and is none. */
	n = add_packet(p, 0, 600, 'x');
	(void)put(client, &up, p, n);
	n = add_packet(p, 1, 0, 0);
	(void)put(client, &up, p, n);
	check_str("it goes on from there", numbers(&up), "0 1");
	check_eq("the file", take(server, &up, &read_up, SIZE_MAX, 70000, &f), CODEC_MORE);
	check_str("its packets", inner(&read_up), "0 1");
	read_down.n = 0;
	server_turn = MYSQL_TURN_BEGINS;
	n = add_packet(p, 2, 9, 0);
	(void)put(server, &down, p, n);
	check_str("and the answer behind it", numbers(&down), "2");
	check_eq("is understood", take(client, &down, &read_down, SIZE_MAX, 70000, &f), CODEC_MORE);
	check_str("its packet", inner(&read_down), "2");
	/* Then a command. */
	n = add_packet(p, 0, 9, MYSQL_COM_QUERY);
	(void)put(client, &up, p, n);
	check_str("which begins anew", numbers(&up), "0");
	end();
	end_all();
}

static void test_wait(void)
{
	uint8_t p[200], out[300];
	struct fault f;
	size_t had;
	begin(MYSQL_ZIP_ZLIB, 1);
	size_t n = add_packet(p, 0, 9, MYSQL_COM_PING);
	(void)put(client, &up, p, n);
	(void)put(client, &up, p, n);
	struct rd wire = rd_of(up.p, up.n);
	check_eq("the first", server->ops->read(server, &wire, false, out, sizeof out, &had, &f), CODEC_PIECE);
	check_eq("is there", had, n);
	check_eq("the owner has left it", server->ops->read(server, &wire, true, out, sizeof out, &had, &f),
		 CODEC_WAIT);
	client_turn = MYSQL_TURN_WAIT;
	check_eq("it is not answered", server->ops->read(server, &wire, false, out, sizeof out, &had, &f), CODEC_WAIT);
	check_eq("nothing of it", had, 0);
	client_turn = MYSQL_TURN_BEGINS;
	check_eq("now it is", server->ops->read(server, &wire, false, out, sizeof out, &had, &f), CODEC_PIECE);
	check_eq("the second", had, n);
	end();
	end_all();
}

/* What answers a command that is still coming leaves behind it. */
static void test_held(void)
{
	uint8_t *p = malloc(200000), answer[20];
	struct fault f;
	begin(MYSQL_ZIP_ZLIB, 1);
	size_t n = add_packet(p, 0, 150000, MYSQL_COM_QUERY), a = add_packet(answer, 1, 9, MYSQL_ERR);
	(void)put(client, &up, p, n);
	check_str("three", numbers(&up), "0 1 2");
	struct heap part = { malloc(ROOM), 0 };
	(void)collect(&part, up.p, up.n / 2);
	(void)take(server, &part, &read_up, SIZE_MAX, 70000, &f);
	check("it is said", put(server, &down, answer, a));
	check("and held", down.n == 0 && !server->is_due);
	(void)collect(&part, up.p + up.n / 2, up.n - up.n / 2);
	(void)take(server, &part, &read_up, SIZE_MAX, 70000, &f);
	check("it is due", server->is_due);
	check("it leaves", server->ops->write(server, NULL, 0, false, collect, &down));
	check_str("behind the third", numbers(&down), "3");
	check_eq("and is understood", take(client, &down, &read_down, SIZE_MAX, 70000, &f), CODEC_MORE);
	end();
	/* Who ends says all that is left. */
	begin(MYSQL_ZIP_ZLIB, 1);
	(void)put(client, &up, p, n);
	(void)collect(&part, up.p, up.n / 2);
	(void)take(server, &part, &read_up, SIZE_MAX, 70000, &f);
	(void)put(server, &down, answer, a);
	check("its last words", server->ops->write(server, NULL, 0, true, collect, &down) && down.n == a + 7);
	end();
	free(part.p);
	free(p);
	end_all();
}

/* Anything but what it says it is, is refused, and no more is decompressed than it says. */
static void test_lies(void)
{
	uint8_t p[1000], out[2000];
	struct fault f;
	EACH_KIND(kind)
	{
		begin(kind, 3);
		size_t n = add_packet(p, 0, 900, MYSQL_COM_QUERY);
		memset(p + 5, 'a', 899);
		(void)put(client, &up, p, n);
		size_t whole = up.n;
		uint8_t *good = copy_exact(up.p, whole);
		check("it is compressed", whole < 100);
		for (size_t says = 1; says < 1100; says++) {
			struct codec *c = mysql_pack_new(MYSQL_PEER_CLIENT, kind, 3, turn_of_client, NULL);
			uint8_t *lie = copy_exact(good, whole);
			size_t had = 0, all = 0;
			enum codec_got got;
			lie[4] = (uint8_t)says;
			lie[5] = (uint8_t)(says >> 8);
			struct rd wire = rd_of(lie, whole);
			do
				got = c->ops->read(c, &wire, false, out, 100, &had, &f), all += had;
			while (got == CODEC_PIECE);
			check_eq("a lie about the length", got, says == n ? CODEC_MORE : CODEC_BAD);
			check("not more than it says", all <= says);
			c->ops->free(c);
			free(lie);
		}
		for (size_t len = 0; len < whole; len++) {
			/* It ends, but says so; it has not come yet. */
			for (int i = 0; i < 2; i++) {
				struct codec *c = mysql_pack_new(MYSQL_PEER_CLIENT, kind, 3, turn_of_client, NULL);
				uint8_t *lie = copy_exact(good, len);
				size_t had = 0;
				enum codec_got got;
				if (i && len >= 7)
					lie[0] = (uint8_t)(len - 7);
				struct rd wire = rd_of(lie, len);
				do
					got = c->ops->read(c, &wire, false, out, sizeof out, &had, &f);
				while (got == CODEC_PIECE);
				check_eq("a part of it", got, i && len >= 7 ? CODEC_BAD : CODEC_MORE);
				c->ops->free(c);
				free(lie);
			}
		}
		free(good);
		end();
	}
	static const struct {
		const char *what, *in;
		size_t len;
	} bad[] = {
		{ "nothing in it", BYTES("\0\0\0\0\0\0\0") },
		{ "another number", BYTES("\5\0\0\1\0\0\0\1\0\0\0\16") },
		{ "garbage", BYTES("\5\0\0\0\100\0\0abcde") },
		{ "a number within a packet", BYTES("\5\0\0\0\0\0\0\3\0\0\0\16\1\0\0\0\0\0\0a") },
	};
	for (size_t i = 0; i < COUNT(bad); i++) {
		begin(MYSQL_ZIP_ZLIB, 1);
		(void)collect(&up, (const uint8_t *)bad[i].in, bad[i].len);
		check_eq(bad[i].what, take(server, &up, &read_up, SIZE_MAX, 1000, &f), CODEC_BAD);
		check("an errno for clients", f.mysql_errno == 1156 || f.mysql_errno == 1157);
		end();
	}
	end_all();
}

static void test_no_memory(void)
{
	uint8_t p[1000], out[2000];
	struct fault f;
	size_t n = add_packet(p, 0, 900, MYSQL_COM_QUERY);
	begin(MYSQL_ZIP_ZLIB, 1);
	(void)put(client, &up, p, n);
	for (unsigned k = 0; nomem_next(&k);) {
		struct codec *c = mysql_pack_new(MYSQL_PEER_CLIENT, MYSQL_ZIP_ZLIB, 1, turn_of_client, NULL);
		size_t had;
		if (!c)
			continue;
		struct rd wire = rd_of(up.p, up.n);
		enum codec_got got = c->ops->read(c, &wire, false, out, sizeof out, &had, &f);
		check("it works, or says so", got == CODEC_BAD ? f.kind == FAULT_NOMEM : had == n);
		c->ops->free(c);
	}
	end();
	end_all();
}

void suite_mysql_pack(void)
{
	static const struct unit_test tests[] = {
		{ "there_and_back", test_there_and_back },
		{ "numbers", test_numbers },
		{ "file", test_file },
		{ "wait", test_wait },
		{ "held", test_held },
		{ "lies", test_lies },
		{ "no_memory", test_no_memory },
		{ NULL, NULL },
	};
	unit_add("mysql_pack", tests);
}
