/* parse.c - the console's language: from a text to rows of the table of commands. */
#include "admin/parse.h"

#include "core/str.h"

#include <string.h>

#define TOKENS_MAX 4   /* SET key = value */
#define SHOWN_MAX  200 /* bytes of a wrong statement that its error repeats */

const struct command command_table[CMD_COUNT] = {
#define SHOW(word, name, right, text)            { "SHOW " word, RIGHT_##right, SHAPE_NONE, text },
#define COMMAND(words, name, right, shape, text) { words, RIGHT_##right, SHAPE_##shape, text },
#include "admin/commands.def"
#undef SHOW
#undef COMMAND
};

enum token_kind { TOKEN_WORD, TOKEN_NAME /* "x" or `x` */, TOKEN_TEXT /* 'x' */, TOKEN_EQUALS };

struct token {
	enum token_kind kind;
	char *s;
	size_t len; /* quotes included */
};

enum lex { LEX_TOKEN, LEX_SEMICOLON, LEX_END, LEX_BAD };

struct lexer {
	char *at, *end;
	const char *why; /* LEX_BAD */
};

bool admin_fault(struct fault *f, enum fault_kind kind, const char *fmt, ...)
{
	char text[sizeof f->text];
	va_list ap;
	va_start(ap, fmt);
	str_vfmt(text, sizeof text, fmt, ap);
	va_end(ap);
	fault_set(f, kind, "%s", text);
	fault_sqlstate(f, "08P01");
	return false;
}

/* --- Tokens */

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool starts(const struct lexer *l, const char *two)
{
	return l->end - l->at >= 2 && l->at[0] == two[0] && l->at[1] == two[1];
}

/* Blanks and comments. False: a comment does not end. */
static bool skip_blanks(struct lexer *l)
{
	for (;;) {
		while (l->at < l->end && is_blank(*l->at))
			l->at++;
		if (starts(l, "--")) {
			while (l->at < l->end && *l->at != '\n')
				l->at++;
		} else if (starts(l, "/*")) {
			unsigned depth = 0; /* they nest, as PostgreSQL's do */
			do {
				if (starts(l, "/*"))
					depth++, l->at += 2;
				else if (starts(l, "*/"))
					depth--, l->at += 2;
				else if (l->at < l->end)
					l->at++;
				else
					return false;
			} while (depth > 0);
		} else {
			return true;
		}
	}
}

static bool is_word_byte(const struct lexer *l)
{
	unsigned char c = (unsigned char)*l->at;
	return c > ' ' && c != 0x7f && !strchr(";\"'`=", c) && !starts(l, "--") && !starts(l, "/*");
}

static bool lex_quoted(struct lexer *l)
{
	char quote = *l->at++;
	while (l->at < l->end && *l->at) {
		if (*l->at++ != quote)
			continue;
		if (l->at == l->end || *l->at != quote)
			return true;
		l->at++;
	}
	return false;
}

static enum lex lex(struct lexer *l, struct token *t)
{
	t->s = l->at;
	if (!skip_blanks(l)) {
		l->why = "A comment in it does not end.";
		return LEX_BAD;
	}
	t->s = l->at;
	if (l->at == l->end)
		return LEX_END;
	switch (*l->at) {
	case ';':
		l->at++;
		return LEX_SEMICOLON;
	case '=':
		l->at++;
		t->kind = TOKEN_EQUALS;
		break;
	case '"':
	case '`':
	case '\'':
		t->kind = *l->at == '\'' ? TOKEN_TEXT : TOKEN_NAME;
		if (!lex_quoted(l)) {
			l->why = "A quote in it does not end.";
			return LEX_BAD;
		}
		break;
	default:
		t->kind = TOKEN_WORD;
		while (l->at < l->end && is_word_byte(l))
			l->at++;
		if (l->at == t->s) {
			l->why = "It holds a control character.";
			return LEX_BAD;
		}
	}
	t->len = (size_t)(l->at - t->s);
	return LEX_TOKEN;
}

