/* session.h - one client, from accept() to close: its identity, its tracked settings, and the server it is linked to.
 *
 *   LOGIN -> (WELCOME: a first server must tell what it reports at login) -> IDLE
 *   LOGIN -> WELCOME (in the pool's line) -> OPENING (a server of its own) -> ACTIVE: replication
 *   IDLE -> WAITING (in the pool's line) -> SYNC (its settings are replayed on the server) -> ACTIVE -> IDLE
 *   IDLE -> ACTIVE at once when an idle server has the right settings, or on the console
 *   WAITING, SYNC -> IDLE: the statement was refused, and the client stays
 *   ACTIVE -> IDLE also when the server was lost, or taken away because a timeout has passed
 *   IDLE -> LOGIN: it wants to be somebody else
 *   any -> DEAD
 *
 * Follow one query: stream on_bytes -> door on_bytes -> session_want_server() -> pool_take() -> the door forwards to
 * the server's stream -> the engine forwards the answer -> session_boundary() -> pool_give(). */
#ifndef SLUICE_SESSION_SESSION_H
#define SLUICE_SESSION_SESSION_H

#include "pool/pool.h"
#include "session/door.h"
#include "session/exchange.h"
#include "session/varset.h"

#include <string.h>

enum session_pin_bit {
#define PIN(name, shown) PIN_BIT_##name,
#include "session/pins.def"
#undef PIN
	PIN_COUNT
};
enum session_pin {
#define PIN(name, shown) PIN_##name = 1 << PIN_BIT_##name,
#include "session/pins.def"
#undef PIN
};

/* Pins that are given up when others wait for a server, or soon. */
#define SESSION_PINS_SOFT ((uint32_t)PIN_WARNINGS)

#define SESSION_STATES(X)                                                                                              \
	X(LOGIN, "login", TO(WELCOME) | TO(IDLE) | TO(DEAD))                                                           \
	X(WELCOME, "waiting", TO(IDLE) | TO(OPENING) | TO(DEAD))                                                       \
	X(OPENING, "waiting", TO(ACTIVE) | TO(DEAD))                                                                   \
	X(IDLE, "idle", TO(WAITING) | TO(SYNC) | TO(ACTIVE) | TO(LOGIN) | TO(DEAD))                                    \
	X(WAITING, "waiting", TO(SYNC) | TO(ACTIVE) | TO(IDLE) | TO(DEAD))                                             \
	X(SYNC, "active", TO(ACTIVE) | TO(IDLE) | TO(DEAD))                                                            \
	X(ACTIVE, "active", TO(IDLE) | TO(DEAD))                                                                       \
	X(DEAD, "dead", 0)
#define X(s, shown, next) SESSION_##s,
enum session_state { SESSION_STATES(X) SESSION_NSTATES };
#undef X

/* The timeouts that hold for a client, in milliseconds; 0: none. */
struct session_limits {
	uint32_t wait, query, xact, idle_xact, idle, slow, leak;
};

/* A client that wants the server's changes, and not its data, has a server of its own. In the order of what SHOW
 * CLIENTS says. */
enum session_replication { REPLICATION_NONE, REPLICATION_LOGICAL, REPLICATION_PHYSICAL };

/* What has taken too long, and was cancelled for that. */
enum session_late { LATE_NOT, LATE_QUERY, LATE_XACT };

/* Owner: the worker's list. Ended only by session_close(), which unlinks at once and frees at the end of the turn, so
 * code further up the stack may still hold it but should only return. */
