/* test_settings.c - the table of settings and what walks it. */
#include "config/settings.h"

#include "nomem.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *key, *value;
	bool ok;
	long long num;
	const char *shown; /* as SHOW CONFIG has it; or what the fault says */
} values[] = {
	{ "listen_port", "1", true, 1, "1" },
	{ "listen_port", "65535", true, 65535, "65535" },
	{ "listen_port", "65536", false, 0, "listen_port: \"65536\" is not a number from 1 to 65535" },
	{ "listen_port", "0", false, 0, "from 1 to 65535" },
	{ "listen_port", "-1", false, 0, "listen_port" },
	{ "listen_port", "", false, 0, "listen_port" },
	{ "listen_port", "99999999999999999999999", false, 0, "listen_port" },
	{ "listen_port", "6432x", false, 0, "listen_port" },
	{ "log_stats", "on", true, 1, "1" },
	{ "log_stats", "FALSE", true, 0, "0" },
	{ "log_stats", "2", true, 1, "1" },
	{ "log_stats", "2x", false, 0, "0 or 1" },
	{ "pool_mode", "Transaction", true, 1, "transaction" },
	{ "pool_mode", "trans", false, 0, "one of session, transaction, statement" },
	{ "pool_mode", "session,transaction", false, 0, "one of" },
	{ "pool_mode", "", false, 0, "one of" },
	{ "auth_type", "trust", true, AUTH_TYPE_TRUST, "trust" },
	{ "auth_type", "plain", true, AUTH_TYPE_PLAIN, "plain" },
	{ "auth_type", "md5", true, AUTH_TYPE_MD5, "md5" },
	{ "auth_type", "scram-sha-256", true, AUTH_TYPE_SCRAM, "scram-sha-256" },
	{ "auth_type", "HBA", true, AUTH_TYPE_HBA, "hba" },
	{ "auth_type", "peer", true, AUTH_TYPE_PEER, "peer" },
	{ "auth_type", "pam", true, AUTH_TYPE_PAM, "pam" },
	{ "auth_type", "LDAP", true, AUTH_TYPE_LDAP, "ldap" },
	{ "auth_type", "none", false, 0, "one of trust" },
	{ "load_balance_hosts", "disable", true, LOAD_BALANCE_DISABLE, "disable" },
	{ "load_balance_hosts", "round-robin", true, LOAD_BALANCE_ROUND_ROBIN, "round-robin" },
	{ "unix_socket_mode", "0770", true, 0770, "0770" },
	{ "unix_socket_mode", "777", true, 0777, "0777" },
	{ "unix_socket_mode", "01777", false, 0, "octal" },
	{ "unix_socket_mode", "8", false, 0, "octal" },
	{ "max_packet_size", "64k", true, 65536, "65536" },
	{ "max_packet_size", "1 MB", true, 1048576, "1048576" },
	{ "max_packet_size", "2G", false, 0, "bytes" },
	{ "max_packet_size", "1.5M", false, 0, "bytes" },
	{ "max_packet_size", "9223372036854775807G", false, 0, "bytes" },
	{ "query_wait_timeout", "120", true, 120000, "120" },
	{ "query_wait_timeout", "0.25", true, 250, "0.25" },
	{ "query_wait_timeout", "1.005", true, 1005, "1.005" },
	{ "query_wait_timeout", "1500ms", true, 1500, "1.5" },
	{ "query_wait_timeout", "1us", true, 1, "0.001" },
	{ "query_wait_timeout", "2 min", true, 120000, "120" },
	{ "query_wait_timeout", "1h", true, 3600000, "3600" },
	{ "query_wait_timeout", "2d", true, 172800000, "172800" },
	{ "query_wait_timeout", "2147483647", true, 2147483647000, "2147483647" },
	{ "query_wait_timeout", "2147483648", false, 0, "0 to 2147483647 seconds" },
	{ "query_wait_timeout", "9223372036854775807", false, 0, "seconds" },
	{ "query_wait_timeout", "106751991d", false, 0, "seconds" },
	{ "query_wait_timeout", "-1", false, 0, "seconds" },
	{ "query_wait_timeout", "1.", false, 0, "seconds" },
	{ "query_wait_timeout", ".5", false, 0, "seconds" },
	{ "query_wait_timeout", "1.0000001", false, 0, "seconds" },
	{ "query_wait_timeout", "5 parsecs", false, 0, "seconds" },
	{ "stats_period", "0", false, 0, "from 1 to" },
	{ "tcp_user_timeout", "1500", true, 1500, "1500" },
	{ "tcp_user_timeout", "2s", true, 2000, "2000" },
	{ "server_reset_query", "DISCARD ALL; SELECT 1", true, 0, "DISCARD ALL; SELECT 1" },
	{ "server_reset_query", "", true, 0, "" },
	{ "admin_users", "anna, bert", true, 0, "anna, bert" },
	{ "syslog_ident", "", false, 0, "1 to 255 bytes" },
	{ "syslog_facility", "local7", true, 11, "local7" },
};

