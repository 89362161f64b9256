/* test_my_property.c - whatever many clients of the mysql door say, in whatever order, each hears what it would hear
 * from a server of its own.
 *
 * Random scripts are said by clients that exist twice, through Sluice over few servers and straight at the server, each
 * in a schema of its own, and all that they hear is compared. One that differs is cut down to what still differs, and
 * printed. In the environment, as in test_property.c: PROPERTY_SEED, PROPERTY_STEPS, PROPERTY_FOR, PROPERTY_SCRIPT;
 * PROPERTY_KIND: few (servers, and nothing that pins), pins, session (pooling); PROPERTY_STRAIGHT: both are straight at
 * the server, which shows what differs by itself.
 *
 * PROPERTY_MORE: says what these words stand for, and not what is said otherwise: see features.
 *
 * A step is a line: the client's number, then what it does, in this order and without waiting:
 *
 *   Q "text"                 COM_QUERY; $DB is its schema, $ID its number
 *   P name "text"            COM_STMT_PREPARE; whatever uses the name waits for its answer
 *   E name (value,...) [c]   COM_STMT_EXECUTE, with types; c: with a cursor. A name - is the one prepared last
 *   e name (value,...)       the same, the types not told again
 *   F name rows              COM_STMT_FETCH
 *   L name param "data"      COM_STMT_SEND_LONG_DATA
 *   X name   Z name          COM_STMT_CLOSE, COM_STMT_RESET
 *   D "schema"  U user       COM_INIT_DB; COM_CHANGE_USER, to its own schema
 *   C  G  S  O n             COM_RESET_CONNECTION, COM_PING, COM_STATISTICS, COM_SET_OPTION
 *   w                        waits for all that is due so far
 *   R  T                     breaks its connection off, or ends it, and makes a new one; both stand alone
 *   &                        at the end: the next step does not wait for this one */
#include "harness_my.h"
#include "mysqlraw.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	STRAIGHT,
	THROUGH,
	SIDES = 2,
	CLIENTS = 6,
	NAMES = 4,
	SEEDS = 6,
	STEPS = 500,
	LINE_BYTES = 2048,
	SHRINK_MS = 60000
};

enum verdict { FINE, DIFFER, STUCK };

struct conf_of_it {
	unsigned clients, pool;
	unsigned kept; /* max_prepared_statements */
	bool session;
};

struct twin {
	struct myraw side[SIDES];
	uint32_t ids[SIDES][NAMES + 1]; /* of its statements; 0: none */
	char line[LINE_BYTES];
	const char *rest; /* of the step under way: what is not said yet */
	bool busy;
	int preparing; /* the name that is prepared; -1: none */
};

/* Of what not all may be true. */
enum {
	NUMBER = 1,     /* CONNECTION_ID() is the number that the greeting told */
	PREPARED = 2,   /* prepared statements of more clients than there are servers */
	USER = 4,       /* COM_CHANGE_USER, COM_RESET_CONNECTION */
	ISOLATION = 32, /* the isolation level of a session follows it */
	OPTION = 16,    /* COM_SET_OPTION */
	UNTOLD = 8,     /* what no server tells: GET_LOCK(), LAST_INSERT_ID(), FOUND_ROWS(), warnings */
};
static const struct {
	const char *word;
	unsigned bit;
} features[] = {
	{ "number", NUMBER }, { "prepared", PREPARED }, { "user", USER },
	{ "untold", UNTOLD }, { "option", OPTION },     { "isolation", ISOLATION },
};
static unsigned more;

static const char *const schema_of[SIDES] = { "db_straight", "db_through_" }; /* of one length: lengths are heard */
static struct twin twins[CLIENTS];
static struct conf_of_it conf;
static char *story;
static bool is_straight; /* PROPERTY_STRAIGHT */

/* ------------------------------------------------------------------------------------------------ the story */

/* What two sides must say differently, said alike: their schemas, and in errors the numbers of statements. The caller's
 * to free. */
static char *alike(const char *line)
{
	bool is_error = strncmp(line, "error", 5) == 0;
	char *out = strdup(line), *at, *to;
	require("memory", out != NULL);
	while ((at = strstr(out, schema_of[THROUGH])))
		memcpy(at, schema_of[STRAIGHT], strlen(schema_of[STRAIGHT]));
	for (at = to = out; *at; at++) {
		*to++ = *at;
		size_t digits = is_error && *at == '(' ? strspn(at + 1, "0123456789") : 0;
		if (digits && at[digits + 1] == ')')
			at += digits;
		/* MariaDB counts rows of the statement before. */
		if (is_error && strncmp(at, " row ", 5) == 0 && at[5])
			at[5] = '1';
	}
	*to = 0;
	return out;
}

static bool same_line(const char *a, const char *b)
{
	char *one = alike(a), *two = alike(b);
	bool same = strcmp(one, two) == 0;
	free(one);
	free(two);
	return same;
}

