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

static const struct unit_test tests[] = {
	{ "out_parameters", test_out_parameters },
	{ "no_cursor", test_no_cursor },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return harness_my_main(argc, argv, "my_session", tests);
}
