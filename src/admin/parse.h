/* parse.h - the console's language: cuts a text into statements and finds each in the table of commands
 * (commands.def). Pure: no I/O, no allocation, nothing of the house but the table.
 *
 *   text      = [ statement ] { ";" [ statement ] }
 *   statement = words of a command, in any letter case, "quoted" if you like, and what its shape asks for
 *   database  = word | "quoted", with "" for a quote in it
 *   value     = word | 'quoted' | "quoted"
 * Comments are SQL's: from -- to the line's end, and between slash-star and star-slash. */
#ifndef SLUICE_ADMIN_PARSE_H
#define SLUICE_ADMIN_PARSE_H

#include "core/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum command_id {
#define SHOW(word, name, right, text)            CMD_show_##name,
#define COMMAND(words, name, right, shape, text) CMD_##name,
#include "admin/commands.def"
#undef SHOW
#undef COMMAND
	CMD_COUNT
};

enum right { RIGHT_NONE, RIGHT_STATS, RIGHT_ADMIN }; /* each includes those before it */

enum shape { SHAPE_NONE, SHAPE_DB, SHAPE_DB_OR_ALL, SHAPE_ID, SHAPE_ASSIGN, SHAPE_IGNORED };

struct command {
	const char *words; /* "SHOW POOLS", upper case, one blank between */
	enum right right;
	enum shape shape;
	const char *text; /* what it does, a sentence */
};

extern const struct command command_table[CMD_COUNT];

/* One statement. arg and value point into the text that was parsed. */
struct order {
	enum command_id id;
	const char *arg;   /* the database, the client's id or the setting's key; NULL: none was given */
	const char *value; /* of SHAPE_ASSIGN and SHAPE_IGNORED */
};

enum parse { PARSE_ORDER, PARSE_END, PARSE_BAD };

/* The next statement of text[*at .. len); *at moves behind it. Empty statements are skipped. The text is written to
 * (its names are unquoted in place and ended with NUL), and text[len] is a byte more that may be written. PARSE_BAD: f
 * says why, and the rest of the text is of no use. */
enum parse parse_order(char *text, size_t len, size_t *at, struct order *o, struct fault *f);

/* A client's id as SHOW CLIENTS shows it ("31"), or as the log does ("C-0x1f", "0x1f"). */
bool parse_id(const char *s, uint64_t *id);

/* Sets a fault with the SQLSTATE that PgBouncer's console has for all of its own. Always false. */
bool admin_fault(struct fault *f, enum fault_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* "PAUSE [<db>]" into out. */
void command_usage(const struct command *c, char *out, size_t cap);

#endif
