/* test_replication.c - clients that replicate: PostgreSQL's own programs and a subscription through Sluice, servers of
 * their own in every pool mode, and their places in the pool. PostgreSQL docs, Streaming Replication Protocol. */
#include "harness.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define BOTH "test = @PG@\nreplication = @PG@ dbname=test"

static char body[4096];
static size_t len;

/* PostgreSQL as it must be for this; once. */
static void make_ready(void)
{
	static bool is_ready;
	if (is_ready)
		return;
	pg_sql("alter system set wal_level = 'logical'");
	pg_sql("alter system set max_wal_senders = 20");
	pg_stop(SIGINT);
	pg_start();
	pg_sql("create role replica login replication password 'replica-secret'");
	pg_sql("create role plain login password 'plain-secret'");
	is_ready = true;
}

static void start_with(const char *settings)
{
	make_ready();
	pg_hba("host all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n");
	sluice_start(&(struct conf){ .databases = BOTH, .settings = settings });
}

static void start_mode(const char *mode)
{
	start_with(text("pool_mode = %s\ndefault_pool_size = 5", mode));
}

static const char *const modes[] = { "session", "transaction", "statement" };

static int walsenders(void)
{
	return atoi(pg_scalar("select count(*) from pg_stat_activity where backend_type = 'walsender'"));
}

static const char *current_lsn(void)
{
	return pg_scalar("select pg_current_wal_lsn()");
}

/* Runs a program; it must end well. */
static char *ran(const char *command)
{
	char *out = NULL;
	int status = run(&out, "%s", command);
	check(text("%s: %s", command, out ? out : ""), status == 0);
	return out ? out : text("%s", "");
}

static void drop_slot(const char *name)
{
	wait_until("the slot is free",
		   strcmp(pg_scalar("select count(*) from pg_replication_slots where active and slot_name = '%s'",
				    name),
			  "0") == 0);
	pg_sql("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '%s'", name);
}

/* --- PostgreSQL's programs */

static void test_recvlogical(void)
{
	for (size_t i = 0; i < COUNT(modes); i++) {
		start_mode(modes[i]);
		ran("pg_recvlogical -d test --slot rl --create-slot -P test_decoding");
		PGconn *c = client_to_pg("dbname=test");
		sql(c, "create table rl (i int, t text)");
		sql(c, "insert into rl select i, repeat('x', 1000) from generate_series(1, 5000) i");
		char *out = ran(text("pg_recvlogical -d test --slot rl --start -f - --endpos %s | "
				     "grep -c 'table public.rl: INSERT'",
				     current_lsn()));
		check_eq("rows", atoi(out), 5000);
		ran("pg_recvlogical -d test --slot rl --drop-slot");
		sql(c, "drop table rl");
		wait_until("none is left", walsenders() == 0);
		sluice_stop();
	}
}

static void test_basebackup(void)
{
	for (size_t i = 0; i < COUNT(modes); i++) {
		start_mode(modes[i]);
		/* Two connections at once: one for the files, one for what changes meanwhile. */
		ran(text("pg_basebackup -D %s/base%zu -X stream -c fast --no-sync", dir(), i));
		ran(text("\"$(pg_config --bindir)\"/pg_verifybackup %s/base%zu", dir(), i));
		ran(text("rm -rf %s/base%zu", dir(), i));
		wait_until("none is left", walsenders() == 0);
		sluice_stop();
	}
}

