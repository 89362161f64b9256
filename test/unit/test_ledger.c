/* test_ledger.c - the books: they balance, and what does not is found. */
#include "unit.h"

#include "conf_files.h"

#include "core/buf.h"
#include "core/loop.h"
#include "session/ledger.h"
#include "session/session.h"

#include <string.h>

static bool begin(struct pool **p)
{
	struct conf_told said = { .errors = 0 };
	struct fault f;
	conf_dir();
	conf_text("u", "\"anna\" \"x\"\n");
	struct config *c = config_load(conf_text("main.ini", "[databases]\nshop = host=10.0.0.1\n[sluice]\n"
							     "auth_file = u\n"),
				       true, conf_report, &said);
	if (!check(said.text, c != NULL) || !check("loop", loop_init(&f)))
		return false;
	config_set(c);
	deadlines_init();
	databases_init();
	sessions_init();
	databases_reload();
	struct database *db = database_find("shop", &f);
	*p = pool_find(db, user_find("anna", false));
	return check("a pool", *p != NULL);
}

static void finish(void)
{
	sessions_free();
	pools_free();
	loop_turn(false);
	databases_free();
	deadlines_free();
	loop_free();
	buf_trim();
	config_set(NULL);
	conf_clean();
}

/* What one line of the books being wrong by one is called. */
static void test_breaches(void)
{
	struct pool *p;
	struct ledger l;
	struct sb dump = { .max = 0 };
	if (!begin(&p))
		return;
	struct server sv = { .pool = p, .state = SERVER_IDLE, .host = p->db->hosts[0] };
	list_push(&p->by_state[SERVER_IDLE], &sv.in_state);
	p->count[SERVER_IDLE]++;
	p->db->servers++;
	p->db->hosts[0]->servers++;
	check("balances", ledger_balances(&l, &dump));
	check_str("nothing to tell", sb_str(&dump), "");
	check_eq("servers", l.servers, 1);
	check_eq("idle", l.idle, 1);

	const struct {
		uint32_t *number;
		const char *what;
	} rows[] = {
		{ &p->count[SERVER_IDLE], "servers of a state" },
		{ &p->count[SERVER_DEAD], "servers of a state" },
		{ &p->nwaiting, "those in line" },
		{ &p->nwaiting_own, "for a server of their own" },
		{ &p->own_opening, "that are opened" },
		{ &p->own_active, "that are in use" },
		{ &p->napart, "not lent" },
		{ &p->nclients, "clients of pools" },
		{ &p->db->servers, "servers of the database" },
		{ &p->db->hosts[0]->servers, "by their hosts" },
		{ &p->db->clients_in, "clients of databases" },
		{ &p->db->clients, "with those that log in" },
		{ &p->user->clients, "clients of users" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (int by = -1; by <= 1; by += 2) {
			sb_free(&dump);
			*rows[i].number += (uint32_t)by;
			check(rows[i].what, !ledger_balances(&l, &dump));
			check(sb_str(&dump), strstr(sb_str(&dump), rows[i].what) != NULL);
			*rows[i].number -= (uint32_t)by;
		}
	}
	sb_free(&dump);
	sv.state = SERVER_ACTIVE;
	check("in the wrong list", !ledger_balances(&l, &dump));
	check(sb_str(&dump), strstr(sb_str(&dump), "in the list of state") != NULL);
	sb_free(&dump);
	list_del(&sv.in_state);
	list_push(&p->by_state[SERVER_ACTIVE], &sv.in_state);
	p->count[SERVER_IDLE]--;
	p->count[SERVER_ACTIVE]++;
	check("lent to nobody", !ledger_balances(&l, &dump));
	check(sb_str(&dump), strstr(sb_str(&dump), "linked to nobody") != NULL);
	sb_free(&dump);
	struct session s = { .server = NULL };
	sv.session = &s;
	check("to a client who does not know", !ledger_balances(&l, &dump));
	check(sb_str(&dump), strstr(sb_str(&dump), "not linked to it") != NULL);
	sb_free(&dump);
	s.server = &sv;
	check("balances", ledger_balances(&l, &dump));
	check_eq("linked", l.linked, 1);
	sb_free(&dump);

	list_del(&sv.in_state);
	p->count[SERVER_ACTIVE]--;
	p->db->servers--;
	p->db->hosts[0]->servers--;
	finish();
}

void suite_ledger(void)
{
	static const struct unit_test tests[] = { { "what does not balance", test_breaches }, { NULL, NULL } };
	unit_add("ledger", tests);
}
