/* classify.c - what a statement is: its head is parsed, the rest looked over. PostgreSQL docs, SQL Commands. */
#include "sql/classify_int.h"

#include <string.h>

#define CONFIG_TOKENS_MAX 64 /* how far a set_config()'s third argument is looked for */

const char *sql_kind_name(enum sql_kind kind)
{
	static const char *const names[] = {
#define X(name, shown) [SQL_##name] = shown,
		SQL_KINDS(X)
#undef X
	};
	return (unsigned)kind < SQL_NKINDS ? names[kind] : "?";
}

const char *sql_isolation_name(enum sql_isolation isolation)
{
	static const char *const names[] = { "", "read uncommitted", "read committed", "repeatable read",
					     "serializable" };
	return (unsigned)isolation < sizeof names / sizeof names[0] ? names[isolation] : "";
}

/* --- A cursor: the token that was not yet taken, and which keyword it is */

struct cur {
	struct sql_lexer lex;
	struct sql_token t;
	enum sql_word w;
};

static void step(struct cur *c)
{
	c->w = sql_lex(&c->lex, &c->t) == SQL_TOK_WORD ? sql_word_of(c->lex.s + c->t.span.at, c->t.span.len) : W_NONE;
}

static bool at_end(const struct cur *c)
{
	return c->t.kind == SQL_TOK_END || c->t.c == ';';
}

static bool take(struct cur *c, enum sql_word w)
{
	if (c->w != w)
		return false;
	step(c);
	return true;
}

static bool is_name(const struct cur *c)
{
	return c->t.kind == SQL_TOK_WORD || c->t.kind == SQL_TOK_QUOTED || c->t.kind == SQL_TOK_UQUOTED;
}

static bool is_string(const struct cur *c)
{
	switch (c->t.kind) {
	case SQL_TOK_STRING:
	case SQL_TOK_ESTRING:
	case SQL_TOK_USTRING:
	case SQL_TOK_DOLLAR:
		return true;
	default:
		return false;
	}
}

static bool take_name(struct cur *c, struct sql_span *name)
{
	if (!is_name(c))
		return false;
	*name = c->t.span;
	step(c);
	return true;
}

static bool take_string(struct cur *c)
{
	if (!is_string(c))
		return false;
	step(c);
	return true;
}

/* The span from the one's first byte to behind the other's last. */
static struct sql_span span_to(struct sql_span a, struct sql_span b)
{
	return (struct sql_span){ a.at, b.at + b.len - a.at };
}

/* --- Transactions. Each parser takes its statement up to the end; false: that is not how it is written. */

static bool take_isolation(struct cur *c, struct sql_modes *m)
{
	if (!take(c, W_LEVEL))
		return false;
	if (take(c, W_SERIALIZABLE))
		m->isolation = SQL_ISO_SERIALIZABLE;
	else if (take(c, W_REPEATABLE) && take(c, W_READ))
		m->isolation = SQL_ISO_REPEATABLE_READ;
	else if (!take(c, W_READ))
		return false;
	else if (take(c, W_COMMITTED))
		m->isolation = SQL_ISO_READ_COMMITTED;
	else if (take(c, W_UNCOMMITTED))
		m->isolation = SQL_ISO_READ_UNCOMMITTED;
	else
		return false;
	return true;
}

static bool take_modes(struct cur *c, struct sql_modes *m)
{
	while (!at_end(c)) {
		if (take(c, W_ISOLATION)) {
			if (!take_isolation(c, m))
				return false;
		} else if (take(c, W_READ)) {
			if (take(c, W_ONLY))
				m->read_only = SQL_YES;
			else if (take(c, W_WRITE))
				m->read_only = SQL_NO;
			else
				return false;
		} else if (take(c, W_DEFERRABLE)) {
			m->deferrable = SQL_YES;
		} else if (take(c, W_NOT) && take(c, W_DEFERRABLE)) {
			m->deferrable = SQL_NO;
		} else {
			return false;
		}
		if (c->t.c == ',') {
			step(c);
			if (at_end(c))
				return false;
		}
	}
	return true;
}

/* [AND [NO] CHAIN] */
static bool take_chain(struct cur *c, struct sql_stmt *st)
{
	if (!take(c, W_AND))
		return true;
	if (!take(c, W_NO))
		st->flags |= SQL_CHAIN;
	return take(c, W_CHAIN);
}

static void take_work(struct cur *c)
{
	if (!take(c, W_WORK))
		(void)take(c, W_TRANSACTION);
}

static bool parse_commit(struct cur *c, struct sql_stmt *st, bool prepared)
{
	st->kind = SQL_COMMIT;
	if (prepared && take(c, W_PREPARED)) {
		st->kind = SQL_COMMIT_PREPARED;
		st->flags |= SQL_NO_BLOCK;
		return take_string(c);
	}
	take_work(c);
	return take_chain(c, st);
}

/* [SAVEPOINT] name; it may be called savepoint. */
static bool take_savepoint(struct cur *c, struct sql_stmt *st)
{
	st->name = c->t.span;
	return (take(c, W_SAVEPOINT) && at_end(c)) || take_name(c, &st->name);
}

static bool parse_rollback(struct cur *c, struct sql_stmt *st, bool abort)
{
	st->kind = SQL_ROLLBACK;
	if (!abort && take(c, W_PREPARED)) {
		st->kind = SQL_ROLLBACK_PREPARED;
		st->flags |= SQL_NO_BLOCK;
		return take_string(c);
	}
	take_work(c);
	if (!abort && take(c, W_TO)) {
		st->kind = SQL_ROLLBACK_TO;
		return take_savepoint(c, st);
	}
	return take_chain(c, st);
}

/* --- Settings */

