/* test_tls.c - TLS connections, two of them mouth to mouth without a socket, and the contexts that they come from. */
#include "unit.h"

#include "core/str.h"
#include "net/tls_int.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];

static const char *path(const char *name)
{
	static char p[4][128];
	static int i;
	i = (i + 1) % 4;
	str_fmt(p[i], sizeof p[i], "%s/%s", dir, name);
	return p[i];
}

/* A certificate that vouches for itself, and its key, as NAME.crt and NAME.key. */
static bool certify(const char *name, const char *cn, const char *san, const EVP_MD *md)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);
	X509V3_CTX v3;
	X509V3_set_ctx_nodb(&v3);
	X509V3_set_ctx(&v3, x, x, NULL, NULL, 0);
	bool ok = key && X509_set_version(x, 2) && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) &&
		  X509_gmtime_adj(X509_getm_notBefore(x), -60) && X509_gmtime_adj(X509_getm_notAfter(x), 3600) &&
		  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) &&
		  X509_set_issuer_name(x, subject) && X509_set_pubkey(x, key);
	X509_EXTENSION *e = san ? X509V3_EXT_conf_nid(NULL, &v3, NID_subject_alt_name, san) : NULL;
	ok = ok && (!san || (e && X509_add_ext(x, e, -1))) && X509_sign(x, key, md) > 0;
	X509_EXTENSION_free(e);
	char file[80];
	str_fmt(file, sizeof file, "%s/%s.key", dir, name);
	FILE *f = fopen(file, "w");
	ok = ok && f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	if (f)
		fclose(f);
	str_fmt(file, sizeof file, "%s/%s.crt", dir, name);
	f = fopen(file, "w");
	ok = ok && f && PEM_write_X509(f, x);
	if (f)
		fclose(f);
	X509_free(x);
	EVP_PKEY_free(key);
	return check(name, ok);
}

static bool begin(void)
{
	strcpy(dir, "/tmp/test-tls-XXXXXX");
	return check("a directory", mkdtemp(dir) != NULL) &&
	       certify("door", "door", "DNS:door.example,IP:10.0.0.7", EVP_sha256()) &&
	       certify("anna", "anna", NULL, EVP_sha384());
}

static void end(void)
{
	static const char *const names[] = { "door.crt", "door.key", "anna.crt", "anna.key" };
	tls_forget();
	for (size_t i = 0; i < COUNT(names); i++)
		unlink(path(names[i]));
	rmdir(dir);
}

static struct tls_conf clients(enum tls_mode mode)
{
	static char key[80], cert[80], ca[80];
	strcpy(key, path("door.key"));
	strcpy(cert, path("door.crt"));
	strcpy(ca, path("anna.crt"));
	return (struct tls_conf){ mode, key, cert, ca, "secure", "default", "", "auto", "auto" };
}

static struct tls_conf servers(enum tls_mode mode)
{
	static char key[80], cert[80], ca[80];
	strcpy(key, path("anna.key"));
	strcpy(cert, path("anna.crt"));
	strcpy(ca, path("door.crt"));
	return (struct tls_conf){ mode, key, cert, ca, "secure", "default", "", "auto", "auto" };
}

static bool set_up(struct tls_conf c, struct tls_conf s)
{
	struct fault f = { 0 };
	bool ok = tls_prepare(&c, &s, &f);
	check(f.text, ok);
	if (ok)
		tls_commit();
	return ok;
}

/* --- Two ends */

struct end {
	struct tls *t;
	uint8_t *out; /* ciphertext that waits for the other */
	size_t len, cap;
	uint8_t *got; /* plaintext that came */
	size_t ngot;
	enum tls_got last;
	bool done; /* the handshake, on this side */
	struct fault f;
};
static struct end a, b; /* a: who connects; b: who is connected to */

static bool put(void *arg, const uint8_t *p, size_t n)
{
	struct end *e = arg;
	if (e->len + n > e->cap) {
		e->cap = 2 * (e->len + n);
		e->out = realloc(e->out, e->cap);
	}
	memcpy(e->out + e->len, p, n);
	e->len += n;
	return true;
}

