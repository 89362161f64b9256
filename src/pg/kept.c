/* kept.c - clients that stay although their server was lost, their statement was refused or their transaction was taken
 * away: each message that asks for an answer gets one, and a transaction that is gone has failed until the client ends
 * it. PostgreSQL docs, Frontend/Backend Protocol, Message Flow: Extended Query (after an error all is skipped up to the
 * Sync), Pipelining; SQL commands, ROLLBACK and COMMIT in a failed transaction. */
#include "pg/pg_int.h"

#include "pg/kept.h"
#include "sql/lexer.h"

#include <stdlib.h>
#include <strings.h>

/* Longer texts do more than end a transaction. */
#define ENDING_MAX 256u

static char status_of(const struct pg_client *c)
{
	return c->failed ? 'E' : 'I';
}

void pg_tell_ready(struct session *s)
{
	uint8_t bytes[6];
	struct pg_client *c = pg_client_of(s);
	struct pg_out o = pg_out(bytes, sizeof bytes);
	if (c->listens && !c->failed)
		pg_listen_flush(c);
	pg_put_ready(&o, (uint8_t)status_of(c));
	stream_put_copy(&s->stream, o.p, o.len);
}

static bool asks_for_an_answer(uint8_t type)
{
	switch (type) {
	case PG_QUERY:
	case PG_FUNCTION_CALL:
	case PG_PARSE:
	case PG_BIND:
	case PG_DESCRIBE:
	case PG_EXECUTE:
	case PG_CLOSE:
		return true;
	default:
		return false;
	}
}

static void skip(struct pg_client *c, uint32_t total)
{
	c->in_left = total;
	c->in_skip = true;
}

/* --- Refused statements */

/* How much the client has sent ahead, without knowing that the statement at its front fails. All of that fails with it:
 * a transaction whose BEGIN was refused must not run without it. */
void pg_refuse(struct session *s, const struct fault *f)
{
	struct pg_client *c = pg_client_of(s);
	pg_tell(s, f, false);
	c->refusing = c->refusal_told = true;
	c->refused_ahead = (uint32_t)stream_kept(&s->stream);
	c->refused_kind = (uint8_t)f->kind;
	session_resume_input(s);
}

void pg_skip_refused(struct pg_client *c, uint8_t type, uint32_t total)
{
	skip(c, total);
	c->refused_ahead -= total < c->refused_ahead ? total : c->refused_ahead;
	if (!c->refusal_told && asks_for_an_answer(type)) {
		struct fault f;
		fault_set(&f, (enum fault_kind)c->refused_kind,
			  "not run: it was sent behind a statement that could not be run");
		pg_tell(&c->s, &f, false);
		c->refusal_told = true;
	}
	bool is_query = type == PG_QUERY || type == PG_FUNCTION_CALL;
	if (type != PG_SYNC && (!is_query || c->refused_batch)) {
		c->refused_batch |= asks_for_an_answer(type);
		return;
	}
	if (type == PG_QUERY)
		pg_unnamed_is(c, NULL);
	pg_tell_ready(&c->s);
	c->refusal_told = c->refused_batch = false;
	c->refusing = c->refused_ahead > 0;
}

/* --- A server that was lost */

static void fail_open_transaction(struct pg_client *c)
{
	free(c->why);
	c->why = NULL;
	c->failed = PG_FAILED_TOLD;
}

/* ahead: it was sent ahead of the answer to one before it, and nobody can know whether it was run. */
static void tell_lost(struct session *s, const struct fault *f, bool ahead)
{
	struct fault also;
	if (!ahead) {
		pg_tell(s, f, false);
		return;
	}
	fault_set(&also, (enum fault_kind)f->kind,
		  "the server connection was lost, and whether this was run is not known");
	fault_sqlstate(&also, f->sqlstate);
	pg_tell(s, &also, false);
}

