/* test_dns.c - names to addresses, against a small name server on the same loop. */
#include "unit.h"

#include "clock.h"
#include "nomem.h"

#include "core/deadline.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/str.h"
#include "net/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what the server knows */

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28 };
enum { RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };

static const struct row {
	const char *name;
	unsigned rcode, ttl, n4, n6; /* 192.0.2.1 and on, 2001:db8::1 and on */
	const char *alias;           /* of that name, with a time to live of its own */
	unsigned alias_ttl;
	bool only_tcp; /* "truncated", says the answer over UDP */
} zone[] = {
	{ "mixed.test", 0, 60, 3, 2, NULL, 0, false },
	{ "four.test", 0, 60, 3, 0, NULL, 0, false },
	{ "six.test", 0, 60, 0, 1, NULL, 0, false },
	{ "crowd.test", 0, 60, 15, 14, NULL, 0, false },
	{ "big.test", 0, 60, 2, 2, NULL, 0, true },
	{ "alias.test", 0, 60, 2, 0, "real.test", 60, false },
	{ "fleeting-alias.test", 0, 60, 2, 0, "real.test", 0, false },
	{ "fleeting.test", 0, 0, 1, 0, NULL, 0, false },
	{ "brief.test", 0, 5, 1, 0, NULL, 0, false },
	{ "empty.test", 0, 0, 0, 0, NULL, 0, false },
	{ "broken.test", RCODE_SERVFAIL, 0, 0, 0, NULL, 0, false },
	{ "refused.test", RCODE_REFUSED, 0, 0, 0, NULL, 0, false },
};

struct server {
	int udp, tcp, conn;
	struct ev_io on_udp, on_tcp, on_conn;
	uint16_t port;
	unsigned asked;
	bool silent;
	size_t cut; /* a datagram of only so many bytes goes before the whole one */
	uint8_t held[512];
	size_t held_len; /* the question that a silent server did not answer last */
	struct sockaddr_in held_from;
};

struct msg {
	uint8_t b[4096];
	size_t n;
};

static void put(struct msg *m, const void *p, size_t n)
{
	if (n > sizeof m->b - m->n)
		abort();
	memcpy(m->b + m->n, p, n);
	m->n += n;
}

