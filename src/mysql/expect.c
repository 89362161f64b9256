/* expect.c - what a server still owes. MySQL Source Code Documentation: Command Phase, COM_QUERY Response,
 * COM_STMT_PREPARE Response, COM_STMT_FETCH, OK_Packet, EOF_Packet; MariaDB Knowledge Base: Result Set Packets. */
#include "mysql/expect.h"

#include <stdlib.h>

enum phase {
	PHASE_HEAD,    /* nothing has come, or the next result's first packet comes */
	PHASE_COLUMNS, /* definitions */
	PHASE_COLUMNS_EOF,
	PHASE_ROWS,
	PHASE_PARAMS, /* definitions of parameters */
	PHASE_PARAMS_EOF,
	PHASE_PREPARED, /* definitions of columns, which no rows follow */
	PHASE_PREPARED_EOF
};

#define OK_MIN  7u
#define EOF_MAX 9u /* an EOF is shorter; a row that begins as one does is not */

enum mysql_expect_kind mysql_expect_of(uint8_t com)
{
	switch (com) {
	case MYSQL_COM_QUIT:
	case MYSQL_COM_STMT_CLOSE:
	case MYSQL_COM_STMT_SEND_LONG_DATA:
		return MYSQL_EXPECT_NOTHING;
	case MYSQL_COM_QUERY:
	case MYSQL_COM_PROCESS_INFO:
	case MYSQL_COM_STMT_EXECUTE:
	case MARIADB_COM_STMT_BULK_EXECUTE:
		return MYSQL_EXPECT_RESULTS;
	case MYSQL_COM_STMT_FETCH:
		return MYSQL_EXPECT_ROWS;
	case MYSQL_COM_STMT_PREPARE:
		return MYSQL_EXPECT_PREPARED;
	case MYSQL_COM_FIELD_LIST:
		return MYSQL_EXPECT_FIELDS;
	case MYSQL_COM_STATISTICS:
		return MYSQL_EXPECT_TEXT;
	case MYSQL_COM_BINLOG_DUMP:
	case MYSQL_COM_BINLOG_DUMP_GTID:
	case MYSQL_COM_TABLE_DUMP:
		return MYSQL_EXPECT_STREAM;
	default:
		return MYSQL_EXPECT_OK;
	}
}

/* --- The queue */

void mysql_expect_init(struct mysql_expect *e)
{
	*e = (struct mysql_expect){ .cap = MYSQL_EXPECT_INLINE };
	e->ring = e->few;
}

struct mysql_expect_entry *mysql_expect_at(struct mysql_expect *e, unsigned n)
{
	return &e->ring[(e->head + n) % e->cap];
}

static void forget(struct mysql_expect *e)
{
	if (e->ring != e->few)
		free(e->ring);
	e->ring = e->few;
	e->cap = MYSQL_EXPECT_INLINE;
	e->head = 0;
}

void mysql_expect_done(struct mysql_expect *e, enum mysql_expect_end how)
{
	struct mysql_expect_entry x = *mysql_expect_at(e, 0);
	e->head = (uint16_t)((e->head + 1) % e->cap);
	e->phase = PHASE_HEAD;
	e->wants_file = e->is_out = false;
	if (--e->count == 0 && e->ring != e->few)
		forget(e);
	if (e->gone)
		e->gone(e, &x, how);
}

void mysql_expect_free(struct mysql_expect *e)
{
	while (e->count)
		mysql_expect_done(e, MYSQL_EXPECT_DROPPED);
	forget(e);
}

bool mysql_expect_sent(struct mysql_expect *e, const struct mysql_expect_entry *x)
{
	if (e->count == e->cap) {
		unsigned cap = e->cap * 4u;
		struct mysql_expect_entry *more = calloc(cap, sizeof *more);
		if (!more)
			return false;
		for (unsigned i = 0; i < e->count; i++)
			more[i] = *mysql_expect_at(e, i);
		forget(e);
		e->ring = more;
		e->cap = (uint16_t)cap;
	}
	e->count++;
	*mysql_expect_at(e, e->count - 1u) = *x;
	return true;
}

