/* test_query.c - statements of every kind through session and transaction pooling. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static void test_simple(void)
{
	sluice_with("pool_mode = transaction");
	PGconn *c = client(NULL);
	check_scalar(c, "select 1", "1");
	check_scalar(c, "select 1; select 2", "2");
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "simple", test_simple },
		{ NULL, NULL },
	};
	return harness_main(argc, argv, "query", tests);
}