static void put16(struct msg *m, unsigned v)
{
	put(m, (uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static void put_name(struct msg *m, const char *name)
{
	for (; *name; name += strcspn(name, "."), name += *name == '.') {
		uint8_t len = (uint8_t)strcspn(name, ".");
		put(m, &len, 1);
		put(m, name, len);
	}
	put(m, "", 1);
}

static void put_record(struct msg *m, const char *alias, unsigned type, unsigned ttl, const void *data, size_t n)
{
	if (alias)
		put_name(m, alias);
	else
		put16(m, 0xc00c); /* the name in the question */
	put16(m, type);
	put16(m, 1);
	put16(m, ttl >> 16);
	put16(m, ttl & 0xffff);
	put16(m, (unsigned)n);
	put(m, data, n);
}

/* The answer to a question. False when it is none. */
static bool answer(struct msg *m, const uint8_t *q, size_t n, bool over_tcp)
{
	char name[256] = "";
	size_t at = 12, len = 0;
	while (at < n && q[at]) {
		size_t label = q[at];
		if (at + 1 + label >= n || len + label + 2 > sizeof name)
			return false;
		if (len)
			name[len++] = '.';
		memcpy(name + len, q + at + 1, label);
		len += label;
		name[len] = 0;
		at += 1 + label;
	}
	if (at + 5 > n)
		return false;
	unsigned type = (unsigned)(q[at + 1] << 8 | q[at + 2]);
	at += 5;

	static const struct row nobody = { NULL, RCODE_NXDOMAIN, 0, 0, 0, NULL, 0, false };
	const struct row *r = &nobody;
	for (size_t i = 0; i < COUNT(zone); i++)
		if (str_eq_nocase(zone[i].name, name))
			r = &zone[i];
	unsigned count = type == TYPE_A ? r->n4 : type == TYPE_AAAA ? r->n6 : 0;
	bool is_cut = r->only_tcp && !over_tcp;
	m->n = 0;
	put(m, q, 2);
	put16(m, 0x8180 | (is_cut ? 0x200 : 0) | r->rcode);
	put16(m, 1);
	put16(m, is_cut ? 0 : count + (r->alias ? 1 : 0));
	put16(m, 0);
	put16(m, 0);
	put(m, q + 12, at - 12);
	if (is_cut)
		return true;
	if (r->alias) {
		struct msg to = { .n = 0 };
		put_name(&to, r->alias);
		put_record(m, NULL, TYPE_CNAME, r->alias_ttl, to.b, to.n);
	}
	for (unsigned i = 1; i <= count; i++) {
		uint8_t v4[4] = { 192, 0, 2, (uint8_t)i }, v6[16] = { 0x20, 1, 0x0d, 0xb8 };
		v6[15] = (uint8_t)i;
		put_record(m, r->alias, type, r->ttl, type == TYPE_A ? v4 : v6, type == TYPE_A ? 4 : 16);
	}
	return true;
}

static void reply(struct server *s, const uint8_t *q, size_t n, const struct sockaddr_in *to)
{
	struct msg m;
	if (!answer(&m, q, n, false))
		return;
	if (s->cut < m.n)
		sendto(s->udp, m.b, s->cut, 0, (const struct sockaddr *)to, sizeof *to);
	sendto(s->udp, m.b, m.n, 0, (const struct sockaddr *)to, sizeof *to);
}

static void on_udp(struct ev_loop *ev, struct ev_io *io, int events)
{
	(void)ev, (void)events;
	struct server *s = io->data;
	uint8_t q[512];
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	ssize_t n = recvfrom(s->udp, q, sizeof q, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
	if (n < 0)
		return;
	s->asked++;
	if (s->silent) {
		memcpy(s->held, q, (size_t)n);
		s->held_len = (size_t)n;
		s->held_from = from;
		return;
	}
	reply(s, q, (size_t)n, &from);
}

static void on_conn(struct ev_loop *ev, struct ev_io *io, int events)
{
	(void)events;
	struct server *s = io->data;
	uint8_t b[1024];
	ssize_t n = recv(s->conn, b, sizeof b, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		ev_io_stop(ev, io);
		close(s->conn);
		s->conn = -1;
		return;
	}
	/* Questions are short and local: they come whole, one or two at once. */
	for (size_t at = 0, left = (size_t)n; left > 2;) {
		size_t len = (size_t)(b[at] << 8 | b[at + 1]);
		struct msg m;
		if (len > left - 2 || !answer(&m, b + at + 2, len, true))
			return;
		s->asked++;
		uint8_t head[2] = { (uint8_t)(m.n >> 8), (uint8_t)m.n };
		(void)!send(s->conn, head, 2, MSG_NOSIGNAL | MSG_MORE);
		(void)!send(s->conn, m.b, m.n, MSG_NOSIGNAL);
		at += 2 + len;
		left -= 2 + len;
	}
}

static void on_tcp(struct ev_loop *ev, struct ev_io *io, int events)
{
	(void)events;
	struct server *s = io->data;
	int fd = accept(s->tcp, NULL, NULL);
	if (fd < 0)
		return;
	if (s->conn >= 0) {
		ev_io_stop(ev, &s->on_conn);
		close(s->conn);
	}
	s->conn = fd;
	ev_io_set(&s->on_conn, fd, EV_READ);
	ev_io_start(ev, &s->on_conn);
}

/* UDP and TCP on one port of the loopback. */
static void server_start(struct server *s)
{
	*s = (struct server){ .conn = -1, .cut = SIZE_MAX };
	for (int tries = 0;; tries++) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		socklen_t len = sizeof in;
		s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (s->udp < 0 || s->tcp < 0 || bind(s->udp, (struct sockaddr *)&in, len) < 0 ||
		    getsockname(s->udp, (struct sockaddr *)&in, &len) < 0 || tries > 20)
			abort();
		s->port = ntohs(in.sin_port);
		if (bind(s->tcp, (struct sockaddr *)&in, len) == 0 && listen(s->tcp, 8) == 0)
			break;
		close(s->udp);
		close(s->tcp);
	}
	ev_io_init(&s->on_udp, on_udp, s->udp, EV_READ);
	ev_io_init(&s->on_tcp, on_tcp, s->tcp, EV_READ);
	ev_io_init(&s->on_conn, on_conn, -1, EV_READ);
	s->on_udp.data = s->on_tcp.data = s->on_conn.data = s;
	ev_io_start(loop_ev(), &s->on_udp);
	ev_io_start(loop_ev(), &s->on_tcp);
}

static void server_stop(struct server *s)
{
	ev_io_stop(loop_ev(), &s->on_udp);
	ev_io_stop(loop_ev(), &s->on_tcp);
	ev_io_stop(loop_ev(), &s->on_conn);
	close(s->udp);
	close(s->tcp);
	if (s->conn >= 0)
		close(s->conn);
}

/* ---- a loop, a server, and a resolver that asks it */

static struct server server;
static char dir[64], conf[96];
static enum log_level level_before;

/* Written aside and moved into place, as a careful operator does it, so that it is another file each time. */
static void write_conf(void)
{
	char aside[128];
	snprintf(aside, sizeof aside, "%s.new", conf);
	FILE *f = fopen(aside, "w");
	if (!f)
		abort();
	fprintf(f, "nameserver 127.0.0.1\nsearch .\n");
	fclose(f);
	if (rename(aside, conf) < 0)
		abort();
}

static void use(const struct server *s)
{
	char text[64];
	snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)s->port);
	check("dns_use_server", dns_use_server(text));
}

static void begin(void)
{
	struct fault f;
	level_before = log_level;
	log_level = LOG_LV_ERROR;
	strcpy(dir, "/tmp/sluice-dns-XXXXXX");
	if (!mkdtemp(dir) || !loop_init(&f))
		abort();
	deadlines_init();
	snprintf(conf, sizeof conf, "%s/resolv.conf", dir);
	server_start(&server);
	write_conf();
	use(&server);
	check("dns_use_resolv_conf", dns_use_resolv_conf(conf));
	check("dns_init", dns_init(&f));
	dns_configure(15000, 15000);
}

static void end(void)
{
	dns_free();
	server_stop(&server);
	check_eq("no deadline stays armed", deadlines_armed(), 0);
	deadlines_free();
	loop_free();
	log_level = level_before;
	unlink(conf);
	rmdir(dir);
	dns_use_resolv_conf("");
	dns_use_server("");
}

/* What a query was answered. */
struct got {
	unsigned calls;
	size_t n;
	struct addr addrs[DNS_MAX_ADDRS];
	struct fault f;
};

static void on_got(void *arg, const struct addr *addrs, size_t n, const struct fault *f)
{
	struct got *g = arg;
	g->calls++;
	g->n = n;
	g->f.kind = FAULT_NONE;
	memcpy(g->addrs, addrs, n * sizeof *addrs);
	if (f)
		g->f = *f;
}

static void on_alarm(struct ev_loop *ev, ev_timer *w, int events)
{
	(void)ev, (void)events;
	*(bool *)w->data = true;
}

/* Turns until so many are answered; false when that took absurdly long, which no good run comes near. */
static bool await(const struct got *g, unsigned calls)
{
	bool too_long = false;
	ev_timer alarm_timer;
	ev_timer_init(&alarm_timer, on_alarm, 20., 0.);
	alarm_timer.data = &too_long;
	ev_now_update(loop_ev());
	ev_timer_start(loop_ev(), &alarm_timer);
	for (bool block = false; g->calls < calls && !too_long; block = true)
		loop_turn(block); /* what is put off already runs before a wait, and must not be waited behind */
	ev_timer_stop(loop_ev(), &alarm_timer);
	return g->calls == calls;
}

/* Resolves and waits. */
static struct got resolve(const char *name)
{
	struct got g = { .calls = 0 };
	struct dns_query *q = dns_resolve(name, 5432, on_got, &g);
	check(name, q != NULL);
	check_eq("never inside dns_resolve()", g.calls, 0);
	check(name, await(&g, 1));
	return g;
}

static void pass(uint64_t ms)
{
	clock_skip(ms);
	loop_turn(false);
	loop_turn(false);
}

/* Has the server been asked so often? What is on its way on the loopback is there already. */
static bool is_asked(const struct server *s, unsigned times)
{
	for (int i = 0; i < 100 && s->asked < times; i++)
		loop_turn(false);
	return s->asked >= times;
}

static size_t kept(void)
{
	size_t names, pending;
	dns_usage(&names, &pending);
	return names;
}

static size_t pending(void)
{
	size_t names, n;
	dns_usage(&names, &n);
	return n;
}

static bool has(const struct got *g, const char *text)
{
	struct addr a;
	if (!addr_parse(&a, text, 5432))
		return false;
	for (size_t i = 0; i < g->n; i++)
		if (addr_same(&g->addrs[i], &a))
			return true;
	return false;
}

/* What is shown of a name: "ttl addresses", and whether the walk meets each name once. */
static const char *shown(const char *name, char *out, size_t cap)
{
	struct dns_walk w = { NULL, 0 };
	struct dns_host h;
	size_t met = 0, all = 0;
	while (dns_next(&w, &h)) {
		all++;
		met += strcmp(h.name, name) == 0;
	}
	check_eq("names", all, kept());
	check_eq(name, met, dns_peek(name, &h));
	if (met)
		str_fmt(out, cap, "%llu %zu", (unsigned long long)(h.ttl_ms + 999) / 1000, h.n);
	return met ? out : "none";
}

/* ---- the tests */

static void test_shown(void)
{
	char out[80];
	begin();
	check_str("not asked yet", shown("four.test", out, sizeof out), "none");
	struct got g = { .n = 0 };
	struct dns_query *q = dns_resolve("brief.test", 5432, on_got, &g);
	check("a query", q != NULL);
	check_str("being looked up", shown("brief.test", out, sizeof out), "0 0");
	dns_cancel(q);
	(void)resolve("four.test");
	(void)resolve("none.test");
	check_str("three addresses", shown("four.test", out, sizeof out), "15 3");
	check_str("a failure is kept", shown("none.test", out, sizeof out), "15 0");
	pass(4000);
	check_str("for a while", shown("four.test", out, sizeof out), "11 3");
	end();
}

static void test_answers(void)
{
	static const struct {
		const char *name;
		size_t n;
		const char *has[5];
		enum fault_kind fault;
		bool asks;
	} cases[] = {
		{ "10.0.0.7", 1, { "10.0.0.7" }, FAULT_NONE, false },
		{ "fe80::1%2", 1, { "fe80::1%2" }, FAULT_NONE, false },
		{ "mixed.test",
		  5,
		  { "192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2" },
		  FAULT_NONE,
		  true },
		{ "four.test", 3, { "192.0.2.1", "192.0.2.2", "192.0.2.3" }, FAULT_NONE, true },
		{ "six.test", 1, { "2001:db8::1" }, FAULT_NONE, true },
		{ "crowd.test", DNS_MAX_ADDRS, { NULL }, FAULT_NONE, true },
		{ "big.test", 4, { "192.0.2.2", "2001:db8::2" }, FAULT_NONE, true },
		{ "alias.test", 2, { "192.0.2.1", "192.0.2.2" }, FAULT_NONE, true },
		{ "none.test", 0, { NULL }, FAULT_CONNECT, true },
		{ "empty.test", 0, { NULL }, FAULT_CONNECT, true },
		{ "broken.test", 0, { NULL }, FAULT_CONNECT, true },
		{ "refused.test", 0, { NULL }, FAULT_CONNECT, true },
		{ "a..test", 0, { NULL }, FAULT_CONNECT, false },
		{ "label-of-more-than-sixty-three-bytes-which-no-name-may-have-in-the-dns.test",
		  0,
		  { NULL },
		  FAULT_CONNECT,
		  false },
	};
	begin();
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned asked = server.asked;
		struct got g = resolve(cases[i].name);
		check_eq(cases[i].name, g.n, cases[i].n);
		check_eq(cases[i].name, g.f.kind, cases[i].fault);
		check_eq(cases[i].name, server.asked > asked, cases[i].asks);
		for (size_t k = 0; k < COUNT(cases[i].has) && cases[i].has[k]; k++)
			check(cases[i].has[k], has(&g, cases[i].has[k]));
		if (cases[i].fault)
			check(cases[i].name, strstr(g.f.text, cases[i].name));
	}
	struct got g = resolve("four.test");
	char text[ADDR_TEXT_MAX];
	addr_text(&g.addrs[2], text);
	check_str("in the resolver's order, with the port", text, "192.0.2.3:5432");
	check_eq("none pending", pending(), 0);
	end();
}

