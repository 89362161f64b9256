/* listen.c - clients that listen to what one connection of their database hears: what they said, and telling them.
 * PostgreSQL docs: LISTEN, UNLISTEN, NOTIFY; Message Flow, Asynchronous Operations. */
#include "pg/listen_int.h"

#include "core/assert.h"

#include <stdlib.h>

#define ACTIONS_MAX 65536u /* in one transaction */

/* --- Interests */

struct sub_key {
	const struct channel *channel;
	const struct pg_listens *client;
};

static bool same_sub(const struct map_node *n, const void *key, size_t len)
{
	const struct sub *sub = list_owner((struct map_node *)(uintptr_t)n, struct sub, node);
	const struct sub_key *k = key;
	(void)len;
	return sub->channel == k->channel && sub->client == k->client;
}

struct sub *pg_sub_find(const struct pg_listener *l, const struct channel *ch, const struct pg_listens *k)
{
	struct sub_key key = { ch, k };
	struct map_node *n = ch ? map_find(&l->subs, &key, sizeof key, same_sub) : NULL;
	return n ? list_owner(n, struct sub, node) : NULL;
}

static struct sub *find(const struct pg_listens *k, const char *name)
{
	return pg_sub_find(k->listener, pg_channel_find(k->listener, name, strlen(name)), k);
}

/* Found or made, not yet on. NULL: out of memory, or there are too many. */
static struct sub *get(struct pg_listens *k, const char *name)
{
	struct channel *ch = pg_channel_get(k->listener, name);
	struct sub *sub = pg_sub_find(k->listener, ch, k);
	if (sub || !ch || k->nsubs >= LISTEN_CHANNELS_MAX)
		return sub;
	sub = calloc(1, sizeof *sub);
	if (!sub)
		return NULL;
	struct sub_key key = { ch, k };
	sub->channel = ch;
	sub->client = k;
	if (!map_add(&k->listener->subs, &sub->node, &key, sizeof key)) {
		free(sub);
		return NULL;
	}
	list_add(&ch->subs, &sub->in_channel);
	list_add(&k->subs, &sub->in_client);
	k->nsubs++;
	k->noff++;
	pg_channel_changed(ch);
	return sub;
}

static void turn(struct sub *sub, bool on)
{
	sub->client->noff += (uint32_t)sub->on - (uint32_t)on;
	sub->on = on;
}

static void drop(struct sub *sub)
{
	list_del(&sub->in_channel);
	list_del(&sub->in_client);
	map_del(&sub->channel->listener->subs, &sub->node);
	sub->client->nsubs--;
	sub->client->noff -= !sub->on;
	if (list_empty(&sub->channel->subs))
		pg_channel_changed(sub->channel);
	free(sub);
}

/* --- A client begins, and ends */

static void ahead_over(struct wait *w, bool ok);
static void ready_over(struct wait *w, bool ok);

/* NULL: the listener cannot be had for it, or out of memory. */
static struct pg_listens *make(struct pg_client *c)
{
	struct pg_listens *k = calloc(1, sizeof *k);
	struct pg_listener *l = k ? pg_listener_for(c) : NULL;
	if (!l) {
		free(k);
		return NULL;
	}
	k->client = c;
	list_init(&k->in_linked);
	list_init(&k->subs);
	k->last = &k->first;
	wait_init(&k->ahead, ahead_over);
	wait_init(&k->ready, ready_over);
	pg_listener_join(l, k);
	c->listens = k;
	return k;
}

static void drop_first(struct pg_listens *k)
{
	struct held *h = k->first;
	k->first = h->next;
	if (!k->first)
		k->last = &k->first;
	k->held_bytes -= h->note->len;
	if (--h->note->refs == 0)
		free(h->note);
	free(h);
}

void pg_listen_leave(struct pg_client *c)
{
	struct pg_listens *k = c->listens;
	if (!k)
		return;
	c->listens = NULL;
	if (!list_empty(&k->ready.in_line) && c->s.server)
		pg_server_resume(pg_server_of(c->s.server));
	wait_cancel(&k->ahead);
	wait_cancel(&k->ready);
	while (!list_empty(&k->subs))
		drop(list_owner(k->subs.next, struct sub, in_client));
	while (k->first)
		drop_first(k);
	pg_listener_part(k);
	free(k->actions);
	free(k);
}

/* --- Before a statement */

