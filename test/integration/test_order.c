/* test_order.c - messages in an order that no driver would send: whatever was said, and however it ended, the server is
 * given back; and whatever others do to the tables and the statements meanwhile, each stays in step. PostgreSQL docs,
 * Message Flow. The environment's ORDER_SEED and ORDER_RUNS have it go on for longer. */
#include "harness.h"
#include "pgraw.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNS 60u

static uint64_t seed;
static char *said; /* what the client under way has said, for who reads of a failure */

static const char *const texts[] = { "select 1",
				     "selec",
				     "",
				     "begin",
				     "commit",
				     "rollback",
				     "select 1; select 1/0",
				     "savepoint a",
				     "set work_mem = '5MB'",
				     "set standard_conforming_strings = off",
				     "reset all",
				     "prepare p as select 1",
				     "execute p",
				     "execute s",
				     "set work_mem = '6MB'; execute s",
				     "explain execute p",
				     "deallocate p",
				     "deallocate all",
				     "discard all",
				     "copy ordered from stdin",
				     "copy ordered to stdout",
				     "copy ordered from stdin; execute p",
				     "listen a",
				     "declare d cursor with hold for select 1",
				     "select generate_series(1, 100)" };
static const char *const names[] = { "", "s", "p", "nothing" };
static const char *const portals[] = { "", "c", "d" };

static const char *one_of(const char *const *list, size_t n)
{
	return list[chance(&seed) % n];
}
#define ONE_OF(list) one_of((list), COUNT(list))

static void note(char type, const char *a, const char *b)
{
	said = text("%s %c(%s%s%s)", said, type, a, *b ? ", " : "", b);
}

/* A well-framed message; now and then its body is none of its kind. */
static void add_message(struct pgraw_bytes *to)
{
	static const char types[] = "QQQQPPPBBBEEEDDCSSHdcfF";
	char type = types[chance(&seed) % (sizeof types - 1)];
	const char *a = "", *b = "";
	bool is_odd = chance(&seed) % 40 == 0;
	size_t at = pgraw_begin(to, type);
	switch (is_odd ? '\0' : type) {
	case 'Q':
		pgraw_add_cstr(to, a = ONE_OF(texts));
		break;
	case 'P':
		pgraw_add_cstr(to, a = ONE_OF(names));
		pgraw_add_cstr(to, b = ONE_OF(texts));
		pgraw_add_u16(to, 0);
		break;
	case 'B':
		pgraw_add_cstr(to, a = ONE_OF(portals));
		pgraw_add_cstr(to, b = ONE_OF(names));
		pgraw_add_u16(to, 0);
		pgraw_add_u16(to, 0);
		pgraw_add_u16(to, 0);
		break;
	case 'E':
		pgraw_add_cstr(to, a = ONE_OF(portals));
		pgraw_add_u32(to, (uint32_t)(chance(&seed) % 2));
		break;
	case 'D':
	case 'C':
		b = chance(&seed) % 2 ? "S" : "P";
		pgraw_add(to, b, 1);
		pgraw_add_cstr(to, a = *b == 'S' ? ONE_OF(names) : ONE_OF(portals));
		break;
	case 'd':
		pgraw_add(to, "1\n", 2);
		break;
	case 'f':
		pgraw_add_cstr(to, "enough");
		break;
	case 'F': /* version() */
		pgraw_add_u32(to, 89);
		pgraw_add_u16(to, 0);
		pgraw_add_u16(to, 0);
		pgraw_add_u16(to, 0);
		break;
	case '\0':
		pgraw_add(to, "\0\0\0\0\0", (size_t)(chance(&seed) % 6));
		a = "odd";
		break;
	default:
		break;
	}
	pgraw_end(to, at);
	note(type, a, b);
}

static void add_simple(struct pgraw_bytes *to, char type, const char *body)
{
	size_t at = pgraw_begin(to, type);
	if (body)
		pgraw_add_cstr(to, body);
	pgraw_end(to, at);
	note(type, body ? body : "", "");
}

