/* test_my_commands.c - the mysql door's commands beside statements: those that few clients know, those that nobody may
 * say here, KILL, and clients that are too old or say too much. */
#include "harness_my.h"
#include "mysqlraw.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOTH_MODES(mode) for (const char *mode = "session"; mode; mode = *mode == 's' ? "transaction" : NULL)

static void start(const char *mode, const char *more)
{
	sluice_start(&(struct conf){ .settings = text("pool_mode = %s\ndefault_pool_size = 2\n%s", mode, more) });
}

static void open_raw(struct myraw *r)
{
	require("in", myraw_open(r, sluice_my_port(), "alice", "alice-secret", "test", MY_USUAL));
}

/* 0: no error. */
static unsigned say(struct myraw *r, uint8_t command, const void *body, size_t n)
{
	myraw_forget(r);
	r->error = 0;
	require("an answer", myraw_command(r, command, body, n) && myraw_wait(r));
	return r->error;
}

static void check_goes_on(struct myraw *r, const char *what)
{
	r->error = 0;
	char *lines = myraw_ask(r, "select 42");
	check(text("%s: it goes on: %s", what, lines), strstr(lines, "row 42") && !r->error);
	free(lines);
}

/* What servers themselves make of each, and what is refused whatever they would. */
static void test_few_say(void)
{
	BOTH_MODES(mode)
	{
		static const struct {
			const char *what, *body;
			unsigned len;
			uint8_t command;
			bool is_ours;
		} cases[] = {
			{ "COM_SLEEP", "", 0, 0x00, true },
			{ "COM_CREATE_DB", "made", 4, 0x05, false },
			{ "COM_DROP_DB", "made", 4, 0x06, false },
			{ "COM_REFRESH", "\x40", 1, 0x07, false },
			{ "COM_STATISTICS", "", 0, 0x09, false },
			{ "COM_CONNECT", "", 0, 0x0b, true },
			{ "COM_DEBUG", "", 0, 0x0d, false },
			{ "COM_PING", "", 0, 0x0e, false },
			{ "COM_TIME", "", 0, 0x0f, true },
			{ "COM_DELAYED_INSERT", "", 0, 0x10, true },
			{ "COM_TABLE_DUMP", "\4test\1t", 7, 0x13, true },
			{ "COM_CONNECT_OUT", "", 0, 0x14, true },
			{ "COM_SET_OPTION", "\0\0", 2, 0x1b, false },
			{ "COM_DAEMON", "", 0, 0x1d, true },
			{ "COM_CLONE", "", 0, 0x20, true },
			{ "a replica's of a group", "", 0, 0x21, true },
			{ "not made yet", "x", 1, 0x77, true },
			{ "COM_MULTI", "\1\0\0\0\x0e", 5, 0xfe, true },
			{ "the last one", "", 0, 0xff, true },
		};
		start(mode, "");
		my_sql("drop database if exists made");
		my_close(my_client(NULL));
		struct myraw r, straight;
		open_raw(&r);
		require("straight", myraw_open(&straight, my_port(), "alice", "alice-secret", "test", MY_USUAL));
		for (size_t i = 0; i < COUNT(cases); i++) {
			unsigned want = 1047;
			if (!cases[i].is_ours) {
				want = say(&straight, cases[i].command, cases[i].body, cases[i].len);
				my_sql(i == 1 ? "drop database if exists made" : "create database if not exists made");
			}
			check_eq(cases[i].what, say(&r, cases[i].command, cases[i].body, cases[i].len), want);
			check_goes_on(&r, cases[i].what);
		}
		/* Ahead of other answers, too, it has its place. */
		myraw_forget(&r);
		require("sent",
			myraw_query(&r, "select 5") && myraw_command(&r, 0x77, "", 0) && myraw_query(&r, "do 1"));
		require("answered", myraw_wait(&r));
		char *lines = myraw_lines(&r);
		check(lines, strstr(lines, "row 5") && strstr(lines, "#08S01Unknown command") &&
				     strstr(lines, "row 5") < strstr(lines, "Unknown") &&
				     strstr(strstr(lines, "Unknown"), "ok rows 0"));
		free(lines);
		myraw_close(&r, true);
		myraw_close(&straight, true);
		sluice_stop();
	}
}

