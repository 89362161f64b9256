/* config_int.h - how a configuration is built; for src/config/ only. */
#ifndef SLUICE_CONFIG_CONFIG_INT_H
#define SLUICE_CONFIG_CONFIG_INT_H

#include "config/config.h"

/* With the defaults, no databases and users, and one reference; NULL when out of memory. */
struct config *config_new(const char *path);
/* A copy of its own, with one reference; NULL when out of memory. */
struct config *config_copy(const struct config *c);
/* Is all there that its auth_type asks for? FAULT_CONFIG. */
bool config_can_ask(const struct config *c, struct fault *f);
/* Sets is_admin and is_stats of all users by the two lists. */
void config_mark_users(struct config *c);
/* What config_set_checker() was given says yes, or there is none. */
bool config_check(const struct config *c, struct fault *f);

/* All texts "", port 5432, in no configuration yet. NULL when out of memory. */
struct db_conf *db_conf_new(const char *name);
void db_conf_free(struct db_conf *d);
/* The place of a text field by its key in [databases] ("host"); NULL when there is none. */
char **db_conf_text(struct db_conf *d, const char *key);
/* Adds d, or puts it in the place of the one of that name, which is freed: *replaced says so. d is not freed when out
 * of memory. */
bool config_add_db(struct config *c, struct db_conf *d, bool *replaced);
/* The user of that name, a new one if need be. NULL when out of memory. */
struct user_conf *config_user(struct config *c, const char *name);

/* Port 6432, in no configuration yet. NULL when out of memory. */
struct peer_conf *peer_conf_new(uint32_t id);
void peer_conf_free(struct peer_conf *p); /* takes it out of its configuration */
/* Adds p, or puts it in the place of the one of that id, which is freed: true then. */
bool config_add_peer(struct config *c, struct peer_conf *p);
bool config_copy_peers(struct config *to, const struct config *from); /* false: out of memory */

/* Puts a value in, in place of one that is there already; takes v over when it works. */
bool overrides_put(struct overrides *o, enum setting_id id, struct setting_value *v);
void overrides_free(struct overrides *o);
/* Replaces an owned text by a copy of another, wiping the old one. */
bool config_replace_text(char **at, const char *text);

#endif