static enum verdict tell(enum verdict v, const struct twin *t, const char *what)
{
	size_t n;
	free(story);
	story = NULL;
	FILE *f = open_memstream(&story, &n);
	require("memory", f != NULL);
	fprintf(f, "%s\nstep: %s\n", what, t->line);
	const struct myraw *one = &t->side[STRAIGHT], *two = &t->side[THROUGH];
	for (size_t i = 0; i < one->nheard || i < two->nheard; i++) {
		const char *a = i < one->nheard ? one->heard[i].line : "(nothing)",
			   *b = i < two->nheard ? two->heard[i].line : "(nothing)";
		if (same_line(a, b))
			fprintf(f, "    both      %s\n", a);
		else
			fprintf(f, "    straight  %s\n    through   %s\n", a, b);
	}
	fprintf(f, "    straight: %u due, %s; through: %u due, %s\n", one->ndue, one->closed ? "closed" : "open",
		two->ndue, two->closed ? "closed" : "open");
	fclose(f);
	return v;
}

/* ------------------------------------------------------------------------------------------------ saying */

static bool next_word(const char **at, char *out, size_t size)
{
	const char *s = *at + strspn(*at, " ");
	bool quoted = *s == '"';
	size_t n = 0;
	if (!*s)
		return false;
	for (s += quoted; *s && *s != (quoted ? '"' : ' ') && n < size - 1; s++)
		out[n++] = *s;
	out[n] = 0;
	*at = s + (quoted && *s);
	return true;
}

/* Its text, with @N, $DB and $ID replaced. */
static void add_text(struct pgraw_bytes *b, const char *s, int side, uint32_t thread)
{
	char word[16];
	for (; *s; s++) {
		if (strncmp(s, "$DB", 3) == 0) {
			pgraw_add(b, schema_of[side], strlen(schema_of[side]));
			s += 2;
		} else if (strncmp(s, "$ID", 3) == 0) {
			pgraw_add(b, word, (size_t)snprintf(word, sizeof word, "%u", thread));
			s += 2;
		} else if (*s == '@' && s[1] >= '1' && s[1] <= '9') {
			char *end;
			for (size_t n = strtoul(s + 1, &end, 10); n > 0; n--)
				pgraw_add(b, "x", 1);
			s = end - 1;
		} else {
			pgraw_add(b, s, 1);
		}
	}
}

static unsigned name_number(const char *word)
{
	return *word == '-' ? 0 : (unsigned)(word[1] - '0') % (NAMES + 1);
}

static void add_values(struct pgraw_bytes *b, const char *word, bool types)
{
	char copy[LINE_BYTES], *save = NULL, *value[16];
	unsigned n = 0;
	snprintf(copy, sizeof copy, "%.*s", (int)strcspn(word + 1, ")"), word + 1);
	for (char *w = strtok_r(copy, ",", &save); w && n < COUNT(value); w = strtok_r(NULL, ",", &save))
		value[n++] = w;
	if (n == 0)
		return;
	uint8_t null[2] = { 0 };
	for (unsigned i = 0; i < n; i++)
		if (strcmp(value[i], "null") == 0)
			null[i / 8] |= (uint8_t)(1 << i % 8);
	pgraw_add(b, null, (n + 7) / 8);
	uint8_t bound = types;
	pgraw_add(b, &bound, 1);
	for (unsigned i = 0; i < n && types; i++)
		myraw_add_u16(b, value[i][0] >= '0' && value[i][0] <= '9' ? 3 : 253);
	for (unsigned i = 0; i < n; i++) {
		if (value[i][0] >= '0' && value[i][0] <= '9') {
			myraw_add_u32(b, (uint32_t)strtoul(value[i], NULL, 10));
		} else if (strcmp(value[i], "null") != 0 && strcmp(value[i], "long") != 0) {
			myraw_add_lenenc(b, strlen(value[i]));
			pgraw_add(b, value[i], strlen(value[i]));
		}
	}
}

