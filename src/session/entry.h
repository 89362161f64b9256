/* entry.h - a client that logs in, as far as it is the same in every protocol: how it is to prove itself (auth_type,
 * the HBA file), by which secret (auth_file, auth_query), whether the system, a certificate, PAM or LDAP vouch for it,
 * and into which database it goes. The door does the talking:
 *
 *   entry_begin() -> (auth_query is asked; e->waits) -> ops->begin(): the exchange that e->method names begins
 *   the exchange succeeds -> entry_let_in() -> ops->enter() -> session_login_done()
 *   the exchange has a password for others to judge -> entry_ask() -> (e->waits) -> ops->vouched(), which says that it
 *   is in -> entry_let_in()
 *   anything fails -> ops->fault() for what the client hears -> session_fail()
 *
 * While e->waits the door leaves what the client says where it is; it is shown again. Each call may close the session.
 */
#ifndef SLUICE_SESSION_ENTRY_H
#define SLUICE_SESSION_ENTRY_H

#include "auth/hba.h"
#include "auth/helper.h"
#include "pool/ask.h"
#include "session/session.h"

/* Bytes of names, as PgBouncer has them; what stands in auth_file and [users] may be a user of Sluice's own alone, whom
 * no server knows by that name. */
#define ENTRY_DATABASE_MAX 63u
#define ENTRY_USER_MAX     127u

/* Why a client is not let in. */
enum entry_no {
	ENTRY_WRONG,      /* whatever it was: it is told the same as any other */
	ENTRY_NO_RULE,    /* no line of the HBA file fits */
	ENTRY_NO_CERT,    /* the line wants a certificate as well */
	ENTRY_OTHER_CERT, /* in the user's name */
	ENTRY_NO_DB,
	ENTRY_CONFIG, /* the configuration cannot be right; the log says why */
};

struct entry;
struct entry_ops {
	/* How it is to prove itself is known: ask it. HBA_TRUST, HBA_PEER and HBA_CERT ask for nothing more. */
	void (*begin)(struct entry *e);
	/* What the client is told, in the door's own words. */
	void (*fault)(const struct entry *e, enum entry_no no, struct fault *f);
	/* PAM or LDAP know the password: say so to the client; then entry_let_in(). */
	void (*vouched)(struct entry *e);
	/* The last before it is in: what the door needs of the session. False, with a fault, when it cannot be had. */
	bool (*enter)(struct entry *e, struct fault *f);
};

/* A part of what a door keeps of a client that logs in, and no longer; all zeroes before. */
struct entry {
	/* For the door to set before entry_begin(), with what session_identify() needs. */
	const struct entry_ops *ops;
	struct session *s;
	char database[ENTRY_DATABASE_MAX + 1], user[ENTRY_USER_MAX + 1];
	bool no_such_db; /* told after authentication: names of databases are not for everybody */
	/* To be read. */
	enum hba_method method;
	bool waits;
	/* Its own. */
	bool takes_any;             /* auth_type any: whatever it calls itself */
	bool waited;                /* auth_query was asked */
	struct database *asked;     /* where; as long as it is */
	enum secret_kind told_kind; /* what it mostly tells there */
	uint32_t told_iterations;
	bool found;                  /* there is such a user, and `secret` is its secret */
	bool odd;                    /* the answer is none that makes sense; the log says why */
	struct config *config;       /* counted: the rule is in it; NULL before there is a method */
	const struct hba_rule *rule; /* of auth_type hba; else NULL */
	struct ask ask;
	char *query;               /* owned */
	struct secret secret;      /* owned */
	struct helper_ask outside; /* PAM, LDAP: whether the password is right, which is in `secret` */
	char cert_name[128];
};

void entry_begin(struct entry *e);
/* The one to prove oneself by. NULL: nobody of that name. */
struct secret *entry_secret(struct entry *e);
/* Whom nobody knows, or who has no secret, is asked as most of the others are, and costs what they do. */
enum secret_kind entry_nobody_as(const struct entry *e);
/* SCRAM: with how many iterations. */
uint32_t entry_nobody_iterations(const struct entry *e);
/* Are the keys for SCRAM made anew for each who is there, and so to be for who is not? */
bool entry_derives_always(const struct entry *e);
/* It has proved itself. */
void entry_let_in(struct entry *e);
/* Somebody else knows whether this is the password. Borrowed for the call. */
void entry_ask(struct entry *e, const char *password);
/* It has not. why: for the log; NULL: what is known here. */
void entry_refuse(struct entry *e, enum entry_no no, const char *why);
/* Likewise, for reasons that the fault says. */
void entry_refuse_for(struct entry *e, const struct fault *f, const char *why);
/* What kept a client out that was told the same as any other; "": nothing is known. */
const char *entry_why(struct entry *e);
/* All that it holds goes, the secret wiped. Fine at any time. */
void entry_end(struct entry *e);

/* Is it somebody on the console's unix socket for whom the kernel vouches: who runs as the user that Sluice runs as? */
bool entry_is_own_user(const struct session *s, const char *user);

#endif
