/* ask.h - a client of an engine on the exchange (the console): its requests in ask.c, what answers them in sink.c.
 * A step is one message that the engine answers: a Query, or a Parse, Describe or Execute of a batch. While it is under
 * way the client is not listened to. */
#ifndef SLUICE_PG_ASK_H
#define SLUICE_PG_ASK_H

#include "core/list.h"
#include "pg/pg_int.h"

enum step { STEP_QUERY, STEP_PARSE, STEP_DESCRIBE, STEP_EXECUTE };

/* A prepared statement. Counted: its name and each portal hold one. */
struct stmt {
	struct list in_client; /* alone when it has no name any more */
	unsigned refs;
	size_t ncols;
	size_t len, bytes; /* of text; of all */
	char *name, *text; /* in one piece with it */
};

struct portal {
	struct list in_client;
	struct stmt *stmt;
	struct cursor *at; /* suspended there; the engine's */
	bool is_done;
	char *name;
	unsigned nformats; /* 0: text; 1: of all columns; else of each */
	uint8_t formats[];
};

struct pg_sink {
	struct result_sink sink;
	struct pg_client *client;
	enum step step;
	bool has_cols; /* columns() was called in this step */
	bool has_failed;
	bool is_skipping;          /* up to the next Sync */
	const struct column *cols; /* of the result being sent */
	size_t ncols;
	size_t bad_col;        /* 1 + that of a value that cannot be sent in the format that was asked for; 0: none */
	struct stmt *stmt;     /* STEP_PARSE: that which is being made, ours; STEP_DESCRIBE: that which is described */
	struct portal *portal; /* STEP_EXECUTE, and STEP_DESCRIBE of one */
	struct list stmts, portals; /* owned; by name */
	size_t bytes, nportals;
};

/* The step is answered. */
void pg_step_ended(struct pg_sink *k);

/* Room in the client's stream for a message of n bytes; false: it is broken, and its owner hears of it. */
bool pg_sink_room(struct pg_sink *k, size_t n, struct pg_out *o);

extern const struct sink_ops pg_sink_ops;

#endif
