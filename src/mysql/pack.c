/* pack.c - the compressed protocol. MySQL Source Code Documentation: Compression, Compressed Packet; MariaDB Knowledge
 * Base: Compressed Packets.
 *
 * Both ends count compressed packets in one number, whoever's turn it is: a command begins with 0, its answer goes on
 * from there. Commands may be sent ahead to a server, so each side's next number is kept, and what an answer begins
 * with when its command was long. A client's commands are read one at a time: its next one waits in the stream until
 * the one before is answered. */
#include "mysql/pack.h"

#include "mysql/expect.h"
#include "mysql/wire.h"

#include <stdlib.h>

#define HELD_MAX (64u << 10) /* bytes of an answer that wait until their command has come whole */
#define LONG_MAX 4u          /* commands of several packets that are remembered */

/* Packets as they pass. */
struct hop {
	uint32_t left; /* bytes of the one that is passing */
	uint32_t len;  /* of the last */
	uint8_t have, head[MYSQL_HEADER];
	uint8_t seq;  /* of the last */
	bool goes_on; /* it was one of 0xffffff bytes, so the next is a part of it */
};

static bool is_within(const struct hop *h)
{
	return h->left || h->have || h->goes_on;
}

struct pack {
	struct codec codec;
	enum mysql_peer peer;
	enum mysql_zip kind;
	int level;
	mysql_turn_cb *turn;
	void *arg;
	/* In. */
	struct hop in;
	uint8_t next_in;  /* number of the next compressed packet */
	uint8_t inner_in; /* of the next packet */
	uint8_t have, head[MYSQL_PACK_HEADER];
	bool is_open;              /* its bytes are coming */
	uint32_t left;             /* that are still to come */
	uint32_t plain;            /* what they are still to become */
	struct mysql_unzip *unzip; /* lent; NULL: they are not compressed, or none are coming */
	/* Out. */
	struct hop out;
	uint8_t next_out;
	bool said;    /* the last word was ours */
	bool in_file; /* what we say is a file */
	bool had_file;
	bool asks_com;     /* the next byte is that of a command */
	bool is_answered;  /* the last command is one that is */
	uint32_t commands; /* that are, so far */
	struct buf *held;  /* owned: see HELD_MAX */
	/* Commands whose answers do not begin with 1: of several packets. */
	struct {
		uint32_t command; /* 0: none */
		uint8_t number, inner;
	} longs[LONG_MAX];
	unsigned nlongs;
};

static struct pack *pack_of(struct codec *c)
{
	return list_owner(c, struct pack, codec);
}

/* --- In */

static enum codec_got bad(struct fault *f, uint16_t code, const char *what)
{
	fault_set(f, FAULT_PROTO, "%s", what);
	fault_mysql(f, code, "08S01");
	return CODEC_BAD;
}

static enum codec_got out_of_order(struct fault *f)
{
	return bad(f, 1156, "Got packets out of order");
}

static enum codec_got garbage(struct fault *f, const char *what)
{
	return bad(f, 1157, what);
}

/* Numbers the packets that are in n bytes, and finds their ends. */
static void count_in(struct pack *k, uint8_t *p, size_t n)
{
	struct hop *h = &k->in;
	while (n > 0) {
		if (h->left) {
			size_t skip = h->left < n ? h->left : n;
			h->left -= (uint32_t)skip;
			p += skip;
			n -= skip;
			continue;
		}
		h->head[h->have++] = *p;
		if (h->have == MYSQL_HEADER) {
			h->have = 0;
			h->len = h->left =
				(uint32_t)h->head[0] | (uint32_t)h->head[1] << 8 | (uint32_t)h->head[2] << 16;
			h->goes_on = h->len == MYSQL_PAYLOAD_MAX;
			*p = k->inner_in++;
		}
		p++;
		n--;
	}
}

/* It answers what we said last, or goes on with it. */
static void take_turn(struct pack *k)
{
	if (!k->said)
		return;
	k->next_in = k->next_out;
	k->inner_in = (uint8_t)(k->out.seq + 1);
	k->said = false;
}

