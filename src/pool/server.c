/* server.c - one server connection: its states, opening it, logging in, closing it. */
#include "pool/server_int.h"

#include "core/assert.h"
#include "core/random.h"
#include "core/str.h"
#include "gate/backoff.h"
#include "net/dns.h"
#include "net/tls.h"
#include "pool/ask.h"
#include "pool/pool_int.h"
#include "session/varset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TO(s)             (1u << SERVER_##s)
#define X(s, shown, next) [SERVER_##s] = { shown, next },
static const struct {
	const char *shown;
	unsigned next;
} states[] = { SERVER_STATES(X) };
#undef X

#define RETRY_BASE_MS    100u
#define RETRY_CEILING_MS 5000u

static uint64_t last_id;
const struct borrower_ops *server_borrower;
static struct log_seldom starved;

static void connect_next(struct server *sv);
static bool try_other_way(struct server *sv, const struct fault *f);
static bool try_other_secret(struct server *sv, const struct fault *f);
static bool try_again(struct server *sv, const struct fault *f);
static void stop_retrying(struct server *sv);
static bool may_pass(const struct server *sv, const struct fault *f);
static void begin_connect(struct task *t);

const char *server_state_name(const struct server *sv)
{
	return states[sv->state].shown;
}

void server_set_borrower(const struct borrower_ops *ops)
{
	server_borrower = ops;
}

void server_move(struct server *sv, enum server_state to)
{
	ASSERT(states[sv->state].next & 1u << to);
	log_debug(&sv->log, "server %s -> %s", states[sv->state].shown, states[to].shown);
	sv->pool->count[sv->state]--;
	sv->pool->count[to]++;
	if (sv->is_own && to == SERVER_ACTIVE) {
		sv->pool->own_opening--;
		sv->pool->own_active++;
	}
	sv->state = (uint8_t)to;
	list_del(&sv->in_state);
	list_push(&sv->pool->by_state[to], &sv->in_state);
}

static void describe(const struct log_ctx *ctx, char *out, size_t cap)
{
	const struct server *sv = (const void *)((const char *)ctx - offsetof(struct server, log));
	char at[ADDR_TEXT_MAX];
	if (sv->addr.family == ADDR_NONE)
		str_fmt(at, sizeof at, "%.60s:%u", sv->host->name, sv->host->port);
	else
		addr_text(&sv->addr, at);
	str_fmt(out, cap, "S-0x%" PRIx64 ": %s/%s@%s", sv->id, sv->pool->db->name->s, sv->pool->user->name->s, at);
}

/* --- The end */

static bool state_is_login(const struct server *sv)
{
	return sv->state == SERVER_CONNECT || sv->state == SERVER_LOGIN || sv->state == SERVER_SETUP;
}

static void run_free(struct task *t)
{
	struct server *sv = list_owner(t, struct server, free_task);
	varset_put(sv->vars);
	varset_put(sv->said);
	sv->ops->free(sv);
}

void server_close(struct server *sv, const char *why, const struct fault *f)
{
	struct pool *p = sv->pool;
	if (sv->state == SERVER_DEAD)
		return;
	if (why && state_is_login(sv)) {
		/* Out of descriptors is told once for all pools, not once for each. */
		log_seldom(f && f->kind == FAULT_BUSY ? &starved : &p->refusals, LOG_LV_WARN, &sv->log,
			   "cannot use this server: %s", why);
	} else if (why) {
		uint64_t age = sv->connect_ms ? (loop_now() - sv->connect_ms) / 1000 : 0;
		if (config_num(p->config, SET_log_disconnections, NULL, NULL))
			log_info(&sv->log, "closing because: %s (age=%" PRIu64 "s)", why, age);
	}
	if (sv->state > SERVER_LOGIN && stream_is_open(&sv->stream) && !sv->stream.failed) {
		uint8_t bye[ENGINE_BYTES_MAX];
		size_t n = sv->ops->goodbye(sv, bye);
		if (n)
			stream_put_copy(&sv->stream, bye, n);
	}
	stream_close(&sv->stream, false);
	dns_cancel(sv->dns);
	sv->dns = NULL;
	free(sv->addrs);
	sv->addrs = NULL;
	deadline_clear(&sv->deadline);
	stop_retrying(sv);
	server_forget_cancels(sv);
	struct session *s = sv->session;
	struct ask *a = sv->ask;
	sv->session = NULL;
	sv->ask = NULL;
	if (sv->is_own)
		(*(sv->state == SERVER_ACTIVE ? &p->own_active : &p->own_opening))--;
	p->napart -= sv->is_apart;
	server_move(sv, SERVER_DEAD);
	list_del(&sv->in_state);
	p->count[SERVER_DEAD]--;
	p->db->servers--;
	pool_host_gone(sv);
	host_put(sv->host);
	loop_defer(&sv->free_task);
	pool_server_gone(p);
	struct fault none;
	if (!f && (s || a || sv->is_apart)) {
		fault_set(&none, FAULT_IO, "server connection closed: %s", why ? why : "no reason known");
		f = &none;
	}
	if (s)
		server_borrower->lost(s, sv, f);
	else if (a)
		ask_lost(a, f);
	else if (sv->errand)
		server_errand_over(sv, f);
	else if (sv->is_apart)
		sv->ops->apart(sv, f);
}

