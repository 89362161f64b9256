/* helper_wire.h - what the daemon and its helper processes say to each other: one message of a SOCK_SEQPACKET socket is
 * one question, and the next from the other side its answer. Pure: bytes in, values out, no allocation. Both ends are
 * of one build; the version in front is for the case that they are not. */
#ifndef SLUICE_AUTH_HELPER_WIRE_H
#define SLUICE_AUTH_HELPER_WIRE_H

#include "config/hba.h"

#define HELPER_VERSION   1u
#define HELPER_ASK_MAX   65536u /* bytes of a question: less than any socket takes at once */
#define HELPER_WHY_MAX   400u   /* bytes of a reason, with its NUL */
#define HELPER_REPLY_MAX (2u + HELPER_WHY_MAX)

enum helper_kind { HELPER_PAM = 'p', HELPER_LDAP = 'l' };

/* Is it this user's password? All texts are borrowed, and never NULL but where it says so. */
struct helper_question {
	enum helper_kind kind;
	uint32_t patience_ms; /* who asks will not wait any longer */
	const char *user, *password;
	const char *host; /* where the client is; "": on this machine */
	const char *service,
		*dir; /* PAM: its name there, and where services are described; dir "": the system's place */
	const char *ldap[HBA_NOPTIONS]; /* LDAP: options of the rule; NULL: not given */
};

enum helper_verdict {
	HELPER_YES,
	HELPER_NO,     /* a wrong password, or it may not be */
	HELPER_NOBODY, /* there is no such user */
	HELPER_UNABLE  /* nobody could be asked */
};

/* The length, or 0 when it is longer than HELPER_ASK_MAX, which `out` has. */
size_t helper_put_question(uint8_t *out, const struct helper_question *q);
/* False: it is none, and *why says so for the log. */
bool helper_get_question(const uint8_t *in, size_t n, struct helper_question *q, const char **why);

/* The length; `why` is cut when it is too long. */
size_t helper_put_reply(uint8_t out[HELPER_REPLY_MAX], enum helper_verdict v, const char *why);
/* *why is borrowed from `in`. */
bool helper_get_reply(const uint8_t *in, size_t n, enum helper_verdict *v, const char **why);

#endif
