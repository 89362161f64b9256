/* test_gate.c - what stands between clients and a PostgreSQL that fails: circuit breakers. The fault proxy is the
 * network that goes wrong. */
#include "faultproxy.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#define AT_ONCE_MS 10000 /* nothing was waited for, even on a slow machine */

static PGconn *begin(const char *settings)
{
	fault_open(pg_port());
	sluice_start(&(struct conf){ .databases = "test = @PROXY@", .settings = settings });
	return console();
}

static const char *state(PGconn *con)
{
	return show(con, "BREAKERS", "database", "test", "state");
}

static bool is_in_state(PGconn *con, const char *want)
{
	return strcmp(state(con), want) == 0;
}

/* How many events have this in their text? */
static int events(PGconn *con, const char *part)
{
	int n = 0;
	PGresult *r = PQexec(con, "show events");
	int col = PQfnumber(r, "event");
	for (int i = 0; i < PQntuples(r); i++)
		n += strstr(PQgetvalue(r, i, col), part) != NULL;
	PQclear(r);
	return n;
}

/* A login that fails, and with which SQLSTATE; it is told at once. */
static char *refused(void)
{
	uint64_t before = now_ms();
	PGconn *c = client_start(NULL);
	char *error = text("%s", client_finish_start(c) ? "(it got in)" : PQerrorMessage(c));
	client_close(c);
	check(text("at once: %s", error), now_ms() - before < AT_ONCE_MS);
	return error;
}

/* A pool that was warm lets clients in without a server: so a statement is tried too. */
static bool gets_in(void)
{
	PGconn *c = client_try(NULL);
	PGresult *r = c ? PQexec(c, "select 1") : NULL;
	bool ok = PQresultStatus(r) == PGRES_TUPLES_OK;
	PQclear(r);
	if (c)
		client_close(c);
	return ok;
}

static void check_balance(PGconn *con)
{
	check_eq("the books balance", show_int(con, "LEDGER", "item", "balances", "value"), 1);
}

static void send_query(PGconn *c, const char *query)
{
	check(query, PQsendQuery(c, query));
	PQflush(c);
}

/* Its statement must work. */
static void check_served(PGconn *c)
{
	PGresult *r;
	wait_until("an answer", is_answered(c));
	r = PQgetResult(c);
	check(PQresultErrorMessage(r), PQresultStatus(r) == PGRES_TUPLES_OK);
	while (r) {
		PQclear(r);
		r = PQgetResult(c);
	}
}

static int waiting(PGconn *con)
{
	return show_int(con, "LEDGER", "item", "waiting", "value");
}

/* Nobody there: failures open it, clients hear so at once and how long, nothing is tried meanwhile, one probe closes
 * it.
 */
static void test_refused(void)
{
	PGconn *con =
		begin("pool_mode = transaction\nserver_login_retry = 0\nbreaker_failures = 3\nbreaker_reset = 60");
	fault_mode(FAULT_REFUSE, 0);
	check_str("at first", state(con), "closed");
	wait_until("it opens", strstr(refused(), "circuit breaker") != NULL);
	check_login_fails("57P03", "is out of service, try again in ", "user=alice");
	check_login_fails("57P03", "Connection refused", "user=alice");
	check_str("open", state(con), "open");
	int retry_ms = show_int(con, "BREAKERS", "database", "test", "retry_ms");
	check("it says when", retry_ms > 0 && retry_ms <= 60000);
	check_eq("opened once", show_int(con, "BREAKERS", "database", "test", "opened"), 1);
	check("why", strstr(show(con, "BREAKERS", "database", "test", "last_failure"), "refused") != NULL);
	check_eq("an event", events(con, "has opened"), 1);
	check("and a line in the log", sluice_logged("its circuit breaker has opened"));
	check("counted", show_int(con, "STATS", "database", "test", "total_breaker_refused_count") >= 2);
	sql(con, "set breaker_reset = 2");
	wait_until("a failed probe opens it again", events(con, "has opened") + (gets_in() ? 100 : 0) == 2);
	fault_mode(FAULT_PASS, 0);
	uint64_t before = now_ms();
	wait_until("it works again", gets_in());
	check("soon", now_ms() - before < 2000 + AT_ONCE_MS);
	check_str("closed", state(con), "closed");
	check_eq("an event for that", events(con, "is closed"), 1);
	check("and for the probes", events(con, "half open") >= 2);
	check_balance(con);
}

