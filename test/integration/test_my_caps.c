/* test_my_caps.c - what clients are told in the greeting, and what they and their servers agree on: the version,
 * capabilities, metadata that is optional, query attributes, progress, connection attributes. */
#include "harness_my.h"
#include "mysqlraw.h"

#include <stdlib.h>
#include <string.h>

#define BOTH_MODES(mode) for (const char *mode = "session"; mode; mode = *mode == 's' ? "transaction" : NULL)

static struct myraw greeted(void)
{
	struct myraw r, got;
	require("greeted", myraw_greet(&r, sluice_my_port()));
	got = r;
	myraw_close(&r, false);
	return got;
}

/* --- The greeting */

static void test_version(void)
{
	static const struct {
		const char *what, *databases, *settings, *before, *after; /* NULL: the server's */
	} rows[] = {
		{ "nothing is said", "test = kind=mysql @MY@", "", "8.0.0-sluice", NULL },
		{ "by the setting", "test = kind=mysql @MY@", "mysql_server_version = 5.7.99-mine\n", "5.7.99-mine",
		  "5.7.99-mine" },
		{ "by the entry", "test = kind=mysql @MY@ mysql_server_version=8.4.0-x", "", "8.4.0-x", "8.4.0-x" },
		{ "by the entry, rather than the setting", "test = kind=mysql @MY@ mysql_server_version=8.4.0-x",
		  "mysql_server_version = 5.7.99-mine\n", "8.4.0-x", "8.4.0-x" },
		{ "by the first of which one is known",
		  "pg = host=127.0.0.1 port=1\nnone = kind=mysql host=127.0.0.1 port=1\ntest = kind=mysql @MY@\n"
		  "last = kind=mysql @MY@ mysql_server_version=9.0.0-last",
		  "", "9.0.0-last", NULL },
		{ "of one that * makes", "* = kind=mysql @MY@", "", "8.0.0-sluice", NULL },
	};
	MYSQL *straight = my_straight();
	char *server = text("%s", mysql_get_server_info(straight));
	for (size_t i = 0; i < COUNT(rows); i++) {
		sluice_start(&(struct conf){ .databases = rows[i].databases, .settings = rows[i].settings });
		check_str(rows[i].what, greeted().version, rows[i].before);
		MYSQL *c = my_client(NULL);
		check_my(c, "select version()", server); /* whatever was said */
		struct myraw r = greeted();
		const char *seen = strncmp(r.version, "5.5.5-", 6) == 0 ? r.version + 6 : r.version;
		check_str(rows[i].what, seen, rows[i].after ? rows[i].after : server);
		/* At a reload, too. */
		sluice_configure(&(struct conf){ .databases = rows[i].databases,
						 .settings = "mysql_server_version = 8.1.2-new\n" });
		my_run(my_console(), "reload");
		r = greeted();
		check_str(text("%s, after a reload", rows[i].what), r.version,
			  strstr(rows[i].databases, "8.4.0") ? "8.4.0-x" : "8.1.2-new");
		sluice_stop();
	}
}

/* Who is greeted is promised what all databases have, in whatever order they are connected to. */
static void test_several_kinds(void)
{
	stub_open();
	sluice_start(&(struct conf){ .databases = "test = kind=mysql @MY@\nodd = kind=mysql @STUB@",
				     .settings = "server_login_retry = 60\nserver_tls_sslmode = disable\n" });
	check_my(my_client(NULL), "select 1", "1");
	check("of the server", greeted().server_caps & MY_DEPRECATE_EOF);
	struct myraw r, odd;
	uint8_t bytes[256];
	require("greeted", myraw_greet(&odd, sluice_my_port()));
	struct pgraw_bytes login = { 0 };
	myraw_add_login(&odd, &login, "alice", "alice-secret", "odd", MY_USUAL | MY_DEPRECATE_EOF);
	char head[4] = { (char)login.n, 0, 0, 1 };
	check("it logs in", raw_send(odd.fd, head, 4) && raw_send(odd.fd, login.p, login.n));
	free(login.p);
	int fd = stub_accept();
	check("another kind", raw_send(fd, bytes, myraw_put_greeting(bytes, "5.6.51", MY_USUAL)));
	wait_until("what was promised is not to be had", sluice_logged("lacks what its client was promised"));
	raw_close(fd);
	ssize_t n = raw_read_all(odd.fd, (char *)bytes, sizeof bytes);
	check("its client is told so", n > 0 && memmem(bytes, (size_t)n, "\xff\xd3\x04#42000", 9));
	myraw_close(&odd, false);
	/* Who comes then is promised less, and served at once. */
	require("greeted", myraw_greet(&odd, sluice_my_port()));
	login = (struct pgraw_bytes){ 0 };
	myraw_add_login(&odd, &login, "alice", "alice-secret", "odd", MY_USUAL | MY_DEPRECATE_EOF);
	head[0] = (char)login.n;
	check("it logs in", raw_send(odd.fd, head, 4) && raw_send(odd.fd, login.p, login.n));
	free(login.p);
	fd = stub_accept();
	check("another kind", raw_send(fd, bytes, myraw_put_greeting(bytes, "5.6.51", MY_USUAL)));
	check("which is answered now", raw_read(fd, bytes, 5) && bytes[3] == 1);
	raw_close(fd);
	myraw_close(&odd, false);
	for (int i = 0; i < 2; i++) {
		r = greeted();
		check("no more is promised than both have", !(r.server_caps & MY_DEPRECATE_EOF));
		check_my(my_client(NULL), "select 1", "1");
	}
}