/* One command for one side. False: no such word. */
static bool add_op(struct pgraw_bytes *b, struct twin *t, int side, const char *op, const char **at)
{
	static const struct {
		char op;
		uint8_t command;
	} simple[] = { { 'C', MY_RESET_CONNECTION }, { 'G', MY_PING }, { 'S', MY_STATISTICS } };
	char word[LINE_BYTES], second[LINE_BYTES];
	struct myraw *r = &t->side[side];
	size_t begun;
	for (size_t i = 0; i < COUNT(simple); i++)
		if (*op == simple[i].op) {
			begun = myraw_begin(b, simple[i].command);
			myraw_end(b, begun);
			return true;
		}
	if (!next_word(at, word, sizeof word))
		return false;
	uint32_t id = strchr("EeFLXZ", *op) ? (*word == '-' ? UINT32_MAX : t->ids[side][name_number(word)]) : 0;
	switch (*op) {
	case 'Q':
		begun = myraw_begin(b, MY_QUERY);
		add_text(b, word, side, r->thread);
		break;
	case 'P':
		begun = myraw_begin(b, MY_STMT_PREPARE);
		t->preparing = (int)name_number(word);
		if (!next_word(at, second, sizeof second))
			return false;
		add_text(b, second, side, r->thread);
		break;
	case 'E':
	case 'e': {
		if (!next_word(at, second, sizeof second))
			return false;
		const char *peek = *at + strspn(*at, " ");
		bool cursor = peek[0] == 'c' && (peek[1] == ' ' || !peek[1]);
		if (cursor)
			(void)next_word(at, word, sizeof word);
		begun = myraw_begin(b, MY_STMT_EXECUTE);
		myraw_add_u32(b, id);
		pgraw_add(b, cursor ? "\1\1\0\0" : "\0\1\0\0", 4);
		pgraw_add(b, "", 1);
		add_values(b, second, *op == 'E');
		break;
	}
	case 'F':
		if (!next_word(at, second, sizeof second))
			return false;
		begun = myraw_begin(b, MY_STMT_FETCH);
		myraw_add_u32(b, id);
		myraw_add_u32(b, (uint32_t)strtoul(second, NULL, 10));
		break;
	case 'L':
		begun = myraw_begin(b, MY_STMT_SEND_LONG_DATA);
		myraw_add_u32(b, id);
		if (!next_word(at, second, sizeof second))
			return false;
		myraw_add_u16(b, (unsigned)strtoul(second, NULL, 10));
		if (!next_word(at, second, sizeof second))
			return false;
		add_text(b, second, side, r->thread);
		break;
	case 'X':
	case 'Z':
		begun = myraw_begin(b, *op == 'X' ? MY_STMT_CLOSE : MY_STMT_RESET);
		myraw_add_u32(b, id);
		break;
	case 'D':
		begun = myraw_begin(b, MY_INIT_DB);
		add_text(b, word, side, r->thread);
		break;
	case 'O':
		begun = myraw_begin(b, MY_SET_OPTION);
		myraw_add_u16(b, (unsigned)strtoul(word, NULL, 10));
		break;
	case 'U':
		begun = myraw_begin(b, MY_CHANGE_USER);
		snprintf(r->password, sizeof r->password, "%.20s-secret", word);
		pgraw_add_cstr(b, word);
		pgraw_add(b, "", 1); /* no proof: the server asks for it */
		pgraw_add_cstr(b, schema_of[side]);
		myraw_add_u16(b, 45);
		pgraw_add_cstr(b, r->plugin);
		break;
	default:
		return false;
	}
	myraw_end(b, begun);
	return true;
}

static uint32_t caps_of(unsigned client)
{
	static const uint32_t caps[] = { MY_USUAL, MY_USUAL | MY_DEPRECATE_EOF, MY_USUAL | MY_FOUND_ROWS,
					 MY_USUAL | MY_DEPRECATE_EOF | MY_SESSION_TRACK };
	return caps[client % COUNT(caps)];
}

static bool let_in(struct twin *t)
{
	unsigned n = (unsigned)(t - twins);
	memset(t->ids, 0, sizeof t->ids);
	t->preparing = -1;
	for (int i = 0; i < SIDES; i++) {
		if (!myraw_open(&t->side[i], i == STRAIGHT || is_straight ? my_port() : sluice_my_port(), "alice",
				"alice-secret", schema_of[i], caps_of(n)))
			return false;
		/* MariaDB's FOUND_ROWS() begins with what its thread had before: who asks has asked something else. */
		if (conf.pool > CLIENTS && (!myraw_query(&t->side[i], "select 1") || !myraw_wait(&t->side[i])))
			return false;
		myraw_forget(&t->side[i]);
	}
	return true;
}

static bool is_due(const struct twin *t)
{
	return t->side[STRAIGHT].ndue || t->side[THROUGH].ndue;
}

/* Says what is left of the step, up to where it waits. */
static bool say_more(struct twin *t)
{
	struct pgraw_bytes b[SIDES] = { 0 };
	char op[LINE_BYTES];
	const char *then = t->rest;
	bool ok = true, stop = false;
	while (ok && !stop && next_word(&then, op, sizeof op)) {
		const char *from = then;
		if (*op == 'w') {
			stop = true;
		} else if (*op != '&') {
			for (int side = 0; side < SIDES && ok; side++) {
				then = from;
				ok = add_op(&b[side], t, side, op, &then);
			}
			const char *peek = then + strspn(then, " ");
			/* The number of what is prepared has to be known, but for MariaDB's "the last one". */
			stop = *op == 'U' || (*op == 'P' && (strncmp(peek, "E -", 3) != 0 || my_is_mysql()));
		}
		t->rest = then;
	}
	for (int side = 0; side < SIDES; side++) {
		(void)myraw_send(&t->side[side], &b[side]); /* if it fails, that is heard */
		free(b[side].p);
	}
	return ok;
}

/* ------------------------------------------------------------------------------------------------ hearing */

/* Does it keep a server, though nothing is under way? */
static bool holds(const struct twin *t)
{
	unsigned status = t->side[STRAIGHT].status;
	return (status & MY_STATUS_IN_TRANS) || !(status & MY_STATUS_AUTOCOMMIT) || (status & MY_STATUS_CURSOR);
}

static bool is_starved(void)
{
	unsigned held = 0;
	if (conf.session)
		return false;
	for (unsigned i = 0; i < conf.clients; i++)
		held += !twins[i].busy && holds(&twins[i]);
	return held >= conf.pool;
}

