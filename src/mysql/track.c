/* track.c - what statements do to their session. MySQL Reference Manual: Server Tracking of Client Session State, SET;
 * MariaDB Knowledge Base: SET STATEMENT, DROP TABLE, GET_LOCK. */
#include "mysql/track_int.h"

#include "core/str.h"
#include "mysql/charset.h"
#include "session/session.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HELD_MAX  64u /* named things that are followed; one more is one whose name is not known */
#define NAME_ROOM (2u * MY_IDENT_MAX + 4u)
#define VALUE_MAX 4096u

/* Those that end when each that is held is let go. */
#define HELD (PIN_GET_LOCK | PIN_TEMP | PIN_HANDLER | PIN_PREPARED | PIN_BACKUP)

/* --- What is held under a name */

static void drop(struct mysql_track *t, struct mysql_held *h)
{
	if (--h->times)
		return;
	istr_put(h->name);
	*h = t->held[--t->nheld];
}

static bool has(const struct mysql_track *t, uint32_t pin)
{
	for (uint32_t i = 0; i < t->nheld; i++)
		if (t->held[i].pin == pin)
			return true;
	return false;
}

static struct mysql_held *find(const struct mysql_track *t, uint32_t pin, const char *name)
{
	for (uint32_t i = 0; name && i < t->nheld; i++)
		if (t->held[i].pin == pin && t->held[i].name && strcmp(t->held[i].name->s, name) == 0)
			return &t->held[i];
	return NULL;
}

/* name: NULL when it is not known; it is held until all is reset then. */
static bool hold(struct mysql_track *t, uint32_t pin, const char *name)
{
	struct mysql_held *h = find(t, pin, name);
	t->pins |= pin;
	if (h && pin == PIN_GET_LOCK) { /* as often as it is given back */
		h->times++;
		return true;
	}
	if (h)
		return true;
	if (t->nheld >= HELD_MAX) {
		for (uint32_t i = 0; i < t->nheld; i++) /* one of these is what it stands for */
			if (t->held[i].pin == pin && !t->held[i].name)
				return true;
		name = NULL;
	}
	if (t->nheld == t->cap) {
		uint32_t cap = t->cap ? 2 * t->cap : 4;
		struct mysql_held *more = realloc(t->held, cap * sizeof *more);
		if (!more)
			return false;
		t->held = more;
		t->cap = cap;
	}
	const struct istr *kept = name ? istr_get(name, strlen(name)) : NULL;
	if (name && !kept)
		return false;
	t->held[t->nheld++] = (struct mysql_held){ pin, 1, kept };
	return true;
}

static void let_go(struct mysql_track *t, uint32_t pin, const char *name)
{
	struct mysql_held *h = find(t, pin, name);
	if (h)
		drop(t, h);
	if (!has(t, pin))
		t->pins &= ~pin;
}

static void let_all_go(struct mysql_track *t, uint32_t pin)
{
	for (uint32_t i = t->nheld; i-- > 0;)
		if (t->held[i].pin == pin) {
			t->held[i].times = 1;
			drop(t, &t->held[i]);
		}
	t->pins &= ~pin;
}

void mysql_track_free(struct mysql_track *t)
{
	for (uint32_t i = 0; i < t->nheld; i++)
		istr_put(t->held[i].name);
	free(t->held);
	*t = (struct mysql_track){ 0 };
}

/* --- What a statement did */

/* All that one needs to know. */
struct done {
	struct mysql_track *t;
	const struct varset **vars;
	const char *text;
	unsigned mode;
	const struct mysql_told *told;
	bool ok; /* false: out of memory */
};

static bool hold_ident(struct done *d, uint32_t pin, struct sql_span span)
{
	char name[MY_IDENT_MAX + 1];
	bool known = my_ident_decode(d->text + span.at, span.len, d->mode, name) > 0;
	return hold(d->t, pin, known ? name : NULL);
}

