/* console.c - the console as an engine on the exchange: who may come in, and its statements one after another. */
#include "admin/console_int.h"

#include "admin/averages.h"
#include "core/assert.h"
#include "core/loop.h"
#include "session/session.h"

#include <stdlib.h>
#include <string.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0.0.0"
#endif

#define LIKE_PGBOUNCER "1.26.1" /* whose console this one answers like; drivers and tools decide by it */

static struct list waiting = { &waiting, &waiting };
static struct task check_task;
static void (*watcher)(void);

static const struct exchange_ops console_ops;

static const struct {
	const struct show_def *show; /* NULL: run */
	command_fn *run;
} actions[CMD_COUNT] = {
#define SHOW(word, name, right, text)            { &show_##name, NULL },
#define COMMAND(words, name, right, shape, text) { NULL, cmd_##name },
#include "admin/commands.def"
#undef SHOW
#undef COMMAND
};

/* --- Coming and going */

static enum right right_of(const struct session *s)
{
	if (s->is_own_user || s->user->is_admin)
		return RIGHT_ADMIN;
	/* Whoever says he is somebody may look, when nobody has to prove it. */
	bool any = config_num(config_now(), SET_auth_type, NULL, NULL) == AUTH_TYPE_ANY;
	return any || s->user->is_stats ? RIGHT_STATS : RIGHT_NONE;
}

/* What drivers want to hear at login, on top of what the client asked for. */
static bool set_vars(struct session *s)
{
	static const char *const vars[][2] = {
		{ "server_version", LIKE_PGBOUNCER "/bouncer" },
		{ "pgbouncer.version", LIKE_PGBOUNCER },
		{ "sluice.version", PACKAGE_VERSION },
		{ "client_encoding", "UTF8" },
		{ "server_encoding", "UTF8" },
		{ "DateStyle", "ISO" },
		{ "TimeZone", "GMT" },
		{ "standard_conforming_strings", "on" },
		{ "is_superuser", "on" },
	};
	for (size_t i = 0; i < sizeof vars / sizeof vars[0]; i++)
		if (!varset_set(&s->vars, vars[i][0], vars[i][1], strlen(vars[i][1])))
			return false;
	return true;
}

static void batch_due(struct deadline *d);

static bool console_open(struct session *s, struct fault *f)
{
	if (right_of(s) == RIGHT_NONE) {
		admin_fault(f, FAULT_DENIED, "not allowed");
		fault_hint(f, "The console is open to users named in admin_users or stats_users.");
		return false;
	}
	struct console *c = calloc(1, sizeof *c);
	if (!c || !set_vars(s)) {
		free(c);
		return fault_set(f, FAULT_NOMEM, "no memory for the console");
	}
	list_init(&c->in_waiting);
	list_init(&c->cursors);
	deadline_init(&c->next_batch, batch_due);
	c->session = s;
	s->talk = c;
	return true;
}

/* pool_on_change() costs a little at each release of a server: only while somebody waits. */
static void changed(void)
{
	if (watcher)
		watcher();
	console_check_waits();
}

static void watch_pools(void)
{
	pool_on_change(watcher || !list_empty(&waiting) ? changed : NULL);
}

void console_watch(void (*fn)(void))
{
	watcher = fn;
	watch_pools();
}

static void stop_waiting(struct console *c)
{
	list_del(&c->in_waiting);
	istr_put(c->wait_db);
	c->wait_db = NULL;
	watch_pools();
}

/* Forgets the request. */
static void reset(struct console *c)
{
	if (c->state == CONSOLE_WAIT)
		stop_waiting(c);
	deadline_clear(&c->next_batch);
	show_end(&c->show);
	free(c->text);
	c->text = NULL;
	c->sink = NULL;
	c->state = CONSOLE_IDLE;
}

static void cursor_free(struct cursor *at)
{
	list_del(&at->in_console);
	show_end(&at->show);
	free(at);
}

static void console_drop(struct session *s, struct cursor *at)
{
	(void)s;
	cursor_free(at);
}

static void console_close(struct session *s)
{
	struct console *c = s->talk;
	reset(c);
	while (!list_empty(&c->cursors))
		cursor_free(list_owner(c->cursors.next, struct cursor, in_console));
	s->talk = NULL;
	free(c);
}

/* --- Statements */

/* All is answered. c may be asked anew, or be gone, when this returns. */
static void answered(struct console *c)
{
	struct result_sink *k = c->sink;
	reset(c);
	k->ops->end(k);
}

static void tell_fault(const struct console *c, struct result_sink *k, const struct fault *f)
{
	if (config_num(config_now(), SET_log_pooler_errors, NULL, NULL))
		log_warn(&c->session->log, "pooler error: %s", f->text);
	k->ops->fault(k, f);
}

static void failed(struct console *c, const struct fault *f)
{
	tell_fault(c, c->sink, f);
	answered(c);
}

