/* hba_options.c - options behind the method of an HBA rule. PostgreSQL docs, The pg_hba.conf File; Certificate, LDAP
 * and PAM Authentication; RFC 4516 (LDAP URLs). */
#include "config/hba_int.h"

#include <stdlib.h>
#include <string.h>

static const char *const options[HBA_NOPTIONS] = {
#define X(name) [HBA_##name] = #name,
	HBA_OPTIONS(X)
#undef X
};

static bool is_ldap(int o)
{
	return o >= HBA_ldapserver;
}

void hba_options_free(struct hba_options *o)
{
	for (int i = 0; i < HBA_NOPTIONS; i++) {
		if (o->at[i])
			str_wipe(o->at[i], strlen(o->at[i]));
		free(o->at[i]);
		o->at[i] = NULL;
	}
}

static bool put_n(struct hba_options *o, enum hba_option id, const char *value, size_t n, struct fault *f)
{
	char *copy = str_dup_n(value, n);
	if (!copy)
		return fault_set(f, FAULT_NOMEM, "out of memory");
	if (o->at[id])
		str_wipe(o->at[id], strlen(o->at[id]));
	free(o->at[id]);
	o->at[id] = copy;
	return true;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* A part of a URL, its %xx decoded; empty ones are not given. False: a wrong %, or a NUL by one. */
static bool put_decoded(struct hba_options *o, enum hba_option id, const char *part, size_t n, struct fault *f)
{
	struct sb b = { .max = 0 };
	bool ok = true;
	for (size_t i = 0; i < n && ok; i++) {
		char c = part[i];
		if (c == '%') {
			ok = n - i > 2 && hex(part[i + 1]) >= 0 && hex(part[i + 2]) >= 0;
			if (!ok)
				break;
			c = (char)(hex(part[i + 1]) << 4 | hex(part[i + 2]));
			ok = c != '\0';
			i += 2;
		}
		sb_add_n(&b, &c, 1);
	}
	if (!ok)
		fault_set(f, FAULT_CONFIG, "ldapurl: a %% is not followed by two hexadecimal digits of a character");
	else if (b.bad)
		ok = fault_set(f, FAULT_NOMEM, "out of memory");
	else if (n > 0)
		ok = put_n(o, id, sb_str(&b), b.len, f);
	sb_free(&b);
	return ok;
}

/* ldap[s]://host[:port]/basedn[?[attribute][?[scope][?[filter]]]] */
static bool put_url(struct hba_options *o, const char *url, struct fault *f)
{
	static const enum hba_option parts[] = { HBA_ldapbasedn, HBA_ldapsearchattribute, HBA_ldapscope,
						 HBA_ldapsearchfilter };
	bool tls = str_starts_nocase(url, "ldaps://");
	if (!tls && !str_starts_nocase(url, "ldap://"))
		return fault_set(f, FAULT_CONFIG, "ldapurl: ldap://host or ldaps://host is expected");
	/* Without one the scope is base, as RFC 4516 has it. */
	if (!put_n(o, HBA_ldapscheme, tls ? "ldaps" : "ldap", tls ? 5 : 4, f) || !put_n(o, HBA_ldapscope, "base", 4, f))
		return false;
	const char *host = url + (tls ? 8 : 7);
	size_t len = strcspn(host, "/?"), name = len;
	if (*host == '[') { /* IPv6 */
		const char *end = memchr(host, ']', len);
		name = end ? (size_t)(end - host) + 1 : len;
		if (!end || (name < len && host[name] != ':'))
			return fault_set(f, FAULT_CONFIG, "ldapurl: the brackets around the host are wrong");
	} else if (memchr(host, ':', len)) {
		name = (size_t)((const char *)memchr(host, ':', len) - host);
	}
	if (!put_decoded(o, HBA_ldapserver, host, name, f) ||
	    (name < len && !put_decoded(o, HBA_ldapport, host + name + 1, len - name - 1, f)))
		return false;
	const char *p = host + len;
	if (*p == '/')
		p++;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		size_t n = strcspn(p, "?");
		if (!put_decoded(o, parts[i], p, n, f))
			return false;
		p += n;
		if (!*p)
			return true;
		p++;
	}
	return fault_set(f, FAULT_CONFIG, "ldapurl: extensions are not served");
}

/* What stands behind a password may be the rest of it, which is for nobody to read. */
static bool is_of_password(const struct hba_options *o, struct fault *f)
{
	if (o->at[HBA_ldapbindpasswd])
		fault_set(f, FAULT_CONFIG,
			  "what stands behind ldapbindpasswd is no option (in double quotes a value may hold blanks)");
	return o->at[HBA_ldapbindpasswd];
}

bool hba_option_put(struct hba_options *o, char *pair, struct fault *f)
{
	char *value = strchr(pair, '=');
	if (!value)
		return is_of_password(o, f) ? false
					    : fault_set(f, FAULT_CONFIG,
							"\"%.60s\": name=value is expected behind the method", pair);
	*value++ = '\0';
	if (strcmp(pair, "ldapurl") == 0)
		return put_url(o, value, f);
	for (int i = 0; i < HBA_NOPTIONS; i++)
		if (i != HBA_ldapscope && strcmp(pair, options[i]) == 0)
			return put_n(o, (enum hba_option)i, value, strlen(value), f);
	return is_of_password(o, f) ? false : fault_set(f, FAULT_CONFIG, "there is no option \"%.60s\"", pair);
}