static void let_ident_go(struct done *d, uint32_t pin, struct sql_span span)
{
	char name[MY_IDENT_MAX + 1];
	if (my_ident_decode(d->text + span.at, span.len, d->mode, name) > 0)
		let_go(d->t, pin, name);
}

/* The next of a list of tables, with its schema. False: there is none. */
static bool next_table(struct done *d, struct my_lexer *l, char *out, size_t cap)
{
	struct sql_token a, b;
	char schema[MY_IDENT_MAX + 1], name[MY_IDENT_MAX + 1];
	const struct istr *current = varset_find(*d->vars, MYSQL_SCHEMA);
	out[0] = '\0';
	if (my_lex(l, &a) == SQL_TOK_END || a.kind == SQL_TOK_BAD)
		return false;
	my_lex(l, &b);
	str_fmt(schema, sizeof schema, "%s", current ? current->s : "");
	if (b.c == '.') {
		if (my_ident_decode(l->s + a.span.at, a.span.len, d->mode, schema) < 0)
			schema[0] = '\0';
		my_lex(l, &a);
		my_lex(l, &b);
	}
	if (my_ident_decode(l->s + a.span.at, a.span.len, d->mode, name) > 0)
		str_fmt(out, cap, "%s.%s", schema, name);
	return true;
}

static void did_create(struct done *d, const struct my_stmt *st)
{
	char name[NAME_ROOM];
	struct my_lexer l;
	my_lex_init(&l, d->text + st->name.at, st->name.len, d->mode);
	if (st->flags & MY_TEMPORARY)
		d->ok = hold(d->t, PIN_TEMP, next_table(d, &l, name, sizeof name) && *name ? name : NULL);
}

static void did_drop(struct done *d, const struct my_stmt *st)
{
	char name[NAME_ROOM];
	struct my_lexer l;
	my_lex_init(&l, d->text + st->name.at, st->name.len, d->mode);
	while (st->flags & MY_TABLES && next_table(d, &l, name, sizeof name))
		let_go(d->t, PIN_TEMP, name);
	if (!(st->flags & MY_TABLES) && !d->told->has_tracking)
		d->t->pins |= PIN_SETTING; /* it may have been the default schema */
}

/* One of those that are held may have another name now. */
static void did_rename(struct done *d)
{
	struct mysql_track *t = d->t;
	for (uint32_t i = 0; i < t->nheld; i++)
		if (t->held[i].pin == PIN_TEMP) {
			istr_put(t->held[i].name);
			t->held[i].name = NULL;
		}
}

static void did_lock(struct done *d, const struct my_stmt *st)
{
	char name[MY_IDENT_MAX + 1];
	bool known = st->flags & MY_LOCK_ALONE && st->name.len &&
		     my_string_decode(d->text + st->name.at, st->name.len, d->mode, name, sizeof name) >= 0;
	for (char *c = name; known && *c; c++) { /* names of locks have no case */
		if ((uint8_t)*c >= 128)
			known = false;
		if (*c >= 'A' && *c <= 'Z')
			*c |= 0x20;
	}
	if (d->told->has_no_lock)
		return;
	if (st->calls & MY_CALL_GET_LOCK)
		d->ok = hold(d->t, PIN_GET_LOCK, known ? name : NULL);
	else if (st->calls & MY_CALL_RELEASE_ALL_LOCKS && st->flags & MY_LOCK_ALONE)
		let_all_go(d->t, PIN_GET_LOCK);
	else if (known)
		let_go(d->t, PIN_GET_LOCK, name);
}

static void did_backup(struct done *d, const struct my_stmt *st)
{
	const char *what = st->flags & MY_INSTANCE ? "instance" : st->flags & MY_STAGE ? "stage" : "lock";
	if (st->flags & MY_OPENS)
		d->ok = hold(d->t, PIN_BACKUP, what);
	else
		let_go(d->t, PIN_BACKUP, what);
}

/* --- SET */

