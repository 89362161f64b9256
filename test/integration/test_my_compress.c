/* test_my_compress.c - the compressed protocol: clients that compress, servers that do, one without the other, and what
 * nobody should say by it. */
#include "harness_my.h"
#include "mysqlraw.h"

#include <sys/socket.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMPRESS 0x20u

static const char *server_zip; /* server_compression */
static bool client_zips;

static void start(const char *mode)
{
	sluice_start(&(struct conf){
		.databases = text("test = kind=mysql @MY@ server_compression=%s\nplain = kind=mysql @MY@ dbname=test",
				  server_zip),
		.settings = text("pool_mode = %s\ndefault_pool_size = 2\n", mode) });
}

static MYSQL *zipped(void)
{
	return my_client(&(struct my_how){ .flags = CLIENT_MULTI_STATEMENTS | CLIENT_LOCAL_FILES |
						    (client_zips ? CLIENT_COMPRESS : 0) });
}

/* Each with each: MariaDB has no zstd. */
#define EACH_WITH_EACH                                                                                                 \
	static const char *const zips[] = { "off", "zlib", "zstd" };                                                   \
	for (int each = 0; each < (my_is_mysql() ? 12 : 8); each++)                                                    \
		if (server_zip = zips[each / 4], client_zips = each & 1, start(each & 2 ? "transaction" : "session"),  \
		    true)

static void check_server(MYSQL *c)
{
	if (my_is_mysql()) /* for the session alone it was taken away */
		check_my(c,
			 "select variable_value from performance_schema.session_status where variable_name = "
			 "'Compression_algorithm'",
			 strcmp(server_zip, "off") == 0 ? "" : server_zip);
	else
		check_my(c, "show session status like 'Compression'",
			 text("Compression,%s", strcmp(server_zip, "off") == 0 ? "OFF" : "ON"));
}

static char *letters(size_t n, bool by_chance)
{
	static uint64_t luck = 11;
	char *p = malloc(n + 1);
	require("memory", p != NULL);
	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + (by_chance ? chance(&luck) % 26 : i / 1000 % 26));
	p[n] = 0;
	return p;
}

/* A text of n bytes there and back. */
static void check_echo(MYSQL *c, size_t n, bool by_chance)
{
	char *value = letters(n, by_chance), *sql = malloc(n + 16);
	require("memory", sql != NULL);
	int len = sprintf(sql, "select '%s'", value);
	bool said = mysql_real_query(c, sql, (unsigned long)len) == 0;
	MYSQL_RES *r = said ? mysql_store_result(c) : NULL;
	MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
	check(text("%zu bytes there and back: %s", n, said ? "" : my_error(c)), row && strcmp(row[0], value) == 0);
	mysql_free_result(r);
	free(sql);
	free(value);
}

static void check_prepared(MYSQL *c)
{
	MYSQL_STMT *st = mysql_stmt_init(c);
	const char sql[] = "select ?, repeat('z', 70000)";
	char *in = letters(50000, true), *out = malloc(70001);
	unsigned long in_len = 50000, len[2] = { 0, 0 };
	MYSQL_BIND with = {
		.buffer_type = MYSQL_TYPE_STRING, .buffer = in, .buffer_length = in_len, .length = &in_len
	};
	require("memory", st && out);
	require("prepared", mysql_stmt_prepare(st, sql, sizeof sql - 1) == 0);
	for (int i = 0; i < 3; i++) {
		MYSQL_BIND to[2] = {
			{ .buffer_type = MYSQL_TYPE_STRING, .buffer = out, .buffer_length = 70001, .length = &len[0] },
			{ .buffer_type = MYSQL_TYPE_STRING, .buffer = NULL, .buffer_length = 0, .length = &len[1] },
		};
		require("bound", mysql_stmt_bind_param(st, &with) == 0);
		require("executed", mysql_stmt_execute(st) == 0);
		require("bound", mysql_stmt_bind_result(st, to) == 0);
		check("a row", mysql_stmt_fetch(st) != 1);
		check("what was said, and more", len[0] == in_len && len[1] == 70000 && !memcmp(in, out, in_len));
		check("and no other", mysql_stmt_fetch(st) == MYSQL_NO_DATA);
		mysql_stmt_free_result(st);
	}
	mysql_stmt_close(st);
	free(in);
	free(out);
}

