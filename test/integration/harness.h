/* harness.h - what every integration program uses: a real PostgreSQL of its own, Sluice in front of it, and clients.
 *
 * harness_main() makes a temporary directory, starts PostgreSQL in it, runs the tests, and leaves nothing behind,
 * however the program ends. A test starts Sluice with the configuration it wants; when the test is over its clients are
 * closed, Sluice is stopped with SIGTERM and must exit with status 0 and without a sanitizer's report, and PostgreSQL
 * is put back to how it was (running, pg_hba.conf trusting everybody).
 *
 * Nothing waits by sleeping: wait_until() polls for what should come to pass. The environment's SLUICE_BIN names the
 * program under test; PgBouncer's works too, which shows that a test asks for what PgBouncer's users know. As root,
 * PostgreSQL and Sluice run as the user postgres (or nobody). TEST_PG_BINDIR names the folder of another PostgreSQL's
 * programs than the one that pg_config finds, TEST_CLIENT_BINDIR that of psql and its like; ../servers/ has some. */
#ifndef SLUICE_TEST_HARNESS_H
#define SLUICE_TEST_HARNESS_H

#include "../unit/unit.h"

#include <libpq-fe.h>
#include <signal.h>
#include <sys/types.h>

#define PATIENCE_MS 60000 /* longer than anything that works takes, even on a slow machine with sanitizers */

/* Runs the tests (all, or those named on the command line) and prints "N passed, N failed, N skipped". */
int harness_main(int argc, char **argv, const char *suite, const struct unit_test *tests);
/* The test that calls it counts as skipped; it should return then. */
void skip(const char *why);
/* 0: Sluice. Else PgBouncer's version, 118 for 1.18. */
int peer_version(void);

/* Like check(), but a failure ends the test. */
#define require(what, cond) require_at(__FILE__, __LINE__, (what), (cond))
void require_at(const char *file, int line, const char *what, bool ok);
/* Polls until cond holds; when it does not come to hold the test fails and ends. */
#define wait_until(what, cond)                                                                                         \
	do {                                                                                                           \
		uint64_t until_ = now_ms() + PATIENCE_MS;                                                              \
		bool ok_;                                                                                              \
		while (!(ok_ = (cond)) && now_ms() < until_)                                                           \
			poll_pause();                                                                                  \
		require((what), ok_);                                                                                  \
	} while (0)
uint64_t now_ms(void);
void poll_pause(void); /* a few milliseconds between two looks */

/* The next number of a row that is always the same for the same seed. */
uint64_t chance(uint64_t *state);

/* A text that lives until the test is over. */
char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* --- Programs. Each runs in the shell as the unprivileged user, with the environment's PGHOST, PGPORT, PGUSER and
 * PGDATABASE pointing at Sluice. */