static void keep(struct done *d, const char *name, const char *value)
{
	d->ok = d->ok && varset_set(d->vars, name, value, strlen(value));
}

static void forget(struct done *d, const char *name)
{
	d->ok = d->ok && varset_unset(d->vars, name);
}

/* Without a collation of its own, which the server does not tell, it is that of the character set. */
static void did_names(struct done *d, const struct my_assignment *x, bool told)
{
	char set[MY_IDENT_MAX + 1] = "", collation[MY_IDENT_MAX + 1] = "";
	struct my_lexer l;
	struct sql_token t;
	my_lex_init(&l, d->text + x->value.at, x->value.len, d->mode);
	char *const to[] = { set, NULL, collation };
	for (size_t i = 0; i < 3 && my_lex(&l, &t) != SQL_TOK_END; i++) {
		const uint8_t *s = l.s + t.span.at;
		if (to[i] && my_ident_decode(s, t.span.len, d->mode, to[i]) < 0 &&
		    my_string_decode(s, t.span.len, d->mode, to[i], MY_IDENT_MAX + 1) < 0)
			d->t->pins |= PIN_SETTING;
	}
	if (!told && x->form == MY_VALUE_DEFAULT) {
		d->t->pins |= PIN_SETTING;
	} else if (!told) {
		keep(d, MYSQL_SET_CLIENT, set);
		keep(d, MYSQL_SET_CONNECTION, set);
		keep(d, MYSQL_SET_RESULTS, set);
	}
	if (*collation) {
		keep(d, MYSQL_COLLATION, collation);
		keep(d, MYSQL_RESULTS, collation);
	} else {
		forget(d, MYSQL_COLLATION);
		forget(d, MYSQL_RESULTS);
	}
}

