/* fuzz_mysql_pack.c - the compressed protocol. The first byte of the input says who is at the other end, what is
 * compressed with, and what turn it is; the second how much comes at once, and how much room there is. The rest is what
 * the other end sends; what is read is said again. */
#include "fuzz.h"

#include "mysql/pack.h"
#include "mysql/wire.h"

#include <string.h>

static unsigned turns;

static enum mysql_turn turn(void *arg, bool zero, unsigned *behind)
{
	(void)arg, (void)zero;
	*behind = turns >> 2 & 3;
	return (enum mysql_turn)(turns & 3);
}

static bool put(void *arg, const uint8_t *p, size_t n)
{
	size_t *all = arg;
	fuzz_check("a whole packet", n > MYSQL_PACK_HEADER);
	fuzz_check("of the length that it says",
		   n - MYSQL_PACK_HEADER == ((size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16));
	size_t before = (size_t)p[4] | (size_t)p[5] << 8 | (size_t)p[6] << 16;
	*all += before ? before : n - MYSQL_PACK_HEADER;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	enum mysql_peer peer = data[0] & 1 ? MYSQL_PEER_SERVER : MYSQL_PEER_CLIENT;
	enum mysql_zip kind = data[0] & 2 && mysql_zip_has(MYSQL_ZIP_ZSTD) ? MYSQL_ZIP_ZSTD : MYSQL_ZIP_ZLIB;
	size_t step = 1 + data[1] % 16 * 16, cap = 1 + data[1] / 16 * 512, had, waits = 0;
	turns = data[0] >> 2;
	struct codec *c = mysql_pack_new(peer, kind, 1, turn, NULL);
	enum codec_got got = CODEC_MORE;
	struct fault f = { .text = "" };
	if (!c)
		return 0;
	for (size_t at = 2; at < size && got != CODEC_BAD;) {
		size_t n = size - at < step ? size - at : step, said = 0, told = 0;
		uint8_t *copy = fuzz_exact(data + at, n), *out = fuzz_exact(NULL, cap);
		struct rd wire = rd_of(copy, n);
		/* What would be megabytes of the same says nothing new. */
		for (unsigned i = 0; i < 200; i++) {
			got = c->ops->read(c, &wire, false, out, cap, &had, &f);
			fuzz_check("there was room", had <= cap);
			fuzz_check("nothing is read twice", wire.p >= copy && wire.p <= wire.end);
			fuzz_check("a reason", got != CODEC_BAD || *f.text);
			struct iovec v = { out, had };
			if (had && got != CODEC_BAD)
				fuzz_check("it can be said", c->ops->write(c, &v, 1, true, put, &told)), said += had;
			if (got == CODEC_WAIT && waits++ < 3)
				turns = 1;
			else if (got != CODEC_PIECE)
				break;
		}
		fuzz_check("all of it is said", said == told);
		fuzz_free(copy);
		fuzz_free(out);
		at += n;
	}
	c->ops->free(c);
	return 0;
}
