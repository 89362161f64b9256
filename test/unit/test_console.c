/* test_console.c - the console as an engine on the exchange: rights, commands, rows in batches, waits. Sessions are
 * real ones, behind a door that keeps quiet; answers go to a sink that writes them down. */
#include "admin/console_int.h"

#include "admin/averages.h"
#include "conf_files.h"
#include "core/log.h"
#include "core/loop.h"
#include "nomem.h"
#include "session/session.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 8

/* --- A door that keeps quiet, and a sink that writes it all down */

struct paper {
	struct result_sink sink;
	struct sb out;       /* a line for each call; the cells of a row between bars */
	unsigned full_every; /* it says so with each so-manieth call; 0: never */
	unsigned calls;
	unsigned ends;
	struct cursor *at; /* where it was suspended; NULL: it was not */
};

static struct session *door_make(void)
{
	return calloc(1, sizeof(struct session));
}

static struct client {
	struct session *s; /* NULL: gone, and freed */
	int peer;
	struct paper paper;
} clients[CLIENTS_MAX];
static size_t nclients;

static void door_free(struct session *s)
{
	for (size_t i = 0; i < nclients; i++)
		if (clients[i].s == s)
			clients[i].s = NULL;
	free(s);
}

static void door_on_bytes(struct session *s, struct rd *in)
{
	(void)s;
	rd_take(in, rd_left(in));
}

static void door_on_welcome(struct session *s, const struct varset *reported)
{
	(void)s;
	(void)reported;
}

static char told[200]; /* the last fatal error that a session was given */

static void door_tell(struct session *s, const struct fault *f, bool is_fatal)
{
	(void)s;
	if (is_fatal)
		str_fmt(told, sizeof told, "%s %s", f->sqlstate, f->text);
}

static uint32_t door_prepared(const struct session *s)
{
	(void)s;
	return 0;
}

static void door_leaves(struct session *s)
{
	(void)s;
}

static const struct door_ops door = {
	.prepared = door_prepared,
	.name = "quiet",
	.make = door_make,
	.free = door_free,
	.on_bytes = door_on_bytes,
	.on_welcome = door_on_welcome,
	.tell = door_tell,
	.leaves = door_leaves,
};

static bool written(struct paper *p)
{
	sb_add(&p->out, "\n");
	return !p->full_every || ++p->calls % p->full_every;
}

static struct paper *paper_of(struct result_sink *k)
{
	return list_owner(k, struct paper, sink);
}

static bool sink_columns(struct result_sink *k, const struct column *cols, size_t n)
{
	static const char *const types[] = { "t", "i", "b", "n", "?" };
	struct paper *p = paper_of(k);
	sb_add(&p->out, "columns");
	for (size_t i = 0; i < n; i++)
		sb_addf(&p->out, " %s:%s", cols[i].name, types[cols[i].type]);
	return written(p);
}

static bool sink_row(struct result_sink *k, const struct cell *cells, size_t n)
{
	struct paper *p = paper_of(k);
	for (size_t i = 0; i < n; i++) {
		sb_add(&p->out, "|");
		if (cells[i].is_null)
			sb_add(&p->out, "NULL");
		else
			sb_add_n(&p->out, cells[i].text.s, cells[i].text.len);
	}
	return written(p);
}

static bool sink_done(struct result_sink *k, const char *tag, uint64_t rows)
{
	struct paper *p = paper_of(k);
	sb_addf(&p->out, "done %s %llu", tag, (unsigned long long)rows);
	return written(p);
}

static bool sink_suspended(struct result_sink *k, struct cursor *at)
{
	struct paper *p = paper_of(k);
	p->at = at;
	sb_add(&p->out, "suspended");
	return written(p);
}

static bool sink_notice(struct result_sink *k, const char *text)
{
	struct paper *p = paper_of(k);
	sb_addf(&p->out, "notice %s", text);
	return written(p);
}

static void sink_fault(struct result_sink *k, const struct fault *f)
{
	struct paper *p = paper_of(k);
	sb_addf(&p->out, "fault %s %s\n", f->sqlstate, f->text);
}

static void sink_end(struct result_sink *k)
{
	paper_of(k)->ends++;
}

static const struct sink_ops paper_ops = { sink_columns, sink_row,   sink_done, sink_suspended,
					   sink_notice,  sink_fault, sink_end };

/* --- The house around it */

static unsigned reloads, applies, shutdowns;
static enum shutdown_mode last_mode;
static bool reload_fails, reload_warns;

static bool hook_reload(struct fault *f, struct sb *warnings)
{
	if (reload_warns)
		sb_add(warnings, "main.ini: listen_port has changed");
	reloads++;
	return reload_fails ? fault_set(f, FAULT_CONFIG, "main.ini:3: bad") : true;
}

static void hook_apply(void)
{
	applies++;
}

static void hook_shutdown(enum shutdown_mode mode)
{
	shutdowns++;
	last_mode = mode;
}

static const struct admin_hooks hooks = { hook_reload, hook_apply, hook_shutdown };

static const char ini[] = "[databases]\n"
			  "shop = host=10.0.0.1,10.0.0.2 port=5433 dbname=real pool_size=7 pool_mode=session\n"
			  "\"my db\" =\n"
			  "[users]\n"
			  "zoe = pool_size=3 max_user_connections=4 pool_mode=statement\n"
			  "[sluice]\n"
			  "admin_users = boss\n"
			  "stats_users = watcher\n"
			  "log_stats = 0\n"
			  "auth_file = u\n";

static enum log_level level_before;

