/* test_auth_query.c - users that no file names: their secrets are asked of a database. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#define FILE_OF_ADMIN "\"admin\" \"admin-secret\"\n\"asker\" \"asker-secret\"\n"

static void drop_asker(void)
{
	pg_sql("set client_min_messages = warning; drop role if exists asker, late, nologin, bare, \"odd'; drop role bob; --\"");
}

static void make_asker(void)
{
	drop_asker();
	pg_sql("create role asker login superuser password 'asker-secret'");
	pg_sql("create role \"odd'; drop role bob; --\" login password 'odd-secret'");
	pg_sql("create role late login password 'late-secret' valid until '2001-01-01'");
	pg_sql("create role nologin password 'nologin-secret'");
	pg_sql("create role bare login");
	pg_hba("host all all 127.0.0.1/32 scram-sha-256\n");
}

static void start(const char *databases, const char *settings)
{
	sluice_start(&(struct conf){ .databases = databases,
				     .settings = text("%s\nserver_login_retry = 1", settings),
				     .auth_file = FILE_OF_ADMIN });
}

static void test_default_query(void)
{
	static const char *const types[] = { "scram-sha-256", "md5", "plain" };
	make_asker();
	for (size_t t = 0; t < COUNT(types); t++) {
		const char *refused = t < 2 ? "SASL authentication failed" : "password authentication failed";
		start(NULL, text("auth_type = %s\nauth_user = asker", types[t]));
		for (int again = 0; again < 3; again++) {
			/* The verifier that was told serves for the server too. */
			PGconn *c = client("user=bob password=bob-secret");
			check_scalar(c, "select current_user", "bob");
			client_close(c);
		}
		check_scalar(client("user='odd\\'; drop role bob; --' password=odd-secret"), "select session_user",
			     "odd'; drop role bob; --");
		check_login_fails("08P01", refused, "user=bob password=wrong");
		check_login_fails("08P01", refused, "user=mallory password=wrong");
		check_login_fails("08P01", refused, "user=late password=late-secret");
		check_login_fails("08P01", refused, "user=nologin password=nologin-secret");
		check_login_fails("08P01", refused, "user=bare password=x");
		check_scalar(console(), "show version", scalar(console(), "show version"));
		sluice_stop();
	}
	drop_asker();
}

/* Whatever a client wants its search_path to be, and has set on servers before, the question is asked under none of it.
 * CVE-2025-12819. */
static void test_search_path(void)
{
	make_asker();
	PGconn *pg = client_to_pg("user=alice password=alice-secret");
	sql(pg,
	    "create schema evil; create table evil.pg_authid (rolname name, rolpassword text, rolvaliduntil timestamptz, "
	    "rolcanlogin bool)");
	sql(pg, "create table evil.users (name text, secret text); insert into evil.users values ('mallory', 'pwned')");
	sql(pg,
	    "create table public.users (name text, secret text); insert into public.users values ('bob', 'bob-secret')");
	sql(pg, "grant usage on schema evil to public; grant select on evil.users to public");
	start("test = @PG@ auth_query='select name, secret from users where name = $1'",
	      "auth_type = plain\nauth_user = asker\ntrack_extra_parameters = search_path\ndefault_pool_size = 1\n"
	      "ignore_startup_parameters = options");
	for (int i = 0; i < 3; i++) {
		/* As the asker itself, on all the servers that there are for it. */
		PGconn *c = client("user=asker password=asker-secret");
		sql(c, "set search_path to evil, public");
		check_scalar(c, "select current_schemas(false)", "{evil,public}");
		client_close(c);
		check_login_fails("08P01", "password authentication failed",
				  "user=mallory password=pwned options='-c search_path=evil'");
		check_scalar(client("user=bob password=bob-secret"), "select current_user", "bob");
	}
	sluice_stop();
	pg = client_to_pg("user=alice password=alice-secret");
	sql(pg, "drop schema evil cascade; drop table public.users");
	drop_asker();
}

