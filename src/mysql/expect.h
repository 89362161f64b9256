/* expect.h - what a server still owes: a queue of the commands that were sent to it, and how far the answer to the
 * first has come. Pure. MySQL Source Code Documentation, Client/Server Protocol: Command Phase; MariaDB Knowledge Base:
 * Result Set Packets, COM_STMT_PREPARE, Progress Reporting.
 *
 * It is told of each packet that the server sends, and says how much of it must be there, whether it ends the answer,
 * and what it said. A client may send commands ahead: answers come in their order. Continuations of packets of 0xffffff
 * bytes are the caller's to skip. It must never think a server at rest that is not: another client's answers would
 * begin with this one's. */
#ifndef SLUICE_MYSQL_EXPECT_H
#define SLUICE_MYSQL_EXPECT_H

#include "mysql/wire.h"

struct istr;

/* How the answer to a command looks. */
enum mysql_expect_kind {
	MYSQL_EXPECT_NOTHING,  /* there is none: COM_STMT_CLOSE, COM_STMT_SEND_LONG_DATA, COM_QUIT */
	MYSQL_EXPECT_OK,       /* OK, EOF or ERR */
	MYSQL_EXPECT_RESULTS,  /* OKs and result sets as long as they say that more follow; or ERR; or LOCAL INFILE
				  requests */
	MYSQL_EXPECT_ROWS,     /* rows of a cursor */
	MYSQL_EXPECT_PREPARED, /* COM_STMT_PREPARE's */
	MYSQL_EXPECT_FIELDS,   /* COM_FIELD_LIST's */
	MYSQL_EXPECT_TEXT,     /* one packet, whatever it is: COM_STATISTICS */
	MYSQL_EXPECT_STREAM    /* COM_BINLOG_DUMP's: packets until EOF or ERR */
};
enum mysql_expect_kind mysql_expect_of(uint8_t com);

/* Who hears the answer; bits. */
enum {
	MYSQL_EXPECT_OWN = 1,         /* nobody: the house itself asked */
	MYSQL_EXPECT_CHANGES = 2,     /* it changes the session; text: the statement */
	MYSQL_EXPECT_LAST = 4,        /* of what the house asked: with this answer all of it is answered */
	MYSQL_EXPECT_PARTIAL = 8,     /* a text too long to be looked at */
	MYSQL_EXPECT_MAPS = 16,       /* it is about a prepared statement whose numbers are mapped: prepared.h */
	MYSQL_EXPECT_CURSOR = 32,     /* and asks for a cursor */
	MYSQL_EXPECT_MAY_FAIL = 64,   /* what the house asked, without which it goes on */
	MYSQL_EXPECT_ABOUT = 128,     /* what is prepared is about its session */
	MYSQL_EXPECT_KEPT = 256,      /* and is its client's alone */
	MYSQL_EXPECT_ID = 512,        /* the house asked for LAST_INSERT_ID() */
	MYSQL_EXPECT_ROLE = 1024,     /* and for CURRENT_ROLE() */
	MYSQL_EXPECT_SETTINGS = 2048, /* and for settings that it is not told of */
	MYSQL_EXPECT_LOCK = 4096      /* its row says whether GET_LOCK() has got it */
};

enum mysql_expect_end { MYSQL_EXPECT_ANSWERED, MYSQL_EXPECT_FAILED, MYSQL_EXPECT_DROPPED };

#define MYSQL_EXPECT_INLINE 4u
#define MYSQL_EXPECT_MAX    1024u /* whoever fills it is not read from until it is half empty */

struct mysql_expect_entry {
	uint8_t kind, com;
	uint16_t flags;
	uint32_t number;         /* for whoever sent it */
	const struct istr *text; /* counted, for the same; gone() gives it back */
};

