/* fuzz_mysql_expect.c - what a MySQL server owes. The input: a byte of capabilities, a byte for how many commands,
 * their bytes, and then what the server says: packets as on the wire, whose lengths are cut to what is there. */
#include "fuzz.h"

#include "mysql/expect.h"

#include <stdlib.h>
#include <string.h>

static unsigned gone_count;

static void gone(struct mysql_expect *e, const struct mysql_expect_entry *x, enum mysql_expect_end how)
{
	(void)e;
	(void)x;
	(void)how;
	gone_count++;
}

static uint64_t caps_of(uint8_t bits)
{
	static const uint64_t caps[] = { MYSQL_CAP_DEPRECATE_EOF, MYSQL_CAP_SESSION_TRACK, MARIADB_CAP_PROGRESS,
					 MYSQL_CAP_OPTIONAL_METADATA, MARIADB_CAP_CACHE_METADATA };
	uint64_t all = 0;
	for (unsigned i = 0; i < sizeof caps / sizeof caps[0]; i++)
		all |= bits & 1u << i ? caps[i] : 0;
	return all;
}

/* The same packet, if all of it is there, as one of those that say nothing. */
static size_t say_plainly(struct mysql_expect *twin, uint32_t len, const uint8_t *p, size_t n)
{
	uint64_t rows = 0;
	uint8_t seq;
	if (n < len || len >= MYSQL_PAYLOAD_MAX)
		return 0;
	uint8_t *whole = fuzz_exact(NULL, MYSQL_HEADER + len);
	for (unsigned i = 0; i < 3; i++)
		whole[i] = (uint8_t)(len >> 8 * i);
	whole[3] = 1;
	memcpy(whole + MYSQL_HEADER, p, len);
	size_t plain = mysql_expect_plain(twin, whole, MYSQL_HEADER + len, &rows, &seq);
	fuzz_check("all of it or nothing", plain == 0 || plain == MYSQL_HEADER + len);
	fuzz_free(whole);
	return plain;
}

/* One packet of len bytes, of which n are there. False: it cannot be. */
static bool say(struct mysql_expect *e, uint32_t len, const uint8_t *p, size_t n)
{
	struct mysql_seen seen;
	uint8_t first = n ? *p : 0;
	unsigned count = e->count;
	bool is_row = mysql_expect_is_row(e, len, first);
	size_t need = len ? 1 : 0;
	if (mysql_expect_need(e, len, first) == MYSQL_NEED_ALL)
		need = len;
	if (need > n) {
		need = MYSQL_EXPECT_FRONT;
		if (need > n)
			return false;
	}
	struct mysql_expect twin = *e;
	twin.ring = e->ring == e->few ? twin.few : e->ring;
	size_t plain = say_plainly(&twin, len, p, n);
	uint8_t *copy = fuzz_exact(p, need);
	bool ok = mysql_expect_packet(e, len, rd_of(copy, need), &seen);
	fuzz_check("nothing answers nothing", count || !ok);
	fuzz_check("who sends a file hears nothing", !ok || !e->wants_file || seen.said == MYSQL_SAID_FILE);
	fuzz_check("a row says nothing", !is_row || (ok && !seen.is_end && seen.said == MYSQL_SAID_NOTHING));
	fuzz_check("what is plain says nothing", !plain || (ok && !seen.is_end && seen.said == MYSQL_SAID_NOTHING));
	fuzz_check("and leaves the same", !plain || (twin.phase == e->phase && twin.columns == e->columns));
	fuzz_check("it does not leave by itself", e->count == count);
	if (ok && seen.said == MYSQL_SAID_ERR)
		fuzz_check("an error ends", seen.is_end);
	if (ok && seen.is_end) {
		mysql_expect_done(e, MYSQL_EXPECT_ANSWERED);
		fuzz_check("the next one is fresh", mysql_expect_is_fresh(e) && !e->wants_file);
	}
	if (ok && e->wants_file)
		mysql_expect_file_sent(e);
	fuzz_free(copy);
	return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mysql_expect e;
	struct rd in = rd_of(data, size);
	unsigned sent = 0;

	mysql_expect_init(&e);
	e.gone = gone;
	gone_count = 0;
	e.caps = caps_of(rd_u8(&in));
	for (unsigned n = rd_u8(&in); n && rd_left(&in); n--) {
		uint8_t com = rd_u8(&in);
		enum mysql_expect_kind kind = mysql_expect_of(com);
		if (kind == MYSQL_EXPECT_NOTHING)
			continue;
		if (!mysql_expect_sent(&e, &(struct mysql_expect_entry){ .kind = (uint8_t)kind,
									 .com = com,
									 .flags = n % 2 ? MYSQL_EXPECT_CURSOR : 0 }))
			abort();
		sent++;
	}
	for (;;) {
		uint32_t len;
		uint8_t seq;
		if (!mysql_head(&in, &len, &seq))
			break;
		(void)rd_take(&in, MYSQL_HEADER);
		size_t n = len < rd_left(&in) ? len : rd_left(&in);
		const uint8_t *p = rd_take(&in, n);
		if (!say(&e, len, p, n))
			break;
	}
	mysql_expect_free(&e);
	fuzz_check("each has left once", gone_count == sent);
	return 0;
}