static bool begin(void)
{
	struct conf_told said = { .errors = 0 };
	struct fault f;
	conf_dir();
	conf_text("u", "\"boss\" \"x\"\n\"watcher\" \"x\"\n\"anna\" \"x\"\n");
	struct config *c = config_load(conf_text("main.ini", ini), true, conf_report, &said);
	if (!check(said.text, c != NULL) || !check("loop", loop_init(&f)))
		return false;
	level_before = log_level;
	log_level = LOG_LV_ERROR;
	config_set(c);
	deadlines_init();
	databases_init();
	sessions_init();
	databases_reload();
	nclients = 0;
	reloads = applies = shutdowns = 0;
	told[0] = '\0';
	return check("console", console_init(&hooks));
}

static void finish(void)
{
	pool_resume(NULL);
	sessions_free();
	console_free();
	pools_free();
	loop_turn(false);
	databases_free();
	deadlines_free();
	loop_free();
	buf_trim();
	config_set(NULL);
	conf_clean();
	log_level = level_before;
	for (size_t i = 0; i < nclients; i++) {
		close(clients[i].peer);
		sb_free(&clients[i].paper.out);
	}
}

/* A client who says who it is, and no more. */
static struct client *come(const char *user, const char *db)
{
	struct client *c = &clients[nclients];
	struct addr a = { .ip = { 127, 0, 0, 1 }, .port = 1234, .family = ADDR_IPV4 };
	struct fault f;
	int fds[2];
	if (!check("room", nclients < CLIENTS_MAX) ||
	    !check("pair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0))
		abort();
	nclients++;
	*c = (struct client){ .peer = fds[1], .paper = { .sink = { &paper_ops } } };
	session_accept(&door, fds[0], &a, false);
	c->s = list_owner(sessions_all()->prev, struct session, in_all);
	session_identify(c->s, database_find(db, &f), user_find(user, false));
	return c;
}

static struct client *log_in(const char *user, const char *db)
{
	struct client *c = come(user, db);
	session_login_done(c->s);
	return c;
}

static bool is_gone(const struct client *c)
{
	return !c->s || c->s->state == SESSION_DEAD;
}

static void ask(struct client *c, const char *text)
{
	size_t len = strlen(text);
	char *copy = (char *)copy_exact(text, len); /* no NUL behind it, and gone after the call */
	struct request r = { .text = { copy, len } };
	sb_free(&c->paper.out);
	c->paper.ends = 0;
	c->s->db->exchange->ask(c->s, &r, &c->paper.sink);
	free(copy);
}

/* Asks, and goes on until it is answered. */
static const char *answer(struct client *c, const char *text)
{
	ask(c, text);
	for (int turns = 0; !c->paper.ends && !is_gone(c) && turns < 10000; turns++) {
		c->s->db->exchange->resume(c->s);
		loop_turn(false);
	}
	check_eq(text, c->paper.ends, 1);
	return sb_str(&c->paper.out);
}

/* --- Who may do what */

static void test_login(void)
{
	static const struct {
		const char *user, *db;
		bool own, in;
	} cases[] = {
		{ "boss", "sluice", false, true },    { "boss", "pgbouncer", false, true },
		{ "watcher", "sluice", false, true }, { "anna", "sluice", false, false },
		{ "anna", "sluice", true, true },
	};
	if (!begin())
		return;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct client *c = come(cases[i].user, cases[i].db);
		told[0] = '\0';
		c->s->is_own_user = cases[i].own;
		session_login_done(c->s);
		check_eq(cases[i].user, !is_gone(c), cases[i].in);
		check_str(cases[i].user, told, cases[i].in ? "" : "08P01 not allowed");
		if (!cases[i].in)
			continue;
		const struct istr *v = varset_find(c->s->vars, "server_version");
		check("drivers read a version", v && strtol(v->s, NULL, 10) == 1);
		v = varset_find(c->s->vars, "client_encoding");
		check_str("and an encoding", v ? v->s : NULL, "UTF8");
	}
	finish();
}

/* A statement of that command which does no harm here. */
static void harmless(const struct command *c, char *out, size_t cap)
{
	static const char *const args[] = { [SHAPE_NONE] = "",
					    [SHAPE_DB] = " shop",
					    [SHAPE_DB_OR_ALL] = " shop",
					    [SHAPE_ID] = " 999999",
					    [SHAPE_ASSIGN] = " log_stats = 0",
					    [SHAPE_IGNORED] = " timezone = x" };
	str_fmt(out, cap, "%s%s", c->words, args[c->shape]);
}

/* Every command of the table, as each kind of user. */
static void test_rights(void)
{
	if (!begin())
		return;
	struct client *boss = log_in("boss", "sluice"), *watcher = log_in("watcher", "sluice");
	struct client *own = come("anna", "sluice");
	own->s->is_own_user = true;
	session_login_done(own->s);
	for (int i = 0; i < CMD_COUNT; i++) {
		char text[80];
		harmless(&command_table[i], text, sizeof text);
		bool refused = strcmp(answer(watcher, text), "fault 08P01 admin access needed\n") == 0;
		check_eq(text, refused, command_table[i].right == RIGHT_ADMIN);
		loop_turn(false);
		check_eq("nothing was shut down", shutdowns, 0);
		check("boss", !strstr(answer(boss, text), "admin access needed"));
		check("own user", !strstr(answer(own, text), "admin access needed"));
		loop_turn(false);
		shutdowns = 0;
	}
	/* Rights follow a reload. */
	boss->s->user->is_admin = false;
	check_str("no longer", answer(boss, "show version"), "fault 08P01 admin access needed\n");
	boss->s->user->is_admin = true;
	finish();
}

/* --- What commands say */

static const struct {
	const char *in, *out;
} talks[] = {
	{ "", "done  0\n" },
	{ " ; -- nothing", "done  0\n" },
	{ "SHOW STATE", "columns key:t value:t\n|active|yes\n|paused|no\ndone SHOW 2\n" },
	{ "show state; show \"STATE\";", "columns key:t value:t\n|active|yes\n|paused|no\ndone SHOW 2\n"
					 "columns key:t value:t\n|active|yes\n|paused|no\ndone SHOW 2\n" },
	{ "reload; foo; reload", "done RELOAD 0\nfault 08P01 invalid command 'foo', use SHOW HELP;\n" },
	{ "SET timezone = 'x'", "notice SET ignored\ndone SET 0\n" },
	{ "begin; COMMIT",
	  "notice the console has no transactions: each command takes effect at once\ndone BEGIN 0\n"
	  "notice the console has no transactions: each command takes effect at once\ndone COMMIT 0\n" },
	{ "SET server_check_query = 'select 2'", "done SET server_check_query=select 2 0\n" },
	{ "SET query_wait_timeout = 1min; SHOW STATE",
	  "done SET query_wait_timeout=1min 0\ncolumns key:t value:t\n|active|yes\n|paused|no\ndone SHOW 2\n" },
	{ "SET nonsense = 1", "fault 08P01 SET failed: unknown setting \"nonsense\"\n" },
	{ "SET listen_port = 1", "fault 08P01 SET failed: listen_port cannot be changed without a restart\n" },
	{ "PAUSE nosuch", "fault 08P01 no such database: nosuch\n" },
	{ "PAUSE Shop", "fault 08P01 no such database: Shop\n" },
	{ "PAUSE pgbouncer", "fault 08P01 cannot pause admin db: pgbouncer\n" },
	{ "KILL sluice", "fault 08P01 cannot kill admin db: sluice\n" },
	{ "DISABLE sluice", "fault 08P01 cannot disable admin db: sluice\n" },
	{ "DISABLE", "fault 08P01 a database is required\n" },
	{ "ENABLE", "fault 08P01 a database is required\n" },
	{ "RESUME", "fault 08P01 pooler is not paused\n" },
	{ "RESUME shop", "fault 08P01 database shop is not paused\n" },
	{ "PAUSE shop; PAUSE shop; RESUME shop", "done PAUSE 0\ndone PAUSE 0\ndone RESUME 0\n" },
	{ "PAUSE; SHOW STATE; RESUME",
	  "done PAUSE 0\ncolumns key:t value:t\n|active|no\n|paused|yes\ndone SHOW 2\ndone RESUME 0\n" },
	{ "PAUSE; PAUSE", "done PAUSE 0\nfault 08P01 already paused\n" },
	{ "PAUSE shop", "fault 08P01 already paused\n" },
	{ "RESUME shop", "fault 08P01 database shop is not paused\n" },
	{ "RESUME; RESUME", "done RESUME 0\nfault 08P01 pooler is not paused\n" },
	{ "KILL shop; RESUME shop", "done KILL 0\ndone RESUME 0\n" },
	{ "KILL; RESUME \"my db\"; RESUME; RESUME",
	  "done KILL 0\ndone RESUME 0\ndone RESUME 0\nfault 08P01 pooler is not paused\n" },
	{ "RECONNECT; RECONNECT shop; RECONNECT nosuch",
	  "done RECONNECT 0\ndone RECONNECT 0\nfault 08P01 no such database: nosuch\n" },
	{ "WAIT_CLOSE; WAIT_CLOSE shop; WAIT_CLOSE nosuch",
	  "done WAIT_CLOSE 0\ndone WAIT_CLOSE 0\nfault 08P01 no such database: nosuch\n" },
	{ "KILL_CLIENT", "fault 08P01 invalid client pointer supplied\n" },
	{ "KILL_CLIENT abc", "fault 08P01 invalid client pointer supplied\n" },
	{ "KILL_CLIENT 999999", "fault 08P01 client not found\n" },
	{ "SHOW VERSION", "columns version:t\n|Sluice " PACKAGE_VERSION "\ndone SHOW 1\n" },
};

/* Each with a sink that is never full, and with sinks that are full again and again: the answer is the same. */
static void test_talks(void)
{
	if (!begin())
		return;
	struct client *c = log_in("boss", "sluice");
	for (unsigned every = 0; every < 4; every++) {
		c->paper.full_every = every;
		for (size_t i = 0; i < COUNT(talks); i++)
			check_str(talks[i].in, answer(c, talks[i].in), talks[i].out);
	}
	check("the house was told of reloads and settings", reloads == 4 && applies == 8);
	reload_warns = true;
	check_str("a reload that warns", answer(c, "RELOAD"),
		  "notice main.ini: listen_port has changed\ndone RELOAD 0\n");
	reload_warns = false;
	reload_fails = true;
	check_str("a reload that fails", answer(c, "RELOAD"), "fault F0000 RELOAD failed: main.ini:3: bad\n");
	reload_fails = false;
	finish();
}

static void test_state_of_databases(void)
{
	if (!begin())
		return;
	struct client *c = log_in("boss", "sluice");
	struct database *shop = database_peek("shop"), *my = database_peek("my db");
	answer(c, "PAUSE shop; DISABLE \"my db\"");
	check("paused", shop->paused && !my->paused && !shop->disabled && my->disabled);
	answer(c, "RESUME shop; ENABLE \"my db\"");
	check("and not", !shop->paused && !my->disabled);
	answer(c, "KILL");
	check("KILL pauses each", shop->paused && my->paused && !database_peek("sluice")->paused);
	check_str("and RESUME ends it", answer(c, "RESUME"), "done RESUME 0\n");
	check("of each", !shop->paused && !my->paused);
	finish();
}

static void test_shutdown(void)
{
	static const struct {
		const char *text;
		enum shutdown_mode mode;
	} cases[] = {
		{ "SHUTDOWN", SHUTDOWN_IMMEDIATE },
		{ "shutdown wait_for_servers", SHUTDOWN_WAIT_SERVERS },
		{ "shutdown wait_for_clients", SHUTDOWN_WAIT_CLIENTS },
	};
	if (!begin())
		return;
	struct client *c = log_in("boss", "sluice");
	for (size_t i = 0; i < COUNT(cases); i++) {
		ask(c, cases[i].text);
		check_str("answered first", sb_str(&c->paper.out), "done SHUTDOWN 0\n");
		check_eq("done then", shutdowns, i);
		loop_turn(false);
		check_eq(cases[i].text, shutdowns, i + 1);
		check_eq(cases[i].text, last_mode, cases[i].mode);
	}
	finish();
}

static void test_help(void)
{
	if (!begin())
		return;
	struct client *c = log_in("watcher", "sluice");
	const char *help = answer(c, "show help");
	for (int i = 0; i < CMD_COUNT; i++) {
		char usage[80], row[90];
		command_usage(&command_table[i], usage, sizeof usage);
		str_fmt(row, sizeof row, "\t%s ", usage);
		check(row, strstr(help, row) != NULL);
		check(row, strstr(help, command_table[i].text) != NULL);
	}
	check("and then it is done", strstr(help, "\ndone SHOW 0\n") != NULL);
	finish();
}

/* --- Columns: PgBouncer's first, in its order, of its types */

#define CONNS                                                                                                          \
	"type:t user:t database:t replication:t state:t addr:t port:i local_addr:t local_port:i connect_time:t "       \
	"request_time:t wait:i wait_us:i close_needed:i ptr:t link:t remote_pid:i tls:t application_name:t "           \
	"prepared_statements:i id:i"
static const struct {
	const char *text, *columns;
} columns[] = {
	{ "SHOW VERSION", "version:t" },
	{ "SHOW CONFIG", "key:t value:t default:t changeable:t" },
	{ "SHOW DATABASES", "name:t host:t port:i database:t force_user:t pool_size:i min_pool_size:i "
			    "reserve_pool_size:i server_lifetime:i pool_mode:t load_balance_hosts:t max_connections:i "
			    "current_connections:i max_client_connections:i current_client_connections:i paused:i "
			    "disabled:i" },
	{ "SHOW POOLS", "database:t user:t cl_active:i cl_waiting:i cl_active_cancel_req:i cl_waiting_cancel_req:i "
			"sv_active:i sv_active_cancel:i sv_being_canceled:i sv_idle:i sv_used:i sv_tested:i sv_login:i "
			"maxwait:i maxwait_us:i pool_mode:t load_balance_hosts:t" },
	{ "SHOW CLIENTS", CONNS },
	{ "SHOW SERVERS", CONNS },
	{ "SHOW USERS", "name:t pool_size:t reserve_pool_size:t pool_mode:t max_user_connections:i "
			"current_connections:i max_user_client_connections:i current_client_connections:i" },
	{ "SHOW STATS", "database:t total_server_assignment_count:n total_xact_count:n total_query_count:n "
			"total_received:n total_sent:n total_xact_time:n total_query_time:n total_wait_time:n "
			"total_client_parse_count:n total_server_parse_count:n total_bind_count:n "
			"total_client_login_count:n avg_server_assignment_count:n avg_xact_count:n avg_query_count:n "
			"avg_recv:n avg_sent:n avg_xact_time:n avg_query_time:n avg_wait_time:n "
			"avg_client_parse_count:n avg_server_parse_count:n avg_bind_count:n avg_client_login_count:n" },
	{ "SHOW STATS_TOTALS", "database:t server_assignment_count:n xact_count:n query_count:n bytes_received:n "
			       "bytes_sent:n xact_time:n query_time:n wait_time:n client_parse_count:n "
			       "server_parse_count:n bind_count:n client_login_count:n" },
	{ "SHOW STATS_AVERAGES", "database:t server_assignment_count:n xact_count:n query_count:n bytes_received:n "
				 "bytes_sent:n xact_time:n query_time:n wait_time:n avg_client_parse_count:n "
				 "avg_server_parse_count:n avg_bind_count:n avg_client_login_count:n" },
	{ "SHOW TOTALS", "name:t value:n" },
	{ "SHOW LISTS", "list:t items:i" },
	{ "SHOW BREAKERS", "database:t host:t port:i state:t since:t failures:i retry_ms:b opened:b last_failure:t" },
	{ "SHOW LEDGER", "item:t value:b" },
	{ "SHOW EVENTS", "id:b time:t kind:t database:t event:t" },
	{ "SHOW STATE", "key:t value:t" },
	{ "SHOW MEM", "name:t size:i used:i free:i memtotal:i" },
	{ "SHOW DNS_HOSTS", "hostname:t ttl:b addrs:t" },
	{ "SHOW DNS_ZONES", "zonename:t serial:b count:i" },
	{ "SHOW PEERS", "peer_id:i host:t port:i pool_size:i" },
	{ "SHOW PEER_POOLS", "peer_id:i cl_active_cancel_req:i cl_waiting_cancel_req:i sv_active_cancel:i sv_login:i" },
	{ "SHOW SOCKETS",
	  CONNS " recv_pos:i pkt_pos:i pkt_remain:i send_pos:i send_remain:i pkt_avail:i send_avail:i" },
	{ "SHOW ACTIVE_SOCKETS",
	  CONNS " recv_pos:i pkt_pos:i pkt_remain:i send_pos:i send_remain:i pkt_avail:i send_avail:i" },
	{ "SHOW FDS", "fd:i task:t user:t database:t addr:t port:i cancel:b link:i client_encoding:t "
		      "std_strings:t datestyle:t timezone:t password:t scram_client_key:t scram_server_key:t" },
};

static void test_columns(void)
{
	if (!begin())
		return;
	struct client *c = log_in("boss", "sluice");
	for (size_t i = 0; i < COUNT(columns); i++) {
		const char *got = answer(c, columns[i].text);
		size_t len = strlen(columns[i].columns);
		check(columns[i].text, strncmp(got, "columns ", 8) == 0 &&
					       strncmp(got + 8, columns[i].columns, len) == 0 &&
					       (got[8 + len] == ' ' || got[8 + len] == '\n'));
	}
	finish();
}

static void test_rows(void)
{
	if (!begin())
		return;
	struct client *c = log_in("boss", "pgbouncer");
	struct pool *p = pool_find(database_peek("shop"), user_find("anna", false));
	if (!check("pool", p != NULL))
		return;
	p->stats.v[STAT_query_count] = 12;
	p->stats.v[STAT_error_count] = 3;
	p->nclients = 5;

	const char *got = answer(c, "SHOW DATABASES");
	check("in the order of names",
	      strstr(got, "\n|my db|NULL|5432|my db|NULL|20|0|0|3600|NULL|NULL|0|0|0|0|0|0\n"
			  "|pgbouncer|NULL|6432|pgbouncer|pgbouncer|0|0|0|3600|statement|NULL|0|0|0|1|0|0\n"
			  "|shop|10.0.0.1,10.0.0.2|5433|real|NULL|7|0|0|3600|session|round-robin|0|0|0|0|0|0\n"
			  "|sluice|") != NULL);
	got = answer(c, "SHOW USERS");
	check("once each, configured or here",
	      strstr(got, "\n|anna|||NULL|0|0|0|0\n|boss|||NULL|0|0|0|1\n|watcher|||NULL|0|0|0|0\n"
			  "|zoe|3||statement|4|0|0|0\ndone SHOW 4\n") != NULL);
	got = answer(c, "SHOW POOLS");
	check("pools, and the console's clients",
	      strstr(got, "\n|pgbouncer|pgbouncer|1|0|0|0|0|0|0|0|0|0|0|0|0|statement|NULL\n"
			  "|shop|anna|5|0|0|0|0|0|0|0|0|0|0|0|0|session|round-robin\ndone SHOW 2\n") != NULL);
	session_move(c->s, SESSION_ACTIVE); /* as a door does while it asks */
	got = answer(c, "SHOW CLIENTS");
	session_move(c->s, SESSION_IDLE);
	char row[80];
	str_fmt(row, sizeof row, "|C-0x%llx||0||", (unsigned long long)c->s->id);
	check("ids as in the log", strstr(got, row) != NULL);
	check("who", strstr(got, "\n|C|boss|pgbouncer|none|idle|127.0.0.1|1234|") != NULL);
	got = answer(c, "SHOW STATS");
	check("databases, not the console", strstr(got, "\n|my db|0|") && strstr(got, "\n|shop|0|0|12|0|") &&
						    !strstr(got, "\n|sluice|") && strstr(got, "done SHOW 2"));
	got = answer(c, "SHOW TOTALS");
	check("of all", strstr(got, "\n|total_query_count|12\n") && strstr(got, "\n|total_client_bytes|0\n") &&
				strstr(got, "\n|avg_ps_bind_count|0\n") && strstr(got, "\n|total_error_count|3\n"));
	const char *theirs = strstr(got, "\n|avg_client_login_count|"), *ours = strstr(got, "\n|total_error_count|");
	check("PgBouncer's first", theirs && ours && theirs < ours);
	got = answer(c, "SHOW LISTS");
	check("lists", strstr(got, "\n|databases|4\n|users|4\n|peers|0\n|pools|1\n") &&
			       strstr(got, "\n|used_clients|1\n|login_clients|0\n"));
	got = answer(c, "SHOW CONFIG");
	check("settings", strstr(got, "\n|pool_mode|session|session|yes\n") &&
				  strstr(got, "\n|listen_port|6432|6432|no\n") && strstr(got, "\n|conffile|"));
	check("settings without effect", strstr(got, "\n|dns_zone_check_period|0|0|yes\n") &&
						 strstr(got, "\n|job_name|pgbouncer|pgbouncer|no\n") &&
						 strstr(got, "\n|sbuf_loopcnt|5|5|yes\n") &&
						 !strstr(got, "|service_name|"));
	got = answer(c, "SHOW SOCKETS");
	check("who, with a prefix", strstr(got, "\n|C|boss|pgbouncer|none|cl_active|127.0.0.1|1234|") != NULL);
	check("bytes", strstr(got, "|0|0|0|0|0|0|0\ndone SHOW 1\n") != NULL);
	struct client *idle = log_in("watcher", "sluice");
	check("both", strstr(answer(c, "SHOW SOCKETS"), "done SHOW 2\n") != NULL);
	got = answer(idle, "SHOW FDS");
	str_fmt(row, sizeof row, "|%d|client|boss|pgbouncer|127.0.0.1|1234|0|0|UTF8|on|ISO|GMT|NULL|NULL|NULL\n",
		c->s->stream.io.fd);
	check("descriptors", strstr(got, row) && strstr(got, "done SHOW 2\n"));
	got = answer(c, "SHOW MEM");
	check("memory", strstr(got, "\n|buffers|1024|") && strstr(got, "\n|strings|0|"));
	p->nclients = 0;
	finish();
}

/* --- Averages */

static void test_averages(void)
{
	if (!begin())
		return;
	struct stats last = { { 0 } }, avg;
	last.v[STAT_xact_count] = 4;
	last.v[STAT_xact_time] = 4000;
	last.v[STAT_query_time] = 77; /* of queries that have not ended */
	last.v[STAT_server_assignment_count] = 2;
	last.v[STAT_wait_time] = 500;
	averages_of(&last, &avg);
	check_eq("of one transaction", avg.v[STAT_xact_time], 1000);
	check_eq("of none", avg.v[STAT_query_time], 0);
	check_eq("of one wait", avg.v[STAT_wait_time], 250);
	finish();
}

/* --- Many rows: a SHOW of our own over a list that changes while it is shown */

#define ITEMS 1500
static bool present[ITEMS];

static void items_gather(struct batch *b)
{
	for (unsigned i = 0; i < ITEMS; i++) /* in no order */
		if (present[(i * 7) % ITEMS])
			batch_offer(b, (struct item){ .a = "", .b = "", .id = (i * 7) % ITEMS });
}

static void items_row(struct row *r, const struct item *it)
{
	row_big(r, it->id);
}

static const struct column items_cols[] = { { "id", COL_INT8 } };
static const struct show_def items = { items_cols, 1, items_gather, items_row };

static void test_batches(void)
{
	struct paper p = { .sink = { &paper_ops }, .full_every = 100 };
	struct show sh;
	struct fault f;
	unsigned steps = 0;
	enum show_pace pace;

	memset(present, true, sizeof present);
	(void)show_begin(&sh, &items, &p.sink);
	while ((pace = show_step(&sh, UINT64_MAX, &p.sink, &f)) != SHOW_DONE && pace != SHOW_FAILED) {
		/* Of those still to come one goes, of those shown one goes and one comes. */
		present[ITEMS - 1 - steps] = false;
		present[steps] = false;
		if (steps > 10)
			present[steps - 10] = true;
		steps++;
	}
	check_eq("done", pace, SHOW_DONE);
	check("in many steps", steps > 10);
	const char *at = sb_str(&p.out);
	at = strchr(at, '\n') + 1; /* the columns */
	uint64_t n = 0, last = 0;
	bool in_order = true;
	for (; *at == '|'; n++) {
		uint64_t id = strtoull(at + 1, NULL, 10);
		in_order = in_order && id == n; /* none left out, none twice */
		last = id;
		at = strchr(at, '\n') + 1;
	}
	check("each once, in order", in_order);
	check_eq("rows", sh.rows, n);
	check("those that went before their turn are not shown", last < ITEMS - 10);
	show_end(&sh);
	sb_free(&p.out);

	/* None at all, and the bounds of a batch. */
	static const unsigned sizes[] = {
		0, 1, SHOW_BATCH - 1, SHOW_BATCH, SHOW_BATCH + 1, 2 * SHOW_BATCH, 2 * SHOW_BATCH + 1, 3 * SHOW_BATCH
	};
	for (size_t i = 0; i < COUNT(sizes); i++) {
		p.full_every = 0;
		memset(present, false, sizeof present);
		memset(present, true, sizes[i]);
		(void)show_begin(&sh, &items, &p.sink);
		steps = 1;
		while ((pace = show_step(&sh, UINT64_MAX, &p.sink, &f)) == SHOW_MORE)
			steps++;
		check_eq("rows", sh.rows, sizes[i]);
		check_eq("steps", steps, sizes[i] ? (sizes[i] - 1) / SHOW_BATCH + 1 : 1);
		show_end(&sh);
		sb_free(&p.out);
	}
}

/* --- Waits */

/* As if a server of shop were at work; and as if it were gone. */
static struct pool *make_busy(void)
{
	struct pool *p = pool_find(database_peek("shop"), user_find("anna", false));
	if (p)
		p->count[SERVER_ACTIVE]++;
	check("pool", p != NULL);
	return p;
}

static void make_quiet(struct pool *p)
{
	p->count[SERVER_ACTIVE]--;
	pool_serve(p);
	loop_turn(false);
}

static void test_pause_waits(void)
{
	if (!begin())
		return;
	struct client *a = log_in("boss", "sluice"), *b = log_in("boss", "sluice"), *c = log_in("boss", "sluice");
	struct pool *p = make_busy();
	ask(a, "PAUSE shop; SHOW STATE");
	ask(b, "PAUSE shop");
	loop_turn(false);
	check("both wait", !a->paper.ends && !b->paper.ends);
	check_str("another does not", answer(c, "SHOW VERSION; PAUSE \"my db\"; RESUME \"my db\""),
		  "columns version:t\n|Sluice " PACKAGE_VERSION "\ndone SHOW 1\ndone PAUSE 0\ndone RESUME 0\n");
	pool_serve(p);
	loop_turn(false);
	check("still", !a->paper.ends && !b->paper.ends);
	make_quiet(p);
	check_str("goes on", sb_str(&a->paper.out),
		  "done PAUSE 0\ncolumns key:t value:t\n|active|yes\n|paused|no\ndone SHOW 2\n");
	check_str("and so does the other", sb_str(&b->paper.out), "done PAUSE 0\n");
	check("ended", a->paper.ends == 1 && b->paper.ends == 1);
	finish();
}

static void test_pause_ends_otherwise(void)
{
	if (!begin())
		return;
	struct client *a = log_in("boss", "sluice"), *b = log_in("boss", "sluice"), *c = log_in("boss", "sluice");
	struct pool *p = make_busy();

	ask(a, "PAUSE; SHOW STATE");
	check_str("resumed by another", answer(b, "RESUME"), "done RESUME 0\n");
	loop_turn(false);
	check_str("says so", sb_str(&a->paper.out),
		  "fault 08P01 PAUSE ended by RESUME before all servers were closed\n");

	ask(a, "PAUSE");
	a->s->db->exchange->cancel(a->s);
	check_str("cancelled", sb_str(&a->paper.out), "fault 57014 canceling statement due to user request\n");
	check_eq("ended", a->paper.ends, 1);
	check("and undone", !pool_is_all_paused());
	a->s->db->exchange->cancel(a->s);
	check_eq("a late cancel does nothing", a->paper.ends, 1);

	ask(a, "PAUSE shop");
	a->s->db->exchange->cancel(a->s);
	check("of one database it stays", database_peek("shop")->paused);

	ask(a, "PAUSE shop; RELOAD");
	ask(b, "PAUSE shop; KILL_CLIENT 1");
	unsigned before = reloads;
	session_close(a->s, "went away");
	loop_turn(false);
	char kill[40];
	str_fmt(kill, sizeof kill, "KILL_CLIENT %llu", (unsigned long long)b->s->id);
	check_str("killed while it waits", answer(c, kill), "done KILL_CLIENT 0\n");
	check_str("it is told", told, "08P01 admin forced disconnect");
	make_quiet(p);
	check("nobody is there to go on", reloads == before && is_gone(a) && is_gone(b));
	finish();
}

static unsigned seen;

static void see(void)
{
	seen++;
}

/* Main waits beside the console. */
static void test_watch(void)
{
	if (!begin())
		return;
	struct client *a = log_in("boss", "sluice");
	struct pool *p = make_busy();
	console_watch(see);
	ask(a, "PAUSE shop");
	make_quiet(p);
	check_eq("answered", a->paper.ends, 1);
	check("seen too", seen > 0);
	seen = 0;
	pool_serve(p);
	loop_turn(false);
	check("after the console's wait as well", seen > 0);
	console_watch(NULL);
	seen = 0;
	pool_serve(p);
	loop_turn(false);
	check_eq("no more", seen, 0);
	finish();
}

/* --- KILL */

static void test_kill(void)
{
	if (!begin())
		return;
	struct client *boss = log_in("boss", "sluice"), *other = log_in("watcher", "pgbouncer");
	struct client *x = come("anna", "shop"), *y = come("anna", "my db"), *z = come("anna", "my db");
	check_str("one database", answer(boss, "KILL shop"), "done KILL 0\n");
	check("its clients", is_gone(x) && !is_gone(y) && !is_gone(z) && !is_gone(other));
	check_str("are told", told, "08P01 database removed");
	char text[60];
	str_fmt(text, sizeof text, "KILL_CLIENT C-0x%llx", (unsigned long long)y->s->id);
	check_str("one client", answer(boss, text), "done KILL_CLIENT 0\n");
	check("and no other", is_gone(y) && !is_gone(z));
	check_str("all", answer(boss, "KILL"), "done KILL 0\n");
	check("but the console's", is_gone(z) && !is_gone(other) && !is_gone(boss));
	struct client *last = come("anna", "shop");
	database_peek("shop")->dropped = true;
	check_str("one that is no longer configured", answer(boss, "KILL shop"), "done KILL 0\n");
	check("goes with its last client", is_gone(last) && !database_peek("shop"));
	str_fmt(text, sizeof text, "KILL_CLIENT %llu; RELOAD", (unsigned long long)boss->s->id);
	ask(boss, text);
	check("oneself", is_gone(boss) && !boss->paper.ends && reloads == 0);
	finish();
}

/* --- Out of memory: the whole answer or a fault, and always an end */

static void test_nomem(void)
{
	static const char *const texts[] = {
		"SHOW CONFIG",      "SHOW POOLS", "SHOW HELP", "PAUSE shop; RESUME shop", "KILL shop; RESUME shop",
		"SET log_stats = 0"
	};
	if (!begin())
		return;
	for (size_t i = 0; i < COUNT(texts); i++) {
		char *whole = NULL;
		for (unsigned n = 0, hit = 1; hit; n++) { /* the 0th: none fails */
			struct client *c = log_in("boss", "sluice");
			struct request r = { .text = { texts[i], strlen(texts[i]) } };
			struct paper *p = &c->paper;
			p->full_every = 3;
			p->out.s = malloc(65536); /* the sink needs no more */
			p->out.cap = 65536;
			if (!check("memory for the test", p->out.s != NULL))
				abort();
			p->out.s[0] = '\0';
			nomem_at(n);
			c->s->db->exchange->ask(c->s, &r, &p->sink);
			for (int turns = 0; !p->ends && turns < 1000; turns++) {
				c->s->db->exchange->resume(c->s);
				loop_turn(false);
			}
			hit = n == 0 || nomem_hit();
			nomem_at(0);
			check_eq(texts[i], p->ends, 1);
			if (n == 0)
				whole = str_dup(p->out.s);
			else if (!strstr(p->out.s, "\nfault 53200") && strncmp(p->out.s, "fault 53200", 11) != 0 &&
				 i + 1 < COUNT(texts)) /* SET's tag may be cut */
				check_str(texts[i], p->out.s, whole);
			session_close(c->s, "done");
			loop_turn(false);
			close(c->peer);
			sb_free(&p->out);
			nclients--;
		}
		free(whole);
	}
	finish();
}

/* Asks for so many rows, of a text or of what it goes on with. */
static const char *ask_some(struct client *c, const char *text, struct cursor *at, uint64_t max_rows)
{
	struct request r = { { text, strlen(text) }, max_rows, at };
	sb_free(&c->paper.out);
	c->paper.ends = 0;
	c->paper.at = NULL;
	c->s->db->exchange->ask(c->s, &r, &c->paper.sink);
	for (int turns = 0; !c->paper.ends && turns < 1000; turns++) {
		c->s->db->exchange->resume(c->s);
		loop_turn(false);
	}
	check_eq(text, c->paper.ends, 1);
	return sb_str(&c->paper.out);
}

/* Rows in portions, others in between: each row once, and nothing is left behind. */
static void test_suspended(void)
{
	static const unsigned full_every[] = { 0, 2 };
	static const uint64_t portions[] = { 1, 2, 7, SHOW_BATCH, SHOW_BATCH + 1, 10000 };
	if (!begin())
		return;
	(void)log_in("boss", "sluice"); /* holds what all of them know */
	size_t before = istr_count();
	for (size_t n = 0; n < COUNT(full_every) * COUNT(portions); n++) {
		struct client *c = log_in("boss", "sluice");
		struct sb all = { .max = 0 };
		c->paper.full_every = full_every[n % 2];
		char *whole = str_dup(answer(c, "SHOW CONFIG"));
		const char *got = ask_some(c, "SHOW CONFIG", NULL, portions[n / 2]);
		while (c->paper.at) {
			struct cursor *at = c->paper.at;
			size_t rows = 0;
			for (const char *p = got; (p = strstr(p, "\n|")); p++)
				rows++;
			check_eq("as many as were asked for", rows, portions[n / 2]);
			const char *from = strchr(got, '\n') + 1; /* the columns come each time */
			sb_add_n(&all, from, strlen(from) - strlen("suspended\n"));
			check("another in between", strstr(ask_some(c, "SHOW STATE", NULL, 1), "active"));
			c->s->db->exchange->drop(c->s, c->paper.at);
			got = ask_some(c, "", at, portions[n / 2]);
		}
		sb_add(&all, strchr(got, '\n') + 1);
		check_str("all the same rows", sb_str(&all), strchr(whole, '\n') + 1);
		free(whole);
		sb_free(&all);
		ask_some(c, "SHOW CONFIG", NULL, 3); /* left suspended */
		check("suspended", c->paper.at != NULL);
		session_close(c->s, "done");
		loop_turn(false);
		close(c->peer);
		sb_free(&c->paper.out);
		nclients--;
	}
	check_eq("strings", istr_count(), before);
	finish();
}

/* What it would answer with, and that nothing is done. */
static void test_describe(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "show version;", "columns version:t\n" },
		{ " SHOW LISTS", "columns list:t items:i\n" },
		{ "SHOW HELP", "" },
		{ "PAUSE", "" },
		{ "KILL shop", "" },
		{ "SET log_stats = 1", "" },
		{ "SHUTDOWN", "" },
		{ "", "" },
		{ " ; ;", "" },
		{ "PAUSE shop shop", "fault 08P01 invalid command 'PAUSE shop shop', use SHOW HELP;\n" },
		{ "SELECT 1", "fault 08P01 invalid command 'SELECT 1', use SHOW HELP;\n" },
		{ "SHOW STATE; SELECT 1", "fault 08P01 invalid command 'SELECT 1', use SHOW HELP;\n" },
		{ "SHOW STATE; PAUSE", "fault 08P01 cannot insert multiple commands into a prepared statement\n" },
	};
	if (!begin())
		return;
	struct client *c = log_in("watcher", "sluice");
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *copy = (char *)copy_exact(cases[i].text, strlen(cases[i].text));
		struct request r = { .text = { copy, strlen(cases[i].text) } };
		sb_free(&c->paper.out);
		c->paper.ends = 0;
		c->s->db->exchange->describe(c->s, &r, &c->paper.sink);
		check_eq(cases[i].text, c->paper.ends, 1);
		check_str(cases[i].text, sb_str(&c->paper.out), cases[i].want);
		free(copy);
	}
	loop_turn(false);
	check("nothing was run", !pool_is_all_paused() && !shutdowns && !applies);
	finish();
}

