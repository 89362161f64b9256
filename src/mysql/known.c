/* known.c - what is known of databases' servers before one of them is connected to, and what clients are greeted with.
 * MySQL Source Code Documentation: Protocol::HandshakeV10; MariaDB Knowledge Base: Connection, Initial Handshake
 * Packet. */
#include "mysql/mysql_int.h"

#include "core/str.h"

#include <stdlib.h>

struct mysql_notes *mysql_notes(struct database *db)
{
	if (!db->notes)
		db->notes = calloc(1, sizeof(struct mysql_notes));
	return db->notes;
}

static void set_version(struct mysql_known *k, const char *version)
{
	str_fmt(k->version, sizeof k->version, "%s", version);
	k->number = mysql_track_version(version);
	k->is_mariadb = strcasestr(version, "mariadb") != NULL;
}

/* By its own entry, or for all. */
static const char *configured(const struct db_conf *d)
{
	return d ? config_text(config_now(), SET_mysql_server_version, d, NULL) : "";
}

/* --- Of one */

const struct mysql_known *mysql_known_of(const struct database *db)
{
	static struct mysql_known said;
	const struct mysql_notes *k = db ? db->notes : NULL;
	if (k && k->known.caps)
		return &k->known;
	said = (struct mysql_known){ .caps = 0 };
	if (db && *configured(db->conf))
		set_version(&said, configured(db->conf));
	return &said;
}

/* --- Of all: computed when something has changed. */

static struct mysql_known all;
static struct config *all_of; /* counted: the configuration that it is of */
static bool is_stale = true;

bool mysql_known_learn(struct database *db, const struct mysql_greeting *g)
{
	struct mysql_notes *n = mysql_notes(db);
	if (!n)
		return false;
	if (n->generation != db->generation) /* other servers */
		n->known = (struct mysql_known){ .caps = 0 };
	n->generation = db->generation;
	struct mysql_known *k = &n->known, was = *k;
	set_version(k, g->version);
	k->is_mariadb |= !(g->caps & MYSQL_CAP_LONG_PASSWORD);
	k->caps = was.caps && was.is_mariadb == k->is_mariadb ? was.caps & g->caps : g->caps;
	is_stale |= k->caps != was.caps || strcmp(k->version, was.version) != 0;
	return true;
}

void mysql_known_status(struct database *db, uint16_t status)
{
	struct mysql_notes *n = db->notes;
	if (n) {
		n->known.status = status;
		n->known.has_status = true;
	}
}

/* One more, in the order of the file. */
static void add(const struct db_conf *d, const struct database *db)
{
	const struct mysql_notes *n = db ? db->notes : NULL;
	bool is_known = n && n->known.caps;
	if (is_known)
		all.caps = all.caps ? all.caps & n->known.caps : n->known.caps;
	if (!*all.version && *configured(d))
		set_version(&all, configured(d));
	else if (!*all.version && is_known)
		set_version(&all, n->known.version);
}

const struct mysql_known *mysql_known_to_all(void)
{
	struct config *c = config_now();
	if (!is_stale && all_of == c)
		return &all;
	all = (struct mysql_known){ .caps = 0 };
	LIST_EACH (&c->databases, it) {
		const struct db_conf *d = list_owner(it, struct db_conf, in_all);
		if (d->kind == DB_MYSQL)
			add(d, database_peek(d->name));
	}
	LIST_EACH (databases_all(), it) { /* and those that "*" has made */
		const struct database *db = list_owner(it, struct database, in_all);
		if (db->kind == DB_MYSQL && db->is_auto)
			add(db->conf, db);
	}
	is_stale = false;
	if (all_of)
		config_put(all_of);
	all_of = config_ref(c);
	return &all;
}
