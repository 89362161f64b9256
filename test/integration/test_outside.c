/* test_outside.c - logins that PAM or an LDAP server decides about, and the helper processes that ask them. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *sh(const char *command)
{
	char *out;
	check(command, run(&out, "%s", command) == 0);
	return text("%.*s", (int)strcspn(out, "\n"), out);
}

static void script(const char *name, const char *body)
{
	char *path = text("%s/%s", dir(), name);
	write_text(path, body);
	require(path, chmod(path, 0755) == 0);
}

/* Services: pgbouncer knows alice and carol by their passwords here, and script does as a shell script says. */
static void make_pam(void)
{
	sh("mkdir -p pam");
	write_text(text("%s/pwd", dir()),
		   text("alice:%s\ncarol:%s\n", sh("openssl passwd -6 alice-secret"), sh("openssl passwd -6 here")));
	write_text(text("%s/pam/pgbouncer", dir()), text("auth required pam_pwdfile.so pwdfile=%s/pwd\n"
							 "account required pam_permit.so\n",
							 dir()));
	write_text(text("%s/pam/script", dir()), text("auth required pam_exec.so quiet expose_authtok %s/ask.sh\n"
						      "account required pam_exec.so quiet %s/may.sh\n",
						      dir(), dir()));
	script("ask.sh", text("#!/bin/sh\n"
			      "echo \"$PAM_USER $PAM_RHOST\" >>%s/asked\n"
			      "p=$(tr -d '\\000')\n"
			      "case $p in\n"
			      "die) kill -9 $PPID; sleep 1 ;;\n"
			      "slow) while kill -0 $PPID 2>/dev/null; do sleep .1; done ;;\n"
			      "wait) while [ ! -e %s/go ]; do sleep .1; done ;;\n"
			      "*) [ \"$p\" = \"$PAM_USER-secret\" ] ;;\n"
			      "esac\n",
			      dir(), dir()));
	script("may.sh", "#!/bin/sh\n[ \"$PAM_USER\" != bob ]\n");
	sh("rm -f go asked");
}

#define BY_PAM "auth_type = pam\nauth_pam_dir = @DIR@/pam\n"

/* How many helper processes are there? */
static int helpers(void)
{
	char *out;
	(void)run(&out, "pgrep -c -P %d sluice-auth", (int)sluice_pid());
	return atoi(out);
}

/* Somebody who has given his password, and has not waited for an answer. */
static int give(const char *user, const char *password)
{
	char body[600], type = 0;
	size_t n = 0;
	int fd = raw_open();
	require("startup", raw_startup(fd, user, "test") && raw_next(fd, &type, body, sizeof body, &n));
	check("asked for a password in clear text", type == 'R' && n == 4 && body[3] == 3);
	check("password", raw_message(fd, 'p', password, strlen(password) + 1));
	return fd;
}

static bool is_in(int fd)
{
	char body[600];
	size_t n;
	return raw_expect(fd, 'Z', body, sizeof body, &n);
}

static void refused_raw(int fd, const char *part)
{
	char body[600];
	size_t n;
	check("refused", raw_expect(fd, 'E', body, sizeof body, &n));
	check_str(part, error_field(body, n, 'M'), part);
	raw_close(fd);
}

