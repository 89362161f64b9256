/* test_expect.c - what a server still owes: a script of what was sent and said, and when it is at rest. */
#include "unit.h"

#include "pg/expect.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What happens, a letter each. Sent: p batch message, q Query, s Sync, c CopyDone. Said: Z ReadyForQuery, E
 * ErrorResponse, G CopyInResponse, r another reply. 0: nothing is owed. Then the expectation: . at rest, + not at rest;
 * ! the ReadyForQuery before it was not ours. */
static const struct {
	const char *what, *script;
} cases[] = {
	{ "a simple query", "q+Z." },
	{ "two pipelined queries", "qq+Z+Z." },
	{ "a batch and its Sync", "ppps+Z." },
	{ "a batch without Sync is not at rest", "pp+" },
	{ "several Syncs in flight", "pspsps+Z+Z+Z." },
	{ "an empty Sync", "s+Z." },
	{ "an error in a simple query", "q+E+Z." },
	{ "an error in a batch whose Sync is under way", "ps+E+Z." },
	{ "an error in a batch before its Sync is sent", "pp+E+pp+s+Z." },
	{ "queries within a failed batch are skipped", "pq+E+qp+s+Z." },
	{ "queries sent within a failed batch, Sync already there", "pqs+E+Z." },
	{ "a query in the middle of a batch answers for itself", "pqps+Z+Z." },
	{ "an error in the second batch only", "pspsps+Z+E+Z+Z." },
	{ "an error of a query behind a batch", "ps+Z.q+E+Z." },
	{ "copy in by a simple query", "q+G+c+Z." },
	{ "copy in that fails: CopyDone comes late", "q+G+E+Z.c." },
	{ "copy in that fails with CopyDone under way", "q+Gc+E+Z." },
	{ "copy in by a batch whose Sync was sent before: it is swallowed", "ps+G+c+s+Z." },
	{ "copy in by a batch, Sync only behind it", "p+G+c+s+Z." },
	{ "copy in by a batch: all sent before the server said so", "pcs+G+Z." },
	{ "Sync while copying is swallowed", "p+G+s+c+s+Z." },
	{ "copy in by a batch that fails", "p+G+E+c+s+Z." },
	{ "the next query after a failed copy", "q+G+E+Z.c.q+Z." },
	{ "late CopyDone behind the next query", "qc+Z." },
	{ "a query's error behind a batch that was answered is its own", "pqq+rEZ+Z." },
	{ "the same, with replies under way", "ppq+rr+E+Z.q+Z." },
	{ "a batch that was answered only in part fails", "ppq+r+E+s+Z." },
	{ "more of the batch after its query failed", "pq+rE+Z.p+s+Z." },
	{ "a commit that fails at Sync", "pps+rrE+Z." },
	{ "a query's replies are not a batch's", "q+rrZ.p+qE+s+Z." },
	{ "the replies of a query between two batches", "pqps+rrZ+E+Z." },
	{ "a failed copy with a Sync among its data: nobody knows", "q+Gs+E?Z?Z?" },
	{ "the same by a batch, all sent at once", "pscs+GE?Z?Z?" },
	{ "a copy that works with a Sync among its data", "p+Gs+c+s+rZ." },
	{ "one query with two copies, and a Sync in the second", "qcsc+G+G+Z." },
	{ "a stray CopyDone within a batch", "pcp+r+E+q+s+Z." },
	{ "nothing answers a stray CopyDone", "pc+r0s+Z." },
	{ "nor one behind a copy by a batch", "p+Gc+r0s+Z." },
	{ "a copy by a batch, and one by a query behind it", "p+Gc+qcs+rG+Z+Z." },
	{ "a batch message where data was due", "qp+G+q+EZ?EZ?" },
	{ "ReadyForQuery that nobody asked for", "Z!" },
	{ "ReadyForQuery within a batch without Sync", "pZ!" },
};

static bool sent(struct expect *e, int kind)
{
	return expect_sent(e, &(struct expect_entry){ .kind = (uint8_t)kind });
}

static void run(const char *what, const char *script)
{
	struct expect e;
	bool ours = true;
	char at[128];

	expect_init(&e);
	for (const char *s = script; *s; s++) {
		(void)snprintf(at, sizeof at, "%s: %s at %d", what, script, (int)(s - script));
		switch (*s) {
		case 'p':
			check(at, sent(&e, EXPECT_EXECUTE));
			break;
		case 'q':
			check(at, sent(&e, EXPECT_QUERY));
			break;
		case 's':
			check(at, sent(&e, EXPECT_SYNC));
			break;
		case 'r':
			expect_reply(&e);
			break;
		case '?':
			check(at, e.unsure && !expect_is_empty(&e));
			break;
		case '0':
			check(at, e.count == 0);
			break;
		case 'c':
			check(at, sent(&e, EXPECT_COPY_END));
			break;
		case 'Z':
			ours = expect_ready(&e);
			break;
		case 'E':
			expect_error(&e);
			break;
		case 'G':
			expect_copy_in(&e);
			break;
		case '.':
			check(at, expect_is_empty(&e) && ours);
			break;
		case '+':
			check(at, !expect_is_empty(&e) && ours);
			break;
		case '!':
			check(at, !ours);
			break;
		default:
			check(at, false);
		}
	}
	expect_free(&e);
}

static void test_scripts(void)
{
	for (size_t i = 0; i < COUNT(cases); i++)
		run(cases[i].what, cases[i].script);
}

