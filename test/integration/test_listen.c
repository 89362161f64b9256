/* test_listen.c - LISTEN in transaction pooling: one connection listens for all clients. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static const char two_servers[] = "default_pool_size = 2\n";

/* NOTIFY, from a connection that is not through Sluice. */
#define tell(...) sql(client_direct, __VA_ARGS__)
static PGconn *client_direct;

static void begin(const struct conf *conf)
{
	sluice_start(conf);
	client_direct = client_to_pg("user=postgres dbname=test");
}

static int servers(void)
{
	return pg_servers() - 1; /* the direct one */
}

static void begin_with(const char *settings)
{
	begin(&(struct conf){ .settings = settings });
}

/* What c has been notified of and has not looked at: "channel:payload" and, of its own, a "!"; with blanks between. */
static char *heard(PGconn *c)
{
	char *out = text("%s", "");
	PQconsumeInput(c);
	for (PGnotify *n; (n = PQnotifies(c));) {
		out = text("%s%s%s:%s%s", out, *out ? " " : "", n->relname, n->extra,
			   n->be_pid == PQbackendPID(c) ? "!" : "");
		PQfreemem(n);
	}
	return out;
}

/* Up to a mark: all that was sent before has come when that has. */
static char *heard_until(PGconn *c, const char *mark)
{
	char *all = text("%s", "");
	uint64_t until = now_ms() + PATIENCE_MS;
	while (!strstr(all, mark) && now_ms() < until) {
		char *more = heard(c);
		if (*more)
			all = text("%s%s%s", all, *all ? " " : "", more);
		else
			poll_pause();
	}
	return all;
}

/* What c hears from now on until a mark, which is sent now. */
static char *heard_now(PGconn *c, const char *channel)
{
	static int marks;
	char *mark = text("%s:mark%d", channel, ++marks);
	tell("notify \"%s\", 'mark%d'", channel, marks);
	char *all = heard_until(c, mark);
	char *at = strstr(all, mark);
	check("the mark is heard", at != NULL);
	if (at)
		*(at > all ? at - 1 : at) = 0;
	return all;
}

/* Sooner or later it hears again. */
static bool hears(PGconn *c, const char *channel)
{
	tell("notify %s, 'again'", channel);
	poll_pause();
	return strstr(heard(c), "again") != NULL;
}

static char *pins(PGconn *boss)
{
	return show(boss, "clients", "database", "test", "pins");
}

/* More clients than servers. An idle one hears at once, and no more than it wants. */
static void test_many(void)
{
	enum { N = 12 };
	PGconn *c[N], *boss;
	begin_with(two_servers);
	boss = console();
	for (int i = 0; i < N; i++) {
		c[i] = client(NULL);
		sql(c[i], "listen ch%d; listen everybody", i % 3);
	}
	check_eq("one connection listens", show_int(boss, "servers", "state", "listen", "wait"), 0);
	check("all three at most", servers() <= 3);
	check_eq("nobody keeps a server", show_int(boss, "pools", "database", "test", "sv_active"), 0);
	tell("notify ch1, 'one'");
	tell("notify everybody, 'all'");
	for (int i = 0; i < N; i++)
		check_str("heard", heard_until(c[i], "all"), i % 3 == 1 ? "ch1:one everybody:all" : "everybody:all");
	for (int i = 0; i < N; i++)
		check_scalar(c[i], "select 1", "1");
	for (int i = 0; i < 100; i++)
		tell("notify everybody, '%d'", i);
	char *all = heard_until(c[5], "everybody:99");
	check("in order", strncmp(all, "everybody:0 everybody:1 everybody:2 ", 36) == 0);
	check("counted", show_int(boss, "stats", "database", "test", "total_notification_count") >= 12 * 101);
}

