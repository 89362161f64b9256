/* fuzz_userlist.c - auth_file: users and their secrets. The input is the file. */
#include "fuzz.h"

#include "auth/secret.h"
#include "config/userlist.h"
#include "core/str.h"
#include "fuzz_files.h"

#include <string.h>

struct got {
	struct sb again;  /* all users, written as a file */
	struct sb listed; /* all users, told */
	unsigned users, faults;
	int line;
};

static void add_quoted(struct sb *b, const char *s)
{
	sb_add(b, "\"");
	for (; *s; s++)
		sb_add_n(b, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
	sb_add(b, "\"");
}

static bool on_user(void *arg, int line, const char *name, const char *secret)
{
	struct got *g = arg;
	struct secret s;
	fuzz_check("lines count up", line > g->line);
	g->line = line;
	fuzz_check("bounds", *name && strlen(name) <= USER_NAME_BYTES && strlen(secret) <= USER_SECRET_BYTES);
	fuzz_check("a line ends them", !strchr(name, '\n') && !strchr(secret, '\n'));
	bool parsed = secret_parse(&s, secret);
	/* The one looks at the form alone. */
	fuzz_check("a bad verifier is no secret", !userlist_is_bad_verifier(secret) || !parsed);
	static const enum user_form forms[SECRET_NKINDS] = {
		[SECRET_SCRAM] = USER_FORM_SCRAM,   [SECRET_NATIVE] = USER_FORM_NATIVE,
		[SECRET_SHA2] = USER_FORM_SHA2,     [SECRET_ED25519] = USER_FORM_ED25519,
		[SECRET_PARSEC] = USER_FORM_PARSEC,
	};
	fuzz_check("both call it the same",
		   !parsed || userlist_form(secret) == forms[s.kind] || userlist_form(secret) == USER_FORM_PARSEC);
	secret_clear(&s);
	add_quoted(&g->again, name);
	sb_add(&g->again, " ");
	add_quoted(&g->again, secret);
	sb_add(&g->again, "\n");
	sb_addf(&g->listed, "%s %s\n", name, secret);
	g->users++;
	return true;
}

static bool on_fault(void *arg, int line, const char *text)
{
	struct got *g = arg;
	fuzz_check("lines count up", line > g->line);
	fuzz_check("a fault is told in words", *text);
	g->line = line;
	g->faults++;
	return true;
}

static void read_it(struct got *g, const void *p, size_t n)
{
	const struct userlist_sink sink = { on_user, on_fault, g };
	struct fault f;
	fuzz_files_make(p, n);
	fuzz_check("it can be read", userlist_read("main.ini", &sink, &f));
	fuzz_check("memory", !g->again.bad && !g->listed.bad);
	fuzz_files_remove();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct got first = { .users = 0 }, again = { .users = 0 };
	read_it(&first, data, size);
	read_it(&again, sb_str(&first.again), first.again.len);
	fuzz_check("no fault", again.faults == 0);
	fuzz_check("the same users",
		   again.users == first.users && !strcmp(sb_str(&again.listed), sb_str(&first.listed)));
	sb_free(&first.again);
	sb_free(&first.listed);
	sb_free(&again.again);
	sb_free(&again.listed);
	return 0;
}
