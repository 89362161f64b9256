/* test_scarcity.c - no descriptors, no servers, no room for clients: what can be done is done, nothing is tried without
 * end, and the log does not grow by the attempt. */
#include "harness.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static int count_logged(const char *part)
{
	int n = 0;
	for (const char *at = file_text(text("%s/sluice.log", dir())); (at = strstr(at, part)); at++)
		n++;
	return n;
}

/* At most one of these lines a second, of however many attempts; and in the end they tell that there were more. */
static void check_seldom(const char *line, uint64_t since)
{
	wait_until("what was left out is told", sluice_logged("more like it left out"));
	int lines = count_logged(line);
	check(text("%d lines \"%s\"", lines, line), lines > 1 && lines <= (int)((now_ms() - since) / 1000) + 2);
}

static bool limit_files(int n)
{
	return run(NULL, "prlimit --pid %d --nofile=%d:", sluice_pid(), n) == 0; /* as the user that it runs as */
}

static int files_limit(void)
{
	char *at = strstr(file_text(text("/proc/%d/limits", sluice_pid())), "Max open files");
	return at ? atoi(at + strlen("Max open files")) : 0;
}

/* The lowest descriptor that Sluice does not use: with that for a limit it gets no more. */
static int free_descriptor(void)
{
	bool taken[1024] = { false };
	int n = 0;
	DIR *d = opendir(text("/proc/%d/fd", sluice_pid()));
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.' && atoi(e->d_name) < (int)COUNT(taken))
			taken[atoi(e->d_name)] = true;
	if (d)
		closedir(d);
	while (n < (int)COUNT(taken) && taken[n])
		n++;
	return n;
}

/* More servers are wanted than there are descriptors for: who has one is served, the others wait, and get one as soon
 * as there is. */
static void test_no_descriptors_for_servers(void)
{
	enum { N = 20 };
	sluice_with("pool_mode = transaction\ndefault_pool_size = 30");
	PGconn *con = console(), *has_one = client(NULL), *want[N];
	for (int i = 0; i < N; i++)
		want[i] = client(NULL);
	sql(has_one, "begin");
	int files = files_limit();
	if (!limit_files(free_descriptor())) {
		skip("descriptors of another process cannot be limited here");
		return;
	}
	uint64_t began = now_ms();
	for (int i = 0; i < N; i++)
		sql_start(want[i], "select 1");
	wait_until("they wait", show_int(con, "POOLS", "database", "test", "cl_waiting") == N);
	check_scalar(has_one, "select 2", "2");
	check_seldom("cannot use this server", began);
	check_scalar(has_one, "select 3", "3");
	check_eq("they wait still", show_int(con, "POOLS", "database", "test", "cl_waiting"), N);
	check("enough again", limit_files(files));
	for (int i = 0; i < N; i++)
		sql_finish(want[i]);
	check("by servers of their own", pg_servers() > 1);
}

/* Servers that are wanted always, refused without any time going by, and to be tried again at once: the rest of the
 * house goes on. */
static void test_no_server_there(void)
{
	uint64_t began = now_ms();
	sluice_start(&(struct conf){ .databases = "test = @PG@\ngone = host=@DIR@/nowhere user=alice",
				     .settings = "server_login_retry = 0\nmin_pool_size = 3\nbreaker_failures = 0" });
	check_scalar(client(NULL), "select 1", "1");
	check_seldom("cannot use this server", began);
	check_scalar(client(NULL), "select 2", "2");
	check_login_fails("08001", "connect failed", "dbname=gone");
}

static bool is_turned_away(void)
{
	char heard[256];
	int fd = raw_open();
	bool away = raw_read_all(fd, heard, sizeof heard) == 0;
	raw_close(fd);
	return away;
}

/* Connections far beyond max_client_conn are closed without a word. */
static void test_no_room_for_clients(void)
{
	enum { ROOM = 1 + 64, MORE = 60 };
	sluice_with("max_client_conn = 1\ntcp_defer_accept = 0");
	int first = raw_open();
	for (int i = 1; i < ROOM; i++)
		raw_open();
	uint64_t began = now_ms();
	for (int i = 0; i < MORE; i++)
		check("closed", is_turned_away());
	wait_until("told again", is_turned_away() && sluice_logged("more like it left out"));
	check_seldom("a connection was closed at once: too many are open", began);
	raw_close(first);
	PGconn *c = NULL;
	wait_until("room for an admin", (c = client_try("user=admin dbname=pgbouncer")) != NULL);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "no_descriptors_for_servers", test_no_descriptors_for_servers },
		{ "no_server_there", test_no_server_there },
		{ "no_room_for_clients", test_no_room_for_clients },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "scarcity", tests);
}