/* A name of one or more parts. */
static bool take_setting_name(struct cur *c, struct sql_stmt *st)
{
	struct sql_span part;
	if (!take_name(c, &st->name))
		return false;
	while (c->t.c == '.') {
		step(c);
		if (!take_name(c, &part))
			return false;
		st->name = span_to(st->name, part);
	}
	return true;
}

/* One of a list of values. */
static bool take_value(struct cur *c, struct sql_span *value)
{
	*value = c->t.span;
	if (c->t.c == '+' || c->t.c == '-') {
		step(c);
		*value = span_to(*value, c->t.span);
		if (c->t.kind != SQL_TOK_NUMBER)
			return false;
		step(c);
		return true;
	}
	if (c->t.kind != SQL_TOK_NUMBER && !is_name(c) && !is_string(c))
		return false;
	bool unicode = c->t.kind == SQL_TOK_UQUOTED || c->t.kind == SQL_TOK_USTRING;
	step(c);
	if (unicode && take(c, W_UESCAPE)) {
		*value = span_to(*value, c->t.span);
		return take_string(c);
	}
	return true;
}

/* What stands behind = or TO, up to the end. */
static bool take_values(struct cur *c, struct sql_stmt *st)
{
	struct sql_span part;
	if (c->w == W_DEFAULT) {
		st->flags |= SQL_DEFAULT;
		step(c);
		return true;
	}
	if (!take_value(c, &st->value))
		return false;
	while (c->t.c == ',') {
		step(c);
		if (!take_value(c, &part))
			return false;
		st->value = span_to(st->value, part);
	}
	return true;
}

/* One word or string, or DEFAULT. */
static bool take_one(struct cur *c, struct sql_stmt *st, const char *setting)
{
	st->setting = setting;
	if (take(c, W_DEFAULT)) {
		st->flags |= SQL_DEFAULT;
		return true;
	}
	return (is_name(c) || is_string(c)) && take_value(c, &st->value);
}

static bool take_zone(struct cur *c, struct sql_stmt *st)
{
	st->setting = "timezone";
	if (take(c, W_DEFAULT) || take(c, W_LOCAL)) {
		st->flags |= SQL_DEFAULT;
		return true;
	}
	if (c->w != W_INTERVAL)
		return take_value(c, &st->value);
	/* INTERVAL '1' HOUR TO MINUTE, INTERVAL (2) '1': the server's to understand */
	st->value = c->t.span;
	for (step(c); !at_end(c); step(c)) {
		if (c->t.kind != SQL_TOK_WORD && c->t.kind != SQL_TOK_NUMBER && c->t.c != '(' && c->t.c != ')' &&
		    !is_string(c))
			return false;
		st->value = span_to(st->value, c->t.span);
	}
	return true;
}

/* Does the word that was just taken stand as a name, as something is given to it? */
static bool is_assigned(const struct cur *c)
{
	return c->t.c == '=' || c->t.c == '.' || c->w == W_TO || c->w == W_FROM;
}

static bool parse_set(struct cur *c, struct sql_stmt *st)
{
	struct cur word = *c;
	st->kind = SQL_SET;
	step(c);
	if ((word.w == W_SESSION || word.w == W_LOCAL) && !is_assigned(c) &&
	    !(word.w == W_SESSION && (c->w == W_AUTHORIZATION || c->w == W_CHARACTERISTICS))) {
		if (word.w == W_LOCAL)
			st->flags |= SQL_LOCAL;
		word = *c;
		step(c);
	}
	if (!is_assigned(c)) {
		switch (word.w) {
		case W_TIME:
			return take(c, W_ZONE) && take_zone(c, st);
		case W_NAMES:
			if (at_end(c)) {
				st->flags |= SQL_DEFAULT;
				st->setting = "client_encoding";
				return true;
			}
			return (is_string(c) || c->w == W_DEFAULT) && take_one(c, st, "client_encoding");
		case W_SCHEMA:
			return is_string(c) && take_one(c, st, "search_path");
		case W_ROLE:
			return c->w != W_DEFAULT && take_one(c, st, "role");
		case W_SESSION:
			if (take(c, W_AUTHORIZATION))
				return take_one(c, st, "session_authorization");
			st->kind = SQL_SET_CHARACTERISTICS;
			return take(c, W_CHARACTERISTICS) && take(c, W_AS) && take(c, W_TRANSACTION) && !at_end(c) &&
			       take_modes(c, &st->modes);
		case W_TRANSACTION:
			st->kind = SQL_SET_TRANSACTION;
			if (take(c, W_SNAPSHOT))
				return take_string(c);
			return !at_end(c) && take_modes(c, &st->modes);
		case W_CONSTRAINTS:
			st->kind = SQL_SET_CONSTRAINTS;
			while (!at_end(c) && c->t.kind != SQL_TOK_BAD)
				step(c);
			return c->t.kind != SQL_TOK_BAD;
		case W_XML:
			return take(c, W_OPTION) && (c->w == W_DOCUMENT || c->w == W_CONTENT) &&
			       take_one(c, st, "xmloption");
		default:
			return false;
		}
	}
	*c = word;
	if (!take_setting_name(c, st))
		return false;
	if (take(c, W_FROM))
		return take(c, W_CURRENT);
	if (c->t.c == '=')
		step(c);
	else if (!take(c, W_TO))
		return false;
	return take_values(c, st);
}

/* RESET and SHOW. */
static bool parse_reset(struct cur *c, struct sql_stmt *st)
{
	struct cur word = *c;
	if (take(c, W_ALL)) {
		st->flags |= SQL_ALL;
		return true;
	}
	step(c);
	if (word.w == W_TIME && take(c, W_ZONE)) {
		st->setting = "timezone";
		return true;
	}
	if (word.w == W_SESSION && take(c, W_AUTHORIZATION)) {
		st->setting = "session_authorization";
		return true;
	}
	if (word.w == W_TRANSACTION && take(c, W_ISOLATION)) {
		st->setting = "transaction_isolation";
		return take(c, W_LEVEL);
	}
	*c = word;
	return take_setting_name(c, st);
}

