/* login.h - MySQL's authentication on both sides, pure: payloads in, payloads out, a verdict. No socket, no log, nobody
 * closed. MySQL source documentation, Client/Server Protocol: Connection Phase, Authentication Methods; MariaDB
 * Knowledge Base, Client/Server Protocol: Connecting.
 *
 * What goes in and out are packets' payloads, without their headers: the caller frames and numbers them. Each call
 * writes at most one payload to out, MYSQL_LOGIN_OUT_MAX bytes of the caller's, and its length to *n. Either side's out
 * may hold a password or a proof: wipe it when it is sent. The strings and the secret that begin() is given are
 * borrowed until the verdict. A state, once it is over, takes anything more as a protocol violation. */
#ifndef SLUICE_MYSQL_LOGIN_H
#define SLUICE_MYSQL_LOGIN_H

#include "auth/secret.h"
#include "core/fault.h"
#include "core/rd.h"

#define MYSQL_NONCE_LEN     20u   /* of the greeting: "scramble", "auth-plugin-data" */
#define MYSQL_NONCE_MAX     32u   /* of any plugin */
#define MYSQL_LOGIN_IN_MAX  8192u /* of a payload that step() takes; more is an error */
#define MYSQL_LOGIN_OUT_MAX 2048u

enum mysql_plugin {
	MYSQL_PLUGIN_NONE,
	MYSQL_PLUGIN_NATIVE,  /* mysql_native_password */
	MYSQL_PLUGIN_SHA2,    /* caching_sha2_password */
	MYSQL_PLUGIN_ED25519, /* client_ed25519 */
	MYSQL_PLUGIN_PARSEC,  /* parsec */
	MYSQL_PLUGIN_CLEAR,   /* mysql_clear_password */
	MYSQL_NPLUGINS
};

const char *mysql_plugin_name(enum mysql_plugin p);
enum mysql_plugin mysql_plugin_of(const char *name); /* NONE: not known here */
/* What a server of this version would announce in its greeting, and so what we do for it: NATIVE (MariaDB, MySQL before
 * 8), or SHA2. */
enum mysql_plugin mysql_plugin_announced(const char *server_version);
/* What takes long is done before clients come, or it holds one of them up: an RSA key is drawn (crypto_rsa_init()),
 * with which passwords are told over plain connections. Before workers fork. False: no memory, no randomness. */
bool mysql_login_init(void);
/* Draws the greeting's nonce, in which no byte is NUL or '$'. False: no randomness to be had. */
bool mysql_nonce(uint8_t nonce[MYSQL_NONCE_LEN]);

/* MORE: send what is in out (an empty payload, too, is one) and wait for the peer. WAIT: nothing to send, wait. OK: it
 * is in; the door sends what is in out, if *n, and its own OK packet behind it. FAIL: a fault, and nothing to send but
 * that. ASK: find out whether `password` is right, then go on as after OK, or refuse. */
enum mysql_login_verdict { MYSQL_LOGIN_MORE, MYSQL_LOGIN_WAIT, MYSQL_LOGIN_OK, MYSQL_LOGIN_FAIL, MYSQL_LOGIN_ASK };

/* --- A client logs in to us. */

/* TRUST: whatever it answers. PASSWORD: by what the secret allows. CLEAR: the password itself, by TLS or a unix socket
 * only. OUTSIDE: likewise, and somebody else knows whether it is right. */
enum mysql_auth { MYSQL_AUTH_TRUST, MYSQL_AUTH_PASSWORD, MYSQL_AUTH_CLEAR, MYSQL_AUTH_OUTSIDE };

/* What is known when the client has said who it is: HandshakeResponse, or COM_CHANGE_USER. */
struct mysql_door_asks {
	enum mysql_auth how;
	const char *user, *host; /* borrowed; for the refusal */
	struct secret *secret;   /* borrowed; NULL: nobody of that name */
	enum secret_kind
		nobody_as; /* whom nobody knows is asked, and costs, what a user with such a secret is and does */
	bool is_private;   /* TLS, or a unix socket: a password may be seen */
	bool has_plugins;  /* CLIENT_PLUGIN_AUTH */
	enum mysql_plugin announced; /* in the greeting; NONE: what comes along is no answer to it (COM_CHANGE_USER) */
	const uint8_t *nonce;        /* the greeting's, or the last one; MYSQL_NONCE_LEN bytes; read by begin() alone */
	const char *plugin;          /* that the client chose; "" when it named none */
	struct rd response;          /* its answer, the payload of the plugin */
};

struct mysql_door_login {
	const char *user, *host;
	struct secret *secret;
	enum mysql_auth how;
	enum secret_kind nobody_as;
	enum mysql_plugin plugin; /* that is spoken */
	uint8_t state;
	bool is_private;
	bool has_password;    /* the client has answered with something: "using password: YES" */
	const char *password; /* ASK: borrowed from the payload; never empty */
	uint8_t nonce[MYSQL_NONCE_MAX];
};

/* The verdict at once, or AuthSwitchRequest or AuthMoreData (MORE). FAULT_AUTH, errno 1045, SQLSTATE 28000, "Access
 * denied for user 'x'@'host' (using password: YES)" whatever was wrong, and after the same work; mysql_door_why() tells
 * the operator more. FAULT_PROTO when malformed. */
enum mysql_login_verdict mysql_door_login_begin(struct mysql_door_login *l, const struct mysql_door_asks *a,
						uint8_t *out, size_t *n, struct fault *f);
/* The client's next payload. */
enum mysql_login_verdict mysql_door_login_step(struct mysql_door_login *l, struct rd body, uint8_t *out, size_t *n,
					       struct fault *f);
/* The refusal itself, for whoever refuses for reasons of his own (an HBA rule, ASK). Always FAIL. */
enum mysql_login_verdict mysql_door_refuse(const struct mysql_door_login *l, struct fault *f);
/* After FAULT_AUTH, for the log: "there is no such user". */
const char *mysql_door_why(const struct mysql_door_login *l);

/* --- We log in to a server. */
struct mysql_engine_login {
	const char *user;      /* borrowed */
	struct secret *secret; /* borrowed; NULL: none is known */
	bool is_private;
	enum mysql_plugin plugin;
	bool has_switched;
	uint8_t state;
	uint8_t nonce[MYSQL_NONCE_MAX];
};

/* By the greeting: its plugin's name ("" when it has none) and nonce (a NUL behind it does not count). *name and out,
 * *n are what belongs into our HandshakeResponse (or COM_CHANGE_USER): MORE; or FAIL, FAULT_PROTO. Whether the link is
 * private is to be known by then, so TLS comes first. */
enum mysql_login_verdict mysql_engine_login_begin(struct mysql_engine_login *l, const char *user, struct secret *secret,
						  bool is_private, const char *plugin, struct rd nonce,
						  const char **name, uint8_t *out, size_t *n, struct fault *f);
/* Each payload from the server until it has let us in, ERR packets apart. OK: this is its OK packet, for the caller to
 * read on. FAULT_AUTH when the secret will not do, FAULT_UNSUP when it asks for what we do not know, FAULT_PROTO when
 * malformed; the texts are for the operator. */
enum mysql_login_verdict mysql_engine_login_step(struct mysql_engine_login *l, struct rd body, uint8_t *out, size_t *n,
						 struct fault *f);

#endif
