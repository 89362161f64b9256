/* client.c - the clients of integration tests: libpq, libpq with its wire overheard, and raw sockets. */
#include "harness_int.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_CLIENTS = 1024 };

static PGconn *clients[MAX_CLIENTS];
static size_t nclients;
static int raws[MAX_CLIENTS];
static size_t nraws;

/* ------------------------------------------------------------------------------------------------ libpq */

static void ignore_notice(void *arg, const PGresult *r)
{
	(void)arg, (void)r;
}

static PGconn *keep_client(PGconn *c)
{
	require("room for one more client", c && nclients < MAX_CLIENTS);
	PQsetNoticeReceiver(c, ignore_notice, NULL);
	clients[nclients++] = c;
	return c;
}

void client_close(PGconn *c)
{
	for (size_t i = 0; i < nclients; i++)
		if (clients[i] == c) {
			clients[i] = clients[--nclients];
			PQfinish(c);
			return;
		}
}

void clients_close(void)
{
	while (nclients)
		PQfinish(clients[--nclients]);
	while (nraws)
		close(raws[--nraws]);
	stub_close();
}

/* Later words of a conninfo win. */
static char *conninfo_to(int port, const char *user, const char *more)
{
	return text("host=127.0.0.1 port=%d user=%s dbname=test connect_timeout=%d %s", port, user, PATIENCE_MS / 1000,
		    more);
}

PGconn *client(const char *conninfo, ...)
{
	va_list ap;
	va_start(ap, conninfo);
	char *info = conninfo_to(sluice_port(), "alice", conninfo ? vtext(conninfo, ap) : "");
	va_end(ap);
	PGconn *c = keep_client(PQconnectdb(info));
	require(PQstatus(c) == CONNECTION_OK ? info : text("%s: %s", info, PQerrorMessage(c)),
		PQstatus(c) == CONNECTION_OK);
	return c;
}

PGconn *client_start(const char *conninfo, ...)
{
	va_list ap;
	va_start(ap, conninfo);
	char *info = conninfo_to(sluice_port(), "alice", conninfo ? vtext(conninfo, ap) : "");
	va_end(ap);
	return keep_client(PQconnectStart(info));
}

PGconn *client_try(const char *conninfo, ...)
{
	va_list ap;
	va_start(ap, conninfo);
	char *info = conninfo_to(sluice_port(), "alice", conninfo ? vtext(conninfo, ap) : "");
	va_end(ap);
	PGconn *c = keep_client(PQconnectStart(info));
	if (client_finish_start(c))
		return c;
	client_close(c);
	return NULL;
}

PGconn *client_to_pg(const char *conninfo, ...)
{
	va_list ap;
	va_start(ap, conninfo);
	char *info = conninfo_to(pg_port(), "alice", conninfo ? vtext(conninfo, ap) : "");
	va_end(ap);
	PGconn *c = keep_client(PQconnectdb(info));
	require(info, PQstatus(c) == CONNECTION_OK);
	return c;
}

PGconn *console(void)
{
	return client("user=admin password=admin-secret dbname=pgbouncer");
}

bool client_finish_start(PGconn *c)
{
	if (PQstatus(c) == CONNECTION_BAD)
		return false;
	PostgresPollingStatusType want = PGRES_POLLING_WRITING;
	for (uint64_t until = now_ms() + PATIENCE_MS; now_ms() < until;) {
		struct pollfd p = { PQsocket(c), want == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0 };
		if (poll(&p, 1, 100) > 0)
			want = PQconnectPoll(c);
		if (want == PGRES_POLLING_OK || want == PGRES_POLLING_FAILED)
			return want == PGRES_POLLING_OK;
	}
	require("a login is answered in time", false);
	return false;
}

void sql_at(const char *file, int line, PGconn *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *query = vtext(fmt, ap);
	va_end(ap);
	PGresult *r = PQexec(c, query);
	ExecStatusType s = PQresultStatus(r);
	bool ok = s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK || s == PGRES_EMPTY_QUERY;
	unit_check(file, line, ok ? query : text("%.200s: %s", query, PQerrorMessage(c)), ok);
	PQclear(r);
}

/* The first field of a result, which it clears. */
static char *first_field(const char *file, int line, PGconn *c, const char *query, PGresult *r)
{
	ExecStatusType s = PQresultStatus(r);
	bool ok = s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK || s == PGRES_EMPTY_QUERY;
	unit_check(file, line, ok ? query : text("%.200s: %s", query, PQerrorMessage(c)), ok);
	char *got = !ok                            ? text("(error)")
		    : PQntuples(r) && PQnfields(r) ? keep(PQgetvalue(r, 0, 0), (size_t)PQgetlength(r, 0, 0))
						   : text("%s", "");
	PQclear(r);
	return got;
}

