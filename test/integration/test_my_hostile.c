/* test_my_hostile.c - what no client library and no server says: halves, lies about lengths, packets out of order,
 * chance, in every state. Whatever it is, it ends in an error or a close, and nobody else notices. */
#include "harness_my.h"
#include "mysqlraw.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void start(const char *settings)
{
	sluice_start(&(struct conf){
		.settings = text("default_pool_size = 3\nmax_client_conn = 500\nclient_login_timeout = 60\n%s",
				 settings) });
}

static void others_are_served(void)
{
	MYSQL *c = my_client(NULL);
	check_my(c, "select 1", "1");
	my_close(c);
}

/* One packet, with its header. */
static void add_packet(struct pgraw_bytes *b, uint8_t seq, const void *p, size_t n)
{
	const uint8_t head[] = { (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), seq };
	pgraw_add(b, head, sizeof head);
	pgraw_add(b, p, n);
}

/* Says it and no more, and waits for the end: it has to come, for nothing else can. */
static void say_and_end(struct myraw *r, const char *what, const void *p, size_t n)
{
	char heard[4096];
	(void)myraw_bytes(r, p, n);
	shutdown(r->fd, SHUT_WR);
	check(text("%s: it is closed", what), raw_read_all(r->fd, heard, sizeof heard) >= 0);
	myraw_close(r, false);
}

/* The login that a client makes; r was greeted. */
static struct pgraw_bytes good_login(struct myraw *r)
{
	struct pgraw_bytes b = { 0 };
	require("a greeting", myraw_greet(r, sluice_my_port()));
	myraw_add_login(r, &b, "alice", "alice-secret", "test", 0);
	return b;
}

static void test_logins(void)
{
	struct myraw r;
	start("");
	others_are_served();
	struct pgraw_bytes b = good_login(&r);
	size_t whole = b.n;
	free(b.p);
	say_and_end(&r, "nothing", "", 0);
	for (size_t n = 0; n <= whole; n++) {
		/* A shorter packet; a packet that is not all there. */
		struct pgraw_bytes out = { 0 };
		b = good_login(&r);
		add_packet(&out, 1, b.p, n);
		say_and_end(&r, text("a login of %zu bytes", n), out.p, out.n);
		free(b.p);
		b = good_login(&r);
		out.n = 0;
		add_packet(&out, 1, b.p, b.n);
		say_and_end(&r, text("%zu bytes of a login", n), out.p, n);
		free(b.p);
		free(out.p);
	}
	static const struct {
		const char *what, *bytes;
		size_t n;
	} cases[] = {
		{ "HTTP", BYTES("GET / HTTP/1.1\r\nHost: db\r\n\r\n") },
		{ "PostgreSQL", BYTES("\0\0\0\x20\0\3\0\0user\0alice\0\0") },
		{ "TLS without asking", BYTES("\x16\3\1\2\0\1\0\1\xfc\3\3") },
		{ "an empty packet", BYTES("\0\0\0\1") },
		{ "a packet of 16 MB", BYTES("\xff\xff\xff\1abc") },
		{ "another number", BYTES("\x20\0\0\7abcdefghijklmnopqrstuvwxyz012345") },
		{ "TLS that is not offered",
		  BYTES("\x20\0\0\1\x85\xae\0\0\0\0\0\1\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0") },
		{ "the protocol before 4.1", BYTES("\x0e\0\0\1\5\0\0\0\1alice\0ab\0") },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		require("a greeting", myraw_greet(&r, sluice_my_port()));
		say_and_end(&r, cases[i].what, cases[i].bytes, cases[i].n);
	}
	others_are_served();
}

