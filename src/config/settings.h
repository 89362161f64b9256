/* settings.h - the one table of settings (settings.def) and what walks it.
 * A row has a kind (which fixes its unit), a default, a range, a scope (global, database, user), when it takes effect
 * and one line of text; INI reader, SLUICE_* environment, SHOW CONFIG, SET, reload, --check and the man page all read
 * it. */
#ifndef SLUICE_CONFIG_SETTINGS_H
#define SLUICE_CONFIG_SETTINGS_H

#include "core/fault.h"
#include "core/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum setting_id {
#define SETTING(name, kind, def, min, max, scope, when, text) SET_##name,
#include "config/settings.def"
#undef SETTING
	SET_COUNT
};

/* Kinds, and how a value is held. */
enum setting_kind {
	KIND_bool,  /* num: 0 or 1 */
	KIND_uint,  /* num: a plain number */
	KIND_bytes, /* num: bytes; accepts k, M, G and kB, MB, GB */
	KIND_sec,  /* num: MILLISECONDS; PgBouncer's unit is seconds, fractions and us, ms, s, min, h, d accepted; shown
		      in seconds */
	KIND_msec, /* num: milliseconds; the same suffixes; a bare number is milliseconds */
	KIND_mode, /* num: octal file mode */
	KIND_enum, /* num: index in the row's word list */
	KIND_text, /* text */
	KIND_list  /* text: comma-separated words */
};

enum { SCOPE_GLOBAL = 1, SCOPE_DATABASE = 2, SCOPE_USER = 4 };
enum { WHEN_LIVE = 1, WHEN_RESTART = 2, WHEN_SECRET = 4 /* a flag: shown as *** */ };

struct setting {
	const char *name;
	enum setting_kind kind;
	const char *def;
	int64_t min, max; /* numbers, in the unit of `num`; texts: bytes */
	unsigned scope, when;
	const char *words; /* KIND_enum: "session,transaction,statement"; else NULL */
	const char *text;
};

extern const struct setting settings_table[SET_COUNT];

/* What `num` means in the enum rows: the words of settings.def, in their order. (pool_mode's are in pool/pool.h.) */
enum {
	AUTH_TYPE_TRUST,
	AUTH_TYPE_PLAIN,
	AUTH_TYPE_MD5,
	AUTH_TYPE_SCRAM,
	AUTH_TYPE_ANY,
	AUTH_TYPE_HBA,
	AUTH_TYPE_CERT,
	AUTH_TYPE_PEER,
	AUTH_TYPE_PAM,
	AUTH_TYPE_LDAP
};
enum { PIN_POLICY_PIN, PIN_POLICY_ERROR, PIN_POLICY_IGNORE };
enum { RATE_DELAY, RATE_REJECT };
enum { LEAK_LOG, LEAK_KILL };
enum { BACKPRESSURE_BLOCK, BACKPRESSURE_TIMEOUT, BACKPRESSURE_REJECT };
enum { LOAD_BALANCE_ROUND_ROBIN, LOAD_BALANCE_DISABLE };
/* The n-th word of an enum row, in a buffer of that size; "" when there is none. For syslog_facility, and to log. */
void setting_word(enum setting_id id, int64_t n, char *out, size_t cap);

struct setting_value {
	int64_t num;
	char *text; /* owned; KIND_text and KIND_list only, never NULL for those */
};

/* The values of one scope, all rows. */
struct settings {
	struct setting_value v[SET_COUNT];
};

bool settings_init(struct settings *s); /* to the defaults; false when out of memory */
void settings_free(struct settings *s);
/* A copy of its own in *to, which holds nothing yet; false, and nothing to free, when out of memory. */
bool settings_copy(struct settings *to, const struct settings *from);
bool setting_value_copy(enum setting_id id, struct setting_value *to, const struct setting_value *from);
bool setting_value_same(enum setting_id id, const struct setting_value *a, const struct setting_value *b);
void setting_value_free(enum setting_id id, struct setting_value *v);

/* Index of a row by its name (case does not matter), or -1. */
int setting_find(const char *name);
/* The known name nearest to this one, or NULL when none is near. */
const char *setting_nearest(const char *name);
/* Parses a value for a row. FAULT_CONFIG says what is wrong with it, the range and the unit. out->text is owned by the
 * caller then. */
bool setting_parse(enum setting_id id, const char *value, struct setting_value *out, struct fault *f);
/* Writes a value as SHOW CONFIG shows it ("***" for secrets). */
void setting_show(enum setting_id id, const struct setting_value *v, struct sb *out);
/* sluice.ini(5)'s settings section, in roff. */
void settings_man(FILE *out);
/* Text for roff: nothing in it is taken for a request or an escape. */
void settings_man_text(FILE *out, const char *text);

/* Names that PgBouncer's reference has and this version does not serve (later.def). */
#define PEER_ID_MAX 65535 /* two bytes of a cancel key */

struct later {
	const char *name;
	const char *def; /* PgBouncer's default */
	const char *off; /* the value with which nothing is missing */
	unsigned scope;
	const char *row; /* "yes", "no": SHOW CONFIG has it as PgBouncer's does, with this as "changeable"; NULL: it has
			    not */
	const char *why; /* it has no meaning here; NULL: it is not built yet */
};
enum later_is {
	LATER_UNKNOWN, /* no such name in that scope */
	LATER_OFF,     /* asks for nothing: fine */
	LATER_DEFAULT, /* PgBouncer's default, which does something there: worth a warning */
	LATER_WANTED,  /* asks for what is not there: a fault for --check */
	LATER_MOOT     /* asks for what has no meaning here: worth a line, and never a fault */
};
enum later_is setting_later(const char *name, const char *value, unsigned scope);
/* Why a name that is LATER_MOOT is. */
const char *setting_moot_why(const char *name);
/* The table, for the man page; ends with a NULL name. */
extern const struct later settings_later[];

#endif
