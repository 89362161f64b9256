/* stub.c - a PostgreSQL that the test plays itself. */
#include "harness_int.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int listeners[2] = { -1, -1 }; /* TCP, unix */
static int stub_at;                   /* its port */
static uint32_t asked_for;            /* of the start-up packet read last */

int stub_port(void)
{
	return stub_at;
}

const char *stub_socket_dir(void)
{
	return text("%s/stub", harness.top);
}

void stub_open(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	bool ok = false;
	stub_close();
	for (int i = 0; i < 2; i++)
		listeners[i] = socket(i ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	for (int i = 0; i < 5 && !ok; i++) { /* the port may have been taken since */
		stub_at = free_port();
		in.sin_port = htons((uint16_t)stub_at);
		ok = bind(listeners[0], (struct sockaddr *)&in, sizeof in) == 0;
	}
	require("a stub on TCP", ok && listen(listeners[0], 64) == 0);
	mkdir(stub_socket_dir(), 0755); /* it may be there */
	snprintf(un.sun_path, sizeof un.sun_path, "%s/.s.PGSQL.%d", stub_socket_dir(), stub_at);
	unlink(un.sun_path);
	require("a stub on a unix socket", bind(listeners[1], (struct sockaddr *)&un, sizeof un) == 0 &&
						   chmod(un.sun_path, 0777) == 0 && listen(listeners[1], 64) == 0);
}

void stub_close(void)
{
	for (int i = 0; i < 2; i++) {
		if (listeners[i] >= 0)
			close(listeners[i]);
		listeners[i] = -1;
	}
}

int stub_accept(void)
{
	struct pollfd p[] = { { listeners[0], POLLIN, 0 }, { listeners[1], POLLIN, 0 } };
	require("Sluice connects to the stub", poll(p, COUNT(p), PATIENCE_MS) > 0);
	int fd = accept4(listeners[p[0].revents ? 0 : 1], NULL, NULL, SOCK_CLOEXEC);
	require("the stub accepts", fd >= 0);
	raw_keep(fd);
	return fd;
}

uint32_t stub_version(void)
{
	return asked_for;
}

int stub_startup(void)
{
	static const char ssl_request[] = { 4, (char)0xd2, 0x16, 0x2f };
	char head[4], body[1024];
	uint32_t be;
	int fd = stub_accept();
	for (;;) {
		require("a start-up packet", raw_read(fd, head, sizeof head));
		memcpy(&be, head, sizeof be);
		uint32_t len = ntohl(be) - 4;
		require("and its body", len <= sizeof body && raw_read(fd, body, len));
		memcpy(&be, body, sizeof be);
		asked_for = ntohl(be);
		if (len != sizeof ssl_request || memcmp(body, ssl_request, len) != 0)
			return fd;
		require("the stub declines TLS", raw_send(fd, "N", 1));
	}
}

void stub_let_in(int fd)
{
	static const char parameters[][2][32] = {
		{ "server_version", "15.0" }, { "client_encoding", "UTF8" },   { "DateStyle", "ISO, MDY" },
		{ "TimeZone", "UTC" },        { "IntervalStyle", "postgres" }, { "standard_conforming_strings", "on" },
		{ "application_name", "" },
	};
	static uint32_t key[2] = { 0, 0x01020304 };
	key[0]++;
	bool ok = raw_message(fd, 'R', "\0\0\0", 4);
	for (size_t i = 0; i < COUNT(parameters); i++) {
		char body[64];
		size_t name = strlen(parameters[i][0]) + 1, value = strlen(parameters[i][1]) + 1;
		memcpy(body, parameters[i][0], name);
		memcpy(body + name, parameters[i][1], value);
		ok = ok && raw_message(fd, 'S', body, name + value);
	}
	require("the stub lets Sluice in", ok && raw_message(fd, 'K', key, sizeof key) && raw_message(fd, 'Z', "I", 1));
}

int stub_login(void)
{
	int fd = stub_startup();
	stub_let_in(fd);
	return fd;
}
