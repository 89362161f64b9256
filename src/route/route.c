/* route.c - which pool serves a client. */
#include "route/route.h"

struct pool *route_pool(struct database *db, struct user *u)
{
	return pool_find(db, db->forced ? db->forced : u);
}
