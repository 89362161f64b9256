/* test_my_session.c - what a client is told of its session is what the server itself would tell it: its number, results
 * of procedures, the status. In each test one client stands straight at the server, and another one does the same. */
#include "harness_my.h"
#include "mysqlraw.h"

#include <stdlib.h>
#include <string.h>

static const char *const modes[] = { "session", "transaction" };

/* straight, through */
static struct myraw pair[2];

static void start(const char *mode)
{
	sluice_start(&(struct conf){
		.settings = text("pool_mode = %s\ndefault_pool_size = %d\n", mode, *mode == 's' ? 4 : 1) });
	my_close(my_client(NULL)); /* the server's version and capabilities are known then */
}

static void open_pair(uint32_t caps)
{
	for (int i = 0; i < 2; i++)
		require("it gets in",
			myraw_open(&pair[i], i ? sluice_my_port() : my_port(), "alice", "alice-secret", "test", caps));
}

static void close_pair(void)
{
	for (int i = 0; i < 2; i++)
		myraw_close(&pair[i], true);
}

/* Both are asked, and say the same. */
#define same(what, sql) same_at(__LINE__, what, sql)
static void same_at(int line, const char *what, const char *sql)
{
	char *want = myraw_ask(&pair[0], sql), *got = myraw_ask(&pair[1], sql);
	unit_check_str(__FILE__, line, text("%s: %s", what, sql), got, want);
	free(want);
	free(got);
}

/* A command of either's own is answered; the same lines. */
static void same_heard(const char *what)
{
	char *lines[2];
	for (int i = 0; i < 2; i++) {
		require(what, myraw_wait(&pair[i]));
		lines[i] = myraw_lines(&pair[i]);
		myraw_forget(&pair[i]);
	}
	check_str(what, lines[1], lines[0]);
	free(lines[0]);
	free(lines[1]);
}

static void prepare(const char *sql)
{
	for (int i = 0; i < 2; i++)
		require("sent", myraw_command(&pair[i], MY_STMT_PREPARE, sql, strlen(sql)));
	same_heard(sql);
}

/* flags: of the cursor; params: from the bitmap of NULLs on. */
static void execute(const char *what, uint8_t flags, const void *params, size_t n)
{
	for (int i = 0; i < 2; i++) {
		struct pgraw_bytes b = { 0 };
		size_t at = myraw_begin(&b, MY_STMT_EXECUTE);
		myraw_add_u32(&b, pair[i].statement);
		pgraw_add(&b, &flags, 1);
		pgraw_add(&b, "\1\0\0\0", 4);
		pgraw_add(&b, params, n);
		myraw_end(&b, at);
		require("sent", myraw_send(&pair[i], &b));
		free(b.p);
	}
	same_heard(what);
}

static const uint32_t caps[] = { MY_USUAL, MY_USUAL | MY_DEPRECATE_EOF };

/* A result, OUT parameters, and the OK behind them. */
static void test_out_parameters(void)
{
	my_sql("drop procedure if exists test.p; "
	       "create procedure test.p(in a int, out b int) begin select a; set b = a * 2; end");
	for (size_t m = 0; m < COUNT(modes); m++) {
		start(modes[m]);
		for (size_t i = 0; i < COUNT(caps); i++) {
			open_pair(caps[i]);
			prepare("call p(?, ?)");
			for (int turn = 0; turn < 2; turn++) {
				execute(text("%s, %zu", modes[m], i), 0, "\0\1\3\0\3\0\24\0\0\0\0\0\0\0", 14);
				same(modes[m], "select 1");
			}
			close_pair();
		}
		sluice_stop();
	}
}

/* What asks for no cursor has none, though there was one before: of another statement; and of the same one, by another
 * client that shares it. (By the same client MySQL 9 gives neither rows nor an answer that anybody could read.) */
static void test_no_cursor(void)
{
	for (size_t m = 0; m < COUNT(modes); m++) {
		start(modes[m]);
		for (size_t i = 0; i < COUNT(caps); i++) {
			static const char sql[] = "select 5 union select 6";
			struct myraw other[2];
			open_pair(caps[i]);
			prepare(sql);
			memcpy(other, pair, sizeof other);
			open_pair(caps[i]);
			prepare(sql);
			execute("a cursor", 1, "", 0);
			if (!my_is_mysql())
				execute("none", 0, "", 0);
			execute("a cursor again", 1, "", 0);
			for (int k = 0; k < 2; k++) {
				struct pgraw_bytes b = { 0 };
				size_t at = myraw_begin(&b, MY_STMT_FETCH);
				myraw_add_u32(&b, pair[k].statement);
				myraw_add_u32(&b, 5);
				myraw_end(&b, at);
				require("sent", myraw_send(&pair[k], &b));
				free(b.p);
			}
			same_heard("all of it");
			close_pair();
			memcpy(pair, other, sizeof other);
			execute("none, by another client", 0, "", 0);
			prepare("select 7");
			execute("and none", 0, "", 0);
			same(modes[m], "select 1");
			close_pair();
		}
		sluice_stop();
	}
}