struct session {
	struct log_ctx log;
	struct stream stream;
	struct list in_all;    /* sessions_all(), in the order of ids; the graveyard when DEAD */
	struct list in_resume; /* of those whose kept input is shown at the turn's end; alone mostly */
	const struct door_ops *door;
	struct database *db;        /* NULL before the start-up packet */
	struct user *user;          /* the client's own; NULL before login */
	struct pool *pool;          /* NULL before login, and on the console */
	struct server *server;      /* lent by the pool; server->session points back */
	void *talk;                 /* the exchange engine's own, on the console */
	const struct varset *vars;  /* counted: its tracked settings */
	const struct varset *said;  /* counted: its other settings, which servers do not report */
	const struct varset *asked; /* counted: the settings that it came with; a reset goes back to them */
	struct pool_wait wait;
	struct deadline deadline; /* the first of all that holds now, or one before it: it looks when it fires */
	struct session_limits limits;
	struct addr addr;
	uint64_t id;
	uint64_t connect_ms;
	uint64_t request_us; /* start of the statement that runs, or the last one's; 0: none yet */
	uint64_t xact_us;    /* start of the transaction; 0: in none */
	uint64_t slow_us;    /* how long a statement may take that is not told of */
	uint64_t leak_us;    /* request_us, when it was told of as one that holds a server and does nothing */
	uint64_t give_up_ms; /* when late: until then the server may end what was cancelled; with SESSION_PINS_SOFT
				alone: until then it keeps its server */
	uint8_t state;
	uint8_t mode;        /* enum pool_mode */
	uint8_t replication; /* enum session_replication; set by the door, before session_login_done() */
	uint32_t pins;       /* enum session_pin: why it keeps its server between transactions */
	bool is_own_user;    /* came by a unix socket as the user that Sluice runs as */
	bool is_cancelled;   /* by its client, while its settings are being replayed */
	bool is_in;          /* logged in: counted in user->clients and pool->nclients */
	bool is_running;     /* its server owes it an answer */
	bool keeps_heard;    /* what it says is kept for a while: session_says() */
	bool has_limits;     /* of query, transaction or idling: the only ones that each statement has to look at */
	bool was_noticed;    /* told that it waits for a server */
	bool has_retried;    /* lost a server before its statement had reached it */
	bool is_refused;     /* its settings could not be brought to the last server that it was lent */
	uint8_t late;        /* enum session_late */
};

/* --- For main */
void sessions_init(void);
/* A client has connected. Refuses it, in the door's words, when max_client_conn is reached or Sluice is shutting down.
 */
void session_accept(const struct door_ops *door, int fd, const struct addr *a, bool has_data);
struct list *sessions_all(void);
uint32_t sessions_count(void);
void session_move(struct session *s, enum session_state to);
const char *session_state_name(const struct session *s);
/* New clients are turned away from now on; those of the console are let in. */
void sessions_refuse(void);
bool sessions_is_refusing(void);
/* Called at the end of a turn in which a client left. NULL: nobody. */
void sessions_on_change(void (*changed)(void));
/* Reads again what holds for all clients; at start, and after each change of the settings. */
void sessions_configure(void);
extern uint32_t sessions_max_packet; /* max_packet_size as it is now, for each read */
/* After a reload: clients of databases that are configured no more are told so, and closed. */
void sessions_check_dropped(void);
void sessions_free(void); /* closes all, for exit */
/* How many hold a server, and have done nothing there for leak_threshold, as far as that has been found. */
size_t sessions_leaking(void);

/* --- For doors */
/* The start-up packet named them; nothing is proven yet. Either may be NULL: there is none of that name. May be called
 * again with a database when there was none. */
void session_identify(struct session *s, struct database *db, struct user *u);
/* Is there room for it, before anything is spent on it? FAULT_PROTO (max_client_conn), FAULT_SHUTDOWN, FAULT_NOT_NOW.
 */
bool session_may_enter(const struct session *s, struct fault *f);
/* The client is who it says. Places it in a pool; it is welcomed (door->on_welcome) within this call, or later, or
 * fails. s->vars has what the client itself asked for. */
void session_login_done(struct session *s);
/* Before anything is forwarded. True: linked, and its settings are in place. False: the door leaves its bytes where
 * they are; they are shown again when a server is there. */
