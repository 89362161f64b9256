/* charset.h - character sets and collations: what the numbers mean that clients say at login, and how a session is
 * brought to have them. Pure. MySQL Reference Manual: Connection Character Sets and Collations, SHOW COLLATION.
 *
 * Four settings are told by servers. That results have a collation too, which the definitions of columns show, is not:
 * SET NAMES with COLLATE gives it to them, as the greeting does, and nothing else; every other way their set has its
 * own. */
#ifndef SLUICE_MYSQL_CHARSET_H
#define SLUICE_MYSQL_CHARSET_H

#include "core/str.h"
#include "session/varset.h"

#define MYSQL_SET_CLIENT     "character_set_client"
#define MYSQL_SET_CONNECTION "character_set_connection"
#define MYSQL_SET_RESULTS    "character_set_results"
#define MYSQL_COLLATION      "collation_connection"
/* The collation of results among the settings; none: their set's own. No server knows it by this name. */
#define MYSQL_RESULTS        "collation of results"

/* Every server since 5.5.3 has it: with it the house logs in, and cleans. */
#define MYSQL_HOUSE_COLLATION 45
#define MYSQL_HOUSE_SET       "utf8mb4"
#define MYSQL_HOUSE_NAME      "utf8mb4_general_ci"

/* The collation of this number as servers of MySQL 8.0.30 and MariaDB 10.6 on name it; NULL: one that they do not have,
 * or not all of that kind. What is before its first '_' is its character set. */
const char *mysql_collation_name(uint64_t id);
/* The same where "utf8mb3" may not be known: is_old. False: likewise, or it does not fit. */
bool mysql_collation_names(uint64_t id, bool is_old, char *set, size_t set_cap, char *name, size_t name_cap);
/* By its number, among the settings. False: it is a name. */
bool mysql_collation_is_number(const struct istr *v, uint64_t *id);
/* One of the settings that are about it. */
bool mysql_is_charset(const char *name);

/* The assignments that bring these settings from what they are to what they should be, behind what is in b. Those that
 * are numbers are left alone. */
void mysql_charset_sets(struct sb *b, const struct varset *has, const struct varset *want);

/* For whoever writes a SET: the beginning of an assignment; a value. */
void mysql_put_set(struct sb *b, const char *name);
void mysql_put_value(struct sb *b, const char *value);

#endif
