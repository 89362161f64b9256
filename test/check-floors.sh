#!/bin/sh
# check-floors.sh - who may include whom: a file uses its own floor and those below, never one above; a *_int.h is for
# its own folder; a library's header stays in the folder that knows the library, and out of headers.
# Prints each offence and ends in one line of counts, as every test here does.
set -u
cd "${srcdir:-$(dirname "$0")/..}" || exit 2

# Prints the offences of a tree that has src/ and maybe include/.
offences_in() (
	cd "$1" || exit 2
	find src include -type f \( -name '*.[ch]' -o -name '*.def' \) 2>/dev/null | sort |
	xargs grep -nE '^[[:space:]]*#[[:space:]]*include' /dev/null | awk '
	BEGIN {
		n = split("core=0 config=1 net=1 gate=2 sql=2 auth=2 session=3 pool=3 route=3 cache=3 " \
			  "pg=4 mysql=4 oracle=4 admin=5 service=5 obs=5", rows, " ")
		for (i = 1; i <= n; i++) {
			split(rows[i], kv, "=")
			floor[kv[1]] = kv[2]
		}
		# which files may include <library...>
		may["openssl/"] = "^src/(auth|net)/[^/]*[.]c$"
		may["ini.h"] = "^src/config/[^/]*[.]c$"
		may["stringprep.h"] = "^src/auth/[^/]*[.]c$"
		may["ldap.h"] = "^src/auth/ldap[.]c$"
		may["security/"] = "^src/auth/pam[.]c$"
		may["zlib.h"] = "^src/mysql/zip[.]c$"
		may["zstd"] = "^src/mysql/zip[.]c$"
		may["ares"] = "^src/net/[^/]*[.]c$"
		may["libpq-fe.h"] = "^$"
		may["mysql"] = "^$"
	}
	{
		split($0, part, ":")
		file = part[1]
		place = file ":" part[2] ": "
		if (!match($0, /[<"][^>"]*[>"]/))
			next
		quote = substr($0, RSTART, 1)
		name = substr($0, RSTART + 1, RLENGTH - 2)

		depth = split(file, dir, "/")
		here = dir[1] == "src" && depth > 2 ? dir[2] : "main"
		own = here == "main" ? 6 : floor[here]
		if (dir[1] == "include")
			own = 0         # what a plug-in sees stands on nothing
		if (own == "")
			print place here "/ is on no floor"

		for (lib in may)
			if (quote == "<" && index(name, lib) == 1 && file !~ may[lib])
				print place "<" name "> is not for this file"
		if (quote != "\"")
			next
		split(name, to, "/")
		if (to[1] == "sluice")
			next            # include/sluice
		if (!(to[1] in floor))
			print place "\"" name "\" does not start with one of our folders"
		else if (floor[to[1]] + 0 > own + 0)
			print place "\"" name "\" points up: floor " floor[to[1]] " from floor " own
		else if (name ~ /_int[.]h$/ && to[1] != here)
			print place "\"" name "\" is internal to " to[1] "/"
	}'
)

# A check that finds nothing must be shown to find something: a tree with one offence in each odd line.
made=$(mktemp -d) || exit 2
trap 'rm -rf "$made"' EXIT
mkdir -p "$made/src/core" "$made/src/net" "$made/src/pg" "$made/src/attic"
cat >"$made/src/net/a.c" <<'C'
#include "pg/wire.h"
#include "core/rd.h"
#  include "core/rd_int.h"
#include "net/a_int.h"
#include "stream.h"
#include <ares.h>
#include <ini.h>
#include <openssl/ssl.h>
#include <libpq-fe.h>
C
echo '#include <openssl/evp.h>' >"$made/src/net/a.h"
echo '#include "core/rd.h"' >"$made/src/attic/a.c"
echo '#include "pg/wire.h"' >"$made/src/main.c"
found=$(offences_in "$made" | cut -d: -f1,2 | tr '\n' ' ')
want='src/attic/a.c:1 src/net/a.c:1 src/net/a.c:3 src/net/a.c:5 src/net/a.c:7 src/net/a.c:9 src/net/a.h:1 '

passed=0 failed=0
if [ "$found" = "$want" ]; then
	passed=1
else
	printf 'check-floors: the made-up tree gave: %s\n                          and not: %s\n' "$found" "$want"
	failed=1
fi
offences=$(offences_in .)
if [ -z "$offences" ]; then
	passed=$((passed + 1))
else
	printf '%s\n' "$offences"
	failed=$((failed + 1))
fi
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