static enum verdict compare(struct twin *t)
{
	struct myraw *one = &t->side[STRAIGHT], *two = &t->side[THROUGH];
	size_t n = one->nheard < two->nheard ? one->nheard : two->nheard;
	for (size_t i = 0; i < n; i++)
		if (!same_line(one->heard[i].line, two->heard[i].line))
			return tell(DIFFER, t, "the answers differ");
	if (two->nonsense || one->nonsense)
		return tell(DIFFER, t, two->nonsense ? "Sluice speaks nonsense" : "the server speaks nonsense");
	if (one->closed != two->closed && !is_due(t))
		return tell(DIFFER, t, "one has closed");
	if (two->closed && two->ndue)
		return tell(DIFFER, t, "Sluice has closed");
	if (is_due(t))
		return FINE;
	if (one->nheard != two->nheard)
		return tell(DIFFER, t, "one says more");
	if (t->preparing >= 0) {
		for (int i = 0; i < SIDES; i++) {
			bool bad = t->side[i].nheard &&
				   strncmp(t->side[i].heard[t->side[i].nheard - 1].line, "error", 5) == 0;
			t->ids[i][t->preparing] = bad ? 0 : t->side[i].statement;
		}
		t->preparing = -1;
	}
	if (!t->rest[strspn(t->rest, " &")]) {
		t->busy = false;
		for (int i = 0; i < SIDES; i++)
			myraw_forget(&t->side[i]);
		return FINE;
	}
	if (!say_more(t))
		return tell(DIFFER, t, "no such step");
	return is_due(t) ? FINE : compare(t);
}

static enum verdict hear(int ms, bool *any)
{
	struct pollfd p[CLIENTS * SIDES];
	for (unsigned i = 0; i < conf.clients * SIDES; i++)
		p[i] = (struct pollfd){ twins[i / SIDES].side[i % SIDES].fd, POLLIN, 0 };
	*any = poll(p, conf.clients * SIDES, ms) > 0;
	for (unsigned i = 0; i < conf.clients && *any; i++) {
		struct twin *t = &twins[i];
		if (!p[i * SIDES].revents && !p[i * SIDES + 1].revents)
			continue;
		for (int k = 0; k < SIDES; k++)
			if (p[i * SIDES + (unsigned)k].revents)
				(void)myraw_read(&t->side[k]);
		if (!t->busy && (t->side[0].nheard || t->side[1].nheard || t->side[0].closed || t->side[1].closed))
			return tell(DIFFER, t, "something that nobody asked for");
		enum verdict v = t->busy ? compare(t) : FINE;
		if (v != FINE)
			return v;
	}
	return FINE;
}

/* Waits for whatever can be answered; for one client, or for all (NULL). */
static enum verdict settle(const struct twin *only)
{
	uint64_t until = now_ms() + PATIENCE_MS;
	for (;;) {
		struct twin *waiting = NULL;
		for (unsigned i = 0; i < conf.clients; i++)
			if (twins[i].busy && (!only || only == &twins[i]) &&
			    (twins[i].side[STRAIGHT].ndue || !is_starved()))
				waiting = &twins[i];
		bool any;
		enum verdict v = hear(waiting ? 100 : 0, &any);
		if (v != FINE || (!waiting && !any))
			return v;
		if (waiting && now_ms() > until) {
			if (!is_straight)
				fprintf(stderr, "\nSHOW CLIENTS: %s\n", my_all(my_console(), "show clients"));
			return tell(STUCK, waiting, "an answer does not come");
		}
	}
}

static enum verdict say(const char *line)
{
	char *rest;
	unsigned n = (unsigned)strtoul(line, &rest, 10);
	struct twin *t = &twins[n % conf.clients];
	enum verdict v = FINE;
	if (t->busy && (v = settle(t)) != FINE)
		return v;
	if (t->busy) /* waits for a server that others keep */
		return FINE;
	snprintf(t->line, sizeof t->line, "%s", line);
	t->rest = t->line + (rest - line);
	rest += strspn(rest, " ");
	if (*rest == 'R' || *rest == 'T') {
		for (int i = 0; i < SIDES; i++)
			myraw_close(&t->side[i], *rest == 'T');
		if (let_in(t))
			return FINE;
		return tell(DIFFER, t, "it is not let in again");
	}
	t->busy = true;
	if (!say_more(t))
		return tell(DIFFER, t, "no such step");
	if (!is_due(t) && (v = compare(t)) != FINE)
		return v;
	return strchr(line, '&') ? FINE : settle(t);
}

static bool open_all(const struct conf_of_it *c)
{
	conf = *c;
	is_straight = getenv("PROPERTY_STRAIGHT") != NULL;
	if (!is_straight)
		sluice_start(&(struct conf){
			.databases = "* = kind=mysql @MY@",
			.settings = text("pool_mode = %s\ndefault_pool_size = %u\nmax_prepared_statements = %u",
					 c->session ? "session" : "transaction", c->session ? 20 : c->pool, c->kept) });
	for (int side = 0; side < SIDES; side++) {
		my_sql("drop database if exists %s; create database %s; grant all on %s.* to bob", schema_of[side],
		       schema_of[side], schema_of[side]);
		for (unsigned i = 0; i < c->clients; i++)
			my_sql("create table %s.own%u (id int auto_increment primary key, n int, s varchar(100)) engine=innodb; "
			       "create procedure %s.p%u(a int) begin select a; insert into own%u (n) values (a); select a + 1, 'x'; end",
			       schema_of[side], i, schema_of[side], i, i);
		my_sql("create procedure %s.sets(a int) set @user = a, time_zone = '+07:00'", schema_of[side]);
		my_sql("create procedure %s.fails() signal sqlstate '45000' set message_text = 'it fails'",
		       schema_of[side]);
	}
	for (unsigned i = 0; i < c->clients; i++)
		if (!let_in(&twins[i])) {
			snprintf(twins[i].line, sizeof twins[i].line, "%u (its login)", i);
			(void)tell(DIFFER, &twins[i], "it is not let in");
			return false;
		}
	return true;
}

