/* control.c - the console's commands that do something. */
#include "admin/console_int.h"

#include "core/assert.h"
#include "core/loop.h"
#include "session/session.h"

static const struct admin_hooks *hooks;
static enum shutdown_mode shutdown_mode;
static struct task shutdown_task;

static void run_shutdown(struct task *t)
{
	(void)t;
	hooks->shutdown(shutdown_mode);
}

void control_init(const struct admin_hooks *h)
{
	hooks = h;
	shutdown_task.run = run_shutdown;
}

void control_free(void)
{
	loop_undefer(&shutdown_task);
}

/* --- The database that a command names */

/* verb: what must not be done to the console; NULL: it may. */
static struct database *find_db(const char *name, const char *verb, struct fault *f)
{
	struct database *db = database_peek(name); /* one that is no longer configured may still have clients */
	if (!db) {
		db = database_find(name, f);
		if (db)
			database_keep(db); /* one of the * entry */
	}
	if (!db) {
		if (f->kind == FAULT_NO_DB)
			admin_fault(f, FAULT_NO_DB, "no such database: %s", name);
		return NULL;
	}
	if (db->is_console && verb) {
		admin_fault(f, FAULT_UNSUP, "cannot %s admin db: %s", verb, name);
		return NULL;
	}
	return db;
}

/* --- PAUSE and what is like it */

enum outcome cmd_pause(struct console *c, const struct order *o, struct fault *f)
{
	struct database *db = NULL;
	if (o->arg && !(db = find_db(o->arg, "pause", f)))
		return OUTCOME_FAULT;
	if (pool_is_all_paused()) {
		admin_fault(f, FAULT_SYNTAX, "already paused");
		return OUTCOME_FAULT;
	}
	pool_pause(db);
	if (pool_is_quiet(db))
		return OUTCOME_DONE;
	c->wait_db = db ? istr_ref(db->name) : NULL;
	return OUTCOME_WAIT;
}

/* RESUME after KILL, which pauses each database by itself. */
static bool resume_each(void)
{
	bool any = false;
	LIST_EACH (databases_all(), it) {
		struct database *db = list_owner(it, struct database, in_all);
		if (db->paused) {
			pool_resume(db);
			any = true;
		}
	}
	return any;
}

enum outcome cmd_resume(struct console *c, const struct order *o, struct fault *f)
{
	(void)c;
	if (o->arg) {
		struct database *db = find_db(o->arg, NULL, f);
		if (!db)
			return OUTCOME_FAULT;
		if (!db->paused) {
			admin_fault(f, FAULT_SYNTAX, "database %s is not paused", o->arg);
			return OUTCOME_FAULT;
		}
		pool_resume(db);
	} else if (pool_is_all_paused()) {
		pool_resume(NULL);
	} else if (!resume_each()) {
		admin_fault(f, FAULT_SYNTAX, "pooler is not paused");
		return OUTCOME_FAULT;
	}
	console_check_waits();
	return OUTCOME_DONE;
}

/* Is any server still to be closed? */
static bool has_unwanted(const struct database *db)
{
	LIST_EACH (pools_all(), it) {
		const struct pool *p = list_owner(it, struct pool, in_all);
		if (db && p->db != db)
			continue;
		for (int st = 0; st < SERVER_DEAD; st++) {
			const struct list *head = &p->by_state[st];
			for (const struct list *at = head->next; at != head; at = at->next)
				if (list_owner(at, struct server, in_state)->close_needed)
					return true;
		}
	}
	return false;
}

enum outcome cmd_wait_close(struct console *c, const struct order *o, struct fault *f)
{
	struct database *db = NULL;
	if (o->arg && !(db = find_db(o->arg, NULL, f)))
		return OUTCOME_FAULT;
	if (!has_unwanted(db))
		return OUTCOME_DONE;
	c->wait_db = db ? istr_ref(db->name) : NULL;
	return OUTCOME_WAIT;
}

enum outcome control_is_over(const struct console *c, struct fault *f)
{
	const struct database *db = c->wait_db ? database_peek(c->wait_db->s) : NULL;
	if (c->wait_db && !db)
		return OUTCOME_DONE; /* dropped, with all that it had */
	if (c->wait_cmd == CMD_wait_close)
		return has_unwanted(db) ? OUTCOME_WAIT : OUTCOME_DONE;
	if (pool_is_quiet(db))
		return OUTCOME_DONE;
	if (db ? db->paused : pool_is_all_paused())
		return OUTCOME_WAIT;
	admin_fault(f, FAULT_NOT_NOW, "PAUSE ended by RESUME before all servers were closed");
	return OUTCOME_FAULT;
}

/* As PgBouncer: who gives PAUSE up wants to go on. PAUSE of one database stays, others may count on it. */
void control_cancelled(const struct console *c)
{
	if (c->wait_cmd == CMD_pause && !c->wait_db)
		pool_resume(NULL);
	console_check_waits();
}

enum outcome cmd_disable(struct console *c, const struct order *o, struct fault *f)
{
	struct database *db = find_db(o->arg, "disable", f);
	(void)c;
	if (!db)
		return OUTCOME_FAULT;
	db->disabled = true;
	return OUTCOME_DONE;
}

