/* breaker.h - the circuit breaker of one host: after so many failures within a while it is left alone, and then asked
 * carefully.
 *
 *   CLOSED -> OPEN        the failures of the last window_ms are `failures`
 *   OPEN -> HALF_OPEN     the first connection that is begun when reset_ms have passed: a probe
 *   HALF_OPEN -> OPEN     a failure
 *   OPEN, HALF_OPEN -> CLOSED   a login worked
 *
 * Pure: no I/O, no clock, no allocation; times are milliseconds of whatever clock the caller has, and never go back.
 * Each call that can change the state returns the change, which is the caller's to tell. The window is kept in
 * BREAKER_SLICES parts, so a failure counts for window_ms and up to one part less. */
#ifndef SLUICE_GATE_BREAKER_H
#define SLUICE_GATE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
enum breaker_turn { BREAKER_STAYS, BREAKER_OPENS, BREAKER_HALVES, BREAKER_CLOSES };

#define BREAKER_SLICES 10

struct breaker_limits {
	uint32_t failures; /* 0: it never opens */
	uint64_t window_ms, reset_ms;
	uint32_t probes; /* connections that may be under way in HALF_OPEN, in each probe_ms */
	uint64_t probe_ms;
};

/* Zeroed, it is closed and knows of no failure. */
struct breaker {
	uint64_t since_ms;  /* of the state; 0: the beginning */
	uint64_t slice;     /* number of the current slice, counted from the clock's zero */
	uint64_t probes_ms; /* when the first of the probes was begun */
	uint64_t opened;    /* how often it has */
	uint32_t failures[BREAKER_SLICES];
	uint32_t probes; /* under way */
	uint8_t state;   /* enum breaker_state */
};

/* 0: a connection may be opened now; else in how many milliseconds that is so, as far as time alone decides. */
uint64_t breaker_wait_ms(const struct breaker *b, const struct breaker_limits *l, uint64_t now_ms);
/* Is it open, and not yet time for a probe? */
bool breaker_is_open(const struct breaker *b, const struct breaker_limits *l, uint64_t now_ms);
/* A connection is begun, which breaker_wait_ms() allows. *is_probe: breaker_gone() is due when it ends without having
 * worked or failed. */
enum breaker_turn breaker_begin(struct breaker *b, const struct breaker_limits *l, uint64_t now_ms, bool *is_probe);
/* A probe was given up, and says nothing. */
void breaker_gone(struct breaker *b);
/* The host did what is asked of it: a login. */
enum breaker_turn breaker_worked(struct breaker *b, uint64_t now_ms);
/* It did not. */
enum breaker_turn breaker_failed(struct breaker *b, const struct breaker_limits *l, uint64_t now_ms);
/* Failures that count now. */
uint32_t breaker_failures(const struct breaker *b, const struct breaker_limits *l, uint64_t now_ms);
const char *breaker_state_name(enum breaker_state s);

#endif
