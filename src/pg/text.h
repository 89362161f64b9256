/* text.h - what clients prepare: a text, and the settings that it was parsed under. PostgreSQL docs: SET; Lexical
 * Structure, Constants; Schemas, The Schema Search Path.
 * Constants are read, and names are looked up, when a text is parsed: 'today', '01/02/2020' or a table without its
 * schema is one thing for this client and another for that. So two clients share what was prepared when both the text
 * and those of their settings are the same that the parser, or what it makes of constants, goes by. They are kept as
 * the sets that they are parts of, by pointer. Where the settings are not known for sure (one that is being set is not
 * answered yet, temporary tables may hide others, set_config() was called with a value that only the server knows), a
 * text is its client's own, and nobody finds it. */
#ifndef SLUICE_PG_TEXT_H
#define SLUICE_PG_TEXT_H

#include "core/intern.h"
#include "session/varset.h"

#include <stdbool.h>
#include <stdint.h>

struct pg_client;

struct pg_text {
	struct map_node node;
	uint32_t refs;
	uint32_t edition;              /* heal.h; 0: it was never refused */
	const struct istr *said;       /* counted: the body of a Parse behind its name, or see SCRIPT_MARK */
	const struct varset *reported; /* counted: settings that servers report; NULL: it is its client's own */
	const struct varset *set;      /* counted: others; NULL likewise */
};

/* As it is meant by this client now; a reference. NULL when out of memory. */
struct pg_text *pg_text_get(struct pg_client *c, const struct istr *said);
/* A reference to one that is this client's own, and that no other call gives. */
struct pg_text *pg_text_new(const struct istr *said);
struct pg_text *pg_text_ref(struct pg_text *t);
void pg_text_put(struct pg_text *t); /* NULL is fine */
static inline bool pg_text_is_own(const struct pg_text *t)
{
	return !t->reported;
}
/* Would the client mean the same by it if it said it now? */
bool pg_text_is_meant(struct pg_client *c, const struct pg_text *t);
/* A query without rows that takes the server from this client's settings, up to the transaction's end, to those that t
 * was parsed under, or back; nothing is added when they are the same. False: that cannot be done. */
struct sb;
bool pg_text_settings(struct pg_client *c, const struct pg_text *t, bool back, struct sb *sql);

#endif
