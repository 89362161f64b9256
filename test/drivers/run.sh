#!/usr/bin/env bash
# Gets the drivers and runs their programs against a PostgreSQL and a Sluice of the tests' own: README.md.
#
#   ./test/drivers/run.sh                    all
#   ./test/drivers/run.sh psycopg3_console   these
#
# From the environment: builddir (default build-asan), SLUICE_BIN (default src/sluice there). What is downloaded is kept in
# ${XDG_CACHE_HOME:-~/.cache}/sluice/node. The last line counts: "N passed, N failed, N skipped".
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=${builddir:-$top/build-asan}
export SLUICE_BIN=${SLUICE_BIN:-$build/src/sluice}
[ -x "$build/test/drivers/drivers" ] || { echo "build it first: make check TESTS= in $build"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

# shellcheck source=contrib/packages.sh
. "$top/contrib/packages.sh"
install_packages "${DRIVER_PACKAGES[@]}" || echo "Drivers that are missing are skipped."

# The programs run as an unprivileged user, who may not see into our home: all they need is copied.
work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-drivers.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
cp "$here"/*.py "$here"/*.js "$here"/*.java "$work"
chmod -R a+rX "$work"

# python MODULE: the interpreter that has it; Debian's may not be the first.
python() {
	local p
	for p in python3 /usr/bin/python3; do
		if "$p" -c "import $1" 2>/dev/null; then "$p" -c 'import sys; print(sys.executable)'; return; fi
	done
	return 1
}

if p=$(python psycopg); then
	export DRIVER_psycopg3="'$p' '$work/psycopg3.py'"
else
	export DRIVER_psycopg3="!psycopg 3 is not installed (Debian: python3-psycopg)"
fi
if p=$(python psycopg2); then
	export DRIVER_psycopg2="'$p' '$work/psycopg_2.py'"
else
	export DRIVER_psycopg2="!psycopg 2 is not installed (Debian: python3-psycopg2)"
fi

node_driver() {
	local cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/node node
	node=$(command -v node) || { echo "!node is not installed (Debian: nodejs)"; return; }
	if [ ! -d "$cache/node_modules/pg" ]; then
		command -v npm >/dev/null || { echo "!npm is not installed (Debian: npm)"; return; }
		mkdir -p "$cache"
		if ! (cd "$cache" && timeout 120 npm install --no-audit --no-fund --no-save pg@8) >"$work/npm.log" 2>&1 </dev/null; then
			echo "!node-postgres could not be had from the npm registry: $(grep -m 1 -i 'err' "$work/npm.log" | tr -d "\"'")"
			return
		fi
	fi
	cp -r "$cache/node_modules" "$work/node_modules" && chmod -R a+rX "$work/node_modules"
	echo "'$node' '$work/node_pg.js'"
}
DRIVER_node=$(node_driver)

jdbc_driver() {
	local jar=${PGJDBC_JAR:-/usr/share/java/postgresql.jar} java
	java=$(command -v java) && command -v javac >/dev/null || { echo "!no Java compiler is installed (Debian: default-jdk-headless)"; return; }
	[ -e "$jar" ] || { echo "!pgjdbc is not installed (Debian: libpostgresql-jdbc-java)"; return; }
	if ! javac -encoding UTF-8 -cp "$jar" -d "$work/classes" "$work/Jdbc.java" >"$work/javac.log" 2>&1; then
		cat "$work/javac.log" >&2
		echo "false"
		return
	fi
	chmod -R a+rX "$work/classes"
	echo "'$java' -XX:TieredStopAtLevel=1 -Xshare:auto -cp '$work/classes:$jar' Jdbc"
}
DRIVER_jdbc=$(jdbc_driver)
export DRIVER_node DRIVER_jdbc

"$build/test/drivers/drivers" "$@"
