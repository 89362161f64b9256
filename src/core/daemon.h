/* daemon.h - what makes a program a daemon: leaving the terminal, the pid file, an unprivileged user, descriptors.
 * For start-up and exit, before the loop is there and after it is gone. Nothing here is thread-safe. */
#ifndef SLUICE_CORE_DAEMON_H
#define SLUICE_CORE_DAEMON_H

#include "core/fault.h"

#include <stdbool.h>
#include <stdint.h>

/* Those of stdin, stdout and stderr that are closed become /dev/null, or the first socket would be taken for one and
 * get our messages. First of all in main(). */
bool daemon_fill_stdio(struct fault *f);

/* Goes on in a child that leads a session of its own. Returns in the child only. The parent stays until the child calls
 * daemon_ready(), then exits with 0, or until the child is gone without it, then exits with 1; so whoever started us
 * knows whether it worked. The child keeps stdin, stdout and stderr, to say what went wrong. The working directory
 * stays: paths in a configuration may be relative. Before loop_init(). */
bool daemon_detach(struct fault *f);
/* Start-up worked: stdin, stdout and stderr become /dev/null and the parent exits. Nothing without daemon_detach(). */
bool daemon_ready(struct fault *f);

/* Writes our process id to a file and keeps it locked, for as long as we live. FAULT_IO when another process holds it;
 * a file that a dead one left is taken over. After daemon_detach(). "" is fine: no file. */
bool daemon_pidfile_open(const char *path, struct fault *f);
/* Removes it (or empties it, when its directory is not ours to write), in the process that wrote it only. */
void daemon_pidfile_remove(void);

/* Gives up root for good and is `user` with that user's groups. user: "" to stay who we are, a fault when that is root;
 * naming ourselves is fine. FAULT_DENIED. Call it when all that needs root is open. */
bool daemon_become(const char *user, struct fault *f);

/* Raises the soft limit of open files to the hard one, and returns what it is now; *hard, unless NULL, is the hard one.
 * 0 when the kernel does not tell. */
uint64_t daemon_raise_files(uint64_t *hard);

#endif