static void close_all(void)
{
	for (unsigned i = 0; i < conf.clients; i++)
		for (int k = 0; k < SIDES; k++)
			myraw_close(&twins[i].side[k], true);
	memset(twins, 0, sizeof twins);
	sluice_stop();
}

#define SETTINGS                                                                                                           \
	"select @@autocommit, @@sql_mode, @@time_zone, @@character_set_client, @@collation_connection, "                   \
	"@@character_set_results, @@sql_select_limit, @@group_concat_max_len, @@foreign_key_checks, @@lock_wait_timeout, " \
	"database(), current_user()"

/* All end what they are in, and show their settings. */
static enum verdict finish(void)
{
	enum verdict v = settle(NULL);
	for (int turn = 0; turn < 3; turn++)
		for (unsigned i = 0; i < conf.clients && v == FINE; i++)
			if (!twins[i].busy)
				v = say(text("%u Q \"%s\"", i,
					     turn == 0   ? "rollback"
					     : turn == 1 ? "set autocommit = 1"
							 : SETTINGS));
	if (v == FINE)
		v = settle(NULL);
	return v;
}

/* ------------------------------------------------------------------------------------------------ a client's mind */

struct mind {
	uint64_t luck;
	unsigned number;
	bool pins;              /* says also what keeps its server */
	int text_of[NAMES + 1]; /* what it prepared under this name; -1: none */
	bool typed[NAMES + 1];  /* the types are known */
	bool had_cursor[NAMES + 1];
	char line[LINE_BYTES];
	size_t n;
};

static const struct {
	const char *sql;
	unsigned params;
	bool pins;
} texts[] = {
	{ "select 1", 0, false },
	{ "select ? + 1", 1, false },
	{ "select ?, concat(?, 'x') as y", 2, false },
	{ "select 'client %u'", 0, false },
	{ "insert into own%u (n, s) values (?, ?)", 2, false },
	{ "insert into own%u (n) values (7)", 0, false },
	{ "select id, n, s from own%u order by id desc limit 5", 0, false },
	{ "select count(*), sum(n) from own%u", 0, false },
	{ "update own%u set n = n + 1 where id < ?", 1, false },
	{ "delete from own%u where n = ?", 1, false },
	{ "begin", 0, false },
	{ "commit", 0, false },
	{ "selec", 0, false },
	{ "select * from nowhere", 0, false },
	{ "select @@time_zone, @@sql_mode", 0, false },
	{ "set time_zone = '+0%u:00'", 0, false },
	{ "select length('@3000'), ?", 1, false },
	{ "do 1", 0, false },
	{ "call p%u(?)", 1, false },
	{ "set @user = ?", 1, true },
	{ "select cast(@user as char(20)) as u", 0, true }, /* how long a variable is depends on who mentioned it */
	{ "select last_insert_id()", 0, true },
};

static unsigned pick(struct mind *m, unsigned n)
{
	return (unsigned)(chance(&m->luck) % n);
}

static bool often(struct mind *m, unsigned percent)
{
	return pick(m, 100) < percent;
}

static void add(struct mind *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct mind *m, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(m->line + m->n, sizeof m->line - m->n, fmt, ap);
	va_end(ap);
	m->n += n > 0 && (size_t)n < sizeof m->line - m->n ? (size_t)n : 0;
	m->line[m->n] = 0;
}

static void prepare(struct mind *m)
{
	unsigned name = 1 + pick(m, NAMES), i = pick(m, COUNT(texts));
	if ((texts[i].pins && !m->pins) || (strstr(texts[i].sql, "last_insert") && !(more & UNTOLD)))
		i = 1;
	if (m->text_of[name] >= 0)
		add(m, " X s%u", name);
	add(m, " P s%u \"", name);
	add(m, texts[i].sql, m->number); /* NOLINT: the formats are those above */
	add(m, "\"");
	m->text_of[name] = (int)i;
	m->typed[name] = m->had_cursor[name] = false;
}

static void execute(struct mind *m)
{
	static const char *const values[] = { "0", "1", "42", "null", "abc", "12" };
	unsigned name = 1 + pick(m, NAMES);
	int i = m->text_of[name];
	if (i < 0 && often(m, 80)) {
		prepare(m);
		return;
	}
	if (i >= 0 && strstr(texts[i].sql, "nowhere"))
		i = -1;
	unsigned n = i < 0 ? 0 : texts[i].params;
	/* A procedure that fails pins. */
	bool is_safe = !m->pins && i >= 0 && strstr(texts[i].sql, "call");
	/* MySQL 9 answers nonsense to who asks for none, once there was one. */
	bool cursor = m->pins && i == 6 && (often(m, 30) || (my_is_mysql() && m->had_cursor[name]));
	m->had_cursor[name] |= cursor;
	bool is_again = m->typed[name] && n && often(m, 30), is_long = m->pins && n == 2 && !is_again && often(m, 20);
	is_long &= my_is_mysql(); /* MariaDB takes it for the number that was bound before */
	if (is_long)
		for (unsigned k = 1 + pick(m, 3); k > 0; k--)
			add(m, " L s%u 1 \"@%u\"", name, 1 + pick(m, 40));
	add(m, " %c s%u (", is_again ? 'e' : 'E', name);
	for (unsigned k = 0; k < n; k++)
		/* Without types: those of the first time, which were numbers. */
		add(m, "%s%s", k ? "," : "",
		    is_long && k == 1                      ? "long"
		    : is_again || is_safe || !often(m, 20) ? values[pick(m, 3)]
							   : values[pick(m, 6)]);
	m->typed[name] = false;
	add(m, ")%s", cursor ? " c" : "");
	if (cursor)
		for (unsigned k = 1 + pick(m, 3); k > 0; k--)
			add(m, " w F s%u %u", name, 1 + pick(m, 3));
	if (often(m, 5))
		add(m, " Z s%u", name);
}