static void test_hosts_file(void)
{
	begin();
	struct got g = resolve("localhost");
	check("from /etc/hosts", has(&g, "127.0.0.1") || has(&g, "::1"));
	check_eq("nobody was asked", server.asked, 0);
	g = resolve("");
	check_eq("no name at all", g.f.kind, FAULT_CONNECT);
	end();
}

static void test_cache(void)
{
	static const struct {
		const char *what, *name;
		uint64_t max_ttl_ms, nxdomain_ttl_ms;
		uint64_t keeps_ms; /* 0: not at all */
	} cases[] = {
		{ "as long as the record says", "brief.test", 15000, 0, 5000 },
		{ "as long as the setting says", "four.test", 15000, 0, 15000 },
		{ "a record of no time", "fleeting.test", 15000, 15000, 0 },
		{ "an alias of no time", "fleeting-alias.test", 15000, 15000, 0 },
		{ "an alias", "alias.test", 100000, 0, 60000 },
		{ "a setting of no time", "four.test", 0, 15000, 0 },
		{ "no such name", "none.test", 0, 7000, 7000 },
		{ "a failing server", "broken.test", 0, 7000, 7000 },
		{ "no such name, setting of no time", "none.test", 15000, 0, 0 },
	};
	begin();
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		dns_configure(cases[i].max_ttl_ms, cases[i].nxdomain_ttl_ms);
		struct got first = resolve(cases[i].name);
		unsigned asked = server.asked;
		check_eq(what, kept(), cases[i].keeps_ms ? 1 : 0);
		if (cases[i].keeps_ms)
			pass(cases[i].keeps_ms - 100);
		struct got second = resolve(cases[i].name);
		check_eq(what, server.asked == asked, cases[i].keeps_ms != 0);
		check_eq(what, second.n, first.n);
		check_mem(what, second.addrs, first.addrs, first.n * sizeof first.addrs[0]);
		check_str(what, second.f.kind ? second.f.text : "", first.f.kind ? first.f.text : "");
		pass(200);
		check_eq(what, kept(), 0);
		asked = server.asked;
		resolve(cases[i].name);
		check(what, server.asked > asked);
		pass(100000);
		check_eq(what, kept(), 0);
	}
	end();
}

