/* twins.c - clients that exist twice. PostgreSQL docs, Message Flow. */
#include "twins.h"
#include "harness.h"
#include "pgraw.h"

#include <ctype.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRAIGHT, THROUGH, SIDES = 2, DUE_MAX = 16384, WORD_MAX = 2048, LINE_CAP = 128 << 10 };

static const char *const databases[SIDES] = { "straight", "through" };
static const char *const tracked[] = { "application_name", "client_encoding", "DateStyle",
				       "IntervalStyle",    "TimeZone",        "standard_conforming_strings" };

struct twin {
	struct pgraw side[SIDES];
	char line[LINE_CAP]; /* the step under way */
	const char *rest;        /* of it: what is not said yet */
	bool busy;
	char due[DUE_MAX]; /* what PostgreSQL still owes: the types of what was sent to it */
	unsigned ndue;
	bool skipping;        /* a batch failed, and its Sync was not sent */
	bool in_batch;        /* something was sent behind the last Sync */
	bool in_more;         /* and not only what Sluice may have answered without a server: Parse */
	char was;             /* its status before the step */
	bool held;            /* it had a server before what was said last, and still has it */
	bool cancels, is_odd; /* x, y */
};

static struct twin twins[TWINS_MAX];
static struct twins_conf conf;
static char *story;
static size_t story_len;

/* ------------------------------------------------------------------------------------------------ the story */

