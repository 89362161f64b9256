/* test_state.c - what statements do to their session, in transaction pooling: it follows the client, or pins it. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static const char one_server[] = "default_pool_size = 1\n";

/* Statements of a, by one connection; before each b uses the server. Then what a and b see. */
struct row {
	const char *what;
	const char *run[8];
	const char *ask, *a, *b;
};

static const struct row rows[] = {
	{ "SET", { "set work_mem = '5MB'" }, "show work_mem", "5MB", "4MB" },
	{ "SET TO DEFAULT", { "set work_mem = '5MB'", "set work_mem to default" }, "show work_mem", "4MB", "4MB" },
	{ "RESET", { "set work_mem = '5MB'", "reset work_mem" }, "show work_mem", "4MB", "4MB" },
	{ "RESET ALL",
	  { "set work_mem = '5MB'; set statement_timeout = 77", "reset all" },
	  "show statement_timeout",
	  "0",
	  "0" },
	{ "DISCARD ALL", { "set work_mem = '5MB'", "discard all" }, "show work_mem", "4MB", "4MB" },
	{ "a list",
	  { "set search_path to \"A b\", public" },
	  "show search_path",
	  "\"A b\", public",
	  "\"$user\", public" },
	{ "set_config", { "select set_config('work_mem', '6MB', false)" }, "show work_mem", "6MB", "4MB" },
	{ "set_config, local", { "select set_config('work_mem', '6MB', true)" }, "show work_mem", "4MB", "4MB" },
	{ "a name of one's own",
	  { "set my.var = 'it''s \\ \"mine\"'" },
	  "select current_setting('my.var', true)",
	  "it's \\ \"mine\"",
	  "" },
	{ "SET LOCAL", { "begin; set local work_mem = '5MB'; commit" }, "show work_mem", "4MB", "4MB" },
	{ "committed", { "begin", "set work_mem = '5MB'", "commit" }, "show work_mem", "5MB", "4MB" },
	{ "rolled back", { "begin", "set work_mem = '5MB'", "rollback" }, "show work_mem", "4MB", "4MB" },
	{ "rolled back, after another",
	  { "set work_mem = '5MB'", "begin", "set work_mem = '6MB'", "rollback" },
	  "show work_mem",
	  "5MB",
	  "4MB" },
	{ "failed", { "begin", "set work_mem = '5MB'", "!select 1/0", "commit" }, "show work_mem", "4MB", "4MB" },
	{ "failed at once", { "!set work_mem = '5MB'; select 1/0" }, "show work_mem", "4MB", "4MB" },
	{ "failed at once, at length",
	  { "!set work_mem = '5MB'; select repeat('x', 40000)::int" },
	  "show work_mem",
	  "4MB",
	  "4MB" },
	{ "committed in one", { "!begin; set work_mem = '5MB'; commit; select 1/0" }, "show work_mem", "5MB", "4MB" },
	{ "half and half",
	  { "!set work_mem = '5MB'; commit; set work_mem = '6MB'; select 1/0" },
	  "show work_mem",
	  "5MB",
	  "4MB" },
	{ "to a savepoint",
	  { "begin", "set work_mem = '5MB'", "savepoint s", "set work_mem = '6MB'", "rollback to s", "commit" },
	  "show work_mem",
	  "5MB",
	  "4MB" },
	{ "a savepoint released",
	  { "begin", "savepoint s", "set work_mem = '6MB'", "release s", "commit" },
	  "show work_mem",
	  "6MB",
	  "4MB" },
	{ "after an error, to a savepoint",
	  { "begin", "set work_mem = '5MB'", "savepoint s", "set work_mem = '6MB'; savepoint t", "!select 1/0",
	    "rollback to s", "commit" },
	  "show work_mem",
	  "5MB",
	  "4MB" },
	{ "a value that is none", { "!set work_mem = 'much'" }, "show work_mem", "4MB", "4MB" },
	{ "a role", { "set role bob" }, "select current_user", "bob", "alice" },
	{ "no role", { "set role bob", "reset role" }, "select current_user", "alice", "alice" },
	{ "a user", { "set session authorization carol" }, "select session_user", "carol", "alice" },
	{ "the user who came has no role",
	  { "set role bob", "reset session authorization" },
	  "select current_user",
	  "alice",
	  "alice" },
	{ "a user and a role that only the first may have",
	  { "set session authorization postgres; set role bob" },
	  "select session_user || current_user",
	  "postgresbob",
	  "alicealice" },
	{ "characteristics",
	  { "set session characteristics as transaction isolation level serializable" },
	  "show transaction_isolation",
	  "serializable",
	  "read committed" },
	{ "a transaction's own",
	  { "begin; set transaction isolation level serializable; commit" },
	  "show transaction_isolation",
	  "read committed",
	  "read committed" },
	{ "a transaction's own, as a setting",
	  { "set transaction_isolation = 'serializable'" },
	  "show transaction_isolation",
	  "read committed",
	  "read committed" },
	{ "another, in a transaction",
	  { "begin; set transaction_read_only to on", "commit" },
	  "show transaction_read_only",
	  "off",
	  "off" },
	{ "another, by a function",
	  { "select set_config('transaction_read_only', 'on', false)" },
	  "show transaction_read_only",
	  "off",
	  "off" },
	{ "a third", { "set session transaction_deferrable = on" }, "show transaction_deferrable", "off", "off" },
	{ "one that is reported", { "set timezone = 'Asia/Tokyo'" }, "show timezone", "Asia/Tokyo", "UTC" },
	{ "one that is reported, rolled back",
	  { "begin; set timezone = 'Asia/Tokyo'", "rollback" },
	  "show timezone",
	  "UTC",
	  "UTC" },
};