void server_fail(struct server *sv, const struct fault *f)
{
	struct pool *p = sv->pool;
	struct fault told = *f;
	bool at_login = state_is_login(sv);

	if (sv->state == SERVER_DEAD)
		return;
	if (sv->state == SERVER_CONNECT) {
		sv->host->failed_ms = loop_now();
		sv->host->is_old = false; /* what comes back may be another */
		if (sv->next_addr < sv->naddrs) {
			log_debug(&sv->log, "%s; trying the next address", f->text);
			stream_close(&sv->stream, false);
			connect_next(sv);
			return;
		}
	}
	if (try_other_way(sv, f) || try_other_secret(sv, f) || try_again(sv, f))
		return;
	bool is_own = sv->is_own || sv->is_apart; /* whoever has it hears by itself */
	/* While another is tried again what becomes of that one counts, for those who wait. */
	bool is_beside = p->nretrying && !sv->is_retrying && may_pass(sv, f) && pool_host_may_retry(sv, f);
	if (at_login && !is_beside && !(sv->errand && sv->state == SERVER_SETUP)) /* what was asked of it is no login */
		pool_host_tried(sv, f);
	server_close(sv, told.text, &told);
	if (at_login && !is_own && !is_beside)
		pool_server_failed(p, &told);
}

/* --- Encryption. PostgreSQL's sslmodes: allow tries in plain and then encrypted, prefer the other way round. */

bool server_wants_tls(const struct server *sv, bool *must)
{
	enum tls_mode mode = tls_mode_now(TLS_SERVERS);
	*must = sv->addr.family != ADDR_UNIX && (mode > TLS_PREFER || (mode == TLS_ALLOW && sv->tls_second));
	if (sv->addr.family == ADDR_UNIX || mode == TLS_DISABLE)
		return false;
	return mode > TLS_PREFER || (mode == TLS_PREFER) != sv->tls_second;
}

static void start_again(struct server *sv)
{
	stream_close(&sv->stream, false);
	server_move(sv, SERVER_CONNECT);
	sv->tls = SERVER_TLS_NONE;
	sv->free_task.run = server_begin_again; /* not from within what the stream has called */
	loop_defer(&sv->free_task);
}

/* The server refused us, or could not encrypt: has it been asked the other way? It must not have asked for a proof
 * yet, and a refusal must be about how we came (28000: no line of its pg_hba.conf fits), and not about who we are. */
static bool try_other_way(struct server *sv, const struct fault *f)
{
	enum tls_mode mode = tls_mode_now(TLS_SERVERS);
	bool refused = strcmp(f->sqlstate, "28000") == 0;
	if (sv->state != SERVER_LOGIN || sv->greeted || sv->is_late)
		return false;
	if ((sv->tls == SERVER_TLS_NONE || sv->tls == SERVER_TLS_UP) && sv->ops->start_otherwise(sv, f)) {
		log_info(&sv->log, "%s; trying an older protocol", f->text);
		start_again(sv);
		return true;
	}
	if (sv->tls_second || sv->addr.family == ADDR_UNIX)
		return false;
	if (!(mode == TLS_PREFER && (sv->tls == SERVER_TLS_SHAKING || (sv->tls == SERVER_TLS_UP && refused))) &&
	    !(mode == TLS_ALLOW && sv->tls == SERVER_TLS_NONE && refused))
		return false;
	log_info(&sv->log, "%s; trying %s TLS", f->text, mode == TLS_PREFER ? "without" : "with");
	sv->tls_second = true;
	start_again(sv);
	return true;
}