static void test_each(void)
{
	EACH_WITH_EACH
	{
		my_sql("drop table if exists test.t; create table test.t(a int primary key, b longtext)");
		my_sql("drop procedure if exists test.p; create procedure test.p() begin select 1; select 2, 3; end");
		for (int i = 0; i < 2; i++) {
			MYSQL *c = zipped();
			check_server(c);
			check_my(c, "select 1+1, database(), null", "2,test,null");
			check_my(c, "select 1; do 2; select 3 union select 4; select length(repeat('x', 60))",
				 "1;ok 0;3|4;60");
			check_my(c, "call test.p()", "1;2,3;ok 0");
			check_my_fails(c, "nonsense", 1064, "42000", NULL);
			check_my(c, "select 1; nonsense", "1error 1064");
			check("ping", mysql_ping(c) == 0);
			check_prepared(c);
			check_my(c, "select 5", "5");
			check("another user", mysql_change_user(c, "bob", "bob-secret", "test") == 0);
			check_my(c, "select substring_index(user(), '@', 1)", "bob");
			check("a wrong password", mysql_change_user(c, "alice", "wrong", "test") != 0);
			check_eq("is denied", mysql_errno(c), 1045);
			my_close(c);
		}
		sluice_stop();
	}
}

static void test_big(void)
{
	my_sql("set global max_allowed_packet = 67108864");
	EACH_WITH_EACH
	{
		if (!(each & 2)) {
			MYSQL *c = zipped();
			static const size_t sizes[] = { 30, 49, 50, 60, 16300, 16384, 65530, 70000, 1000000, 3000000 };
			for (size_t i = 0; i < COUNT(sizes); i++) {
				check_echo(c, sizes[i], false);
				if (sizes[i] < 2000000)
					check_echo(c, sizes[i], true);
			}
			if (client_zips && each >= 4)
				check_echo(c, 0x1000100, false);
			check_my(
				c,
				"select count(*) from (select a.help_topic_id from mysql.help_topic a, mysql.help_topic b "
				"limit 200000) t",
				"200000");
			my_close(c);
		}
		sluice_stop();
	}
}

/* A file of 100000 rows. */
static char *rows(void)
{
	char *path = text("%s/rows", dir()), *all = malloc(3000001);
	require("memory", all != NULL);
	for (size_t i = 0; i < 3000000; i++)
		all[i] = i % 30 == 29 ? '\n' : (char)('a' + i % 26);
	all[3000000] = 0;
	write_text(path, all);
	free(all);
	return path;
}

/* The client's turn in an answer, which goes on behind it. */
static void test_infile(void)
{
	char *path = rows();
	my_sql("set global local_infile = 1");
	EACH_WITH_EACH
	{
		my_sql("drop table if exists test.t; create table test.t(a text)");
		MYSQL *c = zipped();
		char *sql = text(
			"load data local infile '%s' into table t; select 1; select repeat('y', 20000) like 'y%%'; "
			"select count(*) from t; select 7",
			path);
		check_my(c, sql, "ok 100000;1;1;100000;7");
		check_my(c, "select 8", "8");
		(void)mysql_query(c, "load data local infile '/nowhere/to/be/found' into table t");
		check("a file that is not there", mysql_errno(c) != 0);
		check_my(c, "select 9", "9");
		my_close(c);
		sluice_stop();
	}
}

