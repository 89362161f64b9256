/* codel.c - who in a waiting line has waited too long (after RFC 8289). */
#include "gate/codel.h"

bool codel_is_late(struct codel *c, const struct codel_limits *l, uint64_t waited_us, uint64_t now_us)
{
	if (!l->target_us)
		return false;
	if (now_us >= c->end_us) {
		/* When nobody was in line for an interval after that, it was none of standing. */
		bool is_old = c->end_us == 0 || now_us - c->end_us >= l->interval_us;
		/* One who has waited through all of that was in line meanwhile. */
		if (is_old && waited_us >= l->interval_us)
			is_old = false;
		c->is_standing = !is_old && (c->least_us > l->target_us || c->has_shed);
		c->has_shed = false;
		c->end_us = now_us + l->interval_us;
		c->least_us = waited_us;
	} else if (waited_us < c->least_us) {
		c->least_us = waited_us;
	}
	bool is_late = c->is_standing && waited_us > 2 * l->target_us;
	c->has_shed |= is_late;
	return is_late;
}