/* However many clients want in, one connection tries a host that is half open. */
static void test_one_probe(void)
{
	enum { N = 12 };
	char body[256];
	size_t len;
	int fd[N];
	PGconn *con = begin("pool_mode = transaction\nserver_login_retry = 0\nbreaker_failures = 2\n"
			    "breaker_reset = 0.5\nbreaker_probe_time = 60\nserver_connect_timeout = 60");
	fault_mode(FAULT_REFUSE, 0);
	wait_until("it opens", strstr(refused(), "circuit breaker") != NULL);
	fault_mode(FAULT_HANG, 0);
	int before = fault_accepted();
	wait_until("time for a probe", show_int(con, "BREAKERS", "database", "test", "retry_ms") == 0);
	for (int i = 0; i < N; i++)
		raw_startup(fd[i] = raw_open(), "alice", "test");
	wait_until("all wait", show_int(con, "POOLS", "database", "test", "cl_waiting") == N);
	check_str("for a probe", state(con), "half-open");
	check_eq("one", fault_accepted() - before, 1);
	fault_mode(FAULT_PASS, 0);
	for (int i = 0; i < N; i++)
		check(text("client %d gets in", i), raw_expect(fd[i], 'Z', body, sizeof body, &len));
	check_str("closed", state(con), "closed");
}

/* What is the user's own fault, or SQL's, or a server that says why it closes, is no failure of the host. */
static void test_others_faults(void)
{
	fault_open(pg_port());
	pg_hba("host all bob 127.0.0.1/32 reject\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n");
	sluice_start(&(struct conf){ .databases = "test = @PROXY@\nmissing = @PROXY@ dbname=not_there",
				     .settings = "pool_mode = transaction\nserver_login_retry = 0\n"
						 "breaker_failures = 2" });
	PGconn *con = console(), *a = client(NULL);
	for (int i = 0; i < 4; i++) {
		check_login_fails("28000", "reject", "user=bob");
		check_login_fails("3D000", "not_there", "dbname=missing");
		check_sql_fails(a, "select 1/0", "22012", NULL);
		check_sql_fails(a, "nonsense", "42601", NULL);
		PGconn *b = client("user=carol");
		pg_sql("select pg_terminate_backend(%s)", scalar(b, "begin; select pg_backend_pid()"));
		check_sql_fails(b, "select 1", NULL, "terminating connection");
		client_close(b);
	}
	check_str("closed", state(con), "closed");
	check_str("that one too", show(con, "BREAKERS", "database", "missing", "state"), "closed");
	check_eq("no failure", show_int(con, "BREAKERS", "database", "test", "failures"), 0);
	pg_hba("local all all trust\nhost all all 127.0.0.1/32 trust\n");
}

/* Cut in the midst of an answer: its client hears of a broken connection, the others at once of the breaker, and stay.
 */
static void test_cut_in_an_answer(void)
{
	PGconn *con = begin("pool_mode = transaction\ndefault_pool_size = 1\nbreaker_failures = 1\nbreaker_reset = 60");
	PGconn *a = client(NULL), *b = client(NULL);
	check_scalar(b, "select 1", "1");
	fault_mode(FAULT_CUT, 100000);
	check_sql_fails(a, "select repeat('x', 1000000)", NULL, NULL);
	fault_mode(FAULT_REFUSE, 0);
	check_str("open", state(con), "open");
	uint64_t before = now_ms();
	check_sql_fails(b, "select 2", "57P03", "closed the connection");
	check("at once", now_ms() - before < AT_ONCE_MS);
	check_eq("it stays", PQstatus(b), CONNECTION_OK);
	fault_mode(FAULT_PASS, 0);
	sql(con, "set breaker_reset = 0.2");
	wait_until("closed again", gets_in());
	check_scalar(b, "select 3", "3");
	check_balance(con);
}

