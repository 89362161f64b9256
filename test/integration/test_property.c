/* test_property.c - whatever many clients say, in whatever order, each hears what it would hear from a server of its
 * own.
 *
 * Random scripts (twins.h) are said by clients that exist twice, through Sluice over few servers and straight at
 * PostgreSQL, and the answers compared. One that differs is cut down to what still differs, and printed; its place is
 * then the table below. In the environment:
 *
 *   PROPERTY_SEED=N      only this one, instead of the first SEEDS
 *   PROPERTY_STEPS=N     how many steps for each seed
 *   PROPERTY_FOR=N       seed after seed for so many seconds, from PROPERTY_SEED or one by chance
 *   PROPERTY_SCRIPT=F    says the script in the file F, and tells what was heard */
#include "harness.h"
#include "twins.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SEEDS = 8, STEPS = 800, SHRINK_MS = 90000, CLIENTS = 6, NAMES = 4, LINE_BYTES = 4096 };

/* ------------------------------------------------------------------------------------------------ a client's mind */

/* Texts that are parsed; %u is the client's number. Some are all clients', some each one's own. */
static const struct {
	const char *sql, *types;
	unsigned params;
} texts[] = {
	{ "select 1", "", 0 },
	{ "select 'two'", "", 0 },
	{ "select $1::int + 1", "", 1 },
	{ "select $1::text || 'x' as y, $2::int", "", 2 },
	{ "select $1", "23", 1 },
	{ "select $1", "25", 1 },
	{ "select $1", "", 1 },
	{ "select g, g * 2 as two from generate_series(1, 5) g", "", 0 },
	{ "select 12 / (g - $1::int) from generate_series(1, 5) g", "", 1 },
	{ "insert into own%u values ($1::int) returning n", "", 1 },
	{ "insert into own%u values (7)", "", 0 },
	{ "select count(*), sum(n) from own%u", "", 0 },
	{ "delete from own%u where n = $1::int", "", 1 },
	{ "select 'client %u'", "", 0 },
	{ "begin", "", 0 },
	{ "commit", "", 0 },
	{ "rollback", "", 0 },
	{ "savepoint a", "", 0 },
	{ "rollback to a", "", 0 },
	{ "", "", 0 },
	{ "selec", "", 0 },
	{ "select * from nowhere", "", 0 },
	{ "select 1; select 2", "", 0 },
	{ "show datestyle", "", 0 },
	{ "select current_setting('application_name')", "", 0 },
	{ "set application_name = 'parsed %u'", "", 0 },
	{ "set work_mem = '%uMB'", "", 0 },
	{ "set search_path = parsed%u, public", "", 0 },
	{ "set local work_mem = '11MB'", "", 0 },
	{ "select set_config('work_mem', '21MB', false)", "", 0 },
	{ "show work_mem", "", 0 },
	{ "set role bob", "", 0 },
	{ "reset role", "", 0 },
	{ "release a", "", 0 },
	{ "select length('@3000')", "", 0 },
	{ "select length('@70000')", "", 0 },
};
enum { LONG_TEXT = COUNT(texts) - 1 };

struct mind {
	uint64_t luck;
	unsigned number;
	bool is_sure;           /* what it says now does not come to a transaction that has failed */
	bool is_bound;          /* the unnamed portal, in this batch */
	bool pins;              /* says also what keeps its server */
	int text_of[NAMES + 1]; /* what it parsed last under this name; 0 is the unnamed one; -1: none */
	char line[LINE_BYTES];
	size_t n;
};

static unsigned pick(struct mind *m, unsigned n)
{
	return (unsigned)(chance(&m->luck) % n);
}

static bool often(struct mind *m, unsigned percent)
{
	return pick(m, 100) < percent;
}

static void say(struct mind *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct mind *m, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(m->line + m->n, sizeof m->line - m->n, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof m->line - m->n)
		m->n += (size_t)n;
	else
		m->line[m->n] = 0;
}

static bool is_room(const struct mind *m)
{
	return m->n < LINE_BYTES - 600;
}

static const char *name_of(unsigned name)
{
	static const char *const names[NAMES + 1] = { "-", "s1", "s2", "s3", "s4" };
	return names[name];
}

static unsigned some_name(struct mind *m)
{
	return often(m, 30) ? 0 : 1 + pick(m, NAMES);
}

static const char *some_portal(struct mind *m)
{
	static const char *const names[] = { "-", "-", "-", "p1", "p2" };
	return names[pick(m, COUNT(names))];
}

/* PostgreSQL up to 18 crashes when the unnamed portal of a query that failed in a failed transaction is used. */
static const char *safe_portal(const struct mind *m, const char *portal)
{
	return *portal == '-' && !m->is_bound && !m->is_sure ? "p1" : portal;
}

static void say_text(struct mind *m, int i)
{
	say(m, " \"");
	say(m, texts[i].sql, m->number); /* NOLINT: the formats are those above */
	say(m, "\"%s%s", *texts[i].types ? " " : "", texts[i].types);
}

/* What EXECUTE names is none of these: run by it they may cost PostgreSQL the session, or leave it in a state that it
 * does not know itself ("unexpected state STARTED"). */
enum { EXECUTED = 2 };
static bool is_of_transactions(const char *sql)
{
	static const char *const all[] = { "begin", "commit", "rollback", "savepoint a", "rollback to a", "release a" };
	for (size_t i = 0; i < COUNT(all); i++)
		if (strcmp(sql, all[i]) == 0)
			return true;
	return false;
}

static void parse(struct mind *m, unsigned name)
{
	int i = (int)pick(m, often(m, 3) ? COUNT(texts) : LONG_TEXT);
	if (name == 0 && i == LONG_TEXT)
		i = 0; /* is not remembered */
	if (name && name <= EXECUTED && is_of_transactions(texts[i].sql))
		i = 0;
	if (name && often(m, 50))
		say(m, " CS %s", name_of(name));
	say(m, " P %s", name_of(name));
	say_text(m, i);
	m->text_of[name] = i;
}