/* Clients that compress and clients that do not share servers. */
static void test_shared(void)
{
	server_zip = "zlib";
	start("transaction");
	MYSQL *c[6];
	for (size_t i = 0; i < COUNT(c); i++) {
		client_zips = i % 2;
		c[i] = zipped();
	}
	for (int round = 0; round < 4; round++)
		for (size_t i = 0; i < COUNT(c); i++)
			check_my(c[i], "select 1, repeat('a', 3)", "1,aaa");
	wait_until("more clients than servers", my_servers() <= 2);
	check_str("the other database is not compressed",
		  my_is_mysql() ? "OFF"
				: my_all(my_client(&(struct my_how){ .database = "plain", .flags = CLIENT_COMPRESS }),
					 "show session status like 'Compression'") +
					  strlen("Compression,"),
		  "OFF");
	MYSQL *console = my_client(&(struct my_how){ .user = "admin", .database = "sluice", .flags = CLIENT_COMPRESS });
	check("the console too", my_show(console, "config", NULL, NULL, "key") != NULL);
	check_my(my_client(&(struct my_how){ .flags = CLIENT_COMPRESS, .tls = false, .unix_socket = true }), "select 1",
		 "1");
}

static void test_settings(void)
{
	server_zip = "off";
	sluice_start(&(struct conf){ .settings = "mysql_client_compression = off" });
	struct myraw r;
	require("a greeting", myraw_greet(&r, sluice_my_port()));
	check_eq("it is not offered", r.server_caps & (COMPRESS | 1u << 26), 0);
	myraw_close(&r, false);
	check_my(my_client(&(struct my_how){ .flags = CLIENT_COMPRESS }), "select 1", "1");
	sluice_stop();
	sluice_start(&(struct conf){ .settings = "mysql_client_compression = zlib" });
	require("a greeting", myraw_greet(&r, sluice_my_port()));
	check_eq("one is", r.server_caps & (COMPRESS | 1u << 26), COMPRESS);
	myraw_close(&r, false);
}

/* --- By hand */

struct zraw {
	struct myraw r;
};

static void zraw_open(struct zraw *z)
{
	require("in", myraw_open(&z->r, sluice_my_port(), "alice", "alice-secret", "test",
				 MY_USUAL | MY_DEPRECATE_EOF | COMPRESS));
}

static void add_u24(struct pgraw_bytes *b, size_t v)
{
	const uint8_t u[] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16) };
	pgraw_add(b, u, sizeof u);
}

/* A compressed packet as it is told to be. */
static void add_pack(struct pgraw_bytes *b, uint8_t number, size_t before, const void *p, size_t n)
{
	add_u24(b, n);
	pgraw_add(b, &number, 1);
	add_u24(b, before);
	pgraw_add(b, p, n);
}

/* A COM_QUERY in one that is not compressed. */
static void add_query(struct pgraw_bytes *b, uint8_t number, const char *sql)
{
	struct pgraw_bytes in = { 0 };
	const uint8_t head[] = { 0, MY_QUERY };
	add_u24(&in, strlen(sql) + 1);
	pgraw_add(&in, head, sizeof head);
	pgraw_add(&in, sql, strlen(sql));
	add_pack(b, number, 0, in.p, in.n);
	free(in.p);
}

/* The number of the next compressed packet, and its bytes: none when it is one that is compressed. -1: none comes. */
static int next_pack(int fd, char *body, size_t cap, size_t *n)
{
	uint8_t h[7];
	if (!raw_read(fd, h, sizeof h))
		return -1;
	*n = (size_t)h[0] | (size_t)h[1] << 8 | (size_t)h[2] << 16;
	require("a short one", *n <= cap);
	if (!raw_read(fd, body, *n))
		return -1;
	if (h[4] || h[5] || h[6])
		*n = 0;
	return h[3];
}

