/* door_command.c - commands that are about the session itself, whatever server it has: COM_RESET_CONNECTION,
 * COM_CHANGE_USER, COM_PROCESS_KILL and KILL, COM_PING without a server, what shared servers cannot do, and what nobody
 * can. MySQL
 * Source Code Documentation, Client/Server Protocol: Command Phase, Utility Commands; MySQL Reference Manual: KILL. */
#include "mysql/mysql_int.h"

#include "core/str.h"

#include <strings.h>

#define ER_CONNECTION_KILLED 1927 /* MariaDB's; MySQL's is that of a shutdown */

#define KILL_MAX 128u /* bytes of a KILL; what is longer is none */

/* All that was sent has been answered. False: it has to wait for that. */
static bool is_quiet(struct mysql_client *c)
{
	struct session *s = &c->s;
	if (!s->server || mysql_expect_is_empty(&mysql_server_of(s->server)->expect))
		return true;
	c->waits = true;
	session_hold(s, HOLD_OWNER);
	return false;
}

static void begin_answer(struct mysql_client *c, uint8_t seq)
{
	c->seq = (uint8_t)(seq + 1);
	c->s.request_us = loop_now_us();
}

/* --- COM_RESET_CONNECTION: all but the default schema is as it was at login. */

void mysql_forget_state(struct mysql_client *c)
{
	mysql_track_free(&c->track);
	c->track = (struct mysql_track){ .nheld = 0 };
	c->is_partway = false;
	mysql_status_begins(c);
	mysql_client_fresh(c);
	mysql_statements_forget(c);
}

static enum mysql_command reset(struct mysql_client *c)
{
	struct session *s = &c->s;
	const struct istr *was = varset_find(s->vars, MYSQL_SCHEMA), *schema = was ? istr_ref(was) : NULL;
	struct fault f;
	mysql_statements_leave(c);
	bool ok = session_reset(s) && (!schema || varset_set(&s->vars, MYSQL_SCHEMA, schema->s, schema->len));
	/* MariaDB goes back to the collation of the greeting, MySQL to its own. */
	if (ok && !mysql_known_of(s->db)->is_mariadb)
		ok = mysql_set_collation(s, 0, NULL);
	istr_put(schema);
	if (!ok) {
		fault_set(&f, FAULT_NOMEM, "no memory for the session");
		session_fail(s, &f);
		return MYSQL_COMMAND_WAIT;
	}
	mysql_forget_state(c);
	mysql_tell_ok(c);
	return MYSQL_COMMAND_DONE;
}

/* --- KILL */

/* The session that a client knows by this number. */
static struct session *session_by_thread(uint64_t id)
{
	LIST_EACH (sessions_all(), it) {
		struct session *s = list_owner(it, struct session, in_all);
		if (s->id == id && s->door == &mysql_door && s->is_in)
			return s;
	}
	return NULL;
}

/* False: it is a number of a server's own, which the server may know. */
static bool kill_thread(struct mysql_client *c, uint64_t id, bool only_query)
{
	struct session *s = session_by_thread(id);
	struct fault f;
	if (!s)
		return false;
	if (s->user != c->s.user && !c->s.user->is_admin) {
		fault_set(&f, FAULT_DENIED, "You are not owner of thread %llu", (unsigned long long)id);
		fault_mysql(&f, 1095, "HY000");
		mysql_tell(&c->s, &f, false);
		return true;
	}
	log_info(&s->log, "%s by C-0x%llx (%s)", only_query ? "its statement is killed" : "killed",
		 (unsigned long long)c->s.id, c->s.user->name->s);
	fault_set(&f, FAULT_SHUTDOWN, "Query execution was interrupted");
	fault_mysql(&f, 1317, "70100");
	if (s == &c->s) { /* what runs here is this KILL */
		mysql_tell(s, &f, false);
		if (!only_query)
			session_close(s, "killed by itself");
		return true;
	}
	mysql_tell_ok(c);
	if (only_query) {
		session_kill_query(s);
		return true;
	}
	/* What each kind of server says as it ends a connection: a driver throws it away. */
	fault_set(&f, FAULT_SHUTDOWN, "Connection was killed");
	if (mysql_known_of(s->db)->is_mariadb)
		fault_mysql(&f, ER_CONNECTION_KILLED, "70100");
	session_fail(s, &f);
	return true;
}

