/* main.c - start, stop, signals. */
#include "admin/console.h"
#include "auth/helper.h"
#include "auth/secret.h"
#include "config/config.h"
#include "config/ini.h"
#include "core/assert.h"
#include "core/daemon.h"
#include "core/deadline.h"
#include "core/event.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/str.h"
#include "net/dns.h"
#include "net/listen.h"
#include "net/stream.h"
#include "net/tls.h"
#include "mysql/mysql.h"
#include "pg/pg.h"
#include "pool/peer.h"
#include "pool/pool.h"
#include "session/ledger.h"
#include "session/session.h"

#include <ev.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

#define WARNINGS_BYTES 8192 /* of which whoever asks for a reload is told, about */

static struct options {
	const char *config, *user;
	int verbose, quiet;
	bool detach, check;
} opt;

static struct list listeners = { &listeners, &listeners };
static bool stopping;
static enum shutdown_mode stop_mode;

static const char usage[] =
	"Usage: sluice [OPTION]... CONFIG.ini\n"
	"A connection pooler for databases that cannot be changed.\n\n"
	"  -d, --daemon         run in the background (needs pidfile, and logfile or syslog, in the configuration)\n"
	"  -u, --user=USER      become USER once the sockets are open\n"
	"  -v, --verbose        say more; may be given twice\n"
	"  -q, --quiet          no log on stderr\n"
	"      --check          validate the configuration, say each fault with file and line, and exit\n"
	"  -V, --version        print the version, and exit\n"
	"  -h, --help           print this, and exit\n\n"
	"Signals: HUP reloads; INT waits for running transactions, then ends; TERM waits for the clients to leave;\n"
	"a second INT or TERM, and QUIT, end at once; USR1 pauses, USR2 resumes.\n";

/* --- The configuration */

/* What a reload answers to whoever asked for it: the first error, and all else beside it. */
struct told {
	bool any;
	int errors;
	struct fault first;
	bool on_stdout;
	struct sb *warnings; /* borrowed: a line each; NULL: for the log alone */
};

static void report(void *arg, bool is_error, const char *file, int line, const char *text)
{
	struct told *t = arg;
	char at[600] = "";
	if (line > 0)
		str_fmt(at, sizeof at, "%s:%d: ", file, line);
	else if (file && *file)
		str_fmt(at, sizeof at, "%s: ", file);
	if (t->on_stdout)
		printf("%s%s%s\n", at, is_error ? "error: " : "warning: ", text);
	else if (is_error)
		log_error(NULL, "%s%s", at, text);
	else
		log_warn(NULL, "%s%s", at, text);
	if (is_error && t->errors++ == 0)
		fault_set(&t->first, FAULT_CONFIG, "%s%s", at, text);
	else if (t->warnings && t->warnings->len < WARNINGS_BYTES)
		sb_addf(t->warnings, "%s%s%s", t->warnings->len ? "\n" : "", at, text);
}

/* --- TLS */

#define TLS_FILES 6

/* The rows of one side, in the order of struct tls_conf. files: the paths, as seen from the configuration file; owned
 * by the caller. False when out of memory. */
static bool tls_conf_of(const struct config *c, enum tls_side side, struct tls_conf *out, char *files[3])
{
	static const struct {
		enum setting_id mode, files[3], protocols, ciphers, ciphers13, dheparams, ecdhcurve;
	} rows[] = {
		{ SET_client_tls_sslmode,
		  { SET_client_tls_key_file, SET_client_tls_cert_file, SET_client_tls_ca_file },
		  SET_client_tls_protocols,
		  SET_client_tls_ciphers,
		  SET_client_tls13_ciphers,
		  SET_client_tls_dheparams,
		  SET_client_tls_ecdhcurve },
		{ SET_server_tls_sslmode,
		  { SET_server_tls_key_file, SET_server_tls_cert_file, SET_server_tls_ca_file },
		  SET_server_tls_protocols,
		  SET_server_tls_ciphers,
		  SET_server_tls13_ciphers,
		  SET_server_tls_dheparams,
		  SET_server_tls_ecdhcurve },
	};
	for (int i = 0; i < 3; i++) {
		const char *name = config_text(c, rows[side].files[i], NULL, NULL);
		files[i] = *name ? ini_resolve(name, c->path) : str_dup("");
		if (!files[i])
			return false;
	}
	*out = (struct tls_conf){
		.mode = (enum tls_mode)config_num(c, rows[side].mode, NULL, NULL),
		.key_file = files[0],
		.cert_file = files[1],
		.ca_file = files[2],
		.protocols = config_text(c, rows[side].protocols, NULL, NULL),
		.ciphers = config_text(c, rows[side].ciphers, NULL, NULL),
		.ciphers13 = config_text(c, rows[side].ciphers13, NULL, NULL),
		.dheparams = config_text(c, rows[side].dheparams, NULL, NULL),
		.ecdhcurve = config_text(c, rows[side].ecdhcurve, NULL, NULL),
	};
	return true;
}

