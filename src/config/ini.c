/* ini.c - configuration files: lines, %include and places are ours, what a line means is inih's.
 *
 * inih as distributed cuts lines at 200 bytes, takes ; after a blank for a comment inside a value, joins indented
 * lines, separates at ':' too, cuts section names at 49 bytes, ignores what follows a ']', and tells neither the line
 * nor more than the first of the faults. Its buffer, comments and continuation are switched by its variables (Debian's
 * build; configure asks for it). For the rest it is fed through its reader interface: our reader hands over one
 * trimmed line at a time and knows its place, refuses what inih would quietly drop, and hides the '=' and ':' of a key
 * behind two control characters, which no line may contain, so that inih separates at the '=' that we mean. */
#include "config/ini.h"

#include "config/lines.h"
#include "core/str.h"

#include <ini.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STR(x)  STR_(x)
#define STR_(x) #x

/* Stand-ins for '=' and ':' in a key. */
#define HIDDEN_EQUALS '\1'
#define HIDDEN_COLON  '\2'

struct open_file {
	struct lines lines;
	char *path; /* owned */
};

struct reading {
	const struct ini_sink *sink;
	struct open_file files[INI_DEPTH];
	size_t depth, opened;
	struct ini_place place; /* of the line that inih has in hand */
	bool in_hand;           /* it was neither taken for a key nor refused yet */
	bool skips; /* what follows a section line that was not understood, up to the next: it is nobody's */
	bool stopped, nomem;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void fault(struct reading *r, const char *text)
{
	if (!r->stopped && !r->sink->fault(r->sink->arg, &r->place, text))
		r->stopped = true;
}

static void out_of_memory(struct reading *r)
{
	r->nomem = r->stopped = true;
}

char *ini_resolve(const char *name, const char *in_file)
{
	const char *slash = strrchr(in_file, '/');
	if (name[0] == '/' || !slash || access(name, F_OK) == 0)
		return str_dup(name);
	struct sb b = { 0 };
	sb_add_n(&b, in_file, (size_t)(slash - in_file) + 1);
	sb_add(&b, name);
	char *beside = sb_take(&b);
	if (!beside || access(beside, F_OK) == 0)
		return beside;
	free(beside);
	return str_dup(name); /* neither is there: the fault names the path as it was written */
}

/* Faults stand at the line of the %include, when there is one: r->place. */
static void open_include(struct reading *r, const char *path)
{
	struct open_file *file = &r->files[r->depth];
	struct fault f;
	char text[4400];

	if (r->depth == INI_DEPTH || r->opened == INI_FILES) {
		fault(r, "too many %includes: " STR(INI_DEPTH) " deep and " STR(INI_FILES) " files at most");
		return;
	}
	if (!lines_open(&file->lines, path, &f)) {
		if (f.kind == FAULT_NOMEM) {
			out_of_memory(r);
			return;
		}
		if (r->depth)
			str_fmt(text, sizeof text, "%s %s", path, f.text);
		fault(r, r->depth ? text : f.text);
		return;
	}
	for (size_t i = 0; i < r->depth; i++)
		if (r->files[i].lines.dev == file->lines.dev && r->files[i].lines.ino == file->lines.ino) {
			str_fmt(text, sizeof text, "%%include of %s, which is being read already", path);
			fault(r, text);
			lines_close(&file->lines);
			return;
		}
	file->path = str_dup(path);
	if (!file->path) {
		lines_close(&file->lines);
		out_of_memory(r);
		return;
	}
	r->depth++;
	r->opened++;
}

static void close_file(struct reading *r)
{
	struct open_file *file = &r->files[--r->depth];
	lines_close(&file->lines);
	free(file->path);
	file->path = NULL;
}

static void include(struct reading *r, const char *name)
{
	while (is_blank(*name))
		name++;
	if (!*name) {
		fault(r, "%include names no file");
		return;
	}
	char *path = ini_resolve(name, r->place.file);
	if (!path) {
		out_of_memory(r);
		return;
	}
	open_include(r, path);
	free(path);
}

/* A section line that inih understands as it is meant. */
static bool check_section(struct reading *r, const char *line)
{
	size_t name = strcspn(line + 1, "]");
	if (line[1 + name] != ']' || line[1 + name + 1] != '\0')
		fault(r, "a section is a name in brackets, alone on its line");
	else if (name == 0 || name > INI_SECTION_BYTES)
		fault(r, "the name of the section is empty or too long");
	else
		return true;
	return false;
}

/* The = that ends the key: the first one that is not inside a quoted name. */
static char *separator(char *line)
{
	char *p = line, quote = *line;
	if (quote == '"' || quote == '\'')
		for (p++; *p && !(p[0] == quote && p[1] != quote); p++)
			if (*p == quote)
				p++;
	return strchr(p, '=');
}

static bool check_key(struct reading *r, char *line)
{
	char *end = separator(line);
	if (!end || end == line) {
		fault(r, "not understood: neither [section], nor key = value, nor %include, nor a comment");
		return false;
	}
	for (char *p = line; p < end; p++)
		if (*p == '=')
			*p = HIDDEN_EQUALS;
		else if (*p == ':')
			*p = HIDDEN_COLON;
	return true;
}

/* The next line that is inih's to read, trimmed; NULL at the end of all files. */
static char *next_line(struct reading *r)
{
	while (!r->stopped && r->depth) {
		struct open_file *file = &r->files[r->depth - 1];
		size_t len;
		char *line = lines_next(&file->lines, &len);
		if (!line) {
			close_file(r);
			continue;
		}
		r->place = (struct ini_place){ file->path, file->lines.line };
		if (len > INI_LINE_BYTES) {
			fault(r, "the line is too long: at most " STR(INI_LINE_BYTES) " bytes");
			continue;
		}
		bool control = false;
		for (size_t i = 0; i < len && !control; i++)
			control = ((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f;
		if (control) {
			fault(r, "the line holds a NUL or another control character");
			continue;
		}
		while (len && is_blank(line[len - 1]))
			line[--len] = '\0';
		while (is_blank(*line))
			line++;
		if (*line == '\0' || *line == ';' || *line == '#')
			continue;
		if (r->skips && *line != '[')
			continue;
		if (*line == '%') {
			if (strncmp(line, "%include", 8) == 0 && (is_blank(line[8]) || !line[8]))
				include(r, line + 8);
			else
				fault(r, "unknown directive: there is only %include");
			continue;
		}
		if (*line == '[')
			r->skips = !check_section(r, line);
		if (*line == '[' ? !r->skips : check_key(r, line))
			return line;
	}
	return NULL;
}

/* inih's reader: as fgets(). */
static char *feed(char *out, int cap, void *arg)
{
	struct reading *r = arg;
	for (;;) {
		if (r->in_hand) /* inih passed over the line before: it was no section and gave no entry */
			fault(r, "not understood: neither [section] nor key = value");
		r->in_hand = false;
		const char *line = next_line(r);
		if (!line)
			return NULL;
		size_t len = strlen(line);
		if (cap < 2 || len + 2 > (size_t)cap) {
			fault(r, "the line is too long for this build of inih");
			continue;
		}
		memcpy(out, line, len);
		memcpy(out + len, "\n", 2);
		r->in_hand = *line != '[';
		return out;
	}
}

static int take(void *arg, const char *section, const char *key, const char *value)
{
	struct reading *r = arg;
	char *name = str_dup(key);

	r->in_hand = false;
	if (!name) {
		out_of_memory(r);
		return 1;
	}
	for (char *p = name; *p; p++)
		if (*p == HIDDEN_EQUALS)
			*p = '=';
		else if (*p == HIDDEN_COLON)
			*p = ':';
	if (!r->stopped && !r->sink->entry(r->sink->arg, &r->place, section, name, value))
		r->stopped = true;
	free(name);
	return 1;
}

bool ini_read(const char *path, const struct ini_sink *sink)
{
	struct reading r = { .sink = sink, .place = { path, 0 } };

	ini_use_stack = false;
	ini_allow_realloc = false;
	ini_initial_alloc = ini_max_line = INI_LINE_BYTES + 3;
	ini_allow_inline_comments = false;
	ini_allow_multiline = false;
	ini_allow_bom = false;
	ini_allow_no_value = false;
	ini_stop_on_first_error = false;

	open_include(&r, path);
	/* The answer is of no use: the first faulty line, of which the reader knows already. But memory is. */
	if (r.depth && ini_parse_stream(feed, &r, take, &r) == -2)
		out_of_memory(&r);
	while (r.depth)
		close_file(&r);
	return !r.nomem;
}
