/* prepared.h - prepared statements that many clients share on many servers: whose number is what, and what an EXECUTE
 * says of its parameters. Pure. MySQL Source Code Documentation: Prepared Statements; MariaDB Knowledge Base:
 * COM_STMT_EXECUTE, COM_STMT_BULK_EXECUTE.
 * What a client prepared is a number of its own for a text, which is interned, so that it is kept once however many
 * clients prepare it: the query behind the settings that give it its meaning, each ended by a NUL (mysql_meaning). A
 * server has texts under numbers that it gave them, and forgets the one that was used longest ago
 * (max_prepared_statements). The types of parameters are remembered by servers, and MySQL 8 gives a statement its
 * meaning by those that it was executed with first: so it is shared by those who mean the same types.
 * What has a state on its server (an open cursor, long data) is `held`: taken out of what is shared, for one client. */
#ifndef SLUICE_MYSQL_PREPARED_H
#define SLUICE_MYSQL_PREPARED_H

#include "core/intern.h"
#include "core/list.h"
#include "core/map.h"
#include "mysql/wire.h"

#define MYSQL_STATEMENTS_MAX   10000u               /* that one client may have */
#define MYSQL_STATEMENTS_BYTES (16u << 20)          /* of their texts together */
#define MYSQL_STATEMENT_LAST   UINT32_C(0xffffffff) /* MariaDB: the one that was prepared last */

/* A text that a server has. */
struct mysql_prepared {
	struct map_node node;
	struct list in_list;      /* of the cache: which one, `where` says */
	const struct istr *text;  /* counted; NULL: too long to be kept, and so held */
	const struct istr *types; /* counted; that the server has been told of its parameters; NULL: not known */
	uint32_t id;
	uint16_t nparams;
	uint8_t where; /* enum mysql_prepared_where */
};
enum mysql_prepared_where { MYSQL_PREPARED_SHARED, MYSQL_PREPARED_HELD, MYSQL_PREPARED_STALE };

/* What a server has. */
struct mysql_cache {
	struct map map;    /* those that are shared, by text and types; one of each */
	struct list lru;   /* the same, the one used last first */
	struct list held;  /* by the client that the server is lent to */
	struct list stale; /* to be closed at the next occasion */
};

void mysql_cache_init(struct mysql_cache *c);
/* The server has none any more. */
void mysql_cache_clear(struct mysql_cache *c);
void mysql_cache_free(struct mysql_cache *c);
static inline uint32_t mysql_cache_count(const struct mysql_cache *c)
{
	return (uint32_t)c->map.count;
}
/* For these types (NULL: not known); one that was not told of any yet will do for all. */
struct mysql_prepared *mysql_prepared_find(const struct mysql_cache *c, const struct istr *text,
					   const struct istr *types);
/* The server has prepared it. One of the same text without types becomes stale; without text it is held. NULL: out of
 * memory. */
struct mysql_prepared *mysql_prepared_add(struct mysql_cache *c, const struct istr *text, uint32_t id,
					  uint16_t nparams);
/* It is used now. */
static inline void mysql_prepared_touch(struct mysql_cache *c, struct mysql_prepared *s)
{
	if (c->lru.next != &s->in_list && s->where == MYSQL_PREPARED_SHARED) {
		list_del(&s->in_list);
		list_push(&c->lru, &s->in_list);
	}
}
/* The server is told of them, with an EXECUTE; there is no other shared one of this text for them. */
void mysql_prepared_types(struct mysql_cache *c, struct mysql_prepared *s, const struct istr *types);
/* It is one client's from now on, and again everybody's (or stale, when there is another one). */
void mysql_prepared_hold(struct mysql_cache *c, struct mysql_prepared *s);
void mysql_prepared_share(struct mysql_cache *c, struct mysql_prepared *s);
/* To be closed, and not to be found any more. */
void mysql_prepared_doubt(struct mysql_cache *c, struct mysql_prepared *s);
/* Makes those stale that were used longest ago, so that at most `most` - 1 are shared. */
void mysql_cache_make_room(struct mysql_cache *c, uint32_t most);
/* One to be closed, forgotten here. False: none. */
bool mysql_cache_next_stale(struct mysql_cache *c, uint32_t *id);
/* The server does not have it (any more). */
void mysql_prepared_drop(struct mysql_cache *c, struct mysql_prepared *s);

/* A client's statement. */
struct mysql_statement {
	struct map_node node;
	const struct istr *text;     /* counted; NULL: too long to be kept */
	const struct istr *types;    /* counted; that it has told of its parameters; NULL: none yet */
	struct mysql_prepared *held; /* borrowed; what it has on the server that it keeps for it; NULL mostly */
	uint32_t id;
	uint16_t nparams;
	bool has_cursor, has_long;
	bool is_kept;    /* on that server, whatever becomes of cursors and long data */
	bool is_refused; /* long data for it was, which the next EXECUTE hears */
	bool is_about;   /* its session: it is looked at each time that it is executed */
};

/* All of a client's. */
struct mysql_statements {
	struct map map;
	struct mysql_statement *used; /* the one looked for last */
	uint32_t last;                /* number that was given */
	size_t bytes;                 /* of the texts of all; each is counted, though it may be kept once for several */
	uint32_t cursors, longs, kept; /* how many have one, and are */
};

struct mysql_statement *mysql_statement_find(struct mysql_statements *m, uint32_t id);
/* NULL: out of memory. */
struct mysql_statement *mysql_statement_add(struct mysql_statements *m, const struct istr *text, uint16_t nparams);
void mysql_statement_types(struct mysql_statement *st, const struct istr *types); /* takes the reference over */
void mysql_statement_set(struct mysql_statements *m, struct mysql_statement *st, bool has_cursor, bool has_long);
void mysql_statement_keep(struct mysql_statements *m, struct mysql_statement *st);
void mysql_statement_drop(struct mysql_statements *m, struct mysql_statement *st); /* held is the caller's */
void mysql_statements_clear(struct mysql_statements *m);                           /* numbers go on */
void mysql_statements_free(struct mysql_statements *m);

/* --- Texts */

/* What a statement means depends on them when it is prepared, not when it is executed. */
enum { MYSQL_MEANING_SCHEMA, MYSQL_MEANING_MODE, MYSQL_MEANING_CHARSET, MYSQL_MEANING_COLLATION, MYSQL_MEANINGS };
extern const char *const mysql_meaning_names[MYSQL_MEANINGS]; /* the schema's is that of the house */

/* Before the name of a character set, in the place of a collation: the one that it has of itself. */
#define MYSQL_MEANING_DEFAULT_OF '='

/* values: "" where there is none. NULL: out of memory. */
const struct istr *mysql_meaning(const char *const values[MYSQL_MEANINGS], struct rd sql);
/* The way back. */
struct rd mysql_meaning_read(const struct istr *text, const char *values[MYSQL_MEANINGS]);

/* --- COM_STMT_EXECUTE and COM_STMT_BULK_EXECUTE, as far as the types of the parameters */
struct mysql_execute {
	uint8_t cursor;               /* its kind; 0: none is asked for */
	bool has_params;              /* there are, and so there may be types */
	bool has_types;               /* there are */
	bool is_cut;                  /* the caller's: there are more of them than it looks at */
	uint32_t flag_at;             /* in the payload: the byte that says whether there are */
	uint8_t flag;                 /* that byte with types */
	uint32_t types_at, types_len; /* where they are, or belong */
};
/* body: what is there of the payload, command included. SHORT: more has to come. BAD: it is none. */
enum frame mysql_read_execute(struct rd body, uint16_t nparams, uint64_t caps, struct mysql_execute *x);

#endif