/* The name of a channel, if it is ASCII: what is not may be another name at the server, and must not be an error of the
 * listener's. */
static bool read_name(const char *text, const struct sql_stmt *st, unsigned mode, char out[SQL_IDENT_MAX + 1])
{
	int len = sql_ident_decode(text + st->name.at, st->name.len, mode, out);
	for (int i = 0; i < len; i++)
		if ((unsigned char)out[i] >= 0x80)
			return false;
	return len > 0;
}

static bool is_waiting(const struct wait *w)
{
	return !list_empty(&w->in_line);
}

static void ahead_over(struct wait *w, bool ok)
{
	struct pg_listens *k = list_owner(w, struct pg_listens, ahead);
	if (ok && list_empty(&k->in_linked)) /* all from before it was linked has come */
		list_add(&k->listener->linked, &k->in_linked);
	k->gave_up = !ok;
	pg_hold_over(k->client, PG_HELD_LISTENER);
}

static bool has_listen(struct pg_client *c, const char *text, size_t len)
{
	struct sql_reader r;
	struct sql_stmt st;
	sql_read_init(&r, text, len, pg_sql_mode(c), NULL, 0);
	while (sql_read(&r, &st))
		if (st.kind == SQL_LISTEN)
			return true;
	return false;
}

/* What the listener has to know of this text. *served: all of it is the listener's. True: it has to be told, or asked.
 */
static bool look(struct pg_listens *k, const char *text, size_t len, bool *served)
{
	struct sql_reader r;
	struct sql_stmt st;
	unsigned mode = pg_sql_mode(k->client);
	bool linked = !list_empty(&k->in_linked), must = false, can = pg_listen_may(k->client);

	*served = true;
	sql_read_init(&r, text, len, mode, NULL, 0);
	while (sql_read(&r, &st)) {
		char name[SQL_IDENT_MAX + 1];
		if (st.kind == SQL_NOTIFY && !linked && k->listener->is_up)
			must = true;
		if (st.kind != SQL_LISTEN)
			continue;
		struct sub *sub = can && read_name(text, &st, mode, name) ? get(k, name) : NULL;
		if (!sub)
			*served = false;
		else
			must |= !sub->channel->is_listened || (!sub->on && !linked);
	}
	return must;
}

static void drop_unused(struct pg_listens *k)
{
	if (!k->noff)
		return;
	LIST_EACH (&k->subs, it) {
		struct sub *sub = list_owner(it, struct sub, in_client);
		bool used = sub->on;
		for (uint32_t i = 0; i < k->nactions && !used; i++)
			used = k->actions[i].sub == sub;
		if (!used)
			drop(sub);
	}
}

static struct log_seldom refusals;

enum pg_listening pg_listen_ahead(struct pg_client *c, const char *text, size_t len)
{
	bool served;

	if (!c->listens && !has_listen(c, text, len))
		return PG_LISTEN_SERVED;
	struct pg_listens *k = c->listens ? c->listens : make(c);
	if (!k)
		return PG_LISTEN_ALONE;
	bool must = look(k, text, len, &served);
	if (must && k->gave_up) {
		k->gave_up = false;
		drop_unused(k);
		log_seldom(&refusals, LOG_LV_WARN, &c->s.log,
			   "the shared listener cannot be had: a client that listens keeps its server");
		return PG_LISTEN_ALONE;
	}
	k->gave_up = false;
	if (!must)
		return served ? PG_LISTEN_SERVED : PG_LISTEN_ALONE;
	if (!is_waiting(&k->ahead))
		pg_listener_wait(k->listener, &k->ahead, LISTEN_WAIT_MS);
	pg_hold(c, PG_HELD_LISTENER);
	return PG_LISTEN_WAIT;
}

/* --- What was said */

static bool say(struct pg_listens *k, struct sub *sub, bool on)
{
	const struct action *last = k->nactions ? &k->actions[k->nactions - 1] : NULL;
	if (last && last->sub == sub && last->on == on)
		return true; /* said again */
	if (k->nactions == k->cap) {
		uint32_t cap = k->cap ? k->cap * 2 : 4;
		struct action *more = cap <= ACTIONS_MAX ? realloc(k->actions, cap * sizeof *more) : NULL;
		if (!more)
			return false;
		k->actions = more;
		k->cap = cap;
	}
	k->actions[k->nactions++] = (struct action){ sub, on };
	return true;
}