static void bind(struct mind *m, const char *portal, unsigned name)
{
	static const char *const values[] = { "0", "1", "2", "3", "42", "null", "x" };
	int i = m->text_of[name];
	unsigned n = i < 0 ? 0 : texts[i].params;
	if (m->is_sure && often(m, 4))
		n = pick(m, 4);
	say(m, " B %s %s (", portal, name_of(name));
	for (unsigned k = 0; k < n; k++)
		say(m, "%s%s", k ? "," : "", values[pick(m, often(m, 10) ? COUNT(values) : 5)]);
	say(m, ")%s", often(m, 5) ? "!" : "");
	m->is_bound |= *portal == '-';
}

static void simple(struct mind *m)
{
	m->is_sure = m->is_bound = false;
	static const char *const queries[] = {
		"select 1",
		"select 'query %u'",
		"select 1; select 2, 'b'",
		"insert into own%u values (1)",
		"insert into own%u values (2); select 1/0",
		"select 1/0; select 2",
		"select count(*), sum(n) from own%u",
		"delete from own%u where n = 1",
		"selec",
		"",
		";",
		"begin",
		"begin; insert into own%u values (3)",
		"begin read only",
		"commit",
		"commit and chain",
		"rollback and chain",
		"savepoint a; set work_mem = '4%uMB'; rollback to a",
		"rollback",
		"savepoint a",
		"rollback to a",
		"release a",
		"begin; select 1; commit; select 'after %u'",
		"show timezone",
		"declare c cursor for select g from generate_series(1, 9) g",
		"fetch 2 from c",
		"close c",
	};
	if (often(m, 8)) { /* int4div() and int4pl() */
		say(m, " F %s", often(m, 50) ? "154 (7,0)" : often(m, 80) ? "177 (40,2)" : "177 (40)");
		return;
	}
	say(m, " Q \"");
	say(m, queries[pick(m, COUNT(queries))], m->number); /* NOLINT */
	say(m, "\"");
	m->text_of[0] = -1;
}

static void execute(struct mind *m, const char *portal)
{
	say(m, " E %s %u", safe_portal(m, portal), often(m, 75) ? 0 : 1 + pick(m, 3));
}

/* PostgreSQL since 18 loses its way ("unexpected state STARTED") behind a simple query within a batch. */
static bool is_lost_by_queries;

/* A few messages that belong together. */
static void unit(struct mind *m)
{
	unsigned name = some_name(m);
	const char *portal = some_portal(m);
	if (!is_room(m))
		return;
	switch (pick(m, 12)) {
	case 0:
	case 1:
		parse(m, name);
		break;
	case 2:
	case 3:
		parse(m, name);
		bind(m, portal, name);
		execute(m, portal);
		break;
	case 4:
	case 5:
	case 6:
		bind(m, portal, name);
		if (often(m, 30))
			say(m, " DP %s", safe_portal(m, portal));
		execute(m, portal);
		if (often(m, 10))
			execute(m, portal);
		break;
	case 7:
		if (m->is_sure) /* else a server that does not have it cannot be given it, and says so */
			say(m, " DS %s", name_of(name));
		break;
	case 8:
		say(m, " CS %s", name_of(name));
		break;
	case 9:
		if (often(m, 50))
			say(m, " CP %s", portal);
		else
			say(m, " DP %s", safe_portal(m, portal));
		break;
	case 10:
		say(m, often(m, 60) ? " H" : " H w");
		break;
	default:
		if (often(m, 40) && !is_lost_by_queries)
			simple(m);
		else
			execute(m, portal);
		break;
	}
}

static void batches(struct mind *m)
{
	for (unsigned n = often(m, 60) ? 1 : 1 + pick(m, 4); n-- > 0;) {
		for (unsigned k = 1 + pick(m, 4); k-- > 0;)
			unit(m);
		if (n == 0 && often(m, 8))
			say(m, " H");
		else
			say(m, often(m, 5) ? " S S" : often(m, 90) ? " S" : " S w");
		m->is_sure = m->is_bound = false;
		if (n && often(m, 10))
			simple(m);
	}
}

static void copy(struct mind *m)
{
	static const char *const in[] = { "d \"1\\n\" c", "d \"1\\n2\\n\" d \"3\\n\" c", "c", "f", "d \"x\\n\" c" };
	const char *data = in[pick(m, COUNT(in))];
	switch (pick(m, 4)) {
	case 0:
		say(m, " Q \"copy own%u from stdin\" %s", m->number, data);
		break;
	case 1:
		say(m, " Q \"copy (select g, 'x' from generate_series(1, 3) g) to stdout\"");
		break;
	case 2: /* The name is taken away again: executed later, without data, it would wait for them. What is sent
		 * behind a copy that fails makes Sluice unsure, and it stays with its client. */
		say(m, " P - \"copy own%u from stdin\" B - - () E - 0 %s S w CS - S", m->number, data);
		break;
	default:
		say(m, " P - \"copy own%u to stdout\" B - - () E - 0 S CS - S", m->number);
		break;
	}
	m->text_of[0] = -1;
}