static void take(struct end *e, const uint8_t *p, size_t n)
{
	static uint8_t room[(200u << 10)];
	size_t got = 0;
	tls_feed(e->t, p, n);
	if (!e->done) {
		e->last = tls_handshake(e->t, &e->f);
		e->done = e->last == TLS_OK;
	}
	if (e->done)
		e->last = tls_read(e->t, room, n + TLS_RECORD_MAX, &got, &e->f);
	else
		tls_feed(e->t, NULL, 0);
	if (got) {
		e->got = realloc(e->got, e->ngot + got);
		memcpy(e->got + e->ngot, room, got);
		e->ngot += got;
	}
}

/* What each has said reaches the other, `step` bytes at a time, until both are silent. */
static void pump(size_t step)
{
	while (a.len || b.len) {
		for (int i = 0; i < 2; i++) {
			struct end *from = i ? &b : &a, *to = i ? &a : &b;
			uint8_t *bytes = from->out;
			size_t n = from->len;
			from->out = NULL;
			from->len = from->cap = 0;
			for (size_t at = 0; at < n && to->last < TLS_END; at += step)
				take(to, bytes + at, n - at < step ? n - at : step);
			free(bytes);
		}
	}
}

static void open_ends(const char *host, struct tls_ticket *ticket, bool needs_alpn)
{
	a = b = (struct end){ .last = TLS_MORE };
	a.t = tls_new(&(struct tls_start){ .ctx = tls_now(TLS_SERVERS), .host = host, .ticket = ticket }, put, &a);
	b.t = tls_new(&(struct tls_start){ .ctx = tls_now(TLS_CLIENTS), .needs_alpn = needs_alpn }, put, &b);
	if (check("two ends", a.t && b.t))
		a.last = tls_handshake(a.t, &a.f);
}

static void close_ends(void)
{
	struct end *const both[] = { &a, &b };
	for (int i = 0; i < 2; i++) {
		tls_free(both[i]->t);
		free(both[i]->out);
		free(both[i]->got);
	}
}

static void test_talk(void)
{
	static const size_t steps[] = { 1, 7, 1000, 65536 };
	static uint8_t text[100000];
	char shown[TLS_TEXT_MAX], cn[32];
	uint8_t ea[TLS_END_POINT_MAX], eb[TLS_END_POINT_MAX];
	size_t na = 0, nb = 1;
	if (!begin() || !set_up(clients(TLS_VERIFY_CA), servers(TLS_VERIFY_FULL)))
		return;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * 31 + i / 256);
	for (size_t i = 0; i < COUNT(steps); i++) {
		open_ends("door.example", NULL, true);
		check("not up yet", !tls_is_up(a.t));
		check("no hash yet", !tls_server_end_point(a.t, ea, &na));
		pump(steps[i]);
		check(a.f.text, tls_is_up(a.t));
		check(b.f.text, tls_is_up(b.t));
		check("version", strncmp(tls_text(b.t, shown), "TLSv1.3/TLS_", 12) == 0);
		check("a name", tls_peer_cn(b.t, cn, sizeof cn));
		check_str("who it is", cn, "anna");
		check("hashes", tls_server_end_point(a.t, ea, &na) && tls_server_end_point(b.t, eb, &nb));
		check("both see the same", na == nb && na == 32 && memcmp(ea, eb, na) == 0);
		size_t n = steps[i] == 1 ? 2000 : sizeof text;
		check("said", tls_write(a.t, text, n) && tls_write(b.t, text + 1, n - 1));
		pump(steps[i]);
		check_eq("heard", b.ngot, n);
		check_mem("the same", b.got, text, n);
		check_eq("heard", a.ngot, n - 1);
		check_mem("the same", a.got, text + 1, n - 1);
		tls_bye(a.t);
		pump(steps[i]);
		check_eq("and farewell", b.last, TLS_END);
		b.len = 0;
		tls_bye(b.t);
		check_eq("to which nothing is said", b.len, 0);
		close_ends();
	}
	end();
}

static void test_names(void)
{
	static const struct {
		const char *host;
		bool fits;
	} rows[] = {
		{ "door.example", true }, { "DOOR.example", true }, { "10.0.0.7", true },
		{ "10.0.0.8", false },    { "door", false },        { "x.door.example", false },
	};
	if (!begin() || !set_up(clients(TLS_REQUIRE), servers(TLS_VERIFY_FULL)))
		return;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char cn[32];
		open_ends(rows[i].host, NULL, false);
		pump(65536);
		check_eq(rows[i].host, tls_is_up(a.t), rows[i].fits);
		if (!rows[i].fits)
			check(a.f.text, strstr(a.f.text, "is not for the host") != NULL);
		check("nobody vouched for anybody", !tls_peer_cn(b.t, cn, sizeof cn));
		close_ends();
	}
	end();
}

