/* console_int.h - one client of the console, between console.c, which runs statements, and control.c, which has the
 * commands.
 *
 *   IDLE -> NEXT, for each statement -> SHOW, while its rows are sent -> NEXT
 *                                    -> WAIT, until the pools are so far -> NEXT
 *           NEXT -> IDLE: all is answered */
#ifndef SLUICE_ADMIN_CONSOLE_INT_H
#define SLUICE_ADMIN_CONSOLE_INT_H

#include "admin/console.h"
#include "admin/parse.h"
#include "admin/show.h"
#include "core/deadline.h"
#include "core/list.h"

enum console_state { CONSOLE_IDLE, CONSOLE_NEXT, CONSOLE_SHOW, CONSOLE_WAIT };

/* Owner: its session, as s->talk; ended by the exchange's close(). */
struct console {
	struct list in_waiting; /* those in CONSOLE_WAIT, in the order in which they came */
	struct session *session;
	struct result_sink *sink; /* the door's; NULL when IDLE */
	enum console_state state;
	bool has_answered; /* a statement of this request is done */
	char *text;        /* owned: the request; NULL when IDLE, or when rows go on that were suspended */
	size_t len, at;    /* at: the next statement */
	struct show show;
	uint64_t most;       /* show.rows of which the SHOW is suspended */
	uint64_t max_rows;   /* the request's */
	struct list cursors; /* owned: SHOWs that are suspended */
	struct deadline next_batch;
	enum command_id wait_cmd;
	const struct istr *wait_db; /* counted; NULL: all databases */
};

/* A SHOW that is suspended. Owner: its console. */
struct cursor {
	struct list in_console;
	struct show show;
};

/* What a command says: it is done; it failed, f says why; it goes on until control_is_over(); its own session is gone,
 * and the console with it. */
enum outcome { OUTCOME_DONE, OUTCOME_FAULT, OUTCOME_WAIT, OUTCOME_GONE };

typedef enum outcome command_fn(struct console *c, const struct order *o, struct fault *f);
#define SHOW(word, name, right, text)
#define COMMAND(words, name, right, shape, text) command_fn cmd_##name;
#include "admin/commands.def"
#undef SHOW
#undef COMMAND

void control_init(const struct admin_hooks *hooks);
void control_free(void);
/* Is what c waits for over? OUTCOME_WAIT: not yet. */
enum outcome control_is_over(const struct console *c, struct fault *f);
/* The wait was cancelled by its client. */
void control_cancelled(const struct console *c);

/* The waits may be over: they are looked at at the end of the turn. */
void console_check_waits(void);

#endif