/* --- Prepared statements, cursors, channels */

static bool parse_deallocate(struct cur *c, struct sql_stmt *st)
{
	struct sql_span first = c->t.span;
	if (take(c, W_PREPARE) && at_end(c)) { /* one that is called prepare */
		st->name = first;
		return true;
	}
	if (take(c, W_ALL)) {
		st->flags |= SQL_ALL;
		return true;
	}
	return take_name(c, &st->name);
}

static bool parse_discard(struct cur *c, struct sql_stmt *st)
{
	if (take(c, W_ALL))
		st->flags |= SQL_ALL | SQL_NO_BLOCK;
	else if (take(c, W_PLANS))
		st->flags |= SQL_PLANS;
	else if (take(c, W_SEQUENCES))
		st->flags |= SQL_SEQUENCES;
	else if (take(c, W_TEMP) || take(c, W_TEMPORARY))
		st->flags |= SQL_TEMP;
	else
		return false;
	return true;
}

static bool parse_unlisten(struct cur *c, struct sql_stmt *st)
{
	if (c->t.c != '*')
		return take_name(c, &st->name);
	st->flags |= SQL_ALL;
	step(c);
	return true;
}

static bool parse_notify(struct cur *c, struct sql_stmt *st)
{
	if (!take_name(c, &st->name))
		return false;
	if (c->t.c != ',')
		return true;
	step(c);
	st->value = c->t.span;
	return take_string(c);
}

static bool parse_close(struct cur *c, struct sql_stmt *st)
{
	if (take(c, W_ALL)) {
		st->flags |= SQL_ALL;
		return true;
	}
	return take_name(c, &st->name);
}

/* FETCH and MOVE: the cursor is what stands last. */
static bool parse_fetch(struct cur *c, struct sql_stmt *st)
{
	bool named = false;
	for (; !at_end(c) && c->t.kind != SQL_TOK_BAD; step(c)) {
		named = is_name(c);
		st->name = c->t.span;
	}
	return named;
}

/* --- The rest of a statement, looked over word by word */

/* What a statement's head leaves to be found. */
struct scan {
	struct sql_stmt *st;
	enum sql_kind *kind; /* of the statement or of its body */
	const struct sql_funcs *funcs;
	bool with;     /* which statement it is stands behind the WITH's parts */
	bool routine;  /* CREATE FUNCTION: a body may hold semicolons */
	bool copy;     /* COPY: which way, and from whom */
	bool alone;    /* CONCURRENTLY means that it cannot run in a transaction block */
	bool database; /* ALTER DATABASE */
	bool locks, makes;
};

/* Is the third argument of the call whose parenthesis was just taken the literal true? */
static bool is_local_config(const struct sql_lexer *lex)
{
	struct cur c = { .lex = *lex };
	unsigned depth = 0, commas = 0;
	for (int i = 0; i < CONFIG_TOKENS_MAX; i++) {
		step(&c);
		if (c.t.kind == SQL_TOK_END || c.t.kind == SQL_TOK_BAD)
			return false;
		if (c.t.c == '(') {
			depth++;
		} else if (c.t.c == ')') {
			if (depth-- == 0)
				return false;
		} else if (c.t.c == ',' && depth == 0 && ++commas == 2) {
			char text[8];
			step(&c);
			bool yes = c.w == W_TRUE;
			if (c.t.kind == SQL_TOK_STRING && c.t.span.len < sizeof text)
				yes = sql_string_decode(c.lex.s + c.t.span.at, c.t.span.len, lex->mode, text,
							sizeof text) > 0 &&
				      (strcmp(text, "t") == 0 || strcmp(text, "true") == 0);
			step(&c);
			return yes && c.t.c == ')';
		}
	}
	return false;
}

/* A name and, before it, its schema; or neither. Reads of their tokens, so that an operator may call for them late. */
struct named {
	struct sql_token name, schema; /* END: none */
	enum sql_word before;          /* the keyword that stands before both */
};

static void note_call(struct scan *sc, const struct sql_lexer *lex, const struct named *n)
{
	char name[SQL_IDENT_MAX + 1], schema[SQL_IDENT_MAX + 1];
	const uint8_t *s = lex->s + n->name.span.at;
	size_t len = n->name.span.len;
	bool fold = n->name.kind == SQL_TOK_WORD && len <= SQL_IDENT_MAX;

	switch (n->before) { /* not called, but told of */
	case W_INTO:
	case W_TABLE:
	case W_FUNCTION:
	case W_PROCEDURE:
		return;
	default:
		break;
	}
	if (!fold) {
		int told = sql_ident_decode(s, len, lex->mode, name);
		if (told < 0) {
			if (len > 2) /* "" is no name at all */
				sc->st->flags |= SQL_HIDDEN;
			return;
		}
		s = (const uint8_t *)name;
		len = (size_t)told;
	}
	if (!sql_funcs_find(sc->funcs, s, len, fold, NULL))
		return;
	bool whose = n->schema.kind != SQL_TOK_END &&
		     sql_ident_decode(lex->s + n->schema.span.at, n->schema.span.len, lex->mode, schema) >= 0;
	uint32_t calls = sql_funcs_find(sc->funcs, s, len, fold, whose ? schema : NULL);
	if ((calls & SQL_CALL_SET_CONFIG) && !is_local_config(lex))
		calls |= SQL_CALL_SET_CONFIG_SESSION;
	sc->st->calls |= calls;
}

