/* ask.c - questions of the house's own. */
#include "pool/ask.h"

static void granted(struct pool_wait *w, struct server *sv)
{
	struct ask *a = list_owner(w, struct ask, wait);
	a->server = sv;
	sv->ask = a;
	sv->ops->ask(sv);
}

static void refused(struct pool_wait *w, const struct fault *f)
{
	struct ask *a = list_owner(w, struct ask, wait);
	a->pool = NULL;
	a->done(a, f);
}

void ask_begin(struct ask *a, struct pool *p)
{
	a->pool = p;
	a->server = NULL;
	a->wait.granted = granted;
	a->wait.refused = refused;
	struct server *sv = pool_take(p, &a->wait);
	if (sv)
		granted(&a->wait, sv);
}

void ask_cancel(struct ask *a)
{
	struct pool *p = a->pool;
	struct server *sv = a->server;
	a->pool = NULL;
	a->server = NULL;
	if (sv) {
		sv->ask = NULL;
		pool_give(sv);
	} else if (p) {
		pool_leave(p, &a->wait);
	}
}

void ask_answered(struct server *sv, const struct fault *f)
{
	struct ask *a = sv->ask;
	sv->ask = NULL;
	a->server = NULL;
	a->pool = NULL;
	pool_give(sv);
	a->done(a, f);
}

void ask_lost(struct ask *a, const struct fault *f)
{
	a->server = NULL;
	a->pool = NULL;
	a->done(a, f);
}
