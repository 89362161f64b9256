/* look.c - what a statement of MySQL's means for its session, before it runs; and what is put into its text. MySQL
 * Reference Manual: Server System Variables, Information Functions. */
#include "mysql/track_int.h"

#include "core/str.h"
#include "mysql/charset.h"
#include "session/session.h"

#include <string.h>
#include <strings.h>

/* --- What servers are asked to tell */

/* MySQL's settings that a session can have. '*' would do, but for a number that is told with each statement. */
#define MYSQL_SETTINGS                                                                                                 \
	"auto_increment_increment,auto_increment_offset,autocommit,big_tables,"                                        \
	"binlog_direct_non_transactional_updates,binlog_format,binlog_row_image,binlog_rows_query_log_events,"         \
	"block_encryption_mode,bulk_insert_buffer_size,character_set_client,character_set_connection,"                 \
	"character_set_database,character_set_filesystem,character_set_results,character_set_server,"                  \
	"collation_connection,collation_database,collation_server,completion_type,cte_max_recursion_depth,"            \
	"default_collation_for_utf8mb4,default_storage_engine,default_table_encryption,default_tmp_storage_engine,"    \
	"default_week_format,div_precision_increment,end_markers_in_json,eq_range_index_dive_limit,explain_format,"    \
	"explain_json_format_version,explicit_defaults_for_timestamp,foreign_key_checks,"                              \
	"generated_random_password_length,group_concat_max_len,group_replication_consistency,gtid_next,"               \
	"information_schema_stats_expiry,innodb_ft_enable_stopword,innodb_ft_user_stopword_table,"                     \
	"innodb_lock_wait_timeout,innodb_strict_mode,innodb_table_locks,innodb_tmpdir,insert_id,interactive_timeout,"  \
	"join_buffer_size,keep_files_on_create,last_insert_id,lc_messages,lc_time_names,lock_wait_timeout,"            \
	"long_query_time,low_priority_updates,max_error_count,max_execution_time,max_heap_table_size,max_join_size,"   \
	"max_length_for_sort_data,max_points_in_geometry,max_seeks_for_key,max_sort_length,max_sp_recursion_depth,"    \
	"min_examined_row_limit,myisam_sort_buffer_size,myisam_stats_method,net_read_timeout,net_retry_count,"         \
	"net_write_timeout,old_alter_table,optimizer_prune_level,optimizer_search_depth,optimizer_switch,"             \
	"optimizer_trace,optimizer_trace_features,optimizer_trace_limit,optimizer_trace_max_mem_size,"                 \
	"optimizer_trace_offset,preload_buffer_size,profiling,profiling_history_size,pseudo_replica_mode,"             \
	"pseudo_slave_mode,pseudo_thread_id,query_alloc_block_size,query_prealloc_size,rand_seed1,rand_seed2,"         \
	"range_alloc_block_size,range_optimizer_max_mem_size,read_buffer_size,read_rnd_buffer_size,"                   \
	"require_row_format,resultset_metadata,select_into_buffer_size,session_track_gtids,session_track_schema,"      \
	"session_track_state_change,session_track_system_variables,session_track_transaction_info,"                    \
	"show_create_table_verbosity,sort_buffer_size,sql_auto_is_null,sql_big_selects,sql_buffer_result,"             \
	"sql_generate_invisible_primary_key,sql_log_bin,sql_log_off,sql_mode,sql_notes,sql_quote_show_create,"         \
	"sql_require_primary_key,sql_safe_updates,sql_select_limit,sql_warnings,time_zone,timestamp,tmp_table_size,"   \
	"transaction_alloc_block_size,transaction_isolation,transaction_prealloc_size,transaction_read_only,"          \
	"tx_isolation,tx_read_only,unique_checks,updatable_views_with_limit,use_secondary_engine,wait_timeout,"        \
	"windowing_use_high_precision,xa_detach_on_prepare"

const char *mysql_track_setup(bool is_mariadb)
{
	return is_mariadb
		       ? "SET session_track_system_variables='*',session_track_schema=ON,session_track_state_change=ON"
		       : "SET session_track_system_variables='" MYSQL_SETTINGS
			 "',session_track_schema=ON,session_track_state_change=ON";
}

