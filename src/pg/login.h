/* login.h - PostgreSQL's authentication handshake on both sides, pure: messages in, messages out, a verdict. No socket,
 * no log, nobody closed. PostgreSQL docs, Frontend/Backend Protocol: Message Flow (Start-up), SASL Authentication,
 * Message Formats (Authentication..., PasswordMessage, SASL...Response).
 *
 * Each call writes whole messages to out, PG_LOGIN_OUT_MAX bytes of the caller's, and their length to *n (0 when there
 * are none). The engine's out may hold a password: wipe it when it is sent. The strings and the secret that begin() is
 * given are borrowed until the verdict, and so is the channel binding: where
 * there is one (the connection is TLS) SCRAM-SHA-256-PLUS is offered, or taken up. A state, once it is over, takes
 * anything more as a protocol violation. */
#ifndef SLUICE_PG_LOGIN_H
#define SLUICE_PG_LOGIN_H

#include "auth/scram.h"
#include "auth/secret.h"
#include "core/fault.h"
#include "core/rd.h"

#define PG_LOGIN_BODY_MAX 8192u                    /* bytes of a password message's body, either way */
#define PG_LOGIN_OUT_MAX  (PG_LOGIN_BODY_MAX + 16) /* and its header; all else is shorter */

/* In the order of auth_type's words. OUTSIDE: a password in clear text, which somebody else knows. */
enum pg_auth { PG_AUTH_TRUST, PG_AUTH_PLAIN, PG_AUTH_MD5, PG_AUTH_SCRAM, PG_AUTH_OUTSIDE };

/* Send what is in out and wait for more; in, once that is sent; out, with a fault and nothing to send; or find out
 * whether the password is right: then pg_door_login_let_in(), or forget it. */
enum pg_login_verdict { PG_LOGIN_MORE, PG_LOGIN_OK, PG_LOGIN_FAIL, PG_LOGIN_ASK };

/* What a client is really asked for: md5 is SCRAM for a user whose stored secret is a SCRAM verifier, as PgBouncer and
 * PostgreSQL have it. secret NULL: nobody of that name. */
enum pg_auth pg_auth_pick(enum pg_auth configured, const struct secret *secret);

/* --- A client logs in to us. */
struct pg_door_login {
	const char *user;      /* borrowed */
	struct secret *secret; /* borrowed; NULL: unknown */
	enum pg_auth method;
	uint8_t state;
	uint8_t salt[4];                     /* md5's */
	const struct scram_binding *binding; /* borrowed; NULL: none */
	enum secret_kind nobody_as;          /* plain: whose secret who is unknown costs */
	uint32_t nobody_iterations;          /* 0: as many as keys are made with here */
	const char *password;                /* ASK: borrowed from the message's body; never empty */
	struct scram_server scram;           /* method SCRAM only; the last */
};

/* Asks the client for its proof (MORE), or lets it in (trust: OK). FAIL: no memory, no randomness. An unknown user is
 * asked as a known one is, and fails as a known one with a wrong password does. */
enum pg_login_verdict pg_door_login_begin(struct pg_door_login *l, enum pg_auth method, const char *user,
					  struct secret *secret, const struct scram_binding *binding, uint8_t *out,
					  size_t *n, struct fault *f);
/* After that, and before a step: as what who is unknown is asked, and costs. */
void pg_door_login_nobody_as(struct pg_door_login *l, enum secret_kind kind, uint32_t iterations);
/* The body of a message of type 'p'. OK: AuthenticationOk is in out, SASLFinal before it where one is due.
 * FAULT_AUTH, `password authentication failed for user "..."`, whatever was wrong; FAULT_PROTO when malformed. */
enum pg_login_verdict pg_door_login_step(struct pg_door_login *l, struct rd body, uint8_t *out, size_t *n,
					 struct fault *f);

/* Says AuthenticationOk. */
void pg_door_login_let_in(uint8_t *out, size_t *n);

/* --- We log in to a server. */
struct pg_engine_login {
	const char *user;                    /* borrowed */
	struct secret *secret;               /* borrowed; NULL: none is known */
	const struct scram_binding *binding; /* borrowed; NULL: none */
	uint8_t state;
	struct scram_client scram;
};

void pg_engine_login_begin(struct pg_engine_login *l, const char *user, struct secret *secret,
			   const struct scram_binding *binding);
/* A message that the server sent before it let us in, errors and notices apart. OK: AuthenticationOk, and whoever began
 * SCRAM with us has proved itself first. FAULT_AUTH when the secret will not do or the server is an impostor,
 * FAULT_UNSUP when it asks for what we do not know, FAULT_PROTO when malformed; the texts are for the operator. */
enum pg_login_verdict pg_engine_login_step(struct pg_engine_login *l, uint8_t type, struct rd body, uint8_t *out,
					   size_t *n, struct fault *f);

#endif
