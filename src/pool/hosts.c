/* hosts.c - of which host a server may be opened: each host's circuit breaker, and the hosts that a pool could not log
 * in to.
 *
 * The two are about different things. A breaker is the host's: it does not work, for anybody. What a pool notes is its
 * own: its user is not let in there, or a failure that has not opened the breaker yet; server_login_retry says when it
 * tries again. When a breaker opens, pools forget what they have noted of that host. */
#include "pool/pool.h"

#include "core/event.h"
#include "core/loop.h"
#include "core/str.h"

#include <inttypes.h>
#include <string.h>

#define RETRY_MIN_MS 100u  /* between two attempts to open a server, the first of which failed */
#define SAME_MS      1000u /* servers that break within that time have broken for one reason */
#define ANSWERS_MIN  10u   /* a host that answers so often between two statements that are late is not dead */

/* --- Breakers */

static struct breaker_limits limits_of(const struct database *db)
{
	const struct config *c = db->config;
	const struct db_conf *dc = db->conf;
	uint64_t reset = (uint64_t)config_num(c, SET_breaker_reset, dc, NULL);
	if (!reset) {
		reset = (uint64_t)config_num(c, SET_server_login_retry, dc, NULL);
		if (reset < RETRY_MIN_MS)
			reset = RETRY_MIN_MS;
	}
	return (struct breaker_limits){
		.failures = (uint32_t)config_num(c, SET_breaker_failures, dc, NULL),
		.window_ms = (uint64_t)config_num(c, SET_breaker_window, dc, NULL),
		.reset_ms = reset,
		.probes = (uint32_t)config_num(c, SET_breaker_probes, dc, NULL),
		.probe_ms = (uint64_t)config_num(c, SET_breaker_probe_time, dc, NULL),
	};
}

static void serve_all(struct database *db)
{
	LIST_EACH (&db->pools, it)
		pool_serve(list_owner(it, struct pool, in_db));
}

static uint64_t host_bit(uint32_t place)
{
	return UINT64_C(1) << (place < 63 ? place : 63);
}

/* Servers that are idle there may be dead: those that do not answer are closed, before a client gets one. */
static void check_idle(const struct host *h)
{
	LIST_EACH (&h->db->pools, it) {
		struct pool *p = list_owner(it, struct pool, in_db);
		LIST_EACH (&p->by_state[SERVER_IDLE], at) {
			struct server *sv = list_owner(at, struct server, in_state);
			if (sv->host == h && p->lim.check_query[0])
				server_check(sv);
		}
	}
}

/* What pools have noted of it is the breaker's business now. */
static void opened(struct host *h)
{
	struct database *db = h->db;
	for (uint32_t i = 0; i < db->nhosts; i++) {
		if (db->hosts[i] != h)
			continue;
		LIST_EACH (&db->pools, it)
			list_owner(it, struct pool, in_db)->failed_hosts &= ~host_bit(i);
	}
	check_idle(h);
}

static void turned(struct host *h, enum breaker_turn turn, const struct breaker_limits *l)
{
	const char *db = h->db->name->s;
	switch (turn) {
	case BREAKER_STAYS:
		return;
	case BREAKER_OPENS:
		event_raise(EVENT_BREAKER, db,
			    "%s:%u is out of service for %" PRIu64 " ms: its circuit breaker has opened: %s", h->name,
			    h->port, l->reset_ms, h->failure);
		opened(h);
		break;
	case BREAKER_HALVES:
		event_raise(EVENT_BREAKER, db, "%s:%u is tried again: its circuit breaker is half open", h->name,
			    h->port);
		break;
	case BREAKER_CLOSES:
		event_raise(EVENT_BREAKER, db, "%s:%u is in service again: its circuit breaker is closed", h->name,
			    h->port);
		break;
	}
	serve_all(h->db); /* who waits is served, or told */
}

/* A host that the configuration has dropped is nobody's to judge any more. */
static bool is_judged(const struct server *sv)
{
	return !sv->host->dropped && !sv->pool->db->dropped;
}

static void host_failed(struct server *sv, const char *why)
{
	struct host *h = sv->host;
	struct breaker_limits l = limits_of(h->db);
	sv->is_probe = false;
	if (h->breaker.state != BREAKER_OPEN) /* what it opened for is what clients are told */
		str_fmt(h->failure, sizeof h->failure, "%s", why);
	turned(h, breaker_failed(&h->breaker, &l, loop_now()), &l);
}