/* The token's text in its place, without its quotes, with a NUL behind it. What stood there was seen already. */
static const char *take(struct token *t)
{
	char *to = t->s;
	size_t n = 0;
	if (t->kind == TOKEN_NAME || t->kind == TOKEN_TEXT) {
		char quote = *t->s;
		to++;
		for (size_t i = 1; i + 1 < t->len; i++) {
			to[n++] = t->s[i];
			i += t->s[i] == quote; /* doubled */
		}
	} else {
		n = t->len;
	}
	to[n] = '\0';
	return to;
}

/* --- Commands */

static bool is_word(const struct token *t, const char *word, size_t len)
{
	size_t skip = t->kind == TOKEN_NAME ? 1 : 0; /* the quotes */
	if ((t->kind != TOKEN_WORD && t->kind != TOKEN_NAME) || t->len != len + 2 * skip)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = t->s[skip + i];
		if ((c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c) != word[i])
			return false;
	}
	return true;
}

/* With how many tokens does the statement begin that are all the words of c? 0: it does not. */
static size_t words_match(const struct command *c, const struct token *t, size_t n)
{
	const char *w = c->words;
	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(w, " ");
		if (!is_word(&t[i], w, len))
			return 0;
		w += len;
		if (!*w)
			return i + 1;
		w++;
	}
	return 0;
}

static bool is_name(const struct token *t)
{
	return t->kind == TOKEN_WORD || t->kind == TOKEN_NAME;
}