/* A server that hangs: statements run into query_timeout, then nobody waits for it any more, nor gets one of the
 * servers that were idle meanwhile. */
static void test_hang(void)
{
	PGconn *con =
		begin("pool_mode = transaction\nserver_rollback_timeout = 0.3\n"
		      "breaker_failures = 2\nbreaker_reset = 60\nserver_connect_timeout = 3\nvalidation_timeout = 1");
	PGconn *a = client(NULL), *b = client(NULL), *c = client(NULL);
	sql(a, "begin; select 1");
	sql(b, "begin; select 1");
	sql(c, "begin; select 1");
	sql(c, "commit"); /* its server is idle */
	fault_mode(FAULT_HANG, 0);
	sql(con, "set query_timeout = 0.3");
	check_sql_fails(a, "select 2", "57014", "query timeout");
	check_str("not yet", state(con), "closed");
	check_sql_fails(b, "select 2", "57014", "query timeout");
	check_str("open", state(con), "open");
	uint64_t before = now_ms();
	check_sql_fails(c, "select 2", "57P03", "query_timeout");
	check("after one check of the idle server at most", now_ms() - before < 1000 + AT_ONCE_MS);
	before = now_ms();
	check_sql_fails(c, "select 2", "57P03", NULL);
	check("at once", now_ms() - before < AT_ONCE_MS);
	fault_mode(FAULT_PASS, 0);
	sql(con, "set breaker_reset = 0.2; set query_timeout = 0");
	wait_until("closed again", gets_in());
	check_scalar(c, "select 3", "3");
	check_balance(con);
}

/* Slow statements on a server that answers others. */
static void test_slow_statements(void)
{
	PGconn *con = begin("pool_mode = transaction\nbreaker_failures = 2");
	PGconn *a = client(NULL), *b = client(NULL);
	for (int i = 0; i < 4; i++) {
		sql(con, "set query_timeout = 0"); /* they have time */
		for (int k = 0; k < 12; k++)
			check_scalar(b, "select 1", "1");
		sql(con, "set query_timeout = 0.2");
		check_sql_fails(a, "select pg_sleep(100)", "57014", NULL);
	}
	check_str("no failure", state(con), "closed");
	check_sql_fails(a, "select pg_sleep(100)", "57014", NULL);
	check_sql_fails(a, "select pg_sleep(100)", "57014", NULL);
	check_str("but when nothing else is answered", state(con), "open");
}

/* The route goes to another host, and nobody hears of it. */
static void test_another_host(void)
{
	sluice_start(&(struct conf){ .databases = "test = host=127.0.0.3,127.0.0.1 port=@PGPORT@",
				     .settings = "pool_mode = session\nserver_login_retry = 0\nbreaker_failures = 1\n"
						 "breaker_reset = 60" });
	PGconn *con = console();
	for (int i = 0; i < 6; i++)
		check_scalar(client(NULL), "select 1", "1");
	for (int i = 0; i < 3; i++) /* another pool knows it too */
		check_scalar(client("user=bob"), "select 1", "1");
	check_str("it is out", show(con, "BREAKERS", "host", "127.0.0.3", "state"), "open");
	check_eq("for good", show_int(con, "BREAKERS", "host", "127.0.0.3", "opened"), 1);
	check_str("the other is in", show(con, "BREAKERS", "host", "127.0.0.1", "state"), "closed");
	check_balance(con);
}

/* As with PgBouncer: with nothing set an outage is over when server_login_retry has passed, whatever the breaker does.
 */
static void test_by_default(void)
{
	PGconn *con = begin("pool_mode = transaction\nserver_login_retry = 1");
	fault_mode(FAULT_REFUSE, 0);
	wait_until("it opens", !gets_in() && is_in_state(con, "open"));
	check("no longer than server_login_retry", show_int(con, "BREAKERS", "database", "test", "retry_ms") <= 1000);
	fault_mode(FAULT_PASS, 0);
	uint64_t before = now_ms();
	wait_until("it works again", gets_in());
	check("after that time", now_ms() - before < 1000 + AT_ONCE_MS);
	fault_mode(FAULT_REFUSE, 0);
	fault_reset();
	sql(con, "set breaker_failures = 0");
	for (int i = 0; i < 8; i++)
		check("not the breaker", !strstr(refused(), "circuit breaker"));
	check_str("switched off", state(con), "closed");
}

