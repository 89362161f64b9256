/* door_command.c - commands that are about the session itself, whatever server it has: COM_RESET_CONNECTION,
 * COM_CHANGE_USER, COM_PROCESS_KILL and KILL, COM_PING without a server, what shared servers cannot do, and what nobody
 * can. MySQL
 * Source Code Documentation, Client/Server Protocol: Command Phase, Utility Commands; MySQL Reference Manual: KILL. */
#include "mysql/mysql_int.h"

#include "core/random.h"
#include "core/str.h"
#include "mysql/errors.h"

#include <strings.h>

#define LOOK_BYTES 8192u /* of a text in which KILL is looked for */
#define KILL_MAX   1024u /* bytes of what is prepared, likewise */

/* Numbers of connections begin where no server's are, and mostly elsewhere than those of another Sluice: a KILL that
 * reaches a server by mistake is to hit nobody. The last digits are a session's own number. */
#define NUMBERS_FROM   1000000000u
#define NUMBERS_STEP   1000000u
#define NUMBERS_STARTS 1000u
#define NUMBERS_MAX    2000000000u

/* All that was sent has been answered. False: it has to wait for that. */
bool mysql_is_quiet(struct mysql_client *c)
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

uint32_t mysql_number(const struct session *s)
{
	static uint32_t from;
	if (!from)
		from = NUMBERS_FROM + NUMBERS_STEP * (uint32_t)(random_u64() % NUMBERS_STARTS);
	return from + (uint32_t)(s->id % NUMBERS_MAX);
}

/* The session that a client knows by this number. */
static struct session *session_by_thread(uint64_t id)
{
	LIST_EACH (sessions_all(), it) {
		struct session *s = list_owner(it, struct session, in_all);
		if (mysql_number(s) == id && s->door == &mysql_door && s->is_in)
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
		fault_mysql(&f, ER_NOT_ITS_OWNER, "HY000");
		mysql_tell(&c->s, &f, false);
		return true;
	}
	log_info(&s->log, "%s by C-0x%llx (%s)", only_query ? "its statement is killed" : "killed",
		 (unsigned long long)c->s.id, c->s.user->name->s);
	fault_set(&f, FAULT_SHUTDOWN, "Query execution was interrupted");
	fault_mysql(&f, ER_QUERY_INTERRUPTED, "70100");
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

/* What a text kills, of clients: by the number of one. */
struct kill {
	uint64_t id;
	bool is_there, only_query;
	bool is_all; /* that the text does */
};

/* Few texts do: this is asked of each. It is the first word of a statement, of one of several or of one within another.
 */
static bool may_kill(struct rd text)
{
	while (rd_left(&text) && *text.p && strchr(" \t\r\n", *text.p))
		text.p++;
	size_t n = rd_left(&text);
	if (!n || n > LOOK_BYTES || !*text.p)
		return false;
	if (!strchr("kKpPeE/-#(", *text.p) && !memchr(text.p, ';', n))
		return false;
	for (const uint8_t *at = text.p; at + 4 <= text.end; at++)
		if ((*at | 0x20) == 'k' && strncasecmp((const char *)at, "kill", 4) == 0)
			return true;
	return false;
}

/* within: of what the text prepares. */
static void read_kill(const char *text, size_t len, unsigned mode, bool within, struct kill *k)
{
	struct my_reader r;
	struct my_stmt st;
	unsigned n = 0;
	char part[KILL_MAX];
	my_read_init(&r, text, len, mode, NULL);
	while (my_read(&r, &st)) {
		uint64_t id;
		n += st.kind != MY_EMPTY;
		if ((st.kind == MY_PREPARE || st.kind == MY_EXECUTE) && st.body.len && !within) {
			int told = my_string_decode(text + st.body.at, st.body.len, mode, part, sizeof part);
			if (told > 0)
				read_kill(part, (size_t)told, mode, true, k);
			n++; /* not at once, that is */
		}
		if (st.kind != MY_KILL || !str_copy_n(part, sizeof part, text + st.name.at, st.name.len) ||
		    !str_to_u64(part, UINT32_MAX, &id) || !session_by_thread(id))
			continue;
		*k = (struct kill){ id, true, (st.flags & MY_QUERY) != 0, false };
	}
	k->is_all = k->is_there && n == 1 && !within;
}

/* What of a command must be there to be understood. False: it is not yet. */
static bool whole(const struct rd *in, uint32_t len, struct rd *body)
{
	if (rd_left(in) < MYSQL_HEADER + (size_t)len)
		return false;
	*body = rd_of(in->p + MYSQL_HEADER + 1, len - 1);
	return true;
}

static enum mysql_command refuse(struct mysql_client *c, uint32_t len, uint8_t seq, const struct fault *f)
{
	if (!mysql_is_quiet(c))
		return MYSQL_COMMAND_WAIT;
	begin_answer(c, seq);
	mysql_tell(&c->s, f, false);
	mysql_skip(c, len);
	return MYSQL_COMMAND_DONE;
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
	fault_mysql(&f, ER_MALFORMED, "HY000");
	return refuse(c, len, seq, &f);
}

/* A statement is at the cursor. Those that name a client are done here, or cannot be. */
static enum mysql_command kill_text(struct mysql_client *c, const struct rd *in, uint32_t len, uint8_t seq)
{
	bool prepares = in->p[MYSQL_HEADER] == MYSQL_COM_STMT_PREPARE;
	struct kill k = { .is_there = false };
	struct rd text;
	struct fault f;
	if (len > LOOK_BYTES || !whole(in, len, &text))
		return MYSQL_COMMAND_PASS; /* it is waited for there, if it is short */
	if ((!prepares && !mysql_read_query(text, c->caps, &text)) || !may_kill(text))
		return MYSQL_COMMAND_PASS;
	if (!mysql_is_quiet(c)) /* which may change how it is read */
		return MYSQL_COMMAND_WAIT;
	read_kill((const char *)text.p, rd_left(&text), mysql_mode(&c->s), false, &k);
	if (!k.is_there)
		return MYSQL_COMMAND_PASS;
	if (k.is_all && !prepares) {
		begin_answer(c, seq);
		(void)kill_thread(c, k.id, k.only_query);
		mysql_skip(c, len);
		return MYSQL_COMMAND_DONE;
	}
	fault_set(&f, FAULT_UNSUP, "KILL of a client is a statement by itself, and not prepared");
	fault_hint(&f, "%llu is the number of a client here, which no server knows.", (unsigned long long)k.id);
	return refuse(c, len, seq, &f);
}

enum mysql_command mysql_own_command(struct mysql_client *c, const struct rd *in, uint32_t len, uint8_t seq)
{
	struct session *s = &c->s;
	struct rd body;
	struct fault f;
	uint64_t id;

