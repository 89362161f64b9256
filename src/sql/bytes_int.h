/* bytes_int.h - what a byte of an SQL text may be: for the lexers, and for those who glance at texts. MySQL's names
 * have the same letters as PostgreSQL's; of the rest its lexer asks for blanks and digits alone. */
#ifndef SLUICE_SQL_BYTES_INT_H
#define SLUICE_SQL_BYTES_INT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	C_BLANK = 1,
	C_START = 2, /* a name may begin with it */
	C_WORD = 4,  /* and go on with it */
	C_DIGIT = 8,
	C_OP = 16,   /* of operators */
	C_SELF = 32, /* stands for itself */
	C_HEX = 64,
	C_STRONG = 128, /* an operator that holds it may end in + or - */
};

extern const uint8_t sql_class_of[256];

static inline bool is_of(uint8_t c, unsigned classes)
{
	return (sql_class_of[c] & classes) != 0;
}

#endif
