/* words.c - the table of keywords: one place for each, so one comparison finds a word or that there is none. */
#include "sql/words_int.h"

#include <stdbool.h>

#define PLACES                             1024
/* The factors were found by trying: no two words of words.def share a place. */
#define PLACE(len, first, mid, next, last) (((len)*37u + (first)*42u + (next)*30u + (mid)*59u + (last)) % PLACES)
#define LONGEST                            16

static const uint8_t places[PLACES] = {
#define WORD(name, text, first, mid, next, last) [PLACE(sizeof(text) - 1, first, mid, next, last)] = W_##name,
#include "sql/words.def"
#undef WORD
};

static const struct {
	uint8_t len;
	char text[LONGEST];
} words[W_COUNT] = {
#define WORD(name, text, first, mid, next, last) [W_##name] = { sizeof(text) - 1, text },
#include "sql/words.def"
#undef WORD
};

enum sql_word sql_word_of(const uint8_t *s, size_t len)
{
	if (len < 2 || len >= LONGEST)
		return W_NONE;
	enum sql_word w =
		places[PLACE((unsigned)len, s[0] | 0x20u, s[len / 2] | 0x20u, s[len - 2] | 0x20u, s[len - 1] | 0x20u)];
	if (words[w].len != len)
		return W_NONE;
	for (size_t i = 0; i < len; i++)
		if ((s[i] | 0x20) != words[w].text[i])
			return W_NONE; /* words are of letters alone, and only letters become letters by that bit */
	return w;
}
