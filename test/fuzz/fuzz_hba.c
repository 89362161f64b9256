/* fuzz_hba.c - HBA and ident files, and who comes in by them. The input is the HBA file, and behind a line "#=i" the
 * ident file; other names are files that either may include. */
#include "fuzz.h"

#include "auth/hba.h"
#include "fuzz_files.h"

#include <string.h>

struct told {
	unsigned faults;
};

static void on_fault(void *arg, const char *file, int line, const char *text)
{
	struct told *t = arg;
	fuzz_check("a place", *file && line >= 0);
	fuzz_check("a fault is told in words", *text);
	t->faults++;
}

static void ask(const struct hba *h, const struct ident *i)
{
	static const char *const ips[] = { "10.0.0.1", "::1", "::ffff:10.0.0.1", "fe80::1" };
	static const char *const names[] = { "all", "a", "u1", "root" };
	for (size_t ip = 0; ip <= 4; ip++)
		for (size_t n = 0; n < 4; n++) {
			struct addr a = { .family = ADDR_UNIX };
			if (ip < 4)
				(void)addr_parse(&a, ips[ip], 1);
			const struct hba_client c = { &a, names[n], names[3 - n], n & 1, n == 3 };
			const struct hba_rule *r = hba_pick(h, &c);
			if (!r)
				continue;
			fuzz_check("local is local", (r->conn == HBA_LOCAL) == (ip == 4));
			fuzz_check("TLS is TLS", r->conn != HBA_HOSTSSL || c.is_tls);
			fuzz_check("no TLS is none", r->conn != HBA_HOSTNOSSL || !c.is_tls);
			fuzz_check("an address of a kind",
				   r->where != HBA_NET || ip == 4 || !r->is_ipv6 || ip == 1 || ip == 3);
		}
	for (size_t n = 0; n < 4; n++) {
		fuzz_check("without a map",
			   ident_maps(i, NULL, names[n], names[n]) && !ident_maps(i, NULL, names[n], ""));
		fuzz_check("of no map", !ident_maps(i, "no such map, surely", names[n], names[n]));
		(void)ident_maps(i, "m", names[n], names[3 - n]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct told t = { 0 };
	const struct hba_sink sink = { on_fault, &t };
	struct hba h;
	struct ident i;
	bool nomem;

	fuzz_files_make(data, size);
	bool ok = hba_read(&h, "main.ini", &sink, &nomem);
	fuzz_check("memory", !nomem);
	fuzz_check("wrong is told", ok == (t.faults == 0));
	t.faults = 0;
	ok = ident_read(&i, "i", &sink, &nomem);
	fuzz_check("memory", !nomem);
	fuzz_check("wrong is told", ok == (t.faults == 0));
	ask(&h, &i);
	hba_free(&h);
	ident_free(&i);
	fuzz_files_remove();
	return 0;
}