/* A function that looks for one, as the manual has it, in a database of its own, as somebody who is no superuser. */
static void test_function(void)
{
	make_asker();
	pg_sql("alter role asker nosuperuser");
	pg_sql("create database users");
	PGconn *pg = client_to_pg("dbname=users user=alice password=alice-secret");
	sql(pg,
	    "create schema pooler; create function pooler.user_lookup(i_user text, out uname text, out phash text) as "
	    "$$begin select rolname, case when rolvaliduntil < now() then null else rolpassword end from "
	    "pg_catalog.pg_authid where rolname = i_user and rolcanlogin into uname, phash; return; end$$ language "
	    "plpgsql security definer set search_path = pg_catalog, pg_temp; "
	    "revoke all on function pooler.user_lookup(text) from public; grant usage on schema pooler to asker; "
	    "grant execute on function pooler.user_lookup(text) to asker");
	client_close(pg);
	start("test = @PG@\nusers = @PG@\nforced = @PG@ dbname=test user=alice password=alice-secret auth_user=asker",
	      "auth_type = scram-sha-256\nauth_user = asker\nauth_dbname = users\n"
	      "auth_query = select * from pooler.user_lookup($1)");
	check_scalar(client("user=bob password=bob-secret"), "select current_user", "bob");
	check_scalar(client("user=carol password=carol-secret"), "select current_user", "carol");
	check_scalar(client("user=bob password=bob-secret dbname=forced"), "select current_user", "alice");
	check_login_fails("08P01", "SASL authentication failed", "user=bob password=x");
	check_login_fails("08P01", "SASL authentication failed", "user=late password=late-secret");
	check_login_fails("08P01", "SASL authentication failed", "user=mallory password=x");
	/* Names of databases are told to those who are let in. */
	check_login_fails("08P01", "no such database: nowhere", "user=bob password=bob-secret dbname=nowhere");
	check_login_fails("08P01", "SASL authentication failed", "user=mallory password=x dbname=nowhere");
	check_login_fails("08P01", "not allowed", "user=bob password=bob-secret dbname=pgbouncer");
	sluice_stop();
	pg_sql("drop database users");
	drop_asker();
}

/* A password that is changed at the server holds for the next login, and so does its end. */
static void test_changed(void)
{
	make_asker();
	start(NULL, "auth_type = scram-sha-256\nauth_user = asker\nserver_idle_timeout = 1");
	check_scalar(client("user=bob password=bob-secret"), "select current_user", "bob");
	pg_sql("alter role bob password 'new'");
	PGconn *c = client("user=bob password=new");
	check_scalar(c, "select current_user", "bob");
	sql(c, "begin"); /* its server is kept: PostgreSQL will let bob in no more */
	check_login_fails("08P01", "SASL authentication failed", "user=bob password=bob-secret");
	pg_sql("alter role bob valid until '2001-01-01'");
	check_login_fails("08P01", "SASL authentication failed", "user=bob password=new");
	check_scalar(c, "select current_user", "bob"); /* who is in stays */
	sql(c, "commit");
	pg_sql("alter role bob password 'bob-secret' valid until 'infinity'");
	drop_asker();
}

static void test_wrong_questions(void)
{
	make_asker();
	start("test = @PG@\n"
	      "one = @PG@ dbname=test auth_query='select rolname from pg_authid where rolname = $1'\n"
	      "three = @PG@ dbname=test auth_query='select rolname, rolpassword, 1 from pg_authid where rolname = $1'\n"
	      "many = @PG@ dbname=test auth_query='select $1::text, rolpassword from pg_authid'\n"
	      "other = @PG@ dbname=test auth_query='select ''alice'', ''x'' where $1 <> '''''\n"
	      "error = @PG@ dbname=test auth_query='select nonsense, $1'\n"
	      "const = @PG@ dbname=test auth_query='select 1, 2'\n"
	      "null = @PG@ dbname=test auth_query='select null, rolpassword from pg_authid where rolname = $1'\n"
	      "big = @PG@ dbname=test auth_query='select $1::text, repeat(''x'', 100000)'\n"
	      "badpass = @PG@ dbname=test auth_user=bob\n"
	      "lost = @PG@ dbname=test auth_dbname=gone\n"
	      "none = @PG@ dbname=test auth_user=''\n",
	      "auth_type = plain\nauth_user = asker\nquery_wait_timeout = 5");
	static const char *const broken[] = { "one", "three", "many", "other", "error", "const", "lost" };
	for (size_t i = 0; i < COUNT(broken); i++)
		check_login_fails("08P01", "bouncer config error", "user=bob password=bob-secret dbname=%s", broken[i]);
	check("the log says why", sluice_logged("auth_query: 2 columns are expected, not 3"));
	check("the log says why", sluice_logged("column \"nonsense\" does not exist"));
	check_login_fails("08P01", "password authentication failed", "user=bob password=bob-secret dbname=null");
	check_login_fails("08001", "the server that knows the users cannot be asked",
			  "user=carol password=carol-secret dbname=badpass");
	check_login_fails("08001", "cannot be asked", "user=carol password=carol-secret dbname=big");
	/* And all is well where nothing is wrong. */
	check_scalar(client("user=bob password=bob-secret"), "select current_user", "bob");
	drop_asker();
}

static void test_server_down(void)
{
	make_asker();
	start(NULL, "auth_type = scram-sha-256\nauth_user = asker\nserver_login_retry = 1");
	check_scalar(client("user=bob password=bob-secret"), "select current_user", "bob");
	pg_stop(SIGINT);
	check_login_fails("08001", "the server that knows the users cannot be asked", "user=bob password=bob-secret");
	check_login_fails("08001", "the server that knows the users cannot be asked", "user=carol password=x");
	pg_start();
	wait_until("bob is let in again", client_try("user=bob password=bob-secret") != NULL);
	drop_asker();
}

