/* classify.h - what each statement of a text is, and what it does to the session that runs it.
 *
 * A reader goes over a text statement by statement and says for each its kind and what a pooler must know of it, as
 * spans of the text. It looks at no more than it needs: of most SELECTs, INSERTs and the like only the first word,
 * while a few bytes that would mean more are looked for in steps of sixteen. Pure: no allocation, no I/O.
 *
 * What it says holds for a text that the server accepts. One that the server refuses as a whole (a syntax error
 * anywhere) does nothing, whatever is said here; what looks wrong is SQL_UNKNOWN, never a guess. What functions,
 * triggers and procedures do when called is not seen.
 * PostgreSQL docs, SQL Commands; the grammar of 15 to 18. */
#ifndef SLUICE_SQL_CLASSIFY_H
#define SLUICE_SQL_CLASSIFY_H

#include "sql/lexer.h"

/* Kinds and their names. */
#define SQL_KINDS(X)                                                                                                   \
	X(UNKNOWN, "unknown")                                                                                          \
	X(EMPTY, "empty") /* blanks, comments */                                                                       \
	/* Transactions. BEGIN has modes; COMMIT and ROLLBACK may have SQL_CHAIN; the next three have a name. */       \
	X(BEGIN, "begin")                                                                                              \
	X(COMMIT, "commit")                                                                                            \
	X(ROLLBACK, "rollback")                                                                                        \
	X(SAVEPOINT, "savepoint")                                                                                      \
	X(RELEASE, "release")                                                                                          \
	X(ROLLBACK_TO, "rollback to")                                                                                  \
	X(PREPARE_TRANSACTION, "prepare transaction")                                                                  \
	X(COMMIT_PREPARED, "commit prepared")                                                                          \
	X(ROLLBACK_PREPARED, "rollback prepared")                                                                      \
	/* Settings: sql_setting_name(), sql_setting_value(). */                                                       \
	X(SET, "set")     /* maybe SQL_LOCAL, SQL_DEFAULT */                                                           \
	X(RESET, "reset") /* maybe SQL_ALL */                                                                          \
	X(SHOW, "show")                                                                                                \
	X(SET_TRANSACTION, "set transaction")         /* for this transaction only; modes */                           \
	X(SET_CHARACTERISTICS, "set characteristics") /* for those to come; modes; maybe SQL_LOCAL */                  \
	X(SET_CONSTRAINTS, "set constraints")         /* for this transaction only */                                  \
	/* Prepared statements: a name; PREPARE has a body and an inner kind, DEALLOCATE maybe SQL_ALL. */             \
	X(PREPARE, "prepare")                                                                                          \
	X(EXECUTE, "execute")                                                                                          \
	X(DEALLOCATE, "deallocate")                                                                                    \
	/* Session state. */                                                                                           \
	X(DISCARD, "discard")   /* SQL_ALL, SQL_PLANS, SQL_SEQUENCES or SQL_TEMP */                                    \
	X(LISTEN, "listen")     /* name */                                                                             \
	X(UNLISTEN, "unlisten") /* name, or SQL_ALL */                                                                 \
	X(NOTIFY, "notify")     /* name; value is the payload's token, if there is one */                              \
	X(LOAD, "load")                                                                                                \
	X(DECLARE, "declare") /* name; maybe SQL_HOLD; a body and an inner kind */                                     \
	X(CLOSE, "close")     /* name, or SQL_ALL */                                                                   \
	X(FETCH, "fetch")     /* name */                                                                               \
	X(MOVE, "move")       /* name */                                                                               \
	/* Queries. SQL_TEMP: SELECT INTO makes a temporary table. SQL_WITH, SQL_MODIFIES. */                          \
	X(SELECT, "select") /* also (SELECT ...) and WITH ... SELECT */                                                \
	X(VALUES, "values")                                                                                            \
	X(TABLE, "table")                                                                                              \
	X(INSERT, "insert")                                                                                            \
	X(UPDATE, "update")                                                                                            \
	X(DELETE, "delete")                                                                                            \
	X(MERGE, "merge")                                                                                              \
	X(COPY, "copy")       /* SQL_COPY_IN or SQL_COPY_OUT, when the client is the other end */                      \
	X(EXPLAIN, "explain") /* inner kind; SQL_ANALYZE: it runs, too */                                              \
	X(DO, "do")                                                                                                    \
	X(CALL, "call")                                                                                                \
	X(LOCK, "lock")                                                                                                \
	/* Definitions; SQL_TEMP. CREATE TABLE AS EXECUTE: inner kind EXECUTE, and the name. */                        \
	X(CREATE, "create")                                                                                            \
	X(ALTER, "alter")                                                                                              \
	X(DROP, "drop")                                                                                                \
	X(TRUNCATE, "truncate")                                                                                        \
	X(GRANT, "grant")       /* and REVOKE */                                                                       \
	X(DEFINE, "define")     /* COMMENT, SECURITY LABEL, REASSIGN, REFRESH, IMPORT */                               \
	X(MAINTAIN, "maintain") /* ANALYZE, VACUUM, CLUSTER, REINDEX, CHECKPOINT, REPACK */