/* The part of a configuration that stands in other files: keys and certificates. They are loaded here, and hold once
 * the configuration does. */
static bool check_tls(const struct config *c, struct fault *f)
{
	struct tls_conf clients, servers;
	char *files[TLS_FILES] = { NULL };
	bool ok = tls_conf_of(c, TLS_CLIENTS, &clients, files) && tls_conf_of(c, TLS_SERVERS, &servers, files + 3);
	ok = ok ? tls_prepare(&clients, &servers, f) : fault_set(f, FAULT_NOMEM, "out of memory");
	for (int i = 0; i < TLS_FILES; i++)
		free(files[i]);
	return ok;
}

static void warn_of_file(const char *what, const char *path, const char *user)
{
	if (access(path, R_OK) < 0)
		log_warn(NULL, "%s %s cannot be read by the user \"%s\", as a RELOAD would have to", what, path, user);
}

/* They were read as root, who we are no more. */
static void warn_of_files(const char *user)
{
	static const enum setting_id files[] = {
		SET_auth_file,           SET_auth_hba_file,        SET_auth_ident_file,
		SET_client_tls_key_file, SET_client_tls_cert_file, SET_client_tls_ca_file,
		SET_server_tls_key_file, SET_server_tls_cert_file, SET_server_tls_ca_file,
	};
	const struct config *c = config_now();
	warn_of_file("the file", c->path, user);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		const char *name = config_text(c, files[i], NULL, NULL);
		char *path = *name ? ini_resolve(name, c->path) : NULL;
		if (path)
			warn_of_file(settings_table[files[i]].name, path, user);
		free(path);
	}
}

static int check_config(void)
{
	struct told t = { .on_stdout = true };
	struct config *c = config_load(opt.config, true, report, &t);
	if (c) {
		printf("%s: configuration is valid\n", opt.config);
		config_put(c);
		return 0;
	}
	fflush(stdout); /* first what is wrong, then the sum, also where both go to one file */
	fprintf(stderr, "sluice: %s: %d error%s\n", opt.config, t.errors, t.errors == 1 ? "" : "s");
	return 1;
}

static int64_t number(enum setting_id id)
{
	return config_num(config_now(), id, NULL, NULL);
}

static const char *text(enum setting_id id)
{
	return config_text(config_now(), id, NULL, NULL);
}

static bool open_log(struct fault *f)
{
	int64_t verbose = number(SET_verbose) + opt.verbose;
	log_level = verbose >= 2 ? LOG_LV_NOISE : verbose == 1 ? LOG_LV_DEBUG : LOG_LV_INFO;
	return log_open(text(SET_logfile), number(SET_syslog) ? text(SET_syslog_ident) : "", text(SET_syslog_facility),
			!opt.quiet, f);
}

