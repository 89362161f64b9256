/* fault.h - an error, as a value.
 * A call that can fail returns bool and fills the caller's struct fault, the last of its arguments; its results are
 * untouched on failure. The lowest layer sets the kind, each layer above prefixes what it was doing, and one place (the
 * door) turns it into a log line and an ErrorResponse or ERR packet. */
#ifndef SLUICE_CORE_FAULT_H
#define SLUICE_CORE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
	FAULT_NONE,
#define FAULT(kind, sqlstate, mysql_errno, mysql_state, retryable, text) FAULT_##kind,
#include "core/fault.def"
#undef FAULT
	FAULT_NKINDS
};

struct fault {
	enum fault_kind kind;
	uint16_t mysql_errno;
	char sqlstate[6];
	char mysql_state[6];
	char text[512]; /* whole sentences for the person who gets it; cut at the end, never in mid-UTF-8 */
	char hint[256]; /* what to do; "" for none */
};

/* Sets all fields by the kind's row; the text is the format's. Always false, so: return fault_set(f, ...). */
bool fault_set(struct fault *f, enum fault_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Overrides the SQLSTATE that the kind's row gave: five characters of A-Z and 0-9, anything else is ignored. */
void fault_sqlstate(struct fault *f, const char *sqlstate);
/* Overrides what MySQL's clients are told. state as above; NULL: as it is. */
void fault_mysql(struct fault *f, uint16_t mysql_errno, const char *state);
void fault_hint(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prefixes "<what>: " to the text. Always false. */
bool fault_add(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* FAULT_IO or FAULT_NOMEM by errno, with strerror's words behind the format's. Always false. */
bool fault_errno(struct fault *f, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool fault_is_retryable(const struct fault *f);
/* The kind's name in lower case ("connect"); for logs and metrics. */
const char *fault_name(enum fault_kind kind);

#endif