bool mysql_track_is_odd(const char *name, uint32_t *pins)
{
	static const struct {
		const char *name;
		uint32_t pins;
	} odd[] = {
		{ "last_insert_id", 0 },
		{ "identity", 0 },
		{ "statement_id", 0 }, /* these cannot be set, and are told all the same */
		{ "last_gtid", 0 },
		{ "error_count", 0 },
		{ "warning_count", 0 },
		{ "in_transaction", 0 },
		{ "external_user", 0 },
		{ "proxy_user", 0 },
		{ "insert_id", PIN_SETTING },
		{ "rand_seed1", PIN_SETTING },
		{ "rand_seed2", PIN_SETTING },
		{ "gtid_next", PIN_SETTING },
		{ "gtid_seq_no", PIN_SETTING },
		{ "pseudo_thread_id", PIN_SETTING },
		{ "pseudo_slave_mode", PIN_SETTING },
		{ "pseudo_replica_mode", PIN_SETTING },
		{ "session_track_schema", PIN_SETTING },
		{ "session_track_state_change", PIN_SETTING },
		{ "session_track_system_variables", PIN_SETTING },
	};
	*pins = 0;
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
		if (strcasecmp(name, odd[i].name) == 0) {
			*pins = odd[i].pins;
			return true;
		}
	return false;
}

/* --- Reading */

static struct sql_funcs funcs;
static struct config *funcs_of; /* counted */
static bool has_funcs;

const struct sql_funcs *mysql_track_functions(void)
{
	struct config *now = config_now();
	if (has_funcs && funcs_of == now)
		return &funcs;
	char name[2 * SQL_IDENT_QUOTED];
	my_funcs_init(&funcs);
	const char *list = now ? config_text(now, SET_pin_functions, NULL, NULL) : "";
	while (sql_funcs_next(&list, name, sizeof name))
		if (!sql_funcs_add(&funcs, name, MY_CALL_USER))
			log_warn(NULL, "pin_functions: \"%s\" is not a function's name, or there are too many", name);
	if (funcs_of)
		config_put(funcs_of);
	funcs_of = now ? config_ref(now) : NULL;
	has_funcs = true;
	return &funcs;
}

uint32_t mysql_track_version(const char *version)
{
	unsigned part[3] = { 0, 0, 0 }, n = 0;
	if (strncmp(version, "5.5.5-", 6) == 0 && version[6] >= '1' && version[6] <= '9')
		version += 6; /* MariaDB says so to clients that would not believe in 10 */
	for (; n < 3; n++, version++) {
		unsigned digits = 0;
		while (*version >= '0' && *version <= '9' && digits++ < 3)
			part[n] = part[n] * 10 + (unsigned)(*version++ - '0');
		if (!digits)
			return 0;
		if (*version != '.')
			break;
	}
	return n == 0 ? 0 : part[0] * 10000 + part[1] % 100 * 100 + part[2] % 100;
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);
	for (const char *at = list; (at = strcasestr(at, word)); at += n)
		if ((at == list || at[-1] == ',') && (at[n] == ',' || at[n] == '\0'))
			return true;
	return false;
}

unsigned mysql_track_mode_by(const char *sql_mode, const char *charset, bool is_mariadb, uint32_t version)
{
	static const char *const trails[] = { "big5", "cp932", "gb18030", "gbk", "sjis" };
	uint64_t id;
	unsigned flags = is_mariadb ? MY_MARIADB : 0;
	if (has_word(sql_mode, "ANSI_QUOTES") || has_word(sql_mode, "ANSI"))
		flags |= MY_ANSI_QUOTES;
	if (has_word(sql_mode, "NO_BACKSLASH_ESCAPES"))
		flags |= MY_NO_BACKSLASH;
	const char *set = charset;
	if (str_to_u64(charset, UINT16_MAX, &id) && mysql_collation_name(id))
		set = mysql_collation_name(id);
	for (size_t i = 0; i < sizeof trails / sizeof trails[0]; i++) {
		size_t n = strlen(trails[i]);
		if (strncasecmp(set, trails[i], n) == 0 && (set[n] == '\0' || set[n] == '_'))
			flags |= MY_ASCII_TRAILS;
	}
	return MY_MODE(flags, version);
}

unsigned mysql_track_mode(const struct varset *vars, bool is_mariadb, uint32_t version)
{
	const struct istr *mode = varset_find(vars, "sql_mode"), *charset = varset_find(vars, MYSQL_SET_CLIENT);
	return mysql_track_mode_by(mode ? mode->s : "", charset ? charset->s : "", is_mariadb, version);
}

bool mysql_is_routine(const struct my_stmt *st)
{
	return st->kind == MY_CALL || st->inner == MY_CALL || st->flags & MY_HIDDEN;
}