/* A client that does not wait for answers gets them in order, each with numbers that begin anew. */
static void test_ahead(void)
{
	static const char *const modes[] = { "session", "transaction" };
	for (size_t m = 0; m < COUNT(modes); m++) {
		struct zraw z;
		struct pgraw_bytes b = { 0 };
		char body[4096];
		size_t n;
		server_zip = m ? "zlib" : "off";
		start(modes[m]);
		my_close(my_client(NULL));
		zraw_open(&z);
		for (int i = 0; i < 20; i++)
			add_query(&b, 0, "do 1");
		require("sent", myraw_bytes(&z.r, b.p, b.n));
		for (int i = 0; i < 20; i++) {
			check_eq("its number", next_pack(z.r.fd, body, sizeof body, &n), 1);
			check("an OK", n >= 11 && body[3] == 1 && body[4] == 0);
		}
		myraw_close(&z.r, false);
		free(b.p);
		sluice_stop();
	}
}

/* What is wrong is told, and the connection closed; nobody else notices. */
static void check_hostile(const char *what, const struct pgraw_bytes *b, int number, unsigned error)
{
	struct zraw z;
	char body[4096];
	size_t n = 0;
	zraw_open(&z);
	(void)myraw_bytes(&z.r, b->p, b->n);
	check_eq(text("%s: the answer's number", what), next_pack(z.r.fd, body, sizeof body, &n), number);
	check(text("%s: an error %u", what, error),
	      n > 7 && (uint8_t)body[4] == 0xff && ((uint8_t)body[5] | (uint8_t)body[6] << 8) == (int)error);
	check(text("%s: it is closed", what), raw_read_all(z.r.fd, body, sizeof body) >= 0);
	myraw_close(&z.r, false);
}

/* "do 1 -- aaa..." by zlib, GOOD_LEN bytes with its header. */
static const uint8_t good[] = { 0x78, 0x9c, 0x2b, 0x61, 0x60, 0x60, 0x60, 0x4e, 0xc9, 0x57, 0x30, 0x54,
				0xd0, 0xd5, 0x55, 0x48, 0xa4, 0x1f, 0x00, 0x00, 0x89, 0xd6, 0x2a, 0xc1 };
#define GOOD_LEN 120u

static void test_hostile(void)
{
	struct pgraw_bytes b = { 0 };
	struct zraw z;
	char body[4096];
	size_t n;
	server_zip = "off";
	start("transaction");
	my_close(my_client(NULL));

	add_pack(&b, 0, GOOD_LEN, good, sizeof good);
	zraw_open(&z);
	require("sent", myraw_bytes(&z.r, b.p, b.n));
	check_eq("as it should be", next_pack(z.r.fd, body, sizeof body, &n), 1);
	check("an OK", n >= 11 && body[4] == 0);
	myraw_close(&z.r, false);

	for (size_t says = 1; says < GOOD_LEN + 80; says += says == GOOD_LEN - 1 ? 2 : 1) {
		b.n = 0;
		add_pack(&b, 0, says, good, sizeof good);
		check_hostile(text("a length of %zu", says), &b, 1, 1157);
	}
	b.n = 0;
	add_pack(&b, 0, 0xffffff, good, sizeof good);
	check_hostile("a length of 16 MB", &b, 1, 1157);
	for (size_t len = 1; len < sizeof good; len++) {
		b.n = 0;
		add_pack(&b, 0, GOOD_LEN, good, len);
		check_hostile(text("%zu bytes of it", len), &b, 1, 1157);
	}
	b.n = 0;
	add_pack(&b, 3, GOOD_LEN, good, sizeof good);
	check_hostile("another number", &b, 0, 1156);
	b.n = 0;
	add_pack(&b, 0, 0, "", 0);
	check_hostile("nothing", &b, 0, 1157);
	b.n = 0;
	add_pack(&b, 0, 0, "\x30\0\0\0\3do 1", 9);
	add_pack(&b, 0, 0, "abcdef", 6);
	check_hostile("a number that begins within a command", &b, 1, 1156);
	b.n = 0;
	add_pack(&b, 0, 500, "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", 38);
	check_hostile("garbage", &b, 1, 1157);
	/* Changed by chance, any of its bytes. */
	uint64_t luck = 3;
	for (int i = 0; i < 200; i++) {
		b.n = 0;
		add_pack(&b, 0, GOOD_LEN, good, sizeof good);
		b.p[chance(&luck) % b.n] = (char)chance(&luck);
		zraw_open(&z);
		(void)myraw_bytes(&z.r, b.p, b.n);
		shutdown(z.r.fd, SHUT_WR);
		check("it ends", raw_read_all(z.r.fd, body, sizeof body) >= 0);
		myraw_close(&z.r, false);
	}
	free(b.p);
	MYSQL *c = my_client(&(struct my_how){ .flags = CLIENT_COMPRESS });
	check_my(c, "select 1", "1");
}