static void test_login_by_chance(void)
{
	struct myraw r;
	uint64_t luck = 7;
	start("");
	for (int i = 0; i < 300; i++) {
		struct pgraw_bytes b = good_login(&r), out = { 0 };
		for (unsigned k = 1 + (unsigned)(chance(&luck) % 4); k > 0; k--)
			b.p[chance(&luck) % b.n] = (char)chance(&luck);
		add_packet(&out, 1, b.p, b.n);
		for (unsigned k = (unsigned)(chance(&luck) % 3); k > 0; k--) { /* and what a method may ask for */
			uint8_t more[40];
			for (size_t n = 0; n < sizeof more; n++)
				more[n] = (uint8_t)chance(&luck);
			add_packet(&out, (uint8_t)(3 + chance(&luck) % 2), more, chance(&luck) % sizeof more);
		}
		say_and_end(&r, text("by chance, %d", i), out.p, out.n);
		free(b.p);
		free(out.p);
	}
	others_are_served();
}

static bool get_in(struct myraw *r)
{
	/* Not as who may shut the server down: there is a command for that. */
	return check("it gets in", myraw_open(r, sluice_my_port(), "bob", "bob-secret", "test", 0));
}

/* Each command with too little, with chance, as a packet of another number, and of another length than it says. */
static void test_commands(void)
{
	struct myraw r;
	uint64_t luck = 11;
	start("");
	for (unsigned command = 0; command < 256; command++) {
		if (command == 18) /* COM_BINLOG_DUMP never ends */
			continue;
		for (unsigned how = 0; how < 5; how++) {
			struct pgraw_bytes out = { 0 };
			uint8_t body[64] = { (uint8_t)command };
			for (size_t n = 1; n < sizeof body; n++)
				body[n] = (uint8_t)chance(&luck);
			if (!get_in(&r))
				return;
			add_packet(&out, how == 2 ? (uint8_t)(1 + chance(&luck) % 250) : 0, body,
				   how ? 1 + chance(&luck) % 60 : 1);
			if (how > 2) {
				size_t len = out.n - 4, said = how == 3 ? len + 1 + chance(&luck) % 70000 : len / 2;
				for (int i = 0; i < 3; i++)
					out.p[i] = (char)(said >> 8 * i);
			}
			say_and_end(&r, text("command %u, %u", command, how), out.p, out.n);
			free(out.p);
		}
	}
	others_are_served();
}

/* What goes on in the next packet has the next number, of a command and of a file. */
static void test_numbers(void)
{
	enum { LONG = 0xffffff };
	struct myraw r;
	char heard[4096], *piece = malloc(LONG);
	start("");
	require("memory", piece != NULL);
	memset(piece, ' ', LONG);
	for (int is_file = 0; is_file < 2; is_file++)
		for (int second = 0; second < 2; second++) {
			struct pgraw_bytes out = { 0 };
			if (!get_in(&r))
				return;
			if (is_file) {
				my_sql("set global local_infile = 1");
				my_sql("drop table if exists test.f; create table test.f (a text)");
				r.file = NULL;
				static const char load[] = "\3load data local infile 'x' into table f";
				add_packet(&out, 0, load, sizeof load - 1);
				require("sent", myraw_bytes(&r, out.p, out.n));
				require("it asks for the file", raw_read(r.fd, heard, 6));
				out.n = 0;
				add_packet(&out, second ? 2 : 9, "x", 1);
				add_packet(&out, second ? 9 : 10, "x", 1);
			} else {
				memcpy(piece, "\3select 1", 9);
				add_packet(&out, 0, piece, LONG);
				add_packet(&out, second ? 7 : 2, " ", 1);
			}
			(void)myraw_bytes(&r, out.p, out.n);
			ssize_t n = raw_read_all(r.fd, heard, sizeof heard - 1);
			bool found = false;
			for (ssize_t i = 0; i + 7 < n; i++)
				found |= memcmp(heard + i, "\xff\x84\x04#08S01", 9) == 0;
			/* It may hear only of the end where it was still sending. */
			check(text("%s, %d: %zd bytes", is_file ? "file" : "command", second, n), found || n == 0);
			check("closed", n >= 0);
			free(out.p);
			myraw_close(&r, false);
		}
	free(piece);
	others_are_served();
}