static void test_pam(void)
{
	make_pam();
	pg_hba("host all all 127.0.0.1/32 scram-sha-256\n");
	/* auth_file knows how carol logs in to servers; alice does with what she typed. */
	sluice_start(&(struct conf){ .settings = BY_PAM "server_login_retry = 1\n",
				     .auth_file = "\"carol\" \"carol-secret\"\n\"dave\" \"dave-secret\"\n" });
	for (int i = 0; i < 3; i++) {
		check_scalar(client("password=alice-secret"), "select current_user", "alice");
		check_scalar(client("user=carol password=here"), "select current_user", "carol");
	}
	check_login_fails("08P01", "PAM authentication failed", "password=wrong");
	check("the log says why", sluice_logged("login failed: db=test user=alice: PAM says: pam_authenticate: "));
	check_login_fails("08P01", "PAM authentication failed", "user=carol password=carol-secret");
	check_login_fails("08P01", "PAM authentication failed", "user=dave password=dave-secret");
	check_login_fails("08P01", "PAM authentication failed", "user=mallory password=x");
	refused_raw(give("alice", ""), "PAM authentication failed");
	check("no password is in the log", !sluice_logged("alice-secret") && !sluice_logged("carol-secret"));
	check_login_fails("08P01", "no such database: nowhere", "password=alice-secret dbname=nowhere");
	check_login_fails("08P01", "PAM authentication failed", "password=wrong dbname=nowhere");
	check_eq("one helper process was enough", helpers(), 1);
}

/* By rules, each with its service; where the client is; who may not come in though the password is right. */
static void test_pam_rules(void)
{
	make_pam();
	write_text(text("%s/hba.conf", dir()), "host all carol all trust\n"
					       "local all all pam pamservice=script\n"
					       "host all admin all pam\n"
					       "host all all all pam pamservice=script\n");
	sluice_with("auth_type = hba\nauth_hba_file = @DIR@/hba.conf\nauth_pam_service = nowhere\n"
		    "auth_pam_dir = @DIR@/pam");
	check_scalar(client("password=alice-secret"), "select current_user", "alice");
	check_scalar(client("host=%s password=alice-secret", sluice_socket_dir()), "select current_user", "alice");
	check_str("who asked", file_text(text("%s/asked", dir())), "alice 127.0.0.1\nalice \n");
	check_login_fails("08P01", "PAM authentication failed", "user=bob password=bob-secret");
	check("the log says why", sluice_logged("login failed: db=test user=bob: PAM says: pam_acct_mgmt: "));
	check_scalar(client("user=carol"), "select current_user", "carol");
	/* A service that is nowhere lets in nobody. */
	PGconn *c = client_start("user=admin password=admin-secret dbname=pgbouncer");
	check("refused", !client_finish_start(c));
}

/* What blocks in a helper blocks nobody else; who leaves, leaves; and the console's users come that way too. */
static void test_pam_waits(void)
{
	make_pam();
	write_text(text("%s/hba.conf", dir()), "host all carol all scram-sha-256\nhost all all all pam\n");
	sluice_with("auth_type = hba\nauth_hba_file = @DIR@/hba.conf\nauth_pam_service = script\n"
		    "auth_pam_dir = @DIR@/pam\nauth_helpers = 2\nauth_helper_timeout = 600");
	int waits[2] = { give("alice", "wait"), give("alice", "wait") }, line[12];
	for (size_t i = 0; i < COUNT(line); i++)
		line[i] = give("alice", "alice-secret");
	wait_until("both are asked",
		   strcmp(file_text(text("%s/asked", dir())), "alice 127.0.0.1\nalice 127.0.0.1\n") == 0);
	check_scalar(client("user=carol password=carol-secret"), "select current_user", "carol");
	raw_close(waits[0]); /* its helper goes on */
	raw_close(line[3]);
	check_eq("two processes", helpers(), 2);
	sh("touch go");
	check("who waited is in", is_in(waits[1]));
	for (size_t i = 0; i < COUNT(line); i++)
		if (i != 3)
			check("who waited in line is in", is_in(line[i]));
	check_eq("two processes", helpers(), 2);
	check_scalar(client("user=admin password=admin-secret dbname=pgbouncer"), "show version",
		     scalar(client("user=admin password=admin-secret dbname=pgbouncer"), "show version"));
}