/* The server refused the password, or the secret was none that it asks for: a user with two has another try. */
static bool try_other_secret(struct server *sv, const struct fault *f)
{
	struct secret *s = pool_secret(sv->pool);
	if (sv->state != SERVER_LOGIN || sv->secret_second || !s->other || strcmp(f->sqlstate, "28P01") != 0)
		return false;
	log_info(&sv->log, "%s; trying the user's other password", f->text);
	secret_turn(s, sv->secret_used);
	sv->secret_second = true;
	sv->greeted = false;
	start_again(sv);
	return true;
}

/* Nobody is there, goes away at once, or is being started: that may be over soon. */
static bool may_pass(const struct server *sv, const struct fault *f)
{
	if (sv->is_late || sv->errand)
		return false;
	return sv->state == SERVER_CONNECT ||
	       (sv->state == SERVER_LOGIN && (sv->has_ended || strncmp(f->sqlstate, "57P", 3) == 0));
}

/* A host that is just being started anew is back soon: whoever waits need not hear of it. One server of a pool at a
 * time; what is begun besides has failed. */
static bool try_again(struct server *sv, const struct fault *f)
{
	static const struct backoff_limits limits = { RETRY_BASE_MS, RETRY_CEILING_MS };
	struct pool *p = sv->pool;
	uint64_t at = loop_now() + backoff_half_ms(&limits, sv->retries, random_u64());
	if (!may_pass(sv, f) || sv->close_needed || sv->retries >= p->lim.retries || p->failed_ms ||
	    p->nretrying > sv->is_retrying || (sv->opens_until && at >= sv->opens_until) || !pool_host_may_retry(sv, f))
		return false;
	log_info(&sv->log, "%s; trying again in %" PRIu64 " ms (%u of %u)", f->text, at - loop_now(), sv->retries + 1u,
		 p->lim.retries);
	p->stats.v[STAT_connect_retry_count]++;
	p->nretrying += !sv->is_retrying;
	sv->is_retrying = sv->is_pausing = true;
	sv->retries++;
	stream_close(&sv->stream, false);
	if (sv->state != SERVER_CONNECT)
		server_move(sv, SERVER_CONNECT);
	if (!deadline_set(&sv->deadline, at))
		server_close(sv, "out of memory", NULL);
	return true;
}

static void begin_anew(struct server *sv)
{
	sv->is_pausing = false;
	free(sv->addrs);
	sv->addrs = NULL;
	sv->naddrs = sv->next_addr = 0;
	sv->tls = SERVER_TLS_NONE;
	sv->tls_second = sv->greeted = sv->secret_second = false;
	deadline_clear(&sv->deadline);
	if (sv->opens_until)
		(void)deadline_set(&sv->deadline, sv->opens_until);
	sv->free_task.run = begin_connect;
	loop_defer(&sv->free_task);
}

/* It is open, or closed. */
static void stop_retrying(struct server *sv)
{
	sv->pool->nretrying -= sv->is_retrying;
	sv->is_retrying = sv->is_pausing = false;
}

static void ask_for_tls(struct server *sv)
{
	uint8_t bytes[ENGINE_BYTES_MAX];
	size_t n = sv->ops->tls_request(bytes);
	sv->tls = SERVER_TLS_ASKED;
	stream_put_copy(&sv->stream, bytes, n);
}

bool server_start_tls(struct server *sv)
{
	struct tls_start how = { .ctx = tls_now(TLS_SERVERS), .host = sv->host->name, .ticket = &sv->host->ticket };
	struct fault f;
	if (how.ctx && stream_start_tls(&sv->stream, &how, NULL)) {
		sv->tls = SERVER_TLS_SHAKING;
		return true;
	}
	fault_set(&f, how.ctx ? FAULT_NOMEM : FAULT_CONNECT,
		  how.ctx ? "no memory for TLS" : "TLS was switched off meanwhile");
	server_fail(sv, &f);
	return false;
}

/* The answer. What comes with a yes came in plain, from anybody on the way, and would be taken for the server's own
 * words under encryption (CVE-2021-23222). */