enum sql_kind {
#define X(name, shown) SQL_##name,
	SQL_KINDS(X)
#undef X
		SQL_NKINDS
};

const char *sql_kind_name(enum sql_kind kind);

enum sql_flag {
	SQL_LOCAL = 1 << 0,   /* SET LOCAL */
	SQL_DEFAULT = 1 << 1, /* SET ... TO DEFAULT: as RESET */
	SQL_ALL = 1 << 2,     /* RESET, DEALLOCATE, DISCARD, CLOSE ALL; UNLISTEN * */
	SQL_CHAIN = 1 << 3,   /* AND CHAIN: the next transaction begins at once */
	SQL_HOLD = 1 << 4,    /* a cursor that outlives its transaction */
	SQL_PLANS = 1 << 5,   /* of DISCARD, as the next one */
	SQL_SEQUENCES = 1 << 6,
	SQL_TEMP = 1 << 7,     /* makes something temporary, or may; DISCARD TEMP */
	SQL_COPY_IN = 1 << 8,  /* COPY ... FROM STDIN */
	SQL_COPY_OUT = 1 << 9, /* COPY ... TO STDOUT */
	SQL_WITH_CTE = 1 << 10,
	SQL_MODIFIES = 1 << 11, /* WITH: one of its parts writes, or may */
	SQL_ANALYZE = 1 << 12,
	SQL_NO_BLOCK = 1 << 13, /* cannot run in a transaction block */
	SQL_EXECUTES =
		1 << 14,      /* runs the prepared statement `name`: EXECUTE, also within EXPLAIN or CREATE TABLE AS */
	SQL_PLAIN = 1 << 15,  /* SELECT, VALUES or TABLE that neither locks rows, nor makes a table, nor writes through
				 WITH, nor calls one of the functions looked for. Only told when SQL_ASK_PLAIN */
	SQL_HIDDEN = 1 << 16, /* may call any function: a name is written in a way that is not read here */
	SQL_CONFIG = 1 << 17, /* nothing but SELECT set_config('name', 'value', false), or true: then SQL_LOCAL. The two
				 strings are `name` and `value` */
};

enum sql_isolation {
	SQL_ISO_NONE,
	SQL_ISO_READ_UNCOMMITTED,
	SQL_ISO_READ_COMMITTED,
	SQL_ISO_REPEATABLE_READ,
	SQL_ISO_SERIALIZABLE
};
enum sql_said { SQL_UNSAID, SQL_YES, SQL_NO };

/* Transaction modes; of those said twice, the last. */
struct sql_modes {
	uint8_t isolation;  /* enum sql_isolation */
	uint8_t read_only;  /* enum sql_said: READ ONLY is SQL_YES, READ WRITE is SQL_NO */
	uint8_t deferrable; /* enum sql_said */
};

/* How isolation is written as a setting's value: "read committed". */
const char *sql_isolation_name(enum sql_isolation isolation);

/* --- Functions that are looked for */

enum sql_call {
	SQL_CALL_SET_CONFIG = 1 << 0,         /* any set_config() */
	SQL_CALL_SET_CONFIG_SESSION = 1 << 1, /* one whose third argument is not the literal true; UPDATE of
						 pg_settings, setseed() */
	SQL_CALL_LOCK = 1 << 2,               /* an advisory lock that outlives its transaction is taken, or tried */
	SQL_CALL_UNLOCK = 1 << 3,             /* one is given back */
	SQL_CALL_UNLOCK_ALL = 1 << 4,         /* all are */
	SQL_CALL_KEEPS = 1 << 5, /* the connection has what only its end takes away: a replication origin, a temporary
				    slot, a backup */
	SQL_CALL_SLOT = 1 << 6,  /* of a function in a set, not of a statement: that, if its third argument is not the
				    literal false */
	SQL_CALL_USER = 1 << 7,  /* this bit and those above are the caller's */
};

enum {
	SQL_FUNCS_MAX = 256, /* functions in a set */
	SQL_FUNCS_SLOTS = 512,
};

/* A function's name, as it is in the catalog. A call without a schema is taken for a call of each of that name. */
struct sql_func {
	uint32_t calls; /* bits to set */
	uint8_t name_len, schema_len;
	char name[SQL_IDENT_MAX + 1], schema[SQL_IDENT_MAX + 1]; /* schema "": any */
};

/* A set of functions, ready to be looked for. Some 34 KB, without pointers. */
struct sql_funcs {
	uint32_t ends[SQL_IDENT_MAX + 1]; /* by length: last bytes of names, a bit each */
	uint16_t slots[SQL_FUNCS_SLOTS];  /* 1 + index of func, 0: free */
	unsigned n;
	struct sql_func func[SQL_FUNCS_MAX];
};

