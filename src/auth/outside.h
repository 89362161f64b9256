/* outside.h - who asks those that know passwords elsewhere, and waits for them: only helper processes do. src/helper.c
 */
#ifndef SLUICE_AUTH_OUTSIDE_H
#define SLUICE_AUTH_OUTSIDE_H

#include "auth/helper_wire.h"

/* why: a reason for the log, in HELPER_WHY_MAX bytes; what the user typed is not in it. */
enum helper_verdict ldap_ask(const struct helper_question *q, char why[HELPER_WHY_MAX]);
enum helper_verdict pam_ask(const struct helper_question *q, char why[HELPER_WHY_MAX]);

#endif
