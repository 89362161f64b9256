/* fuzz_files.c - a file system in memory: memfds under names, and open(2) and access(2) that know them. And a
 * regcomp(3) that takes simple expressions only: those of an operator's file are his own affair, and the library's are
 * not ours. */
#include "fuzz_files.h"

#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILES 7
#define MARK  "#="

int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);
int __wrap_access(const char *path, int mode);
int __real_access(const char *path, int mode);
int __wrap_regcomp(regex_t *re, const char *pattern, int flags);
int __real_regcomp(regex_t *re, const char *pattern, int flags);

static struct file {
	char name[32];
	int fd;
	const uint8_t *bytes; /* borrowed */
	size_t len;
} files[FILES];
static size_t count;

static const struct file *find(const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(files[i].name, name) == 0)
			return &files[i];
	return NULL;
}

const uint8_t *fuzz_files_find(const char *name, size_t *len)
{
	const struct file *f = find(name);
	*len = f ? f->len : 0;
	return f ? f->bytes : NULL;
}

static void add(const char *name, size_t name_len, const uint8_t *bytes, size_t len)
{
	struct file *f = &files[count];
	if (name_len == 0 || name_len >= sizeof f->name)
		return;
	memcpy(f->name, name, name_len);
	f->name[name_len] = '\0';
	if (find(f->name))
		return;
	f->fd = memfd_create("fuzz", MFD_CLOEXEC);
	f->bytes = bytes;
	f->len = len;
	if (f->fd < 0 || write(f->fd, bytes, len) != (ssize_t)len) {
		perror("memfd_create, write");
		abort();
	}
	count++;
}

/* The next line that begins with MARK; the end when there is none. */
static const uint8_t *next_mark(const uint8_t *p, const uint8_t *end)
{
	while (p < end && !((size_t)(end - p) >= sizeof MARK && memcmp(p, MARK, sizeof MARK - 1) == 0)) {
		const uint8_t *lf = memchr(p, '\n', (size_t)(end - p));
		p = lf ? lf + 1 : end;
	}
	return p;
}

void fuzz_files_make(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size, *mark = next_mark(data, end);
	fuzz_files_remove();
	add("main.ini", 8, data, (size_t)(mark - data));
	while (mark < end && count < FILES) {
		const uint8_t *name = mark + sizeof MARK - 1, *lf = memchr(name, '\n', (size_t)(end - name));
		const uint8_t *from = lf ? lf + 1 : end;
		mark = next_mark(from, end);
		add((const char *)name, (size_t)((lf ? lf : end) - name), from, (size_t)(mark - from));
	}
}

void fuzz_files_remove(void)
{
	while (count)
		close(files[--count].fd);
}

/* A new description each time, so that each reader begins at the beginning; but of one inode. */
int __wrap_open(const char *path, int flags, ...)
{
	char in_proc[40];
	va_list ap;
	va_start(ap, flags);
	int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, int) : 0;
	va_end(ap);
	if (!count)
		return __real_open(path, flags, mode);
	const struct file *f = find(path);
	if (!f) {
		errno = ENOENT;
		return -1;
	}
	(void)snprintf(in_proc, sizeof in_proc, "/proc/self/fd/%d", f->fd);
	return __real_open(in_proc, flags);
}

int __wrap_access(const char *path, int mode)
{
	if (!count)
		return __real_access(path, mode);
	errno = ENOENT;
	return find(path) ? 0 : -1;
}

int __wrap_regcomp(regex_t *re, const char *pattern, int flags)
{
	return strlen(pattern) > 40 || strpbrk(pattern, "{*+\\") ? REG_BADPAT : __real_regcomp(re, pattern, flags);
}