/* A long queue wraps around, grows, and keeps its order. */
static void test_growth(void)
{
	struct expect e;
	expect_init(&e);
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < EXPECT_MAX; i++) {
			check("not yet full", !expect_is_full(&e));
			check("sent", sent(&e, i % 3 ? EXPECT_QUERY : EXPECT_SYNC));
		}
		check("full", expect_is_full(&e));
		for (unsigned i = 0; i < EXPECT_MAX; i++)
			check("answered", expect_ready(&e));
		check("at rest", expect_is_empty(&e));
		check("nothing more is owed", !expect_ready(&e));
		for (unsigned i = 0; i < 5; i++) { /* so that the next round begins elsewhere in the ring */
			check("sent", sent(&e, EXPECT_QUERY));
			check("answered", expect_ready(&e));
		}
	}
	expect_free(&e);
}

/* Beyond what is let in, what the house itself asks for still fits, up to what can be counted. */
static void test_too_many(void)
{
	struct expect e;
	unsigned n = 0;
	expect_init(&e);
	while (n < 100000 && sent(&e, EXPECT_CLOSE))
		n++;
	check("more than clients can have", n >= 2 * EXPECT_MAX);
	check("and no more than can be counted", n <= UINT16_MAX && n == e.count);
	expect_free(&e);
}

/* What becomes of each message, as `gone` hears it: a letter for the entry, and how it ended. */
static char heard[256];

static void note(struct expect *e, const struct expect_entry *x, enum expect_end how)
{
	(void)e;
	size_t n = strlen(heard);
	heard[n++] = *(const char *)(const void *)x->name;
	heard[n++] = "+!-"[how];
	heard[n] = 0;
}

/* Sent: a letter, a batch message of that name; S Sync, Q Query; (a) an invented one. Said: 1 reply, 2 ErrorResponse, 3
 * ReadyForQuery, 4: the invented one's turn has come. */
static const struct {
	const char *script, *heard;
} ends[] = {
	{ "abcS1113", "a+b+c+" },     { "abcS123", "a+c-b!" }, /* of those that are skipped the last one first */
	{ "abSc231", "b-a!c+" },      { "abS12cd", "a+b!" },
	{ "ab12cdS3e1", "a+b!e+" }, /* c and d were sent to one that skips */
	{ "(a)bS413", "a+b+" },       { "a(b)cS14", "a+b+" },
	{ "a(b)(c)dS2", "d-c-b-a!" }, { "aQbS13", "a+" },
	{ "aQbS2", "b-a!" },          { "ab", "" },
};

static void test_ends(void)
{
	for (size_t i = 0; i < COUNT(ends); i++) {
		struct expect e;
		bool invented = false;
		expect_init(&e);
		e.gone = note;
		*heard = 0;
		for (const char *s = ends[i].script; *s; s++) {
			struct expect_entry x = { .kind = EXPECT_PARSE, .flags = invented ? EXPECT_INVENTED : 0 };
			if (*s == '(' || *s == ')') {
				invented = *s == '(';
				continue;
			}
			switch (*s) {
			case 'S':
			case 'Q':
				check(ends[i].script, sent(&e, *s == 'S' ? EXPECT_SYNC : EXPECT_QUERY));
				break;
			case '1':
				expect_reply(&e);
				break;
			case '2':
				expect_error(&e);
				break;
			case '3':
				check(ends[i].script, expect_ready(&e));
				break;
			case '4':
				check(ends[i].script, expect_next(&e)->flags == EXPECT_INVENTED);
				expect_told(&e);
				break;
			default:
				x.name = (struct pg_name *)(void *)(uintptr_t)s;
				check(ends[i].script, expect_sent(&e, &x));
			}
		}
		check_str(ends[i].script, heard, ends[i].heard);
		unsigned left = e.count;
		size_t before = strlen(heard);
		expect_free(&e);
		check("what is left is skipped",
		      strlen(heard) <= before + 2ul * left && e.count == 0 && e.invented == 0);
	}
}

static void test_questions(void)
{
	static const struct {
		const char *sent; /* B Q S C: as the kinds; e: an error, z: ready */
		unsigned owed;
		bool needs_sync;
	} rows[] = {
		{ "", 0, false },       { "Q", 1, false },  { "B", 0, true },   { "BS", 1, false },  { "BSB", 1, true },
		{ "BBSQQS", 4, false }, { "BC", 0, true },  { "QC", 1, false }, { "BCS", 1, false }, { "Be", 0, true },
		{ "BeS", 1, false },    { "BQe", 0, true }, { "QBz", 0, true }, { "BSz", 0, false },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct expect e;
		expect_init(&e);
		for (const char *at = rows[i].sent; *at; at++) {
			if (*at == 'e')
				expect_error(&e);
			else if (*at == 'z')
				check(rows[i].sent, expect_ready(&e));
			else
				check(rows[i].sent, sent(&e, *at == 'B'   ? EXPECT_BIND
							     : *at == 'Q' ? EXPECT_QUERY
							     : *at == 'S' ? EXPECT_SYNC
									  : EXPECT_COPY_END));
		}
		check_eq(rows[i].sent, expect_owed(&e), rows[i].owed);
		check_eq(rows[i].sent, expect_needs_sync(&e), rows[i].needs_sync);
		expect_free(&e);
	}
}

void suite_expect(void)
{
	static const struct unit_test tests[] = {
		{ "what is sent and said", test_scripts },
		{ "a long queue", test_growth },
		{ "too many", test_too_many },
		{ "what becomes of each", test_ends },
		{ "what is owed, and what is open", test_questions },
		{ NULL, NULL },
	};
	unit_add("pg/expect", tests);
}
