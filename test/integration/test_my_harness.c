/* test_my_harness.c - what the tests of the mysql door stand on, straight at the server: its users get in, and the raw
 * client hears what libmariadb hears. */
#include "harness_my.h"
#include "mysqlraw.h"

#include <stdlib.h>
#include <string.h>

static void test_users(void)
{
	static const char *const users[] = { "alice", "bob", "carol", "nopass", NULL };
	for (const char *const *u = users; *u; u++) {
		MYSQL *c = my_client(&(struct my_how){
			.straight = true, .user = *u, .password = strcmp(*u, "nopass") == 0 ? "" : NULL });
		check_my(c, "select database(), substring_index(current_user(), '@', 1)", text("test,%s", *u));
	}
	MYSQL *c = my_client(&(struct my_how){ .straight = true, .user = my_is_mysql() ? "sha2" : "ed25519" });
	check_my(c, "select 1; select 2", "error 1064");
	c = my_client(&(struct my_how){ .straight = true, .user = "tls", .tls = true });
	check("encrypted", strstr(my_all(c, "show status like 'Ssl_cipher'"), "Ssl_cipher,TLS") != NULL);
	check_my_refused((&(struct my_how){ .straight = true, .user = "tls" }), 1045, "28000", "Access denied");
	check_my_refused((&(struct my_how){ .straight = true, .database = "nowhere" }), 1049, "42000", "nowhere");
	wait_until("the refused ones are gone", my_servers() == 6);
}

static void test_restart(void)
{
	my_stop(SIGKILL);
	check_my_refused((&(struct my_how){ .straight = true }), 2002, "HY000", NULL);
	my_start();
	check_my(my_straight(), "select 1; do 2; select 3 union select null", "1;ok 0;3|null");
}

static void heard(struct myraw *r, const char *query, const char *want)
{
	char *got = myraw_ask(r, query);
	check_str(query, got, want);
	free(got);
}

static void test_raw(void)
{
	static const uint32_t caps[] = { 0, MY_USUAL | MY_DEPRECATE_EOF,
					 MY_USUAL | MY_DEPRECATE_EOF | MY_SESSION_TRACK };
	for (size_t i = 0; i < COUNT(caps); i++) {
		struct myraw r;
		require("it gets in", myraw_open(&r, my_port(), "alice", "alice-secret", "test", caps[i]));
		const char *mid = i ? "" : "end status 2, warnings 0\n",
			   *last = i ? "end rows 0, id 0, status 2, warnings 0 \n" : mid;
		heard(&r, "do 1", "ok rows 0, id 0, status 2, warnings 0 \n");
		free(myraw_ask(&r, "nonsense"));
		check_eq("its error", r.error, 1064);
		heard(&r, "select 'a' x, null y",
		      text("column  x 45,4,253,%d,%d\ncolumn  y 63,0,6,80,%d\n%srow a | null\n%s",
			   my_is_mysql() ? 1 : 1, my_is_mysql() ? 31 : 39, 0, mid, last));
		char *two = myraw_ask(&r, "select 7 x from dual where false; do 1");
		const char *ok = "ok rows 0, id 0, status 2, warnings 0 \n";
		check("two results", strlen(two) > strlen(ok) && strcmp(two + strlen(two) - strlen(ok), ok) == 0 &&
					     strstr(two, i ? "\nend rows 0, id 0, status a" : "\nend status a"));
		free(two);
		require("a prepared statement",
			myraw_command(&r, MY_STMT_PREPARE, "select ?, 2", 11) && myraw_wait(&r));
		check_eq("its parameters", r.params, 1);
		check_eq("its columns", r.columns, 2);
		myraw_forget(&r);
		struct pgraw_bytes b = { 0 };
		size_t at = myraw_begin(&b, MY_STMT_EXECUTE);
		myraw_add_u32(&b, r.statement);
		pgraw_add(&b, "\0\1\0\0\0", 5);
		pgraw_add(&b, "\0\1\3\0\7\0\0\0", 8);
		myraw_end(&b, at);
		at = myraw_begin(&b, MY_PING);
		myraw_end(&b, at);
		require("executed", myraw_send(&r, &b) && myraw_wait(&r));
		free(b.p);
		char *all = myraw_lines(&r);
		check("its row", strstr(all, "row \\x00\\x00\\x07\\x00\\x00\\x00") != NULL);
		check("and the ping's answer", strstr(all, "\nok rows 0") != NULL);
		free(all);
		check("in order", !r.nonsense && !r.closed && r.ndue == 0);
		myraw_close(&r, true);
	}
	struct myraw r;
	check("a wrong password", !myraw_open(&r, my_port(), "alice", "wrong", "test", 0));
	check_eq("its error", r.error, 1045);
	myraw_close(&r, false);
}

static void test_raw_long(void)
{
	struct myraw r;
	require("it gets in", myraw_open(&r, my_port(), "alice", "alice-secret", NULL, 0));
	static const size_t sizes[] = { 0xffffff - 1 - 17, 0xffffff - 17, 0xffffff - 16, 0x2000000 };
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct pgraw_bytes b = { 0 };
		size_t at = myraw_begin(&b, MY_QUERY);
		pgraw_add(&b, "select length('", 15);
		char *x = malloc(sizes[i]);
		memset(x, 'x', sizes[i]);
		pgraw_add(&b, x, sizes[i]);
		pgraw_add(&b, "')", 2);
		myraw_end(&b, at);
		myraw_forget(&r);
		check("a query of several packets",
		      myraw_bytes(&r, b.p, b.n) && (r.due[r.ndue++] = MY_QUERY) && myraw_wait(&r));
		char *all = myraw_lines(&r);
		check(all, strstr(all, text("row %zu\n", sizes[i])) != NULL);
		free(all);
		free(x);
		free(b.p);
	}
	char *got = myraw_ask(&r, "select repeat('x', 20000000)");
	check("a row of several packets", strstr(got, "20000000 bytes") != NULL);
	free(got);
	myraw_close(&r, true);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "users", test_users }, { "restart", test_restart },
		{ "raw", test_raw },     { "raw_long", test_raw_long },
		{ NULL, NULL },
	};
	return harness_my_main(argc, argv, "my_harness", tests);
}
