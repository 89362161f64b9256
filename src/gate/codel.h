/* codel.h - is a waiting line standing, and who in it has waited too long to be worth serving? The idea of CoDel
 * (controlled delay, RFC 8289) as servers of requests use it: what counts is the least time that anybody waited within
 * an interval. A burst drains, and somebody in it waits for a short time; where nobody did for a whole interval more
 * comes than is served, and to serve all would only make all late. Pure: times are microseconds of whatever clock the
 * caller has. */
#ifndef SLUICE_GATE_CODEL_H
#define SLUICE_GATE_CODEL_H

#include <stdbool.h>
#include <stdint.h>

struct codel_limits {
	uint64_t target_us; /* that the least wait of an interval may be; 0: nobody is ever late */
	uint64_t interval_us;
};

/* Zeroed: nothing was seen. */
struct codel {
	uint64_t end_us;   /* of the interval */
	uint64_t least_us; /* wait in it, so far */
	bool is_standing;  /* by the interval before */
	bool has_shed;     /* in this one: more came than were served, however short the line is for it */
};

/* The first in line has waited so long: it is about to be served, or somebody looks. True: it should be told to go,
 * since the line is standing and it has waited for twice the target. */
bool codel_is_late(struct codel *c, const struct codel_limits *l, uint64_t waited_us, uint64_t now_us);

#endif