struct mysql_expect {
	struct mysql_expect_entry *ring; /* owned when it is not `few` */
	uint16_t cap, head, count;
	uint8_t phase;    /* enum phase: of the answer to the first */
	bool is_out;      /* the rows that pass are the OUT parameters of a CALL */
	bool is_bare;     /* PREPARED: no definitions come, and what parts them does */
	bool wants_file;  /* the server reads a file from the client: packets, the last of which is empty */
	uint64_t caps;    /* of the connection */
	uint64_t columns; /* definitions that are still to come */
	uint16_t params;  /* PREPARED: likewise; `columns` come behind them */
	/* An entry has left the queue, the one that was first; NULL: nobody is told. */
	void (*gone)(struct mysql_expect *e, const struct mysql_expect_entry *x, enum mysql_expect_end how);
	struct mysql_expect_entry few[MYSQL_EXPECT_INLINE];
};

void mysql_expect_init(struct mysql_expect *e); /* gone is NULL, caps none */
void mysql_expect_free(struct mysql_expect *e); /* what is left is dropped, from the first to the last */
/* It was sent. False when out of memory: nothing has changed. */
bool mysql_expect_sent(struct mysql_expect *e, const struct mysql_expect_entry *x);
static inline bool mysql_expect_is_full(const struct mysql_expect *e)
{
	return e->count >= MYSQL_EXPECT_MAX;
}
static inline bool mysql_expect_is_empty(const struct mysql_expect *e)
{
	return e->count == 0;
}
/* What is being answered; NULL: nothing. */
static inline const struct mysql_expect_entry *mysql_expect_first(const struct mysql_expect *e)
{
	return e->count ? &e->ring[e->head] : (const struct mysql_expect_entry *)0;
}
/* The nth, 0 being the first; n < count. */
struct mysql_expect_entry *mysql_expect_at(struct mysql_expect *e, unsigned n);
/* Is there an entry with this flag? */
bool mysql_expect_has(struct mysql_expect *e, unsigned flag);
/* Nothing of the first one's answer has come yet. */
bool mysql_expect_is_fresh(const struct mysql_expect *e);

/* How much of a packet must be there before mysql_expect_packet(). */
enum mysql_expect_need {
	MYSQL_NEED_FIRST, /* its first byte, if it has one */
	MYSQL_NEED_ALL    /* all of it, or, where it is longer than can be held, MYSQL_EXPECT_FRONT bytes of it */
};
#define MYSQL_EXPECT_FRONT 32u
enum mysql_expect_need mysql_expect_need(const struct mysql_expect *e, uint32_t len, uint8_t first);

/* What a packet said. */
enum mysql_said {
	MYSQL_SAID_NOTHING, /* a row, a definition, a count: no more than that */
	MYSQL_SAID_OK,      /* OK, or EOF behind rows; ok is set */
	MYSQL_SAID_ERR,     /* err is set */
	MYSQL_SAID_FILE,    /* give me this file; the name is the body without its first byte */
	MYSQL_SAID_PREPARED /* statement is set; definitions may follow */
};
struct mysql_seen {
	enum mysql_said said;
	bool is_end; /* that was the answer's end */
	bool is_cut; /* ok: more was said than was held, of what has changed in the session */
	struct mysql_ok ok;
	struct mysql_err err;
	uint32_t statement;
	uint16_t nparams, ncolumns;
};
/* The next packet from the server: len bytes, of which those in body are there. After is_end the entry is still the
 * first: mysql_expect_done(). False: nothing of the sort can follow; the connection is of no use any more. */
bool mysql_expect_packet(struct mysql_expect *e, uint32_t len, struct rd body, struct mysql_seen *seen);
/* The first is answered. */
void mysql_expect_done(struct mysql_expect *e, enum mysql_expect_end how);
/* The client has sent the empty packet that ends its file. */
void mysql_expect_file_sent(struct mysql_expect *e);
/* Rows and definitions of columns, which are nearly all that comes: how many of the n bytes at p are whole packets that
 * say nothing, and are told of by this call; 0 where there is something else. *rows: how many of them are rows, added
 * to what it is; *seq: the number of the last one, when there is one. */
size_t mysql_expect_plain(struct mysql_expect *e, const uint8_t *p, size_t n, uint64_t *rows, uint8_t *seq);
/* Rows are passing: this one is a row too, and says nothing. */
bool mysql_expect_is_row(const struct mysql_expect *e, uint32_t len, uint8_t first);

#endif
