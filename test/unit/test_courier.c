/* test_courier.c - cancel requests on their way: which of several addresses gets them. */
#include "unit.h"

#include "core/deadline.h"
#include "core/loop.h"
#include "pool/courier.h"

#include <arpa/inet.h>
#include <netinet/in.h>
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

void suite_courier(void)
{
	static const struct unit_test tests[] = {
		{ "of several addresses", test_addresses },
		{ NULL, NULL },
	};
	unit_add("pool/courier", tests);
}
