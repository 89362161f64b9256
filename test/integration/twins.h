/* twins.h - clients that exist twice, once through Sluice and once straight at PostgreSQL: whatever they are told to
 * say they both say, and both must hear the same.
 *
 * What they say is a script, a step a line: the client's number, then what it does, in this order and without waiting:
 *
 *   P name "text" [type,...]       Parse; a name - is the unnamed one; @9000 in a text, or in a portal's name of B and
 * E, is that many letters x B portal name (value,...)      Bind; values may be quoted, a word null is one, and ! behind
 * it asks for binary rows DS name   DP portal            Describe E portal rows                  Execute CS name   CP
 * portal            Close H  S                           Flush, Sync Q "text"                       Query F oid
 * (value,...)              FunctionCall d "data"  c  f                 CopyData, CopyDone, CopyFail w waits for all
 * that is due so far x                              asks to cancel, until all is answered y asks to cancel once: what
 * was cancelled is not known, and not compared R  T                           breaks its connection off, or ends it,
 * and makes a new one; both stand alone &                              at the end: the next step does not wait for this
 * one
 *
 * What is due at the end of a step has to come without more being said, so it ends with S, H, Q, c, f or x. */
#ifndef SLUICE_TEST_TWINS_H
#define SLUICE_TEST_TWINS_H

#include <stdbool.h>
#include <stddef.h>

enum { TWINS_MAX = 16 };

enum twins_verdict {
	TWINS_FINE,
	TWINS_DIFFER,
	TWINS_STUCK,  /* an answer does not come, and none of the pool's servers is with somebody who could go on */
	TWINS_CRASH,  /* of PostgreSQL: a server that is straight its client's was lost */
	TWINS_INVALID /* the script is not one */
};

struct twins_conf {
	unsigned clients, pool; /* servers of the pool */
	unsigned kept;          /* max_prepared_statements */
	bool session;           /* session pooling: as many servers as there may be connections */
	bool ask;               /* some of them ask for settings when they come: see twins_asks() */
	unsigned patience_ms;   /* how long an answer may take; 0: PATIENCE_MS */
};

/* Starts Sluice, makes a table "own" for each client (own0, own1, ... of one column n), and lets all in. */
bool twins_open(const struct twins_conf *conf);
/* Says one line. It may be left unanswered when the client waits for a server that idle clients hold. */
enum twins_verdict twins_say(const char *line);
/* Waits for whatever can be answered. */
enum twins_verdict twins_settle(void);
/* All end what they are in, and show their settings: nothing more may come. */
enum twins_verdict twins_finish(void);
/* Closes everything; Sluice is stopped. */
void twins_close(void);
/* What was wrong, with both transcripts; until the next twins_open(). */
const char *twins_story(void);

/* Of a client: has it not heard everything yet? */
bool twins_is_busy(unsigned client);
bool twins_asks(unsigned client);     /* when it comes, for settings of its own */
bool twins_in_batch(unsigned client); /* its last batch has no Sync yet */
char twins_status(unsigned client);   /* I, T, E: of the last ReadyForQuery straight from PostgreSQL */
/* A query for what they may have set. */
#define TWINS_SETTINGS                                                                                                 \
	"select string_agg(name || '=' || setting, ' ' order by name), current_user, session_user from pg_settings "   \
	"where name in ('work_mem', 'search_path', 'statement_timeout', 'lock_timeout', 'DateStyle', 'TimeZone', "     \
	"'application_name', 'default_transaction_read_only', 'default_transaction_isolation')"
bool twins_is_starved(void); /* no server is left for one that has none */

#endif