/* What is read from settings once and not each time. */
static void apply_settings(void)
{
	stream_set_tcp(&(struct stream_tcp){
		.keepalive = number(SET_tcp_keepalive) != 0,
		.keepcnt = (int)number(SET_tcp_keepcnt),
		.keepidle_s = (int)number(SET_tcp_keepidle),
		.keepintvl_s = (int)number(SET_tcp_keepintvl),
		.user_timeout_ms = (int)number(SET_tcp_user_timeout),
		.socket_buffer = (int)number(SET_tcp_socket_buffer),
	});
	secret_set_iterations((uint32_t)number(SET_scram_iterations));
	dns_configure((uint64_t)number(SET_dns_max_ttl), (uint64_t)number(SET_dns_nxdomain_ttl));
	if (tls_commit())
		databases_retarget();
	helpers_configure((unsigned)number(SET_auth_helpers), (uint32_t)number(SET_auth_helper_timeout));
}

static void apply(void)
{
	struct fault f;
	if (!open_log(&f))
		log_error(NULL, "%s", f.text);
	apply_settings();
	databases_reload();
	sessions_configure();
	sessions_check_dropped();
}

static bool reload(struct fault *f, struct sb *warnings)
{
	struct told t = { .warnings = warnings };
	log_info(NULL, "reloading %s", opt.config);
	struct config *c = config_load(opt.config, false, report, &t);
	if (!c) {
		event_raise(EVENT_RELOAD, NULL, "the configuration was not reloaded: %.150s",
			    t.errors ? t.first.text : "it could not be read");
		log_error(NULL, "the configuration was not reloaded: the one before goes on");
		if (t.errors == 0)
			return fault_set(f, FAULT_CONFIG, "the configuration could not be read");
		*f = t.first;
		return false;
	}
	config_set(c);
	apply();
	event_raise(EVENT_RELOAD, NULL, "the configuration was reloaded");
	return true;
}

/* --- Events. What has a line in the log of its own is of level debug there. */

static void log_event(struct event_listener *l, const struct event *e)
{
	(void)l;
	log_at(event_level(e->kind), NULL, "%s: %s%s%s", event_name(e->kind), e->db, *e->db ? ": " : "", e->text);
}

static struct event_listener event_log = { .on_event = log_event };

/* --- Stopping */

static void check_stop(void)
{
	if (!stopping)
		return;
	if (stop_mode == SHUTDOWN_WAIT_SERVERS ? pool_is_quiet(NULL) : sessions_count() == 0)
		loop_stop();
}

static void shut_down(enum shutdown_mode mode)
{
	if (stopping || mode == SHUTDOWN_IMMEDIATE) {
		log_info(NULL, "shutting down at once");
		loop_stop();
		return;
	}
	stopping = true;
	stop_mode = mode;
	sessions_refuse();
	console_watch(check_stop);
	sessions_on_change(check_stop);
	if (mode == SHUTDOWN_WAIT_SERVERS) {
		log_info(NULL, "shutting down: waiting for running transactions");
		pool_pause(NULL);
	} else {
		log_info(NULL, "shutting down: waiting for clients to leave");
		/* The port is free for who comes after us; the console can be had by the unix socket. */
		listen_close_tcp(&listeners);
	}
	check_stop();
}

static const struct admin_hooks hooks = { .reload = reload, .apply = apply, .shutdown = shut_down };

/* --- Signals */

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int revents)
{
	struct fault f;
	(void)loop;
	(void)revents;
	switch (w->signum) {
	case SIGHUP:
		(void)reload(&f, NULL); /* its faults are in the log */
		break;
	case SIGINT:
		log_info(NULL, "got SIGINT");
		shut_down(SHUTDOWN_WAIT_SERVERS);
		break;
	case SIGTERM:
		log_info(NULL, "got SIGTERM");
		shut_down(SHUTDOWN_WAIT_CLIENTS);
		break;
	case SIGQUIT:
		shut_down(SHUTDOWN_IMMEDIATE);
		break;
	case SIGUSR1:
		log_info(NULL, "got SIGUSR1: pausing all");
		pool_pause(NULL);
		break;
	case SIGUSR2:
		log_info(NULL, "got SIGUSR2: going on");
		pool_resume(NULL);
		break;
	default:
		break;
	}
}

static void watch_signals(bool on)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2 };
	static struct ev_signal w[sizeof signals / sizeof signals[0]];

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		if (on) {
			ev_signal_init(&w[i], on_signal, signals[i]);
			ev_signal_start(loop_ev(), &w[i]);
		} else {
			ev_signal_stop(loop_ev(), &w[i]);
		}
	}
	(void)signal(SIGPIPE, SIG_IGN);
}