/* Exit status, or -1 if it did not end in time; *out is its output and errors, living until the test is over. */
int run(char **out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* In the background: the pid, ended with the test; its output in the file dir()/name. */
pid_t run_in_background(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Has it? *status: its exit status, or 128 + signal. Asked again after that it has not. */
bool has_ended(pid_t pid, int *status);
const char *dir(void);
/* A port that nobody listens on just now. */
int free_port(void);
char *file_text(const char *path); /* "" when it is not there */
void write_text(const char *path, const char *content);

/* --- PostgreSQL: a database `test`, and superusers `postgres` and `alice`; `bob` and `carol` are ordinary. All four
 * (and Sluice's `admin` and `stats`) have the password "<name>-secret". */
int pg_port(void);
const char *pg_socket_dir(void);
void pg_start(void);
void pg_stop(int sig); /* SIGINT: fast, SIGQUIT: immediate, SIGKILL: the whole group, as a crash of the machine */
/* Replaces pg_hba.conf, for new connections. */
void pg_hba(const char *lines);
/* SQL on a straight connection as postgres; fails the test when it fails. */
void pg_sql(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The first field of the first row, "" when there is none. */
char *pg_scalar(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* How many server connections has PostgreSQL that came through Sluice to the database `test`? */
int pg_servers(void);
int pg_sleepers(void); /* how many of its statements are a pg_sleep(100) */

/* --- A PostgreSQL that the test plays itself, for what a real one does not do to order: @STUB@ is its "host=127.0.0.1
 * port=...", @STUBPORT@ and @STUBDIR@ (its
 * socket's) likewise. Open it before Sluice starts; it is closed with the clients. What it says and hears goes by the
 * raw calls below. A login that needs a server waits for one, so begin it (client_start(), raw_startup()), and let
 * Sluice in. */
void stub_open(void);
int stub_port(void);
void stub_close(void);       /* takes no more connections; those that it has go on */
int stub_accept(void);       /* Sluice's next connection */
int stub_startup(void);      /* the same, and its start-up packet is read */
uint32_t stub_version(void); /* of the protocol, in the start-up packet that was read last */
void stub_let_in(int fd);    /* asks for no password, tells what servers tell, and is ready */
int stub_login(void);        /* stub_startup() and stub_let_in() */

/* --- Sluice. In all texts @PG@ is "host=127.0.0.1 port=..." of PostgreSQL, @PGPORT@, @PGDIR@ (its socket's) and @DIR@
 * (ours) likewise. */
struct conf {
	const char *databases; /* lines of [databases]; NULL: "test = @PG@" */
	const char *settings;  /* lines of the global section; what the harness needs is added to them */
	const char *users;     /* lines of [users] */
	const char *auth_file; /* NULL: all users with their plain passwords */
	const char *args;      /* more words for the command line */
	bool as_root;          /* do not drop privileges before it is started (args has -u then) */
};
void sluice_start(const struct conf *c);
/* Starts with these global settings and the rest by default. */
void sluice_with(const char *settings);
void sluice_configure(const struct conf *c); /* rewrites its files; RELOAD and SIGHUP are the caller's */
/* Closes the clients, ends it in order and checks how it ended, and sees to it that the server is through with all of
 * their connections, so that whoever counts those has none of another Sluice's among them; also done when the test is
 * over. */
void sluice_stop(void);
void sluice_signal(int sig);
bool sluice_is_running(void);
int sluice_wait_exit(void); /* exit status, 128 + signal, or -1 */
pid_t sluice_pid(void);
int sluice_port(void);
int sluice_my_port(void); /* of the mysql door, in a program of harness_my.h */
const char *sluice_my_socket(void);
const char *sluice_socket_dir(void);
bool sluice_logged(const char *part);

/* --- Clients. conninfo is added to "host=127.0.0.1 port=<Sluice's> user=alice dbname=test"; NULL adds nothing. Closed
 * with the test. */
PGconn *client(const char *conninfo, ...) __attribute__((format(printf, 1, 2)));       /* must get in */
PGconn *client_start(const char *conninfo, ...) __attribute__((format(printf, 1, 2))); /* PQconnectStart() */
PGconn *client_try(const char *conninfo, ...) __attribute__((format(printf, 1, 2)));   /* NULL when it is refused */
PGconn *client_to_pg(const char *conninfo, ...) __attribute__((format(printf, 1, 2)));
void client_close(PGconn *c);
PGconn *console(void); /* as admin */

/* Runs until the connection is made (true) or refused. */
bool client_finish_start(PGconn *c);
/* The login must fail with this SQLSTATE and a text that has this part in it. */
#define check_login_fails(sqlstate, part, ...) check_login_fails_at(__FILE__, __LINE__, sqlstate, part, __VA_ARGS__)
void check_login_fails_at(const char *file, int line, const char *sqlstate, const char *part, const char *conninfo, ...)
	__attribute__((format(printf, 5, 6)));

/* Runs SQL by the simple protocol; it must succeed. */
#define sql(c, ...) sql_at(__FILE__, __LINE__, c, __VA_ARGS__)
void sql_at(const char *file, int line, PGconn *c, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The last result's first field, "" when it has none; "(error)" text when it failed, which fails the test too. */
#define scalar(c, ...) scalar_at(__FILE__, __LINE__, c, __VA_ARGS__)
char *scalar_at(const char *file, int line, PGconn *c, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
#define check_scalar(c, query, want) check_str(query, scalar(c, "%s", query), want)
/* Sends it, and waits for nothing. */
void sql_start(PGconn *c, const char *query);
/* Takes all that comes for it: the last result, or NULL. */
PGresult *sql_last(PGconn *c);
/* Likewise, and none may be an error: the last result's first field, "" when it has none. */
char *sql_finish(PGconn *c);
/* By the extended protocol, unnamed, with up to two text parameters (NULL: none). */
char *scalar_params(PGconn *c, const char *query, const char *p1, const char *p2);
/* It must fail so. sqlstate or part may be NULL. */
#define check_sql_fails(c, query, sqlstate, part) check_sql_fails_at(__FILE__, __LINE__, c, query, sqlstate, part)
void check_sql_fails_at(const char *file, int line, PGconn *c, const char *query, const char *sqlstate,
			const char *part);
#define check_result_fails(c, res, sqlstate, part) check_result_fails_at(__FILE__, __LINE__, c, res, sqlstate, part)
/* Clears res. */
void check_result_fails_at(const char *file, int line, PGconn *c, PGresult *res, const char *sqlstate,
			   const char *part);
void client_cancel(PGconn *c); /* by a request of its own */
char *pid_of(PGconn *c);       /* of the server that runs what it says now */
/* Is an answer complete, so that PQgetResult() will not block? Reads what is there. */
bool is_answered(PGconn *c);
/* SHOW <what>: the field in the row where key is value (key NULL: the first row), or NULL if there is none. */
char *show(PGconn *console, const char *what, const char *key, const char *value, const char *field);
int show_int(PGconn *console, const char *what, const char *key, const char *value, const char *field);
int stat_of(PGconn *console, const char *name); /* total_<name> of SHOW TOTALS */

/* --- Raw sockets to Sluice, for what no client library would say. All wait at most PATIENCE_MS. */
int raw_open(void);
int raw_to(int port);   /* -1 when nobody listens */
int raw_try_open(void); /* likewise */
int raw_open_unix(void);
bool raw_send(int fd, const void *bytes, size_t n); /* false when the other end is gone */
bool raw_startup(int fd, const char *user, const char *database);
/* What a login under this name is asked for: "md5", "plain", or SCRAM's number of iterations. */
char *raw_asked(const char *user, const char *database);
/* Sends one message. */
bool raw_message(int fd, char type, const void *body, size_t n);
/* Reads exactly n bytes. */
bool raw_read(int fd, void *buf, size_t n);
/* Reads to the end of the connection: the number of bytes (those that fit are kept in buf), or -1 when it is not
 * closed in time. */
ssize_t raw_read_all(int fd, char *buf, size_t size);
/* Reads one message; its body, NUL behind it, in buf. */
bool raw_next(int fd, char *type, char *buf, size_t size, size_t *len);
/* Reads messages up to and with the next one of this type; its body, NUL behind it, in buf. False when the connection
 * ends first or it does not come. */
bool raw_expect(int fd, char type, char *buf, size_t size, size_t *len);
/* A field ('C': SQLSTATE, 'M': text) of an ErrorResponse's body; "" when it has none. */
const char *error_field(const char *body, size_t len, char field);
void raw_close(int fd);

#endif
