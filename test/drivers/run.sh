#!/usr/bin/env bash
# Gets the drivers and runs their programs against servers and a Sluice of the tests' own: README.md.
#
#   ./test/drivers/run.sh                    all
#   ./test/drivers/run.sh psycopg3_console   these; those of MySQL begin with my_
#   ./test/drivers/run.sh postgresql         all of PostgreSQL's; or mysql
#   DRIVERS_STRAIGHT=1 ./test/drivers/run.sh my_dbd   straight at the server
#
# MySQL's are run with MariaDB, and with MySQL 9 where ../servers/get.sh has it. From the environment: builddir (default build-asan), SLUICE_BIN (default src/sluice there). What is downloaded is kept in
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
cp "$here"/*.py "$here"/*.js "$here"/*.java "$here"/my_* "$work"
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
	if [ ! -d "$cache/node_modules/$2" ]; then
		command -v npm >/dev/null || { echo "!npm is not installed (Debian: npm)"; return; }
		mkdir -p "$cache"
		# All at once: what is not named is taken away again.
		if ! (cd "$cache" && timeout 120 npm install --no-audit --no-fund --no-save pg@8 mysql2@3 mariadb@3.4) >"$work/npm.log" 2>&1 </dev/null; then
			echo "!$2 could not be had from the npm registry: $(grep -m 1 -i 'err' "$work/npm.log" | tr -d "\"'")"
			return
		fi
	fi
	[ -d "$work/node_modules/$2" ] || { cp -r "$cache/node_modules" "$work/" && chmod -R a+rX "$work/node_modules"; }
	echo "'$node' '$work/$1'"
}
DRIVER_node=$(node_driver node_pg.js pg)
DRIVER_my_node_mysql2=$(node_driver node_mysql2.js mysql2)
DRIVER_my_node_mariadb=$(node_driver node_mariadb.js mariadb)

# jdbc_driver CLASS JAR PACKAGE
jdbc_driver() {
	local java
	java=$(command -v java) && command -v javac >/dev/null || { echo "!no Java compiler is installed (Debian: default-jdk-headless)"; return; }
	[ -e "$2" ] || { echo "!$2 is not there (Debian: $3)"; return; }
	if ! javac -encoding UTF-8 -cp "$2" -d "$work/classes" "$work/$1.java" >"$work/javac.log" 2>&1; then
		cat "$work/javac.log" >&2
		echo "false"
		return
	fi
	chmod -R a+rX "$work/classes"
	echo "'$java' -XX:TieredStopAtLevel=1 -Xshare:auto -cp '$work/classes:$2' $1"
}
DRIVER_jdbc=$(jdbc_driver Jdbc "${PGJDBC_JAR:-/usr/share/java/postgresql.jar}" libpostgresql-jdbc-java)
DRIVER_my_jdbc=$(jdbc_driver MyJdbc "${MARIADB_JAR:-/usr/share/java/mariadb-java-client.jar}" libmariadb-java)
export DRIVER_node DRIVER_jdbc DRIVER_my_node_mysql2 DRIVER_my_node_mariadb DRIVER_my_jdbc

if p=$(python pymysql); then
	export DRIVER_my_pymysql="'$p' '$work/dbapi.py' pymysql"
else
	export DRIVER_my_pymysql="!PyMySQL is not installed (Debian: python3-pymysql)"
fi
if p=$(python MySQLdb); then
	export DRIVER_my_mysqlclient="'$p' '$work/dbapi.py' MySQLdb"
else
	export DRIVER_my_mysqlclient="!mysqlclient is not installed (Debian: python3-mysqldb)"
fi
if perl -MDBD::mysql -e 1 2>/dev/null; then
	export DRIVER_my_dbd="perl '$work/my_dbd.pl'"
else
	export DRIVER_my_dbd="!DBD::mysql is not installed (Debian: libdbd-mysql-perl)"
fi
cp "$build/test/drivers/my_capi" "$work/" 2>/dev/null && export DRIVER_my_capi="'$work/my_capi'"
export DRIVER_my_cli="'$work/my_cli.sh'"
chmod -R a+rX "$work"

# Which of them were asked for.
pg=() my=() passed=0 failed=0 skipped=0
[ $# -gt 0 ] || set -- postgresql mysql
all=" $* "
for p; do case $p in postgresql | mysql) ;; my_*) my+=("$p") ;; *) pg+=("$p") ;; esac; done

# runs NAME PROGRAM...: adds up what it counted.
runs() {
	local line
	echo "== $1"
	shift
	"$@" | tee "$work/out"
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$work/out" | tail -n 1)
	# shellcheck disable=SC2086
	set -- ${line:-0 passed, 1 failed, 0 skipped}
	passed=$((passed + $1)) failed=$((failed + $3)) skipped=$((skipped + $5))
}
if [[ $all = *" postgresql "* ]] || [ ${#pg[@]} -gt 0 ]; then
	[ -n "${DRIVERS_STRAIGHT:-}" ] || runs PostgreSQL "$build/test/drivers/drivers" "${pg[@]}"
fi
if { [[ $all = *" mysql "* ]] || [ ${#my[@]} -gt 0 ]; } && [ -x "$build/test/drivers/my_drivers" ]; then
	runs MariaDB "$build/test/drivers/my_drivers" "${my[@]}"
	mkdir "$work/mysql"
	if there=$("$top/test/servers/get.sh" mysql "$work/mysql" | tail -n 1) && [ -x "$there/mysqld" ]; then
		runs "MySQL 9" env TEST_MY_BINDIR="$there" "$build/test/drivers/my_drivers" "${my[@]}"
	else
		skipped=$((skipped + 1))
	fi
fi
printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
