/* settings.c - the table of settings.def and what walks it: defaults, parsing, showing, the manual. */
#include "config/settings.h"

#include <stdlib.h>
#include <string.h>

/* The bounds that settings.def names. A text stands on one line of the file, which has a bound of its own. */
#define COUNT_MAX   1000000
#define SEC_MAX     2147483647000
#define NAME_BYTES  255
#define PATH_BYTES  4095
#define QUERY_BYTES 60000
#define LIST_BYTES  60000
#define AUTH_QUERY                                                                                                     \
	"SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END FROM pg_authid "               \
	"WHERE rolname=$1 AND rolcanlogin"

#define G       SCOPE_GLOBAL
#define D       SCOPE_DATABASE
#define U       SCOPE_USER
#define LIVE    WHEN_LIVE
#define RESTART WHEN_RESTART
#define SECRET  WHEN_SECRET

/* What stands in the column `max` is a bound, or, for an enum, its words. */
#define ROW_WORDS(name, def, words, scope, when, text)                                                                 \
	[SET_##name] = { #name, KIND_enum, def, 0, 0, scope, when, words, text },
#define ROW(name, k, def, min, max, scope, when, text)                                                                 \
	[SET_##name] = { #name, k, def, min, max, scope, when, NULL, text },
#define ROW_bool(name, def, min, max, scope, when, text)  ROW(name, KIND_bool, def, min, max, scope, when, text)
#define ROW_uint(name, def, min, max, scope, when, text)  ROW(name, KIND_uint, def, min, max, scope, when, text)
#define ROW_bytes(name, def, min, max, scope, when, text) ROW(name, KIND_bytes, def, min, max, scope, when, text)
#define ROW_sec(name, def, min, max, scope, when, text)   ROW(name, KIND_sec, def, min, max, scope, when, text)
#define ROW_msec(name, def, min, max, scope, when, text)  ROW(name, KIND_msec, def, min, max, scope, when, text)
#define ROW_mode(name, def, min, max, scope, when, text)  ROW(name, KIND_mode, def, min, max, scope, when, text)
#define ROW_text(name, def, min, max, scope, when, text)  ROW(name, KIND_text, def, min, max, scope, when, text)
#define ROW_list(name, def, min, max, scope, when, text)  ROW(name, KIND_list, def, min, max, scope, when, text)
#define ROW_enum(name, def, min, max, scope, when, text)  ROW_WORDS(name, def, max, scope, when, text)

const struct setting settings_table[SET_COUNT] = {
#define SETTING(name, kind, def, min, max, scope, when, text) ROW_##kind(name, def, min, max, scope, when, text)
#include "config/settings.def"
#undef SETTING
};

const struct later settings_later[] = {
#define LATER(name, def, off, scope)     { #name, def, off, scope, NULL, NULL },
#define MOOT(name, def, scope, row, why) { #name, def, def, scope, row, why },
#include "config/later.def"
#undef LATER
#undef MOOT
	{ NULL, NULL, NULL, 0, NULL, NULL }
};

static bool is_text(enum setting_id id)
{
	return settings_table[id].kind == KIND_text || settings_table[id].kind == KIND_list;
}

/* Words of a comma-separated list: *at goes from one to the next. Returns the word and its length, NULL at the end. */
static const char *next_word(const char **at, size_t *len)
{
	if (!*at)
		return NULL;
	const char *word = *at, *comma = strchr(word, ',');
	*len = comma ? (size_t)(comma - word) : strlen(word);
	*at = comma ? comma + 1 : NULL;
	return word;
}

/* Which of the words is this one? -1: none. */
static int64_t word_index(const char *words, const char *value)
{
	const char *word;
	size_t len;
	char one[64];
	for (int64_t n = 0; (word = next_word(&words, &len)); n++)
		if (str_copy_n(one, sizeof one, word, len) && str_eq_nocase(one, value))
			return n;
	return -1;
}

void setting_word(enum setting_id id, int64_t n, char *out, size_t cap)
{
	const char *words = settings_table[id].words, *word;
	size_t len;
	out[0] = '\0';
	for (int64_t i = 0; (word = next_word(&words, &len)); i++)
		if (i == n)
			(void)str_copy_n(out, cap, word, len);
}

int setting_find(const char *name)
{
	for (int i = 0; i < SET_COUNT; i++)
		if (str_eq_nocase(settings_table[i].name, name))
			return i;
	return -1;
}

const char *setting_nearest(const char *name)
{
	char lower[64];
	if (!str_copy(lower, sizeof lower, name))
		return NULL;
	for (char *p = lower; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	/* A third of the name may be wrong; of a short name, one letter. */
	size_t len = strlen(lower);
	unsigned best = len < 6 ? 1 : len / 3 > 4 ? 4 : (unsigned)(len / 3);
	const char *near = NULL;
	for (int i = 0; i < SET_COUNT; i++) {
		unsigned d = str_distance(lower, settings_table[i].name, best);
		if (d > best)
			continue;
		near = settings_table[i].name;
		if (d == 0)
			break;
		best = d - 1; /* the next one must be nearer */
	}
	return near;
}

/* "10", "10.0" and "10.000" are the same answer to a question about seconds. */
static bool same_value(const char *a, const char *b)
{
	size_t n = strlen(b);
	if (str_eq_nocase(a, b))
		return true;
	if (n == 0 || strspn(b, "0123456789") != n || strncmp(a, b, n) != 0 || a[n] != '.')
		return false;
	return a[n + 1 + strspn(a + n + 1, "0")] == '\0';
}

enum later_is setting_later(const char *name, const char *value, unsigned scope)
{
	for (const struct later *l = settings_later; l->name; l++) {
		if (!(l->scope & scope) || !str_eq_nocase(l->name, name))
			continue;
		if (same_value(value, l->off))
			return LATER_OFF;
		if (l->why)
			return LATER_MOOT;
		return same_value(value, l->def) ? LATER_DEFAULT : LATER_WANTED;
	}
	return LATER_UNKNOWN;
}

const char *setting_moot_why(const char *name)
{
	for (const struct later *l = settings_later; l->name; l++)
		if (l->why && str_eq_nocase(l->name, name))
			return l->why;
	return "";
}

/* Reading a value. */

struct unit {
	const char *name;
	int64_t times;
};
static const struct unit time_units[] = { { "us", 1 },
					  { "ms", 1000 },
					  { "s", 1000000 },
					  { "min", 60 * INT64_C(1000000) },
					  { "h", 3600 * INT64_C(1000000) },
					  { "d", 86400 * INT64_C(1000000) },
					  { NULL, 0 } };
static const struct unit byte_units[] = { { "B", 1 },        { "k", 1 << 10 }, { "kB", 1 << 10 }, { "M", 1 << 20 },
					  { "MB", 1 << 20 }, { "G", 1 << 30 }, { "GB", 1 << 30 }, { NULL, 0 } };

/* "<digits>[.<digits>] [unit]", in the smallest unit, rounded up; no unit: `bare`. At most six digits after the
 * point: a seventh would be less than the smallest unit. */
static bool parse_units(const char *s, const struct unit *units, int64_t bare, bool fraction, int64_t *out)
{
	int64_t whole = 0, part = 0, scale = 1, times = bare;
	const char *p = s;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, *p - '0', &whole))
			return false;
	if (p == s)
		return false;
	if (*p == '.') {
		const char *point = p++;
		if (!fraction)
			return false;
		for (; *p >= '0' && *p <= '9' && scale < 1000000; p++, scale *= 10)
			part = part * 10 + (*p - '0');
		if (p == point + 1)
			return false;
	}
	while (*p == ' ' || *p == '\t')
		p++;
	if (*p) {
		const struct unit *u = units;
		while (u->name && !str_eq_nocase(u->name, p))
			u++;
		if (!u->name)
			return false;
		times = u->times;
	}
	/* part < 10^6 and times < 10^11, so their product fits. */
	int64_t total;
	if (__builtin_mul_overflow(whole, times, &total) ||
	    __builtin_add_overflow(total, (part * times + scale - 1) / scale, &total))
		return false;
	*out = total;
	return true;
}

static bool parse_time(const char *s, int64_t bare_us, int64_t *ms)
{
	int64_t us;
	if (!parse_units(s, time_units, bare_us, true, &us) || us > INT64_MAX - 999)
		return false;
	*ms = (us + 999) / 1000; /* up, so that a short time does not become the special 0 */
	return true;
}

static bool parse_mode(const char *s, int64_t *out)
{
	int64_t n = 0;
	const char *p = s;
	for (; *p >= '0' && *p <= '7'; p++) {
		n = n * 8 + (*p - '0');
		if (n > 07777)
			return false;
	}
	if (p == s || *p)
		return false;
	*out = n;
	return true;
}

static bool parse_bool(const char *s, int64_t *out)
{
	static const char *const no_yes[][2] = { { "0", "1" }, { "off", "on" }, { "no", "yes" }, { "false", "true" } };
	for (size_t i = 0; i < sizeof no_yes / sizeof no_yes[0]; i++)
		for (int64_t yes = 0; yes < 2; yes++)
			if (str_eq_nocase(s, no_yes[i][yes])) {
				*out = yes;
				return true;
			}
	uint64_t n; /* for PgBouncer these are numbers, of which all but 0 mean yes */
	if (!str_to_u64(s, INT32_MAX, &n))
		return false;
	*out = n != 0;
	return true;
}

static bool parse_num(const struct setting *row, const char *s, int64_t *out)
{
	uint64_t n;
	switch (row->kind) {
	case KIND_bool:
		return parse_bool(s, out);
	case KIND_uint:
		if (!str_to_u64(s, INT64_MAX, &n))
			return false;
		*out = (int64_t)n;
		return true;
	case KIND_bytes:
		return parse_units(s, byte_units, 1, false, out);
	case KIND_sec:
		return parse_time(s, 1000000, out);
	case KIND_msec:
		return parse_time(s, 1000, out);
	case KIND_mode:
		return parse_mode(s, out);
	case KIND_enum:
		*out = word_index(row->words, s);
		return *out >= 0;
	case KIND_text:
	case KIND_list:
		break;
	}
	return false;
}

/* What a row takes, in words. */
static void expected(const struct setting *row, struct sb *b)
{
	int64_t min = row->min, max = row->max;
	switch (row->kind) {
	case KIND_bool:
		sb_add(b, "0 or 1");
		return;
	case KIND_uint:
		sb_addf(b, "a number from %lld to %lld", (long long)min, (long long)max);
		return;
	case KIND_bytes:
		sb_addf(b, "a size from %lld to %lld bytes (or with kB, MB, GB)", (long long)min, (long long)max);
		return;
	case KIND_sec:
		sb_addf(b, "a time from %lld to %lld seconds (or with us, ms, s, min, h, d)", (long long)min / 1000,
			(long long)max / 1000);
		return;
	case KIND_msec:
		sb_addf(b, "a time from %lld to %lld milliseconds (or with us, ms, s, min, h, d)", (long long)min,
			(long long)max);
		return;
	case KIND_mode:
		sb_addf(b, "an octal file mode up to %04llo", (unsigned long long)max);
		return;
	case KIND_enum: {
		const char *words = row->words, *word;
		size_t len;
		for (const char *sep = "one of "; (word = next_word(&words, &len)); sep = ", ") {
			sb_add(b, sep);
			sb_add_n(b, word, len);
		}
		return;
	}
	case KIND_text:
	case KIND_list:
		if (min > 0)
			sb_addf(b, "a text of %lld to %lld bytes", (long long)min, (long long)max);
		else
			sb_addf(b, "a text of at most %lld bytes", (long long)max);
		return;
	}
}

static bool refuse(const struct setting *row, const char *value, struct fault *f)
{
	char shown[80];
	struct sb b = { .max = 400 };
	str_fmt(shown, sizeof shown, "%s", value);
	expected(row, &b);
	const char *want = b.bad ? "what it takes" : sb_str(&b); /* a fault is told even when memory is out */
	if (row->when & WHEN_SECRET)
		fault_set(f, FAULT_CONFIG, "%s: the value is not %s", row->name, want);
	else if (row->kind == KIND_text || row->kind == KIND_list)
		fault_set(f, FAULT_CONFIG, "%s: %zu bytes are not %s", row->name, strlen(value), want);
	else
		fault_set(f, FAULT_CONFIG, "%s: \"%s\" is not %s", row->name, shown, want);
	sb_free(&b);
	return false;
}

bool setting_parse(enum setting_id id, const char *value, struct setting_value *out, struct fault *f)
{
	const struct setting *row = &settings_table[id];
	struct setting_value v = { 0, NULL };

	if (is_text(id)) {
		size_t len = strlen(value);
		if (len > (size_t)row->max || len < (size_t)row->min)
			return refuse(row, value, f);
		v.text = str_dup(value);
		if (!v.text)
			return fault_set(f, FAULT_NOMEM, "out of memory");
	} else if (!parse_num(row, value, &v.num) || (!row->words && (v.num < row->min || v.num > row->max))) {
		return refuse(row, value, f);
	}
	*out = v;
	return true;
}

void setting_show(enum setting_id id, const struct setting_value *v, struct sb *out)
{
	const struct setting *row = &settings_table[id];
	char word[64];

	if (row->when & WHEN_SECRET && !(v->text && !*v->text)) {
		sb_add(out, "***");
		return;
	}
	switch (row->kind) {
	case KIND_bool:
	case KIND_uint:
	case KIND_bytes:
	case KIND_msec:
		sb_addf(out, "%lld", (long long)v->num);
		return;
	case KIND_sec: {
		int ms = (int)(v->num % 1000), digits = 3;
		sb_addf(out, "%lld", (long long)v->num / 1000);
		for (; ms && ms % 10 == 0; digits--)
			ms /= 10;
		if (ms)
			sb_addf(out, ".%0*d", digits, ms);
		return;
	}
	case KIND_mode:
		sb_addf(out, "%04llo", (unsigned long long)v->num);
		return;
	case KIND_enum:
		setting_word(id, v->num, word, sizeof word);
		sb_add(out, word);
		return;
	case KIND_text:
	case KIND_list:
		sb_add(out, v->text);
		return;
	}
}

/* Sets of values. */

void setting_value_free(enum setting_id id, struct setting_value *v)
{
	if (v->text && settings_table[id].when & WHEN_SECRET)
		str_wipe(v->text, strlen(v->text));
	free(v->text);
	*v = (struct setting_value){ 0, NULL };
}

bool setting_value_copy(enum setting_id id, struct setting_value *to, const struct setting_value *from)
{
	struct setting_value v = *from;
	if (is_text(id) && !(v.text = str_dup(from->text)))
		return false;
	*to = v;
	return true;
}

bool setting_value_same(enum setting_id id, const struct setting_value *a, const struct setting_value *b)
{
	return is_text(id) ? strcmp(a->text, b->text) == 0 : a->num == b->num;
}

bool settings_init(struct settings *s)
{
	*s = (struct settings){ 0 };
	for (int i = 0; i < SET_COUNT; i++) {
		struct fault f;
		if (!setting_parse((enum setting_id)i, settings_table[i].def, &s->v[i], &f)) {
			settings_free(s);
			return false;
		}
	}
	return true;
}

bool settings_copy(struct settings *to, const struct settings *from)
{
	*to = (struct settings){ 0 };
	for (int i = 0; i < SET_COUNT; i++)
		if (!setting_value_copy((enum setting_id)i, &to->v[i], &from->v[i])) {
			settings_free(to);
			return false;
		}
	return true;
}

void settings_free(struct settings *s)
{
	for (int i = 0; i < SET_COUNT; i++)
		setting_value_free((enum setting_id)i, &s->v[i]);
}

/* The manual. */

void settings_man_text(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out); /* else it would be a request */
	for (const char *p = text; *p; p++)
		switch (*p) {
		case '\\':
			fputs("\\e", out);
			break;
		case '-':
			fputs("\\-", out); /* else it may become a typographic hyphen, which nobody can paste */
			break;
		case '\'':
			fputs("\\(aq", out);
			break;
		case '"':
			fputs("\\(dq", out);
			break;
		default:
			fputc(*p, out);
		}
}

