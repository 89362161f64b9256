/* show.c - SHOW: batches of rows, and how cells are written. */
#include "admin/show.h"

#include "core/assert.h"
#include "core/loop.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- Items in the order of their keys */

static int compare(const struct item *x, const struct item *y)
{
	int d = strcmp(x->a, y->a);
	if (d == 0)
		d = strcmp(x->b, y->b);
	if (d == 0)
		d = (x->id > y->id) - (x->id < y->id);
	return d;
}

static int compare_for_sort(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	int d = compare(a, b);
	return d ? d : (a->rank > b->rank) - (a->rank < b->rank);
}

/* Leaves the first SHOW_BATCH of them, in order. */
static void sort_out(struct batch *b)
{
	size_t kept = 0;
	qsort(b->at, b->count, sizeof b->at[0], compare_for_sort);
	for (size_t i = 0; i < b->count; i++)
		if (i == 0 || compare(&b->at[i], &b->at[kept - 1]) != 0)
			b->at[kept++] = b->at[i];
	b->more |= kept > SHOW_BATCH;
	b->count = kept < SHOW_BATCH ? kept : SHOW_BATCH;
}

bool batch_offer(struct batch *b, struct item it)
{
	if (b->after && compare(&it, b->after) <= 0)
		return true;
	it.rank = b->offered++;
	b->at[b->count++] = it;
	if (b->count == 2 * SHOW_BATCH)
		sort_out(b);
	return b->count <= SHOW_BATCH;
}

/* --- Cells */

static void put(struct row *r, const char *s, size_t len)
{
	ASSERT(r->n < SHOW_COLS_MAX);
	r->cells[r->n++] = (struct cell){ s == NULL, { s, len } };
}

void row_text(struct row *r, const char *s)
{
	put(r, s, s ? strlen(s) : 0);
}

void row_fmt(struct row *r, const char *fmt, ...)
{
	char *at = r->text + r->used;
	size_t room = sizeof r->text - r->used;
	va_list ap;
	va_start(ap, fmt);
	str_vfmt(at, room, fmt, ap);
	va_end(ap);
	size_t len = strlen(at);
	ASSERT(len + 1 < room);
	r->used += len + 1;
	put(r, at, len);
}

void row_int(struct row *r, uint64_t n)
{
	row_fmt(r, "%" PRIu64, n < INT32_MAX ? n : (uint64_t)INT32_MAX);
}

void row_big(struct row *r, uint64_t n)
{
	row_fmt(r, "%" PRIu64, n);
}

void row_time(struct row *r, uint64_t at_us)
{
	char out[40] = "";
	struct tm tm;
	time_t at = (time_t)((loop_wall_us() - (loop_now_us() - at_us)) / 1000000);
	if (gmtime_r(&at, &tm))
		(void)strftime(out, sizeof out, "%Y-%m-%d %H:%M:%S UTC", &tm);
	row_fmt(r, "%s", out);
}

/* --- A SHOW under way */

bool show_begin(struct show *sh, const struct show_def *def, struct result_sink *k)
{
	ASSERT(def->ncols <= SHOW_COLS_MAX);
	*sh = (struct show){ .def = def };
	return k->ops->columns(k, def->cols, def->ncols);
}

void show_end(struct show *sh)
{
	istr_put(sh->a);
	istr_put(sh->b);
	*sh = (struct show){ .def = NULL };
}

/* Remembers how far it has come. */
static bool set_last(struct show *sh, const struct item *it)
{
	const struct istr *a = istr_get(it->a, strlen(it->a)), *b = a ? istr_get(it->b, strlen(it->b)) : NULL;
	if (!b) {
		istr_put(a);
		return false;
	}
	istr_put(sh->a);
	istr_put(sh->b);
	sh->a = a;
	sh->b = b;
	sh->id = it->id;
	return true;
}

enum show_pace show_step(struct show *sh, uint64_t most, struct result_sink *k, struct fault *f)
{
	struct item last = { .a = sh->a ? sh->a->s : "", .b = sh->b ? sh->b->s : "", .id = sh->id };
	struct batch b;
	struct row r;
	bool room = true;
	size_t i = 0;

	if (sh->rows >= most)
		return SHOW_MOST;
	if (sh->finished)
		return SHOW_DONE;
	b.after = sh->a ? &last : NULL;
	b.count = b.offered = 0;
	b.more = false;
	sh->def->gather(&b);
	sort_out(&b);
	for (; i < b.count && room && sh->rows < most; i++) {
		r.n = r.used = 0;
		r.sb = (struct sb){ .max = 0 };
		sh->def->row(&r, &b.at[i]);
		ASSERT(r.n == sh->def->ncols);
		if (r.sb.bad) {
			sb_free(&r.sb);
			fault_set(f, FAULT_NOMEM, "out of memory in a SHOW");
			return SHOW_FAILED;
		}
		room = k->ops->row(k, r.cells, r.n);
		sb_free(&r.sb);
		sh->rows++;
	}
	sh->finished = i == b.count && !b.more;
	if (!sh->finished && i > 0 && !set_last(sh, &b.at[i - 1])) {
		fault_set(f, FAULT_NOMEM, "out of memory in a SHOW");
		return SHOW_FAILED;
	}
	if (!room)
		return SHOW_FULL;
	if (sh->rows >= most)
		return SHOW_MOST;
	return sh->finished ? SHOW_DONE : SHOW_MORE;
}
