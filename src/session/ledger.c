/* ledger.c - the house's own books, counted anew. */
#include "session/ledger.h"

#include "core/deadline.h"
#include "core/event.h"
#include "core/loop.h"
#include "core/poison.h"
#include "session/session.h"

#include <inttypes.h>
#include <stdlib.h>

#ifdef POISON_ON
#define LEDGER_EVERY_MS 1000u
#else
#define LEDGER_EVERY_MS 30000u
#endif
#define DUMP_BYTES 4000u

static struct ledger last;

static void differs(struct sb *dump, const char *whose, const char *what, uint64_t counted, uint64_t kept)
{
	sb_addf(dump, "%s: %s: %" PRIu64 " are there, %" PRIu64 " are in the books\n", whose, what, counted, kept);
}

/* True when all is right so far. */
static bool same(struct sb *dump, const char *whose, const char *what, uint64_t counted, uint64_t kept)
{
	if (counted == kept)
		return true;
	differs(dump, whose, what, counted, kept);
	return false;
}

/* What one pool's servers add up to. */
struct sums {
	uint32_t own_opening, own_active, apart;
};

static bool check_server(const struct pool *p, const struct server *sv, int st, struct sums *n, struct ledger *l,
			 struct sb *dump)
{
	const char *db = p->db->name->s;
	bool ok = true;
	if (sv->pool != p || sv->state != st) {
		sb_addf(dump, "%s: server S-0x%" PRIx64 " is in the list of state %d and says %s\n", db, sv->id, st,
			server_state_name(sv));
		ok = false;
	}
	bool is_lent = st == SERVER_ACTIVE, has_one = (sv->session != NULL) != (sv->ask != NULL);
	bool may_have = is_lent || (sv->is_own && st < SERVER_IDLE);
	if ((is_lent && !has_one) || (!may_have && (sv->session || sv->ask)) ||
	    (sv->session && sv->session->server != sv)) {
		sb_addf(dump, "%s: server S-0x%" PRIx64 " is %s, linked to %s%s\n", db, sv->id, server_state_name(sv),
			sv->session ? "a client"
			: sv->ask   ? "a question"
				    : "nobody",
			sv->session && sv->session->server != sv ? ", who is not linked to it" : "");
		ok = false;
	}
	n->own_active += sv->is_own && is_lent;
	n->own_opening += sv->is_own && !is_lent;
	n->apart += sv->is_apart;
	l->servers++;
	l->idle += st == SERVER_IDLE;
	l->linked += is_lent;
	return ok;
}

static bool check_pool(const struct pool *p, struct ledger *l, struct sb *dump)
{
	const char *db = p->db->name->s;
	struct sums n = { 0, 0, 0 };
	uint32_t line = 0, own = 0, delayed = 0, ready = 0;
	bool ok = true;
	for (int st = 0; st < SERVER_NSTATES; st++) {
		uint32_t listed = 0;
		for (const struct list *at = p->by_state[st].next; at != &p->by_state[st]; at = at->next, listed++)
			ok &= check_server(p, list_owner(at, struct server, in_state), st, &n, l, dump);
		ok &= same(dump, db, "servers of a state", listed, p->count[st]);
	}
	for (const struct list *at = p->waiting.next; at != &p->waiting; at = at->next, line++) {
		const struct pool_wait *w = list_owner(at, struct pool_wait, in_line);
		own += w->is_own;
		delayed += !w->flow && !w->is_own;
		ready += w->flow != NULL;
	}
	for (const struct list *at = p->delayed.next; at != &p->delayed; at = at->next)
		ready++;
	ok &= same(dump, db, "those in line or delayed", ready, p->nwaiting);
	ok &= same(dump, db, "those delayed", delayed, p->ndelayed);
	ok &= same(dump, db, "those in line", line, p->nwaiting);
	ok &= same(dump, db, "those in line for a server of their own", own, p->nwaiting_own);
	ok &= same(dump, db, "servers of one session that are opened", n.own_opening, p->own_opening);
	ok &= same(dump, db, "servers of one session that are in use", n.own_active, p->own_active);
	ok &= same(dump, db, "servers that are not lent", n.apart, p->napart);
	return ok;
}

