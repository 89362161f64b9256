/* hba.c - the HBA file. PostgreSQL docs, The pg_hba.conf File. */
#include "config/hba_int.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* --- What ident.c uses too */

bool hba_fault(struct hba_reading *r, const char *fmt, ...)
{
	char text[600];
	va_list ap;
	va_start(ap, fmt);
	str_vfmt(text, sizeof text, fmt, ap);
	va_end(ap);
	r->failed = true;
	r->sink->fault(r->sink->arg, r->file, r->line, text);
	return false;
}

bool hba_nomem(struct hba_reading *r)
{
	r->nomem = r->failed = true;
	return false;
}

bool hba_copy(struct hba_reading *r, char **to, const char *text)
{
	*to = str_dup(text);
	return *to || hba_nomem(r);
}

bool hba_regex(struct hba_reading *r, regex_t *re, const char *pattern)
{
	int e = regcomp(re, pattern, REG_EXTENDED);
	char why[128];
	if (e == 0)
		return true;
	if (e == REG_ESPACE)
		return hba_nomem(r);
	(void)regerror(e, re, why, sizeof why);
	return hba_fault(r, "the regular expression \"%.100s\" is wrong: %s", pattern, why);
}

void hba_name_free(struct hba_name *n)
{
	if (n->is == HBA_REGEX && n->text)
		regfree(&n->regex);
	free(n->text);
}

char *hba_beside(const struct hba_reading *r, const char *name)
{
	const char *slash = strrchr(r->file, '/');
	struct sb b = { .max = 0 };
	if (*name != '/' && slash)
		sb_add_n(&b, r->file, (size_t)(slash - r->file) + 1);
	sb_add(&b, name);
	return sb_take(&b);
}

static bool include(struct hba_reading *r, const struct hba_tokens *t,
		    bool (*each)(struct hba_reading *r, const struct hba_tokens *t, void *arg), void *arg)
{
	char *path;
	if (t->n != 2)
		return hba_fault(r, "%s: the name of one file is expected", t->at[0].text);
	path = hba_beside(r, t->at[1].text);
	if (!path)
		return hba_nomem(r);
	hba_each_line(r, path, t->at[0].text, each, arg);
	free(path);
	return !r->nomem;
}

static bool is_include(const struct hba_tokens *t)
{
	return !t->at[0].quoted &&
	       (strcmp(t->at[0].text, "include") == 0 || strcmp(t->at[0].text, "include_if_exists") == 0);
}

void hba_each_line(struct hba_reading *r, const char *path, const char *of,
		   bool (*each)(struct hba_reading *r, const struct hba_tokens *t, void *arg), void *arg)
{
	struct hba_reading in = *r; /* the place to tell faults at */
	struct hba_tokens t = { NULL, 0, 0 };
	struct sb joined = { .max = LINES_FILE_MAX };
	struct lines lines;
	struct fault f;
	char *text;
	bool bad;

	if (r->depth >= HBA_DEPTH || r->files >= HBA_FILES) {
		hba_fault(r, "files are included too deeply, or too many of them");
		return;
	}
	if (!lines_open(&lines, path, &f)) {
		if (f.kind == FAULT_NOMEM)
			hba_nomem(r);
		else if (!*of)
			hba_fault(r, "%s", f.text);
		else if (strcmp(of, "include_if_exists") != 0)
			hba_fault(r, "%s: \"%.200s\" %s", of, path, f.text);
		return;
	}
	in.file = path;
	in.depth++;
	in.files++;
	while (!in.nomem && (text = hba_next_line(&lines, &joined, &in.line, &bad))) {
		if (bad) {
			hba_fault(&in, "the line holds a NUL byte");
			continue;
		}
		switch (hba_cut(&t, text)) {
		case HBA_CUT_NOMEM:
			hba_nomem(&in);
			break;
		case HBA_CUT_OPEN:
			hba_fault(&in, "a quote is not closed");
			break;
		case HBA_CUT:
			if (t.n > 0)
				(void)(is_include(&t) ? include(&in, &t, each, arg) : each(&in, &t, arg));
			break;
		}
	}
	if (joined.bad)
		hba_nomem(&in);
	sb_free(&joined);
	hba_tokens_free(&t);
	lines_close(&lines);
	r->files = in.files;
	r->failed |= in.failed;
	r->nomem |= in.nomem;
}