/* What takes it back to rest, whatever it is in; but who wants to copy may have lost count. */
static void add_rest(struct pgraw_bytes *to)
{
	add_simple(to, 'S', NULL);
	add_simple(to, 'Q', "rollback");
	add_simple(to, 'Q', "discard all");
}

static bool says_copy(void)
{
	return strstr(said, "copy ordered from") != NULL;
}

static void one_client(PGconn *probe, uint64_t number)
{
	struct pgraw r = { .fd = -1 };
	struct pgraw_bytes b = { 0 };
	said = text("%s", "");
	if (!pgraw_open(&r, sluice_port(), "alice", "test", NULL)) {
		check("it gets in", false);
		return;
	}
	uint64_t writes = 1 + chance(&seed) % 3;
	while (writes-- > 0) {
		for (uint64_t n = 1 + chance(&seed) % 6; n > 0; n--)
			add_message(&b);
		(void)pgraw_send(&r, &b); /* it may have been refused */
		b.n = 0;
		said = text("%s |", said);
		(void)pgraw_read(&r);
	}
	bool stays = chance(&seed) % 2 && !says_copy();
	if (stays)
		add_rest(&b);
	else if (chance(&seed) % 2)
		add_simple(&b, 'S', NULL);
	(void)pgraw_send(&r, &b);
	if (!stays)
		pgraw_close(&r, chance(&seed) % 2);
	sql_start(probe, "select 'served'");
	wait_until(text("%llu: the server is given back, seed %llu:%s, and %s", (unsigned long long)number,
			(unsigned long long)seed, said, stays ? "stays" : "leaves"),
		   is_answered(probe));
	check_str("the next client", sql_finish(probe), "served");
	if (stays)
		pgraw_close(&r, true);
	free(b.p);
}

static uint64_t number_of(const char *name, uint64_t or_else)
{
	const char *s = getenv(name);
	return s ? strtoull(s, NULL, 10) : or_else;
}

static void test_given_back(void)
{
	sluice_with("default_pool_size = 1\n");
	PGconn *probe = client(NULL);
	sql(probe, "create table if not exists ordered (n int)");
	seed = number_of("ORDER_SEED", 20);
	for (uint64_t i = 0, runs = number_of("ORDER_RUNS", RUNS); i < runs; i++)
		one_client(probe, i);
	PGconn *boss = console();
	wait_until("there is one server", show_int(boss, "pools", "database", "test", "sv_idle") == 1);
	check_scalar(probe, "show work_mem", "4MB");
}

/* --- Tables change, and servers lose what was prepared, while clients execute it */

#define PLAYERS 3

static uint32_t odd; /* a type that PREPARE is not given by name */

struct player {
	struct pgraw r;
	struct pgraw_bytes b;
	unsigned owed;   /* ReadyForQuery */
	char *said;      /* since all was answered last */
	bool is_batch;   /* one is open */
	uint32_t behind; /* bytes of a long Query that are to be said */
};

static const char *const played[] = { "execute p",
				      "execute s",
				      "execute e ('one')",
				      "execute p; select 2",
				      "select 1; execute s",
				      "explain (costs off) execute p",
				      "select 1",
				      "begin",
				      "commit",
				      "rollback",
				      "set search_path = public, pg_temp",
				      "set local search_path = public",
				      "reset search_path",
				      "notify somebody",
				      "listen anybody" };
static const char *const statements[] = { "s", "s", "p", "e" };

static void play_query(struct player *a, const char *query)
{
	size_t at = pgraw_begin(&a->b, 'Q');
	pgraw_add_cstr(&a->b, query);
	pgraw_end(&a->b, at);
	a->owed++;
	a->said = text("%s Q(%s)", a->said, query);
}

static void play_target(struct player *a, char type, char of, const char *name)
{
	size_t at = pgraw_begin(&a->b, type);
	pgraw_add(&a->b, &of, 1);
	pgraw_add_cstr(&a->b, name);
	pgraw_end(&a->b, at);
}

