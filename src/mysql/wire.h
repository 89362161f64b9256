/* wire.h - MySQL's client/server protocol: packets, length-encoded values, the handshake, and the short answers. Pure:
 * bytes in, values out, no allocation. MySQL Source Code Documentation, Client/Server Protocol; MariaDB
 * Knowledge Base, Client/Server Protocol.
 * A packet is a header (length, sequence number) and a payload. One of 0xffffff bytes is continued by the next. */
#ifndef SLUICE_MYSQL_WIRE_H
#define SLUICE_MYSQL_WIRE_H

#include "core/fault.h"
#include "core/rd.h"

#define MYSQL_HEADER       4u
#define MYSQL_PAYLOAD_MAX  0xffffffu /* of one packet; a longer one goes on in the next */
#define MYSQL_SCRAMBLE     20u
#define MYSQL_NAME_MAX     320u /* bytes of a user's or a schema's name: 80 and 64 characters of four */
#define MYSQL_PLUGIN_MAX   64u
#define MYSQL_GREETING_MAX 256u  /* fits any mysql_put_greeting() with a version of 100 bytes */
#define MYSQL_OK_MAX       64u   /* fits any mysql_put_ok() without information */
#define MYSQL_ERR_MAX      1024u /* fits any mysql_put_err() */

/* What clients ask for: the first byte of a command. */
enum mysql_com {
	MYSQL_COM_SLEEP = 0x00,
	MYSQL_COM_QUIT = 0x01,
	MYSQL_COM_INIT_DB = 0x02,
	MYSQL_COM_QUERY = 0x03,
	MYSQL_COM_FIELD_LIST = 0x04,
	MYSQL_COM_CREATE_DB = 0x05,
	MYSQL_COM_DROP_DB = 0x06,
	MYSQL_COM_REFRESH = 0x07,
	MYSQL_COM_SHUTDOWN = 0x08,
	MYSQL_COM_STATISTICS = 0x09,
	MYSQL_COM_PROCESS_INFO = 0x0a,
	MYSQL_COM_PROCESS_KILL = 0x0c,
	MYSQL_COM_DEBUG = 0x0d,
	MYSQL_COM_PING = 0x0e,
	MYSQL_COM_CHANGE_USER = 0x11,
	MYSQL_COM_BINLOG_DUMP = 0x12,
	MYSQL_COM_TABLE_DUMP = 0x13,
	MYSQL_COM_REGISTER_SLAVE = 0x15,
	MYSQL_COM_STMT_PREPARE = 0x16,
	MYSQL_COM_STMT_EXECUTE = 0x17,
	MYSQL_COM_STMT_SEND_LONG_DATA = 0x18,
	MYSQL_COM_STMT_CLOSE = 0x19,
	MYSQL_COM_STMT_RESET = 0x1a,
	MYSQL_COM_SET_OPTION = 0x1b,
	MYSQL_COM_STMT_FETCH = 0x1c,
	MYSQL_COM_BINLOG_DUMP_GTID = 0x1e,
	MYSQL_COM_RESET_CONNECTION = 0x1f,
	MARIADB_COM_STMT_BULK_EXECUTE = 0xfa
};

/* The first byte of an answer, as far as it says what it is. */
enum mysql_first {
	MYSQL_OK = 0x00,
	MYSQL_MORE_DATA = 0x01, /* AuthMoreData */
	MYSQL_INFILE = 0xfb,    /* LOCAL INFILE request */
	MYSQL_EOF = 0xfe,       /* also an AuthSwitchRequest, and an OK behind rows */
	MYSQL_ERR = 0xff
};

/* Capabilities. The upper half are MariaDB's own; a server that has MYSQL_CAP_LONG_PASSWORD, which MySQL calls
 * CLIENT_MYSQL there, has none of them. */