static enum codec_got admit_client(struct pack *k, uint8_t number, bool is_kept)
{
	unsigned behind;
	if (is_within(&k->in))
		return CODEC_PIECE;
	if (number == 0 && is_kept)
		return CODEC_WAIT;
	switch (k->turn(k->arg, number == 0, &behind)) {
	case MYSQL_TURN_WAIT:
		return CODEC_WAIT;
	case MYSQL_TURN_BEGINS:
		k->next_in = k->inner_in = 0;
		k->said = false;
		break;
	case MYSQL_TURN_GOES_ON:
	case MYSQL_TURN_ANY:
		take_turn(k);
		break;
	}
	return CODEC_PIECE;
}

/* With which number an answer begins, and its packets. False: any, as the command has not left whole. */
static bool begins_with(const struct pack *k, unsigned behind, uint8_t *number, uint8_t *inner)
{
	uint32_t command = k->commands - behind;
	*number = *inner = 1;
	if (behind == 0 && k->is_answered) {
		*number = k->next_out;
		*inner = (uint8_t)(k->out.seq + 1);
		return !is_within(&k->out);
	}
	for (unsigned i = 0; i < LONG_MAX; i++)
		if (k->longs[i].command == command) {
			*number = k->longs[i].number;
			*inner = k->longs[i].inner;
		}
	return true;
}

static void admit_server(struct pack *k, uint8_t number)
{
	unsigned behind = 0;
	uint8_t first, inner;
	if (is_within(&k->in))
		return;
	if (k->had_file) { /* what was said was that */
		k->had_file = k->in_file = false;
		take_turn(k);
		return;
	}
	switch (k->turn(k->arg, number == 0, &behind)) {
	case MYSQL_TURN_ANY:
		k->next_in = k->inner_in = number;
		break;
	case MYSQL_TURN_BEGINS:
		if (!begins_with(k, behind, &first, &inner))
			first = number;
		if (first == number) { /* else it is the next of several */
			k->next_in = number;
			k->inner_in = inner;
		}
		break;
	case MYSQL_TURN_GOES_ON:
	case MYSQL_TURN_WAIT:
		break;
	}
}

/* The header is there: its packet is expected, or has to wait. */
static enum codec_got open_packet(struct pack *k, bool is_kept, struct fault *f)
{
	struct rd h = rd_of(k->head, sizeof k->head);
	uint32_t left = rd_u24le(&h);
	uint8_t number = rd_u8(&h);
	uint32_t plain = rd_u24le(&h);

	if (k->peer == MYSQL_PEER_SERVER)
		admit_server(k, number);
	else if (admit_client(k, number, is_kept) == CODEC_WAIT)
		return CODEC_WAIT;
	if (number != k->next_in)
		return out_of_order(f);
	if (left == 0)
		return garbage(f, "a compressed packet with nothing in it");
	k->next_in++;
	k->left = left;
	k->plain = plain ? plain : left;
	if (plain) {
		k->unzip = mysql_unzip_get(k->kind);
		if (!k->unzip) {
			fault_set(f, FAULT_NOMEM, "no memory to decompress a packet");
			return CODEC_BAD;
		}
	}
	k->have = 0;
	k->is_open = true;
	return CODEC_PIECE;
}

static void close_packet(struct pack *k)
{
	mysql_unzip_put(k->unzip);
	k->unzip = NULL;
	k->is_open = false;
}

/* A part of the open packet, to at most `room` bytes at out. CODEC_PIECE: there is no more room, or it was the end. */
static enum codec_got unzip(struct pack *k, struct rd *wire, uint8_t *out, size_t room, size_t *n, struct fault *f)
{
	for (;;) {
		struct rd in = rd_of(wire->p, k->left < rd_left(wire) ? k->left : rd_left(wire));
		size_t fits = room - *n < k->plain ? room - *n : k->plain, made = 0, had = rd_left(&in);
		uint8_t spare; /* what says it is longer than it said finds room for that */
		if (fits == 0 && k->plain)
			return CODEC_PIECE;
		enum mysql_unzipped is = mysql_unzip(k->unzip, &in, fits ? out + *n : &spare, fits ? fits : 1, &made);
		size_t used = had - rd_left(&in);
		(void)rd_take(wire, used);
		k->left -= (uint32_t)used;
		if (is == MYSQL_UNZIP_NOMEM) {
			fault_set(f, FAULT_NOMEM, "no memory to decompress a packet");
			return CODEC_BAD;
		}
		if (made > fits || is == MYSQL_UNZIP_BAD)
			return garbage(f, made > fits ? "a compressed packet is longer than it says"
						      : "Couldn't uncompress communication packet");
		*n += made;
		k->plain -= (uint32_t)made;
		if (is == MYSQL_UNZIP_END) {
			if (k->left || k->plain)
				return garbage(f, "a compressed packet has not the length that it says");
			close_packet(k);
			return CODEC_PIECE;
		}
		if (used || made)
			continue;
		if (k->left == 0)
			return garbage(f, "a compressed packet ends too early");
		return CODEC_MORE;
	}
}