/* One that dies, and one that does not answer, cost one login each. */
static void test_helper_lost(void)
{
	make_pam();
	sluice_with(BY_PAM "auth_pam_service = script\nauth_helpers = 1\nauth_helper_timeout = 6");
	for (int i = 0; i < 3; i++) {
		check_login_fails("08001", "who knows the users cannot be asked", "password=die");
		check_scalar(client("password=alice-secret"), "select current_user", "alice");
	}
	check("told in the log", sluice_logged("died of signal 9"));
	check("told in the log",
	      sluice_logged("login failed: db=test user=alice: PAM could not be asked: the helper process died"));
	int slow = give("alice", "slow"), next = give("alice", "alice-secret");
	refused_raw(slow, "who knows the users cannot be asked");
	check("but the next is in", is_in(next));
	check("told in the log", sluice_logged("no answer within 6000 ms; it is killed"));
	/* An idle one that somebody kills is replaced. */
	char *out;
	check("killed", run(&out, "pkill -9 -P %d sluice-auth", (int)sluice_pid()) == 0);
	wait_until("it is gone", helpers() == 0);
	check_scalar(client("password=alice-secret"), "select current_user", "alice");
}

/* It gets the socket and the log's place, and nothing of ours; and it ends with us, even from amid a question. */
static void test_helper_is_apart(void)
{
	make_pam();
	sluice_with(BY_PAM "auth_pam_service = script");
	check_scalar(client("password=alice-secret"), "select 1", "1");
	char *out;
	check("there", run(&out, "pgrep -P %d sluice-auth", (int)sluice_pid()) == 0);
	pid_t pid = (pid_t)atoi(out);
	DIR *d = opendir(text("/proc/%d/fd", (int)pid)); /* nobody but root may look */
	if (d) {
		int open = 0;
		for (const struct dirent *e; (e = readdir(d));)
			open += e->d_name[0] != '.' && atoi(e->d_name) > 2;
		closedir(d);
		check_eq("no descriptor of ours", open, 0);
	} else {
		check("only root may look", geteuid() != 0);
	}
	(void)give("alice", "slow");
	(void)give("alice", "slow");
	wait_until("two are there", helpers() == 2);
	(void)run(&out, "pgrep -d ' ' -P %d sluice-auth", (int)sluice_pid());
	char *both = text("%s", out);
	sluice_stop();
	wait_until("they are gone", run(&out, "ps -o pid= -p \"%s\"", both) != 0);
}

/* --- LDAP */

static int ldap_port, ldaps_port;
static pid_t slapd;

static const char entries[] =
	"dn: dc=example,dc=org\nobjectClass: domain\ndc: example\n\n"
	"dn: ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\nou: people\n\n"
	"dn: ou=more,dc=example,dc=org\nobjectClass: organizationalUnit\nou: more\n\n"
	"dn: cn=asker,dc=example,dc=org\nobjectClass: organizationalRole\n"
	"objectClass: simpleSecurityObject\ncn: asker\nuserPassword: ask\n\n"
	"dn: uid=alice,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: alice\n"
	"cn: Alice\nsn: A\nmail: alice@example.org\nuserPassword: alice-secret\n\n"
	"dn: uid=bob,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: bob\ncn: Bob\n"
	"sn: B\nuserPassword: bob-secret\n\n"
	"dn: uid=twin,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: twin\ncn: Twin\n"
	"sn: T\nuserPassword: twin-secret\n\n"
	"dn: uid=twin,ou=more,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: twin\ncn: Twin\n"
	"sn: T\nuserPassword: twin-secret\n";

/* False: it has ended, as when somebody else has taken a port meanwhile. */
static bool slapd_run(void)
{
	int status;
	slapd = run_in_background("slapd.log",
				  "slapd -d stats -f %s/ldap/slapd.conf -h 'ldap://127.0.0.1:%d ldaps://127.0.0.1:%d'",
				  dir(), ldap_port, ldaps_port);
	for (uint64_t until = now_ms() + PATIENCE_MS; now_ms() < until; poll_pause()) {
		int fd = raw_to(ldap_port);
		if (fd >= 0) {
			raw_close(fd);
			return true;
		}
		if (has_ended(slapd, &status))
			return false;
	}
	return false;
}