/* COM_PROCESS_INFO has rows where servers still know it. */
static void test_process_info(void)
{
	BOTH_MODES(mode)
	{
		start(mode, "");
		MYSQL *c = my_client(NULL), *straight = my_straight();
		MYSQL_RES *r = mysql_list_processes(straight);
		unsigned fields = r ? mysql_num_fields(r) : 0, error = mysql_errno(straight);
		mysql_free_result(r);
		for (int i = 0; i < 2; i++) {
			r = mysql_list_processes(c);
			check_eq("as many columns", r ? mysql_num_fields(r) : 0, fields);
			check_eq("or the same error", mysql_errno(c), error);
			mysql_free_result(r);
			check_my(c, "select 1", "1");
		}
		sluice_stop();
	}
}

/* Who may shut a server down may do so through Sluice, which stays. */
static void test_shutdown(void)
{
	BOTH_MODES(mode)
	{
		start(mode, "server_login_retry = 0.2\n");
		MYSQL *bob = my_client(&(struct my_how){ .user = "bob" });
		check_my(bob, "select 1", "1");
		struct myraw r;
		require("in", myraw_open(&r, sluice_my_port(), "bob", "bob-secret", "test", MY_USUAL));
		unsigned refused = say(&r, 0x08, "\0", 1);
		check(text("%s: who may not: %u", mode, refused), refused == 1227 || refused == 1047);
		myraw_close(&r, true);
		if (refused == 1227) {
			MYSQL *c = my_client(NULL);
			check_my(c, "select 1", "1");
			check(text("%s: who may: %s", mode, my_error(c)), mysql_shutdown(c, SHUTDOWN_DEFAULT) == 0);
			MYSQL *again = NULL;
			wait_until("it is gone", !(again = my_try(NULL, NULL)) || mysql_query(again, "do 1") != 0);
			my_stop(SIGTERM);
			my_start();
			wait_until("and comes again", (again = my_try(NULL, NULL)) && mysql_query(again, "do 1") == 0);
			check_my(again, "select 1", "1");
		}
		sluice_stop();
	}
}

/* What proves a password as it was done before 4.1 is refused in the words that such a client understands. */
static void test_old_clients(void)
{
	static const struct {
		const char *what, *answer;
		size_t len;
		bool has_state;
	} cases[] = {
		{ "3.23",
		  "\x05\x24\0\0\x40"
		  "alice\0"
		  "abcdefgh"
		  "\0",
		  20, false },
		{ "4.0, of few words", "\0\0\0\0\0x", 6, false },
		{ "4.1 with an old password",
		  "\x05\x22\0\0\0\0\0\1\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		  "alice\0"
		  "abcdefgh\0",
		  47, true },
	};
	start("session", "");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct myraw r;
		char packet[64] = { (char)cases[i].len, 0, 0, 1 }, got[256] = "";
		require("greeted", myraw_greet(&r, sluice_my_port()));
		memcpy(packet + 4, cases[i].answer, cases[i].len);
		require("sent", raw_send(r.fd, packet, 4 + cases[i].len));
		ssize_t n = raw_read_all(r.fd, got, sizeof got - 1);
		check_eq(cases[i].what, n > 7 ? (uint8_t)got[5] | (uint8_t)got[6] << 8 : 0, 1251);
		check(cases[i].what, n > 7 && strncmp(got + 7, cases[i].has_state ? "#08004Client" : "Client", 6) == 0);
		check(cases[i].what, n > 7 && got[3] == 2);
		myraw_close(&r, false);
	}
	check_my(my_client(NULL), "select 1", "1");
}

