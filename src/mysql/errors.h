/* errors.h - errors of MySQL's and MariaDB's by their numbers, as far as they are said, or acted upon, here. MySQL
 * Error Message Reference; MariaDB Error Codes. */
#ifndef SLUICE_MYSQL_ERRORS_H
#define SLUICE_MYSQL_ERRORS_H

enum {
	ER_ACCESS_DENIED = 1045,
	ER_NO_SCHEMA = 1046,
	ER_UNKNOWN_COMMAND = 1047,
	ER_SERVER_SHUTDOWN = 1053,
	ER_PARSE_ERROR = 1064,
	ER_NO_SUCH_THREAD = 1094,
	ER_NOT_ITS_OWNER = 1095,
	ER_PACKET_TOO_LARGE = 1153,
	ER_OUT_OF_ORDER = 1156,
	ER_READ_INTERRUPTED = 1159, /* MariaDB's, of a client that was idle for too long */
	ER_UNKNOWN_VARIABLE = 1193,
	ER_WRONG_ARGUMENTS = 1210,
	ER_UNKNOWN_HANDLER = 1243, /* of a prepared statement */
	ER_OLD_CLIENT = 1251,
	ER_QUERY_INTERRUPTED = 1317,
	ER_NO_CURSOR = 1421,
	ER_TOO_MANY_STATEMENTS = 1461,
	ER_NEEDS_REPREPARE = 1615,
	ER_MALFORMED = 1835,
	ER_CONNECTION_KILLED = 1927, /* MariaDB's; MySQL's is that of a shutdown */
	ER_STATEMENT_TIMEOUT = 1969, /* MariaDB's */
	ER_QUERY_TIMEOUT = 3024,     /* MySQL's, for the same */
	ER_NEEDS_TLS = 3159,
	ER_CLIENT_INTERACTION = 4031, /* MySQL's, of a client that was idle for too long */
};

#endif
