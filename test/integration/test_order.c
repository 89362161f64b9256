/* test_order.c - messages in an order that no driver would send: whatever was said, and however it ended, the server is
 * given back. PostgreSQL docs, Message Flow. The environment's ORDER_SEED and ORDER_RUNS have it go on for longer. */
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
	check_eq("there is one server", show_int(boss, "pools", "database", "test", "sv_idle"), 1);
	check_scalar(probe, "show work_mem", "4MB");
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "given_back", test_given_back },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "order", tests);
}
