/* mysql.c - the tests' own MariaDB or MySQL. */
#include "faultproxy.h"
#include "harness_int.h"
#include "harness_my.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t my_pid = -1;
static int my_at; /* its port */
static char daemon_path[320], version[80];
static bool is_mysql;
static MYSQL *root; /* what asks as root; NULL when it is not connected */

bool my_tells(void)
{
	return getenv("TEST_MY_OLD") == NULL;
}

/* A greeting that offers what servers of MySQL 5.6 and MariaDB 10.1 do, at most. */
static size_t as_old(char *bytes, size_t n, size_t cap)
{
	enum { HEADER = 4, BEGIN = HEADER + 1, CAPS = 13, MORE_CAPS = CAPS + 5, OWN_CAPS = MORE_CAPS + 9 };
	char rest[256], *end = n > BEGIN ? memchr(bytes + BEGIN, 0, n - BEGIN) : NULL;
	size_t left = end ? (size_t)(bytes + n - end) - 1 : 0;
	if (!end || bytes[HEADER] != 10 || left < OWN_CAPS + 4 || left > sizeof rest)
		return n; /* an error, say */
	const char *other = getenv("TEST_MY_OLD");
	memcpy(rest, end + 1, left);
	rest[CAPS] |= 1; /* none of MariaDB's own follow */
	rest[MORE_CAPS] &= 0x7f;
	rest[MORE_CAPS + 1] = 0;
	memset(rest + OWN_CAPS, 0, 4);
	if (strcmp(other, "same") != 0 && strlen(other) < cap - BEGIN - left)
		end = stpcpy(bytes + BEGIN, other);
	memcpy(end + 1, rest, left);
	n = (size_t)(end + 1 - bytes) + left;
	bytes[0] = (char)(n - HEADER);
	bytes[1] = (char)((n - HEADER) >> 8);
	return n;
}

int my_port(void)
{
	if (my_tells())
		return my_at;
	if (!fault_is_open())
		fault_open_edited(my_at, as_old);
	return fault_port();
}

bool my_is_mysql(void)
{
	return is_mysql;
}

const char *my_socket_path(void)
{
	static char path[96];
	snprintf(path, sizeof path, "%s/my.sock", harness.top);
	return path;
}

/* The version of what runs is in the name under which its data directory is kept. */
static bool find(void)
{
	const char *dir_wanted = getenv("TEST_MY_BINDIR");
	char line[256] = "";
	is_mysql = dir_wanted && *dir_wanted;
	if (is_mysql)
		snprintf(daemon_path, sizeof daemon_path, "%s/mysqld", dir_wanted);
	FILE *p = popen(
		is_mysql
			? text("'%s' --no-defaults --version 2>/dev/null", daemon_path)
			: "PATH=$PATH:/usr/sbin:/usr/local/sbin; command -v mariadbd && mariadbd --no-defaults --version",
		"r");
	if (p && !is_mysql && fgets(daemon_path, sizeof daemon_path, p))
		daemon_path[strcspn(daemon_path, "\n")] = 0;
	bool found = p && fgets(line, sizeof line, p);
	if (p)
		pclose(p);
	const char *at = strstr(line, "Ver ");
	found = found && at && sscanf(at, "Ver %60[0-9.]", version) == 1;
	return found;
}

/* In the shell that runs it, unprivileged, in our directory: a data directory with a certificate in it. */
static const char *making(void)
{
	static const char certificate[] = "openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=127.0.0.1 "
					  "-addext subjectAltName=IP:127.0.0.1 -keyout mydata/server-key.pem "
					  "-out mydata/server-cert.pem";
	if (is_mysql)
		return text("'%s' --no-defaults --initialize-insecure --datadir=%s/mydata --innodb-doublewrite=0 "
			    "--innodb-data-file-path=ibdata1:8M:autoextend --innodb-autoextend-increment=4 && %s",
			    daemon_path, harness.top, certificate);
	return text(
		"PATH=$PATH:/usr/sbin mariadb-install-db --no-defaults --datadir=%s/mydata --skip-test-db --skip-name-resolve "
		"--auth-root-authentication-method=normal --innodb-log-file-size=8M && %s",
		harness.top, certificate);
}

