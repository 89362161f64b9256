/* fuzz_console.c - the console's language. The input is the text of a query. */
#include "fuzz.h"

#include "admin/parse.h"
#include "core/str.h"

#include <errno.h>
#include <stdlib.h>
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

static bool is_within(const char *s, const char *text, size_t len)
{
	return s >= text && s <= text + len && memchr(s, 0, (size_t)(text + len - s) + 1);
}

struct got {
	struct sb listed, again;
	enum parse end;
	size_t at; /* behind the last statement that was understood */
	unsigned orders;
};

static void check_order(const struct order *o, const char *text, size_t len)
{
	fuzz_check("a row of the table", (unsigned)o->id < CMD_COUNT);
	fuzz_check("what it is about is in the text",
		   (!o->arg || is_within(o->arg, text, len)) && (!o->value || is_within(o->value, text, len)));
	enum shape shape = command_table[o->id].shape;
	fuzz_check("only where the row takes it", !o->arg || shape != SHAPE_NONE);
	fuzz_check("a value has a key", !o->value || o->arg);
	fuzz_check("an assignment has both", (shape == SHAPE_ASSIGN || shape == SHAPE_IGNORED) == (o->value != NULL));
}

static void read_it(struct got *g, const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);
	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	copy[size] = "\"-*/="[size % 5]; /* may be written, and not be read */
	char *text = fuzz_exact(copy, size + 1);
	free(copy);

	size_t at = 0;
	struct order o;
	struct fault f;
	bool clean = fuzz_is_utf8(data, size);
	while ((g->end = parse_order(text, size, &at, &o, &f)) == PARSE_ORDER) {
		fuzz_check("it goes on, and not too far", at > g->at && at <= size);
		g->at = at;
		g->orders++;
		check_order(&o, text, size);
		const struct command *c = &command_table[o.id];
		sb_addf(&g->listed, "%s (%s) (%s)\n", c->words, o.arg ? o.arg : "", o.value ? o.value : "");
		sb_add(&g->again, c->words);
		sb_add(&g->again, " ");
		if (o.arg)
			add_quoted(&g->again, '"', o.arg);
		if (o.value) {
			sb_add(&g->again, "=");
			add_quoted(&g->again, '\'', o.value);
		}
		sb_add(&g->again, ";");
		uint64_t id, id2;
		if (o.arg && parse_id(o.arg, &id)) {
			const char *digits = o.arg + (o.arg[1] == '-' ? 2 : 0);
			errno = 0;
			fuzz_check("as the C library has it",
				   strtoull(digits, NULL, strpbrk(digits, "xX") ? 16 : 10) == id && errno == 0);
			char decimal[24], hex[24];
			str_fmt(decimal, sizeof decimal, "%llu", (unsigned long long)id);
			str_fmt(hex, sizeof hex, "C-0x%llx", (unsigned long long)id);
			fuzz_check("an id is one in decimals", parse_id(decimal, &id2) && id2 == id);
			fuzz_check("and as the log has it", parse_id(hex, &id2) && id2 == id);
		}
	}
	fuzz_check("at the end of it", at == size);
	if (g->end == PARSE_BAD) {
		fuzz_check("the fault", f.kind == FAULT_SYNTAX && !strcmp(f.sqlstate, "08P01") && f.text[0]);
		fuzz_check("says what to do", strstr(f.text, "use SHOW HELP;"));
		fuzz_check("cuts no character",
			   !clean || (fuzz_is_utf8(f.text, strlen(f.text)) && fuzz_is_utf8(f.hint, strlen(f.hint))));
	}
	fuzz_check("memory", !g->listed.bad && !g->again.bad);
	fuzz_free(text);
}

static void end(struct got *g)
{
	sb_free(&g->listed);
	sb_free(&g->again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct got whole = { .orders = 0 }, part = { .orders = 0 }, again = { .orders = 0 };
	read_it(&whole, data, size);
	read_it(&part, data, whole.at);
	fuzz_check("what follows changes nothing", part.end == PARSE_END && part.orders == whole.orders &&
							   !strcmp(sb_str(&part.listed), sb_str(&whole.listed)));
	read_it(&again, (const uint8_t *)sb_str(&whole.again), whole.again.len);
	fuzz_check("what was written is read", again.end == PARSE_END && again.orders == whole.orders &&
						       !strcmp(sb_str(&again.listed), sb_str(&whole.listed)));
	end(&whole);
	end(&part);
	end(&again);
	return 0;
}