/* pg_temp, or one of those that it stands for */
static bool is_temp_schema(const struct sql_lexer *lex, const struct sql_token *t)
{
	char name[SQL_IDENT_MAX + 1];
	if (t->kind != SQL_TOK_WORD && t->kind != SQL_TOK_QUOTED && t->kind != SQL_TOK_UQUOTED)
		return false;
	if (t->kind != SQL_TOK_UQUOTED && (t->span.len < 7 || t->span.len > 24))
		return false;
	int n = sql_ident_decode(lex->s + t->span.at, t->span.len, lex->mode, name);
	if (n < 0)
		return t->kind == SQL_TOK_UQUOTED; /* may be; of the others only what is not ASCII is not told */
	return strcmp(name, "pg_temp") == 0 || strncmp(name, "pg_temp_", 8) == 0;
}

static enum sql_kind query_kind(enum sql_word w)
{
	switch (w) {
	case W_SELECT:
		return SQL_SELECT;
	case W_VALUES:
		return SQL_VALUES;
	case W_TABLE:
		return SQL_TABLE;
	case W_INSERT:
		return SQL_INSERT;
	case W_UPDATE:
		return SQL_UPDATE;
	case W_DELETE:
		return SQL_DELETE;
	case W_MERGE:
		return SQL_MERGE;
	default:
		return SQL_UNKNOWN;
	}
}

/* Behind these a WITH has a name of the user's, whatever keyword it looks like. */
static bool is_before_name(const struct sql_token *t, enum sql_word w)
{
	switch (w) {
	case W_WITH:
	case W_RECURSIVE:
	case W_BY:
	case W_SET:
	case W_USING:
	case W_CYCLE:
	case W_TO:
	case W_DEFAULT:
		return true;
	default:
		return t->c == ',';
	}
}

static void scan_copy(struct scan *sc, struct cur *c, enum sql_word prev)
{
	if (prev != W_FROM && prev != W_TO)
		return;
	sc->copy = false;
	if (c->w == W_STDIN || c->w == W_STDOUT) /* either word in either direction */
		sc->st->flags |= prev == W_FROM ? SQL_COPY_IN : SQL_COPY_OUT;
}

/* One word; prev, pw: the token before it, and which keyword that was. */
static void scan_word(struct scan *sc, struct cur *c, const struct sql_token *prev, enum sql_word pw, unsigned depth,
		      unsigned *atomic)
{
	struct sql_stmt *st = sc->st;
	switch (c->w) {
	case W_ATOMIC:
		if (sc->routine && pw == W_BEGIN && depth == 0 && *atomic == 0) {
			*atomic = 1;
			sc->routine = false;
		}
		break;
	case W_CASE:
		if (*atomic && prev->c != '.' && pw != W_AS)
			++*atomic;
		break;
	case W_END:
		if (*atomic && prev->c != '.' && pw != W_AS)
			--*atomic;
		break;
	case W_INTO:
		sc->makes |= *sc->kind == SQL_SELECT && pw != W_INSERT && pw != W_MERGE;
		break;
	case W_TEMP:
	case W_TEMPORARY:
		if (sc->makes && (pw == W_INTO || pw == W_LOCAL || pw == W_GLOBAL))
			st->flags |= SQL_TEMP;
		break;
	case W_SHARE:
	case W_NO:
	case W_KEY:
		sc->locks |= pw == W_FOR;
		break;
	case W_UPDATE:
		sc->locks |= pw == W_FOR;
		/* fall through */
	case W_INSERT:
	case W_DELETE:
	case W_MERGE:
		if (prev->c == '(' || (prev->c == ')' && depth > 0))
			st->flags |= SQL_MODIFIES;
		break;
	case W_CONCURRENTLY:
		if (sc->alone)
			st->flags |= SQL_NO_BLOCK;
		break;
	case W_TABLESPACE:
		if (sc->database && pw == W_SET)
			st->flags |= SQL_NO_BLOCK;
		break;
	default:
		break;
	}
	if (sc->with && depth == 0 && !is_before_name(prev, pw)) {
		enum sql_kind kind = query_kind(c->w);
		if (kind != SQL_UNKNOWN) {
			*sc->kind = kind;
			sc->with = false;
		}
	}
}

/* Goes on from the token at c to the statement's end. */
static void scan(struct scan *sc, struct cur *c)
{
	struct sql_stmt *st = sc->st;
	struct sql_token prev = { .kind = SQL_TOK_END };
	enum sql_word pw = W_NONE, pw2 = W_NONE;
	struct named named = { prev, prev, W_NONE };
	unsigned depth = 0, atomic = 0;

	for (;; step(c)) {
		if (c->t.kind == SQL_TOK_END || c->t.kind == SQL_TOK_BAD)
			return;
		if (sc->copy && depth == 0)
			scan_copy(sc, c, pw);
		bool names = is_name(c);
		if (names) {
			if (prev.c == '.' && named.name.kind != SQL_TOK_END) {
				named.schema = named.name;
				named.name = c->t;
			} else {
				named = (struct named){ c->t, { .kind = SQL_TOK_END }, pw };
			}
			if (pw == W_EXECUTE && pw2 == W_AS && *sc->kind == SQL_CREATE && depth == 0) {
				st->flags |= SQL_EXECUTES;
				st->name = c->t.span;
				if (sc->kind == &st->kind)
					st->inner = SQL_EXECUTE;
				named.name.kind = SQL_TOK_END; /* of a statement, not of a function */
			}
			if (c->t.kind == SQL_TOK_WORD)
				scan_word(sc, c, &prev, pw, depth, &atomic);
		} else if (c->t.c == '(') {
			if (sc->funcs && named.name.kind != SQL_TOK_END && prev.c != '.')
				note_call(sc, &c->lex, &named);
			depth++;
		} else if (c->t.c == ')') {
			depth -= depth > 0;
		} else if (c->t.c == '.') {
			if ((*sc->kind == SQL_CREATE || sc->makes) && is_temp_schema(&c->lex, &prev))
				st->flags |= SQL_TEMP;
		} else if (c->t.c == ';' && depth == 0 && atomic == 0) {
			return;
		}
		if (c->w == W_UESCAPE && prev.kind == SQL_TOK_UQUOTED && sc->funcs)
			st->flags |= SQL_HIDDEN;
		if (!names && c->t.c != '.')
			named.name.kind = SQL_TOK_END;
		pw2 = pw;
		prev = c->t;
		pw = c->w;
	}
}