/* --- Databases and users */

struct names {
	struct hba_names *to;
	bool of_users;
};

static bool add_name(struct hba_reading *r, const struct hba_token *word, const struct names *k)
{
	struct hba_name n = { .is = HBA_NAME };
	const char *text = word->text;
	bool is_key = !word->quoted;

	if (is_key && strcmp(text, "all") == 0)
		n.is = HBA_ALL;
	else if (is_key && !k->of_users && strcmp(text, "sameuser") == 0)
		n.is = HBA_SAMEUSER;
	else if (is_key && !k->of_users && strcmp(text, "replication") == 0)
		n.is = HBA_REPLICATION;
	else if (is_key && !k->of_users && (strcmp(text, "samerole") == 0 || strcmp(text, "samegroup") == 0))
		return hba_fault(r, "%s: who belongs to which role is known to servers only", text);
	else if (is_key && k->of_users && *text == '+')
		return hba_fault(r, "%.100s: who belongs to which role is known to servers only; name the users", text);
	else if (is_key && *text == '/')
		n.is = HBA_REGEX;
	if (n.is == HBA_REGEX && !hba_regex(r, &n.regex, text + 1))
		return false;
	n.text = str_dup(text);
	struct hba_name *at = n.text ? realloc(k->to->at, (k->to->n + 1) * sizeof *at) : NULL;
	if (!at) {
		if (n.is == HBA_REGEX)
			regfree(&n.regex);
		free(n.text);
		return hba_nomem(r);
	}
	k->to->at = at;
	at[k->to->n++] = n;
	return true;
}

static bool add_names(struct hba_reading *r, const struct hba_token *words, size_t n, const struct names *k);

static bool names_line(struct hba_reading *r, const struct hba_tokens *t, void *arg)
{
	return add_names(r, t->at, t->n, arg);
}

static bool add_names(struct hba_reading *r, const struct hba_token *words, size_t n, const struct names *k)
{
	for (size_t i = 0; i < n; i++) {
		if (words[i].quoted || words[i].text[0] != '@' || !words[i].text[1]) {
			if (!add_name(r, &words[i], k))
				return false;
			continue;
		}
		char *path = hba_beside(r, words[i].text + 1);
		if (!path)
			return hba_nomem(r);
		hba_each_line(r, path, "@", names_line, (void *)(uintptr_t)k);
		free(path);
		if (r->nomem)
			return false;
	}
	return true;
}

static void names_free(struct hba_names *k)
{
	for (size_t i = 0; i < k->n; i++)
		hba_name_free(&k->at[i]);
	free(k->at);
}

/* --- Addresses */