void pool_host_opening(struct server *sv)
{
	struct host *h = sv->host;
	struct breaker_limits l = limits_of(h->db);
	bucket_take(&h->opening, &sv->pool->lim.opening, loop_now_us());
	turned(h, breaker_begin(&h->breaker, &l, loop_now(), &sv->is_probe), &l);
}

void pool_host_gone(struct server *sv)
{
	if (!sv->is_probe)
		return;
	sv->is_probe = false;
	breaker_gone(&sv->host->breaker);
	if (!sv->host->dropped)
		serve_all(sv->host->db);
}

/* Several at once have one reason, and one that is let go by a server that tells why is no failure of the host: what
 * comes next will tell. */
void pool_host_broke(struct server *sv, const char *why)
{
	struct host *h = sv->host;
	if (!is_judged(sv) || sv->told || (h->broke_ms && loop_now() - h->broke_ms < SAME_MS))
		return;
	h->broke_ms = loop_now();
	check_idle(h); /* one is dead: so may be all that were opened before the host, or the way there, went */
	host_failed(sv, why);
}

/* Statements that are too slow while others are answered are not the host's fault. */
void pool_host_late(struct server *sv)
{
	const struct stats *st = &sv->pool->stats;
	uint64_t late = st->v[STAT_query_timeout_count], all = st->v[STAT_query_count];
	uint64_t before = sv->pool->answered_before, answered = all > late ? all - late : 0;
	uint64_t since = answered > before ? answered - before : 0;
	sv->pool->answered_before = answered;
	if (is_judged(sv) && since < ANSWERS_MIN)
		host_failed(sv, "a statement was not answered within query_timeout");
}

/* Is it the host that does not work, or is only this user, this database, not wanted there? PostgreSQL's words; engines
 * of others say it in them. A server that is full is there, and says so itself. What is INTERNAL is an answer to the
 * house's own statement. */
static bool is_of_host(const struct fault *f)
{
	static const char *const classes[] = { "08", "53", "57P", "58", "XX" };
	if (f->kind == FAULT_BUSY || f->kind == FAULT_NOMEM || f->kind == FAULT_INTERNAL ||
	    strcmp(f->sqlstate, "53300") == 0)
		return false;
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		if (strncmp(f->sqlstate, classes[i], strlen(classes[i])) == 0)
			return true;
	return false;
}

/* How long connect_rate keeps the next connection to it back. */
static uint64_t pace_ms(const struct pool *p, const struct host *h)
{
	return (bucket_wait_us(&h->opening, &p->lim.opening, loop_now_us()) + 999) / 1000;
}

enum pool_gate pool_gate(const struct pool *p, uint64_t *wait_ms)
{
	const struct database *db = p->db;
	enum pool_gate gate = GATE_OPEN;
	for (uint32_t i = 0; i < db->nhosts; i++)
		if (db->hosts[i]->breaker.state == BREAKER_CLOSED && pace_ms(p, db->hosts[i]) == 0)
			return GATE_GO;
	const struct breaker_limits l = limits_of(db);
	*wait_ms = UINT64_MAX;
	for (uint32_t i = 0; i < db->nhosts; i++) {
		const struct breaker *b = &db->hosts[i]->breaker;
		uint64_t wait = breaker_wait_ms(b, &l, loop_now()), pace = pace_ms(p, db->hosts[i]);
		if (pace > wait)
			wait = pace;
		if (wait < *wait_ms)
			*wait_ms = wait;
		if (!breaker_is_open(b, &l, loop_now()))
			gate = GATE_PROBED;
	}
	return *wait_ms == 0 ? GATE_GO : gate;
}

void pool_gate_fault(const struct pool *p, struct fault *f)
{
	const struct database *db = p->db;
	const struct breaker_limits l = limits_of(db);
	const struct host *first = NULL;
	uint64_t least = UINT64_MAX;
	for (uint32_t i = 0; i < db->nhosts; i++) {
		uint64_t wait = breaker_wait_ms(&db->hosts[i]->breaker, &l, loop_now());
		if (wait < least) {
			least = wait;
			first = db->hosts[i];
		}
	}
	fault_set(f, FAULT_NOT_NOW,
		  "server %.60s:%u is out of service, try again in %" PRIu64
		  " s: its circuit breaker is open after: %.240s",
		  first->name, first->port, (least + 999) / 1000, first->failure);
	fault_mysql(f, 1040, "08S01");
	fault_hint(f, "No connection to it is tried before then; see SHOW BREAKERS and the setting breaker_reset.");
}