/* What statements do, by both protocols; then who hears what is sent to each channel. */
static const struct {
	const char *what, *run[8], *want; /* of x y Z */
} rows[] = {
	{ "listen", { "listen x" }, "x" },
	{ "listened twice", { "listen x", "listen x" }, "x" },
	{ "folded", { "LISTEN X" }, "x" },
	{ "quoted", { "listen \"Z\"" }, "Z" },
	{ "commented", { "/* c */ listen /* c */ x -- c" }, "x" },
	{ "unlisten", { "listen x", "listen y", "unlisten x" }, "y" },
	{ "unlisten all", { "listen x", "listen y", "unlisten *" }, "" },
	{ "discard all", { "listen x", "discard all" }, "" },
	{ "again", { "listen x", "unlisten *", "listen y" }, "y" },
	{ "committed", { "begin", "listen x", "commit" }, "x" },
	{ "rolled back", { "begin", "listen x", "rollback" }, "" },
	{ "failed", { "begin", "listen x", "!select 1/0", "commit" }, "" },
	{ "failed at once", { "!listen x; select 1/0" }, "" },
	{ "half", { "!listen x; commit; listen y; select 1/0" }, "x" },
	{ "no such syntax", { "!listen x y" }, "" },
	{ "unlisten rolled back", { "listen x", "begin", "unlisten x", "rollback" }, "x" },
	{ "all rolled back", { "listen x", "begin", "unlisten *", "listen y", "rollback" }, "x" },
	{ "last counts", { "begin", "listen x", "unlisten x", "listen y", "commit" }, "y" },
	{ "to a savepoint",
	  { "begin", "listen x", "savepoint s", "listen y", "rollback to s", "listen \"Z\"", "commit" },
	  "x Z" },
	{ "a savepoint released", { "begin", "savepoint s", "listen y", "release s", "commit" }, "y" },
	{ "unlisten to a savepoint",
	  { "listen x", "begin", "savepoint s", "unlisten *", "rollback to s", "listen y", "commit" },
	  "x y" },
	{ "in one text", { "begin; listen x; savepoint s; listen y; rollback to s; commit" }, "x" },
};

static void run_one(PGconn *c, const char *query, bool extended)
{
	bool fails = *query == '!';
	PGresult *r =
		extended ? PQexecParams(c, query + fails, 0, NULL, NULL, NULL, NULL, 0) : PQexec(c, query + fails);
	check(query, (PQresultStatus(r) == PGRES_COMMAND_OK) == !fails);
	PQclear(r);
}

static void test_rows(void)
{
	begin_with(two_servers);
	PGconn *other = client(NULL), *boss = console();
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int extended = 0; extended < 2; extended++) {
			bool several = false;
			for (size_t k = 0; k < COUNT(rows[i].run) && rows[i].run[k]; k++)
				several |= strchr(rows[i].run[k], ';') != NULL;
			if (extended && several)
				continue;
			PGconn *c = client(NULL);
			sql(c, "listen mark");
			bool ends = false; /* it ends the mark's, too */
			for (size_t k = 0; k < COUNT(rows[i].run) && rows[i].run[k]; k++) {
				run_one(c, rows[i].run[k], extended);
				ends |= strstr(rows[i].run[k], "unlisten *") || strstr(rows[i].run[k], "discard");
				if (PQtransactionStatus(c) == PQTRANS_IDLE)
					sql(other, "select 1");
			}
			check_str(rows[i].what, pins(boss), "");
			if (ends)
				sql(c, "listen mark");
			tell("notify x");
			tell("notify y");
			tell("notify \"Z\"");
			char *got = heard_now(c, "mark"), want[64] = "";
			for (const char *w = rows[i].want; *w; w++)
				if (*w != ' ')
					snprintf(want + strlen(want), sizeof want - strlen(want),
						 "%s%c:", *want ? " " : "", *w);
			check_str(text("%s%s", rows[i].what, extended ? ", extended" : ""), got, want);
			client_close(c);
		}
}

