/* fingerprint.h - a statement without what its user put into it, for logs: `select * from t where a = ?`, and a number
 * that is the same for all statements of that form.
 * Pure; sql/ reads texts where they lie. What is in quotes, any number and all comments are left out; where it cannot
 * be known for sure where a string ends, so is all that follows. No secret gets through: also not a word behind the =
 * of a SET. */
#ifndef SLUICE_SQL_FINGERPRINT_H
#define SLUICE_SQL_FINGERPRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sql_dialect { SQL_DIALECT_POSTGRES, SQL_DIALECT_MYSQL };

/* mode: as for the lexer of that dialect. is_cut: the text went on. Writes at most cap - 1 bytes and a NUL; cap > 0.
 * The length written. */
size_t sql_fingerprint(const void *text, size_t len, bool is_cut, enum sql_dialect dialect, unsigned mode, char *out,
		       size_t cap);
/* The number of what was written. */
uint64_t sql_fingerprint_hash(const char *s, size_t len);

#endif
