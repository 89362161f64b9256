/* wire.h - the PostgreSQL wire format: framing, the start-up packet, the fields of errors, and building messages.
 * Pure: bytes in, values out. PostgreSQL docs, Frontend/Backend Protocol: Message Flow, Message Formats, Error and
 * Notice Message Fields. */
#ifndef SLUICE_PG_WIRE_H
#define SLUICE_PG_WIRE_H

#include "core/fault.h"
#include "core/rd.h"

/* What clients send. */
enum pg_front {
	PG_BIND = 'B',
	PG_CLOSE = 'C',
	PG_COPY_DATA = 'd',
	PG_COPY_DONE = 'c',
	PG_COPY_FAIL = 'f',
	PG_DESCRIBE = 'D',
	PG_EXECUTE = 'E',
	PG_FLUSH = 'H',
	PG_FUNCTION_CALL = 'F',
	PG_PARSE = 'P',
	PG_PASSWORD = 'p', /* PasswordMessage, SASLInitialResponse, SASLResponse, GSSResponse */
	PG_QUERY = 'Q',
	PG_SYNC = 'S',
	PG_TERMINATE = 'X'
};

/* What servers send, as far as it is looked at. */
enum pg_back {
	PG_AUTHENTICATION = 'R',
	PG_BACKEND_KEY_DATA = 'K',
	PG_BIND_COMPLETE = '2',
	PG_CLOSE_COMPLETE = '3',
	PG_COMMAND_COMPLETE = 'C',
	PG_COPY_BOTH = 'W',
	PG_COPY_IN = 'G',
	PG_COPY_OUT = 'H',
	PG_DATA_ROW = 'D',
	PG_EMPTY_QUERY = 'I',
	PG_ERROR = 'E',
	PG_NEGOTIATE = 'v',
	PG_NO_DATA = 'n',
	PG_NOTICE = 'N',
	PG_NOTIFICATION = 'A',
	PG_PARAMETER_DESCRIPTION = 't',
	PG_PARAMETER_STATUS = 'S',
	PG_PARSE_COMPLETE = '1',
	PG_PORTAL_SUSPENDED = 's',
	PG_READY = 'Z',
	PG_ROW_DESCRIPTION = 'T'
};

#define PG_HEADER      5u     /* type and length */
#define PG_STARTUP_MAX 10000u /* bytes of a start-up packet, as PostgreSQL itself allows */
#define PG_VERSION_3_0 0x00030000u
#define PG_VERSION_3_2                                                                                                 \
	0x00030002u /* the newest; it differs from 3.0 in the length of cancel keys, and 3.1 does not                  \
		     */
#define PG_CANCEL_CODE 80877102u
#define PG_SSL_CODE    80877103u
#define PG_GSS_CODE    80877104u
#define PG_KEY_MIN     4u   /* bytes of a cancel key: all that 3.0 has */
#define PG_KEY_MAX     256u /* and the most in 3.2 */

struct pg_msg {
	uint8_t type;
	struct rd body;
};

/* The header of the message at the front: its type, and all its bytes (header and body). Consumes nothing. max: body
 * bytes that are accepted. */
enum frame pg_head(const struct rd *in, uint32_t max, uint8_t *type, uint32_t *total);
/* Cuts one whole message off the front. Consumes nothing unless FRAME_OK. */
enum frame pg_frame(struct rd *in, uint32_t max, struct pg_msg *out);

/* The first packet of a connection has no type byte. body is what follows the code. FRAME_BAD: not a length that any
 * start-up packet has. */
enum frame pg_first_frame(struct rd *in, uint32_t *code, struct rd *body);

/* A process id and the cancel key behind it (borrowed): the body of BackendKeyData, and of a CancelRequest. */
bool pg_parse_key(struct rd body, uint32_t *pid, struct rd *key);
/* NegotiateProtocolVersion: the version that the server speaks instead of `asked`, and how many of our options it does
 * not know. False: malformed, or a version that answers nothing we asked. */
bool pg_parse_negotiate(struct rd body, uint32_t asked, uint32_t *version, uint32_t *unknown);

/* The fields that matter of an ErrorResponse or NoticeResponse; "" where one is missing. Borrowed from the body. */
struct pg_error {
	const char *severity, *sqlstate, *message, *detail, *hint, *routine;
};
bool pg_parse_error(struct rd body, struct pg_error *e);

/* A NotificationResponse; borrowed from the body. */
struct pg_notification {
	uint32_t pid;
	const char *channel, *payload;
};
bool pg_read_notification(struct rd body, struct pg_notification *m);

/* Builds messages in memory of the caller's; sticky: `bad` when cap was reached, and nothing counts then. */
struct pg_out {
	uint8_t *p;
	size_t cap, len, start; /* start: of the message being built */
	bool bad;
};
static inline struct pg_out pg_out(void *p, size_t cap)
{
	return (struct pg_out){ (uint8_t *)p, cap, 0, 0, false };
}
void pg_begin(struct pg_out *o, uint8_t type); /* type 0: a start-up packet */
void pg_put_u8(struct pg_out *o, uint8_t v);
void pg_put_u16(struct pg_out *o, uint16_t v);
void pg_put_u32(struct pg_out *o, uint32_t v);
void pg_put(struct pg_out *o, const void *p, size_t n);
void pg_put_cstr(struct pg_out *o, const char *s);
void pg_end(struct pg_out *o);
/* One whole ErrorResponse. severity "ERROR" or "FATAL". */
void pg_put_error(struct pg_out *o, const char *severity, const struct fault *f);
/* One whole NoticeResponse: PG_NOTICE_ROOM bytes and its text. */
#define PG_NOTICE_ROOM (PG_HEADER + 8u + 8u + 7u + 3u)
void pg_put_notice(struct pg_out *o, const char *text);
void pg_put_ready(struct pg_out *o, uint8_t status);
void pg_put_parameter(struct pg_out *o, const char *name, const char *value);

/* Fits any pg_put_error(). */
#define PG_ERROR_MAX 1024u

#endif
