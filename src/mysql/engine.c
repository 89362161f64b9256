/* engine.c - servers that speak MySQL: what they answer, and passing it on. MySQL Source Code Documentation,
 * Client/Server Protocol: Command Phase; Server Status Flags; Session State Information. */
#include "mysql/mysql_int.h"

#include "core/slab.h"
#include "core/str.h"
#include "mysql/charset.h"
#include "mysql/errors.h"
#include "mysql/login.h"
#include "mysql/mysql.h"
#include "mysql/pack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DRAIN_MAX                                                                                                      \
	(64u << 20) /* bytes that are swallowed for a client that has left, until its cancel request counts            \
		     */

#define LOCK_ROW_MAX 16u /* what is longer does not say 0 */

enum ends { ENDS_NOTHING, ENDS_WELL, ENDS_BADLY }; /* what passes is the end of an answer */

static struct slab slab;

/* --- Making and ending */

static void gone(struct mysql_expect *e, const struct mysql_expect_entry *x, enum mysql_expect_end how)
{
	(void)e;
	(void)how;
	istr_put(x->text);
}

static struct server *make(void)
{
	struct mysql_server *p = slab_get(&slab);
	if (!p)
		return NULL;
	mysql_expect_init(&p->expect);
	p->expect.gone = gone;
	mysql_cache_init(&p->cache);
	return &p->sv;
}

static void free_server(struct server *sv)
{
	struct mysql_server *p = mysql_server_of(sv);
	mysql_engine_login_free(p);
	mysql_expect_free(&p->expect);
	mysql_cache_free(&p->cache);
	varset_put(p->followed);
	varset_put(p->syncing);
	varset_put(p->syncing_said);
	free(p->own_fault);
	istr_put(p->role);
	slab_put(&slab, p);
}

void mysql_no_memory(struct server *sv)
{
	struct fault f;
	fault_set(&f, FAULT_NOMEM, "no memory for a server connection");
	server_fail(sv, &f);
}

void mysql_broken(struct server *sv, const char *what)
{
	struct fault f;
	fault_set(&f, FAULT_PROTO, "server broke the protocol: %s", what);
	server_fail(sv, &f);
}

/* --- What answers say of the session */

/* Its settings and default schema, as the server tells them. */
static bool take_vars(struct mysql_server *p, uint8_t type, struct rd data, bool *has_set, bool *has_collation)
{
	const struct varset **vars = &p->sv.vars;
	if (type == MYSQL_STATE_SCHEMA) {
		struct rd name = mysql_rd_text(&data);
		return data.bad || varset_set(vars, MYSQL_SCHEMA, (const char *)name.p, rd_left(&name));
	}
	while (rd_left(&data)) { /* MariaDB puts several into one */
		char name[80];
		uint32_t pins;
		struct rd n = mysql_rd_text(&data), v = mysql_rd_text(&data);
		if (data.bad || !str_copy_n(name, sizeof name, n.p, rd_left(&n)))
			return true;
		if (mysql_track_is_odd(name, &pins)) {
			p->odd_pins |= p->own ? 0 : pins;
			continue;
		}
		/* Whoever ends its transactions so ends the connection with them. */
		if (strcmp(name, "completion_type") == 0 && rd_left(&v) == 7 && memcmp(v.p, "RELEASE", 7) == 0)
			p->odd_pins |= p->own ? 0 : (uint32_t)PIN_SETTING;
		*has_set |= strcmp(name, MYSQL_SET_CONNECTION) == 0;
		*has_collation |= strcmp(name, MYSQL_COLLATION) == 0;
		if (strcmp(name, MYSQL_SET_RESULTS) == 0 && !varset_unset(vars, MYSQL_RESULTS))
			return false;
		if (!varset_set(vars, name, (const char *)v.p, rd_left(&v)))
			return false;
	}
	return true;
}

