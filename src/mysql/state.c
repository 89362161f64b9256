/* state.c - clients in transaction pooling: what they say is looked at before it goes to a server, and what its answer
 * means is brought to their session. What follows from what is track.c's. */
#include "mysql/mysql_int.h"

#include "core/str.h"
#include "mysql/errors.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* These end with the next statement, so there is nothing to be cleaned when they do. */
#define PINS_PASSING ((uint32_t)(PIN_FOUND_ROWS | PIN_WARNINGS))

#define LAST_INSERT_ID "last_insert_id"

/* How texts are read depends on settings, and is kept with them. */
static unsigned mode_of(const struct session *s)
{
	enum { KNOWN = 0x8000, SHIFT = 8 };
	const struct mysql_server *p = s->server ? mysql_server_of(s->server) : NULL;
	const struct mysql_known *known = p ? NULL : mysql_known_of(s->db);
	uint32_t version = p ? p->number : known->number;
	bool is_mariadb = p ? p->is_mariadb : known->is_mariadb;
	uint16_t *notes = varset_notes(s->vars);
	if (!(*notes & KNOWN)) {
		unsigned flags = mysql_track_mode(s->vars, false, 0);
		*notes = (uint16_t)(*notes | KNOWN | (flags & 7) << SHIFT);
	}
	return MY_MODE((*notes >> SHIFT & 7) | (is_mariadb ? MY_MARIADB : 0u), version);
}

unsigned mysql_mode(const struct session *s)
{
	return mode_of(s);
}

/* A prepared one, and how it is read: by the settings of then. */
static struct rd prepared_of(const struct session *s, const struct istr *text, unsigned *mode)
{
	const struct mysql_server *p = s->server ? mysql_server_of(s->server) : NULL;
	const struct mysql_known *known = p ? NULL : mysql_known_of(s->db);
	const char *then[MYSQL_MEANINGS];
	struct rd sql = mysql_meaning_read(text, then);
	*mode = mysql_track_mode_by(then[MYSQL_MEANING_MODE], then[MYSQL_MEANING_CHARSET],
				    p ? p->is_mariadb : known->is_mariadb, p ? p->number : known->number);
	return sql;
}

/* --- Before a statement goes to a server */

void mysql_client_fresh(struct mysql_client *c)
{
	c->is_fresh = true;
	c->has_id = c->has_found = c->has_run = false;
}

/* The id is set on the server before the statement runs. */
static bool bring_id(struct mysql_client *c, struct fault *f)
{
	struct session *s = &c->s;
	char id[24];
	if (c->s.server)
		return true;
	str_fmt(id, sizeof id, "%llu", (unsigned long long)c->track.insert_id);
	if (!varset_set(&s->said, LAST_INSERT_ID, id, strlen(id))) {
		fault_set(f, FAULT_NOMEM, "no memory for a statement");
		return false;
	}
	return true;
}

/* It asks for what its session has of the statement before, and the server that it will get has another's. False: it
 * cannot be had; f: why. */
static bool bring_last(struct mysql_client *c, struct mysql_query *q, struct fault *f)
{
	if (q->look.diagnostics || q->look.asks & MY_CALL_WARNING_COUNT) {
		if (c->track.pins & PIN_WARNINGS) {
			fault_set(f, FAULT_UNSUP,
				  "warnings and errors of the statement before are not at hand any more");
			fault_hint(f, "They are kept until another client needs the server: ask at once, or within a "
				      "transaction.");
			return false;
		}
		q->clears = true;
	}
	if (!(q->look.asks & MY_CALL_LAST_INSERT_ID))
		return true;
	return bring_id(c, f);
}

/* What it asks for that is another's on the server that it has, or will have. */
static bool look_back(struct mysql_client *c, struct mysql_query *q, struct fault *f)
{
	struct session *s = &c->s;
	if (q->look.pins & ~s->pins && session_pins_are_refused(s, q->look.pins & ~PINS_PASSING, f))
		return false;
	if (!s->server)
		mysql_client_fresh(c);
	if (c->is_fresh && !bring_last(c, q, f))
		return false;
	if (q->look.asks & MY_CALL_LAST_VALUE && !c->has_run) {
		fault_set(f, FAULT_UNSUP, "what a sequence has given this session last is not at hand any more");
		fault_hint(f, "A server keeps it for one client until its transaction ends: ask within the "
			      "transaction, or take the value of NEXTVAL() itself.");
		return false;
	}
	q->known = (c->is_fresh || !c->has_count ? (uint32_t)MY_CALL_ROW_COUNT : 0) |
		   (c->has_found ? 0 : (uint32_t)MY_CALL_FOUND_ROWS) |
		   (c->has_id ? 0 : (uint32_t)MY_CALL_LAST_INSERT_ID);
	q->rewrites = q->look.wants_id || q->look.asks_any & q->known;
	return true;
}