bool pg_listen_may(const struct pg_client *c)
{
	const struct session *s = &c->s;
	const struct pg_listener *l = s->db->listener;
	const struct istr *encoding = varset_find(s->vars, "client_encoding");
	/* What is said to one host is not heard at another. */
	return s->mode != POOL_SESSION && config_num(config_now(), SET_shared_listener, s->db->conf, NULL) &&
	       s->db->nhosts == 1 && encoding && (!l || !l->nclients || l->encoding == encoding);
}

bool pg_listen_said(struct pg_client *c, struct pg_server *p, const char *name, bool *served)
{
	struct sub *sub = c->listens ? find(c->listens, name) : NULL;
	*served = sub != NULL;
	if (!sub)
		return true;
	p->sv.tidy = PG_UNLISTEN;
	return say(c->listens, sub, true);
}

bool pg_listen_unsaid(struct pg_client *c, const char *name)
{
	struct sub *sub = c->listens && name ? find(c->listens, name) : NULL;
	if (!c->listens || (name && !sub))
		return true;
	return say(c->listens, sub, false);
}

void pg_listen_notified(struct pg_client *c)
{
	if (c->listens)
		c->listens->has_notified = true;
}

uint32_t pg_listen_mark(const struct pg_client *c)
{
	return c->listens ? c->listens->nactions : 0;
}

void pg_listen_back_to(struct pg_client *c, uint32_t mark)
{
	struct pg_listens *k = c->listens;
	if (!k)
		return;
	if (mark == 0)
		k->has_notified = false;
	if (mark < k->nactions)
		k->nactions = mark;
}

void pg_listen_commit(struct pg_client *c)
{
	struct pg_listens *k = c->listens;
	if (!k)
		return;
	for (uint32_t i = 0; i < k->nactions; i++) {
		const struct action *a = &k->actions[i];
		if (a->sub)
			turn(a->sub, a->on);
		else
			LIST_EACH (&k->subs, it)
				turn(list_owner(it, struct sub, in_client), false);
	}
	k->nactions = 0;
	k->must_wait |= k->has_notified;
	k->has_notified = false;
}

/* --- Telling */

/* Is it between transactions and messages, and does it take what it is told? */
static bool is_free(const struct pg_client *c)
{
	const struct session *s = &c->s;
	if (c->failed || c->refusing || c->out_left || stream_is_stalled(&s->stream))
		return false;
	switch ((enum session_state)s->state) {
	case SESSION_IDLE:
	case SESSION_WAITING:
	case SESSION_SYNC:
		return true;
	case SESSION_ACTIVE:
		break;
	case SESSION_LOGIN:
	case SESSION_OPENING:
	case SESSION_WELCOME:
	case SESSION_DEAD:
	case SESSION_NSTATES:
		return false;
	}
	const struct pg_server *p = pg_server_of(s->server);
	return p->txn == 'I' && p->left == 0 && expect_is_empty(&p->expect);
}

/* at: of a message that stays valid until the callback that is running returns, or (copy) not. */
static void put(struct pg_client *c, const uint8_t *at, size_t n, bool is_own, bool copy)
{
	struct session *s = &c->s;
	size_t head = 0;
	if (is_own) { /* the process id that it was told at login */
		uint8_t bytes[PG_HEADER + 4];
		struct pg_out o = pg_out(bytes, sizeof bytes);
		head = sizeof bytes;
		pg_put(&o, at, PG_HEADER);
		pg_put_u32(&o, (uint32_t)(c->key >> 32));
		stream_put_copy(&s->stream, bytes, head);
	}
	if (copy)
		stream_put_copy(&s->stream, at + head, n - head);
	else
		stream_put_span(&s->stream, at + head, n - head);
	s->pool->stats.v[STAT_notification_count]++;
	s->pool->stats.v[STAT_sent] += n;
}

static bool hold(struct sub *sub, struct notified *n, bool is_own)
{
	struct pg_listens *k = sub->client;
	struct held *h = malloc(sizeof *h);
	if (h && !n->note) {
		n->note = malloc(sizeof *n->note + n->n);
		if (n->note) {
			n->note->refs = 1; /* the notification's own, while it is passed on */
			n->note->len = (uint32_t)n->n;
			memcpy(n->note->bytes, n->at, n->n);
		}
	}
	if (!h || !n->note) {
		free(h);
		return false;
	}
	*h = (struct held){ NULL, n->note, is_own, !sub->on };
	n->note->refs++;
	*k->last = h;
	k->last = &h->next;
	k->held_bytes += n->n;
	return true;
}

