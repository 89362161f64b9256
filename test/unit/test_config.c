/* test_config.c - whole configurations: what they hold, what is wrong with them, and what a fault must not say. */
#include "config/config.h"

#include "conf_files.h"
#include "nomem.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Four lines that nothing is wrong with; what a row adds begins at line 5. */
#define PRE "[databases]\n* =\n[sluice]\nauth_file = u\n"

static void clear_environment(void)
{
	bool again = true;
	while (again) { /* the harness's own variables are not ours to judge */
		again = false;
		for (char **e = environ; *e && !again; e++)
			if (strncmp(*e, "SLUICE_", 7) == 0) {
				char name[256];
				str_fmt(name, sizeof name, "%.*s", (int)strcspn(*e, "="), *e);
				unsetenv(name);
				again = true;
			}
	}
}

static void begin(void)
{
	clear_environment();
	conf_dir();
	conf_text("u", "\"anna\" \"secret\"\n\"bert\" \"md500000000000000000000000000000000\"\n");
	conf_text("v", "\"anna\" \"md50000000000000000000000000000000\"\n\"bert\" "
		       "\"md5A0000000000000000000000000000000\"\n\"cleo\" \"md5sum\"\n");
	conf_text("h", "local all all trust\nlocal all all peer map=m\n");
	conf_text("i", "m a b\n");
	conf_text(
		"c",
		"hostssl all all all cert\nhostssl all all all trust\nhostssl all all all md5 clientcert=verify-ca\n");
}

static struct config *load_as(const char *path, bool strict, struct conf_told *told)
{
	*told = (struct conf_told){ .errors = 0 };
	struct config *c = config_load(path, strict, conf_report, told);
	check("a configuration or errors", (c == NULL) == (told->errors > 0));
	return c;
}

static struct config *load(const char *text, bool strict, struct conf_told *told)
{
	return load_as(conf_text("m", text), strict, told);
}

#define DB(pairs) "[databases]\nshop = " pairs "\n"
#define UNKNOWN   "unknown setting"
#define LATER     " is known to PgBouncer but not served by this version\n"

