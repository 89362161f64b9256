/* hba_int.h - what the readers of HBA and ident files share; for src/config/ only. */
#ifndef SLUICE_CONFIG_HBA_INT_H
#define SLUICE_CONFIG_HBA_INT_H

#include "config/hba.h"
#include "config/hba_tokens.h"

/* Where a reader stands. */
struct hba_reading {
	const struct hba_sink *sink;
	const char *file; /* borrowed */
	int line;
	unsigned depth, files;
	bool failed, nomem;
};

/* Tells a fault of the line. Always false. */
bool hba_fault(struct hba_reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool hba_nomem(struct hba_reading *r);
/* Reads a file line by line, cut into words; includes are followed. `of`: what names this file ("": it is the first).
 * each() returns false for nothing but want of memory, or when it told a fault. */
void hba_each_line(struct hba_reading *r, const char *path, const char *of,
		   bool (*each)(struct hba_reading *r, const struct hba_tokens *t, void *arg), void *arg);
/* The file that a name written in r->file stands for: beside it when relative. free() it. */
char *hba_beside(const struct hba_reading *r, const char *name);
/* Compiles what stands behind the slash. */
bool hba_regex(struct hba_reading *r, regex_t *re, const char *pattern);
void hba_name_free(struct hba_name *n);
bool hba_copy(struct hba_reading *r, char **to, const char *text);

/* "name=value" into *o; the fault says what is wrong, without the value of a password. */
bool hba_option_put(struct hba_options *o, char *pair, struct fault *f);
/* Which of the options given are none of this method's, what it lacks, what contradicts itself. */
bool hba_options_check(struct hba_options *o, enum hba_method method, enum hba_conn conn, struct fault *f);

#endif