static bool look_at_front(struct mysql_client *c, struct mysql_query *q, struct fault *f)
{
	struct my_pieces t;
	q->is_long = true;
	if (my_pieces_begin(&t, q->text.p, rd_left(&q->text), q->mode, mysql_track_functions()) & MY_MAY_CHANGE)
		q->look.pins = PIN_TEXT;
	return look_back(c, q, f);
}

bool mysql_prepare_look(struct mysql_client *c, struct rd front, struct mysql_query *q, struct fault *f)
{
	*q = (struct mysql_query){ .text = front, .mode = mode_of(&c->s) };
	return look_at_front(c, q, f);
}

bool mysql_query_look(struct mysql_client *c, struct rd text, bool is_whole, struct mysql_query *q, struct fault *f)
{
	*q = (struct mysql_query){ .text = text, .mode = mode_of(&c->s), .is_whole = is_whole };
	if (!is_whole) /* what is wrong with it may be that its end is missing */
		return look_at_front(c, q, f);
	q->look = mysql_track_look((const char *)text.p, rd_left(&text), q->mode);
	return look_back(c, q, f);
}

bool mysql_statement_is_about(const struct mysql_client *c, struct rd text, bool has_id)
{
	struct mysql_look look = mysql_track_look((const char *)text.p, rd_left(&text), mode_of(&c->s));
	return look.changes || look.asks || look.asks_any || look.diagnostics || (look.wants_id && !has_id) ||
	       look.pins;
}

bool mysql_statement_look(struct mysql_client *c, const struct istr *text, struct mysql_query *q, struct fault *f)
{
	*q = (struct mysql_query){ .is_whole = true };
	q->text = prepared_of(&c->s, text, &q->mode);
	q->look = mysql_track_look((const char *)q->text.p, rd_left(&q->text), q->mode);
	if (!look_back(c, q, f))
		return false;
	if (varset_find(c->s.said, LAST_INSERT_ID)) /* it is brought: no need for another text with each id */
		q->known &= ~(uint32_t)MY_CALL_LAST_INSERT_ID;
	q->rewrites = q->look.asks_any & q->known; /* CONNECTION_ID() was said when it was prepared */
	return true;
}

const struct istr *mysql_statement_rewrite(struct mysql_client *c, const struct istr *text, const struct mysql_query *q)
{
	const char *then[MYSQL_MEANINGS];
	size_t n;
	uint8_t *sql = mysql_query_rewrite(c, q, &n);
	(void)mysql_meaning_read(text, then);
	const struct istr *out = sql ? mysql_meaning(then, rd_of(sql, n)) : NULL;
	free(sql);
	return out;
}

uint8_t *mysql_query_rewrite(struct mysql_client *c, const struct mysql_query *q, size_t *len)
{
	size_t n = rd_left(&q->text), cap = n + MYSQL_REWRITE_ROOM;
	uint8_t *out = malloc(cap);
	if (!out)
		return NULL;
	int to = mysql_track_rewrite(&c->track, (const char *)q->text.p, n, q->mode, mysql_number(&c->s), q->known,
				     (char *)out, cap);
	if (to < 0) { /* as it is */
		memcpy(out, q->text.p, n);
		to = (int)n;
	}
	*len = (size_t)to;
	return out;
}

/* Few texts do, and this is asked of each. */
static bool mentions_id(struct rd text)
{
	static const char front[] = "connection", end[] = "id";
	const size_t nfront = sizeof front - 1, nend = sizeof end - 1;
	for (const uint8_t *at = text.p; (at = memchr(at, '_', (size_t)(text.end - at))); at++)
		if ((size_t)(at - text.p) >= nfront && (size_t)(text.end - at) > nend &&
		    strncasecmp((const char *)at - nfront, front, nfront) == 0 &&
		    strncasecmp((const char *)at + 1, end, nend) == 0)
			return true;
	return false;
}