/* It would miss some, and not know. */
static void cannot_keep(struct pg_client *c, const struct fault *f)
{
	session_fail(&c->s, f);
}

void pg_sub_notify(struct sub *sub, struct notified *n)
{
	struct pg_listens *k = sub->client;
	struct pg_client *c = k->client;
	struct session *s = &c->s;
	bool is_own = k == n->own;
	struct fault f;

	if (!sub->on &&
	    !is_own) /* of a LISTEN that is not committed its own transaction's NOTIFY is all it will hear */
		return;
	if (!n->is_ascii && varset_find(s->vars, "client_encoding") != k->listener->encoding) {
		fault_set(&f, FAULT_UNSUP, "a notification is not ASCII, and client_encoding was changed after LISTEN");
		fault_hint(&f, "Set client_encoding before LISTEN.");
		cannot_keep(c, &f);
		return;
	}
	if (sub->on && !k->first && is_free(c)) {
		put(c, n->at, n->n, is_own, false);
		return;
	}
	if (k->held_bytes + n->n > (size_t)config_num(config_now(), SET_listener_queue, s->db->conf, NULL)) {
		fault_set(&f, FAULT_BUSY, "more notifications wait for this client than listener_queue allows");
		fault_hint(&f, "It was in a transaction, or did not read, for too long.");
		cannot_keep(c, &f);
	} else if (!hold(sub, n, is_own)) {
		fault_set(&f, FAULT_NOMEM, "no memory for a notification");
		cannot_keep(c, &f);
	}
}

void pg_listen_flush(struct pg_client *c)
{
	struct pg_listens *k = c->listens;
	while (k->first && !stream_is_stalled(&c->s.stream)) {
		const struct note *note = k->first->note;
		struct pg_notification m;
		struct sub *sub = NULL;
		if (pg_read_notification(rd_of(note->bytes + PG_HEADER, note->len - PG_HEADER), &m))
			sub = find(k, m.channel);
		if (sub && !sub->on && k->first->is_early) /* its answer is on its way, behind this one */
			break;
		if (sub && sub->on) /* it may have been UNLISTENed meanwhile */
			put(c, note->bytes, note->len, k->first->is_own, true);
		drop_first(k);
	}
}

void pg_listen_drained(struct pg_client *c)
{
	if (is_free(c))
		pg_listen_flush(c);
}

/* --- The client's course */

static void ready_over(struct wait *w, bool ok)
{
	struct pg_listens *k = list_owner(w, struct pg_listens, ready);
	(void)ok;
	k->must_wait = false;
	if (k->client->s.server)
		pg_server_resume(pg_server_of(k->client->s.server));
}

bool pg_listen_holds(struct pg_client *c, struct pg_server *p)
{
	struct pg_listens *k = c->listens;
	if (!k->must_wait || !k->listener->is_up) {
		k->must_wait = false;
		return false;
	}
	if (!is_waiting(&k->ready)) {
		pg_listener_wait(k->listener, &k->ready, LISTEN_WAIT_MS);
		stream_hold(&p->sv.stream, HOLD_OWNER);
	}
	return true;
}

void pg_listen_rest(struct pg_client *c)
{
	struct pg_listens *k = c->listens;
	if (is_waiting(&k->ready)) /* their server is gone */
		wait_cancel(&k->ready);
	wait_cancel(&k->ahead);
	pg_hold_over(c, PG_HELD_LISTENER); /* the message is looked at again, on another server */
	list_del(&k->in_linked);
	k->nactions = 0;
	k->gave_up = k->must_wait = k->has_notified = false;
	drop_unused(k);
	if (k->first && c->s.state == SESSION_ACTIVE && is_free(c))
		pg_listen_flush(c);
	if (list_empty(&k->subs) && !k->first)
		pg_listen_leave(c);
}

bool pg_listen_hides(const struct pg_client *c, struct rd body)
{
	struct pg_notification m;
	struct sub *sub = pg_read_notification(body, &m) ? find(c->listens, m.channel) : NULL;
	return sub || !(c->s.pins & PIN_LISTEN);
}
