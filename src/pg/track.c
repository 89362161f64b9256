/* track.c - what statements do to their session. PostgreSQL docs: SET, RESET, DISCARD, SAVEPOINT. */
#include "pg/track.h"

#include "core/str.h"
#include "pg/pg_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SAVEPOINTS_MAX 1000u
#define NAME_MAX_BYTES 256
#define VALUE_MAX      16384

struct state {
	const struct varset *said, *at_server; /* counted */
	const struct varset *back;             /* counted: pg_track's */
	const struct varset *local;            /* counted: likewise */
	bool has_unknown;
	uint32_t pins;
	uint32_t listens; /* pg_listen_mark() */
};

struct savepoint {
	char name[SQL_IDENT_MAX + 1];
	struct state state;
};

struct pg_track {
	bool in_xact;
	struct state before;         /* the transaction; what the server had is in p->said_before too */
	const struct varset *local;  /* counted: of its settings that texts go by, SET LOCAL's; NULL: none */
	const struct varset *merged; /* counted: pg_track_said()'s answer; NULL mostly */
	bool has_unknown;            /* others may be set so, to what is not known */
	struct savepoint *saves;     /* owned */
	uint32_t nsaves, cap;
	const struct varset *back; /* counted: reported settings that a RESET takes back to what the client asked for */
};

/* --- Reading */

static struct sql_funcs funcs;
static struct config *funcs_of; /* counted */

/* Those of PostgreSQL that are looked for, and pin_functions. */
static const struct sql_funcs *functions(void)
{
	struct config *now = config_now();
	if (funcs_of == now)
		return &funcs;
	sql_funcs_init(&funcs);
	const char *list = config_text(now, SET_pin_functions, NULL, NULL);
	char name[2 * SQL_IDENT_QUOTED];
	while (sql_funcs_next(&list, name, sizeof name))
		if (!sql_funcs_add(&funcs, name, SQL_CALL_USER))
			log_warn(NULL, "pin_functions: \"%s\" is not a function's name, or there are too many", name);
	config_put(funcs_of);
	funcs_of = config_ref(now);
	return &funcs;
}

static unsigned mode_of(const struct varset *vars)
{
	static const char *const trails[] = { "BIG5", "GB18030", "GBK", "JOHAB", "SHIFT_JIS_2004", "SJIS", "UHC" };
	const struct istr *strings = varset_find(vars, "standard_conforming_strings");
	const struct istr *encoding = varset_find(vars, "client_encoding");
	unsigned mode = SQL_POSTGRES;
	if (strings && strcmp(strings->s, "off") == 0)
		mode |= SQL_BACKSLASH;
	for (size_t i = 0; encoding && i < sizeof trails / sizeof *trails; i++)
		if (strcasecmp(encoding->s, trails[i]) == 0)
			mode |= SQL_ASCII_TRAILS | (strstr(trails[i], "JIS") ? SQL_KANA : 0u);
	return mode;
}

#define NOTE_MODE       0x7fu
#define NOTE_MODE_KNOWN 0x80u

unsigned pg_sql_mode(const struct pg_client *c)
{
	uint16_t *notes = varset_notes(c->s.vars);
	if (!(*notes & NOTE_MODE_KNOWN))
		*notes |= (uint16_t)(NOTE_MODE_KNOWN | mode_of(c->s.vars));
	return *notes & NOTE_MODE;
}

static uint32_t pins_of(const struct sql_stmt *st)
{
	uint32_t pins = 0;
	if (st->kind == SQL_LISTEN)
		pins |= PIN_LISTEN;
	if (st->flags & SQL_TEMP && st->kind != SQL_DISCARD && st->kind != SQL_DROP)
		pins |= PIN_TEMP;
	if (st->kind == SQL_DECLARE && st->flags & SQL_HOLD)
		pins |= PIN_HOLD;
	if (st->kind == SQL_LOAD)
		pins |= PIN_LOAD;
	if (st->kind == SQL_DO)
		pins |= PIN_DO;
	if (st->calls & SQL_CALL_LOCK)
		pins |= PIN_LOCK;
	if (st->calls & SQL_CALL_SET_CONFIG_SESSION && !(st->flags & SQL_CONFIG))
		pins |= PIN_SETTING;
	if (st->calls >= SQL_CALL_USER || st->calls & SQL_CALL_KEEPS || st->flags & SQL_HIDDEN)
		pins |= PIN_FUNCTION;
	return pins;
}