/* The second time is shorter, with the ticket of the first; a ticket of another context is of no use. */
static void test_tickets(void)
{
	struct tls_ticket ticket = { NULL, 0 };
	if (!begin() || !set_up(clients(TLS_REQUIRE), servers(TLS_VERIFY_FULL)))
		return;
	for (int i = 0; i < 3; i++) {
		const void *before = ticket.session;
		open_ends("door.example", &ticket, false);
		pump(65536);
		check("up", tls_is_up(a.t) && tls_is_up(b.t));
		check_eq("short", tls_is_resumed(a.t), i > 0);
		check("no packet for a ticket alone", ticket.session == before);
		check("said", tls_write(b.t, "welcome", 7));
		pump(65536);
		check("a ticket came with it", ticket.session && ticket.session != before);
		check_mem("and what was said", a.got, "welcome", a.ngot == 7 ? 7 : 0);
		check_eq("all of it", a.ngot, 7);
		tls_bye(a.t);
		close_ends();
	}
	struct tls_conf other = servers(TLS_VERIFY_CA);
	set_up(clients(TLS_REQUIRE), other);
	open_ends("door.example", &ticket, false);
	check("dropped", ticket.session == NULL);
	pump(65536);
	check("whole", tls_is_up(a.t) && !tls_is_resumed(a.t));
	close_ends();
	tls_ticket_drop(&ticket);
	/* None for clients whose certificate is who they are. */
	set_up(clients(TLS_VERIFY_CA), other);
	open_ends("door.example", &ticket, false);
	pump(65536);
	check("said", tls_is_up(a.t) && tls_write(b.t, "welcome", 7));
	pump(65536);
	check("none", a.ngot == 7 && ticket.session == NULL);
	close_ends();
	tls_ticket_drop(&ticket);
	end();
}

/* Whatever is changed in what a client says first, it is refused or waited for. */
static void test_damage(void)
{
	static const uint8_t junk[] = "\27\3\3\0\5hello";
	if (!begin() || !set_up(clients(TLS_REQUIRE), servers(TLS_REQUIRE)))
		return;
	open_ends("door.example", NULL, false);
	size_t n = a.len;
	close_ends();
	for (size_t i = 0; i < n; i++) {
		open_ends("door.example", NULL, false);
		a.out[i] ^= 0xff;
		take(&b, a.out, a.len);
		check("not up", !tls_is_up(b.t) && (b.last == TLS_MORE || b.last == TLS_FAILED));
		if (b.last == TLS_FAILED) {
			check(b.f.text, strncmp(b.f.text, "TLS handshake failed: ", 22) == 0);
			check_eq("and again", tls_handshake(b.t, &b.f), TLS_FAILED);
		}
		close_ends();
	}
	open_ends("door.example", NULL, false);
	pump(65536);
	take(&b, junk, sizeof junk - 1);
	check_eq("junk", b.last, TLS_FAILED);
	check("says so", strncmp(b.f.text, "TLS: ", 5) == 0);
	check("nothing may be said any more", !tls_write(b.t, "x", 1));
	close_ends();
	end();
}

/* --- Contexts */

