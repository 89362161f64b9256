/* ldap.c - is it this user's password, by the word of an LDAP server? Blocks. PostgreSQL docs, LDAP Authentication; RFC
 * 4511 (bind and search), RFC 4513 (5.1.2: a bind with an empty password proves nothing). */
#include "auth/outside.h"

#include "auth/ldap_names.h"
#include "core/str.h"

#include <ldap.h>

#include <stdlib.h>
#include <string.h>

/* What came of a step. */
static enum helper_verdict failed(int rc, LDAP *ld, const char *what, char why[HELPER_WHY_MAX])
{
	char *more = NULL;
	if (ld)
		(void)ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more);
	str_fmt(why, HELPER_WHY_MAX, "%s: %s%s%s", what, ldap_err2string(rc), more && *more ? ": " : "",
		more ? more : "");
	ldap_memfree(more);
	return HELPER_UNABLE;
}

static LDAP *hang_up(LDAP *ld)
{
	if (ld)
		(void)ldap_unbind_ext_s(ld, NULL, NULL);
	return NULL;
}

/* A connection that nobody has bound to yet. NULL, with the reason. */
static LDAP *dial(const struct helper_question *q, char why[HELPER_WHY_MAX])
{
	char *uris = ldap_uris(q->ldap);
	LDAP *ld = NULL;
	int version = LDAP_VERSION3;
	/* Within the patience of who asks, who ends this process else. */
	uint32_t ms = q->patience_ms - q->patience_ms / 5;
	struct timeval patience = { ms / 1000, ms % 1000 * 1000 };
	int rc = uris ? ldap_initialize(&ld, uris) : LDAP_NO_MEMORY;

	if (rc != LDAP_SUCCESS) {
		failed(rc, NULL, uris ? uris : "no memory", why);
	} else if (ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) != LDAP_OPT_SUCCESS ||
		   (ms && (ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &patience) != LDAP_OPT_SUCCESS ||
			   ldap_set_option(ld, LDAP_OPT_TIMEOUT, &patience) != LDAP_OPT_SUCCESS))) {
		failed(LDAP_LOCAL_ERROR, NULL, "options of a connection", why);
		ld = hang_up(ld);
	} else if (q->ldap[HBA_ldaptls] && q->ldap[HBA_ldaptls][0] == '1') {
		rc = ldap_start_tls_s(ld, NULL, NULL);
		if (rc != LDAP_SUCCESS) {
			failed(rc, ld, "StartTLS", why);
			ld = hang_up(ld);
		}
	}
	free(uris);
	return ld;
}

static int bind_as(LDAP *ld, const char *dn, const char *password)
{
	struct berval secret = { strlen(password), (char *)(uintptr_t)password };
	return ldap_sasl_bind_s(ld, dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
}

/* The answer to a bind as the user. */
static enum helper_verdict bind_user(const struct helper_question *q, const char *dn, char why[HELPER_WHY_MAX])
{
	if (!*dn) { /* it would be let in as nobody in particular */
		str_fmt(why, HELPER_WHY_MAX, "the user's entry has no name");
		return HELPER_UNABLE;
	}
	LDAP *ld = dial(q, why);
	if (!ld)
		return HELPER_UNABLE;
	int rc = bind_as(ld, dn, q->password);
	enum helper_verdict v = HELPER_YES;
	if (rc == LDAP_INVALID_CREDENTIALS) {
		str_fmt(why, HELPER_WHY_MAX, "wrong password");
		v = HELPER_NO;
	} else if (rc != LDAP_SUCCESS) {
		v = failed(rc, ld, "bind as the user", why);
		if (LDAP_SECURITY_ERROR(rc) || LDAP_NAME_ERROR(rc) || rc == LDAP_UNWILLING_TO_PERFORM ||
		    rc == LDAP_CONSTRAINT_VIOLATION)
			v = HELPER_NO; /* the server has answered, and it is a no */
	}
	hang_up(ld);
	return v;
}

/* The user's entry. HELPER_YES: *dn, ldap_memfree() it. */
static enum helper_verdict find_user(const struct helper_question *q, char **dn, char why[HELPER_WHY_MAX])
{
	char *nothing[] = { (char[]){ LDAP_NO_ATTRS }, NULL };
	const char *scope = q->ldap[HBA_ldapscope];
	int depth = scope && strcmp(scope, "base") == 0  ? LDAP_SCOPE_BASE
		    : scope && strcmp(scope, "one") == 0 ? LDAP_SCOPE_ONELEVEL
							 : LDAP_SCOPE_SUBTREE;
	const char *as = q->ldap[HBA_ldapbinddn], *with = q->ldap[HBA_ldapbindpasswd];
	char *filter = ldap_filter(q->ldap, q->user);
	LDAP *ld = filter ? dial(q, why) : NULL;
	LDAPMessage *found = NULL;
	enum helper_verdict v = HELPER_UNABLE;

	if (!filter)
		str_fmt(why, HELPER_WHY_MAX, "out of memory");
	if (!ld)
		goto out;
	int rc = bind_as(ld, as ? as : "", with ? with : "");
	if (rc != LDAP_SUCCESS) {
		v = failed(rc, ld, "bind as ldapbinddn", why);
		goto out;
	}
	rc = ldap_search_ext_s(ld, q->ldap[HBA_ldapbasedn], depth, filter, nothing, 0, NULL, NULL, NULL, 2, &found);
	if (rc != LDAP_SUCCESS && rc != LDAP_SIZELIMIT_EXCEEDED) {
		v = failed(rc, ld, "search for the user", why);
		goto out;
	}
	int n = ldap_count_entries(ld, found);
	if (n == 1) {
		*dn = ldap_get_dn(ld, ldap_first_entry(ld, found));
		if (*dn)
			v = HELPER_YES;
		else
			failed(LDAP_DECODING_ERROR, ld, "name of the entry", why);
	} else {
		v = n == 0 ? HELPER_NOBODY : HELPER_NO;
		str_fmt(why, HELPER_WHY_MAX, n == 0 ? "no such user" : "several entries answer to this user");
	}
out:
	ldap_msgfree(found);
	hang_up(ld);
	free(filter);
	return v;
}

/* As many questions for who is not there as for who is, so that the time does not tell. */
static void bind_nobody(const struct helper_question *q)
{
	char ignored[HELPER_WHY_MAX];
	char *dn = ldap_nobody_dn(q->ldap);
	if (dn)
		(void)bind_user(q, dn, ignored);
	free(dn);
}

enum helper_verdict ldap_ask(const struct helper_question *q, char why[HELPER_WHY_MAX])
{
	enum helper_verdict v;
	why[0] = '\0';
	if (!q->password[0]) {
		str_fmt(why, HELPER_WHY_MAX, "empty password");
		return HELPER_NO;
	}
	if (!q->ldap[HBA_ldapserver]) {
		str_fmt(why, HELPER_WHY_MAX, "no ldapserver");
		return HELPER_UNABLE;
	}
	if (!ldap_is_search(q->ldap)) {
		char *dn = ldap_simple_dn(q->ldap, q->user);
		if (!dn)
			str_fmt(why, HELPER_WHY_MAX, "out of memory");
		v = dn ? bind_user(q, dn, why) : HELPER_UNABLE;
		free(dn);
		return v;
	}
	char *dn = NULL;
	v = find_user(q, &dn, why);
	if (v == HELPER_YES)
		v = bind_user(q, dn, why);
	else if (v != HELPER_UNABLE)
		bind_nobody(q);
	ldap_memfree(dn);
	return v;
}