static void run_one(PGconn *c, const char *query)
{
	bool fails = *query == '!';
	PGresult *r = PQexec(c, query + fails);
	ExecStatusType is = PQresultStatus(r);
	check(query, fails ? is == PGRES_FATAL_ERROR : is == PGRES_COMMAND_OK || is == PGRES_TUPLES_OK);
	PQclear(r);
}

static void run_one_extended(PGconn *c, const char *query)
{
	bool fails = *query == '!';
	PGresult *r = PQexecParams(c, query + fails, 0, NULL, NULL, NULL, NULL, 0);
	ExecStatusType is = PQresultStatus(r);
	check(query, fails ? is == PGRES_FATAL_ERROR : is == PGRES_COMMAND_OK || is == PGRES_TUPLES_OK);
	PQclear(r);
}

static void try_rows(const char *settings)
{
	sluice_with(settings);
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int extended = 0; extended < 2; extended++) {
			const struct row *w = &rows[i];
			bool several = false;
			for (size_t k = 0; k < COUNT(w->run) && w->run[k]; k++)
				several |= strchr(w->run[k], ';') != NULL;
			if (extended && several)
				continue;
			PGconn *a = client(NULL), *b = client(NULL);
			for (size_t k = 0; k < COUNT(w->run) && w->run[k]; k++) {
				if (PQtransactionStatus(a) == PQTRANS_IDLE)
					sql(b, "select 1");
				(extended ? run_one_extended : run_one)(a, w->run[k]);
			}
			check_str(text("%s: b", w->what), scalar(b, "%s", w->ask), w->b);
			check_str(text("%s: a", w->what), scalar(a, "%s", w->ask), w->a);
			check_str(text("%s: b again", w->what), scalar(b, "%s", w->ask), w->b);
			check_str(text("%s: a again", w->what), scalar(a, "%s", w->ask), w->a);
			client_close(a);
			client_close(b);
		}
}

static void test_rows(void)
{
	try_rows(one_server);
}

/* Prepared statements are the server's then, and what they set follows the client all the same. */
static void test_rows_unshared(void)
{
	try_rows("default_pool_size = 1\nmax_prepared_statements = 0\n");
}