bool mysql_take_state(struct mysql_server *p, const struct mysql_seen *seen)
{
	struct rd state = seen->ok.state, data;
	bool has_set = false, has_collation = false, ok = true;
	uint8_t type;
	while (ok && mysql_next_state(&state, &type, &data)) {
		if (type == MYSQL_STATE_VARIABLE || type == MYSQL_STATE_SCHEMA) {
			p->told_settings |= type == MYSQL_STATE_VARIABLE;
			ok = take_vars(p, type, data, &has_set, &has_collation);
		} else if (type == MYSQL_STATE_CHANGED) {
			p->told_changed = true;
		}
	}
	/* A character set has a collation of its own, which is not told. */
	if (ok && has_set && !has_collation)
		ok = varset_unset(&p->sv.vars, MYSQL_COLLATION);
	if (state.bad) {
		mysql_broken(&p->sv, "malformed session state");
		return false;
	}
	if (!ok) {
		mysql_no_memory(&p->sv);
		return false;
	}
	p->told_changed |= seen->is_cut;
	return true;
}

void mysql_forget_told(struct mysql_server *p)
{
	p->is_untold = p->told_settings = p->told_changed = p->told_xact = p->had_rows = false;
	p->any_rows = p->has_no_lock = false;
	p->results = p->odd_pins = 0;
	p->rows = p->found = p->insert_id = 0;
}

/* What its server tells is what the client's settings are. */
static void follow(struct mysql_server *p)
{
	struct server *sv = &p->sv;
	struct session *s = sv->session;
	if (s->vars != sv->vars) {
		varset_put(s->vars);
		s->vars = varset_ref(sv->vars);
	}
	if (p->followed != sv->vars) {
		const struct istr *schema = varset_find(sv->vars, MYSQL_SCHEMA);
		varset_put(p->followed);
		p->followed = varset_ref(sv->vars);
		if (schema && schema->len)
			sv->kind &= ~MYSQL_KIND_NO_SCHEMA;
		else
			sv->kind |= MYSQL_KIND_NO_SCHEMA;
	}
	s->wait.kind = sv->kind;
}

/* What changes what the next statement finds. */
static bool is_statement(uint8_t com, bool failed)
{
	switch (com) {
	case MYSQL_COM_QUERY:
	case MYSQL_COM_STMT_EXECUTE:
	case MARIADB_COM_STMT_BULK_EXECUTE:
	case MYSQL_COM_INIT_DB:
		return true;
	case MYSQL_COM_STMT_PREPARE:
		return failed;
	default:
		return false;
	}
}

/* What no server tells without session tracking: which schema a command has chosen, or that it was dropped. False: out
 * of memory. */
static bool take_schema(struct mysql_server *p, const struct mysql_expect_entry *x)
{
	struct mysql_client *c = mysql_client_of(p->sv.session);
	if (p->caps & MYSQL_CAP_SESSION_TRACK || (x->com != MYSQL_COM_INIT_DB && x->com != MYSQL_COM_DROP_DB))
		return true;
	bool is_known = x->text != NULL;
	for (size_t i = 0; is_known && i < x->text->len; i++) /* else it is of the character set of now */
		is_known = (uint8_t)x->text->s[i] < 128;
	if (is_known)
		return varset_set(&p->sv.vars, MYSQL_SCHEMA, x->text->s, x->text->len);
	c->track.pins |= PIN_SETTING;
	if (c->s.mode != POOL_SESSION && !session_ignores_pins(&c->s))
		session_pin(&c->s, PIN_SETTING);
	return true;
}

