/* test_stream.c - streams over socket pairs: what is kept, what is held, what leaves together. */
#include "unit.h"

#include "core/deadline.h"
#include "core/loop.h"
#include "net/stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One end is a stream, the other a plain descriptor that the test reads and writes. */
static struct end {
	struct stream st;
	int peer;
	size_t take; /* bytes that the next callback consumes; SIZE_MAX: all */
	size_t calls, ends, stalls, drains;
	size_t shown; /* what the last callback saw */
	char last[128];
	bool was_fault;
	struct stream *copy_to;
	bool close_in_callback;
} e;

static void on_bytes(struct stream *st, struct rd *in)
{
	size_t n = rd_left(in) < e.take ? rd_left(in) : e.take;
	e.calls++;
	e.shown = rd_left(in);
	memset(e.last, 0, sizeof e.last);
	memcpy(e.last, in->p, e.shown < sizeof e.last - 1 ? e.shown : sizeof e.last - 1);
	const uint8_t *at = rd_take(in, n);
	if (e.copy_to)
		stream_put_span(e.copy_to, at, n);
	if (e.close_in_callback)
		stream_close(st, false);
}

static void on_end(struct stream *st, const struct fault *why)
{
	e.ends++;
	e.was_fault = why != NULL;
	stream_close(st, false);
}

static void on_stall(struct stream *st, bool stalled)
{
	(void)st;
	if (stalled)
		e.stalls++;
	else
		e.drains++;
}

static const struct stream_ops ops = { .on_bytes = on_bytes, .on_end = on_end, .on_stall = on_stall };

