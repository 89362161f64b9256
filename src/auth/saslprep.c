/* saslprep.c - SASLprep (RFC 4013) over libidn's stringprep, where the build has it. */
#include "auth/saslprep.h"

#include "core/str.h"

#ifdef HAVE_LIBIDN
#include <stringprep.h>
#endif

#include <stdlib.h>
#include <string.h>

#ifdef HAVE_LIBIDN
bool saslprep_is_complete(void)
{
	return true;
}

/* Printable ASCII maps to itself and control characters are prohibited, so ASCII stays as it is either way. */
static bool is_ascii(const char *s)
{
	while (*s && !((unsigned char)*s & 0x80))
		s++;
	return *s == '\0';
}

char *saslprep(const char *password)
{
	if (is_ascii(password))
		return str_dup(password);
	char *out = NULL;
	int rc = stringprep_profile(password, &out, "SASLprep", STRINGPREP_NO_UNASSIGNED);
	if (rc == STRINGPREP_MALLOC_ERROR)
		return NULL;
	if (rc == STRINGPREP_OK && out[0])
		return out;
	if (rc == STRINGPREP_OK)
		free(out);
	return str_dup(password);
}
#else
bool saslprep_is_complete(void)
{
	return false;
}

char *saslprep(const char *password)
{
	return str_dup(password);
}
#endif
