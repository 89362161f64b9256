/* cancel.c - cancel requests for what servers run, each on a connection of its own. */
#include "pool/server_int.h"

#include "net/tls.h"
#include "pool/courier.h"

#include <stdlib.h>
#include <string.h>

/* One cancel request on its way. The server it is for is not lent again before it has arrived: it must never hit the
 * next client's statement. */
struct cancel {
	struct courier courier;
	struct server *killer; /* instead of a courier: what brings a statement; NULL: none, or not any more */
	bool sent;             /* by the killer */
	char statement[ENGINE_BYTES_MAX];
	struct list in_all;
	struct server *server; /* NULL: it has gone meanwhile */
	struct list waiting;   /* whoever asked */
	struct task free_task;
};

static struct list cancels = { &cancels, &cancels };
static struct log_seldom lost_cancels;

static void free_cancel(struct task *t)
{
	free(list_owner(t, struct cancel, free_task));
}

/* One that has left, and of which nobody knows whether it arrives, may arrive at any time: the server is nobody's any
 * more then. */
static void cancel_over(struct cancel *c, enum courier_end how, const struct fault *why)
{
	struct server *sv = c->server;
	if (why && sv)
		log_seldom(&lost_cancels, LOG_LV_WARN, &sv->log, "cancel request did not get through: %s", why->text);
	list_del(&c->in_all);
	c->server = NULL;
	loop_defer(&c->free_task);
	while (!list_empty(&c->waiting)) {
		struct list *who = c->waiting.next;
		list_del(who);
		server_borrower->cancelled(who);
	}
	if (!sv)
		return;
	sv->is_doubtful |= how == COURIER_UNKNOWN;
	if (--sv->cancels > 0)
		return;
	if (sv->state == SERVER_CANCEL)
		server_release(sv);
	else if (sv->state == SERVER_DRAIN && sv->cancels_again)
		server_drains_on(sv);
}

static void cancel_done(struct courier *courier, enum courier_end how, const struct fault *why)
{
	cancel_over(list_owner(courier, struct cancel, courier), how, why);
}

/* A statement that was refused (there is no such thread any more) hits nobody later, and says nothing of the host. */
void server_errand_answered(struct server *sv, const struct fault *why)
{
	sv->errand->sent = !why;
	server_errand_over(sv, why);
}

/* What brings the statement is logged in. */
void server_run_errand(struct server *sv)
{
	if (sv->state == SERVER_LOGIN)
		server_move(sv, SERVER_SETUP);
	sv->errand->sent = true;
	sv->ops->run(sv, sv->errand->statement);
}

/* It is done, or (why) cannot be. */
void server_errand_over(struct server *sv, const struct fault *why)
{
	struct cancel *c = sv->errand;
	sv->errand = NULL;
	c->killer = NULL;
	if (sv->state != SERVER_DEAD) {
		sv->is_apart = false;
		sv->pool->napart--;
		server_close(sv, NULL, NULL);
	}
	cancel_over(c, !c->sent ? COURIER_NOT_SENT : why ? COURIER_UNKNOWN : COURIER_THROUGH, why);
}

/* Where the server itself is, whatever other hosts its database has. */
static bool send_killer(struct cancel *c, const struct server *sv, const uint8_t *statement, size_t n, uint64_t wait,
			struct fault *f)
{
	struct server *k = server_open_on(sv->pool, sv->host, false, sv->kind);
	if (!k)
		return fault_set(f, FAULT_NOMEM, "no memory for a cancel request");
	memcpy(c->statement, statement, n);
	k->errand = c;
	c->killer = k;
	k->is_apart = true;
	k->pool->napart++;
	k->addr = sv->addr;
	k->tls_second = sv->tls_second;
	k->free_task.run = server_begin_again;
	if (wait)
		(void)deadline_set(&k->deadline, loop_now() + wait);
	return true;
}

void server_forget_cancels(struct server *sv)
{
	if (!sv->cancels)
		return;
	LIST_EACH (&cancels, it) {
		struct cancel *c = list_owner(it, struct cancel, in_all);
		if (c->server == sv)
			c->server = NULL;
	}
	sv->cancels = 0;
}

/* The request for this server that is under way. */
static struct cancel *cancel_of(const struct server *sv)
{
	LIST_EACH (&cancels, it)
		if (list_owner(it, struct cancel, in_all)->server == sv)
			return list_owner(it, struct cancel, in_all);
	return NULL;
}

/* Whoever waits for a request to be through is a connection that is held open: as many as PgBouncer has for a pool. */
static bool may_wait(const struct pool *p, struct cancel *c)
{
	uint32_t most = 2 * (p->lim.size ? p->lim.size : pool_servers(p)), n = 0;
	LIST_EACH (&c->waiting, it)
		n++;
	return n < most;
}

bool server_cancel(struct server *sv, struct list *who)
{
	uint8_t bytes[ENGINE_BYTES_MAX];
	char path[256];
	struct fault f;
	size_t n = sv->ops->cancel(sv, bytes);
	bool is_unix = sv->addr.family == ADDR_UNIX;

	/* More for the same statement say nothing new: a storm of them costs the server one connection. */
	struct cancel *c = sv->cancels ? cancel_of(sv) : NULL;
	if (c) {
		if (who && !may_wait(sv->pool, c))
			return false;
		if (who)
			list_add(&c->waiting, who);
		return true;
	}
	if (n == 0 || (is_unix && !server_socket_path(sv, path, sizeof path)))
		return false;
	c = calloc(1, sizeof *c);
	if (!c)
		return false;
	c->free_task.run = free_cancel;
	c->courier.done = cancel_done;
	const struct courier_to to = {
		.addrs = &sv->addr,
		.naddrs = 1,
		.path = is_unix ? path : NULL,
		.ops = sv->ops,
		.ctx = sv->stream.tls ? tls_ctx_of(sv->stream.tls) : NULL,
		.host = sv->host->name,
		.must_encrypt = true,
	};
	uint64_t wait = (uint64_t)config_num(sv->pool->config, SET_cancel_wait_timeout, NULL, NULL);
	if (!(sv->ops->cancels_by_statement ? send_killer(c, sv, bytes, n, wait, &f)
					    : courier_start(&c->courier, &to, bytes, n, wait, &f))) {
		log_seldom(&lost_cancels, LOG_LV_WARN, &sv->log, "cancel request did not get through: %s", f.text);
		free(c);
		return false;
	}
	list_init(&c->waiting);
	if (who)
		list_add(&c->waiting, who);
	c->server = sv;
	sv->cancels++;
	list_add(&cancels, &c->in_all);
	return true;
}
