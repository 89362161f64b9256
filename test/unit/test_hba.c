/* test_hba.c - HBA and ident files: what their lines mean, what is wrong with them, and who comes in by them. */
#include "auth/hba.h"
#include "config/hba_tokens.h"

#include "conf_files.h"
#include "nomem.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

/* --- Words */

static const struct {
	const char *what, *in, *out; /* words, a field each between bars; "!" an open quote */
} lines[] = {
	{ "nothing", "", "" },
	{ "blanks", " \t ", "" },
	{ "a comment", "  # all", "" },
	{ "words", "local all\tall trust", "local|all|all|trust" },
	{ "a comment behind", "a b#c d", "a|b" },
	{ "a list", "a,b, c d", "a b c|d" },
	{ "a comma behind a blank", "a ,b c", "a|b|c" },
	{ "commas of nothing", ",a,,b c,", "a b|c" },
	{ "quotes", "\"a b\" \"c,d\" \"e#f\"", "'a b|'c,d|'e#f" },
	{ "a quote inside", "\"a\"\"b\"", "'a\"b" },
	{ "quotes within a word", "a\"b c\"d \"\"x", "ab cd|'x" },
	{ "an empty one", "\"\" a", "'|a" },
	{ "an open quote", "a \"b c", "!" },
	{ "carriage return", "a b\r", "a|b" },
};

static void test_words(void)
{
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct hba_tokens t = { NULL, 0, 0 };
		char *line = (char *)copy_exact(lines[i].in, strlen(lines[i].in) + 1);
		struct sb got = { .max = 0 };
		size_t at = 0, from, n;
		if (hba_cut(&t, line) == HBA_CUT) {
			for (from = 0; (n = hba_field(&t, &at)) > 0; from = at)
				for (size_t k = 0; k < n; k++)
					sb_addf(&got, "%s%s%s",
						from + k == 0 ? ""
						: k           ? " "
							      : "|",
						t.at[from + k].quoted ? "'" : "", t.at[from + k].text);
		} else {
			sb_add(&got, "!");
		}
		check_str(lines[i].what, sb_str(&got), lines[i].out);
		sb_free(&got);
		hba_tokens_free(&t);
		free(line);
	}
}

/* --- Faults */

static char told[2048];
static unsigned faults;

static void note(void *arg, const char *file, int line, const char *text)
{
	size_t len = strlen(told);
	(void)arg;
	faults++;
	str_fmt(told + len, sizeof told - len, "%s:%d %s\n", conf_short(file), line, text);
}

static const struct hba_sink sink = { note, NULL };

static bool read_hba(struct hba *h, const char *text)
{
	bool nomem;
	told[0] = '\0';
	return hba_read(h, conf_text("hba", text), &sink, &nomem);
}

static bool read_ident(struct ident *i, const char *text)
{
	bool nomem;
	told[0] = '\0';
	return ident_read(i, conf_text("ident", text), &sink, &nomem);
}