bool mysql_say_id(const struct mysql_client *c, struct rd text, uint8_t **out, size_t *len)
{
	size_t n = rd_left(&text), cap = n + MYSQL_REWRITE_ROOM;
	*out = NULL;
	if (!n || !mentions_id(text))
		return true;
	*out = malloc(cap);
	if (!*out)
		return false;
	int to = mysql_track_rewrite(&c->track, (const char *)text.p, n, mode_of(&c->s), mysql_number(&c->s), 0,
				     (char *)*out, cap);
	if (to < 0 || ((size_t)to == n && memcmp(*out, text.p, n) == 0)) {
		free(*out);
		*out = NULL;
		return true;
	}
	*len = (size_t)to;
	return true;
}

/* --- Texts too long to be looked at */

/* It is on its way already: what it does later it may have done. */
static void note_may(struct mysql_client *c, unsigned may)
{
	c->long_may |= (uint8_t)may;
	if (!(may & MY_MAY_CHANGE) || c->track.pins & PIN_TEXT || session_ignores_pins(&c->s) || !c->s.server)
		return;
	c->track.pins |= PIN_TEXT;
	session_pin(&c->s, PIN_TEXT & ~c->s.pins);
}

static void begin_long(struct mysql_client *c, const struct mysql_query *q)
{
	if (!c->pieces)
		c->pieces = malloc(sizeof *c->pieces);
	if (!c->pieces) {
		note_may(c, MY_MAY_CHANGE | MY_MAY_COUNT | MY_MAY_SET_ID);
		return;
	}
	note_may(c, my_pieces_begin(c->pieces, q->text.p, rd_left(&q->text), q->mode, mysql_track_functions()));
}

void mysql_long_piece(struct mysql_client *c, const uint8_t *piece, size_t n, bool done)
{
	size_t head = c->at_head && n >= MYSQL_HEADER ? MYSQL_HEADER : 0; /* no part of the text */
	c->at_head = false;
	if (n > head)
		note_may(c, my_pieces_may(c->pieces, piece + head, n - head));
	if (done) {
		free(c->pieces);
		c->pieces = NULL;
	}
}

/* One of them is answered. */
static void long_answered(struct mysql_client *c, unsigned results, bool has_id)
{
	if (results > 1)
		c->track.pins |= PIN_TEXT; /* what followed its beginning was not read */
	if (c->long_may & MY_MAY_COUNT)
		c->track.pins |= PIN_FOUND_ROWS;
	c->track.hides_id |= c->long_may & MY_MAY_SET_ID && !has_id;
	if (!c->pieces) /* else it may be of the one that is passing */
		c->long_may = 0;
}

/* --- When a statement is answered */

static void set_pins(struct mysql_client *c, uint32_t was)
{
	struct session *s = &c->s;
	uint32_t now = c->track.pins, gone = was & ~now, come = now & ~s->pins;
	if (c->statements.kept)
		gone &= ~(uint32_t)PIN_PREPARED;
	if (session_ignores_pins(s))
		come = 0;
	s->pins = (s->pins & ~gone) | (come & PINS_PASSING);
	if (come & ~PINS_PASSING)
		session_pin(s, come & ~PINS_PASSING);
	else if (gone && !s->pins)
		s->server->was_session = false; /* all is as it was */
}

/* What was brought for one statement is the server's no more. */
static bool drop_last(struct session *s)
{
	return !varset_find(s->said, LAST_INSERT_ID) ||
	       (varset_unset(&s->said, LAST_INSERT_ID) && varset_unset(&s->server->said, LAST_INSERT_ID));
}