char *scalar_at(const char *file, int line, PGconn *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *query = vtext(fmt, ap);
	va_end(ap);
	return first_field(file, line, c, query, PQexec(c, query));
}

char *scalar_params(PGconn *c, const char *query, const char *p1, const char *p2)
{
	const char *const values[2] = { p1, p2 };
	int n = p2 ? 2 : p1 ? 1 : 0;
	return first_field(__FILE__, __LINE__, c, query, PQexecParams(c, query, n, NULL, values, NULL, NULL, 0));
}

void check_result_fails_at(const char *file, int line, PGconn *c, PGresult *r, const char *sqlstate, const char *part)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *message = r ? PQresultErrorMessage(r) : PQerrorMessage(c);
	ExecStatusType s = PQresultStatus(r);
	unit_check(file, line, text("fails, and not %s", PQresStatus(s)), s == PGRES_FATAL_ERROR);
	if (sqlstate)
		unit_check_str(file, line, text("SQLSTATE of: %s", message), state ? state : "(none)", sqlstate);
	if (part)
		unit_check(file, line, text("\"%s\" should be in: %s", part, message), strstr(message, part) != NULL);
	PQclear(r);
}

void check_sql_fails_at(const char *file, int line, PGconn *c, const char *query, const char *sqlstate,
			const char *part)
{
	/* Not PQexec(): of a fatal error it would tell only that the connection is gone. */
	PGresult *r, *first = NULL;
	unit_check(file, line, text("%s: %s", query, PQerrorMessage(c)), PQsendQuery(c, query));
	while ((r = PQgetResult(c)))
		if (!first && PQresultStatus(r) == PGRES_FATAL_ERROR)
			first = r;
		else
			PQclear(r);
	check_result_fails_at(file, line, c, first, sqlstate, part);
}

void sql_start(PGconn *c, const char *query)
{
	check(query, PQsendQuery(c, query));
	PQflush(c);
}

PGresult *sql_last(PGconn *c)
{
	PGresult *r, *got = NULL;
	wait_until("an answer", is_answered(c));
	while ((r = PQgetResult(c))) {
		PQclear(got);
		got = r;
	}
	return got;
}

char *sql_finish(PGconn *c)
{
	char *got = text("%s", "");
	PGresult *r;
	wait_until("an answer", is_answered(c));
	while ((r = PQgetResult(c))) {
		ExecStatusType s = PQresultStatus(r);
		check(text("no error: %s", PQresultErrorMessage(r)), s == PGRES_TUPLES_OK || s == PGRES_COMMAND_OK);
		if (PQntuples(r))
			got = text("%s", PQgetvalue(r, 0, 0));
		PQclear(r);
	}
	return got;
}

void client_cancel(PGconn *c)
{
	char why[256] = "";
	PGcancel *key = PQgetCancel(c);
	check(text("cancel: %s", why), PQcancel(key, why, sizeof why) == 1);
	PQfreeCancel(key);
}

char *pid_of(PGconn *c)
{
	return scalar(c, "select pg_backend_pid()");
}

bool is_answered(PGconn *c)
{
	return !PQconsumeInput(c) || !PQisBusy(c);
}

char *show(PGconn *c, const char *what, const char *key, const char *value, const char *field)
{
	PGresult *r = PQexec(c, text("SHOW %s", what));
	bool ok = PQresultStatus(r) == PGRES_TUPLES_OK;
	require(ok ? what : text("SHOW %s: %s", what, PQerrorMessage(c)), ok);
	int at_key = key ? PQfnumber(r, key) : 0, at = PQfnumber(r, field);
	require(text("SHOW %s has \"%s\" and \"%s\"", what, key ? key : field, field), at >= 0 && at_key >= 0);
	char *got = NULL;
	for (int i = 0; i < PQntuples(r) && !got; i++)
		if (!key || strcmp(PQgetvalue(r, i, at_key), value) == 0)
			got = text("%s", PQgetvalue(r, i, at));
	PQclear(r);
	return got;
}

int show_int(PGconn *c, const char *what, const char *key, const char *value, const char *field)
{
	char *got = show(c, what, key, value, field);
	return got ? atoi(got) : -1;
}

/* ------------------------------------------------------------------------------------------------ sockets */

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static bool is_readable(int fd, uint64_t until)
{
	uint64_t now = now_ms();
	struct pollfd p = { fd, POLLIN, 0 };
	return now < until && poll(&p, 1, (int)(until - now)) > 0;
}

void raw_keep(int fd)
{
	require("room for one more socket", fd >= 0 && nraws < MAX_CLIENTS);
	raws[nraws++] = fd;
}

int raw_to(int port)
{
	struct sockaddr_in a = loopback(port);
	struct timeval patience = { PATIENCE_MS / 1000, 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	raw_keep(fd);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0)
		return fd;
	raw_close(fd);
	return -1;
}