/* What a client asks for when it comes is its own default. */
static void test_startup(void)
{
	sluice_with(one_server);
	PGconn *b = client(NULL);
	PGconn *a = client("options='-c work_mem=7MB -c TimeZone=Asia/Tokyo' application_name=mine");
	check_str("the timezone is told", PQparameterStatus(a, "TimeZone"), "Asia/Tokyo");
	check_scalar(a, "show work_mem", "7MB");
	check_scalar(b, "show work_mem", "4MB");
	sql(a, "set work_mem = '8MB'");
	check_scalar(a, "show work_mem", "8MB");
	sql(a, "reset work_mem");
	check_scalar(a, "show work_mem", "7MB");
	sql(a, "set timezone = 'Europe/Paris'");
	check_str("told", PQparameterStatus(a, "TimeZone"), "Europe/Paris");
	sql(a, "reset all");
	check_scalar(a, "show work_mem", "7MB");
	check_scalar(a, "show timezone", "Asia/Tokyo");
	check_str("told", PQparameterStatus(a, "TimeZone"), "Asia/Tokyo");
	check_scalar(a, "show application_name", "mine");
	check_scalar(b, "show timezone", "UTC");
	sql(a, "discard all");
	check_scalar(a, "show work_mem", "7MB");
	check_scalar(b, "show work_mem", "4MB");
	/* What servers make of it is what it goes back to. */
	PGconn *c = client("options='-c datestyle=german'");
	sql(c, "reset datestyle");
	check_str("told", PQparameterStatus(c, "DateStyle"), "German, DMY");
	check_scalar(c, "show datestyle", "German, DMY");
}

static const struct {
	const char *pin, *begin, *end;
	bool extended_only;
} pins[] = {
	{ "listen", "listen x", "unlisten *", false },
	{ "temporary", "create temp table t (i int)", "discard temp", false },
	{ "temporary", "select 1 into temp t", "discard all", false },
	{ "cursor", "declare c cursor with hold for select 1", "close all", false },
	{ "advisory_lock", "select pg_advisory_lock(1)", "select pg_advisory_unlock_all()", false },
	{ "prepared", "prepare p as select 1", "deallocate all", true },
	{ "do", "do $$ begin perform 1; end $$", "discard all", false },
	{ "load", "load 'plpgsql'", "discard all", false },
	{ "setting", "set seed = 0.5", "reset all", false },
	{ "setting", "select setseed(0.5)", "discard all", false },
	{ "setting", "select set_config('work_mem', '1' || 'MB', false)", "discard all", false },
	{ "setting", "update pg_settings set setting = '9999' where name = 'work_mem'", "discard all", false },
	{ "temporary", "set search_path = pg_temp, public", "discard all", false },
	{ "temporary", "set search_path to \"$user\", \"pg_temp\"", "discard all", false },
	{ "temporary", "select set_config('search_path', 'Pg_Temp', false)", "discard all", false },
	{ "function", "select public.sets_something()", "discard all", false },
	{ "advisory_lock,temporary", NULL, NULL, false },
};

static void try_pins(const char *settings)
{
	sluice_with(text("default_pool_size = 2\npin_functions = sets_something\nshared_listener = 0\n%s", settings));
	pg_sql("set role alice");
	PGconn *a = client(NULL), *boss = console();
	sql(a, "create or replace function sets_something() returns int language sql as 'select 1'");
	for (size_t i = 0; i < COUNT(pins) && pins[i].begin; i++)
		for (int extended = pins[i].extended_only; extended < 2; extended++) {
			(extended ? run_one_extended : run_one)(a, pins[i].begin);
			check_str(pins[i].begin, show(boss, "clients", "database", "test", "pins"), pins[i].pin);
			check_eq(pins[i].begin, show_int(boss, "pools", "database", "test", "sv_active"), 1);
			sql(a, "select 1");
			check_eq(pins[i].begin, show_int(boss, "pools", "database", "test", "sv_active"), 1);
			run_one(a, pins[i].end);
			check_str(pins[i].end, show(boss, "clients", "database", "test", "pins"), "");
			check_eq(pins[i].end, show_int(boss, "pools", "database", "test", "sv_active"), 0);
		}
	/* Called by its number. */
	int result = 0, length = 0;
	const PQArgBlock keys[] = { { .isint = 1, .len = 4, .u.integer = 1 },
				    { .isint = 1, .len = 4, .u.integer = 2 } };
	int lock = atoi(scalar(a, "select 'pg_advisory_lock(int, int)'::regprocedure::oid"));
	PQclear(PQfn(a, lock, &result, &length, 0, keys, 2));
	check_str("by its number", show(boss, "clients", "database", "test", "pins"), "advisory_lock");
	run_one(a, "select pg_advisory_unlock_all()");
	sql(a, "begin; set local search_path = pg_temp; create table t (i int); commit");
	check_eq("a path", show_int(boss, "pools", "database", "test", "sv_active"), 1);
	sql(a, "discard all");
	/* Rolled back, it has not happened. */
	sql(a, "begin");
	sql(a, "create temp table t (i int)");
	sql(a, "rollback");
	check_eq("rolled back", show_int(boss, "pools", "database", "test", "sv_active"), 0);
	check("counted", show_int(boss, "stats", "database", "test", "total_pin_count") > 10);
}