/* One more result of an answer, or an error. False: the server is closed. */
static bool take_result(struct mysql_server *p, const struct mysql_seen *seen, uint8_t first)
{
	struct session *s = p->sv.session;
	const struct mysql_expect_entry *x = mysql_expect_first(&p->expect);
	bool ok = true;
	if (seen->said == MYSQL_SAID_OK) {
		p->results++;
		p->had_rows = first == MYSQL_EOF;
		if (p->had_rows) {
			p->any_rows = true;
			p->found = p->rows;
		}
		if (seen->ok.insert_id)
			p->insert_id = seen->ok.insert_id;
		p->told_xact |= (seen->ok.status & MYSQL_STATUS_IN_TRANS) != 0;
		/* An EOF of before MYSQL_CAP_DEPRECATE_EOF says only that, and MySQL's not even that. What it is comes
		 * with the next OK of this answer, if there is one. */
		p->is_untold = seen->ok.status & MYSQL_STATUS_STATE_CHANGED && !rd_left(&seen->ok.state);
	}
	if (!seen->is_end) {
		p->rows = 0;
		return true;
	}
	p->told_changed |= p->is_untold;
	if (seen->said != MYSQL_SAID_ERR)
		ok = take_schema(p, x);
	if (ok && s->mode != POOL_SESSION && is_statement(x->com, seen->said == MYSQL_SAID_ERR))
		ok = mysql_state_answered(p, x, seen);
	else if (ok && seen->said == MYSQL_SAID_OK && first == MYSQL_OK)
		mysql_state_told(p); /* of the statement before, where the end of its rows could not */
	if (ok)
		follow(p);
	mysql_forget_told(p);
	if (!ok)
		mysql_no_memory(&p->sv);
	return ok;
}

/* --- The end of an answer */

/* A client that is not read from because the server owed it too much is read from again. */
static void check_full(const struct mysql_server *p, struct session *s)
{
	struct mysql_client *c = mysql_client_of(s);
	if ((c->full && p->expect.count < MYSQL_EXPECT_MAX / 2) || (c->waits && mysql_expect_is_empty(&p->expect)))
		mysql_client_unfull(c);
}

/* No error tells whether a transaction is open; in one it mostly still is. False: the server is closed. */
static bool ask_for_status(struct mysql_server *p, const struct session *s)
{
	if (s->mode == POOL_SESSION || p->status & MYSQL_STATUS_IN_TRANS || p->expect.count)
		return true;
	mysql_client_of(p->sv.session)->has_count = false;
	if (mysql_own_ping(p))
		return true;
	mysql_no_memory(&p->sv);
	return false;
}

void mysql_boundary(struct mysql_server *p)
{
	struct session *s = p->sv.session;
	bool asked = false;
	/* What was sent late may still be on its way: the door looks again when it has left. */
	if (!mysql_expect_is_empty(&p->expect) || mysql_client_of(s)->is_due || mysql_client_of(s)->in_left ||
	    mysql_client_of(s)->in_more || stream_is_stalled(&p->sv.stream))
		return;
	if (!mysql_state_fetch(p, &asked))
		mysql_no_memory(&p->sv);
	else if (!asked)
		session_boundary(s, p->status & MYSQL_STATUS_IN_TRANS);
}

/* Several statements in one are allowed, or not any more: it is of another kind now, and so is what its client wants.
 */
static void take_option(struct mysql_server *p, uint32_t option)
{
	if (option == 1)
		p->sv.kind |= MYSQL_CAP_MULTI_STATEMENTS;
	else if (option == 2)
		p->sv.kind &= ~MYSQL_CAP_MULTI_STATEMENTS;
	else
		p->sv.is_doubtful = true;
	if (p->sv.session)
		p->sv.session->wait.kind = p->sv.kind;
}