static void tls_answered(struct server *sv, struct rd *in)
{
	enum engine_tls answer = sv->ops->tls_answer(rd_u8(in));
	struct fault f;

	if (answer == ENGINE_TLS_BROKEN || rd_left(in) > 0) {
		fault_set(&f, FAULT_CONNECT, "server broke the protocol: %s",
			  rd_left(in) > 0 ? "data behind its answer to the SSL request"
					  : "no answer to the SSL request");
	} else if (answer == ENGINE_TLS_NO) {
		if (tls_mode_now(TLS_SERVERS) <= TLS_PREFER && !sv->tls_second) {
			sv->tls = SERVER_TLS_NONE;
			sv->ops->start(sv);
			return;
		}
		fault_set(&f, FAULT_CONNECT, "server refused SSL");
	} else {
		(void)server_start_tls(sv);
		return;
	}
	(void)rd_take(in, rd_left(in));
	server_fail(sv, &f);
}

static void on_stream_secure(struct stream *st)
{
	struct server *sv = list_owner(st, struct server, stream);
	sv->tls = SERVER_TLS_UP;
	sv->ops->start(sv);
}

static void on_stream_bytes(struct stream *st, struct rd *in)
{
	struct server *sv = list_owner(st, struct server, stream);
	if (sv->tls == SERVER_TLS_ASKED)
		tls_answered(sv, in);
	else
		sv->ops->on_bytes(sv, in);
}

static void on_stream_end(struct stream *st, const struct fault *why)
{
	struct server *sv = list_owner(st, struct server, stream);
	struct fault f;
	sv->has_ended = true;
	if (why && sv->state == SERVER_CONNECT) {
		fault_set(&f, FAULT_CONNECT, "connect failed: %s", why->text);
	} else if (why && sv->tls == SERVER_TLS_SHAKING) {
		fault_set(&f, FAULT_CONNECT, "%s", why->text);
	} else if (sv->state == SERVER_LOGIN) {
		fault_set(&f, FAULT_CONNECT, "server closed the connection during login%s%s", why ? ": " : "",
			  why ? why->text : "");
	} else {
		fault_set(&f, FAULT_IO, "server closed the connection unexpectedly%s%s", why ? ": " : "",
			  why ? why->text : "");
		if (sv->state == SERVER_CHECK || (sv->state == SERVER_ACTIVE && !sv->ops->at_rest(sv)))
			pool_host_broke(sv, f.text);
	}
	server_fail(sv, &f);
}

static void on_stream_connect(struct stream *st)
{
	struct server *sv = list_owner(st, struct server, stream);
	sv->connect_ms = loop_now();
	sv->host->failed_ms = 0;
	if (config_num(sv->pool->config, SET_log_connections, NULL, NULL))
		log_info(&sv->log, "new connection to server");
	server_move(sv, SERVER_LOGIN);
	bool must;
	if (sv->ops->tls_request && server_wants_tls(sv, &must))
		ask_for_tls(sv);
	else
		sv->ops->start(sv);
}

/* Whoever feeds a stalled server waits; the engine's relay holds the client's stream. */
static void on_stream_stall(struct stream *st, bool stalled)
{
	struct server *sv = list_owner(st, struct server, stream);
	if (sv->session)
		server_borrower->stalled(sv->session, stalled);
}

static const struct stream_ops stream_ops = { on_stream_bytes, on_stream_end, on_stream_connect, on_stream_stall,
					      on_stream_secure };

static void connect_to(struct server *sv, const struct addr *a, const char *path)
{
	struct fault f;
	sv->has_ended = false;
	sv->addr = a ? *a : (struct addr){ .family = ADDR_UNIX, .port = sv->host->port };
	if (!stream_connect(&sv->stream, a, path, &stream_ops, &f)) {
		if (f.kind == FAULT_CONNECT) {
			struct fault told;
			fault_set(&told, FAULT_CONNECT, "connect failed: %s", f.text);
			f = told;
		}
		server_fail(sv, &f);
	}
}

/* The socket file of a host that is a directory, or begins with '@', or is the file itself. False when its name is too
 * long. */
bool server_socket_path(const struct server *sv, char *out, size_t cap)
{
	char file[64];
	if (!sv->ops->socket_file)
		return str_copy(out, cap, sv->host->name);
	(void)snprintf(file, sizeof file, sv->ops->socket_file, (unsigned)sv->host->port);
	int n = snprintf(out, cap, "%s/%s", sv->host->name, file);
	return n > 0 && (size_t)n < cap;
}