/* What is told; with '?' instead of E or W where --check has an error and a running Sluice a warning. */
static const struct {
	const char *what, *in, *told;
} faults[] = {
	{ "nothing wrong", "pool_mode = transaction\n", "" },
	{ "case", "[SLUICE]\nPOOL_Mode = Transaction\n", "" },
	{ "the other section", "[pgbouncer]\npool_mode = transaction\n", "" },
	{ "unknown key", "nonsense = 1\n", "? m:5 " UNKNOWN " \"nonsense\"\n" },
	{ "nearly a key", "pool_moed = session\n", "? m:5 " UNKNOWN " \"pool_moed\"; did you mean pool_mode?\n" },
	{ "a percent sign", "%s%n = 1\n", "E m:5 unknown directive: there is only %include\n" },
	{ "a key of format", "a%s%n = 1\n", "? m:5 " UNKNOWN " \"a%s%n\"\n" },
	{ "bad value", "listen_port = 0\n", "E m:5 listen_port: \"0\" is not a number from 1 to 65535\n" },
	{ "twice", "listen_port = 1\nlisten_port = 2\n", "W m:6 listen_port is given again; this value counts\n" },
	{ "cut line", "listen_port\nuser = x\n",
	  "E m:5 not understood: neither [section], nor key = value, nor %include, nor a comment\n" },
	{ "unknown section", "[nowhere]\na=1\nb=2\n",
	  "? m:6 unknown section [nowhere]; there are [sluice], [databases], [users] and [peers]\n" },
	{ "peers", "peer_id = 2\n[peers]\n1 = host=a\n2 = host=/x port=7000 pool_size=-1\n65535 =\n", "" },
	{ "peers without an id", "[peers]\n1 = host=a\n", "W m:0 peer_id is not set, so [peers] has no effect\n" },
	{ "bad peers",
	  "peer_id = 2\n[peers]\nx = host=a\n0 = host=a\n65536 = host=a\n1 = port=0\n1 = pool_size=x dbname=z\n",
	  "E m:7 the name of a peer is its peer_id, a number from 1 to 65535\n"
	  "E m:8 the name of a peer is its peer_id, a number from 1 to 65535\n"
	  "E m:9 the name of a peer is its peer_id, a number from 1 to 65535\n"
	  "E m:10 peer 1: port: \"0\" is not a number from 1 to 65535\n"
	  "W m:11 peer 1: is given again; this entry counts\n"
	  "E m:11 peer 1: pool_size: \"x\" is not a number from 0 to 1000000\n"
	  "? m:11 peer 1: unknown setting \"dbname\"; a peer has host, port and pool_size\n" },
	{ "not for all databases", "load_balance_hosts = disable\n",
	  "? m:5 load_balance_hosts is a setting of single databases, for [databases]\n" },

	{ "later, off", "[databases]\nd = target_session_attrs=any\n", "" },
	{ "moot", "sbuf_loopcnt = 5\nsuspend_timeout = 20\n",
	  "W m:6 suspend_timeout has no effect: there is no SUSPEND, as in PgBouncer 1.26 itself\n" },
	{ "later, wanted", "[databases]\nd = target_session_attrs=primary\n",
	  "? m:6 database \"d\": target_session_attrs" LATER },
	{ "PAM", "auth_type = pam\nadmin_users = zoe\n", "" }, /* whom PAM may know */
	{ "LDAP", "auth_type = ldap\nauth_ldap_options = ldapserver=a ldapprefix=x\n", "" },
	{ "LDAP, but where", "auth_type = ldap\n", "E m:0 auth_type = ldap needs auth_ldap_options\n" },
	{ "LDAP, but how", "auth_type = ldap\nauth_ldap_options = ldapserver=a ldapbindpasswd=hush\n",
	  "E m:0 auth_ldap_options: ldap needs ldapbasedn, or ldapprefix or ldapsuffix\n" },
	{ "options that nobody asks for", "auth_ldap_options = ldapserver=a\n",
	  "? m:0 auth_ldap_options: ldap needs ldapbasedn, or ldapprefix or ldapsuffix\n" },

	{ "certificates that nobody asks for", "auth_type = cert\n",
	  "E m:0 auth_type = cert needs client_tls_sslmode = verify-ca or verify-full: no certificate is asked for else\n" },
	{ "nor even TLS", "auth_type = cert\nclient_tls_sslmode = require\n",
	  "E m:0 auth_type = cert needs client_tls_sslmode = verify-ca or verify-full: no certificate is asked for else\n" },
	{ "a rule for them", "auth_type = hba\nauth_hba_file = c\n",
	  "? c:1 the rule wants a certificate, and client_tls_sslmode asks for none: nobody gets in by it\n"
	  "? c:3 the rule wants a certificate, and client_tls_sslmode asks for none: nobody gets in by it\n" },
	{ "one that is not asked", "auth_hba_file = c\n", "" },

	{ "no HBA file", "auth_type = hba\n", "E m:0 auth_type = hba needs auth_hba_file\n" },
	{ "rules", "auth_type = hba\nauth_hba_file = h\nauth_ident_file = i\n", "" },
	{ "an HBA file that is not there", "auth_type = hba\nauth_hba_file = nofile\n",
	  "E nofile:0 cannot be opened: No such file or directory\n" },
	{ "one that is not asked", "auth_hba_file = nofile\n",
	  "? nofile:0 cannot be opened: No such file or directory\n" },
	{ "bad rules", "auth_type = hba\nauth_hba_file = u\n",
	  "E u:1 \"anna\" is none of local, host, hostssl and hostnossl\n"
	  "E u:2 \"bert\" is none of local, host, hostssl and hostnossl\n" },
	{ "no such map", "auth_type = hba\nauth_hba_file = h\n",
	  "E h:2 map=m: auth_ident_file has no map of that name\n" },
	{ "bad maps", "auth_type = hba\nauth_hba_file = /dev/null\nauth_ident_file = u\n",
	  "E u:1 three words are expected: a map's name, a system user, a database user\n"
	  "E u:2 three words are expected: a map's name, a system user, a database user\n"
	  "E /dev/null:0 is not a regular file\n" },
	{ "any user, but which", "auth_type = any\nauth_file =\n",
	  "W m:6 auth_file is given again; this value counts\n"
	  "? m:0 database \"*\" (line 2): auth_type = any needs user= here, or nobody gets in\n" },

	{ "a database", DB("host=10.0.0.7 port=5433 pool_size=3 pool_mode=statement"), "" },
	{ "quoted name", "[databases]\n\"my = db\" = dbname=x\n", "" },
	{ "name in single quotes", "[databases]\n'my = db' = dbname=x\n[users]\n'odd user' = pool_mode=session\n", "" },
	{ "open name", "[databases]\n\"my = dbname=x\n",
	  "E m:6 not understood: neither [section], nor key = value, nor %include, nor a comment\n" },
	{ "bad name", "[databases]\nmy db = dbname=x\n",
	  "E m:6 a name is expected before the =, in quotes if it holds blanks or quotes\n" },
	{ "reserved", "[databases]\nsluice = host=a\npgbouncer = host=b\n",
	  "E m:6 database \"sluice\": the name is reserved for the console\n"
	  "E m:7 database \"pgbouncer\": the name is reserved for the console\n" },
	{ "again", "[databases]\nshop = host=a\nshop = host=b\n* = host=c\n",
	  "W m:7 database \"shop\": is given again; this entry counts\n"
	  "W m:8 database \"*\": is given again; this entry counts\n" },
	{ "unknown in a database", DB("hots=a"), "? m:6 database \"shop\": " UNKNOWN " \"hots\"\n" },
	{ "not by that name", DB("default_pool_size=1"),
	  "? m:6 database \"shop\": " UNKNOWN " \"default_pool_size\"\n" },
	{ "not for databases", DB("max_user_connections=1"),
	  "? m:6 database \"shop\": " UNKNOWN " \"max_user_connections\"\n" },
	{ "bad in a database", DB("pool_size=x"),
	  "E m:6 database \"shop\": pool_size: \"x\" is not a number from 0 to 1000000\n" },
	{ "twice in a database", DB("host=a host=b pool_size=1 pool_size=2"),
	  "W m:6 database \"shop\": host is given again; this value counts\n"
	  "W m:6 database \"shop\": pool_size is given again; this value counts\n" },
	{ "not set", DB("pool_size=-1 query_wait_timeout=-1"), "" },
	{ "bad port", DB("port=65536"), "E m:6 database \"shop\": port: \"65536\" is not a number from 1 to 65535\n" },
	{ "hole in the hosts", DB("host=a,,b"), "E m:6 database \"shop\": host: a name in the list is empty\n" },
	{ "end of the hosts", DB("host=a,"), "E m:6 database \"shop\": host: a name in the list is empty\n" },
	{ "kind", DB("kind=Postgres"), "" },
	{ "MySQL", DB("kind=mysql port=3307"), "" },
	{ "another kind", DB("kind=oracle"), "E m:6 database \"shop\": kind=oracle is not served by this version\n" },
	{ "no kind", DB("kind=db2"), "E m:6 database \"shop\": kind: \"db2\" is not one of postgres, mysql, oracle\n" },
	{ "later in a database", DB("target_session_attrs=any"), "" },
	{ "later in a database, wanted", DB("target_session_attrs=primary"),
	  "? m:6 database \"shop\": target_session_attrs" LATER },
	{ "users are looked up", DB("auth_user=x auth_query='SELECT 1' auth_dbname=shop"), "" },
	{ "looked up, so no file", DB("auth_user=x") "[sluice]\nauth_file =\n",
	  "W m:8 auth_file is given again; this value counts\n" },
	{ "open quote", DB("password='hunter2"),
	  "E m:6 database \"shop\": the closing quote of the value is missing, at byte 1 of the value\n" },
	{ "blank in a password", DB("host=a password=x hunter2"),
	  "E m:6 database \"shop\": a key without = (quote a value that holds blanks), at byte 19 of the value\n" },
	{ "blank and = in a password", DB("host=a password=x hunter2=y"),
	  "? m:6 database \"shop\": " UNKNOWN " at byte 19, behind a password without quotes\n" },
	{ "quoted password", DB("password='x' hots=y"), "? m:6 database \"shop\": " UNKNOWN " \"hots\"\n" },

	{ "a user", "[users]\nanna = pool_mode=session max_user_connections=3 pool_size=2 reserve_pool_size=1\n", "" },
	{ "not for users", "[users]\nanna = host=a\n", "? m:6 user \"anna\": " UNKNOWN " \"host\"\n" },
	{ "user again", "[users]\nanna = pool_mode=session\nanna = pool_size=1\n",
	  "W m:7 user \"anna\": is given again; both entries count\n" },

	{ "nowhere to listen", "unix_socket_dir =\n",
	  "? m:0 listen_addr and unix_socket_dir are both empty: there is nowhere to listen\n" },
	{ "nobody can connect", "max_client_conn = 0\n", "? m:0 max_client_conn is 0: nobody can connect\n" },
	{ "relative socket", "unix_socket_dir = run\n",
	  "? m:0 unix_socket_dir \"run\" cannot be used: No such file or directory\n"
	  "W m:0 unix_socket_dir is relative: it depends on where Sluice is started\n" },
	{ "no socket directory", "unix_socket_dir = /nowhere/run\n",
	  "? m:0 unix_socket_dir \"/nowhere/run\" cannot be used: No such file or directory\n" },
	{ "an abstract socket", "unix_socket_dir = @nowhere\n", "" },
	{ "a section that does not end", "[databases\nshop = host=a\n* = host=b\n",
	  "E m:5 a section is a name in brackets, alone on its line\n" },
	{ "users of the console", "admin_users = anna, nobody\nstats_users = bert,,cleo \n",
	  "W m:0 admin_users names \"nobody\", who is not in auth_file and so cannot log in\n"
	  "W m:0 stats_users names \"cleo\", who is not in auth_file and so cannot log in\n" },
	{ "a user of the console without a secret", "admin_users = dora\n[users]\ndora = pool_size=1\n",
	  "W m:0 admin_users names \"dora\", who is not in auth_file and so cannot log in\n" },
	{ "anybody", "admin_users = nobody\nauth_type = any\n[databases]\n* = user=anna\n",
	  "W m:8 database \"*\": is given again; this entry counts\n" },
	{ "hashes that are none", "auth_file = v\n",
	  "W m:5 auth_file is given again; this value counts\n"
	  "W v:1 the secret begins as an md5 hash, but is none (md5 and 32 digits from 0 to 9 and a to f): it counts "
	  "as a plain password\n"
	  "W v:2 the secret begins as an md5 hash, but is none (md5 and 32 digits from 0 to 9 and a to f): it counts "
	  "as a plain password\n" },
	{ "more than fit", "min_pool_size = 21\n", "? m:0 min_pool_size is 21, and only 20 servers fit in the pool\n" },
	{ "more than fit in a database", DB("pool_size=2 min_pool_size=3"),
	  "? m:0 database \"shop\" (line 6): min_pool_size is 3, and only 2 servers fit in the pool\n" },
	{ "no limit", "min_pool_size = 21\ndefault_pool_size = 0\n", "" },
	{ "less than a pool", "max_db_connections = 5\n",
	  "W m:0 the pool size is 20, but max_db_connections allows 5\n" },
	{ "no auth_file", "auth_file =\n",
	  "W m:5 auth_file is given again; this value counts\n? m:0 auth_file is not set, so nobody can log in\n" },
	{ "auth_file that is not there", "auth_file = nofile\n",
	  "W m:5 auth_file is given again; this value counts\n"
	  "E nofile:0 auth_file cannot be opened: No such file or directory\n" },
	{ "the same with trust", "auth_file = nofile\nauth_type = trust\n",
	  "W m:5 auth_file is given again; this value counts\n"
	  "? nofile:0 auth_file cannot be opened: No such file or directory\n" },
	{ "secrets that do not fit", "auth_type = scram-sha-256\n",
	  "W m:0 1 users of auth_file have md5 secrets, with which nobody can log in by scram-sha-256\n" },
	{ "all at once", "listen_port = x\n[databases]\nshop = port=0\n[users]\nanna = pool_mode=y\n",
	  "E m:5 listen_port: \"x\" is not a number from 1 to 65535\n"
	  "E m:7 database \"shop\": port: \"0\" is not a number from 1 to 65535\n"
	  "E m:9 user \"anna\": pool_mode: \"y\" is not one of session, transaction, statement\n" },
};

