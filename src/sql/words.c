/* words.c - the tables of keywords: one place for each, so one comparison finds a word or that there is none. */
#include "sql/words_int.h"

#include <stdbool.h>

#define PLACES                               1024
/* The factors were found by trying: no two words of words.def share a place, nor do two of mysql_words.def. */
#define PLACE(len, first, mid, next, last)   (((len)*37u + (first)*42u + (next)*30u + (mid)*59u + (last)) % PLACES)
#define MYPLACE(len, first, mid, next, last) (((len)*110u + (first)*197u + (next)*57u + (mid)*166u + (last)) % PLACES)
#define LONGEST                              16

struct word {
	uint8_t len;
	char text[LONGEST];
};

static const uint8_t places[PLACES] = {
#define WORD(name, text, first, mid, next, last) [PLACE(sizeof(text) - 1, first, mid, next, last)] = W_##name,
#include "sql/words.def"
#undef WORD
};
static const struct word words[W_COUNT] = {
#define WORD(name, text, first, mid, next, last) [W_##name] = { sizeof(text) - 1, text },
#include "sql/words.def"
#undef WORD
};

static const uint8_t myplaces[PLACES] = {
#define MYWORD(name, text, first, mid, next, last) [MYPLACE(sizeof(text) - 1, first, mid, next, last)] = M_##name,
#include "sql/mysql_words.def"
#undef MYWORD
};
static const struct word mywords[M_WORDS] = {
#define MYWORD(name, text, first, mid, next, last) [M_##name] = { sizeof(text) - 1, text },
#include "sql/mysql_words.def"
#undef MYWORD
};

static inline bool is_word(const struct word *w, const uint8_t *s, size_t len)
{
	if (w->len != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((s[i] | 0x20) != w->text[i])
			return false; /* words are of letters alone, and only letters become letters by that bit */
	return true;
}

enum sql_word sql_word_of(const uint8_t *s, size_t len)
{
	if (len < 2 || len >= LONGEST)
		return W_NONE;
	enum sql_word w =
		places[PLACE((unsigned)len, s[0] | 0x20u, s[len / 2] | 0x20u, s[len - 2] | 0x20u, s[len - 1] | 0x20u)];
	return is_word(&words[w], s, len) ? w : W_NONE;
}

enum my_word my_word_of(const uint8_t *s, size_t len)
{
	if (len < 2 || len >= LONGEST)
		return M_NONE;
	enum my_word w = myplaces[MYPLACE((unsigned)len, s[0] | 0x20u, s[len / 2] | 0x20u, s[len - 2] | 0x20u,
					  s[len - 1] | 0x20u)];
	return is_word(&mywords[w], s, len) ? w : M_NONE;
}
