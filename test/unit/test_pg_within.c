/* test_pg_within.c - statements of the house's own within a batch, when there is no memory for them. */
#include "unit.h"

#include "nomem.h"
#include "pg/pg_int.h"

#include <string.h>

static struct pg_server server;
static struct pg_client client;

/* All that fits without memory, but for `room` entries, is expected. */
static void begin(unsigned room)
{
	memset(&server, 0, sizeof server);
	memset(&client, 0, sizeof client);
	server.sv.stream.io.fd = -1;
	server.sv.session = &client.s;
	client.s.server = &server.sv;
	pg_cache_init(&server.cache);
	expect_init(&server.expect);
	server.expect.gone = pg_statement_gone;
	for (unsigned i = room; i < EXPECT_INLINE; i++)
		check("expected", expect_sent(&server.expect, &(struct expect_entry){ .kind = EXPECT_SYNC }));
}

static void end(void)
{
	expect_free(&server.expect);
	pg_names_free(client.names);
	pg_cache_free(&server.cache);
}

/* Whichever of its messages cannot be expected, nothing is left that waits for an answer which does not come. */
static void test_no_memory(void)
{
	for (unsigned room = 0; room <= 5; room++) {
		begin(room);
		const struct istr *said = istr_get(BYTES("\1 as select 1"));
		struct pg_text *text = pg_text_new(said);
		struct pg_prepared *s = pg_prepared_add(&server.cache, text, 7);
		struct pg_name *n = pg_name_get(&client.names, "n", 1);
		pg_name_means(n, text, false);
		check("pending", s->pending);
		nomem_from(1);
		bool ok = pg_run_within(&client, "prepare",
					&(struct expect_entry){ .kind = EXPECT_EXECUTE, .prepared = s });
		nomem_at(0);
		check_eq("it is expected, or not", ok, room == 5);
		if (!ok && room < 3)
			check("not there", !pg_prepared_find(&server.cache, text));
		expect_free(&server.expect);
		check("nothing is pending", !pg_prepared_find(&server.cache, text));
		end();

		begin(room);
		n = pg_name_get(&client.names, "n", 1);
		pg_name_means(n, text, false);
		n->uses++;
		n->is_pinned = true;
		nomem_from(1);
		ok = pg_run_within(&client, "prepare",
				   &(struct expect_entry){
					   .kind = EXPECT_EXECUTE, .flags = EXPECT_OWN | EXPECT_USES, .name = n });
		nomem_at(0);
		expect_free(&server.expect);
		check_eq("nothing uses it", n->uses, 0);
		check("it is not said to be there", !n->is_pinned);
		end();
		pg_text_put(text);
		istr_put(said);
	}
}

void suite_pg_within(void)
{
	static const struct unit_test tests[] = {
		{ "out of memory", test_no_memory },
		{ NULL, NULL },
	};
	unit_add("pg/within", tests);
}