bool mysql_expect_has(struct mysql_expect *e, unsigned flag)
{
	for (unsigned i = 0; i < e->count; i++)
		if (mysql_expect_at(e, i)->flags & flag)
			return true;
	return false;
}

bool mysql_expect_is_fresh(const struct mysql_expect *e)
{
	return e->phase == PHASE_HEAD;
}

/* --- The answer to the first */

static bool has(const struct mysql_expect *e, uint64_t cap)
{
	return (e->caps & cap) != 0;
}

/* Behind rows: an EOF, or the OK that has its first byte. A row that begins with it holds a value of 16 MB and more. */
static bool is_end_of_rows(const struct mysql_expect *e, uint32_t len, uint8_t first)
{
	if (first != MYSQL_EOF)
		return false;
	return has(e, MYSQL_CAP_DEPRECATE_EOF) ? len < MYSQL_PAYLOAD_MAX : len < EOF_MAX;
}

static bool rows_pass(const struct mysql_expect *e)
{
	const struct mysql_expect_entry *x = mysql_expect_first(e);
	return e->phase == PHASE_ROWS || (x && x->kind == MYSQL_EXPECT_ROWS);
}

bool mysql_expect_is_row(const struct mysql_expect *e, uint32_t len, uint8_t first)
{
	return rows_pass(e) && len && first != MYSQL_ERR && !is_end_of_rows(e, len, first);
}

/* The length of a packet's body at p, if all of it is there, it is no error, and no other packet goes on with it; else
 * 0. */
static uint32_t plain_at(const uint8_t *p, size_t n)
{
	if (n <= MYSQL_HEADER)
		return 0;
	uint32_t len = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
	return len == MYSQL_PAYLOAD_MAX || len > n - MYSQL_HEADER || p[MYSQL_HEADER] == MYSQL_ERR ? 0 : len;
}

size_t mysql_expect_plain(struct mysql_expect *e, const uint8_t *p, size_t n, uint64_t *rows, uint8_t *seq)
{
	size_t done = 0, last = 0;
	uint32_t len;
	if (!e->count || e->wants_file)
		return 0;
	if (e->phase == PHASE_COLUMNS) {
		while (e->columns && (len = plain_at(p + done, n - done)) > 0) {
			last = done;
			done += MYSQL_HEADER + len;
			e->columns--;
		}
		if (e->columns == 0)
			e->phase = has(e, MYSQL_CAP_DEPRECATE_EOF) ? PHASE_ROWS : PHASE_COLUMNS_EOF;
	}
	if (rows_pass(e)) {
		while ((len = plain_at(p + done, n - done)) > 0 && !is_end_of_rows(e, len, p[done + MYSQL_HEADER])) {
			last = done;
			done += MYSQL_HEADER + len;
			++*rows;
		}
	}
	if (done)
		*seq = p[last + 3];
	return done;
}

enum mysql_expect_need mysql_expect_need(const struct mysql_expect *e, uint32_t len, uint8_t first)
{
	const struct mysql_expect_entry *x = mysql_expect_first(e);
	if (!x || first == MYSQL_ERR)
		return MYSQL_NEED_ALL;
	switch ((enum mysql_expect_kind)x->kind) {
	case MYSQL_EXPECT_TEXT:
	case MYSQL_EXPECT_NOTHING:
		return MYSQL_NEED_FIRST;
	case MYSQL_EXPECT_STREAM:
		return first == MYSQL_EOF && len < EOF_MAX ? MYSQL_NEED_ALL : MYSQL_NEED_FIRST;
	case MYSQL_EXPECT_FIELDS:
	case MYSQL_EXPECT_ROWS:
		return is_end_of_rows(e, len, first) ? MYSQL_NEED_ALL : MYSQL_NEED_FIRST;
	case MYSQL_EXPECT_OK:
	case MYSQL_EXPECT_PREPARED:
	case MYSQL_EXPECT_RESULTS:
		break;
	}
	switch ((enum phase)e->phase) {
	case PHASE_ROWS:
		return is_end_of_rows(e, len, first) ? MYSQL_NEED_ALL : MYSQL_NEED_FIRST;
	case PHASE_COLUMNS:
	case PHASE_PARAMS:
	case PHASE_PREPARED:
		return MYSQL_NEED_FIRST;
	case PHASE_HEAD:
	case PHASE_COLUMNS_EOF:
	case PHASE_PARAMS_EOF:
	case PHASE_PREPARED_EOF:
		break;
	}
	return MYSQL_NEED_ALL;
}

