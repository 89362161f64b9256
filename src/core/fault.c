/* fault.c - errors as values: the rows of fault.def, and the words. */
#include "core/fault.h"

#include "core/assert.h"
#include "core/str.h"

#include <errno.h>
#include <string.h>

static const struct row {
	char sqlstate[6], mysql_state[6];
	uint16_t mysql_errno;
	bool retryable;
	const char *text;
	const char *name;
} rows[FAULT_NKINDS] = {
	[FAULT_NONE] = { "00000", "00000", 0, false, "", "NONE" },
#define FAULT(kind, sqlstate, mysql_errno, mysql_state, retryable, text)                                               \
	[FAULT_##kind] = { sqlstate, mysql_state, mysql_errno, retryable, text, #kind },
#include "core/fault.def"
#undef FAULT
};

/* Formatted aside first: the arguments may point into f. */
static void vset(struct fault *f, enum fault_kind kind, const char *fmt, va_list ap)
{
	ASSERT((unsigned)kind < FAULT_NKINDS);
	char text[sizeof f->text];
	str_vfmt(text, sizeof text, fmt, ap);
	f->kind = kind;
	f->mysql_errno = rows[kind].mysql_errno;
	memcpy(f->sqlstate, rows[kind].sqlstate, sizeof f->sqlstate);
	memcpy(f->mysql_state, rows[kind].mysql_state, sizeof f->mysql_state);
	str_copy(f->text, sizeof f->text, *text ? text : rows[kind].text);
	f->hint[0] = '\0';
}

bool fault_set(struct fault *f, enum fault_kind kind, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vset(f, kind, fmt, ap);
	va_end(ap);
	return false;
}

static void set_state(char out[6], const char *sqlstate)
{
	for (size_t i = 0; i < 5; i++)
		if (!((sqlstate[i] >= '0' && sqlstate[i] <= '9') || (sqlstate[i] >= 'A' && sqlstate[i] <= 'Z')))
			return;
	if (!sqlstate[5])
		str_copy(out, 6, sqlstate);
}

void fault_sqlstate(struct fault *f, const char *sqlstate)
{
	set_state(f->sqlstate, sqlstate);
}

void fault_mysql(struct fault *f, uint16_t mysql_errno, const char *state)
{
	f->mysql_errno = mysql_errno;
	if (state)
		set_state(f->mysql_state, state);
}

void fault_hint(struct fault *f, const char *fmt, ...)
{
	char hint[sizeof f->hint];
	va_list ap;
	va_start(ap, fmt);
	str_vfmt(hint, sizeof hint, fmt, ap);
	va_end(ap);
	str_copy(f->hint, sizeof f->hint, hint);
}

bool fault_add(struct fault *f, const char *fmt, ...)
{
	char what[sizeof f->text], text[sizeof f->text];
	va_list ap;
	va_start(ap, fmt);
	str_vfmt(what, sizeof what, fmt, ap);
	va_end(ap);
	str_fmt(text, sizeof text, "%s: %s", what, f->text);
	str_copy(f->text, sizeof f->text, text);
	return false;
}

bool fault_errno(struct fault *f, int err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vset(f, err == ENOMEM ? FAULT_NOMEM : FAULT_IO, fmt, ap);
	va_end(ap);
	char text[sizeof f->text];
	str_fmt(text, sizeof text, "%s: %s", f->text, strerror(err));
	str_copy(f->text, sizeof f->text, text);
	return false;
}

bool fault_is_retryable(const struct fault *f)
{
	return rows[f->kind].retryable;
}

const char *fault_name(enum fault_kind kind)
{
	static char names[FAULT_NKINDS][16]; /* rows[].name in lower case, made when first asked for */
	ASSERT((unsigned)kind < FAULT_NKINDS);
	char *name = names[kind];
	if (!*name)
		for (size_t i = 0; i + 1 < sizeof names[0] && rows[kind].name[i]; i++)
			name[i] = (char)(rows[kind].name[i] | (rows[kind].name[i] == '_' ? 0 : 0x20));
	return name;
}
