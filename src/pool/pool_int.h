/* pool_int.h - what the files that make up a pool know of each other. */
#ifndef SLUICE_POOL_POOL_INT_H
#define SLUICE_POOL_POOL_INT_H

#include "pool/pool.h"

static inline struct server *server_at(struct list *m)
{
	return list_owner(m, struct server, in_state);
}

/* pool.c */
/* It is served at or before ms. */
void pool_wake_at(struct pool *p, uint64_t ms);
/* Frees it when nothing is left of it and it has been so for long enough: the last that is done with it in a turn. */
void pool_check_unused(struct pool *p);

/* serve.c: a task */
void pool_run_serve(struct task *t);

/* open.c */
/* Servers that those in line may get soon, and those that there are: without those for one session alone. */
uint32_t pool_opening(const struct pool *p);
uint32_t pool_live(const struct pool *p);
/* A server for this one in line alone; it counts as any other, and an idle one makes room for it. NULL: not now. What
 * becomes of it says nothing about others: one that cannot be opened is told to its client, and not waited for. */
struct server *pool_open_own(struct pool *p, const struct pool_wait *w);
/* Opens what those in line lack, and what min_pool_size does. */
void pool_grow(struct pool *p);
/* A limit was lowered: what is idle beyond it goes. */
void pool_shrink(struct pool *p);
/* Idle servers are of no use to this one in line, who wants another kind, and the pool is full: one of them goes, and
 * makes room for it. */
void pool_swap_idle(struct pool *p, const struct pool_wait *w);

/* turn.c */
/* Who waits, user by user. p->waiting has all of them in the order in which they came, and those whose time has not
 * come (p->delayed) too. */
bool pool_line_init(struct pool *p);
void pool_line_free(struct pool *p);
void pool_line_add(struct pool *p, struct pool_wait *w);
void pool_line_del(struct pool *p, struct pool_wait *w);
/* In the order of their turns, a user after the other; NULL: that was the last. */
struct pool_wait *pool_line_first(const struct pool *p);
struct pool_wait *pool_line_next(const struct pool *p, const struct pool_wait *w);
/* The first of the next user. */
struct pool_wait *pool_line_next_user(const struct pool *p, const struct pool_wait *w);
/* The last of the user who has most in line, for his weight. */
struct pool_wait *pool_line_longest(const struct pool *p);
struct codel *pool_line_codel(const struct pool_wait *w);
/* It is given a server: its user's turn, and its pool's, are over in so far. */
void pool_line_serves(struct pool *p, const struct pool_wait *w);

/* What its database or its user is short of, so that p cannot do what it would. */
enum {
	LACK_DB_PLACE = 1,   /* max_active */
	LACK_USER_PLACE = 2, /* likewise */
	LACK_DB_TOKEN = 4,   /* rate_limit */
	LACK_DB_SLOT = 8,    /* max_db_connections */
	LACK_USER_SLOT = 16  /* max_user_connections */
};
void pool_lacks(struct pool *p, unsigned what);
/* It tries again: nothing is known. */
void pool_lacks_nothing(struct pool *p);
/* It has opened a server. */
void pool_turn_opened(struct pool *p);
/* There is a place, or a token; there is a connection that may be opened: but another has had less. Both are served
 * again then. */
bool pool_is_others_turn(struct pool *p);
bool pool_is_others_slot(struct pool *p, bool of_user);
/* Has o fewer connections than p, each for its weight? */
bool pool_has_fewer(const struct pool *o, const struct pool *p);
#define POOL_SHARE_MS 100u /* where there are more pools than connections, each has one for so long */
/* One of its connections is another's, who has too few: one that comes free is to be closed for it. */
bool pool_owes_slot(const struct pool *p);

/* line.c */
void pool_left_line(struct pool *p, struct pool_wait *w);
void pool_refuse_all(struct pool *p, const struct fault *f);
/* By name: whom a database forces is the same user as who comes himself. */
bool pool_is_same_user(const struct pool *a, const struct pool *b);
/* w begins to wait: in line, or for its time by rate_limit. */
void pool_enter_line(struct pool *p, struct pool_wait *w);
/* Those whose time has come enter the line; those who are over the limit are refused. */
void pool_end_delays(struct pool *p);
/* May this one be lent a server, by max_active and rate_limit? */
bool pool_may_be_lent(struct pool *p, const struct pool_wait *w);
/* It is: what that takes of them. */
void pool_is_lent(struct pool *p, struct pool_wait *w);
/* Is this one, the first of its user, to be told to go? Then shed it. */
bool pool_is_late(struct pool *p, const struct pool_wait *w);
void pool_shed(struct pool *p, struct pool_wait *w, const char *why);
/* Those who are late although nobody is served, and those who came last, when too many wait. */
void pool_shed_more(struct pool *p);

#endif