static void settings(struct mind *m)
{
	static const char *const sets[] = {
		"set application_name = 'app %u'",
		"set application_name = 'it''s \\\\ %u'",
		"reset application_name",
		"set local application_name = 'local %u'",
		"set datestyle = 'German'",
		"set datestyle = 'SQL, DMY'",
		"set datestyle to default",
		"set timezone = 'Europe/Berlin'",
		"set timezone = 'UTC'",
		"set local timezone = 'Asia/Tokyo'",
		"set intervalstyle = 'iso_8601'",
		"set client_encoding = 'LATIN1'",
		"set client_encoding = 'UTF8'",
		"begin; set application_name = 'undone %u'; rollback",
		"set application_name = 'undone too %u'; select 1/0",
		"set timezone = 'nowhere'",
		"reset all",
		"show application_name",
		"select date '2024-02-03', interval '1 day 2 hours', current_setting('timezone')",
	};
	static const char *const other[] = {
		"set work_mem = '%uMB'",
		"set local work_mem = '3%uMB'",
		"show work_mem",
		"set search_path = s%u, public",
		"set search_path to default",
		"set SEARCH_path = \\\"S %u\\\", public; select 1",
		"show search_path",
		"set statement_timeout = '1%umin'; set work_mem = 2048; select 1/0",
		"set statement_timeout = '1%umin'; set lock_timeout to 50000",
		"reset statement_timeout",
		"show statement_timeout",
		"select set_config('search_path', 'c%u, public', false)",
		"set role bob",
		"set local role bob",
		"set role none",
		"set session authorization bob",
		"reset session authorization",
		"select current_user, session_user",
		"reset role",
		"set session characteristics as transaction isolation level repeatable read",
		"set session characteristics as transaction read write",
		"reset default_transaction_isolation",
		"select current_setting('default_transaction_isolation'), current_setting('lock_timeout')",
		"begin; set work_mem = '6%uMB'; savepoint b; reset work_mem; rollback to b; commit",
		"begin; set work_mem = '6%uMB'; savepoint b; set work_mem = '5MB'; release b; rollback",
		"begin; set work_mem = '6%uMB'; commit; select 1/0",
		"set work_mem = '6%uMB'; begin; select 1/0",
		"set work_mem = '9%uMB'; commit; select 1/0",
		"set local work_mem = '9%uMB'; select 1",
		"select set_config('work_mem', '8%uMB', true), 1",
		"savepoint a",
		"rollback to a",
		"release a",
		"discard all",
		"reset all",
	};
	const char *fmt = often(m, 60) ? other[pick(m, COUNT(other))] : sets[pick(m, COUNT(sets))];
	if (often(m, 15))
		fmt = TWINS_SETTINGS;
	bool extended = !strchr(fmt, ';') && often(m, 40);
	say(m, extended ? " P - \"" : " Q \"");
	say(m, fmt, m->number); /* NOLINT */
	say(m, extended ? "\" B - - () E - 0" : "\"");
	if (often(m, 20))
		say(m, extended ? " P - \"%s\" B - - () E - 0" : " Q \"%s\"", TWINS_SETTINGS);
	if (extended)
		say(m, strstr(fmt, "discard all") ? " S CS - S" : " S"); /* see deallocate() */
	m->text_of[0] = -1;
	if (strstr(fmt, "discard all"))
		for (unsigned i = 0; i <= NAMES; i++)
			m->text_of[i] = -1;
}

/* What keeps its server with its client. */
static void pinned(struct mind *m)
{
	static const char *const queries[] = {
		"create temp table t (n int)",
		"create temp table if not exists t as select %u as n",
		"insert into t values (%u)",
		"select count(*), sum(n) from t",
		"drop table t",
		"discard temp",
		"discard all",
		"begin; create temp table u%u (n int) on commit drop; rollback",
		"prepare q as select 'sql %u'",
		"prepare q2 (int) as select $1 + %u",
		"execute q",
		"execute q2 (3)",
		"deallocate q",
		"deallocate all",
		"declare h cursor with hold for select g from generate_series(1, 9) g",
		"fetch 2 from h",
		"close h",
		"close all",
		"select pg_advisory_lock(%u)",
		"select pg_advisory_unlock(%u)",
		"select pg_advisory_unlock_all()",
		"select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
		"do $$ begin perform set_config('work_mem', '7%uMB', false); end $$",
		"select set_config('work_mem', '1%uMB', false), current_setting('search_path')",
		"select set_config('search_path', 'c%u, public', false) from generate_series(1, 2)",
		"select set_config('lock_timeout', '%u000', false) where false",
		"select set_config('work_mem', current_setting('maintenance_work_mem'), false)",
		"show work_mem",
		"reset all",
	};
	const char *fmt = queries[pick(m, COUNT(queries))];
	say(m, " Q \"");
	say(m, fmt, m->number); /* NOLINT */
	say(m, "\"");
	m->text_of[0] = -1;
	if (strstr(fmt, "all"))
		for (unsigned i = 0; i <= NAMES; i++)
			m->text_of[i] = -1;
}

static void sql_prepare(struct mind *m)
{
	static const char *const queries[] = {
		"prepare s%u as select 'sql'",
		"execute s%u",
		"deallocate s%u",
		"deallocate prepare s%u",
	};
	const char *fmt = queries[pick(m, COUNT(queries))];
	bool extended = strncmp(fmt, "deallocate", 10) == 0 && often(m, 50);
	say(m, extended ? " P - \"" : " Q \"");
	say(m, fmt, 1 + pick(m, strstr(fmt, "execute") ? (unsigned)EXECUTED : (unsigned)NAMES)); /* NOLINT */
	say(m, extended ? "\" B - - () E - 0" : "\"");
	if (extended && often(m, 50))
		unit(m);
	if (extended)
		say(m, " S");
	m->text_of[0] = -1;
}

static void ddl(struct mind *m)
{
	static const char *const queries[] = {
		"alter table own%u add column more int",
		"alter table own%u drop column if exists more",
	};
	say(m, " Q \"");
	say(m, queries[pick(m, COUNT(queries))], m->number); /* NOLINT */
	say(m, "\"");
	m->text_of[0] = -1;
}

static void deallocate(struct mind *m)
{
	const char *all = often(m, 50) ? "deallocate all" : "discard all";
	if (often(m, 60))
		say(m, " Q \"%s\"", all);
	else
		say(m, " P - \"%s\" B - - () E - 0 S CS - S", all); /* nor is it executed again, with more behind it */
	for (unsigned i = 0; i <= NAMES; i++)
		m->text_of[i] = -1;
	if (often(m, 50))
		batches(m);
}

