/* helper_wire.c - questions to helper processes, and their answers, as bytes:
 *    question: version, kind, patience (4), user, password, host; PAM: service, dir; LDAP: for each option 0, or 1 and
 * it reply:    version, verdict, reason Texts end in a NUL, numbers have their high byte first. */
#include "auth/helper_wire.h"

#include "core/rd.h"
#include "core/str.h"

#include <string.h>

struct out {
	uint8_t *p;
	size_t n;
	bool bad;
};

static void put(struct out *o, const void *p, size_t n)
{
	if (o->bad || n > HELPER_ASK_MAX - o->n) {
		o->bad = true;
		return;
	}
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void put_byte(struct out *o, uint8_t b)
{
	put(o, &b, 1);
}

static void put_text(struct out *o, const char *s)
{
	put(o, s, strlen(s) + 1);
}

size_t helper_put_question(uint8_t *out, const struct helper_question *q)
{
	struct out o = { out, 0, false };
	put_byte(&o, HELPER_VERSION);
	put_byte(&o, (uint8_t)q->kind);
	for (int shift = 24; shift >= 0; shift -= 8)
		put_byte(&o, (uint8_t)(q->patience_ms >> shift));
	put_text(&o, q->user);
	put_text(&o, q->password);
	put_text(&o, q->host);
	switch (q->kind) {
	case HELPER_PAM:
		put_text(&o, q->service);
		put_text(&o, q->dir);
		break;
	case HELPER_LDAP:
		for (int i = 0; i < HBA_NOPTIONS; i++) {
			put_byte(&o, q->ldap[i] != NULL);
			if (q->ldap[i])
				put_text(&o, q->ldap[i]);
		}
		break;
	}
	if (o.bad)
		str_wipe(out, o.n);
	return o.bad ? 0 : o.n;
}

static bool no_question(const char **why, const char *text)
{
	*why = text;
	return false;
}

bool helper_get_question(const uint8_t *in, size_t n, struct helper_question *q, const char **why)
{
	struct rd r = rd_of(in, n);
	*q = (struct helper_question){ .host = "", .service = "", .dir = "" };
	if (rd_u8(&r) != HELPER_VERSION)
		return no_question(why, "the helper program is of another version than the daemon");
	uint8_t kind = rd_u8(&r);
	q->patience_ms = rd_u32be(&r);
	q->user = rd_cstr(&r, NULL);
	q->password = rd_cstr(&r, NULL);
	q->host = rd_cstr(&r, NULL);
	switch (kind) {
	case HELPER_PAM:
		q->kind = HELPER_PAM;
		q->service = rd_cstr(&r, NULL);
		q->dir = rd_cstr(&r, NULL);
		break;
	case HELPER_LDAP:
		q->kind = HELPER_LDAP;
		for (int i = 0; i < HBA_NOPTIONS; i++) {
			uint8_t is_given = rd_u8(&r);
			if (is_given > 1)
				return no_question(why, "a malformed question");
			q->ldap[i] = is_given ? rd_cstr(&r, NULL) : NULL;
		}
		break;
	default:
		return no_question(why, "a question of an unknown kind");
	}
	return rd_done(&r) || no_question(why, "a malformed question");
}

size_t helper_put_reply(uint8_t out[HELPER_REPLY_MAX], enum helper_verdict v, const char *why)
{
	char cut[HELPER_WHY_MAX];
	out[0] = HELPER_VERSION;
	out[1] = (uint8_t)v;
	str_fmt(cut, sizeof cut, "%s", why);
	size_t n = strlen(cut) + 1;
	memcpy(out + 2, cut, n);
	return 2 + n;
}

bool helper_get_reply(const uint8_t *in, size_t n, enum helper_verdict *v, const char **why)
{
	struct rd r = rd_of(in, n);
	uint8_t version = rd_u8(&r), verdict = rd_u8(&r);
	const char *text = rd_cstr(&r, NULL);
	if (!rd_done(&r) || version != HELPER_VERSION || verdict > HELPER_UNABLE || n > HELPER_REPLY_MAX)
		return false;
	*v = (enum helper_verdict)verdict;
	*why = text;
	return true;
}