static bool is_one_of(const char *value, const char *a, const char *b)
{
	return !value || strcmp(value, a) == 0 || strcmp(value, b) == 0;
}

static bool check_ldap(const struct hba_options *o, struct fault *f)
{
	char *const *at = o->at;
	uint64_t port;
	bool simple = at[HBA_ldapprefix] || at[HBA_ldapsuffix];
	bool search = at[HBA_ldapbasedn] || at[HBA_ldapbinddn] || at[HBA_ldapbindpasswd] ||
		      at[HBA_ldapsearchattribute] || at[HBA_ldapsearchfilter];

	if (!at[HBA_ldapserver])
		return fault_set(f, FAULT_CONFIG, "ldap needs ldapserver or ldapurl");
	if (at[HBA_ldapport] && (!str_to_u64(at[HBA_ldapport], 65535, &port) || port == 0))
		return fault_set(f, FAULT_CONFIG, "ldapport: \"%.20s\" is not a number from 1 to 65535",
				 at[HBA_ldapport]);
	if (!is_one_of(at[HBA_ldapscheme], "ldap", "ldaps"))
		return fault_set(f, FAULT_CONFIG, "ldapscheme is ldap or ldaps");
	if (!is_one_of(at[HBA_ldaptls], "0", "1"))
		return fault_set(f, FAULT_CONFIG, "ldaptls is 0 or 1");
	if (at[HBA_ldaptls] && at[HBA_ldaptls][0] == '1' && at[HBA_ldapscheme] && at[HBA_ldapscheme][4])
		return fault_set(f, FAULT_CONFIG, "ldaptls=1 goes with ldap, not with ldaps");
	if (at[HBA_ldapscope] && strcmp(at[HBA_ldapscope], "base") != 0 && strcmp(at[HBA_ldapscope], "one") != 0 &&
	    strcmp(at[HBA_ldapscope], "sub") != 0)
		return fault_set(f, FAULT_CONFIG, "ldapurl: the scope is base, one or sub");
	if (simple && search)
		return fault_set(f, FAULT_CONFIG,
				 "ldapprefix and ldapsuffix do not go with options of a search (ldapbasedn, ...)");
	if (!simple && !at[HBA_ldapbasedn])
		return fault_set(f, FAULT_CONFIG, "ldap needs ldapbasedn, or ldapprefix or ldapsuffix");
	if (at[HBA_ldapsearchattribute] && at[HBA_ldapsearchfilter])
		return fault_set(f, FAULT_CONFIG, "ldapsearchattribute and ldapsearchfilter do not go together");
	return true;
}

bool hba_options_check(struct hba_options *o, enum hba_method method, enum hba_conn conn, struct fault *f)
{
	for (int i = 0; i < HBA_NOPTIONS; i++) {
		bool fits = i == HBA_map          ? method == HBA_PEER || method == HBA_CERT
			    : i == HBA_clientcert ? conn == HBA_HOSTSSL
			    : is_ldap(i)          ? method == HBA_LDAP
						  : method == HBA_PAM;
		if (o->at[i] && !fits)
			return fault_set(f, FAULT_CONFIG, "the option %s does not belong to this method or connection",
					 options[i]);
	}
	if (!is_one_of(o->at[HBA_clientcert], "verify-ca", "verify-full"))
		return fault_set(f, FAULT_CONFIG, "clientcert is verify-ca or verify-full");
	if (!is_one_of(o->at[HBA_pam_use_hostname], "0", "1"))
		return fault_set(f, FAULT_CONFIG, "pam_use_hostname is 0 or 1");
	if (o->at[HBA_pam_use_hostname] && o->at[HBA_pam_use_hostname][0] == '1')
		return fault_set(f, FAULT_CONFIG, "pam_use_hostname=1: names of hosts are not looked up");
	return method != HBA_LDAP || check_ldap(o, f);
}

bool hba_ldap_read(struct hba_options *o, const char *text, struct fault *f)
{
	struct hba_tokens t = { NULL, 0, 0 };
	char *copy = str_dup(text);
	bool ok = false;
	*o = (struct hba_options){ { NULL } };
	switch (copy ? hba_cut(&t, copy) : HBA_CUT_NOMEM) {
	case HBA_CUT_NOMEM:
		fault_set(f, FAULT_NOMEM, "out of memory");
		break;
	case HBA_CUT_OPEN:
		fault_set(f, FAULT_CONFIG, "a quote is not closed");
		break;
	case HBA_CUT:
		ok = true;
		for (size_t i = 0; i < t.n && ok; i++)
			ok = hba_option_put(o, t.at[i].text, f);
		ok = ok && hba_options_check(o, HBA_LDAP, HBA_HOST, f);
		break;
	}
	if (copy)
		str_wipe(copy, strlen(text));
	free(copy);
	hba_tokens_free(&t);
	if (!ok)
		hba_options_free(o);
	return ok;
}