/* The first in the queue is answered. False: the server is not there any more, or is nobody's. */
static bool answered(struct mysql_server *p, bool failed)
{
	struct server *sv = &p->sv;
	struct session *s = sv->session;
	unsigned flags = mysql_expect_first(&p->expect)->flags;

	if (mysql_expect_first(&p->expect)->com == MYSQL_COM_SET_OPTION && !failed)
		take_option(p, mysql_expect_first(&p->expect)->number);
	mysql_expect_done(&p->expect, failed ? MYSQL_EXPECT_FAILED : MYSQL_EXPECT_ANSWERED);
	if (flags & MYSQL_EXPECT_LAST) {
		mysql_own_done(p);
		return true;
	}
	if (p->own)
		return true;
	if (!s && sv->state == SERVER_DRAIN) {
		if (failed) /* it may be in a transaction */
			p->status |= MYSQL_STATUS_IN_TRANS;
		if (mysql_expect_is_empty(&p->expect))
			server_drained(sv);
		else
			server_drains_on(sv);
		return true;
	}
	if (!s) {
		mysql_broken(sv, "an answer that nobody asked for");
		return false;
	}
	if (!(flags & MYSQL_EXPECT_OWN)) {
		mysql_client_of(s)->seq = 1;
		mysql_client_of(s)->is_partway = false;
		session_request_ends(s, p->status & MYSQL_STATUS_IN_TRANS);
		if (s->mode == POOL_STATEMENT && p->status & MYSQL_STATUS_IN_TRANS) {
			struct fault f;
			fault_set(&f, FAULT_PROTO, "transaction blocks not allowed in statement pooling mode");
			server_fail(sv, &f);
			return false;
		}
		if (failed && !ask_for_status(p, s))
			return false;
	}
	check_full(p, s);
	if (stream_is_open(&sv->stream) && sv->session == s)
		mysql_boundary(p);
	return true;
}

/* --- Packets */

/* Passes n bytes that stand at the cursor. */
static void pass(struct rd *in, struct stream *to, size_t n)
{
	const uint8_t *at = rd_take(in, n);
	if (to)
		stream_put_span(to, at, n);
}

static struct stream *client_of(const struct mysql_server *p, bool is_own)
{
	return p->sv.session && !is_own ? &p->sv.session->stream : NULL;
}

static bool answered(struct mysql_server *p, bool failed);

/* The rest of a packet whose header has passed. False: more of it has to come, or the server is gone. */
static bool pass_rest(struct mysql_server *p, struct rd *in)
{
	size_t n = rd_left(in) < p->left ? rd_left(in) : p->left;
	struct stream *to = p->skip ? NULL : client_of(p, false);
	pass(in, to, n);
	p->left -= (uint32_t)n;
	if (to)
		mysql_client_of(p->sv.session)->out_left = p->left;
	if (p->left)
		return false;
	uint8_t ends = p->ends;
	p->ends = ENDS_NOTHING;
	return !ends || (answered(p, ends == ENDS_BADLY) && stream_is_open(&p->sv.stream));
}

/* A statement that a timeout has cancelled fails for that, not at anybody's request. */
static bool tell_late(struct session *s, const struct mysql_err *e)
{
	struct fault f;
	if ((e->code != ER_QUERY_INTERRUPTED && e->code != ER_STATEMENT_TIMEOUT) || !session_is_late(s, &f))
		return false;
	mysql_tell(s, &f, false);
	return true;
}

/* The connection ends behind it. */
static bool is_last_word(const struct mysql_err *e)
{
	return e->code == ER_CONNECTION_KILLED || e->code == ER_SERVER_SHUTDOWN || e->code == ER_CLIENT_INTERACTION;
}

static void fail_as_told(struct server *sv, const struct mysql_err *e)
{
	struct fault f;
	fault_set(&f, FAULT_IO, "%.*s", (int)rd_left(&e->text), (const char *)e->text.p);
	fault_mysql(&f, e->code, e->state);
	server_fail(sv, &f);
}

/* Clients that did not ask to be told of their session's state read an OK without it. */
static void tell_less(struct mysql_client *c, uint8_t seq, uint8_t first, const struct mysql_ok *ok)
{
	struct mysql_ok less = *ok;
	size_t n = mysql_ok_size(ok);
	uint8_t *room = stream_put_room(&c->s.stream, n);
	if (!room)
		return;
	struct mysql_out o = mysql_out(room, n);
	less.status &= (uint16_t)~MYSQL_STATUS_STATE_CHANGED;
	mysql_put_ok(&o, seq, first, &less);
}

