/* pool_lab.c - pools with servers that answer at once. */
#include "pool_lab.h"

#include "conf_files.h"
#include "unit.h"

#include "core/buf.h"
#include "core/loop.h"
#include "session/varset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listener = -1;
static bool is_answering;
static unsigned opened;
static char ran[64][64];
static size_t nran;

/* --- The engine */

static struct server *make(void)
{
	opened++;
	return calloc(1, sizeof(struct server));
}

static void drop(struct server *sv)
{
	free(sv);
}

static void start(struct server *sv)
{
	server_logged_in(sv, varset_empty(), varset_empty());
}

static bool start_otherwise(struct server *sv, const struct fault *f)
{
	(void)sv;
	(void)f;
	return false;
}

static void on_bytes(struct server *sv, struct rd *in)
{
	(void)sv;
	(void)in;
}

static void run(struct server *sv, const char *sql)
{
	snprintf(ran[nran++ % COUNT(ran)], sizeof ran[0], "%s", sql);
	if (is_answering)
		server_done_own(sv, NULL);
}

static bool at_rest(const struct server *sv)
{
	(void)sv;
	return true;
}

static size_t no_bytes(const struct server *sv, uint8_t out[ENGINE_BYTES_MAX])
{
	(void)sv;
	(void)out;
	return 0;
}

static const struct engine_ops engine = {
	.name = "lab",
	.make = make,
	.free = drop,
	.start = start,
	.start_otherwise = start_otherwise,
	.on_bytes = on_bytes,
	.run = run,
	.at_rest = at_rest,
	.goodbye = no_bytes,
	.cancel = no_bytes,
};

static void on_opened(struct session *s, const struct varset *reported)
{
	(void)s;
	(void)reported;
}

static void on_lost(struct session *s, struct server *sv, const struct fault *f)
{
	(void)s;
	(void)sv;
	(void)f;
}

static const struct borrower_ops borrower = { .opened = on_opened, .lost = on_lost };

/* --- The house */

static void put_in(char *out, size_t size, const char *with, const char *word, const char *by)
{
	size_t n = 0;
	for (; *with && n + strlen(by) + 1 < size;) {
		if (strncmp(with, word, strlen(word)) == 0) {
			n += (size_t)snprintf(out + n, size - n, "%s", by);
			with += strlen(word);
		} else {
			out[n++] = *with++;
		}
	}
	out[n] = '\0';
}

bool lab_begin(const char *databases, const char *settings, const char *users)
{
	struct conf_told said = { .errors = 0 };
	struct fault f;
	char text[4096], dbs[2048], path[200];
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	opened = 0;
	nran = 0;
	is_answering = true;
	snprintf(path, sizeof path, "%s/server", conf_dir());
	put_in(dbs, sizeof dbs, databases, "@HOST@", path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(at.sun_path, sizeof at.sun_path, "%.100s", path);
	if (!check("a socket", listener >= 0 && bind(listener, (struct sockaddr *)&at, sizeof at) == 0 &&
				       listen(listener, 1000) == 0))
		return false;
	conf_text("u", "\"anna\" \"x\"\n\"bert\" \"x\"\n\"carl\" \"x\"\n");
	snprintf(text, sizeof text,
		 "[databases]\n%s\n[users]\n%s\n[sluice]\nauth_file = u\nlog_connections = 0\n"
		 "log_disconnections = 0\n%s\n",
		 dbs, users ? users : "", settings ? settings : "");
	struct config *c = config_load(conf_text("main.ini", text), true, conf_report, &said);
	if (!check(said.text, c != NULL) || !check("loop", loop_init(&f)))
		return false;
	config_set(c);
	deadlines_init();
	databases_init();
	database_set_engine(DB_POSTGRES, &engine);
	server_set_borrower(&borrower);
	databases_reload();
	return true;
}

void lab_finish(void)
{
	pools_free();
	loop_turn(false);
	databases_free();
	deadlines_free();
	loop_free();
	buf_trim();
	config_set(NULL);
	database_set_engine(DB_POSTGRES, NULL);
	server_set_borrower(NULL);
	conf_clean();
	close(listener);
}

struct user *lab_user(const char *name)
{
	return user_find(name, false);
}

struct pool *lab_pool(const char *db, const char *user)
{
	struct fault f;
	struct database *d = database_find(db, &f);
	struct pool *p = d ? pool_find(d, d->forced ? d->forced : lab_user(user)) : NULL;
	check("a pool", p != NULL);
	return p;
}

void lab_settle(void)
{
	for (int i = 0; i < 20; i++)
		loop_turn(false);
}

/* --- Clients */

static void granted(struct pool_wait *w, struct server *sv)
{
	struct lab_client *c = list_owner(w, struct lab_client, wait);
	c->server = sv;
	c->granted++;
}

static void refused(struct pool_wait *w, const struct fault *f)
{
	struct lab_client *c = list_owner(w, struct lab_client, wait);
	c->refused++;
	c->fault = *f;
}

void lab_want(struct lab_client *c, struct pool *p, uint64_t kind)
{
	c->wait.granted = granted;
	c->wait.refused = refused;
	c->wait.kind = kind;
	c->pool = p;
	if (!c->wait.in_line.next)
		list_init(&c->wait.in_line);
	struct server *sv = pool_take(p, &c->wait);
	if (sv)
		granted(&c->wait, sv);
}

void lab_give(struct lab_client *c)
{
	struct server *sv = c->server;
	c->server = NULL;
	pool_give(sv);
}

void lab_leave(struct lab_client *c)
{
	if (!list_empty(&c->wait.in_line))
		pool_leave(c->pool, &c->wait);
	if (c->server)
		lab_give(c);
}

void lab_answers(bool answers)
{
	is_answering = answers;
}

unsigned lab_ran(const char *sql)
{
	unsigned n = 0;
	for (size_t i = 0; i < nran && i < COUNT(ran); i++)
		n += strcmp(ran[i], sql) == 0;
	return n;
}

unsigned lab_opened(void)
{
	return opened;
}