uint32_t pg_track_call(uint32_t oid, bool *keeps)
{
	uint32_t calls = sql_funcs_by_number(functions(), oid);
	*keeps = (calls & (SQL_CALL_KEEPS | SQL_CALL_SLOT)) != 0;
	return (calls & SQL_CALL_LOCK ? PIN_LOCK : 0u) |
	       (calls & (SQL_CALL_SET_CONFIG | SQL_CALL_SET_CONFIG_SESSION) ? PIN_SETTING : 0u) |
	       (*keeps || calls >= SQL_CALL_USER ? PIN_FUNCTION : 0u);
}

/* SET LOCAL of a setting that texts go by. */
static bool gives_meaning(const struct pg_client *c, const char *text, const struct sql_stmt *st)
{
	char name[NAME_MAX_BYTES];
	return sql_setting_name(text, pg_sql_mode(c), st, name, sizeof name) < 0 || pg_gives_meaning(name);
}

static bool changes(const struct pg_client *c, const char *text, const struct sql_stmt *st)
{
	switch (st->kind) {
	case SQL_SET:
		return !(st->flags & SQL_LOCAL) || gives_meaning(c, text, st);
	case SQL_SET_CHARACTERISTICS:
		return !(st->flags & SQL_LOCAL);
	case SQL_RESET:
	case SQL_DISCARD:
	case SQL_SAVEPOINT:
	case SQL_RELEASE:
	case SQL_ROLLBACK_TO:
	case SQL_UNLISTEN:
		return true;
	case SQL_NOTIFY:
		return c->listens != NULL;
	case SQL_CLOSE:
	case SQL_DEALLOCATE:
		return (st->flags & SQL_ALL) != 0;
	default:
		return st->calls & (SQL_CALL_SET_CONFIG | SQL_CALL_UNLOCK_ALL);
	}
}

static bool clears(const struct sql_stmt *st)
{
	return (st->kind == SQL_DEALLOCATE || st->kind == SQL_DISCARD) && st->flags & SQL_ALL;
}

bool pg_track_resets(const struct sql_stmt *st)
{
	return st->kind == SQL_RESET || (st->kind == SQL_SET && (st->flags & (SQL_DEFAULT | SQL_LOCAL)) == SQL_DEFAULT);
}

bool pg_track_takes_back(const struct pg_client *c, const char *text, const struct sql_stmt *st, const char *name)
{
	char said[NAME_MAX_BYTES];
	if (pg_is_of_transaction(name))
		return false;
	if (st->flags & SQL_ALL)
		return st->kind == SQL_DISCARD || (st->kind == SQL_RESET && !pg_is_identity(name));
	return pg_track_resets(st) && sql_setting_name(text, pg_sql_mode(c), st, said, sizeof said) >= 0 &&
	       strcasecmp(said, name) == 0;
}

bool pg_track_goes_back(const struct pg_client *c, const char *text, size_t len)
{
	struct sql_reader r;
	struct sql_stmt st;
	if (!c->s.asked->count)
		return false;
	sql_read_init(&r, text, len, pg_sql_mode(c), NULL, 0);
	if (!sql_read(&r, &st) || (!pg_track_resets(&st) && st.kind != SQL_DISCARD))
		return false;
	for (uint32_t i = 0; i < c->s.asked->count; i++)
		if (pg_track_takes_back(c, text, &st, c->s.asked->at[i].name->s))
			return true;
	return false;
}

struct pg_look pg_track_look(struct pg_client *c, const char *text, size_t len)
{
	struct sql_reader r;
	struct sql_stmt st;
	struct pg_look look = { 0 };
	sql_read_init(&r, text, len, pg_sql_mode(c), functions(), 0);
	while (sql_read(&r, &st)) {
		uint32_t pins = pins_of(&st);
		look.pins |= pins;
		look.changes |= pins || changes(c, text, &st);
		look.prepares |= st.kind == SQL_PREPARE;
		look.drops |= st.kind == SQL_DEALLOCATE && !(st.flags & SQL_ALL);
		look.resets |= c->s.asked->count && pg_track_resets(&st);
		look.speaks |=
			st.kind == SQL_PREPARE || st.flags & SQL_EXECUTES || st.kind == SQL_DEALLOCATE || clears(&st);
	}
	return look;
}

