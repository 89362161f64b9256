/* listener.c - the connection that listens for all clients of a database: opened, kept, opened again. PostgreSQL docs:
 * LISTEN, UNLISTEN; Message Flow, Asynchronous Operations; Message Formats, NotificationResponse. */
#include "pg/listen_int.h"

#include "core/assert.h"
#include "core/str.h"

#include <stdlib.h>
#include <time.h>

#define BATCH_BYTES   (256u << 10) /* of one query */
#define PAUSED_MS     250u         /* how often it is looked whether the database is still paused */
#define RETRY_MIN_MS  500u
#define CHECK_MIN_MS  1000u
#define ANSWER_MAX_MS 15000u /* for an answer, when server_connect_timeout is 0 */

static void pump(struct task *t);
static void on_deadline(struct deadline *d);

/* --- Making and ending */

static struct pg_listener *make(struct database *db, const struct istr *encoding)
{
	struct pg_listener *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->db = db;
	l->encoding = istr_ref(encoding);
	list_init(&l->dirty);
	list_init(&l->asked);
	list_init(&l->clients);
	list_init(&l->linked);
	list_init(&l->waiting);
	deadline_init(&l->deadline, on_deadline);
	l->pump_task.run = pump;
	db->listener = l;
	return l;
}

static void channel_free(struct channel *ch)
{
	ASSERT(list_empty(&ch->subs));
	list_del(&ch->in_work);
	map_del(&ch->listener->channels, &ch->node);
	free(ch);
}

static void listener_free(struct pg_listener *l)
{
	size_t slot = 0;
	ASSERT(!l->server && list_empty(&l->clients));
	for (struct map_node *n = NULL; (n = map_next(&l->channels, n, &slot));)
		channel_free(list_owner(n, struct channel, node));
	map_free(&l->channels);
	map_free(&l->subs);
	loop_undefer(&l->pump_task);
	deadline_clear(&l->deadline);
	istr_put(l->encoding);
	l->db->listener = NULL;
	free(l);
}

struct pg_listener *pg_listener_for(struct pg_client *c)
{
	const struct istr *encoding = varset_find(c->s.vars, "client_encoding");
	struct pg_listener *l = c->s.db->listener;

	if (!pg_listen_may(c))
		return NULL;
	if (!l)
		return make(c->s.db, encoding);
	if (l->encoding != encoding) { /* nobody listens now */
		istr_put(l->encoding);
		l->encoding = istr_ref(encoding);
		l->is_encoded = false;
	}
	return l;
}

void pg_listener_join(struct pg_listener *l, struct pg_listens *k)
{
	k->listener = l;
	list_add(&l->clients, &k->in_listener);
	l->nclients++;
}

void pg_listener_part(struct pg_listens *k)
{
	struct pg_listener *l = k->listener;
	list_del(&k->in_listener);
	list_del(&k->in_linked);
	l->unused_ms = loop_now();
	if (--l->nclients == 0 && !l->server)
		listener_free(l);
	else
		loop_defer(&l->pump_task);
}

/* --- Channels */

static bool same_channel(const struct map_node *n, const void *key, size_t len)
{
	const struct channel *ch = list_owner(n, struct channel, node);
	return ch->len == len && memcmp(ch->name, key, len) == 0;
}

struct channel *pg_channel_find(const struct pg_listener *l, const char *name, size_t len)
{
	struct map_node *n = map_find(&l->channels, name, len, same_channel);
	return n ? list_owner(n, struct channel, node) : NULL;
}

static void mark(struct channel *ch)
{
	if (ch->is_asked || !list_empty(&ch->in_work))
		return;
	list_add(&ch->listener->dirty, &ch->in_work);
	loop_defer(&ch->listener->pump_task);
}

struct channel *pg_channel_get(struct pg_listener *l, const char *name)
{
	size_t len = strlen(name);
	struct channel *ch = pg_channel_find(l, name, len);
	if (ch)
		return ch;
	ch = calloc(1, sizeof *ch);
	if (!ch)
		return NULL;
	ch->listener = l;
	ch->len = (uint8_t)len;
	memcpy(ch->name, name, len + 1);
	list_init(&ch->in_work);
	list_init(&ch->subs);
	if (!map_add(&l->channels, &ch->node, ch->name, len)) {
		free(ch);
		return NULL;
	}
	mark(ch);
	return ch;
}

