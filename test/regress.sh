#!/usr/bin/env bash
# PostgreSQL's own regression tests, straight and through Sluice in session pooling: what they print must be the same.
#
#   ./test/regress.sh                     all of the parallel schedule; some 10 minutes on two cores
#   ./test/regress.sh boolean int4 copy   these, behind test_setup
#
# From the environment: SLUICE_BIN (default build-asan/src/sluice), REGRESS_KEEP (a folder for what was printed). The
# sources are Debian's, kept in ${XDG_CACHE_HOME:-~/.cache}/sluice/regress. Each file of results counts as a test; the last line is
# "N passed, N failed, N skipped", and the exit status 77 when the sources cannot be had. Not a part of run.sh.
set -uo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=contrib/packages.sh
. "$top/contrib/packages.sh"
SLUICE_BIN=${SLUICE_BIN:-$top/build-asan/src/sluice}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/regress

# Files whose results differ where a server connection is used again, and why. They are run once more with
# server_lifetime = 0, so that no connection is, and there they must be the same.
declare -A differs=(
	[guc]="a server connection that is used again has plpgsql loaded, which DISCARD ALL does not undo"
	[stats]="it counts sessions of PostgreSQL, and \\c does not begin one where a server connection is used again"
	[temp]="a server connection that is used again has a schema for temporary tables, so that this transaction need not make it"
)

no() {
	echo "$*"
	echo "0 passed, 0 failed, 1 skipped"
	exit 77
}