/* A fresh one takes seconds, so a copy is kept; of the program's own rights, for the server's user may not see it. */
static bool data_directory(void)
{
	char *out,
		*kept = text("${XDG_CACHE_HOME:-$HOME/.cache}/sluice/%s-%s.1", is_mysql ? "mysql" : "mariadb", version);
	char *take = text("cd '%s' && [ -d \"%s\" ] && cp -R --reflink=auto \"%s\" mydata && chown -R %u:%u mydata",
			  harness.top, kept, kept, harness.uid, harness.gid);
	if (system(take) == 0) /* NOLINT: the words are ours */
		return true;
	if (run(&out, "rm -rf mydata; %s", making()) != 0) {
		fprintf(stderr, "harness: a data directory: %s\n", out);
		return false;
	}
	if (system(text("cd '%s' && mkdir -p \"$(dirname \"%s\")\" && cp -R mydata \"%s.$$\" && "
			"{ mv -T \"%s.$$\" \"%s\" 2>/dev/null || rm -rf \"%s.$$\"; }",
			harness.top, kept, kept, kept, kept, kept)) != 0)
		fprintf(stderr, "harness: the fresh data directory is not kept\n");
	return true;
}

static bool write_init(void)
{
	static const char *const users[] = { "alice", "bob", "carol" };
	const char *by = is_mysql ? "identified by" : "identified via mysql_native_password using password";
	char *sql = text("drop user if exists ''@'localhost';\ncreate database if not exists test;\n");
	for (size_t i = 0; i < COUNT(users); i++)
		sql = text("%screate user if not exists '%s'@'%%' %s%s'%s-secret'%s;\n", sql, users[i], by,
			   is_mysql ? " " : "(", users[i], is_mysql ? "" : ")");
	sql = text(
		"%screate user if not exists 'nopass'@'%%';\n"
		"grant all on *.* to 'alice'@'%%' with grant option;\n"
		"grant all on test.* to 'bob'@'%%';\ngrant all on test.* to 'carol'@'%%';\ngrant all on test.* to 'nopass'@'%%';\n",
		sql);
	if (is_mysql)
		sql = text(
			"%screate user if not exists 'sha2'@'%%' identified with caching_sha2_password by 'sha2-secret';\n"
			"grant all on test.* to 'sha2'@'%%';\n"
			"create user if not exists 'tls'@'%%' identified by 'tls-secret' require ssl;\n",
			sql);
	else
		sql = text(
			"%screate user if not exists 'ed25519'@'%%' identified via ed25519 using password('ed25519-secret');\n"
			"grant all on test.* to 'ed25519'@'%%';\n"
			"create user if not exists 'tls'@'%%' identified by 'tls-secret' require ssl;\n",
			sql);
	sql = text("%sgrant all on test.* to 'tls'@'%%';\n", sql);
	write_text(text("%s/init.sql", harness.top), sql);
	return true;
}

static MYSQL *connect_root(void)
{
	MYSQL *c = mysql_init(NULL);
	if (!c)
		return NULL;
	if (mysql_real_connect(c, NULL, "root", "", NULL, 0, my_socket_path(), CLIENT_MULTI_STATEMENTS))
		return c;
	mysql_close(c);
	return NULL;
}

static bool try_start(void)
{
	my_at = my_at ? my_at : free_port();
	my_pid = spawn(text("%s/my.log", harness.top), SIGKILL, false);
	if (my_pid == 0) {
		char *argv[64] = { daemon_path };
		size_t n = 1;
		const char *const words[] = {
			"--no-defaults",
			text("--datadir=%s/mydata", harness.top),
			text("--socket=%s", my_socket_path()),
			text("--port=%d", my_at),
			text("--pid-file=%s/my.pid", harness.top),
			text("--init-file=%s/init.sql", harness.top),
			text("--tmpdir=%s", harness.top),
			"--bind-address=127.0.0.1",
			"--skip-name-resolve",
			"--max-connections=300",
			"--local-infile=1",
			"--max-allowed-packet=64M",
			"--innodb-buffer-pool-size=64M",
			"--innodb-flush-log-at-trx-commit=0",
			"--innodb-doublewrite=0",
			"--innodb-flush-method=nosync",
			"--performance-schema=1",
			"--character-set-server=utf8mb4",
			"--default-time-zone=+00:00",
			"--log-bin=binlog",
			"--server-id=1",
			"--sync-binlog=0",
			"--log-bin-trust-function-creators=1",
			"--ssl-cert=server-cert.pem",
			"--ssl-key=server-key.pem",
		};
		const char *const only_mariadb[] = { "--plugin-load-add=auth_ed25519", "--innodb-log-file-size=8M",
						     "--aria-log-file-size=8M",
						     "--collation-server=utf8mb4_general_ci" };
		const char *const only_mysql[] = {
			"--mysqlx=0",
			text("--basedir=%s/..", getenv("TEST_MY_BINDIR")),
			text("--plugin-dir=%s/../lib/mysql/plugin", getenv("TEST_MY_BINDIR")),
			text("--lc-messages-dir=%s/../share/mysql", getenv("TEST_MY_BINDIR")),
			"--secure-file-priv=",
			"--innodb-data-file-path=ibdata1:8M:autoextend",
			"--innodb-redo-log-capacity=32M",
			"--collation-server=utf8mb4_0900_ai_ci"
		};
		for (size_t i = 0; i < COUNT(words); i++)
			argv[n++] = (char *)words[i];
		for (size_t i = 0; i < (is_mysql ? COUNT(only_mysql) : COUNT(only_mariadb)); i++)
			argv[n++] = (char *)(is_mysql ? only_mysql[i] : only_mariadb[i]);
		execv(daemon_path, argv);
		_exit(127);
	}
	for (uint64_t until = now_ms() + PATIENCE_MS; now_ms() < until; poll_pause()) {
		if (waitpid(my_pid, NULL, WNOHANG) == my_pid) {
			my_pid = -1;
			return false;
		}
		root = connect_root();
		if (root)
			return true;
	}
	return false;
}

