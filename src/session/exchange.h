/* exchange.h - requests and results in a neutral form, for when door and engine do not speak the same protocol.
 * A door decodes what its client sent into a struct request, the engine answers through the door's struct result_sink,
 * and the door encodes that. The console is an engine on this exchange; validation queries and Oracle are requests
 * likewise. A door that prepares statements has them described first, and keeps their text: what runs is always a text,
 * or goes on where it was suspended. Flow: any sink call may answer false, "I am full": the engine stops and goes on
 * when exchange_ops.resume is called. */
#ifndef SLUICE_SESSION_EXCHANGE_H
#define SLUICE_SESSION_EXCHANGE_H

#include "core/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

struct text_span {
	const char *s; /* not NUL-terminated */
	size_t len;
};

/* What a column holds, in no protocol's terms. */
enum column_type { COL_TEXT, COL_INT4, COL_INT8, COL_NUMERIC, COL_BOOL };

struct column {
	const char *name;
	enum column_type type;
};

struct cell {
	bool is_null;
	struct text_span text; /* the value's text form; borrowed for the call */
};

struct cursor; /* the engine's: where a result goes on */

struct request {
	struct text_span text; /* one statement, or several: the engine's own syntax says; borrowed for the call */
	uint64_t max_rows;     /* 0: all. Else text is one statement, which is suspended when so many are sent */
	struct cursor *cursor; /* not NULL: the next rows of a result that was suspended, instead of text */
};

struct result_sink;

struct sink_ops {
	/* Before the rows of one result, and before those of a result that goes on; to describe(), all that there is to
	 * say. cols stay valid until done, suspended or end. */
	bool (*columns)(struct result_sink *k, const struct column *cols, size_t n);
	bool (*row)(struct result_sink *k, const struct cell *cells, size_t n);
	/* One statement is complete. tag: what it did ("SHOW", "RELOAD"); with rows it was a result of `rows` rows. */
	bool (*done)(struct result_sink *k, const char *tag, uint64_t rows);
	/* Instead of done: max_rows are sent. The next are asked for with this cursor, which is the engine's again
	 * then; one that is not asked for is given back to drop(), or ends with close(). */
	bool (*suspended)(struct result_sink *k, struct cursor *at);
	/* A message beside the result. */
	bool (*notice)(struct result_sink *k, const char *text);
	/* The request failed; nothing follows but end. */
	void (*fault)(struct result_sink *k, const struct fault *f);
	/* The whole request is answered: the session may send the next. Always the last call. */
	void (*end)(struct result_sink *k);
};

struct result_sink {
	const struct sink_ops *ops;
};

/* An engine on the exchange. One request of a session at a time. */
struct exchange_ops {
	/* A session that is authenticated wants in: sets s->talk (its own) and s->vars (what the door reports at login;
	 * a reference). FAULT_DENIED. */
	bool (*open)(struct session *s, struct fault *f);
	/* It has gone: frees s->talk, and its cursors. Nothing may be put into its sink any more. */
	void (*close)(struct session *s);
	/* Begins; the answer may come within the call or later. The request's text is copied if it is needed longer. */
	void (*ask)(struct session *s, const struct request *r, struct result_sink *k);
	/* Says what ask() would answer with, and runs nothing: columns, if the statement gives rows, and end; or fault
	 * (it is no statement, or several) and end. */
	void (*describe)(struct session *s, const struct request *r, struct result_sink *k);
	/* No more rows of it are wanted. */
	void (*drop)(struct session *s, struct cursor *at);
	/* The sink has room again. */
	void (*resume)(struct session *s);
	/* The client asked to cancel what runs: it ends with a fault soon. */
	void (*cancel)(struct session *s);
};

#endif
