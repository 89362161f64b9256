/* secret.h - a user's stored secret, parsed, with the keys that were derived from it so far, and what clients' proofs
 * and passwords told beside it. Keys are derived once for a user, never once for a login (PBKDF2 costs milliseconds).
 * Passwords that keys are derived from are prepared first (auth/saslprep.h). Nothing here logs; what held a key or a
 * password is wiped. */
#ifndef SLUICE_AUTH_SECRET_H
#define SLUICE_AUTH_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRAM_KEY_LEN      32u
#define SCRAM_SALT_MAX     64u
#define SCRAM_ITER_DEFAULT 4096u
#define SCRAM_ITER_MAX     100000u /* no PBKDF2 beyond this, whoever asks: it would hold up the loop */

#define NATIVE_LEN      20u
#define SHA2_LEN        32u
#define ED25519_LEN     32u
#define PARSEC_SALT_LEN 18u

/* PostgreSQL's are MD5 and SCRAM. NATIVE is mysql_native_password's hash, SHA2 caching_sha2_password's; ED25519 and
 * PARSEC are public keys of MariaDB's plugins of these names. */
enum secret_kind {
	SECRET_NONE,
	SECRET_PLAIN,
	SECRET_MD5,
	SECRET_SCRAM,
	SECRET_NATIVE,
	SECRET_SHA2,
	SECRET_ED25519,
	SECRET_PARSEC,
	SECRET_NKINDS
};

/* RFC 5802: SaltedPassword's children. client_key is known from a plain password, or recovered from a client's proof.
 */
struct scram_keys {
	uint32_t iterations; /* 0: none derived */
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t salt_len;
	bool has_client_key;
	uint8_t client_key[SCRAM_KEY_LEN];
	uint8_t stored_key[SCRAM_KEY_LEN];
	uint8_t server_key[SCRAM_KEY_LEN];
};

/* A password's SHA-1, with which one logs in to servers, and the SHA-1 of that, against which clients prove themselves.
 */
struct native_keys {
	bool has_hash, has_key;
	uint8_t hash[NATIVE_LEN];
	uint8_t key[NATIVE_LEN]; /* from a plain password, or recovered from a client's proof */
};
/* The same by SHA-256; both at once: from a plain password, or from one that a client has shown. */
struct sha2_keys {
	bool has;
	uint8_t hash[SHA2_LEN];
	uint8_t key[SHA2_LEN];
};

/* A key pair of the password's SHA-512. */
struct ed25519_keys {
	bool has_public, has_private;
	uint8_t public_key[ED25519_LEN];
	uint8_t private_key[2 * ED25519_LEN];
};
/* A key pair of the password's PBKDF2. */
struct parsec_keys {
	bool has_public, has_private;
	uint8_t factor; /* 1024 << factor rounds */
	uint8_t salt[PARSEC_SALT_LEN];
	uint8_t public_key[ED25519_LEN];
	uint8_t private_key[ED25519_LEN];
};

struct secret {
	enum secret_kind kind;
	char *text;             /* owned: the plain password, or the hash as stored; NULL for SCRAM and none */
	char *shown;            /* owned: SHA2, ED25519, PARSEC: the password, once a client has shown it; else NULL */
	struct scram_keys door; /* against which clients prove themselves */
	struct scram_keys engine; /* as whom we prove ourselves to servers (their salt); from PLAIN, or = door once
				     recovered */
	struct native_keys native;
	struct sha2_keys sha2;
	struct ed25519_keys ed25519;
	struct parsec_keys parsec, parsec_engine; /* as above: against which, and as whom */
	bool has_check;
	uint8_t check[32]; /* SCRAM, SHA2: a keyed digest of the password that fitted once, which spares the next PBKDF2
			    */
	struct secret *other; /* owned: a second password, valid at the same time; NULL mostly. It has none itself */
	bool serves_other;    /* servers are logged in to with that one */
};

/* Draws the process's own random keys, from which the salts of derived and of mock keys come. Call it before workers
 * fork: then all of them show a client the same salt for a name, known or not. It is done at first use otherwise.
 * False when there is no randomness to be had. */
bool secret_init(void);