static enum codec_got copy(struct pack *k, struct rd *wire, uint8_t *out, size_t room, size_t *n)
{
	size_t fits = room - *n;
	if (fits > rd_left(wire))
		fits = rd_left(wire);
	if (fits > k->left)
		fits = k->left;
	if (fits)
		memcpy(out + *n, rd_take(wire, fits), fits);
	*n += fits;
	k->left -= (uint32_t)fits;
	if (k->left == 0)
		close_packet(k);
	return k->left == 0 || *n == room ? CODEC_PIECE : CODEC_MORE;
}

static bool take_head(struct pack *k, struct rd *wire)
{
	while (k->have < MYSQL_PACK_HEADER && rd_left(wire))
		k->head[k->have++] = rd_u8(wire);
	return k->have == MYSQL_PACK_HEADER;
}

static enum codec_got read_pack(struct codec *c, struct rd *wire, bool is_kept, uint8_t *out, size_t cap, size_t *n,
				struct fault *f)
{
	struct pack *k = pack_of(c);
	enum codec_got got;
	*n = 0;
	do {
		if (!k->is_open) {
			if (!take_head(k, wire))
				return CODEC_MORE;
			got = open_packet(k, is_kept, f);
			if (got != CODEC_PIECE)
				return got;
		}
		size_t before = *n;
		got = k->unzip ? unzip(k, wire, out, cap, n, f) : copy(k, wire, out, cap, n);
		count_in(k, out + before, *n - before);
		/* Between packets whoever reads is to see them before what comes next can be understood. */
	} while (got == CODEC_PIECE && *n < cap && is_within(&k->in));
	c->is_due = k->held && !is_within(&k->in);
	return got;
}

/* --- Out */

/* Bytes that leave together: compressed, if they are many and it makes them fewer. */
static uint8_t joined[MYSQL_ZIP_MAX];
static size_t njoined;

static bool send_joined(struct pack *k, size_t n, codec_put_cb *put, void *arg)
{
	static uint8_t bytes[MYSQL_PACK_HEADER + MYSQL_ZIP_MAX];
	struct mysql_out o = mysql_out(bytes, sizeof bytes);
	if (n == 0)
		return true;
	size_t zipped = n < MYSQL_PACK_MIN ? 0 : mysql_zip(k->kind, k->level, joined, n, bytes + MYSQL_PACK_HEADER);
	mysql_put_u24(&o, (uint32_t)(zipped ? zipped : n));
	mysql_put_u8(&o, k->next_out++);
	mysql_put_u24(&o, (uint32_t)(zipped ? n : 0));
	if (!zipped)
		memcpy(bytes + MYSQL_PACK_HEADER, joined, n);
	memmove(joined, joined + n, njoined - n);
	njoined -= n;
	return put(arg, bytes, MYSQL_PACK_HEADER + (zipped ? zipped : n));
}

/* The command before has left whole. */
static void note_long(struct pack *k)
{
	uint8_t inner = (uint8_t)(k->out.seq + 1);
	if (!k->is_answered || (k->next_out == 1 && inner == 1))
		return;
	k->longs[k->nlongs].command = k->commands;
	k->longs[k->nlongs].number = k->next_out;
	k->longs[k->nlongs].inner = inner;
	k->nlongs = (k->nlongs + 1) % LONG_MAX;
}

/* The header of a packet to a server is at the end of what is joined. */
static bool begin_out(struct pack *k, uint8_t seq, codec_put_cb *put, void *arg)
{
	bool is_first = k->in_file && !k->had_file;
	if (k->out.goes_on || (!is_first && (k->in_file || seq != 0)))
		return true;
	if (njoined > MYSQL_HEADER && !send_joined(k, njoined - MYSQL_HEADER, put, arg))
		return false;
	if (is_first) {
		k->next_out = k->next_in;
		k->had_file = true;
		return true;
	}
	note_long(k);
	k->next_out = 0;
	k->asks_com = true;
	k->is_answered = false;
	return true;
}