static bool open_pair(void)
{
	struct fault f;
	int fds[2];
	memset(&e, 0, sizeof e);
	e.take = SIZE_MAX;
	if (!check("loop", loop_init(&f)) ||
	    !check("pair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0))
		return false;
	deadlines_init();
	e.peer = fds[1];
	stream_open(&e.st, fds[0], &ops);
	return true;
}

static void close_pair(void)
{
	stream_close(&e.st, false);
	close(e.peer);
	size_t lent, kept;
	buf_usage(&lent, &kept);
	check_eq("no buffer is lent any more", lent, 0);
	buf_trim();
	deadlines_free();
	loop_free();
}

static void say(const char *s, size_t n)
{
	check_eq("written", write(e.peer, s, n), n);
	loop_turn(false);
}

static void test_kept(void)
{
	if (!open_pair())
		return;
	size_t lent, kept;
	e.take = 0;
	say("abc", 3);
	check_str("shown", e.last, "abc");
	check_eq("kept", stream_kept(&e.st), 3);
	e.take = 4;
	say("def", 3);
	check_str("what was left is shown with more behind it", e.last, "abcdef");
	check_eq("the rest is kept", stream_kept(&e.st), 2);
	e.take = SIZE_MAX;
	stream_redeliver(&e.st);
	check_str("shown again", e.last, "ef");
	check_eq("nothing is kept", stream_kept(&e.st), 0);
	buf_usage(&lent, &kept);
	check_eq("an idle stream holds no buffer", lent, 0);
	size_t calls = e.calls;
	stream_redeliver(&e.st);
	check_eq("nothing kept, nothing shown", e.calls, calls);
	close_pair();
}

static void test_unread(void)
{
	static char much[STREAM_KEEP_MAX];
	if (!open_pair())
		return;
	e.take = 3;
	say("abcde", 5);
	check_eq("kept", stream_kept(&e.st), 2);
	check("put back", stream_unread(&e.st, "bc", 2) && stream_unread(&e.st, "a", 1));
	e.take = 0;
	stream_redeliver(&e.st);
	check_str("in front of what was kept", e.last, "abcde");
	check("put back", stream_unread(&e.st, much, sizeof much) && e.st.holds & HOLD_FULL);
	e.take = SIZE_MAX;
	stream_redeliver(&e.st);
	check_eq("all of it", e.shown, sizeof much + 5);
	check("and reading goes on", !(e.st.holds & HOLD_FULL));
	check("where nothing was kept", stream_unread(&e.st, "x", 1));
	say("y", 1);
	check_str("shown with what comes", e.last, "xy");
	close_pair();
}

/* A peer that trickles a long message costs no copy of all of it each time, and stops being read at the bound. */
static void test_bound(void)
{
	char part[1000];
	size_t sent = 0;
	if (!open_pair())
		return;
	e.take = 0;
	memset(part, 'x', sizeof part);
	for (int i = 0; i < 1000; i++) {
		ssize_t n = write(e.peer, part, sizeof part);
		if (n > 0)
			sent += (size_t)n;
		loop_turn(false);
	}
	check("reading stopped", e.st.holds & HOLD_FULL);
	check("at the bound", stream_kept(&e.st) >= STREAM_KEEP_MAX && stream_kept(&e.st) < 2 * STREAM_KEEP_MAX + 4096);
	check("all that was kept was shown", e.shown == stream_kept(&e.st));
	e.take = SIZE_MAX;
	stream_redeliver(&e.st);
	check("reading goes on", !(e.st.holds & HOLD_FULL));
	size_t got = e.shown;
	for (int i = 0; i < 1000 && got < sent; i++) {
		size_t calls = e.calls;
		loop_turn(false);
		if (e.calls > calls)
			got += e.shown;
	}
	check_eq("nothing was lost", got, sent);
	close_pair();
}

static void test_hold(void)
{
	if (!open_pair())
		return;
	stream_hold(&e.st, HOLD_PEER);
	stream_hold(&e.st, HOLD_OWNER);
	say("abc", 3);
	check_eq("held", e.calls, 0);
	stream_unhold(&e.st, HOLD_PEER);
	loop_turn(false);
	check_eq("one reason is left", e.calls, 0);
	stream_unhold(&e.st, HOLD_OWNER);
	loop_turn(false);
	check_eq("none is left", e.calls, 1);
	close_pair();
}

static void test_write_order(void)
{
	char got[64] = "";
	if (!open_pair())
		return;
	static const char text[] = "onetwothree";
	stream_put_span(&e.st, text, 3);
	stream_put_span(&e.st, text + 3, 3);
	stream_put_copy(&e.st, text + 6, 5);
	char *room = stream_put_room(&e.st, 1);
	*room = '!';
	check_eq("nothing leaves before the turn ends", read(e.peer, got, sizeof got), -1);
	for (int i = 0; i < 40; i++) /* more pieces than one call takes: some leave early, in order */
		stream_put_span(&e.st, i % 2 ? "b" : "a", 1);
	loop_turn(false);
	ssize_t n = read(e.peer, got, sizeof got - 1);
	check_eq("all of it", n, 52);
	check("in order", strncmp(got, "onetwothree!ababab", 18) == 0);
	close_pair();
}

static void test_stall(void)
{
	static char big[300000], back[300000];
	size_t got = 0;
	if (!open_pair())
		return;
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)(i * 31 >> 8);
	/* The far end of another pair takes nothing. */
	stream_put_span(&e.st, big, 200000);
	stream_put_span(&e.st, big + 200000, 100000);
	loop_turn(false);
	check_eq("stalled", e.stalls, 1);
	check("it knows", stream_is_stalled(&e.st));
	stream_put_copy(&e.st, "end", 3);
	for (int i = 0; i < 10000 && got < sizeof big; i++) {
		ssize_t n = read(e.peer, back + got, sizeof back - got);
		if (n > 0)
			got += (size_t)n;
		loop_turn(false);
	}
	check_eq("all came", got, sizeof big);
	check_mem("as it was", back, big, sizeof big);
	char tail[8] = "";
	for (int i = 0; i < 100 && read(e.peer, tail, sizeof tail) < 0; i++)
		loop_turn(false);
	check_str("what was queued behind came behind", tail, "end");
	check_eq("drained once", e.drains, 1);
	check("nothing is held back", !stream_is_stalled(&e.st));
	close_pair();
}

static void test_end(void)
{
	if (!open_pair())
		return;
	say("last", 4);
	close(e.peer);
	loop_turn(false);
	check_eq("the end is told", e.ends, 1);
	check("without a fault", !e.was_fault);
	e.peer = dup(0);
	close_pair();

	if (!open_pair())
		return;
	close(e.peer);
	stream_put_copy(&e.st, "into nothing", 12);
	loop_turn(false);
	check_eq("a broken write is told once", e.ends, 1);
	check("with a fault", e.was_fault);
	e.peer = dup(0);
	close_pair();

	if (!open_pair())
		return;
	e.close_in_callback = true;
	e.take = 1;
	say("abc", 3);
	check("closed within its callback", !stream_is_open(&e.st));
	check_eq("and left alone after it", e.calls, 1);
	loop_turn(false);
	close_pair();
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t n = sizeof value;
	getsockopt(fd, level, name, &value, &n);
	return value;
}

static void connected(struct stream *st)
{
	(void)st;
}

/* What servers' connections have of the options that clients' have from their listener. */
static void test_tcp_options(void)
{
	static const struct stream_ops connect_ops = { on_bytes, on_end, connected, on_stall, NULL };
	static const struct {
		const char *what;
		struct stream_tcp set;
		int keepalive, keepcnt, keepidle, keepintvl, user_timeout; /* 0: the system's */
	} cases[] = {
		{ "all", { true, 3, 44, 5, 66000, 0 }, 1, 3, 44, 5, 66000 },
		{ "keepalive as the system has it", { true, 0, 0, 0, 0, 0 }, 1, 0, 0, 0, 0 },
		{ "none", { false, 3, 44, 5, 0, 0 }, 0, 0, 0, 0, 0 },
	};
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof in;
	int l = socket(AF_INET, SOCK_STREAM, 0), plain = socket(AF_INET, SOCK_STREAM, 0);
	if (!open_pair())
		return;
	check("a listener", bind(l, (struct sockaddr *)&in, n) == 0 && listen(l, 8) == 0 &&
				    getsockname(l, (struct sockaddr *)&in, &n) == 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		struct stream st = { .io.fd = -1 };
		struct addr a;
		struct fault f;
		stream_set_tcp(&cases[i].set);
		addr_from_sockaddr(&a, (struct sockaddr *)&in, n);
		if (!check(what, stream_connect(&st, &a, NULL, &connect_ops, &f)))
			continue;
		int fd = st.io.fd;
		const struct {
			int level, name, want;
		} options[] = {
			{ IPPROTO_TCP, TCP_NODELAY, 1 },
			{ SOL_SOCKET, SO_KEEPALIVE, cases[i].keepalive },
			{ IPPROTO_TCP, TCP_KEEPCNT, cases[i].keepcnt },
			{ IPPROTO_TCP, TCP_KEEPIDLE, cases[i].keepidle },
			{ IPPROTO_TCP, TCP_KEEPINTVL, cases[i].keepintvl },
			{ IPPROTO_TCP, TCP_USER_TIMEOUT, cases[i].user_timeout },
		};
		for (size_t k = 0; k < COUNT(options); k++)
			check_eq(what, option(fd, options[k].level, options[k].name),
				 options[k].want ? options[k].want : option(plain, options[k].level, options[k].name));
		stream_close(&st, false);
	}
	stream_set_tcp(&(struct stream_tcp){ 0 });
	close(l);
	close(plain);
	close_pair();
}

void suite_stream(void)
{
	static const struct unit_test tests[] = {
		{ "what is left is kept and shown again", test_kept },
		{ "what is kept has a bound", test_bound },
		{ "what was consumed may be put back", test_unread },
		{ "holding", test_hold },
		{ "pieces leave together, in order", test_write_order },
		{ "a slow reader", test_stall },
		{ "the end", test_end },
		{ "TCP options", test_tcp_options },
		{ NULL, NULL },
	};
	unit_add("net/stream", tests);
}
