/* mysqlraw.h - a client of the MySQL protocol that says exactly what it is told to, packet by packet, and keeps each
 * answer as a line of text. MySQL Internals, Client/Server Protocol; MariaDB's Clientserver Protocol.
 * Nothing here fails a test: what went wrong is for the caller to see. What two servers of one version may say
 * differently of the same thing (numbers of statements, names of databases) is not in the lines. Bytes are built with
 * pgraw.h's struct. */
#ifndef SLUICE_TEST_MYSQLRAW_H
#define SLUICE_TEST_MYSQLRAW_H

#include "pgraw.h"

enum {
	MY_LONG_PASSWORD = 1,
	MY_FOUND_ROWS = 2,
	MY_LONG_FLAG = 4,
	MY_CONNECT_WITH_DB = 8,
	MY_LOCAL_FILES = 0x80,
	MY_PROTOCOL_41 = 0x200,
	MY_TRANSACTIONS = 0x2000,
	MY_SECURE_CONNECTION = 0x8000,
	MY_MULTI_STATEMENTS = 0x10000,
	MY_MULTI_RESULTS = 0x20000,
	MY_PS_MULTI_RESULTS = 0x40000,
	MY_PLUGIN_AUTH = 0x80000,
	MY_SESSION_TRACK = 0x800000,
	MY_DEPRECATE_EOF = 0x1000000,
	MY_OPTIONAL_METADATA = 0x2000000,
	MY_QUERY_ATTRIBUTES = 0x8000000,
	/* What a client asks for when it does not say. */
	MY_USUAL = MY_LONG_PASSWORD | MY_LONG_FLAG | MY_PROTOCOL_41 | MY_TRANSACTIONS | MY_SECURE_CONNECTION |
		   MY_MULTI_STATEMENTS | MY_MULTI_RESULTS | MY_PS_MULTI_RESULTS | MY_PLUGIN_AUTH | MY_LOCAL_FILES
};

enum {
	MY_QUIT = 1,
	MY_INIT_DB = 2,
	MY_QUERY = 3,
	MY_FIELD_LIST = 4,
	MY_STATISTICS = 9,
	MY_PROCESS_KILL = 12,
	MY_PING = 14,
	MY_CHANGE_USER = 17,
	MY_STMT_PREPARE = 22,
	MY_STMT_EXECUTE = 23,
	MY_STMT_SEND_LONG_DATA = 24,
	MY_STMT_CLOSE = 25,
	MY_STMT_RESET = 26,
	MY_SET_OPTION = 27,
	MY_STMT_FETCH = 28,
	MY_RESET_CONNECTION = 31
};

enum {
	MY_STATUS_IN_TRANS = 1,
	MY_STATUS_AUTOCOMMIT = 2,
	MY_STATUS_MORE_RESULTS = 8,
	MY_STATUS_CURSOR = 64,
	MY_STATUS_OUT = 4096
};
/* Of `more`. */
enum { MY_PROGRESS = 1, MY_BULK = 4, MY_EXTENDED_TYPES = 8, MY_CACHE_METADATA = 16, MY_BULK_RESULTS = 32 };

/* What is expected in the answer that is due first. */
enum myraw_stage { MYRAW_FIRST, MYRAW_COLUMNS, MYRAW_COLUMNS_END, MYRAW_ROWS, MYRAW_PARAMS, MYRAW_PARAMS_END };

struct myraw {
	int fd;                     /* -1: not connected, or not any more */
	uint32_t caps, server_caps; /* asked for by us; offered */
	uint32_t more, server_more; /* MariaDB's own, likewise; `more` is set between myraw_greet() and myraw_login() */
	uint32_t thread;            /* the number of the connection, of the greeting */
	char version[80], plugin[64]; /* of the greeting; the method that is used */
	uint8_t collation;        /* that it says at login; utf8mb4_general_ci, unless changed behind the greeting */
	unsigned status;          /* flags of the last OK or EOF */
	uint32_t statement;       /* the number of the last that was prepared */
	unsigned params, columns; /* of it */
	unsigned error;           /* of the last ERR */
	bool closed;              /* by the other side */
	bool nonsense;            /* what it said is not the protocol */
	const char *file;         /* what LOAD DATA LOCAL is given; NULL: nothing */

	/* How far it is. */
	uint8_t seq, due[64];
	unsigned ndue;
	enum myraw_stage stage;
	bool is_prepare, is_binary, is_bare, is_out, in_file;
	unsigned left, left_then;
	char user[64], password[64];
	uint8_t salt[20];
	struct pgraw_bytes in, packet; /* not yet a packet; a packet of several parts, so far */
	struct pgraw_heard *heard;
	size_t nheard, cap;
};

/* Connects to 127.0.0.1 and logs in; caps 0 is MY_USUAL. database may be NULL. When it is refused the error is in
 * heard, and error. */
bool myraw_open(struct myraw *r, int port, const char *user, const char *password, const char *database, uint32_t caps);
/* What a server says first: a packet of at most 200 bytes, with mysql_native_password. */
size_t myraw_put_greeting(uint8_t *out, const char *version, uint32_t caps);
/* The same in steps: up to the greeting; the answer to it. */
bool myraw_greet(struct myraw *r, int port);
/* What the answer is; seq is the packet's number. */
void myraw_add_login(struct myraw *r, struct pgraw_bytes *b, const char *user, const char *password,
		     const char *database, uint32_t caps);
bool myraw_login(struct myraw *r, const char *user, const char *password, const char *database, uint32_t caps);

/* A command: what is added between these two is what follows its byte. More than 16 MB is cut as it has to be. */
size_t myraw_begin(struct pgraw_bytes *b, uint8_t command);
void myraw_end(struct pgraw_bytes *b, size_t begun);
void myraw_add_u16(struct pgraw_bytes *b, unsigned v);
void myraw_add_u32(struct pgraw_bytes *b, uint32_t v);
void myraw_add_lenenc(struct pgraw_bytes *b, uint64_t v);

/* Sends what was built, each command of it with an answer of its own. */
bool myraw_send(struct myraw *r, const struct pgraw_bytes *b);
/* One command of these bytes, or a text. */
bool myraw_command(struct myraw *r, uint8_t command, const void *body, size_t n);
bool myraw_query(struct myraw *r, const char *text);
/* Anything at all; no answer is due for it. */
bool myraw_bytes(struct myraw *r, const void *p, size_t n);

/* Reads what is there. False when the other side has closed, or speaks nonsense. */
bool myraw_read(struct myraw *r);
/* Reads until all that is due is heard. */
bool myraw_wait(struct myraw *r);
/* Says it, waits, and puts the lines in one text; the caller's to free. */
char *myraw_ask(struct myraw *r, const char *text);
char *myraw_lines(const struct myraw *r);
void myraw_forget(struct myraw *r);
/* With or without a COM_QUIT. */
void myraw_close(struct myraw *r, bool politely);

#endif