static void connect_unix(struct server *sv)
{
	char path[256];
	struct fault f;
	if (server_socket_path(sv, path, sizeof path)) {
		connect_to(sv, NULL, path);
		return;
	}
	fault_set(&f, FAULT_CONNECT, "socket directory \"%.100s...\" is too long", sv->host->name);
	server_fail(sv, &f);
}

void server_begin_again(struct task *t)
{
	struct server *sv = list_owner(t, struct server, free_task);
	const struct addr a = sv->addr;
	sv->free_task.run = run_free;
	if (sv->state == SERVER_DEAD) /* closed meanwhile */
		run_free(t);
	else if (a.family == ADDR_UNIX)
		connect_unix(sv);
	else
		connect_to(sv, &a, NULL);
}

static void connect_next(struct server *sv)
{
	sv->tls_second = false;
	connect_to(sv, &sv->addrs[sv->next_addr++], NULL);
}

static void on_dns(void *arg, const struct addr *addrs, size_t n, const struct fault *f)
{
	struct server *sv = arg;
	struct fault told;
	sv->dns = NULL;
	if (n == 0) {
		fault_set(&told, FAULT_CONNECT, "cannot look up host \"%s\": %s", sv->host->name, f->text);
		server_fail(sv, &told);
		return;
	}
	sv->addrs = calloc(n, sizeof *addrs);
	if (!sv->addrs) {
		fault_set(&told, FAULT_NOMEM, "no memory for the addresses of \"%s\"", sv->host->name);
		server_fail(sv, &told);
		return;
	}
	/* Each connection begins at another address, and tries all. */
	for (size_t i = 0; i < n; i++)
		sv->addrs[i] = addrs[(i + sv->id) % n];
	sv->naddrs = (uint32_t)n;
	connect_next(sv);
}

static bool host_is_unix(const struct host *h)
{
	return h->name[0] == '/' || h->name[0] == '@';
}

static void begin_connect(struct task *t)
{
	struct server *sv = list_owner(t, struct server, free_task);
	struct fault f;
	struct addr a;

	sv->free_task.run = run_free;
	if (sv->state == SERVER_DEAD) { /* closed before it began */
		run_free(t);
		return;
	}
	if (host_is_unix(sv->host)) {
		connect_unix(sv);
	} else if (addr_parse(&a, sv->host->name, sv->host->port)) {
		connect_to(sv, &a, NULL);
	} else {
		sv->dns = dns_resolve(sv->host->name, sv->host->port, on_dns, sv);
		if (!sv->dns) {
			fault_set(&f, FAULT_NOMEM, "no memory to look up \"%s\"", sv->host->name);
			server_fail(sv, &f);
		}
	}
}

static void on_deadline(struct deadline *d)
{
	struct server *sv = list_owner(d, struct server, deadline);
	uint64_t now = loop_now();
	struct fault f;

	switch ((enum server_state)sv->state) {
	case SERVER_CONNECT:
		if (sv->is_pausing) {
			begin_anew(sv);
			break;
		}
		/* fall through */
	case SERVER_LOGIN:
	case SERVER_SETUP:
		sv->next_addr = sv->naddrs; /* the time is that of all addresses together, and of all ways */
		sv->is_late = true;
		fault_set(&f, FAULT_CONNECT, "connect timeout: the server did not %s within server_connect_timeout",
			  sv->state == SERVER_CONNECT ? "answer" : "complete the login");
		server_fail(sv, &f);
		break;
	case SERVER_CHECK:
		pool_host_broke(sv, "a server that was idle does not answer any more");
		/* fall through */
	case SERVER_RESET:
	case SERVER_CANCEL:
	case SERVER_ROLLBACK:
		server_close(sv, "no answer to the house's own query", NULL);
		break;
	case SERVER_DRAIN:
		if (!sv->finishes || now >= sv->drains_until)
			(void)server_cancel(sv, NULL); /* it would run on */
		if (now < sv->drains_until) {          /* the one before may have come before what it was for */
			server_arm_drain(sv);
			break;
		}
		server_close(sv, "what its client left was not over within server_rollback_timeout", NULL);
		break;
	case SERVER_IDLE:
		if (now >= sv->expires_ms)
			server_close(sv, "server lifetime over", NULL);
		else if (sv->pool->lim.idle_ms && now >= sv->released_ms + sv->pool->lim.idle_ms &&
			 pool_servers(sv->pool) - sv->pool->napart > sv->pool->lim.min_size)
			server_close(sv, "server idle timeout", NULL);
		else if (sv->pool->lim.idle_ms && now >= sv->released_ms + sv->pool->lim.idle_ms)
			(void)deadline_set(&sv->deadline, now + sv->pool->lim.idle_ms);
		else
			server_arm_idle(sv);
		break;
	case SERVER_ACTIVE: /* looked at when it is released */
	case SERVER_LISTEN:
	case SERVER_DEAD:
		break;
	case SERVER_NSTATES:
		ASSERT(false);
	}
}