static bool setting_name(const struct done *d, const struct my_assignment *x, char *out, size_t cap)
{
	const char *s = d->text + x->name.at;
	if (x->name.len && *s == '`') {
		char name[MY_IDENT_MAX + 1];
		if (my_ident_decode(s, x->name.len, d->mode, name) < 0 || !str_copy(out, cap, name))
			return false;
	} else if (!str_copy_n(out, cap, s, x->name.len)) {
		return false;
	}
	for (char *c = out; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c |= 0x20;
	return true;
}

/* A literal's value as the server would tell it, or nearly. */
static bool value_of(const struct done *d, const struct my_assignment *x, char *out, size_t cap)
{
	const char *s = d->text + x->value.at;
	switch (x->form) {
	case MY_VALUE_STRING:
		return my_string_decode(s, x->value.len, d->mode, out, cap) >= 0;
	case MY_VALUE_NUMBER:
	case MY_VALUE_WORD:
		if (!str_copy_n(out, cap, s, x->value.len) || strchr(out, ' '))
			return false;
		if (strcasecmp(out, "null") == 0)
			out[0] = '\0';
		return true;
	case MY_VALUE_DEFAULT:
	case MY_VALUE_EXPRESSION:
		break;
	}
	return false;
}

static void did_assign(struct done *d, const struct my_assignment *x, bool told)
{
	char name[80], value[VALUE_MAX];
	uint32_t pins;
	switch (x->scope) {
	case MY_SCOPE_GLOBAL:
		return;
	case MY_SCOPE_NAMES:
		did_names(d, x, told);
		return;
	case MY_SCOPE_CHARSET:
		if (!told)
			d->t->pins |= PIN_SETTING;
		forget(d, MYSQL_COLLATION);
		return;
	case MY_SCOPE_SESSION:
	case MY_SCOPE_BARE:
	case MY_SCOPE_USER:
		break;
	}
	pins = mysql_pins_of_set(d->text, x);
	d->t->pins |= pins;
	if (pins)
		return;
	if (!setting_name(d, x, name, sizeof name)) {
		d->t->pins |= PIN_SETTING;
		return;
	}
	bool known = value_of(d, x, value, sizeof value);
	if (strcmp(name, "last_insert_id") == 0 || strcmp(name, "identity") == 0) {
		if (!known || !str_to_u64(value, UINT64_MAX, &d->t->insert_id))
			d->t->pins |= PIN_SETTING;
		return;
	}
	if (mysql_track_is_odd(name, &pins)) {
		d->t->pins |= pins;
		return;
	}
	/* What a clock that runs again is told to show is the time. */
	if (strcmp(name, "timestamp") == 0 && (x->form == MY_VALUE_DEFAULT || (known && strcmp(value, "0") == 0))) {
		forget(d, name);
		return;
	}
	if (strcmp(name, MYSQL_SET_RESULTS) == 0)
		forget(d, MYSQL_RESULTS);
	if (strcmp(name, MYSQL_SET_CONNECTION) == 0)
		forget(d, MYSQL_COLLATION);
	if (told)
		return;
	/* Whoever ends its transactions so ends the connection with them. */
	if (strcmp(name, "completion_type") == 0 &&
	    (!known || strcasecmp(value, "release") == 0 || strcmp(value, "2") == 0))
		d->t->pins |= PIN_SETTING;
	if (known)
		keep(d, name, value);
	else if (x->form == MY_VALUE_DEFAULT)
		forget(d, name);
	else
		d->t->pins |= PIN_SETTING;
}

/* The server tells of settings; but MariaDB tells nothing of a SET that ends in GLOBAL. */
static void did_set(struct done *d, const struct my_stmt *st)
{
	struct my_assignments a;
	struct my_assignment x;
	bool told = d->told->has_tracking && d->told->settings;
	my_set_init(&a, d->text, d->mode, st);
	while (d->ok && my_set_next(&a, &x))
		did_assign(d, &x, told);
	if (a.bad)
		d->t->pins |= PIN_SETTING;
}

/* What was told of its settings was for that statement alone. */
static void did_set_statement(struct done *d, const struct my_stmt *st)
{
	char name[80];
	struct my_assignments a;
	struct my_assignment x;
	my_set_init(&a, d->text, d->mode, st);
	while (d->ok && my_set_next(&a, &x)) {
		if (!setting_name(d, &x, name, sizeof name)) {
			d->t->pins |= PIN_SETTING;
			continue;
		}
		const struct istr *was = varset_find(d->told->before, name);
		if (was)
			keep(d, name, was->s);
		else
			forget(d, name);
	}
	if (a.bad)
		d->t->pins |= PIN_SETTING;
}

static void did_set_transaction(struct done *d, const struct my_stmt *st)
{
	static const char *const levels[] = { "", "READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ",
					      "SERIALIZABLE" };
	if (!(st->flags & MY_SESSION) || d->told->settings)
		return;
	uint32_t version = d->mode >> MY_VERSION_SHIFT;
	bool is_new = d->mode & MY_MARIADB ? version >= 110101 : version >= 50720;
	if (st->modes.isolation)
		keep(d, is_new ? "transaction_isolation" : "tx_isolation", levels[st->modes.isolation]);
	if (st->modes.read_only)
		keep(d, is_new ? "transaction_read_only" : "tx_read_only",
		     st->modes.read_only == SQL_YES ? "ON" : "OFF");
}

static void did_use(struct done *d, const struct my_stmt *st)
{
	char name[MY_IDENT_MAX + 1];
	if (d->told->has_tracking)
		return;
	if (my_ident_decode(d->text + st->name.at, st->name.len, d->mode, name) > 0)
		keep(d, MYSQL_SCHEMA, name);
	else
		d->t->pins |= PIN_SETTING;
}

/* The text that is prepared is taken for run: it may be, as often as it likes. */
static void did_prepare(struct done *d, const struct my_stmt *st)
{
	char sql[VALUE_MAX];
	if (st->kind == MY_PREPARE)
		d->ok = hold_ident(d, PIN_PREPARED, st->name);
	int n = st->body.len ? my_string_decode(d->text + st->body.at, st->body.len, d->mode, sql, sizeof sql) : -1;
	if (n >= 0) {
		struct mysql_look look = mysql_track_look(sql, (size_t)n, d->mode);
		d->t->pins |= look.pins & ~(uint32_t)PIN_FOUND_ROWS;
		for (uint32_t pins = look.pins & HELD & ~(uint32_t)PIN_PREPARED; d->ok && pins; pins &= pins - 1)
			d->ok = hold(d->t, pins & -pins, NULL);
	} else if (st->kind == MY_PREPARE || !st->name.len) {
		d->t->pins |= PIN_ROUTINE;
	}
}

static void apply(struct done *d, const struct my_stmt *st)
{
	struct mysql_track *t = d->t;
	/* Those that are held by name are not among these. */
	t->pins |= mysql_pins_of(st) & ~(uint32_t)HELD;
	if (st->calls & (MY_CALL_GET_LOCK | MY_CALL_RELEASE_LOCK | MY_CALL_RELEASE_ALL_LOCKS))
		did_lock(d, st);
	switch (st->kind) {
	case MY_SET:
		did_set(d, st);
		break;
	case MY_SET_TRANSACTION:
		did_set_transaction(d, st);
		break;
	case MY_USE:
		did_use(d, st);
		break;
	case MY_PREPARE:
	case MY_EXECUTE:
		did_prepare(d, st);
		break;
	case MY_DEALLOCATE:
		let_ident_go(d, PIN_PREPARED, st->name);
		break;
	case MY_UNLOCK:
		t->pins &= ~(uint32_t)(PIN_TABLES | PIN_READ_LOCK);
		break;
	case MY_BACKUP:
		did_backup(d, st);
		break;
	case MY_HANDLER:
		if (st->flags & MY_OPENS)
			d->ok = hold_ident(d, PIN_HANDLER, st->name);
		else if (st->flags & MY_ENDS)
			let_ident_go(d, PIN_HANDLER, st->name);
		break;
	case MY_XA:
		if (st->flags & MY_ENDS)
			t->pins &= ~(uint32_t)PIN_XA;
		break;
	case MY_CREATE:
		did_create(d, st);
		break;
	case MY_DROP:
		did_drop(d, st);
		break;
	case MY_ALTER:
		did_rename(d);
		break;
	case MY_SET_RESOURCE:
		t->outlives = true;
		break;
	case MY_SET_STATEMENT:
		did_set_statement(d, st);
		break;
	default:
		break;
	}
}

/* Is that something has changed what the text says? */
static bool explains(const struct my_stmt *st)
{
	switch (st->kind) {
	case MY_SET:
	case MY_SET_TRANSACTION:
	case MY_SET_STATEMENT:
	case MY_SET_ROLE:
	case MY_USE:
	case MY_PREPARE:
	case MY_DEALLOCATE:
	case MY_LOCK:
	case MY_BACKUP:
	case MY_ALTER:
		return true;
	case MY_CREATE:
	case MY_DROP:
		return (st->flags & (MY_TEMPORARY | MY_TABLES)) != 0;
	default:
		return false;
	}
}

/* It ended in an error, and may have run until then: what no transaction takes back stays. */
static void did_fail(struct done *d, const struct my_stmt *st)
{
	if (d->told->never_ran || st->kind == MY_UNKNOWN)
		return;
	d->t->pins |= mysql_pins_of(st) & (PIN_USER_VAR | PIN_FUNCTION);
	if (st->calls & MY_CALL_GET_LOCK)
		did_lock(d, st);
}

/* What the statements of a text were, taken together. */
struct gist {
	bool explained, routine, hides_id;
	bool diagnostics;  /* the last one */
	bool sets_for_one; /* SET STATEMENT */
	unsigned n;
};

static bool apply_all(struct done *d, size_t len, struct gist *g)
{
	const struct mysql_told *told = d->told;
	struct my_reader r;
	struct my_stmt st;
	unsigned nth = 0;
	my_read_init(&r, d->text, len, d->mode, mysql_track_functions());
	while (d->ok && my_read(&r, &st)) {
		if (st.kind == MY_EMPTY)
			continue;
		/* Of a routine nobody knows how many results it has. */
		if (told->is_failed && !g->routine && nth++ >= told->results) {
			g->routine = mysql_is_routine(&st) && st.kind != MY_UNKNOWN; /* which is a syntax error */
			g->hides_id |= mysql_is_id_hidden(&st) && !told->never_ran;
			did_fail(d, &st);
			break;
		}
		g->n++;
		g->sets_for_one |= st.kind == MY_SET_STATEMENT;
		g->explained |= explains(&st);
		g->routine |= mysql_is_routine(&st);
		g->hides_id |= mysql_is_id_hidden(&st);
		g->diagnostics = (st.flags & MY_DIAGNOSTICS) != 0;
		if (told->is_failed && g->routine)
			d->t->pins |= mysql_pins_of(&st);
		else
			apply(d, &st);
	}
	/* What a setting was between two statements of a text is not known. */
	if (g->sets_for_one && g->n > 1)
		d->t->pins |= PIN_SETTING;
	return d->ok;
}

/* --- What every answer says */

/* What is asked for only behind the statement that it is of. */
static void note_last(struct mysql_track *t, const struct mysql_told *told)
{
	t->pins &= ~(uint32_t)(PIN_WARNINGS | (told->any_rows ? PIN_FOUND_ROWS : 0));
	if (told->is_failed || told->warnings)
		t->pins |= PIN_WARNINGS;
	t->row_count = told->is_failed || told->had_rows ? -1 : (int64_t)told->affected;
	if (told->any_rows)
		t->found = told->rows;
	if (told->insert_id)
		t->insert_id = told->insert_id;
}

/* WHERE id IS NULL asks for LAST_INSERT_ID() then, which no text shows. */
static bool is_null_an_id(const struct varset *vars)
{
	const struct istr *v = varset_find(vars, "sql_auto_is_null");
	return v && (strcasecmp(v->s, "on") == 0 || strcasecmp(v->s, "true") == 0 || strcmp(v->s, "1") == 0);
}

bool mysql_track_done(struct mysql_track *t, const struct varset **vars, const char *text, size_t len, unsigned mode,
		      const struct mysql_told *told)
{
	struct done d = { t, vars, text, mode, told, true };
	struct gist g = { .explained = false };
	bool ended = (t->in_xact || told->had_xact) && !told->in_xact;
	uint32_t warnings = t->pins & PIN_WARNINGS;
	bool had_routine = t->pins & PIN_ROUTINE && !t->is_untold;
	note_last(t, told);
	if (!told->is_failed)
		t->in_xact = told->in_xact;
	if (ended && !told->is_failed)
		t->pins &= ~(uint32_t)PIN_NEXT_XACT;
	if (text && !apply_all(&d, len, &g))
		return false;
	if ((text || told->settings) && is_null_an_id(*vars))
		t->pins |= PIN_SETTING;
	if (g.diagnostics)
		t->pins |= warnings;
	t->hides_id = (t->hides_id && !told->insert_id) || g.hides_id;
	if (told->is_failed) {
		if (g.routine) {
			t->pins |= PIN_ROUTINE;
			t->is_untold = told->has_tracking && !told->is_mariadb && !had_routine;
		}
		return true;
	}
	if (t->is_untold && !told->changed) /* now it would have been told */
		t->pins &= ~(uint32_t)PIN_ROUTINE;
	t->is_untold = false;
	if (g.routine && !told->has_tracking)
		t->pins |= PIN_ROUTINE;
	if (told->changed && (g.routine || !g.explained))
		t->pins |= PIN_ROUTINE;
	return true;
}