/* Each is wrong; a part of what is told. "" is fine. */
static const struct {
	const char *line, *part;
} wrong[] = {
	{ "local all all trust", "" },
	{ "host all all all md5", "" },
	{ "host all all 10.0.0.0/8 password", "" },
	{ "host all all 10.0.0.0 255.0.0.0 plain", "" },
	{ "host all all ::1/128 scram-sha-256", "" },
	{ "host all all ::1 ffff:: md5", "" },
	{ "host all all samehost md5", "" },
	{ "hostnossl all all samenet reject", "" },
	{ "hostgssenc all all all reject", "" },
	{ "hostnogssenc all all all reject", "" },
	{ "hostssl all all all cert map=m", "" },
	{ "hostssl all all all md5 clientcert=verify-full", "" },
	{ "local all all peer map=m", "" },
	{ "local all all ident", "" },
	{ "local /^d[0-9]+$ /^u trust", "" },
	{ "local all all pam pamservice=x pam_use_hostname=0", "" },
	{ "host all all all ldap ldapserver=a ldapprefix=x ldapsuffix=\",dc=x\" ldapport=1 ldaptls=1", "" },
	{ "host all all all ldap \"ldapurl=ldap://h:389/dc=a,dc=b?uid?sub\"", "" },
	{ "host all all all ldap ldapurl=\"ldaps://[::1]/dc=%20x\"", "" },
	{ "locl all all trust", "hba:2 \"locl\" is none of local" },
	{ "local", "the database is missing" },
	{ "local all", "the user is missing" },
	{ "local all all", "the method is missing" },
	{ "host all all", "the address is missing" },
	{ "host all all all", "the method is missing" },
	{ "local,host all all trust", "a line begins with one" },
	{ "local all all trust,md5", "one method is expected" },
	{ "local all all trust x", "name=value is expected" },
	{ "local all all trust map=m", "map does not belong" },
	{ "local all +staff md5", "+staff: who belongs" },
	{ "local samerole all md5", "samerole: who belongs" },
	{ "local \"samerole\" \"+staff\" md5", "" },
	{ "host all all db.example.com md5", "is no IP address" },
	{ "host all all .example.com md5", "is no IP address" },
	{ "host all all 10.0.0.0/33 md5", "up to 32" },
	{ "host all all ::/129 md5", "up to 128" },
	{ "host all all 10.0.0.0/-1 md5", "a number of bits" },
	{ "host all all 10.0.0.0 md5", "needs a mask" },
	{ "host all all 10.0.0.0 255.0.255.0 md5", "no mask" },
	{ "host all all 10.0.0.0 ffff:: md5", "no mask" },
	{ "host all all 10.0.0.1,10.0.0.2 md5", "one address" },
	{ "host all all all peer", "peer is for local" },
	{ "host all all all cert", "cert is for hostssl" },
	{ "host all all all ident", "ident is not served" },
	{ "host all all all gss", "gss is not served" },
	{ "host all all all magic", "\"magic\" is no method" },
	{ "host all all all md5 clientcert=verify-ca", "clientcert does not belong" },
	{ "hostssl all all all md5 clientcert=1", "clientcert is" },
	{ "host all all all md5 ldapserver=x", "ldapserver does not belong" },
	{ "host all all all md5 foo=x", "no option \"foo\"" },
	{ "host all all all ldap ldapscope=sub", "no option \"ldapscope\"" },
	{ "host all all all ldap", "needs ldapserver" },
	{ "host all all all ldap ldapserver=a", "needs ldapbasedn" },
	{ "host all all all ldap ldapserver=a ldapprefix=x ldapbasedn=y", "do not go with" },
	{ "host all all all ldap ldapserver=a ldapbasedn=y ldapport=0", "ldapport" },
	{ "host all all all ldap ldapserver=a ldapbasedn=y ldapsearchattribute=u ldapsearchfilter=f", "together" },
	{ "host all all all ldap ldapserver=a ldapbasedn=y ldapscheme=ldaps ldaptls=1", "ldaptls=1" },
	{ "host all all all ldap ldapurl=http://x/", "ldap://host" },
	{ "host all all all ldap ldapurl=ldap://[::1/dc=x", "brackets" },
	{ "host all all all ldap ldapurl=ldap://x/%zz", "%" },
	{ "host all all all ldap ldapurl=ldap://x/%00", "%" },
	{ "host all all all ldap ldapurl=ldap://x/dc=x?a?b", "the scope" },
	{ "host all all all ldap ldapurl=ldap://x/dc=x?a?sub?f?e", "extensions" },
	{ "local /[ all trust", "regular expression" },
	{ "local \"all all trust", "a quote is not closed" },
	{ "include", "the name of one file" },
	{ "include nofile", "hba:2 include: \"" },
	{ "include_if_exists nofile", "" },
	{ "include_dir x", "include_dir is not served" },
	{ "include hba", "too deeply" },
	{ "local @nofile all trust", "@: \"" },
	{ "local all all \\\n trust", "" },
	{ "local all all \\", "the method is missing" },
};

static void test_faults(void)
{
	conf_dir();
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct hba h;
		char text[512];
		str_fmt(text, sizeof text, "# one\n%s\n", wrong[i].line);
		faults = 0;
		bool ok = read_hba(&h, text);
		check_eq(wrong[i].line, ok, !*wrong[i].part);
		check_eq(wrong[i].line, faults, ok ? 0 : 1);
		check(told, ok || strstr(told, wrong[i].part));
		hba_free(&h);
	}
	struct hba h;
	bool nomem;
	told[0] = '\0';
	check("no file", !hba_read(&h, "/nowhere/hba", &sink, &nomem) && !nomem);
	check_str("no file", told, "/nowhere/hba:0 cannot be opened: No such file or directory\n");
	hba_free(&h);
	check("NUL",
	      !hba_read(&h, conf_write("hba", BYTES("local all all trust\nlocal \0 all trust\n")), &sink, &nomem));
	hba_free(&h);
	conf_clean();
}

/* --- Who comes in */

static struct addr at(const char *ip)
{
	struct addr a = { .family = ADDR_UNIX };
	if (*ip)
		check(ip, addr_parse(&a, ip, 1));
	return a;
}

