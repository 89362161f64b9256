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

/* line.c */
void pool_left_line(struct pool *p, struct pool_wait *w);
void pool_refuse_all(struct pool *p, const struct fault *f);
/* By name: whom a database forces is the same user as who comes himself. */
bool pool_is_same_user(const struct pool *a, const struct pool *b);
/* Does max_active allow one more server to be lent? */
bool pool_may_be_active(const struct pool *p);
/* Takes a token of each rate_limit that holds for w: its not_before_us and is_over say what follows. */
void pool_rate(struct pool *p, struct pool_wait *w);
/* Those in line whose time has not come. */
uint32_t pool_delayed(const struct pool *p);
/* A place is free under max_active: the pool that it is for is served before others. */
void pool_serve_oldest(struct pool *p);
/* Is the first in line to be told to go? Then shed it. */
bool pool_is_late(struct pool *p, const struct pool_wait *w);
void pool_shed(struct pool *p, struct pool_wait *w, const char *why);
/* Those who are late although nobody is served, and those who came last, when too many wait. */
void pool_shed_more(struct pool *p);

#endif
