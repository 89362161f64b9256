/* database.h - databases, their hosts, and users as they live: what a configuration entry turns into, with its state.
 * They outlive a reload; what the new configuration dropped goes when its last client and server have gone. */
#ifndef SLUICE_POOL_DATABASE_H
#define SLUICE_POOL_DATABASE_H

#include "auth/secret.h"
#include "config/config.h"
#include "core/deadline.h"
#include "core/intern.h"
#include "gate/breaker.h"
#include "gate/bucket.h"
#include "net/addr.h"
#include "net/tls.h"
#include "pool/stats.h"

struct engine_ops;
struct exchange_ops;

/* One address (name, socket directory) of a database. Freed when the configuration has dropped it and its last server
 * is gone. */
struct host {
	struct database *db;
	char *name; /* owned; beginning with '/' or '@': a unix socket directory */
	uint16_t port;
	bool dropped;
	struct tls_ticket ticket; /* of its servers */
	uint32_t servers;         /* open or being opened */
	bool is_old;              /* for its engine: it takes only the older way to say hello, until it goes away */
	uint64_t failed_ms;       /* when connecting to it failed last; 0: it did not */
	struct breaker breaker;
	struct bucket opening; /* connect_rate */
	uint64_t broke_ms;     /* when a server of it broke, last; 0: never */
	char failure[160];     /* why it failed last; "": it did not */
};

struct database {
	struct map_node node; /* by name */
	struct list in_all;
	const struct istr *name; /* as clients say it */
	enum db_kind kind;
	struct config *config;               /* counted: conf lives in it; NULL for the console */
	const struct db_conf *conf;          /* the "*" entry for an automatic one */
	const struct engine_ops *engine;     /* relays to servers; or */
	const struct exchange_ops *exchange; /* answers itself: the console */
	struct host **hosts;                 /* owned */
	uint32_t nhosts, next_host;
	struct user *forced; /* owned: the user= of its entry, or NULL */
	struct list house;   /* users that the house itself is there, for auth_query */
	void *notes;         /* owned: the engine's own, of what it has learned there; in one piece; NULL mostly */
	void *listener;      /* the engine's own: what listens there for all clients; NULL mostly */
	struct list pools;
	struct bucket rate;        /* rate_limit, of all that is lent there */
	struct stats gone_stats;   /* of pools that were dropped */
	uint64_t pass;             /* of the pool that was served last: see turn.c */
	uint32_t nwaiting;         /* in lines of its pools */
	uint32_t servers, clients; /* clients: also those that are still logging in */
	uint32_t clients_in;       /* and without them */
	uint32_t generation; /* counts changes of the target: servers of an older one are closed as they come free */
	bool is_console;
	bool is_auto;    /* made for a name that only "*" matched */
	bool is_entered; /* a client has been in, or the console has named it */
	enum secret_kind
		told_kind;        /* of most of the secrets that auth_query told when this one was asked; or NONE yet */
	uint32_t told_iterations; /* SCRAM: theirs */
	uint32_t told_weight;     /* by how many they are more than others */
	bool paused, disabled;
	bool dropped;             /* no longer configured */
	uint64_t unused_since;    /* ms, for autodb_idle_timeout; 0: in use */
	struct deadline deadline; /* of an automatic one that is unused */
};

struct user {
	uint32_t refs;        /* sessions, pools, and one while it is configured */
	struct map_node node; /* by name; not for forced ones */
	struct list in_all;
	const struct istr *name;
	struct config *config;        /* counted, as conf is in it */
	const struct user_conf *conf; /* NULL: a guest, in no file */
	struct secret secret;
	uint32_t clients;
	struct bucket rate; /* of its own rate_limit */
	bool is_admin, is_stats;
	bool is_forced;
	bool is_house; /* and not for clients: no client's settings are ever in force on its servers */
	bool dropped;  /* no longer configured, or never was */
};

/* Called once, before any other. */
void databases_init(void);
void databases_free(void);

/* Which engine serves databases of a kind; floor 4 says, before the first configuration. */
void database_set_engine(enum db_kind kind, const struct engine_ops *ops);

/* Brings databases and users in line with config_now(): new ones appear when asked for, changed ones get their new
 * limits, dropped ones are marked and their servers closed. Their sessions are the caller's concern. */
void databases_reload(void);

/* How servers are reached has changed for all: those that are open are closed as they come free. */
void databases_retarget(void);

/* The database of that name, or one made from the fallback entry; FAULT_NO_DB. */
struct database *database_find(const char *name, struct fault *f);
/* Would it be found? Makes none: whoever has not logged in yet may ask with any name. */
bool database_is_known(const char *name);
/* Only if it is there already. */
struct database *database_peek(const char *name);
/* The pseudo-database, which main() registers with its engine under each of its names. */
struct database *database_add_console(const char *name, const struct exchange_ops *ops);
struct list *databases_all(void);
/* Frees it when it is dropped and nothing is left of it. */
void database_check_unused(struct database *db);
/* One of the * entry that nobody has been in yet is wanted all the same, until it has been unused for
 * autodb_idle_timeout. */
void database_keep(struct database *db);
/* The host for its next server connection, by load_balance_hosts, of those whose places in the list may be taken. NULL:
 * none may. */
struct host *database_next_host(struct database *db, bool (*may)(void *arg, uint32_t place), void *arg);
/* Of a server that has gone. */
void host_put(struct host *h);
/* The name of the database on the server. */
const char *database_remote_name(const struct database *db);

/* The user of that name from the configuration, or, when `unknown_ok` (whoever vouches for it is not auth_file), a
 * guest, which is gone when nobody refers to it: take a reference at once. NULL: no such user, or out of memory. */
struct user *user_find(const char *name, bool unknown_ok);
/* Only if it is there already. */
struct user *user_peek(const char *name);
/* The house's own user of that name in a database, with the secret that auth_file has for it. NULL: out of memory. */
struct user *user_house(struct database *db, const char *name);
struct user *user_ref(struct user *u);
void user_put(struct user *u); /* NULL is fine */
struct list *users_all(void);

#endif
