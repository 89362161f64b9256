/* fuzz_pg_batch.c - Parse, Bind, Describe, Close and Execute. The input is a stream of messages. */
#include "fuzz.h"

#include "pg/batch.h"

#include <stdlib.h>
#include <string.h>

static struct pg_out out;

static void put_rd(struct rd r)
{
	pg_put(&out, r.p, rd_left(&r));
}

/* What was read says all that there was: written again it is the same. */
static bool read_it(uint8_t type, struct rd body)
{
	struct pg_parse parse;
	struct pg_bind bind;
	struct pg_target target;
	struct pg_execute execute;

	switch (type) {
	case PG_PARSE:
		if (!pg_read_parse(body, &parse))
			return false;
		pg_put_cstr(&out, parse.name);
		pg_put_cstr(&out, parse.text);
		fuzz_check("length of the text", strlen(parse.text) == parse.text_len);
		pg_put_u16(&out, (uint16_t)parse.ntypes);
		put_rd(parse.types);
		return true;
	case PG_BIND:
		if (!pg_read_bind(body, &bind))
			return false;
		pg_put_cstr(&out, bind.portal);
		pg_put_cstr(&out, bind.name);
		pg_put_u16(&out, (uint16_t)bind.nparam_formats);
		put_rd(bind.param_formats);
		pg_put_u16(&out, (uint16_t)bind.nparams);
		put_rd(bind.params);
		pg_put_u16(&out, (uint16_t)bind.nformats);
		put_rd(bind.formats);
		return true;
	case PG_DESCRIBE:
	case PG_CLOSE:
		if (!pg_read_target(body, &target))
			return false;
		fuzz_check("a statement or a portal", target.kind == 'S' || target.kind == 'P');
		pg_put_u8(&out, target.kind);
		pg_put_cstr(&out, target.name);
		return true;
	case PG_EXECUTE:
		if (!pg_read_execute(body, &execute))
			return false;
		fuzz_check("rows", execute.max_rows <= INT32_MAX);
		pg_put_cstr(&out, execute.portal);
		return true;
	default:
		return false;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_exact(data, size), *again = fuzz_exact(NULL, size);
	struct rd in = rd_of(copy, size);
	struct pg_msg m;
	while (pg_frame(&in, 65536, &m) == FRAME_OK) {
		size_t len = rd_left(&m.body);
		uint8_t *body = fuzz_exact(m.body.p, len);
		out = pg_out(again, size);
		if (read_it(m.type, rd_of(body, len))) {
			if (m.type == PG_EXECUTE)
				pg_put(&out, body + out.len, 4); /* any number below zero reads as 0 */
			fuzz_check("the same again", !out.bad && out.len == len && memcmp(again, body, len) == 0);
		}
		fuzz_free(body);
	}
	fuzz_free(again);
	fuzz_free(copy);
	return 0;
}