static bool read_end(const struct mysql_expect *e, uint32_t len, struct rd body, struct mysql_seen *seen)
{
	seen->said = MYSQL_SAID_OK;
	if (*body.p == MYSQL_EOF && (!has(e, MYSQL_CAP_DEPRECATE_EOF) || len < OK_MIN))
		return mysql_read_eof(body, &seen->ok);
	seen->is_cut = rd_left(&body) < len;
	return mysql_read_ok(body, e->caps, seen->is_cut, &seen->ok);
}

/* An OK, or what ends rows: is there another result? */
static bool end_of_result(struct mysql_expect *e, uint32_t len, struct rd body, struct mysql_seen *seen)
{
	if (!read_end(e, len, body, seen))
		return false;
	/* Behind OUT parameters there is always one more, whether MySQL says so or not. */
	bool is_out = e->is_out || seen->ok.status & MYSQL_STATUS_OUT_PARAMS;
	e->phase = PHASE_HEAD;
	e->is_out = false;
	seen->is_end = !is_out && !(seen->ok.status & MYSQL_STATUS_MORE_RESULTS);
	return true;
}

/* An EOF that only parts. */
static bool is_bare_eof(uint32_t len, uint8_t first)
{
	return first == MYSQL_EOF && len < EOF_MAX;
}

static bool result_head(struct mysql_expect *e, uint32_t len, struct rd body, struct mysql_seen *seen)
{
	switch (*body.p) {
	case MYSQL_OK:
		return end_of_result(e, len, body, seen);
	case MYSQL_INFILE:
		seen->said = MYSQL_SAID_FILE;
		e->wants_file = true;
		return true;
	case MYSQL_EOF: /* a count of columns that no server has */
		return false;
	default:
		break;
	}
	e->columns = mysql_rd_lenenc(&body);
	bool follow = true;
	if (has(e, MARIADB_CAP_CACHE_METADATA | MYSQL_CAP_OPTIONAL_METADATA))
		follow = rd_u8(&body) != 0;
	if (!rd_done(&body) || e->columns == 0)
		return false;
	if (!follow)
		e->columns = 0;
	e->phase = e->columns ? PHASE_COLUMNS : has(e, MYSQL_CAP_DEPRECATE_EOF) ? PHASE_ROWS : PHASE_COLUMNS_EOF;
	return true;
}

static bool prepared_head(struct mysql_expect *e, struct rd body, struct mysql_seen *seen)
{
	size_t n = rd_left(&body);
	if (rd_u8(&body) != MYSQL_OK)
		return false;
	seen->said = MYSQL_SAID_PREPARED;
	seen->statement = rd_u32le(&body);
	seen->ncolumns = rd_u16le(&body);
	seen->nparams = rd_u16le(&body);
	e->columns = seen->ncolumns;
	e->params = seen->nparams;
	if (body.bad)
		return false;
	e->is_bare = false;
	if (has(e, MYSQL_CAP_OPTIONAL_METADATA) && n > 12) {
		(void)rd_take(&body, 3);
		e->is_bare = rd_u8(&body) == 0;
	}
	if (e->is_bare && has(e, MYSQL_CAP_DEPRECATE_EOF))
		e->columns = e->params = 0;
	if (e->params)
		e->phase = e->is_bare ? PHASE_PARAMS_EOF : PHASE_PARAMS;
	else
		e->phase = e->is_bare ? PHASE_PREPARED_EOF : PHASE_PREPARED;
	seen->is_end = !e->params && !e->columns;
	return !body.bad;
}

/* The definitions of one kind are complete. */
static void params_end(struct mysql_expect *e, struct mysql_seen *seen)
{
	e->phase = e->is_bare ? PHASE_PREPARED_EOF : PHASE_PREPARED;
	seen->is_end = !e->columns;
}

