/* conf_files.c - files for the suites of src/config/. */
#include "conf_files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];

const char *conf_dir(void)
{
	str_fmt(dir, sizeof dir, "/tmp/sluice-conf-XXXXXX");
	if (!mkdtemp(dir)) {
		perror(dir);
		exit(2);
	}
	return dir;
}

const char *conf_write(const char *name, const void *bytes, size_t len)
{
	static char paths[8][256];
	static unsigned turn;
	char *path = paths[turn++ % 8];
	str_fmt(path, sizeof paths[0], "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	if (!f || (len && fwrite(bytes, 1, len, f) != len) || fclose(f) != 0) {
		perror(path);
		exit(2);
	}
	return path;
}

const char *conf_text(const char *name, const char *text)
{
	return conf_write(name, text, strlen(text));
}

void conf_clean(void)
{
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[512];
		str_fmt(path, sizeof path, "%s/%s", dir, e->d_name);
		if (unlink(path) < 0)
			(void)rmdir(path);
	}
	if (d)
		closedir(d);
	(void)rmdir(dir);
}

const char *conf_short(const char *path)
{
	size_t n = strlen(dir);
	return strncmp(path, dir, n) == 0 && path[n] == '/' ? path + n + 1 : path;
}

void conf_report(void *arg, bool is_error, const char *file, int line, const char *text)
{
	struct conf_told *t = arg;
	size_t len = strlen(t->text);
	str_fmt(t->text + len, sizeof t->text - len, "%c %s:%d %s\n", is_error ? 'E' : 'W', conf_short(file), line,
		text);
	*(is_error ? &t->errors : &t->warnings) += 1;
	t->nomems += strcmp(text, "out of memory") == 0;
}