static void query(struct mind *m, const char *const *from, unsigned n)
{
	static const char *const untold[] = { "_lock(",   "last_insert", "row_count", "found_rows",
					      "warnings", "lock tables", NULL };
	const char *fmt = from[pick(m, n)];
	bool is_left_out = (strstr(fmt, "$ID") && !(more & NUMBER)) ||
			   (strstr(fmt, "session transaction") && !(more & ISOLATION || m->pins)) ||
			   /* For the next transaction: that pins; a procedure fails in it, too. */
			   (strstr(fmt, "set transaction") && !m->pins) || (strstr(fmt, "read only") && !m->pins);
	for (size_t i = 0; untold[i]; i++)
		is_left_out |= strstr(fmt, untold[i]) && !(more & UNTOLD);
	if (is_left_out)
		fmt = "select 'left out'";
	add(m, " Q \"");
	add(m, fmt, m->number, m->number); /* NOLINT: the formats are those of think() */
	add(m, "\"");
}

static const char *think(struct mind *m)
{
	static const char *const queries[] = {
		"select 1",
		"select 'query %u'",
		"select 1; select 2, 'b'; do 3",
		"insert into own%u (n, s) values (1, 'one')",
		"insert into own%u (n) values (2); selec",
		"selec; select 2",
		"select id, n, s from own%u order by id desc limit 3",
		"select count(*), sum(n) from own%u; select count(*) from own%u",
		"update own%u set s = 'changed' where n = 1",
		"delete from own%u where n = 1",
		"selec",
		"",
		"select * from nowhere",
		"begin",
		"start transaction read only",
		"begin; insert into own%u (n) values (3)",
		"commit",
		"commit and chain",
		"rollback",
		"savepoint a",
		"rollback to a",
		"call p%u(7)",
		"select repeat('x', 70000)",
		"select connection_id() = $ID as mine",
		"select database(), schema()",
		"create table if not exists more%u (n int)",
		"drop table if exists more%u",
		"show tables like 'own%u'",
		"/* a comment */ select 5 -- and more",
		"select * from own%u where n = 99",
		"insert into own%u (n, s) values (last_insert_id(), left('@70000', 3))",
		"select last_insert_id(), length('@70000')",
		"select n, length('@70000') from own%u order by id desc limit 2",
		"do last_insert_id(1%u)",
		"select last_insert_id(2%u)",
		"update own%u set n = last_insert_id(n + 1) where n = 1",
		"delete from own%u where n = 4 and last_insert_id(5)",
	};
	static const char *const settings[] = {
		"set time_zone = '+0%u:00'",
		"set session sql_mode = 'ANSI_QUOTES'",
		"set sql_mode = 'NO_BACKSLASH_ESCAPES,STRICT_TRANS_TABLES'",
		"set sql_mode = default",
		"set names latin1",
		"set names utf8mb4 collate utf8mb4_bin",
		"set character_set_results = null",
		"set @@session.sql_select_limit = 2",
		"set sql_select_limit = default",
		"set group_concat_max_len = 10%u, foreign_key_checks = 0",
		"set foreign_key_checks = 1",
		"set autocommit = 0",
		"set autocommit = 1",
		"set session transaction isolation level serializable",
		"set session transaction isolation level repeatable read",
		"set transaction isolation level read committed",
		"set lock_wait_timeout = 10%u",
		"set time_zone = 'nowhere'",
		"use db_nowhere",
		"use $DB",
		SETTINGS,
		SETTINGS,
		SETTINGS,
	};
	static const char *const pinning[] = {
		"set @user = 'user %u'",
		"select cast(@user as char(20)) as u",
		"select @user := 4, @other is null",
		"create temporary table if not exists tt (n int)",
		"insert into tt values (1), (2)",
		"select sum(n) from tt",
		"drop temporary table if exists tt",
		"select get_lock('$DB%u', 0)",
		"select release_lock('$DB%u')",
		"select is_free_lock('$DB%u')",
		"select last_insert_id()",
		"select row_count()",
		"select sql_calc_found_rows id from own%u limit 1",
		"select found_rows()",
		/* MariaDB's warnings outlive statements that use no table. */
		"select count(*) from own%u; show warnings",
		"select 1 / 0, cast('x' as signed)\" Q \"show warnings",
		"select count(*) from own%u\" Q \"show count(*) warnings",
		"insert into own%u (id) values ('x')\" Q \"show errors",
		"select 1 / 0, cast('x' as signed)\" w Q \"select @@warning_count",
		"call sets(%u)",
		"prepare ps from 'select ?, %u'",
		"set @a = 1; execute ps using @a",
		"deallocate prepare ps",
		"lock tables own%u write",
		"unlock tables",
		/* Where rows end as before 5.7.5 that says with each statement that something has changed. */
		"set session_track_transaction_info = 'STATE'",
		"set session_track_transaction_info = default",
		"select @@session_track_transaction_info",
		"call fails()",
		"select get_lock('$DB%u', 0), (select 1 union select 2)",
		"select @user := 5, (select 1 union select 2)",
		"select get_lock('$DB%u', 0), length('@70000')",
		"select @user := length('@70000')",
		"set @user = length('@70000')",
		"select sql_calc_found_rows id from own%u where '@70000' <> '' limit 1",
		"set @@transaction_read_only = 1",
		"set @@tx_read_only = 1",
		"set sql_auto_is_null = 1",
		"set sql_auto_is_null = 0",
		"select n from own%u where id is null",
		/* MariaDB's. */
		"set statement sql_select_limit = 1 for select id from own%u",
		"set sql_select_limit = 3; set statement sql_select_limit = 1 for select id from own%u",
		"set statement time_zone = '+01:00' for call sets(%u)",
	};
	bool may_prepare = more & PREPARED || conf.pool > CLIENTS;
	m->n = 0;
	add(m, "%u", m->number);
	if (holds(&twins[m->number]) && often(m, 20)) {
		add(m, " Q \"%s\"", often(m, 40) ? "commit" : often(m, 50) ? "rollback" : "set autocommit = 1");
		return m->line;
	}
	for (unsigned k = often(m, 70) ? 1 : 1 + pick(m, 4); k > 0 && m->n < LINE_BYTES / 2; k--) {
		if (often(m, 25))
			query(m, queries, COUNT(queries));
		else if (may_prepare && often(m, 30))
			prepare(m);
		else if (may_prepare && often(m, 45))
			execute(m);
		else if (m->pins && often(m, 40))
			query(m, pinning, COUNT(pinning));
		else if (often(m, 60))
			query(m, settings, COUNT(settings));
		else if (often(m, 20))
			add(m, " G");
		else if (often(m, 20))
			add(m, " S");
		else if (often(m, 15))
			add(m, " D \"%s\"", often(m, 80) ? "$DB" : "db_nowhere");
		else if (more & OPTION && often(m, 10))
			add(m, " O %u", pick(m, 2));
		else if (more & USER && often(m, 10)) {
			add(m, often(m, 50) ? " C" : " U %s", often(m, 50) ? "bob" : "alice");
			for (unsigned i = 0; i <= NAMES; i++)
				m->text_of[i] = -1;
			m->typed[0] = false;
			if (strstr(m->line, " U "))
				break;
		} else if (m->n < 3 && often(m, 30)) {
			add(m, often(m, 50) ? " R" : " T");
			for (unsigned i = 0; i <= NAMES; i++)
				m->text_of[i] = -1;
			return m->line;
		} else if (may_prepare && !my_is_mysql() && often(m, 40)) {
			add(m, " P s1 \"select ? + 3\" E - (4)");
			m->text_of[1] = 1;
		} else {
			query(m, queries, COUNT(queries));
		}
	}
	if (often(m, 25))
		add(m, " &");
	return m->line;
}