static void test_faults(void)
{
	begin();
	for (size_t i = 0; i < COUNT(faults); i++)
		for (int strict = 0; strict < 2; strict++) {
			char text[1024], want[1024];
			struct conf_told told;
			str_fmt(text, sizeof text, "%s%s", PRE, faults[i].in);
			str_fmt(want, sizeof want, "%s", faults[i].told);
			for (char *p = want; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
				if (*p == '?')
					*p = strict ? 'E' : 'W';
			struct config *c = load(text, strict, &told);
			check_str(faults[i].what, told.text, want);
			check(faults[i].what, !strstr(told.text, "hunter2"));
			config_put(c);
		}
	conf_clean();
}

static void test_not_files(void)
{
	struct conf_told told;
	begin();
	check("nothing there", !load_as("/nowhere/none", false, &told));
	check_str("nothing there", told.text, "E /nowhere/none:0 cannot be opened: No such file or directory\n");
	check("a directory", !load_as("/tmp", false, &told));
	check_str("a directory", told.text, "E /tmp:0 is a directory\n");
	struct config *c = load("", false, &told);
	check("an empty file", c);
	check_str("an empty file", told.text,
		  "W m:0 auth_file is not set, so nobody can log in\n"
		  "W m:0 there are no [databases], so there is only the console\n");
	config_put(c);
	check("an empty file, checked", !load("", true, &told));
	check_str("an empty file, checked", told.text,
		  "E m:0 auth_file is not set, so nobody can log in\n"
		  "W m:0 there are no [databases], so there is only the console\n");
	check("no databases, for they were not understood",
	      !load("[databases\nshop = host=a\n[sluice]\nauth_file = u\n", false, &told));
	check_str("just that", told.text, "E m:1 a section is a name in brackets, alone on its line\n");
	conf_text("u", "\"anna\" \"hunter2\nbert hunter2\n\"c\" \"hunter2\"x\n");
	check("a broken auth_file", !load(PRE, false, &told));
	check_eq("each line of it", told.errors, 3);
	check("with its line", strstr(told.text, "E u:3 a blank is expected"));
	check("no secrets", !strstr(told.text, "hunter2") && !strstr(told.text, "bert"));
	conf_clean();
}

static void test_contents(void)
{
	struct conf_told told;
	begin();
	conf_text("u", "\"anna\" \"it\"\"s\"\n\"bert\" \"old\"\n\"bert\" \"\"\n");
	struct config *c = load(
		"[pgbouncer]\nauth_file = u\nadmin_users = anna , zoe\nstats_users=bert\npool_mode=transaction\n"
		"max_db_connections = 50\nquery_wait_timeout=5\n"
		"[databases]\n"
		"shop = host=10.0.0.7,10.0.0.8 port = 5433 dbname='shop live' user=joe password='it''s ; # here'"
		" pool_size=7 reserve_pool=3 pool_mode=statement max_db_connections=9 connect_query='SELECT 1; SELECT 2'"
		" client_encoding=UTF8 datestyle=ISO timezone='Europe/Vienna' application_name=app"
		" server_lifetime=1h load_balance_hosts=disable query_wait_timeout=7\n"
		"\"my \"\"=\"\" db\" =\n"
		"* = host=/run/pg\n"
		"[users]\n"
		"anna = pool_size=4 query_wait_timeout=0.5\n"
		"\"carl x\" = pool_mode=session\n",
		false, &told);
	check_str("warnings", told.text,
		  "W u:3 a user of this name stands further up: both passwords are valid\n"
		  "W m:0 admin_users names \"zoe\", who is not in auth_file and so cannot log in\n");
	if (!check("loaded", c != NULL))
		return;
	check("absolute", c->path[0] == '/' && strcmp(conf_short(c->path), "m") == 0);

	const struct db_conf *d = config_find_db(c, "shop");
	if (check("shop", d != NULL)) {
		check_str("host", d->host, "10.0.0.7,10.0.0.8");
		check_eq("port", d->port, 5433);
		check_str("dbname", d->dbname, "shop live");
		check_str("user", d->user, "joe");
		check_str("password", d->password, "it's ; # here");
		check_str("connect_query", d->connect_query, "SELECT 1; SELECT 2");
		check_str("client_encoding", d->client_encoding, "UTF8");
		check_str("datestyle", d->datestyle, "ISO");
		check_str("timezone", d->timezone, "Europe/Vienna");
		check_str("application_name", d->application_name, "app");
		check_str("auth_user", config_text(c, SET_auth_user, d, NULL), "");
		check_eq("kind", d->kind, DB_POSTGRES);
		check_eq("line", d->line, 9);
	}
	const struct db_conf *odd = config_find_db(c, "my \"=\" db");
	if (check("a quoted name", odd != NULL))
		check("its defaults", odd->port == 5432 && !*odd->host && !*odd->dbname && odd->set.count == 0);
	check("a name as the client writes it", !config_find_db(c, "Shop") && !config_find_db(c, "sho"));
	check("the fallback has no name", !config_find_db(c, "*"));
	check("the fallback", c->fallback && strcmp(c->fallback->host, "/run/pg") == 0);
	check("in the file's order", list_owner(c->databases.next, struct db_conf, in_all) == d &&
					     list_owner(c->databases.prev, struct db_conf, in_all) == c->fallback);

	const struct user_conf *anna = config_find_user(c, "anna"), *bert = config_find_user(c, "bert"),
			       *carl = config_find_user(c, "carl x");
	if (check("users", anna && bert && carl)) {
		check_str("secret", anna->secret, "it\"s");
		check("the last line counts", bert->has_secret && !*bert->secret);
		check("only in [users]", !carl->has_secret && !*carl->secret);
		check("roles", anna->is_admin && !anna->is_stats && !bert->is_admin && bert->is_stats);
		check("nobody else", !carl->is_admin && !carl->is_stats && !config_find_user(c, "zoe"));
	}
	check("list", config_list_has(c, SET_admin_users, "zoe") && config_list_has(c, SET_admin_users, "anna"));
	check("not a part of it", !config_list_has(c, SET_admin_users, "ann") &&
					  !config_list_has(c, SET_admin_users, "") &&
					  !config_list_has(c, SET_admin_users, "anna , zoe"));

	static const struct {
		const char *what;
		enum setting_id id;
		bool db, user;
		long long want;
	} nums[] = {
		{ "global", SET_default_pool_size, false, false, 20 },
		{ "database", SET_default_pool_size, true, false, 7 },
		{ "user", SET_default_pool_size, false, true, 4 },
		{ "user before database", SET_default_pool_size, true, true, 4 },
		{ "alias", SET_reserve_pool_size, true, true, 3 },
		{ "word", SET_pool_mode, true, false, 2 },
		{ "global word", SET_pool_mode, false, true, 1 },
		{ "limit", SET_max_db_connections, true, false, 9 },
		{ "time", SET_server_lifetime, true, false, 3600000 },
		{ "hosts", SET_load_balance_hosts, true, false, LOAD_BALANCE_DISABLE },
		{ "hosts by default", SET_load_balance_hosts, false, false, LOAD_BALANCE_ROUND_ROBIN },
		{ "wait", SET_query_wait_timeout, true, false, 7000 },
		{ "wait of the user", SET_query_wait_timeout, true, true, 500 },
		{ "wait of all", SET_query_wait_timeout, false, false, 5000 },
	};
	for (size_t i = 0; i < COUNT(nums); i++)
		check_eq(nums[i].what, config_num(c, nums[i].id, nums[i].db ? d : NULL, nums[i].user ? anna : NULL),
			 nums[i].want);
	check_str("text", config_text(c, SET_server_reset_query, d, anna), "DISCARD ALL");
	config_put(c);
	conf_clean();
}

/* An entry of 4,000 characters is whole; the line before the bound too, and the one behind it is an error. */
static void test_long_entry(void)
{
	struct conf_told told;
	struct sb b = { 0 };
	begin();
	sb_add(&b, PRE "[databases]\nshop = host=");
	size_t begins = b.len;
	for (int i = 0; b.len - begins < 4000; i++)
		sb_addf(&b, "%sdb-%d.example.com", i ? "," : "", i);
	char *hosts = str_dup(b.s + begins);
	sb_add(&b, " dbname=last\n");
	struct config *c = load(b.s, true, &told);
	if (check("loaded", c && hosts)) {
		const struct db_conf *d = config_find_db(c, "shop");
		check("whole", d && strcmp(d->host, hosts) == 0);
		check_str("to its end", d ? d->dbname : "", "last");
	}
	check_str("nothing told", told.text, "");
	config_put(c);
	free(hosts);
	sb_free(&b);

	sb_add(&b, PRE "[databases]\nshop = host=");
	while (b.len < 70000)
		sb_add(&b, "a");
	sb_add(&b, "\nother = host=b\n");
	check("too long", !load(b.s, false, &told));
	check_str("too long", told.text, "E m:6 the line is too long: at most 65536 bytes\n");
	sb_free(&b);
	conf_clean();
}

static void test_include(void)
{
	struct conf_told told;
	begin();
	conf_text("more", "shop = host=a\n[users]\nnobody = nothing=1\n");
	struct config *c = load(PRE "[databases]\n%include more\nanna = pool_size=1\n", false, &told);
	check_str("places", told.text, "W more:3 user \"nobody\": unknown setting \"nothing\"\n");
	check("entries", c && config_find_db(c, "shop") && config_find_user(c, "anna")->set.count == 1);
	config_put(c);
	conf_text("more", "%include m\n");
	check("in a ring", !load(PRE "%include more\n", false, &told));
	check("in a ring", told.errors == 1 && strncmp(told.text, "E more:1 %include of ", 21) == 0);
	conf_clean();
}

static void test_environment(void)
{
	struct conf_told told;
	begin();
	setenv("SLUICE_LISTEN_PORT", "7000", 1);
	setenv("SLUICE_POOL_MODE", "statement", 1);
	setenv("SLUICE_POOL_MOED", "x", 1);
	setenv("SLUICE_", "x", 1);
	setenv("SLUICE_BIN", "x", 1);
	setenv("SLUICE_SUSPEND_TIMEOUT", "20", 1);
	setenv("SLUICE_LOAD_BALANCE_HOSTS", "disable", 1);
	struct config *c = load(PRE "listen_port = 6000\n", false, &told);
	if (check("loaded", c != NULL)) {
		check_eq("over the file", c->set.v[SET_listen_port].num, 7000);
		check_eq("over the default", c->set.v[SET_pool_mode].num, 2);
		check_eq("not for one database only", c->set.v[SET_load_balance_hosts].num, LOAD_BALANCE_ROUND_ROBIN);
	}
	check_eq("warnings", told.warnings, 5);
	check("nearest",
	      strstr(told.text, "W environment:0 SLUICE_POOL_MOED: unknown setting; did you mean pool_mode?\n"));
	check("unknown", strstr(told.text, "W environment:0 SLUICE_BIN: unknown setting\n"));
	check("moot", strstr(told.text, "W environment:0 SLUICE_SUSPEND_TIMEOUT has no effect"));
	config_put(c);
	setenv("SLUICE_LISTEN_PORT", "many", 1);
	check("a bad value", !load(PRE, false, &told));
	check("a bad value", strstr(told.text, "E environment:0 SLUICE_LISTEN_PORT: listen_port: \"many\" is not"));
	clear_environment();
	conf_clean();
}

static void test_running(void)
{
	struct conf_told told;
	struct fault f;
	begin();
	check("none yet", !config_now() && !config_set_value("verbose", "1", &f) && f.kind == FAULT_INTERNAL);
	struct config *first =
		load(PRE "listen_port = 6000\nadmin_users = anna\n[databases]\nshop = host=a password=x pool_size=3\n"
			 "[users]\nanna = pool_mode=statement\n",
		     false, &told);
	if (!check("loaded", first != NULL))
		return;
	config_set(config_ref(first));
	check("it runs", config_now() == first);

	static const struct {
		const char *key, *value, *says, *hint;
	} bad[] = {
		{ "pool_moed", "session", "unknown setting \"pool_moed\"", "pool_mode" },
		{ "nonsense", "1", "unknown setting \"nonsense\"", "" },
		{ "pool_mode", "x", "one of session", "" },
		{ "listen_port", "7000", "cannot be changed without a restart", "" },
		{ "load_balance_hosts", "disable", "single databases", "" },
		{ "sbuf_loopcnt", "9", "sbuf_loopcnt has no effect", "" },
	};
	for (size_t i = 0; i < COUNT(bad); i++) {
		f = (struct fault){ .kind = FAULT_NONE };
		check(bad[i].key, !config_set_value(bad[i].key, bad[i].value, &f));
		check_eq(bad[i].key, f.kind, FAULT_CONFIG);
		check(bad[i].key, strstr(f.text, bad[i].says) && strstr(f.hint, bad[i].hint));
		check(bad[i].key, config_now() == first);
	}

	check("SET", config_set_value("Pool_Mode", "transaction", &f) && config_set_value("admin_users", "bert", &f));
	struct config *second = config_now();
	check("another one", second != first);
	check_eq("changed", second->set.v[SET_pool_mode].num, 1);
	check_eq("the old one is as it was", first->set.v[SET_pool_mode].num, 0);
	const struct db_conf *old = config_find_db(first, "shop"), *new = config_find_db(second, "shop");
	if (check("its databases", old && new &&old != new)) {
		check("the same target", db_conf_same_target(old, new));
		check_eq("with their settings", config_num(second, SET_default_pool_size, new, NULL), 3);
	}
	check("the fallback", second->fallback && second->fallback != first->fallback);
	const struct user_conf *anna = config_find_user(second, "anna"), *bert = config_find_user(second, "bert");
	if (check("its users", anna && bert)) {
		check_str("with their secrets", anna->secret, "secret");
		check("with their settings", overrides_find(&anna->set, SET_pool_mode) && anna->has_secret);
		check("with the new roles", !anna->is_admin && bert->is_admin);
	}
	check_str("its path", second->path, first->path);

	/* A reload: what only a start can change stays as it is, and is told. */
	struct config *third = load(PRE "listen_port = 6001\nunix_socket_dir = /run\n", false, &told);
	check_str("told", told.text,
		  "W m:0 listen_port has changed, which takes effect at a restart\n"
		  "W m:0 unix_socket_dir has changed, which takes effect at a restart\n");
	if (check("loaded again", third != NULL)) {
		check_eq("the port stays", third->set.v[SET_listen_port].num, 6000);
		check_str("the directory stays", third->set.v[SET_unix_socket_dir].text, "/tmp");
		check_eq("what SET changed does not", third->set.v[SET_pool_mode].num, 0);
	}
	check("--check looks at the file alone",
	      (config_put(load(PRE "listen_port = 6001\n", true, &told)), !*told.text));
	check("an error leaves the running one",
	      !load(PRE "listen_port = x\n", false, &told) && config_now() == second);
	config_put(third);
	config_put(first);
	config_set(NULL);
	check("none any more", !config_now());
	conf_clean();
}

static void test_same_target(void)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "host=a", "host=a pool_size=3 pool_mode=statement connect_query=x", true },
		{ "host=a", "host=b", false },
		{ "host=a", "port=5433 host=a", false },
		{ "host=a", "host=a port=5432", true },
		{ "dbname=a", "dbname=b", false },
		{ "user=a", "", false },
		{ "password=a", "password=b", false },
		{ "client_encoding=a", "", false },
		{ "datestyle=a", "", false },
		{ "timezone=a", "", false },
		{ "application_name=a", "", false },
	};
	begin();
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct conf_told told;
		char text[512];
		str_fmt(text, sizeof text, PRE "[databases]\na = %s\nb = %s\n", rows[i].a, rows[i].b);
		struct config *c = load(text, false, &told);
		if (check(rows[i].b, c != NULL))
			check_eq(rows[i].b, db_conf_same_target(config_find_db(c, "a"), config_find_db(c, "b")),
				 rows[i].same);
		config_put(c);
	}
	conf_clean();
}