static bool parse_ip(const char *text, uint8_t ip[16], bool *is_ipv6)
{
	struct in_addr v4;
	struct in6_addr v6;
	memset(ip, 0, 16);
	if (inet_pton(AF_INET, text, &v4) == 1) {
		memcpy(ip, &v4, 4);
		*is_ipv6 = false;
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return false;
	memcpy(ip, &v6, 16);
	*is_ipv6 = true;
	return true;
}

static void mask_of(uint64_t bits, uint8_t mask[16])
{
	memset(mask, 0, 16);
	for (uint64_t i = 0; i < bits; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
}

/* One bit behind a zero bit is no mask that anybody means. */
static bool is_mask(const uint8_t mask[16])
{
	bool zero = false;
	for (unsigned i = 0; i < 128; i++) {
		bool one = mask[i / 8] & 0x80 >> i % 8;
		if (one && zero)
			return false;
		zero |= !one;
	}
	return true;
}

/* The address and, where it is one by itself, the mask behind it. */
static bool take_address(struct hba_reading *r, struct hba_rule *h, const struct hba_tokens *t, size_t *at)
{
	size_t from = *at;
	char text[64];
	bool mask_is_ipv6;
	uint64_t bits;

	if (hba_field(t, at) != 1)
		return hba_fault(r, from < t->n ? "one address is expected" : "the address is missing");
	const struct hba_token *word = &t->at[from];
	if (!word->quoted && strcmp(word->text, "all") == 0) {
		h->where = HBA_ANYWHERE;
		return true;
	}
	if (!word->quoted && (strcmp(word->text, "samehost") == 0 || strcmp(word->text, "samenet") == 0)) {
		h->where = word->text[4] == 'h' ? HBA_SAMEHOST : HBA_SAMENET;
		return true;
	}
	h->where = HBA_NET;
	const char *slash = strchr(word->text, '/');
	size_t len = slash ? (size_t)(slash - word->text) : strlen(word->text);
	if (!str_copy_n(text, sizeof text, word->text, len) || !parse_ip(text, h->ip, &h->is_ipv6))
		return hba_fault(r, "\"%.100s\" is no IP address; names of hosts are not looked up", word->text);
	if (slash) {
		if (!str_to_u64(slash + 1, h->is_ipv6 ? 128 : 32, &bits))
			return hba_fault(r, "\"%.100s\": behind the / a number of bits is expected, up to %d",
					 word->text, h->is_ipv6 ? 128 : 32);
		mask_of(bits, h->mask);
		return true;
	}
	from = *at;
	if (hba_field(t, at) != 1 || !parse_ip(t->at[from].text, h->mask, &mask_is_ipv6))
		return hba_fault(r, "the address \"%.100s\" needs a mask: /bits, or one behind it", word->text);
	if (mask_is_ipv6 != h->is_ipv6 || !is_mask(h->mask))
		return hba_fault(r, "\"%.100s\" is no mask for this address", t->at[from].text);
	return true;
}

/* --- Methods */

static bool take_method(struct hba_reading *r, struct hba_rule *h, const char *word)
{
	static const struct {
		const char *word;
		enum hba_method method;
	} methods[] = {
		{ "trust", HBA_TRUST }, { "reject", HBA_REJECT }, { "password", HBA_PLAIN },
		{ "plain", HBA_PLAIN }, { "md5", HBA_MD5 },       { "scram-sha-256", HBA_SCRAM },
		{ "peer", HBA_PEER },   { "cert", HBA_CERT },     { "pam", HBA_PAM },
		{ "ldap", HBA_LDAP },
	};
	static const char *const others[] = { "ident", "gss", "sspi", "radius", "bsd", "oauth" };

	if (strcmp(word, "ident") == 0 && h->conn == HBA_LOCAL)
		word = "peer"; /* as PostgreSQL has it */
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		if (strcmp(word, methods[i].word) != 0)
			continue;
		h->method = methods[i].method;
		if (h->method == HBA_PEER && h->conn != HBA_LOCAL)
			return hba_fault(r, "peer is for local connections only");
		if (h->method == HBA_CERT && h->conn != HBA_HOSTSSL)
			return hba_fault(r, "cert is for hostssl connections only");
#ifndef HAVE_LDAP
		if (h->method == HBA_LDAP)
			return hba_fault(r, "ldap: this build is without LDAP");
#endif
#ifndef HAVE_PAM
		if (h->method == HBA_PAM)
			return hba_fault(r, "pam: this build is without PAM");
#endif
		return true;
	}
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (strcmp(word, others[i]) == 0)
			return hba_fault(r, "the method %s is not served", word);
	return hba_fault(r, "\"%.60s\" is no method", word);
}

static bool take_options(struct hba_reading *r, struct hba_rule *h, const struct hba_tokens *t, size_t at)
{
	struct fault f;
	bool ok = true;
	for (; at < t->n && ok; at++)
		ok = hba_option_put(&h->opt, t->at[at].text, &f);
	if (ok && hba_options_check(&h->opt, h->method, h->conn, &f)) {
		const char *cert = h->opt.at[HBA_clientcert];
		h->wants_cert = cert || h->method == HBA_CERT;
		h->wants_cn = h->method == HBA_CERT || (cert && strcmp(cert, "verify-full") == 0);
		return true;
	}
	return f.kind == FAULT_NOMEM ? hba_nomem(r) : hba_fault(r, "%s", f.text);
}

/* --- The file */

static void rule_free(struct hba_rule *h)
{
	names_free(&h->dbs);
	names_free(&h->users);
	hba_options_free(&h->opt);
}

static bool take_conn(struct hba_reading *r, struct hba_rule *h, const char *word)
{
	static const struct {
		const char *word;
		enum hba_conn conn;
	} conns[] = {
		{ "local", HBA_LOCAL },         { "host", HBA_HOST },        { "hostssl", HBA_HOSTSSL },
		{ "hostnossl", HBA_HOSTNOSSL }, { "hostgssenc", HBA_NEVER }, { "hostnogssenc", HBA_HOST },
	};
	for (size_t i = 0; i < sizeof conns / sizeof conns[0]; i++)
		if (strcmp(word, conns[i].word) == 0) {
			h->conn = conns[i].conn;
			return true;
		}
	if (strcmp(word, "include_dir") == 0)
		return hba_fault(r, "include_dir is not served; include the files one by one");
	return hba_fault(r, "\"%.60s\" is none of local, host, hostssl and hostnossl", word);
}

static bool take_rule(struct hba_reading *r, struct hba_rule *h, const struct hba_tokens *t)
{
	size_t at = 0, n;
	const struct hba_token *from;

	if (hba_field(t, &at) != 1)
		return hba_fault(r, "a line begins with one of local, host, hostssl and hostnossl");
	if (!take_conn(r, h, t->at[0].text))
		return false;
	from = &t->at[at];
	n = hba_field(t, &at);
	if (n == 0)
		return hba_fault(r, "the database is missing");
	if (!add_names(r, from, n, &(struct names){ &h->dbs, false }))
		return false;
	from = &t->at[at];
	n = hba_field(t, &at);
	if (n == 0)
		return hba_fault(r, "the user is missing");
	if (!add_names(r, from, n, &(struct names){ &h->users, true }))
		return false;
	if (h->conn != HBA_LOCAL && !take_address(r, h, t, &at))
		return false;
	from = &t->at[at];
	n = hba_field(t, &at);
	if (n != 1)
		return hba_fault(r, n ? "one method is expected" : "the method is missing");
	return take_method(r, h, from->text) && take_options(r, h, t, at);
}

static bool rule_line(struct hba_reading *r, const struct hba_tokens *t, void *arg)
{
	struct hba *h = arg;
	struct hba_rule rule = { .line = r->line };
	if (h->n == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 16;
		struct hba_rule *at = realloc(h->at, cap * sizeof *at);
		if (!at)
			return hba_nomem(r);
		h->at = at;
		h->cap = cap;
	}
	if (!take_rule(r, &rule, t)) {
		rule_free(&rule);
		return false;
	}
	h->at[h->n++] = rule;
	return true;
}

bool hba_read(struct hba *h, const char *path, const struct hba_sink *sink, bool *nomem)
{
	struct hba_reading r = { .sink = sink, .file = path };
	*h = (struct hba){ NULL, 0, 0 };
	hba_each_line(&r, path, "", rule_line, h);
	*nomem = r.nomem;
	return !r.failed;
}

void hba_free(struct hba *h)
{
	for (size_t i = 0; i < h->n; i++)
		rule_free(&h->at[i]);
	free(h->at);
	*h = (struct hba){ NULL, 0, 0 };
}
