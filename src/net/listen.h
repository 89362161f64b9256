/* listen.h - listening sockets: TCP on each address of listen_addr, and unix sockets, with adaptive accept batches.
 * TCP_NODELAY and keepalive are set on the listener, which its connections inherit, so that accept4 is all a connect
 * costs. On EMFILE and ENFILE accepting stops for a while, with one log line, instead of spinning. */
#ifndef SLUICE_NET_LISTEN_H
#define SLUICE_NET_LISTEN_H

#include "core/fault.h"
#include "core/list.h"
#include "net/addr.h"

#include <sys/types.h>

struct listen_opts {
	int backlog;
	bool defer_accept; /* TCP_DEFER_ACCEPT: accept when the first bytes are there */
	bool reuseport;
	bool keepalive;
	int keepcnt, keepidle_s, keepintvl_s, user_timeout_ms; /* 0: the system's */
	int socket_buffer;                                     /* bytes, likewise */
	unsigned unix_mode;                                    /* octal permissions of the unix socket */
	const char *unix_group;                                /* "" : leave */
	const char *unix_path;                                 /* instead of the one in unix_dir; NULL: that one */
	uid_t unix_owner; /* who is to own the unix socket, and can remove it then; 0: leave */
};

struct listener;

/* A connection came: fd is non-blocking and close-on-exec, and the callee's now. a->family == ADDR_UNIX has the
 * listener's port. has_data: its first bytes are likely there already (deferred accept). */
typedef void listen_cb(void *arg, int fd, const struct addr *a, bool has_data);

/* addrs: "*" (all IPv4 and IPv6), or comma-separated addresses and names (resolved here, at start, blocking).
 * unix_dir: "" for none; "@name" is an abstract socket; the file is <dir>/.s.PGSQL.<port>, or o->unix_path, and a stale
 * one is replaced while a live one is a fault. Adds its listeners to the list `all`. Nothing is left open on failure.
 * FAULT_IO. */
bool listen_open(struct list *all, const char *addrs, const char *unix_dir, uint16_t port, const struct listen_opts *o,
		 listen_cb *cb, void *arg, struct fault *f);
void listen_pause(struct list *all); /* stops accepting; the sockets stay open */
void listen_resume(struct list *all);
void listen_close(struct list *all);     /* also unlinks unix sockets */
void listen_close_tcp(struct list *all); /* the others stay */
size_t listen_count(const struct list *all);
/* The port of the first; with port 0 the kernel chose it, and the others took the same. 0: there is none. */
uint16_t listen_port(const struct list *all);

/* Who is at the other end of a unix socket; false when it is none or the kernel does not tell. */
bool peer_identity(int fd, uid_t *uid, gid_t *gid, pid_t *pid);

#endif
