/* door_prepared_int.h - what door_prepared.c, door_bare.c and door_within.c know of each other. A message of a batch is
 * being handled. False: out of memory, of which pg_said_no_memory() tells its client. */
#ifndef SLUICE_PG_DOOR_PREPARED_INT_H
#define SLUICE_PG_DOOR_PREPARED_INT_H

#include "pg/pg_int.h"

/* A message being handled: the rest of what its client said is not looked at. */
struct pg_said {
	struct pg_client *c;
	struct pg_server *p;
	uint8_t type;
	uint32_t total;
	bool changes;             /* what it is about changes its session, */
	const struct istr *about; /* borrowed: which is this */
	const uint8_t *behind;    /* the type of the message after it; NULL: not there yet */
};

/* door_within.c */
enum pg_pass pg_said_no_memory(struct pg_said *m); /* the session is closed */
/* An entry takes the references in x over, also when it fails. */
bool pg_expect_one(struct pg_said *m, const struct expect_entry *x);
/* Parse under the server's name ("" for the unnamed one); Describe or Close of a statement. */
bool pg_put_parse(struct pg_server *p, const char *name, const struct istr *text);
void pg_put_named(struct pg_server *p, uint8_t type, const char *name);
/* Closes what the server has too many of. */
bool pg_make_room(struct pg_said *m);
/* A statement of the house's that takes it to other settings; an empty one is none. */
bool pg_run_settings(struct pg_said *m, const struct sb *sql);
/* SQL's PREPARE, of a text as door_script.c remembers it. x: what is expected of it, as pg_run_within() has it. */
bool pg_run_prepare(struct pg_said *m, const char *name, const struct istr *text, const struct expect_entry *x);
/* Sends a Parse of this text under a new number; whose: the entry's flags, and the client's name for it or NULL. */
struct pg_prepared *pg_prepare(struct pg_said *m, struct pg_text *text, unsigned flags, struct pg_name *n);
/* Prepares what the client's name means, on a server that does not have it: under the settings that it was parsed
 * under, or, where they cannot be had any more, those that hold now; then it is not the others' any more. */
struct pg_prepared *pg_prepare_as_meant(struct pg_said *m, struct pg_name *n);
/* Sends what is sure to fail, and has the client hear this instead. The server sees an error where there has to be one:
 * it aborts the transaction, and skips to the Sync. */
enum pg_pass pg_fail_with(struct pg_said *m, const struct fault *f);

/* door_prepared.c: what the name means was changed in a batch before this one, or all were, and how that ends is not
 * known yet. */
bool pg_name_is_unclear(const struct pg_said *m, const struct pg_name *n);
/* Settings are being changed by what was sent before, and will be known when that is answered, which does not wait for
 * this batch's Sync. */
bool pg_must_wait_for_settings(const struct pg_said *m);

/* door_bare.c: may the server have some that are this client's, and not known here? */
bool pg_may_have_its_own(const struct pg_said *m);
/* A Parse of EXECUTE: the server is to have what the client means by the name under just that. */
enum pg_pass pg_speaks_of_statement(struct pg_said *m, const struct istr *text);

#endif
