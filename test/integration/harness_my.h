/* harness_my.h - harness.h for the mysql door: a real MariaDB or MySQL of the program's own instead of PostgreSQL, and
 * clients by libmariadb.
 *
 * harness_my_main() stands for harness_main(). The server is MariaDB of the PATH; TEST_MY_BINDIR names the folder of
 * MySQL's programs instead (../servers/get.sh mysql has some). As with PostgreSQL it is put back to how it was
 * (running) after each test. A fresh data directory is made once and kept in ${XDG_CACHE_HOME:-~/.cache}/sluice.
 * With TEST_MY_OLD Sluice sees it as a server of before session tracking: what greets it is edited on its way, and is
 * of the version that TEST_MY_OLD names ("same": its own). */
#ifndef SLUICE_TEST_HARNESS_MY_H
#define SLUICE_TEST_HARNESS_MY_H

#include "harness.h"

#include <mysql.h>

int harness_my_main(int argc, char **argv, const char *suite, const struct unit_test *tests);

/* --- The server: a database `test`; alice may do all, bob and carol what they like in `test`. Each has the password
 * "<name>-secret", by the server's default method (mysql_native_password or caching_sha2_password). There are
 * `ed25519` (MariaDB's), `sha2` (caching_sha2_password; MySQL's), `nopass` (its password is empty) and `tls` (may only
 * come encrypted) besides. root has no password, and comes by the unix socket. */
int my_port(void); /* where Sluice finds it */
const char *my_socket_path(void);
bool my_is_mysql(void); /* MySQL, not MariaDB */
bool my_tells(void);    /* what changes in a session; no: it is seen as an old one, by TEST_MY_OLD */
void my_start(void);
void my_stop(int sig); /* SIGTERM: in order, SIGKILL: as a crash */
/* SQL on a straight connection as root; fails the test when it fails. */
void my_sql(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The first field of the first row, "" when there is none. */
char *my_scalar(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* How many connections has the server, of whoever is not root? */
int my_servers(void);

/* --- Sluice. @MY@ is "host=127.0.0.1 port=..." of the server, @MYPORT@ and @MYSOCKET@ likewise, @STUB@ as ever. What
 * struct conf leaves out is "test = kind=mysql @MY@", and the mysql door on sluice_my_port(). In run()'s commands $MY
 * is words for a client's command line that lead through Sluice as alice, $STRAIGHT to the server. */

/* --- Clients, closed with the test. What is 0 or NULL is: alice with her password, database test, through Sluice. */
struct my_how {
	const char *user, *password, *database; /* database "": none */
	unsigned long flags;                    /* CLIENT_... */
	bool straight;                          /* at the server */
	bool unix_socket;
	bool tls;
	const char *charset;
	const char *plugin; /* the method it begins with */
	const char *attr;   /* a connection attribute test_attr of this value */
	int port;           /* another one */
};
MYSQL *my_client(const struct my_how *how); /* must get in; NULL: as above */
MYSQL *my_straight(void);
/* NULL when it is refused; *e is why: "1045 28000 Access denied ...". */
MYSQL *my_try(const struct my_how *how, char **e);
#define check_my_refused(how, code, sqlstate, part) check_my_refused_at(__FILE__, __LINE__, how, code, sqlstate, part)
void check_my_refused_at(const char *file, int line, const struct my_how *how, unsigned code, const char *sqlstate,
			 const char *part);
void my_close(MYSQL *c);
MYSQL *my_console(void); /* as admin */
/* Its id in SHOW CLIENTS, by its number: of a session, as it says. */
#define my_id(number) text("%lu", (unsigned long)(number) % 1000000)

/* Runs it, all its results read; it must succeed. */
#define my_run(c, ...) my_run_at(__FILE__, __LINE__, c, __VA_ARGS__)
bool my_run_at(const char *file, int line, MYSQL *c, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The same, and what came: results with ';' between them, rows with '|' and fields with ','; an OK is "ok" and the rows
 * affected. NULLs are "null", an error "error 1064". */
char *my_all(MYSQL *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define check_my(c, query, want) check_str(query, my_all(c, "%s", query), want)
/* It must fail so. part may be NULL. */
#define check_my_fails(c, query, code, sqlstate, part)                                                                 \
	check_my_fails_at(__FILE__, __LINE__, c, query, code, sqlstate, part)
void check_my_fails_at(const char *file, int line, MYSQL *c, const char *query, unsigned code, const char *sqlstate,
		       const char *part);
/* "1045 28000 text" of the last error. */
char *my_error(MYSQL *c);
/* SHOW <what> on the console: the field in the row where key is value (key NULL: the first row), or NULL. */
char *my_show(MYSQL *console, const char *what, const char *key, const char *value, const char *field);

#endif
