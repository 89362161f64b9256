/* pool.h - server connections of one (database, user) pair, lent to sessions one at a time.
 * Times are milliseconds of loop_now(). All on the loop's thread. A session that finds no idle server waits in one
 * line, first come first served, and user by user where several share a pool; a released server goes to the first in
 * line at the end of the turn. */
#ifndef SLUICE_POOL_POOL_H
#define SLUICE_POOL_POOL_H

#include "gate/codel.h"
#include "pool/database.h"
#include "pool/server.h"
#include "session/varset.h"

enum pool_mode { POOL_SESSION, POOL_TRANSACTION, POOL_STATEMENT }; /* in the order of the pool_mode setting's words */

/* Settings as they hold for this pool. */
struct pool_limits {
	uint32_t size, min_size, reserve_size;
	uint64_t reserve_ms;
	uint32_t max_db, max_user; /* 0: no limit */
	enum pool_mode mode;
	bool round_robin;
	uint64_t lifetime_ms, idle_ms, connect_ms, retry_ms, check_ms; /* 0: no limit; check_ms 0: always */
	uint32_t max_waiting;                                          /* 0: no limit */
	uint32_t active_db, active_user;                               /* max_active; 0: no limit */
	uint32_t weight;
	struct bucket_limits rate_db, rate_user; /* rate_limit */
	bool rate_rejects;
	bool is_shared; /* what one of it gives back may be what another pool waits for */
	bool is_gated;  /* one of max_active and rate_limit holds */
	struct codel_limits queue;
	uint64_t validation_ms;                /* for a check */
	uint32_t retries;                      /* validation_retries */
	struct bucket_limits opening;          /* connect_rate: of each host */
	uint64_t rollback_ms;                  /* 0: what was abandoned is closed */
	const char *check_query, *reset_query; /* of pool->config */
	bool reset_always;
};

struct pool {
	struct map_node node; /* by database and user */
	struct list in_all, in_db;
	struct database *db;
	struct user *user;     /* whose servers they are: the client's, or the database's forced one */
	struct config *config; /* counted: the limits' texts are in it */
	struct pool_limits lim;
	struct list by_state[SERVER_NSTATES];
	uint32_t count[SERVER_NSTATES];
	struct list waiting;         /* pool_wait, who came first first */
	struct list flows;           /* the same by users, in the order of their turns; see turn.c */
	struct flow *flow;           /* owned: of the first user */
	struct map by_user;          /* of the others */
	struct list delayed;         /* pool_wait whose time has not come, the earliest first */
	uint32_t nwaiting, nclients; /* sessions that belong here */
	uint32_t nwaiting_own;       /* of those in line: for a server that nobody else gets */
	uint32_t ndelayed;           /* of the others: delayed */
	uint64_t pass;               /* what it has had of its database's limits, by its weight */
	uint64_t stood_back, lacks_since_ms;
	uint8_t lacks, lacked;        /* LACK_...: what keeps it from serving; what did so before */
	uint32_t own_opening;         /* servers that belong to a session for good, while they are being opened */
	uint32_t own_active;          /* and those that are in use */
	uint32_t nretrying;           /* servers that could not be opened, and are tried again: one */
	uint32_t napart;              /* servers that are not lent: see pool_open_apart() */
	const struct varset *welcome; /* counted: all that a server reported at login; NULL before the first */
	const struct varset *vars;    /* counted: the tracked part of it */
	struct varset_parted parted;  /* what the last client that was welcomed asked for */
	struct deadline deadline;     /* the next time that something is due for the pool as a whole */
	struct task serve_task;
	uint64_t failed_ms;         /* when the last attempt to open a server failed; 0: the last one succeeded */
	uint64_t failed_hosts;      /* those it could not log in to, by breakers that are closed: a bit for a place */
	uint64_t host_tried_ms;     /* when that happened last, or one of them was tried again */
	uint32_t failed_generation; /* of the database; of another one the failures are history */
	struct fault failure;
	uint64_t answered_before;   /* statements that were in time, when one was late last */
	struct log_seldom refusals; /* lines about servers that could not be opened */
	struct log_seldom slow;     /* and about slow statements */
	uint64_t starved_until_ms;  /* no server is opened before that: Sluice itself is out of descriptors */
	uint64_t unused_since;      /* ms; 0: in use */
	uint64_t kind;              /* of the servers that were wanted last */
	bool is_mixed;              /* servers of several kinds were wanted */
	bool has_secret;            /* the one below counts, not the user's: auth_query told it, or the client itself */
	struct secret secret;       /* owned */
	struct stats stats;
	struct stats stats_before, stats_last; /* at the last period's end; what was added in that period */
};

/* A place in the line: the caller's memory, untouched until a callback or pool_leave(). */
struct flow;
struct pool_wait {
	struct list in_line;     /* alone: it does not wait */
	struct list in_flow;     /* or pool->delayed */
	struct flow *flow;       /* NULL: delayed, or not in line */
	const struct user *user; /* whose turn it takes; NULL: the pool's */
	uint64_t since_us;
	uint64_t kind;          /* of the server that it wants: struct server */
	bool is_login;          /* only to hear what servers report: no rate_limit holds for it */
	uint64_t not_before_us; /* its own rate_limit lets it wait until then; 0: it does not */
	bool is_over;           /* and is to be refused for it */
	bool is_own;            /* wants a server that is opened for it alone, and closed when it is given back */
	/* sv is ACTIVE and yours; is_own: it is being opened, and sv->session, which is to be set now, hears of it. */
	void (*granted)(struct pool_wait *w, struct server *sv);
	void (*refused)(struct pool_wait *w, const struct fault *f);
};