bool pg_track_clears(struct pg_client *c, const char *text, size_t len)
{
	struct sql_reader r;
	struct sql_stmt st;
	sql_read_init(&r, text, len, pg_sql_mode(c), NULL, 0);
	return sql_read(&r, &st) && clears(&st);
}

void pg_track_long(struct pg_client *c)
{
	c->pieces = calloc(1, sizeof *c->pieces);
	if (!c->pieces)
		session_pin(&c->s, PIN_TEXT);
}

void pg_track_piece(struct pg_client *c, const void *piece, size_t n, bool done)
{
	if (c->s.server && !(c->s.pins & PIN_TEXT) && sql_pieces_may_change(c->pieces, piece, n, functions()))
		session_pin(&c->s, PIN_TEXT);
	if (done) {
		free(c->pieces);
		c->pieces = NULL;
	}
}

/* Only by what cannot fail: who it was when it came may be more than who it is. */
void pg_track_way_out(struct pg_client *c, const char *text, size_t len)
{
	char name[NAME_MAX_BYTES], value[SQL_IDENT_MAX + 1];
	unsigned mode = pg_sql_mode(c);
	struct sql_reader r;
	struct sql_stmt st;

	sql_read_init(&r, text, len, mode, NULL, 0);
	if (!sql_read(&r, &st))
		return;
	bool all = st.kind == SQL_DISCARD && st.flags & SQL_ALL;
	if (!all) {
		bool is_default = pg_track_resets(&st) && !(st.flags & SQL_ALL);
		bool is_none = st.kind == SQL_SET && sql_setting_value(text, mode, &st, value, sizeof value) >= 0 &&
			       strcmp(value, "none") == 0;
		if ((!is_default && !is_none) || sql_setting_name(text, mode, &st, name, sizeof name) < 0)
			return;
		all = is_default && strcmp(name, "session_authorization") == 0;
	}
	if (all)
		session_forget_setting(&c->s, "session_authorization");
	if (all || strcmp(name, "role") == 0)
		session_forget_setting(&c->s, "role");
}

/* --- Transactions */

static void state_put(struct state *s)
{
	varset_put(s->said);
	varset_put(s->at_server);
	varset_put(s->back);
	varset_put(s->local);
	*s = (struct state){ 0 };
}

static const struct varset *ref(const struct varset *v)
{
	return v ? varset_ref(v) : NULL;
}

static struct state state_now(const struct pg_client *c, const struct pg_server *p)
{
	const struct pg_track *t = c->track;
	return (struct state){ .said = varset_ref(c->s.said),
			       .at_server = varset_ref(p->sv.said),
			       .back = ref(t->back),
			       .local = ref(t->local),
			       .has_unknown = t->has_unknown,
			       .pins = c->s.pins,
			       .listens = pg_listen_mark(c) };
}

/* Pins that a rollback does not take away: what they stand for is none of the transaction's. */
#define PINS_THAT_STAY ((uint32_t)(PIN_LOCK | PIN_PREPARED | PIN_LOAD | PIN_DO | PIN_FUNCTION | PIN_TEXT))

/* local: a reference that is not taken over, or NULL. */
static void set_local(struct pg_track *t, const struct varset *local)
{
	varset_put(t->local);
	t->local = ref(local);
}

static void state_restore(struct pg_client *c, struct pg_server *p, const struct state *s)
{
	varset_put(c->s.said);
	c->s.said = varset_ref(s->said);
	varset_put(p->sv.said);
	p->sv.said = varset_ref(s->at_server);
	varset_put(c->track->back);
	c->track->back = ref(s->back);
	set_local(c->track, s->local);
	c->track->has_unknown = s->has_unknown;
	c->s.pins = s->pins | (c->s.pins & PINS_THAT_STAY);
	pg_listen_back_to(c, s->listens);
}

