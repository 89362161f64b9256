/* key.c - the cancel keys of Sluice's clients. PostgreSQL docs, Message Formats, BackendKeyData. */
#include "pg/key.h"

#include "auth/crypto.h"

_Static_assert(CRYPTO_SHA256_LEN >= PG_KEY_TAIL, "a part of the hash fills it");

static uint8_t ours[CRYPTO_SHA256_LEN];
static bool has_ours;

bool pg_key_tail(uint64_t key, uint8_t out[PG_KEY_TAIL])
{
	uint8_t hash[CRYPTO_SHA256_LEN];
	if (!has_ours && !(has_ours = crypto_random(ours, sizeof ours)))
		return false;
	if (!crypto_hmac_sha256(ours, sizeof ours, &key, sizeof key, hash))
		return false;
	memcpy(out, hash, PG_KEY_TAIL);
	return true;
}

bool pg_key_fits(uint64_t key, bool is_long, struct rd tail)
{
	uint8_t want[PG_KEY_TAIL], differs = 0;
	if (!is_long)
		return rd_left(&tail) == 0;
	if (rd_left(&tail) != PG_KEY_TAIL || !pg_key_tail(key, want))
		return false;
	for (size_t i = 0; i < PG_KEY_TAIL; i++)
		differs |= (uint8_t)(want[i] ^ tail.p[i]);
	return differs == 0;
}
