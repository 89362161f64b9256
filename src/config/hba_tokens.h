/* hba_tokens.h - the words of a line of pg_hba.conf and pg_ident.conf. PostgreSQL docs, The pg_hba.conf File: fields
 * stand between blanks; a comma, with blanks behind it or none, makes one field of several words; double quotes take
 * blanks, commas and # for themselves, and take a keyword its meaning; two of them inside are one; # begins a comment.
 */
#ifndef SLUICE_CONFIG_HBA_TOKENS_H
#define SLUICE_CONFIG_HBA_TOKENS_H

#include "config/lines.h"
#include "core/str.h"

struct hba_token {
	char *text;   /* in the line that was cut */
	bool quoted;  /* begins with a quote: no keyword */
	bool is_next; /* of the same field as the one before it */
};

struct hba_tokens {
	struct hba_token *at; /* owned */
	size_t n, cap;
};

enum hba_cut { HBA_CUT, HBA_CUT_OPEN, HBA_CUT_NOMEM }; /* done; a quote is not closed; out of memory */

/* Cuts a line, in place. An empty one has no words. */
enum hba_cut hba_cut(struct hba_tokens *t, char *line);
void hba_tokens_free(struct hba_tokens *t);
/* A field, from the word at *at, which goes to the next field's; its number of words, 0: there is none. */
size_t hba_field(const struct hba_tokens *t, size_t *at);

/* The next logical line: one that ends in a backslash goes on in the next. *line: its first one's number. NULL at the
 * end, and out of memory, when joined->bad. The text is lent until the next call. *bad: it holds a NUL. */
char *hba_next_line(struct lines *l, struct sb *joined, int *line, bool *bad);

#endif