/* "PAUSE" of "PAUSE db"; SET says what it set, as PgBouncer does. */
static bool done(struct console *c, enum command_id id, const struct order *o, uint64_t rows)
{
	const char *words = command_table[id].words;
	char verb[40];
	struct sb tag = { .max = 0 };
	str_fmt(verb, sizeof verb, "%.*s", (int)strcspn(words, " "), words);
	if (id == CMD_set && o)
		sb_addf(&tag, "%s %s=%s", verb, o->arg, o->value);
	c->has_answered = true;
	c->state = CONSOLE_NEXT;
	bool room = c->sink->ops->done(c->sink, tag.len && !tag.bad ? sb_str(&tag) : verb, rows);
	sb_free(&tag);
	return room;
}

/* The log's line about a command that does something. Values of settings may be secrets. */
static void log_command(const struct console *c, const struct order *o)
{
	const char *words = command_table[o->id].words;
	if (o->arg)
		log_info(&c->session->log, "%s '%s' command issued", words, o->arg);
	else
		log_info(&c->session->log, "%s command issued", words);
}

static bool may(const struct console *c, const struct order *o, struct fault *f)
{
	const struct command *cmd = &command_table[o->id];
	if (right_of(c->session) < cmd->right) {
		admin_fault(f, FAULT_DENIED, "admin access needed");
		fault_hint(f, "Only users named in admin_users may run it.");
		return false;
	}
	if (cmd->shape == SHAPE_DB && !o->arg)
		return admin_fault(f, FAULT_SYNTAX, "a database is required");
	return true;
}

static bool run_help(struct console *c)
{
	struct sb b = { .max = 0 };
	sb_add(&b, "Console usage");
	for (int i = 0; i < CMD_COUNT; i++) {
		char usage[80];
		if (!command_table[i].text[0])
			continue;
		command_usage(&command_table[i], usage, sizeof usage);
		sb_addf(&b, "\n\t%-28s %s", usage, command_table[i].text);
	}
	bool bad = b.bad, room = bad || c->sink->ops->notice(c->sink, sb_str(&b));
	sb_free(&b);
	if (bad) {
		struct fault f;
		fault_set(&f, FAULT_NOMEM, "no memory for the command");
		failed(c, &f);
		return false;
	}
	return done(c, CMD_show_help, NULL, 0) && room;
}

/* The next one. False: stop here; c may be gone. */
static bool next_statement(struct console *c)
{
	struct order o;
	struct fault f;

	if (!c->text) {
		answered(c);
		return false;
	}
	switch (parse_order(c->text, c->len, &c->at, &o, &f)) {
	case PARSE_END:
		if (!c->has_answered) { /* there was none at all */
			c->has_answered = true;
			if (!c->sink->ops->done(c->sink, "", 0))
				return false;
		}
		answered(c);
		return false;
	case PARSE_BAD:
		failed(c, &f);
		return false;
	case PARSE_ORDER:
		break;
	}
	if (!may(c, &o, &f)) {
		failed(c, &f);
		return false;
	}
	if (o.id == CMD_show_help)
		return run_help(c);
	if (actions[o.id].show) {
		c->state = CONSOLE_SHOW;
		c->most = c->max_rows ? c->max_rows : UINT64_MAX;
		return show_begin(&c->show, actions[o.id].show, c->sink);
	}
	if (command_table[o.id].right == RIGHT_ADMIN) /* the others do nothing */
		log_command(c, &o);
	switch (actions[o.id].run(c, &o, &f)) {
	case OUTCOME_DONE:
		return done(c, o.id, &o, 0);
	case OUTCOME_FAULT:
		failed(c, &f);
		return false;
	case OUTCOME_WAIT:
		c->state = CONSOLE_WAIT;
		c->wait_cmd = o.id;
		list_add(&waiting, &c->in_waiting);
		watch_pools();
		console_check_waits();
		return false;
	case OUTCOME_GONE:
		return false;
	}
	return false;
}

/* As many rows are sent as were asked for. */
static void suspend(struct console *c)
{
	struct cursor *at = calloc(1, sizeof *at);
	struct fault f;
	if (!at) {
		fault_set(&f, FAULT_NOMEM, "out of memory in a SHOW");
		failed(c, &f);
		return;
	}
	at->show = c->show;
	c->show = (struct show){ .def = NULL };
	list_add(&c->cursors, &at->in_console);
	c->sink->ops->suspended(c->sink, at);
	answered(c);
}

/* The next rows. False: stop here; c may be gone. */
static bool next_rows(struct console *c)
{
	struct fault f;
	switch (show_step(&c->show, c->most, c->sink, &f)) {
	case SHOW_MORE:
		if (deadline_set(&c->next_batch, loop_now() + 1)) /* others have their turn first */
			return false;
		fault_set(&f, FAULT_NOMEM, "out of memory in a SHOW");
		failed(c, &f);
		return false;
	case SHOW_FULL:
		return false;
	case SHOW_MOST:
		suspend(c);
		return false;
	case SHOW_FAILED:
		failed(c, &f);
		return false;
	case SHOW_DONE:
		break;
	}
	uint64_t rows = c->show.rows;
	show_end(&c->show);
	return done(c, CMD_show_version, NULL, rows); /* the tag of all of them is SHOW */
}

