/* daemon.h - what makes a program a daemon: leaving the terminal, the pid file, an unprivileged user, descriptors.
 * For start-up and exit, before the loop is there and after it is gone. Nothing here is thread-safe. */
#ifndef SLUICE_CORE_DAEMON_H
#define SLUICE_CORE_DAEMON_H

#include "core/fault.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

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

/* May and can we run as `user`? For a check before anything is opened; the faults are daemon_become()'s. *uid is that
 * user's, or 0 when we stay who we are. */
bool daemon_find_user(const char *user, uid_t *uid, struct fault *f);
/* What is opened from now on is opened as `user`, so that a file has the owner that it will be removed and opened again
 * by, until daemon_act_as_ourselves(). Nothing happens when we stay who we are. */
bool daemon_act_as(const char *user, struct fault *f);
bool daemon_act_as_ourselves(struct fault *f);
/* Gives up root for good and is `user` with that user's groups. user: "" to stay who we are, a fault when that is root;
 * naming ourselves is fine. FAULT_DENIED. Call it when all that needs root is open. */
bool daemon_become(const char *user, struct fault *f);

/* Raises the soft limit of open files to the hard one, and returns what it is now; *hard, unless NULL, is the hard one.
 * 0 when the kernel does not tell. */
uint64_t daemon_raise_files(uint64_t *hard);

#endif
