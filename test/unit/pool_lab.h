/* pool_lab.h - pools with servers that answer at once, for suites of src/pool/: an engine that is not one, on a socket
 * where somebody listens and says nothing. */
#ifndef SLUICE_TEST_POOL_LAB_H
#define SLUICE_TEST_POOL_LAB_H

#include "pool/pool.h"

/* Who asks for servers. */
struct lab_client {
	struct pool_wait wait;
	struct pool *pool;
	struct server *server; /* NULL: it has none */
	unsigned granted, refused;
	struct fault fault;
};

/* Reads a configuration: `databases` are lines of [databases], each with "host=@HOST@"; users anna, bert and carl are
 * known. False: a check has failed. lab_finish() is due in any case. */
bool lab_begin(const char *databases, const char *settings, const char *users);
void lab_finish(void);
struct pool *lab_pool(const char *db, const char *user);
struct user *lab_user(const char *name);
/* Turns of the loop until nothing is to be done. */
void lab_settle(void);

/* It wants a server, gets it at once or waits; gives it back; goes. */
void lab_want(struct lab_client *c, struct pool *p, uint64_t kind);
void lab_give(struct lab_client *c);
void lab_leave(struct lab_client *c);
/* What servers say from here on to whoever asks whether they live, and to the house's other statements: nothing (they
 * hang), or that all is well. */
void lab_answers(bool answers);
/* How often servers were asked to run this. */
unsigned lab_ran(const char *sql);
unsigned lab_opened(void); /* servers, since lab_begin() */

#endif