static const char rules[] = "local   all        postgres            peer\n" /* 1 */
			    "local   sameuser   all                 md5\n"
			    "host    replication all 10.0.0.0/8     trust\n"
			    "host    all        bad                 all reject\n"
			    "hostssl all        /^s_                all cert\n" /* 5 */
			    "hostnossl plain    all                 all password\n"
			    "host    \"all\",x  \"sameuser\",@users 10.1.2.3/16 trust\n"
			    "host    all        all                 192.168.7.0 255.255.255.0 scram-sha-256\n"
			    "host    all        all                 fe80::/10 md5\n"
			    "host    all        own                 samehost trust\n" /* 10 */
			    "host    all        net                 samenet trust\n"
			    "host    open       all                 0.0.0.0/0 trust\n"
			    "host    open       all                 ::/0 md5\n";

static const struct {
	const char *ip, *db, *user;
	bool tls, replication;
	int line; /* 0: none */
} clients[] = {
	{ "", "x", "postgres", false, false, 1 },
	{ "", "anna", "anna", false, false, 2 },
	{ "", "anna", "bert", false, false, 0 },
	{ "10.9.9.9", "x", "anna", false, true, 3 },
	{ "11.9.9.9", "open", "anna", false, true, 0 },
	{ "10.9.9.9", "replication", "anna", false, false, 0 },
	{ "1.2.3.4", "open", "bad", false, false, 4 },
	{ "1.2.3.4", "open", "s_x", true, false, 5 },
	{ "1.2.3.4", "open", "s_x", false, false, 12 },
	{ "1.2.3.4", "plain", "anna", false, false, 6 },
	{ "1.2.3.4", "plain", "anna", true, false, 0 },
	{ "10.1.255.255", "x", "sameuser", false, false, 7 },
	{ "10.1.0.0", "all", "u1", false, false, 7 },
	{ "10.1.0.0", "all", "u 2", false, false, 7 },
	{ "10.1.0.0", "all", "u3", false, false, 7 },
	{ "10.1.0.0", "all", "u4", false, false, 0 },
	{ "10.1.0.0", "y", "u1", false, false, 0 },
	{ "10.2.0.0", "x", "u1", false, false, 0 },
	{ "192.168.7.255", "y", "z", false, false, 8 },
	{ "192.168.8.0", "y", "z", false, false, 0 },
	{ "::ffff:192.168.7.1", "y", "z", false, false, 8 },
	{ "febf::1", "y", "z", false, false, 9 },
	{ "fec0::1", "y", "z", false, false, 0 },
	{ "127.0.0.1", "y", "own", false, false, 10 },
	{ "203.0.113.9", "y", "own", false, false, 0 },
	{ "127.9.9.9", "y", "own", false, false, 0 },
	{ "127.9.9.9", "y", "net", false, false, 11 },
	{ "1.1.1.1", "open", "z", false, false, 12 },
	{ "2001::1", "open", "z", false, false, 13 },
};

static void test_pick(void)
{
	struct hba h;
	conf_dir();
	conf_text("users", "u1, \"u 2\"\n# none\n@more\n");
	conf_text("more", "u3\n");
	check("rules", read_hba(&h, rules));
	check_str("rules", told, "");
	for (size_t i = 0; i < COUNT(clients); i++) {
		struct addr a = at(clients[i].ip);
		const struct hba_client c = { &a, clients[i].db, clients[i].user, clients[i].tls,
					      clients[i].replication };
		const struct hba_rule *r = hba_pick(&h, &c);
		char what[100];
		str_fmt(what, sizeof what, "%s %s %s", clients[i].ip, clients[i].db, clients[i].user);
		check_eq(what, r ? r->line : 0, clients[i].line);
	}
	hba_free(&h);
	conf_clean();
}

static void test_url(void)
{
	static const char text[] = "ldapurl=\"ldap://ldap.example.net:1389/dc=example%2Cdc=net?cn?one\" ldaptls=1";
	struct hba_options o;
	struct fault f;
	check("read", hba_ldap_read(&o, text, &f));
	check_str("server", o.at[HBA_ldapserver], "ldap.example.net");
	check_str("port", o.at[HBA_ldapport], "1389");
	check_str("scheme", o.at[HBA_ldapscheme], "ldap");
	check_str("base", o.at[HBA_ldapbasedn], "dc=example,dc=net");
	check_str("attribute", o.at[HBA_ldapsearchattribute], "cn");
	check_str("scope", o.at[HBA_ldapscope], "one");
	check_str("tls", o.at[HBA_ldaptls], "1");
	hba_options_free(&o);
	check("no scope", hba_ldap_read(&o, "ldapurl=ldap://a/dc=b", &f));
	check_str("is base", o.at[HBA_ldapscope], "base");
	hba_options_free(&o);
	check("attribute and filter", !hba_ldap_read(&o, "ldapurl=ldap://a/dc=b?c?sub?(d=e)", &f));
	check("open", !hba_ldap_read(&o, "\"ldapserver=x", &f) && strstr(f.text, "quote"));
	check("no word of the password",
	      !hba_ldap_read(&o, "ldapserver=x ldapbindpasswd=hush ldapprefix=y", &f) && !strstr(f.text, "hush"));
	check("of two words", !hba_ldap_read(&o, "ldapserver=x ldapbindpasswd=my hush", &f) && !strstr(f.text, "hush"));
	check("of two words", !hba_ldap_read(&o, "ldapserver=x ldapbindpasswd=my hu=sh", &f) && !strstr(f.text, "hu"));
	check("what to do", strstr(f.text, "quotes") != NULL);
	check("another word", !hba_ldap_read(&o, "ldapserver=x odd", &f) && strstr(f.text, "\"odd\""));
	check("nothing", !hba_ldap_read(&o, "", &f));
}