/* What drivers set when they connect, and console clients too: means nothing here. */
static bool is_ignored(const struct token *t)
{
	static const char *const names[] = { "APPLICATION_NAME",   "CLIENT_ENCODING", "CLIENT_MIN_MESSAGES",
					     "DATESTYLE",          "INTERVALSTYLE",   "STANDARD_CONFORMING_STRINGS",
					     "EXTRA_FLOAT_DIGITS", "TIMEZONE" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (is_word(t, names[i], strlen(names[i])))
			return true;
	return false;
}

static bool is_assignment(const struct token *t, size_t n)
{
	return n == 3 && is_name(&t[0]) && t[2].kind != TOKEN_EQUALS &&
	       (t[1].kind == TOKEN_EQUALS || is_word(&t[1], "TO", 2));
}

/* Do these tokens, behind a command's words, fit its shape? */
static bool fits(enum shape shape, const struct token *t, size_t n)
{
	switch (shape) {
	case SHAPE_NONE:
		return n == 0;
	case SHAPE_DB: /* a missing one is told of by the dispatcher, once it is clear that the user may ask */
	case SHAPE_DB_OR_ALL:
	case SHAPE_ID:
		return n == 0 || (n == 1 && is_name(t));
	case SHAPE_ASSIGN:
		return is_assignment(t, n);
	case SHAPE_IGNORED:
		return is_assignment(t, n) && is_ignored(t);
	}
	return false;
}

static int word_len(const struct token *t)
{
	return t->len < 40 ? (int)t->len : 40;
}

/* "Did you mean": the command whose words are nearest to what was written. */
static const char *nearest(const struct token *t, size_t n)
{
	char written[2][40] = { "", "" }; /* the first word, and the first two */
	const char *best = NULL;
	unsigned least = 3;

	if (n > 0 && t[0].kind == TOKEN_WORD)
		str_fmt(written[0], sizeof written[0], "%.*s", word_len(&t[0]), t[0].s);
	if (written[0][0] && n > 1 && t[1].kind == TOKEN_WORD)
		str_fmt(written[1], sizeof written[1], "%s %.*s", written[0], word_len(&t[1]), t[1].s);
	for (int i = 0; i < 2; i++)
		for (char *c = written[i]; *c; c++)
			if (*c >= 'a' && *c <= 'z')
				*c = (char)(*c - 'a' + 'A');
	for (int i = 0; i < CMD_COUNT; i++) {
		const char *words = command_table[i].words;
		const char *w = written[strchr(words, ' ') != NULL];
		unsigned d = *w ? str_distance(w, words, 2) : 3;
		if (d < least) {
			least = d;
			best = words;
		}
	}
	return best;
}

/* [from, to) without the blanks behind it, cut to what is shown, never in mid-UTF-8. */
static int shown_len(const char *from, const char *to)
{
	while (to > from && is_blank(to[-1]))
		to--;
	if (to - from > SHOWN_MAX) {
		to = from + SHOWN_MAX;
		while (to > from && (*to & 0xc0) == 0x80)
			to--;
	}
	return (int)(to - from);
}

static enum parse bad(struct fault *f, const char *from, const char *to)
{
	admin_fault(f, FAULT_SYNTAX, "invalid command '%.*s', use SHOW HELP;", shown_len(from, to), from);
	return PARSE_BAD;
}

enum parse parse_order(char *text, size_t len, size_t *at, struct order *o, struct fault *f)
{
	struct lexer l = { text + *at, text + len, NULL };
	struct token t[TOKENS_MAX], spare;
	size_t n;
	enum lex is;

	do
		is = lex(&l, &t[0]);
	while (is == LEX_SEMICOLON);
	char *from = t[0].s, *to = l.at;
	for (n = 0; is == LEX_TOKEN; n++) {
		to = l.at;
		is = lex(&l, n + 1 < TOKENS_MAX ? &t[n + 1] : &spare);
	}
	*at = (size_t)(l.at - text);
	if (is == LEX_BAD) {
		*at = len;
		bad(f, from, l.end);
		fault_hint(f, "%s", l.why);
		return PARSE_BAD;
	}
	if (n == 0)
		return PARSE_END;

	size_t best = 0, chosen = 0; /* most words that match, and of those that fit as well */
	int near = -1;
	*o = (struct order){ CMD_COUNT, NULL, NULL };
	for (int i = 0; i < CMD_COUNT; i++) {
		size_t m = words_match(&command_table[i], t, n < TOKENS_MAX ? n : TOKENS_MAX);
		if (m > best) {
			best = m;
			near = i;
		}
		if (m > chosen && n <= TOKENS_MAX && fits(command_table[i].shape, t + m, n - m)) {
			chosen = m;
			o->id = (enum command_id)i;
		}
	}
	if (chosen) {
		if (chosen < n)
			o->arg = take(&t[chosen]);
		if (chosen + 2 < n)
			o->value = take(&t[chosen + 2]);
		return PARSE_ORDER;
	}

	*at = len;
	bad(f, from, to);
	if (is_word(&t[0], "SUSPEND", 7)) {
		fault_hint(f, "It prepared a restart with -R, which PgBouncer has given up, too. PAUSE lets go of the "
			      "servers and keeps the clients.");
	} else if (near >= 0) {
		char usage[80];
		command_usage(&command_table[near], usage, sizeof usage);
		fault_hint(f, "It is written: %s;", usage);
	} else {
		const char *meant = nearest(t, n < TOKENS_MAX ? n : TOKENS_MAX);
		if (meant)
			fault_hint(f, "Did you mean %s?", meant);
	}
	return PARSE_BAD;
}

bool parse_id(const char *s, uint64_t *id)
{
	uint64_t n = 0;
	if ((s[0] == 'C' || s[0] == 'c') && s[1] == '-')
		s += 2;
	if (s[0] != '0' || (s[1] != 'x' && s[1] != 'X'))
		return str_to_u64(s, UINT64_MAX, id);
	s += 2;
	if (!*s)
		return false;
	for (; *s; s++) {
		static const char digits[] = "0123456789abcdef";
		const char *d = strchr(digits, *s >= 'A' && *s <= 'F' ? *s - 'A' + 'a' : *s);
		if (!d || n >> 60)
			return false;
		n = n << 4 | (uint64_t)(d - digits);
	}
	*id = n;
	return true;
}

/* --- What is told about them */

static const char *const shape_words[] = {
	[SHAPE_NONE] = "",
	[SHAPE_DB] = " <db>",
	[SHAPE_DB_OR_ALL] = " [<db>]",
	[SHAPE_ID] = " <id>",
	[SHAPE_ASSIGN] = " key = value",
	[SHAPE_IGNORED] = " key = value",
};

void command_usage(const struct command *c, char *out, size_t cap)
{
	str_fmt(out, cap, "%s%s", c->words, shape_words[c->shape]);
}
