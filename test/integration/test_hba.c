/* test_hba.c - who may come from where and how: auth_type hba with its two files, peer and any. */
#include "harness.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

static void rules(const char *hba, const char *ident)
{
	write_text(text("%s/hba.conf", dir()), hba);
	write_text(text("%s/ident.conf", dir()), ident);
}

#define WITH_RULES "auth_type = hba\nauth_hba_file = @DIR@/hba.conf\nauth_ident_file = @DIR@/ident.conf\n"

/* Who runs this test, as the other end of a unix socket sees it. */
static const char *me(void)
{
	const struct passwd *pw = getpwuid(geteuid());
	require("a name", pw != NULL);
	return pw->pw_name;
}

/* By the unix socket. */
static void refused_here(const char *user, const char *part)
{
	PGconn *c = client_start("host=%s user=%s", sluice_socket_dir(), user);
	check(user, !client_finish_start(c));
	check(PQerrorMessage(c), strstr(PQerrorMessage(c), part) != NULL);
	client_close(c);
}

static void test_methods(void)
{
	rules("# method by user\n"
	      "host all bob 127.0.0.1/32 reject\n"
	      "hostssl all all all trust\n"
	      "host test alice 127.0.0.1 255.255.255.255 scram-sha-256\n"
	      "host all carol,\"mallory\" 127.0.0.0/8 password\n"
	      "host \"all\" stats all trust\n"
	      "host pgbouncer admin samehost md5\n"
	      "local all all trust\n",
	      "");
	sluice_with(WITH_RULES);
	check_scalar(client("password=alice-secret"), "select 1", "1");
	check_scalar(client("user=carol password=carol-secret"), "select 1", "1");
	check_login_fails("08P01", "login rejected", "user=bob password=bob-secret");
	check_login_fails("08P01", "SASL authentication failed", "password=wrong");
	check_login_fails("08P01", "password authentication failed", "user=carol password=wrong");
	/* Who is not there hears what one who is there hears. */
	check_login_fails("08P01", "password authentication failed", "user=mallory password=wrong");
	check_login_fails("08P01", "no authentication method is found", "user=stats");
	check_login_fails("08P01", "user \"dave\", database \"test\", no encryption", "user=dave");
	check("told in the log", sluice_logged("no rule of the HBA file fits host \"127.0.0.1\", user \"dave\""));
	check_scalar(client("host=%s user=bob", sluice_socket_dir()), "select current_user", "bob");
	refused_here("mallory", "\"trust\" authentication failed");
	sql(console(), "show version");
}

static void test_peer(void)
{
	rules("local all postgres peer map=m\n"
	      "local test alice,bob peer map=m\n"
	      "local all all peer\n",
	      text("m %s alice\nm /^(.*)%s$ \\1bob\nm /. postgres\n", me(), me()));
	sluice_start(&(struct conf){
		.settings = WITH_RULES,
		.auth_file = text("\"alice\" \"\"\n\"bob\" \"\"\n\"carol\" \"\"\n\"%s\" \"\"\n", me()) });
	const char *at = sluice_socket_dir();
	check_scalar(client("host=%s", at), "select current_user", "alice");
	check_scalar(client("host=%s user=bob", at), "select current_user", "bob");
	refused_here("carol", "unix socket login rejected");
	/* By the map, but nobody that is known. */
	refused_here("postgres", "unix socket login rejected");
	refused_here("mallory", "unix socket login rejected");
	check_login_fails("08P01", "no authentication method is found", "user=alice");
}

/* Without a rule: the name itself. */
static void test_peer_for_all(void)
{
	sluice_start(&(struct conf){ .databases = "test = @PG@ user=alice",
				     .settings = "auth_type = peer",
				     .auth_file = text("\"alice\" \"\"\n\"%s\" \"\"\n", me()) });
	check_scalar(client("host=%s user=%s", sluice_socket_dir(), me()), "select current_user", "alice");
	refused_here("alice", "unix socket login rejected");
	check_login_fails("08P01", "unix socket login rejected", "user=%s", me());
}

static void test_reload(void)
{
	rules("host all all all trust\n", "");
	sluice_with(WITH_RULES);
	PGconn *con = console();
	sql(con, "show version");
	rules("host all admin all trust\nhost all all all nonsense\n", "");
	check_sql_fails(con, "reload", "F0000", "hba.conf:2: \"nonsense\" is no method");
	check_scalar(client(NULL), "select 1", "1"); /* by the rules from before */
	rules("host all admin all trust\nhost all bob all reject\nhost all all all trust\n", "");
	sql(con, "reload");
	check_scalar(client(NULL), "select 1", "1");
	check_login_fails("08P01", "login rejected", "user=bob");
	check_sql_fails(con, "set auth_hba_file = '/tmp/x'", NULL, NULL);
}

static void test_check(void)
{
	char *out;
	rules("host all +staff all md5\nhost all all example.com md5\n", "");
	sluice_with(NULL);
	sluice_configure(&(struct conf){ .settings = WITH_RULES });
	check_eq("--check", run(&out, "%s/sluice --check %s/sluice.ini", dir(), dir()), 1);
	check("the place", strstr(out, "hba.conf:1: error: +staff: who belongs to which role"));
	check("all are told", strstr(out, "hba.conf:2: error: \"example.com\" is no IP address"));
}

static void test_any(void)
{
	sluice_start(&(struct conf){ .databases = "test = @PG@ user=alice\nfree = @PG@ dbname=test",
				     .settings = "auth_type = any\nadmin_users = chief" });
	check_scalar(client("user=whoever"), "select current_user", "alice");
	check_scalar(client("user='a b'"), "select current_user", "alice");
	check_login_fails("08P01", "bouncer config error", "user=whoever dbname=free");
	PGconn *look = client("user=whoever dbname=pgbouncer"), *chief = client("user=chief dbname=pgbouncer");
	sql(look, "show pools");
	check_sql_fails(look, "reload", NULL, "admin access needed");
	sql(chief, "reload");
	/* Names of guests are forgotten with them. */
	for (int i = 0; i < 20; i++)
		client_close(client("user=guest%d", i));
	check_scalar(client("user=guest7"), "select current_user", "alice");
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "methods", test_methods },
		{ "peer", test_peer },
		{ "peer_for_all", test_peer_for_all },
		{ "reload", test_reload },
		{ "check", test_check },
		{ "any", test_any },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "hba", tests);
}