static void play_bind(struct player *a, const char *name)
{
	size_t at = pgraw_begin(&a->b, 'B');
	pgraw_add_cstr(&a->b, "");
	pgraw_add_cstr(&a->b, name);
	pgraw_add_u16(&a->b, 0);
	pgraw_add_u16(&a->b, *name == 'e');
	if (*name == 'e') {
		pgraw_add_u32(&a->b, 3);
		pgraw_add(&a->b, "one", 3);
	}
	pgraw_add_u16(&a->b, 0);
	pgraw_end(&a->b, at);
}

static void play_execute(struct player *a)
{
	size_t at = pgraw_begin(&a->b, 'E');
	pgraw_add_cstr(&a->b, "");
	pgraw_add_u32(&a->b, 0);
	pgraw_end(&a->b, at);
}

static void play_empty(struct player *a, char type)
{
	pgraw_end(&a->b, pgraw_begin(&a->b, type));
	a->owed += type == 'S';
	a->is_batch &= type != 'S';
}

static void play_batch_message(struct player *a)
{
	const char *name = ONE_OF(statements);
	char type = "BBBBDDEESSH"[chance(&seed) % 11];
	a->is_batch = true;
	a->said = text("%s %c%s", a->said, type, type == 'B' || type == 'D' ? name : "");
	if (type == 'B') {
		play_bind(a, name);
		if (chance(&seed) % 3 == 0)
			play_target(a, 'D', 'P', "");
		if (chance(&seed) % 4)
			play_execute(a);
	} else if (type == 'D') {
		play_target(a, 'D', 'S', name);
	} else if (type == 'E') {
		play_execute(a);
	} else {
		play_empty(a, type);
	}
}

#define LONG_QUERY 70000u

/* Its first half now, and the rest before anything else. */
static void play_long(struct player *a)
{
	static char query[LONG_QUERY];
	memset(query, ' ', sizeof query - 1);
	memcpy(query, "select 1", 8);
	play_query(a, query);
	a->said = text("%.*s(long)", (int)(strstr(a->said, "select 1  ") - a->said), a->said);
	a->behind = LONG_QUERY / 2;
}

static void play_send(struct player *a)
{
	size_t first = a->b.n > a->behind ? a->b.n - a->behind : 0;
	struct pgraw_bytes part = { a->b.p, first, 0 };
	(void)pgraw_send(&a->r, &part);
	memmove(a->b.p, a->b.p + first, a->b.n - first);
	a->b.n -= first;
	a->said = text("%s |", a->said);
}

static unsigned count_ready(const struct pgraw *r)
{
	unsigned n = 0;
	for (size_t i = 0; i < r->nheard; i++)
		n += r->heard[i].line[0] == 'Z';
	return n;
}

/* What none of them did is no error of theirs. */
static bool may_be_told(const char *line)
{
	static const char *const states[] = { "0A000", "25P02", "34000", "26000", "42704" };
	for (size_t i = 0; i < COUNT(states); i++)
		if (strncmp(line, text("E ERROR %s", states[i]), strlen("E ERROR 00000")) == 0)
			return !strstr(line, "SLUICE_");
	return false;
}

static void check_heard(struct player *a, const char *when)
{
	for (size_t i = 0; i < a->r.nheard; i++) {
		const char *line = a->r.heard[i].line;
		if (line[0] == 'E' && !may_be_told(line))
			check_str(text("%s:%s", when, a->said), line, "");
	}
	pgraw_forget(&a->r);
}

static void play_start(struct player *a)
{
	size_t at;
	*a = (struct player){ .r = { .fd = -1 }, .said = text("%s", "") };
	require("it gets in", pgraw_open(&a->r, sluice_port(), "alice", "test", NULL));
	at = pgraw_begin(&a->b, 'P');
	pgraw_add_cstr(&a->b, "s");
	pgraw_add_cstr(&a->b, "select * from changing");
	pgraw_add_u16(&a->b, 0);
	pgraw_end(&a->b, at);
	at = pgraw_begin(&a->b, 'P');
	pgraw_add_cstr(&a->b, "e");
	pgraw_add_cstr(&a->b, "select $1::odd, * from changing");
	pgraw_add_u16(&a->b, 1);
	pgraw_add_u32(&a->b, odd);
	pgraw_end(&a->b, at);
	play_empty(a, 'S');
	play_query(a, "prepare p as select * from changing");
}