/* The front of a COM_STMT_PREPARE_OK, with the number that the client is to know the statement by. */
static void pass_named(struct mysql_server *p, struct rd *in, struct stream *to, uint32_t id)
{
	uint8_t bytes[MYSQL_HEADER + 5];
	struct mysql_out o = mysql_out(bytes, sizeof bytes);
	const uint8_t *at = rd_take(in, sizeof bytes);
	mysql_put(&o, at, MYSQL_HEADER + 1);
	mysql_put_u32(&o, id);
	stream_put_copy(to, o.p, o.len);
	p->left -= (uint32_t)o.len;
}

/* A packet that is there as far as is needed. False: stop here. */
static bool packet(struct mysql_server *p, struct rd *in, uint32_t len, uint8_t seq, struct rd body)
{
	struct server *sv = &p->sv;
	struct session *s = sv->session;
	const struct mysql_expect_entry *x = mysql_expect_first(&p->expect);
	struct mysql_seen seen;
	uint32_t known_as = 0;

	if (!mysql_expect_packet(&p->expect, len, body, &seen)) {
		mysql_broken(sv, "a packet that answers nothing");
		return false;
	}
	bool is_own = x->flags & MYSQL_EXPECT_OWN;
	struct stream *to = client_of(p, is_own);
	p->seq = (uint8_t)(seq + 1);
	if (to) {
		mysql_client_of(s)->seq = p->seq;
		mysql_client_of(s)->is_partway = true;
	}
	if (x->kind == MYSQL_EXPECT_STREAM && to && seen.is_end == (s->replication != REPLICATION_NONE))
		session_replicates(s, !seen.is_end); /* it is a replica as long as it is told something */
	switch (seen.said) {
	case MYSQL_SAID_OK:
		p->status = seen.ok.status;
		if (s && !p->own)
			mysql_client_of(s)->status = seen.ok.status;
		if (x->flags & MYSQL_EXPECT_MAPS && seen.is_end)
			mysql_statement_ran(p, x, seen.ok.status, *body.p != MYSQL_OK);
		if (rd_left(&seen.ok.state) || seen.is_cut) {
			if (!mysql_take_state(p, &seen))
				return false;
		}
		if (!to && s && !p->own && x->com == MYSQL_COM_PING) {
			mysql_state_told(p);
			follow(p);
		}
		if (!to)
			mysql_forget_told(p);
		else if (!take_result(p, &seen, *body.p))
			return false;
		if (to && seen.ok.status & MYSQL_STATUS_STATE_CHANGED && !seen.is_cut &&
		    !(mysql_client_of(s)->caps & MYSQL_CAP_SESSION_TRACK)) {
			tell_less(mysql_client_of(s), seq, *body.p, &seen.ok);
			to = NULL;
		}
		break;
	case MYSQL_SAID_ERR:
		if (x->flags & MYSQL_EXPECT_MAPS) {
			mysql_statement_failed(p, x, &seen.err);
			if (!stream_is_open(&sv->stream))
				return false;
		}
		if (is_own) {
			mysql_own_error(p, &seen.err);
			break;
		}
		if (!to)
			break;
		s->pool->stats.v[STAT_error_count]++;
		if (!take_result(p, &seen, MYSQL_ERR))
			return false;
		if (is_last_word(&seen.err)) {
			mysql_client_of(s)->seq = seq;
			fail_as_told(sv, &seen.err);
			return false;
		}
		mysql_client_of(s)->seq = seq;
		if (tell_late(s, &seen.err))
			to = NULL;
		break;
	case MYSQL_SAID_FILE:
		if (is_own) {
			mysql_broken(sv, "it wants a file of nobody's");
			return false;
		}
		if (sv->stream.codec)
			mysql_pack_file(sv->stream.codec);
		if (!to && !mysql_expect_is_empty(&p->expect)) { /* whose client has left */
			uint8_t none[MYSQL_HEADER] = { 0, 0, 0, p->seq };
			stream_put_copy(&sv->stream, none, sizeof none);
			mysql_expect_file_sent(&p->expect);
		}
		break;
	case MYSQL_SAID_PREPARED:
		if (x->flags & MYSQL_EXPECT_MAPS && !mysql_statement_prepared(p, x, &seen, &known_as)) {
			mysql_no_memory(sv);
			return false;
		}
		break;
	case MYSQL_SAID_NOTHING:
		break;
	}
	p->skip = to == NULL;
	p->continues = len == MYSQL_PAYLOAD_MAX;
	p->left = MYSQL_HEADER + len;
	p->ends = !seen.is_end ? ENDS_NOTHING : seen.said == MYSQL_SAID_ERR ? ENDS_BADLY : ENDS_WELL;
	if (known_as && to)
		pass_named(p, in, to, known_as);
	return pass_rest(p, in);
}