/* max_packet_size is of what a client says: 1153, and the end of the connection, as servers do it. */
static void test_too_long(void)
{
	BOTH_MODES(mode)
	{
		start(mode, "max_packet_size = 20000000\n");
		my_sql("set global max_allowed_packet = 67108864");
		static const struct {
			size_t n;
			bool passes;
		} cases[] = {
			{ 1000, true }, { 0xffffff, true }, { 19999990, true }, { 20000001, false }, { 40000000, false }
		};
		for (size_t i = 0; i < COUNT(cases); i++) {
			MYSQL *c = my_client(NULL);
			size_t n = cases[i].n, at = strlen("select length('");
			char *sql = malloc(n + 1);
			require("memory", sql != NULL);
			memset(sql, 'z', n);
			memcpy(sql, "select length('", at);
			memcpy(sql + n - 2, "')", 2);
			bool ok = mysql_real_query(c, sql, n) == 0;
			MYSQL_RES *res = ok ? mysql_store_result(c) : NULL;
			check_eq(text("%zu bytes", n), res != NULL, cases[i].passes);
			mysql_free_result(res);
			free(sql);
			unsigned e = mysql_errno(c); /* what it sends still may hide what was said */
			if (!cases[i].passes)
				check(my_error(c), e == 1153 || e == 2006 || e == 2013);
			my_close(c);
		}
		struct myraw r;
		open_raw(&r);
		check("the front of one", raw_send(r.fd, "\xff\xff\xff\0\3select 1, '", 16));
		myraw_close(&r, false);
		sluice_stop();
		start(mode, "max_packet_size = 2000\n");
		open_raw(&r);
		check("so long", raw_send(r.fd, "\xd1\x07\0\0\3", 5));
		char got[256] = "";
		ssize_t n = raw_read_all(r.fd, got, sizeof got - 1);
		check("is told", n > 7 && ((uint8_t)got[5] | (uint8_t)got[6] << 8) == 1153 &&
					 strncmp(got + 7, "#08S01Got a packet bigger", 25) == 0);
		myraw_close(&r, false);
		check_my(my_client(NULL), "select 1", "1");
		sluice_stop();
	}
}

/* --- KILL */

static bool runs(const char *what)
{
	return strcmp(my_scalar("select count(*) from information_schema.processlist where info like '%s%%'", what),
		      "0") != 0;
}

static bool is_gone(MYSQL *c, unsigned *number)
{
	bool gone = mysql_query(c, "select 1") != 0;
	*number = mysql_errno(c);
	if (!gone)
		mysql_free_result(mysql_store_result(c));
	return gone;
}

/* Over databases and users: who may, and who is meant. */
static void test_kill(void)
{
	BOTH_MODES(mode)
	{
		sluice_start(&(struct conf){
			.databases = "test = kind=mysql @MY@\nother = kind=mysql @MY@ dbname=test",
			.settings =
				text("pool_mode = %s\ndefault_pool_size = 2\nadmin_users = admin, carol\n", mode) });
		MYSQL *alice = my_client(NULL), *far = my_client(&(struct my_how){ .database = "other" }),
		      *bob = my_client(&(struct my_how){ .user = "bob" }),
		      *carol = my_client(&(struct my_how){ .user = "carol" });
		unsigned long ids[] = { mysql_thread_id(alice), mysql_thread_id(far), mysql_thread_id(bob),
					mysql_thread_id(carol) };
		for (int i = 0; i < 4; i++)
			for (int k = 0; k < i; k++)
				check("numbers are nobody else's", ids[i] != ids[k]);
		check_my_fails(bob, text("kill %lu", ids[0]), 1095, "HY000", "not owner");
		check_my_fails(bob, text("kill query %lu", ids[1]), 1095, "HY000", "not owner");
		check_my_fails(bob, text("kill connection %lu", ids[3]), 1095, "HY000", "not owner");
		check("COM_PROCESS_KILL", mysql_kill(bob, ids[0]) != 0 && mysql_errno(bob) == 1095);
		check_my_fails(alice, "kill 4123456789", 1094, "HY000", NULL);
		check("COM_PROCESS_KILL", mysql_kill(alice, 4123456789) != 0 && mysql_errno(alice) != 0);
		/* Idle, in another database; in whatever dress. */
		unsigned e;
		static const char *const dresses[] = { "kill query %lu", "/* app */ kill query %lu",
						       "KILL QUERY %lu -- x", "# x\nkill soft query %lu",
						       "/*!50000 kill query %lu */" };
		for (size_t i = 0; i < COUNT(dresses); i++)
			if (i != 3 || !my_is_mysql()) {
				char sql[128];
				snprintf(sql, sizeof sql, dresses[i], ids[1]); /* NOLINT: of the table */
				check_my(alice, sql, "ok 0");
			}
		static const char *const others[] = { "kill %lu; do 1", "do 1; kill query %lu",
						      "prepare s from 'kill %lu'",
						      "/* */ PREPARE s FROM \"KILL QUERY %lu\"" };
		MYSQL *many = my_client(&(struct my_how){ .flags = CLIENT_MULTI_STATEMENTS });
		for (size_t i = 0; i < COUNT(others); i++) {
			char sql[128];
			snprintf(sql, sizeof sql, others[i], ids[1]); /* NOLINT: of the table */
			check_my_fails(many, sql, 1235, "42000", "by itself");
		}
		MYSQL_STMT *st = mysql_stmt_init(many);
		char *sql = text("kill %lu", ids[1]);
		check("prepared", mysql_stmt_prepare(st, sql, strlen(sql)) != 0 && mysql_stmt_errno(st) == 1235);
		mysql_stmt_close(st);
		check_my(many, "select 'kill', 1; select 2", "kill,1;2");
		check_my(far, "select 1", "1");
		check_my(alice, text(" Kill  Connection %lu ; ", ids[1]), "ok 0");
		check("it is gone", is_gone(far, &e));
		check(text("and knows: %u", e), e == 1927 || e == 1053 || e == 2013 || e == 2006);
		/* Whom admin_users names may kill anybody. */
		check_my(carol, text("kill %lu", ids[2]), "ok 0");
		check("it is gone", is_gone(bob, &e));
		/* Itself. */
		check("itself", mysql_query(carol, text("kill %lu", ids[3])) != 0);
		check("which ends it", is_gone(carol, &e));
		check_my(alice, "select 1", "1");
		sluice_stop();
	}
}