/* The number that each was greeted with, in whatever way it asks. */
static void says_number(struct myraw *r, const char *what, const char *lines)
{
	check(text("%s: %u in %s", what, r->thread, lines), strstr(lines, text("row %u\n", r->thread)) != NULL);
}

static void test_number(void)
{
	static const char *const asked[] = {
		"select connection_id()",
		"select CONNECTION_ID( ) as id",
		"/* a comment_ */ select 0 + connection_id()",
		"select `connection_id`()",
	};
	for (size_t m = 0; m < COUNT(modes); m++) {
		start(modes[m]);
		struct myraw more[2];
		for (int i = 0; i < 2; i++) /* other numbers than the servers' */
			require("it gets in",
				myraw_open(&more[i], sluice_my_port(), "alice", "alice-secret", "test", 0));
		for (size_t i = 0; i < COUNT(caps); i++) {
			open_pair(caps[i]);
			for (size_t k = 0; k < COUNT(asked); k++) {
				struct myraw *all[] = { &more[0], &pair[1], &more[1] };
				for (size_t n = 0; n < COUNT(all); n++) {
					char *got = myraw_ask(all[n], asked[k]);
					says_number(all[n], asked[k], got);
					free(got);
				}
			}
			same("what it is",
			     "select connection_id(), last_insert_id(), found_rows(), row_count() from dual where false");
			same("not a text that is none", "select 'connection_id()', 1 as connection_id");
			same("nor where it is not called now",
			     "create or replace view test.v as select connection_id() > 0 as x");
			char *view = my_scalar(
				"select view_definition from information_schema.views where table_name = 'v'");
			check(view, strstr(view, "connection_id()") != NULL && strstr(view, "if(") == NULL);
			/* In pieces, behind a text that is not looked at. */
			struct pgraw_bytes b = { 0 };
			size_t at = myraw_begin(&b, MY_QUERY);
			pgraw_add(&b, asked[0], strlen(asked[0]));
			myraw_end(&b, at);
			require("sent", myraw_bytes(&pair[1], b.p, 9));
			my_run(my_straight(), "do sleep(0.01)");
			pair[1].due[pair[1].ndue++] = MY_QUERY;
			require("sent", myraw_bytes(&pair[1], (char *)b.p + 9, b.n - 9) && myraw_wait(&pair[1]));
			free(b.p);
			char *got = myraw_lines(&pair[1]);
			says_number(&pair[1], "in pieces", got);
			free(got);
			for (int k = 0; k < 2; k++)
				myraw_forget(&pair[k]);
			prepare("select connection_id() from dual where ? is null");
			execute("prepared, what it is", 0, "\0\1\3\0\5\0\0\0", 8);
			/* Its value, on whatever server, and what others prepared is theirs. */
			uint32_t id[3];
			struct myraw *who[] = { &pair[1], &more[0], &more[1] };
			for (size_t n = 0; n < COUNT(who); n++) {
				require("prepared",
					myraw_command(who[n], MY_STMT_PREPARE, asked[3], strlen(asked[3])) &&
						myraw_wait(who[n]));
				id[n] = who[n]->statement;
				myraw_forget(who[n]);
			}
			for (size_t n = 0; n < COUNT(who); n++) {
				struct pgraw_bytes x = { 0 };
				at = myraw_begin(&x, MY_STMT_EXECUTE);
				myraw_add_u32(&x, id[n]);
				pgraw_add(&x, "\0\1\0\0\0", 5);
				myraw_end(&x, at);
				require("executed", myraw_send(who[n], &x) && myraw_wait(who[n]));
				free(x.p);
				char *is = myraw_lines(who[n]);
				int number = my_is_mysql() ? 8 : 4; /* its bytes */
				char hex[64] = "";
				for (int k = 0; k < number; k++) {
					unsigned byte = k < 4 ? who[n]->thread >> 8 * k & 255 : 0;
					snprintf(hex + strlen(hex), sizeof hex - strlen(hex),
						 byte >= ' ' && byte < 127 ? "%c" : "\\x%02x", byte);
				}
				check(text("prepared: %s in %s", hex, is), strstr(is, hex) != NULL);
				free(is);
				myraw_forget(who[n]);
			}
			if (*modes[m] == 't') {
				MYSQL *admin = my_console();
				check_str("nobody keeps a server",
					  my_show(admin, "clients", "id", my_id(pair[1].thread), "pins"), "");
				my_close(admin);
			}
			close_pair();
		}
		for (int i = 0; i < 2; i++)
			myraw_close(&more[i], true);
		sluice_stop();
	}
}