static void test_values(void)
{
	for (size_t i = 0; i < COUNT(values); i++) {
		char what[128];
		struct setting_value v = { -7, NULL };
		struct fault f;
		struct sb shown = { 0 };
		str_fmt(what, sizeof what, "%s = %s", values[i].key, values[i].value);
		int id = setting_find(values[i].key);
		if (!check(what, id >= 0))
			continue;
		bool ok = setting_parse((enum setting_id)id, values[i].value, &v, &f);
		if (!check_eq(what, ok, values[i].ok))
			continue;
		if (ok) {
			check_eq(what, v.num, values[i].num);
			setting_show((enum setting_id)id, &v, &shown);
			check_str(what, sb_str(&shown), values[i].shown);
		} else {
			check_eq(what, f.kind, FAULT_CONFIG);
			if (!check(what, strstr(f.text, values[i].shown)))
				check_str(what, f.text, values[i].shown);
			check(what, v.num == -7 && !v.text);
		}
		sb_free(&shown);
		setting_value_free((enum setting_id)id, &v);
	}
}

static void test_too_long(void)
{
	struct setting_value v = { 0, NULL };
	struct fault f;
	char path[4097];
	memset(path, 'a', sizeof path);
	path[4096] = '\0';
	check("a path of 4,096 bytes", !setting_parse(SET_logfile, path, &v, &f));
	check("says how long", strstr(f.text, "4096 bytes are not a text of at most 4095"));
	path[4095] = '\0';
	check("a path of 4,095 bytes", setting_parse(SET_logfile, path, &v, &f));
	setting_value_free(SET_logfile, &v);
	/* A fault shows the beginning of a long value, never half a character. */
	memset(path, 'a', sizeof path - 1);
	memcpy(path + 77, "\xc3\xa4\xc3\xa4", 4);
	check("a long word", !setting_parse(SET_pool_mode, path, &v, &f));
	check("not half of it", !strstr(f.text, "\xc3\"") && strstr(f.text, "one of session"));
}

/* Every row is whole: its default is one of its values, and comes back as it was. */
static void test_table(void)
{
	struct settings s;
	struct fault f;
	check("defaults", settings_init(&s));
	for (int i = 0; i < SET_COUNT; i++) {
		const struct setting *row = &settings_table[i];
		struct sb shown = { 0 };
		struct setting_value again = { 0, NULL };
		enum setting_id id = (enum setting_id)i;
		setting_show(id, &s.v[i], &shown);
		check_str(row->name, sb_str(&shown), row->def);
		check(row->name,
		      setting_parse(id, sb_str(&shown), &again, &f) && setting_value_same(id, &again, &s.v[i]));
		check_eq(row->name, setting_find(row->name), i);
		check(row->name, row->scope && row->when);
		check(row->name, row->text[strlen(row->text) - 1] == '.' && !strchr(row->text, '\n'));
		check_eq(row->name, setting_later(row->name, "x", SCOPE_GLOBAL), LATER_UNKNOWN);
		setting_value_free(id, &again);
		sb_free(&shown);
	}
	check_eq("case does not matter", setting_find("LISTEN_Port"), SET_listen_port);
	check_eq("no such name", setting_find("listen"), -1);
	check_eq("nor this", setting_find(""), -1);
	settings_free(&s);
}

static void test_nearest(void)
{
	static const struct {
		const char *name, *near;
	} names[] = {
		{ "listen_prot", "listen_port" },
		{ "LISTEN_PROT", "listen_port" },
		{ "defualt_pool_size", "default_pool_size" },
		{ "max_client_conns", "max_client_conn" },
		{ "server_lifetimes", "server_lifetime" },
		{ "usr", "user" },
		{ "cat", NULL },
		{ "", NULL },
		{ "something_else_entirely", NULL },
	};
	for (size_t i = 0; i < COUNT(names); i++) {
		const char *near = setting_nearest(names[i].name);
		check_str(names[i].name, near ? near : "none", names[i].near ? names[i].near : "none");
	}
	char longest[4096];
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	check("a name as long as a line", !setting_nearest(longest));
}