/* --- What is agreed on */

/* Where the server can leave out definitions of columns, clients may ask for that, one by one. */
static void test_optional_metadata(void)
{
	static const char *const words[] = {
		"set names utf8mb4 collate utf8mb4_bin", "select 1, 'a' union select 2, 'b'",
		"set resultset_metadata = NONE",         "select 1, 'a' union select 2, 'b'",
		"show variables like 'autocommit'",      "select * from nowhere",
		"set resultset_metadata = FULL",         "select 3",
	};
	static const uint32_t kinds[] = { MY_USUAL | MY_OPTIONAL_METADATA,
					  MY_USUAL | MY_OPTIONAL_METADATA | MY_DEPRECATE_EOF };
	BOTH_MODES(mode)
	{
		sluice_start(&(struct conf){ .settings = text("pool_mode = %s\ndefault_pool_size = 2\n", mode) });
		my_close(my_client(NULL));
		check("where servers have it", (greeted().server_caps & MY_OPTIONAL_METADATA) != 0 || !my_is_mysql());
		for (size_t k = 0; k < COUNT(kinds) && my_is_mysql(); k++) {
			struct myraw r, straight;
			require("in", myraw_open(&r, sluice_my_port(), "alice", "alice-secret", "test", kinds[k]));
			require("in", myraw_open(&straight, my_port(), "alice", "alice-secret", "test", kinds[k]));
			MYSQL *other = my_client(NULL);
			for (size_t i = 0; i < COUNT(words); i++) {
				char *a = myraw_ask(&r, words[i]), *b = myraw_ask(&straight, words[i]);
				check_str(words[i], a, b);
				free(a);
				free(b);
				/* Prepared, too. */
				static const char sql[] = "select 5, ?";
				myraw_forget(&r);
				myraw_forget(&straight);
				check("prepared", myraw_command(&r, MY_STMT_PREPARE, sql, strlen(sql)) &&
							  myraw_wait(&r) &&
							  myraw_command(&straight, MY_STMT_PREPARE, sql, strlen(sql)) &&
							  myraw_wait(&straight));
				a = myraw_lines(&r);
				b = myraw_lines(&straight);
				check_str(words[i], a, b);
				free(a);
				free(b);
				for (int n = 0; n < 2; n++) {
					struct myraw *one = n ? &straight : &r;
					struct pgraw_bytes x = { 0 };
					myraw_add_u32(&x, one->statement);
					pgraw_add(&x, "\0\1\0\0\0\0\1\xfd\0\3abc", 12);
					myraw_forget(one);
					check("executed",
					      myraw_command(one, MY_STMT_EXECUTE, x.p, x.n) && myraw_wait(one));
					free(x.p);
				}
				a = myraw_lines(&r);
				b = myraw_lines(&straight);
				check_str(text("%s, executed", words[i]), a, b);
				free(a);
				free(b);
				check_my(other, "select 1, 2", "1,2");
			}
			my_close(other);
			myraw_close(&r, true);
			myraw_close(&straight, true);
		}
		sluice_stop();
	}
}

