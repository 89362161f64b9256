/* test_courier.c - cancel requests on their way: which of several addresses gets them. */
#include "nomem.h"
#include "unit.h"

#include "core/deadline.h"
#include "core/loop.h"
#include "pool/courier.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
	int calls;
	enum courier_end how;
	bool was_fault;
} over;

static void done(struct courier *c, enum courier_end how, const struct fault *why)
{
	(void)c;
	over.calls++;
	over.how = how;
	over.was_fault = why != NULL;
}

/* Bound to a port of its own; nobody can connect unless it listens. */
static int bound(bool listens, struct addr *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof in;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	check("bound", fd >= 0 && bind(fd, (struct sockaddr *)&in, sizeof in) == 0 &&
			       getsockname(fd, (struct sockaddr *)&in, &len) == 0);
	check("listens", !listens || listen(fd, 4) == 0);
	check("an address", addr_parse(a, "127.0.0.1", ntohs(in.sin_port)));
	return fd;
}

static void test_addresses(void)
{
	static const struct {
		const char *what;
		bool up[3];
		uint32_t first;
		int taken_by; /* -1: nobody */
	} cases[] = {
		{ "the first", { true, true, true }, 0, 0 },
		{ "where it is to begin", { true, true, true }, 2, 2 },
		{ "the next one", { false, true, true }, 0, 1 },
		{ "the last one", { false, false, true }, 0, 2 },
		{ "round the end", { true, false, false }, 1, 0 },
		{ "from any number on", { false, true, false }, UINT32_MAX, 1 },
		{ "none", { false, false, false }, 1, -1 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct addr addrs[3];
		struct courier c = { .done = done };
		struct fault f;
		int fds[3];
		char got[8] = "";
		memset(&over, 0, sizeof over);
		if (!check("loop", loop_init(&f)))
			return;
		deadlines_init();
		for (int k = 0; k < 3; k++)
			fds[k] = bound(cases[i].up[k], &addrs[k]);
		const struct courier_to to = { .addrs = addrs, .naddrs = 3, .first = cases[i].first };
		bool started = courier_start(&c, &to, (const uint8_t *)"cancel", 6, 10000, &f);
		while (started && cases[i].taken_by < 0 && !over.calls)
			loop_turn(true);
		if (started && cases[i].taken_by >= 0) {
			while (!c.sent && !over.calls)
				loop_turn(true);
			loop_turn(false);
			int taken = over.calls ? -1 : accept(fds[cases[i].taken_by], NULL, NULL);
			check_eq(cases[i].what, taken < 0 ? 0 : read(taken, got, sizeof got), 6);
			close(taken);
			while (!over.calls)
				loop_turn(true);
			check_eq(cases[i].what, over.how, COURIER_THROUGH);
		} else if (started) {
			check_eq(cases[i].what, over.how, COURIER_NOT_SENT);
			check(cases[i].what, over.was_fault);
		}
		check_eq(cases[i].what, over.calls, started);
		check(cases[i].what, started || cases[i].taken_by < 0);
		courier_stop(&c);
		for (int k = 0; k < 3; k++)
			close(fds[k]);
		deadlines_free();
		loop_free();
	}
}

static bool setup(void)
{
	struct fault f;
	memset(&over, 0, sizeof over);
	if (!check("loop", loop_init(&f)))
		return false;
	deadlines_init();
	return true;
}

static void teardown(void)
{
	deadlines_free();
	loop_free();
}

/* Connects until nobody is taken any more: who tries then hears nothing. */
static int fill(const struct addr *a, int fds[], int most)
{
	struct sockaddr_storage to;
	socklen_t len = addr_to_sockaddr(a, &to);
	int n = 0;
	for (; n < most; n++) {
		struct pollfd p = { .events = POLLOUT };
		p.fd = fds[n] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(fds[n], (struct sockaddr *)&to, len) != 0 && poll(&p, 1, 50) == 0)
			return n + 1;
	}
	return n;
}

/* One that is silent does not use up the time of those behind it. */
static void test_silent(void)
{
	struct addr addrs[2];
	int fds[2] = { bound(true, &addrs[0]), bound(true, &addrs[1]) }, filling[16];
	struct courier c = { .done = done };
	struct fault f;
	char got[8] = "";
	if (!setup())
		return;
	int n = fill(&addrs[0], filling, 16);
	const struct courier_to to = { .addrs = addrs, .naddrs = 2 };
	check("started", courier_start(&c, &to, (const uint8_t *)"cancel", 6, 400, &f));
	while (!c.sent && !over.calls)
		loop_turn(true);
	loop_turn(false);
	if (check("sent", c.sent && !over.calls)) {
		int taken = accept(fds[1], NULL, NULL);
		check_eq("by the second", taken < 0 ? 0 : read(taken, got, sizeof got), 6);
		close(taken);
		while (!over.calls)
			loop_turn(true);
		check_eq("through", over.how, COURIER_THROUGH);
	}
	courier_stop(&c);
	teardown();
	while (n-- > 0)
		close(filling[n]);
	close(fds[0]);
	close(fds[1]);
}

static void test_no_memory(void)
{
	struct addr a;
	struct fault f;
	int fd = bound(true, &a);
	const struct courier_to to = { .addrs = &a, .naddrs = 1 };
	if (!setup())
		return;
	for (unsigned n = 0; nomem_next(&n);) {
		struct courier c = { .done = done };
		bool ok = courier_start(&c, &to, (const uint8_t *)"cancel", 6, 10000, &f);
		bool hit = nomem_hit();
		check("it is on its way, or says why", ok || (hit && f.kind == FAULT_NOMEM));
		check("what is open stays so", fcntl(0, F_GETFD) >= 0 && fcntl(fd, F_GETFD) >= 0);
		courier_stop(&c);
	}
	check_eq("nobody was told", over.calls, 0);
	teardown();
	close(fd);
}

void suite_courier(void)
{
	static const struct unit_test tests[] = {
		{ "of several addresses", test_addresses },
		{ "one that is silent", test_silent },
		{ "out of memory", test_no_memory },
		{ NULL, NULL },
	};
	unit_add("pool/courier", tests);
}
