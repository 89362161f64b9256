/* server_int.h - what the files that make up a server connection know of each other. */
#ifndef SLUICE_POOL_SERVER_INT_H
#define SLUICE_POOL_SERVER_INT_H

#include "pool/pool.h"
#include "pool/server.h"

/* server.c */
extern const struct borrower_ops *server_borrower;
/* As server_open(), on this host. */
struct server *server_open_on(struct pool *p, struct host *h, bool own, uint64_t kind);
/* A task: connects to sv->addr, and no other address. */
void server_begin_again(struct task *t);
/* The socket file of a host that is a directory, or begins with '@', or is the file itself. False when its name is too
 * long. */
bool server_socket_path(const struct server *sv, char *out, size_t cap);

/* release.c */
/* Its deadline is set for the end of its idling, or of its life. */
void server_arm_idle(struct server *sv);
/* Its login, or what the house ran on it, is through: it goes to whom it was opened for, or is idle. */
void server_become_idle(struct server *sv);

/* cancel.c */
/* The server has gone: requests for it that are under way are about nothing any more. */
void server_forget_cancels(struct server *sv);
/* What brings a cancel request that is a statement is logged in; then it is answered (why: refused), or cannot be
 * brought.
 */
void server_run_errand(struct server *sv);
void server_errand_answered(struct server *sv, const struct fault *why);
void server_errand_over(struct server *sv, const struct fault *why);

/* release.c: DRAIN: when it is cancelled once more, or closed */
void server_arm_drain(struct server *sv);

#endif
