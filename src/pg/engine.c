/* engine.c - servers that speak PostgreSQL: made, left by their clients, cancelled, ended. PostgreSQL docs,
 * Frontend/Backend Protocol, Message Flow: Canceling Requests in Progress, Termination. */
#include "pg/engine_int.h"

#include "core/slab.h"
#include "pg/pg.h"

#include <stdlib.h>

static struct slab slab;

/* --- Making and ending */

static void resume(struct task *t)
{
	struct pg_server *p = list_owner(t, struct pg_server, resume_task);
	stream_unhold(&p->sv.stream, HOLD_OWNER);
	stream_redeliver(&p->sv.stream);
}

void pg_server_resume(struct pg_server *p)
{
	loop_defer(&p->resume_task);
}

static struct server *make(void)
{
	struct pg_server *p = slab_get(&slab);
	if (!p)
		return NULL;
	p->resume_task.run = resume;
	expect_init(&p->expect);
	p->expect.gone = pg_statement_gone;
	pg_cache_init(&p->cache);
	p->txn = 'I';
	return &p->sv;
}

static void free_server(struct server *sv)
{
	struct pg_server *p = pg_server_of(sv);
	pg_server_end_login(p);
	loop_undefer(&p->resume_task);
	expect_free(&p->expect);
	pg_script_free(p);
	pg_heal_free(&p->heal);
	pg_cache_free(&p->cache);
	varset_put(p->syncing);
	varset_put(p->said_before);
	free(p->own_fault);
	slab_put(&slab, p);
}

void pg_server_no_memory(struct server *sv)
{
	struct fault f;
	fault_set(&f, FAULT_NOMEM, "no memory for a server connection");
	server_fail(sv, &f);
}

void pg_server_broken(struct server *sv, const char *what)
{
	struct fault f;
	fault_set(&f, FAULT_PROTO, "server broke the protocol: %s", what);
	server_fail(sv, &f);
}

/* --- Left by its client */

bool pg_server_at_rest(const struct server *sv)
{
	const struct pg_server *p = list_owner((struct server *)(uintptr_t)sv, struct pg_server, sv);
	return p->txn == 'I' && p->left == 0 && p->own == OWN_NOTHING && expect_is_empty(&p->expect) &&
	       !stream_is_stalled(&sv->stream) && !sv->stream.failed;
}

/* Ends what needs the client that has left: a copy, and a batch without its Sync. */
static enum engine_left abandon(struct server *sv)
{
	static const char why[] = "the client has left";
	struct pg_server *p = pg_server_of(sv);
	uint8_t bytes[64];
	struct pg_out o = pg_out(bytes, sizeof bytes);
	bool copies = p->expect.copying_in;

	if (sv->stream.failed || p->expect.unsure)
		return ENGINE_BROKEN;
	if (pg_server_at_rest(sv))
		return ENGINE_REST;
	if (p->said_before || expect_has(&p->expect, EXPECT_CHANGES)) {
		sv->was_session = true; /* what it leaves behind is not followed any more: it is cleaned */
		sv->tidy = PG_UNLISTEN;
	}
	if (copies) {
		pg_begin(&o, PG_COPY_FAIL);
		pg_put(&o, why, sizeof why);
		pg_end(&o);
		if (!expect_sent(&p->expect, &(struct expect_entry){ .kind = EXPECT_COPY_END }))
			return ENGINE_BROKEN;
	}
	if (!p->own && expect_needs_sync(&p->expect)) {
		if (!copies) { /* the Sync alone would commit what ran in the batch; a copy that fails undoes it */
			pg_begin(&o, PG_QUERY);
			pg_put_cstr(&o, "ROLLBACK");
			pg_end(&o);
			pg_cache_unnamed(&p->cache, NULL);
			if (!expect_sent(&p->expect, &(struct expect_entry){ .kind = EXPECT_QUERY }))
				return ENGINE_BROKEN;
		}
		pg_begin(&o, PG_SYNC);
		pg_end(&o);
		p->cache.batch++;
		if (!expect_sent(&p->expect, &(struct expect_entry){ .kind = EXPECT_SYNC }))
			return ENGINE_BROKEN;
	}
	stream_put_copy(&sv->stream, o.p, o.len);
	if (p->own || p->left || !expect_is_empty(&p->expect))
		return ENGINE_OWES;
	return p->txn == 'I' ? ENGINE_BROKEN : ENGINE_OPEN;
}

bool pg_server_drain_on(struct server *sv)
{
	if (abandon(sv) != ENGINE_BROKEN)
		return true;
	server_close(sv, "what its client left cannot be ended", NULL);
	return false;
}

/* --- The rest of its table */

static uint32_t prepared(const struct server *sv)
{
	return pg_cache_count(&pg_server_of((struct server *)(uintptr_t)sv)->cache);
}

static size_t goodbye(const struct server *sv, uint8_t out[ENGINE_BYTES_MAX])
{
	struct pg_out o = pg_out(out, ENGINE_BYTES_MAX);
	if (!pg_server_at_rest(sv))
		return 0; /* in the middle of something it would be taken for a part of that */
	pg_begin(&o, PG_TERMINATE);
	pg_end(&o);
	return o.len;
}

static size_t cancel(const struct server *sv, uint8_t out[ENGINE_BYTES_MAX])
{
	const struct pg_server *p = list_owner((struct server *)(uintptr_t)sv, struct pg_server, sv);
	struct pg_out o = pg_out(out, ENGINE_BYTES_MAX);
	if (!p->key_len || expect_is_empty(&p->expect))
		return 0; /* it runs nothing */
	pg_begin(&o, 0);
	pg_put_u32(&o, PG_CANCEL_CODE);
	pg_put_u32(&o, sv->pid);
	pg_put(&o, p->key, p->key_len);
	pg_end(&o);
	return o.len;
}

static size_t tls_request(uint8_t out[ENGINE_BYTES_MAX])
{
	struct pg_out o = pg_out(out, ENGINE_BYTES_MAX);
	pg_begin(&o, 0);
	pg_put_u32(&o, PG_SSL_CODE);
	pg_end(&o);
	return o.len;
}

/* An 'E' is possible too; the error that follows it came in plain, from anybody, and is shown to nobody. */
static enum engine_tls tls_answer(uint8_t answer)
{
	return answer == 'S' ? ENGINE_TLS_YES : answer == 'N' ? ENGINE_TLS_NO : ENGINE_TLS_BROKEN;
}

const struct engine_ops pg_engine = {
	.name = "postgres",
	.socket_file = ".s.PGSQL.%u",
	.make = make,
	.free = free_server,
	.tls_request = tls_request,
	.tls_answer = tls_answer,
	.start = pg_server_start,
	.start_otherwise = pg_server_start_otherwise,
	.on_bytes = pg_server_bytes,
	.sync = pg_own_sync,
	.run = pg_own_run,
	.ask = pg_own_ask,
	.at_rest = pg_server_at_rest,
	.apart = pg_listener_apart,
	.prepared = prepared,
	.abandon = abandon,
	.goodbye = goodbye,
	.cancel = cancel,
};

void pg_init(void)
{
	slab_init(&slab, "pg_server", sizeof(struct pg_server));
	database_set_engine(DB_POSTGRES, &pg_engine);
}