/* A client that leaves in the midst of an answer leaves nothing behind. */
static void test_leaves(void)
{
	if (!begin())
		return;
	struct client *c = log_in("boss", "sluice");
	(void)log_in("boss", "sluice"); /* holds what both know */
	size_t before = istr_count(), armed = deadlines_armed();
	c->paper.full_every = 10;
	ask(c, "SHOW CONFIG");
	check("under way", !c->paper.ends && c->paper.out.len > 0 && istr_count() > before);
	session_close(c->s, "went away");
	loop_turn(false);
	check_eq("strings", istr_count(), before);
	check("deadlines", deadlines_armed() <= armed);
	check_eq("no end for who is not there", c->paper.ends, 0);
	finish();
}

void suite_console(void)
{
	static const struct unit_test tests[] = {
		{ "who may come in", test_login },
		{ "rights of every command", test_rights },
		{ "what commands say", test_talks },
		{ "states of databases", test_state_of_databases },
		{ "SHUTDOWN", test_shutdown },
		{ "SHOW HELP", test_help },
		{ "columns", test_columns },
		{ "rows", test_rows },
		{ "averages", test_averages },
		{ "rows in batches", test_batches },
		{ "PAUSE waits", test_pause_waits },
		{ "PAUSE ends otherwise", test_pause_ends_otherwise },
		{ "main waits too", test_watch },
		{ "KILL", test_kill },
		{ "out of memory", test_nomem },
		{ "rows in portions", test_suspended },
		{ "described, not run", test_describe },
		{ "leaving in the midst", test_leaves },
		{ NULL, NULL },
	};
	unit_add("console", tests);
}
