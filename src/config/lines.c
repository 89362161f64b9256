/* lines.c - a text file in memory, line by line. */
#include "config/lines.h"

#include "core/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool grow(struct lines *l, size_t cap)
{
	char *data = malloc(cap + 1); /* not realloc(), which would leave secrets behind */
	if (!data)
		return false;
	if (l->len)
		memcpy(data, l->data, l->len);
	if (l->data)
		str_wipe(l->data, l->len);
	free(l->data);
	l->data = data;
	return true;
}

/* To the end of the file, whatever size it said it had. */
static bool read_all(struct lines *l, int fd, size_t cap, struct fault *f)
{
	if (!grow(l, cap))
		return fault_set(f, FAULT_NOMEM, "out of memory");
	for (;;) {
		if (l->len == cap) {
			if (cap > LINES_FILE_MAX)
				return fault_set(f, FAULT_CONFIG, "the file is larger than %zu bytes", LINES_FILE_MAX);
			cap = cap * 2 < LINES_FILE_MAX ? cap * 2 : LINES_FILE_MAX + 1;
			if (!grow(l, cap))
				return fault_set(f, FAULT_NOMEM, "out of memory");
		}
		ssize_t n = read(fd, l->data + l->len, cap - l->len);
		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fault_set(f, FAULT_CONFIG, "cannot be read: %s", strerror(errno));
		l->len += (size_t)n;
	}
	l->data[l->len] = '\0';
	return true;
}

bool lines_open(struct lines *l, const char *path, struct fault *f)
{
	struct lines new = { 0 };
	struct stat st;
	bool ok = false;
	/* Opening a pipe without O_NONBLOCK would wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return fault_set(f, FAULT_CONFIG, "cannot be opened: %s", strerror(errno));
	if (fstat(fd, &st) < 0)
		fault_set(f, FAULT_CONFIG, "cannot be examined: %s", strerror(errno));
	else if (S_ISDIR(st.st_mode))
		fault_set(f, FAULT_CONFIG, "is a directory");
	else if (!S_ISREG(st.st_mode))
		fault_set(f, FAULT_CONFIG, "is not a regular file");
	else if (st.st_size < 0 || (uint64_t)st.st_size > LINES_FILE_MAX)
		fault_set(f, FAULT_CONFIG, "the file is larger than %zu bytes", LINES_FILE_MAX);
	else
		ok = read_all(&new, fd, (size_t)st.st_size + 512, f);
	close(fd);
	if (!ok) {
		lines_close(&new);
		return false;
	}
	new.dev = st.st_dev;
	new.ino = st.st_ino;
	if (new.len >= 3 && memcmp(new.data, "\xef\xbb\xbf", 3) == 0)
		new.at = 3;
	*l = new;
	return true;
}

char *lines_next(struct lines *l, size_t *len)
{
	if (l->at >= l->len)
		return NULL;
	char *start = l->data + l->at, *lf = memchr(start, '\n', l->len - l->at);
	size_t n = lf ? (size_t)(lf - start) : l->len - l->at;
	l->at += n + (lf != NULL);
	l->line++;
	if (n && start[n - 1] == '\r')
		n--;
	start[n] = '\0';
	*len = n;
	return start;
}

void lines_close(struct lines *l)
{
	if (l->data)
		str_wipe(l->data, l->len);
	free(l->data);
	*l = (struct lines){ 0 };
}
