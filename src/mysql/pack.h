/* pack.h - MySQL's compressed protocol: the codec beneath packets. Pure: bytes in, bytes out. MySQL Source Code
 * Documentation, Client/Server Protocol: Compression; MariaDB Knowledge Base: Compressed Packets.
 *
 * A compressed packet is a header (its length, a number, its length before compression, or 0: it is not compressed) and
 * a part of a packet, or several. Its numbers are counted apart from theirs, and begin anew with each command. Ends
 * that compress do not look at packets' own numbers, and servers get them wrong: here both ends see them as if nothing
 * was compressed. */
#ifndef SLUICE_MYSQL_PACK_H
#define SLUICE_MYSQL_PACK_H

#include "mysql/zip.h"
#include "net/codec.h"

#define MYSQL_PACK_HEADER 7u
#define MYSQL_PACK_MIN    50u /* what is shorter is not compressed, as servers do */

enum mysql_peer { MYSQL_PEER_CLIENT, MYSQL_PEER_SERVER }; /* at the other end */

/* What the next packet is, when all before it have been seen. */
enum mysql_turn {
	MYSQL_TURN_GOES_ON, /* one more of what was begun: of an answer, of a file */
	MYSQL_TURN_BEGINS,  /* a command; of a server: mostly an answer */
	MYSQL_TURN_WAIT,    /* of a client: it comes before its time, and is to stay where it is */
	MYSQL_TURN_ANY      /* of a server: nobody knows */
};
/* zero: it has the number of a command. *behind, for servers: commands sent behind the one that is answered next. */
typedef enum mysql_turn mysql_turn_cb(void *arg, bool zero, unsigned *behind);

/* For stream_start_codec(). level: as in zip.h. NULL: out of memory. */
struct codec *mysql_pack_new(enum mysql_peer peer, enum mysql_zip kind, int level, mysql_turn_cb *turn, void *arg);
/* The server has asked for a file: what is sent next is that, until an empty packet. */
void mysql_pack_file(struct codec *c);

#endif