bool pg_lost(struct session *s, const struct server *sv, const struct fault *f)
{
	struct pg_client *c = pg_client_of(s);
	struct pg_server *p = pg_server_of((struct server *)(uintptr_t)sv);
	struct expect *e = &p->expect;
	unsigned owed = expect_owed(e);
	bool batch_is_open = expect_needs_sync(e) || c->gather || pg_heal_needs_sync(&p->heal), told = e->skipping,
	     unsure = e->unsure;

	pg_hold_forget(c);
	c->healed = PG_NOT_HEALED;
	pg_ahead_forget(c);
	if (c->gather) { /* the rest of it is dropped */
		free(c->gather);
		c->gather = NULL;
		c->in_skip = true;
	}
	/* What was prepared and not answered is undone, as if it was skipped. */
	p->sv.session = s;
	expect_free(e);
	p->sv.session = NULL;
	pg_track_lost(c);
	if (s->pins) /* what it had there is gone, and it would not know */
		return false;
	if (c->out_left || unsure) /* in the middle of a message no other can begin */
		return false;
	if (owed == 0 && !batch_is_open) { /* nothing was asked, or only data went its way */
		if (p->txn == 'T' || p->txn == 'E')
			return pg_fail_transaction_as(c, p->txn, f);
		session_resume_input(s);
		return true;
	}
	if (p->txn != 'I')
		fail_open_transaction(c);
	for (unsigned i = 0; i < owed; i++) {
		tell_lost(s, f, i > 0);
		pg_tell_ready(s);
	}
	if (batch_is_open) {
		if (!told)
			tell_lost(s, f, owed > 0);
		c->refusing = c->refusal_told = c->refused_batch = true;
	} else {
		c->refusing = stream_kept(&s->stream) > 0;
		c->refusal_told = false;
	}
	c->refused_ahead = (uint32_t)stream_kept(&s->stream);
	c->refused_kind = (uint8_t)f->kind;
	session_resume_input(s);
	return true;
}

/* --- A transaction that is over without its client's knowledge */

bool pg_fail_transaction_as(struct pg_client *c, uint8_t txn, const struct fault *f)
{
	fail_open_transaction(c);
	if (txn == 'E') /* it knows that it has failed */
		return true;
	c->why = malloc(sizeof *c->why);
	if (!c->why)
		return false;
	*c->why = *f;
	c->failed = PG_FAILED_UNTOLD;
	return true;
}

bool pg_fail_transaction(struct session *s, const struct fault *f)
{
	pg_track_lost(pg_client_of(s));
	if (s->pins)
		return false;
	return pg_fail_transaction_as(pg_client_of(s), pg_server_of(s->server)->txn, f);
}

enum ending { NO_ENDING, ENDS_BY_COMMIT, ENDS_BY_ROLLBACK };

static bool is_word(const char *text, const struct sql_token *t, const char *word)
{
	return t->kind == SQL_TOK_WORD && t->span.len == strlen(word) &&
	       strncasecmp(text + t->span.at, word, t->span.len) == 0;
}

/* Does this text begin with what ends a transaction? ROLLBACK TO and AND CHAIN do not. *more: where the next statement
 * begins; 0: there is none. */
static enum ending ending_of(const char *text, size_t len, size_t *more)
{
	enum ending is = NO_ENDING;
	struct sql_lexer l;
	struct sql_token t;

	*more = 0;
	sql_lex_init(&l, text, len, SQL_POSTGRES);
	(void)sql_lex(&l, &t);
	if (is_word(text, &t, "rollback") || is_word(text, &t, "abort"))
		is = ENDS_BY_ROLLBACK;
	else if (is_word(text, &t, "commit") || is_word(text, &t, "end"))
		is = ENDS_BY_COMMIT;
	else
		return NO_ENDING;
	(void)sql_lex(&l, &t);
	if (is_word(text, &t, "work") || is_word(text, &t, "transaction"))
		(void)sql_lex(&l, &t);
	bool ends = t.kind == SQL_TOK_END;
	while (t.kind == SQL_TOK_OP && t.c == ';') {
		ends = true;
		(void)sql_lex(&l, &t);
	}
	if (t.kind != SQL_TOK_END)
		*more = t.span.at;
	return ends ? is : NO_ENDING;
}

static void put_message(struct session *s, uint8_t type, const void *body, size_t n)
{
	uint8_t bytes[32];
	struct pg_out o = pg_out(bytes, sizeof bytes);
	pg_begin(&o, type);
	pg_put(&o, body, n);
	pg_end(&o);
	if (!o.bad)
		stream_put_copy(&s->stream, o.p, o.len);
}

static void end_failure(struct pg_client *c)
{
	free(c->why);
	c->why = NULL;
	c->failed = PG_NOT_FAILED;
}