static void test_protocols(void)
{
	static const struct {
		const char *text;
		bool ok;
		unsigned bits;
	} rows[] = {
		{ "secure", true, 12 },
		{ "default", true, 12 },
		{ "all", true, 15 },
		{ "legacy", true, 15 },
		{ "TLSv1.2", true, 4 },
		{ "tlsv1.2,tlsv1.3", true, 12 },
		{ "tlsv1.0:tlsv1.3", true, 9 },
		{ " tlsv1.1 , tlsv1.2 ", true, 6 },
		{ "!tlsv1.0", true, 14 },
		{ "all,!tlsv1.3", true, 7 },
		{ "", false, 0 },
		{ ",", false, 0 },
		{ "tlsv1.4", false, 0 },
		{ "!all", false, 0 },
		{ "tlsv1.2 x", false, 0 },
		{ "!", false, 0 },
		{ "tlsv1.2tlsv1.3tlsv1.2", false, 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned bits = 0;
		check_eq(rows[i].text, tls_parse_protocols(rows[i].text, &bits), rows[i].ok);
		if (rows[i].ok)
			check_eq(rows[i].text, bits, rows[i].bits);
	}
}

static void test_contexts(void)
{
	struct tls_conf off = { TLS_DISABLE, "/nowhere", "", "", "nonsense", "", "", "", "" }, c, s;
	struct fault f;
	if (!begin())
		return;
	check("what is off is not looked at", tls_prepare(&off, &off, &f));
	check("nothing is other", !tls_commit());
	check("none", !tls_now(TLS_CLIENTS) && !tls_now(TLS_SERVERS));
	c = clients(TLS_PREFER);
	s = servers(TLS_PREFER);
	check("on", tls_prepare(&c, &s, &f));
	check("not before it is said", !tls_now(TLS_CLIENTS));
	check("servers' is other", tls_commit());
	struct tls_ctx *was = tls_now(TLS_SERVERS);
	check("on", was && tls_mode_now(TLS_SERVERS) == TLS_PREFER);
	check("once", !tls_commit() && tls_now(TLS_SERVERS) == was);
	check("the same again", tls_prepare(&c, &s, &f) && !tls_commit());
	check("is the same", tls_now(TLS_SERVERS) == was);
	certify("anna", "anna", NULL, EVP_sha256());
	check("other files of the same names", tls_prepare(&c, &s, &f) && tls_commit());
	check("are other ones", tls_now(TLS_SERVERS) != was);
	was = tls_now(TLS_SERVERS);
	unlink(path("anna.key"));
	check("a fault", !tls_prepare(&c, &s, &f));
	check(f.text, f.kind == FAULT_CONFIG && strstr(f.text, "server_tls_key_file: \""));
	check("changes nothing", !tls_commit() && tls_now(TLS_SERVERS) == was);
	s.key_file = c.key_file;
	check("another's key", !tls_prepare(&c, &s, &f));
	check(f.text, strstr(f.text, "is not the key of the certificate") != NULL);
	s.key_file = "/dev/zero";
	check("no file", !tls_prepare(&c, &s, &f) && strstr(f.text, "is not a file"));
	end();
}

/* Buffers of a record's length come from an area of their own, the rest from the heap; whatever grows or shrinks
 * between the two keeps what it holds. */
static void test_memory(void)
{
	static const size_t sizes[] = { 1, 7624, 12288, 12289, 16384, 16709, 21848, 24576, 24577, 100000 };
	void *many[100];
	tls_mem_begin(); /* of no effect on the library, which has begun long ago */
	for (size_t i = 0; i < COUNT(sizes); i++) {
		for (size_t j = 0; j < COUNT(sizes); j++) {
			size_t least = sizes[i] < sizes[j] ? sizes[i] : sizes[j];
			uint8_t *p = tls_mem_get(sizes[i], __FILE__, __LINE__);
			if (!check("got", p))
				return;
			for (size_t k = 0; k < sizes[i]; k++)
				p[k] = (uint8_t)(k * 7 + k / 251);
			p = tls_mem_resize(p, sizes[j], __FILE__, __LINE__);
			if (!check("of another size", p))
				return;
			size_t bad = 0;
			for (size_t k = 0; k < least; k++)
				bad += p[k] != (uint8_t)(k * 7 + k / 251);
			check_eq("holds what it held", bad, 0);
			memset(p, 0xee, sizes[j]);
			tls_mem_put(p, __FILE__, __LINE__);
		}
	}
	for (size_t i = 0; i < COUNT(many); i++) {
		many[i] = tls_mem_resize(NULL, 16384, __FILE__, __LINE__);
		if (check("one of many", many[i]))
			memset(many[i], (int)i, 16384);
	}
	for (size_t i = 0; i < COUNT(many); i++) {
		const uint8_t *p = many[i];
		check("its own", p && p[0] == i && p[16383] == i);
		tls_mem_put(many[i], __FILE__, __LINE__);
	}
	void *again = tls_mem_get(16384, __FILE__, __LINE__);
	check("the one used last is used first", again == many[COUNT(many) - 1]);
	check("to nothing", tls_mem_resize(again, 0, __FILE__, __LINE__) == NULL);
	tls_mem_put(NULL, __FILE__, __LINE__);
}

void suite_tls(void)
{
	static const struct unit_test tests[] = {
		{ "protocols", test_protocols }, { "contexts", test_contexts },
		{ "talk", test_talk },           { "names", test_names },
		{ "tickets", test_tickets },     { "damage", test_damage },
		{ "memory", test_memory },       { NULL, NULL },
	};
	unit_add("tls", tests);
}