void pg_channel_changed(struct channel *ch)
{
	mark(ch);
}

/* --- Waiting */

static void waited_too_long(struct deadline *d)
{
	struct wait *w = list_owner(d, struct wait, deadline);
	list_del(&w->in_line);
	w->over(w, false);
}

void wait_init(struct wait *w, void (*over)(struct wait *w, bool ok))
{
	list_init(&w->in_line);
	deadline_init(&w->deadline, waited_too_long);
	w->over = over;
}

void wait_cancel(struct wait *w)
{
	list_del(&w->in_line);
	deadline_clear(&w->deadline);
}

void pg_listener_wait(struct pg_listener *l, struct wait *w, uint64_t ms)
{
	l->wanted = w->ticket = l->sent + 1;
	list_add(&l->waiting, &w->in_line);
	(void)deadline_set(&w->deadline, loop_now() + ms); /* no memory: the server's own deadlines are left */
	/* A client is there, on a server: so may be what was not a moment ago. */
	if (!l->server && l->retry_ms > l->tried_ms + RETRY_MIN_MS)
		l->retry_ms = l->tried_ms + RETRY_MIN_MS;
	loop_defer(&l->pump_task);
}

/* Those with tickets up to this; what they do may cancel the waiting of others. */
static void end_waits(struct pg_listener *l, uint64_t ticket, bool ok)
{
	while (!list_empty(&l->waiting)) {
		struct wait *w = list_owner(l->waiting.next, struct wait, in_line);
		if (w->ticket > ticket)
			break; /* they stand in the order of their tickets */
		wait_cancel(w);
		w->over(w, ok);
	}
}

/* --- Asking */

static void arm(struct pg_listener *l)
{
	uint64_t due = UINT64_MAX;
	const struct pool_limits *lim = l->server ? &l->server->pool->lim : NULL;

	if (!l->server && l->nclients)
		due = l->retry_ms;
	else if (l->is_up && l->is_busy)
		due = l->sent_ms + (lim->connect_ms ? lim->connect_ms : ANSWER_MAX_MS);
	else if (l->is_up && !l->nclients && lim->idle_ms)
		due = l->unused_ms + lim->idle_ms;
	else if (l->is_up && l->nclients && lim->check_query[0])
		due = l->heard_ms + (lim->check_ms > CHECK_MIN_MS ? lim->check_ms : CHECK_MIN_MS);
	if (due == UINT64_MAX)
		deadline_clear(&l->deadline);
	else
		(void)deadline_set(&l->deadline, due);
}