/* An LDAP server, that asks who wants to search. False: there is none here. */
static bool slapd_start(void)
{
	char *out;
	setenv("PATH", text("%s:/usr/sbin", getenv("PATH")), 1);
	if (run(&out, "command -v slapd slapadd && test -e /etc/ldap/schema/core.schema") != 0) {
		skip("no slapd");
		return false;
	}
	sh("rm -rf ldap slapd.log && mkdir -p ldap/db");
	sh("cd ldap && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=127.0.0.1 "
	   "-addext subjectAltName=IP:127.0.0.1 2>&1");
	write_text(text("%s/ldap/slapd.conf", dir()),
		   text("include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n"
			"include /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
			"TLSCertificateFile %s/ldap/cert.pem\nTLSCertificateKeyFile %s/ldap/key.pem\n"
			"database mdb\nmaxsize 10485760\nsuffix dc=example,dc=org\ndirectory %s/ldap/db\n"
			"access to attrs=userPassword by anonymous auth by * none\n"
			"access to * by dn=cn=asker,dc=example,dc=org read by * none\n",
			dir(), dir(), dir()));
	write_text(text("%s/ldap/entries", dir()), entries);
	sh("slapadd -f ldap/slapd.conf -l ldap/entries");
	bool runs = false;
	for (int i = 0; i < 3 && !runs; i++) {
		ldap_port = free_port();
		ldaps_port = free_port();
		runs = slapd_run();
	}
	require(text("slapd runs: %s", file_text(text("%s/slapd.log", dir()))), runs);
	return true;
}

static void slapd_stop(void)
{
	int status;
	require("slapd runs", kill(slapd, SIGTERM) == 0);
	wait_until("slapd ends", has_ended(slapd, &status));
}

static char *search(const char *more)
{
	return text("ldapserver=127.0.0.1 ldapport=%d ldapbasedn=\"dc=example,dc=org\" "
		    "ldapbinddn=\"cn=asker,dc=example,dc=org\" ldapbindpasswd=ask %s",
		    ldap_port, more);
}

static void by_ldap(const char *options)
{
	sluice_start(
		&(struct conf){ .settings = text("auth_type = ldap\nauth_ldap_options = %s\nserver_login_retry = 1\n"
						 "auth_helper_timeout = 15",
						 options),
				.auth_file = "\"postgres\" \"postgres-secret\"\n" });
}

/* How many binds as somebody has slapd seen? */
static int binds(void)
{
	int n = 0;
	for (const char *at = file_text(text("%s/slapd.log", dir())); (at = strstr(at, " BIND dn=\"")); at++)
		n += strncmp(at + 10, "\" ", 2) != 0 && strstr(at, "method=128") != NULL &&
		     strstr(at, "method=128") < strchr(at, '\n');
	return n;
}