static enum twins_verdict tell(enum twins_verdict v, const struct twin *t, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static enum twins_verdict tell(enum twins_verdict v, const struct twin *t, const char *fmt, ...)
{
	va_list ap;
	free(story);
	story = NULL;
	FILE *f = open_memstream(&story, &story_len);
	if (!f)
		abort();
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fputc('\n', f);
	if (t) {
		fprintf(f, "step: %s\n", t->line);
		size_t n[SIDES] = { t->side[STRAIGHT].nheard, t->side[THROUGH].nheard };
		for (size_t i = 0; i < n[STRAIGHT] || i < n[THROUGH]; i++) {
			const char *one = i < n[STRAIGHT] ? t->side[STRAIGHT].heard[i].line : NULL;
			const char *two = i < n[THROUGH] ? t->side[THROUGH].heard[i].line : NULL;
			if (one && two && strcmp(one, two) == 0) {
				fprintf(f, "    both      %s\n", one);
				continue;
			}
			fprintf(f, "    straight  %s\n", one ? one : "(nothing)");
			fprintf(f, "    through   %s\n", two ? two : "(nothing)");
		}
		if (t->ndue)
			fprintf(f, "    due: %.*s\n", (int)t->ndue, t->due);
	}
	fclose(f);
	return v;
}

const char *twins_story(void)
{
	return story ? story : "";
}

/* ------------------------------------------------------------------------------------------------ what is due */

static void due_pop(struct twin *t, unsigned n)
{
	memmove(t->due, t->due + n, t->ndue - n);
	t->ndue -= n;
}

static bool due_push(struct twin *t, char type)
{
	if (t->skipping && type != 'S')
		return true;
	t->skipping = false;
	t->in_batch = strchr("PBDEC", type) || (strchr("Hdcf", type) && t->in_batch);
	t->in_more = strchr("BDEC", type) || (t->in_more && t->in_batch);
	if (!strchr("PBDECQFS", type))
		return true;
	if (t->ndue == DUE_MAX)
		return false;
	t->due[t->ndue++] = type;
	return true;
}

/* PostgreSQL said this. False: it cannot be. */
static bool due_heard(struct twin *t, char type)
{
	static const char answers[] = "1P2BTDnDCEIEsE3C"; /* an answer and what it is to */
	char to = t->ndue ? t->due[0] : 0;
	if (strchr("NAtDGHdcWvV", type))
		return true;
	if (!to)
		return false;
	if (type == 'Z') {
		due_pop(t, 1);
		return to == 'Q' || to == 'F' || to == 'S';
	}
	if (type == 'E') {
		if (to == 'Q' || to == 'F' || to == 'S')
			return true;
		unsigned n = 0;
		while (n < t->ndue && t->due[n] != 'S')
			n++;
		t->skipping = n == t->ndue;
		t->in_batch |= t->skipping;
		due_pop(t, n);
		return true;
	}
	if (to == 'Q')
		return strchr("TCI", type) != NULL;
	for (const char *a = answers; *a; a += 2)
		if (a[0] == type && a[1] == to) {
			due_pop(t, 1);
			return true;
		}
	return false;
}

/* ------------------------------------------------------------------------------------------------ saying */

static bool next_word(const char **at, char *out)
{
	size_t n = 0;
	const char *s = *at + strspn(*at, " ");
	bool quoted = *s == '"';
	if (!*s)
		return false;
	for (s += quoted; *s && (quoted ? *s != '"' : *s != ' ') && n < WORD_MAX - 1; s++) {
		if (*s == '\\' && s[1]) {
			s++;
			out[n++] = *s == 'n' ? '\n' : *s == 't' ? '\t' : *s;
		} else {
			out[n++] = *s;
		}
	}
	out[n] = 0;
	*at = s + (quoted && *s == '"');
	return true;
}

/* A "-" is the empty name. */
static bool next_name(const char **at, char *out)
{
	if (!next_word(at, out))
		return false;
	if (strcmp(out, "-") == 0)
		*out = 0;
	return true;
}

/* A text, with @N replaced. */
static void add_text(struct pgraw_bytes *b, const char *s)
{
	for (; *s; s++) {
		if (*s != '@' || !isdigit((unsigned char)s[1])) {
			pgraw_add(b, s, 1);
			continue;
		}
		char *end;
		size_t n = strtoul(s + 1, &end, 10);
		for (n = n > 1000000 ? 1000000 : n; n > 0; n--)
			pgraw_add(b, "x", 1);
		s = end - 1;
	}
	pgraw_add(b, "", 1);
}

static bool add_parse(struct pgraw_bytes *b, const char **at)
{
	char name[WORD_MAX], query[WORD_MAX], types[WORD_MAX] = "", *save = NULL;
	if (!next_name(at, name) || !next_word(at, query))
		return false;
	const char *peek = *at + strspn(*at, " ");
	if (isdigit((unsigned char)*peek))
		(void)next_word(at, types);
	pgraw_add_cstr(b, name);
	add_text(b, query);
	unsigned n = 0;
	for (const char *c = types; *c; c++)
		n += c == types || *c == ',';
	pgraw_add_u16(b, n);
	for (char *w = strtok_r(types, ",", &save); w; w = strtok_r(NULL, ",", &save))
		pgraw_add_u32(b, (uint32_t)strtoul(w, NULL, 10));
	return true;
}

/* (1,x,null): formats and values. */
static bool add_arguments(struct pgraw_bytes *b, const char *s)
{
	char word[WORD_MAX], *save = NULL;
	const char *close = strrchr(s, ')');
	if (*s != '(' || !close)
		return false;
	snprintf(word, sizeof word, "%.*s", (int)(close - s - 1), s + 1);
	unsigned n = 0;
	for (const char *c = word; *c; c++)
		n += c == word || *c == ',';
	pgraw_add_u16(b, 0);
	pgraw_add_u16(b, n);
	for (char *w = strtok_r(word, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		if (strcmp(w, "null") == 0) {
			pgraw_add_u32(b, UINT32_MAX);
			continue;
		}
		pgraw_add_u32(b, (uint32_t)strlen(w));
		pgraw_add(b, w, strlen(w));
	}
	return true;
}

/* The same, with ! behind it or not: formats of the result. */
static bool add_values(struct pgraw_bytes *b, const char *s)
{
	bool binary = *s && s[strlen(s) - 1] == '!';
	if (!add_arguments(b, s))
		return false;
	pgraw_add_u16(b, binary);
	if (binary)
		pgraw_add_u16(b, 1);
	return true;
}

/* The body of what this word means. */
static bool add_body(struct pgraw_bytes *b, const char *op, const char **at)
{
	char word[WORD_MAX];
	switch (*op) {
	case 'P':
		return add_parse(b, at);
	case 'B':
		for (int i = 0; i < 2; i++) {
			if (!next_name(at, word))
				return false;
			add_text(b, word);
		}
		return next_word(at, word) && add_values(b, word);
	case 'D':
	case 'C':
		pgraw_add(b, op + 1, 1);
		if (!op[1] || !strchr("SP", op[1]) || !next_name(at, word))
			return false;
		pgraw_add_cstr(b, word);
		return true;
	case 'E':
		if (!next_name(at, word))
			return false;
		add_text(b, word);
		if (!next_word(at, word))
			return false;
		pgraw_add_u32(b, (uint32_t)strtoul(word, NULL, 10));
		return true;
	case 'Q':
		if (!next_word(at, word))
			return false;
		add_text(b, word);
		return true;
	case 'F':
		if (!next_word(at, word))
			return false;
		pgraw_add_u32(b, (uint32_t)strtoul(word, NULL, 10));
		if (!next_word(at, word) || !add_arguments(b, word))
			return false;
		pgraw_add_u16(b, 0);
		return true;
	case 'd':
		if (!next_word(at, word))
			return false;
		pgraw_add(b, word, strlen(word));
		return true;
	case 'f':
		pgraw_add_cstr(b, "given up");
		return true;
	case 'H':
	case 'S':
	case 'c':
		return true;
	default:
		return false;
	}
}

static const char *const *asks_of(unsigned client)
{
	static const char *const rows[][9] = {
		{ NULL },
		{ "options", "-c work_mem=7MB -c search_path=asked,public -c datestyle=German,\\ DMY", NULL },
		{ "TimeZone", "Asia/Tokyo", "application_name", "asked", "statement_timeout", "77s", NULL },
	};
	return rows[conf.ask ? client % COUNT(rows) : 0];
}

bool twins_asks(unsigned client)
{
	return asks_of(client)[0] != NULL;
}

static bool let_in(struct twin *t)
{
	const char *const *asks = asks_of((unsigned)(t - twins));
	t->ndue = 0;
	t->skipping = t->in_batch = false;
	return pgraw_open(&t->side[STRAIGHT], pg_port(), "alice", "straight", asks) &&
	       pgraw_open(&t->side[THROUGH], sluice_port(), "alice", "test", asks);
}

static bool holds(const struct twin *t)
{
	return t->side[THROUGH].status != 'I' || t->in_batch;
}

/* Says what is left of the step, up to where it waits. */
static enum twins_verdict say_more(struct twin *t)
{
	struct pgraw_bytes b = { 0 };
	char op[WORD_MAX];
	bool ok = true;
	t->held = holds(t) && (t->side[THROUGH].status != 'I' || t->in_more);
	while (ok && next_word(&t->rest, op) && strcmp(op, "w") != 0) {
		if (*op == '&')
			continue;
		if (*op == 'x' || *op == 'y') {
			*(*op == 'x' ? &t->cancels : &t->is_odd) = true;
			continue;
		}
		size_t begun = pgraw_begin(&b, *op);
		ok = add_body(&b, op, &t->rest) && due_push(t, *op);
		pgraw_end(&b, begun);
	}
	if (!ok) {
		free(b.p);
		return tell(TWINS_INVALID, t, "no such step");
	}
	for (int i = 0; i < SIDES; i++)
		(void)pgraw_send(&t->side[i], &b); /* if it fails, that is heard */
	free(b.p);
	if (t->is_odd &&
	    !(pgraw_cancel(&t->side[STRAIGHT], pg_port()) && pgraw_cancel(&t->side[THROUGH], sluice_port())))
		return tell(TWINS_DIFFER, t, "a cancel request is not dealt with");
	return TWINS_FINE;
}

/* ------------------------------------------------------------------------------------------------ hearing */

bool twins_is_starved(void)
{
	unsigned held = 0;
	if (conf.session)
		return false;
	for (unsigned i = 0; i < conf.clients; i++)
		held += !twins[i].busy && holds(&twins[i]);
	return held >= conf.pool;
}

static bool same_params(const struct twin *t, const char **which)
{
	for (size_t i = 0; i < COUNT(tracked); i++) {
		*which = tracked[i];
		if (strcmp(pgraw_param(&t->side[STRAIGHT], tracked[i]), pgraw_param(&t->side[THROUGH], tracked[i])) !=
		    0)
			return false;
	}
	return true;
}

/* What was cancelled is not known: each may have been. */
static enum twins_verdict compare_odd(struct twin *t)
{
	unsigned ready[SIDES] = { 0 };
	for (int i = 0; i < SIDES; i++) {
		const struct pgraw *r = &t->side[i];
		for (size_t at = 0; at < r->nheard; at++) {
			ready[i] += *r->heard[at].line == 'Z';
			if (*r->heard[at].line == 'E' && !strstr(r->heard[at].line, " 57014 "))
				return tell(TWINS_DIFFER, t, "%s: an error that a cancel request does not cause",
					    databases[i]);
		}
	}
	bool done = t->ndue == 0 && ready[STRAIGHT] == ready[THROUGH];
	if (done && (t->side[STRAIGHT].status != 'I' || t->side[THROUGH].status != 'I'))
		return tell(TWINS_INVALID, t, "y within a transaction");
	t->busy = !done;
	return TWINS_FINE;
}

/* In a transaction that has failed, a server that does not have a statement cannot be given it: where PostgreSQL finds
 * fault with a Bind of it, Sluice tells of the transaction. */
static bool may_differ(const char *one, const char *two)
{
	return strncmp(two, "E ERROR 25P02 ", 14) == 0 && strncmp(one, "E ERROR 08P01 bind ", 19) == 0;
}

/* As far as they are there; the first that are not compared yet. */
static bool same_answers(const struct twin *t, size_t *i, size_t *j)
{
	const struct pgraw *one = &t->side[STRAIGHT], *two = &t->side[THROUGH];
	char status = t->was;
	for (; *i < one->nheard && *j < two->nheard; ++*i, ++*j) {
		const char *a = one->heard[*i].line, *b = two->heard[*j].line;
		if (strcmp(a, b) == 0) {
			status = *a == 'Z' ? a[2] : status;
			continue;
		}
		if (status != 'E' || !may_differ(a, b))
			return false;
	}
	return true;
}

/* Is the step over? Goes on with what is left of it. */
static enum twins_verdict compare(struct twin *t)
{
	const struct pgraw *one = &t->side[STRAIGHT], *two = &t->side[THROUGH];
	const char *which;
	if (one->closed)
		return tell(TWINS_CRASH, t, "PostgreSQL has closed a connection");
	if (two->closed)
		return tell(TWINS_DIFFER, t, "Sluice has closed a connection");
	if (!t->busy && (one->nheard || two->nheard))
		return tell(TWINS_DIFFER, t, "an answer that nobody asked for");
	if (t->is_odd && t->busy)
		return compare_odd(t);
	size_t i = 0, j = 0;
	if (!same_answers(t, &i, &j))
		return tell(TWINS_DIFFER, t, "the answers differ");
	if (t->ndue == 0 && i == one->nheard && j < two->nheard)
		return tell(TWINS_DIFFER, t, "more answers through Sluice");
	if (!t->busy || t->ndue || i < one->nheard || j < two->nheard)
		return TWINS_FINE;
	t->cancels = false;
	if (one->nheard && *one->heard[one->nheard - 1].line == 'Z' && !same_params(t, &which))
		return tell(TWINS_DIFFER, t, "%s is \"%s\" straight and \"%s\" through", which, pgraw_param(one, which),
			    pgraw_param(two, which));
	if (!t->rest[strspn(t->rest, " &")]) {
		t->busy = false;
		return TWINS_FINE;
	}
	enum twins_verdict v = say_more(t);
	return v == TWINS_FINE ? compare(t) : v; /* maybe nothing is due */
}

/* Reads what comes within this time, if anything. */
static enum twins_verdict hear(int ms, bool *any)
{
	struct pollfd p[TWINS_MAX * SIDES];
	for (unsigned i = 0; i < conf.clients; i++)
		for (unsigned k = 0; k < SIDES; k++)
			p[i * SIDES + k] = (struct pollfd){ twins[i].side[k].fd, POLLIN, 0 };
	*any = poll(p, conf.clients * SIDES, ms) > 0;
	for (unsigned i = 0; i < conf.clients && *any; i++) {
		struct twin *t = &twins[i];
		if (!p[i * SIDES].revents && !p[i * SIDES + 1].revents)
			continue;
		size_t had = t->side[STRAIGHT].nheard, had_through = t->side[THROUGH].nheard;
		for (int k = 0; k < SIDES; k++)
			(void)pgraw_read(&t->side[k]);
		for (; had < t->side[STRAIGHT].nheard; had++)
			if (!due_heard(t, *t->side[STRAIGHT].heard[had].line))
				return tell(TWINS_INVALID, t, "PostgreSQL's answer is not understood");
		for (; had_through < t->side[THROUGH].nheard; had_through++) /* the rest may go to another server */
			t->held &= strcmp(t->side[THROUGH].heard[had_through].line, "Z I") != 0;
		bool was_busy = t->busy;
		enum twins_verdict v = compare(t);
		if (v != TWINS_FINE)
			return v;
		if (was_busy && !t->busy)
			for (int k = 0; k < SIDES; k++)
				pgraw_forget(&t->side[k]);
	}
	return TWINS_FINE;
}

/* Is something to come? Not, through Sluice, for who waits for a server that idle clients hold. */
static bool is_to_come(const struct twin *t)
{
	return t->busy && (t->held || !twins_is_starved() || (t->ndue && !t->cancels));
}

static bool any_to_come(void)
{
	for (unsigned i = 0; i < conf.clients; i++)
		if (is_to_come(&twins[i]))
			return true;
	return false;
}

/* Asks again for those that want to be cancelled: the request before may have come before what it was for. */
static enum twins_verdict cancel(void)
{
	for (unsigned i = 0; i < conf.clients; i++) {
		struct twin *t = &twins[i];
		if (t->cancels && is_to_come(t) &&
		    !(pgraw_cancel(&t->side[STRAIGHT], pg_port()) && pgraw_cancel(&t->side[THROUGH], sluice_port())))
			return tell(TWINS_DIFFER, t, "a cancel request is not dealt with");
	}
	return TWINS_FINE;
}

/* Until this one (NULL: any) has heard all that can come. */
static enum twins_verdict wait_for(struct twin *t)
{
	unsigned patience = conf.patience_ms ? conf.patience_ms : PATIENCE_MS;
	uint64_t until = now_ms() + patience;
	while (t ? is_to_come(t) : any_to_come()) {
		bool any;
		enum twins_verdict v = hear(20, &any);
		if (v != TWINS_FINE || (!any && (v = cancel()) != TWINS_FINE))
			return v;
		if (any)
			until = now_ms() + patience;
		if (now_ms() < until)
			continue;
		for (unsigned i = 0; !t && i < conf.clients; i++)
			if (is_to_come(&twins[i]))
				t = &twins[i];
		return t && t->ndue ? tell(TWINS_INVALID, t, "an answer does not come from PostgreSQL")
				    : tell(TWINS_STUCK, t, "an answer does not come");
	}
	return TWINS_FINE;
}

/* ------------------------------------------------------------------------------------------------ the script */

bool twins_is_busy(unsigned client)
{
	return twins[client].busy;
}

bool twins_in_batch(unsigned client)
{
	return twins[client].in_batch;
}

char twins_status(unsigned client)
{
	return twins[client].side[STRAIGHT].status;
}

static enum twins_verdict come_anew(struct twin *t, bool politely)
{
	for (int i = 0; i < SIDES; i++)
		pgraw_close(&t->side[i], politely);
	return let_in(t) ? TWINS_FINE : tell(TWINS_DIFFER, t, "cannot connect again");
}

enum twins_verdict twins_say(const char *line)
{
	char *rest;
	unsigned long number = strtoul(line, &rest, 10);
	enum twins_verdict v;
	if (rest == line || number >= conf.clients || strlen(line) >= sizeof twins->line)
		return tell(TWINS_INVALID, NULL, "no such client: %s", line);
	struct twin *t = &twins[number];
	if (t->busy) {
		if ((v = wait_for(t)) != TWINS_FINE)
			return v;
		if (t->busy)
			return tell(TWINS_INVALID, t, "the client waits, and is to go on: %s", line);
	}
	for (int k = 0; k < SIDES; k++)
		pgraw_forget(&t->side[k]);
	snprintf(t->line, sizeof t->line, "%s", line);
	t->rest = t->line + (rest - line);
	t->rest += strspn(t->rest, " ");
	if ((*t->rest == 'R' || *t->rest == 'T') && (!t->rest[1] || t->rest[1] == ' '))
		return come_anew(t, *t->rest == 'T');
	t->cancels = t->is_odd = false;
	t->was = t->side[STRAIGHT].status;
	t->busy = true;
	if ((v = say_more(t)) != TWINS_FINE || (v = compare(t)) != TWINS_FINE)
		return v;
	bool waits = line[strlen(line) - 1] != '&';
	return waits ? wait_for(t) : TWINS_FINE;
}

enum twins_verdict twins_settle(void)
{
	return wait_for(NULL);
}

/* One that holds a server lets it go. */
static enum twins_verdict end_one(unsigned i)
{
	char line[64];
	enum twins_verdict v = TWINS_FINE;
	if (twins[i].in_batch || twins[i].skipping) {
		snprintf(line, sizeof line, "%u S", i);
		v = twins_say(line);
	}
	if (v == TWINS_FINE && !twins[i].busy) {
		snprintf(line, sizeof line, "%u Q \"rollback\"", i);
		v = twins_say(line);
	}
	return v;
}

/* Those that hold a server let it go, and so those that wait get one, and may hold it in turn. */
static enum twins_verdict end_all(void)
{
	enum twins_verdict v = twins_settle();
	bool any = true;
	while (v == TWINS_FINE && any) {
		any = false;
		for (unsigned i = 0; i < conf.clients && v == TWINS_FINE; i++)
			if (!twins[i].busy && holds(&twins[i])) {
				any = true;
				v = end_one(i);
			}
		if (v == TWINS_FINE)
			v = twins_settle();
	}
	for (unsigned i = 0; i < conf.clients && v == TWINS_FINE; i++)
		if (twins[i].busy)
			v = tell(TWINS_STUCK, &twins[i], "somebody still waits at the end");
	return v;
}

enum twins_verdict twins_finish(void)
{
	enum twins_verdict v = end_all();
	char line[600];
	for (unsigned i = 0; i < conf.clients && v == TWINS_FINE; i++) {
		snprintf(line, sizeof line, "%u Q \"select 'the end', count(*) from own%u\" Q \"" TWINS_SETTINGS "\"",
			 i, i);
		v = twins_say(line);
	}
	return v == TWINS_FINE ? end_all() : v;
}

/* It may just have crashed. */
static void wait_for_postgres(void)
{
	struct pgraw r;
	bool ok;
	uint64_t until = now_ms() + PATIENCE_MS;
	do {
		ok = pgraw_open(&r, pg_port(), "postgres", "postgres", NULL);
		pgraw_close(&r, true);
	} while (!ok && now_ms() < until);
}

bool twins_open(const struct twins_conf *c)
{
	conf = *c;
	memset(twins, 0, sizeof twins);
	for (size_t i = 0; i < COUNT(twins); i++)
		twins[i].side[STRAIGHT].fd = twins[i].side[THROUGH].fd = -1;
	wait_for_postgres();
	sluice_start(&(struct conf){
		.databases = "test = @PG@ dbname=through",
		.settings =
			text("pool_mode = %s\ndefault_pool_size = %u\nmax_prepared_statements = %u\n"
			     "server_round_robin = 1\nlog_connections = 0\nlog_disconnections = 0\n"
			     "log_pooler_errors = 0\nquery_wait_notify = 0\nquery_wait_timeout = 0",
			     c->session ? "session" : "transaction", c->session ? 4 * c->clients : c->pool, c->kept) });
	for (int k = 0; k < SIDES; k++) {
		if (!*pg_scalar("select datname from pg_database where datname = '%s'", databases[k]))
			pg_sql("create database %s", databases[k]);
		PGconn *pg = client_to_pg("dbname=%s", databases[k]);
		for (unsigned i = 0; i < c->clients; i++)
			sql(pg,
			    "set client_min_messages = error; drop table if exists own%u; create table own%u (n int); "
			    "grant all on own%u to public",
			    i, i, i);
		client_close(pg);
	}
	for (unsigned i = 0; i < c->clients; i++)
		if (!let_in(&twins[i])) {
			(void)tell(TWINS_DIFFER, NULL, "client %u cannot connect", i);
			return false;
		}
	return true;
}

void twins_close(void)
{
	for (size_t i = 0; i < COUNT(twins); i++)
		for (int k = 0; k < SIDES; k++)
			pgraw_close(&twins[i].side[k], true);
	sluice_stop();
}