/* Its next step. */
static const char *think(struct mind *m)
{
	char status = twins_status(m->number);
	m->n = 0;
	m->is_bound = false;
	m->is_sure = status != 'E' && !twins_in_batch(m->number);
	say(m, "%u", m->number);
	if (twins_in_batch(m->number)) {
		for (unsigned k = pick(m, 3); k-- > 0;)
			unit(m);
		say(m, often(m, 80) ? " S" : " H");
		return m->line;
	}
	if (status != 'I' && often(m, status == 'E' ? 40 : 15)) {
		say(m, " Q \"%s\"", often(m, 50) ? "commit" : "rollback");
		m->text_of[0] = -1;
	} else if (status == 'I' && often(m, 8)) {
		say(m, " Q \"begin\"");
		m->text_of[0] = -1;
	} else if (often(m, 62)) {
		batches(m);
	} else if (often(m, 50)) {
		simple(m);
	} else if (m->pins && often(m, 30)) {
		pinned(m);
	} else if (often(m, 70)) {
		settings(m);
	} else if (often(m, 30)) {
		copy(m);
	} else if (often(m, 20)) {
		deallocate(m);
	} else if (often(m, 15) && !twins_is_starved()) {
		if (status == 'I' && often(m, 30))
			say(m, " P - \"select pg_sleep(0.01)\" B - - () E - 0 S Q \"select 1\" y");
		else if (status == 'I' && often(m, 50))
			say(m, " Q \"select pg_sleep(0.01)\" y");
		else
			say(m, " Q \"select pg_sleep(60)\" x");
		m->text_of[0] = -1;
		return m->line;
	} else if (often(m, 10)) {
		say(m, often(m, 50) ? " R" : " T");
		for (unsigned i = 0; i <= NAMES; i++)
			m->text_of[i] = -1;
		return m->line;
	} else if (often(m, 50)) {
		sql_prepare(m);
	} else if (often(m, 30)) {
		ddl(m);
	} else {
		batches(m);
	}
	if (often(m, 30))
		say(m, " &");
	return m->line;
}

/* ------------------------------------------------------------------------------------------------ scripts */

struct script {
	struct twins_conf conf;
	char **lines; /* owned */
	size_t n, cap;
};

static void script_add(struct script *s, const char *line)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 256;
		s->lines = realloc(s->lines, s->cap * sizeof *s->lines);
		require("memory", s->lines);
	}
	s->lines[s->n++] = strdup(line);
}

static void script_free(struct script *s)
{
	while (s->n)
		free(s->lines[--s->n]);
	free(s->lines);
	*s = (struct script){ 0 };
}

static void script_print(const struct script *s)
{
	fprintf(stderr, "# %u clients, %u servers, max_prepared_statements = %u%s%s\n", s->conf.clients, s->conf.pool,
		s->conf.kept, s->conf.session ? ", session pooling" : "", s->conf.ask ? ", startup settings" : "");
	enum { SHOWN = 40 };
	if (s->n > SHOWN)
		fprintf(stderr, "# (the last %d of %zu steps)\n", SHOWN, s->n);
	for (size_t i = s->n > SHOWN ? s->n - SHOWN : 0; i < s->n; i++)
		fprintf(stderr, "%s\n", s->lines[i]);
}

/* From the first to the last line, on a new Sluice. Lines that are NULL are left out. */
static enum twins_verdict script_say(const struct script *s)
{
	enum twins_verdict v = twins_open(&s->conf) ? TWINS_FINE : TWINS_DIFFER;
	for (size_t i = 0; i < s->n && v == TWINS_FINE; i++)
		if (s->lines[i])
			v = twins_say(s->lines[i]);
	if (v == TWINS_FINE)
		v = twins_finish();
	twins_close();
	return v;
}

/* Lines split at newlines. A first line "# N clients, N servers, ...= N" says how. */
static void script_read(struct script *s, const char *all)
{
	*s = (struct script){ .conf = { .clients = 4, .pool = 2, .kept = 3 } };
	char *copy = strdup(all), *save = NULL;
	for (char *w = strtok_r(copy, "\n", &save); w; w = strtok_r(NULL, "\n", &save)) {
		if (*w != '#') {
			script_add(s, w);
			continue;
		}
		(void)sscanf(w, "# %u clients, %u servers, max_prepared_statements = %u", &s->conf.clients,
			     &s->conf.pool, &s->conf.kept);
		s->conf.session |= strstr(w, "session pooling") != NULL;
		s->conf.ask |= strstr(w, "startup settings") != NULL;
	}
	free(copy);
	if (s->conf.clients > TWINS_MAX)
		s->conf.clients = TWINS_MAX;
}

/* ------------------------------------------------------------------------------------------------ cutting down */

static uint64_t cut_until;

/* Does it go wrong in the same way? */
static bool still(const struct script *s, enum twins_verdict want)
{
	alarm(300);
	return now_ms() < cut_until && script_say(s) == want;
}

static bool without(struct script *s, size_t from, size_t n, enum twins_verdict want)
{
	char *kept[s->n];
	memcpy(kept, s->lines, s->n * sizeof *kept);
	for (size_t i = from; i < from + n; i++)
		s->lines[i] = NULL;
	if (!still(s, want)) {
		memcpy(s->lines, kept, s->n * sizeof *kept);
		return false;
	}
	size_t left = 0;
	for (size_t i = 0; i < s->n; i++) {
		if (i >= from && i < from + n)
			free(kept[i]);
		else
			s->lines[left++] = kept[i];
	}
	s->n = left;
	return true;
}

/* The word that begins here, with the words that belong to it. */
static size_t op_length(const char *at)
{
	static const char *const args[] = { "P2", "B3", "DS1", "DP1", "CS1", "CP1", "E2", "Q1", "F2", "d1" };
	size_t len = strcspn(at, " "), words = 0;
	for (size_t i = 0; i < COUNT(args); i++)
		if (strncmp(args[i], at, len) == 0 && strlen(args[i]) == len + 1)
			words = (size_t)(args[i][len] - '0');
	for (; words; words--) {
		len += strspn(at + len, " ");
		if (at[len] == '"') {
			for (len++; at[len] && at[len] != '"'; len++)
				len += at[len] == '\\' && at[len + 1];
			len += at[len] == '"';
		} else {
			len += strcspn(at + len, " ");
		}
	}
	if (*at == 'P') { /* its types */
		size_t skip = strspn(at + len, " ");
		if (at[len + skip] >= '0' && at[len + skip] <= '9')
			len += skip + strcspn(at + len + skip, " ");
	}
	return len;
}

/* Does it end so that all is answered? */
static bool is_whole(const char *line)
{
	const char *last = "";
	char *rest;
	(void)strtoul(line, &rest, 10);
	for (const char *at = rest + strspn(rest, " "); *at; at += op_length(at), at += strspn(at, " "))
		if (*at != '&')
			last = at;
	if (strstr(line, "pg_sleep(60)") && !strchr(" x y", last[0]))
		return false;
	return *last && strchr("SHQFcfxyRTw", *last) && (*last != 'C') && !(*last == 'T' && last[1] != 0);
}