/* A firewall has forgotten the connections that were idle: one client waits for one round of checks, no other for any.
 */
static void test_forgotten(void)
{
	enum { N = 6, ROUND_MS = 2000 };
	PGconn *c[N], *con = begin("pool_mode = transaction\nserver_check_delay = 0\nvalidation_timeout = 2\n"
				   "server_connect_timeout = 60");
	for (int i = 0; i < N; i++)
		sql(c[i] = client(NULL), "begin");
	for (int i = 0; i < N; i++)
		sql(c[i], "commit");
	check_eq("idle", show_int(con, "LEDGER", "item", "idle", "value"), N);
	fault_mode(FAULT_FORGET, 0);
	uint64_t before = now_ms();
	check_scalar(c[0], "select 1", "1");
	uint64_t took = now_ms() - before;
	check("one round, and not one for each", took >= ROUND_MS && took < N * ROUND_MS);
	before = now_ms();
	for (int i = 0; i < N; i++)
		check_scalar(c[i], "select 2", "2");
	check("none", now_ms() - before < ROUND_MS);
	check_eq("all of them are gone", show_int(con, "LEDGER", "item", "servers", "value"), 1);
	check("one failure", show_int(con, "BREAKERS", "database", "test", "failures") <= 1);
	check_balance(con);
}

/* A server that is started anew within a second: who comes meanwhile waits, and hears of nothing. */
static void test_short_outage(void)
{
	enum { N = 4 };
	PGconn *c[N], *con = begin("pool_mode = transaction\nvalidation_retries = 20\nbreaker_failures = 100\n"
				   "server_login_retry = 60");
	for (int i = 0; i < N; i++)
		check_scalar(c[i] = client(NULL), "select 1", "1");
	fault_mode(FAULT_REFUSE, 0);
	fault_reset();
	wait_until("its servers are gone", show_int(con, "LEDGER", "item", "servers", "value") == 0);
	for (int i = 0; i < N; i++)
		send_query(c[i], "select 'served'");
	wait_until("tried again", stat_of(con, "connect_retry_count") >= 2);
	wait_until("all wait", waiting(con) == N);
	check_eq("one is tried", show_int(con, "LEDGER", "item", "servers", "value"), 1);
	int counted = show_int(con, "BREAKERS", "database", "test", "failures");
	wait_until("and again", stat_of(con, "connect_retry_count") >= 4);
	check_eq("none counts for the host", show_int(con, "BREAKERS", "database", "test", "failures"), counted);
	fault_mode(FAULT_PASS, 0);
	for (int i = 0; i < N; i++)
		check_served(c[i]);
	check_str("in service all the time", state(con), "closed");
	check_balance(con);
}

/* One that takes longer: they hear so, and those who come then at once. */
static void test_longer_outage(void)
{
	PGconn *con = begin("pool_mode = transaction\nvalidation_retries = 2\nserver_login_retry = 60");
	PGconn *a = client(NULL);
	check_scalar(a, "select 1", "1");
	fault_mode(FAULT_REFUSE, 0);
	fault_reset();
	wait_until("its servers are gone", show_int(con, "LEDGER", "item", "servers", "value") == 0);
	check_sql_fails(a, "select 1", NULL, "refused");
	check_eq("tried again", stat_of(con, "connect_retry_count"), 2);
	check_eq("one was a failure", show_int(con, "BREAKERS", "database", "test", "failures"), 1);
	check_sql_fails(a, "select 1", NULL, "refused");
	check_eq("not again", stat_of(con, "connect_retry_count"), 2);
	check_balance(con);
}