static bool take_word(struct rd *r, char *out, size_t cap)
{
	size_t n = 0;
	while (rd_left(r) && strchr(" \t\r\n", *r->p))
		r->p++;
	while (n < rd_left(r) && !strchr(" \t\r\n;", r->p[n]) && r->p[n])
		n++;
	return str_copy_n(out, cap, rd_take(r, n), n) && n;
}

/* KILL [HARD | SOFT] [CONNECTION | QUERY] number, and no more. */
static bool read_kill(struct rd text, uint64_t *id, bool *only_query)
{
	char word[24];
	*only_query = false;
	if (!take_word(&text, word, sizeof word) || strcasecmp(word, "kill") != 0 ||
	    !take_word(&text, word, sizeof word))
		return false;
	if ((strcasecmp(word, "hard") == 0 || strcasecmp(word, "soft") == 0) && !take_word(&text, word, sizeof word))
		return false;
	*only_query = strcasecmp(word, "query") == 0;
	if ((*only_query || strcasecmp(word, "connection") == 0) && !take_word(&text, word, sizeof word))
		return false;
	if (!str_to_u64(word, UINT32_MAX, id))
		return false;
	while (rd_left(&text) && strchr(" \t\r\n;", *text.p))
		text.p++;
	return rd_done(&text);
}

/* Begins with "k", behind blanks: few do. Who has attributes to it is asked in earnest, as few have. */
static bool may_kill(const struct rd *in, uint32_t len, uint64_t caps)
{
	const uint8_t *p = in->p + MYSQL_HEADER + 1;
	if (caps & MYSQL_CAP_QUERY_ATTRIBUTES) {
		if (p < in->end && *p)
			return len <= MYSQL_HELD_MAX;
		p += 2;
	}
	while (p < in->end && strchr(" \t\r\n", *p))
		p++;
	return len <= KILL_MAX && p < in->end && (*p | 0x20) == 'k';
}

/* What of a command must be there to be understood. False: it is not yet. */
static bool whole(const struct rd *in, uint32_t len, struct rd *body)
{
	if (rd_left(in) < MYSQL_HEADER + (size_t)len)
		return false;
	*body = rd_of(in->p + MYSQL_HEADER + 1, len - 1);
	return true;
}

static enum mysql_command drop(struct mysql_client *c, uint32_t len, enum mysql_command how)
{
	mysql_skip(c, len);
	return how;
}

static enum mysql_command refuse(struct mysql_client *c, uint32_t len, uint8_t seq, const struct fault *f)
{
	if (!is_quiet(c))
		return MYSQL_COMMAND_WAIT;
	begin_answer(c, seq);
	mysql_tell(&c->s, f, false);
	return drop(c, len, MYSQL_COMMAND_DONE);
}

/* Servers take it from clients, and its answer is of a shape that is known here. What they say among themselves, or
 * will say one day, may do anything to a session. */
static bool is_known(uint8_t com)
{
	switch (com) {
	case MYSQL_COM_SLEEP:
	case 0x0b: /* COM_CONNECT, and other names in a server's own lists */
	case 0x0f: /* COM_TIME */
	case 0x10: /* COM_DELAYED_INSERT */
	case MYSQL_COM_TABLE_DUMP:
	case 0x14: /* COM_CONNECT_OUT */
	case 0x1d: /* COM_DAEMON */
		return false;
	default:
		return com <= MYSQL_COM_RESET_CONNECTION || com == MARIADB_COM_STMT_BULK_EXECUTE;
	}
}

