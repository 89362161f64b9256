/* test_helper_wire.c - questions to helper processes and their answers: what is put in comes out, and nothing else. */
#include "auth/helper_wire.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

static const struct helper_question by_pam = { .kind = HELPER_PAM,
					       .patience_ms = 0x01020304,
					       .user = "anna",
					       .password = "pen cil",
					       .host = "10.0.0.7",
					       .service = "sluice",
					       .dir = "" };
static const struct helper_question by_ldap = {
	.kind = HELPER_LDAP,
	.patience_ms = 7,
	.user = "anna",
	.password = "pencil",
	.host = "",
	.ldap = { [HBA_ldapserver] = "ldap.example.org", [HBA_ldapbasedn] = "", [HBA_ldapscope] = "sub" }
};

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void test_question(void)
{
	static const struct helper_question *const both[] = { &by_pam, &by_ldap };
	static uint8_t out[HELPER_ASK_MAX];
	for (size_t i = 0; i < COUNT(both); i++) {
		const struct helper_question *q = both[i];
		struct helper_question got;
		const char *why;
		size_t n = helper_put_question(out, q);
		uint8_t *copy = copy_exact(out, n);
		if (!check("it is understood", helper_get_question(copy, n, &got, &why))) {
			free(copy);
			continue;
		}
		check_eq("kind", got.kind, q->kind);
		check_eq("patience", got.patience_ms, q->patience_ms);
		check_str("user", got.user, q->user);
		check_str("password", got.password, q->password);
		check_str("host", got.host, q->host);
		check_str("service", got.service, q->service ? q->service : "");
		check_str("dir", got.dir, q->dir ? q->dir : "");
		for (int o = 0; o < HBA_NOPTIONS; o++)
			check("an option, or none", same_text(got.ldap[o], q->ldap[o]));
		free(copy);
		/* Neither less, nor more. */
		for (size_t cut = 0; cut <= n + 1; cut++) {
			if (cut == n)
				continue;
			out[n] = 0;
			copy = copy_exact(out, cut);
			check("a part is no question", !helper_get_question(copy, cut, &got, &why) && *why);
			free(copy);
		}
	}
}

static void test_bad_questions(void)
{
	static const struct {
		const char *what, *in;
		size_t len;
		const char *why;
	} cases[] = {
		{ "nothing", BYTES(""), "of another version" },
		{ "another version", BYTES("\2p\0\0\0\1a\0b\0\0s\0\0"), "of another version" },
		{ "another kind", BYTES("\1x\0\0\0\1a\0b\0\0s\0\0"), "unknown kind" },
		{ "an option that is neither there nor not", BYTES("\1l\0\0\0\1a\0b\0\0\2"), "malformed" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct helper_question q;
		const char *why = "";
		uint8_t *copy = copy_exact(cases[i].in, cases[i].len);
		check(cases[i].what, !helper_get_question(copy, cases[i].len, &q, &why));
		check(why, strstr(why, cases[i].why) != NULL);
		free(copy);
	}
}

/* As long as it may be, and a byte longer. */
static void test_length(void)
{
	static uint8_t out[HELPER_ASK_MAX];
	static char longest[HELPER_ASK_MAX + 1];
	struct helper_question q = by_pam;
	q.password = "";
	size_t rest = HELPER_ASK_MAX - helper_put_question(out, &q);
	q.password = longest;
	memset(longest, 'x', rest + 1);
	check_eq("one too long", helper_put_question(out, &q), 0);
	check("and nothing of it is left", !memchr(out, 'x', sizeof out));
	longest[rest] = '\0';
	check_eq("as long as can be", helper_put_question(out, &q), HELPER_ASK_MAX);
}

static void test_reply(void)
{
	static char longest[2 * HELPER_WHY_MAX];
	uint8_t out[HELPER_REPLY_MAX + 1];
	enum helper_verdict v;
	const char *why;
	memset(longest, 'y', sizeof longest - 1);
	for (int i = HELPER_YES; i <= HELPER_UNABLE; i++) {
		size_t n = helper_put_reply(out, (enum helper_verdict)i, i == HELPER_NO ? longest : "so");
		uint8_t *copy = copy_exact(out, n);
		check("it is understood", helper_get_reply(copy, n, &v, &why));
		check_eq("verdict", v, i);
		if (i == HELPER_NO)
			check_eq("cut", strlen(why), HELPER_WHY_MAX - 1);
		else
			check_str("why", why, "so");
		free(copy);
		for (size_t cut = 0; cut <= n + 1; cut++) {
			if (cut == n)
				continue;
			out[n] = 0;
			copy = copy_exact(out, cut);
			check("a part is none", !helper_get_reply(copy, cut, &v, &why));
			free(copy);
		}
	}
	check("a verdict that there is not", !helper_get_reply((const uint8_t *)"\1\4\0", 3, &v, &why));
	check("another version", !helper_get_reply((const uint8_t *)"\2\0\0", 3, &v, &why));
}

void suite_helper_wire(void)
{
	static const struct unit_test tests[] = {
		{ "question", test_question },
		{ "bad_questions", test_bad_questions },
		{ "length", test_length },
		{ "reply", test_reply },
		{ NULL, NULL },
	};
	unit_add("helper_wire", tests);
}