static bool check_database(const struct database *db, struct sb *dump)
{
	uint32_t servers = 0, at_hosts = 0, elsewhere = 0, waiting = 0;
	bool ok = true;
	for (const struct list *at = db->pools.next; at != &db->pools; at = at->next) {
		const struct pool *p = list_owner(at, struct pool, in_db);
		for (int st = 0; st < SERVER_DEAD; st++)
			for (const struct list *s = p->by_state[st].next; s != &p->by_state[st]; s = s->next)
				elsewhere += list_owner(s, struct server, in_state)->host->dropped;
		servers += pool_servers(p);
		waiting += p->nwaiting;
	}
	for (uint32_t i = 0; i < db->nhosts; i++)
		at_hosts += db->hosts[i]->servers;
	ok &= same(dump, db->name->s, "servers of the database", servers, db->servers);
	ok &= same(dump, db->name->s, "those in lines of the database", waiting, db->nwaiting);
	ok &= same(dump, db->name->s, "servers by their hosts", at_hosts + elsewhere, db->servers);
	return ok;
}

/* Clients by what they belong to: each pass over all pools and databases would cost their product, so the sums are held
 * against each other. */
static bool check_sessions(struct ledger *l, struct sb *dump)
{
	uint64_t pool_clients = 0, in_pools = 0, in = 0, in_databases = 0, of_databases = 0, in_users = 0;
	bool ok = true;
	for (const struct list *at = sessions_all()->next; at != sessions_all(); at = at->next) {
		const struct session *s = list_owner(at, struct session, in_all);
		const struct server *sv = s->server;
		bool is_waiting = s->state == SESSION_WAITING || s->state == SESSION_WELCOME;
		bool in_line = s->pool && is_waiting && !list_empty(&s->wait.in_line);
		bool has = s->state == SESSION_SYNC || s->state == SESSION_OPENING ||
			   (s->state == SESSION_ACTIVE && s->pool);
		if (has != (sv != NULL) || (sv && sv->session != s) || is_waiting != in_line) {
			sb_addf(dump, "client C-0x%" PRIx64 " is %s, %s a server%s%s\n", s->id, session_state_name(s),
				sv ? "has" : "has not", sv && sv->session != s ? " that is not its own" : "",
				is_waiting && !in_line ? ", in no line" : "");
			ok = false;
		}
		of_databases += s->db != NULL;
		in += s->is_in;
		in_pools += s->is_in && s->pool;
		l->waiting += in_line;
	}
	for (const struct list *at = pools_all()->next; at != pools_all(); at = at->next)
		pool_clients += list_owner(at, struct pool, in_all)->nclients;
	for (const struct list *at = databases_all()->next; at != databases_all(); at = at->next) {
		const struct database *db = list_owner(at, struct database, in_all);
		in_databases += db->clients_in;
		of_databases -= db->clients;
	}
	for (const struct list *at = users_all()->next; at != users_all(); at = at->next)
		in_users += list_owner(at, struct user, in_all)->clients;
	l->clients = in;
	ok &= same(dump, "all", "clients of pools", in_pools, pool_clients);
	ok &= same(dump, "all", "clients of databases", in, in_databases);
	ok &= same(dump, "all", "clients of databases, with those that log in", of_databases, 0);
	ok &= same(dump, "all", "clients of users", in, in_users);
	return ok;
}

bool ledger_balances(struct ledger *out, struct sb *dump)
{
	bool ok = true;
	*out = (struct ledger){ .looks = last.looks, .breaches = last.breaches };
	for (const struct list *at = pools_all()->next; at != pools_all(); at = at->next)
		ok &= check_pool(list_owner(at, struct pool, in_all), out, dump);
	for (const struct list *at = databases_all()->next; at != databases_all(); at = at->next)
		ok &= check_database(list_owner(at, struct database, in_all), dump);
	ok &= check_sessions(out, dump);
	return ok;
}

void ledger_look(void)
{
	struct sb dump = { .max = DUMP_BYTES };
	bool ok = ledger_balances(&last, &dump);
	last.looks++;
	if (!ok) {
		last.breaches++;
		log_error(NULL, "the books do not balance, which is a mistake of Sluice's own:\n%s", sb_str(&dump));
		event_raise(EVENT_LEDGER, NULL, "the books do not balance: %.180s", sb_str(&dump));
#ifdef POISON_ON
		abort();
#endif
	}
	sb_free(&dump);
}

const struct ledger *ledger_last(void)
{
	return &last;
}

/* --- The janitor */

static struct deadline janitor;
static struct task look_task; /* at the end of a turn */

static void run_look(struct task *t)
{
	(void)t;
	ledger_look();
	(void)deadline_set(&janitor, loop_now() + LEDGER_EVERY_MS);
}

static void due(struct deadline *d)
{
	(void)d;
	loop_defer(&look_task);
}

void ledger_start(void)
{
	look_task.run = run_look;
	deadline_init(&janitor, due);
	(void)deadline_set(&janitor, loop_now() + LEDGER_EVERY_MS);
}

void ledger_stop(void)
{
	loop_undefer(&look_task);
	deadline_clear(&janitor);
}