#define MYSQL_CAP_LONG_PASSWORD     (UINT64_C(1) << 0)
#define MYSQL_CAP_FOUND_ROWS        (UINT64_C(1) << 1)
#define MYSQL_CAP_LONG_FLAG         (UINT64_C(1) << 2)
#define MYSQL_CAP_CONNECT_WITH_DB   (UINT64_C(1) << 3)
#define MYSQL_CAP_NO_SCHEMA         (UINT64_C(1) << 4)
#define MYSQL_CAP_COMPRESS          (UINT64_C(1) << 5)
#define MYSQL_CAP_ODBC              (UINT64_C(1) << 6)
#define MYSQL_CAP_LOCAL_FILES       (UINT64_C(1) << 7)
#define MYSQL_CAP_IGNORE_SPACE      (UINT64_C(1) << 8)
#define MYSQL_CAP_PROTOCOL_41       (UINT64_C(1) << 9)
#define MYSQL_CAP_INTERACTIVE       (UINT64_C(1) << 10)
#define MYSQL_CAP_SSL               (UINT64_C(1) << 11)
#define MYSQL_CAP_IGNORE_SIGPIPE    (UINT64_C(1) << 12)
#define MYSQL_CAP_TRANSACTIONS      (UINT64_C(1) << 13)
#define MYSQL_CAP_RESERVED          (UINT64_C(1) << 14)
#define MYSQL_CAP_SECURE_CONNECTION (UINT64_C(1) << 15)
#define MYSQL_CAP_MULTI_STATEMENTS  (UINT64_C(1) << 16)
#define MYSQL_CAP_MULTI_RESULTS     (UINT64_C(1) << 17)
#define MYSQL_CAP_PS_MULTI_RESULTS  (UINT64_C(1) << 18)
#define MYSQL_CAP_PLUGIN_AUTH       (UINT64_C(1) << 19)
#define MYSQL_CAP_CONNECT_ATTRS     (UINT64_C(1) << 20)
#define MYSQL_CAP_AUTH_LENENC       (UINT64_C(1) << 21)
#define MYSQL_CAP_EXPIRED_PASSWORDS (UINT64_C(1) << 22)
#define MYSQL_CAP_SESSION_TRACK     (UINT64_C(1) << 23)
#define MYSQL_CAP_DEPRECATE_EOF     (UINT64_C(1) << 24)
#define MYSQL_CAP_OPTIONAL_METADATA (UINT64_C(1) << 25)
#define MYSQL_CAP_ZSTD              (UINT64_C(1) << 26)
#define MYSQL_CAP_QUERY_ATTRIBUTES  (UINT64_C(1) << 27)
#define MYSQL_CAP_MULTI_FACTOR      (UINT64_C(1) << 28)
#define MARIADB_CAP_PROGRESS        (UINT64_C(1) << 32)
#define MARIADB_CAP_BULK            (UINT64_C(1) << 34)
#define MARIADB_CAP_EXTENDED_TYPES  (UINT64_C(1) << 35)
#define MARIADB_CAP_CACHE_METADATA  (UINT64_C(1) << 36)
#define MARIADB_CAP_BULK_RESULTS    (UINT64_C(1) << 37)

/* Status flags. */
#define MYSQL_STATUS_IN_TRANS      0x0001u
#define MYSQL_STATUS_AUTOCOMMIT    0x0002u
#define MYSQL_STATUS_MORE_RESULTS  0x0008u
#define MYSQL_STATUS_CURSOR_EXISTS 0x0040u
#define MYSQL_STATUS_LAST_ROW_SENT 0x0080u
#define MYSQL_STATUS_NO_BACKSLASH  0x0200u
#define MYSQL_STATUS_OUT_PARAMS    0x1000u
#define MYSQL_STATUS_READ_ONLY     0x2000u /* IN_TRANS, that is */
#define MYSQL_STATUS_STATE_CHANGED 0x4000u
#define MYSQL_STATUS_ANSI_QUOTES   0x8000u /* MariaDB's */
/* Those of the session; the others are of what was answered. */
#define MYSQL_STATUS_SESSION       (MYSQL_STATUS_AUTOCOMMIT | MYSQL_STATUS_NO_BACKSLASH | MYSQL_STATUS_ANSI_QUOTES)
#define MYSQL_STATUS_XACT          (MYSQL_STATUS_IN_TRANS | MYSQL_STATUS_READ_ONLY)

/* --- Reading */

/* A length-encoded integer; the cursor is bad when it is none, which NULL (0xfb) is too. */
uint64_t mysql_rd_lenenc(struct rd *r);
/* A length-encoded string, as a cursor with its own end; a length of more than is left makes it bad. */
struct rd mysql_rd_text(struct rd *r);

/* The header of the packet at the front. Consumes nothing; false: it is not whole. */
static inline bool mysql_head(const struct rd *in, uint32_t *len, uint8_t *seq)
{
	if (rd_left(in) < MYSQL_HEADER)
		return false;
	*len = (uint32_t)in->p[0] | (uint32_t)in->p[1] << 8 | (uint32_t)in->p[2] << 16;
	*seq = in->p[3];
	return true;
}

struct mysql_packet {
	uint8_t seq;
	struct rd body;
};
/* Cuts one whole packet off the front. Consumes nothing unless FRAME_OK. FRAME_BAD: its payload is longer than max. */
enum frame mysql_frame(struct rd *in, uint32_t max, struct mysql_packet *out);

/* The first packet of a server: handshake version 10. */
struct mysql_greeting {
	const char *version; /* borrowed, NUL-terminated; so are all texts here */
	uint32_t thread;
	uint64_t caps;
	uint8_t collation;
	uint16_t status;
	uint8_t scramble[MYSQL_SCRAMBLE];
	const char *plugin; /* "" when none is named */
};
bool mysql_read_greeting(struct rd body, struct mysql_greeting *g);