int raw_try_open(void)
{
	return raw_to(sluice_port());
}

int raw_open_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval patience = { PATIENCE_MS / 1000, 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	raw_keep(fd);
	snprintf(a.sun_path, sizeof a.sun_path, "%s/.s.PGSQL.%d", sluice_socket_dir(), sluice_port());
	require("a raw connection", connect(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
					    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0);
	return fd;
}

int raw_open(void)
{
	int fd = raw_try_open();
	require("a raw connection", fd >= 0);
	return fd;
}

void raw_close(int fd)
{
	for (size_t i = 0; i < nraws; i++)
		if (raws[i] == fd) {
			raws[i] = raws[--nraws];
			close(fd);
			return;
		}
}

bool raw_send(int fd, const void *bytes, size_t n)
{
	const char *at = bytes;
	while (n) {
		ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		at += sent;
		n -= (size_t)sent;
	}
	return true;
}

static void put_u32(char *at, size_t v)
{
	uint32_t be = htonl((uint32_t)v);
	memcpy(at, &be, 4);
}

bool raw_startup(int fd, const char *user, const char *database)
{
	char p[512] = { 0 };
	size_t n = 8;
	put_u32(p + 4, 3 << 16);
	n += (size_t)snprintf(p + n, 6, "user") + 1;
	n += (size_t)snprintf(p + n, 200, "%s", user) + 1;
	n += (size_t)snprintf(p + n, 10, "database") + 1;
	n += (size_t)snprintf(p + n, 200, "%s", database) + 1;
	n++;
	put_u32(p, n);
	return raw_send(fd, p, n);
}

bool raw_message(int fd, char type, const void *body, size_t n)
{
	char head[5] = { type };
	put_u32(head + 1, n + 4);
	return raw_send(fd, head, 5) && raw_send(fd, body, n);
}

ssize_t raw_read_all(int fd, char *buf, size_t size)
{
	uint64_t until = now_ms() + PATIENCE_MS;
	size_t total = 0;
	char more[4096];
	while (is_readable(fd, until)) {
		ssize_t n = recv(fd, more, sizeof more, 0);
		if (n <= 0)
			return (ssize_t)total;
		for (ssize_t i = 0; i < n; i++, total++)
			if (total < size)
				buf[total] = more[i];
	}
	return -1;
}

static bool read_exactly(int fd, char *buf, size_t n, uint64_t until)
{
	for (size_t have = 0; have < n;) {
		ssize_t got = is_readable(fd, until) ? recv(fd, buf + have, n - have, 0) : -1;
		if (got <= 0)
			return false;
		have += (size_t)got;
	}
	return true;
}

bool raw_read(int fd, void *buf, size_t n)
{
	return read_exactly(fd, buf, n, now_ms() + PATIENCE_MS);
}

static size_t get_u32(const char *at)
{
	uint32_t be;
	memcpy(&be, at, 4);
	return ntohl(be);
}

static bool next_message(int fd, char *type, char *buf, size_t size, size_t *len, uint64_t until)
{
	char head[5];
	if (!read_exactly(fd, head, 5, until))
		return false;
	*type = head[0];
	*len = get_u32(head + 1) - 4;
	if (*len >= size || !read_exactly(fd, buf, *len, until))
		return false;
	buf[*len] = 0;
	return true;
}

bool raw_next(int fd, char *type, char *buf, size_t size, size_t *len)
{
	return next_message(fd, type, buf, size, len, now_ms() + PATIENCE_MS);
}

bool raw_expect(int fd, char type, char *buf, size_t size, size_t *len)
{
	uint64_t until = now_ms() + PATIENCE_MS;
	char got;
	do
		if (!next_message(fd, &got, buf, size, len, until))
			return false;
	while (got != type);
	return true;
}

char *raw_asked(const char *user, const char *database)
{
	static const char first[] = "SCRAM-SHA-256\0\0\0\0\x20n,,n=,r=abcdefghijklmnopqrstuvwx";
	char body[512];
	size_t len = 0;
	int fd = raw_open();
	require("start", raw_startup(fd, user, database) && raw_expect(fd, 'R', body, sizeof body, &len) && len >= 4);
	char *asked = text("%s", body[3] == 3 ? "plain" : body[3] == 5 ? "md5" : "?");
	if (body[3] == 10) {
		require("first",
			raw_message(fd, 'p', first, sizeof first - 1) && raw_expect(fd, 'R', body, sizeof body, &len));
		const char *iterations = strstr(body + 4, ",i=");
		asked = text("%s", iterations ? iterations + 3 : "?");
	}
	raw_close(fd);
	return asked;
}

const char *error_field(const char *body, size_t len, char field)
{
	for (const char *at = body, *end = body + len; at < end && *at;) {
		const char *value = at + 1, *nul = memchr(value, 0, (size_t)(end - value));
		if (!nul)
			break;
		if (*at == field)
			return value;
		at = nul + 1;
	}
	return "";
}

/* ------------------------------------------------------------------------------------------------ libpq, overheard
 * libpq does not tell the SQLSTATE of a failed login, so its connection is led through us, and we read along. */

struct tap {
	int listener, client, server;
	char heard[16384]; /* from the server */
	size_t n;
};

static bool tap_open(struct tap *t, int *port)
{
	struct sockaddr_in a = loopback(0);
	socklen_t len = sizeof a;
	*t = (struct tap){ .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .client = -1, .server = -1 };
	bool ok = bind(t->listener, (struct sockaddr *)&a, len) == 0 && listen(t->listener, 1) == 0 &&
		  getsockname(t->listener, (struct sockaddr *)&a, &len) == 0;
	*port = ntohs(a.sin_port);
	return ok;
}

static void tap_close(struct tap *t)
{
	int *const fds[] = { &t->listener, &t->client, &t->server };
	for (size_t i = 0; i < COUNT(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static void tap_accept(struct tap *t)
{
	struct sockaddr_in a = loopback(sluice_port());
	t->client = accept(t->listener, NULL, NULL);
	t->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(t->server, (struct sockaddr *)&a, sizeof a) != 0)
		shutdown(t->client, SHUT_RDWR);
}

/* One read from one side to the other. */
static void tap_pass(struct tap *t, bool from_server)
{
	char bytes[4096];
	ssize_t n = recv(from_server ? t->server : t->client, bytes, sizeof bytes, MSG_DONTWAIT);
	if (n <= 0) {
		shutdown(from_server ? t->client : t->server, SHUT_WR);
		close(from_server ? t->server : t->client);
		*(from_server ? &t->server : &t->client) = -1;
		return;
	}
	if (from_server && t->n + (size_t)n <= sizeof t->heard) {
		memcpy(t->heard + t->n, bytes, (size_t)n);
		t->n += (size_t)n;
	}
	if ((from_server ? t->client : t->server) >= 0)
		raw_send(from_server ? t->client : t->server, bytes, (size_t)n);
}

/* Lets libpq log in through the tap; true when it got in. */
static bool tap_login(struct tap *t, PGconn *c)
{
	PostgresPollingStatusType want = PGRES_POLLING_WRITING;
	for (uint64_t until = now_ms() + PATIENCE_MS; now_ms() < until;) {
		struct pollfd p[] = { { PQsocket(c), want == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0 },
				      { t->server < 0 && t->client < 0 ? t->listener : -1, POLLIN, 0 },
				      { t->client, POLLIN, 0 },
				      { t->server, POLLIN, 0 } };
		poll(p, COUNT(p), 100);
		if (p[1].revents)
			tap_accept(t);
		if (p[2].revents)
			tap_pass(t, false);
		if (p[3].revents)
			tap_pass(t, true);
		if (p[0].revents)
			want = PQconnectPoll(c);
		if (want == PGRES_POLLING_OK || want == PGRES_POLLING_FAILED)
			break;
	}
	return want == PGRES_POLLING_OK;
}

void check_login_fails_at(const char *file, int line, const char *sqlstate, const char *part, const char *conninfo, ...)
{
	va_list ap;
	va_start(ap, conninfo);
	char *more = vtext(conninfo, ap);
	va_end(ap);
	struct tap t;
	int port;
	require("a tap", tap_open(&t, &port));
	PGconn *c = keep_client(PQconnectStart(
		conninfo_to(port, "alice", text("%s port=%d sslmode=disable gssencmode=disable", more, port))));
	bool is_in = tap_login(&t, c);
	const char *got = "(no error)";
	for (size_t at = 0; at + 5 <= t.n;) {
		size_t len = get_u32(t.heard + at + 1);
		if (len < 4 || at + 1 + len > t.n)
			break;
		if (t.heard[at] == 'E')
			got = text("%s", error_field(t.heard + at + 5, len - 4, 'C'));
		at += 1 + len;
	}
	unit_check(file, line, text("%s: is refused", more), !is_in);
	unit_check_str(file, line, text("%s: SQLSTATE of: %s", more, PQerrorMessage(c)), got, sqlstate);
	unit_check(file, line, text("%s: \"%s\" should be in: %s", more, part, PQerrorMessage(c)),
		   strstr(PQerrorMessage(c), part) != NULL);
	client_close(c);
	tap_close(&t);
}

int stat_of(PGconn *con, const char *name)
{
	return atoi(show(con, "TOTALS", "name", text("total_%s", name), "value"));
}