void host_look(const struct host *h, struct host_gate *out)
{
	const struct breaker_limits l = limits_of(h->db);
	out->state = (enum breaker_state)h->breaker.state;
	out->wait_ms = breaker_wait_ms(&h->breaker, &l, loop_now());
	out->failures = breaker_failures(&h->breaker, &l, loop_now());
}

/* --- What a pool has noted. A list of more than 64 has one bit for all from there on. */

/* Never at once, whatever server_login_retry says: a failure that takes no time would be tried for ever within one turn
 * of the loop. */
static uint64_t retry_after(const struct pool *p, uint64_t ms)
{
	return ms + (p->lim.retry_ms > RETRY_MIN_MS ? p->lim.retry_ms : RETRY_MIN_MS);
}

uint64_t pool_retry_at(const struct pool *p)
{
	return retry_after(p, p->failed_ms);
}

bool pool_all_failed(const struct pool *p)
{
	const struct database *db = p->db;
	if (!p->failed_ms || p->failed_generation != db->generation)
		return false;
	const struct breaker_limits l = limits_of(db);
	for (uint32_t i = 0; i < db->nhosts; i++)
		if (!(p->failed_hosts & host_bit(i)) && breaker_wait_ms(&db->hosts[i]->breaker, &l, loop_now()) == 0)
			return false;
	return true;
}

void pool_forget_failures(struct pool *p)
{
	if (p->failed_generation == p->db->generation)
		return;
	p->failed_generation = p->db->generation;
	p->failed_hosts = p->failed_ms = 0;
}

bool pool_host_may_retry(struct server *sv, const struct fault *f)
{
	const struct database *db = sv->pool->db;
	const struct breaker_limits l = limits_of(db);
	if (!is_of_host(f) || !is_judged(sv) || sv->is_probe || sv->generation != db->generation)
		return false;
	for (uint32_t i = 0; i < db->nhosts; i++)
		if (db->hosts[i] != sv->host && breaker_wait_ms(&db->hosts[i]->breaker, &l, loop_now()) == 0)
			return false;
	return breaker_wait_ms(&sv->host->breaker, &l, loop_now()) == 0;
}

void pool_host_tried(struct server *sv, const struct fault *f)
{
	struct pool *p = sv->pool;
	struct database *db = p->db;
	struct host *h = sv->host;
	pool_forget_failures(p);
	if (f && is_of_host(f) && is_judged(sv)) {
		host_failed(sv, f->text);
	} else if (!f && is_judged(sv)) {
		const struct breaker_limits l = limits_of(db);
		sv->is_probe = false;
		turned(h, breaker_worked(&h->breaker, loop_now()), &l);
	}
	for (uint32_t i = 0; i < db->nhosts; i++) {
		if (db->hosts[i] != h)
			continue;
		if (!f) {
			p->failed_hosts &= ~host_bit(i);
		} else if (f->kind != FAULT_BUSY && h->breaker.state == BREAKER_CLOSED) {
			p->failed_hosts |= host_bit(i);
			p->host_tried_ms = loop_now();
		}
	}
}

static bool is_in_service(void *arg, uint32_t place)
{
	const struct pool *p = arg;
	const struct breaker_limits l = limits_of(p->db);
	const struct host *h = p->db->hosts[place];
	return breaker_wait_ms(&h->breaker, &l, loop_now()) == 0 && pace_ms(p, h) == 0;
}

/* One of those that failed is tried again when its time has come, by one server: the others go where servers were had.
 */
static bool may_try(void *arg, uint32_t place)
{
	struct pool *p = arg;
	if (!is_in_service(p, place))
		return false;
	if (!(p->failed_hosts & host_bit(place)))
		return true;
	if (loop_now() < retry_after(p, p->host_tried_ms))
		return false;
	p->host_tried_ms = loop_now();
	return true;
}

struct host *pool_next_host(struct pool *p)
{
	pool_forget_failures(p);
	struct host *h = database_next_host(p->db, may_try, p);
	/* What the pool has noted of all that are in service is better than nothing. */
	return h ? h : database_next_host(p->db, is_in_service, p);
}