static void test_later(void)
{
	static const struct {
		const char *name, *value;
		unsigned scope;
		enum later_is is;
	} rows[] = {
		{ "job_name", "pgbouncer", SCOPE_GLOBAL, LATER_OFF },
		{ "job_name", "other", SCOPE_GLOBAL, LATER_MOOT },
		{ "JOB_NAME", "PgBouncer", SCOPE_GLOBAL, LATER_OFF },
		{ "dns_zone_check_period", "0", SCOPE_GLOBAL, LATER_OFF },
		{ "dns_zone_check_period", "0.0", SCOPE_GLOBAL, LATER_OFF },
		{ "dns_zone_check_period", "0.5", SCOPE_GLOBAL, LATER_MOOT },
		{ "dns_zone_check_period", "00", SCOPE_GLOBAL, LATER_MOOT },
		{ "dns_zone_check_period", "5", SCOPE_DATABASE, LATER_UNKNOWN },
		{ "target_session_attrs", "primary", SCOPE_DATABASE, LATER_WANTED },
		{ "conffile", "", SCOPE_GLOBAL, LATER_OFF },
		{ "conffile", "/x", SCOPE_GLOBAL, LATER_MOOT },
		{ "target_session_attrs", "any", SCOPE_GLOBAL, LATER_UNKNOWN },
		{ "listen_port", "6432", SCOPE_GLOBAL, LATER_UNKNOWN },
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		check_eq(rows[i].name, setting_later(rows[i].name, rows[i].value, rows[i].scope), rows[i].is);
}

/* What a page of roff made of our own texts must look like; the tests of the whole run groff over it. */
static void test_man(void)
{
	char *page = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&page, &len);
	if (!check("memory", f != NULL))
		return;
	settings_man(f);
	fclose(f);
	unsigned heads = 0;
	for (char *line = strtok(page, "\n"); line; line = strtok(NULL, "\n")) {
		if (*line == '.')
			check(line,
			      strcmp(line, ".TP") == 0 || strcmp(line, ".br") == 0 || strncmp(line, ".B ", 3) == 0);
		heads += strcmp(line, ".TP") == 0;
		check(line, *line != '\'' && !strchr(line, '\t'));
		for (const char *p = line; (p = strchr(p, '\\')); p += 2)
			check(line, p[1] && strchr("-e(&", p[1]));
		for (const char *p = line; (p = strchr(p, '-')); p++)
			check(line, p > line && p[-1] == '\\');
	}
	check_eq("a paragraph for each setting", heads, SET_COUNT);
	free(page);

	f = open_memstream(&page, &len);
	if (!check("memory", f != NULL))
		return;
	settings_man_text(f, ".B 'a-b' \"c\" \\d");
	fclose(f);
	check_str("nothing is a request", page, "\\&.B \\(aqa\\-b\\(aq \\(dqc\\(dq \\ed");
	free(page);
}

static void test_nomem(void)
{
	struct settings s, copy;
	for (unsigned n = 0; nomem_next(&n);)
		if (settings_init(&s)) {
			check("all or nothing", !nomem_hit());
			settings_free(&s);
		}
	check("defaults", settings_init(&s));
	for (unsigned n = 0; nomem_next(&n);)
		if (settings_copy(&copy, &s)) {
			check("all or nothing", !nomem_hit());
			settings_free(&copy);
		}
	for (unsigned n = 0; nomem_next(&n);) {
		struct fault f;
		struct setting_value v = { 0, NULL };
		check("a fault is told all the same", !setting_parse(SET_pool_mode, "x", &v, &f) && f.text[0]);
	}
	settings_free(&s);
}

void suite_settings(void)
{
	static const struct unit_test tests[] = {
		{ "values", test_values },
		{ "too long", test_too_long },
		{ "every row of the table", test_table },
		{ "nearest name", test_nearest },
		{ "not served yet", test_later },
		{ "manual", test_man },
		{ "out of memory", test_nomem },
		{ NULL, NULL },
	};
	unit_add("settings", tests);
}
