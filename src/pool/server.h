/* server.h - one connection to a database server, from connect to close. Owner: its pool; ended only by server_close(),
 * which unlinks at once and frees at the end of the turn.
 *
 *   CONNECT -> LOGIN -> (SETUP: connect_query) -> IDLE <-> ACTIVE        lent to a session
 *                                                  IDLE -> CHECK -> IDLE  long idle, asked before it is lent
 *                            ACTIVE -> RESET -> IDLE                      after a session pooling client
 *                            ACTIVE -> DRAIN                              its session left before the answer: cancelled
 *                            ACTIVE, DRAIN -> ROLLBACK                    ... or in a transaction
 *                            ACTIVE, DRAIN -> CANCEL                      a cancel request for it is still under way
 *                            DRAIN, ROLLBACK, CANCEL -> RESET or IDLE
 *                   LOGIN -> ACTIVE                                       opened for one session, and closed with it
 *                                                  LOGIN or SETUP -> LISTEN     opened apart: its engine keeps it
 *   any -> DEAD */
#ifndef SLUICE_POOL_SERVER_H
#define SLUICE_POOL_SERVER_H

#include "core/deadline.h"
#include "core/list.h"
#include "core/log.h"
#include "core/loop.h"
#include "net/stream.h"
#include "pool/engine.h"

#define SERVER_STATES(X)                                                                                               \
	X(CONNECT, "new", TO(LOGIN) | TO(DEAD))                                                                        \
	X(LOGIN, "login", TO(SETUP) | TO(IDLE) | TO(ACTIVE) | TO(LISTEN) | TO(CONNECT) | TO(DEAD))                     \
	X(SETUP, "setup", TO(IDLE) | TO(LISTEN) | TO(DEAD))                                                            \
	X(IDLE, "idle", TO(ACTIVE) | TO(CHECK) | TO(DEAD))                                                             \
	X(CHECK, "tested", TO(IDLE) | TO(DEAD))                                                                        \
	X(ACTIVE, "active", TO(IDLE) | TO(RESET) | TO(CANCEL) | TO(DRAIN) | TO(ROLLBACK) | TO(DEAD))                   \
	X(DRAIN, "being_canceled", TO(IDLE) | TO(RESET) | TO(CANCEL) | TO(ROLLBACK) | TO(DEAD))                        \
	X(CANCEL, "being_canceled", TO(IDLE) | TO(RESET) | TO(ROLLBACK) | TO(DEAD))                                    \
	X(ROLLBACK, "rollback", TO(IDLE) | TO(RESET) | TO(CANCEL) | TO(DEAD))                                          \
	X(RESET, "reset", TO(IDLE) | TO(RESET) | TO(DEAD))                                                             \
	X(LISTEN, "listen", TO(DEAD))                                                                                  \
	X(DEAD, "dead", 0)
#define X(s, shown, next) SERVER_##s,
enum server_state { SERVER_STATES(X) SERVER_NSTATES };
#undef X

struct pool;
struct host;
struct session;
struct dns_query;
struct ask;
struct cancel;

/* How far encryption has come. */
enum server_tls { SERVER_TLS_NONE, SERVER_TLS_ASKED, SERVER_TLS_SHAKING, SERVER_TLS_UP };

/* What its client said to it last, as far as that is kept for whoever asks later what it was: its beginning. */
#define SERVER_HEARD_MAX 1000u
struct server_heard {
	uint16_t len;  /* 0: nothing is known */
	uint16_t sent; /* statements since it last owed nothing */
	bool is_cut;
	char text[SERVER_HEARD_MAX];
};

struct server {
	struct log_ctx log;
	struct stream stream;
	struct list in_state; /* pool->by_state[state]; IDLE: the one released last comes first */
	struct pool *pool;
	struct host *host;
	const struct engine_ops *ops;
	struct session *session;   /* linked; session->server points back; both cleared together */
	struct ask *ask;           /* the house itself has it, for a question; likewise */
	const char *tidy;          /* static: what is to be run before another session gets it; NULL mostly */
	const struct varset *vars; /* counted: its tracked settings; NULL before login */
	const struct varset *said; /* counted: what is set there besides, by statements of the session it was lent to */
	struct dns_query *dns;     /* while its name is looked up */
	struct addr *addrs;        /* owned: those that are still to be tried while connecting */
	uint32_t naddrs, next_addr;
	struct deadline deadline;
	struct task free_task;
	struct addr addr; /* of the other end; ADDR_UNIX for sockets */
	uint64_t id;
	uint64_t connect_ms, released_ms, request_ms;
	uint64_t opens_until; /* ms: by when it has to be ready; 0: it may take for ever */
	uint64_t expires_ms;  /* by server_lifetime, with a little jitter; UINT64_MAX: never */
	uint32_t generation;  /* of its database, when it was opened */
	uint32_t cancels;     /* cancel requests for it on their way */
	uint32_t pid;         /* the server's own process id, 0: not known */
	uint8_t state;
	uint8_t tls;       /* enum server_tls */
	bool tls_second;   /* sslmode allow, prefer: the first way was refused, this is the other */
	bool is_late;      /* it was not ready within server_connect_timeout */
	uint8_t retries;   /* how often its opening was tried again */
	bool is_retrying;  /* and is yet: what becomes of it is what those who wait hear of */
	bool is_pausing;   /* CONNECT: it is begun again when its deadline fires */
	bool has_ended;    /* its stream has */
	bool greeted;      /* it has asked for a proof of who we are, or let us in: set by the engine */
	bool is_own;       /* of one session, from its opening to its end: never lent, nor idle */
	bool close_needed; /* RECONNECT, reload: closed as it comes free */
	bool used;         /* has served a session since its reset */
	bool told;         /* its session has been sent the last error of the server itself */
	bool was_session;  /* since its reset a client of session pooling has held it */
	bool is_cut;       /* a message of the session that left it ends in the middle */
	bool is_doubtful;  /* a cancel request for it may still be about, what it was told was odd, or it holds what no
			      reset takes away: closed as it comes free */
	bool is_apart;     /* never lent: opened by pool_open_apart(), or for an errand */
	bool is_probe;     /* what its host's half-open breaker waits for */
	bool is_spoilt;    /* what a session has set on it cannot be taken back: closed for that */
	struct cancel *errand; /* what it was opened for: a cancel request that is a statement; NULL mostly */
	uint64_t kind;         /* its engine's own: what was agreed on with it, and cannot be changed any more */
	uint32_t drained;      /* DRAIN: bytes that were swallowed */
	uint64_t drains_until; /* DRAIN: ms of loop_now() */
	bool finishes;         /* ACTIVE, DRAIN: its client has taken leave: what is under way is not cancelled */
	bool cancels_again;    /* DRAIN: another answer is awaited than the one that was asked to be cancelled */