/* Finds the packets in what was joined, of whom each command begins a compressed packet. */
static bool count_out(struct pack *k, uint8_t b, codec_put_cb *put, void *arg)
{
	struct hop *h = &k->out;
	h->head[h->have++] = b;
	if (h->have < MYSQL_HEADER)
		return true;
	bool ok = k->peer == MYSQL_PEER_CLIENT || begin_out(k, b, put, arg);
	h->have = 0;
	h->len = h->left = (uint32_t)h->head[0] | (uint32_t)h->head[1] << 8 | (uint32_t)h->head[2] << 16;
	h->goes_on = h->len == MYSQL_PAYLOAD_MAX;
	h->seq = b;
	if (k->in_file && k->had_file && !h->len)
		k->in_file = false;
	return ok;
}

static bool join(struct pack *k, const uint8_t *p, size_t n, codec_put_cb *put, void *arg)
{
	struct hop *h = &k->out;
	while (n > 0) {
		/* A header stays whole: a command's begins a compressed packet. */
		if (njoined == sizeof joined && !send_joined(k, njoined - h->have, put, arg))
			return false;
		if (!h->left) {
			joined[njoined++] = *p;
			if (!count_out(k, *p, put, arg))
				return false;
			p++;
			n--;
			continue;
		}
		if (k->asks_com) {
			k->asks_com = false;
			k->is_answered = mysql_expect_of(*p) != MYSQL_EXPECT_NOTHING;
			k->commands += k->is_answered;
		}
		size_t fits = sizeof joined - njoined;
		if (fits > n)
			fits = n;
		if (fits > h->left)
			fits = h->left;
		memcpy(joined + njoined, p, fits);
		njoined += fits;
		h->left -= (uint32_t)fits;
		p += fits;
		n -= fits;
	}
	return true;
}

static bool hold(struct pack *k, const struct iovec *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!buf_append(&k->held, v[i].iov_base, v[i].iov_len))
			return false;
	return true;
}

static bool write_pack(struct codec *c, const struct iovec *v, size_t n, bool is_last, codec_put_cb *put, void *arg)
{
	struct pack *k = pack_of(c);
	bool ok = true;
	njoined = 0;
	if (k->peer == MYSQL_PEER_CLIENT) {
		/* It is answered before it has said all, and does not expect that number. */
		if (is_within(&k->in) && !is_last && (!k->held || k->held->len < HELD_MAX))
			return hold(k, v, n);
		if (!k->said) {
			k->next_out = k->next_in;
			k->said = n > 0 || k->held;
		}
	} else {
		k->said = true;
	}
	c->is_due = false;
	if (k->held) {
		struct buf *b = k->held;
		k->held = NULL;
		ok = join(k, b->data + b->start, b->len, put, arg);
		buf_put(b);
	}
	for (size_t i = 0; ok && i < n; i++)
		ok = join(k, v[i].iov_base, v[i].iov_len, put, arg);
	return ok && send_joined(k, njoined, put, arg);
}

/* --- Making and ending */

static void free_pack(struct codec *c)
{
	struct pack *k = pack_of(c);
	mysql_unzip_put(k->unzip);
	buf_put(k->held);
	free(k);
}

void mysql_pack_file(struct codec *c)
{
	struct pack *k = pack_of(c);
	k->in_file = true;
	k->had_file = false;
}

struct codec *mysql_pack_new(enum mysql_peer peer, enum mysql_zip kind, int level, mysql_turn_cb *turn, void *arg)
{
	static const struct codec_ops ops[] = {
		[MYSQL_ZIP_ZLIB] = { "zlib", read_pack, write_pack, free_pack },
		[MYSQL_ZIP_ZSTD] = { "zstd", read_pack, write_pack, free_pack },
	};
	struct pack *k = calloc(1, sizeof *k);
	if (!k)
		return NULL;
	k->codec.ops = &ops[kind];
	k->peer = peer;
	k->kind = kind;
	k->level = level;
	k->turn = turn;
	k->arg = arg;
	return &k->codec;
}