void my_start(void)
{
	if (my_pid < 0)
		require("the server starts again", try_start());
}

void my_stop(int sig)
{
	if (root)
		mysql_close(root);
	root = NULL;
	kill(my_pid, sig);
	require("the server stops", reap(my_pid, PATIENCE_MS) >= 0);
	my_pid = -1;
}

static char *query(const char *what)
{
	if (!root || mysql_query(root, what) != 0) {
		fprintf(stderr, "harness: %s: %s\n", what, root ? mysql_error(root) : "the server does not run");
		return NULL;
	}
	char *got = text("%s", "");
	for (int more = 0; more == 0; more = mysql_next_result(root)) {
		MYSQL_RES *r = mysql_store_result(root);
		MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
		if (row && row[0])
			got = text("%s", row[0]);
		if (r)
			mysql_free_result(r);
	}
	return mysql_errno(root) ? NULL : got;
}

void my_sql(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *what = vtext(fmt, ap);
	va_end(ap);
	require(what, query(what) != NULL);
}

char *my_scalar(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *what = vtext(fmt, ap), *got = query(what);
	va_end(ap);
	require(what, got != NULL);
	return got ? got : what;
}

int my_servers(void)
{
	return atoi(my_scalar(
		"select count(*) from information_schema.processlist where user not in ('root', 'event_scheduler', "
		"'system user')"));
}

/* A thread of its own that is still about something does not look whether anybody waits for it. */
static void settle(void)
{
	bool none = !root;
	for (uint64_t until = now_ms() + PATIENCE_MS; !none && now_ms() < until;) {
		char *ids = my_scalar("select group_concat(id) from information_schema.processlist where user not in "
				      "('root', 'event_scheduler', 'system user')"),
		     *save = NULL;
		none = !*ids;
		for (char *id = strtok_r(ids, ",", &save); id; id = strtok_r(NULL, ",", &save))
			(void)mysql_query(root, text("kill %s", id)); /* it may have ended */
		if (!none)
			poll_pause();
	}
	check("the server's connections end", none);
}

static bool make(void)
{
	if (!data_directory() || !write_init())
		return false;
	bool ok = false;
	for (int i = 0; i < 5 && !ok; i++) { /* the port may have been taken since */
		my_at = 0;
		ok = try_start();
	}
	if (!ok)
		fprintf(stderr, "harness: the server does not start: %s\n", file_text(text("%s/my.log", harness.top)));
	return ok;
}

static void restore(void)
{
	if (my_pid < 0)
		require("the server starts again", try_start());
}

static void end(void)
{
	if (root)
		mysql_close(root);
	root = NULL;
	if (my_pid > 0)
		kill_and_reap(my_pid); /* what it has is thrown away */
}

static const char *value_of(const char *name)
{
	if (strcmp(name, "MYPORT") == 0)
		return text("%d", my_port());
	if (strcmp(name, "MYSOCKET") == 0)
		return my_socket_path();
	return text("host=127.0.0.1 port=%d", my_port());
}

static const struct backend mysql_backend = {
	.missing = "no MariaDB server here (Debian: mariadb-server)",
	.find = find,
	.make = make,
	.restore = restore,
	.settle = settle,
	.end = end,
	.clients_close = my_clients_close,
	.is_mysql = true,
	.value_of = value_of,
};

int harness_my_main(int argc, char **argv, const char *suite, const struct unit_test *tests)
{
	return harness_run(argc, argv, suite, tests, &mysql_backend);
}