enum outcome cmd_enable(struct console *c, const struct order *o, struct fault *f)
{
	struct database *db = find_db(o->arg, NULL, f);
	(void)c;
	if (!db)
		return OUTCOME_FAULT;
	db->disabled = false;
	return OUTCOME_DONE;
}

enum outcome cmd_reconnect(struct console *c, const struct order *o, struct fault *f)
{
	struct database *db = NULL;
	(void)c;
	if (o->arg && !(db = find_db(o->arg, NULL, f)))
		return OUTCOME_FAULT;
	pool_reconnect(db);
	return OUTCOME_DONE;
}

/* --- KILL */

/* Clients of db, or of all but the console. Before their servers, or they would be told that those were lost. */
static void kill_clients(const struct database *db)
{
	struct fault f;
	admin_fault(&f, FAULT_SHUTDOWN, "database removed");
	LIST_EACH (sessions_all(), it) {
		struct session *s = list_owner(it, struct session, in_all);
		if (s->db && !s->db->is_console && (!db || s->db == db))
			session_fail(s, &f);
	}
}

enum outcome cmd_kill(struct console *c, const struct order *o, struct fault *f)
{
	(void)c;
	if (o->arg) {
		struct database *db = find_db(o->arg, "kill", f);
		if (!db)
			return OUTCOME_FAULT;
		db->clients++; /* one that is no longer configured would go with its last client */
		pool_pause(db);
		kill_clients(db);
		pool_kill(db);
		db->clients--;
		database_check_unused(db);
		return OUTCOME_DONE;
	}
	LIST_EACH (databases_all(), it) {
		struct database *db = list_owner(it, struct database, in_all);
		if (!db->is_console)
			pool_pause(db);
	}
	kill_clients(NULL);
	pool_kill(NULL);
	return OUTCOME_DONE;
}

enum outcome cmd_kill_client(struct console *c, const struct order *o, struct fault *f)
{
	uint64_t id;
	if (!o->arg || !parse_id(o->arg, &id)) {
		admin_fault(f, FAULT_SYNTAX, "invalid client pointer supplied");
		fault_hint(f, "It is a client's id, as in the column id of SHOW CLIENTS.");
		return OUTCOME_FAULT;
	}
	LIST_EACH (sessions_all(), it) {
		struct session *s = list_owner(it, struct session, in_all);
		bool is_own = s == c->session;
		if (s->id != id)
			continue;
		admin_fault(f, FAULT_SHUTDOWN, "admin forced disconnect");
		session_fail(s, f);
		return is_own ? OUTCOME_GONE : OUTCOME_DONE;
	}
	admin_fault(f, FAULT_SYNTAX, "client not found");
	return OUTCOME_FAULT;
}

/* --- Settings and the end */

enum outcome cmd_ignore(struct console *c, const struct order *o, struct fault *f)
{
	(void)o, (void)f;
	c->sink->ops->notice(c->sink, "SET ignored");
	return OUTCOME_DONE;
}

/* Drivers open a transaction around whatever they are asked to run. */
static enum outcome no_transaction(const struct console *c)
{
	c->sink->ops->notice(c->sink, "the console has no transactions: each command takes effect at once");
	return OUTCOME_DONE;
}

enum outcome cmd_begin(struct console *c, const struct order *o, struct fault *f)
{
	(void)o, (void)f;
	return no_transaction(c);
}

enum outcome cmd_commit(struct console *c, const struct order *o, struct fault *f)
{
	(void)o, (void)f;
	return no_transaction(c);
}

enum outcome cmd_rollback(struct console *c, const struct order *o, struct fault *f)
{
	(void)o, (void)f;
	return no_transaction(c);
}

enum outcome cmd_set(struct console *c, const struct order *o, struct fault *f)
{
	(void)c;
	if (!config_set_value(o->arg, o->value, f)) {
		fault_add(f, "SET failed");
		fault_sqlstate(f, "08P01");
		return OUTCOME_FAULT;
	}
	hooks->apply();
	return OUTCOME_DONE;
}

enum outcome cmd_reload(struct console *c, const struct order *o, struct fault *f)
{
	struct sb warnings = { .max = 0 };
	(void)o;
	bool ok = hooks->reload(f, &warnings);
	if (warnings.len) /* such as what takes a restart, or what else is wrong: the log may be far away */
		c->sink->ops->notice(c->sink, sb_str(&warnings));
	sb_free(&warnings);
	if (ok)
		return OUTCOME_DONE;
	fault_add(f, "RELOAD failed"); /* keeps F0000, as PgBouncer has it here */
	return OUTCOME_FAULT;
}

static enum outcome shut_down(enum shutdown_mode mode)
{
	shutdown_mode = mode;
	loop_defer(&shutdown_task);
	return OUTCOME_DONE;
}

enum outcome cmd_shutdown(struct console *c, const struct order *o, struct fault *f)
{
	(void)c, (void)o, (void)f;
	return shut_down(SHUTDOWN_IMMEDIATE);
}

enum outcome cmd_shutdown_servers(struct console *c, const struct order *o, struct fault *f)
{
	(void)c, (void)o, (void)f;
	return shut_down(SHUTDOWN_WAIT_SERVERS);
}

enum outcome cmd_shutdown_clients(struct console *c, const struct order *o, struct fault *f)
{
	(void)c, (void)o, (void)f;
	return shut_down(SHUTDOWN_WAIT_CLIENTS);
}
