/* mysql_classify.h - what each statement of a MySQL or MariaDB text is, and what it does to the session that runs it:
 * what classify.h is for PostgreSQL. Pure: no allocation, no I/O.
 *
 * What it says holds for a statement that the server has accepted; what looks wrong is MY_UNKNOWN, never a guess. What
 * functions, triggers and procedures do when called is not seen: of that the server tells (mysql/track.h).
 * MySQL Reference Manual, SQL Statements; MariaDB Knowledge Base, SQL Statements. */
#ifndef SLUICE_SQL_MYSQL_CLASSIFY_H
#define SLUICE_SQL_MYSQL_CLASSIFY_H

#include "sql/classify.h"
#include "sql/mysql_lexer.h"

/* Kinds and their names. */
#define MY_KINDS(X)                                                                                                    \
	X(UNKNOWN, "unknown")                                                                                          \
	X(EMPTY, "empty")                                                                                              \
	/* Transactions; MY_CHAIN, MY_RELEASE. Of the next three a name. XA: MY_ENDS when it commits or rolls back. */ \
	X(BEGIN, "begin")                                                                                              \
	X(COMMIT, "commit")                                                                                            \
	X(ROLLBACK, "rollback")                                                                                        \
	X(SAVEPOINT, "savepoint")                                                                                      \
	X(RELEASE_SAVEPOINT, "release savepoint")                                                                      \
	X(ROLLBACK_TO, "rollback to")                                                                                  \
	X(XA, "xa")                                                                                                    \
	/* Settings: my_set_next() goes over the assignments of SET. */                                                \
	X(SET, "set")                                                                                                  \
	X(SET_TRANSACTION, "set transaction") /* the next one alone, or MY_SESSION, MY_GLOBAL; modes */                \
	X(SET_STATEMENT, "set statement")     /* MariaDB's, for one statement: the inner kind, and all that it does */ \
	X(SET_ROLE, "set role")                                                                                        \
	X(SET_PASSWORD, "set password")                                                                                \
	X(SET_RESOURCE, "set resource group")                                                                          \
	X(USE, "use") /* name */                                                                                       \
	/* Queries; the inner kind of EXPLAIN is what is explained, MY_ANALYZE: it runs. */                            \
	X(SELECT, "select")                                                                                            \
	X(VALUES, "values")                                                                                            \
	X(TABLE, "table")                                                                                              \
	X(INSERT, "insert")                                                                                            \
	X(REPLACE, "replace")                                                                                          \
	X(UPDATE, "update")                                                                                            \
	X(DELETE, "delete")                                                                                            \
	X(LOAD, "load") /* MY_LOCAL */                                                                                 \
	X(DO, "do")                                                                                                    \
	X(CALL, "call")                                                                                                \
	X(HANDLER, "handler") /* name; MY_OPENS, MY_ENDS */                                                            \
	X(EXPLAIN, "explain")                                                                                          \
	X(SHOW, "show") /* MY_DIAGNOSTICS: warnings or errors; MY_PROCESSES */                                         \
	X(GET_DIAGNOSTICS, "get diagnostics")                                                                          \
	X(COMPOUND, "compound") /* MariaDB: BEGIN NOT ATOMIC and the like */                                           \
	/* Locks; MY_ENDS. FLUSH: MY_READ_LOCK. BACKUP: MySQL's LOCK INSTANCE, MY_INSTANCE; MariaDB's BACKUP STAGE,    \
	 * MY_STAGE, or BACKUP LOCK; MY_OPENS, MY_ENDS. */                                                             \
	X(LOCK, "lock")                                                                                                \
	X(UNLOCK, "unlock")                                                                                            \
	X(BACKUP, "backup")                                                                                            \
	X(FLUSH, "flush")                                                                                              \
	/* Prepared statements: a name; of PREPARE body is the text's token, empty where it is a variable's. */        \
	X(PREPARE, "prepare")                                                                                          \
	X(EXECUTE, "execute") /* no name: IMMEDIATE, of what is in body */                                             \
	X(DEALLOCATE, "deallocate")                                                                                    \
	/* Definitions; MY_TEMPORARY, then name: the table made, or the list of those dropped. */                      \
	X(CREATE, "create")                                                                                            \
	X(ALTER, "alter") /* and RENAME */                                                                             \
	X(DROP, "drop")                                                                                                \
	X(TRUNCATE, "truncate")                                                                                        \
	X(GRANT, "grant") /* and REVOKE, and all of users and roles */                                                 \
	X(KILL, "kill")   /* name: the id, if it is a number; MY_QUERY */                                              \
	X(ADMIN, "admin") /* of tables, replication, plugins, the server */                                            \
	X(SIGNAL, "signal")