static void test_pins(void)
{
	try_pins("");
}

static void test_pins_unshared(void)
{
	try_pins("max_prepared_statements = 0\n");
}

/* What a client leaves behind is cleaned up when it goes. */
static void test_pinned_leaves(void)
{
	sluice_with(one_server);
	PGconn *a = client(NULL), *b = client(NULL);
	sql(a, "create temp table t (i int)");
	sql(a, "set work_mem = '5MB'");
	client_close(a);
	check_sql_fails(b, "select * from t", "42P01", "does not exist");
	check_scalar(b, "show work_mem", "4MB");
}

/* A server that holds what no reset takes away is not lent again. */
static void test_kept_for_good(void)
{
	/* Not the same one twice: whoever had it may be about to end. */
	static const char *const ways[] = { "select pg_replication_origin_session_setup('o')",
					    "select pg_replication_origin_session_setup('p'), version()::int" };
	sluice_with(one_server);
	PGconn *b = client(NULL), *boss = console();
	sql(b, "select pg_replication_origin_create(o) from unnest('{o,p,q}'::text[]) o");
	for (size_t i = 0; i < COUNT(ways); i++) {
		PGconn *a = client(NULL);
		PQclear(PQexec(a, ways[i]));
		check_eq(ways[i], show_int(boss, "pools", "database", "test", "sv_active"), 1);
		check_scalar(a, "select pg_replication_origin_session_is_setup()", "t");
		client_close(a);
		check_scalar(b, "select pg_replication_origin_session_is_setup()", "f");
	}
	char body[1024];
	size_t n;
	int fd = raw_open();
	require("start", raw_startup(fd, "alice", "test") && raw_expect(fd, 'Z', body, sizeof body, &n));
	require("call", raw_message(fd, 'F', BYTES("\0\0\x17\x76\0\0\0\1\0\0\0\1q\0\0")));
	check("called", raw_expect(fd, 'Z', body, sizeof body, &n));
	check_eq("by number", show_int(boss, "pools", "database", "test", "sv_active"), 1);
	raw_close(fd);
	check_scalar(b, "select pg_replication_origin_session_is_setup()", "f");
}

static void try_policy(const char *settings)
{
	sluice_with(text("default_pool_size = 1\npin_policy = error\nshared_listener = 0\n%s", settings));
	PGconn *a = client(NULL);
	PGresult *r;
	check_sql_fails(a, "listen x", "0A000", "needs a server connection of its own (listen)");
	sql(a, "begin");
	check_sql_fails(a, "create temp table t (i int)", "0A000", "(temporary)");
	check_eq("the transaction has failed", PQtransactionStatus(a), PQTRANS_INERROR);
	sql(a, "rollback");
	r = PQexecParams(a, "listen x", 0, NULL, NULL, NULL, NULL, 0);
	check_result_fails(a, r, "0A000", "(listen)");
	r = PQexecParams(a, text("listen x --%70000s", ""), 0, NULL, NULL, NULL, NULL, 0);
	check_result_fails(a, r, "0A000", "(listen)");
	check_scalar(a, "select 1", "1");
	sluice_stop();
}

