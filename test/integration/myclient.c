/* myclient.c - the clients of integration tests of the mysql door, by libmariadb. */
#include "harness_int.h"
#include "harness_my.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CLIENTS = 512 };

static MYSQL *clients[MAX_CLIENTS];
static size_t nclients;

void my_clients_close(void)
{
	while (nclients)
		mysql_close(clients[--nclients]);
}

void my_close(MYSQL *c)
{
	for (size_t i = 0; i < nclients; i++)
		if (clients[i] == c) {
			clients[i] = clients[--nclients];
			mysql_close(c);
			return;
		}
}

char *my_error(MYSQL *c)
{
	return text("%u %s %s", mysql_errno(c), mysql_sqlstate(c), mysql_error(c));
}

MYSQL *my_try(const struct my_how *how, char **e)
{
	static const struct my_how usual = { 0 };
	unsigned seconds = PATIENCE_MS / 1000;
	my_bool yes = 1, no = 0;
	how = how ? how : &usual;
	const char *user = how->user ? how->user : "alice";
	const char *password = how->password ? how->password : text("%s-secret", user);
	const char *database = !how->database ? "test" : *how->database ? how->database : NULL;
	const char *socket = !how->unix_socket ? NULL : how->straight ? my_socket_path() : sluice_my_socket();
	MYSQL *c = mysql_init(NULL);
	require("room for one more client", c && nclients < MAX_CLIENTS);
	mysql_optionsv(c, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
	mysql_optionsv(c, MYSQL_OPT_READ_TIMEOUT, &seconds);
	mysql_optionsv(c, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
	mysql_optionsv(c, MYSQL_SET_CHARSET_NAME, how->charset ? how->charset : "utf8mb4");
	if (how->tls)
		mysql_optionsv(c, MYSQL_OPT_SSL_ENFORCE, &yes);
	mysql_optionsv(c, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &no);
	if (how->plugin)
		mysql_optionsv(c, MYSQL_DEFAULT_AUTH, how->plugin);
	if (how->attr)
		mysql_optionsv(c, MYSQL_OPT_CONNECT_ATTR_ADD, "test_attr", how->attr);
	if (getenv("TEST_MY_COMPRESS")) /* whatever is tested works with it too */
		mysql_optionsv(c, MYSQL_OPT_COMPRESS, NULL);
	int port = how->port ? how->port : how->straight ? my_port() : sluice_my_port();
	if (mysql_real_connect(c, socket ? NULL : "127.0.0.1", user, password, database, (unsigned)port, socket,
			       how->flags)) {
		clients[nclients++] = c;
		return c;
	}
	if (e)
		*e = my_error(c);
	mysql_close(c);
	return NULL;
}

MYSQL *my_client(const struct my_how *how)
{
	char *e = NULL;
	MYSQL *c = my_try(how, &e);
	require(c ? "a client gets in" : text("a client gets in: %s", e), c != NULL);
	return c;
}

MYSQL *my_straight(void)
{
	return my_client(&(struct my_how){ .straight = true, .flags = CLIENT_MULTI_STATEMENTS });
}

MYSQL *my_console(void)
{
	return my_client(&(struct my_how){ .user = "admin", .database = "sluice" });
}

static void check_error(const char *file, int line, const char *what, char *got, unsigned code, const char *sqlstate,
			const char *part)
{
	char *want = text("%u %s ", code, sqlstate);
	bool ok = got && strncmp(got, want, strlen(want)) == 0 && (!part || strstr(got, part));
	unit_check(file, line,
		   ok ? what
		      : text("%s: got \"%s\", want \"%s... %s\"", what, got ? got : "no error", want, part ? part : ""),
		   ok);
}

void check_my_refused_at(const char *file, int line, const struct my_how *how, unsigned code, const char *sqlstate,
			 const char *part)
{
	char *e = NULL;
	MYSQL *c = my_try(how, &e);
	check_error(file, line, "a login that is refused", c ? NULL : e, code, sqlstate, part);
	if (c)
		my_close(c);
}

/* All results, as my_all() tells them. */
static char *answers(MYSQL *c)
{
	char *out = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&out, &size);
	if (!f)
		abort();
	for (int more = 0, n = 0; more == 0; more = mysql_next_result(c), n++) {
		MYSQL_RES *r = mysql_store_result(c);
		fputs(n ? ";" : "", f);
		if (!r) {
			if (mysql_errno(c))
				break;
			fprintf(f, "ok %llu", (unsigned long long)mysql_affected_rows(c));
			continue;
		}
		unsigned fields = mysql_num_fields(r), rows = 0;
		MYSQL_ROW row;
		while ((row = mysql_fetch_row(r))) {
			unsigned long *len = mysql_fetch_lengths(r);
			fputs(rows++ ? "|" : "", f);
			for (unsigned i = 0; i < fields; i++) {
				fputs(i ? "," : "", f);
				if (row[i])
					fwrite(row[i], 1, len[i], f);
				else
					fputs("null", f);
			}
		}
		mysql_free_result(r);
	}
	if (mysql_errno(c))
		fprintf(f, "error %u", mysql_errno(c));
	fclose(f);
	char *k = keep(out, size);
	free(out);
	return k;
}

char *my_all(MYSQL *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *what = vtext(fmt, ap);
	va_end(ap);
	if (mysql_real_query(c, what, strlen(what)) != 0)
		return text("error %u", mysql_errno(c));
	return answers(c);
}

bool my_run_at(const char *file, int line, MYSQL *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *what = vtext(fmt, ap);
	va_end(ap);
	bool ok = mysql_real_query(c, what, strlen(what)) == 0;
	if (ok)
		(void)answers(c);
	ok = ok && mysql_errno(c) == 0;
	return unit_check(file, line, ok ? what : text("%.200s: %s", what, my_error(c)), ok);
}

void check_my_fails_at(const char *file, int line, MYSQL *c, const char *query, unsigned code, const char *sqlstate,
		       const char *part)
{
	bool ok = mysql_real_query(c, query, strlen(query)) == 0;
	if (ok)
		(void)answers(c);
	check_error(file, line, query, mysql_errno(c) ? my_error(c) : NULL, code, sqlstate, part);
}

char *my_show(MYSQL *console, const char *what, const char *key, const char *value, const char *field)
{
	char *found = NULL;
	const char *query = text("SHOW %s", what);
	require(query, mysql_real_query(console, query, strlen(query)) == 0);
	MYSQL_RES *r = mysql_store_result(console);
	require(query, r != NULL);
	int at_key = -1, at_field = -1;
	for (unsigned i = 0; i < mysql_num_fields(r); i++) {
		const char *name = mysql_fetch_field_direct(r, i)->name;
		at_key = key && strcmp(name, key) == 0 ? (int)i : at_key;
		at_field = strcmp(name, field) == 0 ? (int)i : at_field;
	}
	MYSQL_ROW row;
	while (at_field >= 0 && !found && (row = mysql_fetch_row(r)))
		if (!key || (at_key >= 0 && row[at_key] && strcmp(row[at_key], value) == 0))
			found = text("%s", row[at_field] ? row[at_field] : "");
	mysql_free_result(r);
	return found;
}