static void drop_saves(struct pg_track *t, uint32_t from)
{
	while (t->nsaves > from)
		state_put(&t->saves[--t->nsaves].state);
}

static void forget_xact(struct pg_track *t)
{
	state_put(&t->before);
	drop_saves(t, 0);
	set_local(t, NULL);
	varset_put(t->merged);
	t->merged = NULL;
	t->in_xact = t->has_unknown = false;
}

static void end_xact(struct pg_client *c, struct pg_server *p, bool rolled_back)
{
	struct pg_track *t = c->track;
	if (!t || !t->in_xact)
		return;
	if (rolled_back)
		state_restore(c, p, &t->before);
	else
		pg_listen_commit(c);
	forget_xact(t);
	varset_put(p->said_before);
	p->said_before = NULL;
}

void pg_track_lost(struct pg_client *c)
{
	struct pg_track *t = c->track;
	if (c->listens)
		pg_listen_rest(c);
	if (!t)
		return;
	varset_put(t->back);
	t->back = NULL;
	if (!t->in_xact)
		return;
	varset_put(c->s.said);
	c->s.said = varset_ref(t->before.said);
	c->s.pins = t->before.pins;
	forget_xact(t);
}

void pg_track_abandoned(struct pg_server *p)
{
	if (!p->said_before)
		return;
	varset_put(p->sv.said);
	p->sv.said = p->said_before;
	p->said_before = NULL;
}

static bool begin_xact(struct pg_client *c, struct pg_server *p)
{
	if (!c->track)
		c->track = calloc(1, sizeof *c->track);
	if (!c->track)
		return false;
	if (!c->track->in_xact) {
		c->track->before = state_now(c, p);
		varset_put(p->said_before);
		p->said_before = varset_ref(p->sv.said);
		c->track->in_xact = true;
	}
	return true;
}

void pg_track_free(struct pg_client *c)
{
	struct pg_track *t = c->track;
	if (!t)
		return;
	forget_xact(t);
	varset_put(t->back);
	free(t->saves);
	free(t);
	c->track = NULL;
}

static bool save(struct pg_client *c, struct pg_server *p, const char *name)
{
	struct pg_track *t = c->track;
	if (t->nsaves >= SAVEPOINTS_MAX) {
		session_pin(&c->s, PIN_SETTING);
		return true;
	}
	if (t->nsaves == t->cap) {
		uint32_t cap = t->cap ? t->cap * 2 : 4;
		struct savepoint *more = realloc(t->saves, cap * sizeof *more);
		if (!more)
			return false;
		t->saves = more;
		t->cap = cap;
	}
	struct savepoint *s = &t->saves[t->nsaves++];
	str_fmt(s->name, sizeof s->name, "%s", name);
	s->state = state_now(c, p);
	return true;
}

static void back_to(struct pg_client *c, struct pg_server *p, const char *name, bool released)
{
	struct pg_track *t = c->track;
	for (uint32_t i = t->nsaves; i-- > 0;)
		if (strcmp(t->saves[i].name, name) == 0) {
			if (!released)
				state_restore(c, p, &t->saves[i].state);
			drop_saves(t, released ? i : i + 1);
			return;
		}
	if (!released) /* one that was not noted: only that it was before all that are */
		state_restore(c, p, &t->before);
}

/* --- What texts mean */

/* It may have set anything, or have tables of its own which hide others. */
#define PINS_THAT_HIDE ((uint32_t)(PIN_TEMP | PIN_SETTING | PIN_DO | PIN_FUNCTION))

const struct varset *pg_track_said(struct pg_client *c)
{
	struct pg_track *t = c->track;
	if (!t || !t->local || !t->local->count)
		return c->s.said;
	varset_put(t->merged);
	t->merged = varset_ref(c->s.said);
	for (uint32_t i = 0; i < t->local->count; i++) {
		const struct var *v = &t->local->at[i];
		if (!varset_set(&t->merged, v->name->s, v->value->s, v->value->len))
			return NULL;
	}
	return t->merged;
}

