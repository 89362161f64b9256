/* asked.h - what drivers and command lines ask of "the server" by themselves when they have connected to the console:
 * its variables, its version, who they are. Pure: a text, and what is known; the answer goes into a sink. MySQL
 * Reference Manual: Server System Variables, Information Functions, SHOW VARIABLES, SHOW WARNINGS. */
#ifndef SLUICE_MYSQL_ASKED_H
#define SLUICE_MYSQL_ASKED_H

#include "session/exchange.h"

struct mysql_asked {
	const char *version, *user, *host, *database; /* borrowed */
	uint64_t id;                                  /* of the connection */
};

/* A SELECT without a table of literals, variables and such functions; SHOW VARIABLES, or what is empty here. False: it
 * is nothing of the kind, and nothing was said. An unknown variable is a fault. */
bool mysql_asked(const struct mysql_asked *is, struct text_span text, struct result_sink *k);
/* A SET of what has no meaning here, or likewise: it is as they wish. */
bool mysql_asked_to_set(struct text_span text);

#endif
