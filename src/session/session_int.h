/* session_int.h - what the files that make up a session know of each other. */
#ifndef SLUICE_SESSION_SESSION_INT_H
#define SLUICE_SESSION_SESSION_INT_H

#include "session/session.h"

/* session.c */
/* Gives its server back in whatever condition it is. */
void session_let_go(struct session *s);
/* Its own server is there. What it asked for went with the server's login: nothing is left to be set. */
void session_opened(struct session *s, const struct varset *reported);

/* timeouts.c */
#define SESSION_SOFT_MS 1000u           /* how long SESSION_PINS_SOFT keep a server */
extern bool sessions_compat_disconnect; /* the setting, read once */
/* Its deadline is set for what is due first. False: out of memory. */
bool session_arm(struct session *s);
void session_on_deadline(struct deadline *d);
void session_read_limits(struct session *s);
/* Its transaction is over, whatever it thinks: the server rolls back and is somebody else's. */
void session_take_away(struct session *s, const struct fault *f);
/* It keeps its server for a moment only: while nobody else waits for one. */
static inline bool session_is_soft(const struct session *s)
{
	return s->pins && !(s->pins & ~SESSION_PINS_SOFT) && s->mode != POOL_SESSION;
}

/* gone.c */
void session_gone_init(void);
void session_gone_free(void);

/* watch.c */
void session_watch_init(void);
void session_watch_configure(void);
void session_watch_free(void);
/* A statement of it is answered, which took so long. */
void session_was_slow(struct session *s, uint64_t took_us);

/* lost.c */
extern const struct borrower_ops session_borrower;
/* Its statement is answered with an error, before any server has seen it. */
void session_turn_away(struct session *s, const struct fault *f);

#endif