/* The set of those that PostgreSQL has. */
void sql_funcs_init(struct sql_funcs *f);
/* What a FunctionCall of this number may be, or 0. Of one that is not PostgreSQL's own nobody knows the name: it may be
 * any that was added to the set. */
uint32_t sql_funcs_by_number(const struct sql_funcs *f, uint32_t oid);
/* Adds "name" or "schema.name", as it would be written in SQL: folded, unless in quotes. False: it is no such name, or
 * the set is full. */
bool sql_funcs_add(struct sql_funcs *f, const char *name, uint32_t calls);
/* The next of a list with commas, such as pin_functions; *list is moved behind it. False: there is none. One that does
 * not fit is "". */
bool sql_funcs_next(const char **list, char *name, size_t cap);

/* --- Reading */

enum sql_object { SQL_OBJECT_OTHER, SQL_OBJECT_TABLE, SQL_OBJECT_VIEW, SQL_OBJECT_SEQUENCE };

/* One statement. A span that does not apply has no length. Spans are of the whole text that was given. */
struct sql_stmt {
	struct sql_span part; /* with what is before it, and its semicolon; the parts of a text tile it */
	struct sql_span text; /* without both; a comment may still follow in it */
	enum sql_kind kind;
	enum sql_kind inner; /* of the body: PREPARE, EXPLAIN, DECLARE; EXECUTE within CREATE. Otherwise UNKNOWN */
	uint32_t flags;      /* enum sql_flag */
	uint32_t calls;      /* enum sql_call; of functions named anywhere in it, the body too */
	struct sql_modes modes;
	uint8_t object; /* enum sql_object, of CREATE, ALTER and DROP */
	const char
		*setting; /* of SET, RESET, SHOW: the setting that its own words mean (static), or NULL: `name` does */
	struct sql_span
		name; /* the name's token, so that another can be put in its place; of a setting all its parts */
	struct sql_span value; /* of SET, as written behind = or TO; of NOTIFY */
	struct sql_span body;  /* what is prepared, explained or opened, up to the end of text */
};

enum {
	SQL_ASK_PLAIN = 1, /* SQL_PLAIN is wanted; looks at more SELECTs word by word */
};

/* Goes over a text, which it borrows. */
struct sql_reader {
	struct sql_lexer lex;
	const struct sql_funcs *funcs; /* borrowed; NULL: none are looked for */
	unsigned ask, hints;
};

void sql_read_init(struct sql_reader *r, const void *text, size_t len, unsigned mode, const struct sql_funcs *funcs,
		   unsigned ask);
/* The next statement; false: there is none, st is not touched. Empty ones, of blanks and comments alone, are SQL_EMPTY;
 * such as stand behind the last semicolon belong to the part before. What cannot be read (it would be a syntax error)
 * is SQL_UNKNOWN with all the rest of the text. */
bool sql_read(struct sql_reader *r, struct sql_stmt *st);

/* Goes over a text as far as its statements are complete; zeroed, it has none yet. */
struct sql_walk {
	struct sql_reader r;
	unsigned next; /* of the statements, the first that was not read */
};
/* The nth statement that is not empty (0: the first), which comes behind all that were asked for before: what stands
 * before it is not read again. False: there is none. */
bool sql_walk_to(struct sql_walk *w, unsigned nth, struct sql_stmt *st);

/* Of SET, RESET and SHOW: the setting's name, in lower case, as its own words mean it ("timezone", "search_path",
 * "role", "session_authorization", "transaction_isolation") or its dotted name. Its length; SQL_NOT_TOLD when it does
 * not fit. text and mode are the reader's. */
int sql_setting_name(const void *text, unsigned mode, const struct sql_stmt *st, char *out, size_t cap);
/* Of SET: its value as PostgreSQL would keep it, which is what set_config() takes: a list's parts with ", " between, in
 * quotes where the setting is a list of names (search_path). Its length; SQL_NOT_TOLD with SQL_DEFAULT, and when it
 * does not fit or only the server knows (FROM CURRENT, an interval). */
int sql_setting_value(const void *text, unsigned mode, const struct sql_stmt *st, char *out, size_t cap);

/* --- Texts too long to be read at once */

#define SQL_SEAM 128u /* bytes of a piece's end that are looked at again with the next one */

/* Zeroed before the first piece. */
struct sql_pieces {
	uint8_t end[SQL_SEAM];
	uint8_t n;
};
/* May there be, in this piece of a text or where it meets the one before, something that changes the session: another
 * statement than the first that sets something, a temporary table, a call of one of these functions? It is a guess, and
 * rather yes; only the text's first statement is not looked at. */
bool sql_pieces_may_change(struct sql_pieces *t, const void *piece, size_t n, const struct sql_funcs *funcs);

#endif
