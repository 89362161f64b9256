/* funcs.c - sets of functions whose calls are looked for. PostgreSQL docs, "System Administration Functions". */
#include "sql/classify_int.h"

#include <string.h>

static unsigned hash(const uint8_t *name, size_t len)
{
	unsigned h = (unsigned)len;
	for (size_t i = 0; i < len; i++)
		h = h * 31 + (name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20u : name[i]);
	return h ^ h >> 9;
}

static bool add(struct sql_funcs *f, const struct sql_func *func)
{
	if (f->n == SQL_FUNCS_MAX)
		return false;
	f->func[f->n++] = *func;
	const uint8_t *name = (const uint8_t *)func->name;
	unsigned h = hash(name, func->name_len);
	while (f->slots[h % SQL_FUNCS_SLOTS])
		h++;
	f->slots[h % SQL_FUNCS_SLOTS] = (uint16_t)f->n;
	f->ends[func->name_len] |= 1u << (name[func->name_len - 1] & 31);
	return true;
}

bool sql_funcs_add(struct sql_funcs *f, const char *name, uint32_t calls)
{
	struct sql_func func = { .calls = calls };
	struct sql_lexer l;
	struct sql_token t, dot;

	sql_lex_init(&l, name, strlen(name), 0);
	sql_lex(&l, &t);
	if (sql_lex(&l, &dot) == SQL_TOK_OP && dot.c == '.') {
		int n = sql_ident_decode(name + t.span.at, t.span.len, 0, func.schema);
		if (n < 0)
			return false;
		func.schema_len = (uint8_t)n;
		sql_lex(&l, &t);
		sql_lex(&l, &dot);
	}
	int n = sql_ident_decode(name + t.span.at, t.span.len, 0, func.name);
	if (n < 0 || dot.kind != SQL_TOK_END)
		return false;
	func.name_len = (uint8_t)n;
	return add(f, &func);
}

bool sql_funcs_next(const char **list, char *name, size_t cap)
{
	const char *at = *list + strspn(*list, ", \t");
	size_t len = strcspn(at, ",");
	*list = at + len;
	while (len && strchr(" \t", at[len - 1]))
		len--;
	bool fits = len < cap;
	memcpy(name, at, fits ? len : 0);
	name[fits ? len : 0] = '\0';
	return len > 0;
}

/* Those of PostgreSQL, and their numbers in its catalog, pg_proc: one for each list of arguments that it takes. */
static const struct {
	const char *name;
	uint32_t calls;
	uint16_t numbers[2];
} known[] = {
	{ "pg_catalog.set_config", SQL_CALL_SET_CONFIG, { 2078 } },
	{ "pg_catalog.setseed", SQL_CALL_SET_CONFIG_SESSION, { 1599 } },
	{ "pg_catalog.pg_advisory_lock", SQL_CALL_LOCK, { 2880, 2886 } },
	{ "pg_catalog.pg_advisory_lock_shared", SQL_CALL_LOCK, { 2881, 2887 } },
	{ "pg_catalog.pg_try_advisory_lock", SQL_CALL_LOCK, { 2882, 2888 } },
	{ "pg_catalog.pg_try_advisory_lock_shared", SQL_CALL_LOCK, { 2883, 2889 } },
	{ "pg_catalog.pg_advisory_unlock", SQL_CALL_UNLOCK, { 2884, 2890 } },
	{ "pg_catalog.pg_advisory_unlock_shared", SQL_CALL_UNLOCK, { 2885, 2891 } },
	{ "pg_catalog.pg_advisory_unlock_all", SQL_CALL_UNLOCK_ALL, { 2892 } },
	{ "pg_catalog.pg_replication_origin_session_setup", SQL_CALL_KEEPS, { 6006 } },
	{ "pg_catalog.pg_replication_origin_session_reset", SQL_CALL_KEEPS, { 6007 } },
	{ "pg_catalog.pg_create_physical_replication_slot", SQL_CALL_SLOT, { 3779 } },
	{ "pg_catalog.pg_create_logical_replication_slot", SQL_CALL_SLOT, { 3786 } },
	{ "pg_catalog.pg_copy_physical_replication_slot", SQL_CALL_SLOT, { 4220 } }, /* 4221 has no third argument */
	{ "pg_catalog.pg_copy_logical_replication_slot", SQL_CALL_SLOT, { 4222, 4223 } }, /* nor has 4224 */
	{ "pg_catalog.pg_backup_start", SQL_CALL_KEEPS, { 2172 } },
	{ "pg_catalog.pg_start_backup", SQL_CALL_KEEPS, { 0 } }, /* as it was called up to 14 */
};

#define KNOWN           (sizeof known / sizeof known[0])
#define FIRST_OTHER_OID 10000u /* PostgreSQL's own functions are below: their numbers never change */

void sql_funcs_init(struct sql_funcs *f)
{
	memset(f, 0, sizeof *f);
	for (size_t i = 0; i < KNOWN; i++)
		(void)sql_funcs_add(f, known[i].name, known[i].calls);
}

uint32_t sql_funcs_by_number(const struct sql_funcs *f, uint32_t oid)
{
	uint32_t calls = 0;
	for (size_t i = 0; i < KNOWN; i++)
		for (size_t k = 0; k < sizeof known[i].numbers / sizeof known[i].numbers[0]; k++)
			calls |= oid && known[i].numbers[k] == oid ? known[i].calls : 0u;
	/* Which of the others it is is not known. */
	for (unsigned i = KNOWN; oid >= FIRST_OTHER_OID && i < f->n; i++)
		calls |= f->func[i].calls;
	return calls;
}

static bool same(const uint8_t *a, const char *b, size_t len, bool fold)
{
	for (size_t i = 0; i < len; i++)
		if ((fold && a[i] >= 'A' && a[i] <= 'Z' ? a[i] | 0x20 : a[i]) != (uint8_t)b[i])
			return false;
	return true;
}

uint32_t sql_funcs_find(const struct sql_funcs *f, const uint8_t *name, size_t len, bool fold, const char *schema)
{
	if (len == 0 || len > SQL_IDENT_MAX)
		return 0;
	/* Five bits of the last byte: they are the same for a letter in either case. */
	if (!(f->ends[len] & 1u << (name[len - 1] & 31)))
		return 0;
	uint32_t calls = 0;
	for (unsigned h = hash(name, len); f->slots[h % SQL_FUNCS_SLOTS]; h++) {
		const struct sql_func *func = &f->func[f->slots[h % SQL_FUNCS_SLOTS] - 1];
		if (func->name_len == len && same(name, func->name, len, fold) &&
		    (!schema || !func->schema_len || strcmp(schema, func->schema) == 0))
			calls |= func->calls;
	}
	return calls;
}
