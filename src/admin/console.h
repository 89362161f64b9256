/* console.h - the pseudo-databases "sluice" and "pgbouncer": the administrator's console, an engine on the exchange.
 * Whatever door a client came by, it asks in the console's own language (parse.h). One statement runs at a time; those
 * that wait (PAUSE, WAIT_CLOSE) hold up their own client only. All on the loop's thread.
 *
 *   parse.c      statements and the table of commands   show.c      rows in batches
 *   console.c    the engine: rights, one after another  show_*.c    what the rows say
 *   control.c    the commands that do something         averages.c  the stats period */
#ifndef SLUICE_ADMIN_CONSOLE_H
#define SLUICE_ADMIN_CONSOLE_H

#include "core/fault.h"
#include "core/str.h"

#include <stdbool.h>

enum shutdown_mode { SHUTDOWN_IMMEDIATE, SHUTDOWN_WAIT_SERVERS, SHUTDOWN_WAIT_CLIENTS };

/* What only main can do. All are set. */
struct admin_hooks {
	/* RELOAD: reads the configuration and makes it current. False, and nothing has changed: f says why.
	 * warnings, to which what else there is to say is added, a line each, is the caller's. */
	bool (*reload)(struct fault *f, struct sb *warnings);
	/* SET has changed config_now(): brings what follows it in line (databases_reload(), the log). */
	void (*apply)(void);
	/* SHUTDOWN; at the end of the turn, so that the answer is under way. */
	void (*shutdown)(enum shutdown_mode mode);
};

/* Registers the databases and begins the stats period; after databases_init() and with a configuration. hooks stay
 * where they are. False when out of memory. */
bool console_init(const struct admin_hooks *hooks);
/* Before the loop ends; after sessions_free(). */
void console_free(void);

/* The console takes pool_on_change() for its own waits. Who else waits for servers (main, in a shutdown) asks here;
 * `changed` runs at the end of a turn in which one came free or went. NULL: nobody any more. */
void console_watch(void (*changed)(void));

#endif
