/* pam.c - is it this user's password, and may he come in, by the word of PAM? Blocks. Linux-PAM Application Developers'
 * Guide; PostgreSQL docs, PAM Authentication. */
#include "auth/outside.h"

#include "core/str.h"

#include <security/pam_appl.h>

#include <stdlib.h>
#include <string.h>

#define PROMPTS_MAX 32 /* messages in one call */

static void forget(struct pam_response *r, int n)
{
	for (int i = 0; i < n; i++) {
		if (r[i].resp)
			str_wipe(r[i].resp, strlen(r[i].resp));
		free(r[i].resp);
	}
	free(r);
}

/* Whatever is asked for without an echo is the password; nothing else can be answered. */
static int converse(int n, const struct pam_message **in, struct pam_response **out, void *arg)
{
	const struct helper_question *q = arg;
	if (n <= 0 || n > PROMPTS_MAX)
		return PAM_CONV_ERR;
	struct pam_response *r = calloc((size_t)n, sizeof *r); /* PAM frees it */
	if (!r)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		switch (in[i]->msg_style) {
		case PAM_PROMPT_ECHO_OFF:
			r[i].resp = str_dup(q->password);
			if (!r[i].resp) {
				forget(r, i);
				return PAM_BUF_ERR;
			}
			break;
		case PAM_ERROR_MSG:
		case PAM_TEXT_INFO:
			break;
		default:
			forget(r, i);
			return PAM_CONV_ERR;
		}
	}
	*out = r;
	return PAM_SUCCESS;
}

static int start(const struct helper_question *q, const struct pam_conv *conv, pam_handle_t **h)
{
	if (!q->dir[0])
		return pam_start(q->service, q->user, conv, h);
#ifdef HAVE_PAM_START_CONFDIR
	return pam_start_confdir(q->service, q->user, conv, q->dir, h);
#else
	return PAM_ABORT; /* the configuration is refused before */
#endif
}

static enum helper_verdict verdict_of(int rc)
{
	switch (rc) {
	case PAM_SUCCESS:
		return HELPER_YES;
	case PAM_USER_UNKNOWN:
		return HELPER_NOBODY;
	case PAM_AUTHINFO_UNAVAIL: /* a server that it asks is down */
	case PAM_BUF_ERR:
	case PAM_ABORT:
		return HELPER_UNABLE;
	default:
		return HELPER_NO;
	}
}

enum helper_verdict pam_ask(const struct helper_question *q, char why[HELPER_WHY_MAX])
{
	const struct pam_conv conv = { converse, (void *)(uintptr_t)q };
	pam_handle_t *h = NULL;
	const char *step = "pam_start";

	why[0] = '\0';
	if (!q->password[0]) {
		str_fmt(why, HELPER_WHY_MAX, "empty password");
		return HELPER_NO;
	}
	int rc = start(q, &conv, &h);
	if (rc != PAM_SUCCESS) {
		str_fmt(why, HELPER_WHY_MAX, "%s: %s", step, pam_strerror(h, rc));
		return HELPER_UNABLE;
	}
	if (q->host[0]) {
		step = "pam_set_item";
		rc = pam_set_item(h, PAM_RHOST, q->host);
	}
	if (rc == PAM_SUCCESS) {
		step = "pam_authenticate";
		rc = pam_authenticate(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	}
	if (rc == PAM_SUCCESS) {
		step = "pam_acct_mgmt";
		rc = pam_acct_mgmt(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	}
	if (rc != PAM_SUCCESS)
		str_fmt(why, HELPER_WHY_MAX, "%s: %s", step, pam_strerror(h, rc));
	(void)pam_end(h, rc);
	return verdict_of(rc);
}