/* A COM_QUERY with one attribute. */
static char *ask_with(struct myraw *r, const char *name, const char *value, const char *sql)
{
	struct pgraw_bytes b = { 0 };
	myraw_add_lenenc(&b, name ? 1 : 0);
	myraw_add_lenenc(&b, 1);
	if (name) {
		pgraw_add(&b, "\0\1\xfe\0", 4); /* no NULL; types follow; a string */
		myraw_add_lenenc(&b, strlen(name));
		pgraw_add(&b, name, strlen(name));
		myraw_add_lenenc(&b, strlen(value));
		pgraw_add(&b, value, strlen(value));
	}
	pgraw_add(&b, sql, strlen(sql));
	myraw_forget(r);
	r->error = 0;
	check(sql, myraw_command(r, MY_QUERY, b.p, b.n) && myraw_wait(r));
	free(b.p);
	return myraw_lines(r);
}

static void test_query_attributes(void)
{
	if (!my_is_mysql()) {
		sluice_start(&(struct conf){ .settings = "" });
		my_close(my_client(NULL));
		check("MariaDB has none, and they are not offered", !(greeted().server_caps & MY_QUERY_ATTRIBUTES));
		return;
	}
	my_sql("install component 'file://component_query_attributes'");
	BOTH_MODES(mode)
	{
		sluice_start(&(struct conf){ .settings = text("pool_mode = %s\ndefault_pool_size = 2\n", mode) });
		my_close(my_client(NULL));
		struct myraw r;
		require("in", myraw_open(&r, sluice_my_port(), "alice", "alice-secret", "test",
					 MY_USUAL | MY_QUERY_ATTRIBUTES));
		MYSQL *other = my_client(NULL);
		unsigned long id = mysql_thread_id(other);
		static const struct {
			const char *sql, *want;
		} cases[] = {
			{ "select mysql_query_attribute_string('n')", "row v1" },
			{ "set @@session.sql_mode = ''", "ok" },
			{ "select mysql_query_attribute_string('n'), @@session.sql_mode", "row v1 | " },
			{ "insert into test.at values (7)", "ok" },
			{ "select last_insert_id() is not null, mysql_query_attribute_string('n')", "row 1 | v1" },
			{ "select connection_id() > 0, mysql_query_attribute_string('n')", "row 1 | v1" },
			{ "kill query 4123456789", "error 1094" },
		};
		my_sql("drop table if exists test.at; create table test.at(a int)");
		for (int way = 0; way < 2; way++)
			for (size_t i = 0; i < COUNT(cases); i++) {
				char *lines = ask_with(&r, way ? NULL : "n", "v1", cases[i].sql);
				const char *want = cases[i].want, *v1 = strstr(want, "v1");
				if (way && v1)
					want = text("%.*snull", (int)(v1 - want), want);
				check(text("%s: %s", cases[i].sql, lines), strstr(lines, want) != NULL);
				free(lines);
				check_my(other, "select 1", "1");
			}
		char *lines = ask_with(&r, "n", "v1", text("kill %lu", id));
		check(lines, strncmp(lines, "ok", 2) == 0);
		free(lines);
		check("the client with that number", mysql_query(other, "select 1") != 0);
		/* Malformed ones end the connection, and no more. */
		static const char *const bad[] = { "\377", "\1", "\1\1\0\2", "\1\1\0\1\376",
						   "\1\1\0\1\376\0\1n\377\1" };
		for (size_t i = 0; i < COUNT(bad) && strcmp(mode, "session") != 0; i++) {
			struct myraw odd;
			require("in", myraw_open(&odd, sluice_my_port(), "alice", "alice-secret", "test",
						 MY_USUAL | MY_QUERY_ATTRIBUTES));
			(void)myraw_command(&odd, MY_QUERY, bad[i], strlen(bad[i]));
			check("an error", !myraw_wait(&odd) || odd.error);
			myraw_close(&odd, false);
		}
		char *out;
		int status = run(
			&out,
			"'%s/mysql' --no-defaults -h 127.0.0.1 -P %d -u alice -palice-secret -D test --ssl-mode=DISABLED "
			"--get-server-public-key --loose-commands -Ne \"query_attributes who me\nselect "
			"mysql_query_attribute_string('who')\" 2>/dev/null",
			getenv("TEST_MY_BINDIR"), sluice_my_port());
		check_eq(out, status, 0);
		check_str("MySQL's own client", out, "me\n");
		myraw_close(&r, true);
		sluice_stop();
	}
}

static unsigned nprogress;

static void on_progress(const MYSQL *c, uint stage, uint stages, double done, const char *what, uint len)
{
	(void)c;
	(void)stage;
	(void)stages;
	(void)done;
	(void)what;
	(void)len;
	nprogress++;
}

