/* route.h - which pool serves a client. Primary, replicas and rules will stand here. */
#ifndef SLUICE_ROUTE_ROUTE_H
#define SLUICE_ROUTE_ROUTE_H

#include "pool/pool.h"

/* The pool for a user in a database: the forced user's where the database has one. NULL when out of memory. */
struct pool *route_pool(struct database *db, struct user *u);

#endif
