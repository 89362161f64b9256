/* door_login_int.h - what the files of the door know of a client that logs in. */
#ifndef SLUICE_PG_DOOR_LOGIN_INT_H
#define SLUICE_PG_DOOR_LOGIN_INT_H

#include "pg/login.h"
#include "pg/pg_int.h"
#include "session/entry.h"

/* What a client needs until it is in, and no longer. */
struct pg_login {
	struct entry entry;
	bool has_begun; /* the start-up packet was understood; an answer to our question is awaited */
	bool ssl_refused, gss_refused;
	struct scram_binding binding;
	struct pg_door_login auth; /* from auth.scram on it is not zeroed at first */
};

/* door_auth.c. Each may close the session, or let it in. */
void pg_login_authenticate(struct session *s); /* who it says it is, is known */
void pg_login_message(struct session *s, const struct pg_msg *m);

#endif