/* A good command of each kind, cut off. */
static void test_truncated_commands(void)
{
	static const struct {
		uint8_t command;
		const char *body;
		size_t n;
	} good[] = {
		{ MY_STMT_EXECUTE, BYTES("\1\0\0\0\0\1\0\0\0\0\1\3\0\xfd\0\7\0\0\0\3abc") },
		{ MY_STMT_EXECUTE,
		  BYTES("\xff\xff\xff\xff\0\1\0\0\0\0\1\xfd\0\xfd\0\xfe\xff\xff\xff\xff\xff\xff\xff\xff") },
		{ MY_STMT_SEND_LONG_DATA, BYTES("\1\0\0\0\1\0abc") },
		{ MY_STMT_FETCH, BYTES("\1\0\0\0\1\0\0\0") },
		{ MY_STMT_RESET, BYTES("\1\0\0\0") },
		{ MY_STMT_CLOSE, BYTES("\1\0\0\0") },
		{ MY_SET_OPTION, BYTES("\1\0") },
		{ MY_FIELD_LIST, BYTES("t\0%") },
		{ MY_CHANGE_USER, BYTES("alice\0\0test\0\x2d\0mysql_native_password\0") },
		{ MY_STMT_PREPARE, BYTES("select ?, ?") },
		{ 250, BYTES("\1\0\0\0\200\0\3\0\xfd\0\0\7\0\0\0\0\3abc") }, /* MariaDB's COM_STMT_BULK_EXECUTE */
	};
	struct myraw r;
	start("");
	for (size_t i = 0; i < COUNT(good); i++)
		for (size_t n = 0; n <= good[i].n; n++) {
			struct pgraw_bytes out = { 0 };
			uint8_t packet[128] = { good[i].command };
			memcpy(packet + 1, good[i].body, n);
			if (!get_in(&r))
				return;
			require("prepared", myraw_command(&r, MY_STMT_PREPARE, "select ?, ?", 11) && myraw_wait(&r));
			uint32_t id = r.statement;
			if (n >= 4 && good[i].command >= MY_STMT_EXECUTE && packet[1] == 1) {
				const uint8_t le[] = { (uint8_t)id, (uint8_t)(id >> 8), (uint8_t)(id >> 16),
						       (uint8_t)(id >> 24) };
				memcpy(packet + 1, le, 4);
			}
			add_packet(&out, 0, packet, n + 1);
			say_and_end(&r, text("%zu bytes of command %u", n, good[i].command), out.p, out.n);
			/* The packet ends in the middle. */
			if (get_in(&r))
				say_and_end(&r, text("%zu bytes of the packet of command %u", n, good[i].command),
					    out.p, out.n - 1);
			free(out.p);
		}
	others_are_served();
}

static void test_streams(void)
{
	struct myraw r;
	struct pgraw_bytes out = { 0 };
	static char zeros[100000];
	start("");
	/* In the middle of a packet of 16 MB, and between two that belong together. */
	pgraw_add(&out, "\xff\xff\xff\0\3", 5);
	pgraw_add(&out, zeros, sizeof zeros);
	if (get_in(&r))
		say_and_end(&r, "a part of a query of 16 MB", out.p, out.n);
	out.n = 4;
	char *most = calloc(1, 0xffffff);
	require("memory", most != NULL);
	*most = MY_QUERY;
	pgraw_add(&out, most, 0xffffff);
	if (get_in(&r))
		say_and_end(&r, "the first part of a query", out.p, out.n);
	pgraw_add(&out, "\2\0\0\5ab", 6); /* it should be 1 */
	if (get_in(&r))
		say_and_end(&r, "a second part of another number", out.p, out.n);
	free(most);
	/* It is asked for a file, and says something else. */
	my_sql("create table if not exists test.hostile (n int)");
	static const struct {
		const char *what, *bytes;
		size_t n;
	} files[] = {
		{ "no file", BYTES("") },
		{ "half a file", BYTES("\x10\0\0\2"
				       "1\n2\n") },
		{ "a file that does not end", BYTES("\4\0\0\2"
						    "1\n2\n") },
		{ "a query", BYTES("\x09\0\0\0\3select 1\0\0\0\2") },
		{ "another number", BYTES("\4\0\0\x09"
					  "1\n2\n\0\0\0\x0a") },
	};
	for (size_t i = 0; i < COUNT(files); i++) {
		static const char load[] = "\x37\0\0\0\3load data local infile 'x' into table test.hostile     ";
		out.n = 0;
		add_packet(&out, 0, load + 4, sizeof load - 5);
		pgraw_add(&out, files[i].bytes, files[i].n);
		if (get_in(&r))
			say_and_end(&r, files[i].what, out.p, out.n);
	}
	/* More is asked than is read. */
	out.n = 0;
	for (int i = 0; i < 2000; i++)
		add_packet(&out, 0, "\3select repeat('x', 10000)", 26);
	if (get_in(&r)) {
		check("2000 queries at once", myraw_bytes(&r, out.p, out.n));
		myraw_close(&r, false);
	}
	free(out.p);
	others_are_served();
}

