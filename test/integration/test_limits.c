/* test_limits.c - how many servers and clients there may be: of a pool, a database, a user; which setting of them
 * counts.
 */
#include "harness.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#define MOST 8

/* Servers of that user, or of all (""), that have a transaction open. */
static int at_work(const char *user)
{
	return atoi(pg_scalar("select count(*) from pg_stat_activity where state = 'idle in transaction' "
			      "and usename like '%s%%'",
			      user));
}

/* That many clients begin a transaction and keep it: `most` get a server, the others wait, and have theirs when those
 * go. */
static void crowd(PGconn *con, const char *who, const char *pool_user, const char *pool_db, int n, int most)
{
	PGconn *c[MOST];
	wait_until("those before are through", at_work(pool_user) == 0);
	for (int i = 0; i < n; i++) {
		c[i] = client("%s", who);
		sql_start(c[i], "begin; select 1");
	}
	wait_until("as many as may", at_work(pool_user) == most);
	wait_until("and the others wait", show_int(con, "POOLS", pool_db ? "database" : "user",
						   pool_db ? pool_db : pool_user, "cl_waiting") == n - most);
	check_eq("no more", at_work(pool_user), most);
	for (int served = 0; served < n;) {
		for (int i = 0; i < n; i++) {
			if (!c[i] || !is_answered(c[i]))
				continue;
			sql_finish(c[i]);
			client_close(c[i]);
			c[i] = NULL;
			served++;
		}
		check("never more", at_work(pool_user) <= most);
	}
}

/* The user's own size goes before the database's, and that before the default. */
static void test_pool_size(void)
{
	sluice_start(&(struct conf){ .databases = "test = @PG@\nsmall = @PG@ dbname=test pool_size=2\n"
						  "forced = @PG@ dbname=test user=carol pool_size=1",
				     .settings = "pool_mode = transaction\ndefault_pool_size = 3",
				     .users = "bob = pool_size=1\ncarol = pool_size=4" });
	PGconn *con = console();
	crowd(con, "user=alice", "alice", NULL, 5, 3);
	crowd(con, "user=bob", "bob", NULL, 3, 1);
	crowd(con, "user=carol", "carol", NULL, 6, 4);
	crowd(con, "user=alice dbname=small", "alice", "small", 4, 2);
	/* Of a forced user it is that user's own. */
	crowd(con, "user=alice dbname=forced", "carol", "forced", 6, 4);
	check_eq("shown for the database", show_int(con, "DATABASES", "name", "small", "pool_size"), 2);
	check_eq("and for the user", show_int(con, "USERS", "name", "carol", "pool_size"), 4);
}

static void test_reserve(void)
{
	sluice_start(&(struct conf){ .databases = "test = @PG@\nsmall = @PG@ dbname=test reserve_pool=2\n",
				     .settings =
					     "pool_mode = transaction\ndefault_pool_size = 1\nreserve_pool_size = 1\n"
					     "reserve_pool_timeout = 0.05",
				     .users = "bob = reserve_pool_size=0\ncarol = reserve_pool_size=3" });
	PGconn *con = console();
	crowd(con, "user=alice", "alice", NULL, 4, 2);
	crowd(con, "user=bob", "bob", NULL, 3, 1);
	crowd(con, "user=carol", "carol", NULL, 6, 4);
	crowd(con, "user=alice dbname=small", "alice", "small", 5, 3);
	check_eq("shown", show_int(con, "DATABASES", "name", "small", "reserve_pool_size"), 2);
}

static int open_servers(PGconn *con, const char *db)
{
	return show_int(con, "DATABASES", "name", db, "current_connections");
}

/* With a client, or always where the database forces a user; never more than the pool holds. */
static void test_min_pool_size(void)
{
	sluice_start(&(struct conf){ .databases = "test = @PG@\nmany = @PG@ dbname=test min_pool_size=4\n"
						  "forced = @PG@ dbname=test user=alice min_pool_size=2\n"
						  "tight = @PG@ dbname=test user=alice min_pool_size=5 pool_size=3",
				     .settings = "pool_mode = transaction\nmin_pool_size = 1" });
	PGconn *con = console();
	wait_until("without a client", open_servers(con, "forced") == 2);
	wait_until("no more than fit", open_servers(con, "tight") == 3);
	check_eq("none for nobody", open_servers(con, "many"), 0);
	PGconn *a = client("dbname=many user=bob");
	wait_until("with one", open_servers(con, "many") == 4);
	client(NULL);
	wait_until("the setting for all", open_servers(con, "test") == 1);
	client_close(a);
	check_eq("nor more", open_servers(con, "forced") + open_servers(con, "tight"), 5);
}