static enum mysql_command malformed(struct mysql_client *c, uint32_t len, uint8_t seq)
{
	struct fault f;
	fault_set(&f, FAULT_PROTO, "Malformed communication packet.");
	fault_mysql(&f, 1835, "HY000");
	return refuse(c, len, seq, &f);
}

enum mysql_command mysql_own_command(struct mysql_client *c, const struct rd *in, uint32_t len, uint8_t seq)
{
	struct session *s = &c->s;
	struct rd body, text;
	struct fault f;
	uint64_t id;
	bool only_query;

	switch (in->p[MYSQL_HEADER]) {
	case MYSQL_COM_PING:
		if (s->state != SESSION_IDLE)
			return MYSQL_COMMAND_PASS;
		begin_answer(c, seq);
		mysql_tell_ok(c);
		return drop(c, len, MYSQL_COMMAND_DONE);
	case MYSQL_COM_RESET_CONNECTION:
		if (len != 1) /* servers would do it all the same, and not be told of here */
			return malformed(c, len, seq);
		if (!is_quiet(c))
			return MYSQL_COMMAND_WAIT;
		begin_answer(c, seq);
		(void)drop(c, len, MYSQL_COMMAND_DONE);
		return reset(c);
	case MYSQL_COM_CHANGE_USER:
		if (len > MYSQL_HELD_MAX) {
			mysql_protocol_fault(s, "COM_CHANGE_USER that is too long");
			return MYSQL_COMMAND_WAIT;
		}
		if (!whole(in, len, &body) || !is_quiet(c))
			return MYSQL_COMMAND_WAIT;
		begin_answer(c, seq);
		(void)drop(c, len, MYSQL_COMMAND_DONE);
		mysql_statements_leave(c);
		mysql_change_user(s, body);
		return MYSQL_COMMAND_DONE;
	case MYSQL_COM_PROCESS_KILL:
		if (len != 5)
			return malformed(c, len, seq);
		if (!whole(in, len, &body) || !is_quiet(c))
			return MYSQL_COMMAND_WAIT;
		id = rd_u32le(&body);
		begin_answer(c, seq);
		if (body.bad || !kill_thread(c, id, false))
			return MYSQL_COMMAND_PASS;
		return drop(c, len, MYSQL_COMMAND_DONE);
	case MYSQL_COM_QUERY:
		if (!may_kill(in, len, c->caps) || !whole(in, len, &body) || !mysql_read_query(body, c->caps, &text) ||
		    rd_left(&text) > KILL_MAX || !read_kill(text, &id, &only_query) || !session_by_thread(id))
			return MYSQL_COMMAND_PASS;
		if (!is_quiet(c))
			return MYSQL_COMMAND_WAIT;
		begin_answer(c, seq);
		(void)kill_thread(c, id, only_query);
		return drop(c, len, MYSQL_COMMAND_DONE);
	case MYSQL_COM_BINLOG_DUMP:
	case MYSQL_COM_BINLOG_DUMP_GTID:
	case MYSQL_COM_REGISTER_SLAVE:
		if (s->mode == POOL_SESSION) {
			if (in->p[MYSQL_HEADER] != MYSQL_COM_REGISTER_SLAVE)
				session_replicates(s);
			return MYSQL_COMMAND_PASS;
		}
		fault_set(&f, FAULT_UNSUP, "a replica needs a server of its own, and this database's are shared");
		fault_hint(&f, "It can be had with pool_mode = session, or from the server itself.");
		return refuse(c, len, seq, &f);
	default:
		if (is_known(in->p[MYSQL_HEADER]))
			return MYSQL_COMMAND_PASS;
		fault_set(&f, FAULT_UNSUP, "Unknown command");
		fault_mysql(&f, 1047, "08S01");
		return refuse(c, len, seq, &f);
	}
}