bool mysql_is_id_hidden(const struct my_stmt *st)
{
	switch (st->kind) {
	case MY_CALL:
	case MY_EXECUTE:
	case MY_COMPOUND:
		return true;
	case MY_INSERT: /* whose OK has it */
	case MY_REPLACE:
	case MY_UPDATE:
	case MY_LOAD:
		return false;
	default:
		return st->inner == MY_CALL || st->calls & MY_CALL_SET_INSERT_ID;
	}
}

uint32_t mysql_pins_of(const struct my_stmt *st)
{
	uint32_t pins = 0;
	if (st->flags & MY_WRITES_VAR)
		pins |= PIN_USER_VAR;
	if (st->flags & MY_CALC_FOUND)
		pins |= PIN_FOUND_ROWS;
	if (st->flags & MY_READ_LOCK)
		pins |= PIN_READ_LOCK;
	if (st->calls & MY_CALL_GET_LOCK)
		pins |= PIN_GET_LOCK;
	if (st->calls >= MY_CALL_USER)
		pins |= PIN_FUNCTION;
	switch (st->kind) {
	case MY_LOCK:
		pins |= PIN_TABLES;
		break;
	case MY_BACKUP:
		pins |= st->flags & MY_OPENS ? (uint32_t)PIN_BACKUP : 0;
		break;
	case MY_PREPARE:
		pins |= PIN_PREPARED | (st->flags & MY_HIDDEN ? (uint32_t)PIN_ROUTINE : 0);
		break;
	case MY_CREATE:
		pins |= st->flags & MY_TEMPORARY ? (uint32_t)PIN_TEMP : 0;
		break;
	case MY_HANDLER:
		pins |= st->flags & MY_OPENS ? (uint32_t)PIN_HANDLER : 0;
		break;
	case MY_XA:
		pins |= st->flags & MY_OPENS ? (uint32_t)PIN_XA : 0;
		break;
	case MY_SET_TRANSACTION:
		pins |= st->flags & (MY_SESSION | MY_GLOBAL) ? 0 : (uint32_t)PIN_NEXT_XACT;
		break;
	case MY_COMMIT:
	case MY_ROLLBACK: /* the server closes behind it, and its client goes with it */
		pins |= st->flags & MY_RELEASE ? (uint32_t)PIN_SETTING : 0;
		break;
	case MY_SET_ROLE:
	case MY_SET_RESOURCE:
		pins |= PIN_SETTING;
		break;
	case MY_UNKNOWN:
	case MY_COMPOUND:
		pins |= PIN_ROUTINE;
		break;
	default:
		break;
	}
	return pins;
}

uint32_t mysql_pins_of_set(const char *text, const struct my_assignment *x)
{
	static const char *const next[] = { "transaction_isolation", "transaction_read_only", "tx_isolation",
					    "tx_read_only" };
	const char *name = text + x->name.at;
	size_t len = x->name.len;
	if (x->scope == MY_SCOPE_USER)
		return PIN_USER_VAR;
	if (len > 2 && *name == '`') {
		name++;
		len -= 2;
	}
	for (size_t i = 0; x->scope == MY_SCOPE_BARE && i < sizeof next / sizeof next[0]; i++)
		if (strlen(next[i]) == len && strncasecmp(next[i], name, len) == 0)
			return PIN_NEXT_XACT;
	return 0;
}

static bool changes(const struct my_stmt *st)
{
	switch (st->kind) {
	case MY_SET:
	case MY_SET_TRANSACTION:
	case MY_SET_STATEMENT:
	case MY_USE:
	case MY_CALL:
	case MY_EXECUTE:
	case MY_DEALLOCATE:
	case MY_UNLOCK:
	case MY_DROP:
	case MY_ALTER:
		return true;
	case MY_BACKUP:
	case MY_HANDLER:
	case MY_XA:
		return (st->flags & (MY_OPENS | MY_ENDS)) != 0;
	default:
		return (st->calls & (MY_CALL_RELEASE_LOCK | MY_CALL_RELEASE_ALL_LOCKS)) || st->flags & MY_DIAGNOSTICS ||
		       mysql_is_routine(st) || mysql_is_id_hidden(st) || mysql_pins_of(st);
	}
}

#define ASKS                                                                                                           \
	(MY_CALL_FOUND_ROWS | MY_CALL_ROW_COUNT | MY_CALL_LAST_INSERT_ID | MY_CALL_WARNING_COUNT | MY_CALL_LAST_VALUE)