	switch (in->p[MYSQL_HEADER]) {
	case MYSQL_COM_PING:
		if (s->state != SESSION_IDLE)
			return MYSQL_COMMAND_PASS;
		begin_answer(c, seq);
		mysql_tell_ok(c);
		mysql_skip(c, len);
		return MYSQL_COMMAND_DONE;
	case MYSQL_COM_RESET_CONNECTION:
		if (len != 1) /* servers would do it all the same, and not be told of here */
			return malformed(c, len, seq);
		if (!mysql_is_quiet(c))
			return MYSQL_COMMAND_WAIT;
		begin_answer(c, seq);
		mysql_skip(c, len);
		return reset(c);
	case MYSQL_COM_CHANGE_USER:
		if (len > MYSQL_HELD_MAX) {
			mysql_protocol_fault(s, "COM_CHANGE_USER that is too long");
			return MYSQL_COMMAND_WAIT;
		}
		if (!whole(in, len, &body) || !mysql_is_quiet(c))
			return MYSQL_COMMAND_WAIT;
		begin_answer(c, seq);
		mysql_skip(c, len);
		mysql_statements_leave(c);
		mysql_change_user(s, body);
		return MYSQL_COMMAND_DONE;
	case MYSQL_COM_PROCESS_KILL:
		if (len != 5)
			return malformed(c, len, seq);
		if (!whole(in, len, &body) || !mysql_is_quiet(c))
			return MYSQL_COMMAND_WAIT;
		id = rd_u32le(&body);
		begin_answer(c, seq);
		if (body.bad || !kill_thread(c, id, false))
			return MYSQL_COMMAND_PASS;
		mysql_skip(c, len);
		return MYSQL_COMMAND_DONE;
	case MYSQL_COM_QUERY:
	case MYSQL_COM_STMT_PREPARE:
		return kill_text(c, in, len, seq);
	case MYSQL_COM_BINLOG_DUMP:
	case MYSQL_COM_BINLOG_DUMP_GTID:
	case MYSQL_COM_REGISTER_SLAVE:
		if (s->mode == POOL_SESSION)
			return MYSQL_COMMAND_PASS;
		fault_set(&f, FAULT_UNSUP, "a replica needs a server of its own, and this database's are shared");
		fault_hint(&f, "It can be had with pool_mode = session, or from the server itself.");
		return refuse(c, len, seq, &f);
	default:
		if (is_known(in->p[MYSQL_HEADER]))
			return MYSQL_COMMAND_PASS;
		fault_set(&f, FAULT_UNSUP, "Unknown command");
		fault_mysql(&f, ER_UNKNOWN_COMMAND, "08S01");
		return refuse(c, len, seq, &f);
	}
}
