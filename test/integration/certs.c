/* certs.c - certificates for tests of encryption. */
#include "certs.h"

#include "harness.h"

#include <unistd.h>

void certs_certify(const char *name, const char *subject, const char *san, const char *ca, int days)
{
	char *out;
	char *ext = san ? text("printf 'subjectAltName=%s' >%s.ext;", san, name) : text("printf '' >%s.ext;", name);
	int rc = run(&out,
		     "cd tls && %s"
		     "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s.key -out %s.csr -subj "
		     "/CN=%s && openssl x509 -req -sha256 -in %s.csr -CA %s.crt -CAkey %s.key -CAcreateserial -days %d "
		     "-extfile %s.ext -out %s.crt && chmod 600 %s.key",
		     ext, name, name, subject, name, ca, ca, days, name, name, name);
	require(out, rc == 0);
}

static void make_ca(const char *name)
{
	char *out;
	int rc = run(&out,
		     "mkdir -p tls && cd tls && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
		     "-keyout %s.key -out %s.crt -subj /CN=%s -days 2",
		     name, name, name);
	require(out, rc == 0);
}

const char *certs_file(const char *file)
{
	return text("%s/tls/%s", dir(), file);
}

/* Once for the program. */
void certs_make(void)
{
	static bool made;
	if (made)
		return;
	make_ca("ca");
	make_ca("strange-ca");
	certs_certify("server", "sluice", "IP:127.0.0.1,DNS:localhost", "ca", 2);
	certs_certify("other", "other", "IP:127.0.0.1,DNS:localhost", "ca", 2);
	certs_certify("elsewhere", "elsewhere.example", "DNS:elsewhere.example", "ca", 2);
	certs_certify("only-cn", "127.0.0.1", NULL, "ca", 2);
	certs_certify("expired", "sluice", "IP:127.0.0.1", "ca", -1);
	certs_certify("alice", "alice", NULL, "ca", 2);
	certs_certify("stranger", "alice", NULL, "strange-ca", 2);
	/* libpq wants the key to be its user's own. */
	check("a key of our own", chown(certs_file("alice.key"), geteuid(), (gid_t)-1) == 0);
	check("a key of our own", chown(certs_file("stranger.key"), geteuid(), (gid_t)-1) == 0);
	made = true;
}

void certs_copy(const char *name, const char *to)
{
	char *out;
	require("copied", run(&out, "cd tls && cp %s.key %s.key && cp %s.crt %s.crt", name, to, name, to) == 0);
}
