/* test_mysql_asked.c - what drivers ask of the console by themselves, and what they are told. */
#include "unit.h"

#include "mysql/asked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was said: columns, '|', rows; "error 1193". */
static char said[4096];
static struct result_sink sink;

static void say(const char *what, size_t len)
{
	size_t n = strlen(said);
	snprintf(said + n, sizeof said - n, "%.*s", (int)len, what);
}

static bool columns(struct result_sink *k, const struct column *cols, size_t n)
{
	(void)k;
	for (size_t i = 0; i < n; i++) {
		say(i ? "," : "", 1);
		say(cols[i].name, 100);
		say(cols[i].type == COL_INT8 ? "#" : "", 1);
	}
	return true;
}

static bool row(struct result_sink *k, const struct cell *cells, size_t n)
{
	(void)k;
	for (size_t i = 0; i < n; i++) {
		say(i ? "," : "|", 1);
		say(cells[i].is_null ? "NULL" : cells[i].text.s, cells[i].is_null ? 4 : cells[i].text.len);
	}
	return false; /* full: it is too little to stop for */
}

static bool done(struct result_sink *k, const char *tag, uint64_t rows)
{
	(void)k;
	(void)tag;
	(void)rows;
	say(".", 1);
	return true;
}

static void fault(struct result_sink *k, const struct fault *f)
{
	(void)k;
	snprintf(said, sizeof said, "error: %s", f->text);
}

static void test_asked(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "select 1", "1#|1." },
		{ "SELECT 1;", "1#|1." },
		{ "/* ping */ SELECT 1", "1#|1." },
		{ "select 'a', null, 2 as two, 3 `three` from dual", "'a',null,two#,three#|a,NULL,2,3." },
		{ "select @@version_comment limit 1", "@@version_comment|Sluice's console." },
		{ "select @@session.auto_increment_increment AS auto_increment_increment, @@sql_mode AS `sql_mode`",
		  "auto_increment_increment#,sql_mode|1,." },
		{ "SELECT @@max_allowed_packet,@@system_time_zone,@@time_zone,@@auto_increment_increment",
		  "@@max_allowed_packet#,@@system_time_zone,@@time_zone,@@auto_increment_increment#|16777216,UTC,SYSTEM,1." },
		{ "select DATABASE(), USER( ), version(), connection_id(), current_user",
		  "DATABASE(),USER( ),version(),connection_id()#,current_user|sluice,admin@host,9.1,7,admin@host." },
		{ "select schema() db", "db|sluice." },
		{ "select @@nonsense", "error: Unknown system variable 'nonsense'" },
		{ "select @@global.wait_timeout x", "x#|28800." },
		{ "show variables like 'max\\_allowed%'", "Variable_name,Value|max_allowed_packet,16777216." },
		{ "SHOW SESSION VARIABLES LIKE 'LOWER_CASE_%'", "Variable_name,Value|lower_case_table_names,0." },
		{ "SHOW VARIABLES WHERE Variable_name in ('time_zone','x','wait_timeout')",
		  "Variable_name,Value|time_zone,SYSTEM|wait_timeout,28800." },
		{ "show global variables where variable_name = 'sql_mode' or variable_name = 'y'",
		  "Variable_name,Value|sql_mode,." },
		{ "show variables like '%%%'", NULL }, /* all of them */
		{ "show variables", NULL },
		{ "show warnings", "Level,Code#,Message." },
		{ "SHOW CHARACTER SET", "Charset,Description,Default collation." },
		{ "show full tables from `sluice` like 'x'", "Tables,Table_type." },
		/* These are not for here. */
		{ "show pools", "" },
		{ "show", "" },
		{ "select", "" },
		{ "select 1,", "" },
		{ "select 1 2", "" },
		{ "select 1 as", "" },
		{ "select @@", "" },
		{ "select @x", "" },
		{ "select a from t", "" },
		{ "select 1 from t", "" },
		{ "select 1; reload", "" },
		{ "select version", "" },
		{ "select 'open", "" },
		{ "reload", "" },
		{ "", "" },
	};
	static const struct sink_ops ops = { .columns = columns, .row = row, .done = done, .fault = fault };
	const struct mysql_asked is = {
		.version = "9.1", .user = "admin", .host = "host", .database = "sluice", .id = 7
	};
	sink.ops = &ops;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t *copy = copy_exact(rows[i].text, strlen(rows[i].text));
		said[0] = '\0';
		bool was = mysql_asked(&is, (struct text_span){ (const char *)copy, strlen(rows[i].text) }, &sink);
		check_eq(rows[i].text, was, !rows[i].want || *rows[i].want);
		if (rows[i].want)
			check_str(rows[i].text, said, rows[i].want);
		else
			check(rows[i].text, strstr(said, "|autocommit,1|") && strstr(said, "|wait_timeout,28800."));
		free(copy);
	}
}

/* More than there is room for. */
static void test_many(void)
{
	char text[1024] = "select 1";
	const struct mysql_asked is = { .version = "", .user = "", .host = "", .database = "" };
	static const struct sink_ops ops = { .columns = columns, .row = row, .done = done, .fault = fault };
	sink.ops = &ops;
	for (int i = 1; i < 64; i++)
		strcat(text, ",1");
	check("as many as there may be", mysql_asked(&is, (struct text_span){ text, strlen(text) }, &sink));
	strcat(text, ",1");
	check("one more", !mysql_asked(&is, (struct text_span){ text, strlen(text) }, &sink));
	char name[600] = "select 1 as `";
	memset(name + 13, 'x', 400);
	strcpy(name + 413, "`");
	check("a long name", !mysql_asked(&is, (struct text_span){ name, strlen(name) }, &sink));
}

static void test_to_set(void)
{
	static const struct {
		const char *text;
		bool want;
	} rows[] = {
		{ "set names utf8mb4", true },
		{ "/* x */ SET AUTOCOMMIT=1, sql_mode = concat(a)", true },
		{ "set @@session.x = 1", true },
		{ "start transaction", true },
		{ "set default_pool_size = 3", false },
		{ "set", false },
		{ "", false },
		{ "show version", false },
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		check_eq(rows[i].text, mysql_asked_to_set((struct text_span){ rows[i].text, strlen(rows[i].text) }),
			 rows[i].want);
}

void suite_mysql_asked(void)
{
	static const struct unit_test tests[] = {
		{ "asked", test_asked }, { "many", test_many }, { "to_set", test_to_set }, { NULL, NULL }
	};
	unit_add("mysql_asked", tests);
}