/* --- Starting */

static void on_connection(void *arg, int fd, const struct addr *a, bool has_data)
{
	const struct door_ops *door = arg;
	session_accept(door, fd, a, has_data);
}

static void *door_arg(const struct door_ops *door)
{
	return (void *)(uintptr_t)door;
}

static bool open_listeners(uid_t owner, struct fault *f)
{
	struct listen_opts o = {
		.backlog = (int)number(SET_listen_backlog),
		.defer_accept = number(SET_tcp_defer_accept) != 0,
		.reuseport = number(SET_so_reuseport) != 0,
		.keepalive = number(SET_tcp_keepalive) != 0,
		.keepcnt = (int)number(SET_tcp_keepcnt),
		.keepidle_s = (int)number(SET_tcp_keepidle),
		.keepintvl_s = (int)number(SET_tcp_keepintvl),
		.user_timeout_ms = (int)number(SET_tcp_user_timeout),
		.socket_buffer = (int)number(SET_tcp_socket_buffer),
		.unix_mode = (unsigned)number(SET_unix_socket_mode),
		.unix_group = text(SET_unix_socket_group),
		.unix_owner = owner,
	};
	if (!listen_open(&listeners, text(SET_listen_addr), text(SET_unix_socket_dir),
			 (uint16_t)number(SET_listen_port), &o, on_connection, door_arg(pg_door_ops()), f))
		return false;
	o.defer_accept = false; /* it is the server who speaks first there */
	o.unix_path = text(SET_mysql_unix_socket);
	return listen_open(&listeners, text(SET_mysql_listen_addr), o.unix_path,
			   (uint16_t)number(SET_mysql_listen_port), &o, on_connection, door_arg(mysql_door_ops()), f);
}

/* Whoever is in the background with no log at all is out of sight. */
static bool can_detach(struct fault *f)
{
	if (!text(SET_pidfile)[0])
		return fault_set(f, FAULT_CONFIG, "-d needs pidfile in the configuration");
	if (!text(SET_logfile)[0] && !number(SET_syslog))
		return fault_set(f, FAULT_CONFIG, "-d needs logfile or syslog in the configuration");
	return true;
}

/* The log and the pid file, as the user who will write and remove them, and before any socket is there: most of what a
 * start fails for is found here, and leaves nothing behind. */
static bool open_files(const char *user, struct fault *f)
{
	if (!daemon_act_as(user, f))
		return false;
	if (!open_log(f)) {
		if (opt.detach || opt.quiet)
			return false;
		log_error(NULL, "%s", f->text);
	}
	return daemon_pidfile_open(text(SET_pidfile), f) && daemon_act_as_ourselves(f);
}

static bool start(struct fault *f)
{
	struct told t = { .errors = 0 };
	const char *user;
	uid_t uid;

	struct config *c = config_load(opt.config, false, report, &t);
	if (!c) {
		if (t.errors == 0)
			return fault_set(f, FAULT_CONFIG, "%s could not be read", opt.config);
		return fault_set(f, FAULT_CONFIG, "%s has errors; not started", opt.config);
	}
	config_set(c);
	user = opt.user ? opt.user : text(SET_user);
	if (!daemon_find_user(user, &uid, f))
		return false;
	if (opt.detach && (!can_detach(f) || !daemon_detach(f)))
		return false;
	uint64_t files = daemon_raise_files(NULL);
	if (!open_files(user, f))
		return false;
	if (!secret_init())
		return fault_set(f, FAULT_INTERNAL, "no source of random numbers");
	if (!dns_use_resolv_conf(text(SET_resolv_conf)))
		return fault_set(f, FAULT_CONFIG, "resolv_conf is too long a path");
	if (!loop_init(f) || !dns_init(f))
		return false;
	watch_signals(true); /* before anybody can connect, and so think that we are up */
	deadlines_init();
	ledger_start();
	event_listen(&event_log);
	databases_init();
	sessions_init();
	pg_init();
	mysql_init();
	if (!open_listeners(uid, f) || !daemon_become(user, f))
		return false;
	if (uid != 0)
		warn_of_files(user);
	apply_settings();
	if (!helpers_init(f) && config_asks_outside(config_now()))
		return false;
	if (!console_init(&hooks))
		return fault_set(f, FAULT_NOMEM, "no memory for the console");
	databases_reload();
	sessions_configure();
	log_info(NULL, "sluice %s: listening on %s port %d; open files: %llu, max_client_conn: %lld", PACKAGE_VERSION,
		 text(SET_listen_addr)[0] ? text(SET_listen_addr) : "unix sockets only, as",
		 (int)number(SET_listen_port), (unsigned long long)files, (long long)number(SET_max_client_conn));
	if (files && files < (uint64_t)number(SET_max_client_conn))
		log_warn(NULL, "the limit of open files is below max_client_conn: raise it (ulimit -n, LimitNOFILE=)");
	return daemon_ready(f);
}

