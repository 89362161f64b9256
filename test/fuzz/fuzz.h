/* fuzz.h - what every fuzz target uses. A target is fuzz_<name>.c with LLVMFuzzerTestOneInput(): it gives the bytes to
 * a decoder and checks what must hold whatever they are. Nothing in a target depends on earlier inputs, on time or on
 * real randomness, so that a reproducer reproduces. */
#ifndef SLUICE_TEST_FUZZ_H
#define SLUICE_TEST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libFuzzer's own names. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold; the fuzzer keeps the input for which it does not. */
#define fuzz_check(what, cond) ((cond) ? (void)0 : fuzz_failed(__FILE__, __LINE__, (what), #cond))
_Noreturn void fuzz_failed(const char *file, int line, const char *what, const char *cond);

/* A heap copy of exactly n bytes, 0 included, so that a sanitizer sees one byte too far on either side; of NULL, room
 * for as many. fuzz_free() it. */
void *fuzz_exact(const void *p, size_t n);
/* The bytes up to the first NUL, or all n, and a NUL, likewise. */
char *fuzz_text(const void *p, size_t n);
void fuzz_free(void *p);

/* Cuts what stands before the next `sep` off the front of *p; all of it when there is none. *p is NULL behind the last
 * part, and a part of NULL is empty. */
const uint8_t *fuzz_part(const uint8_t **p, size_t *left, uint8_t sep, size_t *len);

/* Well-formed UTF-8? */
bool fuzz_is_utf8(const void *p, size_t n);

/* A source for crypto_set_random() that gives the same bytes after each fuzz_random_restart(). */
bool fuzz_random(void *out, size_t n);
void fuzz_random_restart(void);

/* Programs linked with FUZZ_KDF_WRAPS derive keys by fuzz_kdf.c: no more than FUZZ_ITER_MAX iterations, whatever the
 * input asks for. */
#define FUZZ_ITER_MAX 4u

#endif
