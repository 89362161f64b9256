/* pgraw.h - a client that says exactly what it is told to, message by message, and keeps each answer as a line of text.
 * PostgreSQL docs, Frontend/Backend Protocol, Message Formats.
 * Nothing here fails a test: what went wrong is for the caller to see. What two servers of one version may say
 * differently of the same thing (files and lines of errors, the numbers of tables) is not in the lines. */
#ifndef SLUICE_TEST_PGRAW_H
#define SLUICE_TEST_PGRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pgraw_bytes {
	char *p; /* owned */
	size_t n, cap;
};

void pgraw_add(struct pgraw_bytes *b, const void *p, size_t n);
void pgraw_add_u16(struct pgraw_bytes *b, unsigned v);
void pgraw_add_u32(struct pgraw_bytes *b, uint32_t v);
void pgraw_add_cstr(struct pgraw_bytes *b, const char *s);
/* A message: what is added between these two is its body. */
size_t pgraw_begin(struct pgraw_bytes *b, char type);
void pgraw_end(struct pgraw_bytes *b, size_t begun);

/* What was heard: the message's type, and a line that begins with it. */
struct pgraw_heard {
	char *line; /* owned */
};

struct pgraw_param {
	char name[40], value[80];
};

struct pgraw {
	int fd;                    /* -1: not connected, or not any more */
	uint32_t pid, secret;      /* BackendKeyData */
	char status;               /* of the last ReadyForQuery */
	bool closed;               /* by the other side */
	struct pgraw_bytes in;     /* not yet a message */
	struct pgraw_heard *heard; /* since pgraw_forget(), but for ParameterStatus */
	size_t nheard, cap;
	struct pgraw_param params[40]; /* as told by ParameterStatus */
	size_t nparams;
};

/* Connects to 127.0.0.1 and logs in without a password. asks: more parameters for the startup message, a name and a
 * value in turn, and NULL behind them; or NULL. False: it could not. */
bool pgraw_open(struct pgraw *r, int port, const char *user, const char *database, const char *const *asks);
bool pgraw_send(struct pgraw *r, const struct pgraw_bytes *b);
/* Reads what is there. False when the other side has closed, or speaks nonsense. */
bool pgraw_read(struct pgraw *r);
void pgraw_forget(struct pgraw *r);
const char *pgraw_param(const struct pgraw *r, const char *name); /* "" when it was not told */
/* Asks to cancel what the connection does, and waits until the request is dealt with. */
bool pgraw_cancel(const struct pgraw *r, int port);
/* With or without a Terminate. */
void pgraw_close(struct pgraw *r, bool politely);

#endif