bool pg_track_is_unclear(const struct pg_client *c)
{
	const struct pg_track *t = c->track;
	if (c->s.pins & PINS_THAT_HIDE)
		return true;
	if (!c->s.server)
		return false;
	struct pg_server *p = pg_server_of(c->s.server);
	if (p->moves)
		return true;
	if (!t || !t->in_xact)
		return false;
	/* COMMIT or ROLLBACK may be among what runs, and take back what was set. */
	return t->has_unknown || ((t->local || t->before.said != c->s.said) && expect_runs(&p->expect));
}

/* Within one batch it is not waited for: the server would tell of it behind that. */
bool pg_track_must_wait(const struct pg_client *c)
{
	const struct pg_track *t = c->track;
	struct pg_server *p = pg_server_of(c->s.server);
	return p->expect.ends > 0 && (p->moves || (t && t->in_xact && expect_runs(&p->expect)));
}

/* --- Settings */

static bool is_reported(const struct pg_client *c, const char *name)
{
	return c->s.pool->vars && varset_find(c->s.pool->vars, name);
}

/* What SET says holds over what SET LOCAL said before it. */
static bool no_more_local(struct pg_client *c, const char *name)
{
	return !c->track->local || varset_unset(&c->track->local, name);
}

static const char *encoding_of(const struct varset *v, const char *which)
{
	const struct istr *e = v ? varset_find(v, which) : NULL;
	return e ? e->s : NULL;
}

/* A value, as it is kept: see replay.h. written: where its client has said it. False: what it is, is not known. */
static bool keep_value(const struct pg_client *c, const char *text, struct sql_span written, char *value, size_t cap)
{
	return pg_value_keep(value, cap, text + written.at, written.len, pg_sql_mode(c) & SQL_ASCII_TRAILS,
			     encoding_of(c->s.vars, "client_encoding"),
			     encoding_of(c->s.pool->welcome, "server_encoding"));
}

static bool keep_name(const struct pg_client *c, const char *text, struct sql_span written, char *name, size_t cap)
{
	return pg_is_ascii(name) || (keep_value(c, text, written, name, cap) && *name != PG_VALUE_RECODED);
}

static bool set(struct pg_client *c, struct pg_server *p, const char *name, const char *value)
{
	if (is_reported(c, name) || pg_is_of_transaction(name))
		return true; /* the server says so itself; or it is over before anybody else comes */
	if (!no_more_local(c, name))
		return false;
	if (pg_has_no_reset(name) || varset_is_full(p->sv.said, name) || varset_is_full(c->s.said, name)) {
		session_pin(&c->s, PIN_SETTING);
		return true;
	}
	return varset_set(&p->sv.said, name, value, strlen(value)) &&
	       varset_set(&c->s.said, name, value, strlen(value));
}

static bool is_set_again(const struct pg_server *p)
{
	return p->sets_again || pg_script_has_reset(p);
}

/* On the server it has its default now; the client means what it asked for when it came. */
static bool reset(struct pg_client *c, struct pg_server *p, const char *name)
{
	const struct istr *asked = varset_find(c->s.asked, name);
	if (pg_is_of_transaction(name))
		return true;
	if (is_reported(c, name)) {
		if (!asked || is_set_again(p)) /* then the server says so itself */
			return true;
		if (!c->track->back && !(c->track->back = varset_empty()))
			return false;
		return varset_set(&c->track->back, name, asked->s, asked->len);
	}
	if (!no_more_local(c, name))
		return false;
	if (asked && is_set_again(p))
		return varset_set(&p->sv.said, name, asked->s, asked->len) &&
		       varset_set(&c->s.said, name, asked->s, asked->len);
	if (!varset_unset(&p->sv.said, name))
		return false;
	return asked ? varset_set(&c->s.said, name, asked->s, asked->len) : varset_unset(&c->s.said, name);
}

/* RESET ALL leaves alone who one is; DISCARD ALL does not. */
static bool reset_all(struct pg_client *c, struct pg_server *p, bool identity)
{
	const struct varset *said = varset_ref(c->s.said), *asked = c->s.asked;
	bool ok = true;
	set_local(c->track, NULL);
	for (uint32_t i = 0; ok && i < said->count; i++)
		if (identity || !pg_is_identity(said->at[i].name->s))
			ok = reset(c, p, said->at[i].name->s);
	for (uint32_t i = 0; ok && i < asked->count; i++)
		ok = reset(c, p, asked->at[i].name->s);
	varset_put(said);
	return ok;
}