static void cut_words(struct script *s, enum twins_verdict want)
{
	for (size_t i = s->n; i-- > 0;) {
		char *rest;
		(void)strtoul(s->lines[i], &rest, 10);
		for (size_t at = (size_t)(rest - s->lines[i]); now_ms() < cut_until;) {
			at += strspn(s->lines[i] + at, " ");
			if (!s->lines[i][at])
				break;
			size_t n = op_length(s->lines[i] + at);
			char *was = s->lines[i], *now = strdup(was);
			memmove(now + at, now + at + n, strlen(now + at + n) + 1);
			while (*now && now[strlen(now) - 1] == ' ')
				now[strlen(now) - 1] = 0;
			s->lines[i] = now;
			if (is_whole(now) && still(s, want)) {
				free(was);
				if (at >= strlen(now))
					break;
			} else {
				s->lines[i] = was;
				free(now);
				at += n;
			}
		}
	}
}

static void cut_down(struct script *s, enum twins_verdict want)
{
	cut_until = now_ms() + SHRINK_MS;
	s->conf.patience_ms = 3000;
	for (unsigned c = 0; c < s->conf.clients; c++) { /* a client as a whole */
		struct script some = { .conf = s->conf };
		for (size_t i = 0; i < s->n; i++)
			if (strtoul(s->lines[i], NULL, 10) != c)
				script_add(&some, s->lines[i]);
		if (some.n < s->n && still(&some, want)) {
			struct script was = *s;
			*s = some;
			some = was;
		}
		script_free(&some);
	}
	for (size_t n = s->n / 2; n; n = n > 1 || s->n < 2 ? n / 2 : 0)
		for (size_t at = s->n; at > 0 && now_ms() < cut_until;) {
			size_t from = at > n ? at - n : 0;
			(void)without(s, from, at - from, want);
			at = from < s->n ? from : s->n;
		}
	cut_words(s, want);
	for (size_t i = s->n; i-- > 0;)
		if (i < s->n)
			(void)without(s, i, 1, want);
}

/* ------------------------------------------------------------------------------------------------ tests */

/* Of clients that asked for settings when they came: in each kind of pooling. */
#define GOES_BACK                                                                                                               \
	"1 Q \"set work_mem = '9MB'\" P - \"reset work_mem\" B - - () E - 0 P - \"show work_mem\" B - - () E - 0 S\n"           \
	"2 Q \"set statement_timeout = 0\" P s1 \"set statement_timeout to default\" P s2 \"show statement_timeout\" "          \
	"B - s1 () B p s2 () E - 0 E p 0 S B - s2 () E - 0 S CS s1 CS s2 S\n"                                                   \
	"1 Q \"begin\" Q \"set search_path = nowhere\" P - \"reset all\" B p - () DP p E p 1 S Q \"show search_path\" "         \
	"Q \"rollback\" Q \"show search_path\"\n"                                                                               \
	"2 P - \"set application_name = 'x'\" B - - () E - 0 S P - \"set application_name to default\" B - - () E - 0 "         \
	"P - \"show application_name\" B - - () E - 0 S\n"                                                                      \
	"1 Q \"begin\" Q \"reset work_mem\" Q \"set transaction isolation level serializable\" Q \"commit\"\n"                  \
	"2 Q \"begin\" P - \"reset timezone\" B - - () E - 0 S Q \"set transaction isolation level serializable\" "             \
	"Q \"commit\"\n"                                                                                                        \
	"1 Q \"set work_mem = '9MB'\" Q \"discard all\" Q \"show work_mem\" B - - () S\n"                                       \
	"2 Q \"set timezone = 'UTC'\" P - \"discard all\" B - - () E - 0 P - \"show timezone\" B - - () E - 0 S "               \
	"Q \"show statement_timeout\" Q \"set session authorization bob\" P - \"reset all\" B - - () E - 0 S\n"                 \
	"1 Q \"begin\" P - \"discard all\" B - - () E - 0 S Q \"discard all\" Q \"rollback\" Q \"show work_mem\"\n"             \
	"1 P s3 \"set work_mem = '3MB'\" P s4 \"reset work_mem\" P s5 \"selec\" S B - s3 () E - 0 B - s4 () E - 0 B p s9 () S " \
	"Q \"show work_mem\" Q \"discard all; select 1\" P - \"select 1\" Q \"discard all\" S Q \"show datestyle\"\n"

