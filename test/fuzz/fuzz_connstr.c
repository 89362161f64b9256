/* fuzz_connstr.c - key=value pairs as in [databases], and quoted names. The input is the text. */
#include "fuzz.h"

#include "config/connstr.h"
#include "core/str.h"

#include <string.h>

static void add_quoted(struct sb *b, char quote, const char *s)
{
	sb_add_n(b, &quote, 1);
	for (; *s; s++) {
		sb_add_n(b, s, 1);
		if (*s == quote)
			sb_add_n(b, s, 1);
	}
	sb_add_n(b, &quote, 1);
}

/* All pairs of a text, told in *listed and written in *again. */
static enum connstr_got read_it(const char *from, struct sb *listed, struct sb *again)
{
	size_t len = strlen(from), before = 0;
	char *text = fuzz_text(from, len), *key, *value;
	struct connstr c;
	enum connstr_got got;
	connstr_init(&c, text);
	while ((got = connstr_next(&c, &key, &value)) == CONNSTR_PAIR) {
		fuzz_check("it goes on, and not too far", c.at > key && c.at <= text + len);
		fuzz_check("the pair's place", c.pair == (size_t)(key - text) && (before == 0 || c.pair > before));
		before = c.pair;
		fuzz_check("the parts are in it", key >= text && value >= text && value + strlen(value) <= text + len);
		fuzz_check("the key is a word",
			   *key && strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					       "0123456789_") == strlen(key));
		fuzz_check("a blank stands in quotes only", c.quoted || !strpbrk(value, " \t"));
		sb_addf(listed, "%s=%s\n", key, value);
		sb_addf(again, "%s = ", key);
		add_quoted(again, '\'', value);
		sb_add(again, " ");
	}
	fuzz_check("what is wrong is in it", c.pair <= len);
	fuzz_check("and has its words", (got == CONNSTR_END) == !*connstr_why(got));
	fuzz_check("memory", !listed->bad && !again->bad);
	fuzz_free(text);
	return got;
}

static void check_name(const char *from)
{
	char *name = fuzz_text(from, strlen(from));
	bool was_quoted = *name == '"';
	if (connstr_name(name)) {
		struct sb b = { .max = 0 };
		fuzz_check("a name is not empty", *name);
		fuzz_check("no longer than what it was made of", strlen(name) <= strlen(from));
		fuzz_check("nothing stands behind the quotes", !was_quoted || from[strlen(from) - 1] == '"');
		fuzz_check("odd ones stand in quotes", was_quoted || !strpbrk(name, " \t\""));
		add_quoted(&b, '"', name);
		char *again = fuzz_text(sb_str(&b), b.len);
		fuzz_check("what was written is read", connstr_name(again) && !strcmp(again, name));
		fuzz_free(again);
		sb_free(&b);
	}
	fuzz_free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sb listed = { .max = 0 }, again = { .max = 0 }, listed2 = { .max = 0 }, again2 = { .max = 0 };
	char *text = fuzz_text(data, size);
	(void)read_it(text, &listed, &again);
	fuzz_check("what was written is read", read_it(sb_str(&again), &listed2, &again2) == CONNSTR_END);
	fuzz_check("as it was", !strcmp(sb_str(&listed), sb_str(&listed2)) && !strcmp(sb_str(&again), sb_str(&again2)));
	check_name(text);
	if (*text) { /* whatever the first byte is, it is taken for the quote */
		size_t len = strlen(text);
		char *copy = fuzz_text(text, len), *end = connstr_unquote(copy);
		fuzz_check("what follows is in it", !end || (end > copy + 1 && end <= copy + len));
		fuzz_check("what was quoted is shorter", !end || strlen(copy) + 2 <= (size_t)(end - copy));
		fuzz_free(copy);
	}
	fuzz_free(text);
	sb_free(&listed);
	sb_free(&again);
	sb_free(&listed2);
	sb_free(&again2);
	return 0;
}
