/* test_my_charset.c - character sets and collations: a client has those that it greeted with, or has set since, as if
 * it had come to the server itself, whatever the server was lent for before. */
#include "harness_my.h"
#include "mysqlraw.h"

#include <stdlib.h>
#include <string.h>

/* What it has; the definitions of columns show the collation of results. */
#define ASK                                                                                                            \
	"select @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection, " \
	"'a' = 'A', 'x'"

static void greet(struct myraw *r, int port, unsigned collation)
{
	require("a greeting", myraw_greet(r, port));
	r->collation = (uint8_t)collation;
	require(text("it gets in with %u", collation), myraw_login(r, "alice", "alice-secret", "test", 0));
}

/* The default ones of their sets, others, MySQL 8's alone, one that nobody has, and none. */
static const unsigned ids[] = { 45, 46, 224, 8, 47, 33, 83, 63, 28, 87, 88, 13, 255, 250, 192, 100, 0, 45 };

static void through_few(const char *mode, int servers)
{
	struct myraw straight[COUNT(ids)], through[COUNT(ids)];
	sluice_start(&(struct conf){ .settings = text("pool_mode = %s\ndefault_pool_size = %d", mode, servers) });
	for (int round = 0; round < 2; round++) { /* the second one's names are known */
		for (size_t i = 0; i < COUNT(ids); i++) {
			greet(&straight[i], my_port(), ids[i]);
			greet(&through[i], sluice_my_port(), ids[i]);
		}
		for (int turn = 0; turn < 3; turn++)
			for (size_t i = 0; i < COUNT(ids); i++) {
				if (turn == 1 && ids[i] % 2) {
					free(myraw_ask(&straight[i], "set names latin1 collate latin1_bin"));
					free(myraw_ask(&through[i], "set names latin1 collate latin1_bin"));
				}
				char *want = myraw_ask(&straight[i], ASK), *got = myraw_ask(&through[i], ASK);
				check_str(text("%s, %u, %d", mode, ids[i], turn), got, want);
				free(want);
				free(got);
				/* In session pooling one after another has the server. */
				if (strcmp(mode, "session") == 0)
					turn == 2 ? myraw_close(&through[i], true) : (void)0;
			}
		for (size_t i = 0; i < COUNT(ids); i++) {
			myraw_close(&straight[i], true);
			myraw_close(&through[i], true);
		}
	}
}

static void test_transaction(void)
{
	through_few("transaction", 2);
}

static void test_session(void)
{
	struct myraw r, s;
	through_few("session", COUNT(ids));
	sluice_stop();
	sluice_start(&(struct conf){ .settings = "pool_mode = session\ndefault_pool_size = 1\n" });
	for (size_t i = 0; i < COUNT(ids); i++) {
		greet(&s, my_port(), ids[i]);
		greet(&r, sluice_my_port(), ids[i]);
		char *want = myraw_ask(&s, ASK), *got = myraw_ask(&r, ASK);
		check_str(text("the same server, %u", ids[i]), got, want);
		free(want);
		free(got);
		free(myraw_ask(&r, "set names latin1 collate latin1_german1_ci"));
		myraw_close(&r, true);
		myraw_close(&s, true);
	}
}

/* All that a client can say of it, by turns with one that says nothing. */
static void test_said(void)
{
	static const char *const said[] = {
		"set names utf8mb4",
		"set names utf8mb4 collate utf8mb4_bin",
		"set collation_connection = utf8mb4_unicode_ci",
		"set character_set_results = latin1",
		"set names latin1",
		"set character_set_results = null",
		"set names utf8mb4 collate utf8mb4_unicode_ci, sql_mode = ''",
		"set character_set_client = latin1",
		"set character_set_connection = latin1",
		"set character set utf8mb4",
		"set names default",
		NULL, /* COM_RESET_CONNECTION */
		"set names latin1",
	};
	struct myraw a, b, straight;
	/* A server that tells nothing is kept by who says SET CHARACTER SET. */
	sluice_start(&(struct conf){
		.settings = text("pool_mode = transaction\ndefault_pool_size = %d\n", my_tells() ? 1 : 2) });
	greet(&a, sluice_my_port(), 224);
	greet(&b, sluice_my_port(), 45);
	greet(&straight, my_port(), 224);
	char *plain = myraw_ask(&b, ASK);
	for (size_t i = 0; i < COUNT(said); i++) {
		struct myraw *both[] = { &a, &straight };
		for (size_t k = 0; k < 2; k++) {
			if (said[i])
				free(myraw_ask(both[k], said[i]));
			else
				require("reset",
					myraw_command(both[k], MY_RESET_CONNECTION, "", 0) && myraw_wait(both[k]));
			myraw_forget(both[k]);
		}
		char *other = myraw_ask(&b, ASK), *got = myraw_ask(&a, ASK), *want = myraw_ask(&straight, ASK);
		check_str("the other one", other, plain);
		check_str(said[i] ? said[i] : "reset", got, want);
		free(other);
		free(got);
		free(want);
	}
	free(plain);
	myraw_close(&a, true);
	myraw_close(&b, true);
	myraw_close(&straight, true);
}

/* Prepared first of all, or without a collation of one's own, and executed where others have been. */
static void test_prepared(void)
{
	static const char *const sets[] = { NULL, "set names utf8mb4", "set names utf8mb4 collate utf8mb4_bin" };
	struct myraw a, b;
	sluice_start(&(struct conf){ .settings = "pool_mode = transaction\ndefault_pool_size = 2\n" });
	greet(&b, sluice_my_port(), 45);
	for (size_t i = 0; i < COUNT(sets); i++) {
		struct pgraw_bytes x = { 0 };
		greet(&a, sluice_my_port(), 246);
		if (sets[i])
			free(myraw_ask(&a, sets[i]));
		const char *sql = text("select collation('%zu')", i);
		require("prepared", myraw_command(&a, MY_STMT_PREPARE, sql, strlen(sql)) && myraw_wait(&a));
		uint32_t id = a.statement;
		free(myraw_ask(&a, "set names latin1 collate latin1_bin"));
		free(myraw_ask(&b, "begin")); /* has the first server */
		myraw_forget(&a);
		size_t at = myraw_begin(&x, MY_STMT_EXECUTE);
		myraw_add_u32(&x, id);
		pgraw_add(&x, "\0\1\0\0\0", 5);
		myraw_end(&x, at);
		require("executed", myraw_send(&a, &x) && myraw_wait(&a));
		char *lines = myraw_lines(&a);
		check(text("%zu: %s", i, lines), a.error == 0 && strstr(lines, "error") == NULL);
		free(lines);
		free(x.p);
		char *now = myraw_ask(&a, "select @@collation_connection");
		check(text("its own: %s", now), strstr(now, "latin1_bin") != NULL);
		free(now);
		free(myraw_ask(&b, "commit"));
		myraw_close(&a, true);
	}
	myraw_close(&b, true);
}

static const struct unit_test tests[] = {
	{ "transaction", test_transaction },
	{ "session", test_session },
	{ "said", test_said },
	{ "prepared", test_prepared },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return harness_my_main(argc, argv, "my_charset", tests);
}