/* The pool of a database for a user, made when there is none. NULL when out of memory. */
struct pool *pool_find(struct database *db, struct user *u);
/* Only if it is there already. */
struct pool *pool_peek(struct database *db, struct user *u);
/* With which servers of the pool are logged in to. */
struct secret *pool_secret(struct pool *p);
/* A secret that holds in this database: *s, which is empty after. Keys that are known already are kept. NULL: it is the
 * user's own again. */
void pool_learn(struct pool *p, struct secret *s);
struct list *pools_all(void);
/* Re-reads its limits from config_now(). */
void pool_configure(struct pool *p);

/* An idle server at once (ACTIVE, yours), or NULL: w stands in line, and exactly one of its callbacks fires later,
 * never inside this call. */
struct server *pool_take(struct pool *p, struct pool_wait *w);
void pool_leave(struct pool *p, struct pool_wait *w);
/* No server can be of this kind: whoever waits for one is refused. instead: what may be opened for nobody in
 * particular. */
void pool_refuse_kind(struct pool *p, uint64_t kind, uint64_t instead, const struct fault *f);
/* Gives a server back. It is no longer yours. */
void pool_give(struct server *sv);

/* Opens a server that is never lent: the engine keeps it for itself and hears of it by its apart(). It counts in
 * max_db_connections and max_user_connections, not in the pool's size. PAUSE, RECONNECT, KILL and a new target close
 * it. NULL: the limits, or out of memory. */
struct server *pool_open_apart(struct pool *p);

/* Ask for a server to be opened, idle ones lent, and min_pool_size filled, at the end of the turn. */
void pool_serve(struct pool *p);
/* From server.c: it became idle; it could not be opened or has gone. */
void pool_server_ready(struct server *sv);
void pool_server_failed(struct pool *p, const struct fault *f);
void pool_server_gone(struct pool *p);
uint32_t pool_servers(const struct pool *p); /* in any state but DEAD */
/* Those that are logged in as this user, in all databases, whoever their clients are. */
uint32_t pool_user_servers(const char *name);

/* --- Hosts (hosts.c). Each has a circuit breaker: src/gate/breaker.h. */
/* May a server be opened? PROBED: not before one that is being opened has shown what the host does, or as connect_rate
 * says. OPEN: not for some time, by the breakers. Else *wait_ms is when to ask again. */
enum pool_gate { GATE_GO, GATE_PROBED, GATE_OPEN };
enum pool_gate pool_gate(const struct pool *p, uint64_t *wait_ms);
/* What clients are told at an OPEN one. */
void pool_gate_fault(const struct pool *p, struct fault *f);
/* The host to open the next server of. One that failed lately is not tried while there are others. NULL: no breaker, or
 * connect_rate, lets one be opened now. */
struct host *pool_next_host(struct pool *p);
/* From server.c: this server is being opened; it has logged in or (f) could not, before pool_server_ready() and
 * pool_server_failed(); it is closed, whether or not it has said what its host does. */
void pool_host_opening(struct server *sv);
void pool_host_tried(struct server *sv, const struct fault *f);
/* It could not: is it worth another try at once, since the host alone is to blame, and there is no other? Only when it
 * was the last it counts for the host: pool_host_tried(). */
bool pool_host_may_retry(struct server *sv, const struct fault *f);
void pool_host_gone(struct server *sv);
/* It ended without a word before it had answered, or did not answer a check; a statement there was cancelled by
 * query_timeout. */
void pool_host_broke(struct server *sv, const char *why);
void pool_host_late(struct server *sv);
/* Of all hosts none can be tried now: when that may be again. */
bool pool_all_failed(const struct pool *p);
uint64_t pool_retry_at(const struct pool *p);
/* Of an older target they say nothing. */
void pool_forget_failures(struct pool *p);
/* For the console: state, failures that count, and in how many milliseconds a connection may be opened. */
struct host_gate {
	enum breaker_state state;
	uint32_t failures;
	uint64_t wait_ms;
};
void host_look(const struct host *h, struct host_gate *out);

/* --- For the console. NULL db: all. */
void pool_pause(struct database *db);
void pool_resume(struct database *db);
bool pool_is_all_paused(void);
bool pool_is_paused(const struct pool *p);
bool pool_is_opening(const struct pool *p);    /* it has no server yet, but tries to get one */
bool pool_is_quiet(const struct database *db); /* no server of it is open */
/* RECONNECT: every server is closed as it comes free. */
void pool_reconnect(struct database *db);
/* KILL: every server is closed now. Clients are the caller's concern. */
void pool_kill(struct database *db);
/* Called at the end of a turn in which a server came free or went; the console waits with it. NULL: nobody. */
void pool_on_change(void (*changed)(void));
/* A stats period is over: called by its owner, who makes averages of stats_last. */
void pool_stats_tick(void);
/* Everything off, for exit. */
void pools_free(void);

#endif
