/* fuzz_ini.c - configuration files: sections, keys, values, %include. The input is files: fuzz_files.h. */
#include "fuzz.h"

#include "config/ini.h"
#include "config/lines.h"
#include "core/str.h"
#include "fuzz_files.h"

#include <stdlib.h>
#include <string.h>

struct got {
	struct sb again;  /* all entries, written as a file */
	struct sb listed; /* all entries, told */
	unsigned entries, faults;
	char section[INI_SECTION_BYTES + 1];
};

static unsigned lines_of(const char *name)
{
	size_t len;
	const uint8_t *p = fuzz_files_find(name, &len);
	unsigned n = 0;
	if (!p)
		return 0;
	for (size_t i = 0; i < len; i++)
		n += p[i] == '\n' || i + 1 == len;
	return n;
}

static bool is_trimmed(const char *s)
{
	size_t n = strlen(s);
	return n == 0 || !(strchr(" \t", s[0]) || strchr(" \t", s[n - 1]));
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
			return true;
	return false;
}

static bool on_entry(void *arg, const struct ini_place *at, const char *section, const char *key, const char *value)
{
	struct got *g = arg;
	fuzz_check("it stands on a line of a file",
		   at->line > 0 && (lines_of("main.ini") == 0 || (unsigned)at->line <= lines_of(at->file)));
	fuzz_check("a section's name is bounded", strlen(section) <= INI_SECTION_BYTES);
	fuzz_check("there is a key", *key);
	fuzz_check("trimmed", is_trimmed(key) && is_trimmed(value));
	fuzz_check("no control characters", !has_control(section) && !has_control(key) && !has_control(value));
	if (strcmp(section, g->section) != 0) {
		fuzz_check("no section ends but by another one", *section);
		sb_addf(&g->again, "[%s]\n", section);
		(void)str_copy(g->section, sizeof g->section, section);
	}
	sb_addf(&g->again, "%s = %s\n", key, value);
	sb_addf(&g->listed, "[%s] %s=%s\n", section, key, value);
	g->entries++;
	return true;
}

static bool on_fault(void *arg, const struct ini_place *at, const char *text)
{
	struct got *g = arg;
	fuzz_check("a fault is told in words", *text);
	fuzz_check("it has its place", at->line >= 0);
	g->faults++;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct got first = { .entries = 0 }, again = { .entries = 0 };
	struct ini_sink sink = { on_entry, on_fault, &first };
	unsigned lines = 0;

	sb_add(&first.again, ";\n"); /* so that a first key may begin as a byte order mark does */
	fuzz_files_make(data, size);
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	fuzz_check("memory", ini_read("main.ini", &sink));
	/* Each file is read 256 times at most, whoever includes whom. */
	fuzz_check("no more than there are lines",
		   first.entries <= (lines + 1) * INI_FILES && first.faults <= (lines + 1) * INI_FILES);
	fuzz_check("memory", !first.again.bad && !first.listed.bad);

	/* What was read, written down, is read as the same. */
	if (first.again.len <= LINES_FILE_MAX) {
		sink.arg = &again;
		fuzz_files_make((const uint8_t *)sb_str(&first.again), first.again.len);
		fuzz_check("memory", ini_read("main.ini", &sink));
		fuzz_check("no fault", again.faults == 0);
		fuzz_check("the same entries",
			   again.entries == first.entries && !strcmp(sb_str(&again.listed), sb_str(&first.listed)));
	}
	fuzz_files_remove();
	sb_free(&first.again);
	sb_free(&first.listed);
	sb_free(&again.again);
	sb_free(&again.listed);
	return 0;
}