/* --- A server that is none */

static const char greeting[] = "\x0a"
			       "8.0.99-stub\0"
			       "\1\0\0\0"
			       "abcdefgh\0"
			       "\xff\xf7"
			       "\x2d"
			       "\2\0"
			       "\xff\x81"
			       "\x15"
			       "\0\0\0\0\0\0\0\0\0\0"
			       "ijklmnopqrst\0"
			       "mysql_native_password";

static void test_servers(void)
{
	static const struct {
		const char *what, *bytes;
		size_t n;
	} cases[] = {
		{ "nothing", BYTES("") },
		{ "PostgreSQL", BYTES("N") },
		{ "an empty greeting", BYTES("\0\0\0\0") },
		{ "a greeting of another protocol", BYTES("\3\0\0\0\x09"
							  "5\0") },
		{ "an error", BYTES("\x17\0\0\0\xff\x10\x04Too many connections") },
		{ "half an error", BYTES("\2\0\0\0\xff\x10") },
		{ "16 MB", BYTES("\xff\xff\xff\0\x0a") },
		{ "an OK before we said who we are", BYTES("\7\0\0\0\0\0\0\2\0\0\0") },
	};
	char heard[1024];
	stub_open();
	sluice_start(&(struct conf){ .databases = "* = kind=mysql @STUB@", .settings = "server_connect_timeout = 30" });
	for (size_t i = 0; i < COUNT(cases) + sizeof greeting; i++) {
		struct myraw r;
		struct pgraw_bytes b = { 0 }, login = { 0 };
		/* A database each: after a failure there would be no other attempt for a while. */
		require("a greeting", myraw_greet(&r, sluice_my_port()));
		myraw_add_login(&r, &login, "alice", "alice-secret", text("case%zu", i), 0);
		add_packet(&b, 1, login.p, login.n);
		require("a client comes", myraw_bytes(&r, b.p, b.n));
		/* It may be let in before it needs a server. */
		b.n = 0;
		add_packet(&b, 0, "\3select 1", 9);
		(void)myraw_bytes(&r, b.p, b.n);
		int fd = stub_accept();
		b.n = 0;
		if (i < COUNT(cases))
			pgraw_add(&b, cases[i].bytes, cases[i].n);
		else
			add_packet(&b, 0, greeting, i - COUNT(cases)); /* each part of a good one */
		(void)raw_send(fd, b.p, b.n);
		shutdown(fd, SHUT_WR);
		shutdown(r.fd, SHUT_WR);
		check(text("%s: the client hears the end", i < COUNT(cases) ? cases[i].what : "a part of a greeting"),
		      raw_read_all(r.fd, heard, sizeof heard) >= 0);
		raw_close(fd);
		myraw_close(&r, false);
		free(b.p);
		free(login.p);
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "logins", test_logins },     { "login_by_chance", test_login_by_chance },
		{ "commands", test_commands }, { "truncated_commands", test_truncated_commands },
		{ "numbers", test_numbers },   { "streams", test_streams },
		{ "servers", test_servers },   { NULL, NULL },
	};
	return harness_my_main(argc, argv, "my_hostile", tests);
}
