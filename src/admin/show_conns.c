/* show_conns.c - SHOW POOLS, CLIENTS, SERVERS: who is connected, and in which state. */
#include "admin/show.h"

#include "core/loop.h"
#include "net/tls.h"
#include "session/session.h"

#include <inttypes.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* --- What both ends of a connection have */

/* clang-format off */
#define CONN_COLS \
	{ "type", COL_TEXT }, \
	{ "user", COL_TEXT }, \
	{ "database", COL_TEXT }, \
	{ "replication", COL_TEXT }, \
	{ "state", COL_TEXT }, \
	{ "addr", COL_TEXT }, \
	{ "port", COL_INT4 }, \
	{ "local_addr", COL_TEXT }, \
	{ "local_port", COL_INT4 }, \
	{ "connect_time", COL_TEXT }, \
	{ "request_time", COL_TEXT }, \
	{ "wait", COL_INT4 }, \
	{ "wait_us", COL_INT4 }, \
	{ "close_needed", COL_INT4 }, \
	{ "ptr", COL_TEXT }, \
	{ "link", COL_TEXT }, \
	{ "remote_pid", COL_INT4 }, \
	{ "tls", COL_TEXT }, \
	{ "application_name", COL_TEXT }, \
	{ "prepared_statements", COL_INT4 }, \
	{ "id", COL_INT4 }
/* clang-format on */

static const struct column conn_cols[] = { CONN_COLS, { "pins", COL_TEXT } };

/* The other end, and ours: for a unix socket it has no address but the port that names it. */
static void put_addrs(struct row *r, const struct addr *peer, const struct stream *st)
{
	char text[ADDR_TEXT_MAX];
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct addr local = { .family = ADDR_NONE };

	if (peer->family == ADDR_UNIX)
		local = *peer;
	else if (stream_is_open(st) && getsockname(st->io.fd, (struct sockaddr *)&ss, &len) == 0)
		addr_from_sockaddr(&local, (struct sockaddr *)&ss, len);
	addr_host_text(peer, text);
	row_fmt(r, "%s", peer->family == ADDR_NONE ? "" : text);
	row_int(r, peer->port);
	addr_host_text(&local, text);
	row_fmt(r, "%s", local.family == ADDR_NONE ? "" : text);
	row_int(r, local.port);
}

/* Microseconds as two columns: whole seconds, and the rest. */
static void put_wait(struct row *r, uint64_t us)
{
	row_int(r, us / 1000000);
	row_int(r, us % 1000000);
}

/* The ids of the log, which count up. kind: 'C' or 'S'. 0: nobody. */
static void put_id(struct row *r, char kind, uint64_t id)
{
	if (id)
		row_fmt(r, "%c-0x%" PRIx64, kind, id);
	else
		row_text(r, "");
}

/* Version and cipher, as "TLSv1.3/TLS_AES_256_GCM_SHA384"; nothing when it is not encrypted. */
static void put_tls(struct row *r, const struct stream *st)
{
	char text[TLS_TEXT_MAX];
	row_fmt(r, "%s", tls_text(st->tls, text));
}

static const char *app_name(const struct session *s)
{
	return s ? session_program(s) : "";
}

static const char *replication(const struct session *s)
{
	static const char *const names[] = { "none", "logical", "physical" };
	return names[s ? s->replication : REPLICATION_NONE];
}

/* --- SHOW CLIENTS */

static void clients_gather(struct batch *b)
{
	LIST_EACH (sessions_all(), it) {
		const struct session *s = list_owner(it, struct session, in_all);
		if (!batch_offer(b, (struct item){ .a = "", .b = "", .id = s->id, .obj = s }))
			return;
	}
}