static void test_receivewal(void)
{
	int status;
	start_mode("transaction");
	ran("pg_receivewal --slot rw --create-slot");
	ran(text("mkdir %s/wal", dir()));
	pid_t pid = run_in_background("rw", "pg_receivewal -D %s/wal --slot rw --no-sync", dir());
	wait_until("it streams",
		   strcmp(pg_scalar("select count(*) from pg_stat_replication where state = 'streaming'"), "1") == 0);
	pg_sql("create table rw (i int, t text)"); /* at its very beginning a segment has the name of the one before */
	char *whole = pg_scalar("select pg_walfile_name(pg_current_wal_lsn())");
	pg_sql("insert into rw select i, repeat('y', 500) from generate_series(1, 20000) i");
	pg_sql("drop table rw");
	pg_sql("select pg_switch_wal()");
	wait_until("a whole segment", atoi(ran(text("ls %s/wal | grep -cx %s || true", dir(), whole))) == 1);
	ran(text("\"$(pg_config --bindir)\"/pg_waldump %s/wal/%s >%s/waldump", dir(), whole, dir()));
	kill(pid, SIGINT);
	wait_until("it ends", has_ended(pid, &status));
	check_eq("well", status, 0);
	wait_until("none is left", walsenders() == 0);
	ran("pg_receivewal --slot rw --drop-slot");
}

/* One database of the server subscribes to another; the first rows are copied, by a connection of their own, and the
 * later ones streamed. */
static void test_subscription(void)
{
	start_mode("transaction");
	pg_sql("create database subscriber");
	PGconn *from = client_to_pg("dbname=test"), *to = client_to_pg("dbname=subscriber");
	sql(from, "create table pub (i int primary key)");
	sql(to, "create table pub (i int primary key)");
	sql(from, "insert into pub select generate_series(1, 100)");
	sql(from, "create publication pub for table pub");
	sql(from, "select pg_create_logical_replication_slot('sub', 'pgoutput')");
	sql(to,
	    "create subscription sub connection 'host=127.0.0.1 port=%d user=alice dbname=test' publication pub "
	    "with (create_slot = false, slot_name = 'sub')",
	    sluice_port());
	wait_until("the first rows", strcmp(scalar(to, "select count(*) from pub"), "100") == 0);
	sql(from, "insert into pub select generate_series(101, 300)");
	wait_until("the later rows", strcmp(scalar(to, "select count(*) from pub"), "300") == 0);
	PGconn *con = console();
	check_str("client", show(con, "CLIENTS", "application_name", "sub", "replication"), "logical");
	check_str("server", show(con, "SERVERS", "application_name", "sub", "replication"), "logical");
	/* The server is lost, and so is the client; it comes again and goes on. */
	pg_sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sub' and "
	       "backend_type = 'walsender'");
	sql(from, "insert into pub select generate_series(301, 400)");
	wait_until("the last rows", strcmp(scalar(to, "select count(*) from pub"), "400") == 0);
	sql(to, "alter subscription sub disable");
	sql(to, "alter subscription sub set (slot_name = none)");
	sql(to, "drop subscription sub");
	drop_slot("sub");
	client_close(to);
	pg_sql("drop database subscriber");
	sql(from, "drop table pub cascade");
}

/* --- Servers of their own */

static void test_own_server(void)
{
	for (size_t i = 0; i < COUNT(modes); i++) {
		start_mode(modes[i]);
		PGconn *con = console(), *other = client(NULL);
		check_scalar(other, "select 1", "1");
		PGconn *a = client("replication=database"), *b = client("replication=database"),
		       *c = client("dbname=replication replication=true");
		check("a physical one is in", c != NULL);
		char *pid = text("%s", scalar(a, "select pg_backend_pid()"));
		check("two have two", strcmp(pid, scalar(b, "select pg_backend_pid()")) != 0);
		check("and nobody else has them", strcmp(pid, scalar(other, "select pg_backend_pid()")) != 0);
		check_eq("PostgreSQL sees what they are", walsenders(), 3);
		/* What it does to its session stays there. */
		sql(a, "set geqo = off");
		sql(a, "create temporary table mine as select 7");
		sql(a, "begin");
		sql(a, "select 1");
		sql(a, "commit");
		check_scalar(a, "table mine", "7");
		check_scalar(a, "show geqo", "off");
		check_scalar(a, "select pg_backend_pid()", pid);
		char *id = show(con, "CLIENTS", "replication", "physical", "database");
		check_str("a physical one", id, "replication");
		check_str("its server", show(con, "SERVERS", "replication", "physical", "state"), "active");
		check_str("a logical one", show(con, "CLIENTS", "replication", "logical", "database"), "test");
		check_str("the others", show(con, "CLIENTS", "replication", "none", "user"), "admin");
		client_close(a);
		wait_until("it goes with its client",
			   strcmp(pg_scalar("select count(*) from pg_stat_activity where pid = %s", pid), "0") == 0);
		PGconn *again = client("replication=database");
		check("another server", strcmp(pid, scalar(again, "select pg_backend_pid()")) != 0);
		check_scalar(again, "show geqo", "on");
		check_scalar(other, "select 1", "1");
		sluice_stop();
	}
}