/* --- Heads */

/* Behind the parenthesis that closes the one at c. */
static bool skip_parens(struct cur *c)
{
	unsigned depth = 0;
	for (; !at_end(c) && c->t.kind != SQL_TOK_BAD; step(c)) {
		depth += c->t.c == '(';
		if (c->t.c == ')' && --depth == 0) {
			step(c);
			return true;
		}
	}
	return false;
}

static bool head(struct scan *sc, struct cur *c, bool within);

static bool head_body(struct scan *sc, struct cur *c)
{
	sc->st->body = (struct sql_span){ c->t.span.at, 0 }; /* its length is known at the end */
	sc->kind = &sc->st->inner;
	return head(sc, c, true);
}

static bool head_prepare(struct scan *sc, struct cur *c)
{
	struct cur word = *c;
	struct sql_stmt *st = sc->st;
	if (take(c, W_TRANSACTION) && is_string(c)) {
		st->kind = SQL_PREPARE_TRANSACTION;
		step(c);
		return at_end(c);
	}
	*c = word;
	st->kind = SQL_PREPARE;
	if (!take_name(c, &st->name) || (c->t.c == '(' && !skip_parens(c)) || !take(c, W_AS))
		return false;
	return head_body(sc, c);
}

static bool head_explain(struct scan *sc, struct cur *c)
{
	struct sql_stmt *st = sc->st;
	if (c->t.c == '(') {
		struct cur options = *c;
		step(c);
		if (c->t.c == '(' || c->w == W_WITH || query_kind(c->w) != SQL_UNKNOWN) {
			*c = options;
			return head_body(sc, c);
		}
		for (; !at_end(c) && c->t.kind != SQL_TOK_BAD && c->t.c != ')';) {
			bool analyze = c->w == W_ANALYZE || c->w == W_ANALYSE;
			step(c);
			if (!analyze)
				continue;
			bool zero = c->t.kind == SQL_TOK_NUMBER && c->t.span.len == 1 && c->lex.s[c->t.span.at] == '0';
			if (c->w != W_FALSE && c->w != W_OFF && !zero)
				st->flags |= SQL_ANALYZE; /* or so it may be */
		}
		if (c->t.c != ')')
			return false;
		step(c);
		return head_body(sc, c);
	}
	if (take(c, W_ANALYZE) || take(c, W_ANALYSE))
		st->flags |= SQL_ANALYZE;
	(void)take(c, W_VERBOSE);
	return head_body(sc, c);
}

static bool head_declare(struct scan *sc, struct cur *c)
{
	struct sql_stmt *st = sc->st;
	if (!take_name(c, &st->name))
		return false;
	while (c->t.kind == SQL_TOK_WORD && c->w != W_CURSOR && c->w != W_FOR)
		step(c);
	if (!take(c, W_CURSOR))
		return false;
	if (take(c, W_WITH)) {
		st->flags |= SQL_HOLD;
		if (!take(c, W_HOLD))
			return false;
	} else if (take(c, W_WITHOUT) && !take(c, W_HOLD)) {
		return false;
	}
	return take(c, W_FOR) && head_body(sc, c);
}

static uint8_t object_of(enum sql_word w)
{
	switch (w) {
	case W_TABLE:
		return SQL_OBJECT_TABLE;
	case W_VIEW:
		return SQL_OBJECT_VIEW;
	case W_SEQUENCE:
		return SQL_OBJECT_SEQUENCE;
	default:
		return SQL_OBJECT_OTHER;
	}
}

static void head_define(struct scan *sc, struct cur *c, enum sql_word verb)
{
	struct sql_stmt *st = sc->st;
	if (verb == W_CREATE) {
		if (take(c, W_OR))
			(void)take(c, W_REPLACE);
		if (!take(c, W_LOCAL))
			(void)take(c, W_GLOBAL);
		if (take(c, W_TEMP) || take(c, W_TEMPORARY))
			st->flags |= SQL_TEMP;
		else
			(void)take(c, W_UNLOGGED);
		(void)take(c, W_RECURSIVE);
		sc->routine = c->w == W_FUNCTION || c->w == W_PROCEDURE;
	}
	st->object = object_of(c->w);
	sc->alone = true;
	sc->database = verb == W_ALTER && c->w == W_DATABASE;
	if (c->w == W_SYSTEM || c->w == W_TABLESPACE || c->w == W_SUBSCRIPTION || c->w == W_DATABASE)
		if (verb != W_ALTER || c->w == W_SYSTEM)
			st->flags |= SQL_NO_BLOCK;
}