/* What was found once. */
static const struct {
	const char *what, *script;
} found[] = {
	{ "a batch of each kind", "# 2 clients, 1 servers, max_prepared_statements = 3\n"
				  "0 P s1 \"select $1::int\" B - s1 (1) DP - E - 0 S\n"
				  "1 P s1 \"select $1::text\" DS s1 B - s1 (a) E - 0 S\n"
				  "0 B - s1 (2) E - 0 S CS s1 S B - s1 (3) S\n" },
	{ "an error names the statement as its client does", "# 1 clients, 1 servers, max_prepared_statements = 3\n"
							     "0 P s1 \"select 1\" S B - s1 (7) E - 0 S\n" },
	{ "of a name that is taken, what is wrong with the text is told first",
	  "# 1 clients, 1 servers, max_prepared_statements = 3\n"
	  "0 P s1 \"select 1\" S P s1 \"selec\" S P s1 \"select 2\" S P s1 \"select 1\" S\n" },
	{ "a Parse is not made up in a transaction that fails before it",
	  "# 2 clients, 1 servers, max_prepared_statements = 3\n"
	  "1 P s1 \"select $1\" 25 S\n"
	  "0 Q \"begin\"\n"
	  "0 B - s9 () S P s1 \"select $1\" 25 S\n" },
	{ "a query that was skipped leaves the unnamed statement",
	  "# 2 clients, 1 servers, max_prepared_statements = 3\n"
	  "0 P - \"select 1\" S B - s9 () Q \"select 2\" S\n"
	  "1 P - \"select 3\" S\n"
	  "0 B - - () E - 0 S\n" },
	{ "each portal is known to change settings, or not",
	  "# 2 clients, 1 servers, max_prepared_statements = 3\n"
	  "0 P s1 \"set work_mem = '5MB'\" P s2 \"select 1\" B p1 s1 () B - s2 () E p1 0 E - 0 S\n"
	  "1 Q \"select 1\"\n"
	  "0 Q \"show work_mem\"\n"
	  "0 Q \"begin\" P s3 \"set work_mem = '6MB'\" B p1 s3 () B p2 s2 () S E p2 0 E p1 0 S Q \"commit\"\n"
	  "1 Q \"select 1\"\n"
	  "0 Q \"show work_mem\"\n" },
	{ "a portal that is suspended has set what it sets",
	  "# 2 clients, 1 servers, max_prepared_statements = 3\n"
	  "0 P s1 \"select set_config('work_mem', '7MB', false)\" B p1 s1 () E p1 1 S\n"
	  "1 Q \"select 1\"\n"
	  "0 Q \"show work_mem\"\n" },
	{ "EXECUTE of what PREPARE cannot say", "# 2 clients, 2 servers, max_prepared_statements = 1\n"
						"0 P s1 \"\" P s2 \"set work_mem = '7MB'\" P s3 \"begin\" S\n"
						"0 Q \"execute s2\" Q \"execute s1\" Q \"show work_mem\"\n"
						"1 Q \"show work_mem\"\n"
						"0 Q \"execute s3\" Q \"execute s2; execute s1; select 1\"\n"
						"0 Q \"selec\" Q \"execute s2\" Q \"rollback\" Q \"execute s1\"\n" },
	{ "what is forgotten within a batch is forgotten behind it",
	  "# 2 clients, 2 servers, max_prepared_statements = 3\n"
	  "0 P s1 \"select 1\" P s2 \"select 2\" S\n"
	  "0 P - \"deallocate all\" B - - () E - 0 P s1 \"select 3\" B - s1 () E - 0 B - s2 () E - 0 S "
	  "B - s1 () E - 0 S B - s2 () S\n"
	  "0 Q \"discard all\" P s1 \"select 4\" B - s1 () E - 0 S Q \"deallocate all\" B - s1 () S\n"
	  "1 P s1 \"select 1\" B - s1 () E - 0 S\n" },
	{ "and is not when that fails",
	  "# 2 clients, 2 servers, max_prepared_statements = 3\n"
	  "0 P s1 \"select 1\" S Q \"begin\" P - \"discard all\" B - - () E - 0 P s1 \"select 2\" S Q \"rollback\" "
	  "B - s1 () E - 0 S\n"
	  "0 B - s9 () P - \"deallocate all\" B - - () E - 0 P s1 \"select 2\" S B - s1 () E - 0 S\n"
	  "0 P - \"deallocate all\" B - - () E - 0 E - 0 S P s1 \"select 3\" S B - s1 () E - 0 S\n" },
	{ "DEALLOCATE of what a Parse made, by a Parse",
	  "# 2 clients, 2 servers, max_prepared_statements = 3\n"
	  "0 P s1 \"select 1\" S P s3 \"deallocate s1\" B - s3 () E - 0 P s1 \"select 2\" B - s1 () E - 0 S B - s1 () E - 0 S\n"
	  "1 P s1 \"select 1\" P - \"deallocate prepare s1\" B - - () E - 0 E - 0 S B - s1 () E - 0 S\n"
	  "1 P - \"deallocate s1\" B - - () E - 0 S B - s1 () E - 0 S B - - () E - 0 S\n"
	  "0 Q \"begin\" B - s3 () E - 0 S Q \"rollback\" B - s1 () S Q \"prepare q as select 7\" "
	  "P - \"deallocate q\" B - - () E - 0 S Q \"execute q\"\n"
	  "1 P s1 \"select 4\" S Q \"begin\" Q \"selec\" P - \"deallocate s1\" B - - () E - 0 S Q \"rollback\" "
	  "B - s1 () E - 0 S\n"
	  "0 Q \"deallocate s3\" Q \"execute s3\"\n" },
	{ "DISCARD ALL, and more at once", "# 3 clients, 2 servers, max_prepared_statements = 3, startup settings\n"
					   "2 Q \"discard all\" Q \"" TWINS_SETTINGS "\"\n"
					   "1 P - \"discard all\" B - - () E - 0 S Q \"" TWINS_SETTINGS "\"\n" },
	{ "a statement whose Close was skipped sets what it did before",
	  "# 2 clients, 1 servers, max_prepared_statements = 3\n"
	  "0 P s1 \"set work_mem = '7MB'\" S\n"
	  "0 B - s9 () CS s1 P s1 \"select 1\" S\n"
	  "0 B - s1 () E - 0 S\n"
	  "1 Q \"show work_mem\"\n"
	  "0 Q \"show work_mem\"\n" },
	{ "what goes back goes back to what was asked for",
	  "# 3 clients, 1 servers, max_prepared_statements = 3, startup settings\n" GOES_BACK },
	{ "DISCARD ALL in a batch that fails",
	  "# 3 clients, 1 servers, max_prepared_statements = 3, startup settings\n"
	  "1 Q \"set work_mem = '9MB'; set lock_timeout = 7\" P - \"discard all\" B - - () E - 0 Q \"select 1/0\" S\n"
	  "1 Q \"" TWINS_SETTINGS "\"\n"
	  "0 Q \"" TWINS_SETTINGS "\"\n"
	  "2 P - \"discard all\" B - - () E - 0 B - s9 () S Q \"" TWINS_SETTINGS "\"\n" },
	{ "in session pooling, too",
	  "# 3 clients, 3 servers, max_prepared_statements = 3, startup settings, session pooling\n" GOES_BACK },
	{ "what ends a transaction that has failed meanwhile, prepared under other settings",
	  "# 1 clients, 1 servers, max_prepared_statements = 3\n"
	  "0 P s4 \"rollback\" S\n"
	  "0 P s1 \"select 1\" S\n"
	  "0 P - \"set search_path = s5, public\" B - - () E - 0 S\n"
	  "0 Q \"begin\"\n"
	  "0 P s3 \"select 2\" P s2 \"select 3\" E p1 0 S B p2 s4 () S\n" },
	{ "a portal's name that is longer than any other", "# 1 clients, 1 servers, max_prepared_statements = 3\n"
							   "0 P s1 \"select 1\" B @5000 s1 () E @5000 0 S\n" },
	{ "what is set under way reads what follows",
	  "# 2 clients, 1 servers, max_prepared_statements = 3\n"
	  "0 Q \"set standard_conforming_strings = off\" Q \"select 'a\\\\'' ; set work_mem = '7MB' --'\"\n"
	  "1 Q \"show work_mem\"\n"
	  "0 Q \"show work_mem\" Q \"discard all\" P - \"set standard_conforming_strings = off\" B - - () E - 0 S "
	  "Q \"select 'a\\\\'' ; set work_mem = '8MB' --'\"\n"
	  "1 Q \"show work_mem\"\n"
	  "0 Q \"show work_mem\" Q \"discard all\" Q \"begin\" Q \"set standard_conforming_strings = off\"\n"
	  "0 Q \"rollback\" Q \"select 'a\\\\' ; set work_mem = '9MB' --'\"\n"
	  "1 Q \"show work_mem\"\n"
	  "0 Q \"show work_mem\"\n" },
	{ "what is set under way reads what is only noted",
	  "# 2 clients, 1 servers, max_prepared_statements = 0\n"
	  "0 Q \"set standard_conforming_strings = off\" P - \"set my.x = 'a\\\\'b'\" B - - () E - 0 S\n"
	  "1 Q \"select coalesce(current_setting('my.x', true), '')\"\n"
	  "0 Q \"show my.x\"\n" },
	{ "half a character is no escape",
	  "# 2 clients, 1 servers, max_prepared_statements = 3\n"
	  "0 Q \"set client_encoding = sjis\" Q \"select length(E'\x95\\\\'); set work_mem = '7MB'\"\n"
	  "1 Q \"show work_mem\"\n"
	  "0 Q \"select length(E'\xb1\\\\'; set work_mem = 8'); show work_mem\" Q \"set client_encoding = gbk\" "
	  "Q \"set standard_conforming_strings = off\" Q \"select length('\x95\\\\'); set work_mem = '8MB'\"\n"
	  "1 Q \"show work_mem\"\n"
	  "0 Q \"show work_mem\"\n" },
	{ "what runs by it is followed", "# 2 clients, 1 servers, max_prepared_statements = 3\n"
					 "0 P s1 \"set work_mem = '7MB'\" B @5000 s1 () E @5000 0 S\n"
					 "1 Q \"show work_mem\"\n"
					 "0 P s2 \"set work_mem = '8MB'\" B @9900 s2 () E @9900 0 S\n"
					 "0 Q \"show work_mem\" Q \"discard all\"\n"
					 "1 Q \"show work_mem\"\n" },
	{ "a text that begins as what a PREPARE made",
	  "# 2 clients, 1 servers, max_prepared_statements = 3\n"
	  "0 P s1 \"\1 as select 1\" B - s1 () E - 0 S\n"
	  "0 P s1 \"select 1\" S B - s1 () E - 0 S P - \"\1 as select 2\" S B - - () E - 0 S\n"
	  "1 Q \"select 3\"\n" },
	{ "a Query with PREPARE in a batch that has no Sync yet",
	  "# 2 clients, 1 servers, max_prepared_statements = 3\n"
	  "0 P - \"select 1\" Q \"prepare a as select 1\" S Q \"execute a\"\n"
	  "1 Q \"prepare a as select 2\" Q \"execute a\" P s1 \"select 3\" S\n"
	  "0 P s1 \"select 3\" Q \"execute a; deallocate a\" B - s1 () E - 0 S\n"
	  "1 B - s9 () Q \"execute a\" S Q \"execute a\"\n" },
	{ "a long text with a setting at its end",
	  "# 2 clients, 1 servers, max_prepared_statements = 3\n"
	  "0 Q \"select 1 /* @70000 */; set work_mem = '7MB'\"\n"
	  "0 Q \"show work_mem\" Q \"discard all\"\n"
	  "1 Q \"show work_mem\" P - \"select '@70000', set_config('work_mem', '8MB', false)\" B - - () E - 0 S\n"
	  "1 Q \"show work_mem\" Q \"discard all\" Q \"select '@90000'; select 2\"\n"
	  "0 Q \"show work_mem\"\n" },
	{ "what the server itself has prepared sets what it sets",
	  "# 2 clients, 1 servers, max_prepared_statements = 0\n"
	  "0 P - \"set work_mem = '5MB'\" B p - () P - \"set work_mem = '6MB'\" B - - () E - 0 E p 0 S\n"
	  "1 Q \"show work_mem\"\n"
	  "0 Q \"show work_mem\"\n"
	  "0 P - \"set work_mem = '7MB'\" B - - () E - 0 P - \"select 1/0\" B - - () E - 0 S\n"
	  "1 P - \"show work_mem\" B - - () E - 0 S\n"
	  "0 Q \"show work_mem\" P - \"select '@70000', set_config('work_mem', '8MB', false)\" B - - () E - 0 S "
	  "Q \"show work_mem\" Q \"discard all\"\n"
	  "1 Q \"show work_mem\"\n"
	  "0 Q \"show work_mem\"\n" },
	{ "functions that are called leave a lock or a setting",
	  "# 2 clients, 2 servers, max_prepared_statements = 3\n"
	  "0 F 2078 (work_mem,7MB,f)\n"
	  "0 Q \"select 1\"\n"
	  "1 Q \"show work_mem\" Q \"select pg_advisory_unlock_all()\"\n"
	  "0 Q \"show work_mem\"\n" },
	{ "a lock outlives the error of its statement",
	  "# 2 clients, 2 servers, max_prepared_statements = 3\n"
	  "0 Q \"select pg_advisory_lock(77), 1/(length(pg_advisory_lock(77)::text))\"\n"
	  "1 Q \"select pg_advisory_unlock(77)\"\n"
	  "0 Q \"select pg_advisory_unlock(77)\"\n" },
};