/* What the client asks for at its login it has, and it is told what its own server says. */
static void test_startup_parameters(void)
{
	make_ready();
	sluice_start(&(struct conf){ .databases = "test = @PG@ timezone=Asia/Tokyo datestyle=German",
				     .settings = "pool_mode = transaction" });
	PGconn *c = client("replication=database application_name=mine options='-c geqo=off -c datestyle=sql'");
	check_scalar(c, "show geqo", "off");
	check_scalar(c, "show application_name", "mine");
	check_scalar(c, "show timezone", "Asia/Tokyo");
	check_scalar(c, "show datestyle", "SQL, MDY");
	check_str("told", PQparameterStatus(c, "DateStyle"), "SQL, MDY");
	check_str("told", PQparameterStatus(c, "TimeZone"), "Asia/Tokyo");
	check_login_fails("42704", "no_such_thing", "replication=database options='-c no_such_thing=1'");
	check_scalar(client(NULL), "select 1", "1");
}

/* PostgreSQL's own reading of the parameter. */
static void test_values(void)
{
	static const struct {
		const char *value, *want; /* NULL: refused */
	} cases[] = {
		{ "database", "logical" }, { "true", "physical" }, { "1", "physical" },  { "ON", "physical" },
		{ "y", "physical" },       { "t", "physical" },    { "false", "none" },  { "no", "none" },
		{ "off", "none" },         { "0", "none" },        { "DATABASE", NULL }, { "o", NULL },
		{ "bogus", NULL },         { "truer", NULL },      { "", NULL },
	};
	start_mode("transaction");
	PGconn *con = console();
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *value = cases[i].value;
		char packet[200] = "\0\0\0\0\0\3\0\0user\0alice\0database\0test\0replication";
		size_t n = 8 + sizeof "user\0alice\0database\0test\0replication", v = strlen(value) + 1;
		memcpy(packet + n, value, v);
		packet[3] = (char)(n + v + 1);
		int fd = raw_open();
		check("start-up", raw_send(fd, packet, n + v + 1));
		if (cases[i].want) {
			check(text("\"%s\"", value), raw_expect(fd, 'Z', body, sizeof body, &len));
			check_str(text("\"%s\"", value), show(con, "CLIENTS", "user", "alice", "replication"),
				  cases[i].want);
		} else {
			check(text("\"%s\"", value), raw_expect(fd, 'E', body, sizeof body, &len));
			check_str(text("\"%s\"", value), error_field(body, len, 'C'), "22023");
		}
		raw_close(fd);
		wait_until("it has left", !show(con, "CLIENTS", "user", "alice", "id"));
	}
	check_scalar(con, "show version", scalar(con, "show version"));
	check("the console is none of it", client("dbname=sluice user=admin replication=database") != NULL);
}

static void test_no_database(void)
{
	make_ready();
	sluice_with("pool_mode = transaction");
	check_login_fails("08P01", "needs a line in [databases]", "dbname=replication replication=true");
	check_login_fails("08P01", "no such database: other", "dbname=other replication=true");
}

/* --- The pool */

