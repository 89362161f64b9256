/* value.h - a value's text form in PostgreSQL's binary format, for the types that an exchange knows. Pure. PostgreSQL
 * docs, Frontend/Backend Protocol, Formats and Format Codes; numeric is as numeric_send() has it. */
#ifndef SLUICE_PG_VALUE_H
#define SLUICE_PG_VALUE_H

#include "pg/wire.h"
#include "session/exchange.h"

/* oid and length of a type, as pg_type has them. */
uint32_t pg_type_oid(enum column_type t);
uint16_t pg_type_len(enum column_type t);

/* Puts the value's binary form; with o NULL nothing but *size, its bytes, is made. False: the text is no value of that
 * type. */
bool pg_put_binary(struct pg_out *o, enum column_type t, struct text_span text, size_t *size);

#endif