static char body[1024];
static size_t len;

static int enter(void)
{
	int fd = raw_open();
	require("in", raw_startup(fd, "alice", "test") && raw_expect(fd, 'Z', body, sizeof body, &len));
	return fd;
}

/* Up to ReadyForQuery: the SQLSTATE of the error, "" when there is none. */
static char *outcome(int fd)
{
	char type = 0, *state = text("%s", "");
	while (type != 'Z' && check("an answer", raw_next(fd, &type, body, sizeof body, &len)))
		if (type == 'E')
			state = text("%s", error_field(body, len, 'C'));
	return state;
}

static void call_a_function(int fd)
{
	/* pg_advisory_lock(3) */
	require("call", raw_message(fd, 'F', BYTES("\0\0\13\100\0\1\0\1\0\1\0\0\0\10\0\0\0\0\0\0\0\3\0\0")));
}

/* 17 of them are too many to be remembered. */
static void bind_many(int fd)
{
	require("begin", raw_message(fd, 'P', BYTES("s\0set a.x = 1\0\0\0")));
	for (int i = 0; i < 17; i++) {
		char bind[] = "p_\0s\0\0\0\0\0\0";
		bind[1] = (char)('a' + i);
		require("bind", raw_message(fd, 'B', bind, sizeof bind));
	}
	require("sync", raw_message(fd, 'S', "", 0));
}

static void prepare_many(int fd)
{
	for (int i = 0; i < 17; i++) {
		char parse[] = "s_\0set a.x = 1\0\0";
		parse[1] = (char)('a' + i);
		require("parse", raw_message(fd, 'P', parse, sizeof parse));
	}
	require("sync", raw_message(fd, 'S', "", 0));
}

static void set_in_a_long_text(int fd)
{
	char *long_text = text("set a.x = 1; select length('%70000s')", "");
	require("query", raw_message(fd, 'Q', long_text, strlen(long_text) + 1));
}

static void set_in_a_long_parse(int fd)
{
	static char parse[70000];
	memset(parse, ' ', sizeof parse);
	memcpy(parse, "\0set a.x = 1 --", 15);
	memset(parse + sizeof parse - 3, 0, 3);
	require("parse", raw_message(fd, 'P', parse, sizeof parse) && raw_message(fd, 'S', "", 0));
}

/* Whatever it is that would have the client keep its server. */
static void test_policy_everywhere(void)
{
	static const struct {
		const char *what, *settings, *pins;
		void (*say)(int fd);
	} ways[] = {
		{ "a function call", "", "advisory_lock", call_a_function },
		{ "a long text", "", "setting", set_in_a_long_text },
		{ "a long Parse", "", "setting", set_in_a_long_parse },
		{ "a long Parse, noted", "max_prepared_statements = 0", "setting", set_in_a_long_parse },
		{ "too many portals", "", "setting", bind_many },
		{ "too many portals, noted", "max_prepared_statements = 0", "setting", bind_many },
		{ "too many statements, noted", "max_prepared_statements = 0", "setting", prepare_many },
	};
	static const char *const policies[] = { "pin", "error", "ignore" };
	for (size_t i = 0; i < COUNT(ways); i++)
		for (size_t k = 0; k < COUNT(policies); k++) {
			sluice_with(
				text("default_pool_size = 1\npin_policy = %s\n%s\n", policies[k], ways[i].settings));
			PGconn *boss = console();
			int fd = enter();
			const char *what = text("%s: %s", policies[k], ways[i].what);
			ways[i].say(fd);
			check_str(what, outcome(fd), k == 1 ? "0A000" : "");
			check_str(what, show(boss, "clients", "database", "test", "pins"), k == 0 ? ways[i].pins : "");
			if (k == 1) {
				require("said", raw_message(fd, 'Q', BYTES("select 1\0")));
				check_str("in step", outcome(fd), "");
			}
			raw_close(fd);
			sluice_stop();
		}
}