enum my_kind {
#define X(name, shown) MY_##name,
	MY_KINDS(X)
#undef X
		MY_NKINDS
};

const char *my_kind_name(enum my_kind kind);

enum my_flag {
	MY_CHAIN = 1 << 0,      /* AND CHAIN: the next transaction begins at once */
	MY_RELEASE = 1 << 1,    /* the server closes the connection behind it */
	MY_SESSION = 1 << 2,    /* SET SESSION TRANSACTION */
	MY_GLOBAL = 1 << 3,     /* SET GLOBAL TRANSACTION */
	MY_TEMPORARY = 1 << 4,  /* CREATE or DROP TEMPORARY TABLE; a DROP TABLE without it may drop such a table, too */
	MY_WRITES_VAR = 1 << 5, /* gives a value to a variable of the user's, or may; not of SET's assignments */
	MY_CALC_FOUND = 1 << 6, /* SQL_CALC_FOUND_ROWS */
	MY_LOCAL = 1 << 7,      /* LOAD DATA LOCAL: the client is asked for the file */
	MY_DIAGNOSTICS = 1 << 8, /* asks what the statement before it had to say, and leaves it there */
	MY_PROCESSES = 1 << 9,   /* SHOW PROCESSLIST */
	MY_READ_LOCK = 1 << 10,  /* FLUSH TABLES ... WITH READ LOCK, FOR EXPORT */
	MY_OPENS = 1 << 11,
	MY_ENDS = 1 << 12,
	MY_QUERY = 1 << 13, /* KILL QUERY */
	MY_ANALYZE = 1 << 14,
	MY_LOCK_ALONE = 1 << 15, /* nothing but SELECT or DO with one GET_LOCK('x', n) or RELEASE_LOCK('x'), whose
				    string is name, or RELEASE_ALL_LOCKS(): done once, and surely */
	MY_HIDDEN = 1 << 16,     /* may do anything: it runs a text that is not known here */
	MY_TABLES = 1 << 17,     /* CREATE, DROP: of tables */
	MY_INSTANCE = 1 << 18,
	MY_STAGE = 1 << 19,
};

/* Functions that are looked for. */
enum my_call {
	MY_CALL_GET_LOCK = 1 << 0,
	MY_CALL_RELEASE_LOCK = 1 << 1,
	MY_CALL_RELEASE_ALL_LOCKS = 1 << 2,
	MY_CALL_FOUND_ROWS = 1 << 3, /* these ask about the statement before; the next two also as @@ variables */
	MY_CALL_ROW_COUNT = 1 << 4,
	MY_CALL_LAST_INSERT_ID = 1 << 5,
	MY_CALL_SET_INSERT_ID = 1 << 6, /* LAST_INSERT_ID(x) */
	MY_CALL_CONNECTION_ID = 1 << 7,
	MY_CALL_WARNING_COUNT = 1 << 8, /* @@warning_count, @@error_count */
	MY_CALL_LAST_VALUE = 1 << 9,    /* MariaDB: LASTVAL(x), PREVIOUS VALUE FOR x at the front of a SELECT */
	MY_CALL_NEXT_VALUE = 1 << 10,   /* likewise NEXTVAL(x), NEXT VALUE FOR x */
	MY_CALL_USER = 1 << 11,         /* this bit and those above are the caller's */
};