static void add_name(struct sb *q, const char *verb, const struct channel *ch)
{
	sb_add(q, verb);
	sb_add(q, " \"");
	for (const char *c = ch->name; *c; c++)
		sb_add_n(q, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
	sb_add(q, "\";");
}

/* What there is to tell, in one query; it is empty when somebody only waits for an answer. */
static void ask(struct pg_listener *l)
{
	struct pg_server *p = pg_server_of(l->server);
	struct sb q = { .max = 2 * BATCH_BYTES };

	if (!l->is_encoded) {
		sb_add(&q, "SET client_encoding TO '");
		for (const char *c = l->encoding->s; *c; c++) /* as a server has told it: a word */
			if (*c != '\'' && *c != '\\')
				sb_add_n(&q, c, 1);
		sb_add(&q, "';");
		l->is_encoded = true;
	}
	while (!list_empty(&l->dirty) && q.len < BATCH_BYTES) {
		struct channel *ch = list_owner(l->dirty.next, struct channel, in_work);
		bool wanted = !list_empty(&ch->subs);
		list_del(&ch->in_work);
		if (wanted == ch->is_listened) {
			if (!wanted)
				channel_free(ch);
			continue;
		}
		add_name(&q, wanted ? "LISTEN" : "UNLISTEN", ch);
		ch->is_asked = true;
		list_add(&l->asked, &ch->in_work);
	}
	l->is_last = list_empty(&l->dirty);
	l->sent += l->is_last;
	l->is_busy = true;
	l->sent_ms = loop_now();
	if (q.bad)
		server_close(l->server, "no memory for what it is to listen to", NULL);
	else
		pg_listener_run(p, sb_str(&q));
	sb_free(&q);
}

/* When it is tried again: sooner at first, as notifications are lost meanwhile; at most each server_login_retry. */
static void try_later(struct pg_listener *l, uint64_t most_ms)
{
	l->backoff_ms = l->backoff_ms ? 2 * l->backoff_ms : RETRY_MIN_MS;
	if (l->backoff_ms > most_ms)
		l->backoff_ms = most_ms > RETRY_MIN_MS ? most_ms : RETRY_MIN_MS;
	l->retry_ms = loop_now() + l->backoff_ms;
	arm(l);
}

/* It could not be opened: by another client's pool next time. */
static void cannot_open(struct pg_listener *l, uint64_t most_ms)
{
	struct list *first = l->clients.next;
	list_del(first);
	list_add(&l->clients, first);
	try_later(l, most_ms);
	end_waits(l, UINT64_MAX, false);
}

static void open_server(struct pg_listener *l)
{
	struct pool *p = list_owner(l->clients.next, struct pg_listens, in_listener)->client->s.pool;
	if (pool_is_paused(p)) {
		l->retry_ms = loop_now() + PAUSED_MS;
		arm(l);
		return;
	}
	l->tried_ms = loop_now();
	l->server = pool_open_apart(p);
	if (!l->server) {
		cannot_open(l, p->lim.retry_ms);
		return;
	}
	pg_server_of(l->server)->listener = l;
}

static void pump(struct task *t)
{
	struct pg_listener *l = list_owner(t, struct pg_listener, pump_task);
	struct database *db = l->db;
	if (!l->server && l->nclients && loop_now() >= l->retry_ms)
		open_server(l);
	else if (l->is_up && !l->is_busy && (!list_empty(&l->dirty) || l->wanted > l->sent || !l->is_encoded))
		ask(l);
	if (db->listener == l) /* else it is gone, with its server */
		arm(l);
}

static void on_deadline(struct deadline *d)
{
	struct pg_listener *l = list_owner(d, struct pg_listener, deadline);
	if (l->is_up && l->is_busy) {
		server_close(l->server, "the shared listener does not answer", NULL);
		return;
	}
	if (l->is_up && !l->nclients) {
		server_close(l->server, "server idle timeout: nobody listens any more", NULL);
		return;
	}
	if (l->is_up && loop_now() >= l->heard_ms + l->server->pool->lim.check_ms)
		l->wanted = l->sent + 1; /* a sign of life */
	loop_defer(&l->pump_task);
}

/* --- What was lost */

static void wall_text(uint64_t us, char *out, size_t cap)
{
	time_t s = (time_t)(us / 1000000);
	struct tm tm;
	char text[32];
	if (!gmtime_r(&s, &tm) || !strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm))
		text[0] = 0;
	str_fmt(out, cap, "%s.%03u UTC", text, (unsigned)(us / 1000 % 1000));
}

/* Is there anybody who would have heard? */
static bool anybody_listens(const struct pg_listener *l)
{
	size_t slot = 0;
	for (struct map_node *n = NULL; (n = map_next(&l->subs, n, &slot));)
		if (list_owner(n, struct sub, node)->on)
			return true;
	return false;
}

static void lost(struct pg_listener *l, struct pool *p, const struct fault *f)
{
	char heard[64];
	if (l->lost_us || !anybody_listens(l))
		return;
	l->lost_us = loop_wall_us();
	p->stats.v[STAT_listener_lost_count]++;
	l->lost_heard_us = l->heard_us;
	wall_text(l->heard_us, heard, sizeof heard);
	log_warn(NULL,
		 "database \"%s\": the connection that listens for %u clients was lost: %s (last heard of at %s); "
		 "until another one listens, notifications are lost",
		 l->db->name->s, l->nclients, f->text, heard);
}