static void run(struct console *c)
{
	bool go_on = true;
	while (go_on)
		go_on = c->state == CONSOLE_SHOW ? next_rows(c) : next_statement(c);
}

static void batch_due(struct deadline *d)
{
	run(list_owner(d, struct console, next_batch));
}

/* A copy that may be written to, with the byte more that the parser wants. */
static char *copy_text(const struct request *r, struct fault *f)
{
	char *text = malloc(r->text.len + 1);
	if (!text) {
		fault_set(f, FAULT_NOMEM, "no memory for the command");
		return NULL;
	}
	if (r->text.len)
		memcpy(text, r->text.s, r->text.len);
	text[r->text.len] = '\0';
	return text;
}

static void go_on(struct console *c, struct cursor *at)
{
	c->show = at->show;
	at->show = (struct show){ .def = NULL };
	cursor_free(at);
	c->state = CONSOLE_SHOW;
	c->most = c->max_rows ? c->show.rows + c->max_rows : UINT64_MAX;
	if (c->sink->ops->columns(c->sink, c->show.def->cols, c->show.def->ncols))
		run(c);
}

static void console_ask(struct session *s, const struct request *r, struct result_sink *k)
{
	struct console *c = s->talk;
	struct fault f;

	ASSERT(c->state == CONSOLE_IDLE);
	c->sink = k;
	c->state = CONSOLE_NEXT;
	c->has_answered = false;
	c->at = 0;
	c->max_rows = r->max_rows;
	if (r->cursor) {
		c->len = 0;
		go_on(c, r->cursor);
		return;
	}
	c->len = r->text.len;
	c->text = copy_text(r, &f);
	if (c->text)
		run(c);
	else
		failed(c, &f);
}

/* Which SHOW is it? *def is NULL: something else. */
static bool understand(const struct request *r, const struct show_def **def, struct fault *f)
{
	struct order o, next;
	size_t at = 0;
	char *text = copy_text(r, f);
	*def = NULL;
	if (!text)
		return false;
	enum parse is = parse_order(text, r->text.len, &at, &o, f);
	enum parse behind = is == PARSE_ORDER ? parse_order(text, r->text.len, &at, &next, f) : is;
	free(text);
	if (behind == PARSE_ORDER)
		return admin_fault(f, FAULT_SYNTAX, "cannot insert multiple commands into a prepared statement");
	if (is == PARSE_ORDER && o.id != CMD_show_help) /* which answers with a notice */
		*def = actions[o.id].show;
	return behind != PARSE_BAD;
}

static void console_describe(struct session *s, const struct request *r, struct result_sink *k)
{
	const struct show_def *def;
	struct fault f;
	if (!understand(r, &def, &f))
		tell_fault(s->talk, k, &f);
	else if (def)
		k->ops->columns(k, def->cols, def->ncols);
	k->ops->end(k);
}

static void console_resume(struct session *s)
{
	struct console *c = s->talk;
	if ((c->state == CONSOLE_SHOW || c->state == CONSOLE_NEXT) && !deadline_is_set(&c->next_batch))
		run(c);
}

static void console_cancel(struct session *s)
{
	struct console *c = s->talk;
	struct fault f;
	if (c->state == CONSOLE_IDLE)
		return;
	if (c->state == CONSOLE_WAIT)
		control_cancelled(c);
	fault_set(&f, FAULT_TIMEOUT, "canceling statement due to user request");
	failed(c, &f);
}

static const struct exchange_ops console_ops = {
	.open = console_open,
	.close = console_close,
	.ask = console_ask,
	.describe = console_describe,
	.drop = console_drop,
	.resume = console_resume,
	.cancel = console_cancel,
};

/* --- Waits */

/* The first whose wait is over. Not a walk that goes on: what it does next may end any other console. */
static struct console *first_over(enum outcome *is, struct fault *f)
{
	LIST_EACH (&waiting, it) {
		struct console *c = list_owner(it, struct console, in_waiting);
		*is = control_is_over(c, f);
		if (*is != OUTCOME_WAIT)
			return c;
	}
	return NULL;
}

static void check_waits(struct task *t)
{
	enum outcome is;
	struct fault f;
	struct console *c;
	(void)t;
	while ((c = first_over(&is, &f))) {
		stop_waiting(c);
		c->state = CONSOLE_NEXT;
		if (is == OUTCOME_FAULT)
			failed(c, &f);
		else if (done(c, c->wait_cmd, NULL, 0))
			run(c);
	}
}

void console_check_waits(void)
{
	if (!list_empty(&waiting))
		loop_defer(&check_task);
}

/* --- The whole */

bool console_init(const struct admin_hooks *hooks)
{
	list_init(&waiting);
	check_task.run = check_waits;
	control_init(hooks);
	show_stats_init();
	return database_add_console("sluice", &console_ops) && database_add_console("pgbouncer", &console_ops) &&
	       averages_start();
}

void console_free(void)
{
	ASSERT(list_empty(&waiting));
	loop_undefer(&check_task);
	console_watch(NULL);
	averages_stop();
	control_free();
}