/* Behind this one of a text, LAST_INSERT_ID() and FOUND_ROWS() may be those of the server that runs it. */
static uint32_t answers(const struct my_stmt *st)
{
	switch (st->kind) {
	case MY_BEGIN:
	case MY_COMMIT:
	case MY_ROLLBACK:
	case MY_SAVEPOINT:
	case MY_SET_TRANSACTION:
	case MY_USE:
	case MY_EMPTY:
		return 0;
	case MY_SELECT:
		return MY_CALL_FOUND_ROWS | (st->calls & MY_CALL_SET_INSERT_ID ? (uint32_t)MY_CALL_LAST_INSERT_ID : 0);
	default:
		return MY_CALL_FOUND_ROWS | MY_CALL_LAST_INSERT_ID;
	}
}

/* What it calls is called by others, later; or is the server's to know: it is to kill its own connection. */
static bool keeps_calls(const struct my_stmt *st)
{
	return st->kind == MY_CREATE || st->kind == MY_ALTER || st->kind == MY_KILL;
}

struct mysql_look mysql_track_look(const char *text, size_t len, unsigned mode)
{
	struct my_reader r;
	struct my_stmt st;
	struct mysql_look look = { 0 };
	uint32_t open = ASKS;
	my_read_init(&r, text, len, mode, mysql_track_functions());
	for (bool first = true; my_read(&r, &st); first = false) {
		if (first) {
			look.asks = st.calls & ASKS;
			if (st.calls & MY_CALL_NEXT_VALUE) /* its own */
				look.asks &= ~(uint32_t)MY_CALL_LAST_VALUE;
			look.diagnostics = (st.flags & MY_DIAGNOSTICS) != 0;
		}
		look.tries_lock =
			first && st.kind == MY_SELECT && st.flags & MY_LOCK_ALONE && st.calls == MY_CALL_GET_LOCK;
		look.asks_any |= st.calls & open;
		open &= ~(answers(&st) | MY_CALL_ROW_COUNT | MY_CALL_WARNING_COUNT);
		look.pins |= mysql_pins_of(&st);
		look.changes |= changes(&st);
		look.hides_id |= mysql_is_id_hidden(&st);
		look.wants_id |= (st.calls & MY_CALL_CONNECTION_ID) != 0 && !keeps_calls(&st);
		if (st.kind == MY_SET) {
			struct my_assignments a;
			struct my_assignment x;
			my_set_init(&a, text, mode, &st);
			while (my_set_next(&a, &x))
				look.pins |= mysql_pins_of_set(text, &x);
		}
	}
	return look;
}

/* --- What is known here is said, not asked for */

int mysql_track_rewrite(const struct mysql_track *t, const char *text, size_t len, unsigned mode,
			uint32_t connection_id, uint32_t known, char *out, size_t cap)
{
	struct my_reader r;
	struct my_stmt st;
	size_t n = 0, at = 0;
	my_read_init(&r, text, len, mode, mysql_track_functions());
	for (; my_read(&r, &st); known &= ~(answers(&st) | MY_CALL_ROW_COUNT)) {
		if (st.ncalls > MY_CALLS_MAX)
			return -1;
		for (unsigned i = 0; i < st.ncalls && !keeps_calls(&st); i++) {
			const struct my_at_call *call = &st.at_call[i];
			char said[MY_IDENT_QUOTED + 96], name[MY_IDENT_QUOTED];
			/* The function stays there, uncalled, for it is what the value is of the type of. */
			if (call->call & MY_CALL_CONNECTION_ID)
				str_fmt(said, sizeof said, "IF(0,CONNECTION_ID(),CAST(%lu AS UNSIGNED))",
					(unsigned long)connection_id);
			else if (!(call->call & known))
				continue;
			else if (call->call & MY_CALL_LAST_INSERT_ID)
				str_fmt(said, sizeof said, "IF(0,LAST_INSERT_ID(),CAST(%llu AS UNSIGNED))",
					(unsigned long long)t->insert_id);
			else if (call->call & MY_CALL_FOUND_ROWS)
				str_fmt(said, sizeof said, "IF(0,FOUND_ROWS(),%llu)", (unsigned long long)t->found);
			else
				str_fmt(said, sizeof said, "IF(0,ROW_COUNT(),%lld)", (long long)t->row_count);
			if (call->is_column) {
				size_t used = strlen(said);
				if (my_quote_ident(text + call->span.at, call->span.len, name, sizeof name) < 0)
					return -1;
				str_fmt(said + used, sizeof said - used, " AS %s", name);
			}
			size_t before = call->span.at - at, add = strlen(said);
			if (before + add > cap - n)
				return -1;
			memcpy(out + n, text + at, before);
			memcpy(out + n + before, said, add);
			n += before + add;
			at = (size_t)call->span.at + call->span.len;
		}
	}
	if (len - at > cap - n)
		return -1;
	memcpy(out + n, text + at, len - at);
	return (int)(n + len - at);
}
