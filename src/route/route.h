/* route.h - which pool serves a client, and which host of a database gets the next server connection. */
#ifndef SLUICE_ROUTE_ROUTE_H
#define SLUICE_ROUTE_ROUTE_H

#include "pool/pool.h"

/* The pool for a user in a database: the forced user's where the database has one. NULL when out of memory. */
struct pool *route_pool(struct database *db, struct user *u);
/* The next host in turn. */
struct host *route_host(struct database *db);

#endif