static void play_to_rest(struct player *a, const char *when)
{
	if (a->is_batch)
		play_empty(a, 'S');
	play_query(a, "rollback");
	play_send(a);
	a->behind = 0;
	play_send(a);
	wait_until(text("%s: each answer comes: %s", when, a->said),
		   (pgraw_read(&a->r), a->r.closed || count_ready(&a->r) >= a->owed));
	check(text("%s: it stays: %s", when, a->said), !a->r.closed);
	check_eq(text("%s: no answer is too many: %s", when, a->said), count_ready(&a->r), a->owed);
	check_heard(a, when);
	a->owed = 0;
	a->said = text("%s", "");
}

static void change(PGconn *by, PGconn *through)
{
	static const char *const changes[] = { "alter table changing add column if not exists more int",
					       "alter table changing drop column if exists more",
					       "alter table changing alter column n type bigint",
					       "alter table changing alter column n type int" };
	static const char *const losses[] = { "discard all", "deallocate all", "select lose()" };
	if (chance(&seed) % 4)
		PQclear(PQexec(by, ONE_OF(changes))); /* it gives way to who has it locked */
	else
		sql_start(through, ONE_OF(losses));
}

static void one_game(PGconn *by, PGconn *through, uint64_t number)
{
	const char *when = text("%llu, seed %llu", (unsigned long long)number, (unsigned long long)seed);
	struct player all[PLAYERS];
	for (int i = 0; i < PLAYERS; i++) {
		play_start(&all[i]);
		play_to_rest(&all[i], when);
	}
	for (uint64_t n = 4 + chance(&seed) % 16; n > 0; n--) {
		struct player *a = &all[chance(&seed) % PLAYERS];
		if (chance(&seed) % 3 == 0) {
			(void)sql_last(through);
			change(by, through);
			continue;
		}
		if (a->behind) {
			a->behind = 0;
			play_send(a);
		}
		for (uint64_t k = 1 + chance(&seed) % 4; k > 0 && !a->behind; k--) {
			if (a->is_batch || chance(&seed) % 2) {
				play_batch_message(a);
			} else if (chance(&seed) % 12 == 0) {
				play_long(a);
			} else {
				play_query(a, ONE_OF(played));
			}
		}
		play_send(a);
		(void)pgraw_read(&a->r);
		if (chance(&seed) % 3 == 0)
			play_to_rest(a, when);
	}
	for (int i = 0; i < PLAYERS; i++) {
		play_to_rest(&all[i], when);
		play_query(&all[i], "discard all");
		play_to_rest(&all[i], when);
	}
	(void)sql_last(through);
	for (int i = 0; i < PLAYERS; i++) {
		pgraw_close(&all[i].r, chance(&seed) % 2);
		free(all[i].b.p);
	}
}

static void test_changes(void)
{
	PGconn *by = client_to_pg(NULL);
	sql(by, "set client_min_messages = warning; set lock_timeout = '5ms';"
		"drop table if exists changing; drop type if exists odd;"
		"create type odd as enum ('one'); create table changing as select 1 as n, 2 as m;"
		"create or replace function lose() returns void language plpgsql as "
		"$$ begin execute 'deallocate all'; end $$");
	odd = (uint32_t)strtoul(scalar(by, "select 'odd'::regtype::oid::text"), NULL, 10);
	sluice_with("default_pool_size = 4\n"); /* nobody waits for who is in the middle of something */
	PGconn *through = client(NULL);
	seed = number_of("ORDER_SEED", 20);
	for (uint64_t i = 0, runs = number_of("ORDER_RUNS", RUNS); i < runs; i++)
		one_game(by, through, i);
	PGconn *boss = console();
	wait_until("all are given back", show_int(boss, "pools", "database", "test", "sv_active") == 0);
	sql(by, "drop function lose(); drop table changing; drop type odd");
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "changes", test_changes },
		{ "given_back", test_given_back },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "order", tests);
}