/* New connections are paced, and everybody gets one. */
static void test_pace(void)
{
	enum { N = 8 };
	PGconn *con = begin("pool_mode = session\nconnect_rate = 4\nconnect_burst = 2");
	char body[256];
	size_t len;
	int fd[N];
	uint64_t before = now_ms();
	for (int i = 0; i < N; i++)
		raw_startup(fd[i] = raw_open(), "alice", "test");
	for (int i = 0; i < N; i++) {
		check("in", raw_expect(fd[i], 'Z', body, sizeof body, &len));
		raw_message(fd[i], 'Q', "begin", 6);
	}
	for (int i = 0; i < N; i++)
		check("served", raw_expect(fd[i], 'Z', body, sizeof body, &len));
	uint64_t took = now_ms() - before;
	check_eq("each has one", show_int(con, "LEDGER", "item", "linked", "value"), N);
	check_eq("connections", fault_accepted(), N);
	check(text("%d ms: two at once, and six more at four a second", (int)took), took >= 1450);
	check("no slower", took < 1500 + AT_ONCE_MS);
	check_balance(con);
}

/* The line is full: who comes then hears so at once. */
static void test_max_waiting(void)
{
	enum { N = 5, ROOM = 2 };
	sluice_with("pool_mode = transaction\ndefault_pool_size = 1\nbackpressure = reject\nmax_waiting = 2");
	PGconn *con = console(), *a = client(NULL), *c[N];
	for (int i = 0; i < N; i++)
		c[i] = client(NULL);
	sql(a, "begin");
	for (int i = 0; i < ROOM; i++)
		send_query(c[i], "select 'served'");
	wait_until("they wait", waiting(con) == ROOM);
	for (int i = ROOM; i < N; i++) {
		uint64_t before = now_ms();
		check_sql_fails(c[i], "select 'refused'", "53300", "max_waiting others wait");
		check("at once", now_ms() - before < AT_ONCE_MS);
	}
	check_eq("counted", show_int(con, "STATS", "database", "test", "total_shed_count"), N - ROOM);
	sql(a, "commit");
	for (int i = 0; i < ROOM; i++)
		check_served(c[i]);
	for (int i = ROOM; i < N; i++)
		check_scalar(c[i], "select 'it stays'", "it stays");
	check_balance(con);
}

/* Who blocks is not timed out. */
static void test_block(void)
{
	sluice_start(&(struct conf){ .settings = "pool_mode = transaction\ndefault_pool_size = 1\n"
						 "query_wait_timeout = 0",
				     .users = "alice = backpressure=block\nbob = pool_size=1" });
	PGconn *a = client(NULL), *b = client(NULL), *d = client("user=bob"), *e = client("user=bob");
	sql(a, "begin");
	sql(d, "begin");
	sql(console(), "set query_wait_timeout = 0.2");
	send_query(b, "select 'patient'");
	check_sql_fails(e, "select 1", "53300", "query_wait_timeout");
	check_sql_fails(e, "select 1", "53300", "query_wait_timeout");
	check("not told, though it waited longer", !is_answered(b));
	sql(a, "commit");
	check_served(b);
}

/* A database may be used by so many at once, whatever its pools hold; the place goes to whoever waited longest. */
static void test_max_active(void)
{
	sluice_start(&(struct conf){ .databases = "test = @PG@ max_active=2\nother = @PG@ dbname=test",
				     .settings = "pool_mode = transaction",
				     .users = "carol = max_active=1" });
	PGconn *con = console(), *a = client(NULL), *b = client(NULL), *c = client("user=bob"), *d = client(NULL);
	check_scalar(c, "select 1", "1"); /* it has an idle server */
	sql(a, "begin");
	sql(b, "begin");
	send_query(c, "select 'bob'");
	wait_until("one waits", waiting(con) == 1);
	send_query(d, "select 'alice'");
	wait_until("two wait", waiting(con) == 2);
	check_scalar(client("dbname=other"), "select 'not here'", "not here");
	check_eq("and none was opened for them", show_int(con, "LEDGER", "item", "servers", "value"), 4);
	check_scalar(a, "select 1", "1"); /* in a transaction it keeps its place */
	check_eq("they wait", waiting(con), 2);
	sql(a, "commit");
	check_served(c);
	check_served(d);
	sql(b, "commit");
	/* A user, in all databases. */
	PGconn *e = client("user=carol"), *f = client("user=carol dbname=other");
	sql(e, "begin");
	send_query(f, "select 'carol'");
	wait_until("it waits", waiting(con) == 1);
	check_scalar(a, "select 'alice'", "alice");
	sql(e, "commit");
	check_served(f);
	check_balance(con);
}