/* ------------------------------------------------------------------------------------------------ scripts */

struct script {
	struct conf_of_it conf;
	char *lines[20000]; /* kept texts */
	size_t n;
};

static enum verdict script_say(const struct script *s)
{
	enum verdict v = open_all(&s->conf) ? FINE : DIFFER;
	for (size_t i = 0; i < s->n && v == FINE; i++)
		if (s->lines[i])
			v = say(s->lines[i]);
	if (v == FINE)
		v = finish();
	close_all();
	return v;
}

static void cut_down(struct script *s, enum verdict want)
{
	uint64_t until = now_ms() + SHRINK_MS;
	for (size_t n = s->n / 2; n; n /= 2)
		for (size_t from = s->n; from > 0 && now_ms() < until;) {
			char *kept[COUNT(s->lines)];
			from = from > n ? from - n : 0;
			size_t some = from + n < s->n ? n : s->n - from, left = from;
			memcpy(kept, s->lines, sizeof kept);
			memset(s->lines + from, 0, some * sizeof *s->lines);
			alarm(300);
			if (script_say(s) != want) {
				memcpy(s->lines, kept, sizeof kept);
				continue;
			}
			for (size_t i = from; i < s->n; i++)
				if (s->lines[i])
					s->lines[left++] = s->lines[i];
			s->n = left;
		}
}

static void script_print(const struct script *s)
{
	enum { SHOWN = 200 };
	fprintf(stderr, "# %u clients, %u servers, max_prepared_statements = %u%s\n", s->conf.clients, s->conf.pool,
		s->conf.kept, s->conf.session ? ", session pooling" : "");
	for (size_t i = s->n > SHOWN ? s->n - SHOWN : 0; i < s->n; i++)
		fprintf(stderr, "%s\n", s->lines[i]);
}

