/* test_pgbouncer_ini.c - the pgbouncer.ini that Debian ships is taken as it is, but for its paths and its port. */
#include "harness.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* PgBouncer 1.26, if test/servers or a user has it in the cache; the distribution's own. */
static const char *file_of(int i)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	if (i > 0)
		return "/etc/pgbouncer/pgbouncer.ini";
	return text("%s%s/sluice/sid/etc/pgbouncer/pgbouncer.ini",
		    cache  ? cache
		    : home ? home
			   : "",
		    cache ? "" : "/.cache");
}

/* Each line that sets `key` sets it to this; where none does, the first that has it commented out. */
static char *replace(const char *ini, const char *key, const char *value)
{
	size_t n = strlen(key);
	for (int commented = 0; commented < 2; commented++)
		for (const char *at = ini; *at; at += strcspn(at, "\n"), at += *at == '\n') {
			const char *name = at + (commented && *at == ';');
			if (strncmp(name, key, n) == 0 && (name[n] == ' ' || name[n] == '=') &&
			    (!commented || *at == ';'))
				return text("%.*s%s = %s%s", (int)(at - ini), ini, key, value, at + strcspn(at, "\n"));
		}
	require(text("the file has %s", key), false);
	return NULL;
}

static char *with_our_paths(const char *ini)
{
	const char *const ours[][2] = {
		{ "logfile", text("%s/debian.log", dir()) },     { "pidfile", text("%s/debian.pid", dir()) },
		{ "auth_file", text("%s/userlist.txt", dir()) }, { "unix_socket_dir", sluice_socket_dir() },
		{ "listen_port", text("%d", sluice_port()) },
	};
	char *out = text("%s", ini);
	for (size_t i = 0; i < COUNT(ours); i++)
		out = replace(out, ours[i][0], ours[i][1]);
	return out;
}

/* All examples in it switched on: every `;key = value` in the section of settings. */
static char *uncommented(const char *ini)
{
	char *out = text("%s", ini), *to = out;
	bool in_settings = false;
	for (const char *at = ini; *at;) {
		size_t len = strcspn(at, "\n");
		len += at[len] == '\n';
		in_settings = *at == '[' ? strncmp(at, "[pgbouncer]", 11) == 0 : in_settings;
		const char *name = at + (*at == ';');
		size_t word = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
		if (in_settings && *at == ';' && word && strncmp(name + word, " = ", 3) == 0) {
			at++;
			len--;
		}
		memcpy(to, at, len);
		to += len;
		at += len;
	}
	*to = 0;
	return out;
}

static void test_as_shipped(void)
{
	int found = 0;
	for (int i = 0; i < 2; i++) {
		const char *path = file_of(i);
		if (access(path, R_OK) != 0)
			continue;
		found++;
		char *ini = with_our_paths(file_text(path)), *out;
		/* The paths of this place come with the harness's own configuration, which is replaced. */
		char *at = strstr(ini, "[databases]");
		require("databases", at != NULL);
		ini = text("%.*s[databases]\ntest = host=127.0.0.1 port=%d%s", (int)(at - ini), ini, pg_port(),
			   at + strlen("[databases]"));
		write_text(text("%s/debian.ini", dir()), ini);
		check_eq(text("%s is valid: %s", path, ""), run(&out, "%s/sluice --check %s/debian.ini", dir(), dir()),
			 0);
		check(text("without a complaint: %s", out), !strstr(out, "unknown") && !strstr(out, "not served"));

		run_in_background("debian.out", "%s/sluice %s/debian.ini", dir(), dir());
		PGconn *c = NULL;
		wait_until("it runs, and lets in by password",
			   (c = client_try("host=localhost password=alice-secret")) != NULL);
		check_scalar(c, "select 1", "1");
		check_scalar(c, "show server_version_num", pg_scalar("show server_version_num"));
		check("by a password only", !client_try("host=localhost password=wrong"));
		check("the log", strstr(file_text(text("%s/debian.log", dir())), "login attempt"));
		pid_t pid = (pid_t)atoi(file_text(text("%s/debian.pid", dir())));
		client_close(c);
		check("its pid file", pid > 1 && kill(pid, SIGINT) == 0);
		wait_until("it ends", access(text("%s/debian.pid", dir()), F_OK) != 0);
	}
	if (!found)
		skip("no pgbouncer.ini of Debian's");
}

/* Whatever it shows as an example is known. */
static void test_examples(void)
{
	int found = 0;
	for (int i = 0; i < 2; i++) {
		const char *path = file_of(i);
		if (access(path, R_OK) != 0)
			continue;
		found++;
		char *out, *all = uncommented(file_text(path));
		write_text(text("%s/examples.ini", dir()), all);
		check("something was uncommented", strstr(all, "\nserver_lifetime = ") != NULL);
		(void)run(&out, "%s/sluice --check %s/examples.ini", dir(), dir());
		check(text("all are known: %s", out),
		      strstr(out, "examples.ini") && !strstr(out, "unknown") && !strstr(out, "not served"));
	}
	if (!found)
		skip("no pgbouncer.ini of Debian's");
}

/* A port and directories, and a process that is ended in order. */
static void with_harness(void (*test)(void))
{
	sluice_start(&(struct conf){ .settings = NULL });
	sluice_stop();
	test();
}

static void test_1(void)
{
	with_harness(test_as_shipped);
}

static void test_2(void)
{
	with_harness(test_examples);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "as_shipped", test_1 },
		{ "examples", test_2 },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "pgbouncer_ini", tests);
}
