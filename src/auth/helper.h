/* helper.h - helper processes, which ask PAM and LDAP servers for the loop, which must not wait. Each has one question
 * at a time; there are up to `most` of them, started when they are needed and ended when they were idle for a while.
 * One that takes too long is killed, one that dies costs the login that it was asked about, and another takes its
 * place. What else there is to ask stands in line.
 *
 *   IDLE -> BUSY -> IDLE ...; any -> ENDING (its socket is closed, or it was killed) -> reaped, and gone
 *
 * All on the loop's thread. A callback never fires inside the call that asked for it; it fires once, or never after
 * helper_cancel(). */
#ifndef SLUICE_AUTH_HELPER_H
#define SLUICE_AUTH_HELPER_H

#include "auth/helper_wire.h"
#include "core/list.h"

struct helper;

/* A question. The memory is the asker's and stays put until its callback or helper_cancel(). */
struct helper_ask {
	/* why: for the log; borrowed for the call. */
	void (*done)(struct helper_ask *a, enum helper_verdict v, const char *why);
	/* Its own. */
	struct list in_line;   /* alone when it is not in line */
	struct helper *helper; /* that has it; NULL mostly */
	uint8_t *bytes;        /* owned; wiped when they are sent */
	size_t len;
};

/* Finds the program, beside the running one or where it was installed, and keeps it open: so it is of the same build
 * however often it is started. After loop_init() and daemon_become(). False, with the reason, when it is not there,
 * which matters when there is anything to ask: then each question is answered HELPER_UNABLE. */
bool helpers_init(struct fault *f);
/* How many there may be, and how long one may take. For what is asked from now on. */
void helpers_configure(unsigned most, uint32_t patience_ms);
/* Kills them all, for exit. What is asked is forgotten. */
void helpers_free(void);

/* Asks. FAULT_NOMEM; FAULT_PROTO when name, password and options are longer than can be. q->patience_ms is set here. */
bool helper_begin(struct helper_ask *a, struct helper_question *q,
		  void (*done)(struct helper_ask *a, enum helper_verdict v, const char *why), struct fault *f);
/* Never mind. Fine at any time; *a may be all zeroes. */
void helper_cancel(struct helper_ask *a);

#endif
