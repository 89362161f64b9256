/* connstr.h - the values of [databases] and [users]: key=value pairs as in PgBouncer's connection strings.
 *    host=10.0.0.7 port = 5432 password='it''s here'
 * A value ends at a blank, or stands in single quotes, in which two of them are one. Reads in place and allocates
 * nothing. What is wrong is told by its kind and its byte, never by the text: it may be a part of a password. */
#ifndef SLUICE_CONFIG_CONNSTR_H
#define SLUICE_CONFIG_CONNSTR_H

#include <stdbool.h>
#include <stddef.h>

struct connstr {
	char *at;          /* borrowed; what is left */
	const char *start; /* of the whole */
	size_t pair;       /* where the last pair, or what is wrong, begins: bytes from the start */
	bool quoted;       /* the last value stood in quotes */
};

enum connstr_got {
	CONNSTR_PAIR,
	CONNSTR_END,
	CONNSTR_NO_KEY,    /* not a key of letters, digits and _ */
	CONNSTR_NO_EQUALS, /* a key without = */
	CONNSTR_OPEN,      /* no closing quote */
	CONNSTR_BEHIND     /* something sticks to the closing quote */
};

/* text is changed by the reading, and the pairs point into it. */
void connstr_init(struct connstr *c, char *text);
enum connstr_got connstr_next(struct connstr *c, char **key, char **value);
/* What is wrong, in words; for all but PAIR and END. */
const char *connstr_why(enum connstr_got got);

/* p is at an opening quote, of either kind. Takes the quotes off in place, so that the text begins at p, and terminates
 * it. Returns what follows the closing quote; NULL when there is none. */
char *connstr_unquote(char *p);

/* A name on the left of the =, in place: as it stands, or in quotes of either kind, in which two of them are one. False when it
 * is empty, or its quotes or blanks are wrong. */
bool connstr_name(char *name);

#endif