/* What needs no server of its own is not refused. */
static void test_policy_spares(void)
{
	sluice_with("default_pool_size = 1\npin_policy = error\nshared_listener = 0\n");
	PGconn *a = client(NULL), *asked = client("options='-c work_mem=7MB'");
	sql(a, "prepare p as select 7");
	check_scalar(asked, "show work_mem", "7MB");
	check_scalar(a, "execute p", "7");
	PQclear(PQprepare(a, "q", "select 8", 0, NULL));
	check_scalar(asked, "set work_mem = '8MB'; reset work_mem; show work_mem", "7MB");
	check_scalar(a, "execute q", "8");
	sql(a, "deallocate p");
	sql(a, "deallocate q");
	check_sql_fails(a, "execute p", "26000", "\"p\" does not exist");
}

static void test_policy(void)
{
	try_policy("");
	try_policy("max_prepared_statements = 0\n");
	sluice_with("default_pool_size = 1\npin_policy = ignore\n");
	PGconn *a = client(NULL), *b = client(NULL);
	sql(a, "create temp table t (i int)");
	check_scalar(b, "select count(*) from t", "0");
	PQclear(PQprepare(a, "p", "select 7", 0, NULL));
	for (int i = 0; i < 2; i++) {
		check_str("by its name", scalar_params(a, "execute p", NULL, NULL), "7");
		check_scalar(b, "select 1", "1");
	}
	check_str("no pins", show(console(), "clients", "prepared_statements", "1", "pins"), "");
}

/* A long text in the place of one that was noted does nothing of what that did. */
static void test_long_instead_of_noted(void)
{
	sluice_with("default_pool_size = 1\nmax_prepared_statements = 0\n");
	static char parse[70000];
	static const char bind[] = "\0\0\0\0\0\0\0";
	PGconn *b = client(NULL);
	int fd = enter();
	memset(parse, ' ', sizeof parse);
	memcpy(parse, "\0select 1 --", 12);
	memset(parse + sizeof parse - 3, 0, 3);
	for (int i = 0; i < 2; i++) {
		if (i)
			require("parsed", raw_message(fd, 'P', parse, sizeof parse));
		else
			require("parsed", raw_message(fd, 'P', BYTES("\0set my.x = '1'\0\0\0")));
		require("run", raw_message(fd, 'B', bind, sizeof bind) && raw_message(fd, 'E', "\0\0\0\0", 5) &&
				       raw_message(fd, 'S', "", 0));
		check_str("done", outcome(fd), "");
		if (!i) {
			require("said", raw_message(fd, 'Q', BYTES("set my.x = '2'\0")));
			check_str("done", outcome(fd), "");
		}
	}
	check_scalar(b, "select current_setting('my.x', true)", "");
	require("asked", raw_message(fd, 'Q', BYTES("show my.x\0")) && raw_expect(fd, 'D', body, sizeof body, &len));
	check_str("as it was set last", len > 6 ? body + 6 : "", "2");
	raw_close(fd);
}