/* So many transactions a second, of a database or of a user; more wait for their time, or are refused. */
static void test_rate(void)
{
	enum { N = 5 };
	sluice_start(&(struct conf){ .databases = "test = @PG@ rate_limit=10 rate_burst=3\nother = @PG@ dbname=test",
				     .settings = "pool_mode = transaction\nmin_pool_size = 1",
				     .users = "bob = rate_limit=1 rate_action=reject" });
	PGconn *con = console(), *a = client(NULL), *c[N];
	for (int i = 0; i < N; i++)
		c[i] = client(NULL);
	uint64_t before = now_ms();
	for (int i = 0; i < 15; i++)
		check_scalar(a, "select 'one after another'", "one after another");
	uint64_t took = now_ms() - before;
	check(text("%d ms", (int)took), took >= 1100 && took < 1500 + AT_ONCE_MS);
	for (int i = 0; i < N; i++)
		send_query(c[i], "select 'together'");
	for (int i = 0; i < N; i++)
		check_served(c[i]);
	took = now_ms() - before; /* of all: what was not used in between may be used now */
	check(text("together in %d ms", (int)took), took >= 1600 && took < 2000 + AT_ONCE_MS);
	check("delayed", show_int(con, "STATS", "database", "test", "total_rate_limited_count") >= 10);
	sql(a, "begin");
	took = now_ms();
	for (int i = 0; i < 30; i++)
		check_scalar(a, "select 1", "1");
	check("within a transaction nobody waits", now_ms() - took < 2500);
	sql(a, "commit");
	/* A user, wherever it is. */
	PGconn *b = client("user=bob dbname=other");
	check_scalar(b, "select 'bob'", "bob");
	PGresult *r = NULL;
	wait_until("too many in a second",
		   (PQclear(r), r = PQexec(b, "select 'again'"), PQresultStatus(r) != PGRES_TUPLES_OK));
	check_result_fails(b, r, "53300", "rate_limit");
	check_scalar(client("dbname=other"), "select 'others'", "others");
	wait_until("later", PQresultStatus(PQexec(b, "select 1")) == PGRES_TUPLES_OK);
	check_balance(con);
}

/* Ends what it was sent, sends the next one, and adds how long it took. */
static void go_on(PGconn *c, uint64_t *sent, uint64_t *sum, int *n)
{
	if (!is_answered(c))
		return;
	PGresult *r = PQgetResult(c);
	check(PQresultErrorMessage(r), PQresultStatus(r) == PGRES_TUPLES_OK);
	for (; r; r = PQgetResult(c))
		PQclear(r);
	*sum += now_ms() - *sent;
	(*n)++;
	send_query(c, "select pg_sleep(0.01)");
	*sent = now_ms();
}

/* One user with many clients, another with two: the second's are not behind all of the first's, whatever it is that
 * they share. */
static void test_starvation(void)
{
	enum { N = 40, FEW = 2, TIMES = 60 };
	static const char *const shared[] = { "user=postgres pool_size=2", "max_active=2", "max_db_connections=2",
					      "rate_limit=100 rate_burst=2" };
	for (size_t k = 0; k < COUNT(shared); k++) {
		PGconn *c[N + FEW], *con;
		uint64_t sent[N + FEW], sum[2] = { 0, 0 };
		int n[2] = { 0, 0 };
		uint64_t begun = now_ms();
		sluice_start(&(struct conf){ .databases = text("test = @PG@ %s", shared[k]),
					     .settings = "pool_mode = transaction" });
		con = console();
		for (int i = 0; i < N + FEW; i++) {
			c[i] = client(i < N ? NULL : "user=bob");
			send_query(c[i], "select pg_sleep(0.01)");
			sent[i] = now_ms();
		}
		while (n[1] < TIMES && now_ms() - begun < PATIENCE_MS) {
			poll_pause();
			for (int i = 0; i < N + FEW; i++)
				go_on(c[i], &sent[i], &sum[i >= N], &n[i >= N]);
		}
		uint64_t many = sum[0] / (uint64_t)(n[0] ? n[0] : 1), few = sum[1] / (uint64_t)(n[1] ? n[1] : 1);
		check_eq("in time", n[1] >= TIMES, true);
		check(text("%s: %d ms of many, %d ms of few", shared[k], (int)many, (int)few), 3 * few < many);
		check(text("%s: the others are served too: %d, %d", shared[k], n[0], n[1]), 3 * n[0] > n[1]);
		check_balance(con);
		sluice_stop();
	}
}

