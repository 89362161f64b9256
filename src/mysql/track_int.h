/* track_int.h - what look.c and track.c share. */
#ifndef SLUICE_MYSQL_TRACK_INT_H
#define SLUICE_MYSQL_TRACK_INT_H

#include "mysql/track.h"

/* Does it run what is not in its text? */
bool mysql_is_routine(const struct my_stmt *st);
/* May LAST_INSERT_ID() be another behind it, without its answer saying so? */
bool mysql_is_id_hidden(const struct my_stmt *st);
/* Those that a statement gives its session, at most; not of SET's assignments, nor of what the server tells. */
uint32_t mysql_pins_of(const struct my_stmt *st);
/* Those of one of SET's assignments, as far as its name alone tells them. */
uint32_t mysql_pins_of_set(const char *text, const struct my_assignment *x);

#endif