/* HandshakeResponse41. */
struct mysql_response {
	uint64_t caps;
	uint32_t max_packet;
	uint16_t collation;
	bool is_tls_request; /* nothing follows but TLS */
	bool is_old;         /* of before version 4.1: nothing else is set */
	const char *user;
	struct rd auth;       /* the answer to the scramble */
	const char *database; /* "" when none is named */
	const char *plugin;   /* likewise */
	struct rd attrs;      /* connection attributes: mysql_next_attr() */
	uint8_t zstd_level;
};
/* False: malformed. */
bool mysql_read_response(struct rd body, struct mysql_response *r);
/* COM_CHANGE_USER without its first byte; caps: of the connection. max_packet is not in it. */
bool mysql_read_change_user(struct rd body, uint64_t caps, struct mysql_response *r);
/* Key and value; false at the end, and when it is malformed: attrs->bad then. */
bool mysql_next_attr(struct rd *attrs, struct rd *name, struct rd *value);

/* AuthSwitchRequest: the plugin, and its data without the NUL that ends it. */
bool mysql_read_auth_switch(struct rd body, const char **plugin, struct rd *data);

/* OK, and the OK or EOF that ends rows. */
struct mysql_ok {
	uint64_t affected, insert_id;
	uint16_t status, warnings;
	struct rd info;  /* for people */
	struct rd state; /* what has changed in the session: mysql_next_state() */
	size_t told;     /* bytes of the payload before the session's state */
};
/* caps: what the server speaks. An OK whose end is missing (is_cut) is read as far as its status and warnings. */
bool mysql_read_ok(struct rd body, uint64_t caps, bool is_cut, struct mysql_ok *ok);
/* EOF as it was before MYSQL_CAP_DEPRECATE_EOF: only status and warnings are set. */
bool mysql_read_eof(struct rd body, struct mysql_ok *ok);

enum mysql_state {
	MYSQL_STATE_VARIABLE = 0, /* name and value: mysql_rd_text() twice, more than once in MariaDB */
	MYSQL_STATE_SCHEMA = 1,   /* its name: mysql_rd_text() */
	MYSQL_STATE_CHANGED = 2,  /* "1": something else has */
	MYSQL_STATE_GTIDS = 3,
	MYSQL_STATE_XACT_TEXT = 4, /* the statements that begin a transaction as the one that is open */
	MYSQL_STATE_XACT = 5       /* eight letters on the open transaction */
};
/* One thing that has changed; false at the end, and when it is malformed: state->bad then. */
bool mysql_next_state(struct rd *state, uint8_t *type, struct rd *data);

#define MYSQL_ERRNO_PROGRESS 0xffffu /* MariaDB: no error, but how far a long statement has come */

struct mysql_err {
	uint16_t code;
	char state[6]; /* "HY000" where none was told */
	struct rd text;
};
bool mysql_read_err(struct rd body, struct mysql_err *e);

/* The text of a COM_QUERY, of whose payload the command's byte is taken off: query attributes may stand before it.
 * caps: as agreed on with whoever says it. False: malformed. */
bool mysql_read_query(struct rd body, uint64_t caps, struct rd *text);

/* --- Building packets in memory of the caller's; sticky: `bad` when cap was reached, and nothing counts then. */
struct mysql_out {
	uint8_t *p;
	size_t cap, len, start; /* start: of the packet being built */
	bool bad;
};
static inline struct mysql_out mysql_out(void *p, size_t cap)
{
	return (struct mysql_out){ (uint8_t *)p, cap, 0, 0, false };
}
void mysql_begin(struct mysql_out *o, uint8_t seq);
void mysql_end(struct mysql_out *o);
void mysql_put(struct mysql_out *o, const void *p, size_t n);
void mysql_put_u8(struct mysql_out *o, uint8_t v);
void mysql_put_u16(struct mysql_out *o, uint16_t v);
void mysql_put_u24(struct mysql_out *o, uint32_t v);
void mysql_put_u32(struct mysql_out *o, uint32_t v);
void mysql_put_lenenc(struct mysql_out *o, uint64_t v);
void mysql_put_text(struct mysql_out *o, const void *p, size_t n); /* its length, and itself */
void mysql_put_cstr(struct mysql_out *o, const char *s);
#define MYSQL_LENENC_MAX 9u
static inline size_t mysql_lenenc_size(uint64_t v)
{
	return v < 251 ? 1 : v < 0x10000 ? 3 : v < 0x1000000 ? 4 : 9;
}

/* Whole packets. */
void mysql_put_greeting(struct mysql_out *o, const struct mysql_greeting *g);
/* r->attrs is copied as it stands. */
void mysql_put_response(struct mysql_out *o, uint8_t seq, const struct mysql_response *r);
/* first: MYSQL_OK, or MYSQL_EOF for the end of rows where caps have MYSQL_CAP_DEPRECATE_EOF. */
size_t mysql_ok_size(const struct mysql_ok *ok);
void mysql_put_ok(struct mysql_out *o, uint8_t seq, uint8_t first, const struct mysql_ok *ok);
void mysql_put_eof(struct mysql_out *o, uint8_t seq, uint16_t status, uint16_t warnings);
/* Without a SQLSTATE when f has none. */
void mysql_put_err(struct mysql_out *o, uint8_t seq, const struct fault *f);

#endif
