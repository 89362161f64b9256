/* fuzz_expect.c - what a server still owes, beside a model of the server itself.
 * PostgreSQL docs, Message Flow: "Extended Query", "COPY Operations".
 *
 * The input is a script, a letter each. The client sends: p a batch message, q Query, s Sync, c CopyDone. The
 * server takes the next message that was sent to it, with success (o), failure (e), or as a COPY FROM STDIN (g); or x,
 * what is copied in is bad. What the server says arrives when it is d's turn. So any delay is possible on both ways.
 * Behind a first ! the server is one that says anything: Z ReadyForQuery, E ErrorResponse, G CopyInResponse. */
#include "fuzz.h"

#include "pg/expect.h"

#include <stdlib.h>
#include <string.h>

struct model {
	char *inbox, *outbox; /* owned; on the way to the server, and from it */
	size_t sent, taken, said, heard;
	bool copying, simple; /* in COPY FROM STDIN; which a Query began */
	bool skipping;        /* up to Sync */
	bool open;            /* a batch has begun and its Sync did not come */
	bool astray;          /* the client did what nobody does who wants his answers */
};

static void say(struct model *m, const char *what)
{
	for (; *what; what++)
		m->outbox[m->said++] = *what;
}

/* The statement that copies, or any other, ends in an error. */
static void fail(struct model *m, bool simple)
{
	m->copying = false;
	m->skipping = !simple;
	m->open = !simple;
	say(m, simple ? "EZ" : "E");
}

static void take_copying(struct model *m, char outcome, char got)
{
	switch (got) {
	case 's':
		return; /* libraries that do not know of the COPY yet send these */
	case 'c':
		if (outcome == 'e') {
			fail(m, m->simple);
		} else if (outcome == 'g' && m->simple) {
			say(m, "G"); /* one Query, two COPYs */
		} else {
			m->copying = false;
			say(m, m->simple ? "Z" : "R");
		}
		return;
	default:
		m->astray = true;
		fail(m, m->simple);
	}
}

static void take(struct model *m, char outcome)
{
	if (m->taken == m->sent)
		return;
	char got = m->inbox[m->taken++];
	if (m->copying) {
		take_copying(m, outcome, got);
		return;
	}
	if (got == 's') {
		m->skipping = m->open = false;
		say(m, "Z");
		return;
	}
	if (m->skipping || got == 'c')
		return;
	if (outcome == 'e') {
		fail(m, got == 'q');
		return;
	}
	m->open = got == 'p';
	m->copying = outcome == 'g';
	m->simple = got == 'q';
	if (m->copying)
		say(m, "G");
	else
		say(m, got == 'q' ? "Z" : "R");
}

static bool is_at_rest(const struct model *m)
{
	for (size_t i = m->taken; i < m->sent; i++)
		if (m->inbox[i] != 'c') /* late, and ignored by a server that is at rest */
			return false;
	return m->said == m->heard && !m->copying && !m->skipping && !m->open;
}

static enum expect_kind kind_of(char c)
{
	switch (c) {
	case 'q':
		return EXPECT_QUERY;
	case 's':
		return EXPECT_SYNC;
	case 'c':
		return EXPECT_COPY_END;
	default:
		return EXPECT_EXECUTE;
	}
}

static bool sent(struct expect *e, char c)
{
	return expect_sent(e, &(struct expect_entry){ .kind = (uint8_t)kind_of(c) });
}

static void check_bounds(const struct expect *e)
{
	fuzz_check("the queue is bounded", e->count <= EXPECT_MAX && e->count <= e->cap && e->head < e->cap);
	for (unsigned i = 0; i < e->count; i++) {
		unsigned kind = e->ring[(e->head + i) % e->cap].kind;
		fuzz_check("a kind", kind >= EXPECT_PARSE && kind <= EXPECT_COPY_END);
	}
}

static void hear(struct expect *e, struct model *m)
{
	if (m->heard == m->said)
		return;
	bool ours;
	switch (m->outbox[m->heard++]) {
	case 'Z':
		ours = expect_ready(e);
		fuzz_check("each ReadyForQuery was asked for", ours || m->astray || e->unsure);
		break;
	case 'E':
		expect_error(e);
		break;
	case 'R':
		expect_reply(e);
		break;
	default:
		expect_copy_in(e);
	}
}

/* A server that keeps to the protocol: what is expected of it is what it owes. */
static void play(struct expect *e, const uint8_t *script, size_t n)
{
	struct model m = { .inbox = malloc(n + 1), .outbox = malloc(2 * n + 1) };
	if (!m.inbox || !m.outbox)
		abort();
	for (size_t i = 0; i < n; i++) {
		char c = (char)script[i];
		switch (c) {
		case 'p':
		case 'q':
		case 's':
		case 'c':
			if (expect_is_full(e))
				break; /* its client is not read from */
			m.inbox[m.sent++] = c;
			if (!sent(e, c))
				abort();
			break;
		case 'o':
		case 'e':
		case 'g':
			take(&m, c);
			break;
		case 'x':
			if (m.copying)
				fail(&m, m.simple);
			break;
		case 'd':
			hear(e, &m);
			break;
		default:
			continue;
		}
		check_bounds(e);
		/* Lent to another client it would answer the one before. */
		fuzz_check("a server that owes something is not at rest", !expect_is_empty(e) || is_at_rest(&m));
		/* A CopyDone that no COPY asked for may hide from us that one is over: then the server stays with its
		 * client. */
		fuzz_check("nothing is expected of one that owes nothing",
			   expect_is_empty(e) || e->unsure || m.astray || !is_at_rest(&m));
	}
	free(m.inbox);
	free(m.outbox);
}

/* A server that does not: whatever it says, the queue stays one. */
static void play_wild(struct expect *e, const uint8_t *script, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned before = e->count;
		switch (script[i]) {
		case 'p':
		case 'q':
		case 's':
		case 'c':
			if (expect_is_full(e))
				break;
			if (!sent(e, (char)script[i]))
				abort();
			fuzz_check("one more at most", e->count <= before + 1);
			break;
		case 'Z':
			(void)expect_ready(e);
			fuzz_check("fewer", e->count < before || before == 0);
			break;
		case 'E':
			expect_error(e);
			fuzz_check("no more", e->count <= before);
			break;
		case 'G':
			expect_copy_in(e);
			fuzz_check("no more", e->count <= before);
			break;
		default:
			continue;
		}
		check_bounds(e);
	}
	/* Each ReadyForQuery pays for something, so in the end nothing is owed. */
	for (unsigned left = e->count; left && e->count; left--)
		(void)expect_ready(e);
	fuzz_check("all is paid", e->count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct expect e;
	expect_init(&e);
	if (size && data[0] == '!')
		play_wild(&e, data + 1, size - 1);
	else
		play(&e, data, size);
	expect_free(&e);
	fuzz_check("nothing is left", expect_is_empty(&e) && e.ring == e.few);
	return 0;
}