/* COM_CHANGE_USER: whatever proof comes along, it is asked for another one. */
static void test_change_user(void)
{
	static const char *const proofs[] = { "", "01234567890123456789" };
	for (size_t m = 0; m < COUNT(modes); m++) {
		start(modes[m]);
		open_pair(0);
		for (size_t i = 0; i < 2 * COUNT(proofs); i++) {
			const char *proof = proofs[i / 2]; /* and a collation of one byte, and of two */
			for (int k = 0; k < 2; k++) {
				struct pgraw_bytes b = { 0 };
				uint8_t n = (uint8_t)strlen(proof);
				snprintf(pair[k].password, sizeof pair[k].password, "bob-secret");
				size_t at = myraw_begin(&b, MY_CHANGE_USER);
				pgraw_add_cstr(&b, "bob");
				pgraw_add(&b, &n, 1);
				pgraw_add(&b, proof, n);
				pgraw_add_cstr(&b, "test");
				myraw_add_u16(&b, i % 2 ? 309 : 46);
				pgraw_add_cstr(&b, pair[k].plugin);
				myraw_end(&b, at);
				require("sent", myraw_send(&pair[k], &b));
				free(b.p);
			}
			same_heard("another user");
			same("who it is", "select substring_index(user(), '@', 1), database(), @@collation_connection");
		}
		close_pair();
		sluice_stop();
	}
}

/* COM_PING, and what else is answered here, tells what the session's last statement left: drivers escape by it. */
static void test_status(void)
{
	static const char *const said[] = {
		"set sql_mode = 'NO_BACKSLASH_ESCAPES'",
		"select 1 from information_schema.schemata",
		"set sql_mode = 'ANSI_QUOTES'",
		"begin",
		"start transaction read only",
		"set autocommit = 0",
		"select 1",
		"nonsense",
		"set autocommit = 1, sql_mode = default",
	};
	for (size_t m = 0; m < COUNT(modes); m++) {
		start(modes[m]);
		open_pair(MY_USUAL | MY_DEPRECATE_EOF);
		MYSQL *other = my_client(NULL);
		prepare("select 1");
		for (size_t i = 0; i <= COUNT(said); i++) {
			if (i < COUNT(said))
				same(modes[m], said[i]);
			if (i % 3 == 0 && !(pair[0].status & 1))
				my_run(other, "set autocommit = 1");
			for (int k = 0; k < 2; k++)
				require("sent", myraw_command(&pair[k], MY_PING, "", 0));
			same_heard(text("%s: ping behind %s", modes[m], i < COUNT(said) ? said[i] : "a reset"));
			struct pgraw_bytes b = { 0 };
			for (int k = 0; k < 2 && i < COUNT(said); k++) {
				b.n = 0;
				size_t at = myraw_begin(&b, MY_STMT_RESET);
				myraw_add_u32(&b, pair[k].statement);
				myraw_end(&b, at);
				require("sent", myraw_send(&pair[k], &b));
			}
			free(b.p);
			if (i < COUNT(said))
				same_heard(text("%s: reset behind %s", modes[m], said[i]));
			if (i == COUNT(said) - 1) {
				for (int k = 0; k < 2; k++)
					require("sent", myraw_command(&pair[k], MY_RESET_CONNECTION, "", 0));
				same_heard("COM_RESET_CONNECTION");
			}
		}
		close_pair();
		sluice_stop();
	}
}

/* KILL CONNECTION_ID() is about itself; and clients' numbers are none of a server's. */
static void test_kill_itself(void)
{
	for (size_t m = 0; m < COUNT(modes); m++) {
		start(modes[m]);
		MYSQL *c = my_client(NULL), *bystander = my_straight();
		check("far from it", mysql_thread_id(c) >= 1000000000 && mysql_thread_id(bystander) < 1000000000);
		check("killed", mysql_query(c, "kill connection_id()") != 0 || mysql_query(c, "select 1") != 0);
		check_my(bystander, "select 1", "1");
		sluice_stop();
	}
}

static const struct unit_test tests[] = {
	{ "out_parameters", test_out_parameters },
	{ "no_cursor", test_no_cursor },
	{ "number", test_number },
	{ "change_user", test_change_user },
	{ "status", test_status },
	{ "kill_itself", test_kill_itself },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return harness_my_main(argc, argv, "my_session", tests);
}
