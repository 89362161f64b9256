/* batch.h - the messages of the extended query protocol, as clients send them. Pure: bodies in, values out, all of them
 * borrowed from the body. PostgreSQL docs, Frontend/Backend Protocol, Message Formats. */
#ifndef SLUICE_PG_BATCH_H
#define SLUICE_PG_BATCH_H

#include "pg/wire.h"

struct pg_parse {
	const char *name, *text;
	size_t text_len;
	unsigned ntypes; /* parameters whose types it names */
	struct rd types; /* their oids */
};

struct pg_bind {
	const char *portal, *name;
	unsigned nparam_formats, nparams, nformats;
	struct rd param_formats; /* u16 each */
	struct rd params;        /* a length, then as many bytes; -1: NULL. All of them are whole */
	struct rd formats;       /* u16 each: of the result's columns */
};

/* Describe and Close. */
struct pg_target {
	uint8_t kind; /* 'S': a statement, 'P': a portal; nothing else */
	const char *name;
};

struct pg_execute {
	const char *portal;
	uint32_t max_rows; /* 0: all */
};

/* False: not a message of that kind. */
bool pg_read_parse(struct rd body, struct pg_parse *m);
bool pg_read_bind(struct rd body, struct pg_bind *m);
bool pg_read_target(struct rd body, struct pg_target *m);
bool pg_read_execute(struct rd body, struct pg_execute *m);

#endif
