/* test_between.c - somebody in between, who ends the encryption of both sides, reads along, and has a certificate that
 * is valid: what channel binding is there for. RFC 5929, RFC 5802. */
#include "harness.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SSL_REQUEST "\0\0\0\10\4\322\26\57"

/* --- Certificates: two of one CA, for one host */

static const char *tls(const char *file)
{
	return text("%s/tls/%s", dir(), file);
}

static void certificates(void)
{
	static bool made;
	char *out;
	if (made)
		return;
	int rc = run(
		&out,
		"mkdir -p tls && cd tls && printf subjectAltName=IP:127.0.0.1 >ext && "
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -subj "
		"/CN=ca -days 2 && for i in server other; do openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
		"-nodes -keyout $i.key -out $i.csr -subj /CN=$i && openssl x509 -req -sha256 -in $i.csr -CA ca.crt -CAkey "
		"ca.key -CAcreateserial -days 2 -extfile ext -out $i.crt && chmod 600 $i.key || exit 1; done");
	require(out, rc == 0);
	made = true;
}

/* --- Who is in between. A process of its own; it serves one connection after the other. */

struct between {
	pid_t pid;
	int port;
};

/* The offer of mechanisms, without the one that is bound. */
static int strip(char *p, int n)
{
	static const char both[] = "R\0\0\0\52\0\0\0\12SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0",
			  one[] = "R\0\0\0\27\0\0\0\12SCRAM-SHA-256\0";
	/* It may come behind a NegotiateProtocolVersion. */
	char *at = n > 0 ? memmem(p, (size_t)n, both, sizeof both) : NULL;
	if (!at)
		return n;
	size_t behind = (size_t)(p + n - at) - sizeof both;
	memcpy(at, one, sizeof one);
	memmove(at + sizeof one, at + sizeof both, behind);
	return n - (int)(sizeof both - sizeof one);
}

static bool pass_on(SSL *from, SSL *to, bool strips)
{
	char buf[16384];
	do {
		int n = SSL_read(from, buf, sizeof buf);
		if (n > 0 && strips)
			n = strip(buf, n);
		if (n <= 0 || SSL_write(to, buf, n) != n)
			return false;
	} while (SSL_pending(from) > 0);
	return true;
}

static void serve(int near, int target, SSL_CTX *as_server, SSL_CTX *as_client, bool strips)
{
	char request[8], answer = 0;
	int far = raw_to(target);
	SSL *a = SSL_new(as_server), *b = SSL_new(as_client);
	if (far >= 0 && a && b && raw_read(near, request, 8) && raw_send(near, "S", 1) &&
	    raw_send(far, SSL_REQUEST, 8) && raw_read(far, &answer, 1) && answer == 'S' && SSL_set_fd(a, near) &&
	    SSL_set_fd(b, far) && SSL_accept(a) == 1 && SSL_connect(b) == 1) {
		struct pollfd p[2] = { { .fd = near, .events = POLLIN }, { .fd = far, .events = POLLIN } };
		while (poll(p, 2, PATIENCE_MS) > 0)
			if ((p[0].revents && !pass_on(a, b, false)) || (p[1].revents && !pass_on(b, a, strips)))
				break;
	}
	SSL_free(a);
	SSL_free(b);
	raw_close(near);
	if (far >= 0)
		raw_close(far);
}

/* cert: what it shows, to whoever takes it for `target`. */
static struct between begin(int target, const char *cert, bool strips)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	struct between b = { .pid = 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	require("a socket", fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, 10) == 0 &&
				    getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	SSL_CTX *as_server = SSL_CTX_new(TLS_server_method()), *as_client = SSL_CTX_new(TLS_client_method());
	require("its certificate",
		as_server && as_client &&
			SSL_CTX_use_certificate_chain_file(as_server, tls(text("%s.crt", cert))) == 1 &&
			SSL_CTX_use_PrivateKey_file(as_server, tls(text("%s.key", cert)), SSL_FILETYPE_PEM) == 1);
	b.port = ntohs(at.sin_port);
	b.pid = fork();
	require("a process", b.pid >= 0);
	if (b.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGPIPE, SIG_IGN);
		for (;;) {
			int near = accept(fd, NULL, NULL);
			if (near < 0)
				_exit(1);
			serve(near, target, as_server, as_client, strips);
		}
	}
	SSL_CTX_free(as_server);
	SSL_CTX_free(as_client);
	close(fd);
	return b;
}

static void end(struct between b)
{
	kill(b.pid, SIGKILL);
	waitpid(b.pid, NULL, 0);
}

/* --- Tests */

/* With the certificate of the one that it stands for it would go unseen: so it is the binding that gives it away. */
static const struct {
	const char *what, *cert;
	bool strips;
	const char *at_client, *at_server; /* what is said of it; NULL: it goes through */
} rows[] = {
	{ "the same certificate", "server", false, NULL, NULL },
	{ "another certificate", "other", false, "channel binding", "SCRAM channel binding check failed" },
	{ "the offer without PLUS", "other", true, "channel binding negotiation error",
	  "SCRAM channel binding negotiation error" },
	{ "the same, with the same certificate", "server", true, "channel binding negotiation error",
	  "SCRAM channel binding negotiation error" },
};

static void test_clients(void)
{
	certificates();
	for (size_t i = 0; i < COUNT(rows); i++) {
		sluice_with("client_tls_sslmode = require\nclient_tls_key_file = @DIR@/tls/server.key\n"
			    "client_tls_cert_file = @DIR@/tls/server.crt\nauth_type = scram-sha-256\n");
		struct between b = begin(sluice_port(), rows[i].cert, rows[i].strips);
		const char *to = text("port=%d sslmode=verify-full sslrootcert=%s user=alice password=alice-secret",
				      b.port, tls("ca.crt"));
		PGconn *c = client_try("%s", to);
		check_eq(rows[i].what, c != NULL, rows[i].at_client == NULL);
		if (c)
			check_scalar(c, "select 1", "1");
		else
			check(rows[i].what, sluice_logged(rows[i].at_client));
		client_close(c);
		/* Who does not bind is read along with. */
		if (!rows[i].strips)
			check("not bound", client_try("%s channel_binding=disable", to) != NULL);
		end(b);
		sluice_stop();
	}
}

static void test_servers(void)
{
	certificates();
	pg_sql("alter system set ssl_cert_file = '%s'", tls("server.crt"));
	pg_sql("alter system set ssl_key_file = '%s'", tls("server.key"));
	pg_sql("alter system set ssl = on");
	pg_hba("hostssl all all 127.0.0.1/32 scram-sha-256\n");
	wait_until("PostgreSQL encrypts", strcmp(pg_scalar("show ssl"), "on") == 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct between b = begin(pg_port(), rows[i].cert, rows[i].strips);
		sluice_start(&(struct conf){
			.databases = text("test = host=127.0.0.1 port=%d", b.port),
			.settings = "server_tls_sslmode = verify-full\nserver_tls_ca_file = @DIR@/tls/ca.crt\n"
				    "query_wait_timeout = 20\n",
			.auth_file = "\"alice\" \"alice-secret\"\n" });
		PGconn *c = client_try("%s", "");
		check_eq(rows[i].what, c != NULL, rows[i].at_server == NULL);
		if (c)
			check_scalar(c, "select 1", "1");
		else
			check(rows[i].what, sluice_logged(rows[i].at_server));
		client_close(c);
		sluice_stop();
		end(b);
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "clients", test_clients },
		{ "servers", test_servers },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "between", tests);
}
