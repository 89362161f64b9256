/* test_pool.c - who gets a server, and of which host and kind one is opened. */
#include "unit.h"

#include "pool_lab.h"

#include "core/loop.h"

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

void suite_pool(void)
{
	static const struct unit_test tests[] = {
		{ "next host", test_next_host },
		{ "own kind", test_own_kind },
		{ NULL, NULL },
	};
	unit_add("pool", tests);
}
