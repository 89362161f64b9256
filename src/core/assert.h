/* assert.h - ASSERT(x) is for what only our own mistake can break. It stays on in release builds.
 * What a peer, a file, the kernel or an operator can bring about is a struct fault instead. */
#ifndef SLUICE_CORE_ASSERT_H
#define SLUICE_CORE_ASSERT_H

/* Writes the place and the expression to the log and to stderr, then aborts. */
_Noreturn void assert_failed(const char *file, int line, const char *what);

#define ASSERT(x) ((x) ? (void)0 : assert_failed(__FILE__, __LINE__, #x))

#endif