/* Tells why the transaction is over, once; later that it is. */
static void tell_failed(struct pg_client *c)
{
	struct fault f;
	if (c->failed == PG_FAILED_UNTOLD) {
		pg_tell(&c->s, c->why, false);
		fail_open_transaction(c);
		return;
	}
	fault_set(&f, FAULT_INTERNAL,
		  "current transaction is aborted, commands ignored until end of transaction block");
	fault_sqlstate(&f, "25P02");
	pg_tell(&c->s, &f, false);
}

/* A whole statement that ends it, or not. True: it is answered well; false: by an error. A COMMIT whose transaction was
 * rolled back behind its back must not look like one that worked. */
static bool end_by(struct pg_client *c, enum ending by)
{
	bool untold = c->failed == PG_FAILED_UNTOLD;
	if (by == NO_ENDING || (by == ENDS_BY_COMMIT && untold)) {
		tell_failed(c);
		if (by != NO_ENDING)
			end_failure(c);
		return false;
	}
	end_failure(c);
	return true;
}

/* The message at the cursor, if it is short enough to be what ends a transaction; FRAME_BAD: it is not. */
static enum frame short_message(const struct rd *in, uint32_t total, struct pg_msg *m)
{
	struct rd at = *in;
	return total > ENDING_MAX ? FRAME_BAD : pg_frame(&at, ENDING_MAX, m);
}

/* Alone. */
static enum ending ending_of_query(struct rd body)
{
	size_t len, more;
	const char *sql = rd_cstr(&body, &len);
	enum ending is = body.bad ? NO_ENDING : ending_of(sql, len, &more);
	return is != NO_ENDING && more ? NO_ENDING : is;
}

/* A Query at the cursor that says more behind what ends the transaction: that is answered here, and taken out of the
 * text, which goes on as any other. */
static bool end_and_go_on(struct pg_client *c, const struct rd *in, uint32_t total)
{
	struct pg_msg m;
	struct rd at = *in;
	size_t len, more;
	if (total > STREAM_KEEP_MAX || pg_frame(&at, total, &m) != FRAME_OK)
		return false;
	const char *sql = rd_cstr(&m.body, &len);
	enum ending by = m.body.bad ? NO_ENDING : ending_of(sql, len, &more);
	if (by == NO_ENDING || !more || (by == ENDS_BY_COMMIT && c->failed == PG_FAILED_UNTOLD))
		return false;
	(void)end_by(c, by);
	put_message(&c->s, PG_COMMAND_COMPLETE, "ROLLBACK", sizeof "ROLLBACK");
	memset((char *)(uintptr_t)sql, ' ', more); /* its own bytes, which nobody else reads */
	return true;
}

/* The client's statement of this name is this text from now on (NULL: there is none). False: out of memory, or it is
 * not for us to remember. */
static bool remember(struct pg_client *c, const char *name, size_t len, const struct istr *text)
{
	if (len == 0) {
		pg_unnamed_is(c, text);
		istr_put(text);
		return text != NULL;
	}
	bool may = config_num(config_now(), SET_max_prepared_statements, NULL, NULL) &&
		   pg_names_count(c->names) < PG_NAMES_MAX && text;
	struct pg_text *meant = may ? pg_text_get(c, text) : NULL;
	struct pg_name *n = meant ? pg_name_get(&c->names, name, len) : NULL;
	bool is_new = n && !n->text; /* it has one of that name already: an error there, too */
	if (is_new)
		pg_name_means(n, meant, false);
	pg_text_put(meant);
	istr_put(text);
	return is_new;
}

/* A Parse of what ends the transaction is remembered: it may be bound again and again. */
static enum ending ending_of_parse(struct pg_client *c, struct rd body)
{
	size_t len;
	const char *name = rd_cstr(&body, &len);
	enum ending is = body.bad ? NO_ENDING : ending_of_query(body);
	if (is == NO_ENDING || (is == ENDS_BY_COMMIT && c->failed == PG_FAILED_UNTOLD))
		return is;
	return remember(c, name, len, istr_get((const char *)body.p, rd_left(&body))) ? is : NO_ENDING;
}