void settings_man(FILE *out)
{
	static const char *const kinds[] = {
		[KIND_bool] = "0 or 1",
		[KIND_uint] = "number",
		[KIND_bytes] = "bytes",
		[KIND_sec] = "seconds",
		[KIND_msec] = "milliseconds",
		[KIND_mode] = "octal mode",
		[KIND_enum] = "one of these words",
		[KIND_text] = "text",
		[KIND_list] = "comma-separated list",
	};
	for (int i = 0; i < SET_COUNT; i++) {
		const struct setting *row = &settings_table[i];
		fputs(".TP\n.B ", out);
		settings_man_text(out, row->name);
		fputc('\n', out);
		settings_man_text(out, row->text);
		fputs("\n.br\n", out);
		settings_man_text(out, kinds[row->kind]);
		if (row->kind == KIND_enum) {
			const char *words = row->words, *word;
			size_t len;
			char one[64];
			for (const char *sep = ": "; (word = next_word(&words, &len)); sep = ", ") {
				fputs(sep, out);
				if (str_copy_n(one, sizeof one, word, len))
					settings_man_text(out, one);
			}
		}
		fputs("; default: ", out);
		settings_man_text(out, row->def[0] ? row->def : "empty");
		if (!(row->scope & SCOPE_GLOBAL))
			fputs("; only in ", out);
		else if (row->scope != SCOPE_GLOBAL)
			fputs("; also in ", out);
		if (row->scope & SCOPE_DATABASE)
			fputs("[databases]", out);
		if ((row->scope & SCOPE_DATABASE) && (row->scope & SCOPE_USER))
			fputs(" and ", out);
		if (row->scope & SCOPE_USER)
			fputs("[users]", out);
		fputs(row->when & WHEN_RESTART ? "; takes effect at a restart.\n" : ".\n", out);
	}
}
