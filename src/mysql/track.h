/* track.h - what statements do to their session in MySQL and MariaDB, so that the next server can be brought to the
 * same state, or the session keeps its server (a pin). Pure but for memory: no I/O, and neither session nor server are
 * known here. MySQL Reference Manual: Server Tracking of Client Session State, Information Functions; MariaDB Knowledge
 * Base: the same, Compound Statements.
 *
 * Three tell of it: the text (sql/mysql_classify.h), the status flags of each answer, and what the server itself says
 * has changed: settings with their values, the default schema, and that something else did. Where it says nothing, as
 * before MySQL 5.7 and MariaDB 10.2, the text has to do, and what a procedure may have done is a pin. No transaction
 * takes back what was set in it, so nothing is kept for one. */
#ifndef SLUICE_MYSQL_TRACK_H
#define SLUICE_MYSQL_TRACK_H

#include "session/varset.h"
#include "sql/mysql_classify.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The default schema among the settings; "": none. */
#define MYSQL_SCHEMA "schema"

/* A server that can is asked for these with each OK. */
const char *mysql_track_setup(bool is_mariadb);

/* The functions that are looked for: MySQL's, and pin_functions. */
const struct sql_funcs *mysql_track_functions(void);

/* How texts are read, by the settings of their session and the version of its server: 90704, 101119. */
unsigned mysql_track_mode(const struct varset *vars, bool is_mariadb, uint32_t version);
/* The same by two of them; "": not known. */
unsigned mysql_track_mode_by(const char *sql_mode, const char *charset, bool is_mariadb, uint32_t version);
/* "8.0.45", "5.5.5-10.11.19-MariaDB-1": 80045, 101119; 0: not to be read. */
uint32_t mysql_track_version(const char *version);

/* What a text does. */
struct mysql_look {
	bool changes;      /* mysql_track_done() must have the text */
	uint32_t asks;     /* enum my_call: what its first statement wants to know of the one before */
	bool diagnostics;  /* and so that one's warnings and errors */
	uint32_t asks_any; /* as asks, of all its statements up to the first that gives another answer */
	bool hides_id;     /* behind it the server knows LAST_INSERT_ID(), and nobody else: a procedure */
	bool wants_id;     /* a statement of it asks for CONNECTION_ID(), and not for others to do so later */
	uint32_t pins;     /* enum session_pin: those that its session would get, at most */
	bool tries_lock;   /* it is SELECT GET_LOCK(...), and no more: its row says whether that is held now */
};
struct mysql_look mysql_track_look(const char *text, size_t len, unsigned mode);

/* One thing that a session has on its server, under a name. */
struct mysql_held {
	uint32_t pin;
	uint32_t times;
	const struct istr *name; /* counted; NULL: it is not known which */
};

/* Of a client. All zero: a session that has begun. */
struct mysql_track {
	struct mysql_held *held; /* owned */
	uint32_t nheld, cap;
	uint32_t pins; /* those of its session that are from here */
	bool in_xact;
	bool is_untold;     /* a routine has failed, whose changes the server tells with the next OK */
	bool outlives;      /* something was set that no cleaning takes away: a resource group */
	bool hides_id;      /* the server alone knows LAST_INSERT_ID(): a procedure may have inserted */
	uint64_t insert_id; /* LAST_INSERT_ID() */
	int64_t row_count;  /* ROW_COUNT() */
	uint64_t found;     /* FOUND_ROWS(), unless PIN_FOUND_ROWS */
};
void mysql_track_free(struct mysql_track *t);

/* What all of an answer said. */
struct mysql_told {
	bool is_failed;    /* it ended in an error */
	bool never_ran;    /* one that says that the statement was not begun: a name that is not there, its syntax */
	unsigned results;  /* how many results there were, without that */
	bool has_tracking; /* the server tells what changes */
	bool is_mariadb;
	bool settings;               /* it told of settings */
	bool changed;                /* and that something has changed */
	bool has_no_lock;            /* tries_lock, and it is not held */
	bool in_xact;                /* where it ended */
	bool had_xact;               /* or before */
	bool had_rows;               /* the last result was rows */
	bool any_rows;               /* one was */
	const struct varset *before; /* the settings as they were; borrowed */
	uint16_t warnings;           /* of the last result */
	uint64_t affected;           /* likewise */
	uint64_t insert_id, rows;    /* of the last one that told an id; that had rows */
};
/* A statement, or a text of several, is answered. text: NULL when mysql_track_look() says that it changes nothing; then
 * the answer alone counts. *vars: the settings, which are what the server told already; what the text alone tells is
 * added. Pins are in t->pins. False: out of memory. */
bool mysql_track_done(struct mysql_track *t, const struct varset **vars, const char *text, size_t len, unsigned mode,
		      const struct mysql_told *told);

/* A setting that the server told of, which is none of those that are replayed: an id for the next INSERT, a seed. What
 * it means for the session is a pin, or known otherwise: *pins. */
bool mysql_track_is_odd(const char *name, uint32_t *pins);

/* What mysql_track_rewrite() may need more room than the text for. */
#define MYSQL_REWRITE_ROOM (MY_CALLS_MAX * (2u * MY_IDENT_MAX + 100u))

/* The text again, with what it asks for that is known here, as far as its statements can mean the one before all: of
 * known (enum my_call) FOUND_ROWS(), ROW_COUNT() and LAST_INSERT_ID(); and CONNECTION_ID(). In out, its length; -1: it
 * does not fit, or cannot be said so. */
int mysql_track_rewrite(const struct mysql_track *t, const char *text, size_t len, unsigned mode,
			uint32_t connection_id, uint32_t known, char *out, size_t cap);

#endif