/* A command that is refused before all of it has come is answered when it has, with the number behind its last. */
static void test_refused(void)
{
	struct zraw z;
	struct pgraw_bytes b = { 0 };
	char body[4096], *part = letters(70000, false);
	size_t n;
	server_zip = "off";
	start("transaction");
	my_close(my_client(NULL));
	zraw_open(&z);
	memcpy(part, "\0\0\3\0\x15", 5); /* 209996 bytes of COM_REGISTER_SLAVE, which is for session pooling */
	part[0] = (char)(209996 & 0xff);
	part[1] = (char)(209996 >> 8 & 0xff);
	for (uint8_t i = 0; i < 3; i++) {
		b.n = 0;
		add_pack(&b, i, 0, part, 70000);
		require("sent", myraw_bytes(&z.r, b.p, b.n));
		if (i == 0)
			memset(part, 'x', 5);
	}
	check_eq("behind its three", next_pack(z.r.fd, body, sizeof body, &n), 3);
	check("an error", n == 0 || (uint8_t)body[4] == 0xff);
	b.n = 0;
	add_query(&b, 0, "do 1");
	require("sent", myraw_bytes(&z.r, b.p, b.n));
	check_eq("it goes on", next_pack(z.r.fd, body, sizeof body, &n), 1);
	myraw_close(&z.r, false);
	free(b.p);
	free(part);
}

/* What MySQL 9's own client does. */
static void test_programs(void)
{
	if (!my_is_mysql()) {
		skip("MariaDB's programs have no zstd");
		return;
	}
	my_sql("set global local_infile = 1; drop table if exists test.t; create table test.t(a text)");
	write_text(
		text("%s/late.sql", dir()),
		text("delete from t; select repeat('y', 20000) like 'y%%'; select 2; load data local infile '%s' into "
		     "table t; select count(*) from t//\n",
		     rows()));
	EACH_WITH_EACH
	{
		static const char *const ways[] = { "zlib", "zstd", "zstd --zstd-compression-level=22" };
		for (size_t i = 0; i < COUNT(ways) && !(each & 1); i++) {
			char *out;
			int status = run(&out,
					 "mysql $MY --compression-algorithms=%s -N -e \"select length(repeat('x', "
					 "300000)); select repeat('y', 100000)\" test | tr -d 'y\\n'",
					 ways[i]);
			check_eq("it ends well", status, 0);
			check(text("%s, server %s: %s", ways[i], server_zip, out), strstr(out, "300000") != NULL);
			/* The server asks for a file behind other results. */
			status = run(
				&out,
				"mysql $MY --compression-algorithms=%s -N --local-infile=1 --delimiter=// test <late.sql",
				ways[i]);
			check_eq("it ends well", status, 0);
			check("the rows", strstr(out, "1\n2\n100000\n") != NULL);
		}
		sluice_stop();
	}
}

static const struct unit_test tests[] = {
	{ "each", test_each },         { "big", test_big },
	{ "infile", test_infile },     { "shared", test_shared },
	{ "settings", test_settings }, { "ahead", test_ahead },
	{ "refused", test_refused },   { "hostile", test_hostile },
	{ "programs", test_programs }, { NULL, NULL },
};

int main(int argc, char **argv)
{
	return harness_my_main(argc, argv, "my_compress", tests);
}
