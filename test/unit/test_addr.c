/* test_addr.c - peer addresses and their text. */
#include "unit.h"

#include "net/addr.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static void test_text(void)
{
	static const struct {
		const char *in, *host, *whole; /* host NULL: not an address */
		uint8_t family;
	} cases[] = {
		{ "10.0.0.7", "10.0.0.7", "10.0.0.7:5432", ADDR_IPV4 },
		{ "255.255.255.255", "255.255.255.255", "255.255.255.255:5432", ADDR_IPV4 },
		{ "1.20.103.0", "1.20.103.0", "1.20.103.0:5432", ADDR_IPV4 },
		{ "99.100.109.9", "99.100.109.9", "99.100.109.9:5432", ADDR_IPV4 },
		{ "::1", "::1", "[::1]:5432", ADDR_IPV6 },
		{ "::", "::", "[::]:5432", ADDR_IPV6 },
		{ "2001:DB8:0:0::7", "2001:db8::7", "[2001:db8::7]:5432", ADDR_IPV6 },
		{ "fe80::1%2", "fe80::1%2", "[fe80::1%2]:5432", ADDR_IPV6 },
		{ "fe80::1%4294967295", "fe80::1%4294967295", "[fe80::1%4294967295]:5432", ADDR_IPV6 },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:5432", ADDR_IPV6 },
		{ "fe80::1%lo", "fe80::1%1", "[fe80::1%1]:5432", ADDR_IPV6 }, /* lo is 1 in every network namespace */
		{ "::ffff:10.0.0.7", "::ffff:10.0.0.7", "[::ffff:10.0.0.7]:5432", ADDR_IPV6 },
		{ "", NULL, NULL, 0 },
		{ "10.0.0", NULL, NULL, 0 },
		{ "10.0.0.256", NULL, NULL, 0 },
		{ "10.0.0.7 ", NULL, NULL, 0 },
		{ "0x7f.1", NULL, NULL, 0 },
		{ "10.0.0.7%1", NULL, NULL, 0 },
		{ "[::1]", NULL, NULL, 0 },
		{ "::1%", NULL, NULL, 0 },
		{ "::1%0", NULL, NULL, 0 },
		{ "::1%4294967296", NULL, NULL, 0 },
		{ "::1%no-such-interface", NULL, NULL, 0 },
		{ "%1", NULL, NULL, 0 },
		{ "1:2:3:4:5:6:7:8:9", NULL, NULL, 0 },
		{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL, NULL, 0 },
		{ "localhost", NULL, NULL, 0 },
		{ "/tmp", NULL, NULL, 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *in = (char *)copy_exact(cases[i].in, strlen(cases[i].in) + 1);
		struct addr a = { .port = 77 };
		bool ok = addr_parse(&a, in, 5432);
		check_eq(cases[i].in, ok, cases[i].host != NULL);
		if (ok && cases[i].host) {
			char text[ADDR_TEXT_MAX];
			check_eq(cases[i].in, a.family, cases[i].family);
			addr_host_text(&a, text);
			check_str(cases[i].in, text, cases[i].host);
			addr_text(&a, text);
			check_str(cases[i].in, text, cases[i].whole);
		} else {
			check_eq("untouched on failure", a.port, 77);
		}
		free(in);
	}
}

static void test_longest_text(void)
{
	char text[ADDR_TEXT_MAX];
	struct addr a = { .scope = UINT32_MAX, .port = 65535, .family = ADDR_IPV6 };
	memset(a.ip, 0xff, sizeof a.ip);
	addr_text(&a, text);
	check_str("whole", text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
	a.family = ADDR_UNIX;
	addr_text(&a, text);
	check_str("unix", text, "unix:65535");
	addr_host_text(&a, text);
	check_str("unix", text, "unix");
	a.family = ADDR_NONE;
	addr_host_text(&a, text);
	check_str("none", text, "?");
}

static void test_sockaddr(void)
{
	static const char *const texts[] = { "10.0.0.7", "::1", "fe80::1%2" };
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct addr a, b;
		struct sockaddr_storage ss;
		check(texts[i], addr_parse(&a, texts[i], 5432));
		socklen_t len = addr_to_sockaddr(&a, &ss);
		check(texts[i], len > 0);
		struct sockaddr *copy = (struct sockaddr *)(void *)copy_exact(&ss, len);
		addr_from_sockaddr(&b, copy, len);
		check(texts[i], addr_same(&a, &b));
		free(copy);
		for (socklen_t cut = 0; cut < len; cut++) {
			copy = (struct sockaddr *)(void *)copy_exact(&ss, cut);
			addr_from_sockaddr(&b, copy, cut);
			check_eq("a cut sockaddr is none", b.family, ADDR_NONE);
			free(copy);
		}
	}
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(258) };
	struct addr a;
	addr_from_sockaddr(&a, (struct sockaddr *)&in, sizeof in);
	check_eq("host order", a.port, 258);
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	addr_from_sockaddr(&a, (struct sockaddr *)&un, sizeof un.sun_family);
	check_eq("unix, unnamed", a.family, ADDR_UNIX);
	struct sockaddr_storage ss;
	check_eq("unix has no sockaddr", addr_to_sockaddr(&a, &ss), 0);
}

static void test_same(void)
{
	static const struct {
		const char *a, *b;
		uint16_t port;
		bool same;
	} cases[] = {
		{ "10.0.0.7", "10.0.0.7", 5432, true },  { "10.0.0.7", "10.0.0.7", 5433, false },
		{ "10.0.0.7", "10.0.0.8", 5432, false }, { "::1", "0:0::1", 5432, true },
		{ "::1", "::2", 5432, false },           { "fe80::1%1", "fe80::1%2", 5432, false },
		{ "10.0.0.7", "a00:7::", 5432, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr a, b;
		check(cases[i].a, addr_parse(&a, cases[i].a, 5432) && addr_parse(&b, cases[i].b, cases[i].port));
		check_eq(cases[i].b, addr_same(&a, &b), cases[i].same);
	}
	/* what lies behind the four bytes of an IPv4 address is nobody's */
	struct addr a = { .ip = { 1, 2, 3, 4, 5 }, .family = ADDR_IPV4 };
	struct addr b = { .ip = { 1, 2, 3, 4, 6 }, .scope = 7, .family = ADDR_IPV4 };
	check("only its own bytes", addr_same(&a, &b));
}

void suite_addr(void)
{
	static const struct unit_test tests[] = {
		{ "text", test_text },
		{ "longest text", test_longest_text },
		{ "sockaddr", test_sockaddr },
		{ "same", test_same },
		{ NULL, NULL },
	};
	unit_add("addr", tests);
}