/* Whichever allocation fails: one error that says so, and nothing left behind (which the sanitizer sees). */
static void test_nomem(void)
{
	struct conf_told told;
	struct fault f;
	unsigned failed = 0;
	begin();
	conf_text("more", "shop = host=a password=b pool_size=3 pool_mode=statement\n");
	conf_text("u", "\"anna\" \"x\"\n\"bert\" \"y\"\n");
	const char *path = conf_text(
		"m",
		"[databases]\n* =\n%include more\n\"a b\" = nonsense=1\nshop = host=b\n[users]\n"
		"anna = pool_size=2\n[peers]\n1 = host=a port=7\n1 = host=b pool_size=3\n2 =\n[sluice]\npeer_id = 2\n"
		"auth_file = u\nlogfile = /x\nlistne_port=1\n");
	setenv("SLUICE_LOGFILE", "/y", 1);
	for (unsigned n = 0; nomem_next(&n);) {
		told = (struct conf_told){ .errors = 0 };
		struct config *c = config_load(path, false, conf_report, &told);
		failed += !c;
		check_eq("all or nothing", c != NULL, !nomem_hit());
		check_eq("told once", told.nomems, nomem_hit());
		check_eq("and no other error", told.errors, nomem_hit());
		config_put(c);
	}
	check("there was something to run out of", failed > 100);
	bool hit = nomem_works();
	for (unsigned n = 1; hit; n++) { /* and when it stays away */
		nomem_from(n);
		told = (struct conf_told){ .errors = 0 };
		struct config *c = config_load(path, false, conf_report, &told);
		hit = nomem_hit();
		check_eq("all or nothing", c != NULL, !hit);
		check_eq("told once", told.nomems, hit);
		config_put(c);
	}
	nomem_at(0);

	config_set(load_as(path, false, &told));
	struct config *now = config_now();
	for (unsigned n = 0; nomem_next(&n);) {
		if (config_set_value("logfile", "/z", &f)) {
			check("all or nothing", !nomem_hit() && config_now() != now);
			const struct peer_conf *peer = config_find_peer(config_now(), 1);
			check("peers, too", peer && strcmp(peer->host, "b") == 0 && peer->port == 6432 &&
						    config_peer_size(config_now(), peer) == 3);
			check_eq("the default", config_peer_size(config_now(), config_find_peer(config_now(), 2)), 20);
			continue;
		}
		check("says so", nomem_hit() && f.kind == FAULT_NOMEM);
		check("and changes nothing", config_now() == now);
	}
	config_set(NULL);
	clear_environment();
	conf_clean();
}

