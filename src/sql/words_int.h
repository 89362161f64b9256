/* words_int.h - keywords: from a word as written to a number. */
#ifndef SLUICE_SQL_WORDS_INT_H
#define SLUICE_SQL_WORDS_INT_H

#include <stddef.h>
#include <stdint.h>

enum sql_word {
	W_NONE,
#define WORD(name, text, first, mid, next, last) W_##name,
#include "sql/words.def"
#undef WORD
	W_COUNT
};

/* The keyword that these letters are, in either case, or W_NONE. */
enum sql_word sql_word_of(const uint8_t *s, size_t len);

enum my_word {
	M_NONE,
#define MYWORD(name, text, first, mid, next, last) M_##name,
#include "sql/mysql_words.def"
#undef MYWORD
	M_WORDS
};

/* Likewise, of MySQL's. */
enum my_word my_word_of(const uint8_t *s, size_t len);

#endif