/* How far a long statement has come is told to who has asked for that. */
static void test_progress(void)
{
	if (my_is_mysql()) {
		sluice_start(&(struct conf){ .settings = "" });
		my_close(my_client(NULL));
		check("MySQL has none, and they are not offered", !greeted().server_more);
		return;
	}
	/* Each of its lines takes a while. */
	char lines[4000];
	memset(lines, '\n', sizeof lines);
	for (size_t i = 0; i + 10 <= sizeof lines; i += 10)
		memcpy(lines + i, "123456789", 9);
	lines[sizeof lines - 1] = 0;
	write_text(text("%s/far", dir()), lines);
	my_sql("create or replace table test.far (a int)");
	my_sql("drop function if exists test.slow");
	my_sql("create function test.slow(a int) returns int begin do sleep(0.004); return a; end");
	const char *slow = text("load data infile '%s/far' into table test.far(@x) set a = test.slow(@x)", dir());
	BOTH_MODES(mode)
	{
		sluice_start(&(struct conf){ .settings = text("pool_mode = %s\n", mode) });
		my_close(my_client(NULL));
		for (int asks = 0; asks < 2; asks++) {
			struct myraw r;
			require("greeted", myraw_greet(&r, sluice_my_port()));
			r.more = asks ? MY_PROGRESS : 0;
			require("in", myraw_login(&r, "alice", "alice-secret", "test", MY_USUAL & ~MY_LONG_PASSWORD));
			free(myraw_ask(&r, "set progress_report_time = 1"));
			char *heard = myraw_ask(&r, slow);
			check_eq(text("%s: %s", mode, heard), strstr(heard, "progress") != NULL, asks);
			check(text("%s: %s", mode, heard), strstr(heard, "ok rows 400") && !r.nonsense);
			free(heard);
			free(myraw_ask(&r, "select 1"));
			check_eq("and on", r.error, 0);
			myraw_close(&r, true);
		}
		MYSQL *c = mysql_init(NULL);
		mysql_optionsv(c, MYSQL_PROGRESS_CALLBACK, (void *)on_progress);
		require("libmariadb", mysql_real_connect(c, "127.0.0.1", "alice", "alice-secret", "test",
							 (unsigned)sluice_my_port(), NULL, 0) != NULL);
		nprogress = 0;
		check("it runs", mysql_query(c, "set progress_report_time = 1") == 0 && mysql_query(c, slow) == 0);
		check("it is told", nprogress > 0);
		check("and on", mysql_query(c, "do 1") == 0);
		mysql_close(c);
		sluice_stop();
	}
}

/* MariaDB's own capabilities: those that pass, those that do not, and none where servers are not MariaDB. */
static void test_extended(void)
{
	sluice_start(&(struct conf){ .settings = "" });
	check_eq("none before they are known", greeted().server_more, 0);
	my_close(my_client(NULL));
	struct myraw straight;
	require("greeted", myraw_greet(&straight, my_port()));
	uint32_t theirs = my_is_mysql() ? 0 : straight.server_more,
		 pass = MY_PROGRESS | MY_BULK | MY_EXTENDED_TYPES | MY_BULK_RESULTS;
	check_eq("those that pass", greeted().server_more, theirs & pass);
	if (!my_is_mysql()) {
		struct myraw r;
		require("greeted", myraw_greet(&r, sluice_my_port()));
		r.more = MY_CACHE_METADATA | MY_EXTENDED_TYPES | 2 /* COM_MULTI */;
		require("in", myraw_login(&r, "alice", "alice-secret", "test", MY_USUAL & ~MY_LONG_PASSWORD));
		check_eq("no more than offered", r.more & ~(uint32_t)MY_EXTENDED_TYPES, 0);
		my_sql("create or replace table test.ext (j json, i inet6); insert into test.ext values ('{}', '::1')");
		char *lines = myraw_ask(&r, "select * from test.ext");
		check(text("definitions with their types: %s", lines), strstr(lines, "inet6") && strstr(lines, "json"));
		free(lines);
		myraw_close(&r, true);
	}
	myraw_close(&straight, false);
}

/* --- Connection attributes */

static char *attr_of(MYSQL *c, const char *name)
{
	return my_all(c,
		      "select attr_value from performance_schema.session_connect_attrs where processlist_id = "
		      "%s and attr_name = '%s'",
		      "connection_id()", name);
}

/* Who asks by the number of its own server, whatever Sluice makes of CONNECTION_ID(). */
static char *attr_there(const char *name)
{
	return my_scalar(
		"select max(attr_value) from performance_schema.session_connect_attrs a join "
		"information_schema.processlist p on p.id = a.processlist_id where attr_name = '%s' and p.user = 'alice'",
		name);
}