enum { CROWD = 24 };

/* They ask for more than two servers can do. The average time of those that were served, and whether some were turned
 * away. */
static uint64_t crowd(int target_ms, bool *shed)
{
	enum { FOR_MS = 2500, WARM_MS = 1000, SERVED_MIN = 20 };
	sluice_with(text("pool_mode = transaction\ndefault_pool_size = 2\nqueue_target = %d\nqueue_interval = 100",
			 target_ms));
	PGconn *c[CROWD];
	uint64_t sent[CROWD], begun, sum = 0;
	int served = 0, other = 0;
	for (int i = 0; i < CROWD; i++)
		c[i] = client(NULL);
	begun = now_ms();
	for (int i = 0; i < CROWD; i++) {
		send_query(c[i], "select pg_sleep(0.02)");
		sent[i] = now_ms();
	}
	*shed = false;
	while (now_ms() - begun < FOR_MS || (served < SERVED_MIN && now_ms() - begun < PATIENCE_MS)) {
		poll_pause();
		for (int i = 0; i < CROWD; i++) {
			if (!is_answered(c[i]))
				continue;
			PGresult *r = PQgetResult(c[i]);
			const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
			bool ok = PQresultStatus(r) == PGRES_TUPLES_OK, late = now_ms() - begun > WARM_MS;
			served += late && ok;
			*shed |= !ok && state && strcmp(state, "53300") == 0;
			other += !ok && (!state || strcmp(state, "53300") != 0);
			if (late && ok)
				sum += now_ms() - sent[i];
			for (; r; r = PQgetResult(c[i]))
				PQclear(r);
			send_query(c[i], "select pg_sleep(0.02)");
			sent[i] = now_ms();
		}
	}
	check_eq("no other errors", other, 0);
	check(text("%d served", served), served >= SERVED_MIN);
	check_balance(console());
	sluice_stop();
	return served ? sum / (uint64_t)served : 0;
}

/* More queries than are served: with queue_target those who are served are served soon, and the rest hears so. How
 * soon is the machine's affair, too, which may have had something else to do for one of the two. */
static void test_overload(void)
{
	enum { TRIES = 4 };
	char *what = NULL;
	bool ok = false;
	for (int i = 0; i < TRIES && !ok; i++) {
		bool none, some;
		uint64_t without = crowd(0, &none), with = crowd(20, &some);
		check("nobody is turned away without it", !none);
		check("and some are with it", some);
		what = text("%d ms, without it %d", (int)with, (int)without);
		ok = 2 * with < without;
	}
	check(what, ok);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "refused", test_refused },
		{ "one_probe", test_one_probe },
		{ "others_faults", test_others_faults },
		{ "cut_in_an_answer", test_cut_in_an_answer },
		{ "hang", test_hang },
		{ "slow_statements", test_slow_statements },
		{ "another_host", test_another_host },
		{ "by_default", test_by_default },
		{ "forgotten", test_forgotten },
		{ "short_outage", test_short_outage },
		{ "longer_outage", test_longer_outage },
		{ "pace", test_pace },
		{ "max_waiting", test_max_waiting },
		{ "block", test_block },
		{ "max_active", test_max_active },
		{ "rate", test_rate },
		{ "starvation", test_starvation },
		{ "overload", test_overload },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "gate", tests);
}
