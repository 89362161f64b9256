/* pool_int.h - what the files that make up a pool know of each other. */
#ifndef SLUICE_POOL_POOL_INT_H
#define SLUICE_POOL_POOL_INT_H

#include "pool/pool.h"

/* pool.c */
/* It is served at or before ms. */
void pool_wake_at(struct pool *p, uint64_t ms);
/* Servers that those in line may get soon: without those for one session alone. */
uint32_t pool_opening(const struct pool *p);

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