/* Nothing is owed: it says why it goes, or has lost its mind. */
static void unasked(struct server *sv, struct rd body)
{
	struct mysql_err e;
	if (rd_left(&body) && *body.p == MYSQL_ERR && mysql_read_err(body, &e))
		fail_as_told(sv, &e);
	else
		mysql_broken(sv, "data that nobody asked for");
}

/* What says nothing of an answer to a client passes in one piece. */
static void pass_plain(struct mysql_server *p, struct rd *in)
{
	const struct mysql_expect_entry *x = mysql_expect_first(&p->expect);
	struct session *s = p->sv.session;
	uint8_t seq = 0;
	if (!x || x->flags & (MYSQL_EXPECT_OWN | MYSQL_EXPECT_LOCK) || !s || p->own || p->continues)
		return;
	size_t n = mysql_expect_plain(&p->expect, in->p, rd_left(in), &p->rows, &seq);
	if (n == 0)
		return;
	mysql_client_of(s)->seq = (uint8_t)(seq + 1);
	mysql_client_of(s)->is_partway = true;
	pass(in, &s->stream, n);
}

/* One packet, or the part of it that is there. False: read more, or the server is gone. */
static bool relay_packet(struct mysql_server *p, struct rd *in)
{
	const struct mysql_expect_entry *x = mysql_expect_first(&p->expect);
	uint32_t len = 0;
	uint8_t seq = 0, first = 0;

	pass_plain(p, in);
	if (!mysql_head(in, &len, &seq))
		return false;
	if (p->continues) {
		p->continues = len == MYSQL_PAYLOAD_MAX;
		p->left = MYSQL_HEADER + len;
		if (!p->skip && p->sv.session) /* who may have left in the middle */
			mysql_client_of(p->sv.session)->seq = (uint8_t)(seq + 1);
		return pass_rest(p, in);
	}
	if (len) {
		if (rd_left(in) <= MYSQL_HEADER)
			return false;
		first = in->p[MYSQL_HEADER];
	}
	if (mysql_expect_is_row(&p->expect, len, first)) { /* nearly all that comes */
		if (x->flags & MYSQL_EXPECT_LOCK && len < LOCK_ROW_MAX) {
			if (rd_left(in) - MYSQL_HEADER < len)
				return false;
			mysql_state_tried(p, rd_of(in->p + MYSQL_HEADER, len));
		}
		if (p->own == MYSQL_OWN_ASK ||
		    x->flags & (MYSQL_EXPECT_ID | MYSQL_EXPECT_ROLE | MYSQL_EXPECT_SETTINGS)) {
			if (len > MYSQL_HELD_MAX) {
				mysql_broken(&p->sv, "the answer to a question of the house's own has too long a row");
				return false;
			}
			if (rd_left(in) - MYSQL_HEADER < len)
				return false;
			if (x->flags & MYSQL_EXPECT_ROLE) {
				if (!mysql_own_role(p, rd_of(in->p + MYSQL_HEADER, len)))
					return false;
			} else if (!p->own)
				mysql_state_fetched(p, rd_of(in->p + MYSQL_HEADER, len));
			else if (!mysql_own_row(p, rd_of(in->p + MYSQL_HEADER, len)))
				return false;
		}
		p->rows++;
		p->skip = x->flags & MYSQL_EXPECT_OWN || !p->sv.session;
		p->continues = len == MYSQL_PAYLOAD_MAX;
		p->left = MYSQL_HEADER + len;
		if (!p->skip) {
			mysql_client_of(p->sv.session)->seq = (uint8_t)(seq + 1);
			mysql_client_of(p->sv.session)->is_partway = true;
		}
		return pass_rest(p, in);
	}
	uint32_t need = len ? 1 : 0;
	if (mysql_expect_need(&p->expect, len, first) == MYSQL_NEED_ALL)
		need = len <= MYSQL_HELD_MAX ? len : MYSQL_EXPECT_FRONT;
	if (rd_left(in) - MYSQL_HEADER < need)
		return false;
	struct rd body = rd_of(in->p + MYSQL_HEADER, need);
	if (!x) {
		unasked(&p->sv, body);
		return false;
	}
	return packet(p, in, len, seq, body);
}