/* Many at once, of whom some leave while their question is on its way; and one that is never answered. */
static void test_many(void)
{
	make_asker();
	start("test = @PG@ auth_query='select rolname, rolpassword from pg_authid, "
	      "lateral (select pg_sleep(0.05 + 600 * (rolname = ''late'')::int)) s where rolname = $1'",
	      "auth_type = scram-sha-256\nauth_user = asker\ndefault_pool_size = 2\nclient_login_timeout = 10");
	PGconn *stuck = client_start("user=late password=late-secret");
	PGconn *c[16];
	for (size_t i = 0; i < COUNT(c); i++)
		c[i] = client_start("user=%s password=%s-secret", i % 2 ? "bob" : "carol", i % 2 ? "bob" : "carol");
	int gone = raw_open();
	check("a client that leaves", raw_startup(gone, "bob", "test"));
	raw_close(gone);
	for (size_t i = 0; i < COUNT(c); i++) {
		if (i % 5 == 4) {
			client_close(c[i]);
			continue;
		}
		check("in", client_finish_start(c[i]));
		check_scalar(c[i], "select 1", "1");
		client_close(c[i]);
	}
	check("not in", !client_finish_start(stuck));
	check(PQerrorMessage(stuck), strstr(PQerrorMessage(stuck), "client_login_timeout") != NULL);
	check_scalar(client("user=bob password=bob-secret"), "select 1", "1");
	sluice_stop();
	drop_asker();
}

/* Who asked leaves, sooner or later, while the answer is on its way. */
static void test_leaves(void)
{
	make_asker();
	start(NULL, "auth_type = scram-sha-256\nauth_user = asker\ndefault_pool_size = 2");
	for (int i = 0; i < 1500; i++) {
		int gone = raw_open();
		check("a client that leaves", raw_startup(gone, "bob", "test"));
		for (volatile int wait = i % 50 * 1000; wait > 0; wait--)
			;
		raw_close(gone);
	}
	check_scalar(client("user=carol password=carol-secret"), "select 1", "1");
	sluice_stop();
	drop_asker();
}

/* Who is not there is asked as those are who are, from the first one on; one odd user changes nothing. */
static void test_asked_as_others(void)
{
	static const char heavy[] =
		"SCRAM-SHA-256$10000:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT"
		"4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
	make_asker();
	pg_sql("create role heavy login password '%s'; set password_encryption = 'md5'; "
	       "create role old login password 'old-secret'",
	       heavy);
	start("test = @PG@\nother = @PG@ dbname=test auth_dbname=test", "auth_type = md5\nauth_user = asker");
	check_str("nobody was asked for yet", raw_asked("mallory", "test"), "4096");
	check_str("who is there", raw_asked("bob", "test"), "4096");
	check_str("who is there", raw_asked("carol", "test"), "4096");
	check_str("an odd one", raw_asked("old", "test"), "md5");
	check_str("changes nothing", raw_asked("mallory", "test"), "4096");
	check_str("another odd one", raw_asked("heavy", "test"), "10000");
	for (int i = 0; i < 5; i++)
		check_str("now most are", raw_asked("heavy", "other"), "10000");
	check_str("in the database that is asked", raw_asked("mallory", "test"), "10000");
	check_str("by way of another", raw_asked("mallory", "other"), "10000");
	sluice_stop();
	pg_sql("drop role heavy, old");
	drop_asker();
}

/* Databases that only the * entry knows: one that exists serves, and of what does not nothing is kept. */
static void test_any_database(void)
{
	make_asker();
	start("* = @PG@ auth_user=asker", "auth_type = scram-sha-256");
	check_scalar(client("user=bob password=bob-secret dbname=postgres"), "select current_database()", "postgres");
	for (int i = 0; i < 5; i++)
		check_login_fails("08001", "cannot be asked", "user=bob password=bob-secret dbname=nowhere%d", i);
	PGconn *con = console();
	check("an entry that serves", show(con, "databases", "name", "postgres", "name") != NULL);
	wait_until("none that do not", show(con, "databases", "name", "nowhere0", "name") == NULL &&
					       show(con, "databases", "name", "nowhere4", "name") == NULL);
	drop_asker();
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "default_query", test_default_query },
		{ "search_path", test_search_path },
		{ "function", test_function },
		{ "changed", test_changed },
		{ "wrong_questions", test_wrong_questions },
		{ "server_down", test_server_down },
		{ "many", test_many },
		{ "leaves", test_leaves },
		{ "asked_as_others", test_asked_as_others },
		{ "any_database", test_any_database },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "auth_query", tests);
}