/* Wherever it is said, and whether the server reports it or not. */
static void test_reset_to_what_was_asked(void)
{
	static const char *const modes[] = { "transaction", "session", "transaction\nmax_prepared_statements = 0" };
	static const char *const ways[] = { "reset %s", "set %s to default", "set %s = default", "reset all",
					    "RESET /* not -- */ all" };
	static const char *const tags[] = { "RESET", "SET", "SET", "RESET", "RESET" };
	static const struct {
		const char *name, *asked, *other;
	} vars[] = {
		{ "work_mem", "7MB", "'1MB'" },
		{ "datestyle", "German, DMY", "'Postgres, MDY'" },
		{ "search_path", "pg_catalog, \"x y\"", "nowhere" },
	};
	for (size_t m = 0; m < COUNT(modes); m++) {
		sluice_with(text("default_pool_size = 1\npool_mode = %s", modes[m]));
		PGconn *c = client(
			"options='-c work_mem=7MB -c datestyle=German,DMY -c search_path=pg_catalog,\\\\\\ \\\"x\\\\\\ y\\\"'");
		for (size_t v = 0; v < COUNT(vars); v++)
			for (size_t w = 0; w < COUNT(ways); w++) {
				const char *show = text("show %s", vars[v].name), *reset = text(ways[w], vars[v].name);
				check_scalar(c, show, vars[v].asked);
				sql(c, "begin; set %s = %s", vars[v].name, vars[v].other);
				sql(c, "%s", reset);
				check_str(text("%s, %s", modes[m], reset), scalar(c, "%s", show), vars[v].asked);
				sql(c, "commit");
				check_scalar(c, show, vars[v].asked);
				check_str("at once",
					  scalar(c, "set %s = %s; %s; %s", vars[v].name, vars[v].other, reset, show),
					  vars[v].asked);
				PGresult *r = PQexec(c, reset);
				check_eq("rows", PQntuples(r), 0);
				check_str("its tag", PQcmdStatus(r), tags[w]);
				PQclear(r);
				/* By the extended protocol, in a transaction and alone, named and not. */
				for (int named = 0; named < 2; named++) {
					sql(c, "set %s = %s", vars[v].name, vars[v].other);
					sql(c, "begin");
					if (named)
						PQclear(PQprepare(c, "r", reset, 0, NULL));
					r = named ? PQexecPrepared(c, "r", 0, NULL, NULL, NULL, 0)
						  : PQexecParams(c, reset, 0, NULL, NULL, NULL, NULL, 0);
					check_str("its tag", PQcmdStatus(r), tags[w]);
					PQclear(r);
					check_str(text("extended, %s, %s", modes[m], reset), scalar(c, "%s", show),
						  vars[v].asked);
					sql(c, "rollback");
					check("rolled back", strcmp(scalar(c, "%s", show), vars[v].asked) != 0);
					r = PQexecParams(c, reset, 0, NULL, NULL, NULL, NULL, 0);
					PQclear(r);
					check_scalar(c, show, vars[v].asked);
					if (named)
						sql(c, "deallocate r");
				}
				/* It takes no snapshot. */
				for (int extended = 0; extended < 2; extended++) {
					sql(c, "begin");
					(extended ? run_one_extended : run_one)(c, reset);
					sql(c, "set transaction isolation level serializable");
					sql(c, "commit");
				}
			}
		for (int extended = 0; extended < 2; extended++) {
			sql(c, "set work_mem = '1MB'; set datestyle = 'SQL'; set search_path = nowhere");
			(extended ? run_one_extended : run_one)(c, "discard all");
			for (size_t v = 0; v < COUNT(vars); v++)
				check_scalar(c, text("show %s", vars[v].name), vars[v].asked);
			sql(c, "begin");
			check_sql_fails(c, "discard all", "25001", "cannot run inside a transaction block");
			sql(c, "rollback");
			check_scalar(c, "show work_mem", "7MB");
			check_sql_fails(c, "discard all; select 1", "25001", "cannot run inside a transaction block");
			check_scalar(c, "show work_mem", "7MB");
		}
		check_sql_fails(c, "reset nothing", "42704", "unrecognized configuration parameter \"nothing\"");
		client_close(c);
		c = client(NULL);
		check_scalar(c, "show work_mem", "4MB");
		check_scalar(c, "show datestyle", "ISO, MDY");
		sluice_stop();
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "rows", test_rows },
		{ "rows_unshared", test_rows_unshared },
		{ "startup", test_startup },
		{ "pins", test_pins },
		{ "pins_unshared", test_pins_unshared },
		{ "pinned_leaves", test_pinned_leaves },
		{ "kept_for_good", test_kept_for_good },
		{ "policy", test_policy },
		{ "policy_spares", test_policy_spares },
		{ "policy_everywhere", test_policy_everywhere },
		{ "long_instead_of_noted", test_long_instead_of_noted },
		{ "reset_to_what_was_asked", test_reset_to_what_was_asked },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "state", tests);
}
