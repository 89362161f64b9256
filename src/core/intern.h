/* intern.h - strings that many hold, kept once for a worker and counted. Equal text is the same pointer. */
#ifndef SLUICE_CORE_INTERN_H
#define SLUICE_CORE_INTERN_H

#include "core/map.h"

#include <stdint.h>

struct istr {
	struct map_node node;
	uint32_t refs;
	uint32_t len;
	char s[]; /* NUL-terminated */
};

/* A counted reference to the one copy of these bytes; NULL when out of memory. Given back by istr_put(). */
const struct istr *istr_get(const char *s, size_t len);
const struct istr *istr_ref(const struct istr *i);
void istr_put(const struct istr *i); /* NULL is fine */
size_t istr_count(void);

#endif
