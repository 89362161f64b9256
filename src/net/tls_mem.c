/* tls_mem.c - memory for the TLS library.
 * A connection is a dozen and a half small pieces that stay, and buffers for a record or a handshake message that come
 * and go with each. From one heap the buffers leave holes between the pieces of others: an idle client cost up to twice
 * its bytes. So buffers come from an area of their own, in blocks, the one used last first. */
#include "net/tls_int.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Sizes that are buffers: a record's 16 KB and its frame, or a message of that length and a third more. The longest of
 * the pieces that stay has 8 KB. */
#define BUFFER_MIN (12u << 10)
#define BLOCK      (24u << 10)
#define BLOCKS     8192u /* more come from the heap */
#define STEP       32u   /* blocks that are made usable at a time */
#define WARM       64u   /* free blocks that keep their pages */

static uint8_t *area;          /* BLOCKS blocks, reserved and no more; NULL: there is none */
static uint32_t usable, begun; /* blocks that may be touched; that were lent before */
static uint32_t nfree;
static uint16_t free_blocks[BLOCKS]; /* a stack */

static bool in_area(const void *p)
{
	return area && (const uint8_t *)p >= area && (const uint8_t *)p < area + (size_t)BLOCKS * BLOCK;
}

static bool is_buffer(size_t n)
{
	return n > BUFFER_MIN && n <= BLOCK;
}

static void *block_get(void)
{
	if (nfree > 0)
		return area + (size_t)free_blocks[--nfree] * BLOCK;
	if (begun == usable) {
		if (!area || usable == BLOCKS ||
		    mprotect(area + (size_t)usable * BLOCK, (size_t)STEP * BLOCK, PROT_READ | PROT_WRITE) != 0)
			return NULL;
		usable += STEP;
	}
	return area + (size_t)begun++ * BLOCK;
}

static void block_put(void *p)
{
	/* What many handshakes at once have needed goes back. */
	if (nfree >= WARM)
		(void)madvise(p, BLOCK, MADV_DONTNEED);
	free_blocks[nfree++] = (uint16_t)((size_t)((uint8_t *)p - area) / BLOCK);
}

void *tls_mem_get(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	void *p = is_buffer(n) ? block_get() : NULL;
	return p ? p : malloc(n);
}

void tls_mem_put(void *p, const char *file, int line)
{
	(void)file, (void)line;
	if (in_area(p))
		block_put(p);
	else
		free(p);
}

void *tls_mem_resize(void *p, size_t n, const char *file, int line)
{
	if (!p)
		return tls_mem_get(n, file, line);
	if (n == 0) {
		tls_mem_put(p, file, line);
		return NULL;
	}
	if (!in_area(p))
		return realloc(p, n);
	if (is_buffer(n))
		return p;
	void *q = malloc(n);
	if (q) {
		memcpy(q, p, n < BLOCK ? n : BLOCK);
		block_put(p);
	}
	return q;
}

void tls_mem_begin(void)
{
	if (!area) {
		void *p = mmap(NULL, (size_t)BLOCKS * BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			       0);
		area = p == MAP_FAILED ? NULL : p;
	}
	(void)CRYPTO_set_mem_functions(tls_mem_get, tls_mem_resize, tls_mem_put);
}