/* A cancelled statement says little more. */
static void count_drained(struct server *sv, uint32_t n)
{
	sv->drained += n;
	if (sv->drained > DRAIN_MAX)
		server_close(sv, "too much was still to come when its client left", NULL);
}

static void on_bytes(struct server *sv, struct rd *in)
{
	struct mysql_server *p = mysql_server_of(sv);
	const uint8_t *from = in->p;
	struct pool *pool = sv->pool;
	struct session *s = sv->session;

	while (p->login && mysql_engine_login_packet(sv, in))
		;
	if (!stream_is_open(&sv->stream))
		return;
	if (p->left == 0 || pass_rest(p, in))
		while (rd_left(in) > 0 && stream_is_open(&sv->stream) && relay_packet(p, in))
			;
	if (s)
		pool->stats.v[STAT_sent] += (uint64_t)(in->p - from);
	else if (sv->state == SERVER_DRAIN)
		count_drained(sv, (uint32_t)(in->p - from));
}

/* --- Compression */

static enum mysql_turn turn(void *arg, bool zero, unsigned *behind)
{
	const struct mysql_server *p = arg;
	(void)zero;
	if (mysql_expect_is_empty(&p->expect))
		return MYSQL_TURN_ANY;
	*behind = p->expect.count - 1u;
	return mysql_expect_is_fresh(&p->expect) && !p->results ? MYSQL_TURN_BEGINS : MYSQL_TURN_GOES_ON;
}

bool mysql_server_pack(struct mysql_server *p)
{
	struct server *sv = &p->sv;
	enum mysql_zip kind = p->caps & MYSQL_CAP_COMPRESS ? MYSQL_ZIP_ZLIB
			      : p->caps & MYSQL_CAP_ZSTD   ? MYSQL_ZIP_ZSTD
							   : MYSQL_ZIP_NONE;
	if (kind == MYSQL_ZIP_NONE)
		return true;
	struct codec *codec = mysql_pack_new(MYSQL_PEER_SERVER, kind, mysql_server_zip_level(sv), turn, p);
	if (!codec) {
		mysql_no_memory(sv);
		return false;
	}
	stream_start_codec(&sv->stream, codec, NULL);
	return true;
}

static bool at_rest(const struct server *sv)
{
	const struct mysql_server *p = list_owner((struct server *)(uintptr_t)sv, struct mysql_server, sv);
	return !(p->status & MYSQL_STATUS_IN_TRANS) && p->left == 0 && !p->continues && p->own == MYSQL_OWN_NOTHING &&
	       mysql_expect_is_empty(&p->expect) && !stream_is_stalled(&sv->stream) && !sv->stream.failed;
}