struct server *server_open_on(struct pool *p, struct host *h, bool own, uint64_t kind)
{
	struct server *sv = p->db->engine->make();
	if (!sv)
		return NULL;
	const struct varset *none = varset_empty();
	if (!none) {
		p->db->engine->free(sv);
		return NULL;
	}
	sv->log.describe = describe;
	sv->ops = p->db->engine;
	sv->pool = p;
	sv->host = h;
	sv->vars = none;
	sv->said = varset_ref(none);
	sv->id = ++last_id;
	sv->is_own = own;
	sv->kind = kind;
	p->own_opening += own;
	sv->generation = p->db->generation;
	sv->stream.io.fd = -1;
	sv->expires_ms = UINT64_MAX;
	list_init(&sv->stream.in_dirty);
	list_init(&sv->in_state);
	list_push(&p->by_state[SERVER_CONNECT], &sv->in_state);
	p->count[SERVER_CONNECT]++;
	p->db->servers++;
	h->servers++;
	deadline_init(&sv->deadline, on_deadline);
	if (p->lim.connect_ms) {
		sv->opens_until = loop_now() + p->lim.connect_ms;
		(void)deadline_set(&sv->deadline, sv->opens_until);
	}
	sv->free_task.run = begin_connect; /* its failure must not call back into the pool that is asking */
	loop_defer(&sv->free_task);
	return sv;
}

struct server *server_open(struct pool *p, bool own, uint64_t kind)
{
	struct host *h = pool_next_host(p);
	struct server *sv = h ? server_open_on(p, h, own, kind) : NULL;
	if (sv) {
		pool_host_opening(sv);
		pool_turn_opened(p);
	}
	return sv;
}

void server_logged_in(struct server *sv, const struct varset *vars, const struct varset *welcome)
{
	struct pool *p = sv->pool;
	stop_retrying(sv);
	varset_put(sv->vars);
	sv->vars = vars;
	pool_host_tried(sv, NULL);
	if (sv->is_own) {
		deadline_clear(&sv->deadline);
		server_move(sv, SERVER_ACTIVE);
		sv->request_ms = loop_now();
		p->stats.v[STAT_server_assignment_count]++;
		server_borrower->opened(sv->session, welcome);
		varset_put(welcome);
		return;
	}
	if (sv->errand) { /* it says nothing of others */
		varset_put(welcome);
		server_run_errand(sv);
		return;
	}
	varset_put(p->welcome);
	p->welcome = welcome;
	varset_put(p->vars);
	p->vars = varset_ref(vars);
	p->failed_ms = 0;
	free(sv->addrs);
	sv->addrs = NULL;
	sv->naddrs = 0;
	/* Some spread, so that servers opened together do not all expire together. */
	uint64_t life = p->lim.lifetime_ms;
	sv->expires_ms = loop_now() + life - (life / 10 ? (sv->id * 2654435761u) % (life / 10) : 0);
	if (p->db->conf->connect_query[0]) {
		server_move(sv, SERVER_SETUP);
		sv->ops->run(sv, p->db->conf->connect_query);
		return;
	}
	server_become_idle(sv);
}

void server_sync(struct server *sv, const struct varset *want, const struct varset *said)
{
	sv->ops->sync(sv, want, said);
}

void server_synced(struct server *sv)
{
	if (sv->session)
		server_borrower->synced(sv->session, NULL, NULL);
}

void server_sync_refused(struct server *sv, const struct fault *f, const char *name)
{
	if (sv->session)
		server_borrower->synced(sv->session, f, name);
}