/* They count as any other: one that is idle goes for them, and who comes behind waits. */
static void test_limits(void)
{
	static const char *const limits[] = { "default_pool_size = 1", "max_db_connections = 1",
					      "max_user_connections = 1" };
	for (size_t i = 0; i < COUNT(limits); i++) {
		start_with(text("pool_mode = transaction\n%s", limits[i]));
		PGconn *con = console(), *other = client(NULL);
		check_scalar(other, "select 1", "1");
		check_eq("one is idle", pg_servers(), 1);
		PGconn *r = client("replication=database");
		check_scalar(r, "select 1", "1");
		wait_until("it has made room", pg_servers() == 1);
		check("a statement", PQsendQuery(other, "select 2"));
		PQflush(other);
		wait_until("waits", show_int(con, "POOLS", "database", "test", "cl_waiting") == 1);
		PGconn *second = client_start("replication=database");
		PostgresPollingStatusType is = PGRES_POLLING_WRITING;
		wait_until("and so does another", ((is = PQconnectPoll(second)),
						   show_int(con, "POOLS", "database", "test", "cl_waiting") == 2));
		check("it is not in", is != PGRES_POLLING_OK && is != PGRES_POLLING_FAILED);
		wait_until("no more than allowed", pg_servers() == 1);
		client_close(r);
		PGresult *res = PQgetResult(other);
		check_str("the first in line", PQgetvalue(res, 0, 0), "2");
		PQclear(res);
		check("no more", !PQgetResult(other));
		check("the second", client_finish_start(second));
		check_scalar(second, "select 1", "1");
		wait_until("no more than allowed", pg_servers() == 1);
		client_close(second);
		check_scalar(other, "select 3", "3");
		sluice_stop();
	}
}

/* It leaves while it waits, for its turn or for its server. */
static void test_leaves_early(void)
{
	start_with("pool_mode = transaction\ndefault_pool_size = 1");
	PGconn *con = console(), *other = client(NULL);
	sql(other, "begin");
	PGconn *r = client_start("replication=database");
	wait_until("it waits", (PQconnectPoll(r), show_int(con, "POOLS", "database", "test", "cl_waiting") == 1));
	client_close(r);
	wait_until("it has left", show_int(con, "POOLS", "database", "test", "cl_waiting") == 0);
	sql(other, "commit");
	check_scalar(other, "select 1", "1");
	sluice_stop();

	stub_open();
	sluice_start(&(struct conf){ .databases = "test = @STUB@", .settings = "pool_mode = transaction" });
	con = console();
	for (int i = 0; i < 3; i++) {
		PGconn *c = client_start("replication=database");
		wait_until("it is opening", (PQconnectPoll(c), show(con, "SERVERS", "database", "test", "id") != NULL));
		int server = stub_startup();
		if (i == 1) /* in the middle of its login */
			check("asked", raw_message(server, 'R', "\0\0\0\3", 4));
		client_close(c);
		check("the server is closed", raw_read_all(server, body, sizeof body) >= 0);
		wait_until("and gone", show(con, "SERVERS", "database", "test", "id") == NULL);
	}
}

/* That one of them cannot be opened is its own affair. */
static void test_failure(void)
{
	make_ready();
	pg_hba("host all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n");
	sluice_start(&(struct conf){ .databases = BOTH,
				     .settings = "pool_mode = transaction\nserver_login_retry = 60",
				     .auth_file = "\"plain\" \"\"\n\"replica\" \"\"\n\"admin\" \"\"\n" });
	PGconn *plain = client("user=plain password=plain-secret");
	check_login_fails("42501", "to start ", /* its words changed in 16 */
			  "user=plain password=plain-secret replication=database");
	check_scalar(plain, "select 1", "1");
	check_scalar(client("user=plain password=plain-secret"), "select 1", "1");
	PGconn *r = client("user=replica password=replica-secret replication=database");
	check_scalar(r, "select current_user", "replica");
	/* Its server goes, and so does it, with the server's own words. */
	pg_sql("select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'walsender'");
	check_sql_fails(r, "select 1", NULL, "terminating connection due to administrator command");
	check_eq("it is closed", PQstatus(r), CONNECTION_BAD);
	check_scalar(plain, "select 1", "1");
	/* Nobody is there. */
	pg_stop(SIGINT);
	check_login_fails("08001", "connect failed", "user=replica password=replica-secret replication=database");
}

