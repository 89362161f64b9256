/* batch.c - decoding Parse, Bind, Describe, Close, Execute. PostgreSQL docs, Message Formats. */
#include "pg/batch.h"

bool pg_read_parse(struct rd body, struct pg_parse *m)
{
	m->name = rd_cstr(&body, NULL);
	m->text = rd_cstr(&body, &m->text_len);
	m->ntypes = rd_u16be(&body);
	m->types = rd_sub(&body, 4 * (size_t)m->ntypes);
	return rd_done(&body);
}

bool pg_read_bind(struct rd body, struct pg_bind *m)
{
	m->portal = rd_cstr(&body, NULL);
	m->name = rd_cstr(&body, NULL);
	m->nparam_formats = rd_u16be(&body);
	m->param_formats = rd_sub(&body, 2 * (size_t)m->nparam_formats);
	m->nparams = rd_u16be(&body);
	const uint8_t *from = body.p;
	for (unsigned i = 0; i < m->nparams && !body.bad; i++) {
		uint32_t len = rd_u32be(&body);
		if (len != UINT32_MAX)
			(void)rd_take(&body, len);
	}
	m->params = (struct rd){ from, body.p, false };
	m->nformats = rd_u16be(&body);
	m->formats = rd_sub(&body, 2 * (size_t)m->nformats);
	return rd_done(&body);
}

bool pg_read_target(struct rd body, struct pg_target *m)
{
	m->kind = rd_u8(&body);
	m->name = rd_cstr(&body, NULL);
	return rd_done(&body) && (m->kind == 'S' || m->kind == 'P');
}

bool pg_read_execute(struct rd body, struct pg_execute *m)
{
	m->portal = rd_cstr(&body, NULL);
	uint32_t n = rd_u32be(&body);
	m->max_rows = n > INT32_MAX ? 0 : n; /* below zero is all, as PostgreSQL has it */
	return rd_done(&body);
}