/* The example that is installed has nothing wrong with it. */
static void test_example(void)
{
	static const char *const places[] = { "etc/sluice.ini", "../etc/sluice.ini", "../../etc/sluice.ini" };
	struct conf_told told;
	char path[512];
	const char *src = getenv("srcdir");
	begin();
	str_fmt(path, sizeof path, "%s/etc/sluice.ini", src ? src : ".");
	for (size_t i = 0; i < COUNT(places) && access(path, R_OK) < 0; i++)
		str_fmt(path, sizeof path, "%s", places[i]);
	struct config *c = access(path, R_OK) < 0 ? NULL : load_as(path, true, &told);
	if (check("etc/sluice.ini", c != NULL))
		check_str("etc/sluice.ini", told.text, "");
	config_put(c);
	conf_clean();
}

void suite_config(void)
{
	static const struct unit_test tests[] = {
		{ "faults", test_faults },
		{ "no files", test_not_files },
		{ "contents", test_contents },
		{ "an entry of 4,000 characters", test_long_entry },
		{ "%include", test_include },
		{ "environment", test_environment },
		{ "the running one", test_running },
		{ "same target", test_same_target },
		{ "out of memory", test_nomem },
		{ "the example", test_example },
		{ NULL, NULL },
	};
	unit_add("config", tests);
}