static void test_one_lookup_for_all(void)
{
	begin();
	struct got g[3] = { { .calls = 0 } };
	for (unsigned i = 0; i < COUNT(g); i++)
		check("asks", dns_resolve("four.test", (uint16_t)(1000 + i), on_got, &g[i]));
	check_eq("three wait", pending(), 3);
	for (unsigned i = 0; i < COUNT(g); i++) {
		check("answered", await(&g[i], 1));
		check_eq("addresses", g[i].n, 3);
		check_eq("its own port", g[i].addrs[0].port, 1000 + i);
	}
	check_eq("one question for each type", server.asked, 2);
	end();
}

static void test_cancel(void)
{
	begin();
	struct got g[3] = { { .calls = 0 } };
	dns_cancel(NULL);
	/* while the lookup runs: it goes on, and who asks later shares it */
	dns_cancel(dns_resolve("four.test", 1, on_got, &g[0]));
	check_eq("none pending", pending(), 0);
	dns_resolve("four.test", 1, on_got, &g[1]);
	check("the other is answered", await(&g[1], 1));
	check_eq("not the cancelled", g[0].calls, 0);
	check_eq("one question for each type", server.asked, 2);
	/* when the answer is at hand, but not given yet */
	dns_cancel(dns_resolve("four.test", 1, on_got, &g[0]));
	dns_cancel(dns_resolve("10.0.0.7", 1, on_got, &g[0]));
	loop_turn(false);
	loop_turn(false);
	check_eq("not the cancelled", g[0].calls, 0);
	check_eq("none pending", pending(), 0);
	end();
}