static bool in_phase(struct mysql_expect *e, uint32_t len, struct rd body, struct mysql_seen *seen)
{
	bool parts = !has(e, MYSQL_CAP_DEPRECATE_EOF);
	struct mysql_ok ok;
	switch ((enum phase)e->phase) {
	case PHASE_HEAD:
		return mysql_expect_first(e)->kind == MYSQL_EXPECT_PREPARED ? prepared_head(e, body, seen)
									    : result_head(e, len, body, seen);
	case PHASE_COLUMNS:
		if (--e->columns == 0)
			e->phase = parts ? PHASE_COLUMNS_EOF : PHASE_ROWS;
		return true;
	case PHASE_COLUMNS_EOF:
		if (!is_bare_eof(len, *body.p) || !mysql_read_eof(body, &ok))
			return false;
		e->phase = PHASE_ROWS;
		e->is_out = ok.status & MYSQL_STATUS_OUT_PARAMS;
		/* MySQL 9 says it of the cursor before, too. */
		if (!(ok.status & MYSQL_STATUS_CURSOR_EXISTS) || !(mysql_expect_first(e)->flags & MYSQL_EXPECT_CURSOR))
			return true;
		return end_of_result(e, len, body, seen); /* its rows are fetched */
	case PHASE_ROWS:
		return !is_end_of_rows(e, len, *body.p) || end_of_result(e, len, body, seen);
	case PHASE_PARAMS:
		if (--e->params == 0) {
			if (parts)
				e->phase = PHASE_PARAMS_EOF;
			else
				params_end(e, seen);
		}
		return true;
	case PHASE_PARAMS_EOF:
		params_end(e, seen);
		return is_bare_eof(len, *body.p);
	case PHASE_PREPARED:
		if (e->columns == 0)
			return false;
		if (--e->columns == 0) {
			e->phase = PHASE_PREPARED_EOF;
			seen->is_end = !parts;
		}
		return true;
	case PHASE_PREPARED_EOF:
		seen->is_end = true;
		return is_bare_eof(len, *body.p);
	}
	return false;
}

bool mysql_expect_packet(struct mysql_expect *e, uint32_t len, struct rd body, struct mysql_seen *seen)
{
	const struct mysql_expect_entry *x = mysql_expect_first(e);
	struct rd nothing = rd_of("", 0);
	*seen = (struct mysql_seen){ .ok = { .info = nothing, .state = nothing }, .err.text = nothing };
	if (!x || e->wants_file)
		return false;
	if (x->kind == MYSQL_EXPECT_TEXT) {
		seen->is_end = true;
		return true;
	}
	if (rd_left(&body) == 0)
		return x->kind == MYSQL_EXPECT_STREAM;
	uint8_t first = *body.p;
	if (first == MYSQL_ERR) {
		seen->said = MYSQL_SAID_ERR;
		if (!mysql_read_err(body, &seen->err))
			return false;
		if (seen->err.code == MYSQL_ERRNO_PROGRESS) { /* which only those hear who asked for it */
			seen->said = MYSQL_SAID_NOTHING;
			return has(e, MARIADB_CAP_PROGRESS);
		}
		seen->is_end = true;
		return true;
	}
	switch ((enum mysql_expect_kind)x->kind) {
	case MYSQL_EXPECT_OK:
		seen->is_end = true;
		return (first == MYSQL_OK || first == MYSQL_EOF) && read_end(e, len, body, seen);
	case MYSQL_EXPECT_STREAM:
		seen->is_end = is_bare_eof(len, first);
		return true;
	case MYSQL_EXPECT_FIELDS:
	case MYSQL_EXPECT_ROWS:
		seen->is_end = is_end_of_rows(e, len, first);
		return !seen->is_end || read_end(e, len, body, seen);
	case MYSQL_EXPECT_RESULTS:
	case MYSQL_EXPECT_PREPARED:
		return in_phase(e, len, body, seen);
	case MYSQL_EXPECT_TEXT:
	case MYSQL_EXPECT_NOTHING:
		break;
	}
	return false;
}

void mysql_expect_file_sent(struct mysql_expect *e)
{
	e->wants_file = false;
}
