/* watch.c - clients that hold a server and do nothing there, and statements that take long: both are told of, by what
 * was said without its literals. */
#include "session/session_int.h"

#include "core/event.h"
#include "core/loop.h"
#include "core/str.h"
#include "sql/fingerprint.h"

#include <inttypes.h>

#define FORM_MAX (2 * SERVER_HEARD_MAX + 16) /* of what was kept: a blank between any two of its words */
#define SHOWN    150

static struct deadline next_look;
static uint64_t every_ms;

const char *session_program(const struct session *s)
{
	if (s->door->program)
		return s->door->program(s);
	const struct istr *name = s->vars ? varset_find(s->vars, "application_name") : NULL;
	return name ? name->s : "";
}

/* "3f0a92cc17d2b4e1 select * from t where a = ?" */
static const char *what_was_said(const struct session *s, char out[SHOWN + 64])
{
	char form[FORM_MAX];
	const struct server_heard *h = &s->server->heard;
	size_t n = h->len ? s->door->fingerprint(s, h, form, sizeof form) : 0;
	if (!n)
		return "(not known)";
	str_fmt(out, SHOWN + 64, "%s%016" PRIx64 " %.*s%s", h->sent > 1 ? "the last of several sent at once: " : "",
		sql_fingerprint_hash(form, n), SHOWN, form, n > SHOWN ? "..." : "");
	return out;
}

/* --- Slow statements */

void session_was_slow(struct session *s, uint64_t took_us)
{
	char said[SHOWN + 64];
	struct log_seldom *line = &s->pool->slow;
	uint64_t ms = took_us / 1000;

	s->pool->stats.v[STAT_slow_count]++;
	if (loop_now() < line->next_ms && log_level < LOG_LV_DEBUG) { /* nothing is made of it that nobody reads */
		line->left_out++;
		return;
	}
	const char *what = what_was_said(s, said);
	if (log_seldom(line, LOG_LV_INFO, &s->log, "slow statement: %" PRIu64 " ms: %s", ms, what))
		event_raise(EVENT_SLOW, s->db->name->s, "client C-0x%" PRIx64 " (%s): %" PRIu64 " ms: %s", s->id,
			    s->user->name->s, ms, what);
}

/* --- Leaks */

/* Others could have its server. In session pooling it is the client's own, but for what a transaction locks. */
static bool holds_idly(const struct session *s)
{
	return s->state == SESSION_ACTIVE && s->server && !s->is_running && !s->late && !s->wait.is_own &&
	       !session_is_soft(s) && (s->xact_us || s->mode != POOL_SESSION);
}

/* True: it is closed. */
static bool leaks(struct session *s, uint64_t idle_ms)
{
	char at[ADDR_TEXT_MAX], why[200] = "in a transaction", said[SHOWN + 64];
	const char *program = session_program(s), *what = what_was_said(s, said);
	struct fault f;

	if (s->xact_us)
		str_fmt(why, sizeof why, "in a transaction since %" PRIu64 " s",
			(loop_now_us() - s->xact_us) / 1000000);
	else if (s->pins)
		session_pins_text(s->pins, why, sizeof why);
	else
		str_fmt(why, sizeof why, "in the middle of a message");
	s->leak_us = s->request_us;
	s->pool->stats.v[STAT_leak_count]++;
	addr_text(&s->addr, at);
	log_warn(&s->log,
		 "leak: it holds server S-0x%" PRIx64 " (%s), where nothing has run for %" PRIu64
		 " s; application_name: %s; its last statement: %s",
		 s->server->id, why, idle_ms / 1000, *program ? program : "none", what);
	event_raise(EVENT_LEAK, s->db->name->s,
		    "client C-0x%" PRIx64 " (%s@%s, %.60s) holds a server (%s), idle for %" PRIu64 " s: %s", s->id,
		    s->user->name->s, at, program, why, idle_ms / 1000, what);
	if (config_num(config_now(), SET_leak_action, s->db->conf, s->user->conf) != LEAK_KILL)
		return false;
	fault_set(&f, FAULT_TIMEOUT, "this connection held a server for %" PRIu64 " s with no statement running there",
		  idle_ms / 1000);
	fault_sqlstate(&f, s->xact_us ? "25P03" : "57P05");
	fault_mysql(&f, 4031, "HY000");
	fault_hint(&f, "The limit is the setting leak_threshold; what becomes of it is leak_action.");
	session_fail(s, &f);
	return true;
}

/* One that is told of now. True: it is closed, and anything may have gone with it. */
static bool look_at(const struct pool *p, uint64_t now_us)
{
	for (const struct list *at = p->by_state[SERVER_ACTIVE].next; at != &p->by_state[SERVER_ACTIVE];
	     at = at->next) {
		struct session *s = list_owner(at, struct server, in_state)->session;
		if (!s || !s->limits.leak || s->leak_us == s->request_us || !holds_idly(s))
			continue;
		if (now_us >= s->request_us + (uint64_t)s->limits.leak * 1000 &&
		    leaks(s, (now_us - s->request_us) / 1000))
			return true;
	}
	return false;
}

static void look(struct deadline *d)
{
	bool again;
	do {
		again = false;
		for (const struct list *at = pools_all()->next; at != pools_all() && !again; at = at->next)
			again = look_at(list_owner(at, struct pool, in_all), loop_now_us());
	} while (again);
	(void)deadline_set(d, loop_now() + every_ms);
}

size_t sessions_leaking(void)
{
	size_t n = 0;
	LIST_EACH (pools_all(), in_all) {
		struct pool *p = list_owner(in_all, struct pool, in_all);
		LIST_EACH (&p->by_state[SERVER_ACTIVE], it) {
			const struct session *s = list_owner(it, struct server, in_state)->session;
			n += s && s->leak_us && s->leak_us == s->request_us && holds_idly(s);
		}
	}
	return n;
}

void session_watch_configure(void)
{
	every_ms = (uint64_t)config_num(config_now(), SET_leak_check_interval, NULL, NULL);
	(void)deadline_set(&next_look, loop_now() + every_ms);
}

void session_watch_init(void)
{
	deadline_init(&next_look, look);
}

void session_watch_free(void)
{
	deadline_clear(&next_look);
}