/* Everything is given back, so that a leak is seen by whoever looks for leaks. */
static void finish(void)
{
	if (!loop_ev())
		return;
	ledger_look();
	ledger_stop();
	console_watch(NULL);
	sessions_on_change(NULL);
	listen_close(&listeners);
	sessions_free();
	peers_free();
	console_free();
	pools_free();
	loop_turn(false);
	databases_free();
	watch_signals(false);
	helpers_free();
	dns_free();
	deadlines_free();
	loop_free();
	tls_forget();
	buf_trim();
	config_set(NULL);
}

/* What a start that failed would leave to whoever tries again. */
static void abandon(const struct fault *f)
{
	const char *stop = f->hint[0] ? ". " : "";
	log_error(NULL, "%s%s%s", f->text, stop, f->hint);
	if (!log_on_stderr())
		fprintf(stderr, "sluice: %s%s%s\n", f->text, stop, f->hint);
	listen_close(&listeners);
	daemon_pidfile_remove();
	log_close();
}

static bool parse_options(int argc, char **argv, int *status)
{
	static const struct option longs[] = {
		{ "daemon", no_argument, NULL, 'd' },  { "user", required_argument, NULL, 'u' },
		{ "verbose", no_argument, NULL, 'v' }, { "quiet", no_argument, NULL, 'q' },
		{ "check", no_argument, NULL, 'c' },   { "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },    { NULL, 0, NULL, 0 },
	};
	int o;
	*status = 2;
	while ((o = getopt_long(argc, argv, "du:vqVh", longs, NULL)) != -1) {
		switch (o) {
		case 'd':
			opt.detach = true;
			break;
		case 'u':
			opt.user = optarg;
			break;
		case 'v':
			opt.verbose++;
			break;
		case 'q':
			opt.quiet++;
			break;
		case 'c':
			opt.check = true;
			break;
		case 'V':
			printf("sluice %s\n", PACKAGE_VERSION);
			*status = 0;
			return false;
		case 'h':
			fputs(usage, stdout);
			*status = 0;
			return false;
		default:
			fputs("Try 'sluice --help'.\n", stderr);
			return false;
		}
	}
	if (optind != argc - 1) {
		fputs(optind == argc ? "sluice: which configuration file? Try 'sluice --help'.\n"
				     : "sluice: one configuration file only. Try 'sluice --help'.\n",
		      stderr);
		return false;
	}
	opt.config = argv[optind];
	return true;
}

int main(int argc, char **argv)
{
	struct fault f;
	int status;

	if (!parse_options(argc, argv, &status))
		return status;
	tls_mem_begin();
	config_set_checker(check_tls);
	if (opt.check) {
		status = check_config();
		tls_forget();
		return status;
	}
	/* Descriptors first: the first socket would else be where the log goes. */
	if (!daemon_fill_stdio(&f) || !start(&f)) {
		abandon(&f);
		return 1;
	}
	loop_run();
	finish();
	daemon_pidfile_remove();
	log_info(NULL, "ended");
	log_close();
	return 0;
}