install_packages gcc "${SERVER_PACKAGES[@]}" || no "PostgreSQL is not to be had."
bin=$(pg_config --bindir 2>/dev/null) && [ -x "$bin/initdb" ] || bin=$(dirname "$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | tail -n 1)")
version=$("$bin/postgres" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
[ -n "$version" ] || no "There is no PostgreSQL here."
[ -x "$SLUICE_BIN" ] || { echo "Build it first: $SLUICE_BIN is not there."; exit 1; }
install_packages "postgresql-server-dev-$version" || no "postgresql-server-dev-$version is not to be had."
tests=$cache/$version/src/test/regress
runner=$("$bin/pg_config" --pgxs) runner=${runner%/makefiles/*}/test/regress/pg_regress
[ -x "$runner" ] || no "$runner is not there (Debian: postgresql-client-$version)."

# Any release of this version will do, for both runs are of the same. The newest may be missing from a mirror.
fetch() {
	local lists=$cache/lists apt v
	mkdir -p "$lists/partial" "$cache/new" && cd "$cache/new" || return 1
	sed 's/^deb /deb-src /; s/^Types:.*/Types: deb-src/' /etc/apt/sources.list >"$cache/sources.list" 2>/dev/null
	mkdir -p "$cache/parts"
	for f in /etc/apt/sources.list.d/*debian*.sources; do [ -e "$f" ] && sed 's/^Types:.*/Types: deb-src/' "$f" >"$cache/parts/${f##*/}"; done
	apt=(-o "Dir::Etc::sourcelist=$cache/sources.list" -o "Dir::Etc::sourceparts=$cache/parts" -o "Dir::State::lists=$lists" -o APT::Sandbox::User=root)
	apt-get "${apt[@]}" update || return 1
	for v in $(apt-cache "${apt[@]}" showsrc "postgresql-$version" | sed -n 's/^Version: //p' | sort -rVu); do
		apt-get "${apt[@]}" source --download-only "postgresql-$version=$v" && break
	done
	tar xf postgresql-"$version"_*.orig.tar.* && mv postgresql-"$version".* "$cache/$version" && rm -rf "$cache/new"
}
if [ ! -d "$tests/sql" ]; then
	command -v apt-get >/dev/null || no "The tests are taken from Debian's sources, and this is no Debian."
	log=$(mktemp) && mkdir -p "$cache"
	if ! (fetch) >"$log" 2>&1 </dev/null; then
		tail -n 5 "$log"
		no "The sources of postgresql-$version are not to be had."
	fi
	rm -f "$log"
fi

# As root, somebody else runs all of it.
as=()
work=$(mktemp -d /tmp/sluice-regress.XXXXXX) || exit 1 # not TMPDIR: a unix socket's path has to be short
if [ "$(id -u)" = 0 ]; then
	user=nobody
	id postgres >/dev/null 2>&1 && user=postgres
	as=(setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups)
fi
pids=()
end() {
	for p in "${pids[@]}"; do kill -INT "$p" 2>/dev/null; done
	wait
	[ -n "${REGRESS_KEEP:-}" ] && mkdir -p "$REGRESS_KEEP" && cp -r "$work"/*.straight "$work"/*.through "$work"/*.log "$REGRESS_KEEP/" 2>/dev/null
	rm -rf "$work"
}
trap end EXIT
trap 'exit 1' INT TERM

lib=$work/lib pkglib=$("$bin/pg_config" --pkglibdir)
mkdir -p "$lib" "$work/in"
cp -r "$tests/sql" "$tests/expected" "$tests/data" "$tests/resultmap" "$tests/parallel_schedule" "$work/in/"
cp "$pkglib/autoinc.so" "$pkglib/refint.so" "$lib/" || no "autoinc.so and refint.so are not in $pkglib."
gcc -O1 -fPIC -shared -w -I"$("$bin/pg_config" --includedir-server)" -I"$tests" "$tests/regress.c" -o "$lib/regress.so" || no "regress.c does not compile."
chmod -R a+rX "$work"
[ ${#as[@]} = 0 ] || chown -R "$user" "$work"

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# server NAME: a fresh PostgreSQL in $work/NAME.data; its port in $port.
server() {
	port=$(free_port)
	"${as[@]}" "$bin/initdb" -D "$work/$1.data" -U postgres -A trust --no-sync --no-locale -E UTF8 >"$work/$1.initdb.log" 2>&1 || { cat "$work/$1.initdb.log"; exit 1; }
	"${as[@]}" "$bin/postgres" -D "$work/$1.data" -p "$port" -c "unix_socket_directories=$work" -c listen_addresses=127.0.0.1 \
		-c fsync=off -c max_connections=120 -c max_prepared_transactions=2 -c log_checkpoints=off >"$work/$1.server.log" 2>&1 </dev/null &
	pids+=($!)
	for _ in $(seq 200); do
		"$bin/pg_isready" -q -h "$work" -p "$port" && return
		sleep 0.1
	done
	cat "$work/$1.server.log"
	exit 1
}

# regress NAME PORT TEST...: the tests by this port, into $work/NAME.
regress() {
	local name=$1 at=$2 what
	shift 2
	mkdir -p "$work/$name" && { [ ${#as[@]} = 0 ] || chown "$user" "$work/$name"; }
	what=(--schedule="$work/in/parallel_schedule")
	[ $# = 0 ] || what=(test_setup "$@")
	(cd "$work/$name" && "${as[@]}" env HOME="$work" "$runner" --bindir="$bin" --host=127.0.0.1 --port="$at" --user=postgres --dbname=regression \
		--inputdir="$work/in" --outputdir="$work/$name" --dlpath="$lib" --max-concurrent-tests=20 "${what[@]}") >"$work/$name.log" 2>&1
	grep -E 'tests (passed|failed)' "$work/$name.log" # against what PostgreSQL's authors expect, of any build
}

# sluice PORT LINE...: Sluice before the server at this port, with these lines in its configuration; its port in $at, it in $sluice.
sluice() {
	local server=$1
	shift
	at=$(free_port)
	cat >"$work/sluice.ini" <<INI
[databases]
* = host=$work port=$server
[sluice]
listen_addr = 127.0.0.1
listen_port = $at
unix_socket_dir =
logfile = $work/sluice.log
auth_type = trust
auth_file = $work/userlist.txt
auth_user = postgres
auth_query = select rolname, rolpassword from pg_authid where rolname = \$1 and rolcanlogin
auth_dbname = postgres
admin_users = postgres
pool_mode = session
default_pool_size = 60
max_client_conn = 200
INI
	printf '%s\n' "$@" >>"$work/sluice.ini"
	chmod a+r "$work/sluice.ini" "$work/userlist.txt"
	ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} "${as[@]}" "$SLUICE_BIN" "$work/sluice.ini" >"$work/sluice.out.log" 2>&1 </dev/null &
	sluice=$!
	pids+=("$sluice")
	for _ in $(seq 100); do "$bin/pg_isready" -q -h 127.0.0.1 -p "$at" && break; sleep 0.1; done
}

# both NAME LINE... -- TEST...: the tests straight, into $work/NAME.straight, and through Sluice, into $work/NAME.through.
both() {
	local name=$1 lines=()
	shift
	while [ "$1" != -- ]; do lines+=("$1"); shift; done
	shift
	echo "== $name: straight"
	server "$name.straight"
	regress "$name.straight" "$port" "$@"
	echo "== $name: through Sluice"
	server "$name.through"
	sluice "$port" "${lines[@]}"
	regress "$name.through" "$at" "$@"
	kill -0 "$sluice" 2>/dev/null || { echo "Sluice has ended:"; tail -n 20 "$work/sluice.out.log" "$work/sluice.log"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
}

# same NAME FILE: did both print the same?
same() { cmp -s "$work/$1.straight/results/$2.out" "$work/$1.through/results/$2.out"; }

# say_how NAME FILE: in what they differ.
say_how() {
	echo "$2 differs:"
	diff -U2 "$work/$1.straight/results/$2.out" "$work/$1.through/results/$2.out" 2>&1 | head -n 60
}

printf '"postgres" "any"\n' >"$work/userlist.txt"
passed=0 failed=0 again=()
both all -- "$@"
for a in "$work"/all.straight/results/*.out; do
	name=$(basename "$a" .out)
	if same all "$name"; then
		passed=$((passed + 1))
	elif [ -n "${differs[$name]:-}" ]; then
		echo "$name differs: ${differs[$name]}"
		again+=("$name")
	else
		say_how all "$name"
		failed=$((failed + 1))
	fi
done
if [ ${#again[@]} -gt 0 ]; then
	both fresh "server_lifetime = 0" -- "${again[@]}"
	for name in "${again[@]}"; do
		if same fresh "$name"; then
			passed=$((passed + 1))
		else
			say_how fresh "$name"
			failed=$((failed + 1))
		fi
	done
fi
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