void pg_track_encoding(struct pg_client *c, const struct pg_server *p)
{
	for (uint32_t i = 0; c->s.mode != POOL_SESSION && i < p->sv.vars->count; i++)
		if (!pg_is_ascii(p->sv.vars->at[i].value->s))
			session_pin(&c->s, PIN_SETTING);
}

static bool set_modes(struct pg_client *c, struct pg_server *p, const struct sql_modes *m)
{
	bool ok = true;
	if (m->isolation)
		ok = set(c, p, "default_transaction_isolation", sql_isolation_name((enum sql_isolation)m->isolation));
	if (ok && m->read_only)
		ok = set(c, p, "default_transaction_read_only", m->read_only == SQL_YES ? "on" : "off");
	if (ok && m->deferrable)
		ok = set(c, p, "default_transaction_deferrable", m->deferrable == SQL_YES ? "on" : "off");
	return ok;
}

/* Another user, or the one who came, has no role yet. */
static bool another_user(struct pg_client *c, struct pg_server *p, const char *name)
{
	return strcasecmp(name, "session_authorization") != 0 || reset(c, p, "role");
}

/* The two strings of SQL_CONFIG. */
static bool read_config(const struct pg_client *c, const char *text, const struct sql_stmt *st,
			char name[NAME_MAX_BYTES], char value[VALUE_MAX])
{
	unsigned mode = pg_sql_mode(c);
	return sql_string_decode(text + st->name.at, st->name.len, mode, name, NAME_MAX_BYTES) >= 0 &&
	       sql_string_decode(text + st->value.at, st->value.len, mode, value, VALUE_MAX) >= 0;
}

static const char *behind_name(const char *path, const char *name, size_t len)
{
	path += strspn(path, " \t\r\n\f\v\"");
	if (strncasecmp(path, name, len) != 0)
		return NULL;
	path += len;
	return path + strspn(path, "\"");
}

/* What is created goes into the first schema of search_path: then it is temporary when that is pg_temp, or when there
 * is none before it. "$user" often is none. */
static void note_path(struct pg_client *c, const char *name, const char *path)
{
	static const char user[] = "$user", temp[] = "pg_temp";
	if (strcasecmp(name, "search_path") != 0)
		return;
	const char *behind = behind_name(path, user, sizeof user - 1);
	if (behind) {
		behind += strspn(behind, " \t\r\n\f\v");
		path = *behind == ',' ? behind + 1 : path;
	}
	if (behind_name(path, temp, sizeof temp - 1))
		session_pin(&c->s, PIN_TEMP);
}

/* Up to the end of the transaction: only what texts mean meanwhile is to be known. */
static bool set_locally(struct pg_client *c, const char *text, const struct sql_stmt *st)
{
	struct pg_track *t = c->track;
	char name[NAME_MAX_BYTES], *value = malloc(VALUE_MAX);
	bool ok = value != NULL, has_name, has_value;
	if (!ok)
		return false;
	if (st->flags & SQL_CONFIG) {
		has_name = has_value = read_config(c, text, st, name, value);
	} else {
		has_name = sql_setting_name(text, pg_sql_mode(c), st, name, sizeof name) >= 0;
		has_value = has_name && sql_setting_value(text, pg_sql_mode(c), st, value, VALUE_MAX) >= 0;
	}
	if (has_value)
		note_path(c, name, value);
	if (!has_value && !(has_name && is_reported(c, name)))
		t->has_unknown = true;
	else if (!is_reported(c, name) && pg_gives_meaning(name))
		ok = (t->local || (t->local = varset_empty())) && varset_set(&t->local, name, value, strlen(value));
	free(value);
	return ok;
}