/* All is as it was. */
static void healed(struct pg_listener *l)
{
	char heard[64], from[64], to[64];
	wall_text(l->lost_heard_us, heard, sizeof heard);
	wall_text(l->lost_us, from, sizeof from);
	wall_text(loop_wall_us(), to, sizeof to);
	log_warn(NULL,
		 "database \"%s\": listening again for %u clients; notifications may have been lost between %s and %s "
		 "(the connection before was last heard of at %s)",
		 l->db->name->s, l->nclients, from, to, heard);
	l->lost_us = 0;
}

/* --- What its server says */

static void hear(struct pg_listener *l)
{
	l->heard_ms = loop_now();
	l->heard_us = loop_wall_us();
}

/* The server of a listener knows no channel, or nothing of what it was told counts. */
static void forget_server(struct pg_listener *l)
{
	size_t slot = 0;
	for (struct map_node *n = NULL; (n = map_next(&l->channels, n, &slot));) {
		struct channel *ch = list_owner(n, struct channel, node);
		ch->is_listened = ch->is_asked = false;
		list_del(&ch->in_work);
		list_add(&l->dirty, &ch->in_work);
	}
	l->is_up = l->is_busy = l->is_encoded = false;
}

void pg_listener_apart(struct server *sv, const struct fault *f)
{
	struct pg_listener *l = pg_server_of(sv)->listener;
	bool was_up = l->is_up;

	if (!f) {
		forget_server(l);
		l->is_up = true;
		l->unused_ms = loop_now();
		hear(l);
		l->wanted = l->sent + 1; /* when that is answered, it listens to all */
		loop_defer(&l->pump_task);
		return;
	}
	pg_server_of(sv)->listener = NULL;
	forget_server(l);
	l->server = NULL;
	if (!l->nclients) {
		listener_free(l);
		return;
	}
	if (was_up)
		lost(l, sv->pool, f);
	if (was_up && loop_now() >= l->tried_ms + RETRY_MIN_MS) {
		l->retry_ms = loop_now(); /* at once */
		loop_defer(&l->pump_task);
	} else if (was_up) { /* it comes and goes */
		try_later(l, sv->pool->lim.retry_ms);
	} else {
		cannot_open(l, sv->pool->lim.retry_ms);
	}
}

void pg_listener_done(struct pg_server *p, const struct fault *f)
{
	struct pg_listener *l = p->listener;
	if (f) {
		struct fault told = *f;
		fault_add(&told, "the shared listener");
		server_close(&p->sv, told.text, &told);
		return;
	}
	l->is_busy = false;
	l->backoff_ms = 0;
	while (!list_empty(&l->asked)) {
		struct channel *ch = list_owner(l->asked.next, struct channel, in_work);
		list_del(&ch->in_work);
		ch->is_asked = false;
		ch->is_listened = !ch->is_listened;
		if (!list_empty(&ch->subs) != ch->is_listened)
			mark(ch);
		else if (!ch->is_listened)
			channel_free(ch);
	}
	if (l->is_last)
		l->done = l->sent;
	if (l->is_last && l->lost_us)
		healed(l);
	hear(l);
	end_waits(l, l->done, true);
	loop_defer(&l->pump_task);
}

void pg_listener_note(struct pg_server *p, const uint8_t *at, size_t n)
{
	struct pg_listener *l = p->listener;
	struct pg_notification m;
	struct notified told = { .at = at, .n = n, .is_ascii = true };

	hear(l);
	if (!pg_read_notification(rd_of(at + PG_HEADER, n - PG_HEADER), &m)) {
		server_close(&p->sv, "server broke the protocol: malformed NotificationResponse", NULL);
		return;
	}
	struct channel *ch = pg_channel_find(l, m.channel, strlen(m.channel));
	if (!ch)
		return;
	for (const char *c = m.payload; *c; c++)
		if ((unsigned char)*c >= 0x80)
			told.is_ascii = false;
	LIST_EACH (&l->linked, it) {
		const struct pg_listens *k = list_owner(it, struct pg_listens, in_linked);
		if (k->client->s.server && k->client->s.server->pid == m.pid)
			told.own = k;
	}
	LIST_EACH (&ch->subs, it)
		pg_sub_notify(list_owner(it, struct sub, in_channel), &told);
	if (told.note && --told.note->refs == 0)
		free(told.note);
}
