/* peers.c - the entries of [peers]: other processes, to which cancel requests for their clients are forwarded. */
#include "config/config_int.h"
#include "core/str.h"

#include <stdlib.h>

struct peer_conf *peer_conf_new(uint32_t id)
{
	struct peer_conf *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	list_init(&p->in_all);
	p->id = id;
	p->port = 6432;
	p->pool_size = -1;
	if (!config_replace_text(&p->host, "")) {
		free(p);
		return NULL;
	}
	return p;
}

void peer_conf_free(struct peer_conf *p)
{
	if (!p)
		return;
	list_del(&p->in_all);
	free(p->host);
	free(p);
}

bool config_add_peer(struct config *c, struct peer_conf *p)
{
	struct peer_conf *old = (struct peer_conf *)(uintptr_t)config_find_peer(c, p->id);
	list_add(&c->peers, &p->in_all);
	peer_conf_free(old);
	return old != NULL;
}

bool config_copy_peers(struct config *to, const struct config *from)
{
	LIST_EACH (&from->peers, it) {
		const struct peer_conf *old = list_owner(it, struct peer_conf, in_all);
		struct peer_conf *p = peer_conf_new(old->id);
		if (!p)
			return false;
		p->port = old->port;
		p->pool_size = old->pool_size;
		p->line = old->line;
		(void)config_add_peer(to, p);
		if (!config_replace_text(&p->host, old->host))
			return false;
	}
	return true;
}

const struct peer_conf *config_find_peer(const struct config *c, uint32_t id)
{
	LIST_EACH (&c->peers, it) {
		const struct peer_conf *p = list_owner(it, struct peer_conf, in_all);
		if (p->id == id)
			return p;
	}
	return NULL;
}

uint32_t config_peer_size(const struct config *c, const struct peer_conf *p)
{
	return p->pool_size >= 0 ? (uint32_t)p->pool_size : (uint32_t)config_num(c, SET_default_pool_size, NULL, NULL);
}

const char *config_peer_host(const struct config *c, const struct peer_conf *p)
{
	return *p->host ? p->host : config_text(c, SET_unix_socket_dir, NULL, NULL);
}