/* A stream has no end: what limits statements does not limit it. */
static void test_timeouts(void)
{
	start_with("pool_mode = transaction");
	PGconn *r = client("replication=database"), *other = client(NULL), *con = console();
	sql(r, "begin");
	sql_start(other, "select pg_sleep(100)");
	wait_until("it runs", pg_sleepers() == 1);
	sql(con, "set query_timeout = 1; set transaction_timeout = 1; set idle_transaction_timeout = 1; "
		 "set client_idle_timeout = 1");
	check_result_fails(other, sql_last(other), "57014", "query timeout");
	check_scalar(r, "select count(*) from pg_sleep(1.5)", "1");
	sql(r, "commit");
	check_scalar(r, "select 8", "8");
}

static void test_killed(void)
{
	start_mode("transaction");
	PGconn *con = console(), *r = client("replication=database");
	sql(con, "reconnect test");
	check_scalar(r, "select 1", "1"); /* as in session pooling: while it lives it keeps its server */
	sql(con, "kill test");
	check_sql_fails(r, "select 1", NULL, NULL);
	check_eq("it is closed", PQstatus(r), CONNECTION_BAD);
	PGconn *waits = client_start("replication=database");
	wait_until("it waits", (PQconnectPoll(waits), show_int(con, "POOLS", "database", "test", "cl_waiting") == 1));
	sql(con, "resume test");
	check("then it is in", client_finish_start(waits));
	check_scalar(waits, "select 1", "1");
}

/* --- Who may */

static void test_hba(void)
{
	make_ready();
	write_text(text("%s/rules", dir()), "host replication replica 127.0.0.1/32 trust\n"
					    "host test alice 127.0.0.1/32 trust\n"
					    "host all admin 127.0.0.1/32 trust\n");
	pg_hba("host all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n");
	sluice_start(&(struct conf){ .databases = BOTH "\n* = @PG@",
				     .settings = text("auth_type = hba\nauth_hba_file = %s/rules", dir()),
				     .auth_file = "\"alice\" \"\"\n\"replica\" \"\"\n\"admin\" \"\"\n" });
	PGconn *c = client("user=replica dbname=test replication=true");
	PGresult *r = PQexec(c, "IDENTIFY_SYSTEM");
	check("physical, by its word", PQresultStatus(r) == PGRES_TUPLES_OK);
	PQclear(r);
	check_login_fails("08P01", "no authentication method", "user=alice replication=true");
	check_login_fails("08P01", "no authentication method", "user=admin replication=true");
	/* Logical replication is of a database as any other. */
	check_scalar(client("user=alice replication=database"), "select 1", "1");
	check_login_fails("08P01", "no authentication method", "user=replica replication=database");
	check_login_fails("08P01", "no authentication method", "user=replica");
}

/* The users' server is asked by a connection that replicates nothing. */
static void test_auth_query(void)
{
	make_ready();
	sluice_start(
		&(struct conf){ .settings = "pool_mode = transaction\nauth_type = scram-sha-256\nauth_user = postgres",
				.auth_file = "\"postgres\" \"postgres-secret\"\n\"admin\" \"admin-secret\"\n" });
	PGconn *c = client("user=replica password=replica-secret replication=database");
	check_scalar(c, "select current_user", "replica");
	check_login_fails("08P01", "SASL authentication failed", "user=replica password=wrong replication=database");
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "recvlogical", test_recvlogical }, { "basebackup", test_basebackup },
		{ "receivewal", test_receivewal },   { "subscription", test_subscription },
		{ "own_server", test_own_server },   { "startup_parameters", test_startup_parameters },
		{ "values", test_values },           { "no_database", test_no_database },
		{ "limits", test_limits },           { "leaves_early", test_leaves_early },
		{ "failure", test_failure },         { "timeouts", test_timeouts },
		{ "killed", test_killed },           { "hba", test_hba },
		{ "auth_query", test_auth_query },   { NULL, NULL },
	};
	return harness_main(argc, argv, "replication", tests);
}