static MYSQL *named(const char *program, const char *more)
{
	my_bool no = 0;
	MYSQL *c = mysql_init(NULL);
	mysql_optionsv(c, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", program);
	if (more)
		mysql_optionsv(c, MYSQL_OPT_CONNECT_ATTR_ADD, "shop", more);
	mysql_optionsv(c, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &no);
	require("in", mysql_real_connect(c, "127.0.0.1", "alice", "alice-secret", "test", (unsigned)sluice_my_port(),
					 NULL, 0) != NULL);
	return c;
}

static void test_attributes(void)
{
	MYSQL *c = my_client(&(struct my_how){ .straight = true, .attr = "here" });
	bool kept = strcmp(attr_of(c, "test_attr"), "here") == 0;
	my_close(c);
	check("the server keeps them", kept);
	BOTH_MODES(mode)
	{
		bool is_session = *mode == 's';
		sluice_start(&(struct conf){ .settings = text("pool_mode = %s\n", mode) });
		c = named("billing", "berlin");
		check_my(c, "select 1", "1");
		MYSQL *console = my_console();
		check_str("shown", my_show(console, "clients", "user", "alice", "application_name"), "billing");
		check_str("who", attr_there("program_name"), is_session ? "billing" : "sluice");
		check_str("and what else", attr_there("shop"), is_session ? "berlin" : "");
		check_str("by which name here", attr_there("sluice_database"), "test");
		if (!is_session)
			check("Sluice's", atoi(attr_there("_pid")) == (int)sluice_pid());
		/* Somebody else. */
		check("another user", mysql_change_user(c, "alice", "alice-secret", "test") == 0);
		check_str("shown still", my_show(console, "clients", "user", "alice", "application_name"), "billing");
		mysql_close(c);
		char *big = text("%02000d", 7);
		c = named(big, big);
		check_my(c, "select 1", "1");
		check_str("a long one is cut", my_show(console, "clients", "user", "alice", "application_name"),
			  text("%.127s", big));
		mysql_close(c);
		c = named("", NULL);
		check_my(c, "select 1", "1");
		check_str("none", my_show(console, "clients", "user", "alice", "application_name"), "");
		mysql_close(c);
		sluice_stop();
	}
	/* Lengths that are not true: what stands before them counts. */
	static const struct {
		const char *attrs, *name;
		size_t n;
	} cases[] = {
		{ "\14program_name\3abc", "abc", 17 },
		{ "\14program_name\3abc\377", "abc", 18 },
		{ "\14program_name\3abc\1x\4yz", "abc", 22 },
		{ "\14program_name\4abc", "", 17 },
		{ "\14program_name", "", 13 },
		{ "\376\377\377\377\377\377\377\377\377", "", 9 },
		{ "\0\0\14program_name\2ab", "ab", 18 },
		{ "", "", 0 },
	};
	sluice_start(&(struct conf){ .settings = "pool_mode = session\n" });
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct myraw r;
		struct pgraw_bytes b = { 0 }, packet = { 0 };
		require("greeted", myraw_greet(&r, sluice_my_port()));
		myraw_add_login(&r, &b, "alice", "alice-secret", "test", MY_USUAL);
		b.p[2] |= 0x10; /* CLIENT_CONNECT_ATTRS */
		myraw_add_lenenc(&b, cases[i].n);
		pgraw_add(&b, cases[i].attrs, cases[i].n);
		char head[4] = { (char)b.n, (char)(b.n >> 8), 0, 1 };
		pgraw_add(&packet, head, 4);
		pgraw_add(&packet, b.p, b.n);
		require("sent", raw_send(r.fd, packet.p, packet.n));
		uint8_t got[5];
		check("let in, or asked for more", raw_read(r.fd, got, 5) && got[4] != 0xff);
		check_str(text("case %zu", i), my_show(my_console(), "clients", "user", "alice", "application_name"),
			  cases[i].name);
		free(b.p);
		free(packet.p);
		myraw_close(&r, false);
		MYSQL *console = my_console();
		wait_until("it is gone", !my_show(console, "clients", "user", "alice", "application_name"));
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "version", test_version },
		{ "several_kinds", test_several_kinds },
		{ "optional_metadata", test_optional_metadata },
		{ "query_attributes", test_query_attributes },
		{ "progress", test_progress },
		{ "extended", test_extended },
		{ "attributes", test_attributes },
		{ NULL, NULL },
	};
	return harness_my_main(argc, argv, "my_caps", tests);
}