static void test_ldap_search(void)
{
	if (!slapd_start())
		return;
	pg_hba("host all all 127.0.0.1/32 scram-sha-256\n");
	by_ldap(search(""));
	for (int i = 0; i < 3; i++)
		check_scalar(client("password=alice-secret"), "select current_user", "alice");
	check_scalar(client("user=bob password=bob-secret"), "select current_user", "bob");
	int before = binds();
	check_login_fails("08P01", "LDAP authentication failed", "password=wrong");
	check("the log says why", sluice_logged("login failed: db=test user=alice: LDAP says: wrong password"));
	int known = binds() - before;
	check_login_fails("08P01", "LDAP authentication failed", "user=mallory password=wrong");
	check("the log says why", sluice_logged("login failed: db=test user=mallory: LDAP says: no such user"));
	check_eq("as many binds for who is not there", binds() - before - known, known);
	check_eq("one to search, one as the user", known, 2);
	check_login_fails("08P01", "LDAP authentication failed", "user=twin password=twin-secret");
	check("the log says why",
	      sluice_logged("login failed: db=test user=twin: LDAP says: several entries answer to this user"));
	/* Names that are filters, too. */
	check_login_fails("08P01", "LDAP authentication failed", "user=ali* password=alice-secret");
	check_login_fails("08P01", "LDAP authentication failed", "user=x)(uid=alice password=alice-secret");
	/* A bind without a password is a yes, of which nothing follows. */
	refused_raw(give("alice", ""), "LDAP authentication failed");
	check("no password is in the log",
	      !sluice_logged("alice-secret") && !sluice_logged("bindpasswd=ask") && !sluice_logged("wrong-"));
	slapd_stop();
	check_login_fails("08001", "who knows the users cannot be asked", "password=alice-secret");
	check("the log says why", sluice_logged("login failed: db=test user=alice: LDAP could not be asked: "));
	require("slapd runs again", slapd_run());
	check_scalar(client("password=alice-secret"), "select current_user", "alice");
}

static void test_ldap_ways(void)
{
	static const struct {
		const char *what, *options;
		bool alice, bob;   /* are let in */
		const char *state; /* else */
	} ways[] = {
		{ "by name",
		  "ldapserver=127.0.0.1 ldapport=@ ldapprefix=\"uid=\" ldapsuffix=\",ou=people,dc=example,dc=org\"",
		  true, true, "08P01" },
		{ "by another name",
		  "ldapserver=127.0.0.1 ldapport=@ ldapprefix=\"uid=\" ldapsuffix=\",ou=more,dc=example,dc=org\"",
		  false, false, "08P01" },
		{ "by a filter", "* ldapsearchfilter=\"(&(uid=$username)(mail=$username@example.org))\"", true, false,
		  "08P01" },
		{ "by an attribute", "* ldapsearchattribute=sn", false, false, "08P01" },
		{ "by a URL",
		  "\"ldapurl=ldap://127.0.0.1:@/dc=example,dc=org?uid?sub\" ldapbinddn=\"cn=asker,dc=example,dc=org\" "
		  "ldapbindpasswd=ask",
		  true, true, "08P01" },
		{ "not so deep",
		  "\"ldapurl=ldap://127.0.0.1:@/dc=example,dc=org?uid?one\" ldapbinddn=\"cn=asker,dc=example,dc=org\" "
		  "ldapbindpasswd=ask",
		  false, false, "08P01" },
		{ "by one of several servers",
		  "ldapserver=\"127.0.0.2 127.0.0.1\" ldapport=@ ldapprefix=\"uid=\" ldapsuffix=\",ou=people,dc=example,dc=org\"",
		  true, true, "08P01" },
		{ "StartTLS", "* ldaptls=1", true, true, "08P01" },
		{ "ldaps",
		  "ldapscheme=ldaps ldapserver=127.0.0.1 ldapport=+ ldapprefix=\"uid=\" "
		  "ldapsuffix=\",ou=people,dc=example,dc=org\"",
		  true, true, "08P01" },
		{ "a wrong bindpasswd",
		  "ldapserver=127.0.0.1 ldapport=@ ldapbasedn=\"dc=example,dc=org\" ldapbinddn=\"cn=asker,dc=example,dc=org\" "
		  "ldapbindpasswd=x",
		  false, false, "08001" },
		{ "TLS where there is none", "ldapscheme=ldaps ldapserver=127.0.0.1 ldapport=@ ldapprefix=x", false,
		  false, "08001" },
	};
	if (!slapd_start())
		return;
	setenv("LDAPTLS_CACERT", text("%s/ldap/cert.pem", dir()), 1);
	for (size_t i = 0; i < COUNT(ways); i++) {
		char *options = text("%s", ways[i].options), *at;
		if (*options == '*')
			options = search(options + 1);
		while ((at = strstr(options, "=@")) || (at = strstr(options, ":@/")))
			options = text("%.*s%d%s", (int)(at + 1 - options), options, ldap_port, at + 2);
		if ((at = strstr(options, "=+")))
			options = text("%.*s%d%s", (int)(at + 1 - options), options, ldaps_port, at + 2);
		by_ldap(options);
		for (int who = 0; who < 2; who++) {
			const char *user = who ? "bob" : "alice";
			if (who ? ways[i].bob : ways[i].alice)
				check_scalar(client("user=%s password=%s-secret", user, user), "select current_user",
					     user);
			else
				check_login_fails(ways[i].state, "", "user=%s password=%s-secret", user, user);
		}
		check_login_fails(ways[i].state, "", "user=alice password=wrong");
		check_login_fails(ways[i].state, "", "user='alice,ou=people' password=alice-secret");
		sluice_stop();
	}
	/* A certificate that nobody vouches for. */
	unsetenv("LDAPTLS_CACERT");
	by_ldap(search("ldaptls=1"));
	check_login_fails("08001", "who knows the users cannot be asked", "password=alice-secret");
	check("the log says why", sluice_logged("StartTLS: "));
}