struct meddler {
	struct got got;
	struct dns_query *other;
	struct got *again;
};

static void on_meddle(void *arg, const struct addr *addrs, size_t n, const struct fault *f)
{
	struct meddler *m = arg;
	on_got(&m->got, addrs, n, f);
	dns_cancel(m->other);
	if (m->again)
		dns_resolve("four.test", 7, on_got, m->again);
}

static void test_callback_meddles(void)
{
	begin();
	dns_configure(0, 0); /* so that nothing but queries holds the name */
	struct got other = { .calls = 0 }, again = { .calls = 0 };
	struct meddler m = { .again = &again };
	dns_resolve("four.test", 1, on_meddle, &m);
	m.other = dns_resolve("four.test", 1, on_got, &other);
	check("answered", await(&m.got, 1));
	check("asked again from the callback", await(&again, 1));
	check_eq("answered again", again.n, 3);
	check_eq("the other was cancelled", other.calls, 0);
	end();
}

static void on_got_end(void *arg, const struct addr *addrs, size_t n, const struct fault *f)
{
	on_got(arg, addrs, n, f);
	dns_free();
}

static void test_free(void)
{
	begin();
	struct got g[4] = { { .calls = 0 } };
	server.silent = true;
	dns_resolve("four.test", 1, on_got, &g[0]);
	dns_resolve("mixed.test", 1, on_got, &g[1]);
	dns_resolve("10.0.0.7", 1, on_got, &g[2]);
	loop_turn(false); /* answers the last */
	check_eq("answered", g[2].calls, 1);
	dns_resolve("10.0.0.7", 1, on_got_end, &g[2]);
	dns_resolve("10.0.0.8", 1, on_got, &g[3]);
	loop_turn(false);
	check_eq("answered", g[2].calls, 2);
	check_eq("none of the others", g[0].calls + g[1].calls + g[3].calls, 0);
	check_eq("none pending", pending() + kept(), 0);
	struct fault f;
	check("and begin again", dns_init(&f));
	server.silent = false;
	check_eq("works", resolve("four.test").n, 3);
	end();
}