static void test_of_a_database(void)
{
	sluice_start(&(struct conf){ .databases = "test = @PG@\nwide = @PG@ dbname=test max_db_connections=4\n"
						  "open = @PG@ dbname=test max_db_connections=0",
				     .settings = "pool_mode = transaction\nmax_db_connections = 2" });
	PGconn *con = console();
	crowd(con, "user=alice", "alice", "test", 4, 2);
	crowd(con, "user=alice dbname=wide", "alice", "wide", 6, 4);
	crowd(con, "user=alice dbname=open", "alice", "open", 6, 6);
	/* All users of the database together. */
	PGconn *c[] = { client("user=alice"), client("user=bob"), client("user=carol"), client("user=alice") };
	for (size_t i = 0; i < COUNT(c); i++)
		sql_start(c[i], "begin; select 1");
	wait_until("two", at_work("") == 2);
	check_eq("of the database", open_servers(con, "test"), 2);
	for (size_t served = 0; served < COUNT(c);) {
		for (size_t i = 0; i < COUNT(c); i++) {
			if (!c[i] || !is_answered(c[i]))
				continue;
			sql_finish(c[i]);
			client_close(c[i]);
			c[i] = NULL;
			served++;
		}
		check("never more", open_servers(con, "test") <= 2);
	}
}

/* In all databases together, those too that force the user on others. */
static void test_of_a_user(void)
{
	sluice_start(&(struct conf){ .databases =
					     "test = @PG@\nother = @PG@ dbname=test\n"
					     "forced = @PG@ dbname=test user=alice\nalso = @PG@ dbname=test user=alice",
				     .settings = "pool_mode = transaction\nmax_user_connections = 1",
				     .users = "alice = max_user_connections=3\ncarol = max_user_connections=0" });
	PGconn *con = console();
	crowd(con, "user=bob", "bob", NULL, 3, 1);
	crowd(con, "user=carol", "carol", NULL, 4, 4);
	static const char *const dbs[] = { "test", "other", "forced", "also", "test", "forced" };
	PGconn *c[COUNT(dbs)];
	for (size_t i = 0; i < COUNT(dbs); i++)
		c[i] = client("user=%s dbname=%s", i == 2 ? "bob" : "alice", dbs[i]);
	for (size_t i = 0; i < COUNT(dbs); i++)
		sql_start(c[i], "begin; select 1");
	wait_until("three", at_work("alice") == 3);
	check_eq("as the console has it", show_int(con, "USERS", "name", "alice", "current_connections"), 3);
	for (size_t served = 0; served < COUNT(dbs);) {
		for (size_t i = 0; i < COUNT(dbs); i++) {
			if (!c[i] || !is_answered(c[i]))
				continue;
			sql_finish(c[i]);
			client_close(c[i]);
			c[i] = NULL;
			served++;
		}
		check("never more", at_work("alice") <= 3);
	}
}

/* What a reload changes holds from then on. */
static void test_reload(void)
{
	struct conf c = { .databases = "test = @PG@ pool_size=1", .settings = "pool_mode = transaction" };
	sluice_start(&c);
	PGconn *con = console();
	crowd(con, "user=alice", "alice", NULL, 3, 1);
	c.databases = "test = @PG@ pool_size=3";
	sluice_configure(&c);
	sql(con, "reload");
	crowd(con, "user=alice", "alice", NULL, 5, 3);
	c.users = "alice = max_user_connections=2";
	sluice_configure(&c);
	sql(con, "reload");
	wait_until("idle ones above it may stay, none is added", at_work("alice") == 0);
	sql(con, "set default_pool_size = 7"); /* the database has its own */
	check_eq("its own", show_int(con, "DATABASES", "name", "test", "pool_size"), 3);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "pool_size", test_pool_size },
		{ "reserve", test_reserve },
		{ "min_pool_size", test_min_pool_size },
		{ "of_a_database", test_of_a_database },
		{ "of_a_user", test_of_a_user },
		{ "reload", test_reload },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "limits", tests);
}