/* By rules; changed while it runs. */
static void test_ldap_rules(void)
{
	if (!slapd_start())
		return;
	char *hba = text("%s/hba.conf", dir());
	write_text(hba, text("host pgbouncer admin all trust\nhost all bob all ldap %s ldapsearchattribute=cn\n"
			     "host all all all ldap %s\n",
			     search(""), search("")));
	struct conf c = { .settings = "auth_type = hba\nauth_hba_file = @DIR@/hba.conf" };
	sluice_start(&c);
	check_scalar(client("password=alice-secret"), "select current_user", "alice");
	check_scalar(client("user=bob password=bob-secret"), "select current_user", "bob"); /* cn ignores case */
	check_login_fails("08P01", "LDAP authentication failed", "password=bob-secret");
	PGconn *con = console();
	check_sql_fails(con, "set auth_ldap_options = 'ldapserver=a ldapprefix=b'", NULL, "RELOAD");
	check_sql_fails(con, "set auth_type = 'ldap'", NULL, "auth_type = ldap needs auth_ldap_options");
	c.settings = text("auth_type = hba\nauth_hba_file = @DIR@/hba.conf\nauth_ldap_options = %s", search(""));
	sluice_configure(&c);
	sql(con, "reload");
	check_str("hidden", show(con, "config", "key", "auth_ldap_options", "value"), "***");
	sql(con, "set auth_type = 'ldap'");
	check_scalar(client("user=bob password=bob-secret"), "select current_user", "bob");
	check_login_fails("08P01", "LDAP authentication failed", "user=admin dbname=pgbouncer password=x");
}

/* An LDAP server that takes the connection and says nothing. */
static void test_ldap_silent(void)
{
	stub_open();
	sluice_start(
		&(struct conf){ .settings = text("auth_type = ldap\nauth_helper_timeout = 6\n"
						 "auth_ldap_options = ldapserver=127.0.0.1 ldapport=%d ldapprefix=x",
						 stub_port()) });
	int fd = give("alice", "x");
	check("a connection", stub_accept() >= 0);
	refused_raw(fd, "who knows the users cannot be asked");
	wait_until("the log says why", sluice_logged("login failed: db=test user=alice: LDAP could not be asked: "));
	check("by the library's own patience", !sluice_logged("it is killed"));
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "pam", test_pam },
		{ "pam_rules", test_pam_rules },
		{ "pam_waits", test_pam_waits },
		{ "helper_lost", test_helper_lost },
		{ "helper_is_apart", test_helper_is_apart },
		{ "ldap_search", test_ldap_search },
		{ "ldap_ways", test_ldap_ways },
		{ "ldap_rules", test_ldap_rules },
		{ "ldap_silent", test_ldap_silent },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "outside", tests);
}