/* What needs the client that has left: a file is ended. */
static enum engine_left abandon(struct server *sv)
{
	struct mysql_server *p = mysql_server_of(sv);

	if (sv->stream.failed)
		return ENGINE_BROKEN;
	if (at_rest(sv))
		return ENGINE_REST;
	if (p->expect.wants_file) {
		uint8_t none[MYSQL_HEADER] = { 0, 0, 0, p->seq };
		stream_put_copy(&sv->stream, none, sizeof none);
		mysql_expect_file_sent(&p->expect);
	}
	if (p->own || p->left || p->continues || !mysql_expect_is_empty(&p->expect)) {
		sv->was_session = true; /* what it leaves behind is not followed any more: it is cleaned */
		return ENGINE_OWES;
	}
	return p->status & MYSQL_STATUS_IN_TRANS ? ENGINE_OPEN : ENGINE_BROKEN;
}

static uint32_t prepared(const struct server *sv)
{
	return mysql_cache_count(&mysql_server_of((struct server *)(uintptr_t)sv)->cache);
}

static size_t goodbye(const struct server *sv, uint8_t out[ENGINE_BYTES_MAX])
{
	struct mysql_out o = mysql_out(out, ENGINE_BYTES_MAX);
	if (!at_rest(sv))
		return 0; /* in the middle of something it would be taken for a part of that */
	mysql_begin(&o, 0);
	mysql_put_u8(&o, MYSQL_COM_QUIT);
	mysql_end(&o);
	return o.len;
}

static size_t cancel(const struct server *sv, uint8_t out[ENGINE_BYTES_MAX])
{
	const struct mysql_server *p = list_owner((struct server *)(uintptr_t)sv, struct mysql_server, sv);
	const struct mysql_expect_entry *x = mysql_expect_first(&p->expect);
	if (!x || (x->flags & MYSQL_EXPECT_OWN && !(x->flags & MYSQL_EXPECT_MAPS)))
		return 0; /* it runs nothing, or nothing that takes time */
	int n = snprintf((char *)out, ENGINE_BYTES_MAX, "KILL QUERY %" PRIu32, sv->pid);
	return (size_t)n + 1;
}

static bool start_otherwise(struct server *sv, const struct fault *f)
{
	(void)sv;
	(void)f;
	return false;
}

static void apart(struct server *sv, const struct fault *f)
{
	(void)sv;
	(void)f;
}

const struct engine_ops mysql_engine = {
	.name = "mysql",
	.no_host = "/run/mysqld/mysqld.sock",
	.make = make,
	.free = free_server,
	.start = mysql_engine_start,
	.start_otherwise = start_otherwise,
	.on_bytes = on_bytes,
	.sync = mysql_own_sync,
	.run = mysql_own_run,
	.reset = mysql_own_reset,
	.ask = mysql_own_ask,
	.at_rest = at_rest,
	.apart = apart,
	.prepared = prepared,
	.abandon = abandon,
	.goodbye = goodbye,
	.cancel = cancel,
	.cancels_by_statement = true,
};

void mysql_init(void)
{
	slab_init(&slab, "mysql_server", sizeof(struct mysql_server));
	database_set_engine(DB_MYSQL, &mysql_engine);
	/* Clients may have to tell their passwords by RSA: the key takes too long to draw when one of them asks. */
	const struct config *c = config_now();
	bool listens = *config_text(c, SET_mysql_listen_addr, NULL, NULL) ||
		       *config_text(c, SET_mysql_unix_socket, NULL, NULL);
	bool may_tell = c->has_sha2 || *config_text(c, SET_auth_user, NULL, NULL);
	if (listens && may_tell && !mysql_login_init())
		log_error(
			NULL,
			"no memory, or no randomness, for the key that passwords are told with over plain connections");
}