static bool set_by(struct pg_client *c, struct pg_server *p, const char *text, const struct sql_stmt *st)
{
	char name[NAME_MAX_BYTES], *value = malloc(VALUE_MAX);
	bool ok = value != NULL;
	if (ok && st->flags & SQL_CONFIG) {
		if (!read_config(c, text, st, name, value) || !keep_name(c, text, st->name, name, sizeof name) ||
		    !keep_value(c, text, st->value, value, VALUE_MAX)) {
			session_pin(&c->s, PIN_SETTING);
		} else {
			note_path(c, name, value);
			ok = set(c, p, name, value);
		}
	} else if (ok && (sql_setting_name(text, pg_sql_mode(c), st, name, sizeof name) < 0 ||
			  !keep_name(c, text, st->name, name, sizeof name))) {
		session_pin(&c->s, PIN_SETTING);
	} else if (ok && (st->kind == SQL_RESET || st->flags & SQL_DEFAULT)) {
		ok = another_user(c, p, name) && reset(c, p, name);
	} else if (ok && (sql_setting_value(text, pg_sql_mode(c), st, value, VALUE_MAX) < 0 ||
			  !keep_value(c, text, st->value, value, VALUE_MAX))) {
		if (!is_reported(c, name))
			session_pin(&c->s, PIN_SETTING);
	} else if (ok) {
		note_path(c, name, value);
		ok = another_user(c, p, name) && set(c, p, name, value);
	}
	free(value);
	return ok;
}

/* What it holds, no reset takes away: it is closed when its client gives it back. */
static void note_kept(struct pg_client *c, const struct sql_stmt *st)
{
	if (st->calls & SQL_CALL_KEEPS && c->s.pins & PIN_FUNCTION)
		c->s.server->is_doubtful = true;
}

/* *pins: without the one that the listener makes needless. */
static bool did_listen(struct pg_client *c, struct pg_server *p, const char *text, const struct sql_stmt *st,
		       uint32_t *pins)
{
	char name[SQL_IDENT_MAX + 1];
	bool served = false;
	if (sql_ident_decode(text + st->name.at, st->name.len, pg_sql_mode(c), name) >= 0 &&
	    !pg_listen_said(c, p, name, &served))
		return false;
	if (served)
		*pins &= ~(uint32_t)PIN_LISTEN;
	return true;
}

static bool did_unlisten(struct pg_client *c, const char *text, const struct sql_stmt *st)
{
	char name[SQL_IDENT_MAX + 1];
	if (st->flags & SQL_ALL) {
		c->s.pins &= ~(uint32_t)PIN_LISTEN;
		return pg_listen_unsaid(c, NULL);
	}
	return sql_ident_decode(text + st->name.at, st->name.len, pg_sql_mode(c), name) < 0 ||
	       pg_listen_unsaid(c, name);
}

static bool discard(struct pg_client *c, struct pg_server *p, uint32_t flags)
{
	if (flags & SQL_TEMP)
		c->s.pins &= ~(uint32_t)PIN_TEMP;
	if (!(flags & SQL_ALL))
		return true;
	bool again = p->sets_again;
	p->sets_again = false;
	c->s.pins = 0;
	if (!reset_all(c, p, true) || !pg_listen_unsaid(c, NULL))
		return false;
	end_xact(c, p, false); /* it is committed at once; what sets again is not */
	const struct varset *asked = c->s.asked;
	bool ok = !again || begin_xact(c, p);
	for (uint32_t i = 0; again && ok && i < asked->count; i++)
		if (!is_reported(c, asked->at[i].name->s) && !pg_is_of_transaction(asked->at[i].name->s))
			ok = varset_set(&p->sv.said, asked->at[i].name->s, asked->at[i].value->s,
					asked->at[i].value->len);
	return ok;
}

/* Under the client's own name, not as door_script.c says it. */
static bool prepares_itself(const struct pg_server *p, const struct sql_stmt *st)
{
	return st->kind == SQL_PREPARE && !pg_script_has_names(p);
}

