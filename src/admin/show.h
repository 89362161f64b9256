/* show.h - SHOW: rows that are made while they are sent, a batch at a time.
 * What is shown is a set of items, each with a key; rows come in the keys' order. Between two batches, and while the
 * sink is full, only the key of the last row is kept, so that a long SHOW holds neither the loop nor memory, and what
 * comes and goes meanwhile does no harm: an item that is there all the time is shown once. */
#ifndef SLUICE_ADMIN_SHOW_H
#define SLUICE_ADMIN_SHOW_H

#include "admin/parse.h"
#include "core/intern.h"
#include "core/str.h"
#include "session/exchange.h"

#define SHOW_BATCH    256 /* rows in one turn of the loop */
#define SHOW_COLS_MAX 64

/* Ordered by a, then b, then id. Texts are borrowed for the batch; "" where there is nothing. */
struct item {
	const char *a, *b;
	uint64_t id;
	const void *obj; /* the row's own */
	size_t rank;     /* batch_offer()'s own */
};

/* The first SHOW_BATCH items behind the last row. */
struct batch {
	const struct item *after; /* NULL: from the beginning */
	size_t count, offered;
	bool more; /* there are others behind them */
	struct item at[2 * SHOW_BATCH];
};
/* Of two with the same key the one that is offered first counts. False: the batch is full; who offers in ascending
 * order may stop. */
bool batch_offer(struct batch *b, struct item it);

/* One row while it is made. */
struct row {
	struct cell cells[SHOW_COLS_MAX];
	size_t n;
	size_t used;
	char text[2048]; /* of the numbers and times among the cells */
	struct sb sb;    /* for one long text */
};
void row_text(struct row *r, const char *s); /* borrowed until the row is sent; NULL: an SQL NULL */
void row_int(struct row *r, uint64_t n);     /* an int4: what is more is shown as the most that it holds */
void row_big(struct row *r, uint64_t n);     /* an int8 or numeric */
void row_fmt(struct row *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A time of loop_now_us() as "2026-03-04 12:03:44 UTC". */
void row_time(struct row *r, uint64_t at_us);

struct show_def {
	const struct column *cols;
	size_t ncols;
	/* Offers every item that there is. */
	void (*gather)(struct batch *b);
	/* Makes the row of one. */
	void (*row)(struct row *r, const struct item *it);
};

#define SHOW(word, name, right, text) extern const struct show_def show_##name;
#define COMMAND(words, name, right, shape, text)
#include "admin/commands.def"
#undef SHOW
#undef COMMAND

struct database;
/* "round-robin" or "disable"; NULL where there is one host only. */
const char *show_load_balance(const struct database *db);

/* Column names that are put together from the table of statistics; once, before any SHOW. */
void show_stats_init(void);

/* A SHOW under way. */
struct show {
	const struct show_def *def;
	uint64_t rows;            /* sent so far */
	const struct istr *a, *b; /* counted: key of the last row; NULL before the first */
	uint64_t id;
	bool finished; /* there are no more */
};

enum show_pace {
	SHOW_DONE,
	SHOW_MORE, /* in the next turn */
	SHOW_FULL, /* when the sink has room */
	SHOW_MOST, /* as many as were asked for */
	SHOW_FAILED
};

/* Sends the columns. False: the sink is full. */
bool show_begin(struct show *sh, const struct show_def *def, struct result_sink *k);
/* Sends the next batch, until sh->rows is `most`. f: of SHOW_FAILED, which is out of memory. */
enum show_pace show_step(struct show *sh, uint64_t most, struct result_sink *k, struct fault *f);
/* Forgets where it was; any time. */
void show_end(struct show *sh);

#endif
