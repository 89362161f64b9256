/* ldap_names.c - LDAP's addresses, filters and names. PostgreSQL docs, LDAP Authentication; RFC 4514, RFC 4515. */
#include "auth/ldap_names.h"

#include "core/str.h"

#include <string.h>

#define TEXT_MAX (64u << 10)

char *ldap_uris(const char *const *o)
{
	struct sb b = { .max = TEXT_MAX };
	const char *scheme = o[HBA_ldapscheme] ? o[HBA_ldapscheme] : "ldap";
	const char *port = o[HBA_ldapport] ? o[HBA_ldapport] : strcmp(scheme, "ldaps") == 0 ? "636" : "389";
	for (const char *p = o[HBA_ldapserver]; *(p += strspn(p, " \t"));) {
		size_t n = strcspn(p, " \t");
		bool bare_ipv6 = *p != '[' && memchr(p, ':', n);
		sb_addf(&b, bare_ipv6 ? "%s%s://[%.*s]:%s" : "%s%s://%.*s:%s", b.len ? " " : "", scheme, (int)n, p,
			port);
		p += n;
	}
	if (!b.len)
		sb_add(&b, "");
	return sb_take(&b);
}

bool ldap_is_search(const char *const *o)
{
	return o[HBA_ldapbasedn] != NULL;
}

/* RFC 4514, 2.4; with the = besides, which it allows. */
static void add_dn_value(struct sb *b, const char *s)
{
	size_t n = strlen(s);
	for (size_t i = 0; i < n; i++) {
		bool is_edge = (i == 0 && (s[i] == ' ' || s[i] == '#')) || (i == n - 1 && s[i] == ' ');
		if (is_edge || strchr("\"+,;<=>\\", s[i]))
			sb_add_n(b, "\\", 1);
		sb_add_n(b, s + i, 1);
	}
}

char *ldap_simple_dn(const char *const *o, const char *user)
{
	const char *prefix = o[HBA_ldapprefix] ? o[HBA_ldapprefix] : "";
	const char *suffix = o[HBA_ldapsuffix] ? o[HBA_ldapsuffix] : "";
	struct sb b = { .max = TEXT_MAX };
	sb_add(&b, prefix);
	if (strchr(prefix, '=')) /* else it is a server's own kind of name: DOMAIN\user, user@domain */
		add_dn_value(&b, user);
	else
		sb_add(&b, user);
	sb_add(&b, suffix);
	return sb_take(&b);
}

/* RFC 4515, 3. */
static void add_filter_value(struct sb *b, const char *s)
{
	for (; *s; s++)
		if (strchr("*()\\", *s))
			sb_addf(b, "\\%02x", (unsigned char)*s);
		else
			sb_add_n(b, s, 1);
}

char *ldap_filter(const char *const *o, const char *user)
{
	static const char name[] = "$username";
	const char *filter = o[HBA_ldapsearchfilter], *at;
	struct sb b = { .max = TEXT_MAX };
	if (filter) {
		for (; (at = strstr(filter, name)); filter = at + sizeof name - 1) {
			sb_add_n(&b, filter, (size_t)(at - filter));
			add_filter_value(&b, user);
		}
		sb_add(&b, filter);
	} else {
		sb_addf(&b, "(%s=", o[HBA_ldapsearchattribute] ? o[HBA_ldapsearchattribute] : "uid");
		add_filter_value(&b, user);
		sb_add(&b, ")");
	}
	return sb_take(&b);
}

char *ldap_nobody_dn(const char *const *o)
{
	struct sb b = { .max = TEXT_MAX };
	sb_addf(&b, "cn=nobody of that name,%s", o[HBA_ldapbasedn]);
	return sb_take(&b);
}