static void head_maintain(struct scan *sc, struct cur *c, enum sql_word verb)
{
	if (verb == W_REINDEX) {
		if (c->t.c == '(')
			(void)skip_parens(c);
		sc->alone = true;
		if (c->w == W_DATABASE || c->w == W_SYSTEM || c->w == W_SCHEMA)
			sc->st->flags |= SQL_NO_BLOCK;
	} else if (verb == W_CLUSTER || verb == W_REPACK) {
		if (c->t.c == '(')
			(void)skip_parens(c);
		(void)take(c, W_VERBOSE);
		sc->alone = true;
		if (at_end(c))
			sc->st->flags |= SQL_NO_BLOCK;
	} else if (verb == W_VACUUM) {
		sc->st->flags |= SQL_NO_BLOCK;
	}
}

/* True when it was parsed to its end; then it has to be there. */
static bool parse_exactly(struct cur *c, struct sql_stmt *st, enum sql_word verb, bool *ok)
{
	struct cur from = *c;
	step(c);
	switch (verb) {
	case W_BEGIN:
		st->kind = SQL_BEGIN;
		take_work(c);
		*ok = take_modes(c, &st->modes);
		break;
	case W_START:
		st->kind = SQL_BEGIN;
		*ok = take(c, W_TRANSACTION) && take_modes(c, &st->modes);
		break;
	case W_COMMIT:
	case W_END:
		*ok = parse_commit(c, st, verb == W_COMMIT);
		break;
	case W_ROLLBACK:
	case W_ABORT:
		*ok = parse_rollback(c, st, verb == W_ABORT);
		break;
	case W_SAVEPOINT:
		st->kind = SQL_SAVEPOINT;
		*ok = take_name(c, &st->name);
		break;
	case W_RELEASE:
		st->kind = SQL_RELEASE;
		*ok = take_savepoint(c, st);
		break;
	case W_SET:
		*ok = parse_set(c, st);
		break;
	case W_RESET:
		st->kind = SQL_RESET;
		*ok = parse_reset(c, st);
		break;
	case W_SHOW:
		st->kind = SQL_SHOW;
		*ok = parse_reset(c, st);
		break;
	case W_DEALLOCATE:
		st->kind = SQL_DEALLOCATE;
		*ok = parse_deallocate(c, st);
		break;
	case W_DISCARD:
		st->kind = SQL_DISCARD;
		*ok = parse_discard(c, st);
		break;
	case W_LISTEN:
		st->kind = SQL_LISTEN;
		*ok = take_name(c, &st->name);
		break;
	case W_UNLISTEN:
		st->kind = SQL_UNLISTEN;
		*ok = parse_unlisten(c, st);
		break;
	case W_NOTIFY:
		st->kind = SQL_NOTIFY;
		*ok = parse_notify(c, st);
		break;
	case W_LOAD:
		st->kind = SQL_LOAD;
		*ok = take_string(c);
		break;
	case W_CLOSE:
		st->kind = SQL_CLOSE;
		*ok = parse_close(c, st);
		break;
	case W_FETCH:
		st->kind = SQL_FETCH;
		*ok = parse_fetch(c, st);
		break;
	case W_MOVE:
		st->kind = SQL_MOVE;
		*ok = parse_fetch(c, st);
		break;
	default:
		*c = from;
		return false;
	}
	return true;
}

/* The first words of a statement, or of a body; c is left where the rest has to be looked over. False: it is none. */
static bool head(struct scan *sc, struct cur *c, bool within)
{
	struct sql_stmt *st = sc->st;
	enum sql_word verb = c->w;

	if (c->t.c == '(') { /* (SELECT ...) UNION ... */
		struct cur inside = *c;
		while (inside.t.c == '(')
			step(&inside);
		*sc->kind = inside.w == W_WITH ? SQL_SELECT : query_kind(inside.w);
		if (inside.w == W_WITH)
			st->flags |= SQL_WITH_CTE;
		return *sc->kind == SQL_SELECT || *sc->kind == SQL_VALUES || *sc->kind == SQL_TABLE;
	}
	if (query_kind(verb) != SQL_UNKNOWN) {
		*sc->kind = query_kind(verb);
		return true; /* the verb is looked at with the rest: INSERT INTO */
	}
	switch (verb) {
	case W_WITH:
		st->flags |= SQL_WITH_CTE;
		sc->with = true;
		return true;
	case W_EXECUTE:
		*sc->kind = SQL_EXECUTE;
		st->flags |= SQL_EXECUTES;
		step(c);
		return take_name(c, &st->name);
	case W_CREATE:
		*sc->kind = SQL_CREATE;
		step(c);
		head_define(sc, c, verb);
		return true;
	case W_DECLARE:
		*sc->kind = SQL_DECLARE;
		step(c);
		if (!within)
			return head_declare(sc, c);
		return true;
	default:
		if (within) /* EXPLAIN REFRESH MATERIALIZED VIEW, and what comes yet */
			return true;
	}
	step(c);
	switch (verb) {
	case W_PREPARE:
		return head_prepare(sc, c);
	case W_EXPLAIN:
		st->kind = SQL_EXPLAIN;
		return head_explain(sc, c);
	case W_COPY:
		st->kind = SQL_COPY;
		sc->copy = true;
		return true;
	case W_DO:
		st->kind = SQL_DO;
		return true;
	case W_CALL:
		st->kind = SQL_CALL;
		return true;
	case W_LOCK:
		st->kind = SQL_LOCK;
		return true;
	case W_ALTER:
		st->kind = SQL_ALTER;
		head_define(sc, c, verb);
		return true;
	case W_DROP:
		st->kind = SQL_DROP;
		head_define(sc, c, verb);
		return true;
	case W_TRUNCATE:
		st->kind = SQL_TRUNCATE;
		return true;
	case W_GRANT:
	case W_REVOKE:
		st->kind = SQL_GRANT;
		return true;
	case W_COMMENT:
	case W_SECURITY:
	case W_REASSIGN:
	case W_REFRESH:
	case W_IMPORT:
		st->kind = SQL_DEFINE;
		return true;
	case W_ANALYZE:
	case W_ANALYSE:
	case W_VACUUM:
	case W_CLUSTER:
	case W_REINDEX:
	case W_REPACK:
	case W_CHECKPOINT:
		st->kind = SQL_MAINTAIN;
		head_maintain(sc, c, verb);
		return true;
	default:
		return false;
	}
}

