/* replay.h - settings said again, on a server that does not have them yet: in words that mean the same whatever its
 * client_encoding and standard_conforming_strings are just now. PostgreSQL docs: SET, RESET, set_config(); Character
 * Set Support. Pure. In a set of settings that servers do not report (s->said, sv->said) a value is kept in the
 * encoding of its database. One that a client said in another encoding, and that is not ASCII, has its name before it:
 * PG_VALUE_RECODED, the encoding's name, PG_VALUE_RECODED, the value. Those that servers report (s->vars, sv->vars) are
 * as they were reported, in the client_encoding of the same set. */
#ifndef SLUICE_PG_REPLAY_H
#define SLUICE_PG_REPLAY_H

#include "core/str.h"
#include "session/varset.h"

#define PG_VALUE_RECODED '\1'

/* Does a SET of it last for the transaction alone, whatever is said? transaction_isolation and its like. */
bool pg_is_of_transaction(const char *name);
/* Does it say who one is? RESET ALL leaves those alone. */
bool pg_is_identity(const char *name);
/* Is it one that has no way back? */
bool pg_has_no_reset(const char *name);
bool pg_is_ascii(const char *s);
/* Makes of a value that a client said in this encoding (client) what is kept of it, in place. written: the token that
 * it was read from; has_trails: of its characters the second byte may be ASCII's; database: the encoding of the
 * database. Either encoding may be NULL: it is not known. False: how the value has to be said is not known exactly, or
 * it does not fit. */
bool pg_value_keep(char *value, size_t cap, const char *written, size_t len, bool has_trails, const char *client,
		   const char *database);
/* "SET name TO value;", which takes no snapshot. A list of names that SET would write in another way is set by a
 * SELECT, of which no row comes. */
void pg_add_set(struct sb *b, const char *name, const char *value);

/* The call of set_config() alone, of a value as it is kept; NULL: for the default. is_local: up to the transaction's
 * end. */
void pg_add_set_config_call(struct sb *b, const char *name, const char *value, bool is_local);

/* What takes a server from what it has to what its next client wants. */
struct pg_replay {
	struct sb sql;
	uint32_t n;           /* statements of it; */
	uint32_t taking_back; /* the first of them take back what was set for others */
	uint32_t nth;         /* in: a statement of it; */
	const char *name;     /* and which setting that is about; borrowed; NULL: none */
};
void pg_replay(struct pg_replay *y, const struct varset *has, const struct varset *has_said, const struct varset *want,
	       const struct varset *want_said);

#endif
