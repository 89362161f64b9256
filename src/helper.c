/* helper.c - sluice-auth, the helper process: asks PAM and LDAP servers, which may take their time, for the daemon,
 * which may not. One question at a time, on the socket that is its descriptor 0, until the daemon closes that. The
 * daemon starts it, as many as it needs, and ends it when it takes too long: auth/helper.h. */
#include "auth/outside.h"
#include "core/str.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static enum helper_verdict answer(const struct helper_question *q, char why[HELPER_WHY_MAX])
{
	switch (q->kind) {
	case HELPER_PAM:
#ifdef HAVE_PAM
		return pam_ask(q, why);
#else
		break;
#endif
	case HELPER_LDAP:
#ifdef HAVE_LDAP
		return ldap_ask(q, why);
#else
		break;
#endif
	}
	str_fmt(why, HELPER_WHY_MAX, "this build has no part for it");
	return HELPER_UNABLE;
}

/* False: the daemon is gone. */
static bool serve(void)
{
	static uint8_t in[HELPER_ASK_MAX + 1]; /* one more than there may be, to see that there is too much */
	uint8_t out[HELPER_REPLY_MAX];
	char why[HELPER_WHY_MAX] = "";
	const char *wrong = "";
	struct helper_question q;
	enum helper_verdict v = HELPER_UNABLE;
	ssize_t n;

	do
		n = recv(0, in, sizeof in, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	if (helper_get_question(in, (size_t)n, &q, &wrong))
		v = answer(&q, why);
	else
		str_fmt(why, sizeof why, "%s", wrong);
	str_wipe(in, (size_t)n);
	size_t len = helper_put_reply(out, v, why);
	return send(0, out, len, MSG_NOSIGNAL) == (ssize_t)len;
}

int main(void)
{
	static const struct rlimit none = { 0, 0 };
	int type = 0;
	socklen_t len = sizeof type;

	if (getsockopt(0, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_SEQPACKET) {
		fputs("sluice-auth: sluice starts this program itself, for logins by PAM and LDAP\n", stderr);
		return 2;
	}
	/* Stuck in a library it would not see that the daemon is gone; and a core would hold a password. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_NAME, "sluice-auth"); /* it was started by a number */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)signal(SIGPIPE, SIG_IGN); /* the libraries' sockets */
	while (serve())
		;
	fflush(NULL);
	_exit(0); /* what libraries and modules keep is not ours to free */
}