bool session_want_server(struct session *s);
/* Between transactions it keeps its server. */
bool session_keeps_server(const struct session *s);
/* The server is at rest, between transactions (in_transaction: in one). Gives it back as the pool mode says; true if
 * so. */
bool session_boundary(struct session *s, bool in_transaction);
/* It keeps its server from now on, unless pin_policy has that ignored: what it did there cannot be brought to another.
 */
void session_pin(struct session *s, uint32_t pins);
/* The same, whatever pin_policy says: what is there is known here by its place. pins: those that it does not have yet.
 */
void session_keep(struct session *s, uint32_t pins);
/* Does pin_policy refuse a statement that would get the client these? f: why. */
bool session_pins_are_refused(const struct session *s, uint32_t pins, struct fault *f);
/* Does it have none be kept? */
bool session_ignores_pins(const struct session *s);
/* "listen,temporary", cut to cap bytes. */
void session_pins_text(uint32_t pins, char *out, size_t cap);
/* The clocks of statistics: a statement goes to the server; an answer is complete (in_transaction: a block is open). */
void session_request_begins(struct session *s);
void session_request_ends(struct session *s, bool in_transaction);
/* It says this to its server, of a text of `total` bytes: kept, cut, for whoever asks what ran. Where keeps_heard is
 * set, and for each statement once. text: NULL: it is not known. */
static inline void session_says(struct session *s, const void *text, size_t len, size_t total)
{
	struct server_heard *h = &s->server->heard;
	h->len = (uint16_t)(!text ? 0 : len < SERVER_HEARD_MAX ? len : SERVER_HEARD_MAX);
	h->is_cut = h->len < total;
	h->sent++;
	if (h->len)
		memcpy(h->text, text, h->len);
}
/* Does it go on when its server is lost, or its transaction is taken away? Else it is told and closed. */
bool session_is_kept(const struct session *s);
/* An error of the server's for a statement that was cancelled here: FAULT_TIMEOUT, and what the client should be told
 * instead. */
bool session_is_late(const struct session *s, struct fault *f);
/* It asks for its server's changes, as they come: limits of time do not hold for that. */
void session_replicates(struct session *s, bool does);
/* What it has on its server is given up, and its settings are those that it came with. Nothing is owed to it. False:
 * out of memory. */
bool session_reset(struct session *s);
/* Likewise, and it is to log in again, as whoever it says. */
bool session_begin_again(struct session *s);
/* What it calls itself; "": nothing. */
const char *session_program(const struct session *s);
/* Tells the client, logs, and closes. */
void session_fail(struct session *s, const struct fault *f);
/* Closes without a word. why is for the log: "client close". */
void session_close(struct session *s, const char *why);
/* Cancels what it does: forwards to its server, or takes it out of the line. who: the client that asked. True: it is
 * closed when the request has reached the server, so that it may go on to the next statement only then; else close it
 * now. */
bool session_cancel(struct session *s, struct session *who);
/* The same, at the word of another client who does not wait for it. */
void session_kill_query(struct session *s);
/* who brought a cancel request for a client of another process. True: it is forwarded, and who is closed when it is
 * through; else close it now. */
struct engine_ops;
bool session_forward_cancel(struct session *who, uint32_t peer, const struct engine_ops *ops, const uint8_t *bytes,
			    size_t n);
/* It does not have this setting, which cannot be set any more, nor goes back to it: the default holds. */
void session_forget_setting(struct session *s, const char *name);
/* The only client that waits for a server of the pool; NULL: there is none, or others wait as well. */
struct session *session_alone_in_line(const struct pool *p);
/* It is not read from until stream_unhold(). That it hangs up meanwhile is noticed all the same, if a little later,
 * when it has a server. */
void session_hold(struct session *s, unsigned why);
/* Kept input is shown to the door again at the end of the turn. */
void session_resume_input(struct session *s);

#endif
