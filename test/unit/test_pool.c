/* test_pool.c - who gets a server, and of which host and kind one is opened. */
#include "unit.h"

#include "clock.h"
#include "pool_lab.h"

#include "core/loop.h"

#include <stdio.h>

/* Of hosts that are in service none is passed over for one whose breaker is open, whatever the pool has noted of them.
 */
static void test_next_host(void)
{
	if (lab_begin("shop = host=10.0.0.1,10.0.0.2,10.0.0.3", "server_login_retry = 15", NULL)) {
		struct pool *p = lab_pool("shop", "anna");
		struct database *db = p->db;
		for (uint32_t first = 0; first < 3; first++)
			for (unsigned noted = 0; noted < 8; noted++)
				for (unsigned open = 0; open < 8; open++) {
					p->failed_hosts = noted;
					p->host_tried_ms = loop_now();
					for (uint32_t i = 0; i < 3; i++)
						db->hosts[i]->breaker =
							(struct breaker){ .state = open & 1u << i ? BREAKER_OPEN
												  : BREAKER_CLOSED,
									  .since_ms = loop_now() };
					db->next_host = first;
					const struct host *h = pool_next_host(p);
					unsigned at = 0;
					while (at < 3 && db->hosts[at] != h)
						at++;
					check("none when all are out", (h == NULL) == (open == 7));
					check("one that is in", !h || !(open & 1u << at));
					check("one that is not noted, where there is one",
					      !h || !(noted & 1u << at) || (noted | open) == 7);
				}
	}
	lab_finish();
}

/* Who wants one of his own gets his kind, whoever stands before him. */
static void test_own_kind(void)
{
	struct lab_client a = { .server = NULL }, b = a, w = a, own = a;
	if (lab_begin("shop = host=@HOST@ pool_size=2", NULL, NULL)) {
		struct pool *p = lab_pool("shop", "anna");
		lab_want(&a, p, 3);
		lab_want(&b, p, 3);
		lab_settle();
		check("both have one", a.server && b.server);
		lab_give(&b);
		lab_want(&w, p, 1); /* what is idle makes room for it */
		own.wait.is_own = true;
		lab_want(&own, p, 2);
		lab_settle();
		check("it has one", own.server != NULL);
		check_eq("of its kind", own.server ? own.server->kind : 0, 2);
		lab_give(&own);
		lab_settle();
		check_eq("then the other", w.server ? w.server->kind : 0, 1);
		lab_leave(&a);
		lab_leave(&w);
	}
	lab_finish();
}

/* --- Whose turn it is */

#define MANY 20

/* Each of n wants one, whatever it had before. */
static void want_all(struct lab_client *c, unsigned n, struct pool *p, const char *user)
{
	for (unsigned i = 0; i < n; i++) {
		c[i].wait.user = lab_user(user);
		if (!c[i].server && (!c[i].wait.in_line.next || list_empty(&c[i].wait.in_line)))
			lab_want(&c[i], p, 0);
	}
}

static void give_all(struct lab_client *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (c[i].server)
			lab_give(&c[i]);
}

static void leave_all(struct lab_client *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		lab_leave(&c[i]);
	lab_settle();
}

static unsigned granted_to(const struct lab_client *c, unsigned n)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < n; i++)
		sum += c[i].granted;
	return sum;
}

/* Many of anna and few of bert, who want again whenever they have had one. What bert's users have had is told in
 * hundredths of all. */
static const struct {
	const char *what, *dbs, *settings, *users;
	unsigned few, least, most;
	unsigned skip_ms; /* that pass in each turn */
} shares[] = {
	{ "users of a pool, as one is forced upon them", "shop = host=@HOST@ user=anna pool_size=2", NULL, NULL, 2, 48,
	  52, 0 },
	{ "one of him", "shop = host=@HOST@ user=anna pool_size=1", NULL, NULL, 1, 30, 52, 0 },
	{ "by weight", "shop = host=@HOST@ user=anna pool_size=2", NULL, "bert = weight=3", MANY, 73, 77, 0 },
	{ "by the other's weight", "shop = host=@HOST@ user=anna pool_size=2", NULL, "anna = weight=4", MANY, 18, 22,
	  0 },
	{ "places of a database", "shop = host=@HOST@ max_active=2", NULL, NULL, MANY, 48, 52, 0 },
	{ "and few of him", "shop = host=@HOST@ max_active=2", NULL, NULL, 2, 48, 52, 0 },
	{ "places by weight", "shop = host=@HOST@ max_active=2", NULL, "anna = weight=3", MANY, 23, 27, 0 },
	{ "one place", "shop = host=@HOST@ max_active=1", NULL, "bert = weight=2", MANY, 64, 69, 0 },
	{ "connections of a database", "shop = host=@HOST@ max_db_connections=4", NULL, NULL, MANY, 45, 52, 0 },
	{ "connections by weight", "shop = host=@HOST@ max_db_connections=8", NULL, "anna = weight=3", MANY, 20, 27,
	  0 },
	{ "connections for more than want them", "shop = host=@HOST@ max_db_connections=10", NULL, NULL, 1, 8, 12, 0 },
	{ "one connection, in turn", "shop = host=@HOST@ max_db_connections=1", NULL, NULL, 2, 45, 55, 30 },
	{ "tokens of a database", "shop = host=@HOST@ rate_limit=100", NULL, NULL, 2, 45, 52, 20 },
	{ "tokens by weight", "shop = host=@HOST@ rate_limit=100", NULL, "bert = weight=2", MANY, 64, 69, 20 },
};

static void test_shares(void)
{
	for (size_t i = 0; i < COUNT(shares); i++) {
		static const struct lab_client none;
		struct lab_client a[MANY], b[MANY];
		unsigned few = shares[i].few;
		char what[200];
		for (unsigned k = 0; k < MANY; k++)
			a[k] = b[k] = none;
		if (lab_begin(shares[i].dbs, shares[i].settings, shares[i].users)) {
			struct pool *pa = lab_pool("shop", "anna"), *pb = lab_pool("shop", "bert");
			for (unsigned turn = 0; turn < 400; turn++) {
				want_all(a, MANY, pa, "anna");
				if (turn > 3)
					want_all(b, few, pb, "bert");
				clock_skip(shares[i].skip_ms);
				lab_settle();
				give_all(a, MANY);
				give_all(b, few);
			}
			unsigned of_b = granted_to(b, few), all = of_b + granted_to(a, MANY);
			snprintf(what, sizeof what, "%s: %u of %u", shares[i].what, of_b, all);
			check(what, 100 * of_b >= shares[i].least * all && 100 * of_b <= shares[i].most * all);
			leave_all(a, MANY);
			leave_all(b, few);
		}
		lab_finish();
	}
}

void suite_pool(void)
{
	static const struct unit_test tests[] = {
		{ "next host", test_next_host },
		{ "own kind", test_own_kind },
		{ "shares", test_shares },
		{ NULL, NULL },
	};
	unit_add("pool", tests);
}
