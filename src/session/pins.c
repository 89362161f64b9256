/* pins.c - why a client keeps its server between transactions: pins.def. */
#include "session/session_int.h"

#include "core/str.h"

#include <string.h>

static const char *const pin_names[] = {
#define PIN(name, shown) [PIN_BIT_##name] = shown,
#include "session/pins.def"
#undef PIN
};

void session_pins_text(uint32_t pins, char *out, size_t cap)
{
	size_t n = 0;
	*out = 0;
	for (unsigned i = 0; i < PIN_COUNT; i++)
		if (pins & 1u << i && n < cap) {
			str_fmt(out + n, cap - n, "%s%s", n ? "," : "", pin_names[i]);
			n += strlen(out + n);
		}
}

static int64_t pin_policy(const struct session *s)
{
	return config_num(config_now(), SET_pin_policy, s->db->conf, s->user->conf);
}

void session_pin(struct session *s, uint32_t pins)
{
	if (pins & ~s->pins && !session_ignores_pins(s))
		session_keep(s, pins & ~s->pins);
}

void session_keep(struct session *s, uint32_t pins)
{
	char text[160];
	if (!pins)
		return;
	session_pins_text(pins, text, sizeof text);
	log_debug(&s->log, "keeps its server: %s", text);
	s->pins |= pins;
	s->server->was_session = true; /* it is cleaned when it comes back */
	for (; pins; pins &= pins - 1)
		s->pool->stats.v[STAT_pin_count]++;
}

bool session_ignores_pins(const struct session *s)
{
	return pin_policy(s) == PIN_POLICY_IGNORE;
}

bool session_pins_are_refused(const struct session *s, uint32_t pins, struct fault *f)
{
	char text[160];
	if (!pins || pin_policy(s) != PIN_POLICY_ERROR)
		return false;
	session_pins_text(pins, text, sizeof text);
	fault_set(f, FAULT_UNSUP, "this statement needs a server connection of its own (%s), which pin_policy refuses",
		  text);
	fault_hint(f, "Use a database with pool_mode=session, or ask for pin_policy=pin.");
	return true;
}
