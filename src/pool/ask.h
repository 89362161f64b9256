/* ask.h - a question of the house's own: a statement with one text parameter, asked of a server out of a pool; its rows
 * come back one by one. The parameter travels as a value, never as a part of the text. */
#ifndef SLUICE_POOL_ASK_H
#define SLUICE_POOL_ASK_H

#include "pool/pool.h"
#include "session/exchange.h"

#define ASK_COLUMNS_MAX 16u /* more are told as that many */

/* The caller's memory, which stays put until done() or ask_cancel(). sql and param are borrowed as long. */
struct ask {
	struct pool_wait wait;
	struct pool *pool;     /* NULL: nothing is asked */
	struct server *server; /* lent; its `ask` points back */
	const char *sql, *param;
	void (*row)(struct ask *a, const struct cell *cells, size_t n);
	/* The last call. f: it failed. FAULT_INTERNAL: the server refused the statement, with its words; others: there
	 * was no server, or it was lost. May fire within ask_begin(). */
	void (*done)(struct ask *a, const struct fault *f);
};

void ask_begin(struct ask *a, struct pool *p);
/* No callback fires any more; a server that is at it is closed. Nothing happens when nothing is asked. */
void ask_cancel(struct ask *a);

/* --- For engines, of a server with an `ask`: all of it is answered, f: with an error. The server is given back. */
void ask_answered(struct server *sv, const struct fault *f);
/* --- For server.c: the server has gone. */
void ask_lost(struct ask *a, const struct fault *f);

#endif