static bool apply(struct pg_client *c, struct pg_server *p, const char *text, const struct sql_stmt *st)
{
	char name[SQL_IDENT_MAX + 1];
	if (!begin_xact(c, p))
		return false;
	uint32_t pins = pins_of(st) | (prepares_itself(p, st) ? PIN_PREPARED : 0u);
	if (st->kind == SQL_LISTEN && !did_listen(c, p, text, st, &pins))
		return false;
	session_pin(&c->s, pins);
	note_kept(c, st);
	if (st->calls & SQL_CALL_UNLOCK_ALL)
		c->s.pins &= ~(uint32_t)PIN_LOCK;
	switch (st->kind) {
	case SQL_SET:
		return st->flags & SQL_LOCAL ? set_locally(c, text, st) : set_by(c, p, text, st);
	case SQL_RESET:
		if (!(st->flags & SQL_ALL))
			return set_by(c, p, text, st);
		c->s.pins &= ~(uint32_t)PIN_SETTING;
		return reset_all(c, p, false);
	case SQL_SET_CHARACTERISTICS:
		return st->flags & SQL_LOCAL ? true : set_modes(c, p, &st->modes);
	case SQL_DISCARD:
		return discard(c, p, st->flags);
	case SQL_UNLISTEN:
		return did_unlisten(c, text, st);
	case SQL_NOTIFY:
		pg_listen_notified(c);
		return true;
	case SQL_CLOSE:
		if (st->flags & SQL_ALL)
			c->s.pins &= ~(uint32_t)PIN_HOLD;
		return true;
	case SQL_DEALLOCATE:
		if (st->flags & SQL_ALL)
			c->s.pins &= ~(uint32_t)PIN_PREPARED;
		return true;
	case SQL_SAVEPOINT:
	case SQL_RELEASE:
	case SQL_ROLLBACK_TO:
		if (sql_ident_decode(text + st->name.at, st->name.len, pg_sql_mode(c), name) < 0) {
			session_pin(&c->s, PIN_SETTING);
			return true;
		}
		if (st->kind == SQL_SAVEPOINT)
			return save(c, p, name);
		back_to(c, p, name, st->kind == SQL_RELEASE);
		return true;
	default:
		if (st->flags & SQL_CONFIG)
			return st->flags & SQL_LOCAL ? set_locally(c, text, st) : set_by(c, p, text, st);
		c->track->has_unknown |= (st->calls & SQL_CALL_SET_CONFIG) != 0;
		return true;
	}
}

void pg_track_failed(struct pg_client *c, const char *text, size_t len, unsigned nth)
{
	struct sql_walk w = { .next = 0 };
	struct sql_stmt st;
	sql_read_init(&w.r, text, len, pg_sql_mode(c), functions(), 0);
	if (!sql_walk_to(&w, nth, &st))
		return;
	session_pin(&c->s, pins_of(&st) & PINS_THAT_STAY);
	note_kept(c, &st);
}

bool pg_track_done(struct pg_client *c, struct pg_server *p, struct sql_walk *w, const char *text, size_t len,
		   unsigned nth, const char *tag)
{
	struct sql_stmt st;
	struct fault f;
	bool ok = true;
	if (!w->r.lex.s)
		sql_read_init(&w->r, text, len, pg_sql_mode(c), functions(), 0);
	if (sql_walk_to(w, nth, &st)) {
		if (pins_of(&st) || changes(c, text, &st) || prepares_itself(p, &st))
			ok = apply(c, p, text, &st);
		else if (st.kind == SQL_COMMIT || st.kind == SQL_ROLLBACK || st.flags & SQL_EXECUTES)
			pg_track_tag(c, p, tag);
	}
	if (ok)
		return true;
	fault_set(&f, FAULT_NOMEM, "no memory for the session's settings");
	session_fail(&c->s, &f);
	return false;
}

void pg_track_tag(struct pg_client *c, struct pg_server *p, const char *tag)
{
	if (strcmp(tag, "COMMIT") == 0)
		end_xact(c, p, false);
	else if (strcmp(tag, "ROLLBACK") == 0)
		end_xact(c, p, true);
}

/* What was reset goes back to what the client asked for: it hears so now, the server at the next link. */
static void go_back(struct pg_client *c)
{
	const struct varset *was = c->s.vars, *vars = varset_over_known(was, c->track->back);
	varset_put(c->track->back);
	c->track->back = NULL;
	if (!vars)
		return; /* out of memory: the server's default it is */
	c->s.vars = vars;
	c->s.door->on_vars(&c->s, was);
	varset_put(was);
}

void pg_track_ready(struct pg_client *c, struct pg_server *p, uint8_t txn, bool failed)
{
	if (txn != 'I')
		return;
	end_xact(c, p, failed);
	if (c->track && c->track->back)
		go_back(c);
}
