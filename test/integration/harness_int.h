/* harness_int.h - between the harness's own files. */
#ifndef SLUICE_TEST_HARNESS_INT_H
#define SLUICE_TEST_HARNESS_INT_H

#include "harness.h"

#include <stdarg.h>

enum { TEST_SECONDS = 300 }; /* for each test, on a machine that has much else to do */

extern struct harness {
	char top[64]; /* the temporary directory */
	char pg_bin[256];
	uid_t uid; /* whom PostgreSQL and Sluice run as */
	gid_t gid;
	char user[64];
	bool in_teardown;
	const struct backend *backend;
} harness;

/* The server that Sluice is put in front of. */
struct backend {
	const char *missing; /* what is said where there is none */
	bool (*find)(void);  /* its programs */
	bool (*make)(void);  /* a fresh one with what its header promises. False: it was said why. */
	void (*restore)(void);
	void (*settle)(void); /* nobody but the harness is connected to it any more; it may not run */
	void (*end)(void);
	void (*clients_close)(void);
	bool is_mysql;
	const char *(*value_of)(const char *name); /* of @MY@, @MYPORT@, @MYSOCKET@ */
};
int harness_run(int argc, char **argv, const char *suite, const struct unit_test *tests, const struct backend *backend);

/* --- process.c */
char *keep(const char *s, size_t n);
char *vtext(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
void forget_texts(void);
/* "@PG@" and the like, replaced. */
char *expand(const char *in);
/* Forks a child whose output goes to a file; it dies with us, by this signal. Returns 0 in the child, unprivileged. */
pid_t spawn(const char *output, int death_signal, bool is_root);
/* Waits for a child; its exit status, 128 + signal, or -1 when it does not end. */
int reap(pid_t pid, uint64_t ms);
void kill_and_reap(pid_t pid);
/* The children of a process, as far as the array goes. */
size_t children_of(pid_t pid, pid_t *out, size_t max);
void background_end(void);

/* --- postgres.c */
extern const struct backend postgres_backend;

/* --- myclient.c */
void my_clients_close(void);

/* --- sluice.c */
bool sluice_find(void); /* SLUICE_BIN, copied to where the unprivileged user may run it */
char *sluice_log(void);

/* --- client.c */
void clients_close(void);
void raw_keep(int fd); /* closed with the rest */

/* --- stub.c */
const char *stub_socket_dir(void);

#endif