static void test_silence(void)
{
	begin();
	struct got g = { .calls = 0 };
	server.silent = true;
	dns_configure(15000, 0);
	dns_resolve("four.test", 5432, on_got, &g);
	check("asked", is_asked(&server, 2));
	pass(2100);
	check("asked again", is_asked(&server, 4));
	pass(8900);
	check_eq("still waiting", g.calls, 0);
	pass(2000);
	check_eq("given up", g.calls, 1);
	check_eq("a fault", g.f.kind, FAULT_CONNECT);
	check("that says so", strstr(g.f.text, "four.test") && strstr(g.f.text, "Timeout"));
	check_eq("not kept", kept(), 0);
	/* The answer comes after all, to nobody; who asks now asks anew. */
	reply(&server, server.held, server.held_len, &server.held_from);
	server.silent = false;
	unsigned asked = server.asked;
	g = resolve("four.test");
	check_eq("answered", g.n, 3);
	check("asked anew", server.asked > asked);
	end();
}

static void test_nobody_there(void)
{
	begin();
	server_stop(&server);
	dns_configure(15000, 0);
	struct got g = { .calls = 0 };
	dns_resolve("four.test", 5432, on_got, &g);
	for (unsigned s = 0; s < 13 && !g.calls; s++) /* c-ares tries again; a port may be closed for a moment only */
		pass(1000);
	check_eq("answered", g.calls, 1);
	check_eq("a fault", g.f.kind, FAULT_CONNECT);
	check("that says whom", strstr(g.f.text, "four.test"));
	check_eq("none pending", pending(), 0);
	server_start(&server);
	end();
}