bool mysql_state_answered(struct mysql_server *p, const struct mysql_expect_entry *x, const struct mysql_seen *seen)
{
	struct session *s = p->sv.session;
	struct mysql_client *c = mysql_client_of(s);
	uint32_t was = c->track.pins;
	bool is_failed = seen->said == MYSQL_SAID_ERR;
	struct mysql_told told = {
		.is_failed = is_failed,
		.never_ran = is_failed && seen->err.code == ER_PARSE_ERROR,
		.results = p->results,
		.has_tracking = p->caps & MYSQL_CAP_SESSION_TRACK,
		.is_mariadb = p->is_mariadb,
		.settings = p->told_settings,
		.changed = p->told_changed && x->com != MYSQL_COM_INIT_DB, /* it says itself what it changes */
		.has_no_lock = p->has_no_lock,
		.in_xact = p->status & MYSQL_STATUS_IN_TRANS,
		.had_xact = p->told_xact,
		.had_rows = p->had_rows,
		.warnings = is_failed ? 0 : seen->ok.warnings,
		.affected = is_failed ? 0 : seen->ok.affected,
		.insert_id = p->insert_id,
		.any_rows = p->any_rows,
		.rows = p->found,
		.before = s->vars,
	};
	struct rd text = rd_of(NULL, 0);
	unsigned mode = mode_of(s);
	if (x->flags & MYSQL_EXPECT_CHANGES && x->flags & MYSQL_EXPECT_MAPS)
		text = prepared_of(s, x->text, &mode);
	else if (x->flags & MYSQL_EXPECT_CHANGES)
		text = rd_of(x->text->s, x->text->len);
	if (!mysql_track_done(&c->track, &p->sv.vars, (const char *)text.p, rd_left(&text), mode, &told) ||
	    !drop_last(s))
		return false;
	if (x->flags & MYSQL_EXPECT_PARTIAL)
		long_answered(c, p->results, told.insert_id != 0);
	c->has_count = true;
	c->has_id |= told.insert_id != 0;
	c->has_found |= p->any_rows;
	c->track.pins |= p->odd_pins;
	p->sv.is_doubtful |= c->track.outlives;
	set_pins(c, was);
	return true;
}

void mysql_state_told(struct mysql_server *p)
{
	struct mysql_client *c = mysql_client_of(p->sv.session);
	uint32_t was = c->track.pins;
	if (c->s.mode == POOL_SESSION)
		return;
	if (c->track.is_untold && !p->told_changed)
		c->track.pins &= ~(uint32_t)PIN_ROUTINE;
	c->track.is_untold = false;
	c->track.pins |= p->odd_pins | (p->told_changed ? (uint32_t)PIN_ROUTINE : 0);
	set_pins(c, was);
}

/* A procedure may ask for it, or leave it as it is; so may what is not looked at. */
bool mysql_query_prepare(struct mysql_client *c, struct mysql_server *p, const struct mysql_query *q)
{
	c->has_run = true;
	if (q->is_long)
		begin_long(c, q);
	if ((q->look.hides_id || q->is_long) && !c->has_id) {
		c->has_id = true;
		if (!mysql_own_bring_id(p, c->track.insert_id))
			return false;
	}
	return !q->clears || mysql_own_clear(p);
}

/* Whoever is pinned keeps it where it is; and to ask would be the next statement, behind which nobody could ask for the
 * warnings of the procedure. */
bool mysql_state_fetch(struct mysql_server *p, bool *asked)
{
	struct session *s = p->sv.session;
	struct mysql_client *c = mysql_client_of(s);
	*asked = c->track.hides_id && s->mode != POOL_SESSION && !(p->status & MYSQL_STATUS_IN_TRANS) &&
		 !session_keeps_server(s);
	if (!*asked)
		return true;
	s->pins &= ~SESSION_PINS_SOFT;
	c->track.hides_id = false;
	c->is_fresh = true; /* the statement before is not the client's any more */
	c->has_found = false;
	return mysql_own_fetch_id(p);
}

void mysql_state_tried(struct mysql_server *p, struct rd row)
{
	bool is_null = rd_left(&row) && *row.p == 0xfb;
	struct rd value = is_null ? rd_sub(&row, 1) : mysql_rd_text(&row);
	p->has_no_lock = !row.bad && (is_null || (rd_left(&value) == 1 && *value.p == '0'));
}

void mysql_state_fetched(struct mysql_server *p, struct rd row)
{
	char id[24];
	struct rd value = mysql_rd_text(&row);
	if (p->sv.session && str_copy_n(id, sizeof id, value.p, rd_left(&value)))
		(void)str_to_u64(id, UINT64_MAX, &mysql_client_of(p->sv.session)->track.insert_id);
}