static void say_again(char *line, size_t cap, const char *what, unsigned times)
{
	for (size_t n = strlen(line), len = strlen(what); times > 0 && n + len < cap; times--, n += len)
		memcpy(line + n, what, len + 1);
}

/* Batches that are longer than what is owed at most. */
static void test_long_batches(void)
{
	static char line[128 << 10];
	static const struct {
		const char *first, *again;
		unsigned times;
	} cases[] = {
		{ "0 P s1 \"select 1\" S", " B - s1 () E - 0", 2100 },
		{ "0 B - s1 () E - 0", " CS no", 5000 },
		{ "0", " CS no", 9000 },
		{ "0 Q \"begin\"", " B - s1 () E - 0 H", 3000 },
	};
	struct twins_conf conf = { .clients = 1, .pool = 1, .kept = 3 };
	check("in", twins_open(&conf));
	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(line, sizeof line, "%s", cases[i].first);
		say_again(line, sizeof line - 3, cases[i].again, cases[i].times);
		say_again(line, sizeof line, " S", 1);
		if (!check(cases[i].again, twins_say(line) == TWINS_FINE && twins_settle() == TWINS_FINE))
			fprintf(stderr, "%.2000s", twins_story());
	}
	check("in step", twins_finish() == TWINS_FINE);
	twins_close();
}

