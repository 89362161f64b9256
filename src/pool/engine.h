/* engine.h - what a protocol's engine offers to the pool: how servers of its kind are opened, kept and closed.
 * The pool never looks into bytes; an engine never chooses a server. */
#ifndef SLUICE_POOL_ENGINE_H
#define SLUICE_POOL_ENGINE_H

#include "core/rd.h"
#include "core/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;
struct session;
struct varset;

#define ENGINE_BYTES_MAX 512 /* room for a goodbye or a cancel request */

/* In what condition a session left a server. */
enum engine_left {
	ENGINE_REST,  /* nothing is expected, no transaction is open */
	ENGINE_OPEN,  /* nothing is expected; a transaction is open */
	ENGINE_OWES,  /* answers are to come, which nobody wants: swallowed; then server_drained() */
	ENGINE_BROKEN /* there is no way back: to be closed */
};

enum engine_tls { ENGINE_TLS_YES, ENGINE_TLS_NO, ENGINE_TLS_BROKEN };

struct engine_ops {
	const char *name; /* "postgres" */
	/* printf format of the socket's name in its directory, with the port: ".s.PGSQL.%u"; NULL: a host that is a
	 * path is the socket itself. */
	const char *socket_file;
	const char *no_host;          /* where servers are when none is named; NULL: in unix_socket_dir */
	struct server *(*make)(void); /* zeroed; NULL when out of memory */
	void (*free)(struct server *sv);
	/* How this protocol asks a server for TLS before anything else is said: the request, its length; and what
	 * the one byte that answers it means. NULL: the server speaks first, and TLS is the engine's to ask for then:
	 * server_wants_tls(). */
	size_t (*tls_request)(uint8_t out[ENGINE_BYTES_MAX]);
	enum engine_tls (*tls_answer)(uint8_t answer);
	/* The socket is connected, and encrypted if it is to be: say hello. A second time when the first attempt was
	 * given up for one that is encrypted, or is not, or when server_start_tls() is through. Then server_logged_in()
	 * or server_fail(). */
	void (*start)(struct server *sv);
	/* It closed, or refused with f, before it had greeted us: is there another way to say hello? start() will take
	 * it, on a fresh connection. */
	bool (*start_otherwise)(struct server *sv, const struct fault *f);
	void (*on_bytes)(struct server *sv, struct rd *in);
	/* Brings the server's settings to these, those that it reports and the others; then server_synced() or
	 * server_sync_refused(). */
	void (*sync)(struct server *sv, const struct varset *want, const struct varset *said);
	/* Runs a statement of the house's own (reset, check, connect query); then server_done_own(). Answers are
	 * swallowed. "": whatever shows that it lives. */
	void (*run)(struct server *sv, const char *sql);
	/* Cleans it by the protocol's own means, which server_reset_query only switches on and off then; likewise.
	 * NULL: that setting is a statement of this protocol. */
	void (*reset)(struct server *sv);
	/* Asks what sv->ask says: its row() for each row, then ask_answered(). */
	void (*ask)(struct server *sv);
	/* Nothing is expected from it, no transaction is open, no byte is half read. */
	bool (*at_rest)(const struct server *sv);
	/* A server that the engine has opened by pool_open_apart() is up (NULL), or could not be opened or has gone
	 * (why). */
	void (*apart)(struct server *sv, const struct fault *f);
	/* How many statements are prepared there for clients that share it. */
	uint32_t (*prepared)(const struct server *sv);
	/* Its session is gone: does what brings it to rest (a copy is ended, a batch closed). May be called again. */
	enum engine_left (*abandon)(struct server *sv);
	/* The last words before closing it, and what asks its host to cancel what it runs, on a fresh connection;
	 * lengths; 0: none. */
	size_t (*goodbye)(const struct server *sv, uint8_t out[ENGINE_BYTES_MAX]);
	size_t (*cancel)(const struct server *sv, uint8_t out[ENGINE_BYTES_MAX]);
	/* What cancel() gives is a statement, with its NUL, which is run on a connection that logs in for it. */
	bool cancels_by_statement;
};

#endif
