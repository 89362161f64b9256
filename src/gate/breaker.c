/* breaker.c - the circuit breaker of one host. */
#include "gate/breaker.h"

#include <string.h>

const char *breaker_state_name(enum breaker_state s)
{
	static const char *const names[] = { "closed", "open", "half-open" };
	return names[s];
}

static uint64_t slice_at(const struct breaker_limits *l, uint64_t now_ms)
{
	uint64_t ms = l->window_ms / BREAKER_SLICES;
	return now_ms / (ms ? ms : 1);
}

/* Is a slice of this number, not later than now's, within the window? */
static bool is_recent(uint64_t slice, uint64_t now)
{
	return slice + BREAKER_SLICES > now;
}

static bool enter(struct breaker *b, enum breaker_state s, uint64_t now_ms)
{
	b->state = (uint8_t)s;
	b->since_ms = now_ms;
	b->probes = 0;
	memset(b->failures, 0, sizeof b->failures);
	return true;
}

static uint64_t left(uint64_t since_ms, uint64_t ms, uint64_t now_ms)
{
	return now_ms - since_ms >= ms ? 0 : ms - (now_ms - since_ms);
}

bool breaker_is_open(const struct breaker *b, const struct breaker_limits *l, uint64_t now_ms)
{
	return l->failures && b->state == BREAKER_OPEN && left(b->since_ms, l->reset_ms, now_ms) > 0;
}

uint64_t breaker_wait_ms(const struct breaker *b, const struct breaker_limits *l, uint64_t now_ms)
{
	if (!l->failures)
		return 0;
	switch ((enum breaker_state)b->state) {
	case BREAKER_CLOSED:
		return 0;
	case BREAKER_OPEN:
		return left(b->since_ms, l->reset_ms, now_ms);
	case BREAKER_HALF_OPEN:
		return b->probes < l->probes ? 0 : left(b->probes_ms, l->probe_ms, now_ms);
	}
	return 0;
}

enum breaker_turn breaker_begin(struct breaker *b, const struct breaker_limits *l, uint64_t now_ms, bool *is_probe)
{
	enum breaker_turn turn = BREAKER_STAYS;
	*is_probe = false;
	if (b->state == BREAKER_CLOSED)
		return BREAKER_STAYS;
	if (!l->failures) { /* switched off while it was open */
		enter(b, BREAKER_CLOSED, now_ms);
		return BREAKER_CLOSES;
	}
	if (b->state == BREAKER_OPEN) {
		enter(b, BREAKER_HALF_OPEN, now_ms);
		turn = BREAKER_HALVES;
	}
	/* Those that have not come back in their time are no longer counted. */
	if (b->probes && left(b->probes_ms, l->probe_ms, now_ms) == 0)
		b->probes = 0;
	if (b->probes++ == 0)
		b->probes_ms = now_ms;
	*is_probe = true;
	return turn;
}

void breaker_gone(struct breaker *b)
{
	if (b->state == BREAKER_HALF_OPEN && b->probes)
		b->probes--;
}

enum breaker_turn breaker_worked(struct breaker *b, uint64_t now_ms)
{
	if (b->state == BREAKER_CLOSED)
		return BREAKER_STAYS;
	enter(b, BREAKER_CLOSED, now_ms);
	return BREAKER_CLOSES;
}

enum breaker_turn breaker_failed(struct breaker *b, const struct breaker_limits *l, uint64_t now_ms)
{
	if (!l->failures || b->state == BREAKER_OPEN)
		return BREAKER_STAYS;
	if (b->state == BREAKER_CLOSED) {
		uint64_t now = slice_at(l, now_ms);
		/* Slices that have passed since, or all, when the clock of slices is another one since a reload. */
		uint64_t passed = now >= b->slice ? now - b->slice : BREAKER_SLICES;
		for (uint64_t i = 1; i <= passed && i <= BREAKER_SLICES; i++)
			b->failures[(now - passed + i) % BREAKER_SLICES] = 0;
		if (passed >= BREAKER_SLICES)
			memset(b->failures, 0, sizeof b->failures);
		b->slice = now;
		uint32_t *n = &b->failures[now % BREAKER_SLICES];
		if (*n < l->failures)
			(*n)++;
		if (breaker_failures(b, l, now_ms) < l->failures)
			return BREAKER_STAYS;
	}
	enter(b, BREAKER_OPEN, now_ms);
	b->opened++;
	return BREAKER_OPENS;
}

uint32_t breaker_failures(const struct breaker *b, const struct breaker_limits *l, uint64_t now_ms)
{
	uint64_t now = slice_at(l, now_ms), n = 0;
	if (now < b->slice)
		return 0;
	for (uint64_t i = 0; i < BREAKER_SLICES && i <= b->slice; i++)
		if (is_recent(b->slice - i, now))
			n += b->failures[(b->slice - i) % BREAKER_SLICES];
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}