static void test_found(void)
{
	for (size_t i = 0; i < COUNT(found); i++) {
		struct script s;
		script_read(&s, found[i].script);
		if (!check(found[i].what, script_say(&s) == TWINS_FINE))
			fprintf(stderr, "%s", twins_story());
		script_free(&s);
		alarm(300);
	}
}

static unsigned env_number(const char *name, unsigned otherwise)
{
	const char *v = getenv(name);
	return v && *v ? (unsigned)strtoul(v, NULL, 10) : otherwise;
}

/* False: it differs. */
static bool one_seed(uint64_t seed, unsigned steps)
{
	uint64_t luck = seed;
	static const unsigned kept[] = { 1, 3, 3, 200 };
	unsigned kind = (unsigned)(chance(&luck) % 8);
	struct script s = { .conf = { .clients = CLIENTS,
				      .pool = 1 + (unsigned)(chance(&luck) % 3),
				      .kept = kept[chance(&luck) % COUNT(kept)],
				      .session = kind == 0,
				      .ask = kind >= 5 || (kind == 0 && chance(&luck) % 2) } };
	bool pins = kind < 3;
	if (pins) /* each may come to keep one; they change nevertheless */
		s.conf.pool = CLIENTS + 1;
	struct mind minds[TWINS_MAX] = { 0 };
	for (unsigned i = 0; i < s.conf.clients; i++) {
		minds[i] = (struct mind){ .luck = chance(&luck), .number = i, .pins = pins };
		for (unsigned k = 0; k <= NAMES; k++)
			minds[i].text_of[k] = -1;
	}
	uint64_t began = now_ms();
	enum twins_verdict v = twins_open(&s.conf) ? TWINS_FINE : TWINS_DIFFER;
	for (unsigned step = 0; step < steps && v == TWINS_FINE; step++) {
		unsigned can[TWINS_MAX], n = 0;
		for (unsigned i = 0; i < s.conf.clients; i++)
			if (!twins_is_busy(i))
				can[n++] = i;
		if (n == 0 || chance(&luck) % 8 == 0)
			v = twins_settle();
		if (n == 0 || v != TWINS_FINE)
			continue;
		unsigned who = can[chance(&luck) % n];
		if (twins_is_busy(who))
			continue;
		const char *line = think(&minds[who]);
		script_add(&s, line);
		v = twins_say(line);
		if (step % 256 == 0)
			alarm(300);
	}
	if (v == TWINS_FINE)
		v = twins_finish();
	twins_close();
	if (v == TWINS_FINE) {
		printf("(seed %llu: %zu steps, %u servers, %u kept%s%s, %llu ms) ", (unsigned long long)seed, s.n,
		       s.conf.pool, s.conf.kept, s.conf.session ? ", session" : "", s.conf.ask ? ", asks" : "",
		       (unsigned long long)(now_ms() - began));
		script_free(&s);
		return true;
	}
	fprintf(stderr, "\nseed %llu, after %zu steps: %s\n", (unsigned long long)seed, s.n, twins_story());
	cut_down(&s, v);
	s.conf.patience_ms = 3000;
	fprintf(stderr, "in short:\n");
	script_print(&s);
	if (script_say(&s) != TWINS_FINE)
		fprintf(stderr, "%s\n", twins_story());
	else
		fprintf(stderr, "(this once it went well)\n");
	script_free(&s);
	return false;
}

static void test_property(void)
{
	is_lost_by_queries = atoi(pg_scalar("show server_version_num")) >= 180000;
	unsigned steps = env_number("PROPERTY_STEPS", STEPS), seconds = env_number("PROPERTY_FOR", 0);
	uint64_t seed = env_number("PROPERTY_SEED", 0), until = now_ms() + seconds * 1000ull;
	if (!seconds) {
		for (uint64_t i = seed ? seed : 1, n = seed ? 1 : SEEDS; n > 0; n--, i++)
			check(text("seed %llu", (unsigned long long)i), one_seed(i, steps));
		return;
	}
	if (!seed) {
		struct timespec now;
		clock_gettime(CLOCK_REALTIME, &now);
		seed = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 20;
		seed = chance(&seed) % 1000000000;
	}
	while (now_ms() < until && check(text("seed %llu", (unsigned long long)seed), one_seed(seed, steps)))
		seed++;
}

static void test_script(void)
{
	const char *path = getenv("PROPERTY_SCRIPT");
	if (!path) {
		skip("PROPERTY_SCRIPT names none");
		return;
	}
	struct script s;
	script_read(&s, file_text(path));
	enum twins_verdict v = script_say(&s);
	check("the script", v == TWINS_FINE);
	fprintf(stderr, "%s\n", twins_story());
	script_free(&s);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "found", test_found },
		{ "long_batches", test_long_batches },
		{ "property", test_property },
		{ NULL, NULL },
	};
	static const struct unit_test one[] = {
		{ "script", test_script },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "property", getenv("PROPERTY_SCRIPT") ? one : tests);
}