/* COMMIT RELEASE ends the connection, and nobody is given what the server closes. */
static void test_release(void)
{
	static const char *const ends[] = { "commit release", "/* x */ rollback and no chain release",
					    "do 1; commit release", NULL };
	BOTH_MODES(mode)
	{
		for (size_t i = 0; i < COUNT(ends); i++) {
			start(mode, "");
			MYSQL *c = my_client(&(struct my_how){ .flags = CLIENT_MULTI_STATEMENTS }),
			      *other = my_client(NULL);
			my_run(c, "begin");
			if (!ends[i])
				my_run(c, "set completion_type = 'release'");
			my_run(c, "%s", ends[i] ? ends[i] : "commit");
			for (int k = 0; k < 3; k++)
				check_my(other, "select 1", "1");
			unsigned e;
			check(ends[i] ? ends[i] : "completion_type", is_gone(c, &e));
			for (int k = 0; k < 3; k++)
				check_my(other, "select 1", "1");
			sluice_stop();
		}
	}
}

/* Who waits in line, and who runs a statement in a transaction. */
static void test_kill_waiting(void)
{
	BOTH_MODES(mode)
	{
		sluice_start(&(struct conf){ .settings = text("pool_mode = %s\ndefault_pool_size = 1\n", mode) });
		MYSQL *has = my_client(NULL);
		check_my(has, "begin", "ok 0");
		MYSQL *waits = my_client(NULL), *third = my_client(NULL), *console = my_console(),
		      *bob = my_client(&(struct my_how){ .user = "bob" });
		unsigned long id = mysql_thread_id(waits);
		(void)bob;
		check("it is sent", mysql_send_query(waits, "select 7", 8) == 0);
		wait_until("it is in line", strcmp(my_show(console, "pools", "user", "alice", "cl_waiting"), "1") == 0);
		check_my(has, text("kill query %lu", id), "ok 0");
		check("it is refused", mysql_read_query_result(waits) != 0);
		check_str("and told so", text("%.10s", my_error(waits)), "1317 70100");
		check("it is sent again", mysql_send_query(waits, "select 8", 8) == 0);
		wait_until("it is in line", strcmp(my_show(console, "pools", "user", "alice", "cl_waiting"), "1") == 0);
		check("another one too", mysql_send_query(third, "select 9", 8) == 0);
		wait_until("it is in line", strcmp(my_show(console, "pools", "user", "alice", "cl_waiting"), "2") == 0);
		check_my(has, text("kill %lu", id), "ok 0");
		check("it is closed", mysql_read_query_result(waits) != 0);
		check_str("one less", my_show(console, "pools", "user", "alice", "cl_waiting"), "1");
		check_my(has, "commit", "ok 0");
		my_close(has);
		check("the other one is served", mysql_read_query_result(third) == 0);
		MYSQL_RES *r = mysql_store_result(third);
		MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
		check_str("with its own", row ? row[0] : "", "9");
		mysql_free_result(r);
		sluice_stop();
	}
}

