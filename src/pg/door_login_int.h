/* door_login_int.h - what the files of the door know of a client that logs in. */
#ifndef SLUICE_PG_DOOR_LOGIN_INT_H
#define SLUICE_PG_DOOR_LOGIN_INT_H

#include "auth/hba.h"
#include "auth/helper.h"
#include "pg/login.h"
#include "pg/pg_int.h"
#include "pool/ask.h"

/* What a client needs until it is in, and no longer. */
struct pg_login {
	struct pg_door_login auth;
	bool has_begun; /* the start-up packet was understood; an answer to our question is awaited */
	bool ssl_refused, gss_refused;
	bool no_such_db; /* told after authentication: names of databases are not for everybody */
	bool takes_any;  /* auth_type any: whatever it calls itself */
	enum hba_method method;
	struct config *config;       /* counted: the rule is in it; NULL before there is a method */
	const struct hba_rule *rule; /* of auth_type hba; else NULL */
	/* A user that is not in auth_file: what auth_query says. */
	struct session *s;
	struct ask ask;
	char *query;               /* owned */
	bool waited;               /* it was asked */
	bool waits;                /* for the answer: what the client says stays where it is */
	bool found;                /* there is such a user, and the next is its secret */
	bool odd;                  /* the answer is none that makes sense; the log says why */
	struct secret secret;      /* owned */
	struct helper_ask outside; /* PAM, LDAP: whether the password is right, which is in `secret` */
	char database[64], user[64];
	char cert_name[128];
	struct scram_binding binding;
};

/* door_auth.c. Each may close the session, or let it in. */
void pg_login_authenticate(struct session *s); /* who it says it is, is known */
void pg_login_message(struct session *s, const struct pg_msg *m);

#endif