/* The set of those of MySQL; sql_funcs_add() adds others. */
void my_funcs_init(struct sql_funcs *f);

enum { MY_CALLS_MAX = 4 };

/* One statement. A span that does not apply has no length. Spans are of the whole text that was given. */
struct my_stmt {
	struct sql_span part; /* with what is before it, and its semicolon; the parts of a text tile it */
	struct sql_span text; /* without both; a comment may still follow in it */
	enum my_kind kind, inner;
	uint32_t flags; /* enum my_flag */
	uint32_t calls; /* enum my_call */
	struct sql_modes modes;
	struct sql_span name, body;
	/* Where CONNECTION_ID(), FOUND_ROWS(), ROW_COUNT() and LAST_INSERT_ID() are called: the first of them. */
	struct my_at_call {
		uint32_t call;
		struct sql_span span; /* up to its parenthesis */
		bool is_column;       /* it alone is a column of the result, and gives it its name */
	} at_call[MY_CALLS_MAX];
	uint8_t ncalls; /* MY_CALLS_MAX + 1: more */
};

/* Goes over a text, which it borrows. */
struct my_reader {
	struct my_lexer lex;
	const struct sql_funcs *funcs; /* borrowed; NULL: none are looked for */
	unsigned hints;
};

void my_read_init(struct my_reader *r, const void *text, size_t len, unsigned mode, const struct sql_funcs *funcs);
/* The next statement, as sql_read(). */
bool my_read(struct my_reader *r, struct my_stmt *st);

/* --- Texts too long to be read at once */

/* What there may be in one; it is a guess, and rather yes. */
enum my_may {
	MY_MAY_CHANGE =
		1, /* what changes its session: a lock, a variable of the user's, a function that is looked for */
	MY_MAY_COUNT = 2,  /* SQL_CALC_FOUND_ROWS */
	MY_MAY_SET_ID = 4, /* LAST_INSERT_ID(x); a procedure */
};

struct my_pieces {
	struct sql_pieces pieces;
	const struct sql_funcs *funcs; /* borrowed */
	bool assigns;                  /* every variable of the user's that is named may be given a value */
};
/* What the first words of such a text may do, of which n bytes are there. The pieces begin with these. */
unsigned my_pieces_begin(struct my_pieces *t, const void *front, size_t n, unsigned mode,
			 const struct sql_funcs *funcs);
/* What there may be in this piece, or where it meets the one before. */
unsigned my_pieces_may(struct my_pieces *t, const void *piece, size_t n);

/* --- SET */

enum my_scope {
	MY_SCOPE_SESSION,
	MY_SCOPE_BARE,    /* @@name: the session's, or, of a transaction's characteristics, the next one's alone */
	MY_SCOPE_GLOBAL,  /* and what is kept for the next start */
	MY_SCOPE_USER,    /* @name */
	MY_SCOPE_NAMES,   /* SET NAMES; value: with its collation */
	MY_SCOPE_CHARSET, /* SET CHARACTER SET */
};
enum my_value {
	MY_VALUE_EXPRESSION,
	MY_VALUE_DEFAULT,
	MY_VALUE_WORD, /* ON, utf8mb4 */
	MY_VALUE_NUMBER,
	MY_VALUE_STRING, /* one token */
};

struct my_assignment {
	enum my_scope scope;
	enum my_value form;
	struct sql_span name;  /* of a setting all its parts, without @@ and scope */
	struct sql_span value; /* as written */
};

/* Over the assignments of a MY_SET or MY_SET_STATEMENT. */
struct my_assignments {
	struct my_lexer lex;
	enum my_scope scope; /* the one that holds for those that say none */
	bool bad;
};
void my_set_init(struct my_assignments *a, const void *text, unsigned mode, const struct my_stmt *st);
/* False: there is none; a->bad: the rest cannot be read. */
bool my_set_next(struct my_assignments *a, struct my_assignment *x);

#endif
