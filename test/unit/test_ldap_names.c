/* test_ldap_names.c - addresses, filters and names for LDAP: no user's name means more than itself. */
#include "auth/ldap_names.h"

#include "nomem.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

enum what { URIS, DN, FILTER, NOBODY };

static const struct {
	enum what what;
	const char *a, *b, *c; /* URIS: server, scheme, port; DN: prefix, suffix; FILTER: filter, attribute */
	const char *user, *want;
} cases[] = {
	{ URIS, "a", NULL, NULL, NULL, "ldap://a:389" },
	{ URIS, "a", "ldaps", NULL, NULL, "ldaps://a:636" },
	{ URIS, " a  b\tc ", NULL, "1389", NULL, "ldap://a:1389 ldap://b:1389 ldap://c:1389" },
	{ URIS, "::1 [::2] 10.0.0.7", NULL, NULL, NULL, "ldap://[::1]:389 ldap://[::2]:389 ldap://10.0.0.7:389" },
	{ URIS, " ", NULL, NULL, NULL, "" },

	{ DN, "cn=", ",dc=x", NULL, "anna", "cn=anna,dc=x" },
	{ DN, "cn=", ",dc=x", NULL, "anna,ou=admins", "cn=anna\\,ou\\=admins,dc=x" },
	{ DN, "cn=", ",dc=x", NULL, " a+b\"c\\d<e>f;g#h ", "cn=\\ a\\+b\\\"c\\\\d\\<e\\>f\\;g#h\\ ,dc=x" },
	{ DN, "cn=", "", NULL, "#1", "cn=\\#1" },
	{ DN, "cn=", "", NULL, " ", "cn=\\ " },
	{ DN, "EXAMPLE\\", NULL, NULL, "anna", "EXAMPLE\\anna" },
	{ DN, NULL, "@example.org", NULL, "anna.b", "anna.b@example.org" },

	{ FILTER, NULL, NULL, NULL, "anna", "(uid=anna)" },
	{ FILTER, NULL, "cn", NULL, "anna", "(cn=anna)" },
	{ FILTER, NULL, NULL, NULL, "*", "(uid=\\2a)" },
	{ FILTER, NULL, NULL, NULL, "a)(uid=*))(|(uid=b\\", "(uid=a\\29\\28uid=\\2a\\29\\29\\28|\\28uid=b\\5c)" },
	{ FILTER, "(|(uid=$username)(mail=$username@x))", NULL, NULL, "an*a", "(|(uid=an\\2aa)(mail=an\\2aa@x))" },
	{ FILTER, "(uid=$username)", NULL, NULL, "$username", "(uid=$username)" },
	{ FILTER, "(cn=fixed)", NULL, NULL, "anna", "(cn=fixed)" },

	{ NOBODY, "dc=x", NULL, NULL, NULL, "cn=nobody of that name,dc=x" },
};

static char *make(size_t i)
{
	const char *o[HBA_NOPTIONS] = { NULL };
	switch (cases[i].what) {
	case URIS:
		o[HBA_ldapserver] = cases[i].a;
		o[HBA_ldapscheme] = cases[i].b;
		o[HBA_ldapport] = cases[i].c;
		return ldap_uris(o);
	case DN:
		o[HBA_ldapprefix] = cases[i].a;
		o[HBA_ldapsuffix] = cases[i].b;
		check("simple", !ldap_is_search(o));
		return ldap_simple_dn(o, cases[i].user);
	case FILTER:
		o[HBA_ldapbasedn] = "dc=x";
		o[HBA_ldapsearchfilter] = cases[i].a;
		o[HBA_ldapsearchattribute] = cases[i].b;
		check("a search", ldap_is_search(o));
		return ldap_filter(o, cases[i].user);
	case NOBODY:
		o[HBA_ldapbasedn] = cases[i].a;
		return ldap_nobody_dn(o);
	}
	return NULL;
}

static void test_names(void)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *got = make(i);
		check_str(cases[i].want, got ? got : "(none)", cases[i].want);
		free(got);
	}
}

static void test_nomem(void)
{
	for (size_t i = 0; i < COUNT(cases); i++)
		for (unsigned n = 0; nomem_next(&n);) {
			char *got = make(i);
			check(cases[i].want, nomem_hit() ? !got : got != NULL);
			free(got);
		}
}

void suite_ldap_names(void)
{
	static const struct unit_test tests[] = {
		{ "names", test_names },
		{ "out of memory", test_nomem },
		{ NULL, NULL },
	};
	unit_add("ldap_names", tests);
}