/* --- Reading */

void sql_read_init(struct sql_reader *r, const void *text, size_t len, unsigned mode, const struct sql_funcs *funcs,
		   unsigned ask)
{
	*r = (struct sql_reader){ .funcs = funcs, .ask = ask };
	sql_lex_init(&r->lex, text, len, mode);
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Is the query that begins at c the last statement, and nothing in it worth a look? Then *end is where it ends. */
static bool is_ordinary(struct sql_reader *r, const struct cur *c, enum sql_kind kind, uint32_t *end)
{
	const uint8_t *s = r->lex.s;
	uint32_t from = c->t.span.at, to = r->lex.end;
	while (to > from && is_blank(s[to - 1]))
		to--;
	if (to > from && s[to - 1] == ';')
		to--;
	if (!r->hints) /* for the first statement; those behind it have no more */
		r->hints = sql_hints(s + from, to - from, r->funcs);
	unsigned h = r->hints;
	if (h & (HINT_SEMI | HINT_CALL | HINT_UNAME))
		return false;
	if (kind == SQL_SELECT && (h & HINT_INTO) && (h & HINT_TEMP))
		return false;
	if (kind == SQL_SELECT && (r->ask & SQL_ASK_PLAIN) && (h & (HINT_INTO | HINT_FOR)))
		return false;
	while (to > from && is_blank(s[to - 1]))
		to--;
	*end = to;
	return true;
}

/* The statement ends at c: its spans, and where the next one begins. */
static void end_at(struct sql_reader *r, struct cur *c, uint32_t from, struct sql_stmt *st)
{
	uint32_t to = c->t.span.at;
	if (c->t.c == ';') {
		/* Blanks behind the last one are no statement. */
		r->lex.at = to + 1;
		struct sql_lexer ahead = r->lex;
		struct sql_token t;
		if (sql_lex(&ahead, &t) == SQL_TOK_END)
			r->lex.at = r->lex.end;
	} else {
		to = r->lex.end;
		r->lex.at = to;
	}
	st->part = (struct sql_span){ from, r->lex.at - from };
	if (st->kind == SQL_EMPTY)
		return;
	while (to > st->text.at && is_blank(r->lex.s[to - 1]))
		to--;
	st->text.len = to - st->text.at;
	if (st->body.at)
		st->body.len = to > st->body.at ? to - st->body.at : 0;
}

static bool is_plain(const struct scan *sc)
{
	const struct sql_stmt *st = sc->st;
	return (st->kind == SQL_SELECT || st->kind == SQL_VALUES || st->kind == SQL_TABLE) && !sc->locks &&
	       !sc->makes && !st->calls && !(st->flags & (SQL_TEMP | SQL_MODIFIES | SQL_HIDDEN));
}

/* SELECT [pg_catalog.]set_config('a', 'b', true) and no more. */
static void note_config(const struct sql_reader *r, struct sql_stmt *st)
{
	struct cur c = { .lex = r->lex };
	struct sql_span name, value;
	c.lex.at = st->text.at;
	c.lex.end = st->text.at + st->text.len;
	step(&c);
	step(&c);
	struct cur word = c;
	step(&c);
	if (c.t.c == '.') {
		step(&c);
		word = c;
		step(&c);
	}
	if (word.t.kind != SQL_TOK_WORD || c.t.c != '(')
		return;
	step(&c);
	name = c.t.span;
	if (!take_string(&c) || c.t.c != ',')
		return;
	step(&c);
	value = c.t.span;
	if (!take_string(&c) || c.t.c != ',')
		return;
	step(&c);
	bool local = c.w == W_TRUE;
	if (!local && c.w != W_FALSE)
		return;
	step(&c);
	if (c.t.c != ')')
		return;
	step(&c);
	if (c.t.kind != SQL_TOK_END)
		return;
	st->flags |= SQL_CONFIG | (local ? SQL_LOCAL : 0);
	st->name = name;
	st->value = value;
}

bool sql_read(struct sql_reader *r, struct sql_stmt *st)
{
	struct cur c = { .lex = r->lex };
	uint32_t from = r->lex.at, end;

	if (from >= r->lex.end)
		return false;
	step(&c);
	*st = (struct sql_stmt){ .text = { c.t.span.at, 0 } };
	struct scan sc = { .st = st, .kind = &st->kind, .funcs = r->funcs };
	if (at_end(&c)) {
		st->kind = SQL_EMPTY;
		end_at(r, &c, from, st);
		return true;
	}
	enum sql_kind query = query_kind(c.w);
	if (query != SQL_UNKNOWN && is_ordinary(r, &c, query, &end)) {
		st->kind = query;
		if (r->ask & SQL_ASK_PLAIN && is_plain(&sc))
			st->flags |= SQL_PLAIN;
		st->text.len = end - st->text.at;
		st->part = (struct sql_span){ from, r->lex.end - from };
		r->lex.at = r->lex.end;
		return true;
	}
	bool ok = true;
	if (c.t.kind == SQL_TOK_BAD) {
		ok = false;
	} else if (parse_exactly(&c, st, c.w, &ok)) {
		ok = ok && at_end(&c);
	} else {
		ok = head(&sc, &c, false);
	}
	if (!at_end(&c))
		scan(&sc, &c);
	if (!ok || c.t.kind == SQL_TOK_BAD || sc.with) {
		uint32_t calls = st->calls, flags = st->flags & SQL_HIDDEN;
		*st = (struct sql_stmt){ .text = st->text, .calls = calls, .flags = flags };
	}
	if (!(st->flags & SQL_WITH_CTE))
		st->flags &= ~(uint32_t)SQL_MODIFIES; /* a column of that name, or a syntax error */
	end_at(r, &c, from, st);
	if (r->ask & SQL_ASK_PLAIN && is_plain(&sc))
		st->flags |= SQL_PLAIN;
	if (st->kind == SQL_SELECT && (st->calls & SQL_CALL_SET_CONFIG))
		note_config(r, st);
	return true;
}

/* --- What a SET says */

int sql_setting_name(const void *text, unsigned mode, const struct sql_stmt *st, char *out, size_t cap)
{
	size_t n = 0;
	if (cap)
		out[0] = '\0';
	if (st->setting) {
		n = strlen(st->setting);
		if (n >= cap)
			return SQL_NOT_TOLD;
		memcpy(out, st->setting, n + 1);
		return (int)n;
	}
	const uint8_t *s = text;
	struct sql_lexer l;
	struct sql_token t;
	sql_lex_init(&l, s + st->name.at, st->name.len, mode);
	while (sql_lex(&l, &t) != SQL_TOK_END) {
		char part[SQL_IDENT_MAX + 1] = ".";
		int len = 1;
		if (t.c != '.')
			len = sql_ident_decode(l.s + t.span.at, t.span.len, mode, part);
		if (len < 0 || (size_t)len >= cap - n || cap == 0)
			goto not_told;
		for (int i = 0; i < len; i++)
			out[n++] = (char)(part[i] >= 'A' && part[i] <= 'Z' ? part[i] | 0x20 : part[i]);
		out[n] = '\0';
	}
	if (n)
		return (int)n;
not_told:
	if (cap)
		out[0] = '\0';
	return SQL_NOT_TOLD;
}

/* Settings whose value is a list of names: what needs quotes has them. */
static bool is_list_of_names(const char *name)
{
	static const char *const lists[] = { "search_path",
					     "temp_tablespaces",
					     "local_preload_libraries",
					     "session_preload_libraries",
					     "shared_preload_libraries",
					     "unix_socket_directories" };
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		if (strcmp(name, lists[i]) == 0)
			return true;
	return false;
}

/* A number as PostgreSQL keeps it: what fits 32 bits loses its zeros in front, others stay as they are written. */
static int number(const uint8_t *s, size_t len, bool minus, char *out, size_t cap)
{
	size_t n = 0, digits = 0;
	while (digits < len && s[digits] >= '0' && s[digits] <= '9')
		digits++;
	if (digits == len) {
		size_t zeros = 0;
		while (zeros + 1 < len && s[zeros] == '0')
			zeros++;
		size_t left = len - zeros;
		if (left < 10 || (left == 10 && memcmp(s + zeros, "2147483647", 10) <= 0)) {
			s += zeros;
			len = left;
			minus = minus && s[0] != '0';
		}
	} else {
		for (size_t i = 0; i < len; i++) /* 0x1f and 1_000 are other things in other versions */
			if (s[i] == '_' || ((s[i] | 0x20) >= 'a' && (s[i] | 0x20) <= 'z' && (s[i] | 0x20) != 'e'))
				return SQL_NOT_TOLD;
	}
	if (len + minus >= cap)
		return SQL_NOT_TOLD;
	if (minus)
		out[n++] = '-';
	memcpy(out + n, s, len);
	return (int)(n + len);
}

int sql_setting_value(const void *text, unsigned mode, const struct sql_stmt *st, char *out, size_t cap)
{
	char name[2 * SQL_IDENT_MAX + 2], part[1024];
	const uint8_t *s = text;
	struct sql_lexer l;
	struct sql_token t;
	size_t n = 0;

	if (cap == 0 || st->kind != SQL_SET || (st->flags & SQL_DEFAULT) || st->value.len == 0)
		return SQL_NOT_TOLD;
	out[0] = '\0';
	if (sql_setting_name(text, mode, st, name, sizeof name) < 0)
		name[0] = '\0'; /* too long to be one of ours */
	bool names = is_list_of_names(name);
	sql_lex_init(&l, s + st->value.at, st->value.len, mode);
	for (bool first = true;; first = false) {
		bool minus = false;
		int len;
		sql_lex(&l, &t);
		if (t.c == '+' || t.c == '-') {
			minus = t.c == '-';
			sql_lex(&l, &t);
		}
		const uint8_t *token = l.s + t.span.at;
		switch (t.kind) {
		case SQL_TOK_NUMBER:
			len = number(token, t.span.len, minus, part, sizeof part);
			break;
		case SQL_TOK_WORD:
		case SQL_TOK_QUOTED:
		case SQL_TOK_UQUOTED:
			len = sql_ident_decode(token, t.span.len, mode, part);
			break;
		default:
			len = sql_string_decode(token, t.span.len, mode, part, sizeof part);
		}
		if (len < 0)
			break;
		if (!first) {
			if (cap - n < 3)
				break;
			memcpy(out + n, ", ", 2);
			n += 2;
		}
		if (names && t.kind != SQL_TOK_NUMBER) {
			len = sql_quote_ident(part, (size_t)len, out + n, cap - n);
			if (len < 0)
				break;
		} else {
			if ((size_t)len >= cap - n)
				break;
			memcpy(out + n, part, (size_t)len);
		}
		n += (size_t)len;
		sql_lex(&l, &t);
		if (t.kind == SQL_TOK_END) {
			out[n] = '\0';
			return (int)n;
		}
		if (t.c != ',')
			break;
	}
	out[0] = '\0';
	return SQL_NOT_TOLD;
}
