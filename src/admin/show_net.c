/* show_net.c - SHOW FDS, DNS_HOSTS, DNS_ZONES, PEERS, PEER_POOLS: descriptors and names. */
#include "admin/show.h"

#include "net/dns.h"
#include "pool/peer.h"
#include "session/session.h"

#include <string.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* --- SHOW FDS, as PgBouncer had it up to 1.18. What its successor would have needed to take a client over, keys and
 * passwords among it, is never shown. */

static const struct column fds_cols[] = {
	{ "fd", COL_INT4 },
	{ "task", COL_TEXT },
	{ "user", COL_TEXT },
	{ "database", COL_TEXT },
	{ "addr", COL_TEXT },
	{ "port", COL_INT4 },
	{ "cancel", COL_INT8 },
	{ "link", COL_INT4 },
	{ "client_encoding", COL_TEXT },
	{ "std_strings", COL_TEXT },
	{ "datestyle", COL_TEXT },
	{ "timezone", COL_TEXT },
	{ "password", COL_TEXT },
	{ "scram_client_key", COL_TEXT },
	{ "scram_server_key", COL_TEXT },
};

static void offer_fd(struct batch *b, const struct stream *st, const char *task, const void *obj)
{
	if (stream_is_open(st))
		batch_offer(b, (struct item){ .a = "", .b = task, .id = (uint64_t)st->io.fd, .obj = obj });
}

static void fds_gather(struct batch *b)
{
	LIST_EACH (sessions_all(), it) {
		const struct session *s = list_owner(it, struct session, in_all);
		offer_fd(b, &s->stream, "client", s);
	}
	LIST_EACH (pools_all(), it) {
		const struct pool *p = list_owner(it, struct pool, in_all);
		for (int st = 0; st < SERVER_DEAD; st++) {
			const struct list *head = &p->by_state[st];
			for (const struct list *at = head->next; at != head; at = at->next) {
				const struct server *sv = list_owner(at, struct server, in_state);
				offer_fd(b, &sv->stream, "server", sv);
			}
		}
	}
}

static const char *var(const struct varset *vars, const char *name)
{
	const struct istr *value = vars ? varset_find(vars, name) : NULL;
	return value ? value->s : NULL;
}

static void put_fd(struct row *r, const struct item *it, const char *user, const char *db, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	addr_host_text(a, text);
	row_int(r, it->id);
	row_text(r, it->b);
	row_text(r, user);
	row_text(r, db);
	row_fmt(r, "%s", a->family == ADDR_NONE ? "" : text);
	row_int(r, a->port);
	row_big(r, 0); /* the cancel key: who has it may cancel */
}

static void put_fd_vars(struct row *r, const struct stream *link, const struct varset *vars)
{
	row_int(r, link && stream_is_open(link) ? (uint64_t)link->io.fd : 0);
	row_text(r, var(vars, "client_encoding"));
	row_text(r, var(vars, "standard_conforming_strings"));
	row_text(r, var(vars, "DateStyle"));
	row_text(r, var(vars, "TimeZone"));
	for (int i = 0; i < 3; i++)
		row_text(r, NULL);
}

static void fds_row(struct row *r, const struct item *it)
{
	if (*it->b == 'c') {
		const struct session *s = it->obj;
		put_fd(r, it, s->user ? s->user->name->s : NULL, s->db ? s->db->name->s : NULL, &s->addr);
		put_fd_vars(r, s->server ? &s->server->stream : NULL, s->vars);
	} else {
		const struct server *sv = it->obj;
		put_fd(r, it, sv->pool->user->name->s, sv->pool->db->name->s, &sv->addr);
		put_fd_vars(r, sv->session ? &sv->session->stream : NULL, sv->vars);
	}
}

const struct show_def show_fds = { fds_cols, LEN(fds_cols), fds_gather, fds_row };

/* --- SHOW DNS_HOSTS */

static const struct column dns_hosts_cols[] = { { "hostname", COL_TEXT }, { "ttl", COL_INT8 }, { "addrs", COL_TEXT } };

static void dns_hosts_gather(struct batch *b)
{
	struct dns_walk w = { NULL, 0 };
	struct dns_host h;
	while (dns_next(&w, &h))
		batch_offer(b, (struct item){ .a = h.name, .b = "" });
}

static void dns_hosts_row(struct row *r, const struct item *it)
{
	struct dns_host h = { .n = 0 };
	(void)dns_peek(it->a, &h);
	for (size_t i = 0; i < h.n; i++) {
		char text[ADDR_TEXT_MAX];
		addr_text(&h.addrs[i], text);
		sb_addf(&r->sb, "%s%s", i ? "," : "", text);
	}
	row_text(r, it->a);
	row_big(r, h.ttl_ms / 1000);
	row_text(r, sb_str(&r->sb));
}

const struct show_def show_dns_hosts = { dns_hosts_cols, LEN(dns_hosts_cols), dns_hosts_gather, dns_hosts_row };

/* --- What there is no such thing of here */

static void gather_nothing(struct batch *b)
{
	(void)b;
}

static void row_of_nothing(struct row *r, const struct item *it)
{
	(void)r, (void)it;
}

static const struct column dns_zones_cols[] = { { "zonename", COL_TEXT },
						{ "serial", COL_INT8 },
						{ "count", COL_INT4 } };

static const struct column peers_cols[] = {
	{ "peer_id", COL_INT4 }, { "host", COL_TEXT }, { "port", COL_INT4 }, { "pool_size", COL_INT4 }
};

static const struct column peer_pools_cols[] = {
	{ "peer_id", COL_INT4 },
	{ "cl_active_cancel_req", COL_INT4 },
	{ "cl_waiting_cancel_req", COL_INT4 },
	{ "sv_active_cancel", COL_INT4 },
	{ "sv_login", COL_INT4 },
};

const struct show_def show_dns_zones = { dns_zones_cols, LEN(dns_zones_cols), gather_nothing, row_of_nothing };

/* --- SHOW PEERS, PEER_POOLS. A peer that is ourselves has no part in it, but stands in the file. */

static void peers_gather(struct batch *b)
{
	LIST_EACH (&config_now()->peers, it) {
		const struct peer_conf *p = list_owner(it, struct peer_conf, in_all);
		batch_offer(b, (struct item){ .a = "", .b = "", .id = p->id });
	}
}

static void peers_row(struct row *r, const struct item *it)
{
	const struct config *c = config_now();
	const struct peer_conf *p = config_find_peer(c, (uint32_t)it->id);
	row_int(r, it->id);
	row_text(r, p ? config_peer_host(c, p) : NULL);
	row_int(r, p ? p->port : 0);
	row_int(r, p ? config_peer_size(c, p) : 0);
}

static void peer_pools_gather(struct batch *b)
{
	uint32_t own = (uint32_t)config_num(config_now(), SET_peer_id, NULL, NULL);
	LIST_EACH (&config_now()->peers, it) {
		const struct peer_conf *p = list_owner(it, struct peer_conf, in_all);
		if (own && p->id != own)
			batch_offer(b, (struct item){ .a = "", .b = "", .id = p->id });
	}
}

static void peer_pools_row(struct row *r, const struct item *it)
{
	struct peer_usage u = peer_usage((uint32_t)it->id);
	row_int(r, it->id);
	row_int(r, u.senders_active);
	row_int(r, u.senders_waiting);
	row_int(r, u.active);
	row_int(r, u.login);
}

const struct show_def show_peers = { peers_cols, LEN(peers_cols), peers_gather, peers_row };
const struct show_def show_peer_pools = { peer_pools_cols, LEN(peer_pools_cols), peer_pools_gather, peer_pools_row };