/* --- User name maps */

static const char maps[] = "m    anna            anna\n"
			   "m    root            all\n"
			   "m    \"Bert Meier\"  bert\n"
			   "re   /^(.*)@x\\.org$ \\1\n"
			   "re   /^adm-(.*)$     pg_\\1_admin\n"
			   "re   /^guest         guest\n"
			   "re   ops             /^ops_\n"
			   "opt  /^a(b)?$        \\1\n";

static const struct {
	const char *map, *system, *user;
	bool fits;
} mapped[] = {
	{ NULL, "anna", "anna", true },
	{ NULL, "anna", "bert", false },
	{ "m", "anna", "anna", true },
	{ "m", "anna", "bert", false },
	{ "m", "root", "anyone", true },
	{ "m", "Bert Meier", "bert", true },
	{ "m", "bert", "bert", false },
	{ "re", "anna@x.org", "anna", true },
	{ "re", "anna@xxorg", "anna", false },
	{ "re", "anna@x.org", "bert", false },
	{ "re", "adm-db", "pg_db_admin", true },
	{ "re", "adm-db", "pg_x_admin", false },
	{ "re", "guest17", "guest", true },
	{ "re", "ops", "ops_7", true },
	{ "re", "ops", "xops_7", false },
	{ "opt", "ab", "b", true },
	{ "opt", "a", "", false },
	{ "none", "anna", "anna", false },
};

static const struct {
	const char *line, *part;
} wrong_maps[] = {
	{ "m a", "three words" },     { "m a b c", "three words" },    { "m a,b c", "three words" },
	{ "m a +b", "who belongs" },  { "m /[ b", "regular" },         { "m a /[", "regular" },
	{ "m a \\1", "parentheses" }, { "m /^a$ \\1", "parentheses" }, { "m \"a b", "quote" },
	{ "m /(a) \\1", "" },         { "include nofile", "include" },
};

static void test_maps(void)
{
	struct ident i;
	conf_dir();
	check("maps", read_ident(&i, maps));
	check_str("maps", told, "");
	for (size_t n = 0; n < COUNT(mapped); n++)
		check_eq(mapped[n].system, ident_maps(&i, mapped[n].map, mapped[n].system, mapped[n].user),
			 mapped[n].fits);
	char longest[600];
	memset(longest, 'x', sizeof longest);
	memcpy(longest + sizeof longest - 7, "@x.org", 7);
	check("too long a name is nobody's", !ident_maps(&i, "re", longest, "anna"));
	check("has", ident_has_map(&i, "re") && !ident_has_map(&i, "r"));
	ident_free(&i);
	for (size_t n = 0; n < COUNT(wrong_maps); n++) {
		bool ok = read_ident(&i, wrong_maps[n].line);
		check_eq(wrong_maps[n].line, ok, !*wrong_maps[n].part);
		check(told, ok || strstr(told, wrong_maps[n].part));
		ident_free(&i);
	}
	conf_clean();
}

static void test_nomem(void)
{
	bool nomem;
	struct hba h;
	struct ident i;
	conf_dir();
	conf_text("users", "u1\n");
	const char *hba = conf_text("h", "host all,/^a @users 10.0.0.0/8 \\\n ldap \"ldapurl=ldap://h/dc=a?b\"\n");
	const char *ident = conf_text("i", maps);
	for (unsigned n = 0; nomem_next(&n);) {
		if (!hba_read(&h, hba, &sink, &nomem))
			check("hba", nomem_hit() && nomem);
		hba_free(&h);
	}
	for (unsigned n = 0; nomem_next(&n);) {
		if (!ident_read(&i, ident, &sink, &nomem))
			check("ident", nomem_hit() && nomem);
		ident_free(&i);
	}
	conf_clean();
}

void suite_hba(void)
{
	static const struct unit_test tests[] = {
		{ "words", test_words }, { "faults", test_faults }, { "pick", test_pick }, { "url", test_url },
		{ "maps", test_maps },   { "nomem", test_nomem },   { NULL, NULL },
	};
	unit_add("hba", tests);
}