/* Parses a stored secret. An empty text is SECRET_NONE: a user without a password, whom trust lets in and nothing else.
 * Other forms than a plain password are
 *   md5<32 lower-case hex digits>                          PostgreSQL's
 *   SCRAM-SHA-256$<iterations>:<salt>$<stored>:<server>    PostgreSQL's
 *   *<40 hex digits>                                       mysql_native_password's
 *   $A$<3 hex digits>$<20 bytes of salt><43 of hash>       caching_sha2_password's, for thousands of rounds
 *   0x<all of that in hex>                                 likewise, as MySQL prints it where the salt is not fit to be
 *   ed25519:<base64>                                       MariaDB's ed25519, with that word before it
 *   P<digit>:<base64>:<base64>                             MariaDB's parsec
 * False, and *s is SECRET_NONE, when out of memory, or when it begins as a SCRAM or caching_sha2_password verifier or
 * as an ed25519 key and is none, or asks for more rounds than SCRAM_ITER_MAX. What looks like one of the others but is
 * none is a plain password. */
bool secret_parse(struct secret *s, const char *text);
/* The same, with a second password, "" for none: whoever knows either is let in. Of two SCRAM verifiers SCRAM can serve
 * only those that have salt and iterations in common; of others the first one. */
bool secret_parse_both(struct secret *s, const char *text, const char *other);
/* Becomes these two; keys of a text that was there before, as either, are kept. False as above. */
bool secret_renew(struct secret *s, const char *text, const char *other);
/* The one to log in to servers with; secret_turn() takes the other one from now on, if there is one. */
struct secret *secret_for_servers(struct secret *s);
void secret_turn(struct secret *s, const struct secret *failed);
/* A copy of that one, of a login's own: while it is under way a reload may take either away. False as secret_copy().
 * secret_note(): what the login has derived for servers, kept for the next one where there is still the same text. */
bool secret_copy_for_servers(struct secret *to, struct secret *from);
void secret_note(struct secret *into, const struct secret *copy);
/* A plain password, whatever it looks like; "" is SECRET_NONE. False, and *s is that, when out of memory. */
bool secret_of_password(struct secret *s, const char *password);
/* Wipes and frees; *s is SECRET_NONE. */
void secret_clear(struct secret *s);
/* A copy of its own, with the keys. False, and *to is SECRET_NONE, when out of memory. */
bool secret_copy(struct secret *to, const struct secret *from);
/* *into becomes *from, which is SECRET_NONE after; when they are the same, the keys that either has are kept. */
void secret_learn(struct secret *into, struct secret *from);
/* Same stored text, and no other? What did not change keeps its derived keys. */
bool secret_same(const struct secret *s, const char *text);

/* With how many iterations keys are made of plain passwords, and who is nobody is asked: 1 to SCRAM_ITER_MAX. Holds for
 * the logins that follow. */
void secret_set_iterations(uint32_t n);
uint32_t secret_iterations(void);
/* Makes door keys from plain passwords, if there are none yet; the salt is the one that a mock exchange shows for this
 * user name, or that of a verifier beside it. True when there are door keys now: secret_door_keys(). */
bool secret_derive_door(struct secret *s, const char *user);
/* Whose door keys a client is shown the salt of; NULL: neither has any. *beside: the other one, if its keys have that
 * salt too; else NULL. */
struct secret *secret_door_keys(struct secret *s, struct secret **beside);
/* Makes engine keys for a server's salt and iterations from a plain password, or finds that the recovered ones fit.
 * False when the secret cannot: the caller says so to the operator. */
bool secret_derive_engine(struct secret *s, const uint8_t *salt, size_t salt_len, uint32_t iterations);

/* PostgreSQL's md5 scheme. out: "md5" + 32 hex digits + NUL (36 bytes).
 * secret_md5_response(): what a client sends for this 4-byte salt; false for a SCRAM secret, and for none. */
bool secret_md5_response(const struct secret *s, const char *user, const uint8_t salt[4], char out[36]);
/* The password itself, where it is known: NULL else. */
const char *secret_password(const struct secret *s);
/* Does this clear-text password fit the secret (of any kind)? Equal work for whatever does not fit: s NULL is an
 * unknown user, and costs what a verifier of the kind nobody_as does (SCRAM, SHA2, ED25519, PARSEC), or what all else
 * does. An empty password fits nothing. With a SCRAM, SHA2 or PARSEC secret each wrong one costs thousands of hashes,
 * and so does the first right one, which yields the client key as a proof does, or is kept. */
bool secret_check_plain(struct secret *s, enum secret_kind nobody_as, const char *user, const char *password);
/* The same, where most SCRAM verifiers have that many iterations. 0: as many as keys are made with here. */
bool secret_check_plain_as(struct secret *s, enum secret_kind nobody_as, uint32_t iterations, const char *user,
			   const char *password);
/* Does the work of making keys of a plain password, and nothing else. */
void secret_spend(void);
/* Does this md5 response fit? False for SCRAM secrets, and for none. The same work for all; s may be NULL as above. */
bool secret_check_md5(const struct secret *s, const char *user, const uint8_t salt[4], const char *response);

#endif