/* A statement that runs fails, and its transaction goes on; a killed client's is rolled back. */
static void test_kill_linked(void)
{
	BOTH_MODES(mode)
	{
		start(mode, "");
		my_sql("drop table if exists test.k; create table test.k(a int)");
		MYSQL *c = my_client(NULL), *other = my_client(NULL);
		unsigned long id = mysql_thread_id(c);
		my_run(c, "begin");
		my_run(c, "insert into k values (1)");
		/* SLEEP() and BENCHMARK() make no error of it everywhere. */
		const char *slow =
			"select 1 + count(*) from information_schema.columns a, information_schema.columns b, "
			"information_schema.columns c where a.column_name < b.column_name";
		check("it is sent", mysql_send_query(c, slow, strlen(slow)) == 0);
		wait_until("it runs", runs("select 1 + count"));
		check_my(other, text("kill query %lu", id), "ok 0");
		bool ok = mysql_read_query_result(c) == 0;
		if (ok) {
			MYSQL_RES *r = mysql_store_result(c);
			ok = r && mysql_fetch_row(r);
			mysql_free_result(r);
		}
		check_str("it is interrupted", ok ? "no error" : text("%.10s", my_error(c)), "1317 70100");
		check_my(c, "select count(*) from k", "1");
		check_my(other, "select count(*) from k", "0");
		check("it is sent", mysql_send_query(c, slow, strlen(slow)) == 0);
		wait_until("it runs", runs("select 1 + count"));
		check_my(other, text("kill %lu", id), "ok 0");
		check("it is closed", mysql_read_query_result(c) != 0);
		wait_until("its statement is stopped", !runs("select 1 + count"));
		for (int i = 0; i < 4; i++)
			check_my(other, "select count(*) from k", "0");
		sluice_stop();
	}
}

/* What was sent before a COM_QUIT is done, though nobody waits for it. */
static void test_quit_behind(void)
{
	BOTH_MODES(mode)
	{
		start(mode, "");
		my_sql("drop table if exists test.q; create table test.q (a int)");
		struct myraw r;
		open_raw(&r);
		check_goes_on(&r, "there is a server for it");
		require("sent", myraw_query(&r, "do sleep(1.5)") && myraw_query(&r, "insert into q values (1)") &&
					myraw_query(&r, "insert into q values (2)"));
		myraw_close(&r, true);
		wait_until("all of it is done", strcmp(my_scalar("select count(*) from test.q"), "2") == 0);
		/* And whoever waits for the answers has them. */
		struct pgraw_bytes b = { 0 };
		char got[512] = "";
		open_raw(&r);
		size_t at = myraw_begin(&b, MY_QUERY);
		pgraw_add(&b, "select 'it is here'", 19);
		myraw_end(&b, at);
		myraw_end(&b, myraw_begin(&b, MY_QUIT));
		require("sent", myraw_bytes(&r, b.p, b.n));
		ssize_t n = raw_read_all(r.fd, got, sizeof got);
		check("answered, and closed", n > 0 && memmem(got, (size_t)n, "it is here", 10));
		free(b.p);
		myraw_close(&r, false);
		check_my(my_client(NULL), "select 1", "1");
		sluice_stop();
	}
}

static const struct unit_test tests[] = {
	{ "few_say", test_few_say },
	{ "process_info", test_process_info },
	{ "shutdown", test_shutdown },
	{ "old_clients", test_old_clients },
	{ "too_long", test_too_long },
	{ "kill", test_kill },
	{ "release", test_release },
	{ "quit_behind", test_quit_behind },
	{ "kill_waiting", test_kill_waiting },
	{ "kill_linked", test_kill_linked },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return harness_my_main(argc, argv, "my_commands", tests);
}