	bool secret_second;               /* of two passwords the other one was tried */
	const struct secret *secret_used; /* by this login; set by the engine, and for comparison only */

	struct server_heard heard;
};

/* Opens one for the pool; it is in CONNECT then, and the pool hears pool_server_ready() or pool_server_failed(). NULL
 * when out of memory, or no host may be tried now. own: for one session, which the caller sets, and whose borrower
 * hears opened() or lost(). kind: what its engine is to agree on with it; 0 where engines know of none. */
struct server *server_open(struct pool *p, bool own, uint64_t kind);
/* why: for the log and, when a session is linked, for its client (NULL: it is not told). */
void server_close(struct server *sv, const char *why, const struct fault *f);
/* The only writer of sv->state. */
void server_move(struct server *sv, enum server_state to);
const char *server_state_name(const struct server *sv);
/* Idle for longer than server_check_delay: must be asked before it is lent. */
bool server_is_used(const struct server *sv, uint64_t check_delay_ms);
/* Begins a check with server_check_query. */
void server_check(struct server *sv);
/* It comes back from a session: cleans it, or makes it idle, or closes it. What its session left undone is cancelled
 * and rolled back, within server_rollback_timeout. */
void server_release(struct server *sv);
/* Sends a cancel request for what it runs, on a connection of its own. True: borrower_ops.cancelled(who) is called when
 * it is through; who (NULL: nobody waits) is in no list, and leaves the one it is put in by list_del() if it goes
 * before. False: there is nothing to cancel, it cannot be asked, or so many wait for the one under way that one more
 * says nothing. */
bool server_cancel(struct server *sv, struct list *who);

/* --- For whoever borrows servers (session/), which the pool does not know. */
struct borrower_ops {
	/* The server is gone; sv->session is cleared already. told: its client has had the server's own last error. */
	void (*lost)(struct session *s, struct server *sv, const struct fault *f);
	/* The server that was opened for it alone is ready, and ACTIVE; reported: all that it reported at login. */
	void (*opened)(struct session *s, const struct varset *reported);
	/* The server takes no more bytes for now (true), or does again. */
	void (*stalled)(struct session *s, bool stalled);
	/* What sync asked for is done; f: it failed, and the server is still linked and as it was. name: of the setting
	 * that cannot be set, and is to be forgotten; NULL: none is. */
	void (*synced)(struct session *s, const struct fault *f, const char *name);
	/* A cancel request that `who` waited for has reached the server, or cannot. */
	void (*cancelled)(struct list *who);
};
void server_set_borrower(const struct borrower_ops *ops);
/* Calls ops->sync, then synced(). */
void server_sync(struct server *sv, const struct varset *want, const struct varset *said);

/* --- For engines */
/* Login is through; vars (a reference, taken over) are its tracked settings, welcome (likewise) all it reported. */
void server_logged_in(struct server *sv, const struct varset *vars, const struct varset *welcome);
/* What sync() asked for has been done; sv->vars is up to date. */
void server_synced(struct server *sv);
/* It cannot be done, for a reason that is the session's; name: as in borrower_ops. */
void server_sync_refused(struct server *sv, const struct fault *f, const char *name);
/* What run() asked for has been answered; f: it failed. */
void server_done_own(struct server *sv, const struct fault *f);
/* All that abandon() waited for has been answered. */
void server_drained(struct server *sv);
/* One of the answers that nobody wants is here, and there are more: what runs now is cancelled, too. */
void server_drains_on(struct server *sv);
/* Of engines whose servers speak first, and which asked for TLS then: is it to be encrypted? must: and not used in
 * plain.
 */
bool server_wants_tls(const struct server *sv, bool *must);
/* From here on it is encrypted; start() is called when it is. False: it is closed. */
bool server_start_tls(struct server *sv);
/* It broke, or cannot be used: closed, and whoever depends on it hears f. */
void server_fail(struct server *sv, const struct fault *f);

#endif
