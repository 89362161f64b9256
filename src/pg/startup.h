/* startup.h - the parameters of a StartupMessage, and the command-line switches in its `options`. Pure.
 * PostgreSQL docs, Message Formats, StartupMessage; libpq's `options` parameter (backslash escapes a blank). */
#ifndef SLUICE_PG_STARTUP_H
#define SLUICE_PG_STARTUP_H

#include "core/rd.h"

/* The next name and value of a StartupMessage's body; both borrowed from it. False at the end: then *ok tells whether
 * the body was well formed to its last byte. */
bool pg_startup_next(struct rd *body, const char **name, const char **value, bool *ok);

#define PG_OPTION_MAX 1024u

/* One switch of `options`: -c name=value, -cname=value or --name=value ('-' in such a name is '_'). */
struct pg_option {
	char name[64];
	char value[PG_OPTION_MAX];
};
enum pg_option_found { PG_OPTION_END, PG_OPTION_OK, PG_OPTION_BAD };
/* Takes the next switch off *at. PG_OPTION_BAD: something that is no such switch, or too long; the rest cannot be read.
 */
enum pg_option_found pg_next_option(const char **at, struct pg_option *out);

#endif