/* Names are cut as the server cuts them. */
static void test_names(void)
{
	static const char sixty_three[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk";
	begin_with(two_servers);
	PGconn *a = client(NULL), *boss = console();
	sql(a, "listen %slmnop", sixty_three);
	sql(a, "listen \"with \"\"quotes\"\" and ; blanks\"");
	sql(a, "listen u&\"\\0041b\"");
	check_str("not pinned", pins(boss), "");
	tell("notify %s", sixty_three);
	tell("notify \"with \"\"quotes\"\" and ; blanks\", 'p'");
	tell("notify \"Ab\", 'last'");
	check_str("heard", heard_until(a, "last"), text("%s: with \"quotes\" and ; blanks:p Ab:last", sixty_three));
	/* Not ASCII: its server's own. */
	sql(a, "listen \"gr\303\266\303\237e\"");
	check_str("pinned", pins(boss), "listen");
	tell("notify \"gr\303\266\303\237e\", 'one'");
	tell("notify \"Ab\", 'two'");
	char *all = heard_until(a, "two");
	if (!strstr(all, "one"))
		all = text("%s %s", all, heard_until(a, "one"));
	check("both", strstr(all, "gr\303\266\303\237e:one") && strstr(all, "Ab:two"));
	sql(a, "unlisten *");
	check_str("not pinned", pins(boss), "");
}

/* Within a transaction nothing is heard, and right after it all. */
static void test_in_transaction(void)
{
	begin_with(two_servers);
	PGconn *a = client(NULL), *b = client(NULL);
	sql(a, "listen x");
	sql(b, "listen x");
	sql(a, "begin");
	sql(a, "select 1");
	for (int i = 0; i < 5; i++)
		tell("notify x, '%d'", i);
	check_str("b hears", heard_until(b, "4"), "x:0 x:1 x:2 x:3 x:4");
	check_scalar(a, "select 1", "1");
	check_str("a does not", heard(a), "");
	sql(a, "commit");
	check_str("with the answer", heard(a), "x:0 x:1 x:2 x:3 x:4");
	/* What is no more listened to is not heard of. */
	sql(a, "begin");
	tell("notify x, 'late'");
	check_str("b hears", heard_until(b, "late"), "x:late");
	sql(a, "unlisten x");
	sql(a, "commit");
	sql(a, "listen y");
	check_str("a does not", heard_now(a, "y"), "");
	/* In the middle of an answer: rows are whole. */
	sql(a, "listen x");
	PGresult *r;
	PQsendQuery(a, "select repeat('x', 1000), pg_sleep(0.001) from generate_series(1, 200)");
	for (int i = 0; i < 20; i++)
		tell("notify x, 'row%d'", i);
	check_str("b hears", heard_until(b, "row19") ? "yes" : "no", "yes");
	r = PQgetResult(a);
	check_eq("rows", PQntuples(r), 200);
	PQclear(r);
	check("no more", !PQgetResult(a));
	check("heard", strstr(heard_until(a, "row19"), "x:row0 x:row1 ") != NULL);
}

/* Its own, before the ReadyForQuery and with the process id it knows; another's with another. */
static void test_own(void)
{
	begin_with("default_pool_size = 1\n");
	PGconn *a = client(NULL), *b = client(NULL);
	sql(a, "listen x");
	sql(b, "listen x");
	for (int i = 0; i < 50; i++) {
		sql(b, "notify x, 'b%d'", i);
		check_str("b's own", heard_until(b, text("b%d", i)), text("x:b%d!", i));
		sql(a, "notify x, 'a%d'", i);
		check_str("with the answer", heard(a), text("x:b%d x:a%d!", i, i));
		check_str("to the other", heard_until(b, text("a%d", i)), text("x:a%d", i));
	}
	sql(a, "begin");
	sql(a, "notify x, 'in'");
	check_str("not before it is committed", heard(a), "");
	sql(a, "commit");
	check_str("with the answer", heard(a), "x:in!");
	sql(a, "begin");
	sql(a, "notify x, 'out'");
	sql(a, "rollback");
	check_str("rolled back", heard_now(a, "x"), "");
	PGresult *r = PQexecParams(a, "notify x, 'extended'", 0, NULL, NULL, NULL, NULL, 0);
	check_eq("ok", PQresultStatus(r), PGRES_COMMAND_OK);
	PQclear(r);
	check_str("extended", heard(a), "x:extended!");
	/* LISTEN and NOTIFY in one transaction. */
	PGconn *d = client(NULL);
	sql(d, "begin");
	sql(d, "listen new");
	sql(d, "notify new, 'one'");
	sql(d, "commit");
	check_str("its own first", heard(d), "new:one!");
	sql(d, "listen newer; notify newer, 'two'");
	check_str("in one text", heard(d), "newer:two!");
	check_scalar(d, "select count(pg_notify('new', 'three'))", "1");
	check("by a function", strstr(heard_until(d, "three"), "new:three") != NULL);
	check_eq("one server, and the one that listens", servers(), 2);
}

/* When a LISTEN is answered whoever hears of that can notify. */
static void test_at_once(void)
{
	begin_with(two_servers);
	for (int i = 0; i < 60; i++) {
		PGconn *a = client(NULL);
		sql(a, i % 2 ? "begin; listen ch%d; commit" : "listen ch%d", i);
		tell("notify ch%d, 'now'", i);
		check_str("heard", heard_until(a, "now"), text("ch%d:now", i));
		client_close(a);
	}
}

/* It is lost: the log tells, and another one listens. */
static void test_lost(void)
{
	begin_with("default_pool_size = 2\nserver_login_retry = 1\n");
	PGconn *a = client(NULL), *b = client(NULL), *boss = console();
	sql(a, "listen x; listen \"Y\"");
	sql(b, "listen x");
	sql(b, "begin");
	tell("notify x, 'before'");
	check_str("a hears", heard_until(a, "before"), "x:before");
	int pid = show_int(boss, "servers", "state", "listen", "remote_pid");
	pg_sql("select pg_terminate_backend(%d)", pid);
	wait_until("the log tells", sluice_logged("the connection that listens for 2 clients was lost"));
	wait_until("it listens again",
		   sluice_logged("listening again for 2 clients; notifications may have been lost"));
	check("another one", show_int(boss, "servers", "state", "listen", "remote_pid") != pid);
	check_eq("counted", show_int(boss, "stats", "database", "test", "total_listener_lost_count"), 1);
	tell("notify x, 'after'");
	tell("notify \"Y\", 'too'");
	check_str("a hears", heard_until(a, "too"), "x:after Y:too");
	sql(b, "commit");
	check("b, when its transaction is over", strstr(heard_until(b, "after"), "x:before") != NULL);
	/* RECONNECT and PAUSE close it. */
	sql(boss, "reconnect test");
	check_eq("lost", show_int(boss, "stats", "database", "test", "total_listener_lost_count"), 2);
	wait_until("listens again", hears(a, "x"));
	sql(boss, "pause test");
	wait_until("nothing is open", servers() == 0);
	sql(boss, "resume test");
	wait_until("listens again", hears(a, "x"));
	/* The server goes, and comes back. */
	pg_stop(SIGQUIT);
	wait_until("noticed", show_int(boss, "stats", "database", "test", "total_listener_lost_count") == 4);
	pg_start();
	client_direct = client_to_pg("user=postgres dbname=test");
	wait_until("listens again", hears(a, "x"));
	sql(boss, "kill test");
	wait_until("all gone", servers() == 0);
}

/* It goes when nobody has listened for a while. */
static void test_idle(void)
{
	begin_with("default_pool_size = 2\nserver_idle_timeout = 1\n");
	PGconn *a = client(NULL), *b = client(NULL), *boss = console();
	sql(a, "listen x");
	sql(b, "listen y");
	check("it is there", show(boss, "servers", "state", "listen", "state") != NULL);
	sql(b, "unlisten *");
	sql(a, "begin; unlisten x; commit");
	wait_until("closed", sluice_logged("nobody listens any more"));
	wait_until("gone", !show(boss, "servers", "state", "listen", "state"));
	check("no alarm", !sluice_logged("lost"));
	sql(a, "listen x");
	check_str("heard", heard_now(a, "x"), "");
	client_close(a);
	wait_until("closed with the last", !show(boss, "servers", "state", "listen", "state"));
}

/* Who does not read, or is in a transaction, is not kept for at any length. */
static void test_bound(void)
{
	begin_with("default_pool_size = 2\nlistener_queue = 16384\n");
	PGconn *a = client(NULL), *b = client(NULL);
	sql(a, "listen x");
	sql(b, "listen x");
	sql(a, "begin");
	for (int i = 0; i < 4; i++)
		tell("notify x, '%d%s'", i, pg_scalar("select repeat('x', 7000)"));
	tell("notify x, 'end'");
	check("b hears all", strstr(heard_until(b, "end"), "x:3xxx") != NULL);
	wait_until("told", sluice_logged("more notifications wait for this client than listener_queue allows"));
	PGresult *r = PQexec(a, "select 1");
	check("fails", PQresultStatus(r) == PGRES_FATAL_ERROR);
	PQclear(r);
	check("closed", PQstatus(a) == CONNECTION_BAD);
}

/* What does not read is kept for, up to the bound. */
static void test_slow(void)
{
	begin_with("default_pool_size = 2\nlistener_queue = 1048576\n");
	PGconn *b = client(NULL);
	int fd = raw_open();
	char buf[16384], type;
	size_t len;
	check("in", raw_startup(fd, "alice", "test") && raw_expect(fd, 'Z', buf, sizeof buf, &len));
	raw_message(fd, 'Q', "listen x", 9);
	check("listens", raw_expect(fd, 'Z', buf, sizeof buf, &len));
	sql(b, "listen x");
	for (int i = 0; i < 100 && !sluice_logged("more notifications wait for this client"); i++) {
		tell("select count(pg_notify('x', i || repeat('x', 7900))) from generate_series(1, 50) i");
		tell("notify x, 'end%d'", i);
		check("b hears", strstr(heard_until(b, text("end%d", i)), "x:end") != NULL);
	}
	wait_until("closed", sluice_logged("more notifications wait for this client"));
	int n = 0;
	while (raw_next(fd, &type, buf, sizeof buf, &len) && type == 'A')
		n++;
	check("whole messages up to there", n > 10 && n < 5000);
	raw_close(fd);
}

/* Where there cannot be one the client keeps its server, as it says. */
static void test_alone(void)
{
	begin(&(struct conf){ .databases = "test = @PG@ max_db_connections=1\n", .settings = two_servers });
	PGconn *a = client(NULL), *boss = console();
	sql(a, "listen x");
	check_str("pinned", pins(boss), "listen");
	check_str("heard", heard_now(a, "x"), "");
	check_eq("one", servers(), 1);
	sluice_stop();

	begin(&(struct conf){ .databases = "test = @PG@ shared_listener=0\n", .settings = two_servers });
	a = client(NULL);
	boss = console();
	sql(a, "listen x");
	check_str("pinned", pins(boss), "listen");
	check_str("heard", heard_now(a, "x"), "");
	sluice_stop();

	begin_with(two_servers);
	a = client(NULL);
	PGconn *b = client("client_encoding=LATIN1");
	boss = console();
	sql(a, "listen x");
	sql(b, "listen x");
	check_str("another encoding", show(boss, "clients", "pins", "listen", "pins"), "listen");
	tell("notify x, '\303\266'");
	check_str("utf8", heard_until(a, "\303\266"), "x:\303\266");
	check_str("latin1", heard_until(b, "\366"), "x:\366");
	sql(a, "set client_encoding to latin1");
	tell("notify x, 'ascii'");
	check_str("ascii is the same", heard_until(a, "ascii"), "x:ascii");
	tell("notify x, '\303\266'");
	wait_until("told", sluice_logged("client_encoding was changed after LISTEN"));
}

/* Whatever a client leaves behind, the next one on its server hears nothing of it. */
static void test_leaves(void)
{
	begin_with("default_pool_size = 1\nserver_reset_query =\n");
	PGconn *b = client(NULL);
	for (int i = 0; i < 4; i++) {
		PGconn *a = client(NULL);
		if (i == 0) {
			sql(a, "listen x");
		} else if (i == 1) {
			sql(a, "begin; listen x");
		} else if (i == 2) {
			PQsendQuery(a, "listen x; select pg_sleep(60)");
			wait_until("it runs", atoi(pg_scalar("select count(*) from pg_stat_activity where query like "
							     "'%%pg_sleep(60)' and state = 'active'")) == 1);
		} else {
			PQsendQuery(a, "listen x");
		}
		client_close(a);
		sql(b, "select 1");
		tell("notify x, 'no'");
		check_scalar(b, "select 1", "1");
		sql(b, "listen y");
		check_str("nothing", heard_now(b, "y"), "");
		sql(b, "unlisten *");
	}
	check_str("no server listens", scalar(b, "select count(*) from pg_listening_channels()"), "0");
}

static void test_psql(void)
{
	char *out;
	begin_with(two_servers);
	check_eq("psql",
		 run(&out, "psql -X -c 'listen x' -c \"notify x, 'one'\" -c 'begin; listen y' -c \"notify y, 'two'\" "
			   "-c commit"),
		 0);
	check("told", strstr(out, "Asynchronous notification \"x\" with payload \"one\" received") != NULL);
	char *begun = strstr(out, "NOTIFY\nCOMMIT");
	check("when it is committed", begun && strstr(begun, "\"y\" with payload \"two\""));
}

/* Pipelines: what is sent ahead waits its turn, and all is answered. */
static void test_pipeline(void)
{
	begin_with(two_servers);
	PGconn *a = client(NULL);
	PQenterPipelineMode(a);
	for (int i = 0; i < 20; i++) {
		PQsendQueryParams(a, text("listen p%d", i), 0, NULL, NULL, NULL, NULL, 0);
		PQpipelineSync(a);
		PQsendQueryParams(a, text("notify p%d, 'n%d'", i, i), 0, NULL, NULL, NULL, NULL, 0);
		PQsendQueryParams(a, "select 1", 0, NULL, NULL, NULL, NULL, 0);
		PQpipelineSync(a);
	}
	int oks = 0, rows_seen = 0, syncs = 0;
	while (syncs < 40) {
		PGresult *r = PQgetResult(a);
		oks += PQresultStatus(r) == PGRES_COMMAND_OK;
		rows_seen += PQresultStatus(r) == PGRES_TUPLES_OK;
		syncs += PQresultStatus(r) == PGRES_PIPELINE_SYNC;
		PQclear(r);
	}
	check_eq("commands", oks, 40);
	check_eq("rows", rows_seen, 20);
	PQexitPipelineMode(a);
	char *all = heard_until(a, "n19");
	for (int i = 0; i < 20; i++)
		check(text("n%d", i), strstr(all, text("p%d:n%d", i, i)) != NULL);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "many", test_many },
		{ "rows", test_rows },
		{ "names", test_names },
		{ "in_transaction", test_in_transaction },
		{ "own", test_own },
		{ "at_once", test_at_once },
		{ "lost", test_lost },
		{ "idle", test_idle },
		{ "bound", test_bound },
		{ "slow", test_slow },
		{ "alone", test_alone },
		{ "leaves", test_leaves },
		{ "pipeline", test_pipeline },
		{ "psql", test_psql },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "listen", tests);
}