static void test_resolv_conf_changes(void)
{
	begin();
	struct server other;
	server_start(&other);
	server.silent = true;
	struct got g = { .calls = 0 };
	dns_resolve("four.test", 5432, on_got, &g);
	check("asked", is_asked(&server, 2));
	use(&other);
	check_eq("the new server is asked", resolve("mixed.test").n, 5);
	check("what waited for the old one too", await(&g, 1));
	check_eq("and answered", g.n, 3);
	unsigned asked = other.asked;
	check_eq("what is kept stays", resolve("four.test").n, 3);
	check_eq("kept", other.asked, asked);

	/* the file itself: what is under way is asked anew once it is another */
	other.silent = true;
	g = (struct got){ .calls = 0 };
	dns_resolve("six.test", 5432, on_got, &g);
	check("asked", is_asked(&other, asked + 2));
	other.silent = false;
	check_eq("the same file is not read again", resolve("crowd.test").n, DNS_MAX_ADDRS);
	check_eq("nor is anything asked again", g.calls, 0);
	write_conf();
	check_eq("another file", resolve("alias.test").n, 2);
	check("is read, and all goes on", await(&g, 1));
	check_eq("as it should", g.n, 1);
	unlink(conf);
	check_eq("no file is fine", resolve("brief.test").n, 1);
	server_stop(&other);

	char *long_path = malloc(5000);
	memset(long_path, 'x', 4999);
	long_path[4999] = 0;
	check("too long a server", !dns_use_server(long_path));
	check("too long a path", !dns_use_resolv_conf(long_path));
	free(long_path);
	end();
}

static void test_cut_answers(void)
{
	static const char *const names[] = { "mixed.test", "alias.test", "none.test" };
	begin();
	dns_configure(0, 0);
	for (size_t i = 0; i < COUNT(names); i++) {
		struct got whole = resolve(names[i]);
		for (size_t cut = 0; cut < 160; cut++) {
			server.cut = cut;
			struct got g = resolve(names[i]);
			check(names[i], g.n ? g.f.kind == FAULT_NONE : g.f.kind == FAULT_CONNECT);
			check(names[i], g.n <= whole.n);
			for (size_t k = 0; k < g.n; k++) {
				char text[ADDR_TEXT_MAX];
				addr_host_text(&g.addrs[k], text);
				check(text, has(&whole, text));
			}
		}
		server.cut = SIZE_MAX;
		check_eq("and whole again", resolve(names[i]).n, whole.n);
	}
	check_eq("none pending", pending() + kept(), 0);
	end();
}

static void test_no_memory(void)
{
	unsigned refused = 0, failed = 0;
	bool hit = nomem_works();
	for (unsigned n = 1; hit; n++) {
		begin();
		struct got g = { .calls = 0 };
		nomem_at(n);
		struct dns_query *q = dns_resolve("mixed.test", 5432, on_got, &g);
		for (int i = 0; q && !g.calls && i < 200; i++)
			loop_turn(!nomem_hit());
		hit = nomem_hit();
		nomem_at(0);
		/* A failed allocation may mean that c-ares is not heard; then the bound ends it. */
		if (q && !g.calls)
			pass(13000);
		check_eq("answered, or not begun", g.calls, q ? 1 : 0);
		check("without trouble it works", hit || g.n == 5);
		refused += !q;
		failed += q && g.n == 0;
		end();
	}
	check("memory was short in different places", refused >= 2 && failed >= 1);
}

void suite_dns(void)
{
	static const struct unit_test tests[] = {
		{ "answers", test_answers },
		{ "what is shown of them", test_shown },
		{ "hosts file", test_hosts_file },
		{ "cache", test_cache },
		{ "one lookup for all", test_one_lookup_for_all },
		{ "cancel", test_cancel },
		{ "callback meddles", test_callback_meddles },
		{ "free", test_free },
		{ "silence", test_silence },
		{ "nobody there", test_nobody_there },
		{ "resolv.conf changes", test_resolv_conf_changes },
		{ "cut answers", test_cut_answers },
		{ "no memory", test_no_memory },
		{ NULL, NULL },
	};
	unit_add("dns", tests);
}