/* What the client has under the name that is bound. */
static enum ending ending_of_bind(struct pg_client *c, struct rd body)
{
	size_t len;
	(void)rd_cstr(&body, NULL);
	const char *name = rd_cstr(&body, &len);
	const struct istr *text = c->unnamed.text;
	if (!body.bad && len > 0) {
		struct pg_name *n = pg_name_find(c->names, name, len);
		text = n && n->text ? n->text->said : NULL;
	}
	return body.bad || !text ? NO_ENDING : ending_of_query(rd_of(text->s, text->len));
}

static void forget_closed(struct pg_client *c, struct rd body)
{
	size_t len;
	uint8_t what = rd_u8(&body);
	const char *name = rd_cstr(&body, &len);
	struct pg_name *n = body.bad || what != 'S' || len == 0 ? NULL : pg_name_find(c->names, name, len);
	if (n) {
		pg_name_set(n, NULL);
		pg_name_check(n);
	}
}

/* Within a batch that began with the Parse of ROLLBACK or COMMIT. */
static void answer_ending(struct pg_client *c, uint8_t type, struct rd body)
{
	static const uint8_t no_parameters[2] = { 0, 0 };
	struct session *s = &c->s;
	switch (type) {
	case PG_PARSE:
		put_message(s, PG_PARSE_COMPLETE, "", 0);
		break;
	case PG_BIND:
		put_message(s, PG_BIND_COMPLETE, "", 0);
		break;
	case PG_CLOSE:
		forget_closed(c, body);
		put_message(s, PG_CLOSE_COMPLETE, "", 0);
		break;
	case PG_DESCRIBE:
		if (rd_u8(&body) == 'S')
			put_message(s, PG_PARAMETER_DESCRIPTION, no_parameters, sizeof no_parameters);
		put_message(s, PG_NO_DATA, "", 0);
		break;
	case PG_EXECUTE:
		put_message(s, PG_COMMAND_COMPLETE, "ROLLBACK", sizeof "ROLLBACK");
		end_failure(c);
		break;
	default:
		break;
	}
}

/* A batch that parses or binds this either ends the transaction or fails. */
static void begin_ending(struct pg_client *c, enum ending by)
{
	c->ending = by == ENDS_BY_ROLLBACK || (by == ENDS_BY_COMMIT && c->failed == PG_FAILED_TOLD);
	if (!c->ending)
		(void)end_by(c, by);
}

bool pg_failed_message(struct session *s, const struct rd *in, uint8_t type, uint32_t total)
{
	struct pg_client *c = pg_client_of(s);
	struct pg_msg m = { type, rd_of("", 0) };

	if (asks_for_an_answer(type) && short_message(in, total, &m) == FRAME_SHORT)
		return false;
	if (type == PG_QUERY && end_and_go_on(c, in, total))
		return true;
	skip(c, total);
	s->request_us = loop_now_us();
	switch (type) {
	case PG_QUERY:
		(void)remember(c, "", 0, NULL);
		if (end_by(c, ending_of_query(m.body)))
			put_message(s, PG_COMMAND_COMPLETE, "ROLLBACK", sizeof "ROLLBACK");
		pg_tell_ready(s);
		return true;
	case PG_FUNCTION_CALL:
		tell_failed(c);
		pg_tell_ready(s);
		return true;
	case PG_SYNC:
		c->ending = false;
		pg_tell_ready(s);
		return true;
	case PG_PARSE:
		begin_ending(c, ending_of_parse(c, m.body));
		break;
	case PG_BIND:
		if (!c->ending)
			begin_ending(c, ending_of_bind(c, m.body));
		break;
	case PG_DESCRIBE:
	case PG_EXECUTE:
	case PG_CLOSE:
		if (!c->ending)
			tell_failed(c);
		break;
	default: /* Flush, and data of a copy that is no more */
		return true;
	}
	if (c->ending)
		answer_ending(c, type, m.body);
	else
		c->refusing = c->refusal_told = c->refused_batch = true;
	return true;
}

/* The batch that has just ended the transaction goes on to its Sync. */
bool pg_is_ending(struct pg_client *c, uint8_t type)
{
	c->ending = c->ending && (type == PG_SYNC || type == PG_CLOSE || type == PG_FLUSH);
	return c->ending;
}

void pg_kept_free(struct pg_client *c)
{
	free(c->why);
}