static uint32_t peer_pid(const struct session *s)
{
	struct ucred who;
	socklen_t len = sizeof who;
	if (s->addr.family != ADDR_UNIX || !stream_is_open(&s->stream) ||
	    getsockopt(s->stream.io.fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0 || who.pid < 0)
		return 0;
	return (uint32_t)who.pid;
}

/* PgBouncer's columns. state: for SHOW SOCKETS with cl_ before it. */
static void client_cells(struct row *r, const struct session *s, const char *prefix, const char *state)
{
	bool in_line = s->state == SESSION_WAITING || s->state == SESSION_WELCOME || s->state == SESSION_OPENING;

	row_text(r, "C");
	row_text(r, s->user ? s->user->name->s : "");
	row_text(r, s->db ? s->db->name->s : "");
	row_text(r, replication(s));
	row_fmt(r, "%s%s", prefix, state);
	put_addrs(r, &s->addr, &s->stream);
	row_time(r, s->connect_ms * 1000);
	row_time(r, s->request_us ? s->request_us : s->connect_ms * 1000);
	put_wait(r, in_line ? loop_now_us() - s->wait.since_us : 0);
	row_int(r, 0);
	put_id(r, 'C', s->id);
	put_id(r, 'S', s->server ? s->server->id : 0);
	row_int(r, peer_pid(s));
	put_tls(r, &s->stream);
	row_text(r, app_name(s));
	row_int(r, s->door->prepared(s));
	row_int(r, s->id);
}

/* Why it keeps its server. NULL: nobody. */
static void pins_cell(struct row *r, const struct session *s)
{
	char pins[160];
	session_pins_text(s ? s->pins : 0, pins, sizeof pins);
	row_fmt(r, "%s", pins);
}

static void clients_row(struct row *r, const struct item *it)
{
	const struct session *s = it->obj;
	client_cells(r, s, "", s->talk ? "idle" : session_state_name(s)); /* PgBouncer's console has no other */
	pins_cell(r, s);
}

const struct show_def show_clients = { conn_cols, LEN(conn_cols), clients_gather, clients_row };

/* --- SHOW SERVERS */

static void servers_gather(struct batch *b)
{
	LIST_EACH (pools_all(), it) {
		const struct pool *p = list_owner(it, struct pool, in_all);
		for (int st = 0; st < SERVER_DEAD; st++) {
			const struct list *head = &p->by_state[st];
			for (const struct list *at = head->next; at != head; at = at->next) {
				const struct server *sv = list_owner(at, struct server, in_state);
				batch_offer(b, (struct item){ p->db->name->s, p->user->name->s, sv->id, sv, 0 });
			}
		}
	}
}

static const char *server_state(const struct server *sv)
{
	return server_is_used(sv, sv->pool->lim.check_ms) ? "used" : server_state_name(sv);
}

static void server_cells(struct row *r, const struct server *sv, const char *prefix)
{
	row_text(r, "S");
	row_text(r, sv->pool->user->name->s);
	row_text(r, sv->pool->db->name->s);
	row_text(r, replication(sv->is_own ? sv->session : NULL));
	row_fmt(r, "%s%s", prefix, server_state(sv));
	put_addrs(r, &sv->addr, &sv->stream);
	row_time(r, sv->connect_ms * 1000);
	row_time(r, (sv->request_ms ? sv->request_ms : sv->connect_ms) * 1000);
	put_wait(r, 0);
	row_int(r, sv->close_needed);
	put_id(r, 'S', sv->id);
	put_id(r, 'C', sv->session ? sv->session->id : 0);
	row_int(r, sv->pid);
	put_tls(r, &sv->stream);
	row_text(r, app_name(sv->session));
	row_int(r, sv->ops->prepared(sv));
	row_int(r, sv->id);
}

static void servers_row(struct row *r, const struct item *it)
{
	const struct server *sv = it->obj;
	server_cells(r, sv, "");
	pins_cell(r, sv->session);
}

const struct show_def show_servers = { conn_cols, LEN(conn_cols), servers_gather, servers_row };

/* --- SHOW SOCKETS, ACTIVE_SOCKETS: clients, and servers behind them */

static const struct column sockets_cols[] = {
	CONN_COLS,
	{ "recv_pos", COL_INT4 },
	{ "pkt_pos", COL_INT4 },
	{ "pkt_remain", COL_INT4 },
	{ "send_pos", COL_INT4 },
	{ "send_remain", COL_INT4 },
	{ "pkt_avail", COL_INT4 },
	{ "send_avail", COL_INT4 },
};

static bool has_bytes(const struct stream *st)
{
	return stream_kept(st) || stream_is_stalled(st);
}

static bool client_is_active(const struct session *s)
{
	return s->state != SESSION_IDLE || has_bytes(&s->stream);
}

static void gather_sockets(struct batch *b, bool active_only)
{
	LIST_EACH (sessions_all(), it) {
		const struct session *s = list_owner(it, struct session, in_all);
		if (!active_only || client_is_active(s))
			batch_offer(b, (struct item){ .a = "C", .b = "", .id = s->id, .obj = s });
	}
	LIST_EACH (pools_all(), it) {
		const struct pool *p = list_owner(it, struct pool, in_all);
		for (int st = 0; st < SERVER_DEAD; st++) {
			const struct list *head = &p->by_state[st];
			for (const struct list *at = head->next; at != head; at = at->next) {
				const struct server *sv = list_owner(at, struct server, in_state);
				if (!active_only || st != SERVER_IDLE || has_bytes(&sv->stream))
					batch_offer(b, (struct item){ .a = "S", .b = "", .id = sv->id, .obj = sv });
			}
		}
	}
}

static void sockets_gather(struct batch *b)
{
	gather_sockets(b, false);
}

static void active_sockets_gather(struct batch *b)
{
	gather_sockets(b, true);
}

static void sockets_row(struct row *r, const struct item *it)
{
	const struct stream *st;
	if (*it->a == 'C') {
		const struct session *s = it->obj;
		client_cells(r, s, "cl_", s->talk ? "active" : session_state_name(s));
		st = &s->stream;
	} else {
		const struct server *sv = it->obj;
		server_cells(r, sv, "sv_");
		st = &sv->stream;
	}
	row_int(r, stream_kept(st));
	row_int(r, 0); /* there is no place in a buffer: what was passed on is not kept */
	row_int(r, 0);
	row_int(r, 0);
	row_int(r, stream_stalled(st));
	row_int(r, stream_kept(st));
	row_int(r, stream_stalled(st));
}

const struct show_def show_sockets = { sockets_cols, LEN(sockets_cols), sockets_gather, sockets_row };
const struct show_def show_active_sockets = { sockets_cols, LEN(sockets_cols), active_sockets_gather, sockets_row };

/* --- SHOW POOLS */

static const struct column pools_cols[] = {
	{ "database", COL_TEXT },
	{ "user", COL_TEXT },
	{ "cl_active", COL_INT4 },
	{ "cl_waiting", COL_INT4 },
	{ "cl_active_cancel_req", COL_INT4 },
	{ "cl_waiting_cancel_req", COL_INT4 },
	{ "sv_active", COL_INT4 },
	{ "sv_active_cancel", COL_INT4 },
	{ "sv_being_canceled", COL_INT4 },
	{ "sv_idle", COL_INT4 },
	{ "sv_used", COL_INT4 },
	{ "sv_tested", COL_INT4 },
	{ "sv_login", COL_INT4 },
	{ "maxwait", COL_INT4 },
	{ "maxwait_us", COL_INT4 },
	{ "pool_mode", COL_TEXT },
	{ "load_balance_hosts", COL_TEXT },
};

/* Keys' ids: a pool of the client's own user, one of a forced user of the same name, the house's, the console. */
enum { OWN_POOL, FORCED_POOL, HOUSE_POOL, CONSOLE_POOL };

static void pools_gather(struct batch *b)
{
	LIST_EACH (pools_all(), it) {
		const struct pool *p = list_owner(it, struct pool, in_all);
		uint64_t id = p->user->is_house ? HOUSE_POOL : p->user->is_forced ? FORCED_POOL : OWN_POOL;
		batch_offer(b, (struct item){ p->db->name->s, p->user->name->s, id, p, 0 });
	}
	LIST_EACH (databases_all(), it) {
		const struct database *db = list_owner(it, struct database, in_all);
		if (db->is_console && db->clients)
			batch_offer(b, (struct item){ db->name->s, db->name->s, CONSOLE_POOL, db, 0 });
	}
}

/* The console has no pool, but PgBouncer shows one, so that its clients are seen. */
static void console_pool_row(struct row *r, const struct database *db)
{
	row_text(r, db->name->s);
	row_text(r, db->name->s);
	row_int(r, db->clients);
	for (int i = 0; i < 12; i++)
		row_int(r, 0);
	row_text(r, "statement");
	row_text(r, NULL);
}

static void pools_row(struct row *r, const struct item *it)
{
	static const char *const modes[] = { "session", "transaction", "statement" };
	if (it->id == CONSOLE_POOL) {
		console_pool_row(r, it->obj);
		return;
	}
	const struct pool *p = it->obj;
	const uint32_t *n = p->count;
	uint32_t used = 0, cancels = 0;
	for (int st = 0; st < SERVER_DEAD; st++) {
		const struct list *head = &p->by_state[st];
		for (const struct list *at = head->next; at != head; at = at->next) {
			const struct server *sv = list_owner(at, struct server, in_state);
			used += server_is_used(sv, p->lim.check_ms);
			cancels += sv->cancels;
		}
	}
	uint64_t since = list_empty(&p->waiting) ? 0 : list_owner(p->waiting.next, struct pool_wait, in_line)->since_us;

	row_text(r, it->a);
	row_text(r, it->b);
	row_int(r, p->nclients - (p->nwaiting < p->nclients ? p->nwaiting : p->nclients));
	row_int(r, p->nwaiting);
	row_int(r, cancels);
	row_int(r, 0);
	row_int(r, n[SERVER_ACTIVE]);
	row_int(r, cancels);
	row_int(r, n[SERVER_CANCEL] + n[SERVER_DRAIN]);
	row_int(r, n[SERVER_IDLE] - used);
	row_int(r, used);
	row_int(r, n[SERVER_CHECK] + n[SERVER_RESET] + n[SERVER_ROLLBACK]);
	row_int(r, n[SERVER_CONNECT] + n[SERVER_LOGIN] + n[SERVER_SETUP]);
	put_wait(r, since ? loop_now_us() - since : 0);
	row_text(r, modes[p->lim.mode]);
	row_text(r, show_load_balance(p->db));
}

const struct show_def show_pools = { pools_cols, LEN(pools_cols), pools_gather, pools_row };