static void script_read(struct script *s, const char *all)
{
	char *copy = text("%s", all), *line;
	s->n = 0;
	s->conf = (struct conf_of_it){ .clients = 4, .pool = 2, .kept = 3 };
	while ((line = strsep(&copy, "\n")))
		if (*line == '#') {
			(void)sscanf(line, "# %u clients, %u servers, max_prepared_statements = %u", &s->conf.clients,
				     &s->conf.pool, &s->conf.kept);
			s->conf.session |= strstr(line, "session pooling") != NULL;
		} else if (*line && s->n < COUNT(s->lines)) {
			s->lines[s->n++] = line;
		}
	if (s->conf.clients > CLIENTS)
		s->conf.clients = CLIENTS;
}

/* ------------------------------------------------------------------------------------------------ tests */

static struct script script; /* large */

static unsigned env_number(const char *name, unsigned otherwise)
{
	const char *v = getenv(name);
	return v && *v ? (unsigned)strtoul(v, NULL, 10) : otherwise;
}

static bool one_seed(uint64_t seed, unsigned steps)
{
	uint64_t luck = seed, began = now_ms();
	static const unsigned kept[] = { 1, 3, 200 };
	struct mind minds[CLIENTS] = { 0 };
	struct script *s = &script;
	(void)chance(&luck);
	unsigned kind = (unsigned)(chance(&luck) % 5);
	if (my_is_mysql())
		kind = 4; /* of the others not all that differs is known */
	const char *wanted = getenv("PROPERTY_KIND");
	if (wanted)
		kind = strcmp(wanted, "few") == 0 ? 0 : strcmp(wanted, "pins") == 0 ? 3 : 4;
	s->n = 0;
	s->conf = (struct conf_of_it){ .clients = CLIENTS,
				       .pool = kind < 3 ? 1 + (unsigned)(chance(&luck) % 3) : CLIENTS + 1,
				       .kept = kept[chance(&luck) % COUNT(kept)],
				       .session = kind == 4 };
	for (unsigned i = 0; i < CLIENTS; i++) {
		minds[i] = (struct mind){ .luck = chance(&luck), .number = i, .pins = kind >= 3 };
		for (unsigned k = 0; k <= NAMES; k++)
			minds[i].text_of[k] = -1;
	}
	enum verdict v = open_all(&s->conf) ? FINE : DIFFER;
	for (unsigned step = 0; step < steps && v == FINE; step++) {
		unsigned can[CLIENTS], n = 0;
		for (unsigned i = 0; i < CLIENTS; i++)
			if (!twins[i].busy)
				can[n++] = i;
		if (n == 0 || chance(&luck) % 8 == 0)
			v = settle(NULL);
		if (n == 0 || v != FINE)
			continue;
		unsigned who = can[chance(&luck) % n];
		if (twins[who].busy)
			continue;
		s->lines[s->n] = text("%s", think(&minds[who]));
		v = say(s->lines[s->n++]);
		if (step % 128 == 0)
			alarm(300);
	}
	if (v == FINE)
		v = finish();
	close_all();
	if (v == FINE) {
		printf("(seed %llu: %zu steps, %u servers, %u kept%s, %llu ms) ", (unsigned long long)seed, s->n,
		       s->conf.pool, s->conf.kept, s->conf.session ? ", session" : "",
		       (unsigned long long)(now_ms() - began));
		return true;
	}
	fprintf(stderr, "\nseed %llu, after %zu steps: %s\n", (unsigned long long)seed, s->n, story);
	cut_down(s, v);
	fprintf(stderr, "in short:\n");
	script_print(s);
	if (script_say(s) != FINE)
		fprintf(stderr, "%s\n", story);
	else
		fprintf(stderr, "(this once it went well)\n");
	return false;
}

static void test_property(void)
{
	unsigned steps = env_number("PROPERTY_STEPS", STEPS), seconds = env_number("PROPERTY_FOR", 0);
	uint64_t seed = env_number("PROPERTY_SEED", 0), until = now_ms() + seconds * 1000ull;
	if (steps > COUNT(script.lines))
		steps = COUNT(script.lines);
	if (!seconds) {
		for (uint64_t i = seed ? seed : 1, n = seed ? 1 : SEEDS; n > 0; n--, i++)
			check(text("seed %llu", (unsigned long long)i), one_seed(i, steps));
		return;
	}
	if (!seed) {
		struct timespec now;
		clock_gettime(CLOCK_REALTIME, &now);
		seed = ((uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 20) % 1000000000;
	}
	while (now_ms() < until && check(text("seed %llu", (unsigned long long)seed), one_seed(seed, steps)))
		seed++;
}

static void test_script(void)
{
	const char *path = getenv("PROPERTY_SCRIPT");
	script_read(&script, file_text(path ? path : ""));
	check("the script", script_say(&script) == FINE);
	fprintf(stderr, "%s\n", story ? story : "");
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "property", test_property },
		{ NULL, NULL },
	};
	static const struct unit_test one[] = {
		{ "script", test_script },
		{ NULL, NULL },
	};
	const char *words = getenv("PROPERTY_MORE");
	more = words ? 0 : NUMBER | PREPARED | ISOLATION | OPTION | UNTOLD;
	for (size_t i = 0; i < COUNT(features); i++)
		more |= words && strstr(words, features[i].word) ? features[i].bit : 0;
	return harness_my_main(argc, argv, "my_property", getenv("PROPERTY_SCRIPT") ? one : tests);
}
